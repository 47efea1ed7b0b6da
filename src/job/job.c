#include "job/job.h"

#include "base/strings.h"
#include "job/internal.h"

/* api.md 1.7 */
#define RETRY_DELAY_DEFAULT_BITS_S 600
#define NOTIFICATION_INTERVAL_DEFAULT_MS 500 /* BITS: minimum notification interval */
#define RETRY_DELAY_MINIMUM_S 5
#define NO_PROGRESS_BITS_S (14 * 24 * 3600)
#define NO_PROGRESS_DO_FOREGROUND_S 3600
#define NO_PROGRESS_DO_BACKGROUND_S 86400
#define MAX_DOWNLOAD_TIME_DEFAULT_S (90 * 24 * 3600)
#define LIFE_TIME_BITS_USEC (90 * USEC_PER_DAY)
#define LIFE_TIME_DO_USEC (30 * USEC_PER_DAY)

void validators_done(struct validators *validators) {
        free(validators->origin);
        free(validators->etag);
        free(validators->last_modified);
        free(validators->encoding);
        *validators = (struct validators) {};
}

int validators_copy(struct validators *to, const struct validators *from) {
        _cleanup_(validators_done) struct validators copy = {};

        if (strdup_to(&copy.origin, from->origin) < 0 || strdup_to(&copy.etag, from->etag) < 0 ||
            strdup_to(&copy.last_modified, from->last_modified) < 0 || strdup_to(&copy.encoding, from->encoding) < 0)
                return -ENOMEM;
        validators_done(to);
        *to = copy;
        copy = (struct validators) {};
        return 0;
}

/* ---- making ---- */

static uint32_t default_no_progress_timeout(enum job_family family, enum job_priority priority) {
        if (family == JOB_FAMILY_BITS)
                return NO_PROGRESS_BITS_S;
        return priority <= JOB_PRIORITY_HIGH ? NO_PROGRESS_DO_FOREGROUND_S : NO_PROGRESS_DO_BACKGROUND_S;
}

/* 0, or what is wrong with a text of at most @max code points. */
static int text_check(const char *text, size_t max) {
        if (!text || !utf8_is_valid(text, SIZE_MAX))
                return ERROR_INVALID_ARGUMENT;
        return utf8_length(text) > max ? ERROR_STRING_TOO_LONG : 0;
}

int job_new(const struct guid *id, uid_t owner, enum job_family family, const char *name, uint64_t now_usec,
            struct job **ret) {
        bool bits = family == JOB_FAMILY_BITS;
        _cleanup_(job_freep) struct job *job = NULL;

        assert(family < _JOB_FAMILY_MAX);
        /* BITS: CreateJob has E_INVALIDARG for a long name, other than SetDisplayName. */
        if (text_check(name, LIMIT_DISPLAY_NAME))
                return ERROR_INVALID_ARGUMENT;
        job = malloc(sizeof(*job));
        if (!job)
                return -ENOMEM;
        *job = (struct job) {
                .id = *id,
                .owner = owner,
                .family = family,
                .type = JOB_TYPE_DOWNLOAD,
                .state = JOB_SUSPENDED,
                .priority = JOB_PRIORITY_NORMAL,
                .notify_flags = JOB_NOTIFY_DEFAULT,
                /* 0 for DO: the family has no such property, the configured delay holds until somebody sets one. */
                .minimum_retry_delay_s = bits ? RETRY_DELAY_DEFAULT_BITS_S : 0,
                .no_progress_timeout_s = default_no_progress_timeout(family, JOB_PRIORITY_NORMAL),
                .life_time_usec = bits ? LIFE_TIME_BITS_USEC : LIFE_TIME_DO_USEC,
                .replace = bits,     /* design decision 13 */
                .remote_time = bits, /* design decision 20 */
                .max_download_size = SIZE_UNKNOWN,
                .max_download_time_s = MAX_DOWNLOAD_TIME_DEFAULT_S,
                .notification_interval_ms = NOTIFICATION_INTERVAL_DEFAULT_MS,
                .created_usec = now_usec,
                .modified_usec = now_usec,
                .state_since_usec = now_usec,
                .error = { .file_index = JOB_ERROR_NO_FILE },
                .waiting = WAITING_RESUME,
                .waiting_since_usec = now_usec,
                .pace = {
                        .retry_at_boottime = USEC_INFINITY,
                        .slice_since_boottime = USEC_INFINITY,
                        .queued_since_boottime = USEC_INFINITY,
                        .try_since_monotonic = USEC_INFINITY,
                        .moving_since_monotonic = USEC_INFINITY,
                },
        };
        if (strdup_to(&job->name, name) < 0)
                return -ENOMEM;
        *ret = TAKE_PTR(job);
        return 0;
}

static struct file_response *response_free(struct file_response *response) {
        if (!response)
                return NULL;
        free(response->headers);
        free(response->url);
        free(response->address);
        free(response);
        return NULL;
}
DEFINE_CLEANUP_FUNC(struct file_response, response_free)

int job_file_set_response(struct job_file *file, const struct file_response *from) {
        _cleanup_(response_freep) struct file_response *copy = calloc(1, sizeof(*copy));
        bool has_url = from->url && utf8_is_valid(from->url, SIZE_MAX);

        if (!copy)
                return -ENOMEM;
        copy->http_status = from->http_status;
        if (strdup_to(&copy->headers, from->headers) < 0 || strdup_to(&copy->url, has_url ? from->url : NULL) < 0 ||
            strdup_to(&copy->address, from->address) < 0)
                return -ENOMEM;
        response_free(file->response);
        file->response = TAKE_PTR(copy);
        return 0;
}

const struct file_response *job_file_response(const struct job_file *file) {
        static const struct file_response none;

        return file->response ?: &none;
}

static void job_file_free(struct job_file *file) {
        if (!file)
                return;
        free(file->url);
        free(file->path);
        free(file->file_id);
        free(file->mirrors);
        free(file->source);
        free(file->source_trouble);
        free(file->sources);
        free(file->offers.mirrors);
        free(file->giving_hosts);
        free(file->ranges);
        free(file->integrity_info);
        secret_done(&file->decryption_info);
        validators_done(&file->validators);
        response_free(file->response);
        intervals_done(&file->durable);
        intervals_done(&file->received);
        intervals_done(&file->untold);
        chunks_done(&file->chunks);
        free(file);
}

struct job *job_free(struct job *job) {
        if (!job)
                return NULL;
        job_paths_done(job);
        for (size_t i = 0; i < job->n_files; i++)
                job_file_free(job->files[i]);
        free(job->files);
        free(job->name);
        free(job->description);
        secret_done(&job->custom_headers);
        secret_done(&job->auth_headers);
        free(job->lying_hosts);
        free(job->client_certificate);
        free(job->http_method);
        for (int i = 0; i < _JOB_AUTH_TARGET_MAX; i++)
                for (int j = 0; j < _JOB_AUTH_SCHEME_MAX; j++)
                        secret_done(&job->credentials[i][j]);
        secret_done(&job->proxy_list);
        free(job->proxy_bypass);
        free(job->notify_command);
        free(job->notify_parameters);
        secret_done(&job->proxy_environment);
        free(job->error.text);
        free(job);
        return NULL;
}

static int make_room_for_file(struct job *job) {
        size_t allocated = MAX((size_t) 1, job->n_files_allocated * 2);
        struct job_file **files;

        if (job->n_files >= JOB_ERROR_NO_FILE)
                return -E2BIG;
        if (job->n_files < job->n_files_allocated)
                return 0;
        files = reallocarray(job->files, allocated, sizeof(*files));
        if (!files)
                return -ENOMEM;
        job->files = files;
        job->n_files_allocated = allocated;
        return 0;
}

int job_new_file(struct job *job, struct job_file **ret_file) {
        struct job_file *file;
        int r = make_room_for_file(job);

        if (r < 0)
                return r;
        file = malloc(sizeof(*file));
        if (!file)
                return -ENOMEM;
        *file = (struct job_file) {
                .job = job,
                .index = (uint32_t) job->n_files,
                .stated_size = SIZE_UNKNOWN,
                .remote_size = SIZE_UNKNOWN,
                .size = SIZE_UNKNOWN,
        };
        job->files[job->n_files++] = file;
        *ret_file = file;
        return 0;
}

static int job_file_fill(struct job_file *file, const struct job_file_spec *spec) {
        if (strdup_to(&file->url, spec->url) < 0 || strdup_to(&file->path, spec->path) < 0 ||
            strdup_to(&file->file_id, spec->file_id) < 0 || strdup_to(&file->integrity_info, spec->integrity_info) < 0 ||
            secret_set(&file->decryption_info, spec->decryption_info) < 0 ||
            strdup_to(&file->mirrors, spec->mirrors && *spec->mirrors ? spec->mirrors : NULL) < 0)
                return -ENOMEM;
        file->integrity_mandatory = spec->integrity_mandatory;
        if (spec->n_ranges > 0) {
                file->ranges = reallocarray(NULL, spec->n_ranges, sizeof(*file->ranges));
                if (!file->ranges)
                        return -ENOMEM;
                memcpy(file->ranges, spec->ranges, spec->n_ranges * sizeof(*file->ranges));
                file->n_ranges = spec->n_ranges;
        }
        if (spec->sha256) {
                memcpy(file->sha256, spec->sha256, sizeof(file->sha256));
                file->has_sha256 = true;
        }
        file->stated_size = spec->stated_size;
        file->mode = spec->mode & 0666; /* never set-id, never executable (design decision 20) */
        file->size = job_file_size_from_ranges(file);
        return 0;
}

static int ranges_fit_job(const struct job *job, size_t n_ranges) {
        if (n_ranges == 0)
                return 0;
        if (job->on_demand || job->dynamic_content)
                return ERROR_RANDOM_ACCESS_NOT_SUPPORTED;
        return job->http_method ? ERROR_NOT_SUPPORTED_WITH_METHOD : 0;
}

int job_add_file(struct job *job, const struct job_file_spec *spec, size_t max_ranges, struct job_file **ret_file) {
        struct job_file *file;
        int r;

        r = job_file_spec_check(spec, job->family, job->kind, max_ranges);
        if (r == 0)
                r = ranges_fit_job(job, spec->n_ranges);
        if (r)
                return r;
        r = job_new_file(job, &file);
        if (r)
                return r;
        r = job_file_fill(file, spec);
        if (r == 0)
                r = job_paths_add(job, file);
        if (r) {
                job_file_free(job->files[--job->n_files]);
                return r;
        }
        if (ret_file)
                *ret_file = file;
        return 0;
}

static int take_file(struct job *job, struct job_file *file) {
        int r = ranges_fit_job(job, file->n_ranges);

        if (r == 0)
                r = make_room_for_file(job);
        if (r)
                return r;
        file->job = job;
        file->index = (uint32_t) job->n_files;
        job->files[job->n_files++] = file;
        r = job_paths_add(job, file);
        if (r)
                job->n_files--;
        return r;
}

int job_take_files(struct job *job, struct job *draft, uint32_t *ret_culprit) {
        size_t n = 0;
        int r = 0;

        assert(draft->family == job->family && draft->kind == job->kind);
        while (r == 0 && n < draft->n_files) {
                r = take_file(job, draft->files[n]);
                n += r == 0;
        }
        if (r == 0) {
                job_paths_done(draft);
                draft->n_files = 0;
                return 0;
        }
        *ret_culprit = (uint32_t) n;
        draft->files[n]->job = draft;
        draft->files[n]->index = (uint32_t) n;
        while (n-- > 0) {
                job_paths_remove(job, draft->files[n]);
                job->n_files--;
                draft->files[n]->job = draft;
                draft->files[n]->index = (uint32_t) n;
        }
        return r;
}

/* ---- properties ---- */

static int guard_check(const struct job_file *file, const char *json, size_t max) {
        return file->state == FILE_PENDING ? job_guard_check(json, max) : ERROR_INVALID_STATE;
}

int job_file_set_integrity_info(struct job_file *file, const char *json, uint64_t now_usec) {
        int r = guard_check(file, json, LIMIT_INTEGRITY_INFO);

        if (r == 0)
                r = strdup_to(&file->integrity_info, *json ? json : NULL);
        if (r == 0)
                file->job->modified_usec = now_usec;
        return r;
}

int job_file_set_decryption_info(struct job_file *file, const char *json, uint64_t now_usec) {
        int r = guard_check(file, json, LIMIT_DECRYPTION_INFO);

        if (r == 0)
                r = secret_set(&file->decryption_info, json);
        if (r == 0)
                file->job->modified_usec = now_usec;
        return r;
}

int job_file_set_integrity_mandatory(struct job_file *file, bool mandatory, uint64_t now_usec) {
        if (file->state != FILE_PENDING)
                return ERROR_INVALID_STATE;
        file->integrity_mandatory = mandatory;
        file->job->modified_usec = now_usec;
        return 0;
}

int job_set_name(struct job *job, const char *name, uint64_t now_usec) {
        int r = text_check(name, LIMIT_DISPLAY_NAME);

        if (r == 0)
                r = strdup_to(&job->name, name);
        if (r == 0)
                job->modified_usec = now_usec;
        return r;
}

int job_set_description(struct job *job, const char *description, uint64_t now_usec) {
        int r = text_check(description, LIMIT_DESCRIPTION);

        if (r == 0)
                r = strdup_to(&job->description, *description ? description : NULL);
        if (r == 0)
                job->modified_usec = now_usec;
        return r;
}

int job_set_priority(struct job *job, uint32_t priority, uint64_t now_usec) {
        if (priority >= _JOB_PRIORITY_MAX)
                return ERROR_NOT_IMPLEMENTED;
        if (job->http_method && priority != JOB_PRIORITY_FOREGROUND)
                return ERROR_NOT_SUPPORTED_WITH_METHOD;
        if (job->dynamic_content && priority != JOB_PRIORITY_FOREGROUND)
                return ERROR_INVALID_ARGUMENT;
        /* The DO family's default time-out depends on the priority; a value that somebody chose stays. */
        if (job->no_progress_timeout_s == default_no_progress_timeout(job->family, job->priority))
                job->no_progress_timeout_s = default_no_progress_timeout(job->family, priority);
        job->priority = priority;
        job->modified_usec = now_usec;
        return 0;
}

int job_set_notify_flags(struct job *job, uint32_t flags, uint64_t now_usec) {
        /* api.md 1.6: these two are not supported by the DO family. */
        static const uint32_t bits_only = JOB_NOTIFY_DISABLE | JOB_NOTIFY_FILE_RANGES_TRANSFERRED;
        uint32_t allowed = job->family == JOB_FAMILY_BITS ? JOB_NOTIFY_ALL : JOB_NOTIFY_ALL & ~bits_only;

        if (flags & ~allowed)
                return ERROR_NOT_IMPLEMENTED;
        job->notify_flags = flags;
        job->modified_usec = now_usec;
        return 0;
}

int job_set_notify_command(struct job *job, const char *program, const char *parameters, uint64_t now_usec) {
        _cleanup_free_ char *new_program = NULL, *new_parameters = NULL; /* what comes in may be the job's own text */
        int r = 0;

        program = program ?: job->notify_command ?: "";
        parameters = parameters ?: *program && job->notify_parameters ? job->notify_parameters : "";
        if (*program && (*program != '/' || !utf8_is_valid(program, SIZE_MAX)))
                return ERROR_INVALID_NAME;
        if (strlen(program) > LIMIT_PATH)
                return ERROR_NAME_TOO_LONG;
        if ((!*program && *parameters) || !utf8_is_valid(parameters, SIZE_MAX))
                return ERROR_INVALID_ARGUMENT;
        if (utf8_length(parameters) > LIMIT_NOTIFY_PARAMETERS)
                return ERROR_STRING_TOO_LONG;
        if (*program)
                r = strdup_to(&new_program, program);
        if (r == 0 && *parameters)
                r = strdup_to(&new_parameters, parameters);
        if (r < 0)
                return r;
        free(job->notify_command);
        free(job->notify_parameters);
        job->notify_command = TAKE_PTR(new_program);
        job->notify_parameters = TAKE_PTR(new_parameters);
        job->modified_usec = now_usec;
        return 0;
}

int job_set_minimum_retry_delay(struct job *job, uint32_t seconds, uint64_t now_usec) {
        job->minimum_retry_delay_s = MAX(seconds, (uint32_t) RETRY_DELAY_MINIMUM_S);
        job->modified_usec = now_usec;
        return 0;
}

int job_set_no_progress_timeout(struct job *job, uint32_t seconds, uint64_t now_usec) {
        job->no_progress_timeout_s = seconds;
        job->modified_usec = now_usec;
        return 0;
}

int job_set_max_download_time(struct job *job, uint32_t seconds, uint64_t now_usec) {
        if (seconds == 0)
                return ERROR_INVALID_ARGUMENT;
        job->max_download_time_s = seconds;
        job->modified_usec = now_usec;
        return 0;
}

int job_set_high_performance(struct job *job, bool on, uint64_t now_usec) {
        if (job->n_files > 0)
                return ERROR_READ_ONLY_AFTER_ADDFILE;
        job->high_performance = on;
        job->modified_usec = now_usec;
        return 0;
}

int job_set_max_download_size(struct job *job, uint64_t size, uint64_t now_usec) {
        if (job->resumed)
                return ERROR_READ_ONLY_AFTER_RESUME;
        if (size == 0)
                return ERROR_MAX_SIZE_INVALID;
        job->max_download_size = size > LIMIT_FILE_SIZE ? SIZE_UNKNOWN : size;
        job->modified_usec = now_usec;
        return 0;
}

/* What a person may see on a terminal of @text: control characters become "?", and so do all bytes above ASCII unless the
 * text is UTF-8; never cuts a character in two. NULL: nothing, or no memory. */
static char *printable_of(const char *text) {
        size_t n = strnlen(text, JOB_ERROR_TEXT_MAX + 1);
        bool utf8 = utf8_is_valid(text, SIZE_MAX);
        char *copy;

        if (n == 0)
                return NULL;
        if (n > JOB_ERROR_TEXT_MAX) {
                n = JOB_ERROR_TEXT_MAX;
                while (utf8 && n > 0 && ((uint8_t) text[n] & 0xc0) == 0x80)
                        n--;
        }
        copy = strndup(text, n);
        for (size_t i = 0; copy && i < n; i++) {
                uint8_t c = (uint8_t) copy[i];
                bool printable = c >= 0x80 ? utf8 : c >= 0x20 && c != 0x7f;

                copy[i] = printable ? copy[i] : '?';
        }
        return copy;
}

void job_set_error(struct job *job, enum error_code code, enum error_context context, uint32_t detail,
                   uint32_t file_index, const char *text) {
        char *old = job->error.text; /* maybe @text */

        assert((size_t) code < _ERROR_CODE_MAX);
        job->error = (struct job_error) {
                .code = code,
                .context = context,
                .detail = detail,
                .file_index = file_index,
                .text = text ? printable_of(text) : NULL,
        };
        free(old);
}

void job_clear_error(struct job *job) {
        free(job->error.text);
        job->error = (struct job_error) { .file_index = JOB_ERROR_NO_FILE };
}

void job_set_waiting(struct job *job, enum waiting_reason reason, uint64_t now_usec) {
        if (job->waiting == reason)
                return;
        job->waiting = reason;
        job->waiting_since_usec = now_usec;
}

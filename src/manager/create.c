/* New jobs and new files: judged by form, then at the destination, then recorded in one transaction; a refusal leaves nothing behind.
 *
 * The files are put into a draft (a job that nobody knows) first. The owner role looks at every destination; when all answers are in, the
 * draft becomes the job, or its files move to the job that they are for. */
#include <limits.h>

#include "base/strings.h"
#include "manager/private.h"

struct check {
        struct manager *manager; /* NULL: orphaned by a store failure; only waits for its answers */
        struct job *draft;
        void (*conclude)(struct manager *manager, struct check *check); /* the destinations are good */
        struct guid target;      /* the job that the draft's files are for, unless it becomes one itself */
        uint32_t target_file;    /* the file that the draft's destination is for */
        uid_t owner;
        const void *client;      /* of a volatile job */
        bool client_gone;
        bool resume;
        struct reply reply;
        unsigned n_pending;
        bool is_settled;         /* all answers are in; it waits for an earlier one of the same job */
        int error;               /* first refusal in file order: error code or -errno */
        uint32_t error_file;
        struct check *prev, *next;
};

struct check_one {
        struct check *check;
        uint32_t index;
};

static struct check *check_free(struct check *check) {
        if (!check)
                return NULL;
        job_free(check->draft);
        free(check);
        return NULL;
}

void manager_orphan_checks(struct manager *m) {
        struct check *check, *tmp;

        DL_FOREACH_SAFE(m->checks, check, tmp) {
                DL_DELETE(m->checks, check);
                check->manager = NULL;
                manager_refuse(check->reply, NULL, ERROR_STORE_FAILED, "");
                if (check->n_pending == 0)
                        check_free(check);
        }
}

static void refuse_file(struct reply reply, const struct job *draft, int outcome, uint32_t index) {
        const struct job_file *file = index < draft->n_files ? draft->files[index] : NULL;
        char text[PATH_MAX + 256];

        if (outcome > 0 && file)
                snprintf(text, sizeof(text), "%s: %s", file->path, error_code_text(outcome));
        else
                text[0] = 0;
        manager_refuse(reply, NULL, outcome, text);
}

struct added_event {
        struct manager *manager;
        struct guid id;
};

static void tell_added(int error, void *userdata) {
        _cleanup_free_ struct added_event *event = userdata;
        struct manager *m = event->manager;
        struct job_run *run;

        HASH_FIND(hh, m->by_id, &event->id, sizeof(event->id), run);
        if (error == 0 && run && m->events && m->events->job_added)
                m->events->job_added(m->events_userdata, run->job);
}

static void announce(struct manager *m, const struct job *job) {
        struct added_event *event = malloc(sizeof(*event));

        if (!event)
                return;
        *event = (struct added_event) { .manager = m, .id = job->id };
        if (manager_after_commit(m, tell_added, event) < 0)
                free(event);
}

static int give_temp_name(struct job_file *file) {
        char name[FILES_TEMP_NAME_MAX];
        int r;

        if (!*file->path)
                return 0; /* comes with the destination */
        r = files_temp_name_new(name);
        if (r == 0)
                memcpy(file->temp_name, name, sizeof(file->temp_name));
        return r;
}

static int give_temp_names(struct job *job) {
        for (size_t i = 0; i < job->n_files; i++) {
                int r = give_temp_name(job->files[i]);

                if (r < 0)
                        return r;
        }
        return 0;
}

static void save_files_from(struct manager *m, struct job *job, size_t first) {
        for (size_t i = first; i < job->n_files; i++)
                manager_save_file(m, job->files[i]);
}

static void become_job(struct manager *m, struct check *check) {
        struct job *job = check->draft;
        int r;

        r = check->client_gone ? -ECONNRESET : give_temp_names(job);
        if (r == 0)
                r = manager_adopt_job(m, job);
        if (r < 0) {
                manager_refuse(check->reply, NULL, r, "");
                return;
        }
        check->draft = NULL;
        manager_bind_job(m, job, check->client);
        manager_save_job(m, job);
        save_files_from(m, job, 0);
        announce(m, job);
        if (check->resume && job->n_files > 0) {
                job->resumed = true;
                (void) manager_transition(m, job, JOB_EVENT_RESUME);
        }
        manager_reply_durably(m, &job->id, check->reply, &(struct manager_reply) {});
}

/* A job that runs has nowhere to put the bytes of a file without destination. */
static bool may_add(const struct job *job, const struct job *draft) {
        return job_command_verdict(job, JOB_COMMAND_ADD_FILE) == JOB_VERDICT_OK &&
               (!job_state_is_active(job->state) || job_is_unready(draft) != ERROR_SINK_UNSPECIFIED);
}

static void join_job(struct manager *m, struct check *check) {
        struct job *job = manager_find_job(m, check->owner, &check->target);
        size_t first, room;
        int r;

        /* It may have ended, or begun to, while the destinations were looked at. */
        if (!job || !may_add(job, check->draft)) {
                manager_refuse(check->reply, &check->target, job ? ERROR_INVALID_STATE : ERROR_NOT_FOUND, "");
                return;
        }
        first = job->n_files;
        room = m->limits.max_files_per_job - MIN(first, m->limits.max_files_per_job);
        check->error_file = (uint32_t) room;
        r = check->draft->n_files > room ? ERROR_TOO_MANY_FILES : give_temp_names(check->draft);
        if (r == 0)
                r = job_take_files(job, check->draft, &check->error_file);
        if (r != 0) {
                refuse_file(check->reply, check->draft, r, check->error_file);
                return;
        }
        job->modified_usec = manager_realtime(m);
        save_files_from(m, job, first);
        manager_job_changed(m, job, true);
        manager_reschedule(m, job);
        manager_reply_durably(m, &job->id, check->reply, &(struct manager_reply) { .first_index = (uint32_t) first });
        manager_pump_job(m, job);
}

/* The first that is for the same job: calls for one job are carried out in the order in which they came, whichever destination
 * is looked at sooner. */
static struct check *first_of_target(struct manager *m, const struct guid *target) {
        struct check *check;

        DL_FOREACH(m->checks, check)
                if (guid_equal(&check->target, target))
                        return check;
        return NULL;
}

static void check_conclude_alone(struct check *check) {
        struct manager *m = check->manager;

        DL_DELETE(m->checks, check);
        if (check->error != 0)
                refuse_file(check->reply, check->draft, check->error, check->error_file);
        else
                check->conclude(m, check);
        check_free(check);
}

/* All answers for @check are in. */
static void check_conclude(struct check *check) {
        struct manager *m = check->manager;
        struct guid target = check->target;

        if (check->conclude == become_job) {
                check_conclude_alone(check);
                return;
        }
        check->is_settled = true;
        while ((check = first_of_target(m, &target)) && check->is_settled)
                check_conclude_alone(check);
}

static void checked_one(const struct files_check_result *result, void *userdata) {
        _cleanup_free_ struct check_one *one = userdata;
        struct check *check = one->check;

        check->n_pending--;
        if (!check->manager) {
                if (check->n_pending == 0)
                        check_free(check);
                return;
        }
        memcpy(&check->draft->files[one->index]->directory, &result->directory, sizeof(result->directory));
        if (result->error < 0 && (check->error == 0 || one->index < check->error_file)) {
                check->error = (int) error_code_from_errno(result->error);
                check->error_file = one->index;
        }
        if (check->n_pending == 0)
                check_conclude(check);
}

/* For a while an encrypted file is there twice. */
static uint64_t room_for(const struct job_file *draft) {
        return secret_is_none(&draft->decryption_info) ? draft->stated_size : u64_add_saturated(draft->stated_size, draft->stated_size);
}

static int check_start(struct check *check, const struct manager_file_spec *files, size_t n_files, const struct job *rules) {
        struct manager *m = check->manager;

        DL_APPEND(m->checks, check);
        for (size_t i = 0; i < n_files; i++) {
                struct check_one *one;
                int r;

                if (!*check->draft->files[i]->path)
                        continue; /* is looked at when it comes */
                one = malloc(sizeof(*one));
                if (!one)
                        return -ENOMEM;
                *one = (struct check_one) { .check = check, .index = (uint32_t) i };
                r = files_check(m->files, &(struct files_check_request) {
                                .owner = check->owner,
                                .path = check->draft->files[i]->path,
                                .client_directory = manager_files_identity(&files[i].client_directory),
                                .replace = rules->replace,
                                .background = rules->priority != JOB_PRIORITY_FOREGROUND,
                                .size = room_for(check->draft->files[i]),
                        }, checked_one, one);
                if (r < 0) {
                        free(one);
                        return r;
                }
                check->n_pending++;
        }
        return 0;
}

/* Takes over @check: answers it sooner or later. @rules: the job whose replace and priority count. */
static void check_run(struct check *check, const struct manager_file_spec *files, size_t n_files, const struct job *rules) {
        int r = check_start(check, files, n_files, rules);

        if (r < 0 && check->error == 0) {
                check->error = r;
                check->error_file = UINT32_MAX;
        }
        if (check->n_pending == 0)
                check_conclude(check);
}

static int draft_files(struct manager *m, struct job *draft, const struct manager_file_spec *files, size_t n_files) {
        for (size_t i = 0; i < n_files; i++) {
                struct job_file *file;
                const char *why;
                int r;

                if (i >= m->limits.max_files_per_job)
                        return ERROR_TOO_MANY_FILES;
                r = manager_check_guards(files[i].file.integrity_info, files[i].file.decryption_info, files[i].file.n_ranges == 0, &why);
                if (r == 0)
                        r = job_add_file(draft, &files[i].file, m->limits.max_ranges_per_file, &file);
                if (r != 0)
                        return r;
        }
        return 0;
}

/* @draft has those files that were good; the next one is the culprit. */
static void refuse_draft(struct reply reply, const struct job *draft, int outcome, const struct manager_file_spec *files, size_t n_files) {
        char text[LIMIT_URL + 512];

        text[0] = 0;
        if (outcome > 0 && draft && draft->n_files < n_files) {
                const struct job_file_spec *culprit = &files[draft->n_files].file;
                const char *why = error_code_text(outcome);
                _cleanup_free_ char *name = NULL;

                if (manager_check_guards(culprit->integrity_info, culprit->decryption_info, culprit->n_ranges == 0, &why) == 0 &&
                    (outcome == ERROR_INVALID_URL || outcome == ERROR_PROTOCOL_NOT_AVAILABLE))
                        name = string_escape(culprit->url, 200);
                else
                        name = string_escape(culprit->path, 200);
                snprintf(text, sizeof(text), "%s: %s", name ?: "", why);
        }
        manager_refuse(reply, NULL, outcome, text);
}

/* ---- create ---- */

void manager_forget_client_in_checks(struct manager *m, const void *client) {
        struct check *check;

        DL_FOREACH(m->checks, check)
                check->client_gone |= check->client == client;
}

static bool same_files(const struct job *a, const struct job *b) {
        if (a->n_files != b->n_files)
                return false;
        for (size_t i = 0; i < a->n_files; i++) {
                const struct job_file *x = a->files[i], *y = b->files[i];

                if (!streq(x->path, y->path) || !streq(x->url, y->url) || x->has_sha256 != y->has_sha256 ||
                    (x->has_sha256 && memcmp(x->sha256, y->sha256, sizeof(x->sha256)) != 0) ||
                    !streq_ptr(x->integrity_info, y->integrity_info) || x->integrity_mandatory != y->integrity_mandatory ||
                    !streq_ptr(secret_text(&x->decryption_info), secret_text(&y->decryption_info)))
                        return false;
        }
        return true;
}

static struct job *find_same(struct manager *m, const struct job *draft) {
        struct job_run *run;

        DL_FOREACH(m->jobs, run)
                if (run->job->owner == draft->owner && run->job->family == draft->family && run->job->kind == JOB_KIND_JOB && !run->job->is_volatile &&
                    run->job->intent == JOB_INTENT_NONE && !job_state_is_final(run->job->state) && same_files(run->job, draft))
                        return run->job;
        return NULL;
}

static void attach(struct manager *m, struct job *job, bool resume, struct reply reply) {
        struct manager_reply answer = { .attached = true };

        if (resume && !job_state_is_active(job->state))
                manager_resume_job(m, job, NULL, NULL);
        manager_reply_durably(m, &job->id, reply, &answer);
}

bool manager_may_own(const struct manager *m, uid_t uid) {
        return !m->may_own || m->may_own(m->may_own_userdata, uid);
}

int manager_judge_owner(const struct manager *m, uid_t owner) {
        if (!manager_may_own(m, owner))
                return ERROR_USER_NOT_SERVED;
        if (manager_count_jobs_of(m, owner) >= m->limits.max_jobs_per_user)
                return ERROR_TOO_MANY_JOBS;
        return m->n_jobs >= m->limits.max_jobs ? ERROR_TOO_MANY_JOBS_PER_MACHINE : 0;
}

static int draft_job(struct manager *m, const struct manager_create_request *request, struct job **ret) {
        struct guid id;
        uint64_t now = manager_realtime(m);
        int r;

        if (request->kind == JOB_KIND_DOWNLOAD && (request->family != JOB_FAMILY_DO || request->n_files != 1))
                return ERROR_INVALID_ARGUMENT;
        r = manager_judge_owner(m, request->owner);
        if (r == 0)
                r = guid_new(&id);
        if (r == 0)
                r = job_new(&id, request->owner, request->family, request->name, now, ret);
        if (r == 0 && request->description)
                r = job_set_description(*ret, request->description, now);
        if (r == 0 && request->proxy_environment)
                r = job_set_proxy_environment(*ret, request->proxy_environment);
        if (r == 0 && request->priority >= 0)
                r = job_set_priority(*ret, (uint32_t) request->priority, now);
        if (r == 0)
                r = job_set_max_download_time(*ret, m->limits.max_download_time_s, now);
        if (r == 0 && request->no_progress_timeout_s >= 0)
                r = job_set_no_progress_timeout(*ret, (uint32_t) request->no_progress_timeout_s, now);
        if (r == 0 && request->minimum_retry_delay_s >= 0)
                r = job_set_minimum_retry_delay(*ret, (uint32_t) request->minimum_retry_delay_s, now);
        if (r == 0 && request->notify_flags >= 0)
                r = job_set_notify_flags(*ret, (uint32_t) request->notify_flags, now);
        if (r != 0)
                return r;
        (*ret)->kind = request->kind;
        (*ret)->is_volatile = request->client;
        if (request->life_time_usec > 0)
                (*ret)->life_time_usec = request->life_time_usec;
        else if (request->family == JOB_FAMILY_BITS)
                (*ret)->life_time_usec = m->limits.job_inactivity_usec;
        (*ret)->max_rate = MIN(request->max_rate, (uint64_t) INT64_MAX);
        if (request->replace >= 0)
                (*ret)->replace = request->replace != 0;
        if (request->remote_time >= 0)
                (*ret)->remote_time = request->remote_time != 0;
        (*ret)->complete_when_transferred = request->complete_when_transferred;
        return draft_files(m, *ret, request->files, request->n_files);
}

void manager_create_job(struct manager *m, const struct manager_create_request *request, manager_reply_fn fn, void *userdata) {
        struct reply reply = { fn, userdata };
        _cleanup_(job_freep) struct job *draft = NULL;
        struct check *check;
        int r;

        r = draft_job(m, request, &draft);
        if (r == 0 && request->resume && request->n_files > 0)
                r = job_is_unready(draft);
        if (r != 0) {
                refuse_draft(reply, draft, r, request->files, request->n_files);
                return;
        }
        if (request->attach && request->n_files > 0 && !request->client && request->kind == JOB_KIND_JOB) {
                struct job *same = find_same(m, draft);

                if (same) {
                        attach(m, same, request->resume, reply);
                        return;
                }
        }
        check = malloc(sizeof(*check));
        if (!check) {
                manager_refuse(reply, NULL, -ENOMEM, "");
                return;
        }
        *check = (struct check) { .manager = m, .conclude = become_job, .owner = request->owner, .client = request->client,
                                  .resume = request->resume, .reply = reply };
        check->draft = TAKE_PTR(draft);
        check_run(check, request->files, request->n_files, check->draft);
}

void manager_add_files(struct manager *m, struct job *job, const struct manager_file_spec *files, size_t n_files, manager_reply_fn fn,
                       void *userdata) {
        struct reply reply = { fn, userdata };
        _cleanup_(job_freep) struct job *draft = NULL;
        struct check *check;
        int r;

        r = job_new(&job->id, job->owner, job->family, "", manager_realtime(m), &draft);
        if (r == 0)
                r = draft_files(m, draft, files, n_files);
        if (r == 0 && !may_add(job, draft))
                r = ERROR_INVALID_STATE;
        if (r != 0) {
                refuse_draft(reply, draft, r, files, n_files);
                return;
        }
        check = malloc(sizeof(*check));
        if (!check) {
                manager_refuse(reply, &job->id, -ENOMEM, "");
                return;
        }
        *check = (struct check) { .manager = m, .conclude = join_job, .target = job->id, .owner = job->owner, .reply = reply };
        check->draft = TAKE_PTR(draft);
        check_run(check, files, n_files, job);
}

/* ---- a destination that comes later ---- */

static void take_path(struct manager *m, struct check *check) {
        struct job *job = manager_find_job(m, check->owner, &check->target);
        const struct job_file *draft = check->draft->files[0];
        struct job_file *file = job ? job->files[check->target_file] : NULL;
        int r = 0;

        if (!job)
                r = ERROR_NOT_FOUND;
        else if (job_command_verdict(job, JOB_COMMAND_SET_SINK) != JOB_VERDICT_OK)
                r = ERROR_INVALID_STATE; /* it was started while the destination was looked at */
        else
                r = job_file_set_path(file, draft->path, draft->mode, manager_realtime(m));
        if (r == 0)
                r = give_temp_name(file);
        if (r != 0) {
                refuse_file(check->reply, check->draft, r, 0);
                return;
        }
        file->directory = draft->directory;
        manager_save_file(m, file);
        manager_job_changed(m, job, true);
        manager_reply_durably(m, &job->id, check->reply, &(struct manager_reply) {});
}

void manager_set_file_path(struct manager *m, struct job_file *file, const char *path, mode_t mode,
                           const struct file_identity *client_directory, manager_reply_fn fn, void *userdata) {
        struct reply reply = { fn, userdata };
        const struct job *job = file->job;
        struct manager_file_spec spec = {
                .file = { .url = "", .path = path, .stated_size = file->stated_size, .mode = mode },
                .client_directory = *client_directory,
        };
        struct check *check;
        int r;

        check = malloc(sizeof(*check));
        if (!check) {
                manager_refuse(reply, &job->id, -ENOMEM, "");
                return;
        }
        *check = (struct check) { .manager = m, .conclude = take_path, .target = job->id, .target_file = file->index,
                                  .owner = job->owner, .reply = reply };
        r = job_new(&job->id, job->owner, job->family, "", manager_realtime(m), &check->draft);
        if (r == 0) {
                check->draft->kind = JOB_KIND_DOWNLOAD; /* no URL is needed */
                r = draft_files(m, check->draft, &spec, 1);
        }
        if (r == 0 && job_command_verdict(job, JOB_COMMAND_SET_SINK) != JOB_VERDICT_OK)
                r = ERROR_INVALID_STATE;
        if (r == 0 && !*path)
                r = ERROR_INVALID_NAME;
        if (r != 0) {
                refuse_draft(reply, check->draft, r, &spec, 1);
                check_free(check);
                return;
        }
        check_run(check, &spec, 1, job);
}

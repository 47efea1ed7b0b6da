/* Making jobs and adding files: the part of the wire with descriptors, and with more files than one message takes. */
#include <fcntl.h>
#include <stdio.h>
/* uthash ends the process when memory is short, unless told not to. */
#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#include "base/fds.h"
#include "base/strings.h"
#include "client/address.h"
#include "client/failure.h"
#include "client/wire.h"
#include "protocol/limits.h"

/* The kernel passes at most 253 descriptors with one message (SCM_MAX_FD). */
#define DIRECTORIES_PER_CALL 200
/* Half of what the service takes: the last file of a call is added whole, and what comes with the files is not counted. */
#define BYTES_PER_CALL (LIMIT_MESSAGE_BYTES / 2)
#define ADDS_IN_FLIGHT 2 /* AddFiles calls of a job that nobody has yet: the service looks at the files of one while it reads the next */
#define BYTES_PER_FILE 512 /* names, types and padding of all that it may have, and its digest */
#define STATUS_FILE "/proc/thread-self/status"
#define STATUS_FILE_MAX 65536
#define DEFAULT_UMASK 022

/* A directory that files of one call go to. It travels once, with the first of them: the others have the same
 * name. */
struct directory {
        UT_hash_handle hh;
        int fd;
        size_t first; /* index of the file that it travels with */
        char path[];
};

struct batch {
        const struct wire_file *files;
        size_t n;
        struct directory *directories;
};

static void batch_done(struct batch *batch) {
        struct directory *directory, *next;

        HASH_ITER(hh, batch->directories, directory, next) {
                HASH_DEL(batch->directories, directory);
                (void) fd_close(directory->fd);
                free(directory);
        }
}

/* ---- judging one file ---- */

static size_t text_bytes(const char *text) {
        return text ? strlen(text) : 0;
}

/* As it travels, about. */
static size_t file_bytes(const struct wire_file *file) {
        return BYTES_PER_FILE + text_bytes(file->url) + text_bytes(file->path) + text_bytes(file->mirrors) + text_bytes(file->file_id) +
               text_bytes(file->integrity_info) + text_bytes(file->decryption_info) + file->n_ranges * sizeof(*file->ranges);
}

static int check_file(struct dosvc *c, const struct wire_file *file) {
        const char *name;

        if (!file->url || !file->path)
                return failure_set(c, ERROR_INVALID_ARGUMENT, "A file needs a URL and a destination.");
        if (!utf8_is_valid(file->url, SIZE_MAX) || strlen(file->url) > LIMIT_URL)
                return failure_set(c, ERROR_INVALID_URL, NULL);
        if (file->file_id && !utf8_is_valid(file->file_id, SIZE_MAX))
                return failure_set(c, ERROR_INVALID_ARGUMENT, "The file id is not valid UTF-8.");
        if (file->mirrors && (!utf8_is_valid(file->mirrors, SIZE_MAX) || strlen(file->mirrors) > LIMIT_MIRRORS_TEXT))
                return failure_set(c, ERROR_INVALID_URL, "The mirrors are too many or not valid UTF-8.");
        if (file_bytes(file) > BYTES_PER_CALL)
                return failure_set(c, ERROR_MESSAGE_TOO_LARGE, "This is one file with more ranges or a longer id than can be sent.");
        if (file->path_comes_later)
                return 0;
        if (*file->path != '/')
                return failure_set(c, ERROR_INVALID_ARGUMENT, "The destination must be an absolute path.");
        name = strrchr(file->path, '/') + 1;
        if (strlen(file->path) > LIMIT_PATH || strlen(name) > LIMIT_NAME)
                return failure_set(c, ERROR_NAME_TOO_LONG, NULL);
        if (!*name || streq(name, ".") || streq(name, ".."))
                return failure_set(c, ERROR_INVALID_NAME, NULL);
        return 0;
}

static int open_directory(struct dosvc *c, const char *path) {
        enum error_code code;
        int fd;

        fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (fd >= 0)
                return fd;
        code = error_code_from_errno(errno);
        (void) failure_set(c, code,
                           code == ERROR_TOO_MANY_OPEN_FILES ? "This program has as many open files as it may have."
                                                             : NULL);
        return -(int) code;
}

/* Adds the file's directory to the batch unless it is there. 0 or an enum error_code; -1: the batch has enough. */
static int add_directory(struct dosvc *c, struct batch *batch, size_t index) {
        const char *path = batch->files[index].path, *slash = strrchr(path, '/');
        size_t length = slash == path ? 1 : (size_t) (slash - path);
        struct directory *directory;

        if (!slash)
                return 0; /* no destination yet */
        HASH_FIND(hh, batch->directories, path, length, directory);
        if (directory)
                return 0;
        if (HASH_COUNT(batch->directories) >= DIRECTORIES_PER_CALL)
                return -1;
        directory = malloc(sizeof(*directory) + length + 1);
        if (!directory)
                return failure_set_errno(c, -ENOMEM);
        memcpy(directory->path, path, length);
        directory->path[length] = 0;
        directory->first = index;
        directory->fd = open_directory(c, directory->path);
        if (directory->fd < 0) {
                int code = -directory->fd;

                free(directory);
                return code;
        }
        HASH_ADD_KEYPTR(hh, batch->directories, directory->path, length, directory);
        if (!directory->hh.tbl) {
                (void) fd_close(directory->fd);
                free(directory);
                return failure_set_errno(c, -ENOMEM);
        }
        return 0;
}

/* As many of @files as one call takes. */
static int batch_fill(struct dosvc *c, const struct wire_file *files, size_t n_files, struct batch *ret) {
        size_t bytes = 0;

        *ret = (struct batch){ .files = files };
        for (size_t i = 0; i < n_files && i < LIMIT_FILES_PER_CALL && bytes < BYTES_PER_CALL; i++) {
                int code = check_file(c, &files[i]);

                if (!code)
                        code = add_directory(c, ret, i);
                if (code < 0)
                        break;
                if (code) {
                        failure_about(c, files[i].path, files[i].url);
                        batch_done(ret);
                        return code;
                }
                bytes += file_bytes(&files[i]);
                ret->n++;
        }
        return 0;
}

/* ---- writing ---- */

/* umask(2) cannot be asked without setting it, which another thread would feel. */
static uint32_t current_umask(void) {
        _cleanup_free_ char *status = NULL;
        const char *line;
        size_t size;
        unsigned mask;

        if (fd_read_file(STATUS_FILE, STATUS_FILE_MAX, &status, &size) < 0)
                return DEFAULT_UMASK;
        line = strstr(status, "\nUmask:");
        return line && sscanf(line, "\nUmask: %o", &mask) == 1 ? mask & 0777 : DEFAULT_UMASK;
}

int wire_append_ranges(sd_bus_message *m, const struct record_range *ranges, size_t n) {
        int r = sd_bus_message_open_container(m, 'a', "(tt)");

        for (size_t i = 0; r >= 0 && i < n; i++)
                r = sd_bus_message_append(m, "(tt)", ranges[i].offset, ranges[i].length);
        return r < 0 ? r : sd_bus_message_close_container(m);
}

static int append_ranges(sd_bus_message *m, const struct wire_file *file) {
        int r;

        r = sd_bus_message_open_container(m, 'e', "sv");
        if (r >= 0)
                r = sd_bus_message_append(m, "s", "Ranges");
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'v', "a(tt)");
        if (r >= 0)
                r = wire_append_ranges(m, file->ranges, file->n_ranges);
        for (unsigned i = 0; r >= 0 && i < 2; i++)
                r = sd_bus_message_close_container(m);
        return r;
}

static int append_sha256(sd_bus_message *m, const uint8_t *sha256) {
        int r;

        r = sd_bus_message_open_container(m, 'e', "sv");
        if (r >= 0)
                r = sd_bus_message_append(m, "s", "Sha256");
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'v', "ay");
        if (r >= 0)
                r = sd_bus_message_append_array(m, 'y', sha256, 32);
        for (unsigned i = 0; r >= 0 && i < 2; i++)
                r = sd_bus_message_close_container(m);
        return r;
}

static int append_file(sd_bus_message *m, const struct wire_file *file, int directory_fd) {
        int r;

        r = sd_bus_message_open_container(m, 'r', "saya{sv}");
        if (r >= 0)
                r = sd_bus_message_append(m, "s", file->url);
        if (r >= 0)
                r = sd_bus_message_append_array(m, 'y', file->path, strlen(file->path));
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'a', "{sv}");
        if (r >= 0 && file->file_id)
                r = sd_bus_message_append(m, "{sv}", "FileId", "s", file->file_id);
        if (r >= 0 && file->mirrors && *file->mirrors)
                r = sd_bus_message_append(m, "{sv}", "Mirrors", "s", file->mirrors);
        if (r >= 0 && file->size != UINT64_MAX)
                r = sd_bus_message_append(m, "{sv}", "Size", "t", file->size);
        if (r >= 0 && file->sha256)
                r = append_sha256(m, file->sha256);
        if (r >= 0 && file->n_ranges > 0)
                r = append_ranges(m, file);
        if (r >= 0 && file->integrity_info)
                r = sd_bus_message_append(m, "{sv}", "IntegrityCheckInfo", "s", file->integrity_info);
        if (r >= 0 && file->integrity_mandatory)
                r = sd_bus_message_append(m, "{sv}", "IntegrityCheckMandatory", "b", 1);
        if (r >= 0 && file->decryption_info)
                r = sd_bus_message_append(m, "{sv}", "DecryptionInfo", "s", file->decryption_info);
        if (r >= 0 && directory_fd >= 0)
                r = sd_bus_message_append(m, "{sv}", "Directory", "h", directory_fd);
        if (r >= 0)
                r = sd_bus_message_close_container(m);
        return r < 0 ? r : sd_bus_message_close_container(m);
}

static int append_batch(sd_bus_message *m, const struct batch *batch) {
        int r;

        r = sd_bus_message_open_container(m, 'a', "(saya{sv})");
        for (size_t i = 0; r >= 0 && i < batch->n; i++) {
                const char *path = batch->files[i].path, *slash = strrchr(path, '/');
                size_t length = slash == path ? 1 : (size_t) (slash - path);
                struct directory *directory = NULL;

                if (slash)
                        HASH_FIND(hh, batch->directories, path, length, directory);
                r = append_file(m, &batch->files[i], directory && directory->first == i ? directory->fd : -1);
        }
        return r < 0 ? r : sd_bus_message_close_container(m);
}

/* ---- the two methods ---- */

struct create_args {
        const struct wire_job *job;
        const struct batch *batch;
        uint32_t mask;
        bool attach, resume;
};

/* Decision 21: the proxies that this program would use are its jobs' too. Never HTTP_PROXY: in a CGI program it comes from outside. */
static int append_environment(sd_bus_message *m) {
        static const char *const names[][2] = {
                { "http_proxy", "http_proxy" },
                { "https_proxy", "HTTPS_PROXY" },
                { "all_proxy", "ALL_PROXY" },
                { "no_proxy", "NO_PROXY" },
        };
        char text[LIMIT_PROXY_ENVIRONMENT] = "";
        size_t n = 0;

        for (size_t i = 0; i < ELEMENTSOF(names); i++) {
                const char *value = address_getenv(names[i][0]);

                if (!value)
                        value = address_getenv(names[i][1]);
                if (!value || !utf8_is_valid(value, SIZE_MAX) || string_has_control(value) ||
                    strlen(value) >= LIMIT_PROXY_LIST - 16)
                        continue;
                n += (size_t) snprintf(text + n, sizeof(text) - n, "%s=%s\n", names[i][0], value);
        }
        return n == 0 ? 0 : sd_bus_message_append(m, "{sv}", "ProxyEnvironment", "s", text);
}

static int build_create(sd_bus_message *m, const void *args) {
        const struct create_args *create = args;
        int r;

        r = sd_bus_message_append(m, "s", create->job->name);
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'a', "{sv}");
        for (size_t i = 0; r >= 0 && i < create->job->n_options; i++)
                r = wire_append_property(m, &create->job->options[i]);
        if (r >= 0)
                r = sd_bus_message_append(m, "{sv}", "Umask", "u", create->mask);
        if (r >= 0)
                r = append_environment(m);
        if (r >= 0 && create->attach)
                r = sd_bus_message_append(m, "{sv}", "Attach", "b", 1);
        if (r >= 0 && create->resume)
                r = sd_bus_message_append(m, "{sv}", "Resume", "b", 1);
        if (r >= 0)
                r = sd_bus_message_close_container(m);
        return r < 0 ? r : append_batch(m, create->batch);
}

struct created {
        char *hex;
        bool attached;
};

static int decode_created(sd_bus_message *reply, void *ret) {
        struct created *created = ret;
        struct guid guid;
        const char *id;
        int attached, r;

        r = sd_bus_message_read(reply, "sb", &id, &attached);
        if (r < 0)
                return r;
        if (guid_from_string(id, &guid) < 0)
                return -EBADMSG;
        guid_to_compact(&guid, created->hex);
        created->attached = attached;
        return 0;
}

static int create(struct dosvc *c, const struct create_args *args, char *ret_hex, bool *ret_attached) {
        struct created created = { .hex = ret_hex };
        int code;

        /* Made twice, an attaching call finds what the first one made. */
        code = connection_call(c, &(struct call){ .path = WIRE_MANAGER_PATH,
                                                  .interface = WIRE_MANAGER,
                                                  .member = "CreateJob",
                                                  .flags = args->attach ? CALL_REPEATABLE : 0,
                                                  .build = build_create,
                                                  .args = args,
                                                  .decode = decode_created,
                                                  .ret = &created });
        if (!code && ret_attached)
                *ret_attached = created.attached;
        return code;
}

struct add_args {
        const struct batch *batch;
        uint32_t mask;
};

static int build_add(sd_bus_message *m, const void *args) {
        const struct add_args *add = args;
        int r;

        r = sd_bus_message_append(m, "u", add->mask);
        return r < 0 ? r : append_batch(m, add->batch);
}

static int decode_first(sd_bus_message *reply, void *ret) {
        return sd_bus_message_read_basic(reply, 'u', ret);
}

/* One AddFiles call of several. */
struct add_step {
        struct batch batch;
        struct add_args args;
        char path[WIRE_PATH_MAX];
        struct call call;
        uint32_t first;       /* index of its first file */
        struct pending *sent; /* NULL: none */
};

/* Of as many of the files as one call takes; step->batch.n of them. */
static int add_step_send(struct dosvc *c, const char *hex, const struct wire_file *files, size_t n_files, uint32_t mask,
                         struct add_step *step) {
        int code = batch_fill(c, files, n_files, &step->batch);

        if (code)
                return code;
        step->args = (struct add_args){ .batch = &step->batch, .mask = mask };
        wire_job_path(hex, step->path);
        step->call = (struct call){ .path = step->path,
                                    .interface = WIRE_JOB,
                                    .member = "AddFiles",
                                    .build = build_add,
                                    .args = &step->args,
                                    .decode = decode_first,
                                    .ret = &step->first };
        code = connection_send(c, &step->call, &step->sent);
        if (code)
                batch_done(&step->batch);
        return code;
}

/* @earlier: the failure of an earlier call, or 0; it is the one to tell of. */
static int add_step_receive(struct dosvc *c, struct add_step *step, int earlier) {
        struct dosvc *nobody = NULL;
        int code;

        if (earlier)
                failure_move(c, nobody);
        code = connection_receive(c, &step->call, TAKE_PTR(step->sent));
        /* With one file there is no doubt which one the service spoke of. */
        if (code && step->batch.n == 1)
                failure_about(c, step->batch.files[0].path, step->batch.files[0].url);
        batch_done(&step->batch);
        if (earlier)
                failure_move(nobody, c);
        return earlier ? earlier : code;
}

/* @window: so many calls are with the service at once. With one, nothing follows a call that failed. */
static int add_in_steps(struct dosvc *c, const char *hex, const struct wire_file *files, size_t n_files,
                        uint32_t mask, unsigned window, uint32_t *ret_first) {
        struct add_step steps[ADDS_IN_FLIGHT] = {};
        unsigned n_sent = 0, n_received = 0;
        int code = 0;

        assert(window <= ADDS_IN_FLIGHT);
        while ((!code && n_files > 0) || n_received < n_sent) {
                bool sends = !code && n_files > 0 && n_sent - n_received < window;
                struct add_step *step = &steps[(sends ? n_sent : n_received) % window];

                if (!sends) {
                        code = add_step_receive(c, step, code);
                        if (n_received++ == 0 && ret_first)
                                *ret_first = step->first;
                        continue;
                }
                code = add_step_send(c, hex, files, n_files, mask, step);
                if (code)
                        continue;
                n_sent++;
                files += step->batch.n;
                n_files -= step->batch.n;
        }
        return code;
}

int wire_add_files(struct dosvc *c, const char *hex, const struct wire_file *files, size_t n_files, uint32_t *ret_first) {
        return add_in_steps(c, hex, files, n_files, current_umask(), 1, ret_first);
}

/* ---- a destination that comes later ---- */

struct set_path_args {
        const char *to;
        int directory_fd;
        uint32_t mask;
};

static int build_set_path(sd_bus_message *m, const void *args) {
        const struct set_path_args *set = args;
        int r;

        r = sd_bus_message_append_array(m, 'y', set->to, strlen(set->to));
        return r < 0 ? r : sd_bus_message_append(m, "a{sv}", 2, "Umask", "u", set->mask, "Directory", "h", set->directory_fd);
}

int wire_set_path(struct dosvc *c, const char *hex, uint32_t index, const char *to) {
        const struct wire_file file = { .url = "", .path = to };
        struct batch batch = { .files = &file, .n = 1 };
        struct set_path_args args = { .to = to, .mask = current_umask() };
        char path[WIRE_PATH_MAX];
        int code = *to ? check_file(c, &file) : failure_set(c, ERROR_INVALID_NAME, NULL);

        if (!code)
                code = add_directory(c, &batch, 0);
        if (!code) {
                args.directory_fd = batch.directories->fd;
                wire_file_path(hex, index, path);
                code = connection_call(c, &(struct call){ .path = path,
                                                          .interface = WIRE_FILE,
                                                          .member = "SetPath",
                                                          .flags = CALL_REPEATABLE,
                                                          .build = build_set_path,
                                                          .args = &args });
        }
        if (code)
                failure_about(c, to, NULL);
        batch_done(&batch);
        return code;
}

/* ---- jobs that need several calls ---- */

static bool is_same_file(const struct wire_file *file, struct file_record *record) {
        const dosvc_file_info *info = file_record_info(record);

        return streq(file->url, info->url) && streq(file->path, info->path) && !file->sha256 == !info->sha256 &&
               (!file->sha256 || memcmp(file->sha256, info->sha256, 32) == 0);
}

/* 1: exactly these files in this order; 0: not; -1 with *ret_code: failure. */
static int has_files(struct dosvc *c, const char *hex, const struct wire_file *files, size_t n_files, int *ret_code) {
        for (size_t first = 0; first < n_files;) {
                struct file_page page;
                bool same;

                *ret_code = wire_list_files(c, hex, (uint32_t) first, LIMIT_PAGE, &page);
                if (*ret_code)
                        return *ret_code == ERROR_NOT_FOUND ? 0 : -1;
                same = page.n > 0 && page.n <= n_files - first;
                for (size_t i = 0; same && i < page.n; i++)
                        same = is_same_file(&files[first + i], &page.records[i]);
                first += page.n;
                file_page_done(&page);
                if (!same)
                        return 0;
        }
        return 1;
}

/* CreateJob's Attach for a job of which one call can tell only a part. *ret_hex "": there is none. */
static int find_same_job(struct dosvc *c, const struct wire_file *files, size_t n_files, char *ret_hex) {
        char *cursor = NULL;
        int code = 0, found = 0;

        for (bool more = true; more && !found;) {
                struct job_page page;

                code = wire_list_jobs(c, NULL, cursor, LIMIT_PAGE, 0, &page);
                free(TAKE_PTR(cursor));
                if (code)
                        return code;
                for (size_t i = 0; !found && i < page.n; i++) {
                        struct guid guid;

                        if (page.records[i].info.files_total != n_files ||
                            guid_from_string(page.records[i].info.id, &guid) < 0)
                                continue;
                        guid_to_compact(&guid, ret_hex);
                        found = has_files(c, ret_hex, files, n_files, &code);
                }
                more = *page.next != 0;
                cursor = TAKE_PTR(page.next);
                job_page_done(&page);
        }
        free(cursor);
        if (found <= 0)
                *ret_hex = 0;
        return found < 0 ? code : 0;
}

static bool may_be_resumed(struct dosvc *c, const char *hex) {
        struct job_record record;
        bool may;

        if (wire_get_job(c, hex, 0, &record))
                return false;
        may = record.state == JOB_SUSPENDED || record.state == JOB_ERROR;
        job_record_done(&record);
        return may;
}

static int create_in_steps(struct dosvc *c, const struct create_args *args, const struct wire_file *rest, size_t n_rest,
                           char *ret_hex) {
        struct create_args first = *args;
        int code;

        first.attach = first.resume = false;
        code = create(c, &first, ret_hex, NULL);
        if (code)
                return code;
        code = add_in_steps(c, ret_hex, rest, n_rest, args->mask, ADDS_IN_FLIGHT, NULL);
        if (!code && args->resume)
                code = wire_resume(c, ret_hex);
        if (code) {
                /* The caller asked for all or nothing, and for the first failure's reason. */
                struct dosvc *nobody = NULL;

                failure_move(c, nobody);
                (void) wire_cancel(c, ret_hex, NULL);
                failure_move(nobody, c);
        }
        return code;
}

int wire_create_job(struct dosvc *c, const struct wire_job *job, const struct wire_file *files, size_t n_files,
                    char ret_hex[static WIRE_ID_HEX + 1], bool *ret_attached) {
        struct create_args args = { .job = job, .mask = current_umask(), .attach = job->attach, .resume = job->resume };
        struct batch batch;
        int code;

        if (ret_attached)
                *ret_attached = false;
        code = batch_fill(c, files, n_files, &batch);
        if (code)
                return code;
        args.batch = &batch;
        if (batch.n == n_files) {
                code = create(c, &args, ret_hex, ret_attached);
                if (code && n_files == 1)
                        failure_about(c, files[0].path, files[0].url);
                batch_done(&batch);
                return code;
        }
        *ret_hex = 0;
        if (job->attach)
                code = find_same_job(c, files, n_files, ret_hex);
        if (!code && *ret_hex) {
                if (ret_attached)
                        *ret_attached = true;
                if (job->resume && may_be_resumed(c, ret_hex))
                        code = wire_resume(c, ret_hex);
        } else if (!code)
                code = create_in_steps(c, &args, files + batch.n, n_files - batch.n, ret_hex);
        batch_done(&batch);
        return code;
}

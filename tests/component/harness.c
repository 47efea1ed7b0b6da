#include "harness.h"

#include <openssl/evp.h>
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fds.h"

static void log_line(struct harness *h, const char *format, ...) _printf_(2, 3);
static void log_line(struct harness *h, const char *format, ...) {
        va_list ap;

        va_start(ap, format);
        h->log_size += (size_t) vsnprintf(h->log + h->log_size, sizeof(h->log) - h->log_size, format, ap);
        va_end(ap);
        assert_true(h->log_size < sizeof(h->log) - 2);
        h->log[h->log_size++] = '\n';
        h->log[h->log_size] = 0;
}

uint8_t harness_content(uint64_t position) {
        return (uint8_t)(position * 31 + (position >> 8));
}

/* ---- the engine ---- */

static void fake_set_events(struct engine *engine, const struct engine_events *events, void *userdata) {
        struct harness *h = CONTAINER_OF(engine, struct harness, engine);

        h->events = events;
        h->events_userdata = userdata;
}

static int fake_set_limits(struct engine *engine _unused_, const struct engine_limits *limits _unused_) {
        return 0;
}

static int fake_start(struct engine *engine, const struct engine_request *request) {
        struct harness *h = CONTAINER_OF(engine, struct harness, engine);
        struct fake_request *r;
        struct stat st;

        if (h->engine_refuses)
                return -EMFILE;
        assert_return_code(fstat(request->fd, &st), errno);
        assert_true(S_ISREG(st.st_mode));
        assert_true(request->n_pieces >= 1 && request->n_pieces <= ELEMENTSOF(r->pieces));
        r = calloc(1, sizeof(*r));
        assert_non_null(r);
        r->id = request->id;
        r->fd = fd_dup(request->fd);
        r->url = strdup(request->url);
        r->etag = request->etag ? strdup(request->etag) : NULL;
        r->has_headers = request->headers;
        r->judge_certificate = request->judge_certificate;
        r->n_accepted = request->n_accepted;
        if (r->n_accepted > 0)
                memcpy(r->accepted, request->accepted, r->n_accepted * sizeof(r->accepted[0]));
        r->stated_size = request->stated_size;
        r->stall_timeout_usec = request->stall_timeout_usec;
        r->floor_rate = request->floor_rate;
        r->firm_floor = request->firm_floor;
        r->own_connection = request->own_connection;
        r->replace_stalled = request->replace_stalled;
        r->from_public = request->from_public;
        r->whole_file = request->whole_file;
        r->pace = request->pace;
        r->n_pieces = request->n_pieces;
        memcpy(r->pieces, request->pieces, request->n_pieces * sizeof(r->pieces[0]));
        r->next = h->requests;
        h->requests = r;
        h->n_requests++;
        log_line(h, "engine: start %s from %" PRIu64 "%s%s", r->url, r->pieces[0].remote_offset, r->etag ? " if " : "",
                 r->etag ?: "");
        return 0;
}

static void fake_stop(struct engine *engine, uint64_t id) {
        struct harness *h = CONTAINER_OF(engine, struct harness, engine);

        for (struct fake_request *r = h->requests; r; r = r->next)
                if (r->id == id && !r->finished && !r->stop_asked) {
                        r->stop_asked = true;
                        log_line(h, "engine: stop");
                }
}

static void fake_set_pace(struct engine *engine, uint64_t id, const struct engine_pace *pace) {
        struct harness *h = CONTAINER_OF(engine, struct harness, engine);

        for (struct fake_request *r = h->requests; r; r = r->next)
                if (r->id == id)
                        r->pace = *pace;
}

static struct engine *fake_free(struct engine *engine _unused_) {
        return NULL;
}

static const struct engine_ops fake_ops = {
        .name = "fake",
        .free = fake_free,
        .set_events = fake_set_events,
        .set_limits = fake_set_limits,
        .start = fake_start,
        .stop = fake_stop,
        .set_pace = fake_set_pace,
};

struct fake_request *harness_request(struct harness *h, size_t newest) {
        for (struct fake_request *r = h->requests; r; r = r->next)
                if (!r->finished && newest-- == 0)
                        return r;
        fail_msg("the engine has no such request");
        return NULL;
}

size_t harness_running(struct harness *h) {
        size_t n = 0;

        for (struct fake_request *r = h->requests; r; r = r->next)
                n += !r->finished;
        return n;
}

void harness_metadata(struct harness *h, struct fake_request *r, uint64_t size, const char *etag) {
        r->described = true;
        h->events->metadata(h->events_userdata, r->id, &(struct engine_metadata) {
                        .http_status = 200,
                        .remote_size = size,
                        .etag = etag,
                        .origin = "http://origin:80/file",
                        .address = h->server_address ?: "127.0.0.1",
                });
}

void harness_write(struct harness *h, struct fake_request *r, uint64_t start, uint64_t end) {
        uint8_t *bytes = malloc(end - start);

        assert_non_null(bytes);
        for (uint64_t i = start; i < end; i++)
                bytes[i - start] = (uint8_t) (r->lies ? ~harness_content(i) : harness_content(i) ^ (i == h->spoiled));
        assert_int_equal(fd_pwrite_all(r->fd, bytes, end - start, start), 0);
        free(bytes);
        r->fetched += end - start;
        r->written = end;
        if (h->events)
                h->events->progress(h->events_userdata, r->id, start, end, r->fetched);
}

uint64_t harness_write_next(struct harness *h, struct fake_request *r, uint64_t size, uint64_t max) {
        uint64_t before = 0;

        for (size_t i = 0; i < r->n_pieces; i++) {
                const struct engine_piece *piece = &r->pieces[i];
                uint64_t end_at = r->pace.end_at > 0 ? r->pace.end_at : UINT64_MAX;
                uint64_t wanted = piece->remote_offset < size ? MIN(piece->length, size - piece->remote_offset) : 0;
                uint64_t length = piece->local_offset < end_at ? MIN(wanted, end_at - piece->local_offset) : 0;
                uint64_t done = MIN(r->served - before, length), rest = length - done, n = MIN(max, rest);
                uint64_t at = piece->local_offset + done;
                _cleanup_free_ uint8_t *bytes = NULL;

                if (n == 0) {
                        before += length;
                        continue;
                }
                bytes = malloc(n);
                assert_non_null(bytes);
                for (uint64_t k = 0; k < n; k++)
                        bytes[k] = harness_content(piece->remote_offset + done + k);
                assert_int_equal(fd_pwrite_all(r->fd, bytes, n, at), 0);
                r->served += n;
                r->fetched += n;
                r->written = at + n;
                h->events->progress(h->events_userdata, r->id, at, at + n, r->fetched);
                return n;
        }
        return 0;
}

static void finish(struct harness *h, struct fake_request *r, enum engine_outcome outcome, enum error_code code, bool transient,
                   uint32_t detail) {
        assert_false(r->finished);
        r->finished = true;
        r->fd = fd_close(r->fd);
        if (!h->events)
                return;
        h->events->finished(h->events_userdata, r->id, &(struct engine_result) {
                        .outcome = outcome,
                        .code = code,
                        .context = code == ERROR_NONE ? ERROR_CONTEXT_NONE :
                                   code == ERROR_CERTIFICATE_NOT_JUDGED ? ERROR_CONTEXT_SERVER_CERTIFICATE_CALLBACK :
                                   ERROR_CONTEXT_REMOTE_FILE,
                        .transient = transient,
                        .detail = detail,
                        .bytes_fetched = r->fetched,
                        .local_end = r->written,
                        .text = "as the test said",
                });
}

void harness_finish(struct harness *h, struct fake_request *r, enum engine_outcome outcome, enum error_code code, bool transient) {
        finish(h, r, outcome, code, transient, code == ERROR_HTTP_STATUS ? (transient ? 503 : 404) : 0);
}

void harness_finish_slow(struct harness *h, struct fake_request *r) {
        r->finished = true;
        r->fd = fd_close(r->fd);
        h->events->finished(h->events_userdata, r->id, &(struct engine_result) {
                .outcome = ENGINE_FAILED, .code = ERROR_TIMED_OUT, .context = ERROR_CONTEXT_GENERAL_TRANSPORT, .transient = true,
                .slow = true, .bytes_fetched = r->fetched, .text = "only 10 bytes per second came for 10 s" });
        harness_pump(h);
}

void harness_offer(struct harness *h, struct fake_request *r, const char *mirrors, uint32_t n_preferred, uint64_t size, bool secure) {
        struct engine_offers offers = {
                .mirrors = mirrors, .n_preferred = n_preferred, .from_public = true, .has_sha256 = size > 0, .secure = secure,
        };

        if (size > 0)
                harness_digest(size, offers.sha256);
        h->events->offers(h->events_userdata, r->id, &offers);
        harness_pump(h);
}

void harness_replace_connection(struct harness *h, struct fake_request *r, const char *text) {
        h->events->replaced(h->events_userdata, r->id, text);
        harness_pump(h);
}

bool harness_certificate(struct harness *h, struct fake_request *r, uint8_t kind) {
        struct engine_certificate certificate = { .bytes = "certificate", .n_bytes = 11, .all = "all of them", .n_all = 11 };

        memset(certificate.sha256, kind, sizeof(certificate.sha256));
        for (size_t i = 0; i < r->n_accepted; i++)
                if (memcmp(r->accepted[i], certificate.sha256, sizeof(certificate.sha256)) == 0)
                        return true;
        if (!r->judge_certificate)
                return true;
        h->events->certificate(h->events_userdata, r->id, &certificate);
        harness_finish(h, r, ENGINE_FAILED, ERROR_CERTIFICATE_NOT_JUDGED, true);
        return false;
}

void harness_finish_status(struct harness *h, struct fake_request *r, uint32_t status, bool transient) {
        finish(h, r, ENGINE_FAILED, ERROR_HTTP_STATUS, transient, status);
}

void harness_serve_bytes(struct harness *h, struct fake_request *r, const void *bytes, size_t size) {
        harness_metadata(h, r, size, NULL);
        assert_int_equal(fd_pwrite_all(r->fd, bytes, size, 0), 0);
        r->fetched = r->written = size;
        h->events->progress(h->events_userdata, r->id, 0, size, size);
        harness_finish(h, r, ENGINE_DONE, ERROR_NONE, false);
        harness_pump(h);
}

void harness_digest(uint64_t size, uint8_t ret[static 32]) {
        uint8_t *bytes = malloc(size);

        assert_non_null(bytes);
        for (uint64_t i = 0; i < size; i++)
                bytes[i] = harness_content(i);
        assert_int_equal(EVP_Digest(bytes, size, ret, NULL, EVP_sha256(), NULL), 1);
        free(bytes);
}

void harness_serve(struct harness *h, struct fake_request *r, uint64_t size) {
        harness_metadata(h, r, size, "\"v1\"");
        harness_write(h, r, r->pieces[0].local_offset, size);
        harness_finish(h, r, ENGINE_DONE, ERROR_NONE, false);
        harness_pump(h);
}

/* ---- the runner ---- */

static void runner_fake_set_events(struct runner *runner, const struct runner_events *events, void *userdata) {
        struct harness *h = CONTAINER_OF(runner, struct harness, runner);

        h->runner_events = events;
        h->runner_userdata = userdata;
}

static int runner_fake_start(struct runner *runner, const struct runner_request *request) {
        struct harness *h = CONTAINER_OF(runner, struct harness, runner);
        struct fake_command *command;
        size_t n;

        if (h->runner_refuses)
                return -h->runner_refuses;
        n = harness_commands(h);
        assert_true(n < ELEMENTSOF(h->commands));
        command = &h->commands[n];
        command->id = request->id;
        n = (size_t) snprintf(command->line, sizeof(command->line), "%s", request->program);
        for (size_t i = 0; request->arguments[i]; i++)
                n += (size_t) snprintf(command->line + n, sizeof(command->line) - n, " [%s]", request->arguments[i]);
        for (size_t i = 0; request->environment[i]; i++)
                n += (size_t) snprintf(command->line + n, sizeof(command->line) - n, " {%s}", request->environment[i]);
        assert_true(n < sizeof(command->line));
        h->n_commands++;
        log_line(h, "run %s", request->program);
        return 0;
}

static struct runner *runner_fake_free(struct runner *runner _unused_) {
        return NULL;
}

static const struct runner_ops runner_fake_ops = {
        .free = runner_fake_free,
        .set_events = runner_fake_set_events,
        .start = runner_fake_start,
};

size_t harness_commands(struct harness *h) {
        size_t n = 0;

        while (n < ELEMENTSOF(h->commands) && h->commands[n].id != 0)
                n++;
        return n;
}

void harness_end_command(struct harness *h, enum runner_outcome outcome, int value) {
        size_t n = harness_commands(h);
        uint64_t id;

        assert_true(n > 0);
        id = h->commands[n - 1].id;
        h->commands[n - 1].id = 0;
        h->runner_events->ended(h->runner_userdata, id, &(struct runner_end) { .outcome = outcome, .value = value });
        harness_pump(h);
}

/* ---- events ---- */

static void on_added(void *userdata, const struct job *job) {
        log_line(userdata, "added %s", job->name);
}

static void on_changed(void *userdata, const struct job *job, bool state) {
        struct harness *h = userdata;

        if (state || h->log_changes)
                log_line(h, "%s %s %s", state ? "state" : "change", job->name, job_state_name(job->state));
}

static void on_removed(void *userdata, const struct job *job) {
        log_line(userdata, "removed %s %s", job->name, job_state_name(job->state));
}

static void on_failed(void *userdata, int error) {
        struct harness *h = userdata;

        h->failed = error;
        log_line(h, "failed");
}

static const struct manager_events events = {
        .job_added = on_added,
        .job_changed = on_changed,
        .job_removed = on_removed,
        .failed = on_failed,
};

/* ---- life ---- */

static void start(struct harness *h) {
        assert_int_equal(manager_new(&(struct manager_config) {
                        .store = h->store,
                        .files = h->files,
                        .engine = h->other_engine ?: &h->engine,
                        .runner = h->other_runner ?: &h->runner,
                        .clock = &h->clock.clock,
                        .schedule = h->schedule,
                        .limits = h->limits,
                        .few_cores = h->few_cores,
                }, &h->manager), 0);
        manager_set_events(h->manager, &events, h);
        assert_int_equal(manager_start(h->manager), 0);
}

struct harness *harness_new(void) {
        struct harness *h = calloc(1, sizeof(*h));

        assert_non_null(h);
        snprintf(h->directory, sizeof(h->directory), "%s/dosvc-component-XXXXXX", getenv("TMPDIR") ?: "/tmp");
        assert_non_null(mkdtemp(h->directory));
        clock_fake_init(&h->clock, UINT64_C(1800000000) * USEC_PER_SEC);
        h->engine.ops = &fake_ops;
        h->runner.ops = &runner_fake_ops;
        h->spoiled = UINT64_MAX;
        h->owner = getuid();
        h->limits = manager_limits_default;
        h->schedule = (struct schedule_config) {
                .background_slots = 4,
                .time_slice_usec = 300 * USEC_PER_SEC,
                .retry_max_usec = 30 * USEC_PER_MINUTE,
                .retry_first_do_usec = 60 * USEC_PER_SEC,
                .seed = 1,
        };
        assert_int_equal(store_open_memory(&h->memory), 0);
        assert_int_equal(store_open_faulty(h->memory, &h->store), 0);
        assert_int_equal(files_new(&(struct files_config) { .max_threads = 4 }, &h->files), 0);
        start(h);
        return h;
}

static void drop_requests(struct harness *h) {
        struct fake_request *next;

        for (struct fake_request *r = h->requests; r; r = next) {
                next = r->next;
                fd_close(r->fd);
                free(r->url);
                free(r->etag);
                free(r);
        }
        h->requests = NULL;
}

/* What is out when the service dies comes back to nobody. */
static void die(struct harness *h) {
        h->manager = manager_free(h->manager);
        while (files_outstanding(h->files) > 0)
                (void) files_wait(h->files);
        drop_requests(h);
        memset(h->commands, 0, sizeof(h->commands));
}

void harness_restart(struct harness *h) {
        while (store_wait(h->store) > 0)
                ;
        die(h);
        start(h);
}

void harness_crash(struct harness *h) {
        store_faulty_crash(h->store);
        die(h);
        start(h);
}

void harness_free(struct harness *h) {
        char command[128];

        while (store_wait(h->store) > 0)
                ;
        die(h);
        files_free(h->files, USEC_INFINITY);
        store_free(h->store);
        snprintf(command, sizeof(command), "rm -rf %s", h->directory);
        assert_int_equal(system(command), 0);
        free(h);
}

int harness_setup(void **state) {
        *state = harness_new();
        return 0;
}

int harness_teardown(void **state) {
        harness_free(*state);
        return 0;
}

void harness_pump(struct harness *h) {
        for (unsigned idle = 0; idle < 2;) {
                bool moved = false;

                for (struct fake_request *r = h->requests; r; r = r->next)
                        if (r->stop_asked && !r->finished) {
                                harness_finish(h, r, ENGINE_STOPPED, ERROR_NONE, false);
                                moved = true;
                        }
                manager_turn(h->manager);
                moved |= store_dispatch(h->store) > 0;
                if (files_outstanding(h->files) > 0)
                        moved |= files_wait(h->files) > 0;
                idle = moved ? 0 : idle + 1;
        }
}

void harness_advance(struct harness *h, uint64_t usec) {
        clock_fake_advance(&h->clock, usec);
        harness_pump(h);
}

/* ---- calls ---- */

static void on_reply(const struct manager_reply *reply, void *userdata) {
        struct harness *h = userdata;

        h->last = *reply;
        h->last.text = NULL;
        h->n_replies++;
        log_line(h, "reply %s%s", reply->outcome < 0 ? strerror(-reply->outcome) : error_code_name((enum error_code) reply->outcome),
                 reply->partial ? " partial" : "");
}

int harness_create_with(struct harness *h, struct manager_create_request *request) {
        unsigned before = h->n_replies;

        request->owner = h->owner;
        manager_create_job(h->manager, request, on_reply, h);
        harness_pump(h);
        assert_int_equal(h->n_replies, before + 1);
        if (h->last.outcome == 0)
                h->id = h->last.id;
        return h->last.outcome;
}

const char *harness_path(struct harness *h, const char *name) {
        static char path[256];

        snprintf(path, sizeof(path), "%s/%s", h->directory, name);
        return path;
}

struct manager_create_request harness_plain_request(const char *name, const struct manager_file_spec *files, size_t n_files) {
        return (struct manager_create_request) {
                .name = name, .priority = -1, .replace = -1, .remote_time = -1, .resume = true, .no_progress_timeout_s = -1,
                .minimum_retry_delay_s = -1, .notify_flags = -1, .files = files, .n_files = n_files,
        };
}

int harness_create(struct harness *h, const char *name, bool resume, bool complete) {
        char path[256], url[64];
        struct manager_file_spec file = {
                .file = { .url = url, .path = path, .stated_size = SIZE_UNKNOWN, .mode = 0644 },
        };

        snprintf(url, sizeof(url), "http://origin/%s", name);
        strcpy(path, harness_path(h, name));
        return harness_create_with(h, &(struct manager_create_request) {
                        .family = JOB_FAMILY_DO,
                        .name = name,
                        .priority = JOB_PRIORITY_FOREGROUND,
                        .complete_when_transferred = complete,
                        .replace = -1,
                        .remote_time = -1,
                        .resume = resume,
                        .no_progress_timeout_s = -1,
                        .minimum_retry_delay_s = -1,
                        .notify_flags = -1,
                        .files = &file,
                        .n_files = 1,
                });
}

struct job *harness_job(struct harness *h) {
        struct job *job = manager_find_job(h->manager, h->owner, &h->id);

        assert_non_null(job);
        return job;
}

int harness_call(struct harness *h, void call(struct manager *, struct job *, manager_reply_fn, void *)) {
        unsigned before = h->n_replies;

        call(h->manager, harness_job(h), on_reply, h);
        harness_pump(h);
        assert_int_equal(h->n_replies, before + 1);
        return h->last.outcome;
}

/* ---- looking ---- */

void harness_forget(struct harness *h) {
        h->log_size = 0;
        h->log[0] = 0;
}

void harness_expect(struct harness *h, const char *lines) {
        assert_string_equal(h->log, lines);
        harness_forget(h);
}

bool harness_exists(struct harness *h, const char *name) {
        return access(harness_path(h, name), F_OK) == 0;
}

size_t harness_count_temp(struct harness *h) {
        DIR *d = opendir(h->directory);
        struct dirent *entry;
        size_t n = 0;

        assert_non_null(d);
        while ((entry = readdir(d)))
                n += strncmp(entry->d_name, ".dosvc-", 7) == 0;
        closedir(d);
        return n;
}

void harness_assert_content(struct harness *h, const char *name, uint64_t size) {
        int fd = open(harness_path(h, name), O_RDONLY | O_CLOEXEC);
        uint8_t *bytes = malloc(size + 1);

        assert_return_code(fd, errno);
        assert_int_equal(fd_read_all(fd, bytes, size + 1), size);
        for (uint64_t i = 0; i < size; i++)
                assert_int_equal(bytes[i], harness_content(i));
        free(bytes);
        close(fd);
}

#include "fixture.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include "base/fds.h"
#include "base/strings.h"

#define PERIOD 65521

static void on_metadata(void *userdata, uint64_t id, const struct engine_metadata *m) {
        struct fixture *f = userdata;
        struct record *record = &f->records[id];

        record->http_status = m->http_status;
        snprintf(record->headers, sizeof(record->headers), "%s", m->headers ? m->headers : "");
        if (m->refused)
                return;
        record->n_metadata++;
        record->metadata_after_progress |= record->n_progress > 0;
        record->remote_size = m->remote_size;
        record->remote_time_usec = m->remote_time_usec;
        snprintf(record->etag, sizeof(record->etag), "%s", m->etag ? m->etag : "");
        snprintf(record->last_modified, sizeof(record->last_modified), "%s", m->last_modified ? m->last_modified : "");
        snprintf(record->origin, sizeof(record->origin), "%s", m->origin ? m->origin : "");
        snprintf(record->address, sizeof(record->address), "%s", m->address ? m->address : "");
}

static void on_certificate(void *userdata, uint64_t id, const struct engine_certificate *certificate) {
        struct fixture *f = userdata;
        struct record *record = &f->records[id];

        assert_false(record->finished);
        assert_true(certificate->n_bytes <= sizeof(record->certificate) && certificate->n_all <= sizeof(record->certificates));
        record->n_certificates++;
        memcpy(record->sha256, certificate->sha256, sizeof(record->sha256));
        memcpy(record->certificate, certificate->bytes, certificate->n_bytes);
        memcpy(record->certificates, certificate->all, certificate->n_all);
        record->n_certificate = certificate->n_bytes;
        record->n_certificates_bytes = certificate->n_all;
}

static void on_progress(void *userdata, uint64_t id, uint64_t start, uint64_t end, uint64_t bytes_fetched) {
        struct fixture *f = userdata;
        struct record *record = &f->records[id];

        assert_false(record->finished);
        record->n_progress++;
        record->bytes_fetched = bytes_fetched;
        assert_int_equal(intervals_add(&record->reported, start, end), 0);
}

static void on_finished(void *userdata, uint64_t id, const struct engine_result *result) {
        struct fixture *f = userdata;
        struct record *record = &f->records[id];

        assert_false(record->finished);
        assert_non_null(result->text);
        record->finished = true;
        record->outcome = result->outcome;
        record->result = *result;
        snprintf(record->text, sizeof(record->text), "%s", result->text);
        record->result.text = record->text;
        f->n_finished++;
}

static const struct engine_events events = { .metadata = on_metadata, .certificate = on_certificate, .progress = on_progress,
                                             .finished = on_finished };

void fixture_use_engine(struct fixture *f, struct engine *engine) {
        (void) engine_free(f->engine);
        f->engine = engine;
        engine_set_events(f->engine, &events, f);
}

static void start_engine(struct fixture *f, const char *resolve_program) {
        const struct engine_process_config config = {
                .transfer_program = getenv("DOSVC_TEST_TRANSFER"),
                .resolve_program = resolve_program,
                .ca_file = f->has_tls ? f->ca_file : NULL,
                .idle_exit_usec = USEC_INFINITY,
                .verbose = getenv("DOSVC_TEST_VERBOSE"),
        };
        struct engine *engine;

        assert_non_null(config.transfer_program);
        assert_int_equal(engine_process_new(f->event, &config, &clock_system, &engine), 0);
        fixture_use_engine(f, engine);
}

void fixture_restart_engine(struct fixture *f) {
        start_engine(f, getenv("DOSVC_TEST_RESOLVE"));
}

void fixture_use_resolver(struct fixture *f, const char *program) {
        assert_non_null(program);
        start_engine(f, program);
}

int fixture_setup(void **state) {
        struct fixture *f = calloc(1, sizeof(*f));
        char path[128];

        snprintf(f->folder, sizeof(f->folder), "/tmp/dosvc-test-XXXXXX");
        assert_non_null(mkdtemp(f->folder));
        snprintf(path, sizeof(path), "%s/file", f->folder);
        f->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        assert_true(f->fd >= 0);
        assert_true(sd_event_new(&f->event) >= 0);
        fixture_restart_engine(f);
        *state = f;
        return 0;
}

int fixture_teardown(void **state) {
        struct fixture *f = *state;
        char command[128];

        f->engine = engine_free(f->engine);
        f->event = sd_event_unref(f->event);
        (void) fd_close(f->fd);
        for (size_t i = 0; i < REQUESTS_MAX; i++)
                intervals_done(&f->records[i].reported);
        snprintf(command, sizeof(command), "rm -rf %s", f->folder);
        assert_int_equal(system(command), 0);
        free(f);
        return 0;
}

void fixture_make_tls(struct fixture *f) {
        char command[2048];

        snprintf(command, sizeof(command),
                 "cd %s && { openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key -out ca.pem "
                 "-days 2 -subj /CN=ca && openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout key.pem "
                 "-out csr.pem -subj /CN=localhost && printf 'subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1' > ext && "
                 "openssl x509 -req -in csr.pem -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile ext -out cert.pem; "
                 "} 2>/dev/null >&2",
                 f->folder);
        assert_int_equal(system(command), 0);
        snprintf(f->ca_file, sizeof(f->ca_file), "%s/ca.pem", f->folder);
        f->has_tls = true;
        fixture_restart_engine(f);
}

void server_start(struct server *server, const char *const *extra) {
        char *argv[16] = { (char *) "webserver.py", getenv("DOSVC_TEST_WEBSERVER") };
        posix_spawn_file_actions_t actions;
        int in[2], out[2];
        char line[16] = {};
        size_t n = 2;
        uint64_t port;

        argv[0] = (char *) "/usr/bin/python3";
        for (size_t i = 0; extra && extra[i]; i++)
                argv[n++] = (char *) extra[i];
        argv[n] = NULL;
        assert_int_equal(pipe2(in, O_CLOEXEC), 0);
        assert_int_equal(pipe2(out, O_CLOEXEC), 0);
        posix_spawn_file_actions_init(&actions);
        posix_spawn_file_actions_adddup2(&actions, in[0], 0);
        posix_spawn_file_actions_adddup2(&actions, out[1], 1);
        assert_int_equal(posix_spawn(&server->pid, argv[0], &actions, NULL, argv, environ), 0);
        posix_spawn_file_actions_destroy(&actions);
        (void) fd_close(in[0]);
        (void) fd_close(out[1]);
        server->stdin_fd = in[1];
        for (size_t i = 0; i < sizeof(line) - 1 && read(out[0], line + i, 1) == 1 && line[i] != '\n'; i++)
                ;
        line[strcspn(line, "\n")] = 0;
        assert_int_equal(parse_u64(line, &port), 0);
        server->port = (unsigned) port;
        (void) fd_close(out[0]);
}

void server_start_tls(struct fixture *f, struct server *server, const char *const *extra) {
        char cert[128], key[128];
        const char *arguments[12] = { "--tls", cert, key };
        size_t n = 3;

        snprintf(cert, sizeof(cert), "%s/cert.pem", f->folder);
        snprintf(key, sizeof(key), "%s/key.pem", f->folder);
        for (size_t i = 0; extra && extra[i]; i++)
                arguments[n++] = extra[i];
        server_start(server, arguments);
}

void server_stop(struct server *server) {
        server->stdin_fd = fd_close(server->stdin_fd);
        (void) waitpid(server->pid, NULL, 0);
}

struct engine_request request_for(struct fixture *f, uint64_t id, const char *url, struct engine_piece *piece) {
        *piece = (struct engine_piece) { .length = ENGINE_TO_EOF };
        return (struct engine_request) {
                .id = id,
                .owner = 1000,
                .pace = { .foreground = true, .max_rate = ENGINE_RATE_UNLIMITED },
                .fd = f->fd,
                .url = url,
                .pieces = piece,
                .n_pieces = 1,
                .whole_file = true,
                .remote_size = ENGINE_SIZE_UNKNOWN,
                .stated_size = ENGINE_SIZE_UNKNOWN,
                .max_bytes = ENGINE_SIZE_UNKNOWN,
                .connect_timeout_usec = 10 * USEC_PER_SEC,
                .stall_timeout_usec = 10 * USEC_PER_SEC,
        };
}

const char *url_of(const struct server *server, const char *path) {
        static char urls[8][1024];
        static unsigned next;
        char *url = urls[next++ % 8];

        snprintf(url, sizeof(urls[0]), "http://127.0.0.1:%u%s", server->port, path);
        return url;
}

static void turn(struct fixture *f, uint64_t until) {
        uint64_t now = clock_now(&clock_system, CLOCK_ID_MONOTONIC);

        if (now >= until)
                fail_msg("nothing happened for %d s", (int) (TEST_TIMEOUT_USEC / USEC_PER_SEC));
        assert_true(sd_event_run(f->event, until - now) >= 0);
}

void wait_finished(struct fixture *f, unsigned n) {
        uint64_t until = clock_now(&clock_system, CLOCK_ID_MONOTONIC) + TEST_TIMEOUT_USEC;

        while (f->n_finished < n)
                turn(f, until);
}

void wait_reported(struct fixture *f, uint64_t id, uint64_t bytes) {
        uint64_t until = clock_now(&clock_system, CLOCK_ID_MONOTONIC) + TEST_TIMEOUT_USEC;

        while (intervals_total(&f->records[id].reported) < bytes)
                turn(f, until);
}

struct record *fetch(struct fixture *f, const struct engine_request *request) {
        assert_int_equal(engine_start(f->engine, request), 0);
        wait_finished(f, f->n_finished + 1);
        assert_true(f->records[request->id].finished);
        return &f->records[request->id];
}

void assert_content(struct fixture *f, uint64_t local, uint64_t remote, uint64_t size) {
        static uint8_t bytes[1024 * 1024];

        while (size > 0) {
                size_t n = MIN(size, (uint64_t) sizeof(bytes));

                assert_int_equal(fd_pread_all(f->fd, bytes, n, local), n);
                for (size_t i = 0; i < n; i++) {
                        uint64_t j = (remote + i) % PERIOD;
                        uint8_t expected = (uint8_t) (j * 7 + (j >> 8) * 13);

                        if (bytes[i] != expected)
                                fail_msg("byte %llu is %u, not %u", (unsigned long long) (local + i), bytes[i], expected);
                }
                local += n;
                remote += n;
                size -= n;
        }
}

void assert_done(const struct record *record) {
        if (record->outcome != ENGINE_DONE)
                fail_msg("outcome %d, %s, %u: %s", (int) record->outcome, error_code_name(record->result.code),
                         record->result.detail, record->text);
        assert_int_equal(record->n_metadata, 1);
        assert_false(record->metadata_after_progress);
}

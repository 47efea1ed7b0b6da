/* The engine as a line protocol, for tests that are written in Python: one JSON object per line on standard input starts a request,
 * what the engine says of it comes back as one JSON object per line.
 *
 *     engine_driver TRANSFER_PROGRAM RESOLVE_PROGRAM [CA_FILE]
 *
 *     {"id": 1, "url": "http://…", "path": "/tmp/f", "pieces": [[remote, length or -1, local], …], "whole": true, …}
 *     {"stop": 1}
 *
 * Further keys, all optional: digest_decides, remote_size, stated_size, max_bytes, etag, last_modified, encoding, origin, headers,
 * allow_insecure_redirect, connect_timeout_usec, stall_timeout_usec, owner. It leaves at the end of its input. */
#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <systemd/sd-event.h>
#include <unistd.h>
#include <utlist.h>

#include "base/fds.h"
#include "transfer/engine_process.h"

#define LINE_MAX_BYTES (1u << 20)

/* Whose descriptor the engine has borrowed. */
struct started {
        struct started *prev, *next;
        uint64_t id;
        int fd;
};

struct driver {
        sd_event *event;
        struct engine *engine;
        struct started *started;
        char line[LINE_MAX_BYTES];
        size_t n_line;
};

static void request_over(struct driver *driver, struct started *started) {
        DL_DELETE(driver->started, started);
        (void) fd_close(started->fd);
        free(started);
}

static void driver_done(struct driver *driver) {
        driver->engine = engine_free(driver->engine);
        while (driver->started)
                request_over(driver, driver->started);
        driver->event = sd_event_unref(driver->event);
}

static void say(json_t *object) {
        char *text = json_dumps(object, JSON_COMPACT);

        json_decref(object);
        if (!text || printf("%s\n", text) < 0 || fflush(stdout) != 0)
                abort();
        free(text);
}

static json_t *size_or_null(uint64_t size) {
        return size == ENGINE_SIZE_UNKNOWN ? json_null() : json_integer((json_int_t) size);
}

/* Names of a server may be anything: what is not UTF-8 becomes null, which the test will notice. */
static json_t *text_or_null(const char *text) {
        json_t *string = text ? json_string(text) : NULL;

        return string ?: json_null();
}

static void on_metadata(void *userdata, uint64_t id, const struct engine_metadata *m) {
        if (m->refused)
                return;
        say(json_pack("{s:s, s:I, s:i, s:o, s:o, s:o, s:o, s:o, s:I}", "event", "metadata", "id", (json_int_t) id, "http_status",
                      (int) m->http_status, "remote_size", size_or_null(m->remote_size), "etag", text_or_null(m->etag),
                      "last_modified", text_or_null(m->last_modified), "encoding", text_or_null(m->encoding), "origin",
                      text_or_null(m->origin), "remote_time_usec", (json_int_t) m->remote_time_usec));
}

static void on_progress(void *userdata, uint64_t id, uint64_t start, uint64_t end, uint64_t bytes_fetched) {
        say(json_pack("{s:s, s:I, s:I, s:I, s:I}", "event", "progress", "id", (json_int_t) id, "start", (json_int_t) start, "end",
                      (json_int_t) end, "bytes_fetched", (json_int_t) bytes_fetched));
}

static void on_finished(void *userdata, uint64_t id, const struct engine_result *r) {
        static const char *const outcomes[] = {
                [ENGINE_DONE] = "done", [ENGINE_STOPPED] = "stopped", [ENGINE_RESTART] = "restart", [ENGINE_FAILED] = "failed",
                [ENGINE_LOST] = "lost",
        };
        struct driver *driver = userdata;
        struct started *started;

        DL_SEARCH_SCALAR(driver->started, started, id, id);
        if (started)
                request_over(driver, started);
        say(json_pack("{s:s, s:I, s:s, s:s, s:s, s:b, s:I, s:I, s:b, s:I, s:I, s:o}", "event", "finished", "id", (json_int_t) id,
                      "outcome", outcomes[r->outcome], "code", error_code_name(r->code), "context", error_context_name(r->context),
                      "transient", r->transient, "detail", (json_int_t) r->detail, "retry_after_usec",
                      (json_int_t) r->retry_after_usec, "length_unverified", r->length_unverified, "local_end",
                      (json_int_t) r->local_end, "bytes_fetched", (json_int_t) r->bytes_fetched, "text", text_or_null(r->text)));
}

static uint64_t number_of(json_t *object, const char *key, uint64_t if_absent) {
        json_t *value = json_object_get(object, key);

        return json_is_integer(value) ? (uint64_t) json_integer_value(value) : if_absent;
}

static const char *text_of(json_t *object, const char *key) {
        return json_string_value(json_object_get(object, key));
}

static bool flag_of(json_t *object, const char *key) {
        return json_is_true(json_object_get(object, key));
}

static size_t read_pieces(json_t *list, struct engine_piece pieces[static ENGINE_PIECES_MAX]) {
        size_t n = json_array_size(list);

        if (n > ENGINE_PIECES_MAX)
                return 0;
        for (size_t i = 0; i < n; i++) {
                json_t *row = json_array_get(list, i);

                pieces[i] = (struct engine_piece) {
                        .remote_offset = (uint64_t) json_integer_value(json_array_get(row, 0)),
                        .length = (uint64_t) json_integer_value(json_array_get(row, 1)), /* -1: ENGINE_TO_EOF */
                        .local_offset = (uint64_t) json_integer_value(json_array_get(row, 2)),
                };
        }
        return n;
}

static int start_request(struct driver *driver, json_t *object) {
        static struct engine_piece pieces[ENGINE_PIECES_MAX];
        struct started *started;
        struct engine_request request = {
                .id = number_of(object, "id", 0),
                .owner = number_of(object, "owner", 1),
                .pace = { .foreground = true, .max_rate = ENGINE_RATE_UNLIMITED },
                .url = text_of(object, "url"),
                .pieces = pieces,
                .n_pieces = read_pieces(json_object_get(object, "pieces"), pieces),
                .whole_file = flag_of(object, "whole"),
                .digest_decides = flag_of(object, "digest_decides"),
                .remote_size = number_of(object, "remote_size", ENGINE_SIZE_UNKNOWN),
                .stated_size = number_of(object, "stated_size", ENGINE_SIZE_UNKNOWN),
                .max_bytes = number_of(object, "max_bytes", ENGINE_SIZE_UNKNOWN),
                .etag = text_of(object, "etag"),
                .last_modified = text_of(object, "last_modified"),
                .encoding = text_of(object, "encoding"),
                .origin = text_of(object, "origin"),
                .headers = text_of(object, "headers"),
                .allow_insecure_redirect = flag_of(object, "allow_insecure_redirect"),
                .connect_timeout_usec = number_of(object, "connect_timeout_usec", 10 * USEC_PER_SEC),
                .stall_timeout_usec = number_of(object, "stall_timeout_usec", 10 * USEC_PER_SEC),
        };
        int r;

        request.fd = open(text_of(object, "path") ?: "", O_WRONLY | O_CLOEXEC);
        if (request.fd < 0)
                return -errno;
        started = malloc(sizeof(*started));
        if (!started)
                abort();
        *started = (struct started) { .id = request.id, .fd = request.fd };
        DL_APPEND(driver->started, started);
        r = engine_start(driver->engine, &request);
        if (r < 0)
                request_over(driver, started);
        return r;
}

static void take_line(struct driver *driver, const char *line, size_t len) {
        json_t *object = json_loadb(line, len, 0, NULL);
        int r;

        if (!object)
                abort();
        if (json_object_get(object, "stop"))
                engine_stop(driver->engine, number_of(object, "stop", 0));
        else {
                r = start_request(driver, object);
                if (r < 0)
                        say(json_pack("{s:s, s:I, s:s}", "event", "refused", "id", (json_int_t) number_of(object, "id", 0), "text",
                                      strerror(-r)));
        }
        json_decref(object);
}

static int on_input(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        struct driver *driver = userdata;
        ssize_t n = read(fd, driver->line + driver->n_line, sizeof(driver->line) - driver->n_line);
        char *newline;

        if (n <= 0)
                return sd_event_exit(driver->event, 0);
        driver->n_line += (size_t) n;
        while ((newline = memchr(driver->line, '\n', driver->n_line))) {
                size_t len = (size_t) (newline - driver->line);

                take_line(driver, driver->line, len);
                driver->n_line -= len + 1;
                memmove(driver->line, newline + 1, driver->n_line);
        }
        return 0;
}

int main(int argc, char **argv) {
        static const struct engine_events events = { .metadata = on_metadata, .progress = on_progress, .finished = on_finished };
        static const struct engine_limits limits = { .max_connections_per_owner = 64, .max_connections_per_host = 64 };
        static struct driver driver;
        int r;
        struct engine_process_config config = { .idle_exit_usec = USEC_INFINITY };

        if (argc < 3)
                return 2;
        config.transfer_program = argv[1];
        config.resolve_program = argv[2];
        config.ca_file = argc > 3 ? argv[3] : NULL;
        (void) signal(SIGPIPE, SIG_IGN);
        if (sd_event_default(&driver.event) < 0 ||
            engine_process_new(driver.event, &config, &clock_system, &driver.engine) < 0)
                return 1;
        engine_set_events(driver.engine, &events, &driver);
        if (engine_set_limits(driver.engine, &limits) < 0 ||
            sd_event_add_io(driver.event, NULL, STDIN_FILENO, EPOLLIN, on_input, &driver) < 0)
                return 1;
        r = sd_event_loop(driver.event);
        driver_done(&driver);
        return r < 0;
}

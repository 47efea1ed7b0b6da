/* A real engine with its real processes, servers of tests/lib on loopback, and a record of what the engine said. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>

#include <cmocka.h>

#include "base/intervals.h"
#include "transfer/engine_process.h"

#define TEST_TIMEOUT_USEC (60 * USEC_PER_SEC)
#define REQUESTS_MAX 128

struct sd_event;

struct server {
        pid_t pid;
        int stdin_fd; /* its life line */
        unsigned port;
};

/* What was said of one request. */
struct record {
        bool finished;
        unsigned n_metadata, n_progress;
        bool metadata_after_progress;
        uint32_t http_status;
        char headers[512]; /* of the last answer, refused or not */
        uint64_t remote_size, remote_time_usec;
        char etag[128], last_modified[128], origin[256], address[64];
        unsigned n_certificates; /* shown, and the last of them */
        uint8_t sha256[32];
        uint8_t certificate[4096], certificates[8192];
        size_t n_certificate, n_certificates_bytes;
        struct intervals reported;
        uint64_t bytes_fetched;
        enum engine_outcome outcome;
        struct engine_result result; /* text points to @text */
        char text[512];
};

struct fixture {
        char folder[64];
        struct sd_event *event;
        struct engine *engine;
        struct record records[REQUESTS_MAX]; /* by request id */
        unsigned n_finished;
        int fd;             /* the file that is written */
        uint64_t stop_at;   /* wait_for() ends at this many reported bytes of any request */
        char ca_file[128];
        bool has_tls;
};

int fixture_setup(void **state);
int fixture_teardown(void **state);
/* Makes a certificate of its own authority for "localhost", 127.0.0.1 and ::1; the next engine trusts it. */
void fixture_make_tls(struct fixture *f);
void fixture_restart_engine(struct fixture *f);
/* A new engine, whose dosvc-resolve is this program. */
void fixture_use_resolver(struct fixture *f, const char *program);
/* Another one, made by the test; it is the fixture's now. */
void fixture_use_engine(struct fixture *f, struct engine *engine);

/* @extra: further arguments, NULL-terminated, or NULL. */
void server_start(struct server *server, const char *const *extra);
void server_start_tls(struct fixture *f, struct server *server, const char *const *extra);
void server_stop(struct server *server);

/* A whole-file request with sane defaults; change it before engine_start(). */
struct engine_request request_for(struct fixture *f, uint64_t id, const char *url, struct engine_piece *piece);
/* "http://127.0.0.1:PORT/…" in a rotating set of buffers. */
const char *url_of(const struct server *server, const char *path);
/* Runs the loop until this many requests have finished. */
void wait_finished(struct fixture *f, unsigned n);
/* Runs the loop until @bytes were reported for @id. */
void wait_reported(struct fixture *f, uint64_t id, uint64_t bytes);
/* Starts, waits, returns the record. */
struct record *fetch(struct fixture *f, const struct engine_request *request);
/* The file has exactly the bytes [remote, remote + size) of the servers' pattern at @local. */
void assert_content(struct fixture *f, uint64_t local, uint64_t remote, uint64_t size);
void assert_done(const struct record *record);
#define assert_failed(actual, expected_code)                                                      \
        do {                                                                                      \
                const struct record *_r_ = (actual);                                              \
                if (_r_->outcome != ENGINE_FAILED || _r_->result.code != (expected_code))          \
                        fail_msg("outcome %d, %s (%s), expected %s", (int) _r_->outcome,           \
                                 error_code_name(_r_->result.code), _r_->text,                    \
                                 error_code_name(expected_code));                                 \
        } while (false)

/* A whole service without a network and without time: real manager, job, schedule and owner role, a store in memory (or SQLite), an
 * engine that does what the test says and a clock that the test turns. Everything that leaves the service is written into one log, so
 * that a test can assert the exact order. */
#pragma once

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "manager/manager.h"

struct fake_request {
        uint64_t id;
        int fd;
        char *url;
        struct engine_piece pieces[64];
        size_t n_pieces;
        char *etag;
        bool has_headers; /* the job's own */
        bool judge_certificate;
        uint8_t accepted[LIMIT_ACCEPTED_CERTIFICATES][32];
        size_t n_accepted;
        uint64_t stated_size;
        uint64_t stall_timeout_usec;
        uint64_t floor_rate;
        bool firm_floor;
        bool own_connection;
        bool replace_stalled;
        bool from_public;
        bool lies;        /* harness_write() writes other bytes */
        bool whole_file;
        struct engine_pace pace;
        bool stop_asked;
        bool finished;
        bool described;   /* harness_metadata() was called */
        uint64_t written; /* end of what harness_write() wrote last */
        uint64_t fetched;
        uint64_t served;  /* by harness_write_next() */
        struct fake_request *next;
};

/* The newest command that was asked for. */
struct fake_command {
        uint64_t id;        /* 0: none is out */
        char line[512];     /* program, then each argument and variable in brackets */
};

struct harness {
        char directory[64];       /* destinations */
        char state[64];           /* sqlite, if it is used */
        struct clock_fake clock;
        struct store *store;
        struct store *memory;     /* behind a faulty one */
        struct files *files;
        struct engine engine;     /* first use: CONTAINER_OF in harness.c */
        struct engine *other_engine; /* used instead from the next start on; the owner moves and frees it */
        const struct engine_events *events;
        void *events_userdata;
        bool few_cores;
        struct fake_request *requests;
        size_t n_requests;
        uint64_t spoiled;         /* this byte goes wrong on its way, UINT64_MAX: none */
        struct runner runner;
        struct runner *other_runner; /* likewise */
        const struct runner_events *runner_events;
        void *runner_userdata;
        struct fake_command commands[8];
        unsigned n_commands;      /* ever */
        int runner_refuses;       /* runner_start() fails with this */
        const char *server_address; /* of whoever answers; NULL: loopback */
        bool engine_refuses;      /* engine_start() fails with -EMFILE */
        struct manager *manager;
        char log[16384];
        size_t log_size;
        bool log_changes;         /* also progress-only changes */
        struct manager_limits limits;
        struct schedule_config schedule;
        struct manager_reply last;
        unsigned n_replies;
        struct guid id;           /* of the last created job */
        uid_t owner;              /* of the jobs; ours unless the test says otherwise */
        int failed;
};

struct harness *harness_new(void);
void harness_free(struct harness *h);
/* For cmocka: a new one is each test's state. */
int harness_setup(void **state);
int harness_teardown(void **state);
/* The service's memory goes, what was durable stays, a new one starts. */
void harness_restart(struct harness *h);
/* As a power cut: what was not durable in the store goes too. */
void harness_crash(struct harness *h);

/* Turns until nothing moves any more. */
void harness_pump(struct harness *h);
void harness_advance(struct harness *h, uint64_t usec); /* turns the clock, then pumps */

/* ---- calls; each waits for its reply and returns the outcome ---- */
/* One file of that name; its URL is http://origin/NAME. */
int harness_create(struct harness *h, const char *name, bool resume, bool complete);
int harness_create_with(struct harness *h, struct manager_create_request *request);
/* Says nothing beyond its files; nothing is copied. */
struct manager_create_request harness_plain_request(const char *name, const struct manager_file_spec *files, size_t n_files);
int harness_call(struct harness *h, void call(struct manager *, struct job *, manager_reply_fn, void *));
struct job *harness_job(struct harness *h);
const char *harness_path(struct harness *h, const char *name); /* static buffer */

/* ---- the engine ---- */
struct fake_request *harness_request(struct harness *h, size_t newest); /* 0: the newest that is not finished */
size_t harness_running(struct harness *h);
void harness_metadata(struct harness *h, struct fake_request *r, uint64_t size, const char *etag);
/* Writes the right bytes [start, end) and reports them. */
void harness_write(struct harness *h, struct fake_request *r, uint64_t start, uint64_t end);
/* Its server shows a certificate whose digest is all @kind. True: it was accepted before. Else the request has ended with it. */
bool harness_certificate(struct harness *h, struct fake_request *r, uint8_t kind);
void harness_finish(struct harness *h, struct fake_request *r, enum engine_outcome outcome, enum error_code code, bool transient);
/* The next bytes of what was asked for, at most @max, out of a remote file of @size whose content is harness_content() by its own positions.
 * Return: how many; 0: all were written. */
uint64_t harness_write_next(struct harness *h, struct fake_request *r, uint64_t size, uint64_t max);
/* An answer on the way offers these mirrors, and the digest of a file of @size (0: none). */
void harness_offer(struct harness *h, struct fake_request *r, const char *mirrors, uint32_t n_preferred, uint64_t size, bool secure);
/* Next to nothing comes. */
void harness_finish_slow(struct harness *h, struct fake_request *r);
void harness_replace_connection(struct harness *h, struct fake_request *r, const char *text);
/* It failed with this status of HTTP. */
void harness_finish_status(struct harness *h, struct fake_request *r, uint32_t status, bool transient);
/* metadata + these bytes + DONE */
void harness_serve_bytes(struct harness *h, struct fake_request *r, const void *bytes, size_t size);
uint8_t harness_content(uint64_t position); /* what harness_write() writes there */
/* The digest of a file of that size as harness_write() makes it. */
void harness_digest(uint64_t size, uint8_t ret[static 32]);
/* metadata + all bytes + DONE */
void harness_serve(struct harness *h, struct fake_request *r, uint64_t size);

/* ---- commands ---- */
size_t harness_commands(struct harness *h); /* that run */
/* The one that was started last ends. */
void harness_end_command(struct harness *h, enum runner_outcome outcome, int value);

/* ---- looking ---- */
/* The log must be exactly these lines; it is emptied. */
void harness_expect(struct harness *h, const char *lines);
void harness_forget(struct harness *h);
bool harness_exists(struct harness *h, const char *name);
size_t harness_count_temp(struct harness *h);
/* The file has the content of harness_write() and this size. */
void harness_assert_content(struct harness *h, const char *name, uint64_t size);

/* One connection to one service, shared by all threads of the program.
 *
 * 1. connection_new() makes it, connection_ensure() (or the first call) connects it; dosvc_open() does both.
 * 2. connection_call() sends a method call and waits for its answer. If the service went away, it is looked for
 *    (and started) again; calls that may be repeated are repeated.
 * 3. A thread of the connection reads the socket. It never runs code of the program. connection_lock() guards all
 *    of it: no caller holds it while it waits, so a slow call holds up nobody.
 * 4. struct watcher collects the ids of jobs that changed; see watch.c.
 *
 * Functions return 0 or a positive enum error_code, with details in failure.h. Must never know what a job is. */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <systemd/sd-bus.h>
/* uthash ends the process when memory is short, unless told not to. */
#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#include "base/macros.h"
#include "protocol/errors.h"

#define WIRE_MANAGER_PATH "/org/dosvc"
#define WIRE_MANAGER "org.dosvc.Manager1"
#define WIRE_JOB_PREFIX "/org/dosvc/job/"
#define WIRE_JOB "org.dosvc.Job1"
#define WIRE_FILE "org.dosvc.File1"
#define WIRE_CALLBACK_PATH "/org/dosvc/callback"
#define WIRE_CALLBACK "org.dosvc.Callback1"
#define WIRE_PROPERTIES "org.freedesktop.DBus.Properties"
#define WIRE_ID_HEX 32 /* digits of a job id in an object path */

struct dosvc;

enum {
        CALL_REPEATABLE = 1,  /* doing it twice is as good as once: repeated when the service goes away meanwhile */
        CALL_UNLIMITED = 2,   /* may take as long as it takes; others give up after CONNECTION_CALL_USEC */
        CALL_NO_START = 4,    /* do not start a service for this */
        CALL_CANCELLABLE = 8, /* connection_interrupt() ends waiting for a service that is being started */
        CALL_INTERACTIVE = 16, /* a person may be asked for a password, and is waited for */
};

struct call {
        const char *path, *interface, *member;
        unsigned flags;
        int (*build)(sd_bus_message *m, const void *args); /* NULL: no arguments. Negative errno on failure */
        const void *args;
        int (*decode)(sd_bus_message *reply,
                      void *ret); /* NULL: the answer has nothing to read. Must clean up after itself */
        void *ret;
        uint64_t *ret_generation; /* NULL, or set to the generation in which the answer came */
};

int connection_call(struct dosvc *connection, const struct call *call);

/* The same in two halves, so that the service has the next call before the caller has its last answer. Neither repeats anything.
 * Answers may be received in any order; each that was sent must be. */
struct pending;
int connection_send(struct dosvc *connection, const struct call *call, struct pending **ret);
/* Consumes @sent. @call is the one that it was sent with. */
int connection_receive(struct dosvc *connection, const struct call *call, struct pending *sent);

/* What the COM side adds to each new connection. */
struct connection_hooks {
        int (*connected)(struct dosvc *connection, sd_bus *bus); /* exports objects; 0 or -errno */
        void (*lost)(struct dosvc *connection);
        /* Both under the lock: they must not block. */
};

/* @flags: DOSVC_CONNECT_*. @hooks may be NULL and must outlive it. 0 or -errno. */
int connection_new(unsigned flags, const struct connection_hooks *hooks, struct dosvc **ret);
struct dosvc *connection_ref(struct dosvc *connection);
struct dosvc *connection_unref(struct dosvc *connection);
DEFINE_CLEANUP_FUNC(struct dosvc, connection_unref);

/* Connects if it is not. @flags: CALL_NO_START. */
int connection_ensure(struct dosvc *connection, unsigned flags);
/* Unique in the process, above 1. */
uint64_t connection_serial(const struct dosvc *connection);
/* Counts connects; 0 while there is no connection. What was subscribed in one generation is forgotten in the next. */
uint64_t connection_generation(struct dosvc *connection);
bool connection_is_system(const struct dosvc *connection);
/* A copy of the address that it is, or was last, connected to. NULL: no memory, or none yet. */
char *connection_dup_address(struct dosvc *connection);

/* A thread with all signals blocked. 0 or -errno. */
int connection_start_thread(pthread_t *ret, const char *name, void *(*main)(void *), void *arg);

void connection_lock(struct dosvc *connection);
void connection_unlock(struct dosvc *connection);
/* Under the lock: answers a method call that came in and drops the message. @error_name NULL: an empty reply. */
void connection_answer(struct dosvc *connection, sd_bus_message *call, const char *error_name, const char *text);
/* The same with one number. */
void connection_answer_number(struct dosvc *connection, sd_bus_message *call, uint32_t number);

/* ---- changes ---- */

struct changed_job {
        char hex[WIRE_ID_HEX + 1];
        UT_hash_handle hh;
};

#define STATE_NAME_MAX 24 /* bytes of a state's name, with the NUL */

/* What the watcher's owner has seen of a job. */
struct seen_job {
        char hex[WIRE_ID_HEX + 1];
        char state[STATE_NAME_MAX];
        UT_hash_handle hh;
};

struct watcher {
        struct watcher *prev, *next;
        char hex[WIRE_ID_HEX + 1];   /* "" all jobs */
        struct changed_job *changed; /* uthash */
        struct seen_job *seen;       /* uthash */
        bool urgent;                 /* some state is another one than was seen */
        bool overflow;               /* no memory for an id: look at all of them */
};

void connection_add_watcher(struct dosvc *connection, struct watcher *watcher);
/* Also frees what it collected. Returns true if no other watcher has the same subscription. */
bool connection_remove_watcher(struct dosvc *connection, struct watcher *watcher);

enum wait_result {
        WAIT_CHANGED,
        WAIT_PROGRESS, /* only progress, and @patience_until passed */
        WAIT_LOST,     /* the generation is another one */
        WAIT_TIMEOUT,
        WAIT_INTERRUPTED,
};
/* Waits for changes that @watcher collects. Times are CLOCK_MONOTONIC microseconds, UINT64_MAX: no limit. Progress
 * alone is held back until @patience_until. */
enum wait_result connection_wait(struct dosvc *connection, struct watcher *watcher, uint64_t generation,
                                 uint64_t patience_until, uint64_t deadline);
/* The owner has seen @hex in @state; NULL: it is gone. */
void connection_note_seen(struct dosvc *connection, struct watcher *watcher, const char *hex, const char *state);
/* Hands out what was seen, and forgets it. */
struct seen_job *connection_take_seen(struct dosvc *connection, struct watcher *watcher);
/* What was collected; the caller frees it. *ret_overflow: the list is not complete. */
struct changed_job *connection_take_changes(struct dosvc *connection, struct watcher *watcher, bool *ret_overflow);
/* Tells the service that nobody watches @hex any more, without waiting. */
void connection_forget_subscription(struct dosvc *connection, const char *hex);
/* Async-signal-safe. Ends one connection_wait(), the next one if none is running. */
void connection_interrupt(struct dosvc *connection);
bool connection_take_interrupt(struct dosvc *connection);

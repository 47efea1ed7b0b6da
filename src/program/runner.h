/* Runs programs that somebody asked for, as that somebody, and tells how each ended. It has never heard of a job. The contract between
 * the manager and whatever starts them: a helper of our own (runner_process.c), in the system instance a process of that somebody
 * (daemon/runner_owners.h), in tests a fake.
 *
 * 1. runner_start() takes a request; everything is copied. It never waits: not for the program, nor for the disk that it is on.
 * 2. ended() comes on the loop, once for each start that was taken.
 * 3. runner_free() asks those that still run to end; nothing is told any more. */
#pragma once

#include <stdio.h>
#include <sys/types.h>

#include "base/clock.h"

#define RUNNER_SHARED_MAX 8 /* variables that all programs get */

struct runner_request {
        uint64_t id;               /* chosen by the caller, never reused while it lives */
        uid_t owner;               /* whose it is; where there is only one, that one */
        const char *program;       /* an absolute path */
        char *const *arguments;    /* with the program's own name; NULL at the end */
        char *const *environment;  /* "NAME=value" beside the few that all get; NULL at the end */
        uint64_t timeout_usec;     /* then it is ended, and all that it started in its session */
};

enum runner_outcome {
        RUNNER_EXITED,      /* value: its exit status; RUNNER_EXIT_NOT_STARTED: perhaps it never ran */
        RUNNER_KILLED,      /* value: the signal */
        RUNNER_TIMED_OUT,
        RUNNER_LOST,        /* nobody knows */
};
#define RUNNER_EXIT_NOT_STARTED 127 /* as shells have it */

struct runner_end {
        enum runner_outcome outcome;
        int value;
};

struct runner_events {
        void (*ended)(void *userdata, uint64_t id, const struct runner_end *end);
};

struct runner;
struct runner_ops {
        struct runner *(*free)(struct runner *runner);
        void (*set_events)(struct runner *runner, const struct runner_events *events, void *userdata);
        int (*start)(struct runner *runner, const struct runner_request *request);
        int (*share)(struct runner *runner, const char *variable);
};
struct runner {
        const struct runner_ops *ops; /* first member of every runner */
};

static inline struct runner *runner_free(struct runner *runner) {
        return runner ? runner->ops->free(runner) : NULL;
}
static inline void runner_set_events(struct runner *runner, const struct runner_events *events, void *userdata) {
        runner->ops->set_events(runner, events, userdata);
}
/* 0: ended() will come. -errno: nothing was taken. */
static inline int runner_start(struct runner *runner, const struct runner_request *request) {
        return runner->ops->start(runner, request);
}
/* All programs get this variable. @value NULL: they do not. -ENOBUFS: RUNNER_SHARED_MAX, among them those that the runner has itself. */
static inline int runner_share(struct runner *runner, const char *name, const char *value) {
        _cleanup_free_ char *variable = NULL;

        if (!value)
                return 0;
        if (asprintf(&variable, "%s=%s", name, value) < 0)
                return -ENOMEM;
        return runner->ops->share(runner, variable);
}

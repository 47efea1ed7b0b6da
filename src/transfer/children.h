/* One dosvc-transfer with its dosvc-resolve: started, watched, killed together. Either's death is the death of both, because
 * they share a socket. Knows nothing of requests.
 *
 * 1. children_new() starts both: clean environment, descriptors by number, nothing else inherited.
 * 2. dead() comes once, when both were reaped: nothing of theirs touches a descriptor any more. The socket is the caller's.
 * 3. children_kill() when they are not wanted any longer; dead() still comes. */
#pragma once

#include "base/macros.h"

#include <sys/types.h>

#define TRANSFER_CORE_FD 3    /* in dosvc-transfer: the connection to us */
#define TRANSFER_RESOLVE_FD 4 /* in dosvc-transfer: the connection to dosvc-resolve */
#define RESOLVE_TRANSFER_FD 3 /* in dosvc-resolve */

struct sd_event;
struct children;

struct children_config {
        const char *transfer_program;
        const char *resolve_program;
        const char *ca_file; /* NULL: the system's */
        const char *crl_file; /* or NULL */
        bool verbose;
};

typedef void (*children_dead_fn)(void *userdata);

/* @ret_fd: our end of the connection to dosvc-transfer. */
int children_new(struct sd_event *event, const struct children_config *config, children_dead_fn dead, void *userdata,
                 int *ret_fd, struct children **ret);
/* Kills and reaps; waits shortly, but not for a process that hangs in a system call. */
struct children *children_free(struct children *children);
DEFINE_CLEANUP_FUNC(struct children, children_free)

void children_kill(struct children *children);
/* One of them left because whom it was started for, us or the other one, is of another version (IPC_EXIT_OTHER_VERSION). */
bool children_met_other_version(const struct children *children);
pid_t children_transfer_pid(const struct children *children);

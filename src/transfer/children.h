/* One dosvc-transfer with its dosvc-resolve: started, watched, killed together. Either's end is the end of both: dosvc-transfer leaves when
 * their connection is closed, dosvc-resolve likewise, and is killed. Knows nothing of requests.
 *
 * They come to life in one of two ways. As children of ours: clean environment, one descriptor by its number, nothing else inherited. Or as
 * instances of two socket units, one for each connection that we make: systemd starts and reaps them, each as a user of its own. Then
 * only dosvc-transfer is watched: nobody else has a descriptor of a file. Both hold a lifeline (transfer/lifeline.h) of ours.
 *
 * 1. children_new() starts both, and adds to what dosvc-transfer is to be given (transfer/equipment.h).
 * 2. children_met() when dosvc-transfer has said HELLO. Before that it must not be given a file.
 * 3. dead() comes once, when no process is left that has anything to write to. The socket is the caller's.
 * 4. children_kill() when they are not wanted any longer; dead() still comes, and later, so also from within a callback. Where a
 *    process hangs in the kernel it comes when that lets go of it. */
#pragma once

#include "base/macros.h"

#include <sys/types.h>

#define TRANSFER_CORE_FD 3    /* in dosvc-transfer: the connection to us */
#define RESOLVE_TRANSFER_FD 3 /* in dosvc-resolve: the connection to dosvc-transfer */
#define CHILDREN_TRANSFER_SOCKET "transfer" /* in the folder of children_config */
#define CHILDREN_RESOLVE_SOCKET "resolve"

struct equipment;
struct sd_event;
struct children;

struct children_config {
        const char *sockets; /* a folder with sockets where who connects gets a process; NULL: children of ours */
        const char *transfer_program;
        const char *resolve_program;
        bool verbose; /* of children of ours; a unit's command line is the administrator's */
};

typedef void (*children_dead_fn)(void *userdata);

/* @ret_fd: our end of the connection to dosvc-transfer. @equipment: gets the lifeline and the connection to dosvc-resolve. */
int children_new(struct sd_event *event, const struct children_config *config, children_dead_fn dead, void *userdata,
                 int *ret_fd, struct equipment *equipment, struct children **ret);
/* Kills and reaps; waits shortly, but not for a process that hangs in a system call. */
struct children *children_free(struct children *children);
DEFINE_CLEANUP_FUNC(struct children, children_free)

/* @pid: who said HELLO, by the kernel's word; @fd: our end of the connection. -errno: its end would not be seen, so it must not be used:
 * kill them. */
int children_met(struct children *children, pid_t pid, int fd);
void children_kill(struct children *children);
/* 0: there is none, or it is not known yet. */
pid_t children_transfer_pid(const struct children *children);

/* Starting a program of ours: nothing is inherited but what is named. No environment, no descriptor, no signal mask, no terminal.
 *
 * process_spawn() returns when the kernel has read the program, so its path should be on a disk that answers. The caller reaps.
 *
 * A child begins with a copy of all our descriptors and closes them, and on some file systems (FUSE) each close(2) waits for whoever serves
 * them: the child would hang, and we with it. Where such files will be open, process_spawn_apart() comes first. */
#pragma once

#include <sys/types.h>

#include "base/macros.h"

struct process_spawn {
        const char *program;      /* a path */
        char *const *arguments;   /* with the program's own name; NULL at the end */
        char *const *environment; /* NULL at the end */
        const int *fds;           /* become 3, 4, …; each must be above 2 + n_fds already */
        int n_fds;
        bool silent;              /* standard error goes to /dev/null as well */
        bool new_session;         /* else only a process group of its own: Ctrl-C at our terminal is not for it */
};
/* From now on children have no copy of what is opened here: they are made by a thread with a descriptor table of its own. Once, before
 * anything is opened that a child must not have. 0 or -errno: they are made as before. */
int process_spawn_apart(void);
/* At the end: that thread is gone when it returns, and children are made as before. */
void process_spawn_together(void);
/* 0 or -errno. */
int process_spawn(const struct process_spawn *spawn, pid_t *ret_pid);

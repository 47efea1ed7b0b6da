/* Starting a program of ours: nothing is inherited but what is named. No environment, no descriptor, no signal mask, no terminal.
 *
 * process_spawn() returns when the kernel has read the program, so its path should be on a disk that answers. The caller reaps. */
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
/* 0 or -errno. */
int process_spawn(const struct process_spawn *spawn, pid_t *ret_pid);

/* Starts the user instance on demand, so that it has nothing of the program that happened to need it: through the
 * user's systemd where there is one, else as a session of its own. */
#pragma once

#include "base/macros.h"

#define LAUNCH_IDLE_EXIT "60" /* seconds; --idle-exit of a service that was started on demand */

/* Starts dosvcd; returns when it was executed, not when it listens. *ret_watch: a descriptor that becomes readable
 * when the started process ends (it may end at once because another one is there), or -EBADF if that cannot be
 * told. 0 or -errno. */
int launch_service(int *ret_watch);

/* The program that would be started. The caller frees *ret. -ENOENT: none is installed. */
int launch_find_program(char **ret);
/* What is handed on of the environment, NULL-terminated. The caller frees it with launch_free_environment(). */
int launch_make_environment(char ***ret);
void launch_free_environment(char **environment);

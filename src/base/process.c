#include "base/process.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <unistd.h>

/* Standard streams to /dev/null, @fds to 3…, everything above closed. */
static int prepare_files(posix_spawn_file_actions_t *actions, const struct process_spawn *spawn) {
        int r;

        r = posix_spawn_file_actions_addopen(actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
        if (r == 0)
                r = posix_spawn_file_actions_addopen(actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
        if (r == 0 && spawn->silent)
                r = posix_spawn_file_actions_addopen(actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
        for (int i = 0; r == 0 && i < spawn->n_fds; i++)
                r = posix_spawn_file_actions_adddup2(actions, spawn->fds[i], 3 + i);
        if (r == 0)
                r = posix_spawn_file_actions_addclosefrom_np(actions, 3 + spawn->n_fds);
        return -r;
}

/* No signal of ours is blocked or ignored there. */
static int prepare_attributes(posix_spawnattr_t *attributes, bool new_session) {
        sigset_t none, all;
        int r;

        sigemptyset(&none);
        sigfillset(&all);
        r = posix_spawnattr_setsigmask(attributes, &none);
        if (r == 0)
                r = posix_spawnattr_setsigdefault(attributes, &all);
        if (r == 0)
                r = posix_spawnattr_setpgroup(attributes, 0);
        if (r == 0)
                r = posix_spawnattr_setflags(attributes,
                                             (short) (POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF |
                                                      (new_session ? POSIX_SPAWN_SETSID : POSIX_SPAWN_SETPGROUP)));
        return -r;
}

int process_spawn(const struct process_spawn *spawn, pid_t *ret_pid) {
        posix_spawn_file_actions_t actions;
        posix_spawnattr_t attributes;
        int r;

        r = -posix_spawn_file_actions_init(&actions);
        if (r < 0)
                return r;
        r = -posix_spawnattr_init(&attributes);
        if (r < 0) {
                (void) posix_spawn_file_actions_destroy(&actions);
                return r;
        }
        r = prepare_files(&actions, spawn);
        if (r == 0)
                r = prepare_attributes(&attributes, spawn->new_session);
        if (r == 0)
                r = -posix_spawn(ret_pid, spawn->program, &actions, &attributes, spawn->arguments, spawn->environment);
        (void) posix_spawnattr_destroy(&attributes);
        (void) posix_spawn_file_actions_destroy(&actions);
        return r;
}

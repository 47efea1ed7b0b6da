#include "daemon/successor.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/close_range.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "base/fds.h"
#include "base/strings.h"

#define SOCKETS_MAX 4 /* a socket unit of ours has one */

struct successor {
        char **argv;
        char path[PATH_MAX]; /* of the program, as it was started */
        char *names;         /* LISTEN_FDNAMES, or NULL */
        int sockets[SOCKETS_MAX];
        int n_sockets;
};

/* Above those that were handed over, so that putting them back hits none. */
static int keep_sockets(struct successor *successor) {
        const char *names = getenv("LISTEN_FDNAMES");
        int n = sd_listen_fds(0);

        if (n <= 0)
                return n;
        if (n > SOCKETS_MAX)
                return -E2BIG;
        for (int i = 0; i < n; i++) {
                successor->sockets[i] = fcntl(SD_LISTEN_FDS_START + i, F_DUPFD_CLOEXEC, SD_LISTEN_FDS_START + n);
                if (successor->sockets[i] < 0)
                        return -errno;
                successor->n_sockets++;
        }
        return names ? strdup_to(&successor->names, names) : 0;
}

int successor_new(char **argv, struct successor **ret) {
        _cleanup_(successor_freep) struct successor *successor = calloc(1, sizeof(*successor));
        ssize_t n;
        int r;

        if (!successor)
                return -ENOMEM;
        successor->argv = argv;
        n = readlink("/proc/self/exe", successor->path, sizeof(successor->path) - 1);
        if (n < 0)
                successor->path[0] = 0; /* no /proc: there will be none */
        r = keep_sockets(successor);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(successor);
        return 0;
}

struct successor *successor_free(struct successor *successor) {
        if (!successor)
                return NULL;
        for (int i = 0; i < successor->n_sockets; i++)
                (void) fd_close(successor->sockets[i]);
        free(successor->names);
        free(successor);
        return NULL;
}

/* The inode of a program that runs is not given to another one. */
bool successor_is_installed(const struct successor *successor) {
        struct stat own, installed;

        return stat("/proc/self/exe", &own) == 0 && stat(successor->path, &installed) == 0 && S_ISREG(installed.st_mode) &&
               access(successor->path, X_OK) == 0 && (own.st_dev != installed.st_dev || own.st_ino != installed.st_ino);
}

static int hand_over(const struct successor *successor) {
        char text[16];

        if (successor->n_sockets == 0)
                return 0;
        for (int i = 0; i < successor->n_sockets; i++)
                if (dup2(successor->sockets[i], SD_LISTEN_FDS_START + i) < 0)
                        return -errno;
        (void) snprintf(text, sizeof(text), "%d", successor->n_sockets);
        if (setenv("LISTEN_FDS", text, 1) < 0)
                return -errno;
        (void) snprintf(text, sizeof(text), "%d", (int) getpid());
        if (setenv("LISTEN_PID", text, 1) < 0 || (successor->names && setenv("LISTEN_FDNAMES", successor->names, 1) < 0))
                return -errno;
        return 0;
}

int successor_exec(const struct successor *successor) {
        int r = hand_over(successor);

        if (r < 0)
                return r;
        /* Whatever a library left open. */
        (void) close_range((unsigned) (SD_LISTEN_FDS_START + successor->n_sockets), UINT_MAX, CLOSE_RANGE_CLOEXEC);
        (void) execv(successor->path, successor->argv);
        return -errno;
}

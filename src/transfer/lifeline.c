#include "transfer/lifeline.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

int lifeline_new(int *ret_kept_fd, int *ret_fd) {
        int fds[2];

        if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) < 0)
                return -errno;
        *ret_kept_fd = fds[1];
        *ret_fd = fds[0];
        return 0;
}

int lifeline_hold(int fd) {
        struct pollfd pollfd = { .fd = fd };

        if (fcntl(fd, F_SETOWN, getpid()) < 0 || fcntl(fd, F_SETSIG, SIGKILL) < 0 || fcntl(fd, F_SETFL, O_ASYNC | O_NONBLOCK) < 0)
                return -errno;
        /* It may have been closed before there was a signal to send. */
        if (poll(&pollfd, 1, 0) < 0)
                return -errno;
        return pollfd.revents ? -ECONNRESET : 0;
}

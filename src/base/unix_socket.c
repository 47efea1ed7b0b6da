#include "base/unix_socket.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fds.h"

static int make_address(const char *path, struct sockaddr_un *ret, socklen_t *ret_size) {
        size_t n = strlen(path);

        *ret = (struct sockaddr_un) { .sun_family = AF_UNIX };
        if (n >= sizeof(ret->sun_path))
                return -ENAMETOOLONG;
        memcpy(ret->sun_path, path, n + 1);
        *ret_size = (socklen_t) (offsetof(struct sockaddr_un, sun_path) + n + 1);
        return 0;
}

/* 0: there is nothing, or a socket that nobody serves. The caller holds the lock of the state folder, so it cannot be a
 * starting twin's. */
static int judge_place(const char *path, const struct sockaddr_un *address, socklen_t size) {
        _cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        struct stat st;

        if (fd < 0)
                return -errno;
        if (lstat(path, &st) < 0)
                return errno == ENOENT ? 0 : -errno;
        if (!S_ISSOCK(st.st_mode))
                return -EEXIST;
        if (connect(fd, (const struct sockaddr *) address, size) == 0 || errno == EAGAIN)
                return -EADDRINUSE;
        return errno == ECONNREFUSED || errno == ENOENT ? 0 : -errno;
}

static int make_directory_of(const char *path, mode_t mode) {
        const char *slash = strrchr(path, '/');
        _cleanup_free_ char *directory = NULL;

        if (!slash || slash == path)
                return 0;
        directory = strndup(path, (size_t) (slash - path));
        if (!directory)
                return -ENOMEM;
        if (mkdir(directory, 0700) < 0)
                return errno == EEXIST ? 0 : -errno;
        return chmod(directory, mode) < 0 ? -errno : 0; /* whatever the umask */
}

/* A socket that listens, under a name of its own. */
static int new_socket(const char *path, mode_t mode, int backlog, int *ret) {
        _cleanup_close_ int fd = -EBADF;
        struct sockaddr_un address;
        socklen_t size;
        int r;

        r = make_address(path, &address, &size);
        if (r < 0)
                return r;
        (void) unlink(path);
        fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0)
                return -errno;
        /* Before bind(): the inode gets this mode, less the umask, from its first moment. Afterwards the umask counts no more. */
        if (fchmod(fd, mode) < 0 || bind(fd, (const struct sockaddr *) &address, size) < 0 || chmod(path, mode) < 0)
                return -errno;
        if (listen(fd, backlog) < 0) {
                r = -errno;
                (void) unlink(path);
                return r;
        }
        *ret = TAKE_FD(fd);
        return 0;
}

int unix_socket_listen(const char *path, mode_t mode, int backlog, int *ret_fd, struct stat *ret_stat) {
        _cleanup_free_ char *temporary = NULL;
        _cleanup_close_ int fd = -EBADF;
        struct sockaddr_un address;
        socklen_t size;
        int r;

        r = make_address(path, &address, &size);
        if (r >= 0)
                r = make_directory_of(path, mode & 0066 ? 0755 : 0700);
        if (r >= 0)
                r = judge_place(path, &address, size);
        if (r < 0)
                return r;
        if (asprintf(&temporary, "%s~", path) < 0)
                return -ENOMEM;
        r = new_socket(temporary, mode, backlog, &fd);
        if (r < 0)
                return r;
        if (lstat(temporary, ret_stat) < 0 || rename(temporary, path) < 0) {
                r = -errno;
                (void) unlink(temporary);
                return r;
        }
        *ret_fd = TAKE_FD(fd);
        return 0;
}

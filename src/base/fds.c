#include "base/fds.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

int fd_close(int fd) {
        if (fd >= 0) {
                int saved = errno;

                (void) close(fd);
                errno = saved;
        }
        return -EBADF;
}

int fd_write_all(int fd, const void *buf, size_t size) {
        const char *p = buf;

        while (size > 0) {
                ssize_t n = write(fd, p, size);

                if (n < 0) {
                        if (errno == EINTR)
                                continue;
                        return -errno;
                }
                p += n;
                size -= (size_t) n;
        }
        return 0;
}

int fd_pwrite_all(int fd, const void *buf, size_t size, uint64_t offset) {
        const char *p = buf;

        while (size > 0) {
                ssize_t n = pwrite(fd, p, size, (off_t) offset);

                if (n < 0) {
                        if (errno == EINTR)
                                continue;
                        return -errno;
                }
                if (n == 0)
                        return -EIO;
                p += n;
                offset += (uint64_t) n;
                size -= (size_t) n;
        }
        return 0;
}

ssize_t fd_read_all(int fd, void *buf, size_t size) {
        size_t done = 0;

        while (done < size) {
                ssize_t n = read(fd, (char *) buf + done, size - done);

                if (n < 0) {
                        if (errno == EINTR)
                                continue;
                        return -errno;
                }
                if (n == 0)
                        break;
                done += (size_t) n;
        }
        return (ssize_t) done;
}

ssize_t fd_pread_all(int fd, void *buf, size_t size, uint64_t offset) {
        size_t done = 0;

        while (done < size) {
                ssize_t n = pread(fd, (char *) buf + done, size - done, (off_t)(offset + done));

                if (n < 0) {
                        if (errno == EINTR)
                                continue;
                        return -errno;
                }
                if (n == 0)
                        break;
                done += (size_t) n;
        }
        return (ssize_t) done;
}

int fd_dup(int fd) {
        int r = fcntl(fd, F_DUPFD_CLOEXEC, 3);

        return r < 0 ? -errno : r;
}

int fd_inode(int fd, uint64_t *ret_dev, uint64_t *ret_ino) {
        struct statx sx;

        if (statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_INO, &sx) < 0)
                return -errno;
        *ret_dev = makedev(sx.stx_dev_major, sx.stx_dev_minor);
        *ret_ino = sx.stx_ino;
        return 0;
}

void fd_path(int fd, char ret[static FD_PATH_MAX]) {
        (void) snprintf(ret, FD_PATH_MAX, "/proc/self/fd/%d", fd);
}

int fd_reopen(int fd, int flags) {
        char path[FD_PATH_MAX];
        int r;

        fd_path(fd, path);
        r = open(path, flags | O_CLOEXEC);
        return r < 0 ? -errno : r;
}

bool fd_close_may_wait(int fd) {
        int flags = fcntl(fd, F_GETFL);
        struct statx sx;

        if (flags < 0 || (flags & O_PATH)) /* it stands for a name: nothing was opened */
                return false;
        if (statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE, &sx) < 0)
                return true;
        /* Files in memory, and only they, have seals. Most files of tmpfs are small ones, for which another thread would be dear. */
        if (S_ISREG(sx.stx_mode) || S_ISDIR(sx.stx_mode))
                return sx.stx_dev_major == 0 && fcntl(fd, F_GET_SEALS) < 0;
        return !S_ISFIFO(sx.stx_mode);
}

int fd_occupy_standard(void) {
        int fd;

        do {
                fd = open("/dev/null", O_RDWR | O_NOCTTY);
                if (fd < 0)
                        return -errno;
        } while (fd <= 2);
        (void) close(fd);
        return 0;
}

int fd_set_nonblocking(int fd, bool on) {
        int flags = fcntl(fd, F_GETFL);

        if (flags < 0)
                return -errno;
        if (fcntl(fd, F_SETFL, on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK) < 0)
                return -errno;
        return 0;
}

int fd_read_file(const char *path, size_t max_bytes, char **ret, size_t *ret_size) {
        _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
        _cleanup_free_ char *buf = NULL;
        ssize_t n;

        if (fd < 0)
                return -errno;
        buf = malloc(max_bytes + 2);
        if (!buf)
                return -ENOMEM;
        n = fd_read_all(fd, buf, max_bytes + 1);
        if (n < 0)
                return (int) n;
        if ((size_t) n > max_bytes)
                return -EFBIG;
        buf[n] = 0;
        if (ret_size)
                *ret_size = (size_t) n;
        *ret = TAKE_PTR(buf);
        return 0;
}

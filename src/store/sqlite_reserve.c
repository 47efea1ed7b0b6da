#include "store/sqlite_reserve.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/fds.h"
#include "base/strings.h"

static int make(int directory) {
        _cleanup_close_ int fd = openat(directory, RESERVE_NAME, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
        int r;

        if (fd < 0)
                return errno == EEXIST ? 0 : -errno;
        r = fallocate(fd, 0, 0, RESERVE_BYTES) < 0 ? -errno : 0;
        if (r < 0)
                (void) unlinkat(directory, RESERVE_NAME, 0);
        return r;
}

int reserve_make(const char *directory) {
        _cleanup_close_ int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        struct statvfs vfs;
        struct stat st;

        if (fd < 0 || fstatvfs(fd, &vfs) < 0)
                return -errno;
        if (fstatat(fd, RESERVE_NAME, &st, AT_SYMLINK_NOFOLLOW) == 0)
                return 0;
        if ((uint64_t) vfs.f_bavail * vfs.f_frsize < UINT64_C(2) * RESERVE_BYTES)
                return -ENOSPC;
        return make(fd);
}

bool reserve_spend(const char *directory) {
        _cleanup_close_ int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        return fd >= 0 && unlinkat(fd, RESERVE_NAME, 0) == 0;
}

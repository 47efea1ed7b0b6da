#include "files/space.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>

/* Below this fallocate(2) costs more (an unwritten extent to convert at each sync) than an early answer is worth;
 * the first pwrite(2) gives the same answer. */
#define RESERVE_MIN_BYTES (256 * 1024)

int space_check(int fd, uint64_t need_bytes, uint64_t keep_free) {
        uint64_t available, wanted = u64_add_saturated(need_bytes, keep_free);
        struct statvfs vfs;

        if (fstatvfs(fd, &vfs) < 0)
                return -errno;
        if (vfs.f_blocks == 0)
                return 0;
        /* f_bavail for root too: what is set aside for emergencies is not for downloads. */
        if (__builtin_mul_overflow((uint64_t) vfs.f_bavail, (uint64_t) vfs.f_frsize, &available))
                return 0;
        return wanted > available ? -ENOSPC : 0;
}

int space_check_file_size(uint64_t size) {
        struct rlimit limit;

        if (size > LIMIT_FILE_SIZE)
                return -EFBIG;
        if (getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY && size > limit.rlim_cur)
                return -EFBIG;
        return 0;
}

/* There to reserve is to allocate: it takes as long as writing all of it, nobody can write meanwhile, and for a slow download the memory
 * is gone hours too early. */
static bool is_in_memory(int fd) {
        struct statfs sfs;

        return fstatfs(fd, &sfs) == 0 && (sfs.f_type == TMPFS_MAGIC || sfs.f_type == RAMFS_MAGIC);
}

int space_reserve(int fd, uint64_t size, uint64_t keep_free) {
        uint64_t allocated, need;
        struct stat st;
        int r;

        if (size == FILES_SIZE_UNKNOWN)
                return keep_free > 0 ? space_check(fd, 0, keep_free) : 0;
        r = space_check_file_size(size);
        if (r < 0)
                return r;
        if (fstat(fd, &st) < 0)
                return -errno;
        allocated = (uint64_t) st.st_blocks * 512;
        need = size > allocated ? size - allocated : 0;
        if (need == 0)
                return 0;
        /* First the question, as a fallocate(2) that fails half-way keeps what it got (ext4), and that cannot be
         * given back while the transfer process may be writing. */
        r = space_check(fd, need, keep_free);
        if (r < 0 || size < RESERVE_MIN_BYTES || is_in_memory(fd))
                return r;
        do
                r = fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, (off_t) size) < 0 ? -errno : 0;
        while (r == -EINTR);
        /* Never posix_fallocate(3): it would write zeros. */
        return r == -EOPNOTSUPP || r == -ENOSYS ? 0 : r;
}

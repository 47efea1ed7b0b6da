/* File descriptors: closing without losing errno, reading and writing everything. */
#pragma once

#include <sys/types.h>

#include "base/macros.h"

/* Closes @fd if it is one, keeps errno. Returns -EBADF, so `fd = fd_close(fd);` forgets it. */
int fd_close(int fd);

static inline void fd_closep(int *fd) {
        *fd = fd_close(*fd);
}
#define _cleanup_close_ _cleanup_(fd_closep)

/* Writes all of @buf at the descriptor's position, through EINTR and short writes. 0 or -errno. */
int fd_write_all(int fd, const void *buf, size_t size);
int fd_pwrite_all(int fd, const void *buf, size_t size, uint64_t offset);
/* Reads until @size bytes or end of file. Return: bytes read, or -errno. */
ssize_t fd_read_all(int fd, void *buf, size_t size);
ssize_t fd_pread_all(int fd, void *buf, size_t size, uint64_t offset);

/* A duplicate above 2 with close-on-exec. Return: the new descriptor or -errno. */
int fd_dup(int fd);
/* Its magic link, for calls that take a name, or no O_PATH descriptor: they reach the very file, whatever became of its name. */
#define FD_PATH_MAX 32
void fd_path(int fd, char ret[static FD_PATH_MAX]);
/* The same file, opened anew: with rights of its own, where a copy would share them. @flags get O_CLOEXEC. A descriptor or -errno. */
int fd_reopen(int fd, int flags);
/* Which inode it is, without asking its server: works, and never waits, on a mount that hangs too. 0 or -errno. */
int fd_inode(int fd, uint64_t *ret_dev, uint64_t *ret_ino);
/* May close(2) wait for somebody else? Asked without a word to whoever serves it: what is neither on a block device nor in memory may, as files
 * of FUSE and of networks, sockets that linger, devices that drain. (FUSE on a block device, which only root mounts, looks like a disk.) No
 * answer is kept: numbers of devices are used again. */
bool fd_close_may_wait(int fd);
/* Makes sure that 0, 1 and 2 are open (on /dev/null): a database must never become "stderr". */
int fd_occupy_standard(void);
int fd_set_nonblocking(int fd, bool on);
/* Reads a whole small file. @max_bytes caps it: larger gives -EFBIG. The caller frees *ret (NUL terminated). */
int fd_read_file(const char *path, size_t max_bytes, char **ret, size_t *ret_size);

/* Names and inodes: opening without following what must not be followed, and asking who a file is.
 *
 * Everything here may block (it touches the owner's file system): worker threads only, but for the pure string
 * functions of the first part. It must never know of requests, handles or lanes. */
#pragma once

#include <sys/stat.h>

#include "base/fds.h"
#include "files/files.h"

/* ---- strings only ---- */
/* The name after the last slash, within @path. */
const char *path_name(const char *path);
/* What stands before it; the caller frees. NULL: no memory. */
char *path_directory(const char *path);
/* Has exactly the form that files_temp_name_new() makes. */
bool temp_name_is_valid(const char *name);

/* ---- what an inode is ---- */
struct file_facts {
        struct files_identity identity;
        mode_t mode;
        uid_t uid;
        gid_t gid;
        uint64_t n_links;
        uint64_t size;
        uint64_t allocated_bytes;
        uint64_t block_size;
        uint64_t mount_id; /* 0: the kernel does not say */
        uint64_t mtime_usec;
};
/* Of @name in @dirfd without following a link, or of the descriptor itself when @name is "". 0 or -errno. */
int path_facts(int dirfd, const char *name, struct file_facts *ret);

/* A regular file of ours under one name. */
static inline bool facts_are_ours(const struct file_facts *facts, uid_t uid) {
        return (facts->mode & S_IFMT) == S_IFREG && facts->uid == uid;
}
/* What a destination that is no regular file is called: -EISDIR, -ELOOP, or -EEXIST for a regular one. */
int facts_in_the_way(const struct file_facts *facts);

/* ---- opening ---- */
/* An O_PATH descriptor of a directory. Links in the path are followed if they are our own or root's: who may write to a folder on the way
 * could otherwise lead us, with our rights, to wherever we may write (-EACCES). Magic links of /proc are not. */
int path_open_directory(const char *directory);
/* One component below @dirfd: never through a link, never onto another file system. @flags get O_NOFOLLOW and
 * O_CLOEXEC. */
int path_open_beneath(int dirfd, const char *name, int flags, mode_t mode);

/* ---- directories ---- */
/* Makes the names in @dirfd (O_PATH) durable. A directory that we may write but not read cannot be opened for
 * fsync(2): then the file system of @any_fd (a descriptor of a file in it) is synced instead; -EACCES if there is
 * none. */
int path_sync_directory(int dirfd, int any_fd);
/* Unlinks @name if it is a regular file with this identity. 1: it did; 0: it was not there; -ESTALE: it is something
 * else, untouched. */
int path_unlink_if(int dirfd, const char *name, const struct files_identity *identity);

#include "files/paths.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/strings.h"

#define TEMP_PREFIX ".dosvc-"
#define TEMP_SUFFIX ".part"
#define TEMP_RANDOM_CHARACTERS 22
#define LINKS_MAX 40  /* in one path, as the kernel has it */
#define OPEN_TRIES 32 /* openat2(2) says EAGAIN while somebody renames above us */

const char *path_name(const char *path) {
        const char *slash = strrchr(path, '/');

        return slash ? slash + 1 : path;
}

char *path_directory(const char *path) {
        const char *name = path_name(path);
        size_t length = (size_t)(name - path);

        if (length > 1)
                length--; /* the slash, unless it is the root */
        return strndup(path, length);
}

static bool is_base64url(char c) {
        return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

bool temp_name_is_valid(const char *name) {
        const char *p = startswith(name, TEMP_PREFIX);

        for (size_t i = 0; i < TEMP_RANDOM_CHARACTERS; i++)
                if (!p || !is_base64url(p[i]))
                        return false;
        return streq(p + TEMP_RANDOM_CHARACTERS, TEMP_SUFFIX);
}

static pthread_once_t boot_id_once = PTHREAD_ONCE_INIT;
static uint8_t boot_id[16]; /* all zero: not known */

static void boot_id_read(void) {
        _cleanup_free_ char *text = NULL;
        char digits[33];
        size_t n = 0;

        if (fd_read_file("/proc/sys/kernel/random/boot_id", 128, &text, NULL) < 0)
                return;
        for (const char *p = text; *p && n < sizeof(digits) - 1; p++)
                if (*p != '-')
                        digits[n++] = *p;
        digits[n] = 0;
        if (hex_decode(digits, boot_id, sizeof(boot_id)) < 0)
                memset(boot_id, 0, sizeof(boot_id));
}

/* 0: before 1970, or nonsense. */
static uint64_t usec_of(const struct statx_timestamp *time) {
        if (time->tv_sec < 0 || (uint64_t) time->tv_sec >= FILES_BTIME_MAX / USEC_PER_SEC)
                return 0;
        return (uint64_t) time->tv_sec * USEC_PER_SEC + time->tv_nsec / 1000;
}

int path_facts(int dirfd, const char *name, struct file_facts *ret) {
        struct statx sx;
        unsigned mask = STATX_BASIC_STATS | STATX_BTIME | STATX_MNT_ID;
        int flags = AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | (*name ? 0 : AT_EMPTY_PATH);

        if (statx(dirfd, name, flags, mask, &sx) < 0)
                return -errno;
        pthread_once(&boot_id_once, boot_id_read);
        *ret = (struct file_facts) {
                .identity.ino = sx.stx_ino,
                .identity.dev = makedev(sx.stx_dev_major, sx.stx_dev_minor),
                .mode = sx.stx_mode,
                .uid = sx.stx_uid,
                .gid = sx.stx_gid,
                .n_links = sx.stx_nlink,
                .size = sx.stx_size,
                .allocated_bytes = sx.stx_blocks * 512,
                .block_size = sx.stx_blksize,
                .mtime_usec = usec_of(&sx.stx_mtime),
        };
        if (sx.stx_mask & STATX_BTIME)
                ret->identity.btime_usec = usec_of(&sx.stx_btime);
        if (sx.stx_mask & STATX_MNT_ID)
                ret->mount_id = sx.stx_mnt_id;
        memcpy(ret->identity.boot_id, boot_id, sizeof(boot_id));
        return 0;
}

int facts_in_the_way(const struct file_facts *facts) {
        if ((facts->mode & S_IFMT) == S_IFREG)
                return -EEXIST;
        return (facts->mode & S_IFMT) == S_IFDIR ? -EISDIR : -ELOOP;
}

static int open_resolving(int dirfd, const char *name, int flags, mode_t mode, uint64_t resolve) {
        struct open_how how = {
                .flags = (uint64_t) flags,
                .mode = flags & O_CREAT ? mode : 0,
                .resolve = resolve,
        };
        int fd = -1;

        for (unsigned i = 0; i < OPEN_TRIES; i++) {
                fd = (int) syscall(SYS_openat2, dirfd, name, &how, sizeof(how));
                if (fd >= 0 || (errno != EAGAIN && errno != EINTR))
                        break;
        }
        /* Before Linux 5.6, and in containers whose seccomp list is older than that (EPERM). */
        if (fd < 0 && (errno == ENOSYS || errno == EPERM))
                do
                        fd = openat(dirfd, name, flags, mode);
                while (fd < 0 && errno == EINTR);
        return fd < 0 ? -errno : fd;
}

/* A path on its way: where it has come to, and what is still to be gone. */
struct walk {
        int fd;
        char rest[2 * PATH_MAX];
        unsigned n_links;
};

/* What is no directory: if it is a link that may be followed, its text stands in front of the rest now. */
static int walk_into_link(struct walk *walk, const char *name, const char *rest) {
        _cleanup_close_ int link = openat(walk->fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
        char text[2 * PATH_MAX];
        struct statfs file_system;
        struct stat info;
        ssize_t n;

        if (link < 0 || fstat(link, &info) < 0)
                return -errno;
        if (!S_ISLNK(info.st_mode))
                return -ENOTDIR;
        if (fstatfs(link, &file_system) < 0)
                return -errno;
        if (file_system.f_type == PROC_SUPER_MAGIC)
                return -ELOOP; /* perhaps a magic one: its text is not where it leads */
        if (info.st_uid != 0 && info.st_uid != geteuid())
                return -EACCES;
        n = readlinkat(link, "", text, PATH_MAX);
        if (n < 0)
                return -errno;
        if (++walk->n_links > LINKS_MAX)
                return -ELOOP;
        if (n == 0 || n == PATH_MAX || (size_t) n + strlen(rest) + 2 > sizeof(text))
                return -ENAMETOOLONG;
        (void) stpcpy(stpcpy(text + n, "/"), rest);
        (void) stpcpy(walk->rest, text);
        if (text[0] != '/')
                return 0;
        (void) fd_close(walk->fd);
        walk->fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
        return walk->fd < 0 ? -errno : 0;
}

/* The next component. 1: there was one. */
static int walk_on(struct walk *walk) {
        char *name = walk->rest + strspn(walk->rest, "/"), *end = name + strcspn(name, "/");
        char *rest = *end ? end + 1 : end;
        int fd, r;

        if (name == end)
                return 0;
        *end = 0;
        fd = openat(walk->fd, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0 && errno != ENOTDIR && errno != ELOOP)
                return -errno;
        if (fd < 0) {
                r = walk_into_link(walk, name, rest);
                return r < 0 ? r : 1;
        }
        (void) fd_close(walk->fd);
        walk->fd = fd;
        memmove(walk->rest, rest, strlen(rest) + 1);
        return 1;
}

static int open_through_links(const char *directory) {
        struct walk walk = { .fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC) };
        int r;

        if (walk.fd < 0)
                return -errno;
        if (strlen(directory) >= sizeof(walk.rest))
                r = -ENAMETOOLONG;
        else {
                (void) stpcpy(walk.rest, directory);
                do
                        r = walk_on(&walk);
                while (r > 0);
        }
        if (r == 0)
                return walk.fd;
        (void) fd_close(walk.fd);
        return r;
}

int path_open_directory(const char *directory) {
        struct open_how how = { .flags = O_PATH | O_DIRECTORY | O_CLOEXEC, .resolve = RESOLVE_NO_SYMLINKS };
        int fd;

        if (directory[0] != '/')
                return -EINVAL;
        fd = (int) syscall(SYS_openat2, AT_FDCWD, directory, &how, sizeof(how));
        /* The kernel's answer about a path without links is all that most paths need. */
        if (fd >= 0 || (errno != ELOOP && errno != ENOSYS && errno != EPERM && errno != EAGAIN && errno != EINTR))
                return fd < 0 ? -errno : fd;
        return open_through_links(directory);
}

int path_open_beneath(int dirfd, const char *name, int flags, mode_t mode) {
        return open_resolving(dirfd, name, flags | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY, mode,
                              RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV);
}

int path_sync_directory(int dirfd, int any_fd) {
        _cleanup_close_ int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        if (fd < 0) {
                if (errno != EACCES || any_fd < 0)
                        return -errno;
                return syncfs(any_fd) < 0 ? -errno : 0;
        }
        /* EINVAL and its like: a file system without this call for directories; there is nothing more to be had. */
        if (fsync(fd) < 0 && errno != EINVAL && errno != EOPNOTSUPP && errno != ENOSYS)
                return -errno;
        return 0;
}

int path_unlink_if(int dirfd, const char *name, const struct files_identity *identity) {
        struct file_facts facts;
        int r = path_facts(dirfd, name, &facts);

        if (r == -ENOENT)
                return 0;
        if (r < 0)
                return r;
        if ((facts.mode & S_IFMT) != S_IFREG || !files_identity_equal(&facts.identity, identity))
                return -ESTALE;
        if (unlinkat(dirfd, name, 0) < 0)
                return errno == ENOENT ? 0 : -errno;
        return 1;
}

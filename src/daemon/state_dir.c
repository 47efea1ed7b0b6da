#include "daemon/state_dir.h"

#include <fcntl.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/fds.h"
#include "base/log.h"
#include "base/strings.h"

#define MARKER "running"

/* ---- where ---- */

static int home_directory(char **ret) {
        const char *home = secure_getenv("HOME");
        struct passwd *entry;

        if (!home || *home != '/') {
                entry = getpwuid(getuid()); /* no thread runs yet */
                home = entry ? entry->pw_dir : NULL;
        }
        if (!home || *home != '/')
                return -ENXIO;
        *ret = strdup(home);
        return *ret ? 0 : -ENOMEM;
}

/* XDG base directories: a value that is not absolute counts as unset. */
static int base_directory(const char *variable, const char *below_home, char **ret) {
        const char *value = secure_getenv(variable);
        _cleanup_free_ char *home = NULL;
        int r;

        if (value && *value == '/') {
                *ret = strdup(value);
                return *ret ? 0 : -ENOMEM;
        }
        if (!below_home)
                return -ENXIO;
        r = home_directory(&home);
        if (r < 0)
                return r;
        return asprintf(ret, "%s/%s", home, below_home) < 0 ? -ENOMEM : 0;
}

static int below_base(const char *variable, const char *below_home, const char *rest, char **ret) {
        _cleanup_free_ char *base = NULL;
        int r = base_directory(variable, below_home, &base);

        if (r < 0)
                return r;
        return asprintf(ret, "%s/%s", base, rest) < 0 ? -ENOMEM : 0;
}

int state_dir_default(char **ret) {
        return below_base("XDG_STATE_HOME", ".local/state", "dosvc", ret);
}

int config_path_default(char **ret) {
        return below_base("XDG_CONFIG_HOME", ".config", "dosvc/dosvc.conf", ret);
}

int certificates_path_default(char **ret) {
        return below_base("XDG_CONFIG_HOME", ".config", "dosvc/certificates", ret);
}

int runtime_socket_default(char **ret) {
        return below_base("XDG_RUNTIME_DIR", NULL, "dosvc/bus", ret);
}

/* ---- making it ---- */

static int make_directories(char *path) {
        for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
                *slash = 0;
                if (mkdir(path, 0700) < 0 && errno != EEXIST && errno != EROFS && errno != EACCES) {
                        *slash = '/';
                        return -errno;
                }
                *slash = '/';
        }
        return mkdir(path, 0700) < 0 && errno != EEXIST ? -errno : 0;
}

static int judge_directory(const char *path) {
        _cleanup_close_ int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        struct stat st;

        if (fd < 0 || fstat(fd, &st) < 0)
                return -errno;
        if (st.st_uid != geteuid())
                return -EPERM;
        if ((st.st_mode & 07777) != 0700) {
                log_notice("%s was open to others; it is private now", path);
                if (fchmod(fd, 0700) < 0)
                        return -errno;
        }
        return 0;
}

int state_dir_make(const char *path, char **ret) {
        _cleanup_free_ char *real = NULL, *copy = strdup(path);
        int r;

        if (!copy || !*copy)
                return copy ? -EINVAL : -ENOMEM;
        r = make_directories(copy);
        if (r < 0)
                return r;
        real = realpath(path, NULL);
        if (!real)
                return -errno;
        r = judge_directory(real);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(real);
        return 0;
}

int state_dir_is_network(const char *path) {
        static const uint32_t magics[] = {
                0x00006969, /* NFS */
                0x0000517b, /* SMB */
                0xff534d42, /* CIFS */
                0xfe534d42, /* SMB2 */
                0x65735546, /* FUSE: sshfs and friends */
                0x01021997, /* 9P */
                0x00c36400, /* Ceph */
                0x5346414f, /* AFS */
                0x6b414653, /* kAFS */
                0x73757245, /* Coda */
                0x7461636f, /* OCFS2 */
                0x01161970, /* GFS2 */
                0x0bd00bd0, /* Lustre */
                0x786f4256, /* vboxsf */
        };
        struct statfs fs;

        if (statfs(path, &fs) < 0)
                return -errno;
        for (size_t i = 0; i < ELEMENTSOF(magics); i++)
                if ((uint32_t) fs.f_type == magics[i])
                        return 1;
        return 0;
}

/* ---- did the last run end well? ---- */

int state_dir_begin_run(const char *path, bool *ret_unclean) {
        _cleanup_close_ int directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), fd = -EBADF;

        if (directory < 0)
                return -errno;
        fd = openat(directory, MARKER, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
        *ret_unclean = fd < 0 && errno == EEXIST;
        if (fd < 0 && errno != EEXIST)
                return -errno;
        return fd >= 0 && fsync(directory) < 0 ? -errno : 0;
}

void state_dir_end_run(const char *path) {
        _cleanup_close_ int directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        if (directory >= 0)
                (void) unlinkat(directory, MARKER, 0);
}

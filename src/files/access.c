#include "files/access.h"

#include <endian.h>
#include <fcntl.h>
#include <linux/posix_acl.h>
#include <linux/posix_acl_xattr.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#define ACL_MAX_BYTES 65536 /* XATTR_SIZE_MAX */
/* <linux/xattr.h> and <sys/xattr.h> quarrel over other names. */
#define ACL_DEFAULT_NAME "system.posix_acl_default"
#define ACL_ACCESS_NAME "system.posix_acl_access"

/* The permission bits that an ACL means: those of the mask are the group's. Return: false if @acl is not
 * well-formed. */
static bool acl_mode(const void *acl, size_t size, mode_t *ret, bool *ret_has_mask) {
        const struct posix_acl_xattr_header *header = acl;
        const struct posix_acl_xattr_entry *entries = (const void *) (header + 1);
        mode_t user = 0, group = 0, mask = 0, other = 0;
        size_t n;

        *ret_has_mask = false;
        if (size < sizeof(*header) || le32toh(header->a_version) != POSIX_ACL_XATTR_VERSION)
                return false;
        n = (size - sizeof(*header)) / sizeof(*entries);
        for (size_t i = 0; i < n; i++) {
                mode_t perm = le16toh(entries[i].e_perm) & 7;

                switch (le16toh(entries[i].e_tag)) {
                case ACL_USER_OBJ:
                        user = perm;
                        break;
                case ACL_GROUP_OBJ:
                        group = perm;
                        break;
                case ACL_MASK:
                        mask = perm;
                        *ret_has_mask = true;
                        break;
                case ACL_OTHER:
                        other = perm;
                        break;
                default:
                        break;
                }
        }
        *ret = user << 6 | (*ret_has_mask ? mask : group) << 3 | other;
        return n > 0;
}

/* Asked without room for one: most directories have none, and nobody needs to clear 64 KiB to hear that. */
bool access_has_default(int dirfd) {
        char directory[FD_PATH_MAX];

        fd_path(dirfd, directory);
        return getxattr(directory, ACL_DEFAULT_NAME, NULL, 0) > 0;
}

mode_t access_mode_by_default(int dirfd, int fd, mode_t wanted) {
        _cleanup_free_ void *acl = NULL;
        char directory[FD_PATH_MAX];
        bool has_mask;
        mode_t mode;
        ssize_t n;

        fd_path(dirfd, directory);
        acl = malloc(ACL_MAX_BYTES);
        n = acl ? getxattr(directory, ACL_DEFAULT_NAME, acl, ACL_MAX_BYTES) : -1;
        if (n <= 0 || !acl_mode(acl, (size_t) n, &mode, &has_mask))
                return wanted;
        /* The temp file was made 0600 and so inherited the named entries behind an empty mask: the mode opens the
         * mask. If it has none of them the default came later, and its mask would be given to the group. */
        if (has_mask && fgetxattr(fd, ACL_ACCESS_NAME, NULL, 0) <= 0)
                return wanted;
        return mode & 0666;
}

static int acl_copy(int fd, int dirfd, const char *name, const struct file_facts *replaced) {
        _cleanup_close_ int path_fd = openat(dirfd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
        _cleanup_free_ void *acl = malloc(ACL_MAX_BYTES);
        char path[FD_PATH_MAX];
        struct file_facts facts;
        ssize_t n;
        int r;

        if (path_fd < 0)
                return -errno;
        if (!acl)
                return -ENOMEM;
        r = path_facts(path_fd, "", &facts);
        if (r < 0)
                return r;
        /* Whoever may write to the directory could give the name to a file whose ACL lets him in. */
        if (!files_identity_equal(&facts.identity, &replaced->identity))
                return -ESTALE;
        fd_path(path_fd, path);
        n = getxattr(path, ACL_ACCESS_NAME, acl, ACL_MAX_BYTES);
        if (n > 0)
                return fsetxattr(fd, ACL_ACCESS_NAME, acl, (size_t) n, 0) < 0 ? -errno : 0;
        if (n < 0 && errno != ENODATA && errno != EOPNOTSUPP && errno != ENOSYS)
                return -errno;
        /* It has none: neither may ours keep what it inherited. */
        if (fremovexattr(fd, ACL_ACCESS_NAME) < 0 && errno != ENODATA && errno != EOPNOTSUPP && errno != ENOSYS)
                return -errno;
        return 0;
}

int access_copy(int fd, int dirfd, const char *name, const struct file_facts *replaced) {
        mode_t mode = replaced->mode & 0777;
        struct stat st;
        int r;

        if (fstat(fd, &st) < 0)
                return -errno;
        /* What the group may do is meant for that group. Where we may not give it the file, its rights are no more
         * than everybody's. */
        if (st.st_gid != replaced->gid && fchown(fd, (uid_t) -1, replaced->gid) < 0) {
                mode &= 0707 | (mode & 07) << 3;
                return fchmod(fd, mode) < 0 ? -errno : 0;
        }
        r = acl_copy(fd, dirfd, name, replaced);
        if (r < 0)
                return r;
        return fchmod(fd, mode) < 0 ? -errno : 0;
}

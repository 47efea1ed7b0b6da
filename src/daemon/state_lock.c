#include "daemon/state_lock.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <systemd/sd-id128.h>
#include <unistd.h>

#include "base/fds.h"
#include "base/strings.h"

static int boot_id(char ret[static BOOT_ID_MAX]) {
        sd_id128_t id;
        int r = sd_id128_get_boot(&id);

        if (r < 0)
                return r;
        (void) sd_id128_to_string(id, ret);
        return 0;
}

static void read_holder(int fd, struct state_lock_holder *ret) {
        char content[1024], own_boot[BOOT_ID_MAX];
        char *boot, *address, *end;
        uint64_t pid;
        ssize_t n;

        *ret = (struct state_lock_holder) {};
        n = fd_pread_all(fd, content, sizeof(content) - 1, 0);
        if (n <= 0)
                return;
        content[n] = 0;
        boot = strchr(content, '\n');
        address = boot ? strchr(boot + 1, '\n') : NULL;
        end = address ? strchr(address + 1, '\n') : NULL;
        if (!end)
                return;
        *boot++ = *address++ = *end = 0;
        if (parse_u64(content, &pid) < 0 || pid > INT32_MAX)
                return;
        ret->pid = (pid_t) pid;
        (void) snprintf(ret->boot_id, sizeof(ret->boot_id), "%s", boot);
        (void) snprintf(ret->address, sizeof(ret->address), "%s", address);
        ret->other_machine = boot_id(own_boot) >= 0 && !streq(own_boot, ret->boot_id);
}

int state_lock_take(const char *state_dir, int *ret_fd, struct state_lock_holder *ret_holder) {
        _cleanup_free_ char *path = NULL;
        _cleanup_close_ int fd = -EBADF;

        if (asprintf(&path, "%s/lock", state_dir) < 0)
                return -ENOMEM;
        fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY, 0600);
        if (fd < 0)
                return -errno;
        if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
                if (errno != EWOULDBLOCK)
                        return -errno;
                read_holder(fd, ret_holder);
                return STATE_LOCK_HELD;
        }
        /* What a dead one left must not send clients to a place where nobody is. */
        if (ftruncate(fd, 0) < 0)
                return -errno;
        *ret_fd = TAKE_FD(fd);
        return 0;
}

int state_lock_publish(int fd, const char *address) {
        _cleanup_free_ char *content = NULL;
        char boot[BOOT_ID_MAX];
        int n, r;

        r = boot_id(boot);
        if (r < 0)
                return r;
        n = asprintf(&content, "%d\n%s\n%s\n", (int) getpid(), boot, address);
        if (n < 0)
                return -ENOMEM;
        return fd_pwrite_all(fd, content, (size_t) n, 0);
}

char *unix_address_new(const char *path) {
        static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_/.\\*";
        static const char digits[] = "0123456789abcdef";
        char *address = malloc(strlen("unix:path=") + 3 * strlen(path) + 1), *p;

        if (!address)
                return NULL;
        p = stpcpy(address, "unix:path=");
        for (; *path; path++) {
                unsigned char c = (unsigned char) *path;

                if (strchr(plain, c))
                        *p++ = (char) c;
                else {
                        *p++ = '%';
                        *p++ = digits[c >> 4];
                        *p++ = digits[c & 15];
                }
        }
        *p = 0;
        return address;
}

#include "client/address.h"

#include <pwd.h>
#include <stdio.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fds.h"
#include "base/guid.h"
#include "base/strings.h"

#define BOOT_ID_FILE "/proc/sys/kernel/random/boot_id"
#define PASSWD_BUFFER 16384 /* bytes of one entry of the password database */

const char *address_getenv(const char *name) {
        const char *value = secure_getenv(name);

        return value && *value ? value : NULL;
}

int address_home(char **ret) {
        const char *home = address_getenv("HOME");
        _cleanup_free_ char *buffer = NULL;
        struct passwd entry, *found = NULL;

        if (!home || *home != '/') {
                buffer = malloc(PASSWD_BUFFER);
                if (!buffer)
                        return -ENOMEM;
                if (getpwuid_r(geteuid(), &entry, buffer, PASSWD_BUFFER, &found) != 0 || !found)
                        return -ENOENT;
                home = entry.pw_dir;
        }
        *ret = strdup(home);
        return *ret ? 0 : -ENOMEM;
}

int address_state_directory(char **ret) {
        const char *state = address_getenv("XDG_STATE_HOME");
        _cleanup_free_ char *home = NULL;
        int r;

        /* The XDG rules: a relative path is ignored. */
        if (state && *state == '/')
                return asprintf(ret, "%s/dosvc", state) < 0 ? -ENOMEM : 0;
        r = address_home(&home);
        if (r < 0)
                return r;
        return asprintf(ret, "%s/.local/state/dosvc", home) < 0 ? -ENOMEM : 0;
}

/* D-Bus specification, "Server Addresses": these bytes stand for themselves. */
static bool stands_for_itself(char c) {
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
               (c && strchr("-_/.\\*", c));
}

int address_from_path(const char *path, char **ret) {
        static const char prefix[] = "unix:path=";
        char *out = malloc(sizeof(prefix) + strlen(path) * 3), *p = out;

        if (!out)
                return -ENOMEM;
        p = stpcpy(p, prefix);
        for (; *path; path++) {
                if (stands_for_itself(*path))
                        *p++ = *path;
                else
                        p += sprintf(p, "%%%02x", (uint8_t) *path);
        }
        *p = 0;
        *ret = out;
        return 0;
}

/* The next line without its end, or NULL. Advances *p. */
static char *next_line(char **p) {
        char *line = *p, *end = strchr(line, '\n');

        if (!end)
                return NULL;
        *end = 0;
        *p = end + 1;
        return line;
}

/* Both forms of an id, with dashes or without, are in use. */
static bool is_same_id(const char *a, const char *b) {
        struct guid first, second;

        return guid_from_string(a, &first) >= 0 && guid_from_string(b, &second) >= 0 && guid_equal(&first, &second);
}

int address_parse_lock(const char *content, const char *boot_id, char **ret_address) {
        _cleanup_free_ char *copy = NULL;
        char *p, *pid, *boot, *address;
        uint64_t number;

        /* The last line need not end. */
        if (asprintf(&copy, "%s\n", content) < 0) {
                copy = NULL;
                return -ENOMEM;
        }
        p = copy;
        pid = next_line(&p);
        boot = pid ? next_line(&p) : NULL;
        address = boot ? next_line(&p) : NULL;
        if (!address || parse_u64(pid, &number) < 0 || !startswith(address, "unix:"))
                return -EINVAL;
        if (boot_id && !is_same_id(boot, boot_id))
                return -ESTALE;
        *ret_address = strdup(address);
        return *ret_address ? 0 : -ENOMEM;
}

static int read_lock(const char *state_directory, char **ret_address) {
        _cleanup_free_ char *path = NULL, *content = NULL, *boot_id = NULL;
        size_t size;
        int r;

        if (asprintf(&path, "%s/lock", state_directory) < 0) {
                path = NULL;
                return -ENOMEM;
        }
        r = fd_read_file(path, ADDRESS_LOCK_MAX, &content, &size);
        if (r < 0)
                return r;
        if (fd_read_file(BOOT_ID_FILE, 64, &boot_id, &size) >= 0)
                boot_id[strcspn(boot_id, "\n")] = 0;
        return address_parse_lock(content, boot_id, ret_address);
}

static bool fits_into_a_socket_address(const char *path) {
        return strlen(path) < sizeof(((struct sockaddr_un *) NULL)->sun_path);
}

static int add_path(const char *directory, const char *name, char *ret[], size_t *n) {
        _cleanup_free_ char *path = NULL;
        char *address;
        int r;

        if (asprintf(&path, "%s/%s", directory, name) < 0) {
                path = NULL;
                return -ENOMEM;
        }
        if (!fits_into_a_socket_address(path))
                return 0;
        r = address_from_path(path, &address);
        if (r < 0)
                return r;
        for (size_t i = 0; i < *n; i++)
                if (streq(ret[i], address)) {
                        free(address);
                        return 0;
                }
        ret[(*n)++] = address;
        return 0;
}

int address_list_user(const char *state_directory, char *ret[], size_t max) {
        const char *runtime = address_getenv("XDG_RUNTIME_DIR");
        size_t n = 0;
        int r = 0;

        if (n < max && read_lock(state_directory, &ret[n]) >= 0)
                n++;
        if (n < max)
                r = add_path(state_directory, "bus", ret, &n);
        if (r >= 0 && n < max && runtime && *runtime == '/')
                r = add_path(runtime, "dosvc/bus", ret, &n);
        if (r >= 0)
                return (int) n;
        while (n > 0)
                free(ret[--n]);
        return r;
}

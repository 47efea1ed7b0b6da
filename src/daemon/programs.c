#include "daemon/programs.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "config.h"

static int own_directory(char ret[static PATH_MAX]) {
        ssize_t n = readlink("/proc/self/exe", ret, PATH_MAX - 1);
        char *slash;

        if (n < 0)
                return -errno;
        ret[n] = 0;
        slash = strrchr(ret, '/');
        if (!slash)
                return -ENOENT;
        *slash = 0;
        return 0;
}

/* 1: there it is. */
static int look(const char *directory, const char *name, char **ret) {
        _cleanup_free_ char *path = NULL;

        if (asprintf(&path, "%s/%s", directory, name) < 0)
                return -ENOMEM;
        if (access(path, X_OK) < 0)
                return 0;
        *ret = TAKE_PTR(path);
        return 1;
}

int programs_find(const char *name, char **ret) {
        const char *libexec = secure_getenv("DOSVC_LIBEXECDIR");
        char own[PATH_MAX];
        int r = 0;

        if (own_directory(own) >= 0)
                r = look(own, name, ret);
        if (r == 0)
                r = look(libexec && *libexec == '/' ? libexec : DOSVC_LIBEXECDIR, name, ret);
        if (r != 0)
                return r < 0 ? r : 0;
        log_error("%s is neither beside this program nor in %s", name, libexec ? libexec : DOSVC_LIBEXECDIR);
        return -ENOENT;
}

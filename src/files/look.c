#include "files/look.h"

#include <fcntl.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/strings.h"

void look_done(struct look *look) {
        free(look->path);
        directory_unref(look->directory);
        *look = (struct look) {};
}

int look_open(struct look *look, struct directories *directories, uint64_t turn, const char *path, struct directory **ret) {
        int r;

        if (!look->path || look->turn != turn || !streq(look->path, path)) {
                look_done(look);
                r = directory_open(directories, path, &look->directory);
                if (r < 0)
                        return r;
                r = strdup_to(&look->path, path);
                if (r < 0) {
                        look_done(look);
                        return r;
                }
                look->turn = turn;
        }
        *ret = look->directory;
        return 0;
}

static int ask_writable(struct look *look) {
        int fd = directory_fd(look->directory);
        struct statvfs vfs;

        if (fstatvfs(fd, &vfs) < 0)
                return -errno;
        look->name_max = vfs.f_namemax;
        if (vfs.f_flag & ST_RDONLY)
                return -EROFS;
        return faccessat(fd, ".", W_OK | X_OK, AT_EACCESS) < 0 ? -errno : 0;
}

int look_writable(struct look *look, const char *name) {
        if (!look->writable_asked)
                look->writable_error = ask_writable(look);
        look->writable_asked = true;
        if (look->writable_error != -EROFS && look->name_max > 0 && strlen(name) > look->name_max)
                return -ENAMETOOLONG;
        return look->writable_error;
}

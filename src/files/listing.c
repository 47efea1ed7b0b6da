#include "files/listing.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fds.h"

/* Entries that may be read for each name that is looked for; a stat(2) costs about as much as reading ten. */
#define ENTRIES_PER_NAME 8

static void closedirp(DIR **dir) {
        if (*dir)
                closedir(*dir);
}

static int compare_names(const void *a, const void *b) {
        const struct listing_name *x = a, *y = b;

        return strcmp(x->name, y->name);
}

static DIR *open_listing(int dirfd) {
        int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;

        if (!dir)
                fd_close(fd);
        return dir;
}

bool listing_find(int dirfd, struct listing_name *names, size_t n) {
        _cleanup_(closedirp) DIR *dir = open_listing(dirfd);
        const struct dirent *entry;

        if (!dir)
                return false;
        qsort(names, n, sizeof(*names), compare_names);
        errno = 0;
        for (size_t left = n * ENTRIES_PER_NAME; (entry = readdir(dir)); left--) {
                struct listing_name *found;

                if (left == 0)
                        return false;
                found = bsearch(&(struct listing_name) { .name = entry->d_name }, names, n, sizeof(*names), compare_names);
                if (found)
                        found->ino = entry->d_ino;
        }
        if (errno != 0)
                return false;
        /* Of equal names one was found. */
        for (size_t i = 1; i < n; i++)
                if (names[i].ino == 0 && compare_names(&names[i - 1], &names[i]) == 0)
                        names[i].ino = names[i - 1].ino;
        for (size_t i = n; i-- > 1;)
                if (names[i - 1].ino == 0 && compare_names(&names[i - 1], &names[i]) == 0)
                        names[i - 1].ino = names[i].ino;
        return true;
}

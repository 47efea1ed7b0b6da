/* Preloaded into a service that is to break its durability protocol on purpose: the positive controls of the power-cut harness.
 *
 * DOSVC_LIE=row-before-data: syncing a temporary file does nothing, so rows claim bytes that are not on disk.
 * DOSVC_LIE=lazy-commits: syncing the database's log does nothing, which is what synchronous=NORMAL is: answers run ahead of the disk. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int is_lied_to(int fd) {
        const char *lie = getenv("DOSVC_LIE");
        char link[64], path[4096];
        ssize_t n;

        if (!lie)
                return 0;
        snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
        n = readlink(link, path, sizeof(path) - 1);
        if (n < 0)
                return 0;
        path[n] = 0;
        if (strcmp(lie, "row-before-data") == 0)
                return strstr(path, "/.dosvc-") != NULL;
        return strcmp(lie, "lazy-commits") == 0 && strstr(path, "jobs.sqlite") != NULL;
}

int fdatasync(int fd) {
        int (*real)(int) = (int (*)(int)) dlsym(RTLD_NEXT, "fdatasync");

        return is_lied_to(fd) ? 0 : real(fd);
}

int fsync(int fd) {
        int (*real)(int) = (int (*)(int)) dlsym(RTLD_NEXT, "fsync");

        return is_lied_to(fd) ? 0 : real(fd);
}

#include "failing_memory.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static atomic_ulong count;
static unsigned long fail_at;
static int for_ever;

__attribute__((constructor)) static void read_environment(void) {
        const char *at = getenv("DOSVC_FAIL_AT"), *mode = getenv("DOSVC_FAIL_MODE");

        fail_at = at ? strtoul(at, NULL, 10) : 0;
        for_ever = mode && strcmp(mode, "ever") == 0;
}

/* For programs that know nothing of this one: how many there were, into the file DOSVC_FAIL_REPORT. */
__attribute__((destructor)) static void report_count(void) {
        const char *path = getenv("DOSVC_FAIL_REPORT");
        FILE *f = path ? fopen(path, "we") : NULL;

        if (!f)
                return;
        (void) fprintf(f, "%lu\n", atomic_load(&count));
        (void) fclose(f);
}

int failing_memory_next(void) {
        unsigned long n = atomic_fetch_add(&count, 1) + 1;

        if (fail_at == 0 || (for_ever ? n < fail_at : n != fail_at))
                return 0;
        errno = ENOMEM;
        return 1;
}

#define WRAP(type, name, parameters, arguments)      \
        type __real_##name parameters;               \
        type __wrap_##name parameters;               \
        type __wrap_##name parameters {              \
                if (failing_memory_next())           \
                        return NULL;                 \
                return __real_##name arguments;      \
        }
WRAP(void *, malloc, (size_t n), (n))
WRAP(void *, calloc, (size_t n, size_t size), (n, size))
WRAP(void *, realloc, (void *p, size_t n), (p, n))
WRAP(void *, reallocarray, (void *p, size_t n, size_t size), (p, n, size))
WRAP(char *, strdup, (const char *s), (s))
WRAP(char *, strndup, (const char *s, size_t n), (s, n))

int __real_vasprintf(char **ret, const char *format, va_list ap) __attribute__((format(printf, 2, 0)));
int __wrap_vasprintf(char **ret, const char *format, va_list ap) __attribute__((format(printf, 2, 0)));
int __wrap_asprintf(char **ret, const char *format, ...) __attribute__((format(printf, 2, 3)));

int __wrap_vasprintf(char **ret, const char *format, va_list ap) {
        return failing_memory_next() ? -1 : __real_vasprintf(ret, format, ap);
}

int __wrap_asprintf(char **ret, const char *format, ...) {
        va_list ap;
        int n;

        va_start(ap, format);
        n = __wrap_vasprintf(ret, format, ap);
        va_end(ap);
        return n;
}

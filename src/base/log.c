#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static struct {
        const char *name;
        enum log_level max_level;
        bool journal;
} state = { .name = "dosvc", .max_level = LOG_LEVEL_WARNING };

void log_setup(const char *name, enum log_level max_level) {
        state.name = name;
        state.max_level = max_level;
        state.journal = getenv("JOURNAL_STREAM") != NULL;
}

void log_message(enum log_level level, const char *format, ...) {
        char line[2048];
        int n, m;
        va_list ap;

        if (level > state.max_level)
                return;
        n = state.journal ? snprintf(line, sizeof(line), "<%d>", level)
                          : snprintf(line, sizeof(line), "%s: ", state.name);
        va_start(ap, format);
        m = vsnprintf(line + n, sizeof(line) - (size_t) n - 1, format, ap);
        va_end(ap);
        if (m < 0)
                return;
        n = MIN(n + m, (int) sizeof(line) - 2);
        line[n++] = '\n';
        (void) !write(STDERR_FILENO, line, (size_t) n); /* nobody left to tell */
}

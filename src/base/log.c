#include "base/log.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINE_MAX 2048

static struct {
        const char *name;
        enum log_level max_level;
        bool journal;
        log_sink_fn sink;
} state = { .name = "dosvc", .max_level = LOG_LEVEL_WARNING };

bool log_stderr_is_journal(void) {
        const char *stream = getenv("JOURNAL_STREAM");
        uintmax_t device, inode;
        struct stat st;

        return stream && sscanf(stream, "%" SCNuMAX ":%" SCNuMAX, &device, &inode) == 2 && fstat(STDERR_FILENO, &st) == 0 &&
               st.st_dev == device && st.st_ino == inode;
}

void log_setup(const char *name, enum log_level max_level) {
        state.name = name;
        state.max_level = max_level;
        state.journal = log_stderr_is_journal();
}

void log_set_sink(log_sink_fn sink) {
        state.sink = sink;
}

static void write_line(enum log_level level, const char *text) {
        char line[LINE_MAX + 64];
        int n;

        n = state.journal ? snprintf(line, sizeof(line), "<%d>%s\n", level, text)
                          : snprintf(line, sizeof(line), "%.60s: %s\n", state.name, text);
        if (n > 0)
                (void) !write(STDERR_FILENO, line, (size_t) n); /* nobody left to tell */
}

_printf_(2, 0)
static void emit(const struct log_line *line, const char *format, va_list ap) {
        struct log_line full = *line;
        char text[LINE_MAX];

        if (vsnprintf(text, sizeof(text), format, ap) < 0)
                return;
        full.program = state.name;
        full.text = text;
        if (!state.sink || state.sink(&full) < 0)
                write_line(line->level, text);
}

void log_message(enum log_level level, const char *format, ...) {
        va_list ap;

        if (level > state.max_level)
                return;
        va_start(ap, format);
        emit(&(struct log_line) { .level = level }, format, ap);
        va_end(ap);
}

void log_structured(const struct log_line *line, const char *format, ...) {
        va_list ap;

        if (line->level > state.max_level)
                return;
        va_start(ap, format);
        emit(line, format, ap);
        va_end(ap);
}

bool log_limit_take(struct log_limit *limit, uint64_t now_usec, unsigned *ret_left_out) {
        if (limit->n == 0 || now_usec - limit->since_usec >= USEC_PER_MINUTE) {
                limit->since_usec = now_usec;
                limit->n = 0;
        }
        if (limit->n == LOG_LIMIT_LINES) {
                limit->n_left_out++;
                return false;
        }
        limit->n++;
        *ret_left_out = limit->n_left_out;
        limit->n_left_out = 0;
        return true;
}

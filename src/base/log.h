/* Lines for whoever looks after the service: to stderr, or to a sink (the journal) that the daemon layer sets.
 * Library code never logs above debug; who handles an error logs it, once. */
#pragma once

#include "base/clock.h"
#include "base/macros.h"

enum log_level {
        LOG_LEVEL_ERROR = 3, /* syslog numbers, for the journal's <N> prefix */
        LOG_LEVEL_WARNING = 4,
        LOG_LEVEL_NOTICE = 5,
        LOG_LEVEL_INFO = 6,
        LOG_LEVEL_DEBUG = 7,
};

/* What a program may filter by. A kind of line that has a page in the catalog has an id, too: 32 hexadecimal digits. */
struct log_field {
        const char *name;
        const char *value;
};

struct log_line {
        enum log_level level;
        const char *program;
        const char *message_id; /* NULL: none */
        const struct log_field *fields;
        size_t n_fields;
        const char *text;
};
/* Return: < 0: it could not be handed over, and goes to stderr. */
typedef int (*log_sink_fn)(const struct log_line *line);

/* @name: program name before each line. */
void log_setup(const char *name, enum log_level max_level);
/* Is stderr the journal's own stream? (JOURNAL_STREAM names its device and inode.) */
bool log_stderr_is_journal(void);
void log_set_sink(log_sink_fn sink);
void log_message(enum log_level level, const char *format, ...) _printf_(2, 3);
/* @line: level, message_id and fields; the rest is filled in. */
void log_structured(const struct log_line *line, const char *format, ...) _printf_(2, 3);

/* Lines that others bring about as often as they like would push everybody's out of the journal: so many in a minute, and no more. */
#define LOG_LIMIT_LINES 20
struct log_limit {
        uint64_t since_usec;
        unsigned n;          /* lines since then */
        unsigned n_left_out; /* since the last line */
};
/* May a line be written now? Then *ret_left_out says how many were not, since the last one. */
bool log_limit_take(struct log_limit *limit, uint64_t now_usec, unsigned *ret_left_out);

#define log_error(...) log_message(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_message(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_notice(...) log_message(LOG_LEVEL_NOTICE, __VA_ARGS__)
#define log_info(...) log_message(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) log_message(LOG_LEVEL_DEBUG, __VA_ARGS__)

/* An error on its way up, for the debugger: returns @r unchanged and says where it passed. */
#define error_trace(r)                                                                             \
        ({                                                                                         \
                int _r_ = (r);                                                                     \
                if (_r_ < 0)                                                                       \
                        log_debug("%s:%d: %s: %s", __FILE__, __LINE__, __func__, strerror(-_r_));  \
                _r_;                                                                               \
        })

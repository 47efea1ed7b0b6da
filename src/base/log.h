/* One line to stderr (or the journal that reads it): level, text. Only the daemon layer raises the level.
 * Library code never logs above debug; who handles an error logs it, once. */
#pragma once

#include "base/macros.h"

enum log_level {
        LOG_LEVEL_ERROR = 3, /* syslog numbers, for the journal's <N> prefix */
        LOG_LEVEL_WARNING = 4,
        LOG_LEVEL_NOTICE = 5,
        LOG_LEVEL_INFO = 6,
        LOG_LEVEL_DEBUG = 7,
};

/* @name: program name before each line. */
void log_setup(const char *name, enum log_level max_level);
void log_message(enum log_level level, const char *format, ...) _printf_(2, 3);

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

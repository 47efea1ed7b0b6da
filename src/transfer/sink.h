/* Where the bytes of a request go: pwrite() on the descriptor that was handed over, and a memory of what was written since it was
 * last reported. Must never open, sync or name a file. */
#pragma once

#include "base/macros.h"

#define SINK_REPORT_BYTES (UINT64_C(1024) * 1024)

struct sink {
        int fd;
        uint64_t start, end; /* written and not yet reported; empty if equal */
};

/* @fd is consumed. */
void sink_init(struct sink *sink, int fd);
void sink_done(struct sink *sink);
static inline bool sink_has_news(const struct sink *sink) {
        return sink->end > sink->start;
}
/* The bytes would not continue what is remembered: report that first. */
static inline bool sink_must_report_before(const struct sink *sink, uint64_t offset) {
        return sink_has_news(sink) && sink->end != offset;
}
/* 0 or -errno; what was written before the error is remembered, too. */
int sink_write(struct sink *sink, const char *bytes, size_t size, uint64_t offset);

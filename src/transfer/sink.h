/* Where the bytes of a request go: pwrite() on the descriptor that was handed over, and a memory of what was written since it was
 * last reported. Must never open, sync or name a file.
 *
 * TLS brings records of 16 KiB less a header or two: so many writes of odd lengths cost more than to copy them together (ext4: 0.8 s of CPU
 * for each GiB against 0.3 s). Small ones of one sink after the other wait in a buffer, therefore, which all sinks of the process share.
 * sink_flush() before anybody is told of them; an error in writing them comes with that, or with the next sink_write(). */
#pragma once

#include "base/macros.h"

#define SINK_REPORT_BYTES (UINT64_C(1024) * 1024)
#define SINK_BUFFER_BYTES ((size_t) 256 * 1024)

struct sink;

struct sink_buffer {
        struct sink *sink; /* whose bytes these are; NULL: nobody's */
        size_t n;
        char bytes[SINK_BUFFER_BYTES];
};

struct sink {
        int fd;
        struct sink_buffer *buffer;
        int error;           /* of a write that nobody waited for; final */
        bool slow;           /* a write took long: meanwhile nothing was read */
        uint64_t start, end; /* written and not yet reported; what is in the buffer follows */
};

/* @fd is consumed. @buffer must outlive the sink. */
void sink_init(struct sink *sink, int fd, struct sink_buffer *buffer);
/* What was not flushed is lost. */
void sink_done(struct sink *sink);
/* Writes out what there is and closes: network file systems tell only then that there was no room. 0 or the first error. */
int sink_finish(struct sink *sink);
/* Behind the last byte that was taken. */
static inline uint64_t sink_position(const struct sink *sink) {
        return sink->end + (sink->buffer->sink == sink ? sink->buffer->n : 0);
}
static inline bool sink_has_news(const struct sink *sink) {
        return sink_position(sink) > sink->start;
}
/* The bytes would not continue what is remembered: report that first. */
static inline bool sink_must_report_before(const struct sink *sink, uint64_t offset) {
        return sink_has_news(sink) && sink_position(sink) != offset;
}
/* 0 or -errno; what was taken or written before the error is remembered, too. */
int sink_write(struct sink *sink, const char *bytes, size_t size, uint64_t offset);
/* 0 or -errno, now and for ever after. */
int sink_flush(struct sink *sink);
/* Some write took long since it was asked last. */
bool sink_take_slow(struct sink *sink);

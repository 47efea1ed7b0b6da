#include "transfer/sink.h"

#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fds.h"

#define DIRECT_BYTES ((size_t) 64 * 1024) /* from here on a copy saves nothing */
#define SLOW_USEC (100 * USEC_PER_MSEC)

void sink_init(struct sink *sink, int fd, struct sink_buffer *buffer) {
        *sink = (struct sink) { .fd = fd, .buffer = buffer };
}

void sink_done(struct sink *sink) {
        if (sink->buffer && sink->buffer->sink == sink)
                sink->buffer->sink = NULL;
        sink->fd = fd_close(sink->fd);
}

int sink_finish(struct sink *sink) {
        int r = sink_flush(sink);

        if (sink->fd >= 0 && close(sink->fd) < 0 && errno != EINTR && r == 0)
                r = -errno;
        sink->fd = -EBADF;
        return r;
}

static int write_all(struct sink *sink, const char *bytes, size_t size) {
        while (size > 0) {
                ssize_t n = pwrite(sink->fd, bytes, size, (off_t) sink->end);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n <= 0) {
                        sink->error = n < 0 ? -errno : -EIO;
                        return sink->error;
                }
                sink->end += (uint64_t) n;
                bytes += n;
                size -= (size_t) n;
        }
        return 0;
}

static int write_out(struct sink *sink, const char *bytes, size_t size) {
        uint64_t began = clock_now(&clock_system, CLOCK_ID_MONOTONIC);
        int r = write_all(sink, bytes, size);

        if (clock_now(&clock_system, CLOCK_ID_MONOTONIC) - began >= SLOW_USEC)
                sink->slow = true;
        return r;
}

bool sink_take_slow(struct sink *sink) {
        bool slow = sink->slow;

        sink->slow = false;
        return slow;
}

int sink_flush(struct sink *sink) {
        struct sink_buffer *buffer = sink->buffer;

        if (sink->error < 0 || buffer->sink != sink)
                return sink->error;
        buffer->sink = NULL;
        return write_out(sink, buffer->bytes, buffer->n);
}

/* It is full where a multiple of its size is reached in the file: pages are written once, and whole. */
static size_t room_at(uint64_t position) {
        return SINK_BUFFER_BYTES - (size_t) (position % SINK_BUFFER_BYTES);
}

static int collect(struct sink *sink, const char *bytes, size_t size) {
        struct sink_buffer *buffer = sink->buffer;

        while (size > 0) {
                size_t room = room_at(sink_position(sink)), n = MIN(size, room);
                int r;

                if (buffer->sink != sink) {
                        if (buffer->sink)
                                (void) sink_flush(buffer->sink); /* that one remembers how it went */
                        buffer->sink = sink;
                        buffer->n = 0;
                }
                memcpy(buffer->bytes + buffer->n, bytes, n);
                buffer->n += n;
                bytes += n;
                size -= n;
                r = n == room ? sink_flush(sink) : 0;
                if (r < 0)
                        return r;
        }
        return 0;
}

int sink_write(struct sink *sink, const char *bytes, size_t size, uint64_t offset) {
        int r;

        if (!sink_has_news(sink))
                sink->start = sink->end = offset;
        assert(sink_position(sink) == offset);
        if (sink->error < 0)
                return sink->error;
        if (size < DIRECT_BYTES)
                return collect(sink, bytes, size);
        r = sink_flush(sink);
        return r < 0 ? r : write_out(sink, bytes, size);
}

#include "transfer/sink.h"

#include <unistd.h>

#include "base/fds.h"

void sink_init(struct sink *sink, int fd) {
        *sink = (struct sink) { .fd = fd };
}

void sink_done(struct sink *sink) {
        sink->fd = fd_close(sink->fd);
}

int sink_write(struct sink *sink, const char *bytes, size_t size, uint64_t offset) {
        if (!sink_has_news(sink))
                sink->start = sink->end = offset;
        assert(sink->end == offset);
        while (size > 0) {
                ssize_t n = pwrite(sink->fd, bytes, size, (off_t) sink->end);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return -errno;
                if (n == 0)
                        return -EIO;
                sink->end += (uint64_t) n;
                bytes += n;
                size -= (size_t) n;
        }
        return 0;
}

#include "transfer/link.h"

#include <sys/epoll.h>
#include <systemd/sd-event.h>

#define MESSAGES_PER_TURN 256 /* a busy peer must not keep the loop from everything else */
/* What is sent leaves when the loop has nothing else to do, or after so long: what many small files have to say wakes the peer once. */
#define COLLECT_USEC 1000
#define FLUSH_PRIORITY (SD_EVENT_PRIORITY_NORMAL + 1)

struct link {
        struct ipc_channel *channel;
        sd_event_source *io;
        sd_event_source *turn;    /* defer: go on reading */
        sd_event_source *flush;   /* defer, behind everything else */
        sd_event_source *collect; /* time: flush, however busy the loop is; stays armed for what comes next */
        const struct link_callbacks *callbacks;
        void *userdata;
        bool waiting; /* for the peer to read */
        bool closed;
};

static void link_shut(struct link *link) {
        link->closed = true;
        (void) sd_event_source_set_enabled(link->io, SD_EVENT_OFF);
        (void) sd_event_source_set_enabled(link->turn, SD_EVENT_OFF);
        (void) sd_event_source_set_enabled(link->flush, SD_EVENT_OFF);
        (void) sd_event_source_set_enabled(link->collect, SD_EVENT_OFF);
}

static void link_close(struct link *link, int error) {
        if (link->closed)
                return;
        link_shut(link);
        link->callbacks->closed(link->userdata, error); /* may free it */
}

static void link_flush(struct link *link) {
        bool was_waiting = link->waiting;
        int r;

        r = ipc_channel_flush(link->channel);
        if (r < 0) {
                /* What the peer said before it went is still to be heard: reading finds the end. */
                link->waiting = false;
                (void) sd_event_source_set_io_events(link->io, EPOLLIN);
                return;
        }
        link->waiting = r == 1;
        if (link->waiting != was_waiting)
                (void) sd_event_source_set_io_events(link->io, EPOLLIN | (link->waiting ? EPOLLOUT : 0));
        if (!link->waiting && link->callbacks->drained)
                link->callbacks->drained(link->userdata);
}

/* Return: true if there may be more. */
static bool link_read(struct link *link, unsigned max_messages) {
        struct ipc_message message;
        int fd, r;

        for (unsigned i = 0; i < max_messages; i++) {
                r = ipc_channel_receive(link->channel, &message, &fd);
                if (r < 0) {
                        link_close(link, r);
                        return false;
                }
                if (r == 0)
                        return false;
                link->callbacks->message(link->userdata, &message, fd);
        }
        (void) sd_event_source_set_enabled(link->turn, SD_EVENT_ONESHOT);
        return true;
}

static int on_io(sd_event_source *source, int fd, uint32_t events, void *userdata) {
        struct link *link = ASSERT_PTR(userdata);

        if (events & EPOLLOUT)
                link_flush(link);
        if (events & ~(uint32_t) EPOLLOUT)
                (void) link_read(link, MESSAGES_PER_TURN);
        return 0;
}

static int on_turn(sd_event_source *source, void *userdata) {
        (void) link_read(ASSERT_PTR(userdata), MESSAGES_PER_TURN);
        return 0;
}

static int on_flush(sd_event_source *source, void *userdata) {
        struct link *link = ASSERT_PTR(userdata);

        (void) sd_event_source_set_enabled(link->flush, SD_EVENT_OFF);
        if (ipc_channel_queued(link->channel) > 0 && !link->waiting)
                link_flush(link);
        return 0;
}

static int on_collect(sd_event_source *source, uint64_t usec, void *userdata) {
        return on_flush(source, userdata);
}

static void link_flush_soon(struct link *link) {
        int enabled = SD_EVENT_OFF;

        (void) sd_event_source_set_enabled(link->flush, SD_EVENT_ONESHOT);
        (void) sd_event_source_get_enabled(link->collect, &enabled);
        if (enabled == SD_EVENT_OFF && sd_event_source_set_time_relative(link->collect, COLLECT_USEC) >= 0)
                (void) sd_event_source_set_enabled(link->collect, SD_EVENT_ONESHOT);
}

static int link_make(struct sd_event *event, int fd, const struct link_callbacks *callbacks, void *userdata, struct link **ret) {
        _cleanup_(link_freep) struct link *link = NULL;
        int r;

        link = calloc(1, sizeof(*link));
        if (!link)
                return -ENOMEM;
        link->callbacks = callbacks;
        link->userdata = userdata;
        r = sd_event_add_io(event, &link->io, fd, EPOLLIN, on_io, link);
        if (r < 0)
                return r;
        r = sd_event_add_defer(event, &link->turn, on_turn, link);
        if (r >= 0)
                r = sd_event_add_time(event, &link->collect, CLOCK_MONOTONIC, 0, COLLECT_USEC / 4, on_collect, link);
        if (r >= 0)
                r = sd_event_source_set_enabled(link->collect, SD_EVENT_OFF);
        if (r >= 0)
                r = sd_event_add_defer(event, &link->flush, on_flush, link); /* at once: our HELLO */
        if (r >= 0)
                r = sd_event_source_set_priority(link->flush, FLUSH_PRIORITY);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(link);
        return 0;
}

int link_new(struct sd_event *event, int fd, enum ipc_role self, enum ipc_role peer, const struct link_callbacks *callbacks,
             void *userdata, struct link **ret) {
        _cleanup_(link_freep) struct link *link = NULL;
        int r;

        r = link_make(event, fd, callbacks, userdata, &link);
        if (r == 0)
                r = ipc_channel_new(fd, self, peer, &link->channel);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(link);
        return 0;
}

int link_new_from_channel(struct sd_event *event, struct ipc_channel *channel, const struct link_callbacks *callbacks, void *userdata,
                          struct link **ret) {
        int r;

        r = link_make(event, ipc_channel_fd(channel), callbacks, userdata, ret);
        if (r == 0)
                (*ret)->channel = channel;
        return r;
}

struct link *link_free(struct link *link) {
        if (!link)
                return NULL;
        link->io = sd_event_source_disable_unref(link->io);
        link->turn = sd_event_source_disable_unref(link->turn);
        link->flush = sd_event_source_disable_unref(link->flush);
        link->collect = sd_event_source_disable_unref(link->collect);
        link->channel = ipc_channel_free(link->channel);
        free(link);
        return NULL;
}

int link_send_frame(struct link *link, const uint8_t *frame, size_t size, int fd, uint64_t *ret_number) {
        int r;

        if (link->closed)
                return -ECONNRESET;
        r = ipc_channel_send_frame(link->channel, frame, size, fd, ret_number);
        if (r < 0)
                return r;
        link_flush_soon(link);
        return 0;
}

bool link_is_written(const struct link *link, uint64_t number) {
        return ipc_channel_is_written(link->channel, number);
}

int link_send(struct link *link, const struct ipc_message *message, int fd) {
        int r;

        if (link->closed)
                return -ECONNRESET;
        r = ipc_channel_send(link->channel, message, fd);
        if (r < 0)
                return r;
        link_flush_soon(link);
        return 0;
}

bool link_write_now(struct link *link, uint64_t number) {
        if (!link->closed && !link_is_written(link, number))
                link_flush(link);
        if (link_is_written(link, number))
                return true;
        link_shut(link);
        return false;
}

size_t link_queued(const struct link *link) {
        return ipc_channel_queued(link->channel);
}

void link_drain(struct link *link) {
        if (link->closed)
                return;
        while (link_read(link, MESSAGES_PER_TURN))
                ;
}

const struct ipc_hello *link_peer(const struct link *link) {
        return ipc_channel_peer(link->channel);
}

int link_fd(const struct link *link) {
        return ipc_channel_fd(link->channel);
}

pid_t link_peer_pid(const struct link *link) {
        return ipc_channel_peer_pid(link->channel);
}

/* The connections of the server's clients, in an epoll set of their own.
 *
 * sd_bus_attach_event() would look at every connection before each turn of the loop, and the loop handles one message a turn: with n busy
 * clients each call paid for n connections. Here one source stands for all of them, a turn handles a message of each of the first
 * CLIENTS_AT_ONCE that have something to say, and only those that were used since are looked at anew. */
#include <sys/epoll.h>

#include "base/fds.h"
#include "bus/private.h"

#define CLIENTS_AT_ONCE 32  /* the rest of the service has its turn after so many */
#define MESSAGES_AT_ONCE 16 /* of one client, if it did not wait for answers */

void peer_touch(struct peer *peer) {
        if (peer->touched || peer->dead || peer->name)
                return;
        peer->touched = true;
        LL_PREPEND2(peer->server->touched, peer, next_touched);
}

static bool has_more(struct peer *peer) {
        uint64_t n;

        return !peer->dead && sd_bus_get_n_queued_read(peer->bus, &n) >= 0 && n > 0;
}

static void peer_process(struct peer *peer) {
        unsigned n = 0;
        int r;

        do
                r = sd_bus_process(peer->bus, NULL);
        while (r > 0 && ++n < MESSAGES_AT_ONCE && has_more(peer));
        if (r < 0)
                peer_drop(peer);
        peer_touch(peer);
}

static int on_timer(sd_event_source *source _unused_, uint64_t usec _unused_, void *userdata) {
        peer_process(userdata);
        return 0;
}

/* What is dropped meanwhile stays allocated until the loop takes it away. */
static int on_ready(sd_event_source *source _unused_, int fd, uint32_t revents _unused_, void *userdata _unused_) {
        struct epoll_event ready[CLIENTS_AT_ONCE];
        int n = epoll_wait(fd, ready, CLIENTS_AT_ONCE, 0);

        for (int i = 0; i < n; i++) {
                struct peer *peer = ready[i].data.ptr;

                if (!peer->dead)
                        peer_process(peer);
        }
        return 0;
}

/* sd-bus has a deadline for the handshake and for calls that it makes; 0 is "at once". */
static int peer_arm(struct peer *peer) {
        uint64_t usec;
        int r = sd_bus_get_timeout(peer->bus, &usec);

        if (r < 0)
                return r;
        if (usec == UINT64_MAX)
                return peer->timer ? sd_event_source_set_enabled(peer->timer, SD_EVENT_OFF) : 0;
        if (!peer->timer)
                return sd_event_add_time(peer->server->event, &peer->timer, CLOCK_MONOTONIC, usec, 0, on_timer, peer);
        r = sd_event_source_set_time(peer->timer, usec);
        return r < 0 ? r : sd_event_source_set_enabled(peer->timer, SD_EVENT_ONESHOT);
}

static int peer_watch(struct peer *peer) {
        int events = sd_bus_get_events(peer->bus), r;
        struct epoll_event event = { .events = (uint32_t) events, .data.ptr = peer }; /* poll's IN and OUT are epoll's */

        if (events < 0)
                return events;
        if (peer->is_watched && peer->watched == events)
                return 0;
        r = epoll_ctl(peer->server->poll_fd, peer->is_watched ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, sd_bus_get_fd(peer->bus), &event);
        if (r < 0)
                return -errno;
        peer->is_watched = true;
        peer->watched = events;
        return 0;
}

int peer_poll_start(struct peer *peer) {
        int r = peer_watch(peer);

        return r < 0 ? r : peer_arm(peer);
}

void peer_poll_stop(struct peer *peer) {
        if (peer->touched)
                LL_DELETE2(peer->server->touched, peer, next_touched);
        peer->touched = false;
        peer->timer = sd_event_source_disable_unref(peer->timer);
        if (peer->is_watched)
                (void) epoll_ctl(peer->server->poll_fd, EPOLL_CTL_DEL, sd_bus_get_fd(peer->bus), NULL);
        peer->is_watched = false;
}

static int on_prepare(sd_event_source *source _unused_, void *userdata) {
        struct bus_server *server = ASSERT_PTR(userdata);

        while (server->touched) {
                struct peer *peer = server->touched;

                LL_DELETE2(server->touched, peer, next_touched);
                peer->touched = false;
                if (peer_poll_start(peer) < 0)
                        peer_drop(peer);
        }
        return 0;
}

int bus_poll_start(struct bus_server *server) {
        int r;

        server->poll_fd = epoll_create1(EPOLL_CLOEXEC);
        if (server->poll_fd < 0)
                return -errno;
        r = sd_event_add_io(server->event, &server->poll_source, server->poll_fd, EPOLLIN, on_ready, server);
        if (r >= 0)
                r = sd_event_source_set_prepare(server->poll_source, on_prepare);
        if (r >= 0)
                (void) sd_event_source_set_description(server->poll_source, "bus-clients");
        return r;
}

void bus_poll_stop(struct bus_server *server) {
        server->poll_source = sd_event_source_disable_unref(server->poll_source);
        server->poll_fd = fd_close(server->poll_fd);
}

/* The connections of the server's clients, in an epoll set of their own.
 *
 * sd_bus_attach_event() would look at every connection before each turn of the loop, and the loop handles one message a turn: with n busy
 * clients each call paid for n connections. Here one source stands for all of them, a turn handles some messages of those that
 * have something to say, and only those that were used since are looked at anew.
 *
 * Users take turns, not connections: the first of each user, then the second of each, the user first who waited longest. So whoever makes one
 * call waits for one of each other user, however many connections those have and however much they sent ahead. */
#include <stdlib.h>
#include <sys/epoll.h>

#include "base/fds.h"
#include "bus/private.h"

#define MESSAGES_PER_TURN 32 /* the rest of the service, and whoever came meanwhile, has its turn after so many, */
#define TURN_USEC 500        /* or after this time: a page of a list is no small thing */
#define MESSAGES_AT_ONCE 16  /* of one client, if it did not wait for answers */
#define READY_MAX 1024       /* clients that are looked at; the kernel names others next time */

void peer_touch(struct peer *peer) {
        if (peer->touched || peer->dead || peer->name)
                return;
        peer->touched = true;
        LL_PREPEND2(peer->server->touched, peer, next_touched);
}

static bool has_more(struct peer *peer) {
        uint64_t n;

        return !peer->dead && peer_count_untold(peer) == 0 &&
               (bus_intake_is_greeting(peer) || bus_intake_is_unread(peer) || (sd_bus_get_n_queued_read(peer->bus, &n) >= 0 && n > 0));
}

/* How many messages that were; at least 1, so that looking is not free. */
static unsigned peer_process(struct peer *peer, unsigned at_most) {
        unsigned n;
        int r;

        peer->served = ++peer->server->next_served;
        n = peer_tell(peer, at_most);
        if (n > 0) {
                peer_touch(peer);
                return n;
        }
        do
                r = bus_intake_process(peer);
        while (r > 0 && ++n < at_most && has_more(peer));
        if (r < 0)
                peer_drop(peer);
        peer_touch(peer);
        return MAX(n, 1u);
}

static int on_timer(sd_event_source *source _unused_, uint64_t usec _unused_, void *userdata) {
        (void) peer_process(userdata, MESSAGES_AT_ONCE);
        return 0;
}

/* ---- whose turn it is ---- */

struct candidate {
        struct peer *peer;
        size_t rank; /* so many of the same user waited longer */
        uint64_t user_served; /* when any client of that user had its turn last */
};

static int compare_by_user(const void *a, const void *b) {
        const struct peer *x = ((const struct candidate *) a)->peer, *y = ((const struct candidate *) b)->peer;

        return x->uid != y->uid ? (x->uid < y->uid ? -1 : 1) : x->served < y->served ? -1 : x->served > y->served;
}

static int compare_by_rank(const void *a, const void *b) {
        const struct candidate *x = a, *y = b;

        return x->rank != y->rank ? (x->rank < y->rank ? -1 : 1) : x->user_served < y->user_served ? -1 : x->user_served > y->user_served;
}

static uint64_t user_served(const struct bus_server *server, uid_t uid) {
        const struct peer *peer;
        uint64_t newest = 0;

        DL_FOREACH(server->peers, peer)
                if (peer->uid == uid)
                        newest = MAX(newest, peer->served);
        return newest;
}

static void put_in_order(const struct bus_server *server, struct candidate *candidates, size_t n) {
        qsort(candidates, n, sizeof(*candidates), compare_by_user);
        for (size_t i = 0; i < n; i++) {
                bool is_first = i == 0 || candidates[i].peer->uid != candidates[i - 1].peer->uid;

                candidates[i].rank = is_first ? 0 : candidates[i - 1].rank + 1;
                candidates[i].user_served = is_first ? user_served(server, candidates[i].peer->uid) : candidates[i - 1].user_served;
        }
        qsort(candidates, n, sizeof(*candidates), compare_by_rank);
}

/* What is dropped meanwhile stays allocated until the loop takes it away. */
static void take_turns(struct candidate *candidates, size_t n) {
        uint64_t end = clock_now(&clock_system, CLOCK_ID_MONOTONIC) + TURN_USEC;
        unsigned left = MESSAGES_PER_TURN;

        if (n > 1)
                put_in_order(candidates[0].peer->server, candidates, n);
        for (size_t i = 0; i < n && left > 0 && (i == 0 || clock_now(&clock_system, CLOCK_ID_MONOTONIC) < end); i++) {
                struct peer *peer = candidates[i].peer;
                unsigned at_most = bus_intake_is_greeting(peer) ? MESSAGES_AT_ONCE : MIN(left, (unsigned) MESSAGES_AT_ONCE), done;

                if (peer->dead)
                        continue;
                done = peer_process(peer, at_most); /* a handshake is not left in its middle */
                left -= MIN(left, done);
        }
}

static int on_ready(sd_event_source *source _unused_, int fd, uint32_t revents _unused_, void *userdata _unused_) {
        struct epoll_event ready[READY_MAX];
        struct candidate candidates[READY_MAX];
        int n = epoll_wait(fd, ready, READY_MAX, 0);

        for (int i = 0; i < n; i++)
                candidates[i] = (struct candidate) { .peer = ready[i].data.ptr };
        if (n > 0)
                take_turns(candidates, (size_t) n);
        return 0;
}

/* sd-bus has a deadline for the handshake and for calls that it makes; 0 is "at once". */
static int peer_arm(struct peer *peer) {
        uint64_t usec = 0;
        int r = bus_intake_is_unread(peer) ? 0 : sd_bus_get_timeout(peer->bus, &usec);

        if (r < 0)
                return r;
        if (usec == 0 && peer_count_untold(peer) > 0)
                usec = UINT64_MAX; /* there is more to read: later */
        if (usec == UINT64_MAX)
                return peer->timer ? sd_event_source_set_enabled(peer->timer, SD_EVENT_OFF) : 0;
        if (!peer->timer)
                return sd_event_add_time(peer->server->event, &peer->timer, CLOCK_MONOTONIC, usec, 0, on_timer, peer);
        r = sd_event_source_set_time(peer->timer, usec);
        return r < 0 ? r : sd_event_source_set_enabled(peer->timer, SD_EVENT_ONESHOT);
}

static int peer_watch(struct peer *peer) {
        int events = sd_bus_get_events(peer->bus), r;
        struct epoll_event event = { .data.ptr = peer };

        if (events < 0)
                return events;
        if (peer_count_untold(peer) > 0)
                events |= EPOLLOUT;
        /* Whoever does not take what it was told is not asked what more it wants: else its answers would pile up here, megabytes each. */
        if (peer_count_untold(peer) > 0 || !peer_takes_its_answers(peer))
                events &= ~EPOLLIN;
        event.events = (uint32_t) events; /* poll's IN and OUT are epoll's */
        if (peer->is_watched && peer->watched == events)
                return 0;
        r = epoll_ctl(peer->server->poll_fd, peer->is_watched ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, peer->fd, &event);
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
                (void) epoll_ctl(peer->server->poll_fd, EPOLL_CTL_DEL, peer->fd, NULL);
        peer->is_watched = false;
}

static int on_prepare(sd_event_source *source _unused_, void *userdata) {
        struct bus_server *server = ASSERT_PTR(userdata);

        outbox_begin_turn(server);
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

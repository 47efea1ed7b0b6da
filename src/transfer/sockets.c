#include "transfer/sockets.h"

#include <arpa/inet.h>
#include <linux/tcp.h> /* not netinet's: its struct tcp_info ends too early */
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <systemd/sd-event.h>
#include <uthash.h>
#include <utlist.h>

#include "base/clock.h"
#include "base/strings.h"
#include "transfer/poller.h"
#include "transfer/scavenger.h"
#include "transfer/turns.h"
#include "transfer/window.h"

#define PLACES_MAX 256                  /* addresses whose round trips are kept */
#define RESTART_AFTER_USEC USEC_PER_SEC /* without a background exchange */
#define SEGMENT_MIN 536u
#define CLAMP_NONE INT32_MAX
#define LIMIT_WINDOW_USEC (USEC_PER_SEC / 4) /* what a limit lets come in that time and two round trips, is on its way or here */
#define LIMIT_WINDOW_MIN (UINT64_C(32) * 1024)
#define LIMIT_RATE_MAX (UINT64_C(8) << 20)   /* above it no read is a burst */
#define LIMIT_INTERVAL_USEC (USEC_PER_SEC / 10)
#define KEEP_INTERVAL_USEC (10 * USEC_PER_MSEC) /* of a background connection's clamp */

/* An address that background connections go to. */
struct place {
        UT_hash_handle hh;
        struct tracked_socket *held;
        unsigned n_held, n_resting;
        uint64_t turn_usec; /* when the next of those who rest is to be awake */
        struct turn turn;   /* while others of our places are crowded out, too */
        bool is_silent;     /* it waits for it: none is awake */
        struct scavenger scavenger;
        uint64_t next_tick_usec;
        uint64_t last_used_usec;
        uint64_t crowded_usec; /* when others filled the line last; 0: never */
        uint64_t rtt_usec;     /* the last one that was known */
        uint32_t segment_bytes;
        char address[ADDRESS_TEXT_MAX];
};

struct tracked_socket {
        UT_hash_handle hh; /* by fd */
        UT_hash_handle hh_name;
        struct tracked_socket *prev, *next; /* held, of its place */
        struct tracked_socket *group_prev, *group_next;
        struct sockets *sockets;
        struct socket_group *group; /* NULL: it counts no more */
        int fd;
        bool has_name;
        struct socket_name name;
        struct socket_use *uses;
        bool was_used; /* else it is being connected */
        unsigned n_foreground;

        struct place *place; /* while it is held */
        bool resting;        /* and nobody reads it */
        int buffer;          /* window.h */
        bool clamped;
        uint64_t clamp;
        uint64_t clamped_usec;
        uint64_t wanted; /* scavenger_measure() */

        uint64_t measured_usec; /* the last time; and what it was then */
        uint64_t measured_clamp;
        uint64_t received;
        uint32_t out_of_order;
};

struct sockets {
        struct tracked_socket *by_fd, *by_name; /* hashes */
        struct place *places;
        struct scavenger_line line;
        struct turns turns;
        sockets_say say;
        void *userdata;
        uint64_t said_usec;
        bool said_some;
        struct sd_event *event;
        struct poller *poller;
        sd_event_source *timer;
};

/* Not the loop's: what is measured is what came until now. */
static uint64_t now_usec(void) {
        return clock_now(&clock_system, CLOCK_ID_MONOTONIC);
}

static bool get_info(const struct tracked_socket *socket, struct tcp_info *ret) {
        socklen_t size = sizeof(*ret);

        *ret = (struct tcp_info){};
        return getsockopt(socket->fd, IPPROTO_TCP, TCP_INFO, ret, &size) == 0 &&
               size >= offsetof(struct tcp_info, tcpi_rcv_ooopack) + sizeof(ret->tcpi_rcv_ooopack);
}

static void set_clamp(struct tracked_socket *socket, uint64_t bytes) {
        int value = (int) MIN(bytes, (uint64_t) CLAMP_NONE);

        socket->clamp = (uint64_t) value;
        socket->clamped = value != CLAMP_NONE;
        socket->clamped_usec = now_usec();
        (void) setsockopt(socket->fd, IPPROTO_TCP, TCP_WINDOW_CLAMP, &value, sizeof(value));
}

/* ---- places ---- */

static void arm(struct sockets *sockets) {
        uint64_t next = USEC_INFINITY;
        struct place *place, *tmp;

        HASH_ITER(hh, sockets->places, place, tmp)
                if (place->held)
                        next = MIN(next, place->next_tick_usec);
        if (sockets->said_some)
                next = MIN(next, sockets->said_usec + LINE_USE_INTERVAL_USEC);
        if (next == USEC_INFINITY) {
                (void) sd_event_source_set_enabled(sockets->timer, SD_EVENT_OFF);
                return;
        }
        if (sd_event_source_set_time(sockets->timer, next) >= 0)
                (void) sd_event_source_set_enabled(sockets->timer, SD_EVENT_ONESHOT);
}

static void forget_oldest_place(struct sockets *sockets) {
        struct place *place, *tmp, *oldest = NULL;

        HASH_ITER(hh, sockets->places, place, tmp)
                if (!place->held && (!oldest || place->last_used_usec < oldest->last_used_usec))
                        oldest = place;
        if (!oldest)
                return;
        HASH_DEL(sockets->places, oldest);
        free(oldest);
}

static struct place *get_place(struct sockets *sockets, const char *address) {
        struct place *place;

        HASH_FIND_STR(sockets->places, address, place);
        if (place)
                return place;
        if (HASH_COUNT(sockets->places) >= PLACES_MAX)
                forget_oldest_place(sockets);
        place = calloc(1, sizeof(*place));
        if (!place)
                return NULL;
        scavenger_init(&place->scavenger, &sockets->line);
        string_copy(place->address, sizeof(place->address), address);
        HASH_ADD_STR(sockets->places, address, place);
        return place;
}

static unsigned n_awake(const struct place *place) {
        return place->n_held - place->n_resting;
}

static void place_share_window(struct place *place, uint64_t window) {
        struct scavenger_shares shares;
        struct tracked_socket *socket;

        if (n_awake(place) == 0)
                return;
        scavenger_shares_begin(&shares, window, n_awake(place));
        DL_FOREACH(place->held, socket)
                if (!socket->resting)
                        scavenger_shares_add(&shares, socket->wanted);
        DL_FOREACH(place->held, socket)
                if (!socket->resting)
                        set_clamp(socket, scavenger_shares_get(&shares, socket->wanted));
}

static void note_state(struct tracked_socket *socket, const struct tcp_info *info, uint64_t now) {
        socket->measured_usec = now;
        socket->measured_clamp = socket->clamp;
        socket->received = info->tcpi_bytes_received;
        socket->out_of_order = info->tcpi_rcv_ooopack;
}

/* The handshake's round trip, or the shortest of what was sent since. */
static void note_base(struct place *place, const struct tcp_info *info, uint64_t now) {
        bool known = info->tcpi_min_rtt > 0 && info->tcpi_min_rtt < UINT32_MAX;

        scavenger_note_base(&place->scavenger, now, known ? info->tcpi_min_rtt : info->tcpi_rtt);
}

static void socket_measure(struct tracked_socket *socket, uint64_t now, struct scavenger_input *input) {
        struct scavenger_connection connection = {
                .elapsed_usec = now - socket->measured_usec,
                .window = socket->clamp,
                .window_before = socket->measured_clamp,
        };
        struct tcp_info info;

        if (connection.elapsed_usec == 0 || !get_info(socket, &info))
                return;
        connection.bytes = info.tcpi_bytes_received - socket->received;
        connection.lost = info.tcpi_rcv_ooopack != socket->out_of_order;
        connection.guess = !(info.tcpi_options & TCPI_OPT_TIMESTAMPS);
        connection.rtt_usec = info.tcpi_rcv_rtt;
        if (connection.guess)
                note_base(socket->place, &info, now);
        socket->wanted = scavenger_measure(&connection, input);
        note_state(socket, &info, now);
}

/* ---- rest ---- */

static bool can_rest(const struct tracked_socket *socket) {
        return socket->uses && !socket->uses->next && socket->uses->rest;
}

static bool socket_rest(struct tracked_socket *socket) {
        struct place *place = socket->place;

        if (!window_close(socket->fd, MAX(socket->clamp, socket->measured_clamp), &socket->buffer))
                return false;
        socket->resting = true;
        place->n_resting++;
        DL_DELETE(place->held, socket);
        DL_APPEND(place->held, socket); /* the last one whose turn it is */
        socket->uses->rest(socket->uses->userdata, true);
        return true;
}

static void socket_wake(struct tracked_socket *socket, uint64_t now) {
        struct socket_use *use;
        struct tcp_info info;

        socket->resting = false;
        socket->place->n_resting--;
        socket->wanted = UINT64_MAX;
        window_open(socket->fd, socket->buffer);
        if (get_info(socket, &info))
                note_state(socket, &info, now);
        DL_FOREACH(socket->uses, use)
                if (use->rest)
                        use->rest(use->userdata, false);
}

/* The first in the order of turns. */
static struct tracked_socket *find_resting(const struct place *place) {
        struct tracked_socket *socket;

        DL_FOREACH(place->held, socket)
                if (socket->resting)
                        return socket;
        return NULL;
}

static struct tracked_socket *find_awake(const struct place *place) {
        struct tracked_socket *socket;

        DL_FOREACH(place->held, socket)
                if (!socket->resting && can_rest(socket))
                        return socket;
        return NULL;
}

static unsigned n_wanted_awake(const struct place *place) {
        if (place->is_silent)
                return 0;
        return scavenger_n_awake(&place->scavenger, MAX(n_awake(place), 1u), place->n_held, place->segment_bytes);
}

static void place_take_turns(struct place *place, uint64_t now) {
        unsigned wanted = n_wanted_awake(place);
        struct tracked_socket *socket;

        if (place->n_resting > 0 && wanted > 0 && now >= place->turn_usec) {
                socket_wake(find_resting(place), now);
                place->turn_usec = now + turn_length(place->n_held);
        }
        while (n_awake(place) < wanted)
                socket_wake(find_resting(place), now);
        while (n_awake(place) > wanted && (socket = find_awake(place))) {
                if (place->n_resting == 0)
                        place->turn_usec = now + TURN_USEC;
                if (!socket_rest(socket))
                        break;
        }
}

/* Who is not the one that is heard now is to be silent at once, and the one that is has waited long enough. */
static void places_take_turns(struct sockets *sockets, uint64_t now) {
        struct place *place, *tmp;

        HASH_ITER(hh, sockets->places, place, tmp) {
                if (place->is_silent == place->turn.waits)
                        continue;
                place->is_silent = place->turn.waits;
                place_take_turns(place, now);
                place_share_window(place, scavenger_window(&place->scavenger, place->segment_bytes));
                place->next_tick_usec = now + scavenger_interval(&place->scavenger);
        }
}

static enum turn_news news_of(const struct place *place, bool is_crowded_out) {
        if (is_crowded_out)
                return TURN_CROWDED_OUT;
        return scavenger_has_room(&place->scavenger, place->segment_bytes) ? TURN_HAS_ROOM : TURN_NOTHING_NEW;
}

static void place_tick(struct sockets *sockets, struct place *place, uint64_t now) {
        struct scavenger_input input = { .now_usec = now, .segment_bytes = place->segment_bytes };
        struct tracked_socket *socket;
        bool is_crowded_out;
        uint64_t window;

        DL_FOREACH(place->held, socket)
                if (socket->resting)
                        window_keep_closed(socket->fd, place->segment_bytes);
                else
                        socket_measure(socket, now, &input);
        place->last_used_usec = now;
        window = scavenger_tick(&place->scavenger, &input);
        is_crowded_out = scavenger_is_crowded_out(&place->scavenger, &input);
        place_take_turns(place, now);
        place_share_window(place, window);
        turns_note(&sockets->turns, &place->turn, news_of(place, is_crowded_out), now);
        places_take_turns(sockets, now);
        if (is_crowded_out || place->n_resting > 0)
                place->crowded_usec = now;
        if (input.rtt_usec > 0)
                place->rtt_usec = input.rtt_usec;
        place->next_tick_usec = now + scavenger_interval(&place->scavenger);
}

static void say_line_use(struct sockets *sockets, uint64_t now) {
        struct line_use use;

        if (!sockets->say || (!sockets->said_some && sockets->line.n == 0) ||
            (now - sockets->said_usec < LINE_USE_INTERVAL_USEC && !sockets->line.slowdown_is_news))
                return;
        scavenger_line_say(&sockets->line, &use);
        sockets->said_usec = now;
        sockets->said_some = use.n > 0;
        sockets->say(sockets->userdata, &use);
}

void sockets_hear(struct sockets *sockets, const struct line_use *elsewhere) {
        scavenger_line_hear(&sockets->line, elsewhere, now_usec());
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata) {
        struct sockets *sockets = ASSERT_PTR(userdata);
        uint64_t now = now_usec();
        struct place *place, *tmp;

        HASH_ITER(hh, sockets->places, place, tmp)
                if (place->held && place->next_tick_usec <= now)
                        place_tick(sockets, place, now);
        say_line_use(sockets, now);
        arm(sockets);
        return 0;
}

/* ---- holding ---- */

static void socket_hold(struct tracked_socket *socket) {
        struct sockets *sockets = socket->sockets;
        uint64_t now = now_usec();
        struct place *place;
        struct tcp_info info;

        if (socket->place || !get_info(socket, &info))
                return;
        place = get_place(sockets, socket->name.remote);
        if (!place)
                return;
        if (!place->held && now - place->last_used_usec > RESTART_AFTER_USEC)
                scavenger_restart(&place->scavenger);
        note_base(place, &info, now);
        if (!place->held) {
                place->next_tick_usec = now + scavenger_interval(&place->scavenger);
                turns_join(&sockets->turns, &place->turn);
        }
        place->segment_bytes = MAX(info.tcpi_advmss, SEGMENT_MIN);
        socket->place = place;
        socket->wanted = UINT64_MAX;
        DL_APPEND(place->held, socket);
        place->n_held++;
        place_share_window(place, scavenger_window(&place->scavenger, place->segment_bytes));
        note_state(socket, &info, now);
        arm(sockets);
}

static void socket_let_go(struct tracked_socket *socket) {
        struct place *place = socket->place;

        if (!place)
                return;
        if (socket->resting)
                socket_wake(socket, now_usec());
        DL_DELETE(place->held, socket);
        place->n_held--;
        place->last_used_usec = now_usec();
        socket->place = NULL;
        if (place->held)
                return;
        turns_leave(&socket->sockets->turns, &place->turn, place->last_used_usec); /* the next tick of the others acts on it */
        place->is_silent = false;
        scavenger_pause(&place->scavenger);
        arm(socket->sockets);
}

/* ---- limits ---- */

static uint64_t limit_of_uses(const struct tracked_socket *socket) {
        const struct socket_use *use;
        uint64_t rate = 0;

        DL_FOREACH(socket->uses, use)
                rate = u64_add_saturated(rate, use->max_rate);
        return rate;
}

static uint64_t window_for(uint64_t rate, const struct tcp_info *info) {
        double usec = (double) LIMIT_WINDOW_USEC + 2.0 * info->tcpi_rtt;
        uint64_t least = MAX(LIMIT_WINDOW_MIN, UINT64_C(2) * info->tcpi_rcv_mss); /* no sender cuts its segments for a smaller window */

        return MAX((uint64_t) ((double) rate * usec / (double) USEC_PER_SEC), least);
}

static void socket_limit(struct tracked_socket *socket) {
        uint64_t rate = limit_of_uses(socket);
        struct tcp_info info;

        if (rate <= LIMIT_RATE_MAX && get_info(socket, &info))
                set_clamp(socket, window_for(rate, &info));
        else if (socket->clamped)
                set_clamp(socket, CLAMP_NONE);
}

/* A connection without uses keeps its clamp: whoever takes it next decides. */
static void socket_judge(struct tracked_socket *socket) {
        if (socket->n_foreground == 0 && socket->uses)
                return socket_hold(socket);
        socket_let_go(socket);
        if (socket->n_foreground > 0)
                socket_limit(socket);
}

/* ---- which socket ---- */

static bool format_end(int fd, int (*get)(int, struct sockaddr *, socklen_t *), char ret_text[static ADDRESS_TEXT_MAX],
                       int *ret_port) {
        struct sockaddr_storage address = {};
        socklen_t size = sizeof(address);

        if (get(fd, (struct sockaddr *) &address, &size) < 0)
                return false;
        if (address.ss_family == AF_INET) {
                const struct sockaddr_in *in = (const struct sockaddr_in *) &address;

                *ret_port = ntohs(in->sin_port);
                return inet_ntop(AF_INET, &in->sin_addr, ret_text, ADDRESS_TEXT_MAX);
        }
        if (address.ss_family == AF_INET6) {
                const struct sockaddr_in6 *in = (const struct sockaddr_in6 *) &address;

                *ret_port = ntohs(in->sin6_port);
                return inet_ntop(AF_INET6, &in->sin6_addr, ret_text, ADDRESS_TEXT_MAX);
        }
        return false;
}

/* The padding counts in the hash. */
static void copy_name(const struct socket_name *from, struct socket_name *ret) {
        memset(ret, 0, sizeof(*ret));
        string_copy(ret->remote, sizeof(ret->remote), from->remote);
        string_copy(ret->local, sizeof(ret->local), from->local);
        ret->remote_port = from->remote_port;
        ret->local_port = from->local_port;
}

static void socket_find_name(struct tracked_socket *socket) {
        struct socket_name name = {};
        struct tracked_socket *old;

        if (!format_end(socket->fd, getpeername, name.remote, &name.remote_port) ||
            !format_end(socket->fd, getsockname, name.local, &name.local_port))
                return; /* not connected yet */
        copy_name(&name, &socket->name);
        HASH_FIND(hh_name, socket->sockets->by_name, &socket->name, sizeof(socket->name), old);
        if (old) {
                HASH_DELETE(hh_name, socket->sockets->by_name, old);
                old->has_name = false;
        }
        socket->has_name = true;
        HASH_ADD(hh_name, socket->sockets->by_name, name, sizeof(socket->name), socket);
}

static struct tracked_socket *find(struct sockets *sockets, const struct socket_name *wanted) {
        struct tracked_socket *socket, *tmp;
        struct socket_name name;

        copy_name(wanted, &name);
        HASH_FIND(hh_name, sockets->by_name, &name, sizeof(name), socket);
        if (socket)
                return socket;
        HASH_ITER(hh, sockets->by_fd, socket, tmp)
                if (!socket->has_name)
                        socket_find_name(socket);
        HASH_FIND(hh_name, sockets->by_name, &name, sizeof(name), socket);
        return socket;
}

static void leave_group(struct tracked_socket *socket) {
        struct socket_group *group = socket->group;

        if (!group)
                return;
        socket->group = NULL;
        DL_DELETE2(group->first, socket, group_prev, group_next);
        group->n_open--;
        group->closed(group);
}

static void forget(struct tracked_socket *socket) {
        struct socket_use *use, *tmp;

        leave_group(socket);
        DL_FOREACH_SAFE(socket->uses, use, tmp)
                use->socket = NULL;
        socket->uses = NULL;
        socket_let_go(socket);
        if (socket->has_name)
                HASH_DELETE(hh_name, socket->sockets->by_name, socket);
        HASH_DELETE(hh, socket->sockets->by_fd, socket);
        free(socket);
}

/* ---- libcurl's side ---- */

bool socket_group_close_idle(struct socket_group *group) {
        struct tracked_socket *socket;

        DL_FOREACH2(group->first, socket, group_next)
                if (socket->was_used && !socket->uses) {
                        /* libcurl finds that the peer has left when it would use it next. */
                        (void) shutdown(socket->fd, SHUT_RDWR);
                        leave_group(socket);
                        return true;
                }
        return false;
}

static int on_open(void *userdata, curl_socket_t fd, curlsocktype purpose) {
        struct socket_group *group = ASSERT_PTR(userdata);
        struct sockets *sockets = group->sockets;
        struct tracked_socket *socket;

        poller_opened(sockets->poller, fd);
        HASH_FIND_INT(sockets->by_fd, &fd, socket);
        if (socket)
                forget(socket);
        socket = calloc(1, sizeof(*socket));
        if (!socket)
                return CURL_SOCKOPT_OK; /* a connection that is not held is better than none */
        socket->sockets = sockets;
        socket->fd = fd;
        HASH_ADD_INT(sockets->by_fd, fd, socket);
        if (group->n_open >= group->max)
                (void) socket_group_close_idle(group);
        socket->group = group;
        DL_APPEND2(group->first, socket, group_prev, group_next);
        group->n_open++;
        return CURL_SOCKOPT_OK;
}

static int on_close(void *userdata, curl_socket_t fd) {
        struct sockets *sockets = ASSERT_PTR(userdata);
        struct tracked_socket *socket;

        HASH_FIND_INT(sockets->by_fd, &fd, socket);
        if (socket)
                forget(socket);
        poller_closing(sockets->poller, fd);
        return close(fd);
}

CURLcode sockets_apply(struct sockets *sockets, CURL *easy, struct socket_group *group) {
        CURLcode c = CURLE_OK;

        group->sockets = sockets;
        c |= curl_easy_setopt(easy, CURLOPT_SOCKOPTFUNCTION, on_open);
        c |= curl_easy_setopt(easy, CURLOPT_SOCKOPTDATA, group);
        c |= curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, on_close);
        c |= curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, sockets);
        return c;
}

/* ---- uses ---- */

void socket_use_begin(struct socket_use *use, struct sockets *sockets, const struct socket_name *name,
                      bool foreground, uint64_t max_rate) {
        socket_use_end(use);
        use->foreground = foreground;
        use->max_rate = max_rate;
        use->socket = find(sockets, name);
        if (!use->socket)
                return;
        DL_APPEND(use->socket->uses, use);
        use->socket->was_used = true;
        use->socket->n_foreground += foreground;
        socket_judge(use->socket);
}

void socket_use_set_pace(struct socket_use *use, bool foreground, uint64_t max_rate) {
        bool was_foreground = use->foreground;

        if (was_foreground == foreground && use->max_rate == max_rate)
                return;
        use->foreground = foreground;
        use->max_rate = max_rate;
        if (!use->socket)
                return;
        if (was_foreground != foreground)
                use->socket->n_foreground += foreground ? 1 : -1u;
        socket_judge(use->socket);
}

void socket_use_can_rest(struct socket_use *use, void (*rest)(void *userdata, bool resting), void *userdata) {
        use->rest = rest;
        use->userdata = userdata;
}

bool socket_use_is_resting(const struct socket_use *use) {
        return use->socket && use->socket->resting;
}

/* Autotuning moves the clamp with what comes, up to twice in a round trip; and only now it is known how large the peer's segments are. */
void socket_use_keep_clamp(const struct socket_use *use) {
        struct tracked_socket *socket = use->socket;
        uint64_t passed = socket ? now_usec() - socket->clamped_usec : 0;

        if (passed < KEEP_INTERVAL_USEC || socket->resting)
                return;
        if (socket->place)
                set_clamp(socket, socket->clamp);
        else if (socket->n_foreground > 0 && passed >= LIMIT_INTERVAL_USEC)
                socket_limit(socket);
}

void socket_use_end(struct socket_use *use) {
        struct tracked_socket *socket = use->socket;

        use->rest = NULL;
        if (!socket)
                return;
        DL_DELETE(socket->uses, use);
        use->socket = NULL;
        socket->n_foreground -= use->foreground;
        socket_judge(socket);
}

/* libcurl finds out by itself, as if the peer had left. */
void socket_use_cut_if_silent(const struct socket_use *use, uint64_t usec) {
        struct tcp_info info;

        if (use->socket && get_info(use->socket, &info) && info.tcpi_last_data_recv >= usec / USEC_PER_MSEC)
                (void) shutdown(use->socket->fd, SHUT_RDWR);
}

uint64_t socket_use_allowed_rate(const struct socket_use *use, uint64_t since_usec) {
        const struct place *place = use->socket ? use->socket->place : NULL;
        uint64_t rtt;

        if (!place)
                return UINT64_MAX;
        if (place->crowded_usec > 0 && place->crowded_usec >= since_usec)
                return 0;
        rtt = MAX(place->rtt_usec, scavenger_base(&place->scavenger));
        return rtt > 0 ? (uint64_t) ((double) use->socket->clamp * (double) USEC_PER_SEC / (double) rtt) : 0;
}

int sockets_new(struct sd_event *event, struct poller *poller, sockets_say say, void *userdata, struct sockets **ret) {
        struct sockets *sockets;
        int r;

        sockets = calloc(1, sizeof(*sockets));
        if (!sockets)
                return -ENOMEM;
        sockets->event = sd_event_ref(event);
        sockets->poller = poller;
        sockets->say = say;
        sockets->userdata = userdata;
        r = sd_event_add_time(event, &sockets->timer, CLOCK_MONOTONIC, 0, USEC_PER_MSEC, on_timer, sockets);
        if (r >= 0)
                r = sd_event_source_set_enabled(sockets->timer, SD_EVENT_OFF);
        if (r < 0) {
                sockets_free(sockets);
                return r;
        }
        *ret = sockets;
        return 0;
}

struct sockets *sockets_free(struct sockets *sockets) {
        struct tracked_socket *socket, *next_socket;
        struct place *place, *next_place;

        if (!sockets)
                return NULL;
        HASH_ITER(hh, sockets->by_fd, socket, next_socket)
                forget(socket);
        HASH_ITER(hh, sockets->places, place, next_place) {
                HASH_DEL(sockets->places, place);
                free(place);
        }
        sockets->timer = sd_event_source_disable_unref(sockets->timer);
        sockets->event = sd_event_unref(sockets->event);
        free(sockets);
        return NULL;
}

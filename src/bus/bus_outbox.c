/* What goes to a client, in its order, and in pieces: a job that changes is told to all who asked for it, and with a hundred of them a commit
 * of a few jobs makes thousands of messages. Each is written with a system call, so only SENDS_PER_TURN are at once. The rest waits here, and
 * bus_poll.c gives it its turns. Whoever has something here is asked nothing until it is told, so no answer comes before what was to be told
 * earlier, and one that does not read keeps only references here: the message is the same for all. */
#include <inttypes.h>

#include "base/log.h"
#include "bus/private.h"

#define SENDS_PER_TURN 64 /* of the loop: a quarter of a millisecond */

bool peer_takes_its_answers(const struct peer *peer) {
        uint64_t n;

        return sd_bus_get_n_queued_write(peer->bus, &n) < 0 || n == 0;
}

bool peer_reads_too_slowly(const struct peer *peer) {
        uint64_t n;

        return sd_bus_get_n_queued_write(peer->bus, &n) < 0 || n + peer_count_untold(peer) > LIMIT_OUTGOING_MESSAGES;
}

size_t peer_count_untold(const struct peer *peer) {
        return peer->outbox_end - peer->outbox_begin;
}

static void cut_off(struct peer *peer, const char *why) {
        if (server_may_tell(peer->server))
                log_notice("client %" PRIu64 " (pid %d) is cut off: %s", peer->serial, (int) peer->pid, why);
        peer_drop(peer);
}

static int put(struct peer *peer, sd_bus_message *message) {
        size_t n = peer_count_untold(peer);

        if (peer->outbox_end == peer->outbox_allocated && peer->outbox_begin > 0) {
                memmove(peer->outbox, peer->outbox + peer->outbox_begin, n * sizeof(*peer->outbox));
                peer->outbox_begin = 0;
                peer->outbox_end = n;
        }
        if (peer->outbox_end == peer->outbox_allocated) {
                size_t n_allocated = MAX(peer->outbox_allocated * 2, (size_t) 16);
                sd_bus_message **grown = reallocarray(peer->outbox, n_allocated, sizeof(*grown));

                if (!grown)
                        return -ENOMEM;
                peer->outbox = grown;
                peer->outbox_allocated = n_allocated;
        }
        peer->outbox[peer->outbox_end++] = sd_bus_message_ref(message);
        return 0;
}

static sd_bus_message *take(struct peer *peer) {
        sd_bus_message *message = peer->outbox[peer->outbox_begin++];

        if (peer->outbox_begin == peer->outbox_end)
                peer->outbox_begin = peer->outbox_end = 0;
        return message;
}

static int send_or_put(struct peer *peer, sd_bus_message *message) {
        /* A signal that names nobody would reach everybody on a bus. */
        if (peer->name && sd_bus_message_is_signal(message, NULL, NULL))
                return sd_bus_send_to(peer->bus, message, peer->name, NULL);
        if (peer->name)
                return sd_bus_send(peer->bus, message, NULL);
        if (peer_count_untold(peer) > 0 || peer->server->sends_left == 0)
                return put(peer, message);
        peer->server->sends_left--;
        return sd_bus_send(peer->bus, message, NULL);
}

int peer_send(struct peer *peer, sd_bus_message *message) {
        int r;

        if (peer->dead)
                return 0;
        r = send_or_put(peer, message);
        if (r < 0 || peer_reads_too_slowly(peer))
                cut_off(peer, r < 0 ? strerror(-r) : "it does not read");
        peer_touch(peer);
        return 0;
}

unsigned peer_tell(struct peer *peer, unsigned at_most) {
        unsigned n = 0;
        int r = 0;

        while (r >= 0 && n < at_most && !peer->dead && peer_count_untold(peer) > 0 && peer_takes_its_answers(peer)) {
                _cleanup_(sd_bus_message_unrefp) sd_bus_message *message = take(peer);

                r = sd_bus_send(peer->bus, message, NULL);
                n++;
        }
        if (r < 0)
                cut_off(peer, strerror(-r));
        return n;
}

void outbox_begin_turn(struct bus_server *server) {
        server->sends_left = SENDS_PER_TURN;
}

void outbox_done(struct peer *peer) {
        while (peer_count_untold(peer) > 0)
                sd_bus_message_unref(take(peer));
        free(peer->outbox);
        peer->outbox = NULL;
}

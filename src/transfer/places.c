#include "transfer/places.h"

#include <string.h>
#include <systemd/sd-event.h>
#include <uthash.h>
#include <utlist.h>

#include "base/strings.h"

#define STREAMS_PER_HOST_MAX 64 /* over HTTP/2; servers commonly allow 100 */

struct place_host {
        struct socket_group group;           /* its connections */
        struct place_host *prev, *next;      /* of the ring, while something waits that could go */
        struct place_host *dirty_prev, *dirty_next;
        UT_hash_handle hh;
        struct places *places;
        struct ticket *foreground, *background;
        unsigned n_waiting, n_placed, n_alone; /* alone: of those that have a place */
        unsigned n_held, n_owed; /* given by the core; of them, recalled */
        unsigned wanted_told;
        const void *pool; /* of those that have a place; NULL: of several, or nobody has one */
        bool in_ring, is_dirty;
        bool multiplexed;
        const void *last_pool;
        bool mixed;    /* its connections are of several pools: what is idle may be of no use to who waits */
        bool answered; /* the core has said what it gives of wanted_told */
        char key[];
};

struct places {
        const struct places_callbacks *callbacks;
        void *userdata;
        sd_event_source *turn; /* defer */
        struct place_host *hosts; /* hash */
        struct place_host *ring, *dirty;
        unsigned max_per_host;
        bool turning;
};

/* ---- a host ---- */

/* Requests share a connection, and nobody else wants to have one: libcurl sees to it that there are not too many. */
static bool host_is_shared(const struct place_host *host, const void *pool) {
        return host->multiplexed && host->n_owed == 0 && host->n_held >= host->places->max_per_host && (host->n_placed == 0 || host->pool == pool);
}

/* The next connection would cost an idle one its place, while the core may still give another. */
static bool host_should_ask(const struct place_host *host) {
        return host->mixed && host->group.n_open >= host->n_held && host->n_held < host->places->max_per_host &&
               !(host->answered && host->wanted_told > host->n_held);
}

static bool host_has_place(const struct place_host *host, const struct ticket *next) {
        unsigned n_shared = host->n_placed - host->n_alone;

        if (!host_is_shared(host, next->pool))
                return host->n_placed < host->n_held - host->n_owed && !host_should_ask(host);
        if (!next->alone && n_shared > 0)
                return n_shared < MAX(host->n_held, (unsigned) STREAMS_PER_HOST_MAX);
        return host->n_alone + (n_shared > 0) < host->n_held; /* one more connection */
}

static void host_update_ring(struct place_host *host) {
        struct places *places = host->places;
        const struct ticket *next = host->foreground ?: host->background;
        bool wanted = next && host_has_place(host, next);

        if (wanted == host->in_ring)
                return;
        host->in_ring = wanted;
        if (wanted)
                DL_APPEND(places->ring, host);
        else
                DL_DELETE(places->ring, host);
}

static void host_changed(struct place_host *host) {
        struct places *places = host->places;

        host_update_ring(host);
        if (!host->is_dirty) {
                host->is_dirty = true;
                DL_APPEND2(places->dirty, host, dirty_prev, dirty_next);
        }
        if (!places->turning)
                (void) sd_event_source_set_enabled(places->turn, SD_EVENT_ONESHOT);
}

static void on_socket_closed(struct socket_group *group) {
        host_changed(CONTAINER_OF(group, struct place_host, group));
}

static struct place_host *places_get_host(struct places *places, const char *key) {
        struct place_host *host;
        size_t n = strlen(key);

        HASH_FIND(hh, places->hosts, key, n, host);
        if (host)
                return host;
        host = calloc(1, sizeof(*host) + n + 1);
        if (!host)
                return NULL;
        host->places = places;
        host->group.closed = on_socket_closed;
        memcpy(host->key, key, n + 1);
        HASH_ADD_KEYPTR(hh, places->hosts, host->key, n, host);
        return host;
}

static void host_grant_one(struct place_host *host) {
        struct ticket **list = host->foreground ? &host->foreground : &host->background;
        struct ticket *ticket = *list;

        DL_DELETE(*list, ticket);
        ticket->has_place = true;
        host->pool = host->n_placed == 0 || host->pool == ticket->pool ? ticket->pool : NULL;
        host->n_waiting--;
        host->n_placed++;
        host->n_alone += ticket->alone;
        /* To the end of the ring: the next host's turn. */
        DL_DELETE(host->places->ring, host);
        host->in_ring = false;
        host_changed(host);
        ticket->granted(ticket); /* may release it again */
}

static void host_grant(struct place_host *host) {
        while (host->in_ring)
                host_grant_one(host);
}

/* Tells the core what changed. */
static void host_settle(struct place_host *host) {
        struct places *places = host->places;
        unsigned n_kept = host->mixed ? MAX(host->group.n_open, host->n_placed) : host->n_placed;
        unsigned wanted = MIN(n_kept + host->n_waiting, places->max_per_host), in_use, returned, spare;

        while (host->group.n_open > host->n_placed && host->group.n_open + host->n_owed > host->n_held && socket_group_close_idle(&host->group))
                ;
        /* Who has a place at a mixed host may still open a connection beside the idle ones. */
        in_use = host->mixed ? host->group.n_open + host->n_placed : MAX(host->group.n_open, host->n_placed);
        spare = host->n_held - MIN(host->n_held, in_use);
        returned = MAX(MIN(spare, host->n_owed), spare - MIN(spare, host->n_waiting));
        host->n_held -= returned;
        host->n_owed -= MIN(returned, host->n_owed);
        host->group.max = host->n_held;
        if (returned == 0 && wanted == host->wanted_told)
                return;
        host->answered = host->answered && wanted <= host->wanted_told;
        host->wanted_told = wanted;
        places->callbacks->want(places->userdata, host->key, returned, wanted);
}

static bool host_is_needed(const struct place_host *host) {
        return host->n_placed > 0 || host->n_waiting > 0 || host->n_held > 0 || host->group.n_open > 0 || host->wanted_told > 0;
}

static void host_free(struct place_host *host) {
        HASH_DEL(host->places->hosts, host);
        free(host);
}

/* ---- all of them ---- */

void places_turn(struct places *places) {
        struct place_host *host;

        if (places->turning)
                return;
        places->turning = true;
        while (places->ring || places->dirty) {
                if (places->ring) {
                        host_grant_one(places->ring);
                        continue;
                }
                host = places->dirty;
                DL_DELETE2(places->dirty, host, dirty_prev, dirty_next);
                host->is_dirty = false;
                host_settle(host);
                if (!host->is_dirty && !host_is_needed(host))
                        host_free(host);
        }
        places->turning = false;
        (void) sd_event_source_set_enabled(places->turn, SD_EVENT_OFF);
}

static int on_turn(sd_event_source *source, void *userdata) {
        places_turn(ASSERT_PTR(userdata));
        return 0;
}

void places_set_limit(struct places *places, unsigned max_per_host) {
        struct place_host *host, *tmp;

        places->max_per_host = max_per_host;
        HASH_ITER(hh, places->hosts, host, tmp)
                host_changed(host);
}

void places_add(struct places *places, const char *host_key, unsigned given, unsigned recalled) {
        struct place_host *host = places_get_host(places, host_key);

        if (!host) /* no memory: nothing is known of it that could use them */
                return places->callbacks->want(places->userdata, host_key, given, 0);
        host->answered = true;
        host->n_held += given;
        host->group.max = host->n_held;
        host_changed(host);
        if (recalled == 0)
                return;
        /* What is given and recalled in one breath, or the next one, is for one exchange each: else places would go round and nobody would
         * ever use one. */
        host_grant(host);
        host->n_owed = MIN(host->n_owed + recalled, host->n_held);
        host_changed(host);
}

int places_new(struct sd_event *event, const struct places_callbacks *callbacks, void *userdata, struct places **ret) {
        struct places *places = calloc(1, sizeof(*places));
        int r;

        if (!places)
                return -ENOMEM;
        places->callbacks = callbacks;
        places->userdata = userdata;
        places->max_per_host = 1;
        r = sd_event_add_defer(event, &places->turn, on_turn, places);
        if (r >= 0)
                r = sd_event_source_set_enabled(places->turn, SD_EVENT_OFF);
        if (r < 0) {
                places_free(places);
                return r;
        }
        *ret = places;
        return 0;
}

struct places *places_free(struct places *places) {
        struct place_host *host, *tmp;

        if (!places)
                return NULL;
        HASH_ITER(hh, places->hosts, host, tmp)
                host_free(host);
        places->turn = sd_event_source_disable_unref(places->turn);
        free(places);
        return NULL;
}

/* ---- tickets ---- */

static struct ticket **ticket_list(const struct ticket *ticket) {
        return ticket->foreground ? &ticket->host->foreground : &ticket->host->background;
}

int ticket_wait(struct ticket *ticket, struct places *places, const void *pool, const char *host_key, bool foreground, bool alone,
                void (*granted)(struct ticket *ticket)) {
        struct place_host *host;

        assert(!ticket->host);
        host = places_get_host(places, host_key);
        if (!host)
                return -ENOMEM;
        host->mixed = host->mixed || (host->last_pool && host->last_pool != pool);
        host->last_pool = pool;
        *ticket = (struct ticket) { .places = places, .host = host, .pool = pool, .foreground = foreground, .alone = alone,
                                    .granted = granted };
        DL_APPEND(*ticket_list(ticket), ticket);
        host->n_waiting++;
        host_changed(host);
        return 0;
}

void ticket_release(struct ticket *ticket) {
        struct place_host *host = ticket->host;

        if (!host)
                return;
        if (ticket->has_place) {
                host->n_placed--;
                host->n_alone -= ticket->alone;
        } else {
                DL_DELETE(*ticket_list(ticket), ticket);
                host->n_waiting--;
        }
        ticket->host = NULL;
        ticket->has_place = false;
        host_changed(host);
}

void ticket_set_foreground(struct ticket *ticket, bool foreground) {
        bool waits = ticket->host && !ticket->has_place;

        if (ticket->foreground == foreground)
                return;
        if (waits)
                DL_DELETE(*ticket_list(ticket), ticket);
        ticket->foreground = foreground;
        if (!waits)
                return;
        DL_APPEND(*ticket_list(ticket), ticket);
        host_changed(ticket->host);
}

bool ticket_is_for(const struct ticket *ticket, const char *host_key, bool alone) {
        return ticket->host && ticket->has_place && ticket->alone == alone && streq(ticket->host->key, host_key);
}

void ticket_set_multiplexed(struct ticket *ticket) {
        if (!ticket->host || ticket->host->multiplexed)
                return;
        ticket->host->multiplexed = true;
        host_changed(ticket->host);
}

struct socket_group *ticket_group(const struct ticket *ticket) {
        return &ticket->host->group;
}

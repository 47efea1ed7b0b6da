#include "transfer/owner.h"

#include <string.h>
#include <uthash.h>
#include <utlist.h>

#include "base/strings.h"
#include "transfer/curl_loop.h"

#define IDLE_HANDLES_MAX 64
#define STREAMS_PER_HOST_MAX 64 /* over HTTP/2; servers commonly allow 100 */

struct owner_host {
        struct owner_host *prev, *next; /* of the ring, while something waits */
        UT_hash_handle hh;
        struct ticket *foreground, *background;
        size_t n_tickets;
        unsigned n_placed, n_alone;
        bool in_ring;
        bool multiplexed;
        char key[];
};

struct owner {
        const struct owner_callbacks *callbacks;
        struct curl_loop *loop;
        struct owner_host *hosts; /* hash */
        struct owner_host *ring;  /* hosts for which tickets wait, in turn */
        unsigned n_placed, max_places, max_per_host;
        CURL *idle[IDLE_HANDLES_MAX];
        size_t n_idle;
};

static bool host_is_waited_for(const struct owner_host *host) {
        return host->foreground || host->background;
}

static bool host_has_place(const struct owner *owner, const struct owner_host *host) {
        const struct ticket *next = host->foreground ?: host->background;
        unsigned n_shared = host->n_placed - host->n_alone;

        if (!host->multiplexed)
                return host->n_placed < owner->max_per_host;
        if (next && !next->alone && n_shared > 0)
                return n_shared < MAX(owner->max_per_host, (unsigned) STREAMS_PER_HOST_MAX);
        return host->n_alone + (n_shared > 0) < owner->max_per_host; /* one more connection */
}

static void host_update_ring(struct owner *owner, struct owner_host *host) {
        bool wanted = host_is_waited_for(host) && host_has_place(owner, host);

        if (wanted == host->in_ring)
                return;
        host->in_ring = wanted;
        if (wanted)
                DL_APPEND(owner->ring, host);
        else
                DL_DELETE(owner->ring, host);
}

static void arm_pump(struct owner *owner) {
        curl_loop_turn_soon(owner->loop);
}

static void host_grant_one(struct owner *owner, struct owner_host *host) {
        struct ticket **list = host->foreground ? &host->foreground : &host->background;
        struct ticket *ticket = *list;

        DL_DELETE(*list, ticket);
        ticket->has_place = true;
        host->n_placed++;
        host->n_alone += ticket->alone;
        owner->n_placed++;
        /* To the end of the ring: the next host's turn. */
        DL_DELETE(owner->ring, host);
        host->in_ring = false;
        host_update_ring(owner, host);
        ticket->granted(ticket); /* may release it again */
}

static void on_settled(void *userdata) {
        struct owner *owner = ASSERT_PTR(userdata);

        while (owner->ring && owner->n_placed < owner->max_places)
                host_grant_one(owner, owner->ring);
}

static void on_done(void *userdata, CURL *easy, CURLcode code) {
        struct owner *owner = ASSERT_PTR(userdata);
        char *private = NULL;

        (void) curl_easy_getinfo(easy, CURLINFO_PRIVATE, &private);
        owner->callbacks->exchange_done(private, code);
}

static const struct curl_loop_callbacks loop_callbacks = { .done = on_done, .settled = on_settled };

int owner_new(struct sd_event *event, const struct owner_callbacks *callbacks, struct owner **ret) {
        struct owner *owner;
        int r;

        owner = calloc(1, sizeof(*owner));
        if (!owner)
                return -ENOMEM;
        owner->callbacks = callbacks;
        owner->max_places = owner->max_per_host = 1;
        r = curl_loop_new(event, &loop_callbacks, owner, &owner->loop);
        if (r < 0) {
                owner_free(owner);
                return r;
        }
        *ret = owner;
        return 0;
}

struct owner *owner_free(struct owner *owner) {
        if (!owner)
                return NULL;
        assert(!owner->hosts);
        while (owner->n_idle > 0)
                curl_easy_cleanup(owner->idle[--owner->n_idle]);
        owner->loop = curl_loop_free(owner->loop);
        free(owner);
        return NULL;
}

int owner_set_limits(struct owner *owner, unsigned max_connections, unsigned max_per_host) {
        struct owner_host *host, *tmp;

        owner->max_places = max_connections;
        owner->max_per_host = max_per_host;
        HASH_ITER(hh, owner->hosts, host, tmp)
                host_update_ring(owner, host);
        arm_pump(owner);
        return curl_loop_set_limits(owner->loop, max_connections, max_per_host);
}

static struct owner_host *owner_get_host(struct owner *owner, const char *key) {
        struct owner_host *host;
        size_t n = strlen(key);

        HASH_FIND(hh, owner->hosts, key, n, host);
        if (host)
                return host;
        host = calloc(1, sizeof(*host) + n + 1);
        if (!host)
                return NULL;
        memcpy(host->key, key, n + 1);
        HASH_ADD_KEYPTR(hh, owner->hosts, host->key, n, host);
        return host;
}

int ticket_wait(struct ticket *ticket, struct owner *owner, const char *host_key, bool foreground, bool alone,
                void (*granted)(struct ticket *ticket)) {
        struct owner_host *host;

        assert(!ticket->host);
        host = owner_get_host(owner, host_key);
        if (!host)
                return -ENOMEM;
        *ticket = (struct ticket) { .owner = owner, .host = host, .foreground = foreground, .alone = alone, .granted = granted };
        host->n_tickets++;
        if (foreground)
                DL_APPEND(host->foreground, ticket);
        else
                DL_APPEND(host->background, ticket);
        host_update_ring(owner, host);
        arm_pump(owner);
        return 0;
}

void ticket_release(struct ticket *ticket) {
        struct owner_host *host = ticket->host;
        struct owner *owner = ticket->owner;

        if (!host)
                return;
        if (ticket->has_place) {
                host->n_placed--;
                host->n_alone -= ticket->alone;
                owner->n_placed--;
        } else if (ticket->foreground)
                DL_DELETE(host->foreground, ticket);
        else
                DL_DELETE(host->background, ticket);
        ticket->host = NULL;
        ticket->has_place = false;
        host->n_tickets--;
        host_update_ring(owner, host);
        if (host->n_tickets == 0) {
                HASH_DEL(owner->hosts, host);
                free(host);
        }
        if (owner->ring)
                arm_pump(owner);
}

void ticket_set_foreground(struct ticket *ticket, bool foreground) {
        struct owner_host *host = ticket->host;

        if (!host || ticket->foreground == foreground)
                return;
        ticket->foreground = foreground;
        if (ticket->has_place)
                return;
        if (foreground) {
                DL_DELETE(host->background, ticket);
                DL_APPEND(host->foreground, ticket);
        } else {
                DL_DELETE(host->foreground, ticket);
                DL_APPEND(host->background, ticket);
        }
        host_update_ring(ticket->owner, host);
}

bool ticket_is_for(const struct ticket *ticket, const char *host_key, bool alone) {
        return ticket->host && ticket->has_place && ticket->alone == alone && streq(ticket->host->key, host_key);
}

void ticket_set_multiplexed(struct ticket *ticket) {
        if (!ticket->host || ticket->host->multiplexed)
                return;
        ticket->host->multiplexed = true;
        host_update_ring(ticket->owner, ticket->host);
        arm_pump(ticket->owner);
}

CURL *owner_take_easy(struct owner *owner) {
        CURL *easy = owner->n_idle > 0 ? owner->idle[--owner->n_idle] : curl_easy_init();

        if (easy && curl_easy_setopt(easy, CURLOPT_COOKIEFILE, "") != CURLE_OK) {
                curl_easy_cleanup(easy);
                return NULL;
        }
        return easy;
}

void owner_return_easy(struct owner *owner, CURL *easy) {
        if (!easy)
                return;
        /* curl_easy_reset() keeps cookies, and libcurl 7.88 forgets in it to free the list of cookie files. */
        if (owner->n_idle == IDLE_HANDLES_MAX || curl_easy_setopt(easy, CURLOPT_COOKIEFILE, NULL) != CURLE_OK) {
                curl_easy_cleanup(easy);
                return;
        }
        curl_easy_reset(easy);
        owner->idle[owner->n_idle++] = easy;
}

int owner_add(struct owner *owner, CURL *easy) {
        return curl_loop_add(owner->loop, easy);
}

void owner_remove(struct owner *owner, CURL *easy) {
        curl_loop_remove(owner->loop, easy);
}

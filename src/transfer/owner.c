#include "transfer/owner.h"

#include "transfer/curl_loop.h"
#include "transfer/places.h"

#define IDLE_HANDLES_MAX 64

struct owner {
        const struct owner_callbacks *callbacks;
        struct curl_loop *loop;
        struct places *places;
        CURL *idle[IDLE_HANDLES_MAX];
        size_t n_idle;
};

static void on_settled(void *userdata) {
        struct owner *owner = ASSERT_PTR(userdata);

        places_turn(owner->places);
}

static void on_done(void *userdata, CURL *easy, CURLcode code) {
        struct owner *owner = ASSERT_PTR(userdata);
        char *private = NULL;

        (void) curl_easy_getinfo(easy, CURLINFO_PRIVATE, &private);
        owner->callbacks->exchange_done(private, code);
}

static const struct curl_loop_callbacks loop_callbacks = { .done = on_done, .settled = on_settled };

int owner_new(struct sd_event *event, struct poller *poller, const struct owner_callbacks *callbacks, struct places *places,
              struct owner **ret) {
        struct owner *owner;
        int r;

        owner = calloc(1, sizeof(*owner));
        if (!owner)
                return -ENOMEM;
        owner->callbacks = callbacks;
        owner->places = places;
        r = curl_loop_new(event, poller, &loop_callbacks, owner, &owner->loop);
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
        while (owner->n_idle > 0)
                curl_easy_cleanup(owner->idle[--owner->n_idle]);
        owner->loop = curl_loop_free(owner->loop);
        free(owner);
        return NULL;
}

int owner_set_limits(struct owner *owner, unsigned max_connections, unsigned max_per_host) {
        return curl_loop_set_limits(owner->loop, max_connections, max_per_host);
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

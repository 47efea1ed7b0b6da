#include "transfer/resolver.h"

#include <stdio.h>
#include <systemd/sd-event.h>
#include <uthash.h>

#include "base/clock.h"
#include "base/fds.h"
#include "transfer/link.h"

#define CACHE_TIME_USEC (60 * USEC_PER_SEC) /* as libcurl's own */
#define CACHE_ENTRIES_MAX 256

struct lookup {
        UT_hash_handle hh;
        struct resolver *resolver;
        uint64_t id;
        lookup_fn done;
        void *userdata;
        bool only_public;
        char host[IPC_HOST_MAX + 1];
};

struct cache_entry {
        UT_hash_handle hh;
        uint64_t until_usec;
        struct ipc_resolved answer;
        char key[IPC_HOST_MAX + 2]; /* 'p' if all are public, else 'a'; the host */
};

struct resolver {
        sd_event *event;
        struct link *link;
        struct cache_entry *cache;
        struct lookup *lookups;
        uint64_t last_id;
        void (*closed)(void *userdata, int error);
        void *userdata;
};

struct lookup *lookup_cancel(struct lookup *lookup) {
        if (!lookup)
                return NULL;
        HASH_DEL(lookup->resolver->lookups, lookup);
        free(lookup);
        return NULL;
}

static uint64_t now(const struct resolver *resolver) {
        uint64_t usec = 0;

        (void) sd_event_now(resolver->event, CLOCK_MONOTONIC, &usec);
        return usec;
}

static void make_key(char key[static IPC_HOST_MAX + 2], const char *host, bool only_public) {
        (void) snprintf(key, IPC_HOST_MAX + 2, "%c%s", only_public ? 'p' : 'a', host);
}

static void cache_remove(struct resolver *resolver, struct cache_entry *entry) {
        HASH_DEL(resolver->cache, entry);
        free(entry);
}

static void cache_clear(struct resolver *resolver) {
        struct cache_entry *entry, *tmp;

        HASH_ITER(hh, resolver->cache, entry, tmp)
                cache_remove(resolver, entry);
}

static void cache_add(struct resolver *resolver, const struct lookup *lookup, const struct ipc_resolved *answer) {
        struct cache_entry *entry;

        if (answer->status != IPC_RESOLVE_OK)
                return;
        resolver_forget(resolver, lookup->host);
        if (HASH_COUNT(resolver->cache) >= CACHE_ENTRIES_MAX)
                cache_clear(resolver);
        entry = calloc(1, sizeof(*entry));
        if (!entry)
                return;
        entry->until_usec = now(resolver) + CACHE_TIME_USEC;
        entry->answer = *answer;
        entry->answer.text = "";
        make_key(entry->key, lookup->host, lookup->only_public);
        HASH_ADD_STR(resolver->cache, key, entry);
}

const struct ipc_resolved *resolver_cached(struct resolver *resolver, const char *host, bool only_public) {
        char key[IPC_HOST_MAX + 2];
        struct cache_entry *entry;

        make_key(key, host, only_public);
        HASH_FIND_STR(resolver->cache, key, entry);
        if (!entry)
                return NULL;
        if (now(resolver) < entry->until_usec)
                return &entry->answer;
        cache_remove(resolver, entry);
        return NULL;
}

void resolver_forget(struct resolver *resolver, const char *host) {
        char key[IPC_HOST_MAX + 2];
        struct cache_entry *entry;

        for (int only_public = 0; only_public <= 1; only_public++) {
                make_key(key, host, only_public);
                HASH_FIND_STR(resolver->cache, key, entry);
                if (entry)
                        cache_remove(resolver, entry);
        }
}

static void on_message(void *userdata, const struct ipc_message *message, int fd) {
        struct resolver *resolver = ASSERT_PTR(userdata);
        struct lookup *lookup;
        lookup_fn done;
        void *data;

        (void) fd_close(fd);
        if (message->type != IPC_RESOLVED)
                return;
        HASH_FIND(hh, resolver->lookups, &message->resolved.id, sizeof(message->resolved.id), lookup);
        if (!lookup)
                return; /* was cancelled */
        cache_add(resolver, lookup, &message->resolved);
        done = lookup->done;
        data = lookup->userdata;
        (void) lookup_cancel(lookup);
        done(data, &message->resolved);
}

static void on_closed(void *userdata, int error) {
        struct resolver *resolver = ASSERT_PTR(userdata);

        resolver->closed(resolver->userdata, error);
}

static const struct link_callbacks link_callbacks = { .message = on_message, .closed = on_closed };

int resolver_new(struct sd_event *event, int fd, void (*closed)(void *userdata, int error), void *userdata, struct resolver **ret) {
        struct resolver *resolver;
        int r;

        resolver = calloc(1, sizeof(*resolver));
        if (!resolver)
                return -ENOMEM;
        resolver->closed = closed;
        resolver->userdata = userdata;
        resolver->event = sd_event_ref(event);
        r = link_new(event, fd, IPC_ROLE_TRANSFER, IPC_ROLE_RESOLVE, &link_callbacks, resolver, &resolver->link);
        if (r < 0) {
                resolver_free(resolver);
                return r;
        }
        *ret = resolver;
        return 0;
}

struct resolver *resolver_free(struct resolver *resolver) {
        struct lookup *lookup, *tmp;

        if (!resolver)
                return NULL;
        HASH_ITER(hh, resolver->lookups, lookup, tmp)
                (void) lookup_cancel(lookup);
        cache_clear(resolver);
        resolver->link = link_free(resolver->link);
        resolver->event = sd_event_unref(resolver->event);
        free(resolver);
        return NULL;
}

int resolver_start(struct resolver *resolver, const char *host, bool only_public, lookup_fn done, void *userdata,
                   struct lookup **ret) {
        struct lookup *lookup;
        int r;

        lookup = calloc(1, sizeof(*lookup));
        if (!lookup)
                return -ENOMEM;
        *lookup = (struct lookup) {
                .resolver = resolver, .id = ++resolver->last_id, .done = done, .userdata = userdata, .only_public = only_public,
        };
        (void) snprintf(lookup->host, sizeof(lookup->host), "%s", host); /* the codec refuses a longer one below */
        r = link_send(resolver->link, &(struct ipc_message) {
                .type = IPC_RESOLVE,
                .resolve = { .id = lookup->id, .only_public = only_public, .host = host },
        }, -EBADF);
        if (r < 0) {
                free(lookup);
                return r;
        }
        HASH_ADD(hh, resolver->lookups, id, sizeof(lookup->id), lookup);
        *ret = lookup;
        return 0;
}

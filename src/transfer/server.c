#include "transfer/server.h"

#include <openssl/evp.h>
#include <string.h>
#include <systemd/sd-event.h>
#include <uthash.h>
#include <utlist.h>

#include "base/clock.h"
#include "base/fds.h"
#include "transfer/engine.h"
#include "transfer/line_use.h"
#include "transfer/link.h"
#include "transfer/owner.h"
#include "transfer/places.h"
#include "transfer/redirect.h"
#include "transfer/request.h"
#include "transfer/resolver.h"
#include "transfer/sink.h"

#define REPORT_INTERVAL (100 * USEC_PER_MSEC)
#define REPORT_QUEUE_BYTES (256u * 1024)       /* a core that is behind gets fewer, longer reports */
#define OWNER_IDLE_TIME (60 * USEC_PER_SEC)    /* connections of an owner without requests are kept so long */

struct request_entry {
        UT_hash_handle hh;
        uint64_t id;
        struct request *request;
};

/* Who shares connections: the same owner who shows the same to servers and asks the same of them. */
struct owner_key {
        uint64_t id;
        uint8_t identity[32];
};
static_assert(sizeof(struct owner_key) == 40, "the key is hashed as bytes: no padding");

struct owner_entry {
        UT_hash_handle hh;
        struct owner_key key;
        struct owner *owner;
        size_t n_requests;
        uint64_t idle_since_usec;
};

struct transfer_server {
        sd_event *event;
        struct poller *poller;
        struct link *core;
        struct request_environment environment;
        struct request_entry *requests;
        struct owner_entry *owners;
        EVP_MD *sha256; /* both for the owners' keys: to find and make them for each request costs twice what hashing does */
        EVP_MD_CTX *hash;
        struct request *dirty;
        sd_event_source *report_timer, *owner_timer;
        struct ipc_limits limits;
        bool leaving; /* as soon as the core was told why */
};

static const struct owner_callbacks owner_callbacks = { .exchange_done = request_exchange_done };

static uint64_t now(const struct transfer_server *server) {
        uint64_t usec = 0;

        (void) sd_event_now(server->event, CLOCK_MONOTONIC, &usec);
        return usec;
}

static void arm(sd_event_source *timer, uint64_t delay_usec) {
        int enabled = SD_EVENT_OFF;

        (void) sd_event_source_get_enabled(timer, &enabled);
        if (enabled != SD_EVENT_OFF)
                return;
        if (sd_event_source_set_time_relative(timer, delay_usec) >= 0)
                (void) sd_event_source_set_enabled(timer, SD_EVENT_ONESHOT);
}

/* A core that cannot be told anything any more is as good as gone: it starts another process. */
static void on_send(void *userdata, const struct ipc_message *message) {
        struct transfer_server *server = ASSERT_PTR(userdata);

        if (link_send(server->core, message, -EBADF) < 0)
                (void) sd_event_exit(server->event, 1);
}

static void on_want(void *userdata, const char *host_key, unsigned returned, unsigned wanted) {
        on_send(userdata, &(struct ipc_message) { .type = IPC_WANT_PLACES, .want_places = { host_key, returned, wanted } });
}

static void on_say(void *userdata, const struct line_use *use) {
        on_send(userdata, &(struct ipc_message) { .type = IPC_LINE_USE, .line_use = { use->low, use->high, use->n, use->slowdown } });
}

static void hear(struct transfer_server *server, const struct ipc_line_use *m) {
        sockets_hear(server->environment.sockets, &(struct line_use) { m->low, m->high, m->n, m->slowdown });
}

static const struct places_callbacks places_callbacks = { .want = on_want };

static void on_dirty(void *userdata, struct request *request) {
        struct transfer_server *server = ASSERT_PTR(userdata);
        struct request_links *links = request_get_links(request);

        if (links->is_dirty)
                return;
        links->is_dirty = true;
        links->dirty_next = server->dirty;
        links->dirty_prev = NULL;
        if (server->dirty)
                request_get_links(server->dirty)->dirty_prev = request;
        server->dirty = request;
        arm(server->report_timer, REPORT_INTERVAL);
}

static void clean(struct transfer_server *server, struct request *request) {
        struct request_links *links = request_get_links(request);

        if (!links->is_dirty)
                return;
        if (links->dirty_prev)
                request_get_links(links->dirty_prev)->dirty_next = links->dirty_next;
        else
                server->dirty = links->dirty_next;
        if (links->dirty_next)
                request_get_links(links->dirty_next)->dirty_prev = links->dirty_prev;
        links->is_dirty = false;
}

static int on_report_timer(sd_event_source *source, uint64_t usec, void *userdata) {
        struct transfer_server *server = ASSERT_PTR(userdata);

        if (link_queued(server->core) > REPORT_QUEUE_BYTES) {
                arm(server->report_timer, REPORT_INTERVAL);
                return 0;
        }
        while (server->dirty) {
                struct request *request = server->dirty;

                clean(server, request);
                request_report(request);
        }
        return 0;
}

static int on_owner_timer(sd_event_source *source, uint64_t usec, void *userdata) {
        struct transfer_server *server = ASSERT_PTR(userdata);
        struct owner_entry *entry, *tmp;
        bool wait = false;

        HASH_ITER(hh, server->owners, entry, tmp) {
                if (entry->n_requests > 0)
                        continue;
                if (now(server) - entry->idle_since_usec < OWNER_IDLE_TIME) {
                        wait = true;
                        continue;
                }
                HASH_DEL(server->owners, entry);
                entry->owner = owner_free(entry->owner);
                free(entry);
        }
        if (wait)
                arm(server->owner_timer, OWNER_IDLE_TIME);
        return 0;
}

static void on_finished(void *userdata, struct request *request) {
        struct transfer_server *server = ASSERT_PTR(userdata);
        uint64_t id = request_id(request);
        struct request_entry *entry;
        struct owner_entry *owner, *tmp;

        clean(server, request);
        HASH_FIND(hh, server->requests, &id, sizeof(id), entry);
        if (entry) {
                HASH_DEL(server->requests, entry);
                free(entry);
        }
        HASH_ITER(hh, server->owners, owner, tmp)
                if (owner->owner == request_owner(request) && --owner->n_requests == 0) {
                        owner->idle_since_usec = now(server);
                        arm(server->owner_timer, OWNER_IDLE_TIME);
                }
}

static void hash_text(EVP_MD_CTX *context, const char *text, size_t n) {
        (void) EVP_DigestUpdate(context, &n, sizeof(n));
        (void) EVP_DigestUpdate(context, text, n);
}

/* Up to the '@' behind the scheme. */
static size_t user_info_length(const char *url) {
        const char *authority = strstr(url, "://");
        size_t n = authority ? strcspn(authority + 3, "/?#") : 0;
        const char *at = n > 0 ? memrchr(authority + 3, '@', n) : NULL;

        return at ? (size_t) (at - url) : 0;
}

/* A connection that one set of credentials, or a laxer check, has opened is never used with another (reliability: the curl flaws
 * of wrong reuse): by keeping them in different pools, not by trusting libcurl to tell them apart. */
static int make_key(struct transfer_server *server, const struct ipc_start *start, struct owner_key *ret) {
        EVP_MD_CTX *context = server->hash;
        int ok;

        *ret = (struct owner_key) { .id = start->owner };
        ok = EVP_DigestInit_ex(context, server->sha256, NULL);
        hash_text(context, start->auth_headers ?: "", strlen(start->auth_headers ?: ""));
        hash_text(context, start->client_certificate ?: "", strlen(start->client_certificate ?: ""));
        hash_text(context, start->client_key ?: "", strlen(start->client_key ?: ""));
        hash_text(context, start->credentials ?: "", strlen(start->credentials ?: ""));
        hash_text(context, start->proxy_credentials ?: "", strlen(start->proxy_credentials ?: ""));
        hash_text(context, start->url, user_info_length(start->url));
        for (uint32_t i = 0; i < start->n_proxies; i++)
                hash_text(context, start->proxies[i], user_info_length(start->proxies[i]));
        ok = ok == 1 && EVP_DigestUpdate(context, &start->ignore_certificate, sizeof(start->ignore_certificate)) == 1 &&
             EVP_DigestUpdate(context, &start->check_revocation, sizeof(start->check_revocation)) == 1 &&
             EVP_DigestFinal_ex(context, ret->identity, NULL) == 1;
        return ok ? 0 : -ENOMEM;
}

static struct owner_entry *get_owner(struct transfer_server *server, const struct ipc_start *start) {
        struct owner_entry *entry;
        struct owner_key key;

        if (make_key(server, start, &key) < 0)
                return NULL;
        HASH_FIND(hh, server->owners, &key, sizeof(key), entry);
        if (entry)
                return entry;
        entry = calloc(1, sizeof(*entry));
        if (!entry)
                return NULL;
        entry->key = key;
        entry->idle_since_usec = now(server);
        if (owner_new(server->event, server->poller, &owner_callbacks, server->environment.places, &entry->owner) < 0) {
                free(entry);
                return NULL;
        }
        (void) owner_set_limits(entry->owner, server->limits.max_connections_per_owner, server->limits.max_connections_per_host);
        HASH_ADD(hh, server->owners, key, sizeof(entry->key), entry);
        return entry;
}

static void refuse(struct transfer_server *server, uint64_t id, enum error_code code, int error) {
        on_send(server, &(struct ipc_message) {
                .type = IPC_FINISHED,
                .finished = {
                        .id = id, .outcome = ENGINE_FAILED, .code = code, .context = ERROR_CONTEXT_GENERAL_QUEUE_MANAGER,
                        .transient = code != ERROR_INVALID_URL, .detail = (uint32_t) -error,
                        .text = code == ERROR_INVALID_URL ? url_error_text(error) : strerror(-error),
                },
        });
}

static enum error_code code_from_start_error(int error) {
        switch (error) {
        case -EMFILE:
                return ERROR_TOO_MANY_OPEN_FILES;
        case -ENOMEM:
                return ERROR_OUT_OF_MEMORY;
        case -EINVAL:
        case -EPROTONOSUPPORT:
        case -EILSEQ:
                return ERROR_INVALID_URL;
        default:
                return ERROR_UNEXPECTED;
        }
}

static int start(struct transfer_server *server, const struct ipc_message *message, int *fd) {
        struct request_entry *entry;
        struct owner_entry *owner;
        int r;

        if (*fd < 0)
                return *fd;
        entry = calloc(1, sizeof(*entry));
        owner = entry ? get_owner(server, &message->start) : NULL;
        if (!owner) {
                free(entry);
                return -ENOMEM;
        }
        r = request_new(&server->environment, owner->owner, message, *fd, &entry->request);
        if (r < 0) {
                free(entry);
                if (owner->n_requests == 0) /* it may be new, for nothing */
                        arm(server->owner_timer, OWNER_IDLE_TIME);
                return r;
        }
        (void) TAKE_FD(*fd);
        owner->n_requests++;
        entry->id = message->start.id;
        HASH_ADD(hh, server->requests, id, sizeof(entry->id), entry);
        return 0;
}

static void set_limits(struct transfer_server *server, const struct ipc_limits *limits) {
        struct owner_entry *entry, *tmp;

        server->limits = *limits;
        places_set_limit(server->environment.places, limits->max_connections_per_host);
        HASH_ITER(hh, server->owners, entry, tmp)
                (void) owner_set_limits(entry->owner, limits->max_connections_per_owner, limits->max_connections_per_host);
}

static void on_message(void *userdata, const struct ipc_message *message, int fd) {
        _cleanup_close_ int own_fd = fd;
        struct transfer_server *server = ASSERT_PTR(userdata);
        struct request_entry *entry;
        int r;

        switch (message->type) {
        case IPC_LIMITS:
                set_limits(server, &message->limits);
                break;
        case IPC_PLACES:
                places_add(server->environment.places, message->places.host, message->places.given, message->places.recalled);
                break;
        case IPC_LINE_USE_ELSEWHERE:
                hear(server, &message->line_use);
                break;
        case IPC_START:
                r = start(server, message, &own_fd);
                if (r < 0)
                        refuse(server, message->start.id, code_from_start_error(r), r);
                break;
        case IPC_STOP:
                HASH_FIND(hh, server->requests, &message->stop.id, sizeof(message->stop.id), entry);
                if (entry)
                        request_stop(entry->request);
                break;
        case IPC_PACE:
                HASH_FIND(hh, server->requests, &message->set_pace.id, sizeof(message->set_pace.id), entry);
                if (entry)
                        request_set_pace(entry->request, &message->set_pace.pace);
                break;
        default:
                break;
        }
}

static void on_closed(void *userdata, int error) {
        struct transfer_server *server = ASSERT_PTR(userdata);

        (void) sd_event_exit(server->event, error == -ECONNRESET ? 0 : error == -EPROTONOSUPPORT ? IPC_EXIT_OTHER_VERSION : 1);
}

static void on_resolver_closed(void *userdata, int error) {
        struct transfer_server *server = ASSERT_PTR(userdata);

        server->leaving = error == -EPROTONOSUPPORT && link_send(server->core, &(struct ipc_message) { .type = IPC_RESOLVER_UNFIT }, -EBADF) == 0;
        if (!server->leaving)
                (void) sd_event_exit(server->event, 1);
}

static void on_drained(void *userdata) {
        struct transfer_server *server = ASSERT_PTR(userdata);

        if (server->leaving)
                (void) sd_event_exit(server->event, IPC_EXIT_OTHER_VERSION);
}

static const struct link_callbacks link_callbacks = { .message = on_message, .closed = on_closed, .drained = on_drained };

static int add_timer(struct transfer_server *server, sd_event_time_handler_t handler, sd_event_source **ret) {
        int r;

        r = sd_event_add_time(server->event, ret, CLOCK_MONOTONIC, 0, 10 * USEC_PER_MSEC, handler, server);
        return r < 0 ? r : sd_event_source_set_enabled(*ret, SD_EVENT_OFF);
}

int transfer_server_new(struct sd_event *event, const struct transfer_server_config *config, struct transfer_server **ret) {
        struct transfer_server *server;
        int r;

        server = calloc(1, sizeof(*server));
        if (!server)
                return -ENOMEM;
        server->event = sd_event_ref(event);
        server->poller = config->poller;
        server->limits = (struct ipc_limits) { 1, 1 }; /* until LIMITS comes, which is before the first START */
        server->environment = (struct request_environment) {
                .event = event, .authorities = config->authorities, .send = on_send, .dirty = on_dirty, .finished = on_finished,
                .userdata = server,
        };
        server->sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
        server->hash = EVP_MD_CTX_new();
        server->environment.sink_buffer = calloc(1, sizeof(*server->environment.sink_buffer));
        r = server->sha256 && server->hash && server->environment.sink_buffer ? add_timer(server, on_report_timer, &server->report_timer) : -ENOMEM;
        if (r >= 0)
                r = add_timer(server, on_owner_timer, &server->owner_timer);
        if (r >= 0)
                r = sockets_new(event, config->poller, on_say, server, &server->environment.sockets);
        if (r >= 0)
                r = places_new(event, &places_callbacks, server, &server->environment.places);
        if (r >= 0)
                r = request_pool_new(event, &server->environment.pool);
        if (r >= 0)
                r = resolver_new(event, config->resolve_fd, on_resolver_closed, server, &server->environment.resolver);
        if (r >= 0)
                r = link_new_from_channel(event, config->core, &link_callbacks, server, &server->core);
        if (r < 0) {
                transfer_server_free(server);
                return r;
        }
        *ret = server;
        return 0;
}

struct transfer_server *transfer_server_free(struct transfer_server *server) {
        struct request_entry *request, *next_request;
        struct owner_entry *owner, *next_owner;

        if (!server)
                return NULL;
        HASH_ITER(hh, server->requests, request, next_request) {
                HASH_DEL(server->requests, request);
                request_free(request->request);
                free(request);
        }
        HASH_ITER(hh, server->owners, owner, next_owner) {
                HASH_DEL(server->owners, owner);
                owner->owner = owner_free(owner->owner);
                free(owner);
        }
        EVP_MD_CTX_free(server->hash);
        EVP_MD_free(server->sha256);
        server->environment.sockets = sockets_free(server->environment.sockets);
        server->environment.places = places_free(server->environment.places);
        server->environment.pool = request_pool_free(server->environment.pool);
        server->report_timer = sd_event_source_disable_unref(server->report_timer);
        server->owner_timer = sd_event_source_disable_unref(server->owner_timer);
        server->environment.resolver = resolver_free(server->environment.resolver);
        server->core = link_free(server->core);
        free(server->environment.sink_buffer);
        server->event = sd_event_unref(server->event);
        free(server);
        return NULL;
}

#include "transfer/request.h"

#include <stdio.h>
#include <string.h>
#include <systemd/sd-event.h>

#include "base/clock.h"
#include "base/fds.h"
#include "base/strings.h"
#include "transfer/address.h"
#include "transfer/curl_errors.h"
#include "transfer/exchange.h"
#include "transfer/redirect.h"
#include "transfer/resolved.h"
#include "transfer/sink.h"

#define CONNECT_TIMEOUT_DEFAULT (30 * USEC_PER_SEC)
#define STALL_TIMEOUT_DEFAULT (60 * USEC_PER_SEC)
#define CONNECT_GRACE (5 * USEC_PER_SEC)     /* libcurl has its own clock for the connection; ours is the net below it */
#define DRAIN_TIMEOUT (5 * USEC_PER_SEC)     /* for a body that nobody wants */
#define LARGE_BYTES (UINT64_C(4) * 1024 * 1024)
#define NAMES_MAX 2                          /* the proxy's and the server's */
#define TEXT_MAX 400
#define HOST_KEY_MAX (URL_HOST_MAX + 32)
#define IDLE_ACTIVITIES_MAX 64

enum stage {
        STAGE_WAITING,
        STAGE_RESOLVING,
        STAGE_FETCHING,
        STAGE_FINISHED,
};

/* A name that libcurl will look for: it must find it, because it cannot ask anybody. */
struct name {
        char host[IPC_HOST_MAX + 1];
        uint16_t port;
        bool only_public;
        bool optional; /* a proxy may know it even if we do not */
};

/* What only a request needs that is under way: too large for thousands that wait. */
struct activity {
        struct exchange exchange;
        struct verdict_known known;
        struct verdict_task task;
        struct verdict_ask ask;
        struct proxy_choice proxy;
        struct url_parts parts;
        struct name names[NAMES_MAX];
        size_t n_names, name_at;
        struct curl_slist *resolve;
        struct lookup *lookup;
        sd_event_source *timer; /* kept from request to request; fires too early rather than being set for each */
        uint64_t deadline_usec; /* what it is for; USEC_INFINITY: nothing */
        uint64_t last_byte_usec;
        char *url; /* of this hop */
        char *origin;
        unsigned n_followed;
        bool from_public;  /* some server of this try had a public address and redirected */
        bool crossed;      /* another origin than the request's own */
        bool receiving;    /* the timer counts from the last byte */
        bool timed_out;
        bool draining;
};

struct request_pool {
        struct sd_event *event;
        struct activity *idle[IDLE_ACTIVITIES_MAX];
        size_t n_idle;
};

struct request {
        const struct request_environment *environment;
        struct owner *owner;
        struct ticket ticket;
        struct request_links links;
        enum stage stage;

        uint8_t *frame; /* keeps the strings of start */
        struct ipc_message start;
        struct url_parts parts; /* of its own URL, at which each try begins */
        char *origin;
        struct engine_piece *pieces; /* neighbours merged */
        size_t n_pieces;

        struct sink sink;
        size_t piece;
        uint64_t piece_done;
        bool any_bytes;
        bool probe;
        bool metadata_sent;
        bool length_unverified;
        unsigned n_short;
        uint64_t bytes_fetched;
        uint64_t local_end;
        struct activity *activity;
};

static void next_try(struct request *request);
static void go_to(struct request *request, const char *url);
static void resolve_next(struct request *request);

uint64_t request_id(const struct request *request) {
        return request->start.start.id;
}

struct owner *request_owner(const struct request *request) {
        return request->owner;
}

struct request_links *request_get_links(struct request *request) {
        return &request->links;
}

/* --- activities ---------------------------------------------------------------------------------------------------------- */

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata);

int request_pool_new(struct sd_event *event, struct request_pool **ret) {
        struct request_pool *pool = calloc(1, sizeof(*pool));

        if (!pool)
                return -ENOMEM;
        pool->event = event;
        *ret = pool;
        return 0;
}

struct request_pool *request_pool_free(struct request_pool *pool) {
        if (!pool)
                return NULL;
        while (pool->n_idle > 0) {
                struct activity *activity = pool->idle[--pool->n_idle];

                (void) sd_event_source_disable_unref(activity->timer);
                free(activity);
        }
        free(pool);
        return NULL;
}

static struct activity *pool_take(struct request_pool *pool, struct request *request) {
        struct activity *activity = pool->n_idle > 0 ? pool->idle[--pool->n_idle] : calloc(1, sizeof(*activity));

        if (!activity)
                return NULL;
        if (!activity->timer &&
            (sd_event_add_time(pool->event, &activity->timer, CLOCK_MONOTONIC, 0, 1, on_timer, NULL) < 0 ||
             sd_event_source_set_enabled(activity->timer, SD_EVENT_OFF) < 0)) {
                (void) sd_event_source_disable_unref(activity->timer);
                free(activity);
                return NULL;
        }
        (void) sd_event_source_set_userdata(activity->timer, request);
        activity->deadline_usec = USEC_INFINITY;
        activity->proxy = (struct proxy_choice) { .url = "", .no_proxy = "" };
        return activity;
}

static void pool_return(struct request_pool *pool, struct activity *activity) {
        sd_event_source *timer = activity->timer;

        if (pool->n_idle == IDLE_ACTIVITIES_MAX) {
                (void) sd_event_source_disable_unref(timer);
                free(activity);
                return;
        }
        (void) sd_event_source_set_userdata(timer, NULL);
        memset(activity, 0, sizeof(*activity));
        activity->timer = timer;
        pool->idle[pool->n_idle++] = activity;
}

/* --- the end ------------------------------------------------------------------------------------------------------------- */

static struct activity *activity_free(struct request *request) {
        struct activity *activity = request->activity;

        if (!activity)
                return NULL;
        if (activity->exchange.easy) {
                if (request->stage == STAGE_FETCHING)
                        owner_remove(request->owner, activity->exchange.easy);
                exchange_done(&activity->exchange);
                owner_return_easy(request->owner, activity->exchange.easy);
        }
        curl_slist_free_all(activity->resolve);
        proxy_choice_done(&activity->proxy);
        (void) lookup_cancel(activity->lookup);
        free(activity->url);
        free(activity->origin);
        pool_return(request->environment->pool, activity);
        return NULL;
}

struct request *request_free(struct request *request) {
        if (!request)
                return NULL;
        request->activity = activity_free(request);
        ticket_release(&request->ticket);
        sink_done(&request->sink);
        free(request->pieces);
        free(request->origin);
        free(request->frame);
        free(request);
        return NULL;
}

/* What the exchange brought so far. */
static void count_fetched(struct request *request) {
        struct activity *activity = request->activity;

        if (!activity)
                return;
        request->bytes_fetched += activity->exchange.n_fetched;
        activity->exchange.n_fetched = 0;
}

void request_report(struct request *request) {
        struct sink *sink = &request->sink;

        if (!sink_has_news(sink))
                return;
        count_fetched(request);
        request->environment->send(request->environment->userdata, &(struct ipc_message) {
                .type = IPC_PROGRESS,
                .progress = { request_id(request), sink->start, sink->end, request->bytes_fetched },
        });
        sink->start = sink->end;
}

static void finish(struct request *request, struct ipc_finished finished) {
        count_fetched(request);
        request->activity = activity_free(request);
        request->stage = STAGE_FINISHED;
        ticket_release(&request->ticket);
        sink_done(&request->sink);
        request_report(request);
        finished.id = request_id(request);
        finished.bytes_fetched = request->bytes_fetched;
        if (!finished.text)
                finished.text = "";
        request->environment->send(request->environment->userdata,
                                   &(struct ipc_message) { .type = IPC_FINISHED, .finished = finished });
        request->environment->finished(request->environment->userdata, request);
        request_free(request);
}

static void finish_error(struct request *request, enum error_code code, enum error_context context, bool transient,
                         uint32_t detail, const char *text) {
        _cleanup_free_ char *escaped = string_escape(text, TEXT_MAX);

        finish(request, (struct ipc_finished) {
                .outcome = ENGINE_FAILED, .code = code, .context = context, .transient = transient, .detail = detail,
                .text = escaped,
        });
}

static void finish_errno(struct request *request, int error) {
        enum error_code code = error == -ENOMEM ? ERROR_OUT_OF_MEMORY : ERROR_UNEXPECTED;

        finish_error(request, code, ERROR_CONTEXT_GENERAL_QUEUE_MANAGER, true, (uint32_t) -error, strerror(-error));
}

static void finish_local(struct request *request, int error) {
        finish_error(request, error_code_from_errno(-error), ERROR_CONTEXT_LOCAL_FILE, true, (uint32_t) -error, strerror(-error));
}

/* RESTART and FAIL. */
static void finish_verdict(struct request *request, const struct verdict *verdict) {
        _cleanup_free_ char *escaped = string_escape(verdict->text, TEXT_MAX);

        finish(request, (struct ipc_finished) {
                .outcome = verdict->action == VERDICT_RESTART ? ENGINE_RESTART : ENGINE_FAILED,
                .code = verdict->code, .context = verdict->context, .transient = verdict->transient, .detail = verdict->detail,
                .retry_after_usec = verdict->retry_after_usec, .text = escaped,
        });
}

void request_stop(struct request *request) {
        finish(request, (struct ipc_finished) { .outcome = ENGINE_STOPPED });
}

void request_set_pace(struct request *request, const struct ipc_pace *pace) {
        request->start.start.pace = *pace;
        ticket_set_foreground(&request->ticket, pace->foreground);
        if (request->stage == STAGE_FETCHING)
                exchange_set_pace(&request->activity->exchange, pace);
}

/* --- time ---------------------------------------------------------------------------------------------------------------- */

static uint64_t connect_timeout(const struct request *request) {
        uint64_t usec = request->start.start.connect_timeout_usec;

        return usec == 0 ? CONNECT_TIMEOUT_DEFAULT : usec;
}

static uint64_t stall_timeout(const struct request *request) {
        uint64_t usec = request->start.start.stall_timeout_usec;

        return usec == 0 ? STALL_TIMEOUT_DEFAULT : usec;
}

static uint64_t now(const struct request *request) {
        uint64_t usec = 0;

        (void) sd_event_now(request->environment->event, CLOCK_MONOTONIC, &usec);
        return usec;
}

static void set_timer(struct activity *activity, uint64_t at_usec) {
        if (sd_event_source_set_time(activity->timer, at_usec) >= 0)
                (void) sd_event_source_set_enabled(activity->timer, SD_EVENT_ONESHOT);
}

/* USEC_INFINITY: not any more. */
static void arm_timer(struct request *request, uint64_t delay_usec) {
        struct activity *activity = request->activity;
        uint64_t armed = 0;
        int enabled = SD_EVENT_OFF;

        activity->deadline_usec = u64_add_saturated(now(request), delay_usec);
        if (activity->deadline_usec == USEC_INFINITY)
                return;
        (void) sd_event_source_get_enabled(activity->timer, &enabled);
        (void) sd_event_source_get_time(activity->timer, &armed);
        if (enabled == SD_EVENT_OFF || armed > activity->deadline_usec)
                set_timer(activity, activity->deadline_usec);
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata) {
        struct request *request = userdata;
        struct activity *activity;

        if (!request) /* fired for nobody */
                return 0;
        activity = request->activity;
        if (activity->deadline_usec == USEC_INFINITY)
                return 0;
        if (now(request) < activity->deadline_usec) {
                set_timer(activity, activity->deadline_usec);
                return 0;
        }
        if (activity->receiving) {
                uint64_t silent = now(request) - activity->last_byte_usec;

                if (silent < stall_timeout(request)) {
                        arm_timer(request, stall_timeout(request) - silent);
                        return 0;
                }
        }
        if (request->stage == STAGE_FETCHING) {
                activity->timed_out = !activity->draining;
                owner_remove(request->owner, activity->exchange.easy);
                request_exchange_done(request, CURLE_OPERATION_TIMEDOUT);
        } else
                finish_error(request, ERROR_NAME_NOT_RESOLVED, ERROR_CONTEXT_GENERAL_TRANSPORT, true, 0,
                             "the name could not be resolved in time");
        return 0;
}

/* --- one exchange -------------------------------------------------------------------------------------------------------- */

static const struct ipc_start *spec_of(const struct request *request) {
        return &request->start.start;
}

/* The headers have their time, too: a server that says nothing, or says it byte by byte, is as stalled as any. */
static void on_connected(void *userdata) {
        struct request *request = ASSERT_PTR(userdata);

        arm_timer(request, stall_timeout(request));
}

static void send_metadata(struct request *request, const struct verdict *verdict) {
        struct activity *activity = request->activity;
        struct engine_metadata metadata;

        bool refused = verdict->action != VERDICT_WRITE;

        if (request->metadata_sent && !refused)
                return;
        request->metadata_sent = request->metadata_sent || !refused;
        verdict_describe(&activity->exchange.facts, verdict, activity->origin, activity->exchange.address, &metadata);
        request->environment->send(request->environment->userdata, &(struct ipc_message) {
                .type = IPC_METADATA,
                .metadata = {
                        .id = request_id(request),
                        .http_status = metadata.http_status,
                        .remote_size = metadata.remote_size,
                        .remote_time_usec = metadata.remote_time_usec,
                        .etag = metadata.etag,
                        .last_modified = metadata.last_modified,
                        .encoding = metadata.encoding,
                        .origin = metadata.origin,
                        .redirected_url = activity->n_followed > 0 ? activity->url : NULL,
                        .address = metadata.address,
                        .headers = metadata.headers,
                        .refused = refused,
                },
        });
}

static struct verdict on_judge(void *userdata) {
        struct request *request = ASSERT_PTR(userdata);
        struct activity *activity = request->activity;
        const struct response_facts *facts = &activity->exchange.facts;
        struct verdict verdict;

        if (facts->version_major >= 2)
                ticket_set_multiplexed(&request->ticket);
        verdict = verdict_response(&activity->task, &activity->known, &activity->ask, facts, activity->origin,
                                   clock_now(&clock_system, CLOCK_ID_REALTIME));
        if (verdict.action == VERDICT_WRITE) {
                verdict_known_adopt(&activity->known, &activity->task, &verdict, facts, activity->origin);
                send_metadata(request, &verdict);
                activity->receiving = true;
                activity->last_byte_usec = now(request);
        } else {
                if (verdict.action == VERDICT_FAIL)
                        send_metadata(request, &verdict);
                activity->draining = true;
                arm_timer(request, MIN(stall_timeout(request), (uint64_t) DRAIN_TIMEOUT));
        }
        return verdict;
}

static int on_body(void *userdata, const char *bytes, size_t size) {
        struct request *request = ASSERT_PTR(userdata);
        struct sink *sink = &request->sink;
        uint64_t before, offset = request->pieces[request->piece].local_offset + request->piece_done;
        int r;

        request->activity->last_byte_usec = now(request);
        if (sink_must_report_before(sink, offset))
                request_report(request);
        before = sink_has_news(sink) ? sink->end : offset;
        r = sink_write(sink, bytes, size, offset);
        request->piece_done += sink->end - before;
        request->any_bytes |= sink->end > before;
        if (sink->end - sink->start >= SINK_REPORT_BYTES)
                request_report(request);
        else if (!request->links.is_dirty && sink_has_news(sink))
                request->environment->dirty(request->environment->userdata, request);
        return r;
}

static const struct exchange_callbacks exchange_callbacks = {
        .connected = on_connected,
        .judge = on_judge,
        .body = on_body,
};

static bool is_large(const struct request *request) {
        uint64_t length = request->pieces[request->piece].length;

        return (length == ENGINE_TO_EOF ? spec_of(request)->remote_size : length) >= LARGE_BYTES;
}

static void fetch(struct request *request) {
        struct activity *activity = request->activity;
        const struct exchange_spec spec = {
                .url = activity->url,
                .https = activity->parts.https,
                .proxy = &activity->proxy,
                .custom_headers = activity->crossed ? NULL : spec_of(request)->headers,
                .credentials = activity->crossed ? NULL : spec_of(request)->credentials,
                .credentials_schemes = spec_of(request)->credentials_schemes,
                .proxy_credentials = *activity->proxy.url ? spec_of(request)->proxy_credentials : NULL,
                .proxy_schemes = spec_of(request)->proxy_schemes,
                .ignore_certificate = spec_of(request)->ignore_certificate,
                .ask = &activity->ask,
                .resolve = TAKE_PTR(activity->resolve),
                .only_public = activity->from_public && !*activity->proxy.url,
                .is_large = is_large(request),
                .pace = spec_of(request)->pace,
                .event = request->environment->event,
                .sockets = request->environment->sockets,
                .authorities = request->environment->authorities,
                .connect_timeout_usec = connect_timeout(request),
        };
        int r;

        activity->receiving = activity->draining = activity->timed_out = false;
        r = exchange_prepare(&activity->exchange, &spec, &exchange_callbacks, request);
        if (r == 0)
                r = owner_add(request->owner, activity->exchange.easy);
        if (r < 0)
                return finish_errno(request, r);
        request->stage = STAGE_FETCHING;
        arm_timer(request, connect_timeout(request) == USEC_INFINITY ? USEC_INFINITY : connect_timeout(request) + CONNECT_GRACE);
}

/* --- names --------------------------------------------------------------------------------------------------------------- */

static void take_resolved(struct request *request, const struct ipc_resolved *result) {
        struct activity *activity = request->activity;
        const struct name *name = &activity->names[activity->name_at++];
        int r = 0;

        switch (result->status) {
        case IPC_RESOLVE_OK:
                r = resolved_append(&activity->resolve, name->host, name->port, result);
                if (r < 0)
                        return finish_errno(request, r);
                break;
        case IPC_RESOLVE_REFUSED:
                return finish_error(request, ERROR_ADDRESS_REFUSED, ERROR_CONTEXT_REMOTE_FILE, false, 0, name->host);
        default:
                if (!name->optional) {
                        char text[IPC_HOST_MAX + 128];

                        snprintf(text, sizeof(text), "%s: %.100s", name->host, result->text);
                        return finish_error(request, ERROR_NAME_NOT_RESOLVED, ERROR_CONTEXT_GENERAL_TRANSPORT, true, 0, text);
                }
        }
        resolve_next(request);
}

static void on_resolved(void *userdata, const struct ipc_resolved *result) {
        struct request *request = ASSERT_PTR(userdata);

        request->activity->lookup = NULL;
        take_resolved(request, result);
}

static void resolve_next(struct request *request) {
        struct activity *activity = request->activity;
        const struct ipc_resolved *cached;
        const struct name *name;
        int r;

        if (activity->name_at == activity->n_names)
                return fetch(request);
        name = &activity->names[activity->name_at];
        cached = resolver_cached(request->environment->resolver, name->host, name->only_public);
        if (cached)
                return take_resolved(request, cached);
        r = resolver_start(request->environment->resolver, name->host, name->only_public, on_resolved, request, &activity->lookup);
        if (r < 0)
                return finish_errno(request, r);
}

static void add_name(struct activity *activity, const char *host, uint16_t port, bool only_public, bool optional) {
        struct name *name = &activity->names[activity->n_names++];

        *name = (struct name) { .port = port, .only_public = only_public, .optional = optional };
        snprintf(name->host, sizeof(name->host), "%s", host);
}

/* Return: false if the target is an address that we do not go to. */
static bool collect_names(struct activity *activity) {
        bool has_proxy = *activity->proxy.url;
        struct sockaddr_storage address;
        socklen_t len;

        activity->n_names = activity->name_at = 0;
        curl_slist_free_all(TAKE_PTR(activity->resolve));
        if (has_proxy && address_parse_host(activity->proxy.host, 0, &address, &len) == 0)
                add_name(activity, activity->proxy.host, activity->proxy.port, false, false);
        if (address_parse_host(activity->parts.host, 0, &address, &len) == 1)
                return address_redirect_is_allowed(activity->from_public, (const struct sockaddr *) &address);
        /* Behind a proxy we need the server's address only to refuse it, or if libcurl finds that no_proxy names the host. */
        if (!has_proxy || activity->from_public || *activity->proxy.no_proxy)
                add_name(activity, activity->parts.host, activity->parts.port, activity->from_public, has_proxy);
        return true;
}

static void on_granted(struct ticket *ticket) {
        struct request *request = CONTAINER_OF(ticket, struct request, ticket);
        struct activity *activity = request->activity;

        request->stage = STAGE_RESOLVING;
        if (!collect_names(activity))
                return finish_error(request, ERROR_ADDRESS_REFUSED, ERROR_CONTEXT_REMOTE_FILE, false, 0, activity->parts.host);
        arm_timer(request, connect_timeout(request));
        resolve_next(request);
}

/* --- hops, tries, pieces ------------------------------------------------------------------------------------------------- */

static int set_place(struct request *request, const char *url) {
        struct activity *activity = request->activity;
        int r;

        r = strdup_to(&activity->url, url);
        if (r < 0)
                return r;
        if (url == spec_of(request)->url) {
                activity->parts = request->parts;
                return strdup_to(&activity->origin, request->origin);
        }
        activity->crossed = activity->crossed || !url_is_same_origin(url, spec_of(request)->url);
        return url_locate(url, &activity->parts, &activity->origin);
}

/* -EINVAL, -EPROTONOSUPPORT: the URL; -EDESTADDRREQ: the proxy. */
static int set_hop(struct request *request, const char *url) {
        const struct ipc_start *spec = spec_of(request);
        struct activity *activity = request->activity;
        int r;

        r = set_place(request, url);
        if (r < 0)
                return r;
        proxy_choice_done(&activity->proxy);
        r = proxy_choose(spec->proxies, spec->n_proxies, activity->parts.https, &activity->proxy);
        return r == -EINVAL ? -EDESTADDRREQ : r;
}

static void make_host_key(const struct url_parts *parts, char ret[static HOST_KEY_MAX]) {
        snprintf(ret, HOST_KEY_MAX, "%s://%s:%u", parts->https ? "https" : "http", parts->host, parts->port);
}

static void go_to(struct request *request, const char *url) {
        char key[HOST_KEY_MAX];
        struct activity *activity = request->activity;
        int r;

        r = set_hop(request, url);
        if (r == -EINVAL || r == -EPROTONOSUPPORT)
                return finish_error(request, ERROR_INVALID_URL, ERROR_CONTEXT_REMOTE_FILE, false, 0, "");
        if (r == -EDESTADDRREQ)
                return finish_error(request, ERROR_INVALID_ARGUMENT, ERROR_CONTEXT_GENERAL_TRANSPORT, false, 0,
                                    "the proxy's address cannot be used");
        if (r < 0)
                return finish_errno(request, r);
        make_host_key(&activity->parts, key);
        if (ticket_is_for(&request->ticket, key))
                return on_granted(&request->ticket);
        ticket_release(&request->ticket);
        request->stage = STAGE_WAITING;
        arm_timer(request, USEC_INFINITY);
        r = ticket_wait(&request->ticket, request->owner, key, spec_of(request)->pace.foreground, on_granted);
        if (r < 0)
                finish_errno(request, r);
}

static struct engine_request as_engine_request(const struct request *request) {
        const struct ipc_start *spec = spec_of(request);

        return (struct engine_request) {
                .id = spec->id,
                .url = spec->url,
                .pieces = request->pieces,
                .n_pieces = request->n_pieces,
                .whole_file = spec->whole_file,
                .digest_decides = spec->digest_decides,
                .remote_size = spec->remote_size,
                .stated_size = spec->stated_size,
                .max_bytes = spec->max_bytes,
                .etag = spec->etag,
                .last_modified = spec->last_modified,
                .encoding = spec->encoding,
                .origin = spec->origin,
        };
}

static void piece_is_done(struct request *request, const struct verdict *verdict) {
        request->length_unverified |= verdict->length_unverified;
        request->local_end = request->pieces[request->piece].local_offset + request->piece_done;
        request->piece++;
        request->piece_done = 0;
        request->probe = false;
}

/* Each try starts at the request's own URL: a redirect hop is never reused (design decision 8). */
static void next_try(struct request *request) {
        struct activity *activity = request->activity;
        struct engine_request spec = as_engine_request(request);
        struct verdict verdict;

        while (request->piece < request->n_pieces) {
                verdict_task_from_request(&activity->task, &spec, request->piece, request->piece_done, request->any_bytes);
                activity->task.n_short = request->n_short;
                activity->task.probe = request->probe;
                verdict = verdict_request(&activity->task, &activity->known, &activity->ask);
                switch (verdict.action) {
                case VERDICT_SEND:
                        activity->n_followed = 0;
                        activity->from_public = activity->crossed = false;
                        return go_to(request, spec_of(request)->url);
                case VERDICT_DONE:
                        piece_is_done(request, &verdict);
                        break;
                default:
                        return finish_verdict(request, &verdict);
                }
        }
        finish(request, (struct ipc_finished) {
                .outcome = ENGINE_DONE,
                .length_unverified = request->length_unverified,
                .local_end = request->local_end,
        });
}

/* The server that redirected: by its address, or behind a proxy, where only the proxy knows that, by what its name shows. */
static bool hop_is_public(const struct activity *activity) {
        const char *host = *activity->proxy.url ? activity->parts.host : activity->exchange.address;
        struct sockaddr_storage address;
        socklen_t len;

        if (address_parse_host(host, 0, &address, &len) == 1)
                return address_is_public((const struct sockaddr *) &address);
        return !streq(host, "localhost");
}

/* Says where it should have gone, without what may be secret in it. */
static void finish_redirect(struct request *request, enum error_code code) {
        const struct response_facts *facts = &request->activity->exchange.facts;
        _cleanup_free_ char *target = url_redact(facts->location);
        char text[TEXT_MAX];

        snprintf(text, sizeof(text), "status %u to \"%.300s\"", facts->status, target ?: "");
        finish_error(request, code, ERROR_CONTEXT_REMOTE_FILE, false, facts->status, text);
}

static void follow(struct request *request) {
        struct activity *activity = request->activity;
        _cleanup_free_ char *url = NULL;
        int r;

        if (spec_of(request)->disallow_redirects)
                return finish_redirect(request, ERROR_HTTP_STATUS);
        r = redirect_resolve(activity->url, activity->exchange.facts.location, activity->n_followed,
                             spec_of(request)->allow_insecure_redirect, &url);
        if (r < 0)
                return finish_errno(request, r);
        if (r > 0)
                return finish_redirect(request, (enum error_code) r);
        activity->n_followed++;
        activity->from_public = activity->from_public || hop_is_public(activity);
        go_to(request, url);
}

static bool is_memory_left(void) {
        void *volatile probe = malloc(LIMIT_RESPONSE_HEADER_BYTES);
        bool left = probe;

        free(probe);
        return left;
}

static void finish_transport(struct request *request, CURLcode code) {
        struct exchange *exchange = &request->activity->exchange;
        struct transport_facts facts = {
                .code = code,
                .in_head = !response_facts_is_complete(&exchange->facts),
                .memory_left = code != CURLE_OUT_OF_MEMORY || is_memory_left(),
        };
        struct transport_error error;

        (void) curl_easy_getinfo(exchange->easy, CURLINFO_SSL_VERIFYRESULT, &facts.ssl_verify_result);
        (void) curl_easy_getinfo(exchange->easy, CURLINFO_OS_ERRNO, &facts.os_errno);
        (void) curl_easy_getinfo(exchange->easy, CURLINFO_HTTP_CONNECTCODE, &facts.connect_status);
        error = transport_error_judge(&facts);
        for (size_t i = 0; i < request->activity->n_names; i++)
                resolver_forget(request->environment->resolver, request->activity->names[i].host);
        finish_error(request, error.code, error.context, error.transient, error.detail,
                     request->activity->timed_out ? "nothing came for too long" : exchange_error_text(exchange, code));
}

/* The headers, or the trailers behind the body, were refused. */
static void finish_headers(struct request *request) {
        bool too_many = request->activity->exchange.header_error == -E2BIG;

        finish_error(request, ERROR_INVALID_RESPONSE, ERROR_CONTEXT_REMOTE_FILE, false, 0,
                     too_many ? "the answer's headers are too many or too long" : "the answer's headers are malformed");
}

/* What our own callbacks found. Return: true if that was the end of the request. */
static bool finish_own_abort(struct request *request) {
        struct exchange *exchange = &request->activity->exchange;

        if (exchange->body_error < 0)
                finish_local(request, exchange->body_error);
        else if (exchange->address_refused)
                finish_error(request, ERROR_ADDRESS_REFUSED, ERROR_CONTEXT_REMOTE_FILE, false, 0, exchange->address);
        else if (exchange->header_error < 0 && !exchange->judged)
                finish_headers(request);
        else
                return false;
        return true;
}

static struct verdict judge_end(struct request *request, CURLcode code) {
        struct activity *activity = request->activity;
        const struct exchange *exchange = &activity->exchange;
        enum verdict_ending ending = VERDICT_ENDING_BROKEN;

        if (exchange->verdict.action != VERDICT_WRITE)
                return exchange->verdict;
        if (exchange->too_long)
                ending = VERDICT_ENDING_TOO_LONG;
        else if (code == CURLE_OK)
                ending = VERDICT_ENDING_ORDERLY;
        return verdict_end(&activity->task, &activity->known, &exchange->verdict, exchange->n_body, ending);
}

void request_exchange_done(void *private, CURLcode code) {
        struct request *request = ASSERT_PTR(private);
        struct activity *activity = request->activity;
        struct exchange *exchange = &activity->exchange;
        struct verdict verdict;
        bool in_order = exchange_ended_in_order(exchange, code);

        request->stage = STAGE_RESOLVING; /* the handle is in no multi handle now */
        count_fetched(request);
        activity->receiving = false;
        arm_timer(request, USEC_INFINITY);
        tls_watch_stop(&exchange->tls_watch);
        if (finish_own_abort(request))
                return;
        if (exchange->challenged && code == CURLE_OK)
                exchange_judge_challenge(exchange);
        if (!exchange->judged) {
                if (code != CURLE_OK)
                        return finish_transport(request, code);
                return finish_error(request, ERROR_INVALID_RESPONSE, ERROR_CONTEXT_REMOTE_FILE, true, 0, "there was no answer");
        }
        if (exchange->verdict.action == VERDICT_WRITE && code == CURLE_OK && !in_order)
                code = CURLE_RECV_ERROR; /* a TLS connection that broke off */
        verdict = judge_end(request, code);
        switch (verdict.action) {
        case VERDICT_DONE:
                piece_is_done(request, &verdict);
                return next_try(request);
        case VERDICT_CONTINUE:
                request->n_short++;
                return next_try(request);
        case VERDICT_PROBE:
                request->probe = true;
                return next_try(request);
        case VERDICT_REDIRECT:
                return follow(request);
        case VERDICT_FAIL:
                if (exchange->header_error < 0)
                        return finish_headers(request);
                if (exchange->verdict.action == VERDICT_WRITE && code != CURLE_OK && !exchange->too_long)
                        return finish_transport(request, code);
                return finish_verdict(request, &verdict);
        default:
                return finish_verdict(request, &verdict);
        }
}

/* --- the beginning ------------------------------------------------------------------------------------------------------- */

static int merge_pieces(struct request *request) {
        const struct ipc_start *spec = spec_of(request);

        request->pieces = calloc(spec->n_pieces, sizeof(*request->pieces));
        if (!request->pieces)
                return -ENOMEM;
        for (uint32_t i = 0; i < spec->n_pieces; i++) {
                const struct ipc_piece *piece = &spec->pieces[i];
                struct engine_piece *last = request->n_pieces > 0 ? &request->pieces[request->n_pieces - 1] : NULL;

                if (last && last->remote_offset + last->length == piece->remote_offset &&
                    last->local_offset + last->length == piece->local_offset)
                        last->length = piece->length == UINT64_MAX ? ENGINE_TO_EOF : last->length + piece->length;
                else
                        request->pieces[request->n_pieces++] =
                                (struct engine_piece) { piece->remote_offset, piece->length, piece->local_offset };
        }
        return 0;
}

static void on_first_grant(struct ticket *ticket) {
        struct request *request = CONTAINER_OF(ticket, struct request, ticket);
        struct engine_request spec = as_engine_request(request);
        struct activity *activity;

        request->activity = activity = pool_take(request->environment->pool, request);
        if (!activity)
                return finish_errno(request, -ENOMEM);
        request->stage = STAGE_RESOLVING;
        activity->exchange.easy = owner_take_easy(request->owner);
        if (!activity->exchange.easy)
                return finish_errno(request, -ENOMEM);
        verdict_known_from_request(&activity->known, &spec);
        next_try(request);
}

static int wait_for_own_host(struct request *request) {
        char key[HOST_KEY_MAX];
        int r;

        r = url_locate(spec_of(request)->url, &request->parts, &request->origin);
        if (r < 0)
                return r;
        make_host_key(&request->parts, key);
        return ticket_wait(&request->ticket, request->owner, key, spec_of(request)->pace.foreground, on_first_grant);
}

int request_new(const struct request_environment *environment, struct owner *owner, const struct ipc_message *message, int fd,
                struct request **ret) {
        _Alignas(8) uint8_t frame[IPC_FRAME_MAX];
        struct request *request;
        ssize_t size;
        int r;

        size = ipc_encode(message, frame);
        if (size < 0)
                return (int) size;
        request = calloc(1, sizeof(*request));
        if (!request)
                return -ENOMEM;
        request->environment = environment;
        request->owner = owner;
        request->sink.fd = -EBADF;
        request->frame = aligned_alloc(8, (size_t) size); /* a frame's size is a multiple of 8 */
        r = request->frame ? 0 : -ENOMEM;
        if (r == 0) {
                memcpy(request->frame, frame, (size_t) size);
                r = ipc_decode(request->frame, (size_t) size, &request->start) == size ? 0 : -EPROTO;
        }
        if (r == 0)
                r = merge_pieces(request);
        if (r == 0)
                r = wait_for_own_host(request);
        if (r < 0) {
                request_free(request);
                return r;
        }
        sink_init(&request->sink, fd);
        *ret = request;
        return 0;
}

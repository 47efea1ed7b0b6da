#include "transfer/request_private.h"

#include <stdio.h>
#include <string.h>

#include "base/strings.h"
#include "transfer/resolved.h"

#define CONNECT_GRACE (5 * USEC_PER_SEC)     /* libcurl has its own clock for the connection; ours is the net below it */
#define DRAIN_TIMEOUT (5 * USEC_PER_SEC)     /* for a body that nobody wants */
#define ALONE_SECONDS 2
#define LARGE_BYTES (UINT64_C(4) * 1024 * 1024)

static void resolve_next(struct request *request);

/* --- one exchange -------------------------------------------------------------------------------------------------------- */

/* The headers have their time, too: a server that says nothing, or says it byte by byte, is as stalled as any. */
static void on_connected(void *userdata) {
        struct request *request = ASSERT_PTR(userdata);

        request_arm_timer(request, request_stall_timeout(request));
}

static void send_metadata(struct request *request, const struct verdict *verdict) {
        struct activity *activity = request->activity;
        struct engine_metadata metadata;

        bool refused = verdict->action != VERDICT_WRITE;

        if (request->metadata_sent && !refused)
                return;
        request->metadata_sent = request->metadata_sent || !refused;
        verdict_describe(&activity->exchange.facts, verdict, &activity->known, activity->origin, activity->exchange.address, &metadata);
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

/* Of an answer that leads to the file or is it. */
static void send_offers(struct request *request, const struct verdict *verdict) {
        struct activity *activity = request->activity;
        struct offers *offers = &activity->offers;
        const struct response_facts *facts = &activity->exchange.facts;
        char mirrors[LIMIT_OFFERED_MIRRORS_TEXT + 1];
        struct ipc_message message = { .type = IPC_OFFERS };
        const struct offers_place place = {
                .url = activity->url,
                .secure = activity->parts.https && !activity->went_plain,
                .is_public = request_hop_is_public(activity),
                .whole_body = facts->status == 200 && verdict->action == VERDICT_WRITE,
        };

        activity->went_plain = activity->went_plain || !activity->parts.https;
        if (request_spec(request)->method || !offers_add(offers, facts, &place))
                return;
        message.offers = (struct ipc_offers) {
                .id = request_id(request),
                .mirrors = mirrors,
                .n_preferred = offers_write(offers, mirrors),
                .from_public = offers->from_public,
                .has_sha256 = offers->has_sha256,
                .secure = offers->secure,
        };
        memcpy(message.offers.sha256, offers->sha256, sizeof(offers->sha256));
        request->environment->send(request->environment->userdata, &message);
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
        if (verdict.action == VERDICT_WRITE || verdict.action == VERDICT_REDIRECT)
                send_offers(request, &verdict);
        if (verdict.action == VERDICT_WRITE) {
                verdict_known_adopt(&activity->known, &activity->task, &verdict, facts, activity->origin);
                send_metadata(request, &verdict);
                request_flow_begins(request);
        } else {
                if (verdict.action == VERDICT_FAIL)
                        send_metadata(request, &verdict);
                activity->draining = true;
                request_arm_timer(request, MIN(request_stall_timeout(request), (uint64_t) DRAIN_TIMEOUT));
        }
        return verdict;
}

/* The piece was cut short while its bytes come: the answer goes on behind its end. */
static bool piece_is_enough(const struct request *request) {
        const struct engine_piece *piece = &request->pieces[request->piece];
        const struct verdict_task *task = &request->activity->task;

        return request->piece_done >= piece->length &&
               (task->length == ENGINE_TO_EOF || task->offset + task->length > piece->remote_offset + piece->length);
}

static int on_body(void *userdata, const char *bytes, size_t size) {
        struct request *request = ASSERT_PTR(userdata);
        struct sink *sink = &request->sink;
        const struct engine_piece *piece = &request->pieces[request->piece];
        uint64_t offset = piece->local_offset + request->piece_done;
        int r;

        flow_note(&request->activity->flow, size, clock_now(&clock_system, CLOCK_ID_MONOTONIC));
        if (piece->length != ENGINE_TO_EOF)
                size = (size_t) MIN(size, piece->length - request->piece_done);
        if (sink_must_report_before(sink, offset))
                request_report(request);
        r = sink_write(sink, bytes, size, offset);
        if (sink_take_slow(sink))
                request_flow_renew(request); /* the disk's doing */
        size = (size_t) (MAX(sink_position(sink), offset) - offset); /* what was taken */
        request->piece_done += size;
        request->any_bytes |= size > 0;
        if (request_is_at_hold(request))
                exchange_hold(&request->activity->exchange);
        if (sink_position(sink) - sink->start >= SINK_REPORT_BYTES)
                request_report(request);
        else if (!request->links.is_dirty && sink_has_news(sink))
                request->environment->dirty(request->environment->userdata, request);
        if (r < 0 || !piece_is_enough(request))
                return r;
        request->activity->enough = true;
        return -ECANCELED;
}

static void on_rested(void *userdata) {
        request_flow_renew(ASSERT_PTR(userdata));
}

/* Over HTTP/2 who rests is in the way of those who share its connection, and what comes for it while they read is kept in memory: what
 * takes long at its rate has a connection to itself. */
static bool takes_long(const struct request *request, uint64_t bytes) {
        uint64_t rate = request_spec(request)->pace.max_rate;

        return rate != UINT64_MAX && bytes / ALONE_SECONDS >= rate;
}

static bool may_move(const struct request *request) {
        const struct exchange *exchange = &request->activity->exchange;

        return !request->alone && exchange->facts.version_major >= 2 && exchange->verdict.action == VERDICT_WRITE &&
               (exchange->verdict.partial || exchange->facts.accepts_ranges) &&
               takes_long(request, exchange->verdict.body_limit - exchange->n_body) && request_can_go_on(request);
}

static bool on_goes_on(void *userdata) {
        struct request *request = ASSERT_PTR(userdata);

        if (!may_move(request))
                return true;
        request->alone = request->activity->moves = true;
        owner_remove(request->owner, request->activity->exchange.easy);
        request_exchange_done(request, CURLE_OK);
        return false;
}

static void on_broken(void *userdata, CURLcode code) {
        struct request *request = ASSERT_PTR(userdata);

        owner_remove(request->owner, request->activity->exchange.easy);
        request_exchange_done(request, code);
}

static const struct exchange_callbacks exchange_callbacks = {
        .connected = on_connected,
        .judge = on_judge,
        .body = on_body,
        .rested = on_rested,
        .goes_on = on_goes_on,
        .broken = on_broken,
};

static bool is_large(const struct request *request) {
        uint64_t length = request->pieces[request->piece].length;

        return (length == ENGINE_TO_EOF ? request_spec(request)->remote_size : length) >= LARGE_BYTES;
}

bool request_wants_to_be_alone(const struct request *request, bool https) {
        const struct ipc_start *spec = request_spec(request);
        uint64_t bytes = request->pieces[request->piece].length;

        if (bytes == ENGINE_TO_EOF) /* the answer will tell: on_goes_on() */
                bytes = spec->remote_size == ENGINE_SIZE_UNKNOWN ? 0 : spec->remote_size;
        return https && !spec->method && (spec->own_connection || takes_long(request, bytes));
}

static void prepare_for_challenges(struct request *request) {
        struct activity *activity = request->activity;
        const char *headers = request_spec(request)->auth_headers;

        activity->task.can_answer_server = !request->answers_server && !activity->crossed && exchange_can_answer(headers, false);
        activity->task.can_answer_proxy = !request->answers_proxy && *activity->proxy.url && exchange_can_answer(headers, true);
}

static void fetch(struct request *request) {
        struct activity *activity = request->activity;
        const struct exchange_spec spec = {
                .url = activity->url,
                .parsed = activity->parsed ?: request->parsed,
                .https = activity->parts.https,
                .proxy = &activity->proxy,
                .method = activity->method,
                .custom_headers = activity->crossed ? NULL : request_spec(request)->headers,
                .auth_headers = request_spec(request)->auth_headers,
                .answers_server = request->answers_server && !activity->crossed,
                .answers_proxy = request->answers_proxy && *activity->proxy.url,
                .client_certificate = activity->crossed ? NULL : request_spec(request)->client_certificate,
                .client_key = activity->crossed ? NULL : request_spec(request)->client_key,
                .credentials = activity->crossed ? NULL : request_spec(request)->credentials,
                .credentials_schemes = request_spec(request)->credentials_schemes,
                .proxy_credentials = *activity->proxy.url ? request_spec(request)->proxy_credentials : NULL,
                .proxy_schemes = request_spec(request)->proxy_schemes,
                .ignore_certificate = request_spec(request)->ignore_certificate,
                .check_revocation = request_spec(request)->check_revocation,
                .judge_certificate = request_spec(request)->judge_certificate,
                .accepted = request_spec(request)->accepted,
                .n_accepted = request_spec(request)->n_accepted,
                .host = activity->parts.host,
                .ask = &activity->ask,
                .resolve = TAKE_PTR(activity->resolve),
                .only_public = activity->from_public && !*activity->proxy.url,
                .fresh = request->fresh,
                .alone = request->alone,
                .is_large = is_large(request),
                .pace = request_spec(request)->pace,
                .event = request->environment->event,
                .sockets = request->environment->sockets,
                .group = ticket_group(&request->ticket),
                .authorities = request->environment->authorities,
                .connect_timeout_usec = request_connect_timeout(request),
        };
        int r;

        prepare_for_challenges(request);
        activity->receiving = activity->draining = activity->timed_out = activity->slow = activity->enough = activity->moves = false;
        request->fresh = false;
        r = exchange_prepare(&activity->exchange, &spec, &exchange_callbacks, request);
        if (r == 0)
                r = owner_add(request->owner, activity->exchange.easy);
        if (r < 0)
                return request_fail_errno(request, r);
        request->stage = STAGE_FETCHING;
        request_arm_timer(request, request_connect_timeout(request) == USEC_INFINITY ? USEC_INFINITY : request_connect_timeout(request) + CONNECT_GRACE);
}

/* --- names --------------------------------------------------------------------------------------------------------------- */

static void take_resolved(struct request *request, const struct ipc_resolved *result) {
        struct activity *activity = request->activity;
        const struct name *name = &activity->names[activity->name_at++];
        int r = 0;

        switch (result->status) {
        case IPC_RESOLVE_OK:
                activity->resolved_public = resolved_has_public(result);
                r = resolved_append(&activity->resolve, name->host, name->port, result);
                if (r < 0)
                        return request_fail_errno(request, r);
                break;
        case IPC_RESOLVE_REFUSED:
                return request_fail(request, ERROR_ADDRESS_REFUSED, ERROR_CONTEXT_REMOTE_FILE, false, 0, name->host);
        default:
                if (!name->optional) {
                        char text[IPC_HOST_MAX + 128];

                        snprintf(text, sizeof(text), "%s: %.100s", name->host, result->text);
                        return request_fail(request, ERROR_NAME_NOT_RESOLVED, ERROR_CONTEXT_GENERAL_TRANSPORT, true, 0, text);
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
                return request_fail_errno(request, r);
}

bool request_gives_up_name(struct request *request) {
        struct activity *activity = request->activity;

        if (request->stage != STAGE_RESOLVING || activity->name_at == activity->n_names || !activity->names[activity->name_at].optional)
                return false;
        activity->lookup = lookup_cancel(activity->lookup);
        activity->name_at++;
        request_arm_timer(request, request_connect_timeout(request));
        resolve_next(request);
        return true;
}

static void add_name(struct activity *activity, const char *host, uint16_t port, bool only_public, bool optional) {
        struct name *name = &activity->names[activity->n_names++];

        *name = (struct name) { .port = port, .only_public = only_public, .optional = optional };
        string_copy(name->host, sizeof(name->host), host);
}

/* Return: false if the target is an address that we do not go to. */
static bool collect_names(struct activity *activity) {
        bool has_proxy = *activity->proxy.url, needs_address = !has_proxy || activity->proxy.wants_address;
        struct sockaddr_storage address;
        socklen_t len;

        activity->n_names = activity->name_at = 0;
        curl_slist_free_all(TAKE_PTR(activity->resolve));
        if (has_proxy && address_parse_host(activity->proxy.host, 0, &address, &len) == 0)
                add_name(activity, activity->proxy.host, activity->proxy.port, false, false);
        if (address_parse_host(activity->parts.host, 0, &address, &len) == 1)
                return address_redirect_is_allowed(activity->from_public, (const struct sockaddr *) &address);
        /* What a proxy looks up itself we need only to refuse it. */
        if (needs_address || activity->from_public)
                add_name(activity, activity->parts.host, activity->parts.port, activity->from_public, !needs_address);
        return true;
}

void request_seek_names(struct request *request) {
        struct activity *activity = request->activity;

        request->stage = STAGE_RESOLVING;
        if (!collect_names(activity))
                return request_fail(request, ERROR_ADDRESS_REFUSED, ERROR_CONTEXT_REMOTE_FILE, false, 0, activity->parts.host);
        request_arm_timer(request, request_connect_timeout(request));
        resolve_next(request);
}

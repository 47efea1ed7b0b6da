#include "transfer/request.h"

#include <stdio.h>
#include <string.h>

#include "base/strings.h"
#include "transfer/request_private.h"

#define HOST_KEY_MAX (URL_HOST_MAX + 32)

static void next_try(struct request *request);

uint64_t request_id(const struct request *request) {
        return request->start.start.id;
}

struct owner *request_owner(const struct request *request) {
        return request->owner;
}

struct request_links *request_get_links(struct request *request) {
        return &request->links;
}

struct request *request_free(struct request *request) {
        if (!request)
                return NULL;
        request->activity = request_activity_free(request);
        ticket_release(&request->ticket);
        sink_done(&request->sink);
        free(request->pieces);
        free(request->origin);
        curl_url_cleanup(request->parsed);
        if (request->frame)
                explicit_bzero(request->frame, request->frame_size); /* credentials and keys are in it */
        free(request->frame);
        free(request);
        return NULL;
}

void request_report(struct request *request) {
        struct sink *sink = &request->sink;

        (void) sink_flush(sink); /* a failure ends the request at its next bytes, or its end */
        if (!sink_has_news(sink))
                return;
        request_count_fetched(request);
        request->environment->send(request->environment->userdata, &(struct ipc_message) {
                .type = IPC_PROGRESS,
                .progress = { request_id(request), sink->start, sink->end, request->bytes_fetched },
        });
        sink->start = sink->end;
}

void request_stop(struct request *request) {
        request_finish(request, (struct ipc_finished) { .outcome = ENGINE_STOPPED });
}

/* What lies behind @end_at is not wanted any more. Return: true if nothing is left to fetch. */
static bool cut(struct request *request, uint64_t end_at) {
        struct engine_piece *piece;

        if (end_at == 0)
                return false;
        while (request->n_pieces > request->piece && request->pieces[request->n_pieces - 1].local_offset >= end_at)
                request->n_pieces--;
        if (request->n_pieces == request->piece)
                return true;
        piece = &request->pieces[request->n_pieces - 1];
        piece->length = MIN(piece->length, end_at - piece->local_offset);
        if (request->n_pieces - 1 > request->piece || request->piece_done < piece->length)
                return false;
        piece->length = request->piece_done;
        return true;
}

static void finish_done(struct request *request) {
        int r = sink_finish(&request->sink);

        if (r < 0)
                return request_fail_local(request, r);
        request_finish(request, (struct ipc_finished) {
                .outcome = ENGINE_DONE,
                .length_unverified = request->length_unverified,
                .local_end = request->local_end,
        });
}

void request_set_pace(struct request *request, const struct ipc_pace *pace) {
        request->start.start.pace = *pace;
        if (cut(request, pace->end_at))
                return finish_done(request);
        ticket_set_foreground(&request->ticket, pace->foreground);
        if (request->stage != STAGE_FETCHING)
                return;
        if (request->activity->receiving)
                request_flow_renew(request); /* how much the server could send is another matter from now on */
        exchange_set_pace(&request->activity->exchange, pace);
        if (exchange_is_held(&request->activity->exchange) && !request_is_at_hold(request)) {
                exchange_go_on(&request->activity->exchange);
        }
}

/* --- hops, tries, pieces ------------------------------------------------------------------------------------------------- */

static int set_place(struct request *request, const char *url) {
        struct activity *activity = request->activity;
        int r;

        r = strdup_to(&activity->url, url);
        if (r < 0)
                return r;
        if (url == request_spec(request)->url) {
                curl_url_cleanup(TAKE_PTR(activity->parsed));
                activity->parts = request->parts;
                return strdup_to(&activity->origin, request->origin);
        }
        activity->crossed = activity->crossed || !url_is_same_origin(url, request_spec(request)->url);
        return url_locate(url, &activity->parts, &activity->origin, &activity->parsed);
}

/* -EINVAL, -EPROTONOSUPPORT, -EILSEQ: the URL; -EDESTADDRREQ: the proxy. */
static int set_hop(struct request *request, const char *url) {
        const struct ipc_start *spec = request_spec(request);
        struct activity *activity = request->activity;
        int r;

        r = set_place(request, url);
        if (r < 0)
                return r;
        proxy_choice_done(&activity->proxy);
        r = proxy_choose(spec->proxies, spec->n_proxies, activity->parts.https, activity->parts.host, &activity->proxy);
        return r == -EINVAL ? -EDESTADDRREQ : r;
}

static void make_host_key(const struct url_parts *parts, char ret[static HOST_KEY_MAX]) {
        char *to = stpcpy(stpcpy(ret, parts->https ? "https://" : "http://"), parts->host);

        snprintf(to, sizeof(":65535"), ":%u", parts->port);
}

static void on_granted(struct ticket *ticket) {
        request_seek_names(CONTAINER_OF(ticket, struct request, ticket));
}

static void go_to(struct request *request, const char *url) {
        char key[HOST_KEY_MAX];
        struct activity *activity = request->activity;
        int r;

        r = set_hop(request, url);
        if (r == -EINVAL || r == -EPROTONOSUPPORT || r == -EILSEQ)
                return request_fail(request, ERROR_INVALID_URL, ERROR_CONTEXT_REMOTE_FILE, false, 0, url_error_text(r));
        if (r == -EDESTADDRREQ)
                return request_fail(request, ERROR_INVALID_ARGUMENT, ERROR_CONTEXT_GENERAL_TRANSPORT, false, 0,
                                    "the proxy's address cannot be used");
        if (r < 0)
                return request_fail_errno(request, r);
        make_host_key(&activity->parts, key);
        request->alone = (request->alone && activity->parts.https) || request_wants_to_be_alone(request, activity->parts.https);
        if (ticket_is_for(&request->ticket, key, request->alone))
                return request_seek_names(request);
        ticket_release(&request->ticket);
        request->stage = STAGE_WAITING;
        request_arm_timer(request, USEC_INFINITY);
        r = ticket_wait(&request->ticket, request->environment->places, request->owner, key, request_spec(request)->pace.foreground, request->alone,
                        on_granted);
        if (r < 0)
                request_fail_errno(request, r);
}

static struct engine_request as_engine_request(const struct request *request) {
        const struct ipc_start *spec = request_spec(request);

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
                activity->task.no_ranges = request_spec(request)->method;
                verdict = verdict_request(&activity->task, &activity->known, &activity->ask);
                switch (verdict.action) {
                case VERDICT_SEND:
                        activity->n_followed = 0;
                        activity->method = request_spec(request)->method;
                        activity->from_public = request_spec(request)->from_public;
                        activity->went_plain = activity->crossed = false;
                        offers_begin(&activity->offers);
                        return go_to(request, request_spec(request)->url);
                case VERDICT_DONE:
                        piece_is_done(request, &verdict);
                        break;
                default:
                        return request_fail_verdict(request, &verdict);
                }
        }
        finish_done(request);
}

bool request_hop_is_public(const struct activity *activity) {
        const char *host = *activity->proxy.url ? activity->parts.host : activity->exchange.address;
        struct sockaddr_storage address;
        socklen_t len;

        if (address_parse_host(host, 0, &address, &len) == 1)
                return address_is_public((const struct sockaddr *) &address);
        if (activity->proxy.wants_address)
                return activity->resolved_public;
        return !streq(host, "localhost");
}

static void follow(struct request *request) {
        struct activity *activity = request->activity;
        _cleanup_free_ char *url = NULL;
        int r;

        if (request_spec(request)->disallow_redirects)
                return request_fail_redirect(request, ERROR_HTTP_STATUS);
        r = redirect_resolve(activity->url, activity->exchange.facts.location, activity->n_followed,
                             request_spec(request)->allow_insecure_redirect, &url);
        if (r < 0)
                return request_fail_errno(request, r);
        if (r > 0)
                return request_fail_redirect(request, (enum error_code) r);
        activity->n_followed++;
        activity->method = redirect_method(activity->exchange.facts.status, activity->method);
        activity->from_public = activity->from_public || request_hop_is_public(activity);
        go_to(request, url);
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

static void answer(struct request *request, bool proxy) {
        if (proxy)
                request->answers_proxy = true;
        else
                request->answers_server = true;
        next_try(request);
}

/* A CONNECT that was refused: the file's own server has said nothing yet. */
static bool proxy_challenged_tunnel(const struct request *request) {
        long status = 0;

        return request->activity->task.can_answer_proxy &&
               curl_easy_getinfo(request->activity->exchange.easy, CURLINFO_HTTP_CONNECTCODE, &status) == CURLE_OK && status == 407;
}

void request_exchange_done(void *private, CURLcode code) {
        struct request *request = ASSERT_PTR(private);
        struct activity *activity = request->activity;
        struct exchange *exchange = &activity->exchange;
        struct verdict verdict;
        bool in_order = exchange_ended_in_order(exchange, code);
        int r;

        request->stage = STAGE_RESOLVING; /* the handle is in no multi handle now */
        request_count_fetched(request);
        activity->receiving = false;
        request_arm_timer(request, USEC_INFINITY);
        exchange_ended(exchange);
        r = sink_flush(&request->sink);
        if (r < 0)
                return request_fail_local(request, r);
        if (activity->moves)
                return next_try(request);
        if (activity->enough) {
                piece_is_done(request, &(struct verdict) {});
                return next_try(request);
        }
        if (request_fail_own_abort(request))
                return;
        if (exchange->challenged && code == CURLE_OK)
                exchange_judge_challenge(exchange);
        if (!exchange->judged) {
                if (proxy_challenged_tunnel(request))
                        return answer(request, true);
                if (code != CURLE_OK)
                        return request_fail_transport(request, code);
                return request_fail(request, ERROR_INVALID_RESPONSE, ERROR_CONTEXT_REMOTE_FILE, true, 0, "there was no answer");
        }
        if (exchange->began_anew || (exchange->verdict.action == VERDICT_WRITE && code == CURLE_OK && !in_order))
                code = CURLE_RECV_ERROR; /* a stream that was taken back, a TLS connection that broke off */
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
        case VERDICT_ANSWER:
                return answer(request, exchange->facts.status == 407);
        case VERDICT_REDIRECT:
                return follow(request);
        case VERDICT_FAIL:
                if (exchange->header_error < 0)
                        return request_fail_headers(request);
                if (activity->timed_out && request_replace_connection(request))
                        return next_try(request);
                if (exchange->verdict.action == VERDICT_WRITE && code != CURLE_OK && !exchange->too_long)
                        return request_fail_transport(request, code);
                return request_fail_verdict(request, &verdict);
        default:
                return request_fail_verdict(request, &verdict);
        }
}

/* --- the beginning ------------------------------------------------------------------------------------------------------- */

static int merge_pieces(struct request *request) {
        const struct ipc_start *spec = request_spec(request);

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

        request->activity = activity = request_activity_new(request->environment->pool, request);
        if (!activity)
                return request_fail_errno(request, -ENOMEM);
        request->stage = STAGE_RESOLVING;
        activity->exchange.easy = owner_take_easy(request->owner);
        if (!activity->exchange.easy)
                return request_fail_errno(request, -ENOMEM);
        verdict_known_from_request(&activity->known, &spec);
        (void) cut(request, request_spec(request)->pace.end_at);
        next_try(request);
}

static int wait_for_own_host(struct request *request) {
        char key[HOST_KEY_MAX];
        int r;

        r = url_locate(request_spec(request)->url, &request->parts, &request->origin, &request->parsed);
        if (r < 0)
                return r;
        make_host_key(&request->parts, key);
        request->alone = request_wants_to_be_alone(request, request->parts.https);
        return ticket_wait(&request->ticket, request->environment->places, request->owner, key, request_spec(request)->pace.foreground, request->alone,
                           on_first_grant);
}

static int copy_message(struct request *request, const struct ipc_message *message) {
        size_t size = message->frame_size;

        request->frame = aligned_alloc(8, size); /* a frame's size is a multiple of 8 */
        if (!request->frame)
                return -ENOMEM;
        memcpy(request->frame, message->frame, size);
        request->frame_size = size;
        return ipc_decode(request->frame, size, &request->start) < 0 ? -EPROTO : 0;
}

int request_new(const struct request_environment *environment, struct owner *owner, const struct ipc_message *message, int fd,
                struct request **ret) {
        struct request *request;
        int r;

        request = calloc(1, sizeof(*request));
        if (!request)
                return -ENOMEM;
        request->environment = environment;
        request->owner = owner;
        request->sink.fd = -EBADF;
        r = copy_message(request, message);
        if (r == 0)
                r = merge_pieces(request);
        if (r == 0)
                r = wait_for_own_host(request);
        if (r < 0) {
                request_free(request);
                return r;
        }
        sink_init(&request->sink, fd, environment->sink_buffer);
        *ret = request;
        return 0;
}

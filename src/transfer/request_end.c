#include "transfer/request_private.h"

#include <stdio.h>
#include <string.h>

#include "base/strings.h"
#include "transfer/curl_errors.h"

void request_count_fetched(struct request *request) {
        struct activity *activity = request->activity;

        if (!activity)
                return;
        request->bytes_fetched += activity->exchange.n_fetched;
        activity->exchange.n_fetched = 0;
}

void request_finish(struct request *request, struct ipc_finished finished) {
        request_count_fetched(request);
        request->activity = request_activity_free(request);
        request->stage = STAGE_FINISHED;
        ticket_release(&request->ticket);
        (void) sink_flush(&request->sink);
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

void request_fail(struct request *request, enum error_code code, enum error_context context, bool transient, uint32_t detail,
                  const char *text) {
        _cleanup_free_ char *escaped = string_escape(text, TEXT_MAX);

        request_finish(request, (struct ipc_finished) {
                .outcome = ENGINE_FAILED, .code = code, .context = context, .transient = transient, .detail = detail,
                .text = escaped,
        });
}

void request_fail_errno(struct request *request, int error) {
        enum error_code code = error == -ENOMEM ? ERROR_OUT_OF_MEMORY : ERROR_UNEXPECTED;

        request_fail(request, code, ERROR_CONTEXT_GENERAL_QUEUE_MANAGER, true, (uint32_t) -error, strerror(-error));
}

void request_fail_local(struct request *request, int error) {
        request_fail(request, error_code_from_errno(-error), ERROR_CONTEXT_LOCAL_FILE, true, (uint32_t) -error, strerror(-error));
}

void request_fail_verdict(struct request *request, const struct verdict *verdict) {
        _cleanup_free_ char *escaped = string_escape(verdict->text, TEXT_MAX);

        request_finish(request, (struct ipc_finished) {
                .outcome = verdict->action == VERDICT_RESTART ? ENGINE_RESTART : ENGINE_FAILED,
                .code = verdict->code, .context = verdict->context, .transient = verdict->transient, .detail = verdict->detail,
                .retry_after_usec = verdict->retry_after_usec, .text = escaped,
        });
}

/* Says where it should have gone, without what may be secret in it. */
void request_fail_redirect(struct request *request, enum error_code code) {
        const struct response_facts *facts = &request->activity->exchange.facts;
        _cleanup_free_ char *target = url_redact(facts->location);
        char text[TEXT_MAX];

        snprintf(text, sizeof(text), "status %u to \"%.300s\"", facts->status, target ?: "");
        request_fail(request, code, ERROR_CONTEXT_REMOTE_FILE, false, facts->status, text);
}

static bool is_memory_left(void) {
        void *volatile probe = malloc(LIMIT_RESPONSE_HEADER_BYTES);
        bool left = probe;

        free(probe);
        return left;
}

static void fail_stalled(struct request *request, const struct transport_error *error) {
        char text[TEXT_MAX];

        request_describe_stall(request, text);
        request_finish(request, (struct ipc_finished) {
                .outcome = ENGINE_FAILED, .code = error->code, .context = error->context, .transient = error->transient,
                .slow = request->activity->slow, .detail = error->detail, .text = text,
        });
}

void request_fail_transport(struct request *request, CURLcode code) {
        struct exchange *exchange = &request->activity->exchange;
        struct transport_facts facts = {
                .code = code,
                .in_head = !response_facts_is_complete(&exchange->facts),
                .certificate_wanted = exchange->tls_watch.certificate_wanted,
                .alert = exchange->tls_watch.alert,
                .memory_left = code != CURLE_OUT_OF_MEMORY || is_memory_left(),
        };
        struct transport_error error;

        if (exchange->tls_watch.refused_for)
                facts.ssl_verify_result = exchange->tls_watch.refused_for;
        else
                (void) curl_easy_getinfo(exchange->easy, CURLINFO_SSL_VERIFYRESULT, &facts.ssl_verify_result);
        (void) curl_easy_getinfo(exchange->easy, CURLINFO_OS_ERRNO, &facts.os_errno);
        (void) curl_easy_getinfo(exchange->easy, CURLINFO_HTTP_CONNECTCODE, &facts.connect_status);
        error = transport_error_judge(&facts);
        for (size_t i = 0; i < request->activity->n_names; i++)
                resolver_forget(request->environment->resolver, request->activity->names[i].host);
        if (request->activity->timed_out)
                fail_stalled(request, &error);
        else
                request_fail(request, error.code, error.context, error.transient, error.detail, exchange_error_text(exchange, code));
}

void request_fail_headers(struct request *request) {
        bool too_many = request->activity->exchange.header_error == -E2BIG;

        request_fail(request, ERROR_INVALID_RESPONSE, ERROR_CONTEXT_REMOTE_FILE, false, 0,
                     too_many ? "the answer's headers are too many or too long" : "the answer's headers are malformed");
}

/* Whoever asked shows it to somebody, and asks again when it was accepted. */
static void fail_unjudged(struct request *request, const struct server_certificate *certificate) {
        struct ipc_certificate shown = {
                .id = request_id(request),
                .bytes = certificate->bytes,
                .n_bytes = (uint32_t) certificate->n_bytes,
                .all = certificate->all,
                .n_all = (uint32_t) certificate->n_all,
        };

        if (!certificate->bytes)
                return request_fail(request, ERROR_CERTIFICATE, ERROR_CONTEXT_GENERAL_TRANSPORT, false, 0,
                                    "nobody can be asked about the server's certificates: they are too large");
        memcpy(shown.sha256, certificate->sha256, sizeof(shown.sha256));
        request->environment->send(request->environment->userdata,
                                   &(struct ipc_message) { .type = IPC_CERTIFICATE, .certificate = shown });
        request_fail(request, ERROR_CERTIFICATE_NOT_JUDGED, ERROR_CONTEXT_SERVER_CERTIFICATE_CALLBACK, true, 0, "");
}

bool request_fail_own_abort(struct request *request) {
        struct exchange *exchange = &request->activity->exchange;

        if (exchange->body_error < 0)
                request_fail_local(request, exchange->body_error);
        else if (exchange->address_refused)
                request_fail(request, ERROR_ADDRESS_REFUSED, ERROR_CONTEXT_REMOTE_FILE, false, 0, exchange->address);
        else if (exchange_refused_certificate(exchange))
                fail_unjudged(request, exchange_refused_certificate(exchange));
        else if (exchange->header_error < 0 && !exchange->judged)
                request_fail_headers(request);
        else
                return false;
        return true;
}

#include "transfer/verdict.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/strings.h"
#include "transfer/redirect.h"

#define UNKNOWN ENGINE_SIZE_UNKNOWN

/* 4xx that may pass by themselves (design decision 5); every other 4xx is fatal, every 5xx may pass. */
static const unsigned transient_statuses[] = { 408, 421, 425, 429 };

static struct verdict make(enum verdict_action action) {
        return (struct verdict) {
                .action = action,
                .remote_size = UNKNOWN,
                .body_expected = UNKNOWN,
                .body_limit = 0,
        };
}

static struct verdict end_with(enum verdict_action action, enum error_code code, const char *format, ...) _printf_(3, 4);
static struct verdict end_with(enum verdict_action action, enum error_code code, const char *format, ...) {
        struct verdict v = make(action);
        va_list ap;

        v.code = code;
        v.context = ERROR_CONTEXT_REMOTE_FILE;
        va_start(ap, format);
        (void) vsnprintf(v.text, sizeof(v.text), format, ap);
        va_end(ap);
        return v;
}

#define restart(code, ...) end_with(VERDICT_RESTART, code, __VA_ARGS__)
#define fail(code, ...) end_with(VERDICT_FAIL, code, __VA_ARGS__)

static struct verdict closed_early(const char *text) {
        struct verdict v = fail(ERROR_CONNECTION_CLOSED, "%s", text);

        v.context = ERROR_CONTEXT_GENERAL_TRANSPORT;
        v.transient = true;
        return v;
}

struct verdict verdict_fail(enum error_code code, enum error_context context, bool transient, uint32_t detail, const char *text) {
        struct verdict v = fail(code, "%s", text);

        v.context = context;
        v.transient = transient;
        v.detail = detail;
        return v;
}

struct verdict verdict_status(unsigned status, uint64_t retry_after_usec) {
        struct verdict v;

        if (status < 300 || status > 599)
                v = fail(ERROR_INVALID_RESPONSE, "the server answered with status %u, which has no meaning here", status);
        else
                v = fail(ERROR_HTTP_STATUS, "the server answered with status %u", status);
        v.detail = status;
        if (status == 407)
                v.context = ERROR_CONTEXT_GENERAL_TRANSPORT; /* the proxy's, not the file's */
        if (status >= 500 && status <= 599)
                v.transient = true;
        for (size_t i = 0; i < ELEMENTSOF(transient_statuses); i++)
                if (status == transient_statuses[i])
                        v.transient = true;
        if (v.transient)
                v.retry_after_usec = retry_after_usec;
        return v;
}

/* "" if it does not fit or is not there. */
static void keep(char *to, size_t max, const char *from) {
        size_t len = from ? strnlen(from, max + 1) : 0;

        if (len > max)
                len = 0;
        memcpy(to, from ? from : "", len);
        to[len] = 0;
}

void verdict_known_from_request(struct verdict_known *known, const struct engine_request *request) {
        known->etag[0] = known->last_modified[0] = 0;
        known->size = request->remote_size;
        known->bound = request->origin || request->etag || request->last_modified;
        if (request->etag && *request->etag == '"' && header_is_sendable_validator(request->etag))
                keep(known->etag, LIMIT_VALIDATOR, request->etag);
        if (request->last_modified && header_is_fixdate(request->last_modified, strlen(request->last_modified)))
                keep(known->last_modified, RESPONSE_DATE_MAX, request->last_modified);
        keep(known->encoding, RESPONSE_ENCODING_MAX, request->encoding);
        if (strcasecmp(known->encoding, "identity") == 0)
                known->encoding[0] = 0;
        keep(known->origin, VERDICT_ORIGIN_MAX, request->origin);
}

/* Nothing is there yet and the one piece is the whole file: any representation will do. */
static bool is_fresh(const struct verdict_task *task) {
        return task->whole_file && task->only_piece && task->offset == 0 && !task->has_bytes && !task->probe;
}

void verdict_known_adopt(struct verdict_known *known, const struct verdict_task *task, const struct verdict *verdict,
                         const struct response_facts *facts, const char *origin) {
        if (!known->bound || is_fresh(task)) {
                known->bound = true;
                keep(known->etag, LIMIT_VALIDATOR, response_facts_strong_etag(facts));
                keep(known->last_modified, RESPONSE_DATE_MAX, response_facts_strong_date(facts));
                keep(known->encoding, RESPONSE_ENCODING_MAX, facts->encoding);
                keep(known->origin, VERDICT_ORIGIN_MAX, origin);
        }
        if (known->size == UNKNOWN)
                known->size = verdict->remote_size;
}

/* The pieces, one after the other, are the file from its first to its last byte. */
static bool pieces_cover_file(const struct engine_request *request) {
        uint64_t end = 0, size = request->remote_size != UNKNOWN ? request->remote_size : request->stated_size;

        for (size_t i = 0; i < request->n_pieces; i++) {
                if (request->pieces[i].remote_offset != end)
                        return false;
                if (request->pieces[i].length == ENGINE_TO_EOF)
                        return true;
                end = u64_add_saturated(end, request->pieces[i].length);
        }
        return size != UNKNOWN && end >= size;
}

/* Bytes from before: the local file does not begin with the first piece. On demand that may lie anywhere in an empty file; then nothing
 * is known of the remote one either. */
static bool begins_inside(const struct engine_request *request) {
        const struct engine_piece *first = request->pieces;

        if (first->local_offset == 0)
                return false;
        return request->whole_file || first->local_offset != first->remote_offset || request->origin ||
               request->remote_size != UNKNOWN;
}

void verdict_task_from_request(struct verdict_task *task, const struct engine_request *request, size_t index, uint64_t done,
                               bool any_bytes) {
        const struct engine_piece *piece = request->pieces + index;

        *task = (struct verdict_task) {
                .offset = piece->remote_offset + done,
                .length = piece->length == ENGINE_TO_EOF ? ENGINE_TO_EOF : piece->length - MIN(done, piece->length),
                .whole_file = request->whole_file,
                .only_piece = request->n_pieces == 1,
                .digest_decides = request->digest_decides,
                .stated_size = request->stated_size,
                .max_bytes = request->max_bytes,
        };
        /* Or (a whole file) the pieces leave gaps that somebody must have filled. */
        task->has_bytes = any_bytes || done > 0 || begins_inside(request) ||
                          (request->whole_file && !pieces_cover_file(request));
}

/* Inclusive; UINT64_MAX: as far as it goes. */
static uint64_t last_wanted(const struct verdict_task *task, uint64_t size) {
        if (task->length != ENGINE_TO_EOF)
                return u64_add_saturated(task->offset, task->length - 1);
        return size != UNKNOWN && size > 0 ? size - 1 : UINT64_MAX;
}

static void ask_for(struct verdict_ask *ask, uint64_t first, uint64_t last) {
        ask->ranged = true;
        ask->first = first;
        ask->last = last;
        if (last == UINT64_MAX)
                (void) snprintf(ask->range, sizeof(ask->range), "Range: bytes=%" PRIu64 "-", first);
        else
                (void) snprintf(ask->range, sizeof(ask->range), "Range: bytes=%" PRIu64 "-%" PRIu64, first, last);
}

/* A piece that the file does not have: our picture of a whole file is old, or a caller asked for what is not there. */
static struct verdict outside(const struct verdict_task *task, uint64_t size) {
        if (task->whole_file)
                return restart(ERROR_REMOTE_FILE_CHANGED, "the remote file has only %" PRIu64 " bytes", size);
        return fail(ERROR_INVALID_RANGE, "the remote file has only %" PRIu64 " bytes", size);
}

struct verdict verdict_request(const struct verdict_task *task, const struct verdict_known *known, struct verdict_ask *ret_ask) {
        struct verdict_ask ask = {};
        const char *validator = *known->etag ? known->etag : known->last_modified;

        if (!task->probe) {
                if (task->length == 0 || (task->length == ENGINE_TO_EOF && task->offset == known->size)) {
                        struct verdict done = make(VERDICT_DONE);

                        done.remote_size = known->size;
                        return done;
                }
                if (known->size != UNKNOWN && (task->offset >= known->size ||
                    (task->length != ENGINE_TO_EOF && task->length > known->size - task->offset)))
                        return outside(task, known->size);
        }
        if (is_fresh(task)) {
                *ret_ask = ask;
                return make(VERDICT_SEND);
        }
        if (task->no_ranges)
                return restart(ERROR_NO_RANGE_SUPPORT, "requests with this method cannot ask for a part");
        if (task->has_bytes && !*validator && !task->digest_decides)
                return restart(ERROR_NO_RANGE_SUPPORT, "the server gave no validator by which parts could be joined");
        if (task->probe)
                ask_for(&ask, task->offset - 1, task->offset - 1);
        else
                ask_for(&ask, task->offset, last_wanted(task, UNKNOWN));
        if (*validator) {
                ask.has_if_range = true;
                (void) snprintf(ask.if_range, sizeof(ask.if_range), "If-Range: %s", validator);
        }
        *ret_ask = ask;
        return make(VERDICT_SEND);
}

/* The answer names the validator that we know. Absent: @if_absent. */
static bool validator_agrees(const struct verdict_known *known, const struct response_facts *facts, bool if_absent) {
        if (*known->etag) {
                if (facts->etag_state == HEADER_ABSENT)
                        return if_absent;
                return facts->etag_state == HEADER_VALID && !facts->etag_weak && streq(facts->etag, known->etag);
        }
        if (*known->last_modified) {
                if (facts->last_modified_state == HEADER_ABSENT)
                        return if_absent;
                return facts->last_modified_state == HEADER_VALID &&
                       streq(facts->last_modified_text, known->last_modified);
        }
        return true;
}

/* Headers by which nobody can tell where the body ends or what it is. NULL: none. */
static const char *broken_headers(const struct response_facts *facts) {
        if (facts->malformed)
                return "the answer has a malformed header";
        if (facts->content_length_state == HEADER_INVALID)
                return "the answer has no valid Content-Length";
        if (facts->transfer_encoding == TRANSFER_ENCODING_OTHER)
                return "the answer has a Transfer-Encoding other than chunked";
        /* RFC 9112 6.3: how answers are smuggled. */
        if (facts->transfer_encoding == TRANSFER_ENCODING_CHUNKED && facts->content_length_state != HEADER_ABSENT)
                return "the answer has both Content-Length and Transfer-Encoding";
        if (facts->encoding_state == HEADER_INVALID)
                return "the answer has no valid Content-Encoding";
        return NULL;
}

/* Sizes that are not ours to accept. True: *ret says why. */
static bool size_is_refused(const struct verdict_task *task, const struct verdict_known *known, uint64_t total,
                            struct verdict *ret) {
        if (total == UNKNOWN)
                return false;
        if (known->size != UNKNOWN && total != known->size)
                *ret = restart(ERROR_REMOTE_FILE_CHANGED, "the remote file has %" PRIu64 " bytes now, and had %" PRIu64, total,
                               known->size);
        else if (task->stated_size != UNKNOWN && total != task->stated_size)
                *ret = fail(ERROR_SIZE_MISMATCH, "the remote file has %" PRIu64 " bytes, stated were %" PRIu64, total,
                            task->stated_size);
        else if (total > task->max_bytes || total > LIMIT_FILE_SIZE)
                *ret = fail(ERROR_TOO_LARGE, "the remote file has %" PRIu64 " bytes", total);
        else
                return false;
        return true;
}

/* 200: the whole representation, whatever was asked. */
static struct verdict judge_full(const struct verdict_task *task, const struct verdict_known *known,
                                 const struct verdict_ask *ask, const struct response_facts *facts) {
        const struct content_range *range = &facts->content_range;
        const char *broken = broken_headers(facts);
        uint64_t length = facts->content_length_state == HEADER_VALID ? facts->content_length : UNKNOWN;
        struct verdict v;

        if (ask->ranged && !task->whole_file && length == 0)
                return fail(ERROR_INVALID_RANGE, "the remote file is empty");
        if (ask->ranged) {
                /* With If-Range a 200 says "not that representation any more", unless it says that it is. */
                if (ask->has_if_range && !validator_agrees(known, facts, false))
                        return restart(ERROR_REMOTE_FILE_CHANGED, "the remote file was changed");
                if (task->whole_file)
                        return restart(ERROR_NO_RANGE_SUPPORT, "the server sent the whole file instead of a part");
                return fail(ERROR_NO_RANGE_SUPPORT, "the server sent the whole file instead of a part");
        }
        if (broken)
                return fail(ERROR_INVALID_RESPONSE, "%s", broken);
        /* RFC 9110 gives Content-Range no meaning here; one that speaks of a part is still not to be trusted. */
        if (facts->content_range_state == HEADER_VALID) {
                if (range->unsatisfied || range->first != 0 ||
                    (range->total != UNKNOWN && range->last != range->total - 1) ||
                    (length != UNKNOWN && range->last != length - 1))
                        return fail(ERROR_INVALID_RESPONSE, "the answer with status 200 says that it is a part");
                length = range->last + 1;
        }
        if (size_is_refused(task, known, length, &v))
                return v;

        v = make(VERDICT_WRITE);
        v.remote_size = v.body_expected = length;
        v.delimited = response_facts_is_delimited(facts);
        /* Up to 7.88 at least, libcurl says the same of a stream that ended and of one that was reset with NO_ERROR. */
        v.end_is_proof = v.delimited && facts->version_major < 2;
        v.body_limit = MIN(task->max_bytes, LIMIT_FILE_SIZE);
        v.body_limit = MIN(v.body_limit, length);
        v.body_limit = MIN(v.body_limit, known->size);
        v.body_limit = MIN(v.body_limit, task->stated_size);
        return v;
}

/* May these bytes stand beside the ones that are there? True: no, *ret says why. */
static bool is_another_file(const struct verdict_task *task, const struct verdict_known *known, const struct verdict_ask *ask,
                            const struct response_facts *facts, const char *origin, struct verdict *ret) {
        bool same_origin = !*known->origin || streq(known->origin, origin);

        if (!known->bound)
                return false;
        if (!same_origin && !task->digest_decides)
                *ret = restart(ERROR_REMOTE_FILE_CHANGED, "another server or path answered than before");
        else if (strcasecmp(known->encoding, facts->encoding) != 0)
                *ret = restart(ERROR_REMOTE_FILE_CHANGED, "the answer has another Content-Encoding than before");
        /* From another origin (a digest decides) validators say nothing. */
        else if (same_origin && !validator_agrees(known, facts, ask->has_if_range || task->digest_decides))
                *ret = restart(ERROR_REMOTE_FILE_CHANGED, "the remote file was changed");
        else
                return false;
        return true;
}

/* Does a 206 say what it must? NULL: yes. */
static const char *broken_partial(const struct verdict_ask *ask, const struct response_facts *facts) {
        const struct content_range *range = &facts->content_range;
        const char *broken = broken_headers(facts);

        if (broken)
                return broken;
        if (facts->multipart)
                return "the answer has several parts";
        if (facts->content_range_state != HEADER_VALID || range->unsatisfied)
                return "the answer with status 206 has no valid Content-Range";
        if (range->first != ask->first)
                return "the answer starts at another byte than the one asked for";
        if (range->last > ask->last)
                return "the answer is longer than what was asked for";
        if (facts->content_length_state == HEADER_VALID && facts->content_length != range->last - range->first + 1)
                return "Content-Length and Content-Range contradict each other";
        return NULL;
}

/* 206 */
static struct verdict judge_partial(const struct verdict_task *task, const struct verdict_known *known,
                                    const struct verdict_ask *ask, const struct response_facts *facts, const char *origin) {
        const struct content_range *range = &facts->content_range;
        const char *broken;
        uint64_t size;
        struct verdict v;

        if (!ask->ranged)
                return fail(ERROR_INVALID_RESPONSE, "the server sent a part without having been asked for one");
        broken = broken_partial(ask, facts);
        if (broken)
                return restart(ERROR_INVALID_RESPONSE, "%s", broken);
        size = range->total != UNKNOWN ? range->total : known->size;
        if (size_is_refused(task, known, range->total, &v) || is_another_file(task, known, ask, facts, origin, &v))
                return v;
        if (known->size != UNKNOWN && range->last >= known->size)
                return restart(ERROR_INVALID_RESPONSE, "the answer goes beyond the end of the file");
        /* Without a total the file is at least this long. */
        if (range->last >= task->stated_size)
                return fail(ERROR_SIZE_MISMATCH, "the remote file is longer than stated");
        if (range->last >= MIN(task->max_bytes, LIMIT_FILE_SIZE))
                return fail(ERROR_TOO_LARGE, "the remote file is too long");
        if (task->probe) {
                if (range->total != task->offset)
                        return restart(ERROR_INVALID_RESPONSE, "the server contradicts itself about the length of the file");
                v = make(VERDICT_DONE);
                v.remote_size = range->total;
                return v;
        }
        if (size != UNKNOWN && task->length != ENGINE_TO_EOF && task->length > size - task->offset)
                return outside(task, size);

        v = make(VERDICT_WRITE);
        v.partial = true;
        v.delimited = true;
        v.remote_size = size;
        v.body_expected = v.body_limit = range->last - range->first + 1;
        v.short_answer = range->last < last_wanted(task, size);
        return v;
}

/* 416. Never "finished" by itself: libcurl's and others' rule "416 means all is there" is how old bytes become a new file. */
static struct verdict judge_unsatisfied(const struct verdict_task *task, const struct verdict_known *known,
                                        const struct verdict_ask *ask, const struct response_facts *facts) {
        bool has_total = facts->content_range_state == HEADER_VALID && facts->content_range.unsatisfied;
        uint64_t total = has_total ? facts->content_range.total : UNKNOWN;
        struct verdict v;

        if (!ask->ranged)
                return verdict_status(416, 0);
        if (task->probe)
                return restart(ERROR_INVALID_RESPONSE, "the server contradicts itself about the length of the file");
        if (has_total && known->size != UNKNOWN && total != known->size)
                return restart(ERROR_REMOTE_FILE_CHANGED, "the remote file has %" PRIu64 " bytes now", total);
        if (has_total && total == task->offset && task->length == ENGINE_TO_EOF) {
                if (total == 0 && !task->has_bytes) {
                        if (size_is_refused(task, known, total, &v))
                                return v;
                        v = make(VERDICT_DONE);
                        v.remote_size = 0;
                        return v;
                }
                if (total > 0 && task->has_bytes)
                        return make(VERDICT_PROBE);
        }
        if (has_total && total > task->offset)
                v = end_with(task->has_bytes || task->whole_file ? VERDICT_RESTART : VERDICT_FAIL, ERROR_INVALID_RESPONSE,
                             "the server refused a range that the file has");
        else if (task->has_bytes || task->whole_file)
                v = restart(has_total ? ERROR_REMOTE_FILE_CHANGED : ERROR_INVALID_RESPONSE,
                            "the server has no bytes from %" PRIu64 " on", task->offset);
        else
                v = fail(ERROR_INVALID_RANGE, "the server has no bytes from %" PRIu64 " on", task->offset);
        v.detail = 416;
        return v;
}

struct verdict verdict_response(const struct verdict_task *task, const struct verdict_known *known, const struct verdict_ask *ask,
                                const struct response_facts *facts, const char *origin, uint64_t now_usec) {
        struct verdict v;

        if ((facts->status == 401 && task->can_answer_server) || (facts->status == 407 && task->can_answer_proxy))
                return make(VERDICT_ANSWER);
        switch (facts->status) {
        case 200:
                v = judge_full(task, known, ask, facts);
                break;
        case 206:
                v = judge_partial(task, known, ask, facts, origin);
                break;
        case 416:
                v = judge_unsatisfied(task, known, ask, facts);
                break;
        default:
                if (!redirect_is_status(facts->status))
                        return verdict_status(facts->status, response_facts_retry_after_usec(facts, now_usec));
                if (facts->location_state == HEADER_VALID && !facts->malformed)
                        return make(VERDICT_REDIRECT);
                v = fail(ERROR_INVALID_REDIRECT, "the redirect has no valid Location");
        }
        if (v.detail == 0 && (v.action == VERDICT_FAIL || v.action == VERDICT_RESTART))
                v.detail = facts->status;
        return v;
}

/* More came than may be written: by what was the limit set? */
static struct verdict judge_excess(const struct verdict_task *task, const struct verdict_known *known,
                                   const struct verdict *accepted) {
        uint64_t limit = accepted->body_limit;

        if (accepted->partial)
                return restart(ERROR_INVALID_RESPONSE, "the body is longer than its Content-Range");
        if (limit == accepted->body_expected)
                return fail(ERROR_INVALID_RESPONSE, "the body is longer than stated");
        if (limit == known->size)
                return restart(ERROR_REMOTE_FILE_CHANGED, "the remote file is longer than before");
        if (limit == task->stated_size)
                return fail(ERROR_SIZE_MISMATCH, "the remote file is longer than stated");
        return fail(ERROR_TOO_LARGE, "the remote file is too long");
}

/* A body without a stated length has ended in order. */
static struct verdict judge_unstated(const struct verdict_task *task, const struct verdict_known *known,
                                     const struct verdict *accepted, uint64_t received) {
        uint64_t expected = known->size != UNKNOWN ? known->size : task->stated_size;
        struct verdict v;

        if (expected != UNKNOWN && received != expected && !accepted->end_is_proof)
                return closed_early("the connection was closed before the file was complete");
        if (size_is_refused(task, known, received, &v))
                return v;
        v = make(VERDICT_DONE);
        v.remote_size = received;
        v.length_unverified = !accepted->end_is_proof && expected == UNKNOWN;
        return v;
}

struct verdict verdict_end(const struct verdict_task *task, const struct verdict_known *known, const struct verdict *accepted,
                           uint64_t received, enum verdict_ending ending) {
        struct verdict v;

        if (ending == VERDICT_ENDING_TOO_LONG || received > accepted->body_limit)
                return judge_excess(task, known, accepted);
        if (accepted->body_expected == UNKNOWN) {
                if (ending == VERDICT_ENDING_ORDERLY)
                        return judge_unstated(task, known, accepted, received);
                return closed_early("the connection broke before the end of the file");
        }
        if (received < accepted->body_expected)
                return closed_early("the connection was closed before the file was complete");
        if (!accepted->short_answer) {
                v = make(VERDICT_DONE);
                v.remote_size = accepted->remote_size;
                return v;
        }
        if (task->n_short + 1 >= VERDICT_SHORT_ANSWERS_MAX) {
                v = fail(ERROR_INVALID_RESPONSE, "the server sends the file in too small parts");
                v.transient = true;
                return v;
        }
        return make(VERDICT_CONTINUE);
}

static const char *known_text(const char *text) {
        return *text ? text : NULL;
}

void verdict_describe(const struct response_facts *facts, const struct verdict *verdict, const struct verdict_known *known,
                      const char *origin, const char *address, struct engine_metadata *ret) {
        *ret = (struct engine_metadata) {
                .http_status = facts->status,
                .remote_size = verdict->remote_size,
                .etag = response_facts_strong_etag(facts),
                .last_modified = response_facts_strong_date(facts),
                .encoding = facts->encoding,
                .origin = origin,
                .remote_time_usec = facts->last_modified_state == HEADER_VALID ?
                                            (uint64_t) facts->last_modified * USEC_PER_SEC : 0,
                .address = address,
                .headers = facts->text,
        };
        /* A part need not say again what it is a part of (RFC 9110 section 15.3.7). */
        if (verdict->action == VERDICT_WRITE && known->bound && streq(known->origin, origin)) {
                ret->etag = known_text(known->etag);
                ret->last_modified = known_text(known->last_modified);
                ret->encoding = known->encoding;
        }
}

const char *verdict_action_name(enum verdict_action action) {
        static const char *const names[_VERDICT_ACTION_MAX] = {
                [VERDICT_SEND] = "send",
                [VERDICT_WRITE] = "write",
                [VERDICT_REDIRECT] = "redirect",
                [VERDICT_PROBE] = "probe",
                [VERDICT_ANSWER] = "answer",
                [VERDICT_CONTINUE] = "continue",
                [VERDICT_DONE] = "done",
                [VERDICT_RESTART] = "restart",
                [VERDICT_FAIL] = "fail",
        };

        return (unsigned) action < _VERDICT_ACTION_MAX ? names[action] : NULL;
}

/* What an HTTP answer means for the bytes that are wanted: reliability.md 5.4 and design decisions 5, 7 and 8 as pure functions.
 * No I/O, no clock, no curl. Must never know of jobs, descriptors or handles.
 *
 * For each try (one HTTP exchange with its redirects) of one piece:
 * 1. verdict_known_from_request() once for each engine_request, before its first try.
 * 2. verdict_request(): SEND with the header lines of the try; DONE if nothing is missing; RESTART if what is there cannot be
 *    joined safely.
 * 3. The headers go to response_facts. When they are complete: verdict_response() with the origin string of the URL that answered
 *    (redirect.h). Body bytes may be written after WRITE only, and never more than @body_limit of them; the body of every other
 *    verdict is thrown away. After WRITE call verdict_known_adopt(), so that the next try is bound to this answer.
 * 4. REDIRECT: redirect_resolve(), the same task again at the new URL. PROBE: the same task with .probe = true from the request's
 *    own URL. ANSWER: the same task from there, with what the challenge asks for.
 * 5. When the body has ended (or was broken off by us at body_limit): verdict_end(): DONE: the piece is complete; CONTINUE: the
 *    server sent less than asked, take another try for the rest (offset and length moved on, n_short + 1); RESTART; FAIL.
 * 6. Transport errors (a CURLcode) are not judged here but in curl_errors.h, but call verdict_end(…, VERDICT_ENDING_BROKEN) first
 *    if the verdict was WRITE: all bytes may have come before the connection broke. It answers FAIL otherwise.
 *
 * RESTART codes: NO_RANGE_SUPPORT (no ranges, or no validator to join them by: no fault of the file), REMOTE_FILE_CHANGED (another
 * representation), INVALID_RESPONSE (a 206 or 416 that contradicts the request). Who counts restarts may treat them apart. */
#pragma once

#include "transfer/engine.h"
#include "transfer/headers.h"

#define VERDICT_ORIGIN_MAX (LIMIT_URL + 64)
#define VERDICT_SHORT_ANSWERS_MAX 4096 /* answers shorter than asked in one request; then it has to be asked for anew, with backoff */
#define VERDICT_RANGE_LINE_MAX 64

/* The representation whose bytes are there already, or of which the first answer of this request told. "" or UNKNOWN: not known. */
struct verdict_known {
        bool bound; /* an answer was accepted before: what follows is of it */
        uint64_t size;
        char etag[LIMIT_VALIDATOR + 1];          /* strong */
        char last_modified[RESPONSE_DATE_MAX + 1]; /* strong */
        char encoding[RESPONSE_ENCODING_MAX + 1];
        char origin[VERDICT_ORIGIN_MAX + 1];
};

/* One try: what is still missing of one piece. */
struct verdict_task {
        uint64_t offset;    /* remote, of the next byte */
        uint64_t length;    /* still missing, or ENGINE_TO_EOF */
        bool whole_file;    /* as in engine_request */
        bool only_piece;    /* the request has one piece */
        bool has_bytes;     /* bytes of the file are there already, from before or from this request */
        bool digest_decides;
        bool probe;         /* ask for the last byte only: does what we have end where the file ends? */
        bool can_answer_server; /* there is something that the next try could say to a 401, or to a proxy's 407, and this one did not */
        bool can_answer_proxy;
        bool no_ranges;     /* the method has none (RFC 9110 section 14.2: only GET has) */
        unsigned n_short;   /* CONTINUEs so far in this request */
        uint64_t stated_size, max_bytes;
};

enum verdict_action {
        VERDICT_SEND,
        VERDICT_WRITE,
        VERDICT_REDIRECT,
        VERDICT_PROBE,
        VERDICT_ANSWER,
        VERDICT_CONTINUE,
        VERDICT_DONE,
        VERDICT_RESTART,
        VERDICT_FAIL,
        _VERDICT_ACTION_MAX,
};

struct verdict {
        enum verdict_action action;
        /* RESTART and FAIL */
        enum error_code code;
        enum error_context context;
        bool transient;
        uint32_t detail;            /* HTTP status, or 0 */
        uint64_t retry_after_usec;
        char text[160];             /* printable; "" otherwise */
        /* WRITE and DONE */
        uint64_t remote_size;       /* total of the remote file, or ENGINE_SIZE_UNKNOWN */
        /* WRITE */
        uint64_t body_expected;     /* ENGINE_SIZE_UNKNOWN: no length was stated */
        uint64_t body_limit;        /* more bytes than this are wrong: break off, VERDICT_ENDING_TOO_LONG */
        bool delimited;             /* the end of the body is told by length, chunks or frames */
        bool end_is_proof;          /* and if it comes in order, then nothing is missing: not so with frames alone */
        bool partial;               /* a 206 */
        bool short_answer;          /* the answer ends before what was asked for */
        /* DONE */
        bool length_unverified;
};

/* The header lines of a try, without CRLF, ready for curl_slist_append(); "" if not sent. Accept-Encoding: identity is always sent
 * by the caller. */
struct verdict_ask {
        bool ranged;
        uint64_t first, last; /* inclusive; last UINT64_MAX: open */
        bool has_if_range;
        char range[VERDICT_RANGE_LINE_MAX];             /* "Range: bytes=5-9" */
        char if_range[LIMIT_VALIDATOR + sizeof("If-Range: ")];
};

enum verdict_ending {
        VERDICT_ENDING_ORDERLY,  /* CURLE_OK (with close_notify for https) */
        VERDICT_ENDING_BROKEN,   /* the connection broke, stalled, or the framing was wrong */
        VERDICT_ENDING_TOO_LONG, /* broken off by us: more than body_limit */
};

/* Over-long or malformed validators count as not known. */
void verdict_known_from_request(struct verdict_known *known, const struct engine_request *request);
/* What an accepted answer (verdict WRITE) says of the file. Keeps what is known and was not contradicted. */
void verdict_known_adopt(struct verdict_known *known, const struct verdict_task *task, const struct verdict *verdict,
                         const struct response_facts *facts, const char *origin);
/* The first try of piece @index of @request, of which @done bytes were written in this request. @any_bytes: some piece got bytes. */
void verdict_task_from_request(struct verdict_task *task, const struct engine_request *request, size_t index, uint64_t done,
                               bool any_bytes);

/* SEND, DONE, RESTART. @ret_ask is set with SEND. */
struct verdict verdict_request(const struct verdict_task *task, const struct verdict_known *known, struct verdict_ask *ret_ask);
/* WRITE, REDIRECT, PROBE, ANSWER, DONE, RESTART, FAIL. @origin: of the URL that answered. @now_usec: wall clock, for Retry-After. */
struct verdict verdict_response(const struct verdict_task *task, const struct verdict_known *known, const struct verdict_ask *ask,
                                const struct response_facts *facts, const char *origin, uint64_t now_usec);
/* DONE, CONTINUE, RESTART, FAIL. @accepted: the WRITE. @received: body bytes that were written for it. */
struct verdict verdict_end(const struct verdict_task *task, const struct verdict_known *known, const struct verdict *accepted,
                           uint64_t received, enum verdict_ending ending);
/* The answer to a CONNECT that a proxy refused, or any final status by itself. FAIL, or for 2xx and 3xx FAIL with
 * INVALID_RESPONSE. */
struct verdict verdict_status(unsigned status, uint64_t retry_after_usec);
/* A FAIL made by the caller: limits of the headers, refused redirects. @text is copied. */
struct verdict verdict_fail(enum error_code code, enum error_context context, bool transient, uint32_t detail, const char *text);

/* For engine_events.metadata(): pointers into @facts, @known (adopted), @origin and @address. */
void verdict_describe(const struct response_facts *facts, const struct verdict *verdict, const struct verdict_known *known,
                      const char *origin, const char *address,
                      struct engine_metadata *ret);

const char *verdict_action_name(enum verdict_action action);

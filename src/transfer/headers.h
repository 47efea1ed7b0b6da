/* What an answer's headers say: strict parsers over bytes that a stranger sent, and the struct that collects them line by line.
 * Must never know what was asked, and never decides anything: that is verdict.h.
 *
 * 1. response_facts_init() before each try.
 * 2. response_facts_add_header() for every line that libcurl's header callback gets (status line, fields, the empty line, 1xx
 *    answers, trailers). A negative return ends the transfer (limits, nonsense): FAIL with INVALID_RESPONSE.
 * 3. When response_facts_is_complete() says so after a line, the facts are ready for verdict_response(). Every new status line
 *    starts them anew (1xx, an answer to CONNECT).
 * 4. response_facts_seal() when they were judged: trailers can then change nothing.
 *
 * All memory is in the struct (about 27 KiB); nothing is allocated. A field that was sent twice with different values, folded
 * over lines or malformed is INVALID, which is not the same as ABSENT. */
#pragma once

#include "base/macros.h"
#include "protocol/limits.h"

#define RESPONSE_SIZE_UNKNOWN UINT64_MAX
#define RESPONSE_INFORMATIONAL_MAX 16 /* 1xx answers before the real one */
#define RESPONSE_ENCODING_MAX 63
#define RESPONSE_DATE_MAX 63
#define RESPONSE_TIME_MAX INT64_C(253402300799) /* seconds: the end of 9999, HTTP has four digits for a year (RFC 9110 section 5.6.7) */
#define RESPONSE_VALIDATOR_DISTANCE 60     /* seconds between Last-Modified and Date that make the former strong */
#define RESPONSE_RETRY_AFTER_MIN 1         /* seconds; design decision 5 */
#define RESPONSE_RETRY_AFTER_MAX (24 * 3600)

enum header_state {
        HEADER_ABSENT = 0,
        HEADER_VALID,
        HEADER_INVALID,
};

struct content_range {
        uint64_t first, last; /* both inclusive; meaningless if unsatisfied */
        uint64_t total;       /* RESPONSE_SIZE_UNKNOWN for "*" */
        bool unsatisfied;     /* the form of a 416: bytes star/N */
};

enum transfer_encoding {
        TRANSFER_ENCODING_NONE = 0,
        TRANSFER_ENCODING_CHUNKED,
        TRANSFER_ENCODING_OTHER, /* refused */
};

struct response_facts {
        unsigned status;        /* 0: no status line yet */
        unsigned version_major; /* 1, 2, 3 */
        bool complete;          /* the empty line after a status >= 200 was seen */
        bool sealed;
        bool malformed;         /* a line that is no header field */

        enum header_state content_length_state;
        uint64_t content_length;
        enum header_state content_range_state;
        struct content_range content_range;
        enum header_state etag_state;
        bool etag_weak;
        enum header_state last_modified_state;
        int64_t last_modified;                        /* seconds since the epoch */
        char last_modified_text[RESPONSE_DATE_MAX + 1];
        enum header_state date_state;
        int64_t date;
        enum header_state encoding_state;
        char encoding[RESPONSE_ENCODING_MAX + 1];     /* lower case, "" for none or identity */
        enum transfer_encoding transfer_encoding;
        bool accepts_ranges;                          /* it says so: a hint, and nothing more (design decision 7) */
        bool multipart;                               /* Content-Type: multipart/byteranges */
        enum header_state retry_after_state;
        bool retry_after_is_date;
        int64_t retry_after;                          /* seconds, or a date */
        struct header_digest {
                enum header_state state; /* VALID: it names a SHA-256 */
                uint8_t sha256[32];
        } digest, repr_digest, content_digest;
        enum header_state location_state;

        /* private */
        bool in_fields; /* between a status line and the empty line */
        size_t n_bytes, n_headers;
        size_t n_text;
        bool text_is_full;
        unsigned n_informational;
        int last_field;

        size_t n_links;

        /* What is large stands behind everything else: it is not cleared for each answer, only made empty. */
        char etag[LIMIT_VALIDATOR + 1];               /* with its quotes, and W/ if weak */
        char location[LIMIT_URL + 1];
        /* To be shown: the status line and the fields as they came, CR LF behind each; printable UTF-8, cut after a whole line. */
        char text[LIMIT_KEPT_HEADERS + 1];
        char links[LIMIT_LINKS];                      /* the values of all Link fields, ", " between */
};

void response_facts_init(struct response_facts *facts);
/* @line: with or without its CRLF, not NUL-terminated. 0; -E2BIG over a limit; -EBADMSG for bytes that cannot be a header. */
int response_facts_add_header(struct response_facts *facts, const char *line, size_t len);
bool response_facts_is_complete(const struct response_facts *facts);
void response_facts_seal(struct response_facts *facts);

/* The strong ETag, or NULL. */
const char *response_facts_strong_etag(const struct response_facts *facts);
/* Last-Modified if it may be sent in If-Range: no ETag at all, a proper date, and Date at least 60 s later (RFC 9110 8.8.2.2). */
const char *response_facts_strong_date(const struct response_facts *facts);
/* What the answer says of the whole file; @whole_body: its body is all of it. NULL: nothing, or two things that contradict each other. */
const uint8_t *response_facts_sha256(const struct response_facts *facts, bool whole_body);
/* Retry-After within [1 s, 24 h], or 0 if there is none. @now_usec: wall clock, for a date when the server sent no Date. */
uint64_t response_facts_retry_after_usec(const struct response_facts *facts, uint64_t now_usec);
/* The end of the body can be told from a broken connection: by length, chunks or frames. */
bool response_facts_is_delimited(const struct response_facts *facts);

/* The parsers themselves, over @len bytes of a field's value without surrounding blanks. 0, -EINVAL or -ERANGE. */
int header_parse_length(const char *value, size_t len, uint64_t *ret);
int header_parse_content_range(const char *value, size_t len, struct content_range *ret);
int header_parse_etag(const char *value, size_t len, bool *ret_weak);
int header_parse_date(const char *value, size_t len, int64_t *ret);
/* Exactly "Sun, 06 Nov 1994 08:49:37 GMT". */
bool header_is_fixdate(const char *value, size_t len);
/* Can be sent in If-Range: a strong ETag or a fixdate within LIMIT_VALIDATOR. For what comes back from the store. */
bool header_is_sendable_validator(const char *value);

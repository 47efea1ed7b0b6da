#include "transfer/headers.h"

#include <curl/curl.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/strings.h"
#include "transfer/digest_field.h"

static bool is_blank(char c) {
        return c == ' ' || c == '\t';
}

static bool is_digit(char c) {
        return c >= '0' && c <= '9';
}

/* RFC 9110 5.6.2 */
static bool is_token_char(char c) {
        return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c && strchr("!#$%&'*+-.^_`|~", c));
}

static bool starts_with_no_case(const char *s, size_t len, const char *prefix) {
        size_t n = strlen(prefix);

        return len >= n && strncasecmp(s, prefix, n) == 0;
}

/* Digits at *p up to @end, at least one. Moves *p behind them. */
static int read_number(const char **p, const char *end, uint64_t *ret) {
        uint64_t value = 0;
        const char *s = *p;

        if (s == end || !is_digit(*s))
                return -EINVAL;
        for (; s < end && is_digit(*s); s++)
                if (__builtin_mul_overflow(value, UINT64_C(10), &value) ||
                    __builtin_add_overflow(value, (uint64_t) (*s - '0'), &value))
                        return -ERANGE;
        *p = s;
        *ret = value;
        return 0;
}

int header_parse_length(const char *value, size_t len, uint64_t *ret) {
        const char *p = value, *end = value + len;
        uint64_t number;
        int r;

        r = read_number(&p, end, &number);
        if (r < 0)
                return r;
        /* A list ("5, 5") is refused even when its members agree: RFC 9110 8.6 leaves the choice. */
        if (p != end)
                return -EINVAL;
        if (number == RESPONSE_SIZE_UNKNOWN)
                return -ERANGE;
        *ret = number;
        return 0;
}

int header_parse_content_range(const char *value, size_t len, struct content_range *ret) {
        struct content_range range = { .total = RESPONSE_SIZE_UNKNOWN };
        const char *p = value, *end = value + len;
        int r;

        if (!starts_with_no_case(p, len, "bytes") || len == 5 || !is_blank(p[5]))
                return -EINVAL;
        for (p += 5; p < end && is_blank(*p); p++)
                ;
        if (p < end && *p == '*') {
                range.unsatisfied = true;
                p++;
        } else {
                r = read_number(&p, end, &range.first);
                if (r < 0)
                        return r;
                if (p == end || *p++ != '-')
                        return -EINVAL;
                r = read_number(&p, end, &range.last);
                if (r < 0)
                        return r;
        }
        if (p == end || *p++ != '/')
                return -EINVAL;
        if (p < end && *p == '*' && !range.unsatisfied)
                p++;
        else {
                r = read_number(&p, end, &range.total);
                if (r < 0)
                        return r;
                if (range.total == RESPONSE_SIZE_UNKNOWN)
                        return -ERANGE;
        }
        if (p != end)
                return -EINVAL;
        /* RFC 9110 14.4: last below first, or a length that is not above last, makes it invalid. */
        if (!range.unsatisfied && (range.last < range.first || range.last >= range.total))
                return -EINVAL;
        *ret = range;
        return 0;
}

int header_parse_etag(const char *value, size_t len, bool *ret_weak) {
        bool weak = false;

        if (len >= 2 && value[0] == 'W' && value[1] == '/') {
                weak = true;
                value += 2;
                len -= 2;
        }
        if (len < 2 || value[0] != '"' || value[len - 1] != '"')
                return -EINVAL;
        /* RFC 9110 8.8.3 allows bytes from 0x80 too; they are refused because validators are stored and sent on as text. */
        for (size_t i = 1; i < len - 1; i++)
                if (value[i] <= 0x20 || value[i] == '"' || value[i] >= 0x7f)
                        return -EINVAL;
        *ret_weak = weak;
        return 0;
}

bool header_is_fixdate(const char *value, size_t len) {
        static const char shape[] = "Aaa, 00 Aaa 0000 00:00:00 GMT";

        if (len != sizeof(shape) - 1)
                return false;
        for (size_t i = 0; i < len; i++) {
                char c = value[i];

                if (i < 25 && shape[i] == '0' ? !is_digit(c)
                    : i < 25 && shape[i] == 'A' ? !(c >= 'A' && c <= 'Z')
                    : i < 25 && shape[i] == 'a' ? !(c >= 'a' && c <= 'z')
                    : c != shape[i])
                        return false;
        }
        return true;
}

static unsigned two_digits(const char *s) {
        return (unsigned) (s[0] - '0') * 10 + (unsigned) (s[1] - '0');
}

/* Where a name of three letters stands among such names: its number, or @n. */
static unsigned find_name(const char *names, unsigned n, const char *name) {
        unsigned i = 0;

        while (i < n && memcmp(names + i * 3, name, 3) != 0)
                i++;
        return i;
}

/* The form that servers must send, as curl_getdate() reads it, at a twentieth of what that costs: each answer has one or two. False: it is
 * another, or no date. */
static bool read_fixdate(const char *value, size_t len, int64_t *ret) {
        static const unsigned days_before[] = { 0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334 };
        unsigned day, month, year, hour, minute, second, leap_days;

        if (!header_is_fixdate(value, len) || find_name("SunMonTueWedThuFriSat", 7, value) == 7)
                return false;
        day = two_digits(value + 5);
        month = find_name("JanFebMarAprMayJunJulAugSepOctNovDec", 12, value + 8);
        year = two_digits(value + 12) * 100 + two_digits(value + 14);
        hour = two_digits(value + 17);
        minute = two_digits(value + 20);
        second = two_digits(value + 23);
        if (day < 1 || day > 31 || month == 12 || year < 1970 || hour > 23 || minute > 59 || second > 59)
                return false;
        leap_days = year - (month < 2);
        leap_days = leap_days / 4 - leap_days / 100 + leap_days / 400 - (1969 / 4 - 1969 / 100 + 1969 / 400);
        *ret = ((((int64_t) (year - 1970) * 365 + leap_days + days_before[month] + day - 1) * 24 + hour) * 60 + minute) * 60 + second;
        return true;
}

int header_parse_date(const char *value, size_t len, int64_t *ret) {
        char copy[RESPONSE_DATE_MAX + 1];
        bool has_letter = false;
        time_t t;

        if (read_fixdate(value, len, ret))
                return 0;
        if (len == 0 || len > RESPONSE_DATE_MAX)
                return -EINVAL;
        for (size_t i = 0; i < len; i++) {
                if (value[i] < 0x20 || value[i] >= 0x7f)
                        return -EINVAL;
                has_letter |= (value[i] | 0x20) >= 'a' && (value[i] | 0x20) <= 'z';
        }
        /* curl_getdate() takes bare numbers for dates; HTTP has none without a month's name. */
        if (!has_letter)
                return -EINVAL;
        memcpy(copy, value, len);
        copy[len] = 0;
        t = curl_getdate(copy, NULL);
        if (t < 0 || t > RESPONSE_TIME_MAX)
                return -EINVAL;
        *ret = t;
        return 0;
}

bool header_is_sendable_validator(const char *value) {
        size_t len = strnlen(value, LIMIT_VALIDATOR + 1);
        bool weak;

        if (len > LIMIT_VALIDATOR)
                return false;
        return header_is_fixdate(value, len) || (header_parse_etag(value, len, &weak) == 0 && !weak);
}

static void set_content_length(struct response_facts *facts, const char *value, size_t len) {
        uint64_t length;

        if (header_parse_length(value, len, &length) < 0 ||
            (facts->content_length_state == HEADER_VALID && facts->content_length != length))
                facts->content_length_state = HEADER_INVALID;
        if (facts->content_length_state == HEADER_INVALID)
                return;
        facts->content_length_state = HEADER_VALID;
        facts->content_length = length;
}

static void set_content_range(struct response_facts *facts, const char *value, size_t len) {
        struct content_range range;

        if (header_parse_content_range(value, len, &range) < 0 ||
            (facts->content_range_state == HEADER_VALID &&
             (facts->content_range.first != range.first || facts->content_range.last != range.last ||
              facts->content_range.total != range.total || facts->content_range.unsatisfied != range.unsatisfied)))
                facts->content_range_state = HEADER_INVALID;
        if (facts->content_range_state == HEADER_INVALID)
                return;
        facts->content_range_state = HEADER_VALID;
        facts->content_range = range;
}

/* Keeps a text of at most @max bytes: the first one, and only if a second one says the same. */
static enum header_state keep_text(enum header_state state, char *kept, size_t max, const char *value, size_t len) {
        if (len > max || state == HEADER_INVALID)
                return HEADER_INVALID;
        if (state == HEADER_VALID)
                return strlen(kept) == len && memcmp(kept, value, len) == 0 ? HEADER_VALID : HEADER_INVALID;
        memcpy(kept, value, len);
        kept[len] = 0;
        return HEADER_VALID;
}

static void set_etag(struct response_facts *facts, const char *value, size_t len) {
        bool weak;

        if (header_parse_etag(value, len, &weak) < 0) {
                facts->etag_state = HEADER_INVALID;
                return;
        }
        facts->etag_state = keep_text(facts->etag_state, facts->etag, LIMIT_VALIDATOR, value, len);
        facts->etag_weak = weak;
}

static void set_last_modified(struct response_facts *facts, const char *value, size_t len) {
        if (header_parse_date(value, len, &facts->last_modified) < 0)
                facts->last_modified_state = HEADER_INVALID;
        else
                facts->last_modified_state = keep_text(facts->last_modified_state, facts->last_modified_text,
                                                       RESPONSE_DATE_MAX, value, len);
}

static void set_date(struct response_facts *facts, const char *value, size_t len) {
        int64_t date;

        if (header_parse_date(value, len, &date) < 0 || (facts->date_state == HEADER_VALID && facts->date != date))
                facts->date_state = HEADER_INVALID;
        if (facts->date_state == HEADER_INVALID)
                return;
        facts->date_state = HEADER_VALID;
        facts->date = date;
}

static void set_encoding(struct response_facts *facts, const char *value, size_t len) {
        size_t have = strlen(facts->encoding), more = have > 0 ? 2 : 0;

        if (facts->encoding_state == HEADER_INVALID)
                return;
        facts->encoding_state = HEADER_VALID;
        if (len == 0 || (len == 8 && strncasecmp(value, "identity", 8) == 0))
                return;
        for (size_t i = 0; i < len; i++)
                if (!is_token_char(value[i]) && value[i] != ',' && !is_blank(value[i]))
                        facts->encoding_state = HEADER_INVALID;
        if (have + more + len > RESPONSE_ENCODING_MAX)
                facts->encoding_state = HEADER_INVALID;
        if (facts->encoding_state == HEADER_INVALID)
                return;
        if (more > 0)
                memcpy(facts->encoding + have, ", ", more);
        for (size_t i = 0; i < len; i++) {
                char c = value[i] == '\t' ? ' ' : value[i];

                facts->encoding[have + more + i] = c >= 'A' && c <= 'Z' ? (char) (c | 0x20) : c;
        }
        facts->encoding[have + more + len] = 0;
}

/* Anything but one "chunked" is refused: chains of codings are how decoders were attacked (curl's CVE-2023-23916), and RFC 9112
 * takes "chunked, chunked" for an error. */
static void set_transfer_encoding(struct response_facts *facts, const char *value, size_t len) {
        if (facts->transfer_encoding == TRANSFER_ENCODING_NONE && len == 7 && strncasecmp(value, "chunked", 7) == 0)
                facts->transfer_encoding = TRANSFER_ENCODING_CHUNKED;
        else
                facts->transfer_encoding = TRANSFER_ENCODING_OTHER;
}

static void set_content_type(struct response_facts *facts, const char *value, size_t len) {
        static const size_t n = sizeof("multipart/byteranges") - 1;

        if (starts_with_no_case(value, len, "multipart/byteranges") && (len == n || !is_token_char(value[n])))
                facts->multipart = true;
}

static void set_accept_ranges(struct response_facts *facts, const char *value, size_t len) {
        facts->accepts_ranges = len == 5 && strncasecmp(value, "bytes", 5) == 0;
}

static void set_retry_after(struct response_facts *facts, const char *value, size_t len) {
        const char *p = value;
        uint64_t seconds;
        int r;

        if (facts->retry_after_state != HEADER_ABSENT) {
                facts->retry_after_state = HEADER_INVALID;
                return;
        }
        facts->retry_after_state = HEADER_VALID;
        r = read_number(&p, value + len, &seconds);
        if (r == 0 && p != value + len)
                r = -EINVAL;
        if (r == 0)
                facts->retry_after = (int64_t) MIN(seconds, (uint64_t) RESPONSE_RETRY_AFTER_MAX);
        else if (r == -ERANGE)
                facts->retry_after = RESPONSE_RETRY_AFTER_MAX;
        else if (header_parse_date(value, len, &facts->retry_after) == 0)
                facts->retry_after_is_date = true;
        else
                facts->retry_after_state = HEADER_INVALID;
}

static void set_location(struct response_facts *facts, const char *value, size_t len) {
        facts->location_state = keep_text(facts->location_state, facts->location, LIMIT_URL, value, len);
}

static void keep_digest(struct header_digest *digest, int parsed, const uint8_t sha256[static 32]) {
        if (parsed == 0)
                return;
        if (parsed < 0 || (digest->state == HEADER_VALID && memcmp(digest->sha256, sha256, sizeof(digest->sha256)) != 0))
                digest->state = HEADER_INVALID;
        if (digest->state == HEADER_INVALID)
                return;
        digest->state = HEADER_VALID;
        memcpy(digest->sha256, sha256, sizeof(digest->sha256));
}

static void set_digest(struct response_facts *facts, const char *value, size_t len) {
        uint8_t sha256[32];

        keep_digest(&facts->digest, digest_field_parse(value, len, sha256), sha256);
}

static void set_repr_digest(struct response_facts *facts, const char *value, size_t len) {
        uint8_t sha256[32];

        keep_digest(&facts->repr_digest, digest_field_parse_dictionary(value, len, sha256), sha256);
}

static void set_content_digest(struct response_facts *facts, const char *value, size_t len) {
        uint8_t sha256[32];

        keep_digest(&facts->content_digest, digest_field_parse_dictionary(value, len, sha256), sha256);
}

static void set_link(struct response_facts *facts, const char *value, size_t len) {
        size_t separator = facts->n_links > 0 ? 2 : 0;

        if (len > sizeof(facts->links) - facts->n_links || separator > sizeof(facts->links) - facts->n_links - len)
                return;
        memcpy(facts->links + facts->n_links, ", ", separator);
        memcpy(facts->links + facts->n_links + separator, value, len);
        facts->n_links += separator + len;
}

static const struct field {
        const char *name;
        void (*set)(struct response_facts *facts, const char *value, size_t len);
        size_t state; /* of its enum header_state, 0: has none */
} fields[] = {
        { "content-length", set_content_length, offsetof(struct response_facts, content_length_state) },
        { "content-range", set_content_range, offsetof(struct response_facts, content_range_state) },
        { "etag", set_etag, offsetof(struct response_facts, etag_state) },
        { "last-modified", set_last_modified, offsetof(struct response_facts, last_modified_state) },
        { "date", set_date, offsetof(struct response_facts, date_state) },
        { "content-encoding", set_encoding, offsetof(struct response_facts, encoding_state) },
        { "transfer-encoding", set_transfer_encoding, 0 },
        { "content-type", set_content_type, 0 },
        { "accept-ranges", set_accept_ranges, 0 },
        { "retry-after", set_retry_after, offsetof(struct response_facts, retry_after_state) },
        { "location", set_location, offsetof(struct response_facts, location_state) },
        { "digest", set_digest, offsetof(struct response_facts, digest.state) },
        { "repr-digest", set_repr_digest, offsetof(struct response_facts, repr_digest.state) },
        { "content-digest", set_content_digest, offsetof(struct response_facts, content_digest.state) },
        { "link", set_link, 0 },
};

enum { FIELD_NONE = -1, FIELD_OTHER = -2 };

void response_facts_init(struct response_facts *facts) {
        memset(facts, 0, offsetof(struct response_facts, etag));
        facts->etag[0] = facts->location[0] = facts->text[0] = 0;
        facts->last_field = FIELD_NONE;
}

/* Other eyes see this: what is not text becomes "?". */
static void keep_line(struct response_facts *facts, const char *line, size_t len) {
        char *to = facts->text + facts->n_text;
        bool ascii = true;

        if (facts->text_is_full || len + 2 > LIMIT_KEPT_HEADERS - facts->n_text) {
                facts->text_is_full = true;
                return;
        }
        for (size_t i = 0; i < len; i++) {
                uint8_t c = (uint8_t) line[i];

                ascii = ascii && c < 0x80;
                to[i] = (c < 0x20 && c != '\t') || c == 0x7f ? '?' : line[i];
        }
        if (!ascii && !utf8_is_valid(line, len))
                for (size_t i = 0; i < len; i++)
                        to[i] = (uint8_t) to[i] >= 0x80 ? '?' : to[i];
        memcpy(to + len, "\r\n", 3);
        facts->n_text += len + 2;
}

/* "HTTP/1.1 200 OK", "HTTP/2 200 " */
static int start_answer(struct response_facts *facts, const char *line, size_t len) {
        size_t n_bytes = facts->n_bytes, n_headers = facts->n_headers;
        unsigned status, major, n_informational = facts->n_informational;
        size_t i = 5;

        if (len < i + 1 || !is_digit(line[i]))
                return -EBADMSG;
        major = (unsigned) (line[i++] - '0');
        if (i + 1 < len && line[i] == '.' && is_digit(line[i + 1]))
                i += 2;
        if (len < i + 4 || line[i] != ' ' || !is_digit(line[i + 1]) || !is_digit(line[i + 2]) || !is_digit(line[i + 3]) ||
            (len > i + 4 && line[i + 4] != ' '))
                return -EBADMSG;
        status = (unsigned) ((line[i + 1] - '0') * 100 + (line[i + 2] - '0') * 10 + (line[i + 3] - '0'));
        if (status < 100)
                return -EBADMSG;
        n_informational += status < 200;
        if (n_informational > RESPONSE_INFORMATIONAL_MAX)
                return -E2BIG;
        response_facts_init(facts);
        facts->status = status;
        facts->version_major = major;
        facts->n_bytes = n_bytes;
        facts->n_headers = n_headers;
        facts->n_informational = n_informational;
        facts->in_fields = true;
        keep_line(facts, line, len);
        return 0;
}

/* A continuation line (obsolete folding): a field that we would judge is no longer what its first line said. */
static void invalidate_last(struct response_facts *facts) {
        if (facts->last_field == FIELD_NONE)
                facts->malformed = true;
        if (facts->last_field < 0)
                return;
        if (fields[facts->last_field].state > 0)
                *(enum header_state *) ((char *) facts + fields[facts->last_field].state) = HEADER_INVALID;
        else if (fields[facts->last_field].set == set_link)
                facts->n_links = 0; /* what a link says is not known any more */
        else if (fields[facts->last_field].set == set_transfer_encoding)
                facts->transfer_encoding = TRANSFER_ENCODING_OTHER;
}

static void add_field(struct response_facts *facts, const char *line, size_t len) {
        const char *colon = memchr(line, ':', len), *value, *end = line + len;
        size_t n_name = colon ? (size_t) (colon - line) : 0;

        facts->last_field = FIELD_OTHER;
        if (n_name == 0) {
                facts->malformed = true;
                return;
        }
        for (size_t i = 0; i < n_name; i++)
                if (!is_token_char(line[i])) {
                        facts->malformed = true;
                        return;
                }
        for (value = colon + 1; value < end && is_blank(*value); value++)
                ;
        while (end > value && is_blank(end[-1]))
                end--;
        for (size_t i = 0; i < ELEMENTSOF(fields); i++)
                if (strlen(fields[i].name) == n_name && strncasecmp(fields[i].name, line, n_name) == 0) {
                        facts->last_field = (int) i;
                        fields[i].set(facts, value, (size_t) (end - value));
                        return;
                }
}

int response_facts_add_header(struct response_facts *facts, const char *line, size_t len) {
        if (len > LIMIT_RESPONSE_HEADER_BYTES - facts->n_bytes || facts->n_headers >= LIMIT_RESPONSE_HEADERS)
                return -E2BIG;
        facts->n_bytes += len;
        facts->n_headers++;
        if (facts->sealed)
                return 0;

        if (len > 0 && line[len - 1] == '\n')
                len--;
        if (len > 0 && line[len - 1] == '\r')
                len--;
        if (memchr(line, 0, len) || memchr(line, '\r', len) || memchr(line, '\n', len))
                return -EBADMSG;

        if (!facts->in_fields) {
                if (len >= 5 && memcmp(line, "HTTP/", 5) == 0)
                        return start_answer(facts, line, len);
                return facts->complete ? 0 : -EBADMSG; /* a trailer, or no HTTP at all */
        }
        if (len == 0) {
                facts->in_fields = false;
                /* 101 was never asked for; it is judged like a final answer, because none will follow. */
                facts->complete = facts->status >= 200 || facts->status == 101;
                return 0;
        }
        keep_line(facts, line, len);
        if (is_blank(line[0]))
                invalidate_last(facts);
        else
                add_field(facts, line, len);
        return 0;
}

bool response_facts_is_complete(const struct response_facts *facts) {
        return facts->complete;
}

void response_facts_seal(struct response_facts *facts) {
        facts->sealed = true;
}

const char *response_facts_strong_etag(const struct response_facts *facts) {
        return facts->etag_state == HEADER_VALID && !facts->etag_weak ? facts->etag : NULL;
}

const char *response_facts_strong_date(const struct response_facts *facts) {
        /* RFC 9110 13.1.5: never a date when there is an entity tag, be it weak or broken. */
        if (facts->etag_state != HEADER_ABSENT || facts->last_modified_state != HEADER_VALID ||
            facts->date_state != HEADER_VALID)
                return NULL;
        if (facts->date - facts->last_modified < RESPONSE_VALIDATOR_DISTANCE)
                return NULL;
        return header_is_fixdate(facts->last_modified_text, strlen(facts->last_modified_text)) ? facts->last_modified_text
                                                                                               : NULL;
}

uint64_t response_facts_retry_after_usec(const struct response_facts *facts, uint64_t now_usec) {
        int64_t seconds = facts->retry_after;

        if (facts->retry_after_state != HEADER_VALID)
                return 0;
        /* The server's own clock, where it says it: then a difference between the clocks does not matter. */
        if (facts->retry_after_is_date)
                seconds -= facts->date_state == HEADER_VALID ? facts->date : (int64_t) (now_usec / USEC_PER_SEC);
        seconds = MAX(seconds, (int64_t) RESPONSE_RETRY_AFTER_MIN);
        seconds = MIN(seconds, (int64_t) RESPONSE_RETRY_AFTER_MAX);
        return (uint64_t) seconds * USEC_PER_SEC;
}

const uint8_t *response_facts_sha256(const struct response_facts *facts, bool whole_body) {
        const struct header_digest *all[] = { &facts->repr_digest, &facts->digest, &facts->content_digest };
        const struct header_digest *found = NULL;

        for (size_t i = 0; i < ELEMENTSOF(all) - !whole_body; i++) {
                if (all[i]->state == HEADER_INVALID || (all[i]->state == HEADER_VALID && found &&
                    memcmp(found->sha256, all[i]->sha256, sizeof(found->sha256)) != 0))
                        return NULL;
                if (all[i]->state == HEADER_VALID)
                        found = all[i];
        }
        return found ? found->sha256 : NULL;
}

bool response_facts_is_delimited(const struct response_facts *facts) {
        return facts->version_major >= 2 || facts->transfer_encoding == TRANSFER_ENCODING_CHUNKED ||
               facts->content_length_state == HEADER_VALID;
}

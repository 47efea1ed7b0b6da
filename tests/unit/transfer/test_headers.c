#include "transfer/headers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>
#include <curl/curl.h>

#include "base/clock.h"
#include "facts.h"

static void a_length_is_digits_and_nothing_else(void **state) {
        static const struct {
                const char *text;
                int r;
                uint64_t length;
        } rows[] = {
                { "0", 0, 0 },
                { "1", 0, 1 },
                { "0010", 0, 10 },
                { "18446744073709551614", 0, UINT64_MAX - 1 },
                { "18446744073709551615", -ERANGE, 0 },
                { "18446744073709551616", -ERANGE, 0 },
                { "99999999999999999999999999999999", -ERANGE, 0 },
                { "", -EINVAL, 0 },
                { "-1", -EINVAL, 0 },
                { "+1", -EINVAL, 0 },
                { "0x10", -EINVAL, 0 },
                { "1.0", -EINVAL, 0 },
                { "5, 5", -EINVAL, 0 },
                { "5,6", -EINVAL, 0 },
                { "5 ", -EINVAL, 0 },
                { "1e3", -EINVAL, 0 },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                uint64_t length = 0;

                assert_int_equal(header_parse_length(rows[i].text, strlen(rows[i].text), &length), rows[i].r);
                assert_int_equal(length, rows[i].length);
        }
}

static void a_content_range_is_judged_in_all_its_forms(void **state) {
        static const struct {
                const char *text;
                int r;
                uint64_t first, last, total;
                bool unsatisfied;
        } rows[] = {
                { "bytes 0-0/1", 0, 0, 0, 1, false },
                { "bytes 5-9/10", 0, 5, 9, 10, false },
                { "BYTES  5-9/10", 0, 5, 9, 10, false },
                { "bytes 5-9/*", 0, 5, 9, UINT64_MAX, false },
                { "bytes */0", 0, 0, 0, 0, true },
                { "bytes */1234", 0, 0, 0, 1234, true },
                { "bytes */*", -EINVAL },
                { "bytes 5-4/10", -EINVAL },
                { "bytes 5-10/10", -EINVAL },
                { "bytes 5-9/9", -EINVAL },
                { "bytes=5-9/10", -EINVAL },
                { "bytes5-9/10", -EINVAL },
                { "bytes", -EINVAL },
                { "bytes ", -EINVAL },
                { "", -EINVAL },
                { "items 0-1/2", -EINVAL },
                { "bytes -5/10", -EINVAL },
                { "bytes 5-/10", -EINVAL },
                { "bytes 5/10", -EINVAL },
                { "bytes 5-9", -EINVAL },
                { "bytes 5-9/", -EINVAL },
                { "bytes 5-9/10 ", -EINVAL },
                { "bytes 5-9/10,", -EINVAL },
                { "bytes 5 - 9/10", -EINVAL },
                { "bytes -5-9/10", -EINVAL },
                { "bytes 0-18446744073709551616/*", -ERANGE },
                { "bytes 0-5/18446744073709551616", -ERANGE },
                { "bytes 0-5/18446744073709551615", -ERANGE },
                { "bytes */18446744073709551615", -ERANGE },
                { "bytes 0-18446744073709551615/*", -EINVAL },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                struct content_range range = {};

                assert_int_equal(header_parse_content_range(rows[i].text, strlen(rows[i].text), &range), rows[i].r);
                if (rows[i].r < 0)
                        continue;
                assert_int_equal(range.first, rows[i].first);
                assert_int_equal(range.last, rows[i].last);
                assert_int_equal(range.total, rows[i].total);
                assert_int_equal(range.unsatisfied, rows[i].unsatisfied);
        }
}

static void an_etag_needs_its_quotes_and_w_makes_it_weak(void **state) {
        static const struct {
                const char *text;
                int r;
                bool weak;
        } rows[] = {
                { "\"abc\"", 0, false },
                { "\"\"", 0, false },
                { "\"a,b\\c\"", 0, false },
                { "W/\"abc\"", 0, true },
                { "w/\"abc\"", -EINVAL, false },
                { "W/abc", -EINVAL, false },
                { "abc", -EINVAL, false },
                { "\"", -EINVAL, false },
                { "W/\"", -EINVAL, false },
                { "", -EINVAL, false },
                { "\"a\"b\"", -EINVAL, false },
                { "\"a b\"", -EINVAL, false },
                { "\"a\tb\"", -EINVAL, false },
                { "\"a\x7f\"", -EINVAL, false },
                { "\"\xc3\xa4\"", -EINVAL, false },
                { "\"a\", \"b\"", -EINVAL, false },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                bool weak = false;

                assert_int_equal(header_parse_etag(rows[i].text, strlen(rows[i].text), &weak), rows[i].r);
                assert_int_equal(weak, rows[i].weak);
        }
}

static void dates_come_in_three_forms_and_only_one_may_be_sent_back(void **state) {
        static const char *const good[] = {
                "Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994",
        };
        static const char *const bad[] = {
                "", "0", "20200101", "784111777", "yesterday", "Sun, 99 Nov 1994 08:49:37 GMT",
                "Thu, 01 Jan 1960 00:00:00 GMT", "Sat, 01 Jan 10000 00:00:00 GMT", "Thu, 01 Jan 2147483647 00:00:00 GMT", "Sun, 06 Nov 1994\x01 08:49:37 GMT",
                "Sun, 06 Nov 1994 08:49:37 GMT and more than sixty-three bytes altogether",
        };
        int64_t t;

        for (size_t i = 0; i < ELEMENTSOF(good); i++) {
                assert_int_equal(header_parse_date(good[i], strlen(good[i]), &t), 0);
                assert_int_equal(t, 784111777);
                assert_int_equal(header_is_fixdate(good[i], strlen(good[i])), i == 0);
        }
        for (size_t i = 0; i < ELEMENTSOF(bad); i++)
                assert_int_equal(header_parse_date(bad[i], strlen(bad[i]), &t), -EINVAL);
        assert_false(header_is_fixdate("Sun, 06 Nov 1994 08:49:37 UTC", 29));
        assert_false(header_is_fixdate("sun, 06 Nov 1994 08:49:37 GMT", 29));
        assert_false(header_is_fixdate("Sun, 6 Nov 1994 08:49:37 GMT", 28));
}

static void every_day_of_two_centuries_is_the_one_that_libcurl_reads(void **state) {
        char text[RESPONSE_DATE_MAX + 1];
        int64_t t;

        for (time_t day = 0; day < INT64_C(200) * 365 * 86400; day += 86400) {
                time_t second = day + day / 86400 * 7919 % 86400;
                struct tm tm;

                assert_non_null(gmtime_r(&second, &tm));
                assert_true(strftime(text, sizeof(text), "%a, %d %b %Y %H:%M:%S GMT", &tm) > 0);
                assert_int_equal(header_parse_date(text, strlen(text), &t), 0);
                assert_int_equal(t, second);
                assert_int_equal(t, curl_getdate(text, NULL));
        }
}

static void what_looks_like_a_fixdate_is_judged_as_libcurl_does(void **state) {
        static const char *const texts[] = {
                "Sun, 31 Feb 1994 08:49:37 GMT", "Sun, 29 Feb 2100 00:00:00 GMT", "Sun, 00 Nov 1994 08:49:37 GMT",
                "Sun, 32 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 24:00:00 GMT", "Sun, 06 Nov 1994 08:60:37 GMT",
                "Sun, 06 Nov 1994 08:49:60 GMT", "Sun, 06 Nov 1994 08:49:61 GMT", "Xyz, 06 Nov 1994 08:49:37 GMT",
                "Sun, 06 Abc 1994 08:49:37 GMT", "Jan, 06 Nov 1994 08:49:37 GMT", "Wed, 31 Dec 1969 23:59:59 GMT",
                "Sun, 06 Nov 0094 08:49:37 GMT", "Fri, 31 Dec 9999 23:59:59 GMT",
        };

        for (size_t i = 0; i < ELEMENTSOF(texts); i++) {
                time_t theirs = curl_getdate(texts[i], NULL);
                int64_t ours = 0;

                assert_int_equal(header_parse_date(texts[i], strlen(texts[i]), &ours), theirs < 0 ? -EINVAL : 0);
                if (theirs >= 0)
                        assert_int_equal(ours, theirs);
        }
}

static void only_strong_etags_and_fixdates_are_sendable(void **state) {
        char large[LIMIT_VALIDATOR + 2];

        assert_true(header_is_sendable_validator("\"x\""));
        assert_true(header_is_sendable_validator("Sun, 06 Nov 1994 08:49:37 GMT"));
        assert_false(header_is_sendable_validator("W/\"x\""));
        assert_false(header_is_sendable_validator("\"x\"\r\nHost: evil"));
        assert_false(header_is_sendable_validator(""));
        memset(large, 'x', sizeof(large) - 1);
        large[sizeof(large) - 1] = 0;
        large[0] = large[sizeof(large) - 2] = '"';
        assert_false(header_is_sendable_validator(large));
        large[LIMIT_VALIDATOR - 1] = '"';
        large[LIMIT_VALIDATOR] = 0;
        assert_true(header_is_sendable_validator(large));
}

static void an_answer_is_collected_line_by_line(void **state) {
        struct response_facts f;

        assert_int_equal(facts_from_text(&f, "HTTP/1.1 206 Partial Content\r\n"
                                             "content-LENGTH:  5 \r\n"
                                             "Content-Range: bytes 5-9/10\r\n"
                                             "ETag: \"x\"\r\n"
                                             "Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
                                             "Date: Sun, 06 Nov 1994 09:49:37 GMT\r\n"
                                             "Content-Encoding: GZIP\r\n"
                                             "Content-Type: text/plain\r\n"
                                             "Location:\r\n"
                                             "X-Other: \xff\r\n"), 0);
        assert_true(response_facts_is_complete(&f));
        assert_int_equal(f.status, 206);
        assert_int_equal(f.version_major, 1);
        assert_false(f.malformed);
        assert_int_equal(f.content_length_state, HEADER_VALID);
        assert_int_equal(f.content_length, 5);
        assert_int_equal(f.content_range.first, 5);
        assert_string_equal(response_facts_strong_etag(&f), "\"x\"");
        assert_null(response_facts_strong_date(&f)); /* there is an ETag */
        assert_int_equal(f.last_modified, 784111777);
        assert_string_equal(f.encoding, "gzip");
        assert_false(f.multipart);
        assert_int_equal(f.location_state, HEADER_VALID);
        assert_string_equal(f.location, "");
}

static void status_lines_of_all_versions_are_read(void **state) {
        static const struct {
                const char *line;
                int r;
                unsigned status, version;
        } rows[] = {
                { "HTTP/1.1 200 OK", 0, 200, 1 },
                { "HTTP/1.0 404", 0, 404, 1 },
                { "HTTP/2 200 ", 0, 200, 2 },
                { "HTTP/3 200 ", 0, 200, 3 },
                { "HTTP/1.1 999 Odd", 0, 999, 1 },
                { "HTTP/1.1 20", -EBADMSG, 0, 0 },
                { "HTTP/1.1 2000", -EBADMSG, 0, 0 },
                { "HTTP/1.1 099 Low", -EBADMSG, 0, 0 },
                { "HTTP/1.1  200", -EBADMSG, 0, 0 },
                { "HTTP/x 200", -EBADMSG, 0, 0 },
                { "HTTP/", -EBADMSG, 0, 0 },
                { "ICY 200 OK", -EBADMSG, 0, 0 },
                { "Content-Length: 5", -EBADMSG, 0, 0 },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                struct response_facts f;

                assert_int_equal(facts_from_text(&f, rows[i].line), rows[i].r == 0 ? 0 : rows[i].r);
                assert_int_equal(f.status, rows[i].status);
                assert_int_equal(f.version_major, rows[i].version);
        }
}

static void a_field_said_twice_counts_only_if_it_says_the_same(void **state) {
        struct response_facts f;

        assert_int_equal(facts_from_text(&f, "HTTP/1.1 200 OK\nContent-Length: 5\nContent-Length: 5\nETag: \"a\"\nETag: \"a\"\n"
                                             "Content-Range: bytes 0-4/5\nContent-Range: bytes 0-4/5\nLocation: /a\nLocation: /a\n"), 0);
        assert_int_equal(f.content_length_state, HEADER_VALID);
        assert_int_equal(f.etag_state, HEADER_VALID);
        assert_int_equal(f.content_range_state, HEADER_VALID);
        assert_int_equal(f.location_state, HEADER_VALID);

        assert_int_equal(facts_from_text(&f, "HTTP/1.1 200 OK\nContent-Length: 5\nContent-Length: 6\nContent-Length: 5\n"
                                             "ETag: \"a\"\nETag: \"b\"\nETag: \"a\"\nContent-Range: bytes 0-4/5\n"
                                             "Content-Range: bytes 0-4/6\nLocation: /a\nLocation: /b\n"
                                             "Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT\n"
                                             "Last-Modified: Sun, 06 Nov 1994 08:49:38 GMT\n"
                                             "Date: Sun, 06 Nov 1994 08:49:37 GMT\nDate: Sun, 06 Nov 1995 08:49:37 GMT\n"), 0);
        assert_int_equal(f.content_length_state, HEADER_INVALID);
        assert_int_equal(f.etag_state, HEADER_INVALID);
        assert_null(response_facts_strong_etag(&f));
        assert_int_equal(f.content_range_state, HEADER_INVALID);
        assert_int_equal(f.location_state, HEADER_INVALID);
        assert_int_equal(f.last_modified_state, HEADER_INVALID);
        assert_int_equal(f.date_state, HEADER_INVALID);
}

static void a_folded_field_is_not_trusted(void **state) {
        struct response_facts f;

        assert_int_equal(facts_from_text(&f, "HTTP/1.1 200 OK\nContent-Length: 5\n 6\nX: a\n b\nETag: \"a\"\n"), 0);
        assert_int_equal(f.content_length_state, HEADER_INVALID);
        assert_int_equal(f.etag_state, HEADER_VALID);
        assert_false(f.malformed);
        assert_int_equal(facts_from_text(&f, "HTTP/1.1 200 OK\n folded\n"), 0);
        assert_true(f.malformed);
        assert_int_equal(facts_from_text(&f, "HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n , gzip\n"), 0);
        assert_int_equal(f.transfer_encoding, TRANSFER_ENCODING_OTHER);
}

static void lines_that_are_no_fields_make_the_answer_malformed(void **state) {
        static const char *const lines[] = { "no colon\n", ": value\n", "Content-Length : 5\n", "a b: c\n", "\xff: x\n" };
        char text[128];

        for (size_t i = 0; i < ELEMENTSOF(lines); i++) {
                struct response_facts f;

                (void) snprintf(text, sizeof(text), "HTTP/1.1 200 OK\n%s", lines[i]);
                assert_int_equal(facts_from_text(&f, text), 0);
                assert_true(f.malformed);
        }
}

static void control_bytes_end_it(void **state) {
        struct response_facts f;

        assert_int_equal(facts_from_text(&f, "HTTP/1.1 200 OK\n"), 0);
        response_facts_init(&f);
        assert_int_equal(response_facts_add_header(&f, "HTTP/1.1 200 OK\r\n", 17), 0);
        assert_int_equal(response_facts_add_header(&f, "X: a\0b\r\n", 8), -EBADMSG);
        assert_int_equal(response_facts_add_header(&f, "X: a\rb\r\n", 8), -EBADMSG);
        assert_int_equal(response_facts_add_header(&f, "X: a\nb\r\n", 8), -EBADMSG);
}

static void informational_answers_are_forgotten_and_counted(void **state) {
        char text[RESPONSE_INFORMATIONAL_MAX * 64] = "";
        struct response_facts f;

        assert_int_equal(facts_from_text(&f, "HTTP/1.1 103 Early Hints\nContent-Length: 7\nETag: \"early\"\n\n"
                                             "HTTP/1.1 200 OK\n"), 0);
        assert_true(response_facts_is_complete(&f));
        assert_int_equal(f.status, 200);
        assert_int_equal(f.content_length_state, HEADER_ABSENT);
        assert_int_equal(f.etag_state, HEADER_ABSENT);

        for (int i = 0; i < RESPONSE_INFORMATIONAL_MAX; i++)
                strcat(text, "HTTP/1.1 100 Continue\n\n");
        strcat(text, "HTTP/1.1 200 OK\n");
        assert_int_equal(facts_from_text(&f, text), 0);
        strcpy(text, "");
        for (int i = 0; i <= RESPONSE_INFORMATIONAL_MAX; i++)
                strcat(text, "HTTP/1.1 100 Continue\n\n");
        assert_int_equal(facts_from_text(&f, text), -E2BIG);
}

static void trailers_and_later_answers_cannot_change_what_was_judged(void **state) {
        struct response_facts f;

        assert_int_equal(facts_from_text(&f, "HTTP/1.1 200 OK\nTransfer-Encoding: chunked\nETag: \"a\"\n"), 0);
        assert_int_equal(response_facts_add_header(&f, "ETag: \"b\"\r\n", 11), 0);
        assert_string_equal(f.etag, "\"a\"");
        response_facts_seal(&f);
        assert_int_equal(response_facts_add_header(&f, "HTTP/1.1 206 Partial\r\n", 22), 0);
        assert_int_equal(f.status, 200);
}

static void endless_headers_end_at_the_limits(void **state) {
        struct response_facts f;
        char large[4096];
        int r = 0, n = 0;

        response_facts_init(&f);
        assert_int_equal(response_facts_add_header(&f, "HTTP/1.1 200 OK\r\n", 17), 0);
        for (; r == 0; n++)
                r = response_facts_add_header(&f, "X: y\r\n", 6);
        assert_int_equal(r, -E2BIG);
        assert_int_equal(n, LIMIT_RESPONSE_HEADERS);

        memset(large, 'x', sizeof(large));
        large[1] = ':';
        response_facts_init(&f);
        assert_int_equal(response_facts_add_header(&f, "HTTP/1.1 200 OK\r\n", 17), 0);
        for (r = 0, n = 0; r == 0; n++)
                r = response_facts_add_header(&f, large, sizeof(large));
        assert_int_equal(r, -E2BIG);
        assert_int_equal(n, LIMIT_RESPONSE_HEADER_BYTES / sizeof(large));

        /* Trailers count as well. */
        assert_int_equal(facts_from_text(&f, "HTTP/1.1 200 OK\n"), 0);
        response_facts_seal(&f);
        for (r = 0; r == 0;)
                r = response_facts_add_header(&f, large, sizeof(large));
        assert_int_equal(r, -E2BIG);
}

static void over_long_values_are_invalid_not_cut(void **state) {
        static char text[LIMIT_URL + 64];
        struct response_facts f;
        int n;

        n = snprintf(text, sizeof(text), "HTTP/1.1 200 OK\nETag: \"");
        memset(text + n, 'e', LIMIT_VALIDATOR);
        strcpy(text + n + LIMIT_VALIDATOR, "\"\n");
        assert_int_equal(facts_from_text(&f, text), 0);
        assert_int_equal(f.etag_state, HEADER_INVALID);

        n = snprintf(text, sizeof(text), "HTTP/1.1 302 Found\nLocation: ");
        memset(text + n, 'u', LIMIT_URL);
        text[n + LIMIT_URL] = 0;
        assert_int_equal(facts_from_text(&f, text), 0);
        assert_int_equal(f.location_state, HEADER_VALID);
        assert_int_equal(strlen(f.location), LIMIT_URL);
        strcat(text, "u");
        assert_int_equal(facts_from_text(&f, text), 0);
        assert_int_equal(f.location_state, HEADER_INVALID);

        n = snprintf(text, sizeof(text), "HTTP/1.1 200 OK\nContent-Encoding: ");
        memset(text + n, 'g', RESPONSE_ENCODING_MAX + 1);
        text[n + RESPONSE_ENCODING_MAX + 1] = 0;
        assert_int_equal(facts_from_text(&f, text), 0);
        assert_int_equal(f.encoding_state, HEADER_INVALID);
}

static void a_date_is_strong_only_a_minute_before_the_servers_clock(void **state) {
        static const struct {
                const char *fields;
                bool strong;
        } rows[] = {
                { "Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT\nDate: Sun, 06 Nov 1994 08:50:37 GMT\n", true },
                { "Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT\nDate: Sun, 06 Nov 1994 08:50:36 GMT\n", false },
                { "Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT\nDate: Sun, 06 Nov 1994 07:50:36 GMT\n", false },
                { "Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT\n", false },
                { "Date: Sun, 06 Nov 1994 08:50:37 GMT\n", false },
                { "Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT\nDate: nonsense\n", false },
                { "Last-Modified: Sunday, 06-Nov-94 08:49:37 GMT\nDate: Sun, 06 Nov 1994 09:50:37 GMT\n", false },
                { "Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT\nDate: Sun, 06 Nov 1994 09:50:37 GMT\nETag: W/\"a\"\n", false },
                { "Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT\nDate: Sun, 06 Nov 1994 09:50:37 GMT\nETag: broken\n", false },
        };
        char text[512];

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                struct response_facts f;

                (void) snprintf(text, sizeof(text), "HTTP/1.1 200 OK\n%s", rows[i].fields);
                assert_int_equal(facts_from_text(&f, text), 0);
                assert_int_equal(response_facts_strong_date(&f) != NULL, rows[i].strong);
        }
}

static void retry_after_is_kept_between_a_second_and_a_day(void **state) {
        static const struct {
                const char *fields;
                uint64_t seconds;
        } rows[] = {
                { "", 0 },
                { "Retry-After: 7\n", 7 },
                { "Retry-After: 0\n", 1 },
                { "Retry-After: 86401\n", 86400 },
                { "Retry-After: 99999999999999999999999\n", 86400 },
                { "Retry-After: -5\n", 0 },
                { "Retry-After: soon\n", 0 },
                { "Retry-After: 7 s\n", 0 },
                { "Retry-After: 7\nRetry-After: 8\n", 0 },
                { "Retry-After: Sun, 06 Nov 1994 08:49:37 GMT\nDate: Sun, 06 Nov 1994 08:49:07 GMT\n", 30 },
                { "Retry-After: Sun, 06 Nov 1994 08:49:37 GMT\nDate: Sun, 06 Nov 1994 08:59:07 GMT\n", 1 },
                { "Retry-After: Sun, 06 Nov 1994 08:49:37 GMT\n", 37 },          /* from our own clock */
                { "Retry-After: Sun, 06 Nov 2094 08:49:37 GMT\n", 86400 },
        };
        char text[256];

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                struct response_facts f;

                (void) snprintf(text, sizeof(text), "HTTP/1.1 503 Busy\n%s", rows[i].fields);
                assert_int_equal(facts_from_text(&f, text), 0);
                assert_int_equal(response_facts_retry_after_usec(&f, 784111740 * USEC_PER_SEC), rows[i].seconds * USEC_PER_SEC);
        }
}

static void codings_are_named_or_refused(void **state) {
        static const struct {
                const char *fields;
                enum transfer_encoding transfer;
                enum header_state state;
                const char *encoding;
        } rows[] = {
                { "", TRANSFER_ENCODING_NONE, HEADER_ABSENT, "" },
                { "Transfer-Encoding: Chunked\n", TRANSFER_ENCODING_CHUNKED, HEADER_ABSENT, "" },
                { "Transfer-Encoding: gzip, chunked\n", TRANSFER_ENCODING_OTHER, HEADER_ABSENT, "" },
                { "Transfer-Encoding: gzip\nTransfer-Encoding: chunked\n", TRANSFER_ENCODING_OTHER, HEADER_ABSENT, "" },
                { "Transfer-Encoding: chunked\nTransfer-Encoding: chunked\n", TRANSFER_ENCODING_OTHER, HEADER_ABSENT, "" },
                { "Transfer-Encoding: identity\n", TRANSFER_ENCODING_OTHER, HEADER_ABSENT, "" },
                { "Transfer-Encoding:\n", TRANSFER_ENCODING_OTHER, HEADER_ABSENT, "" },
                { "Content-Encoding: identity\n", TRANSFER_ENCODING_NONE, HEADER_VALID, "" },
                { "Content-Encoding: BR\n", TRANSFER_ENCODING_NONE, HEADER_VALID, "br" },
                { "Content-Encoding: gzip\nContent-Encoding: br\n", TRANSFER_ENCODING_NONE, HEADER_VALID, "gzip, br" },
                { "Content-Encoding: gzip, br\n", TRANSFER_ENCODING_NONE, HEADER_VALID, "gzip, br" },
                { "Content-Encoding: g\"zip\n", TRANSFER_ENCODING_NONE, HEADER_INVALID, "" },
        };
        char text[256];

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                struct response_facts f;

                (void) snprintf(text, sizeof(text), "HTTP/1.1 200 OK\n%s", rows[i].fields);
                assert_int_equal(facts_from_text(&f, text), 0);
                assert_int_equal(f.transfer_encoding, rows[i].transfer);
                assert_int_equal(f.encoding_state, rows[i].state);
                assert_string_equal(f.encoding, rows[i].encoding);
        }
}

static void multipart_answers_are_seen(void **state) {
        static const struct {
                const char *type;
                bool multipart;
        } rows[] = {
                { "multipart/byteranges; boundary=x", true },
                { "Multipart/ByteRanges;boundary=x", true },
                { "multipart/byteranges", true },
                { "multipart/byterangesx", false },
                { "multipart/mixed", false },
                { "text/plain", false },
        };
        char text[128];

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                struct response_facts f;

                (void) snprintf(text, sizeof(text), "HTTP/1.1 206 Partial\nContent-Type: %s\n", rows[i].type);
                assert_int_equal(facts_from_text(&f, text), 0);
                assert_int_equal(f.multipart, rows[i].multipart);
        }
}

static void the_end_of_a_body_is_delimited_by_length_chunks_or_frames(void **state) {
        struct response_facts f;

        assert_int_equal(facts_from_text(&f, "HTTP/1.1 200 OK\n"), 0);
        assert_false(response_facts_is_delimited(&f));
        assert_int_equal(facts_from_text(&f, "HTTP/1.1 200 OK\nContent-Length: 0\n"), 0);
        assert_true(response_facts_is_delimited(&f));
        assert_int_equal(facts_from_text(&f, "HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n"), 0);
        assert_true(response_facts_is_delimited(&f));
        assert_int_equal(facts_from_text(&f, "HTTP/2 200\n"), 0);
        assert_true(response_facts_is_delimited(&f));
}

/* What must hold of any bytes: texts end within their arrays, a valid range is in order, a strong validator is sendable. */
static void check_facts(const struct response_facts *f) {
        const char *etag = response_facts_strong_etag(f), *date = response_facts_strong_date(f);
        uint64_t retry = response_facts_retry_after_usec(f, 0);

        assert_true(strnlen(f->etag, sizeof(f->etag)) <= LIMIT_VALIDATOR);
        assert_true(strnlen(f->location, sizeof(f->location)) <= LIMIT_URL);
        assert_true(strnlen(f->encoding, sizeof(f->encoding)) <= RESPONSE_ENCODING_MAX);
        assert_true(strnlen(f->last_modified_text, sizeof(f->last_modified_text)) <= RESPONSE_DATE_MAX);
        assert_true(!etag || header_is_sendable_validator(etag));
        assert_true(!date || header_is_sendable_validator(date));
        assert_true(!etag || !date);
        assert_true(retry == 0 || (retry >= USEC_PER_SEC && retry <= USEC_PER_DAY));
        if (f->content_range_state == HEADER_VALID && !f->content_range.unsatisfied)
                assert_true(f->content_range.first <= f->content_range.last &&
                            f->content_range.last < f->content_range.total);
        assert_true(f->n_bytes <= LIMIT_RESPONSE_HEADER_BYTES);
}

static uint32_t next_random(uint32_t *seed) {
        *seed ^= *seed << 13;
        *seed ^= *seed >> 17;
        *seed ^= *seed << 5;
        return *seed;
}

static void the_text_of_the_last_answer_is_kept(void **state) {
        static struct response_facts facts;

        assert_int_equal(facts_from_text(&facts, "HTTP/1.1 100 Continue\r\nX-Early: 1\r\n\r\n"
                                                 "HTTP/1.1 200 OK\r\nX-Name: M\xc3\xbcller\r\nX-Raw: a\xff\x01z\r\n"), 0);
        assert_string_equal(facts.text, "HTTP/1.1 200 OK\r\nX-Name: M\xc3\xbcller\r\nX-Raw: a??z\r\n");
}

static void text_that_is_too_long_ends_after_a_whole_line(void **state) {
        static const char status[] = "HTTP/1.1 200 OK\r\n";
        static struct response_facts facts;
        static char line[LIMIT_KEPT_HEADERS + 2];
        size_t room = LIMIT_KEPT_HEADERS - strlen(status);

        memset(line, 'x', sizeof(line));
        memcpy(line, "X: ", 3);
        memcpy(line + room - 2, "\r\n", 3);
        response_facts_init(&facts);
        assert_int_equal(response_facts_add_header(&facts, status, strlen(status)), 0);
        assert_int_equal(response_facts_add_header(&facts, line, room), 0);
        assert_int_equal(strlen(facts.text), LIMIT_KEPT_HEADERS);

        memcpy(line + room - 2, "x\r\n", 4);
        response_facts_init(&facts);
        assert_int_equal(response_facts_add_header(&facts, status, strlen(status)), 0);
        assert_int_equal(response_facts_add_header(&facts, line, room + 1), 0);
        assert_int_equal(response_facts_add_header(&facts, "Y: 1\r\n", 6), 0);
        assert_string_equal(facts.text, status);
}

static void random_bytes_never_break_an_invariant(void **state) {
        static const char *const pieces[] = {
                "HTTP/1.1 200 OK\r\n", "HTTP/1.1 206 x\r\n", "HTTP/1.1 100 c\r\n", "\r\n", "Content-Length: ", "Content-Range: bytes ",
                "ETag: \"", "ETag: W/\"", "\"\r\n", "Last-Modified: ", "Date: ", "Sun, 06 Nov 1994 08:49:37 GMT", "Retry-After: ",
                "Content-Encoding: ", "Transfer-Encoding: chunked", "Location: /", "18446744073709551615", "0", "-", "/", "*", "9",
                " ", "\t", ",", ":", "gzip", "\n", "\r",
        };
        uint32_t seed = 20240229;

        for (int round = 0; round < 4000; round++) {
                struct response_facts f;
                char line[256];

                response_facts_init(&f);
                for (int i = 0; i < 24; i++) {
                        size_t len = 0;

                        for (uint32_t n = next_random(&seed) % 6; n > 0; n--) {
                                const char *piece = pieces[next_random(&seed) % ELEMENTSOF(pieces)];
                                size_t k = strlen(piece);

                                if (len + k + 1 > sizeof(line))
                                        break;
                                memcpy(line + len, piece, k);
                                len += k;
                                if (next_random(&seed) % 8 == 0)
                                        line[len++] = (char) next_random(&seed);
                        }
                        (void) response_facts_add_header(&f, line, len);
                }
                check_facts(&f);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_length_is_digits_and_nothing_else),
                cmocka_unit_test(a_content_range_is_judged_in_all_its_forms),
                cmocka_unit_test(an_etag_needs_its_quotes_and_w_makes_it_weak),
                cmocka_unit_test(dates_come_in_three_forms_and_only_one_may_be_sent_back),
                cmocka_unit_test(every_day_of_two_centuries_is_the_one_that_libcurl_reads),
                cmocka_unit_test(what_looks_like_a_fixdate_is_judged_as_libcurl_does),
                cmocka_unit_test(only_strong_etags_and_fixdates_are_sendable),
                cmocka_unit_test(an_answer_is_collected_line_by_line),
                cmocka_unit_test(status_lines_of_all_versions_are_read),
                cmocka_unit_test(a_field_said_twice_counts_only_if_it_says_the_same),
                cmocka_unit_test(a_folded_field_is_not_trusted),
                cmocka_unit_test(lines_that_are_no_fields_make_the_answer_malformed),
                cmocka_unit_test(control_bytes_end_it),
                cmocka_unit_test(informational_answers_are_forgotten_and_counted),
                cmocka_unit_test(trailers_and_later_answers_cannot_change_what_was_judged),
                cmocka_unit_test(endless_headers_end_at_the_limits),
                cmocka_unit_test(over_long_values_are_invalid_not_cut),
                cmocka_unit_test(a_date_is_strong_only_a_minute_before_the_servers_clock),
                cmocka_unit_test(retry_after_is_kept_between_a_second_and_a_day),
                cmocka_unit_test(codings_are_named_or_refused),
                cmocka_unit_test(multipart_answers_are_seen),
                cmocka_unit_test(the_end_of_a_body_is_delimited_by_length_chunks_or_frames),
                cmocka_unit_test(the_text_of_the_last_answer_is_kept),
                cmocka_unit_test(text_that_is_too_long_ends_after_a_whole_line),
                cmocka_unit_test(random_bytes_never_break_an_invariant),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

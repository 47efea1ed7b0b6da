/* reliability.md 5.4 row by row, and design decisions 5, 7 and 8. The remote file has 1,000 bytes unless a row says otherwise. */
#include "transfer/verdict.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/strings.h"
#include "facts.h"

#define ORIGIN "http://h:80/f"
#define UNKNOWN ENGINE_SIZE_UNKNOWN
#define DATE "Sun, 06 Nov 1994 08:49:37 GMT"

enum situation {
        FRESH,        /* a whole file, nothing there */
        RESUME,       /* a whole file, 400 bytes there, strong ETag */
        RESUME_SIZE,  /* the same, and its size is known */
        RESUME_DATE,  /* bound by Last-Modified */
        RESUME_BARE,  /* no validator */
        RESUME_DIGEST, /* no validator, a digest decides */
        MIRROR,       /* ETag, size and digest */
        GZIPPED,      /* RESUME of a gzip representation */
        PART,         /* bytes 100-299 were asked for by the caller, nothing there */
        PART_RESUME,  /* the same, 50 bytes of it there */
        PART_TAIL,    /* bytes 400- were asked for, nothing there */
        PROBE,        /* RESUME at 1000, asking for byte 999 */
        STATED,       /* FRESH, stated to have 1000 bytes */
        CAPPED,       /* FRESH, at most 999 bytes */
        HEAD_GAP,     /* a whole file of which bytes 0-99 are missing */
        FIRST_OF_TWO, /* a whole file in two pieces, the first to be fetched */
};

static void set_up(enum situation situation, struct verdict_task *task, struct verdict_known *known) {
        *task = (struct verdict_task) {
                .length = ENGINE_TO_EOF, .whole_file = true, .only_piece = true, .stated_size = UNKNOWN, .max_bytes = UNKNOWN,
        };
        *known = (struct verdict_known) { .size = UNKNOWN };
        if (situation == STATED)
                task->stated_size = 1000;
        else if (situation == CAPPED)
                task->max_bytes = 999;
        else if (situation == PART || situation == PART_RESUME || situation == PART_TAIL) {
                task->whole_file = false;
                task->offset = situation == PART ? 100 : situation == PART_TAIL ? 400 : 150;
                task->length = situation == PART ? 200 : situation == PART_TAIL ? ENGINE_TO_EOF : 150;
                task->has_bytes = situation == PART_RESUME;
        } else if (situation == HEAD_GAP || situation == FIRST_OF_TWO) {
                task->length = 100;
                task->has_bytes = situation == HEAD_GAP;
                task->only_piece = situation == HEAD_GAP;
        } else if (situation != FRESH) {
                task->offset = situation == PROBE ? 1000 : 400;
                task->has_bytes = true;
                task->probe = situation == PROBE;
        }
        if (!task->has_bytes)
                return;
        known->bound = true;
        strcpy(known->origin, ORIGIN);
        task->digest_decides = situation == MIRROR || situation == RESUME_DIGEST;
        if (situation == RESUME_DATE)
                strcpy(known->last_modified, DATE);
        else if (situation != RESUME_BARE && situation != RESUME_DIGEST)
                strcpy(known->etag, "\"v1\"");
        if (situation == RESUME_SIZE || situation == MIRROR || situation == HEAD_GAP || situation == PART_RESUME)
                known->size = 1000;
        if (situation == GZIPPED)
                strcpy(known->encoding, "gzip");
}

#define LENGTH(n) "Content-Length: " #n "\n"
#define RANGE(text) "Content-Range: bytes " text "\n"
#define TAG1 "ETag: \"v1\"\n"
#define TAG2 "ETag: \"v2\"\n"
#define P206 "HTTP/1.1 206 Partial Content\n"
#define P200 "HTTP/1.1 200 OK\n"
#define P416 "HTTP/1.1 416 Range Not Satisfiable\n"
#define CHUNKED "Transfer-Encoding: chunked\n"

static const struct row {
        enum situation situation;
        const char *answer;
        enum verdict_action action;
        enum error_code code;
        uint64_t expected; /* WRITE: body_expected */
        const char *origin; /* NULL: ORIGIN */
} rows[] = {
        /* A fresh whole file */
        { FRESH, P200 LENGTH(1000) TAG1, VERDICT_WRITE, 0, 1000 },
        { FRESH, P200 LENGTH(0), VERDICT_WRITE, 0, 0 },
        { FRESH, P200, VERDICT_WRITE, 0, UNKNOWN },
        { FRESH, P200 CHUNKED, VERDICT_WRITE, 0, UNKNOWN },
        { FRESH, P200 LENGTH(1000) "Content-Encoding: gzip\n", VERDICT_WRITE, 0, 1000 },
        { FRESH, P200 LENGTH(-1), VERDICT_FAIL, ERROR_INVALID_RESPONSE },
        { FRESH, P200 LENGTH(99999999999999999999), VERDICT_FAIL, ERROR_INVALID_RESPONSE },
        { FRESH, P200 LENGTH(1000) LENGTH(1001), VERDICT_FAIL, ERROR_INVALID_RESPONSE },
        { FRESH, P200 LENGTH(9223372036854775807), VERDICT_FAIL, ERROR_TOO_LARGE },
        { FRESH, P200 LENGTH(1000) CHUNKED, VERDICT_FAIL, ERROR_INVALID_RESPONSE },
        { FRESH, P200 "Transfer-Encoding: gzip, chunked\n", VERDICT_FAIL, ERROR_INVALID_RESPONSE },
        { FRESH, P200 LENGTH(1000) "Content-Encoding: \"\n", VERDICT_FAIL, ERROR_INVALID_RESPONSE },
        { FRESH, P200 LENGTH(1000) "garbage\n", VERDICT_FAIL, ERROR_INVALID_RESPONSE },
        { FRESH, P200 LENGTH(1000) RANGE("0-999/1000"), VERDICT_WRITE, 0, 1000 },
        { FRESH, P200 RANGE("0-999/1000"), VERDICT_WRITE, 0, 1000 },
        { FRESH, P200 LENGTH(1000) RANGE("nonsense"), VERDICT_WRITE, 0, 1000 },
        { FRESH, P200 LENGTH(600) RANGE("400-999/1000"), VERDICT_FAIL, ERROR_INVALID_RESPONSE },
        { FRESH, P200 LENGTH(600) RANGE("0-599/1000"), VERDICT_FAIL, ERROR_INVALID_RESPONSE },
        { FRESH, P200 LENGTH(1000) RANGE("*/1000"), VERDICT_FAIL, ERROR_INVALID_RESPONSE },
        { FRESH, P206 LENGTH(1000) RANGE("0-999/1000") TAG1, VERDICT_FAIL, ERROR_INVALID_RESPONSE },
        { FRESH, P416 RANGE("*/0"), VERDICT_FAIL, ERROR_HTTP_STATUS },
        { FRESH, "HTTP/1.1 204 No Content\n", VERDICT_FAIL, ERROR_INVALID_RESPONSE },
        { FRESH, "HTTP/1.1 304 Not Modified\n", VERDICT_FAIL, ERROR_HTTP_STATUS },
        { FRESH, "HTTP/1.1 302 Found\nLocation: /x\n", VERDICT_REDIRECT },
        { FRESH, "HTTP/1.1 302 Found\n", VERDICT_FAIL, ERROR_INVALID_REDIRECT },
        { FRESH, "HTTP/1.1 302 Found\nLocation: /x\nLocation: /y\n", VERDICT_FAIL, ERROR_INVALID_REDIRECT },
        { FRESH, "HTTP/1.1 300 Choices\nLocation: /x\n", VERDICT_FAIL, ERROR_HTTP_STATUS },
        { STATED, P200 LENGTH(1000), VERDICT_WRITE, 0, 1000 },
        { STATED, P200 CHUNKED, VERDICT_WRITE, 0, UNKNOWN },
        { STATED, P200 LENGTH(999), VERDICT_FAIL, ERROR_SIZE_MISMATCH },
        { CAPPED, P200 LENGTH(999), VERDICT_WRITE, 0, 999 },
        { CAPPED, P200 LENGTH(1000), VERDICT_FAIL, ERROR_TOO_LARGE },

        /* 206, one part, right start, total and ETag: append */
        { RESUME, P206 LENGTH(600) RANGE("400-999/1000") TAG1, VERDICT_WRITE, 0, 600 },
        { RESUME_SIZE, P206 LENGTH(600) RANGE("400-999/1000") TAG1, VERDICT_WRITE, 0, 600 },
        { RESUME, P206 RANGE("400-999/1000") TAG1, VERDICT_WRITE, 0, 600 },
        { RESUME, P206 RANGE("400-999/1000") TAG1 CHUNKED, VERDICT_WRITE, 0, 600 },
        { RESUME, P206 LENGTH(600) RANGE("400-999/*") TAG1, VERDICT_WRITE, 0, 600 },
        { RESUME, P206 LENGTH(600) RANGE("400-999/1000"), VERDICT_WRITE, 0, 600 }, /* ETag absent, If-Range was sent */
        { RESUME, P206 LENGTH(100) RANGE("400-499/1000") TAG1, VERDICT_WRITE, 0, 100 }, /* shorter */
        /* 206 that does not fit: not a byte */
        { RESUME, P206 LENGTH(600) RANGE("401-1000/1001") TAG1, VERDICT_RESTART, ERROR_INVALID_RESPONSE },
        { RESUME, P206 LENGTH(600) RANGE("399-998/1000") TAG1, VERDICT_RESTART, ERROR_INVALID_RESPONSE },
        { RESUME, P206 LENGTH(1000) RANGE("0-999/1000") TAG1, VERDICT_RESTART, ERROR_INVALID_RESPONSE },
        { RESUME_SIZE, P206 LENGTH(601) RANGE("400-1000/1001") TAG1, VERDICT_RESTART, ERROR_REMOTE_FILE_CHANGED },
        { RESUME_SIZE, P206 LENGTH(601) RANGE("400-1000/*") TAG1, VERDICT_RESTART, ERROR_INVALID_RESPONSE },
        { RESUME, P206 LENGTH(600) TAG1, VERDICT_RESTART, ERROR_INVALID_RESPONSE },
        { RESUME, P206 LENGTH(600) RANGE("*/1000") TAG1, VERDICT_RESTART, ERROR_INVALID_RESPONSE },
        { RESUME, P206 LENGTH(600) RANGE("400-999/1000") RANGE("400-999/1001") TAG1, VERDICT_RESTART, ERROR_INVALID_RESPONSE },
        { RESUME, P206 LENGTH(600) RANGE("400-999/1000") TAG1 "Content-Type: multipart/byteranges; boundary=x\n",
          VERDICT_RESTART, ERROR_INVALID_RESPONSE },
        { RESUME, P206 LENGTH(599) RANGE("400-999/1000") TAG1, VERDICT_RESTART, ERROR_INVALID_RESPONSE },
        { RESUME, P206 LENGTH(-600) RANGE("400-999/1000") TAG1, VERDICT_RESTART, ERROR_INVALID_RESPONSE },
        { RESUME, P206 "Transfer-Encoding: gzip\n" RANGE("400-999/1000") TAG1, VERDICT_RESTART, ERROR_INVALID_RESPONSE },
        /* validators */
        { RESUME, P206 LENGTH(600) RANGE("400-999/1000") TAG2, VERDICT_RESTART, ERROR_REMOTE_FILE_CHANGED },
        { RESUME, P206 LENGTH(600) RANGE("400-999/1000") "ETag: W/\"v1\"\n", VERDICT_RESTART, ERROR_REMOTE_FILE_CHANGED },
        { RESUME, P206 LENGTH(600) RANGE("400-999/1000") "ETag: v1\n", VERDICT_RESTART, ERROR_REMOTE_FILE_CHANGED },
        { RESUME_DATE, P206 LENGTH(600) RANGE("400-999/1000") "Last-Modified: " DATE "\n", VERDICT_WRITE, 0, 600 },
        { RESUME_DATE, P206 LENGTH(600) RANGE("400-999/1000"), VERDICT_WRITE, 0, 600 },
        { RESUME_DATE, P206 LENGTH(600) RANGE("400-999/1000") "Last-Modified: Sun, 06 Nov 1994 08:49:38 GMT\n", VERDICT_RESTART,
          ERROR_REMOTE_FILE_CHANGED },
        { RESUME_DIGEST, P206 LENGTH(600) RANGE("400-999/1000"), VERDICT_WRITE, 0, 600 },
        { RESUME_DIGEST, P206 LENGTH(600) RANGE("400-999/1000") TAG2, VERDICT_WRITE, 0, 600 },
        /* encodings */
        { RESUME, P206 LENGTH(600) RANGE("400-999/1000") TAG1 "Content-Encoding: gzip\n", VERDICT_RESTART,
          ERROR_REMOTE_FILE_CHANGED },
        { GZIPPED, P206 LENGTH(600) RANGE("400-999/1000") TAG1, VERDICT_RESTART, ERROR_REMOTE_FILE_CHANGED },
        { GZIPPED, P206 LENGTH(600) RANGE("400-999/1000") TAG1 "Content-Encoding: GZIP\n", VERDICT_WRITE, 0, 600 },
        { RESUME, P206 LENGTH(600) RANGE("400-999/1000") TAG1 "Content-Encoding: identity\n", VERDICT_WRITE, 0, 600 },
        /* origins */
        { RESUME, P206 LENGTH(600) RANGE("400-999/1000") TAG1, VERDICT_RESTART, ERROR_REMOTE_FILE_CHANGED, 0, "http://i:80/f" },
        { MIRROR, P206 LENGTH(600) RANGE("400-999/1000") TAG1, VERDICT_WRITE, 0, 600, "http://i:80/f" },
        { MIRROR, P206 LENGTH(600) RANGE("400-999/1000") TAG2, VERDICT_WRITE, 0, 600, "http://i:80/f" },
        { MIRROR, P206 LENGTH(600) RANGE("400-999/1000") TAG2, VERDICT_RESTART, ERROR_REMOTE_FILE_CHANGED },
        { MIRROR, P206 LENGTH(601) RANGE("400-1000/1001") TAG1, VERDICT_RESTART, ERROR_REMOTE_FILE_CHANGED, 0, "http://i:80/f" },
        /* 200: a whole new representation */
        { RESUME, P200 LENGTH(1000) TAG2, VERDICT_RESTART, ERROR_REMOTE_FILE_CHANGED },
        { RESUME, P200 LENGTH(1000), VERDICT_RESTART, ERROR_REMOTE_FILE_CHANGED },
        { RESUME, P200 LENGTH(1000) TAG1, VERDICT_RESTART, ERROR_NO_RANGE_SUPPORT },
        { RESUME, P200 LENGTH(-5) TAG1, VERDICT_RESTART, ERROR_NO_RANGE_SUPPORT },
        { RESUME_DIGEST, P200 LENGTH(1000), VERDICT_RESTART, ERROR_NO_RANGE_SUPPORT },
        { HEAD_GAP, P200 LENGTH(1000) TAG1, VERDICT_RESTART, ERROR_NO_RANGE_SUPPORT },
        { HEAD_GAP, P206 LENGTH(100) RANGE("0-99/1000") TAG1, VERDICT_WRITE, 0, 100 },
        { HEAD_GAP, P206 LENGTH(101) RANGE("0-100/1000") TAG1, VERDICT_RESTART, ERROR_INVALID_RESPONSE }, /* longer */
        { FIRST_OF_TWO, P200 LENGTH(1000) TAG1, VERDICT_RESTART, ERROR_NO_RANGE_SUPPORT },
        { FIRST_OF_TWO, P206 LENGTH(100) RANGE("0-99/1000") TAG1, VERDICT_WRITE, 0, 100 },
        /* 416 */
        { RESUME, P416 RANGE("*/400") TAG1, VERDICT_PROBE },
        { RESUME, P416 RANGE("*/400"), VERDICT_PROBE },
        { RESUME_SIZE, P416 RANGE("*/400"), VERDICT_RESTART, ERROR_REMOTE_FILE_CHANGED },
        { RESUME, P416 RANGE("*/399"), VERDICT_RESTART, ERROR_REMOTE_FILE_CHANGED },
        { RESUME, P416 RANGE("*/1000"), VERDICT_RESTART, ERROR_INVALID_RESPONSE },
        { RESUME, P416, VERDICT_RESTART, ERROR_INVALID_RESPONSE },
        { RESUME, P416 RANGE("400-999/1000"), VERDICT_RESTART, ERROR_INVALID_RESPONSE },
        { PROBE, P206 LENGTH(1) RANGE("999-999/1000") TAG1, VERDICT_DONE },
        { PROBE, P206 LENGTH(1) RANGE("999-999/1000"), VERDICT_DONE },
        { PROBE, P206 LENGTH(1) RANGE("999-999/1000") TAG2, VERDICT_RESTART, ERROR_REMOTE_FILE_CHANGED },
        { PROBE, P206 LENGTH(1) RANGE("999-999/1001") TAG1, VERDICT_RESTART, ERROR_INVALID_RESPONSE },
        { PROBE, P206 LENGTH(1) RANGE("999-999/*") TAG1, VERDICT_RESTART, ERROR_INVALID_RESPONSE },
        { PROBE, P206 LENGTH(1) RANGE("999-999/1000") TAG1, VERDICT_RESTART, ERROR_REMOTE_FILE_CHANGED, 0, "http://i:80/f" },
        { PROBE, P200 LENGTH(1000) TAG1, VERDICT_RESTART, ERROR_NO_RANGE_SUPPORT },
        { PROBE, P416 RANGE("*/1000"), VERDICT_RESTART, ERROR_INVALID_RESPONSE },
        /* 412, 404, 410: as without a range */
        { RESUME, "HTTP/1.1 412 Precondition Failed\n", VERDICT_FAIL, ERROR_HTTP_STATUS },
        { RESUME, "HTTP/1.1 404 Not Found\n", VERDICT_FAIL, ERROR_HTTP_STATUS },
        { RESUME, "HTTP/1.1 410 Gone\n", VERDICT_FAIL, ERROR_HTTP_STATUS },
        { RESUME, "HTTP/1.1 307 Temporary\nLocation: /x\n", VERDICT_REDIRECT },

        /* Ranges that the caller asked for */
        { PART, P206 LENGTH(200) RANGE("100-299/1000") TAG1, VERDICT_WRITE, 0, 200 },
        { PART, P206 LENGTH(200) RANGE("100-299/*") TAG1, VERDICT_WRITE, 0, 200 },
        { PART, P206 LENGTH(50) RANGE("100-149/1000") TAG1, VERDICT_WRITE, 0, 50 },
        { PART, P206 LENGTH(201) RANGE("100-300/1000") TAG1, VERDICT_RESTART, ERROR_INVALID_RESPONSE },
        { PART, P206 LENGTH(150) RANGE("100-249/250") TAG1, VERDICT_FAIL, ERROR_INVALID_RANGE },
        { PART, P200 LENGTH(1000) TAG1, VERDICT_FAIL, ERROR_NO_RANGE_SUPPORT },
        { PART, P200 LENGTH(0), VERDICT_FAIL, ERROR_INVALID_RANGE },
        { PART, P416 RANGE("*/100"), VERDICT_FAIL, ERROR_INVALID_RANGE },
        { PART, P416 RANGE("*/50"), VERDICT_FAIL, ERROR_INVALID_RANGE },
        { PART, P416, VERDICT_FAIL, ERROR_INVALID_RANGE },
        { PART, P416 RANGE("*/1000"), VERDICT_FAIL, ERROR_INVALID_RESPONSE },
        { PART_TAIL, P206 LENGTH(600) RANGE("400-999/1000") TAG1, VERDICT_WRITE, 0, 600 },
        { PART_TAIL, P416 RANGE("*/400"), VERDICT_FAIL, ERROR_INVALID_RANGE },
        { PART_RESUME, P206 LENGTH(150) RANGE("150-299/1000") TAG1, VERDICT_WRITE, 0, 150 },
        { PART_RESUME, P206 LENGTH(150) RANGE("150-299/1000") TAG2, VERDICT_RESTART, ERROR_REMOTE_FILE_CHANGED },
        { PART_RESUME, P206 LENGTH(150) RANGE("150-299/1001") TAG1, VERDICT_RESTART, ERROR_REMOTE_FILE_CHANGED },
        { PART_RESUME, P200 LENGTH(1000) TAG2, VERDICT_RESTART, ERROR_REMOTE_FILE_CHANGED },
        { PART_RESUME, P200 LENGTH(1000) TAG1, VERDICT_FAIL, ERROR_NO_RANGE_SUPPORT },
        { PART_RESUME, P416 RANGE("*/150"), VERDICT_RESTART, ERROR_REMOTE_FILE_CHANGED },
        { PART_RESUME, P416, VERDICT_RESTART, ERROR_INVALID_RESPONSE },
};

static struct verdict judge(const struct row *row, struct verdict_task *task, struct verdict_known *known,
                            struct response_facts *facts) {
        struct verdict_ask ask;
        struct verdict v;

        set_up(row->situation, task, known);
        v = verdict_request(task, known, &ask);
        if (v.action != VERDICT_SEND) /* RESUME_BARE has no row: it never gets so far */
                return v;
        assert_int_equal(facts_from_text(facts, row->answer), 0);
        return verdict_response(task, known, &ask, facts, row->origin ?: ORIGIN, 0);
}

static void a_challenge_is_answered_once_by_who_can(void **state) {
        static const struct {
                bool server, proxy;
                const char *answer;
                enum verdict_action action;
        } cases[] = {
                { true, true, "HTTP/1.1 401 Unauthorized\n", VERDICT_ANSWER },
                { false, true, "HTTP/1.1 401 Unauthorized\n", VERDICT_FAIL },
                { true, true, "HTTP/1.1 407 Proxy Authentication Required\n", VERDICT_ANSWER },
                { true, false, "HTTP/1.1 407 Proxy Authentication Required\n", VERDICT_FAIL },
                { true, true, "HTTP/1.1 403 Forbidden\n", VERDICT_FAIL },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                struct response_facts facts;
                struct verdict_known known;
                struct verdict_task task;
                struct verdict_ask ask;

                set_up(RESUME, &task, &known);
                task.can_answer_server = cases[i].server;
                task.can_answer_proxy = cases[i].proxy;
                assert_int_equal(verdict_request(&task, &known, &ask).action, VERDICT_SEND);
                assert_int_equal(facts_from_text(&facts, cases[i].answer), 0);
                assert_int_equal(verdict_response(&task, &known, &ask, &facts, ORIGIN, 0).action, cases[i].action);
        }
}

static void every_answer_is_judged_as_the_table_says(void **state) {
        static struct response_facts facts;

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                struct verdict_task task;
                struct verdict_known known;
                struct verdict v = judge(rows + i, &task, &known, &facts);

                if (v.action != rows[i].action || v.code != rows[i].code)
                        fail_msg("row %zu, %s: %s %s (%s)", i, rows[i].answer, verdict_action_name(v.action),
                                 error_code_name(v.code), v.text);
                if (v.action == VERDICT_WRITE) {
                        assert_int_equal(v.body_expected, rows[i].expected);
                        assert_true(v.body_limit <= v.body_expected);
                }
                if (v.action == VERDICT_FAIL || v.action == VERDICT_RESTART) {
                        assert_true(strlen(v.text) > 0);
                        assert_int_equal(v.detail, facts.status);
                        assert_int_equal(v.context, ERROR_CONTEXT_REMOTE_FILE);
                        assert_false(v.transient);
                }
        }
}

static void statuses_are_fatal_or_pass_by_themselves(void **state) {
        for (unsigned status = 100; status < 1000; status++) {
                struct verdict v = verdict_status(status, 7 * USEC_PER_SEC);
                bool passes = (status >= 500 && status < 600) || status == 408 || status == 421 || status == 425 || status == 429;

                assert_int_equal(v.action, VERDICT_FAIL);
                assert_int_equal(v.code, status >= 300 && status < 600 ? ERROR_HTTP_STATUS : ERROR_INVALID_RESPONSE);
                assert_int_equal(v.transient, passes);
                assert_int_equal(v.retry_after_usec, passes ? 7 * USEC_PER_SEC : 0);
                assert_int_equal(v.detail, status);
        }
        assert_int_equal(verdict_status(404, 0).context, ERROR_CONTEXT_REMOTE_FILE);
        assert_int_equal(verdict_status(407, 0).context, ERROR_CONTEXT_GENERAL_TRANSPORT);
}

static void the_server_says_when_to_come_again(void **state) {
        static struct response_facts facts;
        struct verdict_task task;
        struct verdict_known known;
        struct verdict v;

        set_up(FRESH, &task, &known);
        assert_int_equal(facts_from_text(&facts, "HTTP/1.1 503 Busy\nRetry-After: 120\n"), 0);
        v = verdict_response(&task, &known, &(struct verdict_ask) {}, &facts, ORIGIN, 0);
        assert_true(v.transient);
        assert_int_equal(v.retry_after_usec, 120 * USEC_PER_SEC);
}

static void a_request_carries_what_its_situation_needs(void **state) {
        static const struct {
                enum situation situation;
                enum verdict_action action;
                const char *range, *if_range;
        } asks[] = {
                { FRESH, VERDICT_SEND, "", "" },
                { STATED, VERDICT_SEND, "", "" },
                { RESUME, VERDICT_SEND, "Range: bytes=400-", "If-Range: \"v1\"" },
                { RESUME_SIZE, VERDICT_SEND, "Range: bytes=400-", "If-Range: \"v1\"" },
                { RESUME_DATE, VERDICT_SEND, "Range: bytes=400-", "If-Range: " DATE },
                { RESUME_BARE, VERDICT_RESTART, NULL, NULL },
                { RESUME_DIGEST, VERDICT_SEND, "Range: bytes=400-", "" },
                { PART, VERDICT_SEND, "Range: bytes=100-299", "" },
                { PART_RESUME, VERDICT_SEND, "Range: bytes=150-299", "If-Range: \"v1\"" },
                { PROBE, VERDICT_SEND, "Range: bytes=999-999", "If-Range: \"v1\"" },
                { HEAD_GAP, VERDICT_SEND, "Range: bytes=0-99", "If-Range: \"v1\"" },
                { FIRST_OF_TWO, VERDICT_SEND, "Range: bytes=0-99", "" },
        };

        for (size_t i = 0; i < ELEMENTSOF(asks); i++) {
                struct verdict_task task;
                struct verdict_known known;
                struct verdict_ask ask;
                struct verdict v;

                set_up(asks[i].situation, &task, &known);
                v = verdict_request(&task, &known, &ask);
                assert_int_equal(v.action, asks[i].action);
                if (v.action != VERDICT_SEND) {
                        assert_int_equal(v.code, ERROR_NO_RANGE_SUPPORT);
                        continue;
                }
                assert_string_equal(ask.range, asks[i].range);
                assert_string_equal(ask.if_range, asks[i].if_range);
                assert_int_equal(ask.ranged, *ask.range != 0);
                assert_int_equal(ask.has_if_range, *ask.if_range != 0);
        }
}

static void the_longest_validator_is_sent_whole(void **state) {
        struct verdict_task task;
        struct verdict_known known;
        struct verdict_ask ask;

        set_up(RESUME, &task, &known);
        memset(known.etag, 'x', LIMIT_VALIDATOR);
        known.etag[0] = known.etag[LIMIT_VALIDATOR - 1] = '"';
        task.offset = UINT64_MAX - 2;
        assert_int_equal(verdict_request(&task, &known, &ask).action, VERDICT_SEND);
        assert_string_equal(ask.range, "Range: bytes=18446744073709551613-");
        assert_string_equal(ask.if_range + strlen("If-Range: "), known.etag);
}

static void what_is_complete_is_not_asked_for(void **state) {
        struct verdict_task task;
        struct verdict_known known;
        struct verdict_ask ask;

        set_up(RESUME_SIZE, &task, &known);
        task.offset = 1000;
        assert_int_equal(verdict_request(&task, &known, &ask).action, VERDICT_DONE);
        task.offset = 1001;
        assert_int_equal(verdict_request(&task, &known, &ask).code, ERROR_REMOTE_FILE_CHANGED);
        set_up(PART_RESUME, &task, &known);
        task.length = 0;
        assert_int_equal(verdict_request(&task, &known, &ask).action, VERDICT_DONE);
}

static void a_range_beyond_the_known_end_is_not_asked_for(void **state) {
        struct verdict_task task;
        struct verdict_known known;
        struct verdict_ask ask;
        struct verdict v;

        set_up(PART_RESUME, &task, &known);
        task.length = 850;
        assert_int_equal(verdict_request(&task, &known, &ask).action, VERDICT_SEND);
        task.length = 851;
        v = verdict_request(&task, &known, &ask);
        assert_int_equal(v.action, VERDICT_FAIL);
        assert_int_equal(v.code, ERROR_INVALID_RANGE);
        task.length = UINT64_MAX - 1;
        assert_int_equal(verdict_request(&task, &known, &ask).code, ERROR_INVALID_RANGE);
}

static void a_task_knows_whether_bytes_are_there(void **state) {
        static const struct engine_piece all = { 0, ENGINE_TO_EOF, 0 }, tail = { 400, ENGINE_TO_EOF, 400 },
                                         head = { 0, 100, 0 }, part = { 100, 200, 0 }, rest = { 150, 150, 50 };
        static const struct engine_piece two[] = { { 0, 100, 0 }, { 100, ENGINE_TO_EOF, 100 } };
        static const struct engine_piece bounded[] = { { 0, 100, 0 }, { 100, 900, 100 } };
        static const struct engine_piece gaps[] = { { 0, 100, 0 }, { 200, ENGINE_TO_EOF, 200 } };
        static const struct {
                const struct engine_piece *pieces;
                size_t n;
                bool whole, has_bytes;
        } cases[] = {
                { &all, 1, true, false },
                { &tail, 1, true, true },
                { &head, 1, true, true },
                { two, 2, true, false },
                { bounded, 2, true, false },
                { gaps, 2, true, true },
                { &part, 1, false, false },
                { &rest, 1, false, true },
                { gaps, 2, false, false },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                struct verdict_task task;
                struct engine_request r = {
                        .pieces = cases[i].pieces, .n_pieces = cases[i].n, .whole_file = cases[i].whole, .remote_size = 1000,
                        .stated_size = UNKNOWN, .max_bytes = UNKNOWN,
                };

                verdict_task_from_request(&task, &r, 0, 0, false);
                assert_int_equal(task.has_bytes, cases[i].has_bytes);
                assert_int_equal(task.only_piece, cases[i].n == 1);
                assert_int_equal(task.offset, cases[i].pieces[0].remote_offset);
                verdict_task_from_request(&task, &r, cases[i].n - 1, 0, true);
                assert_true(task.has_bytes);
                verdict_task_from_request(&task, &r, 0, 10, false);
                assert_true(task.has_bytes);
                assert_int_equal(task.offset, cases[i].pieces[0].remote_offset + 10);
                assert_int_equal(task.length, cases[i].pieces[0].length == ENGINE_TO_EOF ? ENGINE_TO_EOF
                                                                                        : cases[i].pieces[0].length - 10);
        }
}

static void validators_from_the_store_are_checked_before_they_are_sent(void **state) {
        struct verdict_known known;
        struct engine_request r = { .remote_size = 5, .etag = "W/\"x\"", .last_modified = "yesterday", .encoding = "identity" };

        verdict_known_from_request(&known, &r);
        assert_true(known.bound);
        assert_int_equal(known.size, 5);
        assert_string_equal(known.etag, "");
        assert_string_equal(known.last_modified, "");
        assert_string_equal(known.encoding, "");
        r = (struct engine_request) { .remote_size = UNKNOWN, .etag = "\"x\"\r\nX: y", .origin = ORIGIN };
        verdict_known_from_request(&known, &r);
        assert_string_equal(known.etag, "");
        assert_string_equal(known.origin, ORIGIN);
        r = (struct engine_request) { .remote_size = UNKNOWN, .etag = "\"x\"", .last_modified = DATE, .encoding = "gzip" };
        verdict_known_from_request(&known, &r);
        assert_string_equal(known.etag, "\"x\"");
        assert_string_equal(known.last_modified, DATE);
        assert_string_equal(known.encoding, "gzip");
        r = (struct engine_request) { .remote_size = UNKNOWN };
        verdict_known_from_request(&known, &r);
        assert_false(known.bound);
}

static void the_first_answer_binds_the_later_ones(void **state) {
        static struct response_facts facts;
        struct row first = { FIRST_OF_TWO, P206 LENGTH(100) RANGE("0-99/1000") TAG1 "Content-Encoding: br\n", 0, 0 };
        struct verdict_task task;
        struct verdict_known known;
        struct verdict_ask ask;
        struct verdict v = judge(&first, &task, &known, &facts);

        assert_int_equal(v.action, VERDICT_WRITE);
        verdict_known_adopt(&known, &task, &v, &facts, ORIGIN);
        assert_true(known.bound);
        assert_int_equal(known.size, 1000);
        assert_string_equal(known.etag, "\"v1\"");
        assert_string_equal(known.encoding, "br");
        assert_string_equal(known.origin, ORIGIN);

        task = (struct verdict_task) {
                .offset = 100, .length = ENGINE_TO_EOF, .whole_file = true, .has_bytes = true, .stated_size = UNKNOWN,
                .max_bytes = UNKNOWN,
        };
        assert_int_equal(verdict_request(&task, &known, &ask).action, VERDICT_SEND);
        assert_string_equal(ask.if_range, "If-Range: \"v1\"");
        assert_int_equal(facts_from_text(&facts, P206 LENGTH(900) RANGE("100-999/1000") TAG2 "Content-Encoding: br\n"), 0);
        assert_int_equal(verdict_response(&task, &known, &ask, &facts, ORIGIN, 0).code, ERROR_REMOTE_FILE_CHANGED);

        /* A mirror's answer, allowed because a digest decides, does not replace what is known. */
        verdict_known_adopt(&known, &task, &v, &facts, "http://mirror:80/f");
        assert_string_equal(known.etag, "\"v1\"");
        assert_string_equal(known.origin, ORIGIN);
}

static void a_fresh_start_forgets_an_older_representation(void **state) {
        static struct response_facts facts;
        struct verdict_task task;
        struct verdict_known known;
        struct verdict v;

        set_up(FRESH, &task, &known);
        known.bound = true;
        strcpy(known.etag, "\"v0\"");
        strcpy(known.origin, "http://other:80/");
        assert_int_equal(facts_from_text(&facts, P200 LENGTH(1000)), 0);
        v = verdict_response(&task, &known, &(struct verdict_ask) {}, &facts, ORIGIN, 0);
        assert_int_equal(v.action, VERDICT_WRITE);
        verdict_known_adopt(&known, &task, &v, &facts, ORIGIN);
        assert_string_equal(known.etag, "");
        assert_string_equal(known.origin, ORIGIN);
}

static void every_end_of_a_body_is_told_from_every_other(void **state) {
        static const struct {
                enum situation situation;
                const char *answer;
                uint64_t received;
                enum verdict_ending ending;
                enum verdict_action action;
                enum error_code code;
                bool transient, unverified;
                uint64_t remote_size;
        } ends[] = {
                { FRESH, P200 LENGTH(1000), 1000, VERDICT_ENDING_ORDERLY, VERDICT_DONE, 0, false, false, 1000 },
                { FRESH, P200 LENGTH(1000), 1000, VERDICT_ENDING_BROKEN, VERDICT_DONE, 0, false, false, 1000 },
                { FRESH, P200 LENGTH(1000), 999, VERDICT_ENDING_ORDERLY, VERDICT_FAIL, ERROR_CONNECTION_CLOSED, true },
                { FRESH, P200 LENGTH(1000), 999, VERDICT_ENDING_BROKEN, VERDICT_FAIL, ERROR_CONNECTION_CLOSED, true },
                { FRESH, P200 LENGTH(1000), 1000, VERDICT_ENDING_TOO_LONG, VERDICT_FAIL, ERROR_INVALID_RESPONSE },
                { FRESH, P200 LENGTH(0), 0, VERDICT_ENDING_ORDERLY, VERDICT_DONE, 0, false, false, 0 },
                { FRESH, P200, 1000, VERDICT_ENDING_ORDERLY, VERDICT_DONE, 0, false, true, 1000 },
                { FRESH, P200, 0, VERDICT_ENDING_ORDERLY, VERDICT_DONE, 0, false, true, 0 },
                { FRESH, P200, 1000, VERDICT_ENDING_BROKEN, VERDICT_FAIL, ERROR_CONNECTION_CLOSED, true },
                { FRESH, P200 CHUNKED, 1000, VERDICT_ENDING_ORDERLY, VERDICT_DONE, 0, false, false, 1000 },
                { FRESH, P200 CHUNKED, 1000, VERDICT_ENDING_BROKEN, VERDICT_FAIL, ERROR_CONNECTION_CLOSED, true },
                { FRESH, "HTTP/2 200\n", 1000, VERDICT_ENDING_ORDERLY, VERDICT_DONE, 0, false, true, 1000 }, /* it may have been reset */
                { FRESH, "HTTP/2 200\n", 1000, VERDICT_ENDING_BROKEN, VERDICT_FAIL, ERROR_CONNECTION_CLOSED, true },
                { STATED, "HTTP/2 200\n", 1000, VERDICT_ENDING_ORDERLY, VERDICT_DONE, 0, false, false, 1000 },
                { STATED, "HTTP/2 200\n", 999, VERDICT_ENDING_ORDERLY, VERDICT_FAIL, ERROR_CONNECTION_CLOSED, true },
                { STATED, P200, 1000, VERDICT_ENDING_ORDERLY, VERDICT_DONE, 0, false, false, 1000 },
                { STATED, P200, 999, VERDICT_ENDING_ORDERLY, VERDICT_FAIL, ERROR_CONNECTION_CLOSED, true },
                { STATED, P200 CHUNKED, 999, VERDICT_ENDING_ORDERLY, VERDICT_FAIL, ERROR_SIZE_MISMATCH },
                { STATED, P200 CHUNKED, 1000, VERDICT_ENDING_TOO_LONG, VERDICT_FAIL, ERROR_SIZE_MISMATCH },
                { CAPPED, P200, 999, VERDICT_ENDING_TOO_LONG, VERDICT_FAIL, ERROR_TOO_LARGE },
                { CAPPED, P200 CHUNKED, 1001, VERDICT_ENDING_ORDERLY, VERDICT_FAIL, ERROR_TOO_LARGE },
                { RESUME, P206 RANGE("400-999/1000") TAG1, 600, VERDICT_ENDING_ORDERLY, VERDICT_DONE, 0, false, false, 1000 },
                { RESUME, P206 RANGE("400-999/1000") TAG1, 599, VERDICT_ENDING_ORDERLY, VERDICT_FAIL, ERROR_CONNECTION_CLOSED, true },
                { RESUME, P206 RANGE("400-999/1000") TAG1, 600, VERDICT_ENDING_TOO_LONG, VERDICT_RESTART, ERROR_INVALID_RESPONSE },
                { RESUME, P206 RANGE("400-499/1000") TAG1, 100, VERDICT_ENDING_ORDERLY, VERDICT_CONTINUE },
                { RESUME, P206 RANGE("400-499/1000") TAG1, 100, VERDICT_ENDING_BROKEN, VERDICT_CONTINUE },
                { RESUME, P206 RANGE("400-999/*") TAG1, 600, VERDICT_ENDING_ORDERLY, VERDICT_CONTINUE },
                { RESUME_SIZE, P206 RANGE("400-999/*") TAG1, 600, VERDICT_ENDING_ORDERLY, VERDICT_DONE, 0, false, false, 1000 },
                { PART, P206 RANGE("100-299/*") TAG1, 200, VERDICT_ENDING_ORDERLY, VERDICT_DONE, 0, false, false, UNKNOWN },
                { PART, P206 RANGE("100-199/1000") TAG1, 100, VERDICT_ENDING_ORDERLY, VERDICT_CONTINUE },
        };

        for (size_t i = 0; i < ELEMENTSOF(ends); i++) {
                static struct response_facts facts;
                struct row row = { ends[i].situation, ends[i].answer, 0, 0, 0, NULL };
                struct verdict_task task;
                struct verdict_known known;
                struct verdict accepted = judge(&row, &task, &known, &facts), v;

                assert_int_equal(accepted.action, VERDICT_WRITE);
                verdict_known_adopt(&known, &task, &accepted, &facts, ORIGIN);
                v = verdict_end(&task, &known, &accepted, ends[i].received, ends[i].ending);
                if (v.action != ends[i].action || v.code != ends[i].code)
                        fail_msg("row %zu: %s %s (%s)", i, verdict_action_name(v.action), error_code_name(v.code), v.text);
                assert_int_equal(v.transient, ends[i].transient);
                assert_int_equal(v.length_unverified, ends[i].unverified);
                if (v.action == VERDICT_DONE)
                        assert_int_equal(v.remote_size, ends[i].remote_size);
        }
}

static void a_known_size_holds_for_bodies_that_state_none(void **state) {
        static struct response_facts facts;
        struct verdict_task task;
        struct verdict_known known;
        struct verdict accepted;

        set_up(FRESH, &task, &known);
        known.size = 1000;
        assert_int_equal(facts_from_text(&facts, P200 CHUNKED), 0);
        accepted = verdict_response(&task, &known, &(struct verdict_ask) {}, &facts, ORIGIN, 0);
        assert_int_equal(accepted.action, VERDICT_WRITE);
        assert_int_equal(accepted.body_limit, 1000);
        assert_int_equal(verdict_end(&task, &known, &accepted, 1000, VERDICT_ENDING_TOO_LONG).code, ERROR_REMOTE_FILE_CHANGED);
        assert_int_equal(verdict_end(&task, &known, &accepted, 900, VERDICT_ENDING_ORDERLY).code, ERROR_REMOTE_FILE_CHANGED);
        assert_int_equal(verdict_end(&task, &known, &accepted, 1000, VERDICT_ENDING_ORDERLY).action, VERDICT_DONE);
}

static void crumbs_end_the_request_after_a_while(void **state) {
        static struct response_facts facts;
        struct row row = { RESUME, P206 RANGE("400-400/1000") TAG1, 0, 0, 0, NULL };
        struct verdict_task task;
        struct verdict_known known;
        struct verdict accepted = judge(&row, &task, &known, &facts), v;

        task.n_short = VERDICT_SHORT_ANSWERS_MAX - 2;
        assert_int_equal(verdict_end(&task, &known, &accepted, 1, VERDICT_ENDING_ORDERLY).action, VERDICT_CONTINUE);
        task.n_short++;
        v = verdict_end(&task, &known, &accepted, 1, VERDICT_ENDING_ORDERLY);
        assert_int_equal(v.code, ERROR_INVALID_RESPONSE);
        assert_true(v.transient);
}

static void metadata_names_only_what_may_be_used_again(void **state) {
        static struct response_facts facts;
        struct row row = { FRESH, P200 LENGTH(1000) "ETag: W/\"x\"\nLast-Modified: " DATE "\nDate: Mon, 07 Nov 1994 08:49:37 GMT\n" };
        struct verdict_task task;
        struct verdict_known known;
        struct engine_metadata m;
        struct verdict v = judge(&row, &task, &known, &facts);

        verdict_describe(&facts, &v, &known, ORIGIN, "::1", &m);
        assert_int_equal(m.http_status, 200);
        assert_int_equal(m.remote_size, 1000);
        assert_null(m.etag);
        assert_null(m.last_modified);
        assert_int_equal(m.remote_time_usec, 784111777 * USEC_PER_SEC);
        assert_string_equal(m.encoding, "");
        assert_string_equal(m.origin, ORIGIN);
        assert_string_equal(m.address, "::1");
}

/* What it is a part of is known, and is told again: else the next part could not be asked for. */
static void a_part_that_says_less_takes_nothing_back(void **state) {
        static const struct row rows_that_say_less[] = { { RESUME, P206 LENGTH(600) RANGE("400-999/1000") },
                                                         { RESUME_DATE, P206 LENGTH(600) RANGE("400-999/1000") } };
        static struct response_facts facts;

        for (size_t i = 0; i < ELEMENTSOF(rows_that_say_less); i++) {
                struct verdict_task task;
                struct verdict_known known;
                struct engine_metadata m;
                struct verdict v = judge(&rows_that_say_less[i], &task, &known, &facts);

                assert_int_equal(v.action, VERDICT_WRITE);
                verdict_known_adopt(&known, &task, &v, &facts, ORIGIN);
                verdict_describe(&facts, &v, &known, ORIGIN, "::1", &m);
                assert_string_equal(i == 0 ? m.etag : m.last_modified, i == 0 ? "\"v1\"" : DATE);
                assert_null(i == 0 ? m.last_modified : m.etag);
        }
}

/* A model of one resumption against a server that answers with any mixture of fields. Property: what may be written is what the
 * server said it was, of the file that was known, at the place that was asked for. */
static uint32_t next_random(uint32_t *seed) {
        *seed ^= *seed << 13;
        *seed ^= *seed >> 17;
        *seed ^= *seed << 5;
        return *seed;
}

static void no_mixture_of_fields_gets_a_wrong_byte_written(void **state) {
        static const char *const statuses[] = { P200, P206, P206, P206, P416, "HTTP/2 206\n" };
        static const char *const lengths[] = { "", LENGTH(600), LENGTH(1000), LENGTH(599), LENGTH(-1), LENGTH(0) };
        static const char *const ranges[] = { "", RANGE("400-999/1000"), RANGE("400-999/*"), RANGE("0-999/1000"), RANGE("400-998/1000"),
                                              RANGE("401-999/1000"), RANGE("400-999/1001"), RANGE("*/400"), RANGE("*/1000"),
                                              RANGE("400-1000/1001"), RANGE("x") };
        static const char *const tags[] = { "", TAG1, TAG2, "ETag: W/\"v1\"\n", "ETag: v1\n", TAG1 TAG2 };
        static const char *const others[] = { "", "", "", CHUNKED, "Content-Encoding: gzip\n", "Content-Type: multipart/byteranges\n", "x\n" };
        static struct response_facts facts;
        uint32_t seed = 7;
        size_t n_written = 0;

        for (int i = 0; i < 50000; i++) {
                enum situation situation = next_random(&seed) % 2 ? RESUME : RESUME_SIZE;
                const char *range = ranges[next_random(&seed) % ELEMENTSOF(ranges)], *tag = tags[next_random(&seed) % ELEMENTSOF(tags)];
                struct verdict_task task;
                struct verdict_known known;
                struct row row = { situation, NULL };
                struct verdict v;
                char answer[512];

                (void) snprintf(answer, sizeof(answer), "%s%s%s%s%s", statuses[next_random(&seed) % ELEMENTSOF(statuses)],
                                lengths[next_random(&seed) % ELEMENTSOF(lengths)], range, tag,
                                others[next_random(&seed) % ELEMENTSOF(others)]);
                row.answer = answer;
                v = judge(&row, &task, &known, &facts);
                if (v.action != VERDICT_WRITE)
                        continue;
                n_written++;
                assert_int_equal(facts.status, 206);
                assert_int_equal(facts.content_range.first, 400);
                assert_int_equal(v.body_limit, facts.content_range.last - 400 + 1);
                assert_true(streq(tag, TAG1) || streq(tag, ""));
                assert_string_equal(facts.encoding, "");
                assert_false(facts.multipart || facts.malformed);
                assert_true(facts.content_length_state == HEADER_ABSENT || facts.content_length == v.body_limit);
                if (situation == RESUME_SIZE)
                        assert_true(facts.content_range.last < 1000);
        }
        assert_true(n_written > 100);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_challenge_is_answered_once_by_who_can),
                cmocka_unit_test(every_answer_is_judged_as_the_table_says),
                cmocka_unit_test(statuses_are_fatal_or_pass_by_themselves),
                cmocka_unit_test(the_server_says_when_to_come_again),
                cmocka_unit_test(a_request_carries_what_its_situation_needs),
                cmocka_unit_test(the_longest_validator_is_sent_whole),
                cmocka_unit_test(what_is_complete_is_not_asked_for),
                cmocka_unit_test(a_range_beyond_the_known_end_is_not_asked_for),
                cmocka_unit_test(a_task_knows_whether_bytes_are_there),
                cmocka_unit_test(validators_from_the_store_are_checked_before_they_are_sent),
                cmocka_unit_test(the_first_answer_binds_the_later_ones),
                cmocka_unit_test(a_fresh_start_forgets_an_older_representation),
                cmocka_unit_test(every_end_of_a_body_is_told_from_every_other),
                cmocka_unit_test(a_known_size_holds_for_bodies_that_state_none),
                cmocka_unit_test(crumbs_end_the_request_after_a_while),
                cmocka_unit_test(metadata_names_only_what_may_be_used_again),
                cmocka_unit_test(a_part_that_says_less_takes_nothing_back),
                cmocka_unit_test(no_mixture_of_fields_gets_a_wrong_byte_written),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The engine from its interface: real processes, real sockets, servers on loopback. */
#include "fixture.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

static struct server web;

static int start_web(void **state) {
        server_start(&web, NULL);
        return 0;
}

static int stop_web(void **state) {
        server_stop(&web);
        return 0;
}

static void a_file_arrives_whole_with_its_metadata(void **state) {
        struct fixture *f = *state;
        struct engine_piece piece;
        struct engine_request request = request_for(f, 1, url_of(&web, "/data/3000000"), &piece);
        struct record *record = fetch(f, &request);

        assert_done(record);
        assert_content(f, 0, 0, 3000000);
        assert_int_equal(record->http_status, 200);
        assert_int_equal(record->remote_size, 3000000);
        assert_string_equal(record->etag, "\"v3000000\"");
        assert_true(record->remote_time_usec == UINT64_C(1445412480) * USEC_PER_SEC);
        assert_string_equal(record->address, "127.0.0.1");
        assert_true(intervals_contain(&record->reported, 0, 3000000));
        assert_int_equal(record->result.local_end, 3000000);
        assert_int_equal(record->result.bytes_fetched, 3000000);
        assert_false(record->result.length_unverified);
}


static void pieces_go_where_they_belong(void **state) {
        struct fixture *f = *state;
        /* Out of order, two neighbours that may be merged, the last to the end. */
        struct engine_piece one, pieces[] = { { 500000, 1000, 0 }, { 100, 50, 1000 }, { 150, 50, 1050 }, { 999000, ENGINE_TO_EOF, 5000 } };
        struct engine_request request = request_for(f, 1, url_of(&web, "/data/1000000"), &one);
        struct record *record;

        request.pieces = pieces;
        request.n_pieces = ELEMENTSOF(pieces);
        request.whole_file = false;
        record = fetch(f, &request);
        assert_done(record);
        assert_int_equal(record->http_status, 206);
        assert_content(f, 0, 500000, 1000);
        assert_content(f, 1000, 100, 100);
        assert_content(f, 5000, 999000, 1000);
        assert_int_equal(record->result.local_end, 6000);
        assert_int_equal(intervals_total(&record->reported), 2100);
        assert_int_equal(record->result.bytes_fetched, 2100);
}

static void five_hundred_pieces_fit_one_request(void **state) {
        struct fixture *f = *state;
        static struct engine_piece pieces[ENGINE_PIECES_MAX];
        struct engine_piece one;
        struct engine_request request = request_for(f, 1, url_of(&web, "/data/10000000"), &one);

        for (uint64_t i = 0; i < ENGINE_PIECES_MAX; i++)
                pieces[i] = (struct engine_piece) { 9990000 - i * 20000, 10, i * 10 };
        request.pieces = pieces;
        request.n_pieces = ENGINE_PIECES_MAX;
        request.whole_file = false;
        assert_done(fetch(f, &request));
        for (uint64_t i = 0; i < ENGINE_PIECES_MAX; i++)
                assert_content(f, i * 10, 9990000 - i * 20000, 10);
}

static void a_resumed_file_gets_only_what_is_missing(void **state) {
        struct fixture *f = *state;
        struct engine_piece piece;
        struct engine_request request = request_for(f, 1, url_of(&web, "/data/1000000"), &piece);
        char origin[128];
        struct record *record;

        snprintf(origin, sizeof(origin), "http://127.0.0.1:%u/data/1000000", web.port);
        piece = (struct engine_piece) { 400000, ENGINE_TO_EOF, 400000 };
        request.remote_size = 1000000;
        request.etag = "\"v1000000\"";
        request.origin = origin;
        record = fetch(f, &request);
        assert_done(record);
        assert_int_equal(record->result.bytes_fetched, 600000);
        assert_content(f, 400000, 400000, 600000);
        assert_string_equal(record->origin, origin);
}

static void a_changed_file_is_a_restart_and_no_byte_is_written(void **state) {
        struct fixture *f = *state;
        struct engine_piece piece;
        struct engine_request request = request_for(f, 1, url_of(&web, "/data/1000000"), &piece);
        char origin[128];
        struct record *record;

        snprintf(origin, sizeof(origin), "http://127.0.0.1:%u/data/1000000", web.port);
        piece = (struct engine_piece) { 400000, ENGINE_TO_EOF, 400000 };
        request.remote_size = 1000000;
        request.etag = "\"older\"";
        request.origin = origin;
        record = fetch(f, &request);
        assert_int_equal(record->outcome, ENGINE_RESTART);
        assert_int_equal(record->result.code, ERROR_REMOTE_FILE_CHANGED);
        assert_int_equal(record->n_progress, 0);
        assert_int_equal(lseek(f->fd, 0, SEEK_END), 0);
}

static void ranges_from_a_server_without_them_are_a_named_error(void **state) {
        struct fixture *f = *state;
        struct engine_piece piece;
        struct engine_request request = request_for(f, 1, url_of(&web, "/norange/1000"), &piece);

        piece = (struct engine_piece) { 10, 10, 0 };
        request.whole_file = false;
        assert_failed(fetch(f, &request), ERROR_NO_RANGE_SUPPORT);
        assert_int_equal(lseek(f->fd, 0, SEEK_END), 0);
}

static void a_whole_file_from_a_server_without_ranges_is_one_stream(void **state) {
        struct fixture *f = *state;
        struct engine_piece piece;
        struct engine_request request = request_for(f, 1, url_of(&web, "/norange/100000"), &piece);

        assert_done(fetch(f, &request));
        assert_content(f, 0, 0, 100000);
}

static void a_chunked_body_is_complete_at_its_last_chunk(void **state) {
        struct fixture *f = *state;
        struct engine_piece piece;
        struct engine_request request = request_for(f, 1, url_of(&web, "/chunked/300000"), &piece);
        struct record *record = fetch(f, &request);

        assert_done(record);
        assert_content(f, 0, 0, 300000);
        assert_int_equal(record->result.local_end, 300000);
        assert_false(record->result.length_unverified);
}

static void a_body_without_length_is_unverified(void **state) {
        struct fixture *f = *state;
        struct engine_piece piece;
        struct engine_request request = request_for(f, 1, url_of(&web, "/close/300000"), &piece);
        struct record *record = fetch(f, &request);

        assert_done(record);
        assert_content(f, 0, 0, 300000);
        assert_true(record->result.length_unverified);
        assert_true(record->remote_size == ENGINE_SIZE_UNKNOWN);
}

static void an_empty_file_is_done(void **state) {
        struct fixture *f = *state;
        struct engine_piece piece;
        struct engine_request request = request_for(f, 1, url_of(&web, "/data/0"), &piece);
        struct record *record = fetch(f, &request);

        assert_done(record);
        assert_int_equal(record->result.local_end, 0);
        assert_int_equal(record->remote_size, 0);
}

static void a_range_that_is_answered_with_another_is_refused(void **state) {
        struct fixture *f = *state;
        struct engine_piece piece;
        struct engine_request request = request_for(f, 1, url_of(&web, "/shifted/1000"), &piece);
        struct record *record;

        piece = (struct engine_piece) { 10, 10, 0 };
        request.whole_file = false;
        record = fetch(f, &request);
        assert_true(record->outcome == ENGINE_RESTART || record->outcome == ENGINE_FAILED);
        assert_int_equal(record->n_progress, 0);
        assert_int_equal(lseek(f->fd, 0, SEEK_END), 0);
}

static void short_answers_are_put_together(void **state) {
        struct fixture *f = *state;
        struct engine_piece piece;
        struct engine_request request = request_for(f, 1, url_of(&web, "/short/1000/150"), &piece);
        struct record *record;

        piece = (struct engine_piece) { 100, 800, 0 };
        request.whole_file = false;
        record = fetch(f, &request);
        assert_done(record);
        assert_content(f, 0, 100, 800);
        assert_int_equal(record->result.bytes_fetched, 800);
}

static void a_cut_body_fails_and_what_came_is_reported(void **state) {
        struct fixture *f = *state;
        struct engine_piece piece;
        struct engine_request request = request_for(f, 1, url_of(&web, "/cut/1000000/300000"), &piece);
        struct record *record = fetch(f, &request);

        assert_failed(record, ERROR_CONNECTION_CLOSED);
        assert_true(record->result.transient);
        assert_true(intervals_contain(&record->reported, 0, 300000));
        assert_int_equal(intervals_total(&record->reported), 300000);
        assert_content(f, 0, 0, 300000);
}

static void a_reset_connection_fails_for_now(void **state) {
        struct fixture *f = *state;
        struct engine_piece piece;
        struct engine_request request = request_for(f, 1, url_of(&web, "/rst/1000000/300000"), &piece);
        struct record *record = fetch(f, &request);

        assert_failed(record, ERROR_CONNECTION_CLOSED);
        assert_true(record->result.transient);
}

static void a_stalled_body_times_out(void **state) {
        struct fixture *f = *state;
        struct engine_piece piece;
        struct engine_request request = request_for(f, 1, url_of(&web, "/stall/1000000/1000"), &piece);
        struct record *record;

        request.stall_timeout_usec = 200 * USEC_PER_MSEC;
        record = fetch(f, &request);
        assert_failed(record, ERROR_TIMED_OUT);
        assert_true(record->result.transient);
        assert_int_equal(intervals_total(&record->reported), 1000);
}

static void a_silent_server_times_out(void **state) {
        struct fixture *f = *state;
        struct engine_piece piece;
        struct engine_request request = request_for(f, 1, url_of(&web, "/silent"), &piece);

        request.stall_timeout_usec = 200 * USEC_PER_MSEC;
        assert_failed(fetch(f, &request), ERROR_TIMED_OUT);
}

static void headers_that_come_byte_by_byte_time_out(void **state) {
        struct fixture *f = *state;
        struct engine_piece piece;
        struct engine_request request = request_for(f, 1, url_of(&web, "/loris/1000/10"), &piece);

        request.stall_timeout_usec = 400 * USEC_PER_MSEC;
        assert_failed(fetch(f, &request), ERROR_TIMED_OUT);
}

static void nobody_listening_is_a_connect_failure(void **state) {
        struct fixture *f = *state;
        struct engine_piece piece;
        struct engine_request request = request_for(f, 1, "http://127.0.0.1:1/", &piece);
        struct record *record = fetch(f, &request);

        assert_failed(record, ERROR_CONNECT_FAILURE);
        assert_true(record->result.transient);
        assert_int_equal(record->result.context, ERROR_CONTEXT_GENERAL_TRANSPORT);
}

static void a_name_that_does_not_exist_is_not_resolved(void **state) {
        struct fixture *f = *state;
        struct engine_piece piece;
        struct engine_request request = request_for(f, 1, "http://no-such-host.invalid/", &piece);

        request.connect_timeout_usec = 30 * USEC_PER_SEC;
        assert_failed(fetch(f, &request), ERROR_NAME_NOT_RESOLVED);
}

static void statuses_end_as_decided(void **state) {
        struct fixture *f = *state;
        static const struct {
                const char *path;
                enum error_code code;
                bool transient;
                uint64_t retry_after_usec;
        } rows[] = {
                { "/status/404", ERROR_HTTP_STATUS, false, 0 },
                { "/status/403", ERROR_HTTP_STATUS, false, 0 },
                { "/status/500", ERROR_HTTP_STATUS, true, 0 },
                { "/status/503?retry=7", ERROR_HTTP_STATUS, true, 7 * USEC_PER_SEC },
                { "/status/429", ERROR_HTTP_STATUS, true, 0 },
                { "/garbage", ERROR_INVALID_RESPONSE, false, 0 },
                { "/headers-many", ERROR_INVALID_RESPONSE, false, 0 },
                { "/headers-endless", ERROR_INVALID_RESPONSE, false, 0 },
                { "/flood-1xx", ERROR_INVALID_RESPONSE, false, 0 },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                struct engine_piece piece;
                struct engine_request request = request_for(f, i + 1, url_of(&web, rows[i].path), &piece);
                struct record *record = fetch(f, &request);

                assert_failed(record, rows[i].code);
                assert_int_equal(record->result.transient, rows[i].transient);
                assert_int_equal(record->result.retry_after_usec, rows[i].retry_after_usec);
                assert_int_equal(record->n_progress, 0);
        }
}

/* These servers do not say which question they ask. */
static void a_challenge_that_cannot_be_answered_is_the_answer(void **state) {
        struct fixture *f = *state;
        static const char *const paths[] = {
                "/status/401?body=0", "/status/401", "/status/401?body=65536", "/status/401?body=65538", "/status/401?body=10000000",
        };

        for (size_t i = 0; i < ELEMENTSOF(paths); i++) {
                struct engine_piece piece;
                struct engine_request request = request_for(f, i + 1, url_of(&web, paths[i]), &piece);
                struct record *record;

                request.credentials = "name:secret";
                request.credentials_schemes = ENGINE_AUTH_DIGEST;
                record = fetch(f, &request);
                assert_failed(record, ERROR_HTTP_STATUS);
                assert_int_equal(record->result.context, ERROR_CONTEXT_REMOTE_FILE);
                assert_int_equal(record->result.detail, 401);
                assert_false(record->result.transient);
                assert_int_equal(record->http_status, 401);
                assert_true(record->result.bytes_fetched <= 2 * 65536); /* no more of it than keeps the connection */
        }
}

static void redirects_are_followed_up_to_five(void **state) {
        struct fixture *f = *state;
        struct engine_piece piece;
        struct engine_request request = request_for(f, 1, url_of(&web, "/hops/5?to=/data/1000"), &piece);
        char origin[128];
        struct record *record;

        record = fetch(f, &request);
        assert_done(record);
        snprintf(origin, sizeof(origin), "http://127.0.0.1:%u/data/1000", web.port);
        assert_string_equal(record->origin, origin);
        request = request_for(f, 2, url_of(&web, "/hops/6?to=/data/1000"), &piece);
        assert_failed(fetch(f, &request), ERROR_TOO_MANY_REDIRECTS);
        request = request_for(f, 3, url_of(&web, "/redirect/302?to=file:///etc/passwd"), &piece);
        assert_failed(fetch(f, &request), ERROR_INVALID_REDIRECT);
}

static bool body_has(struct fixture *f, const char *text) {
        char body[4096] = {};

        assert_true(pread(f->fd, body, sizeof(body) - 1, 0) > 0);
        return strstr(body, text);
}

static void custom_headers_go_to_the_first_origin_only(void **state) {
        struct fixture *f = *state;
        struct server other;
        struct engine_piece piece;
        struct engine_request request = request_for(f, 1, url_of(&web, "/echo"), &piece);
        char url[256];

        request.headers = "X-Canary: bird\r\nRange: bytes=0-1\r\nAuthorization: Bearer canary";
        assert_done(fetch(f, &request));
        assert_true(body_has(f, "x-canary: bird"));
        assert_true(body_has(f, "authorization: Bearer canary"));
        assert_true(body_has(f, "accept-encoding: identity"));
        assert_true(body_has(f, "user-agent: dosvc/"));
        assert_false(body_has(f, "range:"));

        server_start(&other, NULL);
        assert_int_equal(ftruncate(f->fd, 0), 0);
        snprintf(url, sizeof(url), "/redirect/302?to=http://127.0.0.1:%u/echo", other.port);
        request.id = 2;
        request.url = url_of(&web, url);
        assert_done(fetch(f, &request));
        assert_false(body_has(f, "canary"));
        server_stop(&other);
}

static void cookies_live_as_long_as_their_request(void **state) {
        struct fixture *f = *state;
        struct engine_piece piece;
        struct engine_request request = request_for(f, 1, url_of(&web, "/cookie"), &piece);

        assert_done(fetch(f, &request));
        assert_true(body_has(f, "cookie: canary=cookie"));
        assert_int_equal(ftruncate(f->fd, 0), 0);
        request = request_for(f, 2, url_of(&web, "/echo"), &piece);
        assert_done(fetch(f, &request));
        assert_false(body_has(f, "cookie"));
}

static void a_proxy_is_used_unless_no_proxy_names_the_host(void **state) {
        struct fixture *f = *state;
        char proxy[64];
        const char *variables[] = { proxy, "no_proxy=127.0.0.1", NULL };
        struct engine_piece piece;
        struct engine_request request = request_for(f, 1, "http://somewhere.invalid/data/1000", &piece);

        snprintf(proxy, sizeof(proxy), "http_proxy=127.0.0.1:%u", web.port);
        request.proxy_environment = variables;
        assert_done(fetch(f, &request)); /* nobody but the proxy could know the name */
        assert_content(f, 0, 0, 1000);
        snprintf(proxy, sizeof(proxy), "http_proxy=http://127.0.0.1:1");
        request = request_for(f, 2, url_of(&web, "/data/1000"), &piece);
        request.proxy_environment = variables;
        assert_done(fetch(f, &request));
        variables[1] = NULL;
        request.id = 3;
        assert_failed(fetch(f, &request), ERROR_CONNECT_FAILURE);
}

/* The proxy would know nothing of them: what was reached without it is where its address says. */
static void private_servers_that_no_proxy_names_may_lead_anywhere(void **state) {
        struct fixture *f = *state;
        const char *variables[] = { "http_proxy=http://127.0.0.1:1", "no_proxy=.localhost", NULL };
        struct engine_piece piece;
        char url[256];
        struct engine_request request;

        snprintf(url, sizeof(url), "http://files.localhost:%u/redirect/301?to=http://files.localhost:%u/data/1000", web.port, web.port);
        request = request_for(f, 1, url, &piece);
        request.proxy_environment = variables;
        assert_done(fetch(f, &request));
        assert_content(f, 0, 0, 1000);
}

/* libcurl looks the name up itself then, and can ask nobody. */
static void a_proxy_that_wants_addresses_is_told_one(void **state) {
        static const char *const schemes[] = { "socks5", "socks4", "socks5h" };
        struct fixture *f = *state;
        char proxy[64];
        const char *variables[] = { proxy, NULL };
        struct engine_piece piece;
        struct engine_request request;

        fixture_use_resolver(f, getenv("DOSVC_TEST_FLIPPING_RESOLVE"));
        for (size_t i = 0; i < ELEMENTSOF(schemes); i++) {
                snprintf(proxy, sizeof(proxy), "all_proxy=%s://127.0.0.1:%u", schemes[i], web.port);
                request = request_for(f, i + 1, "http://t.test/data/1000", &piece);
                request.proxy_environment = variables;
                assert_done(fetch(f, &request));
                assert_content(f, 0, 0, 1000);
        }
        request = request_for(f, 4, "http://somewhere.invalid/data/1000", &piece);
        request.proxy_environment = variables;
        assert_done(fetch(f, &request)); /* socks5h: only the proxy could know the name */
        snprintf(proxy, sizeof(proxy), "all_proxy=socks5://127.0.0.1:%u", web.port);
        request.id = 5;
        assert_failed(fetch(f, &request), ERROR_NAME_NOT_RESOLVED);
        request = request_for(f, 6, "http://t.test/redirect/302?to=http://t.test/data/1000", &piece);
        request.proxy_environment = variables;
        assert_done(fetch(f, &request)); /* it is known to be no public server */
}

static void a_proxy_that_wants_addresses_is_told_no_private_one_by_a_public_server(void **state) {
        struct fixture *f = *state;
        char proxy[64];
        const char *variables[] = { proxy, NULL };
        struct engine_piece piece;
        struct engine_request request = request_for(f, 1, "http://p.test/redirect/302?to=http://t.test/data/1000", &piece);

        snprintf(proxy, sizeof(proxy), "all_proxy=socks5://127.0.0.1:%u", web.port);
        fixture_use_resolver(f, getenv("DOSVC_TEST_FLIPPING_RESOLVE"));
        request.proxy_environment = variables;
        assert_failed(fetch(f, &request), ERROR_ADDRESS_REFUSED);
        request = request_for(f, 2, "http://t.test/redirect/302?to=http://p.test/data/1000", &piece);
        request.proxy_environment = variables;
        assert_done(fetch(f, &request));
}

/* Looked up for nothing but to refuse private addresses: the proxy may know what we do not. */
static void a_proxy_is_asked_for_names_that_nobody_answers_us(void **state) {
        struct fixture *f = *state;
        char proxy[64];
        const char *variables[] = { proxy, NULL };
        struct engine_piece piece;
        struct engine_request request = request_for(f, 1, "http://p.test/redirect/302?to=http://hang.test/data/1000", &piece);

        snprintf(proxy, sizeof(proxy), "http_proxy=http://127.0.0.1:%u", web.port);
        fixture_use_resolver(f, getenv("DOSVC_TEST_FLIPPING_RESOLVE"));
        request.proxy_environment = variables;
        request.connect_timeout_usec = USEC_PER_SEC;
        assert_done(fetch(f, &request));
        assert_content(f, 0, 0, 1000);
        request = request_for(f, 2, "http://hang.test/data/1000", &piece);
        request.connect_timeout_usec = USEC_PER_SEC;
        assert_failed(fetch(f, &request), ERROR_NAME_NOT_RESOLVED);
}

static void names_are_resolved_for_libcurl(void **state) {
        struct fixture *f = *state;
        struct engine_piece piece;
        char url[128];
        struct engine_request request;

        snprintf(url, sizeof(url), "http://localhost:%u/data/1000", web.port);
        request = request_for(f, 1, url, &piece);
        assert_done(fetch(f, &request));
        assert_content(f, 0, 0, 1000);
}

/* By the real processes: libcurl, the names that were looked up for it and the server all know one spelling. */
static void hosts_beyond_ascii_are_reached(void **state) {
        struct fixture *f = *state;
        struct engine_piece piece;
        char url[256];
        struct engine_request request;

        snprintf(url, sizeof(url), "http://b\xc3\xbc" "cher.localhost:%u/data/1000", web.port);
        request = request_for(f, 1, url, &piece);
        assert_done(fetch(f, &request));
        assert_content(f, 0, 0, 1000);
        snprintf(url, sizeof(url), "http://localhost:%u/redirect/302?to=http://b%%25c3%%25bccher.localhost:%u/echo", web.port, web.port);
        request = request_for(f, 2, url, &piece);
        assert_done(fetch(f, &request));
        assert_true(body_has(f, "host: xn--bcher-kva.localhost:"));
        request = request_for(f, 3, "http://a\xef\xbc\x8f" "b.localhost/", &piece);
        assert_failed(fetch(f, &request), ERROR_INVALID_URL);
        assert_false(f->records[3].result.transient);
        assert_non_null(strstr(f->records[3].text, "internationalized"));
}

static void ipv6_works_without_ipv4(void **state) {
        static const char *const arguments[] = { "--address", "::1", NULL };
        struct fixture *f = *state;
        struct server six;
        struct engine_piece piece;
        char url[128];
        struct engine_request request;
        struct record *record;

        server_start(&six, arguments);
        snprintf(url, sizeof(url), "http://[::1]:%u/data/1000", six.port);
        request = request_for(f, 1, url, &piece);
        record = fetch(f, &request);
        assert_done(record);
        assert_string_equal(record->address, "::1");
        snprintf(url, sizeof(url), "http://localhost:%u/data/1000", six.port);
        request = request_for(f, 2, url, &piece);
        assert_done(fetch(f, &request)); /* 127.0.0.1 refuses, ::1 is raced */
        server_stop(&six);
}

static void a_stated_size_is_held(void **state) {
        struct fixture *f = *state;
        struct engine_piece piece;
        struct engine_request request = request_for(f, 1, url_of(&web, "/data/1000"), &piece);

        request.stated_size = 999;
        assert_failed(fetch(f, &request), ERROR_SIZE_MISMATCH);
        request = request_for(f, 2, url_of(&web, "/chunked/100000"), &piece);
        request.max_bytes = 50000;
        assert_failed(fetch(f, &request), ERROR_TOO_LARGE);
        assert_true(lseek(f->fd, 0, SEEK_END) <= 50000);
}

static void stop_ends_a_request_after_its_progress(void **state) {
        struct fixture *f = *state;
        struct engine_piece piece;
        struct engine_request request = request_for(f, 1, url_of(&web, "/stall/1000000/2000"), &piece);

        assert_int_equal(engine_start(f->engine, &request), 0);
        wait_reported(f, 1, 2000);
        engine_stop(f->engine, 1);
        engine_stop(f->engine, 99);
        wait_finished(f, 1);
        assert_int_equal(f->records[1].outcome, ENGINE_STOPPED);
        assert_int_equal(intervals_total(&f->records[1].reported), 2000);
        engine_stop(f->engine, 1);
}

static void stop_before_anything_happened_ends_it_too(void **state) {
        struct fixture *f = *state;
        struct engine_piece piece;
        struct engine_request request = request_for(f, 1, url_of(&web, "/data/1000"), &piece);

        assert_int_equal(engine_start(f->engine, &request), 0);
        assert_int_equal(engine_start(f->engine, &request), -EEXIST);
        engine_stop(f->engine, 1);
        assert_int_equal(f->n_finished, 0); /* never from within */
        wait_finished(f, 1);
        assert_int_equal(f->records[1].outcome, ENGINE_STOPPED);
        assert_int_equal(engine_process_pid(f->engine), 0); /* it was not even started */
}

static void a_request_is_done_where_nothing_more_is_wanted(void **state) {
        struct fixture *f = *state;
        struct engine_piece piece, two[] = { { 0, 2000, 0 }, { 5000, 2000, 5000 } };
        struct engine_request request = request_for(f, 1, url_of(&web, "/data/3000000"), &piece);

        request.pace.end_at = 1234567;
        request.digest_decides = true; /* it is a part */
        assert_done(fetch(f, &request));
        assert_true(intervals_contain(&f->records[1].reported, 0, 1234567));
        assert_int_equal(intervals_total(&f->records[1].reported), 1234567);
        assert_content(f, 0, 0, 1234567);

        request = request_for(f, 2, url_of(&web, "/data/100000"), &piece);
        request.pieces = two;
        request.n_pieces = 2;
        request.whole_file = false;
        request.pace.end_at = 6000;
        assert_done(fetch(f, &request));
        assert_int_equal(intervals_total(&f->records[2].reported), 3000);
        assert_true(intervals_contain(&f->records[2].reported, 5000, 6000));
}

static void an_end_that_comes_nearer_ends_a_running_request(void **state) {
        static const uint64_t ends[] = { 2000, 1500 }; /* at, and behind us */
        struct fixture *f = *state;

        for (unsigned i = 0; i < ELEMENTSOF(ends); i++) {
                struct engine_piece piece;
                struct engine_request request = request_for(f, 1 + i, url_of(&web, "/stall/1000000/2000"), &piece);
                struct engine_pace pace = request.pace;

                assert_int_equal(engine_start(f->engine, &request), 0);
                wait_reported(f, 1 + i, 2000);
                pace.end_at = ends[i];
                engine_set_pace(f->engine, 1 + i, &pace);
                wait_finished(f, 1 + i);
                assert_done(&f->records[1 + i]);
                assert_int_equal(intervals_total(&f->records[1 + i].reported), 2000);
        }
}

static void requests_that_cannot_be_are_refused_at_once(void **state) {
        struct fixture *f = *state;
        static struct engine_piece many[ENGINE_PIECES_MAX + 1];
        struct engine_piece piece;
        struct engine_request request = request_for(f, 1, url_of(&web, "/data/1000"), &piece);

        request.n_pieces = 0;
        assert_int_equal(engine_start(f->engine, &request), -EINVAL);
        request.pieces = many;
        request.n_pieces = ELEMENTSOF(many);
        assert_int_equal(engine_start(f->engine, &request), -EINVAL);
        request = request_for(f, 1, NULL, &piece);
        assert_int_equal(engine_start(f->engine, &request), -EINVAL);
        request = request_for(f, 1, "http://h/", &piece);
        request.fd = -1;
        assert_int_equal(engine_start(f->engine, &request), -EBADF);
}

static void a_full_disk_is_a_local_error(void **state) {
        struct fixture *f = *state;
        struct engine_piece piece;
        struct engine_request request = request_for(f, 1, url_of(&web, "/data/1000"), &piece);
        int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
        struct record *record;

        /* /dev/full takes no offset; a pipe and a read-only descriptor fail at once: any errno must come back as what it is. */
        request.fd = full;
        record = fetch(f, &request);
        close(full);
        assert_failed(record, ERROR_NO_SPACE);
        assert_int_equal(record->result.context, ERROR_CONTEXT_LOCAL_FILE);
        assert_int_equal(record->result.detail, ENOSPC);
}

static void a_file_size_limit_is_an_error_and_no_death(void **state) {
        struct fixture *f = *state;
        struct rlimit old, low = { .rlim_cur = 100000 };
        struct engine_piece piece;
        struct engine_request request = request_for(f, 1, url_of(&web, "/data/1000000"), &piece);
        struct record *record;

        assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
        low.rlim_max = old.rlim_max;
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &low), 0); /* the processes inherit it */
        record = fetch(f, &request);
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
        assert_failed(record, ERROR_FILE_TOO_LARGE);
        assert_int_equal(record->result.detail, EFBIG);
        assert_int_equal(intervals_total(&record->reported), 100000);
}
int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(a_file_arrives_whole_with_its_metadata),
                TEST(pieces_go_where_they_belong),
                TEST(five_hundred_pieces_fit_one_request),
                TEST(a_resumed_file_gets_only_what_is_missing),
                TEST(a_changed_file_is_a_restart_and_no_byte_is_written),
                TEST(ranges_from_a_server_without_them_are_a_named_error),
                TEST(a_whole_file_from_a_server_without_ranges_is_one_stream),
                TEST(a_chunked_body_is_complete_at_its_last_chunk),
                TEST(a_body_without_length_is_unverified),
                TEST(an_empty_file_is_done),
                TEST(a_range_that_is_answered_with_another_is_refused),
                TEST(short_answers_are_put_together),
                TEST(a_cut_body_fails_and_what_came_is_reported),
                TEST(a_reset_connection_fails_for_now),
                TEST(a_stalled_body_times_out),
                TEST(a_silent_server_times_out),
                TEST(headers_that_come_byte_by_byte_time_out),
                TEST(nobody_listening_is_a_connect_failure),
                TEST(a_name_that_does_not_exist_is_not_resolved),
                TEST(statuses_end_as_decided),
                TEST(a_challenge_that_cannot_be_answered_is_the_answer),
                TEST(redirects_are_followed_up_to_five),
                TEST(custom_headers_go_to_the_first_origin_only),
                TEST(cookies_live_as_long_as_their_request),
                TEST(a_proxy_is_used_unless_no_proxy_names_the_host),
                TEST(private_servers_that_no_proxy_names_may_lead_anywhere),
                TEST(a_proxy_that_wants_addresses_is_told_one),
                TEST(a_proxy_that_wants_addresses_is_told_no_private_one_by_a_public_server),
                TEST(a_proxy_is_asked_for_names_that_nobody_answers_us),
                TEST(names_are_resolved_for_libcurl),
                TEST(hosts_beyond_ascii_are_reached),
                TEST(ipv6_works_without_ipv4),
                TEST(a_stated_size_is_held),
                TEST(stop_ends_a_request_after_its_progress),
                TEST(stop_before_anything_happened_ends_it_too),
                TEST(a_request_is_done_where_nothing_more_is_wanted),
                TEST(an_end_that_comes_nearer_ends_a_running_request),
                TEST(requests_that_cannot_be_are_refused_at_once),
                TEST(a_full_disk_is_a_local_error),
                TEST(a_file_size_limit_is_an_error_and_no_death),
        };
        return cmocka_run_group_tests(tests, start_web, stop_web);
}

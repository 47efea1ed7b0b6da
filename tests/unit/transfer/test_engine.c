/* The engine from its interface: real processes, real sockets, servers on loopback. */
#include "fixture.h"

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

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(a_file_arrives_whole_with_its_metadata, fixture_setup, fixture_teardown),
        };
        return cmocka_run_group_tests(tests, start_web, stop_web);
}

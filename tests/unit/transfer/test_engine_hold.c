/* engine_pace.hold_at: whoever takes the bytes has no room for more. */
#include "fixture.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#define MIB (UINT64_C(1) << 20)
#define BUFFER (512 * 1024) /* of libcurl: what came already is handed over */
#define SIZE (24 * MIB)
#define HUGE "/data/25165824"

static struct server web;

static int setup(void **state) {
        fixture_setup(state);
        server_start(&web, NULL);
        return 0;
}

static int teardown(void **state) {
        server_stop(&web);
        return fixture_teardown(state);
}

static uint64_t reported(struct fixture *f, uint64_t id) {
        return intervals_total(&f->records[id].reported);
}

/* More than the first request lacks comes meanwhile, from the same server by the same loop: one that is not held would have come as far. */
static void let_time_pass(struct fixture *f, uint64_t id) {
        struct engine_piece piece;
        struct engine_request request = request_for(f, id, url_of(&web, HUGE), &piece);

        request.fd = memfd_create("elsewhere", MFD_CLOEXEC);
        assert_true(request.fd >= 0);
        assert_done(fetch(f, &request));
        close(request.fd);
}

static void what_is_held_stops_there_and_goes_on_when_there_is_room(void **state) {
        struct fixture *f = *state;
        struct engine_piece piece;
        struct engine_request request = request_for(f, 1, url_of(&web, HUGE), &piece);

        request.pace.hold_at = 4 * MIB;
        assert_int_equal(engine_start(f->engine, &request), 0);
        wait_reported(f, 1, 4 * MIB);
        let_time_pass(f, 2);
        assert_in_range(reported(f, 1), 4 * MIB, 4 * MIB + BUFFER);

        request.pace.hold_at = 8 * MIB;
        engine_set_pace(f->engine, 1, &request.pace);
        wait_reported(f, 1, 8 * MIB);
        let_time_pass(f, 3);
        assert_in_range(reported(f, 1), 8 * MIB, 8 * MIB + BUFFER);
        assert_false(f->records[1].finished);

        request.pace.hold_at = SIZE + 1;
        engine_set_pace(f->engine, 1, &request.pace);
        wait_finished(f, 3);
        assert_done(&f->records[1]);
        assert_content(f, 0, 0, SIZE);
        assert_int_equal(f->records[1].result.bytes_fetched, SIZE); /* none came twice */
}

static void the_next_piece_is_not_asked_for_before_there_is_room(void **state) {
        struct fixture *f = *state;
        struct engine_piece one, pieces[] = { { 1000, 2 * MIB, 0 }, { 10 * MIB, MIB, 2 * MIB }, { 100, 50, 3 * MIB } };
        struct engine_request request = request_for(f, 1, url_of(&web, HUGE), &one);

        request.pieces = pieces;
        request.n_pieces = ELEMENTSOF(pieces);
        request.whole_file = false;
        request.pace.hold_at = 2 * MIB;
        assert_int_equal(engine_start(f->engine, &request), 0);
        wait_reported(f, 1, 2 * MIB);
        let_time_pass(f, 2);
        assert_int_equal(reported(f, 1), 2 * MIB);
        assert_int_equal(f->records[1].bytes_fetched, 2 * MIB);
        request.pace.hold_at = 2 * MIB + 1;
        engine_set_pace(f->engine, 1, &request.pace);
        wait_reported(f, 1, 2 * MIB + 1);
        let_time_pass(f, 3);
        assert_in_range(reported(f, 1), 2 * MIB + 1, 2 * MIB + 1 + BUFFER);
        request.pace.hold_at = 0;
        engine_set_pace(f->engine, 1, &request.pace);
        wait_finished(f, 3);
        assert_done(&f->records[1]);
        assert_content(f, 0, 1000, 2 * MIB);
        assert_content(f, 2 * MIB, 10 * MIB, MIB);
        assert_content(f, 3 * MIB, 100, 50);
}

/* Neither the watch over stalls nor the floor of rates takes it for the server's fault. */
static void who_is_held_has_not_stalled(void **state) {
        struct fixture *f = *state;
        struct engine_piece piece, other;
        struct engine_request request = request_for(f, 1, url_of(&web, HUGE), &piece);
        struct engine_request stalls = request_for(f, 2, url_of(&web, "/stall/1000/10"), &other);

        request.stall_timeout_usec = USEC_PER_SEC;
        request.floor_rate = 1000;
        request.pace.hold_at = MIB;
        stalls.stall_timeout_usec = 3 * USEC_PER_SEC;
        assert_int_equal(engine_start(f->engine, &request), 0);
        wait_reported(f, 1, MIB);
        assert_failed(fetch(f, &stalls), ERROR_TIMED_OUT); /* three seconds have passed */
        assert_false(f->records[1].finished);
        request.pace.hold_at = 0;
        engine_set_pace(f->engine, 1, &request.pace);
        wait_finished(f, 2);
        assert_done(&f->records[1]);
        assert_content(f, 0, 0, SIZE);
}

static void what_is_held_can_be_stopped(void **state) {
        struct fixture *f = *state;
        struct engine_piece piece;
        struct engine_request request = request_for(f, 1, url_of(&web, HUGE), &piece);

        request.pace.hold_at = MIB;
        assert_int_equal(engine_start(f->engine, &request), 0);
        wait_reported(f, 1, MIB);
        engine_stop(f->engine, 1);
        wait_finished(f, 1);
        assert_int_equal(f->records[1].outcome, ENGINE_STOPPED);
        assert_content(f, 0, 0, MIB);
}

/* Half a mebibyte may have been read at once by then; nor may what libcurl keeps of it come at once. */
static void a_limit_that_comes_in_mid_body_holds_from_the_next_byte_on(void **state) {
        struct fixture *f = *state;
        struct engine_piece piece;
        struct engine_request request = request_for(f, 1, url_of(&web, HUGE), &piece);
        uint64_t began;

        request.pace.hold_at = 4 * MIB;
        assert_int_equal(engine_start(f->engine, &request), 0);
        wait_reported(f, 1, 4 * MIB);
        began = clock_now(&clock_system, CLOCK_ID_MONOTONIC);
        request.pace.hold_at = 0;
        request.pace.max_rate = MIB / 4;
        engine_set_pace(f->engine, 1, &request.pace);
        wait_reported(f, 1, 4 * MIB + MIB / 2);
        assert_true(clock_now(&clock_system, CLOCK_ID_MONOTONIC) - began >= 17 * USEC_PER_SEC / 10);
        request.pace.max_rate = UINT64_MAX;
        engine_set_pace(f->engine, 1, &request.pace);
        wait_finished(f, 1);
        assert_done(&f->records[1]);
        assert_content(f, 0, 0, SIZE);
        assert_int_equal(f->records[1].result.bytes_fetched, SIZE);
}

/* libcurl hands over what it kept outside of its own turn, and would go on behind what was not taken. */
static void a_disk_that_is_full_is_told_when_what_was_kept_meets_it(void **state) {
        struct fixture *f = *state;
        struct engine_piece piece;
        struct engine_request request = request_for(f, 1, url_of(&web, HUGE), &piece);

        request.fd = memfd_create("small", MFD_CLOEXEC | MFD_ALLOW_SEALING);
        assert_true(request.fd >= 0);
        assert_int_equal(ftruncate(request.fd, 4 * MIB + 100000), 0);
        assert_int_equal(fcntl(request.fd, F_ADD_SEALS, F_SEAL_GROW), 0);
        request.pace.hold_at = 4 * MIB;
        assert_int_equal(engine_start(f->engine, &request), 0);
        wait_reported(f, 1, 4 * MIB);
        request.pace.hold_at = 0;
        request.pace.max_rate = MIB / 4;
        engine_set_pace(f->engine, 1, &request.pace);
        wait_finished(f, 1);
        assert_int_equal(f->records[1].outcome, ENGINE_FAILED);
        assert_int_equal(f->records[1].result.context, ERROR_CONTEXT_LOCAL_FILE);
        assert_in_range(reported(f, 1), 4 * MIB, 4 * MIB + 100000);
        close(request.fd);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(what_is_held_stops_there_and_goes_on_when_there_is_room),
                TEST(the_next_piece_is_not_asked_for_before_there_is_room),
                TEST(who_is_held_has_not_stalled),
                TEST(what_is_held_can_be_stopped),
                TEST(a_limit_that_comes_in_mid_body_holds_from_the_next_byte_on),
                TEST(a_disk_that_is_full_is_told_when_what_was_kept_meets_it),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

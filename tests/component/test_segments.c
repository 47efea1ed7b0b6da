/* Several connections for one file: who gets which part, and what the end of one means for the others. */
#include "harness.h"
#include "schedule/lessons.h"

#define SIZE UINT64_C(10000)

/* As many as there may be, at once: the clock need not turn. */
static int setup(void **state) {
        struct harness *h = harness_new();

        h->limits.segments = (struct segments_policy) { .min_bytes = 500, .max = 3 };
        harness_restart(h);
        harness_forget(h);
        *state = h;
        return 0;
}

/* Its first answer has come; the others are asked. The newest request is the third. */
static void begin(struct harness *h, uint64_t size) {
        assert_int_equal(harness_create(h, "big", true, false), 0);
        harness_metadata(h, harness_request(h, 0), size, "\"v1\"");
        harness_pump(h);
}

static void serve_all(struct harness *h) {
        for (unsigned i = 0; harness_running(h) > 0; i++) {
                struct fake_request *r = harness_request(h, i % harness_running(h));

                if (r->stop_asked)
                        harness_finish(h, r, ENGINE_STOPPED, ERROR_NONE, false);
                else {
                        if (!r->described)
                                harness_metadata(h, r, SIZE, "\"v1\"");
                        if (harness_write_next(h, r, SIZE, 700) == 0)
                                harness_finish(h, r, ENGINE_DONE, ERROR_NONE, false);
                }
                harness_pump(h);
                assert_true(i < 1000);
        }
}

static void finish_done(struct harness *h, struct fake_request *r) {
        while (harness_write_next(h, r, SIZE, SIZE) > 0)
                ;
        harness_finish(h, r, ENGINE_DONE, ERROR_NONE, false);
        harness_pump(h);
}

static void assert_transferred(struct harness *h) {
        assert_int_equal(harness_job(h)->state, JOB_TRANSFERRED);
        assert_int_equal(harness_job(h)->bytes_durable, SIZE);
        assert_int_equal(harness_call(h, manager_complete_job), 0);
        harness_assert_content(h, "big", SIZE);
}

static void a_file_is_divided_after_its_first_answer(void **state) {
        struct harness *h = *state;
        struct fake_request *first, *second, *third;

        begin(h, SIZE);
        harness_expect(h, "added big\nreply NONE\nstate big transferring\nengine: start http://origin/big from 0\n"
                          "engine: start http://origin/big from 5000 if \"v1\"\n"
                          "engine: start http://origin/big from 2500 if \"v1\"\n");
        third = harness_request(h, 0), second = harness_request(h, 1), first = harness_request(h, 2);
        assert_int_equal(first->pace.end_at, 0); /* nobody else has answered */
        assert_false(first->own_connection);
        assert_true(second->own_connection && third->own_connection); /* streams of one would be as fast as it is */
        assert_int_equal(manager_file_connections(harness_job(h)->files[0]), 1);
        harness_metadata(h, second, SIZE, "\"v1\"");
        assert_int_equal(first->pace.end_at, 5000);
        assert_int_equal(third->pieces[0].length, 2500); /* it knew */
        harness_metadata(h, third, SIZE, "\"v1\"");
        assert_int_equal(first->pace.end_at, 2500);
        assert_int_equal(manager_file_connections(harness_job(h)->files[0]), 3);
        serve_all(h);
        assert_transferred(h);
}

static void who_has_finished_takes_half_of_the_largest_rest(void **state) {
        struct harness *h = *state;

        begin(h, SIZE);
        harness_metadata(h, harness_request(h, 0), SIZE, "\"v1\"");
        harness_metadata(h, harness_request(h, 1), SIZE, "\"v1\"");
        harness_write(h, harness_request(h, 1), 5000, 6000);
        harness_forget(h);
        finish_done(h, harness_request(h, 2)); /* [0, 2500) */
        harness_expect(h, "engine: start http://origin/big from 8000 if \"v1\"\n");
        assert_int_equal(harness_request(h, 2)->pace.end_at, 0); /* 5000 and on, until the new one has answered */
        harness_metadata(h, harness_request(h, 0), SIZE, "\"v1\"");
        assert_int_equal(harness_request(h, 2)->pace.end_at, 8000);
        serve_all(h);
        assert_transferred(h);
}

static void one_whose_part_came_before_its_answer_is_stopped_and_the_rest_divided_anew(void **state) {
        struct harness *h = *state;
        struct fake_request *first;

        begin(h, SIZE);
        first = harness_request(h, 2);
        harness_write_next(h, first, SIZE, 3000); /* the third is asked for what lies behind 2500: it would bring 500 again */
        harness_forget(h);
        harness_metadata(h, harness_request(h, 0), SIZE, "\"v1\"");
        harness_pump(h);
        assert_int_equal(first->pace.end_at, 0);
        harness_expect(h, "engine: stop\nengine: start http://origin/big from 7500 if \"v1\"\n");
        serve_all(h);
        assert_transferred(h);
        assert_int_equal(harness_job(h)->bytes_fetched, SIZE);
}

static void one_that_was_hardly_overtaken_stays(void **state) {
        struct harness *h = *state;
        struct fake_request *first;

        begin(h, SIZE);
        first = harness_request(h, 2);
        harness_write_next(h, first, SIZE, 2999);
        harness_metadata(h, harness_request(h, 0), SIZE, "\"v1\"");
        assert_int_equal(first->pace.end_at, 2500);
        assert_false(harness_request(h, 0)->stop_asked);
        serve_all(h);
        assert_transferred(h);
}

static void a_refused_one_is_not_missed(void **state) {
        struct harness *h = *state;
        struct fake_request *first;

        begin(h, SIZE);
        first = harness_request(h, 2);
        harness_finish_status(h, harness_request(h, 0), 503, true);
        harness_finish_status(h, harness_request(h, 0), 403, false);
        harness_forget(h);
        harness_advance(h, USEC_PER_MINUTE);
        assert_int_equal(first->pace.end_at, 0);
        assert_int_equal(harness_running(h), 1);
        serve_all(h);
        assert_null(strstr(h->log, "engine: start"));
        assert_int_equal(harness_job(h)->error_count, 0);
        assert_transferred(h);
}

/* 200 instead of 206, or another validator: the engine's word for both is RESTART. */
static void a_server_without_ranges_goes_on_with_one(void **state) {
        struct harness *h = *state;

        begin(h, SIZE);
        harness_finish(h, harness_request(h, 0), ENGINE_RESTART, ERROR_NO_RANGE_SUPPORT, false);
        harness_finish(h, harness_request(h, 0), ENGINE_RESTART, ERROR_REMOTE_FILE_CHANGED, false);
        harness_forget(h);
        serve_all(h);
        assert_null(strstr(h->log, "engine: start"));
        assert_transferred(h);
}

static void what_a_broken_one_leaves_is_fetched_by_another(void **state) {
        struct harness *h = *state;

        begin(h, SIZE);
        harness_metadata(h, harness_request(h, 0), SIZE, "\"v1\"");
        harness_metadata(h, harness_request(h, 1), SIZE, "\"v1\"");
        harness_write(h, harness_request(h, 1), 5000, 5100); /* too little to be tried again at once */
        harness_forget(h);
        harness_finish(h, harness_request(h, 1), ENGINE_FAILED, ERROR_CONNECTION_CLOSED, true);
        harness_pump(h);
        harness_expect(h, "");
        assert_int_equal(harness_job(h)->state, JOB_TRANSFERRING);
        finish_done(h, harness_request(h, 1));
        harness_expect(h, "engine: start http://origin/big from 5100 if \"v1\"\n");
        serve_all(h);
        assert_transferred(h);
}

static void one_that_broke_after_enough_is_replaced_at_once(void **state) {
        struct harness *h = *state;

        begin(h, SIZE);
        harness_metadata(h, harness_request(h, 1), SIZE, "\"v1\"");
        harness_write(h, harness_request(h, 1), 5000, 6000);
        harness_forget(h);
        harness_finish(h, harness_request(h, 1), ENGINE_FAILED, ERROR_CONNECTION_CLOSED, true);
        harness_pump(h);
        harness_expect(h, "engine: start http://origin/big from 6000 if \"v1\"\n");
        serve_all(h);
        assert_transferred(h);
}

static void a_changed_file_whose_part_nobody_has_begins_anew(void **state) {
        struct harness *h = *state;

        begin(h, SIZE);
        harness_metadata(h, harness_request(h, 1), SIZE, "\"v1\"");
        harness_write(h, harness_request(h, 1), 5000, 6000);
        harness_finish(h, harness_request(h, 1), ENGINE_FAILED, ERROR_CONNECTION_CLOSED, true);
        harness_pump(h);
        harness_forget(h);
        harness_finish(h, harness_request(h, 0), ENGINE_RESTART, ERROR_REMOTE_FILE_CHANGED, false); /* the one from 6000 */
        harness_pump(h);
        harness_expect(h, "engine: stop\nengine: stop\nengine: start http://origin/big from 0\n");
        serve_all(h);
        assert_transferred(h);
}

static void the_jobs_error_is_that_of_the_last_one(void **state) {
        struct harness *h = *state;

        begin(h, SIZE);
        harness_metadata(h, harness_request(h, 1), SIZE, "\"v1\"");
        harness_finish_status(h, harness_request(h, 2), 500, true);
        harness_finish_status(h, harness_request(h, 0), 502, true);
        harness_pump(h);
        assert_int_equal(harness_job(h)->state, JOB_TRANSFERRING);
        harness_finish_status(h, harness_request(h, 0), 503, true);
        harness_pump(h);
        assert_int_equal(harness_job(h)->state, JOB_TRANSIENT_ERROR);
        assert_int_equal(harness_job(h)->error.detail, 503);
}

static void a_local_error_is_everybodys(void **state) {
        struct harness *h = *state;

        begin(h, SIZE);
        harness_forget(h);
        h->events->finished(h->events_userdata, harness_request(h, 1)->id, &(struct engine_result) {
                        .outcome = ENGINE_FAILED, .code = ERROR_NO_SPACE, .context = ERROR_CONTEXT_LOCAL_FILE, .transient = true, .text = "no space" });
        harness_request(h, 1)->finished = true;
        harness_pump(h);
        harness_expect(h, "engine: stop\nengine: stop\nstate big transient_error\n");
        assert_int_equal(harness_job(h)->error.code, ERROR_NO_SPACE);
}

static void an_answer_that_nobody_waits_for_any_more_is_not_waited_for(void **state) {
        struct harness *h = *state;

        begin(h, SIZE);
        finish_done(h, harness_request(h, 2)); /* all of it, before the others said a word */
        assert_int_equal(harness_running(h), 0);
        assert_transferred(h);
}

static void bytes_of_one_that_was_not_accepted_do_not_count(void **state) {
        struct harness *h = *state;
        struct fake_request *second;

        begin(h, SIZE);
        second = harness_request(h, 1);
        harness_forget(h);
        harness_metadata(h, second, SIZE + 1, "\"v1\"");
        harness_expect(h, "engine: stop\n");
        harness_write(h, second, 5000, 6000);
        assert_int_equal(harness_job(h)->bytes_received, 0);
        harness_finish(h, second, ENGINE_STOPPED, ERROR_NONE, false);
        serve_all(h);
        assert_transferred(h);
}

static void after_a_crash_the_holes_are_filled_whatever_the_parts_were(void **state) {
        struct harness *h = *state;

        begin(h, SIZE);
        harness_metadata(h, harness_request(h, 0), SIZE, "\"v1\"");
        harness_metadata(h, harness_request(h, 1), SIZE, "\"v1\"");
        harness_write(h, harness_request(h, 2), 0, 1000);
        harness_write(h, harness_request(h, 1), 5000, 6500);
        harness_write(h, harness_request(h, 0), 2500, 2600);
        harness_advance(h, 10 * USEC_PER_SEC); /* a checkpoint */
        assert_int_equal(harness_job(h)->bytes_durable, 2600);
        h->limits.segments.max = 2;
        harness_crash(h);
        harness_forget(h);
        harness_pump(h);
        harness_expect(h, "state big transferring\nengine: start http://origin/big from 1000 if \"v1\"\n");
        assert_int_equal(harness_request(h, 0)->n_pieces, 3);
        harness_metadata(h, harness_request(h, 0), SIZE, "\"v1\"");
        harness_pump(h);
        harness_expect(h, "engine: start http://origin/big from 4800 if \"v1\"\n"); /* 3700 of 7400 lie behind it */
        serve_all(h);
        assert_transferred(h);
}

static void suspend_stops_all_and_resume_goes_on_in_the_holes(void **state) {
        struct harness *h = *state;

        begin(h, SIZE);
        harness_metadata(h, harness_request(h, 1), SIZE, "\"v1\"");
        harness_write(h, harness_request(h, 1), 5000, 6500);
        harness_forget(h);
        manager_suspend_job(h->manager, harness_job(h), NULL, NULL);
        harness_pump(h);
        harness_expect(h, "engine: stop\nengine: stop\nengine: stop\nstate big suspended\n");
        assert_int_equal(harness_job(h)->bytes_durable, 1500);
        assert_int_equal(harness_call(h, manager_resume_job), 0);
        assert_int_equal(harness_request(h, 0)->n_pieces, 2);
        serve_all(h);
        assert_transferred(h);
}

static void another_file_of_the_same_server_gets_its_connection(void **state) {
        struct harness *h = *state;

        h->limits.engine.max_connections_per_host = 3;
        harness_restart(h);
        begin(h, SIZE);
        assert_int_equal(harness_running(h), 3);
        assert_int_equal(harness_create(h, "other", true, false), 0);
        harness_forget(h);
        harness_advance(h, 2 * USEC_PER_SEC);
        harness_expect(h, "engine: stop\n");
}

static void background_jobs_have_one(void **state) {
        struct harness *h = *state;
        struct manager_properties properties = MANAGER_PROPERTIES_NONE;

        begin(h, SIZE);
        harness_forget(h);
        properties.priority = JOB_PRIORITY_NORMAL;
        manager_set_properties(h->manager, harness_job(h), &properties, NULL, NULL);
        harness_advance(h, 2 * USEC_PER_SEC);
        assert_non_null(strstr(h->log, "engine: stop\nengine: stop\n"));
}

static void without_a_validator_there_is_one(void **state) {
        struct harness *h = *state;

        assert_int_equal(harness_create(h, "big", true, false), 0);
        harness_metadata(h, harness_request(h, 0), SIZE, NULL);
        harness_pump(h);
        assert_int_equal(harness_running(h), 1);
}

static void a_small_file_has_one(void **state) {
        struct harness *h = *state;

        begin(h, 999);
        assert_int_equal(harness_running(h), 1);
}

static void more_are_added_while_each_brings_its_share(void **state) {
        struct harness *h = *state;
        uint64_t size = UINT64_C(64) << 20, at[8] = {};

        h->limits = manager_limits_default;
        harness_restart(h);
        begin(h, size);
        for (unsigned tick = 0; tick < 40; tick++) {
                size_t n = harness_running(h);

                for (size_t i = 0; i < n; i++) {
                        struct fake_request *r = harness_request(h, n - 1 - i);

                        if (!r->described)
                                harness_metadata(h, r, size, "\"v1\"");
                        assert_true(i < ELEMENTSOF(at));
                        if (at[i] == 0)
                                at[i] = r->pieces[0].local_offset;
                        harness_write(h, r, at[i], at[i] + 20000); /* a server that gives each the same */
                        at[i] += 20000;
                }
                harness_advance(h, 100 * USEC_PER_MSEC);
        }
        assert_int_equal(harness_running(h), 6); /* of one host */
}

#define LARGE (UINT64_C(16) << 20)

/* A server that gives each connection 200 kB/s. */
static void bring_for(struct harness *h, unsigned ticks) {
        for (unsigned tick = 0; tick < ticks && harness_running(h) > 0; tick++) {
                for (size_t i = harness_running(h); i-- > 0;) {
                        struct fake_request *r = harness_request(h, i);

                        if (r->stop_asked)
                                harness_finish(h, r, ENGINE_STOPPED, ERROR_NONE, false);
                        else if (!r->described)
                                harness_metadata(h, r, LARGE, "\"v1\"");
                        else if (harness_write_next(h, r, LARGE, 20000) == 0)
                                harness_finish(h, r, ENGINE_DONE, ERROR_NONE, false);
                }
                harness_advance(h, 100 * USEC_PER_MSEC);
        }
}

/* One file of the server has been fetched, over six connections at last. */
static void learn(struct harness *h) {
        h->limits = manager_limits_default;
        harness_restart(h);
        begin(h, LARGE);
        bring_for(h, 30);
        assert_int_equal(harness_running(h), 6);
        bring_for(h, 1000);
        assert_int_equal(harness_job(h)->state, JOB_TRANSFERRED);
        assert_int_equal(harness_call(h, manager_complete_job), 0);
}

static void begin_next(struct harness *h, unsigned n_expected) {
        assert_int_equal(harness_create(h, "next", true, false), 0);
        harness_metadata(h, harness_request(h, 0), LARGE, "\"v1\"");
        harness_pump(h);
        assert_int_equal(harness_running(h), n_expected);
}

static void the_next_file_of_the_server_begins_with_as_many_as_paid_off(void **state) {
        struct harness *h = *state;

        learn(h);
        begin_next(h, 6);
        bring_for(h, 1000);
        assert_int_equal(harness_job(h)->state, JOB_TRANSFERRED);
        assert_int_equal(harness_call(h, manager_complete_job), 0);
        harness_assert_content(h, "next", LARGE);
}

static void what_was_learned_is_forgotten_after_ten_minutes(void **state) {
        struct harness *h = *state;

        learn(h);
        harness_advance(h, LESSON_LIFE_USEC);
        begin_next(h, 1);
}

static void what_was_learned_is_forgotten_on_another_network(void **state) {
        struct harness *h = *state;
        struct conditions conditions = CONDITIONS_UNKNOWN;

        learn(h);
        conditions.network_serial = 7;
        assert_int_equal(manager_set_conditions(h->manager, &conditions), 0);
        begin_next(h, 1);
}

static void what_was_learned_is_forgotten_when_the_server_fails(void **state) {
        struct harness *h = *state;

        learn(h);
        assert_int_equal(harness_create(h, "next", true, false), 0);
        harness_finish_status(h, harness_request(h, 0), 503, true);
        harness_pump(h);
        assert_int_equal(harness_call(h, manager_resume_job), 0);
        assert_int_equal(harness_running(h), 1);
        harness_metadata(h, harness_request(h, 0), LARGE, "\"v1\"");
        harness_pump(h);
        assert_int_equal(harness_running(h), 1);
}

static void what_was_learned_gives_no_file_more_than_its_limit(void **state) {
        struct harness *h = *state;

        learn(h);
        begin_next(h, 6);
        assert_int_equal(harness_create(h, "other", true, false), 0);
        harness_advance(h, 2 * USEC_PER_SEC);
        bring_for(h, 5); /* those that are one too many go */
        assert_true(harness_running(h) <= 6);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, harness_teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(a_file_is_divided_after_its_first_answer),
                TEST(who_has_finished_takes_half_of_the_largest_rest),
                TEST(one_whose_part_came_before_its_answer_is_stopped_and_the_rest_divided_anew),
                TEST(one_that_was_hardly_overtaken_stays),
                TEST(a_refused_one_is_not_missed),
                TEST(a_server_without_ranges_goes_on_with_one),
                TEST(what_a_broken_one_leaves_is_fetched_by_another),
                TEST(one_that_broke_after_enough_is_replaced_at_once),
                TEST(a_changed_file_whose_part_nobody_has_begins_anew),
                TEST(the_jobs_error_is_that_of_the_last_one),
                TEST(a_local_error_is_everybodys),
                TEST(an_answer_that_nobody_waits_for_any_more_is_not_waited_for),
                TEST(bytes_of_one_that_was_not_accepted_do_not_count),
                TEST(after_a_crash_the_holes_are_filled_whatever_the_parts_were),
                TEST(suspend_stops_all_and_resume_goes_on_in_the_holes),
                TEST(another_file_of_the_same_server_gets_its_connection),
                TEST(background_jobs_have_one),
                TEST(without_a_validator_there_is_one),
                TEST(a_small_file_has_one),
                TEST(more_are_added_while_each_brings_its_share),
                TEST(the_next_file_of_the_server_begins_with_as_many_as_paid_off),
                TEST(what_was_learned_is_forgotten_after_ten_minutes),
                TEST(what_was_learned_is_forgotten_on_another_network),
                TEST(what_was_learned_is_forgotten_when_the_server_fails),
                TEST(what_was_learned_gives_no_file_more_than_its_limit),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

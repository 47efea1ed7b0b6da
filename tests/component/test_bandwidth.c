/* The policies about bandwidth: what each request may have, at which time of the day, while the service runs. */
#include "harness.h"

#include <time.h>

#define KIB UINT64_C(1024)
#define MIB (1024 * KIB)
#define MIDNIGHT (UINT64_C(1782777600) * USEC_PER_SEC) /* 2026-06-30, UTC */

static void set_zone(const char *zone) {
        assert_int_equal(setenv("TZ", zone, 1), 0);
        tzset();
}

static void set_time(struct harness *h, unsigned hour, unsigned minute) {
        clock_fake_set_realtime(&h->clock, MIDNIGHT + hour * USEC_PER_HOUR + minute * USEC_PER_MINUTE);
}

static int setup(void **state) {
        struct harness *h = harness_new();

        set_zone("UTC0");
        set_time(h, 12, 0);
        *state = h;
        return 0;
}

/* As after SIGHUP. */
static void reload(struct harness *h) {
        manager_set_limits(h->manager, &h->limits, &h->schedule);
        harness_pump(h);
}

static void set_hours(struct harness *h, const char *foreground, const char *background) {
        assert_int_equal(hours_parse(foreground, &h->limits.foreground_bandwidth.hours), 0);
        assert_int_equal(hours_parse(background, &h->limits.background_bandwidth.hours), 0);
        reload(h);
}

static struct guid create(struct harness *h, const char *name, int priority) {
        char url[64], path[256];
        struct manager_file_spec file = {
                .file = { .url = url, .path = path, .stated_size = SIZE_UNKNOWN, .mode = 0644 },
        };

        snprintf(url, sizeof(url), "http://origin/%s", name);
        strcpy(path, harness_path(h, name));
        assert_int_equal(harness_create_with(h, &(struct manager_create_request) {
                        .name = name, .priority = priority, .replace = -1, .remote_time = -1, .resume = true,
                        .no_progress_timeout_s = -1, .minimum_retry_delay_s = -1, .notify_flags = -1, .files = &file, .n_files = 1 }), 0);
        return h->id;
}

static struct job *job_of(struct harness *h, struct guid id) {
        h->id = id;
        return harness_job(h);
}

static struct fake_request *request_for(struct harness *h, const char *name) {
        for (size_t i = 0; i < harness_running(h); i++)
                if (strcmp(strrchr(harness_request(h, i)->url, '/') + 1, name) == 0)
                        return harness_request(h, i);
        fail_msg("nobody asks for %s", name);
        return NULL;
}

/* Each running request brings what it may have, at most @able bytes per second. */
static void flow(struct harness *h, uint64_t able, unsigned seconds) {
        while (seconds-- > 0) {
                for (size_t i = 0; i < harness_running(h); i++) {
                        struct fake_request *r = harness_request(h, i);
                        uint64_t n = MIN(able, r->pace.max_rate);

                        if (!r->described)
                                harness_metadata(h, r, 4096 * MIB, NULL);
                        if (n > 0 && !r->stop_asked)
                                harness_write(h, r, r->written, r->written + n);
                }
                harness_advance(h, USEC_PER_SEC);
        }
}

/* ---- rates ---- */

static void a_new_rate_is_in_force_as_soon_as_it_was_read(void **state) {
        struct harness *h = *state;
        struct guid job = create(h, "a", JOB_PRIORITY_FOREGROUND);

        assert_int_equal(request_for(h, "a")->pace.max_rate, ENGINE_RATE_UNLIMITED);
        h->limits.foreground_bandwidth.max_rate = 300 * KIB;
        reload(h);
        assert_int_equal(request_for(h, "a")->pace.max_rate, 300 * KIB);
        h->limits.foreground_bandwidth.max_rate = 200 * KIB;
        h->limits.background_bandwidth.max_rate = 100 * KIB;
        reload(h);
        assert_int_equal(request_for(h, "a")->pace.max_rate, 200 * KIB);
        (void) create(h, "b", JOB_PRIORITY_NORMAL);
        (void) create(h, "c", JOB_PRIORITY_NORMAL);
        assert_int_equal(request_for(h, "a")->pace.max_rate, 200 * KIB);
        assert_int_equal(request_for(h, "b")->pace.max_rate, 50 * KIB);
        assert_int_equal(request_for(h, "c")->pace.max_rate, 50 * KIB);
        h->limits.foreground_bandwidth.max_rate = 0;
        reload(h);
        assert_int_equal(request_for(h, "a")->pace.max_rate, ENGINE_RATE_UNLIMITED);
        assert_int_equal(job_of(h, job)->state, JOB_TRANSFERRING);
        assert_int_equal(h->n_requests, 3); /* nobody was asked again */
}

static void a_percentage_is_of_what_the_first_three_seconds_showed(void **state) {
        struct harness *h = *state;

        h->limits.foreground_bandwidth.percent = 50;
        reload(h);
        (void) create(h, "a", JOB_PRIORITY_FOREGROUND);
        assert_int_equal(request_for(h, "a")->pace.max_rate, ENGINE_RATE_UNLIMITED);
        flow(h, 2 * MIB, 10);
        /* Ten seconds at half of the line, with the look in them. */
        assert_in_range(request_for(h, "a")->fetched, 97 * 10 * MIB / 100, 103 * 10 * MIB / 100);
        assert_int_equal(request_for(h, "a")->pace.max_rate, MIB);
        (void) create(h, "b", JOB_PRIORITY_FOREGROUND);
        assert_int_equal(request_for(h, "a")->pace.max_rate, MIB / 2);
        assert_int_equal(request_for(h, "b")->pace.max_rate, MIB / 2);
        (void) create(h, "c", JOB_PRIORITY_NORMAL);
        assert_int_equal(request_for(h, "c")->pace.max_rate, ENGINE_RATE_UNLIMITED);
}

static void another_network_is_looked_at_anew(void **state) {
        struct harness *h = *state;
        struct conditions conditions = CONDITIONS_UNKNOWN;
        struct manager_statistics statistics;

        h->limits.foreground_bandwidth.percent = 50;
        reload(h);
        (void) create(h, "a", JOB_PRIORITY_FOREGROUND);
        flow(h, 2 * MIB, 10);
        assert_int_equal(request_for(h, "a")->pace.max_rate, MIB);
        conditions.network_serial++;
        assert_int_equal(manager_set_conditions(h->manager, &conditions), 0);
        flow(h, 8 * MIB, 1);
        assert_int_equal(request_for(h, "a")->pace.max_rate, ENGINE_RATE_UNLIMITED);
        flow(h, 8 * MIB, 10);
        assert_int_equal(request_for(h, "a")->pace.max_rate, 4 * MIB);
        manager_get_statistics(h->manager, &statistics);
        assert_int_equal(statistics.line_capacity, 8 * MIB);
        assert_int_equal(statistics.foreground_rate_limit, 4 * MIB);
        assert_int_equal(statistics.background_rate_limit, 0);
}

static void a_line_that_is_not_known_starves_nobody(void **state) {
        struct harness *h = *state;

        h->limits.background_bandwidth.percent = 1;
        reload(h);
        (void) create(h, "a", JOB_PRIORITY_NORMAL);
        flow(h, 0, 30); /* the server thinks */
        assert_int_equal(request_for(h, "a")->pace.max_rate, ENGINE_RATE_UNLIMITED);
        flow(h, 100, 300); /* and is slow */
        assert_in_range(request_for(h, "a")->pace.max_rate, LINE_CAPACITY_MIN / 100 - 1, LINE_CAPACITY_MIN / 100);
}

/* ---- hours ---- */

static void in_hours_without_downloads_a_job_waits_for_their_end(void **state) {
        struct harness *h = *state;
        struct guid id = create(h, "a", JOB_PRIORITY_NORMAL);
        struct job *job;

        flow(h, 100 * KIB, 2);
        harness_forget(h);
        set_time(h, 17, 59);
        set_hours(h, "", "18-6 0% 100%");
        flow(h, 100 * KIB, 61);
        job = job_of(h, id);
        assert_int_equal(job->state, JOB_TRANSIENT_ERROR);
        assert_int_equal(job->error.code, ERROR_BLOCKED_BY_POLICY);
        assert_int_equal(job->waiting, WAITING_POLICY);
        assert_int_equal(job->error_count, 0);
        assert_int_equal(manager_retry_time(h->manager, job), MIDNIGHT + 30 * USEC_PER_HOUR);
        assert_true(job->bytes_durable >= 60 * 100 * KIB);
        harness_expect(h, "engine: stop\n"
                          "state a transient_error\n");
        for (unsigned i = 0; i < 11; i++)
                harness_advance(h, USEC_PER_HOUR);
        harness_expect(h, "");
        harness_advance(h, USEC_PER_HOUR);
        assert_int_equal(job->state, JOB_TRANSFERRING);
        assert_true(harness_request(h, 0)->pieces[0].remote_offset >= 60 * 100 * KIB);
}

static void a_job_that_comes_in_such_hours_asks_nobody(void **state) {
        struct harness *h = *state;
        struct guid background, foreground;

        set_hours(h, "", "8-18 0% 100%");
        background = create(h, "a", JOB_PRIORITY_NORMAL);
        foreground = create(h, "b", JOB_PRIORITY_FOREGROUND);
        assert_int_equal(h->n_requests, 1);
        assert_string_equal(harness_request(h, 0)->url, "http://origin/b");
        assert_int_equal(job_of(h, background)->waiting, WAITING_POLICY);
        assert_int_equal(job_of(h, foreground)->state, JOB_TRANSFERRING);
        harness_restart(h);
        harness_pump(h);
        assert_int_equal(job_of(h, background)->waiting, WAITING_POLICY);
        harness_advance(h, 6 * USEC_PER_HOUR);
        assert_int_equal(job_of(h, background)->state, JOB_TRANSFERRING);
}

static void a_request_that_may_have_had_its_effect_is_not_taken_away(void **state) {
        struct harness *h = *state;
        struct manager_properties properties = MANAGER_PROPERTIES_NONE;
        struct guid id;

        assert_int_equal(harness_create(h, "a", false, false), 0);
        id = h->id;
        properties.http_method = "POST";
        properties.priority = JOB_PRIORITY_NORMAL;
        manager_set_properties(h->manager, job_of(h, id), &properties, NULL, NULL);
        harness_pump(h);
        assert_int_equal(harness_call(h, manager_resume_job), 0);
        flow(h, 100 * KIB, 1);
        set_hours(h, "", "8-18 0% 100%");
        flow(h, 100 * KIB, 60);
        assert_int_equal(job_of(h, id)->state, JOB_TRANSFERRING);
        assert_true(request_for(h, "a")->fetched >= 60 * 100 * KIB);
}

static void other_hours_or_another_priority_let_it_go_on(void **state) {
        struct harness *h = *state;
        struct manager_properties properties = MANAGER_PROPERTIES_NONE;
        struct guid a, b;

        set_hours(h, "", "8-18 0% 100%");
        a = create(h, "a", JOB_PRIORITY_NORMAL);
        b = create(h, "b", JOB_PRIORITY_NORMAL);
        properties.priority = JOB_PRIORITY_FOREGROUND;
        manager_set_properties(h->manager, job_of(h, a), &properties, NULL, NULL);
        harness_pump(h);
        assert_int_equal(job_of(h, a)->state, JOB_TRANSFERRING);
        assert_int_equal(job_of(h, b)->state, JOB_TRANSIENT_ERROR);
        set_hours(h, "", "8-18 10% 100%");
        assert_int_equal(job_of(h, b)->state, JOB_TRANSFERRING);
        set_hours(h, "8-18 0% 100%", "");
        assert_int_equal(job_of(h, a)->state, JOB_TRANSIENT_ERROR);
        assert_int_equal(manager_retry_time(h->manager, job_of(h, a)), MIDNIGHT + 18 * USEC_PER_HOUR);
        set_hours(h, "8-22 0% 100%", "");
        assert_int_equal(manager_retry_time(h->manager, job_of(h, a)), MIDNIGHT + 22 * USEC_PER_HOUR);
        assert_int_equal(job_of(h, b)->state, JOB_TRANSFERRING);
}

static void a_clock_that_is_set_and_another_time_zone_are_noticed(void **state) {
        struct harness *h = *state;
        struct guid id;

        set_hours(h, "", "8-18 0% 100%");
        id = create(h, "a", JOB_PRIORITY_NORMAL);
        assert_int_equal(job_of(h, id)->state, JOB_TRANSIENT_ERROR);
        set_time(h, 20, 0);
        harness_advance(h, 15 * USEC_PER_MINUTE);
        assert_int_equal(job_of(h, id)->state, JOB_TRANSFERRING);
        set_zone("AST+9"); /* 11 o'clock there */
        harness_advance(h, USEC_PER_MINUTE);
        assert_int_equal(job_of(h, id)->state, JOB_TRANSIENT_ERROR);
        assert_int_equal(manager_retry_time(h->manager, job_of(h, id)), MIDNIGHT + 27 * USEC_PER_HOUR);
}

static void hours_end_when_the_local_clock_says_so_on_days_of_other_lengths(void **state) {
        static const struct {
                uint64_t blocked_at, goes_on_at; /* seconds since the epoch */
        } rows[] = {
                { 1774738800, 1774746000 }, /* 2026-03-29: from 0 o'clock to 3 o'clock are two hours */
                { 1792879200, 1792893600 }, /* 2026-10-25: and here, four */
        };
        struct harness *h = *state;

        set_zone("CET-1CEST,M3.5.0,M10.5.0/3");
        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                struct guid id;

                clock_fake_set_realtime(&h->clock, rows[i].blocked_at * USEC_PER_SEC);
                set_hours(h, "", "22-3 0% 100%");
                id = create(h, i == 0 ? "a" : "b", JOB_PRIORITY_NORMAL);
                assert_int_equal(manager_retry_time(h->manager, job_of(h, id)), rows[i].goes_on_at * USEC_PER_SEC);
                harness_advance(h, (rows[i].goes_on_at - rows[i].blocked_at) * USEC_PER_SEC - 1);
                assert_int_equal(job_of(h, id)->state, JOB_TRANSIENT_ERROR);
                harness_advance(h, 1);
                assert_int_equal(job_of(h, id)->state, JOB_TRANSFERRING);
        }
}

static void percentages_change_with_the_hour(void **state) {
        struct harness *h = *state;

        set_time(h, 17, 58);
        set_hours(h, "", "8-18 25% 50%");
        (void) create(h, "a", JOB_PRIORITY_NORMAL);
        flow(h, 4 * MIB, 60);
        assert_int_equal(request_for(h, "a")->pace.max_rate, MIB);
        flow(h, 4 * MIB, 61);
        assert_int_equal(request_for(h, "a")->pace.max_rate, 2 * MIB);
        set_hours(h, "", "18-19 100% 25%");
        assert_int_equal(request_for(h, "a")->pace.max_rate, ENGINE_RATE_UNLIMITED);
        set_time(h, 19, 0);
        harness_advance(h, USEC_PER_MINUTE);
        assert_int_equal(request_for(h, "a")->pace.max_rate, MIB);
}

static void a_service_without_downloads_sleeps_whatever_the_hours(void **state) {
        struct harness *h = *state;
        struct guid id;

        h->limits.foreground_bandwidth.percent = 10;
        set_hours(h, "8-18 10% 20%", "8-18 0% 100%");
        assert_int_equal(manager_next_deadline(h->manager), USEC_INFINITY);
        id = create(h, "a", JOB_PRIORITY_NORMAL);
        assert_true(manager_next_deadline(h->manager) <= clock_now(&h->clock.clock, CLOCK_ID_BOOTTIME) + 15 * USEC_PER_MINUTE);
        assert_int_equal(harness_call(h, manager_cancel_job), 0);
        harness_advance(h, 15 * USEC_PER_MINUTE);
        assert_int_equal(manager_next_deadline(h->manager), USEC_INFINITY);
        (void) id;
        (void) create(h, "b", JOB_PRIORITY_FOREGROUND);
        harness_serve(h, harness_request(h, 0), 1000);
        assert_int_equal(harness_call(h, manager_complete_job), 0);
        harness_advance(h, 15 * USEC_PER_MINUTE);
        assert_int_equal(manager_next_deadline(h->manager), USEC_INFINITY);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, harness_teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(a_new_rate_is_in_force_as_soon_as_it_was_read),
                TEST(a_percentage_is_of_what_the_first_three_seconds_showed),
                TEST(another_network_is_looked_at_anew),
                TEST(a_line_that_is_not_known_starves_nobody),
                TEST(in_hours_without_downloads_a_job_waits_for_their_end),
                TEST(a_job_that_comes_in_such_hours_asks_nobody),
                TEST(a_request_that_may_have_had_its_effect_is_not_taken_away),
                TEST(other_hours_or_another_priority_let_it_go_on),
                TEST(a_clock_that_is_set_and_another_time_zone_are_noticed),
                TEST(hours_end_when_the_local_clock_says_so_on_days_of_other_lengths),
                TEST(percentages_change_with_the_hour),
                TEST(a_service_without_downloads_sleeps_whatever_the_hours),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

/* What time alone does to a job: the end of its life, and how far apart its changes are told. */
#include "harness.h"

static void create(struct harness *h, enum job_family family) {
        struct manager_file_spec file = {
                .file = { .url = "http://origin/file", .path = harness_path(h, "file"), .stated_size = SIZE_UNKNOWN, .mode = 0644 },
        };

        assert_int_equal(harness_create_with(h, &(struct manager_create_request) {
                                 .family = family, .name = "file", .priority = JOB_PRIORITY_FOREGROUND, .resume = true, .replace = -1,
                                 .remote_time = -1, .no_progress_timeout_s = -1, .minimum_retry_delay_s = -1, .notify_flags = -1,
                                 .files = &file, .n_files = 1,
                         }), 0);
}

/* What came of the file, and what is whole, go with the job. */
static void assert_expires_after(struct harness *h, enum job_family family, uint64_t life_usec, bool whole) {
        struct fake_request *r;

        create(h, family);
        r = harness_request(h, 0);
        if (whole)
                harness_serve(h, r, 1000);
        else {
                harness_metadata(h, r, 1000, "\"v1\"");
                harness_write(h, r, 0, 500);
                assert_int_equal(harness_call(h, manager_suspend_job), 0);
        }
        assert_int_equal(harness_count_temp(h), 1);
        harness_advance(h, life_usec - USEC_PER_HOUR);
        assert_int_equal(harness_job(h)->state, whole ? JOB_TRANSFERRED : JOB_SUSPENDED);
        assert_int_equal(harness_count_temp(h), 1);
        harness_forget(h);
        harness_advance(h, USEC_PER_HOUR);
        harness_expect(h, "removed file cancelled\n");
        assert_int_equal(harness_count_temp(h), 0);
        assert_false(harness_exists(h, "file"));
}

/* SENTENCES: life.bits life.do state.expiry */
static void a_job_at_the_end_of_its_life_goes_with_its_files(void **state) {
        for (int whole = 0; whole <= 1; whole++) {
                assert_expires_after(*state, JOB_FAMILY_DO, 30 * USEC_PER_DAY, whole);
                assert_expires_after(*state, JOB_FAMILY_BITS, 90 * USEC_PER_DAY, whole);
        }
}

static void an_administrator_may_let_jobs_of_bits_wait_less_long(void **state) {
        struct harness *h = *state;

        h->limits.job_inactivity_usec = 7 * USEC_PER_DAY;
        manager_set_limits(h->manager, &h->limits, &h->schedule);
        assert_expires_after(h, JOB_FAMILY_BITS, 7 * USEC_PER_DAY, false);
        assert_expires_after(h, JOB_FAMILY_DO, 30 * USEC_PER_DAY, false);
}

/* ---- how often ---- */

static unsigned n_told;
static struct manager_properties properties;

static void on_deliver(void *userdata _unused_, const struct job *job _unused_, const struct manager_notice *notice) {
        assert_int_equal(notice->event, JOB_NOTIFY_MODIFICATION);
        n_told++;
}

static const struct manager_notifier notifier = { .deliver = on_deliver };

static void set_properties(struct manager *m, struct job *job, manager_reply_fn fn, void *userdata) {
        manager_set_properties(m, job, &properties, fn, userdata);
}

static void change(struct harness *h, const char *description) {
        properties = MANAGER_PROPERTIES_NONE;
        properties.description = description;
        assert_int_equal(harness_call(h, set_properties), 0);
}

/* Changes as they come, and each is told with those before it when the interval is over. */
static void assert_told_every(struct harness *h, uint64_t interval_usec) {
        n_told = 0;
        for (unsigned i = 1; i <= 3; i++) {
                change(h, "one");
                change(h, "another");
                harness_advance(h, interval_usec - 1);
                change(h, "the last");
                assert_int_equal(n_told, i - 1);
                harness_advance(h, 1);
                assert_int_equal(n_told, i);
        }
        harness_advance(h, USEC_PER_MINUTE);
        assert_int_equal(n_told, 3);
}

/* SENTENCES: notify.interval callback.modification */
static void changes_are_told_an_interval_apart(void **state) {
        struct harness *h = *state;

        create(h, JOB_FAMILY_BITS);
        assert_int_equal(harness_call(h, manager_suspend_job), 0);
        properties = MANAGER_PROPERTIES_NONE;
        properties.notify_flags = JOB_NOTIFY_MODIFICATION;
        assert_int_equal(harness_call(h, set_properties), 0);
        manager_set_notifier(h->manager, harness_job(h), &notifier, h);
        harness_advance(h, USEC_PER_MINUTE);
        assert_told_every(h, 500 * USEC_PER_MSEC);
        properties = MANAGER_PROPERTIES_NONE;
        properties.notification_interval_ms = 2000;
        assert_int_equal(harness_call(h, set_properties), 0);
        harness_advance(h, USEC_PER_MINUTE);
        assert_told_every(h, 2000 * USEC_PER_MSEC);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(a_job_at_the_end_of_its_life_goes_with_its_files, harness_setup, harness_teardown),
                cmocka_unit_test_setup_teardown(an_administrator_may_let_jobs_of_bits_wait_less_long, harness_setup, harness_teardown),
                cmocka_unit_test_setup_teardown(changes_are_told_an_interval_apart, harness_setup, harness_teardown),
        };

        return cmocka_run_group_tests_name("what time does to a job", tests, NULL, NULL);
}

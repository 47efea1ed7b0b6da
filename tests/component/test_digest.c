/* The digest of a whole file is computed beside its transfer, and decides at its end. */
#include "harness.h"

#include <string.h>

#define MIB (UINT64_C(1) << 20)
#define SIZE (20 * MIB)

static uint8_t digest[32];

static void create(struct harness *h, bool with_digest) {
        _cleanup_free_ char *path = strdup(harness_path(h, "file"));
        struct manager_file_spec file = {
                .file = { .url = "http://origin/file", .path = path, .stated_size = SIZE_UNKNOWN, .mode = 0644,
                          .sha256 = with_digest ? digest : NULL },
        };

        assert_int_equal(harness_create_with(h, &(struct manager_create_request) {
                        .name = "file", .priority = 0, .replace = -1, .remote_time = -1, .resume = true, .no_progress_timeout_s = -1,
                        .complete_when_transferred = true, .minimum_retry_delay_s = -1, .notify_flags = -1, .files = &file,
                        .n_files = 1 }), 0);
        harness_metadata(h, harness_request(h, 0), SIZE, "\"1\"");
        harness_pump(h);
}

/* Return: how much of the owner role's work it gave rise to. */
static size_t asked_by_writing(struct harness *h, uint64_t start, uint64_t end) {
        size_t before = files_outstanding(h->files);

        harness_write(h, harness_request(h, 0), start, end);
        return files_outstanding(h->files) - before;
}

static void finish(struct harness *h) {
        harness_finish(h, harness_request(h, 0), ENGINE_DONE, ERROR_NONE, false);
        harness_pump(h);
}

static void what_came_is_read_while_more_comes(void **state) {
        struct harness *h = *state;

        create(h, true);
        assert_int_equal(asked_by_writing(h, 0, 8 * MIB - 1), 0); /* not worth it yet */
        assert_int_equal(asked_by_writing(h, 8 * MIB - 1, 8 * MIB), 1);
        assert_int_equal(asked_by_writing(h, 8 * MIB, 17 * MIB), 0); /* one at a time... */
        assert_int_equal(files_wait(h->files), 1);
        assert_int_equal(files_outstanding(h->files), 1); /* ...and the next at once */
        harness_pump(h);
        assert_int_equal(asked_by_writing(h, 17 * MIB, SIZE), 0);
        finish(h);
        harness_assert_content(h, "file", SIZE);
}

static void what_came_out_of_order_is_read_when_nothing_is_missing_before_it(void **state) {
        struct harness *h = *state;

        create(h, true);
        assert_int_equal(asked_by_writing(h, 10 * MIB, SIZE), 0);
        assert_int_equal(asked_by_writing(h, 0, 10 * MIB), 1);
        finish(h);
        harness_assert_content(h, "file", SIZE);
}

static void with_few_cores_what_comes_fast_is_read_when_it_is_all_there(void **state) {
        struct harness *h = *state;

        h->few_cores = true;
        harness_restart(h);
        create(h, true);
        assert_int_equal(asked_by_writing(h, 0, MIB), 0);
        clock_fake_advance(&h->clock, 20 * USEC_PER_MSEC);
        assert_int_equal(asked_by_writing(h, MIB, 10 * MIB), 0); /* 470 MB/s */
        clock_fake_advance(&h->clock, 20 * USEC_PER_MSEC);
        assert_int_equal(asked_by_writing(h, 10 * MIB, 11 * MIB), 1); /* 260 MB/s since the beginning */
        harness_pump(h);
        assert_int_equal(asked_by_writing(h, 11 * MIB, SIZE), 0); /* 500 MB/s */
        finish(h);
        harness_assert_content(h, "file", SIZE);
}

static void nothing_is_read_where_no_digest_is_expected(void **state) {
        struct harness *h = *state;

        create(h, false);
        assert_int_equal(asked_by_writing(h, 0, SIZE), 0);
        finish(h);
        harness_assert_content(h, "file", SIZE);
}

static void wrong_bytes_are_found_and_fetched_anew(void **state) {
        struct harness *h = *state;

        create(h, true);
        harness_request(h, 0)->lies = true;
        assert_int_equal(asked_by_writing(h, 0, SIZE), 1);
        finish(h);
        assert_int_equal(harness_job(h)->state, JOB_TRANSFERRING);
        assert_false(harness_exists(h, "file"));
        harness_metadata(h, harness_request(h, 0), SIZE, "\"1\"");
        assert_int_equal(asked_by_writing(h, 0, SIZE), 1);
        finish(h);
        harness_assert_content(h, "file", SIZE);
}

static void a_job_that_is_suspended_meanwhile_goes_on_later(void **state) {
        struct harness *h = *state;

        create(h, true);
        assert_int_equal(asked_by_writing(h, 0, 9 * MIB), 1);
        assert_int_equal(harness_call(h, manager_suspend_job), 0);
        harness_pump(h);
        assert_int_equal(harness_job(h)->state, JOB_SUSPENDED);
        assert_int_equal(harness_call(h, manager_resume_job), 0);
        harness_metadata(h, harness_request(h, 0), SIZE, "\"1\"");
        assert_int_equal(asked_by_writing(h, 9 * MIB, SIZE), 1); /* from its beginning: it is another descriptor */
        finish(h);
        harness_assert_content(h, "file", SIZE);
}

static void a_job_that_is_cancelled_meanwhile_leaves_nothing(void **state) {
        struct harness *h = *state;

        create(h, true);
        assert_int_equal(asked_by_writing(h, 0, 9 * MIB), 1);
        assert_int_equal(harness_call(h, manager_cancel_job), 0);
        harness_pump(h);
        assert_int_equal(harness_count_temp(h), 0);
        assert_int_equal(files_outstanding(h->files), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, harness_setup, harness_teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(what_came_is_read_while_more_comes),
                TEST(what_came_out_of_order_is_read_when_nothing_is_missing_before_it),
                TEST(with_few_cores_what_comes_fast_is_read_when_it_is_all_there),
                TEST(nothing_is_read_where_no_digest_is_expected),
                TEST(wrong_bytes_are_found_and_fetched_anew),
                TEST(a_job_that_is_suspended_meanwhile_goes_on_later),
                TEST(a_job_that_is_cancelled_meanwhile_leaves_nothing),
        };

        harness_digest(SIZE, digest);
        return cmocka_run_group_tests(tests, NULL, NULL);
}

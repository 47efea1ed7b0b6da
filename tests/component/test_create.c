/* Calls that make jobs and add files: what one does while another is under way. */
#include <stdio.h>

#include "harness.h"

#define N_SLOW 400

static struct manager_file_spec spec_for(const char *path) {
        return (struct manager_file_spec) {
                .file = { .url = "http://origin/x", .path = path, .stated_size = SIZE_UNKNOWN, .mode = 0644 },
        };
}

struct added {
        int outcome;
        uint32_t first_index;
        unsigned order;
};

static unsigned n_added;

static void on_added(const struct manager_reply *reply, void *userdata) {
        struct added *added = userdata;

        *added = (struct added) { .outcome = reply->outcome, .first_index = reply->first_index, .order = ++n_added };
}

/* @paths: of the first call, N_SLOW of them. */
static void add_twice(struct harness *h, char (*paths)[256], struct added *ret_first, struct added *ret_second) {
        struct manager_file_spec slow[N_SLOW], quick = spec_for("/dev/shm/dosvc-test-of-another-mount");
        struct manager_file_spec before = spec_for(paths[0]);

        n_added = 0;
        for (unsigned i = 1; i < N_SLOW; i++)
                slow[i - 1] = spec_for(paths[i]);
        assert_int_equal(harness_create_with(h, &(struct manager_create_request) {
                                 .family = JOB_FAMILY_DO, .name = "job", .priority = JOB_PRIORITY_FOREGROUND, .replace = -1,
                                 .remote_time = -1, .no_progress_timeout_s = -1, .minimum_retry_delay_s = -1, .notify_flags = -1,
                                 .files = &before, .n_files = 1,
                         }), 0);
        manager_add_files(h->manager, harness_job(h), slow, N_SLOW - 1, on_added, ret_first);
        manager_add_files(h->manager, harness_job(h), &quick, 1, on_added, ret_second);
        harness_pump(h);
}

static void name_paths(struct harness *h, char (*paths)[256]) {
        for (unsigned i = 0; i < N_SLOW; i++)
                snprintf(paths[i], sizeof(paths[i]), "%s/file%u", h->directory, i);
}

/* The second one's only destination is on another mount, whose answer is there long before the first one's. */
static void files_are_added_in_the_order_of_the_calls(void **state) {
        static char paths[N_SLOW][256];
        struct harness *h = *state;
        struct added first = {}, second = {};

        name_paths(h, paths);
        add_twice(h, paths, &first, &second);
        assert_int_equal(n_added, 2);
        assert_int_equal(first.outcome, 0);
        assert_int_equal(first.order, 1);
        assert_int_equal(first.first_index, 1);
        assert_int_equal(second.outcome, 0);
        assert_int_equal(second.first_index, N_SLOW);
        assert_string_equal(harness_job(h)->files[N_SLOW]->path, "/dev/shm/dosvc-test-of-another-mount");
        assert_int_equal(harness_job(h)->n_files, N_SLOW + 1);
}

static void a_call_that_is_refused_holds_up_no_later_one(void **state) {
        static char paths[N_SLOW][256];
        struct harness *h = *state;
        struct added first = {}, second = {};

        name_paths(h, paths);
        snprintf(paths[N_SLOW / 2], sizeof(paths[0]), "%s/no-such-directory/file", h->directory);
        add_twice(h, paths, &first, &second);
        assert_int_equal(first.outcome, ERROR_DIRECTORY_NOT_FOUND);
        assert_int_equal(first.order, 1);
        assert_int_equal(second.outcome, 0);
        assert_int_equal(second.first_index, 1);
        assert_int_equal(harness_job(h)->n_files, 2);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(files_are_added_in_the_order_of_the_calls, harness_setup, harness_teardown),
                cmocka_unit_test_setup_teardown(a_call_that_is_refused_holds_up_no_later_one, harness_setup, harness_teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Downloads (IDOManager) and volatile jobs: what differs from a job of files. */
#include "harness.h"

#include <unistd.h>

#define MIB (UINT64_C(1) << 20)

/* What a call has beside the job. */
static struct {
        char path[256];
        const char *url;
        struct byte_range ranges[4];
        size_t n_ranges;
        struct manager_properties properties;
} with;

static void set_path(struct manager *m, struct job *job, manager_reply_fn fn, void *userdata) {
        manager_set_file_path(m, job->files[0], with.path, 0640, &(struct file_identity) {}, fn, userdata);
}

static void set_url(struct manager *m, struct job *job, manager_reply_fn fn, void *userdata) {
        manager_set_file_url(m, job->files[0], with.url, fn, userdata);
}

static void start(struct manager *m, struct job *job, manager_reply_fn fn, void *userdata) {
        manager_start_download(m, job, with.ranges, with.n_ranges, fn, userdata);
}

static void set_properties(struct manager *m, struct job *job, manager_reply_fn fn, void *userdata) {
        manager_set_properties(m, job, &with.properties, fn, userdata);
}

static int call_set_path(struct harness *h, const char *name) {
        snprintf(with.path, sizeof(with.path), "%s", harness_path(h, name));
        return harness_call(h, set_path);
}

static int call_set_url(struct harness *h, const char *url) {
        with.url = url;
        return harness_call(h, set_url);
}

static int call_start(struct harness *h, size_t n, const struct byte_range *ranges) {
        with.n_ranges = n;
        if (n > 0)
                memcpy(with.ranges, ranges, n * sizeof(*ranges));
        return harness_call(h, start);
}

static int create_with(struct harness *h, enum job_kind kind, const void *client, const char *url, const char *path, bool resume) {
        struct manager_file_spec file = {
                .file = { .url = url, .path = path, .stated_size = SIZE_UNKNOWN, .mode = 0644 },
        };

        return harness_create_with(h, &(struct manager_create_request) {
                        .family = JOB_FAMILY_DO,
                        .kind = kind,
                        .client = client,
                        .resume = resume,
                        .name = "download",
                        .priority = JOB_PRIORITY_FOREGROUND,
                        .replace = -1,
                        .remote_time = -1,
                        .no_progress_timeout_s = -1,
                        .minimum_retry_delay_s = -1,
                        .notify_flags = -1,
                        .files = &file,
                        .n_files = 1,
                });
}

static int create(struct harness *h, enum job_kind kind, const void *client, const char *url, const char *path) {
        return create_with(h, kind, client, url, path, false);
}

/* SENTENCES: download.create */
static void a_download_gets_url_and_destination_after_it_was_made(void **state) {
        struct harness *h = *state;

        assert_int_equal(create(h, JOB_KIND_DOWNLOAD, NULL, "", ""), 0);
        assert_int_equal(call_start(h, 0, NULL), ERROR_NO_URI);
        assert_int_equal(call_set_url(h, "http://origin/file"), 0);
        assert_int_equal(call_start(h, 0, NULL), ERROR_NO_LOCAL_PATH);
        assert_int_equal(call_set_path(h, "no/such/folder"), ERROR_DIRECTORY_NOT_FOUND);
        assert_int_equal(call_set_path(h, "other"), 0);
        assert_int_equal(call_set_path(h, "file"), 0);
        harness_restart(h); /* all of it is durable */
        harness_forget(h);
        assert_int_equal(call_start(h, 0, NULL), 0);
        harness_expect(h, "reply NONE\nstate download transferring\nengine: start http://origin/file from 0\n");

        assert_int_equal(call_set_url(h, "http://origin/other"), ERROR_INVALID_STATE);
        assert_int_equal(call_set_path(h, "other"), ERROR_INVALID_STATE);
        assert_int_equal(harness_call(h, manager_complete_job), ERROR_INVALID_STATE);
        assert_int_equal(call_start(h, 0, NULL), 0);
        harness_serve(h, harness_request(h, 0), MIB);
        assert_int_equal(harness_job(h)->state, JOB_TRANSFERRED);
        assert_int_equal(harness_call(h, manager_suspend_job), 0);
        assert_int_equal(harness_job(h)->state, JOB_TRANSFERRED);
        assert_int_equal(call_set_url(h, "http://origin/other"), ERROR_INVALID_STATE);
        assert_int_equal(harness_call(h, manager_complete_job), 0);
        harness_assert_content(h, "file", MIB);
}

/* SENTENCES: download.destination */
static void a_destination_that_exists_is_refused_when_it_is_set(void **state) {
        struct harness *h = *state;
        FILE *there = fopen(harness_path(h, "there"), "we");

        assert_non_null(there);
        fclose(there);
        assert_int_equal(create(h, JOB_KIND_DOWNLOAD, NULL, "http://origin/f", ""), 0);
        assert_int_equal(call_set_path(h, "there"), ERROR_FILE_EXISTS);
        assert_int_equal(call_start(h, 0, NULL), ERROR_NO_LOCAL_PATH);
}

/* SENTENCES: download.start */
static void a_second_portion_stands_behind_the_first(void **state) {
        static const struct byte_range first = { 100, 10 }, second = { 0, 20 }, overlapping = { 105, 1 };
        struct harness *h = *state;
        struct fake_request *r;

        assert_int_equal(create(h, JOB_KIND_DOWNLOAD, NULL, "http://origin/f", harness_path(h, "f")), 0);
        assert_int_equal(call_start(h, 1, &first), 0);
        r = harness_request(h, 0);
        assert_int_equal(r->pieces[0].remote_offset, 100);
        harness_metadata(h, r, 1000, "\"1\"");
        harness_write(h, r, 0, 10);
        harness_finish(h, r, ENGINE_DONE, ERROR_NONE, false);
        harness_pump(h);
        assert_int_equal(harness_job(h)->state, JOB_TRANSFERRED);

        assert_int_equal(call_start(h, 1, &first), 0); /* it has them */
        assert_int_equal(harness_job(h)->state, JOB_TRANSFERRED);
        assert_int_equal(call_start(h, 1, &overlapping), ERROR_OVERLAPPING_RANGES);
        assert_int_equal(call_start(h, 1, &(struct byte_range) { 990, 11 }), ERROR_INVALID_RANGE);
        assert_int_equal(harness_job(h)->state, JOB_TRANSFERRED);
        assert_int_equal(call_start(h, 1, &second), 0);
        r = harness_request(h, 0);
        assert_int_equal(r->n_pieces, 1);
        assert_int_equal(r->pieces[0].remote_offset, 0);
        assert_int_equal(r->pieces[0].local_offset, 10);
        harness_metadata(h, r, 1000, "\"1\"");
        harness_write(h, r, 10, 30);
        harness_finish(h, r, ENGINE_DONE, ERROR_NONE, false);
        harness_pump(h);
        assert_int_equal(harness_call(h, manager_complete_job), 0);
        harness_assert_content(h, "f", 30);
}

/* SENTENCES: download.start */
static void the_whole_file_can_follow_a_portion(void **state) {
        static const struct byte_range portion = { 100, 10 };
        struct harness *h = *state;
        struct fake_request *r;

        assert_int_equal(create(h, JOB_KIND_DOWNLOAD, NULL, "http://origin/f", harness_path(h, "f")), 0);
        assert_int_equal(call_start(h, 1, &portion), 0);
        r = harness_request(h, 0);
        harness_metadata(h, r, 1000, "\"1\"");
        harness_write(h, r, 0, 10);
        harness_finish(h, r, ENGINE_DONE, ERROR_NONE, false);
        harness_pump(h);
        assert_int_equal(call_start(h, 0, NULL), 0);
        harness_serve(h, harness_request(h, 0), 1000);
        assert_int_equal(harness_job(h)->state, JOB_TRANSFERRED);
        assert_int_equal(call_start(h, 1, &portion), ERROR_RANGES_UNEXPECTED);
        assert_int_equal(harness_call(h, manager_complete_job), 0);
        harness_assert_content(h, "f", 1000);
}

/* SENTENCES: download.pause */
static void a_paused_download_goes_on_with_what_it_was_asked_for(void **state) {
        static const struct byte_range portion = { 100, 10 }, other = { 0, 5 };
        struct harness *h = *state;

        assert_int_equal(create(h, JOB_KIND_DOWNLOAD, NULL, "http://origin/f", harness_path(h, "f")), 0);
        assert_int_equal(call_start(h, 1, &portion), 0);
        harness_metadata(h, harness_request(h, 0), 1000, "\"1\"");
        harness_write(h, harness_request(h, 0), 0, 4);
        assert_int_equal(harness_call(h, manager_suspend_job), 0);
        assert_int_equal(call_start(h, 1, &other), ERROR_RANGES_UNEXPECTED);
        assert_int_equal(call_start(h, 0, NULL), 0);
        assert_int_equal(harness_request(h, 0)->pieces[0].remote_offset, 104);
}

static void one_that_was_made_running_was_started(void **state) {
        struct harness *h = *state;

        assert_int_equal(create_with(h, JOB_KIND_DOWNLOAD, NULL, "http://origin/f", harness_path(h, "f"), true), 0);
        assert_true(harness_job(h)->resumed);
        with.properties = MANAGER_PROPERTIES_NONE;
        with.properties.max_download_size = MIB;
        assert_int_equal(harness_call(h, set_properties), ERROR_READ_ONLY_AFTER_RESUME);
        harness_metadata(h, harness_request(h, 0), 1000, "\"1\"");
        harness_write(h, harness_request(h, 0), 0, 400);
        assert_int_equal(harness_call(h, manager_suspend_job), 0);
        harness_restart(h);
        assert_true(harness_job(h)->resumed);
        assert_int_equal(call_set_path(h, "other"), ERROR_INVALID_STATE);
        assert_int_equal(call_start(h, 0, NULL), 0); /* goes on */
        assert_int_equal(harness_request(h, 0)->pieces[0].remote_offset, 400);
}

/* SENTENCES: download.start.unset */
static void a_job_is_not_resumed_while_a_file_has_no_destination(void **state) {
        struct harness *h = *state;

        assert_int_equal(create(h, JOB_KIND_JOB, NULL, "http://origin/f", ""), 0);
        assert_int_equal(harness_call(h, manager_resume_job), ERROR_SINK_UNSPECIFIED);
        assert_int_equal(call_start(h, 0, NULL), ERROR_INVALID_STATE); /* Start is for downloads */
        assert_int_equal(call_set_path(h, "f"), 0);
        assert_int_equal(harness_call(h, manager_resume_job), 0);
        harness_serve(h, harness_request(h, 0), 10);
        assert_int_equal(harness_call(h, manager_complete_job), 0);
        harness_assert_content(h, "f", 10);
}

/* SENTENCES: download.volatile */
static void a_volatile_job_goes_with_its_client(void **state) {
        struct harness *h = *state;
        int mine, somebody_elses;

        assert_int_equal(create(h, JOB_KIND_DOWNLOAD, &mine, "http://origin/f", harness_path(h, "f")), 0);
        assert_int_equal(call_start(h, 0, NULL), 0);
        harness_metadata(h, harness_request(h, 0), 1000, "\"1\"");
        harness_write(h, harness_request(h, 0), 0, 400);
        manager_client_gone(h->manager, &somebody_elses);
        harness_pump(h);
        assert_int_equal(harness_job(h)->state, JOB_TRANSFERRING);
        manager_client_gone(h->manager, &mine);
        harness_finish(h, harness_request(h, 0), ENGINE_STOPPED, ERROR_NONE, false);
        harness_pump(h);
        assert_int_equal(harness_job(h)->state, JOB_CANCELLED);
        assert_int_equal(harness_count_temp(h), 0);
}

/* SENTENCES: download.volatile */
static void a_volatile_job_ends_with_the_service(void **state) {
        struct harness *h = *state;
        int mine;

        assert_int_equal(create(h, JOB_KIND_DOWNLOAD, &mine, "http://origin/f", harness_path(h, "f")), 0);
        assert_int_equal(call_start(h, 0, NULL), 0);
        harness_metadata(h, harness_request(h, 0), 1000, "\"1\"");
        harness_write(h, harness_request(h, 0), 0, 400);
        assert_int_equal(harness_count_temp(h), 1);
        harness_crash(h);
        harness_pump(h);
        assert_null(manager_find_job(h->manager, getuid(), &h->id) && !job_state_is_final(harness_job(h)->state) ? h : NULL);
        assert_int_equal(harness_count_temp(h), 0);
}

/* SENTENCES: download.volatile */
static void a_job_that_is_volatile_no_longer_stays(void **state) {
        struct harness *h = *state;
        int mine;

        assert_int_equal(create(h, JOB_KIND_DOWNLOAD, &mine, "http://origin/f", harness_path(h, "f")), 0);
        with.properties = MANAGER_PROPERTIES_NONE;
        with.properties.is_volatile = 0;
        assert_int_equal(harness_call(h, set_properties), 0);
        manager_client_gone(h->manager, &mine);
        harness_restart(h);
        assert_int_equal(harness_job(h)->state, JOB_SUSPENDED);
        assert_false(harness_job(h)->is_volatile);
}

int main(void) {
        const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, harness_setup, harness_teardown)
                TEST(a_download_gets_url_and_destination_after_it_was_made),
                TEST(a_destination_that_exists_is_refused_when_it_is_set),
                TEST(a_second_portion_stands_behind_the_first),
                TEST(the_whole_file_can_follow_a_portion),
                TEST(a_paused_download_goes_on_with_what_it_was_asked_for),
                TEST(one_that_was_made_running_was_started),
                TEST(a_job_is_not_resumed_while_a_file_has_no_destination),
                TEST(a_volatile_job_goes_with_its_client),
                TEST(a_volatile_job_ends_with_the_service),
                TEST(a_job_that_is_volatile_no_longer_stays),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

/* What goes wrong: on the network, at the server, on the disk, in the store, and what becomes of the job then. */
#include "harness.h"

#define MIB (UINT64_C(1) << 20)

/* SENTENCES: state.transient */
static void a_transient_error_is_retried_after_its_delay(void **state) {
        struct harness *h = *state;
        uint64_t delay;

        assert_int_equal(harness_create(h, "file", true, false), 0);
        harness_forget(h);
        harness_finish(h, harness_request(h, 0), ENGINE_FAILED, ERROR_HTTP_STATUS, true);
        harness_pump(h);
        harness_expect(h, "state file transient_error\n");
        assert_int_equal(harness_job(h)->error_count, 1);
        assert_int_equal(harness_job(h)->waiting, WAITING_RETRY);
        assert_true(manager_retry_time(h->manager, harness_job(h)) > 0);
        delay = manager_next_deadline(h->manager) - clock_now(&h->clock.clock, CLOCK_ID_BOOTTIME);
        assert_in_range(delay, 48 * USEC_PER_SEC, 72 * USEC_PER_SEC);
        harness_advance(h, delay);
        assert_int_equal(harness_job(h)->state, JOB_TRANSFERRING);
        assert_int_equal(harness_running(h), 1);
}

/* SENTENCES: state.fatal */
static void a_fatal_error_stops_the_job_and_resume_tries_again(void **state) {
        struct harness *h = *state;

        assert_int_equal(harness_create(h, "file", true, false), 0);
        harness_forget(h);
        harness_finish(h, harness_request(h, 0), ENGINE_FAILED, ERROR_HTTP_STATUS, false);
        harness_pump(h);
        harness_expect(h, "state file error\n");
        assert_int_equal(error_code_hresult(harness_job(h)->error.code, JOB_FAMILY_DO, harness_job(h)->error.detail), 0x80190194);
        assert_int_equal(manager_next_deadline(h->manager) == USEC_INFINITY ||
                         manager_next_deadline(h->manager) > clock_now(&h->clock.clock, CLOCK_ID_BOOTTIME) + USEC_PER_DAY, 1);
        assert_int_equal(harness_call(h, manager_resume_job), 0);
        assert_int_equal(harness_running(h), 1);
}

/* SENTENCES: state.changed */
static void a_changed_remote_file_begins_anew_and_ends_right(void **state) {
        struct harness *h = *state;
        struct fake_request *r;

        assert_int_equal(harness_create(h, "file", true, true), 0);
        r = harness_request(h, 0);
        harness_metadata(h, r, 4 * MIB, "\"v1\"");
        harness_write(h, r, 0, 2 * MIB);
        harness_advance(h, 5 * USEC_PER_SEC);
        harness_finish(h, r, ENGINE_LOST, ERROR_NONE, true);
        harness_pump(h);
        r = harness_request(h, 0);
        assert_int_equal(r->pieces[0].remote_offset, 2 * MIB);
        harness_finish(h, r, ENGINE_RESTART, ERROR_REMOTE_FILE_CHANGED, false);
        harness_pump(h);
        assert_int_equal(harness_job(h)->bytes_durable, 0);
        r = harness_request(h, 0);
        assert_int_equal(r->pieces[0].remote_offset, 0);
        assert_null(r->etag);
        harness_serve(h, r, 1 * MIB); /* shorter than before: nothing of the old one may stay behind its end */
        harness_assert_content(h, "file", 1 * MIB);
        assert_int_equal(harness_count_temp(h), 0);
}

/* SENTENCES: state.changed */
static void a_file_that_changes_for_ever_is_an_error(void **state) {
        struct harness *h = *state;

        assert_int_equal(harness_create(h, "file", true, true), 0);
        for (unsigned i = 0; harness_job(h)->state == JOB_TRANSFERRING; i++) {
                assert_true(i < 10);
                harness_finish(h, harness_request(h, 0), ENGINE_RESTART, ERROR_REMOTE_FILE_CHANGED, false);
                harness_pump(h);
        }
        assert_int_equal(harness_job(h)->state, JOB_ERROR);
        assert_int_equal(harness_job(h)->error.code, ERROR_REMOTE_FILE_CHANGED);
}

static void a_server_without_ranges_may_be_interrupted_for_ever(void **state) {
        struct harness *h = *state;
        struct fake_request *r;

        assert_int_equal(harness_create(h, "file", true, true), 0);
        for (unsigned i = 0; i < 10; i++) {
                r = harness_request(h, 0);
                assert_int_equal(r->pieces[0].remote_offset, 0);
                harness_metadata(h, r, 4 * MIB, NULL);
                harness_write(h, r, 0, MIB);
                harness_finish(h, r, ENGINE_LOST, ERROR_NONE, true);
                harness_pump(h);
                harness_finish(h, harness_request(h, 0), ENGINE_RESTART, ERROR_NO_RANGE_SUPPORT, false);
                harness_pump(h);
        }
        assert_int_equal(harness_job(h)->state, JOB_TRANSFERRING);
        harness_serve(h, harness_request(h, 0), 4 * MIB);
        harness_assert_content(h, "file", 4 * MIB);
}

static void a_wrong_digest_is_never_published(void **state) {
        struct harness *h = *state;
        static const uint8_t wrong[32] = { 1, 2, 3 };
        char path[256];
        struct manager_file_spec file = {
                .file = { .url = "http://origin/file", .path = path, .stated_size = SIZE_UNKNOWN, .mode = 0644, .sha256 = wrong },
        };
        struct manager_create_request request = harness_plain_request("file", &file, 1);

        strcpy(path, harness_path(h, "file"));
        request.priority = JOB_PRIORITY_FOREGROUND;
        request.complete_when_transferred = true;
        assert_int_equal(harness_create_with(h, &request), 0);
        harness_serve(h, harness_request(h, 0), 5000);
        /* Once anew, then it gives up. */
        assert_int_equal(harness_job(h)->state, JOB_TRANSFERRING);
        harness_serve(h, harness_request(h, 0), 5000);
        assert_int_equal(harness_job(h)->state, JOB_ERROR);
        assert_int_equal(harness_job(h)->error.code, ERROR_DIGEST_MISMATCH);
        assert_false(harness_exists(h, "file"));
}

static void a_failed_commit_is_answered_and_nothing_of_it_stays(void **state) {
        struct harness *h = *state;

        assert_int_equal(harness_create(h, "one", false, false), 0);
        store_faulty_plan(h->store, 0, -ENOSPC, false);
        harness_forget(h);
        assert_int_equal(harness_call(h, manager_resume_job), ERROR_STORE_FAILED);
        harness_expect(h, "reply STORE_FAILED\n");
        assert_int_equal(harness_job(h)->state, JOB_SUSPENDED);
        assert_int_equal(harness_running(h), 0);
        harness_advance(h, 6 * USEC_PER_SEC);
        assert_int_equal(harness_call(h, manager_resume_job), 0);
        assert_int_equal(harness_running(h), 1);
}

/* Every try to record the end fails and loads everything again: one try per pause, not as many as the processor makes. */
static void a_promised_end_that_cannot_be_recorded_is_tried_again_after_a_pause(void **state) {
        struct harness *h = *state;

        assert_int_equal(harness_create(h, "file", false, false), 0);
        harness_forget(h);
        store_faulty_plan(h->store, 1, -ENOSPC, true);
        assert_int_equal(harness_call(h, manager_cancel_job), ERROR_STORE_FAILED);
        harness_pump(h); /* comes to rest */
        assert_int_equal(harness_job(h)->intent, JOB_INTENT_CANCEL);
        assert_int_equal(harness_call(h, manager_resume_job), ERROR_INVALID_STATE);
        harness_advance(h, 6 * USEC_PER_SEC);
        harness_expect(h, "reply STORE_FAILED\nreply INVALID_STATE\n");
        store_faulty_plan(h->store, UINT32_MAX, -EIO, false);
        harness_advance(h, 6 * USEC_PER_SEC);
        harness_expect(h, "removed file cancelled\n");
        assert_int_equal(manager_count_jobs(h->manager, &(size_t) { 0 }), 0);
}

/* ---- all is loaded again, and the programs are still there ---- */

static const char client;

static int create_for_client(struct harness *h, const char *path) {
        struct manager_file_spec file = {
                .file = { .url = "http://origin/f", .path = path, .stated_size = SIZE_UNKNOWN, .mode = 0644 },
        };
        struct manager_create_request request = harness_plain_request("f", &file, 1);

        request.client = &client;
        request.resume = *path != 0;
        return harness_create_with(h, &request);
}

static void suspend_in_vain(struct harness *h) {
        store_faulty_plan(h->store, 0, -EIO, false);
        assert_int_equal(harness_call(h, manager_suspend_job), ERROR_STORE_FAILED);
}

static void a_volatile_job_outlives_a_store_failure_and_not_its_client(void **state) {
        struct harness *h = *state;

        assert_int_equal(create_for_client(h, harness_path(h, "f")), 0);
        harness_metadata(h, harness_request(h, 0), 1000, "\"1\"");
        suspend_in_vain(h);
        harness_advance(h, 6 * USEC_PER_SEC);
        assert_int_equal(harness_job(h)->state, JOB_TRANSFERRING);
        manager_client_gone(h->manager, &client);
        harness_pump(h);
        assert_int_equal(harness_job(h)->state, JOB_CANCELLED);
}

static void set_stream(struct manager *m, struct job *job, manager_reply_fn fn, void *userdata) {
        manager_set_file_stream(m, job->files[0], &client, fn, userdata);
}

static void what_a_stream_held_is_lost_and_its_job_ends(void **state) {
        struct harness *h = *state;

        assert_int_equal(create_for_client(h, ""), 0);
        assert_int_equal(harness_call(h, set_stream), 0);
        assert_int_equal(harness_call(h, manager_resume_job), 0);
        suspend_in_vain(h);
        harness_advance(h, 6 * USEC_PER_SEC);
        assert_int_equal(harness_job(h)->state, JOB_CANCELLED);
}

static void who_was_told_that_it_moves_is_told_that_it_waits(void **state) {
        struct harness *h = *state;

        assert_int_equal(harness_create(h, "f", true, false), 0);
        harness_forget(h);
        suspend_in_vain(h);
        harness_expect(h, "engine: stop\nreply STORE_FAILED\nstate f queued\n");
        harness_advance(h, 6 * USEC_PER_SEC);
        harness_expect(h, "state f transferring\nengine: start http://origin/f from 0\n");
}

static void on_failed_call(const struct manager_reply *answer, void *userdata) {
        unsigned *n = userdata;

        assert_int_equal(answer->outcome, ERROR_STORE_FAILED);
        assert_string_equal(answer->text, strerror(ENOSPC));
        (*n)++;
}

static void rename_in_vain(struct harness *h, const char *name, unsigned *n) {
        struct manager_properties properties = MANAGER_PROPERTIES_NONE;

        properties.name = name;
        manager_set_properties(h->manager, harness_job(h), &properties, on_failed_call, n);
}

static void what_was_behind_a_failed_commit_is_told_its_cause(void **state) {
        struct harness *h = *state;
        unsigned n = 0;

        assert_int_equal(harness_create(h, "f", false, false), 0);
        store_faulty_plan(h->store, 0, -ENOSPC, false);
        rename_in_vain(h, "first", &n);
        manager_turn(h->manager); /* on its way */
        rename_in_vain(h, "second", &n);
        manager_turn(h->manager); /* behind it */
        rename_in_vain(h, "third", &n);
        assert_int_equal(n, 0);
        harness_pump(h);
        assert_int_equal(n, 3);
        assert_string_equal(harness_job(h)->name, "f");
}

static unsigned n_delivered;

static void deliver(void *userdata _unused_, const struct job *job _unused_, const struct manager_notice *notice) {
        assert_int_equal(notice->event, JOB_NOTIFY_TRANSFERRED);
        n_delivered++;
}

static const struct manager_notifier notifier = { .deliver = deliver };

static void a_callback_that_was_taken_in_vain_comes_again_after_the_pause(void **state) {
        struct harness *h = *state;

        n_delivered = 0;
        assert_int_equal(harness_create(h, "f", true, false), 0);
        assert_int_equal(manager_set_notifier(h->manager, harness_job(h), &notifier, h), 0);
        harness_serve(h, harness_request(h, 0), 1000);
        for (unsigned i = 1; i <= 3; i++) {
                assert_int_equal(n_delivered, i);
                store_faulty_plan(h->store, 0, -EIO, false);
                manager_notified(h->manager, &h->id, JOB_NOTIFY_TRANSFERRED, true);
                harness_pump(h);
                assert_int_equal(n_delivered, i);
                assert_ptr_equal(manager_get_notifier(h->manager, harness_job(h)), h);
                harness_advance(h, 6 * USEC_PER_SEC);
        }
        assert_int_equal(n_delivered, 4);
        manager_notified(h->manager, &h->id, JOB_NOTIFY_TRANSFERRED, true);
        harness_advance(h, USEC_PER_HOUR);
        assert_int_equal(n_delivered, 4);
}

static void run_command(struct manager *m, struct job *job, manager_reply_fn fn, void *userdata) {
        struct manager_properties properties = MANAGER_PROPERTIES_NONE;

        properties.notify_command = "/bin/tell";
        manager_set_properties(m, job, &properties, fn, userdata);
}

static void a_command_that_ran_in_vain_runs_again_after_the_pause(void **state) {
        struct harness *h = *state;

        assert_int_equal(harness_create(h, "f", true, false), 0);
        assert_int_equal(harness_call(h, run_command), 0);
        harness_serve(h, harness_request(h, 0), 1000);
        assert_int_equal(h->n_commands, 1);
        store_faulty_plan(h->store, 0, -EIO, false);
        harness_end_command(h, RUNNER_EXITED, 0);
        assert_int_equal(h->n_commands, 1);
        harness_advance(h, 6 * USEC_PER_SEC);
        assert_int_equal(h->n_commands, 2);
        harness_end_command(h, RUNNER_EXITED, 0);
        harness_advance(h, USEC_PER_DAY);
        assert_int_equal(h->n_commands, 2);
}

/* SENTENCES: state.nospace */
static void no_space_is_waited_for_and_not_counted(void **state) {
        struct harness *h = *state;
        struct fake_request *r;

        assert_int_equal(harness_create(h, "file", true, false), 0);
        r = harness_request(h, 0);
        harness_finish(h, r, ENGINE_FAILED, ERROR_NO_SPACE, true);
        harness_pump(h);
        assert_int_equal(harness_job(h)->state, JOB_TRANSIENT_ERROR);
        assert_int_equal(harness_job(h)->waiting, WAITING_SPACE);
        assert_int_equal(harness_job(h)->error_count, 0);
        harness_advance(h, 20 * USEC_PER_SEC);
        assert_int_equal(harness_running(h), 1);
        harness_serve(h, harness_request(h, 0), 1000);
        assert_int_equal(harness_job(h)->state, JOB_TRANSFERRED);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, harness_setup, harness_teardown)
        const struct CMUnitTest tests[] = {
                TEST(a_transient_error_is_retried_after_its_delay),
                TEST(a_fatal_error_stops_the_job_and_resume_tries_again),
                TEST(a_changed_remote_file_begins_anew_and_ends_right),
                TEST(a_file_that_changes_for_ever_is_an_error),
                TEST(a_server_without_ranges_may_be_interrupted_for_ever),
                TEST(a_wrong_digest_is_never_published),
                TEST(a_failed_commit_is_answered_and_nothing_of_it_stays),
                TEST(a_promised_end_that_cannot_be_recorded_is_tried_again_after_a_pause),
                TEST(a_volatile_job_outlives_a_store_failure_and_not_its_client),
                TEST(what_a_stream_held_is_lost_and_its_job_ends),
                TEST(who_was_told_that_it_moves_is_told_that_it_waits),
                TEST(what_was_behind_a_failed_commit_is_told_its_cause),
                TEST(a_callback_that_was_taken_in_vain_comes_again_after_the_pause),
                TEST(a_command_that_ran_in_vain_runs_again_after_the_pause),
                TEST(no_space_is_waited_for_and_not_counted),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

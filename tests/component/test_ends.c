/* The end of a job: what comes while it is being recorded, and what is no end yet. */
#include <unistd.h>

#include "files/ops.h"
#include "harness.h"

#define MIB (UINT64_C(1) << 20)

/* ---- what comes while the end is being recorded ---- */

/* From op_finish() to the answer is one commit: the job is final, and still on the list. @handed_over: the store has that commit, and
 * whatever is recorded now comes in the next one; else it would be the same. */
static void wind_to_the_end(struct harness *h, bool handed_over) {
        const struct job *job = harness_job(h);

        harness_forget(h);
        for (unsigned i = 0; !job_state_is_final(job->state); i++) {
                assert_true(i < 100);
                manager_turn(h->manager);
                if (!job_state_is_final(job->state))
                        (void) store_dispatch(h->store);
                if (!job_state_is_final(job->state) && files_outstanding(h->files) > 0)
                        (void) files_wait(h->files);
        }
        if (handed_over)
                manager_turn(h->manager);
        assert_null(strstr(h->log, "removed"));
}

static uint32_t delivered;

static void deliver(void *userdata _unused_, const struct job *job _unused_, const struct manager_notice *notice) {
        delivered = notice->event;
}

static const struct manager_notifier notifier = { .deliver = deliver };

/* A transferred job whose program has @event in its hands. */
static void create_told(struct harness *h, const char *name, uint32_t event) {
        char path[256];
        struct manager_file_spec file = {
                .file = { .url = "http://origin/told", .path = path, .stated_size = SIZE_UNKNOWN, .mode = 0644 },
        };
        struct manager_create_request request = harness_plain_request(name, &file, 1);

        strcpy(path, harness_path(h, name));
        request.notify_flags = event;
        assert_int_equal(harness_create_with(h, &request), 0);
        assert_int_equal(manager_set_notifier(h->manager, harness_job(h), &notifier, h), 0);
        delivered = 0;
        if (event == JOB_NOTIFY_ERROR) {
                harness_finish(h, harness_request(h, 0), ENGINE_FAILED, ERROR_HTTP_STATUS, false);
                harness_pump(h);
        } else
                harness_serve(h, harness_request(h, 0), 1000);
        assert_int_equal(delivered, event);
        harness_forget(h);
}

static void assert_an_answer_changes_nothing(struct harness *h, uint32_t event, bool ok, bool handed_over) {
        create_told(h, "told", event);
        manager_cancel_job(h->manager, harness_job(h), NULL, NULL);
        wind_to_the_end(h, handed_over);
        manager_notified(h->manager, &h->id, event, ok);
        harness_pump(h);
        harness_expect(h, "removed told cancelled\n");
        harness_restart(h);
        harness_pump(h);
        assert_null(manager_find_job(h->manager, h->owner, &h->id));
}

static void an_answer_to_a_callback_does_not_bring_back_a_job_that_ends(void **state) {
        static const uint32_t events[] = { JOB_NOTIFY_FILE_TRANSFERRED, JOB_NOTIFY_TRANSFERRED, JOB_NOTIFY_ERROR };
        struct harness *h = *state;

        for (unsigned i = 0; i < ELEMENTSOF(events); i++)
                for (int ok = 0; ok <= 1; ok++)
                        for (int handed_over = 0; handed_over <= 1; handed_over++)
                                assert_an_answer_changes_nothing(h, events[i], ok != 0, handed_over != 0);
}

/* Else all go back to what was recorded last: somebody else's bytes, and the answers that were waited for. */
static void an_answer_to_a_callback_costs_nobody_else_a_transfer(void **state) {
        struct harness *h = *state;
        struct guid other;
        struct fake_request *r;

        assert_int_equal(harness_create(h, "other", true, false), 0);
        other = h->id;
        r = harness_request(h, 0);
        harness_metadata(h, r, MIB, "\"v1\"");
        harness_write(h, r, 0, MIB / 2);
        create_told(h, "told", JOB_NOTIFY_FILE_TRANSFERRED);
        manager_complete_job(h->manager, harness_job(h), NULL, NULL);
        wind_to_the_end(h, true);
        manager_notified(h->manager, &h->id, JOB_NOTIFY_FILE_TRANSFERRED, true);
        harness_pump(h);
        harness_expect(h, "removed told acknowledged\n");
        h->id = other;
        assert_int_equal(harness_job(h)->state, JOB_TRANSFERRING);
        assert_int_equal(harness_job(h)->bytes_received, MIB / 2);
        assert_false(r->stop_asked || r->finished);
}

static void run_command(struct manager *m, struct job *job, manager_reply_fn fn, void *userdata) {
        struct manager_properties properties = MANAGER_PROPERTIES_NONE;

        properties.notify_command = "/bin/tell";
        manager_set_properties(m, job, &properties, fn, userdata);
}

static void after_its_removal_nothing_is_told_of_a_job(void **state) {
        struct harness *h = *state;

        h->log_changes = true;
        assert_int_equal(harness_create(h, "file", false, false), 0);
        assert_int_equal(harness_call(h, run_command), 0);
        assert_int_equal(harness_call(h, manager_resume_job), 0);
        harness_serve(h, harness_request(h, 0), 1000);
        assert_int_equal(harness_commands(h), 1);
        harness_advance(h, USEC_PER_SEC);
        manager_complete_job(h->manager, harness_job(h), NULL, NULL);
        wind_to_the_end(h, true);
        harness_end_command(h, RUNNER_EXITED, 0);
        harness_advance(h, USEC_PER_SEC);
        harness_expect(h, "removed file acknowledged\n");
}

static void the_same_files_again_do_not_attach_to_a_job_that_ends(void **state) {
        struct harness *h = *state;
        char path[256];
        struct manager_file_spec file = {
                .file = { .url = "http://origin/x", .path = path, .stated_size = SIZE_UNKNOWN, .mode = 0644 },
        };
        struct manager_create_request request = harness_plain_request("x", &file, 1);
        struct guid first;

        strcpy(path, harness_path(h, "x"));
        request.attach = true;
        for (int handed_over = 0; handed_over <= 1; handed_over++) {
                assert_int_equal(harness_create_with(h, &request), 0);
                assert_false(h->last.attached);
                first = h->id;
                manager_cancel_job(h->manager, harness_job(h), NULL, NULL);
                harness_finish(h, harness_request(h, 0), ENGINE_STOPPED, ERROR_NONE, false);
                wind_to_the_end(h, handed_over != 0);
                assert_int_equal(harness_create_with(h, &request), 0);
                assert_false(h->last.attached);
                assert_false(guid_equal(&first, &h->id));
                assert_int_equal(harness_job(h)->state, JOB_TRANSFERRING);
                assert_int_equal(harness_call(h, manager_cancel_job), 0);
        }
}

/* ---- what is no end yet ---- */

static void complete_by_itself(struct manager *m, struct job *job, manager_reply_fn fn, void *userdata) {
        struct manager_properties properties = MANAGER_PROPERTIES_NONE;

        properties.complete_when_transferred = 1;
        manager_set_properties(m, job, &properties, fn, userdata);
}

static void add_second(struct manager *m, struct job *job, manager_reply_fn fn, void *userdata) {
        struct harness *h = userdata;
        struct manager_file_spec file = {
                .file = { .url = "http://origin/second", .path = harness_path(h, "second"), .stated_size = SIZE_UNKNOWN, .mode = 0644 },
        };

        manager_add_files(m, job, &file, 1, fn, userdata);
}

/* TRANSFERRED, and to complete by itself, but since then a file was added that nobody resumed it for. */
static void add_to_a_transferred_job(struct harness *h) {
        assert_int_equal(harness_create(h, "first", true, false), 0);
        harness_serve(h, harness_request(h, 0), 1000);
        assert_int_equal(harness_call(h, add_second), 0);
        assert_int_equal(harness_call(h, complete_by_itself), 0);
        assert_int_equal(harness_job(h)->state, JOB_TRANSFERRED);
        assert_false(harness_exists(h, "first"));
}

static void assert_waits_for_the_second(struct harness *h) {
        assert_int_equal(harness_job(h)->state, JOB_TRANSFERRED);
        assert_int_equal(harness_job(h)->files[1]->state, FILE_PENDING);
        assert_int_equal(harness_call(h, manager_resume_job), 0);
        harness_serve(h, harness_request(h, 0), 2000);
        assert_int_equal(harness_job(h)->state, JOB_ACKNOWLEDGED);
        harness_assert_content(h, "first", 1000);
        harness_assert_content(h, "second", 2000);
}

static void a_restart_drops_no_file_that_was_added_to_a_transferred_job(void **state) {
        struct harness *h = *state;

        add_to_a_transferred_job(h);
        harness_restart(h);
        harness_pump(h);
        assert_waits_for_the_second(h);
}

static void nor_does_a_store_that_fails(void **state) {
        struct harness *h = *state;

        add_to_a_transferred_job(h);
        store_faulty_plan(h->store, 0, -EIO, false);
        assert_int_equal(harness_call(h, complete_by_itself), ERROR_STORE_FAILED);
        harness_advance(h, 6 * USEC_PER_SEC);
        assert_waits_for_the_second(h);
}

/* ---- TakeOwnership that comes to nothing ---- */

static const struct files_ops *real_ops;
static files_check_fn checked;

static void refuse(const struct files_check_result *result, void *userdata) {
        struct files_check_result refused = *result;

        refused.error = -EACCES;
        checked(&refused, userdata);
}

static int check_and_refuse(struct files *files, const struct files_check_request *request, files_check_fn done, void *userdata) {
        checked = done;
        return real_ops->check(files, request, refuse, userdata);
}

static void take(struct manager *m, struct job *job, manager_reply_fn fn, void *userdata) {
        manager_take_ownership(m, job, job->owner + 1, fn, userdata);
}

/* By somebody who may not write where its files are to go. */
static void take_in_vain(struct harness *h) {
        struct files_ops ops = *h->files->ops;

        real_ops = h->files->ops;
        ops.check = check_and_refuse;
        h->files->ops = &ops;
        assert_int_equal(harness_call(h, take), ERROR_NEW_OWNER_NO_FILE_ACCESS);
        h->files->ops = real_ops;
        harness_pump(h);
}

static void nor_does_a_take_over_that_is_refused(void **state) {
        struct harness *h = *state;

        add_to_a_transferred_job(h);
        take_in_vain(h);
        assert_waits_for_the_second(h);
}

static void a_take_over_that_is_refused_does_not_try_a_failed_complete_again(void **state) {
        struct harness *h = *state;
        FILE *there;

        assert_int_equal(harness_create(h, "file", true, true), 0);
        there = fopen(harness_path(h, "file"), "we");
        assert_non_null(there);
        fclose(there);
        harness_serve(h, harness_request(h, 0), 1000);
        assert_int_equal(harness_job(h)->error.code, ERROR_FILE_EXISTS);
        assert_return_code(unlink(harness_path(h, "file")), errno);
        take_in_vain(h);
        assert_int_equal(harness_job(h)->state, JOB_TRANSFERRED);
        assert_int_equal(harness_job(h)->error.code, ERROR_FILE_EXISTS);
        assert_false(harness_exists(h, "file"));
        assert_int_equal(harness_call(h, manager_resume_job), 0); /* which says that the cause is mended */
        harness_assert_content(h, "file", 1000);
}

int main(void) {
        const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, harness_setup, harness_teardown)
                TEST(an_answer_to_a_callback_does_not_bring_back_a_job_that_ends),
                TEST(an_answer_to_a_callback_costs_nobody_else_a_transfer),
                TEST(after_its_removal_nothing_is_told_of_a_job),
                TEST(the_same_files_again_do_not_attach_to_a_job_that_ends),
                TEST(a_restart_drops_no_file_that_was_added_to_a_transferred_job),
                TEST(nor_does_a_store_that_fails),
                TEST(nor_does_a_take_over_that_is_refused),
                TEST(a_take_over_that_is_refused_does_not_try_a_failed_complete_again),
        };

        return cmocka_run_group_tests_name("the end of a job", tests, NULL, NULL);
}

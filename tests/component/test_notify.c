/* The program that a job names for its end: when it runs, when not, and when again. */
#include "harness.h"

#include <unistd.h>

static struct manager_properties properties;

static void set_properties(struct manager *m, struct job *job, manager_reply_fn fn, void *userdata) {
        manager_set_properties(m, job, &properties, fn, userdata);
}

static int set_command(struct harness *h, const char *program, const char *parameters) {
        properties = MANAGER_PROPERTIES_NONE;
        properties.notify_command = program;
        properties.notify_parameters = parameters;
        return harness_call(h, set_properties);
}

/* A job with a command, whose file is on its way. */
static void create(struct harness *h, const char *name) {
        assert_int_equal(harness_create(h, name, false, false), 0);
        assert_int_equal(set_command(h, "/bin/tell", "tell \"a b\" c"), 0);
        assert_int_equal(harness_call(h, manager_resume_job), 0);
}

static void transfer(struct harness *h, const char *name) {
        create(h, name);
        harness_serve(h, harness_request(h, 0), 1000);
        assert_int_equal(harness_job(h)->state, JOB_TRANSFERRED);
}

static enum notify_command_state command_state(struct harness *h) {
        return manager_notify_command_state(h->manager, harness_job(h));
}

static void it_runs_when_the_job_is_transferred_and_exit_0_takes_the_event(void **state) {
        struct harness *h = *state;
        char expected[256], id[GUID_STRING_MAX];

        create(h, "file");
        assert_int_equal(command_state(h), NOTIFY_COMMAND_READY);
        assert_int_equal(h->n_commands, 0);
        harness_forget(h);
        harness_serve(h, harness_request(h, 0), 1000);
        harness_expect(h, "state file transferred\nrun /bin/tell\n");
        guid_to_string(&h->id, id);
        snprintf(expected, sizeof(expected), "/bin/tell [tell] [a b] [c] {DOSVC_JOB=%s} {DOSVC_EVENT=transferred}", id);
        assert_string_equal(h->commands[0].line, expected);
        assert_int_equal(command_state(h), NOTIFY_COMMAND_RUNNING);
        assert_int_equal(harness_job(h)->notify_due, JOB_NOTIFY_TRANSFERRED);

        harness_end_command(h, RUNNER_EXITED, 0);
        assert_int_equal(harness_job(h)->notify_due, 0);
        assert_int_equal(command_state(h), NOTIFY_COMMAND_READY);
        harness_restart(h);
        harness_advance(h, USEC_PER_DAY);
        assert_int_equal(h->n_commands, 1);
}

static void it_runs_for_errors_too_and_without_parameters_has_its_own_name(void **state) {
        struct harness *h = *state;
        struct fake_request *request;

        create(h, "file");
        assert_int_equal(set_command(h, "/bin/other", ""), 0);
        request = harness_request(h, 0);
        harness_finish(h, request, ENGINE_FAILED, ERROR_HTTP_STATUS, false);
        harness_pump(h);
        assert_int_equal(harness_job(h)->state, JOB_ERROR);
        assert_non_null(strstr(h->commands[0].line, "/bin/other [/bin/other] {"));
        assert_non_null(strstr(h->commands[0].line, "{DOSVC_EVENT=error}"));
}

static void what_the_flags_leave_out_is_not_told(void **state) {
        struct harness *h = *state;

        create(h, "file");
        properties = MANAGER_PROPERTIES_NONE;
        properties.notify_flags = JOB_NOTIFY_ERROR;
        assert_int_equal(harness_call(h, set_properties), 0);
        harness_serve(h, harness_request(h, 0), 1000);
        harness_advance(h, USEC_PER_DAY);
        assert_int_equal(h->n_commands, 0);
        assert_int_equal(command_state(h), NOTIFY_COMMAND_READY);
}

static void a_failure_is_tried_again_with_growing_delay_and_given_up_in_the_end(void **state) {
        struct harness *h = *state;

        transfer(h, "file");
        harness_end_command(h, RUNNER_EXITED, 3);
        assert_int_equal(command_state(h), NOTIFY_COMMAND_WAITING);
        assert_string_equal(manager_notify_command_result(h->manager, harness_job(h)), "exit status 3");
        assert_int_equal(h->n_commands, 1);
        harness_advance(h, USEC_PER_SEC);
        assert_int_equal(h->n_commands, 2);
        harness_end_command(h, RUNNER_KILLED, 9);
        harness_advance(h, USEC_PER_SEC);
        assert_int_equal(h->n_commands, 2); /* two seconds now */
        harness_advance(h, USEC_PER_SEC);
        assert_int_equal(h->n_commands, 3);
        harness_end_command(h, RUNNER_TIMED_OUT, 0);
        while (h->n_commands < LIMIT_NOTIFY_TRIES) {
                harness_advance(h, 11 * USEC_PER_MINUTE);
                harness_end_command(h, RUNNER_EXITED, 1);
        }
        assert_true(manager_notify_command_failures(h->manager, harness_job(h)) == LIMIT_NOTIFY_TRIES);
        assert_int_equal(command_state(h), NOTIFY_COMMAND_GIVEN_UP);
        assert_false(manager_owes_commands(h->manager));
        harness_advance(h, USEC_PER_DAY);
        assert_int_equal(h->n_commands, LIMIT_NOTIFY_TRIES);
        /* A callback still gets it, and another command, too. */
        assert_int_equal(harness_job(h)->notify_due, JOB_NOTIFY_TRANSFERRED);
        assert_int_equal(set_command(h, "/bin/better", NULL), 0);
        assert_int_equal(h->n_commands, LIMIT_NOTIFY_TRIES + 1);
}

static void the_minimum_retry_delay_is_kept(void **state) {
        struct harness *h = *state;

        create(h, "file");
        properties = MANAGER_PROPERTIES_NONE;
        properties.minimum_retry_delay_s = 600;
        assert_int_equal(harness_call(h, set_properties), 0);
        harness_serve(h, harness_request(h, 0), 1000);
        harness_end_command(h, RUNNER_EXITED, 1);
        harness_advance(h, 599 * USEC_PER_SEC);
        assert_int_equal(h->n_commands, 1);
        harness_advance(h, USEC_PER_SEC);
        assert_int_equal(h->n_commands, 2);
}

static void one_that_cannot_be_started_is_a_failure(void **state) {
        struct harness *h = *state;

        h->runner_refuses = EAGAIN;
        transfer(h, "file");
        assert_int_equal(command_state(h), NOTIFY_COMMAND_WAITING);
        assert_non_null(strstr(manager_notify_command_result(h->manager, harness_job(h)), "not started"));
        h->runner_refuses = 0;
        harness_advance(h, USEC_PER_SEC);
        assert_int_equal(harness_commands(h), 1);
}

static uint32_t delivered;

static void deliver(void *userdata _unused_, const struct job *job _unused_, const struct manager_notice *notice) {
        delivered = notice->event;
}

static const struct manager_notifier notifier = { .deliver = deliver };

static void who_registered_a_callback_is_asked_first_and_the_command_when_it_refuses(void **state) {
        struct harness *h = *state;

        create(h, "file");
        manager_set_notifier(h->manager, harness_job(h), &notifier, h);
        harness_serve(h, harness_request(h, 0), 1000);
        assert_int_equal(delivered, JOB_NOTIFY_TRANSFERRED);
        harness_advance(h, USEC_PER_HOUR); /* it takes its time */
        assert_int_equal(h->n_commands, 0);
        manager_notified(h->manager, &h->id, JOB_NOTIFY_TRANSFERRED, false);
        harness_pump(h);
        assert_int_equal(h->n_commands, 1);
        harness_end_command(h, RUNNER_EXITED, 0);
        assert_int_equal(harness_job(h)->notify_due, 0);
        delivered = 0;
        harness_advance(h, USEC_PER_HOUR);
        assert_int_equal(delivered, 0);
}

static void it_runs_when_the_client_went_before_it_was_told(void **state) {
        struct harness *h = *state;

        create(h, "file");
        manager_set_notifier(h->manager, harness_job(h), &notifier, h);
        harness_serve(h, harness_request(h, 0), 1000);
        assert_int_equal(h->n_commands, 0);
        manager_set_notifier(h->manager, harness_job(h), NULL, NULL);
        harness_pump(h);
        assert_int_equal(h->n_commands, 1);
}

static void one_that_died_with_the_service_runs_again_after_a_grace_for_clients(void **state) {
        struct harness *h = *state;

        transfer(h, "file");
        assert_int_equal(harness_commands(h), 1);
        harness_crash(h);
        harness_pump(h);
        assert_int_equal(h->n_commands, 1);
        assert_int_equal(command_state(h), NOTIFY_COMMAND_WAITING);
        assert_true(manager_owes_commands(h->manager));
        harness_advance(h, 3 * USEC_PER_SEC);
        assert_int_equal(h->n_commands, 2);
        harness_end_command(h, RUNNER_EXITED, 0);
        assert_int_equal(harness_job(h)->notify_due, 0);
}

static void a_command_may_complete_its_own_job(void **state) {
        struct harness *h = *state;

        transfer(h, "file");
        assert_int_equal(harness_call(h, manager_complete_job), 0);
        assert_true(harness_exists(h, "file"));
        assert_true(manager_owes_commands(h->manager)); /* it is still at work */
        harness_end_command(h, RUNNER_EXITED, 1);
        assert_false(manager_owes_commands(h->manager));
        harness_advance(h, USEC_PER_DAY);
        assert_int_equal(h->n_commands, 1);
}

static void what_ended_for_an_earlier_event_takes_no_later_one(void **state) {
        struct harness *h = *state;
        struct fake_request *request;

        create(h, "file");
        request = harness_request(h, 0);
        harness_finish(h, request, ENGINE_FAILED, ERROR_HTTP_STATUS, false);
        harness_pump(h);
        assert_int_equal(harness_commands(h), 1);
        harness_advance(h, USEC_PER_SEC);
        assert_int_equal(harness_call(h, manager_resume_job), 0);
        request = harness_request(h, 0);
        harness_finish(h, request, ENGINE_FAILED, ERROR_HTTP_STATUS, false);
        harness_pump(h);
        assert_int_equal(harness_job(h)->state, JOB_ERROR);
        harness_end_command(h, RUNNER_EXITED, 0);
        assert_int_equal(harness_job(h)->notify_due, JOB_NOTIFY_ERROR);
        assert_int_equal(harness_commands(h), 1); /* for the later one */
}

static void only_so_many_run_at_once_and_the_next_follow(void **state) {
        struct harness *h = *state;
        char name[16];

        for (unsigned i = 0; i < LIMIT_NOTIFY_COMMANDS + 2; i++) {
                snprintf(name, sizeof(name), "file%u", i);
                transfer(h, name);
        }
        assert_int_equal(harness_commands(h), LIMIT_NOTIFY_COMMANDS);
        harness_end_command(h, RUNNER_EXITED, 0);
        assert_int_equal(h->n_commands, LIMIT_NOTIFY_COMMANDS + 1);
        harness_end_command(h, RUNNER_EXITED, 1);
        assert_int_equal(h->n_commands, LIMIT_NOTIFY_COMMANDS + 2);
        assert_int_equal(harness_commands(h), LIMIT_NOTIFY_COMMANDS);
}

static void a_command_is_a_path_and_parameters_need_one(void **state) {
        struct harness *h = *state;
        static char text[LIMIT_PATH + 2];

        assert_int_equal(harness_create(h, "file", false, false), 0);
        assert_int_equal(set_command(h, "tell", NULL), ERROR_INVALID_NAME);
        assert_int_equal(set_command(h, NULL, "x"), ERROR_INVALID_ARGUMENT);
        assert_int_equal(set_command(h, "", "x"), ERROR_INVALID_ARGUMENT);
        memset(text, 'a', LIMIT_PATH + 1);
        text[0] = '/';
        assert_int_equal(set_command(h, text, NULL), ERROR_NAME_TOO_LONG);
        text[LIMIT_PATH] = 0;
        assert_int_equal(set_command(h, text, NULL), 0);
        text[LIMIT_NOTIFY_PARAMETERS + 1] = 0;
        assert_int_equal(set_command(h, NULL, text), ERROR_STRING_TOO_LONG);
        text[LIMIT_NOTIFY_PARAMETERS] = 0;
        assert_int_equal(set_command(h, NULL, text), 0);
        assert_string_equal(harness_job(h)->notify_parameters, text);
        harness_restart(h);
        assert_string_equal(harness_job(h)->notify_parameters, text);
        assert_int_equal(set_command(h, "/bin/other", NULL), 0);
        assert_string_equal(harness_job(h)->notify_parameters, text);
        assert_int_equal(set_command(h, "", NULL), 0);
        assert_null(harness_job(h)->notify_command);
        assert_null(harness_job(h)->notify_parameters);
}

static void where_they_are_forbidden_none_is_set_and_none_runs(void **state) {
        struct harness *h = *state;

        transfer(h, "file");
        harness_crash(h);
        h->limits.notify_commands = false;
        manager_set_limits(h->manager, &h->limits, &h->schedule);
        harness_advance(h, USEC_PER_DAY);
        assert_int_equal(harness_commands(h), 0);
        assert_int_equal(command_state(h), NOTIFY_COMMAND_FORBIDDEN);
        assert_false(manager_owes_commands(h->manager));
        assert_int_equal(set_command(h, "/bin/tell", NULL), ERROR_ACCESS_DENIED);
        h->limits.notify_commands = true;
        manager_set_limits(h->manager, &h->limits, &h->schedule);
        harness_pump(h);
        assert_int_equal(command_state(h), NOTIFY_COMMAND_RUNNING);
        assert_int_equal(set_command(h, "", NULL), 0);
        harness_end_command(h, RUNNER_EXITED, 0);
        assert_int_equal(command_state(h), NOTIFY_COMMAND_NONE);
}

int main(void) {
#define TEST(f) cmocka_unit_test_setup_teardown(f, harness_setup, harness_teardown)
        static const struct CMUnitTest tests[] = {
                TEST(it_runs_when_the_job_is_transferred_and_exit_0_takes_the_event),
                TEST(it_runs_for_errors_too_and_without_parameters_has_its_own_name),
                TEST(what_the_flags_leave_out_is_not_told),
                TEST(a_failure_is_tried_again_with_growing_delay_and_given_up_in_the_end),
                TEST(the_minimum_retry_delay_is_kept),
                TEST(one_that_cannot_be_started_is_a_failure),
                TEST(who_registered_a_callback_is_asked_first_and_the_command_when_it_refuses),
                TEST(it_runs_when_the_client_went_before_it_was_told),
                TEST(one_that_died_with_the_service_runs_again_after_a_grace_for_clients),
                TEST(a_command_may_complete_its_own_job),
                TEST(what_ended_for_an_earlier_event_takes_no_later_one),
                TEST(only_so_many_run_at_once_and_the_next_follow),
                TEST(a_command_is_a_path_and_parameters_need_one),
                TEST(where_they_are_forbidden_none_is_set_and_none_runs),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

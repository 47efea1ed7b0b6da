/* The system instance's runner with the real dosvc-runner at its other end; only the broker is left out: all are of this user. */
#include "../unit.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include "base/fds.h"
#include "base/process.h"
#include "daemon/runner_owners.h"
#include "ipc/message.h"
#include "protocol/limits.h"

static const char *program;

struct world {
        sd_event *event;
        struct runner *runner;
        pid_t pid; /* of dosvc-runner */
        int spawn_error;
        bool refuses; /* closes the other end, as a broker does that has no process to give */
        unsigned n_ended;
        struct runner_end last;
};

static int spawn(void *userdata, uid_t owner, int fd) {
        char *arguments[] = { (char *) program, NULL }, *environment[] = { (char *) "HOME=/the/home", NULL };
        struct world *w = userdata;
        int above = fcntl(fd, F_DUPFD_CLOEXEC, 10), r;

        assert_int_equal(owner, getuid());
        if (w->spawn_error)
                return w->spawn_error;
        assert_return_code(above, errno);
        (void) fd_close(fd);
        r = w->refuses ? 0 : process_spawn(&(struct process_spawn) { .program = program, .arguments = arguments, .environment = environment,
                                                                     .fds = &above, .n_fds = 1 }, &w->pid);
        (void) fd_close(above);
        return r;
}

static void on_ended(void *userdata, uint64_t id, const struct runner_end *end) {
        struct world *w = userdata;

        assert_int_equal(id, 7);
        w->n_ended++;
        w->last = *end;
}

static int setup(void **state) {
        static const struct runner_events events = { .ended = on_ended };
        struct world *w = calloc(1, sizeof(*w));

        assert_non_null(w);
        assert_return_code(sd_event_new(&w->event), 0);
        assert_int_equal(runner_owners_new(w->event, &(struct runner_owners_config) { .spawn = spawn, .userdata = w,
                                                                                      .patience_usec = 300 * USEC_PER_MSEC }, &w->runner), 0);
        assert_int_equal(runner_share(w->runner, "SHARED", "yes"), 0);
        runner_set_events(w->runner, &events, w);
        *state = w;
        return 0;
}

static int teardown(void **state) {
        struct world *w = *state;

        runner_free(w->runner);
        if (w->pid > 0) /* it goes when its core goes */
                assert_int_equal(waitpid(w->pid, NULL, 0), w->pid);
        sd_event_unref(w->event);
        free(w);
        return 0;
}

static int start(struct world *w, const char *line, uint64_t timeout_usec) {
        char *const arguments[] = { (char *) "sh", (char *) "-c", (char *) line, NULL };
        char *const environment[] = { (char *) "MORE=x", NULL };

        return runner_start(w->runner, &(struct runner_request) { .id = 7, .owner = getuid(), .program = "/bin/sh", .arguments = arguments,
                                                                  .environment = environment, .timeout_usec = timeout_usec });
}

static void finish(struct world *w, enum runner_outcome outcome, int value) {
        while (w->n_ended == 0)
                assert_return_code(sd_event_run(w->event, UINT64_MAX), 0);
        assert_int_equal(w->n_ended, 1);
        assert_int_equal(w->last.outcome, outcome);
        assert_int_equal(w->last.value, value);
}

static void it_is_told_how_a_program_ended(void **state) {
        struct world *w = *state;

        assert_int_equal(start(w, "[ \"$SHARED|$MORE|$HOME\" = 'yes|x|/the/home' ] && exit 42", USEC_PER_MINUTE), 0);
        finish(w, RUNNER_EXITED, 42);
}

static void a_signal_is_told(void **state) {
        assert_int_equal(start(*state, "kill -KILL $$", USEC_PER_MINUTE), 0);
        finish(*state, RUNNER_KILLED, SIGKILL);
}

static void a_deadline_is_kept_over_there(void **state) {
        assert_int_equal(start(*state, "exec sleep 1000", 10 * USEC_PER_MSEC), 0);
        finish(*state, RUNNER_TIMED_OUT, 0);
}

static void a_process_that_was_stopped_keeps_nothing_waiting_for_ever(void **state) {
        struct world *w = *state;

        assert_int_equal(start(w, "exec sleep 1000", 10 * USEC_PER_MSEC), 0);
        assert_return_code(kill(w->pid, SIGSTOP), errno);
        finish(w, RUNNER_TIMED_OUT, 0);
        assert_return_code(kill(w->pid, SIGCONT), errno);
}

static void a_process_that_dies_is_a_program_that_is_lost(void **state) {
        struct world *w = *state;

        assert_int_equal(start(w, "sleep 1", USEC_PER_MINUTE), 0);
        assert_return_code(kill(w->pid, SIGKILL), errno);
        finish(w, RUNNER_LOST, 0);
}

static void a_broker_that_has_no_process_to_give_is_one_too(void **state) {
        struct world *w = *state;

        w->refuses = true;
        assert_int_equal(start(w, "true", USEC_PER_MINUTE), 0);
        finish(w, RUNNER_LOST, 0);
}

static void what_cannot_be_asked_for_is_refused_at_once(void **state) {
        static char line[IPC_RUN_STRINGS_MAX + 1];
        struct world *w = *state;

        w->spawn_error = -ECONNREFUSED;
        assert_int_equal(start(w, "true", USEC_PER_MINUTE), -ECONNREFUSED);
        w->spawn_error = 0;
        memset(line, 'x', sizeof(line) - 1);
        assert_int_equal(start(w, line, USEC_PER_MINUTE), -E2BIG);
        assert_int_equal(w->n_ended, 0);
}

static void programs_end_with_their_core(void **state) {
        struct world *w = *state;

        assert_int_equal(start(w, "exec sleep 1000", USEC_PER_MINUTE), 0);
        for (unsigned i = 0; i < 20; i++)
                assert_return_code(sd_event_run(w->event, 10 * USEC_PER_MSEC), 0);
        assert_int_equal(w->n_ended, 0); /* teardown waits for the process: it must go when the runner does */
}

static void only_so_many_variables_are_shared(void **state) {
        struct world *w = *state;
        unsigned n = 1;

        while (runner_share(w->runner, "V", "x") == 0)
                n++;
        assert_int_equal(n, RUNNER_SHARED_MAX);
        assert_int_equal(runner_share(w->runner, "V", "x"), -ENOBUFS);
}

int main(int argc, char **argv) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(it_is_told_how_a_program_ended, setup, teardown),
                cmocka_unit_test_setup_teardown(a_signal_is_told, setup, teardown),
                cmocka_unit_test_setup_teardown(a_deadline_is_kept_over_there, setup, teardown),
                cmocka_unit_test_setup_teardown(a_process_that_was_stopped_keeps_nothing_waiting_for_ever, setup, teardown),
                cmocka_unit_test_setup_teardown(a_process_that_dies_is_a_program_that_is_lost, setup, teardown),
                cmocka_unit_test_setup_teardown(a_broker_that_has_no_process_to_give_is_one_too, setup, teardown),
                cmocka_unit_test_setup_teardown(what_cannot_be_asked_for_is_refused_at_once, setup, teardown),
                cmocka_unit_test_setup_teardown(programs_end_with_their_core, setup, teardown),
                cmocka_unit_test_setup_teardown(only_so_many_variables_are_shared, setup, teardown),
        };

        assert_int_equal(argc, 2);
        program = argv[1];
        (void) signal(SIGPIPE, SIG_IGN);
        return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The real runner with real programs: what they get, what they do not get, and how their end is told. */
#include "../unit.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include "base/fds.h"
#include "program/runner_process.h"

static const char *helper;

struct world {
        sd_event *event;
        struct runner *runner;
        char directory[64];
        char script[96], output[96];
        unsigned n_ended;
        uint64_t last_id;
        struct runner_end last;
};

static void on_ended(void *userdata, uint64_t id, const struct runner_end *end) {
        struct world *w = userdata;

        w->n_ended++;
        w->last_id = id;
        w->last = *end;
}

static int setup(void **state) {
        static const struct runner_events events = { .ended = on_ended };
        struct world *w = calloc(1, sizeof(*w));

        assert_non_null(w);
        strcpy(w->directory, "/tmp/dosvc-runner-XXXXXX");
        assert_non_null(mkdtemp(w->directory));
        snprintf(w->script, sizeof(w->script), "%s/script", w->directory);
        snprintf(w->output, sizeof(w->output), "%s/output", w->directory);
        assert_return_code(sd_event_new(&w->event), 0);
        assert_int_equal(runner_process_new(w->event, helper, &w->runner), 0);
        assert_int_equal(runner_share(w->runner, "HOME", "/the/home"), 0);
        assert_int_equal(runner_share(w->runner, "ABSENT", NULL), 0);
        runner_set_events(w->runner, &events, w);
        *state = w;
        return 0;
}

static int teardown(void **state) {
        struct world *w = *state;

        runner_free(w->runner);
        sd_event_unref(w->event);
        (void) unlink(w->script);
        (void) unlink(w->output);
        assert_return_code(rmdir(w->directory), errno);
        free(w);
        return 0;
}

static void write_script(struct world *w, const char *text) {
        int fd = open(w->script, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0700);

        assert_return_code(fd, errno);
        assert_return_code(dprintf(fd, "#!/bin/sh\n%s\n", text), errno);
        close(fd);
}

static int start(struct world *w, uint64_t id, const char *program, uint64_t timeout_usec) {
        char *const arguments[] = { (char *) "own name", w->output, (char *) "a b", (char *) "$HOME", NULL };
        char *const environment[] = { (char *) "MORE=x", NULL };

        return runner_start(w->runner, &(struct runner_request) {
                        .id = id,
                        .program = program,
                        .arguments = arguments,
                        .environment = environment,
                        .timeout_usec = timeout_usec,
                });
}

static void run(struct world *w, uint64_t timeout_usec) {
        unsigned before = w->n_ended;

        assert_int_equal(start(w, 7, w->script, timeout_usec), 0);
        while (w->n_ended == before)
                assert_return_code(sd_event_run(w->event, UINT64_MAX), 0);
        assert_int_equal(w->last_id, 7);
}

static void assert_output(struct world *w, const char *expected) {
        _cleanup_free_ char *text = NULL;

        assert_int_equal(fd_read_file(w->output, 65536, &text, NULL), 0);
        assert_string_equal(text, expected);
}

static void a_program_gets_its_arguments_and_nothing_of_ours(void **state) {
        struct world *w = *state;
        struct rlimit files = { 1500, 1500 };

        (void) setenv("OURS", "secret", 1);
        (void) signal(SIGPIPE, SIG_IGN);
        if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_max >= 1500) {
                files.rlim_cur = 1500;
                assert_return_code(setrlimit(RLIMIT_NOFILE, &files), errno);
        }
        /* This test's own descriptors: none of them may arrive, not even one without close-on-exec. */
        assert_int_equal(dup2(STDERR_FILENO, 9), 9);
        write_script(w, "streams=$(readlink /proc/$$/fd/0 /proc/$$/fd/1 /proc/$$/fd/2)\n"
                        "{ echo \"$2|$3\"; env | grep -v '^PWD=\\|^_=\\|^SHLVL=' | LC_ALL=C sort; umask; pwd; ulimit -n; echo \"$streams\"\n"
                        "[ -e /proc/$$/fd/9 ] && echo inherited\n"
                        /* Of the 31 standard signals; awk's own, as a shell blocks all of them for the moment of a fork. */
                        "awk '/^Sig(Blk|Ign)/ {print substr($2, 10)}' /proc/self/status; } > \"$1\" 2>&1");
        run(w, USEC_PER_MINUTE);
        close(9);
        assert_int_equal(w->last.outcome, RUNNER_EXITED);
        assert_int_equal(w->last.value, 0);
        assert_output(w, "a b|$HOME\nHOME=/the/home\nLANG=C.UTF-8\nMORE=x\nPATH=/usr/local/bin:/usr/bin:/bin\n"
                         "0022\n/\n1024\n/dev/null\n/dev/null\n/dev/null\n0000000\n0000000\n");
}

static void its_session_is_its_own(void **state) {
        struct world *w = *state;
        write_script(w, "set -- $1 $(cat /proc/$$/stat); [ \"$2\" = \"$7\" ] && echo leads > \"$1\"");
        run(w, USEC_PER_MINUTE);
        assert_output(w, "leads\n");
        assert_int_equal(w->last.value, 0);
}

static void its_end_is_told_as_it_was(void **state) {
        struct world *w = *state;

        write_script(w, "exit 3");
        run(w, USEC_PER_MINUTE);
        assert_int_equal(w->last.outcome, RUNNER_EXITED);
        assert_int_equal(w->last.value, 3);
        write_script(w, "kill -KILL $$");
        run(w, USEC_PER_MINUTE);
        assert_int_equal(w->last.outcome, RUNNER_KILLED);
        assert_int_equal(w->last.value, SIGKILL);
}

static void a_program_that_is_not_there_is_an_end_like_others(void **state) {
        struct world *w = *state;

        assert_int_equal(start(w, 1, "/does/not/exist", USEC_PER_MINUTE), 0);
        while (w->n_ended == 0)
                assert_return_code(sd_event_run(w->event, UINT64_MAX), 0);
        assert_int_equal(w->last.outcome, RUNNER_EXITED);
        assert_int_equal(w->last.value, RUNNER_EXIT_NOT_STARTED);
}

static void what_takes_too_long_is_ended_with_all_that_it_started(void **state) {
        struct world *w = *state;

        /* The pipe is open for as long as one of its session lives. */
        write_script(w, "mkfifo \"$1\"; sleep 1000 > \"$1\" & exec sleep 1000 > \"$1\"");
        assert_int_equal(start(w, 7, w->script, 300 * USEC_PER_MSEC), 0);
        while (access(w->output, F_OK) < 0)
                assert_return_code(sd_event_run(w->event, 10 * USEC_PER_MSEC), 0);
        int fd = open(w->output, O_RDONLY | O_CLOEXEC);
        char byte;

        while (w->n_ended == 0)
                assert_return_code(sd_event_run(w->event, UINT64_MAX), 0);
        assert_int_equal(w->last.outcome, RUNNER_TIMED_OUT);
        assert_return_code(fd, errno);
        assert_int_equal(read(fd, &byte, 1), 0);
        close(fd);
}

static void what_is_started_last_does_not_wait_for_the_first(void **state) {
        struct world *w = *state;

        write_script(w, "exec sleep 1000");
        assert_int_equal(start(w, 1, w->script, USEC_PER_MINUTE), 0);
        assert_int_equal(start(w, 2, "/bin/true", USEC_PER_MINUTE), 0);
        while (w->n_ended == 0)
                assert_return_code(sd_event_run(w->event, UINT64_MAX), 0);
        assert_int_equal(w->last_id, 2);
        /* The first one goes with the runner: teardown. */
}

static void a_helper_that_is_missing_is_an_error_at_once(void **state _unused_) {
        struct runner *runner;
        sd_event *event;
        char *const none[] = { (char *) "x", NULL };

        assert_return_code(sd_event_new(&event), 0);
        assert_int_equal(runner_process_new(event, "/does/not/exist", &runner), 0);
        assert_int_equal(runner_start(runner, &(struct runner_request) { .id = 1, .program = "/bin/true", .arguments = none }), -ENOENT);
        runner_free(runner);
        sd_event_unref(event);
}

int main(int argc, char **argv) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(a_program_gets_its_arguments_and_nothing_of_ours, setup, teardown),
                cmocka_unit_test_setup_teardown(its_session_is_its_own, setup, teardown),
                cmocka_unit_test_setup_teardown(its_end_is_told_as_it_was, setup, teardown),
                cmocka_unit_test_setup_teardown(a_program_that_is_not_there_is_an_end_like_others, setup, teardown),
                cmocka_unit_test_setup_teardown(what_takes_too_long_is_ended_with_all_that_it_started, setup, teardown),
                cmocka_unit_test_setup_teardown(what_is_started_last_does_not_wait_for_the_first, setup, teardown),
                cmocka_unit_test(a_helper_that_is_missing_is_an_error_at_once),
        };

        assert_int_equal(argc, 2);
        helper = argv[1];
        return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "base/process.h"

#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fds.h"

static int spawn(const char *program, const char *script, const int *fds, int n_fds, pid_t *ret) {
        char *arguments[] = { (char *) "sh", (char *) "-c", (char *) script, NULL }, *environment[] = { NULL };

        return process_spawn(&(struct process_spawn) {
                .program = program,
                .arguments = arguments,
                .environment = environment,
                .fds = fds,
                .n_fds = n_fds,
        }, ret);
}

static int wait_for_child(pid_t pid) {
        int status;

        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFEXITED(status));
        return WEXITSTATUS(status);
}

static void a_child_has_what_it_is_given_and_nothing_else(void **state) {
        char text[64] = {};
        int pair[2], fds[2], other;
        pid_t pid;

        assert_int_equal(pipe2(pair, O_CLOEXEC), 0);
        other = open("/dev/null", O_RDONLY); /* not even close-on-exec */
        assert_true(other >= 0);
        fds[0] = fcntl(pair[1], F_DUPFD_CLOEXEC, 10);
        fds[1] = fcntl(other, F_DUPFD_CLOEXEC, 10);
        assert_int_equal(spawn("/bin/sh", "for f in 0 1 2 3 4 5 6 7 8 9; do [ -e /proc/$$/fd/$f ] && echo $f >&3; done; exit 7", fds, 2, &pid), 0);
        (void) fd_close(pair[1]);
        (void) fd_close(fds[0]);
        assert_true(fd_read_all(pair[0], text, sizeof(text) - 1) > 0); /* to its end: nobody else has the other one */
        assert_string_equal(text, "0\n1\n2\n3\n4\n");
        assert_int_equal(wait_for_child(pid), 7); /* it is ours, whichever thread made it */
        (void) fd_close(fds[1]);
        (void) fd_close(other);
        (void) fd_close(pair[0]);
}

static void a_program_that_is_not_there_is_an_error(void **state) {
        pid_t pid;

        if (getenv("DOSVC_VALGRIND"))
                skip(); /* it makes a fork() of the vfork() by which posix_spawn() would hear of its child's error */
        assert_int_equal(spawn("/nonexistent/program", "", NULL, 0, &pid), -ENOENT);
}

static int begin_apart(void **state) {
        return process_spawn_apart();
}

static int end_apart(void **state) {
        DIR *threads;
        int n = 0;

        process_spawn_together();
        process_spawn_together(); /* nothing any more */
        threads = opendir("/proc/self/task");
        assert_non_null(threads);
        while (readdir(threads))
                n++;
        closedir(threads);
        return n == 3 ? 0 : -1; /* ".", "..", this one */
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_child_has_what_it_is_given_and_nothing_else),
                cmocka_unit_test(a_program_that_is_not_there_is_an_error),
        };
        int n_failed = cmocka_run_group_tests_name("with a copy of our descriptors", tests, NULL, NULL);

        n_failed += cmocka_run_group_tests_name("apart", tests, begin_apart, end_apart);
        return n_failed + cmocka_run_group_tests_name("together again", tests, NULL, NULL);
}

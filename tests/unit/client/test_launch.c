/* Starting the user instance on demand: what the service gets from the program that needs it, and what it does not get. The service
 * is a script that writes down what it sees; one that works is played by the test itself. */
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fds.h"
#include "base/strings.h"
#include "client/launch.h"
#include "client/public.h"
#include "fake_service.h"

#define RESULT_MAX 65536

struct fixture {
        char directory[40];
        char program[64], result[64];
};

static void write_file(const char *path, const char *text, mode_t mode) {
        int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

        assert_true(fd >= 0);
        assert_int_equal(fd_write_all(fd, text, strlen(text)), 0);
        assert_int_equal(fchmod(fd, mode), 0);
        close(fd);
}

static int set_up(void **state) {
        struct fixture *f = calloc(1, sizeof(*f));

        strcpy(f->directory, "/tmp/dosvc-launch-XXXXXX");
        assert_non_null(mkdtemp(f->directory));
        snprintf(f->program, sizeof(f->program), "%s/dosvcd", f->directory);
        snprintf(f->result, sizeof(f->result), "%s/result", f->directory);
        setenv("DOSVC_DAEMON", f->program, 1);
        setenv("XDG_STATE_HOME", f->directory, 1);
        setenv("XDG_RUNTIME_DIR", f->directory, 1);
        unsetenv("DOSVC_ADDRESS");
        *state = f;
        return 0;
}

static int tear_down(void **state) {
        struct fixture *f = *state;
        char command[128];

        snprintf(command, sizeof(command), "rm -rf %s", f->directory);
        assert_int_equal(system(command), 0);
        free(f);
        return 0;
}

/* Not under valgrind 3.19. */
static bool there_are_pidfds(void) {
        int fd = (int) syscall(SYS_pidfd_open, getpid(), 0);

        if (fd >= 0)
                close(fd);
        return fd >= 0;
}

/* Starts it and waits for its end: what it wrote. */
static char *run(struct fixture *f, const char *script) {
        struct pollfd pollfd = { .events = POLLIN };
        char text[2048], *content = calloc(1, RESULT_MAX + 1);
        int watch = -EBADF, fd;

        snprintf(text, sizeof(text), "#!/bin/sh\nexec >%s\n%s\n", f->result, script);
        write_file(f->program, text, 0700);
        (void) unlink(f->result);
        assert_int_equal(mkfifo(f->result, 0600), 0);
        assert_int_equal(launch_service(&watch), 0);
        fd = open(f->result, O_RDONLY | O_CLOEXEC); /* waits for the script */
        assert_true(fd >= 0);
        assert_true(fd_read_all(fd, content, RESULT_MAX) >= 0);
        close(fd);
        assert_int_equal(watch >= 0, there_are_pidfds());
        pollfd.fd = watch;
        assert_int_equal(poll(&pollfd, watch >= 0, watch >= 0 ? 10000 : 0), watch >= 0);
        (void) fd_close(watch);
        return content;
}

static void it_gets_its_arguments_and_nothing_to_stand_in(void **state) {
        _cleanup_free_ char *got = run(*state, "echo \"$@\"; pwd; umask");

        assert_string_equal(got, "--user --idle-exit 60\n/\n0022\n");
}

static void it_is_in_a_session_of_its_own(void **state) {
        /* pid, parent, process group, session: fields 1, 4, 5, 6 of stat */
        _cleanup_free_ char *got = run(*state, "read pid c s ppid pgrp session rest </proc/$$/stat; echo $pid $ppid $pgrp $session");
        int pid, parent, group, session;

        assert_int_equal(sscanf(got, "%d %d %d %d", &pid, &parent, &group, &session), 4);
        assert_int_not_equal(parent, getpid());
        assert_int_equal(group, session);
        assert_int_not_equal(session, getsid(0));
        /* Not the leader: it can never get a terminal. */
        assert_int_not_equal(session, pid);
}

static void it_has_no_descriptors_of_the_program(void **state) {
        int first = open("/dev/zero", O_RDONLY), high = fcntl(first, F_DUPFD, 200);
        _cleanup_free_ char *got = run(*state, "for f in /proc/$$/fd/*; do echo ${f##*/} $(readlink $f); done");

        assert_true(first >= 0 && high >= 200);
        assert_null(strstr(got, "/dev/zero"));
        assert_non_null(strstr(got, "0 /dev/null\n"));
        assert_non_null(strstr(got, "2 /dev/null\n"));
        close(first);
        close(high);
}

static void its_signals_are_as_at_birth(void **state) {
        struct sigaction ignore = { .sa_handler = SIG_IGN }, old_pipe, old_usr1;
        _cleanup_free_ char *got = NULL;
        sigset_t blocked, old;

        sigaction(SIGPIPE, &ignore, &old_pipe);
        sigaction(SIGUSR1, &ignore, &old_usr1);
        sigemptyset(&blocked);
        sigaddset(&blocked, SIGTERM);
        sigprocmask(SIG_BLOCK, &blocked, &old);
        got = run(*state, "grep -E '^Sig(Blk|Ign)' /proc/self/status");
        assert_string_equal(got, "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n");
        sigprocmask(SIG_SETMASK, &old, NULL);
        sigaction(SIGPIPE, &old_pipe, NULL);
        sigaction(SIGUSR1, &old_usr1, NULL);
}

static void it_gets_only_the_environment_that_is_meant_for_it(void **state) {
        _cleanup_free_ char *got = NULL;

        setenv("SECRET_TOKEN", "hunter2", 1);
        setenv("LD_PRELOAD", "", 1);
        setenv("https_proxy", "http://proxy:8080/", 1);
        setenv("DOSVC_SOMETHING", "yes", 1);
        setenv("LANG", "C.UTF-8", 1);
        got = run(*state, "env");
        assert_null(strstr(got, "SECRET_TOKEN"));
        assert_null(strstr(got, "LD_PRELOAD"));
        assert_non_null(strstr(got, "https_proxy=http://proxy:8080/\n"));
        assert_non_null(strstr(got, "DOSVC_SOMETHING=yes\n"));
        assert_non_null(strstr(got, "XDG_STATE_HOME="));
        assert_non_null(strstr(got, "LANG=C.UTF-8\n"));
        assert_non_null(strstr(got, "HOME="));
        assert_non_null(strstr(got, "PATH="));
        unsetenv("SECRET_TOKEN");
        unsetenv("LD_PRELOAD");
        unsetenv("https_proxy");
        unsetenv("DOSVC_SOMETHING");
}

static void a_home_is_found_when_the_environment_has_none(void **state) {
        _cleanup_free_ char *old = strdup(getenv("HOME") ? getenv("HOME") : "/root"), *got = NULL;

        unsetenv("HOME");
        got = run(*state, "env");
        assert_non_null(strstr(got, "HOME=/"));
        setenv("HOME", old, 1);
}

static void a_program_that_cannot_be_executed_is_an_error_at_once(void **state) {
        struct fixture *f = *state;
        int watch;

        assert_int_equal(launch_service(&watch), -ENOENT);
        write_file(f->program, "no script", 0600);
        assert_int_equal(launch_service(&watch), -EACCES);
        assert_int_equal(watch, -EBADF);
}

static void the_callers_children_are_left_alone(void **state) {
        int status;

        free(run(*state, "true"));
        assert_int_equal(waitpid(-1, &status, WNOHANG), -1);
        assert_int_equal(errno, ECHILD);
}

/* ---- the whole way ---- */

static void a_client_starts_the_service_and_finds_it(void **state) {
        struct fixture *f = *state;
        struct fake_service *fake = fake_service_new();
        char script[512];
        dosvc *c;

        /* The script is the service's start: it leaves a lock file that names the fake's socket. */
        unsetenv("DOSVC_ADDRESS");
        snprintf(script, sizeof(script),
                 "#!/bin/sh\nmkdir -p $XDG_STATE_HOME/dosvc\n"
                 "printf '%%s\\n%%s\\n%%s\\n' $$ $(cat /proc/sys/kernel/random/boot_id) %s >$XDG_STATE_HOME/dosvc/lock\n",
                 fake_service_address(fake));
        write_file(f->program, script, 0700);
        assert_true(dosvc_open(DOSVC_CONNECT_USER | DOSVC_CONNECT_NO_START, &c) < 0);
        assert_int_equal(dosvc_open(DOSVC_CONNECT_USER, &c), 0);
        assert_int_equal(fake_service_connections(fake), 1);
        dosvc_close(c);
        /* Now it is there: no start is needed. */
        assert_int_equal(dosvc_open(DOSVC_CONNECT_USER | DOSVC_CONNECT_NO_START, &c), 0);
        dosvc_close(c);
        fake_service_free(fake);
}

static void a_service_that_ends_without_listening_is_not_waited_for_in_full(void **state) {
        struct fixture *f = *state;
        struct timespec begin, end;
        dosvc *c;

        write_file(f->program, "#!/bin/sh\nexit 1\n", 0700);
        clock_gettime(CLOCK_MONOTONIC, &begin);
        assert_int_equal((uint32_t) dosvc_open(DOSVC_CONNECT_USER, &c), 0x80D01001);
        clock_gettime(CLOCK_MONOTONIC, &end);
        assert_in_range(end.tv_sec - begin.tv_sec, 2, there_are_pidfds() ? 8 : 20);
        assert_non_null(strstr(dosvc_last_error(NULL)->text, "dosvcd --user"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(it_gets_its_arguments_and_nothing_to_stand_in),
                TEST(it_is_in_a_session_of_its_own),
                TEST(it_has_no_descriptors_of_the_program),
                TEST(its_signals_are_as_at_birth),
                TEST(it_gets_only_the_environment_that_is_meant_for_it),
                TEST(a_home_is_found_when_the_environment_has_none),
                TEST(a_program_that_cannot_be_executed_is_an_error_at_once),
                TEST(the_callers_children_are_left_alone),
                TEST(a_client_starts_the_service_and_finds_it),
                TEST(a_service_that_ends_without_listening_is_not_waited_for_in_full),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

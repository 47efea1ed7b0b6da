/* Starting the user instance on demand: what the service gets from the program that needs it, and what it does not
 * get. The service is a script that writes down what it sees; one that works is played by the test itself. */
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <systemd/sd-bus.h>
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
        _cleanup_free_ char *got =
                run(*state, "read pid c s ppid pgrp session rest </proc/$$/stat; echo $pid $ppid $pgrp $session");
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
        uint64_t still_blocked, still_ignored;
        sigset_t blocked, old;

        sigaction(SIGPIPE, &ignore, &old_pipe);
        sigaction(SIGUSR1, &ignore, &old_usr1);
        sigemptyset(&blocked);
        sigaddset(&blocked, SIGTERM);
        sigprocmask(SIG_BLOCK, &blocked, &old);
        got = run(*state, "grep -E '^Sig(Blk|Ign)' /proc/self/status");
        assert_int_equal(sscanf(got, "SigBlk: %" SCNx64 " SigIgn: %" SCNx64, &still_blocked, &still_ignored), 2);
        assert_true(still_blocked == 0);
        /* 32 and 33 belong to the C library, which lets nobody change them: what ran this test may have left them ignored. */
        assert_true((still_ignored & ~(UINT64_C(3) << 31)) == 0);
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

/* ---- through the user's systemd: a bus of our own, and this test in systemd's place ---- */

struct systemd {
        sd_bus *bus;
        bool has_unit; /* dosvc.service is installed */
        unsigned n_started, n_transient;
        char program[64], arguments[64];
        bool proxy_is_handed_on;
        atomic_bool stop;
};

static int on_start_unit(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        struct systemd *self = userdata;
        const char *unit, *mode;

        if (sd_bus_message_read(m, "ss", &unit, &mode) < 0 || !streq(unit, "dosvc.service"))
                return -EINVAL;
        if (!self->has_unit)
                return sd_bus_error_set(error, "org.freedesktop.systemd1.NoSuchUnit", "Unit dosvc.service not found.");
        self->n_started++;
        return sd_bus_reply_method_return(m, "o", "/job/1");
}

static void read_exec_start(sd_bus_message *m, struct systemd *self) {
        const char *argument;
        int ignore;

        if (sd_bus_message_enter_container(m, 'v', "a(sasb)") < 0 ||
            sd_bus_message_enter_container(m, 'a', "(sasb)") < 0 ||
            sd_bus_message_enter_container(m, 'r', "sasb") < 0 || sd_bus_message_read(m, "s", &argument) < 0)
                return;
        snprintf(self->program, sizeof(self->program), "%s", argument);
        (void) sd_bus_message_enter_container(m, 'a', "s");
        while (sd_bus_message_read(m, "s", &argument) > 0) {
                strncat(self->arguments, argument, sizeof(self->arguments) - strlen(self->arguments) - 1);
                strncat(self->arguments, " ", sizeof(self->arguments) - strlen(self->arguments) - 1);
        }
        (void) sd_bus_message_exit_container(m);
        (void) sd_bus_message_read(m, "b", &ignore);
        for (unsigned i = 0; i < 3; i++)
                (void) sd_bus_message_exit_container(m);
}

static void read_environment(sd_bus_message *m, struct systemd *self) {
        const char *assignment;

        (void) sd_bus_message_enter_container(m, 'v', "as");
        (void) sd_bus_message_enter_container(m, 'a', "s");
        while (sd_bus_message_read(m, "s", &assignment) > 0)
                self->proxy_is_handed_on |= streq(assignment, "http_proxy=http://p/");
        (void) sd_bus_message_exit_container(m);
        (void) sd_bus_message_exit_container(m);
}

static int on_start_transient_unit(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        struct systemd *self = userdata;
        const char *unit, *mode, *name;

        if (sd_bus_message_read(m, "ss", &unit, &mode) < 0 || sd_bus_message_enter_container(m, 'a', "(sv)") < 0)
                return -EINVAL;
        while (sd_bus_message_enter_container(m, 'r', "sv") > 0) {
                if (sd_bus_message_read(m, "s", &name) < 0)
                        return -EINVAL;
                if (streq(name, "ExecStart"))
                        read_exec_start(m, self);
                else if (streq(name, "Environment"))
                        read_environment(m, self);
                else
                        (void) sd_bus_message_skip(m, "v");
                (void) sd_bus_message_exit_container(m);
        }
        self->n_transient++;
        return sd_bus_reply_method_return(m, "o", "/job/2");
}

static const sd_bus_vtable systemd_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_METHOD("StartUnit", "ss", "o", on_start_unit, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("StartTransientUnit", "ssa(sv)a(sa(sv))", "o", on_start_transient_unit,
                      SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_VTABLE_END,
};

static void *systemd_main(void *arg) {
        struct systemd *self = arg;

        while (!self->stop)
                if (sd_bus_process(self->bus, NULL) == 0)
                        (void) sd_bus_wait(self->bus, 20000);
        return NULL;
}

/* A session bus in the fixture's directory. 0: there is no dbus-daemon here. */
static pid_t start_bus(struct fixture *f) {
        char config[512], path[64], address[80];
        pid_t pid;

        if (access("/usr/bin/dbus-daemon", X_OK) < 0)
                return 0;
        snprintf(path, sizeof(path), "%s/bus.conf", f->directory);
        snprintf(address, sizeof(address), "unix:path=%s/session", f->directory);
        snprintf(config, sizeof(config),
                 "<busconfig><type>session</type><listen>%s</listen><auth>EXTERNAL</auth><policy context='default'>"
                 "<allow send_destination='*' eavesdrop='true'/><allow eavesdrop='true'/><allow own='*'/>"
                 "</policy></busconfig>",
                 address);
        write_file(path, config, 0600);
        pid = fork();
        if (pid == 0) {
                (void) prctl(PR_SET_PDEATHSIG, SIGKILL); /* also if an assertion ends the test */
                execl("/usr/bin/dbus-daemon", "dbus-daemon", "--nofork", "--nopidfile", "--config-file", path,
                      (char *) NULL);
                _exit(127);
        }
        setenv("DBUS_SESSION_BUS_ADDRESS", address, 1);
        return pid;
}

static void launch_with_systemd(struct fixture *f, struct systemd *systemd, int *ret_watch) {
        char path[96], runtime[64];
        pthread_t thread;
        int r = -1;

        snprintf(runtime, sizeof(runtime), "%s/systemd", f->directory);
        assert_int_equal(mkdir(runtime, 0700), 0);
        snprintf(path, sizeof(path), "%s/private", runtime);
        write_file(path, "", 0600);
        for (unsigned i = 0; r < 0 && i < 500; i++) {
                r = sd_bus_open_user(&systemd->bus);
                if (r < 0)
                        usleep(10000);
        }
        assert_true(r >= 0);
        assert_true(sd_bus_add_object_vtable(systemd->bus, NULL, "/org/freedesktop/systemd1",
                                             "org.freedesktop.systemd1.Manager", systemd_vtable, systemd) >= 0);
        assert_true(sd_bus_request_name(systemd->bus, "org.freedesktop.systemd1", 0) >= 0);
        assert_int_equal(pthread_create(&thread, NULL, systemd_main, systemd), 0);
        assert_int_equal(launch_service(ret_watch), 0);
        systemd->stop = true;
        pthread_join(thread, NULL);
        sd_bus_close_unref(systemd->bus);
}

static void systemd_starts_it_where_there_is_one(void **state) {
        _cleanup_free_ char *old_path = strdup(getenv("PATH") ? getenv("PATH") : "/usr/bin:/bin");
        struct systemd systemd = {};
        struct fixture *f = *state;
        int watch = -EBADF, status;
        pid_t bus = start_bus(f);

        if (bus == 0)
                skip();
        unsetenv("DOSVC_DAEMON");
        setenv("PATH", f->directory, 1);
        setenv("http_proxy", "http://p/", 1);
        write_file(f->program, "#!/bin/sh\nexit 1\n", 0700);
        launch_with_systemd(f, &systemd, &watch);
        assert_int_equal(systemd.n_started, 0);
        assert_int_equal(systemd.n_transient, 1);
        assert_int_equal(watch, -EBADF);
        assert_non_null(strstr(systemd.program, "/dosvcd"));
        assert_string_equal(systemd.arguments, "dosvcd --user --idle-exit 60 ");
        assert_true(systemd.proxy_is_handed_on);
        setenv("PATH", old_path, 1);
        unsetenv("http_proxy");
        unsetenv("DBUS_SESSION_BUS_ADDRESS");
        kill(bus, SIGTERM);
        assert_int_equal(waitpid(bus, &status, 0), bus);
}

static void an_installed_unit_is_preferred(void **state) {
        _cleanup_free_ char *old_path = strdup(getenv("PATH") ? getenv("PATH") : "/usr/bin:/bin");
        struct systemd systemd = { .has_unit = true };
        struct fixture *f = *state;
        int watch = -EBADF, status;
        pid_t bus = start_bus(f);

        if (bus == 0)
                skip();
        unsetenv("DOSVC_DAEMON");
        setenv("PATH", f->directory, 1);
        write_file(f->program, "#!/bin/sh\nexit 1\n", 0700);
        launch_with_systemd(f, &systemd, &watch);
        assert_int_equal(systemd.n_started, 1);
        assert_int_equal(systemd.n_transient, 0);
        setenv("PATH", old_path, 1);
        unsetenv("DBUS_SESSION_BUS_ADDRESS");
        kill(bus, SIGTERM);
        assert_int_equal(waitpid(bus, &status, 0), bus);
}

/* ---- the whole way ---- */

static void a_client_starts_the_service_and_finds_it(void **state) {
        struct fixture *f = *state;
        struct fake_service *fake = fake_service_new();
        char script[512];
        dosvc *c;

        /* The script is the service's start: it leaves a lock file that names the fake's socket. */
        unsetenv("DOSVC_ADDRESS");
        snprintf(
                script, sizeof(script),
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
                TEST(systemd_starts_it_where_there_is_one),
                TEST(an_installed_unit_is_preferred),
                TEST(a_client_starts_the_service_and_finds_it),
                TEST(a_service_that_ends_without_listening_is_not_waited_for_in_full),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

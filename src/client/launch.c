#include "client/launch.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <systemd/sd-bus.h>
#include <unistd.h>

#include "base/fds.h"
#include "base/strings.h"
#include "client/address.h"
#include "config.h"

#ifndef DOSVC_BINDIR
#define DOSVC_BINDIR "/usr/local/bin"
#endif

#define PROGRAM "dosvcd"
#define UNIT "dosvc.service"
#define SYSTEMD_TIMEOUT_USEC (5 * UINT64_C(1000000)) /* for each call to the user's systemd */
#define EXECUTE_WAIT_MSEC 2000                       /* for the new process to say that it could not be executed */
#define ENVIRONMENT_MAX 256                          /* variables that are handed on */

static int find_in_path(char **ret) {
        const char *path = address_getenv("PATH");

        for (const char *p = path; p && *p;) {
                size_t n = strcspn(p, ":");
                char *candidate;

                if (n > 0 && *p == '/') {
                        if (asprintf(&candidate, "%.*s/" PROGRAM, (int) n, p) < 0)
                                return -ENOMEM;
                        if (access(candidate, X_OK) == 0) {
                                *ret = candidate;
                                return 0;
                        }
                        free(candidate);
                }
                p += n + (p[n] == ':');
        }
        return -ENOENT;
}

int launch_find_program(char **ret) {
        const char *given = address_getenv("DOSVC_DAEMON");

        if (given || access(DOSVC_BINDIR "/" PROGRAM, X_OK) == 0) {
                *ret = strdup(given ? given : DOSVC_BINDIR "/" PROGRAM);
                return *ret ? 0 : -ENOMEM;
        }
        return find_in_path(ret);
}

static bool is_handed_on(const char *assignment) {
        static const char *const prefixes[] = {
                "HOME=",        "PATH=",      "XDG_",      "LANG=",        "TZ=",        "DOSVC_",    "http_proxy=",
                "https_proxy=", "all_proxy=", "no_proxy=", "HTTPS_PROXY=", "ALL_PROXY=", "NO_PROXY=",
        };

        for (size_t i = 0; i < ELEMENTSOF(prefixes); i++)
                if (startswith(assignment, prefixes[i]))
                        return true;
        return false;
}

void launch_free_environment(char **environment) {
        for (char **e = environment; e && *e; e++)
                free(*e);
        free(environment);
}

int launch_make_environment(char ***ret) {
        char **out = calloc(ENVIRONMENT_MAX + 2, sizeof(*out));
        _cleanup_free_ char *home = NULL;
        size_t n = 0;

        if (!out)
                return -ENOMEM;
        /* A set-uid program's environment is somebody else's: nothing of it is handed on. */
        if (secure_getenv("PATH"))
                for (char **e = environ; e && *e && n < ENVIRONMENT_MAX; e++) {
                        if (!is_handed_on(*e))
                                continue;
                        out[n] = strdup(*e);
                        if (!out[n++]) {
                                launch_free_environment(out);
                                return -ENOMEM;
                        }
                }
        if (!address_getenv("HOME") && address_home(&home) >= 0 && asprintf(&out[n], "HOME=%s", home) >= 0)
                n++;
        out[n] = NULL;
        *ret = out;
        return 0;
}

/* ---- through the user's systemd ---- */

static int append_properties(sd_bus_message *m, const char *program, char **environment) {
        int r;

        r = sd_bus_message_open_container(m, 'a', "(sv)");
        if (r >= 0)
                r = sd_bus_message_append(m, "(sv)(sv)(sv)", "Description", "s", "Background downloads (dosvc)",
                                          "CollectMode", "s", "inactive-or-failed", "KillMode", "s", "mixed");
        if (r >= 0)
                r = sd_bus_message_append(m, "(sv)", "ExecStart", "a(sasb)", 1, program, 4, PROGRAM, "--user",
                                          "--idle-exit", LAUNCH_IDLE_EXIT, 0);
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'r', "sv");
        if (r >= 0)
                r = sd_bus_message_append(m, "s", "Environment");
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'v', "as");
        if (r >= 0)
                r = sd_bus_message_append_strv(m, environment);
        for (unsigned i = 0; r >= 0 && i < 3; i++)
                r = sd_bus_message_close_container(m);
        return r >= 0 ? sd_bus_message_append(m, "a(sa(sv))", 0) : r;
}

static int call_systemd(sd_bus *bus, const char *method, const char *program, char **environment) {
        _cleanup_(sd_bus_message_unrefp)
        sd_bus_message *m = NULL;
        _cleanup_(sd_bus_error_free)
        sd_bus_error error = SD_BUS_ERROR_NULL;
        int r;

        r = sd_bus_message_new_method_call(bus, &m, "org.freedesktop.systemd1", "/org/freedesktop/systemd1",
                                           "org.freedesktop.systemd1.Manager", method);
        if (r >= 0)
                r = sd_bus_message_append(m, "ss", UNIT, program ? "fail" : "replace");
        if (r >= 0 && program)
                r = append_properties(m, program, environment);
        return r >= 0 ? sd_bus_call(bus, m, SYSTEMD_TIMEOUT_USEC, &error, NULL) : r;
}

/* The installed unit if there is one, else a transient one. Any failure means: go the other way. */
static int launch_by_systemd(const char *program, char **environment) {
        const char *runtime = address_getenv("XDG_RUNTIME_DIR");
        _cleanup_(sd_bus_flush_close_unrefp)
        sd_bus *bus = NULL;
        _cleanup_free_ char *private = NULL;
        int r;

        if (!runtime || asprintf(&private, "%s/systemd/private", runtime) < 0) {
                private = NULL;
                return -ENOENT;
        }
        if (access(private, F_OK) < 0)
                return -errno;
        r = sd_bus_open_user(&bus);
        if (r < 0)
                return r;
        r = call_systemd(bus, "StartUnit", NULL, NULL);
        return r >= 0 ? r : call_systemd(bus, "StartTransientUnit", program, environment);
}

/* ---- as a session of its own ---- */

struct child {
        const char *program;
        char *const *argv;
        char *const *environment;
        int max_fd;
        int report_fd;
};

struct report {
        pid_t pid;
        int error; /* of execve(2); only sent if it failed */
};

/* From here to execve(2): async-signal-safe functions only, the other threads' locks are lost. */
static void close_all_but(int keep, int max_fd) {
        if (keep > 3)
                (void) syscall(SYS_close_range, 3, keep - 1, 0);
        if (syscall(SYS_close_range, keep + 1, ~0U, 0) == 0)
                return;
        for (int fd = 3; fd < max_fd; fd++)
                if (fd != keep)
                        (void) close(fd);
}

static void reset_signals(void) {
        const struct sigaction standard = { .sa_handler = SIG_DFL };
        sigset_t none;

        for (int i = 1; i < _NSIG; i++)
                (void) sigaction(i, &standard, NULL);
        (void) sigemptyset(&none);
        (void) sigprocmask(SIG_SETMASK, &none, NULL);
}

_Noreturn static void become_service(const struct child *child) {
        struct report report = { .pid = getpid() };
        int null_fd;

        (void) !write(child->report_fd, &report, sizeof(report));
        null_fd = open("/dev/null", O_RDWR);
        for (int fd = 0; null_fd >= 0 && fd < 3; fd++)
                (void) dup2(null_fd, fd);
        close_all_but(child->report_fd, child->max_fd);
        reset_signals();
        (void) umask(022);
        if (chdir("/") == 0)
                (void) execve(child->program, child->argv, child->environment);
        report.error = errno;
        (void) !write(child->report_fd, &report, sizeof(report));
        _exit(127);
}

_Noreturn static void fork_again(const struct child *child) {
        pid_t pid;

        (void) setsid();
        pid = fork();
        if (pid == 0)
                become_service(child);
        _exit(pid < 0 ? 1 : 0);
}

static int read_reports(int fd, int *ret_watch) {
        struct pollfd pollfd = { .fd = fd, .events = POLLIN };
        struct report report = {};
        int watch = -EBADF;
        ssize_t n;

        n = fd_read_all(fd, &report, sizeof(report));
        if (n != sizeof(report))
                return n < 0 ? (int) n : -EAGAIN;
        watch = (int) syscall(SYS_pidfd_open, report.pid, 0);
        /* The end of the pipe means that execve(2) closed it. A child of this program that was forked in between
         * may hold it open: then no news is good news. */
        n = poll(&pollfd, 1, EXECUTE_WAIT_MSEC) > 0 ? fd_read_all(fd, &report, sizeof(report)) : 0;
        if (n == sizeof(report) && report.error != 0) {
                (void) fd_close(watch);
                return -report.error;
        }
        *ret_watch = watch < 0 ? -EBADF : watch;
        return 0;
}

static int launch_by_fork(const char *program, char **environment, int *ret_watch) {
        char *argv[] = { (char[]){ PROGRAM }, (char[]){ "--user" }, (char[]){ "--idle-exit" },
                         (char[]){ LAUNCH_IDLE_EXIT }, NULL };
        _cleanup_close_ int read_fd = -EBADF, write_fd = -EBADF;
        struct child child = { program, argv, environment, 0, -EBADF };
        struct rlimit limit;
        sigset_t all, old;
        int fds[2], status;
        pid_t pid;

        if (pipe2(fds, O_CLOEXEC) < 0)
                return -errno;
        read_fd = fds[0];
        write_fd = fds[1];
        /* Above 2, so that the standard descriptors can be replaced in the child. */
        child.report_fd = fcntl(write_fd, F_DUPFD_CLOEXEC, 3);
        if (child.report_fd < 0)
                return -errno;
        write_fd = fd_close(write_fd);
        write_fd = child.report_fd;
        child.max_fd = getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < 65536 ? (int) limit.rlim_cur : 65536;

        /* No handler of this program may run in the child, which has its memory. */
        (void) sigfillset(&all);
        (void) pthread_sigmask(SIG_SETMASK, &all, &old);
        pid = fork();
        if (pid == 0)
                fork_again(&child);
        (void) pthread_sigmask(SIG_SETMASK, &old, NULL);
        if (pid < 0)
                return -errno;
        write_fd = fd_close(write_fd);
        /* A program that reaps all children by itself makes this fail: fine. */
        while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
                ;
        return read_reports(read_fd, ret_watch);
}

int launch_service(int *ret_watch) {
        _cleanup_free_ char *program = NULL;
        char **environment;
        int r;

        *ret_watch = -EBADF;
        r = launch_find_program(&program);
        if (r < 0)
                return r;
        r = launch_make_environment(&environment);
        if (r < 0)
                return r;
        r = -ENOENT;
        if (!address_getenv("DOSVC_DAEMON"))
                r = launch_by_systemd(program, environment);
        if (r < 0)
                r = launch_by_fork(program, environment, ret_watch);
        launch_free_environment(environment);
        return r < 0 ? r : 0;
}

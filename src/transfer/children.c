#include "transfer/children.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fds.h"
#include "base/process.h"
#include "ipc/channel.h"

#define FIRST_FREE_FD 16        /* above every number that a child gets, so that no dup2() of the list hits a source of a later one */
#define REAP_TIMEOUT_MSEC 2000  /* a process that hangs in a system call is left behind */
#define REAP_TRIES 200
#define LOOK_INTERVAL (10 * USEC_PER_MSEC)

struct child {
        struct children *children;
        pid_t pid;
        int pidfd;
        sd_event_source *source;
};

struct children {
        struct child transfer, resolve;
        unsigned n_alive;
        bool killed;
        bool met_other_version;
        children_dead_fn dead;
        void *userdata;
};

/* Standard error stays ours. Nothing is inherited: no SSLKEYLOGFILE, no *_proxy, no LD_PRELOAD, no LOCALDOMAIN. */
static int spawn_child(const char *program, char *const argv[], const int *fds, int n_fds, pid_t *ret_pid) {
        char *const environment[] = { (char *) "PATH=/usr/bin:/bin", (char *) "LANG=C.UTF-8", NULL };

        return process_spawn(&(struct process_spawn) {
                        .program = program,
                        .arguments = argv,
                        .environment = environment,
                        .fds = fds,
                        .n_fds = n_fds,
                }, ret_pid);
}

static int raise_fd(int *fd) {
        int high = fcntl(*fd, F_DUPFD_CLOEXEC, FIRST_FREE_FD);

        if (high < 0)
                return -errno;
        (void) fd_close(*fd);
        *fd = high;
        return 0;
}

static int add_file_option(char **argv, size_t *n, const char *name, const char *file, char **ret_text) {
        if (!file)
                return 0;
        if (asprintf(ret_text, "--%s=%s", name, file) < 0) {
                *ret_text = NULL;
                return -ENOMEM;
        }
        argv[(*n)++] = *ret_text;
        return 0;
}

static int spawn_transfer(const struct children_config *config, int core_fd, int resolve_fd, pid_t *ret_pid) {
        _cleanup_free_ char *ca_file = NULL, *crl_file = NULL;
        const int fds[] = { core_fd, resolve_fd };
        char *argv[5] = { (char *) "dosvc-transfer" };
        size_t n = 1;
        int r;

        r = add_file_option(argv, &n, "ca-file", config->ca_file, &ca_file);
        if (r >= 0)
                r = add_file_option(argv, &n, "crl-file", config->crl_file, &crl_file);
        if (r < 0)
                return r;
        if (config->verbose)
                argv[n++] = (char *) "--verbose";
        return spawn_child(config->transfer_program, argv, fds, 2, ret_pid);
}

static int spawn_resolve(const struct children_config *config, int transfer_fd, pid_t *ret_pid) {
        char *argv[] = { (char *) "dosvc-resolve", config->verbose ? (char *) "--verbose" : NULL, NULL };

        return spawn_child(config->resolve_program, argv, &transfer_fd, 1, ret_pid);
}

/* Return: true if it is reaped. */
static bool child_reap(struct child *child) {
        int status = 0;
        pid_t pid = waitpid(child->pid, &status, WNOHANG);

        if (pid == 0)
                return false;
        if (pid > 0 && WIFEXITED(status) && WEXITSTATUS(status) == IPC_EXIT_OTHER_VERSION)
                child->children->met_other_version = true;
        child->pid = 0;
        return true;
}

static void take_exit(struct child *child) {
        struct children *children = child->children;

        if (!child_reap(child))
                return;
        (void) sd_event_source_set_enabled(child->source, SD_EVENT_OFF);
        children->n_alive--;
        children_kill(children);
        if (children->n_alive == 0)
                children->dead(children->userdata); /* may free it */
}

static int on_exit_of_child(sd_event_source *source, int fd, uint32_t events, void *userdata) {
        take_exit(ASSERT_PTR(userdata));
        return 0;
}

static int on_look_at_child(sd_event_source *source, uint64_t usec, void *userdata) {
        (void) sd_event_source_set_time_relative(source, LOOK_INTERVAL);
        (void) sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
        take_exit(ASSERT_PTR(userdata));
        return 0;
}

static int watch_child(struct sd_event *event, struct child *child) {
        child->pidfd = pidfd_open(child->pid, 0);
        if (child->pidfd >= 0)
                return sd_event_add_io(event, &child->source, child->pidfd, EPOLLIN, on_exit_of_child, child);
        if (errno != ENOSYS)
                return -errno;
        /* Linux before 5.3, valgrind */
        return sd_event_add_time_relative(event, &child->source, CLOCK_MONOTONIC, LOOK_INTERVAL, 1, on_look_at_child, child);
}

int children_new(struct sd_event *event, const struct children_config *config, children_dead_fn dead, void *userdata,
                 int *ret_fd, struct children **ret) {
        _cleanup_(children_freep) struct children *children = NULL;
        _cleanup_close_ int core_fd = -EBADF, transfer_core_fd = -EBADF, transfer_resolve_fd = -EBADF, resolve_fd = -EBADF;
        int pair[2], r;

        r = ipc_channel_pair(pair);
        if (r < 0)
                return r;
        core_fd = pair[0];
        transfer_core_fd = pair[1];
        r = ipc_channel_pair(pair);
        if (r < 0)
                return r;
        transfer_resolve_fd = pair[0];
        resolve_fd = pair[1];
        r = raise_fd(&transfer_core_fd);
        if (r == 0)
                r = raise_fd(&transfer_resolve_fd);
        if (r == 0)
                r = raise_fd(&resolve_fd);
        if (r < 0)
                return r;

        children = calloc(1, sizeof(*children));
        if (!children)
                return -ENOMEM;
        *children = (struct children) {
                .transfer = { .children = children, .pidfd = -EBADF },
                .resolve = { .children = children, .pidfd = -EBADF },
                .dead = dead,
                .userdata = userdata,
        };
        r = spawn_resolve(config, resolve_fd, &children->resolve.pid);
        if (r < 0)
                return r;
        children->n_alive++;
        r = spawn_transfer(config, transfer_core_fd, transfer_resolve_fd, &children->transfer.pid);
        if (r < 0)
                return r;
        children->n_alive++;
        r = watch_child(event, &children->resolve);
        if (r == 0)
                r = watch_child(event, &children->transfer);
        if (r < 0)
                return r;
        *ret_fd = TAKE_FD(core_fd);
        *ret = TAKE_PTR(children);
        return 0;
}

static void kill_child(const struct child *child) {
        if (child->pid > 0)
                (void) kill(child->pid, SIGKILL); /* not reaped, so the number is still its own */
}

void children_kill(struct children *children) {
        if (children->killed)
                return;
        children->killed = true;
        kill_child(&children->transfer);
        kill_child(&children->resolve);
}

static void child_done(struct child *child) {
        struct pollfd pollfd = { .fd = child->pidfd, .events = POLLIN };

        child->source = sd_event_source_disable_unref(child->source);
        for (unsigned i = 0; child->pid > 0 && !child_reap(child) && i < REAP_TRIES; i++)
                (void) poll(&pollfd, child->pidfd >= 0, REAP_TIMEOUT_MSEC / REAP_TRIES);
        child->pid = 0;
        child->pidfd = fd_close(child->pidfd);
}

struct children *children_free(struct children *children) {
        if (!children)
                return NULL;
        children_kill(children);
        child_done(&children->transfer);
        child_done(&children->resolve);
        free(children);
        return NULL;
}

pid_t children_transfer_pid(const struct children *children) {
        return children->transfer.pid;
}

bool children_met_other_version(const struct children *children) {
        return children->met_other_version;
}

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
#include "base/log.h"
#include "base/process.h"
#include "ipc/channel.h"
#include "transfer/equipment.h"
#include "transfer/lifeline.h"

#define FIRST_FREE_FD 16        /* above every number that a child gets, so that no dup2() of the list hits a source of a later one */
#define REAP_TIMEOUT_MSEC 2000  /* a process that hangs in a system call is left behind */
#define REAP_TRIES 200
#define LOOK_INTERVAL (10 * USEC_PER_MSEC)
#define END_EXPECTED_WITHIN (10 * USEC_PER_SEC) /* of a kill; later it is worth a line in the log */

struct child {
        struct children *children;
        pid_t pid; /* 0: reaped, or not met yet */
        int pidfd;
        bool is_ours; /* to kill and to reap; else systemd's */
        int lifeline_fd;
        sd_event_source *source;
};

struct children {
        sd_event *event;
        struct child transfer, resolve;
        unsigned n_alive;
        sd_event_source *unmet;   /* defer: there is nobody whose end could be waited for */
        sd_event_source *late;    /* timer, from a kill on */
        bool killed;
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

static int spawn_transfer(const struct children_config *config, int core_fd, pid_t *ret_pid) {
        char *argv[] = { (char *) "dosvc-transfer", config->verbose ? (char *) "--verbose" : NULL, NULL };

        return spawn_child(config->transfer_program, argv, &core_fd, 1, ret_pid);
}

static int spawn_resolve(const struct children_config *config, int transfer_fd, pid_t *ret_pid) {
        char *argv[] = { (char *) "dosvc-resolve", config->verbose ? (char *) "--verbose" : NULL, NULL };

        return spawn_child(config->resolve_program, argv, &transfer_fd, 1, ret_pid);
}

/* Return: true if it is. */
static bool child_is_gone(struct child *child) {
        struct pollfd pollfd = { .fd = child->pidfd, .events = POLLIN };

        if (child->is_ours ? waitpid(child->pid, NULL, WNOHANG) == 0 : poll(&pollfd, 1, 0) <= 0)
                return false;
        child->pid = 0;
        return true;
}

static void take_exit(struct child *child) {
        struct children *children = child->children;

        if (!child_is_gone(child))
                return;
        (void) sd_event_source_set_enabled(child->source, SD_EVENT_OFF);
        if (child == &children->transfer)
                children_kill(children); /* who loses its resolver says so if need be, and leaves */
        if (--children->n_alive == 0)
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
        if (errno != ENOSYS || !child->is_ours)
                return -errno;
        /* Linux before 5.3, valgrind */
        return sd_event_add_time_relative(event, &child->source, CLOCK_MONOTONIC, LOOK_INTERVAL, 1, on_look_at_child, child);
}

static int on_unmet(sd_event_source *source, void *userdata) {
        struct children *children = ASSERT_PTR(userdata);

        children->dead(children->userdata); /* may free it */
        return 0;
}

static int on_late(sd_event_source *source, uint64_t usec, void *userdata) {
        const struct children *children = ASSERT_PTR(userdata);

        log_warning("dosvc-transfer %d was killed and has not ended yet (does a file system hang?): its transfers wait for that",
                    (int) children->transfer.pid);
        return 0;
}

static int children_alloc(struct sd_event *event, children_dead_fn dead, void *userdata, struct children **ret) {
        _cleanup_(children_freep) struct children *children = NULL;
        int r;

        children = calloc(1, sizeof(*children));
        if (!children)
                return -ENOMEM;
        *children = (struct children) {
                .event = sd_event_ref(event),
                .transfer = { .children = children, .pidfd = -EBADF, .lifeline_fd = -EBADF },
                .resolve = { .children = children, .pidfd = -EBADF, .lifeline_fd = -EBADF },
                .dead = dead,
                .userdata = userdata,
        };
        r = sd_event_add_defer(event, &children->unmet, on_unmet, children);
        if (r >= 0)
                r = sd_event_source_set_enabled(children->unmet, SD_EVENT_OFF);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(children);
        return 0;
}

/* ---- as children of ours ---- */

/* A connection between us, or somebody whom we hand it on to, and a child. */
static int make_pair(int *ret_ours, int *ret_theirs) {
        int pair[2], r;

        r = ipc_channel_pair(pair);
        if (r < 0)
                return r;
        *ret_ours = pair[0];
        *ret_theirs = pair[1];
        return raise_fd(ret_theirs);
}

static int start_both(struct children *children, const struct children_config *config, int *ret_core_fd, int *ret_resolver_fd) {
        _cleanup_close_ int transfer_fd = -EBADF, resolve_fd = -EBADF;
        int r;

        r = make_pair(ret_core_fd, &transfer_fd);
        if (r == 0)
                r = make_pair(ret_resolver_fd, &resolve_fd);
        if (r < 0)
                return r;
        children->resolve.is_ours = children->transfer.is_ours = true;
        r = spawn_resolve(config, resolve_fd, &children->resolve.pid);
        if (r < 0)
                return r;
        children->n_alive++;
        r = spawn_transfer(config, transfer_fd, &children->transfer.pid);
        if (r < 0)
                return r;
        children->n_alive++;
        r = watch_child(children->event, &children->resolve);
        return r < 0 ? r : watch_child(children->event, &children->transfer);
}

/* ---- as instances of socket units ---- */

static int connect_in(const char *folder, const char *name, int *ret_fd) {
        _cleanup_free_ char *path = NULL;

        if (asprintf(&path, "%s/%s", folder, name) < 0) {
                path = NULL;
                return -ENOMEM;
        }
        return ipc_channel_connect(path, ret_fd);
}

static int connect_both(const struct children_config *config, int *ret_core_fd, int *ret_resolver_fd) {
        int r;

        r = connect_in(config->sockets, CHILDREN_RESOLVE_SOCKET, ret_resolver_fd);
        if (r == 0)
                r = connect_in(config->sockets, CHILDREN_TRANSFER_SOCKET, ret_core_fd);
        return r < 0 ? r : ipc_channel_ask_pid(*ret_core_fd);
}

/* ---- both ---- */

int children_new(struct sd_event *event, const struct children_config *config, children_dead_fn dead, void *userdata,
                 int *ret_fd, struct equipment *equipment, struct children **ret) {
        _cleanup_(children_freep) struct children *children = NULL;
        _cleanup_close_ int core_fd = -EBADF, resolve_lifeline_fd = -EBADF;
        int r;

        r = children_alloc(event, dead, userdata, &children);
        if (r == 0)
                r = lifeline_new(&children->transfer.lifeline_fd, &equipment->lifeline_fd);
        if (r == 0)
                r = lifeline_new(&children->resolve.lifeline_fd, &resolve_lifeline_fd);
        if (r < 0)
                return r;
        if (config->sockets)
                r = connect_both(config, &core_fd, &equipment->resolver_fd);
        else
                r = start_both(children, config, &core_fd, &equipment->resolver_fd);
        if (r == 0)
                r = equipment_send_first(equipment->resolver_fd, IPC_ROLE_RESOLVE, resolve_lifeline_fd);
        if (r < 0)
                return r;
        *ret_fd = TAKE_FD(core_fd);
        *ret = TAKE_PTR(children);
        return 0;
}

int children_met(struct children *children, pid_t pid, int fd) {
        struct pollfd pollfd = { .fd = fd };
        struct child *child = &children->transfer;
        int r;

        if (child->is_ours)
                return 0;
        if (children->killed || children->n_alive > 0 || pid <= 0)
                return -ESRCH;
        child->pid = pid;
        r = watch_child(children->event, child);
        /* Its connection is open: the number is still its own. */
        if (r >= 0 && (poll(&pollfd, 1, 0) < 0 || pollfd.revents & POLLHUP))
                r = -ESRCH;
        if (r < 0) {
                child->source = sd_event_source_disable_unref(child->source);
                child->pidfd = fd_close(child->pidfd);
                child->pid = 0;
                return r;
        }
        children->n_alive++;
        return 0;
}

static void kill_child(struct child *child) {
        child->lifeline_fd = fd_close(child->lifeline_fd);
        if (child->is_ours && child->pid > 0)
                (void) kill(child->pid, SIGKILL); /* not reaped, so the number is still its own */
}

void children_kill(struct children *children) {
        if (children->killed)
                return;
        children->killed = true;
        kill_child(&children->transfer);
        kill_child(&children->resolve);
        if (children->n_alive == 0)
                (void) sd_event_source_set_enabled(children->unmet, SD_EVENT_ONESHOT);
        else
                (void) sd_event_add_time_relative(children->event, &children->late, CLOCK_MONOTONIC, END_EXPECTED_WITHIN, 0, on_late, children);
}

static void child_done(struct child *child) {
        struct pollfd pollfd = { .fd = child->pidfd, .events = POLLIN };

        child->source = sd_event_source_disable_unref(child->source);
        for (unsigned i = 0; child->pid > 0 && !child_is_gone(child) && i < REAP_TRIES; i++)
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
        children->unmet = sd_event_source_disable_unref(children->unmet);
        children->late = sd_event_source_disable_unref(children->late);
        children->event = sd_event_unref(children->event);
        free(children);
        return NULL;
}

pid_t children_transfer_pid(const struct children *children) {
        return children->transfer.pid;
}

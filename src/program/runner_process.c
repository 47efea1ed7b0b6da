#include "program/runner_process.h"

#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <systemd/sd-event.h>
#include <utlist.h>

#include "base/fds.h"
#include "base/process.h"
#include "base/strings.h"

struct running {
        struct runner_process *runner;
        uint64_t id;
        pid_t pid;
        int pidfd;
        sd_event_source *exit_source;
        sd_event_source *deadline;
        bool timed_out;
        struct running *prev, *next;
};

struct runner_process {
        struct runner runner; /* first */
        sd_event *event;
        char *helper;
        char *shared[RUNNER_SHARED_MAX]; /* of the environment: what all programs get */
        size_t n_shared;
        const struct runner_events *events;
        void *userdata;
        struct running *running;
};

static struct runner_process *process_of(struct runner *runner) {
        return CONTAINER_OF(runner, struct runner_process, runner);
}

static struct running *running_free(struct running *running) {
        if (!running)
                return NULL;
        running->exit_source = sd_event_source_disable_unref(running->exit_source);
        running->deadline = sd_event_source_disable_unref(running->deadline);
        running->pidfd = fd_close(running->pidfd);
        free(running);
        return NULL;
}
DEFINE_CLEANUP_FUNC(struct running, running_free)

static void end_session(const struct running *running, int signal) {
        (void) kill(-running->pid, signal); /* not reaped, so the number is still its own */
}

static struct runner_end describe_end(const struct running *running, int status, bool known) {
        if (running->timed_out)
                return (struct runner_end) { .outcome = RUNNER_TIMED_OUT };
        if (known && WIFEXITED(status))
                return (struct runner_end) { .outcome = RUNNER_EXITED, .value = WEXITSTATUS(status) };
        if (known && WIFSIGNALED(status))
                return (struct runner_end) { .outcome = RUNNER_KILLED, .value = WTERMSIG(status) };
        return (struct runner_end) { .outcome = RUNNER_LOST };
}

static int on_exit_of_program(sd_event_source *source _unused_, int fd _unused_, uint32_t events _unused_, void *userdata) {
        struct running *running = ASSERT_PTR(userdata);
        struct runner_process *runner = running->runner;
        uint64_t id = running->id;
        struct runner_end end;
        int status = 0;
        pid_t pid = waitpid(running->pid, &status, WNOHANG);

        if (pid == 0)
                return 0;
        end = describe_end(running, status, pid > 0);
        DL_DELETE(runner->running, running);
        running_free(running);
        if (runner->events)
                runner->events->ended(runner->userdata, id, &end);
        return 0;
}

static int on_deadline(sd_event_source *source, uint64_t usec _unused_, void *userdata) {
        struct running *running = ASSERT_PTR(userdata);

        end_session(running, running->timed_out ? SIGKILL : SIGTERM);
        running->timed_out = true;
        (void) sd_event_source_set_time_relative(source, RUNNER_GRACE_USEC);
        return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

static int watch(struct running *running, uint64_t timeout_usec) {
        sd_event *event = running->runner->event;
        int r;

        running->pidfd = pidfd_open(running->pid, 0);
        if (running->pidfd < 0)
                return -errno;
        r = sd_event_add_io(event, &running->exit_source, running->pidfd, EPOLLIN, on_exit_of_program, running);
        if (r < 0)
                return r;
        return sd_event_add_time_relative(event, &running->deadline, CLOCK_BOOTTIME, timeout_usec, USEC_PER_MSEC, on_deadline, running);
}

static size_t count(char *const *strings) {
        size_t n = 0;

        while (strings && strings[n])
                n++;
        return n;
}

/* dosvc-notify PROGRAM ARGUMENT… */
static int spawn(struct runner_process *runner, const struct runner_request *request, pid_t *ret_pid) {
        size_t n_arguments = count(request->arguments), n_more = count(request->environment);
        _cleanup_free_ char **arguments = calloc(n_arguments + 3, sizeof(*arguments));
        _cleanup_free_ char **environment = calloc(runner->n_shared + n_more + 1, sizeof(*environment));

        if (!arguments || !environment)
                return -ENOMEM;
        arguments[0] = (char *) "dosvc-notify";
        arguments[1] = (char *) request->program;
        if (n_arguments > 0)
                memcpy(arguments + 2, request->arguments, n_arguments * sizeof(*arguments));
        memcpy(environment, runner->shared, runner->n_shared * sizeof(*environment));
        if (n_more > 0)
                memcpy(environment + runner->n_shared, request->environment, n_more * sizeof(*environment));
        return process_spawn(&(struct process_spawn) {
                        .program = runner->helper,
                        .arguments = arguments,
                        .environment = environment,
                        .silent = true,
                        .new_session = true,
                }, ret_pid);
}

static int process_start(struct runner *base, const struct runner_request *request) {
        struct runner_process *runner = process_of(base);
        _cleanup_(running_freep) struct running *running = malloc(sizeof(*running));
        int r;

        if (!running)
                return -ENOMEM;
        *running = (struct running) { .runner = runner, .id = request->id, .pidfd = -EBADF };
        r = spawn(runner, request, &running->pid);
        if (r < 0)
                return r;
        r = watch(running, request->timeout_usec);
        if (r < 0) {
                end_session(running, SIGKILL);
                (void) waitpid(running->pid, NULL, 0);
                return r;
        }
        DL_APPEND(runner->running, running);
        TAKE_PTR(running);
        return 0;
}

static void process_set_events(struct runner *base, const struct runner_events *events, void *userdata) {
        struct runner_process *runner = process_of(base);

        runner->events = events;
        runner->userdata = userdata;
}

static struct runner *process_free(struct runner *base) {
        struct runner_process *runner = process_of(base);
        struct running *running, *tmp;

        DL_FOREACH_SAFE(runner->running, running, tmp) {
                end_session(running, SIGTERM); /* nobody is left who could take its word: it is run again */
                DL_DELETE(runner->running, running);
                running_free(running);
        }
        for (size_t i = 0; i < runner->n_shared; i++)
                free(runner->shared[i]);
        sd_event_unref(runner->event);
        free(runner->helper);
        free(runner);
        return NULL;
}

static int process_share(struct runner *base, const char *variable) {
        struct runner_process *runner = process_of(base);
        int r;

        if (runner->n_shared >= ELEMENTSOF(runner->shared))
                return -ENOBUFS;
        r = strdup_to(&runner->shared[runner->n_shared], variable);
        if (r == 0)
                runner->n_shared++;
        return r;
}

int runner_process_new(struct sd_event *event, const char *helper, struct runner **ret) {
        static const struct runner_ops ops = {
                .free = process_free, .set_events = process_set_events, .start = process_start, .share = process_share,
        };
        struct runner_process *runner = calloc(1, sizeof(*runner));
        int r;

        if (!runner)
                return -ENOMEM;
        runner->runner.ops = &ops;
        runner->event = sd_event_ref(event);
        runner->helper = strdup(helper);
        r = runner->helper ? 0 : -ENOMEM;
        if (r == 0)
                r = runner_share(&runner->runner, "PATH", "/usr/local/bin:/usr/bin:/bin");
        if (r == 0)
                r = runner_share(&runner->runner, "LANG", "C.UTF-8");
        if (r < 0) {
                process_free(&runner->runner);
                return r;
        }
        *ret = &runner->runner;
        return 0;
}

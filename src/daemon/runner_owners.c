#include "daemon/runner_owners.h"

#include <string.h>
#include <systemd/sd-event.h>
#include <utlist.h>

#include "base/fds.h"
#include "base/log.h"
#include "base/strings.h"
#include "program/arguments.h"
#include "transfer/link.h"

static_assert(IPC_RUN_OUTCOMES == RUNNER_LOST + 1, "all outcomes travel");

struct owners_running {
        struct runner_owners *runner;
        uint64_t id;
        struct link *link;
        sd_event_source *deadline;
        struct runner_end end; /* as it was told; LOST before */
        struct owners_running *prev, *next;
};

struct runner_owners {
        struct runner runner; /* first */
        struct runner_owners_config config;
        sd_event *event;
        char *shared[RUNNER_SHARED_MAX + 1]; /* NULL at the end */
        size_t n_shared;
        const struct runner_events *events;
        void *userdata;
        struct owners_running *running;
};

static struct runner_owners *owners_of(struct runner *runner) {
        return CONTAINER_OF(runner, struct runner_owners, runner);
}

/* Without its core it ends what it runs. */
static struct owners_running *running_free(struct owners_running *running) {
        if (!running)
                return NULL;
        running->deadline = sd_event_source_disable_unref(running->deadline);
        running->link = link_free(running->link);
        free(running);
        return NULL;
}
DEFINE_CLEANUP_FUNC(struct owners_running, running_free)

static void conclude(struct owners_running *running) {
        const struct runner_end end = running->end;
        struct runner_owners *runner = running->runner;
        uint64_t id = running->id;

        DL_DELETE(runner->running, running);
        running_free(running);
        if (runner->events)
                runner->events->ended(runner->userdata, id, &end);
}

/* What an owner's process says is about the owner's own program, so it may say what it likes. Now it ends by itself. */
static void on_message(void *userdata, const struct ipc_message *message, int fd) {
        struct owners_running *running = ASSERT_PTR(userdata);

        (void) fd_close(fd);
        if (message->type == IPC_ENDED)
                running->end = (struct runner_end) { message->ended.outcome, (int) message->ended.value };
}

static void on_closed(void *userdata, int error) {
        struct owners_running *running = ASSERT_PTR(userdata);
        const struct runner_owners_config *config = &running->runner->config;

        if (error == -EPROTONOSUPPORT && config->other_version)
                (void) config->other_version(config->userdata, "dosvc-runner");
        conclude(running);
}

static int on_deadline(sd_event_source *source _unused_, uint64_t usec _unused_, void *userdata) {
        struct owners_running *running = ASSERT_PTR(userdata);

        log_notice("a process that runs an owner's program did not end in time");
        running->end = (struct runner_end) { .outcome = RUNNER_TIMED_OUT };
        conclude(running);
        return 0;
}

/* The strings of two lists, one behind the other. */
static int pack_environment(const struct runner_owners *runner, char *const *more, char **ret, size_t *ret_size) {
        _cleanup_free_ char *own = NULL, *theirs = NULL;
        size_t n_own = 0, n_theirs = 0;
        int r;

        r = arguments_pack(runner->shared, &own, &n_own);
        if (r == 0)
                r = arguments_pack(more, &theirs, &n_theirs);
        if (r < 0)
                return r;
        *ret = malloc(n_own + n_theirs + 1);
        if (!*ret)
                return -ENOMEM;
        memcpy(*ret, own, n_own);
        memcpy(*ret + n_own, theirs, n_theirs);
        *ret_size = n_own + n_theirs;
        return 0;
}

static int send_request(const struct owners_running *running, const struct runner_request *request) {
        static char *const nothing[] = { NULL };
        struct ipc_message message = { .type = IPC_RUN, .run = { .timeout_usec = request->timeout_usec, .program = request->program } };
        _cleanup_free_ char *arguments = NULL, *environment = NULL;
        size_t n_arguments = 0, n_environment = 0;
        int r;

        r = arguments_pack(request->arguments ?: nothing, &arguments, &n_arguments);
        if (r == 0)
                r = pack_environment(running->runner, request->environment ?: nothing, &environment, &n_environment);
        if (r < 0)
                return r;
        if (MAX(n_arguments, n_environment) > IPC_RUN_STRINGS_MAX)
                return -E2BIG;
        message.run.arguments = arguments;
        message.run.n_arguments = (uint32_t) n_arguments;
        message.run.environment = environment;
        message.run.n_environment = (uint32_t) n_environment;
        return link_send(running->link, &message, -EBADF);
}

static int connect_new(struct owners_running *running, uid_t owner) {
        static const struct link_callbacks callbacks = { .message = on_message, .closed = on_closed };
        const struct runner_owners_config *config = &running->runner->config;
        int fds[2], r;

        r = ipc_channel_pair(fds);
        if (r < 0)
                return r;
        r = link_new(running->runner->event, fds[0], IPC_ROLE_CORE, IPC_ROLE_RUNNER, &callbacks, running, &running->link);
        if (r < 0)
                (void) fd_close(fds[0]);
        else
                r = config->spawn(config->userdata, owner, fds[1]);
        if (r < 0)
                (void) fd_close(fds[1]);
        return r;
}

static int owners_start(struct runner *base, const struct runner_request *request) {
        struct runner_owners *runner = owners_of(base);
        _cleanup_(running_freep) struct owners_running *running = calloc(1, sizeof(*running));
        int r;

        if (!running)
                return -ENOMEM;
        running->runner = runner;
        running->id = request->id;
        running->end = (struct runner_end) { .outcome = RUNNER_LOST };
        r = connect_new(running, request->owner);
        if (r == 0)
                r = send_request(running, request);
        if (r == 0)
                r = sd_event_add_time_relative(runner->event, &running->deadline, CLOCK_BOOTTIME,
                                               u64_add_saturated(request->timeout_usec, runner->config.patience_usec), USEC_PER_SEC,
                                               on_deadline, running);
        if (r < 0)
                return r;
        DL_APPEND(runner->running, running);
        TAKE_PTR(running);
        return 0;
}

static int owners_share(struct runner *base, const char *variable) {
        struct runner_owners *runner = owners_of(base);
        int r;

        if (runner->n_shared >= RUNNER_SHARED_MAX)
                return -ENOBUFS;
        r = strdup_to(&runner->shared[runner->n_shared], variable);
        if (r == 0)
                runner->n_shared++;
        return r;
}

static void owners_set_events(struct runner *base, const struct runner_events *events, void *userdata) {
        struct runner_owners *runner = owners_of(base);

        runner->events = events;
        runner->userdata = userdata;
}

static struct runner *owners_free(struct runner *base) {
        struct runner_owners *runner = owners_of(base);
        struct owners_running *running, *next;

        DL_FOREACH_SAFE(runner->running, running, next) {
                DL_DELETE(runner->running, running);
                running_free(running);
        }
        for (size_t i = 0; i < runner->n_shared; i++)
                free(runner->shared[i]);
        sd_event_unref(runner->event);
        free(runner);
        return NULL;
}

int runner_owners_new(struct sd_event *event, const struct runner_owners_config *config, struct runner **ret) {
        static const struct runner_ops ops = {
                .free = owners_free, .set_events = owners_set_events, .start = owners_start, .share = owners_share,
        };
        struct runner_owners *runner = calloc(1, sizeof(*runner));

        if (!runner)
                return -ENOMEM;
        runner->runner.ops = &ops;
        runner->config = *config;
        runner->event = sd_event_ref(event);
        *ret = &runner->runner;
        return 0;
}

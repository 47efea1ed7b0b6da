/* dosvc-runner: in the system instance, runs the program that a job names for its end, as the job's owner, and tells the core how it ended.
 * Started by dosvc-broker only, as that user, once for each program; on descriptor 3 the core says which.
 *
 * When the core goes it ends what it runs, as the user instance does: who comes after runs it again. The program gets nothing of this
 * process: no descriptor, no signal mask; what it cannot get rid of are the limits of the broker's unit and no_new_privs. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include "base/fds.h"
#include "base/log.h"
#include "base/strings.h"
#include "daemon/owner_fd.h"
#include "daemon/programs.h"
#include "program/arguments.h"
#include "program/runner_process.h"
#include "transfer/link.h"

struct steward {
        sd_event *event;
        struct link *core;
        struct runner *runner;
        bool asked;
        bool told;
};

/* ---- the program ---- */

/* When that is on its way nothing is left to do. */
static void tell_end(struct steward *self, const struct runner_end *end) {
        self->told = true;
        (void) link_send(self->core, &(struct ipc_message) { .type = IPC_ENDED,
                                                             .ended = { (uint32_t) end->outcome, (uint32_t) end->value } }, -EBADF);
}

static void on_ended(void *userdata, uint64_t id _unused_, const struct runner_end *end) {
        tell_end(userdata, end);
}

static int run_program(struct steward *self, const struct ipc_run *run) {
        _cleanup_(arguments_freep) char **arguments = NULL, **environment = NULL;
        int r;

        r = arguments_unpack(run->arguments, run->n_arguments, &arguments);
        if (r == 0)
                r = arguments_unpack(run->environment, run->n_environment, &environment);
        return r < 0 ? r : runner_start(self->runner, &(struct runner_request) {
                        .id = 1,
                        .owner = getuid(),
                        .program = run->program,
                        .arguments = arguments,
                        .environment = environment,
                        .timeout_usec = run->timeout_usec,
                });
}

/* ---- the core ---- */

static void on_message(void *userdata, const struct ipc_message *message, int fd) {
        struct steward *self = ASSERT_PTR(userdata);
        int r;

        (void) fd_close(fd);
        if (message->type != IPC_RUN || self->asked)
                return;
        self->asked = true;
        r = run_program(self, &message->run);
        if (r >= 0)
                return;
        log_warning("no program can be started: %s", strerror(-r));
        tell_end(self, &(struct runner_end) { .outcome = RUNNER_EXITED, .value = RUNNER_EXIT_NOT_STARTED });
}

static void on_drained(void *userdata) {
        struct steward *self = ASSERT_PTR(userdata);

        if (self->told)
                (void) sd_event_exit(self->event, 0);
}

static void on_closed(void *userdata, int error _unused_) {
        struct steward *self = ASSERT_PTR(userdata);

        (void) sd_event_exit(self->event, 0);
}

/* ---- start ---- */

/* What log-on gives: the folder is there exactly while the user is logged on, or lingers. */
static int share_runtime_directory(struct steward *self) {
        char path[64];
        struct stat info;

        (void) snprintf(path, sizeof(path), "/run/user/%u", getuid());
        if (lstat(path, &info) < 0 || !S_ISDIR(info.st_mode) || info.st_uid != getuid())
                return 0;
        return runner_share(self->runner, "XDG_RUNTIME_DIR", path);
}

static int make_runner(struct steward *self) {
        static const char *const names[] = { "HOME", "USER", "LOGNAME", "SHELL" };
        static const struct runner_events events = { .ended = on_ended };
        _cleanup_free_ char *helper = NULL;
        int r;

        r = programs_find("dosvc-notify", &helper);
        if (r == 0)
                r = runner_process_new(self->event, helper, &self->runner);
        for (size_t i = 0; r == 0 && i < ELEMENTSOF(names); i++)
                r = runner_share(self->runner, names[i], getenv(names[i]));
        if (r == 0)
                r = share_runtime_directory(self);
        if (r == 0)
                runner_set_events(self->runner, &events, self);
        return r;
}

static int serve(void) {
        static const struct link_callbacks callbacks = { .message = on_message, .closed = on_closed, .drained = on_drained };
        struct steward self = {};
        int r;

        r = sd_event_default(&self.event);
        if (r >= 0)
                r = make_runner(&self);
        if (r >= 0)
                r = link_new(self.event, OWNER_CORE_FD, IPC_ROLE_RUNNER, IPC_ROLE_CORE, &callbacks, &self, &self.core);
        if (r >= 0)
                r = sd_event_loop(self.event);
        runner_free(self.runner);
        link_free(self.core);
        sd_event_unref(self.event);
        return r;
}

int main(int argc, char **argv) {
        bool verbose = argc == 2 && streq(argv[1], "--verbose");
        int r;

        if (argc > 1 && !verbose)
                return 2;
        log_setup("dosvc-runner", verbose ? LOG_LEVEL_DEBUG : LOG_LEVEL_WARNING);
        (void) signal(SIGPIPE, SIG_IGN);
        /* No core file: what programs are told stands in memory. No limit says it, which they would inherit. */
        (void) prctl(PR_SET_DUMPABLE, 0);
        if (fd_occupy_standard() < 0 || close_range(OWNER_CORE_FD + 1, UINT32_MAX, 0) < 0)
                return 1;
        r = serve();
        if (r < 0)
                log_error("%s", strerror(-r));
        return r < 0;
}

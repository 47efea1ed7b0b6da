/* The program that a job names for its end, where no callback takes the event (api.md 1.8, SetNotifyCmdLine, and 2.2): run with the
 * owner's rights until it exits with 0, at least once. What is due is in job->notify_due and so survives the service; how often it was
 * tried is not, so a restart gives it all its tries again. */
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "manager/private.h"
#include "program/arguments.h"

bool manager_allows_commands(const struct manager *m) {
        return m->runner && m->limits.notify_commands;
}

/* JOB_NOTIFY_TRANSFERRED or _ERROR, 0: none. */
static uint32_t owed_event(const struct job *job) {
        uint32_t event = job->notify_due & (JOB_NOTIFY_TRANSFERRED | JOB_NOTIFY_ERROR);

        if (!job->notify_command || job->intent != JOB_INTENT_NONE || job_state_is_final(job->state))
                return 0;
        return event && manager_notice_is_wanted(job, event) ? event : 0;
}

static unsigned failures(const struct job *job) {
        const struct notify_command *command = job_run(job)->command;

        return command && command->event_since_usec == job->state_since_usec ? command->retry.failures : 0;
}

enum notify_command_state manager_notify_command_state(const struct manager *m, const struct job *job) {
        if (job_run(job)->command && job_run(job)->command->id != 0)
                return NOTIFY_COMMAND_RUNNING;
        if (!job->notify_command)
                return NOTIFY_COMMAND_NONE;
        if (!manager_allows_commands(m))
                return NOTIFY_COMMAND_FORBIDDEN;
        if (owed_event(job) == 0)
                return NOTIFY_COMMAND_READY;
        return failures(job) >= LIMIT_NOTIFY_TRIES ? NOTIFY_COMMAND_GIVEN_UP : NOTIFY_COMMAND_WAITING;
}

const char *manager_notify_command_state_name(enum notify_command_state state) {
        static const char *const names[] = {
                [NOTIFY_COMMAND_NONE] = "none",       [NOTIFY_COMMAND_READY] = "ready",       [NOTIFY_COMMAND_WAITING] = "waiting",
                [NOTIFY_COMMAND_RUNNING] = "running", [NOTIFY_COMMAND_GIVEN_UP] = "given_up", [NOTIFY_COMMAND_FORBIDDEN] = "forbidden",
        };

        return (size_t) state < ELEMENTSOF(names) ? names[state] : NULL;
}

unsigned manager_notify_command_failures(const struct manager *m _unused_, const struct job *job) {
        return failures(job);
}

const char *manager_notify_command_result(const struct manager *m _unused_, const struct job *job) {
        const struct notify_command *command = job_run(job)->command;

        return command ? command->result : "";
}

bool manager_owes_commands(const struct manager *m) {
        struct job_run *run;

        for (size_t i = 0; i < ELEMENTSOF(m->commands); i++)
                if (m->commands[i].id != 0)
                        return true; /* its job may have ended meanwhile */
        DL_FOREACH(m->jobs, run)
                if (manager_notify_command_state(m, run->job) == NOTIFY_COMMAND_WAITING)
                        return true;
        return false;
}

static struct running_command *find_place(struct manager *m, uint64_t id) {
        for (size_t i = 0; i < ELEMENTSOF(m->commands); i++)
                if (m->commands[i].id == id)
                        return &m->commands[i];
        return NULL;
}

/* A place for one more, or NULL: nobody's commands keep another's from running. */
static struct running_command *find_free_place(struct manager *m, uid_t owner) {
        unsigned n = 0;

        for (size_t i = 0; i < ELEMENTSOF(m->commands); i++)
                n += m->commands[i].id != 0 && m->commands[i].owner == owner;
        return n < LIMIT_NOTIFY_COMMANDS ? find_place(m, 0) : NULL;
}

static int ask_runner(struct manager *m, const struct job *job, uint64_t id, uint32_t event) {
        _cleanup_(arguments_freep) char **arguments = NULL;
        char name[GUID_STRING_MAX], job_variable[sizeof("DOSVC_JOB=") + GUID_STRING_MAX];
        char *only_itself[] = { job->notify_command, NULL };
        char *environment[] = {
                job_variable, (char *) (event == JOB_NOTIFY_ERROR ? "DOSVC_EVENT=error" : "DOSVC_EVENT=transferred"), NULL
        };
        int n = arguments_split(job->notify_parameters ?: "", &arguments);

        if (n < 0)
                return n;
        guid_to_string(&job->id, name);
        (void) snprintf(job_variable, sizeof(job_variable), "DOSVC_JOB=%s", name);
        return runner_start(m->runner, &(struct runner_request) {
                        .id = id,
                        .owner = job->owner,
                        .program = job->notify_command,
                        .arguments = n > 0 ? arguments : only_itself,
                        .environment = environment,
                        .timeout_usec = m->limits.notify_command_timeout_usec,
                });
}

void manager_forget_command_tries(struct job *job) {
        struct notify_command *command = job_run(job)->command;

        if (command)
                command->retry = (struct notify_retry) {};
}

static void failed(struct manager *m, struct job *job) {
        struct notify_command *command = job_run(job)->command;

        manager_notify_refused(m, &command->retry, job->minimum_retry_delay_s * USEC_PER_SEC);
        if (command->retry.failures == LIMIT_NOTIFY_TRIES)
                log_notice("the notify command %s was given up after %d tries: %s", job->notify_command, LIMIT_NOTIFY_TRIES,
                           command->result);
}

static void start(struct manager *m, struct job *job, uint32_t event, struct running_command *place) {
        struct notify_command *command = job_run(job)->command;
        uint64_t id = m->next_command++;
        int r = ask_runner(m, job, id, event);

        if (r < 0) {
                (void) snprintf(command->result, sizeof(command->result), "not started: %s", strerror(-r));
                failed(m, job);
        } else {
                *place = (struct running_command) { .id = id, .job = job->id, .owner = job->owner };
                command->id = id;
                command->event = event;
        }
        manager_job_changed(m, job, false);
}

/* Whoever registered a callback is asked first; once it has failed, both are tried. */
static bool is_its_turn(const struct job_run *run) {
        return !run->notify || run->notify->job_retry.failures > 0;
}

void manager_notify_command(struct manager *m, struct job *job) {
        struct job_run *run = job_run(job);
        struct notify_command *command;
        struct running_command *place;
        uint32_t event = owed_event(job);

        if (event == 0 || !manager_allows_commands(m) || m->stopping || !is_its_turn(run))
                return;
        if (!run->command)
                run->command = calloc(1, sizeof(*run->command));
        command = run->command;
        if (!command) {
                manager_notify_wake(m, u64_add_saturated(manager_boottime(m), NOTIFY_RETRY_FIRST_USEC));
                return;
        }
        if (command->id != 0)
                return;
        if (command->event_since_usec != job->state_since_usec) {
                command->event_since_usec = job->state_since_usec;
                command->retry = (struct notify_retry) {};
        }
        if (command->retry.failures >= LIMIT_NOTIFY_TRIES)
                return;
        if (manager_job_is_dirty(m, job)) {
                manager_notify_wake(m, u64_add_saturated(manager_boottime(m), DIRTY_POLL_USEC));
                return;
        }
        if (manager_boottime(m) < m->commands_at || !manager_notify_may_go(m, &command->retry))
                return;
        place = find_free_place(m, job->owner);
        if (place) /* else the next one that ends makes the turn come */
                start(m, job, event, place);
}

static bool describe(const struct runner_end *end, char *ret, size_t size) {
        switch (end->outcome) {
        case RUNNER_EXITED:
                if (end->value == RUNNER_EXIT_NOT_STARTED)
                        (void) snprintf(ret, size, "exit status %d: is there such a program?", end->value);
                else
                        (void) snprintf(ret, size, "exit status %d", end->value);
                return end->value == 0;
        case RUNNER_KILLED:
                (void) snprintf(ret, size, "killed by signal %d", end->value);
                return false;
        case RUNNER_TIMED_OUT:
                (void) snprintf(ret, size, "ended because it took too long");
                return false;
        default:
                (void) snprintf(ret, size, "lost");
                return false;
        }
}

static void on_ended(void *userdata, uint64_t id, const struct runner_end *end) {
        struct manager *m = ASSERT_PTR(userdata);
        struct running_command *place = find_place(m, id);
        struct notify_command *command;
        struct job_run *run;
        bool ok;

        if (!place)
                return;
        HASH_FIND(hh, m->by_id, &place->job, sizeof(place->job), run);
        *place = (struct running_command) {};
        manager_notify_wake(m, 0);
        if (!run || !run->command || run->command->id != id)
                return; /* memory was loaded again meanwhile: it is run again */
        command = run->command;
        command->id = 0;
        ok = describe(end, command->result, sizeof(command->result));
        if (job_state_is_final(run->job->state))
                return; /* often by the command itself */
        if (!ok)
                failed(m, run->job);
        else if (command->event_since_usec == run->job->state_since_usec && (run->job->notify_due & command->event)) {
                run->job->notify_due &= ~command->event;
                command->retry = (struct notify_retry) {};
                manager_save_job(m, run->job);
        }
        manager_job_changed(m, run->job, false);
}

const struct runner_events manager_runner_events = { .ended = on_ended };

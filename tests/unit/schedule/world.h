/* A queue with a clock that tests turn, and a manager that only obeys and writes down what it was told. */
#pragma once

#include <stdio.h>

#include "../unit.h"

#include "base/strings.h"
#include "schedule/schedule.h"

#define T0 (UINT64_C(1700000000) * USEC_PER_SEC)
#define SEC USEC_PER_SEC
#define MINUTE USEC_PER_MINUTE
#define SLICE (5 * MINUTE)

struct world {
        struct clock_fake clock;
        struct schedule_config config;
        struct schedule *schedule;
        struct job *jobs[32];
        size_t n_jobs;
        char told[4096];
};

static inline void world_init(struct world *world, unsigned slots) {
        *world = (struct world) {
                .config = {
                        .background_slots = slots,
                        .time_slice_usec = SLICE,
                        .retry_max_usec = 30 * MINUTE,
                        .retry_first_do_usec = MINUTE,
                        .seed = 1,
                },
        };
        clock_fake_init(&world->clock, T0);
        assert_int_equal(schedule_new(&world->config, &world->clock.clock, &world->schedule), 0);
}

static inline void world_remove(struct world *world, struct job *job) {
        for (size_t i = 0; i < world->n_jobs; i++)
                if (world->jobs[i] == job) {
                        schedule_remove(world->schedule, job);
                        job_free(job);
                        world->jobs[i] = world->jobs[--world->n_jobs];
                        return;
                }
        fail_msg("no such job");
}

static inline void world_done(struct world *world) {
        while (world->n_jobs > 0)
                world_remove(world, world->jobs[0]);
        world->schedule = schedule_free(world->schedule);
}

static inline uint64_t world_now(const struct world *world) {
        return world->clock.now[CLOCK_ID_REALTIME];
}

static inline uint64_t boottime(const struct world *world) {
        return world->clock.now[CLOCK_ID_BOOTTIME];
}

static inline struct job *new_job(struct world *world, const char *name, enum job_family family,
                                  enum job_priority priority) {
        struct guid id = {};
        struct job *job;

        memcpy(id.bytes, name, MIN(strlen(name), sizeof(id.bytes)));
        assert_int_equal(job_new(&id, 1000, family, name, world_now(world), &job), 0);
        assert_int_equal(job_set_priority(job, priority, world_now(world)), 0);
        assert_true(world->n_jobs < ELEMENTSOF(world->jobs));
        world->jobs[world->n_jobs++] = job;
        return job;
}

static inline void event(struct world *world, struct job *job, enum job_event what) {
        assert_int_equal(job_transition(job, what, world_now(world)), 0);
        schedule_update(world->schedule, job);
}

/* A resumed job. */
static inline struct job *queue_job(struct world *world, const char *name, enum job_family family,
                                    enum job_priority priority) {
        struct job *job = new_job(world, name, family, priority);

        assert_int_equal(schedule_add(world->schedule, job), 0);
        event(world, job, JOB_EVENT_RESUME);
        return job;
}

static inline void write_down(struct world *world, const struct schedule_decision *decision) {
        static const char *const actions[] = {
                [SCHEDULE_START] = "start", [SCHEDULE_YIELD] = "yield", [SCHEDULE_RETRY] = "retry",
                [SCHEDULE_NO_PROGRESS] = "no_progress", [SCHEDULE_MAX_TIME] = "max_time", [SCHEDULE_EXPIRE] = "expire", [SCHEDULE_WAIT] = "wait",
        };
        size_t n = strlen(world->told);
        bool with_reason = decision->action == SCHEDULE_YIELD || decision->action == SCHEDULE_WAIT;

        snprintf(world->told + n, sizeof(world->told) - n, "%s%s %s%s%s", n > 0 ? ", " : "", actions[decision->action],
                 decision->job->name, with_reason ? " " : "", with_reason ? waiting_reason_name(decision->reason) : "");
}

static inline void carry_out(struct world *world, const struct schedule_decision *decision) {
        static const enum job_event events[] = {
                [SCHEDULE_START] = JOB_EVENT_START, [SCHEDULE_YIELD] = JOB_EVENT_YIELD,
                [SCHEDULE_RETRY] = JOB_EVENT_RETRY, [SCHEDULE_NO_PROGRESS] = JOB_EVENT_FATAL_ERROR,
                [SCHEDULE_EXPIRE] = JOB_EVENT_CANCELLED, [SCHEDULE_MAX_TIME] = JOB_EVENT_FATAL_ERROR,
        };
        struct job *job = decision->job;

        if (decision->action == SCHEDULE_NO_PROGRESS || decision->action == SCHEDULE_MAX_TIME)
                job_set_error(job, ERROR_NO_PROGRESS, ERROR_CONTEXT_REMOTE_FILE, 0, 0, NULL);
        if (decision->action != SCHEDULE_WAIT)
                assert_int_equal(job_transition(job, events[decision->action], world_now(world)), 0);
        if (decision->action == SCHEDULE_YIELD || decision->action == SCHEDULE_WAIT)
                job_set_waiting(job, decision->reason, world_now(world));
        schedule_update(world->schedule, job);
}

/* Obeys until there is nothing left to do, @batch decisions at a time. Return: what was told, in order. */
static inline const char *run_in_batches(struct world *world, size_t batch) {
        struct schedule_decision decisions[64];
        size_t n;

        world->told[0] = 0;
        while ((n = schedule_decide(world->schedule, decisions, batch)) > 0) {
                assert_true(n <= batch);
                for (size_t i = 0; i < n; i++)
                        write_down(world, &decisions[i]);
                for (size_t i = 0; i < n; i++)
                        carry_out(world, &decisions[i]);
                assert_true(strlen(world->told) < sizeof(world->told) - 100);
        }
        return world->told;
}

static inline const char *run(struct world *world) {
        return run_in_batches(world, 64);
}

/* Turns the clock and obeys. */
static inline const char *pass(struct world *world, uint64_t usec) {
        clock_fake_advance(&world->clock, usec);
        return run(world);
}

/* A try of a TRANSFERRING job fails. */
static inline enum schedule_verdict fail_try(struct world *world, struct job *job, enum error_code code,
                                             uint64_t not_before) {
        enum schedule_failure failure = job_error_is_blocked_cause(code) ? SCHEDULE_BLOCKED : SCHEDULE_TRANSIENT;
        enum schedule_verdict verdict = schedule_failed(world->schedule, job, failure, not_before);

        job_set_error(job, code, ERROR_CONTEXT_REMOTE_FILE, 0, 0, NULL);
        event(world, job, verdict == SCHEDULE_GIVE_UP ? JOB_EVENT_FATAL_ERROR : JOB_EVENT_TRANSIENT_ERROR);
        return verdict;
}

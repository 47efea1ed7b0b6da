/* Which job runs now, which waits and why, when to look again. Pure decisions over jobs and a clock: it changes nothing but
 * job->pace; the manager carries the decisions out (and calls job_transition()).
 *
 * 1. schedule_add() every job that is not final; schedule_remove() before it is freed.
 * 2. After any change of a job's state, priority or time-outs: schedule_update(job). After bytes: schedule_progressed(job).
 * 3. When a try failed: schedule_failed(job, …) says how it goes on and sets the retry time (backoff with jitter).
 * 4. Call schedule_decide() until it returns 0 decisions; arm one timer for schedule_next_deadline().
 *
 * Lanes: FOREGROUND jobs never wait for anything. HIGH before NORMAL before LOW share the background slots; in one level jobs
 * take turns by time slices, a job that arrives goes to the tail, one whose slice ended goes to the tail only if somebody of
 * its level waits. A higher level preempts a lower one. Cost: O(log n) per change, O(decisions) per decide; 100,000 waiting
 * jobs cost nothing while nothing changes. */
#pragma once

#include "base/clock.h"
#include "job/job.h"

struct schedule_config {
        unsigned background_slots;
        uint64_t time_slice_usec;
        uint64_t retry_max_usec;    /* backoff ceiling: 30 minutes */
        uint64_t retry_first_do_usec; /* first delay of DO jobs: their family has no MinimumRetryDelay */
        uint64_t seed;              /* of the jitter */
};

struct schedule;
int schedule_new(const struct schedule_config *config, const struct clock *clock, struct schedule **ret);
struct schedule *schedule_free(struct schedule *schedule); /* asserts that it is empty */
void schedule_set_config(struct schedule *schedule, const struct schedule_config *config);

int schedule_add(struct schedule *schedule, struct job *job);
void schedule_remove(struct schedule *schedule, struct job *job);
void schedule_update(struct schedule *schedule, struct job *job);
/* Bytes arrived: attempts = 0, the no-progress clock starts again. */
void schedule_progressed(struct schedule *schedule, struct job *job);
/* Brings job->pace.moved_usec up to now: before the job is recorded, and for whoever asks. */
void schedule_count_time(struct schedule *schedule, struct job *job);
/* It gets no turn, whatever its priority, until the reason is WAITING_NONE again: QUEUED it stays, TRANSFERRING it yields. */
void schedule_hold(struct schedule *schedule, struct job *job, enum waiting_reason reason);

enum schedule_failure {
        SCHEDULE_TRANSIENT, /* server or network trouble: counted, retried after the delay */
        SCHEDULE_BLOCKED,   /* a cause that ends by itself (network, space, policy, …): not counted, the no-progress clock stands until the
                             * next try. Else it runs from the first counted error since the last byte, while the job is TRANSFERRING or
                             * TRANSIENT_ERROR (design decision 10). */
};
enum schedule_verdict {
        SCHEDULE_RETRY_LATER, /* pace.retry_at_boottime is set */
        SCHEDULE_GIVE_UP,     /* no-progress time-out is over (or 0, or shorter than the retry delay): ERROR */
};
/* @not_before_usec: for SCHEDULE_TRANSIENT from Retry-After, 0 for none, clamped to [1 s, 24 h]: the delay is not shorter.
 * For SCHEDULE_BLOCKED when to look again: 0 for a minute, USEC_INFINITY for never (schedule_retry_now() will do). */
enum schedule_verdict schedule_failed(struct schedule *schedule, struct job *job, enum schedule_failure failure,
                                      uint64_t not_before_usec);
/* The cause may have ended: a job in TRANSIENT_ERROR is due now. @afresh: delays begin small again (another network is another try). */
void schedule_retry_now(struct schedule *schedule, struct job *job, bool afresh);

enum schedule_action {
        SCHEDULE_START,       /* QUEUED → TRANSFERRING */
        SCHEDULE_YIELD,       /* TRANSFERRING → QUEUED, with @reason */
        SCHEDULE_RETRY,       /* TRANSIENT_ERROR → QUEUED */
        SCHEDULE_NO_PROGRESS, /* → ERROR */
        SCHEDULE_MAX_TIME,    /* it was TRANSFERRING for as long as it may: → ERROR */
        SCHEDULE_EXPIRE,      /* end of its life time: cancel it */
        SCHEDULE_WAIT,        /* stays QUEUED; only its waiting reason became @reason */
};
struct schedule_decision {
        struct job *job;
        enum schedule_action action;
        enum waiting_reason reason;
};
/* Return: number of decisions written. The caller carries each out and reports by schedule_update() before it asks again.
 * The same decision is not given twice for the same situation. The caller may leave out the YIELD of a foreground job: it stays TRANSFERRING, and
 * waits when it is QUEUED the next time. */
size_t schedule_decide(struct schedule *schedule, struct schedule_decision *ret, size_t max);
/* CLOCK_BOOTTIME, USEC_INFINITY when nothing is due ever. */
uint64_t schedule_next_deadline(const struct schedule *schedule);

/* For tests: jobs looked at by all schedule_decide() calls so far. What waits and does not change must not be among them. */
uint64_t schedule_steps(const struct schedule *schedule);

#include "schedule/schedule.h"

#include <string.h>
#include <utlist.h>

#include "schedule/backoff.h"
#include "schedule/internal.h"

#define RETRY_DELAY_MINIMUM_USEC (5 * USEC_PER_SEC) /* BITS: SetMinimumRetryDelay */
#define RETRY_AFTER_MIN_USEC USEC_PER_SEC           /* design decision 5 */
#define RETRY_AFTER_MAX_USEC USEC_PER_DAY
#define BLOCKED_POLL_USEC USEC_PER_MINUTE
/* So that a job gets several tries before its no-progress time-out is over. */
#define TRIES_PER_NO_PROGRESS_TIMEOUT 4
/* Slewing never moves wall time this much between two looks; a human, a flat battery or a first NTP answer does. */
#define CLOCK_JUMP_USEC USEC_PER_HOUR
#define CLOCK_CONFIRM_USEC USEC_PER_DAY

static int64_t wall_offset(const struct schedule *schedule) {
        return (int64_t)(schedule_now(schedule, CLOCK_ID_REALTIME) - schedule_now(schedule, CLOCK_ID_BOOTTIME));
}

/* How long the machine slept, all in all. */
static uint64_t slept(const struct schedule *schedule) {
        return schedule_now(schedule, CLOCK_ID_BOOTTIME) - schedule_now(schedule, CLOCK_ID_MONOTONIC);
}

int schedule_new(const struct schedule_config *config, const struct clock *clock, struct schedule **ret) {
        struct schedule *schedule = malloc(sizeof(*schedule));

        if (!schedule)
                return -ENOMEM;
        *schedule = (struct schedule) {
                .config = *config,
                .clock = clock,
        };
        schedule->wall_offset = wall_offset(schedule);
        schedule->slept_usec = slept(schedule);
        *ret = schedule;
        return 0;
}

struct schedule *schedule_free(struct schedule *schedule) {
        if (!schedule)
                return NULL;
        assert(schedule->n_jobs == 0);
        heap_done(&schedule->retry);
        heap_done(&schedule->no_progress);
        heap_done(&schedule->max_time);
        heap_done(&schedule->life);
        free(schedule);
        return NULL;
}

void schedule_set_config(struct schedule *schedule, const struct schedule_config *config) {
        schedule->config = *config; /* slots, slices and delays are looked up when they are needed */
}

uint64_t schedule_steps(const struct schedule *schedule) {
        return schedule->steps;
}

/* ---- places ---- */

static struct lane *lane_of(struct schedule *schedule, const struct schedule_entry *entry) {
        return &schedule->lanes[entry->level];
}

void schedule_entry_set_told(struct schedule *schedule, struct schedule_entry *entry, enum waiting_reason reason) {
        struct lane *lane = lane_of(schedule, entry);

        if (entry->place == PLACE_READY) {
                lane->n_told_priority -= entry->told == WAITING_PRIORITY;
                lane->n_told_priority += reason == WAITING_PRIORITY;
        }
        entry->told = reason;
}

void schedule_entry_not_fresh(struct schedule *schedule, struct schedule_entry *entry) {
        if (entry->is_fresh && entry->place == PLACE_HELD)
                DL_DELETE2(schedule->held, entry, fresh_prev, fresh_next);
        else if (entry->is_fresh)
                DL_DELETE2(schedule->fresh, entry, fresh_prev, fresh_next);
        entry->is_fresh = false;
}

void schedule_entry_unplace(struct schedule *schedule, struct schedule_entry *entry) {
        struct lane *lane = lane_of(schedule, entry);

        switch (entry->place) {
        case PLACE_NONE:
                break;
        case PLACE_READY:
                if (lane->cursor == entry)
                        lane->cursor = entry->next;
                DL_DELETE(lane->ready, entry);
                lane->n_ready--;
                lane->n_told_priority -= entry->told == WAITING_PRIORITY;
                schedule_entry_not_fresh(schedule, entry);
                break;
        case PLACE_RUNNING:
                DL_DELETE(lane->running, entry);
                lane->n_running--;
                break;
        case PLACE_RETRYING:
                DL_DELETE(schedule->retrying, entry);
                break;
        case PLACE_HELD:
                schedule_entry_not_fresh(schedule, entry);
                break;
        }
        entry->place = PLACE_NONE;
}

void schedule_entry_run(struct schedule *schedule, struct schedule_entry *entry) {
        uint64_t now = schedule_now(schedule, CLOCK_ID_BOOTTIME);
        struct job_pace *pace = &entry->job->pace;
        struct lane *lane;

        schedule_entry_unplace(schedule, entry);
        entry->place = PLACE_RUNNING;
        entry->level = entry->job->priority;
        entry->told = WAITING_NONE;
        lane = lane_of(schedule, entry);
        DL_APPEND(lane->running, entry);
        lane->n_running++;
        pace->queued_since_boottime = USEC_INFINITY;
        /* Foreground jobs have no slice. */
        if (entry->level == JOB_PRIORITY_FOREGROUND)
                pace->slice_since_boottime = USEC_INFINITY;
        else if (pace->slice_since_boottime == USEC_INFINITY)
                pace->slice_since_boottime = now - MIN(now, entry->slice_used_usec);
}

/* @cut_short: its turn was taken away before its end; if something is left of it, it is the next. */
static void entry_enqueue(struct schedule *schedule, struct schedule_entry *entry, bool cut_short) {
        uint64_t now = schedule_now(schedule, CLOCK_ID_BOOTTIME);
        struct job_pace *pace = &entry->job->pace;
        uint64_t used = now - MIN(now, pace->slice_since_boottime);
        struct lane *lane;

        schedule_entry_unplace(schedule, entry);
        entry->place = PLACE_READY;
        entry->level = entry->job->priority;
        entry->told = WAITING_NONE;
        lane = lane_of(schedule, entry);
        if (cut_short && used < schedule->config.time_slice_usec) {
                DL_PREPEND(lane->ready, entry);
                entry->slice_used_usec = used; /* 0 if it had no slice: "since" is never, then */
        } else {
                DL_APPEND(lane->ready, entry);
                entry->slice_used_usec = 0;
                pace->order = ++schedule->order;
        }
        lane->n_ready++;
        entry->yielding = WAITING_NONE;
        pace->queued_since_boottime = now;
        pace->slice_since_boottime = USEC_INFINITY;
        DL_APPEND2(schedule->fresh, entry, fresh_prev, fresh_next);
        entry->is_fresh = true;
        schedule_entry_set_told(schedule, entry, entry->job->waiting);
}

/* Out of its lane, and to be told so, unless that was why it had to yield. */
static void entry_hold(struct schedule *schedule, struct schedule_entry *entry) {
        schedule_entry_unplace(schedule, entry);
        entry->place = PLACE_HELD;
        entry->starting = false;
        entry->slice_used_usec = 0;
        entry->job->pace.slice_since_boottime = USEC_INFINITY;
        if (entry->state == JOB_QUEUED && entry->yielding == entry->hold) {
                entry->yielding = WAITING_NONE;
                return;
        }
        entry->yielding = WAITING_NONE;
        DL_APPEND2(schedule->held, entry, fresh_prev, fresh_next);
        entry->is_fresh = true;
}

static void entry_retire(struct schedule *schedule, struct schedule_entry *entry) {
        schedule_entry_unplace(schedule, entry);
        entry->starting = false;
        entry->yielding = WAITING_NONE;
        entry->slice_used_usec = 0;
        entry->job->pace.slice_since_boottime = USEC_INFINITY;
        entry->job->pace.queued_since_boottime = USEC_INFINITY;
}

static bool is_schedulable(const struct job *job) {
        return job_state_is_active(job->state) && job->intent == JOB_INTENT_NONE;
}

static void entry_place(struct schedule *schedule, struct schedule_entry *entry, enum job_state before) {
        struct job *job = entry->job;
        bool moved = entry->level != job->priority;

        if (!is_schedulable(job)) {
                entry_retire(schedule, entry);
                return;
        }
        if (entry->hold != WAITING_NONE && job->state != JOB_TRANSIENT_ERROR) {
                if (entry->place != PLACE_HELD || entry->state != before)
                        entry_hold(schedule, entry);
                return;
        }
        switch (job->state) {
        case JOB_QUEUED:
                if (entry->starting) {
                        if (moved)
                                schedule_entry_run(schedule, entry);
                } else if (entry->place != PLACE_READY)
                        entry_enqueue(schedule, entry,
                                      before == JOB_TRANSFERRING && entry->yielding != WAITING_TIME_SLICE);
                else if (moved)
                        entry_enqueue(schedule, entry, false);
                else /* the manager may have set another reason */
                        schedule_entry_set_told(schedule, entry, job->waiting);
                break;
        case JOB_TRANSFERRING:
                if (entry->yielding == WAITING_NONE && (entry->place != PLACE_RUNNING || moved))
                        schedule_entry_run(schedule, entry);
                break;
        default:
                entry_retire(schedule, entry);
                entry->place = PLACE_RETRYING;
                DL_APPEND(schedule->retrying, entry);
                break;
        }
}

/* ---- timers ---- */

static void arm_retry(struct schedule *schedule, struct schedule_entry *entry) {
        uint64_t at = entry->job->pace.retry_at_boottime;

        if (entry->place == PLACE_RETRYING && at != USEC_INFINITY && !entry->retry_given)
                heap_put(&schedule->retry, &entry->retry, at);
        else
                heap_remove(&schedule->retry, &entry->retry);
}

static uint64_t no_progress_timeout(const struct job *job) {
        return job->no_progress_timeout_s * USEC_PER_SEC;
}

/* Lets the no-progress clock run or stand, as everything together says, and arms its end. */
static void arm_no_progress(struct schedule *schedule, struct schedule_entry *entry) {
        uint64_t now = schedule_now(schedule, CLOCK_ID_MONOTONIC);
        struct job_pace *pace = &entry->job->pace;
        uint64_t timeout = no_progress_timeout(entry->job);
        bool trying = is_schedulable(entry->job) && entry->state != JOB_QUEUED;
        bool runs = pace->try_since_monotonic != USEC_INFINITY;
        bool should_run = entry->counting && !entry->blocked && trying;

        if (should_run && !runs)
                pace->try_since_monotonic = now;
        else if (!should_run && runs) {
                pace->tried_usec = u64_add_saturated(pace->tried_usec, now - MIN(now, pace->try_since_monotonic));
                pace->try_since_monotonic = USEC_INFINITY;
        }
        if (should_run && !entry->no_progress_given)
                heap_put(&schedule->no_progress, &entry->no_progress,
                         u64_add_saturated(pace->try_since_monotonic, timeout - MIN(timeout, pace->tried_usec)));
        else
                heap_remove(&schedule->no_progress, &entry->no_progress);
}

static void count_time(const struct schedule *schedule, struct job_pace *pace) {
        uint64_t now = schedule_now(schedule, CLOCK_ID_MONOTONIC);

        if (pace->moving_since_monotonic == USEC_INFINITY)
                return;
        pace->moved_usec = u64_add_saturated(pace->moved_usec, now - MIN(now, pace->moving_since_monotonic));
        pace->moving_since_monotonic = now;
}

/* The same for the time of transferring. It is never set back: whoever resumes after its end allows more first. */
static void arm_max_time(struct schedule *schedule, struct schedule_entry *entry) {
        struct job_pace *pace = &entry->job->pace;
        uint64_t limit = entry->job->max_download_time_s * USEC_PER_SEC;

        count_time(schedule, pace);
        pace->moving_since_monotonic =
                entry->state == JOB_TRANSFERRING ? schedule_now(schedule, CLOCK_ID_MONOTONIC) : USEC_INFINITY;
        if (entry->state == JOB_TRANSFERRING && !entry->max_time_given)
                heap_put(&schedule->max_time, &entry->max_time,
                         u64_add_saturated(pace->moving_since_monotonic, limit - MIN(limit, pace->moved_usec)));
        else
                heap_remove(&schedule->max_time, &entry->max_time);
}

static uint64_t tried_so_far(const struct schedule *schedule, const struct job_pace *pace) {
        uint64_t now = schedule_now(schedule, CLOCK_ID_MONOTONIC);

        if (pace->try_since_monotonic == USEC_INFINITY)
                return pace->tried_usec;
        return u64_add_saturated(pace->tried_usec, now - MIN(now, pace->try_since_monotonic));
}

uint64_t schedule_entry_life_end(const struct schedule_entry *entry) {
        const struct job *job = entry->job;
        uint64_t since = job->created_usec;

        if (job->life_time_usec == 0 || job_state_is_final(job->state) || job->intent != JOB_INTENT_NONE)
                return USEC_INFINITY;
        /* api.md 1.7: 30 days in all, or 90 days in which nothing happened. */
        if (job->family == JOB_FAMILY_BITS)
                since = MAX(job->modified_usec, entry->progress_realtime);
        return u64_add_saturated(since, job->life_time_usec);
}

static void arm_life(struct schedule *schedule, struct schedule_entry *entry) {
        uint64_t end = schedule_entry_life_end(entry);

        if (end != USEC_INFINITY && end != entry->expire_given_for)
                heap_put(&schedule->life, &entry->life, end);
        else
                heap_remove(&schedule->life, &entry->life);
}

static void hold_expiry(struct schedule *schedule) {
        schedule->expire_hold_monotonic = schedule_now(schedule, CLOCK_ID_MONOTONIC) + CLOCK_CONFIRM_USEC;
}

void schedule_notice_clock_jump(struct schedule *schedule) {
        int64_t offset = wall_offset(schedule);
        int64_t jump = offset - schedule->wall_offset;

        schedule->wall_offset = offset;
        if (jump > (int64_t) CLOCK_JUMP_USEC || jump < -(int64_t) CLOCK_JUMP_USEC)
                hold_expiry(schedule);
        /* A life that ended while the machine slept gets a day awake, too, but one for all: some machines sleep every night. */
        if (slept(schedule) - schedule->slept_usec > CLOCK_JUMP_USEC && schedule_now(schedule, CLOCK_ID_MONOTONIC) >= schedule->expire_hold_monotonic &&
            heap_top(&schedule->life) && heap_top(&schedule->life)->key <= schedule_now(schedule, CLOCK_ID_REALTIME))
                hold_expiry(schedule);
        schedule->slept_usec = slept(schedule);
}

/* ---- the interface ---- */

static struct schedule_entry *entry_of(const struct job *job) {
        return ASSERT_PTR((struct schedule_entry *) job->pace.schedule);
}

static void entry_sync(struct schedule *schedule, struct schedule_entry *entry) {
        struct job_pace *pace = &entry->job->pace;
        enum job_state before = entry->state;

        entry->state = entry->job->state;
        if (entry->state != before) {
                entry->starting = false;
                entry->retry_given = false;
                entry->no_progress_given = false;
                entry->max_time_given = false;
                if (before == JOB_TRANSIENT_ERROR) {
                        pace->retry_at_boottime = USEC_INFINITY;
                        entry->blocked = false;
                }
        }
        entry_place(schedule, entry, before);
        arm_retry(schedule, entry);
        arm_no_progress(schedule, entry);
        arm_max_time(schedule, entry);
        arm_life(schedule, entry);
}

int schedule_add(struct schedule *schedule, struct job *job) {
        struct schedule_entry *entry;
        size_t n = schedule->n_jobs + 1;

        assert(!job->pace.schedule);
        if (heap_reserve(&schedule->retry, n) < 0 || heap_reserve(&schedule->no_progress, n) < 0 ||
            heap_reserve(&schedule->max_time, n) < 0 || heap_reserve(&schedule->life, n) < 0)
                return -ENOMEM;
        entry = malloc(sizeof(*entry));
        if (!entry)
                return -ENOMEM;
        *entry = (struct schedule_entry) {
                .job = job,
                .level = job->priority,
                .state = job->state,
                .expire_given_for = USEC_INFINITY,
        };
        heap_item_init(&entry->retry);
        heap_item_init(&entry->no_progress);
        heap_item_init(&entry->max_time);
        heap_item_init(&entry->life);
        job->pace.schedule = entry;
        schedule->n_jobs = n;

        /* What made it wait may be over since the service ran last (api.md 2.1, "service restart"). */
        if (job->state == JOB_TRANSIENT_ERROR && job->pace.retry_at_boottime == USEC_INFINITY)
                job->pace.retry_at_boottime = schedule_now(schedule, CLOCK_ID_BOOTTIME);
        schedule_notice_clock_jump(schedule);
        /* Over age when it comes: the machine was off for long, or its clock is wrong. Running time must tell. */
        if (schedule_entry_life_end(entry) <= schedule_now(schedule, CLOCK_ID_REALTIME))
                hold_expiry(schedule);
        entry_sync(schedule, entry);
        return 0;
}

void schedule_remove(struct schedule *schedule, struct job *job) {
        struct schedule_entry *entry = entry_of(job);

        entry_retire(schedule, entry);
        heap_remove(&schedule->retry, &entry->retry);
        heap_remove(&schedule->no_progress, &entry->no_progress);
        heap_remove(&schedule->max_time, &entry->max_time);
        heap_remove(&schedule->life, &entry->life);
        job->pace.schedule = NULL;
        schedule->n_jobs--;
        free(entry);
}

void schedule_update(struct schedule *schedule, struct job *job) {
        entry_sync(schedule, entry_of(job));
}

void schedule_progressed(struct schedule *schedule, struct job *job) {
        struct schedule_entry *entry = entry_of(job);

        job->pace.attempts = 0;
        job->pace.tried_usec = 0;
        job->pace.try_since_monotonic = USEC_INFINITY;
        entry->counting = false;
        entry->no_progress_given = false;
        /* The heap is told when the old end of life comes: bytes come often, ends of life do not. */
        entry->progress_realtime = schedule_now(schedule, CLOCK_ID_REALTIME);
        arm_no_progress(schedule, entry);
}

void schedule_count_time(struct schedule *schedule, struct job *job) {
        count_time(schedule, &job->pace);
}

void schedule_hold(struct schedule *schedule, struct job *job, enum waiting_reason reason) {
        struct schedule_entry *entry = entry_of(job);

        if (entry->hold == reason)
                return;
        entry->hold = reason;
        if (reason == WAITING_NONE) /* one that did not yield need not any more */
                entry->yielding = WAITING_NONE;
        entry_place(schedule, entry, entry->state);
}

static uint64_t retry_delay(const struct schedule *schedule, const struct job *job, uint64_t not_before_usec) {
        uint64_t own = job->minimum_retry_delay_s * USEC_PER_SEC;
        struct backoff backoff = {
                .ceiling_usec = MIN(schedule->config.retry_max_usec,
                                    no_progress_timeout(job) / TRIES_PER_NO_PROGRESS_TIMEOUT),
        };
        uint64_t salt[2], delay;

        if (job->family == JOB_FAMILY_BITS || own > 0)
                backoff.first_usec = backoff.minimum_usec = MAX(own, RETRY_DELAY_MINIMUM_USEC);
        else
                backoff.first_usec = schedule->config.retry_first_do_usec;
        memcpy(salt, job->id.bytes, sizeof(salt));
        delay = backoff_next_delay(&backoff, job->pace.attempts,
                                   backoff_random(schedule->config.seed ^ salt[0] ^ salt[1] ^ job->pace.attempts));
        if (not_before_usec > 0)
                delay = MAX(delay, CLAMP(not_before_usec, RETRY_AFTER_MIN_USEC, RETRY_AFTER_MAX_USEC));
        return delay;
}

/* BITS: SetMinimumRetryDelay, SetNoProgressTimeout, Remarks: such a job never waits. */
static bool gives_up_at_once(const struct job *job) {
        return job->no_progress_timeout_s == 0 || job->minimum_retry_delay_s > job->no_progress_timeout_s;
}

enum schedule_verdict schedule_failed(struct schedule *schedule, struct job *job, enum schedule_failure failure,
                                      uint64_t not_before_usec) {
        uint64_t now = schedule_now(schedule, CLOCK_ID_BOOTTIME);
        struct schedule_entry *entry = entry_of(job);
        struct job_pace *pace = &job->pace;

        entry->retry_given = false;
        entry->blocked = failure == SCHEDULE_BLOCKED;
        if (failure == SCHEDULE_BLOCKED) {
                pace->retry_at_boottime = u64_add_saturated(now, not_before_usec ?: BLOCKED_POLL_USEC);
        } else {
                if (gives_up_at_once(job) || tried_so_far(schedule, pace) >= no_progress_timeout(job))
                        return SCHEDULE_GIVE_UP;
                entry->counting = true;
                if (pace->attempts < UINT32_MAX)
                        pace->attempts++;
                pace->retry_at_boottime = u64_add_saturated(now, retry_delay(schedule, job, not_before_usec));
        }
        arm_retry(schedule, entry);
        arm_no_progress(schedule, entry);
        return SCHEDULE_RETRY_LATER;
}

void schedule_retry_now(struct schedule *schedule, struct job *job, bool afresh) {
        struct schedule_entry *entry = entry_of(job);

        if (entry->place != PLACE_RETRYING)
                return;
        if (afresh)
                job->pace.attempts = 0;
        job->pace.retry_at_boottime = schedule_now(schedule, CLOCK_ID_BOOTTIME);
        arm_retry(schedule, entry);
}

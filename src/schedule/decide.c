#include "schedule/internal.h"

#include <utlist.h>

struct decisions {
        struct schedule *schedule;
        struct schedule_decision *items;
        size_t n, max;
};

static bool is_full(const struct decisions *decisions) {
        return decisions->n == decisions->max;
}

static void decide(struct decisions *decisions, struct schedule_entry *entry, enum schedule_action action,
                   enum waiting_reason reason) {
        assert(!is_full(decisions));
        decisions->items[decisions->n++] = (struct schedule_decision) { entry->job, action, reason };
}

/* Its end: nothing else is decided about it. */
static void take_away(struct schedule *schedule, struct schedule_entry *entry) {
        schedule_entry_unplace(schedule, entry);
        heap_remove(&schedule->retry, &entry->retry);
        heap_remove(&schedule->no_progress, &entry->no_progress);
        heap_remove(&schedule->max_time, &entry->max_time);
        heap_remove(&schedule->life, &entry->life);
}

/* NULL: nothing is due. */
static struct heap_item *due(struct schedule *schedule, const struct heap *heap, enum clock_id id) {
        struct heap_item *item = heap_top(heap);

        if (!item || item->key > schedule_now(schedule, id))
                return NULL;
        schedule->steps++;
        return item;
}

static void decide_ends_of_life(struct decisions *decisions) {
        struct schedule *schedule = decisions->schedule;
        struct heap_item *item;

        if (schedule_now(schedule, CLOCK_ID_MONOTONIC) < schedule->expire_hold_monotonic)
                return;
        while (!is_full(decisions) && (item = due(schedule, &schedule->life, CLOCK_ID_REALTIME))) {
                struct schedule_entry *entry = CONTAINER_OF(item, struct schedule_entry, life);
                uint64_t end = schedule_entry_life_end(entry);

                if (end > entry->life.key) { /* there was progress since */
                        heap_put(&schedule->life, &entry->life, end);
                        continue;
                }
                take_away(schedule, entry);
                entry->expire_given_for = end;
                decide(decisions, entry, SCHEDULE_EXPIRE, WAITING_NONE);
        }
}

static void decide_no_progress(struct decisions *decisions) {
        struct schedule *schedule = decisions->schedule;
        struct heap_item *item;

        while (!is_full(decisions) && (item = due(schedule, &schedule->no_progress, CLOCK_ID_MONOTONIC))) {
                struct schedule_entry *entry = CONTAINER_OF(item, struct schedule_entry, no_progress);

                take_away(schedule, entry);
                entry->no_progress_given = true;
                decide(decisions, entry, SCHEDULE_NO_PROGRESS, WAITING_ATTENTION);
        }
}

static void decide_max_time(struct decisions *decisions) {
        struct schedule *schedule = decisions->schedule;
        struct heap_item *item;

        while (!is_full(decisions) && (item = due(schedule, &schedule->max_time, CLOCK_ID_MONOTONIC))) {
                struct schedule_entry *entry = CONTAINER_OF(item, struct schedule_entry, max_time);

                take_away(schedule, entry);
                entry->max_time_given = true;
                decide(decisions, entry, SCHEDULE_MAX_TIME, WAITING_ATTENTION);
        }
}

static void decide_retries(struct decisions *decisions) {
        struct schedule *schedule = decisions->schedule;
        struct heap_item *item;

        while (!is_full(decisions) && (item = due(schedule, &schedule->retry, CLOCK_ID_BOOTTIME))) {
                struct schedule_entry *entry = CONTAINER_OF(item, struct schedule_entry, retry);

                heap_remove(&schedule->retry, &entry->retry);
                entry->retry_given = true;
                decide(decisions, entry, SCHEDULE_RETRY, WAITING_NONE);
        }
}

/* ---- no turn ---- */

static void decide_holds(struct decisions *decisions) {
        struct schedule *schedule = decisions->schedule;

        while (!is_full(decisions) && schedule->held) {
                struct schedule_entry *entry = schedule->held;

                schedule->steps++;
                schedule_entry_not_fresh(schedule, entry);
                if (entry->state == JOB_TRANSFERRING)
                        entry->yielding = entry->hold;
                if (entry->state == JOB_TRANSFERRING || entry->job->waiting != entry->hold)
                        decide(decisions, entry, entry->state == JOB_TRANSFERRING ? SCHEDULE_YIELD : SCHEDULE_WAIT, entry->hold);
        }
}

/* ---- lanes ---- */

static void start_first(struct decisions *decisions, struct lane *lane) {
        struct schedule_entry *entry = lane->ready;

        decisions->schedule->steps++;
        schedule_entry_run(decisions->schedule, entry);
        entry->starting = true;
        decide(decisions, entry, SCHEDULE_START, WAITING_NONE);
}

static void yield(struct decisions *decisions, struct schedule_entry *entry, enum waiting_reason reason) {
        schedule_entry_unplace(decisions->schedule, entry);
        entry->starting = false;
        entry->yielding = reason;
        decide(decisions, entry, SCHEDULE_YIELD, reason);
}

/* How many slots each lane has, and how many the lanes above it. */
struct shares {
        size_t own[_JOB_PRIORITY_MAX];
        size_t above[_JOB_PRIORITY_MAX];
};

static void share_slots(const struct schedule *schedule, struct shares *ret) {
        size_t taken = 0;

        for (size_t level = JOB_PRIORITY_HIGH; level < _JOB_PRIORITY_MAX; level++) {
                const struct lane *lane = &schedule->lanes[level];

                ret->above[level] = taken;
                ret->own[level] = MIN(lane->n_ready + lane->n_running, schedule->config.background_slots - taken);
                taken += ret->own[level];
        }
}

/* The one that lost least time when it stops: it began last. */
static struct schedule_entry *newest_slice(struct schedule *schedule, const struct lane *lane) {
        struct schedule_entry *entry, *newest = lane->running;

        DL_FOREACH(lane->running, entry) {
                schedule->steps++;
                if (entry->job->pace.slice_since_boottime >= newest->job->pace.slice_since_boottime)
                        newest = entry;
        }
        return newest;
}

static uint64_t slice_end(const struct schedule *schedule, const struct schedule_entry *entry) {
        return u64_add_saturated(entry->job->pace.slice_since_boottime, schedule->config.time_slice_usec);
}

/* NULL: nobody's. Linear in the number of slots, which is small. What was told to start in this round has its turn. */
static struct schedule_entry *oldest_slice(struct schedule *schedule, const struct lane *lane) {
        struct schedule_entry *entry, *oldest = NULL;

        DL_FOREACH(lane->running, entry) {
                schedule->steps++;
                if (entry->starting)
                        continue;
                if (!oldest || entry->job->pace.slice_since_boottime < oldest->job->pace.slice_since_boottime)
                        oldest = entry;
        }
        return oldest;
}

static void decide_preemptions(struct decisions *decisions, const struct shares *shares) {
        struct schedule *schedule = decisions->schedule;

        for (size_t level = _JOB_PRIORITY_MAX - 1; level >= JOB_PRIORITY_HIGH; level--) {
                struct lane *lane = &schedule->lanes[level];

                while (!is_full(decisions) && lane->n_running > shares->own[level])
                        yield(decisions, newest_slice(schedule, lane),
                              shares->above[level] > 0 ? WAITING_PRIORITY : WAITING_SLOT);
        }
}

static void decide_starts(struct decisions *decisions, const struct shares *shares) {
        for (size_t level = JOB_PRIORITY_HIGH; level < _JOB_PRIORITY_MAX; level++) {
                struct lane *lane = &decisions->schedule->lanes[level];

                while (!is_full(decisions) && lane->n_ready > 0 && lane->n_running < shares->own[level])
                        start_first(decisions, lane);
        }
}

static void decide_turns(struct decisions *decisions) {
        struct schedule *schedule = decisions->schedule;
        uint64_t now = schedule_now(schedule, CLOCK_ID_BOOTTIME);

        for (size_t level = JOB_PRIORITY_HIGH; level < _JOB_PRIORITY_MAX; level++) {
                struct lane *lane = &schedule->lanes[level];

                while (!is_full(decisions) && lane->n_ready > 0) {
                        struct schedule_entry *oldest = oldest_slice(schedule, lane);

                        if (!oldest || slice_end(schedule, oldest) > now)
                                break;
                        yield(decisions, oldest, WAITING_TIME_SLICE);
                        if (!is_full(decisions))
                                start_first(decisions, lane);
                }
        }
}

/* ---- why a job waits ---- */

/* Of the true reasons the one that the job shows already is good enough: a lane that gets or loses its last
 * slot changes the reason of all that wait in it, anything less changes nobody's. */
static bool reason_is_true(const struct shares *shares, size_t level, enum waiting_reason told) {
        switch (told) {
        case WAITING_PRIORITY:
                return shares->above[level] > 0;
        case WAITING_SLOT:
        case WAITING_TIME_SLICE:
                return shares->own[level] > 0 || shares->above[level] == 0;
        default:
                return false;
        }
}

static void tell_reason(struct decisions *decisions, const struct shares *shares, struct schedule_entry *entry) {
        enum waiting_reason reason;

        decisions->schedule->steps++;
        if (reason_is_true(shares, entry->level, entry->told))
                return;
        reason = reason_is_true(shares, entry->level, WAITING_SLOT) ? WAITING_SLOT : WAITING_PRIORITY;
        schedule_entry_set_told(decisions->schedule, entry, reason);
        decide(decisions, entry, SCHEDULE_WAIT, reason);
}

static bool lane_has_wrong_reasons(const struct shares *shares, size_t level, const struct lane *lane) {
        return (lane->n_told_priority < lane->n_ready && !reason_is_true(shares, level, WAITING_SLOT)) ||
               (lane->n_told_priority > 0 && !reason_is_true(shares, level, WAITING_PRIORITY));
}

static void decide_reasons(struct decisions *decisions, const struct shares *shares) {
        struct schedule *schedule = decisions->schedule;

        while (!is_full(decisions) && schedule->fresh) {
                struct schedule_entry *entry = schedule->fresh;

                schedule_entry_not_fresh(schedule, entry);
                tell_reason(decisions, shares, entry);
        }
        for (size_t level = JOB_PRIORITY_HIGH; level < _JOB_PRIORITY_MAX; level++) {
                struct lane *lane = &schedule->lanes[level];

                while (!is_full(decisions) && lane_has_wrong_reasons(shares, level, lane)) {
                        struct schedule_entry *entry = lane->cursor ?: lane->ready;

                        lane->cursor = entry->next;
                        tell_reason(decisions, shares, entry);
                }
                if (!lane_has_wrong_reasons(shares, level, lane))
                        lane->cursor = NULL;
        }
}

size_t schedule_decide(struct schedule *schedule, struct schedule_decision *ret, size_t max) {
        struct decisions decisions = { .schedule = schedule, .items = ret, .max = max };
        struct shares shares = {};

        schedule_notice_clock_jump(schedule);
        decide_ends_of_life(&decisions);
        decide_no_progress(&decisions);
        decide_max_time(&decisions);
        decide_retries(&decisions);
        decide_holds(&decisions);
        while (!is_full(&decisions) && schedule->lanes[JOB_PRIORITY_FOREGROUND].ready)
                start_first(&decisions, &schedule->lanes[JOB_PRIORITY_FOREGROUND]);
        share_slots(schedule, &shares);
        decide_preemptions(&decisions, &shares);
        if (!is_full(&decisions)) /* all that must go has gone: its slots are free */
                decide_starts(&decisions, &shares);
        decide_turns(&decisions);
        decide_reasons(&decisions, &shares);
        return decisions.n;
}

/* ---- when to look again ---- */

/* When @clock_id will show @key, in CLOCK_BOOTTIME, if nobody turns it and the machine does not sleep. */
static uint64_t to_boottime(const struct schedule *schedule, enum clock_id clock_id, uint64_t key) {
        uint64_t now = schedule_now(schedule, clock_id);

        return u64_add_saturated(schedule_now(schedule, CLOCK_ID_BOOTTIME), key - MIN(now, key));
}

static uint64_t top_in_boottime(const struct schedule *schedule, const struct heap *heap, enum clock_id clock_id) {
        const struct heap_item *top = heap_top(heap);

        return top ? to_boottime(schedule, clock_id, top->key) : USEC_INFINITY;
}

uint64_t schedule_next_deadline(const struct schedule *schedule) {
        uint64_t life = top_in_boottime(schedule, &schedule->life, CLOCK_ID_REALTIME), next;

        if (life != USEC_INFINITY)
                life = MAX(life, to_boottime(schedule, CLOCK_ID_MONOTONIC, schedule->expire_hold_monotonic));
        next = MIN(life, top_in_boottime(schedule, &schedule->retry, CLOCK_ID_BOOTTIME));
        next = MIN(next, top_in_boottime(schedule, &schedule->no_progress, CLOCK_ID_MONOTONIC));
        next = MIN(next, top_in_boottime(schedule, &schedule->max_time, CLOCK_ID_MONOTONIC));
        for (size_t level = JOB_PRIORITY_HIGH; level < _JOB_PRIORITY_MAX; level++) {
                const struct lane *lane = &schedule->lanes[level];
                const struct schedule_entry *entry;

                if (lane->n_ready == 0) /* nobody wants their slots: slices have no end */
                        continue;
                DL_FOREACH(lane->running, entry)
                        next = MIN(next, slice_end(schedule, entry));
        }
        return next;
}

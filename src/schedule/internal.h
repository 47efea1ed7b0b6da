/* What schedule.c (which keeps every job in its place) and decide.c (which looks at the places) share. */
#pragma once

#include "base/heap.h"
#include "schedule/schedule.h"

enum place {
        PLACE_NONE,     /* nothing to do for it, or a decision about it was given and is not reported back yet */
        PLACE_READY,    /* QUEUED: in its lane */
        PLACE_RUNNING,  /* TRANSFERRING, or told to START */
        PLACE_RETRYING, /* TRANSIENT_ERROR */
        PLACE_HELD,     /* QUEUED or TRANSFERRING, and no turn: see schedule_hold() */
};

/* One for each job: members stand so that there are no holes between them. */
struct schedule_entry {
        struct job *job;

        enum place place;
        enum job_priority level; /* the lane that it is in */
        struct schedule_entry *prev, *next;             /* in the list of its place */
        struct schedule_entry *fresh_prev, *fresh_next; /* in schedule->fresh, or schedule->held */
        bool is_fresh;

        /* What was decided and is not carried out yet: not decided again until the state has changed. */
        bool starting;
        bool retry_given;
        bool no_progress_given;
        bool max_time_given;
        enum waiting_reason yielding; /* WAITING_NONE: it is not */
        uint64_t expire_given_for;    /* this end of life */

        enum job_state state;     /* as last reported */
        enum waiting_reason hold; /* WAITING_NONE: it may have turns */
        enum waiting_reason told; /* the reason that the job shows */
        /* No-progress clock: runs when all of this allows it */
        bool counting; /* an error was counted since the last byte */
        bool blocked;
        uint64_t progress_realtime;
        uint64_t slice_used_usec; /* of a slice that was cut short: its turn goes on where it was */

        struct heap_item retry;       /* by CLOCK_BOOTTIME */
        struct heap_item no_progress; /* by CLOCK_MONOTONIC */
        struct heap_item max_time;    /* by CLOCK_MONOTONIC */
        struct heap_item life;        /* by CLOCK_REALTIME */
};

struct lane {
        struct schedule_entry *ready, *running;
        size_t n_ready, n_running;
        size_t n_told_priority;        /* of the ready ones */
        struct schedule_entry *cursor; /* how far a change of the reason was told */
};

struct schedule {
        struct schedule_config config;
        const struct clock *clock;
        size_t n_jobs;
        struct lane lanes[_JOB_PRIORITY_MAX];
        struct schedule_entry *retrying;
        struct schedule_entry *fresh; /* in a lane since the last decision */
        struct schedule_entry *held;  /* held since the last decision */
        struct heap retry, no_progress, max_time, life;
        uint64_t order;
        int64_t wall_offset;           /* CLOCK_REALTIME - CLOCK_BOOTTIME when last looked at */
        uint64_t slept_usec;           /* CLOCK_BOOTTIME - CLOCK_MONOTONIC, likewise */
        uint64_t expire_hold_monotonic; /* nothing expires before */
        uint64_t steps;
};

static inline uint64_t schedule_now(const struct schedule *schedule, enum clock_id id) {
        return clock_now(schedule->clock, id);
}

/* Takes it out of its lane or list. */
void schedule_entry_unplace(struct schedule *schedule, struct schedule_entry *entry);
/* Makes it the newest of the running ones of its lane. */
void schedule_entry_run(struct schedule *schedule, struct schedule_entry *entry);
void schedule_entry_set_told(struct schedule *schedule, struct schedule_entry *entry, enum waiting_reason reason);
void schedule_entry_not_fresh(struct schedule *schedule, struct schedule_entry *entry);
/* USEC_INFINITY: it lives for ever. */
uint64_t schedule_entry_life_end(const struct schedule_entry *entry);
/* Wall time against running time, and a machine that slept (design decision 10). */
void schedule_notice_clock_jump(struct schedule *schedule);

/* Sits between the manager and its face: tells the log what an administrator wants to hear of jobs, and counts what the metrics show.
 * Everything is passed on unchanged. */
#pragma once

#include "manager/manager.h"

struct observer_counts {
        uint64_t errors[_ERROR_CODE_MAX]; /* jobs that came into ERROR or TRANSIENT_ERROR, by cause */
        uint64_t jobs_added;
        uint64_t jobs_ended[_JOB_STATE_MAX]; /* final states only */
        uint64_t transfer_deaths;
};

struct observer {
        const struct manager_events *next; /* borrowed, both */
        void *next_userdata;
        struct observer_counts counts;
        struct guid told_id; /* the last line was about this: one change may be told twice */
        uint64_t told_since_usec;
        enum job_state told_state;
};

extern const struct manager_events observer_events; /* userdata: the observer */
void observer_transfer_died(struct observer *observer, int pid);
/* @program is not of our version, and no dosvcd was installed that is. */
void observer_other_version(const char *program);
/* @restored: what store_restore_sqlite() said; @age_usec: of the backup that it took. */
void observer_state_moved_aside(const char *state_dir, int restored, uint64_t age_usec);

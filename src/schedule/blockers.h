/* What of the machine's conditions forbids a job to transfer now, by what the job and the configuration say: pure functions of values.
 *
 * Loopback and local origins never wait for the internet: a job is held for the network only where it is certain that none of its
 * sources can be reached. A name may stand for anything (/etc/hosts, a server next door), so it is tried, and what came of it is judged by
 * blockers_judge_failure(). */
#pragma once

#include "conditions/conditions.h"
#include "job/job.h"

struct blocker_policy {
        uint32_t foreground_cost_flags; /* of jobs that have none of their own */
        uint32_t background_cost_flags;
        unsigned foreground_battery_percent; /* the least that they take from the battery; 0: any */
        unsigned background_battery_percent;
        bool background_saves_battery; /* background jobs wait while the machine saves its battery */
        bool require_logon;
};
#define BLOCKER_POLICY_NONE ((struct blocker_policy){ .foreground_cost_flags = COST_STATES, .background_cost_flags = COST_STATES })

#define BLOCKER_TEXT_MAX 160

/* ERROR_NONE, or why it cannot transfer now, with a sentence that says more. All these codes end by themselves. */
enum error_code blockers_find(const struct conditions *conditions, const struct blocker_policy *policy, const struct job *job,
                              char text[static BLOCKER_TEXT_MAX]);
/* One of those that blockers_find() returns: it alone says when that ends. NO_NETWORK is none: a name is tried again when there is another
 * network. */
bool blockers_decide(enum error_code code);
/* Fetching @file failed with @code (@detail: errno, if there is one): NO_NETWORK if that is what was missing, else @code. */
enum error_code blockers_judge_failure(const struct conditions *conditions, const struct job_file *file, enum error_code code, uint32_t detail);
/* The job's owner must be there, and is not: it stays QUEUED (design decision 11). Users of the system count as present. */
bool blockers_owner_is_away(const struct conditions *conditions, const struct blocker_policy *policy, uid_t owner);

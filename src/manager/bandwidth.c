/* What the policies about bandwidth allow each class of jobs at this time of the day. A class that may download nothing is one of the
 * conditions that forbid its jobs to run (conditions.c).
 *
 * When the hours end is known beforehand, and is the time of the retry. What nobody knows beforehand (a clock that is set, another
 * time zone) is found by looking again from time to time, while there are jobs that it concerns: a service that has none sleeps. */
#include <stdio.h>

#include "manager/private.h"

/* Time zones and daylight saving move local time by whole quarters of an hour. */
#define QUARTER_USEC (15 * USEC_PER_MINUTE)
#define QUARTERS_LOOKED_AT (26 * 4) /* a day, and what daylight saving adds to it */
#define RUNNING_LOOK_USEC USEC_PER_MINUTE

static const struct bandwidth_policy *policy_of(const struct manager *m, bool foreground) {
        return foreground ? &m->limits.foreground_bandwidth : &m->limits.background_bandwidth;
}

static unsigned percent_at(const struct bandwidth_policy *policy, uint64_t realtime_usec) {
        return bandwidth_percent(policy, policy->hours.is_set ? clock_local_hour(realtime_usec) : 0);
}

bool manager_percentage_holds(const struct manager *m, bool foreground) {
        unsigned percent = percent_at(policy_of(m, foreground), manager_realtime(m));

        return percent > 0 && percent < 100;
}

uint64_t manager_class_rate(const struct manager *m, bool foreground) {
        const struct bandwidth_policy *policy = policy_of(m, foreground);
        unsigned hour = policy->hours.is_set ? clock_local_hour(manager_realtime(m)) : 0;

        return bandwidth_rate(policy, hour, line_wants_look(&m->line) ? 0 : line_capacity(&m->line));
}

static uint64_t until_quarter(const struct manager *m) {
        return QUARTER_USEC - manager_realtime(m) % QUARTER_USEC;
}

static bool is_foreground(const struct job *job) {
        return job->priority == JOB_PRIORITY_FOREGROUND;
}

bool manager_hours_forbid(const struct manager *m, const struct job *job, char text[static BLOCKER_TEXT_MAX]) {
        if (manager_class_rate(m, is_foreground(job)) > 0)
                return false;
        (void) snprintf(text, BLOCKER_TEXT_MAX, "DOSetHoursToLimit%sDownloadBandwidth allows nothing at this time of the day.",
                        is_foreground(job) ? "Foreground" : "Background");
        return true;
}

uint64_t manager_hours_wait(struct manager *m, const struct job *job) {
        const struct bandwidth_policy *policy = policy_of(m, is_foreground(job));
        uint64_t now = manager_realtime(m);

        m->has_blocked = true;
        m->hours_due = MIN(m->hours_due, manager_boottime(m) + until_quarter(m));
        for (uint64_t i = 1; i <= QUARTERS_LOOKED_AT; i++) {
                uint64_t at = (now / QUARTER_USEC + i) * QUARTER_USEC;

                if (percent_at(policy, at) > 0)
                        return at - now;
        }
        return USEC_INFINITY;
}

/* Who waits still, after all were judged? */
static bool any_blocked(const struct manager *m) {
        struct job_run *run;

        DL_FOREACH(m->jobs, run)
                if (run->job->state == JOB_TRANSIENT_ERROR && run->job->error.code == ERROR_BLOCKED_BY_POLICY)
                        return true;
        return false;
}

static bool any_hours(const struct manager *m) {
        return m->limits.foreground_bandwidth.hours.is_set || m->limits.background_bandwidth.hours.is_set;
}

void manager_hours_concern(struct manager *m) {
        uint64_t wait = MIN(until_quarter(m), (uint64_t) RUNNING_LOOK_USEC);

        if (m->n_file_runs > 0 && any_hours(m))
                m->hours_due = MIN(m->hours_due, manager_boottime(m) + wait);
}

void manager_hours_turn(struct manager *m) {
        if (manager_boottime(m) < m->hours_due || m->stopping)
                return;
        m->hours_due = USEC_INFINITY;
        if (m->has_blocked || manager_class_rate(m, true) == 0 || manager_class_rate(m, false) == 0) {
                manager_judge_jobs(m);
                m->has_blocked = any_blocked(m);
        }
        if (m->has_blocked)
                m->hours_due = manager_boottime(m) + until_quarter(m);
        manager_hours_concern(m);
        manager_pace_changed(m);
}

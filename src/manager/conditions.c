/* What the machine's conditions mean for jobs (design decisions 11 and 19). Whom they forbid to transfer is decided in schedule/blockers.h;
 * here it is carried out: such a job goes to TRANSIENT_ERROR with its reason when it runs or is to start, and on again, without waiting for
 * a time, when the reason has ended. Who waits in the queue learns it when its turn comes. */
#include "base/log.h"
#include "manager/private.h"

/* A request that may have had its effect is not broken off: it would not be sent again. */
bool manager_may_stop_job(const struct job *job) {
        return !job->http_method || job_run(job)->n_file_runs == 0;
}

static enum error_code find_blocker(const struct manager *m, const struct job *job, char text[static BLOCKER_TEXT_MAX]) {
        enum error_code code = blockers_find(&m->conditions, &m->limits.blockers, job, text);

        return code == ERROR_NONE && manager_hours_forbid(m, job, text) ? ERROR_BLOCKED_BY_POLICY : code;
}

/* Nothing but this judgement says when such an error ends. */
static bool is_judged_here(enum error_code code) {
        return blockers_decide(code) || code == ERROR_BLOCKED_BY_POLICY;
}

/* Blocked is never given up. */
static void wait_for_end(struct manager *m, struct job *job, enum error_code code) {
        (void) schedule_failed(m->schedule, job, SCHEDULE_BLOCKED, code == ERROR_BLOCKED_BY_POLICY ? manager_hours_wait(m, job) : USEC_INFINITY);
}

static void block(struct manager *m, struct job *job, enum error_code code, const char *text) {
        job_set_error(job, code, code == ERROR_NO_NETWORK ? ERROR_CONTEXT_GENERAL_TRANSPORT : ERROR_CONTEXT_GENERAL_QUEUE_MANAGER, 0,
                      JOB_ERROR_NO_FILE, text);
        wait_for_end(m, job, code);
        if (manager_transition(m, job, JOB_EVENT_TRANSIENT_ERROR) == 0)
                manager_stop_runs(m, job);
}

bool manager_job_may_run(struct manager *m, struct job *job) {
        char text[BLOCKER_TEXT_MAX];
        enum error_code code = find_blocker(m, job, text);

        if (code != ERROR_NONE)
                block(m, job, code, text);
        return code == ERROR_NONE;
}

void manager_judge_presence(struct manager *m, struct job *job) {
        bool away = blockers_owner_is_away(&m->conditions, &m->limits.blockers, job->owner);

        schedule_hold(m->schedule, job, away ? WAITING_LOGON : WAITING_NONE);
}

/* @network_is_back: another network, or one that reaches further. Then all try again, whatever they failed of (api.md 2.1). */
static void judge(struct manager *m, struct job *job, bool network_is_back) {
        char text[BLOCKER_TEXT_MAX];
        enum error_code code;

        if (!job_run(job)->scheduled)
                return;
        manager_judge_presence(m, job);
        if (job->intent != JOB_INTENT_NONE || (job->state != JOB_TRANSFERRING && job->state != JOB_TRANSIENT_ERROR))
                return;
        code = find_blocker(m, job, text);
        if (job->state == JOB_TRANSFERRING) {
                if (code != ERROR_NONE && manager_may_stop_job(job))
                        block(m, job, code, text);
        } else if (code != ERROR_NONE) {
                if (job->error.code != code)
                        block(m, job, code, text);
                else if (code == ERROR_BLOCKED_BY_POLICY)
                        wait_for_end(m, job, code); /* other hours end at another time */
        } else if (network_is_back || is_judged_here(job->error.code))
                schedule_retry_now(m->schedule, job, network_is_back);
}

static void judge_all(struct manager *m, bool network_is_back) {
        struct job_run *run, *tmp;

        DL_FOREACH_SAFE(m->jobs, run, tmp)
                judge(m, run->job, network_is_back);
        m->schedule_dirty = true;
}

void manager_judge_job(struct manager *m, struct job *job) {
        judge(m, job, false);
        m->schedule_dirty = true;
}

void manager_judge_jobs(struct manager *m) {
        judge_all(m, false);
}

int manager_set_conditions(struct manager *m, const struct conditions *conditions) {
        bool network_is_back = conditions->network > m->conditions.network ||
                               (conditions->network == m->conditions.network && conditions->network_serial != m->conditions.network_serial);
        uid_t *present = NULL;

        if (conditions->n_present > 0) {
                present = reallocarray(NULL, conditions->n_present, sizeof(*present));
                if (!present)
                        return -ENOMEM;
                memcpy(present, conditions->present, conditions->n_present * sizeof(*present));
        }
        if (conditions->network_serial != m->conditions.network_serial) {
                m->line = (struct line) {}; /* it was another one that was measured */
                lessons_done(&m->lessons);
        }
        free(m->present);
        m->present = present;
        m->conditions = *conditions;
        m->conditions.present = present;
        judge_all(m, network_is_back);
        return 0;
}

const struct conditions *manager_get_conditions(const struct manager *m) {
        return &m->conditions;
}

void manager_forget_conditions(struct manager *m) {
        m->conditions = CONDITIONS_UNKNOWN;
        free(m->present);
        m->present = NULL;
}

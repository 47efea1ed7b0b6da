/* Whose turn it is: carries out what the scheduler decides, and keeps files moving for each job that has its turn. */
#include "manager/private.h"

void manager_leave_starved(struct job_run *run) {
        if (!run->starved)
                return;
        run->starved = false;
        DL_DELETE2(run->manager->starved, run, starved_prev, starved_next);
}

/* Those on the list that can take nothing any more (suspended, out of turn) wake nobody when they end: all are asked for whom there is a
 * place. A file that fails at once comes back here, and the loop that is running goes on with what it left. */
void manager_feed_starved(struct manager *m) {
        if (m->feeding)
                return;
        m->feeding = true;
        while (m->starved && m->n_file_runs < m->max_file_runs) {
                struct job_run *run = m->starved;

                manager_leave_starved(run);
                manager_pump_job(m, run->job);
        }
        m->feeding = false;
}

static void enter_starved(struct manager *m, struct job_run *run) {
        if (run->starved)
                return;
        run->starved = true;
        DL_APPEND2(m->starved, run, starved_prev, starved_next);
}

static bool has_work(const struct job *job) {
        for (size_t i = 0; i < job->n_files; i++)
                if (job_file_has_work(job->files[i]))
                        return true;
        return false;
}

static bool may_take(const struct job_run *run, size_t n) {
        return run->n_file_runs + n <= FILES_IN_FLIGHT_PER_JOB &&
               run->n_file_runs - run->n_fetched_runs + n <= FILES_FETCHING_PER_JOB;
}

void manager_pump_job(struct manager *m, struct job *job) {
        struct job_run *run = job_run(job);

        if (job->state != JOB_TRANSFERRING || job->intent != JOB_INTENT_NONE || m->stopping || manager_awaits_judge(job))
                return;
        if (run->pumping) {
                run->pump_again = true;
                return;
        }
        /* Whatever ends next asks again. To look for another one where each has come or is under way would be to look at all of them. */
        if (run->n_file_runs > 0 && (!may_take(run, FILES_TAKEN_AT_ONCE) || job->n_files_transferred + run->n_file_runs >= job->n_files))
                return;
        run->pumping = true;
        do {
                run->pump_again = false;
                for (size_t seen = 0; seen < job->n_files && may_take(run, 1); seen++) {
                        struct job_file *file = job->files[run->next_file % job->n_files];

                        run->next_file = (uint32_t)((run->next_file + 1) % job->n_files);
                        if (file->attachment || !job_file_has_work(file) || !manager_may_start_file(file) ||
                            run->n_file_runs > manager_files_beside(file))
                                continue;
                        if (m->n_file_runs >= m->max_file_runs) {
                                run->next_file = file->index;
                                enter_starved(m, run);
                                break;
                        }
                        if (file_run_start(m, file) < 0)
                                break;
                        if (job->state != JOB_TRANSFERRING || job->intent != JOB_INTENT_NONE)
                                break;
                }
        } while (run->pump_again && job->state == JOB_TRANSFERRING && job->intent == JOB_INTENT_NONE);
        run->pumping = false;
        if (job->state != JOB_TRANSFERRING || run->n_file_runs > 0)
                return;
        if (job_is_complete(job))
                manager_job_all_transferred(m, job);
        else if (job->on_demand && !has_work(job))
                (void) manager_transition(m, job, JOB_EVENT_SUSPEND); /* until more is wanted */
}

void manager_stop_runs(struct manager *m _unused_, struct job *job) {
        if (job_run(job)->n_file_runs == 0)
                return;
        for (size_t i = 0; i < job->n_files; i++) {
                struct file_run *run = job->files[i]->attachment;

                if (!run || run->stop)
                        continue;
                file_run_stop(run);
        }
}

void manager_job_all_transferred(struct manager *m, struct job *job) {
        if (manager_transition(m, job, JOB_EVENT_ALL_TRANSFERRED) != 0)
                return;
        if (job->complete_when_transferred && !job_run(job)->op)
                manager_start_op(m, job, JOB_INTENT_COMPLETE, false, (struct reply) {});
}

void manager_fail_job(struct manager *m, struct job *job, enum error_code code, enum error_context context, uint32_t detail,
                      uint32_t file_index, bool transient, uint64_t retry_after_usec, const char *text) {
        enum job_event event = JOB_EVENT_FATAL_ERROR;
        uint64_t poll_usec = BLOCKED_POLL_USEC;
        bool blocked;

        if (job_state_is_final(job->state))
                return; /* how it ended is in the history already */
        if (transient && file_index < job->n_files)
                code = blockers_judge_failure(&m->conditions, job->files[file_index], code, detail);
        if (code == ERROR_NO_NETWORK) /* another one is told; only what is next door comes unnoticed */
                poll_usec = m->conditions.network == NETWORK_LOCAL ? NEIGHBOURS_POLL_USEC : USEC_INFINITY;
        blocked = job_error_is_blocked_cause(code);

        /* Fewer at once fit; without this the same number would be tried again, and fail again. */
        if (code == ERROR_TOO_MANY_OPEN_FILES)
                m->max_file_runs = MAX(m->n_file_runs / 2, (size_t) FILES_IN_FLIGHT_MIN);
        job_set_error(job, code, context, detail, file_index, text);
        /* A local file error is fatal unless its cause ends by itself; a remote one as the engine judged it. */
        if (job->http_method && context != ERROR_CONTEXT_SERVER_CERTIFICATE_CALLBACK)
                blocked = transient = false; /* a request that may have had its effect is not sent again by itself */
        /* One that is being ended is not tried again. */
        if (job_run(job)->scheduled && (blocked || (transient && context != ERROR_CONTEXT_LOCAL_FILE))) {
                enum schedule_verdict verdict = schedule_failed(m->schedule, job, blocked ? SCHEDULE_BLOCKED : SCHEDULE_TRANSIENT,
                                                                blocked ? poll_usec : retry_after_usec);

                if (verdict == SCHEDULE_RETRY_LATER)
                        event = JOB_EVENT_TRANSIENT_ERROR;
        }
        if (manager_transition(m, job, event) != 0)
                return;
        manager_save_job(m, job);
        manager_stop_runs(m, job);
}

/* ---- the scheduler's decisions ---- */

static void carry_out(struct manager *m, const struct schedule_decision *decision) {
        struct job *job = decision->job;

        switch (decision->action) {
        case SCHEDULE_START:
                if (job_is_complete(job))
                        manager_job_all_transferred(m, job);
                else if (manager_job_may_run(m, job) && manager_transition(m, job, JOB_EVENT_START) == 0)
                        manager_pump_job(m, job);
                break;
        case SCHEDULE_YIELD:
                /* The scheduler has it out of its lanes all the same: whatever it becomes next, it waits then. */
                if (manager_may_stop_job(job) && manager_transition(m, job, JOB_EVENT_YIELD) == 0) {
                        job_set_waiting(job, decision->reason, manager_realtime(m));
                        manager_save_job(m, job);
                        manager_stop_runs(m, job);
                }
                break;
        case SCHEDULE_RETRY:
                (void) manager_transition(m, job, JOB_EVENT_RETRY);
                break;
        case SCHEDULE_NO_PROGRESS:
                job_set_error(job, ERROR_NO_PROGRESS, ERROR_CONTEXT_GENERAL_TRANSPORT, 0, JOB_ERROR_NO_FILE,
                              job->error.code != ERROR_NONE ? job->error.text : "");
                if (manager_transition(m, job, JOB_EVENT_FATAL_ERROR) == 0)
                        manager_stop_runs(m, job);
                break;
        case SCHEDULE_MAX_TIME:
                job_set_error(job, ERROR_MAX_DOWNLOAD_TIME, ERROR_CONTEXT_GENERAL_QUEUE_MANAGER, 0, JOB_ERROR_NO_FILE, "");
                if (manager_transition(m, job, JOB_EVENT_FATAL_ERROR) == 0)
                        manager_stop_runs(m, job);
                break;
        case SCHEDULE_EXPIRE:
                manager_start_op(m, job, JOB_INTENT_CANCEL, true, (struct reply) {});
                break;
        case SCHEDULE_WAIT:
                job_set_waiting(job, decision->reason, manager_realtime(m));
                manager_job_changed(m, job, false);
                break;
        }
}

void manager_run_schedule(struct manager *m) {
        struct schedule_decision decisions[64];
        size_t n;

        m->schedule_dirty = false;
        if (m->stopping)
                return;
        if (manager_boottime(m) < m->held_until_boottime) {
                m->schedule_dirty = true;
                return;
        }
        if (m->held)
                manager_go_on(m);
        while ((n = schedule_decide(m->schedule, decisions, ELEMENTSOF(decisions))) > 0)
                for (size_t i = 0; i < n; i++)
                        if (job_run(decisions[i].job)->scheduled)
                                carry_out(m, &decisions[i]);
}

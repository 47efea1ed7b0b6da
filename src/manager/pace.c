/* How fast each running request may be: the limits of the classes divided among their jobs, each job's part among its requests, and
 * whether somebody waits for it. The engine is told what changed. While any limit holds, it is divided anew each second, by what was
 * used meanwhile; while none does, nothing here runs. */
#include "manager/private.h"

#define PACE_INTERVAL_USEC USEC_PER_SEC
#define PACE_MEASURED_USEC (PACE_INTERVAL_USEC / 2) /* bytes of less time than this say nothing yet */

static bool is_foreground(const struct job *job) {
        return job->priority == JOB_PRIORITY_FOREGROUND;
}

static uint64_t class_rate(const struct manager *m, bool foreground) {
        return (foreground ? m->limits.foreground_rate : m->limits.background_rate) ?: SHARE_UNLIMITED;
}

static uint64_t own_rate(const struct job *job) {
        return job->max_rate ?: SHARE_UNLIMITED;
}

/* Until the division at the end of this turn knows better. */
struct engine_pace manager_first_pace(struct manager *m, const struct job *job) {
        uint64_t rate = class_rate(m, is_foreground(job));

        if (rate != SHARE_UNLIMITED)
                rate = rate / (m->n_file_runs + 1) + 1;
        rate = MIN(rate, own_rate(job));
        if (rate != SHARE_UNLIMITED)
                manager_pace_changed(m);
        return (struct engine_pace) { .foreground = is_foreground(job), .max_rate = rate };
}

void manager_pace_changed(struct manager *m) {
        m->pace_due = 0;
}

/* @counter: bytes so far. Smoothed: reports come in pieces. */
static void measure(struct paced *paced, uint64_t counter, uint64_t elapsed_usec) {
        uint64_t bytes = counter - MIN(paced->counted, counter);
        uint64_t rate = (uint64_t) ((double) bytes * (double) USEC_PER_SEC / (double) elapsed_usec);
        struct share *share = &paced->share;

        share->measured_rate = share->granted_rate == 0 ? rate : (2 * share->measured_rate + rate) / 3;
        paced->counted = counter;
}

static bool run_is_paced(const struct file_run *run) {
        return run->file && run->requests && !run->stop;
}

/* The jobs that have requests. Return: how many; the caller frees the list. */
static size_t collect_jobs(struct manager *m, struct job_run ***ret) {
        struct file_run *run;
        size_t n = 0;

        *ret = calloc(m->n_file_runs + 1, sizeof(**ret));
        if (!*ret)
                return 0;
        DL_FOREACH(m->file_runs, run)
                if (run_is_paced(run) && !job_run(run->file->job)->is_paced) {
                        (*ret)[n++] = job_run(run->file->job);
                        (*ret)[n - 1]->is_paced = true;
                }
        for (size_t i = 0; i < n; i++)
                (*ret)[i]->is_paced = false;
        return n;
}

/* Return: something of the class is limited. */
static bool divide_class(struct manager *m, bool foreground, struct job_run *const *jobs, size_t n_jobs, struct share *shares) {
        uint64_t rate = class_rate(m, foreground);
        bool limited = rate != SHARE_UNLIMITED;
        size_t n = 0;

        for (size_t i = 0; i < n_jobs; i++) {
                if (is_foreground(jobs[i]->job) != foreground)
                        continue;
                jobs[i]->pace.share.max_rate = own_rate(jobs[i]->job);
                limited = limited || jobs[i]->job->max_rate > 0;
                shares[n++] = jobs[i]->pace.share;
        }
        if (n == 0)
                return false;
        shares_divide(rate, shares, n);
        n = 0;
        for (size_t i = 0; i < n_jobs; i++)
                if (is_foreground(jobs[i]->job) == foreground)
                        jobs[i]->pace.share = shares[n++];
        return limited;
}

static void divide_job(struct manager *m, struct job_run *job, struct share *shares) {
        struct file_request *request;
        struct file_run *run;
        size_t n = 0;

        DL_FOREACH(m->file_runs, run)
                if (run_is_paced(run) && job_run(run->file->job) == job)
                        DL_FOREACH(run->requests, request) {
                                request->pace.share.max_rate = SHARE_UNLIMITED;
                                shares[n++] = request->pace.share;
                        }
        shares_divide(job->pace.share.granted_rate, shares, n);
        n = 0;
        DL_FOREACH(m->file_runs, run)
                if (run_is_paced(run) && job_run(run->file->job) == job)
                        DL_FOREACH(run->requests, request) {
                                request->pace.share = shares[n++];
                                request->told_pace.foreground = is_foreground(job->job);
                                request->told_pace.max_rate = request->pace.share.granted_rate;
                                request->told_pace.hold_at = file_run_hold_at(run);
                                engine_set_pace(m->engine, request->id, &request->told_pace);
                        }
}

static void measure_all(struct manager *m, struct job_run *const *jobs, size_t n_jobs, uint64_t elapsed) {
        struct file_request *request;
        struct file_run *run;

        for (size_t i = 0; i < n_jobs; i++)
                measure(&jobs[i]->pace, jobs[i]->job->bytes_fetched, elapsed);
        DL_FOREACH(m->file_runs, run)
                if (run_is_paced(run))
                        DL_FOREACH(run->requests, request)
                                measure(&request->pace, request->fetched, elapsed);
}

void manager_pace_turn(struct manager *m) {
        _cleanup_free_ struct job_run **jobs = NULL;
        _cleanup_free_ struct share *shares = NULL;
        uint64_t now = manager_boottime(m), elapsed = now - m->paced_at;
        bool limited;
        size_t n;

        if (now < m->pace_due)
                return;
        n = collect_jobs(m, &jobs);
        shares = calloc(MAX((size_t) HASH_COUNT(m->by_request), m->n_file_runs) + 1, sizeof(*shares));
        m->pace_due = now + PACE_INTERVAL_USEC;
        if (!jobs || !shares)
                return; /* no memory: the old rates hold a second longer */
        if (elapsed >= PACE_MEASURED_USEC) {
                measure_all(m, jobs, n, elapsed);
                m->paced_at = now;
        }
        limited = divide_class(m, true, jobs, n, shares);
        limited = divide_class(m, false, jobs, n, shares) || limited;
        for (size_t i = 0; i < n; i++)
                divide_job(m, jobs[i], shares);
        if (!limited)
                m->pace_due = USEC_INFINITY;
}

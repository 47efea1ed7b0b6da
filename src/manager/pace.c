/* How fast each running request may be: the limits of the classes divided among their jobs, each job's part among its requests, and
 * whether somebody waits for it. The engine is told what changed. While any limit holds, it is divided anew each second, by what was
 * used meanwhile; while none does, nothing here runs. While a percentage of the line holds, the line is measured here, too. */
#include "manager/private.h"

#define PACE_INTERVAL_USEC USEC_PER_SEC
#define PACE_MEASURED_USEC (PACE_INTERVAL_USEC / 2) /* bytes of less time than this say nothing yet */
#define PACE_REPORT_USEC (100 * USEC_PER_MSEC)      /* engines report about ten times a second: what they report first took so long */
#define PACE_STALE_USEC (5 * PACE_INTERVAL_USEC)    /* and of more time, nothing any more: there was none to look at */

static bool is_foreground(const struct job *job) {
        return job->priority == JOB_PRIORITY_FOREGROUND;
}

static uint64_t own_rate(const struct job *job) {
        return job->max_rate ?: SHARE_UNLIMITED;
}

/* Until the division at the end of this turn knows better. */
struct engine_pace manager_first_pace(struct manager *m, const struct job *job) {
        uint64_t rate = manager_class_rate(m, is_foreground(job));
        bool limited = manager_percentage_holds(m, is_foreground(job));

        if (rate != SHARE_UNLIMITED)
                rate = rate / (m->n_file_runs + 1) + 1;
        rate = MIN(rate, own_rate(job));
        if (limited || rate != SHARE_UNLIMITED)
                manager_pace_changed(m);
        manager_hours_concern(m);
        return (struct engine_pace) { .foreground = is_foreground(job), .max_rate = rate };
}

void manager_pace_changed(struct manager *m) {
        m->pace_due = 0;
}

/* @counter: bytes so far. */
static void measure(struct paced *paced, uint64_t counter, uint64_t elapsed_usec) {
        uint64_t bytes = counter - MIN(paced->counted, counter);

        share_measured(&paced->share, (uint64_t) ((double) bytes * (double) USEC_PER_SEC / (double) elapsed_usec));
        paced->counted = counter;
}

static bool run_is_paced(const struct file_run *run) {
        return run->file && run->requests && !run->stop;
}

/* False: no memory, its requests go on at the rates that they have. */
static bool job_has_pace(struct job_run *job) {
        if (!job->pace)
                job->pace = calloc(1, sizeof(*job->pace));
        return job->pace;
}

/* The jobs that have requests. Return: how many; the caller frees the list. */
static size_t collect_jobs(struct manager *m, struct job_run ***ret) {
        struct file_run *run;
        size_t n = 0;

        *ret = calloc(m->n_file_runs + 1, sizeof(**ret));
        if (!*ret)
                return 0;
        DL_FOREACH(m->file_runs, run)
                if (run_is_paced(run) && !job_run(run->file->job)->is_paced && job_has_pace(job_run(run->file->job))) {
                        (*ret)[n++] = job_run(run->file->job);
                        (*ret)[n - 1]->is_paced = true;
                }
        for (size_t i = 0; i < n; i++)
                (*ret)[i]->is_paced = false;
        return n;
}

/* ---- percentages ---- */

static struct class_pace *class_pace(struct manager *m, bool foreground) {
        return foreground ? &m->foreground_pace : &m->background_pace;
}

void manager_pace_fetched(struct manager *m, const struct job *job, uint64_t bytes) {
        struct class_pace *pace = class_pace(m, is_foreground(job));

        if (pace->bytes == pace->counted)
                pace->first_at = manager_boottime(m);
        pace->bytes += bytes;
}

/* What the class may have until the next turn. */
static uint64_t pay_debt(struct manager *m, bool foreground, uint64_t elapsed) {
        struct class_pace *pace = class_pace(m, foreground);
        uint64_t rate = MAX(manager_class_rate(m, foreground), UINT64_C(1)); /* 0: it is being stopped */

        if (!manager_percentage_holds(m, foreground)) {
                pace->debt = (struct bandwidth_debt) {};
                return rate;
        }
        return line_wants_look(&m->line) ? rate : bandwidth_debt_pay(&pace->debt, rate, elapsed > 0 ? pace->recent : 0, elapsed);
}

static void measure_class(struct class_pace *pace, uint64_t now, uint64_t elapsed) {
        bool goes_on = pace->recent > 0;

        pace->recent = pace->bytes - pace->counted;
        pace->counted = pace->bytes;
        if (pace->recent == 0)
                pace->recent_usec = 0;
        else
                pace->recent_usec = goes_on ? elapsed : MIN(elapsed, now - pace->first_at + PACE_REPORT_USEC);
}

/* What came since the last turn says something of the line. */
static void measure_line(struct manager *m, uint64_t now, uint64_t elapsed) {
        struct class_pace *foreground = &m->foreground_pace, *background = &m->background_pace;
        bool held = manager_percentage_holds(m, true) || manager_percentage_holds(m, false);

        measure_class(foreground, now, elapsed);
        measure_class(background, now, elapsed);
        if (elapsed > PACE_STALE_USEC) {
                foreground->debt = background->debt = (struct bandwidth_debt) {};
                return;
        }
        if (held && line_wants_look(&m->line)) {
                bandwidth_debt_look(&foreground->debt, foreground->recent, foreground->recent_usec);
                bandwidth_debt_look(&background->debt, background->recent, background->recent_usec);
                held = false;
        }
        line_note(&m->line, foreground->recent + background->recent, MAX(foreground->recent_usec, background->recent_usec), held);
}

/* ---- division ---- */

/* @elapsed: since the last turn that measured, if this one did. Return: something of the class is limited. */
static bool divide_class(struct manager *m, bool foreground, uint64_t elapsed, struct job_run *const *jobs, size_t n_jobs,
                         struct share *shares) {
        uint64_t rate = pay_debt(m, foreground, elapsed);
        bool limited = rate != SHARE_UNLIMITED || manager_percentage_holds(m, foreground);
        size_t n = 0;

        for (size_t i = 0; i < n_jobs; i++) {
                if (is_foreground(jobs[i]->job) != foreground)
                        continue;
                jobs[i]->pace->share.max_rate = own_rate(jobs[i]->job);
                limited = limited || jobs[i]->job->max_rate > 0;
                shares[n++] = jobs[i]->pace->share;
        }
        if (n == 0)
                return false;
        shares_divide(rate, shares, n);
        n = 0;
        for (size_t i = 0; i < n_jobs; i++)
                if (is_foreground(jobs[i]->job) == foreground)
                        jobs[i]->pace->share = shares[n++];
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
        shares_divide(job->pace->share.granted_rate, shares, n);
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
                measure(jobs[i]->pace, jobs[i]->job->bytes_fetched, elapsed);
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
                measure_line(m, now, elapsed);
                measure_all(m, jobs, n, elapsed);
                m->paced_at = now;
        } else
                elapsed = 0;
        limited = divide_class(m, true, elapsed, jobs, n, shares);
        limited = divide_class(m, false, elapsed, jobs, n, shares) || limited;
        for (size_t i = 0; i < n; i++)
                divide_job(m, jobs[i], shares);
        if (!limited)
                m->pace_due = USEC_INFINITY;
}

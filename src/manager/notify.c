/* Callbacks to programs: at least once, again after a program died, and again until S_OK (api.md 2.2).
 *
 * job->notify_due is stored: what is due outlives service and program. Who gets it (the notifier) does not. One event is out at a time;
 * a refused one comes again with growing delay, and at once to whoever registers next. */
#include "manager/private.h"

static void wake_at(struct manager *m, uint64_t at) {
        m->notify_at = MIN(m->notify_at, at);
}

static void deliver(struct job_run *run, uint32_t event) {
        run->notify.notifier->deliver(run->notify.userdata, run->job, event);
}

void manager_notify(struct manager *m, struct job *job) {
        struct job_run *run = job_run(job);
        struct notify_state *notify = &run->notify;
        uint32_t due = job->notify_due & job->notify_flags;

        if (!notify->notifier || notify->in_flight || due == 0 || (job->notify_flags & JOB_NOTIFY_DISABLE))
                return;
        if (notify->retry_at != USEC_INFINITY && notify->retry_at > manager_boottime(m)) {
                wake_at(m, notify->retry_at);
                return;
        }
        if (manager_job_is_dirty(m, job))
                return; /* the commit's change event comes back here */
        notify->in_flight = due & JOB_NOTIFY_ERROR ? JOB_NOTIFY_ERROR : JOB_NOTIFY_TRANSFERRED;
        deliver(run, notify->in_flight);
}

void manager_notify_modified(struct manager *m, struct job *job) {
        struct notify_state *notify = &job_run(job)->notify;

        if (!notify->notifier || !(job->notify_flags & JOB_NOTIFY_MODIFICATION) || (job->notify_flags & JOB_NOTIFY_DISABLE))
                return;
        if (!notify->modified) {
                notify->modified = true;
                notify->modified_at = u64_add_saturated(manager_boottime(m), job->notification_interval_ms * USEC_PER_MSEC);
        }
        wake_at(m, notify->modified_at);
}

void manager_notify_turn(struct manager *m) {
        uint64_t now = manager_boottime(m);
        struct job_run *run, *tmp;

        if (now < m->notify_at)
                return;
        m->notify_at = USEC_INFINITY;
        DL_FOREACH_SAFE(m->jobs, run, tmp) {
                struct notify_state *notify = &run->notify;

                if (!notify->notifier)
                        continue;
                if (notify->modified && notify->modified_at <= now && !manager_job_is_dirty(m, run->job)) {
                        notify->modified = false;
                        deliver(run, JOB_NOTIFY_MODIFICATION);
                } else if (notify->modified)
                        wake_at(m, MAX(notify->modified_at, now + 10 * USEC_PER_MSEC));
                manager_notify(m, run->job);
        }
}

void manager_set_notifier(struct manager *m, struct job *job, const struct manager_notifier *notifier, void *userdata) {
        struct notify_state *notify = &job_run(job)->notify;

        *notify = (struct notify_state) {
                .notifier = notifier,
                .userdata = userdata,
                .retry_at = USEC_INFINITY,
                .modified_at = USEC_INFINITY,
        };
        if (notifier)
                manager_notify(m, job);
}

void *manager_get_notifier(const struct manager *m _unused_, const struct job *job) {
        const struct job_run *run = job_run(job);

        return run->notify.notifier ? run->notify.userdata : NULL;
}

void manager_notified(struct manager *m, const struct guid *id, uint32_t event, bool ok) {
        struct job_run *run;
        struct notify_state *notify;
        uint64_t delay;

        HASH_FIND(hh, m->by_id, id, sizeof(*id), run);
        if (!run || run->finished)
                return;
        notify = &run->notify;
        if (notify->in_flight != event)
                return; /* an answer to what an earlier registration was given */
        notify->in_flight = 0;
        if (ok) {
                notify->failures = 0;
                notify->retry_at = USEC_INFINITY;
                run->job->notify_due &= ~event;
                manager_save_job(m, run->job);
                return;
        }
        delay = NOTIFY_RETRY_FIRST_USEC << MIN(notify->failures, 16U);
        notify->failures++;
        notify->retry_at = u64_add_saturated(manager_boottime(m), MIN(delay, NOTIFY_RETRY_MAX_USEC));
        wake_at(m, notify->retry_at);
}

/* Callbacks to programs: at least once, again after a program died, and again until S_OK (api.md 2.2).
 *
 * job->notify_due and file->notify_due are stored: what is due outlives service and program. Who gets it (the notifier) does not. One
 * event is out at a time; a refused one comes again with growing delay, and at once to whoever registers next. Files are told before the
 * job, unless the program refuses them. */
#include "base/log.h"
#include "manager/private.h"

void manager_notify_wake(struct manager *m, uint64_t at) {
        m->notify_at = MIN(m->notify_at, at);
}

bool manager_notice_is_wanted(const struct job *job, uint32_t event) {
        return (job->notify_flags & event) && !(job->notify_flags & JOB_NOTIFY_DISABLE);
}

static bool is_about_a_file(uint32_t event) {
        return event & (JOB_NOTIFY_FILE_TRANSFERRED | JOB_NOTIFY_FILE_RANGES_TRANSFERRED);
}

bool manager_notify_may_go(struct manager *m, const struct notify_retry *retry) {
        /* After a store failure, too: that it was taken could not be recorded, and it would come again at once. */
        uint64_t at = MAX(retry->at, m->held_until_boottime);

        if (at <= manager_boottime(m))
                return true;
        manager_notify_wake(m, at);
        return false;
}

/* The next one that is due, round and round. NULL: none. */
static struct job_file *next_due_file(struct job_run *run) {
        struct job *job = run->job;

        if (job->n_files_notify_due == 0)
                return NULL;
        for (size_t seen = 0; seen < job->n_files; seen++) {
                struct job_file *file = job->files[run->notify->next_file++ % job->n_files];

                if (file->notify_due)
                        return file;
        }
        return NULL;
}

/* What is there since the last telling goes along with the notice; a refused one puts it back. NULL: nothing. */
static struct job_file *next_untold_file(struct job_run *run) {
        struct job *job = run->job;

        for (size_t seen = 0; job->on_demand && seen < job->n_files; seen++) {
                struct job_file *file = job->files[run->notify->next_file++ % job->n_files];

                if (file->untold.n_items == 0)
                        continue;
                run->notify->told = file->untold;
                file->untold = (struct intervals) {};
                return file;
        }
        return NULL;
}

static void untell(struct job_run *run) {
        struct notify_state *notify = run->notify;

        if (!notify)
                return;
        if (notify->in_flight == JOB_NOTIFY_FILE_RANGES_TRANSFERRED &&
            intervals_add_all(&run->job->files[notify->in_flight_file]->untold, &notify->told) < 0)
                log_debug("no memory: some ranges will not be told again");
        intervals_done(&notify->told);
        notify->told = (struct intervals) {};
}

void manager_forget_notifier(struct job_run *run) {
        if (run->notify)
                intervals_done(&run->notify->told);
        free(run->notify);
        run->notify = NULL;
}

static struct manager_notice next_notice(struct manager *m, struct job_run *run) {
        struct job *job = run->job;
        struct notify_state *notify = run->notify;
        struct job_file *file = NULL;

        if (manager_notice_is_wanted(job, JOB_NOTIFY_FILE_TRANSFERRED) && job->n_files_notify_due > 0 &&
            manager_notify_may_go(m, &notify->file_retry))
                file = next_due_file(run);
        if (file)
                return (struct manager_notice) { .event = JOB_NOTIFY_FILE_TRANSFERRED, .file = file };
        if (manager_notice_is_wanted(job, JOB_NOTIFY_FILE_RANGES_TRANSFERRED) && manager_notify_may_go(m, &notify->file_retry))
                file = next_untold_file(run);
        if (file)
                return (struct manager_notice) {
                        .event = JOB_NOTIFY_FILE_RANGES_TRANSFERRED, .file = file, .ranges = &notify->told
                };
        for (uint32_t event = JOB_NOTIFY_ERROR; event != 0; event >>= 1) /* JOB_NOTIFY_TRANSFERRED is the bit below */
                if ((job->notify_due & event) && manager_notice_is_wanted(job, event) && manager_notify_may_go(m, &notify->job_retry))
                        return (struct manager_notice) { .event = event };
        return (struct manager_notice) {};
}

static uint32_t round_of(const struct job *job, uint32_t event, uint32_t index) {
        return is_about_a_file(event) ? job->files[index]->notify_round : job->notify_round;
}

static void call_back(struct manager *m, struct job *job) {
        struct job_run *run = job_run(job);
        struct notify_state *notify = run->notify;
        struct manager_notice notice;

        if (!notify || notify->in_flight || (job->notify_due == 0 && job->n_files_notify_due == 0 && !job->on_demand))
                return;
        if (manager_job_is_dirty(m, job)) {
                /* or the commit's change event comes first */
                manager_notify_wake(m, u64_add_saturated(manager_boottime(m), DIRTY_POLL_USEC));
                return;
        }
        notice = next_notice(m, run);
        if (notice.event == 0)
                return;
        notify->in_flight = notice.event;
        notify->in_flight_file = notice.file ? notice.file->index : 0;
        notify->in_flight_round = round_of(job, notice.event, notify->in_flight_file);
        notify->notifier->deliver(notify->userdata, job, &notice);
}

void manager_notify(struct manager *m, struct job *job) {
        call_back(m, job);
        manager_notify_command(m, job);
}

void manager_notify_modified(struct manager *m, struct job *job) {
        struct notify_state *notify = job_run(job)->notify;

        if (!notify || !manager_notice_is_wanted(job, JOB_NOTIFY_MODIFICATION))
                return;
        if (!notify->modified) {
                notify->modified = true;
                notify->modified_at = u64_add_saturated(manager_boottime(m), job->notification_interval_ms * USEC_PER_MSEC);
        }
        manager_notify_wake(m, notify->modified_at);
}

void manager_notify_turn(struct manager *m) {
        uint64_t now = manager_boottime(m);
        struct job_run *run, *tmp;

        if (now < m->notify_at)
                return;
        m->notify_at = USEC_INFINITY;
        DL_FOREACH_SAFE(m->jobs, run, tmp) {
                struct notify_state *notify = run->notify;
                bool modified = notify && notify->modified;

                if (modified && notify->modified_at <= now && !manager_job_is_dirty(m, run->job)) {
                        notify->modified = false;
                        notify->notifier->deliver(notify->userdata, run->job,
                                                  &(struct manager_notice){ .event = JOB_NOTIFY_MODIFICATION });
                } else if (modified)
                        manager_notify_wake(m, MAX(notify->modified_at, now + DIRTY_POLL_USEC));
                manager_notify(m, run->job);
        }
}

int manager_set_notifier(struct manager *m, struct job *job, const struct manager_notifier *notifier, void *userdata) {
        struct job_run *run = job_run(job);
        struct notify_state *notify = NULL;

        if (notifier) {
                notify = malloc(sizeof(*notify));
                if (!notify)
                        return -ENOMEM;
                *notify = (struct notify_state) {
                        .notifier = notifier,
                        .userdata = userdata,
                        .modified_at = USEC_INFINITY,
                };
        }
        untell(run);
        manager_forget_notifier(run);
        run->notify = notify;
        manager_notify(m, job); /* without one it is the command's turn */
        return 0;
}

void *manager_get_notifier(const struct manager *m _unused_, const struct job *job) {
        const struct job_run *run = job_run(job);

        return run->notify ? run->notify->userdata : NULL;
}

static void taken(struct manager *m, struct job *job, const struct notify_state *notify, uint32_t event) {
        uint32_t index = notify->in_flight_file;

        if (round_of(job, event, index) != notify->in_flight_round)
                return; /* it happened again before the program had answered */
        if (!is_about_a_file(event)) {
                job->notify_due &= ~event;
                manager_save_job(m, job);
                return;
        }
        if (event == JOB_NOTIFY_FILE_RANGES_TRANSFERRED)
                return; /* is told again after a restart of the service */
        job_file_notify_taken(job->files[index]);
        manager_save_file_quietly(m, job->files[index]);
}

void manager_notify_refused(struct manager *m, struct notify_retry *retry, uint64_t least_usec) {
        uint64_t delay = NOTIFY_RETRY_FIRST_USEC << MIN(retry->failures, 16U);

        retry->failures++;
        retry->at = u64_add_saturated(manager_boottime(m), MAX(MIN(delay, NOTIFY_RETRY_MAX_USEC), least_usec));
        manager_notify_wake(m, retry->at);
}

void manager_notified(struct manager *m, const struct guid *id, uint32_t event, bool ok) {
        struct job_run *run;
        struct notify_state *notify;
        struct notify_retry *retry;

        HASH_FIND(hh, m->by_id, id, sizeof(*id), run);
        if (!run || job_state_is_final(run->job->state))
                return; /* what it was about is being removed: recording the answer would bring it back */
        notify = run->notify;
        if (!notify || notify->in_flight != event)
                return; /* an answer to what an earlier registration was given */
        if (!ok)
                untell(run);
        notify->in_flight = 0;
        intervals_clear(&notify->told);
        retry = is_about_a_file(event) ? &notify->file_retry : &notify->job_retry;
        if (ok) {
                *retry = (struct notify_retry) {};
                taken(m, run->job, notify, event);
        } else
                manager_notify_refused(m, retry, 0);
        manager_notify(m, run->job);
}

/* Copies of the database, once a day while there is something to do, and what becomes of jobs that come from one.
 *
 * A backup does not know what happened after it. Its jobs may have ended since: an acknowledged Complete is not to be repeated over what
 * somebody made of the files, a Cancel not to be undone. The proof that a job has not ended is a temp file of it, by its random name:
 * Complete renames them all, Cancel removes them. So a restored job begins with those files, and stops with an error at one that is gone,
 * or when it has none; then its owner decides. What is in a temp file only hashes tell (job/job.h: INO_UNKNOWN). */
#include "base/log.h"
#include "manager/private.h"

#define BACKUP_INTERVAL_USEC USEC_PER_DAY
#define BACKUP_FIRST_USEC USEC_PER_HOUR /* after the start, while there is none */
#define BACKUP_RETRY_USEC USEC_PER_HOUR

static void backup_done(int error, void *userdata) {
        struct manager *m = userdata;

        m->backup_running = false;
        if (error == 0)
                return;
        m->backup_after_boottime = u64_add_saturated(manager_boottime(m), BACKUP_RETRY_USEC);
        if (error == -EUCLEAN)
                log_error("a backup of the state is damaged, and so is the state: older backups are kept");
        else
                log_warning("the state cannot be backed up: %s", strerror(-error));
}

void manager_backup_if_due(struct manager *m) {
        uint64_t last = store_backup_time(m->store), now = manager_realtime(m);

        if (m->backup_running || m->stopping || manager_boottime(m) < m->backup_after_boottime)
                return;
        /* A clock that was set back makes it due, too. */
        if (last > 0 && last <= now && now - last < BACKUP_INTERVAL_USEC)
                return;
        m->backup_running = store_backup(m->store, now, backup_done, m) == 0;
}

void manager_backups_begin(struct manager *m) {
        /* Jobs that outlived a run are worth one at once. */
        if (!m->jobs)
                m->backup_after_boottime = u64_add_saturated(manager_boottime(m), BACKUP_FIRST_USEC);
        else
                manager_backup_if_due(m);
}

/* ---- restored jobs ---- */

static bool has_begun_file(const struct job *job) {
        for (size_t i = 0; i < job->n_files; i++)
                if (job->files[i]->state == FILE_PENDING && job->files[i]->temp.ino != 0)
                        return true;
        return false;
}

static void refuse(struct manager *m, struct job *job, uint32_t file_index) {
        manager_fail_job(m, job, ERROR_DESTINATION_CHANGED, ERROR_CONTEXT_LOCAL_FILE, 0, file_index, false, 0,
                         "The job comes from a backup of the state and has no temporary file: it may have been completed or cancelled since. "
                         "Resume fetches it again, Cancel removes it.");
}

void manager_refuse_restored(struct manager *m, struct job_file *file) {
        refuse(m, file->job, file->index);
}

void manager_judge_restored(struct manager *m) {
        struct job_run *run, *tmp;

        DL_FOREACH_SAFE(m->jobs, run, tmp) {
                struct job *job = run->job;

                if (job->restored && job->intent == JOB_INTENT_NONE && job_state_is_active(job->state) && !job_is_complete(job) &&
                    !has_begun_file(job))
                        refuse(m, job, JOB_ERROR_NO_FILE);
        }
}

bool manager_may_start_file(const struct job_file *file) {
        return !file->job->restored || file->temp.ino != 0;
}

void manager_note_alive(struct manager *m, struct job *job) {
        if (!job->restored)
                return;
        job->restored = false;
        manager_save_job(m, job);
        manager_pump_job(m, job);
}

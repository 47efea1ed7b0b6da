/* Checkpoints: which bytes of a temp file survive a crash. First the data is synced, then the row speaks of it, never the other way round. */
#include "manager/private.h"

/* When the next checkpoint of this run is due, on CLOCK_MONOTONIC. */
static uint64_t file_run_checkpoint_due(const struct file_run *run) {
        const struct manager_limits *limits = &run->manager->limits;

        if (run->step != STEP_TRANSFER || file_has_stream(run->file) || run->file->job->high_performance ||
            run->file->job->dynamic_content || run->since_checkpoint_bytes == 0 || run->checkpoint_running)
                return USEC_INFINITY;
        return u64_add_saturated(run->last_checkpoint_monotonic, run->since_checkpoint_bytes >= limits->checkpoint_bytes
                                                                         ? CHECKPOINT_MIN_GAP_USEC
                                                                         : limits->checkpoint_interval_usec);
}

void file_run_note_unsynced(struct file_run *run) {
        struct manager *m = run->manager;

        m->checkpoint_at_monotonic = MIN(m->checkpoint_at_monotonic, file_run_checkpoint_due(run));
}

static void file_run_checkpointed(int error, void *userdata) {
        struct file_run *run = userdata;
        struct manager *m = run->manager;

        run->checkpoint_running = false;
        if (!file_run_returned(run))
                return;
        if (error == 0) {
                files_ledger_assert_durable(run->handle, &run->snapshot);
                error = job_file_durable(run->file, &run->snapshot);
                if (error == 0) {
                        manager_save_file(m, run->file);
                        file_run_save_chunks(run);
                        manager_job_changed(m, run->file->job, false);
                }
        }
        if (error < 0) {
                /* The kernel may have marked the lost pages clean: nothing since the last good checkpoint counts. */
                (void) job_file_forget_received(run->file);
                run->disk_errors++;
                file_run_local_error(run, error, "cannot sync the temporary file");
                run->stop = true;
        }
        if (run->requests) {
                file_run_note_unsynced(run); /* what came meanwhile */
                if (run->stop)
                        file_run_recall(run);
                return;
        }
        /* The request ended while the checkpoint ran. */
        file_run_wind_down(run);
}

int file_run_checkpoint(struct file_run *run) {
        struct manager *m = run->manager;
        int r;

        if (run->checkpoint_running)
                return 1;
        if (file_has_stream(run->file))
                return 0;
        r = file_run_countable(run, &run->snapshot);
        if (r == 0 && intervals_equal(&run->snapshot, &run->file->durable)) {
                run->since_checkpoint_bytes = 0;
                return 0;
        }
        if (r == 0) {
                run->n_chunks = file_run_fresh_chunks(run);
                r = files_checkpoint(m->files, run->handle, run->chunks, run->n_chunks, file_run_checkpointed, run);
        }
        if (r < 0)
                return r;
        run->n_pending++;
        run->checkpoint_running = true;
        run->since_checkpoint_bytes = 0;
        run->last_checkpoint_monotonic = clock_now(m->clock, CLOCK_ID_MONOTONIC);
        return 1;
}

void manager_checkpoints(struct manager *m) {
        uint64_t now = clock_now(m->clock, CLOCK_ID_MONOTONIC);
        struct file_run *run, *tmp;

        if (now < m->checkpoint_at_monotonic)
                return;
        m->checkpoint_at_monotonic = USEC_INFINITY;
        DL_FOREACH_SAFE(m->file_runs, run, tmp) {
                if (file_run_checkpoint_due(run) <= now && file_run_checkpoint(run) < 0)
                        run->last_checkpoint_monotonic = now; /* no memory: later */
                file_run_note_unsynced(run);
        }
}

uint64_t manager_next_checkpoint(const struct manager *m) {
        uint64_t monotonic = clock_now(m->clock, CLOCK_ID_MONOTONIC), next = m->checkpoint_at_monotonic;

        if (next == USEC_INFINITY)
                return next;
        return u64_add_saturated(manager_boottime(m), next > monotonic ? next - monotonic : 0);
}

/* Chunk hashes (design decision 22): made at checkpoints; and when a temp file has its name but not its inode (it came from a backup, was
 * copied, or its file system was moved), they decide which of its bytes are those that were recorded.
 *
 * Nothing is recorded before that was decided and synced: a crash on the way leaves the old claim and the same question. */
#include <inttypes.h>

#include "base/log.h"
#include "manager/private.h"

_Static_assert(CHUNK_HASH_BYTES == PIECE_HASH_BYTES, "chunks are judged as pieces are");

struct adoption {
        struct files_identity temp; /* who it is now */
        struct files_identity directory;
        struct files_piece *pieces;
        size_t n_pieces;
        size_t n_judged;
        struct intervals proved;
};

/* ---- at a checkpoint ---- */

/* All of them together. Hashing costs 0.7 s of CPU per GiB with SHA-NI, about 3 s without. At a gigabyte a second that is half of what all
 * else takes; at 28 MiB/s it was four hundredths of a core. And what comes faster is fetched again sooner than it could be missed. */
static bool is_slow_enough(const struct file_run *run) {
        const struct manager *m = run->manager;
        uint64_t elapsed = clock_now(m->clock, CLOCK_ID_MONOTONIC) - run->last_checkpoint_monotonic;

        return run->since_checkpoint_bytes <= m->limits.chunk_hash_rate / MAX(m->n_file_runs, (size_t) 1) *
                                                      MIN(elapsed, USEC_PER_MINUTE) / USEC_PER_SEC;
}

size_t file_run_fresh_chunks(struct file_run *run) {
        uint64_t starts[CHUNKS_PER_CHECKPOINT_MAX];
        size_t n;

        if (!is_slow_enough(run))
                return 0;
        n = chunks_completed(&run->snapshot, &run->file->durable, starts, ELEMENTSOF(starts));
        if (n == 0)
                return 0;
        if (!run->chunks)
                run->chunks = calloc(CHUNKS_PER_CHECKPOINT_MAX, sizeof(*run->chunks));
        if (!run->chunks)
                return 0; /* only hashes */
        for (size_t i = 0; i < n; i++)
                run->chunks[i] = (struct files_piece) { .start = starts[i], .bytes = CHUNK_BYTES };
        return n;
}

void file_run_save_chunks(struct file_run *run) {
        struct chunks fresh = {};
        int r = 0;

        for (size_t i = 0; i < run->n_chunks && r == 0; i++) {
                struct chunk chunk = { .start = run->chunks[i].start };

                if (run->chunks[i].bytes == 0)
                        continue;
                memcpy(chunk.hash, run->chunks[i].hash, sizeof(chunk.hash));
                r = chunks_put(&fresh, &chunk);
                if (r == 0)
                        r = chunks_put(&run->file->chunks, &chunk);
        }
        run->n_chunks = 0;
        if (r == 0 && fresh.n_items > 0)
                r = manager_save_chunks(run->manager, run->file, &fresh);
        if (r < 0)
                log_debug("chunk hashes of file %u are not kept: %s", run->file->index, strerror(-r));
        chunks_done(&fresh);
}

/* ---- another inode ---- */

void file_run_adoption_done(struct file_run *run) {
        struct adoption *adoption = TAKE_PTR(run->adoption);

        if (!adoption)
                return;
        free(adoption->pieces);
        intervals_done(&adoption->proved);
        free(adoption);
}

bool file_run_may_adopt(struct file_run *run) {
        const struct chunks *chunks = &run->file->chunks;
        struct adoption *adoption;

        /* Of a restored job it is worth knowing that the file is there, whatever it holds. */
        if (run->adoption || (chunks->n_items == 0 && !run->file->job->restored))
                return false;
        adoption = calloc(1, sizeof(*adoption));
        if (!adoption)
                return false;
        adoption->pieces = calloc(chunks->n_items + 1, sizeof(*adoption->pieces));
        if (!adoption->pieces) {
                free(adoption);
                return false;
        }
        adoption->n_pieces = chunks->n_items;
        for (size_t i = 0; i < chunks->n_items; i++) {
                adoption->pieces[i] = (struct files_piece) { .start = chunks->items[i].start, .bytes = CHUNK_BYTES };
                memcpy(adoption->pieces[i].hash, chunks->items[i].hash, sizeof(chunks->items[i].hash));
        }
        run->adoption = adoption;
        return true;
}

static void adoption_failed(struct file_run *run, int error) {
        if (!run->stop)
                file_run_local_error(run, error, "cannot check the temporary file");
        file_run_end(run);
}

/* It is ours, byte by byte as far as it is proved, and that is on disk. */
static void adoption_synced(int error, void *userdata) {
        struct file_run *run = userdata;
        struct job_file *file = run->file;
        struct adoption *adoption = run->adoption;
        uint64_t before;

        if (!file_run_returned(run))
                return;
        before = intervals_total(&file->durable);
        if (error == 0) {
                files_ledger_assert_durable(run->handle, &adoption->proved);
                error = job_file_keep_proved(file, &adoption->proved);
        }
        if (error < 0) {
                adoption_failed(run, error);
                return;
        }
        log_notice("the temporary file of %s is another one than was recorded; %" PRIu64 " of %" PRIu64 " bytes are proved by their hashes",
                   file->path, intervals_total(&file->durable), before);
        file_run_opened_as(run, &adoption->temp, &adoption->directory);
        manager_save_file(run->manager, file);
        manager_job_changed(run->manager, file->job, false);
        file_run_adoption_done(run);
        if (run->stop)
                file_run_end(run);
        else
                file_run_certify(run);
}

static void adoption_sync(struct file_run *run) {
        const struct intervals *proved = &run->adoption->proved;
        int r = 0;

        if (proved->n_items == 0) {
                /* Nothing of it is ours: whose it is nobody knows. It stays, and the file begins anew under another name. */
                file_run_lost(run);
                return;
        }
        for (size_t i = 0; i < proved->n_items && r == 0; i++)
                r = files_note_written(run->handle, proved->items[i].start, proved->items[i].end);
        if (r == 0)
                r = files_checkpoint(run->files, run->handle, NULL, 0, adoption_synced, run);
        if (r == 0)
                run->n_pending++;
        else
                adoption_failed(run, r);
}

static void adoption_judge(struct file_run *run);

static void adoption_judged(int error, const bool *bad, size_t n, void *userdata) {
        struct file_run *run = userdata;
        struct adoption *adoption = run->adoption;

        if (!file_run_returned(run))
                return;
        for (size_t i = 0; i < n && error == 0; i++) {
                const struct files_piece *piece = &adoption->pieces[adoption->n_judged + i];

                if (!bad[i])
                        error = intervals_add(&adoption->proved, piece->start, piece->start + piece->bytes);
        }
        adoption->n_judged += n;
        if (error < 0 || run->stop)
                adoption_failed(run, error);
        else if (adoption->n_judged < adoption->n_pieces)
                adoption_judge(run);
        else
                adoption_sync(run);
}

static void adoption_judge(struct file_run *run) {
        struct adoption *adoption = run->adoption;
        size_t n = MIN(adoption->n_pieces - adoption->n_judged, (size_t) VERIFY_PIECES_MAX);
        int r = files_verify(run->files, run->handle, adoption->pieces + adoption->n_judged, n, adoption_judged, run);

        if (r == 0)
                run->n_pending++;
        else
                adoption_failed(run, r);
}

void file_run_adopt(struct file_run *run, const struct files_open_result *opened) {
        run->step = STEP_ADOPT;
        run->adoption->temp = opened->temp;
        run->adoption->directory = opened->directory;
        manager_note_alive(run->manager, run->file->job);
        if (run->adoption->n_pieces > 0)
                adoption_judge(run);
        else
                adoption_sync(run);
}

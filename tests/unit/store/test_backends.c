/* What every backend promises. The same tests run for each: the SQLite one (in both journal modes), the memory twin, and the
 * fault-injecting twin without a fault. "Again" means what a new process would find. */
#include "fixture.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>

struct backend {
        const char *name;
        bool is_sqlite;
        bool network_fs;
        bool is_wrapped;
};
static const struct backend *backend;
static char *folder;
static struct store *store;

static struct store *open_backend(void) {
        struct store_options options = { .state_dir = folder, .network_fs = backend->network_fs };
        struct store *opened, *wrapped;

        if (backend->is_sqlite)
                assert_int_equal(store_open_sqlite(&options, &opened), 0);
        else
                assert_int_equal(store_open_memory(&opened), 0);
        if (!backend->is_wrapped)
                return opened;
        assert_int_equal(store_open_faulty(opened, &wrapped), 0);
        return wrapped;
}

static int set_up(void **state _unused_) {
        folder = folder_new();
        store = open_backend();
        return 0;
}

static int tear_down(void **state _unused_) {
        store = store_free(store);
        folder_remove(folder);
        return 0;
}

/* The memory twin has no second process: a power cut is the nearest. */
static void start_again(void) {
        if (backend->is_sqlite) {
                store_free(store);
                store = open_backend();
        } else if (!backend->is_wrapped)
                store_memory_crash(store);
}

static void load_again(struct content *content) {
        start_again();
        assert_int_equal(content_load(store, content), 0);
}

static void assert_is_there(const struct job *expected) {
        struct content content;
        struct job *found;

        load_again(&content);
        found = content_find(&content, &expected->id);
        assert_non_null(found);
        assert_jobs_equal(found, expected);
        content_done(&content);
}

static void a_new_store_is_empty(void **state _unused_) {
        struct content content;

        load_again(&content);
        assert_int_equal(content.n_jobs, 0);
        assert_int_equal(content.n_history, 0);
        content_done(&content);
}

static void every_field_comes_back(void **state _unused_) {
        struct job *jobs[_SAMPLE_MAX];
        struct content content;

        for (enum sample sample = 0; sample < _SAMPLE_MAX; sample++) {
                jobs[sample] = sample_job(sample, sample, 3);
                assert_int_equal(save_now(store, jobs[sample]), 0);
        }
        load_again(&content);
        assert_int_equal(content.n_jobs, _SAMPLE_MAX);
        for (enum sample sample = 0; sample < _SAMPLE_MAX; sample++) {
                assert_jobs_equal(content.jobs[sample], jobs[sample]); /* in the order of creation */
                job_free(jobs[sample]);
        }
        content_done(&content);
}

/* What one row was written with must not stay in the next one, whichever of them says nothing. */
static void rows_of_one_batch_do_not_mix(void **state _unused_) {
        static const enum sample order[] = { SAMPLE_DISTINCT, SAMPLE_NEW, SAMPLE_GREATEST, SAMPLE_DISTINCT, SAMPLE_GREATEST,
                                             SAMPLE_NEW, SAMPLE_NEW, SAMPLE_DISTINCT };
        struct job *jobs[ELEMENTSOF(order)];
        struct content content;

        for (unsigned i = 0; i < ELEMENTSOF(order); i++)
                jobs[i] = sample_job(i, order[i], 2);
        for (unsigned round = 0; round < 2; round++) { /* insertions, then updates from the last to the first */
                struct store_batch *batch;

                assert_int_equal(store_batch_new(&batch), 0);
                for (unsigned i = 0; i < ELEMENTSOF(order); i++) {
                        const struct job *job = jobs[round == 0 ? i : ELEMENTSOF(order) - 1 - i];

                        assert_int_equal(store_batch_save_job(batch, job), 0);
                        for (size_t file = 0; file < job->n_files; file++)
                                assert_int_equal(store_batch_save_file(batch, job->files[file]), 0);
                }
                assert_int_equal(commit_now(store, batch), 0);
                load_again(&content);
                assert_int_equal(content.n_jobs, ELEMENTSOF(order));
                for (unsigned i = 0; i < ELEMENTSOF(order); i++)
                        assert_jobs_equal(content_find(&content, &jobs[i]->id), jobs[i]);
                content_done(&content);
        }
        for (unsigned i = 0; i < ELEMENTSOF(order); i++)
                job_free(jobs[i]);
}

static void sums_are_made_again_at_loading(void **state _unused_) {
        struct job *job = sample_job(1, SAMPLE_DISTINCT, 2);
        struct content content;

        assert_int_equal(save_now(store, job), 0);
        load_again(&content);
        assert_int_equal(content.jobs[0]->n_files_transferred, 2);
        assert_int_equal(content.jobs[0]->bytes_durable, 2 * 11000);
        assert_int_equal(content.jobs[0]->bytes_received, 2 * 11000);
        assert_true(intervals_equal(&content.jobs[0]->files[1]->received, &job->files[1]->durable));
        content_done(&content);
        job_free(job);
}

static void every_state_comes_back_but_transferring_is_queued(void **state _unused_) {
        for (enum job_state s = 0; s < _JOB_STATE_MAX; s++) {
                struct job *job = sample_job(s, SAMPLE_NEW, 1);
                struct content content;

                if (s == JOB_CONNECTING) { /* never entered */
                        job_free(job);
                        continue;
                }
                job->state = s;
                assert_int_equal(save_now(store, job), 0);
                load_again(&content);
                assert_int_equal(content_find(&content, &job->id)->state, s == JOB_TRANSFERRING ? JOB_QUEUED : s);
                content_done(&content);
                job_free(job);
        }
}

static void every_error_code_and_waiting_reason_comes_back(void **state _unused_) {
        struct content content;
        struct store_batch *batch;
        unsigned i;

        assert_int_equal(store_batch_new(&batch), 0);
        for (i = 0; i < _ERROR_CODE_MAX; i++) {
                struct job *job = sample_job(i, SAMPLE_NEW, 0);

                job->error.code = (enum error_code) i;
                job->waiting = (enum waiting_reason)(1 + i % (_WAITING_REASON_MAX - 1));
                assert_int_equal(store_batch_save_job(batch, job), 0);
                job_free(job);
        }
        assert_int_equal(commit_now(store, batch), 0);
        load_again(&content);
        assert_int_equal(content.n_jobs, _ERROR_CODE_MAX);
        for (i = 0; i < _ERROR_CODE_MAX; i++) {
                assert_int_equal(content.jobs[i]->error.code, i);
                assert_int_equal(content.jobs[i]->waiting, 1 + i % (_WAITING_REASON_MAX - 1));
        }
        content_done(&content);
}

static void a_later_save_replaces_everything(void **state _unused_) {
        struct job *before = sample_job(1, SAMPLE_GREATEST, 2), *after = sample_job(1, SAMPLE_DISTINCT, 2);

        assert_int_equal(save_now(store, before), 0);
        assert_int_equal(save_now(store, after), 0);
        assert_is_there(after);
        job_free(before);
        job_free(after);
}

static void a_replaced_job_keeps_its_place(void **state _unused_) {
        struct job *first = sample_job(9, SAMPLE_NEW, 1), *second = sample_job(8, SAMPLE_NEW, 1);
        struct content content;

        assert_int_equal(save_now(store, first), 0);
        assert_int_equal(save_now(store, second), 0);
        assert_int_equal(save_now(store, first), 0);
        load_again(&content);
        assert_int_equal(content.n_jobs, 2);
        assert_true(guid_equal(&content.jobs[0]->id, &first->id));
        content_done(&content);
        job_free(first);
        job_free(second);
}

static void the_row_of_a_job_can_be_saved_without_its_files(void **state _unused_) {
        struct job *job = sample_job(1, SAMPLE_DISTINCT, 3);
        struct store_batch *batch;

        assert_int_equal(save_now(store, job), 0);
        job->error_count = 99;
        assert_int_equal(store_batch_new(&batch), 0);
        assert_int_equal(store_batch_save_job(batch, job), 0);
        assert_int_equal(commit_now(store, batch), 0);
        assert_is_there(job);
        job_free(job);
}

static void a_file_can_be_saved_without_its_job(void **state _unused_) {
        struct job *job = sample_job(1, SAMPLE_DISTINCT, 3);
        struct store_batch *batch;

        assert_int_equal(save_now(store, job), 0);
        intervals_clear(&job->files[1]->durable);
        assert_int_equal(intervals_add(&job->files[1]->durable, 5, 6), 0);
        assert_int_equal(store_batch_new(&batch), 0);
        assert_int_equal(store_batch_save_file(batch, job->files[1]), 0);
        assert_int_equal(commit_now(store, batch), 0);
        assert_is_there(job);
        job_free(job);
}

/* Start without ranges, after one with some: the whole file from then on. */
static void ranges_that_are_no_longer_asked_for_are_gone(void **state _unused_) {
        struct job *job = sample_job(1, SAMPLE_DISTINCT, 2), *other = sample_job(2, SAMPLE_DISTINCT, 1);
        struct job_file *file = job->files[0];

        assert_int_equal(save_now(store, job), 0);
        assert_int_equal(save_now(store, other), 0);
        for (unsigned i = 0; i < 2; i++) { /* by who wrote them, and by who found them */
                struct byte_range *ranges = TAKE_PTR(file->ranges);
                size_t n = file->n_ranges;

                file->n_ranges = 0;
                assert_int_equal(save_now(store, job), 0);
                assert_is_there(job);
                assert_is_there(other);
                file->ranges = ranges;
                file->n_ranges = n;
                assert_int_equal(save_now(store, job), 0);
                assert_is_there(job);
        }
        job_free(job);
        job_free(other);
}

static void put_chunk(struct chunks *set, uint64_t number, uint8_t fill) {
        struct chunk chunk = { .start = number * CHUNK_BYTES };

        memset(chunk.hash, fill, sizeof(chunk.hash));
        assert_int_equal(chunks_put(set, &chunk), 0);
}

/* A job with one file, of which chunks [0, @n) are durable. */
static struct job *job_with_chunks(unsigned n) {
        struct job *job = sample_job(1, SAMPLE_NEW, 1);
        struct job_file *file = job->files[0];

        intervals_clear(&file->durable);
        assert_int_equal(intervals_add(&file->durable, 0, n * CHUNK_BYTES), 0);
        return job;
}

static int save_with_chunks(struct job *job, const struct chunks *fresh) {
        struct store_batch *batch = batch_of(job);

        assert_int_equal(store_batch_add_chunks(batch, job->files[0], fresh), 0);
        return commit_now(store, batch);
}

/* As digits: which chunks with which fill, "-" for none. */
static void assert_chunks(const char *expected) {
        struct content content;
        const struct chunks *chunks;
        char text[16] = "";
        size_t at = 0;

        load_again(&content);
        chunks = &content.jobs[0]->files[0]->chunks;
        for (size_t i = 0; i < chunks->n_items; i++) {
                while (at < chunks->items[i].start / CHUNK_BYTES)
                        text[at++] = '-';
                text[at++] = (char) ('0' + chunks->items[i].hash[31]);
        }
        assert_string_equal(text, expected);
        content_done(&content);
}

static void hashes_of_chunks_are_added_one_by_one_and_go_with_their_ranges(void **state _unused_) {
        struct job *job = job_with_chunks(6);
        struct job_file *file = job->files[0];
        struct chunks fresh = {};

        for (unsigned i = 0; i < 6; i++)
                put_chunk(&fresh, i, 1);
        put_chunk(&fresh, 7, 1); /* nothing claims it */
        assert_int_equal(save_with_chunks(job, &fresh), 0);
        assert_chunks("111111");
        fresh.n_items = 0;
        put_chunk(&fresh, 1, 2);
        assert_int_equal(save_with_chunks(job, &fresh), 0);
        assert_chunks("121111");
        assert_int_equal(save_now(store, job), 0); /* without a word of them */
        assert_chunks("121111");
        assert_int_equal(intervals_remove(&file->durable, 2 * CHUNK_BYTES + 7, 2 * CHUNK_BYTES + 8), 0);
        assert_int_equal(intervals_remove(&file->durable, 4 * CHUNK_BYTES, 5 * CHUNK_BYTES), 0);
        assert_int_equal(save_now(store, job), 0);
        assert_chunks("12-1-1");
        intervals_clear(&file->durable);
        assert_int_equal(save_now(store, job), 0);
        assert_int_equal(intervals_add(&file->durable, 0, 6 * CHUNK_BYTES), 0);
        assert_int_equal(save_now(store, job), 0); /* what was thrown away does not come back with the claim */
        assert_chunks("");
        chunks_done(&fresh);
        job_free(job);
}

static void within_one_batch_the_last_claim_decides_of_the_hashes(void **state _unused_) {
        struct job *job = job_with_chunks(4);
        struct store_batch *batch = batch_of(job);
        struct chunks fresh = {};

        put_chunk(&fresh, 0, 1);
        put_chunk(&fresh, 3, 1);
        assert_int_equal(store_batch_add_chunks(batch, job->files[0], &fresh), 0);
        assert_int_equal(intervals_remove(&job->files[0]->durable, 2 * CHUNK_BYTES, 4 * CHUNK_BYTES), 0);
        assert_int_equal(store_batch_save_file(batch, job->files[0]), 0);
        fresh.n_items = 0;
        put_chunk(&fresh, 1, 2);
        assert_int_equal(store_batch_add_chunks(batch, job->files[0], &fresh), 0);
        assert_int_equal(commit_now(store, batch), 0);
        assert_chunks("12");
        assert_int_equal(store_batch_new(&batch), 0);
        assert_int_equal(store_batch_add_chunks(batch, job->files[0], &fresh), -ENOENT);
        store_batch_free(batch);
        chunks_done(&fresh);
        job_free(job);
}

static void a_file_that_is_complete_has_no_hashes_of_chunks(void **state _unused_) {
        struct job *job = job_with_chunks(2);
        struct chunks fresh = {};

        put_chunk(&fresh, 0, 1);
        assert_int_equal(save_with_chunks(job, &fresh), 0);
        assert_chunks("1");
        job->files[0]->size = 2 * CHUNK_BYTES;
        job_file_set_state(job->files[0], FILE_TRANSFERRED);
        assert_int_equal(save_with_chunks(job, &fresh), 0);
        assert_chunks("");
        chunks_done(&fresh);
        job_free(job);
}

static void note_error(int error, void *userdata) {
        *(int *) userdata = error;
}

static void a_backup_is_made_beside_commits_and_has_its_time(void **state _unused_) {
        struct job *a = sample_job(1, SAMPLE_DISTINCT, 3), *b = sample_job(2, SAMPLE_DISTINCT, 1);
        int first = 1, second = 1;

        assert_int_equal(store_backup_time(store), 0);
        assert_int_equal(save_now(store, a), 0);
        assert_int_equal(store_backup(store, 7 * USEC_PER_DAY, note_error, &first), 0);
        assert_int_equal(store_backup(store, 8 * USEC_PER_DAY, note_error, &second), -EBUSY);
        assert_int_equal(save_now(store, b), 0);
        while (store_wait(store) > 0)
                ;
        assert_int_equal(first, 0);
        assert_int_equal(second, 1);
        assert_int_equal(store_backup_time(store), 7 * USEC_PER_DAY);
        assert_int_equal(store_backup(store, 8 * USEC_PER_DAY + 5, note_error, &second), 0);
        while (store_wait(store) > 0)
                ;
        assert_int_equal(second, 0);
        start_again();
        assert_int_equal(store_backup_time(store), 8 * USEC_PER_DAY + 5);
        assert_is_there(a);
        assert_is_there(b);
        job_free(a);
        job_free(b);
}

static void a_store_that_goes_calls_nobody_back_about_its_backup(void **state _unused_) {
        struct job *job = sample_job(1, SAMPLE_DISTINCT, 1);
        int error = 1;

        assert_int_equal(save_now(store, job), 0);
        assert_int_equal(store_backup(store, 1, note_error, &error), 0);
        store = store_free(store);
        assert_int_equal(error, 1);
        store = open_backend();
        job_free(job);
}

/* Damaged after the backup: 1: restored, 0: there was none. */
static int damage_and_restore(uint64_t *ret_usec) {
        struct store_options options = { .state_dir = folder, .network_fs = backend->network_fs };
        _cleanup_free_ char *path = folder_file(folder, "jobs.sqlite");
        FILE *f;
        int r;

        *ret_usec = store_backup_time(store);
        if (!backend->is_sqlite)
                return backend->is_wrapped ? -1 : store_memory_restore(store);
        store = store_free(store);
        f = fopen(path, "we");
        assert_non_null(f);
        for (unsigned i = 0; i < 5000; i++)
                fputc(0xa5, f);
        fclose(f);
        assert_int_equal(store_open_sqlite(&options, &store), -EUCLEAN);
        r = store_restore_sqlite(&options, ret_usec);
        store = open_backend();
        return r;
}

static void a_restored_state_says_what_is_not_known(void **state _unused_) {
        struct job *kept = job_with_chunks(3), *later = sample_job(2, SAMPLE_NEW, 1);
        struct content content;
        struct chunks fresh = {};
        struct job_file *file;
        uint64_t usec;
        int error = 1, r;

        kept->files[0]->temp.ino = 77;
        snprintf(kept->files[0]->temp_name, sizeof(kept->files[0]->temp_name), ".dosvc-0123456789012345678901.part");
        put_chunk(&fresh, 1, 5);
        assert_int_equal(save_with_chunks(kept, &fresh), 0);
        assert_int_equal(store_backup(store, USEC_PER_DAY, note_error, &error), 0);
        while (store_wait(store) > 0)
                ;
        assert_int_equal(error, 0);
        assert_int_equal(save_now(store, later), 0);
        r = damage_and_restore(&usec);
        if (r >= 0) {
                assert_int_equal(r, 1);
                assert_int_equal(usec, USEC_PER_DAY);
                assert_int_equal(content_load(store, &content), 0);
                assert_int_equal(content.n_jobs, 1);
                assert_true(content.jobs[0]->restored);
                file = content.jobs[0]->files[0];
                assert_true(file->temp.ino == INO_UNKNOWN);
                assert_int_equal(file->chunks.n_items, 1);
                assert_int_equal(content.jobs[0]->bytes_durable, 3 * CHUNK_BYTES);
                content_done(&content);
        }
        chunks_done(&fresh);
        job_free(kept);
        job_free(later);
}

static void a_batch_copies_what_it_needs(void **state _unused_) {
        struct job *job = sample_job(1, SAMPLE_DISTINCT, 2), *same = sample_job(1, SAMPLE_DISTINCT, 2);
        struct store_batch *batch = batch_of(job);

        job_free(job);
        assert_int_equal(commit_now(store, batch), 0);
        assert_is_there(same);
        job_free(same);
}

static void the_last_save_in_a_batch_counts(void **state _unused_) {
        struct job *before = sample_job(1, SAMPLE_GREATEST, 3), *after = sample_job(1, SAMPLE_DISTINCT, 3);
        struct store_batch *batch = batch_of(before);

        assert_int_equal(store_batch_save_job(batch, after), 0);
        for (size_t i = 0; i < after->n_files; i++)
                assert_int_equal(store_batch_save_file(batch, after->files[i]), 0);
        assert_int_equal(commit_now(store, batch), 0);
        assert_is_there(after);
        job_free(before);
        job_free(after);
}

static void a_removed_job_is_gone_with_its_files(void **state _unused_) {
        struct job *job = sample_job(1, SAMPLE_DISTINCT, 3), *other = sample_job(2, SAMPLE_DISTINCT, 3);
        struct job *smaller = sample_job(1, SAMPLE_NEW, 1);
        struct store_batch *batch;
        struct content content;

        assert_int_equal(save_now(store, job), 0);
        assert_int_equal(save_now(store, other), 0);
        assert_int_equal(store_batch_new(&batch), 0);
        assert_int_equal(store_batch_remove_job(batch, &job->id), 0);
        assert_int_equal(commit_now(store, batch), 0);
        load_again(&content);
        assert_int_equal(content.n_jobs, 1);
        content_done(&content);
        assert_is_there(other);
        /* No old file and no old range shows up under the same name. */
        assert_int_equal(save_now(store, smaller), 0);
        assert_is_there(smaller);
        job_free(job);
        job_free(other);
        job_free(smaller);
}

static void saving_removing_and_saving_again_in_one_batch(void **state _unused_) {
        struct job *before = sample_job(1, SAMPLE_DISTINCT, 5), *after = sample_job(1, SAMPLE_GREATEST, 2);
        struct store_batch *batch;

        assert_int_equal(save_now(store, before), 0);
        batch = batch_of(before);
        assert_int_equal(store_batch_remove_job(batch, &before->id), 0);
        assert_int_equal(store_batch_save_job(batch, after), 0);
        for (size_t i = 0; i < after->n_files; i++)
                assert_int_equal(store_batch_save_file(batch, after->files[i]), 0);
        assert_int_equal(commit_now(store, batch), 0);
        assert_is_there(after);
        job_free(before);
        job_free(after);
}

static void saving_and_removing_in_one_batch_leaves_nothing(void **state _unused_) {
        struct job *job = sample_job(1, SAMPLE_DISTINCT, 2);
        struct store_batch *batch = batch_of(job);
        struct content content;

        assert_int_equal(store_batch_remove_job(batch, &job->id), 0);
        assert_int_equal(commit_now(store, batch), 0);
        load_again(&content);
        assert_int_equal(content.n_jobs, 0);
        content_done(&content);
        job_free(job);
}

static void removing_what_is_not_there_is_fine(void **state _unused_) {
        struct guid id = sample_id(77);
        struct store_batch *batch;

        assert_int_equal(store_batch_new(&batch), 0);
        assert_int_equal(store_batch_remove_job(batch, &id), 0);
        assert_int_equal(commit_now(store, batch), 0);
}

static void a_file_of_an_unknown_job_fails_and_changes_nothing(void **state _unused_) {
        struct job *known = sample_job(1, SAMPLE_NEW, 1), *unknown = sample_job(2, SAMPLE_NEW, 1);
        struct store_batch *batch = batch_of(known);
        struct content content;

        assert_int_equal(store_batch_save_file(batch, unknown->files[0]), 0);
        assert_int_equal(commit_now(store, batch), -ENOENT);
        assert_int_equal(save_now(store, known), -ECANCELED);
        assert_int_equal(content_load(store, &content), 0);
        assert_int_equal(content.n_jobs, 0);
        content_done(&content);
        assert_int_equal(store_recover(store), 0);
        assert_int_equal(save_now(store, known), 0);
        assert_is_there(known);
        job_free(known);
        job_free(unknown);
}

static void history_keeps_the_newest(void **state _unused_) {
        struct store_batch *batch;
        struct content content;

        assert_int_equal(store_batch_new(&batch), 0);
        for (unsigned i = 0; i < 10; i++) {
                struct history_entry *entry = sample_history(i, (enum sample)(i % _SAMPLE_MAX));

                assert_int_equal(store_batch_add_history(batch, entry, 4), 0);
                history_entry_free(entry);
        }
        assert_int_equal(commit_now(store, batch), 0);
        load_again(&content);
        assert_int_equal(content.n_history, 4);
        for (unsigned i = 0; i < 4; i++) {
                struct history_entry *expected = sample_history(6 + i, (enum sample)((6 + i) % _SAMPLE_MAX));

                assert_history_equal(content.history[i], expected);
                history_entry_free(expected);
        }
        content_done(&content);
}

static void history_of_zero_entries_stays_empty_and_a_larger_bound_lets_it_grow(void **state _unused_) {
        static const struct {
                size_t max;
                size_t expected;
        } rows[] = { { 0, 0 }, { 5, 1 }, { 5, 2 }, { SIZE_MAX, 3 }, { 1, 1 }, { 0, 0 }, { 2, 1 } };

        for (unsigned i = 0; i < ELEMENTSOF(rows); i++) {
                struct history_entry *entry = sample_history(i, SAMPLE_DISTINCT);
                struct store_batch *batch;
                struct content content;

                assert_int_equal(store_batch_new(&batch), 0);
                assert_int_equal(store_batch_add_history(batch, entry, rows[i].max), 0);
                assert_int_equal(commit_now(store, batch), 0);
                load_again(&content);
                assert_int_equal(content.n_history, rows[i].expected);
                content_done(&content);
                history_entry_free(entry);
        }
}

static void answers_come_in_the_order_of_submission(void **state _unused_) {
        struct answers answers = {};

        for (unsigned i = 0; i < 50; i++) {
                struct job *job = sample_job(i, SAMPLE_NEW, 1);

                submit(store, batch_of(job), &answers, i);
                job_free(job);
        }
        wait_for_all(store, &answers, 50);
        for (unsigned i = 0; i < 50; i++) {
                assert_int_equal(answers.tag[i], i);
                assert_int_equal(answers.error[i], 0);
        }
        assert_int_equal(store_dispatch(store), 0);
}

static void the_descriptor_is_readable_when_an_answer_waits(void **state _unused_) {
        struct pollfd fd = { .fd = store_fd(store), .events = POLLIN };
        struct job *job = sample_job(1, SAMPLE_NEW, 1);
        struct answers answers = {};

        assert_int_equal(poll(&fd, 1, 0), 0);
        submit(store, batch_of(job), &answers, 0);
        assert_int_equal(answers.n, 0);
        assert_int_equal(poll(&fd, 1, -1), 1);
        assert_int_equal(store_dispatch(store), 1);
        assert_int_equal(answers.n, 1);
        assert_int_equal(poll(&fd, 1, 0), 0);
        job_free(job);
}

static void an_empty_batch_is_answered_too(void **state _unused_) {
        struct store_batch *batch;

        assert_int_equal(store_batch_new(&batch), 0);
        assert_true(store_batch_is_empty(batch));
        assert_int_equal(commit_now(store, batch), 0);
}

static void a_batch_with_anything_in_it_is_not_empty(void **state _unused_) {
        struct history_entry *entry = sample_history(1, SAMPLE_NEW);
        struct guid id = sample_id(1);
        struct store_batch *batch;

        assert_int_equal(store_batch_new(&batch), 0);
        assert_int_equal(store_batch_remove_job(batch, &id), 0);
        assert_false(store_batch_is_empty(batch));
        store_batch_free(batch);
        assert_int_equal(store_batch_new(&batch), 0);
        assert_int_equal(store_batch_add_history(batch, entry, 1), 0);
        assert_false(store_batch_is_empty(batch));
        store_batch_free(batch);
        history_entry_free(entry);
}

struct chain {
        unsigned n;
        int error;
};

static void submit_next(int error, void *userdata) {
        struct chain *chain = userdata;

        assert_int_equal(error, 0);
        if (++chain->n < 5) {
                struct job *job = sample_job(chain->n, SAMPLE_NEW, 0);

                assert_int_equal(store_commit(store, batch_of(job), submit_next, chain), 0);
                job_free(job);
        }
}

static void a_callback_may_submit(void **state _unused_) {
        struct chain chain = {};
        struct store_batch *batch;

        assert_int_equal(store_batch_new(&batch), 0);
        assert_int_equal(store_commit(store, batch, submit_next, &chain), 0);
        while (chain.n < 5)
                assert_true(store_wait(store) > 0);
        assert_int_equal(store_wait(store), 0);
}

static int stop_at_the_second(struct job *job, void *userdata) {
        unsigned *n = userdata;

        job_free(job);
        return ++*n == 2 ? -EINTR : 0;
}

static int no_history(struct history_entry *entry, void *userdata _unused_) {
        history_entry_free(entry);
        fail();
        return 0;
}

static void a_visitor_can_stop_loading(void **state _unused_) {
        struct store_visitor visitor = { stop_at_the_second, no_history };
        struct content content;
        unsigned n = 0;

        for (unsigned i = 0; i < 4; i++) {
                struct job *job = sample_job(i, SAMPLE_DISTINCT, 2);

                assert_int_equal(save_now(store, job), 0);
                job_free(job);
        }
        assert_int_equal(store_load(store, &visitor, &n), -EINTR);
        assert_int_equal(n, 2);
        assert_int_equal(content_load(store, &content), 0);
        assert_int_equal(content.n_jobs, 4);
        content_done(&content);
}

static void nonsense_is_refused_before_it_is_written(void **state _unused_) {
        struct job *job = sample_job(1, SAMPLE_DISTINCT, 1);
        struct job_file *file = job->files[0];
        struct store_batch *batch;

        assert_int_equal(store_batch_new(&batch), 0);
        job->state = _JOB_STATE_MAX;
        assert_int_equal(store_batch_save_job(batch, job), -EINVAL);
        job->state = JOB_QUEUED;
        job->created_usec = UINT64_MAX - 1;
        assert_int_equal(store_batch_save_job(batch, job), -EINVAL);
        job->created_usec = 0;
        strcpy(job->lying_hosts, "m1\n");
        assert_int_equal(store_batch_save_job(batch, job), -EINVAL);
        strcpy(file->giving_hosts, "\nm");
        assert_int_equal(store_batch_save_file(batch, file), -EINVAL);
        job_file_forget_givers(file);
        file->size = 10; /* less than what is durable */
        assert_int_equal(store_batch_save_file(batch, file), -EINVAL);
        file->size = SIZE_UNKNOWN;
        strcpy(file->temp_name, "../x");
        assert_int_equal(store_batch_save_file(batch, file), -EINVAL);
        file->temp_name[0] = 0;
        file->path[0] = 'r';
        assert_int_equal(store_batch_save_file(batch, file), -EINVAL);
        assert_true(store_batch_is_empty(batch));
        store_batch_free(batch);
        job_free(job);
}

static void an_error_never_names_a_file_that_is_not_there(void **state _unused_) {
        struct job *job = sample_job(1, SAMPLE_DISTINCT, 2);

        job->error.file_index = 2;
        assert_int_equal(save_now(store, job), 0);
        job->error.file_index = JOB_ERROR_NO_FILE;
        assert_is_there(job);
        job_free(job);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void) {
        static const struct backend backends[] = {
                { "sqlite", .is_sqlite = true },
                { "sqlite on a network file system", .is_sqlite = true, .network_fs = true },
                { "memory" },
                { "faulty, without a plan, over memory", .is_wrapped = true },
                { "faulty, without a plan, over sqlite", .is_sqlite = true, .is_wrapped = true },
        };
        static const struct CMUnitTest tests[] = {
                TEST(a_new_store_is_empty),
                TEST(every_field_comes_back),
                TEST(rows_of_one_batch_do_not_mix),
                TEST(sums_are_made_again_at_loading),
                TEST(every_state_comes_back_but_transferring_is_queued),
                TEST(every_error_code_and_waiting_reason_comes_back),
                TEST(a_later_save_replaces_everything),
                TEST(a_replaced_job_keeps_its_place),
                TEST(the_row_of_a_job_can_be_saved_without_its_files),
                TEST(a_file_can_be_saved_without_its_job),
                TEST(ranges_that_are_no_longer_asked_for_are_gone),
                TEST(hashes_of_chunks_are_added_one_by_one_and_go_with_their_ranges),
                TEST(within_one_batch_the_last_claim_decides_of_the_hashes),
                TEST(a_file_that_is_complete_has_no_hashes_of_chunks),
                TEST(a_backup_is_made_beside_commits_and_has_its_time),
                TEST(a_store_that_goes_calls_nobody_back_about_its_backup),
                TEST(a_restored_state_says_what_is_not_known),
                TEST(a_batch_copies_what_it_needs),
                TEST(the_last_save_in_a_batch_counts),
                TEST(a_removed_job_is_gone_with_its_files),
                TEST(saving_removing_and_saving_again_in_one_batch),
                TEST(saving_and_removing_in_one_batch_leaves_nothing),
                TEST(removing_what_is_not_there_is_fine),
                TEST(a_file_of_an_unknown_job_fails_and_changes_nothing),
                TEST(history_keeps_the_newest),
                TEST(history_of_zero_entries_stays_empty_and_a_larger_bound_lets_it_grow),
                TEST(answers_come_in_the_order_of_submission),
                TEST(the_descriptor_is_readable_when_an_answer_waits),
                TEST(an_empty_batch_is_answered_too),
                TEST(a_batch_with_anything_in_it_is_not_empty),
                TEST(a_callback_may_submit),
                TEST(a_visitor_can_stop_loading),
                TEST(nonsense_is_refused_before_it_is_written),
                TEST(an_error_never_names_a_file_that_is_not_there),
        };
        int failed = 0;

        for (size_t i = 0; i < ELEMENTSOF(backends); i++) {
                backend = &backends[i];
                failed += cmocka_run_group_tests_name(backends[i].name, tests, NULL, NULL);
        }
        return failed;
}

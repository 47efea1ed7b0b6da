#include "store/batch.h"

#include <utlist.h>

#include "base/log.h"

_Static_assert(sizeof(struct batch_file_key) == 20, "the key is hashed as bytes: no padding");

static struct batch_file *batch_find_file(const struct store_batch *batch, const struct batch_file_key *key) {
        struct batch_file *file;

        HASH_FIND(hh, batch->files, key, sizeof(*key), file);
        return file;
}

struct batch_job *batch_find_job(const struct store_batch *batch, const struct guid *id) {
        struct batch_job *job;

        HASH_FIND(hh, batch->jobs, id, sizeof(*id), job);
        return job;
}

static int batch_need_job(struct store_batch *batch, const struct guid *id, struct batch_job **ret) {
        struct batch_job *job = batch_find_job(batch, id);

        if (!job) {
                job = calloc(1, sizeof(*job));
                if (!job)
                        return -ENOMEM;
                job->id = *id;
                HASH_ADD(hh, batch->jobs, id, sizeof(job->id), job);
                if (!job->hh.tbl) {
                        free(job);
                        return -ENOMEM;
                }
        }
        *ret = job;
        return 0;
}

/* @record takes the place of @old, whose hashes it may need. */
static int record_inherit_chunks(struct job_file *record, struct job_file *old) {
        struct chunks fresh = record->chunks;
        int r = chunks_put_all(&old->chunks, &fresh);

        if (r < 0)
                return r;
        chunks_done(&fresh);
        record->chunks = old->chunks;
        old->chunks = (struct chunks) {};
        record_file_keep_chunks(record);
        return 0;
}

/* The record is CONSUMED on success only. */
static int batch_put_file(struct store_batch *batch, struct batch_job *job, struct job_file *record) {
        struct batch_file_key key = { job->id, record->index };
        struct batch_file *file = batch_find_file(batch, &key);

        if (file) {
                int r = record_inherit_chunks(record, file->record);

                if (r < 0)
                        return r;
                record_file_free(file->record);
                file->record = record;
                return 0;
        }
        file = calloc(1, sizeof(*file));
        if (!file)
                return -ENOMEM;
        file->key = key;
        HASH_ADD(hh, batch->files, key, sizeof(file->key), file);
        if (!file->hh.tbl) {
                free(file);
                return -ENOMEM;
        }
        file->record = record;
        DL_APPEND(job->files, file);
        return 0;
}

static void batch_drop_rows(struct store_batch *batch, struct batch_job *job) {
        struct batch_file *file, *next;

        job->record = record_job_free(job->record);
        DL_FOREACH_SAFE(job->files, file, next) {
                HASH_DELETE(hh, batch->files, file);
                record_file_free(file->record);
                free(file);
        }
        job->files = NULL;
}

void batch_forget_job(struct store_batch *batch, struct batch_job *job) {
        batch_drop_rows(batch, job);
        HASH_DELETE(hh, batch->jobs, job);
        free(job);
}

static void batch_drop_history(struct store_batch *batch, struct batch_history *item) {
        DL_DELETE(batch->history, item);
        batch->n_history--;
        record_history_free(item->entry);
        free(item);
}

int store_batch_new(struct store_batch **ret) {
        struct store_batch *batch = calloc(1, sizeof(*batch));

        if (!batch)
                return -ENOMEM;
        *ret = batch;
        return 0;
}

struct store_batch *store_batch_free(struct store_batch *batch) {
        struct batch_job *job, *next;
        struct batch_history *item, *next_item;

        if (!batch)
                return NULL;
        HASH_ITER(hh, batch->jobs, job, next)
                batch_forget_job(batch, job);
        DL_FOREACH_SAFE(batch->history, item, next_item)
                batch_drop_history(batch, item);
        free(batch);
        return NULL;
}

bool store_batch_is_empty(const struct store_batch *batch) {
        return !batch->jobs && !batch->history;
}

int store_batch_save_job(struct store_batch *batch, const struct job *job) {
        _cleanup_(record_job_freep) struct job *record = NULL;
        struct batch_job *entry;
        int r;

        r = record_job_new(job, &record);
        if (r < 0)
                return r;
        r = batch_need_job(batch, &job->id, &entry);
        if (r < 0)
                return r;
        record_job_free(entry->record);
        entry->record = TAKE_PTR(record);
        return 0;
}

int store_batch_save_file(struct store_batch *batch, const struct job_file *file) {
        _cleanup_(record_file_freep) struct job_file *record = NULL;
        struct batch_job *entry;
        int r;

        r = record_file_new(file, &record);
        if (r < 0)
                return r;
        r = batch_need_job(batch, &file->job->id, &entry);
        if (r < 0)
                return r;
        r = batch_put_file(batch, entry, record);
        if (r < 0)
                return r;
        record = NULL;
        return 0;
}

int store_batch_add_chunks(struct store_batch *batch, const struct job_file *file, const struct chunks *chunks) {
        struct batch_file *entry = batch_find_file(batch, &(struct batch_file_key) { file->job->id, file->index });
        int r;

        if (!entry)
                return -ENOENT;
        r = chunks_put_all(&entry->record->chunks, chunks);
        record_file_keep_chunks(entry->record);
        return r;
}

int store_batch_remove_job(struct store_batch *batch, const struct guid *id) {
        struct batch_job *entry;
        int r = batch_need_job(batch, id, &entry);

        if (r < 0)
                return r;
        batch_drop_rows(batch, entry);
        entry->removed = true;
        return 0;
}

int store_batch_add_history(struct store_batch *batch, const struct history_entry *entry, size_t max_entries) {
        _cleanup_(record_history_freep) struct history_entry *record = NULL;
        struct batch_history *item;
        int r;

        r = record_history_new(entry, &record);
        if (r < 0)
                return r;
        item = calloc(1, sizeof(*item));
        if (!item)
                return -ENOMEM;
        item->entry = TAKE_PTR(record);
        item->max_entries = max_entries;
        DL_APPEND(batch->history, item);
        batch->n_history++;
        return 0;
}

static int batch_copy_job(struct store_batch *copy, const struct batch_job *job) {
        const struct batch_file *file;
        struct batch_job *entry;
        int r = batch_need_job(copy, &job->id, &entry);

        if (r == 0 && job->record)
                r = record_job_copy(job->record, &entry->record);
        DL_FOREACH(job->files, file) {
                _cleanup_(record_file_freep) struct job_file *record = NULL;

                if (r == 0)
                        r = record_file_new(file->record, &record);
                if (r == 0)
                        r = chunks_put_all(&record->chunks, &file->record->chunks);
                if (r == 0)
                        r = batch_put_file(copy, entry, record);
                if (r < 0)
                        return r;
                record = NULL;
        }
        return r;
}

int batch_copy(const struct store_batch *image, struct store_batch **ret) {
        _cleanup_(store_batch_freep) struct store_batch *copy = NULL;
        const struct batch_history *item;
        int r = store_batch_new(&copy);

        for (const struct batch_job *job = r == 0 ? image->jobs : NULL; job && r == 0; job = job->hh.next)
                r = batch_copy_job(copy, job);
        if (r < 0)
                return r;
        DL_FOREACH(image->history, item) {
                r = store_batch_add_history(copy, item->entry, item->max_entries);
                if (r < 0)
                        return r;
        }
        *ret = TAKE_PTR(copy);
        return 0;
}

static bool batch_fits(const struct store_batch *image, const struct store_batch *from) {
        for (const struct batch_job *job = from->jobs; job; job = job->hh.next) {
                if (!job->files || job->record)
                        continue;
                if (job->removed || !batch_find_job(image, &job->id))
                        return false;
        }
        return true;
}

static int batch_apply_job(struct store_batch *image, struct batch_job *from) {
        struct batch_job *job = batch_find_job(image, &from->id);
        struct batch_file *file;
        int r;

        if (from->removed && job) {
                batch_forget_job(image, job);
                job = NULL;
        }
        if (from->record) {
                r = batch_need_job(image, &from->id, &job);
                if (r < 0)
                        return r;
                record_job_free(job->record);
                job->record = TAKE_PTR(from->record);
        }
        DL_FOREACH(from->files, file) {
                r = batch_put_file(image, job, file->record);
                if (r < 0)
                        return r;
                file->record = NULL;
        }
        return 0;
}

int batch_apply(struct store_batch *image, struct store_batch *from) {
        struct batch_history *item, *next;
        int r;

        if (!batch_fits(image, from))
                return error_trace(-ENOENT);
        for (struct batch_job *job = from->jobs; job; job = job->hh.next) {
                r = batch_apply_job(image, job);
                if (r < 0)
                        return r;
        }
        DL_FOREACH_SAFE(from->history, item, next) {
                size_t max_entries = item->max_entries;

                DL_DELETE(from->history, item);
                from->n_history--;
                DL_APPEND(image->history, item);
                image->n_history++;
                while (image->n_history > max_entries)
                        batch_drop_history(image, image->history);
        }
        return 0;
}

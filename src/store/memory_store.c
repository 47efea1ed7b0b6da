/* The twin without a disk. Its truth is one batch image of deep copies, never a pointer to a live job. */
#include "store/store.h"

#include <sys/eventfd.h>
#include <utlist.h>

#include "base/fds.h"
#include "store/batch.h"
#include "store/commit.h"

struct memory_store {
        struct store store;
        struct store_batch *image;
        struct commit *pending;
        struct store_batch *backup; /* as of backup_usec */
        uint64_t backup_usec, backup_due_usec;
        bool failed; /* until store_recover() */
        int event_fd;
};

static const struct store_ops memory_ops;

static struct memory_store *memory_store_of(const struct store *store) {
        assert(store->ops == &memory_ops);
        return CONTAINER_OF(store, struct memory_store, store);
}

static void memory_free(struct store *store) {
        struct memory_store *self = memory_store_of(store);
        struct commit *commit, *next;

        /* Submitted means written, as in the real one. */
        DL_FOREACH_SAFE(self->pending, commit, next)
                if (commit->batch)
                        (void) batch_apply(self->image, commit->batch);
        commit_drop_all(&self->pending);
        store_batch_free(self->image);
        store_batch_free(self->backup);
        fd_close(self->event_fd);
        free(self);
}

static int file_order(const struct batch_file *a, const struct batch_file *b) {
        return a->key.index < b->key.index ? -1 : a->key.index > b->key.index;
}

static int memory_load_job(struct batch_job *entry, struct job **ret) {
        _cleanup_(record_job_freep) struct job *copy = NULL;
        _cleanup_(job_freep) struct job *job = NULL;
        struct batch_file *file;
        int r;

        r = record_job_copy(entry->record, &copy);
        if (r < 0)
                return r;
        r = record_job_revive(copy, &job);
        if (r < 0)
                return r;
        DL_SORT(entry->files, file_order);
        DL_FOREACH(entry->files, file) {
                _cleanup_(record_file_freep) struct job_file *file_copy = NULL;

                r = record_file_new(file->record, &file_copy);
                if (r == 0)
                        r = chunks_put_all(&file_copy->chunks, &file->record->chunks);
                if (r < 0)
                        return r;
                r = record_file_revive(file_copy, job);
                if (r < 0)
                        return r;
        }
        r = record_job_finish(job);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(job);
        return 0;
}

static int memory_load(struct store *store, const struct store_visitor *visitor, void *userdata) {
        struct memory_store *self = memory_store_of(store);
        struct batch_history *item;
        int r;

        for (struct batch_job *entry = self->image->jobs; entry; entry = entry->hh.next) {
                struct job *job;

                r = memory_load_job(entry, &job);
                if (r < 0)
                        return r;
                r = visitor->job(job, userdata);
                if (r != 0)
                        return r;
        }
        DL_FOREACH(self->image->history, item) {
                struct history_entry *entry;

                r = record_history_new(item->entry, &entry);
                if (r < 0)
                        return r;
                r = visitor->history(entry, userdata);
                if (r != 0)
                        return r;
        }
        return 0;
}

static int memory_commit(struct store *store, struct store_batch *batch, store_done_fn done, void *userdata) {
        struct memory_store *self = memory_store_of(store);
        struct commit *commit;
        int r = commit_new(batch, done, userdata, &commit);

        if (r < 0)
                return r;
        if (self->failed)
                commit->error = -ECANCELED;
        DL_APPEND(self->pending, commit);
        (void) eventfd_write(self->event_fd, 1);
        return 0;
}

static int memory_recover(struct store *store) {
        memory_store_of(store)->failed = false;
        return 0;
}

static int memory_fd(const struct store *store) {
        return memory_store_of(store)->event_fd;
}

static void memory_fail_pending(struct memory_store *self) {
        struct commit *commit;

        self->failed = true;
        DL_FOREACH(self->pending, commit)
                if (commit->error == 0 && commit->batch)
                        commit->error = -ECANCELED;
}

static int memory_backup(struct store *store, uint64_t now_usec, store_done_fn done, void *userdata) {
        struct memory_store *self = memory_store_of(store);
        struct commit *commit;
        int r;

        DL_FOREACH(self->pending, commit)
                if (!commit->batch)
                        return -EBUSY;
        r = commit_new(NULL, done, userdata, &commit);
        if (r < 0)
                return r;
        self->backup_due_usec = now_usec;
        DL_APPEND(self->pending, commit);
        (void) eventfd_write(self->event_fd, 1);
        return 0;
}

static uint64_t memory_backup_time(const struct store *store) {
        return memory_store_of(store)->backup_usec;
}

static int memory_take_backup(struct memory_store *self) {
        struct store_batch *copy;
        int r = batch_copy(self->image, &copy);

        if (r < 0)
                return r;
        store_batch_free(self->backup);
        self->backup = copy;
        self->backup_usec = self->backup_due_usec;
        return 0;
}

bool store_memory_restore(struct store *store) {
        struct memory_store *self = memory_store_of(store);
        struct batch_file *file;

        assert(!self->pending);
        if (!self->backup)
                return false;
        store_batch_free(self->image);
        self->image = TAKE_PTR(self->backup);
        self->failed = false;
        for (struct batch_job *job = self->image->jobs; job; job = job->hh.next) {
                record_mark_restored(job->record);
                DL_FOREACH(job->files, file)
                        record_file_mark_restored(file->record);
        }
        return true;
}

static size_t memory_dispatch(struct store *store) {
        struct memory_store *self = memory_store_of(store);
        size_t n_due = 0, n = 0;
        struct commit *commit;
        eventfd_t count;

        (void) eventfd_read(self->event_fd, &count);
        /* What a callback submits waits for the next round, so that this one ends. */
        DL_COUNT(self->pending, commit, n_due);
        for (; n < n_due && self->pending; n++) {
                commit = self->pending;
                if (commit->error == 0 && !commit->batch)
                        commit->error = memory_take_backup(self);
                else if (commit->error == 0) {
                        int r = batch_apply(self->image, commit->batch);

                        if (r < 0) {
                                memory_fail_pending(self);
                                commit->error = r;
                        }
                }
                commit_deliver_first(&self->pending);
        }
        return n;
}

int store_open_memory(struct store **ret) {
        struct memory_store *self = calloc(1, sizeof(*self));
        int r;

        if (!self)
                return -ENOMEM;
        self->store.ops = &memory_ops;
        self->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        r = self->event_fd < 0 ? -errno : store_batch_new(&self->image);
        if (r < 0) {
                memory_free(&self->store);
                return r;
        }
        *ret = &self->store;
        return 0;
}

void store_memory_crash(struct store *store) {
        struct memory_store *self = memory_store_of(store);
        eventfd_t count;

        commit_drop_all(&self->pending);
        self->failed = false;
        (void) eventfd_read(self->event_fd, &count);
}

static const struct store_ops memory_ops = {
        .name = "memory",
        .free = memory_free,
        .load = memory_load,
        .commit = memory_commit,
        .recover = memory_recover,
        .backup = memory_backup,
        .backup_time = memory_backup_time,
        .fd = memory_fd,
        .dispatch = memory_dispatch,
        .wait = memory_dispatch,
};

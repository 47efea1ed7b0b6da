/* The durable one. One thread writes: it takes every batch that waits at that moment and makes one transaction of them, so that a
 * slow disk makes groups larger, not queues longer. The connection is used by one side at a time: by the thread while `writing`,
 * by store_load() while `loading`, else by nobody.
 *
 * Checkpoints (the write-ahead log into the database file) are made by our own hook, after the answers are out, and not by
 * SQLite inside of COMMIT: that one ignores their errors, and a failed fsync must end this process. */
#include "store/sqlite_store.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <utlist.h>

#include "base/clock.h"
#include "base/fds.h"
#include "base/log.h"
#include "store/commit.h"
#include "store/sqlite_backup.h"
#include "store/sqlite_db.h"
#include "store/sqlite_reserve.h"
#include "store/sqlite_rows.h"
#include "store/sqlite_schema.h"
#include "store/stash.h"

#define RESERVE_AGAIN_USEC USEC_PER_MINUTE

struct sqlite_store {
        struct store store;
        char *directory; /* without symbolic links: SQLite refuses them */
        char *path;
        sqlite3 *db;
        struct rows rows;
        int wal_pages; /* as of the last commit */
        uint64_t reserve_usec; /* when it may be set aside again; 0: it is there, as far as we know */
        struct commit *due; /* being called back; the loop's alone */
        struct stash judged; /* after an unclean end: what the next load finds, all of it; the loop's alone */
        bool is_judged;
        int event_fd;

        pthread_t thread;
        bool has_thread;
        pthread_mutex_t lock; /* for all below */
        pthread_cond_t wake;  /* the thread: something to write, or stop */
        pthread_cond_t idle;  /* the others: something is finished, or the connection is free */
        struct commit *queue;
        struct commit *finished; /* by the thread */
        uint64_t n_transactions;
        bool stop;
        bool writing;
        bool loading;
        bool failed;    /* everything is answered -ECANCELED until store_recover() */
        int lost;       /* what was found after the answers were out: the next group's error */
        int final;      /* nothing helps but a new process */

        struct commit *backup_due;  /* who waits for the backup that is being made */
        struct backup *backup;      /* the thread's, then the finisher's */
        pthread_t finisher;         /* checks and syncs the copy */
        bool has_finisher;
        uint64_t backup_usec, backup_due_usec; /* of the newest; of the one that is being made */
};

static const struct store_ops sqlite_ops;

static struct sqlite_store *sqlite_store_of(const struct store *store) {
        assert(store->ops == &sqlite_ops);
        return CONTAINER_OF(store, struct sqlite_store, store);
}

/* ---- the thread ---- */

static int start_thread(pthread_t *ret, void *main(void *), struct sqlite_store *self) {
        sigset_t all, before;
        int error;

        /* Signals belong to the loop's thread. */
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before);
        error = pthread_create(ret, NULL, main, self);
        pthread_sigmask(SIG_SETMASK, &before, NULL);
        return -error;
}

static int write_group(struct sqlite_store *self, const struct commit *group) {
        const struct commit *commit;
        int r;

        r = rows_begin(&self->rows);
        if (r < 0)
                return r;
        DL_FOREACH(group, commit) {
                r = rows_write_batch(&self->rows, commit->batch);
                if (r < 0)
                        return r;
        }
        return rows_commit(&self->rows);
}

/* @ret_final: set to the error when a new process has to look at the file. */
static int write_group_or_nothing(struct sqlite_store *self, const struct commit *group, int *ret_final) {
        int r, rollback;

        self->rows.rc = SQLITE_OK;
        r = write_group(self, group);
        if (r == 0)
                return 0;
        if (database_error_is_final(self->rows.rc))
                *ret_final = r;
        rollback = rows_rollback(&self->rows);
        if (rollback < 0 || !sqlite3_get_autocommit(self->db))
                *ret_final = rollback < 0 ? rollback : r;
        return r;
}

static bool ends_a_job(const struct commit *group) {
        const struct commit *commit;
        const struct batch_job *job;

        DL_FOREACH(group, commit)
                for (job = commit->batch->jobs; job; job = job->hh.next)
                        if (job->record ? job_state_is_final(job->record->state) || job->record->intent != JOB_INTENT_NONE : job->removed)
                                return true;
        return false;
}

/* A full disk must not keep anybody from making room on it. */
static int write_group_somehow(struct sqlite_store *self, const struct commit *group, int *ret_final) {
        int r = write_group_or_nothing(self, group, ret_final);

        if ((r != -ENOSPC && r != -EDQUOT) || *ret_final < 0 || !ends_a_job(group) || !reserve_spend(self->directory))
                return r;
        log_warning("the disk of the service's state is full: the space that was set aside for this is used up now");
        self->reserve_usec = 1;
        return write_group_or_nothing(self, group, ret_final);
}

/* On the store's thread: between commits, since it takes a moment. */
static void set_aside_if_due(struct sqlite_store *self) {
        uint64_t now;

        if (self->reserve_usec == 0)
                return;
        now = clock_now(&clock_system, CLOCK_ID_MONOTONIC);
        if (now < self->reserve_usec)
                return;
        self->reserve_usec = reserve_make(self->directory) == -ENOSPC ? now + RESERVE_AGAIN_USEC : 0;
}

static void checkpoint_if_due(struct sqlite_store *self, int *ret_final) {
        int rc;

        if (self->wal_pages < DATABASE_CHECKPOINT_PAGES)
                return;
        rc = sqlite3_wal_checkpoint_v2(self->db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
        self->wal_pages = 0;
        if (rc == SQLITE_OK)
                return;
        /* Any other error: everything is safe in the log, the next commit tries again. */
        log_debug("store: checkpoint: %s (%d)", sqlite3_errmsg(self->db), rc);
        if (database_error_is_final(rc))
                *ret_final = database_errno(self->db, rc);
}

/* Lock held. */
static void finish_commits(struct sqlite_store *self, struct commit **list, int error) {
        struct commit *commit, *next;

        DL_FOREACH_SAFE(*list, commit, next) {
                DL_DELETE(*list, commit);
                commit->error = error;
                DL_APPEND(self->finished, commit);
        }
}

/* Somebody removed or replaced the file: what is written goes with our descriptor, and nobody would hear of it. */
static bool is_taken_away(const struct sqlite_store *self) {
        int moved = 0;

        return sqlite3_file_control(self->db, "main", SQLITE_FCNTL_HAS_MOVED, &moved) == SQLITE_OK && moved;
}

/* A backup of what nobody else sees any more: the next start takes it if it finds no database. */
static void rescue(struct sqlite_store *self) {
        struct backup *backup = NULL;
        int r;

        self->backup = backup_free(self->backup); /* half of one, under the same name */
        r = backup_begin(self->db, self->directory, self->path, &backup);
        if (r == 0)
                while ((r = backup_step(backup)) > 0)
                        ;
        if (r == 0)
                r = backup_finish(backup, clock_now(&clock_system, CLOCK_ID_REALTIME));
        if (r < 0)
                log_debug("store: the database was taken away, and there is no backup of what it had: %s", strerror(-r));
        backup_free(backup);
}

/* Lock held on entry and exit. */
static void write_what_waits(struct sqlite_store *self) {
        struct commit *group = self->queue, *commit;
        bool has_finisher = self->has_finisher; /* the backup that it ends is as good, and has the name that ours would have */
        int final = 0, r = self->lost;

        self->queue = NULL;
        self->writing = true;
        pthread_mutex_unlock(&self->lock);

        if (r == 0 && is_taken_away(self)) {
                r = final = -ESTALE;
                if (!has_finisher)
                        rescue(self);
        }
        if (r == 0)
                r = write_group_somehow(self, group, &final);
        /* Large batches are freed here, not on the loop. */
        DL_FOREACH(group, commit)
                commit->batch = store_batch_free(commit->batch);

        pthread_mutex_lock(&self->lock);
        self->n_transactions++;
        finish_commits(self, &group, r);
        if (r < 0) {
                self->failed = true;
                self->final = final < 0 ? final : self->final;
                finish_commits(self, &self->queue, -ECANCELED);
        }
        (void) eventfd_write(self->event_fd, 1);
        pthread_cond_broadcast(&self->idle);
        pthread_mutex_unlock(&self->lock);

        if (r == 0) {
                checkpoint_if_due(self, &final);
                set_aside_if_due(self);
        }

        pthread_mutex_lock(&self->lock);
        if (r == 0 && final < 0)
                self->lost = self->final = final;
        self->writing = false;
        pthread_cond_broadcast(&self->idle);
}

/* ---- the backup: pages are copied between the commits, all that takes longer has a thread of its own ---- */

/* Lock held. */
static void backup_ended(struct sqlite_store *self, int error) {
        struct commit *commit = TAKE_PTR(self->backup_due);

        if (error == 0)
                self->backup_usec = self->backup_due_usec;
        commit->error = error;
        DL_APPEND(self->finished, commit);
        (void) eventfd_write(self->event_fd, 1);
        pthread_cond_broadcast(&self->idle);
}

static void *finisher_main(void *arg) {
        struct sqlite_store *self = arg;
        int r = backup_finish(self->backup, self->backup_due_usec);

        self->backup = backup_free(self->backup);
        pthread_mutex_lock(&self->lock);
        backup_ended(self, r);
        pthread_mutex_unlock(&self->lock);
        return NULL;
}

static bool has_pages_to_copy(const struct sqlite_store *self) {
        return self->backup_due && !self->has_finisher && !self->stop;
}

/* Lock held on entry and exit. */
static void copy_some_pages(struct sqlite_store *self) {
        int r = 0;

        self->writing = true; /* the connection is in use */
        pthread_mutex_unlock(&self->lock);
        if (!self->backup)
                r = backup_begin(self->db, self->directory, self->path, &self->backup);
        if (r == 0)
                r = backup_step(self->backup);
        if (r < 0)
                self->backup = backup_free(self->backup);
        pthread_mutex_lock(&self->lock);
        if (r == 0) {
                r = start_thread(&self->finisher, finisher_main, self);
                self->has_finisher = r == 0;
        }
        if (r < 0)
                backup_ended(self, r);
        self->writing = false;
        pthread_cond_broadcast(&self->idle);
}

static void *thread_main(void *arg) {
        struct sqlite_store *self = arg;

        pthread_mutex_lock(&self->lock);
        for (;;) {
                while (self->loading || (!self->queue && !self->stop && !has_pages_to_copy(self)))
                        pthread_cond_wait(&self->wake, &self->lock);
                if (self->queue)
                        write_what_waits(self);
                else if (self->stop)
                        break;
                if (has_pages_to_copy(self))
                        copy_some_pages(self);
        }
        pthread_mutex_unlock(&self->lock);
        return NULL;
}

/* ---- the loop's side ---- */

static void sqlite_free(struct store *store) {
        struct sqlite_store *self = sqlite_store_of(store);

        if (self->has_thread) {
                pthread_mutex_lock(&self->lock);
                self->stop = true;
                pthread_cond_signal(&self->wake);
                pthread_mutex_unlock(&self->lock);
                pthread_join(self->thread, NULL);
        }
        if (self->has_finisher)
                pthread_join(self->finisher, NULL);
        self->backup = backup_free(self->backup);
        commit_free(self->backup_due);
        commit_drop_all(&self->finished);
        commit_drop_all(&self->due);
        stash_done(&self->judged);
        rows_done(&self->rows);
        /* After a failed fsync the log is the only truth: a checkpoint at closing could destroy it. */
        database_close(self->db, self->final < 0);
        fd_close(self->event_fd);
        pthread_mutex_destroy(&self->lock);
        pthread_cond_destroy(&self->wake);
        pthread_cond_destroy(&self->idle);
        free(self->directory);
        free(self->path);
        free(self);
}

static int sqlite_load(struct store *store, const struct store_visitor *visitor, void *userdata) {
        struct sqlite_store *self = sqlite_store_of(store);
        int r;

        if (self->is_judged) {
                self->is_judged = false;
                return stash_give(&self->judged, visitor, userdata);
        }
        /* Not under the lock: the visitor may submit. */
        pthread_mutex_lock(&self->lock);
        while (self->queue || self->writing)
                pthread_cond_wait(&self->idle, &self->lock);
        self->loading = true;
        pthread_mutex_unlock(&self->lock);

        r = rows_load(&self->rows, visitor, userdata);

        pthread_mutex_lock(&self->lock);
        self->loading = false;
        pthread_cond_signal(&self->wake);
        pthread_mutex_unlock(&self->lock);
        return r;
}

static int sqlite_commit(struct store *store, struct store_batch *batch, store_done_fn done, void *userdata) {
        struct sqlite_store *self = sqlite_store_of(store);
        struct commit *commit;
        int r = commit_new(batch, done, userdata, &commit);

        if (r < 0)
                return r;
        if (self->is_judged) {
                self->is_judged = false; /* it is not what a load would find any more */
                stash_done(&self->judged);
        }
        pthread_mutex_lock(&self->lock);
        if (self->failed) {
                commit->error = -ECANCELED;
                DL_APPEND(self->finished, commit);
                (void) eventfd_write(self->event_fd, 1);
        } else {
                DL_APPEND(self->queue, commit);
                pthread_cond_signal(&self->wake);
        }
        pthread_mutex_unlock(&self->lock);
        return 0;
}

static int sqlite_recover(struct store *store) {
        struct sqlite_store *self = sqlite_store_of(store);
        int r;

        pthread_mutex_lock(&self->lock);
        r = self->final;
        if (r == 0)
                self->failed = false;
        pthread_mutex_unlock(&self->lock);
        return r;
}

static int sqlite_backup(struct store *store, uint64_t now_usec, store_done_fn done, void *userdata) {
        struct sqlite_store *self = sqlite_store_of(store);
        struct commit *commit;
        int r = commit_new(NULL, done, userdata, &commit);

        if (r < 0)
                return r;
        pthread_mutex_lock(&self->lock);
        if (self->backup_due)
                r = -EBUSY;
        else if (self->has_finisher) {
                pthread_join(self->finisher, NULL); /* it has answered: this takes no time */
                self->has_finisher = false;
        }
        if (r == 0) {
                self->backup_due = commit;
                self->backup_due_usec = now_usec;
                pthread_cond_signal(&self->wake);
        }
        pthread_mutex_unlock(&self->lock);
        if (r < 0)
                commit_free(commit);
        return r;
}

static uint64_t sqlite_backup_time(const struct store *store) {
        struct sqlite_store *self = sqlite_store_of(store);
        uint64_t usec;

        pthread_mutex_lock(&self->lock);
        usec = self->backup_usec;
        pthread_mutex_unlock(&self->lock);
        return usec;
}

static int sqlite_fd(const struct store *store) {
        return sqlite_store_of(store)->event_fd;
}

static size_t sqlite_dispatch(struct store *store) {
        struct sqlite_store *self = sqlite_store_of(store);
        eventfd_t count;
        size_t n = 0;

        (void) eventfd_read(self->event_fd, &count);
        pthread_mutex_lock(&self->lock);
        DL_CONCAT(self->due, self->finished);
        self->finished = NULL;
        pthread_mutex_unlock(&self->lock);

        for (; self->due; n++)
                commit_deliver_first(&self->due);
        return n;
}

static size_t sqlite_wait(struct store *store) {
        struct sqlite_store *self = sqlite_store_of(store);

        pthread_mutex_lock(&self->lock);
        while (!self->finished && (self->queue || self->writing || self->backup_due))
                pthread_cond_wait(&self->idle, &self->lock);
        pthread_mutex_unlock(&self->lock);
        return sqlite_dispatch(store);
}

uint64_t sqlite_store_transactions(const struct store *store) {
        return sqlite_store_of(store)->n_transactions;
}

int sqlite_store_query(struct store *store, const char *sql, int64_t *ret) {
        return database_get_int(sqlite_store_of(store)->db, sql, ret);
}

/* ---- opening ---- */

static int note_wal_pages(void *userdata, sqlite3 *db _unused_, const char *name _unused_, int n_pages) {
        struct sqlite_store *self = userdata;

        self->wal_pages = n_pages;
        return SQLITE_OK;
}

/* Pages may be sound and rows nonsense. Found only when the rows are wanted it would be too late: the file would be in use. They are kept for
 * whom they are wanted by: reading them takes most of a start with many jobs. */
static int judge_rows(struct sqlite_store *self) {
        int r = rows_load(&self->rows, &stash_visitor, &self->judged);

        if (r < 0)
                stash_done(&self->judged);
        self->is_judged = r == 0;
        return r;
}

static int open_database(struct sqlite_store *self, const struct store_options *options) {
        int version, r;

        r = database_open(self->path, &self->db);
        if (r < 0)
                return r;
        version = schema_identify(self->db, n_schema_versions);
        if (version < 0)
                return version;
        /* A state that once had jobs never begins anew in silence. */
        self->backup_usec = backup_time(self->path);
        if (version == 0 && self->backup_usec > 0)
                return -EUCLEAN;
        if (options->unclean) {
                r = database_quick_check(self->db);
                if (r < 0)
                        return r;
        }
        r = database_configure(self->db, options->network_fs);
        if (r < 0)
                return r;
        r = schema_upgrade(self->db, self->directory, self->path, (unsigned) version, schema_versions,
                           n_schema_versions);
        if (r < 0)
                return r;
        (void) sqlite3_wal_hook(self->db, note_wal_pages, self);
        r = rows_init(&self->rows, self->db, options->sealer);
        return r == 0 && options->unclean ? judge_rows(self) : r;
}

static int find_paths(const char *state_dir, char **ret_directory, char **ret_path) {
        *ret_directory = realpath(state_dir, NULL);
        if (!*ret_directory)
                return -errno;
        if (asprintf(ret_path, "%s/" DATABASE_NAME, *ret_directory) < 0) {
                *ret_path = NULL;
                return -ENOMEM;
        }
        return 0;
}

static int open_store(struct sqlite_store *self, const struct store_options *options) {
        int r = find_paths(options->state_dir, &self->directory, &self->path);

        if (r == 0)
                r = database_create_file(self->directory, self->path);
        if (r < 0)
                return r;
        r = open_database(self, options);
        if (r < 0) {
                /* As it was found: the log of a newer or damaged file is evidence. */
                rows_done(&self->rows);
                self->db = database_close(self->db, true);
                if (r == -EUCLEAN) {
                        int moved = database_move_aside(self->directory, self->path);

                        return moved < 0 ? moved : r;
                }
                return r;
        }
        self->reserve_usec = 1;
        set_aside_if_due(self);
        r = start_thread(&self->thread, thread_main, self);
        self->has_thread = r == 0;
        return r;
}

int store_open_sqlite(const struct store_options *options, struct store **ret) {
        struct sqlite_store *self = calloc(1, sizeof(*self));
        int r;

        if (!self)
                return -ENOMEM;
        self->store.ops = &sqlite_ops;
        pthread_mutex_init(&self->lock, NULL);
        pthread_cond_init(&self->wake, NULL);
        pthread_cond_init(&self->idle, NULL);
        self->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        r = self->event_fd < 0 ? -errno : open_store(self, options);
        if (r < 0) {
                sqlite_free(&self->store);
                return error_trace(r);
        }
        *ret = &self->store;
        return 0;
}

int store_restore_sqlite(const struct store_options *options, uint64_t *ret_usec) {
        _cleanup_free_ char *directory = NULL, *path = NULL;
        int r = find_paths(options->state_dir, &directory, &path);

        return r < 0 ? r : backup_restore(directory, path, options->sealer, ret_usec);
}

static const struct store_ops sqlite_ops = {
        .name = "sqlite",
        .free = sqlite_free,
        .load = sqlite_load,
        .commit = sqlite_commit,
        .recover = sqlite_recover,
        .backup = sqlite_backup,
        .backup_time = sqlite_backup_time,
        .fd = sqlite_fd,
        .dispatch = sqlite_dispatch,
        .wait = sqlite_wait,
};

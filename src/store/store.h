/* The durable truth: jobs, files, ranges, history. The only place that knows SQL (sqlite_store.c).
 *
 * 1. store_open_*() then store_load() once: it calls back for everything that is there. Both block; they are for start-up.
 * 2. Collect changes in a batch: each store_batch_*() call copies what it needs, the job may change or go afterwards.
 * 3. store_commit() hands the batch to the store's thread: one transaction. The callback comes on the loop from
 *    store_dispatch() when it is durable. Batches become durable in the order of their submission.
 * 4. Commit, then answer: nobody is told anything that the callback has not confirmed.
 * 5. A failed commit changed nothing on disk. What was submitted after it fails too (-ECANCELED) until store_recover() is
 *    called: nothing may be built on a change that is not there. When store_recover() fails (a failed fsync, damage) the change
 *    may be there or not: only a new process that loads again knows.
 *
 * Backends stand behind `struct store_ops`: sqlite, memory (tests), faulty (wraps another one, fails by plan). */
#pragma once

#include "job/job.h"
#include "store/sealer.h"

struct store;
struct store_batch;

/* @state_dir: an existing directory of ours, 0700. -EPROTONOSUPPORT: schema is newer than we (file untouched); -EUCLEAN: damaged
 * beyond repair and moved aside, or lost while there is a backup: the caller decides; @network_fs: rollback journal, synchronous=EXTRA (design decision 24). */
struct store_options {
        const char *state_dir;
        bool network_fs;
        bool unclean; /* the last run did not end well: pages and rows are judged first */
        const struct sealer *sealer; /* borrowed; NULL: a job with secrets cannot be saved (-ENOKEY) */
};
int store_open_sqlite(const struct store_options *options, struct store **ret);
/* After -EUCLEAN: puts the newest good backup in the place of the database that is gone. 1: done, *ret_usec says of when; its jobs are marked
 * (job.restored), as is every temp file that was being filled (INO_UNKNOWN). 0: there is no good one. Then open once more. */
int store_restore_sqlite(const struct store_options *options, uint64_t *ret_usec);
/* Keeps everything in memory; commits become "durable" at store_dispatch(), in order. store_memory_crash() throws away what was
 * not durable, as a power cut does; the store can then be loaded again. */
int store_open_memory(struct store **ret);
void store_memory_crash(struct store *store);
/* As if the database had been damaged and its backup had been taken; false: there is none. Nothing may be outstanding. */
bool store_memory_restore(struct store *store);

/* Fails the @nth commit from now (0: the next) with @error, once or for ever after. Owns @inner. */
int store_open_faulty(struct store *inner, struct store **ret);
void store_faulty_plan(struct store *store, unsigned nth, int error, bool persistent);
/* store_memory_crash() through the faulty one: what was not delivered is forgotten on both sides. */
void store_faulty_crash(struct store *store);

/* Waits for what was submitted, but calls nobody back: store_wait() until it gives 0 does that. */
struct store *store_free(struct store *store);
DEFINE_CLEANUP_FUNC(struct store, store_free)

struct store_visitor {
        /* @job is complete with its files and OWNED by the callee from now on. Non-zero stops and is returned. */
        int (*job)(struct job *job, void *userdata);
        /* OWNED by the callee. Oldest first. */
        int (*history)(struct history_entry *entry, void *userdata);
};
int store_load(struct store *store, const struct store_visitor *visitor, void *userdata);

int store_batch_new(struct store_batch **ret);
struct store_batch *store_batch_free(struct store_batch *batch);
DEFINE_CLEANUP_FUNC(struct store_batch, store_batch_free)
bool store_batch_is_empty(const struct store_batch *batch);

/* The job's own row: everything in struct job that is stored, not its files. Inserts or replaces. A later save of the same job in
 * the same batch overwrites the earlier one. */
int store_batch_save_job(struct store_batch *batch, const struct job *job);
/* The file's row and its durable ranges. Inserts or replaces. */
int store_batch_save_file(struct store_batch *batch, const struct job_file *file);
/* New hashes of a file that this batch saves, beside those that are stored (-ENOENT: it does not). What its ranges do not claim is
 * dropped, now and with every later save. */
int store_batch_add_chunks(struct store_batch *batch, const struct job_file *file, const struct chunks *chunks);
/* Job, files and ranges. */
int store_batch_remove_job(struct store_batch *batch, const struct guid *id);
/* Adds one entry; keeps at most @max_entries. */
int store_batch_add_history(struct store_batch *batch, const struct history_entry *entry, size_t max_entries);

typedef void (*store_done_fn)(int error, void *userdata);
/* @batch is CONSUMED. 0: the callback will come, exactly once. -errno: nothing was taken but the batch is freed. */
int store_commit(struct store *store, struct store_batch *batch, store_done_fn done, void *userdata);
/* After a failure was handled (memory and disk agree again). 0, or -errno if the store cannot go on: exit and start anew. */
int store_recover(struct store *store);

/* Begins a copy of all that is durable; commits go on meanwhile. Two are kept. 0: the callback will come, once. -EBUSY: one is being made. */
int store_backup(struct store *store, uint64_t now_usec, store_done_fn done, void *userdata);
uint64_t store_backup_time(const struct store *store); /* @now_usec of the newest; 0: there is none */

/* Readable when store_dispatch() has something to do. */
int store_fd(const struct store *store);
size_t store_dispatch(struct store *store);
/* Blocks until something is finished or nothing is outstanding, then dispatches. For tests and shut-down. */
size_t store_wait(struct store *store);

struct store_ops {
        const char *name;
        void (*free)(struct store *store);
        int (*load)(struct store *store, const struct store_visitor *visitor, void *userdata);
        int (*commit)(struct store *store, struct store_batch *batch, store_done_fn done, void *userdata);
        int (*recover)(struct store *store);
        int (*backup)(struct store *store, uint64_t now_usec, store_done_fn done, void *userdata);
        uint64_t (*backup_time)(const struct store *store);
        int (*fd)(const struct store *store);
        size_t (*dispatch)(struct store *store);
        size_t (*wait)(struct store *store);
};
struct store {
        const struct store_ops *ops; /* first member of every backend */
};

/* What a batch holds: deep copies, each job and file at most once. Internal to src/store; all backends read it, so there is one
 * encoding of a change. The memory twin keeps its whole truth in one.
 *
 * Order: for each job first its removal, then its row, then its files; no two jobs depend on each other, so their order within
 * one transaction does not matter. History entries come in the order of their addition. */
#pragma once

/* uthash ends the process when memory is short, unless told not to. */
#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#include "store/record.h"
#include "store/store.h"

struct batch_file {
        struct batch_file_key {
                struct guid job;
                uint32_t index;
        } key;
        struct job_file *record;
        struct batch_file *prev, *next; /* of its job */
        UT_hash_handle hh;
};

struct batch_job {
        struct guid id;
        bool removed;       /* everything that is there goes first */
        struct job *record; /* or NULL: its row stays as it is */
        struct batch_file *files;
        UT_hash_handle hh;
};

struct batch_history {
        struct history_entry *entry;
        size_t max_entries;
        struct batch_history *prev, *next;
};

struct store_batch {
        struct batch_job *jobs;   /* by id; walked with hh.next in the order of addition */
        struct batch_file *files; /* by key */
        struct batch_history *history;
        size_t n_history;
};

struct batch_job *batch_find_job(const struct store_batch *batch, const struct guid *id);
/* The job's rows and its entry are gone, as if it had never been named. */
void batch_forget_job(struct store_batch *batch, struct batch_job *job);
/* All of @from's changes become @image's content; @from keeps nothing. -ENOENT: a file of a job that is not there, nothing was
 * changed. */
int batch_apply(struct store_batch *image, struct store_batch *from);
/* A deep copy of an image, hashes of chunks and all. */
int batch_copy(const struct store_batch *image, struct store_batch **ret);

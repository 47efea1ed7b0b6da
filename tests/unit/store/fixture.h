/* What the tests of the store share: a state folder, jobs with something in every field, and a look at what a store holds. */
#pragma once

#include "../unit.h"

#include "store/store.h"

/* A new directory below $TMPDIR; removed with everything in it. */
char *folder_new(void);
void folder_remove(char *path);
char *folder_file(const char *folder, const char *name); /* free() it */

struct store *open_sqlite(const char *folder);
struct store *open_sqlite_unclean(const char *folder);

struct guid sample_id(unsigned number);
/* How the fields are filled: as a new job, with distinct values, or with the greatest that are allowed. */
enum sample { SAMPLE_NEW, SAMPLE_DISTINCT, SAMPLE_GREATEST, _SAMPLE_MAX };
struct job *sample_job(unsigned number, enum sample sample, unsigned n_files);
struct history_entry *sample_history(unsigned number, enum sample sample);

void assert_jobs_equal(const struct job *a, const struct job *b);
void assert_history_equal(const struct history_entry *a, const struct history_entry *b);

/* Everything that store_load() hands out. */
struct content {
        struct job **jobs;
        size_t n_jobs;
        struct history_entry **history;
        size_t n_history;
};
int content_load(struct store *store, struct content *content); /* what store_load() said */
void content_done(struct content *content);
struct job *content_find(const struct content *content, const struct guid *id); /* NULL: not there */

/* One batch with the job and all its files. */
struct store_batch *batch_of(const struct job *job);
/* Submits, waits, gives what the callback said. */
int commit_now(struct store *store, struct store_batch *batch);
int save_now(struct store *store, const struct job *job);

/* Notes the order of callbacks. */
struct answers {
        int error[64];
        unsigned tag[64];
        unsigned n;
};
void submit(struct store *store, struct store_batch *batch, struct answers *answers, unsigned tag);
void wait_for_all(struct store *store, const struct answers *answers, unsigned n);

/* Runs SQL on the database of a closed store. */
void raw_sql(const char *folder, const char *sql);
/* Text of the first column of the first row; free() it. */
char *raw_query(const char *folder, const char *sql);
/* The same for any file. */
char *raw_query_file(const char *path, const char *sql);

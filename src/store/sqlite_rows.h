/* Jobs, files, ranges and history as rows. What is read may be damaged in any way that a valid database file allows: the answer
 * to nonsense is -EUCLEAN. Internal to src/store. */
#pragma once

#include <sqlite3.h>

#include "store/batch.h"
#include "store/sealer.h"

enum rows_statement {
        ROWS_BEGIN,
        ROWS_COMMIT,
        ROWS_ROLLBACK,
        ROWS_FIND_JOB,
        ROWS_SAVE_JOB,
        ROWS_REMOVE_JOB,
        ROWS_SAVE_FILE,
        ROWS_UPDATE_FILE,
        ROWS_REMOVE_REQUESTED,
        ROWS_ADD_REQUESTED,
        ROWS_HAS_REQUESTED,
        ROWS_REMOVE_DURABLE,
        ROWS_ADD_DURABLE,
        ROWS_HAS_DURABLE,
        ROWS_REMOVE_CHUNKS,
        ROWS_ADD_CHUNK,
        ROWS_HAS_CHUNK,
        ROWS_ADD_HISTORY,
        ROWS_TRIM_HISTORY,
        ROWS_LOAD_JOBS,
        ROWS_LOAD_FILES,
        ROWS_LOAD_REQUESTED,
        ROWS_LOAD_DURABLE,
        ROWS_LOAD_CHUNKS,
        ROWS_LOAD_HISTORY,
        _ROWS_STATEMENT_MAX,
};

#define ROWS_FIELDS_MAX 64 /* of a table */

/* What a field of a statement is bound to. */
struct rows_bound {
        enum { ROWS_BOUND_OTHER, ROWS_BOUND_NULL, ROWS_BOUND_NUMBER } kind;
        int64_t number;
};

struct rows {
        sqlite3 *db; /* NOT owned */
        const struct sealer *sealer; /* NOT owned */
        sqlite3_stmt *statements[_ROWS_STATEMENT_MAX];
        struct rows_bound bound[_ROWS_STATEMENT_MAX][ROWS_FIELDS_MAX];
        bool has_requested; /* there may be rows in requested_range: while there are none, none need be looked for */
        bool has_durable;   /* the same for durable_range */
        bool has_chunks;    /* and for chunk */
        int rc; /* of the last failing SQLite call: whether it is final */
};

/* ---- what writing and reading share ---- */

#define SEALING_BYTES_MAX 64 /* what sealing adds to a text, at most */

/* Where a secret stands, for the sealer: no other job, file or column will do. */
struct place {
        struct guid job;
        uint32_t file; /* UINT32_MAX: the job's own row */
        char column[32];
};
struct place place_of(const struct guid *job, uint32_t file, const struct field *field);
int rows_error(struct rows *rows, int rc);
int rows_note_what_is_left(struct rows *rows); /* after rows may have gone */

/* ---- for the store ---- */

int rows_init(struct rows *rows, sqlite3 *db, const struct sealer *sealer);
void rows_done(struct rows *rows); /* before the database is closed */

int rows_begin(struct rows *rows);
int rows_commit(struct rows *rows);
/* 0 also when SQLite has rolled back already. */
int rows_rollback(struct rows *rows);
/* Between begin and commit. -ENOENT: a file of a job that is not there. */
int rows_write_batch(struct rows *rows, const struct store_batch *batch);

int rows_load(struct rows *rows, const struct store_visitor *visitor, void *userdata);

#include "store/sqlite_rows.h"

#include <utlist.h>

#include "base/log.h"
#include "base/strings.h"
#include "store/sqlite_db.h"

#define SEALING_BYTES_MAX 64 /* what sealing adds to a text, at most */

#define COLUMN(column, kind, member, max) "," #column
#define PLACE(column, kind, member, max) ",?"
#define UPDATE(column, kind, member, max) "," #column "=excluded." #column

/* Each list of columns comes from its table and starts with a comma. In the two SET lists one column is named before it; SQLite
 * takes the last of two assignments to a column. An upsert and not REPLACE: that would delete the row first, and with it
 * everything that refers to it. */
static const char *const statement_sql[_ROWS_STATEMENT_MAX] = {
        [ROWS_BEGIN] = "BEGIN IMMEDIATE",
        [ROWS_COMMIT] = "COMMIT",
        [ROWS_ROLLBACK] = "ROLLBACK",
        [ROWS_FIND_JOB] = "SELECT key FROM job WHERE id=?",
        [ROWS_SAVE_JOB] = "INSERT INTO job (id" JOB_FIELDS(COLUMN) ") VALUES (?" JOB_FIELDS(PLACE) ")"
                          " ON CONFLICT (id) DO UPDATE SET owner=excluded.owner" JOB_FIELDS(UPDATE),
        [ROWS_REMOVE_JOB] = "DELETE FROM job WHERE id=?",
        [ROWS_SAVE_FILE] = "INSERT INTO file (job,idx" FILE_FIELDS(COLUMN) ") VALUES (?,?" FILE_FIELDS(PLACE) ")"
                           " ON CONFLICT (job,idx) DO UPDATE SET state=excluded.state" FILE_FIELDS(UPDATE),
        [ROWS_REMOVE_REQUESTED] = "DELETE FROM requested_range WHERE job=? AND file=?",
        [ROWS_ADD_REQUESTED] = "INSERT INTO requested_range (job,file,place,start,length) VALUES (?,?,?,?,?)",
        [ROWS_REMOVE_DURABLE] = "DELETE FROM durable_range WHERE job=? AND file=?",
        [ROWS_ADD_DURABLE] = "INSERT INTO durable_range (job,file,start,stop) VALUES (?,?,?,?)",
        [ROWS_HAS_DURABLE] = "SELECT 1 FROM durable_range LIMIT 1",
        [ROWS_ADD_HISTORY] = "INSERT INTO history (key" HISTORY_FIELDS(COLUMN) ") VALUES (NULL" HISTORY_FIELDS(PLACE) ")",
        [ROWS_TRIM_HISTORY] = "DELETE FROM history WHERE key<=?",
        [ROWS_LOAD_JOBS] = "SELECT key,id" JOB_FIELDS(COLUMN) " FROM job ORDER BY key",
        [ROWS_LOAD_FILES] = "SELECT job,idx" FILE_FIELDS(COLUMN) " FROM file ORDER BY job,idx",
        [ROWS_LOAD_REQUESTED] = "SELECT job,file,place,start,length FROM requested_range ORDER BY job,file,place",
        [ROWS_LOAD_DURABLE] = "SELECT job,file,start,stop FROM durable_range ORDER BY job,file,start",
        [ROWS_LOAD_HISTORY] = "SELECT key" HISTORY_FIELDS(COLUMN) " FROM history ORDER BY key",
};

static int rows_error(struct rows *rows, int rc) {
        rows->rc = rc;
        log_debug("store: %s (%d)", sqlite3_errmsg(rows->db), rc);
        return error_trace(database_errno(rows->db, rc));
}

int rows_init(struct rows *rows, sqlite3 *db, const struct sealer *sealer) {
        *rows = (struct rows) { .db = db, .sealer = sealer, .has_durable = true };
        for (size_t i = 0; i < ELEMENTSOF(statement_sql); i++) {
                int rc = sqlite3_prepare_v3(db, statement_sql[i], -1, SQLITE_PREPARE_PERSISTENT, &rows->statements[i],
                                            NULL);

                if (rc == SQLITE_OK)
                        continue;
                rows_done(rows);
                /* The version says that our tables are there: a table or column that is missing is damage. */
                return (rc & 0xff) == SQLITE_ERROR ? -EUCLEAN : rows_error(rows, rc);
        }
        return 0;
}

void rows_done(struct rows *rows) {
        for (size_t i = 0; i < ELEMENTSOF(rows->statements); i++) {
                (void) sqlite3_finalize(rows->statements[i]);
                rows->statements[i] = NULL;
        }
}

/* ---- writing ---- */

/* For statements without rows, and with one: then @ret_key gets its first column. 1: there was a row. */
static int rows_run(struct rows *rows, enum rows_statement which, int64_t *ret_key) {
        sqlite3_stmt *statement = rows->statements[which];
        bool has_row = false;
        int rc;

        while ((rc = sqlite3_step(statement)) == SQLITE_ROW) {
                has_row = true;
                if (ret_key)
                        *ret_key = sqlite3_column_int64(statement, 0);
        }
        if (rc != SQLITE_DONE) {
                int r = rows_error(rows, rc);

                (void) sqlite3_reset(statement);
                return r;
        }
        (void) sqlite3_reset(statement);
        return has_row;
}

int rows_begin(struct rows *rows) {
        return rows_run(rows, ROWS_BEGIN, NULL);
}

int rows_commit(struct rows *rows) {
        return rows_run(rows, ROWS_COMMIT, NULL);
}

int rows_rollback(struct rows *rows) {
        rows->has_durable = true; /* what was taken away may be there again */
        return sqlite3_get_autocommit(rows->db) ? 0 : rows_run(rows, ROWS_ROLLBACK, NULL);
}

static int bind_u64(sqlite3_stmt *statement, int place, uint64_t value) {
        return value == UINT64_MAX ? sqlite3_bind_null(statement, place)
                                   : sqlite3_bind_int64(statement, place, (int64_t) value);
}

static int bind_blob(sqlite3_stmt *statement, int place, const void *blob, size_t size) {
        static const uint8_t zero[64];

        assert(size <= sizeof(zero));
        return memcmp(blob, zero, size) == 0 ? sqlite3_bind_null(statement, place)
                                             : sqlite3_bind_blob(statement, place, blob, (int) size, SQLITE_STATIC);
}

/* Where a secret stands, for the sealer: no other job, file or column will do. */
struct place {
        struct guid job;
        uint32_t file; /* UINT32_MAX: the job's own row */
        char column[32];
};

static struct place place_of(const struct guid *job, uint32_t file, const struct field *field) {
        struct place place = {};

        place.job = *job;
        place.file = file;
        assert(strlen(field->name) < sizeof(place.column));
        memcpy(place.column, field->name, strlen(field->name));
        return place;
}

static int bind_sealed(struct rows *rows, sqlite3_stmt *statement, int at, const struct place *place, const char *text) {
        uint8_t *blob = NULL;
        size_t size = 0;
        int r;

        r = rows->sealer ? rows->sealer->seal(rows->sealer, place, sizeof(*place), text, strlen(text), &blob, &size) : -ENOKEY;
        if (r < 0) {
                log_debug("store: cannot seal: %s", strerror(-r));
                return r == -ENOMEM ? SQLITE_NOMEM : SQLITE_ERROR;
        }
        return sqlite3_bind_blob(statement, at, blob, (int) size, free);
}

/* One that is lost is put back as it came: its key may come back, too. */
static int bind_secret(struct rows *rows, sqlite3_stmt *statement, int at, const struct place *place, const struct secret *secret) {
        if (secret_is_lost(secret))
                return sqlite3_bind_blob(statement, at, secret->sealed, (int) secret->n_sealed, SQLITE_STATIC);
        return secret->text ? bind_sealed(rows, statement, at, place, secret->text) : sqlite3_bind_null(statement, at);
}

/* Strings are not copied: the record outlives the step. */
static int bind_field(sqlite3_stmt *statement, int place, const struct field *field, const void *member) {
        const char *s;

        switch (field->kind) {
        case FIELD_U64:
                return bind_u64(statement, place, *(const uint64_t *) member);
        case FIELD_BITS:
                return sqlite3_bind_int64(statement, place, (int64_t) *(const uint64_t *) member);
        case FIELD_U32:
                return sqlite3_bind_int64(statement, place, *(const uint32_t *) member);
        case FIELD_BOOL:
                return sqlite3_bind_int(statement, place, *(const bool *) member);
        case FIELD_CHARS:
                return sqlite3_bind_text(statement, place, member, -1, SQLITE_STATIC);
        case FIELD_BLOB:
                return bind_blob(statement, place, member, field->max);
        case FIELD_ERROR_CODE:
                return sqlite3_bind_text(statement, place, error_code_name(*(const enum error_code *) member), -1,
                                         SQLITE_STATIC);
        case FIELD_TEXT:
        case FIELD_URL:
                return sqlite3_bind_text(statement, place, *(char *const *) member, -1, SQLITE_STATIC);
        default:
                s = *(char *const *) member;
                return s ? sqlite3_bind_blob(statement, place, s, (int) strlen(s), SQLITE_STATIC)
                         : sqlite3_bind_null(statement, place);
        }
}

/* @job, @file: whose row it is; no history has secrets. */
static int rows_bind(struct rows *rows, enum rows_statement which, int at, const struct field_table *table, const struct guid *job,
                     uint32_t file, const void *record) {
        sqlite3_stmt *statement = rows->statements[which];

        for (size_t i = 0; i < table->n_fields; i++, at++) {
                const struct field *field = &table->fields[i];
                const void *member = (const char *) record + field->offset;
                int rc;

                if (field->kind == FIELD_SECRET) {
                        struct place place = place_of(job, file, field);

                        rc = bind_secret(rows, statement, at, &place, member);
                } else
                        rc = bind_field(statement, at, field, member);
                if (rc != SQLITE_OK)
                        return rows_error(rows, rc);
        }
        return 0;
}

/* Binds up to four numbers from the first place on. */
static int rows_bind_numbers(struct rows *rows, enum rows_statement which, const int64_t *numbers, int n) {
        for (int i = 0; i < n; i++) {
                int rc = sqlite3_bind_int64(rows->statements[which], i + 1, numbers[i]);

                if (rc != SQLITE_OK)
                        return rows_error(rows, rc);
        }
        return 0;
}
#define ROWS_BIND_NUMBERS(rows, which, ...) \
        rows_bind_numbers(rows, which, (const int64_t[]) { __VA_ARGS__ }, ELEMENTSOF(((const int64_t[]) { __VA_ARGS__ })))

static int rows_run_with_id(struct rows *rows, enum rows_statement which, const struct guid *id, int64_t *ret_key) {
        int rc = sqlite3_bind_blob(rows->statements[which], 1, id->bytes, sizeof(id->bytes), SQLITE_STATIC);

        return rc == SQLITE_OK ? rows_run(rows, which, ret_key) : rows_error(rows, rc);
}

/* Looking first is cheaper than RETURNING, for which SQLite opens a temporary table each time. */
static int rows_save_job(struct rows *rows, const struct guid *id, const struct job *record, int64_t *ret_key) {
        int r, found;

        found = rows_run_with_id(rows, ROWS_FIND_JOB, id, ret_key);
        if (found < 0)
                return found;
        r = rows_bind(rows, ROWS_SAVE_JOB, 2, &job_fields, id, UINT32_MAX, record);
        if (r < 0)
                return r;
        r = rows_run_with_id(rows, ROWS_SAVE_JOB, id, NULL);
        if (r == 0 && found == 0)
                *ret_key = sqlite3_last_insert_rowid(rows->db);
        return r;
}

static int rows_save_requested(struct rows *rows, int64_t key, const struct job_file *record) {
        int r;

        if (record->n_ranges == 0)
                return 0; /* what was asked for never changes: there are none to take away */
        r = ROWS_BIND_NUMBERS(rows, ROWS_REMOVE_REQUESTED, key, record->index);
        if (r < 0)
                return r;
        r = rows_run(rows, ROWS_REMOVE_REQUESTED, NULL);
        for (size_t i = 0; r == 0 && i < record->n_ranges; i++) {
                const struct byte_range *range = &record->ranges[i];
                int rc;

                r = ROWS_BIND_NUMBERS(rows, ROWS_ADD_REQUESTED, key, record->index, (int64_t) i,
                                      (int64_t) range->offset);
                if (r < 0)
                        return r;
                rc = bind_u64(rows->statements[ROWS_ADD_REQUESTED], 5, range->length);
                if (rc != SQLITE_OK)
                        return rows_error(rows, rc);
                r = rows_run(rows, ROWS_ADD_REQUESTED, NULL);
        }
        return r;
}

/* Such a file needs no row that says so: thousands of small ones go from nothing to this in one step. */
static bool file_is_whole(const struct job_file *record) {
        return (record->state == FILE_TRANSFERRED || record->state == FILE_PUBLISHED) && record->size != SIZE_UNKNOWN &&
               record->size > 0 && record->durable.n_items == 1 && record->durable.items[0].start == 0 &&
               record->durable.items[0].end == record->size;
}

static int rows_note_durable(struct rows *rows) {
        int r = rows_run(rows, ROWS_HAS_DURABLE, NULL);

        if (r >= 0)
                rows->has_durable = r > 0;
        return r;
}

static int rows_save_durable(struct rows *rows, int64_t key, const struct job_file *record) {
        int r = 0;

        if (rows->has_durable) {
                r = ROWS_BIND_NUMBERS(rows, ROWS_REMOVE_DURABLE, key, record->index);
                if (r == 0)
                        r = rows_run(rows, ROWS_REMOVE_DURABLE, NULL);
        }
        for (size_t i = 0; r == 0 && i < record->durable.n_items && !file_is_whole(record); i++) {
                const struct interval *item = &record->durable.items[i];

                rows->has_durable = true;
                r = ROWS_BIND_NUMBERS(rows, ROWS_ADD_DURABLE, key, record->index, (int64_t) item->start,
                                      (int64_t) item->end);
                if (r == 0)
                        r = rows_run(rows, ROWS_ADD_DURABLE, NULL);
        }
        return r;
}

static int rows_save_file(struct rows *rows, int64_t key, const struct guid *id, const struct job_file *record) {
        int r;

        r = ROWS_BIND_NUMBERS(rows, ROWS_SAVE_FILE, key, record->index);
        if (r == 0)
                r = rows_bind(rows, ROWS_SAVE_FILE, 3, &file_fields, id, record->index, record);
        if (r == 0)
                r = rows_run(rows, ROWS_SAVE_FILE, NULL);
        if (r == 0)
                r = rows_save_requested(rows, key, record);
        if (r == 0)
                r = rows_save_durable(rows, key, record);
        return r;
}

static int rows_write_job(struct rows *rows, const struct batch_job *job) {
        const struct batch_file *file;
        int64_t key = 0;
        int r;

        if (job->removed) {
                r = rows_run_with_id(rows, ROWS_REMOVE_JOB, &job->id, NULL);
                if (r >= 0 && rows->has_durable)
                        r = rows_note_durable(rows);
                if (r < 0)
                        return r;
        }
        if (job->record)
                r = rows_save_job(rows, &job->id, job->record, &key);
        else if (job->files) {
                r = rows_run_with_id(rows, ROWS_FIND_JOB, &job->id, &key);
                if (r == 0)
                        return error_trace(-ENOENT);
        } else
                return 0;
        if (r < 0)
                return r;
        DL_FOREACH(job->files, file) {
                r = rows_save_file(rows, key, &job->id, file->record);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int rows_add_history(struct rows *rows, const struct batch_history *item) {
        int64_t max = item->max_entries > INT64_MAX ? INT64_MAX : (int64_t) item->max_entries;
        int64_t last_to_go;
        int r;

        r = rows_bind(rows, ROWS_ADD_HISTORY, 1, &history_fields, &item->entry->id, UINT32_MAX, item->entry);
        if (r < 0)
                return r;
        r = rows_run(rows, ROWS_ADD_HISTORY, NULL);
        if (r < 0)
                return r;
        last_to_go = sqlite3_last_insert_rowid(rows->db) - max;
        if (last_to_go <= 0)
                return 0;
        r = ROWS_BIND_NUMBERS(rows, ROWS_TRIM_HISTORY, last_to_go);
        return r < 0 ? r : rows_run(rows, ROWS_TRIM_HISTORY, NULL);
}

int rows_write_batch(struct rows *rows, const struct store_batch *batch) {
        const struct batch_history *item;
        int r;

        for (const struct batch_job *job = batch->jobs; job; job = job->hh.next) {
                r = rows_write_job(rows, job);
                if (r < 0)
                        return r;
        }
        DL_FOREACH(batch->history, item) {
                r = rows_add_history(rows, item);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* ---- reading ---- */

/* STRICT promises the types to us; a damaged file keeps no promises. */
static int read_i64(sqlite3_stmt *statement, int column, int64_t *ret) {
        if (sqlite3_column_type(statement, column) != SQLITE_INTEGER)
                return -EUCLEAN;
        *ret = sqlite3_column_int64(statement, column);
        return 0;
}

static int read_u64(sqlite3_stmt *statement, int column, uint64_t *ret) {
        int64_t value;

        if (sqlite3_column_type(statement, column) == SQLITE_NULL) {
                *ret = UINT64_MAX;
                return 0;
        }
        if (read_i64(statement, column, &value) < 0 || value < 0)
                return -EUCLEAN;
        *ret = (uint64_t) value;
        return 0;
}

static int read_u32(sqlite3_stmt *statement, int column, uint64_t max, uint32_t *ret) {
        int64_t value;

        if (read_i64(statement, column, &value) < 0 || value < 0 || (uint64_t) value > max)
                return -EUCLEAN;
        *ret = (uint32_t) value;
        return 0;
}

/* Text or blob without a NUL inside, at most @max bytes. Not NUL-terminated if it is a blob. */
static int read_bytes(sqlite3_stmt *statement, int column, int type, uint64_t max, const char **ret, size_t *ret_size) {
        const char *bytes;
        size_t size;

        if (sqlite3_column_type(statement, column) != type)
                return -EUCLEAN;
        bytes = type == SQLITE_TEXT ? (const char *) sqlite3_column_text(statement, column)
                                    : sqlite3_column_blob(statement, column);
        size = (size_t) sqlite3_column_bytes(statement, column);
        if (!bytes && size > 0)
                return -ENOMEM;
        if (size > max || (size > 0 && memchr(bytes, 0, size)))
                return -EUCLEAN;
        *ret = bytes ? bytes : "";
        *ret_size = size;
        return 0;
}

static int read_string(sqlite3_stmt *statement, int column, const struct field *field, char **ret) {
        bool is_text = field->kind == FIELD_TEXT || field->kind == FIELD_URL;
        const char *bytes;
        size_t size;
        char *s;
        int r;

        if (field->kind == FIELD_BYTES_OR_NULL && sqlite3_column_type(statement, column) == SQLITE_NULL)
                return 0;
        r = read_bytes(statement, column, is_text ? SQLITE_TEXT : SQLITE_BLOB, field->max, &bytes, &size);
        if (r < 0)
                return r;
        s = strndup(bytes, size);
        if (!s)
                return -ENOMEM;
        *ret = s;
        return 0;
}

static int read_chars(sqlite3_stmt *statement, int column, const struct field *field, char *ret) {
        const char *bytes;
        size_t size;
        int r = read_bytes(statement, column, SQLITE_TEXT, field->max - 1, &bytes, &size);

        if (r < 0)
                return r;
        memcpy(ret, bytes, size);
        ret[size] = 0;
        return 0;
}

static int read_blob(sqlite3_stmt *statement, int column, size_t size, void *ret) {
        const void *blob;

        if (sqlite3_column_type(statement, column) == SQLITE_NULL)
                return 0;
        if (sqlite3_column_type(statement, column) != SQLITE_BLOB)
                return -EUCLEAN;
        blob = sqlite3_column_blob(statement, column);
        if ((size_t) sqlite3_column_bytes(statement, column) != size)
                return -EUCLEAN;
        if (!blob)
                return -ENOMEM;
        memcpy(ret, blob, size);
        return 0;
}

static int read_error_code(sqlite3_stmt *statement, int column, enum error_code *ret) {
        const char *bytes;
        size_t size;
        int r = read_bytes(statement, column, SQLITE_TEXT, 64, &bytes, &size);

        if (r < 0)
                return r;
        r = error_code_from_name(bytes);
        if (r < 0)
                return -EUCLEAN;
        *ret = (enum error_code) r;
        return 0;
}

/* A blob that does not open is no damage of the database: the job lives on, and says what it lost when it needs it. */
static int read_secret(struct rows *rows, sqlite3_stmt *statement, int column, const struct place *place, uint64_t max,
                       struct secret *ret) {
        _cleanup_free_ char *text = NULL;
        const void *blob;
        size_t size, n_text;
        int r = -ENOKEY;

        if (sqlite3_column_type(statement, column) == SQLITE_NULL)
                return 0;
        if (sqlite3_column_type(statement, column) != SQLITE_BLOB)
                return -EUCLEAN;
        blob = sqlite3_column_blob(statement, column);
        size = (size_t) sqlite3_column_bytes(statement, column);
        if (size == 0 || size > max + SEALING_BYTES_MAX)
                return -EUCLEAN;
        if (!blob)
                return -ENOMEM;
        if (rows->sealer)
                r = rows->sealer->open(rows->sealer, place, sizeof(*place), blob, size, &text, &n_text);
        if (r == -ENOMEM)
                return r;
        if (r == 0) {
                r = n_text > 0 && n_text <= max && !memchr(text, 0, n_text) ? secret_set(ret, text) : -EUCLEAN;
                explicit_bzero(text, n_text);
                return r;
        }
        log_debug("store: column %s cannot be opened: %s", place->column, strerror(-r));
        ret->sealed = malloc(size);
        if (!ret->sealed)
                return -ENOMEM;
        memcpy(ret->sealed, blob, size);
        ret->n_sealed = size;
        return 0;
}

static int read_field(sqlite3_stmt *statement, int column, const struct field *field, void *member) {
        uint32_t number = 0;
        int64_t bits;
        int r;

        switch (field->kind) {
        case FIELD_U64:
                return read_u64(statement, column, member);
        case FIELD_BITS:
                r = read_i64(statement, column, &bits);
                if (r == 0)
                        *(uint64_t *) member = (uint64_t) bits;
                return r;
        case FIELD_U32:
                return read_u32(statement, column, field->max, member);
        case FIELD_BOOL:
                r = read_u32(statement, column, 1, &number);
                *(bool *) member = number != 0;
                return r;
        case FIELD_CHARS:
                return read_chars(statement, column, field, member);
        case FIELD_BLOB:
                return read_blob(statement, column, field->max, member);
        case FIELD_ERROR_CODE:
                return read_error_code(statement, column, member);
        default:
                return read_string(statement, column, field, member);
        }
}

static int read_fields(struct rows *rows, sqlite3_stmt *statement, int column, const struct field_table *table,
                       const struct guid *job, uint32_t file, void *record) {
        for (size_t i = 0; i < table->n_fields; i++) {
                const struct field *field = &table->fields[i];
                void *member = (char *) record + field->offset;
                int r;

                if (field->kind == FIELD_SECRET) {
                        struct place place = place_of(job, file, field);

                        r = read_secret(rows, statement, column, &place, field->max, member);
                } else
                        r = read_field(statement, column, field, member);
                if (r < 0) {
                        log_debug("store: column %s makes no sense", sqlite3_column_name(statement, column));
                        return error_trace(r);
                }
                column++;
        }
        return 0;
}

/* One of the ordered streams that are merged into jobs. */
struct cursor {
        sqlite3_stmt *statement;
        bool has_row;
        int64_t job;
        int64_t file;
};

static int cursor_next(struct rows *rows, struct cursor *cursor) {
        int rc = sqlite3_step(cursor->statement);

        cursor->has_row = rc == SQLITE_ROW;
        if (rc == SQLITE_DONE)
                return 0;
        if (rc != SQLITE_ROW)
                return rows_error(rows, rc);
        if (read_i64(cursor->statement, 0, &cursor->job) < 0 || read_i64(cursor->statement, 1, &cursor->file) < 0)
                return error_trace(-EUCLEAN);
        return 0;
}

static bool cursor_is_at(const struct cursor *cursor, int64_t job, int64_t file) {
        return cursor->has_row && cursor->job == job && cursor->file == file;
}

struct loader {
        struct rows *rows;
        sqlite3_stmt *jobs;
        struct cursor files, requested, durable;
};

static int load_requested(struct loader *loader, int64_t key, struct job_file *record) {
        struct cursor *cursor = &loader->requested;
        size_t n_allocated = 0;

        while (cursor_is_at(cursor, key, record->index)) {
                struct byte_range range;
                int64_t place;
                int r;

                if (read_i64(cursor->statement, 2, &place) < 0 || place != (int64_t) record->n_ranges ||
                    read_u64(cursor->statement, 3, &range.offset) < 0 ||
                    read_u64(cursor->statement, 4, &range.length) < 0)
                        return error_trace(-EUCLEAN);
                if (record->n_ranges == n_allocated) {
                        struct byte_range *ranges;

                        n_allocated = MAX((size_t) 1, 2 * n_allocated);
                        ranges = reallocarray(record->ranges, n_allocated, sizeof(*ranges));
                        if (!ranges)
                                return -ENOMEM;
                        record->ranges = ranges;
                }
                record->ranges[record->n_ranges++] = range;
                r = cursor_next(loader->rows, cursor);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int load_durable(struct loader *loader, int64_t key, struct job_file *record) {
        struct cursor *cursor = &loader->durable;
        uint64_t last = 0;
        int r;

        while (cursor_is_at(cursor, key, record->index)) {
                uint64_t start, stop;

                if (read_u64(cursor->statement, 2, &start) < 0 || read_u64(cursor->statement, 3, &stop) < 0 ||
                    stop > INT64_MAX || start >= stop || start < last)
                        return error_trace(-EUCLEAN);
                last = stop;
                r = intervals_add(&record->durable, start, stop);
                if (r < 0)
                        return r;
                r = cursor_next(loader->rows, cursor);
                if (r < 0)
                        return r;
        }
        if (record->durable.n_items == 0 && record->size != SIZE_UNKNOWN && record->size > 0 &&
            (record->state == FILE_TRANSFERRED || record->state == FILE_PUBLISHED))
                return intervals_add(&record->durable, 0, record->size); /* see rows_save_durable() */
        return 0;
}

static int load_file(struct loader *loader, int64_t key, struct job *job) {
        struct cursor *cursor = &loader->files;
        _cleanup_(record_file_freep) struct job_file *record = calloc(1, sizeof(*record));
        int r;

        if (!record)
                return -ENOMEM;
        if (cursor->file < 0 || cursor->file >= UINT32_MAX)
                return error_trace(-EUCLEAN);
        record->index = (uint32_t) cursor->file;
        r = read_fields(loader->rows, cursor->statement, 2, &file_fields, &job->id, record->index, record);
        if (r < 0)
                return r;
        r = load_requested(loader, key, record);
        if (r < 0)
                return r;
        r = load_durable(loader, key, record);
        if (r < 0)
                return r;
        if (record_file_check(record) < 0)
                return error_trace(-EUCLEAN);
        r = record_file_revive(record, job);
        if (r < 0)
                return r;
        return cursor_next(loader->rows, cursor);
}

static int load_job(struct loader *loader, struct job **ret) {
        _cleanup_(record_job_freep) struct job *record = calloc(1, sizeof(*record));
        _cleanup_(job_freep) struct job *job = NULL;
        int64_t key;
        int r;

        if (!record)
                return -ENOMEM;
        if (read_i64(loader->jobs, 0, &key) < 0 || sqlite3_column_type(loader->jobs, 1) != SQLITE_BLOB)
                return error_trace(-EUCLEAN);
        r = read_blob(loader->jobs, 1, sizeof(record->id), &record->id);
        if (r < 0)
                return error_trace(r);
        r = read_fields(loader->rows, loader->jobs, 2, &job_fields, &record->id, UINT32_MAX, record);
        if (r < 0)
                return r;
        if (record_job_check(record) < 0)
                return error_trace(-EUCLEAN);
        r = record_job_revive(record, &job);
        if (r < 0)
                return r;
        while (loader->files.has_row && loader->files.job == key) {
                r = load_file(loader, key, job);
                if (r < 0)
                        return r;
        }
        r = record_job_finish(job);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(job);
        return 0;
}

static int load_jobs(struct loader *loader, const struct store_visitor *visitor, void *userdata) {
        int rc, r;

        while ((rc = sqlite3_step(loader->jobs)) == SQLITE_ROW) {
                struct job *job;

                r = load_job(loader, &job);
                if (r < 0)
                        return r;
                r = visitor->job(job, userdata);
                if (r != 0)
                        return r;
        }
        if (rc != SQLITE_DONE)
                return rows_error(loader->rows, rc);
        /* What is left over belongs to nobody: the foreign keys are broken. */
        if (loader->files.has_row || loader->requested.has_row || loader->durable.has_row)
                return error_trace(-EUCLEAN);
        return 0;
}

static int load_history(struct rows *rows, const struct store_visitor *visitor, void *userdata) {
        sqlite3_stmt *statement = rows->statements[ROWS_LOAD_HISTORY];
        int rc, r;

        while ((rc = sqlite3_step(statement)) == SQLITE_ROW) {
                /* The same three strings as in a live entry: history_entry_free() fits. */
                _cleanup_(record_history_freep) struct history_entry *entry = calloc(1, sizeof(*entry));

                if (!entry)
                        return -ENOMEM;
                r = read_fields(rows, statement, 1, &history_fields, &entry->id, UINT32_MAX, entry);
                if (r < 0)
                        return r;
                if (record_history_check(entry) < 0)
                        return error_trace(-EUCLEAN);
                r = visitor->history(TAKE_PTR(entry), userdata);
                if (r != 0)
                        return r;
        }
        return rc == SQLITE_DONE ? 0 : rows_error(rows, rc);
}

int rows_load(struct rows *rows, const struct store_visitor *visitor, void *userdata) {
        struct loader loader = {
                .rows = rows,
                .jobs = rows->statements[ROWS_LOAD_JOBS],
                .files = { .statement = rows->statements[ROWS_LOAD_FILES] },
                .requested = { .statement = rows->statements[ROWS_LOAD_REQUESTED] },
                .durable = { .statement = rows->statements[ROWS_LOAD_DURABLE] },
        };
        int r;

        r = cursor_next(rows, &loader.files);
        if (r == 0)
                r = cursor_next(rows, &loader.requested);
        if (r == 0)
                r = cursor_next(rows, &loader.durable);
        if (r == 0)
                r = load_jobs(&loader, visitor, userdata);
        if (r == 0)
                r = load_history(rows, visitor, userdata);
        for (int i = ROWS_LOAD_JOBS; i <= ROWS_LOAD_HISTORY; i++)
                (void) sqlite3_reset(rows->statements[i]);
        return r == 0 ? MIN(rows_note_durable(rows), 0) : r;
}

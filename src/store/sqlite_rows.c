#include "store/sqlite_rows.h"

#include <utlist.h>

#include "base/log.h"
#include "base/strings.h"
#include "store/sqlite_db.h"

#define COLUMN(column, kind, member, max) "," #column
#define PLACE(column, kind, member, max) ",?"
#define UPDATE(column, kind, member, max) "," #column "=excluded." #column
#define SET(column, kind, member, max) "," #column "=?"

/* Each list of columns comes from its table and starts with a comma. In the SET lists one column is named before it; SQLite
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
        [ROWS_UPDATE_FILE] = "UPDATE file SET state=state" FILE_FIELDS(SET) " WHERE job=? AND idx=?",
        [ROWS_REMOVE_REQUESTED] = "DELETE FROM requested_range WHERE job=? AND file=?",
        [ROWS_ADD_REQUESTED] = "INSERT INTO requested_range (job,file,place,start,length) VALUES (?,?,?,?,?)",
        [ROWS_HAS_REQUESTED] = "SELECT 1 FROM requested_range LIMIT 1",
        [ROWS_REMOVE_DURABLE] = "DELETE FROM durable_range WHERE job=? AND file=?",
        [ROWS_ADD_DURABLE] = "INSERT INTO durable_range (job,file,start,stop) VALUES (?,?,?,?)",
        [ROWS_HAS_DURABLE] = "SELECT 1 FROM durable_range LIMIT 1",
        [ROWS_REMOVE_CHUNKS] = "DELETE FROM chunk WHERE job=? AND file=? AND start>=? AND start<?",
        [ROWS_ADD_CHUNK] = "INSERT INTO chunk (job,file,start,sha256) VALUES (?,?,?,?)"
                           " ON CONFLICT (job,file,start) DO UPDATE SET sha256=excluded.sha256",
        [ROWS_HAS_CHUNK] = "SELECT 1 FROM chunk LIMIT 1",
        [ROWS_ADD_HISTORY] = "INSERT INTO history (key" HISTORY_FIELDS(COLUMN) ") VALUES (NULL" HISTORY_FIELDS(PLACE) ")",
        [ROWS_TRIM_HISTORY] = "DELETE FROM history WHERE key<=?",
        [ROWS_LOAD_JOBS] = "SELECT key,id" JOB_FIELDS(COLUMN) " FROM job ORDER BY key",
        [ROWS_LOAD_FILES] = "SELECT job,idx" FILE_FIELDS(COLUMN) " FROM file ORDER BY job,idx",
        [ROWS_LOAD_REQUESTED] = "SELECT job,file,place,start,length FROM requested_range ORDER BY job,file,place",
        [ROWS_LOAD_DURABLE] = "SELECT job,file,start,stop FROM durable_range ORDER BY job,file,start",
        [ROWS_LOAD_CHUNKS] = "SELECT job,file,start,sha256 FROM chunk ORDER BY job,file,start",
        [ROWS_LOAD_HISTORY] = "SELECT key" HISTORY_FIELDS(COLUMN) " FROM history ORDER BY key",
};

int rows_error(struct rows *rows, int rc) {
        rows->rc = rc;
        log_debug("store: %s (%d)", sqlite3_errmsg(rows->db), rc);
        return error_trace(database_errno(rows->db, rc));
}

int rows_init(struct rows *rows, sqlite3 *db, const struct sealer *sealer) {
        *rows = (struct rows) { .db = db, .sealer = sealer, .has_requested = true, .has_durable = true, .has_chunks = true };
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
        rows->has_requested = rows->has_durable = rows->has_chunks = true; /* what was taken away may be there again */
        return sqlite3_get_autocommit(rows->db) ? 0 : rows_run(rows, ROWS_ROLLBACK, NULL);
}

static int bind_u64(sqlite3_stmt *statement, int place, uint64_t value) {
        return value == UINT64_MAX ? sqlite3_bind_null(statement, place)
                                   : sqlite3_bind_int64(statement, place, (int64_t) value);
}

/* A statement keeps what it is bound to, and most fields of a file are as they were in the file before it. */
struct slot {
        sqlite3_stmt *statement;
        int place;
        struct rows_bound *bound;
};

static int slot_number(const struct slot *slot, int64_t number) {
        int rc;

        if (slot->bound->kind == ROWS_BOUND_NUMBER && slot->bound->number == number)
                return SQLITE_OK;
        rc = sqlite3_bind_int64(slot->statement, slot->place, number);
        *slot->bound = (struct rows_bound) { rc == SQLITE_OK ? ROWS_BOUND_NUMBER : ROWS_BOUND_OTHER, number };
        return rc;
}

static int slot_null(const struct slot *slot) {
        int rc;

        if (slot->bound->kind == ROWS_BOUND_NULL)
                return SQLITE_OK;
        rc = sqlite3_bind_null(slot->statement, slot->place);
        slot->bound->kind = rc == SQLITE_OK ? ROWS_BOUND_NULL : ROWS_BOUND_OTHER;
        return rc;
}

/* Not copied: the record outlives the step. */
static int slot_text(const struct slot *slot, const char *text) {
        slot->bound->kind = ROWS_BOUND_OTHER;
        return sqlite3_bind_text(slot->statement, slot->place, text, -1, SQLITE_STATIC);
}

/* @free_blob: SQLITE_STATIC, as above, or free(). */
static int slot_blob(const struct slot *slot, const void *blob, size_t size, void (*free_blob)(void *)) {
        slot->bound->kind = ROWS_BOUND_OTHER;
        return sqlite3_bind_blob(slot->statement, slot->place, blob, (int) size, free_blob);
}

static bool is_zero(const void *blob, size_t size) {
        static const uint8_t zero[64];

        assert(size <= sizeof(zero));
        return memcmp(blob, zero, size) == 0;
}

struct place place_of(const struct guid *job, uint32_t file, const struct field *field) {
        struct place place = {};

        place.job = *job;
        place.file = file;
        assert(strlen(field->name) < sizeof(place.column));
        memcpy(place.column, field->name, strlen(field->name));
        return place;
}

static int bind_sealed(struct rows *rows, const struct slot *slot, const struct place *place, const char *text) {
        uint8_t *blob = NULL;
        size_t size = 0;
        int r;

        r = rows->sealer ? rows->sealer->seal(rows->sealer, place, sizeof(*place), text, strlen(text), &blob, &size) : -ENOKEY;
        if (r < 0) {
                log_debug("store: cannot seal: %s", strerror(-r));
                return r == -ENOMEM ? SQLITE_NOMEM : SQLITE_ERROR;
        }
        return slot_blob(slot, blob, size, free);
}

/* One that is lost is put back as it came: its key may come back, too. */
static int bind_secret(struct rows *rows, const struct slot *slot, const struct place *place, const struct secret *secret) {
        const char *text = secret_text(secret);
        const void *sealed;
        size_t size;

        sealed = secret_sealed(secret, &size);
        if (sealed)
                return slot_blob(slot, sealed, size, SQLITE_STATIC);
        return text ? bind_sealed(rows, slot, place, text) : slot_null(slot);
}

static int bind_field(const struct slot *slot, const struct field *field, const void *member) {
        const char *s;
        uint64_t n;

        switch (field->kind) {
        case FIELD_U64:
                n = *(const uint64_t *) member;
                return n == UINT64_MAX ? slot_null(slot) : slot_number(slot, (int64_t) n);
        case FIELD_BITS:
                return slot_number(slot, (int64_t) *(const uint64_t *) member);
        case FIELD_U32:
                return slot_number(slot, *(const uint32_t *) member);
        case FIELD_BOOL:
                return slot_number(slot, *(const bool *) member);
        case FIELD_CHARS:
                return slot_text(slot, member);
        case FIELD_BLOB:
                return is_zero(member, field->max) ? slot_null(slot) : slot_blob(slot, member, field->max, SQLITE_STATIC);
        case FIELD_ERROR_CODE:
                return slot_text(slot, error_code_name(*(const enum error_code *) member));
        case FIELD_TEXT_OR_NULL:
                s = *(char *const *) member;
                return slot_text(slot, s ? s : "");
        case FIELD_TEXT:
        case FIELD_URL:
                return slot_text(slot, *(char *const *) member);
        default:
                s = *(char *const *) member;
                return s ? slot_blob(slot, s, strlen(s), SQLITE_STATIC) : slot_null(slot);
        }
}

/* @job, @file: whose row it is; no history has secrets. */
static int rows_bind(struct rows *rows, enum rows_statement which, int at, const struct field_table *table, const struct guid *job,
                     uint32_t file, const void *record) {
        struct slot slot = { .statement = rows->statements[which], .place = at };

        assert(table->n_fields <= ROWS_FIELDS_MAX);
        for (size_t i = 0; i < table->n_fields; i++, slot.place++) {
                const struct field *field = &table->fields[i];
                const void *member = (const char *) record + field->offset;
                int rc;

                slot.bound = &rows->bound[which][i];
                if (field->kind == FIELD_SECRET) {
                        struct place place = place_of(job, file, field);

                        rc = bind_secret(rows, &slot, &place, member);
                } else
                        rc = bind_field(&slot, field, member);
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
        int r = 0;

        /* Also where it has none now: after a portion of a download the whole file may be wanted. */
        if (rows->has_requested) {
                r = ROWS_BIND_NUMBERS(rows, ROWS_REMOVE_REQUESTED, key, record->index);
                if (r == 0)
                        r = rows_run(rows, ROWS_REMOVE_REQUESTED, NULL);
        }
        for (size_t i = 0; r == 0 && i < record->n_ranges; i++) {
                const struct byte_range *range = &record->ranges[i];
                int rc;

                rows->has_requested = true;
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

static int rows_note(struct rows *rows, enum rows_statement has, bool *there) {
        int r = *there ? rows_run(rows, has, NULL) : 0;

        if (r >= 0)
                *there = r > 0;
        return MIN(r, 0);
}

int rows_note_what_is_left(struct rows *rows) {
        int r = rows_note(rows, ROWS_HAS_REQUESTED, &rows->has_requested);

        if (r == 0)
                r = rows_note(rows, ROWS_HAS_DURABLE, &rows->has_durable);
        return r < 0 ? r : rows_note(rows, ROWS_HAS_CHUNK, &rows->has_chunks);
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

/* Those that begin in [start, stop). */
static int rows_remove_chunks(struct rows *rows, int64_t key, uint32_t file, uint64_t start, uint64_t stop) {
        int r;

        if (start >= stop)
                return 0;
        r = ROWS_BIND_NUMBERS(rows, ROWS_REMOVE_CHUNKS, key, file, (int64_t) start, (int64_t) stop);
        return r == 0 ? rows_run(rows, ROWS_REMOVE_CHUNKS, NULL) : r;
}

/* What record_file_keep_chunks() does, to those that are stored. */
static int rows_keep_chunks(struct rows *rows, int64_t key, const struct job_file *record) {
        size_t n = record->state == FILE_PENDING ? record->durable.n_items : 0;
        uint64_t from = 0;
        int r = 0;

        for (size_t i = 0; i < n && r == 0; i++) {
                const struct interval *item = &record->durable.items[i];

                r = rows_remove_chunks(rows, key, record->index, from, item->start);
                from = MAX(item->start, item->end - MIN(item->end, CHUNK_BYTES - 1));
        }
        return r == 0 ? rows_remove_chunks(rows, key, record->index, from, INT64_MAX) : r;
}

static int rows_save_chunks(struct rows *rows, int64_t key, const struct job_file *record) {
        int r = rows->has_chunks ? rows_keep_chunks(rows, key, record) : 0;

        for (size_t i = 0; i < record->chunks.n_items && r == 0; i++) {
                const struct chunk *chunk = &record->chunks.items[i];
                int rc;

                rows->has_chunks = true;
                r = ROWS_BIND_NUMBERS(rows, ROWS_ADD_CHUNK, key, record->index, (int64_t) chunk->start);
                if (r < 0)
                        return r;
                rc = sqlite3_bind_blob(rows->statements[ROWS_ADD_CHUNK], 4, chunk->hash, sizeof(chunk->hash), SQLITE_STATIC);
                if (rc != SQLITE_OK)
                        return rows_error(rows, rc);
                r = rows_run(rows, ROWS_ADD_CHUNK, NULL);
        }
        return r;
}

/* 1: there was such a row. */
static int rows_update_file(struct rows *rows, int64_t key, const struct guid *id, const struct job_file *record) {
        sqlite3_stmt *statement = rows->statements[ROWS_UPDATE_FILE];
        int r, rc, at = (int) file_fields.n_fields + 1;

        r = rows_bind(rows, ROWS_UPDATE_FILE, 1, &file_fields, id, record->index, record);
        if (r < 0)
                return r;
        rc = sqlite3_bind_int64(statement, at, key);
        if (rc == SQLITE_OK)
                rc = sqlite3_bind_int64(statement, at + 1, record->index);
        if (rc != SQLITE_OK)
                return rows_error(rows, rc);
        r = rows_run(rows, ROWS_UPDATE_FILE, NULL);
        return r < 0 ? r : sqlite3_changes(rows->db) > 0;
}

static int rows_insert_file(struct rows *rows, int64_t key, const struct guid *id, const struct job_file *record) {
        int r = ROWS_BIND_NUMBERS(rows, ROWS_SAVE_FILE, key, record->index);

        if (r == 0)
                r = rows_bind(rows, ROWS_SAVE_FILE, 3, &file_fields, id, record->index, record);
        return r < 0 ? r : rows_run(rows, ROWS_SAVE_FILE, NULL);
}

/* An upsert takes most of the way of an insertion before it finds a row. What has a temp file was saved before that was made. */
static int rows_save_file(struct rows *rows, int64_t key, const struct guid *id, const struct job_file *record) {
        int r = record->temp.ino != 0 ? rows_update_file(rows, key, id, record) : 0;

        if (r == 0)
                r = rows_insert_file(rows, key, id, record);
        if (r > 0)
                r = 0;
        if (r == 0)
                r = rows_save_requested(rows, key, record);
        if (r == 0)
                r = rows_save_durable(rows, key, record);
        if (r == 0)
                r = rows_save_chunks(rows, key, record);
        return r;
}

static int rows_write_job(struct rows *rows, const struct batch_job *job) {
        const struct batch_file *file;
        int64_t key = 0;
        int r;

        if (job->removed) {
                r = rows_run_with_id(rows, ROWS_REMOVE_JOB, &job->id, NULL);
                if (r >= 0)
                        r = rows_note_what_is_left(rows);
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

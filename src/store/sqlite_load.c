/* Rows become jobs again. */
#include "base/log.h"
#include "base/strings.h"
#include "store/sqlite_db.h"
#include "store/sqlite_rows.h"

/* STRICT promises the types to us; a damaged file keeps no promises. */
static int read_i64(sqlite3_stmt *statement, int column, int64_t *ret) {
        if (sqlite3_column_type(statement, column) != SQLITE_INTEGER)
                return -EUCLEAN;
        *ret = sqlite3_column_int64(statement, column);
        return 0;
}

static int read_u64(sqlite3_stmt *statement, int column, uint64_t *ret) {
        int type = sqlite3_column_type(statement, column);
        int64_t value;

        if (type == SQLITE_NULL) {
                *ret = UINT64_MAX;
                return 0;
        }
        if (type != SQLITE_INTEGER)
                return -EUCLEAN;
        value = sqlite3_column_int64(statement, column);
        if (value < 0)
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
        bool is_text = field->kind == FIELD_TEXT || field->kind == FIELD_TEXT_OR_NULL || field->kind == FIELD_URL;
        const char *bytes;
        size_t size;
        char *s;
        int r;

        if (field->kind == FIELD_BYTES_OR_NULL && sqlite3_column_type(statement, column) == SQLITE_NULL)
                return 0;
        r = read_bytes(statement, column, is_text ? SQLITE_TEXT : SQLITE_BLOB, field->max, &bytes, &size);
        if (r < 0)
                return r;
        if (field->kind == FIELD_TEXT_OR_NULL && size == 0)
                return 0;
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
        int type = sqlite3_column_type(statement, column);
        const void *blob;

        if (type == SQLITE_NULL)
                return 0;
        if (type != SQLITE_BLOB)
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
        return secret_set_lost(ret, blob, size);
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
        struct cursor files, requested, durable, chunks;
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

static int load_chunks(struct loader *loader, int64_t key, struct job_file *record) {
        struct cursor *cursor = &loader->chunks;

        while (cursor_is_at(cursor, key, record->index)) {
                struct chunk chunk = {};
                int r;

                if (read_u64(cursor->statement, 2, &chunk.start) < 0 || chunk.start > LIMIT_FILE_SIZE ||
                    sqlite3_column_type(cursor->statement, 3) != SQLITE_BLOB)
                        return error_trace(-EUCLEAN);
                r = read_blob(cursor->statement, 3, sizeof(chunk.hash), chunk.hash);
                if (r == 0)
                        r = chunks_put(&record->chunks, &chunk);
                if (r < 0)
                        return r == -ENOMEM ? r : error_trace(-EUCLEAN);
                r = cursor_next(loader->rows, cursor);
                if (r < 0)
                        return r;
        }
        record_file_keep_chunks(record);
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
        if (r == 0)
                r = load_chunks(loader, key, record);
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
        /* What is left over belongs to nobody: to no job, or to no file of its job. */
        if (loader->files.has_row || loader->requested.has_row || loader->durable.has_row ||
            loader->chunks.has_row)
                return error_trace(-EUCLEAN);
        return 0;
}

static int load_history(struct rows *rows, const struct store_visitor *visitor, void *userdata) {
        sqlite3_stmt *statement = rows->statements[ROWS_LOAD_HISTORY];
        int rc, r;

        while ((rc = sqlite3_step(statement)) == SQLITE_ROW) {
                /* The same strings as in a live entry: history_entry_free() fits. */
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
                .chunks = { .statement = rows->statements[ROWS_LOAD_CHUNKS] },
        };
        int r;

        r = cursor_next(rows, &loader.files);
        if (r == 0)
                r = cursor_next(rows, &loader.requested);
        if (r == 0)
                r = cursor_next(rows, &loader.durable);
        if (r == 0)
                r = cursor_next(rows, &loader.chunks);
        if (r == 0)
                r = load_jobs(&loader, visitor, userdata);
        if (r == 0)
                r = load_history(rows, visitor, userdata);
        for (int i = ROWS_LOAD_JOBS; i <= ROWS_LOAD_HISTORY; i++)
                (void) sqlite3_reset(rows->statements[i]);
        return r == 0 ? rows_note_what_is_left(rows) : r;
}

/* Rows that no program of ours wrote. The input is a list of edits (table, column, type, value) to a small valid database whose
 * tables have lost their types and constraints. Properties: loading ends in success or -EUCLEAN, and whatever was loaded can be
 * saved again: reader and writer agree on what makes sense. */
#include "fuzz.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/sqlite_rows.h"
#include "store/sqlite_schema.h"

#define CHECK(x) \
        do {                     \
                if (!(x))        \
                        abort(); \
        } while (0)

#define N_JOBS 2

static const char *const columns[] = {
#define JOB_COLUMN(c, ...) "UPDATE OR IGNORE job SET " #c "=?",
#define FILE_COLUMN(c, ...) "UPDATE OR IGNORE file SET " #c "=?",
#define HISTORY_COLUMN(c, ...) "UPDATE OR IGNORE history SET " #c "=?",
        JOB_FIELDS(JOB_COLUMN) FILE_FIELDS(FILE_COLUMN) HISTORY_FIELDS(HISTORY_COLUMN)
        "UPDATE OR IGNORE job SET id=? WHERE key=1",
        "UPDATE OR IGNORE job SET key=? WHERE key=1",
        "UPDATE OR IGNORE file SET job=? WHERE job=1",
        "UPDATE OR IGNORE file SET idx=? WHERE idx=1",
        "UPDATE OR IGNORE requested_range SET job=?",
        "UPDATE OR IGNORE requested_range SET file=? WHERE file=0",
        "UPDATE OR IGNORE requested_range SET place=? WHERE place=1",
        "UPDATE OR IGNORE requested_range SET start=?",
        "UPDATE OR IGNORE requested_range SET length=?",
        "UPDATE OR IGNORE durable_range SET job=?",
        "UPDATE OR IGNORE durable_range SET file=? WHERE file=0",
        "UPDATE OR IGNORE durable_range SET start=? WHERE start=0",
        "UPDATE OR IGNORE durable_range SET stop=?",
        "DELETE FROM file WHERE idx=?",
};

static sqlite3 *db;
static struct rows rows;
static sqlite3_stmt *edits[ELEMENTSOF(columns)];

static void cut_all(char *text, const char *what) {
        for (char *p; (p = strstr(text, what));)
                memmove(p, p + strlen(what), strlen(p + strlen(what)) + 1);
}

static void make_tables(void) {
        CHECK(sqlite3_open(":memory:", &db) == SQLITE_OK);
        CHECK(sqlite3_exec(db, "PRAGMA ignore_check_constraints=ON", NULL, NULL, NULL) == SQLITE_OK);
        for (unsigned i = 0; i < n_schema_versions; i++) {
                char *sql = strdup(schema_versions[i].sql);

                CHECK(sql);
                cut_all(sql, "STRICT, ");
                cut_all(sql, " STRICT");
                cut_all(sql, " NOT NULL");
                CHECK(sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK);
                free(sql);
        }
}

static void add_job(struct store_batch *batch, uint8_t number) {
        static const struct byte_range ranges[] = { { 0, 10 }, { 20, TO_EOF } };
        struct guid id = { .bytes = { number } };
        struct history_entry *entry;
        struct job *job;

        CHECK(job_new(&id, 1000, JOB_FAMILY_DO, "job", 1, &job) == 0);
        for (int i = 0; i < 2; i++) {
                struct job_file_spec spec = {
                        .url = "http://127.0.0.1/a",
                        .path = i == 0 ? "/tmp/a" : "/tmp/b",
                        .stated_size = SIZE_UNKNOWN,
                        .ranges = ranges,
                        .n_ranges = ELEMENTSOF(ranges),
                        .mode = 0644,
                };
                struct job_file *file;

                CHECK(job_add_file(job, &spec, 500, &file) == 0);
                CHECK(intervals_add(&file->durable, 0, 5) == 0 && intervals_add(&file->durable, 7, 9) == 0);
                CHECK(store_batch_save_file(batch, file) == 0);
        }
        CHECK(store_batch_save_job(batch, job) == 0);
        CHECK(history_entry_new(job, 5, &entry) == 0);
        CHECK(store_batch_add_history(batch, entry, 10) == 0);
        history_entry_free(entry);
        job_free(job);
}

static void set_up(void) {
        struct store_batch *batch;

        if (db)
                return;
        make_tables();
        CHECK(rows_init(&rows, db, NULL) == 0);
        CHECK(store_batch_new(&batch) == 0);
        for (uint8_t i = 1; i <= N_JOBS; i++)
                add_job(batch, i);
        CHECK(rows_begin(&rows) == 0 && rows_write_batch(&rows, batch) == 0 && rows_commit(&rows) == 0);
        store_batch_free(batch);
        for (size_t i = 0; i < ELEMENTSOF(columns); i++)
                CHECK(sqlite3_prepare_v2(db, columns[i], -1, &edits[i], NULL) == SQLITE_OK);
}

/* One edit: column, type, length, value. Return: how many bytes it took. */
static size_t edit(const uint8_t *data, size_t size) {
        sqlite3_stmt *statement = edits[data[0] % ELEMENTSOF(edits)];
        size_t length = MIN((size_t) data[2], size - 3);
        int64_t number = 0;
        double real;

        data += 3;
        memcpy(&number, data, MIN(length, sizeof(number)));
        memcpy(&real, &number, sizeof(real));
        switch (data[-2] % 5) {
        case 0:
                (void) sqlite3_bind_null(statement, 1);
                break;
        case 1:
                (void) sqlite3_bind_int64(statement, 1, number);
                break;
        case 2:
                (void) sqlite3_bind_text(statement, 1, (const char *) data, (int) length, SQLITE_STATIC);
                break;
        case 3:
                (void) sqlite3_bind_blob(statement, 1, data, (int) length, SQLITE_STATIC);
                break;
        default:
                (void) sqlite3_bind_double(statement, 1, real);
        }
        (void) sqlite3_step(statement);
        (void) sqlite3_reset(statement);
        (void) sqlite3_clear_bindings(statement);
        return 3 + length;
}

static int save_job_again(struct job *job, void *userdata) {
        struct store_batch *batch = userdata;

        CHECK(store_batch_save_job(batch, job) == 0);
        for (size_t i = 0; i < job->n_files; i++)
                CHECK(store_batch_save_file(batch, job->files[i]) == 0);
        job_free(job);
        return 0;
}

static int save_history_again(struct history_entry *entry, void *userdata) {
        struct store_batch *batch = userdata;

        CHECK(store_batch_add_history(batch, entry, 10) == 0);
        history_entry_free(entry);
        return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        static const struct store_visitor visitor = { save_job_again, save_history_again };
        struct store_batch *batch;
        int r;

        set_up();
        CHECK(rows_begin(&rows) == 0);
        for (size_t i = 0; i + 3 <= size;)
                i += edit(data + i, size - i);
        CHECK(store_batch_new(&batch) == 0);
        r = rows_load(&rows, &visitor, batch);
        CHECK(r == 0 || r == -EUCLEAN);
        store_batch_free(batch);
        CHECK(rows_rollback(&rows) == 0);
        return 0;
}

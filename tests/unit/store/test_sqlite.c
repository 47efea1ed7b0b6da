/* The SQLite backend alone: its settings, its files, old and new and damaged databases. */
#include "fixture.h"

#include <dirent.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fds.h"
#include "base/strings.h"
#include "store/sqlite_db.h"
#include "store/sqlite_schema.h"
#include "store/sqlite_store.h"

static char *folder;

static int set_up(void **state _unused_) {
        folder = folder_new();
        return 0;
}

static int tear_down(void **state _unused_) {
        folder_remove(folder);
        return 0;
}

static int open_result(bool unclean) {
        struct store_options options = { .state_dir = folder, .unclean = unclean };
        struct store *store = NULL;
        int r = store_open_sqlite(&options, &store);

        store_free(store);
        return r;
}

static void save_samples(unsigned n) {
        struct store *store = open_sqlite(folder);

        for (unsigned i = 0; i < n; i++) {
                struct job *job = sample_job(i, (enum sample)(1 + i % 2), 3);
                struct history_entry *entry = sample_history(i, (enum sample)(1 + i % 2));
                struct store_batch *batch = batch_of(job);

                assert_int_equal(store_batch_add_history(batch, entry, 100), 0);
                assert_int_equal(commit_now(store, batch), 0);
                history_entry_free(entry);
                job_free(job);
        }
        store_free(store);
}

/* "name:size " of everything in the folder whose name has @part, in order. */
static char *list_files(const char *part) {
        struct dirent **entries;
        char *list = strdup("");
        int n = scandir(folder, &entries, NULL, alphasort);

        assert_true(n >= 0);
        for (int i = 0; i < n; i++) {
                if (entries[i]->d_name[0] != '.' && strstr(entries[i]->d_name, part)) {
                        char *longer;

                        assert_true(asprintf(&longer, "%s%s ", list, entries[i]->d_name) > 0);
                        free(list);
                        list = longer;
                }
                free(entries[i]);
        }
        free(entries);
        return list;
}

static void assert_files(const char *part, const char *expected) {
        _cleanup_free_ char *list = list_files(part);

        assert_string_equal(list, expected);
}

static void read_all(const char *name, char **ret, size_t *ret_size) {
        _cleanup_free_ char *path = folder_file(folder, name);

        assert_int_equal(fd_read_file(path, 64 * 1024 * 1024, ret, ret_size), 0);
}

static void a_complete_file_needs_no_row_of_ranges(void **state _unused_) {
        struct job *job = sample_job(1, SAMPLE_NEW, 2);
        _cleanup_free_ char *rows = NULL;
        struct content content = {};
        struct intervals all = {};
        struct store *store = open_sqlite(folder);

        assert_int_equal(intervals_add(&all, 0, 1000), 0);
        for (size_t i = 0; i < 2; i++)
                assert_int_equal(job_file_set_remote_size(job->files[i], 1000), 0);
        assert_int_equal(job_file_durable(job->files[0], &all), 0);
        assert_int_equal(save_now(store, job), 0); /* first as a pending one with ranges, which then have to go */
        job_file_set_state(job->files[0], FILE_TRANSFERRED);
        assert_int_equal(save_now(store, job), 0);
        store_free(store);
        rows = raw_query(folder, "SELECT count(*) FROM durable_range");
        assert_string_equal(rows, "0");

        store = open_sqlite(folder);
        assert_int_equal(content_load(store, &content), 0);
        assert_jobs_equal(content_find(&content, &job->id), job);
        content_done(&content);
        store_free(store);
        intervals_done(&all);
        job_free(job);
}

/* ---- settings ---- */

static void every_setting_is_in_force(void **state _unused_) {
        static const struct {
                const char *pragma;
                int64_t value[2]; /* local, network file system */
        } rows[] = {
                { "PRAGMA synchronous", { 2, 3 } },
                { "PRAGMA foreign_keys", { 1, 1 } },
                { "PRAGMA trusted_schema", { 0, 0 } },
                { "PRAGMA cell_size_check", { 1, 1 } },
                { "PRAGMA secure_delete", { 1, 1 } },
                { "PRAGMA temp_store", { 2, 2 } },
                { "PRAGMA journal_size_limit", { 16 * 1024 * 1024, 16 * 1024 * 1024 } },
                { "PRAGMA application_id", { 0x646f7376, 0x646f7376 } },
                { "PRAGMA user_version", { 3, 3 } },
                { "SELECT * FROM pragma_journal_mode WHERE journal_mode IN ('wal')", { 0, -1 } },
                { "SELECT * FROM pragma_journal_mode WHERE journal_mode IN ('delete')", { -1, 0 } },
                { "SELECT count(*) FROM pragma_locking_mode WHERE locking_mode='exclusive'", { 1, 1 } },
                /* Every table is strict. */
                { "SELECT count(*) FROM pragma_table_list WHERE schema='main' AND strict", { 6, 6 } },
        };

        for (int network_fs = 0; network_fs < 2; network_fs++) {
                struct store_options options = { .state_dir = folder, .network_fs = network_fs };
                struct store *store;

                assert_int_equal(store_open_sqlite(&options, &store), 0);
                for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                        int64_t value = -1;
                        int r = sqlite_store_query(store, rows[i].pragma, &value);

                        if (r != (rows[i].value[network_fs] < 0 ? -ENODATA : 0) ||
                            value != rows[i].value[network_fs])
                                fail_msg("%s: %lld (%d)", rows[i].pragma, (long long) value, r);
                }
                store_free(store);
        }
}

static void the_schema_cannot_be_written_to_directly(void **state _unused_) {
        struct store *store = open_sqlite(folder);
        int64_t ignored;

        assert_int_equal(sqlite_store_query(store, "PRAGMA writable_schema=ON", &ignored), -ENODATA);
        assert_int_equal(sqlite_store_query(store, "DELETE FROM sqlite_schema", &ignored), -EIO); /* DEFENSIVE */
        assert_int_equal(sqlite_store_query(store, "ATTACH ':memory:' AS other", &ignored), -EIO); /* limit 0 */
        store_free(store);
}

static void the_settings_check_refuses_what_would_lose_commits(void **state _unused_) {
        static const struct {
                const char *sql;
                bool network_fs;
                int expected;
        } rows[] = {
                { "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL", false, 0 },
                { "PRAGMA journal_mode=WAL; PRAGMA synchronous=EXTRA", false, 0 },
                { "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL", false, -EINVAL },
                { "PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF", false, -EINVAL },
                { "PRAGMA journal_mode=MEMORY; PRAGMA synchronous=FULL", false, -EINVAL },
                { "PRAGMA journal_mode=DELETE; PRAGMA synchronous=EXTRA", true, 0 },
                { "PRAGMA journal_mode=DELETE; PRAGMA synchronous=FULL", true, -EINVAL },
                { "PRAGMA journal_mode=WAL; PRAGMA synchronous=EXTRA", true, -EINVAL },
        };
        _cleanup_free_ char *path = folder_file(folder, "other.sqlite");

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                sqlite3 *db;

                assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
                assert_int_equal(sqlite3_exec(db, rows[i].sql, NULL, NULL, NULL), SQLITE_OK);
                if (database_check_settings(db, rows[i].network_fs) != rows[i].expected)
                        fail_msg("%s: %d", rows[i].sql, database_check_settings(db, rows[i].network_fs));
                assert_int_equal(sqlite3_close(db), SQLITE_OK);
        }
}

static void a_file_can_go_from_local_to_network_and_back(void **state _unused_) {
        save_samples(2);
        for (int round = 0; round < 3; round++) {
                struct store_options options = { .state_dir = folder, .network_fs = round % 2 == 0 };
                struct content content;
                struct store *store;

                assert_int_equal(store_open_sqlite(&options, &store), 0);
                assert_int_equal(content_load(store, &content), 0);
                assert_int_equal(content.n_jobs, 2);
                content_done(&content);
                store_free(store);
        }
}

/* ---- files ---- */

static void only_the_owner_can_read_it(void **state _unused_) {
        static const char *const names[] = { "jobs.sqlite", "jobs.sqlite-wal" };
        mode_t mask = umask(0);
        struct store *store = open_sqlite(folder);
        struct job *job = sample_job(1, SAMPLE_NEW, 1);
        struct stat st;

        assert_int_equal(save_now(store, job), 0);
        for (size_t i = 0; i < ELEMENTSOF(names); i++) {
                _cleanup_free_ char *path = folder_file(folder, names[i]);

                assert_int_equal(stat(path, &st), 0);
                assert_int_equal(st.st_mode & 07777, 0600);
        }
        assert_files("shm", "");
        job_free(job);
        store_free(store);
        umask(mask);
}

static void a_file_that_others_could_read_is_closed_to_them(void **state _unused_) {
        _cleanup_free_ char *path = folder_file(folder, "jobs.sqlite");
        struct stat st;

        save_samples(1);
        assert_int_equal(chmod(path, 0644), 0);
        assert_int_equal(open_result(false), 0);
        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(st.st_mode & 07777, 0600);
}

static void a_symbolic_link_is_no_database(void **state _unused_) {
        _cleanup_free_ char *path = folder_file(folder, "jobs.sqlite"), *target = folder_file(folder, "target");

        assert_int_equal(symlink(target, path), 0);
        assert_int_equal(open_result(false), -ENOTSUP);
        assert_int_equal(access(target, F_OK), -1);
}

static void a_folder_that_is_not_there_is_an_error(void **state _unused_) {
        struct store_options options = { .state_dir = "/nonexistent/dosvc" };
        struct store *store = NULL;

        assert_int_equal(store_open_sqlite(&options, &store), -ENOENT);
        assert_null(store);
}

static void a_link_on_the_way_to_the_folder_is_fine(void **state _unused_) {
        _cleanup_free_ char *real = folder_file(folder, "real"), *link_path = folder_file(folder, "link");
        struct store_options options = { .state_dir = link_path };
        struct store *store;

        assert_int_equal(mkdir(real, 0700), 0);
        assert_int_equal(symlink("real", link_path), 0);
        assert_int_equal(store_open_sqlite(&options, &store), 0);
        store_free(store);
}

static void a_second_store_on_the_same_file_is_refused(void **state _unused_) {
        struct store *store = open_sqlite(folder);

        assert_int_equal(open_result(false), -EBUSY);
        store_free(store);
        assert_int_equal(open_result(false), 0);
}

static void a_clean_end_leaves_no_journal(void **state _unused_) {
        save_samples(1);
        assert_files("", "jobs.reserve jobs.sqlite ");
}

/* ---- versions ---- */

static void a_newer_schema_is_refused_and_untouched(void **state _unused_) {
        char *before[2], *after[2];
        size_t n_before[2], n_after[2];
        sqlite3 *db;
        _cleanup_free_ char *path = folder_file(folder, "jobs.sqlite");

        save_samples(2);
        /* As a newer service that was killed would leave it: the version stands in the log only. */
        assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
        assert_int_equal(sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL), SQLITE_OK);
        assert_int_equal(sqlite3_exec(db, "PRAGMA locking_mode=EXCLUSIVE; PRAGMA user_version=4", NULL, NULL, NULL),
                         SQLITE_OK);
        assert_int_equal(sqlite3_close(db), SQLITE_OK);
        assert_files("", "jobs.reserve jobs.sqlite jobs.sqlite-wal ");
        read_all("jobs.sqlite", &before[0], &n_before[0]);
        read_all("jobs.sqlite-wal", &before[1], &n_before[1]);
        assert_true(n_before[1] > 0);

        assert_int_equal(open_result(false), -EPROTONOSUPPORT);
        assert_int_equal(open_result(true), -EPROTONOSUPPORT);

        assert_files("", "jobs.reserve jobs.sqlite jobs.sqlite-wal ");
        read_all("jobs.sqlite", &after[0], &n_after[0]);
        read_all("jobs.sqlite-wal", &after[1], &n_after[1]);
        for (size_t i = 0; i < 2; i++) {
                assert_int_equal(n_before[i], n_after[i]);
                assert_memory_equal(before[i], after[i], n_before[i]);
                free(before[i]);
                free(after[i]);
        }
}

static sqlite3 *open_for_upgrade(void) {
        _cleanup_free_ char *path = folder_file(folder, "jobs.sqlite");
        sqlite3 *db;

        assert_int_equal(database_open(path, &db), 0);
        assert_int_equal(database_configure(db, false), 0);
        return db;
}

/* To versions that are yet to come. */
static int upgrade(sqlite3 *db, const char *fourth, const char *fifth) {
        const struct schema_version versions[] = { schema_versions[0], schema_versions[1], schema_versions[2], { fourth }, { fifth } };
        _cleanup_free_ char *path = folder_file(folder, "jobs.sqlite");

        return schema_upgrade(db, folder, path, (unsigned) schema_identify(db, 5), versions, fifth ? 5 : 4);
}

static void an_older_schema_is_upgraded_step_by_step_with_a_copy_before_each(void **state _unused_) {
        _cleanup_free_ char *before_4 = folder_file(folder, "jobs.sqlite.before-v4");
        _cleanup_free_ char *before_5 = folder_file(folder, "jobs.sqlite.before-v5");
        _cleanup_free_ char *version = NULL, *jobs = NULL, *flavour = NULL, *copy_version = NULL, *copy_jobs = NULL,
                            *second_copy = NULL, *check = NULL;
        struct stat st;
        sqlite3 *db;

        save_samples(3);
        db = open_for_upgrade();
        assert_int_equal(upgrade(db, "ALTER TABLE job ADD flavour TEXT; UPDATE job SET flavour='plain'",
                                 "ALTER TABLE job RENAME COLUMN flavour TO taste"), 0);
        assert_int_equal(schema_identify(db, 5), 5);
        database_close(db, false);

        version = raw_query(folder, "PRAGMA user_version");
        jobs = raw_query(folder, "SELECT count(*) FROM job WHERE taste='plain'");
        copy_version = raw_query_file(before_4, "PRAGMA user_version");
        copy_jobs = raw_query_file(before_4, "SELECT count(*) FROM job");
        flavour = raw_query_file(before_5, "SELECT count(*) FROM job WHERE flavour='plain'");
        second_copy = raw_query_file(before_5, "PRAGMA user_version");
        check = raw_query_file(before_4, "PRAGMA integrity_check");
        assert_string_equal(version, "5");
        assert_string_equal(jobs, "3");
        assert_string_equal(copy_version, "3");
        assert_string_equal(copy_jobs, "3");
        assert_string_equal(flavour, "3");
        assert_string_equal(second_copy, "4");
        assert_string_equal(check, "ok");
        assert_int_equal(stat(before_4, &st), 0);
        assert_int_equal(st.st_mode & 07777, 0600);
        assert_files(".new", "");
        /* And for us it is a newer one now. */
        assert_int_equal(open_result(false), -EPROTONOSUPPORT);
}

static void an_upgrade_that_fails_changes_nothing(void **state _unused_) {
        struct content content;
        struct store *store;
        sqlite3 *db;

        save_samples(2);
        db = open_for_upgrade();
        assert_true(upgrade(db, "DELETE FROM file; ALTER TABLE job ADD flavour TEXT; SELECT no_such_function()",
                            NULL) < 0);
        assert_int_equal(schema_identify(db, 4), 3);
        database_close(db, false);
        store = open_sqlite(folder);
        assert_int_equal(content_load(store, &content), 0);
        assert_int_equal(content.n_jobs, 2);
        assert_int_equal(content.jobs[1]->n_files, 3);
        content_done(&content);
        store_free(store);
}

/* ---- damage ---- */

static void overwrite(const char *name, off_t offset, const void *bytes, size_t size) {
        _cleanup_free_ char *path = folder_file(folder, name);
        _cleanup_close_ int fd = open(path, O_WRONLY | O_CLOEXEC);

        assert_true(fd >= 0);
        assert_int_equal(fd_pwrite_all(fd, bytes, size, (uint64_t) offset), 0);
}

static void assert_moved_aside_and_empty_now(void) {
        _cleanup_free_ char *damaged = list_files("jobs.sqlite.damaged-"), *current = NULL;
        struct content content;
        struct store *store;

        assert_true(strlen(damaged) > 0);
        current = folder_file(folder, "jobs.sqlite");
        assert_int_equal(access(current, F_OK), -1);
        store = open_sqlite(folder);
        assert_int_equal(content_load(store, &content), 0);
        assert_int_equal(content.n_jobs, 0);
        content_done(&content);
        store_free(store);
}

static void what_is_no_database_is_moved_aside(void **state _unused_) {
        save_samples(1);
        overwrite("jobs.sqlite", 0, "not a database, surely", 22);
        assert_int_equal(open_result(false), -EUCLEAN);
        assert_moved_aside_and_empty_now();
}

static void another_programs_database_is_moved_aside(void **state _unused_) {
        assert_int_equal(open_result(false), 0);
        raw_sql(folder, "PRAGMA application_id=42");
        assert_int_equal(open_result(false), -EUCLEAN);
        assert_moved_aside_and_empty_now();
}

static void note_error(int error, void *userdata) {
        *(int *) userdata = error;
}

/* Job @number is saved, then a backup is made that has the time @usec. */
static void save_and_back_up(unsigned number, uint64_t usec) {
        struct job *job = sample_job(number, SAMPLE_NEW, 1);
        struct store *store = open_sqlite(folder);
        int error = 1;

        assert_int_equal(save_now(store, job), 0);
        assert_int_equal(store_backup(store, usec, note_error, &error), 0);
        while (store_wait(store) > 0)
                ;
        assert_int_equal(error, 0);
        store_free(store);
        job_free(job);
}

/* 1 and the time, or what store_restore_sqlite() said. */
static int restore_now(uint64_t *ret_usec) {
        struct store_options options = { .state_dir = folder };

        return store_restore_sqlite(&options, ret_usec);
}

static void assert_jobs(size_t n) {
        struct content content;
        struct store *store = open_sqlite_unclean(folder);

        assert_int_equal(content_load(store, &content), 0);
        assert_int_equal(content.n_jobs, n);
        content_done(&content);
        store_free(store);
}

static void two_generations_of_backups_are_kept_and_need_no_journal(void **state _unused_) {
        for (unsigned i = 1; i <= 3; i++)
                save_and_back_up(i, i * USEC_PER_DAY);
        assert_files("jobs.sqlite", "jobs.sqlite jobs.sqlite.backup-1 jobs.sqlite.backup-2 ");
        for (unsigned i = 1; i <= 2; i++) {
                char name[32];
                _cleanup_free_ char *path = NULL, *check = NULL, *mode = NULL;

                snprintf(name, sizeof(name), "jobs.sqlite.backup-%u", i);
                path = folder_file(folder, name);
                check = raw_query_file(path, "PRAGMA integrity_check");
                mode = raw_query_file(path, "PRAGMA journal_mode");
                assert_string_equal(check, "ok");
                assert_string_equal(mode, "delete");
        }
}

static void the_newest_good_backup_is_taken(void **state _unused_) {
        uint64_t usec = 0;

        save_and_back_up(1, USEC_PER_DAY);
        save_and_back_up(2, 2 * USEC_PER_DAY);
        save_samples(4);
        overwrite("jobs.sqlite", 0, "not a database, surely", 22);
        assert_int_equal(open_result(false), -EUCLEAN);
        assert_int_equal(restore_now(&usec), 1);
        assert_int_equal(usec, 2 * USEC_PER_DAY);
        assert_jobs(2);
        overwrite("jobs.sqlite", 0, "not a database, surely", 22);
        overwrite("jobs.sqlite.backup-1", 0, "not a database, surely", 22);
        assert_int_equal(open_result(false), -EUCLEAN);
        assert_int_equal(restore_now(&usec), 1);
        assert_int_equal(usec, USEC_PER_DAY);
        assert_jobs(1);
}

static void a_backup_whose_rows_make_no_sense_is_not_taken(void **state _unused_) {
        _cleanup_free_ char *path = folder_file(folder, "jobs.sqlite.backup-1");
        uint64_t usec = 0;

        save_and_back_up(1, USEC_PER_DAY);
        save_and_back_up(2, 2 * USEC_PER_DAY);
        free(raw_query_file(path, "UPDATE job SET state=77 RETURNING state"));
        overwrite("jobs.sqlite", 0, "not a database, surely", 22);
        assert_int_equal(open_result(false), -EUCLEAN);
        assert_int_equal(restore_now(&usec), 1);
        assert_int_equal(usec, USEC_PER_DAY);
        assert_jobs(1);
}

static void without_a_good_backup_the_bad_ones_are_moved_aside_too(void **state _unused_) {
        uint64_t usec = 0;

        save_and_back_up(1, USEC_PER_DAY);
        overwrite("jobs.sqlite", 0, "not a database, surely", 22);
        overwrite("jobs.sqlite.backup-1", 0, "not a database, surely", 22);
        assert_int_equal(open_result(false), -EUCLEAN);
        assert_int_equal(restore_now(&usec), 0);
        assert_jobs(0);
}

static void a_database_that_vanished_is_no_empty_one_while_there_is_a_backup(void **state _unused_) {
        _cleanup_free_ char *path = folder_file(folder, "jobs.sqlite");
        uint64_t usec = 0;

        save_and_back_up(1, USEC_PER_DAY);
        assert_int_equal(unlink(path), 0);
        assert_int_equal(open_result(false), -EUCLEAN);
        assert_int_equal(open_result(false), -EUCLEAN); /* as after a crash before the next line */
        assert_int_equal(restore_now(&usec), 1);
        assert_jobs(1);
}

static void two_damaged_files_in_one_second_are_both_kept(void **state _unused_) {
        _cleanup_free_ char *list = NULL;
        unsigned n_files = 0, n_logs = 0;

        for (unsigned i = 0; i < 2; i++) {
                assert_int_equal(open_result(false), 0);
                raw_sql(folder, "PRAGMA application_id=42");
                assert_int_equal(open_result(false), -EUCLEAN);
        }
        list = list_files("damaged");
        for (const char *p = list; (p = strchr(p, ' ')); p++) {
                bool is_log = p - list > 4 && strncmp(p - 4, "-wal", 4) == 0;

                n_logs += is_log;
                n_files += !is_log;
        }
        assert_int_equal(n_files, 2);
        assert_true(n_logs <= 2);
}

static void what_a_database_had_that_was_taken_away_is_in_a_backup(void **state _unused_) {
        _cleanup_free_ char *path = folder_file(folder, "jobs.sqlite");
        struct job *late = sample_job(7, SAMPLE_DISTINCT, 3);
        struct store *store;
        uint64_t usec = 0;

        save_samples(5);
        store = open_sqlite(folder);
        assert_int_equal(unlink(path), 0);
        assert_int_equal(commit_now(store, batch_of(late)), -ESTALE); /* nobody is told that it was kept */
        assert_int_equal(store_recover(store), -ESTALE);
        store_free(store);
        job_free(late);
        assert_int_equal(open_result(false), -EUCLEAN);
        assert_int_equal(restore_now(&usec), 1);
        assert_jobs(5);
}

static void what_takes_the_place_of_a_database_stays(void **state _unused_) {
        _cleanup_free_ char *path = folder_file(folder, "jobs.sqlite"), *other = folder_file(folder, "other");
        struct job *late = sample_job(7, SAMPLE_DISTINCT, 3);
        struct store *store;

        save_samples(2);
        assert_int_equal(rename(path, other), 0);
        save_samples(5);
        store = open_sqlite(folder);
        assert_int_equal(rename(other, path), 0);
        assert_int_equal(commit_now(store, batch_of(late)), -ESTALE);
        store_free(store);
        job_free(late);
        assert_jobs(2);
}

static void a_missing_table_is_damage(void **state _unused_) {
        save_samples(1);
        raw_sql(folder, "DROP TABLE durable_range");
        assert_int_equal(open_result(false), -EUCLEAN);
        assert_moved_aside_and_empty_now();
}

static void the_quick_check_after_an_unclean_end_finds_a_broken_page(void **state _unused_) {
        static const uint8_t garbage[512] = { 0x0d, 0xff, 0xff, 0xff, 0xff, 0xff };
        _cleanup_free_ char *page = NULL;

        save_samples(4);
        /* A leaf of the history, which opening alone does not read. */
        page = raw_query(folder, "SELECT rootpage FROM sqlite_schema WHERE name='history'");
        overwrite("jobs.sqlite", (atoi(page) - 1) * 4096, garbage, sizeof(garbage));
        assert_int_equal(open_result(false), 0);
        assert_int_equal(open_result(true), -EUCLEAN);
        assert_moved_aside_and_empty_now();
}

/* As a run ends that cannot load them: the next one takes what is left of the day before. */
static void rows_that_make_no_sense_are_moved_aside_after_an_unclean_end(void **state _unused_) {
        save_samples(4);
        raw_sql(folder, "UPDATE job SET state=99 WHERE key=2");
        assert_int_equal(open_result(false), 0);
        assert_int_equal(open_result(true), -EUCLEAN);
        assert_moved_aside_and_empty_now();
}

/* What was judged is what the first load gives, but for what was written in between. */
static void after_an_unclean_end_each_load_gives_what_is_there(void **state _unused_) {
        struct job *job = sample_job(70, SAMPLE_DISTINCT, 2);

        save_samples(3);
        for (int write = 0; write < 2; write++) {
                struct store *store = open_sqlite_unclean(folder);

                if (write)
                        assert_int_equal(save_now(store, job), 0);
                for (int i = 0; i < 2; i++) {
                        struct content content;

                        assert_int_equal(content_load(store, &content), 0);
                        assert_int_equal(content.n_jobs, write ? 4 : 3);
                        if (write)
                                assert_jobs_equal(content_find(&content, &job->id), job);
                        content_done(&content);
                }
                store_free(store);
        }
        store_free(open_sqlite_unclean(folder)); /* nobody loads */
        job_free(job);
}

static int load_result(void) {
        struct store_options options = { .state_dir = folder };
        struct content content;
        struct store *store;
        int r = store_open_sqlite(&options, &store);

        if (r < 0)
                return r;
        r = content_load(store, &content);
        content_done(&content);
        store_free(store);
        return r;
}

/* SQLite holds its own promises here: each of these is a valid file with a row that makes no sense. */
static void a_row_that_makes_no_sense_is_an_error(void **state _unused_) {
        static const char *const rows[] = {
                "UPDATE job SET state=9",
                "UPDATE job SET state=-1",
                "UPDATE job SET family=2",
                "UPDATE job SET type=1",
                "UPDATE job SET intent=4",
                "UPDATE job SET priority=4294967296",
                "UPDATE job SET notify_flags=64",
                "UPDATE job SET owner=4294967295",
                "UPDATE job SET waiting=1000",
                "UPDATE job SET replace_existing=2",
                "UPDATE job SET created_usec=-1",
                "UPDATE job SET name=CAST(x'ff' AS TEXT)",
                "UPDATE job SET name=CAST(x'6100' AS TEXT)",
                "UPDATE job SET name=replace(printf('%02000d',0),'0','x')",
                "UPDATE job SET error_code='NO_SUCH_ERROR'",
                "UPDATE job SET error_code=''",
                "UPDATE job SET error_file=3",
                "UPDATE job SET error_text=printf('%0256d',0)",
                "UPDATE job SET lying_hosts=x''",
                "UPDATE job SET lying_hosts=x'6100'",
                "UPDATE job SET lying_hosts=x'0a61'",
                "UPDATE job SET lying_hosts=x'610a'",
                "UPDATE job SET lying_hosts=x'610a0a61'",
                "UPDATE job SET lying_hosts=x'610d0a61'",
                "UPDATE job SET lying_hosts=CAST(printf('%0266241d',0) AS BLOB)",
                "PRAGMA ignore_check_constraints=ON; UPDATE job SET id=x'01'",
                "UPDATE file SET state=4",
                "UPDATE file SET url=CAST(x'680a' AS TEXT)",
                "UPDATE file SET url=printf('%08193d',0)",
                "UPDATE file SET path=x'61'",
                "UPDATE file SET path=x'2f00'",
                "UPDATE file SET path=CAST('relative' AS BLOB)",
                "UPDATE file SET path=CAST('/'||printf('%04095d',0) AS BLOB)",
                "UPDATE file SET mode=2541", /* set-id */
                "UPDATE file SET sha256=x'00'",
                "UPDATE file SET temp_boot_id=zeroblob(17)",
                "UPDATE file SET temp_name='../../etc/passwd'",
                "UPDATE file SET temp_name=printf('%035d',0)",
                "UPDATE file SET stated_size=-2",
                "UPDATE file SET etag=CAST(printf('%01025d',0) AS BLOB)",
                "UPDATE file SET size=100", /* less than is durable */
                "UPDATE file SET giving_hosts=x'610a'",
                "UPDATE file SET giving_hosts=CAST(printf('%016641d',0) AS BLOB)",
                "UPDATE file SET idx=7 WHERE idx=1",
                ("UPDATE file SET idx=7 WHERE idx=2; UPDATE requested_range SET file=7 WHERE file=2;"
                 "UPDATE durable_range SET file=7 WHERE file=2; UPDATE job SET error_file=0"),
                "UPDATE file SET idx=-1 WHERE idx=0",
                "UPDATE file SET idx=4294967295 WHERE idx=2",
                "DELETE FROM file WHERE idx=1",
                "DELETE FROM job",
                "DELETE FROM job WHERE key=1",
                "UPDATE requested_range SET start=-1",
                "UPDATE requested_range SET length=-1",
                "UPDATE requested_range SET length=9223372036854775807",
                "UPDATE requested_range SET place=place+10",
                "UPDATE requested_range SET file=9 WHERE file=2",
                "PRAGMA ignore_check_constraints=ON; UPDATE durable_range SET stop=start",
                "UPDATE durable_range SET start=-5 WHERE start=0",
                "UPDATE durable_range SET stop=15 WHERE start=0; UPDATE durable_range SET start=12 WHERE start=20",
                "UPDATE durable_range SET stop=9223372036854775807 WHERE start=20",
                "UPDATE history SET state=77",
                "UPDATE history SET id=x'00'",
                "UPDATE history SET name=CAST(x'c0' AS TEXT)",
                "UPDATE history SET error_code='none'",
                "UPDATE history SET n_files=-1",
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                _cleanup_free_ char *path = folder_file(folder, "jobs.sqlite");

                save_samples(1);
                raw_sql(folder, rows[i]);
                if (load_result() != -EUCLEAN)
                        fail_msg("%s: %d", rows[i], load_result());
                assert_int_equal(unlink(path), 0);
        }
}

static void a_column_of_the_wrong_type_is_an_error(void **state _unused_) {
        static const char *const rows[] = {
                "UPDATE job SET state='text'",
                "UPDATE job SET owner=1.5",
                "UPDATE job SET name=x'61'",
                "UPDATE job SET error_code=5",
                "UPDATE job SET life_time_usec='x'",
                "UPDATE job SET lying_hosts='text'",
                "UPDATE file SET giving_hosts='text'",
                "UPDATE file SET path='/text'",
                "UPDATE file SET url=x'61'",
                "UPDATE file SET temp_ino=x'00'",
                "UPDATE file SET sha256='01234567890123456789012345678901'",
                "UPDATE requested_range SET start='a'",
                "UPDATE durable_range SET stop='z'",
                "UPDATE history SET url='text'",
        };
        _cleanup_free_ char *path = folder_file(folder, "jobs.sqlite");

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                save_samples(1);
                raw_sql(folder, "PRAGMA writable_schema=ON;"
                                "UPDATE sqlite_schema SET sql=replace(replace(sql, 'STRICT, ', ''), ') STRICT', ')')");
                raw_sql(folder, rows[i]);
                if (load_result() != -EUCLEAN)
                        fail_msg("%s: %d", rows[i], load_result());
                assert_int_equal(unlink(path), 0);
        }
}

/* The generator of the C standard's example: the same bytes on every run. */
static uint32_t next_random(uint32_t *seed) {
        *seed = *seed * 1103515245 + 12345;
        return *seed >> 8;
}

static void damaged_bytes_never_do_worse_than_an_error(void **state _unused_) {
        unsigned n_loaded = 0, n_refused = 0;
        uint32_t seed = 1;
        char *image;
        size_t size;

        save_samples(2);
        read_all("jobs.sqlite", &image, &size);
        for (unsigned i = 0; i < 200; i++) {
                struct store_options options = { .state_dir = folder, .unclean = i % 4 == 0 };
                char *list, *name, *rest;
                struct store *store;
                int r;

                for (unsigned k = 0; k <= i % 8; k++) {
                        uint8_t byte = (uint8_t) next_random(&seed);

                        overwrite("jobs.sqlite", next_random(&seed) % size, &byte, 1);
                }
                r = store_open_sqlite(&options, &store);
                if (r == 0) {
                        struct content content;

                        r = content_load(store, &content);
                        content_done(&content);
                        store_free(store);
                }
                n_loaded += r == 0;
                n_refused += r == -EUCLEAN;
                if (r != 0 && r != -EUCLEAN && r != -EPROTONOSUPPORT)
                        fail_msg("round %u: %d", i, r);
                list = list_files("");
                for (name = strtok_r(list, " ", &rest); name; name = strtok_r(NULL, " ", &rest)) {
                        _cleanup_free_ char *path = folder_file(folder, name);

                        assert_int_equal(unlink(path), 0);
                }
                free(list);
                {
                        _cleanup_free_ char *path = folder_file(folder, "jobs.sqlite");
                        _cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

                        assert_true(fd >= 0);
                        assert_int_equal(fd_write_all(fd, image, size), 0);
                }
        }
        free(image);
        /* Both ends were seen, or this test looked at nothing. */
        assert_true(n_loaded > 10);
        assert_true(n_refused > 10);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void) {
        static const struct CMUnitTest tests[] = {
                TEST(a_complete_file_needs_no_row_of_ranges),
                TEST(every_setting_is_in_force),
                TEST(the_schema_cannot_be_written_to_directly),
                TEST(the_settings_check_refuses_what_would_lose_commits),
                TEST(a_file_can_go_from_local_to_network_and_back),
                TEST(only_the_owner_can_read_it),
                TEST(a_file_that_others_could_read_is_closed_to_them),
                TEST(a_symbolic_link_is_no_database),
                TEST(a_folder_that_is_not_there_is_an_error),
                TEST(a_link_on_the_way_to_the_folder_is_fine),
                TEST(a_second_store_on_the_same_file_is_refused),
                TEST(a_clean_end_leaves_no_journal),
                TEST(a_newer_schema_is_refused_and_untouched),
                TEST(an_older_schema_is_upgraded_step_by_step_with_a_copy_before_each),
                TEST(an_upgrade_that_fails_changes_nothing),
                TEST(what_is_no_database_is_moved_aside),
                TEST(another_programs_database_is_moved_aside),
                TEST(two_damaged_files_in_one_second_are_both_kept),
                TEST(two_generations_of_backups_are_kept_and_need_no_journal),
                TEST(the_newest_good_backup_is_taken),
                TEST(a_backup_whose_rows_make_no_sense_is_not_taken),
                TEST(without_a_good_backup_the_bad_ones_are_moved_aside_too),
                TEST(a_database_that_vanished_is_no_empty_one_while_there_is_a_backup),
                TEST(what_a_database_had_that_was_taken_away_is_in_a_backup),
                TEST(what_takes_the_place_of_a_database_stays),
                TEST(a_missing_table_is_damage),
                TEST(the_quick_check_after_an_unclean_end_finds_a_broken_page),
                TEST(rows_that_make_no_sense_are_moved_aside_after_an_unclean_end),
                TEST(after_an_unclean_end_each_load_gives_what_is_there),
                TEST(a_row_that_makes_no_sense_is_an_error),
                TEST(a_column_of_the_wrong_type_is_an_error),
                TEST(damaged_bytes_never_do_worse_than_an_error),
        };

        return cmocka_run_group_tests_name("store sqlite", tests, NULL, NULL);
}

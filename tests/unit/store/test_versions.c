/* Databases that an older version wrote: each step of the schema with jobs in it, and when it is cut short. */
#include "fixture.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/fds.h"
#include "base/strings.h"
#include "store/sqlite_db.h"
#include "store/sqlite_schema.h"

static char *folder;

static int set_up(void **state _unused_) {
        folder = folder_new();
        return 0;
}

static int tear_down(void **state _unused_) {
        folder_remove(folder);
        return 0;
}

#define COLUMNS_OF_JOB "SELECT group_concat(name || type || \"notnull\") FROM pragma_table_info('job')"

static void assert_query(const char *sql, const char *expected) {
        _cleanup_free_ char *answer = raw_query(folder, sql);

        assert_string_equal(answer, expected);
}

/* What version 1 makes in an empty file. */
static char *columns_of_version_1(void) {
        _cleanup_free_ char *path = folder_file(folder, "version-1");
        char *columns;
        sqlite3 *db;

        assert_int_equal(database_create_file(folder, path), 0);
        assert_int_equal(database_open(path, &db), 0);
        assert_int_equal(schema_upgrade(db, folder, NULL, 0, schema_versions, 1), 0);
        database_close(db, false);
        columns = raw_query_file(path, COLUMNS_OF_JOB);
        assert_int_equal(unlink(path), 0);
        return columns;
}

static struct job *job_of_version_1(unsigned number) {
        struct job *job = sample_job(number, (enum sample) (number % _SAMPLE_MAX), 3);

        assert_int_equal(strdup_to(&job->lying_hosts, NULL), 0);
        for (size_t i = 0; i < job->n_files; i++)
                job_file_forget_givers(job->files[i]);
        return job;
}

static void downgrade(const char *name) {
        _cleanup_free_ char *path = folder_file(folder, name);
        sqlite3 *db;

        assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
        assert_int_equal(sqlite3_exec(db, "ALTER TABLE job DROP COLUMN lying_hosts; ALTER TABLE file DROP COLUMN giving_hosts; PRAGMA user_version=1",
                                      NULL, NULL, NULL), SQLITE_OK);
        assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void make_version_1(unsigned n_jobs) {
        struct store *store = open_sqlite(folder);

        for (unsigned i = 0; i < n_jobs; i++) {
                struct job *job = job_of_version_1(i);

                assert_int_equal(save_now(store, job), 0);
                job_free(job);
        }
        store_free(store);
        downgrade("jobs.sqlite");
}

static void assert_jobs_of_version_1(unsigned n_jobs) {
        struct store *store = open_sqlite(folder);
        struct content content;

        assert_int_equal(content_load(store, &content), 0);
        assert_int_equal(content.n_jobs, n_jobs);
        for (unsigned i = 0; i < n_jobs; i++) {
                struct job *job = job_of_version_1(i);

                assert_jobs_equal(content.jobs[i], job);
                job_free(job);
        }
        content_done(&content);
        store_free(store);
}

static void jobs_of_version_1_are_all_there_and_know_of_no_liar(void **state _unused_) {
        _cleanup_free_ char *expected = columns_of_version_1(), *copy = folder_file(folder, "jobs.sqlite.before-v2"), *old = NULL;
        struct content content;
        struct store *store;

        make_version_1(4);
        assert_query(COLUMNS_OF_JOB, expected);
        assert_jobs_of_version_1(4);
        assert_query("PRAGMA user_version", "3");
        old = raw_query_file(copy, "SELECT count(*) || ' ' || (SELECT user_version FROM pragma_user_version) FROM job");
        assert_string_equal(old, "4 1");

        store = open_sqlite(folder);
        assert_int_equal(content_load(store, &content), 0);
        assert_int_equal(job_remember_liar(content.jobs[1], "m1:8080"), 0);
        assert_int_equal(job_file_remember_giver(content.jobs[1]->files[2], "m2:8080"), 0);
        assert_int_equal(save_now(store, content.jobs[1]), 0);
        content_done(&content);
        store_free(store);
        assert_query("SELECT CAST(lying_hosts AS TEXT) FROM job WHERE lying_hosts IS NOT NULL", "m1:8080");
        assert_query("SELECT idx || ' ' || CAST(giving_hosts AS TEXT) FROM file WHERE giving_hosts IS NOT NULL", "2 m2:8080");
}

static void a_new_database_needs_no_copy_of_what_was_before(void **state _unused_) {
        _cleanup_free_ char *copy = folder_file(folder, "jobs.sqlite.before-v2");

        store_free(open_sqlite(folder));
        assert_query("PRAGMA user_version", "3");
        assert_int_equal(access(copy, F_OK), -1);
}

static void note_error(int error, void *userdata) {
        *(int *) userdata = error;
}

static void a_backup_of_version_1_is_taken_and_leaves_nothing_beside_it(void **state _unused_) {
        _cleanup_free_ char *path = folder_file(folder, "jobs.sqlite"),
                            *copy = folder_file(folder, "jobs.sqlite.restored-new.before-v2");
        struct store_options options = { .state_dir = folder };
        struct store *store = open_sqlite(folder);
        struct job *job = job_of_version_1(0);
        uint64_t usec = 0;
        int error = 1;

        assert_int_equal(save_now(store, job), 0);
        assert_int_equal(store_backup(store, USEC_PER_DAY, note_error, &error), 0);
        while (store_wait(store) > 0)
                ;
        assert_int_equal(error, 0);
        store_free(store);
        job_free(job);
        downgrade("jobs.sqlite.backup-1");
        assert_int_equal(unlink(path), 0);
        assert_int_equal(store_restore_sqlite(&options, &usec), 1);
        assert_query("PRAGMA user_version", "3");
        assert_query("SELECT count(*) FROM job WHERE restored", "1");
        assert_int_equal(access(copy, F_OK), -1);
}

/* ---- cut short ---- */

static void write_file(const char *path, const char *bytes, size_t size) {
        _cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

        assert_true(fd >= 0);
        assert_int_equal(fd_write_all(fd, bytes, size), 0);
}

/* false: it was done before that. */
static bool kill_upgrade_after(long nsec) {
        struct timespec delay = { .tv_nsec = nsec };
        struct store_options options = { .state_dir = folder };
        struct store *store;
        pid_t pid = fork();
        int status;

        assert_true(pid >= 0);
        if (pid == 0)
                _exit(store_open_sqlite(&options, &store) == 0 ? 0 : 1);
        nanosleep(&delay, NULL);
        kill(pid, SIGKILL);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        if (WIFSIGNALED(status))
                return true;
        assert_int_equal(WEXITSTATUS(status), 0);
        return false;
}

static void an_upgrade_that_is_killed_at_any_point_loses_no_job(void **state _unused_) {
        static const char *const names[] = { "jobs.sqlite", "jobs.sqlite-wal", "jobs.sqlite.before-v2", "jobs.sqlite.before-v3" };
        _cleanup_free_ char *image = NULL;
        char *paths[ELEMENTSOF(names)];
        unsigned n_killed = 0;
        size_t size;

        make_version_1(3);
        for (size_t i = 0; i < ELEMENTSOF(names); i++)
                paths[i] = folder_file(folder, names[i]);
        assert_int_equal(fd_read_file(paths[0], 64 * 1024 * 1024, &image, &size), 0);
        for (long nsec = 0; kill_upgrade_after(nsec) && n_killed < 1000; nsec += 100000) {
                n_killed++;
                assert_jobs_of_version_1(3);
                for (size_t i = 1; i < ELEMENTSOF(names); i++)
                        (void) unlink(paths[i]);
                write_file(paths[0], image, size);
        }
        assert_true(n_killed > 3);
        for (size_t i = 0; i < ELEMENTSOF(names); i++)
                free(paths[i]);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        const struct CMUnitTest tests[] = {
                TEST(jobs_of_version_1_are_all_there_and_know_of_no_liar),
                TEST(a_new_database_needs_no_copy_of_what_was_before),
                TEST(a_backup_of_version_1_is_taken_and_leaves_nothing_beside_it),
                TEST(an_upgrade_that_is_killed_at_any_point_loses_no_job),
        };

        return cmocka_run_group_tests_name("store versions", tests, NULL, NULL);
}

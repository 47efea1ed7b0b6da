/* What happens when a commit fails: by plan of the fault-injecting twin, by the disk under the real store, by a full file
 * system, by a lost memory twin. */
#include "fixture.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "faulty_vfs.h"
#include "store/sqlite_store.h"

static char *folder;
static bool mounted; /* a file system of its own, gone also when the test fails */

static int set_up(void **state _unused_) {
        folder = folder_new();
        return 0;
}

static int tear_down(void **state _unused_) {
        faulty_vfs_fail(VFS_WRITE, VFS_WAL, SQLITE_OK);
        faulty_vfs_fail(VFS_WRITE, VFS_JOURNAL, SQLITE_OK);
        faulty_vfs_fail(VFS_SYNC, VFS_WAL, SQLITE_OK);
        faulty_vfs_fail(VFS_SYNC, VFS_DATABASE, SQLITE_OK);
        if (mounted)
                assert_int_equal(umount2(folder, MNT_DETACH), 0);
        mounted = false;
        folder_remove(folder);
        return 0;
}

static int save_number(struct store *store, unsigned number) {
        struct job *job = sample_job(number, SAMPLE_DISTINCT, 1);
        int r = save_now(store, job);

        job_free(job);
        return r;
}

static void submit_number(struct store *store, struct answers *answers, unsigned number) {
        struct job *job = sample_job(number, SAMPLE_NEW, 1);

        submit(store, batch_of(job), answers, number);
        job_free(job);
}

static void assert_numbers(struct store *store, const char *expected) {
        struct content content;
        char found[64] = "";

        assert_int_equal(content_load(store, &content), 0);
        assert_true(content.n_jobs < sizeof(found));
        for (size_t i = 0; i < content.n_jobs; i++)
                found[i] = (char) ('0' + content.jobs[i]->id.bytes[12]);
        content_done(&content);
        assert_string_equal(found, expected);
}

static struct store *open_faulty(struct store *inner) {
        struct store *store;

        assert_int_equal(store_open_faulty(inner, &store), 0);
        return store;
}

static struct store *open_faulty_memory(void) {
        struct store *inner;

        assert_int_equal(store_open_memory(&inner), 0);
        return open_faulty(inner);
}

struct grouping {
        struct store *store;
        struct answers answers;
};

static int submit_many(struct job *job, void *userdata) {
        struct grouping *grouping = userdata;

        job_free(job);
        for (unsigned i = 1; i <= 30; i++)
                submit_number(grouping->store, &grouping->answers, i);
        return 0;
}

/* ---- the fault-injecting twin ---- */

static void the_planned_commit_fails_and_what_follows_is_cancelled(void **state _unused_) {
        struct store *stores[] = { open_faulty_memory(), open_faulty(open_sqlite(folder)) };

        for (size_t i = 0; i < ELEMENTSOF(stores); i++) {
                struct answers answers = {};

                store_faulty_plan(stores[i], 2, -ENOSPC, false);
                for (unsigned n = 0; n < 5; n++)
                        submit_number(stores[i], &answers, n);
                wait_for_all(stores[i], &answers, 5);
                for (unsigned n = 0; n < 5; n++) {
                        assert_int_equal(answers.tag[n], n);
                        assert_int_equal(answers.error[n], n < 2 ? 0 : n == 2 ? -ENOSPC : -ECANCELED);
                }
                assert_int_equal(save_number(stores[i], 5), -ECANCELED);
                assert_int_equal(store_recover(stores[i]), 0);
                assert_int_equal(save_number(stores[i], 6), 0);
                assert_numbers(stores[i], "016");
                store_free(stores[i]);
        }
}

static void a_persistent_plan_fails_again_after_recovery(void **state _unused_) {
        struct store *store = open_faulty_memory();

        store_faulty_plan(store, 1, -EIO, true);
        assert_int_equal(save_number(store, 0), 0);
        for (unsigned i = 0; i < 3; i++) {
                assert_int_equal(save_number(store, 1), -EIO);
                assert_int_equal(save_number(store, 2), -ECANCELED);
                assert_int_equal(store_recover(store), 0);
        }
        assert_numbers(store, "0");
        store_free(store);
}

static void damage_by_plan_cannot_be_recovered_from(void **state _unused_) {
        struct store *store = open_faulty_memory();

        store_faulty_plan(store, 0, -EUCLEAN, false);
        assert_int_equal(save_number(store, 0), -EUCLEAN);
        assert_int_equal(store_recover(store), -EUCLEAN);
        assert_int_equal(save_number(store, 1), -ECANCELED);
        store_free(store);
}

static void a_power_cut_drops_what_was_not_dispatched(void **state _unused_) {
        struct answers answers = {};
        struct store *store;

        assert_int_equal(store_open_memory(&store), 0);
        submit_number(store, &answers, 0);
        assert_int_equal(store_dispatch(store), 1);
        assert_int_equal(answers.n, 1);
        /* The ticket is lost with the process: free it here, as nobody calls back. */
        assert_int_equal(save_number(store, 1), 0);
        {
                struct job *job = sample_job(2, SAMPLE_NEW, 1);
                struct answers never = {};

                assert_int_equal(store_commit(store, batch_of(job), (store_done_fn) abort, &never), 0);
                job_free(job);
        }
        store_memory_crash(store);
        assert_int_equal(store_dispatch(store), 0);
        assert_numbers(store, "01");
        assert_int_equal(save_number(store, 3), 0);
        assert_numbers(store, "013");
        store_free(store);
}

/* ---- the disk under the real store ---- */

static void write_errors_fail_the_commit_and_recovery_goes_on(void **state _unused_) {
        static const struct {
                int result;
                int error;
        } rows[] = {
                { SQLITE_FULL, -ENOSPC },
                { SQLITE_IOERR_WRITE, -EIO },
                { SQLITE_IOERR_NOMEM, -ENOMEM },
        };
        struct store *store = open_sqlite(folder);

        assert_int_equal(save_number(store, 0), 0);
        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                faulty_vfs_fail(VFS_WRITE, VFS_WAL, rows[i].result);
                assert_int_equal(save_number(store, 1), rows[i].error);
                assert_int_equal(save_number(store, 2), -ECANCELED);
                assert_int_equal(store_recover(store), 0);
                assert_int_equal(save_number(store, 1), rows[i].error);
                faulty_vfs_fail(VFS_WRITE, VFS_WAL, SQLITE_OK);
                assert_int_equal(save_number(store, 2), -ECANCELED);
                assert_int_equal(store_recover(store), 0);
                assert_numbers(store, "0");
        }
        assert_int_equal(save_number(store, 3), 0);
        store_free(store);
        store = open_sqlite_unclean(folder);
        assert_numbers(store, "03");
        store_free(store);
}

static void after_a_failed_fsync_only_a_new_process_helps(void **state _unused_) {
        struct store *store = open_sqlite(folder);
        _cleanup_free_ char *wal = folder_file(folder, "jobs.sqlite-wal");

        assert_int_equal(save_number(store, 0), 0);
        faulty_vfs_fail(VFS_SYNC, VFS_WAL, SQLITE_IOERR_FSYNC);
        assert_int_equal(save_number(store, 1), -EIO);
        faulty_vfs_fail(VFS_SYNC, VFS_WAL, SQLITE_OK);
        assert_int_equal(store_recover(store), -EIO);
        assert_int_equal(save_number(store, 2), -ECANCELED);
        store_free(store);
        /* Nothing was moved from the log into the database while leaving. */
        assert_int_equal(access(wal, F_OK), 0);
        /* This is why: the commit that "failed" is there after all. Only reading it again tells. */
        store = open_sqlite_unclean(folder);
        assert_numbers(store, "01");
        store_free(store);
}

static void damage_seen_while_writing_needs_a_new_process(void **state _unused_) {
        struct store *store = open_sqlite(folder);

        faulty_vfs_fail(VFS_WRITE, VFS_WAL, SQLITE_CORRUPT);
        assert_int_equal(save_number(store, 0), -EUCLEAN);
        assert_int_equal(store_recover(store), -EUCLEAN);
        store_free(store);
}

static void every_batch_of_a_failed_group_fails_and_the_next_group_is_cancelled(void **state _unused_) {
        struct store *store = open_sqlite(folder);
        struct answers answers = {};

        faulty_vfs_fail(VFS_WRITE, VFS_WAL, SQLITE_FULL);
        faulty_vfs_hold();
        submit_number(store, &answers, 0);
        faulty_vfs_wait_until_held();
        /* These wait for the first one, which is about to fail. */
        for (unsigned i = 1; i < 5; i++)
                submit_number(store, &answers, i);
        assert_int_equal(store_dispatch(store), 0);
        faulty_vfs_let_go();
        wait_for_all(store, &answers, 5);
        for (unsigned i = 0; i < 5; i++) {
                assert_int_equal(answers.tag[i], i);
                assert_int_equal(answers.error[i], i == 0 ? -ENOSPC : -ECANCELED);
        }
        assert_int_equal(sqlite_store_transactions(store), 1);

        /* Now all in one group. */
        assert_int_equal(store_recover(store), 0);
        {
                struct grouping grouping = { .store = store };
                struct store_visitor visitor = { .job = submit_many };

                faulty_vfs_fail(VFS_WRITE, VFS_WAL, SQLITE_OK);
                assert_int_equal(save_number(store, 0), 0);
                faulty_vfs_fail(VFS_WRITE, VFS_WAL, SQLITE_FULL);
                assert_int_equal(store_load(store, &visitor, &grouping), 0);
                wait_for_all(store, &grouping.answers, 30);
                for (unsigned i = 0; i < 30; i++)
                        assert_int_equal(grouping.answers.error[i], -ENOSPC);
                faulty_vfs_fail(VFS_WRITE, VFS_WAL, SQLITE_OK);
        }
        assert_int_equal(store_recover(store), 0);
        assert_numbers(store, "0");
        store_free(store);
}

static void a_planned_failure_never_overtakes_what_is_still_being_written(void **state _unused_) {
        struct store *store = open_faulty(open_sqlite(folder));
        struct answers answers = {};

        store_faulty_plan(store, 1, -EIO, false);
        faulty_vfs_hold();
        submit_number(store, &answers, 0);
        faulty_vfs_wait_until_held();
        submit_number(store, &answers, 1);
        assert_int_equal(store_dispatch(store), 0);
        assert_int_equal(answers.n, 0);
        faulty_vfs_let_go();
        wait_for_all(store, &answers, 2);
        assert_int_equal(answers.tag[0], 0);
        assert_int_equal(answers.error[0], 0);
        assert_int_equal(answers.tag[1], 1);
        assert_int_equal(answers.error[1], -EIO);
        store_free(store);
}

static void a_failed_fsync_in_a_checkpoint_is_noticed(void **state _unused_) {
        struct store *store = open_sqlite(folder);
        unsigned n = 0;
        int r;

        faulty_vfs_fail(VFS_SYNC, VFS_DATABASE, SQLITE_IOERR_FSYNC);
        /* The answers were true, the log has everything; so the first error comes with a later commit. */
        while ((r = save_number(store, n)) == 0) {
                assert_true(n < 5000);
                n++;
        }
        assert_int_equal(r, -EIO);
        assert_int_equal(store_recover(store), -EIO);
        store_free(store);
        faulty_vfs_fail(VFS_SYNC, VFS_DATABASE, SQLITE_OK);
        store = open_sqlite_unclean(folder);
        {
                struct content content;

                assert_int_equal(content_load(store, &content), 0);
                assert_int_equal(content.n_jobs, n);
                content_done(&content);
        }
        store_free(store);
}

/* ---- each commit is synced ---- */

static void each_transaction_syncs_the_log_once(void **state _unused_) {
        struct store *store = open_sqlite(folder);

        assert_int_equal(save_number(store, 0), 0);
        faulty_vfs_fail(VFS_SYNC, VFS_WAL, SQLITE_OK);
        for (unsigned i = 1; i <= 10; i++) {
                assert_int_equal(save_number(store, i), 0);
                assert_int_equal(faulty_vfs_count(VFS_SYNC, VFS_WAL), i);
        }
        store_free(store);
}

static void with_a_weaker_setting_that_count_would_be_wrong(void **state _unused_) {
        struct store *store = open_sqlite(folder);
        int64_t ignored;

        /* The positive control: the test above does see the difference. */
        assert_int_equal(sqlite_store_query(store, "PRAGMA synchronous=NORMAL", &ignored), -ENODATA);
        assert_int_equal(save_number(store, 0), 0);
        faulty_vfs_fail(VFS_SYNC, VFS_WAL, SQLITE_OK);
        for (unsigned i = 1; i <= 10; i++)
                assert_int_equal(save_number(store, i), 0);
        assert_int_equal(faulty_vfs_count(VFS_SYNC, VFS_WAL), 0);
        store_free(store);
}

static void batches_that_wait_share_one_transaction(void **state _unused_) {
        struct store_visitor visitor = { .job = submit_many };
        struct grouping grouping = { .store = open_sqlite(folder) };
        uint64_t before;

        assert_int_equal(save_number(grouping.store, 0), 0);
        before = sqlite_store_transactions(grouping.store);
        faulty_vfs_fail(VFS_SYNC, VFS_WAL, SQLITE_OK);
        /* While it loads, the store writes nothing: everything that comes then waits. */
        assert_int_equal(store_load(grouping.store, &visitor, &grouping), 0);
        wait_for_all(grouping.store, &grouping.answers, 30);
        for (unsigned i = 0; i < 30; i++) {
                assert_int_equal(grouping.answers.error[i], 0);
                assert_int_equal(grouping.answers.tag[i], i + 1);
        }
        assert_int_equal(sqlite_store_transactions(grouping.store), before + 1);
        assert_int_equal(faulty_vfs_count(VFS_SYNC, VFS_WAL), 1);
        store_free(grouping.store);
}

static void freeing_a_store_writes_what_was_submitted(void **state _unused_) {
        struct store *store = open_sqlite(folder);
        int never = 1;

        for (unsigned i = 0; i < 5; i++) {
                struct job *job = sample_job(i, SAMPLE_NEW, 1);

                assert_int_equal(store_commit(store, batch_of(job), (store_done_fn) abort, &never), 0);
                job_free(job);
        }
        store_free(store);
        store = open_sqlite(folder);
        assert_numbers(store, "01234");
        store_free(store);
}

/* ---- a full file system ---- */

static void fill_up(const char *path) {
        static const char bytes[4096];
        int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

        assert_true(fd >= 0);
        while (write(fd, bytes, sizeof(bytes)) > 0)
                ;
        assert_int_equal(errno, ENOSPC);
        assert_int_equal(close(fd), 0);
}

static int save_new(struct store *store, unsigned number) {
        struct job *job = sample_job(number, SAMPLE_NEW, 1);
        int r = save_now(store, job);

        job_free(job);
        return r;
}

static int remove_number(struct store *store, unsigned number) {
        struct job *job = sample_job(number, SAMPLE_NEW, 1);
        struct store_batch *batch;

        assert_int_equal(store_batch_new(&batch), 0);
        assert_int_equal(store_batch_remove_job(batch, &job->id), 0);
        job_free(job);
        return commit_now(store, batch);
}

static void on_a_full_file_system_a_job_can_still_end(void **state _unused_) {
        _cleanup_free_ char *others = folder_file(folder, "others"), *reserve = folder_file(folder, "jobs.reserve");
        struct content content;
        struct store *store;

        if (geteuid() != 0 || mount("tmpfs", folder, "tmpfs", 0, "size=12m,mode=0700") < 0) {
                print_message("skipped: needs root to mount a small tmpfs\n");
                skip();
        }
        mounted = true;
        store = open_sqlite(folder);
        assert_int_equal(access(reserve, F_OK), 0);
        for (unsigned i = 0; i < 3; i++)
                assert_int_equal(save_new(store, i), 0);
        fill_up(others);
        for (unsigned i = 3; save_new(store, i) == 0; i++) /* what the log has from before */
                assert_true(i < 5000);
        assert_int_equal(access(reserve, F_OK), 0); /* it is not for more jobs */
        assert_int_equal(store_recover(store), 0);

        assert_int_equal(remove_number(store, 0), 0);
        assert_int_equal(access(reserve, F_OK), -1);
        assert_int_equal(remove_number(store, 1), 0);
        assert_int_equal(unlink(others), 0);
        store_free(store);

        store = open_sqlite(folder); /* set aside again */
        assert_int_equal(access(reserve, F_OK), 0);
        assert_int_equal(content_load(store, &content), 0);
        assert_true(content.n_jobs >= 1);
        content_done(&content);
        store_free(store);
}

static void a_full_file_system_is_answered_and_goes_on_when_there_is_room(void **state _unused_) {
        _cleanup_free_ char *ballast = folder_file(folder, "ballast");
        unsigned n = 0, refused;
        struct content content;
        struct store *store;
        FILE *file;
        int r;

        if (geteuid() != 0 || mount("tmpfs", folder, "tmpfs", 0, "size=2m,mode=0700") < 0) {
                print_message("skipped: needs root to mount a small tmpfs\n");
                skip();
        }
        mounted = true;
        /* Half of it is somebody else's. */
        file = fopen(ballast, "w");
        assert_non_null(file);
        for (unsigned i = 0; i < 1024 * 1024; i++)
                assert_true(fputc('x', file) != EOF);
        assert_int_equal(fclose(file), 0);

        store = open_sqlite(folder);
        while ((r = save_number(store, n)) == 0) {
                assert_true(n < 5000);
                n++;
        }
        assert_int_equal(r, -ENOSPC);
        refused = n;
        assert_int_equal(save_number(store, refused), -ECANCELED);
        assert_int_equal(store_recover(store), 0);
        assert_int_equal(unlink(ballast), 0);
        assert_int_equal(save_number(store, refused + 1), 0);
        store_free(store);

        store = open_sqlite_unclean(folder);
        assert_int_equal(content_load(store, &content), 0);
        assert_int_equal(content.n_jobs, n + 1);
        for (unsigned i = 0; i < n; i++)
                assert_int_equal(memcmp(content.jobs[i]->id.bytes + 12, &i, sizeof(i)), 0);
        content_done(&content);
        store_free(store);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void) {
        static const struct CMUnitTest tests[] = {
                TEST(the_planned_commit_fails_and_what_follows_is_cancelled),
                TEST(a_persistent_plan_fails_again_after_recovery),
                TEST(damage_by_plan_cannot_be_recovered_from),
                TEST(a_power_cut_drops_what_was_not_dispatched),
                TEST(write_errors_fail_the_commit_and_recovery_goes_on),
                TEST(after_a_failed_fsync_only_a_new_process_helps),
                TEST(damage_seen_while_writing_needs_a_new_process),
                TEST(every_batch_of_a_failed_group_fails_and_the_next_group_is_cancelled),
                TEST(a_planned_failure_never_overtakes_what_is_still_being_written),
                TEST(a_failed_fsync_in_a_checkpoint_is_noticed),
                TEST(each_transaction_syncs_the_log_once),
                TEST(with_a_weaker_setting_that_count_would_be_wrong),
                TEST(batches_that_wait_share_one_transaction),
                TEST(freeing_a_store_writes_what_was_submitted),
                TEST(a_full_file_system_is_answered_and_goes_on_when_there_is_room),
                TEST(on_a_full_file_system_a_job_can_still_end),
        };

        faulty_vfs_install();
        return cmocka_run_group_tests_name("store failures", tests, NULL, NULL);
}

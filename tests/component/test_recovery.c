/* What becomes of jobs whose temp files or whose database are not the ones that were left, and when an owner's process dies. */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fds.h"
#include "files/ops.h"
#include "harness.h"

#define MIB (UINT64_C(1) << 20)

static const char *temp_path(struct harness *h) {
        return harness_path(h, harness_job(h)->files[0]->temp_name);
}

/* Eight of sixteen MiB came, at one MiB a second. */
static struct fake_request *fetch_eight(struct harness *h) {
        struct fake_request *r;

        assert_int_equal(harness_create(h, "f", true, true), 0);
        r = harness_request(h, 0);
        harness_metadata(h, r, 16 * MIB, "\"1\"");
        for (uint64_t at = 0; at < 8 * MIB; at += MIB) {
                harness_write(h, r, at, at + MIB);
                harness_advance(h, USEC_PER_SEC);
        }
        return r;
}

/* Eight MiB and a half are there, at one MiB a second, and the service stops. */
static void fetch_some(struct harness *h) {
        struct fake_request *r = fetch_eight(h);

        harness_write(h, r, 8 * MIB, 8 * MIB + MIB / 2);
        harness_advance(h, 6 * USEC_PER_SEC);
        assert_int_equal(harness_job(h)->bytes_durable, 8 * MIB + MIB / 2);
        harness_crash(h);
}

static void copy_to_another_inode(struct harness *h, uint64_t bytes) {
        char path[512], copy[512];
        uint8_t *content = malloc(bytes);
        struct stat st;
        int fd;

        snprintf(path, sizeof(path), "%s", temp_path(h));
        snprintf(copy, sizeof(copy), "%s", harness_path(h, "copy"));
        fd = open(path, O_RDONLY | O_CLOEXEC);
        assert_return_code(fd, errno);
        assert_int_equal(fd_pread_all(fd, content, bytes, 0), bytes);
        close(fd);
        fd = open(copy, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        assert_int_equal(fd_pwrite_all(fd, content, bytes, 0), 0);
        close(fd);
        free(content);
        assert_return_code(rename(copy, path), errno);
        assert_return_code(stat(path, &st), errno);
        assert_int_not_equal(st.st_ino, harness_job(h)->files[0]->temp.ino);
}

static void spoil(struct harness *h, uint64_t at) {
        int fd = open(temp_path(h), O_WRONLY | O_CLOEXEC);

        assert_return_code(fd, errno);
        assert_int_equal(fd_pwrite_all(fd, &(uint8_t) { (uint8_t) ~harness_content(at) }, 1, at), 0);
        close(fd);
}

static void assert_asked(struct harness *h, const uint64_t *pieces, size_t n) {
        struct fake_request *r = harness_request(h, 0);

        assert_non_null(r);
        assert_int_equal(r->n_pieces, n);
        for (size_t i = 0; i < n; i++) {
                assert_int_equal(r->pieces[i].local_offset, pieces[2 * i]);
                assert_int_equal(r->pieces[i].length, pieces[2 * i + 1]);
        }
}
#define ASSERT_ASKED(h, ...) \
        assert_asked(h, (const uint64_t[]) { __VA_ARGS__ }, ELEMENTSOF(((const uint64_t[]) { __VA_ARGS__ })) / 2)

static void serve_the_rest(struct harness *h) {
        struct fake_request *r = harness_request(h, 0);

        if (!r->described)
                harness_metadata(h, r, 16 * MIB, "\"1\"");
        for (size_t i = 0; i < r->n_pieces; i++)
                harness_write(h, r, r->pieces[i].local_offset, r->pieces[i].local_offset + MIN(r->pieces[i].length, 16 * MIB));
        harness_finish(h, r, ENGINE_DONE, ERROR_NONE, false);
        harness_pump(h);
        assert_int_equal(harness_job(h)->state, JOB_ACKNOWLEDGED);
        harness_assert_content(h, "f", 16 * MIB);
}

static void a_temp_file_with_another_inode_is_gone_on_with(void **state) {
        struct harness *h = *state;

        fetch_some(h);
        copy_to_another_inode(h, 8 * MIB + MIB / 2);
        harness_pump(h);
        ASSERT_ASKED(h, 8 * MIB, 8 * MIB); /* half a chunk has no hash */
        assert_int_equal(harness_job(h)->bytes_durable, 8 * MIB);
        harness_crash(h); /* it is known now: no question is asked */
        harness_pump(h);
        ASSERT_ASKED(h, 8 * MIB, 8 * MIB);
        serve_the_rest(h);
        assert_int_equal(harness_count_temp(h), 0);
}

static void only_the_chunk_with_a_changed_byte_is_fetched_again(void **state) {
        struct harness *h = *state;

        fetch_some(h);
        copy_to_another_inode(h, 8 * MIB);
        spoil(h, 3 * MIB + 1);
        harness_pump(h);
        ASSERT_ASKED(h, 3 * MIB, MIB, 8 * MIB, 8 * MIB);
        serve_the_rest(h);
}

static void of_an_older_copy_counts_what_it_has(void **state) {
        struct harness *h = *state;

        fetch_some(h);
        copy_to_another_inode(h, 2 * MIB + 5);
        harness_pump(h);
        ASSERT_ASKED(h, 2 * MIB, 14 * MIB);
        serve_the_rest(h);
}

static void what_no_hash_proves_is_somebody_elses_and_stays(void **state) {
        struct harness *h = *state;
        char left[512];

        fetch_some(h);
        copy_to_another_inode(h, MIB - 1);
        snprintf(left, sizeof(left), "%s", temp_path(h));
        harness_pump(h);
        ASSERT_ASKED(h, 0, UINT64_MAX); /* anew, under another name */
        serve_the_rest(h);
        assert_return_code(access(left, F_OK), errno);
}

static void a_link_under_the_temp_name_is_never_adopted(void **state) {
        struct harness *h = *state;
        char path[512];

        fetch_some(h);
        copy_to_another_inode(h, 8 * MIB);
        snprintf(path, sizeof(path), "%s", temp_path(h));
        assert_return_code(link(path, harness_path(h, "other")), errno);
        harness_pump(h);
        ASSERT_ASKED(h, 0, UINT64_MAX);
        assert_true(harness_exists(h, "other"));
}

static void a_crash_while_hashes_decide_leaves_the_question(void **state) {
        struct harness *h = *state;

        fetch_some(h);
        copy_to_another_inode(h, 8 * MIB);
        for (unsigned i = 0; i < 4; i++) {
                manager_turn(h->manager); /* it is being opened, judged, synced */
                files_wait(h->files);
                while (store_wait(h->store) > 0)
                        ; /* what it was told stays told; the owner role's answers are lost */
                harness_crash(h);
        }
        harness_pump(h);
        ASSERT_ASKED(h, 8 * MIB, 8 * MIB);
        serve_the_rest(h);
}

static void what_comes_fast_is_not_hashed(void **state) {
        struct harness *h = *state;
        struct fake_request *r;

        assert_int_equal(harness_create(h, "f", true, true), 0);
        r = harness_request(h, 0);
        harness_metadata(h, r, 64 * MIB, "\"1\"");
        for (uint64_t at = 0; at < 48 * MIB; at += 16 * MIB) {
                harness_write(h, r, at, at + 16 * MIB);
                harness_advance(h, 300 * USEC_PER_MSEC);
        }
        assert_int_equal(harness_job(h)->bytes_durable, 48 * MIB);
        assert_int_equal(harness_job(h)->files[0]->chunks.n_items, 0);
        harness_write(h, r, 48 * MIB, 56 * MIB);
        harness_advance(h, 6 * USEC_PER_SEC);
        assert_int_equal(harness_job(h)->files[0]->chunks.n_items, 8);
        assert_int_equal(harness_job(h)->files[0]->chunks.items[0].start, 48 * MIB);
}

/* ---- from a backup ---- */

static void back_up(struct harness *h) {
        harness_advance(h, 2 * USEC_PER_HOUR); /* the next change makes it due */
        harness_write(h, harness_request(h, 0), 8 * MIB, 8 * MIB + 1);
        harness_advance(h, 6 * USEC_PER_SEC);
        assert_true(store_backup_time(h->store) > 0);
}

static void restore(struct harness *h) {
        harness_crash(h);
        assert_true(store_memory_restore(h->memory));
        harness_restart(h);
        harness_pump(h);
}

static void fetch_eight_and_back_up(struct harness *h) {
        (void) fetch_eight(h);
        harness_advance(h, 6 * USEC_PER_SEC);
        back_up(h);
}

static void a_backup_is_due_once_a_day_and_only_when_something_happens(void **state) {
        struct harness *h = *state;
        uint64_t first;

        assert_int_equal(harness_create(h, "f", false, false), 0);
        assert_int_equal(store_backup_time(h->store), 0); /* there was nothing when the service started */
        harness_advance(h, 2 * USEC_PER_HOUR);
        assert_int_equal(store_backup_time(h->store), 0);
        assert_int_equal(harness_call(h, manager_resume_job), 0);
        harness_pump(h);
        first = store_backup_time(h->store);
        assert_true(first > 0);
        harness_advance(h, 23 * USEC_PER_HOUR);
        assert_int_equal(harness_call(h, manager_suspend_job), 0);
        harness_pump(h);
        assert_int_equal(store_backup_time(h->store), first);
        harness_advance(h, 2 * USEC_PER_HOUR);
        assert_int_equal(harness_call(h, manager_resume_job), 0);
        harness_pump(h);
        assert_true(store_backup_time(h->store) >= first + USEC_PER_DAY);
}

static void a_restored_job_goes_on_with_what_hashes_prove(void **state) {
        struct harness *h = *state;
        struct fake_request *r;

        fetch_eight_and_back_up(h);
        r = harness_request(h, 0);
        harness_write(h, r, 8 * MIB + 1, 10 * MIB); /* which the backup does not know */
        harness_advance(h, 6 * USEC_PER_SEC);
        restore(h);
        ASSERT_ASKED(h, 8 * MIB, 8 * MIB);
        assert_false(harness_job(h)->restored);
        serve_the_rest(h);
        assert_int_equal(harness_count_temp(h), 0);
}

/* The file began anew in the meantime: same name, same inode, other bytes. */
static void the_same_inode_proves_nothing_of_a_restored_job(void **state) {
        struct harness *h = *state;

        fetch_eight_and_back_up(h);
        harness_crash(h);
        assert_true(store_memory_restore(h->memory));
        for (uint64_t at = 0; at < 8 * MIB; at += MIB / 2)
                if (at / MIB != 5)
                        spoil(h, at);
        harness_restart(h);
        harness_pump(h);
        ASSERT_ASKED(h, 0, 5 * MIB, 6 * MIB, 10 * MIB);
        serve_the_rest(h);
}

static void write_file(struct harness *h, const char *name, const char *text) {
        FILE *f = fopen(harness_path(h, name), "we");

        assert_non_null(f);
        assert_true(fputs(text, f) >= 0);
        assert_int_equal(fclose(f), 0);
}

static void an_acknowledged_complete_is_not_repeated_from_a_backup(void **state) {
        struct harness *h = *state;
        char text[16] = "";
        FILE *f;

        fetch_eight_and_back_up(h);
        serve_the_rest(h);
        write_file(h, "f", "edited since");
        restore(h);
        assert_int_equal(harness_job(h)->state, JOB_ERROR);
        assert_int_equal(harness_job(h)->error.code, ERROR_DESTINATION_CHANGED);
        assert_non_null(strstr(harness_job(h)->error.text, "backup"));
        assert_int_equal(harness_running(h), 0);
        f = fopen(harness_path(h, "f"), "re");
        assert_non_null(f);
        assert_non_null(fgets(text, sizeof(text), f));
        fclose(f);
        assert_string_equal(text, "edited since");
        assert_int_equal(harness_call(h, manager_cancel_job), 0);
        assert_true(harness_exists(h, "f"));
}

static void an_acknowledged_cancel_is_not_undone_by_a_backup(void **state) {
        struct harness *h = *state;

        fetch_eight_and_back_up(h);
        assert_int_equal(harness_call(h, manager_cancel_job), 0);
        restore(h);
        assert_int_equal(harness_job(h)->state, JOB_ERROR);
        assert_int_equal(harness_running(h), 0);
        harness_restart(h); /* and stays so */
        harness_pump(h);
        assert_int_equal(harness_job(h)->state, JOB_ERROR);
        assert_int_equal(harness_call(h, manager_resume_job), 0); /* unless somebody wants it */
        harness_pump(h);
        ASSERT_ASKED(h, 0, UINT64_MAX);
}

/* A job from a backup that would move by itself, and has nothing to prove that it did not end since: the service stops it at its start. */
static void restore_unproved(struct harness *h) {
        struct conditions nowhere = CONDITIONS_UNKNOWN;
        char path[256];
        struct manager_file_spec file = {
                .file = { .url = "http://93.184.216.34/f", .path = path, .stated_size = SIZE_UNKNOWN, .mode = 0644 },
        };
        struct manager_create_request request = harness_plain_request("f", &file, 1);

        strcpy(path, harness_path(h, "f"));
        request.resume = false;
        nowhere.network = NETWORK_NONE;
        assert_int_equal(manager_set_conditions(h->manager, &nowhere), 0);
        assert_int_equal(harness_create_with(h, &request), 0);
        harness_advance(h, 2 * USEC_PER_HOUR);
        assert_int_equal(harness_call(h, manager_resume_job), 0);
        harness_pump(h);
        assert_int_equal(harness_job(h)->state, JOB_TRANSIENT_ERROR);
        assert_true(store_backup_time(h->store) > 0);
        harness_crash(h);
        assert_true(store_memory_restore(h->memory));
        harness_forget(h);
}

static void what_a_store_lost_of_a_start_is_told_when_it_is_recorded(void **state) {
        struct harness *h = *state;

        restore_unproved(h);
        store_faulty_plan(h->store, 0, -EIO, false);
        harness_restart(h);
        manager_turn(h->manager);
        (void) store_dispatch(h->store); /* which failed: all is loaded again */
        manager_turn(h->manager);
        harness_expect(h, "");
        harness_advance(h, 6 * USEC_PER_SEC);
        harness_expect(h, "state f error\n");
        harness_crash(h);
        assert_int_equal(harness_job(h)->state, JOB_ERROR);
}

/* One try per pause, not as many as the processor makes. */
static void a_store_that_fails_at_the_start_has_its_pauses(void **state) {
        struct harness *h = *state;

        restore_unproved(h);
        store_faulty_plan(h->store, 0, -ENOSPC, true);
        harness_restart(h);
        for (unsigned i = 0; i < 3; i++)
                harness_advance(h, 6 * USEC_PER_SEC); /* comes to rest each time */
        harness_expect(h, "");
        assert_int_equal(harness_job(h)->state, JOB_TRANSIENT_ERROR);
        assert_int_equal(harness_running(h), 0);
        store_faulty_plan(h->store, UINT32_MAX, -EIO, false);
        harness_advance(h, 6 * USEC_PER_SEC);
        harness_expect(h, "state f error\n");
}

/* ---- an owner's process that dies under each removal, so many times ---- */

static const struct files_ops *real_ops;
static unsigned n_deaths;

static files_list_fn removed;

static void die(int error _unused_, const int *errors _unused_, size_t n _unused_, void *userdata) {
        removed(-EOWNERDEAD, NULL, 0, userdata);
}

static int list_and_die(struct files *files, enum files_list_kind kind, const struct files_item *items, size_t n, files_list_fn done,
                        void *userdata) {
        if (kind != FILES_LIST_REMOVE || n_deaths == 0)
                return real_ops->list(files, kind, items, n, done, userdata);
        n_deaths--;
        removed = done;
        return real_ops->list(files, FILES_LIST_PUBLISH_CHECK, items, n, die, userdata); /* which does nothing, later */
}

static void let_die(struct harness *h, unsigned n) {
        static struct files_ops ops;

        n_deaths = n;
        real_ops = h->files->ops;
        ops = *real_ops;
        ops.list = list_and_die;
        h->files->ops = &ops;
}

static void what_a_process_died_under_is_removed_by_the_next_one(void **state) {
        struct harness *h = *state;

        (void) fetch_eight(h);
        let_die(h, 2);
        assert_int_equal(harness_call(h, manager_cancel_job), 0);
        assert_int_equal(harness_count_temp(h), 0);
        assert_int_equal(harness_job(h)->state, JOB_CANCELLED);
}

static void a_process_that_always_dies_does_not_hold_up_the_end_of_a_job(void **state) {
        struct harness *h = *state;

        (void) fetch_eight(h);
        let_die(h, 1000);
        assert_int_equal(harness_call(h, manager_cancel_job), 0);
        assert_int_equal(n_deaths, 1000 - 3);
        assert_int_equal(harness_count_temp(h), 1); /* the sweep finds it in a week */
        assert_int_equal(harness_job(h)->state, JOB_CANCELLED);
}

int main(void) {
        const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, harness_setup, harness_teardown)
                TEST(a_temp_file_with_another_inode_is_gone_on_with),
                TEST(only_the_chunk_with_a_changed_byte_is_fetched_again),
                TEST(of_an_older_copy_counts_what_it_has),
                TEST(what_no_hash_proves_is_somebody_elses_and_stays),
                TEST(a_link_under_the_temp_name_is_never_adopted),
                TEST(a_crash_while_hashes_decide_leaves_the_question),
                TEST(what_comes_fast_is_not_hashed),
                TEST(a_backup_is_due_once_a_day_and_only_when_something_happens),
                TEST(a_restored_job_goes_on_with_what_hashes_prove),
                TEST(the_same_inode_proves_nothing_of_a_restored_job),
                TEST(an_acknowledged_complete_is_not_repeated_from_a_backup),
                TEST(an_acknowledged_cancel_is_not_undone_by_a_backup),
                TEST(what_a_store_lost_of_a_start_is_told_when_it_is_recorded),
                TEST(a_store_that_fails_at_the_start_has_its_pauses),
                TEST(what_a_process_died_under_is_removed_by_the_next_one),
                TEST(a_process_that_always_dies_does_not_hold_up_the_end_of_a_job),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

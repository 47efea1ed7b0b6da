/* What travels encrypted is decrypted before it is TRANSFERRED; the content of every file here is harness_content(). */
#include "harness.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fds.h"
#include "content/encryption.h"
#include "store/store.h"

#define BUFFER 1024
#define SIZE (3 * BUFFER + 100)
#define ENCRYPTED_MAX (SIZE + 1024)
#define INFO(last) "{\"KeyData\":\"AAECAwQFBgcICQoLDA0OD" last "==\",\"EncryptionBufferSize\":1024,\"AlgorithmName\":\"AES\",\"ChainingMode\":\"ChainingModeGCM\"}"
#define RIGHT INFO("w")
#define WRONG INFO("A")

static size_t encrypt_content(uint64_t size, uint8_t ret[static ENCRYPTED_MAX]) {
        static const uint8_t salt[ENCRYPTION_SALT_BYTES] = { 9 };
        struct encryption *encryption;
        struct decryption_info info;
        struct encryption_layout layout;
        size_t length = ENCRYPTION_HEADER_BYTES, n;
        uint64_t done = 0;
        const char *why;

        assert_int_equal(decryption_info_parse(RIGHT, &info, &why), 0);
        assert_int_equal(encryption_new(&info, salt, &encryption), 0);
        encryption_write_header(encryption, ret);
        assert_in_range(encryption_size(&info, size), 0, ENCRYPTED_MAX);
        assert_int_equal(encryption_layout_make(&info, encryption_size(&info, size), &layout), 0);
        for (uint64_t i = 0; i < layout.n_buffers; i++) {
                uint8_t part[BUFFER];
                size_t bytes = (size_t) MIN(size - done, (uint64_t) BUFFER);

                for (size_t j = 0; j < bytes; j++)
                        part[j] = harness_content(done + j);
                assert_int_equal(encryption_seal(encryption, i, i + 1 == layout.n_buffers, part, bytes, ret + length, &n), 0);
                length += n;
                done += bytes;
        }
        encryption_free(encryption);
        return length;
}

static int try_to_create(struct harness *h, const char *info, const uint8_t *sha256, const struct byte_range *range, bool complete) {
        char path[128];
        struct manager_file_spec file = {
                .file = { .url = "http://origin/f", .path = path, .stated_size = SIZE_UNKNOWN, .mode = 0640, .decryption_info = info,
                          .sha256 = sha256, .ranges = range, .n_ranges = range ? 1 : 0 },
        };

        snprintf(path, sizeof(path), "%s", harness_path(h, "f"));
        return harness_create_with(h, &(struct manager_create_request) {
                .family = JOB_FAMILY_DO, .name = "f", .priority = JOB_PRIORITY_FOREGROUND, .replace = -1, .remote_time = -1,
                .resume = true, .complete_when_transferred = complete, .no_progress_timeout_s = -1, .minimum_retry_delay_s = -1,
                .notify_flags = -1, .files = &file, .n_files = 1,
        });
}

static void create(struct harness *h, const char *info, const uint8_t *sha256) {
        assert_int_equal(try_to_create(h, info, sha256, NULL, false), 0);
        harness_forget(h);
}

static struct job_file *the_file(struct harness *h) {
        return harness_job(h)->files[0];
}

static void complete(struct harness *h, uint64_t size) {
        struct stat st;

        assert_int_equal(harness_call(h, manager_complete_job), 0);
        harness_assert_content(h, "f", size);
        assert_int_equal(stat(harness_path(h, "f"), &st), 0);
        assert_int_equal(st.st_mode & 07777, 0640);
        assert_int_equal(harness_count_temp(h), 0);
}

static void serve(struct harness *h, uint64_t size) {
        uint8_t bytes[ENCRYPTED_MAX];

        harness_serve_bytes(h, harness_request(h, 0), bytes, encrypt_content(size, bytes));
}

/* All bytes are written, but nothing of what follows has happened. */
static void serve_and_hold(struct harness *h) {
        struct fake_request *r = harness_request(h, 0);
        uint8_t bytes[ENCRYPTED_MAX];
        size_t size = encrypt_content(SIZE, bytes);

        harness_metadata(h, r, size, NULL);
        assert_int_equal(fd_pwrite_all(r->fd, bytes, size, 0), 0);
        h->events->progress(h->events_userdata, r->id, 0, size, size);
        harness_finish(h, r, ENGINE_DONE, ERROR_NONE, false);
}

/* One completion of the owner role, or what the loop does without one. False: nothing moves any more. */
static bool step(struct harness *h) {
        manager_turn(h->manager);
        return store_dispatch(h->store) > 0 || (files_outstanding(h->files) > 0 && files_wait(h->files) > 0);
}

static void what_is_published_is_the_content(void **state) {
        static const uint64_t sizes[] = { SIZE, 0, 1, BUFFER, 3 * BUFFER };
        struct harness *h = *state;

        for (size_t i = 0; i < ELEMENTSOF(sizes); i++) {
                uint8_t bytes[ENCRYPTED_MAX];
                size_t encrypted = encrypt_content(sizes[i], bytes);

                create(h, RIGHT, NULL);
                harness_serve_bytes(h, harness_request(h, 0), bytes, encrypted);
                assert_int_equal(harness_job(h)->state, JOB_TRANSFERRED);
                assert_int_equal(harness_count_temp(h), 1);
                assert_string_equal(the_file(h)->spare_name, "");
                assert_int_equal(the_file(h)->size, encrypted); /* what travelled */
                assert_int_equal(harness_job(h)->bytes_received, encrypted);
                complete(h, sizes[i]);
                assert_int_equal(unlink(harness_path(h, "f")), 0);
        }
}

static void a_job_that_completes_itself_leaves_nothing_behind(void **state) {
        struct harness *h = *state;

        assert_int_equal(try_to_create(h, RIGHT, NULL, NULL, true), 0);
        serve(h, SIZE);
        harness_assert_content(h, "f", SIZE);
        assert_int_equal(harness_count_temp(h), 0);
}

static void the_digest_is_that_of_the_content(void **state) {
        struct harness *h = *state;
        uint8_t sha256[32];

        harness_digest(SIZE, sha256);
        create(h, RIGHT, sha256);
        serve(h, SIZE);
        assert_int_equal(harness_job(h)->state, JOB_TRANSFERRED);
        assert_int_equal(harness_call(h, manager_cancel_job), 0);
        assert_int_equal(harness_count_temp(h), 0);

        sha256[0] ^= 1;
        create(h, RIGHT, sha256);
        serve(h, SIZE);
        assert_int_equal(harness_count_temp(h), 1);
        serve(h, SIZE); /* once anew */
        assert_int_equal(harness_job(h)->state, JOB_ERROR);
        assert_int_equal(harness_job(h)->error.code, ERROR_DIGEST_MISMATCH);
        assert_false(harness_exists(h, "f"));
        assert_int_equal(harness_count_temp(h), 1);
        assert_string_equal(the_file(h)->spare_name, "");
}

static void set_info(struct harness *h, const char *info) {
        manager_set_file_properties(h->manager, the_file(h), &(struct manager_file_properties) {
                        .stated_size = MANAGER_SIZE_UNCHANGED, .integrity_mandatory = -1, .decryption_info = info }, NULL, NULL);
        harness_pump(h);
}

static void the_wrong_key_is_an_error_and_the_right_one_needs_no_byte_again(void **state) {
        struct harness *h = *state;

        create(h, WRONG, NULL);
        serve(h, SIZE);
        assert_int_equal(harness_job(h)->state, JOB_ERROR);
        assert_int_equal(harness_job(h)->error.code, ERROR_DECRYPTION_MISMATCH);
        assert_non_null(strstr(harness_job(h)->error.text, "another key"));
        assert_int_equal(harness_count_temp(h), 1);
        assert_false(harness_exists(h, "f"));

        set_info(h, RIGHT);
        assert_int_equal(harness_call(h, manager_resume_job), 0);
        assert_int_equal(harness_running(h), 0);
        assert_int_equal(harness_job(h)->state, JOB_TRANSFERRED);
        complete(h, SIZE);
}

static void what_is_not_encrypted_is_not_published_unless_that_is_wanted(void **state) {
        struct harness *h = *state;

        create(h, RIGHT, NULL);
        harness_serve(h, harness_request(h, 0), SIZE);
        assert_int_equal(harness_job(h)->state, JOB_ERROR);
        assert_int_equal(harness_job(h)->error.code, ERROR_ENCRYPTION_EXPECTED);
        set_info(h, "");
        assert_int_equal(harness_call(h, manager_resume_job), 0);
        complete(h, SIZE);
}

static void what_is_damaged_is_fetched_once_more(void **state) {
        struct harness *h = *state;
        uint8_t bytes[ENCRYPTED_MAX];
        size_t size = encrypt_content(SIZE, bytes);

        create(h, RIGHT, NULL);
        bytes[size - 1] ^= 1;
        harness_serve_bytes(h, harness_request(h, 0), bytes, size);
        assert_int_equal(harness_job(h)->state, JOB_TRANSFERRING);
        assert_int_equal(harness_count_temp(h), 1);
        harness_serve_bytes(h, harness_request(h, 0), bytes, size);
        assert_int_equal(harness_job(h)->state, JOB_ERROR);
        assert_int_equal(harness_job(h)->error.code, ERROR_DECRYPTION_DAMAGED);
        assert_int_equal(harness_job(h)->error.context, ERROR_CONTEXT_REMOTE_FILE);
        assert_false(harness_exists(h, "f"));
        assert_int_equal(harness_count_temp(h), 1);
}

static void ranges_of_an_encrypted_file_are_refused(void **state) {
        static const struct byte_range range = { .offset = 0, .length = 10 };

        assert_int_equal(try_to_create(*state, RIGHT, NULL, &range, false), ERROR_INVALID_ARGUMENT);
        assert_int_equal(try_to_create(*state, "{}", NULL, NULL, false), ERROR_INVALID_ARGUMENT);
}

/* The names of both files are in the row before the second one is made, and exactly one of them is TRANSFERRED: tried at each step. */
static void a_crash_at_any_step_loses_nothing_and_leaves_nothing(void **state) {
        struct harness *h = *state;
        unsigned n = 0;
        bool more = true, decrypted_twice = false;

        for (; more; n++) {
                create(h, RIGHT, NULL);
                serve_and_hold(h);
                more = true;
                for (unsigned i = 0; i < n && more; i++)
                        more = step(h);
                harness_crash(h);
                harness_pump(h);
                if (harness_running(h) > 0)
                        serve(h, SIZE);
                else
                        decrypted_twice = true;
                assert_int_equal(harness_job(h)->state, JOB_TRANSFERRED);
                assert_string_equal(the_file(h)->spare_name, "");
                assert_int_equal(harness_count_temp(h), 1);
                complete(h, SIZE);
                assert_int_equal(unlink(harness_path(h, "f")), 0);
        }
        assert_true(decrypted_twice);
        assert_in_range(n, 10, 100);
}

/* Whoever judges what was decrypted - the run that decrypted it, or the one after the crash - finds it wrong; it is fetched anew, not for ever. */
static void a_wrong_digest_is_found_after_a_crash_at_any_step(void **state) {
        struct harness *h = *state;
        uint8_t sha256[32];
        bool more = true;

        harness_digest(SIZE, sha256);
        sha256[0] ^= 1;
        for (unsigned n = 0; more; n++) {
                unsigned times = 0;

                create(h, RIGHT, sha256);
                serve_and_hold(h);
                for (unsigned i = 0; i < n && more; i++)
                        more = step(h);
                harness_crash(h);
                harness_pump(h);
                for (; harness_running(h) > 0; times++) {
                        assert_in_range(times, 0, 2);
                        serve(h, SIZE);
                }
                assert_int_equal(harness_job(h)->state, JOB_ERROR);
                assert_int_equal(harness_job(h)->error.code, ERROR_DIGEST_MISMATCH);
                assert_false(harness_exists(h, "f"));
                assert_int_equal(harness_call(h, manager_cancel_job), 0);
                assert_int_equal(harness_count_temp(h), 0);
        }
}

static void a_suspend_or_cancel_at_any_step_leaves_what_it_should(void **state) {
        struct harness *h = *state;
        bool more = true;

        for (unsigned n = 0; more; n++)
                for (unsigned cancel = 0; cancel < 2; cancel++) {
                        create(h, RIGHT, NULL);
                        serve_and_hold(h);
                        more = true;
                        for (unsigned i = 0; i < n && more; i++)
                                more = step(h);
                        if (cancel) {
                                assert_int_equal(harness_call(h, manager_cancel_job), 0);
                                assert_int_equal(harness_count_temp(h), 0);
                                continue;
                        }
                        assert_int_equal(harness_call(h, manager_suspend_job), 0);
                        harness_pump(h);
                        assert_int_equal(harness_count_temp(h), 1);
                        assert_string_equal(the_file(h)->spare_name, "");
                        assert_int_equal(harness_call(h, manager_resume_job), 0);
                        harness_pump(h);
                        assert_int_equal(harness_running(h), 0);
                        assert_int_equal(harness_job(h)->state, JOB_TRANSFERRED);
                        complete(h, SIZE);
                        assert_int_equal(unlink(harness_path(h, "f")), 0);
                }
}

static void a_store_that_fails_at_any_commit_changes_nothing_in_the_end(void **state) {
        struct harness *h = *state;

        for (unsigned nth = 0; nth < 3; nth++) { /* the second name; the swap; that the first is gone */
                create(h, RIGHT, NULL);
                serve_and_hold(h);
                store_faulty_plan(h->store, nth, -EIO, false);
                harness_pump(h);
                harness_advance(h, USEC_PER_MINUTE);
                if (harness_running(h) > 0)
                        serve(h, SIZE);
                assert_int_equal(harness_job(h)->state, JOB_TRANSFERRED);
                assert_int_equal(harness_count_temp(h), 1);
                complete(h, SIZE);
                assert_int_equal(unlink(harness_path(h, "f")), 0);
        }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, harness_setup, harness_teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(what_is_published_is_the_content),
                TEST(a_job_that_completes_itself_leaves_nothing_behind),
                TEST(the_digest_is_that_of_the_content),
                TEST(the_wrong_key_is_an_error_and_the_right_one_needs_no_byte_again),
                TEST(what_is_not_encrypted_is_not_published_unless_that_is_wanted),
                TEST(what_is_damaged_is_fetched_once_more),
                TEST(ranges_of_an_encrypted_file_are_refused),
                TEST(a_crash_at_any_step_loses_nothing_and_leaves_nothing),
                TEST(a_wrong_digest_is_found_after_a_crash_at_any_step),
                TEST(a_suspend_or_cancel_at_any_step_leaves_what_it_should),
                TEST(a_store_that_fails_at_any_commit_changes_nothing_in_the_end),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

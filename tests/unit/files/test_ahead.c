/* A digest that is computed while the file is still being written is believed only for what has not changed since. */
#include "fixture.h"

#include <openssl/evp.h>
#include <string.h>
#include <unistd.h>

#include "files/ahead.h"

#define MIB (1024 * 1024)
#define SIZE (3 * MIB + 5)

struct content {
        struct files_handle *handle;
        int fd;
        uint8_t bytes[SIZE];
        uint8_t sha256[DIGEST_SIZE];
};

static void write_bytes(struct content *content, uint64_t start, uint64_t end) {
        assert_int_equal(fd_pwrite_all(content->fd, content->bytes + start, end - start, start), 0);
}

/* As it is to be from now on, whatever is in the file. */
static void take_digest(struct content *content) {
        assert_int_equal(EVP_Digest(content->bytes, SIZE, content->sha256, NULL, EVP_sha256(), NULL), 1);
}

static struct content *content_new(struct fixture *f) {
        struct content *content = calloc(1, sizeof(*content));
        char temp[FILES_TEMP_NAME_MAX];
        struct files_open_result open = create_now(f, "file", temp);

        assert_non_null(content);
        assert_int_equal(open.error, 0);
        content->handle = open.handle;
        content->fd = open.fd;
        for (size_t i = 0; i < SIZE; i++)
                content->bytes[i] = (uint8_t) (i * 2654435761u >> 13);
        take_digest(content);
        return content;
}

static void content_free(struct fixture *f, struct content *content) {
        files_close(f->files, content->handle);
        free(content);
}

struct waiter {
        bool done;
        int error;
};

static void on_done(int error, void *userdata) {
        struct waiter *waiter = userdata;

        waiter->error = error;
        waiter->done = true;
}

static int digest_now(struct fixture *f, const struct content *content, uint64_t start, uint64_t end) {
        struct waiter waiter = {};

        assert_int_equal(files_digest_ahead(f->files, content->handle, start, end, on_done, &waiter), 0);
        wait_for(f, &waiter.done);
        return waiter.error;
}

static int finish(struct fixture *f, const struct content *content) {
        struct files_finish_request request = { .size = SIZE, .mode = 0644, .sha256 = content->sha256 };
        struct files_finish_result result = finish_now(f, content->handle, &request);

        if (result.error == 0)
                assert_memory_equal(result.sha256, content->sha256, DIGEST_SIZE);
        return result.error;
}

static void it_is_the_digest_of_the_whole_file(void **state) {
        struct fixture *f = *state;
        struct content *content = content_new(f);

        write_bytes(content, 0, MIB);
        assert_int_equal(digest_now(f, content, 0, MIB), 0);
        write_bytes(content, MIB, SIZE);
        assert_int_equal(digest_now(f, content, MIB, 2 * MIB + 1), 0);
        assert_int_equal(finish(f, content), 0);
        content_free(f, content);
}

static void all_of_it_may_have_been_read_before_the_end(void **state) {
        struct fixture *f = *state;
        struct content *content = content_new(f);

        write_bytes(content, 0, SIZE);
        assert_int_equal(digest_now(f, content, 0, SIZE), 0);
        assert_int_equal(finish(f, content), 0);
        content_free(f, content);
}

/* A writer that waits until the right bytes were read, and then puts others there. */
static void bytes_that_change_after_they_were_read_do_not_pass(void **state) {
        struct fixture *f = *state;
        struct content *content = content_new(f);

        write_bytes(content, 0, SIZE);
        assert_int_equal(digest_now(f, content, 0, 2 * MIB), 0);
        assert_int_equal(fd_pwrite_all(content->fd, "x", 1, MIB), 0);
        assert_int_equal(finish(f, content), -EBADMSG);
        content_free(f, content);
}

static void bytes_that_become_right_after_they_were_read_are_right(void **state) {
        struct fixture *f = *state;
        struct content *content = content_new(f);

        write_bytes(content, 0, SIZE);
        assert_int_equal(fd_pwrite_all(content->fd, "x", 1, MIB), 0);
        assert_int_equal(digest_now(f, content, 0, 2 * MIB), 0);
        write_bytes(content, MIB, MIB + 1);
        assert_int_equal(finish(f, content), 0);
        content_free(f, content);
}

static void it_goes_on_only_where_it_ended(void **state) {
        struct fixture *f = *state;
        struct content *content = content_new(f);

        write_bytes(content, 0, SIZE);
        assert_int_equal(digest_now(f, content, MIB, 2 * MIB), -ESTALE);
        assert_int_equal(digest_now(f, content, 0, MIB), 0);
        assert_int_equal(digest_now(f, content, MIB + 1, 2 * MIB), -ESTALE);
        assert_int_equal(digest_now(f, content, MIB, 2 * MIB), -ESTALE); /* nothing is left of it */
        assert_int_equal(digest_now(f, content, 0, MIB), 0);
        assert_int_equal(digest_now(f, content, 0, 2 * MIB), 0); /* anew */
        assert_int_equal(digest_now(f, content, 2 * MIB, SIZE), 0);
        assert_int_equal(finish(f, content), 0);
        content_free(f, content);
}

static void what_is_not_there_cannot_be_read(void **state) {
        struct fixture *f = *state;
        struct content *content = content_new(f);

        write_bytes(content, 0, SIZE);
        assert_int_equal(digest_now(f, content, 0, SIZE + 1), -EMSGSIZE);
        assert_int_equal(finish(f, content), 0);
        content_free(f, content);
}

static void closing_a_handle_ends_what_is_read_of_it(void **state) {
        struct fixture *f = *state;
        struct content *content = content_new(f);
        struct waiter waiter = {};

        write_bytes(content, 0, SIZE);
        assert_int_equal(files_digest_ahead(f->files, content->handle, 0, SIZE, on_done, &waiter), 0);
        content_free(f, content);
        wait_for(f, &waiter.done);
        assert_true(waiter.error == 0 || waiter.error == -ECANCELED);
}

/* Both begin at the same time: wherever the one is stopped, the other goes on from there. */
static void the_end_does_not_wait_for_what_is_read_ahead(void **state) {
        struct fixture *f = *state;

        for (int i = 0; i < 50; i++) {
                struct content *content = content_new(f);
                struct waiter waiter = {};

                write_bytes(content, 0, SIZE);
                assert_int_equal(files_digest_ahead(f->files, content->handle, 0, SIZE, on_done, &waiter), 0);
                assert_int_equal(finish(f, content), 0);
                wait_for(f, &waiter.done);
                assert_true(waiter.error == 0 || waiter.error == -ECANCELED);
                content_free(f, content);
        }
}

static void nothing_is_read_ahead_any_more_after_the_end(void **state) {
        struct fixture *f = *state;
        struct content *content = content_new(f);

        write_bytes(content, 0, SIZE);
        assert_int_equal(digest_now(f, content, 0, MIB), 0);
        assert_int_equal(finish(f, content), 0);
        assert_int_equal(digest_now(f, content, MIB, SIZE), -ECANCELED);
        content_free(f, content);
}

/* ---- how ---- */

static void only_the_rest_is_digested_at_the_end(void **state) {
        struct fixture *f = *state;
        struct content *content = content_new(f);
        uint8_t digest[DIGEST_SIZE];
        struct ahead *ahead;

        write_bytes(content, 0, SIZE);
        assert_int_equal(ahead_new(&ahead), 0);
        assert_int_equal(ahead_extend(ahead, content->fd, MIB, NULL, NULL), 0);
        assert_int_equal(ahead_extend(ahead, content->fd, MIB, NULL, NULL), 0);
        assert_int_equal(ahead_extend(ahead, content->fd, 3 * MIB, NULL, NULL), 0);
        assert_int_equal(ahead_end(ahead), 3 * MIB);
        assert_int_equal(ahead_finish(ahead, content->fd, SIZE, NULL, NULL, digest), 0);
        assert_memory_equal(digest, content->sha256, DIGEST_SIZE);
        ahead_free(ahead);
        content_free(f, content);
}

static int read_bytes_then_stop(int fd, struct ahead *ahead, uint64_t end) {
        const atomic_bool stop = true;

        return ahead_extend(ahead, fd, end, &stop, NULL);
}

static void what_was_stopped_goes_on_where_it_was(void **state) {
        struct fixture *f = *state;
        struct content *content = content_new(f);
        uint8_t digest[DIGEST_SIZE];
        struct ahead *ahead;

        write_bytes(content, 0, SIZE);
        assert_int_equal(ahead_new(&ahead), 0);
        assert_int_equal(read_bytes_then_stop(content->fd, ahead, 2 * MIB), -ECANCELED);
        assert_in_range(ahead_end(ahead), 1, MIB);
        assert_int_equal(read_bytes_then_stop(content->fd, ahead, 2 * MIB), -ECANCELED);
        assert_int_equal(ahead_extend(ahead, content->fd, 2 * MIB, NULL, NULL), 0);
        assert_int_equal(ahead_end(ahead), 2 * MIB);
        assert_int_equal(ahead_finish(ahead, content->fd, SIZE, NULL, NULL, digest), 0);
        assert_memory_equal(digest, content->sha256, DIGEST_SIZE);
        ahead_free(ahead);
        content_free(f, content);
}

static void each_byte_is_under_the_seal(void **state) {
        static const uint64_t places[] = { 0, 1, 15, 16, 256 * 1024 - 1, 256 * 1024, MIB, 2 * MIB - 1 };
        struct fixture *f = *state;
        struct content *content = content_new(f);
        uint8_t digest[DIGEST_SIZE];

        for (size_t i = 0; i < ELEMENTSOF(places); i++) {
                uint8_t other = content->bytes[places[i]] ^ 1;
                struct ahead *ahead;

                write_bytes(content, 0, SIZE);
                assert_int_equal(ahead_new(&ahead), 0);
                assert_int_equal(ahead_extend(ahead, content->fd, 2 * MIB, NULL, NULL), 0);
                assert_int_equal(fd_pwrite_all(content->fd, &other, 1, places[i]), 0);
                assert_int_equal(ahead_finish(ahead, content->fd, SIZE, NULL, NULL, digest), -ESTALE);
                ahead_free(ahead);
        }
        content_free(f, content);
}

static void a_file_that_became_shorter_is_another(void **state) {
        struct fixture *f = *state;
        struct content *content = content_new(f);
        uint8_t digest[DIGEST_SIZE];
        struct ahead *ahead;

        write_bytes(content, 0, SIZE);
        assert_int_equal(ahead_new(&ahead), 0);
        assert_int_equal(ahead_extend(ahead, content->fd, 2 * MIB, NULL, NULL), 0);
        assert_int_equal(ahead_finish(ahead, content->fd, MIB, NULL, NULL, digest), -ESTALE);
        ahead_free(ahead);
        content_free(f, content);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(it_is_the_digest_of_the_whole_file),
                TEST(all_of_it_may_have_been_read_before_the_end),
                TEST(bytes_that_change_after_they_were_read_do_not_pass),
                TEST(bytes_that_become_right_after_they_were_read_are_right),
                TEST(it_goes_on_only_where_it_ended),
                TEST(what_is_not_there_cannot_be_read),
                TEST(closing_a_handle_ends_what_is_read_of_it),
                TEST(the_end_does_not_wait_for_what_is_read_ahead),
                TEST(nothing_is_read_ahead_any_more_after_the_end),
                TEST(only_the_rest_is_digested_at_the_end),
                TEST(what_was_stopped_goes_on_where_it_was),
                TEST(each_byte_is_under_the_seal),
                TEST(a_file_that_became_shorter_is_another),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

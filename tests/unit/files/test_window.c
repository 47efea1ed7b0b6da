/* Windows: a file in memory that somebody reads as it grows, and of which what was taken is given back. */
#include "fixture.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <string.h>
#include <unistd.h>

#define PAGE 4096

struct window {
        struct files_handle *handle;
        int fd, reader;
};

static struct window window_new(struct fixture *f, bool digest) {
        struct window window;

        assert_int_equal(files_open_window(f->files, getuid(), digest, &window.handle, &window.fd), 0);
        window.reader = files_window_reader(window.handle);
        assert_true(window.reader >= 0);
        return window;
}

static void window_done(struct fixture *f, struct window *window) {
        window->handle = files_close(f->files, window->handle);
        close(window->reader);
}

/* Positions in the whole file. */
static void fill(const struct window *window, const char *bytes, uint64_t start, uint64_t end) {
        assert_int_equal(fd_pwrite_all(window->fd, bytes + start, end - start, start), 0);
}

struct drop {
        bool done;
        int error;
};

static void on_dropped(int error, void *userdata) {
        struct drop *drop = userdata;

        drop->error = error;
        drop->done = true;
}

static int drop_now(struct fixture *f, const struct window *window, uint64_t start, uint64_t end) {
        struct drop drop = {};

        assert_int_equal(files_window_drop(f->files, window->handle, start, end, on_dropped, &drop), 0);
        wait_for(f, &drop.done);
        return drop.error;
}

static uint64_t bytes_in_memory(int fd) {
        struct stat st;

        assert_return_code(fstat(fd, &st), errno);
        return (uint64_t) st.st_blocks * 512;
}

static char content[8 * PAGE];

static void make_content(void) {
        for (size_t i = 0; i < sizeof(content); i++)
                content[i] = (char) (i * 7 + (i >> 8));
}

static void a_reader_sees_what_is_written_and_writes_nothing(void **state) {
        struct fixture *f = *state;
        struct window window = window_new(f, false);
        char bytes[100];

        fill(&window, content, 0, PAGE);
        assert_int_equal(fd_pread_all(window.reader, bytes, sizeof(bytes), 50), sizeof(bytes));
        assert_memory_equal(bytes, content + 50, sizeof(bytes));
        assert_int_equal(pwrite(window.reader, "x", 1, 0), -1);
        assert_int_equal(errno, EBADF);
        assert_int_equal(ftruncate(window.reader, 0), -1);
        assert_int_equal(fcntl(window.reader, F_GETFL) & O_ACCMODE, O_RDONLY);
        assert_int_equal(fcntl(window.reader, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
        assert_int_equal(fixture_count(f, ""), 0); /* it has no place in any folder */
        window_done(f, &window);
}

static void what_is_dropped_costs_no_memory_and_the_rest_stays_where_it_is(void **state) {
        struct fixture *f = *state;
        struct window window = window_new(f, false);
        char bytes[PAGE];

        fill(&window, content, 0, 4 * PAGE);
        assert_int_equal(bytes_in_memory(window.reader), 4 * PAGE);
        assert_int_equal(drop_now(f, &window, 0, 3 * PAGE), 0);
        assert_int_equal(bytes_in_memory(window.reader), PAGE);
        assert_int_equal(fd_pread_all(window.reader, bytes, PAGE, 3 * PAGE), PAGE);
        assert_memory_equal(bytes, content + 3 * PAGE, PAGE);
        /* The part of a page stays with its page until that is taken, too. */
        fill(&window, content, 4 * PAGE, 6 * PAGE);
        assert_int_equal(drop_now(f, &window, 3 * PAGE, 4 * PAGE + 10), 0);
        assert_int_equal(fd_pread_all(window.reader, bytes, PAGE, 4 * PAGE + 10), PAGE);
        assert_memory_equal(bytes, content + 4 * PAGE + 10, PAGE);
        assert_int_equal(drop_now(f, &window, 4 * PAGE + 10, 6 * PAGE), 0);
        assert_true(bytes_in_memory(window.reader) <= PAGE);
        window_done(f, &window);
}

static void the_digest_is_that_of_all_that_was_dropped(void **state) {
        static const uint64_t steps[] = { 1, 100, PAGE, 3 * PAGE + 1, sizeof(content) };
        struct fixture *f = *state;
        struct window window = window_new(f, true);
        uint8_t digest[EVP_MAX_MD_SIZE];
        uint64_t at = 0;

        fill(&window, content, 0, sizeof(content));
        for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
                assert_int_equal(drop_now(f, &window, at, steps[i]), 0);
                at = steps[i];
                assert_int_equal(EVP_Digest(content, at, digest, NULL, EVP_sha256(), NULL), 1);
                assert_int_equal(files_window_check(f->files, window.handle, digest), 0); /* asked in between, it goes on */
                digest[0] ^= 1;
                assert_int_equal(files_window_check(f->files, window.handle, digest), -EBADMSG);
        }
        window_done(f, &window);
}

static void an_empty_file_has_a_digest_too(void **state) {
        struct fixture *f = *state;
        struct window window = window_new(f, true);
        uint8_t digest[EVP_MAX_MD_SIZE];

        assert_int_equal(EVP_Digest("", 0, digest, NULL, EVP_sha256(), NULL), 1);
        assert_int_equal(files_window_check(f->files, window.handle, digest), 0);
        window_done(f, &window);
}

static void bytes_that_are_not_there_have_no_digest(void **state) {
        struct fixture *f = *state;
        struct window window = window_new(f, true), without = window_new(f, false);
        uint8_t digest[32] = {};

        fill(&window, content, 0, 10);
        assert_int_equal(drop_now(f, &window, 0, 11), -EMSGSIZE);
        assert_int_equal(files_window_check(f->files, without.handle, digest), -EINVAL);
        window_done(f, &window);
        window_done(f, &without);
}

static void a_window_that_is_closed_ends_what_was_asked_of_it_and_leaves_no_descriptor(void **state) {
        struct fixture *f = *state;
        struct window window = window_new(f, true);
        struct drop drops[8] = {};
        size_t before;

        fill(&window, content, 0, PAGE);
        assert_int_equal(drop_now(f, &window, 0, PAGE), 0); /* so that a process is there where there is one */
        window_done(f, &window);
        wait_for_all(f);
        before = count_open_fds();
        window = window_new(f, true);
        fill(&window, content, 0, sizeof(content));
        for (size_t i = 0; i < 8; i++)
                assert_int_equal(files_window_drop(f->files, window.handle, i * PAGE, (i + 1) * PAGE, on_dropped, &drops[i]), 0);
        window_done(f, &window);
        wait_for_all(f);
        for (size_t i = 0; i < 8; i++) {
                assert_true(drops[i].done);
                assert_true(drops[i].error == 0 || drops[i].error == -ECANCELED);
        }
        assert_int_equal(count_open_fds(), before);
}

/* It keeps the bytes that it has not read yet alive, nobody else does. */
static void who_holds_a_reader_reads_on(void **state) {
        struct fixture *f = *state;
        struct window window = window_new(f, false);
        char bytes[PAGE];

        fill(&window, content, 0, PAGE);
        window.handle = files_close(f->files, window.handle);
        wait_for_all(f);
        assert_int_equal(fd_pread_all(window.reader, bytes, PAGE, 0), PAGE);
        assert_memory_equal(bytes, content, PAGE);
        close(window.reader);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(a_reader_sees_what_is_written_and_writes_nothing),
                TEST(what_is_dropped_costs_no_memory_and_the_rest_stays_where_it_is),
                TEST(the_digest_is_that_of_all_that_was_dropped),
                TEST(an_empty_file_has_a_digest_too),
                TEST(bytes_that_are_not_there_have_no_digest),
                TEST(a_window_that_is_closed_ends_what_was_asked_of_it_and_leaves_no_descriptor),
                TEST(who_holds_a_reader_reads_on),
        };

        make_content();
        return cmocka_run_group_tests(tests, NULL, NULL);
}

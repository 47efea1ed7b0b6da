/* A digest that is computed while the file is still being written is believed only for what has not changed since. */
#include "fixture.h"

#include <openssl/evp.h>
#include <poll.h>
#include <sched.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "files/ahead.h"

#define MIB (1024 * 1024)
#define SIZE (3 * MIB + 5)

struct content {
        struct files_handle *handle;
        int fd;
        char temp[FILES_TEMP_NAME_MAX];
        struct files_identity inode, directory;
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

static struct content *content_named(struct fixture *f, const char *name) {
        struct content *content = calloc(1, sizeof(*content));
        struct files_open_result open;

        assert_non_null(content);
        open = create_now(f, name, content->temp);
        assert_int_equal(open.error, 0);
        content->handle = open.handle;
        content->fd = open.fd;
        content->inode = open.temp;
        content->directory = open.directory;
        for (size_t i = 0; i < SIZE; i++)
                content->bytes[i] = (uint8_t) (i * 2654435761u >> 13);
        take_digest(content);
        return content;
}

static struct content *content_new(struct fixture *f) {
        return content_named(f, "file");
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
static void the_end_may_come_while_it_is_read_ahead(void **state) {
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

/* Whatever reads ahead hangs while it is shut. Of all processes of the test. */
static struct gate {
        atomic_bool shut;
        sem_t arrived, open;
} *gate;

ssize_t __real_pread64(int fd, void *bytes, size_t n, off_t offset);
ssize_t __wrap_pread64(int fd, void *bytes, size_t n, off_t offset);
ssize_t __wrap_pread64(int fd, void *bytes, size_t n, off_t offset) {
        if (sched_getscheduler(0) == SCHED_IDLE && atomic_load(&gate->shut)) {
                sem_post(&gate->arrived);
                sem_wait(&gate->open);
        }
        return __real_pread64(fd, bytes, n, offset);
}

static void gate_shut(void) {
        assert_int_equal(sem_init(&gate->arrived, 1, 0), 0);
        assert_int_equal(sem_init(&gate->open, 1, 0), 0);
        atomic_store(&gate->shut, true);
}

static void wait_for_somebody_at_the_gate(struct fixture *f) {
        struct pollfd pollfd = { .fd = files_fd(f->files), .events = POLLIN };

        while (sem_trywait(&gate->arrived) < 0) { /* the other process is asked from the loop */
                assert_true(poll(&pollfd, 1, 1) >= 0);
                files_dispatch(f->files);
        }
}

static void gate_open(void) {
        atomic_store(&gate->shut, false);
        sem_post(&gate->open);
}

/* The next one who has it may be about to finish it, and must find no writer. */
static void what_waits_behind_a_hanging_mount_keeps_no_file_open(void **state) {
        struct fixture *f = *state;
        struct content *hangs = content_named(f, "hangs"), *content = content_new(f);
        struct waiter first = {}, second = {}, third = {};
        struct files_open_request request = { .path = fixture_path2(f, "file"), .temp_name = content->temp, .temp = content->inode,
                                              .directory = content->directory, .durable_end = SIZE, .reserve_bytes = FILES_SIZE_UNKNOWN };
        struct files_open_result open;

        write_bytes(hangs, 0, SIZE);
        write_bytes(content, 0, SIZE);
        gate_shut();
        assert_int_equal(files_digest_ahead(f->files, hangs->handle, 0, SIZE, on_done, &first), 0);
        wait_for_somebody_at_the_gate(f);
        assert_int_equal(files_digest_ahead(f->files, content->handle, 0, SIZE, on_done, &second), 0);
        files_close(f->files, content->handle);
        wait_for(f, &second.done);
        assert_int_equal(second.error, -ECANCELED);
        open = open_now(f, &request);
        assert_int_equal(open.error, 0);
        content->handle = open.handle;
        assert_int_equal(finish(f, content), 0);
        assert_false(first.done);
        /* And one that is being read is closed before the next one opens it. */
        files_close(f->files, hangs->handle);
        gate_open();
        request.path = fixture_path2(f, "hangs");
        request.temp_name = hangs->temp;
        request.temp = hangs->inode;
        open = open_now(f, &request);
        assert_int_equal(open.error, 0);
        hangs->handle = open.handle;
        assert_int_equal(finish(f, hangs), 0);
        wait_for(f, &first.done);
        assert_int_equal(files_digest_ahead(f->files, hangs->handle, 0, SIZE, on_done, &third), 0);
        wait_for(f, &third.done);
        assert_int_equal(third.error, -ECANCELED);
        content_free(f, hangs);
        content_free(f, content);
}

static void one_at_a_time_reads_a_file_ahead(void **state) {
        struct fixture *f = *state;
        struct content *content = content_new(f);
        struct waiter first = {}, second = {};

        write_bytes(content, 0, SIZE);
        gate_shut();
        assert_int_equal(files_digest_ahead(f->files, content->handle, 0, MIB, on_done, &first), 0);
        wait_for_somebody_at_the_gate(f);
        if (fixture_is_remote()) { /* the other process says so */
                assert_int_equal(files_digest_ahead(f->files, content->handle, 0, MIB, on_done, &second), 0);
                wait_for(f, &second.done);
                assert_int_equal(second.error, -EBUSY);
        } else
                assert_int_equal(files_digest_ahead(f->files, content->handle, 0, MIB, on_done, &second), -EBUSY);
        gate_open();
        wait_for(f, &first.done);
        assert_int_equal(first.error, 0);
        assert_int_equal(finish(f, content), 0);
        content_free(f, content);
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
                TEST(the_end_may_come_while_it_is_read_ahead),
                TEST(what_waits_behind_a_hanging_mount_keeps_no_file_open),
                TEST(one_at_a_time_reads_a_file_ahead),
                TEST(nothing_is_read_ahead_any_more_after_the_end),
                TEST(only_the_rest_is_digested_at_the_end),
                TEST(what_was_stopped_goes_on_where_it_was),
                TEST(each_byte_is_under_the_seal),
                TEST(a_file_that_became_shorter_is_another),
        };

        gate = mmap(NULL, sizeof(*gate), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (gate == MAP_FAILED)
                return 1;
        return cmocka_run_group_tests(tests, NULL, NULL);
}

/* What is written at once, what waits, and that nothing is said to be written that is not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "transfer/sink.h"

#define RECORD 16366u /* of TLS, less two headers of HTTP/2 frames */

static struct sink_buffer buffer;
static useconds_t disk_takes_usec;
static int fail_close; /* errno, 0: work */

int __real_close(int fd);
int __wrap_close(int fd);
int __wrap_close(int fd) {
        int r = __real_close(fd);

        if (!fail_close)
                return r;
        errno = fail_close;
        return -1;
}

ssize_t __real_pwrite64(int fd, const void *bytes, size_t size, off64_t offset);
ssize_t __wrap_pwrite64(int fd, const void *bytes, size_t size, off64_t offset);
ssize_t __wrap_pwrite64(int fd, const void *bytes, size_t size, off64_t offset) {
        (void) usleep(disk_takes_usec);
        return __real_pwrite64(fd, bytes, size, offset);
}

static char pattern[3 * SINK_BUFFER_BYTES];

static int set_up(void **state) {
        buffer.sink = NULL;
        for (size_t i = 0; i < sizeof(pattern); i++)
                pattern[i] = (char) (i * 31 + i / 255);
        return 0;
}

static int new_file(void) {
        int fd = memfd_create("sink", MFD_CLOEXEC);

        assert_true(fd >= 0);
        return fd;
}

static uint64_t size_of(int fd) {
        struct stat st;

        assert_int_equal(fstat(fd, &st), 0);
        return (uint64_t) st.st_size;
}

static void assert_content(int fd, uint64_t offset, size_t size) {
        static char found[sizeof(pattern)];

        assert_int_equal(pread(fd, found, size, (off_t) offset), size);
        assert_memory_equal(found, pattern + offset, size);
}

static void small_ones_are_written_together(void **state) {
        int fd = new_file();
        struct sink sink;

        sink_init(&sink, fd, &buffer);
        for (size_t at = 0; at + RECORD <= SINK_BUFFER_BYTES; at += RECORD)
                assert_int_equal(sink_write(&sink, pattern + at, RECORD, at), 0);
        assert_int_equal(size_of(fd), 0);
        assert_int_equal(sink.end, 0);
        assert_true(sink_has_news(&sink));
        assert_int_equal(sink_position(&sink), SINK_BUFFER_BYTES / RECORD * RECORD);

        assert_int_equal(sink_flush(&sink), 0);

        assert_int_equal(sink.end, SINK_BUFFER_BYTES / RECORD * RECORD);
        assert_content(fd, 0, SINK_BUFFER_BYTES / RECORD * RECORD);
        sink_done(&sink);
}

static void the_buffer_is_written_where_it_is_full_in_the_file(void **state) {
        const uint64_t begin = SINK_BUFFER_BYTES - 1000;
        int fd = new_file();
        struct sink sink;

        sink_init(&sink, fd, &buffer);
        assert_int_equal(sink_write(&sink, pattern + begin, RECORD, begin), 0);
        assert_int_equal(size_of(fd), SINK_BUFFER_BYTES);
        assert_int_equal(sink.end, SINK_BUFFER_BYTES);
        assert_int_equal(sink_position(&sink), begin + RECORD);
        assert_int_equal(sink_flush(&sink), 0);
        assert_content(fd, begin, RECORD);
        sink_done(&sink);
}

static void a_large_one_is_not_copied_and_comes_behind_what_waits(void **state) {
        int fd = new_file();
        struct sink sink;

        sink_init(&sink, fd, &buffer);
        assert_int_equal(sink_write(&sink, pattern, RECORD, 0), 0);
        assert_int_equal(sink_write(&sink, pattern + RECORD, 2 * SINK_BUFFER_BYTES, RECORD), 0);
        assert_null(buffer.sink);
        assert_int_equal(sink.end, RECORD + 2 * SINK_BUFFER_BYTES);
        assert_content(fd, 0, RECORD + 2 * SINK_BUFFER_BYTES);
        sink_done(&sink);
}

static void another_one_that_needs_the_buffer_has_it_written(void **state) {
        int fds[] = { new_file(), new_file() };
        struct sink one, two;

        sink_init(&one, fds[0], &buffer);
        sink_init(&two, fds[1], &buffer);
        assert_int_equal(sink_write(&one, pattern, RECORD, 0), 0);
        assert_int_equal(sink_write(&two, pattern, 100, 0), 0);
        assert_content(fds[0], 0, RECORD);
        assert_int_equal(one.end, RECORD);
        assert_int_equal(size_of(fds[1]), 0);
        assert_int_equal(sink_flush(&two), 0);
        assert_content(fds[1], 0, 100);
        sink_done(&one);
        sink_done(&two);
}

static void bytes_that_do_not_follow_are_to_be_reported_before(void **state) {
        struct sink sink;

        sink_init(&sink, new_file(), &buffer);
        assert_false(sink_must_report_before(&sink, 4096));
        assert_int_equal(sink_write(&sink, pattern, RECORD, 4096), 0);
        assert_false(sink_must_report_before(&sink, 4096 + RECORD));
        assert_true(sink_must_report_before(&sink, 0));
        sink_done(&sink);
}

static void a_failure_that_nobody_waited_for_is_remembered(void **state) {
        int fd = open("/dev/null", O_RDONLY | O_CLOEXEC), other_fd = new_file();
        struct sink sink, other;

        sink_init(&sink, fd, &buffer);
        sink_init(&other, other_fd, &buffer);
        assert_int_equal(sink_write(&sink, pattern, RECORD, 0), 0);
        assert_int_equal(sink_write(&other, pattern, RECORD, 0), 0);
        assert_int_equal(sink.end, 0);
        assert_false(sink_has_news(&sink));
        assert_int_equal(sink_write(&sink, pattern, RECORD, RECORD), -EBADF);
        assert_int_equal(sink_flush(&sink), -EBADF);
        assert_int_equal(sink_flush(&other), 0);
        assert_content(other_fd, 0, RECORD);
        sink_done(&sink);
        sink_done(&other);
}

static void a_write_that_took_long_is_told_to_whose_it_was(void **state) {
        struct sink sink, other;

        sink_init(&sink, new_file(), &buffer);
        sink_init(&other, new_file(), &buffer);
        assert_int_equal(sink_write(&sink, pattern, RECORD, 0), 0);
        disk_takes_usec = 120000;
        assert_int_equal(sink_write(&other, pattern, RECORD, 0), 0);
        disk_takes_usec = 0;
        assert_int_equal(sink_flush(&other), 0);
        assert_false(sink_take_slow(&other));
        assert_true(sink_take_slow(&sink));
        assert_false(sink_take_slow(&sink));
        sink_done(&sink);
        sink_done(&other);
}

static void who_leaves_leaves_nothing_to_be_written(void **state) {
        struct sink sink;

        sink_init(&sink, new_file(), &buffer);
        assert_int_equal(sink_write(&sink, pattern, RECORD, 0), 0);
        sink_done(&sink);
        assert_null(buffer.sink);
}

static void what_closing_tells_is_heard(void **state) {
        struct sink sink;

        sink_init(&sink, new_file(), &buffer);
        assert_int_equal(sink_write(&sink, pattern, RECORD, 0), 0);
        fail_close = EDQUOT;
        assert_int_equal(sink_finish(&sink), -EDQUOT);
        fail_close = 0;
        assert_int_equal(sink.end, RECORD);
        sink_done(&sink);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup(small_ones_are_written_together, set_up),
                cmocka_unit_test_setup(the_buffer_is_written_where_it_is_full_in_the_file, set_up),
                cmocka_unit_test_setup(a_large_one_is_not_copied_and_comes_behind_what_waits, set_up),
                cmocka_unit_test_setup(another_one_that_needs_the_buffer_has_it_written, set_up),
                cmocka_unit_test_setup(bytes_that_do_not_follow_are_to_be_reported_before, set_up),
                cmocka_unit_test_setup(a_failure_that_nobody_waited_for_is_remembered, set_up),
                cmocka_unit_test_setup(a_write_that_took_long_is_told_to_whose_it_was, set_up),
                cmocka_unit_test_setup(what_closing_tells_is_heard, set_up),
                cmocka_unit_test_setup(who_leaves_leaves_nothing_to_be_written, set_up),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

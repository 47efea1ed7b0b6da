#include "../unit.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fds.h"

static void closing_keeps_errno_and_forgets_the_number(void **state _unused_) {
        int fd = memfd_create("test", MFD_CLOEXEC), number = fd;

        assert_true(fd >= 0);
        errno = ENOSPC;
        fd = fd_close(fd);
        assert_int_equal(fd, -EBADF);
        assert_int_equal(errno, ENOSPC);
        assert_int_equal(fcntl(number, F_GETFD), -1);
        assert_int_equal(fd_close(-EBADF), -EBADF);
}

static void a_scope_closes_its_descriptor(void **state _unused_) {
        int number, kept;

        {
                _cleanup_close_ int fd = memfd_create("test", MFD_CLOEXEC);
                _cleanup_close_ int other = memfd_create("test", MFD_CLOEXEC);

                number = fd;
                kept = TAKE_FD(other);
                assert_int_equal(other, -EBADF);
        }
        assert_int_equal(fcntl(number, F_GETFD), -1);
        assert_true(fcntl(kept, F_GETFD) >= 0);
        fd_close(kept);
}

static void writing_and_reading_everything(void **state _unused_) {
        _cleanup_close_ int fd = memfd_create("test", MFD_CLOEXEC);
        char buf[16] = {};

        assert_int_equal(fd_write_all(fd, "hello ", 6), 0);
        assert_int_equal(fd_pwrite_all(fd, "world", 5, 6), 0);
        assert_int_equal(fd_pread_all(fd, buf, sizeof(buf), 0), 11); /* short only at the end */
        assert_string_equal(buf, "hello world");
        assert_int_equal(lseek(fd, 6, SEEK_SET), 6);
        memset(buf, 0, sizeof(buf));
        assert_int_equal(fd_read_all(fd, buf, 3), 3);
        assert_string_equal(buf, "wor");
        assert_int_equal(fd_write_all(-1, "x", 1), -EBADF);
        assert_int_equal(fd_read_all(-1, buf, 1), -EBADF);
}

static void short_writes_are_continued(void **state _unused_) {
        static uint8_t data[1 << 20], back[1 << 20];
        int pair[2], status;
        pid_t pid;

        for (size_t i = 0; i < sizeof(data); i++)
                data[i] = (uint8_t)(i * 7 + i / 251);
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
        pid = fork();
        assert_true(pid >= 0);
        if (pid == 0)
                _exit(fd_write_all(pair[1], data, sizeof(data)) == 0 ? 0 : 1);
        fd_close(pair[1]);
        assert_int_equal(fd_read_all(pair[0], back, sizeof(back)), sizeof(back));
        assert_memory_equal(data, back, sizeof(data));
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(status, 0);
        fd_close(pair[0]);
}

static void a_duplicate_is_above_the_standard_ones(void **state _unused_) {
        _cleanup_close_ int fd = memfd_create("test", 0), copy = fd_dup(fd);

        assert_true(copy > 2);
        assert_true(fcntl(copy, F_GETFD) & FD_CLOEXEC);
        assert_int_equal(fd_dup(-1), -EBADF);
        assert_int_equal(fd_set_nonblocking(copy, true), 0);
        assert_true(fcntl(copy, F_GETFL) & O_NONBLOCK);
        assert_int_equal(fd_set_nonblocking(copy, false), 0);
        assert_false(fcntl(copy, F_GETFL) & O_NONBLOCK);
}

static void closed_standard_descriptors_are_occupied(void **state _unused_) {
        pid_t pid = fork();
        int status;

        assert_true(pid >= 0);
        if (pid == 0) {
                bool ok;

                (void) close(0);
                (void) close(2);
                ok = fd_occupy_standard() == 0 && fcntl(0, F_GETFD) >= 0 && fcntl(2, F_GETFD) >= 0;
                _exit(ok ? 0 : 1);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(status, 0);
}

static void a_small_file_is_read_and_a_large_one_refused(void **state _unused_) {
        char path[] = "/tmp/dosvc-test-fds-XXXXXX";
        _cleanup_close_ int fd = mkstemp(path);
        _cleanup_free_ char *text = NULL, *none = NULL;
        size_t size;

        assert_true(fd >= 0);
        assert_int_equal(fd_write_all(fd, "12345", 5), 0);
        assert_int_equal(fd_read_file(path, 5, &text, &size), 0);
        assert_int_equal(size, 5);
        assert_string_equal(text, "12345");
        assert_int_equal(fd_read_file(path, 4, &none, NULL), -EFBIG);
        assert_null(none);
        assert_int_equal(unlink(path), 0);
        assert_int_equal(fd_read_file(path, 5, &none, NULL), -ENOENT);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(closing_keeps_errno_and_forgets_the_number),
                cmocka_unit_test(a_scope_closes_its_descriptor),
                cmocka_unit_test(writing_and_reading_everything),
                cmocka_unit_test(short_writes_are_continued),
                cmocka_unit_test(a_duplicate_is_above_the_standard_ones),
                cmocka_unit_test(closed_standard_descriptors_are_occupied),
                cmocka_unit_test(a_small_file_is_read_and_a_large_one_refused),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

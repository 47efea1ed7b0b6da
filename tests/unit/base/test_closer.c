#include "base/closer.h"

#include <fcntl.h>
#include <poll.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fds.h"

/* Closing this one hangs until it is let go. */
static int hanging_fd = -EBADF;
static sem_t hangs, let_go;

/* By this it is closed: something else takes its number. */
int __real_dup3(int from, int to, int flags);
int __wrap_dup3(int from, int to, int flags);
int __wrap_dup3(int from, int to, int flags) {
        if (to >= 0 && to == hanging_fd) {
                (void) sem_post(&hangs);
                (void) sem_wait(&let_go);
                hanging_fd = -EBADF;
        }
        return __real_dup3(from, to, flags);
}

static void note(void *userdata) {
        (*(unsigned *) userdata)++;
}

static void wait_for(struct closer *closer, const unsigned *n, unsigned wanted) {
        struct pollfd p = { .fd = closer_fd(closer), .events = POLLIN };

        while (*n < wanted) {
                assert_int_equal(poll(&p, 1, 60000), 1);
                (void) closer_dispatch(closer);
        }
}

static bool is_open(int fd) {
        return fcntl(fd, F_GETFD) >= 0;
}

static void what_nobody_serves_is_closed_at_once(void **state) {
        int fds[4];

        assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
        fds[2] = open("/proc/self", O_PATH | O_CLOEXEC); /* a name only */
        fds[3] = memfd_create("mine", MFD_CLOEXEC);
        for (size_t i = 0; i < ELEMENTSOF(fds); i++) {
                assert_false(fd_close_may_wait(fds[i]));
                assert_int_equal(closer_close(*state, fds[i], NULL, note, NULL), 1);
                assert_false(is_open(fds[i]));
        }
        assert_int_equal(closer_close(*state, -EBADF, NULL, note, NULL), 1);
        assert_int_equal(closer_outstanding(*state), 0);
}

static void what_somebody_may_serve_is_closed_beside_the_loop_and_told(void **state) {
        int fds[] = { open("/proc/self/status", O_RDONLY | O_CLOEXEC), open("/proc/self", O_DIRECTORY | O_CLOEXEC),
                      socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0) };
        unsigned n = 0;

        for (size_t i = 0; i < ELEMENTSOF(fds); i++) {
                assert_true(fd_close_may_wait(fds[i]));
                assert_int_equal(closer_close(*state, fds[i], NULL, note, &n), 0);
        }
        wait_for(*state, &n, ELEMENTSOF(fds));
        for (size_t i = 0; i < ELEMENTSOF(fds); i++)
                assert_false(is_open(fds[i]));
        assert_int_equal(closer_outstanding(*state), 0);
}

static void what_hangs_holds_up_no_other_file_system(void **state) {
        int stuck = open("/proc/self/status", O_RDONLY | O_CLOEXEC), behind = open("/proc/self/stat", O_RDONLY | O_CLOEXEC);
        int other = open("/sys", O_DIRECTORY | O_CLOEXEC);
        unsigned n_stuck = 0, n_other = 0;

        hanging_fd = stuck;
        assert_int_equal(closer_close(*state, stuck, NULL, note, &n_stuck), 0);
        assert_int_equal(closer_close(*state, behind, NULL, note, &n_stuck), 0);
        assert_int_equal(closer_close(*state, other, NULL, note, &n_other), 0);
        wait_for(*state, &n_other, 1);
        assert_int_equal(n_stuck, 0);
        assert_true(is_open(stuck) && is_open(behind) && !is_open(other));
        (void) sem_post(&let_go);
        wait_for(*state, &n_stuck, 2);
        assert_true(!is_open(stuck) && !is_open(behind));
        (void) sem_wait(&hangs);
}

static void while_closers_are_held_no_number_becomes_free(void **state) {
        int fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
        struct pollfd p = { .fd = closer_fd(*state), .events = POLLIN };
        unsigned n = 0;

        closers_hold();
        assert_int_equal(closer_close(*state, fd, NULL, note, &n), 0);
        assert_int_equal(poll(&p, 1, 50), 0); /* it is not told that it were */
        assert_true(is_open(fd));
        closers_go_on();
        wait_for(*state, &n, 1);
        assert_false(is_open(fd));
}

static void freeing_waits_for_nothing_that_hangs(void **state) {
        struct closer *closer;
        int stuck = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
        unsigned n = 0;

        assert_int_equal(closer_new(2, &closer), 0);
        hanging_fd = stuck;
        assert_int_equal(closer_close(closer, stuck, NULL, note, &n), 0);
        (void) sem_wait(&hangs);
        assert_null(closer_free(closer));
        assert_true(is_open(stuck));
        assert_int_equal(n, 0);
}

static int setup(void **state) {
        return closer_new(2, (struct closer **) state);
}

static int teardown(void **state) {
        closer_free(*state);
        return 0;
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(what_nobody_serves_is_closed_at_once, setup, teardown),
                cmocka_unit_test_setup_teardown(what_somebody_may_serve_is_closed_beside_the_loop_and_told, setup, teardown),
                cmocka_unit_test_setup_teardown(what_hangs_holds_up_no_other_file_system, setup, teardown),
                cmocka_unit_test_setup_teardown(while_closers_are_held_no_number_becomes_free, setup, teardown),
                cmocka_unit_test(freeing_waits_for_nothing_that_hangs),
        };

        (void) sem_init(&hangs, 0, 0);
        (void) sem_init(&let_go, 0, 0);
        return cmocka_run_group_tests(tests, NULL, NULL);
}

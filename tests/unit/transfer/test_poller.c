#include "transfer/poller.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fds.h"

#define PAIRS 20 /* more than one turn tells of */

struct fixture {
        sd_event *event;
        struct poller *poller;
        int near[PAIRS], far[PAIRS];
        unsigned n_told[PAIRS]; /* of each pair, by its number */
        void (*then)(struct fixture *f, unsigned pair); /* after the first */
};

static void open_pair(struct fixture *f, unsigned pair) {
        int fds[2];

        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
        f->near[pair] = fds[0];
        f->far[pair] = fds[1];
}

static int setup(void **state) {
        struct fixture *f = calloc(1, sizeof(*f));

        assert_non_null(f);
        assert_true(sd_event_new(&f->event) >= 0);
        assert_int_equal(poller_new(f->event, &f->poller), 0);
        for (unsigned i = 0; i < PAIRS; i++)
                open_pair(f, i);
        *state = f;
        return 0;
}

static int teardown(void **state) {
        struct fixture *f = *state;

        f->poller = poller_free(f->poller);
        for (unsigned i = 0; i < PAIRS; i++) {
                (void) fd_close(f->near[i]);
                (void) fd_close(f->far[i]);
        }
        f->event = sd_event_unref(f->event);
        free(f);
        return 0;
}

static void on_ready(void *userdata, int fd, uint32_t events) {
        struct fixture *f = userdata;
        void (*then)(struct fixture *f, unsigned pair) = f->then;
        char bytes[16];

        for (unsigned i = 0; i < PAIRS; i++)
                if (f->near[i] == fd) {
                        f->n_told[i]++;
                        if (events & EPOLLIN)
                                (void) !read(fd, bytes, sizeof(bytes));
                        f->then = NULL;
                        if (then)
                                then(f, i);
                        return;
                }
        fail_msg("told of a socket that is not there");
}

static void say(const struct fixture *f, unsigned pair) {
        assert_int_equal(write(f->far[pair], "x", 1), 1);
}

static void wait_for(struct fixture *f, unsigned pair, uint32_t events) {
        assert_int_equal(poller_wait(f->poller, f->near[pair], events, on_ready, f), 0);
}

/* Return: turns until nothing is to be done. */
static unsigned settle(struct fixture *f) {
        unsigned n = 0;

        while (sd_event_run(f->event, 0) > 0)
                assert_true(++n < 100);
        return n;
}

static void several_are_told_of_in_one_turn_and_none_is_left_out(void **state) {
        struct fixture *f = *state;

        for (unsigned i = 0; i < PAIRS; i++) {
                wait_for(f, i, EPOLLIN);
                say(f, i);
        }
        assert_true(settle(f) <= 4);
        for (unsigned i = 0; i < PAIRS; i++)
                assert_int_equal(f->n_told[i], 1);
}

static void nobody_is_told_who_does_not_wait_and_the_loop_rests(void **state) {
        struct fixture *f = *state;

        wait_for(f, 0, EPOLLIN);
        wait_for(f, 0, 0);
        say(f, 0);
        assert_int_equal(settle(f), 1);
        assert_int_equal(f->n_told[0], 0);
        say(f, 0);
        assert_int_equal(settle(f), 0);
        wait_for(f, 0, EPOLLIN);
        (void) settle(f);
        assert_int_equal(f->n_told[0], 1);
}

static void who_waits_for_something_else_is_told_of_that(void **state) {
        struct fixture *f = *state;

        wait_for(f, 0, EPOLLIN);
        wait_for(f, 0, EPOLLOUT);
        assert_int_equal(sd_event_run(f->event, 0), 1);
        assert_int_equal(f->n_told[0], 1);
        wait_for(f, 0, EPOLLIN);
        assert_int_equal(settle(f), 0);
}

static void who_left_while_it_rested_is_told_of_when_somebody_waits_again(void **state) {
        struct fixture *f = *state;

        wait_for(f, 0, EPOLLIN);
        wait_for(f, 0, 0);
        f->far[0] = fd_close(f->far[0]);
        assert_int_equal(settle(f), 1);
        wait_for(f, 0, EPOLLIN);
        assert_int_equal(sd_event_run(f->event, 0), 1);
        assert_int_equal(f->n_told[0], 1);
}

/* Both speak, and what the first one does keeps the other one's word from being told. */
static void only_one_is_told_of(struct fixture *f) {
        wait_for(f, 0, EPOLLIN);
        wait_for(f, 1, EPOLLIN);
        say(f, 0);
        say(f, 1);
        assert_int_equal(settle(f), 1);
        assert_int_equal(f->n_told[0] + f->n_told[1], 1);
}

static void close_the_other(struct fixture *f, unsigned pair) {
        poller_closing(f->poller, f->near[!pair]);
        f->near[!pair] = fd_close(f->near[!pair]);
}

static void nothing_is_told_of_a_socket_that_was_closed_meanwhile(void **state) {
        struct fixture *f = *state;

        f->then = close_the_other;
        only_one_is_told_of(f);
}

/* As libcurl does it with an attempt that failed: its next one has the same number, and it waits for that as it did before. */
static void replace_the_other(struct fixture *f, unsigned pair) {
        int old = f->near[!pair];

        f->near[!pair] = fd_close(f->near[!pair]);
        f->far[!pair] = fd_close(f->far[!pair]);
        open_pair(f, !pair);
        assert_int_equal(f->near[!pair], old);
        poller_opened(f->poller, old);
}

static void a_new_socket_with_an_old_number_is_waited_for_in_its_place(void **state) {
        struct fixture *f = *state;

        f->then = replace_the_other;
        only_one_is_told_of(f);
        say(f, f->n_told[0] == 1 ? 1 : 0);
        assert_int_equal(settle(f), 1);
        assert_int_equal(f->n_told[0], 1);
        assert_int_equal(f->n_told[1], 1);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(several_are_told_of_in_one_turn_and_none_is_left_out, setup, teardown),
                cmocka_unit_test_setup_teardown(nobody_is_told_who_does_not_wait_and_the_loop_rests, setup, teardown),
                cmocka_unit_test_setup_teardown(who_waits_for_something_else_is_told_of_that, setup, teardown),
                cmocka_unit_test_setup_teardown(who_left_while_it_rested_is_told_of_when_somebody_waits_again, setup, teardown),
                cmocka_unit_test_setup_teardown(nothing_is_told_of_a_socket_that_was_closed_meanwhile, setup, teardown),
                cmocka_unit_test_setup_teardown(a_new_socket_with_an_old_number_is_waited_for_in_its_place, setup, teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

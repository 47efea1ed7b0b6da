/* What transfer processes hear of each other's background connections. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "transfer/line_use.h"

#define N 3

struct process {
        struct line_user *user;
        struct line_use heard;
        unsigned n_heard;
};

struct world {
        struct line_uses *uses;
        struct process processes[N];
};

static void on_told(void *userdata, const struct line_use *elsewhere) {
        struct process *process = userdata;

        process->heard = *elsewhere;
        process->n_heard++;
}

static void world_init(struct world *w) {
        *w = (struct world) {};
        assert_int_equal(line_uses_new(on_told, &w->uses), 0);
        for (size_t i = 0; i < N; i++)
                assert_int_equal(line_uses_join(w->uses, &w->processes[i], &w->processes[i].user), 0);
}

static void world_done(struct world *w) {
        for (size_t i = 0; i < N; i++)
                w->processes[i].user = line_uses_leave(w->processes[i].user);
        w->uses = line_uses_free(w->uses);
}

static void note(struct world *w, size_t i, uint64_t low, uint64_t high, uint32_t n) {
        line_uses_note(w->processes[i].user, &(struct line_use) { low, high, n, false }, USEC_PER_HOUR);
}

static void assert_heard(const struct world *w, size_t i, uint64_t low, uint64_t high, uint32_t n) {
        const struct line_use *heard = &w->processes[i].heard;

        assert_int_equal(heard->low, low);
        assert_int_equal(heard->high, high);
        assert_int_equal(heard->n, n);
        assert_false(heard->slowdown);
}

static void who_is_alone_hears_nothing(void **state) {
        struct world w;

        world_init(&w);
        for (unsigned i = 0; i < 3; i++)
                note(&w, 0, 100, 200, 2);
        note(&w, 0, 0, 0, 0);
        assert_int_equal(w.processes[0].n_heard, 0);
        world_done(&w);
}

static void each_hears_what_the_others_have_in_answer_to_what_it_says(void **state) {
        struct world w;

        world_init(&w);
        note(&w, 0, 100, 200, 2);
        note(&w, 1, 1000, 1100, 1);
        assert_heard(&w, 1, 100, 200, 2);
        note(&w, 2, 5, 6, 4);
        assert_heard(&w, 2, 1100, 1300, 3);
        assert_int_equal(w.processes[0].n_heard, 0); /* it has not said anything since */
        note(&w, 0, 50, 50, 1);
        assert_heard(&w, 0, 1005, 1106, 5);
        note(&w, 1, 1000, 1100, 1);
        assert_heard(&w, 1, 55, 56, 5);
        world_done(&w);
}

static void that_nobody_else_is_left_is_heard_once(void **state) {
        struct world w;

        world_init(&w);
        note(&w, 1, 1000, 1100, 1);
        note(&w, 2, 7, 7, 1);
        note(&w, 0, 100, 200, 2);
        assert_heard(&w, 0, 1007, 1107, 2);
        note(&w, 1, 0, 0, 0);
        assert_int_equal(w.processes[1].n_heard, 0); /* who has nothing need not know */
        w.processes[2].user = line_uses_leave(w.processes[2].user);
        for (unsigned i = 0; i < 3; i++)
                note(&w, 0, 100, 200, 2);
        assert_int_equal(w.processes[0].n_heard, 2);
        assert_heard(&w, 0, 0, 0, 0);
        world_done(&w);
}

static void begin_slowdown(struct world *w, size_t i, uint64_t now_usec) {
        line_uses_note(w->processes[i].user, &(struct line_use) { 1, 1, 1, true }, now_usec);
}

static void a_slowdown_is_passed_on_at_once_to_those_who_have_something(void **state) {
        struct world w;

        world_init(&w);
        note(&w, 0, 1, 1, 1);
        note(&w, 1, 1, 1, 1);
        w.processes[0].n_heard = w.processes[1].n_heard = 0;
        begin_slowdown(&w, 0, USEC_PER_HOUR);
        assert_int_equal(w.processes[1].n_heard, 1);
        assert_true(w.processes[1].heard.slowdown);
        assert_int_equal(w.processes[2].n_heard, 0);
        assert_false(w.processes[0].heard.slowdown); /* it began it */
        world_done(&w);
}

static void slowdowns_without_end_are_passed_on_once_a_second(void **state) {
        struct world w;
        unsigned n = 0;

        world_init(&w);
        note(&w, 0, 1, 1, 1);
        note(&w, 1, 1, 1, 1);
        for (uint64_t at = 0; at < 10 * USEC_PER_SEC; at += USEC_PER_MSEC) {
                w.processes[1].heard.slowdown = false;
                begin_slowdown(&w, 0, USEC_PER_HOUR + at);
                n += w.processes[1].heard.slowdown;
        }
        assert_int_equal(n, 10);
        world_done(&w);
}

static void what_all_have_together_stays_within_what_can_be_said(void **state) {
        struct world w;

        world_init(&w);
        note(&w, 0, LINE_USE_RATE_MAX, LINE_USE_RATE_MAX, LINE_USE_N_MAX);
        note(&w, 1, LINE_USE_RATE_MAX, LINE_USE_RATE_MAX, LINE_USE_N_MAX);
        note(&w, 2, 1, 1, 1);
        assert_heard(&w, 2, LINE_USE_RATE_MAX, LINE_USE_RATE_MAX, LINE_USE_N_MAX);
        note(&w, 0, 0, 0, 0);
        note(&w, 1, 3, 4, 1);
        assert_heard(&w, 1, 1, 1, 1);
        world_done(&w);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(who_is_alone_hears_nothing),
                cmocka_unit_test(each_hears_what_the_others_have_in_answer_to_what_it_says),
                cmocka_unit_test(that_nobody_else_is_left_is_heard_once),
                cmocka_unit_test(a_slowdown_is_passed_on_at_once_to_those_who_have_something),
                cmocka_unit_test(slowdowns_without_end_are_passed_on_once_a_second),
                cmocka_unit_test(what_all_have_together_stays_within_what_can_be_said),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

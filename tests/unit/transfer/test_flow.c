/* When a connection has stalled, and when it is our own doing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "transfer/flow.h"

#define WINDOW (10 * USEC_PER_SEC)
#define T0 USEC_PER_HOUR
#define MIB (UINT64_C(1) << 20)

static const struct flow_rule no_floor = { .window_usec = WINDOW, .allowed_rate = FLOW_RATE_UNLIMITED };

/* A window in which @rate bytes came each second; judged at its end. */
static enum flow_judgement window_of(struct flow *flow, const struct flow_rule *rule, uint64_t *now, uint64_t rate) {
        for (unsigned second = 0; second < WINDOW / USEC_PER_SEC; second++) {
                *now += USEC_PER_SEC;
                if (rate > 0)
                        flow_note(flow, rate, *now);
        }
        return flow_judge(flow, rule, *now);
}

static void silence_for_a_window_is_a_stall_whatever_came_before(void **state) {
        struct flow flow;
        uint64_t now = T0;

        flow_begin(&flow, now);
        assert_int_equal(window_of(&flow, &no_floor, &now, 100), FLOW_FINE);
        assert_int_equal(flow_judge(&flow, &no_floor, now + WINDOW - 1), FLOW_FINE);
        assert_int_equal(flow_judge(&flow, &no_floor, now + WINDOW), FLOW_SILENT);
}

static void a_sixteenth_of_what_it_had_is_a_stall_and_a_bit_more_is_none(void **state) {
        static const struct {
                uint64_t rate;
                enum flow_judgement judgement;
        } rows[] = { { 16000, FLOW_FINE }, { 1000, FLOW_FINE }, { 999, FLOW_SLOW }, { 1, FLOW_SLOW } };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                struct flow flow;
                uint64_t now = T0;

                flow_begin(&flow, now);
                assert_int_equal(window_of(&flow, &no_floor, &now, 16000), FLOW_FINE);
                assert_int_equal(window_of(&flow, &no_floor, &now, rows[i].rate), rows[i].judgement);
        }
}

static void who_was_never_faster_is_not_slow_without_a_floor(void **state) {
        struct flow_rule floor = no_floor;
        struct flow flow;
        uint64_t now = T0;

        flow_begin(&flow, now);
        for (unsigned i = 0; i < 100; i++)
                assert_int_equal(window_of(&flow, &no_floor, &now, 3), FLOW_FINE);
        floor.floor_rate = 4096;
        assert_int_equal(window_of(&flow, &floor, &now, 4096), FLOW_FINE);
        assert_int_equal(window_of(&flow, &floor, &now, 4095), FLOW_SLOW);
        assert_int_equal(flow.slow_rate, 4095);
}

static void what_a_limit_of_ours_holds_back_is_not_slow(void **state) {
        struct flow_rule rule = no_floor;
        struct flow flow;
        uint64_t now = T0;

        rule.floor_rate = 4096;
        flow_begin(&flow, now);
        assert_int_equal(window_of(&flow, &rule, &now, 10 * MIB), FLOW_FINE);
        rule.allowed_rate = 1000; /* the user's own limit */
        assert_int_equal(window_of(&flow, &rule, &now, 1000), FLOW_FINE);
        assert_int_equal(window_of(&flow, &rule, &now, 250), FLOW_FINE);
        assert_int_equal(window_of(&flow, &rule, &now, 249), FLOW_SLOW); /* of four times as much it takes the least: not us */
        rule.allowed_rate = 0; /* the scavenger holds it down, nobody knows how far */
        assert_int_equal(window_of(&flow, &rule, &now, 1), FLOW_FINE);
}

static void a_time_in_which_nothing_was_read_does_not_count(void **state) {
        struct flow flow;
        uint64_t now = T0;

        flow_begin(&flow, now);
        assert_int_equal(window_of(&flow, &no_floor, &now, 10 * MIB), FLOW_FINE);
        now += USEC_PER_HOUR; /* held */
        flow_renew(&flow, now);
        assert_int_equal(flow_judge(&flow, &no_floor, now), FLOW_FINE);
        assert_int_equal(flow_next_look(&flow, &no_floor), now + WINDOW);
        assert_int_equal(window_of(&flow, &no_floor, &now, 10 * MIB), FLOW_FINE);
}

static void one_slow_window_between_fast_ones_is_judged_once(void **state) {
        struct flow flow;
        uint64_t now = T0;

        flow_begin(&flow, now);
        assert_int_equal(window_of(&flow, &no_floor, &now, MIB), FLOW_FINE);
        assert_int_equal(window_of(&flow, &no_floor, &now, 10), FLOW_SLOW);
        assert_int_equal(flow_judge(&flow, &no_floor, now + 1), FLOW_FINE);
        assert_int_equal(window_of(&flow, &no_floor, &now, MIB), FLOW_FINE);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(silence_for_a_window_is_a_stall_whatever_came_before),
                cmocka_unit_test(a_sixteenth_of_what_it_had_is_a_stall_and_a_bit_more_is_none),
                cmocka_unit_test(who_was_never_faster_is_not_slow_without_a_floor),
                cmocka_unit_test(what_a_limit_of_ours_holds_back_is_not_slow),
                cmocka_unit_test(a_time_in_which_nothing_was_read_does_not_count),
                cmocka_unit_test(one_slow_window_between_fast_ones_is_judged_once),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

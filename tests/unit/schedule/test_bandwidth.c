#include "../unit.h"

#include "schedule/bandwidth.h"

#define MIB (UINT64_C(1) << 20)

static void the_strictest_policy_holds(void **state _unused_) {
        static const struct {
                const char *what;
                struct bandwidth_policy policy;
                unsigned hour;
                uint64_t capacity;
                uint64_t rate;
        } rows[] = {
                { "none is set", {}, 0, 10 * MIB, SHARE_UNLIMITED },
                { "a rate", { .max_rate = MIB }, 0, 0, MIB },
                { "a rate above the line's", { .max_rate = 100 * MIB }, 0, 10 * MIB, 100 * MIB },
                { "a percentage", { .percent = 30 }, 0, 10 * MIB, 3 * MIB },
                { "a percentage of nobody knows what", { .percent = 30 }, 0, 0, SHARE_UNLIMITED },
                { "a percentage of nobody knows what, and a rate", { .max_rate = MIB, .percent = 30 }, 0, 0, MIB },
                { "all of the line is no limit, not what was measured", { .percent = 100 }, 0, 10 * MIB, SHARE_UNLIMITED },
                { "the rate is less than the percentage", { .max_rate = MIB, .percent = 30 }, 0, 10 * MIB, MIB },
                { "the percentage is less than the rate", { .max_rate = 5 * MIB, .percent = 30 }, 0, 10 * MIB, 3 * MIB },
                { "inside the hours", { .hours = { true, 8, 18, 20, 100 } }, 8, 10 * MIB, 2 * MIB },
                { "outside the hours", { .hours = { true, 8, 18, 20, 100 } }, 18, 10 * MIB, SHARE_UNLIMITED },
                { "outside the hours, and a percentage", { .percent = 50, .hours = { true, 8, 18, 20, 100 } }, 18, 10 * MIB, 5 * MIB },
                { "inside the hours, and a percentage", { .percent = 50, .hours = { true, 8, 18, 20, 100 } }, 9, 10 * MIB, 2 * MIB },
                { "hours without downloads", { .max_rate = MIB, .hours = { true, 8, 18, 0, 100 } }, 9, 0, 0 },
                { "so little of a line that nothing is left", { .percent = 1 }, 0, 10, 1 },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                uint64_t rate = bandwidth_rate(&rows[i].policy, rows[i].hour, rows[i].capacity);

                if (rate < rows[i].rate - MIN(rows[i].rate, UINT64_C(1)) || rate > rows[i].rate)
                        fail_msg("%s: %ju, not %ju", rows[i].what, (uintmax_t) rate, (uintmax_t) rows[i].rate);
        }
}

/* ---- the line ---- */

static void download(struct line *line, uint64_t rate, unsigned seconds, bool percentages_held) {
        for (unsigned i = 0; i < seconds; i++)
                line_note(line, rate, USEC_PER_SEC, percentages_held);
}

static void nothing_is_known_of_a_line_until_it_was_looked_at(void **state _unused_) {
        struct line line = {};

        assert_true(line_wants_look(&line));
        assert_int_equal(line_capacity(&line), 0);
        download(&line, 10 * MIB, 2, false);
        assert_true(line_wants_look(&line));
        download(&line, 10 * MIB, 1, false);
        assert_false(line_wants_look(&line));
        assert_int_equal(line_capacity(&line), 10 * MIB);
}

static void seconds_without_a_byte_are_no_look(void **state _unused_) {
        struct line line = {};

        download(&line, 0, 100, false);
        assert_true(line_wants_look(&line));
        assert_int_equal(line_capacity(&line), 0);
        download(&line, 10 * MIB, 3, false);
        assert_int_equal(line_capacity(&line), 10 * MIB);
}

static void one_report_that_came_late_makes_no_faster_line(void **state _unused_) {
        struct line line = {};

        download(&line, 10 * MIB, 3, false);
        line_note(&line, 9 * MIB, USEC_PER_SEC, true);
        line_note(&line, 11 * MIB, USEC_PER_SEC, true);
        assert_int_equal(line_capacity(&line), 10 * MIB);
}

static void while_percentages_hold_looks_come_from_time_to_time(void **state _unused_) {
        struct line line = {};
        unsigned seconds = 0;

        download(&line, 10 * MIB, 3, false);
        for (; !line_wants_look(&line); seconds++)
                download(&line, 2 * MIB, 1, true);
        assert_int_equal(seconds, LINE_LOOK_INTERVAL_USEC / USEC_PER_SEC);
        assert_int_equal(line_capacity(&line), 10 * MIB);
        download(&line, 20 * MIB, 3, false);
        assert_false(line_wants_look(&line));
        assert_int_equal(line_capacity(&line), 20 * MIB);
}

/* Downloads at 20 % of what is believed, and looks, as long as @seconds. */
static void live(struct line *line, uint64_t rate, unsigned seconds) {
        for (unsigned i = 0; i < seconds; i++) {
                bool look = line_wants_look(line);

                line_note(line, look ? rate : MIN(rate, line_capacity(line) / 5), USEC_PER_SEC, !look);
        }
}

static void a_line_that_became_slower_is_believed_within_half_an_hour(void **state _unused_) {
        struct line line = {};

        live(&line, 10 * MIB, 3600);
        assert_int_equal(line_capacity(&line), 10 * MIB);
        live(&line, 4 * MIB, 2 * LINE_PERIOD_USEC / USEC_PER_SEC + 10);
        assert_int_equal(line_capacity(&line), 4 * MIB);
}

static void its_own_limit_never_makes_a_line_slower(void **state _unused_) {
        struct line line = {};

        live(&line, 10 * MIB, 24 * 3600);
        assert_int_equal(line_capacity(&line), 10 * MIB);
        /* Even if no look ever brings anything. */
        for (unsigned i = 0; i < 24 * 3600; i++)
                line_note(&line, line_wants_look(&line) ? 0 : MIB, USEC_PER_SEC, !line_wants_look(&line));
        assert_int_equal(line_capacity(&line), 10 * MIB);
}

static void a_slow_server_is_not_taken_for_a_line_without_capacity(void **state _unused_) {
        struct line line = {};

        download(&line, 100, 3, false);
        assert_int_equal(line_capacity(&line), LINE_CAPACITY_MIN);
}

/* ---- the debt ---- */

static void what_a_look_took_is_given_back(void **state _unused_) {
        static const unsigned percents[] = { 5, 10, 25, 50, 90 };

        for (size_t i = 0; i < ELEMENTSOF(percents); i++) {
                uint64_t line = 10 * MIB, rate = line * percents[i] / 100, bytes = 0, taken = 0, now, seconds = 0;
                struct bandwidth_debt debt = {};

                for (; seconds < 3; seconds++, bytes += line)
                        bandwidth_debt_look(&debt, line, USEC_PER_SEC);
                while ((now = bandwidth_debt_pay(&debt, rate, taken, USEC_PER_SEC)) < rate) {
                        assert_true(now >= rate / 4);
                        taken = seconds == 3 ? rate : now; /* what was under way came, too */
                        bytes += taken;
                        seconds++;
                        assert_true(seconds < 100);
                }
                assert_in_range(bytes, rate * seconds - rate / 20, rate * seconds + rate / 20);
        }
}

static void a_look_that_took_no_more_than_allowed_costs_nothing(void **state _unused_) {
        struct bandwidth_debt debt = {};

        bandwidth_debt_look(&debt, MIB, 3 * USEC_PER_SEC);
        assert_int_equal(bandwidth_debt_pay(&debt, MIB, 0, USEC_PER_SEC), MIB);
        /* More than its rate later on, as pieces come, is nothing that it owes. */
        assert_int_equal(bandwidth_debt_pay(&debt, MIB, 2 * MIB, USEC_PER_SEC), MIB);
        assert_int_equal(bandwidth_debt_pay(&debt, MIB, MIB, USEC_PER_SEC), MIB);
}

static void asking_again_at_once_pays_nothing_twice(void **state _unused_) {
        struct bandwidth_debt debt = {};

        bandwidth_debt_look(&debt, 10 * MIB, USEC_PER_SEC);
        assert_int_equal(bandwidth_debt_pay(&debt, 4 * MIB, 0, USEC_PER_SEC), MIB);
        assert_int_equal(bandwidth_debt_pay(&debt, 4 * MIB, 0, 0), MIB);
        assert_int_equal(bandwidth_debt_pay(&debt, 4 * MIB, MIB, USEC_PER_SEC), MIB);
        assert_int_equal(bandwidth_debt_pay(&debt, 4 * MIB, MIB, USEC_PER_SEC), 4 * MIB);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(the_strictest_policy_holds),
                cmocka_unit_test(nothing_is_known_of_a_line_until_it_was_looked_at),
                cmocka_unit_test(seconds_without_a_byte_are_no_look),
                cmocka_unit_test(one_report_that_came_late_makes_no_faster_line),
                cmocka_unit_test(while_percentages_hold_looks_come_from_time_to_time),
                cmocka_unit_test(a_line_that_became_slower_is_believed_within_half_an_hour),
                cmocka_unit_test(its_own_limit_never_makes_a_line_slower),
                cmocka_unit_test(a_slow_server_is_not_taken_for_a_line_without_capacity),
                cmocka_unit_test(what_a_look_took_is_given_back),
                cmocka_unit_test(a_look_that_took_no_more_than_allowed_costs_nothing),
                cmocka_unit_test(asking_again_at_once_pays_nothing_twice),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

/* One connection, and more while more are faster. */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "schedule/segments.h"

#define MBIT (UINT64_C(1000000) / 8)
#define MIB (UINT64_C(1) << 20)
#define GIB (UINT64_C(1) << 30)
#define UNLIMITED UINT64_MAX

static const struct segments_policy policy = {
        .window_usec = SEGMENTS_WINDOW_USEC, .worth_usec = SEGMENTS_WORTH_USEC, .min_bytes = MIB, .max = SEGMENTS_MAX };

/* A server that gives each connection @each, on a line of @line, both in bytes per second. */
struct line {
        uint64_t each, line;
        unsigned refuses_above; /* so many are answered, 0: all */
        struct segments segments;
        struct segments_facts facts;
        uint64_t next;
};

static void open_line(struct line *l, unsigned max, uint64_t remaining) {
        l->facts = (struct segments_facts) { .now = 1000, .n_open = 1, .max = max, .remaining = remaining, .allowed_rate = UNLIMITED };
        segments_begin(&l->segments, l->facts.now, 0);
        l->next = l->facts.now;
}

/* Return: how many there should be at the end. */
static unsigned run_line(struct line *l, uint64_t usec) {
        uint64_t end = l->facts.now + usec;
        unsigned wanted = segments_wanted(&l->segments);

        while (l->next < end) {
                uint64_t rate = MIN(l->each * l->facts.n_open, l->line);

                rate = MIN(rate, l->facts.allowed_rate);
                l->facts.bytes += (uint64_t) ((double) rate * (double) (l->next - l->facts.now) / USEC_PER_SEC);
                l->facts.now = l->next;
                wanted = segments_decide(&l->segments, &policy, &l->facts, &l->next);
                assert_true(l->next > l->facts.now);
                l->facts.n_open = l->refuses_above > 0 ? MIN(wanted, l->refuses_above) : wanted;
        }
        return wanted;
}

static const struct row {
        const char *what;
        uint64_t each, line;
        unsigned max;
        uint64_t remaining;
        unsigned at_least, at_most;
} rows[] = {
        { "a line that one connection fills", 100 * MBIT, 100 * MBIT, 16, GIB, 1, 1 },
        { "a server that limits each connection", 10 * MBIT, 100 * MBIT, 16, GIB, 10, 13 },
        { "a limit that leaves room on the line", 10 * MBIT, 1000 * MBIT, 16, GIB, 16, 16 },
        { "never more than the limit", 10 * MBIT, 100 * MBIT, 6, GIB, 6, 6 },
        { "two that share what one nearly had", 80 * MBIT, 100 * MBIT, 6, GIB, 1, 1 },
        { "two and a half fill the line", 40 * MBIT, 100 * MBIT, 16, GIB, 2, 3 },
        { "two fill the line", 50 * MBIT, 100 * MBIT, 6, GIB, 2, 2 },
        { "only one may be", 10 * MBIT, 100 * MBIT, 1, GIB, 1, 1 },
        { "what is nearly over", 10 * MBIT, 100 * MBIT, 16, 3 * MIB, 1, 1 },
        { "too small for two parts", 1000, 100 * MBIT, 16, 2 * MIB - 1, 1, 1 },
        { "a server that sends nothing", 0, 100 * MBIT, 4, GIB, 1, 4 },
};

static void there_are_as_many_as_the_rows_say(void **state) {
        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                struct line l = { .each = rows[i].each, .line = rows[i].line };
                unsigned wanted;

                open_line(&l, rows[i].max, rows[i].remaining);
                wanted = run_line(&l, 20 * USEC_PER_SEC);
                if (wanted < rows[i].at_least || wanted > rows[i].at_most)
                        fail_msg("%s: %u", rows[i].what, wanted);
        }
}

static void sixteen_are_there_within_four_seconds(void **state) {
        struct line l = { .each = 10 * MBIT, .line = 1000 * MBIT };

        open_line(&l, 16, GIB);
        assert_int_equal(run_line(&l, SEGMENTS_WINDOW_USEC + 2000), 2);
        assert_int_equal(run_line(&l, 3 * USEC_PER_SEC), 16);
}

static void a_connection_that_still_gets_faster_gets_no_company(void **state) {
        struct line l = { .each = MBIT, .line = 1000 * MBIT };
        unsigned wanted = 0;

        open_line(&l, 6, GIB);
        for (unsigned i = 0; i < 12; i++) {
                wanted = run_line(&l, SEGMENTS_WINDOW_USEC / 2);
                l.each += l.each / 2;
        }
        assert_int_equal(wanted, 1);
        assert_int_equal(run_line(&l, 10 * USEC_PER_SEC), 6); /* then each brings as much as the first */
}

static void who_is_not_answered_is_not_waited_for(void **state) {
        struct line l = { .each = 10 * MBIT, .line = 100 * MBIT, .refuses_above = 3 };

        open_line(&l, 16, GIB);
        assert_int_equal(run_line(&l, USEC_PER_HOUR), 3);
}

static void after_a_refusal_no_more_are_tried(void **state) {
        struct line l = { .each = 10 * MBIT, .line = 100 * MBIT };

        open_line(&l, 16, GIB);
        (void) run_line(&l, 2 * USEC_PER_SEC);
        segments_refused(&l.segments, 2);
        assert_int_equal(run_line(&l, 20 * USEC_PER_SEC), 2);
        segments_refused(&l.segments, 0);
        assert_int_equal(run_line(&l, USEC_PER_SEC), 1);
}

/* Each connection of whomever has the same share. */
static void where_others_share_the_line_no_share_is_taken_from_them_by_numbers(void **state) {
        struct line l = { .line = 100 * MBIT };
        unsigned wanted = 0;

        open_line(&l, 16, GIB);
        for (unsigned i = 0; i < 300; i++) {
                l.each = 100 * MBIT / (l.facts.n_open + 1); /* one other */
                wanted = run_line(&l, 50 * USEC_PER_MSEC);
        }
        assert_int_equal(wanted, 1);
}

static void the_next_file_of_a_server_begins_with_what_the_last_one_learned(void **state) {
        struct line l = { .each = 10 * MBIT, .line = 100 * MBIT }, next = l;
        struct segments_lesson lesson;

        open_line(&l, 16, GIB);
        assert_false(segments_learned(&l.segments, &lesson));
        assert_int_equal(run_line(&l, 20 * USEC_PER_SEC), 12);
        assert_true(segments_learned(&l.segments, &lesson));
        assert_int_equal(lesson.n, 12);
        assert_true(lesson.settled);
        assert_in_range(lesson.rate, 95 * MBIT, 101 * MBIT);

        open_line(&next, 16, GIB);
        segments_recall(&next.segments, &policy, &lesson, GIB, UNLIMITED);
        assert_int_equal(run_line(&next, 1000), 12);
        assert_int_equal(run_line(&next, SEGMENTS_PATIENCE_USEC / 2), 12);
        assert_false(segments_learned(&next.segments, &lesson)); /* it measured nothing */
}

static void what_was_measured_in_a_bad_moment_is_measured_again(void **state) {
        struct line l = { .each = 10 * MBIT, .line = 10 * MBIT };

        open_line(&l, 16, GIB);
        assert_int_equal(run_line(&l, 5 * USEC_PER_SEC), 1); /* others had the line */
        l.line = 1000 * MBIT;
        assert_int_equal(run_line(&l, 5 * USEC_PER_SEC), 1);
        assert_int_equal(run_line(&l, SEGMENTS_PATIENCE_USEC), 16);
}

/* Each trial takes a fair share from whoever else is on the line. */
static void in_vain_more_are_tried_ever_more_seldom(void **state) {
        struct line l = { .each = 100 * MBIT, .line = 100 * MBIT };

        open_line(&l, 16, UINT64_MAX);
        (void) run_line(&l, USEC_PER_HOUR);
        assert_int_equal(l.segments.patience_usec, SEGMENTS_PATIENCE_USEC << 8); /* the ninth was after 43 minutes */
}

static void what_was_learned_in_the_middle_of_a_trial_is_what_was_proved(void **state) {
        struct line l = { .each = 10 * MBIT, .line = 1000 * MBIT }, next = l;
        struct segments_lesson lesson;

        open_line(&l, 16, GIB);
        assert_int_equal(run_line(&l, SEGMENTS_WINDOW_USEC + 2000), 2);
        assert_true(segments_learned(&l.segments, &lesson));
        assert_int_equal(lesson.n, 1);
        assert_false(lesson.settled);
        (void) run_line(&l, 5 * USEC_PER_SEC);
        assert_true(segments_learned(&l.segments, &lesson));
        assert_int_equal(lesson.n, 16);

        open_line(&next, 64, GIB); /* there is more room now: it goes on from there */
        segments_recall(&next.segments, &policy, &lesson, GIB, UNLIMITED);
        assert_int_equal(run_line(&next, 1000), 16);
        assert_int_equal(run_line(&next, 3 * USEC_PER_SEC), 64);
}

static void a_lesson_is_no_reason_for_more_than_a_file_is_worth_or_than_there_may_be(void **state) {
        const struct segments_lesson lesson = { .n = 16, .rate = 16 * 10 * MBIT };
        static const struct {
                uint64_t remaining;
                unsigned max, n;
                uint64_t allowed_rate; /* 0: unlimited */
        } sizes[] = {
                { GIB, 16, 16 }, { GIB, 5, 5 }, { GIB, 1, 1 }, { 4 * MIB, 16, 1 }, { 8 * MIB, 16, 2 }, { 20 * MIB, 16, 5 }, { 0, 16, 1 },
                { GIB, 16, 1, MBIT }, { GIB, 16, 3, 25 * MBIT }, { GIB, 16, 16, 1000 * MBIT },
        };

        for (size_t i = 0; i < ELEMENTSOF(sizes); i++) {
                struct line l = { .each = 10 * MBIT, .line = 1000 * MBIT };

                open_line(&l, sizes[i].max, sizes[i].remaining);
                segments_recall(&l.segments, &policy, &lesson, sizes[i].remaining, sizes[i].allowed_rate ?: UNLIMITED);
                if (run_line(&l, 1000) != sizes[i].n)
                        fail_msg("row %zu: %u", i, segments_wanted(&l.segments));
        }
}

static void no_more_are_tried_while_a_limit_is_all_that_one_uses(void **state) {
        struct line l = { .each = 100 * MBIT, .line = 1000 * MBIT };

        open_line(&l, 16, GIB);
        l.facts.allowed_rate = 8 * MBIT;
        assert_int_equal(run_line(&l, 20 * USEC_PER_SEC), 1);
        l.facts.allowed_rate = 100 * 1000; /* so little that a window may see nothing at all */
        l.each = 0;
        assert_int_equal(run_line(&l, 20 * USEC_PER_SEC), 1);
        l.facts.allowed_rate = UNLIMITED;
        l.each = 10 * MBIT;
        assert_in_range(run_line(&l, 20 * USEC_PER_SEC), 10, 16);
}

static void a_server_that_gives_each_connection_less_than_the_limit_gets_as_many_as_reach_it(void **state) {
        struct line l = { .each = 10 * MBIT, .line = 1000 * MBIT };

        open_line(&l, 16, GIB);
        l.facts.allowed_rate = 40 * MBIT;
        assert_in_range(run_line(&l, 20 * USEC_PER_SEC), 4, 8);
}

static void others_get_room_at_once_and_give_it_back(void **state) {
        struct line l = { .each = 10 * MBIT, .line = 1000 * MBIT };

        open_line(&l, 6, GIB);
        assert_int_equal(run_line(&l, 10 * USEC_PER_SEC), 6);
        l.facts.max = 2;
        assert_int_equal(run_line(&l, USEC_PER_SEC), 2);
        l.facts.max = 6;
        assert_int_equal(run_line(&l, 10 * USEC_PER_SEC), 6);
}

static void without_a_window_there_are_as_many_as_may_be(void **state) {
        struct segments_policy at_once = policy;
        struct segments segments = {};
        struct segments_facts facts = { .now = 5, .n_open = 1, .max = 7, .remaining = GIB, .allowed_rate = UNLIMITED };
        uint64_t next;

        at_once.window_usec = 0;
        assert_int_equal(segments_decide(&segments, &at_once, &facts, &next), 1); /* not begun */
        segments_begin(&segments, 5, 0);
        assert_int_equal(segments_decide(&segments, &at_once, &facts, &next), 7);
        segments_refused(&segments, 3);
        assert_int_equal(segments_decide(&segments, &at_once, &facts, &next), 3);
}

/* ---- where ---- */

static const struct place_row {
        const char *what;
        struct interval received[4];
        size_t n_received;
        struct interval parts[4];
        size_t n_parts;
        uint64_t min_bytes;
        bool found;
        struct interval next;
} place_rows[] = {
        { "the first has it all", { { 0, 100 } }, 1, { { 0, 1000 } }, 1, 10, true, { 550, 1000 } },
        { "nobody has anything", {}, 0, {}, 0, 10, true, { 0, 1000 } },
        { "the largest part is divided", { { 0, 100 } }, 1, { { 0, 300 }, { 300, 1000 } }, 2, 10, true, { 650, 1000 } },
        { "one that waits for its answer has its part", { { 0, 100 } }, 1, { { 0, 1000 }, { 550, 1000 } }, 2, 10, true, { 325, 550 } },
        { "what nobody has comes first", { { 0, 100 } }, 1, { { 0, 300 }, { 500, 1000 } }, 2, 10, true, { 300, 500 } },
        { "even if it is small", { { 0, 100 } }, 1, { { 0, 499 }, { 500, 1000 } }, 2, 10, true, { 499, 500 } },
        { "up to the next part, over what is there", { { 0, 300 }, { 350, 400 } }, 2, { { 500, 1000 } }, 1, 10, true, { 300, 500 } },
        { "halves are of what is missing", { { 100, 900 } }, 1, { { 0, 1000 } }, 1, 10, true, { 900, 1000 } },
        { "holes count, too", { { 0, 100 }, { 200, 800 } }, 2, { { 0, 1000 } }, 1, 10, true, { 850, 1000 } },
        { "too small to be divided", { { 0, 981 } }, 1, { { 0, 1000 } }, 1, 10, false, {} },
        { "just large enough", { { 0, 980 } }, 1, { { 0, 1000 } }, 1, 10, true, { 990, 1000 } },
        { "all is there", { { 0, 1000 } }, 1, { { 0, 1000 } }, 1, 10, false, {} },
        { "a byte is no two parts", { { 0, 999 } }, 1, { { 0, 1000 } }, 1, 0, false, {} },
};

static void parts_are_as_the_rows_say(void **state) {
        for (size_t i = 0; i < ELEMENTSOF(place_rows); i++) {
                const struct place_row *row = &place_rows[i];
                struct intervals received = {};
                struct interval next;
                bool found;

                for (size_t k = 0; k < row->n_received; k++)
                        assert_int_equal(intervals_add(&received, row->received[k].start, row->received[k].end), 0);
                found = segments_next(&received, 1000, row->parts, row->n_parts, row->min_bytes, &next);
                if (found != row->found || (found && (next.start != row->next.start || next.end != row->next.end)))
                        fail_msg("%s: %d [%" PRIu64 ", %" PRIu64 ")", row->what, found, next.start, next.end);
                intervals_done(&received);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(there_are_as_many_as_the_rows_say),
                cmocka_unit_test(sixteen_are_there_within_four_seconds),
                cmocka_unit_test(a_connection_that_still_gets_faster_gets_no_company),
                cmocka_unit_test(who_is_not_answered_is_not_waited_for),
                cmocka_unit_test(after_a_refusal_no_more_are_tried),
                cmocka_unit_test(where_others_share_the_line_no_share_is_taken_from_them_by_numbers),
                cmocka_unit_test(the_next_file_of_a_server_begins_with_what_the_last_one_learned),
                cmocka_unit_test(what_was_measured_in_a_bad_moment_is_measured_again),
                cmocka_unit_test(in_vain_more_are_tried_ever_more_seldom),
                cmocka_unit_test(what_was_learned_in_the_middle_of_a_trial_is_what_was_proved),
                cmocka_unit_test(a_lesson_is_no_reason_for_more_than_a_file_is_worth_or_than_there_may_be),
                cmocka_unit_test(no_more_are_tried_while_a_limit_is_all_that_one_uses),
                cmocka_unit_test(a_server_that_gives_each_connection_less_than_the_limit_gets_as_many_as_reach_it),
                cmocka_unit_test(others_get_room_at_once_and_give_it_back),
                cmocka_unit_test(without_a_window_there_are_as_many_as_may_be),
                cmocka_unit_test(parts_are_as_the_rows_say),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

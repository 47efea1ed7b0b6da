/* The control law, by itself and on a simulated line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "simulated_line.h"
#include "transfer/scavenger.h"

/* Its line, which nobody else of ours uses. */
static struct scavenger_line *nobody_else(void) {
        static struct scavenger_line line;

        line = (struct scavenger_line) {};
        return &line;
}

static const struct shape {
        double mbit;
        unsigned rtt_ms;
        double buffer_ms;
} shapes[] = {
        { 5, 40, 100 },  { 20, 40, 300 },  { 50, 20, 100 }, { 50, 20, 25 },
        { 100, 10, 50 }, { 100, 80, 200 }, { 500, 20, 50 }, { 50, 200, 100 },
};

static void alone_it_takes_the_line_and_keeps_the_queue_short(void **state) {
        for (size_t i = 0; i < ELEMENTSOF(shapes); i++) {
                struct line line;

                line_init(&line, shapes[i].mbit, shapes[i].rtt_ms, shapes[i].buffer_ms);
                line_run(&line, 5);
                line_run(&line, 60);
                if (line_share_of_ours(&line, 60) < 0.9 || line.queue_sum > 25 * USEC_PER_MSEC)
                        fail_msg("%.0f Mbit/s, %u ms, buffer %.0f ms: %.1f %%, queue %.1f ms", shapes[i].mbit,
                                 shapes[i].rtt_ms, shapes[i].buffer_ms, 100 * line_share_of_ours(&line, 60),
                                 line.queue_sum / USEC_PER_MSEC);
        }
}

/* Over the first slowdown and what it lost by it. */
static void a_long_round_trip_takes_the_line_too(void **state) {
        struct line line;

        line_init(&line, 20, 200, 500);
        scavenger_init(&line.ours[0].scavenger, &line.own.rates);
        line_run(&line, 12);
        line_run(&line, 12);
        assert_true(line.ours[0].flow.received > 0.9 * line.rate * 12000);
        assert_true(line.queue_sum < 20 * USEC_PER_MSEC);
}

static void beside_a_flow_that_fills_the_buffer_it_takes_little_and_comes_back_afterwards(void **state) {
        for (size_t i = 0; i < ELEMENTSOF(shapes); i++) {
                struct line line;
                double alone;

                line_init(&line, shapes[i].mbit, shapes[i].rtt_ms, shapes[i].buffer_ms);
                /* The floor is not small there; or the other flow itself empties the queue each time that it has lost something. */
                if (shapes[i].mbit < 20 || shapes[i].buffer_ms < 2 * shapes[i].rtt_ms)
                        continue;
                line.theirs_runs = true;
                line_run(&line, 20);
                line_run(&line, 30);
                alone = line_share(&line, &line.theirs, 30);
                line_init(&line, shapes[i].mbit, shapes[i].rtt_ms, shapes[i].buffer_ms);
                line_run(&line, 5);
                line.theirs_runs = true;
                line_run(&line, 20);
                line_run(&line, 30);
                if (line_share_of_ours(&line, 30) > 0.1 || line_share(&line, &line.theirs, 30) < 0.9 * alone)
                        fail_msg("%.0f Mbit/s, %u ms: ours %.1f %%, theirs %.1f %%", shapes[i].mbit, shapes[i].rtt_ms,
                                 100 * line_share_of_ours(&line, 30), 100 * line_share(&line, &line.theirs, 30));
                line.theirs_runs = false;
                line_run(&line, 5);
                line_run(&line, 20);
                if (line_share_of_ours(&line, 20) < 0.85)
                        fail_msg("%.0f Mbit/s, %u ms: %.1f %% afterwards", shapes[i].mbit, shapes[i].rtt_ms,
                                 100 * line_share_of_ours(&line, 20));
        }
}

static void a_latecomer_that_knows_the_empty_line_gives_way_as_well(void **state) {
        struct line line;

        line_init(&line, 50, 20, 100);
        scavenger_init(&line.ours[0].scavenger, &line.own.rates);
        scavenger_note_base(&line.ours[0].scavenger, line_now(&line) - 5 * USEC_PER_MINUTE, 20 * USEC_PER_MSEC);
        line.theirs_runs = true;
        line.theirs.window = line.buffer;
        line.ours[0].flow.window = 0;
        line.ours[0].next_tick_usec = UINT64_MAX;
        line_run(&line, 5);
        line.ours[0].next_tick_usec = line.ours[0].ticked_usec = line_now(&line) - STEP_USEC;
        line_run(&line, 20);
        assert_true(line_share_of_ours(&line, 20) < 0.05);
}

/* As after a round trip in which each of @n connections used its part of the window. */
static struct scavenger_input used_input(const struct scavenger *scavenger, uint64_t now, uint64_t rtt_msec,
                                         unsigned n) {
        struct scavenger_input input = { .now_usec = now, .segment_bytes = SEGMENT };
        uint64_t window = scavenger_window(scavenger, SEGMENT) / n;
        struct scavenger_connection connection = {
                .elapsed_usec = rtt_msec * USEC_PER_MSEC,
                .bytes = window,
                .rtt_usec = rtt_msec * USEC_PER_MSEC,
                .window = window,
                .window_before = window,
        };

        for (unsigned i = 0; i < n; i++)
                (void) scavenger_measure(&connection, &input);
        return input;
}

/* Grown on the empty line until @until, the last tick at @now. */
static uint64_t grow(struct scavenger *scavenger, uint64_t rtt_msec, double until) {
        uint64_t now = USEC_PER_HOUR, window = 0;

        scavenger_init(scavenger, nobody_else());
        scavenger_note_base(scavenger, now, rtt_msec * USEC_PER_MSEC);
        while ((double) window < until) {
                struct scavenger_input input = used_input(scavenger, now += rtt_msec * USEC_PER_MSEC, rtt_msec, 1);

                window = scavenger_tick(scavenger, &input);
        }
        return now;
}

static void a_round_trip_is_forgotten_after_ten_minutes(void **state) {
        struct scavenger scavenger;

        scavenger_init(&scavenger, nobody_else());
        scavenger_note_base(&scavenger, USEC_PER_HOUR, 10 * USEC_PER_MSEC);
        scavenger_note_base(&scavenger, USEC_PER_HOUR + 9 * USEC_PER_MINUTE, 30 * USEC_PER_MSEC);
        assert_int_equal(scavenger_base(&scavenger), 10 * USEC_PER_MSEC);
        scavenger_note_base(&scavenger, USEC_PER_HOUR + 10 * USEC_PER_MINUTE, 40 * USEC_PER_MSEC);
        assert_int_equal(scavenger_base(&scavenger), 30 * USEC_PER_MSEC);
        scavenger_note_base(&scavenger, 3 * USEC_PER_HOUR, 50 * USEC_PER_MSEC);
        assert_int_equal(scavenger_base(&scavenger), 50 * USEC_PER_MSEC);
}

static struct scavenger crowd_out(unsigned n_connections, bool *ret_says_so) {
        struct scavenger scavenger;
        struct scavenger_input input = {};
        uint64_t now = USEC_PER_HOUR;

        scavenger_init(&scavenger, nobody_else());
        scavenger_note_base(&scavenger, now, 20 * USEC_PER_MSEC);
        for (unsigned i = 0; i < 50; i++) {
                input = used_input(&scavenger, now += 120 * USEC_PER_MSEC, 120, n_connections);
                (void) scavenger_tick(&scavenger, &input);
        }
        *ret_says_so = scavenger_is_crowded_out(&scavenger, &input);
        return scavenger;
}

static void the_floor_is_two_segments_of_all_connections_together(void **state) {
        struct scavenger scavenger;
        bool says_so;

        scavenger = crowd_out(4, &says_so);
        assert_int_equal(scavenger_window(&scavenger, SEGMENT), 2 * SEGMENT);
        assert_true(says_so);
        assert_int_equal(scavenger_n_awake(&scavenger, 4, 4, SEGMENT), 1);
        scavenger = crowd_out(1, &says_so);
        assert_int_equal(scavenger_window(&scavenger, SEGMENT), 2 * SEGMENT);
        assert_true(says_so);
        assert_int_equal(scavenger_n_awake(&scavenger, 1, 1, SEGMENT), 1);
}

static void connections_wake_when_there_are_two_segments_for_each_and_rest_when_there_is_hardly_one(void **state) {
        struct scavenger scavenger;

        scavenger_init(&scavenger, nobody_else());
        assert_int_equal(scavenger_n_awake(&scavenger, 12, 12, SEGMENT), 12); /* while it starts, or looks for the empty line */
        scavenger.phase = SCAVENGER_STEADY;
        assert_int_equal(scavenger_n_awake(&scavenger, 9, 9, SEGMENT), 9); /* it starts with ten */
        assert_int_equal(scavenger_n_awake(&scavenger, 12, 12, SEGMENT), 9);
        assert_int_equal(scavenger_n_awake(&scavenger, 1, 12, SEGMENT), 5);
        scavenger.window = 6 * SEGMENT;
        assert_int_equal(scavenger_n_awake(&scavenger, 8, 8, SEGMENT), 5);
        assert_int_equal(scavenger_n_awake(&scavenger, 4, 8, SEGMENT), 4);
        assert_int_equal(scavenger_n_awake(&scavenger, 1, 8, SEGMENT), 3);
        assert_int_equal(scavenger_n_awake(&scavenger, 1, 2, SEGMENT), 2); /* more there are not */
        scavenger.window = 1000 * SEGMENT;
        assert_int_equal(scavenger_n_awake(&scavenger, 1, 8, SEGMENT), 8);
}

static void a_window_that_is_not_used_does_not_grow(void **state) {
        struct scavenger scavenger;
        uint64_t now = USEC_PER_HOUR, first = 10 * SEGMENT;

        scavenger_init(&scavenger, nobody_else());
        scavenger_note_base(&scavenger, now, 20 * USEC_PER_MSEC);
        for (unsigned i = 1; i < 40; i++) {
                struct scavenger_input input = { .now_usec = now += 20 * USEC_PER_MSEC, .segment_bytes = SEGMENT };
                struct scavenger_connection connection = { .elapsed_usec = 20 * USEC_PER_MSEC,
                                                           .bytes = 1000,
                                                           .rtt_usec = 20 * USEC_PER_MSEC,
                                                           .window = first,
                                                           .window_before = first };

                (void) scavenger_measure(&connection, &input);
                assert_int_equal(scavenger_tick(&scavenger, &input), first);
        }
}

/* A queue that stays: 14 ms, of 15. Return: what was ticked last. */
static struct scavenger_input end_start(struct scavenger *scavenger, uint64_t *now) {
        struct scavenger_input input = {};

        while (scavenger->phase == SCAVENGER_SLOW_START) {
                input = used_input(scavenger, *now += 20 * USEC_PER_MSEC, 34, 1);
                (void) scavenger_tick(scavenger, &input);
        }
        return input;
}

static void a_start_goes_on_where_the_queue_is_of_bytes_that_no_window_held_back(void **state) {
        struct scavenger scavenger;
        uint64_t now = USEC_PER_HOUR, window;
        struct scavenger_input input;

        scavenger_init(&scavenger, nobody_else());
        scavenger_note_base(&scavenger, now, 200 * USEC_PER_MSEC);
        input = used_input(&scavenger, now += 200 * USEC_PER_MSEC, 220, 4);
        window = scavenger_window(&scavenger, SEGMENT);
        input.flight = 3 * window; /* what each may send at first */
        assert_int_equal(scavenger_tick(&scavenger, &input), window);
        assert_int_equal(scavenger.phase, SCAVENGER_SLOW_START);
        input = used_input(&scavenger, now += 200 * USEC_PER_MSEC, 200, 4);
        window = scavenger_tick(&scavenger, &input);
        assert_true(window > input.flight);
        /* the larger window's bytes come in one burst, whose queue is gone a round trip later; if it is not, it is no burst */
        input = used_input(&scavenger, now += 200 * USEC_PER_MSEC, 220, 4);
        assert_int_equal(scavenger_tick(&scavenger, &input), window);
        assert_int_equal(scavenger.phase, SCAVENGER_SLOW_START);
        input = used_input(&scavenger, now += 220 * USEC_PER_MSEC, 220, 4);
        (void) scavenger_tick(&scavenger, &input);
        assert_int_equal(scavenger.phase, SCAVENGER_STEADY);
}

static void on_the_way_back_from_a_slowdown_only_a_queue_that_stays_is_somebody_elses(void **state) {
        struct scavenger scavenger;
        uint64_t now = grow(&scavenger, 20, 300000), before = scavenger_window(&scavenger, SEGMENT), window = 0;
        struct scavenger_input input = end_start(&scavenger, &now);

        while (scavenger.phase != SCAVENGER_RETURNING || window < before / 8) {
                input = used_input(&scavenger, now += 20 * USEC_PER_MSEC, 20, 1);
                window = scavenger_tick(&scavenger, &input);
        }
        input = used_input(&scavenger, now += 20 * USEC_PER_MSEC, 60, 1);
        assert_int_equal(scavenger_tick(&scavenger, &input), window);
        assert_int_equal(scavenger.phase, SCAVENGER_RETURNING);
        input = used_input(&scavenger, now += 60 * USEC_PER_MSEC, 60, 1);
        assert_in_range(scavenger_tick(&scavenger, &input), window / 2 - 1, window / 2 + 1);
        assert_int_equal(scavenger.phase, SCAVENGER_STEADY);
}

static void losses_of_one_round_trip_halve_the_window_once(void **state) {
        struct scavenger scavenger;
        uint64_t now = grow(&scavenger, 20, 300000), before = scavenger_window(&scavenger, SEGMENT), after;
        struct scavenger_input input = used_input(&scavenger, now + 20 * USEC_PER_MSEC, 20, 1);

        input.lost = true;
        after = scavenger_tick(&scavenger, &input);
        assert_in_range(after, before / 2 - 1, before / 2 + 1);
        input.now_usec += 5 * USEC_PER_MSEC;
        input.limited = false;
        assert_int_equal(scavenger_tick(&scavenger, &input), after);
}

static void it_gives_way_again_only_when_it_shows_that_it_did(void **state) {
        struct scavenger scavenger;
        uint64_t now = grow(&scavenger, 20, 300000), old, window;
        struct scavenger_input input;

        (void) end_start(&scavenger, &now);
        input = used_input(&scavenger, now += 34 * USEC_PER_MSEC, 60, 1);
        old = input.flight;
        window = scavenger_tick(&scavenger, &input);
        assert_in_range(window, old / 2 - 1, old / 2 + 1);
        input.now_usec = now += 60 * USEC_PER_MSEC; /* what the old window let come comes now */
        assert_int_equal(scavenger_tick(&scavenger, &input), window);
        input = used_input(&scavenger, now += 60 * USEC_PER_MSEC, 60, 1);
        assert_in_range(scavenger_tick(&scavenger, &input), window / 2 - 1, window / 2 + 1);
        /* but a window that somebody does not keep to shrinks all the same */
        input.flight = old;
        input.now_usec = now += 120 * USEC_PER_MSEC;
        assert_in_range(scavenger_tick(&scavenger, &input), window / 4 - 1, window / 4 + 1);
}

/* The queue stays at 8 ms, of 15. */
static uint64_t with_a_short_queue(bool ours) {
        struct scavenger scavenger;
        uint64_t now = grow(&scavenger, 20, 300000), window = 0;
        struct scavenger_input input = end_start(&scavenger, &now);

        for (unsigned i = 0; i < 20; i++) {
                input = used_input(&scavenger, now += 28 * USEC_PER_MSEC, 28, 1);
                if (!ours)
                        input.rate /= 3;
                window = scavenger_tick(&scavenger, &input);
        }
        return window;
}

static void a_queue_of_a_line_that_others_have_most_of_is_theirs(void **state) {
        assert_true(with_a_short_queue(true) > 300000);
        assert_true(with_a_short_queue(false) < 30000);
}

static void it_looks_for_the_empty_line_every_half_minute(void **state) {
        struct line line;

        line_init(&line, 50, 20, 100);
        scavenger_init(&line.ours[0].scavenger, &line.own.rates);
        line_run(&line, 70);
        assert_int_equal(line.ours[0].n_slowdowns, 3); /* after the start, and after 30 and 60 seconds */
        assert_int_equal(scavenger_base(&line.ours[0].scavenger) / USEC_PER_MSEC, 20);
}

static void without_a_measurement_nothing_changes(void **state) {
        struct scavenger scavenger;
        uint64_t now = grow(&scavenger, 20, 50000), window = scavenger_window(&scavenger, SEGMENT);
        struct scavenger_input input = { .now_usec = now + 20 * USEC_PER_MSEC, .segment_bytes = SEGMENT };

        assert_int_equal(scavenger_tick(&scavenger, &input), window);
}

/* ---- one connection of many ---- */

static const struct scavenger_connection steady = {
        .elapsed_usec = 20 * USEC_PER_MSEC,
        .bytes = 30000,
        .rtt_usec = 20 * USEC_PER_MSEC,
        .window = 30000,
        .window_before = 30000,
};

static void a_round_trip_that_is_not_known_yet_is_no_short_one(void **state) {
        struct scavenger_connection young = steady;
        struct scavenger_input input = { .segment_bytes = SEGMENT };

        young.rtt_usec = 0;
        for (unsigned i = 0; i < 3; i++)
                assert_int_equal(scavenger_measure(&young, &input), UINT64_MAX);
        assert_int_equal(input.rtt_usec, 0);
        (void) scavenger_measure(&steady, &input);
        assert_int_equal(input.rtt_usec, 20 * USEC_PER_MSEC);
}

static void round_trips_weigh_as_much_as_their_bytes(void **state) {
        struct scavenger_connection other = steady;
        struct scavenger_input input = { .segment_bytes = SEGMENT };

        other.rtt_usec = 40 * USEC_PER_MSEC;
        other.bytes = 3 * steady.bytes;
        (void) scavenger_measure(&steady, &input);
        (void) scavenger_measure(&other, &input);
        assert_int_equal(input.rtt_usec, 35 * USEC_PER_MSEC);
}

static void without_timestamps_the_window_tells_if_it_was_the_same_for_long_enough(void **state) {
        struct scavenger_connection guess = steady;
        struct scavenger_input input = { .segment_bytes = SEGMENT };
        struct scavenger scavenger;

        guess.guess = true;
        guess.bytes = 15000;
        (void) scavenger_measure(&guess, &input);
        assert_int_equal(input.rtt_usec, 40 * USEC_PER_MSEC);
        input = (struct scavenger_input){ .segment_bytes = SEGMENT };
        guess.window_before = 60000;
        (void) scavenger_measure(&guess, &input);
        assert_int_equal(input.rtt_usec, 0);

        /* and says nothing of the empty line */
        scavenger_init(&scavenger, nobody_else());
        scavenger_note_base(&scavenger, USEC_PER_HOUR, 20 * USEC_PER_MSEC);
        guess.window_before = guess.window;
        guess.bytes = 10 * guess.window;
        input = (struct scavenger_input){ .now_usec = USEC_PER_HOUR, .segment_bytes = SEGMENT };
        (void) scavenger_measure(&guess, &input);
        (void) scavenger_tick(&scavenger, &input);
        assert_int_equal(scavenger_base(&scavenger), 20 * USEC_PER_MSEC);
}

static void without_timestamps_it_takes_the_line_as_well(void **state) {
        struct line line;

        line_init(&line, 50, 20, 100);
        line.ours[0].guess = true;
        line.ours[0].n_connections = 4;
        line_run(&line, 5);
        line_run(&line, 30);
        assert_true(line_share_of_ours(&line, 30) > 0.9);
        assert_true(line.queue_sum < 25 * USEC_PER_MSEC);
}

static void without_timestamps_it_gives_way_and_comes_back(void **state) {
        struct line line;

        line_init(&line, 50, 20, 100);
        line.ours[0].guess = true;
        line_run(&line, 10);
        line.theirs.window = 10 * SEGMENT;
        line.theirs_runs = true;
        line_run(&line, 5);
        line_run(&line, 20);
        assert_true(line_share(&line, &line.theirs, 20) > 0.96);
        line.theirs_runs = false;
        line_run(&line, 5);
        line_run(&line, 10);
        assert_true(line_share_of_ours(&line, 10) > 0.9);
}

static void a_guess_needs_a_window_that_shows_something(void **state) {
        struct scavenger scavenger;

        scavenger_init(&scavenger, nobody_else());
        scavenger.phase = SCAVENGER_STEADY;
        scavenger.guess = true;
        scavenger.window = 1;
        assert_int_equal(scavenger_window(&scavenger, SEGMENT), 4 * SEGMENT);
        assert_int_equal(scavenger_n_awake(&scavenger, 8, 8, SEGMENT), 1);
        scavenger.window = 8 * SEGMENT;
        assert_int_equal(scavenger_n_awake(&scavenger, 8, 8, SEGMENT), 2);
        assert_int_equal(scavenger_n_awake(&scavenger, 1, 8, SEGMENT), 2);
}

static void a_connection_that_uses_little_leaves_its_part_to_the_others(void **state) {
        struct scavenger_connection slow = steady;
        struct scavenger_input input = { .segment_bytes = SEGMENT };
        struct scavenger_shares shares;
        uint64_t wanted;

        slow.bytes = 5000;
        wanted = scavenger_measure(&slow, &input);
        assert_false(input.limited);
        assert_int_equal(wanted, 15000); /* not at once */
        slow.window = wanted;
        wanted = scavenger_measure(&slow, &input);
        assert_int_equal(wanted, 10000); /* room to show that it wants more */
        assert_int_equal(scavenger_measure(&steady, &input), UINT64_MAX);
        assert_true(input.limited);

        slow = steady; /* it has just got more */
        slow.window = 2 * steady.window;
        assert_int_equal(scavenger_measure(&slow, &input), UINT64_MAX);

        scavenger_shares_begin(&shares, 90000, 3);
        scavenger_shares_add(&shares, wanted);
        scavenger_shares_add(&shares, UINT64_MAX);
        scavenger_shares_add(&shares, UINT64_MAX);
        assert_int_equal(scavenger_shares_get(&shares, wanted), 10000);
        assert_int_equal(scavenger_shares_get(&shares, UINT64_MAX), 40000);
}

static void nothing_for_a_while_does_not_close_a_window(void **state) {
        struct scavenger_connection idle = steady;
        struct scavenger_input input = { .segment_bytes = SEGMENT };

        idle.bytes = 0;
        for (unsigned i = 0; i < 10; i++)
                idle.window = scavenger_measure(&idle, &input);
        assert_int_equal(idle.window, 3 * SEGMENT);
        assert_false(input.limited);
        idle.bytes = SEGMENT / 2; /* a small one is never filled */
        assert_int_equal(scavenger_measure(&idle, &input), 3 * SEGMENT);
        idle.window--;
        assert_int_equal(scavenger_measure(&idle, &input), UINT64_MAX);
}

static void many_connections_take_the_line_and_no_more_than_one_does(void **state) {
        struct line line;

        line_init(&line, 50, 20, 100);
        line.ours[0].n_connections = 8;
        line_run(&line, 5);
        line_run(&line, 30);
        assert_true(line_share_of_ours(&line, 30) > 0.9);
        assert_true(line.queue_sum < 25 * USEC_PER_MSEC);
}

/* ---- several places, one line ---- */

typedef void (*line_init_fn)(struct line *line, double mbit, unsigned rtt_ms, double buffer_ms);

static void begin_three_some_seconds_apart(struct line *line, line_init_fn init, double mbit, unsigned rtt_ms, double buffer_ms) {
        init(line, mbit, rtt_ms, buffer_ms);
        line_run(line, 5);
        line_join(line);
        line_run(line, 5);
        line_join(line);
}

static uint64_t last_slowdown(const struct line *line) {
        uint64_t last = 0;

        for (unsigned i = 0; i < line->n_ours; i++)
                last = MAX(last, line->ours[i].slowdown_usec);
        return last;
}

/* Within two round trips, and what a queue and a timer add to them. */
static bool have_slowed_down_as_one(const struct line *line) {
        uint64_t last = last_slowdown(line), few = 2 * (line->base_steps + 25) * STEP_USEC;

        for (unsigned i = 0; i < line->n_ours; i++)
                if (line->ours[i].n_slowdowns == 0 || last - line->ours[i].slowdown_usec > few)
                        return false;
        return true;
}

static void run_until_they_have(struct line *line) {
        for (unsigned i = 0; i < 60 && !have_slowed_down_as_one(line); i++)
                line_run(line, 1);
        assert_true(have_slowed_down_as_one(line));
}

static void check_that_each_has_a_part_after_a_slowdown(line_init_fn init) {
        static const struct shape of[] = { { 50, 20, 100 }, { 100, 80, 200 }, { 20, 40, 300 } };

        for (size_t i = 0; i < ELEMENTSOF(of); i++) {
                struct line line;

                begin_three_some_seconds_apart(&line, init, of[i].mbit, of[i].rtt_ms, of[i].buffer_ms);
                run_until_they_have(&line);
                line_run(&line, 2);
                line_run(&line, 18);
                for (unsigned k = 0; k < line.n_ours; k++)
                        if (line_share(&line, &line.ours[k].flow, 18) < 0.25)
                                fail_msg("%.0f Mbit/s: number %u has %.1f %%", of[i].mbit, k,
                                         100 * line_share(&line, &line.ours[k].flow, 18));
                assert_true(line_share_of_ours(&line, 18) > 0.9);
                assert_true(line.queue_sum < 25 * USEC_PER_MSEC);
                line_done(&line);
        }
}

static void who_begin_one_after_the_other_have_a_part_each_after_a_slowdown_and_the_line_together(void **state) {
        check_that_each_has_a_part_after_a_slowdown(line_init);
}

static void so_have_those_of_several_processes(void **state) {
        check_that_each_has_a_part_after_a_slowdown(line_init_apart);
}

static void check_that_all_slow_down_as_one(line_init_fn init) {
        unsigned before[PLACES];
        struct line line;

        begin_three_some_seconds_apart(&line, init, 50, 20, 100);
        run_until_they_have(&line);
        for (unsigned i = 0; i < PLACES; i++)
                before[i] = line.ours[i].n_slowdowns;
        for (unsigned s = 0; s < 100; s++) {
                line_run(&line, 1);
                assert_true(have_slowed_down_as_one(&line) ||
                            line_now(&line) - last_slowdown(&line) < USEC_PER_SEC / 10);
        }
        for (unsigned i = 0; i < PLACES; i++)
                assert_int_equal(line.ours[i].n_slowdowns - before[i], 3); /* one alone: each half minute, too */
        line_done(&line);
}

static void a_slowdown_of_one_is_one_of_all_and_no_more_of_them(void **state) {
        check_that_all_slow_down_as_one(line_init);
}

static void so_it_is_in_several_processes(void **state) {
        check_that_all_slow_down_as_one(line_init_apart);
}

/* @as_much: of what one takes. */
static void check_that_several_give_way_and_come_back(line_init_fn init, double as_much) {
        struct line one, three;

        line_init(&one, 50, 20, 100);
        line_run(&one, 10);
        begin_three_some_seconds_apart(&three, init, 50, 20, 100);
        run_until_they_have(&three);
        one.theirs_runs = three.theirs_runs = true;
        line_run(&one, 20);
        line_run(&one, 30);
        line_run(&three, 20);
        line_run(&three, 30);
        assert_true(line_share_of_ours(&three, 30) < as_much * line_share_of_ours(&one, 30));
        assert_true(line_share(&three, &three.theirs, 30) > 0.98 * line_share(&one, &one.theirs, 30));
        for (unsigned i = 0; i < PLACES; i++)
                assert_true(three.ours[i].flow.received > 0);
        three.theirs_runs = false;
        line_run(&three, 5);
        line_run(&three, 20);
        assert_true(line_share_of_ours(&three, 20) > 0.9);
        line_done(&three);
}

static void several_give_way_as_one_does_and_come_back(void **state) {
        check_that_several_give_way_and_come_back(line_init, 1.25);
}

/* Each process has a floor of its own. */
static void several_processes_give_way_to_a_floor_each_and_come_back(void **state) {
        check_that_several_give_way_and_come_back(line_init_apart, 3.25);
}

static void what_is_heard_late_makes_no_line_hold_more_than_it_does(void **state) {
        struct line line;

        begin_three_some_seconds_apart(&line, line_init_apart, 50, 20, 100);
        run_until_they_have(&line);
        line_run(&line, 60);
        for (unsigned i = 0; i < line.n_ours; i++)
                for (unsigned k = 0; k < SCAVENGER_MINUTES; k++)
                        assert_true(line.ours[i].common->rates.best_rate[k] < 1.05 * line.rate * 1000);
        line_done(&line);
}

static void a_process_that_has_nothing_any_more_does_not_hold_the_others_down(void **state) {
        struct line line;

        begin_three_some_seconds_apart(&line, line_init_apart, 50, 20, 100);
        run_until_they_have(&line);
        for (unsigned i = 1; i < line.n_ours; i++) {
                scavenger_pause(&line.ours[i].scavenger);
                line.ours[i].next_tick_usec = UINT64_MAX;
                line.ours[i].flow.window = 0;
        }
        line_run(&line, 5);
        line_run(&line, 10);
        assert_int_equal(line.ours[0].common->rates.elsewhere.n, 0);
        assert_true(line_share(&line, &line.ours[0].flow, 10) > 0.9);
        line_done(&line);
}

static void one_that_is_crowded_out_on_another_line_takes_nothing_from_the_others(void **state) {
        struct line line, other;
        double before;

        line_init(&line, 50, 20, 100);
        line_join(&line);
        line_run(&line, 40);
        line_run(&line, 60);
        before = line_share_of_ours(&line, 60);
        line_init_beside(&other, &line, 10, 60, 150);
        other.theirs_runs = true;
        line_run(&line, 25);
        line_run(&line, 60);
        assert_true(line_share_of_ours(&line, 60) > 0.98 * before);
        for (unsigned i = 0; i < line.n_ours; i++)
                assert_true(line_share(&line, &line.ours[i].flow, 60) > 0.3);
        /* and is one that was not to have more there */
        assert_true(line_share_of_ours(&other, 60) < 0.02);
        assert_true(line_share(&other, &other.theirs, 60) > 0.97);
}

#define FULL_RATE 12.5e6

/* The queue stays at 8 ms, of 15, and the younger one has little of the line. */
struct siblings {
        struct scavenger_line line;
        struct scavenger elder, younger;
        uint64_t now;
};

static void siblings_init(struct siblings *siblings) {
        *siblings = (struct siblings){ .now = USEC_PER_HOUR };
        scavenger_init(&siblings->elder, &siblings->line);
        scavenger_init(&siblings->younger, &siblings->line);
        scavenger_note_base(&siblings->elder, siblings->now, 20 * USEC_PER_MSEC);
        scavenger_note_base(&siblings->younger, siblings->now, 20 * USEC_PER_MSEC);
        siblings->younger.phase = SCAVENGER_STEADY;
        siblings->younger.next_slowdown_usec = UINT64_MAX;
        siblings->younger.window = 32 * SEGMENT;
}

static void tick_at(struct scavenger *scavenger, uint64_t now, double rate) {
        struct scavenger_input input = used_input(scavenger, now, 28, 1);

        input.rate = rate;
        (void) scavenger_tick(scavenger, &input);
}

static void siblings_run(struct siblings *siblings, bool elder_too) {
        for (unsigned i = 0; i < 40; i++) {
                siblings->now += 28 * USEC_PER_MSEC;
                if (elder_too)
                        tick_at(&siblings->elder, siblings->now, 0.95 * FULL_RATE);
                tick_at(&siblings->younger, siblings->now, 0.05 * FULL_RATE);
        }
}

static void a_sibling_that_has_most_of_the_line_is_nobody_else(void **state) {
        struct siblings siblings;

        siblings_init(&siblings);
        siblings_run(&siblings, true);
        assert_true(siblings.younger.share > 0.99);
        assert_true(siblings.younger.window > 32 * SEGMENT);
}

/* That may be another line, where an equal part of this one's rate is more than anybody has. */
static void who_was_crowded_out_returns_from_a_slowdown_to_what_it_had(void **state) {
        struct siblings siblings;

        siblings_init(&siblings);
        siblings_run(&siblings, true);
        siblings.younger.window = SCAVENGER_FLOOR_SEGMENTS * SEGMENT;
        siblings.younger.next_slowdown_usec = siblings.now;
        siblings_run(&siblings, true);
        assert_true(siblings.younger.slowdown_began_usec > 0);
        assert_true(siblings.younger.window_before < 2 * SCAVENGER_FLOOR_SEGMENTS * SEGMENT);
}

static void check_that_the_younger_is_alone(struct siblings *siblings) {
        double window = siblings->younger.window;

        assert_int_equal(siblings->line.n, 1);
        assert_true(siblings->line.high < 0.06 * FULL_RATE);
        siblings_run(siblings, false);
        assert_true(siblings->younger.share < 0.06);
        assert_true(siblings->younger.window < window / 2);
}

static void one_without_connections_has_nothing_of_the_line(void **state) {
        struct siblings siblings;

        siblings_init(&siblings);
        siblings_run(&siblings, true);
        scavenger_pause(&siblings.elder);
        check_that_the_younger_is_alone(&siblings);
}

static void one_whose_server_sends_nothing_has_nothing_of_the_line(void **state) {
        struct siblings siblings;
        struct scavenger_input nothing;

        siblings_init(&siblings);
        siblings_run(&siblings, true);
        for (unsigned i = 0; i < 2; i++) {
                siblings.now += 28 * USEC_PER_MSEC;
                nothing = (struct scavenger_input){ .now_usec = siblings.now, .segment_bytes = SEGMENT };
                (void) scavenger_tick(&siblings.elder, &nothing);
        }
        check_that_the_younger_is_alone(&siblings);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(alone_it_takes_the_line_and_keeps_the_queue_short),
                cmocka_unit_test(a_long_round_trip_takes_the_line_too),
                cmocka_unit_test(beside_a_flow_that_fills_the_buffer_it_takes_little_and_comes_back_afterwards),
                cmocka_unit_test(a_latecomer_that_knows_the_empty_line_gives_way_as_well),
                cmocka_unit_test(a_round_trip_is_forgotten_after_ten_minutes),
                cmocka_unit_test(the_floor_is_two_segments_of_all_connections_together),
                cmocka_unit_test(connections_wake_when_there_are_two_segments_for_each_and_rest_when_there_is_hardly_one),
                cmocka_unit_test(a_window_that_is_not_used_does_not_grow),
                cmocka_unit_test(a_start_goes_on_where_the_queue_is_of_bytes_that_no_window_held_back),
                cmocka_unit_test(on_the_way_back_from_a_slowdown_only_a_queue_that_stays_is_somebody_elses),
                cmocka_unit_test(losses_of_one_round_trip_halve_the_window_once),
                cmocka_unit_test(it_gives_way_again_only_when_it_shows_that_it_did),
                cmocka_unit_test(a_queue_of_a_line_that_others_have_most_of_is_theirs),
                cmocka_unit_test(it_looks_for_the_empty_line_every_half_minute),
                cmocka_unit_test(without_a_measurement_nothing_changes),
                cmocka_unit_test(a_round_trip_that_is_not_known_yet_is_no_short_one),
                cmocka_unit_test(round_trips_weigh_as_much_as_their_bytes),
                cmocka_unit_test(without_timestamps_the_window_tells_if_it_was_the_same_for_long_enough),
                cmocka_unit_test(without_timestamps_it_takes_the_line_as_well),
                cmocka_unit_test(without_timestamps_it_gives_way_and_comes_back),
                cmocka_unit_test(a_guess_needs_a_window_that_shows_something),
                cmocka_unit_test(a_connection_that_uses_little_leaves_its_part_to_the_others),
                cmocka_unit_test(nothing_for_a_while_does_not_close_a_window),
                cmocka_unit_test(many_connections_take_the_line_and_no_more_than_one_does),
                cmocka_unit_test(who_begin_one_after_the_other_have_a_part_each_after_a_slowdown_and_the_line_together),
                cmocka_unit_test(so_have_those_of_several_processes),
                cmocka_unit_test(a_slowdown_of_one_is_one_of_all_and_no_more_of_them),
                cmocka_unit_test(so_it_is_in_several_processes),
                cmocka_unit_test(several_give_way_as_one_does_and_come_back),
                cmocka_unit_test(several_processes_give_way_to_a_floor_each_and_come_back),
                cmocka_unit_test(what_is_heard_late_makes_no_line_hold_more_than_it_does),
                cmocka_unit_test(a_process_that_has_nothing_any_more_does_not_hold_the_others_down),
                cmocka_unit_test(one_that_is_crowded_out_on_another_line_takes_nothing_from_the_others),
                cmocka_unit_test(a_sibling_that_has_most_of_the_line_is_nobody_else),
                cmocka_unit_test(who_was_crowded_out_returns_from_a_slowdown_to_what_it_had),
                cmocka_unit_test(one_without_connections_has_nothing_of_the_line),
                cmocka_unit_test(one_whose_server_sends_nothing_has_nothing_of_the_line),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

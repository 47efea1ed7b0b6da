/* The control law on a simulated line: a drop-tail queue that its flows share, in steps of a millisecond. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "transfer/scavenger.h"

#define STEP_USEC USEC_PER_MSEC
#define RING 1024
#define SEGMENT 1448

struct flow {
        double window, inflight, queued, received; /* bytes */
        double returning[RING];                    /* acknowledged at this step */
        bool lost;
};

struct line {
        double rate;         /* bytes per step */
        unsigned base_steps; /* round trip without a queue */
        double buffer;       /* bytes */
        uint64_t step;
        struct flow ours, theirs;
        bool theirs_runs;
        uint64_t theirs_cut_step;
        struct scavenger *scavenger;
        uint64_t next_tick_usec, ticked_usec;
        double ticked_received, window_before;
        unsigned n_connections;
        bool guess; /* no timestamps */
        double queue_sum;
        unsigned n_slowdowns;
};

/* Its line, which nobody else of ours uses. */
static struct scavenger_line *nobody_else(void) {
        static struct scavenger_line line;

        line = (struct scavenger_line) {};
        return &line;
}

static uint64_t now_usec(const struct line *line) {
        return USEC_PER_HOUR + line->step * STEP_USEC;
}

static double queue_usec(const struct line *line) {
        return (line->ours.queued + line->theirs.queued) / line->rate * STEP_USEC;
}

static void flow_send(struct line *line, struct flow *flow) {
        double wanted = flow->window > flow->inflight ? flow->window - flow->inflight : 0;
        double room = line->buffer - line->ours.queued - line->theirs.queued;

        if (wanted > room) {
                flow->lost = true;
                wanted = room > 0 ? room : 0;
        }
        flow->queued += wanted;
        flow->inflight += wanted;
}

static void flow_serve(struct line *line, struct flow *flow, double part) {
        double bytes = flow->queued * part;

        flow->queued -= bytes;
        flow->received += bytes;
        flow->returning[(line->step + line->base_steps) % RING] += bytes;
}

static void flow_acknowledge(struct line *line, struct flow *flow) {
        flow->inflight -= flow->returning[line->step % RING];
        flow->returning[line->step % RING] = 0;
}

/* A sender that fills every buffer: a segment more each round trip, and less only when something is lost. */
static void theirs_adapt(struct line *line) {
        double rtt_steps = line->base_steps + queue_usec(line) / STEP_USEC;

        if (line->theirs.lost && (double) (line->step - line->theirs_cut_step) > rtt_steps) {
                line->theirs.window *= 0.7;
                line->theirs_cut_step = line->step;
        } else
                line->theirs.window += 4 * SEGMENT / rtt_steps;
        line->theirs.lost = false;
}

/* All connections the same. */
static struct scavenger_input measure(const struct line *line) {
        struct scavenger_input input = { .now_usec = now_usec(line), .segment_bytes = SEGMENT };
        struct scavenger_connection connection = {
                .elapsed_usec = input.now_usec - line->ticked_usec,
                .bytes = (uint64_t) (line->ours.received - line->ticked_received) / line->n_connections,
                .rtt_usec = line->base_steps * STEP_USEC + (uint64_t) queue_usec(line),
                .guess = line->guess,
                .lost = line->ours.lost,
                .window = (uint64_t) line->ours.window / line->n_connections,
                .window_before = (uint64_t) line->window_before / line->n_connections,
        };

        for (unsigned i = 0; i < line->n_connections; i++)
                (void) scavenger_measure(&connection, &input);
        return input;
}

static void ours_adapt(struct line *line) {
        struct scavenger_input input;
        bool draining;

        if (now_usec(line) < line->next_tick_usec)
                return;
        input = measure(line);
        draining = line->scavenger->phase == SCAVENGER_DRAINING;
        line->window_before = line->ours.window;
        line->ours.window = (double) scavenger_tick(line->scavenger, &input);
        line->n_slowdowns += line->scavenger->phase == SCAVENGER_DRAINING && !draining;
        line->ticked_received = line->ours.received;
        line->ticked_usec = input.now_usec;
        line->ours.lost = false;
        line->next_tick_usec = input.now_usec + scavenger_interval(line->scavenger);
}

static void run(struct line *line, double seconds) {
        uint64_t end = line->step + (uint64_t) (seconds * 1000);

        line->ticked_received -= line->ours.received;
        line->ours.received = line->theirs.received = line->queue_sum = 0;
        for (uint64_t began = line->step; line->step < end; line->step++) {
                double queued, part;

                flow_acknowledge(line, &line->ours);
                flow_acknowledge(line, &line->theirs);
                flow_send(line, &line->ours);
                if (line->theirs_runs)
                        flow_send(line, &line->theirs);
                queued = line->ours.queued + line->theirs.queued;
                part = queued > line->rate ? line->rate / queued : 1;
                flow_serve(line, &line->ours, part);
                flow_serve(line, &line->theirs, part);
                ours_adapt(line);
                if (line->theirs_runs)
                        theirs_adapt(line);
                line->queue_sum += queue_usec(line) / (double) (end - began);
        }
}

/* With a scavenger that knows the handshake's round trip. */
static struct line line_of(struct scavenger *scavenger, double mbit, unsigned rtt_ms, double buffer_ms) {
        double rate = mbit * 1e6 / 8 / 1000;

        scavenger_init(scavenger, nobody_else());
        scavenger_note_base(scavenger, USEC_PER_HOUR, rtt_ms * USEC_PER_MSEC);
        return (struct line){
                .rate = rate,
                .base_steps = rtt_ms,
                .buffer = rate * buffer_ms,
                .ours.window = 10 * SEGMENT,
                .theirs.window = 10 * SEGMENT,
                .scavenger = scavenger,
                .next_tick_usec = USEC_PER_HOUR + rtt_ms * STEP_USEC,
                .ticked_usec = USEC_PER_HOUR,
                .window_before = 10 * SEGMENT,
                .n_connections = 1,
        };
}

static double share_of(const struct line *line, const struct flow *flow, double seconds) {
        return flow->received / (line->rate * seconds * 1000);
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
                struct scavenger scavenger;
                struct line line = line_of(&scavenger, shapes[i].mbit, shapes[i].rtt_ms, shapes[i].buffer_ms);

                run(&line, 5);
                run(&line, 60);
                if (share_of(&line, &line.ours, 60) < 0.9 || line.queue_sum > 25 * USEC_PER_MSEC)
                        fail_msg("%.0f Mbit/s, %u ms, buffer %.0f ms: %.1f %%, queue %.1f ms", shapes[i].mbit,
                                 shapes[i].rtt_ms, shapes[i].buffer_ms, 100 * share_of(&line, &line.ours, 60),
                                 line.queue_sum / USEC_PER_MSEC);
        }
}

/* Over the first slowdown and what it lost by it. */
static void a_long_round_trip_takes_the_line_too(void **state) {
        struct scavenger scavenger;
        struct line line = line_of(&scavenger, 20, 200, 500);

        scavenger_init(&scavenger, nobody_else());
        run(&line, 12);
        run(&line, 12);
        assert_true(line.ours.received > 0.9 * line.rate * 12000);
        assert_true(line.queue_sum < 20 * USEC_PER_MSEC);
}

static void beside_a_flow_that_fills_the_buffer_it_takes_little_and_comes_back_afterwards(void **state) {
        for (size_t i = 0; i < ELEMENTSOF(shapes); i++) {
                struct scavenger scavenger;
                struct line line = line_of(&scavenger, shapes[i].mbit, shapes[i].rtt_ms, shapes[i].buffer_ms);
                double alone;

                /* The floor is not small there; or the other flow itself empties the queue each time that it has lost something. */
                if (shapes[i].mbit < 20 || shapes[i].buffer_ms < 2 * shapes[i].rtt_ms)
                        continue;
                line.theirs_runs = true;
                run(&line, 20);
                run(&line, 30);
                alone = share_of(&line, &line.theirs, 30);
                line = line_of(&scavenger, shapes[i].mbit, shapes[i].rtt_ms, shapes[i].buffer_ms);
                run(&line, 5);
                line.theirs_runs = true;
                run(&line, 20);
                run(&line, 30);
                if (share_of(&line, &line.ours, 30) > 0.1 || share_of(&line, &line.theirs, 30) < 0.9 * alone)
                        fail_msg("%.0f Mbit/s, %u ms: ours %.1f %%, theirs %.1f %%", shapes[i].mbit, shapes[i].rtt_ms,
                                 100 * share_of(&line, &line.ours, 30), 100 * share_of(&line, &line.theirs, 30));
                line.theirs_runs = false;
                run(&line, 5);
                run(&line, 20);
                if (share_of(&line, &line.ours, 20) < 0.85)
                        fail_msg("%.0f Mbit/s, %u ms: %.1f %% afterwards", shapes[i].mbit, shapes[i].rtt_ms,
                                 100 * share_of(&line, &line.ours, 20));
        }
}

static void a_latecomer_that_knows_the_empty_line_gives_way_as_well(void **state) {
        struct scavenger scavenger;
        struct line line = line_of(&scavenger, 50, 20, 100);

        scavenger_init(&scavenger, nobody_else());
        scavenger_note_base(&scavenger, now_usec(&line) - 5 * USEC_PER_MINUTE, 20 * USEC_PER_MSEC);
        line.theirs_runs = true;
        line.theirs.window = line.buffer;
        line.ours.window = 0;
        line.next_tick_usec = UINT64_MAX;
        run(&line, 5);
        line.next_tick_usec = line.ticked_usec = now_usec(&line) - STEP_USEC;
        run(&line, 20);
        assert_true(share_of(&line, &line.ours, 20) < 0.05);
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
        struct scavenger scavenger;
        struct line line = line_of(&scavenger, 50, 20, 100);

        scavenger_init(&scavenger, nobody_else());
        run(&line, 70);
        assert_int_equal(line.n_slowdowns, 3); /* after the start, and after 30 and 60 seconds */
        assert_int_equal(scavenger_base(&scavenger) / USEC_PER_MSEC, 20);
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
        struct scavenger scavenger;
        struct line line = line_of(&scavenger, 50, 20, 100);

        line.guess = true;
        line.n_connections = 4;
        run(&line, 5);
        run(&line, 30);
        assert_true(share_of(&line, &line.ours, 30) > 0.9);
        assert_true(line.queue_sum < 25 * USEC_PER_MSEC);
}

static void without_timestamps_it_gives_way_and_comes_back(void **state) {
        struct scavenger scavenger;
        struct line line = line_of(&scavenger, 50, 20, 100);

        line.guess = true;
        run(&line, 10);
        line.theirs.window = 10 * SEGMENT;
        line.theirs_runs = true;
        run(&line, 5);
        run(&line, 20);
        assert_true(share_of(&line, &line.theirs, 20) > 0.96);
        line.theirs_runs = false;
        run(&line, 5);
        run(&line, 10);
        assert_true(share_of(&line, &line.ours, 10) > 0.9);
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
        struct scavenger scavenger;
        struct line line = line_of(&scavenger, 50, 20, 100);

        line.n_connections = 8;
        run(&line, 5);
        run(&line, 30);
        assert_true(share_of(&line, &line.ours, 30) > 0.9);
        assert_true(line.queue_sum < 25 * USEC_PER_MSEC);
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
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

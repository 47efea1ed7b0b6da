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
        uint64_t next_tick_usec;
        double ticked_received;
        unsigned n_connections;
        double queue_sum;
        unsigned n_slowdowns;
};

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

static void ours_adapt(struct line *line) {
        struct scavenger_input input = {
                .now_usec = now_usec(line),
                .rtt_usec = line->base_steps * STEP_USEC + (uint64_t) queue_usec(line),
                .bytes = (uint64_t) (line->ours.received - line->ticked_received),
                .lost = line->ours.lost,
                .n_connections = line->n_connections,
                .segment_bytes = SEGMENT,
        };
        bool draining;

        if (input.now_usec < line->next_tick_usec)
                return;
        draining = line->scavenger->phase == SCAVENGER_DRAINING;
        line->ours.window = (double) scavenger_tick(line->scavenger, &input);
        line->n_slowdowns += line->scavenger->phase == SCAVENGER_DRAINING && !draining;
        line->ticked_received = line->ours.received;
        line->ours.lost = false;
        line->next_tick_usec = input.now_usec + scavenger_interval(line->scavenger);
}

static void run(struct line *line, double seconds) {
        uint64_t end = line->step + (uint64_t) (seconds * 1000);

        line->ours.received = line->theirs.received = line->ticked_received = line->queue_sum = 0;
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

static struct line line_of(struct scavenger *scavenger, double mbit, unsigned rtt_ms, double buffer_ms) {
        double rate = mbit * 1e6 / 8 / 1000;

        return (struct line){
                .rate = rate,
                .base_steps = rtt_ms,
                .buffer = rate * buffer_ms,
                .ours.window = 10 * SEGMENT,
                .theirs.window = 10 * SEGMENT,
                .scavenger = scavenger,
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

                scavenger_init(&scavenger);
                run(&line, 5);
                run(&line, 60);
                if (share_of(&line, &line.ours, 60) < 0.9 || line.queue_sum > 25 * USEC_PER_MSEC)
                        fail_msg("%.0f Mbit/s, %u ms, buffer %.0f ms: %.1f %%, queue %.1f ms", shapes[i].mbit,
                                 shapes[i].rtt_ms, shapes[i].buffer_ms, 100 * share_of(&line, &line.ours, 60),
                                 line.queue_sum / USEC_PER_MSEC);
        }
}

static void beside_a_flow_that_fills_the_buffer_it_takes_little_and_comes_back_afterwards(void **state) {
        for (size_t i = 0; i < ELEMENTSOF(shapes); i++) {
                struct scavenger scavenger;
                struct line line = line_of(&scavenger, shapes[i].mbit, shapes[i].rtt_ms, shapes[i].buffer_ms);
                double alone;

                /* The floor is not small there; or the other flow itself empties the queue each time that it has lost something. */
                if (shapes[i].mbit < 20 || shapes[i].buffer_ms < 2 * shapes[i].rtt_ms)
                        continue;
                scavenger_init(&scavenger);
                line.theirs_runs = true;
                run(&line, 20);
                run(&line, 30);
                alone = share_of(&line, &line.theirs, 30);
                line = line_of(&scavenger, shapes[i].mbit, shapes[i].rtt_ms, shapes[i].buffer_ms);
                scavenger_init(&scavenger);
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
                assert_true(share_of(&line, &line.ours, 20) > 0.85);
        }
}

static void a_latecomer_that_knows_the_empty_line_gives_way_as_well(void **state) {
        struct scavenger scavenger;
        struct line line = line_of(&scavenger, 50, 20, 100);

        scavenger_init(&scavenger);
        scavenger_note_base(&scavenger, now_usec(&line) - 5 * USEC_PER_MINUTE, 20 * USEC_PER_MSEC);
        line.theirs_runs = true;
        line.theirs.window = line.buffer;
        line.ours.window = 0;
        line.next_tick_usec = UINT64_MAX;
        run(&line, 5);
        line.next_tick_usec = 0;
        run(&line, 20);
        assert_true(share_of(&line, &line.ours, 20) < 0.05);
}

static struct scavenger_input steady_input(uint64_t now, uint64_t rtt_msec) {
        return (struct scavenger_input){
                .now_usec = now,
                .rtt_usec = rtt_msec * USEC_PER_MSEC,
                .bytes = UINT64_C(1) << 30,
                .n_connections = 1,
                .segment_bytes = SEGMENT,
        };
}

static void a_round_trip_is_forgotten_after_ten_minutes(void **state) {
        struct scavenger scavenger;

        scavenger_init(&scavenger);
        scavenger_note_base(&scavenger, USEC_PER_HOUR, 10 * USEC_PER_MSEC);
        scavenger_note_base(&scavenger, USEC_PER_HOUR + 9 * USEC_PER_MINUTE, 30 * USEC_PER_MSEC);
        assert_int_equal(scavenger_base(&scavenger), 10 * USEC_PER_MSEC);
        scavenger_note_base(&scavenger, USEC_PER_HOUR + 10 * USEC_PER_MINUTE, 40 * USEC_PER_MSEC);
        assert_int_equal(scavenger_base(&scavenger), 30 * USEC_PER_MSEC);
        scavenger_note_base(&scavenger, 3 * USEC_PER_HOUR, 50 * USEC_PER_MSEC);
        assert_int_equal(scavenger_base(&scavenger), 50 * USEC_PER_MSEC);
}

static void the_window_has_a_floor_for_each_connection(void **state) {
        struct scavenger scavenger;
        struct scavenger_input input;
        uint64_t now = USEC_PER_HOUR, window = 0;

        scavenger_init(&scavenger);
        scavenger_note_base(&scavenger, now, 20 * USEC_PER_MSEC);
        for (unsigned i = 0; i < 50; i++, now += 100 * USEC_PER_MSEC) {
                input = steady_input(now, 120);
                input.n_connections = 4;
                window = scavenger_tick(&scavenger, &input);
        }
        assert_int_equal(window, 4 * SCAVENGER_FLOOR_SEGMENTS * SEGMENT);
        assert_true(scavenger_is_crowded_out(&scavenger, &input));
}

static void a_window_that_is_not_used_does_not_grow(void **state) {
        struct scavenger scavenger;
        uint64_t now = USEC_PER_HOUR, window = 0, first;

        scavenger_init(&scavenger);
        first = scavenger_tick(&scavenger, &(struct scavenger_input){ now, 20 * USEC_PER_MSEC, 0, false, 1, SEGMENT });
        for (unsigned i = 1; i < 40; i++)
                window = scavenger_tick(&scavenger,
                                        &(struct scavenger_input){ now + i * 20 * USEC_PER_MSEC, 20 * USEC_PER_MSEC,
                                                                   1000, false, 1, SEGMENT });
        assert_int_equal(window, first);
}

static void losses_of_one_round_trip_halve_the_window_once(void **state) {
        struct scavenger scavenger;
        uint64_t now = USEC_PER_HOUR, before = 0, after;
        struct scavenger_input input;

        scavenger_init(&scavenger);
        for (unsigned i = 0; i < 10; i++, now += 20 * USEC_PER_MSEC)
                before = scavenger_tick(&scavenger, &(struct scavenger_input){ now, 20 * USEC_PER_MSEC,
                                                                               UINT64_C(1) << 30, false, 1, SEGMENT });
        input = steady_input(now, 20);
        input.lost = true;
        after = scavenger_tick(&scavenger, &input);
        assert_in_range(after, before / 2 - 1, before / 2 + 1);
        input.now_usec += 5 * USEC_PER_MSEC;
        input.bytes = 0;
        assert_int_equal(scavenger_tick(&scavenger, &input), after);
}

static void it_looks_for_the_empty_line_every_half_minute(void **state) {
        struct scavenger scavenger;
        struct line line = line_of(&scavenger, 50, 20, 100);

        scavenger_init(&scavenger);
        run(&line, 70);
        assert_int_equal(line.n_slowdowns, 3); /* after the start, and after 30 and 60 seconds */
        assert_int_equal(scavenger_base(&scavenger) / USEC_PER_MSEC, 20);
}

static void without_a_measurement_nothing_changes(void **state) {
        struct scavenger scavenger;
        struct scavenger_input input = steady_input(USEC_PER_HOUR, 20);
        uint64_t window;

        scavenger_init(&scavenger);
        (void) scavenger_tick(&scavenger, &input);
        input.now_usec += 20 * USEC_PER_MSEC;
        window = scavenger_tick(&scavenger, &input);
        input.now_usec += 20 * USEC_PER_MSEC;
        input.rtt_usec = 0;
        assert_int_equal(scavenger_tick(&scavenger, &input), window);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(alone_it_takes_the_line_and_keeps_the_queue_short),
                cmocka_unit_test(beside_a_flow_that_fills_the_buffer_it_takes_little_and_comes_back_afterwards),
                cmocka_unit_test(a_latecomer_that_knows_the_empty_line_gives_way_as_well),
                cmocka_unit_test(a_round_trip_is_forgotten_after_ten_minutes),
                cmocka_unit_test(the_window_has_a_floor_for_each_connection),
                cmocka_unit_test(a_window_that_is_not_used_does_not_grow),
                cmocka_unit_test(losses_of_one_round_trip_halve_the_window_once),
                cmocka_unit_test(it_looks_for_the_empty_line_every_half_minute),
                cmocka_unit_test(without_a_measurement_nothing_changes),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

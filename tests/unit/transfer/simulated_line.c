#include "simulated_line.h"

#include <stdlib.h>

#include "transfer/line_use.h"

#define LATE_STEPS 4

uint64_t line_now(const struct line *line) {
        return USEC_PER_HOUR + line->step * STEP_USEC;
}

static double queued(const struct line *line) {
        double sum = line->theirs.queued;

        for (unsigned i = 0; i < line->n_ours; i++)
                sum += line->ours[i].flow.queued;
        return sum;
}

static double queue_usec(const struct line *line) {
        return queued(line) / line->rate * STEP_USEC;
}

static void flow_send(struct line *line, struct flow *flow) {
        double wanted = flow->window > flow->inflight ? flow->window - flow->inflight : 0;
        double room = line->buffer - queued(line);

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

/* All connections the same; none is heard while it is silent. */
static struct scavenger_input measure(const struct line *line, const struct place *place) {
        struct scavenger_input input = { .now_usec = line_now(line), .segment_bytes = SEGMENT };
        struct scavenger_connection connection = {
                .elapsed_usec = input.now_usec - place->ticked_usec,
                .bytes = (uint64_t) (place->flow.received - place->ticked_received) / place->n_connections,
                .rtt_usec = line->base_steps * STEP_USEC + (uint64_t) queue_usec(line),
                .guess = place->guess,
                .lost = place->flow.lost,
                .window = (uint64_t) place->flow.window / place->n_connections,
                .window_before = (uint64_t) place->window_before / place->n_connections,
        };

        for (unsigned i = 0; i < place->n_connections && !place->is_silent; i++)
                (void) scavenger_measure(&connection, &input);
        return input;
}

/* Timers are late by a little, never by the same: or who is asked just after the others gave way would always be the one that grows. */
static uint64_t late_steps(struct line *line) {
        line->chance = line->chance * 1103515245 + 12345;
        return (line->chance >> 16) % LATE_STEPS;
}

static void take_turns(struct line *line) {
        for (unsigned i = 0; i < line->n_ours; i++) {
                struct place *place = &line->ours[i];

                if (place->is_silent == place->turn.waits)
                        continue;
                place->is_silent = place->turn.waits;
                place->flow.window = place->is_silent ? 0 : (double) scavenger_window(&place->scavenger, SEGMENT);
                place->ticked_received = place->flow.received;
                place->ticked_usec = line_now(line);
                place->next_tick_usec = place->ticked_usec + scavenger_interval(&place->scavenger);
        }
}

static void note_news(struct line *line, struct place *place, const struct scavenger_input *input) {
        enum turn_news news = scavenger_has_room(&place->scavenger, SEGMENT) ? TURN_HAS_ROOM : TURN_NOTHING_NEW;

        if (scavenger_is_crowded_out(&place->scavenger, input))
                news = TURN_CROWDED_OUT;
        turns_note(&place->common->turns, &place->turn, news, input->now_usec);
}

static void place_adapt(struct line *line, struct place *place) {
        bool draining = place->scavenger.phase == SCAVENGER_DRAINING;
        struct scavenger_input input;
        double window;

        if (line_now(line) < place->next_tick_usec)
                return;
        input = measure(line, place);
        window = (double) scavenger_tick(&place->scavenger, &input);
        place->window_before = place->flow.window;
        place->flow.window = place->is_silent ? 0 : window;
        if (place->scavenger.phase == SCAVENGER_DRAINING && !draining) {
                place->n_slowdowns++;
                place->slowdown_usec = input.now_usec;
        }
        note_news(line, place, &input);
        place->ticked_received = place->flow.received;
        place->ticked_usec = input.now_usec;
        place->flow.lost = false;
        place->next_tick_usec = input.now_usec + scavenger_interval(&place->scavenger) + late_steps(line) * STEP_USEC;
}

/* As sockets.c does; what is said is heard at once. */
static void say(struct common *common, uint64_t now_usec) {
        struct line_use use;

        common->now_usec = now_usec;
        if (!common->user || (now_usec - common->said_usec < LINE_USE_INTERVAL_USEC && !common->rates.slowdown_is_news))
                return;
        scavenger_line_say(&common->rates, &use);
        common->said_usec = now_usec;
        line_uses_note(common->user, &use, now_usec);
}

static void hear(void *userdata, const struct line_use *elsewhere) {
        struct common *common = userdata;

        scavenger_line_hear(&common->rates, elsewhere, common->now_usec);
}

static void serve(struct line *line) {
        double waiting = queued(line), part = waiting > line->rate ? line->rate / waiting : 1;

        for (unsigned i = 0; i < line->n_ours; i++)
                flow_serve(line, &line->ours[i].flow, part);
        flow_serve(line, &line->theirs, part);
}

static void line_step(struct line *line) {
        for (unsigned i = 0; i < line->n_ours; i++) {
                flow_acknowledge(line, &line->ours[i].flow);
                flow_send(line, &line->ours[i].flow);
        }
        flow_acknowledge(line, &line->theirs);
        if (line->theirs_runs)
                flow_send(line, &line->theirs);
        serve(line);
        for (unsigned i = 0; i < line->n_ours; i++)
                place_adapt(line, &line->ours[i]);
        for (unsigned i = 0; i < line->n_ours; i++)
                say(line->ours[i].common, line_now(line));
        take_turns(line);
        if (line->theirs_runs)
                theirs_adapt(line);
        line->step++;
}

static void count_anew(struct line *line) {
        for (unsigned i = 0; i < line->n_ours; i++) {
                line->ours[i].ticked_received -= line->ours[i].flow.received;
                line->ours[i].flow.received = 0;
        }
        line->theirs.received = line->queue_sum = 0;
}

void line_run(struct line *line, double seconds) {
        uint64_t n = (uint64_t) (seconds * 1000);

        for (struct line *one = line; one; one = one->beside)
                count_anew(one);
        for (uint64_t i = 0; i < n; i++)
                for (struct line *one = line; one; one = one->beside) {
                        line_step(one);
                        one->queue_sum += queue_usec(one) / (double) n;
                }
}

static struct common *begin_process(struct line *line) {
        struct common *common = &line->apart[line->n_ours];

        *common = (struct common) {};
        if (line_uses_join(line->uses, common, &common->user) < 0)
                abort();
        return common;
}

void line_join(struct line *line) {
        struct common *common = line->uses ? begin_process(line) : line->common;
        struct place *place = &line->ours[line->n_ours++];

        *place = (struct place){
                .common = common,
                .flow.window = 10 * SEGMENT,
                .window_before = 10 * SEGMENT,
                .next_tick_usec = line_now(line) + line->base_steps * STEP_USEC,
                .ticked_usec = line_now(line),
                .n_connections = 1,
        };
        scavenger_init(&place->scavenger, &common->rates);
        scavenger_note_base(&place->scavenger, line_now(line), line->base_steps * STEP_USEC);
        turns_join(&common->turns, &place->turn);
}

static void begin(struct line *line, struct common *common, double mbit, unsigned rtt_ms, double buffer_ms) {
        double rate = mbit * 1e6 / 8 / 1000;

        *line = (struct line){
                .rate = rate,
                .base_steps = rtt_ms,
                .buffer = rate * buffer_ms,
                .theirs.window = 10 * SEGMENT,
                .common = common,
        };
}

void line_init(struct line *line, double mbit, unsigned rtt_ms, double buffer_ms) {
        begin(line, &line->own, mbit, rtt_ms, buffer_ms);
        line_join(line);
}

void line_init_apart(struct line *line, double mbit, unsigned rtt_ms, double buffer_ms) {
        begin(line, &line->own, mbit, rtt_ms, buffer_ms);
        if (line_uses_new(hear, &line->uses) < 0)
                abort();
        line_join(line);
}

void line_done(struct line *line) {
        for (unsigned i = 0; i < line->n_ours; i++)
                line->ours[i].common->user = line_uses_leave(line->ours[i].common->user);
        line->uses = line_uses_free(line->uses);
}

void line_init_beside(struct line *other, struct line *line, double mbit, unsigned rtt_ms, double buffer_ms) {
        begin(other, line->common, mbit, rtt_ms, buffer_ms);
        other->step = line->step;
        line->beside = other;
        line_join(other);
}

double line_share(const struct line *line, const struct flow *flow, double seconds) {
        return flow->received / (line->rate * seconds * 1000);
}

double line_share_of_ours(const struct line *line, double seconds) {
        double sum = 0;

        for (unsigned i = 0; i < line->n_ours; i++)
                sum += line_share(line, &line->ours[i].flow, seconds);
        return sum;
}

#include "transfer/scavenger.h"

#include <string.h>

#define TARGET_USEC (15 * USEC_PER_MSEC)    /* of queue delay: a page that somebody loads hardly notices it */
#define TARGET_MIN_USEC (4 * USEC_PER_MSEC) /* round trips are measured in milliseconds */
#define INTERVAL_MIN_USEC (10 * USEC_PER_MSEC)
#define INTERVAL_MAX_USEC (500 * USEC_PER_MSEC)
#define SLOWDOWN_PERIOD_USEC (30 * USEC_PER_SEC)
#define SLOWDOWN_SHARE 20 /* a slowdown takes at most this part of the time */
#define DRAIN_ROUND_TRIPS 2
#define START_SEGMENTS 10
#define GAIN_ROUND_TRIPS_MAX 16.0 /* LEDBAT++: long round trips grow faster, short ones slower */
#define GAIN_REFERENCE_USEC (120.0 * USEC_PER_MSEC)
#define IDLE_MIN_USEC (USEC_PER_SEC / 2)
#define IDLE_ROUND_TRIPS 8
#define IDLE_PART 0.6 /* of the target: below it the line has room */
#define FAST_GROWTH 1.5
#define RETURN_GROWTH 2.0
#define CUT_MAX 0.5
#define LIMITED_PART 0.7 /* of the window: so much was used, it is what holds the bytes back */
#define WINDOW_MAX (64.0 * 1024 * 1024)

void scavenger_init(struct scavenger *scavenger) {
        *scavenger = (struct scavenger){ .idle_since_usec = USEC_INFINITY };
}

void scavenger_restart(struct scavenger *scavenger) {
        scavenger->phase = SCAVENGER_SLOW_START;
        scavenger->window = 0;
        scavenger->rtt_usec = 0;
        scavenger->queue_peak_usec = 0;
        scavenger->idle_since_usec = USEC_INFINITY;
        scavenger->last_tick_usec = 0;
}

void scavenger_note_base(struct scavenger *scavenger, uint64_t now_usec, uint64_t rtt_usec) {
        uint64_t minute = now_usec / USEC_PER_MINUTE, passed = minute - scavenger->base_minute;
        uint64_t *base = scavenger->base_usec;

        if (passed > 0) {
                size_t n = (size_t) MIN(passed, (uint64_t) SCAVENGER_BASE_MINUTES);

                memmove(base + n, base, (SCAVENGER_BASE_MINUTES - n) * sizeof(*base));
                memset(base, 0, n * sizeof(*base));
                scavenger->base_minute = minute;
        }
        if (rtt_usec > 0 && (base[0] == 0 || rtt_usec < base[0]))
                base[0] = rtt_usec;
}

uint64_t scavenger_base(const struct scavenger *scavenger) {
        uint64_t base = 0;

        for (size_t i = 0; i < SCAVENGER_BASE_MINUTES; i++)
                if (scavenger->base_usec[i] > 0 && (base == 0 || scavenger->base_usec[i] < base))
                        base = scavenger->base_usec[i];
        return base;
}

uint64_t scavenger_interval(const struct scavenger *scavenger) {
        uint64_t rtt = scavenger->rtt_usec > 0 ? scavenger->rtt_usec : scavenger_base(scavenger);

        return MIN(MAX(rtt, (uint64_t) INTERVAL_MIN_USEC), (uint64_t) INTERVAL_MAX_USEC);
}

static double floor_of(const struct scavenger_input *input) {
        return (double) SCAVENGER_FLOOR_SEGMENTS * input->segment_bytes * input->n_connections;
}

/* Half of what the buffer holds where that is less: a queue that overflows at 10 ms never shows 15. */
static uint64_t target_of(const struct scavenger *scavenger) {
        if (scavenger->loss_delay_usec == 0)
                return TARGET_USEC;
        return MIN(MAX(scavenger->loss_delay_usec / 2, (uint64_t) TARGET_MIN_USEC), (uint64_t) TARGET_USEC);
}

bool scavenger_is_crowded_out(const struct scavenger *scavenger, const struct scavenger_input *input) {
        return scavenger->phase == SCAVENGER_STEADY && scavenger->window <= floor_of(input) &&
               scavenger->rtt_usec > scavenger_base(scavenger) + target_of(scavenger);
}

static void enter_steady(struct scavenger *scavenger, uint64_t now_usec) {
        /* The first slow start may have begun on a queue of its own making: look once, soon. */
        if (scavenger->next_slowdown_usec == 0)
                scavenger->next_slowdown_usec = now_usec + USEC_PER_SEC;
        scavenger->phase = SCAVENGER_STEADY;
        scavenger->idle_since_usec = USEC_INFINITY;
}

static void begin_slowdown(struct scavenger *scavenger, const struct scavenger_input *input) {
        scavenger->phase = SCAVENGER_DRAINING;
        scavenger->window_before = scavenger->window;
        scavenger->window = floor_of(input);
        scavenger->slowdown_began_usec = input->now_usec;
        scavenger->phase_until_usec = input->now_usec + (DRAIN_ROUND_TRIPS + 1) * scavenger->rtt_usec;
}

static void end_slowdown(struct scavenger *scavenger, uint64_t now_usec) {
        uint64_t took = now_usec - scavenger->slowdown_began_usec;

        scavenger->next_slowdown_usec = now_usec + MAX((uint64_t) SLOWDOWN_PERIOD_USEC, SLOWDOWN_SHARE * took);
        enter_steady(scavenger, now_usec);
}

static void grow_steadily(struct scavenger *scavenger, const struct scavenger_input *input, double queue, double base,
                          double target) {
        double gain = 1.0 / MIN(GAIN_ROUND_TRIPS_MAX, 1.0 + GAIN_REFERENCE_USEC / base);
        uint64_t patience = MAX((uint64_t) IDLE_MIN_USEC, IDLE_ROUND_TRIPS * scavenger->rtt_usec);

        scavenger->window += gain * input->segment_bytes;
        if (queue >= IDLE_PART * target) {
                scavenger->idle_since_usec = USEC_INFINITY;
                return;
        }
        if (scavenger->idle_since_usec == USEC_INFINITY)
                scavenger->idle_since_usec = input->now_usec;
        if (input->now_usec - scavenger->idle_since_usec >= patience)
                scavenger->window +=
                        scavenger->window * MIN(0.25, target / (2 * base)) * (1 - queue / (IDLE_PART * target));
}

/* LEDBAT++: more than what would just bring the queue back to the target; somebody else is coming, and is to have the room at once. */
static void give_way(struct scavenger *scavenger, double queue, double target) {
        scavenger->window *= MAX(CUT_MAX, 2 - queue / target);
        scavenger->idle_since_usec = USEC_INFINITY;
}

/* Once per round trip; a burst of losses is one event. Return: it counted. */
static bool take_loss(struct scavenger *scavenger, const struct scavenger_input *input) {
        if (!input->lost || input->now_usec - scavenger->last_loss_usec < scavenger->rtt_usec)
                return false;
        scavenger->last_loss_usec = input->now_usec;
        scavenger->loss_delay_usec = scavenger->loss_delay_usec == 0
                                             ? scavenger->queue_peak_usec
                                             : (3 * scavenger->loss_delay_usec + scavenger->queue_peak_usec) / 4;
        scavenger->window *= 0.5;
        scavenger->idle_since_usec = USEC_INFINITY;
        return true;
}

static void move(struct scavenger *scavenger, const struct scavenger_input *input, bool limited, double queue,
                 double base) {
        double target = (double) target_of(scavenger);

        switch (scavenger->phase) {
        case SCAVENGER_SLOW_START:
                if (queue > 0.75 * target)
                        enter_steady(scavenger, input->now_usec);
                else if (limited)
                        scavenger->window *= FAST_GROWTH;
                break;
        case SCAVENGER_STEADY:
                if (queue > target)
                        give_way(scavenger, queue, target);
                else if (limited)
                        grow_steadily(scavenger, input, queue, base, target);
                if (input->now_usec >= scavenger->next_slowdown_usec)
                        begin_slowdown(scavenger, input);
                break;
        case SCAVENGER_DRAINING:
                if (input->now_usec >= scavenger->phase_until_usec)
                        scavenger->phase = SCAVENGER_RETURNING;
                break;
        case SCAVENGER_RETURNING:
                if (queue > target) {
                        give_way(scavenger, queue, target); /* somebody came meanwhile */
                        end_slowdown(scavenger, input->now_usec);
                } else if (scavenger->window * RETURN_GROWTH >= scavenger->window_before) {
                        scavenger->window = scavenger->window_before;
                        end_slowdown(scavenger, input->now_usec);
                } else
                        scavenger->window *= RETURN_GROWTH;
                break;
        }
}

uint64_t scavenger_tick(struct scavenger *scavenger, const struct scavenger_input *input) {
        uint64_t elapsed = input->now_usec - scavenger->last_tick_usec, base, queue;
        bool first = scavenger->last_tick_usec == 0, limited;

        if (scavenger->window <= 0)
                scavenger->window = (double) START_SEGMENTS * input->segment_bytes;
        if (first || elapsed == 0 || input->rtt_usec == 0) {
                if (first || input->rtt_usec == 0)
                        scavenger->last_tick_usec = input->now_usec;
                return (uint64_t) MAX(scavenger->window, floor_of(input));
        }
        scavenger->last_tick_usec = input->now_usec;
        scavenger->rtt_usec = input->rtt_usec;
        scavenger_note_base(scavenger, input->now_usec, input->rtt_usec);
        base = scavenger_base(scavenger);
        queue = input->rtt_usec - base;
        scavenger->queue_peak_usec = MAX(queue, scavenger->queue_peak_usec * 3 / 4);
        limited =
                (double) input->bytes * (double) input->rtt_usec / (double) elapsed >= LIMITED_PART * scavenger->window;
        if (take_loss(scavenger, input)) {
                if (scavenger->phase == SCAVENGER_SLOW_START)
                        enter_steady(scavenger, input->now_usec);
        } else
                move(scavenger, input, limited, (double) queue, (double) base);
        scavenger->window = MIN(MAX(scavenger->window, floor_of(input)), WINDOW_MAX);
        return (uint64_t) scavenger->window;
}

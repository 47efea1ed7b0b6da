#include "transfer/scavenger.h"

#include <string.h>

#define TARGET_USEC (15.0 * USEC_PER_MSEC)    /* of queue delay: a page that somebody loads hardly notices it */
#define SHARE_MIN (1.0 / 3)                   /* or the jitter of a radio link would look like somebody who fills it */
#define TARGET_MIN_USEC (4.0 * USEC_PER_MSEC) /* round trips are measured in milliseconds */
#define EVEN_PART 0.1 /* of the target, for who has nothing of what siblings have */
#define INTERVAL_MIN_USEC (10 * USEC_PER_MSEC)
#define INTERVAL_MAX_USEC (500 * USEC_PER_MSEC)
#define SLOWDOWN_PERIOD_USEC (30 * USEC_PER_SEC)
#define SLOWDOWN_SHARE 20 /* a slowdown takes at most this part of the time */
#define JOIN_USEC (USEC_PER_SEC / 2)
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
#define SHOW_ROUND_TRIPS 2
#define IN_FORCE_PART 1.25
#define LIMITED_PART 0.7 /* of the window: so much was used, it is what holds the bytes back */
#define FINE_SEGMENTS 32 /* one more or less does not matter */
#define SMALL_SEGMENTS \
        UINT64_C(3) /* a window is used in whole segments, and in whole pairs if acknowledgements are not to wait */
#define ROOM_FLOORS 2 /* so many of them: less comes and goes while others are there */
#define WINDOW_MAX (64.0 * 1024 * 1024)

void scavenger_init(struct scavenger *scavenger, struct scavenger_line *line) {
        *scavenger = (struct scavenger){ .line = line, .share = 1, .idle_since_usec = USEC_INFINITY };
}

/* Its part of the line's rates. */
static void have(struct scavenger *scavenger, double low, double high) {
        scavenger->line->low += low - scavenger->low;
        scavenger->line->high += high - scavenger->high;
        scavenger->line->n += (high > 0) - (scavenger->high > 0);
        scavenger->low = low;
        scavenger->high = high;
}

void scavenger_pause(struct scavenger *scavenger) {
        have(scavenger, 0, 0);
}

void scavenger_restart(struct scavenger *scavenger) {
        scavenger->phase = SCAVENGER_SLOW_START;
        scavenger->grew = false;
        scavenger->window = 0;
        scavenger->rtt_usec = 0;
        scavenger->rate = 0;
        scavenger->share = 1;
        scavenger->queue_peak_usec = 0;
        scavenger->idle_since_usec = USEC_INFINITY;
}

static void shift(void *of_minutes, size_t item, size_t n) {
        memmove((char *) of_minutes + n * item, of_minutes, (SCAVENGER_MINUTES - n) * item);
        memset(of_minutes, 0, n * item);
}

/* Return: how many minutes have passed since @minute, which is the present one now. */
static size_t begin_minute(uint64_t *minute, uint64_t now_usec) {
        uint64_t now = now_usec / USEC_PER_MINUTE;
        size_t n = (size_t) MIN(now - *minute, (uint64_t) SCAVENGER_MINUTES);

        *minute = now;
        return n;
}

void scavenger_note_base(struct scavenger *scavenger, uint64_t now_usec, uint64_t rtt_usec) {
        uint64_t *base = scavenger->base_usec;

        shift(base, sizeof(*base), begin_minute(&scavenger->minute, now_usec));
        if (rtt_usec > 0 && (base[0] == 0 || rtt_usec < base[0]))
                base[0] = rtt_usec;
}

uint64_t scavenger_base(const struct scavenger *scavenger) {
        uint64_t base = 0;

        for (size_t i = 0; i < SCAVENGER_MINUTES; i++)
                if (scavenger->base_usec[i] > 0 && (base == 0 || scavenger->base_usec[i] < base))
                        base = scavenger->base_usec[i];
        return base;
}

/* What the line once gave. */
static double best_rate(const struct scavenger_line *line) {
        double best = 0;

        for (size_t i = 0; i < SCAVENGER_MINUTES; i++)
                best = MAX(best, line->best_rate[i]);
        return best;
}

/* What all of ours have of it now, those of other processes included. */
static double low_of(const struct scavenger_line *line) {
        return line->low + (double) line->elsewhere.low;
}

static double high_of(const struct scavenger_line *line) {
        return line->high + (double) line->elsewhere.high;
}

static unsigned n_of(const struct scavenger_line *line) {
        return line->n + line->elsewhere.n;
}

/* Processes hear of each other late, and what one has lost by then another has already: so each counts as little as it was in that time, or
 * the line would seem to hold more than it does; and as much. */
static void remember_extremes(struct scavenger_line *line) {
        line->lowest[0] = MIN(line->lowest[0], line->low);
        line->highest[0] = MAX(line->highest[0], line->high);
}

static double lowest_of_ours(const struct scavenger_line *line) {
        return MAX(MIN(line->lowest[0], line->lowest[1]), 0.0);
}

/* What all had at the same time, whatever was when. */
static double sure_of(const struct scavenger_line *line) {
        return line->elsewhere.n > 0 ? lowest_of_ours(line) + (double) line->elsewhere.low : line->low;
}

void scavenger_line_say(struct scavenger_line *line, struct line_use *ret) {
        double low = lowest_of_ours(line), high = MAX(line->highest[0], line->highest[1]);

        *ret = (struct line_use) { .slowdown = line->slowdown_is_news };
        if (line->n > 0) {
                ret->low = (uint64_t) MIN(low, (double) LINE_USE_RATE_MAX);
                ret->high = MAX((uint64_t) MIN(high, (double) LINE_USE_RATE_MAX), ret->low);
                ret->n = MIN(line->n, LINE_USE_N_MAX);
        } else
                line->elsewhere = (struct line_use) {};
        line->slowdown_is_news = false;
        line->lowest[1] = line->lowest[0];
        line->highest[1] = line->highest[0];
        line->lowest[0] = line->low;
        line->highest[0] = line->high;
}

void scavenger_line_hear(struct scavenger_line *line, const struct line_use *elsewhere, uint64_t now_usec) {
        line->elsewhere = *elsewhere;
        if (elsewhere->slowdown)
                line->slowdown_usec = now_usec;
}

/* Of what the line once gave: how much of it is ours. */
static double share_of_line(struct scavenger *scavenger, uint64_t now_usec, double rate) {
        struct scavenger_line *line = scavenger->line;
        double best;

        have(scavenger, MIN(rate, scavenger->rate), MAX(rate, scavenger->rate));
        scavenger->rate = rate;
        shift(line->best_rate, sizeof(line->best_rate[0]), begin_minute(&line->minute, now_usec));
        remember_extremes(line);
        line->best_rate[0] = MAX(line->best_rate[0], sure_of(line));
        best = best_rate(line);
        return best > 0 ? MIN(high_of(line) / best, 1.0) : 1.0;
}

uint64_t scavenger_interval(const struct scavenger *scavenger) {
        uint64_t rtt = scavenger->rtt_usec > 0 ? scavenger->rtt_usec : scavenger_base(scavenger);

        if (scavenger->guess) /* or a segment more or less would look like a queue */
                rtt *= scavenger->coarse ? 4 : 2;
        return MIN(MAX(rtt, (uint64_t) INTERVAL_MIN_USEC), (uint64_t) INTERVAL_MAX_USEC);
}

/* Of less, an acknowledgement would wait for the next segment, and look like a queue. */
static unsigned floor_segments(const struct scavenger *scavenger) {
        return scavenger->guess ? SCAVENGER_GUESS_SEGMENTS : SCAVENGER_FLOOR_SEGMENTS;
}

static double floor_of(const struct scavenger *scavenger, uint32_t segment_bytes) {
        return (double) floor_segments(scavenger) * segment_bytes;
}

/* Half of what the buffer holds where that is less: a queue that overflows at 10 ms never shows 15. */
static double full_target(const struct scavenger *scavenger) {
        double target = TARGET_USEC;

        if (scavenger->loss_delay_usec > 0)
                target = MIN(target, (double) scavenger->loss_delay_usec / 2);
        return MAX(target, TARGET_MIN_USEC);
}

/* Siblings see the same queue, and small errors in what each takes for the empty line would in time give one of them all. So who has more
 * than an equal part is content with a little less of a queue, and who has less goes on a little longer. */
static double evening_of(const struct scavenger *scavenger) {
        const struct scavenger_line *line = scavenger->line;
        double of_equal = n_of(line) > 1 && low_of(line) > 0 ? scavenger->low * n_of(line) / low_of(line) : 1;

        return MAX(1 + EVEN_PART * (1 - of_equal), 1 - 2 * EVEN_PART);
}

/* Less where there is a queue though most of the line is not ours: the queue is not, either, and who made it would have more. */
static double target_of(const struct scavenger *scavenger) {
        double target = full_target(scavenger);

        if (scavenger->phase == SCAVENGER_STEADY && /* else it is our own doing that we have little */
            !scavenger->guess)                      /* which is not as exact */
                target *= MAX(scavenger->share, SHARE_MIN) * evening_of(scavenger);
        return MAX(target, TARGET_MIN_USEC);
}

bool scavenger_is_crowded_out(const struct scavenger *scavenger, const struct scavenger_input *input) {
        return scavenger->phase == SCAVENGER_STEADY && scavenger->window <= floor_of(scavenger, input->segment_bytes) &&
               (double) scavenger->rtt_usec > (double) scavenger_base(scavenger) + target_of(scavenger);
}

bool scavenger_has_room(const struct scavenger *scavenger, uint32_t segment_bytes) {
        return scavenger->phase == SCAVENGER_STEADY && scavenger->window >= ROOM_FLOORS * floor_of(scavenger, segment_bytes);
}

static void enter_steady(struct scavenger *scavenger, uint64_t now_usec) {
        /* The first slow start may have begun on a queue of its own making: look once, soon. */
        if (scavenger->next_slowdown_usec == 0)
                scavenger->next_slowdown_usec = now_usec + USEC_PER_SEC;
        scavenger->phase = SCAVENGER_STEADY;
        scavenger->idle_since_usec = USEC_INFINITY;
}

/* Its own, or that of another place, just now. */
static bool slowdown_is_due(struct scavenger *scavenger, uint64_t now_usec) {
        struct scavenger_line *line = scavenger->line;

        if (now_usec >= scavenger->next_slowdown_usec) {
                line->slowdown_usec = now_usec;
                line->slowdown_is_news = true;
                return true;
        }
        return line->slowdown_usec > scavenger->slowdown_began_usec && now_usec - line->slowdown_usec < JOIN_USEC &&
               now_usec >= scavenger->may_join_usec;
}

/* What to return to after a slowdown. Who began first or last would keep most of the line for ever: each goes half of the way to an equal
 * part of it. Not who was crowded out: that line may be another one. */
static double window_to_return_to(const struct scavenger *scavenger, const struct scavenger_input *input) {
        const struct scavenger_line *line = scavenger->line;
        double equal;

        if (n_of(line) < 2 || !scavenger_has_room(scavenger, input->segment_bytes))
                return scavenger->window;
        equal = low_of(line) / n_of(line) * (double) scavenger->rtt_usec / USEC_PER_SEC;
        return (scavenger->window + equal) / 2;
}

static void begin_slowdown(struct scavenger *scavenger, const struct scavenger_input *input) {
        scavenger->window_before = window_to_return_to(scavenger, input);
        scavenger->phase = SCAVENGER_DRAINING;
        scavenger->window = floor_of(scavenger, input->segment_bytes);
        scavenger->slowdown_began_usec = input->now_usec;
        scavenger->phase_until_usec = input->now_usec + (DRAIN_ROUND_TRIPS + 1) * scavenger->rtt_usec;
}

static void end_slowdown(struct scavenger *scavenger, uint64_t now_usec) {
        uint64_t took = now_usec - scavenger->slowdown_began_usec;

        scavenger->may_join_usec = now_usec + SLOWDOWN_SHARE * took;
        scavenger->next_slowdown_usec = MAX(now_usec + SLOWDOWN_PERIOD_USEC, scavenger->may_join_usec);
        enter_steady(scavenger, now_usec);
}

/* Of a line that has been nearly empty for some time: what comes in one burst is to stay half a target, also where the window is a small
 * part of what the line held once and a long round trip lets it grow but slowly. */
static double idle_growth(const struct scavenger *scavenger, double base) {
        double half = full_target(scavenger) / 2;

        return MIN(0.25 * scavenger->window, MAX(scavenger->window * half / base, best_rate(scavenger->line) * half / USEC_PER_SEC));
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
                scavenger->window += idle_growth(scavenger, base) * (1 - queue / (IDLE_PART * target));
}

/* A window that was offered is not taken back: for a round trip what comes is what an older one let come, and so is the queue. */
static bool is_in_force(const struct scavenger *scavenger, const struct scavenger_input *input) {
        return (double) input->flight <= IN_FORCE_PART * scavenger->window + floor_of(scavenger, input->segment_bytes);
}

static bool has_yet_to_show(const struct scavenger *scavenger, const struct scavenger_input *input) {
        return input->now_usec - scavenger->gave_way_usec < SHOW_ROUND_TRIPS * input->rtt_usec &&
               !is_in_force(scavenger, input);
}

/* LEDBAT++: more than what would just bring the queue back to the target; somebody else is coming, and is to have the room at once. */
static void give_way(struct scavenger *scavenger, const struct scavenger_input *input, double queue, double target) {
        scavenger->idle_since_usec = USEC_INFINITY;
        if (has_yet_to_show(scavenger, input))
                return;
        scavenger->window *= MAX(CUT_MAX, 2 - queue / target);
        scavenger->gave_way_usec = input->now_usec;
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

static void grow_fast(struct scavenger *scavenger, double factor) {
        scavenger->window *= factor;
        scavenger->grew = true;
}

/* What a window that grew fast let come at once makes a queue that is gone a round trip later. Asked again, it is somebody else's. */
static bool is_own_burst(struct scavenger *scavenger) {
        bool grew = scavenger->grew;

        scavenger->grew = false;
        return grew;
}

static void move(struct scavenger *scavenger, const struct scavenger_input *input, double queue, double base) {
        double target = target_of(scavenger);

        switch (scavenger->phase) {
        case SCAVENGER_SLOW_START:
                if (!is_in_force(scavenger, input))
                        break; /* what each connection may send before it hears of a window */
                if (queue > 0.75 * target && !is_own_burst(scavenger))
                        enter_steady(scavenger, input->now_usec);
                else if (queue <= 0.75 * target && input->limited)
                        grow_fast(scavenger, FAST_GROWTH);
                break;
        case SCAVENGER_STEADY:
                if (queue > target)
                        give_way(scavenger, input, queue, target);
                else if (input->limited)
                        grow_steadily(scavenger, input, queue, base, target);
                if (slowdown_is_due(scavenger, input->now_usec))
                        begin_slowdown(scavenger, input);
                break;
        case SCAVENGER_DRAINING:
                if (input->now_usec >= scavenger->phase_until_usec) {
                        scavenger->phase = SCAVENGER_RETURNING;
                        scavenger->grew = false;
                }
                break;
        case SCAVENGER_RETURNING:
                if (queue > target) {
                        if (is_own_burst(scavenger))
                                break;
                        give_way(scavenger, input, queue, target); /* somebody came meanwhile */
                        end_slowdown(scavenger, input->now_usec);
                } else if (scavenger->window * RETURN_GROWTH >= scavenger->window_before) {
                        scavenger->window = scavenger->window_before;
                        end_slowdown(scavenger, input->now_usec);
                } else
                        grow_fast(scavenger, RETURN_GROWTH);
                break;
        }
}

uint64_t scavenger_window(const struct scavenger *scavenger, uint32_t segment_bytes) {
        double window = scavenger->window > 0 ? scavenger->window : (double) START_SEGMENTS * segment_bytes;

        return (uint64_t) MAX(window, floor_of(scavenger, segment_bytes));
}

unsigned scavenger_n_awake(const struct scavenger *scavenger, unsigned n_awake, unsigned n, uint32_t segment_bytes) {
        uint64_t segments = scavenger_window(scavenger, segment_bytes) / segment_bytes;
        uint64_t least = segments / floor_segments(scavenger), wanted = n_awake;
        uint64_t most = scavenger->guess ? segments / SCAVENGER_GUESS_SEGMENTS : segments - 1;

        if (scavenger->phase != SCAVENGER_STEADY) /* for a moment only */
                return MIN(n_awake, n);
        /* Between these two nothing changes, or each small step of the window would put one to sleep or wake it. */
        wanted = MAX(wanted, least);
        wanted = MIN(wanted, most);
        wanted = MIN(wanted, (uint64_t) n);
        return (unsigned) MAX(wanted, UINT64_C(1));
}

uint64_t scavenger_tick(struct scavenger *scavenger, const struct scavenger_input *input) {
        uint64_t base, queue;

        scavenger->guess = input->guess;
        scavenger->window = (double) scavenger_window(scavenger, input->segment_bytes);
        scavenger_note_base(scavenger, input->now_usec, input->guess ? 0 : input->rtt_usec);
        base = scavenger_base(scavenger);
        scavenger->share = share_of_line(scavenger, input->now_usec, input->rate);
        if (input->rtt_usec == 0 || base == 0)
                return (uint64_t) scavenger->window;
        scavenger->rtt_usec = input->guess ? MAX(input->rtt_usec, base) : input->rtt_usec;
        queue = scavenger->rtt_usec - MIN(base, scavenger->rtt_usec);
        scavenger->queue_peak_usec = MAX(queue, scavenger->queue_peak_usec * 3 / 4);
        if (take_loss(scavenger, input)) {
                if (scavenger->phase == SCAVENGER_SLOW_START)
                        enter_steady(scavenger, input->now_usec);
        } else
                move(scavenger, input, (double) queue, (double) base);
        scavenger->window = MIN(MAX(scavenger->window, floor_of(scavenger, input->segment_bytes)), WINDOW_MAX);
        scavenger->coarse = scavenger->window < FINE_SEGMENTS * (double) input->segment_bytes;
        return (uint64_t) scavenger->window;
}

/* ---- one connection of many ---- */

/* Little's law: a sender keeps the window full. Where it has just changed, what came is of the old one. */
static uint64_t guess_rtt(const struct scavenger_connection *connection) {
        uint64_t now = connection->window, before = connection->window_before;

        if (MAX(now, before) - MIN(now, before) > now / 8)
                return 0;
        return (uint64_t) ((double) now * (double) connection->elapsed_usec / (double) connection->bytes);
}

static void add_rtt(struct scavenger_input *input, uint64_t rtt_usec, uint64_t bytes) {
        double sum = (double) input->rtt_usec * (double) input->rtt_bytes + (double) rtt_usec * (double) bytes;

        input->rtt_bytes += bytes;
        input->rtt_usec = (uint64_t) (sum / (double) input->rtt_bytes);
}

static bool uses(const struct scavenger_connection *connection, uint64_t flight, uint64_t window,
                 uint32_t segment_bytes) {
        if (window < SMALL_SEGMENTS * segment_bytes)
                return connection->bytes > 0;
        return (double) flight >= LIMITED_PART * (double) window;
}

uint64_t scavenger_measure(const struct scavenger_connection *connection, struct scavenger_input *input) {
        uint64_t small = SMALL_SEGMENTS * input->segment_bytes, rtt, flight = 0, wanted;

        input->lost |= connection->lost;
        input->guess |= connection->guess;
        input->rate += (double) connection->bytes * (double) USEC_PER_SEC / (double) connection->elapsed_usec;
        if (connection->bytes > 0) {
                rtt = connection->guess ? guess_rtt(connection) : connection->rtt_usec;
                if (rtt == 0)
                        return UINT64_MAX;
                add_rtt(input, rtt, connection->bytes);
                flight = (uint64_t) ((double) connection->bytes * (double) rtt / (double) connection->elapsed_usec);
                input->flight += flight;
        }
        input->limited |= uses(connection, flight, connection->window, input->segment_bytes);
        /* What comes in the first round trip of a larger window was sent in the smaller one. */
        if (uses(connection, flight, MIN(connection->window, connection->window_before), input->segment_bytes))
                return UINT64_MAX;
        wanted = MAX(2 * flight, connection->window / 2);
        return MAX(wanted, small);
}

void scavenger_shares_begin(struct scavenger_shares *shares, uint64_t window, unsigned n_connections) {
        *shares = (struct scavenger_shares){ .equal = window / n_connections };
}

void scavenger_shares_add(struct scavenger_shares *shares, uint64_t wanted) {
        if (wanted < shares->equal)
                shares->spare += shares->equal - wanted;
        else
                shares->n_hungry++;
}

uint64_t scavenger_shares_get(const struct scavenger_shares *shares, uint64_t wanted) {
        return wanted < shares->equal ? wanted : shares->equal + shares->spare / shares->n_hungry;
}

/* How much all background connections to one place may have on the way: what nobody else wants (after LEDBAT++ and RFC 9840). A pure
 * control law over values: knows no sockets, no clock, no requests (sockets.c brings it what the kernel measured).
 *
 * The signal is the delay in queues: round trip now minus the shortest one of the last minutes. It grows the window while that delay
 * is below a target, and gives way fast when it is above, to the floor if need be: then somebody else fills the line. The less all
 * places together, those of other transfer processes included, have of their best rate of the last minutes, the less of a queue they take for their own: each for itself would take
 * its siblings for somebody else, and the last to come would have all.
 *
 * 1. scavenger_init() once for each place; keep it when the last connection closes, so that the next one knows the empty line's
 *    round trip (a latecomer who measured a full queue would take it for the line's own delay).
 * 2. scavenger_note_base() with the handshake's round trip of each new connection.
 * 3. Every scavenger_interval() while bytes may come: scavenger_measure() for each connection, then scavenger_tick(). Its answer is the
 *    window of all connections together, for as many of them as scavenger_n_awake() says; scavenger_shares_…() divide it.
 * 4. scavenger_pause() after the last connection, scavenger_restart() when it was long ago.
 * 5. scavenger_line_say() tells what the places of this process have, scavenger_line_hear() takes what those of the others have. */
#pragma once

#include "transfer/line_use.h"

#define SCAVENGER_MINUTES 10
/* Of all connections together: fewer of them have it when it is that small. */
#define SCAVENGER_FLOOR_SEGMENTS 2
#define SCAVENGER_GUESS_SEGMENTS 4 /* where the window has to tell the round trip */

enum scavenger_phase {
        SCAVENGER_SLOW_START, /* grows fast until there is a queue */
        SCAVENGER_STEADY,
        SCAVENGER_DRAINING,   /* at the floor, so that a queue of our own making shows itself */
        SCAVENGER_RETURNING,  /* back to the window from before */
};

/* What all of one process have, and those of the others: the line to all places begins as one. All zero at first. */
struct scavenger_line {
        uint64_t minute;
        double best_rate[SCAVENGER_MINUTES]; /* bytes per second */
        double low, high; /* of each the lower and the higher rate of its last two ticks: a single one may see a burst */
        unsigned n;       /* who have a rate */
        double lowest[2], highest[2]; /* of low and high: since it was last said, and in the time before that */
        struct line_use elsewhere;
        uint64_t slowdown_usec; /* when one of all began one; the others join it, or their queue would hide its base */
        bool slowdown_is_news;  /* it is one of ours, and was not said yet */
};

struct scavenger {
        struct scavenger_line *line;
        enum scavenger_phase phase;
        bool guess;             /* the last tick's round trip was one */
        bool coarse;            /* so small a window that a segment more or less counts */
        double window;          /* bytes */
        double window_before;   /* of a slowdown */
        bool grew;              /* fast, since it was last asked whose queue it is */
        uint64_t minute;        /* what the first of these is for */
        uint64_t base_usec[SCAVENGER_MINUTES]; /* the shortest round trip; 0: none */
        double rate;            /* of the last tick */
        double low, high;       /* its part of the line's */
        double share;           /* of the line's best rate */
        uint64_t rtt_usec;      /* the last one that was known */
        uint64_t loss_delay_usec;  /* queue delay at losses: the buffer is not deeper; 0: unknown */
        uint64_t queue_peak_usec;  /* of the last ticks */
        uint64_t idle_since_usec;  /* the queue is nearly empty since; USEC_INFINITY: it is not */
        uint64_t phase_until_usec;
        uint64_t slowdown_began_usec, next_slowdown_usec;
        uint64_t may_join_usec; /* a slowdown of another one's */
        uint64_t last_loss_usec;
        uint64_t gave_way_usec;
};

/* One connection since the last tick. */
struct scavenger_connection {
        uint64_t elapsed_usec;  /* not 0 */
        uint64_t bytes;         /* received */
        uint64_t rtt_usec;      /* as the received data shows it; 0: not known yet */
        bool guess;             /* its data shows no round trips: the window has to tell */
        bool lost;
        uint64_t window;        /* that it had */
        uint64_t window_before; /* in the interval before */
};

/* All of them together: what scavenger_measure() adds up, and two fields from outside. */
struct scavenger_input {
        uint64_t now_usec;      /* CLOCK_MONOTONIC */
        uint32_t segment_bytes; /* MSS */

        uint64_t rtt_usec;      /* mean; 0: nothing to go by */
        uint64_t rtt_bytes;     /* it is the mean of those */
        uint64_t flight;        /* bytes that came within one round trip */
        double rate;            /* bytes per second */
        bool guess;             /* it says nothing of the empty line */
        bool lost;
        bool limited;           /* one of them would have used a larger window */
};

/* How a window is divided: who wants less than an equal part gets that, the others share what is left. */
struct scavenger_shares {
        uint64_t equal, spare;
        unsigned n_hungry;
};

/* @line must outlive it. */
void scavenger_init(struct scavenger *scavenger, struct scavenger_line *line);
void scavenger_note_base(struct scavenger *scavenger, uint64_t now_usec, uint64_t rtt_usec);
/* After a time without background connections: the window starts small again; the round trips stay. */
void scavenger_restart(struct scavenger *scavenger);
/* Without connections: it has nothing of the line. */
void scavenger_pause(struct scavenger *scavenger);
/* Return: a larger window than this the connection would not use; UINT64_MAX: it would use any. */
uint64_t scavenger_measure(const struct scavenger_connection *connection, struct scavenger_input *input);
uint64_t scavenger_tick(struct scavenger *scavenger, const struct scavenger_input *input);
/* The answer of the last tick. */
uint64_t scavenger_window(const struct scavenger *scavenger, uint32_t segment_bytes);
/* In a process whose places have nothing, those of the others do not matter either. */
void scavenger_line_say(struct scavenger_line *line, struct line_use *ret);
void scavenger_line_hear(struct scavenger_line *line, const struct line_use *elsewhere, uint64_t now_usec);
/* How many of @n connections can use the window, where @n_awake did so far: a window below a segment or two cannot be offered, and many
 * such windows are more than one that is at the floor. From 1 to @n, both at least 1. */
unsigned scavenger_n_awake(const struct scavenger *scavenger, unsigned n_awake, unsigned n, uint32_t segment_bytes);
/* @wanted: the answers of scavenger_measure(). First all of them are added, then each is asked for. */
void scavenger_shares_begin(struct scavenger_shares *shares, uint64_t window, unsigned n_connections);
void scavenger_shares_add(struct scavenger_shares *shares, uint64_t wanted);
uint64_t scavenger_shares_get(const struct scavenger_shares *shares, uint64_t wanted);
/* Until the next tick: about one round trip. */
uint64_t scavenger_interval(const struct scavenger *scavenger);
/* The round trip of the empty line; 0: not known yet. */
uint64_t scavenger_base(const struct scavenger *scavenger);
/* Somebody else fills the line: the window is at its floor. */
bool scavenger_is_crowded_out(const struct scavenger *scavenger, const struct scavenger_input *input);
/* They left some: the window is well above it again. */
bool scavenger_has_room(const struct scavenger *scavenger, uint32_t segment_bytes);

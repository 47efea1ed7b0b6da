/* How much all background connections to one place may have on the way: what nobody else wants (after LEDBAT++ and RFC 9840). A pure
 * control law over values: knows no sockets, no clock, no requests (sockets.c brings it what the kernel measured).
 *
 * The signal is the delay in queues: round trip now minus the shortest one of the last minutes. It grows the window while that delay
 * is below a target, and gives way fast when it is above, to the floor if need be: then somebody else fills the line.
 *
 * 1. scavenger_init() once for each place; keep it when the last connection closes, so that the next one knows the empty line's
 *    round trip (a latecomer who measured a full queue would take it for the line's own delay).
 * 2. scavenger_note_base() with the handshake's round trip of each new connection.
 * 3. scavenger_tick() every scavenger_interval() while bytes may come. Its answer is the window of all connections together. */
#pragma once

#include "base/clock.h"

#define SCAVENGER_BASE_MINUTES 10
/* Less stalls a connection: delayed acknowledgements wait for a second segment. */
#define SCAVENGER_FLOOR_SEGMENTS 2

enum scavenger_phase {
        SCAVENGER_SLOW_START, /* grows fast until there is a queue */
        SCAVENGER_STEADY,
        SCAVENGER_DRAINING,   /* at the floor, so that a queue of our own making shows itself */
        SCAVENGER_RETURNING,  /* back to the window from before */
};

struct scavenger {
        enum scavenger_phase phase;
        double window;          /* bytes */
        double window_before;   /* of a slowdown */
        uint64_t base_usec[SCAVENGER_BASE_MINUTES]; /* the shortest round trip of each minute; 0: none */
        uint64_t base_minute;   /* what base_usec[0] is for */
        uint64_t rtt_usec;      /* the last one that was known */
        uint64_t loss_delay_usec;  /* queue delay at losses: the buffer is not deeper; 0: unknown */
        uint64_t queue_peak_usec;  /* of the last ticks */
        uint64_t idle_since_usec;  /* the queue is nearly empty since; USEC_INFINITY: it is not */
        uint64_t phase_until_usec;
        uint64_t slowdown_began_usec, next_slowdown_usec;
        uint64_t last_tick_usec;   /* 0: begin anew */
        uint64_t last_loss_usec;
};

struct scavenger_input {
        uint64_t now_usec;   /* CLOCK_MONOTONIC */
        uint64_t rtt_usec;   /* round trip as the received data shows it; 0: nothing to go by */
        uint64_t bytes;      /* received by all connections since the last tick */
        bool lost;           /* something was lost since the last tick */
        unsigned n_connections; /* at least 1 */
        uint32_t segment_bytes; /* MSS */
};

void scavenger_init(struct scavenger *scavenger);
void scavenger_note_base(struct scavenger *scavenger, uint64_t now_usec, uint64_t rtt_usec);
/* After a time without background connections: the window starts small again; the round trips stay. */
void scavenger_restart(struct scavenger *scavenger);
uint64_t scavenger_tick(struct scavenger *scavenger, const struct scavenger_input *input);
/* Until the next tick: about one round trip. */
uint64_t scavenger_interval(const struct scavenger *scavenger);
/* The round trip of the empty line; 0: not known yet. */
uint64_t scavenger_base(const struct scavenger *scavenger);
/* Somebody else fills the line: the window is at its floor. */
bool scavenger_is_crowded_out(const struct scavenger *scavenger, const struct scavenger_input *input);

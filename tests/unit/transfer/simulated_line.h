/* A line: a drop-tail queue that flows share, in steps of a millisecond. Some flows are ours, each to a place of its own that a scavenger
 * holds down; one is somebody else's and fills every buffer. Knows how the control laws are used (transfer/sockets.c), nothing of sockets.
 *
 * 1. line_init() makes a line with one place; line_init_beside() another line for a place of the same process. Or line_init_apart(), and
 *    line_done() at the end: each place is in a process of its own, and they hear of each other as line_use.h says.
 * 2. line_join() begins one more place; theirs_runs = true lets the foreign flow begin.
 * 3. line_run(), again and again; then line_share() of each flow, and queue_sum, are of the last run. */
#pragma once

#include "transfer/scavenger.h"
#include "transfer/turns.h"

#define STEP_USEC USEC_PER_MSEC
#define RING 1024
#define SEGMENT 1448
#define PLACES 3

struct line_user;
struct line_uses;

struct flow {
        double window, inflight, queued, received; /* bytes */
        double returning[RING];                    /* acknowledged at this step */
        bool lost;
};

/* What the places of one process have in common. */
struct common {
        struct scavenger_line rates;
        struct turns turns;
        struct line_user *user; /* there are other processes */
        uint64_t now_usec, said_usec;
};

struct place {
        struct flow flow;
        struct common *common;
        struct scavenger scavenger;
        struct turn turn;
        bool is_silent; /* it waits for it */
        uint64_t next_tick_usec, ticked_usec;
        double ticked_received, window_before;
        unsigned n_connections;
        bool guess; /* no timestamps */
        unsigned n_slowdowns;
        uint64_t slowdown_usec; /* when the last one began */
};

struct line {
        double rate;         /* bytes per step */
        unsigned base_steps; /* round trip without a queue */
        double buffer;       /* bytes */
        uint64_t step;
        uint32_t chance;
        struct place ours[PLACES];
        unsigned n_ours;
        struct flow theirs;
        bool theirs_runs;
        uint64_t theirs_cut_step;
        double queue_sum; /* of microseconds: the mean */
        struct common own, *common, apart[PLACES];
        struct line_uses *uses; /* NULL: all places are in one process */
        struct line *beside; /* another one, which runs with it */
};

/* Its scavenger knows the handshake's round trip. */
void line_init(struct line *line, double mbit, unsigned rtt_ms, double buffer_ms);
void line_init_apart(struct line *line, double mbit, unsigned rtt_ms, double buffer_ms);
void line_done(struct line *line);
/* Runs with @line from now on, whose @beside must be free. */
void line_init_beside(struct line *other, struct line *line, double mbit, unsigned rtt_ms, double buffer_ms);
void line_join(struct line *line);
void line_run(struct line *line, double seconds);
uint64_t line_now(const struct line *line);
/* Of what the line could carry in @seconds. */
double line_share(const struct line *line, const struct flow *flow, double seconds);
double line_share_of_ours(const struct line *line, double seconds);

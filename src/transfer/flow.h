/* Is the body of an answer still worth waiting for? A connection has stalled when nothing came for a time, or when what came in all of
 * that time is next to nothing: below a floor, or far below what the same connection once brought. Pure arithmetic over a clock of the
 * caller's; knows nothing of sockets, and never what could be done about it.
 *
 * What is our own doing is no stall: the caller says how fast we let it be, and calls flow_renew() when that changed or when we did not
 * read. */
#pragma once

#include "base/clock.h"
#include "base/macros.h"

#define FLOW_FALL 16u      /* this many times slower than the same connection was: next to nothing */
#define FLOW_ALLOWED 4u    /* a connection that uses a fourth of what we allow it is held back by us */
#define FLOW_RATE_UNLIMITED UINT64_MAX

struct flow {
        uint64_t last_byte_usec;
        uint64_t window_began_usec;
        uint64_t window_bytes;
        uint64_t best_rate;  /* bytes per second of the best window */
        uint64_t slow_rate;  /* FLOW_SLOW: of the window that was judged */
};

struct flow_rule {
        uint64_t window_usec;  /* at least 1 */
        uint64_t floor_rate;   /* bytes per second; 0: none */
        uint64_t allowed_rate; /* how fast we let it be, or FLOW_RATE_UNLIMITED; 0: nobody knows, it is not slow */
};

enum flow_judgement {
        FLOW_FINE,
        FLOW_SLOW,
        FLOW_SILENT,
};

void flow_begin(struct flow *flow, uint64_t now_usec);
static inline void flow_note(struct flow *flow, uint64_t bytes, uint64_t now_usec) {
        flow->last_byte_usec = now_usec;
        flow->window_bytes += bytes;
}
/* What came, or did not, until now says nothing of the other side. */
void flow_renew(struct flow *flow, uint64_t now_usec);
/* A window that is over is judged once; the next one begins. */
enum flow_judgement flow_judge(struct flow *flow, const struct flow_rule *rule, uint64_t now_usec);
/* When there will be something to judge. */
uint64_t flow_next_look(const struct flow *flow, const struct flow_rule *rule);

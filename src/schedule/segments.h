/* How many connections fetch one file, and which part each of them gets. Pure decisions over counted bytes, sets of positions and a clock
 * that is handed in; knows nothing of requests, servers or what a job is.
 *
 * How many:
 * 1. segments_begin() when the first answer is there, and segments_recall() if something is known of the server (lessons.h).
 * 2. segments_decide() at the times that it names: so many connections there should be. It starts with one, then two, and makes them
 *    fourfold while what was added brings at least half of what as many brought before; then so many stay as would have brought that, and no
 *    more are added, nor while a limit of ours holds the rate down.
 *    Later it tries once more.
 * 3. segments_refused() when one was refused or broke off at once: no more than those that are left.
 * 4. segments_learned() when all is there: what the next file of this server may begin with.
 *
 * Where:
 * segments_next() names the part for one more, or for one that has finished: what nobody fetches, or else the second half of the largest
 * part that somebody does. Whose half it is keeps it until the newcomer has been answered: a server may refuse, or have no ranges. */
#pragma once

#include "base/clock.h"
#include "base/intervals.h"

/* Not quite a second: servers that limit by counting bytes in a second (nginx: limit_rate) send all of it at its beginning, and no two
 * beginnings may fall into one window. */
#define SEGMENTS_WINDOW_USEC (950 * USEC_PER_MSEC)
/* What was measured in a bad moment need not hold for a long file: more are tried again after that, then after twice as long, and so on. */
#define SEGMENTS_PATIENCE_USEC (10 * USEC_PER_SEC)
#define SEGMENTS_MAX 64 /* connections for one file */
/* Is less time left at the present rate, then one more is not worth its beginning. */
#define SEGMENTS_WORTH_USEC (3 * USEC_PER_SEC)

struct segments_policy {
        uint64_t window_usec; /* 0: nothing is measured, there are as many as there may be */
        uint64_t worth_usec;
        uint64_t min_bytes;   /* no half of a divided part is smaller */
        unsigned max;
};

/* Private; zero before segments_begin(). */
struct segments {
        unsigned wanted;       /* 0: not begun */
        unsigned base;         /* so many there were before the last ones were added, 0: none were yet */
        uint64_t base_rate;    /* bytes per second of those */
        uint64_t since;        /* of the window, CLOCK_BOOTTIME */
        uint64_t bytes_at_start;
        uint64_t middle;       /* 0: not reached */
        uint64_t bytes_at_middle;
        bool joining;          /* the added ones have not all been answered */
        bool settled;          /* nothing is tried any more... */
        uint64_t again_at;     /* ...until then; 0: never */
        uint64_t patience_usec;
        uint64_t rate;         /* bytes per second of the wanted ones, when they were measured; 0: they were not */
};

/* Of a server. */
struct segments_lesson {
        unsigned n;    /* connections that paid off */
        bool settled;  /* and more of them did not, or were refused */
        uint64_t rate; /* bytes per second of all of them */
};

struct segments_facts {
        uint64_t now;       /* CLOCK_BOOTTIME */
        uint64_t bytes;     /* that came so far, by whichever connection */
        unsigned n_open;    /* connections that were answered */
        unsigned max;       /* so many may be, at least 1 */
        uint64_t remaining; /* bytes of the file */
        uint64_t allowed_rate; /* bytes per second, by limits of ours; UINT64_MAX: there are none */
};

void segments_begin(struct segments *segments, uint64_t now, uint64_t bytes);
/* Begins with as many as paid off before: each that has enough to do, and no more than @allowed_rate needs. */
void segments_recall(struct segments *segments, const struct segments_policy *policy, const struct segments_lesson *lesson, uint64_t remaining,
                     uint64_t allowed_rate);
/* False: nothing was measured. */
bool segments_learned(const struct segments *segments, struct segments_lesson *ret);
/* So many connections there should be. @ret_next: when to ask again. */
unsigned segments_decide(struct segments *segments, const struct segments_policy *policy, const struct segments_facts *facts,
                         uint64_t *ret_next);
/* @n_left: connections that are left. */
void segments_refused(struct segments *segments, unsigned n_left);
static inline unsigned segments_wanted(const struct segments *segments) {
        return MAX(segments->wanted, 1u);
}

/* Positions of the file below @size that nobody fetches and that are not in @received, up to where the next part begins. */
bool segments_next_unclaimed(const struct intervals *received, uint64_t size, const struct interval *parts, size_t n_parts,
                             struct interval *ret);
/* @parts: of those that fetch now, [start, end); a part that begins inside another one ends that one. False: nothing is worth it. */
bool segments_next(const struct intervals *received, uint64_t size, const struct interval *parts, size_t n_parts, uint64_t min_bytes,
                   struct interval *ret);

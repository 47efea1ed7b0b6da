/* What the policies about bandwidth allow a class of jobs (foreground or background) in an hour of the day, and what the line can carry,
 * which percentages are of. Pure arithmetic; knows nothing of jobs, networks or the configuration. */
#pragma once

#include "base/clock.h"
#include "schedule/hours.h"
#include "schedule/shares.h"

struct bandwidth_policy {
        uint64_t max_rate; /* DOMax…DownloadBandwidth: bytes per second, 0: no limit */
        unsigned percent;  /* DOPercentageMax…Bandwidth, 0 and 100: no limit */
        struct hours hours;
};

/* Of the line, in the local hour @hour: the stricter one of the two policies. 0: nothing, 100: no limit. */
unsigned bandwidth_percent(const struct bandwidth_policy *policy, unsigned hour);
/* All policies together. @capacity: of the line, 0: not known, then no percentage holds. SHARE_UNLIMITED, or 0: nothing is to be
 * downloaded. */
uint64_t bandwidth_rate(const struct bandwidth_policy *policy, unsigned hour, uint64_t capacity);

/* The line's capacity, as downloads showed it.
 *
 * It is the fastest that all downloads together were over two seconds. What was found is believed while it is not older than two
 * periods, of a quarter of an hour each in which something was downloaded: time in which nothing was says nothing of the line. A
 * limit hides what the line can carry, so from time to time a look at it is due: for three seconds no percentage is to hold. What that
 * brought too much is then given back (struct bandwidth_debt).
 *
 * 1. Zero is a line that nothing is known of.
 * 2. line_note() at least once a second while something is downloaded. */
#define LINE_CAPACITY_MIN (UINT64_C(128) * 1024) /* a slow server is not taken for a line that carries nothing */
#define LINE_LOOK_USEC (3 * USEC_PER_SEC)
#define LINE_LOOK_INTERVAL_USEC (5 * USEC_PER_MINUTE)
#define LINE_PERIOD_USEC (15 * USEC_PER_MINUTE)

struct line {
        uint64_t best[2]; /* bytes per second: in this period, in the one before */
        uint64_t period_usec;
        bool period_has_look;
        uint64_t look_usec;       /* what the look lasted so far */
        uint64_t since_look_usec; /* of downloading */
        uint64_t last_bytes, last_usec; /* the last note; 0: nothing came then */
};

/* @percentages_held: some did while these bytes came. */
void line_note(struct line *line, uint64_t bytes, uint64_t elapsed_usec, bool percentages_held);
/* No percentage is to hold now. */
bool line_wants_look(const struct line *line);
uint64_t line_capacity(const struct line *line); /* bytes per second, 0: nothing is known yet */

/* What a class took too much during a look, and how it is given back: by at most three quarters of its rate, so that no server
 * believes that nobody is there any more. Zero is no debt. */
struct bandwidth_debt {
        uint64_t look_bytes, look_usec;
        uint64_t owed; /* bytes */
};
void bandwidth_debt_look(struct bandwidth_debt *debt, uint64_t bytes, uint64_t elapsed_usec);
/* The rate from now on. @rate: what the policies allow; neither 0 nor SHARE_UNLIMITED. @bytes: what the class took since the last call,
 * in @elapsed_usec. */
uint64_t bandwidth_debt_pay(struct bandwidth_debt *debt, uint64_t rate, uint64_t bytes, uint64_t elapsed_usec);

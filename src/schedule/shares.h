/* Who may be how fast: divides a rate among those who want it, fairly. Pure arithmetic; used for the jobs of a class (foreground or
 * background) and then for the files of a job.
 *
 * Everybody gets the same, unless he wants less (his own limit, or he did not use what he was granted last time): what he leaves goes
 * to the others, so that a slow server does not leave the line idle. The sum of what is granted never exceeds the rate. */
#pragma once

#include "base/macros.h"

#define SHARE_UNLIMITED UINT64_MAX

struct share {
        uint64_t max_rate;      /* his own limit, bytes per second, or SHARE_UNLIMITED */
        uint64_t granted_rate;  /* in: last time, 0 for a newcomer; out: from now on, at least 1, or SHARE_UNLIMITED */
        uint64_t measured_rate; /* private, all three: what he used lately */
        unsigned n_settled;
        double wants;
};

/* He used so much since the last call. Once in a while, a second or so; there may be more divisions than that. @rate: bytes per second. */
void share_measured(struct share *share, uint64_t rate);

/* @rate: bytes per second, or SHARE_UNLIMITED. */
void shares_divide(uint64_t rate, struct share *shares, size_t n);

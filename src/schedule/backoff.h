/* How long to wait before the next try: a pure function, so that its test is a list of rows. */
#pragma once

#include "base/macros.h"

struct backoff {
        uint64_t first_usec;
        uint64_t minimum_usec; /* the job's own minimum delay, 0 for none: no delay is shorter */
        uint64_t ceiling_usec; /* no delay is longer, unless the minimum is */
};

/* first × 2^(attempt - 1), at most the ceiling, ±20 % so that jobs that failed together do not come back together.
 * @attempt counts from 1; @random: any 64 bits. */
uint64_t backoff_next_delay(const struct backoff *backoff, unsigned attempt, uint64_t random);

/* Well-mixed bits of @seed (splitmix64): the same for the same seed. */
uint64_t backoff_random(uint64_t seed);

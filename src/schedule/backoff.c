#include "schedule/backoff.h"

#define JITTER_PERCENT 20

uint64_t backoff_next_delay(const struct backoff *backoff, unsigned attempt, uint64_t random) {
        uint64_t ceiling = MAX(backoff->ceiling_usec, backoff->minimum_usec);
        uint64_t delay = MAX(backoff->first_usec, backoff->minimum_usec), low, high;

        assert(attempt > 0);
        for (unsigned i = 1; i < attempt && delay < ceiling; i++)
                delay = u64_add_saturated(delay, delay);
        delay = MIN(delay, ceiling);
        low = MAX(delay - delay / 100 * JITTER_PERCENT, backoff->minimum_usec);
        high = MIN(u64_add_saturated(delay, delay / 100 * JITTER_PERCENT), ceiling);
        return low + (high > low ? random % (high - low + 1) : 0);
}

uint64_t backoff_random(uint64_t seed) {
        uint64_t z = seed + UINT64_C(0x9e3779b97f4a7c15);

        z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
        z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
        return z ^ (z >> 31);
}

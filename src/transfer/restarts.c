#include "transfer/restarts.h"

#include "base/clock.h"

#define DELAY_MIN (100 * USEC_PER_MSEC)
#define DELAY_MAX (30 * USEC_PER_SEC)
#define HEALTHY_AFTER (10 * USEC_PER_SEC) /* a process that lived so long did not die of its start */

void restarts_note_end(struct restarts *restarts, uint64_t now_usec, bool was_met, bool unasked) {
        if (!unasked || (was_met && now_usec - restarts->started_usec >= HEALTHY_AFTER))
                restarts->n_failures = 0;
        if (unasked)
                restarts->n_failures++;
}

uint64_t restarts_delay(const struct restarts *restarts) {
        uint64_t delay = DELAY_MIN;

        if (restarts->n_failures <= 1)
                return 0;
        for (unsigned i = 2; i < restarts->n_failures && delay < DELAY_MAX; i++)
                delay *= 2;
        return MIN(delay, (uint64_t) DELAY_MAX);
}

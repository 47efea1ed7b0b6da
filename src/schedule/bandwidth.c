#include "schedule/bandwidth.h"

#define PERCENT_MAX 100

static uint64_t bytes_in(uint64_t rate, uint64_t usec) {
        return (uint64_t) ((double) rate * (double) usec / (double) USEC_PER_SEC);
}

/* ---- policies ---- */

unsigned bandwidth_percent(const struct bandwidth_policy *policy, unsigned hour) {
        return MIN(policy->percent ?: PERCENT_MAX, hours_percent(&policy->hours, hour));
}

uint64_t bandwidth_rate(const struct bandwidth_policy *policy, unsigned hour, uint64_t capacity) {
        uint64_t rate = policy->max_rate ?: SHARE_UNLIMITED;
        unsigned percent = bandwidth_percent(policy, hour);

        if (percent == 0)
                return 0;
        if (percent < PERCENT_MAX && capacity > 0)
                rate = MIN(rate, MAX((uint64_t) ((double) capacity * percent / PERCENT_MAX), UINT64_C(1)));
        return rate;
}

/* ---- the line ---- */

static void begin_period_if_due(struct line *line) {
        if (line->period_usec < LINE_PERIOD_USEC || !line->period_has_look)
                return;
        line->best[1] = line->best[0];
        line->best[0] = 0;
        line->period_usec = 0;
        line->period_has_look = false;
}

static void count_look(struct line *line, uint64_t elapsed_usec, bool percentages_held) {
        if (percentages_held) {
                line->since_look_usec += elapsed_usec;
                if (line->since_look_usec >= LINE_LOOK_INTERVAL_USEC)
                        line->look_usec = 0;
                return;
        }
        line->look_usec = MIN(line->look_usec + elapsed_usec, LINE_LOOK_USEC);
        if (line->look_usec < LINE_LOOK_USEC)
                return;
        line->since_look_usec = 0;
        line->period_has_look = true;
}

void line_note(struct line *line, uint64_t bytes, uint64_t elapsed_usec, bool percentages_held) {
        uint64_t last_bytes = line->last_bytes, last_usec = line->last_usec;

        line->last_bytes = bytes;
        line->last_usec = bytes > 0 ? elapsed_usec : 0;
        if (bytes == 0 || elapsed_usec == 0)
                return;
        begin_period_if_due(line);
        /* Reports of bytes come in pieces: one note alone may hold a tenth of what came before it. */
        if (last_usec > 0)
                line->best[0] = MAX(line->best[0], (uint64_t) ((double) (last_bytes + bytes) * (double) USEC_PER_SEC /
                                                               (double) (last_usec + elapsed_usec)));
        line->period_usec += elapsed_usec;
        count_look(line, elapsed_usec, percentages_held);
}

bool line_wants_look(const struct line *line) {
        return line->look_usec < LINE_LOOK_USEC || line_capacity(line) == 0;
}

uint64_t line_capacity(const struct line *line) {
        uint64_t best = MAX(line->best[0], line->best[1]);

        return best > 0 ? MAX(best, LINE_CAPACITY_MIN) : 0;
}

/* ---- what a look costs ---- */

void bandwidth_debt_look(struct bandwidth_debt *debt, uint64_t bytes, uint64_t elapsed_usec) {
        debt->look_bytes += bytes;
        debt->look_usec += elapsed_usec;
}

uint64_t bandwidth_debt_pay(struct bandwidth_debt *debt, uint64_t rate, uint64_t bytes, uint64_t elapsed_usec) {
        if (debt->look_usec > 0) {
                bytes = debt->look_bytes;
                elapsed_usec = debt->look_usec;
                debt->look_bytes = debt->look_usec = 0;
        } else if (debt->owed == 0)
                return rate;
        /* By what was taken, not by what was granted: after a lower rate was asked for, more comes for a while. */
        debt->owed += bytes;
        debt->owed -= MIN(debt->owed, bytes_in(rate, elapsed_usec));
        return rate - MIN(debt->owed, rate / 4 * 3);
}

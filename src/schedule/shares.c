#include "schedule/shares.h"

#include <stdlib.h>

/* Who uses less than this part of his grant is held back by something else. Above it the difference is noise. */
#define USED_PART 0.95
/* What he may have then: enough to show that he can do more. */
#define HEADROOM 1.1 /* more than 1 / USED_PART, or he would count as held back by his grant again */
#define NEWCOMER_RATE 4096.0
/* Rounds since he got more: before, what was measured is about his old grant. */
#define SETTLED 3
#define RAISED_PART 1.05

static double want_of(const struct share *share) {
        double used;

        if (share->granted_rate == 0 || share->granted_rate == SHARE_UNLIMITED || share->n_settled < SETTLED)
                return (double) share->max_rate;
        used = (double) share->measured_rate;
        if (used >= USED_PART * (double) share->granted_rate)
                return (double) share->max_rate;
        return MIN((double) share->max_rate, used * HEADROOM + NEWCOMER_RATE);
}

static int by_want(const void *a, const void *b) {
        const struct share *const *x = a, *const *y = b;

        return ((*x)->wants > (*y)->wants) - ((*x)->wants < (*y)->wants);
}

static void grant(struct share *share, double rate) {
        rate = MIN(rate, (double) share->max_rate);
        share->n_settled = rate > RAISED_PART * (double) share->granted_rate ? 0 : MIN(share->n_settled + 1, SETTLED + 0u);
        share->granted_rate = rate >= (double) SHARE_UNLIMITED ? SHARE_UNLIMITED : MAX((uint64_t) rate, UINT64_C(1));
}

void shares_divide(uint64_t rate, struct share *shares, size_t n) {
        _cleanup_free_ struct share **order = NULL;
        double left = (double) rate;

        if (rate == SHARE_UNLIMITED) {
                for (size_t i = 0; i < n; i++)
                        shares[i].granted_rate = shares[i].max_rate;
                return;
        }
        order = calloc(n, sizeof(*order));
        for (size_t i = 0; i < n; i++) {
                shares[i].wants = want_of(&shares[i]);
                if (order)
                        order[i] = &shares[i];
                else
                        grant(&shares[i], left / (double) n); /* no memory to be clever */
        }
        if (!order)
                return;
        /* Those who want least first: each gets what he wants, or an equal part of what is left. */
        qsort(order, n, sizeof(struct share *), by_want);
        for (size_t i = 0; i < n; i++) {
                order[i]->wants = MIN(order[i]->wants, left / (double) (n - i));
                left -= order[i]->wants;
        }
        /* Nobody wants the rest: then all may find out whether they can use it. */
        for (size_t i = 0; i < n; i++)
                grant(order[i], order[i]->wants + left / (double) n);
}

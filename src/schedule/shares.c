#include "schedule/shares.h"

#include <stdlib.h>

/* Who uses less than this part of his grant is held back by something else. Above it the difference is noise... */
#define USED_PART 0.95
/* ...and so is what a read more or less makes in a second, of small grants no more than a part. */
#define READ_RATE (16.0 * 1024)
#define READ_PART 0.125
/* What he may have then: enough to show that he can do more. */
#define HEADROOM 1.1 /* more than 1 / USED_PART, or he would count as held back by his grant again */
#define NEWCOMER_RATE 4096.0
/* Rounds that were measured since he got more: of the first, a part was at his old grant, and it says nothing. */
#define SETTLED 3
#define RAISED_PART 1.05

void share_measured(struct share *share, uint64_t rate) {
        uint64_t old = share->measured_rate;

        if (share->n_settled < 2)
                share->measured_rate = rate;
        else if (share->n_settled == 2)
                share->measured_rate = old / 2 + rate / 2;
        else /* smoothed: reports come in pieces */
                share->measured_rate = old / 3 * 2 + rate / 3;
        share->n_settled = MIN(share->n_settled + 1, SETTLED + 0u);
}

static double want_of(const struct share *share) {
        double granted = (double) share->granted_rate, used = (double) share->measured_rate;

        if (share->granted_rate == 0 || share->granted_rate == SHARE_UNLIMITED || share->n_settled < SETTLED)
                return (double) share->max_rate;
        if (used + MIN(READ_RATE, READ_PART * granted) >= USED_PART * granted)
                return (double) share->max_rate;
        return MIN((double) share->max_rate, used * HEADROOM + NEWCOMER_RATE);
}

static int by_want(const void *a, const void *b) {
        const struct share *const *x = a, *const *y = b;

        return ((*x)->wants > (*y)->wants) - ((*x)->wants < (*y)->wants);
}

static void grant(struct share *share, double rate) {
        rate = MIN(rate, (double) share->max_rate);
        if (rate > RAISED_PART * (double) share->granted_rate)
                share->n_settled = 0;
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

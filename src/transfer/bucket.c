#include "transfer/bucket.h"

#define CREDIT_USEC (USEC_PER_SEC / 10)

uint64_t bucket_take(struct bucket *bucket, uint64_t rate, uint64_t bytes, uint64_t now_usec) {
        uint64_t from = MAX(bucket->paid_until_usec, now_usec - MIN(now_usec, (uint64_t) CREDIT_USEC));
        double cost = (double) bytes * (double) USEC_PER_SEC / (double) rate;

        if (bucket->paid_until_usec == 0)
                from = now_usec;
        bucket->paid_until_usec = from + (uint64_t) MIN(cost, (double) USEC_PER_DAY);
        return bucket->paid_until_usec > now_usec ? bucket->paid_until_usec - now_usec : 0;
}

uint64_t bucket_change_rate(struct bucket *bucket, uint64_t old_rate, uint64_t rate, uint64_t now_usec) {
        double owed = bucket->paid_until_usec > now_usec ? (double) (bucket->paid_until_usec - now_usec) : 0;
        uint64_t wait = (uint64_t) MIN(owed * ((double) old_rate / (double) rate), (double) USEC_PER_DAY);

        bucket->paid_until_usec = now_usec + wait;
        return wait;
}

/* A rate, kept: how long to read nothing after so many bytes. Pure arithmetic over a clock of the caller's.
 *
 * What was not used may be made up for within a tenth of a second; what was too much is owed, however much it was (libcurl hands over
 * what it has). So the mean is exact over any time that is long against the pieces that bytes come in. */
#pragma once

#include "base/clock.h"

struct bucket {
        uint64_t paid_until_usec; /* what came until now is paid for until then; 0: nothing came yet */
};

/* @rate: bytes per second, at least 1. Return: how long to wait before the next byte, 0: not at all. */
uint64_t bucket_take(struct bucket *bucket, uint64_t rate, uint64_t bytes, uint64_t now_usec);
/* Another rate from now on: what is owed is owed at the new one. Rates change often, and each change would be a gift else. @rate:
 * UINT64_MAX for none. Return: how long to wait now. */
uint64_t bucket_change_rate(struct bucket *bucket, uint64_t old_rate, uint64_t rate, uint64_t now_usec);

/* Time, as something that a test can turn.
 *
 * 1. Everything that needs the time takes a `struct clock *`; nobody calls clock_gettime() but clock.c.
 * 2. All times are microseconds in uint64_t; USEC_INFINITY means "never" or "not yet".
 * 3. Which clock for what: CLOCK_ID_BOOTTIME for retry delays and slices, CLOCK_ID_MONOTONIC for no-progress
 *    (a sleeping machine makes no progress and is not blamed), CLOCK_ID_REALTIME for what people see and for life times. */
#pragma once

#include "base/macros.h"

#define USEC_INFINITY UINT64_MAX
#define USEC_PER_MSEC UINT64_C(1000)
#define USEC_PER_SEC UINT64_C(1000000)
#define USEC_PER_MINUTE (60 * USEC_PER_SEC)
#define USEC_PER_HOUR (60 * USEC_PER_MINUTE)
#define USEC_PER_DAY (24 * USEC_PER_HOUR)

enum clock_id {
        CLOCK_ID_REALTIME,
        CLOCK_ID_MONOTONIC,
        CLOCK_ID_BOOTTIME,
        _CLOCK_ID_MAX,
};

struct clock {
        uint64_t (*now)(const struct clock *clock, enum clock_id id);
};

/* The kernel's clocks. Never freed. */
extern const struct clock clock_system;

static inline uint64_t clock_now(const struct clock *clock, enum clock_id id) {
        return clock->now(clock, id);
}

/* The hour of the day, 0 to 23, where this machine is. A time zone that the administrator changes while the process runs counts from
 * the next call on, unless TZ says another one. */
unsigned clock_local_hour(uint64_t realtime_usec);

/* A clock that stands still until a test turns it. */
struct clock_fake {
        struct clock clock; /* first member */
        uint64_t now[_CLOCK_ID_MAX];
};

void clock_fake_init(struct clock_fake *fake, uint64_t realtime_usec);
/* All three clocks go on. */
void clock_fake_advance(struct clock_fake *fake, uint64_t usec);
/* Only wall time jumps (either way). */
void clock_fake_set_realtime(struct clock_fake *fake, uint64_t realtime_usec);

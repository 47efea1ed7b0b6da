#include "base/clock.h"

#include <time.h>

static uint64_t system_now(const struct clock *clock _unused_, enum clock_id id) {
        static const clockid_t ids[_CLOCK_ID_MAX] = {
                [CLOCK_ID_REALTIME] = CLOCK_REALTIME,
                [CLOCK_ID_MONOTONIC] = CLOCK_MONOTONIC,
                [CLOCK_ID_BOOTTIME] = CLOCK_BOOTTIME,
        };
        struct timespec ts;

        assert(id < _CLOCK_ID_MAX);
        if (clock_gettime(ids[id], &ts) < 0)
                abort(); /* cannot fail for these three */
        return (uint64_t)ts.tv_sec * USEC_PER_SEC + (uint64_t)ts.tv_nsec / 1000;
}

const struct clock clock_system = { .now = system_now };

unsigned clock_local_hour(uint64_t realtime_usec) {
        time_t seconds = (time_t) (realtime_usec / USEC_PER_SEC);
        struct tm tm;

        tzset(); /* localtime_r() looks at the zone only once */
        if (!localtime_r(&seconds, &tm))
                return 0; /* a year that no int holds */
        return (unsigned) tm.tm_hour;
}

static uint64_t fake_now(const struct clock *clock, enum clock_id id) {
        const struct clock_fake *fake = CONTAINER_OF(clock, const struct clock_fake, clock);

        return fake->now[id];
}

void clock_fake_init(struct clock_fake *fake, uint64_t realtime_usec) {
        *fake = (struct clock_fake) {
                .clock = { .now = fake_now },
                .now = {
                        [CLOCK_ID_REALTIME] = realtime_usec,
                        [CLOCK_ID_MONOTONIC] = USEC_PER_HOUR,
                        [CLOCK_ID_BOOTTIME] = USEC_PER_HOUR,
                },
        };
}

void clock_fake_advance(struct clock_fake *fake, uint64_t usec) {
        for (size_t i = 0; i < ELEMENTSOF(fake->now); i++)
                fake->now[i] = u64_add_saturated(fake->now[i], usec);
}

void clock_fake_set_realtime(struct clock_fake *fake, uint64_t realtime_usec) {
        fake->now[CLOCK_ID_REALTIME] = realtime_usec;
}

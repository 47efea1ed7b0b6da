#include "../unit.h"

#include "base/clock.h"
#include "schedule/backoff.h"

#define SEC USEC_PER_SEC

static void delays_double_within_their_bounds(void **state _unused_) {
        static const struct {
                struct backoff backoff;
                unsigned attempt;
                uint64_t low, high;
        } rows[] = {
                /* DO: no own minimum, from a minute to half an hour */
                { { 60 * SEC, 0, 1800 * SEC }, 1, 48 * SEC, 72 * SEC },
                { { 60 * SEC, 0, 1800 * SEC }, 2, 96 * SEC, 144 * SEC },
                { { 60 * SEC, 0, 1800 * SEC }, 5, 768 * SEC, 1152 * SEC },
                { { 60 * SEC, 0, 1800 * SEC }, 6, 1440 * SEC, 1800 * SEC },
                { { 60 * SEC, 0, 1800 * SEC }, 1000000000, 1440 * SEC, 1800 * SEC },
                /* BITS: never below the own minimum, whatever the jitter says */
                { { 600 * SEC, 600 * SEC, 1800 * SEC }, 1, 600 * SEC, 720 * SEC },
                { { 600 * SEC, 600 * SEC, 1800 * SEC }, 2, 960 * SEC, 1440 * SEC },
                { { 600 * SEC, 600 * SEC, 1800 * SEC }, 3, 1440 * SEC, 1800 * SEC },
                { { 5 * SEC, 5 * SEC, 1800 * SEC }, 1, 5 * SEC, 6 * SEC },
                /* an own minimum above the ceiling holds */
                { { 7200 * SEC, 7200 * SEC, 1800 * SEC }, 1, 7200 * SEC, 7200 * SEC },
                { { 7200 * SEC, 7200 * SEC, 1800 * SEC }, 9, 7200 * SEC, 7200 * SEC },
                /* a ceiling below the first delay holds too */
                { { 60 * SEC, 0, 10 * SEC }, 1, 8 * SEC, 10 * SEC },
                { { 0, 0, 10 * SEC }, 3, 0, 0 },
                { { UINT64_MAX / 2, 0, UINT64_MAX }, 9, UINT64_MAX / 100 * 80, UINT64_MAX },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                uint64_t smallest = UINT64_MAX, largest = 0;

                for (uint64_t random = 0; random < 1000; random++) {
                        uint64_t delay = backoff_next_delay(&rows[i].backoff, rows[i].attempt, backoff_random(random));

                        smallest = MIN(smallest, delay);
                        largest = MAX(largest, delay);
                }
                assert_true(smallest >= rows[i].low);
                assert_true(largest <= rows[i].high);
                /* and the jitter uses the room that it has */
                if (rows[i].high > rows[i].low)
                        assert_true(largest - smallest > (rows[i].high - rows[i].low) / 10 * 8);
        }
}

static void the_same_seed_gives_the_same_delays(void **state _unused_) {
        struct backoff backoff = { 60 * SEC, 0, 1800 * SEC };

        for (uint64_t seed = 0; seed < 100; seed++)
                assert_int_equal(backoff_next_delay(&backoff, 3, backoff_random(seed)),
                                 backoff_next_delay(&backoff, 3, backoff_random(seed)));
        assert_int_not_equal(backoff_random(1), backoff_random(2));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(delays_double_within_their_bounds),
                cmocka_unit_test(the_same_seed_gives_the_same_delays),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

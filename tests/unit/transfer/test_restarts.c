/* A process that dies again and again is started ever later; one that was good is forgiven. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "transfer/restarts.h"

/* Lives for @usec. Return: the delay before the next one. */
static uint64_t live_and_die(struct restarts *restarts, uint64_t *now, uint64_t usec, bool met, bool unasked) {
        uint64_t delay;

        restarts_note_start(restarts, *now);
        *now += usec;
        restarts_note_end(restarts, *now, met, unasked);
        delay = restarts_delay(restarts);
        *now += delay;
        return delay;
}

static void the_delay_doubles_up_to_half_a_minute(void **state) {
        static const uint64_t expected_msec[] = { 0, 100, 200, 400, 800, 1600, 3200, 6400, 12800, 25600, 30000, 30000 };
        struct restarts restarts = {};
        uint64_t now = USEC_PER_HOUR;

        for (size_t i = 0; i < ELEMENTSOF(expected_msec); i++)
                assert_int_equal(live_and_die(&restarts, &now, USEC_PER_MSEC, true, true), expected_msec[i] * USEC_PER_MSEC);
        for (unsigned i = 0; i < 10000; i++)
                assert_int_equal(live_and_die(&restarts, &now, USEC_PER_MSEC, true, true), 30 * USEC_PER_SEC);
}

static void a_good_time_or_a_file_ends_it(void **state) {
        static const struct {
                uint64_t lives_usec;
                bool met, brings_a_file, unasked;
                uint64_t delay_msec;
        } rows[] = {
                { 9 * USEC_PER_SEC, true, false, true, 800 },
                { 10 * USEC_PER_SEC, true, false, true, 0 },
                { 10 * USEC_PER_SEC, false, false, true, 800 }, /* it hung in its start */
                { USEC_PER_MSEC, true, true, true, 0 },
                { USEC_PER_MSEC, true, false, false, 0 },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                struct restarts restarts = {};
                uint64_t now = USEC_PER_HOUR;

                for (unsigned n = 0; n < 4; n++)
                        (void) live_and_die(&restarts, &now, USEC_PER_MSEC, true, true);
                assert_int_equal(restarts_delay(&restarts), 400 * USEC_PER_MSEC);
                if (rows[i].brings_a_file)
                        restarts_note_success(&restarts);
                assert_int_equal(live_and_die(&restarts, &now, rows[i].lives_usec, rows[i].met, rows[i].unasked), rows[i].delay_msec * USEC_PER_MSEC);
                if (rows[i].delay_msec == 0 && rows[i].unasked) /* and from the beginning */
                        assert_int_equal(live_and_die(&restarts, &now, USEC_PER_MSEC, true, true), 100 * USEC_PER_MSEC);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(the_delay_doubles_up_to_half_a_minute),
                cmocka_unit_test(a_good_time_or_a_file_ends_it),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

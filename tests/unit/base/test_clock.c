#include "../unit.h"

#include "base/clock.h"

static void a_fake_clock_stands_still_until_it_is_turned(void **state _unused_) {
        struct clock_fake fake;

        clock_fake_init(&fake, 1000 * USEC_PER_SEC);
        assert_int_equal(clock_now(&fake.clock, CLOCK_ID_REALTIME), 1000 * USEC_PER_SEC);
        clock_fake_advance(&fake, 5);
        assert_int_equal(clock_now(&fake.clock, CLOCK_ID_REALTIME), 1000 * USEC_PER_SEC + 5);
        assert_int_equal(clock_now(&fake.clock, CLOCK_ID_MONOTONIC), USEC_PER_HOUR + 5);
        assert_int_equal(clock_now(&fake.clock, CLOCK_ID_BOOTTIME), USEC_PER_HOUR + 5);
        clock_fake_set_realtime(&fake, 7);
        assert_int_equal(clock_now(&fake.clock, CLOCK_ID_REALTIME), 7);
        assert_int_equal(clock_now(&fake.clock, CLOCK_ID_MONOTONIC), USEC_PER_HOUR + 5);
}

static void the_kernels_clocks_do_not_go_back(void **state _unused_) {
        uint64_t before = clock_now(&clock_system, CLOCK_ID_MONOTONIC);

        assert_true(clock_now(&clock_system, CLOCK_ID_MONOTONIC) >= before);
        assert_true(clock_now(&clock_system, CLOCK_ID_BOOTTIME) >= before); /* it counts sleep too */
        assert_true(clock_now(&clock_system, CLOCK_ID_REALTIME) > UINT64_C(1600000000) * USEC_PER_SEC);
}

static void never_comes_not_after_all(void **state _unused_) {
        assert_true(u64_add_saturated(USEC_INFINITY, 1) == USEC_INFINITY);
        assert_true(u64_add_saturated(USEC_INFINITY - 1, 1) == USEC_INFINITY);
        assert_int_equal(u64_add_saturated(1, 2), 3);
        assert_int_equal(CLAMP(5, 1, 3), 3);
        assert_int_equal(CLAMP(0, 1, 3), 1);
        assert_int_equal(CLAMP(2, 1, 3), 2);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_fake_clock_stands_still_until_it_is_turned),
                cmocka_unit_test(the_kernels_clocks_do_not_go_back),
                cmocka_unit_test(never_comes_not_after_all),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

/* A rate is kept, whatever the pieces. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "transfer/bucket.h"

/* Bytes in ten seconds of somebody who takes @piece at once as soon as he may. */
static uint64_t taken_in_ten_seconds(struct bucket *bucket, uint64_t rate, uint64_t piece) {
        uint64_t total = 0;

        for (uint64_t now = USEC_PER_HOUR; now < USEC_PER_HOUR + 10 * USEC_PER_SEC;) {
                total += piece;
                now += MAX(bucket_take(bucket, rate, piece, now), UINT64_C(1));
        }
        return total;
}

static void a_rate_is_kept_to_a_percent_in_small_and_large_pieces(void **state) {
        static const uint64_t rates[] = { 20 * 1024, 1024 * 1024, UINT64_C(100) * 1024 * 1024 };
        static const uint64_t pieces[] = { 1, 1000, 16384, 65536 };

        for (size_t i = 0; i < ELEMENTSOF(rates); i++)
                for (size_t j = 0; j < ELEMENTSOF(pieces); j++) {
                        struct bucket bucket = {};
                        uint64_t total;

                        if (pieces[j] * 200 < rates[i] / 50) /* more than one call per microsecond */
                                continue;
                        total = taken_in_ten_seconds(&bucket, rates[i], pieces[j]);
                        assert_in_range(total, rates[i] * 10 * 99 / 100, rates[i] * 10 * 101 / 100 + pieces[j]);
                }
}

static void what_was_not_used_is_not_saved_up(void **state) {
        struct bucket bucket = {};

        assert_int_equal(bucket_take(&bucket, 1000, 1, USEC_PER_HOUR), USEC_PER_SEC / 1000);
        /* Ten minutes later a tenth of a second is made up for, no more. */
        assert_int_equal(bucket_take(&bucket, 1000, 100, USEC_PER_HOUR + 10 * USEC_PER_MINUTE), 0);
        assert_int_equal(bucket_take(&bucket, 1000, 1000, USEC_PER_HOUR + 10 * USEC_PER_MINUTE), USEC_PER_SEC);
}

static void what_is_owed_is_paid_at_another_rate_as_fast_as_that_allows(void **state) {
        struct bucket bucket = {};

        assert_int_equal(bucket_take(&bucket, 1, 1000, USEC_PER_HOUR), 1000 * USEC_PER_SEC);
        assert_int_equal(bucket_change_rate(&bucket, 1, 1000, USEC_PER_HOUR), USEC_PER_SEC);
        assert_int_equal(bucket_take(&bucket, 1000, 1000, USEC_PER_HOUR), 2 * USEC_PER_SEC);
        assert_int_equal(bucket_change_rate(&bucket, 1000, UINT64_MAX, USEC_PER_HOUR), 0);
        /* Without a limit nothing is owed, however much came. */
        assert_int_equal(bucket_change_rate(&bucket, UINT64_MAX, 1, USEC_PER_HOUR + USEC_PER_SEC), 0);
        assert_int_equal(bucket_take(&bucket, 1, 1, USEC_PER_HOUR + USEC_PER_SEC), USEC_PER_SEC);
}

static void a_rate_that_changes_all_the_time_is_kept_all_the_same(void **state) {
        struct bucket bucket = {};
        uint64_t now = USEC_PER_HOUR, total = 0, allowed = 0, rate = 0;

        for (unsigned second = 0; second < 20; second++) {
                uint64_t old_rate = rate, end = USEC_PER_HOUR + (second + 1) * USEC_PER_SEC;

                rate = second % 2 ? 100000 : 300000;
                allowed += rate;
                if (old_rate > 0)
                        now = end - USEC_PER_SEC + bucket_change_rate(&bucket, old_rate, rate, end - USEC_PER_SEC);
                for (; now < end; total += 131072)
                        now += bucket_take(&bucket, rate, 131072, now);
        }
        assert_in_range(total, allowed - 131072, allowed + 2 * 131072);
}

static void a_huge_piece_at_a_tiny_rate_does_not_overflow(void **state) {
        struct bucket bucket = {};

        assert_int_equal(bucket_take(&bucket, 1, UINT64_MAX, USEC_PER_HOUR), USEC_PER_DAY);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_rate_is_kept_to_a_percent_in_small_and_large_pieces),
                cmocka_unit_test(what_was_not_used_is_not_saved_up),
                cmocka_unit_test(what_is_owed_is_paid_at_another_rate_as_fast_as_that_allows),
                cmocka_unit_test(a_rate_that_changes_all_the_time_is_kept_all_the_same),
                cmocka_unit_test(a_huge_piece_at_a_tiny_rate_does_not_overflow),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

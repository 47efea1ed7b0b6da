/* A rate is divided so that nobody gets less than an equal part unless he wants less. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "schedule/shares.h"

#define MIB (UINT64_C(1024) * 1024)

static const struct row {
        const char *what;
        uint64_t rate;
        struct share shares[3];
        size_t n;
        uint64_t granted[3];
} rows[] = {
        { "one has all", 9 * MIB, { { SHARE_UNLIMITED, 0, 0 } }, 1, { 9 * MIB } },
        { "newcomers get the same", 9 * MIB, { { SHARE_UNLIMITED, 0, 0 }, { SHARE_UNLIMITED, 0, 0 }, { SHARE_UNLIMITED, 0, 0 } }, 3,
          { 3 * MIB, 3 * MIB, 3 * MIB } },
        { "a limit of one's own leaves more for the others", 9 * MIB,
          { { MIB, 0, 0 }, { SHARE_UNLIMITED, 0, 0 }, { SHARE_UNLIMITED, 0, 0 } }, 3, { MIB, 4 * MIB, 4 * MIB } },
        { "who uses all he got may have more", 9 * MIB, { { SHARE_UNLIMITED, 3 * MIB, 3 * MIB }, { MIB, 3 * MIB, MIB } }, 2,
          { 8 * MIB, MIB } },
        { "no limit at all", SHARE_UNLIMITED, { { SHARE_UNLIMITED, 0, 0 }, { MIB, 0, 0 } }, 2, { SHARE_UNLIMITED, MIB } },
        { "never nothing", 1, { { SHARE_UNLIMITED, 0, 0 }, { SHARE_UNLIMITED, 0, 0 } }, 2, { 1, 1 } },
};

static void what_is_granted_is_as_the_rows_say(void **state) {
        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                struct row row = rows[i];

                shares_divide(row.rate, row.shares, row.n);
                for (size_t j = 0; j < row.n; j++)
                        if (row.shares[j].granted_rate != row.granted[j])
                                fail_msg("%s: %zu got %ju, not %ju", row.what, j, (uintmax_t) row.shares[j].granted_rate,
                                         (uintmax_t) row.granted[j]);
        }
}

/* Runs until it has settled: @able: what each could use. */
static void settle(uint64_t rate, struct share *shares, const uint64_t *able, size_t n) {
        for (unsigned round = 0; round < 20; round++) {
                shares_divide(rate, shares, n);
                for (size_t i = 0; i < n; i++)
                        share_measured(&shares[i], MIN(able[i], shares[i].granted_rate));
        }
}

static void what_a_slow_server_leaves_goes_to_the_others(void **state) {
        struct share shares[3] = { { .max_rate = SHARE_UNLIMITED }, { .max_rate = SHARE_UNLIMITED }, { .max_rate = SHARE_UNLIMITED } };
        const uint64_t able[3] = { MIB / 2, 100 * MIB, 100 * MIB };

        settle(9 * MIB, shares, able, 3);
        assert_in_range(shares[1].granted_rate, 41 * MIB / 10, 43 * MIB / 10);
        assert_int_equal(shares[1].granted_rate, shares[2].granted_rate);
}

static void who_becomes_fast_again_gets_his_part_back(void **state) {
        struct share shares[2] = { { .max_rate = SHARE_UNLIMITED }, { .max_rate = SHARE_UNLIMITED } };
        const uint64_t slow[2] = { MIB / 10, 100 * MIB }, fast[2] = { 100 * MIB, 100 * MIB };

        settle(8 * MIB, shares, slow, 2);
        assert_true(shares[0].granted_rate < MIB / 4);
        settle(8 * MIB, shares, fast, 2);
        assert_in_range(shares[0].granted_rate, 4 * MIB - 1, 4 * MIB);
}

/* Each start and end of a job divides anew, within any second. */
static void what_was_measured_before_he_got_more_says_nothing(void **state) {
        struct share shares[2] = { { .max_rate = MIB }, { .max_rate = SHARE_UNLIMITED } };

        shares_divide(8 * MIB, shares, 2);
        share_measured(&shares[0], MIB / 10); /* of this second, he ran a tenth */
        for (unsigned i = 0; i < 10; i++)
                shares_divide(8 * MIB, shares, 2);
        assert_int_equal(shares[0].granted_rate, MIB);
        for (unsigned i = 0; i < 10; i++) {
                share_measured(&shares[0], MIB);
                shares_divide(8 * MIB, shares, 2);
                assert_int_equal(shares[0].granted_rate, MIB);
        }
}

static void one_read_more_or_less_in_a_second_is_noise(void **state) {
        struct share shares[2] = { { .max_rate = MIB / 2 }, { .max_rate = SHARE_UNLIMITED } };

        for (unsigned i = 0; i < 40; i++) {
                shares_divide(3 * MIB, shares, 2);
                assert_int_equal(shares[0].granted_rate, MIB / 2);
                share_measured(&shares[0], MIB / 2 + (i % 2 ? 32 * 1024 : -32 * 1024));
        }
}

static void the_sum_is_never_more_than_the_rate(void **state) {
        uint64_t random = 1;

        for (unsigned round = 0; round < 10000; round++) {
                struct share shares[7];
                double sum = 0;

                for (size_t i = 0; i < ELEMENTSOF(shares); i++) {
                        random = random * 6364136223846793005u + 1442695040888963407u;
                        shares[i] = (struct share) { .max_rate = 1 + (random >> 40), .measured_rate = random >> 42 & 0xfffff,
                                                     .granted_rate = random >> 20 & 0xfffff, .n_settled = random & 3 };
                }
                shares_divide(5 * MIB, shares, ELEMENTSOF(shares));
                for (size_t i = 0; i < ELEMENTSOF(shares); i++) {
                        assert_true(shares[i].granted_rate <= shares[i].max_rate);
                        sum += (double) shares[i].granted_rate;
                }
                assert_true(sum <= 5.0 * MIB + 7);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(what_is_granted_is_as_the_rows_say),
                cmocka_unit_test(what_a_slow_server_leaves_goes_to_the_others),
                cmocka_unit_test(who_becomes_fast_again_gets_his_part_back),
                cmocka_unit_test(what_was_measured_before_he_got_more_says_nothing),
                cmocka_unit_test(one_read_more_or_less_in_a_second_is_noise),
                cmocka_unit_test(the_sum_is_never_more_than_the_rate),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

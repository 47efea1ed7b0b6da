#include "../unit.h"

#include "base/intervals.h"

#define MODEL_SIZE 97u

static void check_form(const struct intervals *set) {
        for (size_t i = 0; i < set->n_items; i++) {
                assert_true(set->items[i].start < set->items[i].end);
                if (i > 0) /* touching ones were merged */
                        assert_true(set->items[i - 1].end < set->items[i].start);
        }
}

static void compare_with_model(const struct intervals *set, const bool model[static MODEL_SIZE]) {
        uint64_t total = 0, position = 0;
        struct interval gap;

        check_form(set);
        for (uint64_t i = 0; i < MODEL_SIZE; i++) {
                assert_int_equal(intervals_contain(set, i, i + 1), model[i]);
                total += model[i];
        }
        assert_int_equal(intervals_total(set), total);
        /* The gaps are exactly the holes of the model. */
        while (intervals_next_gap(set, position, MODEL_SIZE, &gap)) {
                assert_true(gap.start >= position && gap.start < gap.end && gap.end <= MODEL_SIZE);
                for (; position < gap.start; position++)
                        assert_true(model[position]);
                for (; position < gap.end; position++)
                        assert_false(model[position]);
        }
        for (; position < MODEL_SIZE; position++)
                assert_true(model[position]);
}

static void random_operations_agree_with_a_bitmap(void **state _unused_) {
        unsigned seed = 1;

        for (unsigned round = 0; round < 40; round++) {
                struct intervals set = {};
                bool model[MODEL_SIZE] = {};

                for (unsigned step = 0; step < 100; step++) {
                        unsigned start = (unsigned) rand_r(&seed) % MODEL_SIZE;
                        unsigned end = start + (unsigned) rand_r(&seed) % (MODEL_SIZE - start + 1);
                        bool add = rand_r(&seed) % 2;
                        bool all = true;

                        if (rand_r(&seed) % 2) /* many small ones make many items */
                                end = MIN(end, start + 3);
                        assert_int_equal(add ? intervals_add(&set, start, end) : intervals_remove(&set, start, end), 0);
                        for (unsigned i = start; i < end; i++)
                                model[i] = add;
                        compare_with_model(&set, model);

                        start = (unsigned) rand_r(&seed) % MODEL_SIZE;
                        end = start + (unsigned) rand_r(&seed) % (MODEL_SIZE - start + 1);
                        for (unsigned i = start; i < end; i++)
                                all = all && model[i];
                        assert_int_equal(intervals_contain(&set, start, end), all);
                }
                intervals_done(&set);
        }
}

static void touching_intervals_become_one(void **state _unused_) {
        struct intervals set = {};

        assert_int_equal(intervals_add(&set, 0, 10), 0);
        assert_int_equal(intervals_add(&set, 20, 30), 0);
        assert_int_equal(set.n_items, 2);
        assert_int_equal(intervals_add(&set, 10, 20), 0);
        assert_int_equal(set.n_items, 1);
        assert_true(intervals_contain(&set, 0, 30));
        intervals_done(&set);
        assert_int_equal(set.n_items, 0);
}

static void the_last_position_there_is_works(void **state _unused_) {
        struct intervals set = {};
        struct interval gap;

        assert_int_equal(intervals_add(&set, UINT64_MAX - 2, UINT64_MAX), 0);
        assert_true(intervals_contain(&set, UINT64_MAX - 1, UINT64_MAX));
        assert_int_equal(intervals_total(&set), 2);
        assert_true(intervals_next_gap(&set, 5, UINT64_MAX, &gap));
        assert_int_equal(gap.start, 5);
        assert_int_equal(gap.end, UINT64_MAX - 2);
        assert_int_equal(intervals_remove(&set, UINT64_MAX - 1, UINT64_MAX), 0);
        assert_int_equal(intervals_total(&set), 1);
        intervals_done(&set);
}

static void an_interval_that_ends_before_it_starts_is_refused(void **state _unused_) {
        struct intervals set = {};

        assert_int_equal(intervals_add(&set, 2, 1), -EINVAL);
        assert_int_equal(intervals_remove(&set, 2, 1), -EINVAL);
        assert_int_equal(intervals_add(&set, 2, 2), 0);
        assert_int_equal(set.n_items, 0);
        assert_true(intervals_contain(&set, 7, 7));
        intervals_done(&set);
}

static void copies_are_equal_and_separate(void **state _unused_) {
        struct intervals a = {}, b = {};

        assert_true(intervals_equal(&a, &b));
        assert_int_equal(intervals_add(&b, 100, 200), 0);
        assert_int_equal(intervals_add(&a, 1, 2), 0);
        assert_int_equal(intervals_add(&a, 4, 8), 0);
        assert_int_equal(intervals_copy(&b, &a), 0);
        assert_true(intervals_equal(&a, &b));
        assert_int_equal(intervals_add(&b, 2, 3), 0);
        assert_false(intervals_equal(&a, &b));
        assert_int_equal(intervals_total(&a), 5);

        assert_int_equal(intervals_add_all(&a, &b), 0);
        assert_int_equal(intervals_total(&a), 6);
        intervals_clear(&a);
        assert_int_equal(intervals_total(&a), 0);
        intervals_done(&a);
        intervals_done(&b);
}

static void a_gap_is_cut_at_the_limit(void **state _unused_) {
        struct intervals set = {};
        struct interval gap;

        assert_int_equal(intervals_add(&set, 10, 20), 0);
        assert_true(intervals_next_gap(&set, 0, 5, &gap));
        assert_int_equal(gap.end, 5);
        assert_true(intervals_next_gap(&set, 15, 100, &gap));
        assert_int_equal(gap.start, 20);
        assert_int_equal(gap.end, 100);
        assert_false(intervals_next_gap(&set, 12, 20, &gap));
        assert_false(intervals_next_gap(&set, 20, 20, &gap));
        intervals_done(&set);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(random_operations_agree_with_a_bitmap),
                cmocka_unit_test(touching_intervals_become_one),
                cmocka_unit_test(the_last_position_there_is_works),
                cmocka_unit_test(an_interval_that_ends_before_it_starts_is_refused),
                cmocka_unit_test(copies_are_equal_and_separate),
                cmocka_unit_test(a_gap_is_cut_at_the_limit),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

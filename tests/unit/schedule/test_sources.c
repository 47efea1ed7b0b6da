#include "../unit.h"

#include "schedule/sources.h"
#define SEC USEC_PER_SEC
#define START (100 * SEC)

enum { CACHE_A, CACHE_B, OWN, MIRROR_A, MIRROR_B, N };

struct world {
        struct source sources[N];
        struct sources_policy policy;
        uint64_t now, until;
};

static struct world world(uint64_t fallback) {
        return (struct world) {
                .sources = { { .kind = SOURCE_CACHE }, { .kind = SOURCE_CACHE }, { .kind = SOURCE_OWN }, { .kind = SOURCE_MIRROR },
                             { .kind = SOURCE_MIRROR } },
                .policy = { .cache_fallback_usec = fallback },
                .now = START,
        };
}

static size_t choose(struct world *w) {
        return sources_choose(w->sources, N, &w->policy, START, w->now, &w->until);
}

/* Chooses, wants @expected, and lets it fail. */
static void fails(struct world *w, size_t expected, enum source_fault fault) {
        assert_int_equal(choose(w), expected);
        sources_failed(&w->sources[expected], fault, w->now);
}

static void a_cache_comes_first_then_the_file_s_own_url_then_mirrors(void **state _unused_) {
        struct world w = world(0);

        fails(&w, CACHE_A, SOURCE_FAULT_REFUSED);
        fails(&w, CACHE_B, SOURCE_FAULT_REFUSED);
        fails(&w, OWN, SOURCE_FAULT_REFUSED);
        fails(&w, MIRROR_A, SOURCE_FAULT_REFUSED);
        fails(&w, MIRROR_B, SOURCE_FAULT_REFUSED);
        assert_true(choose(&w) == SOURCE_NONE);
        assert_true(w.until == USEC_INFINITY);
}

static void without_a_delay_a_cache_in_trouble_is_left_at_once(void **state _unused_) {
        struct world w = world(0);

        w.sources[CACHE_B].rests_until = USEC_INFINITY;
        fails(&w, CACHE_A, SOURCE_FAULT_TROUBLE);
        assert_int_equal(choose(&w), OWN);
        w.now += SOURCE_REST_FIRST_USEC; /* it has rested */
        assert_int_equal(choose(&w), CACHE_A);
}

static void with_a_delay_caches_are_tried_in_turn_until_it_is_over(void **state _unused_) {
        struct world w = world(60 * SEC);

        for (int i = 0; i < 3; i++) {
                fails(&w, CACHE_A, SOURCE_FAULT_TROUBLE);
                fails(&w, CACHE_B, SOURCE_FAULT_TROUBLE);
                w.now += SEC;
        }
        w.now = START + 60 * SEC;
        w.sources[CACHE_A].rests_until = w.sources[CACHE_B].rests_until = w.now + 1;
        assert_int_equal(choose(&w), OWN);
}

static void a_cache_that_has_no_such_file_is_no_reason_to_wait(void **state _unused_) {
        struct world w = world(60 * SEC);

        fails(&w, CACHE_A, SOURCE_FAULT_REFUSED);
        fails(&w, CACHE_B, SOURCE_FAULT_LIED);
        assert_int_equal(choose(&w), OWN);
}

static void trouble_rests_longer_each_time_up_to_an_end(void **state _unused_) {
        struct source s = { .kind = SOURCE_MIRROR };

        sources_failed(&s, SOURCE_FAULT_TROUBLE, START);
        assert_true(s.rests_until == START + SOURCE_REST_FIRST_USEC);
        sources_failed(&s, SOURCE_FAULT_TROUBLE, START);
        assert_true(s.rests_until == START + 2 * SOURCE_REST_FIRST_USEC);
        for (int i = 0; i < 100; i++)
                sources_failed(&s, SOURCE_FAULT_TROUBLE, START);
        assert_true(s.rests_until == START + SOURCE_REST_MAX_USEC);
        sources_delivered(&s);
        sources_failed(&s, SOURCE_FAULT_TROUBLE, START);
        assert_true(s.rests_until == START + SOURCE_REST_FIRST_USEC);
}

static void who_lied_is_never_asked_again(void **state _unused_) {
        struct world w = world(0);

        sources_failed(&w.sources[CACHE_A], SOURCE_FAULT_LIED, w.now);
        sources_failed(&w.sources[CACHE_B], SOURCE_FAULT_LIED, w.now);
        sources_failed(&w.sources[OWN], SOURCE_FAULT_TROUBLE, w.now);
        sources_failed(&w.sources[MIRROR_A], SOURCE_FAULT_LIED, w.now);
        w.now += 365 * USEC_PER_DAY;
        assert_int_equal(choose(&w), OWN);
        sources_failed(&w.sources[OWN], SOURCE_FAULT_LIED, w.now);
        assert_int_equal(choose(&w), MIRROR_B);
}

static void when_all_rest_the_first_to_wake_up_is_told(void **state _unused_) {
        struct world w = world(0);

        for (size_t i = 0; i < N; i++)
                sources_failed(&w.sources[i], SOURCE_FAULT_TROUBLE, w.now + i * SEC);
        assert_true(choose(&w) == SOURCE_NONE);
        assert_true(w.until == START + SOURCE_REST_FIRST_USEC);
}

static void another_source_is_there_only_if_it_may_be_asked_now(void **state _unused_) {
        struct source two[] = { { .kind = SOURCE_OWN }, { .kind = SOURCE_MIRROR } };

        assert_true(sources_has_other(two, 2, 0, START));
        assert_false(sources_has_other(two, 1, 0, START));
        sources_failed(&two[1], SOURCE_FAULT_TROUBLE, START);
        assert_false(sources_has_other(two, 2, 0, START));
}

static void a_slow_source_goes_behind_all_that_are_not_and_is_the_last_hope(void **state _unused_) {
        struct world w = world(0);

        fails(&w, CACHE_A, SOURCE_FAULT_SLOW);
        fails(&w, CACHE_B, SOURCE_FAULT_SLOW);
        fails(&w, OWN, SOURCE_FAULT_SLOW);
        assert_true(sources_has_faster(w.sources, N, MIRROR_A, w.now));
        fails(&w, MIRROR_A, SOURCE_FAULT_SLOW);
        assert_false(sources_has_faster(w.sources, N, MIRROR_B, w.now));
        fails(&w, MIRROR_B, SOURCE_FAULT_SLOW);
        assert_int_equal(choose(&w), CACHE_A); /* all are: none is */
        assert_int_equal(w.until, 0);
        sources_delivered(&w.sources[MIRROR_A]);
        assert_int_equal(choose(&w), MIRROR_A);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_cache_comes_first_then_the_file_s_own_url_then_mirrors),
                cmocka_unit_test(without_a_delay_a_cache_in_trouble_is_left_at_once),
                cmocka_unit_test(with_a_delay_caches_are_tried_in_turn_until_it_is_over),
                cmocka_unit_test(a_cache_that_has_no_such_file_is_no_reason_to_wait),
                cmocka_unit_test(trouble_rests_longer_each_time_up_to_an_end),
                cmocka_unit_test(who_lied_is_never_asked_again),
                cmocka_unit_test(a_slow_source_goes_behind_all_that_are_not_and_is_the_last_hope),
                cmocka_unit_test(when_all_rest_the_first_to_wake_up_is_told),
                cmocka_unit_test(another_source_is_there_only_if_it_may_be_asked_now),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

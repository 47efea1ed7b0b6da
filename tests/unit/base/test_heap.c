#include "../unit.h"

#include "base/heap.h"

#define N 200

static void the_smallest_key_is_on_top_whatever_happens(void **state _unused_) {
        struct heap heap = {};
        struct heap_item items[N];
        unsigned seed = 7;

        assert_null(heap_top(&heap));
        assert_int_equal(heap_reserve(&heap, N), 0);
        for (unsigned i = 0; i < N; i++)
                heap_item_init(&items[i]);
        for (unsigned step = 0; step < 5000; step++) {
                struct heap_item *item = &items[rand_r(&seed) % N], *smallest = NULL;
                size_t n_in = 0;

                if (rand_r(&seed) % 3 == 0) {
                        heap_remove(&heap, item);
                        assert_false(heap_item_is_in(item));
                } else {
                        heap_put(&heap, item, (uint64_t)(rand_r(&seed) % 50)); /* new, sooner, later or the same */
                        assert_true(heap_item_is_in(item));
                }
                for (unsigned i = 0; i < N; i++) {
                        if (!heap_item_is_in(&items[i]))
                                continue;
                        n_in++;
                        if (!smallest || items[i].key < smallest->key)
                                smallest = &items[i];
                }
                assert_int_equal(heap.n_items, n_in);
                if (smallest)
                        assert_int_equal(heap_top(&heap)->key, smallest->key);
                else
                        assert_null(heap_top(&heap));
        }
        heap_done(&heap);
}

static void taking_the_top_away_gives_sorted_keys(void **state _unused_) {
        struct heap heap = {};
        struct heap_item items[N];
        uint64_t last = 0;

        assert_int_equal(heap_reserve(&heap, N), 0);
        for (unsigned i = 0; i < N; i++) {
                heap_item_init(&items[i]);
                heap_put(&heap, &items[i], (i * 7919) % 1009);
        }
        for (unsigned i = 0; i < N; i++) {
                struct heap_item *top = heap_top(&heap);

                assert_true(top->key >= last);
                last = top->key;
                heap_remove(&heap, top);
        }
        assert_null(heap_top(&heap));
        heap_done(&heap);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(the_smallest_key_is_on_top_whatever_happens),
                cmocka_unit_test(taking_the_top_away_gives_sorted_keys),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

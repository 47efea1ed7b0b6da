#include "base/heap.h"

#define NOT_IN SIZE_MAX

void heap_done(struct heap *heap) {
        free(heap->items);
        *heap = (struct heap) {};
}

int heap_reserve(struct heap *heap, size_t n) {
        struct heap_item **items;
        size_t allocated;

        if (n <= heap->n_allocated)
                return 0;
        allocated = MAX(n, heap->n_allocated * 2);
        items = reallocarray(heap->items, allocated, sizeof(*items));
        if (!items)
                return -ENOMEM;
        heap->items = items;
        heap->n_allocated = allocated;
        return 0;
}

void heap_item_init(struct heap_item *item) {
        *item = (struct heap_item) { .index = NOT_IN };
}

bool heap_item_is_in(const struct heap_item *item) {
        return item->index != NOT_IN;
}

static void place(struct heap *heap, struct heap_item *item, size_t index) {
        heap->items[index] = item;
        item->index = index;
}

static void rise(struct heap *heap, struct heap_item *item) {
        size_t i = item->index;

        while (i > 0 && heap->items[(i - 1) / 2]->key > item->key) {
                place(heap, heap->items[(i - 1) / 2], i);
                i = (i - 1) / 2;
        }
        place(heap, item, i);
}

static void sink(struct heap *heap, struct heap_item *item) {
        size_t i = item->index;

        for (;;) {
                size_t child = 2 * i + 1;

                if (child + 1 < heap->n_items && heap->items[child + 1]->key < heap->items[child]->key)
                        child++;
                if (child >= heap->n_items || heap->items[child]->key >= item->key)
                        break;
                place(heap, heap->items[child], i);
                i = child;
        }
        place(heap, item, i);
}

void heap_put(struct heap *heap, struct heap_item *item, uint64_t key) {
        item->key = key;
        if (!heap_item_is_in(item)) {
                assert(heap->n_items < heap->n_allocated);
                place(heap, item, heap->n_items++);
        }
        rise(heap, item);
        sink(heap, item);
}

void heap_remove(struct heap *heap, struct heap_item *item) {
        size_t hole = item->index;
        struct heap_item *last;

        if (!heap_item_is_in(item))
                return;
        item->index = NOT_IN;
        last = heap->items[--heap->n_items];
        if (last == item)
                return;
        place(heap, last, hole);
        rise(heap, last);
        sink(heap, last);
}

/* A binary heap of items that sit in other structs: the smallest key first, O(log n) to put, move or take away any.
 *
 * 1. Embed a `struct heap_item`, heap_item_init() it.
 * 2. heap_reserve() room for as many as there may be: only this can fail.
 * 3. heap_put() adds the item or moves it to its new key. Equal keys come in no particular order. */
#pragma once

#include "base/macros.h"

struct heap_item {
        uint64_t key;
        size_t index; /* private */
};

struct heap {
        struct heap_item **items;
        size_t n_items;
        size_t n_allocated;
};

void heap_done(struct heap *heap);
int heap_reserve(struct heap *heap, size_t n);

void heap_item_init(struct heap_item *item);
bool heap_item_is_in(const struct heap_item *item);
void heap_put(struct heap *heap, struct heap_item *item, uint64_t key);
/* Does nothing if it is not in. */
void heap_remove(struct heap *heap, struct heap_item *item);

/* NULL when empty. */
static inline struct heap_item *heap_top(const struct heap *heap) {
        return heap->n_items > 0 ? heap->items[0] : NULL;
}

#include "job/chunks.h"

#include <string.h>

void chunks_done(struct chunks *set) {
        free(set->items);
        *set = (struct chunks) {};
}

/* First item that begins at or behind @start. They mostly come in order: the end is looked at first. */
static size_t chunks_find(const struct chunks *set, uint64_t start) {
        size_t low = 0, high = set->n_items;

        if (high == 0 || set->items[high - 1].start < start)
                return high;
        while (low < high) {
                size_t middle = low + (high - low) / 2;

                if (set->items[middle].start < start)
                        low = middle + 1;
                else
                        high = middle;
        }
        return low;
}

int chunks_put(struct chunks *set, const struct chunk *chunk) {
        size_t at = chunks_find(set, chunk->start);

        if (chunk->start % CHUNK_BYTES != 0)
                return -EINVAL;
        if (at < set->n_items && set->items[at].start == chunk->start) {
                set->items[at] = *chunk;
                return 0;
        }
        if (set->n_items == set->n_allocated) {
                size_t allocated = MAX((size_t) 16, 2 * (size_t) set->n_allocated);
                struct chunk *items = allocated <= UINT32_MAX ? reallocarray(set->items, allocated, sizeof(*items)) : NULL;

                if (!items)
                        return -ENOMEM;
                set->items = items;
                set->n_allocated = (uint32_t) allocated;
        }
        memmove(set->items + at + 1, set->items + at, (set->n_items - at) * sizeof(*set->items));
        set->items[at] = *chunk;
        set->n_items++;
        return 0;
}

int chunks_put_all(struct chunks *set, const struct chunks *other) {
        int r = 0;

        for (size_t i = 0; i < other->n_items && r == 0; i++)
                r = chunks_put(set, &other->items[i]);
        return r;
}

void chunks_keep_within(struct chunks *set, const struct intervals *ranges) {
        size_t kept = 0, range = 0;

        for (size_t i = 0; i < set->n_items; i++) {
                uint64_t start = set->items[i].start;

                while (range < ranges->n_items && ranges->items[range].end < start + CHUNK_BYTES)
                        range++;
                if (range == ranges->n_items)
                        break;
                if (ranges->items[range].start <= start)
                        set->items[kept++] = set->items[i];
        }
        set->n_items = (uint32_t) kept;
}

size_t chunks_completed(const struct intervals *now, const struct intervals *before, uint64_t *ret_starts, size_t max) {
        size_t n = 0;

        for (size_t i = 0; i < now->n_items; i++) {
                uint64_t end = now->items[i].end, first = now->items[i].start;
                struct interval gap;

                first += (CHUNK_BYTES - first % CHUNK_BYTES) % CHUNK_BYTES;
                while (n < max && first + CHUNK_BYTES <= end && intervals_next_gap(before, first, end, &gap)) {
                        first = MAX(first, gap.start - gap.start % CHUNK_BYTES);
                        if (first + CHUNK_BYTES > end)
                                break;
                        ret_starts[n++] = first;
                        first += CHUNK_BYTES;
                }
        }
        return n;
}

#include "base/intervals.h"

#include <string.h>

void intervals_done(struct intervals *set) {
        free(set->items);
        *set = (struct intervals) {};
}

void intervals_clear(struct intervals *set) {
        set->n_items = 0;
}

static int intervals_reserve(struct intervals *set, size_t n) {
        struct interval *items;
        size_t allocated;

        if (n <= set->n_allocated)
                return 0;
        if (n > UINT32_MAX)
                return -ENOMEM;
        allocated = MIN(MAX(n, (size_t) set->n_allocated * 2), (size_t) UINT32_MAX);
        items = reallocarray(set->items, allocated, sizeof(*items));
        if (!items)
                return -ENOMEM;
        set->items = items;
        set->n_allocated = (uint32_t) allocated;
        return 0;
}

int intervals_copy(struct intervals *to, const struct intervals *from) {
        int r = intervals_reserve(to, from->n_items);

        if (r < 0)
                return r;
        if (from->n_items > 0)
                memcpy(to->items, from->items, from->n_items * sizeof(*from->items));
        to->n_items = from->n_items;
        return 0;
}

/* First item whose end is at or after @position. */
static size_t intervals_find(const struct intervals *set, uint64_t position) {
        size_t low = 0, high = set->n_items;

        while (low < high) {
                size_t middle = low + (high - low) / 2;

                if (set->items[middle].end < position)
                        low = middle + 1;
                else
                        high = middle;
        }
        return low;
}

/* Puts @n new items in the place of items [first, last). */
static int intervals_splice(struct intervals *set, size_t first, size_t last, const struct interval *items, size_t n) {
        size_t tail = set->n_items - last;
        int r = intervals_reserve(set, first + n + tail);

        if (r < 0)
                return r;
        if (tail > 0)
                memmove(set->items + first + n, set->items + last, tail * sizeof(*set->items));
        for (size_t i = 0; i < n; i++)
                set->items[first + i] = items[i];
        set->n_items = (uint32_t)(first + n + tail);
        return 0;
}

int intervals_add(struct intervals *set, uint64_t start, uint64_t end) {
        struct interval merged = { start, end };
        size_t first, last;

        if (start > end)
                return -EINVAL;
        if (start == end)
                return 0;
        first = last = intervals_find(set, start);
        for (; last < set->n_items && set->items[last].start <= end; last++) {
                merged.start = MIN(merged.start, set->items[last].start);
                merged.end = MAX(merged.end, set->items[last].end);
        }
        return intervals_splice(set, first, last, &merged, 1);
}

int intervals_remove(struct intervals *set, uint64_t start, uint64_t end) {
        struct interval rest[2];
        size_t first, last, n = 0;

        if (start > end)
                return -EINVAL;
        if (start == end)
                return 0;
        first = last = intervals_find(set, start + 1);
        for (; last < set->n_items && set->items[last].start < end; last++) {
                if (set->items[last].start < start)
                        rest[n++] = (struct interval) { set->items[last].start, start };
                if (set->items[last].end > end)
                        rest[n++] = (struct interval) { end, set->items[last].end };
        }
        return intervals_splice(set, first, last, rest, n);
}

int intervals_add_all(struct intervals *set, const struct intervals *other) {
        for (size_t i = 0; i < other->n_items; i++) {
                int r = intervals_add(set, other->items[i].start, other->items[i].end);

                if (r < 0)
                        return r;
        }
        return 0;
}

bool intervals_contain(const struct intervals *set, uint64_t start, uint64_t end) {
        size_t i;

        if (start >= end)
                return true;
        i = intervals_find(set, start + 1);
        return i < set->n_items && set->items[i].start <= start && set->items[i].end >= end;
}

bool intervals_equal(const struct intervals *a, const struct intervals *b) {
        return a->n_items == b->n_items &&
                (a->n_items == 0 || memcmp(a->items, b->items, a->n_items * sizeof(*a->items)) == 0);
}

uint64_t intervals_total(const struct intervals *set) {
        uint64_t total = 0;

        for (size_t i = 0; i < set->n_items; i++)
                total += set->items[i].end - set->items[i].start; /* disjoint: cannot overflow */
        return total;
}

bool intervals_next_gap(const struct intervals *set, uint64_t from, uint64_t limit, struct interval *ret) {
        size_t i;

        if (from >= limit)
                return false;
        i = intervals_find(set, from + 1);
        if (i < set->n_items && set->items[i].start <= from)
                from = set->items[i++].end;
        if (from >= limit)
                return false;
        *ret = (struct interval) { from, i < set->n_items ? MIN(limit, set->items[i].start) : limit };
        return true;
}

/* Sets of byte positions as sorted, disjoint, non-touching half-open intervals [start, end).
 *
 * 1. `struct intervals set = {};` is the empty set; intervals_done() frees it.
 * 2. add and remove keep the order and merge; -ENOMEM leaves the set as it was.
 * Must never know what the bytes are for. */
#pragma once

#include "base/macros.h"

struct interval {
        uint64_t start;
        uint64_t end;
};

struct intervals {
        struct interval *items;
        uint32_t n_items;
        uint32_t n_allocated;
};

void intervals_done(struct intervals *set);
void intervals_clear(struct intervals *set);
int intervals_copy(struct intervals *to, const struct intervals *from); /* replaces *to */
int intervals_add(struct intervals *set, uint64_t start, uint64_t end); /* start <= end, else -EINVAL */
int intervals_remove(struct intervals *set, uint64_t start, uint64_t end);
int intervals_add_all(struct intervals *set, const struct intervals *other);
bool intervals_contain(const struct intervals *set, uint64_t start, uint64_t end);
bool intervals_equal(const struct intervals *a, const struct intervals *b);
uint64_t intervals_total(const struct intervals *set);
/* First gap at or after @from within [from, limit): false if there is none. */
bool intervals_next_gap(const struct intervals *set, uint64_t from, uint64_t limit, struct interval *ret);

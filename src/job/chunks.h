/* Hashes of whole, aligned chunks of a file: what proves that bytes in a file of another identity are the ones that were written (design
 * decision 22). A set, sorted by position; it never knows how a hash is made.
 *
 * 1. `struct chunks set = {};` is the empty set; chunks_done() frees it.
 * 2. chunks_keep_within() after every change of the ranges that count: a hash never outlives the claim to its bytes. Else one of
 *    content that was thrown away could one day prove that content right. */
#pragma once

#include "base/intervals.h"

#define CHUNK_BYTES (UINT64_C(1) << 20) /* design decision 22 */
#define CHUNK_HASH_BYTES 32

struct chunk {
        uint64_t start; /* a multiple of CHUNK_BYTES */
        uint8_t hash[CHUNK_HASH_BYTES]; /* SHA-256 */
};

struct chunks {
        struct chunk *items;
        uint32_t n_items;
        uint32_t n_allocated;
};

void chunks_done(struct chunks *set);
/* In the place of the one that begins there, if there is one. -EINVAL: no multiple. -ENOMEM: nothing was changed. */
int chunks_put(struct chunks *set, const struct chunk *chunk);
int chunks_put_all(struct chunks *set, const struct chunks *other);
/* Drops each that does not lie wholly in @ranges. */
void chunks_keep_within(struct chunks *set, const struct intervals *ranges);
/* Where the chunks begin that lie wholly in @now and did not in @before. Return: how many, at most @max. */
size_t chunks_completed(const struct intervals *now, const struct intervals *before, uint64_t *ret_starts, size_t max);

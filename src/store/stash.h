/* Jobs and history that were read before anybody asked for them: whoever judges all rows has read them all, and the first load need not read
 * them again.
 *
 * 1. Load with &stash_visitor and a zeroed `struct stash` as its userdata.
 * 2. stash_give() hands all of it to another visitor, in the same order; or stash_done() frees it. */
#pragma once

#include "store/store.h"

struct stash {
        struct job **jobs;
        size_t n_jobs, n_jobs_allocated;
        struct history_entry **history;
        size_t n_history, n_history_allocated;
};
extern const struct store_visitor stash_visitor;

/* Empty from then on. As store_load(): what @visitor refuses ends it, and the rest is freed. */
int stash_give(struct stash *stash, const struct store_visitor *visitor, void *userdata);
void stash_done(struct stash *stash);

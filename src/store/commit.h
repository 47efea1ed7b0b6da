/* A submitted batch on its way through a backend. Internal to src/store. */
#pragma once

#include "store/store.h"

struct commit {
        struct store_batch *batch; /* NULL once it was carried out */
        store_done_fn done;
        void *userdata;
        int error;
        bool finished;
        struct commit *prev, *next;
};

/* @batch is CONSUMED: freed when there is no memory. */
int commit_new(struct store_batch *batch, store_done_fn done, void *userdata, struct commit **ret);
struct commit *commit_free(struct commit *commit);
/* Takes the first off the list, frees it, then calls back: the callback may submit, dispatch and recover. */
void commit_deliver_first(struct commit **list);
/* Empties the list; nobody is called back. */
void commit_drop_all(struct commit **list);

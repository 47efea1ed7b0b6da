#include "store/store.h"

#include "store/batch.h"

struct store *store_free(struct store *store) {
        if (store)
                store->ops->free(store);
        return NULL;
}

int store_load(struct store *store, const struct store_visitor *visitor, void *userdata) {
        return store->ops->load(store, visitor, userdata);
}

int store_commit(struct store *store, struct store_batch *batch, store_done_fn done, void *userdata) {
        assert(batch);
        assert(done);
        return store->ops->commit(store, batch, done, userdata);
}

int store_recover(struct store *store) {
        return store->ops->recover(store);
}

int store_backup(struct store *store, uint64_t now_usec, store_done_fn done, void *userdata) {
        return store->ops->backup(store, now_usec, done, userdata);
}

uint64_t store_backup_time(const struct store *store) {
        return store->ops->backup_time(store);
}

int store_fd(const struct store *store) {
        return store->ops->fd(store);
}

size_t store_dispatch(struct store *store) {
        return store->ops->dispatch(store);
}

size_t store_wait(struct store *store) {
        return store->ops->wait(store);
}

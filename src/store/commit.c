#include "store/commit.h"

#include <utlist.h>

int commit_new(struct store_batch *batch, store_done_fn done, void *userdata, struct commit **ret) {
        struct commit *commit = calloc(1, sizeof(*commit));

        if (!commit) {
                store_batch_free(batch);
                return -ENOMEM;
        }
        *commit = (struct commit) { .batch = batch, .done = done, .userdata = userdata };
        *ret = commit;
        return 0;
}

struct commit *commit_free(struct commit *commit) {
        if (!commit)
                return NULL;
        store_batch_free(commit->batch);
        free(commit);
        return NULL;
}

void commit_deliver_first(struct commit **list) {
        struct commit *commit = *list;
        store_done_fn done = commit->done;
        void *userdata = commit->userdata;
        int error = commit->error;

        DL_DELETE(*list, commit);
        commit_free(commit);
        done(error, userdata);
}

void commit_drop_all(struct commit **list) {
        struct commit *commit, *next;

        DL_FOREACH_SAFE(*list, commit, next) {
                DL_DELETE(*list, commit);
                commit_free(commit);
        }
}

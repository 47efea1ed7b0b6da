#include "store/stash.h"

/* The array, or a larger one in its place, with room for one more pointer; NULL: no memory, and the array is as it was. */
static void *with_room(void *array, size_t n, size_t *n_allocated) {
        size_t allocated = MAX((size_t) 64, 2 * *n_allocated);
        void *larger;

        if (n < *n_allocated)
                return array;
        larger = reallocarray(array, allocated, sizeof(void *));
        if (larger)
                *n_allocated = allocated;
        return larger;
}

static int stash_job(struct job *job, void *userdata) {
        struct stash *stash = userdata;
        struct job **jobs = with_room(stash->jobs, stash->n_jobs, &stash->n_jobs_allocated);

        if (!jobs) {
                job_free(job);
                return -ENOMEM;
        }
        stash->jobs = jobs;
        stash->jobs[stash->n_jobs++] = job;
        return 0;
}

static int stash_history(struct history_entry *entry, void *userdata) {
        struct stash *stash = userdata;
        struct history_entry **history = with_room(stash->history, stash->n_history, &stash->n_history_allocated);

        if (!history) {
                history_entry_free(entry);
                return -ENOMEM;
        }
        stash->history = history;
        stash->history[stash->n_history++] = entry;
        return 0;
}

const struct store_visitor stash_visitor = { .job = stash_job, .history = stash_history };

int stash_give(struct stash *stash, const struct store_visitor *visitor, void *userdata) {
        int r = 0;

        for (size_t i = 0; i < stash->n_jobs && r == 0; i++)
                r = visitor->job(TAKE_PTR(stash->jobs[i]), userdata);
        for (size_t i = 0; i < stash->n_history && r == 0; i++)
                r = visitor->history(TAKE_PTR(stash->history[i]), userdata);
        stash_done(stash);
        return r;
}

void stash_done(struct stash *stash) {
        for (size_t i = 0; i < stash->n_jobs; i++)
                job_free(stash->jobs[i]);
        for (size_t i = 0; i < stash->n_history; i++)
                history_entry_free(stash->history[i]);
        free(stash->jobs);
        free(stash->history);
        *stash = (struct stash) {};
}

/* Commit, then answer: collects the changes of one turn of the loop into one batch, and what may be said only after it.
 *
 * Replies, events and steps that rely on a record (making a temp file whose name must be known, publishing under an intent) all wait in
 * the group of the batch that holds the record. When a commit fails, memory runs ahead of the disk: everybody who waits is told, all
 * memory is dropped and loaded again. There is no second way to undo. */
#include "base/log.h"
#include "manager/private.h"

static int open_group(struct manager *m) {
        if (m->group)
                return 0;
        m->group = calloc(1, sizeof(*m->group));
        if (!m->group)
                return -ENOMEM;
        *m->group = (struct commit_group) { .manager = m, .seq = ++m->group_seq };
        return 0;
}

/* A change that cannot be recorded must not stay in memory alone: the whole turn fails like a failed commit. */
static void collecting_failed(struct manager *m, int error) {
        log_error("cannot collect a change for the store: %s", strerror(-error));
        abort(); /* no memory for a few hundred bytes, or a value that should have been refused: starting anew loads the truth */
}

static void open_batch(struct manager *m) {
        int r = open_group(m);

        if (r == 0 && !m->batch)
                r = store_batch_new(&m->batch);
        if (r < 0)
                collecting_failed(m, r);
}

static void collect(struct manager *m, struct job *job) {
        open_batch(m);
        if (job)
                job_run(job)->saved_in = m->group->seq;
}

/* Its row is copied when the turn ends: each of a thousand files that end in one turn changes their job. */
void manager_save_job(struct manager *m, struct job *job) {
        struct job_run *run = job_run(job);

        assert(!job_state_is_final(job->state)); /* its rows go, or went, with manager_forget_job() */
        collect(m, job);
        if (run->scheduled)
                schedule_count_time(m->schedule, job);
        if (run->unsaved)
                return;
        run->unsaved = true;
        DL_APPEND2(m->unsaved, run, unsaved_prev, unsaved_next);
}

static void drop_unsaved(struct manager *m, struct job_run *run) {
        if (run->unsaved)
                DL_DELETE2(m->unsaved, run, unsaved_prev, unsaved_next);
        run->unsaved = false;
}

static void collect_unsaved(struct manager *m) {
        int r;

        while (m->unsaved) {
                struct job_run *run = m->unsaved;

                drop_unsaved(m, run);
                r = store_batch_save_job(m->batch, run->job);
                if (r < 0)
                        collecting_failed(m, r);
        }
}

static void collect_file(struct manager *m, struct job_file *file) {
        int r;

        assert(!job_state_is_final(file->job->state)); /* likewise */
        r = store_batch_save_file(m->batch, file);
        if (r < 0)
                collecting_failed(m, r);
        file->saved_in = m->group->seq;
}

void manager_save_file(struct manager *m, struct job_file *file) {
        manager_save_job(m, file->job);
        collect_file(m, file);
}

int manager_save_chunks(struct manager *m, const struct job_file *file, const struct chunks *chunks) {
        return store_batch_add_chunks(m->batch, file, chunks);
}

void manager_save_file_quietly(struct manager *m, struct job_file *file) {
        open_batch(m);
        collect_file(m, file);
}

void manager_forget_job(struct manager *m, struct job *job, const struct history_entry *entry) {
        size_t keep = m->limits.history_max_entries;
        int r;

        collect(m, job);
        drop_unsaved(m, job_run(job));
        r = store_batch_remove_job(m->batch, &job->id);
        /* Entries end in order, so "the newest n" also says which are too old. */
        if (r == 0 && keep > 0)
                keep = manager_trim_history(m, keep - 1) + 1;
        if (r == 0)
                r = store_batch_add_history(m->batch, entry, keep);
        if (r < 0)
                collecting_failed(m, r);
}

int manager_after_commit(struct manager *m, void (*fn)(int error, void *userdata), void *userdata) {
        struct after *after;
        int r = open_group(m);

        if (r < 0)
                return r;
        after = malloc(sizeof(*after));
        if (!after)
                return -ENOMEM;
        *after = (struct after) { .fn = fn, .userdata = userdata };
        DL_APPEND(m->group->after, after);
        return 0;
}

static void group_finish(struct commit_group *group, int error) {
        struct after *after, *tmp;

        DL_FOREACH_SAFE(group->after, after, tmp) {
                DL_DELETE(group->after, after);
                after->fn(error, after->userdata);
                free(after);
        }
        free(group);
}

static void tell_failure(int error, unsigned n_left_out) {
        if (n_left_out > 0)
                log_error("the store could not write %u more times", n_left_out);
        log_error("the store could not write: %s; going back to what it holds", strerror(-error));
}

static void reload(struct manager *m, int error) {
        struct programs *programs;
        unsigned n_left_out;
        int r;

        if (log_limit_take(&m->told_failures, manager_boottime(m), &n_left_out))
                tell_failure(error, n_left_out);
        m->held_until_boottime = u64_add_saturated(manager_boottime(m), STORE_RETRY_USEC);
        if (m->group)
                group_finish(TAKE_PTR(m->group), error);
        m->batch = store_batch_free(m->batch);
        programs = manager_keep_programs(m);
        manager_drop_all(m);
        m->durable_seq = m->group_seq; /* what loading changes comes after it */
        r = store_recover(m->store);
        if (r == 0)
                r = manager_load(m);
        manager_return_programs(m, programs);
        manager_notify_wake(m, m->held_until_boottime); /* what is due goes out then */
        if (r < 0 && m->events && m->events->failed)
                m->events->failed(m->events_userdata, r);
}

static void commit_done(int error, void *userdata) {
        struct commit_group *group = userdata;
        struct manager *m = group->manager;

        m->n_commits--;
        if (error == 0) {
                m->n_durable_commits++;
                m->durable_seq = MAX(m->durable_seq, group->seq);
        } else if (m->commit_error == 0)
                m->commit_error = error;
        /* Those that were submitted behind a failed one come back with -ECANCELED, which is not why. */
        error = m->commit_error;
        group_finish(group, error);
        if (error < 0 && m->n_commits == 0) { /* after the last: once */
                m->commit_error = 0;
                reload(m, error);
        }
}

void manager_drop_group(struct manager *m) {
        m->batch = store_batch_free(m->batch);
        if (m->group)
                group_finish(TAKE_PTR(m->group), -ECANCELED);
}

void manager_flush(struct manager *m) {
        struct commit_group *group;
        struct store_batch *batch;
        int r;

        collect_unsaved(m);
        group = TAKE_PTR(m->group);
        batch = TAKE_PTR(m->batch);
        if (!group)
                return;
        if (!batch && m->n_commits == 0) {
                /* Nothing was changed and nothing is on its way: what waits may go on. */
                m->durable_seq = group->seq;
                group_finish(group, 0);
                return;
        }
        if (!batch) {
                r = store_batch_new(&batch);
                if (r < 0)
                        collecting_failed(m, r);
        }
        m->n_commits++;
        r = store_commit(m->store, batch, commit_done, group);
        if (r < 0)
                commit_done(r, group);
        else
                manager_backup_if_due(m);
}

bool manager_job_is_dirty(const struct manager *m, const struct job *job) {
        return job_run(job)->saved_in > m->durable_seq;
}

bool manager_file_is_dirty(const struct manager *m, const struct job_file *file) {
        return file->saved_in > m->durable_seq;
}

bool manager_is_dirty(const struct manager *m) {
        return m->batch || m->n_commits > 0;
}

struct parked_reply {
        struct guid id;
        struct reply reply;
        struct manager_reply answer;
};

static void parked_reply_send(int error, void *userdata) {
        _cleanup_free_ struct parked_reply *parked = userdata;

        if (error < 0) {
                parked->answer.outcome = ERROR_STORE_FAILED;
                parked->answer.text = strerror(-error);
        }
        parked->reply.fn(&parked->answer, parked->reply.userdata);
}

void manager_reply_durably(struct manager *m, const struct guid *id, struct reply reply, const struct manager_reply *answer) {
        struct parked_reply *parked;

        if (!reply.fn)
                return;
        parked = malloc(sizeof(*parked));
        if (!parked)
                collecting_failed(m, -ENOMEM);
        *parked = (struct parked_reply) { .reply = reply, .answer = *answer };
        if (id)
                parked->answer.id = *id;
        if (!parked->answer.text)
                parked->answer.text = "";
        if (manager_after_commit(m, parked_reply_send, parked) < 0)
                collecting_failed(m, -ENOMEM);
}

void manager_refuse(struct reply reply, const struct guid *id, int outcome, const char *text) {
        struct manager_reply answer = { .outcome = outcome, .text = text ?: "" };

        if (id)
                answer.id = *id;
        if (reply.fn)
                reply.fn(&answer, reply.userdata);
}

void manager_when_durable(struct manager *m, manager_reply_fn reply, void *userdata) {
        struct manager_reply answer = { .text = "" };

        if (!manager_is_dirty(m))
                reply(&answer, userdata);
        else
                manager_reply_durably(m, NULL, (struct reply) { reply, userdata }, &answer);
}

/* Volatile jobs live as long as their client's connection (design decision 18): whose they are, and what happens when it goes. And what
 * programs are to a job beyond its memory, which a store failure drops: they are still there. */
#include "manager/private.h"

void manager_bind_job(struct manager *m, struct job *job, const void *client) {
        struct job_run *run = job_run(job);

        if (run->client)
                DL_DELETE2(m->bound, run, client_prev, client_next);
        run->client = client;
        if (client)
                DL_APPEND2(m->bound, run, client_prev, client_next);
}

bool manager_job_is_abandoned(const struct job *job) {
        return job->is_volatile && !job_run(job)->client && job->intent == JOB_INTENT_NONE && !job_state_is_final(job->state);
}

void manager_client_gone(struct manager *m, const void *client) {
        struct job_run *run, *tmp;

        manager_forget_client_in_checks(m, client);
        DL_FOREACH_SAFE2(m->bound, run, tmp, client_next) {
                if (run->client != client)
                        continue;
                manager_bind_job(m, run->job, NULL);
                /* What was promised already is kept: a Finalize that is under way goes on to its end. */
                if (manager_job_is_abandoned(run->job) && !run->op)
                        manager_start_op(m, run->job, JOB_INTENT_CANCEL, false, (struct reply) {});
        }
}

/* ---- while all memory is dropped and loaded again ---- */

struct programs {
        struct guid job;
        uid_t owner;
        bool told_transferring;
        const void *client;
        struct notify_state *notify;
        struct judging *judging;
        struct programs *next;
};

static bool has_stream(const struct job *job) {
        for (size_t i = 0; i < job->n_files; i++)
                if (file_has_stream(job->files[i]))
                        return true;
        return false;
}

struct programs *manager_keep_programs(struct manager *m) {
        struct programs *all = NULL;
        struct job_run *run;

        DL_FOREACH(m->jobs, run) {
                struct programs *programs;

                if (!run->client && !run->notify && !run->judging && !run->told_transferring)
                        continue;
                programs = malloc(sizeof(*programs));
                if (!programs)
                        continue; /* as if they had gone */
                *programs = (struct programs) {
                        .job = run->job->id,
                        .owner = run->job->owner,
                        .told_transferring = run->told_transferring,
                        /* What a stream held is lost, so its job ends. */
                        .client = has_stream(run->job) ? NULL : run->client,
                        .notify = TAKE_PTR(run->notify),
                        .judging = TAKE_PTR(run->judging),
                        .next = all,
                };
                all = programs;
        }
        return all;
}

static void give_back(struct manager *m, struct job_run *run, struct programs *programs) {
        if (run->job->is_volatile)
                manager_bind_job(m, run->job, programs->client);
        /* What they had in their hands comes again: it may be no news any more, or about a file that is not there. */
        run->notify = TAKE_PTR(programs->notify);
        if (run->notify) {
                intervals_clear(&run->notify->told);
                run->notify->in_flight = 0;
                run->notify->job_retry = run->notify->file_retry = (struct notify_retry) {};
        }
        run->judging = TAKE_PTR(programs->judging);
        if (run->judging)
                run->judging->asked = false;
        if (programs->told_transferring)
                manager_job_changed(m, run->job, true);
}

void manager_return_programs(struct manager *m, struct programs *programs) {
        while (programs) {
                struct programs *next = programs->next;
                struct job_run *run;

                HASH_FIND(hh, m->by_id, &programs->job, sizeof(programs->job), run);
                if (run && run->job->owner == programs->owner) /* else what made it another's was lost */
                        give_back(m, run, programs);
                if (programs->notify)
                        intervals_done(&programs->notify->told);
                free(programs->notify);
                free(programs->judging);
                free(programs);
                programs = next;
        }
}

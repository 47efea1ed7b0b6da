/* Volatile jobs live as long as their client's connection (design decision 18): whose they are, and what happens when it goes. */
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

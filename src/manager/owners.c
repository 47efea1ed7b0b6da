/* How many jobs each user has: known, not counted when the next one is judged, for users may have a hundred thousand. */
#include "manager/private.h"

struct owner_jobs {
        uid_t owner; /* the hash key */
        UT_hash_handle hh;
        size_t n;
};

static struct owner_jobs *find(const struct manager *m, uid_t owner) {
        struct owner_jobs *jobs;

        HASH_FIND(hh, m->owners, &owner, sizeof(owner), jobs);
        return jobs;
}

size_t manager_count_jobs_of(const struct manager *m, uid_t owner) {
        const struct owner_jobs *jobs = find(m, owner);

        return jobs ? jobs->n : 0;
}

int manager_owner_got_job(struct manager *m, uid_t owner) {
        struct owner_jobs *jobs = find(m, owner);

        if (!jobs) {
                jobs = calloc(1, sizeof(*jobs));
                if (!jobs)
                        return -ENOMEM;
                jobs->owner = owner;
                HASH_ADD(hh, m->owners, owner, sizeof(jobs->owner), jobs);
        }
        jobs->n++;
        return 0;
}

static void forget(struct manager *m, struct owner_jobs *jobs) {
        HASH_DEL(m->owners, jobs);
        free(jobs);
}

void manager_owner_lost_job(struct manager *m, uid_t owner) {
        struct owner_jobs *jobs = find(m, owner);

        assert(jobs && jobs->n > 0);
        if (--jobs->n == 0)
                forget(m, jobs);
}

void manager_forget_owners(struct manager *m) {
        struct owner_jobs *jobs, *tmp;

        HASH_ITER(hh, m->owners, jobs, tmp)
                forget(m, jobs);
}

/* Random life: commands, engine answers, time, failing commits, crashes; the promises hold after every step and everything ends right.
 *
 * Each seed is one world. DOSVC_SEEDS=n makes it longer, DOSVC_SEED=n runs one seed alone. */
#include "harness.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/fds.h"

/* A simulated crash forgets what was on its way, as a real one does: leaks mean nothing here. */
int __lsan_is_turned_off(void);
int __lsan_is_turned_off(void) {
        return 1;
}

#define STEPS 60
#define JOBS_MAX 5

static uint64_t random_state;

static uint32_t random_below(uint32_t n) {
        random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        return (uint32_t)(random_state >> 33) % n;
}

struct world {
        struct harness *h;
        struct guid ids[JOBS_MAX];
        bool ended[JOBS_MAX];   /* an acknowledged Complete or Cancel */
        bool unsure[JOBS_MAX];  /* a Complete or Cancel whose answer a crash took */
        uint64_t sizes[JOBS_MAX];
        size_t n_jobs;
        size_t calling;         /* job of the call that is out */
        bool ending;            /* that call is Complete or Cancel */
};

static struct job *find(struct world *w, size_t i) {
        return manager_find_job(w->h->manager, getuid(), &w->ids[i]);
}

static void check_durable_bytes(struct world *w, struct job *job) {
        for (size_t i = 0; i < job->n_files; i++) {
                struct job_file *file = job->files[i];
                char path[256];
                int fd;

                assert_true(intervals_total(&file->durable) <= intervals_total(&file->received));
                if (file->durable.n_items == 0 || file->state == FILE_PUBLISHED || file->state == FILE_DISCARDED)
                        continue;
                snprintf(path, sizeof(path), "%s/%s", w->h->directory, file->temp_name);
                fd = open(path, O_RDONLY | O_CLOEXEC);
                if (fd < 0) { /* renamed by a Complete that is being carried out */
                        assert_int_not_equal(job->intent, JOB_INTENT_NONE);
                        continue;
                }
                for (size_t n = 0; n < file->durable.n_items; n++) {
                        uint64_t start = file->durable.items[n].start, end = file->durable.items[n].end;
                        uint8_t *bytes = malloc(end - start);

                        assert_int_equal(fd_pread_all(fd, bytes, end - start, start), (ssize_t)(end - start));
                        for (uint64_t at = start; at < end; at++)
                                if (bytes[at - start] != (uint8_t)(at * 31 + (at >> 8)))
                                        fail_msg("byte %" PRIu64 " of a durable range is wrong", at);
                        free(bytes);
                }
                close(fd);
        }
}

static void check(struct world *w) {
        for (size_t i = 0; i < w->n_jobs; i++) {
                struct job *job = find(w, i);

                if (!job || job_state_is_final(job->state)) {
                        assert_true(w->ended[i] || w->unsure[i] || (job && job->complete_when_transferred) || !job);
                        continue;
                }
                assert_false(w->ended[i]);
                assert_true(job->n_files_transferred <= job->n_files);
                if (job->state == JOB_TRANSFERRED)
                        assert_true(job_is_complete(job));
                check_durable_bytes(w, job);
        }
}

static void on_reply(const struct manager_reply *reply, void *userdata) {
        struct world *w = userdata;

        w->h->n_replies++;
        if (w->ending && reply->outcome == 0)
                w->ended[w->calling] = true;
        /* The intent may be on disk all the same: then it is carried out. */
        if (w->ending && reply->outcome == ERROR_STORE_FAILED)
                w->unsure[w->calling] = true;
}

static void random_call(struct world *w) {
        void (*const calls[])(struct manager *, struct job *, manager_reply_fn, void *) = {
                manager_suspend_job, manager_resume_job, manager_resume_job, manager_complete_job, manager_cancel_job,
        };
        size_t i = random_below((uint32_t) w->n_jobs), which = random_below(ELEMENTSOF(calls));
        struct job *job = find(w, i);

        if (!job)
                return;
        w->calling = i;
        w->ending = which >= 3;
        calls[which](w->h->manager, job, on_reply, w);
        if (random_below(4) == 0 && w->ending) { /* dies before the answer */
                w->unsure[i] = true;
                manager_turn(w->h->manager);
                harness_crash(w->h);
        }
        harness_pump(w->h);
        w->ending = false;
}

static void random_create(struct world *w) {
        char name[32];
        bool complete = random_below(3) == 0;

        if (w->n_jobs == JOBS_MAX)
                return;
        snprintf(name, sizeof(name), "file-%zu", w->n_jobs);
        if (harness_create(w->h, name, random_below(4) != 0, complete) != 0)
                return;
        w->ids[w->n_jobs] = w->h->id;
        w->sizes[w->n_jobs] = random_below(5) == 0 ? 0 : random_below(200000);
        w->unsure[w->n_jobs] = complete;
        w->n_jobs++;
}

/* The URL ends in the job's number. */
static uint64_t size_of(struct world *w, struct fake_request *r) {
        return w->sizes[strtoul(strrchr(r->url, '-') + 1, NULL, 10)];
}

static void random_engine(struct world *w) {
        struct fake_request *r;
        uint64_t size;

        if (harness_running(w->h) == 0)
                return;
        r = harness_request(w->h, random_below((uint32_t) harness_running(w->h)));
        if (r->stop_asked)
                return;
        size = size_of(w, r);
        switch (random_below(8)) {
        case 0:
                harness_finish(w->h, r, ENGINE_FAILED, ERROR_HTTP_STATUS, random_below(3) != 0);
                break;
        case 1:
                harness_finish(w->h, r, ENGINE_LOST, ERROR_NONE, true);
                break;
        case 2:
                if (random_below(4) == 0) {
                        harness_finish(w->h, r, ENGINE_RESTART, ERROR_REMOTE_FILE_CHANGED, false);
                        break;
                }
                /* fall through */
        default:
                if (!r->described)
                        harness_metadata(w->h, r, size, "\"v\"");
                if (harness_write_next(w->h, r, size, 1 + random_below(80000)) == 0)
                        harness_finish(w->h, r, ENGINE_DONE, ERROR_NONE, false);
        }
        harness_pump(w->h);
}

static void random_step(struct world *w) {
        switch (random_below(16)) {
        case 0:
        case 1:
                random_create(w);
                break;
        case 2:
        case 3:
        case 4:
                if (w->n_jobs > 0)
                        random_call(w);
                break;
        case 5:
                harness_crash(w->h);
                harness_pump(w->h);
                break;
        case 6:
                harness_restart(w->h);
                harness_pump(w->h);
                break;
        case 7:
                harness_advance(w->h, random_below(90) * USEC_PER_SEC);
                break;
        case 8:
                if (random_below(3) == 0)
                        store_faulty_plan(w->h->store, random_below(3), random_below(2) ? -ENOSPC : -EIO, false);
                break;
        default:
                random_engine(w);
        }
}

/* Everything that lives is brought to its end; then nothing but right files is left. */
static void settle(struct world *w) {
        store_faulty_plan(w->h->store, UINT32_MAX, -EIO, false);
        harness_advance(w->h, 10 * USEC_PER_SEC);
        for (unsigned round = 0;; round++) {
                bool left = false;

                if (round == 200) {
                        for (size_t i = 0; i < w->n_jobs; i++) {
                                struct job *job = find(w, i);

                                if (job)
                                        print_error("job %zu %s intent %d files %zu running %zu error %s %s\n", i,
                                                    job_state_name(job->state), job->intent, job->n_files,
                                                    harness_running(w->h), error_code_name(job->error.code), job->error.text ?: "");
                        }
                        fail_msg("the jobs do not end");
                }
                for (size_t i = 0; i < w->n_jobs; i++) {
                        struct job *job = find(w, i);

                        if (!job || job_state_is_final(job->state) || job->intent != JOB_INTENT_NONE)
                                continue;
                        left = true;
                        w->calling = i;
                        w->unsure[i] = true;
                        if (job->state == JOB_TRANSFERRED)
                                manager_complete_job(w->h->manager, job, on_reply, w);
                        else if (!job_state_is_active(job->state))
                                manager_resume_job(w->h->manager, job, on_reply, w);
                        harness_pump(w->h);
                }
                if (!left)
                        break;
                while (harness_running(w->h) > 0) {
                        struct fake_request *r = harness_request(w->h, 0);
                        uint64_t size = size_of(w, r);

                        if (!r->described)
                                harness_metadata(w->h, r, size, "\"v\"");
                        while (harness_write_next(w->h, r, size, size) > 0)
                                ;
                        harness_finish(w->h, r, ENGINE_DONE, ERROR_NONE, false);
                        harness_pump(w->h);
                }
                harness_advance(w->h, 31 * USEC_PER_MINUTE);
        }
        assert_int_equal(harness_count_temp(w->h), 0);
        for (size_t i = 0; i < w->n_jobs; i++) {
                char name[32];

                snprintf(name, sizeof(name), "file-%zu", i);
                if (harness_exists(w->h, name))
                        harness_assert_content(w->h, name, w->sizes[i]);
        }
}

static void live(uint64_t seed) {
        struct world w = { .h = harness_new() };

        /* In every second world files are divided as soon as they may be. */
        if (seed % 2 == 0) {
                w.h->limits.segments = (struct segments_policy) { .min_bytes = 5000, .max = 4 };
                harness_restart(w.h);
        }
        random_state = seed * 2654435761u + 1;
        for (unsigned i = 0; i < STEPS; i++) {
                random_step(&w);
                check(&w);
                harness_forget(w.h);
        }
        settle(&w);
        harness_free(w.h);
}

static void promises_hold_in_random_worlds(void **state _unused_) {
        const char *seeds = getenv("DOSVC_SEEDS"), *seed = getenv("DOSVC_SEED");
        unsigned long n = seeds ? strtoul(seeds, NULL, 10) : 150;

        if (seed) {
                live(strtoul(seed, NULL, 10));
                return;
        }
        for (unsigned long i = 1; i <= n; i++) {
                fprintf(stderr, "\rseed %lu", i);
                live(i);
        }
        fprintf(stderr, "\n");
}

int main(void) {
        const struct CMUnitTest tests[] = { cmocka_unit_test(promises_hold_in_random_worlds) };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

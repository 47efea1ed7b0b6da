/* Figures, not verdicts: how long the batches and the start-up of large queues take. `meson test --benchmark store`. */
#include "fixture.h"

#include <stdio.h>

#include "base/clock.h"

static double milliseconds_since(uint64_t start) {
        return (double)(clock_now(&clock_system, CLOCK_ID_MONOTONIC) - start) / 1000.0;
}

static uint64_t now(void) {
        return clock_now(&clock_system, CLOCK_ID_MONOTONIC);
}

static void report(const char *what, double encode_ms, double commit_ms) {
        printf("%-48s batch %8.1f ms, commit %8.1f ms\n", what, encode_ms, commit_ms);
}

static void bench_one_job(struct store *store) {
        struct job *job = sample_job(1, SAMPLE_NEW, 10000);

        for (unsigned round = 0; round < 2; round++) {
                uint64_t start = now(), encoded;
                struct store_batch *batch = batch_of(job);
                double encode_ms = milliseconds_since(start);

                encoded = now();
                assert_int_equal(commit_now(store, batch), 0);
                report(round == 0 ? "1 job of 10,000 files, new" : "the same again", encode_ms,
                       milliseconds_since(encoded));
        }
        job_free(job);
}

static void bench_many_jobs(struct store *store, unsigned first, unsigned n) {
        uint64_t start = now(), encoded;
        struct store_batch *batch;
        double encode_ms;

        assert_int_equal(store_batch_new(&batch), 0);
        for (unsigned i = 0; i < n; i++) {
                struct job *job = sample_job(first + i, SAMPLE_NEW, 1);

                assert_int_equal(store_batch_save_job(batch, job), 0);
                assert_int_equal(store_batch_save_file(batch, job->files[0]), 0);
                job_free(job);
        }
        encode_ms = milliseconds_since(start);
        encoded = now();
        assert_int_equal(commit_now(store, batch), 0);
        report(n == 10000 ? "10,000 jobs of 1 file" : "90,000 jobs of 1 file", encode_ms, milliseconds_since(encoded));
}

static void bench_checkpoints(struct store *store) {
        struct job *job = sample_job(2, SAMPLE_NEW, 1);
        uint64_t start;

        assert_int_equal(intervals_add(&job->files[0]->durable, 0, 1000), 0);
        assert_int_equal(save_now(store, job), 0);
        start = now();
        for (unsigned i = 0; i < 1000; i++) {
                struct store_batch *batch;

                assert_int_equal(store_batch_new(&batch), 0);
                assert_int_equal(store_batch_save_file(batch, job->files[0]), 0);
                assert_int_equal(commit_now(store, batch), 0);
        }
        printf("%-48s %.3f ms each\n", "checkpoint of one file, one after the other", milliseconds_since(start) / 1000);
        job_free(job);
}

static void bench_load(const char *folder) {
        struct content content;
        uint64_t start = now(), opened;
        struct store *store = open_sqlite_unclean(folder);
        double open_ms = milliseconds_since(start);

        opened = now();
        assert_int_equal(content_load(store, &content), 0);
        printf("%-48s quick_check %.0f ms, load %.0f ms (%zu jobs)\n", "start-up", open_ms, milliseconds_since(opened),
               content.n_jobs);
        content_done(&content);
        store_free(store);
}

int main(void) {
        char *folder = folder_new();
        struct store *store = open_sqlite(folder);

        bench_one_job(store);
        bench_checkpoints(store);
        bench_many_jobs(store, 10, 10000);
        bench_many_jobs(store, 20010, 90000);
        store_free(store);
        bench_load(folder);
        folder_remove(folder);
        return 0;
}

#include "jobs.h"

#define M CHUNK_BYTES

static struct chunk chunk_at(uint64_t start, uint8_t fill) {
        struct chunk chunk = { .start = start };

        memset(chunk.hash, fill, sizeof(chunk.hash));
        return chunk;
}

static void put(struct chunks *set, uint64_t start, uint8_t fill) {
        struct chunk chunk = chunk_at(start, fill);

        assert_int_equal(chunks_put(set, &chunk), 0);
}

static void assert_starts(const struct chunks *set, const uint64_t *starts, size_t n) {
        assert_int_equal(set->n_items, n);
        for (size_t i = 0; i < n; i++)
                assert_int_equal(set->items[i].start, starts[i]);
}
#define ASSERT_STARTS(set, ...) \
        assert_starts(set, (const uint64_t[]) { __VA_ARGS__ }, ELEMENTSOF(((const uint64_t[]) { __VA_ARGS__ })))

static void chunks_are_sorted_and_the_newest_hash_counts(void **state _unused_) {
        struct chunks set = {}, other = {};
        struct chunk crooked = chunk_at(M + 1, 1);

        put(&set, 4 * M, 4);
        put(&set, 0, 1);
        put(&set, 2 * M, 2);
        put(&set, 2 * M, 9);
        ASSERT_STARTS(&set, 0, 2 * M, 4 * M);
        assert_int_equal(set.items[1].hash[31], 9);
        assert_int_equal(chunks_put(&set, &crooked), -EINVAL);
        for (unsigned i = 100; i > 5; i--)
                put(&other, i * M, 7);
        put(&other, 4 * M, 7);
        assert_int_equal(chunks_put_all(&set, &other), 0);
        assert_int_equal(set.n_items, 3 + 95);
        assert_int_equal(set.items[2].hash[0], 7);
        for (size_t i = 1; i < set.n_items; i++)
                assert_true(set.items[i - 1].start < set.items[i].start);
        chunks_done(&set);
        chunks_done(&other);
}

static void a_hash_goes_with_the_claim_to_its_bytes(void **state _unused_) {
        struct intervals ranges = {};
        struct chunks set = {};

        for (unsigned i = 0; i < 10; i++)
                put(&set, i * M, 1);
        assert_int_equal(intervals_add(&ranges, 1, 2 * M), 0);             /* one byte is missing of 0 */
        assert_int_equal(intervals_add(&ranges, 3 * M, 5 * M), 0);         /* 3 and 4, exactly */
        assert_int_equal(intervals_add(&ranges, 6 * M - 7, 7 * M - 1), 0); /* none: the last byte of 6 is missing */
        assert_int_equal(intervals_add(&ranges, 8 * M - 1, 9 * M + 1), 0); /* 8 */
        chunks_keep_within(&set, &ranges);
        ASSERT_STARTS(&set, M, 3 * M, 4 * M, 8 * M);
        intervals_clear(&ranges);
        chunks_keep_within(&set, &ranges);
        assert_int_equal(set.n_items, 0);
        intervals_done(&ranges);
        chunks_done(&set);
}

static const struct {
        struct interval before[2], now[2];
        size_t max;
        uint64_t starts[4];
        size_t n;
} completions[] = {
        { {}, { { 0, M - 1 } }, 9, {}, 0 },
        { {}, { { 0, M } }, 9, { 0 }, 1 },
        { {}, { { 1, 3 * M } }, 9, { M, 2 * M }, 2 },
        { { { 0, M } }, { { 0, 3 * M } }, 9, { M, 2 * M }, 2 },
        { { { 0, M + 5 } }, { { 0, 2 * M + 5 } }, 9, { M }, 1 },
        { { { 0, 4 * M } }, { { 0, 4 * M } }, 9, {}, 0 },
        { { { 0, M }, { 2 * M, 4 * M } }, { { 0, 4 * M } }, 9, { M }, 1 },
        { { { 0, M }, { 2 * M + 1, 4 * M } }, { { 0, 4 * M } }, 9, { M, 2 * M }, 2 },
        { {}, { { 0, M }, { 3 * M, 5 * M } }, 9, { 0, 3 * M, 4 * M }, 3 },
        { {}, { { 0, 9 * M } }, 3, { 0, M, 2 * M }, 3 },
        { { { 0, 3 * M - 1 } }, { { 0, 3 * M } }, 9, { 2 * M }, 1 },
};

static void a_chunk_is_complete_once(void **state _unused_) {
        for (size_t i = 0; i < ELEMENTSOF(completions); i++) {
                struct intervals before = {}, now = {};
                uint64_t starts[16];

                for (size_t k = 0; k < 2; k++) {
                        assert_int_equal(intervals_add(&before, completions[i].before[k].start, completions[i].before[k].end), 0);
                        assert_int_equal(intervals_add(&now, completions[i].now[k].start, completions[i].now[k].end), 0);
                }
                assert_int_equal(chunks_completed(&now, &before, starts, completions[i].max), completions[i].n);
                assert_memory_equal(starts, completions[i].starts, completions[i].n * sizeof(starts[0]));
                intervals_done(&before);
                intervals_done(&now);
        }
}

static void fill(struct job_file *file, uint64_t end) {
        struct intervals synced = {};

        assert_int_equal(intervals_add(&synced, 0, end), 0);
        assert_int_equal(job_file_durable(file, &synced), 0);
        intervals_done(&synced);
        for (uint64_t start = 0; start + M <= end; start += M)
                put(&file->chunks, start, 1);
}

static void a_file_loses_the_hashes_of_what_it_forgets(void **state _unused_) {
        _cleanup_(job_freep) struct job *job = make_job(JOB_FAMILY_DO);
        struct job_file *file = add_file(job, "a", NULL, 0);

        fill(file, 4 * M);
        assert_int_equal(job_file_forget_range(file, M + 1, M + 2), 0);
        ASSERT_STARTS(&file->chunks, 0, 2 * M, 3 * M);
        job_file_forget_content(file);
        assert_int_equal(file->chunks.n_items, 0);
        fill(file, 2 * M);
        job_file_set_state(file, FILE_TRANSFERRED);
        assert_int_equal(file->chunks.n_items, 0);
}

static void only_what_is_proved_stays(void **state _unused_) {
        _cleanup_(job_freep) struct job *job = make_job(JOB_FAMILY_DO);
        struct job_file *file = add_file(job, "a", NULL, 0);
        struct intervals proved = {};

        fill(file, 4 * M + 5);
        assert_int_equal(job_file_received(file, 4 * M + 5, 5 * M), 0);
        assert_int_equal(intervals_add(&proved, 0, M), 0);
        assert_int_equal(intervals_add(&proved, 3 * M, 4 * M), 0);
        assert_int_equal(job_file_keep_proved(file, &proved), 0);
        assert_true(intervals_equal(&file->durable, &proved));
        assert_true(intervals_equal(&file->received, &proved));
        assert_int_equal(job->bytes_durable, 2 * M);
        assert_int_equal(job->bytes_received, 2 * M);
        ASSERT_STARTS(&file->chunks, 0, 3 * M);
        intervals_done(&proved);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(chunks_are_sorted_and_the_newest_hash_counts),
                cmocka_unit_test(a_hash_goes_with_the_claim_to_its_bytes),
                cmocka_unit_test(a_chunk_is_complete_once),
                cmocka_unit_test(a_file_loses_the_hashes_of_what_it_forgets),
                cmocka_unit_test(only_what_is_proved_stays),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Each allocation fails once: a clean -ENOMEM, nothing leaked (the sanitizer build says so), the job as it was. */
#include "jobs.h"

#include <search.h>
#include <stdio.h>
#include <string.h>

static unsigned countdown; /* 0: nothing fails */

static bool fails(void) {
        return countdown > 0 && --countdown == 0;
}

#define WRAP(type, name, parameters, arguments) \
        type __real_##name parameters;          \
        type __wrap_##name parameters;          \
        type __wrap_##name parameters {         \
                return fails() ? NULL : __real_##name arguments; \
        }
WRAP(void *, malloc, (size_t size), (size))
WRAP(void *, realloc, (void *p, size_t size), (p, size))
WRAP(void *, reallocarray, (void *p, size_t n, size_t size), (p, n, size))
WRAP(char *, strdup, (const char *s), (s))
WRAP(void *, tsearch, (const void *key, void **root, int (*compare)(const void *, const void *)), (key, root, compare))

static const struct byte_range ranges[] = { { 12, 5 }, { 2, 4 } };

static int make_and_fill(struct job **ret) {
        _cleanup_(job_freep) struct job *job = NULL;
        struct job_file_spec spec = {
                .url = "http://example.org/f", .file_id = "id", .stated_size = SIZE_UNKNOWN, .ranges = ranges, .n_ranges = 2,
        };
        struct guid id = {};
        int r = job_new(&id, 1000, JOB_FAMILY_DO, "name", T0, &job);

        for (unsigned i = 0; r == 0 && i < 6; i++) {
                char path[8] = "/srv/a";
                size_t n_files = job->n_files;

                path[5] = (char)('a' + i);
                spec.path = path;
                r = job_add_file(job, &spec, MAX_RANGES, NULL);
                if (r < 0) {
                        assert_int_equal(job->n_files, n_files);
                        assert_int_equal(job_add_file(job, &spec, MAX_RANGES, NULL), 0); /* and then it works */
                }
        }
        if (r == 0)
                *ret = TAKE_PTR(job);
        return r;
}

static void making_a_job_and_its_files_survives_every_failure(void **state _unused_) {
        unsigned n_failures = 0;
        struct job *job = NULL;
        int r;

        for (;; n_failures++) {
                countdown = n_failures + 1;
                r = make_and_fill(&job);
                countdown = 0;
                if (r == 0)
                        break;
                assert_int_equal(r, -ENOMEM);
                assert_null(job);
        }
        assert_true(n_failures > 30);
        assert_int_equal(job->n_files, 6);
        job_free(job);
}

static void a_property_that_cannot_be_copied_stays_as_it_was(void **state _unused_) {
        _cleanup_(job_freep) struct job *job = make_job(JOB_FAMILY_BITS);
        struct job_file *file = add_file(job, "f", NULL, 0);

        countdown = 1;
        assert_int_equal(job_set_name(job, "new", T0 + 1), -ENOMEM);
        countdown = 1;
        assert_int_equal(job_set_description(job, "new", T0 + 1), -ENOMEM);
        countdown = 1;
        assert_int_equal(job_file_set_url(file, "http://new.example/", T0 + 1), -ENOMEM);
        for (int i = 0; i < 2; i++) {
                countdown = 1;
                assert_int_equal(job_remember_liar(job, i == 0 ? "cache" : "m1"), -ENOMEM);
                countdown = 0;
                assert_int_equal(job_remember_liar(job, "cache"), 0);
                assert_string_equal(job->lying_hosts, "cache");
                countdown = 1;
                assert_int_equal(job_file_remember_giver(file, i == 0 ? "cache" : "m1"), -ENOMEM);
                countdown = 0;
                assert_int_equal(job_file_remember_giver(file, "cache"), 0);
                assert_string_equal(file->giving_hosts, "cache");
        }
        assert_string_equal(job->name, "test");
        assert_null(job->description);
        assert_string_equal(file->url, "http://example.org/f");
        assert_int_equal(job->modified_usec, T0);
}

static void sums_stay_right_when_there_is_no_memory(void **state _unused_) {
        _cleanup_(job_freep) struct job *job = make_job(JOB_FAMILY_DO);
        struct job_file *file = add_file(job, "f", NULL, 0);
        struct interval items[] = { { 0, 10 }, { 20, 30 } };
        struct intervals synced = { .items = items, .n_items = 2 };

        countdown = 1;
        assert_int_equal(job_file_received(file, 0, 10), -ENOMEM);
        assert_int_equal(job->bytes_received, 0);
        for (unsigned nth = 1; nth < 5; nth++) {
                countdown = nth;
                (void) job_file_durable(file, &synced);
                countdown = 0;
                assert_int_equal(job->bytes_received, intervals_total(&file->received));
                assert_int_equal(job->bytes_durable, intervals_total(&file->durable));
                assert_true(job->bytes_durable <= job->bytes_received);
        }
        assert_int_equal(job_file_durable(file, &synced), 0);
        assert_int_equal(job->bytes_durable, 20);
}

static void a_database_that_was_loaded_without_memory_is_not_half_a_job(void **state _unused_) {
        _cleanup_(job_freep) struct job *job = make_job(JOB_FAMILY_DO);
        struct job_file *file;

        assert_int_equal(job_new_file(job, &file), 0);
        assert_int_equal(strdup_to(&file->path, "/srv/f"), 0);
        assert_int_equal(intervals_add(&file->durable, 0, 10), 0);
        countdown = 1;
        assert_int_equal(job_loaded(job), -ENOMEM);
        countdown = 0;
        assert_int_equal(job_loaded(job), 0);
        assert_int_equal(job->bytes_durable, 10);
}

static void a_summary_is_whole_or_none(void **state _unused_) {
        _cleanup_(job_freep) struct job *job = make_job(JOB_FAMILY_DO);
        struct history_entry *entry = NULL;
        struct validators from = { .etag = (char *) "\"1\"", .origin = (char *) "http://h" }, to = {};
        unsigned nth;
        int r;

        add_file(job, "f", NULL, 0);
        for (nth = 1;; nth++) {
                countdown = nth;
                r = history_entry_new(job, T0, &entry);
                countdown = 0;
                if (r == 0)
                        break;
                assert_int_equal(r, -ENOMEM);
                assert_null(entry);
        }
        assert_true(nth > 2);
        history_entry_free(entry);

        for (nth = 1; nth <= 2; nth++) {
                countdown = nth;
                assert_int_equal(validators_copy(&to, &from), -ENOMEM);
                assert_null(to.etag);
                assert_null(to.origin);
        }
        countdown = 0;
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(making_a_job_and_its_files_survives_every_failure),
                cmocka_unit_test(a_property_that_cannot_be_copied_stays_as_it_was),
                cmocka_unit_test(sums_stay_right_when_there_is_no_memory),
                cmocka_unit_test(a_database_that_was_loaded_without_memory_is_not_half_a_job),
                cmocka_unit_test(a_summary_is_whole_or_none),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

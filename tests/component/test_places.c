/* More jobs and files than there is room for at a time: who has a place at the engine, and when it goes to the next. */
#include "harness.h"

static void many_jobs_share_the_places_for_files(void **state) {
        struct harness *h = *state;
        char (*paths)[256] = calloc(100, sizeof(*paths));
        struct manager_file_spec *files = calloc(100, sizeof(*files));
        size_t served = 0;

        /* 40 foreground jobs of 100 files want 2,560 places (64 each); there are 2,048. */
        for (unsigned j = 0; j < 40; j++) {
                struct manager_create_request request;
                char name[32];

                snprintf(name, sizeof(name), "job%u", j);
                for (unsigned i = 0; i < 100; i++) {
                        snprintf(paths[i], sizeof(paths[i]), "%s/%u-%u", h->directory, j, i);
                        files[i] = (struct manager_file_spec) {
                                .file = { .url = "http://origin/x", .path = paths[i], .stated_size = SIZE_UNKNOWN, .mode = 0644 },
                        };
                }
                request = harness_plain_request(name, files, 100);
                request.priority = JOB_PRIORITY_FOREGROUND;
                request.complete_when_transferred = true;
                assert_int_equal(harness_create_with(h, &request), 0);
                harness_forget(h);
        }
        assert_int_equal(harness_running(h), 2048);
        while (harness_running(h) > 0) {
                struct fake_request *r = harness_request(h, 0);

                harness_metadata(h, r, 10, NULL);
                harness_write(h, r, 0, 10);
                harness_finish(h, r, ENGINE_DONE, ERROR_NONE, false);
                if (++served % 50 == 0 || harness_running(h) == 0)
                        harness_pump(h);
                harness_forget(h);
        }
        assert_int_equal(served, 4000);
        assert_int_equal(manager_count_jobs(h->manager, &(size_t) { 0 }), 0);
        assert_true(harness_exists(h, "39-99"));
        free(paths);
        free(files);
}

/* One job of @n files "file0", "file1", …, resumed. */
static void create_many(struct harness *h, unsigned n) {
        char (*paths)[256] = calloc(n, sizeof(*paths));
        struct manager_file_spec *files = calloc(n, sizeof(*files));
        struct manager_create_request request;

        assert_non_null(paths);
        assert_non_null(files);
        for (unsigned i = 0; i < n; i++) {
                snprintf(paths[i], sizeof(paths[i]), "%s/file%u", h->directory, i);
                files[i] = (struct manager_file_spec) {
                        .file = { .url = "http://origin/x", .path = paths[i], .stated_size = SIZE_UNKNOWN, .mode = 0644 },
                };
        }
        request = harness_plain_request("many", files, n);
        request.priority = JOB_PRIORITY_FOREGROUND;
        request.complete_when_transferred = true;
        assert_int_equal(harness_create_with(h, &request), 0);
        harness_forget(h);
        free(paths);
        free(files);
}

/* Its bytes are there, and the engine has nothing more to do with it; nobody turns. */
static void fetch_one(struct harness *h) {
        struct fake_request *r = harness_request(h, 0);

        harness_metadata(h, r, 10, NULL);
        harness_write(h, r, 0, 10);
        harness_finish(h, r, ENGINE_DONE, ERROR_NONE, false);
}

static void places_of_ended_files_are_filled_by_the_batch_and_all_files_come(void **state) {
        struct harness *h = *state;
        unsigned served = 0;

        create_many(h, 600);
        assert_int_equal(harness_running(h), 256);
        for (; served < 63; served++) {
                fetch_one(h);
                harness_pump(h);
        }
        assert_int_equal(harness_running(h), 256 - 63);
        for (; served < 64; served++) {
                fetch_one(h);
                harness_pump(h);
        }
        assert_int_equal(harness_running(h), 256);
        for (; harness_running(h) > 0; served++) {
                fetch_one(h);
                harness_pump(h);
                harness_forget(h);
        }
        assert_int_equal(served, 600);
        assert_int_equal(manager_count_jobs(h->manager, &(size_t) { 0 }), 0);
        assert_true(harness_exists(h, "file599"));
}

/* What the disk does for the first, and what the store records of their job, holds up nobody else: the store's answers are not taken here. */
static void files_that_wait_for_the_disk_leave_their_places_at_the_engine_to_others(void **state) {
        struct harness *h = *state;
        struct manager_properties properties = MANAGER_PROPERTIES_NONE;

        create_many(h, 600);
        properties.description = "is being recorded";
        manager_set_properties(h->manager, harness_job(h), &properties, NULL, NULL);
        for (unsigned i = 0; i < 64; i++)
                fetch_one(h);
        assert_int_equal(harness_running(h), 256 - 64);
        while (harness_running(h) < 256 && files_outstanding(h->files) > 0) {
                manager_turn(h->manager);
                (void) files_wait(h->files);
        }
        assert_true(manager_job_is_dirty(h->manager, harness_job(h)));
        assert_int_equal(harness_running(h), 256);
        harness_pump(h);
        while (harness_running(h) > 0) {
                fetch_one(h);
                harness_pump(h);
                harness_forget(h);
        }
        assert_true(harness_exists(h, "file599"));
}

static void a_name_is_on_disk_before_its_file_is_made(void **state) {
        struct harness *h = *state;
        struct manager_file_spec spec = { .file = { .url = "http://origin/x", .path = (char *) harness_path(h, "late"),
                                                    .stated_size = SIZE_UNKNOWN, .mode = 0644 } };
        struct job *job;

        create_many(h, 1);
        assert_int_equal(harness_count_temp(h), 1);
        job = harness_job(h);
        manager_add_files(h->manager, job, &spec, 1, NULL, NULL);
        for (unsigned i = 0; i < 5; i++) {
                manager_turn(h->manager);
                if (files_outstanding(h->files) > 0)
                        (void) files_wait(h->files);
        }
        assert_int_equal(job->n_files, 2);
        assert_int_equal(harness_count_temp(h), 1); /* nobody took the store's answers */
        harness_pump(h);
        assert_int_equal(harness_count_temp(h), 2);
}

/* Four places, all of them taken by the files of one job. */
static void fill_four_places(struct harness *h, unsigned n_files) {
        h->limits.files_in_flight = 4;
        harness_restart(h);
        create_many(h, n_files);
        assert_int_equal(harness_running(h), 4);
}

static void fetch_one_of_many(struct harness *h) {
        for (size_t i = 0; i < harness_running(h); i++) {
                struct fake_request *r = harness_request(h, i);

                if (strcmp(r->url, "http://origin/x") != 0)
                        continue;
                harness_metadata(h, r, 10, NULL);
                harness_write(h, r, 0, 10);
                harness_finish(h, r, ENGINE_DONE, ERROR_NONE, false);
                harness_pump(h);
                harness_forget(h);
                return;
        }
        fail_msg("none of many is under way");
}

static bool is_asked_for(struct harness *h, const char *url) {
        for (size_t i = 0; i < harness_running(h); i++)
                if (strcmp(harness_request(h, i)->url, url) == 0)
                        return true;
        return false;
}

static void a_place_goes_to_who_has_waited_before_it_goes_back_to_a_job_with_more_files(void **state) {
        struct harness *h = *state;

        fill_four_places(h, 20);
        assert_int_equal(harness_create(h, "a", true, true), 0);
        assert_int_equal(harness_create(h, "b", true, true), 0);
        assert_int_equal(harness_running(h), 4);
        fetch_one_of_many(h); /* the job itself was the first that waited for more places */
        fetch_one_of_many(h);
        assert_true(is_asked_for(h, "http://origin/a"));
        fetch_one_of_many(h);
        assert_true(is_asked_for(h, "http://origin/b"));
        assert_int_equal(harness_running(h), 4);
        for (unsigned i = 3; i < 20; i++) { /* and the rest has all that is left */
                assert_int_equal(harness_running(h), MIN(4u, 2 + 20 - i));
                fetch_one_of_many(h);
        }
        assert_true(harness_exists(h, "file19"));
}

/* Nothing else would wake the last one. */
static void jobs_that_stopped_waiting_keep_no_place_from_those_that_still_do(void **state) {
        static const char *const names[] = { "a", "b", "c", "d", "e" };
        struct harness *h = *state;

        fill_four_places(h, 4);
        for (size_t i = 0; i < ELEMENTSOF(names); i++) {
                assert_int_equal(harness_create(h, names[i], true, true), 0);
                if (i + 1 < ELEMENTSOF(names))
                        assert_int_equal(harness_call(h, manager_suspend_job), 0);
        }
        assert_int_equal(harness_running(h), 4);
        fetch_one_of_many(h);
        assert_true(is_asked_for(h, "http://origin/e"));
        for (unsigned i = 1; i < 4; i++)
                fetch_one_of_many(h);
        assert_int_equal(harness_running(h), 1);
}

static void a_large_background_job_does_not_block_small_ones(void **state) {
        struct harness *h = *state;
        struct guid ids[6];
        unsigned n_queued = 0;

        h->log_changes = false;
        for (unsigned i = 0; i < 6; i++) {
                char path[256], name[16];
                struct manager_file_spec file = {
                        .file = { .url = "http://origin/x", .path = path, .stated_size = SIZE_UNKNOWN, .mode = 0644 },
                };
                struct manager_create_request request;

                snprintf(name, sizeof(name), "bg%u", i);
                strcpy(path, harness_path(h, name));
                request = harness_plain_request(name, &file, 1);
                assert_int_equal(harness_create_with(h, &request), 0);
                ids[i] = h->id;
        }
        /* Four slots; the fifth and sixth wait for one and say so. */
        assert_int_equal(harness_running(h), 4);
        h->id = ids[4];
        assert_int_equal(harness_job(h)->state, JOB_QUEUED);
        assert_int_equal(harness_job(h)->waiting, WAITING_SLOT);
        harness_advance(h, 301 * USEC_PER_SEC);
        assert_int_equal(harness_job(h)->state, JOB_TRANSFERRING);
        assert_int_equal(harness_running(h), 4);
        for (unsigned i = 0; i < 4; i++) {
                h->id = ids[i];
                n_queued += harness_job(h)->state == JOB_QUEUED;
        }
        assert_int_equal(n_queued, 2);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, harness_setup, harness_teardown)
        const struct CMUnitTest tests[] = {
                TEST(many_jobs_share_the_places_for_files),
                TEST(places_of_ended_files_are_filled_by_the_batch_and_all_files_come),
                TEST(files_that_wait_for_the_disk_leave_their_places_at_the_engine_to_others),
                TEST(a_name_is_on_disk_before_its_file_is_made),
                TEST(a_place_goes_to_who_has_waited_before_it_goes_back_to_a_job_with_more_files),
                TEST(jobs_that_stopped_waiting_keep_no_place_from_those_that_still_do),
                TEST(a_large_background_job_does_not_block_small_ones),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Where a file comes from when there is a choice: cache servers, its own URL, mirrors. */
#include "harness.h"

#include <unistd.h>

#define SIZE 9000
#define MIRRORS "http://m1/file\nhttp://m2/file"

/* The service starts anew with these cache servers. */
static void use_caches(struct harness *h, const char *hosts, uint64_t fallback_usec) {
        h->limits.cache_hosts = hosts;
        h->limits.cache_fallback_foreground_usec = fallback_usec;
        harness_restart(h);
}

static void create_with(struct harness *h, enum job_priority priority, const struct manager_file_spec *files, size_t n_files) {
        struct manager_create_request request = harness_plain_request("file", files, n_files);

        request.priority = (int) priority;
        request.complete_when_transferred = true;
        assert_int_equal(harness_create_with(h, &request), 0);
}

static void create_as(struct harness *h, enum job_priority priority, const char *url, const char *mirrors, bool with_digest) {
        uint8_t digest[32];
        char path[256];
        struct manager_file_spec file = {
                .file = { .url = url, .path = path, .stated_size = SIZE_UNKNOWN, .mode = 0644, .mirrors = mirrors,
                          .sha256 = with_digest ? digest : NULL },
        };

        harness_digest(SIZE, digest);
        strcpy(path, harness_path(h, "file"));
        create_with(h, priority, &file, 1);
}

static void create(struct harness *h, const char *url, const char *mirrors, bool with_digest) {
        create_as(h, JOB_PRIORITY_FOREGROUND, url, mirrors, with_digest);
}

/* The running request must be for @url; it fails. */
static void fails(struct harness *h, const char *url, enum error_code code, bool transient) {
        struct fake_request *r = harness_request(h, 0);

        assert_string_equal(r->url, url);
        harness_finish(h, r, ENGINE_FAILED, code, transient);
        harness_pump(h);
}

static void serves(struct harness *h, const char *url) {
        assert_string_equal(harness_request(h, 0)->url, url);
        harness_serve(h, harness_request(h, 0), SIZE);
}

static void a_mirror_is_asked_when_the_own_server_has_no_such_file(void **state) {
        struct harness *h = *state;

        create(h, "http://origin/file", MIRRORS, false);
        fails(h, "http://origin/file", ERROR_HTTP_STATUS, false);
        assert_int_equal(harness_job(h)->state, JOB_TRANSFERRING);
        assert_string_equal(harness_job(h)->files[0]->source, "http://m1/file");
        assert_non_null(strstr(harness_job(h)->files[0]->source_trouble, "origin: "));
        fails(h, "http://m1/file", ERROR_CONNECT_FAILURE, true);
        serves(h, "http://m2/file");
        harness_assert_content(h, "file", SIZE);
}

static void when_nobody_helps_the_job_ends_with_what_its_own_server_said(void **state) {
        struct harness *h = *state;

        create(h, "http://origin/file", MIRRORS, false);
        fails(h, "http://origin/file", ERROR_HTTP_STATUS, false);
        fails(h, "http://m1/file", ERROR_CONNECT_FAILURE, true);
        fails(h, "http://m2/file", ERROR_CONNECT_FAILURE, true);
        assert_int_equal(harness_job(h)->state, JOB_ERROR);
        assert_int_equal(harness_job(h)->error.code, ERROR_HTTP_STATUS);
        assert_int_equal(harness_job(h)->error.detail, 404);
}

static void with_a_digest_a_mirror_goes_on_where_the_own_server_stalled(void **state) {
        struct harness *h = *state;
        struct fake_request *r;

        create(h, "http://origin/file", MIRRORS, true);
        r = harness_request(h, 0);
        assert_true(r->stall_timeout_usec < h->limits.stall_timeout_usec); /* no long wait while there is another */
        harness_metadata(h, r, SIZE, "\"v1\"");
        harness_write(h, r, 0, 4000);
        fails(h, "http://origin/file", ERROR_TIMED_OUT, true);
        r = harness_request(h, 0);
        assert_string_equal(r->url, "http://m1/file");
        assert_int_equal(r->pieces[0].remote_offset, 4000);
        assert_null(r->etag); /* the other server's name for it means nothing here */
        harness_serve(h, r, SIZE);
        harness_assert_content(h, "file", SIZE);
}

static void without_a_digest_bytes_of_two_servers_never_meet(void **state) {
        struct harness *h = *state;
        struct fake_request *r;

        create(h, "http://origin/file", MIRRORS, false);
        r = harness_request(h, 0);
        harness_metadata(h, r, SIZE, "\"v1\"");
        harness_write(h, r, 0, 4000);
        fails(h, "http://origin/file", ERROR_HTTP_STATUS, false);
        r = harness_request(h, 0);
        assert_int_equal(r->pieces[0].remote_offset, 0);
        if (strcmp(r->url, "http://origin/file") == 0) { /* a refusal is of this file: it may be asked once more */
                fails(h, "http://origin/file", ERROR_HTTP_STATUS, false);
                r = harness_request(h, 0);
        }
        assert_string_equal(r->url, "http://m1/file");
        assert_int_equal(r->pieces[0].remote_offset, 0);
        harness_serve(h, r, SIZE);
        harness_assert_content(h, "file", SIZE);
}

static void a_mirror_that_lies_is_not_asked_again(void **state) {
        struct harness *h = *state;
        struct fake_request *r;

        create(h, "http://origin/file", MIRRORS, true);
        fails(h, "http://origin/file", ERROR_CONNECT_FAILURE, true);
        r = harness_request(h, 0);
        assert_string_equal(r->url, "http://m1/file");
        r->lies = true;
        harness_serve(h, r, SIZE);
        assert_false(harness_exists(h, "file"));
        serves(h, "http://m2/file");
        harness_assert_content(h, "file", SIZE);
}

/* It sends the whole file where a part was asked for: of no use to this one, but the next file of the job begins at its beginning. */
static void a_mirror_without_ranges_is_no_liar(void **state) {
        struct harness *h = *state;
        struct fake_request *r;

        create(h, "http://origin/file", MIRRORS, true);
        r = harness_request(h, 0);
        harness_metadata(h, r, SIZE, "\"v1\"");
        harness_write(h, r, 0, 4000);
        fails(h, "http://origin/file", ERROR_TIMED_OUT, true);
        r = harness_request(h, 0);
        assert_string_equal(r->url, "http://m1/file");
        harness_finish(h, r, ENGINE_RESTART, ERROR_NO_RANGE_SUPPORT, false);
        harness_pump(h);
        assert_false(job_host_lied(harness_job(h), "m1"));
        assert_non_null(strstr(harness_job(h)->files[0]->sources, "mirror refused http://m1/file"));
        r = harness_request(h, 0);
        assert_string_equal(r->url, "http://m2/file");
        assert_int_equal(r->pieces[0].remote_offset, 4000);
        harness_serve(h, r, SIZE);
        harness_assert_content(h, "file", SIZE);
}

/* It stands among the sources as a liar before anybody is asked. */
static void a_mirror_that_lied_is_not_asked_by_the_next_service_either(void **state) {
        struct harness *h = *state;
        struct fake_request *r;

        create(h, "http://origin/file", MIRRORS, true);
        fails(h, "http://origin/file", ERROR_CONNECT_FAILURE, true);
        r = harness_request(h, 0);
        assert_string_equal(r->url, "http://m1/file");
        r->lies = true;
        harness_serve(h, r, SIZE);
        assert_string_equal(harness_request(h, 0)->url, "http://m2/file");
        for (int crash = 0; crash < 2; crash++) {
                if (crash)
                        harness_crash(h);
                else
                        harness_restart(h);
                harness_pump(h);
                assert_string_equal(harness_job(h)->files[0]->sources,
                                    "origin asked http://origin/file\nmirror lied http://m1/file\nmirror ready http://m2/file");
                fails(h, "http://origin/file", ERROR_CONNECT_FAILURE, true);
                assert_string_equal(harness_request(h, 0)->url, "http://m2/file");
        }
        serves(h, "http://m2/file");
        harness_assert_content(h, "file", SIZE);
}

/* Its bytes are judged when another run of the file, or another service, has the rest. */
static void a_mirror_is_blamed_for_what_it_gave_before_the_job_stood_still_or_the_service_ended(void **state) {
        for (int how = 0; how < 3; how++) {
                struct harness *h;
                struct fake_request *r;

                harness_teardown(state);
                harness_setup(state);
                h = *state;
                create(h, "http://origin/file", MIRRORS, true);
                r = harness_request(h, 0);
                harness_metadata(h, r, SIZE, "\"v1\"");
                harness_write(h, r, 0, 2000);
                harness_advance(h, 5 * USEC_PER_SEC);
                fails(h, "http://origin/file", ERROR_TIMED_OUT, true);
                r = harness_request(h, 0);
                assert_string_equal(r->url, "http://m1/file");
                r->lies = true;
                harness_write(h, r, 2000, 4000);
                harness_advance(h, 5 * USEC_PER_SEC);
                assert_int_equal(harness_job(h)->bytes_durable, 4000);
                assert_string_equal(harness_job(h)->files[0]->giving_hosts, "m1");
                if (how == 0) {
                        assert_int_equal(harness_call(h, manager_suspend_job), 0);
                        assert_int_equal(harness_call(h, manager_resume_job), 0);
                } else if (how == 1)
                        harness_restart(h);
                else
                        harness_crash(h);
                harness_pump(h);
                r = harness_request(h, 0);
                if (strcmp(r->url, "http://m1/file") == 0) /* the job knows that its own server is in trouble */
                        fails(h, "http://m1/file", ERROR_CONNECT_FAILURE, true);
                r = harness_request(h, 0);
                assert_int_equal(r->pieces[0].remote_offset, 4000);
                assert_string_not_equal(r->url, "http://m1/file");
                harness_serve(h, r, SIZE);
                assert_false(harness_exists(h, "file"));
                assert_true(job_host_lied(harness_job(h), "m1"));
                assert_non_null(strstr(harness_job(h)->files[0]->sources, "mirror lied http://m1/file"));
                harness_serve(h, harness_request(h, 0), SIZE);
                harness_assert_content(h, "file", SIZE);
        }
}

static void what_came_from_others_is_forgotten_when_it_is_right(void **state) {
        struct harness *h = *state;
        struct manager_file_spec file = { 0 };
        struct manager_create_request request;
        uint8_t digest[32];
        char path[256];

        harness_digest(SIZE, digest);
        strcpy(path, harness_path(h, "file"));
        file.file = (struct job_file_spec) { .url = "http://origin/file", .path = path, .stated_size = SIZE_UNKNOWN, .mode = 0644, .mirrors = MIRRORS,
                                             .sha256 = digest };
        request = harness_plain_request("file", &file, 1);
        request.priority = JOB_PRIORITY_FOREGROUND;
        assert_int_equal(harness_create_with(h, &request), 0);
        fails(h, "http://origin/file", ERROR_CONNECT_FAILURE, true);
        serves(h, "http://m1/file");
        assert_int_equal(harness_job(h)->state, JOB_TRANSFERRED);
        assert_null(harness_job(h)->files[0]->giving_hosts);
        assert_false(job_host_lied(harness_job(h), "m1"));
}

static void a_cache_server_that_lied_is_not_asked_by_the_next_service_either(void **state) {
        struct harness *h = *state;

        use_caches(h, "cache:8080", 0);
        create(h, "http://origin/file", NULL, true);
        harness_request(h, 0)->lies = true;
        serves(h, "http://cache:8080/file?cacheHostOrigin=origin");
        assert_string_equal(harness_request(h, 0)->url, "http://origin/file");
        harness_crash(h);
        harness_pump(h);
        assert_string_equal(harness_request(h, 0)->url, "http://origin/file");
        assert_int_equal(harness_call(h, manager_cancel_job), 0);
        create(h, "http://origin/file", NULL, true); /* another job knows nothing of that */
        assert_string_equal(harness_request(h, 0)->url, "http://cache:8080/file?cacheHostOrigin=origin");
}

static void a_liar_that_there_is_no_room_for_is_out_until_the_service_ends(void **state) {
        struct harness *h = *state;
        struct job *job;

        create(h, "http://origin/file", MIRRORS, true);
        job = harness_job(h);
        job->lying_hosts = malloc(LIMIT_LYING_HOSTS + 1);
        assert_non_null(job->lying_hosts);
        memset(job->lying_hosts, 'x', LIMIT_LYING_HOSTS);
        job->lying_hosts[LIMIT_LYING_HOSTS] = 0;
        fails(h, "http://origin/file", ERROR_CONNECT_FAILURE, true);
        harness_request(h, 0)->lies = true;
        serves(h, "http://m1/file");
        assert_string_equal(harness_request(h, 0)->url, "http://m2/file");
        harness_restart(h);
        harness_pump(h);
        assert_int_equal(strlen(harness_job(h)->lying_hosts), LIMIT_LYING_HOSTS);
        fails(h, "http://origin/file", ERROR_CONNECT_FAILURE, true);
        serves(h, "http://m1/file");
        harness_assert_content(h, "file", SIZE);
}

static void what_the_service_knows_of_trouble_ends_with_it(void **state) {
        struct harness *h = *state;

        create(h, "http://origin/file", MIRRORS, true);
        fails(h, "http://origin/file", ERROR_CONNECT_FAILURE, true);
        fails(h, "http://m1/file", ERROR_HTTP_STATUS, false);
        harness_restart(h);
        harness_pump(h);
        fails(h, "http://origin/file", ERROR_CONNECT_FAILURE, true);
        serves(h, "http://m1/file");
        harness_assert_content(h, "file", SIZE);
}

/* Its own server is out, too; but nobody else is left, and Resume would mean nothing. */
static void a_job_whose_own_server_lied_can_be_resumed_with_and_without_a_new_service(void **state) {
        for (int restart = 0; restart < 2; restart++) {
                struct harness *h;

                harness_teardown(state);
                harness_setup(state);
                h = *state;
                create(h, "http://origin/file", "http://m1/file", true);
                fails(h, "http://origin/file", ERROR_SIZE_MISMATCH, false);
                fails(h, "http://m1/file", ERROR_HTTP_STATUS, false);
                assert_int_equal(harness_job(h)->state, JOB_ERROR);
                assert_int_equal(harness_job(h)->error.code, ERROR_SIZE_MISMATCH);
                if (restart)
                        harness_restart(h);
                for (int i = 0; i < 2; i++) {
                        assert_int_equal(harness_call(h, manager_resume_job), 0);
                        harness_pump(h);
                        fails(h, "http://m1/file", ERROR_HTTP_STATUS, false);
                        if (i == 0)
                                fails(h, "http://origin/file", ERROR_SIZE_MISMATCH, false);
                        else
                                serves(h, "http://origin/file");
                        assert_int_equal(harness_job(h)->state, i == 0 ? JOB_ERROR : JOB_ACKNOWLEDGED);
                }
                harness_assert_content(h, "file", SIZE);
        }
}

static struct fake_request *request_for(struct harness *h, const char *url) {
        for (size_t i = 0; i < harness_running(h); i++)
                if (strcmp(harness_request(h, i)->url, url) == 0)
                        return harness_request(h, i);
        fail_msg("nobody asks for %s", url);
        return NULL;
}

static void what_one_file_learns_of_a_liar_holds_for_those_that_are_under_way(void **state) {
        struct harness *h = *state;
        struct manager_file_spec files[2] = {};
        char paths[2][256];
        uint8_t digest[32];
        struct fake_request *r;

        harness_digest(SIZE, digest);
        for (int i = 0; i < 2; i++) {
                strcpy(paths[i], harness_path(h, i == 0 ? "a" : "b"));
                files[i].file = (struct job_file_spec) {
                        .url = i == 0 ? "http://origin/a" : "http://origin/b", .path = paths[i], .stated_size = SIZE_UNKNOWN, .mode = 0644,
                        .mirrors = i == 0 ? "http://m1/a\nhttp://m2/a" : "http://m1/b\nhttp://m2/b", .sha256 = digest };
        }
        create_with(h, JOB_PRIORITY_FOREGROUND, files, 2);
        assert_int_equal(harness_running(h), 2);
        harness_finish(h, request_for(h, "http://origin/a"), ENGINE_FAILED, ERROR_CONNECT_FAILURE, true);
        harness_pump(h);
        r = request_for(h, "http://m1/a");
        r->lies = true;
        harness_serve(h, r, SIZE);
        harness_finish(h, request_for(h, "http://origin/b"), ENGINE_FAILED, ERROR_CONNECT_FAILURE, true);
        harness_pump(h);
        harness_serve(h, request_for(h, "http://m2/b"), SIZE);
        harness_serve(h, request_for(h, "http://m2/a"), SIZE);
        harness_assert_content(h, "a", SIZE);
        harness_assert_content(h, "b", SIZE);
}

static void headers_of_the_job_go_to_its_own_server_only(void **state) {
        struct harness *h = *state;
        struct manager_properties properties = MANAGER_PROPERTIES_NONE;

        create(h, "http://origin/file", MIRRORS, false);
        properties.custom_headers = "Authorization: secret";
        harness_finish(h, harness_request(h, 0), ENGINE_LOST, ERROR_NONE, true);
        manager_set_properties(h->manager, harness_job(h), &properties, NULL, NULL);
        harness_pump(h);
        assert_true(harness_request(h, 0)->has_headers);
        fails(h, "http://origin/file", ERROR_HTTP_STATUS, false);
        assert_string_equal(harness_request(h, 0)->url, "http://m1/file");
        assert_false(harness_request(h, 0)->has_headers);
}

static void a_cache_server_is_asked_first_with_the_host_it_stands_for(void **state) {
        struct harness *h = *state;

        use_caches(h, "cache:8080, other", 0);
        create(h, "http://origin:81/dir/file?a=b#c", NULL, false);
        assert_string_equal(harness_request(h, 0)->url, "http://cache:8080/dir/file?a=b&cacheHostOrigin=origin:81");
        assert_string_equal(harness_job(h)->files[0]->source, "http://cache:8080/dir/file");
        harness_metadata(h, harness_request(h, 0), SIZE, NULL);
        harness_write(h, harness_request(h, 0), 0, SIZE);
        assert_int_equal(harness_job(h)->bytes_from_cache, SIZE);
        harness_finish(h, harness_request(h, 0), ENGINE_DONE, ERROR_NONE, false);
        harness_pump(h);
        harness_assert_content(h, "file", SIZE);
}

static void a_cache_in_trouble_is_left_at_once_without_a_delay(void **state) {
        struct harness *h = *state;

        use_caches(h, "cache", 0);
        create(h, "http://origin/file", NULL, false);
        fails(h, "http://cache/file?cacheHostOrigin=origin", ERROR_CONNECT_FAILURE, true);
        serves(h, "http://origin/file");
        harness_assert_content(h, "file", SIZE);
}

/* Where nothing proves that its bytes and the own server's are of one file, asking it again would mean to begin anew each time. */
static void a_cache_without_ranges_is_asked_for_a_part_once(void **state) {
        struct harness *h = *state;
        struct fake_request *r;

        use_caches(h, "cache", 0);
        create(h, "http://origin/file", NULL, false);
        r = harness_request(h, 0);
        harness_metadata(h, r, SIZE, NULL);
        harness_write(h, r, 0, 4000);
        assert_int_equal(harness_call(h, manager_suspend_job), 0);
        harness_pump(h);
        assert_int_equal(harness_call(h, manager_resume_job), 0);
        r = harness_request(h, 0);
        assert_string_equal(r->url, "http://cache/file?cacheHostOrigin=origin");
        assert_int_equal(r->pieces[0].remote_offset, 4000);
        harness_finish(h, r, ENGINE_RESTART, ERROR_NO_RANGE_SUPPORT, false);
        harness_pump(h);
        assert_false(job_host_lied(harness_job(h), "cache"));
        serves(h, "http://origin/file");
        harness_assert_content(h, "file", SIZE);
}

static void with_a_fallback_delay_caches_are_asked_in_turn(void **state) {
        struct harness *h = *state;

        use_caches(h, "one,two", 60 * USEC_PER_SEC);
        create(h, "http://origin/file", NULL, false);
        fails(h, "http://one/file?cacheHostOrigin=origin", ERROR_CONNECT_FAILURE, true);
        fails(h, "http://two/file?cacheHostOrigin=origin", ERROR_CONNECT_FAILURE, true);
        assert_string_equal(harness_request(h, 0)->url, "http://one/file?cacheHostOrigin=origin");
        h->clock.now[CLOCK_ID_BOOTTIME] += 61 * USEC_PER_SEC;
        fails(h, "http://one/file?cacheHostOrigin=origin", ERROR_CONNECT_FAILURE, true);
        assert_true(harness_running(h) == 1);
}

static void https_and_passwords_never_go_through_a_cache(void **state) {
        struct harness *h = *state;

        use_caches(h, "cache", 0);
        create(h, "https://origin/file", NULL, false);
        assert_string_equal(harness_request(h, 0)->url, "https://origin/file");
        assert_int_equal(harness_call(h, manager_cancel_job), 0);
        create(h, "http://user:pass@origin/file", NULL, false);
        assert_string_equal(harness_request(h, 0)->url, "http://user:pass@origin/file");
}

static void a_source_that_brings_next_to_nothing_is_left_once_and_never_for_one_that_did_the_same(void **state) {
        struct harness *h = *state;
        const char *const urls[] = { "http://origin/file", "http://m1/file", "http://m2/file" };

        create(h, "http://origin/file", MIRRORS, true);
        for (size_t i = 0; i < ELEMENTSOF(urls); i++) {
                struct fake_request *r = harness_request(h, 0);

                assert_string_equal(r->url, urls[i]);
                assert_int_equal(r->floor_rate > 0, i < 2); /* the last one has nobody behind it */
                assert_int_equal(r->replace_stalled, i == 2);
                if (i == 2)
                        break;
                harness_metadata(h, r, SIZE, NULL);
                harness_write(h, r, i * 100, i * 100 + 100);
                harness_finish_slow(h, r);
        }
        assert_non_null(strstr(harness_job(h)->files[0]->source_trouble, "m1: only 10 bytes per second"));
        assert_non_null(strstr(harness_job(h)->files[0]->source_trouble, "(slow)"));
        fails(h, "http://m2/file", ERROR_CONNECT_FAILURE, true); /* who is slow is better than who is not there */
        assert_int_equal(harness_request(h, 0)->floor_rate, 0);
        serves(h, "http://origin/file");
        harness_assert_content(h, "file", SIZE);
}

/* DOMinBackgroundQos */
static void a_cache_server_owes_background_files_the_least_rate_that_is_set(void **state) {
        struct harness *h = *state;
        struct fake_request *r;

        h->limits.min_background_rate = 512000;
        use_caches(h, "cache", 0);
        create(h, "http://origin/file", MIRRORS, true);
        assert_false(harness_request(h, 0)->firm_floor);
        assert_int_equal(harness_request(h, 0)->floor_rate, 4096); /* a foreground job: next to nothing is what counts */
        assert_int_equal(harness_call(h, manager_cancel_job), 0);
        create_as(h, JOB_PRIORITY_NORMAL, "http://origin/file", MIRRORS, false);
        assert_int_equal(harness_request(h, 0)->floor_rate, 0); /* nothing would prove that another one has the same file */
        assert_int_equal(harness_call(h, manager_cancel_job), 0);
        create_as(h, JOB_PRIORITY_NORMAL, "http://origin/file", MIRRORS, true);
        r = harness_request(h, 0);
        assert_non_null(strstr(r->url, "//cache/file?cacheHostOrigin=origin"));
        assert_int_equal(r->floor_rate, 512000);
        assert_true(r->firm_floor);
        harness_metadata(h, r, SIZE, NULL);
        harness_write(h, r, 0, 4000);
        harness_finish_slow(h, r);
        harness_pump(h);
        r = harness_request(h, 0);
        assert_string_equal(r->url, "http://origin/file");
        assert_int_equal(r->pieces[0].remote_offset, 4000);
        assert_int_equal(r->floor_rate, 4096); /* it is no cache server */
        harness_serve(h, r, SIZE);
        harness_assert_content(h, "file", SIZE);
}

static void without_a_digest_a_slow_connection_is_replaced_and_its_source_kept(void **state) {
        struct harness *h = *state;
        struct fake_request *r;

        create(h, "http://origin/file", MIRRORS, false);
        r = harness_request(h, 0);
        assert_int_equal(r->floor_rate, 0);
        assert_true(r->replace_stalled);
        harness_metadata(h, r, SIZE, "\"v1\"");
        harness_write(h, r, 0, 4000);
        harness_replace_connection(h, r, "only 3 bytes per second came for 10 s");
        assert_string_equal(harness_job(h)->files[0]->source_trouble,
                            "origin: only 3 bytes per second came for 10 s (a new connection goes on)");
        harness_serve(h, r, SIZE);
        harness_assert_content(h, "file", SIZE);
}

static void a_few_bytes_now_and_then_do_not_keep_a_job_alive(void **state) {
        struct harness *h = *state;
        struct fake_request *r;
        uint64_t timeout;

        create(h, "http://origin/file", NULL, false);
        timeout = harness_job(h)->no_progress_timeout_s * USEC_PER_SEC;
        r = harness_request(h, 0);
        harness_metadata(h, r, SIZE, "\"v1\"");
        harness_finish(h, r, ENGINE_FAILED, ERROR_TIMED_OUT, true);
        for (uint64_t at = 0; at < 100 && harness_job(h)->state != JOB_ERROR; at++) {
                harness_advance(h, timeout / 10);
                if (harness_running(h) == 0)
                        continue;
                harness_write(h, harness_request(h, 0), at, at + 1);
                harness_finish(h, harness_request(h, 0), ENGINE_FAILED, ERROR_TIMED_OUT, true);
                harness_pump(h);
        }
        assert_int_equal(harness_job(h)->state, JOB_ERROR);
        assert_int_equal(harness_job(h)->error.code, ERROR_NO_PROGRESS);
}

/* ---- what a server offers ---- */

static void a_mirror_that_the_server_named_goes_on_where_it_failed_and_is_held_to_its_digest(void **state) {
        struct harness *h = *state;
        struct fake_request *r;

        create(h, "http://origin/file", NULL, false);
        r = harness_request(h, 0);
        harness_offer(h, r, "http://m1/file\nhttp://m2/file", 1, SIZE, false);
        assert_string_equal(harness_job(h)->files[0]->sources,
                            "origin asked http://origin/file\nmirror ready http://m1/file\nmirror ready http://m2/file");
        harness_metadata(h, r, SIZE, "\"v1\"");
        harness_write(h, r, 0, 4000);
        fails(h, "http://origin/file", ERROR_TIMED_OUT, true);
        r = harness_request(h, 0);
        assert_string_equal(r->url, "http://m1/file");
        assert_string_equal(r->etag, "\"v1\""); /* preferred: it has the same */
        assert_true(r->from_public);
        assert_false(r->has_headers);
        assert_int_equal(r->pieces[0].remote_offset, 4000);
        r->lies = true;
        harness_serve(h, r, SIZE);
        assert_false(harness_exists(h, "file"));
        assert_non_null(strstr(harness_job(h)->files[0]->sources, "mirror lied http://m1/file"));
        r = harness_request(h, 0);
        assert_string_equal(r->url, "http://m2/file"); /* m1 is out, and the server itself rests */
        assert_null(r->etag);
        harness_serve(h, r, SIZE);
        harness_assert_content(h, "file", SIZE);
}

static void without_a_digest_nobody_that_a_server_names_is_asked(void **state) {
        struct harness *h = *state;

        create(h, "http://origin/file", NULL, false);
        harness_offer(h, harness_request(h, 0), "http://m1/file", 0, 0, false);
        assert_null(harness_job(h)->files[0]->sources);
        fails(h, "http://origin/file", ERROR_CONNECT_FAILURE, true);
        assert_int_equal(harness_job(h)->state, JOB_TRANSIENT_ERROR);
        assert_int_equal(harness_running(h), 0);
}

static void for_https_a_mirror_with_http_needs_a_digest_that_came_over_https(void **state) {
        struct harness *h = *state;

        create(h, "https://origin/file", NULL, false);
        harness_offer(h, harness_request(h, 0), "http://m1/file\nhttps://m2/file", 0, SIZE, false);
        assert_string_equal(harness_job(h)->files[0]->sources, "origin asked https://origin/file\nmirror ready https://m2/file");
        harness_offer(h, harness_request(h, 0), "http://m1/file\nhttps://m2/file", 0, SIZE, true);
        assert_non_null(strstr(harness_job(h)->files[0]->sources, "mirror ready http://m1/file"));
}

static void a_job_that_takes_no_redirects_takes_no_mirrors_of_a_server(void **state) {
        struct harness *h = *state;
        struct manager_properties properties = MANAGER_PROPERTIES_NONE;

        create(h, "http://origin/file", NULL, false);
        properties.security_flags = JOB_SECURITY_REDIRECT_DISALLOW;
        manager_set_properties(h->manager, harness_job(h), &properties, NULL, NULL);
        harness_pump(h);
        harness_offer(h, harness_request(h, 0), "http://m1/file", 0, SIZE, false);
        assert_null(harness_job(h)->files[0]->sources);
}

static void the_server_s_own_digest_is_checked_before_the_file_appears(void **state) {
        struct harness *h = *state;

        create(h, "http://origin/file", NULL, false);
        for (int i = 0; i < 2; i++) { /* once anew: the file may have changed meanwhile */
                harness_offer(h, harness_request(h, 0), "", 0, SIZE - 1, false);
                serves(h, "http://origin/file");
                assert_false(harness_exists(h, "file"));
        }
        assert_int_equal(harness_job(h)->state, JOB_ERROR);
        assert_int_equal(harness_job(h)->error.code, ERROR_DIGEST_MISMATCH);
}

static void a_digest_of_an_older_file_is_forgotten_with_it(void **state) {
        struct harness *h = *state;
        struct fake_request *r;

        create(h, "http://origin/file", NULL, false);
        r = harness_request(h, 0);
        harness_offer(h, r, "", 0, 4000, false);
        harness_metadata(h, r, 4000, "\"v1\"");
        harness_write(h, r, 0, 1000);
        harness_finish(h, r, ENGINE_RESTART, ERROR_REMOTE_FILE_CHANGED, false);
        harness_pump(h);
        serves(h, "http://origin/file"); /* another size, and no digest now */
        harness_assert_content(h, "file", SIZE);
}

static void a_mirror_that_states_another_digest_is_left_at_once(void **state) {
        struct harness *h = *state;
        struct fake_request *r;

        create(h, "http://origin/file", MIRRORS, true);
        fails(h, "http://origin/file", ERROR_CONNECT_FAILURE, true);
        r = harness_request(h, 0);
        assert_string_equal(r->url, "http://m1/file");
        harness_offer(h, r, "http://m3/file", 0, SIZE + 1, false);
        assert_non_null(strstr(harness_job(h)->files[0]->source_trouble, "(lied)"));
        assert_null(strstr(harness_job(h)->files[0]->sources, "m3")); /* and what it offers is not listened to */
        serves(h, "http://m2/file");
        harness_assert_content(h, "file", SIZE);
}

static void what_was_offered_outlives_the_service(void **state) {
        struct harness *h = *state;
        struct fake_request *r;

        create(h, "http://origin/file", NULL, false);
        r = harness_request(h, 0);
        harness_offer(h, r, "http://m1/file", 0, SIZE, false);
        harness_metadata(h, r, SIZE, "\"v1\"");
        harness_write(h, r, 0, 4000);
        harness_restart(h);
        harness_pump(h);
        fails(h, "http://origin/file", ERROR_CONNECT_FAILURE, true);
        r = harness_request(h, 0);
        assert_string_equal(r->url, "http://m1/file");
        r->lies = true;
        harness_serve(h, r, SIZE);
        assert_false(harness_exists(h, "file")); /* the digest was stored, too */
}

static void the_networks_cache_servers_are_asked_as_the_policy_says(void **state) {
        static const struct {
                unsigned source; /* DOCacheHostSource */
                bool set;
                const char *configured, *of_network;
                bool vpn, not_on_vpn;
                const char *first;
        } rows[] = {
                { 0, false, NULL, "net", false, false, "http://origin/file" },
                { 0, true, "own", "net", false, false, "http://own/file?cacheHostOrigin=origin" },
                { 1, false, NULL, "", false, false, "http://origin/file" },
                { 1, false, NULL, "net:81,other", false, false, "http://net:81/file?cacheHostOrigin=origin" },
                { 1, true, "own", "net", false, false, "http://own/file?cacheHostOrigin=origin" },
                { 1, true, NULL, "net", false, false, "http://origin/file" }, /* none, and that was said */
                { 2, true, "own", "net", false, false, "http://net/file?cacheHostOrigin=origin" },
                { 2, true, "own", "", false, false, "http://own/file?cacheHostOrigin=origin" },
                { 2, false, NULL, "net", false, false, "http://net/file?cacheHostOrigin=origin" },
                { 2, true, "own", "net", true, true, "http://origin/file" },
                { 2, true, "own", "net", true, false, "http://net/file?cacheHostOrigin=origin" },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                struct conditions conditions = CONDITIONS_UNKNOWN;
                struct harness *h;
                void *own = NULL;

                harness_setup(&own);
                h = own;
                h->limits.cache_hosts_of_network = rows[i].source > 0;
                h->limits.cache_hosts_of_network_first = rows[i].source == 2;
                h->limits.cache_hosts_are_set = rows[i].set;
                h->limits.no_cache_on_vpn = rows[i].not_on_vpn;
                use_caches(h, rows[i].configured, 0);
                conditions.is_vpn = rows[i].vpn;
                strcpy(conditions.cache_hosts, rows[i].of_network);
                assert_int_equal(manager_set_conditions(h->manager, &conditions), 0);
                create(h, "http://origin/file", NULL, false);
                if (strcmp(harness_request(h, 0)->url, rows[i].first) != 0)
                        fail_msg("row %zu: %s", i, harness_request(h, 0)->url);
                harness_teardown(&own);
        }
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, harness_setup, harness_teardown)
        const struct CMUnitTest tests[] = {
                TEST(a_mirror_is_asked_when_the_own_server_has_no_such_file),
                TEST(the_networks_cache_servers_are_asked_as_the_policy_says),
                TEST(when_nobody_helps_the_job_ends_with_what_its_own_server_said),
                TEST(with_a_digest_a_mirror_goes_on_where_the_own_server_stalled),
                TEST(without_a_digest_bytes_of_two_servers_never_meet),
                TEST(a_mirror_that_lies_is_not_asked_again),
                TEST(a_mirror_without_ranges_is_no_liar),
                TEST(a_mirror_that_lied_is_not_asked_by_the_next_service_either),
                TEST(a_mirror_is_blamed_for_what_it_gave_before_the_job_stood_still_or_the_service_ended),
                TEST(what_came_from_others_is_forgotten_when_it_is_right),
                TEST(a_cache_server_that_lied_is_not_asked_by_the_next_service_either),
                TEST(a_liar_that_there_is_no_room_for_is_out_until_the_service_ends),
                TEST(what_the_service_knows_of_trouble_ends_with_it),
                TEST(a_job_whose_own_server_lied_can_be_resumed_with_and_without_a_new_service),
                TEST(what_one_file_learns_of_a_liar_holds_for_those_that_are_under_way),
                TEST(a_source_that_brings_next_to_nothing_is_left_once_and_never_for_one_that_did_the_same),
                TEST(a_cache_server_owes_background_files_the_least_rate_that_is_set),
                TEST(without_a_digest_a_slow_connection_is_replaced_and_its_source_kept),
                TEST(a_few_bytes_now_and_then_do_not_keep_a_job_alive),
                TEST(a_mirror_that_the_server_named_goes_on_where_it_failed_and_is_held_to_its_digest),
                TEST(without_a_digest_nobody_that_a_server_names_is_asked),
                TEST(for_https_a_mirror_with_http_needs_a_digest_that_came_over_https),
                TEST(a_job_that_takes_no_redirects_takes_no_mirrors_of_a_server),
                TEST(the_server_s_own_digest_is_checked_before_the_file_appears),
                TEST(a_digest_of_an_older_file_is_forgotten_with_it),
                TEST(a_mirror_that_states_another_digest_is_left_at_once),
                TEST(what_was_offered_outlives_the_service),
                TEST(headers_of_the_job_go_to_its_own_server_only),
                TEST(a_cache_server_is_asked_first_with_the_host_it_stands_for),
                TEST(a_cache_in_trouble_is_left_at_once_without_a_delay),
                TEST(a_cache_without_ranges_is_asked_for_a_part_once),
                TEST(with_a_fallback_delay_caches_are_asked_in_turn),
                TEST(https_and_passwords_never_go_through_a_cache),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

/* <dosvc.h> against a service that the test commands: connecting, losing, forking, threads, pages, what travels. */
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/strings.h"
#include "client/connection.h"
#include "client/public.h"
#include "fake_service.h"

struct fixture {
        struct fake_service *fake;
        dosvc *c;
};

static int set_up(void **state) {
        struct fixture *f = calloc(1, sizeof(*f));

        f->fake = fake_service_new();
        assert_int_equal(dosvc_open(0, &f->c), 0);
        *state = f;
        return 0;
}

static int tear_down(void **state) {
        struct fixture *f = *state;

        dosvc_close(f->c);
        fake_service_free(f->fake);
        free(f);
        return 0;
}

static int copy_name(const dosvc_job_info *job, void *userdata) {
        snprintf(userdata, 256, "%s", job->name);
        return 0;
}

static int count_jobs(const dosvc_job_info *job, void *userdata) {
        (*(size_t *) userdata)++;
        return 0;
}

/* ---- connecting ---- */

static void without_a_service_opening_says_so(void **state) {
        dosvc *c = (void *) 1;

        setenv("DOSVC_ADDRESS", "unix:path=/nonexistent/bus", 1);
        assert_int_equal((uint32_t) dosvc_open(0, &c), 0x80D01001);
        assert_null(c);
        assert_string_equal(dosvc_last_error(NULL)->name, "NoService");
        assert_true(strlen(dosvc_last_error(NULL)->text) > 20);
        setenv("DOSVC_ADDRESS", "nonsense", 1);
        assert_int_equal((uint32_t) dosvc_open(0, &c), 0x80D01001);
        unsetenv("DOSVC_ADDRESS");
        assert_int_equal((uint32_t) dosvc_open(64, &c), 0x80070057);
        assert_int_equal((uint32_t) dosvc_open(DOSVC_CONNECT_SYSTEM | DOSVC_CONNECT_USER, &c), 0x80070057);
        assert_int_equal((uint32_t) dosvc_open(0, NULL), 0x80070057);
        dosvc_close(NULL);
}

static int check_service(const dosvc_service_info *info, void *userdata) {
        assert_string_equal(info->version, "9.9");
        assert_string_equal(info->state_directory, "/var/x");
        assert_string_equal(info->address, fake_service_address(userdata));
        assert_int_equal(info->pid, 4711);
        assert_int_equal(info->size, sizeof(*info));
        return 5;
}

static void the_service_tells_about_itself_and_the_callbacks_value_comes_back(void **state) {
        struct fixture *f = *state;

        assert_int_equal(dosvc_get_service(f->c, check_service, f->fake), 5);
}

static int check_config(const dosvc_config_info *info, void *userdata) {
        size_t *n = userdata;

        assert_string_equal(info->key, *n == 0 ? "TimeSlice" : "StallTimeout");
        assert_string_equal(info->value, *n == 0 ? "300" : "60");
        assert_string_equal(info->type, "seconds");
        assert_int_equal(info->min, 1);
        assert_int_equal(info->max, *n == 0 ? 86400 : 3600);
        assert_string_equal(info->initial, *n == 0 ? "300" : "60");
        (*n)++;
        return 0;
}

static void the_configuration_is_listed(void **state) {
        struct fixture *f = *state;
        uint32_t changed = 0;
        size_t n = 0;

        assert_int_equal(dosvc_list_config(f->c, check_config, &n), 0);
        assert_int_equal(dosvc_reload_config(f->c, NULL), 0);
        assert_int_equal(dosvc_reload_config(f->c, &changed), 0);
        assert_int_equal(changed, 5);
        assert_int_equal(n, 2);
}

static void a_lost_connection_is_made_again_by_the_next_call(void **state) {
        struct fixture *f = *state;
        const char *id = fake_service_add_job(f->fake, "do", "queued", 1);
        char name[256];

        for (unsigned i = 0; i < 5; i++) {
                assert_int_equal(dosvc_get_job(f->c, id, copy_name, name), 0);
                assert_string_equal(name, "job 1");
                fake_service_cut(f->fake);
        }
        assert_int_equal(dosvc_get_job(f->c, id, copy_name, name), 0);
        assert_int_equal(fake_service_connections(f->fake), 6);
}

static void a_restarted_service_is_found_again(void **state) {
        struct fixture *f = *state;
        const char *id = fake_service_add_job(f->fake, "do", "queued", 1);
        char name[256];

        fake_service_stop(f->fake);
        assert_int_equal((uint32_t) dosvc_suspend(f->c, id), 0x80D01001);
        fake_service_start(f->fake);
        assert_int_equal(dosvc_suspend(f->c, id), 0);
        assert_int_equal(dosvc_get_job(f->c, id, copy_name, name), 0);
}

static void what_may_be_repeated_is_repeated_when_the_service_dies_meanwhile(void **state) {
        struct fixture *f = *state;
        const char *id = fake_service_add_job(f->fake, "do", "queued", 1);

        fake_service_die_at(f->fake, "Suspend");
        assert_int_equal(dosvc_suspend(f->c, id), 0);
        assert_int_equal(fake_service_count(f->fake, "Suspend"), 2);
}

static void a_complete_is_not_repeated_but_reported(void **state) {
        struct fixture *f = *state;
        const char *id = fake_service_add_job(f->fake, "do", "transferred", 1);

        fake_service_die_at(f->fake, "Complete");
        assert_int_equal((uint32_t) dosvc_complete(f->c, id), 0x80D01001);
        assert_int_equal(fake_service_count(f->fake, "Complete"), 1);
        assert_non_null(strstr(dosvc_last_error(f->c)->text, "Complete"));
        assert_int_equal(dosvc_complete(f->c, id), 0);
}

static void an_answer_of_the_wrong_shape_is_an_error(void **state) {
        static const char *const members[] = { "GetAll",      "ListJobs",       "ListFiles",
                                               "ListHistory", "GetServiceInfo", "ListConfiguration" };
        struct fixture *f = *state;
        const char *id = fake_service_add_job(f->fake, "do", "queued", 1);
        size_t n = 0;

        for (size_t i = 0; i < ELEMENTSOF(members); i++) {
                int32_t hr =
                        i == 0   ? (fake_service_lie_at(f->fake, members[i]), dosvc_get_job(f->c, id, count_jobs, &n))
                        : i == 1 ? (fake_service_lie_at(f->fake, members[i]),
                                    dosvc_list_jobs(f->c, NULL, count_jobs, &n))
                        : i == 2 ? (fake_service_lie_at(f->fake, members[i]),
                                    dosvc_list_files(f->c, id, (dosvc_file_fn) (void *) count_jobs, &n))
                        : i == 3 ? (fake_service_lie_at(f->fake, members[i]),
                                    dosvc_list_history(f->c, 9, (dosvc_history_fn) (void *) count_jobs, &n))
                        : i == 4 ? (fake_service_lie_at(f->fake, members[i]),
                                    dosvc_get_service(f->c, (dosvc_service_fn) (void *) count_jobs, &n))
                                 : (fake_service_lie_at(f->fake, members[i]),
                                    dosvc_list_config(f->c, (dosvc_config_fn) (void *) count_jobs, &n));

                assert_int_equal((uint32_t) hr, 0x8000FFFF);
                assert_non_null(strstr(dosvc_last_error(f->c)->text, members[i]));
        }
        assert_int_equal(n, 0);
}

/* ---- errors ---- */

static void the_services_words_reach_the_program(void **state) {
        struct fixture *f = *state;
        const char *id = fake_service_add_job(f->fake, "do", "queued", 1);
        const dosvc_error *e;

        fake_service_fail_next(f->fake, "Resume", "org.dosvc.Error.InvalidState", "Not now, please.");
        assert_int_equal((uint32_t) dosvc_resume(f->c, id), 0x80D02013);
        e = dosvc_last_error(f->c);
        assert_int_equal((uint32_t) e->hresult, 0x80D02013);
        assert_string_equal(e->name, "InvalidState");
        assert_string_equal(e->text, "Not now, please.");
        assert_int_equal(dosvc_resume(f->c, id), 0);
        assert_string_equal(dosvc_last_error(f->c)->name, "");
}

static void *fail_differently(void *arg) {
        struct fixture *f = arg;

        assert_int_equal((uint32_t) dosvc_suspend(f->c, "ffffffff"), 0x80D02003);
        assert_string_equal(dosvc_last_error(f->c)->name, "NotFound");
        return NULL;
}

static void each_thread_and_connection_has_its_own_last_error(void **state) {
        struct fixture *f = *state;
        const char *id = fake_service_add_job(f->fake, "do", "cancelled", 1);
        pthread_t thread;
        dosvc *other;

        assert_int_equal(dosvc_open(0, &other), 0);
        assert_int_equal((uint32_t) dosvc_suspend(f->c, id), 0x80D02013);
        assert_int_equal((uint32_t) dosvc_suspend(other, "eeeeeeee"), 0x80D02003);
        pthread_create(&thread, NULL, fail_differently, f);
        pthread_join(thread, NULL);
        assert_string_equal(dosvc_last_error(f->c)->name, "InvalidState");
        assert_string_equal(dosvc_last_error(other)->name, "NotFound");
        dosvc_close(other);
}

static void null_arguments_are_refused(void **state) {
        struct fixture *f = *state;
        dosvc_job_options options = { .size = sizeof(options), .name = "n" };
        char id[DOSVC_ID_SIZE];
        const uint32_t bad = 0x80070057;

        assert_int_equal((uint32_t) dosvc_suspend(NULL, "x"), bad);
        assert_int_equal((uint32_t) dosvc_suspend(f->c, NULL), bad);
        assert_int_equal((uint32_t) dosvc_resume(f->c, NULL), bad);
        assert_int_equal((uint32_t) dosvc_cancel(f->c, NULL), bad);
        assert_int_equal((uint32_t) dosvc_complete(f->c, NULL), bad);
        assert_int_equal((uint32_t) dosvc_set(f->c, NULL, "name", "x"), bad);
        assert_int_equal((uint32_t) dosvc_set(f->c, "x", NULL, "x"), bad);
        assert_int_equal((uint32_t) dosvc_set(f->c, "x", "name", NULL), bad);
        assert_int_equal((uint32_t) dosvc_get_job(f->c, "x", NULL, NULL), bad);
        assert_int_equal((uint32_t) dosvc_list_jobs(NULL, NULL, count_jobs, NULL), bad);
        assert_int_equal((uint32_t) dosvc_list_jobs(f->c, "other", count_jobs, NULL), bad);
        assert_int_equal((uint32_t) dosvc_list_files(f->c, NULL, NULL, NULL), bad);
        assert_int_equal((uint32_t) dosvc_list_history(f->c, 1, NULL, NULL), bad);
        assert_int_equal((uint32_t) dosvc_get_service(f->c, NULL, NULL), bad);
        assert_int_equal((uint32_t) dosvc_list_config(f->c, NULL, NULL), bad);
        assert_int_equal((uint32_t) dosvc_reload_config(NULL, NULL), bad);
        assert_int_equal((uint32_t) dosvc_watch(f->c, NULL, 0, NULL, NULL), bad);
        assert_int_equal((uint32_t) dosvc_create_job(f->c, NULL, NULL, 0, id, NULL), bad);
        assert_int_equal((uint32_t) dosvc_create_job(f->c, &options, NULL, 0, NULL, NULL), bad);
        assert_int_equal((uint32_t) dosvc_create_job(f->c, &options, NULL, 1, id, NULL), bad);
        options.size = 8;
        assert_int_equal((uint32_t) dosvc_create_job(f->c, &options, NULL, 0, id, NULL), bad);
        dosvc_interrupt(NULL);
        assert_int_equal(fake_service_count(f->fake, "CreateJob"), 0);
}

/* ---- making ---- */

static void all_that_was_asked_travels(void **state) {
        struct fixture *f = *state;
        const dosvc_job_options options = {
                .size = sizeof(options),
                .name = "n\xc3\xa4me",
                .description = "why",
                .family = "bits",
                .priority = "foreground",
                .complete_when_transferred = 1,
                .replace = 1,
                .resume = 1,
                .attach = 1,
                .no_progress_timeout = 77,
                .minimum_retry_delay = 0,
        };
        const unsigned char sha256[32] = { 1, 2, 3 };
        const dosvc_file_spec files[] = {
                { .size = sizeof(*files), .url = "https://h/a", .path = "/tmp/a", .sha256 = sha256, .stated_size = 0 },
                { .size = sizeof(*files), .url = "https://h/b", .path = "/tmp/b", .stated_size = DOSVC_UNKNOWN },
                { .size = sizeof(*files), .url = "https://h/c", .path = "/c", .stated_size = DOSVC_UNKNOWN },
        };
        mode_t old = umask(027);
        char id[DOSVC_ID_SIZE];
        struct fake_job job;
        int attached = 9;

        assert_int_equal(dosvc_create_job(f->c, &options, files, 3, id, &attached), 0);
        umask(old);
        assert_int_equal(attached, 0);
        assert_int_equal(strlen(id), 36);
        assert_true(fake_service_get_job(f->fake, id, &job));
        assert_string_equal(job.name, "n\xc3\xa4me");
        assert_string_equal(job.description, "why");
        assert_string_equal(job.family, "bits");
        assert_string_equal(job.priority, "foreground");
        assert_true(job.complete_when_transferred && job.replace && job.resume && job.attach);
        assert_int_equal(job.no_progress_timeout, 77);
        assert_int_equal(job.minimum_retry_delay, 0);
        assert_int_equal(job.mask, 027);
        assert_int_equal(job.n_files, 3);
        assert_string_equal(job.paths[2], "/c");
        assert_int_equal(job.stated_size, 0);
        assert_memory_equal(job.sha256, sha256, 32);
        /* One descriptor for each directory. */
        assert_int_equal(job.n_directories, 2);
}

static void a_bad_file_is_refused_before_anything_is_made(void **state) {
        struct fixture *f = *state;
        char long_name[300] = "/tmp/";
        const struct {
                const char *url, *path;
                uint32_t hresult;
        } rows[] = {
                { NULL, "/tmp/x", 0x80070057 },
                { "https://h/", NULL, 0x80070057 },
                { "https://h/", "relative", 0x80070057 },
                { "https://h/", "", 0x80070057 },
                { "https://h/", "/tmp/", 0x8007007B },
                { "https://h/", "/tmp/..", 0x8007007B },
                { "https://h/", "/tmp/.", 0x8007007B },
                { "https://h/", "/nonexistent/x", 0x80070003 },
                { "https://h/", "/dev/null/x", 0x80070003 },
                { "https://h/\xff", "/tmp/x", 0x800C0002 },
                { "https://h/", long_name, 0x800700CE },
        };
        const dosvc_job_options options = {
                .size = sizeof(options), .name = "n", .no_progress_timeout = -1, .minimum_retry_delay = -1
        };
        char id[DOSVC_ID_SIZE];

        memset(long_name + 5, 'x', 256);
        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                const dosvc_file_spec files[] = {
                        { .size = sizeof(*files),
                          .url = "https://h/ok",
                          .path = "/tmp/ok",
                          .stated_size = DOSVC_UNKNOWN },
                        { .size = sizeof(*files),
                          .url = rows[i].url,
                          .path = rows[i].path,
                          .stated_size = DOSVC_UNKNOWN },
                };

                assert_int_equal((uint32_t) dosvc_create_job(f->c, &options, files, 2, id, NULL), rows[i].hresult);
                if (rows[i].url && rows[i].path)
                        assert_string_equal(dosvc_last_error(f->c)->file, rows[i].path);
        }
        assert_int_equal(fake_service_count(f->fake, "CreateJob"), 0);
}

static void larger_structures_of_a_later_version_are_understood(void **state) {
        struct later {
                dosvc_file_spec spec;
                char more[40];
        } files[2] = {};
        const dosvc_job_options options = {
                .size = sizeof(options), .name = "n", .no_progress_timeout = -1, .minimum_retry_delay = -1
        };
        struct fixture *f = *state;
        char id[DOSVC_ID_SIZE];
        struct fake_job job;

        for (unsigned i = 0; i < 2; i++)
                files[i].spec = (dosvc_file_spec){ .size = sizeof(files[0]),
                                                   .url = i ? "http://h/1" : "http://h/0",
                                                   .path = i ? "/tmp/1" : "/tmp/0",
                                                   .stated_size = DOSVC_UNKNOWN };
        assert_int_equal(dosvc_create_job(f->c, &options, &files[0].spec, 2, id, NULL), 0);
        assert_true(fake_service_get_job(f->fake, id, &job));
        assert_string_equal(job.urls[1], "http://h/1");
        files[1].spec.size = 3;
        assert_int_equal((uint32_t) dosvc_create_job(f->c, &options, &files[0].spec, 2, id, NULL), 0x80070057);
}

#define MANY 2500

static dosvc_file_spec *many_files(size_t n) {
        dosvc_file_spec *files = calloc(n, sizeof(*files));

        for (size_t i = 0; i < n; i++) {
                char *url = NULL, *path = NULL;

                assert_true(asprintf(&url, "https://example.org/%zu", i) > 0 && asprintf(&path, "/tmp/%zu", i) > 0);
                files[i] = (dosvc_file_spec){
                        .size = sizeof(*files), .url = url, .path = path, .stated_size = DOSVC_UNKNOWN
                };
        }
        return files;
}

static void free_files(dosvc_file_spec *files, size_t n) {
        for (size_t i = 0; i < n; i++) {
                free((char *) files[i].url);
                free((char *) files[i].path);
        }
        free(files);
}

static void a_large_job_is_filled_in_steps_and_resumed_last(void **state) {
        const dosvc_job_options options = {
                .size = sizeof(options), .name = "n", .resume = 1, .no_progress_timeout = -1, .minimum_retry_delay = -1
        };
        struct fixture *f = *state;
        dosvc_file_spec *files = many_files(MANY);
        char id[DOSVC_ID_SIZE];
        struct fake_job job;

        assert_int_equal(dosvc_create_job(f->c, &options, files, MANY, id, NULL), 0);
        assert_true(fake_service_get_job(f->fake, id, &job));
        assert_int_equal(job.n_files, MANY);
        assert_string_equal(job.paths[MANY - 1], files[MANY - 1].path);
        assert_false(job.resume); /* not by the first step */
        assert_string_equal(job.state, "queued");
        assert_int_equal(fake_service_count(f->fake, "AddFiles"), 2);
        assert_int_equal(fake_service_count(f->fake, "Resume"), 1);
        free_files(files, MANY);
}

static void a_large_job_that_cannot_be_filled_is_cancelled(void **state) {
        const dosvc_job_options options = {
                .size = sizeof(options), .name = "n", .no_progress_timeout = -1, .minimum_retry_delay = -1
        };
        struct fixture *f = *state;
        dosvc_file_spec *files = many_files(MANY);
        char id[DOSVC_ID_SIZE];
        struct fake_job job;

        fake_service_fail_next(f->fake, "AddFiles", "org.dosvc.Error.TooManyFiles", "That is too much.");
        assert_int_equal((uint32_t) dosvc_create_job(f->c, &options, files, MANY, id, NULL), 0x80200051);
        assert_string_equal(dosvc_last_error(f->c)->text, "That is too much.");
        assert_true(fake_service_get_job(f->fake, "00000001", &job));
        assert_string_equal(job.state, "cancelled");
        free_files(files, MANY);
}

static void a_large_job_attaches_to_one_with_the_same_files_only(void **state) {
        const dosvc_job_options options = { .size = sizeof(options),
                                            .name = "n",
                                            .attach = 1,
                                            .resume = 1,
                                            .no_progress_timeout = -1,
                                            .minimum_retry_delay = -1 };
        struct fixture *f = *state;
        dosvc_file_spec *files = many_files(MANY);
        char first[DOSVC_ID_SIZE], second[DOSVC_ID_SIZE], third[DOSVC_ID_SIZE];
        int attached;

        assert_int_equal(dosvc_create_job(f->c, &options, files, MANY, first, &attached), 0);
        assert_int_equal(attached, 0);
        free((char *) files[MANY - 1].url);
        files[MANY - 1].url = strdup("https://example.org/other");
        assert_int_equal(dosvc_create_job(f->c, &options, files, MANY, second, &attached), 0);
        assert_int_equal(attached, 0);
        assert_string_not_equal(first, second);
        assert_int_equal(dosvc_suspend(f->c, second), 0);
        assert_int_equal(fake_service_count(f->fake, "Resume"), 2);
        free_files(files, MANY);
        files = many_files(MANY);
        /* The fake says that file 1 has a digest: so must we, to be the same. */
        files[1].sha256 = (const unsigned char *) "01234567890123456789012345678901";
        assert_int_equal(dosvc_create_job(f->c, &options, files, MANY, third, &attached), 0);
        assert_int_equal(attached, 1);
        assert_string_equal(first, third);
        free_files(files, MANY);
}

static void properties_are_checked_before_they_travel(void **state) {
        struct fixture *f = *state;
        const char *id = fake_service_add_job(f->fake, "do", "suspended", 1);
        struct fake_job job;

        assert_int_equal(dosvc_set(f->c, id, "name", "other"), 0);
        assert_int_equal(dosvc_set(f->c, id, "replace", "yes"), 0);
        assert_int_equal(dosvc_set(f->c, id, "no_progress_timeout", "4294967295"), 0);
        assert_int_equal(dosvc_set(f->c, id, "life_time", "86400"), 0);
        assert_true(fake_service_get_job(f->fake, id, &job));
        assert_string_equal(job.name, "other");
        assert_true(job.replace);
        assert_int_equal(job.no_progress_timeout, UINT32_MAX);
        assert_int_equal((uint32_t) dosvc_set(f->c, id, "no_progress_timeout", "4294967296"), 0x80070057);
        assert_int_equal((uint32_t) dosvc_set(f->c, id, "no_progress_timeout", "-1"), 0x80070057);
        assert_int_equal((uint32_t) dosvc_set(f->c, id, "replace", "true"), 0x80070057);
        assert_int_equal((uint32_t) dosvc_set(f->c, id, "name", "\xff"), 0x80070057);
        assert_int_equal((uint32_t) dosvc_set(f->c, id, "colour", "red"), 0x80D02011);
        assert_int_equal(fake_service_count(f->fake, "SetProperties"), 4);
}

static void success_with_a_remainder_has_its_own_code(void **state) {
        struct fixture *f = *state;

        /* The fake leaves something of jobs with three files. */
        assert_int_equal(dosvc_cancel(f->c, fake_service_add_job(f->fake, "do", "queued", 3)), 0x0020001A);
        assert_int_equal(dosvc_complete(f->c, fake_service_add_job(f->fake, "do", "queued", 3)), 0x00200017);
        assert_int_equal(dosvc_complete(f->c, fake_service_add_job(f->fake, "do", "queued", 2)), 0);
}

/* ---- lists ---- */

static int check_order(const dosvc_job_info *job, void *userdata) {
        size_t *n = userdata;
        char name[32];

        snprintf(name, sizeof(name), "job %zu", ++*n);
        assert_string_equal(job->name, name);
        assert_string_equal(job->instance, "user");
        return *n == 2400 ? 42 : 0;
}

static void long_lists_come_in_pages_and_in_order(void **state) {
        struct fixture *f = *state;
        size_t n = 0;

        for (unsigned i = 0; i < 2300; i++)
                (void) fake_service_add_job(f->fake, "do", "queued", 0);
        assert_int_equal(dosvc_list_jobs(f->c, NULL, check_order, &n), 0);
        assert_int_equal(n, 2300);
        assert_int_equal(fake_service_count(f->fake, "ListJobs"), 23);
        for (unsigned i = 0; i < 200; i++)
                (void) fake_service_add_job(f->fake, "do", "queued", 0);
        n = 0;
        assert_int_equal(dosvc_list_jobs(f->c, NULL, check_order, &n), 42);
        assert_int_equal(n, 2400);
}

static void families_are_told_apart(void **state) {
        struct fixture *f = *state;
        size_t n = 0;

        (void) fake_service_add_job(f->fake, "do", "queued", 0);
        (void) fake_service_add_job(f->fake, "bits", "queued", 0);
        (void) fake_service_add_job(f->fake, "bits", "queued", 0);
        assert_int_equal(dosvc_list_jobs(f->c, "bits", count_jobs, &n), 0);
        assert_int_equal(n, 2);
        assert_int_equal(dosvc_list_jobs(f->c, NULL, count_jobs, &n), 0);
        assert_int_equal(n, 5);
}

static int check_file(const dosvc_file_info *file, void *userdata) {
        size_t *n = userdata;

        assert_int_equal(file->index, *n);
        assert_int_equal(file->bytes_transferred, 10 + *n);
        if (*n == 1) {
                assert_non_null(file->sha256);
                assert_memory_equal(file->sha256, "01234567890123456789012345678901", 32);
        } else
                assert_null(file->sha256);
        assert_int_equal(file->stated_size, DOSVC_UNKNOWN);
        (*n)++;
        return 0;
}

static void files_come_in_pages_with_their_digests(void **state) {
        struct fixture *f = *state;
        size_t n = 0;

        assert_int_equal(dosvc_list_files(f->c, fake_service_add_job(f->fake, "do", "queued", 2100), check_file, &n),
                         0);
        assert_int_equal(n, 2100);
        n = 0;
        assert_int_equal(dosvc_list_files(f->c, fake_service_add_job(f->fake, "do", "queued", 0), check_file, &n), 0);
        assert_int_equal(n, 0);
}

static int check_error(const dosvc_job_info *job, void *userdata) {
        assert_int_equal((uint32_t) job->error.hresult, 0x80190194);
        assert_string_equal(job->error.name, "FileNotFound");
        assert_string_equal(job->error.context, "remote_file");
        assert_string_equal(job->error.file, "/tmp/0");
        assert_string_equal(job->error.url, "https://example.org/0");
        assert_string_equal(job->error.text, "It went wrong in a test.");
        assert_string_equal(job->state, "error");
        assert_int_equal(job->owner, 1000);
        assert_int_equal(job->error_count, 7);
        assert_int_equal(job->waiting_since, 0); /* the fake's was no number */
        return 0;
}

static void a_jobs_own_error_comes_with_it(void **state) {
        struct fixture *f = *state;
        const char *id = fake_service_add_job(f->fake, "do", "error", 1);

        fake_service_set_error(f->fake, id, ERROR_FILE_NOT_FOUND);
        assert_int_equal(dosvc_get_job(f->c, id, check_error, NULL), 0);
}

static int check_ended(const dosvc_job_info *job, void *userdata) {
        assert_string_equal(job->state, "acknowledged");
        assert_string_equal(job->name, "job 1");
        assert_int_equal(job->files_total, 4);
        return 0;
}

static void a_job_that_only_the_history_knows_is_still_shown(void **state) {
        struct fixture *f = *state;
        const char *id = fake_service_add_job(f->fake, "do", "acknowledged", 4);

        fake_service_hide_job(f->fake, id);
        assert_int_equal(dosvc_get_job(f->c, id, check_ended, NULL), 0);
        assert_int_equal((uint32_t) dosvc_get_job(f->c, "0fffffff-aaaa-bbbb-cccc-dddddddddddd", check_ended, NULL),
                         0x80D02003);
}

static void a_prefix_is_resolved_by_the_service(void **state) {
        struct fixture *f = *state;
        char name[256];

        (void) fake_service_add_job(f->fake, "do", "queued", 1);
        assert_int_equal(dosvc_get_job(f->c, "00000001", copy_name, name), 0);
        assert_int_equal(fake_service_count(f->fake, "GetJob"), 1);
        assert_int_equal((uint32_t) dosvc_get_job(f->c, "not-an-id-that-is-longer-than-any-id-there-is", copy_name,
                                                  name),
                         0x80D02003);
        assert_int_equal((uint32_t) dosvc_get_job(f->c, "\xff", copy_name, name), 0x80D02003);
}

/* ---- threads ---- */

static void *call_often(void *arg) {
        struct fixture *f = arg;
        char name[256];

        for (unsigned i = 0; i < 200; i++) {
                assert_int_equal(dosvc_get_job(f->c, "00000001-aaaa-bbbb-cccc-dddddddddddd", copy_name, name), 0);
                assert_string_equal(name, "job 1");
                if (i % 50 == 49)
                        assert_int_equal((uint32_t) dosvc_suspend(f->c, "ffff"), 0x80D02003);
        }
        return NULL;
}

static void eight_threads_share_one_connection(void **state) {
        struct fixture *f = *state;
        pthread_t threads[8];

        (void) fake_service_add_job(f->fake, "do", "queued", 1);
        for (unsigned i = 0; i < 8; i++)
                assert_int_equal(pthread_create(&threads[i], NULL, call_often, f), 0);
        for (unsigned i = 0; i < 8; i++)
                pthread_join(threads[i], NULL);
        assert_int_equal(fake_service_count(f->fake, "GetAll"), 8 * 200);
        assert_int_equal(fake_service_connections(f->fake), 1);
}

static void threads_survive_a_service_that_keeps_cutting_them_off(void **state) {
        struct fixture *f = *state;
        pthread_t threads[4];

        (void) fake_service_add_job(f->fake, "do", "queued", 1);
        for (unsigned i = 0; i < 4; i++)
                assert_int_equal(pthread_create(&threads[i], NULL, call_often, f), 0);
        for (unsigned i = 1; i < 5; i++) {
                fake_service_wait_for(f->fake, "GetAll", i * 100);
                fake_service_cut(f->fake);
        }
        for (unsigned i = 0; i < 4; i++)
                pthread_join(threads[i], NULL);
}

struct slow {
        struct fixture *f;
        const char *id;
        int32_t hr;
};

static void *complete_slowly(void *arg) {
        struct slow *slow = arg;

        slow->hr = dosvc_complete(slow->f->c, slow->id);
        return NULL;
}

static void a_slow_call_holds_up_no_other(void **state) {
        struct fixture *f = *state;
        struct slow slow = { .f = f, .id = fake_service_add_job(f->fake, "do", "transferred", 1), .hr = -1 };
        pthread_t thread;
        size_t n = 0;

        fake_service_hold(f->fake, "Complete");
        assert_int_equal(pthread_create(&thread, NULL, complete_slowly, &slow), 0);
        fake_service_wait_for(f->fake, "Complete", 1);
        assert_int_equal(dosvc_list_jobs(f->c, NULL, count_jobs, &n), 0);
        assert_int_equal(n, 1);
        assert_int_equal(slow.hr, -1);
        fake_service_release(f->fake);
        pthread_join(thread, NULL);
        assert_int_equal(slow.hr, 0);
}

struct caller {
        struct fixture *f;
        atomic_bool began;
        int32_t hr;
};

static void *list_now(void *arg) {
        struct caller *caller = arg;
        size_t n = 0;

        atomic_store(&caller->began, true);
        caller->hr = dosvc_list_jobs(caller->f->c, NULL, count_jobs, &n);
        return NULL;
}

/* Somebody listens, but never answers. */
static int listen_at(const char *path) {
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

        assert_true(fd >= 0);
        strcpy(address.sun_path, path);
        (void) unlink(path);
        assert_int_equal(bind(fd, (struct sockaddr *) &address, sizeof(address)), 0);
        assert_int_equal(listen(fd, 1), 0);
        return fd;
}

/* A thread that waits for another one's attempt to connect is not told of its failure: since that began the service may have come. */
static void an_attempt_of_before_says_nothing(void **state) {
        struct fixture *f = *state;
        struct caller first = { .f = f }, second = { .f = f, .hr = -1 };
        _cleanup_free_ char *path = strdup(strchr(fake_service_address(f->fake), '=') + 1);
        struct pollfd listener = { .events = POLLIN };
        pthread_t threads[2];

        path[strcspn(path, ",")] = 0;
        fake_service_stop(f->fake);
        listener.fd = listen_at(path);
        assert_int_equal(pthread_create(&threads[0], NULL, list_now, &first), 0);
        assert_int_equal(poll(&listener, 1, -1), 1); /* it is connecting */
        (void) unlink(path);
        fake_service_start(f->fake);
        assert_int_equal(pthread_create(&threads[1], NULL, list_now, &second), 0);
        while (!atomic_load(&second.began))
                (void) sched_yield();
        connection_lock(f->c); /* most likely it waits by now */
        connection_unlock(f->c);
        (void) close(listener.fd);
        for (unsigned i = 0; i < ELEMENTSOF(threads); i++)
                pthread_join(threads[i], NULL);
        assert_int_equal(second.hr, 0);
}

/* ---- fork ---- */

static void a_child_of_fork_has_its_own_connection(void **state) {
        struct fixture *f = *state;
        const char *id = fake_service_add_job(f->fake, "do", "queued", 1);
        char name[256];
        int status;
        pid_t pid;

        assert_int_equal(dosvc_get_job(f->c, id, copy_name, name), 0);
        connection_lock(f->c); /* the reading thread is at rest too: see fake_service_fork() */
        pid = fake_service_fork(f->fake);
        if (pid != 0)
                connection_unlock(f->c);
        if (pid == 0) {
                bool ok = dosvc_get_job(f->c, id, copy_name, name) == 0 && streq(name, "job 1") &&
                          dosvc_suspend(f->c, id) == 0;

                fake_service_child_ends(ok);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(status, 0);
        assert_int_equal(fake_service_connections(f->fake), 2);
        /* The child's end did not end ours. */
        assert_int_equal(dosvc_get_job(f->c, id, copy_name, name), 0);
        assert_int_equal(fake_service_connections(f->fake), 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(without_a_service_opening_says_so),
                TEST(the_service_tells_about_itself_and_the_callbacks_value_comes_back),
                TEST(the_configuration_is_listed),
                TEST(a_lost_connection_is_made_again_by_the_next_call),
                TEST(a_restarted_service_is_found_again),
                TEST(what_may_be_repeated_is_repeated_when_the_service_dies_meanwhile),
                TEST(a_complete_is_not_repeated_but_reported),
                TEST(an_answer_of_the_wrong_shape_is_an_error),
                TEST(the_services_words_reach_the_program),
                TEST(each_thread_and_connection_has_its_own_last_error),
                TEST(null_arguments_are_refused),
                TEST(all_that_was_asked_travels),
                TEST(a_bad_file_is_refused_before_anything_is_made),
                TEST(larger_structures_of_a_later_version_are_understood),
                TEST(a_large_job_is_filled_in_steps_and_resumed_last),
                TEST(a_large_job_that_cannot_be_filled_is_cancelled),
                TEST(a_large_job_attaches_to_one_with_the_same_files_only),
                TEST(properties_are_checked_before_they_travel),
                TEST(success_with_a_remainder_has_its_own_code),
                TEST(long_lists_come_in_pages_and_in_order),
                TEST(families_are_told_apart),
                TEST(files_come_in_pages_with_their_digests),
                TEST(a_jobs_own_error_comes_with_it),
                TEST(a_job_that_only_the_history_knows_is_still_shown),
                TEST(a_prefix_is_resolved_by_the_service),
                TEST(eight_threads_share_one_connection),
                TEST(threads_survive_a_service_that_keeps_cutting_them_off),
                TEST(a_slow_call_holds_up_no_other),
                TEST(an_attempt_of_before_says_nothing),
                TEST(a_child_of_fork_has_its_own_connection),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

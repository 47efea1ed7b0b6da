/* What becomes of requests when their process dies, does not start, lies, hangs or is replaced. */
#include "fixture.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include "base/fds.h"

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

static struct server web;

static int start_web(void **state) {
        server_start(&web, NULL);
        return 0;
}

static int stop_web(void **state) {
        server_stop(&web);
        return 0;
}

static void use_programs(struct fixture *f, const char *transfer, const char *resolve, const char *ca_file, uint64_t idle_usec) {
        const struct engine_process_config config = {
                .transfer_program = transfer ? transfer : getenv("DOSVC_TEST_TRANSFER"),
                .resolve_program = resolve ? resolve : getenv("DOSVC_TEST_RESOLVE"),
                .ca_file = ca_file,
                .idle_exit_usec = idle_usec,
        };
        struct engine *engine;

        assert_int_equal(engine_process_new(f->event, &config, &clock_system, &engine), 0);
        fixture_use_engine(f, engine);
}

static void a_killed_process_loses_its_requests_and_the_next_ones_work(void **state) {
        struct fixture *f = *state;
        struct engine_piece piece;
        struct engine_request request = request_for(f, 1, url_of(&web, "/stall/1000000/500000"), &piece);
        int pid;

        for (uint64_t id = 1; id <= 5; id += 2) {
                request.id = id;
                request.url = url_of(&web, "/stall/1000000/500000");
                assert_int_equal(engine_start(f->engine, &request), 0);
                wait_reported(f, id, 500000);
                pid = engine_process_pid(f->engine);
                assert_true(pid > 0);
                assert_int_equal(kill(pid, SIGKILL), 0);
                wait_finished(f, f->n_finished + 1);
                assert_int_equal(f->records[id].outcome, ENGINE_LOST);
                assert_content(f, 0, 0, 500000);
                request.id = id + 1;
                request.url = url_of(&web, "/data/1000");
                assert_done(fetch(f, &request));
                assert_int_not_equal(engine_process_pid(f->engine), pid);
        }
}

static void requests_that_wait_for_the_next_process_are_not_lost(void **state) {
        struct fixture *f = *state;
        struct engine_piece piece;
        struct engine_request request = request_for(f, 1, url_of(&web, "/stall/1000/500"), &piece);

        assert_int_equal(engine_start(f->engine, &request), 0);
        wait_reported(f, 1, 500);
        assert_int_equal(kill(engine_process_pid(f->engine), SIGKILL), 0);
        request = request_for(f, 2, url_of(&web, "/data/1000"), &piece);
        assert_int_equal(engine_start(f->engine, &request), 0);
        wait_finished(f, 2);
        assert_int_equal(f->records[1].outcome, ENGINE_LOST);
        assert_true(f->records[2].outcome == ENGINE_DONE || f->records[2].outcome == ENGINE_LOST);
}

/* Its socket is closed before it can be reaped. */
static void a_request_that_comes_while_a_process_dies_is_the_next_one_s(void **state) {
        struct fixture *f = *state;
        struct engine_piece piece;
        struct engine_request request;

        for (uint64_t turns = 0; turns < 8; turns++) {
                request = request_for(f, 2 * turns + 1, url_of(&web, "/stall/1000/500"), &piece);
                assert_int_equal(engine_start(f->engine, &request), 0);
                wait_reported(f, request.id, 500);
                assert_int_equal(kill(engine_process_pid(f->engine), SIGKILL), 0);
                for (uint64_t i = 0; i < turns; i++)
                        assert_true(sd_event_run(f->event, 20 * USEC_PER_MSEC) >= 0);
                request = request_for(f, 2 * turns + 2, url_of(&web, "/data/1000"), &piece);
                assert_int_equal(engine_start(f->engine, &request), 0);
                wait_finished(f, (unsigned) (2 * turns + 2));
                assert_int_equal(f->records[2 * turns + 1].outcome, ENGINE_LOST);
                assert_true(f->records[2 * turns + 2].outcome == ENGINE_DONE || f->records[2 * turns + 2].outcome == ENGINE_LOST);
        }
}

static void programs_that_do_not_start_are_a_named_error(void **state) {
        static const struct {
                const char *transfer, *resolve;
        } rows[] = { { "/nonexistent/program", NULL }, { NULL, "/nonexistent/program" }, { "/bin/true", NULL }, { NULL, "/bin/true" } };
        struct fixture *f = *state;
        struct engine_piece piece;

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                struct engine_request request = request_for(f, i + 1, url_of(&web, "/data/1000"), &piece);

                use_programs(f, rows[i].transfer, rows[i].resolve, NULL, USEC_INFINITY);
                assert_failed(fetch(f, &request), ERROR_ENGINE_FAILED);
                assert_true(f->records[i + 1].result.transient);
        }
}

static void a_process_that_lies_is_killed(void **state) {
        static const char *const lies[] = {
                "http://lie/outside", "http://lie/other-request", "http://lie/done-without-bytes", "http://lie/garbage",
        };
        struct fixture *f = *state;
        struct engine_piece piece;

        use_programs(f, getenv("DOSVC_TEST_LYING_TRANSFER"), NULL, NULL, USEC_INFINITY);
        for (size_t i = 0; i < ELEMENTSOF(lies); i++) {
                struct engine_request request = request_for(f, i + 1, lies[i], &piece);

                piece.length = 100;
                assert_int_equal(fetch(f, &request)->outcome, ENGINE_LOST);
                assert_int_equal(intervals_total(&f->records[i + 1].reported), 0);
        }
}

static void limits_reach_everybody_while_a_process_is_dying(void **state) {
        struct engine_limits limits = { .max_connections_per_owner = 64, .max_connections_per_host = 6 };
        struct fixture *f = *state;
        struct engine_piece piece;
        struct engine_request request = request_for(f, 1, "http://lie/waits", &piece);

        use_programs(f, getenv("DOSVC_TEST_LYING_TRANSFER"), NULL, NULL, USEC_INFINITY);
        piece.length = UINT32_MAX;
        assert_int_equal(engine_start(f->engine, &request), 0);
        request.id = 2;
        request.url = "http://lie/limits";
        request.owner = 1001; /* a process of its own, that comes behind */
        assert_int_equal(engine_start(f->engine, &request), 0);
        wait_reported(f, 2, limits.max_connections_per_host);
        request = request_for(f, 3, "http://lie/stays", &piece);
        assert_int_equal(engine_start(f->engine, &request), 0);
        while (limits.max_connections_per_host++, engine_set_limits(f->engine, &limits) == 0) {
                assert_true(limits.max_connections_per_host < 1000000);
                assert_true(sd_event_run(f->event, 5 * USEC_PER_SEC) > 0);
        }
        wait_reported(f, 2, limits.max_connections_per_host);
}

struct foreseen {
        struct fixture *fixture;
        enum engine_outcome outcomes[3];
        unsigned n_finished;
};

static void on_foreseen_progress(void *userdata, uint64_t id, uint64_t start, uint64_t end, uint64_t fetched) {
        struct foreseen *foreseen = userdata;
        struct engine_piece piece;
        struct engine_request request = request_for(foreseen->fixture, 2, "http://lie/waits", &piece);

        (void) engine_start(foreseen->fixture->engine, &request); /* the first time */
}

static void on_foreseen_finished(void *userdata, uint64_t id, const struct engine_result *result) {
        struct foreseen *foreseen = userdata;

        foreseen->outcomes[id] = result->outcome;
        foreseen->n_finished++;
}

/* Or its descriptor would be let go of while it waits to be handed over. */
static void a_process_that_ends_what_it_was_not_given_yet_is_killed(void **state) {
        static const struct engine_events events = { .progress = on_foreseen_progress, .finished = on_foreseen_finished };
        struct fixture *f = *state;
        struct foreseen foreseen = { .fixture = f };
        struct engine_piece piece;
        struct engine_request request = request_for(f, 1, "http://lie/foresees", &piece);

        use_programs(f, getenv("DOSVC_TEST_LYING_TRANSFER"), NULL, NULL, USEC_INFINITY);
        engine_set_events(f->engine, &events, &foreseen);
        piece.length = 100;
        assert_int_equal(engine_start(f->engine, &request), 0);
        while (foreseen.n_finished < 1)
                assert_true(sd_event_run(f->event, TEST_TIMEOUT_USEC) > 0);
        assert_int_equal(foreseen.outcomes[1], ENGINE_LOST);
        assert_int_not_equal(foreseen.outcomes[2], ENGINE_STOPPED);
}

static void stop_the_other(void *userdata, uint64_t id, const struct engine_result *result) {
        struct foreseen *foreseen = userdata;
        const struct engine_pace pace = { .foreground = true, .max_rate = 1000 };

        foreseen->outcomes[id] = result->outcome;
        foreseen->n_finished++;
        engine_set_pace(foreseen->fixture->engine, 3 - id, &pace);
        engine_stop(foreseen->fixture->engine, 3 - id);
}

/* As the manager does when one file fails the job. */
static void whoever_is_told_that_one_is_lost_may_stop_the_next(void **state) {
        static const struct engine_events events = { .finished = stop_the_other };
        struct fixture *f = *state;
        struct foreseen foreseen = { .fixture = f };
        struct engine_piece piece;
        struct engine_request request = request_for(f, 1, "http://lie/waits", &piece);

        use_programs(f, getenv("DOSVC_TEST_LYING_TRANSFER"), NULL, NULL, USEC_INFINITY);
        engine_set_events(f->engine, &events, &foreseen);
        assert_int_equal(engine_start(f->engine, &request), 0);
        request = request_for(f, 2, "http://lie/dies", &piece);
        assert_int_equal(engine_start(f->engine, &request), 0);
        while (foreseen.n_finished < 2)
                assert_true(sd_event_run(f->event, TEST_TIMEOUT_USEC) > 0);
        assert_int_equal(foreseen.outcomes[1], ENGINE_LOST);
        assert_int_equal(foreseen.outcomes[2], ENGINE_STOPPED);
}

static void an_abandoned_request_is_told_no_more_and_needs_its_descriptor_no_more(void **state) {
        struct fixture *f = *state;
        struct engine_piece piece;
        struct engine_request request;

        for (uint64_t turns = 0; turns < 6; turns++) { /* before it is given to the process, before that is written, and later */
                request = request_for(f, 2 * turns + 1, url_of(&web, "/stall/1000/500"), &piece);
                request.fd = memfd_create("abandoned", MFD_CLOEXEC);
                assert_true(request.fd >= 0);
                assert_int_equal(engine_start(f->engine, &request), 0);
                for (uint64_t i = 0; i < turns; i++)
                        assert_true(sd_event_run(f->event, 20 * USEC_PER_MSEC) >= 0);
                engine_abandon(f->engine, request.id);
                (void) fd_close(request.fd);
                request = request_for(f, 2 * turns + 2, url_of(&web, "/data/1000"), &piece);
                assert_done(fetch(f, &request));
                assert_false(f->records[2 * turns + 1].finished);
        }
}

/* The delays themselves: test_restarts.c. */
static void a_process_that_dies_again_and_again_is_started_ever_later_and_only_its_owner_waits(void **state) {
        struct fixture *f = *state;
        struct engine_piece piece;
        struct engine_request request = request_for(f, 1, "http://lie/waits", &piece);
        uint64_t began, lost_usec[5];
        int pid;

        use_programs(f, getenv("DOSVC_TEST_LYING_TRANSFER"), NULL, NULL, USEC_INFINITY);
        assert_int_equal(engine_start(f->engine, &request), 0);
        while ((pid = engine_process_pid(f->engine)) == 0)
                assert_true(sd_event_run(f->event, 5 * USEC_PER_SEC) > 0);
        began = clock_now(&clock_system, CLOCK_ID_MONOTONIC);
        for (size_t i = 0; i < ELEMENTSOF(lost_usec); i++) {
                request = request_for(f, 2 + i, "http://lie/dies", &piece);
                request.owner = 1001;
                assert_int_equal(fetch(f, &request)->outcome, ENGINE_LOST);
                lost_usec[i] = clock_now(&clock_system, CLOCK_ID_MONOTONIC) - began;
        }
        assert_true(lost_usec[2] - lost_usec[1] >= 100 * USEC_PER_MSEC);
        assert_true(lost_usec[3] - lost_usec[2] >= 200 * USEC_PER_MSEC);
        assert_true(lost_usec[4] - lost_usec[3] >= 400 * USEC_PER_MSEC);
        assert_int_equal(engine_process_pid(f->engine), pid); /* the first owner's */
        assert_int_equal(kill(pid, 0), 0);
        assert_false(f->records[1].finished);
        engine_stop(f->engine, 1);
        request = request_for(f, 10, "http://lie/outside", &piece); /* it still hears */
        piece.length = 100;
        assert_int_equal(fetch(f, &request)->outcome, ENGINE_LOST);
        assert_int_equal(f->records[1].outcome, ENGINE_STOPPED);
}

static void idle_processes_leave_and_come_back(void **state) {
        struct fixture *f = *state;
        struct engine_piece piece;
        struct engine_request request = request_for(f, 1, url_of(&web, "/data/1000"), &piece);
        int pid;

        use_programs(f, NULL, NULL, NULL, 50 * USEC_PER_MSEC);
        assert_done(fetch(f, &request));
        pid = engine_process_pid(f->engine);
        assert_true(pid > 0);
        while (engine_process_pid(f->engine) != 0)
                assert_true(sd_event_run(f->event, 5 * USEC_PER_SEC) > 0);
        assert_int_equal(kill(pid, 0), -1);
        request = request_for(f, 2, url_of(&web, "/data/1000"), &piece);
        assert_done(fetch(f, &request));
}

static void changed_authorities_replace_an_idle_process(void **state) {
        struct fixture *f = *state;
        struct engine_piece piece;
        struct engine_request request = request_for(f, 1, url_of(&web, "/data/1000"), &piece);
        int pid, fd;

        fixture_make_tls(f);
        assert_done(fetch(f, &request));
        pid = engine_process_pid(f->engine);
        request = request_for(f, 2, url_of(&web, "/data/1000"), &piece);
        assert_done(fetch(f, &request));
        assert_int_equal(engine_process_pid(f->engine), pid);
        fd = open(f->ca_file, O_WRONLY | O_APPEND | O_CLOEXEC);
        assert_int_equal(fd_write_all(fd, "\n", 1), 0);
        (void) fd_close(fd);
        request = request_for(f, 3, url_of(&web, "/data/1000"), &piece);
        assert_done(fetch(f, &request));
        assert_int_not_equal(engine_process_pid(f->engine), pid);
}

static void a_process_that_hangs_on_one_file_system_holds_up_no_other(void **state) {
        struct fixture *f = *state;
        struct engine_piece piece;
        struct engine_request request = request_for(f, 1, url_of(&web, "/stall/1000/500"), &piece);
        int fd, pid;
        struct stat a, b;

        fd = memfd_create("elsewhere", MFD_CLOEXEC);
        assert_int_equal(fstat(f->fd, &a), 0);
        assert_int_equal(fstat(fd, &b), 0);
        assert_true(a.st_dev != b.st_dev);
        assert_int_equal(engine_start(f->engine, &request), 0);
        wait_reported(f, 1, 500);
        pid = engine_process_pid(f->engine);
        assert_int_equal(kill(pid, SIGSTOP), 0);
        request = request_for(f, 2, url_of(&web, "/data/1000"), &piece);
        request.fd = fd;
        assert_done(fetch(f, &request));
        assert_false(f->records[1].finished);
        assert_int_equal(kill(pid, SIGCONT), 0);
        engine_stop(f->engine, 1);
        wait_finished(f, 2);
        assert_int_equal(f->records[1].outcome, ENGINE_STOPPED);
        (void) fd_close(fd);
}

static void freeing_the_engine_ends_its_processes(void **state) {
        struct fixture *f = *state;
        struct engine_piece piece;
        struct engine_request request = request_for(f, 1, url_of(&web, "/stall/1000/500"), &piece);
        int pid;

        assert_int_equal(engine_start(f->engine, &request), 0);
        wait_reported(f, 1, 500);
        pid = engine_process_pid(f->engine);
        f->engine = engine_free(f->engine);
        assert_int_equal(kill(pid, 0), -1);
        assert_false(f->records[1].finished);
}

/* Nothing secret where every user can read it. */
static void the_command_line_and_the_environment_tell_nothing(void **state) {
        struct fixture *f = *state;
        struct engine_piece piece;
        struct engine_request request;
        _cleanup_free_ char *text = NULL;
        char path[64];
        size_t size;

        assert_int_equal(setenv("SSLKEYLOGFILE", "/tmp/canary", 1), 0);
        assert_int_equal(setenv("http_proxy", "http://canary:1/", 1), 0);
        request = request_for(f, 1, url_of(&web, "/stall/1000/500?canary=url"), &piece);
        request.headers = "X-Secret: canary";
        assert_int_equal(engine_start(f->engine, &request), 0);
        wait_reported(f, 1, 500);
        assert_int_equal(unsetenv("SSLKEYLOGFILE"), 0);
        assert_int_equal(unsetenv("http_proxy"), 0);
        for (int i = 0; i < 2; i++) {
                snprintf(path, sizeof(path), "/proc/%d/%s", engine_process_pid(f->engine), i ? "environ" : "cmdline");
                free(TAKE_PTR(text));
                if (fd_read_file(path, 65536, &text, &size) < 0)
                        continue; /* environ: not for others than root, the process is not dumpable */
                assert_null(memmem(text, size, "canary", 6));
        }
}

static unsigned status_field(int pid, const char *name) {
        char path[64], line[256];
        unsigned value = 0;
        FILE *file;

        snprintf(path, sizeof(path), "/proc/%d/status", pid);
        file = fopen(path, "re");
        assert_non_null(file);
        while (fgets(line, sizeof(line), file))
                if (strncmp(line, name, strlen(name)) == 0)
                        value = (unsigned) atoi(line + strlen(name));
        fclose(file);
        return value;
}

static void the_running_process_is_in_its_sandbox_and_has_one_thread(void **state) {
        struct fixture *f = *state;
        struct engine_piece piece;
        struct engine_request request;
        char url[128];

        snprintf(url, sizeof(url), "http://localhost:%u/stall/1000/500", web.port); /* a name, so that it was looked up */
        request = request_for(f, 1, url, &piece);
        assert_int_equal(engine_start(f->engine, &request), 0);
        wait_reported(f, 1, 500);
        assert_int_equal(status_field(engine_process_pid(f->engine), "Seccomp:"), 2);
        assert_int_equal(status_field(engine_process_pid(f->engine), "NoNewPrivs:"), 1);
        assert_int_equal(status_field(engine_process_pid(f->engine), "Threads:"), 1);
}

#define SMALL_FILES 3000
#define SMALL_SIZE 4096

struct small_files {
        unsigned n_done;
        unsigned n_other;
};

static void on_small_finished(void *userdata, uint64_t id, const struct engine_result *result) {
        struct small_files *small = userdata;

        if (result->outcome == ENGINE_DONE)
                small->n_done++;
        else {
                if (small->n_other++ == 0)
                        print_error("%d %s: %s\n", (int) result->outcome, error_code_name(result->code), result->text);
        }
}

static void thousands_of_small_files_come_at_once(void **state) {
        static const struct engine_events events = { .finished = on_small_finished };
        struct fixture *f = *state;
        struct small_files small = {};
        char url[128];

        snprintf(url, sizeof(url), "http://127.0.0.1:%u/data/%d", web.port, SMALL_SIZE);
        engine_set_events(f->engine, &events, &small);
        for (uint64_t i = 0; i < SMALL_FILES; i++) {
                struct engine_piece piece;
                struct engine_request request = request_for(f, i, url, &piece);

                assert_int_equal(engine_start(f->engine, &request), 0);
        }
        while (small.n_done + small.n_other < SMALL_FILES)
                assert_true(sd_event_run(f->event, TEST_TIMEOUT_USEC) > 0);
        assert_int_equal(small.n_done, SMALL_FILES);
        assert_content(f, 0, 0, SMALL_SIZE); /* all of them write the same bytes */
}

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(a_killed_process_loses_its_requests_and_the_next_ones_work),
                TEST(requests_that_wait_for_the_next_process_are_not_lost),
                TEST(a_request_that_comes_while_a_process_dies_is_the_next_one_s),
                TEST(programs_that_do_not_start_are_a_named_error),
                TEST(a_process_that_lies_is_killed),
                TEST(limits_reach_everybody_while_a_process_is_dying),
                TEST(a_process_that_ends_what_it_was_not_given_yet_is_killed),
                TEST(whoever_is_told_that_one_is_lost_may_stop_the_next),
                TEST(an_abandoned_request_is_told_no_more_and_needs_its_descriptor_no_more),
                TEST(a_process_that_dies_again_and_again_is_started_ever_later_and_only_its_owner_waits),
                TEST(idle_processes_leave_and_come_back),
                TEST(changed_authorities_replace_an_idle_process),
                TEST(a_process_that_hangs_on_one_file_system_holds_up_no_other),
                TEST(freeing_the_engine_ends_its_processes),
                TEST(the_command_line_and_the_environment_tell_nothing),
                TEST(the_running_process_is_in_its_sandbox_and_has_one_thread),
                TEST(thousands_of_small_files_come_at_once),
        };
        return cmocka_run_group_tests(tests, start_web, stop_web);
}

/* The processes of an engine that it does not start itself: somebody listens, as systemd does for socket units, and they are that one's
 * children. */
#include "fixture.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include "base/fds.h"
#include "transfer/children.h"

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

static struct server web;
static pid_t listener; /* 0: none */

static int start_web(void **state) {
        server_start(&web, NULL);
        return 0;
}

static int stop_web(void **state) {
        server_stop(&web);
        return 0;
}

/* ---- who listens ---- */

static int listen_at(const char *folder, const char *name) {
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

        assert_true(fd >= 0);
        snprintf(address.sun_path, sizeof(address.sun_path), "%s/%s", folder, name);
        assert_int_equal(bind(fd, (const struct sockaddr *) &address, sizeof(address)), 0);
        assert_int_equal(listen(fd, 16), 0);
        return fd;
}

/* One process for each connection, which is its descriptor 3. Like systemd's, they outlive who listens. */
static void serve_one(int listen_fd, const char *program) {
        int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC);
        char *const argv[] = { (char *) program, NULL };

        if (fd >= 0 && fork() == 0) {
                if (fd == 3 ? fcntl(fd, F_SETFD, 0) < 0 : dup2(fd, 3) < 0)
                        _exit(1);
                (void) execv(program, argv);
                _exit(1);
        }
        (void) fd_close(fd);
}

static void start_listener(const char *folder, const char *transfer) {
        struct pollfd pollfds[2] = {
                { .fd = listen_at(folder, CHILDREN_TRANSFER_SOCKET), .events = POLLIN },
                { .fd = listen_at(folder, CHILDREN_RESOLVE_SOCKET), .events = POLLIN },
        };

        listener = fork();
        assert_true(listener >= 0);
        if (listener == 0) {
                (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
                (void) signal(SIGCHLD, SIG_IGN); /* they are reaped by themselves */
                while (poll(pollfds, 2, -1) > 0) {
                        if (pollfds[0].revents)
                                serve_one(pollfds[0].fd, transfer);
                        if (pollfds[1].revents)
                                serve_one(pollfds[1].fd, getenv("DOSVC_TEST_RESOLVE"));
                }
                _exit(1);
        }
        (void) fd_close(pollfds[0].fd);
        (void) fd_close(pollfds[1].fd);
}

static void stop_listener(void) {
        if (listener == 0)
                return;
        assert_int_equal(kill(listener, SIGKILL), 0);
        assert_int_equal(waitpid(listener, NULL, 0), listener);
        listener = 0;
}

static void use_sockets(struct fixture *f, uint64_t idle_usec) {
        const struct engine_process_config config = {
                .sockets = f->folder,
                .transfer_program = "/nonexistent/program", /* nobody may want to start it */
                .resolve_program = "/nonexistent/program",
                .idle_exit_usec = idle_usec,
        };
        struct engine *engine;

        assert_int_equal(engine_process_new(f->event, &config, &clock_system, &engine), 0);
        fixture_use_engine(f, engine);
}

static int setup(void **state) {
        (void) fixture_setup(state);
        use_sockets(*state, USEC_INFINITY);
        return 0;
}

static int teardown(void **state) {
        (void) fixture_teardown(state);
        stop_listener();
        return 0;
}

/* Whoever's child it was, and whether or not that one has reaped it already. */
static bool is_gone(int pid) {
        char path[64], line[256] = "";
        FILE *file;

        snprintf(path, sizeof(path), "/proc/%d/stat", pid);
        file = fopen(path, "re");
        if (!file)
                return true;
        (void) !fgets(line, sizeof(line), file);
        fclose(file);
        return strstr(line, ") Z ") || strstr(line, ") X ");
}

/* ---- tests ---- */

static void who_connects_gets_a_process_that_fetches(void **state) {
        struct fixture *f = *state;
        struct engine_piece piece;
        struct engine_request request;
        char url[128];
        int pid;

        start_listener(f->folder, getenv("DOSVC_TEST_TRANSFER"));
        snprintf(url, sizeof(url), "http://localhost:%u/data/1000000", web.port); /* a name, so that it is looked up */
        request = request_for(f, 1, url, &piece);
        assert_done(fetch(f, &request));
        assert_content(f, 0, 0, 1000000);
        pid = engine_process_pid(f->engine);
        assert_true(pid > 0);
        assert_int_equal(waitpid(pid, NULL, WNOHANG), -1); /* no child of ours */
        assert_int_equal(errno, ECHILD);
}

static void a_killed_process_loses_its_requests_and_the_next_one_works(void **state) {
        struct fixture *f = *state;
        struct engine_piece piece;
        struct engine_request request = request_for(f, 1, url_of(&web, "/stall/1000/500"), &piece);
        int pid;

        start_listener(f->folder, getenv("DOSVC_TEST_TRANSFER"));
        assert_int_equal(engine_start(f->engine, &request), 0);
        wait_reported(f, 1, 500);
        pid = engine_process_pid(f->engine);
        assert_int_equal(kill(pid, SIGKILL), 0);
        wait_finished(f, 1);
        assert_int_equal(f->records[1].outcome, ENGINE_LOST);
        assert_true(is_gone(pid));
        request = request_for(f, 2, url_of(&web, "/data/1000"), &piece);
        assert_done(fetch(f, &request));
        assert_int_not_equal(engine_process_pid(f->engine), pid);
}

static void an_idle_process_leaves(void **state) {
        struct fixture *f = *state;
        struct engine_piece piece;
        struct engine_request request = request_for(f, 1, url_of(&web, "/data/1000"), &piece);
        int pid;

        start_listener(f->folder, getenv("DOSVC_TEST_TRANSFER"));
        use_sockets(f, 50 * USEC_PER_MSEC);
        assert_done(fetch(f, &request));
        pid = engine_process_pid(f->engine);
        assert_true(pid > 0);
        while (engine_process_pid(f->engine) != 0)
                assert_true(sd_event_run(f->event, 5 * USEC_PER_SEC) > 0);
        assert_true(is_gone(pid));
        request = request_for(f, 2, url_of(&web, "/data/1000"), &piece);
        assert_done(fetch(f, &request));
}

/* No right over it is needed, and it need not run to hear of it. */
static void a_process_that_is_stopped_ends_with_its_engine(void **state) {
        struct fixture *f = *state;
        struct engine_piece piece;
        struct engine_request request = request_for(f, 1, url_of(&web, "/stall/1000/500"), &piece);
        int pid;

        start_listener(f->folder, getenv("DOSVC_TEST_TRANSFER"));
        assert_int_equal(engine_start(f->engine, &request), 0);
        wait_reported(f, 1, 500);
        pid = engine_process_pid(f->engine);
        assert_int_equal(kill(pid, SIGSTOP), 0);
        f->engine = engine_free(f->engine);
        assert_true(is_gone(pid));
}

static void a_closed_connection_is_not_the_end_of_who_can_still_write(void **state) {
        struct fixture *f = *state;
        struct engine_piece piece;
        struct engine_request request = request_for(f, 1, "http://lie/stays", &piece);
        int pid = 0;

        start_listener(f->folder, getenv("DOSVC_TEST_LYING_TRANSFER"));
        piece.length = 100;
        assert_int_equal(engine_start(f->engine, &request), 0);
        while (pid == 0) {
                assert_true(sd_event_run(f->event, 5 * USEC_PER_SEC) > 0);
                pid = engine_process_pid(f->engine);
        }
        /* Everything that there is to hear, and then nothing for a while. */
        while (sd_event_run(f->event, 300 * USEC_PER_MSEC) > 0)
                ;
        assert_false(f->records[1].finished);
        assert_false(is_gone(pid));
        assert_int_equal(kill(pid, SIGKILL), 0);
        wait_finished(f, 1);
        assert_int_equal(f->records[1].outcome, ENGINE_LOST);
}

static void where_nobody_listens_is_a_named_error(void **state) {
        struct fixture *f = *state;
        struct engine_piece piece;
        struct engine_request request = request_for(f, 1, url_of(&web, "/data/1000"), &piece);

        assert_failed(fetch(f, &request), ERROR_ENGINE_FAILED);
        assert_true(f->records[1].result.transient);
        assert_string_equal(f->records[1].text, "the transfer process cannot be started: No such file or directory");
}

/* As when a unit may have no more instances, or its program cannot be run. */
static void a_connection_that_leads_to_nobody_is_a_named_error(void **state) {
        struct fixture *f = *state;
        struct engine_piece piece;
        struct engine_request request = request_for(f, 1, url_of(&web, "/data/1000"), &piece);

        start_listener(f->folder, "/nonexistent/program");
        assert_failed(fetch(f, &request), ERROR_ENGINE_FAILED);
        assert_true(f->records[1].result.transient);
        assert_string_equal(f->records[1].text, "the transfer process does not start");
        assert_int_equal(engine_process_pid(f->engine), 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(who_connects_gets_a_process_that_fetches),
                TEST(a_killed_process_loses_its_requests_and_the_next_one_works),
                TEST(an_idle_process_leaves),
                TEST(a_process_that_is_stopped_ends_with_its_engine),
                TEST(a_closed_connection_is_not_the_end_of_who_can_still_write),
                TEST(where_nobody_listens_is_a_named_error),
                TEST(a_connection_that_leads_to_nobody_is_a_named_error),
        };
        return cmocka_run_group_tests(tests, start_web, stop_web);
}

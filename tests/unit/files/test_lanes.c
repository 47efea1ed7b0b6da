/* A mount that hangs stops its own requests and nothing else. Needs /dev/fuse and the right to mount. */
#include "fixture.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/strings.h"

static pid_t hang_pid;

struct hang {
        pid_t pid;
        char mountpoint[TEST_PATH_MAX];
};

/* Starts hangfs on root/@name and waits for its "ready". */
static struct hang hang_start(struct fixture *f, const char *name) {
        const char *program = getenv("DOSVC_TEST_HANGFS");
        struct hang hang = {};
        char line[16] = {};
        int pipe_fds[2];

        if (!program || !*program || access("/dev/fuse", R_OK | W_OK) < 0 || geteuid() != 0) {
                print_message("skipped: no FUSE here\n");
                skip();
        }
        fixture_mkdir(f, name);
        (void) snprintf(hang.mountpoint, sizeof(hang.mountpoint), "%s", fixture_path(f, name));
        assert_int_equal(pipe2(pipe_fds, O_CLOEXEC), 0);
        hang.pid = fork();
        assert_true(hang.pid >= 0);
        if (hang.pid == 0) {
                dup2(pipe_fds[1], STDOUT_FILENO);
                execl(program, program, hang.mountpoint, NULL);
                _exit(127);
        }
        fd_close(pipe_fds[1]);
        assert_true(fd_read_all(pipe_fds[0], line, 6) == 6);
        fd_close(pipe_fds[0]);
        assert_string_equal(line, "ready\n");
        return hang;
}

static void hang_release(const struct hang *hang) {
        assert_int_equal(kill(hang->pid, SIGUSR1), 0);
}

static void hang_stop(struct hang *hang) {
        int status;

        assert_int_equal(kill(hang->pid, SIGTERM), 0);
        assert_int_equal(waitpid(hang->pid, &status, 0), hang->pid);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
        (void) umount2(hang->mountpoint, MNT_DETACH);
}

struct answer {
        bool done;
        int error;
};

static void check_answer(const struct files_check_result *result, void *userdata) {
        struct answer *answer = userdata;

        answer->error = result->error;
        answer->done = true;
}

static void check_begin(struct fixture *f, const char *name, struct answer *answer) {
        const struct files_check_request request = { .path = fixture_path(f, name),
                                                     .size = FILES_SIZE_UNKNOWN };

        assert_int_equal(files_check(f->files, &request, check_answer, answer), 0);
}

static void a_hanging_mount_stops_only_its_own_requests(void **state) {
        struct fixture *f = *state;
        struct hang hang = hang_start(f, "hang");
        struct answer stuck[40] = {}, fine = {};
        char temp[FILES_TEMP_NAME_MAX];
        struct files_item item;

        /* Many more than there are threads. */
        for (size_t i = 0; i < ELEMENTSOF(stuck); i++)
                check_begin(f, i % 2 ? "hang/dir/file" : "hang/other/file", &stuck[i]);
        check_begin(f, "file", &fine);
        wait_for(f, &fine.done);
        assert_int_equal(fine.error, 0);
        /* A whole life beside it. */
        item = finished_item(f, "file", "content", 0644, temp);
        assert_int_equal(item_now(f, files_publish, &item), 0);
        assert_content(f, "file", "content");
        for (size_t i = 0; i < ELEMENTSOF(stuck); i++)
                assert_false(stuck[i].done);

        hang_release(&hang);
        wait_for_all(f);
        for (size_t i = 0; i < ELEMENTSOF(stuck); i++) {
                assert_true(stuck[i].done);
                assert_int_equal(stuck[i].error, -ENOENT);
        }
        hang_stop(&hang);
}

struct list_answer {
        bool done;
        int error;
        int errors[2];
};

static void list_answer(int error, const int *errors, size_t n, void *userdata) {
        struct list_answer *answer = userdata;

        assert_int_equal(n, 2);
        memcpy(answer->errors, errors, sizeof(answer->errors));
        answer->error = error;
        answer->done = true;
}

static void a_list_waits_for_its_hanging_part_and_does_the_rest(void **state) {
        struct fixture *f = *state;
        struct hang hang = hang_start(f, "hang");
        char temp[FILES_TEMP_NAME_MAX];
        struct files_item items[2] = { { .temp_name = ".dosvc-AAAAAAAAAAAAAAAAAAAAAA.part", .temp.ino = 1 } };
        struct list_answer answer = {};

        items[0].path = fixture_path2(f, "hang/dir/file");
        items[1] = finished_item(f, "file", "content", 0644, temp);
        assert_int_equal(files_publish(f->files, items, 2, list_answer, &answer), 0);
        while (!fixture_exists(f, "file"))
                (void) files_wait(f->files); /* the close of the file, the part of this mount */
        assert_false(answer.done);
        hang_release(&hang);
        wait_for(f, &answer.done);
        assert_int_equal(answer.error, 0);
        assert_int_equal(answer.errors[0], -ENOENT);
        assert_int_equal(answer.errors[1], 0);
        hang_stop(&hang);
}

static void submitting_and_dispatching_never_wait_for_the_file_system(void **state) {
        struct fixture *f = *state;
        struct hang hang = hang_start(f, "hang");
        struct pollfd p = { .fd = files_fd(f->files), .events = POLLIN };
        struct answer stuck = {};
        uint64_t before, took;

        before = clock_now(&clock_system, CLOCK_ID_MONOTONIC);
        check_begin(f, "hang/dir/file", &stuck);
        assert_int_equal(files_dispatch(f->files), 0);
        took = clock_now(&clock_system, CLOCK_ID_MONOTONIC) - before;
        assert_false(stuck.done);
        assert_int_equal(files_outstanding(f->files), 1);
        assert_true(took < USEC_PER_SEC); /* generous: the machine may be loaded; a wait would be for ever */
        hang_release(&hang);
        assert_int_equal(poll(&p, 1, -1), 1);
        assert_int_equal(files_dispatch(f->files), 1);
        assert_true(stuck.done);
        hang_stop(&hang);
}

static int give_up(void *userdata) {
        const struct files_config config = { .max_threads = 2 };
        struct fixture *f = userdata;
        struct answer stuck = {};

        if (files_new(&config, &f->files) < 0)
                return 1;
        check_begin(f, "hang/dir/file", &stuck);
        files_free(f->files, 0);
        /* It came back. The kernel lets the process itself go when the mount answers. */
        return kill(hang_pid, SIGUSR1);
}

static void giving_up_at_exit_does_not_wait_for_a_hanging_mount(void **state) {
        struct fixture *f = *state;
        struct hang hang = hang_start(f, "hang");

        hang_pid = hang.pid;
        assert_int_equal(in_child(give_up, f), 0);
        hang_stop(&hang);
}

#define FIXTURE_TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                FIXTURE_TEST(a_hanging_mount_stops_only_its_own_requests),
                FIXTURE_TEST(a_list_waits_for_its_hanging_part_and_does_the_rest),
                FIXTURE_TEST(submitting_and_dispatching_never_wait_for_the_file_system),
                FIXTURE_TEST(giving_up_at_exit_does_not_wait_for_a_hanging_mount),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

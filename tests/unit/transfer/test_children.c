/* Processes that are nobody's children, as socket units start them: the test is systemd. */
#include "transfer/children.h"

#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/fds.h"
#include "base/log.h"
#include "base/process.h"
#include "ipc/channel.h"
#include "transfer/equipment.h"

static struct fixture {
        char folder[64];
        sd_event *event;
        int transfer_listen_fd, resolve_listen_fd;
        struct children *children;
        int core_fd;
        struct equipment equipment;
        unsigned n_dead;
        bool hurry;          /* timers are over at once */
        uint64_t delay_usec; /* of the last one */
        char said[256];      /* what was logged */
} f;

int __real_sd_event_add_time_relative(sd_event *event, sd_event_source **ret, clockid_t clock, uint64_t usec, uint64_t accuracy,
                                      sd_event_time_handler_t callback, void *userdata);
int __wrap_sd_event_add_time_relative(sd_event *event, sd_event_source **ret, clockid_t clock, uint64_t usec, uint64_t accuracy,
                                      sd_event_time_handler_t callback, void *userdata);
int __wrap_sd_event_add_time_relative(sd_event *event, sd_event_source **ret, clockid_t clock, uint64_t usec, uint64_t accuracy,
                                      sd_event_time_handler_t callback, void *userdata) {
        f.delay_usec = usec;
        return __real_sd_event_add_time_relative(event, ret, clock, f.hurry ? 0 : usec, accuracy, callback, userdata);
}

static int take_line(const struct log_line *line) {
        assert_string_equal(f.said, "");
        (void) snprintf(f.said, sizeof(f.said), "%s", line->text);
        return 0;
}

static void on_dead(void *userdata) {
        f.n_dead++;
}

static int listen_in_folder(const char *name) {
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

        (void) snprintf(address.sun_path, sizeof(address.sun_path), "%s/%s", f.folder, name);
        assert_int_equal(bind(fd, (const struct sockaddr *) &address, sizeof(address)), 0);
        assert_int_equal(listen(fd, 1), 0);
        return fd;
}

static int setup(void **state) {
        f = (struct fixture) { .folder = "/tmp/dosvc-children-XXXXXX", .core_fd = -EBADF, .equipment = EQUIPMENT_NONE };
        assert_non_null(mkdtemp(f.folder));
        f.transfer_listen_fd = listen_in_folder(CHILDREN_TRANSFER_SOCKET);
        f.resolve_listen_fd = listen_in_folder(CHILDREN_RESOLVE_SOCKET);
        assert_true(sd_event_new(&f.event) >= 0);
        assert_int_equal(children_new(f.event, &(struct children_config) { .sockets = f.folder }, on_dead, NULL, &f.core_fd, &f.equipment,
                                      &f.children), 0);
        log_setup("test", LOG_LEVEL_WARNING);
        log_set_sink(take_line);
        return 0;
}

static void remove_socket(int fd, const char *name) {
        char path[128];

        (void) fd_close(fd);
        (void) snprintf(path, sizeof(path), "%s/%s", f.folder, name);
        (void) unlink(path);
}

static int teardown(void **state) {
        log_set_sink(NULL);
        f.children = children_free(f.children);
        equipment_done(&f.equipment);
        (void) fd_close(f.core_fd);
        f.event = sd_event_unref(f.event);
        remove_socket(f.transfer_listen_fd, CHILDREN_TRANSFER_SOCKET);
        remove_socket(f.resolve_listen_fd, CHILDREN_RESOLVE_SOCKET);
        return rmdir(f.folder);
}

/* In the place of dosvc-transfer: deaf for all that it is told, as one that hangs in the kernel. */
static pid_t start_deaf_transfer(void) {
        pid_t pid = fork();

        assert_true(pid >= 0);
        if (pid == 0)
                for (;;)
                        (void) pause();
        return pid;
}

static pid_t start_resolve(void) {
        char *const arguments[] = { (char *) "dosvc-resolve", NULL }, *const environment[] = { NULL };
        _cleanup_close_ int accepted = accept4(f.resolve_listen_fd, NULL, NULL, SOCK_CLOEXEC), fd = -EBADF;
        pid_t pid;

        assert_true(accepted >= 0);
        fd = fcntl(accepted, F_DUPFD_CLOEXEC, 16);
        assert_int_equal(process_spawn(&(struct process_spawn) {
                .program = getenv("DOSVC_TEST_RESOLVE"), .arguments = arguments, .environment = environment, .fds = &fd, .n_fds = 1,
        }, &pid), 0);
        return pid;
}

static struct ipc_message receive(struct ipc_channel *channel) {
        struct pollfd pollfd = { .fd = ipc_channel_fd(channel), .events = POLLIN };
        struct ipc_message message;
        int fd, r;

        while ((r = ipc_channel_receive(channel, &message, &fd)) == 0)
                assert_int_equal(poll(&pollfd, 1, -1), 1);
        assert_int_equal(r, 1);
        return message;
}

static void run_until(bool (*condition)(void)) {
        while (!condition())
                assert_true(sd_event_run(f.event, UINT64_MAX) >= 0);
}

static bool something_was_said(void) { return f.said[0]; }
static bool all_are_dead(void) { return f.n_dead == 1; }

static void end(pid_t pid) {
        assert_int_equal(kill(pid, SIGKILL), 0);
        assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void a_process_that_does_not_end_when_it_is_killed_is_said_after_ten_seconds(void **state) {
        pid_t pid = start_deaf_transfer();
        char expected[64];

        assert_int_equal(children_met(f.children, pid, f.core_fd), 0);
        f.hurry = true;
        children_kill(f.children);
        assert_int_equal(f.delay_usec, 10 * USEC_PER_SEC);
        run_until(something_was_said);
        (void) snprintf(expected, sizeof(expected), "dosvc-transfer %d was killed and has not ended yet", (int) pid);
        assert_memory_equal(f.said, expected, strlen(expected));
        /* It could still write to its files: it is gone when it is gone. */
        assert_int_equal(f.n_dead, 0);
        end(pid);
        run_until(all_are_dead);
}

static void of_one_that_ends_in_time_nothing_is_said(void **state) {
        pid_t pid = start_deaf_transfer();

        assert_int_equal(children_met(f.children, pid, f.core_fd), 0);
        children_kill(f.children);
        end(pid);
        run_until(all_are_dead);
        assert_string_equal(f.said, "");
}

static void a_resolver_that_hears_nothing_any_more_ends_with_its_core(void **state) {
        _cleanup_(ipc_channel_freep) struct ipc_channel *transfer = NULL;
        pid_t pid = start_resolve();
        int status;

        /* The core began that connection, dosvc-transfer goes on with it. */
        assert_int_equal(ipc_channel_new(f.equipment.resolver_fd, IPC_ROLE_TRANSFER, IPC_ROLE_RESOLVE, &transfer), 0);
        f.equipment.resolver_fd = -EBADF;
        assert_int_equal(ipc_channel_send(transfer, &(struct ipc_message) { .type = IPC_RESOLVE, .resolve = { .id = 7, .host = "localhost" } },
                                          -EBADF), 0);
        assert_int_equal(ipc_channel_flush(transfer), 0);
        assert_int_equal(receive(transfer).type, IPC_HELLO);
        assert_int_equal(receive(transfer).resolved.id, 7);
        assert_int_equal(kill(pid, SIGSTOP), 0);
        assert_int_equal(waitpid(pid, &status, WUNTRACED), pid);
        assert_true(WIFSTOPPED(status));
        children_kill(f.children); /* as when we die: everything is closed */
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static void a_resolver_whose_core_was_gone_before_it_came_leaves(void **state) {
        pid_t pid;
        int status;

        children_kill(f.children);
        pid = start_resolve();
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(a_process_that_does_not_end_when_it_is_killed_is_said_after_ten_seconds),
                TEST(of_one_that_ends_in_time_nothing_is_said),
                TEST(a_resolver_that_hears_nothing_any_more_ends_with_its_core),
                TEST(a_resolver_whose_core_was_gone_before_it_came_leaves),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}

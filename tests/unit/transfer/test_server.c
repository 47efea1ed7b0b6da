/* What dosvc-transfer keeps for whom: its server alone, we are the core. */
#include "transfer/server.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <systemd/sd-event.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/fds.h"
#include "ipc/channel.h"
#include "transfer/owner.h"
#include "transfer/poller.h"

#define PATIENCE (10 * USEC_PER_SEC)

static struct fixture {
        sd_event *event;
        struct poller *poller;
        struct ipc_channel *core;
        struct transfer_server *server;
        int resolve_fd;     /* the resolver's end */
        uint64_t turned_by; /* the clock */
        unsigned n_freed;   /* owners */
} f;

int __real_sd_event_now(sd_event *event, clockid_t clock, uint64_t *ret);
int __wrap_sd_event_now(sd_event *event, clockid_t clock, uint64_t *ret);
int __wrap_sd_event_now(sd_event *event, clockid_t clock, uint64_t *ret) {
        int r = __real_sd_event_now(event, clock, ret);

        *ret += f.turned_by;
        return r;
}

/* Timers are over at once, and find what the clock says then. */
int __real_sd_event_source_set_time_relative(sd_event_source *source, uint64_t usec);
int __wrap_sd_event_source_set_time_relative(sd_event_source *source, uint64_t usec);
int __wrap_sd_event_source_set_time_relative(sd_event_source *source, uint64_t usec) {
        return __real_sd_event_source_set_time_relative(source, 0);
}

struct owner *__real_owner_free(struct owner *owner);
struct owner *__wrap_owner_free(struct owner *owner);
struct owner *__wrap_owner_free(struct owner *owner) {
        f.n_freed++;
        return __real_owner_free(owner);
}

static int setup(void **state) {
        struct ipc_channel *transfer;
        int fds[2], resolve[2];

        f = (struct fixture) {};
        assert_true(sd_event_new(&f.event) >= 0);
        assert_int_equal(poller_new(f.event, &f.poller), 0);
        assert_int_equal(ipc_channel_pair(fds), 0);
        assert_int_equal(ipc_channel_pair(resolve), 0);
        f.resolve_fd = resolve[0];
        assert_int_equal(ipc_channel_new(fds[0], IPC_ROLE_CORE, IPC_ROLE_TRANSFER, &f.core), 0);
        assert_int_equal(ipc_channel_new(fds[1], IPC_ROLE_TRANSFER, IPC_ROLE_CORE, &transfer), 0);
        assert_int_equal(transfer_server_new(f.event, &(struct transfer_server_config) {
                .core = transfer, .resolve_fd = resolve[1], .poller = f.poller,
        }, &f.server), 0);
        return 0;
}

static int teardown(void **state) {
        f.server = transfer_server_free(f.server);
        f.core = ipc_channel_free(f.core);
        (void) fd_close(f.resolve_fd);
        f.poller = poller_free(f.poller);
        f.event = sd_event_unref(f.event);
        return 0;
}

static void send_start(const char *url) {
        static const struct ipc_piece piece = { .length = 1 };
        const struct ipc_message start = {
                .type = IPC_START,
                .start = { .id = 1, .pace = { true, UINT64_MAX }, .url = url, .n_pieces = 1, .pieces = &piece },
        };
        int fd = open("/dev/null", O_WRONLY | O_CLOEXEC);

        assert_int_equal(ipc_channel_send(f.core, &start, fd), 0);
        assert_int_equal(ipc_channel_flush(f.core), 0);
        (void) fd_close(fd);
}

static bool has_finished(enum error_code code) {
        struct ipc_message message;
        int fd;

        while (ipc_channel_receive(f.core, &message, &fd) == 1)
                if (message.type == IPC_FINISHED) {
                        assert_int_equal(message.finished.code, code);
                        return true;
                }
        return false;
}

static void turn(uint64_t until) {
        uint64_t now = clock_now(&clock_system, CLOCK_ID_MONOTONIC);

        if (now >= until)
                fail_msg("nothing happened");
        assert_true(sd_event_run(f.event, until - now) >= 0);
}

static void an_owner_of_whom_nothing_was_taken_is_let_go(void **state) {
        uint64_t until = clock_now(&clock_system, CLOCK_ID_MONOTONIC) + PATIENCE;

        send_start("gopher://nowhere/");
        while (!has_finished(ERROR_INVALID_URL))
                turn(until);
        for (unsigned i = 0; i < 3; i++)
                assert_true(sd_event_run(f.event, 0) >= 0);
        assert_int_equal(f.n_freed, 0); /* somebody may go on with its connections */
        f.turned_by = 60 * USEC_PER_SEC;
        while (f.n_freed == 0)
                turn(until);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(an_owner_of_whom_nothing_was_taken_is_let_go, setup, teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

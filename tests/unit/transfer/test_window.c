/* A real connection over loopback, whose receiver stops reading and goes on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <arpa/inet.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "transfer/window.h"

#define SEGMENT 1448
#define CLAMP_BYTES (4 * SEGMENT)
#define OFFERED (64 * 1024) /* between two ticks the kernel may have let more come than the clamp */

struct connection {
        int sender, receiver;
        uint64_t received;
};

static void set_int(int fd, int level, int option, int value) {
        assert_int_equal(setsockopt(fd, level, option, &value, sizeof(value)), 0);
}

static struct connection connection_new(void) {
        struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        struct connection connection;
        socklen_t size = sizeof(address);

        assert_true(listener >= 0);
        set_int(listener, IPPROTO_TCP, TCP_MAXSEG, SEGMENT + 12);
        assert_int_equal(bind(listener, (struct sockaddr *) &address, size), 0);
        assert_int_equal(listen(listener, 1), 0);
        assert_int_equal(getsockname(listener, (struct sockaddr *) &address, &size), 0);
        connection = (struct connection){ .receiver = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0) };
        assert_true(connection.receiver >= 0);
        set_int(connection.receiver, IPPROTO_TCP, TCP_MAXSEG, SEGMENT + 12);
        set_int(connection.receiver, IPPROTO_TCP, TCP_WINDOW_CLAMP, CLAMP_BYTES);
        assert_int_equal(connect(connection.receiver, (struct sockaddr *) &address, size), 0);
        connection.sender = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        assert_true(connection.sender >= 0);
        assert_int_equal(close(listener), 0);
        return connection;
}

static void connection_done(struct connection *connection) {
        assert_int_equal(close(connection->sender), 0);
        assert_int_equal(close(connection->receiver), 0);
}

static struct tcp_info info_of(int fd) {
        struct tcp_info info = {};
        socklen_t size = sizeof(info);

        assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size), 0);
        return info;
}

/* A little at a time: over loopback any window is as good as a large one, and whatever is sent is there at once. */
static void fill(const struct connection *connection) {
        static const char zeros[8192];

        (void) send(connection->sender, zeros, sizeof(zeros), MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void receive(struct connection *connection, uint64_t bytes) {
        uint64_t end = connection->received + bytes, deadline = clock_now(&clock_system, CLOCK_ID_MONOTONIC) + 10 * USEC_PER_SEC;
        char buffer[8192];

        while (connection->received < end) {
                struct pollfd poll_fd = { .fd = connection->receiver, .events = POLLIN };
                ssize_t n;

                assert_true(clock_now(&clock_system, CLOCK_ID_MONOTONIC) < deadline);
                fill(connection);
                if (poll(&poll_fd, 1, 10) <= 0)
                        continue;
                n = recv(connection->receiver, buffer, sizeof(buffer), MSG_DONTWAIT);
                assert_true(n > 0);
                connection->received += (uint64_t) n;
                set_int(connection->receiver, IPPROTO_TCP, TCP_WINDOW_CLAMP, CLAMP_BYTES); /* as at a tick */
        }
}

/* Over loopback the kernel moves whatever the sender has into a buffer of any size. */
static void drain(struct connection *connection) {
        char buffer[8192];
        ssize_t n;

        while ((n = recv(connection->receiver, buffer, sizeof(buffer), MSG_DONTWAIT)) > 0 || info_of(connection->sender).tcpi_notsent_bytes > 0)
                connection->received += n > 0 ? (uint64_t) n : 0;
}

static uint64_t waiting(const struct connection *connection) {
        return info_of(connection->receiver).tcpi_bytes_received - connection->received;
}

/* Until nothing comes any more though the sender has more. */
static void wait_until_closed(const struct connection *connection) {
        uint64_t before = UINT64_MAX, n_same = 0, deadline = clock_now(&clock_system, CLOCK_ID_MONOTONIC) + 10 * USEC_PER_SEC;

        while (n_same < 30) {
                assert_true(clock_now(&clock_system, CLOCK_ID_MONOTONIC) < deadline);
                (void) poll(NULL, 0, 10);
                window_keep_closed(connection->receiver, SEGMENT);
                fill(connection);
                n_same = waiting(connection) == before ? n_same + 1 : 0;
                before = waiting(connection);
        }
}

static int buffer_of(int fd) {
        socklen_t size = sizeof(int);
        int value;

        assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &value, &size), 0);
        return value;
}

/* No more than that is given back at once. */
static int most(void) {
        FILE *file = fopen("/proc/sys/net/core/rmem_max", "re");
        int value = 0;

        assert_non_null(file);
        assert_int_equal(fscanf(file, "%d", &value), 1);
        assert_int_equal(fclose(file), 0);
        return 2 * value;
}

static void a_closed_window_lets_nothing_more_come_until_it_is_open(void **state) {
        struct connection connection = connection_new();
        int buffer;

        receive(&connection, 1 << 20);
        for (unsigned i = 0; i < 3; i++) {
                drain(&connection);
                assert_true(window_close(connection.receiver, OFFERED, &buffer));
                wait_until_closed(&connection);
                assert_true(waiting(&connection) > 0);
                assert_true(waiting(&connection) < 4 * OFFERED);
                window_open(connection.receiver, buffer);
                receive(&connection, 1 << 20);
        }
        connection_done(&connection);
}

static void afterwards_the_kernel_lets_the_buffer_grow_again(void **state) {
        struct connection connection = connection_new();
        int buffer, lock = -1;
        socklen_t size = sizeof(lock);

        receive(&connection, 1 << 20);
        drain(&connection);
        assert_true(window_close(connection.receiver, OFFERED, &buffer));
        assert_true(buffer_of(connection.receiver) < buffer);
        window_open(connection.receiver, buffer);
        assert_in_range(buffer_of(connection.receiver), MIN(buffer, most()) - 1, MIN(buffer, most())); /* it is set as a half */
        assert_int_equal(getsockopt(connection.receiver, SOL_SOCKET, SO_BUF_LOCK, &lock, &size), 0);
        assert_int_equal(lock & SOCK_RCVBUF_LOCK, 0);
        connection_done(&connection);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_closed_window_lets_nothing_more_come_until_it_is_open),
                cmocka_unit_test(afterwards_the_kernel_lets_the_buffer_grow_again),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

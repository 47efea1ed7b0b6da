#include "ipc/channel.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fds.h"

struct pair {
        struct ipc_channel *core, *transfer;
        int raw; /* a duplicate of the transfer's end, to say what it should not */
};

static struct ipc_message stop(uint64_t id) {
        return (struct ipc_message) { .type = IPC_STOP, .stop.id = id };
}

static struct ipc_message start(uint64_t id) {
        static const struct ipc_piece piece = { .length = 1 };

        return (struct ipc_message) { .type = IPC_START, .start = { .id = id, .pace = { true, UINT64_MAX }, .url = "http://h/", .n_pieces = 1, .pieces = &piece } };
}

static int receive(struct ipc_channel *channel, struct ipc_message *m) {
        int fd, r;

        r = ipc_channel_receive(channel, m, &fd);
        (void) fd_close(fd);
        return r;
}

static void expect_hello(struct ipc_channel *channel) {
        struct ipc_message m;

        assert_int_equal(receive(channel, &m), 1);
        assert_int_equal(m.type, IPC_HELLO);
        assert_non_null(ipc_channel_peer(channel));
}

static int setup(void **state) {
        struct pair *pair = calloc(1, sizeof(*pair));
        int fds[2];

        assert_int_equal(ipc_channel_pair(fds), 0);
        pair->raw = fd_dup(fds[1]);
        assert_int_equal(ipc_channel_new(fds[0], IPC_ROLE_CORE, IPC_ROLE_TRANSFER, &pair->core), 0);
        assert_int_equal(ipc_channel_new(fds[1], IPC_ROLE_TRANSFER, IPC_ROLE_CORE, &pair->transfer), 0);
        *state = pair;
        return 0;
}

static void meet(struct pair *pair) {
        assert_int_equal(ipc_channel_flush(pair->core), 0);
        assert_int_equal(ipc_channel_flush(pair->transfer), 0);
        expect_hello(pair->core);
        expect_hello(pair->transfer);
}

static int teardown(void **state) {
        struct pair *pair = *state;

        pair->core = ipc_channel_free(pair->core);
        pair->transfer = ipc_channel_free(pair->transfer);
        (void) fd_close(pair->raw);
        free(pair);
        return 0;
}

static void frames_arrive_in_order_with_their_descriptors(void **state) {
        struct pair *pair = *state;
        struct ipc_message m;
        struct stat a, b;
        int null_fd, zero_fd, fd;

        meet(pair);
        null_fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
        zero_fd = open("/dev/zero", O_WRONLY | O_CLOEXEC);
        m = start(1);
        assert_int_equal(ipc_channel_send(pair->core, &m, null_fd), 0);
        m = stop(1);
        assert_int_equal(ipc_channel_send(pair->core, &m, -EBADF), 0);
        m = start(2);
        assert_int_equal(ipc_channel_send(pair->core, &m, zero_fd), 0);
        assert_int_equal(ipc_channel_flush(pair->core), 0);
        assert_int_equal(ipc_channel_queued(pair->core), 0);

        assert_int_equal(ipc_channel_receive(pair->transfer, &m, &fd), 1);
        assert_int_equal(m.start.id, 1);
        assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
        assert_int_equal(fstat(fd, &a), 0);
        assert_int_equal(fstat(null_fd, &b), 0);
        assert_int_equal(a.st_rdev, b.st_rdev);
        (void) fd_close(fd);
        assert_int_equal(ipc_channel_receive(pair->transfer, &m, &fd), 1);
        assert_int_equal(m.type, IPC_STOP);
        assert_int_equal(fd, -EBADF);
        assert_int_equal(ipc_channel_receive(pair->transfer, &m, &fd), 1);
        assert_int_equal(m.start.id, 2);
        assert_int_equal(fstat(fd, &a), 0);
        assert_int_equal(fstat(zero_fd, &b), 0);
        assert_int_equal(a.st_rdev, b.st_rdev);
        (void) fd_close(fd);
        assert_int_equal(ipc_channel_receive(pair->transfer, &m, &fd), 0);
        (void) fd_close(null_fd);
        (void) fd_close(zero_fd);
}

static void a_borrowed_descriptor_stays_open_and_is_known_to_be_written(void **state) {
        struct pair *pair = *state;
        _Alignas(8) uint8_t frame[IPC_FRAME_MAX];
        struct ipc_message m = start(1);
        ssize_t n = ipc_encode(&m, frame);
        uint64_t first = 0, second = 0;
        struct stat a, b;
        int zero_fd, fd;

        meet(pair);
        zero_fd = open("/dev/zero", O_WRONLY | O_CLOEXEC);
        assert_int_equal(ipc_channel_send_frame(pair->core, frame, (size_t) n, zero_fd, &first), 0);
        assert_false(ipc_channel_is_written(pair->core, first));
        assert_int_equal(ipc_channel_flush(pair->core), 0);
        assert_true(ipc_channel_is_written(pair->core, first));
        assert_int_equal(ipc_channel_receive(pair->transfer, &m, &fd), 1);
        assert_int_equal(fstat(fd, &a), 0);
        assert_int_equal(fstat(zero_fd, &b), 0);
        assert_int_equal(a.st_rdev, b.st_rdev);
        (void) fd_close(fd);

        /* Nor does a channel that ends close it. */
        assert_int_equal(ipc_channel_send_frame(pair->core, frame, (size_t) n, zero_fd, &second), 0);
        assert_true(ipc_channel_is_written(pair->core, first));
        assert_false(ipc_channel_is_written(pair->core, second));
        pair->core = ipc_channel_free(pair->core);
        assert_int_equal(fstat(zero_fd, &b), 0);
        assert_int_equal(a.st_rdev, b.st_rdev);
        (void) fd_close(zero_fd);
}

static void a_descriptor_goes_only_with_a_start(void **state) {
        struct pair *pair = *state;
        struct ipc_message m = stop(1);

        assert_int_equal(ipc_channel_send(pair->core, &m, pair->raw), -EINVAL);
        m = start(1);
        assert_int_equal(ipc_channel_send(pair->core, &m, -EBADF), -EINVAL);
}

static void a_peer_that_does_not_read_makes_us_wait_and_loses_nothing(void **state) {
        struct pair *pair = *state;
        struct ipc_message m;
        uint64_t expected = 0;
        int r;

        meet(pair);
        for (uint64_t i = 0; i < 100000; i++) {
                m = stop(i);
                assert_int_equal(ipc_channel_send(pair->core, &m, -EBADF), 0);
        }
        assert_int_equal(ipc_channel_flush(pair->core), 1);
        assert_true(ipc_channel_queued(pair->core) > 0);
        do {
                r = ipc_channel_flush(pair->core);
                assert_true(r >= 0);
                while (receive(pair->transfer, &m) == 1)
                        assert_int_equal(m.stop.id, expected++);
        } while (r == 1);
        assert_int_equal(expected, 100000);
}

static void the_queue_has_an_end(void **state) {
        struct pair *pair = *state;
        struct ipc_message m = stop(1);
        int r;

        do
                r = ipc_channel_send(pair->core, &m, -EBADF);
        while (r == 0);
        assert_int_equal(r, -ENOBUFS);
}

static void the_first_frame_must_be_a_hello_of_the_same_build(void **state) {
        struct pair *pair = *state;
        _Alignas(8) uint8_t frame[IPC_FRAME_MAX];
        struct ipc_message m = { .type = IPC_PROGRESS, .progress = { .local_end = 1 } };
        ssize_t n;

        n = ipc_encode(&m, frame);
        assert_int_equal(send(pair->raw, frame, (size_t) n, 0), n);
        assert_int_equal(receive(pair->core, &m), -EPROTO);

        m = (struct ipc_message) { .type = IPC_HELLO, .hello = { .version = IPC_VERSION, .role = IPC_ROLE_TRANSFER,
                                                                 .program_version = "other" } };
        n = ipc_encode(&m, frame);
        assert_int_equal(send(pair->raw, frame, (size_t) n, 0), n);
        assert_int_equal(receive(pair->core, &m), -EPROTONOSUPPORT);
}

/* Whatever else that version has in its HELLO: the number is where it always was. And it can read ours. */
static void a_hello_of_another_version_is_known_for_what_it_is(void **state) {
        struct pair *pair = *state;
        _Alignas(8) uint8_t frame[IPC_FRAME_MAX] = {}, answer[IPC_FRAME_MAX];
        struct ipc_message m = { .type = IPC_HELLO, .hello = { .version = IPC_VERSION + 1, .role = IPC_ROLE_TRANSFER,
                                                               .program_version = "x" } };
        uint32_t size = IPC_HEADER_SIZE + 1000 * 8, version = 0;
        ssize_t n;

        n = ipc_encode(&m, frame);
        assert_true(n > 0);
        memset(frame + IPC_HEADER_SIZE + sizeof(version), 0xa5, size - IPC_HEADER_SIZE - sizeof(version));
        memcpy(frame + 8, &size, sizeof(size));
        assert_int_equal(send(pair->raw, frame, size, 0), size);
        assert_int_equal(receive(pair->core, &m), -EPROTONOSUPPORT);
        n = recv(pair->raw, answer, sizeof(answer), MSG_DONTWAIT);
        assert_true(n > 0 && ipc_read_version(answer, (size_t) n, &version));
        assert_int_equal(version, IPC_VERSION);
        assert_false(ipc_read_version(answer, IPC_HEADER_SIZE + 3, &version));
}

static void a_frame_in_the_wrong_direction_is_refused(void **state) {
        struct pair *pair = *state;
        _Alignas(8) uint8_t frame[IPC_FRAME_MAX];
        struct ipc_message m = stop(1);
        ssize_t n;

        meet(pair);
        n = ipc_encode(&m, frame);
        assert_int_equal(send(pair->raw, frame, (size_t) n, 0), n);
        assert_int_equal(receive(pair->core, &m), -EPROTO);
}

static void send_with_fds(int socket, const void *bytes, size_t size, unsigned n_fds) {
        union {
                struct cmsghdr header;
                char bytes[CMSG_SPACE(sizeof(int) * 32)];
        } control = {};
        struct iovec iov = { .iov_base = (void *) bytes, .iov_len = size };
        struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control,
                              .msg_controllen = CMSG_SPACE(sizeof(int) * n_fds) };

        control.header = (struct cmsghdr) { .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS,
                                            .cmsg_len = CMSG_LEN(sizeof(int) * n_fds) };
        for (unsigned i = 0; i < n_fds; i++)
                memcpy(CMSG_DATA(&control.header) + i * sizeof(int), &(int) { socket }, sizeof(int));
        assert_true(sendmsg(socket, &msg, 0) > 0);
}

static unsigned count_fds(void) {
        unsigned n = 0;

        for (int fd = 0; fd < 1024; fd++)
                n += fcntl(fd, F_GETFD) >= 0;
        return n;
}

static void descriptors_that_nobody_announced_are_refused_and_closed(void **state) {
        struct pair *pair = *state;
        _Alignas(8) uint8_t frame[IPC_FRAME_MAX];
        struct ipc_message m = { .type = IPC_PROGRESS, .progress = { .local_end = 1 } };
        unsigned before, counts[] = { 1, 16, 17, 32 };
        ssize_t n;
        int r;

        meet(pair);
        n = ipc_encode(&m, frame);
        for (size_t i = 0; i < ELEMENTSOF(counts); i++) {
                before = count_fds();
                send_with_fds(pair->raw, frame, (size_t) n, counts[i]);
                do
                        r = receive(pair->core, &m);
                while (r == 1);
                assert_int_equal(r, -EPROTO);
                teardown(state);
                /* core, transfer and raw are closed with it, and so is what came */
                assert_int_equal(count_fds(), before - 3);
                setup(state);
                pair = *state;
                meet(pair);
        }
}

static void a_start_without_its_descriptor_is_refused(void **state) {
        struct pair *pair = *state;
        _Alignas(8) uint8_t frame[IPC_FRAME_MAX];
        struct ipc_message m = start(1);
        int raw_core = fd_dup(ipc_channel_fd(pair->core));
        ssize_t n;

        meet(pair);
        n = ipc_encode(&m, frame);
        assert_int_equal(send(raw_core, frame, (size_t) n, 0), n);
        assert_int_equal(receive(pair->transfer, &m), -EPROTO);
        (void) fd_close(raw_core);
}

static void a_start_that_comes_when_we_have_too_many_open_files_says_so(void **state) {
        struct pair *pair = *state;
        struct rlimit old, low;
        struct ipc_message m = start(1);
        int fd, fds[64], n = 0;

        if (getenv("DOSVC_VALGRIND"))
                skip(); /* it keeps the limit of descriptors itself, and recvmsg() never meets it */
        meet(pair);
        assert_int_equal(ipc_channel_send(pair->core, &m, pair->raw), 0);
        assert_int_equal(ipc_channel_flush(pair->core), 0);
        assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
        low = (struct rlimit) { .rlim_cur = 48, .rlim_max = old.rlim_max };
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
        while (n < 64 && (fds[n] = dup(0)) >= 0)
                n++;
        assert_int_equal(ipc_channel_receive(pair->transfer, &m, &fd), 1);
        assert_int_equal(fd, -EMFILE);
        assert_int_equal(m.type, IPC_START);
        while (n > 0)
                (void) fd_close(fds[--n]);
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
}

static void the_last_words_of_a_dead_peer_are_heard(void **state) {
        struct pair *pair = *state;
        struct ipc_message m;

        meet(pair);
        m = stop(1); /* unread when it dies */
        assert_int_equal(ipc_channel_send(pair->core, &m, -EBADF), 0);
        assert_int_equal(ipc_channel_flush(pair->core), 0);
        m = (struct ipc_message) { .type = IPC_PROGRESS, .progress = { .id = 5, .local_end = 9 } };
        assert_int_equal(ipc_channel_send(pair->transfer, &m, -EBADF), 0);
        assert_int_equal(ipc_channel_flush(pair->transfer), 0);
        pair->transfer = ipc_channel_free(pair->transfer);
        pair->raw = fd_close(pair->raw);

        assert_int_equal(receive(pair->core, &m), 1);
        assert_int_equal(m.progress.id, 5);
        assert_int_equal(receive(pair->core, &m), -ECONNRESET);
        m = stop(2);
        assert_int_equal(ipc_channel_send(pair->core, &m, -EBADF), 0);
        assert_true(ipc_channel_flush(pair->core) < 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(frames_arrive_in_order_with_their_descriptors, setup, teardown),
                cmocka_unit_test_setup_teardown(a_borrowed_descriptor_stays_open_and_is_known_to_be_written, setup, teardown),
                cmocka_unit_test_setup_teardown(a_descriptor_goes_only_with_a_start, setup, teardown),
                cmocka_unit_test_setup_teardown(a_peer_that_does_not_read_makes_us_wait_and_loses_nothing, setup, teardown),
                cmocka_unit_test_setup_teardown(the_queue_has_an_end, setup, teardown),
                cmocka_unit_test_setup_teardown(the_first_frame_must_be_a_hello_of_the_same_build, setup, teardown),
                cmocka_unit_test_setup_teardown(a_hello_of_another_version_is_known_for_what_it_is, setup, teardown),
                cmocka_unit_test_setup_teardown(a_frame_in_the_wrong_direction_is_refused, setup, teardown),
                cmocka_unit_test_setup_teardown(descriptors_that_nobody_announced_are_refused_and_closed, setup, teardown),
                cmocka_unit_test_setup_teardown(a_start_without_its_descriptor_is_refused, setup, teardown),
                cmocka_unit_test_setup_teardown(a_start_that_comes_when_we_have_too_many_open_files_says_so, setup, teardown),
                cmocka_unit_test_setup_teardown(the_last_words_of_a_dead_peer_are_heard, setup, teardown),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}

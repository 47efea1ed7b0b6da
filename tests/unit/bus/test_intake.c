/* What the face lets through to sd-bus: bytes that no library would send, and in pieces that none would cut. */
#include <endian.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fds.h"
#include "base/strings.h"
#include "face.h"
#include "protocol/limits.h"

#define HANDSHAKE "AUTH EXTERNAL\r\nDATA\r\nNEGOTIATE_UNIX_FD\r\nBEGIN\r\n"
#define FIELDS_MAX 256

struct raw {
        struct fixture *f;
        int fd;
        char answers[16384];
        size_t n;
};

/* Of a message that is not valid sd-bus (252) loses the array of the descriptors' numbers, too: a KiB that nobody can get at. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void) {
        return "leak:libsystemd\nleak:reallocarray\n";
}

/* ---- closing ---- */

static pthread_t loop_thread;
static bool closing_hangs; /* on threads beside the loop, until let_go */
static sem_t let_go;
static unsigned n_closed_on_loop; /* of what may hang */

static bool is_passed(int fd) {
        struct stat st;

        return fd_close_may_wait(fd) && fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
}

int __real_close(int fd);
int __wrap_close(int fd);
int __wrap_close(int fd) {
        if (closing_hangs && pthread_equal(pthread_self(), loop_thread))
                n_closed_on_loop += is_passed(fd);
        return __real_close(fd);
}

/* By this a closer closes: something else takes the number. */
int __real_dup3(int from, int to, int flags);
int __wrap_dup3(int from, int to, int flags);
int __wrap_dup3(int from, int to, int flags) {
        if (closing_hangs && !pthread_equal(pthread_self(), loop_thread))
                (void) sem_wait(&let_go);
        return __real_dup3(from, to, flags);
}

/* ---- a client by hand ---- */

static void hear(struct raw *raw) {
        ssize_t n;

        settle(raw->f);
        while ((n = recv(raw->fd, raw->answers + raw->n, sizeof(raw->answers) - raw->n, MSG_DONTWAIT)) > 0)
                raw->n += (size_t) n;
}

static void say(struct raw *raw, const void *bytes, size_t size) {
        const char *p = bytes;

        while (size > 0) {
                ssize_t n = send(raw->fd, p, size, MSG_DONTWAIT | MSG_NOSIGNAL);

                if (n < 0) {
                        assert_int_equal(errno, EAGAIN);
                        n = 0;
                }
                p += n;
                size -= (size_t) n;
                hear(raw);
        }
}

/* Forgets what it heard. */
static bool heard(struct raw *raw, const char *word) {
        bool found;

        hear(raw);
        found = memmem(raw->answers, raw->n, word, strlen(word)) != NULL;
        raw->n = 0;
        return found;
}

static bool is_cut_off(struct raw *raw) {
        char byte;

        hear(raw);
        return recv(raw->fd, &byte, 1, MSG_DONTWAIT) == 0 || (errno != EAGAIN && bus_server_count_clients(raw->f->server) == 0);
}

static struct raw *raw_new(struct fixture *f) {
        struct raw *raw = calloc(1, sizeof(*raw));
        int pair[2];

        assert_non_null(raw);
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
        assert_int_equal(bus_server_add_client(f->server, pair[0]), 0);
        *raw = (struct raw) { .f = f, .fd = pair[1] };
        return raw;
}

static struct raw *raw_new_greeted(struct fixture *f) {
        struct raw *raw = raw_new(f);

        say(raw, "\0" HANDSHAKE, sizeof(HANDSHAKE));
        assert_true(heard(raw, "AGREE_UNIX_FD\r\n"));
        return raw;
}

static void raw_free(struct raw *raw) {
        (void) close(raw->fd);
        settle(raw->f);
        assert_int_equal(bus_server_count_clients(raw->f->server), 0);
        free(raw);
}

/* ---- its messages ---- */

/* What it passes: usually as libdosvc does. */
static const char *passed = "/dev/null";
static int passed_flags = O_PATH;

static size_t put_number(uint8_t *to, size_t at, bool big, uint32_t number) {
        number = big ? htobe32(number) : htole32(number);
        memcpy(to + at, &number, sizeof(number));
        return at + sizeof(number);
}

static size_t put_field(uint8_t *to, size_t at, bool big, uint8_t code, const char *type, const char *text) {
        size_t n = strlen(text);

        at = (at + 7) / 8 * 8;
        to[at++] = code;
        to[at++] = 1;
        to[at++] = (uint8_t) *type;
        to[at++] = 0;
        if (*type == 'g')
                to[at++] = (uint8_t) n;
        else
                at = put_number(to, at, big, (uint32_t) n);
        memcpy(to + at, text, n + 1);
        return at + n + 1;
}

/* Subscribe("xxx…"), @size bytes in all: no such job. The caller frees *ret. */
static void make_call(size_t size, bool big, uint8_t **ret) {
        uint8_t *m = calloc(1, size + FIELDS_MAX);
        size_t at = 16, body;

        assert_non_null(m);
        at = put_field(m, at, big, 1, "o", "/org/dosvc");
        at = put_field(m, at, big, 2, "s", "org.dosvc.Manager1");
        at = put_field(m, at, big, 3, "s", "Subscribe");
        at = put_field(m, at, big, 8, "g", "s");
        body = (at + 7) / 8 * 8;
        assert_true(size > body + 5);
        m[0] = big ? 'B' : 'l';
        m[1] = SD_BUS_MESSAGE_METHOD_CALL;
        m[3] = 1;
        (void) put_number(m, 4, big, (uint32_t) (size - body));
        (void) put_number(m, 8, big, 7);
        (void) put_number(m, 12, big, (uint32_t) (at - 16));
        (void) put_number(m, body, big, (uint32_t) (size - body - 5));
        memset(m + body + 4, 'x', size - body - 5);
        *ret = m;
}

static void say_call(struct raw *raw, size_t size, bool big) {
        _cleanup_free_ uint8_t *m = NULL;

        make_call(size, big, &m);
        say(raw, m, size);
}

static void say_with_descriptors(struct raw *raw, const void *bytes, size_t size, unsigned n) {
        _Alignas(struct cmsghdr) char control[CMSG_SPACE(LIMIT_MESSAGE_DESCRIPTORS * sizeof(int))] = {};
        struct iovec part = { (void *) bytes, size };
        struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = CMSG_SPACE(n * sizeof(int)) };
        _cleanup_close_ int fd = open(passed, passed_flags | O_CLOEXEC);
        struct cmsghdr *c = (struct cmsghdr *) control;

        assert_true(fd >= 0);
        *c = (struct cmsghdr) { .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(n * sizeof(int)) };
        for (unsigned i = 0; i < n; i++)
                memcpy(CMSG_DATA(c) + i * sizeof(int), &fd, sizeof(fd));
        assert_int_equal(sendmsg(raw->fd, &message, MSG_NOSIGNAL), size);
        hear(raw);
}

/* With everything that the first client brings with it for good. */
static unsigned count_descriptors(struct fixture *f) {
        unsigned n = 0;

        if (bus_server_count_clients(f->server) == 0)
                raw_free(raw_new_greeted(f));
        for (int fd = 0; fd < 1024; fd++)
                n += fcntl(fd, F_GETFD) >= 0;
        return n;
}

/* ---- sizes ---- */

static void a_message_at_the_limit_is_handled_and_one_byte_more_is_refused(void **state) {
        struct raw *raw = raw_new_greeted(*state);

        say_call(raw, LIMIT_MESSAGE_BYTES, false);
        assert_true(heard(raw, "org.dosvc.Error.NotFound"));
        say_call(raw, LIMIT_MESSAGE_BYTES + 1, false);
        assert_true(heard(raw, "org.dosvc.Error.MessageTooLarge"));
        say_call(raw, 200, false); /* nothing else is lost */
        assert_true(heard(raw, "org.dosvc.Error.NotFound"));
        raw_free(raw);
}

static void the_other_byte_order_has_the_same_limit(void **state) {
        struct raw *raw = raw_new_greeted(*state);

        say_call(raw, LIMIT_MESSAGE_BYTES, true);
        assert_true(heard(raw, "org.dosvc.Error.NotFound"));
        say_call(raw, LIMIT_MESSAGE_BYTES + 1, true);
        assert_true(heard(raw, "org.dosvc.Error.MessageTooLarge"));
        raw_free(raw);
}

static void a_refused_message_is_not_answered_before_it_is_over(void **state) {
        struct raw *raw = raw_new_greeted(*state);
        _cleanup_free_ uint8_t *m = NULL;

        make_call(LIMIT_MESSAGE_BYTES + 1, false, &m);
        say(raw, m, LIMIT_MESSAGE_BYTES);
        assert_false(heard(raw, "l"));
        say(raw, m + LIMIT_MESSAGE_BYTES, 1);
        assert_true(heard(raw, "org.dosvc.Error.MessageTooLarge"));
        m[2] = 1; /* and nobody who does not want to hear is told */
        say(raw, m, LIMIT_MESSAGE_BYTES + 1);
        assert_false(heard(raw, "l"));
        raw_free(raw);
}

static void a_refused_message_counts_as_many_calls(void **state) {
        struct fixture *f = *state;
        struct raw *raw = raw_new_greeted(f);

        bus_server_set_limits(f->server, CLIENTS_MAX, CALLS_MAX, 3);
        say_call(raw, 2 * LIMIT_MESSAGE_BYTES, false); /* as three */
        assert_true(heard(raw, "org.dosvc.Error.MessageTooLarge"));
        say_call(raw, 200, false);
        assert_true(heard(raw, "org.dosvc.Error.TooManyRequests"));
        say_call(raw, LIMIT_MESSAGE_BYTES + 1, false);
        assert_true(heard(raw, "org.dosvc.Error.TooManyRequests"));
        raw_free(raw);
}

/* ---- pieces ---- */

static void bytes_that_trickle_are_a_message_in_the_end(void **state) {
        struct raw *raw = raw_new(*state);
        _cleanup_free_ uint8_t *m = NULL;

        for (size_t i = 0; i < sizeof(HANDSHAKE); i++)
                say(raw, &("\0" HANDSHAKE)[i], 1);
        assert_true(heard(raw, "AGREE_UNIX_FD\r\n"));
        make_call(200, false, &m);
        for (size_t i = 0; i < 200; i++)
                say(raw, m + i, 1);
        assert_true(heard(raw, "org.dosvc.Error.NotFound"));
        raw_free(raw);
}

static void what_comes_with_the_handshake_is_answered_too(void **state) {
        struct raw *raw = raw_new(*state);
        _cleanup_free_ uint8_t *m = NULL;
        uint8_t all[sizeof(HANDSHAKE) + 3 * 200] = "\0" HANDSHAKE;

        make_call(200, false, &m);
        for (size_t i = 0; i < 3; i++)
                memcpy(all + sizeof(HANDSHAKE) + i * 200, m, 200);
        say(raw, all, sizeof(all));
        hear(raw);
        assert_non_null(memmem(raw->answers, raw->n, "AGREE_UNIX_FD\r\n", 15));
        for (size_t i = 0, from = 0; i < 3; i++) {
                const char *p = memmem(raw->answers + from, raw->n - from, "Error.NotFound", 14);

                assert_non_null(p);
                from = (size_t) (p - raw->answers) + 1;
        }
        raw_free(raw);
}

/* ---- what is no message ---- */

static void what_is_no_message_ends_the_connection(void **state) {
        static const struct {
                size_t at;
                uint8_t value;
        } wrong[] = {
                { 0, 'x' },  /* neither byte order */
                { 3, 2 },    /* version */
                { 1, 0 },    /* kind */
                { 8, 0 },    /* serial */
                { 7, 0x80 }, /* more bytes than D-Bus has */
                { 16, 9 },   /* a field that says where descriptors are, but a path */
                { 24, ' ' }, /* the path is none */
        };

        for (size_t i = 0; i < ELEMENTSOF(wrong); i++) {
                struct raw *raw = raw_new_greeted(*state);
                _cleanup_free_ uint8_t *m = NULL;

                make_call(200, false, &m);
                m[wrong[i].at] = wrong[i].value;
                say(raw, m, 200);
                if (!is_cut_off(raw))
                        fail_msg("byte %zu may be %d", wrong[i].at, wrong[i].value);
                raw_free(raw);
        }
}

static void descriptors_of_what_is_no_message_are_closed(void **state) {
        unsigned before = count_descriptors(*state);
        struct raw *raw = raw_new_greeted(*state);
        _cleanup_free_ uint8_t *m = NULL;

        make_call(200, false, &m);
        m[24] = ' '; /* the path is none */
        say_with_descriptors(raw, m, 100, 100);
        say_with_descriptors(raw, m + 100, 100, 100);
        assert_true(is_cut_off(raw));
        raw_free(raw);
        assert_int_equal(count_descriptors(*state), before);
}

static void descriptors_of_what_is_refused_or_not_over_are_closed(void **state) {
        unsigned before = count_descriptors(*state);
        struct raw *raw = raw_new_greeted(*state);
        _cleanup_free_ uint8_t *m = NULL;

        make_call(LIMIT_MESSAGE_BYTES + 1, false, &m);
        say_with_descriptors(raw, m, 10, 100);
        say_with_descriptors(raw, m + 10, 10, 100);
        say(raw, m + 20, LIMIT_MESSAGE_BYTES + 1 - 20);
        assert_true(heard(raw, "org.dosvc.Error.MessageTooLarge"));
        say_with_descriptors(raw, m, 10, 100);
        raw_free(raw);
        assert_int_equal(count_descriptors(*state), before);
}

static void a_message_has_as_many_descriptors_as_one_may(void **state) {
        unsigned before = count_descriptors(*state);
        struct raw *raw = raw_new_greeted(*state);
        _cleanup_free_ uint8_t *m = NULL;

        make_call(200, false, &m);
        say_with_descriptors(raw, m, 100, LIMIT_MESSAGE_DESCRIPTORS);
        assert_false(is_cut_off(raw));
        say_with_descriptors(raw, m + 100, 50, 1);
        assert_true(is_cut_off(raw));
        raw_free(raw);
        assert_int_equal(count_descriptors(*state), before);
}

/* One that no more is done for once what was passed does not let itself be closed. */
static bool is_refused(struct fixture *f) {
        int pair[2], r;

        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
        r = bus_server_add_client(f->server, pair[0]);
        (void) close(pair[1]);
        settle(f);
        return r == -EUSERS;
}

static void descriptors_whose_closing_hangs_hang_beside_the_loop_and_have_an_end(void **state) {
        unsigned before = count_descriptors(*state), n = 0;
        _cleanup_free_ uint8_t *m = NULL;

        make_call(200, false, &m);
        passed = "/proc/self/status";
        passed_flags = O_RDONLY;
        closing_hangs = true;
        while (!is_refused(*state)) {
                struct raw *raw = raw_new_greeted(*state);

                say_with_descriptors(raw, m, 200, 200);
                raw_free(raw);
                n += 200;
        }
        passed = "/dev/null";
        passed_flags = O_PATH;
        assert_true(n >= LIMIT_UNCLOSED_DESCRIPTORS && n < LIMIT_UNCLOSED_DESCRIPTORS + 200);
        assert_int_equal(n_closed_on_loop, n / 200); /* this test's own: say_with_descriptors() */
        closing_hangs = false;
        (void) sem_post(&let_go);
        while (is_refused(*state))
                ;
        while (count_descriptors(*state) != before)
                settle(*state);
}

static void who_sends_too_many_with_what_is_no_message_is_refused(void **state) {
        unsigned n = 0;
        _cleanup_free_ uint8_t *m = NULL;

        make_call(200, false, &m);
        m[24] = ' ';
        while (!is_refused(*state)) {
                struct raw *raw = raw_new_greeted(*state);

                say_with_descriptors(raw, m, 200, LIMIT_MESSAGE_DESCRIPTORS);
                assert_true(is_cut_off(raw));
                raw_free(raw);
                n += LIMIT_MESSAGE_DESCRIPTORS;
        }
        assert_in_range(n, LIMIT_LOST_DESCRIPTORS, LIMIT_LOST_DESCRIPTORS + LIMIT_MESSAGE_DESCRIPTORS - 1);
}

/* ---- the handshake ---- */

static void a_line_of_the_handshake_is_as_long_as_it_may_be(void **state) {
        struct raw *raw = raw_new(*state);
        char line[LIMIT_HANDSHAKE_LINE + 1];

        memset(line, 'x', sizeof(line));
        line[0] = 0;
        line[LIMIT_HANDSHAKE_LINE - 1] = '\n';
        line[LIMIT_HANDSHAKE_LINE - 2] = '\r';
        say(raw, line, LIMIT_HANDSHAKE_LINE);
        assert_false(is_cut_off(raw));
        memset(line, 'x', sizeof(line));
        say(raw, line, LIMIT_HANDSHAKE_LINE);
        assert_true(is_cut_off(raw));
        raw_free(raw);
}

static void nobody_may_say_that_he_is_somebody_else(void **state) {
        static const struct {
                const char *line;
                int uid; /* behind the one that it is; -1: none is said */
                bool good;
        } lines[] = {
                { "AUTH EXTERNAL ", 0, true },    { "AUTH EXTERNAL ", 1, false },           { "AUTH EXTERNAL\r\nDATA ", 0, true },
                { "AUTH EXTERNAL\r\nDATA ", 1, false }, { "AUTH EXTERNAL 3", -1, false }, { "AUTH ANONYMOUS", -1, false },
        };

        for (size_t i = 0; i < ELEMENTSOF(lines); i++) {
                struct raw *raw = raw_new(*state);
                char text[256], hex[32] = "";

                if (lines[i].uid >= 0) {
                        snprintf(text, sizeof(text), "%u", getuid() + (unsigned) lines[i].uid);
                        hex_encode((const uint8_t *) text, strlen(text), hex);
                }
                snprintf(text, sizeof(text), "%s%s\r\n", lines[i].line, hex);
                say(raw, "", 1);
                say(raw, text, strlen(text));
                if (lines[i].good)
                        assert_true(heard(raw, "OK "));
                else
                        assert_true(is_cut_off(raw));
                raw_free(raw);
        }
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, make_service, free_service)
        static const struct CMUnitTest tests[] = {
                TEST(a_message_at_the_limit_is_handled_and_one_byte_more_is_refused),
                TEST(the_other_byte_order_has_the_same_limit),
                TEST(a_refused_message_is_not_answered_before_it_is_over),
                TEST(a_refused_message_counts_as_many_calls),
                TEST(bytes_that_trickle_are_a_message_in_the_end),
                TEST(what_comes_with_the_handshake_is_answered_too),
                TEST(what_is_no_message_ends_the_connection),
                TEST(descriptors_of_what_is_no_message_are_closed),
                TEST(descriptors_of_what_is_refused_or_not_over_are_closed),
                TEST(a_message_has_as_many_descriptors_as_one_may),
                TEST(descriptors_whose_closing_hangs_hang_beside_the_loop_and_have_an_end),
                TEST(who_sends_too_many_with_what_is_no_message_is_refused),
                TEST(a_line_of_the_handshake_is_as_long_as_it_may_be),
                TEST(nobody_may_say_that_he_is_somebody_else),
        };

        loop_thread = pthread_self();
        (void) sem_init(&let_go, 0, 0);
        return cmocka_run_group_tests(tests, NULL, NULL);
}

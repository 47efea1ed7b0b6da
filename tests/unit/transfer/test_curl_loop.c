/* libcurl on the loop, against a server that always has more to send. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include <cmocka.h>

#include "transfer/curl_loop.h"
#include "transfer/poller.h"

#define BODY_BYTES (8 * 1024 * 1024) /* several times what libcurl takes at once */

struct world {
        sd_event *event;
        struct poller *poller;
        struct curl_loop *loop;
        pid_t server;
        CURL *easy;
        curl_socket_t socket;
        int news; /* eventfd: somebody else has something to say since the first byte */
        uint64_t received, heard_at;
        bool done;
};

static void serve(int listener) {
        static const char head[] = "HTTP/1.1 200 OK\r\nContent-Length: 8388608\r\nConnection: close\r\n\r\n";
        static char block[64 * 1024];
        char request[1024];
        int fd = accept(listener, NULL, NULL);

        if (fd < 0 || read(fd, request, sizeof(request)) <= 0 || write(fd, head, sizeof(head) - 1) < 0)
                _exit(1);
        for (size_t left = BODY_BYTES; left > 0;) {
                ssize_t n = write(fd, block, left < sizeof(block) ? left : sizeof(block));

                if (n < 0)
                        _exit(1);
                left -= (size_t) n;
        }
        _exit(0);
}

static uint16_t start_server(struct world *world) {
        struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        socklen_t size = sizeof(address);

        assert_true(listener >= 0);
        assert_int_equal(bind(listener, (struct sockaddr *) &address, size), 0);
        assert_int_equal(listen(listener, 1), 0);
        assert_int_equal(getsockname(listener, (struct sockaddr *) &address, &size), 0);
        world->server = fork();
        assert_true(world->server >= 0);
        if (world->server == 0)
                serve(listener);
        assert_int_equal(close(listener), 0);
        return ntohs(address.sin_port);
}

/* Returns when the next bytes are there, or the end is: for libcurl there is always more. */
static size_t on_body(char *bytes, size_t size, size_t n, void *userdata) {
        struct world *world = userdata;
        struct pollfd pollfd = { .fd = world->socket, .events = POLLIN };
        uint64_t one = 1;

        if (world->received == 0)
                assert_int_equal(write(world->news, &one, sizeof(one)), sizeof(one));
        world->received += n;
        while (poll(&pollfd, 1, -1) < 0)
                assert_int_equal(errno, EINTR);
        return size * n;
}

static curl_socket_t on_open(void *userdata, curlsocktype purpose, struct curl_sockaddr *address) {
        struct world *world = userdata;

        world->socket = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
        return world->socket;
}

static int on_news(sd_event_source *source, int fd, uint32_t events, void *userdata) {
        struct world *world = userdata;
        uint64_t value;

        assert_int_equal(read(fd, &value, sizeof(value)), sizeof(value));
        world->heard_at = world->received;
        return 0;
}

static void on_done(void *userdata, CURL *easy, CURLcode code) {
        struct world *world = userdata;

        assert_int_equal(code, CURLE_OK);
        world->done = true;
        assert_true(sd_event_exit(world->event, 0) >= 0);
}

static void on_settled(void *userdata) {
}

static const struct curl_loop_callbacks callbacks = { .done = on_done, .settled = on_settled };

static void others_have_their_turn_while_a_server_has_always_more(void **state) {
        struct world world = { .socket = CURL_SOCKET_BAD };
        char url[64];
        int status;

        snprintf(url, sizeof(url), "http://127.0.0.1:%u/", start_server(&world));
        world.news = eventfd(0, EFD_CLOEXEC);
        assert_true(world.news >= 0);
        assert_true(sd_event_new(&world.event) >= 0);
        assert_true(sd_event_add_io(world.event, NULL, world.news, POLLIN, on_news, &world) >= 0);
        assert_int_equal(poller_new(world.event, &world.poller), 0);
        assert_int_equal(curl_loop_new(world.event, world.poller, &callbacks, &world, &world.loop), 0);
        world.easy = curl_easy_init();
        assert_non_null(world.easy);
        assert_int_equal(curl_easy_setopt(world.easy, CURLOPT_URL, url), CURLE_OK);
        assert_int_equal(curl_easy_setopt(world.easy, CURLOPT_PROXY, ""), CURLE_OK);
        assert_int_equal(curl_easy_setopt(world.easy, CURLOPT_NOSIGNAL, 1L), CURLE_OK);
        assert_int_equal(curl_easy_setopt(world.easy, CURLOPT_OPENSOCKETFUNCTION, on_open), CURLE_OK);
        assert_int_equal(curl_easy_setopt(world.easy, CURLOPT_OPENSOCKETDATA, &world), CURLE_OK);
        assert_int_equal(curl_easy_setopt(world.easy, CURLOPT_WRITEFUNCTION, on_body), CURLE_OK);
        assert_int_equal(curl_easy_setopt(world.easy, CURLOPT_WRITEDATA, &world), CURLE_OK);
        assert_int_equal(curl_loop_add(world.loop, world.easy), 0);

        assert_int_equal(sd_event_loop(world.event), 0);

        assert_true(world.done);
        assert_int_equal(world.received, BODY_BYTES);
        assert_true(world.heard_at > 0);
        assert_true(world.heard_at <= BODY_BYTES / 2);
        curl_easy_cleanup(world.easy);
        world.loop = curl_loop_free(world.loop);
        world.poller = poller_free(world.poller);
        world.event = sd_event_unref(world.event);
        assert_int_equal(close(world.news), 0);
        assert_int_equal(waitpid(world.server, &status, 0), world.server);
        assert_int_equal(status, 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(others_have_their_turn_while_a_server_has_always_more),
        };

        (void) signal(SIGPIPE, SIG_IGN);
        return cmocka_run_group_tests(tests, NULL, NULL);
}

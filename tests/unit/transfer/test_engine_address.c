/* Redirects from public to private addresses (design decision 21), in a network of our own whose loopback has a public address; and
 * a machine that has IPv6 only. */
#include "fixture.h"

#include <sched.h>
#include <stdlib.h>
#include <unistd.h>

#define PUBLIC "203.0.113.5" /* documentation, which counts as public */
#define PUBLIC_OTHER "203.0.113.6"

static struct server public, other, private;
static bool has_network;

static int setup_group(void **state) {
        static const char *const public_arguments[] = { "--address", PUBLIC, NULL };
        static const char *const other_arguments[] = { "--address", PUBLIC_OTHER, NULL };

        has_network = unshare(CLONE_NEWNET) == 0 && system("ip link set lo up && ip addr add " PUBLIC "/32 dev lo && ip addr add "
                                                           PUBLIC_OTHER "/32 dev lo") == 0;
        if (!has_network)
                return 0;
        server_start(&public, public_arguments);
        server_start(&other, other_arguments);
        server_start(&private, NULL);
        return 0;
}

static int teardown_group(void **state) {
        if (has_network) {
                server_stop(&public);
                server_stop(&other);
                server_stop(&private);
        }
        return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

static struct record *follow(struct fixture *f, uint64_t id, const char *from, unsigned port, const char *to) {
        char url[512];
        struct engine_piece piece;
        struct engine_request request;

        if (!has_network)
                skip();
        snprintf(url, sizeof(url), "http://%s:%u/redirect/302?to=%s", from, port, to);
        request = request_for(f, id, url, &piece);
        return fetch(f, &request);
}

static void a_public_server_may_not_send_us_to_this_machine(void **state) {
        static const char *const targets[] = {
                "127.0.0.1", "localhost", "[::1]", "2130706433", "0x7f.1", "[::ffff:127.0.0.1]", "0", "169.254.169.254", "a.localhost",
                "10.1.2.3", "[fd00::1]", "192.168.0.1",
        };
        struct fixture *f = *state;

        for (size_t i = 0; i < ELEMENTSOF(targets); i++) {
                char to[128];

                snprintf(to, sizeof(to), "http://%s:%u/data/10", targets[i], private.port);
                assert_failed(follow(f, i + 1, PUBLIC, public.port, to), ERROR_ADDRESS_REFUSED);
                assert_false(f->records[i + 1].result.transient);
        }
}

static void the_first_url_and_private_servers_may_lead_anywhere(void **state) {
        struct fixture *f = *state;
        char to[128];

        snprintf(to, sizeof(to), "http://" PUBLIC ":%u/data/10", public.port);
        assert_done(follow(f, 1, "127.0.0.1", private.port, to));
        snprintf(to, sizeof(to), "http://localhost:%u/data/10", private.port);
        assert_done(follow(f, 2, "127.0.0.1", private.port, to));
        snprintf(to, sizeof(to), "http://" PUBLIC_OTHER ":%u/data/10", other.port);
        assert_done(follow(f, 3, PUBLIC, public.port, to));
}

static void once_public_the_whole_chain_is_held_to_it(void **state) {
        struct fixture *f = *state;
        char to[256];

        snprintf(to, sizeof(to), "http://" PUBLIC_OTHER ":%u/redirect/302?to=http://127.0.0.1:%u/data/10", other.port, private.port);
        assert_failed(follow(f, 1, PUBLIC, public.port, to), ERROR_ADDRESS_REFUSED);
        assert_int_equal(f->records[1].n_metadata, 0);
}

static void a_machine_with_ipv6_only_fetches(void **state) {
        static const char *const arguments[] = { "--address", "::1", NULL };
        struct fixture *f = *state;
        struct server six;
        struct engine_piece piece;
        struct engine_request request;
        char url[128];

        if (!has_network || unshare(CLONE_NEWNET) < 0 || system("ip link set lo up && ip addr del 127.0.0.1/8 dev lo") != 0)
                skip();
        server_start(&six, arguments);
        snprintf(url, sizeof(url), "http://localhost:%u/data/100000", six.port);
        request = request_for(f, 1, url, &piece);
        assert_done(fetch(f, &request));
        assert_content(f, 0, 0, 100000);
        assert_string_equal(f->records[1].address, "::1");
        server_stop(&six);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(a_public_server_may_not_send_us_to_this_machine),
                TEST(the_first_url_and_private_servers_may_lead_anywhere),
                TEST(once_public_the_whole_chain_is_held_to_it),
                TEST(a_machine_with_ipv6_only_fetches), /* last: it leaves the network of the others */
        };
        return cmocka_run_group_tests(tests, setup_group, teardown_group);
}

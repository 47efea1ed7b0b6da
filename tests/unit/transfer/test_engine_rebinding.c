/* Names whose addresses change between two look-ups (DNS rebinding): a redirect from a public address reaches no private one by them
 * (design decision 21), whatever dosvc-resolve says and whatever connections are there already. In a network of our own, in which all
 * of the private addresses would answer. */
#include "fixture.h"

#include <errno.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/address.h"
#include "base/fds.h"
#include "flipping_names.h"

/* Where whoever asks for an address in flipping_names.h comes out; fe80::1 has no zone there and leads nowhere. */
static const char *const private_addresses[] = { "127.0.0.1", "::1", "10.1.2.3", "169.254.169.254", "fd00::1", "64:ff9b::7f00:1" };

static struct server public, private;
static int listeners[ELEMENTSOF(private_addresses)]; /* at the port of the public server */
static bool has_network;

static int listen_at(const char *host, unsigned port) {
        struct sockaddr_storage address;
        socklen_t len;
        int fd;

        assert_int_equal(address_parse_host(host, (uint16_t) port, &address, &len), 1);
        fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        assert_true(fd >= 0);
        assert_int_equal(bind(fd, (struct sockaddr *) &address, len), 0);
        assert_int_equal(listen(fd, 16), 0);
        return fd;
}

static unsigned count_connections(void) {
        unsigned n = 0;

        for (size_t i = 0; i < ELEMENTSOF(listeners); i++)
                for (int fd; (fd = accept4(listeners[i], NULL, NULL, SOCK_CLOEXEC)) >= 0; n++)
                        (void) fd_close(fd);
        return n;
}

static bool make_network(void) {
        char command[128];

        if (unshare(CLONE_NEWNET) < 0 || system("ip link set lo up && ip addr add " PUBLIC "/32 dev lo") != 0)
                return false;
        for (size_t i = 2; i < ELEMENTSOF(private_addresses); i++) { /* the first two are there */
                snprintf(command, sizeof(command), "ip addr add %s dev lo%s", private_addresses[i],
                         strchr(private_addresses[i], ':') ? " nodad" : "");
                if (system(command) != 0)
                        return false;
        }
        return true;
}

static int setup_group(void **state) {
        static const char *const public_arguments[] = { "--address", PUBLIC, NULL };

        has_network = make_network();
        if (!has_network)
                return 0;
        server_start(&public, public_arguments);
        server_start(&private, NULL);
        for (size_t i = 0; i < ELEMENTSOF(listeners); i++)
                listeners[i] = listen_at(private_addresses[i], public.port);
        return 0;
}

static int teardown_group(void **state) {
        if (!has_network)
                return 0;
        for (size_t i = 0; i < ELEMENTSOF(listeners); i++)
                listeners[i] = fd_close(listeners[i]);
        server_stop(&public);
        server_stop(&private);
        return 0;
}

static int setup_with(void **state, const char *program) {
        int r = fixture_setup(state);

        if (r == 0)
                fixture_use_resolver(*state, getenv(program));
        return r;
}

static int setup_honest(void **state) {
        return setup_with(state, "DOSVC_TEST_FLIPPING_RESOLVE");
}

static int setup_lying(void **state) {
        return setup_with(state, "DOSVC_TEST_LYING_RESOLVE");
}

static struct record *get(struct fixture *f, uint64_t id, const char *url) {
        struct engine_piece piece;
        struct engine_request request = request_for(f, id, url, &piece);

        if (!has_network)
                skip();
        return fetch(f, &request);
}

/* @from sends us to @to; ports are those of the servers. */
static struct record *follow(struct fixture *f, uint64_t id, const char *from, unsigned from_port, const char *to, unsigned to_port) {
        char url[512];

        snprintf(url, sizeof(url), "http://%s:%u/redirect/302?to=http://%s:%u/data/10", from, from_port, to, to_port);
        return get(f, id, url);
}

static void assert_refused(const struct record *record) {
        assert_failed(record, ERROR_ADDRESS_REFUSED);
        assert_false(record->result.transient);
        assert_int_equal(record->n_metadata, 0);
        assert_int_equal(count_connections(), 0);
}

static void every_private_address_would_have_been_reached(void **state) {
        struct fixture *f = *state;

        if (!has_network)
                skip();
        for (size_t i = 0; i < ELEMENTSOF(private_addresses); i++) {
                struct sockaddr_storage address;
                socklen_t len;
                int fd;

                assert_int_equal(address_parse_host(private_addresses[i], (uint16_t) public.port, &address, &len), 1);
                fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
                assert_int_equal(connect(fd, (struct sockaddr *) &address, len), 0);
                assert_int_equal(count_connections(), 1);
                (void) fd_close(fd);
        }
        /* And the names are what they say: whom no redirect sent there gets what is there. */
        assert_done(follow(f, 1, "l.test", private.port, "p.test", public.port));
        assert_string_equal(f->records[1].address, PUBLIC);
}

static void a_name_that_turns_private_is_refused(void **state) {
        static const char *const names[] = {
                "p.l.test", "p.s.test", "p.m.test", "p.z.test", "p.y.test", "p.t.test",
                "p.k.test", "p.f.test", "p.u.test", "p.n.test", "p.c.test",
        };
        struct fixture *f = *state;

        for (size_t i = 0; i < ELEMENTSOF(names); i++)
                assert_refused(follow(f, i + 1, names[i], public.port, names[i], public.port));
}

static void one_private_address_among_public_ones_is_enough(void **state) {
        static const char *const names[] = { "p.pl.test", "p.lp.test", "p.pk.test", "p.ppppm.test", "p.pf.test", "p.pz.test" };
        struct fixture *f = *state;

        for (size_t i = 0; i < ELEMENTSOF(names); i++)
                assert_refused(follow(f, i + 1, names[i], public.port, names[i], public.port));
}

static void what_was_private_when_its_owner_asked_is_not_when_a_redirect_does(void **state) {
        struct fixture *f = *state;
        char url[128];

        snprintf(url, sizeof(url), "http://l.test:%u/data/10", private.port);
        assert_done(get(f, 1, url)); /* and is in the cache of names */
        assert_string_equal(f->records[1].address, "127.0.0.1");
        assert_refused(follow(f, 2, PUBLIC, public.port, "l.test", private.port));
        assert_done(get(f, 3, url));
}

static void an_old_connection_of_the_name_is_not_used(void **state) {
        struct fixture *f = *state;
        char url[128];

        snprintf(url, sizeof(url), "http://l.p.test:%u/data/10", private.port);
        assert_done(get(f, 1, url)); /* its connection stays */
        assert_refused(follow(f, 2, PUBLIC, public.port, "l.p.test", private.port));
        assert_string_equal(f->records[2].text, "127.0.0.1");
}

static void a_resolver_that_lets_everything_pass_is_not_believed(void **state) {
        static const char *const names[] = { "l.test", "s.test", "m.test", "z.test", "y.test", "t.test", "k.test", "f.test",
                                             "u.test", "n.test", "c.test", "lk.test" };
        struct fixture *f = *state;

        for (size_t i = 0; i < ELEMENTSOF(names); i++)
                assert_refused(follow(f, i + 1, PUBLIC, public.port, names[i], public.port));
}

static void of_what_it_says_the_public_address_is_used(void **state) {
        static const char *const names[] = { "lp.test", "pl.test", "p.l.test" };
        struct fixture *f = *state;

        for (size_t i = 0; i < ELEMENTSOF(names); i++) {
                assert_done(follow(f, i + 1, PUBLIC, public.port, names[i], public.port));
                assert_string_equal(f->records[i + 1].address, PUBLIC);
                assert_int_equal(count_connections(), 0);
        }
}

#define HONEST(name) cmocka_unit_test_setup_teardown(name, setup_honest, fixture_teardown)
#define LYING(name) cmocka_unit_test_setup_teardown(name, setup_lying, fixture_teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                HONEST(every_private_address_would_have_been_reached),
                HONEST(a_name_that_turns_private_is_refused),
                HONEST(one_private_address_among_public_ones_is_enough),
                HONEST(what_was_private_when_its_owner_asked_is_not_when_a_redirect_does),
                HONEST(an_old_connection_of_the_name_is_not_used),
                LYING(a_resolver_that_lets_everything_pass_is_not_believed),
                LYING(of_what_it_says_the_public_address_is_used),
        };
        return cmocka_run_group_tests(tests, setup_group, teardown_group);
}

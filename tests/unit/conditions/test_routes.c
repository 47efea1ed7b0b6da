/* The kernel's own routes, in a network namespace of the test's own: links are made with ip(8), and what routes.c says of them is seen. */
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/log.h"
#include "conditions/routes.h"

#define SKIPPED 77
#define PATIENCE_USEC (10 * USEC_PER_SEC)

static void nobody_is_told(void *userdata) {
}

static void ip(const char *words) {
        char line[256];

        snprintf(line, sizeof(line), "ip %s", words);
        if (system(line) != 0)
                fail_msg("%s", line);
}

/* Whether the way to everywhere is a VPN, once the link named "way" has the default route. */
static bool is_vpn(const char *keywords) {
        sd_event *event = NULL;
        struct routes *routes;
        bool answer;

        assert_true(sd_event_new(&event) >= 0);
        assert_int_equal(routes_new(event, keywords, nobody_is_told, NULL, &routes), 0);
        assert_int_equal(routes_now(routes)->reach, NETWORK_FULL);
        answer = routes_now(routes)->is_vpn;
        routes_free(routes);
        sd_event_unref(event);
        return answer;
}

static void use(const char *name) {
        char words[128];

        snprintf(words, sizeof(words), "addr add 192.0.2.1/24 dev %s", name);
        ip(words);
        snprintf(words, sizeof(words), "link set %s up", name);
        ip(words);
        snprintf(words, sizeof(words), "route replace default dev %s", name);
        ip(words);
}

static void a_plain_link_is_none_and_a_keyword_in_its_name_or_alias_makes_it_one(void **state) {
        ip("link add worknet type veth peer name far");
        ip("link set far up");
        use("worknet");
        assert_false(is_vpn("VPN,Secure"));
        assert_true(is_vpn("VPN,WorkNet"));
        ip("link set worknet alias \"Secure way to the office\"");
        assert_true(is_vpn("VPN,secure"));
        assert_false(is_vpn("VPN"));
        ip("link del worknet");
}

static void a_tunnel_of_the_kernel_is_one_whatever_its_name(void **state) {
        ip("tuntap add mode tun name plain");
        use("plain");
        assert_true(is_vpn(""));
        ip("link del plain");
}

static void a_tunnel_that_is_not_the_way_does_not_count(void **state) {
        ip("link add worknet type veth peer name far");
        ip("link set far up");
        ip("tuntap add mode tun name plain");
        ip("addr add 198.51.100.1/24 dev plain");
        ip("link set plain up");
        use("worknet");
        assert_false(is_vpn("plain"));
        ip("link del worknet");
        ip("link del plain");
}

static void note_change(void *userdata) {
        (*(unsigned *) userdata)++;
}

static void wait_for_change(sd_event *event, const unsigned *n, unsigned wanted) {
        for (uint64_t end = clock_now(&clock_system, CLOCK_ID_MONOTONIC) + PATIENCE_USEC; *n < wanted;) {
                assert_true(clock_now(&clock_system, CLOCK_ID_MONOTONIC) < end);
                assert_true(sd_event_run(event, USEC_PER_SEC) >= 0);
        }
}

static void other_keywords_and_other_ways_are_told(void **state) {
        sd_event *event = NULL;
        struct routes *routes;
        unsigned n = 0;

        ip("link add worknet type veth peer name far");
        ip("link set far up");
        use("worknet");
        assert_true(sd_event_new(&event) >= 0);
        assert_int_equal(routes_new(event, "VPN", note_change, &n, &routes), 0);
        assert_false(routes_now(routes)->is_vpn);
        assert_int_equal(routes_set_vpn_keywords(routes, "worknet"), 0);
        wait_for_change(event, &n, 1);
        assert_true(routes_now(routes)->is_vpn);
        ip("link add lan type veth peer name beyond");
        ip("link set beyond up");
        use("lan");
        wait_for_change(event, &n, 2);
        assert_false(routes_now(routes)->is_vpn);
        routes_free(routes);
        sd_event_unref(event);
        ip("link del lan");
        ip("link del worknet");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_plain_link_is_none_and_a_keyword_in_its_name_or_alias_makes_it_one),
                cmocka_unit_test(a_tunnel_of_the_kernel_is_one_whatever_its_name),
                cmocka_unit_test(a_tunnel_that_is_not_the_way_does_not_count),
                cmocka_unit_test(other_keywords_and_other_ways_are_told),
        };

        log_setup("test", LOG_LEVEL_ERROR);
        if (unshare(CLONE_NEWNET) < 0 || system("ip link set lo up") != 0 || access("/dev/net/tun", R_OK | W_OK) < 0) {
                printf("SKIP: a network namespace of its own takes root, ip and /dev/net/tun\n");
                return SKIPPED;
        }
        return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "base/address.h"

#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/un.h>

#include <cmocka.h>

static const struct {
        const char *host;
        enum address_class class;
} rows[] = {
        { "8.8.8.8", ADDRESS_PUBLIC },
        { "1.0.0.0", ADDRESS_PUBLIC },
        { "0.0.0.0", ADDRESS_UNSPECIFIED },
        { "0.1.2.3", ADDRESS_UNSPECIFIED },
        { "9.255.255.255", ADDRESS_PUBLIC },
        { "10.0.0.0", ADDRESS_PRIVATE },
        { "10.255.255.255", ADDRESS_PRIVATE },
        { "11.0.0.0", ADDRESS_PUBLIC },
        { "100.63.255.255", ADDRESS_PUBLIC },
        { "100.64.0.0", ADDRESS_PRIVATE },
        { "100.127.255.255", ADDRESS_PRIVATE },
        { "100.128.0.0", ADDRESS_PUBLIC },
        { "126.255.255.255", ADDRESS_PUBLIC },
        { "127.0.0.1", ADDRESS_LOOPBACK },
        { "127.255.255.255", ADDRESS_LOOPBACK },
        { "128.0.0.0", ADDRESS_PUBLIC },
        { "169.253.255.255", ADDRESS_PUBLIC },
        { "169.254.169.254", ADDRESS_LINK_LOCAL },
        { "169.255.0.0", ADDRESS_PUBLIC },
        { "172.15.255.255", ADDRESS_PUBLIC },
        { "172.16.0.0", ADDRESS_PRIVATE },
        { "172.31.255.255", ADDRESS_PRIVATE },
        { "172.32.0.0", ADDRESS_PUBLIC },
        { "192.0.0.8", ADDRESS_RESERVED },
        { "192.0.2.1", ADDRESS_DOCUMENTATION },
        { "192.88.99.1", ADDRESS_RESERVED },
        { "192.167.255.255", ADDRESS_PUBLIC },
        { "192.168.0.1", ADDRESS_PRIVATE },
        { "192.169.0.0", ADDRESS_PUBLIC },
        { "198.17.255.255", ADDRESS_PUBLIC },
        { "198.18.0.0", ADDRESS_BENCHMARK },
        { "198.19.255.255", ADDRESS_BENCHMARK },
        { "198.20.0.0", ADDRESS_PUBLIC },
        { "198.51.100.9", ADDRESS_DOCUMENTATION },
        { "203.0.113.9", ADDRESS_DOCUMENTATION },
        { "223.255.255.255", ADDRESS_PUBLIC },
        { "224.0.0.1", ADDRESS_MULTICAST },
        { "239.255.255.255", ADDRESS_MULTICAST },
        { "240.0.0.1", ADDRESS_RESERVED },
        { "255.255.255.255", ADDRESS_RESERVED },

        { "::", ADDRESS_UNSPECIFIED },
        { "::1", ADDRESS_LOOPBACK },
        { "[::1]", ADDRESS_LOOPBACK },
        { "::2", ADDRESS_UNSPECIFIED }, /* IPv4-compatible 0.0.0.2 */
        { "::127.0.0.1", ADDRESS_LOOPBACK },
        { "::ffff:127.0.0.1", ADDRESS_LOOPBACK },
        { "::ffff:10.1.2.3", ADDRESS_PRIVATE },
        { "::ffff:8.8.8.8", ADDRESS_PUBLIC },
        { "::ffff:0:127.0.0.1", ADDRESS_LOOPBACK },
        { "64:ff9b::7f00:1", ADDRESS_LOOPBACK },
        { "64:ff9b::a9fe:a9fe", ADDRESS_LINK_LOCAL },
        { "64:ff9b::808:808", ADDRESS_PUBLIC },
        { "64:ff9b:1::10.0.0.1", ADDRESS_PRIVATE },
        { "64:ff9b:2::1", ADDRESS_RESERVED },
        { "100::1", ADDRESS_RESERVED },
        { "2001::1", ADDRESS_RESERVED },                         /* Teredo of 255.255.255.254 */
        { "2001:0:808:808::80ff:fffe", ADDRESS_LOOPBACK },       /* Teredo of 127.0.0.1 */
        { "2001:0:808:808::f7f7:f7f7", ADDRESS_PUBLIC },         /* Teredo of 8.8.8.8 */
        { "2001:2::1", ADDRESS_BENCHMARK },
        { "2001:db8::1", ADDRESS_DOCUMENTATION },
        { "2001:4860:4860::8888", ADDRESS_PUBLIC },
        { "2002:7f00:1::1", ADDRESS_LOOPBACK },
        { "2002:c0a8:101::1", ADDRESS_PRIVATE },
        { "2002:808:808::1", ADDRESS_PUBLIC },
        { "2606:4700::1111", ADDRESS_PUBLIC },
        { "3fff::1", ADDRESS_DOCUMENTATION },
        { "3fff:1000::1", ADDRESS_PUBLIC },
        { "4000::1", ADDRESS_RESERVED },
        { "5f00::1", ADDRESS_RESERVED },
        { "fc00::1", ADDRESS_PRIVATE },
        { "fdff:ffff::1", ADDRESS_PRIVATE },
        { "fe00::1", ADDRESS_RESERVED },
        { "fe80::1", ADDRESS_LINK_LOCAL },
        { "febf::1", ADDRESS_LINK_LOCAL },
        { "fec0::1", ADDRESS_PRIVATE },
        { "ff02::1", ADDRESS_MULTICAST },

        { "127.1", ADDRESS_LOOPBACK },
        { "2130706433", ADDRESS_LOOPBACK },
        { "0x7f000001", ADDRESS_LOOPBACK },
        { "0X7F.1", ADDRESS_LOOPBACK },
        { "0177.0.0.1", ADDRESS_LOOPBACK },
        { "017700000001", ADDRESS_LOOPBACK },
        { "0", ADDRESS_UNSPECIFIED },
        { "0xa9fea9fe", ADDRESS_LINK_LOCAL },
        { "10.1", ADDRESS_PRIVATE },
};

static void each_address_is_classified(void **state) {
        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                struct sockaddr_storage address;
                socklen_t len;
                enum address_class class;

                assert_int_equal(address_parse_host(rows[i].host, 80, &address, &len), 1);
                assert_int_equal(len, address.ss_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6));
                class = address_classify((struct sockaddr *) &address);
                if (class != rows[i].class)
                        fail_msg("%s is %s", rows[i].host, address_class_name(class));
        }
}

static void a_redirect_from_public_stays_public(void **state) {
        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                struct sockaddr_storage address;
                socklen_t len;
                bool public = rows[i].class == ADDRESS_PUBLIC || rows[i].class == ADDRESS_DOCUMENTATION;

                assert_int_equal(address_parse_host(rows[i].host, 80, &address, &len), 1);
                assert_int_equal(address_is_public((struct sockaddr *) &address), public);
                assert_int_equal(address_redirect_is_allowed(true, (struct sockaddr *) &address), public);
                assert_true(address_redirect_is_allowed(false, (struct sockaddr *) &address));
        }
}

static void names_are_not_addresses(void **state) {
        static const char *const names[] = {
                "localhost", "example.com", "1.2.3.4.5", "256.1.1.1", "1.2.3.4 ", " 1.2.3.4", "1.2.3.4 x", "0x100000000", "",
                "[]", "[::1", "::1]", "fe80::1%lo", "08.0.0.1", "1.2.3.4.", "::ffff:1.2.3", "abc", "dead.beef",
                "1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb",
        };

        for (size_t i = 0; i < ELEMENTSOF(names); i++) {
                struct sockaddr_storage address;
                socklen_t len;

                if (address_parse_host(names[i], 80, &address, &len) != 0)
                        fail_msg("%s is taken for an address", names[i]);
        }
}

static void other_families_are_never_public(void **state) {
        struct sockaddr_un un = { .sun_family = AF_UNIX };

        assert_int_equal(address_classify((struct sockaddr *) &un), ADDRESS_UNKNOWN);
        assert_false(address_redirect_is_allowed(true, (struct sockaddr *) &un));
}

static void addresses_print_without_a_port(void **state) {
        struct sockaddr_storage address;
        char text[ADDRESS_TEXT_MAX];
        socklen_t len;

        assert_int_equal(address_parse_host("192.0.2.1", 80, &address, &len), 1);
        assert_int_equal(((struct sockaddr_in *) &address)->sin_port, htons(80));
        assert_string_equal(address_to_text((struct sockaddr *) &address, text), "192.0.2.1");
        assert_int_equal(address_parse_host("[2001:DB8::1]", 80, &address, &len), 1);
        assert_string_equal(address_to_text((struct sockaddr *) &address, text), "2001:db8::1");
}

static void every_class_has_a_name(void **state) {
        for (int i = 0; i < _ADDRESS_CLASS_MAX; i++)
                assert_non_null(address_class_name((enum address_class) i));
        assert_null(address_class_name(_ADDRESS_CLASS_MAX));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(each_address_is_classified),
                cmocka_unit_test(a_redirect_from_public_stays_public),
                cmocka_unit_test(names_are_not_addresses),
                cmocka_unit_test(other_families_are_never_public),
                cmocka_unit_test(addresses_print_without_a_port),
                cmocka_unit_test(every_class_has_a_name),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

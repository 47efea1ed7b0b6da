/* Option 235 as the clients of NetworkManager show it: bytes that anybody on the network may have sent. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "conditions/dhcp.h"

static const struct row {
        const char *value, *hosts;
} rows[] = {
        { "63:61:63:68:65", "cache" },
        { "31:30:2e:30:2e:30:2e:35:2C:63:2e:65:78:61:6D:70:6c:65:3a:38:30", "10.0.0.5,c.example:80" },
        { "63:61:63:68:65:00", "cache" },
        { "63:00:63", "" },
        { "63:0a:63", "" },
        { "00", "" },
        { "cache.example", "cache.example" },
        { "\"cache.example, 10.0.0.5:8080\"", "cache.example, 10.0.0.5:8080" },
        { "[2001:db8::5]:80", "[2001:db8::5]:80" },
        { "10.0.0.5", "10.0.0.5" },
        { "ca:fe", "" }, /* digits of bytes that are no text */
        { "ab", "" },
        { "63:61:6", "63:61:6" },
        { "http://cache/", "" },
        { "cache/x", "" },
        { "cache\"@evil", "cache" },
        { "user@cache", "" },
        { "cach\xc3\xa9", "" },
        { "", "" },
        { "\"\"", "" },
};

static void values_are_hosts_as_the_rows_say(void **state) {
        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                char hosts[CONDITIONS_HOSTS_MAX + 1];

                memset(hosts, 'x', sizeof(hosts));
                if (dhcp_decode_hosts(rows[i].value, hosts) != (*rows[i].hosts != 0) || strcmp(hosts, rows[i].hosts) != 0)
                        fail_msg("%s: %s", rows[i].value, hosts);
        }
}

static void an_option_of_full_length_is_read_and_a_longer_one_is_not(void **state) {
        char text[CONDITIONS_HOSTS_MAX + 2] = "", digits[DHCP_VALUE_MAX + 4] = "", hosts[CONDITIONS_HOSTS_MAX + 1];

        memset(text, 'a', CONDITIONS_HOSTS_MAX);
        for (size_t i = 0; i < CONDITIONS_HOSTS_MAX; i++)
                memcpy(digits + 3 * i, "61:", 3);
        digits[3 * CONDITIONS_HOSTS_MAX - 1] = 0;
        assert_true(dhcp_decode_hosts(text, hosts));
        assert_string_equal(hosts, text);
        assert_true(dhcp_decode_hosts(digits, hosts));
        assert_string_equal(hosts, text);
        strcat(text, "a");
        strcat(digits, ":61");
        assert_false(dhcp_decode_hosts(text, hosts));
        assert_false(dhcp_decode_hosts(digits, hosts));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(values_are_hosts_as_the_rows_say),
                cmocka_unit_test(an_option_of_full_length_is_read_and_a_longer_one_is_not),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

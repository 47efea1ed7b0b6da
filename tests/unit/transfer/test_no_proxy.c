#include "transfer/no_proxy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static const struct {
        const char *list, *host;
        int named;
} rows[] = {
        { "", "h", 0 },
        { "*", "h", 1 },
        { "*", "192.0.2.1", 1 },
        { "*,x", "h", 0 }, /* alone, or not at all */
        { "h", "h", 1 },
        { "H", "h", 1 },
        { "x,h", "h", 1 },
        { "x h", "h", 1 },
        { " x ,\t,, h ", "h", 1 },
        { "x,y", "h", 0 },
        { "example.com", "example.com", 1 },
        { "example.com", "www.example.com", 1 },
        { "example.com", "notexample.com", 0 },
        { "example.com", "com", 0 },
        { ".example.com", "example.com", 1 },
        { ".example.com", "a.b.example.com", 1 },
        { "example.com.", "example.com", 1 },
        { "example.com", "www.example.com.", 1 },
        { ".", "example.com", 0 },
        { "..", "example.com", 0 },
        { "example.com:80", "example.com", 0 },
        { "*.example.com", "www.example.com", 0 },
        { "b\xc3\xbc" "cher.example", "www.xn--bcher-kva.example", 1 },
        { ".B\xc3\x9c" "CHER.example", "xn--bcher-kva.example", 1 },
        { "\xc3,h", "h", 1 },
        { "xn--bcher-kva.example", "xn--bcher-kva.example", 1 },
        { "192.0.2.1", "192.0.2.1", 1 },
        { "192.0.2.1", "192.0.2.10", 0 },
        { "2.1", "192.0.2.1", 0 }, /* no name's end */
        { "192.0.2.0/24", "192.0.2.77", 1 },
        { "192.0.2.0/24", "192.0.3.77", 0 },
        { "192.0.2.0/25", "192.0.2.127", 1 },
        { "192.0.2.0/25", "192.0.2.128", 0 },
        { "192.0.2.1/32", "192.0.2.1", 1 },
        { "192.0.2.1/33", "192.0.2.1", 0 },
        { "192.0.2.1/-1", "192.0.2.1", 0 },
        { "192.0.2.1/0", "192.0.2.2", 0 },
        { "10.0.0.0/8", "x.10.0.0.0", 0 },
        { "::1", "::1", 1 },
        { "0:0::1", "::1", 1 },
        { "[::1]", "::1", 0 },
        { "fd00::/8", "fdff::1", 1 },
        { "fd00::/8", "fe80::1", 0 },
        { "2001:db8::/33", "2001:db8:7fff::1", 1 },
        { "2001:db8::/33", "2001:db8:8000::1", 0 },
        { "2001:db8::1/129", "2001:db8::1", 0 },
        { "127.0.0.1", "::ffff:127.0.0.1", 0 },
        { "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa,192.0.2.1", "192.0.2.1", 1 },
};

static void hosts_are_named_as_libcurl_has_it(void **state) {
        for (size_t i = 0; i < ELEMENTSOF(rows); i++)
                if (no_proxy_names(rows[i].list, rows[i].host) != rows[i].named)
                        fail_msg("\"%s\" names %s: not %d", rows[i].list, rows[i].host, rows[i].named);
}

static const struct {
        const char *list, *host;
        int named;
} bypass_rows[] = {
        { "", "h", 0 },
        { "h", "h", 1 },
        { "H.Example", "h.eXample", 1 },
        { "h.example", "h.example.", 1 },
        { "h.example.", "h.example", 1 },
        { "example.com", "www.example.com", 0 }, /* unlike no_proxy */
        { ".example.com", "www.example.com", 0 },
        { "a;b c,h\td", "h", 1 },
        { "a;b c,,\t", "h", 0 },
        { "*", "h", 1 },
        { "*", "192.0.2.1", 1 },
        { "x *", "h.example", 1 },
        { "*.example.com", "www.example.com", 1 },
        { "*.example.com", "a.b.example.com", 1 },
        { "*.example.com", "example.com", 0 },
        { "*example.com", "example.com", 1 },
        { "*example.com", "notexample.com", 1 },
        { "www.*.com", "www.example.com", 1 },
        { "www.*.com", "www.example.org", 0 },
        { "*a*b*c", "xaxbxbxc", 1 },
        { "*a*b*c", "xaxcxb", 0 },
        { "h**", "h", 1 },
        { "h?", "hh", 0 },
        { "[h]", "h", 0 },
        { "192.168.*", "192.168.7.1", 1 },
        { "192.168.*", "192.169.7.1", 0 },
        { "192.168.0.0/16", "192.168.7.1", 1 },
        { "192.0.2.1", "192.0.2.1", 1 },
        { "192.0.2.1", "192.0.2.10", 0 },
        { "2001:db8::*", "2001:db8::1", 1 },
        { "0:0::1", "::1", 1 },
        { "<local>", "intranet", 1 },
        { "<LOCAL>", "intranet.", 1 },
        { "<local>", "intranet.example", 0 },
        { "<local>", "192.0.2.1", 0 },
        { "<local>", "::1", 0 },
        { "*.example;<local>", "intranet", 1 },
        { "b\xc3\xbc" "cher.example", "xn--bcher-kva.example", 1 },
        { "*.B\xc3\x9c" "CHER.example", "www.xn--bcher-kva.example", 1 },
        { "\xc3 h", "h", 1 },
};

static void hosts_are_bypassed_as_windows_has_it(void **state) {
        for (size_t i = 0; i < ELEMENTSOF(bypass_rows); i++)
                if (proxy_bypass_names(bypass_rows[i].list, bypass_rows[i].host) != bypass_rows[i].named)
                        fail_msg("\"%s\" names %s: not %d", bypass_rows[i].list, bypass_rows[i].host, bypass_rows[i].named);
}

static void many_stars_cost_no_more_than_their_letters(void **state) {
        char pattern[4001], host[254];

        for (size_t i = 0; i + 1 < sizeof(pattern); i++)
                pattern[i] = i % 2 ? 'a' : '*';
        pattern[sizeof(pattern) - 1] = 0;
        memset(host, 'a', sizeof(host) - 1);
        host[sizeof(host) - 1] = 0;
        assert_int_equal(proxy_bypass_names(pattern, host), 0);
        pattern[500] = 0;
        assert_int_equal(proxy_bypass_names(pattern, host), 1);
        memcpy(&pattern[499], "b", 2);
        assert_int_equal(proxy_bypass_names(pattern, host), 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(hosts_are_named_as_libcurl_has_it),
                cmocka_unit_test(hosts_are_bypassed_as_windows_has_it),
                cmocka_unit_test(many_stars_cost_no_more_than_their_letters),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

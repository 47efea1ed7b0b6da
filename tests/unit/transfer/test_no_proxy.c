#include "transfer/no_proxy.h"

#include <setjmp.h>
#include <stdarg.h>

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

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(hosts_are_named_as_libcurl_has_it),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

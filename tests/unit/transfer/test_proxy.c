#include "transfer/proxy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct proxy_choice choose(const char *a, const char *b, bool https) {
        const char *variables[] = { a, b };
        struct proxy_choice choice;

        assert_int_equal(proxy_choose(variables, b ? 2 : a ? 1 : 0, https, "www.example", &choice), 0);
        return choice;
}

static void the_variable_of_the_scheme_counts(void **state) {
        struct proxy_choice c = choose("http_proxy=http://a:1", "https_proxy=http://b:2", false);

        assert_string_equal(c.host, "a");
        proxy_choice_done(&c);
        c = choose("http_proxy=http://a:1", "https_proxy=http://b:2", true);
        assert_string_equal(c.host, "b");
        assert_int_equal(c.port, 2);
        proxy_choice_done(&c);
        c = choose("http_proxy=http://a:1", NULL, true);
        assert_string_equal(c.url, "");
        proxy_choice_done(&c);
        c = choose("ALL_PROXY=http://c:3", "no_proxy=x,y", true);
        assert_string_equal(c.host, "c");
        proxy_choice_done(&c);
}

static void upper_case_http_proxy_never_counts(void **state) {
        struct proxy_choice c = choose("HTTP_PROXY=http://evil:1", NULL, false);

        assert_string_equal(c.url, "");
        proxy_choice_done(&c);
        c = choose("HTTPS_PROXY=http://good:1", NULL, true);
        assert_string_equal(c.host, "good");
        proxy_choice_done(&c);
}

static void a_port_is_always_there(void **state) {
        struct proxy_choice c = choose("http_proxy=ftp.example", NULL, false);

        assert_string_equal(c.host, "ftp.example");
        assert_int_equal(c.port, 1080);
        assert_string_equal(c.url, "http://ftp.example:1080/");
        proxy_choice_done(&c);
        c = choose("http_proxy=https://p", NULL, false);
        assert_int_equal(c.port, 443);
        proxy_choice_done(&c);
        c = choose("http_proxy=http://u:p@[2001:db8::1]:8", NULL, false);
        assert_string_equal(c.host, "2001:db8::1");
        assert_string_equal(c.url, "http://u:p@[2001:db8::1]:8/");
        proxy_choice_done(&c);
}

static void a_proxy_beyond_ascii_is_written_in_it(void **state) {
        struct proxy_choice c = choose("http_proxy=http://b\xc3\xbc" "cher.example:3128", NULL, false);

        assert_string_equal(c.host, "xn--bcher-kva.example");
        assert_string_equal(c.url, "http://xn--bcher-kva.example:3128/");
        proxy_choice_done(&c);
}

static void some_proxies_want_to_be_told_an_address(void **state) {
        static const struct {
                const char *variable;
                bool wants_address;
        } rows[] = {
                { "all_proxy=h:1", false },          { "all_proxy=http://h:1", false },   { "all_proxy=https://h:1", false },
                { "all_proxy=socks4://h:1", true },  { "all_proxy=socks4a://h:1", false }, { "all_proxy=SOCKS5://h:1", true },
                { "all_proxy=socks5h://h:1", false }, { "all_proxy=socks://h", true },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                struct proxy_choice c = choose(rows[i].variable, NULL, false);

                assert_int_equal(c.wants_address, rows[i].wants_address);
                proxy_choice_done(&c);
        }
}

static void an_empty_variable_is_none(void **state) {
        struct proxy_choice c = choose("http_proxy=", NULL, false);

        assert_string_equal(c.url, "");
        proxy_choice_done(&c);
        c = choose(NULL, NULL, false);
        assert_string_equal(c.url, "");
        proxy_choice_done(&c);
}

static void a_host_that_no_proxy_names_has_none(void **state) {
        struct proxy_choice c = choose("all_proxy=http://c:3", "NO_PROXY=localhost, .Example", false);

        assert_string_equal(c.url, "");
        proxy_choice_done(&c);
        c = choose("all_proxy=http://c:3", "proxy_bypass=<local>;*.example", false);
        assert_string_equal(c.url, "");
        proxy_choice_done(&c);
        c = choose("all_proxy=http://c:3", "proxy_bypass=<local> example", false);
        assert_string_equal(c.host, "c");
        proxy_choice_done(&c);
        c = choose("http_proxy=:", "no_proxy=*", false); /* what it is does not matter then */
        assert_string_equal(c.url, "");
        proxy_choice_done(&c);
}

static void what_is_no_address_is_refused(void **state) {
        static const char *const bad[] = { "http_proxy=http://", "http_proxy=:", "http_proxy=http://h:99999", "http_proxy=http://[::1",
                                           "http_proxy=http://\xc3", "http_proxy=ftp://h:1" };
        struct proxy_choice c;

        for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
                assert_int_equal(proxy_choose(&bad[i], 1, false, "h", &c), -EINVAL);
                assert_string_equal(c.url, "");
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(the_variable_of_the_scheme_counts),
                cmocka_unit_test(upper_case_http_proxy_never_counts),
                cmocka_unit_test(a_port_is_always_there),
                cmocka_unit_test(a_proxy_beyond_ascii_is_written_in_it),
                cmocka_unit_test(some_proxies_want_to_be_told_an_address),
                cmocka_unit_test(an_empty_variable_is_none),
                cmocka_unit_test(a_host_that_no_proxy_names_has_none),
                cmocka_unit_test(what_is_no_address_is_refused),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}

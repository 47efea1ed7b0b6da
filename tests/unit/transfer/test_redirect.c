#include "transfer/redirect.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define BASE "http://u:p@Example.com:8080/a/b?q"

static void only_five_statuses_are_redirects(void **state) {
        for (unsigned status = 100; status < 600; status++)
                assert_int_equal(redirect_is_status(status),
                                 status == 301 || status == 302 || status == 303 || status == 307 || status == 308);
}

static void a_redirect_says_what_the_next_method_is(void **state) {
        static const struct {
                unsigned status;
                const char *method, *next;
        } cases[] = {
                { 301, NULL, NULL },      { 307, NULL, NULL },      { 303, "POST", NULL },    { 303, "PUT", NULL },
                { 301, "POST", NULL },    { 302, "POST", NULL },    { 307, "POST", "POST" },  { 308, "POST", "POST" },
                { 301, "PUT", "PUT" },    { 302, "REPORT", "REPORT" }, { 308, "PUT", "PUT" }, { 301, "post", "post" },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                const char *next = redirect_method(cases[i].status, cases[i].method);

                if (cases[i].next)
                        assert_string_equal(next, cases[i].next);
                else
                        assert_null(next);
        }
}

static const struct {
        const char *base, *location;
        int r;
        const char *target;
} redirects[] = {
        /* followed */
        { "http://h/a/b?q", "c", 0, "http://h/a/c" },
        { "http://h/a/b?q", "/c?d=e", 0, "http://h/c?d=e" },
        { "http://h/a/b?q", "?z", 0, "http://h/a/b?z" },
        { "http://h/a/b", "../../../x", 0, "http://h/x" },
        { "http://h/a/b", "//Other/x", 0, "http://other/x" },
        { "http://h/a/b", "HTTPS://Other:444/x#frag", 0, "https://other:444/x" },
        { "http://h/a/b", "x#frag", 0, "http://h/a/x" },
        { "http://h/", "/with blank", 0, "http://h/with%20blank" },
        { "http://h/", "/\xff\xfe", 0, "http://h/%ff%fe" },
        { "http://h/", "/%0a%0d", 0, "http://h/%0a%0d" },
        { "http://h/", "/?to=http://x\\y", 0, "http://h/?to=http://x\\y" },
        { "http://h/", "./a:b", 0, "http://h/a:b" },
        { "https://h/", "https://[::1]:8443/x", 0, "https://[::1]:8443/x" },
        { "http://h/", "https://h/", 0, "https://h/" },
        /* credentials stay with their origin */
        { BASE, "c", 0, "http://u:p@example.com:8080/a/c" },
        { BASE, "http://example.COM:8080/c", 0, "http://u:p@example.com:8080/c" },
        { BASE, "http://example.com/c", 0, "http://example.com/c" },
        { BASE, "//other/c", 0, "http://other/c" },
        { BASE, "https://example.com:8080/c", 0, "https://example.com:8080/c" },
        /* numbers for names are made visible */
        { "http://h/", "http://2130706433/", 0, "http://127.0.0.1/" },
        { "http://h/", "http://0x7f.1/", 0, "http://127.0.0.1/" },
        { "http://h/", "http://017700000001/", 0, "http://127.0.0.1/" },
        { "http://h/", "http://%31%32%37.0.0.1/", 0, "http://127.0.0.1/" },
        { "http://h/", "http://2130706%3433/", 0, "http://127.0.0.1/" },
        { "http://h/", "http://%30x7f.1/", 0, "http://127.0.0.1/" },
        /* hosts beyond ASCII are written in it */
        { "http://h/", "http://B\xc3\xbc" "cher.Example:81/\xc3\xbc", 0, "http://xn--bcher-kva.example:81/%c3%bc" },
        { "http://h/", "http://b%c3%bccher.example/", 0, "http://xn--bcher-kva.example/" },
        { "http://h/", "//stra\xc3\x9f" "e.example/", 0, "http://xn--strae-oqa.example/" },
        { "http://u:p@b\xc3\xbc" "cher/a", "//XN--bcher-kva/b", 0, "http://u:p@xn--bcher-kva/b" },
        { "http://b\xc3\xbc" "cher/a", "b", 0, "http://xn--bcher-kva/b" },
        { "http://h/", "http://\xef\xbc\x91\xef\xbc\x92\xef\xbc\x97.1/", 0, "http://127.0.0.1/" }, /* wide digits */
        { "http://h/", "http://127\xe3\x80\x82" "1/", 0, "http://127.0.0.1/" },                     /* an ideographic full stop */
        /* refused */
        { "https://h/", "http://h/", ERROR_INSECURE_REDIRECT, NULL },
        { "https://h/", "http://other/", ERROR_INSECURE_REDIRECT, NULL },
        { "http://h/", "", ERROR_INVALID_REDIRECT, NULL },
        { "http://h/", "#frag", ERROR_INVALID_REDIRECT, NULL },
        { "http://h/", "ftp://h/", ERROR_INVALID_REDIRECT, NULL },
        { "http://h/", "file:///etc/passwd", ERROR_INVALID_REDIRECT, NULL },
        { "http://h/", "gopher://h/", ERROR_INVALID_REDIRECT, NULL },
        { "http://h/", "javascript:alert(1)", ERROR_INVALID_REDIRECT, NULL },
        { "http://h/", "data:,x", ERROR_INVALID_REDIRECT, NULL },
        { "http://h/", "x:y", ERROR_INVALID_REDIRECT, NULL },
        { "http://h/", "http://u@h/", ERROR_INVALID_REDIRECT, NULL },
        { "http://h/", "http://u:p@h/", ERROR_INVALID_REDIRECT, NULL },
        { BASE, "http://u:p@example.com:8080/", ERROR_INVALID_REDIRECT, NULL },
        { "http://h/", "//u:p@other/", ERROR_INVALID_REDIRECT, NULL },
        { "http://h/", "http://@h/", ERROR_INVALID_REDIRECT, NULL },
        { "http://h/", "http://good\\@evil/", ERROR_INVALID_REDIRECT, NULL },
        { "http://h/", "\\\\evil\\x", ERROR_INVALID_REDIRECT, NULL },
        { "http://h/", "/\\evil", ERROR_INVALID_REDIRECT, NULL },
        { "http://h/", "http:///evil/", ERROR_INVALID_REDIRECT, NULL },
        { "http://h/", "http:/evil/", ERROR_INVALID_REDIRECT, NULL },
        { "http://h/", "http:evil", ERROR_INVALID_REDIRECT, NULL },
        { "http://h/", "///evil/", ERROR_INVALID_REDIRECT, NULL },
        { "http://h/", "http://", ERROR_INVALID_REDIRECT, NULL },
        { "http://h/", "http://h%0a/", ERROR_INVALID_REDIRECT, NULL },
        { "http://h/", "http://h%0d%0aX:y/", ERROR_INVALID_REDIRECT, NULL },
        { "http://h/", "http://h%00/", ERROR_INVALID_REDIRECT, NULL },
        { "http://h/", "http://h%2fx/", ERROR_INVALID_REDIRECT, NULL },
        { "http://h/", "http://h%40x/", ERROR_INVALID_REDIRECT, NULL },
        { "http://h/", "http://%/", ERROR_INVALID_REDIRECT, NULL },
        { "http://h/", "http://a b/", ERROR_INVALID_REDIRECT, NULL },
        { "http://h/", "/a\tb", ERROR_INVALID_REDIRECT, NULL },
        { "http://h/", "/a\nb", ERROR_INVALID_REDIRECT, NULL },
        { "http://h/", "/a\x01", ERROR_INVALID_REDIRECT, NULL },
        { "http://h/", "/a\x7f", ERROR_INVALID_REDIRECT, NULL },
        { "http://h/", "http://h:0/", ERROR_INVALID_REDIRECT, NULL },
        { "http://h/", "http://h:65536/", ERROR_INVALID_REDIRECT, NULL },
        { "http://h/", "http://h:80x/", ERROR_INVALID_REDIRECT, NULL },
        { "http://h/", "http://h:-1/", ERROR_INVALID_REDIRECT, NULL },
        { "http://h/", "http://[::1/", ERROR_INVALID_REDIRECT, NULL },
        { "http://h/", "http://[fe80::1%25eth0]/", ERROR_INVALID_REDIRECT, NULL },
        { "http://h/", "http://\xe4\xe4/", ERROR_INVALID_REDIRECT, NULL },        /* not UTF-8 */
        { "http://h/", "http://%25c3%25a4/", ERROR_INVALID_REDIRECT, NULL },
        { "http://h/", "http://good\xef\xbc\x8f.evil/", ERROR_INVALID_REDIRECT, NULL }, /* a wide slash */
        { "http://h/", "http://good\xef\xbc\xa0" "evil/", ERROR_INVALID_REDIRECT, NULL }, /* a wide @ */
        { "http://h/", "http://h\xef\xbc\x9a" "80/", ERROR_INVALID_REDIRECT, NULL },      /* a wide colon */
        { "http://h/", "http://\xc2\xad/", ERROR_INVALID_REDIRECT, NULL },              /* nothing but a soft hyphen */
};

static void each_location_leads_where_it_should_or_nowhere(void **state) {
        for (size_t i = 0; i < ELEMENTSOF(redirects); i++) {
                _cleanup_free_ char *target = NULL;
                int r = redirect_resolve(redirects[i].base, redirects[i].location, 0, false, &target);

                if (r != redirects[i].r)
                        fail_msg("%s: %d instead of %d", redirects[i].location, r, redirects[i].r);
                if (r == 0)
                        assert_string_equal(target, redirects[i].target);
                else
                        assert_null(target);
        }
}

static void https_may_lead_to_http_only_if_the_job_says_so(void **state) {
        _cleanup_free_ char *target = NULL;

        assert_int_equal(redirect_resolve("https://u:p@h/", "http://h/x", 0, true, &target), 0);
        assert_string_equal(target, "http://h/x"); /* and never with the credentials */
}

static void the_sixth_redirect_is_one_too_many(void **state) {
        _cleanup_free_ char *target = NULL;

        assert_int_equal(redirect_resolve("http://h/", "/x", LIMIT_REDIRECTS - 1, false, &target), 0);
        assert_int_equal(redirect_resolve("http://h/", "/x", LIMIT_REDIRECTS, false, &target), ERROR_TOO_MANY_REDIRECTS);
}

static void a_target_over_the_limit_is_refused(void **state) {
        static char location[LIMIT_URL + 2];
        _cleanup_free_ char *target = NULL;

        memset(location, 'x', LIMIT_URL - 9);
        location[0] = '/';
        assert_int_equal(redirect_resolve("http://hh/", location, 0, false, &target), 0);
        assert_int_equal(strlen(target), LIMIT_URL);
        location[LIMIT_URL - 9] = 'x';
        assert_int_equal(redirect_resolve("http://hh/", location, 0, false, &target), ERROR_INVALID_REDIRECT);
        memset(location, ' ', LIMIT_URL - 9); /* three times as long once encoded */
        location[0] = '/';
        location[LIMIT_URL - 9] = 0;
        assert_int_equal(redirect_resolve("http://hh/", location, 0, false, &target), ERROR_INVALID_REDIRECT);
}

/* All three readers of a URL are of one mind: what was once taken can be asked for later. */
static void a_host_has_255_bytes_at_most(void **state) {
        for (size_t n = URL_HOST_MAX - 1; n <= URL_HOST_MAX + 3; n++) {
                _cleanup_free_ char *normal = NULL, *target = NULL;
                bool is_good = n <= URL_HOST_MAX;
                char url[URL_HOST_MAX + 32];
                struct url_parts parts;

                memset(mempcpy(url, "http://", 7), 'h', n);
                memcpy(url + 7 + n, "/x", 3);
                assert_int_equal(url_normalize(url, &normal), is_good ? 0 : -EINVAL);
                assert_int_equal(url_parse(url, &parts), is_good ? 0 : -EINVAL);
                assert_int_equal(redirect_resolve("http://h/", url, 0, false, &target), is_good ? 0 : ERROR_INVALID_REDIRECT);
        }
}

static void an_origin_is_scheme_host_and_port(void **state) {
        static const struct {
                const char *a, *b;
                bool same;
        } rows[] = {
                { "http://h/a", "http://H:80/b?c", true },
                { "https://h/", "https://u:p@h:443/x", true },
                { "http://h/", "https://h/", false },
                { "http://h/", "http://h:81/", false },
                { "http://h/", "http://h./", false },
                { "http://h/", "http://i/", false },
                { "http://127.0.0.1/", "http://2130706433/", true },
                { "http://b\xc3\xbc" "cher.example/", "http://B%C3%9CCHER.example/", true },
                { "http://b\xc3\xbc" "cher.example/", "http://xn--bcher-kva.example:80/", true },
                { "http://b\xc3\xbc" "cher.example/", "http://bucher.example/", false },
                { "http://[::1]/", "http://[::1]:80/", true },
                { "nonsense", "nonsense", false },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++)
                assert_int_equal(url_is_same_origin(rows[i].a, rows[i].b), rows[i].same);
}

/* Labels have 63 bytes and names 253, however short they look. */
static void a_name_that_is_too_long_in_ascii_is_refused(void **state) {
        char url[512] = "http://";
        struct url_parts parts;

        for (size_t i = 0; i < 31; i++)
                strcat(url, "\xe4\xb8\x80");
        assert_int_equal(url_parse(url, &parts), 0);
        for (size_t i = 0; i < 62; i++)
                strcat(url, "\xc3\xa4");
        assert_int_equal(url_parse(url, &parts), -EILSEQ);
}

static void an_origin_string_has_path_and_port_but_no_query(void **state) {
        static const char *const rows[][2] = {
                { "http://u:p@Host/a/b?q#f", "http://host:80/a/b" },
                { "https://h", "https://h:443/" },
                { "http://[::1]:81/x", "http://[::1]:81/x" },
                { "http://h/a/../b", "http://h:80/b" },
        };
        _cleanup_free_ char *origin = NULL;

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                assert_int_equal(url_origin(rows[i][0], &origin), 0);
                assert_string_equal(origin, rows[i][1]);
        }
        assert_int_equal(url_origin("ftp://h/", &origin), -EPROTONOSUPPORT);
        assert_int_equal(url_origin("h", &origin), -EINVAL);
}

static void a_url_is_normalised_or_refused(void **state) {
        static const struct {
                const char *url;
                int r;
                const char *normal;
        } rows[] = {
                { "HTTP://Host/%7e?x#f", 0, "http://host/%7e?x" },
                { "http://h", 0, "http://h/" },
                { "http://u:p@h/x", 0, "http://u:p@h/x" },
                { "http://h:8080/a/./b", 0, "http://h:8080/a/b" },
                { "ftp://h/", -EPROTONOSUPPORT, NULL },
                { "file:///etc/passwd", -EPROTONOSUPPORT, NULL },
                { "nosuch://h/", -EPROTONOSUPPORT, NULL },
                { "http:///h/", -EINVAL, NULL },
                { "http:/h/", -EINVAL, NULL },
                { "http://", -EINVAL, NULL },
                { "h/x", -EINVAL, NULL },
                { "", -EINVAL, NULL },
                { "http://h/a b", -EINVAL, NULL },
                { "http://h/a\nb", -EINVAL, NULL },
                { "http://h:0/", -EINVAL, NULL },
                { "http://h%0a/", -EINVAL, NULL },
                { "http://u:p@b\xc3\xbc" "cher.example:80/a", 0, "http://u:p@xn--bcher-kva.example:80/a" },
                { "http://\xc3/", -EILSEQ, NULL },
                { "http://a\xef\xbc\x8f" "b/", -EILSEQ, NULL },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                _cleanup_free_ char *normal = NULL;
                int r = url_normalize(rows[i].url, &normal);

                if (r != rows[i].r)
                        fail_msg("%s: %d instead of %d", rows[i].url, r, rows[i].r);
                if (r == 0)
                        assert_string_equal(normal, rows[i].normal);
        }
}

static void what_is_normal_stays_as_it_is(void **state) {
        static const char *const urls[] = {
                "http://0x7f.1:080/", "http://017700000001", "http://1.2:/a", "http://[::FFFF:1]:81/../x", "HTTP://A.B././..//c?d#e",
                "http://h/a/../..?x/../y", "http://a-b_c/", "http://u@0x7f.1/", "http://%30x7f.1/", "http://h?a/b", "http://h/%2e%2e/x",
        };

        for (size_t i = 0; i < ELEMENTSOF(urls); i++) {
                _cleanup_free_ char *once = NULL, *twice = NULL;
                struct url_parts first, second;

                assert_int_equal(url_normalize(urls[i], &once), 0);
                assert_int_equal(url_normalize(once, &twice), 0);
                assert_string_equal(once, twice);
                assert_int_equal(url_parse(urls[i], &first), 0);
                assert_int_equal(url_parse(once, &second), 0);
                assert_string_equal(first.host, second.host);
                assert_int_equal(first.port, second.port);
        }
}

static void host_and_port_come_out_ready_to_be_resolved(void **state) {
        struct url_parts parts;

        assert_int_equal(url_parse("https://u@Host.Example/x", &parts), 0);
        assert_true(parts.https);
        assert_true(parts.has_credentials);
        assert_string_equal(parts.host, "host.example");
        assert_int_equal(parts.port, 443);
        assert_int_equal(url_parse("http://[::FFFF:127.0.0.1]:81/x", &parts), 0);
        assert_false(parts.https);
        assert_false(parts.has_credentials);
        assert_string_equal(parts.host, "::ffff:127.0.0.1");
        assert_int_equal(parts.port, 81);
        assert_int_equal(url_parse("http://0x7f000001/", &parts), 0);
        assert_string_equal(parts.host, "127.0.0.1");
        assert_int_equal(url_parse("http://2130706%3433/", &parts), 0);
        assert_string_equal(parts.host, "127.0.0.1");
        assert_int_equal(url_parse("https://B\xc3\x9c" "CHER.Example/x", &parts), 0);
        assert_string_equal(parts.host, "xn--bcher-kva.example");
        assert_int_equal(url_parse("nonsense", &parts), -EINVAL);
}

/* What libcurl is handed to ask for. */
static void the_parsed_url_is_the_one_that_was_judged(void **state) {
        static const struct {
                const char *url, *host, *query;
        } rows[] = {
                { "http://h/x?", "h", "" },
                { "http://h/x?a=%2f#f", "h", "a=%2f" },
                { "http://u:p@h/x?", "h", "" },
                { "http://%30x7f.1/?", "127.0.0.1", "" },
                { "http://2130706%3433/x", "127.0.0.1", NULL },
                { "http://b\xc3\xbc" "cher/x?", "xn--bcher-kva", "" },
        };
        CURLU *parsed = NULL;

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                char *host, *query = NULL;

                assert_int_equal(url_locate(rows[i].url, NULL, NULL, &parsed), 0);
                assert_int_equal(curl_url_get(parsed, CURLUPART_HOST, &host, 0), CURLUE_OK);
                assert_string_equal(host, rows[i].host);
                (void) curl_url_get(parsed, CURLUPART_QUERY, &query, 0);
                if (rows[i].query)
                        assert_string_equal(query, rows[i].query);
                else
                        assert_null(query);
                curl_free(host);
                curl_free(query);
        }
        assert_int_equal(url_locate("nonsense", NULL, NULL, &parsed), -EINVAL);
        curl_url_cleanup(parsed);
}

/* A host becomes longer when it is written in ASCII; what does not fit a frame then is no URL. */
static void an_origin_has_a_limit_too(void **state) {
        static const char head[] = "https://\xc3\xbc.\xc3\xbc.\xc3\xbc.\xc3\xbc.example/";
        char url[LIMIT_URL + 1], *origin = NULL;

        memset(url, 'p', LIMIT_URL);
        memcpy(url, head, strlen(head));
        url[LIMIT_URL] = 0;
        assert_int_equal(url_locate(url, NULL, &origin, NULL), -EINVAL);
        url[LIMIT_URL - 30] = 0;
        assert_int_equal(url_locate(url, NULL, &origin, NULL), 0);
        assert_in_range(strlen(origin), LIMIT_URL - 30, LIMIT_ORIGIN);
        free(origin);
}

static void secrets_never_reach_a_log(void **state) {
        static const char *const rows[][2] = {
                { "https://h/a", "https://h/a" },
                { "https://user:secret@h/a?sig=secret#secret", "https://h/a?..." },
                { "https://h?secret", "https://h?..." },
                { "https://h#secret", "https://h?..." },
                { "https://a@secret@h/", "https://h/" },
                { "https://secret\\@h/", "https://h/" },
                { "https://h/a@b", "https://h/a@b" },
                { "user:secret@h/x", "h/x" },
                { "https://user:secret@", "https://" },
                { "?secret", "?..." },
                { "", "" },
                { "https://h/\n\xff", "https://h/\\x0a\\xff" },
                { "x?y://user:secret@h", "x?..." },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                _cleanup_free_ char *text = url_redact(rows[i][0]);

                assert_string_equal(text, rows[i][1]);
                assert_null(strstr(text, "secret"));
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(only_five_statuses_are_redirects),
                cmocka_unit_test(a_redirect_says_what_the_next_method_is),
                cmocka_unit_test(each_location_leads_where_it_should_or_nowhere),
                cmocka_unit_test(https_may_lead_to_http_only_if_the_job_says_so),
                cmocka_unit_test(the_sixth_redirect_is_one_too_many),
                cmocka_unit_test(a_target_over_the_limit_is_refused),
                cmocka_unit_test(a_host_has_255_bytes_at_most),
                cmocka_unit_test(a_name_that_is_too_long_in_ascii_is_refused),
                cmocka_unit_test(an_origin_is_scheme_host_and_port),
                cmocka_unit_test(an_origin_string_has_path_and_port_but_no_query),
                cmocka_unit_test(a_url_is_normalised_or_refused),
                cmocka_unit_test(what_is_normal_stays_as_it_is),
                cmocka_unit_test(host_and_port_come_out_ready_to_be_resolved),
                cmocka_unit_test(the_parsed_url_is_the_one_that_was_judged),
                cmocka_unit_test(an_origin_has_a_limit_too),
                cmocka_unit_test(secrets_never_reach_a_log),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

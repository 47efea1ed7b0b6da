#include "jobs.h"

#define GOOD_URL "http://example.org/f"
#define GOOD_PATH "/srv/f"

static int check(const char *url, const char *path, const struct byte_range *ranges, size_t n_ranges) {
        struct job_file_spec spec = {
                .url = url, .path = path, .stated_size = SIZE_UNKNOWN, .ranges = ranges, .n_ranges = n_ranges,
        };
        int r = job_file_spec_check(&spec, JOB_FAMILY_DO, JOB_KIND_JOB, MAX_RANGES);

        /* Both families judge by the same rules. */
        assert_int_equal(job_file_spec_check(&spec, JOB_FAMILY_BITS, JOB_KIND_JOB, MAX_RANGES), r);
        return r;
}

static int check_as(enum job_family family, enum job_kind kind, const char *url, const char *path) {
        return job_file_spec_check(&(struct job_file_spec) { .url = url, .path = path, .stated_size = SIZE_UNKNOWN }, family, kind,
                                   MAX_RANGES);
}

static void what_may_come_later_depends_on_family_and_kind(void **state _unused_) {
        assert_int_equal(check_as(JOB_FAMILY_DO, JOB_KIND_JOB, GOOD_URL, ""), 0);
        assert_int_equal(check_as(JOB_FAMILY_BITS, JOB_KIND_JOB, GOOD_URL, ""), ERROR_INVALID_ARGUMENT);
        assert_int_equal(check_as(JOB_FAMILY_DO, JOB_KIND_JOB, "", GOOD_PATH), ERROR_INVALID_URL);
        assert_int_equal(check_as(JOB_FAMILY_DO, JOB_KIND_DOWNLOAD, "", ""), 0);
        assert_int_equal(check_as(JOB_FAMILY_DO, JOB_KIND_DOWNLOAD, NULL, ""), ERROR_INVALID_ARGUMENT);
        assert_int_equal(check_as(JOB_FAMILY_DO, JOB_KIND_DOWNLOAD, "", NULL), ERROR_INVALID_ARGUMENT);
        assert_int_equal(check_as(JOB_FAMILY_DO, JOB_KIND_DOWNLOAD, "ftp://a/", ""), ERROR_PROTOCOL_NOT_AVAILABLE);
}

static void urls_are_judged_by_their_form(void **state _unused_) {
        static const struct {
                const char *url;
                int result;
        } rows[] = {
                { "http://example.org", 0 },
                { "http://example.org/", 0 },
                { "HTTPS://Example.ORG/a?b=c&d=%20#x", 0 },
                { "https://user:p%40ss@example.org:8443/a", 0 },
                { "http://a@b@example.org/", 0 }, /* the last @ ends the user info */
                { "http://127.0.0.1:1/", 0 },
                { "http://[::1]/", 0 },
                { "http://[2001:db8::1]:8080/f", 0 },
                { "http://h\xc3\xa4user.example/\xc3\xa4", 0 },
                { "http://my_host-1.example:/f", 0 },
                { "http://example.org?query", 0 },
                { "http://example.org/a@b:c", 0 },
                { NULL, ERROR_INVALID_ARGUMENT },
                { "", ERROR_INVALID_URL },
                { "example.org/f", ERROR_INVALID_URL },
                { "/srv/f", ERROR_INVALID_URL },
                { "://example.org/", ERROR_INVALID_URL },
                { "1http://example.org/", ERROR_INVALID_URL },
                { "http:example.org", ERROR_INVALID_URL },
                { "http:/example.org", ERROR_INVALID_URL },
                { "http://", ERROR_INVALID_URL },
                { "http:///f", ERROR_INVALID_URL },
                { "http://?q", ERROR_INVALID_URL },
                { "http://@/f", ERROR_INVALID_URL },
                { "http://user@/f", ERROR_INVALID_URL },
                { "http://:80/f", ERROR_INVALID_URL },
                { "http://example.org:0/", ERROR_INVALID_URL },
                { "http://example.org:65536/", ERROR_INVALID_URL },
                { "http://example.org:99999999999999999999/", ERROR_INVALID_URL },
                { "http://example.org:8a/", ERROR_INVALID_URL },
                { "http://example.org:80:80/", ERROR_INVALID_URL },
                { "http://[::1/", ERROR_INVALID_URL },
                { "http://[]/", ERROR_INVALID_URL },
                { "http://[::1]x/", ERROR_INVALID_URL },
                { "http://[::g]/", ERROR_INVALID_URL },
                { "http://exa mple.org/", ERROR_INVALID_URL },
                { "http://example.org/a b", ERROR_INVALID_URL },
                { " http://example.org/", ERROR_INVALID_URL },
                { "http://example.org/a\nb", ERROR_INVALID_URL },
                { "http://example.org/\x7f", ERROR_INVALID_URL },
                { "http://example.org/\xff", ERROR_INVALID_URL },
                { "http://example.org\\@evil.example/", ERROR_INVALID_URL },
                { "http://exa<mple/", ERROR_INVALID_URL },
                { "http://exa\"mple/", ERROR_INVALID_URL },
                { "ftp://example.org/f", ERROR_PROTOCOL_NOT_AVAILABLE },
                { "file:///etc/passwd", ERROR_PROTOCOL_NOT_AVAILABLE },
                { "httpx://example.org/", ERROR_PROTOCOL_NOT_AVAILABLE },
                { "http+unix://x/", ERROR_PROTOCOL_NOT_AVAILABLE },
                { "javascript:alert(1)", ERROR_PROTOCOL_NOT_AVAILABLE },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++)
                if (check(rows[i].url, GOOD_PATH, NULL, 0) != rows[i].result)
                        fail_msg("%s: not %d", rows[i].url ?: "(null)", rows[i].result);
}

static char *repeat(const char *head, char c, size_t n) {
        size_t n_head = strlen(head);
        char *text = malloc(n_head + n + 1);

        assert_non_null(text);
        memcpy(text, head, n_head);
        memset(text + n_head, c, n);
        text[n_head + n] = 0;
        return text;
}

static void lengths_end_where_the_limits_say(void **state _unused_) {
        _cleanup_free_ char *url = repeat("http://h/", 'u', LIMIT_URL - 9);
        _cleanup_free_ char *long_url = repeat("http://h/", 'u', LIMIT_URL - 8);
        _cleanup_free_ char *name = repeat("/srv/", 'n', LIMIT_NAME), *long_name = repeat("/srv/", 'n', LIMIT_NAME + 1);
        _cleanup_free_ char *path = repeat("", '/', LIMIT_PATH), *long_path = repeat("", '/', LIMIT_PATH + 1);

        assert_int_equal(check(url, GOOD_PATH, NULL, 0), 0);
        assert_int_equal(check(long_url, GOOD_PATH, NULL, 0), ERROR_INVALID_URL);
        assert_int_equal(check(GOOD_URL, name, NULL, 0), 0);
        assert_int_equal(check(GOOD_URL, long_name, NULL, 0), ERROR_NAME_TOO_LONG);
        for (size_t i = 1; i < LIMIT_PATH; i += 2)
                path[i] = long_path[i] = 'd';
        path[LIMIT_PATH - 1] = 'f'; /* 4095 bytes: what open(2) takes */
        assert_int_equal(check(GOOD_URL, path, NULL, 0), 0);
        long_path[LIMIT_PATH] = 'f';
        assert_int_equal(check(GOOD_URL, long_path, NULL, 0), ERROR_NAME_TOO_LONG);
}

static void paths_are_judged_by_their_form(void **state _unused_) {
        static const struct {
                const char *path;
                int result;
        } rows[] = {
                { "/f", 0 },
                { "/a//b", 0 },
                { "/a/...", 0 },
                { "/a/..b/.c", 0 },
                { "/a/new\nline and \xff not UTF-8", 0 },
                { "/srv/.dosvc-short.part", 0 },
                { "/srv/.dosvc-0123456789012345678901.part/f", 0 },
                { NULL, ERROR_INVALID_ARGUMENT },
                { "f", ERROR_INVALID_ARGUMENT },
                { "./f", ERROR_INVALID_ARGUMENT },
                { "~/f", ERROR_INVALID_ARGUMENT },
                { "/", ERROR_INVALID_NAME },
                { "//", ERROR_INVALID_NAME },
                { "/a/", ERROR_INVALID_NAME },
                { "/a/.", ERROR_INVALID_NAME },
                { "/a/..", ERROR_INVALID_NAME },
                { "/./a", ERROR_INVALID_NAME },
                { "/a/../b", ERROR_INVALID_NAME },
                { "/srv/.dosvc-0123456789012345678901.part", ERROR_INVALID_NAME }, /* the janitor's prey */
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++)
                if (check(GOOD_URL, rows[i].path, NULL, 0) != rows[i].result)
                        fail_msg("%s: not %d", rows[i].path ?: "(null)", rows[i].result);
}

static void ranges_are_judged_as_documented(void **state _unused_) {
        static const struct {
                struct byte_range ranges[3];
                size_t n;
                int result;
        } rows[] = {
                { { { 0, 1 } }, 1, 0 },
                { { { 2, 4 }, { 12, 5 } }, 2, 0 },
                { { { 12, 5 }, { 2, 4 } }, 2, 0 },  /* any order */
                { { { 0, 5 }, { 5, 5 } }, 2, 0 },   /* touching is not overlapping */
                { { { 5, 5 }, { 0, 5 } }, 2, 0 },
                { { { 100, TO_EOF } }, 1, 0 },
                { { { 100, TO_EOF }, { 0, 100 } }, 2, 0 },
                { { { LIMIT_FILE_SIZE - 1, 1 } }, 1, 0 },
                { { { 0, LIMIT_FILE_SIZE } }, 1, 0 },
                { { { 0, 5 }, { 4, 5 } }, 2, ERROR_OVERLAPPING_RANGES },
                { { { 4, 5 }, { 0, 5 } }, 2, ERROR_OVERLAPPING_RANGES },
                { { { 0, 5 }, { 0, 5 } }, 2, ERROR_OVERLAPPING_RANGES }, /* twice the same */
                { { { 0, 1 }, { 0, 5 } }, 2, ERROR_OVERLAPPING_RANGES }, /* same offset */
                { { { 0, 10 }, { 20, 5 }, { 2, 3 } }, 3, ERROR_OVERLAPPING_RANGES },
                { { { 0, TO_EOF }, { 100, 1 } }, 2, ERROR_OVERLAPPING_RANGES },
                { { { 5, TO_EOF }, { 100, TO_EOF } }, 2, ERROR_OVERLAPPING_RANGES },
                { { { 0, 0 } }, 1, ERROR_INVALID_RANGE },
                { { { 0, 5 }, { 10, 0 } }, 2, ERROR_INVALID_RANGE },
                { { { TO_EOF, 1 } }, 1, ERROR_INVALID_RANGE },
                { { { TO_EOF, TO_EOF } }, 1, ERROR_INVALID_RANGE },
                { { { UINT64_MAX - 1, 2 } }, 1, ERROR_INVALID_RANGE },
                { { { 1, UINT64_MAX - 1 } }, 1, ERROR_INVALID_RANGE },
                { { { LIMIT_FILE_SIZE, 1 } }, 1, ERROR_INVALID_RANGE },
                { { { 1, LIMIT_FILE_SIZE } }, 1, ERROR_INVALID_RANGE },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++)
                if (check(GOOD_URL, GOOD_PATH, rows[i].ranges, rows[i].n) != rows[i].result)
                        fail_msg("row %zu: not %d", i, rows[i].result);
        assert_int_equal(check(GOOD_URL, GOOD_PATH, NULL, 1), ERROR_INVALID_ARGUMENT);
}

static void too_many_ranges_are_too_many(void **state _unused_) {
        struct byte_range ranges[MAX_RANGES + 1];

        for (size_t i = 0; i <= MAX_RANGES; i++)
                ranges[i] = (struct byte_range) { (MAX_RANGES - i) * 10, 10 };
        assert_int_equal(check(GOOD_URL, GOOD_PATH, ranges, MAX_RANGES), 0);
        assert_int_equal(check(GOOD_URL, GOOD_PATH, ranges, MAX_RANGES + 1), ERROR_TOO_MANY_RANGES);
}

static void a_stated_size_has_a_limit(void **state _unused_) {
        struct job_file_spec spec = { .url = GOOD_URL, .path = GOOD_PATH, .stated_size = LIMIT_FILE_SIZE };

        assert_int_equal(job_file_spec_check(&spec, JOB_FAMILY_DO, JOB_KIND_JOB, MAX_RANGES), 0);
        spec.stated_size++;
        assert_int_equal(job_file_spec_check(&spec, JOB_FAMILY_DO, JOB_KIND_JOB, MAX_RANGES), ERROR_TOO_LARGE);
        spec.stated_size = SIZE_UNKNOWN;
        spec.file_id = "\xff";
        assert_int_equal(job_file_spec_check(&spec, JOB_FAMILY_DO, JOB_KIND_JOB, MAX_RANGES), ERROR_INVALID_ARGUMENT);
}

static void mirrors_are_urls_one_a_line_and_few(void **state _unused_) {
        char text[(LIMIT_MIRRORS + 1) * 16] = "", longest[LIMIT_URL + 8] = "http://h/";
        struct byte_range range = { 0, 1 };
        struct job_file_spec spec = { .url = GOOD_URL, .path = GOOD_PATH, .stated_size = SIZE_UNKNOWN, .mirrors = text };

        for (unsigned i = 0; i < LIMIT_MIRRORS; i++)
                strcat(text, i ? "\nhttp://h/x" : "https://h/x");
        assert_int_equal(job_file_spec_check(&spec, JOB_FAMILY_DO, JOB_KIND_JOB, MAX_RANGES), 0);
        strcat(text, "\n");
        assert_int_equal(job_file_spec_check(&spec, JOB_FAMILY_DO, JOB_KIND_JOB, MAX_RANGES), 0);
        strcat(text, "http://h/x");
        assert_int_equal(job_file_spec_check(&spec, JOB_FAMILY_DO, JOB_KIND_JOB, MAX_RANGES), ERROR_INVALID_ARGUMENT);
        spec.mirrors = "http://h/a\n\nhttp://h/b";
        assert_int_equal(job_file_spec_check(&spec, JOB_FAMILY_DO, JOB_KIND_JOB, MAX_RANGES), ERROR_INVALID_URL);
        spec.mirrors = "http://h/a\nftp://h/b";
        assert_int_equal(job_file_spec_check(&spec, JOB_FAMILY_DO, JOB_KIND_JOB, MAX_RANGES), ERROR_PROTOCOL_NOT_AVAILABLE);
        memset(longest + strlen(longest), 'x', LIMIT_URL - strlen(longest));
        spec.mirrors = longest;
        assert_int_equal(job_file_spec_check(&spec, JOB_FAMILY_DO, JOB_KIND_JOB, MAX_RANGES), 0);
        strcat(longest, "x");
        assert_int_equal(job_file_spec_check(&spec, JOB_FAMILY_DO, JOB_KIND_JOB, MAX_RANGES), ERROR_INVALID_URL);
        spec.mirrors = "http://h/a";
        spec.ranges = &range;
        spec.n_ranges = 1;
        assert_int_equal(job_file_spec_check(&spec, JOB_FAMILY_DO, JOB_KIND_JOB, MAX_RANGES), ERROR_INVALID_ARGUMENT);
}

static void origins_are_compared_by_scheme_host_and_port(void **state _unused_) {
        assert_true(job_url_is_same_origin("http://h/a", "HTTP://H/b?c"));
        assert_true(job_url_is_same_origin("https://me:secret@h:8443", "https://h:8443/b@c"));
        assert_false(job_url_is_same_origin("http://h/a", "https://h/a"));
        assert_false(job_url_is_same_origin("http://h/a", "http://h:81/a"));
        assert_false(job_url_is_same_origin("http://h/a", "http://h.example/a"));
        assert_false(job_url_is_same_origin("http://h@other/a", "http://h/a"));
}

static void texts_of_guards_have_a_limit(void **state _unused_) {
        struct job_file_spec spec = { .url = GOOD_URL, .path = GOOD_PATH, .stated_size = SIZE_UNKNOWN };
        _cleanup_free_ char *text = malloc(LIMIT_INTEGRITY_INFO + 2);

        memset(text, 'x', LIMIT_INTEGRITY_INFO + 1);
        text[LIMIT_INTEGRITY_INFO + 1] = 0;
        spec.integrity_info = text + 1;
        assert_int_equal(job_file_spec_check(&spec, JOB_FAMILY_DO, JOB_KIND_JOB, MAX_RANGES), 0);
        spec.integrity_info = text;
        assert_int_equal(job_file_spec_check(&spec, JOB_FAMILY_DO, JOB_KIND_JOB, MAX_RANGES), ERROR_STRING_TOO_LONG);
        spec.integrity_info = NULL;
        spec.decryption_info = text + 1 + LIMIT_INTEGRITY_INFO - LIMIT_DECRYPTION_INFO;
        assert_int_equal(job_file_spec_check(&spec, JOB_FAMILY_DO, JOB_KIND_JOB, MAX_RANGES), 0);
        spec.decryption_info--;
        assert_int_equal(job_file_spec_check(&spec, JOB_FAMILY_DO, JOB_KIND_JOB, MAX_RANGES), ERROR_STRING_TOO_LONG);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(what_may_come_later_depends_on_family_and_kind),
                cmocka_unit_test(urls_are_judged_by_their_form),
                cmocka_unit_test(lengths_end_where_the_limits_say),
                cmocka_unit_test(paths_are_judged_by_their_form),
                cmocka_unit_test(ranges_are_judged_as_documented),
                cmocka_unit_test(too_many_ranges_are_too_many),
                cmocka_unit_test(a_stated_size_has_a_limit),
                cmocka_unit_test(origins_are_compared_by_scheme_host_and_port),
                cmocka_unit_test(texts_of_guards_have_a_limit),
                cmocka_unit_test(mirrors_are_urls_one_a_line_and_few),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

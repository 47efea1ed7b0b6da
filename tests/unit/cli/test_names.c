#include "test_cli.h"

#include <errno.h>

static void assert_name(const char *url, const char *expected) {
        _cleanup_(freep) char *name = NULL;
        const char *why = NULL;

        assert_int_equal(name_from_url(url, &name, &why), 0);
        assert_string_equal(name, expected);
}

static void assert_no_name(const char *url, const char *word) {
        _cleanup_(freep) char *name = NULL;
        const char *why = NULL;

        assert_int_equal(name_from_url(url, &name, &why), -EINVAL);
        assert_non_null(strstr(why, word));
        assert_null(name);
}

static void the_default_name_is_the_last_segment_of_the_path(void **state) {
        assert_name("http://host/file.iso", "file.iso");
        assert_name("https://host:8443/a/b/file.iso", "file.iso");
        assert_name("http://user@host/a/.hidden", ".hidden");
        assert_name("http://host/a//b", "b");
        assert_name("http://[::1]:80/x", "x");
}

static void query_and_fragment_are_no_part_of_the_name(void **state) {
        assert_name("http://host/file.iso?name=other/path", "file.iso");
        assert_name("http://host/file.iso#/frag", "file.iso");
        assert_name("http://host/file?a#b", "file");
}

static void the_name_is_percent_decoded_once(void **state) {
        assert_name("http://host/a%20b", "a b");
        assert_name("http://host/%41%c3%84", "A\xc3\x84");
        assert_name("http://host/100%25", "100%");
        assert_name("http://host/%2541", "%41");
        assert_name("http://host/half%4", "half%4");
        assert_name("http://host/%zz", "%zz");
}

static void what_is_no_file_name_is_refused(void **state) {
        assert_no_name("http://host", "without a name");
        assert_no_name("http://host/", "without a name");
        assert_no_name("http://host/dir/", "without a name");
        assert_no_name("http://host?x=/y", "without a name");
        assert_no_name("http://host/.", "directory");
        assert_no_name("http://host/a/..", "directory");
        assert_no_name("http://host/%2e%2E", "directory");
        assert_no_name("http://host/a%2Fb", "slash");
        assert_no_name("http://host/%2fetc%2fpasswd", "slash");
        assert_no_name("http://host/a%00b", "control");
        assert_no_name("http://host/a%0ab", "control");
        assert_no_name("http://host/a%7f", "control");
        assert_no_name("http://host/%ff", "UTF-8");
        assert_no_name("http://host/%c0%af", "UTF-8");
        assert_no_name("http://host/%ed%a0%80", "UTF-8");
        assert_no_name("file.iso", "no URL");
}

static void a_name_may_have_255_bytes_and_not_more(void **state) {
        char url[300] = "http://host/", name[257];

        memset(name, 'n', 255);
        name[255] = 0;
        strcpy(url + 12, name);
        assert_name(url, name);
        strcat(url, "n");
        assert_no_name(url, "255");
}

static void paths_become_absolute_and_plain(void **state) {
        _cleanup_(freep) char *cwd = path_make_absolute(NULL, ".");
        static const char *const rows[][3] = {
                /* directory, path, result */
                { NULL, "/a/b", "/a/b" },       { "/d", "f", "/d/f" },         { "/d/", "./f", "/d/f" },   { "/d", "/abs", "/abs" },
                { "/d//e/.", "f", "/d/e/f" },   { "/d", "x/../y", "/d/x/../y" }, { "/", "f", "/f" },       { "/.", ".", "/" },
                { "/d", "..f", "/d/..f" },      { "/d", "f/", "/d/f" },
        };

        assert_int_equal(cwd[0], '/');
        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                _cleanup_(freep) char *path = path_make_absolute(rows[i][0], rows[i][1]);

                assert_string_equal(path, rows[i][2]);
        }
}

static void a_relative_path_begins_at_the_working_directory(void **state) {
        _cleanup_(freep) char *cwd = path_make_absolute(NULL, "."), *a = path_make_absolute(NULL, "f"), *b = path_make_absolute("d", "f");
        _cleanup_(freep) char *expected_a = must_printf("%s/f", cwd), *expected_b = must_printf("%s/d/f", cwd);

        assert_string_equal(a, expected_a);
        assert_string_equal(b, expected_b);
}

static void a_password_is_seen_only_in_the_authority(void **state) {
        assert_true(url_has_password("https://me:secret@host/x"));
        assert_true(url_has_password("https://a@b:c@host/x"));
        assert_false(url_has_password("https://me@host:80/x"));
        assert_false(url_has_password("https://host/a:b@c"));
        assert_false(url_has_password("https://host?a:b@c"));
        assert_false(url_has_password("me:secret@host"));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(the_default_name_is_the_last_segment_of_the_path),
                cmocka_unit_test(query_and_fragment_are_no_part_of_the_name),
                cmocka_unit_test(the_name_is_percent_decoded_once),
                cmocka_unit_test(what_is_no_file_name_is_refused),
                cmocka_unit_test(a_name_may_have_255_bytes_and_not_more),
                cmocka_unit_test(paths_become_absolute_and_plain),
                cmocka_unit_test(a_relative_path_begins_at_the_working_directory),
                cmocka_unit_test(a_password_is_seen_only_in_the_authority),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

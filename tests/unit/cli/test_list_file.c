#include "test_cli.h"

#include <errno.h>
#include <unistd.h>

#define DIGEST "00112233445566778899aabbccddeeff00112233445566778899AABBCCDDEEFF"

static int parse(const char *line, struct list_entry *ret, const char **why) {
        return list_parse_line(line, strlen(line), ret, why);
}

static void assert_refused(const char *line, const char *word) {
        struct list_entry entry;
        const char *why = "";

        assert_int_equal(parse(line, &entry, &why), -EINVAL);
        assert_non_null(strstr(why, word));
        assert_null(entry.url);
}

static void a_url_alone_is_an_entry(void **state) {
        struct list_entry entry;
        const char *why;

        assert_int_equal(parse("  http://host/a?b=c \r\n", &entry, &why), 1);
        assert_string_equal(entry.url, "http://host/a?b=c");
        assert_null(entry.out);
        assert_false(entry.has_sha256);
        list_entry_done(&entry);
}

static void digest_and_name_follow_the_url(void **state) {
        struct list_entry entry;
        const char *why;

        assert_int_equal(parse("http://h/a\tsha256=" DIGEST " out=my file.iso\n", &entry, &why), 1);
        assert_string_equal(entry.out, "my file.iso");
        assert_true(entry.has_sha256);
        assert_int_equal(entry.sha256[1], 0x11);
        assert_int_equal(entry.sha256[31], 0xff);
        list_entry_done(&entry);
}

static void blank_lines_and_comments_are_skipped(void **state) {
        struct list_entry entry;
        const char *why;

        assert_int_equal(parse("", &entry, &why), 0);
        assert_int_equal(parse(" \t\r\n", &entry, &why), 0);
        assert_int_equal(parse("# http://host/x", &entry, &why), 0);
}

static void what_is_wrong_in_a_line_is_named(void **state) {
        static const char zero[] = "http://h/a\0b";
        struct list_entry entry;
        const char *why = "";

        assert_refused("http://h/a sha256=12", "64");
        assert_refused("http://h/a sha256=" DIGEST "0", "64");
        assert_refused("http://h/a sha256=g" "0112233445566778899aabbccddeeff00112233445566778899AABBCCDDEEFF", "64");
        assert_refused("http://h/a sha256=" DIGEST " sha256=" DIGEST, "twice");
        assert_refused("http://h/a out=", "name");
        assert_refused("http://h/a http://h/b", "only");
        assert_int_equal(list_parse_line(zero, sizeof(zero) - 1, &entry, &why), -EINVAL);
        assert_non_null(strstr(why, "zero"));
}

static char *write_list(const char *text) {
        char *path = must_printf("/tmp/dosvc-test-list-XXXXXX");
        int fd = mkstemp(path);

        assert_true(fd >= 0);
        assert_int_equal(write(fd, text, strlen(text)), (ssize_t) strlen(text));
        close(fd);
        return path;
}

static void a_file_is_read_to_its_end_without_a_last_newline(void **state) {
        _cleanup_(freep) char *path = write_list("http://h/1\n\n#\nhttp://h/2 out=x\nhttp://h/3"), *problem = NULL;
        struct list_entry *entries = NULL;
        size_t n = 0;

        assert_int_equal(list_read(path, &entries, &n, &problem), 0);
        unlink(path);
        assert_int_equal(n, 3);
        assert_string_equal(entries[2].url, "http://h/3");
        assert_string_equal(entries[1].out, "x");
        for (size_t i = 0; i < n; i++)
                list_entry_done(&entries[i]);
        free(entries);
}

static void a_mark_before_the_first_line_is_no_part_of_it(void **state) {
        static const char *const texts[] = { "\xef\xbb\xbfhttp://h/1\r\n", "\xef\xbb\xbf# from Windows\r\nhttp://h/1\r\n" };

        for (size_t i = 0; i < ELEMENTSOF(texts); i++) {
                _cleanup_(freep) char *path = write_list(texts[i]), *problem = NULL;
                struct list_entry *entries = NULL;
                size_t n = 0;

                assert_int_equal(list_read(path, &entries, &n, &problem), 0);
                unlink(path);
                assert_int_equal(n, 1);
                assert_string_equal(entries[0].url, "http://h/1");
                list_entry_done(&entries[0]);
                free(entries);
        }
}

static void a_bad_line_is_reported_with_its_number(void **state) {
        _cleanup_(freep) char *path = write_list("http://h/1\n\nhttp://h/2 what\n"), *problem = NULL;
        struct list_entry *entries = NULL;
        size_t n = 0;

        assert_int_equal(list_read(path, &entries, &n, &problem), -EINVAL);
        unlink(path);
        assert_non_null(strstr(problem, ":3: "));
        assert_int_equal(n, 1);
        list_entry_done(&entries[0]);
        free(entries);
}

static void mirrors_may_be_several(void **state) {
        struct list_entry entry;
        const char *why;

        assert_int_equal(parse("http://h/a mirror=http://m/a mirror=https://n/b out=x y", &entry, &why), 1);
        assert_string_equal(entry.mirrors, "http://m/a\nhttps://n/b");
        assert_string_equal(entry.out, "x y");
        list_entry_done(&entry);
        assert_int_equal(parse("http://h/a mirror=", &entry, &why), -EINVAL);
}

static void a_line_without_end_is_refused(void **state) {
        _cleanup_(freep) char *text = must(malloc(200000)), *path = NULL, *problem = NULL;
        struct list_entry *entries = NULL;
        size_t n = 0;

        memset(text, 'x', 199999);
        text[199999] = 0;
        path = write_list(text);
        assert_int_equal(list_read(path, &entries, &n, &problem), -EINVAL);
        unlink(path);
        assert_non_null(strstr(problem, "too long"));
        free(entries);
}

static void a_list_that_is_not_there_is_reported_by_name(void **state) {
        _cleanup_(freep) char *problem = NULL;
        struct list_entry *entries = NULL;
        size_t n = 0;

        assert_int_equal(list_read("/nonexistent/list", &entries, &n, &problem), -ENOENT);
        assert_non_null(strstr(problem, "/nonexistent/list"));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_url_alone_is_an_entry),
                cmocka_unit_test(digest_and_name_follow_the_url),
                cmocka_unit_test(blank_lines_and_comments_are_skipped),
                cmocka_unit_test(what_is_wrong_in_a_line_is_named),
                cmocka_unit_test(a_file_is_read_to_its_end_without_a_last_newline),
                cmocka_unit_test(a_mark_before_the_first_line_is_no_part_of_it),
                cmocka_unit_test(a_bad_line_is_reported_with_its_number),
                cmocka_unit_test(mirrors_may_be_several),
                cmocka_unit_test(a_line_without_end_is_refused),
                cmocka_unit_test(a_list_that_is_not_there_is_reported_by_name),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "../unit.h"

#include <stdio.h>
#include <string.h>

#include "program/arguments.h"
#include "protocol/limits.h"

static void lines_become_arguments_as_windows_programs_have_it(void **state _unused_) {
        static const struct {
                const char *line, *arguments; /* each in brackets */
        } rows[] = {
                { "", "" },
                { " \t ", "" },
                { "a", "[a]" },
                { "  a  b\tc ", "[a][b][c]" },
                { "\"a b\" c", "[a b][c]" },
                { "\"\"", "[]" },
                { "a \"\" b", "[a][][b]" },
                { "a\"b c\"d", "[ab cd]" },
                { "\"a", "[a]" },
                { "\"a b", "[a b]" },
                /* a backslash is itself, but in front of a quote */
                { "c:\\dir\\file", "[c:\\dir\\file]" },
                { "a\\\\b", "[a\\\\b]" },
                { "a\\\"b", "[a\"b]" },
                { "a\\\\\"b c\"", "[a\\b c]" },
                { "a\\\\\\\"b c", "[a\\\"b][c]" },
                { "\"a\\\\\" b", "[a\\][b]" },
                { "\\", "[\\]" },
                { "\"\\\"\"", "[\"]" },
                /* two quotes inside of quotes are one */
                { "\"a\"\"b\"", "[a\"b]" },
                { "\"\"\"\"", "[\"]" },
                /* what a shell would make more of */
                { "$HOME * 'a b' `id` | > &", "[$HOME][*]['a][b'][`id`][|][>][&]" },
                { "\303\244 \"\303\266 \303\274\"", "[\303\244][\303\266 \303\274]" },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                _cleanup_(arguments_freep) char **arguments = NULL;
                char got[256] = "";
                int n = arguments_split(rows[i].line, &arguments);

                assert_true(n >= 0);
                assert_null(arguments[n]);
                for (int k = 0; k < n; k++) {
                        strcat(got, "[");
                        strcat(got, arguments[k]);
                        strcat(got, "]");
                }
                assert_string_equal(got, rows[i].arguments);
        }
}

static void the_longest_lines_fit(void **state _unused_) {
        static char line[4 * LIMIT_NOTIFY_PARAMETERS + 1];
        static const char patterns[] = "a\"\\ ";
        int n;

        for (size_t k = 0; k < strlen(patterns); k++) {
                _cleanup_(arguments_freep) char **arguments = NULL;

                memset(line, patterns[k], sizeof(line) - 1);
                n = arguments_split(line, &arguments);
                assert_in_range(n, 0, 1);
        }
        for (size_t i = 0; i + 1 < sizeof(line); i++)
                line[i] = i % 2 ? ' ' : 'a';
        _cleanup_(arguments_freep) char **arguments = NULL;
        n = arguments_split(line, &arguments);
        assert_int_equal(n, (sizeof(line) - 1) / 2);
        assert_string_equal(arguments[n - 1], "a");
}

static void what_was_packed_comes_back(void **state _unused_) {
        char *const lists[][4] = { { NULL }, { (char *) "", NULL }, { (char *) "a b", (char *) "", (char *) "c", NULL } };

        for (size_t i = 0; i < ELEMENTSOF(lists); i++) {
                _cleanup_(arguments_freep) char **arguments = NULL;
                _cleanup_free_ char *bytes = NULL;
                size_t size, n = 0;

                assert_int_equal(arguments_pack(lists[i], &bytes, &size), 0);
                assert_int_equal(arguments_unpack(bytes, size, &arguments), 0);
                for (; lists[i][n]; n++)
                        assert_string_equal(arguments[n], lists[i][n]);
                assert_null(arguments[n]);
        }
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(lines_become_arguments_as_windows_programs_have_it),
                cmocka_unit_test(the_longest_lines_fit),
                cmocka_unit_test(what_was_packed_comes_back),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

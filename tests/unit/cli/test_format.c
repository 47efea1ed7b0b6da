#include "test_cli.h"

#include <locale.h>

static void sizes_are_in_iec_units(void **state) {
        char b[FORMAT_SHORT];

        assert_string_equal(format_size(0, b), "0 B");
        assert_string_equal(format_size(1023, b), "1023 B");
        assert_string_equal(format_size(1024, b), "1.0 KiB");
        assert_string_equal(format_size(1536, b), "1.5 KiB");
        assert_string_equal(format_size(1024 * 1024 - 1, b), "1.0 MiB");
        assert_string_equal(format_size(UINT64_C(5) << 30, b), "5.0 GiB");
        assert_string_equal(format_size(UINT64_MAX - 1, b), "16.0 EiB");
        assert_string_equal(format_size(DOSVC_UNKNOWN, b), "?");
}

static void durations_grow_from_minutes_to_days(void **state) {
        char b[FORMAT_SHORT];

        assert_string_equal(format_duration(0, b), "0:00");
        assert_string_equal(format_duration(61, b), "1:01");
        assert_string_equal(format_duration(3600, b), "1:00:00");
        assert_string_equal(format_duration(86399, b), "23:59:59");
        assert_string_equal(format_duration(3 * 86400 + 7200, b), "3 d 2 h");
        assert_true(strlen(format_duration(UINT64_MAX, b)) < FORMAT_SHORT);
}

static void a_hundred_per_cent_is_said_only_at_the_end(void **state) {
        char b[FORMAT_SHORT];

        assert_string_equal(format_percent(0, 10, b), "0%");
        assert_string_equal(format_percent((UINT64_C(1) << 40) - 1, UINT64_C(1) << 40, b), "99%");
        assert_string_equal(format_percent(10, 10, b), "100%");
        assert_string_equal(format_percent(0, 0, b), "100%");
        assert_string_equal(format_percent(5, DOSVC_UNKNOWN, b), "?");
}

static void times_are_rfc_3339_in_utc(void **state) {
        char b[FORMAT_SHORT];

        assert_string_equal(format_rfc3339(0, b), "1970-01-01T00:00:00.000000Z");
        assert_string_equal(format_rfc3339(UINT64_C(1700000000123456), b), "2023-11-14T22:13:20.123456Z");
        assert_string_equal(format_local_time(0, b), "-");
}

static void what_could_command_a_terminal_is_not_shown(void **state) {
        static const char *const rows[][2] = {
                { "plain", "plain" },
                { "a\033[2Jb", "a?[2Jb" },
                { "a\nb\tc", "a?b?c" },
                { "a\x7f", "a?" },
                { "gr\xc3\xbc\xc3\x9f", "gr\xc3\xbc\xc3\x9f" },
                { "bad\xff\xfe", "bad??" },
                { "c1\xc2\x9b", "c1?" },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                _cleanup_(freep) char *shown = format_printable(rows[i][0]);

                assert_string_equal(shown, rows[i][1]);
        }
}

static void text_is_cut_by_columns_not_bytes(void **state) {
        _cleanup_(freep) char *fits = format_cut("gr\xc3\xbc\xc3\x9f", 4), *cut = format_cut("gr\xc3\xbc\xc3\x9f""e", 4);
        _cleanup_(freep) char *wide = format_cut("\xe6\xbc\xa2\xe5\xad\x97", 3), *none = format_cut("abc", 0);

        assert_string_equal(fits, "gr\xc3\xbc\xc3\x9f");
        assert_string_equal(cut, "gr\xc3\xbc…");
        assert_int_equal(format_width("\xe6\xbc\xa2\xe5\xad\x97"), 4);
        assert_string_equal(wide, "\xe6\xbc\xa2…");
        assert_string_equal(none, "");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(sizes_are_in_iec_units),
                cmocka_unit_test(durations_grow_from_minutes_to_days),
                cmocka_unit_test(a_hundred_per_cent_is_said_only_at_the_end),
                cmocka_unit_test(times_are_rfc_3339_in_utc),
                cmocka_unit_test(what_could_command_a_terminal_is_not_shown),
                cmocka_unit_test(text_is_cut_by_columns_not_bytes),
        };

        (void) setlocale(LC_CTYPE, "C.UTF-8");
        return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "../unit.h"

#include "base/strings.h"

static void utf8_is_judged_as_the_wire_judges_it(void **state _unused_) {
        static const struct {
                const char *text;
                bool valid;
        } rows[] = {
                { "", true },
                { "plain", true },
                { "\xc3\xa4", true },
                { "\xe2\x82\xac", true },
                { "\xf0\x9f\x98\x80", true },
                { "\x7f", true },
                { "\xc2\x80", true },         /* smallest of two */
                { "\xdf\xbf", true },         /* largest of two */
                { "\xe0\xa0\x80", true },     /* smallest of three */
                { "\xed\x9f\xbf", true },     /* last before the surrogates */
                { "\xee\x80\x80", true },     /* first behind them */
                { "\xf0\x90\x80\x80", true }, /* smallest of four */
                { "\xf4\x8f\xbf\xbd", true }, /* the last code point that is a character */
                { "\xef\xbf\xbd", true },
                { "\xef\xb7\x8f", true },      /* before U+FDD0 */
                { "\xef\xb7\x90", false },     /* U+FDD0 to U+FDEF are no characters, */
                { "\xef\xb7\xaf", false },
                { "\xef\xb7\xb0", true },
                { "\xef\xbf\xbe", false },     /* nor the last two of each plane */
                { "\xf0\x9f\xbf\xbf", false },
                { "\xf4\x8f\xbf\xbe", false },
                { "\xf0\x9e\xbf\xbf", true },
                { "\xf4\x90\x80\x80", false },
                { "\xf5\x80\x80\x80", false },
                { "\xc0\x80", false },         /* overlong NUL */
                { "\xc1\xbf", false },         /* overlong */
                { "\xe0\x9f\xbf", false },     /* overlong */
                { "\xf0\x8f\xbf\xbf", false }, /* overlong */
                { "\xed\xa0\x80", false },     /* surrogate */
                { "\xed\xbf\xbf", false },
                { "\x80", false },             /* continuation alone */
                { "a\xc3", false },            /* cut */
                { "\xe2\x82", false },
                { "\xf0\x9f\x98", false },
                { "\xe2\x28\xa1", false },
                { "\xf0\x9f\x28\x80", false },
                { "\xff", false },
                { "\xfe", false },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                assert_int_equal(utf8_is_valid(rows[i].text, SIZE_MAX), rows[i].valid);
                assert_int_equal(utf8_is_valid(rows[i].text, strlen(rows[i].text)), rows[i].valid);
        }
        assert_true(utf8_is_valid("a\0b", 3));
        assert_false(utf8_is_valid("\xc3\xa4", 1)); /* must not look behind the size */
}

/* Both are read eight bytes at a time where they can be. */
static void a_bad_byte_is_found_wherever_it_stands(void **state _unused_) {
        for (size_t length = 1; length <= 40; length++)
                for (size_t at = 0; at < length; at++) {
                        char text[41] = {};

                        memset(text, 'x', length);
                        for (unsigned c = 1; c <= UINT8_MAX; c++) {
                                text[at] = (char) c;
                                assert_int_equal(string_has_control(text), c < 0x20 || c == 0x7f);
                                assert_int_equal(utf8_is_valid(text, length), c < 0x80);
                        }
                        assert_true(utf8_is_valid(text, at)); /* what stands behind is not looked at */
                        text[at] = 0;
                        assert_true(utf8_is_valid(text, length));
                        if (at + 1 < length)
                                text[at + 1] = '\n';
                        assert_false(string_has_control(text)); /* nor is it behind the end */
                }
}

static void length_counts_code_points(void **state _unused_) {
        assert_int_equal(utf8_length(""), 0);
        assert_int_equal(utf8_length("abc"), 3);
        assert_int_equal(utf8_length("\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80"), 3);
}

static void control_characters_are_found(void **state _unused_) {
        assert_false(string_has_control(""));
        assert_false(string_has_control("http://a/\xc3\xa4 ~"));
        assert_true(string_has_control("a\nb"));
        assert_true(string_has_control("\x01"));
        assert_true(string_has_control("a\x1f"));
        assert_true(string_has_control("\x7f"));
}

static void escaping_leaves_only_printable_ascii(void **state _unused_) {
        _cleanup_free_ char *all = NULL, *cut = NULL, *exact = NULL, *wide = NULL;

        all = string_escape("a\n\xc3\xa4~", 100);
        assert_string_equal(all, "a\\x0a\\xc3\\xa4~");
        cut = string_escape("abcdef", 3);
        assert_string_equal(cut, "abc...");
        exact = string_escape("abc", 3);
        assert_string_equal(exact, "abc");
        wide = string_escape("ab\xc3\xa4", 9); /* what comes out is limited, and no byte is cut in two */
        assert_string_equal(wide, "ab\\xc3...");
}

static void numbers_are_read_whole_or_not_at_all(void **state _unused_) {
        uint64_t value = 77;

        assert_int_equal(parse_u64("0", &value), 0);
        assert_int_equal(value, 0);
        assert_int_equal(parse_u64("18446744073709551615", &value), 0);
        assert_true(value == UINT64_MAX);
        value = 77;
        assert_int_equal(parse_u64("18446744073709551616", &value), -ERANGE);
        assert_int_equal(parse_u64("99999999999999999999999", &value), -ERANGE);
        assert_int_equal(parse_u64("", &value), -EINVAL);
        assert_int_equal(parse_u64("-1", &value), -EINVAL);
        assert_int_equal(parse_u64("+1", &value), -EINVAL);
        assert_int_equal(parse_u64(" 1", &value), -EINVAL);
        assert_int_equal(parse_u64("1 ", &value), -EINVAL);
        assert_int_equal(parse_u64("0x1", &value), -EINVAL);
        assert_int_equal(value, 77);
}

static void hex_goes_there_and_back(void **state _unused_) {
        uint8_t bytes[256], back[256];
        char text[2 * sizeof(bytes) + 1];

        for (unsigned i = 0; i < sizeof(bytes); i++)
                bytes[i] = (uint8_t) i;
        hex_encode(bytes, sizeof(bytes), text);
        assert_int_equal(strlen(text), 2 * sizeof(bytes));
        assert_memory_equal(text, "000102", 6);
        assert_string_equal(text + 2 * sizeof(bytes) - 4, "feff");
        assert_int_equal(hex_decode(text, back, sizeof(back)), 0);
        assert_memory_equal(bytes, back, sizeof(bytes));

        assert_int_equal(hex_decode("ABcd", back, 2), 0);
        assert_int_equal(back[0], 0xab);
        assert_int_equal(hex_decode("abc", back, 2), -EINVAL);
        assert_int_equal(hex_decode("abcde", back, 2), -EINVAL);
        assert_int_equal(hex_decode("abcg", back, 2), -EINVAL);
        assert_int_equal(hex_decode("", back, 0), 0);
}

static void base64_is_read_strictly(void **state _unused_) {
        static const struct {
                const char *text, *bytes;
        } good[] = { /* RFC 4648 section 10, and both last digits */
                { "Zg==", "f" }, { "Zm8=", "fo" }, { "Zm9v", "foo" }, { "Zm9vYg==", "foob" }, { "Zm9vYmE=", "fooba" }, { "Zm9vYmFy", "foobar" },
                { "+/+/", "\xfb\xff\xbf" },
        };
        static const char *const bad[] = { "", "Zg", "Zg=", "Zg===", "Z===", "====", "Zm9v\n", "Zm 9", "Zm9_", "=Zg=", "Zm=v", "Zm9vZg" };
        uint8_t bytes[8];
        size_t n;

        for (size_t i = 0; i < ELEMENTSOF(good); i++) {
                size_t size = strlen(good[i].bytes);

                assert_int_equal(base64_decode(good[i].text, strlen(good[i].text), bytes, sizeof(bytes), &n), 0);
                assert_int_equal(n, size);
                assert_memory_equal(bytes, good[i].bytes, n);
                assert_int_equal(base64_decode(good[i].text, strlen(good[i].text), bytes, size - 1, &n), -EINVAL);
                assert_int_equal(base64_decode_exactly(good[i].text, strlen(good[i].text), bytes, size), 0);
                assert_int_equal(base64_decode_exactly(good[i].text, strlen(good[i].text), bytes, size + 1), -EINVAL);
        }
        for (size_t i = 0; i < ELEMENTSOF(bad); i++)
                assert_int_equal(base64_decode(bad[i], strlen(bad[i]), bytes, sizeof(bytes), &n), -EINVAL);
}

static void base64url_agrees_with_rfc_4648(void **state _unused_) {
        static const struct {
                const char *bytes, *text;
        } rows[] = {
                { "", "" },
                { "f", "Zg" },
                { "fo", "Zm8" },
                { "foo", "Zm9v" },
                { "foob", "Zm9vYg" },
                { "fooba", "Zm9vYmE" },
                { "foobar", "Zm9vYmFy" },
                { "\xfb\xff\xfe", "-__-" },
        };
        uint8_t zeroes[16] = {};
        char text[32];

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                base64url_encode((const uint8_t *) rows[i].bytes, strlen(rows[i].bytes), text);
                assert_string_equal(text, rows[i].text);
        }
        base64url_encode(zeroes, sizeof(zeroes), text);
        assert_int_equal(strlen(text), 22); /* the random part of a temporary name */
}

static void copying_replaces_and_takes_null(void **state _unused_) {
        _cleanup_free_ char *p = NULL;

        assert_int_equal(strdup_to(&p, "one"), 0);
        assert_int_equal(strdup_to(&p, "two"), 0);
        assert_string_equal(p, "two");
        assert_int_equal(strdup_to(&p, NULL), 0);
        assert_null(p);
}

static void comparing_knows_null(void **state _unused_) {
        assert_true(streq_ptr(NULL, NULL));
        assert_false(streq_ptr(NULL, ""));
        assert_true(streq_ptr("a", "a"));
        assert_string_equal(startswith("prefix-rest", "prefix-"), "rest");
        assert_null(startswith("pre", "prefix"));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(utf8_is_judged_as_the_wire_judges_it),
                cmocka_unit_test(a_bad_byte_is_found_wherever_it_stands),
                cmocka_unit_test(length_counts_code_points),
                cmocka_unit_test(control_characters_are_found),
                cmocka_unit_test(escaping_leaves_only_printable_ascii),
                cmocka_unit_test(numbers_are_read_whole_or_not_at_all),
                cmocka_unit_test(hex_goes_there_and_back),
                cmocka_unit_test(base64_is_read_strictly),
                cmocka_unit_test(base64url_agrees_with_rfc_4648),
                cmocka_unit_test(copying_replaces_and_takes_null),
                cmocka_unit_test(comparing_knows_null),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

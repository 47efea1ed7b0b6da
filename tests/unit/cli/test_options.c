#include "test_cli.h"

#include <errno.h>

static const struct command *command_named(const char *name) {
        for (size_t i = 0; i < n_commands; i++)
                if (strcmp(commands[i].name, name) == 0)
                        return &commands[i];
        fail_msg("no verb %s", name);
        return NULL;
}

/* argv is a line of words between single spaces, the verb first. */
#define WORDS_MAX 16
struct line {
        char text[512];
        char *argv[WORDS_MAX + 1];
        int argc;
};

static int parse(struct line *line, const char *text, struct arguments *ret, char **problem) {
        char *word, *next = NULL;

        line->argc = 0;
        snprintf(line->text, sizeof(line->text), "%s", text);
        for (word = strtok_r(line->text, " ", &next); word && line->argc < WORDS_MAX; word = strtok_r(NULL, " ", &next))
                line->argv[line->argc++] = word;
        line->argv[line->argc] = NULL;
        return options_parse(command_named(line->argv[0]), line->argc, line->argv, ret, problem);
}

static void assert_refused(const char *text, const char *word) {
        _cleanup_(freep) char *problem = NULL;
        struct arguments arguments;
        struct line line;

        assert_int_equal(parse(&line, text, &arguments, &problem), -EINVAL);
        if (!strstr(problem, word))
                fail_msg("\"%s\" said \"%s\", expected \"%s\"", text, problem, word);
}

static void options_may_stand_between_operands(void **state) {
        _cleanup_(freep) char *problem = NULL;
        struct arguments arguments;
        struct line line;

        assert_int_equal(parse(&line, "get http://a -q http://b -d /tmp --json", &arguments, &problem), 0);
        assert_int_equal(arguments.n_operands, 2);
        assert_string_equal(arguments.operands[0], "http://a");
        assert_string_equal(arguments.operands[1], "http://b");
        assert_true(option_given(&arguments, OPTION_QUIET));
        assert_true(option_given(&arguments, OPTION_JSON));
        assert_false(option_given(&arguments, OPTION_DETACH));
        assert_string_equal(arguments.values[OPTION_DIRECTORY], "/tmp");
}

static void two_dashes_end_the_options(void **state) {
        _cleanup_(freep) char *problem = NULL;
        struct arguments arguments;
        struct line line;

        assert_int_equal(parse(&line, "create -- --json", &arguments, &problem), 0);
        assert_string_equal(arguments.operands[0], "--json");
        assert_false(option_given(&arguments, OPTION_JSON));
}

static void an_option_of_another_verb_is_refused(void **state) {
        assert_refused("list --sha256 00", "--sha256");
        assert_refused("resume -q 1234", "-q");
        assert_refused("get --frobnicate http://a", "--frobnicate");
}

static void missing_and_surplus_words_are_named(void **state) {
        assert_refused("get http://a -o", "-o wants an argument");
        assert_refused("get http://a --quiet=yes", "--quiet takes no argument");
        assert_refused("resume", "ID...");
        assert_refused("list everything", "everything");
        assert_refused("watch a b", "\"b\"");
        assert_refused("set 1234", "KEY=VALUE");
}

static void what_excludes_each_other_is_refused(void **state) {
        assert_refused("list --system --user", "exclude");
        assert_refused("get http://a -o f -d g", "exclude");
        assert_refused("get http://a -o f -o g", "twice");
}

static void help_needs_no_operands(void **state) {
        _cleanup_(freep) char *problem = NULL;
        struct arguments arguments;
        struct line line;

        assert_int_equal(parse(&line, "resume --help", &arguments, &problem), 0);
        assert_true(option_given(&arguments, OPTION_HELP));
}

static void numbers_and_digests_are_read_whole_or_not_at_all(void **state) {
        unsigned char digest[32];
        uint64_t n;

        assert_int_equal(parse_number("18446744073709551615", &n), 0);
        assert_true(n == UINT64_MAX);
        assert_int_equal(parse_number("18446744073709551616", &n), -EINVAL);
        assert_int_equal(parse_number("", &n), -EINVAL);
        assert_int_equal(parse_number("-1", &n), -EINVAL);
        assert_int_equal(parse_number("1k", &n), -EINVAL);
        assert_int_equal(parse_sha256("00", digest), -EINVAL);
        assert_int_equal(parse_sha256("AbCdEf0123456789AbCdEf0123456789AbCdEf0123456789AbCdEf0123456789", digest), 0);
        assert_int_equal(digest[0], 0xab);
        assert_int_equal(parse_sha256("AbCdEf0123456789AbCdEf0123456789AbCdEf0123456789AbCdEf012345678 ", digest), -EINVAL);
}

static void a_rate_may_have_a_large_or_a_small_letter_behind_it(void **state) {
        static const struct {
                const char *text;
                uint64_t rate;
        } rows[] = { { "500", 500 }, { "500K", 512000 }, { "500k", 512000 }, { "2m", 2097152 }, { "1g", 1073741824 } };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                struct arguments arguments = { .given = OPTION_BIT(OPTION_LIMIT_RATE), .values = { [OPTION_LIMIT_RATE] = rows[i].text } };
                uint64_t rate;

                assert_int_equal(option_rate(&arguments, &rate), 0);
                assert_true(rate == rows[i].rate);
        }
}

static void every_verb_and_option_has_a_text_and_a_name_of_its_own(void **state) {
        for (size_t i = 0; i < n_commands; i++) {
                assert_true(strlen(commands[i].text) > 0);
                assert_non_null(commands[i].run);
                for (size_t j = 0; j < i; j++)
                        assert_string_not_equal(commands[i].name, commands[j].name);
        }
        for (int i = 0; i < _OPTION_MAX; i++) {
                assert_non_null(option_rows[i].name);
                assert_true(strlen(option_rows[i].text) > 0);
                for (int j = 0; j < i; j++) {
                        assert_string_not_equal(option_rows[i].name, option_rows[j].name);
                        assert_true(!option_rows[i].letter || option_rows[i].letter != option_rows[j].letter);
                }
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(options_may_stand_between_operands),
                cmocka_unit_test(two_dashes_end_the_options),
                cmocka_unit_test(an_option_of_another_verb_is_refused),
                cmocka_unit_test(missing_and_surplus_words_are_named),
                cmocka_unit_test(what_excludes_each_other_is_refused),
                cmocka_unit_test(help_needs_no_operands),
                cmocka_unit_test(numbers_and_digests_are_read_whole_or_not_at_all),
                cmocka_unit_test(a_rate_may_have_a_large_or_a_small_letter_behind_it),
                cmocka_unit_test(every_verb_and_option_has_a_text_and_a_name_of_its_own),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

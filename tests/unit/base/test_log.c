#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/log.h"

static struct {
        unsigned n;
        int result;
        enum log_level level;
        size_t n_fields;
        char id[40];
        char text[4096];
} got;

static int take(const struct log_line *line) {
        assert_string_equal(line->program, "tester");
        got.n++;
        got.level = line->level;
        got.n_fields = line->n_fields;
        snprintf(got.id, sizeof(got.id), "%s", line->message_id ?: "");
        snprintf(got.text, sizeof(got.text), "%s", line->text);
        return got.result;
}

static int set_up(void **state) {
        memset(&got, 0, sizeof(got));
        (void) unsetenv("JOURNAL_STREAM");
        log_setup("tester", LOG_LEVEL_NOTICE);
        log_set_sink(take);
        return 0;
}

static void the_sink_gets_the_line_with_its_id_and_fields(void **state) {
        struct log_field field = { "A", "b" };

        log_structured(&(struct log_line) { .level = LOG_LEVEL_WARNING, .message_id = "id", .fields = &field, .n_fields = 1 }, "x %d", 7);
        assert_int_equal(got.n, 1);
        assert_int_equal(got.level, LOG_LEVEL_WARNING);
        assert_int_equal(got.n_fields, 1);
        assert_string_equal(got.id, "id");
        assert_string_equal(got.text, "x 7");
        log_notice("plain");
        assert_string_equal(got.id, "");
        assert_string_equal(got.text, "plain");
}

static void what_is_above_the_level_reaches_nobody(void **state) {
        log_info("quiet");
        log_structured(&(struct log_line) { .level = LOG_LEVEL_DEBUG }, "quiet");
        assert_int_equal(got.n, 0);
}

static void a_long_line_is_cut(void **state) {
        char *text = malloc(100000);

        assert_non_null(text);
        memset(text, 'x', 99999);
        text[99999] = 0;
        log_error("%s", text);
        free(text);
        assert_int_equal(got.n, 1);
        assert_in_range(strlen(got.text), 1000, 2047);
}

/* stderr is a pipe for one line; what came out is in @ret. */
static void say(const char *text, char *ret, size_t size) {
        int fds[2], old = dup(STDERR_FILENO);
        ssize_t n;

        assert_int_equal(pipe(fds), 0);
        assert_true(dup2(fds[1], STDERR_FILENO) >= 0);
        log_error("%s", text);
        n = read(fds[0], ret, size - 1);
        assert_true(dup2(old, STDERR_FILENO) >= 0);
        assert_true(n > 0);
        ret[n] = 0;
        close(fds[0]);
        close(fds[1]);
        close(old);
}

static void what_the_sink_cannot_take_goes_to_stderr(void **state) {
        char line[100];

        got.result = -EIO;
        say("lost?", line, sizeof(line));
        assert_string_equal(line, "tester: lost?\n");
}

static void only_the_streams_own_device_and_inode_count_as_the_journal(void **state) {
        char text[64];
        struct stat st;

        assert_int_equal(fstat(STDERR_FILENO, &st), 0);
        assert_false(log_stderr_is_journal());
        snprintf(text, sizeof(text), "%ju:%ju", (uintmax_t) st.st_dev, (uintmax_t) st.st_ino + 1);
        setenv("JOURNAL_STREAM", text, 1);
        assert_false(log_stderr_is_journal());
        setenv("JOURNAL_STREAM", "rubbish", 1);
        assert_false(log_stderr_is_journal());
        snprintf(text, sizeof(text), "%ju:%ju", (uintmax_t) st.st_dev, (uintmax_t) st.st_ino);
        setenv("JOURNAL_STREAM", text, 1);
        assert_true(log_stderr_is_journal());
        /* Then levels go before the text. */
        log_setup("tester", LOG_LEVEL_NOTICE);
        got.result = -EIO;
        say("x", text, sizeof(text));
        assert_string_equal(text, "<3>x\n");
}

static void what_others_bring_about_is_written_so_often_in_a_minute(void **state) {
        struct log_limit limit = {};
        unsigned n_left_out = 7;
        uint64_t now = USEC_PER_DAY;

        for (unsigned i = 0; i < LOG_LIMIT_LINES; i++) {
                assert_true(log_limit_take(&limit, now + i, &n_left_out));
                assert_int_equal(n_left_out, 0);
        }
        for (unsigned i = 0; i < 3; i++)
                assert_false(log_limit_take(&limit, now + USEC_PER_MINUTE - 1, &n_left_out));
        assert_true(log_limit_take(&limit, now + USEC_PER_MINUTE, &n_left_out));
        assert_int_equal(n_left_out, 3);
        assert_true(log_limit_take(&limit, now + USEC_PER_MINUTE + 1, &n_left_out));
        assert_int_equal(n_left_out, 0);
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup(the_sink_gets_the_line_with_its_id_and_fields, set_up),
                cmocka_unit_test_setup(what_is_above_the_level_reaches_nobody, set_up),
                cmocka_unit_test_setup(a_long_line_is_cut, set_up),
                cmocka_unit_test_setup(what_the_sink_cannot_take_goes_to_stderr, set_up),
                cmocka_unit_test(what_others_bring_about_is_written_so_often_in_a_minute),
                cmocka_unit_test_setup(only_the_streams_own_device_and_inode_count_as_the_journal, set_up),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "test_cli.h"

static int code_of(const char *name, const char *context, const char *file) {
        const dosvc_failure failure = { .hresult = -1, .name = name, .context = context, .file = file };

        return exit_code_of(&failure);
}

static void names_decide_the_exit_code(void **state) {
        assert_int_equal(code_of("InvalidUrl", "none", ""), EXIT_USAGE);
        assert_int_equal(code_of("NotFound", "none", ""), EXIT_NO_SUCH_JOB);
        assert_int_equal(code_of("AccessDenied", "none", ""), EXIT_DENIED);
        assert_int_equal(code_of("NoService", "none", ""), EXIT_NO_SERVICE);
        assert_int_equal(code_of("HttpStatus", "remote_file", ""), EXIT_REMOTE);
        assert_int_equal(code_of("FileExists", "none", "/x"), EXIT_LOCAL_FILE);
        assert_int_equal(code_of("DigestMismatch", "local_file", "/x"), EXIT_MISMATCH);
        assert_int_equal(code_of("SizeMismatch", "remote_file", "/x"), EXIT_MISMATCH);
        assert_int_equal(code_of("InvalidState", "none", ""), EXIT_OTHER);
}

static void a_directory_that_may_not_be_written_is_a_local_file(void **state) {
        assert_int_equal(code_of("AccessDenied", "local_file", "/x"), EXIT_LOCAL_FILE);
        assert_int_equal(code_of("AccessDenied", "none", "/x"), EXIT_LOCAL_FILE);
}

static void an_unknown_name_is_judged_by_its_context(void **state) {
        assert_int_equal(code_of("Newer", "remote_file", ""), EXIT_REMOTE);
        assert_int_equal(code_of("Newer", "general_transport", ""), EXIT_REMOTE);
        assert_int_equal(code_of("Newer", "local_file", ""), EXIT_LOCAL_FILE);
        assert_int_equal(code_of("Newer", "general_queue_manager", ""), EXIT_OTHER);
        assert_int_equal(code_of(NULL, NULL, NULL), EXIT_OTHER);
}

static void a_sentence_says_file_url_and_code_once(void **state) {
        const dosvc_failure failure = { (int32_t) 0x80190194, "FileNotFound", "remote_file", "/d/f", "http://h/f", "The server has no such file." };
        const dosvc_failure said = { (int32_t) 0x80070050, "FileExists", "none", "/d/f", "", "/d/f exists already." };
        _cleanup_(freep) char *sentence = failure_sentence(&failure), *short_one = failure_sentence(&said);

        assert_string_equal(sentence, "The server has no such file. [/d/f from http://h/f] (0x80190194)");
        assert_string_equal(short_one, "/d/f exists already. (0x80070050)");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(names_decide_the_exit_code),
                cmocka_unit_test(a_directory_that_may_not_be_written_is_a_local_file),
                cmocka_unit_test(an_unknown_name_is_judged_by_its_context),
                cmocka_unit_test(a_sentence_says_file_url_and_code_once),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

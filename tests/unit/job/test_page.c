#include "jobs.h"

#include "base/fds.h"

static const char *page_path;

static void the_page_of_states_is_the_one_that_the_tables_make(void **state _unused_) {
        _cleanup_free_ char *page = NULL, *made = NULL;
        size_t made_size;
        FILE *out = open_memstream(&made, &made_size);

        assert_non_null(out);
        job_describe_machine(out);
        assert_int_equal(fclose(out), 0);
        assert_int_equal(fd_read_file(page_path, 1 << 20, &page, NULL), 0);
        /* Differs? `ninja states-md` makes it anew. */
        assert_string_equal(page, made);
}

static void the_page_names_every_state_event_and_call(void **state _unused_) {
        _cleanup_free_ char *made = NULL;
        size_t made_size;
        FILE *out = open_memstream(&made, &made_size);

        assert_non_null(out);
        job_describe_machine(out);
        assert_int_equal(fclose(out), 0);
        for (enum job_state s = 0; s < _JOB_STATE_MAX; s++)
                assert_non_null(strstr(made, job_state_name(s)));
        for (enum job_event event = 0; event < _JOB_EVENT_MAX; event++)
                assert_non_null(strstr(made, job_event_name(event)));
        for (enum job_command command = 0; command < _JOB_COMMAND_MAX; command++)
                assert_non_null(strstr(made, job_command_name(command)));
}

int main(int argc, char *argv[]) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(the_page_of_states_is_the_one_that_the_tables_make),
                cmocka_unit_test(the_page_names_every_state_event_and_call),
        };

        if (argc != 2)
                return 2;
        page_path = argv[1];
        return cmocka_run_group_tests(tests, NULL, NULL);
}

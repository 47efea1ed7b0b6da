#include "test_cli.h"

#include <locale.h>

#define MIB (UINT64_C(1) << 20)
#define SECOND UINT64_C(1000000)

static const dosvc_job_info moving = { .id = "01234567-0123-0123-0123-012345678901",
                                       .state = "transferring",
                                       .waiting_reason = "none",
                                       .waiting_text = "",
                                       .bytes_total = 100 * MIB,
                                       .bytes_transferred = 42 * MIB,
                                       .files_total = 1 };

static void the_rate_is_that_of_the_last_seconds(void **state) {
        struct meter *meter = meter_new("f");

        for (uint64_t tick = 0; tick <= 100; tick++) /* 10 s at 1 MiB/s */
                meter_sample(meter, tick * MIB / 10, tick * SECOND / 10);
        for (uint64_t tick = 1; tick <= 80; tick++) /* 8 s at 10 MiB/s */
                meter_sample(meter, 10 * MIB + tick * MIB, (100 + tick) * SECOND / 10);
        assert_in_range(meter_rate(meter), 10 * MIB - 1, 10 * MIB + 1);
        meter = meter_free(meter);
}

static void the_rate_of_a_stalled_job_goes_to_zero(void **state) {
        struct meter *meter = meter_new("f");

        meter_sample(meter, 0, SECOND);
        meter_sample(meter, MIB, 2 * SECOND);
        for (uint64_t t = 3; t < 20; t++)
                meter_sample(meter, MIB, t * SECOND);
        assert_int_equal(meter_rate(meter), 0);
        meter = meter_free(meter);
}

static void a_file_that_begins_again_gives_no_negative_rate(void **state) {
        struct meter *meter = meter_new("f");

        meter_sample(meter, 50 * MIB, SECOND);
        meter_sample(meter, 0, 2 * SECOND);
        assert_int_equal(meter_rate(meter), 0);
        meter_sample(meter, MIB, 3 * SECOND);
        assert_int_equal(meter_rate(meter), MIB);
        meter = meter_free(meter);
}

static void a_line_shows_bytes_rate_and_time_left(void **state) {
        _cleanup_(freep) char *line = meter_line("f.iso", &moving, 2 * MIB, 0);

        assert_string_equal(line, "f.iso   42%  42.0 MiB of 100.0 MiB, 2.0 MiB/s, 0:29 left");
}

static void a_wide_terminal_gets_a_bar_and_a_narrow_one_a_cut_line(void **state) {
        _cleanup_(freep) char *wide = meter_line("f.iso", &moving, 2 * MIB, 120), *narrow = meter_line("f.iso", &moving, 2 * MIB, 30);

        assert_non_null(strstr(wide, "[==="));
        assert_true(format_width(wide) <= 120);
        assert_null(strchr(narrow, '['));
        assert_int_equal(format_width(narrow), 30);
}

static void every_width_is_kept(void **state) {
        for (size_t width = 1; width < 200; width++) {
                _cleanup_(freep) char *line = meter_line("f\xc3\xbc.iso", &moving, 3, width);

                assert_true(format_width(line) <= width);
        }
}

static void an_unknown_size_shows_no_share(void **state) {
        dosvc_job_info job = moving;
        _cleanup_(freep) char *line = NULL;

        job.bytes_total = DOSVC_UNKNOWN;
        line = meter_line("f", &job, MIB, 0);
        assert_string_equal(line, "f     ?  42.0 MiB, 1.0 MiB/s");
}

static void a_waiting_job_says_what_it_waits_for(void **state) {
        dosvc_job_info job = moving;
        _cleanup_(freep) char *line = NULL, *with_error = NULL;

        job.state = "queued";
        job.waiting_reason = "slot";
        job.waiting_text = "waits for a background slot";
        line = meter_line("f", &job, 0, 0);
        assert_non_null(strstr(line, "waits for a background slot"));
        job.state = "transient_error";
        job.waiting_text = "waits for its next try";
        job.retry_time = now_realtime_usec() + 90 * SECOND;
        job.error = (dosvc_failure) { .hresult = -1, .text = "No connection." };
        with_error = meter_line("f", &job, 0, 0);
        assert_non_null(strstr(with_error, "waits for its next try in 1:"));
        assert_non_null(strstr(with_error, "No connection."));
}

static void a_job_that_waits_for_nothing_does_not_say_so(void **state) {
        dosvc_job_info job = moving;
        _cleanup_(freep) char *over = NULL, *queued = NULL;

        job.waiting_text = "does not wait";
        job.state = "acknowledged";
        job.bytes_transferred = job.bytes_total;
        over = meter_line("f", &job, 0, 0);
        assert_string_equal(over, "f  100%  100.0 MiB");
        job.state = "queued";
        queued = meter_line("f", &job, 0, 0);
        assert_string_equal(queued, "f  100%  queued");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(the_rate_is_that_of_the_last_seconds),
                cmocka_unit_test(the_rate_of_a_stalled_job_goes_to_zero),
                cmocka_unit_test(a_file_that_begins_again_gives_no_negative_rate),
                cmocka_unit_test(a_line_shows_bytes_rate_and_time_left),
                cmocka_unit_test(a_wide_terminal_gets_a_bar_and_a_narrow_one_a_cut_line),
                cmocka_unit_test(every_width_is_kept),
                cmocka_unit_test(an_unknown_size_shows_no_share),
                cmocka_unit_test(a_waiting_job_says_what_it_waits_for),
                cmocka_unit_test(a_job_that_waits_for_nothing_does_not_say_so),
        };

        (void) setlocale(LC_CTYPE, "C.UTF-8");
        return cmocka_run_group_tests(tests, NULL, NULL);
}

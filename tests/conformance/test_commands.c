/* The program that a job names for its end (IBackgroundCopyJob2::SetNotifyCmdLine), run by the real service. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>
#include <wchar.h>

#include "conform.h"

#define PATIENCE_SECONDS 20

static IBackgroundCopyJob2 *job2_of(struct job *job) {
        IBackgroundCopyJob2 *job2;

        assert_hr(IBackgroundCopyJob_QueryInterface(job->com, &IID_IBackgroundCopyJob2, (void **) &job2), S_OK);
        (void) IBackgroundCopyJob2_Release(job2); /* the job holds it, too */
        return job2;
}

static void assert_command(struct job *job, const wchar_t *program, const wchar_t *parameters) {
        LPWSTR got_program, got_parameters;

        assert_hr(IBackgroundCopyJob2_GetNotifyCmdLine(job2_of(job), &got_program, &got_parameters), S_OK);
        assert_true(program ? got_program && wcscmp(got_program, program) == 0 : !got_program);
        assert_true(parameters ? got_parameters && wcscmp(got_parameters, parameters) == 0 : !got_parameters);
        CoTaskMemFree(got_program);
        CoTaskMemFree(got_parameters);
}

static void write_script(const wchar_t *path, const char *text) {
        file_write(path, text, strlen(text));
        assert_int_equal(chmod(narrow(path), 0700), 0);
}

/* Until @path has @n lines: the kernel says when something was written. The caller frees it. */
static char *wait_for_lines(const wchar_t *path, size_t n) {
        int watch = inotify_init1(IN_CLOEXEC);
        char *folder = strdup(narrow(path)), events[4096];

        assert_non_null(folder);
        *strrchr(folder, '/') = 0;
        assert_true(watch >= 0 && inotify_add_watch(watch, folder, IN_CLOSE_WRITE) >= 0);
        free(folder);
        (void) alarm(PATIENCE_SECONDS);
        for (;;) {
                size_t size = 0, lines = 0;
                char *text = file_read(path, &size);

                for (size_t i = 0; text && i < size; i++)
                        lines += text[i] == '\n';
                if (lines >= n) {
                        (void) alarm(0);
                        close(watch);
                        text[size] = 0;
                        return text;
                }
                free(text);
                assert_true(read(watch, events, sizeof(events)) > 0);
        }
}

/* CONFORMS: api.md 1.7 notify command line; 1.8 SetNotifyCmdLine; design decision 12: PATH_MAX instead of MAX_PATH */
/* SENTENCES: limits.cmdline */
static void a_command_has_limits_and_parameters_need_a_program(void **state) {
        FOR_EACH_FAMILY(family) {
                struct job job = job_new(family);
                IBackgroundCopyJob2 *job2 = job2_of(&job);
                LPWSTR text;

                assert_command(&job, NULL, NULL);
                assert_hr(IBackgroundCopyJob2_SetNotifyCmdLine(job2, NULL, L"x"), E_INVALIDARG);
                assert_hr(IBackgroundCopyJob2_SetNotifyCmdLine(job2, L"tell", NULL), E_INVALIDARG);
                assert_hr(IBackgroundCopyJob2_SetNotifyCmdLine(job2, long_text(L"/", 4096), NULL), BG_E_STRING_TOO_LONG);
                assert_hr(IBackgroundCopyJob2_SetNotifyCmdLine(job2, long_text(L"/", 4095), NULL), S_OK);
                assert_hr(IBackgroundCopyJob2_SetNotifyCmdLine(job2, L"/bin/true", long_text(L"true ", 4001)), BG_E_STRING_TOO_LONG);
                assert_command(&job, long_text(L"/", 4095), NULL);
                assert_hr(IBackgroundCopyJob2_SetNotifyCmdLine(job2, L"/bin/true", long_text(L"true ", 4000)), S_OK);
                assert_command(&job, L"/bin/true", long_text(L"true ", 4000));
                assert_hr(IBackgroundCopyJob2_SetNotifyCmdLine(job2, L"/bin/true", NULL), S_OK);
                assert_command(&job, L"/bin/true", NULL);
                assert_hr(IBackgroundCopyJob2_SetNotifyCmdLine(job2, NULL, NULL), S_OK);
                assert_command(&job, NULL, NULL);
                assert_hr(IBackgroundCopyJob2_GetNotifyCmdLine(job2, NULL, &text), E_INVALIDARG);
                assert_hr(IBackgroundCopyJob2_GetNotifyCmdLine(job2, &text, NULL), E_INVALIDARG);
                assert_hr(IBackgroundCopyJob_Cancel(job.com), S_OK);
                assert_hr(IBackgroundCopyJob2_SetNotifyCmdLine(job2, L"/bin/true", NULL), family->invalid_state);
                job_done(&job);
        }
}

/* CONFORMS: api.md 1.8 SetNotifyCmdLine: on TRANSFERRED and ERROR, if no callback takes it; exit code not 0: again */
/* SENTENCES: job.cmdline */
static void a_command_runs_at_the_end_and_again_until_it_exits_with_0(void **state) {
        FOR_EACH_FAMILY(family) {
                for (int fails = 0; fails <= family->is_do; fails++) {
                        const wchar_t *script = destination("script"), *output = destination("output");
                        struct job job = job_new(family);
                        char expected[256], *got;
                        wchar_t parameters[512];

                        /* Fails the first time that it runs. */
                        write_script(script, "#!/bin/sh\necho \"$DOSVC_JOB $DOSVC_EVENT $2 $#\" >> \"$1\"\n"
                                             "[ $(wc -l < \"$1\") -ge 2 ]\n");
                        (void) swprintf(parameters, ELEMENTSOF(parameters), L"script %ls \"a b\"", output);
                        assert_hr(IBackgroundCopyJob2_SetNotifyCmdLine(job2_of(&job), script, parameters), S_OK);
                        job_add(&job, origin_url(fails ? "/absent?status=404" : "/file?size=1000"), destination("file"));
                        assert_hr(IBackgroundCopyJob_SetPriority(job.com, BG_JOB_PRIORITY_FOREGROUND), S_OK);
                        if (!family->is_do)
                                assert_hr(IBackgroundCopyJob_SetMinimumRetryDelay(job.com, 5), S_OK);
                        job_resume(&job);
                        job_wait(&job, fails ? BG_JOB_STATE_ERROR : BG_JOB_STATE_TRANSFERRED);
                        got = wait_for_lines(output, 2);
                        (void) snprintf(expected, sizeof(expected), "%s %s a b 2\n%s %s a b 2\n", job.text,
                                        fails ? "error" : "transferred", job.text, fails ? "error" : "transferred");
                        assert_string_equal(got, expected);
                        free(got);
                        job_done(&job);
                }
        }
}

/* CONFORMS: api.md 1.8 SetNotifyCmdLine; the property outlives the service, and so does what is due */
static void a_command_that_died_with_the_service_runs_again(void **state) {
        const wchar_t *script = destination("script"), *output = destination("output");
        struct job job = job_new(&families[0]);
        wchar_t parameters[512];

        /* The first one never ends by itself. */
        write_script(script, "#!/bin/sh\necho run >> \"$1\"\n[ $(wc -l < \"$1\") -ge 2 ] || exec sleep 1000\n");
        (void) swprintf(parameters, ELEMENTSOF(parameters), L"script %ls", output);
        assert_hr(IBackgroundCopyJob2_SetNotifyCmdLine(job2_of(&job), script, parameters), S_OK);
        job_add(&job, origin_url("/file?size=1000"), destination("file"));
        job_resume(&job);
        free(wait_for_lines(output, 1));
        world_kill_service();
        world_start_service();
        free(wait_for_lines(output, 2));
        assert_command(&job, script, parameters);
        job_done(&job);
}

/* CONFORMS: api.md 1.8 TakeOwnership. One user's service has no administrator and no other owner: whoever takes a job has it already, and
 * nothing is dropped. */
/* SENTENCES: job.ownership */
static void who_takes_his_own_job_keeps_all_that_is_in_it(void **state) {
        FOR_EACH_FAMILY(family) {
                struct job job = job_new(family);
                IBackgroundCopyJobHttpOptions *http;
                LPWSTR headers = NULL, owner = NULL, owner_before = NULL;

                assert_hr(IBackgroundCopyJob2_SetNotifyCmdLine(job2_of(&job), L"/bin/true", L"true x"), S_OK);
                assert_hr(IBackgroundCopyJob_QueryInterface(job.com, &IID_IBackgroundCopyJobHttpOptions, (void **) &http), S_OK);
                assert_hr(IBackgroundCopyJobHttpOptions_SetCustomHeaders(http, L"X-A: b"), S_OK);
                assert_hr(IBackgroundCopyJob_GetOwner(job.com, &owner_before), S_OK);
                assert_hr(IBackgroundCopyJob_TakeOwnership(job.com), S_OK);
                assert_hr(IBackgroundCopyJob_GetOwner(job.com, &owner), S_OK);
                assert_true(wcscmp(owner, owner_before) == 0);
                assert_hr(IBackgroundCopyJobHttpOptions_GetCustomHeaders(http, &headers), S_OK);
                assert_true(wcscmp(headers, L"X-A: b") == 0);
                assert_command(&job, L"/bin/true", L"true x");
                CoTaskMemFree(headers);
                CoTaskMemFree(owner);
                CoTaskMemFree(owner_before);
                (void) IBackgroundCopyJobHttpOptions_Release(http);
                job_done(&job);
        }
}

int main(int argc, char **argv) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_command_has_limits_and_parameters_need_a_program),
                cmocka_unit_test(a_command_runs_at_the_end_and_again_until_it_exits_with_0),
                cmocka_unit_test(a_command_that_died_with_the_service_runs_again),
                cmocka_unit_test(who_takes_his_own_job_keeps_all_that_is_in_it),
        };

        return world_run(argc, argv, "commands that jobs name for their end", NULL, tests, ELEMENTSOF(tests));
}

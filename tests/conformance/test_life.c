/* What happens to a job from Resume to its end: transfer, errors, Complete, Cancel, restarts. One small test for
 * each row. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conform.h"

#define FETCHED "/file?size=300000"
#define FETCHED_SIZE 300000
#define PACED "/paced?size=100000000&rate=2000"

static HRESULT error_code(const struct job *job, BG_ERROR_CONTEXT *ret_context) {
        IBackgroundCopyError *error;
        BG_ERROR_CONTEXT context;
        HRESULT code;

        assert_hr(IBackgroundCopyJob_GetError(job->com, &error), S_OK);
        assert_hr(IBackgroundCopyError_GetError(error, &context, &code), S_OK);
        assert_int_equal(IBackgroundCopyError_Release(error), 0);
        if (ret_context)
                *ret_context = context;
        return code;
}

static void assert_no_error(const struct job *job) {
        IBackgroundCopyError *error;

        assert_hr(IBackgroundCopyJob_GetError(job->com, &error), job->family->unavailable);
        assert_null(error);
}

static ULONG error_count(const struct job *job) {
        ULONG n;

        assert_hr(IBackgroundCopyJob_GetErrorCount(job->com, &n), S_OK);
        return n;
}

static BOOL is_completed(struct job *job) {
        IBackgroundCopyFile *file = job_first_file(job);
        BG_FILE_PROGRESS progress;

        assert_hr(IBackgroundCopyFile_GetProgress(file, &progress), S_OK);
        (void) IBackgroundCopyFile_Release(file);
        return progress.Completed;
}

static void set_remote_name(struct job *job, const wchar_t *url) {
        IBackgroundCopyFile *file = job_first_file(job);
        IBackgroundCopyFile2 *file2;

        assert_hr(IBackgroundCopyFile_QueryInterface(file, &IID_IBackgroundCopyFile2, (void **) &file2), S_OK);
        assert_hr(IBackgroundCopyFile2_SetRemoteName(file2, url), S_OK);
        (void) IBackgroundCopyFile2_Release(file2);
        (void) IBackgroundCopyFile_Release(file);
}

/* ---- transfer ---- */

/* CONFORMS: api.md 2.1 Resume, Complete; 2.4 "destination never visible before Complete"; 1.8 GetTimes, 1.5
 * Completed */
/* SENTENCES: invisible */
static void a_file_appears_with_complete_and_not_before(void **state) {
        FOR_EACH_FAMILY(family) {
                const wchar_t *path;
                struct job job = job_in_state(family, FETCHED, BG_JOB_STATE_TRANSFERRED, &path);
                BG_JOB_PROGRESS progress;
                BG_JOB_TIMES times;

                assert_false(file_exists(path));
                assert_int_equal(count_parts(), 1);
                assert_false(is_completed(&job));
                assert_hr(IBackgroundCopyJob_GetProgress(job.com, &progress), S_OK);
                assert_true(progress.BytesTotal == FETCHED_SIZE && progress.BytesTransferred == FETCHED_SIZE);
                assert_int_equal(progress.FilesTransferred, 1);
                assert_hr(IBackgroundCopyJob_GetTimes(job.com, &times), S_OK);
                assert_true(times.TransferCompletionTime.dwHighDateTime != 0);
                assert_hr(IBackgroundCopyJob_Complete(job.com), S_OK);
                assert_file_is(path, FETCHED, FETCHED_SIZE);
                assert_int_equal(count_parts(), 0);
                assert_int_equal(job_state(&job), BG_JOB_STATE_ACKNOWLEDGED);
                assert_true(is_completed(&job));
                job_done(&job);
        }
}

/* CONFORMS: api.md 2.1 "Resume, 0 files": BG_E_EMPTY / DO_E_JOB_EMPTY, stays S */
/* SENTENCES: job.resume.empty */
static void an_empty_job_cannot_be_resumed(void **state) {
        FOR_EACH_FAMILY(family) {
                struct job job = job_new(family);

                assert_hr(IBackgroundCopyJob_Resume(job.com), family->empty);
                assert_int_equal(job_state(&job), BG_JOB_STATE_SUSPENDED);
                job_done(&job);
        }
}

/* CONFORMS: api.md 2.4 "second Cancel and second Complete → INVALID_STATE" */
/* SENTENCES: state.final twice */
static void the_second_complete_or_cancel_is_an_invalid_state(void **state) {
        FOR_EACH_FAMILY(family) {
                struct job completed = job_in_state(family, FETCHED, BG_JOB_STATE_TRANSFERRED, NULL);
                struct job cancelled = job_new(family);

                assert_hr(IBackgroundCopyJob_Complete(completed.com), S_OK);
                assert_hr(IBackgroundCopyJob_Complete(completed.com), family->invalid_state);
                assert_hr(IBackgroundCopyJob_Cancel(completed.com), family->invalid_state);
                assert_hr(IBackgroundCopyJob_Cancel(cancelled.com), S_OK);
                assert_hr(IBackgroundCopyJob_Cancel(cancelled.com), family->invalid_state);
                assert_hr(IBackgroundCopyJob_Complete(cancelled.com), family->invalid_state);
                job_done(&completed);
                job_done(&cancelled);
        }
}

/* CONFORMS: api.md 2.1 Cancel: temp deleted, finished files of a TRANSFERRED job too */
/* SENTENCES: job.cancel state.cancel */
static void cancel_leaves_no_file(void **state) {
        FOR_EACH_FAMILY(family) {
                const wchar_t *path, *paced;
                struct job job = job_in_state(family, FETCHED, BG_JOB_STATE_TRANSFERRED, &path);
                struct job running = job_in_state(family, PACED, BG_JOB_STATE_TRANSFERRING, &paced);

                assert_hr(IBackgroundCopyJob_Cancel(job.com), S_OK);
                assert_hr(IBackgroundCopyJob_Cancel(running.com), S_OK);
                assert_false(file_exists(path));
                assert_false(file_exists(paced));
                assert_int_equal(count_parts(), 0);
                job_done(&job);
                job_done(&running);
        }
}

static int has_one_file(const dosvc_job_info *info, void *userdata) {
        return info->files_transferred == 1 ? 2 : 0;
}

static void wait_for_one_file(const struct job *job) {
        dosvc *connection;

        assert_hr(dosvc_open(DOSVC_CONNECT_NO_START, &connection), S_OK);
        assert_int_equal(dosvc_watch(connection, job->text, 20000, has_one_file, NULL), 2);
        dosvc_close(connection);
}

/* CONFORMS: api.md 1.8 Complete: transferred files kept, partial ones deleted, BG_S_PARTIAL_COMPLETE */
/* SENTENCES: job.complete */
static void complete_of_a_running_job_keeps_what_is_whole(void **state) {
        FOR_EACH_FAMILY(family) {
                const wchar_t *whole = destination("whole"), *part = destination("part");
                struct job job = job_new(family);

                job_add(&job, origin_url(FETCHED), whole);
                job_add(&job, origin_url(PACED), part);
                assert_hr(IBackgroundCopyJob_SetPriority(job.com, BG_JOB_PRIORITY_FOREGROUND), S_OK);
                job_resume(&job);
                wait_for_one_file(&job);
                assert_false(file_exists(whole));
                assert_hr(IBackgroundCopyJob_Complete(job.com), BG_S_PARTIAL_COMPLETE);
                assert_file_is(whole, FETCHED, FETCHED_SIZE);
                assert_false(file_exists(part));
                assert_int_equal(count_parts(), 0);
                assert_int_equal(job_state(&job), BG_JOB_STATE_ACKNOWLEDGED);
                job_done(&job);
        }
}

/* CONFORMS: api.md 2.1 "Complete, rename fails": stays D, error LOCAL_FILE, call again; finished ones stay Completed */
/* SENTENCES: job.complete.fails localfile */
static void a_failed_complete_leaves_the_job_transferred(void **state) {
        FOR_EACH_FAMILY(family) {
                const wchar_t *first = destination("first"), *path = destination("taken");
                struct job job = job_new(family);
                BG_ERROR_CONTEXT context;

                job_add(&job, origin_url("/1?size=10"), first);
                job_add(&job, origin_url(FETCHED), path);
                job_resume(&job);
                job_wait(&job, BG_JOB_STATE_TRANSFERRED);
                assert_return_code(mkdir(narrow(path), 0700), 0); /* never replaced, in any family */
                assert_true(FAILED(IBackgroundCopyJob_Complete(job.com)));
                assert_int_equal(job_state(&job), BG_JOB_STATE_TRANSFERRED);
                assert_true(FAILED(error_code(&job, &context)));
                assert_int_equal(context, BG_ERROR_CONTEXT_LOCAL_FILE);
                assert_int_equal(is_completed(&job), file_exists(first));
                assert_return_code(rmdir(narrow(path)), 0);
                assert_hr(IBackgroundCopyJob_Complete(job.com), S_OK);
                assert_file_is(path, FETCHED, FETCHED_SIZE);
                assert_true(file_exists(first));
                job_done(&job);
        }
}

/* CONFORMS: design.md decision 13: a file that came meanwhile is replaced in the BITS family only */
static void a_destination_that_appeared_is_judged_by_the_family(void **state) {
        FOR_EACH_FAMILY(family) {
                const wchar_t *path;
                struct job job = job_in_state(family, FETCHED, BG_JOB_STATE_TRANSFERRED, &path);

                file_write(path, "mine", 4);
                assert_return_code(chmod(narrow(path), 0640), 0);
                if (family->is_do) {
                        char *kept;
                        size_t n;

                        assert_hr(IBackgroundCopyJob_Complete(job.com), HRESULT_FROM_WIN32(ERROR_FILE_EXISTS));
                        assert_int_equal(job_state(&job), BG_JOB_STATE_TRANSFERRED);
                        kept = file_read(path, &n);
                        assert_memory_equal(kept, "mine", 4);
                        free(kept);
                        assert_return_code(unlink(narrow(path)), 0);
                }
                assert_hr(IBackgroundCopyJob_Complete(job.com), S_OK);
                assert_file_is(path, FETCHED, FETCHED_SIZE);
                if (!family->is_do) {
                        struct stat st;

                        assert_return_code(stat(narrow(path), &st), 0);
                        assert_int_equal(st.st_mode & 07777, 0640);
                }
                job_done(&job);
        }
}

/* CONFORMS: api.md 2.4 "Last-Modified becomes file mtime (BITS)"; design.md decision 20 (DO: now; 0666 & ~umask) */
/* SENTENCES: mtime */
static void time_and_mode_of_a_file_follow_the_rules(void **state) {
        FOR_EACH_FAMILY(family) {
                mode_t old = umask(027);
                const wchar_t *path;
                struct job job = job_in_state(family, "/old?size=10", BG_JOB_STATE_TRANSFERRED, &path);
                struct stat st;

                (void) umask(old);
                assert_hr(IBackgroundCopyJob_Complete(job.com), S_OK);
                assert_return_code(stat(narrow(path), &st), 0);
                assert_int_equal(st.st_mode & 07777, 0640);
                if (family->is_do)
                        assert_true(st.st_mtime > 1750000000);
                else
                        assert_int_equal(st.st_mtime, 1700003600); /* what the origin says of version 1 */
                job_done(&job);
        }
}

/* CONFORMS: design.md decision 4: Suspend keeps what is there, Resume goes straight back to TRANSFERRED */
/* SENTENCES: state.suspend */
static void a_suspended_transferred_job_comes_back_without_a_request(void **state) {
        FOR_EACH_FAMILY(family) {
                const wchar_t *path;
                struct job job = job_in_state(family, FETCHED, BG_JOB_STATE_TRANSFERRED, &path);

                assert_hr(IBackgroundCopyJob_Suspend(job.com), S_OK);
                assert_int_equal(job_state(&job), BG_JOB_STATE_SUSPENDED);
                set_remote_name(&job, origin_url("/none?status=404")); /* would fail if it were asked for */
                job_resume(&job);
                assert_int_equal(job_state(&job), BG_JOB_STATE_TRANSFERRED);
                assert_hr(IBackgroundCopyJob_Complete(job.com), S_OK);
                assert_file_is(path, FETCHED, FETCHED_SIZE);
                job_done(&job);
        }
}

/* CONFORMS: api.md 2.1 AddFile in D: stays D, the new file transfers only after Resume */
/* SENTENCES: job.add state.add */
static void a_file_added_to_a_transferred_job_waits_for_resume(void **state) {
        FOR_EACH_FAMILY(family) {
                const wchar_t *path, *more = destination("more");
                struct job job = job_in_state(family, FETCHED, BG_JOB_STATE_TRANSFERRED, &path);

                job_add(&job, origin_url("/more?size=50"), more);
                assert_int_equal(job_state(&job), BG_JOB_STATE_TRANSFERRED);
                job_resume(&job);
                job_wait(&job, BG_JOB_STATE_TRANSFERRED);
                assert_hr(IBackgroundCopyJob_Complete(job.com), S_OK);
                assert_file_is(path, FETCHED, FETCHED_SIZE);
                assert_file_is(more, "/more?size=50", 50);
                job_done(&job);
        }
}

/* CONFORMS: api.md 2.1 Complete in D with a file that was added and not fetched: what is whole stays
 * (BG_S_PARTIAL_COMPLETE) */
/* SENTENCES: state.add */
static void complete_drops_a_file_that_was_added_too_late(void **state) {
        FOR_EACH_FAMILY(family) {
                const wchar_t *path, *more = destination("more");
                struct job job = job_in_state(family, FETCHED, BG_JOB_STATE_TRANSFERRED, &path);

                job_add(&job, origin_url("/more?size=50"), more);
                assert_hr(IBackgroundCopyJob_Complete(job.com), BG_S_PARTIAL_COMPLETE);
                assert_file_is(path, FETCHED, FETCHED_SIZE);
                assert_false(file_exists(more));
                job_done(&job);
        }
}

/* CONFORMS: api.md 2.1 AddFile in T: added to the tail, fetched in the same run */
/* SENTENCES: job.add state.add */
static void a_file_added_to_a_running_job_is_fetched_too(void **state) {
        FOR_EACH_FAMILY(family) {
                struct job job = job_in_state(family, "/slow?size=60000&rate=100000", BG_JOB_STATE_TRANSFERRING, NULL);
                const wchar_t *more = destination("more");

                job_add(&job, origin_url("/more?size=50"), more);
                job_wait(&job, BG_JOB_STATE_TRANSFERRED);
                assert_hr(IBackgroundCopyJob_Complete(job.com), S_OK);
                assert_file_is(more, "/more?size=50", 50);
                job_done(&job);
        }
}

/* ---- errors ---- */

/* CONFORMS: api.md 2.1 fatal error, 1.9 HTTP codes, 1.8 GetError and IBackgroundCopyError; design.md decision 5 */
/* SENTENCES: job.error state.fatal */
static void a_fatal_status_is_an_error_with_its_code_and_file(void **state) {
        static const int statuses[] = { 400, 401, 403, 404, 410, 451 };

        FOR_EACH_FAMILY(family)
        for (size_t i = 0; i < ELEMENTSOF(statuses); i++) {
                char query[64];
                struct job job;
                BG_ERROR_CONTEXT context;

                (void) snprintf(query, sizeof(query), "/e?status=%d", statuses[i]);
                job = job_in_state(family, query, BG_JOB_STATE_ERROR, NULL);
                assert_hr(error_code(&job, &context), (HRESULT) (0x80190000u | (unsigned) statuses[i]));
                assert_int_equal(context, BG_ERROR_CONTEXT_REMOTE_FILE);
                assert_int_equal(error_count(&job), 1);
                job_done(&job);
        }
}

/* CONFORMS: api.md 2.1 transient transport error → TE, ErrorCount++; design.md decision 5 */
/* SENTENCES: state.transient */
static void a_transient_status_is_a_transient_error(void **state) {
        static const int statuses[] = { 408, 421, 425, 429, 500, 502, 503, 504 };

        FOR_EACH_FAMILY(family)
        for (size_t i = 0; i < ELEMENTSOF(statuses); i++) {
                char query[64];
                struct job job;

                (void) snprintf(query, sizeof(query), "/te?status=%d", statuses[i]);
                job = job_in_state(family, query, BG_JOB_STATE_TRANSIENT_ERROR, NULL);
                assert_hr(error_code(&job, NULL), (HRESULT) (0x80190000u | (unsigned) statuses[i]));
                assert_int_equal(error_count(&job), 1);
                job_done(&job);
        }
}

static struct job refused_job(const struct family *family) {
        struct job job = job_new(family);

        job_add(&job, L"http://127.0.0.1:1/f", destination("refused")); /* nobody listens on port 1 */
        assert_hr(IBackgroundCopyJob_SetPriority(job.com, BG_JOB_PRIORITY_FOREGROUND), S_OK);
        return job;
}

/* CONFORMS: api.md 2.1 "refused" is transient; 1.9 BG_E_CONNECT_FAILURE */
/* SENTENCES: state.transient */
static void a_refused_connection_is_a_transient_error(void **state) {
        FOR_EACH_FAMILY(family) {
                struct job job = refused_job(family);

                job_resume(&job);
                job_wait(&job, BG_JOB_STATE_TRANSIENT_ERROR);
                assert_hr(error_code(&job, NULL), BG_E_CONNECT_FAILURE);
                job_done(&job);
        }
}

/* CONFORMS: api.md 2.1 "NoProgressTimeout = 0" and "MinimumRetryDelay > NoProgressTimeout": the first error is final */
/* SENTENCES: progress.zero retry.past */
static void without_time_to_retry_the_first_error_is_final(void **state) {
        FOR_EACH_FAMILY(family) {
                struct job none = refused_job(family), shorter = refused_job(family);

                assert_hr(IBackgroundCopyJob_SetNoProgressTimeout(none.com, 0), S_OK);
                job_resume(&none);
                job_wait(&none, BG_JOB_STATE_ERROR);
                assert_hr(IBackgroundCopyJob_SetNoProgressTimeout(shorter.com, 60), S_OK);
                assert_hr(IBackgroundCopyJob_SetMinimumRetryDelay(shorter.com, 61), S_OK);
                job_resume(&shorter);
                job_wait(&shorter, BG_JOB_STATE_ERROR);
                job_done(&none);
                job_done(&shorter);
        }
}

/* CONFORMS: api.md 2.1 Resume in TE "retry now, skips MinimumRetryDelay"; 1.8 GetErrorCount "never reset" */
/* SENTENCES: job.errors job.resume state.resume.transient */
static void resume_of_a_transient_error_tries_at_once(void **state) {
        FOR_EACH_FAMILY(family) {
                const wchar_t *path;
                struct job job;

                origin_case(family->is_do ? "later-do" : "later-bits",
                            "{\"size\": 500, \"name\": \"f\", \"answers\": [{\"status\": 503}, {}]}");
                job = job_in_state(family, family->is_do ? "/c/later-do/f" : "/c/later-bits/f",
                                   BG_JOB_STATE_TRANSIENT_ERROR, &path);
                job_resume(&job);
                job_wait(&job, BG_JOB_STATE_TRANSFERRED);
                assert_int_equal(error_count(&job), 1);
                assert_no_error(&job);
                assert_hr(IBackgroundCopyJob_Complete(job.com), S_OK);
                assert_file_is(path, "/f?size=500", 500);
                job_done(&job);
        }
}

/* CONFORMS: api.md 2.1 SetRemoteName in E "· (then Resume)" */
/* SENTENCES: state.remote */
static void an_error_is_mended_by_another_remote_name(void **state) {
        FOR_EACH_FAMILY(family) {
                const wchar_t *path;
                struct job job = job_in_state(family, "/gone?status=404", BG_JOB_STATE_ERROR, &path);

                set_remote_name(&job, origin_url(FETCHED));
                assert_int_equal(job_state(&job), BG_JOB_STATE_ERROR);
                job_resume(&job);
                job_wait(&job, BG_JOB_STATE_TRANSFERRED);
                assert_no_error(&job);
                assert_hr(IBackgroundCopyJob_Complete(job.com), S_OK);
                assert_file_is(path, FETCHED, FETCHED_SIZE);
                job_done(&job);
        }
}

/* CONFORMS: api.md 2.1 SetRemoteName in D "no effect" */
/* SENTENCES: state.remote */
static void a_transferred_file_does_not_follow_its_remote_name(void **state) {
        FOR_EACH_FAMILY(family) {
                const wchar_t *path;
                struct job job = job_in_state(family, FETCHED, BG_JOB_STATE_TRANSFERRED, &path);

                set_remote_name(&job, origin_url("/other?size=5"));
                job_resume(&job);
                job_wait(&job, BG_JOB_STATE_TRANSFERRED);
                assert_hr(IBackgroundCopyJob_Complete(job.com), S_OK);
                assert_file_is(path, FETCHED, FETCHED_SIZE);
                job_done(&job);
        }
}

/* CONFORMS: api.md 2.1 SetRemoteName in T: restart of that file if it is another one */
/* SENTENCES: state.remote */
static void a_running_file_follows_its_remote_name(void **state) {
        FOR_EACH_FAMILY(family) {
                const wchar_t *path;
                struct job job = job_in_state(family, PACED, BG_JOB_STATE_TRANSFERRING, &path);

                set_remote_name(&job, origin_url(FETCHED));
                job_wait(&job, BG_JOB_STATE_TRANSFERRED);
                assert_hr(IBackgroundCopyJob_Complete(job.com), S_OK);
                assert_file_is(path, FETCHED, FETCHED_SIZE);
                job_done(&job);
        }
}

/* CONFORMS: api.md 1.8 GetError "until TRANSFERRING", 1.10 row 15: an error object that is held goes on to answer */
static void an_error_object_outlives_the_error(void **state) {
        FOR_EACH_FAMILY(family) {
                struct job job = job_in_state(family, "/gone?status=404", BG_JOB_STATE_ERROR, NULL);
                IBackgroundCopyError *error;
                IBackgroundCopyFile *file;
                BG_ERROR_CONTEXT context;
                LPWSTR text, name;
                HRESULT code;

                assert_hr(IBackgroundCopyJob_GetError(job.com, &error), S_OK);
                set_remote_name(&job, origin_url(FETCHED));
                job_resume(&job);
                job_wait(&job, BG_JOB_STATE_TRANSFERRED);
                assert_no_error(&job);
                job_done(&job);
                assert_hr(IBackgroundCopyError_GetError(error, &context, &code), S_OK);
                assert_hr(code, (HRESULT) 0x80190194);
                assert_hr(IBackgroundCopyError_GetFile(error, &file), S_OK);
                assert_hr(IBackgroundCopyFile_GetRemoteName(file, &name), S_OK);
                assert_string_equal(narrow(name), narrow(origin_url("/gone?status=404")));
                CoTaskMemFree(name);
                (void) IBackgroundCopyFile_Release(file);
                assert_hr(IBackgroundCopyError_GetErrorDescription(error, LANG_NEUTRAL, &text), S_OK);
                assert_true(text[0] != 0);
                CoTaskMemFree(text);
                assert_hr(IBackgroundCopyError_GetErrorContextDescription(error, LANG_NEUTRAL, NULL), E_INVALIDARG);
                assert_hr(IBackgroundCopyError_GetErrorDescription(error, LANG_NEUTRAL, NULL), E_INVALIDARG);
                assert_hr(IBackgroundCopyError_GetError(error, NULL, &code), E_INVALIDARG);
                assert_hr(IBackgroundCopyError_GetFile(error, NULL), E_INVALIDARG);
                assert_hr(IBackgroundCopyError_GetProtocol(error, NULL), E_INVALIDARG);
                assert_int_equal(IBackgroundCopyError_Release(error), 0);
        }
}

/* CONFORMS: api.md 2.1 "Q after TE may still have the object" (docs/states.md: until TRANSFERRING) */
/* SENTENCES: job.error */
static void the_error_is_gone_when_bytes_flow_again(void **state) {
        FOR_EACH_FAMILY(family) {
                const char *id = family->is_do ? "flow-do" : "flow-bits";
                char query[32];
                struct job job;

                origin_case(id, "{\"size\": 100000000, \"answers\": [{\"status\": 500}, {\"rate\": 2000}]}");
                (void) snprintf(query, sizeof(query), "/c/%s/f", id);
                job = job_in_state(family, query, BG_JOB_STATE_TRANSIENT_ERROR, NULL);
                assert_hr(error_code(&job, NULL), (HRESULT) 0x801901F4);
                job_resume(&job);
                job_wait(&job, BG_JOB_STATE_TRANSFERRING);
                assert_no_error(&job);
                job_done(&job);
        }
}

/* CONFORMS: api.md 2.1 "One file fails, others ok: whole job E" and Complete then keeps the others */
/* SENTENCES: state.atomic */
static void one_file_that_fails_stops_the_job(void **state) {
        FOR_EACH_FAMILY(family) {
                const wchar_t *whole = destination("whole"), *bad = destination("bad");
                struct job job = job_new(family);

                job_add(&job, origin_url(FETCHED), whole);
                job_add(&job, origin_url("/bad?status=404&delay=1"), bad);
                assert_hr(IBackgroundCopyJob_SetPriority(job.com, BG_JOB_PRIORITY_FOREGROUND), S_OK);
                job_resume(&job);
                job_wait(&job, BG_JOB_STATE_ERROR);
                assert_hr(error_code(&job, NULL), (HRESULT) 0x80190194);
                assert_hr(IBackgroundCopyJob_Complete(job.com), BG_S_PARTIAL_COMPLETE);
                assert_file_is(whole, FETCHED, FETCHED_SIZE);
                assert_false(file_exists(bad));
                job_done(&job);
        }
}

/* ---- priorities ---- */

/* CONFORMS: api.md 1.4 BG_JOB_PRIORITY; design.md decision 9: foreground never waits, the others are ordered (one
 * slot here) */
/* SENTENCES: state.preempt */
static void foreground_runs_at_once_and_the_others_in_order(void **state) {
        struct job running, low, normal, foreground;
        const struct family *family = &families[1];

        running = job_new(family);
        job_add(&running, origin_url(PACED), destination("running"));
        job_resume(&running);
        job_wait(&running, BG_JOB_STATE_TRANSFERRING);
        low = job_new(family);
        job_add(&low, origin_url(PACED), destination("low"));
        assert_hr(IBackgroundCopyJob_SetPriority(low.com, BG_JOB_PRIORITY_LOW), S_OK);
        job_resume(&low);
        normal = job_new(family);
        job_add(&normal, origin_url(PACED), destination("normal"));
        job_resume(&normal);
        foreground = job_in_state(family, PACED, BG_JOB_STATE_TRANSFERRING, NULL);
        assert_int_equal(job_state(&running), BG_JOB_STATE_TRANSFERRING);
        assert_int_equal(job_state(&low), BG_JOB_STATE_QUEUED);
        assert_int_equal(job_state(&normal), BG_JOB_STATE_QUEUED);
        /* effective at once: what waits overtakes */
        assert_hr(IBackgroundCopyJob_SetPriority(low.com, BG_JOB_PRIORITY_HIGH), S_OK);
        job_wait(&low, BG_JOB_STATE_TRANSFERRING);
        job_wait(&running, BG_JOB_STATE_QUEUED);
        job_done(&low);
        job_done(&running);
        job_wait(&normal, BG_JOB_STATE_TRANSFERRING);
        job_done(&normal);
        job_done(&foreground);
}

/* ---- restarts ---- */

/* CONFORMS: api.md 2.1 "Reboot / service restart": S, E and D stay, T goes on, A and X are gone; design.md I1 */
/* SENTENCES: state.restart */
static void every_state_survives_a_kill_of_the_service(void **state) {
        FOR_EACH_FAMILY(family) {
                const wchar_t *path;
                struct job suspended = job_new(family),
                           done = job_in_state(family, FETCHED, BG_JOB_STATE_TRANSFERRED, NULL);
                struct job error = job_in_state(family, "/e?status=404", BG_JOB_STATE_ERROR, NULL);
                struct job transferred = job_in_state(family, FETCHED, BG_JOB_STATE_TRANSFERRED, &path);
                struct job running = job_in_state(family, PACED, BG_JOB_STATE_TRANSFERRING, NULL);
                IBackgroundCopyJob *found;

                assert_hr(IBackgroundCopyJob_Complete(done.com), S_OK);
                world_kill_service();
                world_start_service();
                assert_int_equal(job_state(&suspended), BG_JOB_STATE_SUSPENDED);
                assert_int_equal(job_state(&error), BG_JOB_STATE_ERROR);
                assert_hr(error_code(&error, NULL), (HRESULT) 0x80190194);
                assert_int_equal(job_state(&done), BG_JOB_STATE_ACKNOWLEDGED);
                assert_hr(IBackgroundCopyJob_Complete(done.com), family->invalid_state);
                assert_hr(IBackgroundCopyManager_GetJob(manager_of(family), &done.id, &found), family->not_found);
                assert_int_equal(job_state(&transferred), BG_JOB_STATE_TRANSFERRED);
                assert_hr(IBackgroundCopyJob_Complete(transferred.com), S_OK);
                assert_file_is(path, FETCHED, FETCHED_SIZE);
                job_wait(&running, BG_JOB_STATE_TRANSFERRING);
                job_done(&suspended);
                job_done(&error);
                job_done(&done);
                job_done(&transferred);
                job_done(&running);
        }
}

/* CONFORMS: api.md 2.1 A / X: nothing changes a final job, and pointers that are held go on to answer; also when the service has forgotten it */
/* SENTENCES: state.final state.restart */
static void what_ended_before_a_restart_is_final_all_the_same(void **state) {
        FOR_EACH_FAMILY(family) {
                struct job job = job_in_state(family, FETCHED, BG_JOB_STATE_TRANSFERRED, NULL);
                IBackgroundCopyFile *file = job_first_file(&job);
                IBackgroundCopyJobHttpOptions3 *http;
                IBackgroundCopyFile6 *file6;
                BG_FILE_RANGE range = { 0, 10 };
                BG_FILE_PROGRESS progress;
                LPWSTR name;

                assert_hr(IBackgroundCopyFile_QueryInterface(file, &IID_IBackgroundCopyFile6, (void **) &file6), S_OK);
                assert_hr(IBackgroundCopyJob_QueryInterface(job.com, &IID_IBackgroundCopyJobHttpOptions3, (void **) &http), S_OK);
                assert_hr(IBackgroundCopyJob_Complete(job.com), S_OK);
                world_kill_service();
                world_start_service();
                assert_hr(IBackgroundCopyJob_SetNotifyInterface(job.com, NULL), family->invalid_state);
                assert_hr(IBackgroundCopyJobHttpOptions3_SetServerCertificateValidationInterface(http, NULL), family->invalid_state);
                assert_hr(IBackgroundCopyFile6_SetRemoteName(file6, origin_url(FETCHED)), family->invalid_state);
                assert_hr(IBackgroundCopyFile6_SetValidationState(file6, TRUE), family->invalid_state);
                assert_hr(IBackgroundCopyFile6_UpdateDownloadPosition(file6, 0), family->invalid_state);
                assert_hr(IBackgroundCopyFile6_RequestFileRanges(file6, 1, &range), family->invalid_state);
                assert_hr(IBackgroundCopyFile6_GetTemporaryName(file6, &name), family->file_not_available);
                assert_hr(IBackgroundCopyFile6_GetProgress(file6, &progress), S_OK);
                assert_int_equal(progress.Completed, TRUE);
                assert_int_equal(progress.BytesTransferred, FETCHED_SIZE);
                assert_int_equal(progress.BytesTotal, FETCHED_SIZE);
                assert_hr(IBackgroundCopyFile6_GetRemoteName(file6, &name), S_OK);
                assert_string_equal(narrow(name), narrow(origin_url(FETCHED)));
                CoTaskMemFree(name);
                (void) IBackgroundCopyFile6_Release(file6);
                (void) IBackgroundCopyFile_Release(file);
                (void) IBackgroundCopyJobHttpOptions3_Release(http);
                job_done(&job);
        }
}

int main(int argc, char **argv) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_file_appears_with_complete_and_not_before),
                cmocka_unit_test(an_empty_job_cannot_be_resumed),
                cmocka_unit_test(the_second_complete_or_cancel_is_an_invalid_state),
                cmocka_unit_test(cancel_leaves_no_file),
                cmocka_unit_test(complete_of_a_running_job_keeps_what_is_whole),
                cmocka_unit_test(a_failed_complete_leaves_the_job_transferred),
                cmocka_unit_test(a_destination_that_appeared_is_judged_by_the_family),
                cmocka_unit_test(time_and_mode_of_a_file_follow_the_rules),
                cmocka_unit_test(a_suspended_transferred_job_comes_back_without_a_request),
                cmocka_unit_test(a_file_added_to_a_transferred_job_waits_for_resume),
                cmocka_unit_test(complete_drops_a_file_that_was_added_too_late),
                cmocka_unit_test(a_file_added_to_a_running_job_is_fetched_too),
                cmocka_unit_test(a_fatal_status_is_an_error_with_its_code_and_file),
                cmocka_unit_test(a_transient_status_is_a_transient_error),
                cmocka_unit_test(a_refused_connection_is_a_transient_error),
                cmocka_unit_test(without_time_to_retry_the_first_error_is_final),
                cmocka_unit_test(resume_of_a_transient_error_tries_at_once),
                cmocka_unit_test(an_error_is_mended_by_another_remote_name),
                cmocka_unit_test(a_transferred_file_does_not_follow_its_remote_name),
                cmocka_unit_test(a_running_file_follows_its_remote_name),
                cmocka_unit_test(an_error_object_outlives_the_error),
                cmocka_unit_test(the_error_is_gone_when_bytes_flow_again),
                cmocka_unit_test(one_file_that_fails_stops_the_job),
                cmocka_unit_test(foreground_runs_at_once_and_the_others_in_order),
                cmocka_unit_test(every_state_survives_a_kill_of_the_service),
                cmocka_unit_test(what_ended_before_a_restart_is_final_all_the_same),
        };

        return world_run(argc, argv, "the life of a job", "BackgroundSlots=1\nMaxConnectionsPerHost=32\nMinimumRetryDelayDO=1800\n", tests, ELEMENTSOF(tests));
}

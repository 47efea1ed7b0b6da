/* Adding files, ranges, and what has been said about a file: one small test for each row. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conform.h"

#define MAX_FILES 20 /* in this service's configuration */

static ULONG files_total(const struct job *job) {
        BG_JOB_PROGRESS progress;

        assert_hr(IBackgroundCopyJob_GetProgress(job->com, &progress), S_OK);
        return progress.FilesTotal;
}

static HRESULT add(struct job *job, const wchar_t *url, const wchar_t *path) {
        return IBackgroundCopyJob_AddFile(job->com, url, path);
}

/* ---- adding ---- */

/* CONFORMS: api.md 2.4 "after AddFile: BytesTotal = BG_SIZE_UNKNOWN, FilesTotal 1, file Completed FALSE" */
/* SENTENCES: added */
static void an_added_file_has_an_unknown_size(void **state) {
        FOR_EACH_FAMILY(family) {
                const wchar_t *path = destination("new");
                BG_FILE_PROGRESS file_progress;
                struct job job = job_new(family);
                BG_JOB_PROGRESS progress;
                IBackgroundCopyFile *file;

                job_add(&job, origin_url("/f?size=10"), path);
                assert_hr(IBackgroundCopyJob_GetProgress(job.com, &progress), S_OK);
                assert_true(progress.BytesTotal == BG_SIZE_UNKNOWN && progress.BytesTransferred == 0);
                assert_int_equal(progress.FilesTotal, 1);
                assert_int_equal(progress.FilesTransferred, 0);
                file = job_first_file(&job);
                assert_hr(IBackgroundCopyFile_GetProgress(file, &file_progress), S_OK);
                assert_true(file_progress.BytesTotal == BG_SIZE_UNKNOWN && file_progress.BytesTransferred == 0);
                assert_false(file_progress.Completed);
                (void) IBackgroundCopyFile_Release(file);
                assert_false(file_exists(path));
                job_done(&job);
        }
}

/* CONFORMS: api.md 1.7 "Remote URL": at most 2200 characters; design.md decision 12 */
/* SENTENCES: limits.url */
static void a_url_of_2200_characters_is_the_longest(void **state) {
        FOR_EACH_FAMILY(family) {
                struct job job = job_new(family);
                IBackgroundCopyFile2 *file2;
                IBackgroundCopyFile *file;
                LPWSTR name;

                assert_hr(add(&job, long_text(origin_url("/"), 2201), destination("url")), E_INVALIDARG);
                assert_int_equal(files_total(&job), 0);
                assert_hr(add(&job, long_text(origin_url("/"), 2200), destination("url")), S_OK);
                file = job_first_file(&job);
                assert_hr(IBackgroundCopyFile_GetRemoteName(file, &name), S_OK);
                assert_int_equal(strlen(narrow(name)), 2200);
                CoTaskMemFree(name);
                assert_hr(IBackgroundCopyFile_QueryInterface(file, &IID_IBackgroundCopyFile2, (void **) &file2), S_OK);
                assert_hr(IBackgroundCopyFile2_SetRemoteName(file2, long_text(origin_url("/"), 2201)), E_INVALIDARG);
                assert_hr(IBackgroundCopyFile2_SetRemoteName(file2, NULL), E_INVALIDARG);
                assert_hr(IBackgroundCopyFile2_SetRemoteName(file2, L""), E_INVALIDARG);
                (void) IBackgroundCopyFile2_Release(file2);
                (void) IBackgroundCopyFile_Release(file);
                job_done(&job);
        }
}

/* CONFORMS: api.md 1.7 "Remote URL", issue 2 point 10: unknown scheme, control characters */
/* SENTENCES: limits.url.scheme */
static void a_url_that_cannot_be_fetched_is_refused_at_once(void **state) {
        static const wchar_t *const urls[] = {
                L"",
                L"x",
                L"ftp://127.0.0.1/f",
                L"file:///etc/passwd",
                L"http://",
                L"http:///f",
                L"http://h/\x01",
                L"http://h/a b",
                L"http://h/a\nHost: evil",
                L"\\\\server\\share\\f",
                L"http:/h/f",
                L"http://h:99999/f",
                L"http://h/\xD800",
                L"javascript:1",
                L"//h/f",
        };

        FOR_EACH_FAMILY(family) {
                struct job job = job_new(family);

                assert_hr(add(&job, NULL, destination("bad")), E_INVALIDARG);
                for (size_t i = 0; i < ELEMENTSOF(urls); i++)
                        if (!FAILED(add(&job, urls[i], destination("bad"))))
                                fail_msg("url %u was taken", (unsigned) i);
                assert_int_equal(files_total(&job), 0);
                job_done(&job);
        }
}

/* SENTENCES: limits.url.scheme */
static void a_url_stays_as_it_was_written(void **state) {
        static const char *const paths[] = { "/a%20b?size=10&q=%41+%2f", "/%7Euser/../f?size=10", "/f?size=10#part" };

        FOR_EACH_FAMILY(family) {
                struct job job = job_new(family);

                assert_hr(add(&job, L"https://127.0.0.1:1/not%20asked", destination("secure")), S_OK);
                job_done(&job);
                for (size_t i = 0; i < ELEMENTSOF(paths); i++) {
                        const wchar_t *url = origin_url(paths[i]);
                        IBackgroundCopyFile *file;
                        LPWSTR name;

                        job = job_in_state(family, paths[i], BG_JOB_STATE_TRANSFERRED, NULL);
                        file = job_first_file(&job);
                        assert_hr(IBackgroundCopyFile_GetRemoteName(file, &name), S_OK);
                        assert_string_equal(narrow(name), narrow(url));
                        CoTaskMemFree(name);
                        (void) IBackgroundCopyFile_Release(file);
                        job_done(&job);
                }
        }
}

/* CONFORMS: api.md 1.7 "Local name": relative → E_INVALIDARG, directory must exist, NULL/empty → E_INVALIDARG */
/* SENTENCES: limits.local.relative */
static void a_destination_must_be_absolute_in_an_existing_directory(void **state) {
        const wchar_t *url = origin_url("/f?size=10");

        FOR_EACH_FAMILY(family) {
                struct job job = job_new(family);

                assert_hr(add(&job, url, NULL), E_INVALIDARG);
                assert_hr(add(&job, url, L""), E_INVALIDARG);
                assert_hr(add(&job, url, L"relative"), E_INVALIDARG);
                assert_hr(add(&job, url, L"./relative"), E_INVALIDARG);
                assert_hr(add(&job, url, L"C:\\Windows\\file"), E_INVALIDARG);
                assert_hr(add(&job, url, L"/no such directory/file"), HRESULT_FROM_WIN32(ERROR_PATH_NOT_FOUND));
                assert_true(FAILED(add(&job, url, L"/")));
                assert_true(FAILED(add(&job, url, L"/tmp/..")));
                assert_true(FAILED(add(&job, url, L"/tmp/")));
                assert_true(FAILED(add(&job, url, long_text(L"/tmp/", 5000))));
                assert_int_equal(files_total(&job), 0);
                job_done(&job);
        }
}

/* CONFORMS: design.md decision 12 "255 bytes a component", issue 2 point 10: nothing is left behind */
static void a_name_may_have_255_bytes(void **state) {
        const wchar_t *url = origin_url("/f?size=10"), *start = destination("");
        size_t folder = strlen(narrow(start));

        while (start[folder - 1] != L'/')
                folder--;
        FOR_EACH_FAMILY(family) {
                struct job job = job_new(family);

                assert_hr(add(&job, url, long_text(start, folder + 256)),
                          HRESULT_FROM_WIN32(ERROR_FILENAME_EXCED_RANGE));
                assert_hr(add(&job, url, long_text(start, folder + 255)), S_OK);
                assert_int_equal(files_total(&job), 1);
                job_done(&job);
                assert_int_equal(count_parts(), 0);
        }
}

/* CONFORMS: design.md decision 13: DO refuses an existing destination at add, BITS takes a regular file; never a
 * directory or a link */
static void an_existing_destination_is_judged_by_the_family(void **state) {
        const wchar_t *url = origin_url("/f?size=10");

        FOR_EACH_FAMILY(family) {
                const wchar_t *regular = destination("there"), *folder = destination("folder"),
                              *link = destination("link");
                struct job job = job_new(family);

                file_write(regular, "old", 3);
                assert_return_code(mkdir(narrow(folder), 0700), 0);
                assert_return_code(symlink("nowhere", narrow(link)), 0);
                assert_hr(add(&job, url, regular), family->is_do ? HRESULT_FROM_WIN32(ERROR_FILE_EXISTS) : S_OK);
                assert_true(FAILED(add(&job, url, folder)));
                assert_true(FAILED(add(&job, url, link)));
                assert_int_equal(files_total(&job), family->is_do ? 0 : 1);
                job_done(&job);
        }
}

/* CONFORMS: api.md 1.8 AddFileSet ("preferred for batch"), design.md I1 */
/* SENTENCES: job.add.set */
static void a_set_of_files_is_added_whole_or_not_at_all(void **state) {
        FOR_EACH_FAMILY(family) {
                struct job job = job_new(family);
                BG_FILE_INFO set[3] = {
                        { (LPWSTR) origin_url("/1?size=10"), (LPWSTR) destination("set") },
                        { (LPWSTR) origin_url("/2?size=10"), (LPWSTR) destination("set") },
                        { (LPWSTR) origin_url("/3?size=10"), (LPWSTR) L"relative" },
                };

                assert_hr(IBackgroundCopyJob_AddFileSet(job.com, 3, set), E_INVALIDARG);
                assert_int_equal(files_total(&job), 0);
                set[2].LocalName = set[0].LocalName;
                assert_hr(IBackgroundCopyJob_AddFileSet(job.com, 3, set), E_INVALIDARG);
                set[2].LocalName = NULL;
                assert_hr(IBackgroundCopyJob_AddFileSet(job.com, 3, set), E_INVALIDARG);
                assert_hr(IBackgroundCopyJob_AddFileSet(job.com, 0, set), E_INVALIDARG);
                assert_hr(IBackgroundCopyJob_AddFileSet(job.com, 2, NULL), E_INVALIDARG);
                assert_int_equal(files_total(&job), 0);
                assert_hr(IBackgroundCopyJob_AddFileSet(job.com, 2, set), S_OK);
                assert_int_equal(files_total(&job), 2);
                job_done(&job);
        }
}

/* CONFORMS: api.md 1.7 "Files per job": BG_E_TOO_MANY_FILES_IN_JOB */
/* SENTENCES: limits.files */
static void a_job_has_only_so_many_files(void **state) {
        FOR_EACH_FAMILY(family) {
                struct job job = job_new(family);
                BG_FILE_INFO set[MAX_FILES + 1];

                for (size_t i = 0; i < ELEMENTSOF(set); i++)
                        set[i] = (BG_FILE_INFO){ (LPWSTR) origin_url("/f?size=1"), (LPWSTR) destination("many") };
                assert_hr(IBackgroundCopyJob_AddFileSet(job.com, MAX_FILES + 1, set), BG_E_TOO_MANY_FILES_IN_JOB);
                assert_hr(IBackgroundCopyJob_AddFileSet(job.com, MAX_FILES, set), S_OK);
                assert_hr(add(&job, set[MAX_FILES].RemoteName, set[MAX_FILES].LocalName), BG_E_TOO_MANY_FILES_IN_JOB);
                job_done(&job);
        }
}

/* CONFORMS: api.md 1.8 EnumFiles: snapshot; 2.4 "enumerator refcount drops to 0 on Release"; 1.3 Next, Skip,
 * Reset, Clone, GetCount */
/* SENTENCES: enumerator job.files */
static void a_list_of_files_is_a_snapshot_in_order(void **state) {
        FOR_EACH_FAMILY(family) {
                const wchar_t *paths[3] = { destination("a"), destination("b"), destination("c") };
                IEnumBackgroundCopyFiles *files, *clone;
                struct job job = job_new(family);
                IBackgroundCopyFile *items[4];
                ULONG fetched = 77, n;
                LPWSTR name;

                job_add(&job, origin_url("/1?size=1"), paths[0]);
                job_add(&job, origin_url("/2?size=1"), paths[1]);
                assert_hr(IBackgroundCopyJob_EnumFiles(job.com, &files), S_OK);
                job_add(&job, origin_url("/3?size=1"), paths[2]);
                assert_hr(IEnumBackgroundCopyFiles_GetCount(files, &n), S_OK);
                assert_int_equal(n, 2);
                assert_hr(IEnumBackgroundCopyFiles_Skip(files, 1), S_OK);
                assert_hr(IEnumBackgroundCopyFiles_Clone(files, &clone), S_OK);
                assert_hr(IEnumBackgroundCopyFiles_Reset(files), S_OK);
                assert_hr(IEnumBackgroundCopyFiles_Next(clone, 4, items, &fetched), S_FALSE);
                assert_int_equal(fetched, 1);
                assert_hr(IBackgroundCopyFile_GetLocalName(items[0], &name), S_OK);
                assert_string_equal(narrow(name), narrow(paths[1]));
                CoTaskMemFree(name);
                (void) IBackgroundCopyFile_Release(items[0]);
                assert_hr(IEnumBackgroundCopyFiles_Next(files, 0, items, &fetched), S_OK);
                assert_int_equal(fetched, 0);
                assert_hr(IEnumBackgroundCopyFiles_Next(files, 1, NULL, &fetched), E_INVALIDARG);
                assert_hr(IEnumBackgroundCopyFiles_Clone(files, NULL), E_INVALIDARG);
                assert_hr(IEnumBackgroundCopyFiles_GetCount(files, NULL), E_INVALIDARG);
                assert_hr(IEnumBackgroundCopyFiles_Skip(files, 3), S_FALSE);
                assert_int_equal(IEnumBackgroundCopyFiles_Release(clone), 0);
                assert_int_equal(IEnumBackgroundCopyFiles_Release(files), 0);
                job_done(&job);
        }
}

/* ---- ranges ---- */

static HRESULT add_two(const struct family *family, BG_FILE_RANGE one, BG_FILE_RANGE other) {
        BG_FILE_RANGE ranges[2] = { one, other };
        struct job job = job_new(family);
        HRESULT hr;

        hr = job_add_ranges(&job, L"id", origin_url("/r?size=100"), destination("ranges"), 2, ranges,
                            DO_UNKNOWN_FILE_SIZE);
        assert_int_equal(files_total(&job), SUCCEEDED(hr) ? 1 : 0);
        job_done(&job);
        return hr;
}

/* CONFORMS: api.md 1.8 IDeliveryOptimizationJob::AddFileWithRanges, 8 row 2; design.md decision 6 "overlap is
 * judged as documented" */
/* SENTENCES: do.ranges */
static void ranges_must_not_overlap(void **state) {
        static const BG_FILE_RANGE good[][2] = {
                { { 2, 4 }, { 12, 5 } },
                { { 12, 5 }, { 2, 4 } },
                { { 0, 5 }, { 5, 5 } },
                { { 5, 5 }, { 0, 5 } },
                { { 0, 5 }, { 5, BG_LENGTH_TO_EOF } },
        };
        static const BG_FILE_RANGE overlapping[][2] = {
                { { 0, 10 }, { 9, 1 } },
                { { 9, 5 }, { 0, 10 } },
                { { 5, 5 }, { 5, 5 } },
                { { 5, 3 }, { 5, 10 } },
                { { 5, 10 }, { 5, 3 } },
                { { 0, BG_LENGTH_TO_EOF }, { 50, 1 } },
                { { 0, BG_LENGTH_TO_EOF }, { 0, BG_LENGTH_TO_EOF } },
        };

        FOR_EACH_FAMILY(family) {
                for (size_t i = 0; i < ELEMENTSOF(good); i++)
                        assert_hr(add_two(family, good[i][0], good[i][1]), S_OK);
                for (size_t i = 0; i < ELEMENTSOF(overlapping); i++)
                        assert_hr(add_two(family, overlapping[i][0], overlapping[i][1]), family->overlapping);
        }
}

/* CONFORMS: api.md 1.8: INVALID_RANGE (InitialOffset = LENGTH_TO_EOF), and sums that no file has */
/* SENTENCES: do.ranges */
static void a_range_must_be_one_that_a_file_can_have(void **state) {
        FOR_EACH_FAMILY(family) {
                assert_hr(add_two(family, (BG_FILE_RANGE){ BG_LENGTH_TO_EOF, 1 }, (BG_FILE_RANGE){ 0, 1 }),
                          family->invalid_range);
                assert_hr(add_two(family, (BG_FILE_RANGE){ 0, 1 }, (BG_FILE_RANGE){ UINT64_MAX - 1, 5 }),
                          family->invalid_range);
                assert_hr(add_two(family, (BG_FILE_RANGE){ 0, 0 }, (BG_FILE_RANGE){ 5, 1 }), family->invalid_range);
        }
}

/* CONFORMS: api.md 1.8 AddFileWithRanges: rangeCount, ranges and fileSize are optional; localName NULL/empty →
 * E_INVALIDARG */
/* SENTENCES: do.add */
static void the_arguments_of_add_file_with_ranges_are_judged(void **state) {
        const wchar_t *url = origin_url("/f?size=10");

        FOR_EACH_FAMILY(family) {
                BG_FILE_RANGE range = { 0, 1 };
                struct job job = job_new(family);

                assert_hr(job_add_ranges(&job, L"id", url, NULL, 0, NULL, 10), E_INVALIDARG);
                assert_hr(job_add_ranges(&job, L"id", url, L"", 0, NULL, 10), E_INVALIDARG);
                assert_hr(job_add_ranges(&job, L"id", NULL, destination("x"), 0, NULL, 10), E_INVALIDARG);
                assert_hr(job_add_ranges(&job, NULL, url, destination("x"), 0, NULL, 10), E_INVALIDARG);
                assert_hr(job_add_ranges(&job, L"id", url, destination("x"), 1, NULL, 10), E_INVALIDARG);
                assert_hr(job_add_ranges(&job, L"id", url, destination("x"), UINT32_MAX, &range, 10), E_INVALIDARG);
                assert_int_equal(files_total(&job), 0);
                assert_hr(job_add_ranges(&job, L"id", url, destination("x"), 0, NULL, DO_UNKNOWN_FILE_SIZE), S_OK);
                assert_hr(job_add_ranges(&job, L"id2", url, destination("x"), 0, &range, 10), S_OK);
                job_done(&job);
        }
}

/* CONFORMS: api.md 1.7 "Ranges per file": 500, BG_E_TOO_MANY_RANGES_IN_FILE */
/* SENTENCES: limits.ranges */
static void a_file_has_only_so_many_ranges(void **state) {
        BG_FILE_RANGE ranges[501];

        for (size_t i = 0; i < ELEMENTSOF(ranges); i++)
                ranges[i] = (BG_FILE_RANGE){ i * 10, 5 };
        FOR_EACH_FAMILY(family) {
                struct job job = job_new(family);

                assert_hr(job_add_ranges(&job, L"id", origin_url("/f?size=9999"), destination("x"), 501, ranges,
                                         DO_UNKNOWN_FILE_SIZE),
                          BG_E_TOO_MANY_RANGES_IN_FILE);
                assert_hr(job_add_ranges(&job, L"id", origin_url("/f?size=9999"), destination("x"), 500, ranges,
                                         DO_UNKNOWN_FILE_SIZE),
                          S_OK);
                job_done(&job);
        }
}

/* CONFORMS: api.md 2.4 "GetFileRanges on whole file → S_FALSE, count 0, NULL"; design.md decision 6: the caller's
 * order */
/* SENTENCES: whole */
static void a_file_tells_its_ranges_in_the_callers_order(void **state) {
        FOR_EACH_FAMILY(family) {
                BG_FILE_RANGE ranges[2] = { { 12, 5 }, { 2, 4 } }, *got = ranges;
                struct job job = job_new(family);
                IBackgroundCopyFile2 *file2;
                IBackgroundCopyFile *file;
                DWORD n = 0;

                assert_hr(job_add_ranges(&job, L"id", origin_url("/f?size=99"), destination("x"), 2, ranges,
                                         DO_UNKNOWN_FILE_SIZE),
                          S_OK);
                file = job_first_file(&job);
                assert_hr(IBackgroundCopyFile_QueryInterface(file, &IID_IBackgroundCopyFile2, (void **) &file2), S_OK);
                assert_hr(IBackgroundCopyFile2_GetFileRanges(file2, &n, &got), S_OK);
                assert_int_equal(n, 2);
                assert_memory_equal(got, ranges, sizeof(ranges));
                CoTaskMemFree(got);
                assert_hr(IBackgroundCopyFile2_GetFileRanges(file2, NULL, &got), E_INVALIDARG);
                assert_hr(IBackgroundCopyFile2_GetFileRanges(file2, &n, NULL), E_INVALIDARG);
                (void) IBackgroundCopyFile2_Release(file2);
                (void) IBackgroundCopyFile_Release(file);
                job_done(&job);
        }
}

static void assert_ranges_make(const struct family *family, BG_FILE_RANGE *ranges, DWORD n, size_t n_bytes) {
        static const char query[] = "/ranged?size=200000";
        char *whole = origin_fetch(query, 200000), *got;
        const wchar_t *path = destination("ranges");
        struct job job = job_new(family);
        size_t size = 0, at = 0;

        assert_hr(job_add_ranges(&job, L"id", origin_url(query), path, n, ranges, DO_UNKNOWN_FILE_SIZE), S_OK);
        assert_hr(IBackgroundCopyJob_SetPriority(job.com, BG_JOB_PRIORITY_FOREGROUND), S_OK);
        job_resume(&job);
        job_wait(&job, BG_JOB_STATE_TRANSFERRED);
        assert_hr(IBackgroundCopyJob_Complete(job.com), S_OK);
        got = file_read(path, &size);
        assert_non_null(got);
        assert_int_equal(size, n_bytes);
        for (DWORD i = 0; i < n; i++) {
                size_t length =
                        ranges[i].Length == BG_LENGTH_TO_EOF ? 200000 - ranges[i].InitialOffset : ranges[i].Length;

                assert_memory_equal(got + at, whole + ranges[i].InitialOffset, length);
                at += length;
        }
        assert_int_equal(at, n_bytes);
        free(got);
        free(whole);
        job_done(&job);
}

/* CONFORMS: api.md 2.4 "ranges {2,4},{12,5} give 9 concatenated bytes"; 1.8 "bytes are concatenated in given
 * order, file is not sparse" */
/* SENTENCES: nine */
static void ranges_are_concatenated_in_the_callers_order(void **state) {
        BG_FILE_RANGE two[] = { { 2, 4 }, { 12, 5 } }, turned[] = { { 12, 5 }, { 2, 4 } };
        BG_FILE_RANGE three[] = { { 100000, 70000 }, { 0, 1 }, { 199990, BG_LENGTH_TO_EOF } };

        FOR_EACH_FAMILY(family) {
                assert_ranges_make(family, two, 2, 9);
                assert_ranges_make(family, turned, 2, 9);
                assert_ranges_make(family, three, 3, 70011);
        }
}

static void assert_fails_at_run_time(const struct family *family, const char *query, BG_FILE_RANGE range, UINT64 size,
                                     HRESULT expected) {
        struct job job = job_new(family);
        const wchar_t *path = destination("fails");
        IBackgroundCopyError *error;
        BG_ERROR_CONTEXT context;
        HRESULT code;

        assert_hr(job_add_ranges(&job, L"id", origin_url(query), path, range.Length ? 1 : 0, &range, size), S_OK);
        assert_hr(IBackgroundCopyJob_SetPriority(job.com, BG_JOB_PRIORITY_FOREGROUND), S_OK);
        job_resume(&job);
        job_wait(&job, BG_JOB_STATE_ERROR);
        assert_hr(IBackgroundCopyJob_GetError(job.com, &error), S_OK);
        assert_hr(IBackgroundCopyError_GetError(error, &context, &code), S_OK);
        assert_hr(code, expected);
        (void) IBackgroundCopyError_Release(error);
        assert_false(file_exists(path));
        job_done(&job);
}

/* CONFORMS: api.md 1.8 "runtime BG_E_INVALID_RANGE / INSUFFICIENT_RANGE_SUPPORT → ERROR", design.md decision 7;
 * 1.10 row 13 */
/* SENTENCES: job.ranges */
static void ranges_that_the_server_does_not_have_are_an_error(void **state) {
        FOR_EACH_FAMILY(family) {
                assert_fails_at_run_time(family, "/f?size=100", (BG_FILE_RANGE){ 1000, 10 }, DO_UNKNOWN_FILE_SIZE,
                                         family->invalid_range);
                assert_fails_at_run_time(family, "/f?size=100", (BG_FILE_RANGE){ 95, 10 }, DO_UNKNOWN_FILE_SIZE,
                                         family->invalid_range);
                assert_fails_at_run_time(family, "/f?size=100&ranges=ignore", (BG_FILE_RANGE){ 10, 10 },
                                         DO_UNKNOWN_FILE_SIZE,
                                         family->is_do ? DO_E_INSUFFICIENT_RANGE_SUPPORT
                                                       : BG_E_INSUFFICIENT_RANGE_SUPPORT);
        }
}

/* CONFORMS: design.md section 3 "Digests and sizes are checked"; docs/errors.md SizeMismatch */
static void a_stated_size_must_be_the_files_own(void **state) {
        FOR_EACH_FAMILY(family) {
                struct job job = job_new(family);
                const wchar_t *path = destination("sized");

                assert_hr(job_add_ranges(&job, L"id", origin_url("/f?size=100"), path, 0, NULL, 50), S_OK);
                assert_hr(IBackgroundCopyJob_SetPriority(job.com, BG_JOB_PRIORITY_FOREGROUND), S_OK);
                job_resume(&job);
                job_wait(&job, BG_JOB_STATE_ERROR);
                (void) IBackgroundCopyJob_Complete(job.com);
                assert_false(file_exists(path));
                job_done(&job);
        }
}

int main(int argc, char **argv) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(an_added_file_has_an_unknown_size),
                cmocka_unit_test(a_url_of_2200_characters_is_the_longest),
                cmocka_unit_test(a_url_that_cannot_be_fetched_is_refused_at_once),
                cmocka_unit_test(a_url_stays_as_it_was_written),
                cmocka_unit_test(a_destination_must_be_absolute_in_an_existing_directory),
                cmocka_unit_test(a_name_may_have_255_bytes),
                cmocka_unit_test(an_existing_destination_is_judged_by_the_family),
                cmocka_unit_test(a_set_of_files_is_added_whole_or_not_at_all),
                cmocka_unit_test(a_job_has_only_so_many_files),
                cmocka_unit_test(a_list_of_files_is_a_snapshot_in_order),
                cmocka_unit_test(ranges_must_not_overlap),
                cmocka_unit_test(a_range_must_be_one_that_a_file_can_have),
                cmocka_unit_test(the_arguments_of_add_file_with_ranges_are_judged),
                cmocka_unit_test(a_file_has_only_so_many_ranges),
                cmocka_unit_test(a_file_tells_its_ranges_in_the_callers_order),
                cmocka_unit_test(ranges_are_concatenated_in_the_callers_order),
                cmocka_unit_test(ranges_that_the_server_does_not_have_are_an_error),
                cmocka_unit_test(a_stated_size_must_be_the_files_own),
        };

        return world_run(argc, argv, "files of jobs", "MaxFilesPerJob=20\n", tests, ELEMENTSOF(tests));
}

/* IBackgroundCopyJob2 to 5, IBackgroundCopyFile3 to 5 and the delivery interfaces of jobs and files. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <wchar.h>

#include "conform.h"

static void *query(void *object, REFIID iid) {
        void *out = NULL;

        assert_hr(IUnknown_QueryInterface((IUnknown *) object, iid, &out), S_OK);
        return out;
}

static void drop(void *object) {
        (void) IUnknown_Release((IUnknown *) object);
}

/* Every interface leads to every other one and back, to one IUnknown, and nothing is left over. */
static void assert_web(void *object, const IID *const *iids, size_t n) {
        IUnknown *identity = query(object, &IID_IUnknown);

        for (size_t i = 0; i < n; i++) {
                void *from = query(object, iids[i]);

                assert_ptr_equal(query(from, iids[i]), from);
                drop(from);
                for (size_t k = 0; k < n; k++) {
                        void *to = query(from, iids[k]), *back = query(to, iids[i]);
                        IUnknown *same = query(to, &IID_IUnknown);

                        assert_ptr_equal(back, from);
                        assert_ptr_equal(same, identity);
                        drop(same);
                        drop(back);
                        drop(to);
                }
                drop(from);
        }
        assert_int_equal(IUnknown_Release(identity), 1);
}

static const IID *const job_iids[] = {
        &IID_IBackgroundCopyJob,        &IID_IBackgroundCopyJob2, &IID_IBackgroundCopyJob3,
        &IID_IBackgroundCopyJob4,       &IID_IBackgroundCopyJob5, &IID_IDeliveryOptimizationJob,
        &IID_IDeliveryOptimizationJob2,
};
static const IID *const file_iids[] = {
        &IID_IBackgroundCopyFile,  &IID_IBackgroundCopyFile2, &IID_IBackgroundCopyFile3,
        &IID_IBackgroundCopyFile4, &IID_IBackgroundCopyFile5, &IID_IBackgroundCopyFile6,
        &IID_IDeliveryOptimizationFile, &IID_IDeliveryOptimizationFile2,
};

/* CONFORMS: api.md 1.3 (QueryInterface from job and from file): identity, reflexivity, symmetry, transitivity; counts end at 0 */
static void all_interfaces_of_an_object_lead_to_each_other(void **state) {
        FOR_EACH_FAMILY(family) {
                struct job job = job_new(family);
                IBackgroundCopyFile *file;

                assert_web(job.com, job_iids, ELEMENTSOF(job_iids));
                job_add(&job, origin_url("/f?size=10"), destination("web"));
                file = job_first_file(&job);
                assert_web(file, file_iids, ELEMENTSOF(file_iids));
                assert_int_equal(IBackgroundCopyFile_Release(file), 0);
                assert_hr(IBackgroundCopyJob_Cancel(job.com), S_OK);
                assert_int_equal(IBackgroundCopyJob_Release(job.com), 0);
        }
}

/* ---- IBackgroundCopyJob2 ---- */

/* CONFORMS: api.md 1.8 "Get/SetReply*, GetReplyProgress": upload-reply only, E_NOTIMPL on a download */
/* SENTENCES: job.reply */
static void a_download_has_no_reply(void **state) {
        FOR_EACH_FAMILY(family) {
                struct job job = job_new(family);
                IBackgroundCopyJob2 *job2 = query(job.com, &IID_IBackgroundCopyJob2);
                BG_JOB_REPLY_PROGRESS progress = { 7, 7 };
                LPWSTR name = (LPWSTR) L"";
                BYTE *data = (BYTE *) "";
                UINT64 length = 7;

                assert_hr(IBackgroundCopyJob2_GetReplyProgress(job2, &progress), E_NOTIMPL);
                assert_hr(IBackgroundCopyJob2_GetReplyData(job2, &data, &length), E_NOTIMPL);
                assert_null(data);
                assert_true(length == 0);
                assert_hr(IBackgroundCopyJob2_SetReplyFileName(job2, L"/tmp/reply"), E_NOTIMPL);
                assert_hr(IBackgroundCopyJob2_GetReplyFileName(job2, &name), E_NOTIMPL);
                assert_null(name);
                assert_hr(IBackgroundCopyJob2_GetReplyProgress(job2, NULL), E_INVALIDARG);
                assert_hr(IBackgroundCopyJob2_GetReplyData(job2, NULL, NULL), E_INVALIDARG);
                assert_hr(IBackgroundCopyJob2_GetReplyFileName(job2, NULL), E_INVALIDARG);
                drop(job2);
                job_done(&job);
        }
}

/* CONFORMS: api.md 1.8 "SetCredentials / RemoveCredentials": per (target, scheme); 1.7: 300 and 65536 characters */
/* SENTENCES: limits.credentials */
static void credentials_are_kept_for_each_target_and_scheme(void **state) {

        FOR_EACH_FAMILY(family) {
                struct job job = job_new(family);
                IBackgroundCopyJob2 *job2 = query(job.com, &IID_IBackgroundCopyJob2);
                BG_AUTH_CREDENTIALS credentials = { BG_AUTH_TARGET_SERVER, BG_AUTH_SCHEME_BASIC, { .Basic = { .UserName = (LPWSTR) L"me", .Password = (LPWSTR) L"secret" } } };

                for (int target = BG_AUTH_TARGET_SERVER; target <= BG_AUTH_TARGET_PROXY; target++)
                        for (int scheme = BG_AUTH_SCHEME_BASIC; scheme <= BG_AUTH_SCHEME_DIGEST; scheme++) {
                                credentials.Target = (BG_AUTH_TARGET) target;
                                credentials.Scheme = (BG_AUTH_SCHEME) scheme;
                                assert_hr(IBackgroundCopyJob2_RemoveCredentials(job2, credentials.Target, credentials.Scheme), S_FALSE);
                                assert_hr(IBackgroundCopyJob2_SetCredentials(job2, &credentials), S_OK);
                                world_kill_service();
                                world_start_service();
                                assert_hr(IBackgroundCopyJob2_RemoveCredentials(job2, credentials.Target, credentials.Scheme), S_OK);
                                assert_hr(IBackgroundCopyJob2_RemoveCredentials(job2, credentials.Target, credentials.Scheme), S_FALSE);
                        }
                credentials.Scheme = BG_AUTH_SCHEME_NTLM;
                assert_hr(IBackgroundCopyJob2_SetCredentials(job2, &credentials), E_NOTIMPL);
                credentials.Scheme = BG_AUTH_SCHEME_BASIC;
                credentials.Credentials.Basic.UserName = (LPWSTR) long_text(L"", 300);
                credentials.Credentials.Basic.Password = (LPWSTR) long_text(L"", 65536);
                assert_hr(IBackgroundCopyJob2_SetCredentials(job2, &credentials), S_OK);
                credentials.Credentials.Basic.UserName = (LPWSTR) long_text(L"", 301);
                assert_hr(IBackgroundCopyJob2_SetCredentials(job2, &credentials), BG_E_USERNAME_TOO_LARGE);
                credentials.Credentials.Basic.UserName = (LPWSTR) L"me";
                credentials.Credentials.Basic.Password = (LPWSTR) long_text(L"", 65537);
                assert_hr(IBackgroundCopyJob2_SetCredentials(job2, &credentials), BG_E_PASSWORD_TOO_LARGE);
                credentials.Credentials.Basic = (BG_BASIC_CREDENTIALS){ NULL, NULL };
                assert_hr(IBackgroundCopyJob2_SetCredentials(job2, &credentials), E_INVALIDARG);
                drop(job2);
                job_done(&job);
        }
}

/* CONFORMS: api.md 1.8 "SetCredentials / RemoveCredentials": per (target, scheme); BG_E_INVALID_AUTH_TARGET/SCHEME */
/* SENTENCES: job.credentials */
static void credentials_want_a_known_target_and_scheme(void **state) {
        FOR_EACH_FAMILY(family) {
                struct job job = job_new(family);
                IBackgroundCopyJob2 *job2 = query(job.com, &IID_IBackgroundCopyJob2);
                BG_AUTH_CREDENTIALS wrong = { .Target = (BG_AUTH_TARGET) 3, .Scheme = BG_AUTH_SCHEME_BASIC };

                assert_hr(IBackgroundCopyJob2_SetCredentials(job2, &wrong), BG_E_INVALID_AUTH_TARGET);
                wrong = (BG_AUTH_CREDENTIALS){ .Target = BG_AUTH_TARGET_SERVER, .Scheme = (BG_AUTH_SCHEME) 6 };
                assert_hr(IBackgroundCopyJob2_SetCredentials(job2, &wrong), BG_E_INVALID_AUTH_SCHEME);
                assert_hr(IBackgroundCopyJob2_SetCredentials(job2, NULL), E_INVALIDARG);
                assert_hr(IBackgroundCopyJob2_RemoveCredentials(job2, (BG_AUTH_TARGET) 0, BG_AUTH_SCHEME_BASIC),
                          BG_E_INVALID_AUTH_TARGET);
                assert_hr(IBackgroundCopyJob2_RemoveCredentials(job2, BG_AUTH_TARGET_SERVER, (BG_AUTH_SCHEME) 0),
                          BG_E_INVALID_AUTH_SCHEME);
                assert_hr(IBackgroundCopyJob2_RemoveCredentials(job2, BG_AUTH_TARGET_SERVER, BG_AUTH_SCHEME_BASIC),
                          S_FALSE);
                drop(job2);
                job_done(&job);
        }
}

/* ---- IBackgroundCopyJob3 ---- */

/* CONFORMS: api.md 1.8 "AddFileWithRanges (Job3)": 0 ranges E_INVALIDARG; overlap; concatenated in the given order, not sparse */
/* SENTENCES: job.ranges */
static void ranges_are_put_one_after_another_in_the_callers_order(void **state) {
        FOR_EACH_FAMILY(family) {
                BG_FILE_RANGE ranges[] = { { 12, 5 }, { 2, 4 } }, overlap[] = { { 2, 4 }, { 5, 5 } };
                const wchar_t *url = origin_url("/r?size=100"), *path = destination("ranges");
                char *whole = origin_fetch("/r?size=100", 100), *got;
                struct job job = job_new(family);
                IBackgroundCopyJob3 *job3 = query(job.com, &IID_IBackgroundCopyJob3);
                IBackgroundCopyFile2 *file2;
                IBackgroundCopyFile *file;
                BG_FILE_RANGE *back;
                DWORD n_back;
                size_t n;

                assert_hr(IBackgroundCopyJob3_AddFileWithRanges(job3, url, path, 0, ranges), E_INVALIDARG);
                assert_hr(IBackgroundCopyJob3_AddFileWithRanges(job3, url, path, 2, NULL), E_INVALIDARG);
                assert_hr(IBackgroundCopyJob3_AddFileWithRanges(job3, NULL, path, 2, ranges), E_INVALIDARG);
                assert_hr(IBackgroundCopyJob3_AddFileWithRanges(job3, url, path, 2, overlap), family->overlapping);
                assert_hr(IBackgroundCopyJob3_AddFileWithRanges(job3, url, path, 2, ranges), S_OK);
                file = job_first_file(&job);
                file2 = query(file, &IID_IBackgroundCopyFile2);
                assert_hr(IBackgroundCopyFile2_GetFileRanges(file2, &n_back, &back), S_OK);
                assert_int_equal(n_back, 2);
                assert_memory_equal(back, ranges, sizeof(ranges));
                CoTaskMemFree(back);
                drop(file2);
                drop(file);
                job_resume(&job);
                job_wait(&job, BG_JOB_STATE_TRANSFERRED);
                assert_hr(IBackgroundCopyJob3_Complete(job3), S_OK);
                got = file_read(path, &n);
                assert_int_equal(n, 9);
                assert_memory_equal(got, whole + 12, 5);
                assert_memory_equal(got + 5, whole + 2, 4);
                free(got);
                free(whole);
                drop(job3);
                job_done(&job);
        }
}

static void assert_url(struct job *job, ULONG index, const wchar_t *url) {
        IEnumBackgroundCopyFiles *files;
        IBackgroundCopyFile *file;
        LPWSTR name;

        assert_hr(IBackgroundCopyJob_EnumFiles(job->com, &files), S_OK);
        assert_hr(IEnumBackgroundCopyFiles_Skip(files, index), S_OK);
        assert_hr(IEnumBackgroundCopyFiles_Next(files, 1, &file, NULL), S_OK);
        assert_hr(IBackgroundCopyFile_GetRemoteName(file, &name), S_OK);
        assert_int_equal(wcscmp(name, url), 0);
        CoTaskMemFree(name);
        drop(file);
        drop(files);
}

/* CONFORMS: api.md 1.8 "ReplaceRemotePrefix": case-sensitive, S_FALSE no match, E_INVALIDARG empty; 2.1: final states; all or none */
/* SENTENCES: job.prefix */
static void a_prefix_is_replaced_in_all_urls_that_have_it(void **state) {
        FOR_EACH_FAMILY(family) {
                struct job job = job_new(family);
                const wchar_t *first = destination("first"), *second = destination("second");
                IBackgroundCopyJob3 *job3 = query(job.com, &IID_IBackgroundCopyJob3);
                const wchar_t *base = origin_url("/");

                job_add(&job, L"http://nowhere.invalid/a?size=10", first);
                job_add(&job, L"http://nowhere.invalid/b?size=20", second);
                job_add(&job, L"http://elsewhere.invalid/c?size=20", destination("third"));
                assert_hr(IBackgroundCopyJob3_ReplaceRemotePrefix(job3, NULL, base), E_INVALIDARG);
                assert_hr(IBackgroundCopyJob3_ReplaceRemotePrefix(job3, base, NULL), E_INVALIDARG);
                assert_hr(IBackgroundCopyJob3_ReplaceRemotePrefix(job3, L"", base), E_INVALIDARG);
                assert_hr(IBackgroundCopyJob3_ReplaceRemotePrefix(job3, base, L""), E_INVALIDARG);
                assert_hr(IBackgroundCopyJob3_ReplaceRemotePrefix(job3, L"http://Nowhere.invalid/", base), S_FALSE);
                assert_hr(IBackgroundCopyJob3_ReplaceRemotePrefix(job3, L"http://nowhere.invalid/b", base), S_OK);
                assert_url(&job, 0, L"http://nowhere.invalid/a?size=10");
                assert_url(&job, 1, origin_url("/?size=20"));
                /* What would be no URL changes nothing. */
                assert_hr(IBackgroundCopyJob3_ReplaceRemotePrefix(job3, L"http://elsewhere.invalid", L"http://"),
                          (HRESULT) 0x800C0002);
                assert_url(&job, 2, L"http://elsewhere.invalid/c?size=20");
                assert_hr(IBackgroundCopyJob3_ReplaceRemotePrefix(job3, L"http://nowhere.invalid/", base), S_OK);
                assert_hr(IBackgroundCopyJob3_ReplaceRemotePrefix(job3, L"http://elsewhere.invalid/", base), S_OK);
                job_resume(&job);
                job_wait(&job, BG_JOB_STATE_TRANSFERRED);
                /* Finished files are left alone. */
                assert_hr(IBackgroundCopyJob3_ReplaceRemotePrefix(job3, base, L"http://nowhere.invalid/"), S_FALSE);
                assert_hr(IBackgroundCopyJob3_Complete(job3), S_OK);
                assert_file_is(first, "/a?size=10", 10);
                assert_file_is(second, "/?size=20", 20);
                assert_hr(IBackgroundCopyJob3_ReplaceRemotePrefix(job3, base, L"http://nowhere.invalid/"),
                          family->invalid_state);
                drop(job3);
                job_done(&job);
        }
}

/* CONFORMS: bits.h GetTemporaryName: FILE_NOT_AVAILABLE when there is none any more */
static void a_cancelled_file_has_no_temporary_name(void **state) {
        FOR_EACH_FAMILY(family) {
                struct job job = job_in_state(family, "/t?size=1000", BG_JOB_STATE_TRANSFERRED, NULL);
                IBackgroundCopyFile *file = job_first_file(&job);
                IBackgroundCopyFile3 *file3 = query(file, &IID_IBackgroundCopyFile3);
                LPWSTR name;

                assert_hr(IBackgroundCopyJob_Cancel(job.com), S_OK);
                assert_hr(IBackgroundCopyFile3_GetTemporaryName(file3, &name), family->file_not_available);
                assert_null(name);
                drop(file3);
                drop(file);
                job_done(&job);
        }
}

static void assert_name(IBackgroundCopyFile2 *file, const wchar_t *url) {
        LPWSTR name;

        assert_hr(IBackgroundCopyFile2_GetRemoteName(file, &name), S_OK);
        assert_int_equal(wcscmp(name, url), 0);
        CoTaskMemFree(name);
}

/* CONFORMS: bits.h GetRemoteName: what SetRemoteName made of it, whichever object of the file it was said to */
static void a_file_that_is_held_knows_its_new_name(void **state) {
        FOR_EACH_FAMILY(family) {
                struct job job = job_new(family);
                IBackgroundCopyJob3 *job3 = query(job.com, &IID_IBackgroundCopyJob3);
                IBackgroundCopyFile *first, *second;
                IBackgroundCopyFile2 *one, *other;

                job_add(&job, L"http://nowhere.invalid/a", destination("held"));
                first = job_first_file(&job);
                second = job_first_file(&job);
                one = query(first, &IID_IBackgroundCopyFile2);
                other = query(second, &IID_IBackgroundCopyFile2);
                assert_hr(IBackgroundCopyJob3_ReplaceRemotePrefix(job3, L"http://nowhere.invalid/", L"http://elsewhere.invalid/"), S_OK);
                assert_name(one, L"http://elsewhere.invalid/a");
                assert_hr(IBackgroundCopyFile2_SetRemoteName(one, L"http://third.invalid/a"), S_OK);
                assert_name(one, L"http://third.invalid/a");
                assert_name(other, L"http://third.invalid/a");
                drop(one);
                drop(other);
                drop(first);
                drop(second);
                drop(job3);
                job_done(&job);
        }
}

/* CONFORMS: design.md decision 2: SMB ACL flags and peer caching have no meaning here */
/* SENTENCES: job.acl */
static void what_has_no_meaning_here_says_so(void **state) {
        FOR_EACH_FAMILY(family) {
                struct job job = job_new(family);
                IBackgroundCopyJob4 *job4 = query(job.com, &IID_IBackgroundCopyJob4);
                DWORD flags = 77;

                assert_hr(IBackgroundCopyJob4_SetFileACLFlags(job4, BG_COPY_FILE_OWNER), E_NOTIMPL);
                assert_hr(IBackgroundCopyJob4_SetFileACLFlags(job4, 16), E_INVALIDARG);
                assert_hr(IBackgroundCopyJob4_GetFileACLFlags(job4, &flags), E_NOTIMPL);
                assert_hr(IBackgroundCopyJob4_GetFileACLFlags(job4, NULL), E_INVALIDARG);
                assert_hr(IBackgroundCopyJob4_SetPeerCachingFlags(job4, 1), E_NOTIMPL);
                assert_hr(IBackgroundCopyJob4_GetPeerCachingFlags(job4, &flags), E_NOTIMPL);
                assert_hr(IBackgroundCopyJob4_GetPeerCachingFlags(job4, NULL), E_INVALIDARG);
                drop(job4);
                job_done(&job);
        }
}

/* ---- IBackgroundCopyJob4 ---- */

/* CONFORMS: api.md 1.8 "GetOwnerIntegrityLevel / GetOwnerElevationState": facts of the job's creator */
/* SENTENCES: job.elevation */
static void a_job_knows_how_its_owner_stood(void **state) {
        FOR_EACH_FAMILY(family) {
                struct job job = job_new(family);
                IBackgroundCopyJob4 *job4 = query(job.com, &IID_IBackgroundCopyJob4);
                BOOL elevated = 77;
                ULONG level = 0;

                assert_hr(IBackgroundCopyJob4_GetOwnerIntegrityLevel(job4, &level), S_OK);
                assert_int_equal(level, geteuid() == 0 ? 0x3000 : 0x2000);
                assert_hr(IBackgroundCopyJob4_GetOwnerElevationState(job4, &elevated), S_OK);
                assert_int_equal(elevated, geteuid() == 0 ? TRUE : FALSE);
                assert_hr(IBackgroundCopyJob4_GetOwnerIntegrityLevel(job4, NULL), E_INVALIDARG);
                assert_hr(IBackgroundCopyJob4_GetOwnerElevationState(job4, NULL), E_INVALIDARG);
                drop(job4);
                job_done(&job);
        }
}

/* ---- IBackgroundCopyJob5 ---- */

/* CONFORMS: api.md 1.8 "SetProperty (Job5)", 1.10 row 8: BG_E_UNKNOWN_PROPERTY_ID; DO supports only properties 1 and 2 */
/* SENTENCES: job.property */
static void a_property_that_the_family_does_not_have_is_unknown(void **state) {
        FOR_EACH_FAMILY(family) {
                HRESULT unknown = family->is_do ? DO_E_UNKNOWN_PROPERTY_ID : BG_E_UNKNOWN_PROPERTY_ID;
                struct job job = job_new(family);
                IBackgroundCopyJob5 *job5 = query(job.com, &IID_IBackgroundCopyJob5);
                BITS_JOB_PROPERTY_VALUE value = { .Dword = 1 };
                const int strangers[] = { 0, 6, 8, 11, -1, 0x7fffffff };

                for (size_t i = 0; i < ELEMENTSOF(strangers); i++) {
                        assert_hr(IBackgroundCopyJob5_SetProperty(job5, (BITS_JOB_PROPERTY_ID) strangers[i], value),
                                  unknown);
                        assert_hr(IBackgroundCopyJob5_GetProperty(job5, (BITS_JOB_PROPERTY_ID) strangers[i], &value),
                                  unknown);
                }
                for (int id = 3; family->is_do && id <= 10; id++)
                        assert_hr(IBackgroundCopyJob5_GetProperty(job5, (BITS_JOB_PROPERTY_ID) id, &value), unknown);
                assert_hr(IBackgroundCopyJob5_GetProperty(job5, BITS_JOB_PROPERTY_ID_COST_FLAGS, NULL), E_INVALIDARG);
                drop(job5);
                job_done(&job);
        }
}

/* CONFORMS: api.md 1.7 "Max download time": SetMaximumDownloadTime per job, BG_E_MAXDOWNLOAD_TIMEOUT */
/* SENTENCES: maxtime */
static void a_job_that_takes_too_long_is_in_error(void **state) {
        struct job job = job_new(&families[1]);
        IBackgroundCopyJob4 *job4 = query(job.com, &IID_IBackgroundCopyJob4);
        IBackgroundCopyError *error;
        BG_ERROR_CONTEXT context;
        HRESULT code;

        assert_hr(IBackgroundCopyJob4_SetMaximumDownloadTime(job4, 1), S_OK);
        job_add(&job, origin_url("/slow?size=100000000&rate=20000"), destination("slow"));
        job_resume(&job);
        job_wait(&job, BG_JOB_STATE_ERROR);
        assert_hr(IBackgroundCopyJob_GetError(job.com, &error), S_OK);
        assert_hr(IBackgroundCopyError_GetError(error, &context, &code), S_OK);
        assert_hr(code, BG_E_MAXDOWNLOAD_TIMEOUT);
        drop(error);
        drop(job4);
        job_done(&job);
}

/* CONFORMS: api.md 1.7 "Max download time": 90 d; 1.8 SetProperty: HIGH_PERFORMANCE only before the first file */
static void a_job_has_a_longest_time_and_may_do_without_checkpoints(void **state) {

        const struct family *bits = &families[1];
        struct job job = job_new(bits);
        IBackgroundCopyJob5 *job5 = query(job.com, &IID_IBackgroundCopyJob5);
        BITS_JOB_PROPERTY_VALUE value = { .Enable = TRUE };
        ULONG seconds = 0;

        assert_hr(IBackgroundCopyJob5_GetMaximumDownloadTime(job5, &seconds), S_OK);
        assert_int_equal(seconds, 7776000);
        assert_hr(IBackgroundCopyJob5_GetMaximumDownloadTime(job5, NULL), E_INVALIDARG);
        assert_hr(IBackgroundCopyJob5_SetMaximumDownloadTime(job5, 3600), S_OK);
        assert_hr(IBackgroundCopyJob5_SetProperty(job5, BITS_JOB_PROPERTY_HIGH_PERFORMANCE, value), S_OK);
        world_kill_service();
        world_start_service();
        assert_hr(IBackgroundCopyJob5_GetMaximumDownloadTime(job5, &seconds), S_OK);
        assert_int_equal(seconds, 3600);
        value.Enable = FALSE;
        assert_hr(IBackgroundCopyJob5_GetProperty(job5, BITS_JOB_PROPERTY_HIGH_PERFORMANCE, &value), S_OK);
        assert_true(value.Enable);
        job_add(&job, origin_url("/f?size=10"), destination("fast"));
        assert_hr(IBackgroundCopyJob5_SetProperty(job5, BITS_JOB_PROPERTY_HIGH_PERFORMANCE, value),
                  BG_E_READ_ONLY_PROPERTY_AFTER_ADDFILE);
        assert_hr(IBackgroundCopyJob_TakeOwnership(job.com), S_OK);
        assert_hr(IBackgroundCopyJob_Cancel(job.com), S_OK);
        assert_hr(IBackgroundCopyJob_TakeOwnership(job.com), bits->invalid_state);
        drop(job5);
        job_done(&job);
}

static void assert_filled(IBackgroundCopyFile6 *file6, DWORD n, const BG_FILE_RANGE *expected) {
        BG_FILE_RANGE *ranges;
        DWORD n_ranges;

        assert_hr(IBackgroundCopyFile6_GetFilledFileRanges(file6, &n_ranges, &ranges), n > 0 ? S_OK : S_FALSE);
        assert_int_equal(n_ranges, n);
        assert_memory_equal(ranges, expected, n * sizeof(*expected));
        CoTaskMemFree(ranges);
}

/* CONFORMS: api.md 1.8 "ON_DEMAND_MODE + RequestFileRanges": only what is asked for, in its own place; list done: SUSPENDED; all: TRANSFERRED */
/* SENTENCES: demand */
static void a_job_on_demand_fetches_what_is_asked_for(void **state) {

        const struct family *bits = &families[1];
        BG_FILE_RANGE first[] = { { 90000, 5000 }, { 1000, 500 }, { 1200, 1000 } }, bad = { 200000, 1 };
        BG_FILE_RANGE filled[] = { { 1000, 1200 }, { 90000, 5000 } }, rest = { 0, BG_LENGTH_TO_EOF }, whole = { 0, 100000 };
        BITS_JOB_PROPERTY_VALUE on = { .Enable = TRUE };
        struct job job = job_new(bits), plain = job_new(bits);
        IBackgroundCopyJob5 *job5 = query(job.com, &IID_IBackgroundCopyJob5), *plain5 = query(plain.com, &IID_IBackgroundCopyJob5);
        const wchar_t *path = destination("demand");
        char *content = origin_fetch("/d?size=100000", 100000), *got;
        IBackgroundCopyFile *file, *other;
        IBackgroundCopyFile6 *file6, *other6;
        LPWSTR name;
        size_t n;

        job_add(&job, origin_url("/d?size=100000"), path);
        file = job_first_file(&job);
        file6 = query(file, &IID_IBackgroundCopyFile6);
        assert_hr(IBackgroundCopyFile6_RequestFileRanges(file6, 3, first), BG_E_RANDOM_ACCESS_NOT_SUPPORTED);
        assert_hr(IBackgroundCopyFile6_UpdateDownloadPosition(file6, 0), BG_E_RANDOM_ACCESS_NOT_SUPPORTED);
        assert_hr(IBackgroundCopyJob5_SetProperty(job5, BITS_JOB_PROPERTY_ON_DEMAND_MODE, on), S_OK);
        assert_hr(IBackgroundCopyFile6_RequestFileRanges(file6, 0, first), E_INVALIDARG);
        assert_filled(file6, 0, NULL);
        assert_hr(IBackgroundCopyFile6_RequestFileRanges(file6, 3, first), S_OK);
        job_resume(&job);
        job_wait(&job, BG_JOB_STATE_SUSPENDED);
        assert_filled(file6, 2, filled);
        assert_hr(IBackgroundCopyFile3_GetTemporaryName((IBackgroundCopyFile3 *) file6, &name), S_OK);
        got = file_read(name, &n);
        assert_true(n >= 95000);
        assert_memory_equal(got + 1000, content + 1000, 1200);
        assert_memory_equal(got + 90000, content + 90000, 5000);
        free(got);
        CoTaskMemFree(name);
        assert_hr(IBackgroundCopyJob5_SetProperty(job5, BITS_JOB_PROPERTY_ON_DEMAND_MODE, on),
                  BG_E_READ_ONLY_PROPERTY_AFTER_RESUME);
        assert_hr(IBackgroundCopyFile6_RequestFileRanges(file6, 1, &bad), bits->invalid_range);
        world_kill_service();
        world_start_service();
        assert_filled(file6, 2, filled);
        assert_hr(IBackgroundCopyFile6_UpdateDownloadPosition(file6, 50000), S_OK);
        assert_hr(IBackgroundCopyFile6_RequestFileRanges(file6, 1, &rest), S_OK);
        job_resume(&job);
        job_wait(&job, BG_JOB_STATE_TRANSFERRED);
        assert_filled(file6, 1, &whole);
        assert_hr(IBackgroundCopyJob_Complete(job.com), S_OK);
        assert_file_is(path, "/d?size=100000", 100000);

        assert_hr(job_add_ranges(&plain, L"an id", origin_url("/d?size=100000"), destination("ranged"), 2, filled, 100000), S_OK);
        other = job_first_file(&plain);
        other6 = query(other, &IID_IBackgroundCopyFile6);
        assert_hr(IBackgroundCopyJob5_SetProperty(plain5, BITS_JOB_PROPERTY_ON_DEMAND_MODE, on),
                  BG_E_RANDOM_ACCESS_NOT_SUPPORTED);
        assert_hr(IBackgroundCopyFile6_RequestFileRanges(other6, 1, &rest), BG_E_RANDOM_ACCESS_NOT_SUPPORTED);
        drop(other6);
        drop(other);
        drop(file6);
        drop(file);
        drop(plain5);
        drop(job5);
        free(content);
        job_done(&plain);
        job_done(&job);
}

/* ---- IDeliveryOptimizationJob2 ---- */

/* CONFORMS: api.md 1.8 "Job2::GetProperty / SetProperty": only ExtendedErrorInfo, read-only */
/* SENTENCES: do.extended */
static void the_extended_error_tells_code_place_and_text(void **state) {
        FOR_EACH_FAMILY(family) {
                const wchar_t *path;
                struct job job = job_in_state(family, "/e?status=404", BG_JOB_STATE_ERROR, &path),
                           fresh = job_new(family);
                IDeliveryOptimizationJob2 *job2 = query(job.com, &IID_IDeliveryOptimizationJob2);
                IDeliveryOptimizationJob2 *fresh2 = query(fresh.com, &IID_IDeliveryOptimizationJob2);
                VARIANT value;

                VariantInit(&value);
                assert_hr(IDeliveryOptimizationJob2_GetProperty(job2, DOJobPropertyId_ExtendedErrorInfo, &value), S_OK);
                assert_int_equal(V_VT(&value), VT_BSTR);
                assert_non_null(wcsstr(V_BSTR(&value), L"0x80190194 remote_file: "));
                assert_hr(VariantClear(&value), S_OK);
                assert_hr(IDeliveryOptimizationJob2_GetProperty(fresh2, DOJobPropertyId_ExtendedErrorInfo, &value),
                          E_NOT_SET);
                assert_int_equal(V_VT(&value), VT_EMPTY);
                assert_hr(IDeliveryOptimizationJob2_GetProperty(job2, (DOJobPropertyId) 1, &value),
                          DO_E_UNKNOWN_PROPERTY_ID);
                assert_hr(IDeliveryOptimizationJob2_GetProperty(job2, DOJobPropertyId_ExtendedErrorInfo, NULL),
                          E_INVALIDARG);
                assert_hr(IDeliveryOptimizationJob2_SetProperty(job2, DOJobPropertyId_ExtendedErrorInfo, &value),
                          DO_E_READ_ONLY_PROPERTY);
                assert_hr(IDeliveryOptimizationJob2_SetProperty(job2, (DOJobPropertyId) 1, &value),
                          DO_E_UNKNOWN_PROPERTY_ID);
                drop(job2);
                drop(fresh2);
                job_done(&job);
                job_done(&fresh);
        }
}

/* ---- files ---- */

/* The bytes of a file that is not complete yet are where GetTemporaryName says, and nowhere else. */
static void a_transferred_file_is_under_its_temporary_name(void **state) {
        FOR_EACH_FAMILY(family) {
                HRESULT unavailable = family->file_not_available;
                struct job job = job_new(family);
                const wchar_t *path = destination("temp");
                IBackgroundCopyFile3 *file3;
                IBackgroundCopyFile *file;
                LPWSTR name = NULL;
                BOOL peer = 77;

                job_add(&job, origin_url("/t?size=1000"), path);
                file = job_first_file(&job);
                file3 = query(file, &IID_IBackgroundCopyFile3);
                assert_hr(IBackgroundCopyFile3_GetTemporaryName(file3, &name), unavailable); /* nothing is there yet */
                assert_null(name);
                job_resume(&job);
                job_wait(&job, BG_JOB_STATE_TRANSFERRED);
                assert_hr(IBackgroundCopyFile3_GetTemporaryName(file3, &name), S_OK);
                assert_file_is(name, "/t?size=1000", 1000);
                assert_false(file_exists(path));
                CoTaskMemFree(name);
                assert_hr(IBackgroundCopyJob_Complete(job.com), S_OK);
                assert_hr(IBackgroundCopyFile3_GetTemporaryName(file3, &name), unavailable);
                assert_hr(IBackgroundCopyFile3_GetTemporaryName(file3, NULL), E_INVALIDARG);
                assert_hr(IBackgroundCopyFile3_IsDownloadedFromPeer(file3, &peer), S_OK);
                assert_false(peer);
                assert_hr(IBackgroundCopyFile3_IsDownloadedFromPeer(file3, NULL), E_INVALIDARG);
                drop(file3);
                drop(file);
                job_done(&job);
        }
}

/* CONFORMS: api.md 2.1 "Validation FALSE" (origin): BG_E_VALIDATION_FAILED, progress 0; the next Resume fetches the file anew */
/* SENTENCES: state.validation */
static void a_file_that_its_program_finds_bad_is_fetched_anew(void **state) {

        FOR_EACH_FAMILY(family) {
                struct job job = job_new(family);
                const wchar_t *path = destination("validated");
                IBackgroundCopyFile3 *file3;
                IBackgroundCopyFile *file;
                IBackgroundCopyError *error;
                BG_FILE_PROGRESS progress;
                BG_ERROR_CONTEXT context;
                HRESULT code;
                BOOL good = 77;

                job_add(&job, origin_url("/v?size=1000"), path);
                file = job_first_file(&job);
                file3 = query(file, &IID_IBackgroundCopyFile3);
                assert_hr(IBackgroundCopyFile3_GetValidationState(file3, NULL), E_INVALIDARG);
                assert_hr(IBackgroundCopyFile3_GetValidationState(file3, &good), E_PENDING);
                assert_hr(IBackgroundCopyFile3_SetValidationState(file3, TRUE), E_PENDING);
                job_resume(&job);
                job_wait(&job, BG_JOB_STATE_TRANSFERRED);
                assert_hr(IBackgroundCopyFile3_GetValidationState(file3, &good), E_PENDING);
                assert_hr(IBackgroundCopyFile3_SetValidationState(file3, TRUE), S_OK);
                assert_hr(IBackgroundCopyFile3_GetValidationState(file3, &good), S_OK);
                assert_true(good);
                assert_hr(IBackgroundCopyFile3_SetValidationState(file3, FALSE), S_OK);
                assert_int_equal(job_state(&job), BG_JOB_STATE_ERROR);
                assert_hr(IBackgroundCopyJob_GetError(job.com, &error), S_OK);
                assert_hr(IBackgroundCopyError_GetError(error, &context, &code), S_OK);
                assert_hr(code, BG_E_VALIDATION_FAILED);
                assert_int_equal(context, BG_ERROR_CONTEXT_REMOTE_FILE);
                drop(error);
                assert_hr(IBackgroundCopyFile3_GetProgress(file3, &progress), S_OK);
                assert_true(progress.BytesTransferred == 0);
                world_kill_service();
                world_start_service();
                assert_hr(IBackgroundCopyFile3_GetValidationState(file3, &good), S_OK);
                assert_false(good);
                assert_int_equal(job_state(&job), BG_JOB_STATE_ERROR);
                job_resume(&job);
                job_wait(&job, BG_JOB_STATE_TRANSFERRED);
                assert_hr(IBackgroundCopyFile3_GetValidationState(file3, &good), E_PENDING);
                assert_hr(IBackgroundCopyJob_Complete(job.com), S_OK);
                assert_file_is(path, "/v?size=1000", 1000);
                assert_hr(IBackgroundCopyFile3_SetValidationState(file3, TRUE), family->invalid_state);
                drop(file3);
                drop(file);
                job_done(&job);
        }
}

/* CONFORMS: api.md 1.3 IBackgroundCopyFile4: bytes by source; 1.8 "File::GetStats": fills DOSwarmStats, the caller frees strings */
/* SENTENCES: do.stats */
static void all_bytes_come_from_the_origin(void **state) {
        FOR_EACH_FAMILY(family) {
                struct job job = job_new(family);
                IBackgroundCopyFile *file;
                IBackgroundCopyFile4 *file4;
                IDeliveryOptimizationFile *delivery;
                UINT64 origin = 7, peers = 7;
                DOSwarmStats stats;

                assert_hr(job_add_ranges(&job, L"the content", origin_url("/s?size=5000"), destination("stats"), 0,
                                         NULL, 5000),
                          S_OK);
                file = job_first_file(&job);
                file4 = query(file, &IID_IBackgroundCopyFile4);
                delivery = query(file, &IID_IDeliveryOptimizationFile);
                assert_hr(IDeliveryOptimizationFile_GetStats(delivery, &stats), S_OK);
                assert_int_equal(stats.status, SwarmStatus_Paused);
                assert_true(stats.totalBytesDownloaded == 0);
                CoTaskMemFree(stats.fileId);
                CoTaskMemFree(stats.sourceURL);
                job_resume(&job);
                job_wait(&job, BG_JOB_STATE_TRANSFERRED);
                assert_hr(IBackgroundCopyFile4_GetPeerDownloadStats(file4, &origin, &peers), S_OK);
                assert_true(origin == 5000 && peers == 0);
                assert_hr(IDeliveryOptimizationFile_GetStats(delivery, &stats), S_OK);
                assert_string_equal(narrow(stats.fileId), "the content");
                assert_string_equal(narrow(stats.sourceURL), narrow(origin_url("/s?size=5000")));
                assert_true(stats.fileSize == 5000 && stats.totalBytesDownloaded == 5000 &&
                            stats.bytesFromHttp == 5000);
                assert_true(stats.bytesFromLanPeers == 0 && stats.bytesToInternetPeers == 0);
                assert_int_equal(stats.status, SwarmStatus_Complete);
                assert_int_equal(stats.downloadMode, DownloadMode_CdnOnly);
                assert_true(stats.isBackground);
                CoTaskMemFree(stats.fileId);
                CoTaskMemFree(stats.sourceURL);
                assert_hr(IBackgroundCopyFile4_GetPeerDownloadStats(file4, NULL, &peers), E_INVALIDARG);
                assert_hr(IDeliveryOptimizationFile_GetStats(delivery, NULL), E_INVALIDARG);
                drop(delivery);
                drop(file4);
                drop(file);
                job_done(&job);
        }
}

static HRESULT set_switch(struct job *job, BITS_JOB_PROPERTY_ID id, BOOL on) {
        BITS_JOB_PROPERTY_VALUE value = { .Enable = on };
        IBackgroundCopyJob5 *job5 = query(job->com, &IID_IBackgroundCopyJob5);
        HRESULT hr = IBackgroundCopyJob5_SetProperty(job5, id, value);

        drop(job5);
        return hr;
}

/* CONFORMS: api.md 1.8 DYNAMIC_CONTENT: no HEAD, length or range needed; FOREGROUND required; restarts at 0 after interruption */
/* SENTENCES: dynamic */
static void dynamic_content_is_whole_and_of_one_answer(void **state) {
        BG_FILE_RANGE range = { 0, 10 };
        const wchar_t *path = destination("dynamic");
        struct job job = job_new(&families[1]);
        IBackgroundCopyJob3 *job3 = query(job.com, &IID_IBackgroundCopyJob3);
        BG_JOB_PRIORITY priority;

        assert_hr(set_switch(&job, BITS_JOB_PROPERTY_DYNAMIC_CONTENT, TRUE), S_OK);
        assert_hr(IBackgroundCopyJob_GetPriority(job.com, &priority), S_OK);
        assert_int_equal(priority, BG_JOB_PRIORITY_FOREGROUND);
        assert_hr(IBackgroundCopyJob_SetPriority(job.com, BG_JOB_PRIORITY_NORMAL), E_INVALIDARG);
        assert_hr(set_switch(&job, BITS_JOB_PROPERTY_ON_DEMAND_MODE, TRUE), BG_E_RANDOM_ACCESS_NOT_SUPPORTED);
        assert_hr(IBackgroundCopyJob3_AddFileWithRanges(job3, origin_url("/x?size=100"), path, 1, &range),
                  BG_E_RANDOM_ACCESS_NOT_SUPPORTED);
        /* Three answers of three contents and sizes; the first two break off, and the last states no length. */
        origin_case("dynamic", "{\"name\": \"f\", \"size\": 40000, \"answers\": ["
                               "{\"version\": 1, \"cut\": 30000, \"end\": \"fin\"},"
                               "{\"version\": 2, \"size\": 50000, \"cut\": 20000, \"end\": \"fin\"},"
                               "{\"version\": 3, \"size\": 45000, \"ranges\": \"ignore\", \"transfer\": \"chunked\"}]}");
        job_add(&job, origin_url("/c/dynamic/f"), path);
        for (int i = 0; i < 2; i++) {
                BG_JOB_PROGRESS progress;

                job_resume(&job);
                job_wait(&job, BG_JOB_STATE_TRANSIENT_ERROR);
                assert_hr(IBackgroundCopyJob_GetProgress(job.com, &progress), S_OK);
                assert_true(progress.BytesTransferred == 0);
        }
        assert_hr(set_switch(&job, BITS_JOB_PROPERTY_DYNAMIC_CONTENT, FALSE), BG_E_READ_ONLY_PROPERTY_AFTER_RESUME);
        job_resume(&job);
        job_wait(&job, BG_JOB_STATE_TRANSFERRED);
        assert_hr(IBackgroundCopyJob_Complete(job.com), S_OK);
        assert_file_is(path, "/f?size=45000&version=3", 45000);
        drop(job3);
        job_done(&job);
}

/* CONFORMS: api.md 1.4 BITS_FILE_PROPERTY_ID: HTTP_RESPONSE_HEADERS only, and nothing of a file can be set */
static void no_property_of_a_file_can_be_set(void **state) {
        FOR_EACH_FAMILY(family) {
                HRESULT unknown = family->is_do ? DO_E_UNKNOWN_PROPERTY_ID : BG_E_UNKNOWN_PROPERTY_ID;
                HRESULT read_only = family->is_do ? DO_E_READ_ONLY_PROPERTY : BG_E_READ_ONLY_PROPERTY;
                struct job job = job_new(family);
                BITS_FILE_PROPERTY_VALUE value = { .String = NULL };
                IBackgroundCopyFile5 *file5;
                IBackgroundCopyFile *file;

                job_add(&job, origin_url("/p?size=10"), destination("property"));
                file = job_first_file(&job);
                file5 = query(file, &IID_IBackgroundCopyFile5);
                assert_hr(IBackgroundCopyFile5_SetProperty(file5, BITS_FILE_PROPERTY_ID_HTTP_RESPONSE_HEADERS, value),
                          read_only);
                assert_hr(IBackgroundCopyFile5_SetProperty(file5, (BITS_FILE_PROPERTY_ID) 2, value), unknown);
                assert_hr(IBackgroundCopyFile5_GetProperty(file5, (BITS_FILE_PROPERTY_ID) 2, &value), unknown);
                assert_hr(IBackgroundCopyFile5_GetProperty(file5, BITS_FILE_PROPERTY_ID_HTTP_RESPONSE_HEADERS, NULL),
                          E_INVALIDARG);
                drop(file5);
                drop(file);
                job_done(&job);
        }
}

int main(int argc, char **argv) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(all_interfaces_of_an_object_lead_to_each_other),
                cmocka_unit_test(a_download_has_no_reply),
                cmocka_unit_test(credentials_want_a_known_target_and_scheme),
                cmocka_unit_test(ranges_are_put_one_after_another_in_the_callers_order),
                cmocka_unit_test(a_prefix_is_replaced_in_all_urls_that_have_it),
                cmocka_unit_test(a_file_that_is_held_knows_its_new_name),
                cmocka_unit_test(a_cancelled_file_has_no_temporary_name),
                cmocka_unit_test(what_has_no_meaning_here_says_so),
                cmocka_unit_test(a_job_knows_how_its_owner_stood),
                cmocka_unit_test(a_property_that_the_family_does_not_have_is_unknown),
                cmocka_unit_test(a_job_that_takes_too_long_is_in_error),
                cmocka_unit_test(a_job_has_a_longest_time_and_may_do_without_checkpoints),
                cmocka_unit_test(a_job_on_demand_fetches_what_is_asked_for),
                cmocka_unit_test(the_extended_error_tells_code_place_and_text),
                cmocka_unit_test(a_transferred_file_is_under_its_temporary_name),
                cmocka_unit_test(a_file_that_its_program_finds_bad_is_fetched_anew),
                cmocka_unit_test(all_bytes_come_from_the_origin),
                cmocka_unit_test(credentials_are_kept_for_each_target_and_scheme),
                cmocka_unit_test(dynamic_content_is_whole_and_of_one_answer),
                cmocka_unit_test(no_property_of_a_file_can_be_set),
        };

        return world_run(argc, argv, "later interfaces of jobs and files", NULL, tests, ELEMENTSOF(tests));
}

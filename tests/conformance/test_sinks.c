/* Where a file goes to, said after it was added: IDeliveryOptimizationJob2::AddFile and IDeliveryOptimizationFile2. */
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include "taker.h"

static void *query(void *object, REFIID iid) {
        void *out = NULL;

        assert_hr(IUnknown_QueryInterface((IUnknown *) object, iid, &out), S_OK);
        return out;
}

static void drop(void *object) {
        (void) IUnknown_Release((IUnknown *) object);
}

/* ---- files whose destination comes later ---- */

/* A job of the DO family with one file that was added without a sink. */
struct later {
        struct job job;
        IDeliveryOptimizationJob2 *job2;
        IDeliveryOptimizationFile *file;
        IDeliveryOptimizationFile2 *file2;
};

static struct later later_new(const wchar_t *url, DWORD n_ranges, BG_FILE_RANGE *ranges) {
        struct later later = { .job = job_new(&families[0]) };

        later.job2 = query(later.job.com, &IID_IDeliveryOptimizationJob2);
        assert_hr(IDeliveryOptimizationJob2_AddFile(later.job2, L"an id", url, n_ranges, ranges, &IID_IDeliveryOptimizationFile,
                                                    (void **) &later.file),
                  S_OK);
        later.file2 = query(later.file, &IID_IDeliveryOptimizationFile2);
        return later;
}

static void later_done(struct later *later) {
        drop(later->file2);
        assert_int_equal(IDeliveryOptimizationFile_Release(later->file), 0);
        drop(later->job2);
        job_done(&later->job);
}

static HRESULT set_text(IDeliveryOptimizationFile2 *file2, DOFilePropertyId id, const wchar_t *text) {
        VARIANT v = { .vt = VT_BSTR, .bstrVal = SysAllocString(text) };
        HRESULT hr = IDeliveryOptimizationFile2_SetProperty(file2, id, &v);

        (void) VariantClear(&v);
        return hr;
}

static void assert_file_not_set(IDeliveryOptimizationFile2 *file2, DOFilePropertyId id) {
        VARIANT v = { .vt = VT_UI4 };

        assert_hr(IDeliveryOptimizationFile2_GetProperty(file2, id, &v), E_NOT_SET);
        assert_int_equal(v.vt, VT_EMPTY);
}

/* CONFORMS: api.md 1.8 "IDeliveryOptimizationJob2::AddFile": adds 1 file without sink, returns it at once; start w/o sink → SINK_UNSPECIFIED */
/* SENTENCES: do.add2 do.file */
static void a_file_gets_its_destination_after_it_was_added(void **state) {
        struct later later = later_new(origin_url("/later?size=5000"), 0, NULL);
        const wchar_t *path = destination("later");
        IBackgroundCopyFile *file = query(later.file, &IID_IBackgroundCopyFile);
        LPWSTR name;
        VARIANT v;

        assert_file_not_set(later.file2, DOFilePropertyId_DownloadSinkFilePath);
        assert_hr(IBackgroundCopyJob_Resume(later.job.com), DO_E_FILE_DOWNLOADSINK_UNSPECIFIED);
        assert_int_equal(job_state(&later.job), BG_JOB_STATE_SUSPENDED);
        assert_hr(set_text(later.file2, DOFilePropertyId_DownloadSinkFilePath, destination("a first thought")), S_OK);
        assert_hr(set_text(later.file2, DOFilePropertyId_DownloadSinkFilePath, path), S_OK);
        assert_hr(IDeliveryOptimizationFile2_GetProperty(later.file2, DOFilePropertyId_DownloadSinkFilePath, &v), S_OK);
        assert_int_equal(v.vt, VT_BSTR);
        assert_int_equal(wcscmp(v.bstrVal, path), 0);
        (void) VariantClear(&v);
        assert_hr(IBackgroundCopyFile_GetLocalName(file, &name), S_OK);
        assert_int_equal(wcscmp(name, path), 0);
        CoTaskMemFree(name);
        drop(file);
        job_resume(&later.job);
        job_wait(&later.job, BG_JOB_STATE_TRANSFERRED);
        assert_hr(set_text(later.file2, DOFilePropertyId_DownloadSinkFilePath, destination("too late")), DO_E_INVALID_STATE);
        assert_hr(IBackgroundCopyJob_Complete(later.job.com), S_OK);
        assert_file_is(path, "/later?size=5000", 5000);
        assert_hr(set_text(later.file2, DOFilePropertyId_DownloadSinkFilePath, path), DO_E_INVALID_STATE);
        later_done(&later);
}

/* CONFORMS: api.md 1.8 "Job2::AddFile": riid must be IID_IDeliveryOptimizationFile; rangeCount 0 = whole file, 0xFFFFFFFF → E_INVALIDARG */
/* SENTENCES: do.add2 */
static void what_cannot_be_added_adds_nothing(void **state) {
        struct job job = job_new(&families[0]);
        IDeliveryOptimizationJob2 *job2 = query(job.com, &IID_IDeliveryOptimizationJob2);
        BG_FILE_RANGE overlapping[] = { { 0, 10 }, { 5, 10 } }, endless = { BG_LENGTH_TO_EOF, 1 };
        const wchar_t *url = origin_url("/refused?size=100");
        BG_JOB_PROGRESS progress;
        void *file = &job;

#define ADD(id, url, n, ranges, iid) IDeliveryOptimizationJob2_AddFile(job2, id, url, n, ranges, iid, &file)
        assert_hr(ADD(NULL, url, 0, NULL, &IID_IDeliveryOptimizationFile), E_INVALIDARG);
        assert_null(file);
        assert_hr(ADD(L"", url, 0, NULL, &IID_IDeliveryOptimizationFile), E_INVALIDARG);
        assert_hr(ADD(L"id", NULL, 0, NULL, &IID_IDeliveryOptimizationFile), E_INVALIDARG);
        assert_hr(ADD(L"id", L"", 0, NULL, &IID_IDeliveryOptimizationFile), E_INVALIDARG);
        assert_hr(ADD(L"id", url, UINT32_MAX, overlapping, &IID_IDeliveryOptimizationFile), E_INVALIDARG);
        assert_hr(ADD(L"id", url, 1, NULL, &IID_IDeliveryOptimizationFile), E_INVALIDARG);
        assert_hr(ADD(L"id", url, 2, overlapping, &IID_IDeliveryOptimizationFile), DO_E_OVERLAPPING_RANGES);
        assert_hr(ADD(L"id", url, 1, &endless, &IID_IDeliveryOptimizationFile), DO_E_INVALID_RANGE);
        assert_hr(ADD(L"id", url, 0, NULL, NULL), E_INVALIDARG);
        assert_hr(ADD(L"id", url, 0, NULL, &IID_IDeliveryOptimizationFile2), E_NOINTERFACE);
        assert_hr(ADD(L"id", url, 0, NULL, &IID_IUnknown), E_NOINTERFACE);
        assert_null(file);
        assert_hr(IDeliveryOptimizationJob2_AddFile(job2, L"id", url, 0, NULL, &IID_IDeliveryOptimizationFile, NULL), E_INVALIDARG);
#undef ADD
        assert_hr(IBackgroundCopyJob_GetProgress(job.com, &progress), S_OK);
        assert_int_equal(progress.FilesTotal, 0);
        drop(job2);
        job_done(&job);
}

/* CONFORMS: api.md 2.4 "ranges {2,4},{12,5} give 9 concatenated bytes" */
static void ranges_of_a_file_without_a_sink_are_kept(void **state) {
        BG_FILE_RANGE ranges[] = { { 2, 4 }, { 12, 5 } };
        struct later later = later_new(origin_url("/r?size=100"), 2, ranges);
        IBackgroundCopyFile *file = query(later.file, &IID_IBackgroundCopyFile);
        BG_FILE_PROGRESS progress;

        assert_hr(set_text(later.file2, DOFilePropertyId_DownloadSinkFilePath, destination("ranges")), S_OK);
        job_resume(&later.job);
        job_wait(&later.job, BG_JOB_STATE_TRANSFERRED);
        assert_hr(IBackgroundCopyFile_GetProgress(file, &progress), S_OK);
        assert_true(progress.BytesTotal == 9 && progress.BytesTransferred == 9);
        drop(file);
        later_done(&later);
}

/* CONFORMS: api.md 1.8 "File2::Get/SetProperty": UNKNOWN_PROPERTY_ID, WRITE_ONLY_PROPERTY, E_NOT_SET; 1.4 DOFilePropertyId */
/* SENTENCES: do.file */
static void properties_of_a_file_have_codes_of_their_own(void **state) {
        struct later later = later_new(origin_url("/props?size=10"), 0, NULL);
        VARIANT v = { .vt = VT_UI8, .ullVal = 10 };

        assert_hr(IDeliveryOptimizationFile2_GetProperty(later.file2, (DOFilePropertyId) 7, &v), DO_E_UNKNOWN_PROPERTY_ID);
        assert_hr(IDeliveryOptimizationFile2_SetProperty(later.file2, (DOFilePropertyId) 7, &v), DO_E_UNKNOWN_PROPERTY_ID);
        assert_hr(IDeliveryOptimizationFile2_GetProperty(later.file2, DOFilePropertyId_TotalSizeBytes, NULL), E_INVALIDARG);
        assert_hr(IDeliveryOptimizationFile2_SetProperty(later.file2, DOFilePropertyId_TotalSizeBytes, NULL), E_INVALIDARG);
        assert_hr(IDeliveryOptimizationFile2_GetProperty(later.file2, DOFilePropertyId_DecryptionInfo, &v), DO_E_WRITE_ONLY_PROPERTY);
        assert_hr(IDeliveryOptimizationFile2_GetProperty(later.file2, DOFilePropertyId_IntegrityCheckInfo, &v), DO_E_WRITE_ONLY_PROPERTY);
        assert_file_not_set(later.file2, DOFilePropertyId_TotalSizeBytes);
        assert_file_not_set(later.file2, DOFilePropertyId_DownloadSinkInterface);
        assert_file_not_set(later.file2, DOFilePropertyId_DownloadSinkMemoryStream);

        v = (VARIANT){ .vt = VT_UI8, .ullVal = 10 };
        assert_hr(IDeliveryOptimizationFile2_SetProperty(later.file2, DOFilePropertyId_TotalSizeBytes, &v), S_OK);
        v = (VARIANT){};
        assert_hr(IDeliveryOptimizationFile2_GetProperty(later.file2, DOFilePropertyId_TotalSizeBytes, &v), S_OK);
        assert_true(v.vt == VT_UI8 && v.ullVal == 10);
        v = (VARIANT){ .vt = VT_BOOL, .boolVal = VARIANT_TRUE };
        assert_hr(IDeliveryOptimizationFile2_SetProperty(later.file2, DOFilePropertyId_IntegrityCheckMandatory, &v), S_OK);
        v = (VARIANT){};
        assert_hr(IDeliveryOptimizationFile2_GetProperty(later.file2, DOFilePropertyId_IntegrityCheckMandatory, &v), S_OK);
        assert_true(v.vt == VT_BOOL && v.boolVal == VARIANT_TRUE);
        v = (VARIANT){ .vt = VT_UI4, .ulVal = 10 };
        assert_hr(IDeliveryOptimizationFile2_SetProperty(later.file2, DOFilePropertyId_TotalSizeBytes, &v), E_INVALIDARG);
        assert_hr(set_text(later.file2, DOFilePropertyId_DownloadSinkFilePath, L"relative"), E_INVALIDARG);
        assert_hr(set_text(later.file2, DOFilePropertyId_DownloadSinkFilePath, L""), E_INVALIDARG);
        assert_hr(set_text(later.file2, DOFilePropertyId_IntegrityCheckInfo, L"no JSON"), E_INVALIDARG);
        v = (VARIANT){ .vt = VT_UNKNOWN };
        assert_hr(IDeliveryOptimizationFile2_SetProperty(later.file2, DOFilePropertyId_DownloadSinkMemoryStream, &v),
                  DO_E_MEMORYSTREAM_DOWNLOAD_NOT_SUPPORTED);
        later_done(&later);
}

/* ---- streams: the program takes the bytes ---- */

/* CONFORMS: api.md 1.4 StreamInterface; 1.8 Start: RANGES_EXPECTED (stream sink) */
/* SENTENCES: download.stream */
static void a_stream_gets_the_bytes_in_order(void **state) {
        static const char *const queries[] = { "/s?size=900000", "/s?size=900000&transfer=chunked", "/s?size=900000&ranges=ignore",
                                               "/s?size=0" };

        for (size_t i = 0; i < ELEMENTSOF(queries); i++) {
                struct taker *t = taker_new();
                IDODownload *d = taker_new_download(queries[i], t);
                VARIANT v;

                assert_hr(IDODownload_GetProperty(d, DODownloadProperty_StreamInterface, &v), S_OK);
                assert_true(v.vt == VT_UNKNOWN && v.punkVal == (IUnknown *) t);
                (void) VariantClear(&v);
                assert_hr(IDODownload_Start(d, NULL), DO_E_DOWNLOAD_RANGES_EXPECTED);
                assert_hr(download_start_all(d), S_OK);
                (void) download_wait(d, DODownloadState_Transferred);
                taker_assert_has(t, "/s?size=900000", strstr(queries[i], "size=0") ? 0 : 900000);
                assert_hr(IDODownload_Finalize(d), S_OK);
                assert_int_equal(IDODownload_Release(d), 0);
                assert_int_equal(count_parts(), 0);
                taker_done(t);
        }
}

/* CONFORMS: design decision 6 and api.md 2.4 "ranges {2,4},{12,5}"; 1.8 Start: Transferred "can start again" with another portion */
static void a_stream_gets_ranges_one_after_another(void **state) {
        struct taker *t = taker_new();
        IDODownload *d = taker_new_download("/r?size=100", t);
        struct {
                UINT n;
                DO_DOWNLOAD_RANGE ranges[2];
        } wanted = { 2, { { 12, 5 }, { 2, 4 } } };
        const DO_DOWNLOAD_RANGES_INFO more = { 1, { { 90, DO_LENGTH_TO_EOF } } };
        char *all = origin_fetch("/r?size=100", 100);

        assert_hr(IDODownload_Start(d, (const DO_DOWNLOAD_RANGES_INFO *) (const void *) &wanted), S_OK);
        (void) download_wait(d, DODownloadState_Transferred);
        assert_int_equal(t->n, 9);
        assert_memory_equal(t->bytes, all + 12, 5);
        assert_memory_equal(t->bytes + 5, all + 2, 4);
        assert_hr(IDODownload_Start(d, &more), S_OK);
        (void) download_wait(d, DODownloadState_Transferred);
        assert_int_equal(t->n, 19);
        assert_memory_equal(t->bytes + 9, all + 90, 10);
        assert_hr(IDODownload_Start(d, NULL), DO_E_DOWNLOAD_RANGES_EXPECTED);
        free(all);
        assert_hr(IDODownload_Abort(d), S_OK);
        assert_int_equal(IDODownload_Release(d), 0);
        taker_done(t);
}

#define WINDOW (UINT64_C(8) << 20)       /* protocol/limits.h */
#define SOCKET_BUFFERS (UINT64_C(24) << 20) /* of both ends, and one of libcurl: generous */
#define HUGE_QUERY "/huge?size=209715200"

/* A stream that blocks stops the transfer: what is fetched is bounded, whatever the size; and it goes on afterwards. */
/* SENTENCES: download.stream.blocks */
static void a_stream_that_blocks_holds_the_transfer(void **state) {
        struct taker *t;
        uint64_t before = origin_bytes_sent();
        DO_DOWNLOAD_STATUS status;
        IDODownload *d;

        t = taker_new();
        t->block_at = 0;
        d = taker_new_download(HUGE_QUERY, t);
        assert_hr(download_start_all(d), S_OK);
        taker_wait_blocked(t);
        do
                status = download_wait(d, DODownloadState_Transferring);
        while (status.BytesTransferred < WINDOW);
        assert_true(status.BytesTransferred < WINDOW + (1 << 20));
        assert_true(origin_bytes_sent() - before < WINDOW + SOCKET_BUFFERS);
        assert_hr(IDODownload_Pause(d), S_OK);
        assert_true(origin_bytes_sent() - before < WINDOW + SOCKET_BUFFERS);
        assert_hr(IDODownload_Start(d, NULL), S_OK);
        taker_allow(t);
        do
                status = download_wait(d, DODownloadState_Transferring);
        while (status.BytesTransferred < 4 * WINDOW);
        assert_hr(IDODownload_Abort(d), S_OK);
        assert_int_equal(IDODownload_Release(d), 0);
        taker_done(t);
}

/* The program's own code is what the download ends with; what was taken before stays taken, and Start goes on behind it. */
/* SENTENCES: download.stream.fails */
static void a_stream_that_fails_says_why(void **state) {
        for (int is_short = 0; is_short < 2; is_short++) {
                HRESULT failure = is_short ? (HRESULT) 0x80030070 : (HRESULT) 0x80040123;
                struct taker *t = taker_new();
                IDODownload *d = taker_new_download("/f?size=900000", t);
                DO_DOWNLOAD_STATUS status;

                t->fail_at = 300000;
                t->failure = failure;
                t->is_short = is_short;
                assert_hr(download_start_all(d), S_OK);
                status = download_wait(d, DODownloadState_Paused);
                assert_hr(status.Error, failure);
                taker_allow(t);
                assert_hr(IDODownload_Start(d, NULL), S_OK);
                (void) download_wait(d, DODownloadState_Transferred);
                taker_assert_has(t, "/f?size=900000", 900000);
                assert_hr(IDODownload_Finalize(d), S_OK);
                assert_int_equal(IDODownload_Release(d), 0);
                taker_done(t);
        }
}

/* CONFORMS: api.md 1.8 "sink set twice of other kind → DO_E_FILE_DOWNLOADSINK_ALREADY_SET"; design decision 18 */
/* SENTENCES: do.file */
static void a_file_has_one_kind_of_sink(void **state) {
        struct taker *t = taker_new(), *second = taker_new();
        IDODownload *d = taker_new_download("/k?size=10", t);
        struct later later = later_new(origin_url("/k?size=10"), 0, NULL);
        VARIANT v = { .vt = VT_BSTR, .bstrVal = SysAllocString(destination("other")) },
                stream = { .vt = VT_UNKNOWN }, stays = { .vt = VT_BOOL, .boolVal = VARIANT_TRUE };

        assert_hr(IDODownload_SetProperty(d, DODownloadProperty_LocalPath, &v), DO_E_FILE_DOWNLOADSINK_ALREADY_SET);
        assert_hr(IDODownload_SetProperty(d, DODownloadProperty_StreamInterface, &stream), E_INVALIDARG);
        stream.punkVal = (IUnknown *) second;
        assert_hr(IDODownload_SetProperty(d, DODownloadProperty_StreamInterface, &stream), S_OK);
        assert_hr(IDODownload_SetProperty(d, DODownloadProperty_NonVolatile, &stays), DO_E_INVALID_STATE);
        assert_hr(download_start_all(d), S_OK);
        (void) download_wait(d, DODownloadState_Transferred);
        assert_int_equal(t->n, 0);
        taker_assert_has(second, "/k?size=10", 10);
        assert_hr(IDODownload_Abort(d), S_OK);
        assert_int_equal(IDODownload_Release(d), 0);
        taker_done(t);
        taker_done(second);

        assert_hr(IDeliveryOptimizationFile2_SetProperty(later.file2, DOFilePropertyId_DownloadSinkFilePath, &v), S_OK);
        t = taker_new();
        stream.punkVal = (IUnknown *) t;
        assert_hr(IDeliveryOptimizationFile2_SetProperty(later.file2, DOFilePropertyId_DownloadSinkInterface, &stream),
                  DO_E_FILE_DOWNLOADSINK_ALREADY_SET);
        later_done(&later);
        taker_done(t);
        (void) VariantClear(&v);
}

/* Files of a job, too: one to a stream, one to its place. */
static void a_job_has_files_with_and_without_streams(void **state) {
        struct later later = later_new(origin_url("/j?size=500000"), 0, NULL);
        struct taker *t = taker_new();
        const wchar_t *path = destination("beside");
        VARIANT v = { .vt = VT_UNKNOWN, .punkVal = (IUnknown *) t };

        assert_hr(IDeliveryOptimizationFile2_SetProperty(later.file2, DOFilePropertyId_DownloadSinkInterface, &v), S_OK);
        assert_hr(IDeliveryOptimizationFile2_GetProperty(later.file2, DOFilePropertyId_DownloadSinkInterface, &v), S_OK);
        assert_true(v.punkVal == (IUnknown *) t);
        (void) VariantClear(&v);
        job_add(&later.job, origin_url("/j2?size=5000"), path);
        job_resume(&later.job);
        job_wait(&later.job, BG_JOB_STATE_TRANSFERRED);
        taker_assert_has(t, "/j?size=500000", 500000);
        assert_hr(IBackgroundCopyJob_Complete(later.job.com), S_OK);
        assert_file_is(path, "/j2?size=5000", 5000);
        later_done(&later);
        taker_done(t);
}

/* CONFORMS: design decision 18: streams live as long as their client's connection and the service */
/* SENTENCES: download.stream.volatile */
static void a_stream_goes_with_the_service(void **state) {

        struct taker *t = taker_new();
        IDODownload *d = taker_new_download("/g?size=9000000&rate=5000000", t);

        t->block_at = 1;
        assert_hr(download_start_all(d), S_OK);
        taker_wait_blocked(t);
        world_kill_service();
        world_start_service();
        taker_allow(t);
        (void) download_wait(d, DODownloadState_Aborted);
        assert_hr(IDODownload_Start(d, NULL), DO_E_INVALID_STATE);
        assert_int_equal(count_parts(), 0);
        assert_int_equal(IDODownload_Release(d), 0);
        taker_done(t);
}

int main(int argc, char **argv) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_file_gets_its_destination_after_it_was_added),
                cmocka_unit_test(what_cannot_be_added_adds_nothing),
                cmocka_unit_test(ranges_of_a_file_without_a_sink_are_kept),
                cmocka_unit_test(properties_of_a_file_have_codes_of_their_own),
                cmocka_unit_test(a_stream_gets_the_bytes_in_order),
                cmocka_unit_test(a_stream_gets_ranges_one_after_another),
                cmocka_unit_test(a_stream_that_blocks_holds_the_transfer),
                cmocka_unit_test(a_stream_that_fails_says_why),
                cmocka_unit_test(a_file_has_one_kind_of_sink),
                cmocka_unit_test(a_job_has_files_with_and_without_streams),
                cmocka_unit_test(a_stream_goes_with_the_service),
        };

        return world_run(argc, argv, "sinks", NULL, tests, ELEMENTSOF(tests));
}

/* Properties of IDODownload at work: what they do to a transfer, what it does to them, and what is left of them at the end. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <wchar.h>

#include "download.h"

/* CONFORMS: api.md 1.4 HttpRedirectionTarget 26, HttpResponseHeaders 27, HttpServerIPAddress 28, HttpStatusCode 29 */
static void what_the_server_answered_last_can_be_read(void **state) {
        DO_DOWNLOAD_RANGES_INFO part = { 1, { { 10, 5 } } };
        IDODownload *d = download_new(origin_url("/away?status=302&location=/there%3Fsize%3D100"), destination("answered"));
        VARIANT v;

        assert_not_set(d, DODownloadProperty_HttpRedirectionTarget);
        assert_not_set(d, DODownloadProperty_HttpResponseHeaders);
        assert_not_set(d, DODownloadProperty_HttpServerIPAddress);
        assert_hr(download_run(d, NULL), S_OK);
        assert_text(d, DODownloadProperty_HttpRedirectionTarget, origin_url("/there?size=100"));
        assert_text(d, DODownloadProperty_HttpServerIPAddress, L"127.0.0.1");
        assert_number(d, DODownloadProperty_HttpStatusCode, 200);
        assert_hr(IDODownload_GetProperty(d, DODownloadProperty_HttpResponseHeaders, &v), S_OK);
        assert_non_null(wcsstr(v.bstrVal, L"ETag: "));
        assert_non_null(wcsstr(v.bstrVal, L"Content-Length: 100"));
        (void) VariantClear(&v);
        assert_text(d, DODownloadProperty_Uri, origin_url("/away?status=302&location=/there%3Fsize%3D100")); /* the job's own */
        download_drop(d);

        d = download_new(origin_url("/part?size=100"), destination("answered"));
        assert_hr(download_run(d, &part), S_OK);
        assert_number(d, DODownloadProperty_HttpStatusCode, 206);
        assert_not_set(d, DODownloadProperty_HttpRedirectionTarget);
        download_drop(d);

        d = download_new(origin_url("/no?status=403"), destination("answered"));
        assert_hr(download_run(d, NULL), (HRESULT) 0x80190193);
        assert_number(d, DODownloadProperty_HttpStatusCode, 403);
        download_drop(d);
}

/* CONFORMS: api.md 1.8 "Start(ranges)"; 1.9 DO_E_INVALID_RANGE, DO_E_INSUFFICIENT_RANGE_SUPPORT */
static void ranges_that_cannot_be_had_are_named(void **state) {
        DO_DOWNLOAD_RANGES_INFO behind = { 1, { { 200, 5 } } }, part = { 1, { { 10, 5 } } }, none = { .RangeCount = 0 };
        IDODownload *d = download_new(origin_url("/behind?size=100"), destination("ranges"));

        assert_hr(download_run(d, &behind), DO_E_INVALID_RANGE);
        assert_int_equal(download_status(d).State, DODownloadState_Paused);
        assert_hr(download_status(d).Error, DO_E_INVALID_RANGE);
        download_drop(d);
        d = download_new(origin_url("/ignores?size=100&ranges=ignore"), destination("ranges"));
        assert_hr(download_run(d, &part), DO_E_INSUFFICIENT_RANGE_SUPPORT);
        download_drop(d);
        d = download_new(origin_url("/none?size=100"), destination("ranges"));
        assert_hr(download_run(d, &none), S_OK); /* the whole file */
        assert_int_equal(download_status(d).BytesTransferred, 100);
        download_drop(d);
}

/* CONFORMS: api.md 1.4 TotalSizeBytes 21 (UI8) */
static void a_size_that_was_stated_must_be_right(void **state) {
        IDODownload *d = download_new(origin_url("/size?size=100"), destination("size"));
        VARIANT v;

        assert_hr(download_set(d, DODownloadProperty_TotalSizeBytes, (VARIANT){ .vt = VT_UI8, .ullVal = 100 }), S_OK);
        assert_hr(download_run(d, NULL), S_OK);
        assert_hr(IDODownload_GetProperty(d, DODownloadProperty_TotalSizeBytes, &v), S_OK);
        assert_int_equal(v.ullVal, 100);
        assert_hr(download_set(d, DODownloadProperty_TotalSizeBytes, (VARIANT){ .vt = VT_UI8, .ullVal = 101 }), DO_E_INVALID_STATE);
        download_drop(d);
        d = download_new(origin_url("/size?size=100"), destination("size"));
        assert_hr(download_set(d, DODownloadProperty_TotalSizeBytes, (VARIANT){ .vt = VT_UI8, .ullVal = 99 }), S_OK);
        assert_true(FAILED(download_run(d, NULL)));
        assert_int_equal(download_status(d).State, DODownloadState_Paused);
        assert_true(FAILED(download_status(d).Error));
        download_drop(d);
        d = download_new(origin_url("/size?size=100"), destination("size"));
        assert_hr(download_run(d, NULL), S_OK);
        assert_hr(IDODownload_GetProperty(d, DODownloadProperty_TotalSizeBytes, &v), S_OK); /* as the server said */
        assert_true(v.vt == VT_UI8 && v.ullVal == 100);
        download_drop(d);
}

/* CONFORMS: api.md 1.4 IntegrityCheckMandatory 20; 1.9 DO_E_INTEGRITYCHECKINFO_UNSPECIFIED */
static void a_mandatory_check_needs_an_info(void **state) {
        IDODownload *d = download_new(origin_url("/check?size=100"), destination("check"));

        assert_hr(download_set_switch(d, DODownloadProperty_IntegrityCheckMandatory, true), S_OK);
        assert_hr(download_run(d, NULL), DO_E_INTEGRITYCHECKINFO_UNSPECIFIED);
        assert_hr(download_set_text(d, DODownloadProperty_IntegrityCheckInfo, L"{}"), E_INVALIDARG);
        assert_hr(download_set_switch(d, DODownloadProperty_IntegrityCheckMandatory, false), S_OK);
        assert_hr(download_run(d, NULL), S_OK);
        download_drop(d);
}

/* CONFORMS: api.md 1.8 "Destination policy": DO will not overwrite an existing destination; 1.8 Finalize */
static void finalize_overwrites_nothing(void **state) {
        const wchar_t *path = destination("there");
        IDODownload *d = download_new(origin_url("/d?size=100"), path);
        char *there;
        size_t n;

        assert_hr(download_run(d, NULL), S_OK);
        file_write(path, "mine", 4);
        assert_hr(IDODownload_Finalize(d), HRESULT_FROM_WIN32(ERROR_FILE_EXISTS));
        assert_int_equal(download_status(d).State, DODownloadState_Transferred);
        there = file_read(path, &n);
        assert_int_equal(n, 4);
        assert_memory_equal(there, "mine", 4);
        free(there);
        assert_int_equal(unlink(narrow(path)), 0);
        assert_hr(IDODownload_Finalize(d), S_OK);
        assert_file_is(path, "/d?size=100", 100);
        assert_int_equal(IDODownload_Release(d), 0);
}

/* CONFORMS: api.md 2.3 "Set Uri" in Paused: ok, resets progress */
static void another_source_begins_anew_and_the_same_goes_on(void **state) {
        const wchar_t *path = destination("source");
        IDODownload *d = download_new(origin_url("/one?size=300000&cut=100000&end=stall"), path);

        assert_hr(IDODownload_Start(d, NULL), S_OK);
        while (download_status(d).BytesTransferred < 100000)
                ;
        assert_hr(IDODownload_Pause(d), S_OK);
        assert_int_equal(download_status(d).BytesTransferred, 100000);
        assert_int_equal(download_status(d).BytesTotal, 300000);
        assert_hr(download_set_text(d, DODownloadProperty_Uri, origin_url("/two?size=200000")), S_OK);
        assert_text(d, DODownloadProperty_Uri, origin_url("/two?size=200000"));
        assert_hr(download_run(d, NULL), S_OK);
        assert_hr(IDODownload_Finalize(d), S_OK);
        assert_file_is(path, "/two?size=200000", 200000);
        assert_int_equal(IDODownload_Release(d), 0);
}

/* CONFORMS: api.md 2.3 column "Finalized / Aborted": nothing can be set any more; what it was can be read */
static void what_has_ended_can_be_read_and_not_changed(void **state) {
        static const DODownloadProperty texts[] = { DODownloadProperty_Uri, DODownloadProperty_ContentId, DODownloadProperty_DisplayName,
                                                    DODownloadProperty_LocalPath, DODownloadProperty_HttpCustomHeaders },
                                        switches[] = { DODownloadProperty_ForegroundPriority, DODownloadProperty_IntegrityCheckMandatory,
                                                       DODownloadProperty_DisallowOnCellular, DODownloadProperty_NonVolatile,
                                                       DODownloadProperty_HttpAllowSecureToNonSecureRedirect };
        const wchar_t *path = destination("ended");
        IDODownload *d = download_new(origin_url("/d?size=100"), path);
        VARIANT id, again;

        assert_hr(download_set_text(d, DODownloadProperty_DisplayName, L"a name"), S_OK);
        assert_hr(download_set_text(d, DODownloadProperty_CorrelationVector, L"a vector"), S_OK);
        assert_hr(IDODownload_GetProperty(d, DODownloadProperty_Id, &id), S_OK);
        assert_int_equal(wcslen(id.bstrVal), 36);
        assert_hr(download_run(d, NULL), S_OK);
        assert_hr(IDODownload_Finalize(d), S_OK);
        assert_hr(IDODownload_GetProperty(d, DODownloadProperty_Id, &again), S_OK);
        assert_int_equal(wcscmp(id.bstrVal, again.bstrVal), 0);
        assert_text(d, DODownloadProperty_DisplayName, L"a name");
        for (size_t i = 0; i < ELEMENTSOF(texts); i++)
                assert_hr(download_set_text(d, texts[i], i == 0 ? origin_url("/d") : i == 3 ? destination("late") : i == 4 ? L"X: y" : L"late"),
                          DO_E_INVALID_STATE);
        for (size_t i = 0; i < ELEMENTSOF(switches); i++)
                assert_hr(download_set_switch(d, switches[i], true), DO_E_INVALID_STATE);
        assert_hr(download_set_number(d, DODownloadProperty_CostPolicy, DODownloadCostPolicy_Always), DO_E_INVALID_STATE);
        assert_hr(download_set_number(d, DODownloadProperty_SecurityFlags, 0x100), DO_E_INVALID_STATE);
        assert_hr(download_set_number(d, DODownloadProperty_NoProgressTimeoutSeconds, 60), DO_E_INVALID_STATE);
        /* What this process kept for it is gone, and does not come back. */
        assert_switch(d, DODownloadProperty_BlockingMode, false);
        assert_not_set(d, DODownloadProperty_CorrelationVector);
        assert_hr(download_set_text(d, DODownloadProperty_CorrelationVector, L"late"), DO_E_INVALID_STATE);
        assert_hr(download_set_switch(d, DODownloadProperty_BlockingMode, true), DO_E_INVALID_STATE);
        assert_hr(download_set_number(d, DODownloadProperty_CallbackFreqSeconds, 5), DO_E_INVALID_STATE);
        assert_hr(download_set_number(d, DODownloadProperty_CallbackFreqPercent, 5), DO_E_INVALID_STATE);
        (void) VariantClear(&id);
        (void) VariantClear(&again);
        assert_int_equal(IDODownload_Release(d), 0);
}

/* CONFORMS: api.md 1.4 SecurityFlags 7 (WinHTTP flags): SECURITY_FLAG_IGNORE_* */
static void security_flags_are_those_of_winhttp(void **state) {
        static const UINT32 flags[] = { 0x100, 0x200, 0x1000, 0x2000, 0x3300, 0 };
        IDODownload *d = download_new(origin_url("/d?size=100"), destination("flags"));

        for (size_t i = 0; i < ELEMENTSOF(flags); i++) {
                assert_hr(download_set_number(d, DODownloadProperty_SecurityFlags, flags[i]), S_OK);
                assert_number(d, DODownloadProperty_SecurityFlags, flags[i]);
                assert_switch(d, DODownloadProperty_HttpAllowSecureToNonSecureRedirect, false);
        }
        for (UINT32 bit = 1; bit; bit <<= 1)
                assert_hr(download_set_number(d, DODownloadProperty_SecurityFlags, bit), bit & 0x3300 ? S_OK : E_INVALIDARG);
        download_drop(d);
}

/* CONFORMS: api.md 1.4: DisallowOnCellular 22 (BOOL, FALSE), ForegroundPriority 11, NetworkToken 16, CostPolicy 6, ContentId 2 */
static void defaults_and_changes_while_it_runs(void **state) {
        IDODownload *d = download_new(origin_url("/d?size=1000000&rate=200000"), destination("runs"));
        VARIANT v;

        assert_switch(d, DODownloadProperty_DisallowOnCellular, false);
        assert_not_set(d, DODownloadProperty_ContentId);
        assert_not_set(d, DODownloadProperty_CorrelationVector);
        assert_not_set(d, DODownloadProperty_HttpCustomHeaders);
        assert_hr(IDODownload_GetProperty(d, DODownloadProperty_NetworkToken, &v), E_NOT_SET);
        assert_hr(IDODownload_GetProperty(d, DODownloadProperty_CostPolicy, &v), E_NOT_SET);
        assert_hr(IDODownload_GetProperty(d, DODownloadProperty_TotalSizeBytes, &v), E_NOT_SET);
        assert_hr(IDODownload_Start(d, NULL), S_OK);
        assert_hr(download_set_switch(d, DODownloadProperty_DisallowOnCellular, true), S_OK);
        assert_switch(d, DODownloadProperty_DisallowOnCellular, true);
        assert_hr(download_set_switch(d, DODownloadProperty_ForegroundPriority, false), S_OK);
        assert_switch(d, DODownloadProperty_ForegroundPriority, false);
        assert_number(d, DODownloadProperty_NoProgressTimeoutSeconds, 86400); /* api.md 1.7: nobody chose one */
        assert_hr(download_set_number(d, DODownloadProperty_CostPolicy, DODownloadCostPolicy_Standard), S_OK);
        assert_hr(download_set_text(d, DODownloadProperty_DisplayName, L"another name"), S_OK);
        assert_int_equal(download_status(d).State, DODownloadState_Transferring);
        download_drop(d);
}

/* CONFORMS: api.md 1.7 display name, URL and headers: at the limit and one behind it */
static void texts_have_limits(void **state) {
        wchar_t two_lines[8200] = L"X: "; /* one has 8191 bytes at most */
        const struct {
                DODownloadProperty id;
                const wchar_t *start;
                size_t max;
        } rows[] = {
                { DODownloadProperty_DisplayName, L"", 256 },
                { DODownloadProperty_Uri, L"http://127.0.0.1/", 2200 },
                { DODownloadProperty_HttpCustomHeaders, two_lines, 16383 },
        };
        IDODownload *d = download_new(origin_url("/d?size=100"), destination("limits"));

        wmemset(two_lines + 3, L'x', 8187);
        wcscpy(two_lines + 8190, L"\r\nY: ");
        assert_hr(download_set_text(d, DODownloadProperty_HttpCustomHeaders, long_text(L"X: ", 8192)), E_INVALIDARG);
        assert_hr(download_set_text(d, DODownloadProperty_HttpCustomHeaders, long_text(L"X: ", 8191)), S_OK);
        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                assert_hr(download_set_text(d, rows[i].id, long_text(rows[i].start, rows[i].max)), S_OK);
                assert_text(d, rows[i].id, long_text(rows[i].start, rows[i].max));
                assert_hr(download_set_text(d, rows[i].id, long_text(rows[i].start, rows[i].max + 1)), E_INVALIDARG);
                assert_text(d, rows[i].id, long_text(rows[i].start, rows[i].max)); /* as it was */
        }
        download_drop(d);
}

/* CONFORMS: api.md 1.8 "IDOManager::EnumDownloads", CreateDownload: state Created; no pointer where one is needed */
static void objects_are_only_a_way_to_a_download(void **state) {
        DO_DOWNLOAD_ENUM_CATEGORY by_id = { DODownloadProperty_Id, L"00000000-0000-0000-0000-000000000000" },
                                  nothing = { DODownloadProperty_Uri, NULL };
        IDODownload *d, *again;
        IEnumUnknown *found;
        IUnknown *item;
        VARIANT v;

        assert_hr(IDOManager_CreateDownload(download_manager(), NULL), E_INVALIDARG);
        assert_hr(IDOManager_CreateDownload(download_manager(), &d), S_OK);
        assert_int_equal(download_status(d).State, DODownloadState_Created);
        assert_hr(IDODownload_GetStatus(d, NULL), E_INVALIDARG);
        assert_hr(IDODownload_GetProperty(d, DODownloadProperty_Id, &v), S_OK);
        assert_hr(IDOManager_EnumDownloads(download_manager(), &by_id, &found), DO_E_NO_DOWNLOADS);
        by_id.Value = v.bstrVal;
        assert_int_equal(IDODownload_Release(d), 0); /* not its end */
        assert_hr(IDOManager_EnumDownloads(download_manager(), &by_id, &found), S_OK);
        assert_hr(IEnumUnknown_Next(found, 1, &item, NULL), S_OK);
        assert_hr(IUnknown_QueryInterface(item, &IID_IDODownload, (void **) &again), S_OK);
        (void) IUnknown_Release(item);
        (void) IEnumUnknown_Release(found);
        assert_int_equal(download_status(again).State, DODownloadState_Created);
        assert_hr(IDODownload_Abort(again), S_OK);
        assert_hr(IDOManager_EnumDownloads(download_manager(), &by_id, &found), DO_E_NO_DOWNLOADS); /* one that ended is not among them */
        assert_hr(IDOManager_EnumDownloads(download_manager(), &nothing, &found), E_INVALIDARG);
        (void) VariantClear(&v);
        assert_int_equal(IDODownload_Release(again), 0);
}

/* CONFORMS: api.md 1.8 Start: what is missing, in its order; a ContentId does not stand for a Uri, as there is no such catalogue here */
static void what_is_missing_is_named_in_order(void **state) {
        DO_DOWNLOAD_RANGES_INFO part = { 1, { { 0, 5 } } };
        IDODownload *d;

        assert_hr(IDOManager_CreateDownload(download_manager(), &d), S_OK);
        assert_hr(IDODownload_Start(d, &part), DO_E_DOWNLOAD_NO_URI);
        assert_hr(download_set_text(d, DODownloadProperty_ContentId, L"an id"), S_OK);
        assert_hr(IDODownload_Start(d, NULL), DO_E_DOWNLOAD_NO_URI);
        assert_hr(download_set_text(d, DODownloadProperty_Uri, origin_url("/d?size=100")), S_OK);
        assert_hr(IDODownload_Start(d, NULL), DO_E_LOCALPATH_NOT_SET);
        assert_int_equal(download_status(d).State, DODownloadState_Created);
        download_drop(d);
}

int main(int argc, char **argv) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(what_the_server_answered_last_can_be_read),
                cmocka_unit_test(ranges_that_cannot_be_had_are_named),
                cmocka_unit_test(a_size_that_was_stated_must_be_right),
                cmocka_unit_test(a_mandatory_check_needs_an_info),
                cmocka_unit_test(finalize_overwrites_nothing),
                cmocka_unit_test(another_source_begins_anew_and_the_same_goes_on),
                cmocka_unit_test(what_has_ended_can_be_read_and_not_changed),
                cmocka_unit_test(security_flags_are_those_of_winhttp),
                cmocka_unit_test(defaults_and_changes_while_it_runs),
                cmocka_unit_test(texts_have_limits),
                cmocka_unit_test(objects_are_only_a_way_to_a_download),
                cmocka_unit_test(what_is_missing_is_named_in_order),
        };

        return world_run(argc, argv, "download_properties", NULL, tests, ELEMENTSOF(tests));
}

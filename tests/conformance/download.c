#include "download.h"

#include <time.h>
#include <wchar.h>

#define PATIENCE_SECONDS 20

IDOManager *download_manager(void) {
        IDOManager *manager = NULL;

        assert_hr(IBackgroundCopyManager_QueryInterface(manager_of(&families[0]), &IID_IDOManager, (void **) &manager), S_OK);
        (void) IDOManager_Release(manager); /* the program's one manager keeps it */
        return manager;
}

IDODownload *download_new(const wchar_t *url, const wchar_t *path) {
        IDODownload *d = NULL;

        assert_hr(IDOManager_CreateDownload(download_manager(), &d), S_OK);
        assert_hr(download_set_text(d, DODownloadProperty_Uri, url), S_OK);
        if (path)
                assert_hr(download_set_text(d, DODownloadProperty_LocalPath, path), S_OK);
        assert_hr(download_set_switch(d, DODownloadProperty_ForegroundPriority, true), S_OK);
        return d;
}

void download_drop(IDODownload *d) {
        (void) IDODownload_Abort(d);
        assert_int_equal(IDODownload_Release(d), 0);
}

/* ---- properties ---- */

HRESULT download_set(IDODownload *d, DODownloadProperty id, VARIANT v) {
        return IDODownload_SetProperty(d, id, &v);
}

HRESULT download_set_text(IDODownload *d, DODownloadProperty id, const wchar_t *text) {
        BSTR copy = SysAllocString(text);
        HRESULT hr = download_set(d, id, (VARIANT){ .vt = VT_BSTR, .bstrVal = copy });

        SysFreeString(copy);
        return hr;
}

HRESULT download_set_number(IDODownload *d, DODownloadProperty id, UINT32 value) {
        return download_set(d, id, (VARIANT){ .vt = VT_UI4, .ulVal = value });
}

HRESULT download_set_switch(IDODownload *d, DODownloadProperty id, bool value) {
        return download_set(d, id, (VARIANT){ .vt = VT_BOOL, .boolVal = value ? VARIANT_TRUE : VARIANT_FALSE });
}

void assert_not_set(IDODownload *d, DODownloadProperty id) {
        VARIANT v = { .vt = VT_UI4 };

        assert_hr(IDODownload_GetProperty(d, id, &v), E_NOT_SET);
        assert_int_equal(v.vt, VT_EMPTY);
}

void assert_text(IDODownload *d, DODownloadProperty id, const wchar_t *expected) {
        VARIANT v;

        assert_hr(IDODownload_GetProperty(d, id, &v), S_OK);
        assert_int_equal(v.vt, VT_BSTR);
        assert_int_equal(wcscmp(v.bstrVal, expected), 0);
        (void) VariantClear(&v);
}

void assert_number(IDODownload *d, DODownloadProperty id, UINT32 expected) {
        VARIANT v;

        assert_hr(IDODownload_GetProperty(d, id, &v), S_OK);
        assert_int_equal(v.vt, VT_UI4);
        assert_int_equal(v.ulVal, expected);
}

void assert_switch(IDODownload *d, DODownloadProperty id, bool expected) {
        VARIANT v;

        assert_hr(IDODownload_GetProperty(d, id, &v), S_OK);
        assert_int_equal(v.vt, VT_BOOL);
        assert_int_equal(v.boolVal, expected ? VARIANT_TRUE : VARIANT_FALSE);
}

/* ---- its state ---- */

DO_DOWNLOAD_STATUS download_status(IDODownload *d) {
        DO_DOWNLOAD_STATUS status;

        assert_hr(IDODownload_GetStatus(d, &status), S_OK);
        return status;
}

DO_DOWNLOAD_STATUS download_wait(IDODownload *d, DODownloadState state) {
        struct timespec until, now, pause = { .tv_nsec = 5000000 };
        DO_DOWNLOAD_STATUS status;

        (void) clock_gettime(CLOCK_REALTIME, &until);
        for (;;) {
                status = download_status(d);
                if (status.State == state)
                        return status;
                (void) clock_gettime(CLOCK_REALTIME, &now);
                assert_true(now.tv_sec < until.tv_sec + PATIENCE_SECONDS);
                (void) nanosleep(&pause, NULL); /* between two questions; nothing depends on its length */
        }
}

HRESULT download_start_all(IDODownload *d) {
        const DO_DOWNLOAD_RANGES_INFO all = { 1, { { 0, DO_LENGTH_TO_EOF } } };

        return IDODownload_Start(d, &all);
}

HRESULT download_run(IDODownload *d, const DO_DOWNLOAD_RANGES_INFO *ranges) {
        assert_hr(download_set_switch(d, DODownloadProperty_BlockingMode, true), S_OK);
        return IDODownload_Start(d, ranges);
}

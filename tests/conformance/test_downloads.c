/* IDOManager, IDODownload, IDODownloadStatusCallback: api.md 1.4 (DODownloadProperty), 1.8 "DO-specific" and the table of 2.3. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <wchar.h>

#include "download.h"

#define PATIENCE_SECONDS 20
#define STATUSES_MAX 4096

/* ---- being told ---- */

struct listener {
        IDODownloadStatusCallback com;
        atomic_uint n_references;
        pthread_mutex_t lock;
        pthread_cond_t changed;
        size_t n;
        DO_DOWNLOAD_STATUS statuses[STATUSES_MAX];
        pthread_t thread;
        bool finalizes; /* in Transferred */
        HRESULT finalized;
};

static HRESULT listener_query(IDODownloadStatusCallback *This, REFIID riid, void **ret) {
        *ret = NULL;
        if (!IsEqualIID(riid, &IID_IUnknown) && !IsEqualIID(riid, &IID_IDODownloadStatusCallback))
                return E_NOINTERFACE;
        (void) IDODownloadStatusCallback_AddRef(This);
        *ret = This;
        return S_OK;
}

static ULONG listener_add_ref(IDODownloadStatusCallback *This) {
        return atomic_fetch_add(&((struct listener *) This)->n_references, 1) + 1;
}

static ULONG listener_release(IDODownloadStatusCallback *This) {
        struct listener *self = (struct listener *) This;
        ULONG left;

        pthread_mutex_lock(&self->lock);
        left = atomic_fetch_sub(&self->n_references, 1) - 1;
        pthread_cond_broadcast(&self->changed);
        pthread_mutex_unlock(&self->lock);
        return left;
}

static HRESULT listener_on_status(IDODownloadStatusCallback *This, IDODownload *download, const DO_DOWNLOAD_STATUS *status) {
        struct listener *self = (struct listener *) This;
        HRESULT finalized = E_PENDING;

        if (self->finalizes && status->State == DODownloadState_Transferred)
                finalized = IDODownload_Finalize(download);
        pthread_mutex_lock(&self->lock);
        if (finalized != E_PENDING)
                self->finalized = finalized;
        self->thread = pthread_self();
        if (self->n < STATUSES_MAX)
                self->statuses[self->n++] = *status;
        pthread_cond_broadcast(&self->changed);
        pthread_mutex_unlock(&self->lock);
        return S_OK;
}

static void listener_init(struct listener *self) {
        static IDODownloadStatusCallbackVtbl vtbl = { listener_query, listener_add_ref, listener_release, listener_on_status };

        *self = (struct listener){ .com = { &vtbl }, .n_references = 1, .lock = PTHREAD_MUTEX_INITIALIZER,
                                   .changed = PTHREAD_COND_INITIALIZER };
}

static struct timespec deadline(void) {
        struct timespec ts;

        clock_gettime(CLOCK_REALTIME, &ts);
        ts.tv_sec += PATIENCE_SECONDS;
        return ts;
}

/* The first status in @state. */
static DO_DOWNLOAD_STATUS wait_for(struct listener *self, DODownloadState state) {
        struct timespec until = deadline();
        DO_DOWNLOAD_STATUS found = {};
        bool is_there = false;

        pthread_mutex_lock(&self->lock);
        for (;;) {
                for (size_t i = 0; i < self->n && !is_there; i++)
                        if (self->statuses[i].State == state) {
                                found = self->statuses[i];
                                is_there = true;
                        }
                if (is_there || pthread_cond_timedwait(&self->changed, &self->lock, &until) != 0)
                        break;
        }
        pthread_mutex_unlock(&self->lock);
        assert_true(is_there);
        return found;
}

static void wait_for_release(struct listener *self) {
        struct timespec until = deadline();
        int r = 0;

        pthread_mutex_lock(&self->lock);
        while (atomic_load(&self->n_references) > 1 && r == 0)
                r = pthread_cond_timedwait(&self->changed, &self->lock, &until);
        pthread_mutex_unlock(&self->lock);
        assert_int_equal(r, 0);
}

static HRESULT set_listener(IDODownload *d, struct listener *listener) {
        return download_set(d, DODownloadProperty_CallbackInterface,
                                       (VARIANT){ .vt = VT_UNKNOWN, .punkVal = listener ? (IUnknown *) listener : NULL });
}

/* ---- downloads ---- */

static IDODownload *new_download(const char *query, const wchar_t **ret_path) {
        const wchar_t *path = destination("download");
        IDODownload *d;

        assert_hr(IDOManager_CreateDownload(download_manager(), &d), S_OK);
        if (query) {
                assert_hr(download_set_text(d, DODownloadProperty_Uri, origin_url(query)), S_OK);
                assert_hr(download_set_text(d, DODownloadProperty_LocalPath, path), S_OK);
                assert_hr(download_set_switch(d, DODownloadProperty_ForegroundPriority, true), S_OK);
        }
        if (ret_path)
                *ret_path = path;
        return d;
}

static void start_and_wait(IDODownload *d, const DO_DOWNLOAD_RANGES_INFO *ranges) {
        assert_hr(download_run(d, ranges), S_OK);
        assert_int_equal(download_status(d).State, DODownloadState_Transferred);
}

/* CONFORMS: api.md 1.1 "Activation": the same class hands out IDOManager; a BITS class does not */
static void only_the_do_class_has_downloads(void **state) {
        IDOManager *manager = NULL;

        assert_hr(CoCreateInstance(&CLSID_DeliveryOptimization, NULL, CLSCTX_LOCAL_SERVER, &IID_IDOManager, (void **) &manager),
                  S_OK);
        assert_int_equal(IDOManager_Release(manager), 0);
        assert_hr(CoCreateInstance(&CLSID_BackgroundCopyManager, NULL, CLSCTX_LOCAL_SERVER, &IID_IDOManager, (void **) &manager),
                  E_NOINTERFACE);
        assert_null(manager);
}

/* CONFORMS: api.md 1.8 "IDODownload::Start(ranges)", "Pause / Abort / Finalize"; 2.4: destination never visible before Finalize */
/* SENTENCES: download.finalize */
static void a_download_goes_from_created_to_finalized(void **state) {
        const wchar_t *path;
        IDODownload *d = new_download("/d?size=100000", &path);
        DO_DOWNLOAD_STATUS status = download_status(d);

        assert_int_equal(status.State, DODownloadState_Created);
        assert_int_equal(status.BytesTransferred, 0);
        assert_true(status.BytesTotal == DO_UNKNOWN_FILE_SIZE);
        start_and_wait(d, NULL);
        status = download_status(d);
        assert_int_equal(status.BytesTotal, 100000);
        assert_int_equal(status.BytesTransferred, 100000);
        assert_hr(status.Error, S_OK);
        assert_false(file_exists(path));
        assert_number(d, DODownloadProperty_HttpStatusCode, 200);
        assert_hr(IDODownload_Finalize(d), S_OK);
        assert_file_is(path, "/d?size=100000", 100000);
        assert_int_equal(download_status(d).State, DODownloadState_Finalized);
        assert_hr(IDODownload_Finalize(d), DO_E_INVALID_STATE);
        assert_hr(IDODownload_Abort(d), DO_E_INVALID_STATE);
        assert_hr(IDODownload_Pause(d), DO_E_INVALID_STATE);
        assert_hr(IDODownload_Start(d, NULL), DO_E_INVALID_STATE);
        assert_hr(download_set_text(d, DODownloadProperty_Uri, origin_url("/e")), DO_E_INVALID_STATE);
        assert_int_equal(IDODownload_Release(d), 0);
}

/* CONFORMS: api.md 1.8 Start: DO_E_DOWNLOAD_NO_URI, DO_E_LOCALPATH_NOT_SET; 2.3 row "Created" */
static void what_is_created_lets_itself_be_described(void **state) {
        const wchar_t *path = destination("described");
        IDODownload *d = new_download(NULL, NULL);

        assert_hr(IDODownload_Start(d, NULL), DO_E_DOWNLOAD_NO_URI);
        assert_hr(IDODownload_Pause(d), S_OK);
        assert_int_equal(download_status(d).State, DODownloadState_Created);
        assert_hr(IDODownload_Finalize(d), DO_E_INVALID_STATE);
        assert_hr(download_set_text(d, DODownloadProperty_Uri, L""), E_INVALIDARG);
        assert_hr(download_set_text(d, DODownloadProperty_Uri, L"ftp://origin/f"), BG_E_PROTOCOL_NOT_AVAILABLE);
        assert_hr(download_set_text(d, DODownloadProperty_Uri, origin_url("/d?size=10")), S_OK);
        assert_hr(IDODownload_Start(d, NULL), DO_E_LOCALPATH_NOT_SET);
        assert_hr(download_set_text(d, DODownloadProperty_LocalPath, L"relative"), E_INVALIDARG);
        assert_hr(download_set_text(d, DODownloadProperty_LocalPath, L"/no/such/folder/f"), HRESULT_FROM_WIN32(ERROR_PATH_NOT_FOUND));
        file_write(path, "x", 1);
        assert_hr(download_set_text(d, DODownloadProperty_LocalPath, path), HRESULT_FROM_WIN32(ERROR_FILE_EXISTS));
        assert_hr(download_set_text(d, DODownloadProperty_LocalPath, destination("other")), S_OK);
        start_and_wait(d, NULL);
        download_drop(d);
}

/* CONFORMS: api.md 2.3 rows "Transferring", "Paused" */
static void a_running_download_can_be_paused_and_goes_on(void **state) {
        const wchar_t *path;
        IDODownload *d = new_download("/d?size=400000&rate=200000", &path);

        assert_hr(IDODownload_Start(d, NULL), S_OK);
        assert_int_equal(download_status(d).State, DODownloadState_Transferring);
        assert_hr(IDODownload_Start(d, NULL), S_OK);
        assert_hr(download_set_text(d, DODownloadProperty_Uri, origin_url("/e")), DO_E_INVALID_STATE);
        assert_hr(download_set_text(d, DODownloadProperty_LocalPath, destination("e")), DO_E_INVALID_STATE);
        assert_hr(IDODownload_Finalize(d), DO_E_INVALID_STATE);
        assert_hr(IDODownload_Pause(d), S_OK);
        assert_int_equal(download_status(d).State, DODownloadState_Paused);
        assert_hr(download_status(d).Error, S_OK);
        assert_hr(IDODownload_Pause(d), S_OK);
        assert_hr(IDODownload_Finalize(d), DO_E_INVALID_STATE);
        assert_hr(download_set_text(d, DODownloadProperty_LocalPath, destination("e")), DO_E_INVALID_STATE);
        assert_hr(download_set_text(d, DODownloadProperty_Uri, origin_url("/d?size=400000")), S_OK);
        start_and_wait(d, NULL);
        assert_hr(IDODownload_Pause(d), S_OK);
        assert_int_equal(download_status(d).State, DODownloadState_Transferred);
        assert_hr(IDODownload_Finalize(d), S_OK);
        assert_file_is(path, "/d?size=400000", 400000);
        assert_int_equal(IDODownload_Release(d), 0);
}

/* CONFORMS: api.md 2.3 row Abort: →Aborted, files removed, from every state */
/* SENTENCES: download.finalize */
static void an_aborted_download_leaves_nothing(void **state) {
        const wchar_t *path;
        IDODownload *d = new_download("/d?size=1000", &path);

        start_and_wait(d, NULL);
        assert_int_equal(count_parts(), 1);
        assert_hr(IDODownload_Abort(d), S_OK);
        assert_int_equal(count_parts(), 0);
        assert_false(file_exists(path));
        assert_int_equal(download_status(d).State, DODownloadState_Aborted);
        assert_hr(IDODownload_Abort(d), DO_E_INVALID_STATE);
        assert_int_equal(IDODownload_Release(d), 0);
        d = new_download(NULL, NULL);
        assert_hr(IDODownload_Abort(d), S_OK);
        assert_hr(IDODownload_Start(d, NULL), DO_E_INVALID_STATE);
        assert_int_equal(IDODownload_Release(d), 0);
}

/* CONFORMS: api.md 2.3 "4xx from origin": →Paused with Error; GetStatus: a transient obstacle is Paused, Error S_OK, ExtendedError failed */
/* SENTENCES: download.status */
static void an_error_pauses_and_says_why(void **state) {
        IDODownload *d = new_download("/d?status=404", NULL);
        struct listener listener;
        DO_DOWNLOAD_STATUS status;

        assert_hr(download_set_switch(d, DODownloadProperty_BlockingMode, true), S_OK);
        assert_hr(IDODownload_Start(d, NULL), (HRESULT) 0x80190194);
        status = download_status(d);
        assert_int_equal(status.State, DODownloadState_Paused);
        assert_hr(status.Error, (HRESULT) 0x80190194);
        assert_hr(IDODownload_Pause(d), S_OK);
        assert_hr(download_status(d).Error, (HRESULT) 0x80190194);
        download_drop(d);

        d = new_download("/d?status=503", NULL);
        listener_init(&listener);
        assert_hr(set_listener(d, &listener), S_OK);
        assert_hr(IDODownload_Start(d, NULL), S_OK);
        status = wait_for(&listener, DODownloadState_Paused);
        assert_hr(status.Error, S_OK);
        assert_hr(status.ExtendedError, (HRESULT) 0x801901F7);
        assert_hr(IDODownload_Pause(d), S_OK); /* it does not try again by itself any more */
        assert_hr(download_status(d).ExtendedError, S_OK);
        download_drop(d);
        wait_for_release(&listener);
}

/* CONFORMS: api.md 1.8 Start: ranges; in Transferred it starts again with another portion */
static void portions_stand_in_the_file_in_the_order_in_which_they_were_asked_for(void **state) {
        struct {
                DO_DOWNLOAD_RANGES_INFO info;
                DO_DOWNLOAD_RANGE more[1];
        } first = { .info = { .RangeCount = 2, .Ranges = { { 500, 10 } } }, .more = { { 100, 5 } } };
        DO_DOWNLOAD_RANGES_INFO second = { .RangeCount = 1, .Ranges = { { 990, DO_LENGTH_TO_EOF } } };
        DO_DOWNLOAD_RANGES_INFO overlapping = { .RangeCount = 1, .Ranges = { { 505, 1 } } };
        DO_DOWNLOAD_RANGES_INFO empty = { .RangeCount = 1, .Ranges = { { 0, 0 } } };
        char *whole = origin_fetch("/d?size=1000", 1000), *got;
        const wchar_t *path;
        IDODownload *d = new_download("/d?size=1000", &path);
        size_t n;

        assert_hr(IDODownload_Start(d, &empty), DO_E_INVALID_RANGE);
        assert_int_equal(download_status(d).State, DODownloadState_Created);
        start_and_wait(d, &first.info);
        assert_hr(IDODownload_Start(d, &overlapping), DO_E_OVERLAPPING_RANGES);
        start_and_wait(d, &second);
        assert_int_equal(download_status(d).BytesTotal, 25);
        assert_hr(IDODownload_Finalize(d), S_OK);
        got = file_read(path, &n);
        assert_int_equal(n, 25);
        assert_memory_equal(got, whole + 500, 10);
        assert_memory_equal(got + 10, whole + 100, 5);
        assert_memory_equal(got + 15, whole + 990, 10);
        free(whole);
        free(got);
        assert_int_equal(IDODownload_Release(d), 0);

        d = new_download("/d?size=1000", &path);
        start_and_wait(d, NULL);
        assert_hr(IDODownload_Start(d, &second), DO_E_DOWNLOAD_RANGES_UNEXPECTED);
        assert_hr(IDODownload_Start(d, NULL), S_OK);
        download_drop(d);
}

/* CONFORMS: api.md 1.4 DODownloadProperty 0-29: VARIANT types, read-only, write-only, defaults */
static void every_property_has_its_type_and_default(void **state) {
        IDODownload *d = new_download(NULL, NULL);
        VARIANT v;

        for (int id = 0; id <= 29; id++) {
                bool read_only = id == 0 || id >= 26, write_only = id == 15 || id == 18 || id == 19 || id == 23;
                HRESULT hr = IDODownload_GetProperty(d, id, &v);

                if (write_only)
                        assert_hr(hr, DO_E_WRITE_ONLY_PROPERTY);
                else
                        assert_true(hr == S_OK || hr == E_NOT_SET);
                if (hr != S_OK)
                        assert_int_equal(v.vt, VT_EMPTY);
                (void) VariantClear(&v);
                /* No property is a double. */
                assert_hr(download_set(d, id, (VARIANT){ .vt = VT_R8 }), read_only ? DO_E_READ_ONLY_PROPERTY : E_INVALIDARG);
                assert_hr(IDODownload_SetProperty(d, id, NULL), read_only ? DO_E_READ_ONLY_PROPERTY : E_INVALIDARG);
        }
        assert_hr(IDODownload_GetProperty(d, 30, &v), DO_E_UNKNOWN_PROPERTY_ID);
        assert_hr(IDODownload_GetProperty(d, (DODownloadProperty) -1, &v), DO_E_UNKNOWN_PROPERTY_ID);
        assert_hr(IDODownload_SetProperty(d, 30, &v), DO_E_UNKNOWN_PROPERTY_ID);
        assert_hr(IDODownload_GetProperty(d, DODownloadProperty_Id, NULL), E_INVALIDARG);

        assert_not_set(d, DODownloadProperty_Uri);
        assert_not_set(d, DODownloadProperty_LocalPath);
        assert_not_set(d, DODownloadProperty_CallbackInterface);
        assert_not_set(d, DODownloadProperty_HttpStatusCode);
        assert_number(d, DODownloadProperty_SecurityFlags, 0);
        assert_number(d, DODownloadProperty_CallbackFreqPercent, 0);
        assert_number(d, DODownloadProperty_CallbackFreqSeconds, 1);
        assert_number(d, DODownloadProperty_NoProgressTimeoutSeconds, 86400);
        assert_switch(d, DODownloadProperty_ForegroundPriority, false);
        assert_switch(d, DODownloadProperty_BlockingMode, false);
        assert_switch(d, DODownloadProperty_IntegrityCheckMandatory, false);
        assert_switch(d, DODownloadProperty_HttpAllowSecureToNonSecureRedirect, false);
        assert_switch(d, DODownloadProperty_NonVolatile, false);
        download_drop(d);
}

/* CONFORMS: api.md 1.4: what is set is read back; the limits of NoProgressTimeoutSeconds and CostPolicy */
static void what_is_set_is_read_back(void **state) {
        IDODownload *d = new_download(NULL, NULL);
        VARIANT v;

        assert_hr(download_set_text(d, DODownloadProperty_Uri, origin_url("/d")), S_OK);
        assert_text(d, DODownloadProperty_Uri, origin_url("/d"));
        assert_hr(download_set_text(d, DODownloadProperty_ContentId, L"content 1"), S_OK);
        assert_text(d, DODownloadProperty_ContentId, L"content 1");
        assert_hr(download_set_text(d, DODownloadProperty_DisplayName, L"ein Näme"), S_OK);
        assert_text(d, DODownloadProperty_DisplayName, L"ein Näme");
        assert_hr(download_set_text(d, DODownloadProperty_DisplayName, long_text(L"", 257)), E_INVALIDARG);
        assert_hr(download_set_text(d, DODownloadProperty_HttpCustomHeaders, L"X-One: 1\r\nX-Two: 2"), S_OK);
        assert_text(d, DODownloadProperty_HttpCustomHeaders, L"X-One: 1\r\nX-Two: 2");
        assert_hr(download_set_text(d, DODownloadProperty_HttpCustomAuthHeaders, L"Authorization: Bearer 1\r\nProxy-Authorization: Basic eA=="), S_OK);
        assert_hr(download_set_text(d, DODownloadProperty_HttpCustomAuthHeaders, L"Host: elsewhere"), E_INVALIDARG);
        for (UINT32 policy = DODownloadCostPolicy_Always; policy <= DODownloadCostPolicy_NoSurcharge; policy++) {
                assert_hr(download_set_number(d, DODownloadProperty_CostPolicy, policy), S_OK);
                assert_number(d, DODownloadProperty_CostPolicy, policy);
        }
        assert_hr(download_set_number(d, DODownloadProperty_CostPolicy, 6), E_INVALIDARG);
        assert_hr(download_set_number(d, DODownloadProperty_CallbackFreqPercent, 5), S_OK);
        assert_number(d, DODownloadProperty_CallbackFreqPercent, 5);
        assert_hr(download_set_number(d, DODownloadProperty_CallbackFreqPercent, 101), E_INVALIDARG);
        assert_hr(download_set_number(d, DODownloadProperty_CallbackFreqSeconds, 30), S_OK);
        assert_number(d, DODownloadProperty_CallbackFreqSeconds, 30);
        assert_hr(download_set_number(d, DODownloadProperty_NoProgressTimeoutSeconds, 59), E_INVALIDARG);
        assert_hr(download_set_number(d, DODownloadProperty_NoProgressTimeoutSeconds, 60), S_OK);
        assert_number(d, DODownloadProperty_NoProgressTimeoutSeconds, 60);
        assert_hr(download_set_switch(d, DODownloadProperty_ForegroundPriority, true), S_OK);
        assert_switch(d, DODownloadProperty_ForegroundPriority, true);
        assert_hr(download_set_number(d, DODownloadProperty_NoProgressTimeoutSeconds, 0), S_OK);
        assert_number(d, DODownloadProperty_NoProgressTimeoutSeconds, 3600);
        assert_hr(download_set_switch(d, DODownloadProperty_HttpAllowSecureToNonSecureRedirect, true), S_OK);
        assert_switch(d, DODownloadProperty_HttpAllowSecureToNonSecureRedirect, true);
        assert_number(d, DODownloadProperty_SecurityFlags, 0);
        assert_hr(download_set_number(d, DODownloadProperty_SecurityFlags, 1), E_INVALIDARG);
        assert_hr(download_set_text(d, DODownloadProperty_CorrelationVector, L"a.1.2"), S_OK);
        assert_text(d, DODownloadProperty_CorrelationVector, L"a.1.2");
        assert_hr(download_set_switch(d, DODownloadProperty_NetworkToken, false), S_OK);
        assert_hr(download_set_switch(d, DODownloadProperty_NetworkToken, true), E_NOTIMPL);
        assert_hr(download_set(d, DODownloadProperty_TotalSizeBytes, (VARIANT){ .vt = VT_UI8, .ullVal = 77 }), S_OK);
        assert_hr(IDODownload_GetProperty(d, DODownloadProperty_TotalSizeBytes, &v), S_OK);
        assert_true(v.vt == VT_UI8 && v.ullVal == 77);
        assert_hr(download_set_switch(d, DODownloadProperty_NonVolatile, true), S_OK);
        assert_switch(d, DODownloadProperty_NonVolatile, true);
        download_drop(d);
}

static size_t count(DODownloadProperty property, const wchar_t *value) {
        DO_DOWNLOAD_ENUM_CATEGORY category = { property, value };
        IEnumUnknown *found, *clone;
        ULONG n = 0, fetched = 0;
        IUnknown *item;
        HRESULT hr = IDOManager_EnumDownloads(download_manager(), &category, &found);

        if (hr == DO_E_NO_DOWNLOADS) {
                assert_null(found);
                return 0;
        }
        assert_hr(hr, S_OK);
        assert_hr(IEnumUnknown_Clone(found, &clone), S_OK);
        while (IEnumUnknown_Next(found, 1, &item, &fetched) == S_OK) {
                IDODownload *d;

                assert_hr(IUnknown_QueryInterface(item, &IID_IDODownload, (void **) &d), S_OK);
                (void) IDODownload_Release(d);
                (void) IUnknown_Release(item);
                n++;
        }
        assert_hr(IEnumUnknown_Skip(clone, n), S_OK);
        assert_hr(IEnumUnknown_Skip(clone, 1), S_FALSE);
        assert_int_equal(IEnumUnknown_Release(clone), 0);
        assert_int_equal(IEnumUnknown_Release(found), 0);
        return n;
}

/* CONFORMS: api.md 1.8 "IDOManager::EnumDownloads": filters; none → DO_E_NO_DOWNLOADS; jobs are not among them, nor downloads among jobs */
/* SENTENCES: download.enum */
static void downloads_are_found_by_five_properties(void **state) {
        DO_DOWNLOAD_ENUM_CATEGORY other = { DODownloadProperty_CostPolicy, L"1" };
        struct job job = job_new(&families[0]);
        const wchar_t *path;
        IDODownload *d, *e;
        IEnumUnknown *found;
        IEnumBackgroundCopyJobs *jobs;
        ULONG n;
        VARIANT v;

        assert_hr(IDOManager_EnumDownloads(download_manager(), NULL, &found), DO_E_NO_DOWNLOADS);
        d = new_download("/one?size=10", &path);
        e = new_download("/two?size=10", NULL);
        assert_hr(download_set_text(d, DODownloadProperty_ContentId, L"id one"), S_OK);
        assert_hr(download_set_text(d, DODownloadProperty_DisplayName, L"twice"), S_OK);
        assert_hr(download_set_text(e, DODownloadProperty_DisplayName, L"twice"), S_OK);
        assert_int_equal(count(DODownloadProperty_Uri, origin_url("/one?size=10")), 1);
        assert_int_equal(count(DODownloadProperty_ContentId, L"id one"), 1);
        assert_int_equal(count(DODownloadProperty_LocalPath, path), 1);
        assert_int_equal(count(DODownloadProperty_DisplayName, L"twice"), 2);
        assert_int_equal(count(DODownloadProperty_DisplayName, L"never"), 0);
        assert_hr(IDODownload_GetProperty(d, DODownloadProperty_Id, &v), S_OK);
        assert_int_equal(count(DODownloadProperty_Id, v.bstrVal), 1);
        (void) VariantClear(&v);
        assert_hr(IDOManager_EnumDownloads(download_manager(), &other, &found), E_INVALIDARG);
        assert_hr(IDOManager_EnumDownloads(download_manager(), NULL, NULL), E_INVALIDARG);
        assert_hr(IBackgroundCopyManager_EnumJobs(manager_of(&families[0]), 0, &jobs), S_OK);
        assert_hr(IEnumBackgroundCopyJobs_GetCount(jobs, &n), S_OK);
        assert_int_equal(n, 1);
        (void) IEnumBackgroundCopyJobs_Release(jobs);
        download_drop(d);
        download_drop(e);
        job_done(&job);
}

/* CONFORMS: api.md 1.8 "OnStatusChange": on state change and by CallbackFreq*; design decision 16: on a thread of the library, any method */
static void a_callback_hears_of_each_state_and_may_finalize(void **state) {
        const wchar_t *path;
        IDODownload *d = new_download("/d?size=300000&rate=300000", &path);
        struct listener listener;
        VARIANT v;

        listener_init(&listener);
        listener.finalizes = true;
        assert_hr(download_set_number(d, DODownloadProperty_CallbackFreqPercent, 20), S_OK);
        assert_hr(set_listener(d, &listener), S_OK);
        assert_hr(IDODownload_GetProperty(d, DODownloadProperty_CallbackInterface, &v), S_OK);
        assert_ptr_equal(v.punkVal, &listener.com);
        (void) VariantClear(&v);
        assert_hr(IDODownload_Start(d, NULL), S_OK);
        (void) wait_for(&listener, DODownloadState_Transferring);
        assert_int_equal(wait_for(&listener, DODownloadState_Transferred).BytesTransferred, 300000);
        (void) wait_for(&listener, DODownloadState_Finalized);
        assert_hr(listener.finalized, S_OK);
        assert_false(pthread_equal(listener.thread, pthread_self()));
        wait_for_release(&listener); /* an end is told once, then nobody is kept */
        assert_file_is(path, "/d?size=300000", 300000);
        assert_int_equal(IDODownload_Release(d), 0);
}

/* CONFORMS: api.md 1.4 CallbackFreqSeconds, CallbackFreqPercent: nothing but states with both 0 */
static void without_a_frequency_only_states_are_told(void **state) {
        IDODownload *d = new_download("/d?size=300000&rate=300000", NULL);
        struct listener listener;

        listener_init(&listener);
        assert_hr(download_set_number(d, DODownloadProperty_CallbackFreqSeconds, 0), S_OK);
        assert_hr(set_listener(d, &listener), S_OK);
        assert_hr(IDODownload_Start(d, NULL), S_OK);
        (void) wait_for(&listener, DODownloadState_Transferred);
        for (size_t i = 1; i < listener.n; i++)
                assert_true(listener.statuses[i].State != listener.statuses[i - 1].State);
        assert_hr(set_listener(d, NULL), S_OK);
        wait_for_release(&listener);
        assert_hr(set_listener(d, NULL), S_OK);
        assert_hr(download_set(d, DODownloadProperty_CallbackInterface,
                                          (VARIANT){ .vt = VT_UNKNOWN, .punkVal = (IUnknown *) d }), E_NOINTERFACE);
        download_drop(d);
}

static void let_progress_be_seen(IDODownload *d) {
        struct timespec pause = { .tv_nsec = 5000000 };
        UINT64 before = 0, now;

        for (int i = 0; i < 5; before = now, i++)
                while ((now = download_status(d).BytesTransferred) == before)
                        (void) nanosleep(&pause, NULL); /* between two questions; nothing depends on its length */
}

/* CONFORMS: api.md 1.8 "OnStatusChange": called by CallbackFreq*, and on state change */
static void a_state_is_told_at_once_however_rarely_progress_is(void **state) {
        IDODownload *d = new_download("/d?size=10000000&rate=300000", NULL);
        struct listener listener;

        listener_init(&listener);
        assert_hr(download_set_number(d, DODownloadProperty_CallbackFreqSeconds, 3600), S_OK);
        assert_hr(set_listener(d, &listener), S_OK);
        assert_hr(IDODownload_Start(d, NULL), S_OK);
        (void) wait_for(&listener, DODownloadState_Transferring);
        let_progress_be_seen(d);
        assert_hr(IDODownload_Pause(d), S_OK);
        (void) wait_for(&listener, DODownloadState_Paused);
        assert_hr(IDODownload_Abort(d), S_OK);
        (void) wait_for(&listener, DODownloadState_Aborted);
        wait_for_release(&listener);
        download_drop(d);
}

/* CONFORMS: api.md 1.4 BlockingMode; another thread's Abort ends the wait */
static void *abort_it(void *download) {
        (void) IDODownload_Abort((IDODownload *) download);
        return NULL;
}

static void a_blocking_start_ends_with_its_download(void **state) {
        IDODownload *d = new_download("/d?size=1000000&rate=1000", NULL);
        pthread_t thread;

        assert_hr(download_set_switch(d, DODownloadProperty_BlockingMode, true), S_OK);
        assert_int_equal(pthread_create(&thread, NULL, abort_it, d), 0);
        /* Before or after: aborted is aborted. */
        assert_true(FAILED(IDODownload_Start(d, NULL)));
        assert_int_equal(pthread_join(thread, NULL), 0);
        assert_int_equal(download_status(d).State, DODownloadState_Aborted);
        assert_int_equal(IDODownload_Release(d), 0);
}

/* A program of its own: makes a download, begins to fetch it, and ends as programs do that are killed. */
static void run_client(bool non_volatile, const wchar_t *name) {
        int status;
        pid_t pid = fork();

        assert_true(pid >= 0);
        if (pid == 0) {
                IDOManager *manager;
                IDODownload *d;

                if (FAILED(CoInitializeEx(NULL, COINIT_MULTITHREADED)) ||
                    FAILED(CoCreateInstance(&CLSID_DeliveryOptimization, NULL, CLSCTX_LOCAL_SERVER, &IID_IDOManager, (void **) &manager)) ||
                    FAILED(IDOManager_CreateDownload(manager, &d)) ||
                    FAILED(download_set_text(d, DODownloadProperty_Uri, origin_url("/d?size=1000000&rate=100000"))) ||
                    FAILED(download_set_text(d, DODownloadProperty_LocalPath, destination("child"))) ||
                    FAILED(download_set_text(d, DODownloadProperty_DisplayName, name)) ||
                    (non_volatile && FAILED(download_set_switch(d, DODownloadProperty_NonVolatile, true))) || FAILED(IDODownload_Start(d, NULL)))
                        _exit(1);
                _exit(0);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static int32_t count_one(const dosvc_job_info *info, void *userdata) {
        ++*(unsigned *) userdata;
        return 0;
}

/* CONFORMS: api.md 1.4 NonVolatile, design decision 18: FALSE lives as long as its client's connection, TRUE is found by another process */
static void a_volatile_download_dies_with_its_client_and_another_one_does_not(void **state) {
        dosvc *connection;
        unsigned n;
        IEnumUnknown *found;
        IUnknown *item;
        IDODownload *d;

        run_client(false, L"volatile");
        assert_int_equal(dosvc_open(0, &connection), 0);
        /* The service learns of the end and removes it; each answer is a later state. */
        for (unsigned tries = 0; tries < 10000; tries++) {
                n = 0;
                assert_int_equal(dosvc_list_jobs(connection, "download", count_one, &n), 0);
                if (n == 0)
                        break;
        }
        assert_int_equal(n, 0);
        assert_int_equal(count_parts(), 0);
        dosvc_close(connection);

        run_client(true, L"stays");
        assert_int_equal(count(DODownloadProperty_DisplayName, L"stays"), 1);
        world_kill_service();
        world_start_service();
        assert_int_equal(count(DODownloadProperty_DisplayName, L"stays"), 1);
        assert_hr(IDOManager_EnumDownloads(download_manager(), NULL, &found), S_OK);
        assert_hr(IEnumUnknown_Next(found, 1, &item, NULL), S_OK);
        assert_hr(IUnknown_QueryInterface(item, &IID_IDODownload, (void **) &d), S_OK);
        (void) IUnknown_Release(item);
        (void) IEnumUnknown_Release(found);
        assert_switch(d, DODownloadProperty_NonVolatile, true);
        download_drop(d);
        assert_int_equal(count_parts(), 0);
}

int main(int argc, char **argv) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(only_the_do_class_has_downloads),
                cmocka_unit_test(a_download_goes_from_created_to_finalized),
                cmocka_unit_test(what_is_created_lets_itself_be_described),
                cmocka_unit_test(a_running_download_can_be_paused_and_goes_on),
                cmocka_unit_test(an_aborted_download_leaves_nothing),
                cmocka_unit_test(an_error_pauses_and_says_why),
                cmocka_unit_test(portions_stand_in_the_file_in_the_order_in_which_they_were_asked_for),
                cmocka_unit_test(every_property_has_its_type_and_default),
                cmocka_unit_test(what_is_set_is_read_back),
                cmocka_unit_test(downloads_are_found_by_five_properties),
                cmocka_unit_test(a_callback_hears_of_each_state_and_may_finalize),
                cmocka_unit_test(without_a_frequency_only_states_are_told),
                cmocka_unit_test(a_state_is_told_at_once_however_rarely_progress_is),
                cmocka_unit_test(a_blocking_start_ends_with_its_download),
                cmocka_unit_test(a_volatile_download_dies_with_its_client_and_another_one_does_not),
        };

        return world_run(argc, argv, "downloads", NULL, tests, ELEMENTSOF(tests));
}

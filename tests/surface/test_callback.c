/* A caller in C reaches an object made in C++, and the other way round. */
#define COBJMACROS
#include "callback.h"

#include <stdio.h>

static int failed;

#define CHECK(what)                                                                               \
        if (!(what)) {                                                                            \
                printf("%s: not true: %s\n", __func__, #what);                                    \
                failed++;                                                                         \
        }

static HRESULT STDMETHODCALLTYPE file_query(IBackgroundCopyFile *This, REFIID riid, void **ppv) {
        if (!IsEqualIID(riid, &IID_IUnknown) && !IsEqualIID(riid, &IID_IBackgroundCopyFile)) {
                *ppv = NULL;
                return E_NOINTERFACE;
        }
        *ppv = This;
        return S_OK;
}

static ULONG STDMETHODCALLTYPE file_count(IBackgroundCopyFile *This) {
        (void) This;
        return 1;
}

static HRESULT STDMETHODCALLTYPE file_name(IBackgroundCopyFile *This, LPWSTR *pVal) {
        (void) This;
        *pVal = NULL;
        return E_OUTOFMEMORY;
}

static HRESULT STDMETHODCALLTYPE file_progress(IBackgroundCopyFile *This, BG_FILE_PROGRESS *pVal) {
        (void) This;
        *pVal = (BG_FILE_PROGRESS) { .BytesTotal = UINT64_C(5000000000) };
        return S_OK;
}

static const IBackgroundCopyFileVtbl file_vtbl = {
        .QueryInterface = file_query,
        .AddRef = file_count,
        .Release = file_count,
        .GetRemoteName = file_name,
        .GetLocalName = file_name,
        .GetProgress = file_progress,
};

static void every_event_reaches_its_method(void) {
        const BG_FILE_RANGE ranges[2] = { { 0, 10 }, { 100, 32 } };
        struct callback_log log = { 0 };
        IUnknown *unknown = callback_new(&log);
        IBackgroundCopyCallback3 *callback = NULL;
        /* Only passed through and compared. */
        IBackgroundCopyJob *job = (IBackgroundCopyJob *) &log;

        CHECK(IUnknown_QueryInterface(unknown, &IID_IBackgroundCopyCallback3,
                                      (void **) &callback) == S_OK);
        CHECK(callback != NULL);
        if (!callback)
                return;
        IUnknown_Release(unknown);

        CHECK(IBackgroundCopyCallback3_JobTransferred(callback, job) == S_OK);
        CHECK(log.transferred == 1 && log.job == job);
        CHECK(IBackgroundCopyCallback3_JobError(callback, job, NULL) == S_FALSE);
        CHECK(log.errors == 1);
        CHECK(IBackgroundCopyCallback3_JobModification(callback, job, 0) == S_OK);
        CHECK(log.modifications == 1);
        CHECK(IBackgroundCopyCallback3_FileTransferred(callback, job, NULL) == S_OK);
        CHECK(log.files == 1);
        CHECK(IBackgroundCopyCallback3_FileRangesTransferred(callback, job, NULL, 2, ranges) == S_OK);
        CHECK(log.ranges == 2 && log.bytes == 42);

        CHECK(log.alive == 1);
        CHECK(IBackgroundCopyCallback3_Release(callback) == 0);
        CHECK(log.alive == 0);
}

static void a_foreign_interface_is_refused(void) {
        struct callback_log log = { 0 };
        IUnknown *unknown = callback_new(&log);
        void *job = &log;

        CHECK(IUnknown_QueryInterface(unknown, &IID_IBackgroundCopyJob, &job) == E_NOINTERFACE);
        CHECK(job == NULL);
        IUnknown_Release(unknown);
}

static void an_object_made_in_c_answers_a_caller_in_cpp(void) {
        IBackgroundCopyFile file = { &file_vtbl };
        UINT64 bytes = 0;

        CHECK(callback_read_size(&file, &bytes) == S_OK);
        CHECK(bytes == UINT64_C(5000000000));
}

int main(void) {
        every_event_reaches_its_method();
        a_foreign_interface_is_refused();
        an_object_made_in_c_answers_a_caller_in_cpp();
        return failed != 0;
}

/*
 * bits.c: downloads files with <bits.h>, step by step as its documentation says: make a manager, create a job, add files,
 * register a callback, resume, and complete the job when it is transferred.
 *
 *      cc bits.c -o bits $(pkg-config --cflags --libs dosvc)
 *      ./bits http://example.org/a /tmp/a [http://example.org/b /tmp/b ...]
 */
#define COBJMACROS
#include <bits.h>

#include <locale.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* ---- the callback: an object of three methods of its own and those of IUnknown ---- */

typedef struct Callback {
        IBackgroundCopyCallback interface; /* first, so that one pointer is both */
        atomic_uint references;
        sem_t something_happened;
} Callback;

static HRESULT query_interface(IBackgroundCopyCallback *this, REFIID riid, void **object) {
        if (!IsEqualIID(riid, &IID_IUnknown) && !IsEqualIID(riid, &IID_IBackgroundCopyCallback)) {
                *object = NULL;
                return E_NOINTERFACE;
        }
        IBackgroundCopyCallback_AddRef(this);
        *object = this;
        return S_OK;
}

static ULONG add_ref(IBackgroundCopyCallback *this) {
        return atomic_fetch_add(&((Callback *) this)->references, 1) + 1;
}

static ULONG release(IBackgroundCopyCallback *this) {
        return atomic_fetch_sub(&((Callback *) this)->references, 1) - 1; /* it lives in main() */
}

/* These come on a thread of the library. S_OK says that the event was taken; else it comes again. */
static HRESULT job_transferred(IBackgroundCopyCallback *this, IBackgroundCopyJob *job) {
        (void) job;
        sem_post(&((Callback *) this)->something_happened);
        return S_OK;
}

static HRESULT job_error(IBackgroundCopyCallback *this, IBackgroundCopyJob *job, IBackgroundCopyError *error) {
        (void) error;
        return job_transferred(this, job);
}

static HRESULT job_modification(IBackgroundCopyCallback *this, IBackgroundCopyJob *job, DWORD reserved) {
        (void) this, (void) job, (void) reserved;
        return S_OK;
}

static const IBackgroundCopyCallbackVtbl callback_methods = {
        query_interface, add_ref, release, job_transferred, job_error, job_modification,
};

/* ---- the steps ---- */

static int failed(const char *what, HRESULT hr) {
        fprintf(stderr, "bits: %s: 0x%08X\n", what, (unsigned) hr);
        return 1;
}

static HRESULT add_file(IBackgroundCopyJob *job, const char *url, const char *path) {
        wchar_t wide_url[2201], wide_path[4096];

        if (mbstowcs(wide_url, url, 2201) >= 2201 || mbstowcs(wide_path, path, 4096) >= 4096)
                return E_INVALIDARG;
        return IBackgroundCopyJob_AddFile(job, wide_url, wide_path);
}

static void print_error(IBackgroundCopyJob *job) {
        IBackgroundCopyError *error;
        BG_ERROR_CONTEXT context;
        LPWSTR text;
        HRESULT code;

        if (FAILED(IBackgroundCopyJob_GetError(job, &error)))
                return;
        if (SUCCEEDED(IBackgroundCopyError_GetError(error, &context, &code)))
                fprintf(stderr, "bits: 0x%08X, context %d\n", (unsigned) code, (int) context);
        if (SUCCEEDED(IBackgroundCopyError_GetErrorDescription(error, 0x409, &text))) {
                fprintf(stderr, "bits: %ls\n", text);
                CoTaskMemFree(text);
        }
        IBackgroundCopyError_Release(error);
}

/* A program that has no memory left hears no callback: it looks again by itself, and sees that. */
static void wait_a_while(sem_t *something_happened) {
        struct timespec until;

        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_sec += 2;
        sem_timedwait(something_happened, &until);
}

/* Until the job is done with or needs somebody. */
static int finish(IBackgroundCopyJob *job, Callback *callback) {
        BG_JOB_PROGRESS progress;
        BG_JOB_STATE state;
        HRESULT hr;

        while (SUCCEEDED(hr = IBackgroundCopyJob_GetState(job, &state)) && state != BG_JOB_STATE_TRANSFERRED && state != BG_JOB_STATE_ERROR)
                wait_a_while(&callback->something_happened);
        if (FAILED(hr))
                return failed("GetState", hr);
        if (state == BG_JOB_STATE_ERROR) {
                print_error(job);
                IBackgroundCopyJob_Cancel(job);
                return 1;
        }
        hr = IBackgroundCopyJob_GetProgress(job, &progress);
        if (SUCCEEDED(hr))
                printf("%u files, %llu bytes\n", (unsigned) progress.FilesTransferred, (unsigned long long) progress.BytesTransferred);
        hr = IBackgroundCopyJob_Complete(job); /* only now do the files have their names */
        return FAILED(hr) ? failed("Complete", hr) : 0;
}

static int run(IBackgroundCopyManager *manager, Callback *callback, int n, char *words[]) {
        IBackgroundCopyJob *job;
        HRESULT hr;
        GUID id;
        int code;

        hr = IBackgroundCopyManager_CreateJob(manager, L"an example", BG_JOB_TYPE_DOWNLOAD, &id, &job);
        if (FAILED(hr))
                return failed("CreateJob", hr);
        for (int i = 0; i + 1 < n && SUCCEEDED(hr); i += 2)
                hr = add_file(job, words[i], words[i + 1]);
        if (SUCCEEDED(hr))
                hr = IBackgroundCopyJob_SetPriority(job, BG_JOB_PRIORITY_FOREGROUND);
        if (SUCCEEDED(hr))
                hr = IBackgroundCopyJob_SetNotifyInterface(job, (IUnknown *) &callback->interface);
        if (SUCCEEDED(hr))
                hr = IBackgroundCopyJob_SetNotifyFlags(job, BG_NOTIFY_JOB_TRANSFERRED | BG_NOTIFY_JOB_ERROR);
        if (SUCCEEDED(hr))
                hr = IBackgroundCopyJob_Resume(job);
        if (FAILED(hr)) {
                IBackgroundCopyJob_Cancel(job);
                code = failed("the job cannot be made", hr);
        } else
                code = finish(job, callback);
        (void) IBackgroundCopyJob_SetNotifyInterface(job, NULL);
        IBackgroundCopyJob_Release(job);
        return code;
}

int main(int argc, char *argv[]) {
        Callback callback = { .interface = { &callback_methods }, .references = 1 };
        IBackgroundCopyManager *manager;
        HRESULT hr;
        int code;

        if (argc < 3 || argc % 2 == 0) {
                fputs("usage: bits URL FILE [URL FILE ...]\n", stderr);
                return 2;
        }
        setlocale(LC_ALL, "");
        sem_init(&callback.something_happened, 0, 0);
        hr = CoInitializeEx(NULL, COINIT_MULTITHREADED);
        if (FAILED(hr))
                return failed("CoInitializeEx", hr);
        hr = CoCreateInstance(&CLSID_BackgroundCopyManager, NULL, CLSCTX_LOCAL_SERVER, &IID_IBackgroundCopyManager, (void **) &manager);
        if (SUCCEEDED(hr)) {
                code = run(manager, &callback, argc - 1, argv + 1);
                IBackgroundCopyManager_Release(manager);
        } else
                code = failed("no service", hr);
        CoUninitialize();
        return code;
}

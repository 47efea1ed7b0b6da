/* A program as people write them in C: makes a job, sets what can be set, judges the server's certificate, adds files, waits for the
 * callback, reads everything, completes. At the first failure it gives back what it has and ends with 1; it never tries to be clever. Each line on stdout is
 * a word of the service that the driver holds it to. usage: torture_job URL DIRECTORY TAG */
#define COBJMACROS
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <bits.h>
#include <dosvc.h>

#define TEXT_MAX 512
#define CALLBACK_SECONDS 2 /* then it looks by itself: without memory there may be no callback */
#define WAIT_SECONDS 10

/* The first failure, with its place, goes to stderr once. */
static HRESULT checked(HRESULT hr, const char *what) {
        if (FAILED(hr))
                (void) fprintf(stderr, "%s: 0x%08X\n", what, (unsigned) hr);
        return hr;
}
#define TRY(call)                                   \
        do {                                        \
                HRESULT hr_ = checked(call, #call); \
                if (FAILED(hr_))                    \
                        return hr_;                 \
        } while (0)

/* ---- the callback ---- */

static struct {
        IBackgroundCopyCallback com;
        pthread_mutex_t lock;
        pthread_cond_t told;
        int n_told;
} listener = { .lock = PTHREAD_MUTEX_INITIALIZER, .told = PTHREAD_COND_INITIALIZER };

static HRESULT STDMETHODCALLTYPE listener_query(IBackgroundCopyCallback *self, REFIID iid, void **ret) {
        *ret = NULL;
        if (!IsEqualIID(iid, &IID_IUnknown) && !IsEqualIID(iid, &IID_IBackgroundCopyCallback))
                return E_NOINTERFACE;
        *ret = self;
        return S_OK;
}
static ULONG STDMETHODCALLTYPE listener_add(IBackgroundCopyCallback *self) {
        return 2; /* it lives as long as the program */
}
static ULONG STDMETHODCALLTYPE listener_release(IBackgroundCopyCallback *self) {
        return 1;
}
static HRESULT tell(void) {
        (void) pthread_mutex_lock(&listener.lock);
        listener.n_told++;
        (void) pthread_cond_signal(&listener.told);
        (void) pthread_mutex_unlock(&listener.lock);
        return S_OK;
}
static HRESULT STDMETHODCALLTYPE listener_transferred(IBackgroundCopyCallback *self, IBackgroundCopyJob *job) {
        return tell();
}
static HRESULT STDMETHODCALLTYPE listener_error(IBackgroundCopyCallback *self, IBackgroundCopyJob *job, IBackgroundCopyError *error) {
        return tell();
}
static HRESULT STDMETHODCALLTYPE listener_modification(IBackgroundCopyCallback *self, IBackgroundCopyJob *job, DWORD reserved) {
        return S_OK;
}
static IBackgroundCopyCallbackVtbl listener_table = {
        .QueryInterface = listener_query,
        .AddRef = listener_add,
        .Release = listener_release,
        .JobTransferred = listener_transferred,
        .JobError = listener_error,
        .JobModification = listener_modification,
};

/* ---- who judges certificates ---- */

static IBackgroundCopyServerCertificateValidationCallback judge;

static HRESULT STDMETHODCALLTYPE judge_query(IBackgroundCopyServerCertificateValidationCallback *self, REFIID iid, void **ret) {
        *ret = NULL;
        if (!IsEqualIID(iid, &IID_IUnknown) && !IsEqualIID(iid, &IID_IBackgroundCopyServerCertificateValidationCallback))
                return E_NOINTERFACE;
        *ret = self;
        return S_OK;
}
static ULONG STDMETHODCALLTYPE judge_add(IBackgroundCopyServerCertificateValidationCallback *self) {
        return 2;
}
static ULONG STDMETHODCALLTYPE judge_release(IBackgroundCopyServerCertificateValidationCallback *self) {
        return 1;
}
static HRESULT STDMETHODCALLTYPE judge_validate(IBackgroundCopyServerCertificateValidationCallback *self, IBackgroundCopyJob *job,
                                                IBackgroundCopyFile *file, DWORD size, const BYTE certificate[], DWORD encoding,
                                                DWORD store_size, const BYTE store[]) {
        LPWSTR text = NULL;
        HRESULT hr = IBackgroundCopyFile_GetRemoteName(file, &text);

        CoTaskMemFree(text);
        return hr == S_OK && size > 0 && store_size > 0 ? S_OK : E_ACCESSDENIED;
}
static IBackgroundCopyServerCertificateValidationCallbackVtbl judge_table = {
        .QueryInterface = judge_query,
        .AddRef = judge_add,
        .Release = judge_release,
        .ValidateServerCertificate = judge_validate,
};

static void wait_for_callback(void) {
        struct timespec end;

        (void) clock_gettime(CLOCK_REALTIME, &end);
        end.tv_sec += CALLBACK_SECONDS;
        (void) pthread_mutex_lock(&listener.lock);
        while (listener.n_told == 0 && pthread_cond_timedwait(&listener.told, &listener.lock, &end) == 0)
                ;
        (void) pthread_mutex_unlock(&listener.lock);
}

static HRESULT wait_until_transferred(IBackgroundCopyJob *job) {
        time_t end = time(NULL) + WAIT_SECONDS;
        BG_JOB_STATE state;

        wait_for_callback();
        do {
                TRY(IBackgroundCopyJob_GetState(job, &state));
                if (state == BG_JOB_STATE_TRANSFERRED)
                        return S_OK;
                (void) nanosleep(&(struct timespec) { .tv_nsec = 10000000 }, NULL);
        } while (time(NULL) < end);
        return checked(E_PENDING, "the transfer");
}

/* ---- reading everything ---- */

static HRESULT read_text(HRESULT (*get)(IBackgroundCopyJob *job, LPWSTR *ret), IBackgroundCopyJob *job) {
        LPWSTR text = NULL;

        TRY(get(job, &text));
        CoTaskMemFree(text);
        return S_OK;
}

static HRESULT read_file(IBackgroundCopyFile *file) {
        IBackgroundCopyFile2 *second = NULL;
        BG_FILE_PROGRESS progress;
        BG_FILE_RANGE *ranges = NULL;
        LPWSTR text = NULL;
        DWORD n;
        HRESULT hr;

        TRY(IBackgroundCopyFile_GetRemoteName(file, &text));
        CoTaskMemFree(text);
        TRY(IBackgroundCopyFile_GetLocalName(file, &text));
        CoTaskMemFree(text);
        TRY(IBackgroundCopyFile_GetProgress(file, &progress));
        TRY(IBackgroundCopyFile_QueryInterface(file, &IID_IBackgroundCopyFile2, (void **) &second));
        hr = checked(IBackgroundCopyFile2_GetFileRanges(second, &n, &ranges), "GetFileRanges");
        CoTaskMemFree(ranges);
        (void) IBackgroundCopyFile2_Release(second);
        return hr;
}

static HRESULT read_files(IBackgroundCopyJob *job) {
        IEnumBackgroundCopyFiles *files = NULL;
        IBackgroundCopyFile *file;
        HRESULT hr;

        TRY(IBackgroundCopyJob_EnumFiles(job, &files));
        while ((hr = checked(IEnumBackgroundCopyFiles_Next(files, 1, &file, NULL), "Next")) == S_OK) {
                hr = read_file(file);
                (void) IBackgroundCopyFile_Release(file);
                if (FAILED(hr))
                        break;
        }
        (void) IEnumBackgroundCopyFiles_Release(files);
        return hr;
}

static HRESULT read_job(IBackgroundCopyJob *job) {
        IBackgroundCopyError *error;
        BG_JOB_PROGRESS progress;
        BG_JOB_TIMES times;
        HRESULT hr;

        TRY(IBackgroundCopyJob_GetProgress(job, &progress));
        TRY(IBackgroundCopyJob_GetTimes(job, &times));
        TRY(read_text(job->lpVtbl->GetDisplayName, job));
        TRY(read_text(job->lpVtbl->GetDescription, job));
        TRY(read_text(job->lpVtbl->GetOwner, job));
        hr = IBackgroundCopyJob_GetError(job, &error);
        if (hr == S_OK)
                (void) IBackgroundCopyError_Release(error);
        else if (hr != BG_E_ERROR_INFORMATION_UNAVAILABLE)
                return checked(hr, "GetError");
        return read_files(job);
}

static HRESULT find_again(IBackgroundCopyManager *manager, const GUID *id) {
        IEnumBackgroundCopyJobs *jobs = NULL;
        IBackgroundCopyJob *job = NULL;
        LPWSTR text = NULL;
        HRESULT hr;

        TRY(IBackgroundCopyManager_GetJob(manager, id, &job));
        (void) IBackgroundCopyJob_Release(job);
        TRY(IBackgroundCopyManager_GetErrorDescription(manager, BG_E_NOT_FOUND, 0, &text));
        CoTaskMemFree(text);
        TRY(IBackgroundCopyManager_EnumJobs(manager, 0, &jobs));
        hr = checked(IEnumBackgroundCopyJobs_Next(jobs, 1, &job, NULL), "Next job");
        if (hr == S_OK)
                (void) IBackgroundCopyJob_Release(job);
        (void) IEnumBackgroundCopyJobs_Release(jobs);
        return hr;
}

/* ---- the work ---- */

static void widen(const char *s, wchar_t ret[static TEXT_MAX]) {
        size_t n = 0;

        for (; s[n] && n + 1 < TEXT_MAX; n++)
                ret[n] = (wchar_t) (unsigned char) s[n];
        ret[n] = 0;
}

static HRESULT add_files(IBackgroundCopyJob *job, const char *url, const char *directory, const char *tag) {
        wchar_t wide_url[TEXT_MAX], paths[3][TEXT_MAX];
        BG_FILE_INFO set[2] = { { wide_url, paths[0] }, { wide_url, paths[1] } };
        BG_FILE_RANGE ranges[2] = { { 100, 50 }, { 0, 10 } };
        IBackgroundCopyJob3 *third;
        HRESULT hr;

        widen(url, wide_url);
        for (int i = 0; i < 3; i++) {
                char path[TEXT_MAX];

                (void) snprintf(path, sizeof(path), "%s/%s-%d", directory, tag, i);
                widen(path, paths[i]);
        }
        TRY(IBackgroundCopyJob_AddFileSet(job, 2, set));
        TRY(IBackgroundCopyJob_QueryInterface(job, &IID_IBackgroundCopyJob3, (void **) &third));
        hr = checked(IBackgroundCopyJob3_AddFileWithRanges(third, wide_url, paths[2], 2, ranges), "AddFileWithRanges");
        (void) IBackgroundCopyJob3_Release(third);
        return hr;
}

static HRESULT set_http_options(IBackgroundCopyJobHttpOptions3 *http) {
        BYTE hash[20] = { 1 };

        TRY(IBackgroundCopyJobHttpOptions3_SetCustomHeaders(http, L"A: b\r\nC: d"));
        TRY(IBackgroundCopyJobHttpOptions3_SetClientCertificateByID(http, BG_CERT_STORE_LOCATION_CURRENT_USER, L"MY", hash));
        TRY(IBackgroundCopyJobHttpOptions3_RemoveClientCertificate(http));
        TRY(IBackgroundCopyJobHttpOptions3_SetServerCertificateValidationInterface(http, (IUnknown *) &judge));
        return IBackgroundCopyJobHttpOptions3_SetServerCertificateValidationInterface(http, (IUnknown *) &judge); /* in its own place */
}

static HRESULT set_up(IBackgroundCopyJob *job) {
        IBackgroundCopyJobHttpOptions3 *http;
        HRESULT hr;

        TRY(IBackgroundCopyJob_SetDescription(job, L"d\u00e9scription"));
        TRY(IBackgroundCopyJob_SetPriority(job, BG_JOB_PRIORITY_FOREGROUND));
        TRY(IBackgroundCopyJob_SetProxySettings(job, BG_JOB_PROXY_USAGE_NO_PROXY, NULL, NULL));
        TRY(IBackgroundCopyJob_SetNotifyInterface(job, (IUnknown *) &listener.com));
        TRY(IBackgroundCopyJob_QueryInterface(job, &IID_IBackgroundCopyJobHttpOptions3, (void **) &http));
        hr = checked(set_http_options(http), "the options of HTTP");
        (void) IBackgroundCopyJobHttpOptions3_Release(http);
        return hr;
}

static HRESULT run_job(IBackgroundCopyManager *manager, IBackgroundCopyJob *job, const GUID *id, char *argv[]) {
        HRESULT hr;

        TRY(set_up(job));
        TRY(add_files(job, argv[1], argv[2], argv[3]));
        TRY(IBackgroundCopyJob_Resume(job));
        TRY(wait_until_transferred(job));
        TRY(read_job(job));
        TRY(find_again(manager, id));
        hr = checked(IBackgroundCopyJob_Complete(job), "Complete");
        if (SUCCEEDED(hr))
                (void) printf("completed\n");
        return hr;
}

/* <dosvc.h> beside it. */
static int see_job(const dosvc_job_info *job, void *userdata) {
        return 0;
}

static HRESULT list_jobs(void) {
        dosvc *connection = NULL;
        HRESULT hr;

        TRY(dosvc_open(DOSVC_CONNECT_NO_START, &connection));
        hr = checked(dosvc_list_jobs(connection, NULL, see_job, NULL), "dosvc_list_jobs");
        dosvc_close(connection);
        return hr;
}

static HRESULT run(char *argv[]) {
        IBackgroundCopyManager *manager = NULL;
        IBackgroundCopyJob *job = NULL;
        GUID id;
        HRESULT hr;

        TRY(CoCreateInstance(&CLSID_BackgroundCopyManager, NULL, CLSCTX_LOCAL_SERVER, &IID_IBackgroundCopyManager,
                             (void **) &manager));
        hr = checked(IBackgroundCopyManager_CreateJob(manager, L"torture", BG_JOB_TYPE_DOWNLOAD, &id, &job), "CreateJob");
        if (SUCCEEDED(hr)) {
                (void) printf("job %08x-%04x-%04x-%02x%02x-%02x%02x%02x%02x%02x%02x\n", id.Data1, id.Data2, id.Data3, id.Data4[0],
                              id.Data4[1], id.Data4[2], id.Data4[3], id.Data4[4], id.Data4[5], id.Data4[6], id.Data4[7]);
                hr = run_job(manager, job, &id, argv);
                (void) IBackgroundCopyJob_Release(job);
        }
        (void) IBackgroundCopyManager_Release(manager);
        return FAILED(hr) ? hr : list_jobs();
}

int main(int argc, char *argv[]) {
        HRESULT hr;

        if (argc != 4)
                return 2;
        (void) setvbuf(stdout, NULL, _IOLBF, 0);
        listener.com.lpVtbl = &listener_table;
        judge.lpVtbl = &judge_table;
        hr = checked(CoInitializeEx(NULL, COINIT_MULTITHREADED), "CoInitializeEx");
        if (SUCCEEDED(hr)) {
                hr = run(argv);
                CoUninitialize();
        }
        return FAILED(hr);
}

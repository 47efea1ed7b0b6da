/* Every method in every state, for both families.
 *
 * The table below is written by hand from api.md 2.1 and 1.8 with decisions 1, 2, 3, 4 and 21 of design.md; it
 * knows nothing of how the service judges. A cell is "code" or "code state": what the method answers, and the
 * state that the job is in afterwards (none: as it was). Codes:
 *
 *   ok       S_OK                              IS       INVALID_STATE of the family
 *   false    S_FALSE                           NF       JOB_NOT_FOUND / BG_E_NOT_FOUND
 *   partial  BG_S_PARTIAL_COMPLETE             UN       ERROR_INFORMATION_UNAVAILABLE of the family
 *   later    E_NOTIMPL, until a later release  -        cannot be called: there is no such object in that state
 *
 * To make "afterwards" stand still, the only background slot is taken by a job that never ends, and what is
 * resumed waits for it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conform.h"

enum column { S, Q, T, TE, E, D, A, X, N_COLUMNS };

static const BG_JOB_STATE column_states[N_COLUMNS] = {
        [S] = BG_JOB_STATE_SUSPENDED,        [Q] = BG_JOB_STATE_QUEUED,    [T] = BG_JOB_STATE_TRANSFERRING,
        [TE] = BG_JOB_STATE_TRANSIENT_ERROR, [E] = BG_JOB_STATE_ERROR,     [D] = BG_JOB_STATE_TRANSFERRED,
        [A] = BG_JOB_STATE_ACKNOWLEDGED,     [X] = BG_JOB_STATE_CANCELLED,
};
static const char *const column_names[N_COLUMNS] = { "S", "Q", "T", "TE", "E", "D", "A", "X" };

/* A job in a state with an object of every kind that can be had of it. */
struct subject {
        struct job job;
        enum column column;
        const wchar_t *path;
        IBackgroundCopyFile *file;
        IBackgroundCopyFile2 *file2;
        IBackgroundCopyError *error; /* E and TE only */
        IEnumBackgroundCopyFiles *files;
        IEnumBackgroundCopyJobs *jobs;
};

#define PACED "/data?size=100000000&rate=2000"

static struct job blocker;

/* ---- bringing a job into a state ---- */

/* Foreground jobs run although the slot is taken. Afterwards it is a background job, so that a Resume leaves it
 * queued. */
static void run_to(struct subject *s, BG_JOB_STATE state) {
        assert_hr(IBackgroundCopyJob_SetPriority(s->job.com, BG_JOB_PRIORITY_FOREGROUND), S_OK);
        job_resume(&s->job);
        job_wait(&s->job, state);
        if (state != BG_JOB_STATE_TRANSFERRING)
                assert_hr(IBackgroundCopyJob_SetPriority(s->job.com, BG_JOB_PRIORITY_NORMAL), S_OK);
}

static void go_to(struct subject *s) {
        switch (s->column) {
        case S:
                return;
        case Q:
                job_resume(&s->job);
                return;
        case T:
        case TE:
        case E:
        case D:
                run_to(s, column_states[s->column]);
                return;
        case A:
                run_to(s, BG_JOB_STATE_TRANSFERRED);
                assert_hr(IBackgroundCopyJob_Complete(s->job.com), S_OK);
                return;
        default:
                assert_hr(IBackgroundCopyJob_Cancel(s->job.com), S_OK);
        }
}

static struct subject subject_new(const struct family *family, enum column column) {
        static const char *const urls[N_COLUMNS] = {
                [S] = "/s?size=100",   [Q] = "/q?size=100", [T] = PACED,         [TE] = "/te?status=503",
                [E] = "/e?status=404", [D] = "/d?size=100", [A] = "/a?size=100", [X] = "/x?size=100",
        };
        struct subject s = { .job = job_new(family), .column = column, .path = destination("matrix") };

        job_add(&s.job, origin_url(urls[column]), s.path);
        s.file = job_first_file(&s.job);
        assert_hr(IBackgroundCopyFile_QueryInterface(s.file, &IID_IBackgroundCopyFile2, (void **) &s.file2), S_OK);
        assert_hr(IBackgroundCopyJob_EnumFiles(s.job.com, &s.files), S_OK);
        assert_hr(IBackgroundCopyManager_EnumJobs(manager_of(family), 0, &s.jobs), S_OK);
        go_to(&s);
        if (column == E || column == TE)
                assert_hr(IBackgroundCopyJob_GetError(s.job.com, &s.error), S_OK);
        assert_int_equal(job_state(&s.job), column_states[column]);
        return s;
}

static void subject_done(struct subject *s) {
        if (!s->job.com)
                return;
        (void) IBackgroundCopyFile2_Release(s->file2);
        (void) IBackgroundCopyFile_Release(s->file);
        (void) IEnumBackgroundCopyFiles_Release(s->files);
        (void) IEnumBackgroundCopyJobs_Release(s->jobs);
        if (s->error)
                (void) IBackgroundCopyError_Release(s->error);
        job_done(&s->job);
}

/* ---- one harmless call of each method; what it hands out must make sense ---- */

/* A string that was handed out: takes it back. */
static HRESULT taken(HRESULT hr, LPWSTR s) {
        if (SUCCEEDED(hr))
                assert_non_null(s);
        CoTaskMemFree(s);
        return hr;
}

static HRESULT released(HRESULT hr, void *object_pointer) {
        IUnknown *object = *(IUnknown **) object_pointer; /* only now: the call that filled it is the other argument */

        if (SUCCEEDED(hr))
                (void) IUnknown_Release(object);
        else
                assert_null(object);
        return hr;
}

#define JOB(name) static HRESULT job_##name(struct subject *s)
#define COM (s->job.com)

JOB(AddFileSet) {
        BG_FILE_INFO set[2] = {
                { (LPWSTR) origin_url("/set1?size=10"), (LPWSTR) destination("set") },
                { (LPWSTR) origin_url("/set2?size=10"), (LPWSTR) destination("set") },
        };

        return IBackgroundCopyJob_AddFileSet(COM, 2, set);
}
JOB(AddFile) {
        return IBackgroundCopyJob_AddFile(COM, origin_url("/added?size=10"), destination("added"));
}
JOB(AddFileWithRanges) {
        BG_FILE_RANGE range = { 0, 5 };

        return job_add_ranges(&s->job, L"some content", origin_url("/ranged?size=10"), destination("ranged"), 1, &range,
                              DO_UNKNOWN_FILE_SIZE);
}
JOB(EnumFiles) {
        IEnumBackgroundCopyFiles *files = NULL;

        return released(IBackgroundCopyJob_EnumFiles(COM, &files), &files);
}
JOB(Suspend) {
        return IBackgroundCopyJob_Suspend(COM);
}
JOB(Resume) {
        return IBackgroundCopyJob_Resume(COM);
}
JOB(Cancel) {
        return IBackgroundCopyJob_Cancel(COM);
}
JOB(Complete) {
        return IBackgroundCopyJob_Complete(COM);
}
JOB(GetId) {
        GUID id;
        HRESULT hr = IBackgroundCopyJob_GetId(COM, &id);

        assert_true(IsEqualGUID(&id, &s->job.id));
        return hr;
}
JOB(GetType) {
        BG_JOB_TYPE type = BG_JOB_TYPE_UPLOAD;
        HRESULT hr = IBackgroundCopyJob_GetType(COM, &type);

        assert_int_equal(type, BG_JOB_TYPE_DOWNLOAD);
        return hr;
}
JOB(GetProgress) {
        BG_JOB_PROGRESS progress = {};
        HRESULT hr = IBackgroundCopyJob_GetProgress(COM, &progress);

        assert_int_equal(progress.FilesTotal, 1);
        assert_int_equal(progress.FilesTransferred, s->column == D || s->column == A ? 1 : 0);
        return hr;
}
JOB(GetTimes) {
        BG_JOB_TIMES times = {};
        HRESULT hr = IBackgroundCopyJob_GetTimes(COM, &times);

        assert_true(times.CreationTime.dwHighDateTime != 0);
        assert_true(times.ModificationTime.dwHighDateTime != 0);
        assert_int_equal(times.TransferCompletionTime.dwHighDateTime != 0, s->column == D || s->column == A);
        return hr;
}
JOB(GetState) {
        BG_JOB_STATE state = BG_JOB_STATE_CONNECTING;
        HRESULT hr = IBackgroundCopyJob_GetState(COM, &state);

        assert_int_equal(state, column_states[s->column]);
        return hr;
}
JOB(GetError) {
        IBackgroundCopyError *error = NULL;

        return released(IBackgroundCopyJob_GetError(COM, &error), &error);
}
JOB(GetOwner) {
        LPWSTR owner = NULL;
        HRESULT hr = IBackgroundCopyJob_GetOwner(COM, &owner);

        assert_true(FAILED(hr) || (owner[0] == L'S' && owner[1] == L'-'));
        return taken(hr, owner);
}
JOB(SetDisplayName) {
        return IBackgroundCopyJob_SetDisplayName(COM, L"another name");
}
JOB(GetDisplayName) {
        LPWSTR name = NULL;
        HRESULT hr = IBackgroundCopyJob_GetDisplayName(COM, &name);

        return taken(hr, name);
}
JOB(SetDescription) {
        return IBackgroundCopyJob_SetDescription(COM, L"a description");
}
JOB(GetDescription) {
        LPWSTR description = NULL;
        HRESULT hr = IBackgroundCopyJob_GetDescription(COM, &description);

        return taken(hr, description);
}
JOB(SetPriority) { /* one that does not start or stop it */
        return IBackgroundCopyJob_SetPriority(COM, s->column == T ? BG_JOB_PRIORITY_FOREGROUND : BG_JOB_PRIORITY_LOW);
}
JOB(GetPriority) {
        BG_JOB_PRIORITY priority = (BG_JOB_PRIORITY) 77;
        HRESULT hr = IBackgroundCopyJob_GetPriority(COM, &priority);

        assert_in_range(priority, BG_JOB_PRIORITY_FOREGROUND, BG_JOB_PRIORITY_LOW);
        return hr;
}
JOB(SetNotifyFlags) {
        return IBackgroundCopyJob_SetNotifyFlags(COM, BG_NOTIFY_JOB_ERROR);
}
JOB(GetNotifyFlags) {
        ULONG flags = 77;
        HRESULT hr = IBackgroundCopyJob_GetNotifyFlags(COM, &flags);

        assert_true(flags == BG_NOTIFY_JOB_ERROR || flags == (BG_NOTIFY_JOB_ERROR | BG_NOTIFY_JOB_TRANSFERRED));
        return hr;
}
JOB(SetNotifyInterface) {
        return IBackgroundCopyJob_SetNotifyInterface(COM, NULL);
}
JOB(GetNotifyInterface) { /* none set: S_OK with NULL */
        IUnknown *callback = (IUnknown *) s;
        HRESULT hr = IBackgroundCopyJob_GetNotifyInterface(COM, &callback);

        assert_null(callback);
        return hr;
}
JOB(SetMinimumRetryDelay) {
        return IBackgroundCopyJob_SetMinimumRetryDelay(COM, 900);
}
JOB(GetMinimumRetryDelay) {
        ULONG seconds = 0;
        HRESULT hr = IBackgroundCopyJob_GetMinimumRetryDelay(COM, &seconds);

        assert_true(s->job.family->is_do || seconds == 600 || seconds == 900);
        return hr;
}
JOB(SetNoProgressTimeout) {
        return IBackgroundCopyJob_SetNoProgressTimeout(COM, 7200);
}
JOB(GetNoProgressTimeout) {
        ULONG seconds = 0;
        HRESULT hr = IBackgroundCopyJob_GetNoProgressTimeout(COM, &seconds);

        assert_true(seconds > 0);
        return hr;
}
JOB(GetErrorCount) {
        ULONG errors = 77;
        HRESULT hr = IBackgroundCopyJob_GetErrorCount(COM, &errors);

        assert_int_equal(errors, s->column == E || s->column == TE ? 1 : 0);
        return hr;
}
JOB(SetProxySettings) {
        return IBackgroundCopyJob_SetProxySettings(COM, BG_JOB_PROXY_USAGE_NO_PROXY, NULL, NULL);
}
JOB(GetProxySettings) {
        BG_JOB_PROXY_USAGE usage;
        LPWSTR list, bypass;

        return IBackgroundCopyJob_GetProxySettings(COM, &usage, &list, &bypass);
}
JOB(TakeOwnership) {
        return IBackgroundCopyJob_TakeOwnership(COM);
}
JOB(QueryInterface) {
        IBackgroundCopyJob *same = NULL;

        return released(IBackgroundCopyJob_QueryInterface(COM, &IID_IBackgroundCopyJob, (void **) &same), &same);
}
JOB(AddRef) {
        assert_int_equal(IBackgroundCopyJob_AddRef(COM), 2);
        return S_OK;
}
JOB(Release) {
        assert_int_equal(IBackgroundCopyJob_Release(COM), 1);
        return S_OK;
}
JOB(QueryInterface_delivery) {
        IDeliveryOptimizationJob *delivery = NULL;

        return released(IBackgroundCopyJob_QueryInterface(COM, &IID_IDeliveryOptimizationJob, (void **) &delivery),
                        &delivery);
}

/* One call through another interface of the job. */
#define JOB_BY(interface, name, call)                                                                 \
        JOB(name) {                                                                                   \
                interface *by = NULL;                                                                 \
                HRESULT hr = IBackgroundCopyJob_QueryInterface(COM, &IID_##interface, (void **) &by); \
                                                                                                      \
                assert_hr(hr, S_OK);                                                                  \
                hr = call;                                                                            \
                (void) interface##_Release(by);                                                       \
                return hr;                                                                            \
        }
JOB_BY(IBackgroundCopyJob3, ReplaceRemotePrefix,
       IBackgroundCopyJob3_ReplaceRemotePrefix(by, L"http://none.invalid/", L"http://x/"))
JOB_BY(IBackgroundCopyJob5, SetProperty,
       IBackgroundCopyJob5_SetProperty(by, BITS_JOB_PROPERTY_ID_COST_FLAGS,
                                       (BITS_JOB_PROPERTY_VALUE){ .Dword = 0x80000067 }))
JOB_BY(IBackgroundCopyJobHttpOptions, SetCustomHeaders, IBackgroundCopyJobHttpOptions_SetCustomHeaders(by, L"X-One: 1"))
JOB_BY(IBackgroundCopyJobHttpOptions, SetSecurityFlags, IBackgroundCopyJobHttpOptions_SetSecurityFlags(by, 0x800))
JOB_BY(IBackgroundCopyJobHttpOptions3, MakeWriteOnly, IBackgroundCopyJobHttpOptions3_MakeCustomHeadersWriteOnly(by))

#define FILE_CALL(name) static HRESULT file_##name(struct subject *s)

FILE_CALL(GetRemoteName) {
        LPWSTR name = NULL;
        HRESULT hr = IBackgroundCopyFile_GetRemoteName(s->file, &name);

        return taken(hr, name);
}
FILE_CALL(GetLocalName) {
        LPWSTR name = NULL;
        HRESULT hr = IBackgroundCopyFile_GetLocalName(s->file, &name);

        if (SUCCEEDED(hr))
                assert_string_equal(narrow(name), narrow(s->path));
        return taken(hr, name);
}
FILE_CALL(GetProgress) { /* Completed: only after Complete made it available */
        BG_FILE_PROGRESS progress = {};
        HRESULT hr = IBackgroundCopyFile_GetProgress(s->file, &progress);

        assert_int_equal(progress.Completed, s->column == A);
        if (s->column == D || s->column == A)
                assert_true(progress.BytesTotal == 100 && progress.BytesTransferred == 100);
        return hr;
}
FILE_CALL(GetFileRanges) {
        BG_FILE_RANGE *ranges = (BG_FILE_RANGE *) (void *) s;
        DWORD n = 77;
        HRESULT hr = IBackgroundCopyFile2_GetFileRanges(s->file2, &n, &ranges);

        assert_int_equal(n, 0);
        assert_null(ranges);
        return hr;
}
FILE_CALL(SetRemoteName) {
        return IBackgroundCopyFile2_SetRemoteName(s->file2, origin_url("/renamed?size=100000000&rate=2000"));
}

#define ERROR_CALL(name) static HRESULT error_##name(struct subject *s)

ERROR_CALL(GetError) {
        BG_ERROR_CONTEXT context = BG_ERROR_CONTEXT_NONE;
        HRESULT hr, code = S_OK;

        hr = IBackgroundCopyError_GetError(s->error, &context, &code);
        assert_int_equal(context, BG_ERROR_CONTEXT_REMOTE_FILE);
        assert_hr(code, (HRESULT) (0x80190000u | (s->column == E ? 404 : 503)));
        return hr;
}
ERROR_CALL(GetFile) {
        IBackgroundCopyFile *file = NULL;

        return released(IBackgroundCopyError_GetFile(s->error, &file), &file);
}
ERROR_CALL(GetErrorDescription) {
        LPWSTR text = NULL;
        HRESULT hr = IBackgroundCopyError_GetErrorDescription(s->error, LANG_NEUTRAL, &text);

        return taken(hr, text);
}
ERROR_CALL(GetErrorContextDescription) {
        LPWSTR text = NULL;
        HRESULT hr = IBackgroundCopyError_GetErrorContextDescription(s->error, LANG_NEUTRAL, &text);

        return taken(hr, text);
}
ERROR_CALL(GetProtocol) {
        LPWSTR protocol = NULL;
        HRESULT hr = IBackgroundCopyError_GetProtocol(s->error, &protocol);

        if (SUCCEEDED(hr))
                assert_string_equal(narrow(protocol), "http");
        return taken(hr, protocol);
}

#define MANAGER(name) static HRESULT manager_##name(struct subject *s)

MANAGER(CreateJob) {
        struct job job = job_new(s->job.family);

        job_done(&job);
        return S_OK;
}
MANAGER(GetJob) {
        IBackgroundCopyJob *job = NULL;

        return released(IBackgroundCopyManager_GetJob(manager_of(s->job.family), &s->job.id, &job), &job);
}
MANAGER(EnumJobs) { /* jobs in a final state are not there */
        IEnumBackgroundCopyJobs *jobs = NULL;
        IBackgroundCopyJob *job;
        bool found = false;
        HRESULT hr;
        GUID id;

        hr = IBackgroundCopyManager_EnumJobs(manager_of(s->job.family), 0, &jobs);
        while (IEnumBackgroundCopyJobs_Next(jobs, 1, &job, NULL) == S_OK) {
                assert_hr(IBackgroundCopyJob_GetId(job, &id), S_OK);
                found = found || IsEqualGUID(&id, &s->job.id);
                (void) IBackgroundCopyJob_Release(job);
        }
        assert_int_equal(found, s->column != A && s->column != X);
        return released(hr, &jobs);
}
MANAGER(GetErrorDescription) {
        LPWSTR text = NULL;
        HRESULT hr = IBackgroundCopyManager_GetErrorDescription(manager_of(s->job.family), s->job.family->invalid_state,
                                                                LANG_NEUTRAL, &text);

        return taken(hr, text);
}

/* The snapshots were taken when the job was new; they do not change with it. */
#define ENUMERATOR(kind, field, interface, element)                           \
        static HRESULT kind##_Reset(struct subject *s) {                      \
                return interface##_Reset(s->field);                           \
        }                                                                     \
        static HRESULT kind##_Next(struct subject *s) {                       \
                element *item = NULL;                                         \
                ULONG fetched = 0;                                            \
                HRESULT hr;                                                   \
                                                                              \
                assert_hr(interface##_Reset(s->field), S_OK);                 \
                hr = interface##_Next(s->field, 1, &item, &fetched);          \
                assert_int_equal(fetched, 1);                                 \
                return released(hr, &item);                                   \
        }                                                                     \
        static HRESULT kind##_Skip(struct subject *s) {                       \
                assert_hr(interface##_Reset(s->field), S_OK);                 \
                return interface##_Skip(s->field, 1);                         \
        }                                                                     \
        static HRESULT kind##_Clone(struct subject *s) {                      \
                interface *clone = NULL;                                      \
                                                                              \
                return released(interface##_Clone(s->field, &clone), &clone); \
        }                                                                     \
        static HRESULT kind##_GetCount(struct subject *s) {                   \
                ULONG n = 0;                                                  \
                HRESULT hr = interface##_GetCount(s->field, &n);              \
                                                                              \
                assert_true(n >= 1);                                          \
                return hr;                                                    \
        }
ENUMERATOR(files, files, IEnumBackgroundCopyFiles, IBackgroundCopyFile)
ENUMERATOR(jobs, jobs, IEnumBackgroundCopyJobs, IBackgroundCopyJob)

/* ---- the table ---- */

struct method {
        const char *name;
        HRESULT (*call)(struct subject *s);
        const char *cells[N_COLUMNS];
        bool changes_files; /* the job is another one afterwards, though in the same state */
};

#define EVERYWHERE(x) \
        { x, x, x, x, x, x, x, x }
#define UNLESS_FINAL(x, final) \
        { x, x, x, x, x, x, final, final }
#define WITH_ERROR(x) \
        { "-", "-", "-", x, x, "-", "-", "-" }

/* clang-format off */
static const struct method methods[] = {
        /* IBackgroundCopyJob, in the order of its table.
         *            S            Q            T            TE           E            D       A     X */
        { "Job QueryInterface", job_QueryInterface,           EVERYWHERE("ok") },
        { "Job AddRef", job_AddRef,                           EVERYWHERE("ok") },
        { "Job Release", job_Release,                         EVERYWHERE("ok") },
        { "Job AddFileSet", job_AddFileSet,                   UNLESS_FINAL("ok", "IS"), true },
        { "Job AddFile", job_AddFile,                         UNLESS_FINAL("ok", "IS"), true },
        { "Job EnumFiles", job_EnumFiles,                     EVERYWHERE("ok") },
        { "Job Suspend", job_Suspend,
                    { "ok S",      "ok S",      "ok S",      "ok S",      "ok S",      "ok S", "IS", "IS" } },
        { "Job Resume", job_Resume,
                    { "ok Q",      "ok Q",      "ok T",      "ok Q",      "ok Q",      "ok D", "IS", "IS" } },
        { "Job Cancel", job_Cancel,
                    { "ok X",      "ok X",      "ok X",      "ok X",      "ok X",      "ok X", "IS", "IS" } },
        { "Job Complete", job_Complete,
                    { "partial A", "partial A", "partial A", "partial A", "partial A", "ok A", "IS", "IS" } },
        { "Job GetId", job_GetId,                             EVERYWHERE("ok") },
        { "Job GetType", job_GetType,                         EVERYWHERE("ok") },
        { "Job GetProgress", job_GetProgress,                 EVERYWHERE("ok") },
        { "Job GetTimes", job_GetTimes,                       EVERYWHERE("ok") },
        { "Job GetState", job_GetState,                       EVERYWHERE("ok") },
        { "Job GetError", job_GetError,
                    { "UN",        "UN",        "UN",        "ok",        "ok",        "UN",   "UN", "UN" } },
        { "Job GetOwner", job_GetOwner,                       EVERYWHERE("ok") },
        { "Job SetDisplayName", job_SetDisplayName,           UNLESS_FINAL("ok", "IS") },
        { "Job GetDisplayName", job_GetDisplayName,           EVERYWHERE("ok") },
        { "Job SetDescription", job_SetDescription,           UNLESS_FINAL("ok", "IS") },
        { "Job GetDescription", job_GetDescription,           EVERYWHERE("ok") },
        { "Job SetPriority", job_SetPriority,                 UNLESS_FINAL("ok", "IS") },
        { "Job GetPriority", job_GetPriority,                 EVERYWHERE("ok") },
        { "Job SetNotifyFlags", job_SetNotifyFlags,           UNLESS_FINAL("ok", "IS") },
        { "Job GetNotifyFlags", job_GetNotifyFlags,           EVERYWHERE("ok") },
        { "Job SetNotifyInterface", job_SetNotifyInterface,   UNLESS_FINAL("ok", "IS") },
        { "Job GetNotifyInterface", job_GetNotifyInterface,   EVERYWHERE("ok") },
        { "Job SetMinimumRetryDelay", job_SetMinimumRetryDelay, UNLESS_FINAL("ok", "IS") },
        { "Job GetMinimumRetryDelay", job_GetMinimumRetryDelay, EVERYWHERE("ok") },
        { "Job SetNoProgressTimeout", job_SetNoProgressTimeout, UNLESS_FINAL("ok", "IS") },
        { "Job GetNoProgressTimeout", job_GetNoProgressTimeout, EVERYWHERE("ok") },
        { "Job GetErrorCount", job_GetErrorCount,             EVERYWHERE("ok") },
        { "Job SetProxySettings", job_SetProxySettings,       UNLESS_FINAL("ok", "IS") },
        { "Job GetProxySettings", job_GetProxySettings,       EVERYWHERE("ok") },
        { "Job TakeOwnership", job_TakeOwnership,             UNLESS_FINAL("ok", "IS") },

        /* What later versions of it, and IBackgroundCopyJobHttpOptions, change */
        { "Job3 ReplaceRemotePrefix", job_ReplaceRemotePrefix, UNLESS_FINAL("false", "IS") },
        { "Job5 SetProperty", job_SetProperty,                UNLESS_FINAL("ok", "IS") },
        { "HttpOptions SetCustomHeaders", job_SetCustomHeaders, UNLESS_FINAL("ok", "IS") },
        { "HttpOptions SetSecurityFlags", job_SetSecurityFlags, UNLESS_FINAL("ok", "IS") },
        { "HttpOptions3 MakeCustomHeadersWriteOnly", job_MakeWriteOnly, UNLESS_FINAL("ok", "IS") },

        /* IDeliveryOptimizationJob */
        { "DOJob QueryInterface", job_QueryInterface_delivery, EVERYWHERE("ok") },
        { "DOJob AddFileWithRanges", job_AddFileWithRanges,   UNLESS_FINAL("ok", "IS"), true },

        /* IBackgroundCopyFile and IBackgroundCopyFile2 */
        { "File GetRemoteName", file_GetRemoteName,           EVERYWHERE("ok") },
        { "File GetLocalName", file_GetLocalName,             EVERYWHERE("ok") },
        { "File GetProgress", file_GetProgress,               EVERYWHERE("ok") },
        { "File2 GetFileRanges", file_GetFileRanges,          EVERYWHERE("false") },
        { "File2 SetRemoteName", file_SetRemoteName,          UNLESS_FINAL("ok", "IS"), true },

        /* IBackgroundCopyError */
        { "Error GetError", error_GetError,                   WITH_ERROR("ok") },
        { "Error GetFile", error_GetFile,                     WITH_ERROR("ok") },
        { "Error GetErrorDescription", error_GetErrorDescription, WITH_ERROR("ok") },
        { "Error GetErrorContextDescription", error_GetErrorContextDescription, WITH_ERROR("ok") },
        { "Error GetProtocol", error_GetProtocol,             WITH_ERROR("ok") },

        /* IBackgroundCopyManager */
        { "Manager CreateJob", manager_CreateJob,             EVERYWHERE("ok") },
        { "Manager GetJob", manager_GetJob,                   UNLESS_FINAL("ok", "NF") },
        { "Manager EnumJobs", manager_EnumJobs,               EVERYWHERE("ok") },
        { "Manager GetErrorDescription", manager_GetErrorDescription, EVERYWHERE("ok") },

        /* IEnumBackgroundCopyFiles and IEnumBackgroundCopyJobs */
        { "EnumFiles Next", files_Next,                       EVERYWHERE("ok") },
        { "EnumFiles Skip", files_Skip,                       EVERYWHERE("ok") },
        { "EnumFiles Reset", files_Reset,                     EVERYWHERE("ok") },
        { "EnumFiles Clone", files_Clone,                     EVERYWHERE("ok") },
        { "EnumFiles GetCount", files_GetCount,               EVERYWHERE("ok") },
        { "EnumJobs Next", jobs_Next,                         EVERYWHERE("ok") },
        { "EnumJobs Skip", jobs_Skip,                         EVERYWHERE("ok") },
        { "EnumJobs Reset", jobs_Reset,                       EVERYWHERE("ok") },
        { "EnumJobs Clone", jobs_Clone,                       EVERYWHERE("ok") },
        { "EnumJobs GetCount", jobs_GetCount,                 EVERYWHERE("ok") },
};
/* clang-format on */

/* ---- comparing ---- */

static HRESULT expected_code(const struct family *family, const char *word, size_t n) {
        const struct {
                const char *word;
                HRESULT hr;
        } words[] = {
                { "ok", S_OK },
                { "false", S_FALSE },
                { "partial", BG_S_PARTIAL_COMPLETE },
                { "later", E_NOTIMPL },
                { "IS", family->invalid_state },
                { "NF", family->not_found },
                { "UN", family->unavailable },
        };

        for (size_t i = 0; i < ELEMENTSOF(words); i++)
                if (strlen(words[i].word) == n && strncmp(words[i].word, word, n) == 0)
                        return words[i].hr;
        fail_msg("the table has the unknown word %s", word);
        return E_UNEXPECTED;
}

static enum column expected_column(const char *cell, enum column as_it_was) {
        const char *space = strchr(cell, ' ');

        if (!space)
                return as_it_was;
        for (enum column c = 0; c < N_COLUMNS; c++)
                if (strcmp(column_names[c], space + 1) == 0)
                        return c;
        fail_msg("the table has the unknown state %s", cell);
        return as_it_was;
}

/* Jobs are used again as long as no call changed them. */
static struct subject subjects[2][N_COLUMNS];
static unsigned n_cells;

static bool cell_agrees(const struct family *family, const struct method *method, enum column column) {
        const char *cell = method->cells[column];
        struct subject *s = &subjects[family - families][column];
        HRESULT expected, hr;
        BG_JOB_STATE expected_state, state;

        if (!s->job.com)
                *s = subject_new(family, column);
        expected = expected_code(family, cell, strcspn(cell, " "));
        expected_state = column_states[expected_column(cell, column)];
        hr = method->call(s);
        state = job_state(&s->job);
        n_cells++;
        if (hr != expected || state != expected_state)
                print_error("%s %s in %s: 0x%08X and %s, the table says 0x%08X and %s\n", family->name, method->name,
                            column_names[column], (unsigned) hr, state_name(state), (unsigned) expected,
                            state_name(expected_state));
        if (state != column_states[column] || (method->changes_files && SUCCEEDED(hr)))
                subject_done(s);
        return hr == expected && state == expected_state;
}

struct row {
        const struct family *family;
        const struct method *method;
        char name[64];
};

/* SENTENCES: job.add job.resume job.suspend state.final state.setters state.suspend */
static void a_method_in_every_state(void **state) {
        const struct row *row = *state;
        unsigned n_wrong = 0;

        for (enum column c = 0; c < N_COLUMNS; c++)
                if (strcmp(row->method->cells[c], "-") != 0)
                        n_wrong += !cell_agrees(row->family, row->method, c);
        assert_int_equal(n_wrong, 0);
}

static int set_up(void **state) {
        if (world_start("BackgroundSlots=1\nTimeSlice=86400\nMaxConnectionsPerHost=64\nMinimumRetryDelayDO=1800\n") < 0)
                return -1;
        blocker = job_new(&families[0]);
        job_add(&blocker, origin_url(PACED), destination("blocker"));
        assert_hr(IBackgroundCopyJob_SetPriority(blocker.com, BG_JOB_PRIORITY_HIGH), S_OK);
        job_resume(&blocker);
        job_wait(&blocker, BG_JOB_STATE_TRANSFERRING);
        return 0;
}

static int tear_down(void **state) {
        for (size_t f = 0; f < ELEMENTSOF(families); f++)
                for (enum column c = 0; c < N_COLUMNS; c++)
                        subject_done(&subjects[f][c]);
        job_done(&blocker);
        print_message("%u cells of the matrix were compared\n", n_cells);
        return world_stop();
}

int main(int argc, char **argv) {
        static struct row rows[2 * ELEMENTSOF(methods)];
        static struct CMUnitTest tests[ELEMENTSOF(rows)];
        size_t n = 0;

        world_arguments(argc, argv);
        FOR_EACH_FAMILY(family)
        for (size_t m = 0; m < ELEMENTSOF(methods); m++) {
                rows[n] = (struct row){ .family = family, .method = &methods[m] };
                (void) snprintf(rows[n].name, sizeof(rows[n].name), "%s %s", family->name, methods[m].name);
                tests[n] = (struct CMUnitTest){ .name = rows[n].name,
                                                .test_func = a_method_in_every_state,
                                                .initial_state = &rows[n] };
                n++;
        }
        return cmocka_run_group_tests_name("command x state matrix", tests, set_up, tear_down);
}

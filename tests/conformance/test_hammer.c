/* NULL and nonsense: every method is called with NULL, random scalars, enums, flags and lengths, and strings that
 * are over-long or no text at all. Each answers with a result code, never with a crash, and the service does not
 * even notice.
 *
 * Each row runs in a child of its own, so that a crash is that row's. CONFORMS: issue 2 point 8; design.md
 * decision 12. DOSVC_HAMMER_SEED and DOSVC_HAMMER_ROUNDS repeat or lengthen a run. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "conform.h"

#define ROUNDS 400
#define CHILD_TIMEOUT_SECONDS 60
#define N_JOBS 4
#define N_LONG_RANGES 10001 /* more than any file may have */
#define N_LONG_FILES 1000

/* What the rows call; made once in the parent. */
struct targets {
        struct job jobs[N_JOBS]; /* suspended, error, transferred, cancelled */
        IDeliveryOptimizationJob *delivery[N_JOBS];
        IBackgroundCopyFile2 *file;
        IBackgroundCopyError *error;
        IEnumBackgroundCopyFiles *files;
        IEnumBackgroundCopyJobs *enum_jobs;
};
static struct targets targets[2];

/* ---- chance ---- */

static uint64_t chance_state;

static uint64_t chance(void) { /* splitmix64 */
        uint64_t z = (chance_state += UINT64_C(0x9e3779b97f4a7c15));

        z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
        z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
        return z ^ z >> 31;
}

static uint64_t any64(void) {
        static const uint64_t edges[] = {
                0,
                1,
                2,
                5,
                255,
                256,
                257,
                INT32_MAX,
                UINT64_C(1) << 31,
                UINT32_MAX,
                UINT64_C(1) << 32,
                INT64_MAX,
                UINT64_C(1) << 63,
                UINT64_MAX - 1,
                UINT64_MAX,
        };

        return chance() % 2 ? edges[chance() % ELEMENTSOF(edges)] : chance() >> chance() % 64;
}

static DWORD any32(void) {
        return (DWORD) any64();
}

static void *maybe(void *pointer) {
        return chance() % 3 ? pointer : NULL;
}

/* Text that somebody might pass; some of it is even right. */
static LPWSTR any_text(void) {
        static const wchar_t *pool[24];
        static size_t n;

        if (n == 0) {
                static const wchar_t no_text[][4] = {
                        { (wchar_t) 0xD800, 0 },
                        { (wchar_t) 0xDFFF, L'x', 0 },
                        { (wchar_t) 0x110000, 0 },
                        { (wchar_t) 0x7fffffff, 0 },
                        { (wchar_t) 0x80000000, 0 },
                        { (wchar_t) -1, (wchar_t) -1, 0 },
                        { 1, 2, 3, 0 },
                        { L'\n', L'\r', 0 },
                        { (wchar_t) 0x10ffff, 0 },
                        { (wchar_t) 0xfffe, 0 },
                };

                for (size_t i = 0; i < ELEMENTSOF(no_text); i++)
                        pool[n++] = no_text[i];
                pool[n++] = NULL;
                pool[n++] = NULL;
                pool[n++] = L"";
                pool[n++] = L"%s%n%x";
                pool[n++] = L"http://h/../../..";
                pool[n++] = L"/tmp/../../etc/passwd";
                pool[n++] = long_text(L"", 257);
                pool[n++] = long_text(L"", 1025);
                pool[n++] = long_text(L"http://h/", 2201);
                pool[n++] = long_text(L"/", 5000);
                pool[n++] = long_text(L"/\u6f22", 300);
                pool[n++] = long_text(L"http://h/\U0001F600", 2000);
                pool[n++] = long_text(L"", 1000000);
        }
        if (chance() % 8 == 0)
                return (LPWSTR) origin_url("/f?size=10");
        if (chance() % 8 == 0)
                return (LPWSTR) destination("hammer");
        return (LPWSTR) pool[chance() % n];
}

static char *any_bytes(void) {
        static const char *const pool[] = { NULL, "",     "\xff\xfe",   "x", "\n",      "%n%s",
                                            "do", "bits", "foreground", "/", "http://", "yes" };
        static char *longest;

        if (!longest)
                longest = narrow(long_text(L"http://h/", 100000));
        if (chance() % 8 == 0)
                return longest;
        return (char *) pool[chance() % ELEMENTSOF(pool)];
}

static GUID any_guid(void) {
        GUID guid = { (ULONG) chance(), (USHORT) chance(), (USHORT) chance(), { (BYTE) chance() } };

        return chance() % 4 ? guid : chance() % 2 ? IID_IUnknown : GUID_NULL;
}

/* ---- rows ---- */

static const struct family *family; /* of the row that runs */

static struct targets *here(void) {
        return &targets[family - families];
}

static IBackgroundCopyJob *any_job(void) {
        return here()->jobs[chance() % N_JOBS].com;
}

static HRESULT take(HRESULT hr, void *object_pointer) { /* releases what was handed out */
        IUnknown *object = *(IUnknown **) object_pointer;

        if (SUCCEEDED(hr) && object)
                (void) IUnknown_Release(object);
        *(IUnknown **) object_pointer = NULL;
        return hr;
}

static HRESULT take_text(HRESULT hr, LPWSTR *text) {
        if (SUCCEEDED(hr))
                CoTaskMemFree(*text);
        *text = NULL;
        return hr;
}

#define ROW(name) static HRESULT name(void)

ROW(manager_create) {
        IBackgroundCopyJob *job = NULL, **place = maybe(&job);
        GUID id;
        HRESULT hr;

        hr = IBackgroundCopyManager_CreateJob(manager_of(family), any_text(),
                                              (BG_JOB_TYPE) (chance() % 2 ? 0 : any32()), maybe(&id), place);
        if (SUCCEEDED(hr))
                (void) IBackgroundCopyJob_Cancel(job);
        return take(hr, &job);
}
ROW(manager_get) {
        GUID id = chance() % 4 ? any_guid() : here()->jobs[0].id;
        IBackgroundCopyJob *job = NULL;
        HRESULT hr = IBackgroundCopyManager_GetJob(manager_of(family), maybe(&id), maybe(&job));

        return take(hr, &job);
}
ROW(manager_enum) {
        IEnumBackgroundCopyJobs *jobs = NULL;
        HRESULT hr = IBackgroundCopyManager_EnumJobs(manager_of(family), any32(), maybe(&jobs));

        return take(hr, &jobs);
}
ROW(manager_describe) {
        LPWSTR text = NULL;
        HRESULT hr = IBackgroundCopyManager_GetErrorDescription(manager_of(family), (HRESULT) any32(), any32(),
                                                                maybe(&text));

        return take_text(hr, &text);
}
ROW(job_query) {
        IUnknown *object = NULL;
        GUID iid = any_guid();
        HRESULT hr = IBackgroundCopyJob_QueryInterface(any_job(), maybe(&iid), maybe(&object));

        return take(hr, &object);
}
ROW(job_add_file) {
        return IBackgroundCopyJob_AddFile(any_job(), any_text(), any_text());
}
ROW(job_add_set) {
        static BG_FILE_INFO set[N_LONG_FILES]; /* beyond the first few: NULL */
        ULONG n = chance() % 2   ? (ULONG) (chance() % 6)
                  : chance() % 2 ? N_LONG_FILES
                                 : 1000001 + (ULONG) (chance() >> 33);

        for (size_t i = 0; i < 5; i++)
                set[i] = (BG_FILE_INFO){ any_text(), any_text() };
        return IBackgroundCopyJob_AddFileSet(any_job(), n, maybe(set));
}
ROW(job_add_ranges_) {
        static BG_FILE_RANGE ranges[N_LONG_RANGES];
        DWORD n = chance() % 2   ? (DWORD) (chance() % 6)
                  : chance() % 2 ? N_LONG_RANGES
                                 : N_LONG_RANGES + (DWORD) (chance() >> 33);

        for (size_t i = 0; i < 6; i++)
                ranges[i] = (BG_FILE_RANGE){ any64(), any64() };
        return IDeliveryOptimizationJob_AddFileWithRanges(here()->delivery[chance() % N_JOBS], any_text(), any_text(),
                                                          any_text(), n, maybe(ranges), any64());
}
ROW(job_enum_files) {
        IEnumBackgroundCopyFiles *files = NULL;
        HRESULT hr = IBackgroundCopyJob_EnumFiles(any_job(), maybe(&files));

        return take(hr, &files);
}
ROW(job_getters) {
        union {
                GUID id;
                BG_JOB_TYPE type;
                BG_JOB_PROGRESS progress;
                BG_JOB_TIMES times;
                BG_JOB_STATE state;
                BG_JOB_PRIORITY priority;
                ULONG number;
        } value;
        void *place = maybe(&value);

        switch (chance() % 10) {
        case 0:
                return IBackgroundCopyJob_GetId(any_job(), place);
        case 1:
                return IBackgroundCopyJob_GetType(any_job(), place);
        case 2:
                return IBackgroundCopyJob_GetProgress(any_job(), place);
        case 3:
                return IBackgroundCopyJob_GetTimes(any_job(), place);
        case 4:
                return IBackgroundCopyJob_GetState(any_job(), place);
        case 5:
                return IBackgroundCopyJob_GetPriority(any_job(), place);
        case 6:
                return IBackgroundCopyJob_GetNotifyFlags(any_job(), place);
        case 7:
                return IBackgroundCopyJob_GetMinimumRetryDelay(any_job(), place);
        case 8:
                return IBackgroundCopyJob_GetNoProgressTimeout(any_job(), place);
        default:
                return IBackgroundCopyJob_GetErrorCount(any_job(), place);
        }
}
ROW(job_text_getters) {
        LPWSTR text = NULL, *place = maybe(&text);
        HRESULT hr;

        switch (chance() % 3) {
        case 0:
                hr = IBackgroundCopyJob_GetOwner(any_job(), place);
                break;
        case 1:
                hr = IBackgroundCopyJob_GetDisplayName(any_job(), place);
                break;
        default:
                hr = IBackgroundCopyJob_GetDescription(any_job(), place);
        }
        return take_text(hr, &text);
}
ROW(job_get_error) {
        IBackgroundCopyError *error = NULL;
        HRESULT hr = IBackgroundCopyJob_GetError(any_job(), maybe(&error));

        return take(hr, &error);
}
ROW(job_get_notify) {
        IUnknown *callback = NULL;
        HRESULT hr = IBackgroundCopyJob_GetNotifyInterface(any_job(), maybe(&callback));

        return take(hr, &callback);
}
ROW(job_set_notify) {
        return IBackgroundCopyJob_SetNotifyInterface(any_job(), maybe(any_job()));
}
ROW(job_set_name) {
        return IBackgroundCopyJob_SetDisplayName(any_job(), any_text());
}
ROW(job_set_description) {
        return IBackgroundCopyJob_SetDescription(any_job(), any_text());
}
ROW(job_set_priority) {
        return IBackgroundCopyJob_SetPriority(any_job(), (BG_JOB_PRIORITY) any32());
}
ROW(job_set_flags) {
        return IBackgroundCopyJob_SetNotifyFlags(any_job(), any32());
}
ROW(job_set_retry) {
        return IBackgroundCopyJob_SetMinimumRetryDelay(any_job(), any32());
}
ROW(job_set_no_progress) {
        return IBackgroundCopyJob_SetNoProgressTimeout(any_job(), any32());
}
ROW(job_proxy) {
        BG_JOB_PROXY_USAGE usage;
        LPWSTR list = NULL, bypass = NULL;

        if (chance() % 2)
                return IBackgroundCopyJob_SetProxySettings(any_job(), (BG_JOB_PROXY_USAGE) any32(), any_text(),
                                                           any_text());
        return IBackgroundCopyJob_GetProxySettings(any_job(), maybe(&usage), maybe(&list), maybe(&bypass));
}
ROW(job_take_ownership) {
        return IBackgroundCopyJob_TakeOwnership(any_job());
}
ROW(file_getters) {
        LPWSTR text = NULL;
        BG_FILE_PROGRESS progress;
        BG_FILE_RANGE *ranges;
        DWORD n;

        switch (chance() % 4) {
        case 0:
                return take_text(IBackgroundCopyFile2_GetRemoteName(here()->file, maybe(&text)), &text);
        case 1:
                return take_text(IBackgroundCopyFile2_GetLocalName(here()->file, maybe(&text)), &text);
        case 2:
                return IBackgroundCopyFile2_GetProgress(here()->file, maybe(&progress));
        default:
                return IBackgroundCopyFile2_GetFileRanges(here()->file, maybe(&n),
                                                          maybe(&ranges)); /* a whole file: no array */
        }
}
ROW(file_set_remote_name) {
        return IBackgroundCopyFile2_SetRemoteName(here()->file, any_text());
}
ROW(error_calls) {
        IBackgroundCopyError *error = here()->error;
        IBackgroundCopyFile *file = NULL;
        BG_ERROR_CONTEXT context;
        LPWSTR text = NULL;
        HRESULT hr, code;

        switch (chance() % 5) {
        case 0:
                return IBackgroundCopyError_GetError(error, maybe(&context), maybe(&code));
        case 1:
                hr = IBackgroundCopyError_GetFile(error, maybe(&file));
                return take(hr, &file);
        case 2:
                return take_text(IBackgroundCopyError_GetErrorDescription(error, any32(), maybe(&text)), &text);
        case 3:
                return take_text(IBackgroundCopyError_GetErrorContextDescription(error, any32(), maybe(&text)), &text);
        default:
                return take_text(IBackgroundCopyError_GetProtocol(error, maybe(&text)), &text);
        }
}

/* Any length is fine where there are fewer items: only what is there is written. */
#define ENUMERATOR(name, object, interface, element)                                             \
        ROW(name) {                                                                              \
                element *items[64] = {};                                                         \
                interface *clone = NULL;                                                         \
                ULONG n = 0;                                                                     \
                HRESULT hr;                                                                      \
                                                                                                 \
                switch (chance() % 5) {                                                          \
                case 0:                                                                          \
                        hr = interface##_Next(object, any32(), maybe(items), maybe(&n));         \
                        for (size_t i = 0; i < ELEMENTSOF(items); i++)                           \
                                if (items[i])                                                    \
                                        (void) IUnknown_Release((IUnknown *) (void *) items[i]); \
                        return hr;                                                               \
                case 1:                                                                          \
                        return interface##_Skip(object, any32());                                \
                case 2:                                                                          \
                        hr = interface##_Clone(object, maybe(&clone));                           \
                        return take(hr, &clone);                                                 \
                case 3:                                                                          \
                        return interface##_GetCount(object, maybe(&n));                          \
                default:                                                                         \
                        return interface##_Reset(object);                                        \
                }                                                                                \
        }
ENUMERATOR(enum_files_calls, here()->files, IEnumBackgroundCopyFiles, IBackgroundCopyFile)
ENUMERATOR(enum_jobs_calls, here()->enum_jobs, IEnumBackgroundCopyJobs, IBackgroundCopyJob)

ROW(create_instance) {
        GUID clsid = chance() % 2 ? any_guid() : *family->clsid, iid = any_guid();
        IUnknown *object = NULL;
        HRESULT hr;

        hr = CoCreateInstance(maybe(&clsid), maybe(NULL), any32(), maybe(&iid), maybe(&object));
        return take(hr, &object);
}
ROW(runtime_calls) {
        wchar_t text[64];
        GUID guid = any_guid();
        HRESULT hr;

        switch (chance() % 7) {
        case 0:
                hr = CoInitializeEx(maybe(&guid), any32());
                if (SUCCEEDED(hr))
                        CoUninitialize();
                return hr;
        case 1:
                return CLSIDFromString(any_text(), maybe(&guid));
        case 2:
                return IIDFromString(any_text(), maybe(&guid));
        case 3: {
                DWORD size = any32();

                return StringFromGUID2(maybe(&guid), maybe(text), size > 64 ? (int) (size % 64) : (int) size) >= 0
                               ? S_OK
                               : E_UNEXPECTED;
        }
        case 4:
                CoTaskMemFree(CoTaskMemRealloc(CoTaskMemAlloc(any32() % 65536), any32() % 65536));
                return CoTaskMemAlloc((SIZE_T) 1 << 61) ? E_UNEXPECTED : S_OK;
        case 5:
                return CoCreateGuid(maybe(&guid));
        default:
                SysFreeString(SysAllocString(any_text()));
                SysFreeString(NULL);
                return SysStringLen(NULL) == 0 ? S_OK : E_UNEXPECTED;
        }
}

/* ---- <dosvc.h> ---- */

static int see_job(const dosvc_job_info *job, void *userdata) {
        return 0;
}
static int see_file(const dosvc_file_info *file, void *userdata) {
        return 0;
}
static int see_history(const dosvc_history_info *entry, void *userdata) {
        return 0;
}
static int see_service(const dosvc_service_info *info, void *userdata) {
        return 0;
}
static int see_config(const dosvc_config_info *entry, void *userdata) {
        return 0;
}

static dosvc *connection; /* of the child; NULL now and then */

static const char *any_id(void) {
        return chance() % 2 ? here()->jobs[chance() % N_JOBS].text : any_bytes();
}

ROW(dosvc_lookups) {
        dosvc *c = maybe(connection);

        switch (chance() % 8) {
        case 0:
                return dosvc_get_job(c, any_id(), chance() % 3 ? see_job : NULL, NULL);
        case 1:
                return dosvc_list_jobs(c, any_bytes(), chance() % 3 ? see_job : NULL, NULL);
        case 2:
                return dosvc_list_files(c, any_id(), chance() % 3 ? see_file : NULL, NULL);
        case 3:
                return dosvc_list_history(c, any64(), chance() % 3 ? see_history : NULL, NULL);
        case 4:
                return dosvc_get_service(c, chance() % 3 ? see_service : NULL, NULL);
        case 5:
                return dosvc_list_config(c, chance() % 3 ? see_config : NULL, NULL);
        case 6:
                (void) dosvc_last_error(c);
                return S_OK;
        default:
                return dosvc_file_has_sha256(any_bytes(), maybe((unsigned char[32]){}));
        }
}
ROW(dosvc_changes) {
        static const char *const keys[] = {
                "name",
                "description",
                "priority",
                "notify_flags",
                "minimum_retry_delay",
                "no_progress_timeout",
                "life_time",
                "complete_when_transferred",
                "replace",
                "remote_time",
                "none",
                "",
                NULL,
        };
        static const char *const values[] = { "-1", "0",  "4294967296", "99999999999999999999", "yes", "0x10",
                                              " 1", "1 ", "1e3" };
        dosvc *c = maybe(connection);

        switch (chance() % 3) {
        case 0:
                return dosvc_set(c, any_id(), keys[chance() % ELEMENTSOF(keys)],
                                 chance() % 2 ? values[chance() % ELEMENTSOF(values)] : any_bytes());
        case 1:
                return dosvc_cancel(c, any_bytes());
        default:
                return dosvc_resume(c, any_bytes());
        }
}
ROW(dosvc_creations) {
        dosvc_file_spec files[2];
        dosvc_job_options options = {
                .size = sizeof(options),
                .name = any_bytes(),
                .description = any_bytes(),
                .family = any_bytes(),
                .priority = any_bytes(),
                .no_progress_timeout = (int64_t) any64(),
                .minimum_retry_delay = (int64_t) any64(),
        };
        char id[DOSVC_ID_SIZE] = "";
        dosvc *c = maybe(connection);
        int attached;
        HRESULT hr;

        for (size_t i = 0; i < ELEMENTSOF(files); i++)
                files[i] = (dosvc_file_spec){
                        .size = sizeof(files[i]), .url = any_bytes(), .path = any_bytes(), .stated_size = any64()
                };
        if (chance() % 4 == 0)
                options.size = (size_t) any32() % (sizeof(options) + 1);
        if (chance() % 4 == 0)
                files[0].size = (size_t) any32() % (sizeof(files[0]) + 1);
        if (chance() % 3 == 0)
                return dosvc_add_files(c, any_id(), maybe(files), chance() % 3);
        hr = dosvc_create_job(c, maybe(&options), maybe(files), chance() % 3, maybe(id), maybe(&attached));
        if (SUCCEEDED(hr) && *id)
                (void) dosvc_cancel(connection, id);
        return hr;
}

static const struct {
        const char *name;
        HRESULT (*call)(void);
} rows[] = {
        { "Manager CreateJob", manager_create },
        { "Manager GetJob", manager_get },
        { "Manager EnumJobs", manager_enum },
        { "Manager GetErrorDescription", manager_describe },
        { "Job QueryInterface", job_query },
        { "Job AddFile", job_add_file },
        { "Job AddFileSet", job_add_set },
        { "DOJob AddFileWithRanges", job_add_ranges_ },
        { "Job EnumFiles", job_enum_files },
        { "Job getters of numbers", job_getters },
        { "Job getters of text", job_text_getters },
        { "Job GetError", job_get_error },
        { "Job GetNotifyInterface", job_get_notify },
        { "Job SetNotifyInterface", job_set_notify },
        { "Job SetDisplayName", job_set_name },
        { "Job SetDescription", job_set_description },
        { "Job SetPriority", job_set_priority },
        { "Job SetNotifyFlags", job_set_flags },
        { "Job SetMinimumRetryDelay", job_set_retry },
        { "Job SetNoProgressTimeout", job_set_no_progress },
        { "Job Set and GetProxySettings", job_proxy },
        { "Job TakeOwnership", job_take_ownership },
        { "File getters", file_getters },
        { "File SetRemoteName", file_set_remote_name },
        { "Error methods", error_calls },
        { "EnumFiles methods", enum_files_calls },
        { "EnumJobs methods", enum_jobs_calls },
        { "CoCreateInstance", create_instance },
        { "Co and Sys functions", runtime_calls },
        { "dosvc.h lookups", dosvc_lookups },
        { "dosvc.h changes", dosvc_changes },
        { "dosvc.h creations", dosvc_creations },
};

/* ---- running ---- */

/* An allocation that cannot be is to be answered, under the sanitizer too. */
const char *__asan_default_options(void);
const char *__asan_default_options(void) {
        return "allocator_may_return_null=1";
}

struct strike {
        const struct family *family;
        size_t row;
        char name[64];
};

static uint64_t seed = 1;
static unsigned n_rounds = ROUNDS;

/* An HRESULT: success codes that are documented, or any failure. */
static bool is_result(HRESULT hr) {
        return FAILED(hr) || hr == S_OK || hr == S_FALSE || hr == BG_S_PARTIAL_COMPLETE ||
               hr == BG_S_UNABLE_TO_DELETE_FILES;
}

static void strike_child(const struct strike *strike) {
        (void) alarm(CHILD_TIMEOUT_SECONDS);
        family = strike->family;
        chance_state = seed * 1000003 + strike->row * 2 + (uint64_t) family->is_do;
        if (FAILED(dosvc_open(DOSVC_CONNECT_NO_START, &connection)))
                _exit(3);
        for (unsigned i = 0; i < n_rounds; i++)
                if (!is_result(rows[strike->row].call()))
                        _exit(2);
        dosvc_close(connection);
        _exit(0);
}

static void nonsense_is_answered(void **state) {
        const struct strike *strike = *state;
        pid_t before = world_service_pid(), pid;
        int status = -1;

        pid = fork();
        if (pid == 0)
                strike_child(strike);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
                fail_msg("seed %llu: the child ended with %s %d", (unsigned long long) seed,
                         WIFSIGNALED(status) ? "signal" : "exit code",
                         WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
        assert_int_equal(world_service_pid(), before);
        assert_int_equal(before, world_started_pid());
}

static void make_targets(const struct family *f) {
        struct targets *t = &targets[f - families];
        IBackgroundCopyFile *file;

        t->jobs[0] = job_new(f);
        job_add(&t->jobs[0], origin_url("/f?size=10"), destination("target"));
        t->jobs[1] = job_in_state(f, "/e?status=404", BG_JOB_STATE_ERROR, NULL);
        t->jobs[2] = job_in_state(f, "/d?size=10", BG_JOB_STATE_TRANSFERRED, NULL);
        t->jobs[3] = job_new(f);
        assert_hr(IBackgroundCopyJob_Cancel(t->jobs[3].com), S_OK);
        for (size_t i = 0; i < N_JOBS; i++)
                assert_hr(IBackgroundCopyJob_QueryInterface(t->jobs[i].com, &IID_IDeliveryOptimizationJob,
                                                            (void **) &t->delivery[i]),
                          S_OK);
        file = job_first_file(&t->jobs[0]);
        assert_hr(IBackgroundCopyFile_QueryInterface(file, &IID_IBackgroundCopyFile2, (void **) &t->file), S_OK);
        (void) IBackgroundCopyFile_Release(file);
        assert_hr(IBackgroundCopyJob_GetError(t->jobs[1].com, &t->error), S_OK);
        assert_hr(IBackgroundCopyJob_EnumFiles(t->jobs[0].com, &t->files), S_OK);
        assert_hr(IBackgroundCopyManager_EnumJobs(manager_of(f), 0, &t->enum_jobs), S_OK);
}

static int set_up(void **state) {
        if (world_start(NULL) < 0)
                return -1;
        FOR_EACH_FAMILY(f)
        make_targets(f);
        return 0;
}

static int tear_down(void **state) {
        FOR_EACH_FAMILY(f) {
                struct targets *t = &targets[f - families];

                for (size_t i = 0; i < N_JOBS; i++) {
                        (void) IDeliveryOptimizationJob_Release(t->delivery[i]);
                        job_done(&t->jobs[i]);
                }
                (void) IBackgroundCopyFile2_Release(t->file);
                (void) IBackgroundCopyError_Release(t->error);
                (void) IEnumBackgroundCopyFiles_Release(t->files);
                (void) IEnumBackgroundCopyJobs_Release(t->enum_jobs);
        }
        print_message("seed %llu, %u calls of each\n", (unsigned long long) seed, n_rounds);
        return world_stop();
}

int main(int argc, char **argv) {
        static struct strike strikes[2 * ELEMENTSOF(rows)];
        static struct CMUnitTest tests[ELEMENTSOF(strikes)];
        const char *wanted_seed = getenv("DOSVC_HAMMER_SEED"), *wanted_rounds = getenv("DOSVC_HAMMER_ROUNDS");
        size_t n = 0;

        world_arguments(argc, argv);
        if (wanted_seed)
                seed = strtoull(wanted_seed, NULL, 10);
        if (wanted_rounds)
                n_rounds = (unsigned) strtoul(wanted_rounds, NULL, 10);
        FOR_EACH_FAMILY(f)
        for (size_t row = 0; row < ELEMENTSOF(rows); row++) {
                strikes[n] = (struct strike){ .family = f, .row = row };
                (void) snprintf(strikes[n].name, sizeof(strikes[n].name), "%s %s", f->name, rows[row].name);
                tests[n] = (struct CMUnitTest){ .name = strikes[n].name,
                                                .test_func = nonsense_is_answered,
                                                .initial_state = &strikes[n] };
                n++;
        }
        return cmocka_run_group_tests_name("NULL and nonsense", tests, set_up, tear_down);
}

/* Every method of every interface with NULL, nonsense scalars, strings of any length and content: an error, never
 * a crash. Runs in a child process, so that a crash is seen as what it is. */
#define COBJMACROS
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <wchar.h>

#include <cmocka.h>

/* First: its enumeration has names that are Win32 macros in the others. */
#include "fake_service.h"

#include "bits.h"
#include "deliveryoptimization.h"

#define ROUNDS 4000
#define STRING_MAX 6000

static uint64_t seed = 1;

static uint32_t any(void) {
        seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        return (uint32_t) (seed >> 33);
}

static uint32_t any_u32(void) {
        static const uint32_t odd[] = { 0, 1, 2, 3, 4, 8, 9, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff };

        return any() % 2 ? odd[any() % (sizeof(odd) / sizeof(*odd))] : any();
}

static uint64_t any_u64(void) {
        return any() % 2 ? (uint64_t) any_u32() : (uint64_t) any_u32() << 32 | any_u32();
}

/* NULL, short, long, absolute, with and without code points that are none. Lives until the next but three. */
static const wchar_t *any_string(void) {
        static const wchar_t *const fixed[] = {
                NULL, L"", L"/", L"/tmp/x", L"http://127.0.0.1/", L"{", L"\xd800", L"x"
        };
        static wchar_t buffers[4][STRING_MAX + 1];
        static unsigned next;
        wchar_t *s;
        size_t n;

        if (any() % 3)
                return fixed[any() % (sizeof(fixed) / sizeof(*fixed))];
        s = buffers[next++ % 4];
        n = any() % (any() % 4 ? 300 : STRING_MAX);
        for (size_t i = 0; i < n; i++)
                s[i] = (wchar_t) (any() % 20 ? 'a' + any() % 26 : any_u32() | 1);
        if (any() % 2 && n > 0)
                s[0] = L'/';
        s[n] = 0;
        return s;
}

/* Somewhere to write, or NULL. */
static void *out(void *p) {
        return any() % 4 ? p : NULL;
}

static void free_string(HRESULT hr, LPWSTR *slot, void *given) {
        if (given && SUCCEEDED(hr))
                CoTaskMemFree(*slot);
}

/* @slot by its address: it is filled while the other arguments are evaluated. */
static void release(HRESULT hr, void *slot, void *given) {
        IUnknown *unknown = *(IUnknown **) slot;

        if (given && hr == S_OK && unknown)
                IUnknown_Release(unknown);
}

static GUID any_guid(void) {
        GUID guid;

        for (unsigned i = 0; i < sizeof(guid); i++)
                ((uint8_t *) &guid)[i] = (uint8_t) any();
        return guid;
}

static const IID *any_iid(void) {
        static const IID *const known[] = { NULL,
                                            &IID_IUnknown,
                                            &IID_IBackgroundCopyJob,
                                            &IID_IBackgroundCopyJob5,
                                            &IID_IDeliveryOptimizationJob,
                                            &IID_IBackgroundCopyFile2,
                                            &IID_IDOManager };

        return known[any() % (sizeof(known) / sizeof(*known))];
}

#define GET_STRING(call)                    \
        do {                                \
                LPWSTR s_ = NULL;           \
                void *to_ = out(&s_);       \
                HRESULT hr_ = call(to_);    \
                free_string(hr_, &s_, to_); \
        } while (0)

static void poke_unknown(IUnknown *unknown) {
        void *p = NULL, *to = out(&p);
        HRESULT hr = IUnknown_QueryInterface(unknown, any_iid(), to);

        release(hr, &p, to);
}

/* ---- jobs ---- */

static void poke_job_getters(IBackgroundCopyJob *job) {
        union {
                GUID id;
                BG_JOB_TYPE type;
                BG_JOB_PROGRESS progress;
                BG_JOB_TIMES times;
                BG_JOB_STATE state;
                BG_JOB_PRIORITY priority;
                ULONG n;
        } value;

        switch (any() % 10) {
        case 0:
                (void) IBackgroundCopyJob_GetId(job, out(&value));
                break;
        case 1:
                (void) IBackgroundCopyJob_GetType(job, out(&value));
                break;
        case 2:
                (void) IBackgroundCopyJob_GetProgress(job, out(&value));
                break;
        case 3:
                (void) IBackgroundCopyJob_GetTimes(job, out(&value));
                break;
        case 4:
                (void) IBackgroundCopyJob_GetState(job, out(&value));
                break;
        case 5:
                (void) IBackgroundCopyJob_GetPriority(job, out(&value));
                break;
        case 6:
                (void) IBackgroundCopyJob_GetNotifyFlags(job, out(&value));
                break;
        case 7:
                (void) IBackgroundCopyJob_GetMinimumRetryDelay(job, out(&value));
                break;
        case 8:
                (void) IBackgroundCopyJob_GetNoProgressTimeout(job, out(&value));
                break;
        default:
                (void) IBackgroundCopyJob_GetErrorCount(job, out(&value));
        }
}

static void poke_job_strings(IBackgroundCopyJob *job) {
        BG_JOB_PROXY_USAGE usage;
        LPWSTR a = NULL, b = NULL;

#define NAME(to) IBackgroundCopyJob_GetDisplayName(job, to)
#define DESCRIPTION(to) IBackgroundCopyJob_GetDescription(job, to)
#define OWNER(to) IBackgroundCopyJob_GetOwner(job, to)
        switch (any() % 7) {
        case 0:
                GET_STRING(NAME);
                break;
        case 1:
                GET_STRING(DESCRIPTION);
                break;
        case 2:
                GET_STRING(OWNER);
                break;
        case 3:
                (void) IBackgroundCopyJob_SetDisplayName(job, any_string());
                break;
        case 4:
                (void) IBackgroundCopyJob_SetDescription(job, any_string());
                break;
        case 5:
                (void) IBackgroundCopyJob_SetProxySettings(job, (BG_JOB_PROXY_USAGE) any_u32(), any_string(),
                                                           any_string());
                break;
        default:
                (void) IBackgroundCopyJob_GetProxySettings(job, out(&usage), out(&a), out(&b));
        }
}

static void poke_job_numbers(IBackgroundCopyJob *job) {
        switch (any() % 4) {
        case 0:
                (void) IBackgroundCopyJob_SetPriority(job, (BG_JOB_PRIORITY) any_u32());
                break;
        case 1:
                (void) IBackgroundCopyJob_SetNotifyFlags(job, any_u32());
                break;
        case 2:
                (void) IBackgroundCopyJob_SetMinimumRetryDelay(job, any_u32());
                break;
        default:
                (void) IBackgroundCopyJob_SetNoProgressTimeout(job, any_u32());
        }
}

static void poke_file(IBackgroundCopyFile *file) {
        IBackgroundCopyFile2 *second;
        BG_FILE_PROGRESS progress;
        BG_FILE_RANGE *ranges = NULL;
        void *to = out(&ranges);
        DWORD n = 0;

#define REMOTE(at) IBackgroundCopyFile_GetRemoteName(file, at)
#define LOCAL(at) IBackgroundCopyFile_GetLocalName(file, at)
        poke_unknown((IUnknown *) file);
        GET_STRING(REMOTE);
        GET_STRING(LOCAL);
        (void) IBackgroundCopyFile_GetProgress(file, out(&progress));
        if (IBackgroundCopyFile_QueryInterface(file, &IID_IBackgroundCopyFile2, (void **) &second) != S_OK)
                abort();
        (void) IBackgroundCopyFile2_SetRemoteName(second, any_string());
        if (IBackgroundCopyFile2_GetFileRanges(second, out(&n), to) == S_OK)
                CoTaskMemFree(ranges);
        IBackgroundCopyFile2_Release(second);
}

static void poke_files(IBackgroundCopyJob *job) {
        IEnumBackgroundCopyFiles *files = NULL, *clone = NULL;
        IBackgroundCopyFile *file[4] = { NULL };
        void *to = out(&files);
        ULONG n = 0;

        if (IBackgroundCopyJob_EnumFiles(job, to) != S_OK)
                return;
        poke_unknown((IUnknown *) files);
        (void) IEnumBackgroundCopyFiles_GetCount(files, out(&n));
        (void) IEnumBackgroundCopyFiles_Skip(files, any_u32());
        if (any() % 2)
                (void) IEnumBackgroundCopyFiles_Reset(files);
        to = out(&clone);
        release(IEnumBackgroundCopyFiles_Clone(files, to), &clone, to);
        (void) IEnumBackgroundCopyFiles_Next(files, any_u32(), NULL, out(&n));
        (void) IEnumBackgroundCopyFiles_Next(files, 2 + any() % 3, file, any() % 2 ? &n : NULL);
        for (unsigned i = 0; i < 4; i++)
                if (file[i]) {
                        poke_file(file[i]);
                        IBackgroundCopyFile_Release(file[i]);
                }
        IEnumBackgroundCopyFiles_Release(files);
}

static void add_files(IBackgroundCopyJob *job) {
        BG_FILE_RANGE ranges[3] = { { any_u64(), any_u64() }, { any_u64(), any_u64() }, { any_u64(), any_u64() } };
        BG_FILE_INFO set[2] = { { (wchar_t *) any_string(), (wchar_t *) any_string() },
                                { (wchar_t *) any_string(), (wchar_t *) any_string() } };
        static const uint32_t counts[] = { 0, 1, 2, 3, 10001, 0x7fffffff, 0xffffffff };
        IDeliveryOptimizationJob *delivery;
        uint32_t count = counts[any() % 7];

        (void) IBackgroundCopyJob_AddFile(job, any_string(), any_string());
        (void) IBackgroundCopyJob_AddFileSet(job, count > 2 ? 0xfffffff0 : count, out(set));
        if (IBackgroundCopyJob_QueryInterface(job, &IID_IDeliveryOptimizationJob, (void **) &delivery) != S_OK)
                abort();
        (void) IDeliveryOptimizationJob_AddFileWithRanges(delivery, any_string(), any_string(), any_string(), count,
                                                          out(ranges), any_u64());
        IDeliveryOptimizationJob_Release(delivery);
}

static void poke_error(IBackgroundCopyJob *job) {
        IBackgroundCopyError *error = NULL;
        IBackgroundCopyFile *file = NULL;
        BG_ERROR_CONTEXT context;
        void *to = out(&error);
        HRESULT code;

        if (IBackgroundCopyJob_GetError(job, to) != S_OK)
                return;
#define TEXT(at) IBackgroundCopyError_GetErrorDescription(error, any_u32(), at)
#define CONTEXT(at) IBackgroundCopyError_GetErrorContextDescription(error, any_u32(), at)
#define PROTOCOL(at) IBackgroundCopyError_GetProtocol(error, at)
        poke_unknown((IUnknown *) error);
        GET_STRING(TEXT);
        GET_STRING(CONTEXT);
        GET_STRING(PROTOCOL);
        (void) IBackgroundCopyError_GetError(error, out(&context), out(&code));
        to = out(&file);
        release(IBackgroundCopyError_GetFile(error, to), &file, to);
        IBackgroundCopyError_Release(error);
}

static void poke_job(IBackgroundCopyJob *job) {
        IUnknown *unknown = NULL;
        void *to;

        switch (any() % 12) {
        case 0:
                poke_unknown((IUnknown *) job);
                break;
        case 1:
                (void) IBackgroundCopyJob_Suspend(job);
                break;
        case 2:
                (void) IBackgroundCopyJob_Resume(job);
                break;
        case 3:
                (void) IBackgroundCopyJob_TakeOwnership(job);
                break;
        case 4:
                poke_files(job);
                break;
        case 5:
                poke_error(job);
                break;
        case 6:
                add_files(job);
                break;
        case 7:
                /* An object that is no callback, or none. */
                (void) IBackgroundCopyJob_SetNotifyInterface(job, out(job));
                to = out(&unknown);
                release(IBackgroundCopyJob_GetNotifyInterface(job, to), &unknown, to);
                break;
        case 8:
                poke_job_strings(job);
                break;
        case 9:
                poke_job_numbers(job);
                break;
        default:
                poke_job_getters(job);
        }
}

/* ---- managers and functions ---- */

static void poke_manager(IBackgroundCopyManager *manager, const GUID *known) {
        IEnumBackgroundCopyJobs *jobs = NULL;
        IBackgroundCopyJob *job = NULL;
        GUID guid = any_guid(), id;
        void *to = out(&job);

        poke_unknown((IUnknown *) manager);
        release(IBackgroundCopyManager_GetJob(manager,
                                              any() % 3 == 0 ? NULL
                                              : any() % 2    ? known
                                                             : &guid,
                                              to),
                &job, to);
        job = NULL;
        if (any() % 50 == 0) {
                void *id_to = out(&id);

                release(IBackgroundCopyManager_CreateJob(manager, any_string(), (BG_JOB_TYPE) any_u32(), id_to, to),
                        &job, to);
        }
        to = out(&jobs);
        release(IBackgroundCopyManager_EnumJobs(manager, any_u32(), to), &jobs, to);
#define DESCRIBE(at) IBackgroundCopyManager_GetErrorDescription(manager, (HRESULT) any_u32(), any_u32(), at)
        GET_STRING(DESCRIBE);
}

static void poke_functions(void) {
        GUID guid = any_guid();
        wchar_t text[64];
        VARIANT v;
        void *p = NULL, *to = out(&p);

        (void) CLSIDFromString(any_string(), out(&guid));
        (void) IIDFromString(any_string(), out(&guid));
        (void) StringFromGUID2(out(&guid), out(text), (int) (any() % 64));
        (void) StringFromGUID2(&guid, text, -(int) (any() % 100));
        (void) CoCreateGuid(out(&guid));
        release(CoCreateInstance(any() % 2 ? &CLSID_DeliveryOptimization : out(&guid), NULL, any_u32(), any_iid(), to),
                &p, to);
        (void) CoInitializeSecurity(NULL, (LONG) any_u32(), NULL, NULL, any_u32(), any_u32(), NULL, any_u32(), NULL);
        (void) CoSetProxyBlanket(NULL, any_u32(), any_u32(), NULL, any_u32(), any_u32(), NULL, any_u32());
        SysFreeString(SysAllocString(any_string()));
        SysFreeString(SysAllocStringLen(NULL, any() % 1000));
        VariantInit(&v);
        v.vt = (VARTYPE) any();
        v.byref = NULL;
        (void) VariantClear(&v);
}

static void live_badly(void) {
        static const wchar_t *const families[] = { L"do", L"bits" };
        IBackgroundCopyManager *managers[2];
        IBackgroundCopyJob *jobs[2];
        GUID ids[2];

        if (CoInitializeEx(NULL, 0) != S_OK)
                abort();
        for (unsigned i = 0; i < 2; i++) {
                if (CoCreateInstance(i ? &CLSID_BackgroundCopyManager : &CLSID_DeliveryOptimization, NULL,
                                     CLSCTX_LOCAL_SERVER, &IID_IBackgroundCopyManager,
                                     (void **) &managers[i]) != S_OK ||
                    IBackgroundCopyManager_CreateJob(managers[i], families[i], BG_JOB_TYPE_DOWNLOAD, &ids[i],
                                                     &jobs[i]) != S_OK)
                        abort();
        }
        for (unsigned i = 0; i < ROUNDS; i++) {
                poke_job(jobs[i % 2]);
                if (i % 8 == 0)
                        poke_manager(managers[i / 8 % 2], &ids[0]);
                if (i % 8 == 4)
                        poke_functions();
        }
        for (unsigned i = 0; i < 2; i++)
                if (IBackgroundCopyJob_Release(jobs[i]) != 0 || IBackgroundCopyManager_Release(managers[i]) != 0)
                        abort();
        CoUninitialize();
}

/* The child is there before any thread is: allocators of sanitizers do not survive fork(2) beside another thread. */
static void nothing_that_a_program_passes_crashes_it(void **state) {
        struct fake_service *fake;
        char address[128] = "";
        int status = -1, fds[2];
        pid_t pid;

        assert_int_equal(pipe(fds), 0);
        pid = fork();
        if (pid == 0) {
                if (read(fds[0], address, sizeof(address) - 1) > 0) {
                        setenv("DOSVC_ADDRESS", address, 1);
                        live_badly();
                }
                fake_service_child_ends(*address);
        }
        fake = fake_service_new();
        assert_true(write(fds[1], fake_service_address(fake), strlen(fake_service_address(fake))) > 0);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(status, 0);
        close(fds[0]);
        close(fds[1]);
        /* It was not refused at the door: calls of all kinds reached the service. */
        assert_true(fake_service_count(fake, "GetAll") > 100);
        assert_true(fake_service_count(fake, "SetProperties") > 10);
        fake_service_free(fake);
}

static void not_even_when_the_job_is_in_error(void **state) {
        struct fake_service *fake = fake_service_new();
        const char *id = fake_service_add_job(fake, "bits", "error", 3);
        IBackgroundCopyManager *manager;
        IEnumBackgroundCopyJobs *jobs;
        IBackgroundCopyJob *job;
        ULONG n;

        fake_service_set_error(fake, id, 1);
        assert_int_equal(CoInitializeEx(NULL, 0), S_OK);
        assert_int_equal(CoCreateInstance(&CLSID_BackgroundCopyManager, NULL, CLSCTX_LOCAL_SERVER,
                                          &IID_IBackgroundCopyManager, (void **) &manager),
                         S_OK);
        assert_int_equal(IBackgroundCopyManager_EnumJobs(manager, 0, &jobs), S_OK);
        assert_int_equal(IEnumBackgroundCopyJobs_Next(jobs, 1, &job, &n), S_OK);
        IEnumBackgroundCopyJobs_Release(jobs);
        for (unsigned i = 0; i < 100; i++)
                poke_error(job);
        assert_int_equal(IBackgroundCopyJob_Release(job), 0);
        assert_int_equal(IBackgroundCopyManager_Release(manager), 0);
        CoUninitialize();
        fake_service_free(fake);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(nothing_that_a_program_passes_crashes_it),
                cmocka_unit_test(not_even_when_the_job_is_in_error),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

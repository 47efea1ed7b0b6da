/* The COM face against a service that the test commands: objects, arguments, codes of both families, callbacks. */
#define COBJMACROS
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <wchar.h>

#include <cmocka.h>

#include "client/com.h"

#include "base/strings.h"
#include "fake_service.h"

struct callback {
        IBackgroundCopyCallback callback;
        atomic_int n_references;
        pthread_mutex_t lock;
        unsigned n_transferred, n_error, n_modification;
        HRESULT answer;
        HRESULT completed; /* what Complete said inside */
        bool complete, remove;
        uint32_t error_code;
        pthread_t thread;
};

struct fixture {
        struct fake_service *fake;
        IBackgroundCopyManager *manager;  /* BITS */
        IBackgroundCopyManager *delivery; /* DO */
        IBackgroundCopyJob *job;          /* BITS, suspended, empty */
        GUID id;
        char id_text[40];
        struct callback callbacks[2]; /* here, because the library holds them until the tear-down */
        unsigned n_callbacks;
};

static void make_manager(REFCLSID clsid, IBackgroundCopyManager **ret) {
        assert_int_equal(CoCreateInstance(clsid, NULL, CLSCTX_LOCAL_SERVER, &IID_IBackgroundCopyManager, (void **) ret),
                         S_OK);
}

static void id_text(const GUID *id, char ret[40]) {
        wchar_t wide[39];

        assert_int_equal(StringFromGUID2(id, wide, 39), 39);
        for (unsigned i = 1; i < 37; i++)
                ret[i - 1] = (char) (wide[i] >= L'A' && wide[i] <= L'F' ? wide[i] + 32 : wide[i]);
        ret[36] = 0;
}

static int set_up(void **state) {
        struct fixture *f = calloc(1, sizeof(*f));

        f->fake = fake_service_new();
        assert_int_equal(CoInitializeEx(NULL, COINIT_MULTITHREADED), S_OK);
        make_manager(&CLSID_BackgroundCopyManager, &f->manager);
        make_manager(&CLSID_DeliveryOptimization, &f->delivery);
        assert_int_equal(IBackgroundCopyManager_CreateJob(f->manager, L"name", BG_JOB_TYPE_DOWNLOAD, &f->id, &f->job),
                         S_OK);
        id_text(&f->id, f->id_text);
        *state = f;
        return 0;
}

static int tear_down(void **state) {
        struct fixture *f = *state;

        if (f->job)
                assert_int_equal(IBackgroundCopyJob_Release(f->job), 0);
        assert_int_equal(IBackgroundCopyManager_Release(f->manager), 0);
        assert_int_equal(IBackgroundCopyManager_Release(f->delivery), 0);
        CoUninitialize();
        /* Nothing is left of the connection. */
        for (unsigned i = 0; fake_service_live_connections(f->fake) > 0 && i < 1000; i++)
                usleep(1000);
        assert_int_equal(fake_service_live_connections(f->fake), 0);
        fake_service_free(f->fake);
        free(f);
        return 0;
}

static struct fake_job job_of(struct fixture *f) {
        struct fake_job job;

        assert_true(fake_service_get_job(f->fake, f->id_text, &job));
        return job;
}

static wchar_t *long_string(size_t n) {
        wchar_t *s = calloc(n + 1, sizeof(*s));

        wmemset(s, L'x', n);
        return s;
}

static void add_two_files(struct fixture *f) {
        BG_FILE_INFO set[] = { { (wchar_t *) L"https://h/\x00e4", (wchar_t *) L"/tmp/\x1f600" },
                               { (wchar_t *) L"https://h/1", (wchar_t *) L"/tmp/1" } };

        assert_int_equal(IBackgroundCopyJob_AddFileSet(f->job, 2, set), S_OK);
}

/* ---- activation ---- */

static void nothing_is_created_before_initialising(void **state) {
        void *p = (void *) 1;

        assert_int_equal(CoCreateInstance(&CLSID_DeliveryOptimization, NULL, CLSCTX_ALL, &IID_IBackgroundCopyManager,
                                          &p),
                         CO_E_NOTINITIALIZED);
        assert_null(p);
        CoUninitialize(); /* one too many is forgiven */
}

static void initialising_is_counted_and_keeps_its_model(void **state) {
        assert_int_equal(CoInitializeEx(NULL, COINIT_MULTITHREADED), S_OK);
        assert_int_equal(CoInitializeEx(NULL, COINIT_MULTITHREADED), S_FALSE);
        assert_int_equal(CoInitialize(NULL), RPC_E_CHANGED_MODE);
        assert_int_equal(CoInitializeEx((void *) 1, 0), E_INVALIDARG);
        assert_int_equal(CoInitializeEx(NULL, 0x100), E_INVALIDARG);
        CoUninitialize();
        CoUninitialize();
        assert_int_equal(CoInitialize(NULL), S_OK);
        CoUninitialize();
}

static void without_a_service_there_is_no_object(void **state) {
        void *p = (void *) 1;

        setenv("DOSVC_ADDRESS", "unix:path=/nonexistent/bus", 1);
        assert_int_equal(CoInitializeEx(NULL, 0), S_OK);
        assert_int_equal(CoCreateInstance(&CLSID_DeliveryOptimization, NULL, CLSCTX_LOCAL_SERVER,
                                          &IID_IBackgroundCopyManager, &p),
                         CO_E_SERVER_EXEC_FAILURE);
        assert_null(p);
        CoUninitialize();
        unsetenv("DOSVC_ADDRESS");
}

static void all_versions_of_the_manager_can_be_created_and_nothing_else(void **state) {
        static const CLSID *const classes[] = {
                &CLSID_BackgroundCopyManager,     &CLSID_BackgroundCopyManager1_5,  &CLSID_BackgroundCopyManager2_0,
                &CLSID_BackgroundCopyManager2_5,  &CLSID_BackgroundCopyManager3_0,  &CLSID_BackgroundCopyManager4_0,
                &CLSID_BackgroundCopyManager5_0,  &CLSID_BackgroundCopyManager10_1, &CLSID_BackgroundCopyManager10_2,
                &CLSID_BackgroundCopyManager10_3, &CLSID_DeliveryOptimization,
        };
        struct fixture *f = *state;
        IUnknown *unknown;
        void *p = (void *) 1;

        for (size_t i = 0; i < ELEMENTSOF(classes); i++) {
                assert_int_equal(CoCreateInstance(classes[i], NULL, CLSCTX_ALL, &IID_IUnknown, (void **) &unknown),
                                 S_OK);
                assert_int_equal(IUnknown_Release(unknown), 0);
        }
        assert_int_equal(fake_service_connections(f->fake), 1);
        assert_int_equal(CoCreateInstance(&CLSID_BackgroundCopyQMgr, NULL, CLSCTX_ALL, &IID_IUnknown, &p),
                         REGDB_E_CLASSNOTREG);
        assert_null(p);
        assert_int_equal(CoCreateInstance(&CLSID_DeliveryOptimization, NULL, CLSCTX_INPROC_SERVER, &IID_IUnknown, &p),
                         REGDB_E_CLASSNOTREG);
        assert_int_equal(CoCreateInstance(&CLSID_DeliveryOptimization, (IUnknown *) f->job, CLSCTX_ALL, &IID_IUnknown,
                                          &p),
                         CLASS_E_NOAGGREGATION);
        assert_int_equal(CoCreateInstance(&CLSID_DeliveryOptimization, NULL, CLSCTX_ALL, &IID_IDODownload, &p),
                         E_NOINTERFACE);
        assert_int_equal(CoCreateInstance(&CLSID_DeliveryOptimization, NULL, CLSCTX_ALL, &IID_IUnknown, NULL),
                         E_POINTER);
        assert_int_equal(CoCreateInstance(NULL, NULL, CLSCTX_ALL, &IID_IUnknown, &p), E_INVALIDARG);
        assert_int_equal(CoCreateInstance(&CLSID_DeliveryOptimization, NULL, CLSCTX_ALL, NULL, &p), E_INVALIDARG);
}

static void security_calls_are_checked_and_change_nothing(void **state) {
        struct fixture *f = *state;

        assert_int_equal(CoInitializeSecurity(NULL, -1, NULL, NULL, 7, RPC_C_IMP_LEVEL_IMPERSONATE, NULL, 0, NULL),
                         E_INVALIDARG);
        assert_int_equal(CoInitializeSecurity(NULL, -1, NULL, NULL, RPC_C_AUTHN_LEVEL_CONNECT,
                                              RPC_C_IMP_LEVEL_IMPERSONATE, NULL, EOAC_NONE, NULL),
                         S_OK);
        assert_int_equal(CoInitializeSecurity(NULL, -1, NULL, NULL, 0, 0, NULL, EOAC_NONE, NULL), RPC_E_TOO_LATE);
        assert_int_equal(CoSetProxyBlanket((IUnknown *) f->job, RPC_C_AUTHN_DEFAULT, 0, NULL, 6, 4, NULL, 0), S_OK);
        assert_int_equal(CoSetProxyBlanket(NULL, 0, 0, NULL, 0, 0, NULL, 0), E_INVALIDARG);
        assert_int_equal(CoSetProxyBlanket((IUnknown *) f->job, 0, 0, NULL, 7, 0, NULL, 0), E_INVALIDARG);
}

/* ---- identity and counting ---- */

static void an_object_has_one_identity_and_counts_its_references(void **state) {
        struct fixture *f = *state;
        IDeliveryOptimizationJob *delivery;
        IUnknown *first, *second, *third;
        void *p = (void *) 1;

        assert_int_equal(IBackgroundCopyJob_AddRef(f->job), 2);
        assert_int_equal(IBackgroundCopyJob_Release(f->job), 1);
        assert_int_equal(IBackgroundCopyJob_QueryInterface(f->job, &IID_IDeliveryOptimizationJob, (void **) &delivery),
                         S_OK);
        assert_int_equal(IBackgroundCopyJob_QueryInterface(f->job, &IID_IUnknown, (void **) &first), S_OK);
        assert_int_equal(IDeliveryOptimizationJob_QueryInterface(delivery, &IID_IUnknown, (void **) &second), S_OK);
        assert_int_equal(IDeliveryOptimizationJob_QueryInterface(delivery, &IID_IBackgroundCopyJob, (void **) &third),
                         S_OK);
        assert_ptr_equal(first, second);
        assert_ptr_equal(third, f->job);
        assert_int_equal(IUnknown_Release(third), 4);
        IUnknown_Release(second);
        IUnknown_Release(first);
        assert_int_equal(IDeliveryOptimizationJob_Release(delivery), 1);
        assert_int_equal(IBackgroundCopyJob_QueryInterface(f->job, &IID_IBackgroundCopyManager, &p), E_NOINTERFACE);
        assert_null(p);
        assert_int_equal(IBackgroundCopyJob_QueryInterface(f->job, &IID_IUnknown, NULL), E_POINTER);
        assert_int_equal(IBackgroundCopyJob_QueryInterface(f->job, NULL, &p), E_INVALIDARG);
}

static void a_job_outlives_its_manager_and_the_uninitialising(void **state) {
        struct fake_service *fake = fake_service_new();
        IBackgroundCopyManager *manager;
        IBackgroundCopyJob *job;
        BG_JOB_STATE job_state;
        GUID id;

        assert_int_equal(CoInitializeEx(NULL, 0), S_OK);
        make_manager(&CLSID_BackgroundCopyManager, &manager);
        assert_int_equal(IBackgroundCopyManager_CreateJob(manager, L"n", BG_JOB_TYPE_DOWNLOAD, &id, &job), S_OK);
        assert_int_equal(IBackgroundCopyManager_Release(manager), 0);
        CoUninitialize();
        assert_int_equal(IBackgroundCopyJob_GetState(job, &job_state), S_OK);
        assert_int_equal(job_state, BG_JOB_STATE_SUSPENDED);
        assert_int_equal(IBackgroundCopyJob_Release(job), 0);
        fake_service_free(fake);
}

/* ---- manager ---- */

static void a_job_is_created_only_with_good_arguments(void **state) {
        struct fixture *f = *state;
        wchar_t *name = long_string(257);
        IBackgroundCopyJob *job = (void *) 1;
        GUID id;

        assert_int_equal(IBackgroundCopyManager_CreateJob(f->manager, NULL, BG_JOB_TYPE_DOWNLOAD, &id, &job),
                         E_INVALIDARG);
        assert_null(job);
        assert_int_equal(IBackgroundCopyManager_CreateJob(f->manager, name, BG_JOB_TYPE_DOWNLOAD, &id, &job),
                         E_INVALIDARG);
        assert_int_equal(IBackgroundCopyManager_CreateJob(f->manager, L"n", BG_JOB_TYPE_UPLOAD, &id, &job), E_NOTIMPL);
        assert_int_equal(IBackgroundCopyManager_CreateJob(f->manager, L"n", (BG_JOB_TYPE) 77, &id, &job), E_INVALIDARG);
        assert_int_equal(IBackgroundCopyManager_CreateJob(f->manager, L"n", BG_JOB_TYPE_DOWNLOAD, NULL, &job),
                         E_INVALIDARG);
        assert_int_equal(IBackgroundCopyManager_CreateJob(f->manager, L"n", BG_JOB_TYPE_DOWNLOAD, &id, NULL),
                         E_INVALIDARG);
        assert_int_equal(IBackgroundCopyManager_CreateJob(f->manager, L"\xd800", BG_JOB_TYPE_DOWNLOAD, &id, &job),
                         E_INVALIDARG);
        assert_int_equal(fake_service_count(f->fake, "CreateJob"), 1); /* the fixture's */
        name[256] = 0;
        assert_int_equal(IBackgroundCopyManager_CreateJob(f->manager, name, BG_JOB_TYPE_DOWNLOAD, &id, &job), S_OK);
        assert_int_equal(IBackgroundCopyJob_Release(job), 0);
        free(name);
}

static void each_manager_finds_its_own_familys_jobs(void **state) {
        struct fixture *f = *state;
        IBackgroundCopyJob *job = (void *) 1;
        IEnumBackgroundCopyJobs *jobs;
        ULONG n;

        assert_string_equal(job_of(f).family, "bits");
        assert_int_equal(IBackgroundCopyManager_GetJob(f->delivery, &f->id, &job), DO_E_JOB_NOT_FOUND);
        assert_null(job);
        assert_int_equal(IBackgroundCopyManager_GetJob(f->manager, &f->id, &job), S_OK);
        IBackgroundCopyJob_Release(job);
        assert_int_equal(IBackgroundCopyManager_GetJob(f->manager, &GUID_NULL, &job), BG_E_NOT_FOUND);
        assert_int_equal(IBackgroundCopyManager_GetJob(f->manager, NULL, &job), E_INVALIDARG);
        assert_int_equal(IBackgroundCopyManager_GetJob(f->manager, &f->id, NULL), E_INVALIDARG);

        assert_int_equal(IBackgroundCopyManager_EnumJobs(f->delivery, 0, &jobs), S_OK);
        assert_int_equal(IEnumBackgroundCopyJobs_GetCount(jobs, &n), S_OK);
        assert_int_equal(n, 0);
        IEnumBackgroundCopyJobs_Release(jobs);
        assert_int_equal(IBackgroundCopyManager_EnumJobs(f->manager, 0, &jobs), S_OK);
        assert_int_equal(IEnumBackgroundCopyJobs_GetCount(jobs, &n), S_OK);
        assert_int_equal(n, 1);
        IEnumBackgroundCopyJobs_Release(jobs);
        assert_int_equal(IBackgroundCopyManager_EnumJobs(f->manager, 0, NULL), E_INVALIDARG);
        assert_int_equal(IBackgroundCopyManager_EnumJobs(f->manager, 2, &jobs), E_INVALIDARG);
        assert_null(jobs);
}

static void an_ended_job_is_not_found_but_its_pointer_answers(void **state) {
        struct fixture *f = *state;
        IBackgroundCopyJob *job;
        BG_JOB_STATE job_state;
        LPWSTR name;

        add_two_files(f);
        assert_int_equal(IBackgroundCopyJob_Complete(f->job), S_OK);
        assert_int_equal(IBackgroundCopyManager_GetJob(f->manager, &f->id, &job), BG_E_NOT_FOUND);
        /* Long after, the service has forgotten it, and only the history is left. */
        fake_service_hide_job(f->fake, f->id_text);
        assert_int_equal(IBackgroundCopyJob_GetState(f->job, &job_state), S_OK);
        assert_int_equal(job_state, BG_JOB_STATE_ACKNOWLEDGED);
        assert_int_equal(IBackgroundCopyJob_GetDisplayName(f->job, &name), S_OK);
        assert_int_equal(wcscmp(name, L"name"), 0);
        CoTaskMemFree(name);
        assert_int_equal(IBackgroundCopyJob_Complete(f->job), BG_E_INVALID_STATE);
        assert_int_equal(IBackgroundCopyJob_Suspend(f->job), BG_E_INVALID_STATE);
        assert_int_equal(IBackgroundCopyJob_SetPriority(f->job, BG_JOB_PRIORITY_LOW), BG_E_INVALID_STATE);
}

static void any_result_code_is_described(void **state) {
        struct fixture *f = *state;
        LPWSTR text;

        assert_int_equal(IBackgroundCopyManager_GetErrorDescription(f->manager, BG_E_EMPTY, 0x409, &text), S_OK);
        assert_non_null(wcsstr(text, L"no files"));
        CoTaskMemFree(text);
        assert_int_equal(IBackgroundCopyManager_GetErrorDescription(f->manager, (HRESULT) 0x8badf00d, 99999, &text),
                         S_OK);
        assert_non_null(wcsstr(text, L"0x8BADF00D"));
        CoTaskMemFree(text);
        assert_int_equal(IBackgroundCopyManager_GetErrorDescription(f->manager, 0, 0, NULL), E_INVALIDARG);
}

/* ---- job: properties ---- */

static void properties_come_back_as_they_were_set(void **state) {
        struct fixture *f = *state;
        BG_JOB_PRIORITY priority;
        LPWSTR s;
        ULONG n;

        assert_int_equal(IBackgroundCopyJob_SetDisplayName(f->job, L"other \x1f600"), S_OK);
        assert_int_equal(IBackgroundCopyJob_GetDisplayName(f->job, &s), S_OK);
        assert_int_equal(wcscmp(s, L"other \x1f600"), 0);
        CoTaskMemFree(s);
        assert_int_equal(IBackgroundCopyJob_SetDescription(f->job, L"why"), S_OK);
        assert_int_equal(IBackgroundCopyJob_GetDescription(f->job, &s), S_OK);
        assert_int_equal(wcscmp(s, L"why"), 0);
        CoTaskMemFree(s);
        for (int p = BG_JOB_PRIORITY_FOREGROUND; p <= BG_JOB_PRIORITY_LOW; p++) {
                assert_int_equal(IBackgroundCopyJob_SetPriority(f->job, (BG_JOB_PRIORITY) p), S_OK);
                assert_int_equal(IBackgroundCopyJob_GetPriority(f->job, &priority), S_OK);
                assert_int_equal(priority, p);
        }
        assert_int_equal(IBackgroundCopyJob_SetNotifyFlags(f->job, BG_NOTIFY_DISABLE), S_OK);
        assert_int_equal(IBackgroundCopyJob_GetNotifyFlags(f->job, &n), S_OK);
        assert_int_equal(n, BG_NOTIFY_DISABLE);
        assert_int_equal(IBackgroundCopyJob_SetMinimumRetryDelay(f->job, 1), S_OK);
        assert_int_equal(IBackgroundCopyJob_GetMinimumRetryDelay(f->job, &n), S_OK);
        assert_int_equal(n, 5);
        assert_int_equal(IBackgroundCopyJob_SetNoProgressTimeout(f->job, 0), S_OK);
        assert_int_equal(IBackgroundCopyJob_GetNoProgressTimeout(f->job, &n), S_OK);
        assert_int_equal(n, 0);
        assert_int_equal(IBackgroundCopyJob_GetErrorCount(f->job, &n), S_OK);
        assert_int_equal(n, 7);
        assert_int_equal(IBackgroundCopyJob_GetOwner(f->job, &s), S_OK);
        assert_int_equal(wcscmp(s, L"S-1-22-1-1000"), 0);
        CoTaskMemFree(s);
}

static void values_out_of_range_get_the_documented_codes(void **state) {
        struct fixture *f = *state;
        wchar_t *s = long_string(5000);
        IBackgroundCopyJob *job;
        GUID id;

        assert_int_equal(IBackgroundCopyJob_SetPriority(f->job, (BG_JOB_PRIORITY) 4), E_NOTIMPL);
        assert_int_equal(IBackgroundCopyJob_SetPriority(f->job, (BG_JOB_PRIORITY) -1), E_NOTIMPL);
        assert_int_equal(IBackgroundCopyJob_SetNotifyFlags(f->job, 0x40), E_NOTIMPL);
        assert_int_equal(IBackgroundCopyJob_SetDisplayName(f->job, NULL), E_INVALIDARG);
        assert_int_equal(IBackgroundCopyJob_SetDisplayName(f->job, s), BG_E_STRING_TOO_LONG);
        assert_int_equal(IBackgroundCopyJob_SetDescription(f->job, s), BG_E_STRING_TOO_LONG);
        assert_int_equal(IBackgroundCopyJob_SetDescription(f->job, NULL), E_INVALIDARG);
        assert_int_equal(IBackgroundCopyJob_SetProxySettings(f->job, (BG_JOB_PROXY_USAGE) 9, NULL, NULL), E_NOTIMPL);
        assert_int_equal(IBackgroundCopyJob_SetProxySettings(f->job, BG_JOB_PROXY_USAGE_OVERRIDE, NULL, NULL),
                         E_INVALIDARG);
        assert_int_equal(IBackgroundCopyJob_SetProxySettings(f->job, BG_JOB_PROXY_USAGE_NO_PROXY, L"x", NULL),
                         E_INVALIDARG);
        assert_int_equal(IBackgroundCopyJob_SetProxySettings(f->job, BG_JOB_PROXY_USAGE_OVERRIDE, s, NULL),
                         BG_E_PROXY_LIST_TOO_LARGE);
        assert_int_equal(IBackgroundCopyJob_SetProxySettings(f->job, BG_JOB_PROXY_USAGE_OVERRIDE, L"x", s),
                         BG_E_PROXY_BYPASS_LIST_TOO_LARGE);
        assert_int_equal(IBackgroundCopyManager_CreateJob(f->delivery, L"n", BG_JOB_TYPE_DOWNLOAD, &id, &job), S_OK);
        assert_int_equal(IBackgroundCopyJob_SetNotifyFlags(job, BG_NOTIFY_DISABLE), E_NOTIMPL);
        assert_int_equal(IBackgroundCopyJob_SetNotifyFlags(job, BG_NOTIFY_FILE_RANGES_TRANSFERRED), E_NOTIMPL);
        assert_int_equal(IBackgroundCopyJob_SetNotifyFlags(job, BG_NOTIFY_FILE_TRANSFERRED), S_OK);
        assert_int_equal(IBackgroundCopyJob_SetDisplayName(job, s), E_INVALIDARG);
        IBackgroundCopyJob_Release(job);
        free(s);
}

static void facts_of_the_job_are_converted(void **state) {
        struct fixture *f = *state;
        BG_JOB_PROGRESS progress;
        BG_JOB_TIMES times;
        BG_JOB_TYPE type;
        GUID id;

        add_two_files(f);
        assert_int_equal(IBackgroundCopyJob_GetId(f->job, &id), S_OK);
        assert_true(IsEqualGUID(&id, &f->id));
        assert_int_equal(IBackgroundCopyJob_GetType(f->job, &type), S_OK);
        assert_int_equal(type, BG_JOB_TYPE_DOWNLOAD);
        assert_int_equal(IBackgroundCopyJob_GetProgress(f->job, &progress), S_OK);
        assert_int_equal(progress.BytesTotal, UINT64_C(5000000000));
        assert_int_equal(progress.FilesTotal, 2);
        assert_int_equal(progress.FilesTransferred, 1);
        assert_int_equal(IBackgroundCopyJob_GetTimes(f->job, &times), S_OK);
        assert_int_equal((uint64_t) times.CreationTime.dwHighDateTime << 32 | times.CreationTime.dwLowDateTime,
                         UINT64_C(10000000000000000) + UINT64_C(116444736000000000));
        assert_int_equal(times.TransferCompletionTime.dwLowDateTime | times.TransferCompletionTime.dwHighDateTime, 0);
}

static void every_state_of_the_service_is_one_of_the_interface(void **state) {
        static const char *const names[] = { "queued",          "connecting",  "transferring", "suspended", "error",
                                             "transient_error", "transferred", "acknowledged", "cancelled" };
        struct fixture *f = *state;
        BG_JOB_STATE job_state;

        for (unsigned i = 0; i < ELEMENTSOF(names); i++) {
                fake_service_set_state(f->fake, f->id_text, names[i]);
                assert_int_equal(IBackgroundCopyJob_GetState(f->job, &job_state), S_OK);
                assert_int_equal(job_state, i);
        }
}

static void commands_have_the_codes_of_their_family(void **state) {
        struct fixture *f = *state;
        IBackgroundCopyJob *job;
        GUID id;

        assert_int_equal(IBackgroundCopyJob_Resume(f->job), BG_E_EMPTY);
        assert_int_equal(IBackgroundCopyManager_CreateJob(f->delivery, L"n", BG_JOB_TYPE_DOWNLOAD, &id, &job), S_OK);
        assert_int_equal(IBackgroundCopyJob_Resume(job), DO_E_JOB_EMPTY);
        assert_int_equal(IBackgroundCopyJob_Cancel(job), S_OK);
        assert_int_equal(IBackgroundCopyJob_Cancel(job), DO_E_INVALID_STATE);
        IBackgroundCopyJob_Release(job);
        assert_int_equal(IBackgroundCopyJob_AddFile(f->job, L"https://h/0", L"/tmp/0"), S_OK);
        assert_int_equal(IBackgroundCopyJob_Resume(f->job), S_OK);
        assert_int_equal(IBackgroundCopyJob_Suspend(f->job), S_OK);
        add_two_files(f); /* three files: the fake leaves something */
        assert_int_equal(IBackgroundCopyJob_Complete(f->job), BG_S_PARTIAL_COMPLETE);
        assert_int_equal(IBackgroundCopyJob_TakeOwnership(f->job), E_NOTIMPL);
}

/* ---- job: files ---- */

static void files_are_added_only_with_good_names(void **state) {
        struct fixture *f = *state;
        wchar_t *url = long_string(2201), *path = long_string(5000);
        BG_FILE_INFO bad[] = { { (wchar_t *) L"https://h/", (wchar_t *) L"/tmp/a" }, { NULL, NULL } };

        wmemcpy(url, L"https://h/", 10);
        path[0] = L'/';
        assert_int_equal(IBackgroundCopyJob_AddFile(f->job, NULL, L"/tmp/x"), E_INVALIDARG);
        assert_int_equal(IBackgroundCopyJob_AddFile(f->job, L"https://h/", NULL), E_INVALIDARG);
        assert_int_equal(IBackgroundCopyJob_AddFile(f->job, L"", L"/tmp/x"), E_INVALIDARG);
        assert_int_equal(IBackgroundCopyJob_AddFile(f->job, L"https://h/", L""), E_INVALIDARG);
        assert_int_equal(IBackgroundCopyJob_AddFile(f->job, L"https://h/", L"relative"), E_INVALIDARG);
        assert_int_equal(IBackgroundCopyJob_AddFile(f->job, url, L"/tmp/x"), E_INVALIDARG);
        assert_int_equal((uint32_t) IBackgroundCopyJob_AddFile(f->job, L"https://h/", path), 0x800700CE);
        assert_int_equal((uint32_t) IBackgroundCopyJob_AddFile(f->job, L"https://h/", L"/nonexistent/x"), 0x80070003);
        assert_int_equal(IBackgroundCopyJob_AddFile(f->job, L"https://h/\xdfff", L"/tmp/x"), E_INVALIDARG);
        assert_int_equal(IBackgroundCopyJob_AddFileSet(f->job, 0, bad), E_INVALIDARG);
        assert_int_equal(IBackgroundCopyJob_AddFileSet(f->job, 1, NULL), E_INVALIDARG);
        assert_int_equal(IBackgroundCopyJob_AddFileSet(f->job, 2, bad), E_INVALIDARG);
        assert_int_equal(IBackgroundCopyJob_AddFileSet(f->job, UINT32_MAX, bad), BG_E_TOO_MANY_FILES_IN_JOB);
        assert_int_equal(fake_service_count(f->fake, "AddFiles"), 0);
        url[2200] = 0;
        assert_int_equal(IBackgroundCopyJob_AddFile(f->job, url, L"/tmp/x"), S_OK);
        free(url);
        free(path);
}

static void ranges_travel_and_impossible_ones_do_not(void **state) {
        struct fixture *f = *state;
        BG_FILE_RANGE ranges[] = { { 2, 4 }, { 12, BG_LENGTH_TO_EOF } };
        BG_FILE_RANGE from_the_end = { BG_LENGTH_TO_EOF, 1 }, empty = { 5, 0 }, beyond = { UINT64_MAX - 5, 10 };
        IDeliveryOptimizationJob *delivery;
        IBackgroundCopyJob *job;
        GUID id;
        char text[40];
        struct fake_job fake;

        assert_int_equal(IBackgroundCopyManager_CreateJob(f->delivery, L"n", BG_JOB_TYPE_DOWNLOAD, &id, &job), S_OK);
        assert_int_equal(IBackgroundCopyJob_QueryInterface(job, &IID_IDeliveryOptimizationJob, (void **) &delivery),
                         S_OK);
#define ADD(id, url, path, n, r, size) IDeliveryOptimizationJob_AddFileWithRanges(delivery, id, url, path, n, r, size)
        assert_int_equal(ADD(NULL, L"https://h/", L"/tmp/x", 0, NULL, DO_UNKNOWN_FILE_SIZE), E_INVALIDARG);
        assert_int_equal(ADD(L"", L"https://h/", L"/tmp/x", 0, NULL, DO_UNKNOWN_FILE_SIZE), E_INVALIDARG);
        assert_int_equal(ADD(L"i", NULL, L"/tmp/x", 0, NULL, DO_UNKNOWN_FILE_SIZE), E_INVALIDARG);
        assert_int_equal(ADD(L"i", L"https://h/", NULL, 0, NULL, DO_UNKNOWN_FILE_SIZE), E_INVALIDARG);
        assert_int_equal(ADD(L"i", L"https://h/", L"", 0, NULL, DO_UNKNOWN_FILE_SIZE), E_INVALIDARG);
        assert_int_equal(ADD(L"i", L"https://h/", L"/tmp/x", 1, NULL, DO_UNKNOWN_FILE_SIZE), E_INVALIDARG);
        assert_int_equal(ADD(L"i", L"https://h/", L"/tmp/x", UINT32_MAX, ranges, DO_UNKNOWN_FILE_SIZE), E_INVALIDARG);
        assert_int_equal(ADD(L"i", L"https://h/", L"/tmp/x", 100000, ranges, DO_UNKNOWN_FILE_SIZE),
                         BG_E_TOO_MANY_RANGES_IN_FILE);
        assert_int_equal(ADD(L"i", L"https://h/", L"/tmp/x", 1, &from_the_end, DO_UNKNOWN_FILE_SIZE),
                         DO_E_INVALID_RANGE);
        assert_int_equal(ADD(L"i", L"https://h/", L"/tmp/x", 1, &empty, DO_UNKNOWN_FILE_SIZE), DO_E_INVALID_RANGE);
        assert_int_equal(ADD(L"i", L"https://h/", L"/tmp/x", 1, &beyond, DO_UNKNOWN_FILE_SIZE), DO_E_INVALID_RANGE);
        assert_int_equal(fake_service_count(f->fake, "AddFiles"), 0);
        fake_service_fail_next(f->fake, "AddFiles", "org.dosvc.Error.OverlappingRanges", "They do.");
        assert_int_equal(ADD(L"i", L"https://h/", L"/tmp/x", 2, ranges, 100), DO_E_OVERLAPPING_RANGES);
        assert_int_equal(ADD(L"content", L"https://h/", L"/tmp/x", 2, ranges, 100), S_OK);
#undef ADD
        id_text(&id, text);
        assert_true(fake_service_get_job(f->fake, text, &fake));
        assert_string_equal(fake.file_id, "content");
        assert_int_equal(fake.n_ranges, 2);
        assert_int_equal(fake.stated_size, 100);
        IDeliveryOptimizationJob_Release(delivery);
        IBackgroundCopyJob_Release(job);
}

static void files_are_enumerated_as_a_snapshot(void **state) {
        struct fixture *f = *state;
        IEnumBackgroundCopyFiles *files, *clone;
        IBackgroundCopyFile *file[3] = { (void *) 1, NULL, NULL };
        ULONG n = 99;
        LPWSTR s;

        add_two_files(f);
        assert_int_equal(IBackgroundCopyJob_EnumFiles(f->job, NULL), E_INVALIDARG);
        assert_int_equal(IBackgroundCopyJob_EnumFiles(f->job, &files), S_OK);
        assert_int_equal(IBackgroundCopyJob_AddFile(f->job, L"https://h/late", L"/tmp/late"), S_OK);
        assert_int_equal(IEnumBackgroundCopyFiles_GetCount(files, &n), S_OK);
        assert_int_equal(n, 2);
        assert_int_equal(IEnumBackgroundCopyFiles_GetCount(files, NULL), E_INVALIDARG);
        assert_int_equal(IEnumBackgroundCopyFiles_Next(files, 1, NULL, &n), E_INVALIDARG);
        assert_int_equal(IEnumBackgroundCopyFiles_Next(files, 2, file, NULL), E_INVALIDARG);
        assert_int_equal(IEnumBackgroundCopyFiles_Next(files, 1, file, NULL), S_OK);
        assert_int_equal(IEnumBackgroundCopyFiles_Clone(files, &clone), S_OK);
        assert_int_equal(IEnumBackgroundCopyFiles_Clone(files, NULL), E_INVALIDARG);
        assert_int_equal(IBackgroundCopyFile_GetRemoteName(file[0], &s), S_OK);
        assert_int_equal(wcscmp(s, L"https://h/\x00e4"), 0);
        CoTaskMemFree(s);
        assert_int_equal(IBackgroundCopyFile_GetLocalName(file[0], &s), S_OK);
        assert_int_equal(wcscmp(s, L"/tmp/\x1f600"), 0);
        CoTaskMemFree(s);
        IBackgroundCopyFile_Release(file[0]);
        assert_int_equal(IEnumBackgroundCopyFiles_Next(files, 3, file, &n), S_FALSE);
        assert_int_equal(n, 1);
        IBackgroundCopyFile_Release(file[0]);
        assert_int_equal(IEnumBackgroundCopyFiles_Next(files, 1, file, &n), S_FALSE);
        assert_int_equal(n, 0);
        assert_int_equal(IEnumBackgroundCopyFiles_Next(files, 0, file, &n), S_OK);
        assert_int_equal(IEnumBackgroundCopyFiles_Reset(files), S_OK);
        assert_int_equal(IEnumBackgroundCopyFiles_Skip(files, 2), S_OK);
        assert_int_equal(IEnumBackgroundCopyFiles_Skip(files, UINT32_MAX), S_FALSE);
        assert_int_equal(IEnumBackgroundCopyFiles_Release(files), 0);
        /* The clone stands where it was made, and needs nobody. */
        assert_int_equal(IEnumBackgroundCopyFiles_Next(clone, 1, file, &n), S_OK);
        assert_int_equal(IBackgroundCopyFile_GetLocalName(file[0], &s), S_OK);
        assert_int_equal(wcscmp(s, L"/tmp/1"), 0);
        CoTaskMemFree(s);
        assert_int_equal(IEnumBackgroundCopyFiles_Release(clone), 0);
        assert_int_equal(IBackgroundCopyFile_Release(file[0]), 0);
}

static void a_file_tells_its_progress_and_ranges(void **state) {
        struct fixture *f = *state;
        IEnumBackgroundCopyFiles *files;
        IBackgroundCopyFile *file[2];
        IBackgroundCopyFile2 *second;
        BG_FILE_PROGRESS progress;
        BG_FILE_RANGE *ranges;
        DWORD n;
        LPWSTR s;

        add_two_files(f);
        assert_int_equal(IBackgroundCopyJob_EnumFiles(f->job, &files), S_OK);
        assert_int_equal(IEnumBackgroundCopyFiles_Next(files, 2, file, &n), S_OK);
        IEnumBackgroundCopyFiles_Release(files);
        assert_int_equal(IBackgroundCopyFile_GetProgress(file[1], &progress), S_OK);
        assert_int_equal(progress.BytesTotal, 100);
        assert_int_equal(progress.BytesTransferred, 11);
        assert_int_equal(progress.Completed, FALSE);
        assert_int_equal(IBackgroundCopyFile_GetProgress(file[1], NULL), E_INVALIDARG);
        assert_int_equal(IBackgroundCopyFile_QueryInterface(file[1], &IID_IBackgroundCopyFile2, (void **) &second),
                         S_OK);
        assert_int_equal(IBackgroundCopyFile2_GetFileRanges(second, &n, &ranges), S_OK);
        assert_int_equal(n, 2);
        assert_int_equal(ranges[1].InitialOffset, 12);
        assert_int_equal(ranges[1].Length, 5);
        CoTaskMemFree(ranges);
        assert_int_equal(IBackgroundCopyFile2_GetFileRanges(second, NULL, &ranges), E_INVALIDARG);
        assert_int_equal(IBackgroundCopyFile2_SetRemoteName(second, L"https://other/1"), S_OK);
        assert_int_equal(IBackgroundCopyFile2_SetRemoteName(second, L""), E_INVALIDARG);
        assert_int_equal(IBackgroundCopyFile2_SetRemoteName(second, NULL), E_INVALIDARG);
        assert_int_equal(IBackgroundCopyFile_GetRemoteName(file[1], &s), S_OK);
        assert_int_equal(wcscmp(s, L"https://other/1"), 0);
        CoTaskMemFree(s);
        assert_string_equal(job_of(f).urls[1], "https://other/1");
        IBackgroundCopyFile2_Release(second);
        assert_int_equal(IBackgroundCopyFile_QueryInterface(file[0], &IID_IBackgroundCopyFile2, (void **) &second),
                         S_OK);
        assert_int_equal(IBackgroundCopyFile2_GetFileRanges(second, &n, &ranges), S_FALSE);
        assert_int_equal(n, 0);
        assert_null(ranges);
        IBackgroundCopyFile2_Release(second);

        assert_int_equal(IBackgroundCopyJob_Complete(f->job), S_OK);
        assert_int_equal(IBackgroundCopyFile_GetProgress(file[0], &progress), S_OK);
        assert_int_equal(progress.Completed, TRUE);
        assert_int_equal(IBackgroundCopyFile_Release(file[0]), 0);
        assert_int_equal(IBackgroundCopyFile_Release(file[1]), 0);
}

/* ---- error object ---- */

static void the_error_object_tells_what_happened(void **state) {
        struct fixture *f = *state;
        IBackgroundCopyError *error = (void *) 1;
        BG_ERROR_CONTEXT context;
        IBackgroundCopyFile *file;
        HRESULT code;
        LPWSTR s;

        add_two_files(f);
        assert_int_equal(IBackgroundCopyJob_GetError(f->job, &error), BG_E_ERROR_INFORMATION_UNAVAILABLE);
        assert_null(error);
        assert_int_equal(IBackgroundCopyJob_GetError(f->job, NULL), E_INVALIDARG);
        fake_service_set_error(f->fake, f->id_text, ERROR_FILE_NOT_FOUND);
        fake_service_set_state(f->fake, f->id_text, "error");
        assert_int_equal(IBackgroundCopyJob_GetError(f->job, &error), S_OK);
        assert_int_equal(IBackgroundCopyError_GetError(error, &context, &code), S_OK);
        assert_int_equal(context, BG_ERROR_CONTEXT_REMOTE_FILE);
        assert_int_equal((uint32_t) code, 0x80190194);
        assert_int_equal(IBackgroundCopyError_GetError(error, NULL, &code), E_INVALIDARG);
        assert_int_equal(IBackgroundCopyError_GetErrorDescription(error, 0, &s), S_OK);
        assert_int_equal(wcscmp(s, L"It went wrong in a test."), 0);
        CoTaskMemFree(s);
        assert_int_equal(IBackgroundCopyError_GetErrorContextDescription(error, 0, &s), S_OK);
        assert_non_null(wcsstr(s, L"server"));
        CoTaskMemFree(s);
        assert_int_equal(IBackgroundCopyError_GetProtocol(error, &s), S_OK);
        assert_int_equal(wcscmp(s, L"https"), 0);
        CoTaskMemFree(s);
        assert_int_equal(IBackgroundCopyError_GetFile(error, &file), S_OK);
        assert_int_equal(IBackgroundCopyFile_GetLocalName(file, &s), S_OK);
        assert_int_equal(wcscmp(s, L"/tmp/\x1f600"), 0);
        CoTaskMemFree(s);
        assert_int_equal(IBackgroundCopyError_GetFile(error, NULL), E_INVALIDARG);
        assert_int_equal(IBackgroundCopyError_GetProtocol(error, NULL), E_INVALIDARG);
        assert_int_equal(IBackgroundCopyError_GetErrorDescription(error, 0, NULL), E_INVALIDARG);
        assert_int_equal(IBackgroundCopyError_Release(error), 0);
        assert_int_equal(IBackgroundCopyFile_Release(file), 0);
}

/* ---- callbacks ---- */

static HRESULT callback_query(IBackgroundCopyCallback *This, REFIID riid, void **ppv) {
        if (!IsEqualIID(riid, &IID_IUnknown) && !IsEqualIID(riid, &IID_IBackgroundCopyCallback)) {
                *ppv = NULL;
                return E_NOINTERFACE;
        }
        *ppv = This;
        IBackgroundCopyCallback_AddRef(This);
        return S_OK;
}

static ULONG callback_add_ref(IBackgroundCopyCallback *This) {
        return (ULONG) atomic_fetch_add(&((struct callback *) (void *) This)->n_references, 1) + 1;
}

static ULONG callback_release(IBackgroundCopyCallback *This) {
        return (ULONG) atomic_fetch_sub(&((struct callback *) (void *) This)->n_references, 1) - 1;
}

static HRESULT callback_transferred(IBackgroundCopyCallback *This, IBackgroundCopyJob *job) {
        struct callback *self = (void *) This;

        self->n_transferred++;
        self->thread = pthread_self();
        if (self->remove)
                assert_int_equal(IBackgroundCopyJob_SetNotifyInterface(job, NULL), S_OK);
        if (self->complete)
                self->completed = IBackgroundCopyJob_Complete(job);
        return self->answer;
}

static HRESULT callback_error(IBackgroundCopyCallback *This, IBackgroundCopyJob *job, IBackgroundCopyError *error) {
        struct callback *self = (void *) This;
        BG_ERROR_CONTEXT context;
        HRESULT code = 0;

        self->n_error++;
        assert_int_equal(IBackgroundCopyError_GetError(error, &context, &code), S_OK);
        self->error_code = (uint32_t) code;
        return self->answer;
}

static HRESULT callback_modification(IBackgroundCopyCallback *This, IBackgroundCopyJob *job, DWORD reserved) {
        struct callback *self = (void *) This;

        assert_int_equal(reserved, 0);
        self->n_modification++;
        return E_FAIL; /* not looked at */
}

static const IBackgroundCopyCallbackVtbl callback_vtbl = {
        callback_query, callback_add_ref, callback_release, callback_transferred, callback_error, callback_modification,
};

static struct callback *new_callback(struct fixture *f) {
        struct callback *callback = &f->callbacks[f->n_callbacks++];

        callback->callback.lpVtbl = &callback_vtbl;
        callback->n_references = 1;
        return callback;
}

static void set_callback(struct fixture *f, struct callback *callback) {
        assert_int_equal(IBackgroundCopyJob_SetNotifyInterface(f->job, (IUnknown *) callback), S_OK);
}

static void events_reach_the_callback_and_its_answer_the_service(void **state) {
        struct fixture *f = *state;
        struct callback *callback = new_callback(f);

        add_two_files(f);
        set_callback(f, callback);
        assert_true(job_of(f).notified);
        assert_string_equal(fake_service_call_back(f->fake, "JobTransferred", f->id_text), "");
        assert_int_equal(callback->n_transferred, 1);
        assert_false(pthread_equal(callback->thread, pthread_self()));
        callback->answer = E_FAIL;
        assert_string_not_equal(fake_service_call_back(f->fake, "JobTransferred", f->id_text), "");
        callback->answer = S_FALSE; /* only S_OK takes an event */
        assert_string_not_equal(fake_service_call_back(f->fake, "JobTransferred", f->id_text), "");
        assert_int_equal(callback->n_transferred, 3);
        (void) fake_service_call_back(f->fake, "JobModification", f->id_text);
        assert_int_equal(callback->n_modification, 1);
}

static void an_error_comes_with_its_object_if_it_is_still_true(void **state) {
        struct fixture *f = *state;
        struct callback *callback = new_callback(f);

        add_two_files(f);
        set_callback(f, callback);
        /* Resumed in the meantime: the event is over, nobody is called. */
        assert_string_equal(fake_service_call_back(f->fake, "JobError", f->id_text), "");
        assert_int_equal(callback->n_error, 0);
        fake_service_set_error(f->fake, f->id_text, ERROR_FILE_NOT_FOUND);
        fake_service_set_state(f->fake, f->id_text, "error");
        assert_string_equal(fake_service_call_back(f->fake, "JobError", f->id_text), "");
        assert_int_equal(callback->n_error, 1);
        assert_int_equal(callback->error_code, 0x80190194);
}

static void an_event_that_nobody_wants_is_given_back(void **state) {
        struct fixture *f = *state;
        struct callback *callback = new_callback(f);

        set_callback(f, callback);
        assert_string_not_equal(
                fake_service_call_back(f->fake, "JobTransferred", "0fffffff-aaaa-bbbb-cccc-dddddddddddd"), "");
        assert_string_not_equal(fake_service_call_back(f->fake, "JobTransferred", "no id"), "");
        assert_int_equal(IBackgroundCopyJob_SetNotifyInterface(f->job, NULL), S_OK);
        assert_string_not_equal(fake_service_call_back(f->fake, "JobTransferred", f->id_text), "");
        assert_int_equal(callback->n_transferred, 0);
        assert_false(job_of(f).notified);
        assert_int_equal(callback->n_references, 1);
}

static void the_callback_may_complete_its_job(void **state) {
        struct fixture *f = *state;
        struct callback *callback = new_callback(f);

        callback->complete = true;
        callback->completed = -1;
        add_two_files(f);
        set_callback(f, callback);
        assert_string_equal(fake_service_call_back(f->fake, "JobTransferred", f->id_text), "");
        assert_int_equal(callback->completed, S_OK);
        assert_string_equal(job_of(f).state, "acknowledged");
        /* The end of the job ended the registration: a reference of the thread may be on its way back. */
        for (unsigned i = 0; callback->n_references != 1 && i < 1000; i++)
                usleep(1000);
        assert_int_equal(callback->n_references, 1);
}

static void the_callback_may_remove_itself(void **state) {
        struct fixture *f = *state;
        struct callback *callback = new_callback(f);

        callback->remove = true;
        set_callback(f, callback);
        assert_string_equal(fake_service_call_back(f->fake, "JobTransferred", f->id_text), "");
        for (unsigned i = 0; callback->n_references != 1 && i < 1000; i++)
                usleep(1000);
        assert_int_equal(callback->n_references, 1);
}

static void events_come_also_when_the_job_was_released(void **state) {
        struct fixture *f = *state;
        struct callback *callback = new_callback(f);

        set_callback(f, callback);
        assert_int_equal(IBackgroundCopyJob_Release(f->job), 0);
        f->job = NULL;
        assert_string_equal(fake_service_call_back(f->fake, "JobTransferred", f->id_text), "");
        assert_int_equal(callback->n_transferred, 1);
}

static void the_last_callback_wins_and_can_be_asked_for(void **state) {
        struct fixture *f = *state;
        struct callback *first = new_callback(f), *second = new_callback(f);
        IBackgroundCopyJob *job;
        IUnknown *unknown = (void *) 1;

        assert_int_equal(IBackgroundCopyJob_GetNotifyInterface(f->job, &unknown), S_OK);
        assert_null(unknown);
        set_callback(f, first);
        assert_int_equal(IBackgroundCopyManager_GetJob(f->manager, &f->id, &job), S_OK);
        assert_int_equal(IBackgroundCopyJob_SetNotifyInterface(job, (IUnknown *) second), S_OK);
        assert_int_equal(first->n_references, 1);
        assert_int_equal(IBackgroundCopyJob_GetNotifyInterface(f->job, &unknown), S_OK);
        assert_ptr_equal(unknown, second);
        IUnknown_Release(unknown);
        assert_int_equal(IBackgroundCopyJob_GetNotifyInterface(f->job, NULL), E_INVALIDARG);
        assert_string_equal(fake_service_call_back(f->fake, "JobTransferred", f->id_text), "");
        assert_int_equal(first->n_transferred, 0);
        assert_int_equal(second->n_transferred, 1);
        /* A refusal leaves what was. */
        fake_service_fail_next(f->fake, "SetNotify", "org.dosvc.Error.AccessDenied", "No.");
        assert_int_equal(IBackgroundCopyJob_SetNotifyInterface(job, (IUnknown *) first), E_ACCESSDENIED);
        assert_int_equal(first->n_references, 1);
        assert_string_equal(fake_service_call_back(f->fake, "JobTransferred", f->id_text), "");
        assert_int_equal(second->n_transferred, 2);
        IBackgroundCopyJob_Release(job);
        assert_int_equal(IBackgroundCopyJob_SetNotifyInterface(f->job, (IUnknown *) f->manager), E_NOINTERFACE);
}

static void *cancel_in_between(void *arg) {
        struct fixture *f = arg;

        fake_service_wait_for(f->fake, "SetNotify", 2);
        assert_int_equal(IBackgroundCopyJob_Cancel(f->job), S_OK);
        fake_service_release(f->fake);
        return NULL;
}

static void a_job_that_ends_while_its_callback_is_replaced_keeps_neither(void **state) {
        struct fixture *f = *state;
        struct callback *first = new_callback(f), *second = new_callback(f);
        pthread_t thread;

        set_callback(f, first);
        fake_service_hold(f->fake, "SetNotify");
        assert_int_equal(pthread_create(&thread, NULL, cancel_in_between, f), 0);
        assert_int_equal(IBackgroundCopyJob_SetNotifyInterface(f->job, (IUnknown *) second), BG_E_INVALID_STATE);
        pthread_join(thread, NULL);
        assert_int_equal(first->n_references, 1);
        assert_int_equal(second->n_references, 1);
}

static void a_restarted_service_is_told_again_who_wants_events(void **state) {
        struct fixture *f = *state;
        struct callback *callback = new_callback(f);

        set_callback(f, callback);
        fake_service_stop(f->fake);
        fake_service_start(f->fake);
        /* By itself: the program does nothing but wait for its callback-> */
        fake_service_wait_for(f->fake, "SetNotify", 2);
        assert_string_equal(fake_service_call_back(f->fake, "JobTransferred", f->id_text), "");
        assert_int_equal(callback->n_transferred, 1);
}

static void after_uninitialising_no_callback_comes(void **state) {
        struct fixture *f = *state;
        struct callback *callback = new_callback(f);

        set_callback(f, callback);
        CoUninitialize();
        assert_int_equal(callback->n_references, 1);
        assert_string_not_equal(fake_service_call_back(f->fake, "JobTransferred", f->id_text), "");
        assert_int_equal(callback->n_transferred, 0);
        assert_int_equal(CoInitializeEx(NULL, 0), S_OK);
}

static void a_child_of_fork_can_use_the_objects_and_gets_no_callbacks(void **state) {
        struct fixture *f = *state;
        struct callback *callback = new_callback(f);
        BG_JOB_STATE job_state;
        struct dosvc *c;
        IUnknown *unknown;
        int status;
        pid_t pid;

        set_callback(f, callback);
        assert_int_equal(com_connection_get(&c), 0);
        connection_lock(c); /* the reading thread is at rest too: see fake_service_fork() */
        pid = fake_service_fork(f->fake);
        if (pid != 0)
                connection_unlock(c);
        if (pid == 0) {
                bool ok = IBackgroundCopyJob_GetState(f->job, &job_state) == S_OK &&
                          job_state == BG_JOB_STATE_SUSPENDED &&
                          IBackgroundCopyJob_GetNotifyInterface(f->job, &unknown) == S_OK && !unknown;

                fake_service_child_ends(ok);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(status, 0);
        assert_string_equal(fake_service_call_back(f->fake, "JobTransferred", f->id_text), "");
        assert_int_equal(callback->n_transferred, 1);
        com_connection_put(c);
}

/* ---- threads ---- */

static void *use_the_job(void *arg) {
        struct fixture *f = arg;

        for (unsigned i = 0; i < 100; i++) {
                IEnumBackgroundCopyFiles *files;
                IBackgroundCopyJob *job;
                BG_JOB_STATE job_state;
                ULONG n;

                assert_int_equal(IBackgroundCopyManager_GetJob(f->manager, &f->id, &job), S_OK);
                assert_int_equal(IBackgroundCopyJob_GetState(job, &job_state), S_OK);
                assert_int_equal(IBackgroundCopyJob_EnumFiles(job, &files), S_OK);
                assert_int_equal(IEnumBackgroundCopyFiles_GetCount(files, &n), S_OK);
                assert_int_equal(n, 2);
                IEnumBackgroundCopyFiles_Release(files);
                IBackgroundCopyJob_AddRef(f->job);
                IBackgroundCopyJob_Release(f->job);
                assert_int_equal(IBackgroundCopyJob_Release(job), 0);
        }
        return NULL;
}

static void objects_are_shared_by_threads(void **state) {
        struct fixture *f = *state;
        pthread_t threads[6];

        add_two_files(f);
        for (unsigned i = 0; i < ELEMENTSOF(threads); i++)
                assert_int_equal(pthread_create(&threads[i], NULL, use_the_job, f), 0);
        for (unsigned i = 0; i < ELEMENTSOF(threads); i++)
                pthread_join(threads[i], NULL);
        assert_int_equal(fake_service_connections(f->fake), 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(nothing_is_created_before_initialising),
                cmocka_unit_test(initialising_is_counted_and_keeps_its_model),
                cmocka_unit_test(without_a_service_there_is_no_object),
                cmocka_unit_test(a_job_outlives_its_manager_and_the_uninitialising),
                TEST(all_versions_of_the_manager_can_be_created_and_nothing_else),
                TEST(security_calls_are_checked_and_change_nothing),
                TEST(an_object_has_one_identity_and_counts_its_references),
                TEST(a_job_is_created_only_with_good_arguments),
                TEST(each_manager_finds_its_own_familys_jobs),
                TEST(an_ended_job_is_not_found_but_its_pointer_answers),
                TEST(any_result_code_is_described),
                TEST(properties_come_back_as_they_were_set),
                TEST(values_out_of_range_get_the_documented_codes),
                TEST(facts_of_the_job_are_converted),
                TEST(every_state_of_the_service_is_one_of_the_interface),
                TEST(commands_have_the_codes_of_their_family),
                TEST(files_are_added_only_with_good_names),
                TEST(ranges_travel_and_impossible_ones_do_not),
                TEST(files_are_enumerated_as_a_snapshot),
                TEST(a_file_tells_its_progress_and_ranges),
                TEST(the_error_object_tells_what_happened),
                TEST(events_reach_the_callback_and_its_answer_the_service),
                TEST(an_error_comes_with_its_object_if_it_is_still_true),
                TEST(an_event_that_nobody_wants_is_given_back),
                TEST(the_callback_may_complete_its_job),
                TEST(the_callback_may_remove_itself),
                TEST(events_come_also_when_the_job_was_released),
                TEST(the_last_callback_wins_and_can_be_asked_for),
                TEST(a_job_that_ends_while_its_callback_is_replaced_keeps_neither),
                TEST(a_restarted_service_is_told_again_who_wants_events),
                TEST(after_uninitialising_no_callback_comes),
                TEST(a_child_of_fork_can_use_the_objects_and_gets_no_callbacks),
                TEST(objects_are_shared_by_threads),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

/* NULL and nonsense: every method is called with NULL, random scalars, enums, flags and lengths, and strings that
 * are over-long or no text at all. Each answers with a result code, never with a crash, and the service does not
 * even notice.
 *
 * The methods come from idl/ (make_hammer.py): one that is new there is called here.
 *
 * Each interface runs in a child of its own, so that a crash is that one's. CONFORMS: design.md
 * decision 12. DOSVC_HAMMER_SEED and DOSVC_HAMMER_ROUNDS repeat or lengthen a run. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "conform.h"

#define ROUNDS 100
#define DOWNLOAD_ROUNDS 30 /* each call makes a download */
#define CHILD_TIMEOUT_SECONDS 60
#define N_JOBS 4
#define N_LONG_RANGES 10001 /* more than any file may have */
#define N_LONG_FILES 1000

/* What the rows call; made once in the parent. */
struct targets {
        struct job jobs[N_JOBS]; /* suspended, error, transferred, cancelled */
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
                pool[n++] = L"http://127.0.0.1:1/../../..";
                pool[n++] = L"/tmp/../../etc/passwd";
                pool[n++] = long_text(L"", 257);
                pool[n++] = long_text(L"", 1025);
                pool[n++] = long_text(L"http://127.0.0.1:1/", 2201);
                pool[n++] = long_text(L"/", 5000);
                pool[n++] = long_text(L"/\u6f22", 300);
                pool[n++] = long_text(L"http://127.0.0.1:1/\U0001F600", 2000);
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
                longest = narrow(long_text(L"http://127.0.0.1:1/", 100000));
        if (chance() % 8 == 0)
                return longest;
        return (char *) pool[chance() % ELEMENTSOF(pool)];
}

static GUID any_guid(void) {
        GUID guid = { (ULONG) chance(), (USHORT) chance(), (USHORT) chance(), { (BYTE) chance() } };

        return chance() % 4 ? guid : chance() % 2 ? IID_IUnknown : GUID_NULL;
}

/* ---- values of the types of idl/ ---- */

static const struct family *family; /* of the row that runs */

static struct targets *here(void) {
        return &targets[family - families];
}

static HRESULT take(HRESULT hr, void *object_pointer) { /* releases what was handed out */
        IUnknown *object = *(IUnknown **) object_pointer;

        if (SUCCEEDED(hr) && object)
                (void) IUnknown_Release(object);
        *(IUnknown **) object_pointer = NULL;
        return hr;
}

static ULONG any_ranges_count(void) {
        return chance() % 2 ? (ULONG) (chance() % 6) : chance() % 2 ? N_LONG_RANGES : N_LONG_RANGES + (ULONG) (chance() >> 33);
}
static BG_FILE_RANGE *any_ranges(ULONG n) {
        static BG_FILE_RANGE ranges[N_LONG_RANGES];

        for (size_t i = 0; i < 6; i++)
                ranges[i] = (BG_FILE_RANGE){ any64(), any64() };
        return n > N_LONG_RANGES ? NULL : maybe(ranges);
}

static ULONG any_file_set_count(void) {
        return chance() % 2 ? (ULONG) (chance() % 6) : chance() % 2 ? N_LONG_FILES : 1000001 + (ULONG) (chance() >> 33);
}
static BG_FILE_INFO *any_file_set(ULONG n) {
        static BG_FILE_INFO set[N_LONG_FILES]; /* beyond the first few: NULL */

        for (size_t i = 0; i < 5; i++)
                set[i] = (BG_FILE_INFO){ any_text(), any_text() };
        return n > N_LONG_FILES ? NULL : maybe(set);
}

static BG_AUTH_CREDENTIALS *any_credentials(void) {
        static BG_AUTH_CREDENTIALS credentials;

        credentials.Target = (BG_AUTH_TARGET) (chance() % 4 ? 1 + chance() % 2 : any32());
        credentials.Scheme = (BG_AUTH_SCHEME) (chance() % 4 ? 1 + chance() % 5 : any32());
        credentials.Credentials.Basic = (BG_BASIC_CREDENTIALS){ any_text(), any_text() };
        return maybe(&credentials);
}

/* No callback of any kind, or none at all. */
static IUnknown *any_unknown(void) {
        return maybe(manager_of(family));
}

/* Any type tag over bytes that are a pointer only where the tag says so. */
static const VARIANT *any_variant(void) {
        static const VARTYPE types[] = { VT_EMPTY, VT_NULL, VT_BSTR, VT_BOOL, VT_UI4, VT_UI8, VT_UNKNOWN, VT_I4, VT_R8 };
        static BSTR text;
        static VARIANT value;

        value = (VARIANT){ .vt = types[chance() % ELEMENTSOF(types)] };
        V_UI8(&value) = any64();
        if (V_VT(&value) == VT_BSTR) {
                SysFreeString(text);
                text = chance() % 3 ? SysAllocString(any_text()) : SysAllocStringLen(NULL, (UINT) (chance() % 70000));
                V_BSTR(&value) = text;
        } else if (V_VT(&value) == VT_UNKNOWN)
                V_UNKNOWN(&value) = any_unknown();
        return maybe(&value);
}

static const DO_DOWNLOAD_RANGES_INFO *any_download_ranges(void) {
        static union {
                DO_DOWNLOAD_RANGES_INFO info;
                char room[sizeof(DO_DOWNLOAD_RANGES_INFO) + 16 * sizeof(DO_DOWNLOAD_RANGE)];
        } ranges;

        ranges.info.RangeCount = (UINT) (chance() % 16);
        for (UINT i = 0; i < ranges.info.RangeCount; i++)
                ((DO_DOWNLOAD_RANGE *) ranges.info.Ranges)[i] = (DO_DOWNLOAD_RANGE){ any64(), any64() };
        return maybe(&ranges.info);
}

static const DO_DOWNLOAD_ENUM_CATEGORY *any_category(void) {
        static DO_DOWNLOAD_ENUM_CATEGORY category;

        category = (DO_DOWNLOAD_ENUM_CATEGORY){ (DODownloadProperty) (chance() % 2 ? chance() % 8 : any32()), any_text() };
        return maybe(&category);
}

/* All but one: a Start that blocks would block the row. */
static DODownloadProperty any_download_property(void) {
        DODownloadProperty property = (DODownloadProperty) (chance() % 4 ? chance() % 31 : any32());

        return property == DODownloadProperty_BlockingMode ? DODownloadProperty_Uri : property;
}

/* ---- places for what comes out ---- */

static union {
        void *pointer;
        VARIANT variant;
        DOSwarmStats stats;
        BG_JOB_PROGRESS progress;
        uint8_t room[256];
} out[4];
static void *out_array[N_LONG_RANGES];

static void empty_out(void) {
        memset(out, 0, sizeof(out));
        memset(out_array, 0, 8 * sizeof(*out_array));
}

static ULONG any_count(void) {
        return chance() % 2 ? (ULONG) (chance() % 4) : chance() % 2 ? N_LONG_RANGES : any32();
}
static void *maybe_array(ULONG n) {
        return n > N_LONG_RANGES ? NULL : maybe(out_array);
}

static void give_memory(HRESULT hr, void *place) {
        if (SUCCEEDED(hr))
                CoTaskMemFree(*(void **) place);
}
static void give_object(HRESULT hr, void *place) {
        (void) take(hr, place);
}
static void give_variant(HRESULT hr, void *place) {
        if (SUCCEEDED(hr))
                (void) VariantClear(place);
}
static void give_stats(HRESULT hr, void *place) {
        DOSwarmStats *stats = place;

        if (SUCCEEDED(hr)) {
                CoTaskMemFree(stats->fileId);
                CoTaskMemFree(stats->sourceURL);
        }
}
static void give_array(HRESULT hr, ULONG n) {
        for (ULONG i = 0; SUCCEEDED(hr) && i < n && i < N_LONG_RANGES && out_array[i]; i++)
                (void) take(hr, &out_array[i]);
}

/* ---- every method of every interface ---- */

struct method {
        const char *name;
        HRESULT (*call)(void *object);
};
struct interface {
        const char *name;
        const IID *iid;
        const struct method *methods;
        size_t n_methods;
};
#include "hammer-rows.inc"

/* Interfaces that no object of the family has: downloads belong to the class that is documented to have them. */
static bool is_absent(const struct interface *interface) {
        static const char *const downloads[] = { "IDODownload", "IDOManager", "IEnumUnknown" };

        for (size_t i = 0; !family->is_do && i < ELEMENTSOF(downloads); i++)
                if (strcmp(downloads[i], interface->name) == 0)
                        return true;
        return false;
}

/* A job that Cancel and Complete may hit: made anew now and then. */
static IBackgroundCopyJob *living;

static void renew_living(void) {
        IBackgroundCopyJob *job = NULL;
        GUID id;

        if (living) {
                (void) IBackgroundCopyJob_Cancel(living);
                (void) IBackgroundCopyJob_Release(living);
        }
        living = NULL;
        if (FAILED(IBackgroundCopyManager_CreateJob(manager_of(family), L"living", BG_JOB_TYPE_DOWNLOAD, &id, &job)))
                return;
        (void) IBackgroundCopyJob_AddFile(job, origin_url("/f?size=10"), destination("living"));
        (void) job_add_ranges(&(struct job){ .com = job }, L"id", origin_url("/f?size=10"), destination("living"), 0, NULL, 10);
        living = job;
}

/* The other way in, its downloads and its list of them. */
static IUnknown *any_download_object(void) {
        IDOManager *manager;
        IUnknown *object = NULL;

        if (FAILED(CoCreateInstance(family->clsid, NULL, CLSCTX_LOCAL_SERVER, &IID_IDOManager, (void **) &manager)))
                return NULL;
        if (chance() % 3 == 0)
                return (IUnknown *) manager;
        if (chance() % 2)
                (void) IDOManager_CreateDownload(manager, (IDODownload **) &object);
        else
                (void) IDOManager_EnumDownloads(manager, NULL, (IEnumUnknown **) &object);
        (void) IDOManager_Release(manager);
        return object;
}

/* One that QueryInterface can be asked of, with a reference; NULL: that one is not there. */
static IUnknown *any_object(void) {
        const struct targets *t = here();
        IEnumBackgroundCopyFiles *files;
        IBackgroundCopyFile *file = NULL;
        IUnknown *object = NULL;

        switch (chance() % 9) {
        case 0:
                object = (IUnknown *) manager_of(family);
                break;
        case 1:
                object = (IUnknown *) t->jobs[chance() % N_JOBS].com;
                break;
        case 2:
        case 3:
                object = (IUnknown *) living;
                break;
        case 4:
                object = (IUnknown *) t->file;
                break;
        case 5:
                object = (IUnknown *) t->error;
                break;
        case 6:
                object = (IUnknown *) t->files;
                break;
        case 7:
                object = (IUnknown *) t->enum_jobs;
                break;
        default:
                if (living && SUCCEEDED(IBackgroundCopyJob_EnumFiles(living, &files))) {
                        (void) IEnumBackgroundCopyFiles_Next(files, 1, &file, NULL);
                        (void) IEnumBackgroundCopyFiles_Release(files);
                }
                return (IUnknown *) file;
        }
        if (object)
                (void) IUnknown_AddRef(object);
        return object;
}

static bool is_of_downloads(const IID *iid) {
        return IsEqualIID(iid, &IID_IDOManager) || IsEqualIID(iid, &IID_IDODownload) || IsEqualIID(iid, &IID_IEnumUnknown);
}

/* NULL: nothing has it. */
static void *object_with(const IID *iid) {
        for (unsigned tries = 0; tries < 200; tries++) {
                IUnknown *object = is_of_downloads(iid) ? any_download_object() : any_object();
                void *wanted = NULL;

                if (!object)
                        continue;
                if (FAILED(IUnknown_QueryInterface(object, iid, &wanted)))
                        wanted = NULL;
                (void) IUnknown_Release(object);
                if (wanted)
                        return wanted;
        }
        return NULL;
}

static const char **told; /* shared with the parent: the method that runs */

static HRESULT hammer(const struct interface *interface, unsigned round) {
        const struct method *method = &interface->methods[chance() % interface->n_methods];
        void *object;
        HRESULT hr;

        if (is_of_downloads(interface->iid) && round >= DOWNLOAD_ROUNDS)
                return S_OK;
        if (round % 32 == 0)
                renew_living();
        object = object_with(interface->iid);
        if (!object)
                return is_absent(interface) ? S_OK : E_UNEXPECTED;
        *told = method->name;
        hr = method->call(object);
        (void) IUnknown_Release((IUnknown *) object);
        return hr;
}

/* ---- what is no interface ---- */

#define ROW(name) static HRESULT name(void)

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
        size_t row; /* of interfaces[], and behind them of rows[] */
        char name[64];
};
#define N_STRIKES (ELEMENTSOF(interfaces) + ELEMENTSOF(rows))

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
        for (unsigned i = 0; i < n_rounds; i++) {
                HRESULT hr = strike->row < ELEMENTSOF(interfaces) ? hammer(&interfaces[strike->row], i)
                                                                  : rows[strike->row - ELEMENTSOF(interfaces)].call();

                if (hr == E_UNEXPECTED || !is_result(hr))
                        _exit(2);
        }
        if (living)
                (void) IBackgroundCopyJob_Release(living);
        dosvc_close(connection);
        _exit(0);
}

static void nonsense_is_answered(void **state) {
        const struct strike *strike = *state;
        pid_t before = world_service_pid(), pid;
        int status = -1;

        *told = "";
        pid = fork();
        if (pid == 0)
                strike_child(strike);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
                fail_msg("seed %llu: in %s the child ended with %s %d", (unsigned long long) seed, *told,
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

                for (size_t i = 0; i < N_JOBS; i++)
                        job_done(&t->jobs[i]);
                (void) IBackgroundCopyFile2_Release(t->file);
                (void) IBackgroundCopyError_Release(t->error);
                (void) IEnumBackgroundCopyFiles_Release(t->files);
                (void) IEnumBackgroundCopyJobs_Release(t->enum_jobs);
        }
        print_message("seed %llu, %u calls of each\n", (unsigned long long) seed, n_rounds);
        return world_stop();
}

int main(int argc, char **argv) {
        static struct strike strikes[2 * N_STRIKES];
        static struct CMUnitTest tests[ELEMENTSOF(strikes)];
        const char *wanted_seed = getenv("DOSVC_HAMMER_SEED"), *wanted_rounds = getenv("DOSVC_HAMMER_ROUNDS");
        size_t n = 0;

        told = mmap(NULL, sizeof(*told), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (told == MAP_FAILED)
                return EXIT_FAILURE;
        world_arguments(argc, argv);
        if (wanted_seed)
                seed = strtoull(wanted_seed, NULL, 10);
        if (wanted_rounds)
                n_rounds = (unsigned) strtoul(wanted_rounds, NULL, 10);
        FOR_EACH_FAMILY(f)
        for (size_t row = 0; row < N_STRIKES; row++) {
                strikes[n] = (struct strike){ .family = f, .row = row };
                (void) snprintf(strikes[n].name, sizeof(strikes[n].name), "%s %s", f->name,
                                row < ELEMENTSOF(interfaces) ? interfaces[row].name : rows[row - ELEMENTSOF(interfaces)].name);
                tests[n] = (struct CMUnitTest){ .name = strikes[n].name,
                                                .test_func = nonsense_is_answered,
                                                .initial_state = &strikes[n] };
                n++;
        }
        return cmocka_run_group_tests_name("NULL and nonsense", tests, set_up, tear_down);
}

/* Activation, managers, the job as an object, its properties and their limits: one small test for each row. */
#include <stdlib.h>
#include <unistd.h>

#include "conform.h"

#define MAX_JOBS 40 /* in this service's configuration */

static ULONG count_jobs(const struct family *family) {
        IEnumBackgroundCopyJobs *jobs;
        ULONG n;

        assert_hr(IBackgroundCopyManager_EnumJobs(manager_of(family), 0, &jobs), S_OK);
        assert_hr(IEnumBackgroundCopyJobs_GetCount(jobs, &n), S_OK);
        assert_int_equal(IEnumBackgroundCopyJobs_Release(jobs), 0);
        return n;
}

/* ---- activation ---- */

/* CONFORMS: api.md 1.2 (CLSIDs), 1.1 (both families serve IID_IBackgroundCopyManager), design.md decision 1 */
static void every_class_of_a_family_reaches_the_same_jobs(void **state) {
        const CLSID *classes[] = {
                &CLSID_BackgroundCopyManager,     &CLSID_BackgroundCopyManager1_5,  &CLSID_BackgroundCopyManager2_0,
                &CLSID_BackgroundCopyManager2_5,  &CLSID_BackgroundCopyManager3_0,  &CLSID_BackgroundCopyManager4_0,
                &CLSID_BackgroundCopyManager5_0,  &CLSID_BackgroundCopyManager10_1, &CLSID_BackgroundCopyManager10_2,
                &CLSID_BackgroundCopyManager10_3,
        };
        struct job job = job_new(&families[1]);

        for (size_t i = 0; i < ELEMENTSOF(classes); i++) {
                IBackgroundCopyManager *manager;
                IBackgroundCopyJob *found;

                assert_hr(CoCreateInstance(classes[i], NULL, CLSCTX_LOCAL_SERVER, &IID_IBackgroundCopyManager,
                                           (void **) &manager),
                          S_OK);
                assert_hr(IBackgroundCopyManager_GetJob(manager, &job.id, &found), S_OK);
                assert_int_equal(IBackgroundCopyJob_Release(found), 0);
                assert_int_equal(IBackgroundCopyManager_Release(manager), 0);
        }
        job_done(&job);
}

/* CONFORMS: dosvc-com.h CoCreateInstance; api.md 1.2 (QMgr is legacy) */
static void what_is_no_class_here_is_refused(void **state) {
        void *object = state;

        assert_hr(CoCreateInstance(&CLSID_BackgroundCopyQMgr, NULL, CLSCTX_LOCAL_SERVER, &IID_IUnknown, &object),
                  REGDB_E_CLASSNOTREG);
        assert_null(object);
        assert_hr(CoCreateInstance(&GUID_NULL, NULL, CLSCTX_LOCAL_SERVER, &IID_IUnknown, &object), REGDB_E_CLASSNOTREG);
        object = state;
        assert_hr(CoCreateInstance(&CLSID_DeliveryOptimization, (IUnknown *) manager_of(&families[0]),
                                   CLSCTX_LOCAL_SERVER, &IID_IUnknown, &object),
                  CLASS_E_NOAGGREGATION);
        assert_null(object);
        object = state;
        assert_hr(CoCreateInstance(&CLSID_DeliveryOptimization, NULL, CLSCTX_LOCAL_SERVER, &IID_IBackgroundCopyJob,
                                   &object),
                  E_NOINTERFACE);
        assert_null(object);
}

static void assert_is_same_object(IUnknown *object, IUnknown *identity) {
        IUnknown *one;

        assert_hr(IUnknown_QueryInterface(object, &IID_IUnknown, (void **) &one), S_OK);
        assert_ptr_equal(one, identity);
        (void) IUnknown_Release(one);
}

/* CONFORMS: api.md 1.3 (QueryInterface from job): one identity; what is not there is E_NOINTERFACE with NULL. The
 * interfaces of later releases (issue 2 point 8) are one or the other. */
static void a_job_has_one_identity_behind_all_its_interfaces(void **state) {
        const IID *must[] = { &IID_IUnknown, &IID_IBackgroundCopyJob, &IID_IDeliveryOptimizationJob };
        const IID *may[] = {
                &IID_IBackgroundCopyJob2,       &IID_IBackgroundCopyJob3,           &IID_IBackgroundCopyJob4,
                &IID_IBackgroundCopyJob5,       &IID_IBackgroundCopyJobHttpOptions, &IID_IBitsTokenOptions,
                &IID_IDeliveryOptimizationJob2,
        };
        const IID *never[] = { &IID_IBackgroundCopyFile, &IID_IBackgroundCopyManager, &IID_IBackgroundCopyCallback,
                               &GUID_NULL };

        FOR_EACH_FAMILY(family) {
                struct job job = job_new(family);
                IUnknown *identity, *object;

                assert_hr(IBackgroundCopyJob_QueryInterface(job.com, &IID_IUnknown, (void **) &identity), S_OK);
                for (size_t i = 0; i < ELEMENTSOF(must); i++) {
                        assert_hr(IBackgroundCopyJob_QueryInterface(job.com, must[i], (void **) &object), S_OK);
                        assert_is_same_object(object, identity);
                        (void) IUnknown_Release(object);
                }
                for (size_t i = 0; i < ELEMENTSOF(may); i++) {
                        object = (IUnknown *) (void *) state;
                        if (IBackgroundCopyJob_QueryInterface(job.com, may[i], (void **) &object) == S_OK) {
                                assert_is_same_object(object, identity);
                                (void) IUnknown_Release(object);
                        } else {
                                assert_null(object);
                        }
                }
                for (size_t i = 0; i < ELEMENTSOF(never); i++) {
                        object = (IUnknown *) (void *) state;
                        assert_hr(IBackgroundCopyJob_QueryInterface(job.com, never[i], (void **) &object),
                                  E_NOINTERFACE);
                        assert_null(object);
                }
                assert_hr(IBackgroundCopyJob_QueryInterface(job.com, &IID_IUnknown, NULL), E_POINTER);
                (void) IUnknown_Release(identity);
                job_done(&job);
        }
}

/* ---- manager ---- */

/* CONFORMS: api.md 2.1 CreateJob → S; 2.4 "fresh job: SUSPENDED, progress 0/0/0/0" */
/* SENTENCES: fresh manager.create state.create */
static void a_fresh_job_is_suspended_and_empty(void **state) {
        FOR_EACH_FAMILY(family) {
                BG_JOB_PROGRESS progress = { 7, 7, 7, 7 };
                struct job job = job_new(family);

                assert_int_equal(job_state(&job), BG_JOB_STATE_SUSPENDED);
                assert_hr(IBackgroundCopyJob_GetProgress(job.com, &progress), S_OK);
                assert_true(progress.BytesTotal == 0 && progress.BytesTransferred == 0);
                assert_int_equal(progress.FilesTotal, 0);
                assert_int_equal(progress.FilesTransferred, 0);
                job_done(&job);
        }
}

/* CONFORMS: api.md 1.8 CreateJob, 1.7 "Display name": at most 256, NULL is E_INVALIDARG */
/* SENTENCES: limits.name manager.create.invalid */
static void a_job_cannot_be_made_with_a_bad_name_or_type(void **state) {
        FOR_EACH_FAMILY(family) {
                IBackgroundCopyManager *manager = manager_of(family);
                ULONG before = count_jobs(family);
                IBackgroundCopyJob *job;
                GUID id;

                assert_hr(IBackgroundCopyManager_CreateJob(manager, NULL, BG_JOB_TYPE_DOWNLOAD, &id, &job),
                          E_INVALIDARG);
                assert_null(job);
                assert_hr(IBackgroundCopyManager_CreateJob(manager, long_text(L"", 257), BG_JOB_TYPE_DOWNLOAD, &id,
                                                           &job),
                          E_INVALIDARG);
                assert_hr(IBackgroundCopyManager_CreateJob(manager, L"x", BG_JOB_TYPE_DOWNLOAD, NULL, &job),
                          E_INVALIDARG);
                assert_hr(IBackgroundCopyManager_CreateJob(manager, L"x", BG_JOB_TYPE_DOWNLOAD, &id, NULL),
                          E_INVALIDARG);
                assert_hr(IBackgroundCopyManager_CreateJob(manager, L"x", BG_JOB_TYPE_UPLOAD, &id, &job), E_NOTIMPL);
                assert_hr(IBackgroundCopyManager_CreateJob(manager, L"x", BG_JOB_TYPE_UPLOAD_REPLY, &id, &job),
                          E_NOTIMPL);
                assert_true(FAILED(IBackgroundCopyManager_CreateJob(manager, L"x", (BG_JOB_TYPE) 3, &id, &job)));
                assert_int_equal(count_jobs(family), before);
        }
}

static void assert_display_name(const struct job *job, const wchar_t *expected) {
        LPWSTR name;
        size_t i = 0;

        assert_hr(IBackgroundCopyJob_GetDisplayName(job->com, &name), S_OK);
        for (; expected[i]; i++)
                assert_int_equal(name[i], expected[i]);
        assert_int_equal(name[i], 0);
        CoTaskMemFree(name);
}

/* CONFORMS: api.md 1.7 "≤256 chars excl. NUL"; design.md decision 12: lengths are code points */
/* SENTENCES: limits.name */
static void a_name_of_256_characters_of_any_script_is_kept(void **state) {
        static const wchar_t *const starts[] = { L"a", L"\u00e4\u6f22\U0001F600" };

        FOR_EACH_FAMILY(family)
        for (size_t i = 0; i < ELEMENTSOF(starts); i++) {
                const wchar_t *name = long_text(starts[i], 256);
                struct job job = { .family = family };

                assert_hr(IBackgroundCopyManager_CreateJob(manager_of(family), name, BG_JOB_TYPE_DOWNLOAD, &job.id,
                                                           &job.com),
                          S_OK);
                assert_display_name(&job, name);
                job_done(&job);
        }
}

/* CONFORMS: api.md 1.1 "each manager sees its own jobs", 2.4; design.md decision 1 */
/* SENTENCES: queues */
static void a_family_does_not_see_the_other_ones_jobs(void **state) {
        FOR_EACH_FAMILY(family) {
                const struct family *other = &families[family == families];
                struct job job = job_new(family);
                ULONG before = count_jobs(other);
                IBackgroundCopyJob *found;
                struct job another;

                assert_hr(IBackgroundCopyManager_GetJob(manager_of(other), &job.id, &found), other->not_found);
                assert_null(found);
                another = job_new(family);
                assert_int_equal(count_jobs(other), before);
                job_done(&another);
                job_done(&job);
        }
}

/* CONFORMS: api.md 1.8 GetJob */
/* SENTENCES: manager.get */
static void a_job_is_found_by_its_id_alone(void **state) {
        FOR_EACH_FAMILY(family) {
                struct job job = job_new(family);
                IBackgroundCopyJob *found;
                GUID id = job.id;

                assert_hr(IBackgroundCopyManager_GetJob(manager_of(family), &job.id, &found), S_OK);
                assert_hr(IBackgroundCopyJob_Suspend(found), S_OK);
                (void) IBackgroundCopyJob_Release(found);
                id.Data1 ^= 1;
                assert_hr(IBackgroundCopyManager_GetJob(manager_of(family), &id, &found), family->not_found);
                assert_hr(IBackgroundCopyManager_GetJob(manager_of(family), &GUID_NULL, &found), family->not_found);
                assert_hr(IBackgroundCopyManager_GetJob(manager_of(family), NULL, &found), E_INVALIDARG);
                assert_hr(IBackgroundCopyManager_GetJob(manager_of(family), &job.id, NULL), E_INVALIDARG);
                job_done(&job);
        }
}

/* CONFORMS: api.md 1.8 EnumJobs: snapshot, final-state jobs absent */
/* SENTENCES: manager.enum */
static void a_list_of_jobs_is_a_snapshot_of_the_living(void **state) {
        FOR_EACH_FAMILY(family) {
                struct job a = job_new(family), b = job_new(family), gone = job_new(family);
                IEnumBackgroundCopyJobs *jobs, *clone;
                IBackgroundCopyJob *items[8];
                ULONG n, fetched;

                assert_hr(IBackgroundCopyJob_Cancel(gone.com), S_OK);
                assert_hr(IBackgroundCopyManager_EnumJobs(manager_of(family), 0, &jobs), S_OK);
                job_done(&a);
                assert_hr(IEnumBackgroundCopyJobs_GetCount(jobs, &n), S_OK);
                assert_int_equal(n, 2);
                assert_hr(IEnumBackgroundCopyJobs_Skip(jobs, 1), S_OK);
                assert_hr(IEnumBackgroundCopyJobs_Clone(jobs, &clone), S_OK);
                assert_hr(IEnumBackgroundCopyJobs_Next(clone, ELEMENTSOF(items), items, &fetched), S_FALSE);
                assert_int_equal(fetched, 1);
                (void) IBackgroundCopyJob_Release(items[0]);
                assert_hr(IEnumBackgroundCopyJobs_Skip(jobs, 2), S_FALSE);
                assert_hr(IEnumBackgroundCopyJobs_Next(jobs, 1, items, &fetched), S_FALSE);
                assert_int_equal(fetched, 0);
                assert_hr(IEnumBackgroundCopyJobs_Reset(jobs), S_OK);
                assert_hr(IEnumBackgroundCopyJobs_Next(jobs, 2, items, NULL), E_INVALIDARG);
                assert_hr(IEnumBackgroundCopyJobs_Next(jobs, 2, items, &fetched), S_OK);
                (void) IBackgroundCopyJob_Release(items[0]);
                (void) IBackgroundCopyJob_Release(items[1]);
                assert_int_equal(IEnumBackgroundCopyJobs_Release(clone), 0);
                assert_int_equal(IEnumBackgroundCopyJobs_Release(jobs), 0);
                job_done(&b);
                job_done(&gone);
        }
}

/* CONFORMS: api.md 1.8 EnumJobs: ALL_USERS wants an administrator */
/* SENTENCES: manager.enum.all */
static void all_users_jobs_are_for_administrators(void **state) {
        IEnumBackgroundCopyJobs *jobs;
        HRESULT hr;

        hr = IBackgroundCopyManager_EnumJobs(manager_of(&families[1]), BG_JOB_ENUM_ALL_USERS, &jobs);
        assert_hr(hr, geteuid() == 0 ? S_OK : E_ACCESSDENIED);
        if (SUCCEEDED(hr))
                (void) IEnumBackgroundCopyJobs_Release(jobs);
}

/* CONFORMS: api.md 1.8 GetErrorDescription */
/* SENTENCES: manager.describe */
static void every_code_has_a_text(void **state) {
        /* Those of the two families, of HTTP, and some of COM, of Windows and of nobody. */
        static const struct {
                uint32_t first, last;
        } codes[] = {
                { 0x80200000, 0x80200080 }, { 0x80D02000, 0x80D020FF }, { 0x80D03800, 0x80D0381F }, { 0x80190064, 0x80190257 },
                { S_OK, S_FALSE }, { E_NOTIMPL, E_NOTIMPL }, { E_FAIL, E_FAIL }, { E_ACCESSDENIED, E_ACCESSDENIED },
                { E_INVALIDARG, E_INVALIDARG }, { 0x80070070, 0x80070070 }, { 0x8badf00d, 0x8badf00d }, { 0xffffffff, 0xffffffff },
        };

        FOR_EACH_FAMILY(family)
        for (size_t i = 0; i < ELEMENTSOF(codes); i++)
                for (uint64_t code = codes[i].first; code <= codes[i].last; code++) {
                        LPWSTR text = NULL;

                        assert_hr(IBackgroundCopyManager_GetErrorDescription(manager_of(family), (HRESULT) code, LANG_ENGLISH, &text), S_OK);
                        assert_true(text[0] != 0);
                        CoTaskMemFree(text);
                }
        assert_hr(IBackgroundCopyManager_GetErrorDescription(manager_of(&families[0]), E_FAIL, 0, NULL), E_INVALIDARG);
}

/* CONFORMS: api.md 1.7 "Jobs": a limit, with its code */
/* SENTENCES: limits.jobs */
static void one_user_has_only_so_many_jobs(void **state) {
        IBackgroundCopyManager *manager = manager_of(&families[1]);
        struct job jobs[MAX_JOBS];
        IBackgroundCopyJob *one_more;
        GUID id;

        for (size_t i = 0; i < ELEMENTSOF(jobs); i++)
                jobs[i] = job_new(&families[i % 2]);
        assert_hr(IBackgroundCopyManager_CreateJob(manager, L"x", BG_JOB_TYPE_DOWNLOAD, &id, &one_more),
                  BG_E_TOO_MANY_JOBS_PER_USER);
        assert_null(one_more);
        job_done(&jobs[0]);
        jobs[0] = job_new(&families[1]);
        for (size_t i = 0; i < ELEMENTSOF(jobs); i++)
                job_done(&jobs[i]);
}

/* ---- properties ---- */

/* CONFORMS: api.md 1.4 BG_JOB_PRIORITY, 1.6 BG_NOTIFY default 0x3, 1.7 MinimumRetryDelay 600, NoProgressTimeout
 * per family */
/* SENTENCES: flags progress.default.bits retry.default */
static void a_new_job_has_the_documented_defaults(void **state) {
        FOR_EACH_FAMILY(family) {
                struct job job = job_new(family);
                IUnknown *callback = NULL;
                BG_JOB_PRIORITY priority;
                ULONG value;
                LPWSTR text;

                assert_hr(IBackgroundCopyJob_GetPriority(job.com, &priority), S_OK);
                assert_int_equal(priority, BG_JOB_PRIORITY_NORMAL);
                assert_hr(IBackgroundCopyJob_GetNotifyFlags(job.com, &value), S_OK);
                assert_int_equal(value, BG_NOTIFY_JOB_TRANSFERRED | BG_NOTIFY_JOB_ERROR);
                assert_hr(IBackgroundCopyJob_GetErrorCount(job.com, &value), S_OK);
                assert_int_equal(value, 0);
                assert_hr(IBackgroundCopyJob_GetNotifyInterface(job.com, &callback), S_OK);
                assert_null(callback);
                assert_hr(IBackgroundCopyJob_GetDescription(job.com, &text), S_OK);
                assert_int_equal(text[0], 0);
                CoTaskMemFree(text);
                assert_hr(IBackgroundCopyJob_GetNoProgressTimeout(job.com, &value), S_OK);
                if (!family->is_do)
                        assert_int_equal(value, 1209600);
                assert_hr(IBackgroundCopyJob_GetMinimumRetryDelay(job.com, &value), S_OK);
                if (!family->is_do)
                        assert_int_equal(value, 600);
                job_done(&job);
        }
}

static ULONG no_progress_with(const struct family *family, BG_JOB_PRIORITY priority) {
        struct job job = job_new(family);
        ULONG seconds;

        assert_hr(IBackgroundCopyJob_SetPriority(job.com, priority), S_OK);
        assert_hr(IBackgroundCopyJob_GetNoProgressTimeout(job.com, &seconds), S_OK);
        job_done(&job);
        return seconds;
}

/* CONFORMS: api.md 1.7 NoProgressTimeout: DO 3600 s (foreground/high), 86400 s (low); BITS 14 days */
/* SENTENCES: progress.default.do */
static void the_no_progress_default_follows_the_priority_in_the_do_family(void **state) {
        assert_int_equal(no_progress_with(&families[0], BG_JOB_PRIORITY_FOREGROUND), 3600);
        assert_int_equal(no_progress_with(&families[0], BG_JOB_PRIORITY_HIGH), 3600);
        assert_int_equal(no_progress_with(&families[0], BG_JOB_PRIORITY_LOW), 86400);
        assert_int_equal(no_progress_with(&families[1], BG_JOB_PRIORITY_FOREGROUND), 1209600);
        assert_int_equal(no_progress_with(&families[1], BG_JOB_PRIORITY_LOW), 1209600);
}

/* CONFORMS: api.md 1.8 GetTimes: creation, modification; completion 0 before TRANSFERRED */
/* SENTENCES: job.times */
static void times_tell_creation_and_change(void **state) {
        FOR_EACH_FAMILY(family) {
                struct job job = job_new(family);
                BG_JOB_TIMES before, after;

                assert_hr(IBackgroundCopyJob_GetTimes(job.com, &before), S_OK);
                assert_int_equal(before.TransferCompletionTime.dwHighDateTime, 0);
                assert_int_equal(before.TransferCompletionTime.dwLowDateTime, 0);
                assert_hr(IBackgroundCopyJob_SetDescription(job.com, L"changed"), S_OK);
                assert_hr(IBackgroundCopyJob_GetTimes(job.com, &after), S_OK);
                assert_memory_equal(&after.CreationTime, &before.CreationTime, sizeof(FILETIME));
                assert_memory_not_equal(&after.ModificationTime, &before.ModificationTime, sizeof(FILETIME));
                job_done(&job);
        }
}

/* CONFORMS: api.md 1.7 "Display name", 1.8 SetDisplayName */
/* SENTENCES: limits.name */
static void a_name_can_be_changed_within_its_limit(void **state) {
        FOR_EACH_FAMILY(family) {
                struct job job = job_new(family);

                assert_hr(IBackgroundCopyJob_SetDisplayName(job.com, long_text(L"n", 256)), S_OK);
                assert_hr(IBackgroundCopyJob_SetDisplayName(job.com, long_text(L"n", 257)), family->string_too_long);
                assert_hr(IBackgroundCopyJob_SetDisplayName(job.com, NULL), E_INVALIDARG);
                assert_display_name(&job, long_text(L"n", 256));
                job_done(&job);
        }
}

/* CONFORMS: api.md 1.7 "Description": at most 1024, NULL is E_INVALIDARG, longer is BG_E_STRING_TOO_LONG */
/* SENTENCES: limits.description */
static void a_description_can_be_changed_within_its_limit(void **state) {
        FOR_EACH_FAMILY(family) {
                struct job job = job_new(family);
                LPWSTR text;

                assert_hr(IBackgroundCopyJob_SetDescription(job.com, long_text(L"", 1024)), S_OK);
                assert_hr(IBackgroundCopyJob_SetDescription(job.com, long_text(L"", 1025)), family->string_too_long);
                assert_hr(IBackgroundCopyJob_SetDescription(job.com, NULL), E_INVALIDARG);
                assert_hr(IBackgroundCopyJob_GetDescription(job.com, &text), S_OK);
                assert_int_equal(text[1023], L'a');
                assert_int_equal(text[1024], 0);
                CoTaskMemFree(text);
                assert_hr(IBackgroundCopyJob_SetDescription(job.com, L""), S_OK);
                job_done(&job);
        }
}

/* CONFORMS: api.md 1.8 SetPriority: default NORMAL; outside the enum E_NOTIMPL */
/* SENTENCES: job.priority */
static void a_priority_outside_the_enum_is_not_implemented(void **state) {
        static const int bad[] = { -1, 4, 5, 1000, INT32_MAX, INT32_MIN };

        FOR_EACH_FAMILY(family) {
                struct job job = job_new(family);
                BG_JOB_PRIORITY priority;

                for (int good = BG_JOB_PRIORITY_FOREGROUND; good <= BG_JOB_PRIORITY_LOW; good++) {
                        assert_hr(IBackgroundCopyJob_SetPriority(job.com, (BG_JOB_PRIORITY) good), S_OK);
                        assert_hr(IBackgroundCopyJob_GetPriority(job.com, &priority), S_OK);
                        assert_int_equal(priority, good);
                }
                for (size_t i = 0; i < ELEMENTSOF(bad); i++)
                        assert_hr(IBackgroundCopyJob_SetPriority(job.com, (BG_JOB_PRIORITY) bad[i]), E_NOTIMPL);
                assert_hr(IBackgroundCopyJob_GetPriority(job.com, &priority), S_OK);
                assert_int_equal(priority, BG_JOB_PRIORITY_LOW);
                job_done(&job);
        }
}

/* CONFORMS: api.md 1.6 BG_NOTIFY_* (DO: DISABLE and FILE_RANGES not supported), 1.8 SetNotifyFlags: bad bits →
 * E_NOTIMPL */
/* SENTENCES: job.flags */
static void notify_flags_are_those_of_the_family(void **state) {
        FOR_EACH_FAMILY(family) {
                HRESULT for_bits = family->is_do ? E_NOTIMPL : S_OK;
                struct job job = job_new(family);
                ULONG flags;

                assert_hr(IBackgroundCopyJob_SetNotifyFlags(job.com, BG_NOTIFY_DISABLE), for_bits);
                assert_hr(IBackgroundCopyJob_SetNotifyFlags(job.com, BG_NOTIFY_FILE_RANGES_TRANSFERRED), for_bits);
                assert_hr(IBackgroundCopyJob_SetNotifyFlags(job.com, BG_NOTIFY_FILE_TRANSFERRED), S_OK);
                assert_hr(IBackgroundCopyJob_SetNotifyFlags(job.com, 0), S_OK);
                assert_hr(IBackgroundCopyJob_SetNotifyFlags(job.com, BG_NOTIFY_JOB_MODIFICATION), S_OK);
                assert_hr(IBackgroundCopyJob_SetNotifyFlags(job.com, 0x40), E_NOTIMPL);
                assert_hr(IBackgroundCopyJob_SetNotifyFlags(job.com, 0xFFFFFFFF), E_NOTIMPL);
                assert_hr(IBackgroundCopyJob_GetNotifyFlags(job.com, &flags), S_OK);
                assert_int_equal(flags, BG_NOTIFY_JOB_MODIFICATION);
                job_done(&job);
        }
}

/* CONFORMS: api.md 1.7 MinimumRetryDelay: min 5 s (smaller clamped) */
/* SENTENCES: retry.minimum */
static void a_retry_delay_is_at_least_five_seconds(void **state) {
        static const ULONG pairs[][2] = { { 0, 5 }, { 4, 5 }, { 5, 5 }, { 61, 61 }, { UINT32_MAX, UINT32_MAX } };

        FOR_EACH_FAMILY(family) {
                struct job job = job_new(family);
                ULONG seconds;

                for (size_t i = 0; i < ELEMENTSOF(pairs); i++) {
                        assert_hr(IBackgroundCopyJob_SetMinimumRetryDelay(job.com, pairs[i][0]), S_OK);
                        assert_hr(IBackgroundCopyJob_GetMinimumRetryDelay(job.com, &seconds), S_OK);
                        assert_int_equal(seconds, pairs[i][1]);
                }
                job_done(&job);
        }
}

/* CONFORMS: api.md 1.8 SetNoProgressTimeout; a value that was set stays when the priority changes */
static void a_no_progress_timeout_that_was_set_stays(void **state) {
        static const ULONG values[] = { 0, 1, 77, UINT32_MAX };

        FOR_EACH_FAMILY(family) {
                struct job job = job_new(family);
                ULONG seconds;

                for (size_t i = 0; i < ELEMENTSOF(values); i++) {
                        assert_hr(IBackgroundCopyJob_SetNoProgressTimeout(job.com, values[i]), S_OK);
                        assert_hr(IBackgroundCopyJob_GetNoProgressTimeout(job.com, &seconds), S_OK);
                        assert_int_equal(seconds, values[i]);
                }
                assert_hr(IBackgroundCopyJob_SetNoProgressTimeout(job.com, 77), S_OK);
                assert_hr(IBackgroundCopyJob_SetPriority(job.com, BG_JOB_PRIORITY_FOREGROUND), S_OK);
                assert_hr(IBackgroundCopyJob_GetNoProgressTimeout(job.com, &seconds), S_OK);
                assert_int_equal(seconds, 77);
                job_done(&job);
        }
}

/* CONFORMS: api.md 1.8 SetProxySettings: OVERRIDE needs a list, others must have none, bad enum → E_NOTIMPL */
/* SENTENCES: job.proxy */
static void proxy_settings_are_judged_before_they_are_implemented(void **state) {
        static WCHAR list[] = L"proxy:8080";

        FOR_EACH_FAMILY(family) {
                struct job job = job_new(family);

                assert_hr(IBackgroundCopyJob_SetProxySettings(job.com, BG_JOB_PROXY_USAGE_OVERRIDE, NULL, NULL),
                          E_INVALIDARG);
                assert_hr(IBackgroundCopyJob_SetProxySettings(job.com, BG_JOB_PROXY_USAGE_NO_PROXY, list, NULL),
                          E_INVALIDARG);
                assert_hr(IBackgroundCopyJob_SetProxySettings(job.com, BG_JOB_PROXY_USAGE_PRECONFIG, NULL, list),
                          E_INVALIDARG);
                assert_hr(IBackgroundCopyJob_SetProxySettings(job.com, (BG_JOB_PROXY_USAGE) 4, NULL, NULL), E_NOTIMPL);
                assert_hr(IBackgroundCopyJob_SetProxySettings(job.com, BG_JOB_PROXY_USAGE_AUTODETECT, NULL, NULL),
                          E_NOTIMPL);
                job_done(&job);
        }
}

/* CONFORMS: api.md 1.8 GetOwner: a SID string */
/* SENTENCES: job.owner manager.create */
static void an_owner_is_a_sid(void **state) {
        FOR_EACH_FAMILY(family) {
                struct job job = job_new(family);
                LPWSTR owner;

                assert_hr(IBackgroundCopyJob_GetOwner(job.com, &owner), S_OK);
                assert_true(owner[0] == L'S' && owner[1] == L'-' && owner[2] == L'1' && owner[3] == L'-');
                CoTaskMemFree(owner);
                job_done(&job);
        }
}

/* CONFORMS: api.md 1.8 "NULL out → E_INVALIDARG" */
/* SENTENCES: job.get */
static void a_getter_without_a_place_is_an_invalid_argument(void **state) {
        FOR_EACH_FAMILY(family) {
                struct job job = job_new(family);
                IBackgroundCopyJob *com = job.com;
                BG_JOB_PROXY_USAGE usage;
                LPWSTR text;

                assert_hr(IBackgroundCopyJob_EnumFiles(com, NULL), E_INVALIDARG);
                assert_hr(IBackgroundCopyJob_GetId(com, NULL), E_INVALIDARG);
                assert_hr(IBackgroundCopyJob_GetType(com, NULL), E_INVALIDARG);
                assert_hr(IBackgroundCopyJob_GetProgress(com, NULL), E_INVALIDARG);
                assert_hr(IBackgroundCopyJob_GetTimes(com, NULL), E_INVALIDARG);
                assert_hr(IBackgroundCopyJob_GetState(com, NULL), E_INVALIDARG);
                assert_hr(IBackgroundCopyJob_GetError(com, NULL), E_INVALIDARG);
                assert_hr(IBackgroundCopyJob_GetOwner(com, NULL), E_INVALIDARG);
                assert_hr(IBackgroundCopyJob_GetDisplayName(com, NULL), E_INVALIDARG);
                assert_hr(IBackgroundCopyJob_GetDescription(com, NULL), E_INVALIDARG);
                assert_hr(IBackgroundCopyJob_GetPriority(com, NULL), E_INVALIDARG);
                assert_hr(IBackgroundCopyJob_GetNotifyFlags(com, NULL), E_INVALIDARG);
                assert_hr(IBackgroundCopyJob_GetNotifyInterface(com, NULL), E_INVALIDARG);
                assert_hr(IBackgroundCopyJob_GetMinimumRetryDelay(com, NULL), E_INVALIDARG);
                assert_hr(IBackgroundCopyJob_GetNoProgressTimeout(com, NULL), E_INVALIDARG);
                assert_hr(IBackgroundCopyJob_GetErrorCount(com, NULL), E_INVALIDARG);
                assert_hr(IBackgroundCopyJob_GetProxySettings(com, &usage, NULL, &text), E_INVALIDARG);
                job_done(&job);
        }
}

/* CONFORMS: design.md I1; api.md 2.1 "restart: S persisted"; held pointers go on to work */
static void what_was_acknowledged_is_there_after_a_kill(void **state) {
        FOR_EACH_FAMILY(family) {
                struct job job = job_new(family);
                IBackgroundCopyFile *file;
                BG_JOB_PRIORITY priority;
                ULONG value;

                assert_hr(IBackgroundCopyJob_SetDisplayName(job.com, L"kept"), S_OK);
                assert_hr(IBackgroundCopyJob_SetPriority(job.com, BG_JOB_PRIORITY_LOW), S_OK);
                assert_hr(IBackgroundCopyJob_SetNotifyFlags(job.com, BG_NOTIFY_JOB_ERROR), S_OK);
                assert_hr(IBackgroundCopyJob_SetMinimumRetryDelay(job.com, 123), S_OK);
                assert_hr(IBackgroundCopyJob_SetNoProgressTimeout(job.com, 456), S_OK);
                job_add(&job, origin_url("/f?size=10"), destination("kept"));
                world_kill_service();
                world_start_service();
                assert_int_equal(job_state(&job), BG_JOB_STATE_SUSPENDED);
                assert_display_name(&job, L"kept");
                assert_hr(IBackgroundCopyJob_GetPriority(job.com, &priority), S_OK);
                assert_int_equal(priority, BG_JOB_PRIORITY_LOW);
                assert_hr(IBackgroundCopyJob_GetNotifyFlags(job.com, &value), S_OK);
                assert_int_equal(value, BG_NOTIFY_JOB_ERROR);
                assert_hr(IBackgroundCopyJob_GetMinimumRetryDelay(job.com, &value), S_OK);
                assert_int_equal(value, 123);
                assert_hr(IBackgroundCopyJob_GetNoProgressTimeout(job.com, &value), S_OK);
                assert_int_equal(value, 456);
                file = job_first_file(&job);
                (void) IBackgroundCopyFile_Release(file);
                job_done(&job);
        }
}

int main(int argc, char **argv) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(every_class_of_a_family_reaches_the_same_jobs),
                cmocka_unit_test(what_is_no_class_here_is_refused),
                cmocka_unit_test(a_job_has_one_identity_behind_all_its_interfaces),
                cmocka_unit_test(a_fresh_job_is_suspended_and_empty),
                cmocka_unit_test(a_job_cannot_be_made_with_a_bad_name_or_type),
                cmocka_unit_test(a_name_of_256_characters_of_any_script_is_kept),
                cmocka_unit_test(a_family_does_not_see_the_other_ones_jobs),
                cmocka_unit_test(a_job_is_found_by_its_id_alone),
                cmocka_unit_test(a_list_of_jobs_is_a_snapshot_of_the_living),
                cmocka_unit_test(all_users_jobs_are_for_administrators),
                cmocka_unit_test(every_code_has_a_text),
                cmocka_unit_test(one_user_has_only_so_many_jobs),
                cmocka_unit_test(a_new_job_has_the_documented_defaults),
                cmocka_unit_test(the_no_progress_default_follows_the_priority_in_the_do_family),
                cmocka_unit_test(times_tell_creation_and_change),
                cmocka_unit_test(a_name_can_be_changed_within_its_limit),
                cmocka_unit_test(a_description_can_be_changed_within_its_limit),
                cmocka_unit_test(a_priority_outside_the_enum_is_not_implemented),
                cmocka_unit_test(notify_flags_are_those_of_the_family),
                cmocka_unit_test(a_retry_delay_is_at_least_five_seconds),
                cmocka_unit_test(a_no_progress_timeout_that_was_set_stays),
                cmocka_unit_test(proxy_settings_are_judged_before_they_are_implemented),
                cmocka_unit_test(an_owner_is_a_sid),
                cmocka_unit_test(a_getter_without_a_place_is_an_invalid_argument),
                cmocka_unit_test(what_was_acknowledged_is_there_after_a_kill),
        };

        return world_run(argc, argv, "jobs and their properties", "MaxJobsPerUser=40\n", tests, ELEMENTSOF(tests));
}

/* Programs that judge servers' certificates: who is asked for which job, and what is left when they go. */
#define COBJMACROS
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <wchar.h>

#include <cmocka.h>

#include "client/com.h"

#include "base/strings.h"
#include "fake_service.h"

/* What it was asked is read after the answer, which came from the library's thread. */
struct judge {
        IBackgroundCopyServerCertificateValidationCallback com;
        atomic_int n_references;
        atomic_uint n_asked;
        HRESULT verdict;
        GUID id;
        wchar_t url[64];
        DWORD encoding;
        char certificate[32], all[32];
        IBackgroundCopyJobHttpOptions3 *leaves; /* takes itself away from there when it is asked */
        HRESULT left;
};

struct fixture {
        struct fake_service *fake;
        IBackgroundCopyManager *manager;
        const char *ids[2]; /* two jobs with two files each */
        IBackgroundCopyJobHttpOptions3 *jobs[2];
        struct judge judges[2];
};

static struct judge *judge_of(IBackgroundCopyServerCertificateValidationCallback *This) {
        return (struct judge *) This; /* its first member */
}

static HRESULT judge_query(IBackgroundCopyServerCertificateValidationCallback *This, REFIID riid, void **ret) {
        *ret = NULL;
        if (!IsEqualIID(riid, &IID_IUnknown) && !IsEqualIID(riid, &IID_IBackgroundCopyServerCertificateValidationCallback))
                return E_NOINTERFACE;
        atomic_fetch_add(&judge_of(This)->n_references, 1);
        *ret = This;
        return S_OK;
}

static ULONG judge_add_ref(IBackgroundCopyServerCertificateValidationCallback *This) {
        return (ULONG) atomic_fetch_add(&judge_of(This)->n_references, 1) + 1;
}

static ULONG judge_release(IBackgroundCopyServerCertificateValidationCallback *This) {
        return (ULONG) atomic_fetch_sub(&judge_of(This)->n_references, 1) - 1;
}

static void note(char to[static 32], const BYTE *bytes, DWORD n) {
        memcpy(to, bytes, MIN(n, 31u));
        to[MIN(n, 31u)] = 0;
}

static HRESULT judge_validate(IBackgroundCopyServerCertificateValidationCallback *This, IBackgroundCopyJob *job, IBackgroundCopyFile *file,
                              DWORD certLength, const BYTE certData[], DWORD certEncodingType, DWORD certStoreLength,
                              const BYTE certStoreData[]) {
        struct judge *self = judge_of(This);
        LPWSTR url = NULL;

        (void) IBackgroundCopyJob_GetId(job, &self->id);
        if (SUCCEEDED(IBackgroundCopyFile_GetRemoteName(file, &url)))
                (void) wcsncpy(self->url, url, ELEMENTSOF(self->url) - 1);
        CoTaskMemFree(url);
        self->encoding = certEncodingType;
        note(self->certificate, certData, certLength);
        note(self->all, certStoreData, certStoreLength);
        if (self->leaves)
                self->left = IBackgroundCopyJobHttpOptions3_SetServerCertificateValidationInterface(self->leaves, NULL);
        atomic_fetch_add(&self->n_asked, 1);
        return self->verdict;
}

static const IBackgroundCopyServerCertificateValidationCallbackVtbl judge_vtbl = {
        judge_query, judge_add_ref, judge_release, judge_validate,
};

static HRESULT set_judge(struct fixture *f, unsigned job, struct judge *judge) {
        return IBackgroundCopyJobHttpOptions3_SetServerCertificateValidationInterface(f->jobs[job], (IUnknown *) judge);
}

static IBackgroundCopyJobHttpOptions3 *open_job(struct fixture *f, const char *id) {
        IBackgroundCopyJobHttpOptions3 *options;
        IBackgroundCopyJob *job;
        wchar_t text[39] = L"{";
        GUID guid;

        for (unsigned i = 0; i < 36; i++)
                text[i + 1] = (wchar_t) id[i];
        text[37] = L'}';
        assert_int_equal(CLSIDFromString(text, &guid), S_OK);
        assert_int_equal(IBackgroundCopyManager_GetJob(f->manager, &guid, &job), S_OK);
        assert_int_equal(IBackgroundCopyJob_QueryInterface(job, &IID_IBackgroundCopyJobHttpOptions3, (void **) &options), S_OK);
        (void) IBackgroundCopyJob_Release(job);
        return options;
}

static int set_up(void **state) {
        struct fixture *f = calloc(1, sizeof(*f));

        f->fake = fake_service_new();
        assert_int_equal(CoInitializeEx(NULL, COINIT_MULTITHREADED), S_OK);
        assert_int_equal(CoCreateInstance(&CLSID_BackgroundCopyManager, NULL, CLSCTX_LOCAL_SERVER, &IID_IBackgroundCopyManager,
                                          (void **) &f->manager), S_OK);
        for (unsigned i = 0; i < 2; i++) {
                f->ids[i] = fake_service_add_job(f->fake, "bits", "suspended", 2);
                f->jobs[i] = open_job(f, f->ids[i]);
                f->judges[i] = (struct judge) { .com = { &judge_vtbl }, .n_references = 1 };
        }
        *state = f;
        return 0;
}

/* Whatever a test left: the library lets go of it. */
static int tear_down(void **state) {
        struct fixture *f = *state;

        for (unsigned i = 0; i < 2; i++)
                assert_int_equal(IBackgroundCopyJobHttpOptions3_Release(f->jobs[i]), 0);
        assert_int_equal(IBackgroundCopyManager_Release(f->manager), 0);
        CoUninitialize();
        for (unsigned i = 0; i < 2; i++)
                assert_int_equal(f->judges[i].n_references, 1);
        assert_false(com_judge_is_needed());
        fake_service_free(f->fake);
        free(f);
        return 0;
}

static struct fake_job job_of(struct fixture *f, unsigned i) {
        struct fake_job job;

        assert_true(fake_service_get_job(f->fake, f->ids[i], &job));
        return job;
}

static void assert_asked(struct fixture *f, unsigned job, HRESULT expected) {
        uint32_t verdict = 77;

        assert_true(fake_service_ask(f->fake, f->ids[job], 1, "a certificate", "all of them", &verdict));
        assert_int_equal((HRESULT) verdict, expected);
}

static void assert_not_asked(struct fixture *f, unsigned job) {
        uint32_t verdict;

        assert_false(fake_service_ask(f->fake, f->ids[job], 0, "a certificate", "all of them", &verdict));
}

static void the_service_hears_of_a_judge_and_of_its_end(void **state) {
        struct fixture *f = *state;

        assert_false(com_judge_is_needed());
        assert_int_equal(set_judge(f, 0, &f->judges[0]), S_OK);
        assert_true(com_judge_is_needed());
        assert_int_equal(f->judges[0].n_references, 2);
        assert_true(job_of(f, 0).judged && job_of(f, 0).judge_certificate);
        assert_false(job_of(f, 1).judged || job_of(f, 1).judge_certificate);
        assert_int_equal(set_judge(f, 0, NULL), S_OK);
        assert_int_equal(f->judges[0].n_references, 1);
        assert_false(job_of(f, 0).judged || job_of(f, 0).judge_certificate);
        assert_false(com_judge_is_needed());
        assert_int_equal(set_judge(f, 0, NULL), S_OK);
}

static void a_judge_sees_what_it_is_asked_about(void **state) {
        struct fixture *f = *state;
        struct judge *judge = &f->judges[0];

        assert_int_equal(set_judge(f, 0, judge), S_OK);
        assert_asked(f, 0, S_OK);
        assert_int_equal(judge->n_asked, 1);
        assert_int_equal(judge->id.Data1, 1); /* of the first job */
        assert_int_equal(wcscmp(judge->url, L"https://example.org/1"), 0);
        assert_int_equal(judge->encoding, 0x10001);
        assert_string_equal(judge->certificate, "a certificate");
        assert_string_equal(judge->all, "all of them");
        assert_int_equal(judge->n_references, 2);
}

static void only_s_ok_accepts(void **state) {
        static const struct {
                HRESULT says, means;
        } rows[] = {
                { S_OK, S_OK }, { S_FALSE, E_FAIL }, { 2, E_FAIL }, { E_ACCESSDENIED, E_ACCESSDENIED }, { (HRESULT) 0x800B0109, (HRESULT) 0x800B0109 },
        };
        struct fixture *f = *state;

        assert_int_equal(set_judge(f, 0, &f->judges[0]), S_OK);
        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                f->judges[0].verdict = rows[i].says;
                assert_asked(f, 0, rows[i].means);
        }
}

static void each_job_has_its_own_judge(void **state) {
        struct fixture *f = *state;

        f->judges[1].verdict = E_ACCESSDENIED;
        assert_int_equal(set_judge(f, 0, &f->judges[0]), S_OK);
        assert_not_asked(f, 1);
        assert_int_equal(set_judge(f, 1, &f->judges[1]), S_OK);
        assert_asked(f, 0, S_OK);
        assert_asked(f, 1, E_ACCESSDENIED);
        assert_int_equal(set_judge(f, 0, NULL), S_OK);
        assert_not_asked(f, 0);
        assert_asked(f, 1, E_ACCESSDENIED);
        assert_int_equal(f->judges[0].n_asked, 1);
        assert_int_equal(f->judges[1].n_asked, 2);
}

static void the_last_judge_of_a_job_takes_the_place_of_the_others(void **state) {
        struct fixture *f = *state;

        f->judges[1].verdict = E_ACCESSDENIED;
        assert_int_equal(set_judge(f, 0, &f->judges[0]), S_OK);
        assert_int_equal(set_judge(f, 0, &f->judges[1]), S_OK);
        assert_int_equal(f->judges[0].n_references, 1);
        assert_asked(f, 0, E_ACCESSDENIED);
        assert_int_equal(f->judges[0].n_asked, 0);
}

static void what_the_service_refuses_leaves_the_judge_that_was_there(void **state) {
        static const char *const members[] = { "SetJudge", "SetProperties" };
        struct fixture *f = *state;

        assert_int_equal(set_judge(f, 0, &f->judges[0]), S_OK);
        for (size_t i = 0; i < ELEMENTSOF(members); i++) {
                fake_service_fail_next(f->fake, members[i], "org.dosvc.Error.InvalidState", "not now");
                assert_int_equal(set_judge(f, 0, &f->judges[1]), BG_E_INVALID_STATE);
                assert_int_equal(f->judges[1].n_references, 1);
                fake_service_fail_next(f->fake, members[i], "org.dosvc.Error.InvalidState", "not now");
                assert_int_equal(set_judge(f, 0, NULL), BG_E_INVALID_STATE);
                assert_asked(f, 0, S_OK);
                assert_int_equal(f->judges[0].n_references, 2);
        }
}

static void what_is_no_judge_is_not_registered(void **state) {
        struct fixture *f = *state;

        assert_int_equal(IBackgroundCopyJobHttpOptions3_SetServerCertificateValidationInterface(f->jobs[0], (IUnknown *) f->manager),
                         E_NOINTERFACE);
        assert_int_equal(fake_service_count(f->fake, "SetJudge"), 0);
        assert_false(com_judge_is_needed());
}

static void nobody_is_asked_about_a_file_that_is_not_there(void **state) {
        struct fixture *f = *state;
        uint32_t verdict;

        assert_int_equal(set_judge(f, 0, &f->judges[0]), S_OK);
        assert_false(fake_service_ask(f->fake, f->ids[0], 2, "a certificate", "", &verdict));
        assert_int_equal(f->judges[0].n_asked, 0);
}

static void a_judge_may_take_itself_away(void **state) {
        struct fixture *f = *state;

        f->judges[0].leaves = f->jobs[0];
        f->judges[0].left = E_FAIL;
        assert_int_equal(set_judge(f, 0, &f->judges[0]), S_OK);
        assert_asked(f, 0, S_OK); /* it lived until its answer */
        assert_int_equal(f->judges[0].left, S_OK);
        assert_false(job_of(f, 0).judged);
        assert_not_asked(f, 0);
}

static void a_new_connection_hears_of_the_judges_again(void **state) {
        struct fixture *f = *state;

        assert_int_equal(set_judge(f, 0, &f->judges[0]), S_OK);
        assert_int_equal(set_judge(f, 1, &f->judges[1]), S_OK);
        fake_service_hide_job(f->fake, f->ids[1]); /* it ended while nobody looked */
        fake_service_cut(f->fake);
        fake_service_wait_for(f->fake, "SetJudge", 4);
        assert_asked(f, 0, S_OK);
        for (unsigned i = 0; f->judges[1].n_references > 1 && i < 10000; i++)
                usleep(1000);
        assert_int_equal(f->judges[1].n_references, 1);
}

static void the_end_of_a_job_is_the_end_of_its_judge(void **state) {
        struct fixture *f = *state;

        for (unsigned i = 0; i < 2; i++) {
                IBackgroundCopyJob *job;

                assert_int_equal(set_judge(f, i, &f->judges[i]), S_OK);
                assert_int_equal(IBackgroundCopyJobHttpOptions3_QueryInterface(f->jobs[i], &IID_IBackgroundCopyJob, (void **) &job), S_OK);
                assert_int_equal(i == 0 ? IBackgroundCopyJob_Cancel(job) : IBackgroundCopyJob_Complete(job), S_OK);
                (void) IBackgroundCopyJob_Release(job);
                assert_int_equal(f->judges[i].n_references, 1);
        }
        assert_false(com_judge_is_needed());
}

static void *cancel_in_between(void *arg) {
        struct fixture *f = arg;
        IBackgroundCopyJob *job;

        fake_service_wait_for(f->fake, "SetJudge", 2);
        assert_int_equal(IBackgroundCopyJobHttpOptions3_QueryInterface(f->jobs[0], &IID_IBackgroundCopyJob, (void **) &job), S_OK);
        assert_int_equal(IBackgroundCopyJob_Cancel(job), S_OK);
        (void) IBackgroundCopyJob_Release(job);
        fake_service_release(f->fake);
        return NULL;
}

static void a_job_that_ends_while_its_judge_is_replaced_keeps_neither(void **state) {
        struct fixture *f = *state;
        pthread_t thread;

        assert_int_equal(set_judge(f, 0, &f->judges[0]), S_OK);
        fake_service_hold(f->fake, "SetJudge");
        assert_int_equal(pthread_create(&thread, NULL, cancel_in_between, f), 0);
        assert_int_equal(set_judge(f, 0, &f->judges[1]), BG_E_INVALID_STATE);
        pthread_join(thread, NULL);
        assert_int_equal(f->judges[0].n_references, 1);
        assert_int_equal(f->judges[1].n_references, 1);
        assert_false(com_judge_is_needed());
}

static void a_child_is_nobodys_judge(void **state) {
        struct fixture *f = *state;
        int status;
        pid_t pid;

        assert_int_equal(set_judge(f, 0, &f->judges[0]), S_OK);
        pid = fake_service_fork(f->fake);
        if (pid == 0)
                fake_service_child_ends(!com_judge_is_needed() && f->judges[0].n_references == 2);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(status, 0);
        assert_asked(f, 0, S_OK);
}

int main(void) {
#define TEST(t) cmocka_unit_test_setup_teardown(t, set_up, tear_down)
        const struct CMUnitTest tests[] = {
                TEST(the_service_hears_of_a_judge_and_of_its_end),
                TEST(a_judge_sees_what_it_is_asked_about),
                TEST(only_s_ok_accepts),
                TEST(each_job_has_its_own_judge),
                TEST(the_last_judge_of_a_job_takes_the_place_of_the_others),
                TEST(what_the_service_refuses_leaves_the_judge_that_was_there),
                TEST(what_is_no_judge_is_not_registered),
                TEST(nobody_is_asked_about_a_file_that_is_not_there),
                TEST(a_judge_may_take_itself_away),
                TEST(a_new_connection_hears_of_the_judges_again),
                TEST(the_end_of_a_job_is_the_end_of_its_judge),
                TEST(a_job_that_ends_while_its_judge_is_replaced_keeps_neither),
                TEST(a_child_is_nobodys_judge),
        };

        return cmocka_run_group_tests_name("judges of certificates", tests, NULL, NULL);
}

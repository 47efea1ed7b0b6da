/* IBackgroundCopyJobHttpOptions3::SetServerCertificateValidationInterface: the program is asked before anything is sent to the server. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "conform.h"

#define ENCODING_X509_AND_PKCS7 0x10001u
#define CERT_E_UNTRUSTEDROOT_ ((HRESULT) 0x800B0109)

/* What was asked, seen from the tests. Nothing is asserted on the library's thread. */
struct judge {
        IBackgroundCopyServerCertificateValidationCallback com;
        atomic_uint n_references;
        pthread_mutex_t lock;
        HRESULT verdict;
        unsigned n_asked;
        GUID id;
        char file[64]; /* the end of its URL */
        DWORD encoding, n_certificate, n_store;
        BYTE certificate[4096];
        BYTE first_of_store;
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
        return atomic_fetch_add(&judge_of(This)->n_references, 1) + 1;
}

static ULONG judge_release(IBackgroundCopyServerCertificateValidationCallback *This) {
        return atomic_fetch_sub(&judge_of(This)->n_references, 1) - 1;
}

static void note_file(struct judge *self, IBackgroundCopyFile *file) {
        LPWSTR url = NULL;
        size_t n, skip_chars;

        if (!file || FAILED(IBackgroundCopyFile_GetRemoteName(file, &url)))
                return;
        for (n = 0; url[n];)
                n++;
        skip_chars = n < sizeof(self->file) ? 0 : n - sizeof(self->file) + 1;
        for (size_t i = skip_chars; i <= n; i++)
                self->file[i - skip_chars] = (char) url[i];
        CoTaskMemFree(url);
}

static HRESULT judge_validate(IBackgroundCopyServerCertificateValidationCallback *This, IBackgroundCopyJob *job, IBackgroundCopyFile *file,
                              DWORD certLength, const BYTE certData[], DWORD certEncodingType, DWORD certStoreLength,
                              const BYTE certStoreData[]) {
        struct judge *self = judge_of(This);
        HRESULT verdict;

        pthread_mutex_lock(&self->lock);
        self->n_asked++;
        (void) IBackgroundCopyJob_GetId(job, &self->id);
        note_file(self, file);
        self->encoding = certEncodingType;
        self->n_certificate = certLength;
        if (certLength <= sizeof(self->certificate))
                memcpy(self->certificate, certData, certLength);
        self->n_store = certStoreLength;
        self->first_of_store = certStoreLength > 0 ? certStoreData[0] : 0;
        verdict = self->verdict;
        pthread_mutex_unlock(&self->lock);
        return verdict;
}

static const IBackgroundCopyServerCertificateValidationCallbackVtbl judge_vtbl = {
        judge_query, judge_add_ref, judge_release, judge_validate,
};

static struct judge *judge_new(HRESULT verdict) {
        struct judge *judge = calloc(1, sizeof(*judge));

        assert_non_null(judge);
        judge->com.lpVtbl = &judge_vtbl;
        judge->n_references = 1;
        judge->verdict = verdict;
        pthread_mutex_init(&judge->lock, NULL);
        return judge;
}

/* Nobody else has it any more. */
static void judge_done(struct judge *judge) {
        assert_int_equal(judge->n_references, 1);
        free(judge);
}

static unsigned times_asked(struct judge *judge) {
        unsigned n;

        pthread_mutex_lock(&judge->lock);
        n = judge->n_asked;
        pthread_mutex_unlock(&judge->lock);
        return n;
}

static HRESULT set_judge(struct job *job, struct judge *judge) {
        IBackgroundCopyJobHttpOptions3 *options;
        HRESULT hr;

        assert_hr(IBackgroundCopyJob_QueryInterface(job->com, &IID_IBackgroundCopyJobHttpOptions3, (void **) &options), S_OK);
        hr = IBackgroundCopyJobHttpOptions3_SetServerCertificateValidationInterface(options, (IUnknown *) judge);
        (void) IBackgroundCopyJobHttpOptions3_Release(options);
        return hr;
}

static struct job secure_job(const struct family *family, const wchar_t **ret_path) {
        struct job job = job_new(family);

        *ret_path = destination("judged");
        job_add(&job, secure_url("/file?size=3000"), *ret_path);
        assert_hr(IBackgroundCopyJob_SetPriority(job.com, BG_JOB_PRIORITY_FOREGROUND), S_OK);
        return job;
}

static void assert_error(struct job *job, HRESULT expected) {
        BG_ERROR_CONTEXT context;
        IBackgroundCopyError *error;
        HRESULT code;

        job_wait(job, BG_JOB_STATE_TRANSIENT_ERROR);
        assert_hr(IBackgroundCopyJob_GetError(job->com, &error), S_OK);
        assert_hr(IBackgroundCopyError_GetError(error, &context, &code), S_OK);
        assert_hr(code, expected);
        assert_int_equal(context, BG_ERROR_CONTEXT_SERVER_CERTIFICATE_CALLBACK);
        (void) IBackgroundCopyError_Release(error);
}

static void an_accepted_server_is_used_and_not_asked_about_again(void **state) {
        FOR_EACH_FAMILY(family) {
                struct judge *judge = judge_new(S_OK);
                const wchar_t *path, *second = destination("second");
                struct job job = secure_job(family, &path);

                job_add(&job, secure_url("/other?size=2000"), second);
                assert_hr(set_judge(&job, judge), S_OK);
                job_resume(&job);
                job_wait(&job, BG_JOB_STATE_TRANSFERRED);
                assert_int_equal(times_asked(judge), 1);
                assert_true(IsEqualGUID(&judge->id, &job.id));
                assert_string_equal(judge->file + strlen(judge->file) - strlen("/file?size=3000"), "/file?size=3000");
                assert_int_equal(judge->encoding, ENCODING_X509_AND_PKCS7);
                assert_true(judge->n_store > 0);
                if (!world_is_fake()) {
                        size_t n;
                        char *own = secure_certificate(&n);

                        assert_int_equal(judge->n_certificate, n);
                        assert_memory_equal(judge->certificate, own, n);
                        assert_int_equal(judge->first_of_store, 0x30); /* PKCS #7 is an ASN.1 SEQUENCE */
                        free(own);
                }
                assert_hr(IBackgroundCopyJob_Complete(job.com), S_OK);
                assert_file_is(path, "/file?size=3000", 3000);
                assert_file_is(second, "/other?size=2000", 2000);
                job_done(&job);
                judge_done(judge);
        }
}

static void a_declined_server_is_a_transient_error_with_the_program_s_code(void **state) {
        FOR_EACH_FAMILY(family) {
                struct judge *judge = judge_new(CERT_E_UNTRUSTEDROOT_);
                const wchar_t *path;
                struct job job = secure_job(family, &path);

                assert_hr(set_judge(&job, judge), S_OK);
                job_resume(&job);
                assert_error(&job, CERT_E_UNTRUSTEDROOT_);
                judge->verdict = S_FALSE; /* of the successes only S_OK accepts */
                job_resume(&job);
                assert_error(&job, E_FAIL);
                judge->verdict = S_OK;
                job_resume(&job);
                job_wait(&job, BG_JOB_STATE_TRANSFERRED);
                job_done(&job);
                judge_done(judge);
        }
}

static void without_the_interface_the_job_waits_until_it_is_set_again(void **state) {
        FOR_EACH_FAMILY(family) {
                struct judge *first = judge_new(E_FAIL), *second = judge_new(S_OK);
                const wchar_t *path;
                struct job job = secure_job(family, &path);
                dosvc *connection;

                assert_hr(set_judge(&job, first), S_OK);
                /* As after the program's end: the job remembers, the interface is gone. */
                assert_hr(set_judge(&job, NULL), S_OK);
                judge_done(first);
                assert_hr(dosvc_open(DOSVC_CONNECT_NO_START, &connection), S_OK);
                assert_hr(dosvc_set_properties(connection, job.text, &(dosvc_property) { "judge_certificate", "yes" }, 1), S_OK);
                dosvc_close(connection);
                job_resume(&job);
                assert_error(&job, BG_E_SERVER_CERT_VALIDATION_INTERFACE_REQUIRED);
                assert_hr(set_judge(&job, second), S_OK);
                job_wait(&job, BG_JOB_STATE_TRANSFERRED);
                assert_int_equal(times_asked(second), 1);
                job_done(&job);
                judge_done(second);
        }
}

static void the_last_one_is_asked_and_null_asks_nobody(void **state) {
        FOR_EACH_FAMILY(family) {
                struct judge *first = judge_new(E_FAIL), *last = judge_new(S_OK);
                const wchar_t *path;
                struct job job = secure_job(family, &path), free_job = secure_job(family, &path);

                assert_hr(set_judge(&job, first), S_OK);
                assert_hr(set_judge(&job, last), S_OK);
                assert_int_equal(first->n_references, 1);
                job_resume(&job);
                job_wait(&job, BG_JOB_STATE_TRANSFERRED);
                assert_int_equal(times_asked(last), 1);

                assert_hr(set_judge(&free_job, first), S_OK);
                assert_hr(set_judge(&free_job, NULL), S_OK);
                job_resume(&free_job);
                job_wait(&free_job, BG_JOB_STATE_TRANSFERRED);
                assert_int_equal(times_asked(first), 0);
                job_done(&job);
                job_done(&free_job);
                judge_done(first);
                judge_done(last);
        }
}

static void what_is_no_such_interface_is_refused(void **state) {
        struct job job = job_new(&families[1]);

        assert_hr(set_judge(&job, (struct judge *) (void *) job.com), E_NOINTERFACE);
        assert_hr(IBackgroundCopyJob_Cancel(job.com), S_OK);
        assert_hr(set_judge(&job, (struct judge *) (void *) job.com), E_NOINTERFACE);
        assert_hr(set_judge(&job, NULL), BG_E_INVALID_STATE);
        job_done(&job);
}

static void the_interface_is_asked_after_the_service_was_killed(void **state) {
        struct judge *judge;
        const wchar_t *path;
        struct job job;

        judge = judge_new(E_FAIL);
        job = secure_job(&families[0], &path);
        assert_hr(set_judge(&job, judge), S_OK);
        world_kill_service();
        world_start_service();
        job_resume(&job);
        assert_error(&job, E_FAIL);
        assert_int_equal(times_asked(judge), 1);
        job_done(&job);
        judge_done(judge);
}

int main(int argc, char **argv) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(an_accepted_server_is_used_and_not_asked_about_again),
                cmocka_unit_test(a_declined_server_is_a_transient_error_with_the_program_s_code),
                cmocka_unit_test(without_the_interface_the_job_waits_until_it_is_set_again),
                cmocka_unit_test(the_last_one_is_asked_and_null_asks_nobody),
                cmocka_unit_test(what_is_no_such_interface_is_refused),
                cmocka_unit_test(the_interface_is_asked_after_the_service_was_killed),
        };

        world_with_tls();
        return world_run(argc, argv, "programs that judge certificates", NULL, tests, ELEMENTSOF(tests));
}

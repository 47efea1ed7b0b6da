/* Programs that judge servers' certificates: who is asked for which job. Asked on the callback thread (com_callback.c), as any callback.
 *
 * That the job wants it is its property JudgeCertificate, which outlives the program; that this process is the judge (Job1.SetJudge) is
 * told the service again whenever the connection is another one. */
#include "base/strings.h"
#include "client/com.h"

#define ENCODING_X509_AND_PKCS7 0x00010001u /* X509_ASN_ENCODING | PKCS_7_ASN_ENCODING, as a system's certificate functions name them */

typedef IBackgroundCopyServerCertificateValidationCallback judge_interface;

struct judge {
        UT_hash_handle hh;
        char hex[WIRE_ID_HEX + 1];
        enum job_family family;
        struct dosvc *c; /* one user */
        judge_interface *callback;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* below com_callback.c's */
static struct judge *judges;         /* uthash */
static struct judge *parents_judges; /* in a child of fork(2): kept from leak checkers, never touched */

static void judge_done(const struct judge *judge) {
        (void) judge->callback->lpVtbl->Release(judge->callback);
        com_connection_put(judge->c);
}

static struct judge *judge_free(struct judge *judge) {
        if (judge)
                judge_done(judge);
        free(judge);
        return NULL;
}

static HRESULT judge_new(struct dosvc *c, enum job_family family, const char *hex, IUnknown *unknown, struct judge **ret) {
        struct judge *judge = malloc(sizeof(*judge));
        void *callback = NULL;
        HRESULT hr;

        if (!judge)
                return E_OUTOFMEMORY;
        hr = unknown->lpVtbl->QueryInterface(unknown, &IID_IBackgroundCopyServerCertificateValidationCallback, &callback);
        if (FAILED(hr) || !callback) {
                free(judge);
                return FAILED(hr) ? hr : E_NOINTERFACE;
        }
        *judge = (struct judge) { .family = family, .c = com_connection_ref(c), .callback = callback };
        strcpy(judge->hex, hex);
        *ret = judge;
        return S_OK;
}

static struct judge *withdraw(const char *hex) {
        struct judge *judge;

        pthread_mutex_lock(&lock);
        HASH_FIND_STR(judges, hex, judge);
        if (judge)
                HASH_DEL(judges, judge);
        pthread_mutex_unlock(&lock);
        return judge;
}

/* false: no memory; it is the caller's still. */
static bool install(struct judge *judge) {
        bool ok;

        pthread_mutex_lock(&lock);
        HASH_ADD_STR(judges, hex, judge);
        ok = judge->hh.tbl != NULL;
        pthread_mutex_unlock(&lock);
        return ok;
}

/* What was there before is there again, if there is memory. */
static void put_back(struct judge *old) {
        if (old && !install(old))
                judge_free(old);
}

/* A copy that keeps everything alive while the program is called: it may remove its registration meanwhile. */
static bool take(const char *hex, struct judge *ret) {
        struct judge *found;

        pthread_mutex_lock(&lock);
        HASH_FIND_STR(judges, hex, found);
        if (found) {
                *ret = *found;
                (void) ret->callback->lpVtbl->AddRef(ret->callback);
        }
        pthread_mutex_unlock(&lock);
        if (found)
                (void) com_connection_ref(ret->c);
        return found;
}

static HRESULT ask(const struct judge *judge, const struct judge_question *question, IBackgroundCopyJob *job, IBackgroundCopyFile *file) {
        HRESULT hr;

        hr = judge->callback->lpVtbl->ValidateServerCertificate(judge->callback, job, file, (DWORD) question->n_bytes, question->bytes,
                                                                ENCODING_X509_AND_PKCS7, (DWORD) question->n_all,
                                                                question->all);
        return hr == S_OK || FAILED(hr) ? hr : E_FAIL; /* of the successes only S_OK accepts */
}

bool com_judge_ask(const struct judge_question *question, HRESULT *ret) {
        struct judge judge;
        struct file_record record;
        IBackgroundCopyFile *file = NULL;
        IBackgroundCopyJob *job = NULL;
        HRESULT hr;

        if (!take(question->hex, &judge))
                return false;
        hr = wire_get_file(judge.c, judge.hex, question->file, &record) ? E_FAIL
                                                                        : com_file_new(judge.c, judge.family, judge.hex, &record, &file);
        if (SUCCEEDED(hr))
                hr = com_job_new(judge.c, judge.family, judge.hex, &job);
        if (SUCCEEDED(hr))
                *ret = ask(&judge, question, job, file);
        if (file)
                (void) file->lpVtbl->Release(file);
        if (job)
                (void) job->lpVtbl->Release(job);
        judge_done(&judge);
        return SUCCEEDED(hr);
}

static int want(struct dosvc *c, const char *hex, bool on) {
        return wire_set_property(c, hex, &(struct wire_property) { .name = "JudgeCertificate", .type = 'b', .b = on });
}

static HRESULT unset(struct dosvc *c, enum job_family family, const char *hex) {
        int code = want(c, hex, false);

        if (!code)
                code = wire_set_judge(c, hex, false);
        if (!code)
                judge_free(withdraw(hex));
        return com_result(c, family, hex, code);
}

HRESULT com_judge_set(struct dosvc *c, enum job_family family, const char *hex, IUnknown *unknown) {
        struct judge *judge, *old;
        HRESULT hr;
        int code;

        if (!unknown)
                return unset(c, family, hex);
        hr = judge_new(c, family, hex, unknown, &judge);
        if (FAILED(hr))
                return hr;
        hr = com_hresult_from_errno(com_callback_start());
        if (FAILED(hr)) {
                judge_free(judge);
                return hr;
        }
        /* First here: a question may come in before the answer does. */
        old = withdraw(hex);
        if (!install(judge)) {
                judge_free(judge);
                put_back(old);
                return E_OUTOFMEMORY;
        }
        code = wire_set_judge(c, hex, true);
        if (!code)
                code = want(c, hex, true);
        if (code) {
                judge = withdraw(hex);
                if (!judge)
                        old = judge_free(old); /* the job ended meanwhile */
                judge_free(judge);
                put_back(old);
                return com_result(c, family, hex, code);
        }
        judge_free(old);
        return S_OK;
}

void com_judge_forget(const char *hex) {
        judge_free(withdraw(hex));
}

bool com_judge_is_needed(void) {
        bool is_needed;

        pthread_mutex_lock(&lock);
        is_needed = judges != NULL;
        pthread_mutex_unlock(&lock);
        return is_needed;
}

struct place {
        char hex[WIRE_ID_HEX + 1];
        struct dosvc *c;
};

static struct place *list_places(size_t *ret_n) {
        struct place *list;
        struct judge *judge, *next;
        size_t n = 0;

        pthread_mutex_lock(&lock);
        list = calloc(HASH_COUNT(judges) + 1, sizeof(*list));
        if (list)
                HASH_ITER(hh, judges, judge, next) {
                        strcpy(list[n].hex, judge->hex);
                        list[n++].c = com_connection_ref(judge->c);
                }
        pthread_mutex_unlock(&lock);
        *ret_n = n;
        return list;
}

bool com_judge_renew(void) {
        struct place *list;
        bool complete;
        size_t n;

        list = list_places(&n);
        complete = list;
        for (size_t i = 0; i < n; i++) {
                int code = complete ? wire_set_judge(list[i].c, list[i].hex, true) : 0;

                if (code == ERROR_NOT_FOUND || code == ERROR_INVALID_STATE)
                        com_judge_forget(list[i].hex);
                else if (code)
                        complete = false;
                com_connection_put(list[i].c);
        }
        free(list);
        return complete;
}

void com_judge_stop(void) {
        struct judge *all, *judge, *next;

        pthread_mutex_lock(&lock);
        all = TAKE_PTR(judges);
        pthread_mutex_unlock(&lock);
        HASH_ITER(hh, all, judge, next) {
                HASH_DEL(all, judge);
                judge_free(judge);
        }
}

void com_judge_before_fork(void) {
        pthread_mutex_lock(&lock);
}

void com_judge_after_fork(bool child) {
        if (!child) {
                pthread_mutex_unlock(&lock);
                return;
        }
        (void) pthread_mutex_init(&lock, NULL);
        parents_judges = TAKE_PTR(judges);
}

/* Callbacks: who is told what, how often, and what happens when nobody listens. One small test for each row of
 * api.md 2.2. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <wchar.h>

#include "conform.h"

#define PATIENCE_SECONDS 20
#define FETCHED "/file?size=1000"

/* What was called, seen from the tests. Nothing is asserted on the library's thread. */
struct listener {
        IBackgroundCopyCallback3 com;
        atomic_uint n_references;
        pthread_mutex_t lock;
        pthread_cond_t changed;
        bool is_old; /* knows IBackgroundCopyCallback only */
        unsigned n_transferred, n_errors, n_modifications, n_files, n_ranges;
        unsigned n_range_bytes; /* of the ranges that were taken */
        char file[64]; /* the end of the last file's URL */
        unsigned n_refusals; /* so many events are answered with E_FAIL before one is taken */
        GUID id;
        BG_JOB_STATE state;
        HRESULT error_code;
        bool completes; /* JobTransferred calls Complete */
        HRESULT completed;
        bool dies; /* the process ends inside of the callback */
        const wchar_t *mends; /* JobError gives the first file this URL, resumes the job, and stays until it has failed again */
};

static struct listener *listener_of(IBackgroundCopyCallback3 *This) {
        return (struct listener *) This; /* its first member */
}

static HRESULT listener_query(IBackgroundCopyCallback3 *This, REFIID riid, void **ret) {
        *ret = NULL;
        if (!IsEqualIID(riid, &IID_IUnknown) && !IsEqualIID(riid, &IID_IBackgroundCopyCallback) &&
            (listener_of(This)->is_old || (!IsEqualIID(riid, &IID_IBackgroundCopyCallback2) &&
                                           !IsEqualIID(riid, &IID_IBackgroundCopyCallback3))))
                return E_NOINTERFACE;
        atomic_fetch_add(&listener_of(This)->n_references, 1);
        *ret = This;
        return S_OK;
}

static ULONG listener_add_ref(IBackgroundCopyCallback3 *This) {
        return atomic_fetch_add(&listener_of(This)->n_references, 1) + 1;
}

static ULONG listener_release(IBackgroundCopyCallback3 *This) {
        struct listener *self = listener_of(This);
        ULONG left;

        pthread_mutex_lock(&self->lock);
        left = atomic_fetch_sub(&self->n_references, 1) - 1;
        pthread_cond_broadcast(&self->changed);
        pthread_mutex_unlock(&self->lock);
        return left;
}

/* S_OK, or E_FAIL as long as it is to refuse. */
static HRESULT listener_take(struct listener *self, IBackgroundCopyJob *job, unsigned *counter) {
        HRESULT hr = S_OK, completed = E_UNEXPECTED;
        BG_JOB_STATE state = BG_JOB_STATE_CONNECTING;
        GUID id = {};

        if (self->dies)
                _exit(0);
        (void) IBackgroundCopyJob_GetState(job, &state);
        (void) IBackgroundCopyJob_GetId(job, &id);
        if (self->completes)
                completed = IBackgroundCopyJob_Complete(job);
        pthread_mutex_lock(&self->lock);
        ++*counter;
        self->state = state;
        self->id = id;
        self->completed = completed;
        if (self->n_refusals > 0) {
                self->n_refusals--;
                hr = E_FAIL;
        }
        pthread_cond_broadcast(&self->changed);
        pthread_mutex_unlock(&self->lock);
        return hr;
}

static HRESULT listener_transferred(IBackgroundCopyCallback3 *This, IBackgroundCopyJob *job) {
        return listener_take(listener_of(This), job, &listener_of(This)->n_transferred);
}

static ULONG count_errors(IBackgroundCopyJob *job) {
        ULONG n = 0;

        (void) IBackgroundCopyJob_GetErrorCount(job, &n);
        return n;
}

static void try_again(IBackgroundCopyJob *job, struct listener *self) {
        const struct timespec pause = { .tv_nsec = 1000000 };
        ULONG before = count_errors(job);
        IBackgroundCopyJob3 *job3;

        if (FAILED(IBackgroundCopyJob_QueryInterface(job, &IID_IBackgroundCopyJob3, (void **) &job3)))
                return;
        (void) IBackgroundCopyJob3_ReplaceRemotePrefix(job3, origin_url("/"), self->mends);
        (void) IBackgroundCopyJob3_Resume(job3);
        (void) IBackgroundCopyJob3_Release(job3);
        for (int i = 0; i < PATIENCE_SECONDS * 1000 && count_errors(job) == before; i++)
                (void) nanosleep(&pause, NULL); /* between two questions; nothing depends on its length */
        self->mends = NULL;
}

static HRESULT listener_error(IBackgroundCopyCallback3 *This, IBackgroundCopyJob *job, IBackgroundCopyError *error) {
        struct listener *self = listener_of(This);
        BG_ERROR_CONTEXT context;
        HRESULT code = S_OK;

        (void) IBackgroundCopyError_GetError(error, &context, &code);
        pthread_mutex_lock(&self->lock);
        self->error_code = code;
        pthread_mutex_unlock(&self->lock);
        if (self->mends)
                try_again(job, self);
        return listener_take(self, job, &self->n_errors);
}

static HRESULT listener_modification(IBackgroundCopyCallback3 *This, IBackgroundCopyJob *job, DWORD reserved) {
        return listener_take(listener_of(This), job, &listener_of(This)->n_modifications);
}

static HRESULT listener_file(IBackgroundCopyCallback3 *This, IBackgroundCopyJob *job, IBackgroundCopyFile *file) {
        struct listener *self = listener_of(This);
        LPWSTR url = NULL;

        if (SUCCEEDED(IBackgroundCopyFile_GetRemoteName(file, &url))) {
                pthread_mutex_lock(&self->lock);
                (void) snprintf(self->file, sizeof(self->file), "%ls", wcsrchr(url, L'/'));
                pthread_mutex_unlock(&self->lock);
        }
        CoTaskMemFree(url);
        return listener_take(self, job, &self->n_files);
}

static HRESULT listener_ranges(IBackgroundCopyCallback3 *This, IBackgroundCopyJob *job, IBackgroundCopyFile *file,
                               DWORD n, const BG_FILE_RANGE ranges[]) {
        struct listener *self = listener_of(This);
        HRESULT hr = listener_take(self, job, &self->n_ranges);

        pthread_mutex_lock(&self->lock);
        for (DWORD i = 0; hr == S_OK && i < n; i++)
                self->n_range_bytes += (unsigned) ranges[i].Length;
        pthread_cond_broadcast(&self->changed);
        pthread_mutex_unlock(&self->lock);
        return hr;
}

static const IBackgroundCopyCallback3Vtbl listener_vtbl = {
        listener_query, listener_add_ref,      listener_release, listener_transferred,
        listener_error, listener_modification, listener_file,    listener_ranges,
};

#define LISTENER                                                                              \
        {                                                                                     \
                .com = { (IBackgroundCopyCallback3Vtbl *) &listener_vtbl }, .n_references = 1, \
                .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER        \
        }

/* Until @value is at least @n. false: it did not come to that. */
static bool waits_for(struct listener *self, const unsigned *value, unsigned n) {
        struct timespec until;
        bool there;
        int r = 0;

        (void) clock_gettime(CLOCK_REALTIME, &until);
        until.tv_sec += PATIENCE_SECONDS;
        pthread_mutex_lock(&self->lock);
        while (*value < n && r == 0)
                r = pthread_cond_timedwait(&self->changed, &self->lock, &until);
        there = *value >= n;
        pthread_mutex_unlock(&self->lock);
        return there;
}

static bool waits_for_references(struct listener *self, unsigned n) {
        struct timespec until;
        bool there;
        int r = 0;

        (void) clock_gettime(CLOCK_REALTIME, &until);
        until.tv_sec += PATIENCE_SECONDS;
        pthread_mutex_lock(&self->lock);
        while (atomic_load(&self->n_references) != n && r == 0)
                r = pthread_cond_timedwait(&self->changed, &self->lock, &until);
        there = atomic_load(&self->n_references) == n;
        pthread_mutex_unlock(&self->lock);
        return there;
}

static HRESULT listen_to(const struct job *job, struct listener *listener) {
        return IBackgroundCopyJob_SetNotifyInterface(job->com, (IUnknown *) (void *) &listener->com);
}

/* Removes it, and sees that nobody holds it: it is on the test's stack. */
static void job_done_with(struct job *job, struct listener *listener) {
        (void) IBackgroundCopyJob_SetNotifyInterface(job->com, NULL);
        job_done(job);
        assert_true(waits_for_references(listener, 1));
}

static struct job new_job_of(const struct family *family, const char *query) {
        struct job job = job_new(family);

        job_add(&job, origin_url(query), destination("callback"));
        assert_hr(IBackgroundCopyJob_SetPriority(job.com, BG_JOB_PRIORITY_FOREGROUND), S_OK);
        return job;
}

/* ---- the rows ---- */

/* CONFORMS: api.md 2.2 JobTransferred: entering D */
/* SENTENCES: callback.transferred */
static void a_transferred_job_calls_its_client(void **state) {
        FOR_EACH_FAMILY(family) {
                struct job job = new_job_of(family, FETCHED);
                struct listener listener = LISTENER;

                assert_hr(listen_to(&job, &listener), S_OK);
                job_resume(&job);
                assert_true(waits_for(&listener, &listener.n_transferred, 1));
                assert_true(IsEqualGUID(&listener.id, &job.id));
                assert_int_equal(listener.state, BG_JOB_STATE_TRANSFERRED);
                assert_int_equal(listener.n_errors, 0);
                assert_int_equal(listener.n_modifications, 0); /* not by default */
                job_done_with(&job, &listener);
                assert_int_equal(listener.n_transferred, 1);
        }
}

/* CONFORMS: api.md 2.2 JobError: entering E; pError is there during the call */
/* SENTENCES: callback.error */
static void a_job_in_error_calls_its_client(void **state) {
        FOR_EACH_FAMILY(family) {
                struct job job = new_job_of(family, "/e?status=404");
                struct listener listener = LISTENER;

                assert_hr(listen_to(&job, &listener), S_OK);
                job_resume(&job);
                assert_true(waits_for(&listener, &listener.n_errors, 1));
                assert_hr(listener.error_code, (HRESULT) 0x80190194);
                assert_int_equal(listener.state, BG_JOB_STATE_ERROR);
                assert_int_equal(listener.n_transferred, 0);
                job_done_with(&job, &listener);
        }
}

/* CONFORMS: api.md 2.2 JobError: "not TE" */
/* SENTENCES: callback.error */
static void a_transient_error_calls_nobody(void **state) {
        FOR_EACH_FAMILY(family) {
                const char *id = family->is_do ? "te-do" : "te-bits";
                struct listener listener = LISTENER;
                char query[32];
                struct job job;

                origin_case(id, "{\"size\": 10, \"answers\": [{\"status\": 503}, {}]}");
                (void) snprintf(query, sizeof(query), "/c/%s/f", id);
                job = new_job_of(family, query);
                assert_hr(listen_to(&job, &listener), S_OK);
                job_resume(&job);
                job_wait(&job, BG_JOB_STATE_TRANSIENT_ERROR);
                job_resume(&job);
                assert_true(waits_for(&listener, &listener.n_transferred, 1)); /* what came later was told */
                assert_int_equal(listener.n_errors, 0);
                job_done_with(&job, &listener);
        }
}

/* CONFORMS: api.md 2.2 "guaranteed ≥1 even if registered after the event" */
/* SENTENCES: callback.late */
static void an_event_waits_for_its_listener(void **state) {
        FOR_EACH_FAMILY(family) {
                struct job transferred = job_in_state(family, FETCHED, BG_JOB_STATE_TRANSFERRED, NULL);
                struct job error = job_in_state(family, "/e?status=403", BG_JOB_STATE_ERROR, NULL);
                struct listener one = LISTENER, other = LISTENER;

                assert_hr(listen_to(&transferred, &one), S_OK);
                assert_true(waits_for(&one, &one.n_transferred, 1));
                assert_hr(listen_to(&error, &other), S_OK);
                assert_true(waits_for(&other, &other.n_errors, 1));
                assert_hr(other.error_code, (HRESULT) 0x80190193);
                job_done_with(&transferred, &one);
                job_done_with(&error, &other);
        }
}

/* CONFORMS: api.md 2.2 "Non-S_OK ⇒ re-called", 1.10 row 16: until S_OK */
/* SENTENCES: callback.again */
static void an_event_is_told_until_it_is_taken(void **state) {
        FOR_EACH_FAMILY(family) {
                struct job transferred = new_job_of(family, FETCHED), error = new_job_of(family, "/e?status=404");
                struct listener one = LISTENER, other = LISTENER;

                one.n_refusals = 1;
                other.n_refusals = 2;
                assert_hr(listen_to(&transferred, &one), S_OK);
                assert_hr(listen_to(&error, &other), S_OK);
                job_resume(&transferred);
                job_resume(&error);
                assert_true(waits_for(&one, &one.n_transferred, 2));
                assert_true(waits_for(&other, &other.n_errors, 3));
                job_done_with(&transferred, &one);
                job_done_with(&error, &other);
                assert_int_equal(one.n_transferred, 2);
                assert_int_equal(other.n_errors, 3);
        }
}

/* CONFORMS: api.md 2.2 "Pointer dies (client exit): redelivered when SetNotifyInterface is called again" */
/* SENTENCES: callback.dead */
static void an_event_whose_client_died_is_told_to_the_next(void **state) {
        FOR_EACH_FAMILY(family) {
                struct job job = new_job_of(family, FETCHED);
                struct listener listener = LISTENER;
                int status = -1;
                pid_t pid;

                pid = fork();
                if (pid == 0) { /* a client of its own: the library makes a new connection */
                        listener.dies = true;
                        if (listen_to(&job, &listener) != S_OK || IBackgroundCopyJob_Resume(job.com) != S_OK)
                                _exit(1);
                        (void) waits_for(&listener, &listener.n_transferred, 1);
                        _exit(2);
                }
                assert_int_equal(waitpid(pid, &status, 0), pid);
                assert_true(WIFEXITED(status));
                assert_int_equal(WEXITSTATUS(status), 0); /* it died in the callback */
                assert_int_equal(job_state(&job), BG_JOB_STATE_TRANSFERRED);
                assert_hr(listen_to(&job, &listener), S_OK);
                assert_true(waits_for(&listener, &listener.n_transferred, 1));
                job_done_with(&job, &listener);
        }
}

/* CONFORMS: api.md 2.2 and design.md I1: a service that comes back goes on to tell */
static void a_registration_survives_the_service(void **state) {
        FOR_EACH_FAMILY(family) {
                struct job job = new_job_of(family, FETCHED);
                struct listener listener = LISTENER;

                assert_hr(listen_to(&job, &listener), S_OK);
                world_kill_service();
                world_start_service();
                job_resume(&job);
                assert_true(waits_for(&listener, &listener.n_transferred, 1));
                job_done_with(&job, &listener);
        }
}

/* CONFORMS: design.md 1: a job may end without its client (dosvc cancel, another program, its life time); nobody keeps its callback then */
static void a_callback_is_released_when_somebody_else_ends_its_job(void **state) {
        dosvc *connection;

        assert_int_equal(dosvc_open(DOSVC_CONNECT_NO_START, &connection), 0);
        FOR_EACH_FAMILY(family) {
                struct job job = new_job_of(family, FETCHED);
                struct listener listener = LISTENER;

                assert_hr(listen_to(&job, &listener), S_OK);
                assert_true(atomic_load(&listener.n_references) > 1);
                assert_int_equal(dosvc_cancel(connection, job.text), 0);
                assert_true(waits_for_references(&listener, 1));
                job_done(&job);
        }
        dosvc_close(connection);
}

/* CONFORMS: api.md 2.2 JobModification: property or state change, coalesced; only with its flag */
/* SENTENCES: callback.modification */
static void a_change_is_told_to_who_asked_for_changes(void **state) {
        FOR_EACH_FAMILY(family) {
                struct job job = job_new(family);
                struct listener listener = LISTENER;

                assert_hr(IBackgroundCopyJob_SetNotifyFlags(job.com, BG_NOTIFY_JOB_MODIFICATION), S_OK);
                assert_hr(listen_to(&job, &listener), S_OK);
                for (int i = 0; i < 50; i++)
                        assert_hr(IBackgroundCopyJob_SetDescription(job.com, i % 2 ? L"odd" : L"even"), S_OK);
                assert_true(waits_for(&listener, &listener.n_modifications, 1));
                assert_true(IsEqualGUID(&listener.id, &job.id));
                assert_true(listener.n_modifications < 50);
                job_done_with(&job, &listener);
                assert_int_equal(listener.n_transferred, 0);
        }
}

/* CONFORMS: api.md 1.8 SetNotifyFlags: what is not asked for is not told; DISABLE overrides others (BITS) */
/* SENTENCES: job.flags */
static void flags_decide_what_is_told(void **state) {
        FOR_EACH_FAMILY(family) {
                struct job quiet = new_job_of(family, FETCHED), loud = new_job_of(family, FETCHED);
                struct listener silence = LISTENER, listener = LISTENER;
                ULONG flags = family->is_do
                                      ? BG_NOTIFY_JOB_ERROR
                                      : BG_NOTIFY_DISABLE | BG_NOTIFY_JOB_TRANSFERRED | BG_NOTIFY_JOB_MODIFICATION;

                assert_hr(IBackgroundCopyJob_SetNotifyFlags(quiet.com, flags), S_OK);
                assert_hr(listen_to(&quiet, &silence), S_OK);
                job_resume(&quiet);
                job_wait(&quiet, BG_JOB_STATE_TRANSFERRED);
                /* one that is told, and its event is later */
                assert_hr(listen_to(&loud, &listener), S_OK);
                job_resume(&loud);
                assert_true(waits_for(&listener, &listener.n_transferred, 1));
                assert_int_equal(silence.n_transferred + silence.n_modifications + silence.n_errors, 0);
                /* and asked for later it is told after all */
                assert_hr(IBackgroundCopyJob_SetNotifyFlags(quiet.com, BG_NOTIFY_JOB_TRANSFERRED), S_OK);
                assert_true(waits_for(&silence, &silence.n_transferred, 1));
                job_done_with(&quiet, &silence);
                job_done_with(&loud, &listener);
        }
}

/* CONFORMS: api.md 1.8 SetNotifyInterface: last caller wins, NULL removes; GetNotifyInterface; 2.1: IS after
 * Complete */
/* SENTENCES: job.interface */
static void the_last_registration_wins(void **state) {
        FOR_EACH_FAMILY(family) {
                struct job job = new_job_of(family, FETCHED);
                struct listener first = LISTENER, last = LISTENER;
                IUnknown *got;

                assert_hr(listen_to(&job, &first), S_OK);
                assert_hr(IBackgroundCopyJob_GetNotifyInterface(job.com, &got), S_OK);
                assert_ptr_equal(got, &first.com);
                (void) IUnknown_Release(got);
                assert_hr(listen_to(&job, &last), S_OK);
                assert_true(waits_for_references(&first, 1));
                job_resume(&job);
                assert_true(waits_for(&last, &last.n_transferred, 1));
                assert_int_equal(first.n_transferred, 0);
                assert_hr(IBackgroundCopyJob_SetNotifyInterface(job.com, NULL), S_OK);
                assert_true(waits_for_references(&last, 1));
                assert_hr(IBackgroundCopyJob_GetNotifyInterface(job.com, &got), S_OK);
                assert_null(got);
                assert_hr(IBackgroundCopyJob_Complete(job.com), S_OK);
                assert_hr(listen_to(&job, &last), family->invalid_state);
                job_done_with(&job, &last);
        }
}

/* CONFORMS: api.md 2.2 FileTransferred: flag 0x10, IBackgroundCopyCallback2; again until S_OK; whoever lacks the interface is not asked */
/* SENTENCES: callback.file */
static void a_transferred_file_is_told_to_who_asked_for_files(void **state) {
        FOR_EACH_FAMILY(family) {
                struct listener listener = LISTENER, old = LISTENER;
                struct job job = new_job_of(family, "/told?size=1000");

                listener.n_refusals = 1;
                assert_hr(IBackgroundCopyJob_SetNotifyFlags(job.com, BG_NOTIFY_FILE_TRANSFERRED), S_OK);
                assert_hr(listen_to(&job, &listener), S_OK);
                job_resume(&job);
                assert_true(waits_for(&listener, &listener.n_files, 2));
                assert_string_equal(listener.file, "/told?size=1000");
                assert_true(IsEqualGUID(&listener.id, &job.id));
                assert_int_equal(listener.n_transferred, 0);
                job_done_with(&job, &listener);

                old.is_old = true;
                job = new_job_of(family, FETCHED);
                assert_hr(IBackgroundCopyJob_SetNotifyFlags(job.com,
                                                            BG_NOTIFY_FILE_TRANSFERRED | BG_NOTIFY_JOB_TRANSFERRED),
                          S_OK);
                assert_hr(listen_to(&job, &old), S_OK);
                job_resume(&job);
                assert_true(waits_for(&old, &old.n_transferred, 1));
                assert_int_equal(old.n_files, 0);
                job_done_with(&job, &old);
        }
}

/* CONFORMS: api.md 2.2 FileRangesTransferred: flag 0x20, IBackgroundCopyCallback3; jobs on demand; again until S_OK */
static void ranges_on_demand_are_told_to_who_asked_for_ranges(void **state) {
        const struct family *bits = &families[1];
        struct job job = new_job_of(bits, "/demand?size=100000");
        BITS_JOB_PROPERTY_VALUE on = { .Enable = TRUE };
        BG_FILE_RANGE ranges[] = { { 1000, 500 }, { 90000, 1000 } };
        IBackgroundCopyFile *file = job_first_file(&job);
        struct listener listener = LISTENER;
        IBackgroundCopyFile6 *file6;
        IBackgroundCopyJob5 *job5;

        assert_hr(IBackgroundCopyJob_QueryInterface(job.com, &IID_IBackgroundCopyJob5, (void **) &job5), S_OK);
        assert_hr(IBackgroundCopyFile_QueryInterface(file, &IID_IBackgroundCopyFile6, (void **) &file6), S_OK);
        assert_hr(IBackgroundCopyJob5_SetProperty(job5, BITS_JOB_PROPERTY_ON_DEMAND_MODE, on), S_OK);
        assert_hr(IBackgroundCopyJob_SetNotifyFlags(job.com, BG_NOTIFY_FILE_RANGES_TRANSFERRED), S_OK);
        listener.n_refusals = 1;
        assert_hr(listen_to(&job, &listener), S_OK);
        assert_hr(IBackgroundCopyFile6_RequestFileRanges(file6, 2, ranges), S_OK);
        job_resume(&job);
        assert_true(waits_for(&listener, &listener.n_range_bytes, 1500));
        assert_int_equal(listener.n_range_bytes, 1500);
        assert_true(listener.n_ranges >= 2); /* the refused one came again */
        (void) IBackgroundCopyFile6_Release(file6);
        (void) IBackgroundCopyFile_Release(file);
        (void) IBackgroundCopyJob5_Release(job5);
        job_done_with(&job, &listener);
}

/* CONFORMS: api.md 1.8 SetNotifyInterface wants an IBackgroundCopyCallback */
static void what_is_no_callback_is_refused(void **state) {
        FOR_EACH_FAMILY(family) {
                struct job job = job_new(family);
                IUnknown *got;

                assert_hr(IBackgroundCopyJob_SetNotifyInterface(job.com, (IUnknown *) (void *) job.com), E_NOINTERFACE);
                assert_hr(IBackgroundCopyJob_GetNotifyInterface(job.com, &got), S_OK);
                assert_null(got);
                job_done(&job);
        }
}

/* CONFORMS: design.md decision 16: callbacks may call any method (here the one that every client calls: Complete) */
/* SENTENCES: callback.calls */
static void a_callback_may_complete_the_job(void **state) {
        FOR_EACH_FAMILY(family) {
                const wchar_t *path = destination("completed");
                struct listener listener = LISTENER;
                struct job job = job_new(family);

                job_add(&job, origin_url(FETCHED), path);
                listener.completes = true;
                assert_hr(listen_to(&job, &listener), S_OK);
                job_resume(&job);
                assert_true(waits_for(&listener, &listener.n_transferred, 1));
                assert_hr(listener.completed, S_OK);
                assert_file_is(path, FETCHED, 1000);
                job_done_with(&job, &listener);
        }
}

/* CONFORMS: api.md 2.2 JobTransferred on entering D: also when it comes there again with a file that was added */
/* SENTENCES: callback.transferred */
static void a_job_that_is_transferred_again_tells_again(void **state) {
        FOR_EACH_FAMILY(family) {
                struct job job = new_job_of(family, FETCHED);
                struct listener listener = LISTENER;

                assert_hr(listen_to(&job, &listener), S_OK);
                job_resume(&job);
                assert_true(waits_for(&listener, &listener.n_transferred, 1));
                job_add(&job, origin_url("/more?size=10"), destination("more"));
                job_resume(&job);
                assert_true(waits_for(&listener, &listener.n_transferred, 2));
                job_done_with(&job, &listener);
        }
}

/* CONFORMS: api.md 2.2 JobError on entering E: also when it is there again before the callback, which resumed it, has returned */
/* SENTENCES: callback.error */
static void what_fails_again_while_its_callback_runs_is_told_again(void **state) {
        FOR_EACH_FAMILY(family) {
                struct job job = new_job_of(family, "/first?status=404");
                struct listener listener = LISTENER;

                listener.mends = origin_url("/second/");
                assert_hr(listen_to(&job, &listener), S_OK);
                job_resume(&job);
                assert_true(waits_for(&listener, &listener.n_errors, 2));
                job_done_with(&job, &listener);
        }
}

int main(int argc, char **argv) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_transferred_job_calls_its_client),
                cmocka_unit_test(a_job_in_error_calls_its_client),
                cmocka_unit_test(a_transient_error_calls_nobody),
                cmocka_unit_test(an_event_waits_for_its_listener),
                cmocka_unit_test(an_event_is_told_until_it_is_taken),
                cmocka_unit_test(an_event_whose_client_died_is_told_to_the_next),
                cmocka_unit_test(a_registration_survives_the_service),
                cmocka_unit_test(a_callback_is_released_when_somebody_else_ends_its_job),
                cmocka_unit_test(a_change_is_told_to_who_asked_for_changes),
                cmocka_unit_test(flags_decide_what_is_told),
                cmocka_unit_test(the_last_registration_wins),
                cmocka_unit_test(a_transferred_file_is_told_to_who_asked_for_files),
                cmocka_unit_test(ranges_on_demand_are_told_to_who_asked_for_ranges),
                cmocka_unit_test(what_is_no_callback_is_refused),
                cmocka_unit_test(a_callback_may_complete_the_job),
                cmocka_unit_test(a_job_that_is_transferred_again_tells_again),
                cmocka_unit_test(what_fails_again_while_its_callback_runs_is_told_again),
        };

        return world_run(argc, argv, "callbacks", "MinimumRetryDelayDO=1800\n", tests, ELEMENTSOF(tests));
}

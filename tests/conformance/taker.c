#include "taker.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PATIENCE_SECONDS 20

static HRESULT taker_query(IStream *This, REFIID riid, void **ppv) {
        *ppv = NULL;
        if (!IsEqualIID(riid, &IID_IUnknown) && !IsEqualIID(riid, &IID_ISequentialStream) && !IsEqualIID(riid, &IID_IStream))
                return E_NOINTERFACE;
        *ppv = This;
        (void) atomic_fetch_add(&((struct taker *) This)->n_references, 1);
        return S_OK;
}

static ULONG taker_add_ref(IStream *This) {
        return atomic_fetch_add(&((struct taker *) This)->n_references, 1) + 1;
}

static ULONG taker_release(IStream *This) {
        struct taker *t = (struct taker *) This;
        ULONG before = atomic_fetch_sub(&t->n_references, 1);

        if (before <= 1)
                (void) atomic_fetch_add(&t->n_releases_too_many, 1); /* the test's own reference is never released this way */
        pthread_mutex_lock(&t->lock);
        pthread_cond_broadcast(&t->changed);
        pthread_mutex_unlock(&t->lock);
        return before - 1;
}

static HRESULT taker_write(IStream *This, const void *pv, ULONG cb, ULONG *pcbWritten) {
        struct taker *t = (struct taker *) This;
        HRESULT hr = S_OK;

        *pcbWritten = 0;
        pthread_mutex_lock(&t->lock);
        if (t->n_writers == 0 || !pthread_equal(t->writer, pthread_self()))
                t->n_writers++;
        t->writer = pthread_self();
        while (t->n >= t->block_at) {
                t->blocks = true;
                pthread_cond_broadcast(&t->changed);
                pthread_cond_wait(&t->changed, &t->lock);
        }
        t->blocks = false;
        if (t->n >= t->fail_at) {
                hr = t->is_short ? S_OK : t->failure;
                cb = 0;
        }
        if (t->n + cb > t->n_max) {
                t->n_max = (t->n + cb) * 2;
                t->bytes = realloc(t->bytes, t->n_max);
        }
        memcpy(t->bytes + t->n, pv, cb);
        t->n += cb;
        *pcbWritten = cb;
        pthread_cond_broadcast(&t->changed);
        pthread_mutex_unlock(&t->lock);
        return hr;
}

/* Nothing else of it is ever called. */
static HRESULT taker_read(IStream *This, void *pv, ULONG cb, ULONG *pcbRead) {
        abort();
}
static HRESULT taker_seek(IStream *This, LARGE_INTEGER move, DWORD origin, ULARGE_INTEGER *ret) {
        abort();
}
static HRESULT taker_set_size(IStream *This, ULARGE_INTEGER size) {
        abort();
}
static HRESULT taker_commit(IStream *This, DWORD flags) {
        abort();
}

struct taker *taker_new(void) {
        static IStreamVtbl vtbl = { .QueryInterface = taker_query, .AddRef = taker_add_ref, .Release = taker_release, .Read = taker_read,
                                    .Write = taker_write, .Seek = taker_seek, .SetSize = taker_set_size, .Commit = taker_commit };
        struct taker *t = calloc(1, sizeof(*t));

        assert_non_null(t);
        t->com.lpVtbl = &vtbl;
        t->n_references = 1;
        t->block_at = t->fail_at = SIZE_MAX;
        (void) pthread_mutex_init(&t->lock, NULL);
        (void) pthread_cond_init(&t->changed, NULL);
        return t;
}

static struct timespec patience(void) {
        struct timespec until;

        (void) clock_gettime(CLOCK_REALTIME, &until);
        until.tv_sec += PATIENCE_SECONDS;
        return until;
}

void taker_wait_blocked(struct taker *t) {
        struct timespec until = patience();

        pthread_mutex_lock(&t->lock);
        while (!t->blocks)
                assert_int_equal(pthread_cond_timedwait(&t->changed, &t->lock, &until), 0);
        pthread_mutex_unlock(&t->lock);
}

void taker_allow(struct taker *t) {
        pthread_mutex_lock(&t->lock);
        t->block_at = t->fail_at = SIZE_MAX;
        pthread_cond_broadcast(&t->changed);
        pthread_mutex_unlock(&t->lock);
}

/* Everybody else has released it, once. */
void taker_done(struct taker *t) {
        struct timespec until = patience();

        pthread_mutex_lock(&t->lock);
        while (atomic_load(&t->n_references) > 1)
                assert_int_equal(pthread_cond_timedwait(&t->changed, &t->lock, &until), 0);
        pthread_mutex_unlock(&t->lock);
        assert_int_equal(t->n_references, 1);
        assert_int_equal(t->n_releases_too_many, 0);
        assert_true(t->n_writers <= 1);
        free(t->bytes);
        free(t);
}

void taker_assert_has(struct taker *t, const char *query, size_t n) {
        const wchar_t *path = destination("taken");

        assert_int_equal(t->n, n);
        file_write(path, t->bytes, n);
        assert_file_is(path, query, n);
}

IDODownload *taker_new_download(const char *query, struct taker *t) {
        IDODownload *d = download_new(origin_url(query), NULL);

        assert_hr(download_set(d, DODownloadProperty_StreamInterface, (VARIANT){ .vt = VT_UNKNOWN, .punkVal = (IUnknown *) t }), S_OK);
        return d;
}

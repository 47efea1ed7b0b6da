/* Programs that take the bytes of a file by an IStream of theirs: one thread for each file asks the service how far it may read, reads there,
 * writes to the stream, and says so. Only that thread calls the stream, with no lock held. It ends when the job does, when the service goes,
 * or by com_stream_stop(). A stream that takes long holds up its own file only. */
#include <time.h>
#include <unistd.h>
#include <utlist.h>

#include "base/clock.h"
#include "base/fds.h"
#include "base/strings.h"
#include "client/com.h"

#define STEP_BYTES (256 * 1024)             /* of one Write() */
#define TAKEN_BYTES (1024 * 1024)           /* the service hears of progress about so often */
#define NUDGE_USEC (50 * USEC_PER_MSEC)
#define STREAM_SHORT ((HRESULT) 0x80030070) /* STG_E_MEDIUMFULL: it took less than it was given, and said S_OK */

struct stream {
        struct stream *prev, *next;
        char hex[WIRE_ID_HEX + 1];
        uint32_t index;
        struct dosvc *c; /* one user */
        IUnknown *unknown;
        IStream *stream;
        int fd;
        pthread_t thread;
        bool stop;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* never held while the service is asked or the program is called */
static pthread_cond_t ended = PTHREAD_COND_INITIALIZER;
static struct stream *streams;
static struct stream *parents; /* in a child of fork(2): kept from leak checkers, never touched */

static struct stream *find(const char *hex, uint32_t index) {
        struct stream *s;

        DL_FOREACH(streams, s)
                if (s->index == index && streq(s->hex, hex))
                        return s;
        return NULL;
}

/* Not under the lock: releasing may run code of the program. */
static struct stream *stream_free(struct stream *s) {
        if (!s)
                return NULL;
        if (s->stream)
                (void) s->stream->lpVtbl->Release(s->stream);
        if (s->unknown)
                (void) s->unknown->lpVtbl->Release(s->unknown);
        if (s->c)
                com_connection_put(s->c);
        (void) fd_close(s->fd);
        free(s);
        return NULL;
}

/* ---- the thread ---- */

static bool is_stopped(struct stream *s) {
        bool stopped;

        pthread_mutex_lock(&lock);
        stopped = s->stop;
        pthread_mutex_unlock(&lock);
        return stopped;
}

/* The program may give another one meanwhile. */
static IStream *current(struct stream *s) {
        IStream *stream;

        pthread_mutex_lock(&lock);
        stream = s->stream;
        (void) stream->lpVtbl->AddRef(stream);
        pthread_mutex_unlock(&lock);
        return stream;
}

static HRESULT write_bytes(struct stream *s, const void *bytes, ULONG n, ULONG *ret_written) {
        IStream *stream = current(s);
        HRESULT hr;

        *ret_written = 0;
        hr = stream->lpVtbl->Write(stream, bytes, n, ret_written);
        (void) stream->lpVtbl->Release(stream);
        *ret_written = MIN(*ret_written, n);
        return SUCCEEDED(hr) && *ret_written < n ? STREAM_SHORT : hr;
}

/* From *taken to at most @end. S_OK, or what the stream or the reading said. */
static HRESULT pass_on(struct stream *s, char *buffer, uint64_t *taken, uint64_t end) {
        while (*taken < end && !is_stopped(s)) {
                ssize_t n = fd_pread_all(s->fd, buffer, (size_t) MIN(end - *taken, (uint64_t) STEP_BYTES), *taken);
                ULONG written;
                HRESULT hr;

                if (n <= 0)
                        return n < 0 ? com_hresult_from_errno((int) n) : E_UNEXPECTED;
                hr = write_bytes(s, buffer, (ULONG) n, &written);
                *taken += written;
                if (FAILED(hr))
                        return hr;
        }
        return S_OK;
}

static void *stream_main(void *arg) {
        struct stream *s = arg;
        _cleanup_free_ char *buffer = malloc(STEP_BYTES);
        uint64_t taken = 0, available = 0;
        int code = buffer ? 0 : ERROR_OUT_OF_MEMORY;

        while (!code && !is_stopped(s)) {
                HRESULT hr = S_OK;

                code = wire_take_stream(s->c, s->hex, s->index, taken, true, &available);
                if (!code)
                        hr = pass_on(s, buffer, &taken, MIN(available, taken + TAKEN_BYTES));
                if (FAILED(hr)) {
                        /* What it took before it failed counts. The next call waits until somebody resumes the job. */
                        code = wire_take_stream(s->c, s->hex, s->index, taken, false, &available);
                        if (!code)
                                code = wire_fail_stream(s->c, s->hex, s->index, (uint32_t) hr);
                }
        }
        if (!buffer)
                (void) wire_fail_stream(s->c, s->hex, s->index, (uint32_t) E_OUTOFMEMORY);
        pthread_mutex_lock(&lock);
        DL_DELETE(streams, s);
        pthread_mutex_unlock(&lock);
        stream_free(s);
        pthread_mutex_lock(&lock);
        pthread_cond_broadcast(&ended);
        pthread_mutex_unlock(&lock);
        return NULL;
}

/* ---- for properties ---- */

static HRESULT stream_new(struct dosvc *c, const char *hex, uint32_t index, IUnknown *unknown, struct stream **ret) {
        struct stream *s = malloc(sizeof(*s));
        void *stream = NULL;
        HRESULT hr;

        if (!s)
                return E_OUTOFMEMORY;
        hr = unknown->lpVtbl->QueryInterface(unknown, &IID_IStream, &stream);
        if (FAILED(hr) || !stream) {
                free(s);
                return FAILED(hr) ? hr : E_NOINTERFACE;
        }
        (void) unknown->lpVtbl->AddRef(unknown);
        *s = (struct stream){ .index = index, .c = com_connection_ref(c), .unknown = unknown, .stream = stream, .fd = -EBADF };
        strcpy(s->hex, hex);
        *ret = s;
        return S_OK;
}

/* Puts @fresh's stream in the place of what is there: then @fresh has the old one. */
static bool replace(struct stream *fresh) {
        struct stream *there;

        pthread_mutex_lock(&lock);
        there = find(fresh->hex, fresh->index);
        if (there) {
                SWAP(there->unknown, fresh->unknown);
                SWAP(there->stream, fresh->stream);
        }
        pthread_mutex_unlock(&lock);
        return there;
}

static int start(struct stream *s) {
        int r;

        pthread_mutex_lock(&lock);
        r = connection_start_thread(&s->thread, "dosvc-stream", stream_main, s);
        if (r >= 0) {
                (void) pthread_detach(s->thread);
                DL_APPEND(streams, s);
        }
        pthread_mutex_unlock(&lock);
        return r;
}

HRESULT com_stream_set(struct dosvc *c, enum job_family family, const char *hex, uint32_t index, IUnknown *unknown) {
        struct stream *s;
        HRESULT hr;
        int code, r = 0;

        if (!unknown)
                return E_INVALIDARG; /* a sink is replaced, not taken away */
        hr = stream_new(c, hex, index, unknown, &s);
        if (FAILED(hr))
                return hr;
        code = wire_set_stream(c, hex, index);
        if (!code && replace(s)) {
                stream_free(s);
                return S_OK;
        }
        if (!code)
                code = wire_open_stream(c, hex, index, &s->fd);
        if (!code)
                r = start(s);
        if (code || r < 0)
                stream_free(s);
        return code ? com_result(c, family, hex, code) : com_hresult_from_errno(MIN(r, 0));
}

IUnknown *com_stream_get(const char *hex, uint32_t index) {
        IUnknown *unknown = NULL;
        struct stream *s;

        pthread_mutex_lock(&lock);
        s = find(hex, index);
        if (s) {
                unknown = s->unknown;
                (void) unknown->lpVtbl->AddRef(unknown);
        }
        pthread_mutex_unlock(&lock);
        return unknown;
}

/* ---- the end ---- */

/* One that is not the caller's own, with a user of its connection; false: there is none. */
static bool take_other(struct stream *ret) {
        struct stream *s;
        bool found = false;

        DL_FOREACH(streams, s) {
                s->stop = true;
                if (found || pthread_equal(s->thread, pthread_self()))
                        continue;
                *ret = *s;
                found = true;
        }
        if (found)
                (void) com_connection_ref(ret->c);
        return found;
}

void com_stream_stop(void) {
        struct timespec until;
        struct stream other;
        uint64_t unused, at;

        pthread_mutex_lock(&lock);
        while (take_other(&other)) {
                pthread_mutex_unlock(&lock);
                /* Another call answers the one that waits. It may come too early: then once more. */
                (void) wire_take_stream(other.c, other.hex, other.index, UINT64_MAX, false, &unused);
                com_connection_put(other.c);
                pthread_mutex_lock(&lock);
                at = clock_now(&clock_system, CLOCK_ID_REALTIME) + NUDGE_USEC;
                until = (struct timespec){ .tv_sec = (time_t) (at / USEC_PER_SEC), .tv_nsec = (long) (at % USEC_PER_SEC * 1000) };
                if (streams)
                        (void) pthread_cond_timedwait(&ended, &lock, &until);
        }
        pthread_mutex_unlock(&lock);
}

/* ---- fork ---- */

void com_stream_before_fork(void) {
        pthread_mutex_lock(&lock);
}

void com_stream_after_fork(bool child) {
        if (!child) {
                pthread_mutex_unlock(&lock);
                return;
        }
        (void) pthread_mutex_init(&lock, NULL);
        (void) pthread_cond_init(&ended, NULL);
        parents = TAKE_PTR(streams);
}

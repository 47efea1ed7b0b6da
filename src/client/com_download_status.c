/* Who is told of a download's progress, and what else this process keeps for it.
 *
 * Signals of the service only mark a download (on the reading thread); the callback thread looks at it and tells. Everything is kept under
 * one lock, which is never held while the service is asked or the program is called. */
#include <utlist.h>

#include "base/clock.h"
#include "base/strings.h"
#include "client/com_download.h"

struct observed {
        UT_hash_handle hh;
        char hex[WIRE_ID_HEX + 1];
        struct download_settings settings;

        IUnknown *unknown; /* NULL: nobody is told */
        IDODownloadStatusCallback *callback;
        struct dosvc *c;     /* one user, with a callback */
        uint64_t generation; /* in which the service was asked for signals */
        bool changed;        /* since somebody looked */
        uint64_t due;        /* CLOCK_MONOTONIC: when what was seen then may be told; UINT64_MAX: there is nothing */
        bool told_once;
        DO_DOWNLOAD_STATUS told;
        uint64_t told_at; /* CLOCK_MONOTONIC */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* under a connection's lock, and above com_callback.c's */
static struct observed *all;                             /* uthash */
static struct observed *parents; /* in a child of fork(2): kept from leak checkers, never touched */

/* ---- the table ---- */

/* Under the lock. NULL: no memory. */
static struct observed *find_or_add(const char *hex) {
        struct observed *o;

        HASH_FIND_STR(all, hex, o);
        if (o)
                return o;
        o = malloc(sizeof(*o));
        if (!o)
                return NULL;
        *o = (struct observed){ .settings = DOWNLOAD_SETTINGS_DEFAULT, .due = UINT64_MAX };
        strcpy(o->hex, hex);
        HASH_ADD_STR(all, hex, o);
        return o;
}

/* Not under the lock: releasing may run code of the program. */
static void drop_callback(IUnknown *unknown, IDODownloadStatusCallback *callback, struct dosvc *c) {
        if (!callback)
                return;
        (void) callback->lpVtbl->Release(callback);
        (void) unknown->lpVtbl->Release(unknown);
        com_connection_put(c);
}

static void observed_free(struct observed *o) {
        if (!o)
                return;
        drop_callback(o->unknown, o->callback, o->c);
        free(o);
}

struct download_settings com_download_settings(const char *hex) {
        struct download_settings settings = DOWNLOAD_SETTINGS_DEFAULT;
        struct observed *o;

        pthread_mutex_lock(&lock);
        HASH_FIND_STR(all, hex, o);
        if (o)
                settings = o->settings;
        pthread_mutex_unlock(&lock);
        return settings;
}

HRESULT com_download_set_settings(const char *hex, const struct download_settings *settings) {
        struct observed *o;

        pthread_mutex_lock(&lock);
        o = find_or_add(hex);
        if (o)
                o->settings = *settings;
        pthread_mutex_unlock(&lock);
        return o ? S_OK : E_OUTOFMEMORY;
}

void com_download_forget(const char *hex) {
        struct observed *o;

        pthread_mutex_lock(&lock);
        HASH_FIND_STR(all, hex, o);
        if (o)
                HASH_DEL(all, o);
        pthread_mutex_unlock(&lock);
        observed_free(o);
}

void com_download_forget_settings(const char *hex) {
        struct observed *o;

        pthread_mutex_lock(&lock);
        HASH_FIND_STR(all, hex, o);
        if (o && o->callback)
                o = NULL;
        if (o)
                HASH_DEL(all, o);
        pthread_mutex_unlock(&lock);
        observed_free(o);
}

HRESULT com_download_set_callback(struct dosvc *c, const char *hex, IUnknown *unknown) {
        struct observed *o, old = {};
        void *callback = NULL;
        HRESULT hr = S_OK;

        if (unknown) {
                hr = unknown->lpVtbl->QueryInterface(unknown, &IID_IDODownloadStatusCallback, &callback);
                if (FAILED(hr) || !callback)
                        return FAILED(hr) ? hr : E_NOINTERFACE;
                (void) unknown->lpVtbl->AddRef(unknown);
                (void) com_connection_ref(c);
                hr = com_hresult_from_errno(com_callback_start());
        }
        pthread_mutex_lock(&lock);
        o = SUCCEEDED(hr) ? find_or_add(hex) : NULL;
        if (o) {
                old = *o;
                o->unknown = unknown;
                o->callback = callback;
                o->c = unknown ? c : NULL;
                o->generation = 0;
                o->told_once = false;
                o->changed = unknown;
                o->due = UINT64_MAX;
        }
        pthread_mutex_unlock(&lock);
        if (!o) {
                drop_callback(unknown, callback, c);
                return FAILED(hr) ? hr : E_OUTOFMEMORY;
        }
        drop_callback(old.unknown, old.callback, old.c);
        if (unknown)
                com_callback_wake();
        return S_OK;
}

IUnknown *com_download_get_callback(const char *hex) {
        IUnknown *unknown = NULL;
        struct observed *o;

        pthread_mutex_lock(&lock);
        HASH_FIND_STR(all, hex, o);
        if (o && o->unknown) {
                unknown = o->unknown;
                (void) unknown->lpVtbl->AddRef(unknown);
        }
        pthread_mutex_unlock(&lock);
        return unknown;
}

/* ---- what the service says, on the reading thread ---- */

static void mark(const char *hex) {
        struct observed *o;
        bool wake = false;

        pthread_mutex_lock(&lock);
        HASH_FIND_STR(all, hex, o);
        if (o && o->callback && !o->changed)
                wake = o->changed = true;
        pthread_mutex_unlock(&lock);
        if (wake)
                com_callback_wake();
}

int com_download_on_message(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        const char *path = NULL, *id, *rest;
        char hex[WIRE_ID_HEX + 1];

        if (sd_bus_message_is_signal(m, WIRE_PROPERTIES, "PropertiesChanged") > 0)
                path = sd_bus_message_get_path(m);
        else if (sd_bus_message_is_signal(m, WIRE_MANAGER, "JobRemoved") > 0) {
                if (sd_bus_message_read(m, "so", &id, &path) < 0)
                        path = NULL;
                (void) sd_bus_message_rewind(m, true);
        }
        rest = path ? startswith(path, WIRE_JOB_PREFIX) : NULL;
        if (!rest || strlen(rest) != WIRE_ID_HEX)
                return 0;
        strcpy(hex, rest);
        mark(hex);
        return 0;
}

void com_download_on_connection(void) {
        struct observed *o, *next;
        bool wake = false;

        pthread_mutex_lock(&lock);
        HASH_ITER(hh, all, o, next)
                if (o->callback)
                        wake = o->changed = true;
        pthread_mutex_unlock(&lock);
        if (wake)
                com_callback_wake();
}

/* ---- telling, on the callback thread ---- */

/* When @now may be told of at the earliest: 0 at once, UINT64_MAX never. */
static uint64_t due_at(const struct observed *o, const DO_DOWNLOAD_STATUS *now) {
        const struct download_settings *settings = &o->settings;
        uint64_t step;

        if (!o->told_once || now->State != o->told.State || now->Error != o->told.Error ||
            now->ExtendedError != o->told.ExtendedError)
                return 0;
        if (now->BytesTransferred == o->told.BytesTransferred && now->BytesTotal == o->told.BytesTotal)
                return UINT64_MAX;
        step = now->BytesTotal == DO_UNKNOWN_FILE_SIZE ? UINT64_MAX : now->BytesTotal / 100 * settings->percent;
        if (settings->percent > 0 && now->BytesTransferred - o->told.BytesTransferred >= step)
                return 0;
        return settings->seconds > 0 ? o->told_at + settings->seconds * USEC_PER_SEC : UINT64_MAX;
}

/* A copy of the next one that is marked or due, which keeps everything alive while the program is called. */
static bool take_next(struct observed *ret) {
        uint64_t now = clock_now(&clock_system, CLOCK_ID_MONOTONIC);
        struct observed *o, *next;
        bool found = false;

        pthread_mutex_lock(&lock);
        HASH_ITER(hh, all, o, next)
                if (!found && o->callback && (o->changed || o->due <= now)) {
                        o->changed = false;
                        o->due = UINT64_MAX;
                        *ret = *o;
                        (void) ret->unknown->lpVtbl->AddRef(ret->unknown);
                        (void) ret->callback->lpVtbl->AddRef(ret->callback);
                        found = true;
                }
        pthread_mutex_unlock(&lock);
        if (found)
                (void) com_connection_ref(ret->c);
        return found;
}

/* 0 or an enum error_code. */
static int look(struct observed *o, DO_DOWNLOAD_STATUS *ret) {
        struct job_record record;
        int code = 0;

        /* Before looking, so that nothing happens unseen in between. */
        if (o->generation == 0 || o->generation != connection_generation(o->c))
                code = wire_subscribe(o->c, o->hex, 0, &o->generation);
        if (code && code != ERROR_NOT_FOUND)
                return code;
        code = wire_get_job_or_history(o->c, o->hex, 0, &record);
        if (code)
                return code;
        *ret = com_download_status(&record);
        job_record_done(&record);
        return 0;
}

static void tell(struct observed *o, const DO_DOWNLOAD_STATUS *status) {
        IDODownload *download;

        if (FAILED(com_download_new(o->c, o->hex, &download)))
                return;
        (void) o->callback->lpVtbl->OnStatusChange(o->callback, download, status);
        (void) download->lpVtbl->Release(download);
}

static void note(const struct observed *from, const DO_DOWNLOAD_STATUS *told) {
        struct observed *o;

        pthread_mutex_lock(&lock);
        HASH_FIND_STR(all, from->hex, o);
        if (o && o->callback == from->callback) {
                o->generation = from->generation;
                if (told) {
                        o->told = *told;
                        o->told_once = true;
                        o->told_at = clock_now(&clock_system, CLOCK_ID_MONOTONIC);
                }
        }
        pthread_mutex_unlock(&lock);
}

static bool is_over(DODownloadState state) {
        return state == DODownloadState_Finalized || state == DODownloadState_Aborted;
}

/* Return: when to look again even if nothing is marked. */
static uint64_t turn_one(struct observed *o) {
        uint64_t now = clock_now(&clock_system, CLOCK_ID_MONOTONIC), due;
        DO_DOWNLOAD_STATUS status;
        int code = look(o, &status);

        if (code == ERROR_NOT_FOUND) {
                com_download_forget(o->hex); /* longer ago than the history goes */
                return UINT64_MAX;
        }
        if (code)
                return now + USEC_PER_SEC;
        due = due_at(o, &status);
        if (due > now) {
                note(o, NULL);
                return due;
        }
        note(o, &status); /* before the program hears of it: what it changes now is news */
        tell(o, &status);
        if (is_over(status.State))
                com_download_forget(o->hex);
        return UINT64_MAX;
}

/* Not a mark: one that waits for its time is looked at again as soon as there are news, which may be of a kind that does not wait. */
static void set_due(const char *hex, uint64_t due) {
        struct observed *o;

        pthread_mutex_lock(&lock);
        HASH_FIND_STR(all, hex, o);
        if (o)
                o->due = due;
        pthread_mutex_unlock(&lock);
}

static uint64_t first_due(void) {
        uint64_t first = UINT64_MAX;
        struct observed *o, *next;

        pthread_mutex_lock(&lock);
        HASH_ITER(hh, all, o, next)
                if (o->callback)
                        first = MIN(first, o->due);
        pthread_mutex_unlock(&lock);
        return first;
}

uint64_t com_download_turn(void) {
        struct observed next;

        while (take_next(&next)) {
                set_due(next.hex, turn_one(&next));
                drop_callback(next.unknown, next.callback, next.c);
        }
        return first_due();
}

/* ---- the end ---- */

void com_download_stop(void) {
        struct observed *gone, *o, *next;

        pthread_mutex_lock(&lock);
        gone = TAKE_PTR(all);
        pthread_mutex_unlock(&lock);
        HASH_ITER(hh, gone, o, next) {
                HASH_DEL(gone, o);
                observed_free(o);
        }
}

void com_download_before_fork(void) {
        pthread_mutex_lock(&lock);
}

void com_download_after_fork(bool child) {
        if (!child) {
                pthread_mutex_unlock(&lock);
                return;
        }
        (void) pthread_mutex_init(&lock, NULL);
        parents = TAKE_PTR(all);
}

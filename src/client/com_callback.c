/* Callbacks of jobs: who is told (the registrations), what came in (the events), and the one thread that tells.
 *
 * The reading thread only queues. The callback thread calls the program with no lock held and answers the service
 * with what the program returned: an error answer, or none because we died, makes the service deliver again. It
 * also tells the service again of all registrations when the connection was lost. A registration holds the
 * callback and the connection, so the program may release its job and manager at once. */
#include <time.h>
#include <utlist.h>

#include "base/clock.h"
#include "base/strings.h"
#include "client/com.h"

#define RETRY_MIN_USEC USEC_PER_SEC
#define RETRY_MAX_USEC (30 * USEC_PER_SEC)

#define NOT_TAKEN "org.dosvc.Error.Unexpected"
#define NOT_TAKEN_TEXT "The program did not take the event."

enum event_kind {
        EVENT_TRANSFERRED,
        EVENT_ERROR,
        EVENT_MODIFICATION,
        EVENT_FILE_TRANSFERRED,
        EVENT_FILE_RANGES,
        EVENT_CERTIFICATE, /* a question */
        EVENT_ENDED,       /* nobody is told: it takes the registrations away */
};

struct registration {
        UT_hash_handle hh;
        char hex[WIRE_ID_HEX + 1];
        enum job_family family;
        struct dosvc *c; /* one user */
        IUnknown *unknown;
        IBackgroundCopyCallback *callback;
        IBackgroundCopyCallback2 *callback2; /* NULL: the program has none */
        IBackgroundCopyCallback3 *callback3;
};

struct event {
        struct event *prev, *next;
        enum event_kind kind;
        char hex[WIRE_ID_HEX + 1];
        uint32_t file;   /* of the events about files */
        struct record_ranges ranges;
        struct judge_question question; /* points into @call */
        struct dosvc *c; /* a reference, as the registration may be gone */
        sd_bus_message *call; /* NULL: nobody waits for an answer */
};

static pthread_mutex_t lock =
        PTHREAD_MUTEX_INITIALIZER; /* taken under a connection's lock, never the other way round */
static pthread_cond_t wake;        /* initialised with the first thread */
static pthread_cond_t ended = PTHREAD_COND_INITIALIZER;
static struct registration *registrations; /* uthash */
static struct event *events;
static bool running;
static bool stop;
static bool downloads; /* some of them may have news */
static bool renew; /* the connection is another one: register all again */
static pthread_t thread;
static struct registration *parents_registrations; /* in a child of fork(2): kept from leak checkers, never touched */
static struct event *parents_events;

/* ---- registrations ---- */

static void registration_free(struct registration *registration) {
        if (!registration)
                return;
        (void) registration->callback->lpVtbl->Release(registration->callback);
        if (registration->callback2)
                (void) registration->callback2->lpVtbl->Release(registration->callback2);
        if (registration->callback3)
                (void) registration->callback3->lpVtbl->Release(registration->callback3);
        (void) registration->unknown->lpVtbl->Release(registration->unknown);
        com_connection_put(registration->c);
        free(registration);
}

static HRESULT registration_new(struct dosvc *c, enum job_family family, const char *hex, IUnknown *unknown,
                                struct registration **ret) {
        struct registration *registration = malloc(sizeof(*registration));
        void *callback = NULL, *callback2 = NULL, *callback3 = NULL;
        HRESULT hr;

        if (!registration)
                return E_OUTOFMEMORY;
        hr = unknown->lpVtbl->QueryInterface(unknown, &IID_IBackgroundCopyCallback, &callback);
        if (FAILED(hr) || !callback) {
                free(registration);
                return FAILED(hr) ? hr : E_NOINTERFACE;
        }
        if (FAILED(unknown->lpVtbl->QueryInterface(unknown, &IID_IBackgroundCopyCallback2, &callback2)))
                callback2 = NULL;
        if (FAILED(unknown->lpVtbl->QueryInterface(unknown, &IID_IBackgroundCopyCallback3, &callback3)))
                callback3 = NULL;
        (void) unknown->lpVtbl->AddRef(unknown);
        *registration = (struct registration){ .family = family,
                                               .c = com_connection_ref(c),
                                               .unknown = unknown,
                                               .callback = callback,
                                               .callback2 = callback2,
                                               .callback3 = callback3 };
        strcpy(registration->hex, hex);
        *ret = registration;
        return S_OK;
}

/* What was registered for a job, NULL: nothing. */
static struct registration *withdraw(const char *hex) {
        struct registration *old;

        pthread_mutex_lock(&lock);
        HASH_FIND_STR(registrations, hex, old);
        if (old)
                HASH_DEL(registrations, old);
        pthread_mutex_unlock(&lock);
        return old;
}

/* Under the lock: @registration has what was there, and there is what it had. false: nothing was there, nothing changed. */
static bool swap(struct registration *registration) {
        struct registration *there;

        HASH_FIND_STR(registrations, registration->hex, there);
        if (!there)
                return false;
        SWAP(there->family, registration->family);
        SWAP(there->c, registration->c);
        SWAP(there->unknown, registration->unknown);
        SWAP(there->callback, registration->callback);
        SWAP(there->callback2, registration->callback2);
        SWAP(there->callback3, registration->callback3);
        return true;
}

/* Puts @registration in the place of what is there, which is given back. Needs memory only if nothing is there, so that it can
 * always be taken back. false: it is not registered. */
static bool exchange(struct registration *registration, struct registration **ret_old) {
        bool ok = true;

        pthread_mutex_lock(&lock);
        *ret_old = swap(registration) ? registration : NULL;
        if (!*ret_old) {
                HASH_ADD_STR(registrations, hex, registration);
                ok = registration->hh.tbl != NULL;
        }
        pthread_mutex_unlock(&lock);
        return ok;
}

/* Takes an exchange back, but not if nothing is there: the job ended meanwhile. @old is what nobody needs afterwards. */
static void put_back(struct registration *old) {
        pthread_mutex_lock(&lock);
        (void) swap(old);
        pthread_mutex_unlock(&lock);
}

/* ---- events ---- */

static void event_free(struct event *event) {
        connection_lock(event->c);
        sd_bus_message_unref(event->call);
        connection_unlock(event->c);
        connection_unref(event->c);
        free(event->ranges.items);
        free(event);
}

static void answer(struct event *event, bool taken) {
        if (!event->call)
                return;
        connection_lock(event->c);
        connection_answer(event->c, TAKE_PTR(event->call), taken ? NULL : NOT_TAKEN, NOT_TAKEN_TEXT);
        connection_unlock(event->c);
}

/* Changes that nobody was told of yet are told once. */
static bool is_waiting(enum event_kind kind, const char *hex) {
        struct event *event;

        DL_FOREACH(events, event)
                if (event->kind == kind && streq(event->hex, hex))
                        return true;
        return false;
}

static int read_question(sd_bus_message *call, struct event *event) {
        struct judge_question *question = &event->question;

        strcpy(question->hex, event->hex);
        question->file = event->file;
        if (sd_bus_message_read_array(call, 'y', &question->bytes, &question->n_bytes) < 0 ||
            sd_bus_message_read_array(call, 'y', &question->all, &question->n_all) < 0)
                return -EINVAL;
        return 0;
}

/* What an event brings besides the job's id. */
static int read_details(sd_bus_message *call, enum event_kind kind, struct event *event) {
        if (kind != EVENT_FILE_TRANSFERRED && kind != EVENT_FILE_RANGES && kind != EVENT_CERTIFICATE)
                return 0;
        if (sd_bus_message_read_basic(call, 'u', &event->file) < 0)
                return -EINVAL;
        if (kind == EVENT_CERTIFICATE)
                return read_question(call, event);
        return kind == EVENT_FILE_RANGES ? MIN(record_ranges_read(&event->ranges, call), 0) : 0;
}

/* By the reading thread, under the connection's lock. */
static int queue(struct dosvc *c, sd_bus_message *call, enum event_kind kind) {
        bool listening, told_anyway;
        struct event *event;
        struct guid guid;
        const char *id;
        int r;

        r = sd_bus_message_read(call, "s", &id);
        if (r < 0)
                return r;
        if (guid_from_string(id, &guid) < 0)
                return -EINVAL;
        event = malloc(sizeof(*event));
        if (!event)
                return -ENOMEM;
        *event = (struct event){ .kind = kind };
        guid_to_compact(&guid, event->hex);
        r = read_details(call, kind, event);
        if (r < 0) {
                free(event->ranges.items);
                free(event);
                return r;
        }

        pthread_mutex_lock(&lock);
        listening = running && !stop;
        told_anyway = kind == EVENT_MODIFICATION && is_waiting(kind, event->hex);
        if (listening && !told_anyway) {
                event->c = connection_ref(c);
                event->call = sd_bus_message_ref(call);
                DL_APPEND(events, event);
                event = NULL;
                pthread_cond_signal(&wake);
        }
        pthread_mutex_unlock(&lock);
        if (event)
                free(event->ranges.items);
        free(event);
        if (!listening)
                return sd_bus_reply_method_errorf(call, NOT_TAKEN, "%s", NOT_TAKEN_TEXT);
        return told_anyway ? sd_bus_reply_method_return(call, NULL) : 1;
}

/* Behind what is still to be told of it. Without memory the callback stays until it is registered again, or for good. */
static void queue_end(struct dosvc *c, const char *id) {
        struct registration *registration;
        struct event *event;
        struct guid guid;

        if (guid_from_string(id, &guid) < 0)
                return;
        event = malloc(sizeof(*event));
        if (!event)
                return;
        *event = (struct event){ .kind = EVENT_ENDED };
        guid_to_compact(&guid, event->hex);
        pthread_mutex_lock(&lock);
        HASH_FIND_STR(registrations, event->hex, registration);
        if (running && !stop && (registration || com_judge_is_needed())) {
                event->c = connection_ref(c);
                DL_APPEND(events, event);
                event = NULL;
                pthread_cond_signal(&wake);
        }
        pthread_mutex_unlock(&lock);
        free(event);
}

/* A job ended, whoever ended it. By the reading thread, too. */
static int on_signal(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        const char *id;

        if (sd_bus_message_is_signal(m, WIRE_MANAGER, "JobRemoved") <= 0)
                return 0;
        if (sd_bus_message_read_basic(m, 's', &id) >= 0)
                queue_end(userdata, id);
        (void) sd_bus_message_rewind(m, true);
        return 0;
}

static int on_transferred(sd_bus_message *call, void *userdata, sd_bus_error *reterr) {
        return queue(userdata, call, EVENT_TRANSFERRED);
}

static int on_error(sd_bus_message *call, void *userdata, sd_bus_error *reterr) {
        return queue(userdata, call, EVENT_ERROR);
}

static int on_modification(sd_bus_message *call, void *userdata, sd_bus_error *reterr) {
        return queue(userdata, call, EVENT_MODIFICATION);
}

static int on_file_transferred(sd_bus_message *call, void *userdata, sd_bus_error *reterr) {
        return queue(userdata, call, EVENT_FILE_TRANSFERRED);
}

static int on_file_ranges(sd_bus_message *call, void *userdata, sd_bus_error *reterr) {
        return queue(userdata, call, EVENT_FILE_RANGES);
}

static int on_question(sd_bus_message *call, void *userdata, sd_bus_error *reterr) {
        return queue(userdata, call, EVENT_CERTIFICATE);
}

static const sd_bus_vtable callback_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_METHOD("JobTransferred", "s", "", on_transferred, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("JobError", "s", "", on_error, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("FileTransferred", "su", "", on_file_transferred, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("FileRangesTransferred", "sua(tt)", "", on_file_ranges, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("JudgeCertificate", "suayay", "u", on_question, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("JobModification", "s", "", on_modification, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_VTABLE_END,
};

static void ask_to_renew(void) {
        pthread_mutex_lock(&lock);
        renew = registrations != NULL || com_judge_is_needed();
        if (running)
                pthread_cond_signal(&wake);
        pthread_mutex_unlock(&lock);
}

static int on_connected(struct dosvc *c, sd_bus *bus) {
        int r;

        r = sd_bus_add_object_vtable(bus, NULL, WIRE_CALLBACK_PATH, WIRE_CALLBACK, callback_vtable, c);
        if (r >= 0)
                r = sd_bus_add_filter(bus, NULL, com_download_on_message, c);
        if (r >= 0)
                r = sd_bus_add_filter(bus, NULL, on_signal, c);
        if (r < 0)
                return r;
        ask_to_renew();
        com_download_on_connection();
        return 0;
}

static void on_lost(struct dosvc *c) {
        ask_to_renew();
        com_download_on_connection();
}

const struct connection_hooks com_callback_hooks = { .connected = on_connected, .lost = on_lost };

/* ---- telling the program ---- */

static HRESULT tell_error(const struct registration *to, struct dosvc *c, IBackgroundCopyJob *job) {
        struct job_record record;
        IBackgroundCopyError *error;
        HRESULT hr = S_OK;

        if (wire_get_job(c, to->hex, 0, &record))
                return E_FAIL;
        /* Somebody resumed or ended the job meanwhile: the event is no news any more. */
        if (record.info.error.hresult != 0) {
                hr = com_error_new(c, to->hex, &record, &error);
                if (SUCCEEDED(hr)) {
                        hr = to->callback->lpVtbl->JobError(to->callback, job, error);
                        (void) error->lpVtbl->Release(error);
                }
        }
        job_record_done(&record);
        return hr;
}

static HRESULT tell_ranges(const struct registration *to, const struct event *event, IBackgroundCopyJob *job,
                           IBackgroundCopyFile *file) {
        BG_FILE_RANGE *ranges = calloc(event->ranges.n + 1, sizeof(*ranges));
        HRESULT hr;

        if (!ranges)
                return E_OUTOFMEMORY;
        for (size_t i = 0; i < event->ranges.n; i++)
                ranges[i] = (BG_FILE_RANGE){ event->ranges.items[i].offset, event->ranges.items[i].length };
        hr = to->callback3->lpVtbl->FileRangesTransferred(to->callback3, job, file, (DWORD) event->ranges.n, ranges);
        free(ranges);
        return hr;
}

/* A program without the interface does not want to know. */
static HRESULT tell_file(const struct registration *to, const struct event *event, IBackgroundCopyJob *job) {
        struct file_record record;
        IBackgroundCopyFile *file;
        HRESULT hr;

        if (event->kind == EVENT_FILE_TRANSFERRED ? !to->callback2 : !to->callback3)
                return S_OK;
        if (wire_get_file(to->c, to->hex, event->file, &record))
                return E_FAIL;
        hr = com_file_new(to->c, to->family, to->hex, &record, &file);
        if (FAILED(hr))
                return hr;
        hr = event->kind == EVENT_FILE_TRANSFERRED ? to->callback2->lpVtbl->FileTransferred(to->callback2, job, file)
                                                   : tell_ranges(to, event, job, file);
        (void) file->lpVtbl->Release(file);
        return hr;
}

static HRESULT tell(const struct registration *to, const struct event *event) {
        IBackgroundCopyJob *job;
        HRESULT hr;

        hr = com_job_new(to->c, to->family, to->hex, &job);
        if (FAILED(hr))
                return hr;
        if (event->kind == EVENT_TRANSFERRED)
                hr = to->callback->lpVtbl->JobTransferred(to->callback, job);
        else if (event->kind == EVENT_ERROR)
                hr = tell_error(to, event->c, job);
        else if (event->kind == EVENT_FILE_TRANSFERRED || event->kind == EVENT_FILE_RANGES)
                hr = tell_file(to, event, job);
        else
                hr = to->callback->lpVtbl->JobModification(to->callback, job, 0);
        (void) job->lpVtbl->Release(job);
        return hr;
}

/* A copy that keeps everything alive while the program is called: it may remove its registration meanwhile. */
static bool take_registration(const char *hex, struct registration *ret) {
        struct registration *found;

        pthread_mutex_lock(&lock);
        HASH_FIND_STR(registrations, hex, found);
        if (found) {
                *ret = *found;
                (void) ret->callback->lpVtbl->AddRef(ret->callback);
                if (ret->callback2)
                        (void) ret->callback2->lpVtbl->AddRef(ret->callback2);
                if (ret->callback3)
                        (void) ret->callback3->lpVtbl->AddRef(ret->callback3);
        }
        pthread_mutex_unlock(&lock);
        if (found)
                (void) com_connection_ref(ret->c);
        return found;
}

static void put_question(struct event *event) {
        HRESULT hr;

        if (!com_judge_ask(&event->question, &hr)) {
                answer(event, false);
                return;
        }
        connection_lock(event->c);
        connection_answer_number(event->c, TAKE_PTR(event->call), (uint32_t) hr);
        connection_unlock(event->c);
}

static void deliver(struct event *event) {
        struct registration to;
        bool taken = false;

        if (event->kind == EVENT_CERTIFICATE) {
                put_question(event);
                event_free(event);
                return;
        }
        if (event->kind == EVENT_ENDED) {
                com_callback_forget(event->hex);
                com_judge_forget(event->hex);
                event_free(event);
                return;
        }
        /* Without a registration the answer is "not taken": the service keeps the event for whoever registers
         * next. */
        if (take_registration(event->hex, &to)) {
                taken = tell(&to, event) == S_OK;
                (void) to.callback->lpVtbl->Release(to.callback);
                if (to.callback2)
                        (void) to.callback2->lpVtbl->Release(to.callback2);
                if (to.callback3)
                        (void) to.callback3->lpVtbl->Release(to.callback3);
                com_connection_put(to.c);
        }
        answer(event, taken);
        event_free(event);
}

/* ---- the thread ---- */

/* Ids of all registrations. NULL: none, or no memory. The caller frees it. */
static struct registration *list_registrations(size_t *ret_n) {
        struct registration *registration, *list, *next;
        size_t n = 0;

        list = calloc(HASH_COUNT(registrations) + 1, sizeof(*list));
        if (list)
                HASH_ITER(hh, registrations, registration, next) {
                        list[n] = *registration;
                        (void) com_connection_ref(list[n++].c);
                }
        *ret_n = n;
        return list;
}

/* true: all that can be registered is. */
static bool register_again(void) {
        struct registration *list;
        bool complete = true;
        size_t n;

        pthread_mutex_lock(&lock);
        list = list_registrations(&n);
        pthread_mutex_unlock(&lock);
        for (size_t i = 0; i < n; i++) {
                int code = complete ? wire_set_notify(list[i].c, list[i].hex, true) : 0;

                if (code == ERROR_NOT_FOUND || code == ERROR_INVALID_STATE)
                        registration_free(withdraw(list[i].hex));
                else if (code)
                        complete = false;
                com_connection_put(list[i].c);
        }
        free(list);
        return com_judge_renew() && complete;
}

/* Under the lock. */
static void wait_for_work(uint64_t until) {
        struct timespec ts = { .tv_sec = (time_t) (until / USEC_PER_SEC),
                               .tv_nsec = (long) (until % USEC_PER_SEC * 1000) };

        if (until == UINT64_MAX)
                (void) pthread_cond_wait(&wake, &lock);
        else
                (void) pthread_cond_timedwait(&wake, &lock, &ts);
}

static void *callback_main(void *arg) {
        uint64_t retry_usec = RETRY_MIN_USEC, retry_at = UINT64_MAX, downloads_at = UINT64_MAX;

        pthread_mutex_lock(&lock);
        while (!stop) {
                uint64_t now = clock_now(&clock_system, CLOCK_ID_MONOTONIC);
                struct event *event = events;

                if (event) {
                        DL_DELETE(events, event);
                        pthread_mutex_unlock(&lock);
                        deliver(event);
                } else if (renew || now >= retry_at) {
                        bool complete;

                        renew = false;
                        pthread_mutex_unlock(&lock);
                        complete = register_again();
                        retry_at = complete ? UINT64_MAX : now + retry_usec;
                        retry_usec = complete ? RETRY_MIN_USEC : MIN(retry_usec * 2, (uint64_t) RETRY_MAX_USEC);
                } else if (downloads || now >= downloads_at) {
                        downloads = false;
                        pthread_mutex_unlock(&lock);
                        downloads_at = com_download_turn();
                } else {
                        wait_for_work(MIN(retry_at, downloads_at));
                        continue;
                }
                pthread_mutex_lock(&lock);
        }
        running = false;
        pthread_cond_broadcast(&ended);
        pthread_mutex_unlock(&lock);
        return NULL;
}

static void init_wake(void) {
        pthread_condattr_t attr;

        (void) pthread_condattr_init(&attr);
        (void) pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
        (void) pthread_cond_init(&wake, &attr);
        (void) pthread_condattr_destroy(&attr);
}

int com_callback_start(void) {
        int r = 0;

        pthread_mutex_lock(&lock);
        stop = false;
        if (!running) {
                init_wake();
                r = connection_start_thread(&thread, "dosvc-callback", callback_main, NULL);
                running = r >= 0;
                if (running)
                        (void) pthread_detach(thread);
        }
        pthread_mutex_unlock(&lock);
        return r;
}

void com_callback_wake(void) {
        pthread_mutex_lock(&lock);
        downloads = true;
        if (running)
                pthread_cond_signal(&wake);
        pthread_mutex_unlock(&lock);
}

bool com_callback_is_current(void) {
        bool is_current;

        pthread_mutex_lock(&lock);
        is_current = running && pthread_equal(pthread_self(), thread);
        pthread_mutex_unlock(&lock);
        return is_current;
}

void com_callback_stop(void) {
        struct registration *all = NULL, *registration, *next;
        struct event *unheard = NULL, *event, *next_event;

        pthread_mutex_lock(&lock);
        stop = true;
        if (running)
                pthread_cond_signal(&wake);
        /* Called from a callback it cannot wait for itself: the thread ends after the return. */
        while (running && stop && !pthread_equal(pthread_self(), thread))
                pthread_cond_wait(&ended, &lock);
        all = TAKE_PTR(registrations);
        unheard = TAKE_PTR(events);
        pthread_mutex_unlock(&lock);

        com_download_stop();
        com_judge_stop();
        HASH_ITER(hh, all, registration, next) {
                HASH_DEL(all, registration);
                registration_free(registration);
        }
        DL_FOREACH_SAFE(unheard, event, next_event) {
                answer(event, false);
                event_free(event);
        }
}

/* ---- what jobs do ---- */

HRESULT com_callback_set(struct dosvc *c, enum job_family family, const char *hex, IUnknown *unknown) {
        struct registration *registration, *old;
        HRESULT hr;
        int code;

        if (!unknown) {
                code = wire_set_notify(c, hex, false);
                if (!code)
                        registration_free(withdraw(hex));
                return com_result(c, family, hex, code);
        }
        hr = registration_new(c, family, hex, unknown, &registration);
        if (FAILED(hr))
                return hr;
        hr = com_hresult_from_errno(com_callback_start());
        /* First here: an old event may come in before the answer does. */
        if (SUCCEEDED(hr) && !exchange(registration, &old))
                hr = E_OUTOFMEMORY;
        if (FAILED(hr)) {
                registration_free(registration);
                return hr;
        }
        code = wire_set_notify(c, hex, true);
        if (code && old)
                put_back(old);
        else if (code)
                old = withdraw(hex);
        registration_free(old);
        return com_result(c, family, hex, code);
}

IUnknown *com_callback_get(const char *hex) {
        struct registration *found;
        IUnknown *unknown = NULL;

        pthread_mutex_lock(&lock);
        HASH_FIND_STR(registrations, hex, found);
        if (found) {
                unknown = found->unknown;
                (void) unknown->lpVtbl->AddRef(unknown);
        }
        pthread_mutex_unlock(&lock);
        return unknown;
}

void com_callback_forget(const char *hex) {
        registration_free(withdraw(hex));
}

/* ---- fork ---- */

void com_callback_before_fork(void) {
        com_stream_before_fork();
        com_download_before_fork();
        pthread_mutex_lock(&lock);
        com_judge_before_fork();
}

/* The callbacks are the parent's. The child forgets them without touching them: their state may be that of another
 * thread. */
void com_callback_after_fork(bool child) {
        com_judge_after_fork(child);
        if (!child) {
                pthread_mutex_unlock(&lock);
                com_download_after_fork(false);
                com_stream_after_fork(false);
                return;
        }
        com_download_after_fork(true);
        com_stream_after_fork(true);
        (void) pthread_mutex_init(&lock, NULL);
        (void) pthread_cond_init(&ended, NULL);
        parents_registrations = TAKE_PTR(registrations);
        parents_events = TAKE_PTR(events);
        running = stop = renew = downloads = false;
}

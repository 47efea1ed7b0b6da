/* <dosvc.h>: dosvc_watch(). It subscribes, looks, and looks again whenever something changed, so that a lost or
 * coalesced signal costs nothing but time; when the connection is lost, it makes it again, subscribes and looks. */
#include "base/clock.h"
#include "base/strings.h"
#include "client/failure.h"
#include "client/public.h"
#include "client/rim.h"
#include "client/wire.h"
#include "protocol/limits.h"

#define PROGRESS_USEC (100 * USEC_PER_MSEC) /* between two calls that show nothing but progress */
#define RECONNECT_MIN_USEC (100 * USEC_PER_MSEC)
#define RECONNECT_MAX_USEC (2 * USEC_PER_SEC)
#define DELIVERED_ENDED INT32_MIN /* inside only: the job reached its final state */

struct watch {
        dosvc *c;
        struct watcher watcher;
        dosvc_job_fn fn;
        void *userdata;
        uint64_t timeout_usec;
        uint64_t deadline;
        uint64_t delivered;  /* when fn was last called */
        uint64_t generation; /* in which it is subscribed; 0: not */
        uint64_t reconnect_usec;
        bool seen; /* the watched job was found once */
};

static uint64_t now_usec(void) {
        return clock_now(&clock_system, CLOCK_ID_MONOTONIC);
}

static void free_jobs(struct changed_job *jobs) {
        struct changed_job *job, *next;

        HASH_ITER(hh, jobs, job, next) {
                HASH_DEL(jobs, job);
                free(job);
        }
}

static void move_deadline(struct watch *w) {
        w->delivered = now_usec();
        w->deadline = w->timeout_usec == UINT64_MAX ? UINT64_MAX : u64_add_saturated(w->delivered, w->timeout_usec);
}

static bool is_final(enum job_state state) {
        return state == JOB_ACKNOWLEDGED || state == JOB_CANCELLED;
}

/* 0 go on, DELIVERED_ENDED, or what fn returned. */
static int32_t deliver(struct watch *w, const char *hex, const struct job_record *record) {
        int32_t value;

        /* Before the program hears of it: what changes from now on is news. */
        connection_note_seen(w->c, &w->watcher, hex, is_final(record->state) ? NULL : record->info.state);
        value = w->fn(&record->info, w->userdata);
        w->seen = true;
        move_deadline(w);
        if (value != 0)
                return value;
        return *w->watcher.hex && is_final(record->state) ? DELIVERED_ENDED : 0;
}

/* One job as it is now. *ret_value as deliver(). 0 or an enum error_code. */
static int look_at(struct watch *w, const char *hex, int32_t *ret_value) {
        struct job_record record;
        int code;

        *ret_value = 0;
        code = wire_get_job_or_history(w->c, hex, CALL_CANCELLABLE, &record);
        if (code == ERROR_NOT_FOUND && !*w->watcher.hex) {
                connection_note_seen(w->c, &w->watcher, hex, NULL);
                return 0;
        }
        if (code)
                return code;
        *ret_value = deliver(w, hex, &record);
        job_record_done(&record);
        return 0;
}

/* Those of @jobs, which are freed. */
static int look_at_these(struct watch *w, struct changed_job *jobs, int32_t *ret_value) {
        struct changed_job *job, *next;
        int code = 0;

        *ret_value = 0;
        HASH_ITER(hh, jobs, job, next) {
                if (!code && *ret_value == 0)
                        code = look_at(w, job->hex, ret_value);
                HASH_DEL(jobs, job);
                free(job);
        }
        return code;
}

static void look_at_page(struct watch *w, const struct job_page *page, struct seen_job **gone, int32_t *ret_value) {
        for (size_t i = 0; i < page->n && *ret_value == 0; i++) {
                char hex[WIRE_ID_HEX + 1];
                struct seen_job *job;
                struct guid guid;

                if (guid_from_string(page->records[i].info.id, &guid) < 0)
                        continue;
                guid_to_compact(&guid, hex);
                HASH_FIND_STR(*gone, hex, job);
                if (job) {
                        HASH_DEL(*gone, job);
                        free(job);
                }
                *ret_value = deliver(w, hex, &page->records[i]);
        }
}

/* Jobs that were live when we last saw them and are not any more. @gone is freed. */
static int look_at_gone(struct watch *w, struct seen_job *gone, int32_t *ret_value) {
        struct seen_job *job, *next;
        int code = 0;

        HASH_ITER(hh, gone, job, next) {
                if (!code && *ret_value == 0)
                        code = look_at(w, job->hex, ret_value);
                HASH_DEL(gone, job);
                free(job);
        }
        return code;
}

static void keep_seen(struct watch *w, struct seen_job *jobs) {
        struct seen_job *job, *next;

        HASH_ITER(hh, jobs, job, next) {
                connection_note_seen(w->c, &w->watcher, job->hex, job->state);
                HASH_DEL(jobs, job);
                free(job);
        }
}

/* Every live job, and those that were live when we last looked and are not any more. */
static int look_at_all(struct watch *w, int32_t *ret_value) {
        struct seen_job *gone = connection_take_seen(w->c, &w->watcher);
        char *cursor = NULL;
        int code = 0;

        *ret_value = 0;
        for (bool more = true; more && *ret_value == 0;) {
                struct job_page page;

                code = wire_list_jobs(w->c, NULL, cursor, LIMIT_PAGE, CALL_CANCELLABLE, &page);
                free(TAKE_PTR(cursor));
                if (code)
                        break;
                look_at_page(w, &page, &gone, ret_value);
                more = *page.next != 0;
                cursor = TAKE_PTR(page.next);
                job_page_done(&page);
        }
        free(cursor);
        /* A list that broke off says nothing of those that it did not reach: they are still to be looked for. */
        if (code || *ret_value != 0) {
                keep_seen(w, gone);
                return code;
        }
        return look_at_gone(w, gone, ret_value);
}

static int look(struct watch *w, int32_t *ret_value) {
        return *w->watcher.hex ? look_at(w, w->watcher.hex, ret_value) : look_at_all(w, ret_value);
}

/* Subscribes on the connection as it is now, making it if necessary. */
static int subscribe(struct watch *w) {
        int code;

        code = wire_subscribe(w->c, w->watcher.hex, CALL_CANCELLABLE, &w->generation);
        if (!code)
                w->reconnect_usec = RECONNECT_MIN_USEC;
        return code;
}

static int look_at_changes(struct watch *w, int32_t *ret_value) {
        bool overflow;
        struct changed_job *changed = connection_take_changes(w->c, &w->watcher, &overflow);

        if (overflow) {
                free_jobs(changed);
                return look(w, ret_value);
        }
        return look_at_these(w, changed, ret_value);
}

/* Is this failure one that a watch outlives? */
static bool goes_on_after(const struct watch *w, int code) {
        return code == ERROR_NO_SERVICE && w->seen;
}

/* What dosvc_watch() returns when looking ended with @code, or with @value. */
static int32_t end_value(const struct watch *w, int code, int32_t value) {
        if (code)
                return connection_take_interrupt(w->c) ? RIM_E_ABORT : rim_hresult(code, JOB_FAMILY_DO);
        return value == DELIVERED_ENDED ? RIM_S_OK : value;
}

/* One turn. true: *ret is what dosvc_watch() returns. */
static bool turn(struct watch *w, int32_t *ret) {
        uint64_t until = w->deadline;
        enum wait_result waited;
        int32_t value = 0;
        int code = 0;

        if (w->generation == 0)
                until = MIN(until, now_usec() + w->reconnect_usec);
        waited = connection_wait(w->c, &w->watcher, w->generation, w->delivered + PROGRESS_USEC, until);
        if (waited == WAIT_INTERRUPTED) {
                *ret = RIM_E_ABORT;
                return true;
        }
        if (waited == WAIT_TIMEOUT && now_usec() >= w->deadline) {
                *ret = RIM_S_FALSE;
                return true;
        }
        if (waited == WAIT_LOST || waited == WAIT_TIMEOUT) {
                w->generation = 0;
                w->reconnect_usec = MIN(w->reconnect_usec * 2, (uint64_t) RECONNECT_MAX_USEC);
                code = subscribe(w);
                if (!code)
                        code = look(w, &value);
        } else
                code = look_at_changes(w, &value);
        if (goes_on_after(w, code)) {
                w->generation = 0;
                return false;
        }
        *ret = end_value(w, code, value);
        return code || value != 0;
}

int32_t dosvc_watch(dosvc *c, const char *id, int timeout_msec, dosvc_job_fn fn, void *userdata) {
        struct watch w = {
                .c = c, .fn = fn, .userdata = userdata, .timeout_usec = UINT64_MAX, .reconnect_usec = RECONNECT_MIN_USEC
        };
        int32_t value = 0;
        int code = 0;

        failure_clear(c);
        if (!c || !fn)
                return rim_hresult(failure_set(c, ERROR_INVALID_ARGUMENT, NULL), JOB_FAMILY_DO);
        if (timeout_msec >= 0)
                w.timeout_usec = (uint64_t) timeout_msec * USEC_PER_MSEC;
        move_deadline(&w);
        if (id)
                code = wire_find_job(c, id, "", w.watcher.hex);
        if (code)
                return rim_hresult(code, JOB_FAMILY_DO);

        connection_add_watcher(c, &w.watcher);
        code = subscribe(&w);
        if (!code)
                code = look(&w, &value);
        if (!code)
                w.seen = true;
        if (code || value != 0)
                value = end_value(&w, code, value);
        else
                while (!turn(&w, &value))
                        ;
        if (connection_remove_watcher(c, &w.watcher))
                connection_forget_subscription(c, w.watcher.hex);
        return value;
}

void dosvc_interrupt(dosvc *connection) {
        if (connection)
                connection_interrupt(connection);
}

#include "transfer/request_private.h"

#include <string.h>

#define CONNECT_TIMEOUT_DEFAULT (30 * USEC_PER_SEC)
#define STALL_TIMEOUT_DEFAULT (60 * USEC_PER_SEC)
#define IDLE_ACTIVITIES_MAX 64

struct request_pool {
        struct sd_event *event;
        struct activity *idle[IDLE_ACTIVITIES_MAX];
        size_t n_idle;
};

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata);

int request_pool_new(struct sd_event *event, struct request_pool **ret) {
        struct request_pool *pool = calloc(1, sizeof(*pool));

        if (!pool)
                return -ENOMEM;
        pool->event = event;
        *ret = pool;
        return 0;
}

struct request_pool *request_pool_free(struct request_pool *pool) {
        if (!pool)
                return NULL;
        while (pool->n_idle > 0) {
                struct activity *activity = pool->idle[--pool->n_idle];

                (void) sd_event_source_disable_unref(activity->timer);
                free(activity);
        }
        free(pool);
        return NULL;
}

struct activity *request_activity_new(struct request_pool *pool, struct request *request) {
        struct activity *activity = pool->n_idle > 0 ? pool->idle[--pool->n_idle] : calloc(1, sizeof(*activity));

        if (!activity)
                return NULL;
        if (!activity->timer &&
            (sd_event_add_time(pool->event, &activity->timer, CLOCK_MONOTONIC, 0, 1, on_timer, NULL) < 0 ||
             sd_event_source_set_enabled(activity->timer, SD_EVENT_OFF) < 0)) {
                (void) sd_event_source_disable_unref(activity->timer);
                free(activity);
                return NULL;
        }
        (void) sd_event_source_set_userdata(activity->timer, request);
        activity->deadline_usec = USEC_INFINITY;
        activity->proxy = (struct proxy_choice) { .url = "", .no_proxy = "" };
        return activity;
}

static void pool_return(struct request_pool *pool, struct activity *activity) {
        sd_event_source *timer = activity->timer;

        if (pool->n_idle == IDLE_ACTIVITIES_MAX) {
                (void) sd_event_source_disable_unref(timer);
                free(activity);
                return;
        }
        (void) sd_event_source_set_userdata(timer, NULL);
        memset(activity, 0, sizeof(*activity));
        activity->timer = timer;
        pool->idle[pool->n_idle++] = activity;
}

struct activity *request_activity_free(struct request *request) {
        struct activity *activity = request->activity;

        if (!activity)
                return NULL;
        if (activity->exchange.easy) {
                if (request->stage == STAGE_FETCHING)
                        owner_remove(request->owner, activity->exchange.easy);
                exchange_done(&activity->exchange);
                owner_return_easy(request->owner, activity->exchange.easy);
        }
        curl_slist_free_all(activity->resolve);
        proxy_choice_done(&activity->proxy);
        (void) lookup_cancel(activity->lookup);
        free(activity->url);
        free(activity->origin);
        pool_return(request->environment->pool, activity);
        return NULL;
}

/* --- time ---------------------------------------------------------------------------------------------------------------- */

uint64_t request_connect_timeout(const struct request *request) {
        uint64_t usec = request->start.start.connect_timeout_usec;

        return usec == 0 ? CONNECT_TIMEOUT_DEFAULT : usec;
}

uint64_t request_stall_timeout(const struct request *request) {
        uint64_t usec = request->start.start.stall_timeout_usec;

        return usec == 0 ? STALL_TIMEOUT_DEFAULT : usec;
}

uint64_t request_now(const struct request *request) {
        uint64_t usec = 0;

        (void) sd_event_now(request->environment->event, CLOCK_MONOTONIC, &usec);
        return usec;
}

static void set_timer(struct activity *activity, uint64_t at_usec) {
        if (sd_event_source_set_time(activity->timer, at_usec) >= 0)
                (void) sd_event_source_set_enabled(activity->timer, SD_EVENT_ONESHOT);
}

void request_arm_timer(struct request *request, uint64_t delay_usec) {
        struct activity *activity = request->activity;
        uint64_t armed = 0;
        int enabled = SD_EVENT_OFF;

        activity->deadline_usec = u64_add_saturated(request_now(request), delay_usec);
        if (activity->deadline_usec == USEC_INFINITY)
                return;
        (void) sd_event_source_get_enabled(activity->timer, &enabled);
        (void) sd_event_source_get_time(activity->timer, &armed);
        if (enabled == SD_EVENT_OFF || armed > activity->deadline_usec)
                set_timer(activity, activity->deadline_usec);
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata) {
        struct request *request = userdata;
        struct activity *activity;

        if (!request) /* fired for nobody */
                return 0;
        activity = request->activity;
        if (activity->deadline_usec == USEC_INFINITY)
                return 0;
        if (request_now(request) < activity->deadline_usec) {
                set_timer(activity, activity->deadline_usec);
                return 0;
        }
        if (activity->receiving) {
                uint64_t silent = exchange_is_held(&activity->exchange) ? 0 : request_now(request) - activity->last_byte_usec;

                if (silent < request_stall_timeout(request)) {
                        request_arm_timer(request, request_stall_timeout(request) - silent);
                        return 0;
                }
        }
        if (request->stage == STAGE_FETCHING) {
                activity->timed_out = !activity->draining;
                owner_remove(request->owner, activity->exchange.easy);
                request_exchange_done(request, CURLE_OPERATION_TIMEDOUT);
        } else
                request_fail(request, ERROR_NAME_NOT_RESOLVED, ERROR_CONTEXT_GENERAL_TRANSPORT, true, 0,
                             "the name could not be resolved in time");
        return 0;
}

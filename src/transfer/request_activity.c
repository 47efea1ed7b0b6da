#include "transfer/request_private.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define CONNECT_TIMEOUT_DEFAULT (30 * USEC_PER_SEC)
#define STALL_TIMEOUT_DEFAULT (60 * USEC_PER_SEC)
#define IDLE_ACTIVITIES_MAX 64
#define REPLACED_MAX 3 /* stalled connections in a row; then the request ends, and whoever asked decides when to try again */
#define REPLACED_EARNED_BYTES (UINT64_C(1) << 20) /* of one connection: it is not in a row with those before */

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
        activity->proxy = (struct proxy_choice) { .url = "" };
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
        memset(activity, 0, offsetof(struct activity, exchange));
        exchange_clear(&activity->exchange);
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
        curl_url_cleanup(activity->parsed);
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

/* --- stalls -------------------------------------------------------------------------------------------------------------- */

static struct flow_rule flow_rule(const struct request *request) {
        const struct activity *activity = request->activity;
        const struct ipc_start *spec = request_spec(request);

        return (struct flow_rule) {
                .window_usec = MAX(request_stall_timeout(request), UINT64_C(1)),
                .floor_rate = spec->floor_rate,
                .allowed_rate = spec->firm_floor ? activity->exchange.pace.max_rate :
                                                   exchange_allowed_rate(&activity->exchange, activity->flow.window_began_usec),
        };
}

static void arm_next_look(struct request *request) {
        struct flow_rule rule = flow_rule(request);
        uint64_t next = flow_next_look(&request->activity->flow, &rule), now = request_now(request);

        request_arm_timer(request, next - MIN(next, now));
}

void request_flow_begins(struct request *request) {
        request->activity->receiving = true;
        flow_begin(&request->activity->flow, request_now(request));
}

void request_flow_renew(struct request *request) {
        flow_renew(&request->activity->flow, clock_now(&clock_system, CLOCK_ID_MONOTONIC));
}

bool request_can_go_on(const struct request *request) {
        const struct activity *activity = request->activity;
        struct verdict_task task = activity->task;
        struct verdict_ask ask;

        task.offset += activity->exchange.n_body;
        task.length -= task.length == ENGINE_TO_EOF ? 0 : MIN(task.length, activity->exchange.n_body);
        task.has_bytes = true;
        return verdict_request(&task, &activity->known, &ask).action == VERDICT_SEND;
}

static bool may_replace(const struct request *request) {
        return request_spec(request)->replace_stalled && request->n_replaced < REPLACED_MAX &&
               request->activity->exchange.n_body > 0 && request_can_go_on(request);
}

/* Bytes come, if few: to give that up needs somebody who would do better. */
static bool slowness_matters(const struct request *request) {
        const struct activity *activity = request->activity;

        if (!request_spec(request)->replace_stalled)
                return request_spec(request)->floor_rate > 0;
        return (activity->exchange.verdict.partial || activity->exchange.facts.accepts_ranges) && may_replace(request);
}

static bool has_stalled(struct request *request) {
        struct activity *activity = request->activity;
        struct flow_rule rule = flow_rule(request);

        if (exchange_is_resting(&activity->exchange) || sink_take_slow(&request->sink)) {
                request_flow_renew(request);
                return false;
        }
        switch (flow_judge(&activity->flow, &rule, request_now(request))) {
        case FLOW_FINE:
                return false;
        case FLOW_SLOW:
                activity->slow = slowness_matters(request);
                return activity->slow;
        case FLOW_SILENT:
                break;
        }
        return true;
}

void request_describe_stall(const struct request *request, char ret[static TEXT_MAX]) {
        const struct activity *activity = request->activity;

        if (activity->slow)
                snprintf(ret, TEXT_MAX, "only %" PRIu64 " bytes per second came for %" PRIu64 " s", activity->flow.slow_rate,
                         (request_stall_timeout(request) + USEC_PER_SEC - 1) / USEC_PER_SEC);
        else
                snprintf(ret, TEXT_MAX, "nothing came for too long");
}

/* A try that brought much is forgotten to have ended badly. */
bool request_replace_connection(struct request *request) {
        char text[TEXT_MAX];

        if (request->activity->exchange.verdict.action != VERDICT_WRITE || !may_replace(request))
                return false;
        request->n_replaced = request->activity->exchange.n_body >= REPLACED_EARNED_BYTES ? 1 : request->n_replaced + 1;
        request->fresh = true;
        request_describe_stall(request, text);
        request->environment->send(request->environment->userdata, &(struct ipc_message) {
                .type = IPC_REPLACED,
                .replaced = { request_id(request), text },
        });
        return true;
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
                activity->slow = false;
                if (!has_stalled(request)) {
                        arm_next_look(request);
                        return 0;
                }
        }
        if (request->stage == STAGE_FETCHING) {
                activity->timed_out = !activity->draining;
                owner_remove(request->owner, activity->exchange.easy);
                if (!activity->slow) /* half, since acknowledgements of what we sent may have come later than the last bytes of ours */
                        exchange_cut_if_silent(&activity->exchange, request_stall_timeout(request) / 2);
                request_exchange_done(request, CURLE_OPERATION_TIMEDOUT);
        } else if (!request_gives_up_name(request))
                request_fail(request, ERROR_NAME_NOT_RESOLVED, ERROR_CONTEXT_GENERAL_TRANSPORT, true, 0,
                             "the name could not be resolved in time");
        return 0;
}

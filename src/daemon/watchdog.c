#include "daemon/watchdog.h"

#include <inttypes.h>
#include <string.h>
#include <systemd/sd-daemon.h>

#include "base/clock.h"
#include "base/log.h"

#define ASK_AFTER_USEC USEC_PER_SEC

struct watchdog {
        sd_event *event;
        sd_event_source *timer;
        uint64_t interval_usec; /* what the unit says */
        bool wound;
        bool (*is_active)(void *userdata);
        void *userdata;
};

static void set_wound(struct watchdog *watchdog, bool wound) {
        int r;

        watchdog->wound = wound;
        /* The manager's side first when it begins, and first when it ends: it never waits for what does not come. */
        (void) sd_notifyf(0, "WATCHDOG_USEC=%" PRIu64, wound ? watchdog->interval_usec : UINT64_C(0));
        r = sd_event_set_watchdog(watchdog->event, wound);
        if (r < 0)
                log_warning("the watchdog cannot be set: %s", strerror(-r));
}

static int on_ask(sd_event_source *source _unused_, uint64_t usec _unused_, void *userdata) {
        struct watchdog *watchdog = ASSERT_PTR(userdata);
        bool active = watchdog->is_active(watchdog->userdata);

        if (active != watchdog->wound)
                set_wound(watchdog, active);
        return 0;
}

void watchdog_touch(struct watchdog *watchdog) {
        int enabled;

        if (!watchdog || sd_event_source_get_enabled(watchdog->timer, &enabled) < 0 || enabled != SD_EVENT_OFF)
                return;
        if (sd_event_source_set_time_relative(watchdog->timer, ASK_AFTER_USEC) >= 0)
                (void) sd_event_source_set_enabled(watchdog->timer, SD_EVENT_ONESHOT);
}

int watchdog_new(sd_event *event, bool (*is_active)(void *userdata), void *userdata, struct watchdog **ret) {
        _cleanup_(watchdog_freep) struct watchdog *watchdog = NULL;
        uint64_t interval_usec;
        int r;

        r = sd_watchdog_enabled(0, &interval_usec);
        if (r <= 0) {
                *ret = NULL;
                return r;
        }
        watchdog = malloc(sizeof(*watchdog));
        if (!watchdog)
                return -ENOMEM;
        *watchdog = (struct watchdog) { .event = sd_event_ref(event), .interval_usec = interval_usec, .wound = true, .is_active = is_active, .userdata = userdata };
        r = sd_event_add_time_relative(event, &watchdog->timer, CLOCK_MONOTONIC, ASK_AFTER_USEC, 0, on_ask, watchdog);
        if (r >= 0)
                r = sd_event_set_watchdog(event, true); /* the manager's runs since it started us */
        if (r < 0)
                return r;
        *ret = TAKE_PTR(watchdog);
        return 0;
}

struct watchdog *watchdog_free(struct watchdog *watchdog) {
        if (!watchdog)
                return NULL;
        sd_event_source_disable_unref(watchdog->timer);
        sd_event_unref(watchdog->event);
        free(watchdog);
        return NULL;
}

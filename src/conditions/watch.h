/* Finds out what conditions.h describes, and says when it changes: the kernel's routes, NetworkManager, ModemManager, UPower, power profiles and
 * logind. Each of them may be missing, come and go; then its part is as in CONDITIONS_UNKNOWN. Nothing is waited for, nothing started, and
 * nothing wakes the process but real changes. Must never know of jobs.
 *
 * 1. conditions_watch_new(); what the kernel says is there at once, the rest a moment later.
 * 2. On each @changed look at conditions_watch_now().
 * 3. While .goes_to_sleep, call conditions_watch_may_sleep() as soon as everything is safe. */
#pragma once

#include <systemd/sd-event.h>

#include "conditions/conditions.h"

struct conditions_wanted {
        const char *vpn_keywords; /* with commas between; copied */
        bool presence;            /* who is logged on */
        bool cache_hosts;         /* what the network says of them */
};

struct conditions_watch;
int conditions_watch_new(sd_event *event, const struct conditions_wanted *wanted, void (*changed)(void *userdata), void *userdata,
                         struct conditions_watch **ret);
struct conditions_watch *conditions_watch_free(struct conditions_watch *watch);
DEFINE_CLEANUP_FUNC(struct conditions_watch, conditions_watch_free)
int conditions_watch_want(struct conditions_watch *watch, const struct conditions_wanted *wanted);
const struct conditions *conditions_watch_now(const struct conditions_watch *watch);
void conditions_watch_may_sleep(struct conditions_watch *watch);

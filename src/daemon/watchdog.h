/* The service manager's watchdog (WatchdogSec=), wound up only while jobs are active: with nothing to do nothing wakes us, and there is
 * nothing whose hanging would harm anybody.
 *
 * 1. watchdog_new() with a function that says whether there is something to watch over; NULL if nobody asked for a watchdog.
 * 2. watchdog_touch() whenever the answer may have changed: it is asked within a second, once for all touches. */
#pragma once

#include <systemd/sd-event.h>

#include "base/macros.h"

struct watchdog;
int watchdog_new(sd_event *event, bool (*is_active)(void *userdata), void *userdata, struct watchdog **ret);
void watchdog_touch(struct watchdog *watchdog); /* NULL: nothing */
struct watchdog *watchdog_free(struct watchdog *watchdog);
DEFINE_CLEANUP_FUNC(struct watchdog, watchdog_free)

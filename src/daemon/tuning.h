/* What the settings mean to the parts that know nothing of settings. Pure translation: units, and what the process has room for. */
#pragma once

#include "conditions/watch.h"
#include "daemon/settings.h"
#include "manager/manager.h"

/* Its texts are borrowed from @settings: after a reload make them anew. */
struct manager_limits tuning_make_limits(const struct settings *settings);
struct conditions_wanted tuning_make_wanted(const struct settings *settings);
struct schedule_config tuning_make_schedule(const struct settings *settings, uint64_t seed);

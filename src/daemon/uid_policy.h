/* Whom the system instance serves: people always, users of the system (root, daemons, transient ones) only where the administrator's
 * configuration names them. */
#pragma once

#include <sys/types.h>

#include "base/macros.h"

#define UID_POLICY_MAX 64

struct uid_policy {
        uid_t named[UID_POLICY_MAX];
        size_t n_named;
};

/* @config: path of dosvc.conf, NULL: the default. Its key SystemUsers= names them. What is wrong is reported and ignored. */
int uid_policy_read(struct uid_policy *policy, const char *config);
/* Names with commas between; those that do not exist are reported. */
void uid_policy_parse(struct uid_policy *policy, const char *names);
bool uid_policy_allows(const struct uid_policy *policy, uid_t uid);

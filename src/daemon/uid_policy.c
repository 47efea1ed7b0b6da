#include "daemon/uid_policy.h"

#include <pwd.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/uids.h"
#include "daemon/settings.h"
#include "daemon/state_dir.h"

void uid_policy_parse(struct uid_policy *policy, const char *names) {
        static const char between[] = ", ";

        policy->n_named = 0;
        for (size_t n; *(names += strspn(names, between)); names += n) {
                char name[64];
                const struct passwd *user;

                n = strcspn(names, between);
                (void) snprintf(name, sizeof(name), "%.*s", (int) MIN(n, sizeof(name)), names);
                user = getpwnam(name);
                if (!user)
                        log_warning("SystemUsers: there is no user %s", name);
                else if (policy->n_named == UID_POLICY_MAX)
                        log_warning("SystemUsers: more than %d names; %s is left out", UID_POLICY_MAX, name);
                else
                        policy->named[policy->n_named++] = user->pw_uid;
        }
}

int uid_policy_read(struct uid_policy *policy, const char *config) {
        _cleanup_(settings_freep) struct settings *settings = NULL;
        int r;

        r = settings_new(&settings);
        if (r >= 0)
                r = settings_read(settings, config ? config : SYSTEM_CONFIG, config != NULL);
        if (r < 0) {
                log_error("cannot read the configuration %s", settings && settings_wrong(settings) ? settings_wrong(settings) : strerror(-r));
                return r;
        }
        uid_policy_parse(policy, settings_get_text(settings, SETTING_SystemUsers));
        return 0;
}

bool uid_policy_allows(const struct uid_policy *policy, uid_t uid) {
        if (uid_is_nobody(uid))
                return false;
        for (size_t i = 0; i < policy->n_named; i++)
                if (policy->named[i] == uid)
                        return true;
        return uid_is_person(uid);
}

#include "schedule/blockers.h"

#include <errno.h>
#include <stdio.h>

#include "base/uids.h"

/* Which hosts are worth a try. Without a route a name may still be this machine's own; behind a portal it would be answered, wrongly. */
static const bool worth_a_try[_NETWORK_REACH_MAX][_HOST_KIND_MAX] = {
        [NETWORK_NONE] = { [HOST_LOOPBACK] = true, [HOST_LOCAL_NAME] = true, [HOST_NAME] = true },
        [NETWORK_PORTAL] = { [HOST_LOOPBACK] = true, [HOST_LOCAL_ADDRESS] = true, [HOST_LOCAL_NAME] = true },
        [NETWORK_LOCAL] = { true, true, true, true, true },
        [NETWORK_FULL] = { true, true, true, true, true },
};

/* Everything that a network costs is for the internet; who is next door is asked at no cost. */
static bool goes_far(const struct job *job) {
        static const bool near[_HOST_KIND_MAX] = { [HOST_LOOPBACK] = true, [HOST_LOCAL_ADDRESS] = true, [HOST_LOCAL_NAME] = true };

        return !job_sources_are(job, near);
}

static enum error_code find_network(const struct conditions *c, const struct job *job, char *text) {
        static const char *const texts[_NETWORK_REACH_MAX] = {
                [NETWORK_NONE] = "This machine is connected to no network.",
                [NETWORK_PORTAL] = "The network wants somebody to log on to it first (captive portal).",
        };

        if (c->network >= NETWORK_LOCAL || job_sources_are(job, worth_a_try[c->network]) || job_proxy_is(job, worth_a_try[c->network]))
                return ERROR_NONE;
        (void) snprintf(text, BLOCKER_TEXT_MAX, "%s", texts[c->network]);
        return ERROR_NO_NETWORK;
}

static enum error_code find_cost(const struct conditions *c, const struct blocker_policy *policy, const struct job *job, char *text) {
        bool foreground = job->priority == JOB_PRIORITY_FOREGROUND;
        uint32_t allowed = job->cost_flags != 0 ? job->cost_flags
                           : foreground         ? policy->foreground_cost_flags
                                                : policy->background_cost_flags;
        uint32_t too_much = c->cost & ~allowed & COST_STATES;

        if (!(c->is_cellular && job->no_cellular) && !too_much)
                return ERROR_NONE;
        if (!goes_far(job))
                return ERROR_NONE;
        if (c->is_cellular && job->no_cellular) {
                (void) snprintf(text, BLOCKER_TEXT_MAX, "The network is a mobile one, which the job does not allow.");
                return ERROR_BLOCKED_BY_CELLULAR;
        }
        (void) snprintf(text, BLOCKER_TEXT_MAX, "The network %s, which %s not allow%s.",
                        too_much & COST_ROAMING ? "is roaming" : "is metered",
                        job->cost_flags != 0 ? "the job's cost flags do" : "the configuration does",
                        job->cost_flags != 0 ? "" : foreground ? " for foreground jobs" : " for background jobs");
        return ERROR_BLOCKED_BY_COST;
}

static enum error_code find_power(const struct conditions *c, const struct blocker_policy *policy, const struct job *job, char *text) {
        bool foreground = job->priority == JOB_PRIORITY_FOREGROUND;
        unsigned least = foreground ? policy->foreground_battery_percent : policy->background_battery_percent;

        if (c->battery_percent == BATTERY_NOT_USED)
                return ERROR_NONE;
        if ((unsigned) c->battery_percent < least) {
                (void) snprintf(text, BLOCKER_TEXT_MAX, "The battery has less than %u %%, which %s jobs leave alone.", least,
                                foreground ? "foreground" : "background");
                return ERROR_BLOCKED_BY_BATTERY;
        }
        if (!foreground && c->saves_battery && policy->background_saves_battery) {
                (void) snprintf(text, BLOCKER_TEXT_MAX, "The machine runs on its battery and saves power.");
                return ERROR_BLOCKED_BY_BATTERY_SAVER;
        }
        return ERROR_NONE;
}

enum error_code blockers_find(const struct conditions *conditions, const struct blocker_policy *policy, const struct job *job,
                              char text[static BLOCKER_TEXT_MAX]) {
        enum error_code code;

        text[0] = 0;
        if (conditions->goes_to_sleep)
                return ERROR_STANDBY;
        code = find_network(conditions, job, text);
        if (code == ERROR_NONE)
                code = find_cost(conditions, policy, job, text);
        if (code == ERROR_NONE)
                code = find_power(conditions, policy, job, text);
        return code;
}

bool blockers_decide(enum error_code code) {
        switch (code) {
        case ERROR_BLOCKED_BY_COST:
        case ERROR_BLOCKED_BY_CELLULAR:
        case ERROR_BLOCKED_BY_BATTERY:
        case ERROR_BLOCKED_BY_BATTERY_SAVER:
        case ERROR_STANDBY:
                return true;
        default:
                return false;
        }
}

enum error_code blockers_judge_failure(const struct conditions *conditions, const struct job_file *file, enum error_code code, uint32_t detail) {
        if (conditions->network == NETWORK_FULL)
                return code;
        switch (code) {
        case ERROR_NAME_NOT_RESOLVED:
                return ERROR_NO_NETWORK;
        case ERROR_CONNECT_FAILURE:
                if (detail == ENETUNREACH || detail == EHOSTUNREACH)
                        return ERROR_NO_NETWORK;
                __attribute__((fallthrough));
        case ERROR_CONNECTION_CLOSED:
        case ERROR_TIMED_OUT:
                /* The line went with what was on it. A name that nobody answered for yet may be this machine's own. */
                return conditions->network == NETWORK_NONE &&
                                       (job_file_host_kind(file) == HOST_ADDRESS || job_file_host_kind(file) == HOST_LOCAL_ADDRESS)
                               ? ERROR_NO_NETWORK : code;
        default:
                return code;
        }
}

static int compare_uids(const void *a, const void *b) {
        uid_t x = *(const uid_t *) a, y = *(const uid_t *) b;

        return x < y ? -1 : x > y;
}

bool blockers_owner_is_away(const struct conditions *conditions, const struct blocker_policy *policy, uid_t owner) {
        if (!policy->require_logon || !conditions->knows_presence || !uid_is_person(owner))
                return false;
        return conditions->n_present == 0 || !bsearch(&owner, conditions->present, conditions->n_present, sizeof(owner), compare_uids);
}

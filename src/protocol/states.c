#include "protocol/states.h"

#include "base/strings.h"

static const char *const state_names[_JOB_STATE_MAX] = {
        [JOB_QUEUED] = "queued",
        [JOB_CONNECTING] = "connecting",
        [JOB_TRANSFERRING] = "transferring",
        [JOB_SUSPENDED] = "suspended",
        [JOB_ERROR] = "error",
        [JOB_TRANSIENT_ERROR] = "transient_error",
        [JOB_TRANSFERRED] = "transferred",
        [JOB_ACKNOWLEDGED] = "acknowledged",
        [JOB_CANCELLED] = "cancelled",
};

static const char *const priority_names[_JOB_PRIORITY_MAX] = {
        [JOB_PRIORITY_FOREGROUND] = "foreground",
        [JOB_PRIORITY_HIGH] = "high",
        [JOB_PRIORITY_NORMAL] = "normal",
        [JOB_PRIORITY_LOW] = "low",
};

static const char *const family_names[_JOB_FAMILY_MAX] = {
        [JOB_FAMILY_DO] = "do",
        [JOB_FAMILY_BITS] = "bits",
};

static const char *const kind_names[_JOB_KIND_MAX] = {
        [JOB_KIND_JOB] = "job",
        [JOB_KIND_DOWNLOAD] = "download",
};

static const char *const context_names[_ERROR_CONTEXT_MAX] = {
        [ERROR_CONTEXT_NONE] = "none",
        [ERROR_CONTEXT_UNKNOWN] = "unknown",
        [ERROR_CONTEXT_GENERAL_QUEUE_MANAGER] = "general_queue_manager",
        [ERROR_CONTEXT_QUEUE_MANAGER_NOTIFICATION] = "queue_manager_notification",
        [ERROR_CONTEXT_LOCAL_FILE] = "local_file",
        [ERROR_CONTEXT_REMOTE_FILE] = "remote_file",
        [ERROR_CONTEXT_GENERAL_TRANSPORT] = "general_transport",
        [ERROR_CONTEXT_REMOTE_APPLICATION] = "remote_application",
        [ERROR_CONTEXT_SERVER_CERTIFICATE_CALLBACK] = "server_certificate_callback",
};

static const struct {
        const char *name;
        const char *text;
} waiting[_WAITING_REASON_MAX] = {
        [WAITING_NONE] = { "none", "does not wait" },
        [WAITING_SLOT] = { "slot", "waits for a background slot" },
        [WAITING_TIME_SLICE] = { "time_slice", "waits for its next time slice" },
        [WAITING_PRIORITY] = { "priority", "waits for jobs of higher priority" },
        [WAITING_LOGON] = { "logon", "waits until its owner logs on" },
        [WAITING_RETRY] = { "retry", "waits for its next try" },
        [WAITING_NETWORK] = { "network", "waits for a network" },
        [WAITING_SPACE] = { "space", "waits for space on the destination's file system" },
        [WAITING_DESTINATION] = { "destination", "waits for the destination's file system" },
        [WAITING_POLICY] = { "policy", "waits until a policy allows transfers" },
        [WAITING_RESOURCES] = { "resources", "waits for memory or file descriptors of the service" },
        [WAITING_ENGINE] = { "engine", "waits for the transfer process" },
        [WAITING_COMPLETE] = { "complete", "has all bytes and waits for Complete" },
        [WAITING_RESUME] = { "resume", "is suspended and waits for Resume" },
        [WAITING_ATTENTION] = { "attention", "failed and waits for somebody to act" },
        [WAITING_PUBLISH] = { "publish", "is being completed or cancelled" },
        [WAITING_COST] = { "cost", "waits for a network that costs less" },
        [WAITING_POWER] = { "power", "waits for mains power or a fuller battery" },
        [WAITING_SLEEP] = { "sleep", "waits until the machine is awake" },
};

#define LOOKUP(table, value) ((size_t)(value) < ELEMENTSOF(table) ? (table)[value] : NULL)

const char *job_state_name(enum job_state state) {
        return LOOKUP(state_names, state);
}

const char *job_priority_name(enum job_priority priority) {
        return LOOKUP(priority_names, priority);
}

const char *job_family_name(enum job_family family) {
        return LOOKUP(family_names, family);
}

const char *job_kind_name(enum job_kind kind) {
        return LOOKUP(kind_names, kind);
}

const char *error_context_name(enum error_context context) {
        return LOOKUP(context_names, context);
}

const char *waiting_reason_name(enum waiting_reason reason) {
        return (size_t) reason < ELEMENTSOF(waiting) ? waiting[reason].name : NULL;
}

const char *waiting_reason_text(enum waiting_reason reason) {
        return (size_t) reason < ELEMENTSOF(waiting) ? waiting[reason].text : NULL;
}

static int find_name(const char *const names[], size_t n, const char *name) {
        for (size_t i = 0; i < n; i++)
                if (streq(names[i], name))
                        return (int) i;
        return -EINVAL;
}

int job_state_from_name(const char *name) {
        return find_name(state_names, ELEMENTSOF(state_names), name);
}

int job_priority_from_name(const char *name) {
        return find_name(priority_names, ELEMENTSOF(priority_names), name);
}

int job_family_from_name(const char *name) {
        return find_name(family_names, ELEMENTSOF(family_names), name);
}

int job_kind_from_name(const char *name) {
        return find_name(kind_names, ELEMENTSOF(kind_names), name);
}

int waiting_reason_from_name(const char *name) {
        for (size_t i = 0; i < ELEMENTSOF(waiting); i++)
                if (streq(waiting[i].name, name))
                        return (int) i;
        return -EINVAL;
}

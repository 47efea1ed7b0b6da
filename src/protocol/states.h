/* The vocabulary of a job: the words that the wire, the store and the library share. Numbers are published or stored: never
 * renumber. Names are what people see (`dosvc list`, D-Bus): lower case. Tables, no behaviour. */
#pragma once

#include "base/macros.h"

/* BG_JOB_STATE. CONNECTING exists in the published enumeration and is never entered (design decision 3). */
enum job_state {
        JOB_QUEUED = 0,
        JOB_CONNECTING = 1,
        JOB_TRANSFERRING = 2,
        JOB_SUSPENDED = 3,
        JOB_ERROR = 4,
        JOB_TRANSIENT_ERROR = 5,
        JOB_TRANSFERRED = 6,
        JOB_ACKNOWLEDGED = 7,
        JOB_CANCELLED = 8,
        _JOB_STATE_MAX,
};

/* BG_JOB_PRIORITY */
enum job_priority {
        JOB_PRIORITY_FOREGROUND = 0,
        JOB_PRIORITY_HIGH = 1,
        JOB_PRIORITY_NORMAL = 2,
        JOB_PRIORITY_LOW = 3,
        _JOB_PRIORITY_MAX,
};

/* BG_JOB_TYPE: only downloads exist here. */
enum job_type {
        JOB_TYPE_DOWNLOAD = 0,
};

/* Through which class the job was made: codes, defaults and visibility follow it (design decision 1). */
enum job_family {
        JOB_FAMILY_DO = 0,
        JOB_FAMILY_BITS = 1,
        _JOB_FAMILY_MAX,
};

/* Which face it was made for: a job of n files (IBackgroundCopyManager), or one download with one file (IDOManager). A fact beside the
 * family: what a call may do and who enumerates it follow it. */
enum job_kind {
        JOB_KIND_JOB = 0,
        JOB_KIND_DOWNLOAD = 1,
        _JOB_KIND_MAX,
};

/* BG_ERROR_CONTEXT */
enum error_context {
        ERROR_CONTEXT_NONE = 0,
        ERROR_CONTEXT_UNKNOWN = 1,
        ERROR_CONTEXT_GENERAL_QUEUE_MANAGER = 2,
        ERROR_CONTEXT_QUEUE_MANAGER_NOTIFICATION = 3,
        ERROR_CONTEXT_LOCAL_FILE = 4,
        ERROR_CONTEXT_REMOTE_FILE = 5,
        ERROR_CONTEXT_GENERAL_TRANSPORT = 6,
        ERROR_CONTEXT_REMOTE_APPLICATION = 7,
        ERROR_CONTEXT_SERVER_CERTIFICATE_CALLBACK = 8,
        _ERROR_CONTEXT_MAX,
};

/* BG_NOTIFY_* */
enum {
        JOB_NOTIFY_TRANSFERRED = 0x1,
        JOB_NOTIFY_ERROR = 0x2,
        JOB_NOTIFY_DISABLE = 0x4,
        JOB_NOTIFY_MODIFICATION = 0x8,
        JOB_NOTIFY_FILE_TRANSFERRED = 0x10,
        JOB_NOTIFY_FILE_RANGES_TRANSFERRED = 0x20,
        JOB_NOTIFY_ALL = 0x3f,
        JOB_NOTIFY_DEFAULT = 0x3,
};

/* What a job that could be moving waits for: a fact beside the state (design decision 19). */
enum waiting_reason {
        WAITING_NONE = 0,
        WAITING_SLOT,        /* QUEUED: all background slots are taken */
        WAITING_TIME_SLICE,  /* QUEUED: its slice is over, others of its level run */
        WAITING_PRIORITY,    /* QUEUED: a higher priority runs */
        WAITING_LOGON,       /* QUEUED: RequireLogon */
        WAITING_RETRY,       /* TRANSIENT_ERROR: until the retry delay is over */
        WAITING_NETWORK,     /* TRANSIENT_ERROR */
        WAITING_SPACE,       /* TRANSIENT_ERROR */
        WAITING_DESTINATION, /* TRANSIENT_ERROR: file system not there, hangs, or is read-only */
        WAITING_POLICY,      /* TRANSIENT_ERROR */
        WAITING_RESOURCES,   /* TRANSIENT_ERROR: descriptors or memory of the service */
        WAITING_ENGINE,      /* QUEUED or TRANSFERRING: the transfer process is being started */
        WAITING_COMPLETE,    /* TRANSFERRED: the program must call Complete (or Resume after AddFile) */
        WAITING_RESUME,      /* SUSPENDED: somebody must call Resume */
        WAITING_ATTENTION,   /* ERROR: fatal, somebody must act */
        WAITING_PUBLISH,     /* an acknowledged Complete or Cancel is being carried out */
        WAITING_COST,        /* TRANSIENT_ERROR: the network costs too much */
        WAITING_POWER,       /* TRANSIENT_ERROR: the battery is low, or saved */
        WAITING_SLEEP,       /* TRANSIENT_ERROR: the machine goes to sleep */
        _WAITING_REASON_MAX,
};

/* What was promised and is being carried out; the state changes once, at its end (design decision 19). */
enum job_intent {
        JOB_INTENT_NONE = 0,
        JOB_INTENT_COMPLETE = 1,
        JOB_INTENT_CANCEL = 2,
        JOB_INTENT_TAKE = 3, /* under way, and no promise: a start forgets it */
};

/* "queued", "transferring", "transient_error" … NULL for a number out of range. */
const char *job_state_name(enum job_state state);
const char *job_priority_name(enum job_priority priority); /* "foreground" … */
const char *job_family_name(enum job_family family);       /* "do", "bits" */
const char *job_kind_name(enum job_kind kind);             /* "job", "download" */
const char *error_context_name(enum error_context context); /* "none", "local_file" … */
const char *waiting_reason_name(enum waiting_reason reason); /* "none", "slot", "retry" … */
/* One sentence for a person: "waits for its next try". */
const char *waiting_reason_text(enum waiting_reason reason);

/* Each finds the number of a name; -EINVAL. */
int job_state_from_name(const char *name);
int job_priority_from_name(const char *name);
int job_family_from_name(const char *name);
int job_kind_from_name(const char *name);
int waiting_reason_from_name(const char *name);

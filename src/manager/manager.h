/* The use cases: ties job, schedule, store, files and transfer together. What a client asks comes in through here; faces (D-Bus)
 * translate and decide nothing.
 *
 * 1. manager_new() with a store, the owner role, an engine and a clock; manager_start() loads what is there and goes on with it.
 * 2. Every changing call takes a reply function, which is called exactly once: after the transaction that makes the answer true
 *    (or at once when the call is refused). Outcome 0: done; > 0: enum error_code; < 0: -errno.
 * 3. Reading: look at the job, but first ask manager_job_is_dirty(): if it is, wait with manager_when_durable(), else you would
 *    tell what a power cut may take back.
 * 4. Events come through struct manager_events, never before the transaction that makes them true.
 * 5. manager_turn() does what is due; manager_next_deadline() says when it must be called at the latest. manager_loop.h binds both to
 *    sd-event; component tests call them by hand with a clock that they turn.
 *
 * Jobs are found by id each time: a pointer is good until the caller returns to the loop. */
#pragma once

#include "base/clock.h"
#include "files/files.h"
#include "job/job.h"
#include "program/runner.h"
#include "schedule/bandwidth.h"
#include "schedule/blockers.h"
#include "schedule/schedule.h"
#include "schedule/segments.h"
#include "store/store.h"
#include "transfer/engine.h"

struct manager;

struct manager_limits {
        size_t max_jobs_per_user;
        size_t max_jobs; /* of all users together */
        size_t max_files_per_job;
        size_t max_ranges_per_file;
        size_t history_max_entries;
        uint64_t history_max_age_usec;
        uint32_t max_download_time_s; /* of new jobs */
        uint64_t job_inactivity_usec; /* likewise, of the BITS family: life_time_usec */
        size_t files_in_flight; /* of all jobs: each holds a descriptor here and one in the transfer process */
        uint64_t checkpoint_bytes;
        uint64_t checkpoint_interval_usec;
        uint64_t chunk_hash_rate; /* bytes per second of all files together; what comes faster is not hashed at checkpoints */
        uint64_t connect_timeout_usec;
        uint64_t stall_timeout_usec;
        const char *cache_hosts; /* HOST[:PORT] with commas between, or NULL; borrowed */
        bool cache_hosts_of_network;       /* those that the network names (conditions.h) are asked where nobody set others */
        bool cache_hosts_of_network_first; /* or rather than those */
        bool cache_hosts_are_set;          /* somebody did, if only to none */
        uint64_t cache_fallback_foreground_usec; /* how long cache servers in trouble are asked again before the file's own URL is */
        uint64_t cache_fallback_background_usec;
        uint64_t min_background_rate; /* bytes per second: a cache server that brings less to a background job is left */
        struct engine_limits engine;
        struct segments_policy segments;
        bool notify_commands; /* jobs may name them */
        uint64_t notify_command_timeout_usec;
        bool no_cache_on_vpn;     /* cache servers are not asked through one */
        struct blocker_policy blockers;
        struct bandwidth_policy foreground_bandwidth; /* of all foreground jobs together */
        struct bandwidth_policy background_bandwidth;
};
extern const struct manager_limits manager_limits_default;

struct manager_events {
        void (*job_added)(void *userdata, const struct job *job);
        /* Some property changed; @state: its state did (then it is told at once, else coalesced). */
        void (*job_changed)(void *userdata, const struct job *job, bool state);
        /* An administrator took it over: it is another's now. */
        void (*job_taken)(void *userdata, const struct job *job, uid_t old_owner);
        /* It reached a final state and is enumerated no longer. */
        void (*job_removed)(void *userdata, const struct job *job);
        /* The store cannot go on: leave with an error and start anew. */
        void (*failed)(void *userdata, int error);
};

struct manager_config {
        struct store *store;   /* all five are borrowed */
        struct files *files;
        struct engine *engine;
        struct runner *runner; /* NULL: as if limits.notify_commands were false */
        const struct clock *clock;
        struct schedule_config schedule;
        struct manager_limits limits;
        bool few_cores; /* one or two: what runs beside a fast transfer takes what that needs */
        /* May this user have jobs? NULL: everybody who gets through may. */
        bool (*may_own)(void *userdata, uid_t uid);
        void *may_own_userdata;
};

int manager_new(const struct manager_config *config, struct manager **ret);
struct manager *manager_free(struct manager *manager); /* frees all jobs; nothing is written */
DEFINE_CLEANUP_FUNC(struct manager, manager_free)
/* Other limits while it runs: transfers go on, at the new rates and numbers of connections; what bounds jobs, files and time-outs
 * counts for what begins from now on. files_in_flight stays. */
void manager_set_limits(struct manager *manager, const struct manager_limits *limits, const struct schedule_config *schedule);
/* What the machine is like now (copied); until somebody says it, CONDITIONS_UNKNOWN. Jobs that must not run like that stop at once, and go on
 * by themselves. 0 or -ENOMEM: what was said before still holds. */
int manager_set_conditions(struct manager *manager, const struct conditions *conditions);
const struct manager_limits *manager_get_limits(const struct manager *manager);
const struct conditions *manager_get_conditions(const struct manager *manager);
void manager_set_events(struct manager *manager, const struct manager_events *events, void *userdata);
/* Loads the store, finishes what was promised (Complete, Cancel), queues what was running. Blocks; call it once. */
int manager_start(struct manager *manager);
/* Stops all transfers and makes what was received durable. Returns at once; manager_is_quiet() says when it is done. */
void manager_stop(struct manager *manager);
bool manager_is_quiet(const struct manager *manager);

/* ---- the loop's side ---- */
void manager_turn(struct manager *manager);
uint64_t manager_next_deadline(const struct manager *manager); /* CLOCK_BOOTTIME, USEC_INFINITY: none */
/* True while manager_turn() should be called before the loop sleeps. */
bool manager_has_work(const struct manager *manager);

/* ---- finding ---- */
/* Live or recently finished. NULL if there is none, or it is another owner's. */
struct job *manager_find_job(struct manager *manager, uid_t caller, const struct guid *id);
/* The same for an administrator: anybody's. */
struct job *manager_find_any_job(struct manager *manager, const struct guid *id);
int manager_find_any_job_by_prefix(struct manager *manager, const char *prefix, struct job **ret);
struct job *manager_next_any_job(struct manager *manager, uint64_t after, uint64_t *ret_sequence);
/* Live jobs only; @prefix: at least 4 hex digits, dashes allowed. 0, ERROR_NOT_FOUND (none), ERROR_INVALID_ARGUMENT (ambiguous, or
 * no hex digits). */
int manager_find_job_by_prefix(struct manager *manager, uid_t caller, const char *prefix, struct job **ret);
/* The caller's live jobs in the order of creation: the first one whose sequence number is above @after (0: the first of all). */
struct job *manager_next_job(struct manager *manager, uid_t caller, uint64_t after, uint64_t *ret_sequence);
size_t manager_count_jobs(const struct manager *manager, size_t *ret_active);
bool manager_may_own(const struct manager *manager, uid_t uid);
struct manager_statistics {
        size_t jobs[_JOB_STATE_MAX];
        size_t jobs_waiting[_WAITING_REASON_MAX];
        size_t n_transfers;             /* files on their way */
        uint64_t bytes_fetched;         /* over the network since the start, kept or not */
        uint64_t n_commits;             /* transactions that are on disk since the start */
        uint64_t foreground_rate_limit; /* bytes per second that hold now, 0: none, 1: nothing is downloaded */
        uint64_t background_rate_limit;
        uint64_t line_capacity;         /* bytes per second, as the percentages take it; 0: not measured */
};
/* That fetch it now. */
unsigned manager_file_connections(const struct job_file *file);
/* Looks at every job. */
void manager_get_statistics(const struct manager *manager, struct manager_statistics *ret);
/* Newest first; @after: sequence number of the last one seen, UINT64_MAX to begin. */
const struct history_entry *manager_next_history(struct manager *manager, uid_t caller, uint64_t after, uint64_t *ret_sequence);

/* ---- calls ---- */
struct manager_reply {
        int outcome;          /* 0, error_code, -errno */
        const char *text;     /* what exactly, for a person; "" if the code says it all */
        struct guid id;       /* of the job */
        bool attached;        /* create: it was there already */
        bool partial;         /* complete: something was not complete; cancel: something could not be deleted */
        uint32_t first_index; /* add_files */
        uint32_t n_changed;   /* replace_url_prefix */
        uint64_t available;   /* take_stream */
};
typedef void (*manager_reply_fn)(const struct manager_reply *reply, void *userdata);

struct manager_file_spec {
        struct job_file_spec file;
        struct file_identity client_directory; /* dev and ino of the destination's directory as the client sees it; ino 0: not said */
};
struct manager_create_request {
        uid_t owner;
        enum job_family family;
        enum job_kind kind;
        const void *client; /* NULL, or: the job is volatile, and whose it is (any pointer; see manager_client_gone()) */
        const char *name;
        const char *description; /* NULL: "" */
        const char *proxy_environment; /* NULL: "" */
        int priority;            /* -1: default */
        bool complete_when_transferred;
        int replace;             /* -1: the family's default (BITS: yes, DO: no) */
        int remote_time;         /* -1: the family's default */
        bool resume;
        bool attach;
        int64_t no_progress_timeout_s; /* -1: default */
        int64_t minimum_retry_delay_s; /* -1 */
        int64_t notify_flags;          /* -1 */
        uint64_t life_time_usec;       /* 0: default */
        uint64_t max_rate;             /* bytes per second, 0: no limit */
        const struct manager_file_spec *files;
        size_t n_files;
};
void manager_create_job(struct manager *manager, const struct manager_create_request *request, manager_reply_fn reply, void *userdata);
/* Everything volatile of @client goes: it will not be back. */
void manager_client_gone(struct manager *manager, const void *client);
void manager_add_files(struct manager *manager, struct job *job, const struct manager_file_spec *files, size_t n_files,
                       manager_reply_fn reply, void *userdata);
void manager_suspend_job(struct manager *manager, struct job *job, manager_reply_fn reply, void *userdata);
void manager_resume_job(struct manager *manager, struct job *job, manager_reply_fn reply, void *userdata);
/* Resume of a download; see job_file_want(). */
void manager_start_download(struct manager *manager, struct job *job, const struct byte_range *ranges, size_t n_ranges,
                            manager_reply_fn reply, void *userdata);
void manager_cancel_job(struct manager *manager, struct job *job, manager_reply_fn reply, void *userdata);
void manager_complete_job(struct manager *manager, struct job *job, manager_reply_fn reply, void *userdata);

struct manager_properties { /* NULL, -1: leave as it is */
        const char *name;
        const char *description;
        int64_t priority;
        int64_t notify_flags;
        const char *notify_command; /* "": none, and no parameters */
        const char *notify_parameters;
        int64_t minimum_retry_delay_s;
        int64_t no_progress_timeout_s;
        int64_t max_download_time_s;
        int high_performance; /* before the first file */
        int dynamic_content;  /* before the first Resume */
        int on_demand;        /* before the first Resume */
        int64_t life_time_s;
        int complete_when_transferred;
        int replace;
        int remote_time;
        const char *custom_headers; /* "": none */
        int custom_headers_write_only; /* can only be set */
        const char *auth_headers;   /* "": none */
        const char *credentials[_JOB_AUTH_TARGET_MAX][_JOB_AUTH_SCHEME_MAX]; /* "user:password"; "": none */
        const char *client_certificate; /* "": none */
        int judge_certificate;
        const char *http_method;
        int64_t security_flags;
        int64_t proxy_usage;
        const char *proxy_list; /* with proxy_usage only */
        const char *proxy_bypass;
        uint64_t max_download_size; /* or MANAGER_SIZE_UNCHANGED */
        uint64_t max_rate;          /* or MANAGER_SIZE_UNCHANGED */
        int64_t cost_flags;
        int no_cellular;
        int64_t notification_interval_ms;
        int is_volatile;
        const void *client; /* with is_volatile 1: as in manager_create_request */
};
#define MANAGER_SIZE_UNCHANGED (UINT64_MAX - 1)
#define MANAGER_PROPERTIES_NONE                                                                                      \
        ((struct manager_properties){ .priority = -1,                                                               \
                                      .notify_flags = -1,                                                           \
                                      .minimum_retry_delay_s = -1,                                                  \
                                      .no_progress_timeout_s = -1,                                                  \
                                      .max_download_time_s = -1,                                                    \
                                      .high_performance = -1,                                                       \
                                      .dynamic_content = -1,                                                        \
                                      .on_demand = -1,                                                              \
                                      .life_time_s = -1,                                                            \
                                      .complete_when_transferred = -1,                                              \
                                      .replace = -1,                                                                \
                                      .remote_time = -1,                                                            \
                                      .custom_headers_write_only = -1,                                              \
                                      .judge_certificate = -1,                                                      \
                                      .security_flags = -1,                                                         \
                                      .proxy_usage = -1,                                                            \
                                      .max_download_size = MANAGER_SIZE_UNCHANGED,                                  \
                                      .max_rate = MANAGER_SIZE_UNCHANGED,                                          \
                                      .cost_flags = -1,                                                             \
                                      .no_cellular = -1,                                                            \
                                      .notification_interval_ms = -1,                                               \
                                      .is_volatile = -1 })
/* All or none. */
void manager_set_properties(struct manager *manager, struct job *job, const struct manager_properties *properties,
                            manager_reply_fn reply, void *userdata);
struct manager_file_properties { /* NULL, -1: leave as it is; "" clears */
        const char *integrity_info;
        int integrity_mandatory;
        const char *decryption_info;
        const char *file_id;
        uint64_t stated_size; /* or MANAGER_SIZE_UNCHANGED; SIZE_UNKNOWN: none */
};
#define MANAGER_FILE_PROPERTIES_NONE                                                                                 \
        ((struct manager_file_properties){ .integrity_mandatory = -1, .stated_size = MANAGER_SIZE_UNCHANGED })
/* All or none. Where a file is being fetched it is asked for again, under the new rules. */
void manager_set_file_properties(struct manager *manager, struct job_file *file, const struct manager_file_properties *properties,
                                 manager_reply_fn reply, void *userdata);
/* What a program found when it looked at the content of a transferred file. Not good: the content is thrown away and the job goes to
 * ERROR; Resume fetches the file anew. */
void manager_set_file_validation(struct manager *manager, struct job_file *file, bool good, manager_reply_fn reply, void *userdata);
/* For jobs on demand: adds to what is wanted; which bytes come first. */
void manager_request_ranges(struct manager *manager, struct job_file *file, const struct byte_range *ranges, size_t n_ranges,
                            manager_reply_fn reply, void *userdata);
void manager_set_file_position(struct manager *manager, struct job_file *file, uint64_t position, manager_reply_fn reply,
                               void *userdata);
/* Gives it to @owner, as an administrator may; whoever has it already keeps it. What the old owner's hands wrote is his, and goes: the job
 * begins anew, suspended, and without the old owner's secrets and commands. ERROR_NEW_OWNER_NO_FILE_ACCESS: nothing changed. */
void manager_take_ownership(struct manager *manager, struct job *job, uid_t owner, manager_reply_fn reply, void *userdata);
void manager_set_file_url(struct manager *manager, struct job_file *file, const char *url, manager_reply_fn reply, void *userdata);
/* The destination of a file that came without one, or another one before its first byte. @path "" is an error. */
void manager_set_file_path(struct manager *manager, struct job_file *file, const char *path, mode_t mode,
                           const struct file_identity *client_directory, manager_reply_fn reply, void *userdata);
/* Instead of a destination: @client takes the bytes as they come, in order. The job becomes volatile and @client's. */
void manager_set_file_stream(struct manager *manager, struct job_file *file, const void *client, manager_reply_fn reply, void *userdata);
/* Reads them, at their positions in the local file. -EBADF: it is not @client's stream; -errno. */
int manager_open_stream(struct manager *manager, struct job_file *file, const void *client);
/* @client has no need any more of what is before @taken (MANAGER_SIZE_UNCHANGED: as it was), and wants to know how far it may read: at
 * once, or (@wait) when that is more than it took. Answers whoever waited before. */
void manager_take_stream(struct manager *manager, struct job_file *file, const void *client, uint64_t taken, bool wait,
                         manager_reply_fn reply, void *userdata);
/* It cannot take them: the job goes to ERROR with the program's own code. */
void manager_fail_stream(struct manager *manager, struct job_file *file, const void *client, uint32_t hresult, manager_reply_fn reply,
                         void *userdata);
/* For all files that are still to be fetched, in one transaction. */
void manager_replace_url_prefix(struct manager *manager, struct job *job, const char *old_prefix, const char *new_prefix,
                                manager_reply_fn reply, void *userdata);

/* ---- reading without running ahead of the disk ---- */
bool manager_job_is_dirty(const struct manager *manager, const struct job *job);
/* Any job of anybody (lists). */
bool manager_is_dirty(const struct manager *manager);
/* Calls back when all that was changed so far is durable; at once if it is. outcome < 0: the commit failed. */
void manager_when_durable(struct manager *manager, manager_reply_fn reply, void *userdata);
/* When the next try is due (CLOCK_REALTIME), 0: no time is set. */
uint64_t manager_retry_time(const struct manager *manager, const struct job *job);

/* ---- callbacks to programs (BITS: IBackgroundCopyCallback) ---- */
struct manager_notice {
        uint32_t event;              /* one bit of JOB_NOTIFY_ */
        const struct job_file *file; /* of the events about files */
        const struct intervals *ranges; /* of JOB_NOTIFY_FILE_RANGES_TRANSFERRED: what is there since the last one */
};
struct manager_notifier {
        /* Hand the notice over; the answer comes by manager_notified(), but for _MODIFICATION, which nobody answers. */
        void (*deliver)(void *userdata, const struct job *job, const struct manager_notice *notice);
};
/* @notifier NULL: nobody any more. The last caller wins; @token tells whose it is. What is due is delivered at once. 0, or -ENOMEM: as
 * it was. */
int manager_set_notifier(struct manager *manager, struct job *job, const struct manager_notifier *notifier, void *userdata);
/* Whose it is now; NULL: nobody's. */
void *manager_get_notifier(const struct manager *manager, const struct job *job);
/* The program answered. @ok false (or it vanished): delivered again with growing delay. */
void manager_notified(struct manager *manager, const struct guid *id, uint32_t event, bool ok);

/* ---- programs that judge servers' certificates (BITS: SetServerCertificateValidationInterface) ---- */
struct manager_certificate {
        const void *bytes; /* the server's own, DER */
        size_t n_bytes;
        const void *all;   /* PKCS #7 with all that the server sent */
        size_t n_all;
};
struct manager_judge {
        /* One question for a job is out at a time; the answer comes by manager_certificate_judged(), later. -errno: it cannot be asked. */
        int (*ask)(void *userdata, const struct job_file *file, const struct manager_certificate *certificate);
};
/* For jobs with judge_certificate. As manager_set_notifier(); what another judge accepted is forgotten. 0 or -ENOMEM. */
int manager_set_judge(struct manager *manager, struct job *job, const struct manager_judge *judge, void *userdata);
void *manager_get_judge(const struct manager *manager, const struct job *job);
enum manager_judgement {
        CERTIFICATE_ACCEPTED, /* for this job, until another judge comes or the service ends */
        CERTIFICATE_DECLINED, /* with a code of the program's own */
        CERTIFICATE_UNJUDGED, /* it gave no answer */
};
void manager_certificate_judged(struct manager *manager, const struct guid *id, enum manager_judgement judgement, uint32_t code);

/* ---- commands that jobs name for that (BITS: SetNotifyCmdLine) ---- */
enum notify_command_state {
        NOTIFY_COMMAND_NONE,      /* there is none */
        NOTIFY_COMMAND_READY,     /* nothing is due */
        NOTIFY_COMMAND_WAITING,   /* for a callback to fail, its next try, or a place among those that run */
        NOTIFY_COMMAND_RUNNING,
        NOTIFY_COMMAND_GIVEN_UP,  /* LIMIT_NOTIFY_TRIES */
        NOTIFY_COMMAND_FORBIDDEN, /* the configuration does not allow it (any more) */
};
enum notify_command_state manager_notify_command_state(const struct manager *manager, const struct job *job);
const char *manager_notify_command_state_name(enum notify_command_state state);
/* How often it failed for the event that is due, and how the last one ended ("" before that); since the service started. */
unsigned manager_notify_command_failures(const struct manager *manager, const struct job *job);
const char *manager_notify_command_result(const struct manager *manager, const struct job *job);
/* Some command runs, or is to run: whoever leaves when there is nothing to do has to stay. */
bool manager_owes_commands(const struct manager *manager);

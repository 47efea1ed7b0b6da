/* What a job is and what may happen to it: the model, the state machine, the command matrix.
 *
 * No I/O, no clock, no threads: times come in as parameters, decisions go out as values. It must never know of SQL, D-Bus,
 * curl or file descriptors.
 *
 * 1. job_new() makes a SUSPENDED job; job_add_file() gives it files.
 * 2. Ask job_command_verdict() whether a call is allowed; then change plain properties with the job_set_*() functions.
 * 3. job_transition() is the only writer of job->state. The table behind it is job/transitions.def.
 * 4. Progress: job_file_received() and job_file_durable() keep 64-bit, overflow-checked totals.
 *
 * Ownership: a job owns its strings, its files and their interval sets; job_free() frees all. */
#pragma once

#include <stdio.h>
#include <sys/types.h>

#include "base/clock.h"
#include "base/guid.h"
#include "base/intervals.h"
#include "base/secret.h"
#include "job/chunks.h"
#include "protocol/errors.h"
#include "protocol/limits.h"
#include "protocol/states.h"

#define SIZE_UNKNOWN UINT64_MAX
#define TO_EOF UINT64_MAX /* as the length of a range: to the end of the remote file */
#define TEMP_NAME_MAX 35  /* ".dosvc-" + 22 + ".part" + NUL */

/* A piece of the remote file. */
struct byte_range {
        uint64_t offset;
        uint64_t length; /* or TO_EOF */
};

#define INO_UNKNOWN UINT64_MAX

/* Who a file on disk is (design decision 22). ino 0: there is none, as far as is known; INO_UNKNOWN: there may be one under the name, and
 * hashes decide of it. */
struct file_identity {
        uint64_t ino;
        uint64_t dev;
        uint64_t btime_usec; /* birth time, 0 where the file system has none */
        uint8_t boot_id[16]; /* dev counts only within this boot */
};

/* What the origin said about the representation that the temp file holds. Strings may be NULL. */
struct validators {
        char *origin;        /* scheme://host:port/path of the URL that answered, without query */
        char *etag;          /* strong only */
        char *last_modified; /* as sent, only when strong by RFC 9110 8.8.2.2 */
        char *encoding;      /* Content-Encoding, NULL for none */
};
void validators_done(struct validators *validators);
int validators_copy(struct validators *to, const struct validators *from); /* replaces *to; -ENOMEM leaves it */

/* What came of the integrity check. */
enum file_integrity {
        FILE_INTEGRITY_NONE = 0,        /* not asked for, or not begun */
        FILE_INTEGRITY_CHECKING = 1,    /* there are piece hashes; each piece is judged as it arrives */
        FILE_INTEGRITY_VERIFIED = 2,    /* every piece has the right hash */
        FILE_INTEGRITY_PARTIAL = 3,     /* every whole piece inside the ranges has; their edges nobody can judge */
        FILE_INTEGRITY_UNAVAILABLE = 4, /* no piece hashes that could be used, and they were not mandatory */
        _FILE_INTEGRITY_MAX,
};

/* What the origin answered last, to be shown. Never stored: it may hold cookies. Strings may be NULL. */
struct file_response {
        uint32_t http_status;
        char *headers;        /* status line and fields, CR LF behind each */
        char *url;            /* that answered, if a redirect led to another one */
        char *address;        /* of the server or proxy */
};

enum file_state {
        FILE_PENDING = 0,     /* bytes are missing, or the final check was not made */
        FILE_TRANSFERRED = 1, /* complete, digest-right, on disk under its temp name */
        FILE_PUBLISHED = 2,   /* at its final name */
        FILE_DISCARDED = 3,   /* Complete of a partial job: its temp file is removed */
};

/* What a program said of a file's content (BITS: SetValidationState). */
enum file_validation {
        FILE_VALIDATION_NONE = 0, /* nothing yet */
        FILE_VALIDATION_GOOD = 1,
        FILE_VALIDATION_BAD = 2, /* until its content is complete again */
};

/* What the file's own server said of it beside its bytes (Metalink/HTTP). Whom to believe is decided where it is used. */
struct file_offers {
        char *mirrors;        /* URLs, one a line, the best first; or NULL */
        uint32_t n_preferred; /* of them: those that use the same entity tags */
        bool from_public;     /* some server that named one has a public address */
        bool has_sha256;      /* of what travels */
        bool secure;          /* the digest came over https, all the way */
        uint8_t sha256[32];
};

struct job_file {
        struct job *job;
        uint32_t index; /* 0, 1, … in the order of addition; never changes */
        enum file_state state;

        /* What the client asked for */
        char *url;     /* "": comes later (downloads only) */
        char *path;    /* absolute, bytes; "": comes later (DO family only), or there is a stream */
        char *file_id; /* DO content id or NULL */
        uint64_t stated_size;
        char *mirrors; /* other URLs of the same bytes, one a line, the best first; or NULL */
        uint8_t sha256[32];
        struct byte_range *ranges; /* in the caller's order; NULL: whole file. On demand: sorted and merged; what is wanted so far */
        size_t n_ranges;
        char *integrity_info;     /* JSON, see src/content, or NULL */
        struct secret decryption_info; /* JSON with a key: what is fetched is encrypted */
        mode_t mode; /* 0666 & ~umask of the client */

        enum file_integrity integrity;
        enum file_validation validation;
        bool has_sha256;
        bool integrity_mandatory; /* not a byte counts that has no piece hash to vouch for it */
        bool length_unverified;   /* body ended without a stated length (design decision 8) */
        bool notify_due;          /* it became TRANSFERRED, and no callback has taken that with S_OK yet; stored */
        uint8_t notify_round;     /* how often it did; not stored, wraps */

        /* What the origin said */
        uint64_t remote_size; /* of the whole remote file, or SIZE_UNKNOWN */
        uint64_t size;        /* of the local file: what all ranges make together, or SIZE_UNKNOWN */
        struct validators validators;
        struct file_offers offers;
        uint64_t remote_time_usec; /* Last-Modified, or 0 */
        struct file_response *response; /* or NULL: see job_file_response() */

        /* Where the bytes are */
        uint64_t path_hash; /* private: of the path, while it is in the job's index */
        char temp_name[TEMP_NAME_MAX]; /* "" : no temp file */
        char spare_name[TEMP_NAME_MAX]; /* a second temp file, beside the first; "": there is none. PENDING: what its content is decrypted
                                           into; TRANSFERRED: the encrypted one, until it is removed */
        struct file_identity temp;
        struct file_identity directory;
        struct intervals durable;  /* synced to disk and recorded, in positions of the local file */
        struct chunks chunks;      /* hashes of some of it, while bytes are missing; stored one by one */
        struct intervals received; /* written, maybe lost by a power cut; a superset of durable; never stored */
        char *giving_hosts; /* whose bytes are in there, beside its own server's, while nothing has proved them right: one a line; or NULL */

        struct intervals untold;   /* on demand: durable, and no callback has taken it yet; never stored */
        uint64_t position;         /* on demand: what lies behind it is fetched first; never stored */

        /* Written by the manager only, never stored: how often the content was thrown away without getting further than before. */
        unsigned n_restarts;
        uint64_t furthest_bytes;
        char *source;         /* where a file has several: which is asked, without user info and query; and why the one before was left */
        char *source_trouble;
        char *sources;        /* all of them, for a person: one a line */
        uint64_t saved_in;   /* newest of the manager's commit groups that holds a change of its row */
        void *attachment;    /* the manager's running state for this file; never stored */
        void *stream;        /* the same, of a file whose bytes a program takes as they come; its path is "" */
};

/* What the scheduler remembers of a job; only src/schedule writes it. Stored are retry_delay growth (attempts) and
 * moved_usec. */
struct job_pace {
        unsigned attempts;            /* failed tries in a row without progress */
        uint64_t retry_at_boottime;   /* USEC_INFINITY: no retry by time */
        uint64_t slice_since_boottime;/* when its slice began, USEC_INFINITY: it has none */
        uint64_t queued_since_boottime;
        uint64_t try_since_monotonic; /* since when it could try without progress, USEC_INFINITY: clock stands */
        uint64_t tried_usec;          /* no-progress time that was collected before that */
        uint64_t moved_usec;          /* how long it was TRANSFERRING so far, up to moving_since */
        uint64_t moving_since_monotonic; /* USEC_INFINITY: it is not */
        uint64_t order;               /* place in its lane */
        void *schedule;               /* private */
};

/* How redirects are taken; values as published (BITS: SetSecurityFlags). */
enum job_security {
        JOB_SECURITY_CHECK_REVOCATION = 0x1,
        JOB_SECURITY_IGNORE_MASK = 0x1e,        /* checks of the server's certificate that are left out: see engine.h */
        JOB_SECURITY_REDIRECT_MASK = 0x700,
        JOB_SECURITY_REDIRECT_REPORT = 0x100,   /* the file's URL becomes the one that answered */
        JOB_SECURITY_REDIRECT_DISALLOW = 0x200,
        JOB_SECURITY_REDIRECT_INSECURE = 0x800, /* from https to http, too */
};

/* Whom a job shows a user name and a password, and how. One secret "user:password" for each pair. */
enum job_auth_target {
        JOB_AUTH_SERVER,
        JOB_AUTH_PROXY,
        _JOB_AUTH_TARGET_MAX,
};
enum job_auth_scheme {
        JOB_AUTH_BASIC,
        JOB_AUTH_DIGEST,
        _JOB_AUTH_SCHEME_MAX,
};

/* Values as published (BITS: SetProxySettings). */
enum job_proxy {
        JOB_PROXY_PRECONFIG = 0, /* as the environment of the client said */
        JOB_PROXY_NONE = 1,
        JOB_PROXY_OVERRIDE = 2, /* the job's own list */
};

/* A queue may hold a hundred thousand: members stand so that there are no holes between them. */
struct job {
        struct guid id;
        uid_t owner;
        enum job_family family;
        enum job_kind kind;
        enum job_type type;
        char *name;        /* display name, never NULL */
        char *description; /* NULL: none */

        enum job_state state; /* written by job_transition() only */
        enum job_intent intent;
        enum job_priority priority;
        uint32_t notify_flags;
        uint32_t notify_due; /* JOB_NOTIFY_TRANSFERRED or _ERROR that no callback has taken with S_OK yet; stored */
        uint32_t notify_round; /* how often one of them became due; not stored, wraps */
        uint32_t minimum_retry_delay_s;
        uint32_t no_progress_timeout_s;
        uint32_t max_download_time_s; /* of transferring; see job_pace.moved_usec */
        char *notify_command;    /* program that is run for these two where no callback takes them, or NULL */
        char *notify_parameters; /* one line (src/program), or NULL */
        uint64_t life_time_usec;  /* removed when this long without progress or change (BITS) or since creation (DO) */
        struct secret custom_headers;   /* lines with CR LF between */
        struct secret auth_headers;     /* the same, for who asks who is there; never told */
        struct secret credentials[_JOB_AUTH_TARGET_MAX][_JOB_AUTH_SCHEME_MAX]; /* never told */
        char *lying_hosts;              /* that sent what is not the file (schedule/sources.h), one a line; or NULL */
        char *client_certificate;       /* its name (protocol/certificates.h), or NULL; it and its key stay where they are */
        char *http_method;              /* of its requests; NULL: GET. Any other one is sent once, for the whole file, by a foreground job */
        uint32_t security_flags;        /* enum job_security */
        uint32_t proxy_usage;           /* enum job_proxy */
        struct secret proxy_list;       /* as given; its URLs may name passwords */
        char *proxy_bypass;             /* or NULL */
        struct secret proxy_environment; /* "http_proxy=…" lines as the client found them; as above */
        uint64_t max_download_size;     /* of all files together, SIZE_UNKNOWN: no limit */
        uint64_t max_rate;              /* bytes per second, 0: no limit of its own */
        bool is_volatile; /* ends with the client's connection, and with the service (design decision 18) */
        bool complete_when_transferred;
        bool replace;     /* Complete may replace a regular file */
        bool remote_time; /* published files get Last-Modified as their time */
        bool custom_headers_write_only; /* no face hands them out any more */
        bool judge_certificate;         /* an https server is used only once a program accepted its certificate */
        bool high_performance;          /* no checkpoints while it moves (design decision 18) */
        bool dynamic_content;           /* made for each request: fetched whole or not at all, in the foreground, never by parts */
        bool on_demand;                 /* only what job_file_demand() named is fetched, at its own place in the file */
        bool resumed;                   /* at least once: some properties are fixed then */
        bool restored;                  /* from a backup: it may have ended since then, until its temp file is seen */
        bool no_cellular;               /* never over a mobile network */
        uint32_t cost_flags;            /* what a network may cost (conditions.h) with which it transfers; 0: as the configuration says */
        uint32_t notification_interval_ms; /* least time between two JobModification */
        enum waiting_reason waiting;

        /* Wall-clock times in microseconds; 0: not yet */
        uint64_t created_usec;
        uint64_t modified_usec;
        uint64_t transferred_usec;
        uint64_t state_since_usec;

        struct job_error error; /* code ERROR_NONE: none */
        uint64_t error_count;

        uint64_t waiting_since_usec; /* wall clock */

        struct job_file **files;
        void *paths; /* private: finds a destination among the files */
        size_t n_files;
        size_t n_files_allocated;
        size_t n_files_transferred; /* TRANSFERRED or PUBLISHED */
        size_t n_files_notify_due;
        uint64_t bytes_received;    /* sum over files, volatile */
        uint64_t bytes_durable;     /* sum over files */
        uint64_t bytes_from_cache;  /* of bytes_fetched: from cache servers, from mirrors; stored */
        uint64_t bytes_from_mirrors;
        uint64_t bytes_fetched;     /* all body bytes that ever came from the network for it, discarded ones too; stored */

        struct job_pace pace;
        void *attachment; /* the manager's running state for this job; never stored */
};

/* ---- making ---- */

/* Defaults of the family (api.md 1.7). @name is copied. 0, ERROR_INVALID_ARGUMENT for a bad name, or -ENOMEM. */
int job_new(const struct guid *id, uid_t owner, enum job_family family, const char *name, uint64_t now_usec,
            struct job **ret);
struct job *job_free(struct job *job);
DEFINE_CLEANUP_FUNC(struct job, job_free)

/* Positive outcomes of this layer's functions are error codes (enum error_code); 0 is success, negative errno fatal. */

/* http:// or https:// with a host, within LIMIT_URL; by form alone. 0 or an error code. */
int job_url_check(const char *url);
int job_file_id_check(const char *file_id);
/* Do two good URLs name the same scheme, host and port, by their letters? Who is told apart wrongly gets less, never more. */
bool job_url_is_same_origin(const char *a, const char *b);

struct job_file_spec {
        const char *url;  /* "" in a download: comes by job_file_set_url() */
        const char *path; /* "" in the DO family: comes by job_file_set_path() */
        const char *file_id;
        const char *mirrors;  /* URLs, one a line, or NULL; "" is NULL */
        uint64_t stated_size; /* SIZE_UNKNOWN */
        const uint8_t *sha256; /* 32 bytes or NULL */
        const struct byte_range *ranges;
        size_t n_ranges;
        mode_t mode;
        const char *integrity_info;  /* NULL: none */
        const char *decryption_info; /* NULL: none */
        bool integrity_mandatory;
};
/* Where a host is, as far as its name or address tells. */
enum host_kind {
        HOST_LOOPBACK,      /* this machine */
        HOST_LOCAL_ADDRESS, /* private and link-local ones */
        HOST_LOCAL_NAME,    /* without a dot, or in a domain that is nobody's on the internet */
        HOST_NAME,          /* it may mean any address */
        HOST_ADDRESS,
        _HOST_KIND_MAX,
};
/* @authority: of a URL or proxy, with or without user info and port; a bare IPv6 address is fine. */
enum host_kind job_host_kind(const char *authority, size_t n);
/* Of whoever answered for it last, else of its URL. */
enum host_kind job_file_host_kind(const struct job_file *file);
/* Has every file with something to fetch a source whose kind is allowed? Linear in the files. */
bool job_sources_are(const struct job *job, const bool allowed[static _HOST_KIND_MAX]);
/* Has it a proxy whose kind is allowed? */
bool job_proxy_is(const struct job *job, const bool allowed[static _HOST_KIND_MAX]);

/* Judges names and ranges by form alone (URL: scheme, length, control characters; path: absolute, lengths, no "." or "..";
 * ranges: bounds and overlap as the family documents). */
/* mirrors: at most LIMIT_MIRRORS lines, each of them a URL as above; not with ranges (whose bytes no digest can decide). */
int job_file_spec_check(const struct job_file_spec *spec, enum job_family family, enum job_kind kind, size_t max_ranges);
/* Checks by form, refuses a destination that the job has already, copies everything. Does not ask for the state. */
int job_add_file(struct job *job, const struct job_file_spec *spec, size_t max_ranges, struct job_file **ret_file);
/* It is another's now: what it knew of the old owner's secrets and programs, and of servers, is gone (BITS: TakeOwnership). */
void job_change_owner(struct job *job, uid_t owner, uint64_t now_usec);
/* Has somebody at @host (the authority of a URL, without user info) sent what is not the file? */
bool job_host_lied(const struct job *job, const char *host);
/* From now on, somebody has. ERROR_INVALID_ARGUMENT: that is no host; ERROR_STRING_TOO_LONG: there is no room for it; -ENOMEM. */
int job_remember_liar(struct job *job, const char *host);
/* From now on, there are bytes of @host among those that were received for @file. Errors as above. */
int job_file_remember_giver(struct job_file *file, const char *host);
/* They turned out to be right, or are thrown away. */
void job_file_forget_givers(struct job_file *file);
/* For the store: could @hosts be such lines? */
bool job_hosts_check(const char *hosts);
/* All files of @draft, which has only ever been added to and is of the same family and kind, become the last of @job; or none: an error
 * code or -ENOMEM, and *ret_culprit is the index of the one that it has already, or that does not fit it. */
int job_take_files(struct job *job, struct job *draft, uint32_t *ret_culprit);
/* For the store: an empty file with the next index, to be filled in. */
int job_new_file(struct job *job, struct job_file **ret_file);
/* For the store, after loading: sums up, sets received = durable, and turns TRANSFERRING into QUEUED (service restart).
 * -EBADMSG: rows that contradict each other. */
int job_loaded(struct job *job);

/* ---- the state machine ---- */

enum job_event {
        JOB_EVENT_RESUME,            /* somebody called Resume, files are missing */
        JOB_EVENT_SUSPEND,
        JOB_EVENT_START,             /* the scheduler gave it a turn */
        JOB_EVENT_YIELD,             /* slice over, higher priority, log-off, transfer process lost */
        JOB_EVENT_TRANSIENT_ERROR,   /* job->error is set before */
        JOB_EVENT_RETRY,             /* the delay is over, or the cause ended */
        JOB_EVENT_FATAL_ERROR,       /* job->error is set before */
        JOB_EVENT_ALL_TRANSFERRED,   /* every file is complete and verified */
        JOB_EVENT_COMPLETED,         /* Complete was carried out */
        JOB_EVENT_CANCELLED,         /* Cancel (or the end of its life time) was carried out */
        JOB_EVENT_RESTARTED,         /* the service came back */
        _JOB_EVENT_MAX,
};

/* Carries out one row of job/transitions.def. 0: done (possibly to the same state); ERROR_INVALID_STATE: no such row, nothing
 * changed. Sets state_since/modified/transferred times, clears or keeps the error and sets notify_due as the row says. */
int job_transition(struct job *job, enum job_event event, uint64_t now_usec);

bool job_state_is_final(enum job_state state);   /* ACKNOWLEDGED, CANCELLED */
bool job_state_is_active(enum job_state state);  /* QUEUED, CONNECTING, TRANSFERRING, TRANSIENT_ERROR */
bool job_state_has_error(enum job_state state);  /* ERROR, TRANSIENT_ERROR: GetError has an object */
bool job_is_complete(const struct job *job);     /* it has files and all are transferred */
/* Causes that end by themselves (design decision 19): not counted as errors, no no-progress clock. */
bool job_error_is_blocked_cause(enum error_code code);

/* ---- which call is allowed when ---- */

enum job_command {
        JOB_COMMAND_ADD_FILE,
        JOB_COMMAND_ENUM_FILES,
        JOB_COMMAND_SUSPEND,
        JOB_COMMAND_RESUME,
        JOB_COMMAND_CANCEL,
        JOB_COMMAND_COMPLETE,
        JOB_COMMAND_GET,          /* any property but the error */
        JOB_COMMAND_GET_ERROR,
        JOB_COMMAND_START,        /* Resume of a download, with the ranges that it wants */
        JOB_COMMAND_SET_URL,
        JOB_COMMAND_SET_SINK,     /* where a file goes to, what it is */
        JOB_COMMAND_SET,          /* name, description, priority, flags, time-outs, … */
        JOB_COMMAND_SET_NOTIFY,   /* SetNotifyInterface */
        JOB_COMMAND_TAKE_OWNERSHIP,
        _JOB_COMMAND_MAX,
};

enum job_verdict {
        JOB_VERDICT_OK,             /* do it */
        JOB_VERDICT_NOTHING_TO_DO,  /* S_OK, state unchanged */
        JOB_VERDICT_INVALID_STATE,
        JOB_VERDICT_NO_INFORMATION, /* GetError outside the error states */
};
/* From one const matrix for each kind; an intent in progress makes every changing command INVALID_STATE. */
enum job_verdict job_command_verdict(const struct job *job, enum job_command command);
/* The bare matrix, for docs and tests. */
enum job_verdict job_command_verdict_in_state(enum job_kind kind, enum job_command command, enum job_state state);
const char *job_command_name(enum job_command command);
const char *job_event_name(enum job_event event);

/* Writes docs/states.md's tables (transitions and matrix) to @out: the page and its test are made with it. */
void job_describe_machine(FILE *out);

/* ---- properties: each validates, copies, sets modified time; 0, an error code, or -ENOMEM ---- */

int job_set_name(struct job *job, const char *name, uint64_t now_usec);
int job_set_description(struct job *job, const char *description, uint64_t now_usec);
int job_set_priority(struct job *job, uint32_t priority, uint64_t now_usec); /* outside the enum: ERROR_NOT_IMPLEMENTED; see also job_set_http_method() */
int job_set_notify_flags(struct job *job, uint32_t flags, uint64_t now_usec); /* bad bits: ERROR_NOT_IMPLEMENTED */
/* Each NULL: leave as it is; "": none. Without a program there are no parameters. ERROR_INVALID_NAME: no absolute path; _NAME_TOO_LONG,
 * _STRING_TOO_LONG. */
int job_set_notify_command(struct job *job, const char *program, const char *parameters, uint64_t now_usec);
int job_set_minimum_retry_delay(struct job *job, uint32_t seconds, uint64_t now_usec); /* clamped to at least 5 s */
int job_set_no_progress_timeout(struct job *job, uint32_t seconds, uint64_t now_usec);
/* Some secret of the job could not be read back (base/secret.h): it cannot do what it was told until that is set anew. */
bool job_has_lost_secret(const struct job *job);
/* "" clears them. ERROR_STRING_TOO_LONG; ERROR_INVALID_ARGUMENT for what is no header, or one that the transfer makes itself. */
int job_set_custom_headers(struct job *job, const char *headers, uint64_t now_usec);
/* The same; Proxy-Authorization is one of them. */
int job_set_auth_headers(struct job *job, const char *headers, uint64_t now_usec);
/* "user:password", "" takes them away. ERROR_INVALID_ARGUMENT: no colon, no name or control characters; ERROR_USER_NAME_TOO_LARGE,
 * ERROR_PASSWORD_TOO_LARGE. */
int job_set_credentials(struct job *job, enum job_auth_target target, enum job_auth_scheme scheme, const char *text,
                        uint64_t now_usec);
/* Bits 1 << (2 * target + scheme): which there are. */
uint32_t job_credentials_set(const struct job *job);
/* What is shown to @target, NULL: nothing. *ret_schemes: bits 1 << scheme. The same for both schemes: the server chooses; different
 * ones: those for Digest, which does not give the password away. */
const char *job_credentials_for(const struct job *job, enum job_auth_target target, uint32_t *ret_schemes);
/* "": none. ERROR_INVALID_ARGUMENT for the form; ERROR_NOT_IMPLEMENTED: a place that is not there. Whether it is in its store shows when it is
 * needed. */
int job_set_client_certificate(struct job *job, const char *name, uint64_t now_usec);
/* "GET" is the default. Before the first Resume: ERROR_READ_ONLY_AFTER_RESUME. Any other one puts the job into the foreground, for good;
 * ERROR_NOT_SUPPORTED_WITH_METHOD with ranges or on demand. ERROR_INVALID_ARGUMENT: no method, or one whose answer cannot be a file. */
int job_set_http_method(struct job *job, const char *method, uint64_t now_usec);
int job_set_security_flags(struct job *job, uint32_t flags, uint64_t now_usec); /* unknown bits: ERROR_NOT_IMPLEMENTED */
/* Other usages: ERROR_NOT_IMPLEMENTED. Lists ("": none) with JOB_PROXY_OVERRIDE only: ERROR_INVALID_ARGUMENT; ERROR_STRING_TOO_LONG. */
int job_set_proxy(struct job *job, uint32_t usage, const char *list, const char *bypass, uint64_t now_usec);
int job_set_proxy_environment(struct job *job, const char *environment);
/* "http_proxy=…" and so on with NULL at the end, for the engine. 0 or -ENOMEM. */
int job_proxy_variables(const struct job *job, char ***ret);
void job_proxy_variables_free(char **variables);
int job_set_max_download_time(struct job *job, uint32_t seconds, uint64_t now_usec); /* 0: ERROR_INVALID_ARGUMENT */
/* Before the first file: ERROR_READ_ONLY_AFTER_ADDFILE. */
int job_set_high_performance(struct job *job, bool on, uint64_t now_usec);
/* Before the first Resume: ERROR_READ_ONLY_AFTER_RESUME. With ranges in some file, and each of the two with the other:
 * ERROR_RANDOM_ACCESS_NOT_SUPPORTED; with another method than GET: ERROR_NOT_SUPPORTED_WITH_METHOD. The first puts the job into the
 * foreground, where it stays: other priorities are ERROR_INVALID_ARGUMENT. */
int job_set_dynamic_content(struct job *job, bool on, uint64_t now_usec);
int job_set_on_demand(struct job *job, bool on, uint64_t now_usec);
/* Before the first Resume: ERROR_READ_ONLY_AFTER_RESUME. 0: ERROR_MAX_SIZE_INVALID. */
int job_set_max_download_size(struct job *job, uint64_t size, uint64_t now_usec);
/* "" clears. By form alone (length, UTF-8): what the texts mean is for src/content. Only while the file is still to be fetched:
 * ERROR_INVALID_STATE. */
int job_file_set_integrity_info(struct job_file *file, const char *json, uint64_t now_usec);
int job_file_set_integrity_mandatory(struct job_file *file, bool mandatory, uint64_t now_usec);
int job_file_set_decryption_info(struct job_file *file, const char *json, uint64_t now_usec);
int job_file_set_url(struct job_file *file, const char *url, uint64_t now_usec);
/* As in job_add_file(). ERROR_DUPLICATE_DESTINATION, ERROR_INVALID_STATE when it has a temp file already. */
int job_file_set_path(struct job_file *file, const char *path, mode_t mode, uint64_t now_usec);
int job_file_set_id(struct job_file *file, const char *file_id, uint64_t now_usec);       /* "": none */
int job_file_set_stated_size(struct job_file *file, uint64_t size, uint64_t now_usec);    /* SIZE_UNKNOWN: none */
/* What Start asks for. The first time these are the file's ranges (none: the whole file). Later the same ones, or none, mean "go on". In
 * TRANSFERRED other ones are fetched too, behind what is there, and none mean the whole file, from its beginning.
 * ERROR_RANGES_UNEXPECTED; ERROR_INVALID_RANGE and so on for their form. */
int job_file_want(struct job_file *file, const struct byte_range *ranges, size_t n_ranges, size_t max_ranges);
/* 0, or what the job lacks before it can be resumed: ERROR_JOB_EMPTY, _NO_URI, _NO_LOCAL_PATH, _SINK_UNSPECIFIED. */
int job_is_unready(const struct job *job);
/* Another beginning for the URL of every file that is still to be fetched and has the old one; all or none. ERROR_INVALID_ARGUMENT for
 * an empty prefix. The caller frees the array *ret_changed, not the files. */
int job_replace_url_prefix(struct job *job, const char *old_prefix, const char *new_prefix, uint64_t now_usec,
                           struct job_file ***ret_changed, size_t *ret_n_changed);

/* @text: NULL and "": the code says it all. What no terminal should get becomes "?". Without memory it is left out. */
void job_set_error(struct job *job, enum error_code code, enum error_context context, uint32_t detail,
                   uint32_t file_index, const char *text);
void job_clear_error(struct job *job);
/* The reason changes its "since" only when it changes. */
void job_set_waiting(struct job *job, enum waiting_reason reason, uint64_t now_usec);

/* ---- progress ---- */

/* The remote size is known now: computes file->size from the ranges. ERROR_INVALID_RANGE when a range lies outside,
 * ERROR_TOO_LARGE past LIMIT_FILE_SIZE, ERROR_REMOTE_FILE_CHANGED when bytes beyond that size were received before. */
int job_file_set_remote_size(struct job_file *file, uint64_t remote_size);
/* Bytes [start, end) of the local file were written. ERROR_INVALID_RESPONSE past a known size, ERROR_TOO_LARGE past
 * LIMIT_FILE_SIZE. bytes_fetched is the manager's to count: discarded bytes never come by here. */
int job_file_received(struct job_file *file, uint64_t start, uint64_t end);
/* Bytes are on disk (the caller has synced). Adds to received too. */
int job_file_durable(struct job_file *file, const struct intervals *synced);
/* Everything that is not durable is forgotten (transfer process lost, fsync failed). */
int job_file_forget_received(struct job_file *file);
/* All content is thrown away, but the temp file stays the file's own: the next open empties it. */
void job_file_forget_content(struct job_file *file);
/* Bytes [start, end) are wrong: they count no more and are missing again. */
int job_file_forget_range(struct job_file *file, uint64_t start, uint64_t end);
/* Of what is durable only @proved, a part of it, turned out to be there. */
int job_file_keep_proved(struct job_file *file, const struct intervals *proved);
/* All content is thrown away: changed remote file, lost temp file. Temp name, identity and validators are cleared; counting
 * n_restarts is the caller's. */
void job_file_reset(struct job_file *file);
/* Replaces what the origin said last; @response is copied, what is no text is left out. */
int job_file_set_response(struct job_file *file, const struct file_response *response);
/* All zero: no answer since the service started. */
const struct file_response *job_file_response(const struct job_file *file);
void job_file_set_state(struct job_file *file, enum file_state state);
/* ERROR_PENDING unless its content is complete; ERROR_INVALID_STATE when it is at its final name already. What a bad verdict means
 * for content and job is the caller's. */
int job_file_set_validation(struct job_file *file, bool good, uint64_t now_usec);
/* A callback took the news that it is TRANSFERRED. */
void job_file_notify_taken(struct job_file *file);
/* Has every byte of a known size. */
bool job_file_is_filled(const struct job_file *file);

/* Sum of the sizes; SIZE_UNKNOWN if any is unknown. */
uint64_t job_bytes_total(const struct job *job);
/* What is known of it: of files without a known size, what was received. */
bool job_is_over_its_size(const struct job *job);

/* ---- what is still to fetch ---- */

/* A piece to ask for: [offset, offset+length) of the remote file goes to local_offset. length may be TO_EOF. */
struct file_piece {
        uint64_t remote_offset;
        uint64_t length;
        uint64_t local_offset;
};
/* Fills @ret with at most @max pieces that are not received yet, in local order. Return: how many there are in all. */
size_t job_file_missing(const struct job_file *file, struct file_piece *ret, size_t max);
/* Those, and those parts, that lie in @part of the local file. */
size_t job_file_missing_within(const struct job_file *file, const struct interval *part, struct file_piece *ret, size_t max);

/* On demand (BITS: IBackgroundCopyFile6). */
/* Adds to what is wanted; overlaps are fine. ERROR_RANDOM_ACCESS_NOT_SUPPORTED for a job that is not on demand, ERROR_INVALID_RANGE,
 * ERROR_TOO_MANY_RANGES when more than @max_ranges would be left after merging. */
int job_file_demand(struct job_file *file, const struct byte_range *ranges, size_t n_ranges, size_t max_ranges, uint64_t now_usec);
int job_file_set_position(struct job_file *file, uint64_t position);
/* Something can be done for it now: bytes that are wanted are missing, or all are there and the final check is not made. */
bool job_file_has_work(const struct job_file *file);

/* One line of the bounded history (design decision 14). */
struct history_entry {
        struct guid id;
        uid_t owner;
        enum job_family family;
        enum job_state state; /* ACKNOWLEDGED or CANCELLED */
        char *name;
        char *url;  /* of the first file, user info and query redacted */
        char *path; /* of the first file */
        uint64_t n_files;
        uint64_t n_files_transferred;
        uint64_t bytes_transferred;
        uint64_t bytes_total;
        uint64_t bytes_from_origin;
        uint64_t created_usec;
        uint64_t transferred_usec;
        uint64_t finished_usec;
        struct job_error error; /* the last one, or none */
};
/* Copy of @url for other eyes: user info and query become "***", the fragment goes. NULL: no memory. */
char *job_url_redact(const char *url);
int history_entry_new(const struct job *job, uint64_t now_usec, struct history_entry **ret);
struct history_entry *history_entry_free(struct history_entry *entry);
DEFINE_CLEANUP_FUNC(struct history_entry, history_entry_free)

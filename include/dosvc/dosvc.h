/* SPDX-License-Identifier: MIT
 *
 * dosvc.h - what dosvc offers beyond the published interfaces, in plain C: digests, replacing, complete-when-transferred, waiting
 * reasons, both families in one list, history, events, service information.
 *
 * Rules for everything here:
 *  - Strings are UTF-8 and NUL-terminated, independent of setlocale(); paths are bytes, absolute.
 *  - Sizes are bytes, times are microseconds since 1970-01-01 UTC (0: not yet), delays are seconds. DOSVC_UNKNOWN is "not known".
 *  - Functions return an HRESULT: 0 (S_OK) or a positive success code, negative on failure. dosvc_last_error() of the connection then
 *    has a text for a person; it is kept per thread.
 *  - Structures are filled by the library; `size` is set by the caller to sizeof the structure, so that later versions can add fields.
 *  - What a call hands out is owned by the caller and freed with the function that its comment names.
 *  - A connection may be used from any thread. Callbacks come on one thread of the library and may call anything here.
 */
#ifndef DOSVC_H
#define DOSVC_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define DOSVC_UNKNOWN UINT64_MAX
#define DOSVC_ID_SIZE 37 /* 8-4-4-4-12 hex digits and NUL */

typedef struct dosvc dosvc;

/* ---- connection ---- */

enum {
        DOSVC_CONNECT_DEFAULT = 0, /* DOSVC_ADDRESS; else the system instance if it accepts us; else the user instance, started on demand */
        DOSVC_CONNECT_SYSTEM = 1,
        DOSVC_CONNECT_USER = 2,
        DOSVC_CONNECT_NO_START = 4, /* with the above: do not start a user instance */
};
/* Connects. A connection that breaks is made again by the next call. *ret is freed with dosvc_close(). */
int32_t dosvc_open(unsigned flags, dosvc **ret);
void dosvc_close(dosvc *connection); /* NULL is fine */

/* The last failure of a call in this thread on this connection (NULL connection: of dosvc_open). Valid until the next call. */
typedef struct dosvc_error {
        int32_t hresult;
        const char *name;    /* "FileExists", as on D-Bus behind org.dosvc.Error.; "" if the failure has none */
        const char *context; /* "none", "local_file", "remote_file", "general_transport", ... */
        const char *file;    /* path or "" */
        const char *url;     /* or "" */
        const char *text;    /* one sentence: what, why, and what to do */
} dosvc_error;
const dosvc_error *dosvc_last_error(const dosvc *connection);

/* ---- making jobs ---- */

typedef struct dosvc_file_spec {
        size_t size;              /* sizeof(dosvc_file_spec) */
        const char *url;          /* http:// or https://, at most 8192 bytes */
        const char *path;         /* absolute; its directory must exist */
        const unsigned char *sha256; /* 32 bytes, or NULL */
        uint64_t stated_size;     /* DOSVC_UNKNOWN (0 is a size) */
        const char *integrity_info;  /* JSON: where the hashes of its pieces are, docs/formats/piece-hash-file.md; or NULL */
        int integrity_mandatory;     /* no byte counts without them */
        const char *decryption_info; /* JSON with a key: what is fetched is encrypted, docs/formats/encrypted-file.md; sha256 is
                                        then that of the content; or NULL */
        const char *mirrors;      /* other URLs of the same bytes, one a line, the best first, at most 16; NULL or "": none. They are
                                     asked when url fails; bytes of two servers go together only if sha256 is given */
} dosvc_file_spec;

typedef struct dosvc_job_options {
        size_t size;              /* sizeof(dosvc_job_options) */
        const char *name;         /* display name, at most 256 characters */
        const char *description;  /* NULL: "" */
        const char *family;       /* NULL or "do", or "bits" */
        const char *priority;     /* NULL or "normal"; "foreground", "high", "low" */
        int complete_when_transferred;
        int replace;              /* Complete may replace regular files */
        int remote_time;          /* files get the server's Last-Modified as their time */
        int resume;               /* start at once */
        int attach;               /* if a job with exactly these files is there, take that one */
        int64_t no_progress_timeout; /* seconds; -1: the family's default */
        int64_t minimum_retry_delay; /* seconds; -1: the family's default */
        uint64_t max_rate;           /* bytes per second, 0: no limit of its own */
} dosvc_job_options;

/* One transaction: the job with all its files, or nothing (jobs of more than 1000 files are filled in steps and resumed last; an error
 * then cancels the job). ret_attached may be NULL. */
int32_t dosvc_create_job(dosvc *connection, const dosvc_job_options *options, const dosvc_file_spec *files, size_t n_files,
                         char ret_id[DOSVC_ID_SIZE], int *ret_attached);
int32_t dosvc_add_files(dosvc *connection, const char *id, const dosvc_file_spec *files, size_t n_files);

/* Would this destination, which exists, satisfy the digest? 1 yes, 0 no or absent, negative HRESULT on failure. Local: no service needed. */
int32_t dosvc_file_has_sha256(const char *path, const unsigned char sha256[32]);

/* ---- piece hash files, for whoever serves files (docs/formats/piece-hash-file.md). Local: no service needed. ---- */

typedef struct dosvc_piece_hash_file_info {
        size_t size;
        const char *text;           /* the piece hash file, to be served as it is */
        size_t text_size;
        const char *integrity_info; /* the JSON that says where it is and vouches for it: for dosvc_file_spec */
        uint64_t content_length;
        uint64_t piece_size;
        uint64_t pieces;
        unsigned char sha256[32];   /* of the whole content: for dosvc_file_spec */
} dosvc_piece_hash_file_info;
typedef int (*dosvc_piece_hash_file_fn)(const dosvc_piece_hash_file_info *info, void *userdata);
/* Hashes a file in pieces of 1024 to 67108864 bytes. @url: where the piece hash file will be served. Calls @fn once and returns what it
 * answers, or a negative HRESULT. */
int32_t dosvc_make_piece_hash_file(const char *path, uint64_t piece_size, const char *url, dosvc_piece_hash_file_fn fn, void *userdata);

/* ---- encrypted files, for whoever serves files (docs/formats/encrypted-file.md). Local: no service needed. ---- */

#define DOSVC_DECRYPTION_INFO_SIZE 256
/* A fresh random key of 256 bits, as the JSON text of a DecryptionInfo. @mode: NULL or "gcm", or "cbc". @buffer_size: a multiple of 16 from 1024
 * to 16777216. The caller wipes @ret. */
int32_t dosvc_make_decryption_info(const char *mode, uint64_t buffer_size, char ret[DOSVC_DECRYPTION_INFO_SIZE]);
/* Writes @output whole or not at all; what is there is replaced only if @replace says so. Decrypting is what the service does by itself. */
int32_t dosvc_encrypt_file(const char *path, const char *output, const char *decryption_info, int replace);
int32_t dosvc_decrypt_file(const char *path, const char *output, const char *decryption_info, int replace);

/* ---- what may be done to a job; ids may be shortened to a unique prefix of at least 4 digits ---- */

/* For administrators: a job of another user becomes the caller's own, and begins anew. */
int32_t dosvc_take_ownership(dosvc *connection, const char *id);
int32_t dosvc_suspend(dosvc *connection, const char *id);
int32_t dosvc_resume(dosvc *connection, const char *id);
int32_t dosvc_cancel(dosvc *connection, const char *id);   /* 0x0020001A: some temporary file could not be deleted */
int32_t dosvc_complete(dosvc *connection, const char *id); /* 0x00200017: only some files were complete */

/* ---- properties: what can be shown and set, by key ----
 * Values are texts: numbers in decimal, flags as 0x..., switches "yes" or "no", times in microseconds since 1970, digests in
 * hexadecimal, ranges as OFFSET:LENGTH,... Sizes are read with K, M, G or T (of 1024) behind them too. dosvc(1) lists the keys. */

typedef struct dosvc_property_info {
        size_t size;
        const char *object; /* "job" or "file" */
        const char *key;
        const char *form;   /* "text" "word" "switch" "number" "size" "flags" "time" "path" "digest" "ranges" "headers" */
        const char *unit;   /* of a number; of a word: the words */
        const char *text;   /* a sentence */
        uint64_t min;       /* of numbers, sizes and flags; of a text: its characters */
        uint64_t max;
        int readable;
        int settable;
        int secret;         /* belongs into no argument list, log or history */
} dosvc_property_info;
/* @value NULL: not known, there is none, or it is not asked for (dosvc_list_properties). */
typedef int (*dosvc_property_fn)(const dosvc_property_info *property, const char *value, void *userdata);

/* Every key of this library, without a service. */
int32_t dosvc_list_properties(dosvc_property_fn fn, void *userdata);
/* Of a live job. */
int32_t dosvc_get_properties(dosvc *connection, const char *id, dosvc_property_fn fn, void *userdata);
/* Of each of its files, file by file; each begins with its "index". */
int32_t dosvc_list_file_properties(dosvc *connection, const char *id, dosvc_property_fn fn, void *userdata);

typedef struct dosvc_property {
        const char *key;
        const char *value;
} dosvc_property;
/* All or none, at most 64. */
int32_t dosvc_set_properties(dosvc *connection, const char *id, const dosvc_property *properties, size_t n);
int32_t dosvc_set(dosvc *connection, const char *id, const char *key, const char *value);
/* A key of objects "file". With another "url" bytes that are there are kept if the new server's answer fits them. */
int32_t dosvc_set_of_file(dosvc *connection, const char *id, uint32_t index, const char *key, const char *value);
/* Another beginning for the URLs of all files that are not complete and begin with @old_prefix; how many in *ret_changed, which may
 * be NULL. */
int32_t dosvc_replace_url_prefix(dosvc *connection, const char *id, const char *old_prefix, const char *new_prefix, uint32_t *ret_changed);

/* ---- looking ---- */

typedef struct dosvc_failure { /* the job's own error; hresult 0: none */
        int32_t hresult;
        const char *name;
        const char *context;
        const char *file;
        const char *url;
        const char *text;
} dosvc_failure;

typedef struct dosvc_job_info {
        size_t size;
        const char *id;
        const char *family;
        const char *name;
        const char *description;
        const char *state; /* "queued" "transferring" "suspended" "error" "transient_error" "transferred" "acknowledged" "cancelled" */
        const char *priority;
        const char *waiting_reason; /* "none", "slot", "retry", ... */
        const char *waiting_text;   /* a sentence */
        uint64_t waiting_since;
        uint64_t retry_time;
        uint64_t state_since;
        uint64_t created;
        uint64_t modified;
        uint64_t transferred;
        uint64_t bytes_total;
        uint64_t bytes_transferred; /* received, may be lost by a power cut */
        uint64_t bytes_durable;     /* on disk and recorded */
        uint64_t bytes_fetched;     /* that came over the network in all */
        uint64_t files_total;
        uint64_t files_transferred;
        uint64_t error_count;
        uint32_t owner;             /* uid */
        uint32_t notify_flags;
        uint32_t minimum_retry_delay;
        uint32_t no_progress_timeout;
        uint64_t life_time;
        int complete_when_transferred;
        int replace;
        int remote_time;
        dosvc_failure error;
        const char *instance; /* "system" or "user" */
        const char *kind;     /* "job" or "download" */
        int is_volatile;      /* ends with its client's connection */
        uint64_t bytes_from_cache;   /* of bytes_fetched: what cache servers sent */
        uint64_t bytes_from_mirrors; /* of bytes_fetched: what mirrors sent */
        uint64_t max_rate;    /* bytes per second, 0: no limit of its own */
} dosvc_job_info;

typedef struct dosvc_file_info {
        size_t size;
        uint32_t index;
        const char *url;
        const char *path;
        const char *state; /* "pending" "transferred" "published" "discarded" */
        const char *temporary_name; /* "" if there is none */
        uint64_t bytes_total;
        uint64_t bytes_transferred;
        uint64_t bytes_durable;
        uint64_t stated_size;
        const unsigned char *sha256; /* NULL or 32 bytes */
        int length_unverified;
        int integrity_mandatory;
        const char *integrity; /* "none" "checking" "verified" "partial" "unavailable" */
        int encrypted;
        const char *mirrors;       /* as given, one a line; "" */
        const char *source;        /* URL that is asked now or was asked last, "" without a choice; without user info and query */
        const char *sources;        /* all that there are, one a line: kind, state, URL; "" without a choice */
        const char *source_trouble; /* why the source before that was left, for a person; "" if none was */
        uint32_t connections;      /* that fetch it now */
} dosvc_file_info;

typedef struct dosvc_history_info {
        size_t size;
        const char *id;
        const char *family;
        const char *state; /* "acknowledged" or "cancelled" */
        const char *name;
        const char *url;
        const char *path;
        uint64_t files_total;
        uint64_t files_transferred;
        uint64_t bytes_total;
        uint64_t bytes_transferred;
        uint64_t bytes_from_origin; /* all that came over the network, from whichever source */
        uint64_t created;
        uint64_t transferred;
        uint64_t finished;
        dosvc_failure error;
        const char *instance;
} dosvc_history_info;

/* What a callback gets is valid during the callback only. A callback that returns non-zero ends the walk; that value is returned. */
typedef int (*dosvc_job_fn)(const dosvc_job_info *job, void *userdata);
typedef int (*dosvc_file_fn)(const dosvc_file_info *file, void *userdata);
typedef int (*dosvc_history_fn)(const dosvc_history_info *entry, void *userdata);

int32_t dosvc_get_job(dosvc *connection, const char *id, dosvc_job_fn fn, void *userdata); /* calls it once */
/* Live jobs of the caller in the order of creation; family NULL: all; "do", "bits": jobs of that family; "download". */
int32_t dosvc_list_jobs(dosvc *connection, const char *family, dosvc_job_fn fn, void *userdata);
/* Everybody's, for administrators: the service may have a person asked for a password first. */
int32_t dosvc_list_all_jobs(dosvc *connection, const char *family, dosvc_job_fn fn, void *userdata);
int32_t dosvc_list_files(dosvc *connection, const char *id, dosvc_file_fn fn, void *userdata);
int32_t dosvc_list_history(dosvc *connection, size_t max_entries, dosvc_history_fn fn, void *userdata);

typedef struct dosvc_service_info {
        size_t size;
        const char *version;
        const char *state_directory;
        const char *sandbox;
        const char *address;
        uint32_t pid;
        uint32_t transfer_pid;
        uint64_t jobs;
        uint64_t jobs_active;
        uint64_t started;
        uint64_t memory_bytes;
        uint64_t backup_time;   /* of the newest copy of the state; 0: there is none */
        uint64_t restored_from; /* this run found the state damaged and took the copy of then; 0: it did not */
        const char *network;    /* how far it reaches: "none", "portal", "local", "full"; "": unknown */
        uint32_t network_cost;  /* bits of BITS_COST_STATE */
        uint32_t battery;       /* percent; UINT32_MAX: mains power, or unknown */
} dosvc_service_info;
typedef int (*dosvc_service_fn)(const dosvc_service_info *info, void *userdata);
int32_t dosvc_get_service(dosvc *connection, dosvc_service_fn fn, void *userdata);

typedef struct dosvc_config_info {
        size_t size;
        const char *key;
        const char *value;
        const char *source; /* "default", or FILE:LINE that said it */
        const char *unit;
        const char *text;
        const char *type;   /* "uint" "seconds" "bytes" "bool" "path" "hosts" "users" "hours" "words" */
        uint64_t min;       /* of the last five: its length in bytes */
        uint64_t max;
        const char *initial; /* the value without a file */
        int needs_restart;   /* 1: a reload of the configuration does not change it */
} dosvc_config_info;
typedef int (*dosvc_config_fn)(const dosvc_config_info *entry, void *userdata);
int32_t dosvc_list_config(dosvc *connection, dosvc_config_fn fn, void *userdata);
/* For administrators, and for the user of a user instance: the service reads its configuration again. 0: the new values are in force, *ret_changed
 * (which may be NULL) of them other ones than before. 0x8007000D: something in it is wrong, the text says file and line, nothing changed. */
int32_t dosvc_reload_config(dosvc *connection, uint32_t *ret_changed);

/* ---- watching ---- */

/* Calls @fn in the CALLING thread: once at once, then at every change of the job (progress at most about ten times a second), until the
 * job reaches a final state (the last call shows it), @fn returns non-zero (returned), or @timeout_msec pass without a change (-1: no
 * limit; the function then returns 1, S_FALSE). id NULL: every change of every job; at once means each live job. Goes on by itself when
 * the service is started again. dosvc_interrupt() makes it return at once with E_ABORT (0x80004004). */
int32_t dosvc_watch(dosvc *connection, const char *id, int timeout_msec, dosvc_job_fn fn, void *userdata);
/* Async-signal-safe. Acts on a watch that is running or that starts next. */
void dosvc_interrupt(dosvc *connection);

#ifdef __cplusplus
}
#endif
#endif

/* What is kept of a job, a file and a history entry: one table each, and the only place that says so. Copying, judging, binding
 * and reading walk these tables, so that the backends cannot forget a field or differ in what they take for sense.
 *
 * A record is the same struct as the live thing, but only its stored members are filled in, and it owns its strings. It has no
 * files and no attachment, and is freed with record_*_free().
 *
 * To keep a new field: one row here, one column in a new migration (sqlite_schema.c). Internal to src/store. */
#pragma once

#include "job/job.h"
#include "protocol/certificates.h"

enum field_kind {
        FIELD_U64,           /* UINT64_MAX ("unknown", "never", "to the end") is NULL */
        FIELD_BITS,          /* any 64 bits: inode and device numbers */
        FIELD_U32,           /* enums too */
        FIELD_BOOL,
        FIELD_TEXT,          /* char *, UTF-8 */
        FIELD_TEXT_OR_NULL,  /* char *, UTF-8; NULL is kept as "" */
        FIELD_URL,           /* char *, no control characters */
        FIELD_PATH,          /* char *, absolute or empty, any bytes: a blob */
        FIELD_BYTES_OR_NULL, /* char * or NULL, any bytes: a blob */
        FIELD_SECRET,        /* struct secret: a sealed blob (store/sealer.h) */
        FIELD_CHARS,         /* char[], NUL-terminated */
        FIELD_BLOB,          /* uint8_t[]; all zero is NULL */
        FIELD_ERROR_CODE,    /* by name: numbers move when errors are added */
};

struct field {
        const char *name; /* the column */
        enum field_kind kind;
        size_t offset;
        uint64_t max; /* greatest number, longest string in bytes, or size of the array */
};

struct field_table {
        const struct field *fields;
        size_t n_fields;
};
extern const struct field_table job_fields;
extern const struct field_table file_fields;
extern const struct field_table history_fields;

#define STORE_NAME_BYTES (4 * LIMIT_DISPLAY_NAME)      /* a code point has at most four bytes */
#define STORE_DESCRIPTION_BYTES (4 * LIMIT_DESCRIPTION)
#define STORE_NOTIFY_PARAMETERS_BYTES (4 * LIMIT_NOTIFY_PARAMETERS)
#define STORE_HISTORY_URL_BYTES (2 * LIMIT_URL)        /* redacting may make it longer */

/* X(column, kind, member, max). The order is the order of the bound parameters and of the columns in a SELECT. */
#define JOB_FIELDS(X)                                                            \
        X(owner, U32, owner, UINT32_MAX - 1)                                     \
        X(family, U32, family, _JOB_FAMILY_MAX - 1)                              \
        X(kind, U32, kind, _JOB_KIND_MAX - 1)                                    \
        X(type, U32, type, JOB_TYPE_DOWNLOAD)                                    \
        X(is_volatile, BOOL, is_volatile, 1)                                     \
        X(name, TEXT, name, STORE_NAME_BYTES)                                    \
        X(description, TEXT_OR_NULL, description, STORE_DESCRIPTION_BYTES)       \
        X(state, U32, state, _JOB_STATE_MAX - 1)                                 \
        X(intent, U32, intent, JOB_INTENT_TAKE)                                  \
        X(priority, U32, priority, _JOB_PRIORITY_MAX - 1)                        \
        X(notify_flags, U32, notify_flags, JOB_NOTIFY_ALL)                       \
        X(notify_due, U32, notify_due, JOB_NOTIFY_ALL)                           \
        X(notify_command, BYTES_OR_NULL, notify_command, LIMIT_PATH)             \
        X(notify_parameters, BYTES_OR_NULL, notify_parameters, STORE_NOTIFY_PARAMETERS_BYTES) \
        X(minimum_retry_delay_s, U32, minimum_retry_delay_s, UINT32_MAX)         \
        X(no_progress_timeout_s, U32, no_progress_timeout_s, UINT32_MAX)         \
        X(max_download_time_s, U32, max_download_time_s, UINT32_MAX)             \
        X(life_time_usec, U64, life_time_usec, INT64_MAX)                        \
        X(complete_when_transferred, BOOL, complete_when_transferred, 1)         \
        X(replace_existing, BOOL, replace, 1)                                    \
        X(remote_time, BOOL, remote_time, 1)                                     \
        X(custom_headers, SECRET, custom_headers, LIMIT_CUSTOM_HEADERS)          \
        X(custom_headers_write_only, BOOL, custom_headers_write_only, 1)         \
        X(auth_headers, SECRET, auth_headers, LIMIT_CUSTOM_HEADERS)              \
        X(server_basic, SECRET, credentials[JOB_AUTH_SERVER][JOB_AUTH_BASIC], LIMIT_CREDENTIALS)   \
        X(server_digest, SECRET, credentials[JOB_AUTH_SERVER][JOB_AUTH_DIGEST], LIMIT_CREDENTIALS) \
        X(proxy_basic, SECRET, credentials[JOB_AUTH_PROXY][JOB_AUTH_BASIC], LIMIT_CREDENTIALS)     \
        X(proxy_digest, SECRET, credentials[JOB_AUTH_PROXY][JOB_AUTH_DIGEST], LIMIT_CREDENTIALS)   \
        X(judge_certificate, BOOL, judge_certificate, 1)                         \
        X(client_certificate, BYTES_OR_NULL, client_certificate, CERTIFICATE_TEXT_MAX) \
        X(http_method, BYTES_OR_NULL, http_method, LIMIT_HTTP_METHOD)            \
        X(security_flags, U32, security_flags, UINT32_MAX)                       \
        X(proxy_usage, U32, proxy_usage, JOB_PROXY_OVERRIDE)                     \
        X(proxy_list, SECRET, proxy_list, LIMIT_PROXY_LIST)                      \
        X(proxy_bypass, BYTES_OR_NULL, proxy_bypass, LIMIT_PROXY_LIST)           \
        X(proxy_environment, SECRET, proxy_environment, LIMIT_PROXY_ENVIRONMENT) \
        X(max_download_size, U64, max_download_size, LIMIT_FILE_SIZE)            \
        X(max_rate, U64, max_rate, INT64_MAX)                                    \
        X(high_performance, BOOL, high_performance, 1)                           \
        X(dynamic_content, BOOL, dynamic_content, 1)                             \
        X(on_demand, BOOL, on_demand, 1)                                         \
        X(resumed, BOOL, resumed, 1)                                             \
        X(restored, BOOL, restored, 1)                                           \
        X(cost_flags, U32, cost_flags, UINT32_MAX)                               \
        X(no_cellular, BOOL, no_cellular, 1)                                     \
        X(notification_interval_ms, U32, notification_interval_ms, UINT32_MAX)   \
        X(created_usec, U64, created_usec, INT64_MAX)                            \
        X(modified_usec, U64, modified_usec, INT64_MAX)                          \
        X(transferred_usec, U64, transferred_usec, INT64_MAX)                    \
        X(state_since_usec, U64, state_since_usec, INT64_MAX)                    \
        X(error_code, ERROR_CODE, error.code, 0)                                 \
        X(error_context, U32, error.context, _ERROR_CONTEXT_MAX - 1)             \
        X(error_detail, U32, error.detail, UINT32_MAX)                           \
        X(error_file, U32, error.file_index, UINT32_MAX)                         \
        X(error_text, TEXT_OR_NULL, error.text, JOB_ERROR_TEXT_MAX)              \
        X(error_count, U64, error_count, INT64_MAX)                              \
        X(waiting, U32, waiting, _WAITING_REASON_MAX - 1)                        \
        X(waiting_since_usec, U64, waiting_since_usec, INT64_MAX)                \
        X(bytes_fetched, U64, bytes_fetched, INT64_MAX)                          \
        X(bytes_from_cache, U64, bytes_from_cache, INT64_MAX)                    \
        X(bytes_from_mirrors, U64, bytes_from_mirrors, INT64_MAX)                \
        X(attempts, U32, pace.attempts, UINT32_MAX)                              \
        X(moved_usec, U64, pace.moved_usec, INT64_MAX)                           \
        X(lying_hosts, BYTES_OR_NULL, lying_hosts, LIMIT_LYING_HOSTS)

#define FILE_FIELDS(X)                                                           \
        X(state, U32, state, FILE_DISCARDED)                                     \
        X(url, URL, url, LIMIT_URL)                                              \
        X(path, PATH, path, LIMIT_PATH)                                          \
        X(file_id, BYTES_OR_NULL, file_id, LIMIT_FILE_ID)                        \
        X(mirrors, BYTES_OR_NULL, mirrors, LIMIT_MIRRORS_TEXT)                   \
        X(stated_size, U64, stated_size, INT64_MAX)                              \
        X(has_sha256, BOOL, has_sha256, 1)                                       \
        X(sha256, BLOB, sha256, 32)                                              \
        X(mode, U32, mode, 0777)                                                 \
        X(integrity_info, BYTES_OR_NULL, integrity_info, LIMIT_INTEGRITY_INFO)   \
        X(integrity_mandatory, BOOL, integrity_mandatory, 1)                     \
        X(decryption_info, SECRET, decryption_info, LIMIT_DECRYPTION_INFO)        \
        X(integrity, U32, integrity, _FILE_INTEGRITY_MAX - 1)                    \
        X(remote_size, U64, remote_size, INT64_MAX)                              \
        X(size, U64, size, INT64_MAX)                                            \
        X(origin, BYTES_OR_NULL, validators.origin, LIMIT_ORIGIN)                \
        X(etag, BYTES_OR_NULL, validators.etag, LIMIT_VALIDATOR)                 \
        X(last_modified, BYTES_OR_NULL, validators.last_modified, LIMIT_VALIDATOR) \
        X(encoding, BYTES_OR_NULL, validators.encoding, LIMIT_VALIDATOR)         \
        X(offered_mirrors, BYTES_OR_NULL, offers.mirrors, LIMIT_OFFERED_MIRRORS_TEXT) \
        X(offered_preferred, U32, offers.n_preferred, LIMIT_MIRRORS)             \
        X(offered_from_public, BOOL, offers.from_public, 1)                      \
        X(offered_has_sha256, BOOL, offers.has_sha256, 1)                        \
        X(offered_secure, BOOL, offers.secure, 1)                                \
        X(offered_sha256, BLOB, offers.sha256, 32)                               \
        X(remote_time_usec, U64, remote_time_usec, INT64_MAX)                    \
        X(length_unverified, BOOL, length_unverified, 1)                         \
        X(validation, U32, validation, FILE_VALIDATION_BAD)                      \
        X(notify_due, BOOL, notify_due, 1)                                       \
        X(temp_name, CHARS, temp_name, TEMP_NAME_MAX)                            \
        X(spare_name, CHARS, spare_name, TEMP_NAME_MAX)                          \
        X(temp_ino, BITS, temp.ino, 0)                                           \
        X(temp_dev, BITS, temp.dev, 0)                                           \
        X(temp_btime_usec, U64, temp.btime_usec, INT64_MAX)                      \
        X(temp_boot_id, BLOB, temp.boot_id, 16)                                  \
        X(directory_ino, BITS, directory.ino, 0)                                 \
        X(directory_dev, BITS, directory.dev, 0)                                 \
        X(directory_btime_usec, U64, directory.btime_usec, INT64_MAX)            \
        X(directory_boot_id, BLOB, directory.boot_id, 16)                        \
        X(giving_hosts, BYTES_OR_NULL, giving_hosts, LIMIT_GIVING_HOSTS)

#define HISTORY_FIELDS(X)                                                        \
        X(id, BLOB, id, 16)                                                      \
        X(owner, U32, owner, UINT32_MAX - 1)                                     \
        X(family, U32, family, _JOB_FAMILY_MAX - 1)                              \
        X(state, U32, state, _JOB_STATE_MAX - 1)                                 \
        X(name, TEXT, name, STORE_NAME_BYTES)                                    \
        X(url, BYTES_OR_NULL, url, STORE_HISTORY_URL_BYTES)                      \
        X(path, BYTES_OR_NULL, path, LIMIT_PATH)                                 \
        X(n_files, U64, n_files, INT64_MAX)                                      \
        X(n_files_transferred, U64, n_files_transferred, INT64_MAX)              \
        X(bytes_transferred, U64, bytes_transferred, INT64_MAX)                  \
        X(bytes_total, U64, bytes_total, INT64_MAX)                              \
        X(bytes_from_origin, U64, bytes_from_origin, INT64_MAX)                  \
        X(created_usec, U64, created_usec, INT64_MAX)                            \
        X(transferred_usec, U64, transferred_usec, INT64_MAX)                    \
        X(finished_usec, U64, finished_usec, INT64_MAX)                          \
        X(error_code, ERROR_CODE, error.code, 0)                                 \
        X(error_context, U32, error.context, _ERROR_CONTEXT_MAX - 1)             \
        X(error_detail, U32, error.detail, UINT32_MAX)                           \
        X(error_file, U32, error.file_index, UINT32_MAX)                         \
        X(error_text, TEXT_OR_NULL, error.text, JOB_ERROR_TEXT_MAX)

/* 0, or -EINVAL for a value that no reader would accept: asked before writing and after reading, so both sides agree. */
int record_job_check(const struct job *record);
int record_file_check(const struct job_file *record);
int record_history_check(const struct history_entry *record);

/* Deep copies of what is stored. -EINVAL as above, -ENOMEM. */
int record_job_new(const struct job *job, struct job **ret);
int record_job_copy(const struct job *record, struct job **ret); /* of a record, which has no files to count */
/* Without its chunks: those go by store_batch_add_chunks(). */
int record_file_new(const struct job_file *file, struct job_file **ret);
int record_history_new(const struct history_entry *entry, struct history_entry **ret);

/* Drops the hashes of what its ranges do not claim, and all of them when nothing is missing. */
void record_file_keep_chunks(struct job_file *record);

/* They come from a backup. A job may have ended since; a temp file that was being filled may have begun anew with other content under the
 * same inode, so only hashes tell. One that was complete is written again only after its owner called it bad. */
void record_mark_restored(struct job *record);
void record_file_mark_restored(struct job_file *record);

struct job *record_job_free(struct job *record);
struct job_file *record_file_free(struct job_file *record);
struct history_entry *record_history_free(struct history_entry *record);
DEFINE_CLEANUP_FUNC(struct job, record_job_free)
DEFINE_CLEANUP_FUNC(struct job_file, record_file_free)
DEFINE_CLEANUP_FUNC(struct history_entry, record_history_free)

/* A live job without files. Takes the record's strings; the record stays to be freed. */
int record_job_revive(struct job *record, struct job **ret);
/* Gives @job its next file; -EUCLEAN when the record is not the next one. Takes the record's strings and ranges. */
int record_file_revive(struct job_file *record, struct job *job);
/* Sums up and judges what only shows when all files are there. -EUCLEAN. */
int record_job_finish(struct job *job);

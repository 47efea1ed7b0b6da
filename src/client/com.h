/* The COM face: objects over wire.h, one small file for each kind. Only here and in <dosvc.h>'s functions do
 * HRESULTs exist.
 *
 * Every object: its interface(s) first, a reference count, a reference to the library's one COM connection.
 * Objects keep no state of the job that they stand for: each getter asks the service (or, for a job that ended
 * long ago, its history). */
#pragma once

#include <pthread.h>
#include <stdatomic.h>

/* Before the public headers, whose Win32 codes have names in common with ours. In this folder those names mean
 * ours. */
#include "protocol/errors.h"

#include "bits.h"
#include "deliveryoptimization.h"
#undef ERROR_ACCESS_DENIED
#undef ERROR_FILE_EXISTS
#undef ERROR_FILE_NOT_FOUND
#undef ERROR_FILE_TOO_LARGE
#undef ERROR_INVALID_NAME
#undef ERROR_NOT_FOUND
#undef ERROR_TOO_MANY_OPEN_FILES

#include "base/guid.h"
#include "client/record.h"
#include "client/rim.h"
#include "client/wire.h"

/* Win32 codes that the public headers do not name. */
#define COM_ERROR_NO_UNICODE_TRANSLATION 1113
/* A count beyond this cannot be the length of the caller's array. */
#define COM_FILES_MAX 1000000
#define COM_RANGES_MAX 10000

/* ---- com_runtime.c ---- */

/* The connection that all COM objects share; each holds it once. 0 or -errno. */
int com_connection_get(struct dosvc **ret);
struct dosvc *com_connection_ref(struct dosvc *c);
void com_connection_put(struct dosvc *c);

/* ---- com_util.c ---- */

struct com_interface {
        const IID *iid;
        size_t offset; /* of the interface in the object */
};
/* QueryInterface over a table; IUnknown is its first row's interface. @add_ref is called on success. */
HRESULT com_query(void *object, const struct com_interface *table, size_t n, REFIID riid, void **ppv,
                  ULONG (*add_ref)(void *object));

/* The caller frees *ret. E_INVALIDARG: NULL or no code points; @too_long: more than @max of them. */
HRESULT com_string_in(LPCWSTR s, size_t max, HRESULT too_long, char **ret);
/* The same for a URL and for an absolute path. */
HRESULT com_url_in(LPCWSTR s, char **ret);
HRESULT com_path_in(LPCWSTR s, char **ret);
/* E_INVALIDARG: nowhere to put it. */
HRESULT com_string_out(const char *s, LPWSTR *ret);
/* The same; NULL for "". */
HRESULT com_optional_string_out(const char *s, LPWSTR *ret);
HRESULT com_hresult_from_errno(int r);
/* The result of a call that changes a job, or what belongs to it. One that the service knows only from its history is in a final state. */
HRESULT com_result(struct dosvc *c, enum job_family family, const char *hex, int code);
void com_guid_from(const struct guid *from, GUID *to);
void com_guid_to(const GUID *from, struct guid *to);
FILETIME com_filetime(uint64_t usec);
ULONG com_ulong(uint64_t value); /* sticks at the largest */
/* A sentence for any code, as a new string. NULL: no memory. */
char *com_describe(HRESULT hr, enum job_family family);

/* ---- the objects; each _new hands out one reference ---- */

HRESULT com_manager_new(struct dosvc *c, enum job_family family, IBackgroundCopyManager **ret);
HRESULT com_job_new(struct dosvc *c, enum job_family family, const char *hex, IBackgroundCopyJob **ret);
/* @record is done with afterwards, whatever happens. */
HRESULT com_file_new(struct dosvc *c, enum job_family family, const char *hex, struct file_record *record,
                     IBackgroundCopyFile **ret);
/* Its names stay what they were when it was made, whatever becomes of the file. Before anybody else has it. */
void com_file_keep_names(IBackgroundCopyFile *file);
/* Out of the job's own error. */
HRESULT com_error_new(struct dosvc *c, const char *hex, const struct job_record *record, IBackgroundCopyError **ret);

/* Takes over the references in @items and the array, whatever happens. */
HRESULT com_enum_jobs_new(IUnknown **items, size_t n, IEnumBackgroundCopyJobs **ret);
HRESULT com_enum_files_new(IUnknown **items, size_t n, IEnumBackgroundCopyFiles **ret);
HRESULT com_enum_unknown_new(IUnknown **items, size_t n, IEnumUnknown **ret);
void com_release_all(IUnknown **items, size_t n);

/* ---- com_callback.c ---- */

extern const struct connection_hooks com_callback_hooks;

/* @unknown NULL: no more. S_OK or why not. */
HRESULT com_callback_set(struct dosvc *c, enum job_family family, const char *hex, IUnknown *unknown);
/* A new reference, or NULL. */
IUnknown *com_callback_get(const char *hex);
/* The job ended: nobody needs its callback any more. */
void com_callback_forget(const char *hex);
/* Ends the callback thread; after the return no callback runs, unless it is the caller. */
void com_callback_stop(void);

/* The thread runs from now on. 0 or -errno. */
int com_callback_start(void);
/* Some download may have news: com_download_turn() on the callback thread. */
void com_callback_wake(void);
bool com_callback_is_current(void);

/* ---- com_download_status.c, for com_callback.c alone ---- */

/* On the reading thread, under the connection's lock: signals; and a connection came or went. */
int com_download_on_message(sd_bus_message *m, void *userdata, sd_bus_error *reterr);
void com_download_on_connection(void);
/* Tells what is due. Return: when it wants to be called again, CLOCK_MONOTONIC microseconds. */
uint64_t com_download_turn(void);
void com_download_stop(void);
void com_download_before_fork(void);
void com_download_after_fork(bool child);

/* ---- com_judge.c: programs that judge servers' certificates ---- */

struct judge_question {
        char hex[WIRE_ID_HEX + 1];
        uint32_t file;
        const void *bytes, *all; /* the server's own certificate, DER; PKCS #7 with all that it sent */
        size_t n_bytes, n_all;
};
/* @unknown NULL: no more. S_OK or why not. */
HRESULT com_judge_set(struct dosvc *c, enum job_family family, const char *hex, IUnknown *unknown);
void com_judge_forget(const char *hex);
/* For com_callback.c alone. false: the program was not asked. */
bool com_judge_ask(const struct judge_question *question, HRESULT *ret);
bool com_judge_is_needed(void);
/* Registers all again. true: all that can be are. */
bool com_judge_renew(void);
void com_judge_stop(void);
void com_judge_before_fork(void);
void com_judge_after_fork(bool child);

/* ---- com_stream.c: programs that take a file's bytes ---- */

/* @unknown, an IStream, gets them from now on. */
HRESULT com_stream_set(struct dosvc *c, enum job_family family, const char *hex, uint32_t index, IUnknown *unknown);
/* A new reference, or NULL. */
IUnknown *com_stream_get(const char *hex, uint32_t index);
/* After the return nothing is written any more, unless the caller is. */
void com_stream_stop(void);
void com_stream_before_fork(void);
void com_stream_after_fork(bool child);

/* fork(2) with other threads about. */
void com_callback_before_fork(void);
void com_callback_after_fork(bool child);

/* Domain errors: positive, stored in the database by name, never renumbered by position. The table behind is made from
 * idl/errors.txt; HRESULTs are for client/, D-Bus names for bus/ and client/. */
#pragma once

#include "base/macros.h"
#include "protocol/states.h"

enum error_code {
        ERROR_NONE = 0,
#define ERROR_ROW(code, hresult_do, hresult_bits, dbus, text) ERROR_##code,
#include "protocol/error-table.inc"
#undef ERROR_ROW
        _ERROR_CODE_MAX,
};

#define ERROR_DBUS_PREFIX "org.dosvc.Error."

const char *error_code_name(enum error_code code);      /* "NO_SPACE"; "NONE" for 0; NULL out of range */
const char *error_code_dbus_name(enum error_code code); /* "org.dosvc.Error.NoSpace" */
const char *error_code_text(enum error_code code);      /* a sentence for a person */
/* @detail: the HTTP status for HTTP_STATUS, the program's own code for SINK_FAILED and CERTIFICATE_DECLINED, else ignored. 0 (S_OK) for ERROR_NONE. */
uint32_t error_code_hresult(enum error_code code, enum job_family family, uint32_t detail);
int error_code_from_name(const char *name);             /* -EINVAL */
int error_code_from_dbus_name(const char *name);        /* with or without the prefix; -EINVAL */

/* What a local system call's errno means for a job (files layer's results): one table, used by manager. */
enum error_code error_code_from_errno(int error);

/* What went wrong with a job: its one error object (BITS: GetError). Plain data; the text belongs to whoever holds the struct. */
#define JOB_ERROR_NO_FILE UINT32_MAX
#define JOB_ERROR_TEXT_MAX 255 /* bytes: a sentence or two */
struct job_error {
        enum error_code code;      /* ERROR_NONE: there is none */
        enum error_context context;
        uint32_t detail;           /* HTTP status, errno or TLS code: for the text, and what error_code_hresult() says */
        uint32_t file_index;       /* or JOB_ERROR_NO_FILE */
        char *text;                /* what the layer below said, printable; NULL: nothing */
};

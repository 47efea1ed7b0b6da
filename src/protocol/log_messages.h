/* The kinds of log lines that programs may wait for and people may look up: MESSAGE_ID in the journal, with a page each in
 * packaging/dosvc.catalog. A number is never given to another kind. */
#pragma once

#define LOG_MESSAGE_JOB_TRANSFERRED "27ab62c25a6a47ff915b7a90021cb24d"
#define LOG_MESSAGE_JOB_ERROR "2f962bba5edc4baea31299e9d2ff12e8"
#define LOG_MESSAGE_STATE_MOVED_ASIDE "83e101060baf4aca834d937e5f8ba059"
#define LOG_MESSAGE_TRANSFER_DIED "d7fe3492224e4b8f9ceec4aadb974c74"
#define LOG_MESSAGE_OTHER_VERSION "76076a54434142cc8fe9173fda2a4b1a"

/* Their fields. */
#define LOG_FIELD_JOB "DOSVC_JOB"          /* its id */
#define LOG_FIELD_JOB_NAME "DOSVC_JOB_NAME"
#define LOG_FIELD_OWNER "DOSVC_OWNER"      /* uid */
#define LOG_FIELD_ERROR "DOSVC_ERROR"      /* D-Bus name without the prefix */
#define LOG_FIELD_STATE "DOSVC_JOB_STATE"
#define LOG_FIELD_DIRECTORY "DOSVC_STATE_DIRECTORY"

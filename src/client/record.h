/* What the service tells of jobs, files and finished jobs, read from its dictionaries into the plain structures of
 * <dosvc.h>. A record owns the strings that its structure points to. Unknown keys and unexpected types are passed
 * over: an older library works with a newer service. */
#pragma once

#include <systemd/sd-bus.h>

#include "base/macros.h"
#include "client/public.h"
#include "protocol/errors.h"

struct record_strings {
        char **items;
        size_t n;
};

struct job_record {
        dosvc_job_info info;
        enum job_family family;
        enum job_kind kind;
        enum job_state state;
        enum job_priority priority;
        enum error_context error_context;
        uint32_t error_file; /* index, or JOB_ERROR_NO_FILE */
        struct job_record_more {
                int started; /* resumed or started at least once */
                const char *custom_headers; /* "": none, or not to be read */
                int custom_headers_write_only;
                const char *notify_command, *notify_parameters; /* "": none */
                uint32_t credentials; /* which there are, as Job1.Credentials */
                const char *client_certificate; /* protocol/certificates.h; "": none */
                const char *http_method;
                uint32_t security_flags;
                uint32_t proxy_usage;
                const char *proxy_list, *proxy_bypass; /* "": none */
                uint64_t max_download_size;
                uint64_t transferring_usec;
                uint32_t maximum_download_time;
                int high_performance, dynamic_content, on_demand;
                uint32_t cost_flags;
                int no_cellular;
                uint32_t notification_interval_ms;
        } more; /* what <dosvc.h> does not tell */
        struct record_strings strings;
};

struct record_range {
        uint64_t offset;
        uint64_t length;
};

struct file_record {
        dosvc_file_info info;
        const char *file_id; /* "": none */
        const char *validation; /* "", "good", "bad" */
        uint8_t sha256[32]; /* if has_sha256; info.sha256 is set by file_record_info(), as records move in memory */
        bool has_sha256;
        uint32_t http_status;         /* of the last answer; 0 and "": none yet */
        const char *redirected_url, *server_address;
        const char *response_headers; /* not in lists */
        struct record_ranges {
                struct record_range *items;
                size_t n;
        } ranges, filled;
        struct record_strings strings;
};

struct history_record {
        dosvc_history_info info;
        struct record_strings strings;
};

struct service_record {
        dosvc_service_info info;
        struct record_strings strings;
};

/* Each reads one a{sv} at the message's position. 0 or -errno; on failure the record is empty. */
int job_record_read(struct job_record *record, sd_bus_message *m, bool is_system);
int file_record_read(struct file_record *record, sd_bus_message *m);
int history_record_read(struct history_record *record, sd_bus_message *m, bool is_system);
int service_record_read(struct service_record *record, sd_bus_message *m);

/* The record's structure, complete as long as the record stays where it is. */
const dosvc_file_info *file_record_info(struct file_record *record);

/* At an a(tt). The caller frees ret->items, also after a failure. */
int record_ranges_read(struct record_ranges *ret, sd_bus_message *m);

void job_record_done(struct job_record *record);
void file_record_done(struct file_record *record);
void history_record_done(struct history_record *record);
void service_record_done(struct service_record *record);

/* A job as it was when it ended, out of its line in the history, which is empty afterwards. */
void job_record_from_history(struct job_record *ret, struct history_record *record);

/* The service's methods as C functions: what travels, nothing of what it means to a caller. Ids are 32 hex digits
 * (`hex`). All return 0 or a positive enum error_code, details in failure.h. */
#pragma once

#include "base/guid.h"
#include "client/connection.h"
#include "client/record.h"

/* ---- finding ---- */

/* The hex digits of a whole id (either form) or of the one job that a prefix stands for. @family: "", "do",
 * "bits". With a family even a whole id is looked for, else it is taken as it is. */
int wire_find_job(struct dosvc *c, const char *id, const char *family, char ret_hex[static WIRE_ID_HEX + 1]);
int wire_get_job(struct dosvc *c, const char *hex, unsigned flags, struct job_record *ret);
/* The same, or what the history has of it. */
int wire_get_job_or_history(struct dosvc *c, const char *hex, unsigned flags, struct job_record *ret);
int wire_get_file(struct dosvc *c, const char *hex, uint32_t index, struct file_record *ret);

struct job_page {
        struct job_record *records;
        size_t n;
        char *next; /* cursor; "" at the end */
};
struct file_page {
        struct file_record *records;
        size_t n;
        uint32_t next; /* 0: this was the last one */
};
struct history_page {
        struct history_record *records;
        size_t n;
        char *next;
};
/* @cursor NULL or "": from the beginning. The caller empties each page with its _done(). */
int wire_list_jobs(struct dosvc *c, const char *family, const char *cursor, uint32_t limit, unsigned flags,
                   struct job_page *ret);
/* Everybody's; for administrators. */
int wire_list_all_jobs(struct dosvc *c, const char *family, const char *cursor, uint32_t limit, struct job_page *ret);
int wire_list_files(struct dosvc *c, const char *hex, uint32_t first, uint32_t limit, struct file_page *ret);
int wire_list_history(struct dosvc *c, const char *cursor, uint32_t limit, unsigned flags, struct history_page *ret);
void job_page_done(struct job_page *page);
void file_page_done(struct file_page *page);
void history_page_done(struct history_page *page);

int wire_get_service(struct dosvc *c, struct service_record *ret);

/* ---- changing ---- */

int wire_suspend(struct dosvc *c, const char *hex);
int wire_resume(struct dosvc *c, const char *hex);
/* Resume of a download. */
int wire_start(struct dosvc *c, const char *hex, const struct record_range *ranges, size_t n_ranges);
/* *ret: something was left (cancel) or not complete (complete). */
int wire_cancel(struct dosvc *c, const char *hex, bool *ret_left);
int wire_complete(struct dosvc *c, const char *hex, bool *ret_partial);
int wire_set_notify(struct dosvc *c, const char *hex, bool on);
int wire_set_judge(struct dosvc *c, const char *hex, bool on);
/* @hex "": all jobs. *ret_generation: of the connection on which it was done. */
int wire_subscribe(struct dosvc *c, const char *hex, unsigned flags, uint64_t *ret_generation);
int wire_set_url(struct dosvc *c, const char *hex, uint32_t index, const char *url);
int wire_take_ownership(struct dosvc *c, const char *hex);
int wire_request_ranges(struct dosvc *c, const char *hex, uint32_t index, const struct record_range *ranges, size_t n);
int wire_set_position(struct dosvc *c, const char *hex, uint32_t index, uint64_t offset);
int wire_set_validation(struct dosvc *c, const char *hex, uint32_t index, bool good);
int wire_replace_url_prefix(struct dosvc *c, const char *hex, const char *old_prefix, const char *new_prefix,
                            uint32_t *ret_changed);

struct wire_property {
        const char *name;
        char type; /* 's', 'u', 't' or 'b' */
        union {
                const char *s;
                uint32_t u;
                uint64_t t;
                bool b;
        };
};
/* All or none. */
int wire_set_properties(struct dosvc *c, const char *hex, const struct wire_property *properties, size_t n);
int wire_set_file_property(struct dosvc *c, const char *hex, uint32_t index, const struct wire_property *property);
int wire_set_property(struct dosvc *c, const char *hex, const struct wire_property *property);

/* ---- making ---- */

struct wire_file {
        const char *url;
        const char *path;
        bool path_comes_later; /* it is "", and comes by wire_set_path() */
        const char *file_id;   /* NULL: none */
        const char *mirrors;   /* URLs, one a line, or NULL */
        const uint8_t *sha256; /* 32 bytes or NULL */
        uint64_t size;         /* UINT64_MAX: not stated */
        const char *integrity_info;  /* NULL: none */
        const char *decryption_info; /* NULL: none */
        bool integrity_mandatory;
        const struct record_range *ranges;
        size_t n_ranges;
};

struct wire_job {
        const char *name;
        const struct wire_property *options;
        size_t n_options;
        bool attach, resume;
};

/* Jobs that do not fit into one message are filled in steps; see <dosvc.h>. ret_attached may be NULL. */
int wire_create_job(struct dosvc *c, const struct wire_job *job, const struct wire_file *files, size_t n_files,
                    char ret_hex[static WIRE_ID_HEX + 1], bool *ret_attached);
/* Files whose bytes this connection takes as they come; see idl/org.dosvc.xml. None of these starts a service. */
int wire_set_stream(struct dosvc *c, const char *hex, uint32_t index);
int wire_open_stream(struct dosvc *c, const char *hex, uint32_t index, int *ret_fd);
int wire_take_stream(struct dosvc *c, const char *hex, uint32_t index, uint64_t taken, bool wait, uint64_t *ret_available);
int wire_fail_stream(struct dosvc *c, const char *hex, uint32_t index, uint32_t hresult);
/* The destination of a file that has none yet. */
int wire_set_path(struct dosvc *c, const char *hex, uint32_t index, const char *to);
/* ret_first: the index of the first new one; may be NULL. */
int wire_add_files(struct dosvc *c, const char *hex, const struct wire_file *files, size_t n_files, uint32_t *ret_first);

/* Object paths, for those that call by themselves. */
#define WIRE_PATH_MAX 96
void wire_job_path(const char *hex, char ret[static WIRE_PATH_MAX]);
void wire_file_path(const char *hex, uint32_t index, char ret[static WIRE_PATH_MAX]);
/* An a(tt). 0 or -errno. */
int wire_append_ranges(sd_bus_message *m, const struct record_range *ranges, size_t n);
/* For dictionaries of options. 0 or -errno. */
int wire_append_property(sd_bus_message *m, const struct wire_property *property);

/* Reads what clients write: option dictionaries and lists of files. Everything is judged by form here (types,
 * words, sizes); what it means is the manager's business.
 *
 * Outcomes are 0, an error code (and then @text says which option or file), or -errno. What comes out points into
 * the message. */
#pragma once

#include <systemd/sd-bus.h>

#include "manager/manager.h"

/* More is refused while it is read: what is far too much takes no longer than what is just too much. */
struct options_limits {
        size_t files; /* that there is room for in the job */
        size_t ranges; /* of each file */
};

struct options_text {
        char text[256];
};

struct create_options {
        const char *description;
        const char *proxy_environment;
        int64_t family;
        int64_t kind;
        int64_t priority;
        int64_t no_progress_timeout_s;
        int64_t minimum_retry_delay_s;
        int64_t notify_flags;
        int64_t life_time_s;
        uint64_t max_rate;
        int64_t umask;
        int complete_when_transferred;
        int replace;
        int remote_time;
        int resume;
        int attach;
        int is_volatile;
};
/* At an a{sv}. */
int options_read_create(sd_bus_message *m, struct create_options *ret, struct options_text *text);
int options_read_properties(sd_bus_message *m, struct manager_properties *ret, struct options_text *text);
int options_read_file_properties(sd_bus_message *m, struct manager_file_properties *ret, struct options_text *text);

struct file_list {
        struct manager_file_spec *items;
        size_t n_items;
        size_t n_allocated;
};
void file_list_done(struct file_list *list);
/* At an a(tt): fills in @ret->ranges, which file_spec_done() frees, also after a failure. */
int options_read_ranges(sd_bus_message *m, size_t max, struct job_file_spec *ret);
/* At "ay" and an a{sv}: a destination that comes later, freed in the same way. */
int options_read_destination(sd_bus_message *m, struct manager_file_spec *ret, struct options_text *text);
void file_spec_done(struct manager_file_spec *spec);
/* At an a(saya{sv}). @umask: 0 to 0777. */
int options_read_files(sd_bus_message *m, uint32_t umask, const struct options_limits *limits, struct file_list *ret, struct options_text *text);

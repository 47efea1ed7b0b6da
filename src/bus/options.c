#include "bus/options.h"

#include <stdio.h>

#include "base/fds.h"
#include "base/strings.h"

#define UMASK_DEFAULT 022

enum option_type {
        OPTION_STRING,   /* const char * */
        OPTION_FAMILY,   /* int64_t */
        OPTION_KIND,     /* int64_t */
        OPTION_PRIORITY, /* int64_t */
        OPTION_U32,      /* int64_t */
        OPTION_UMASK,    /* int64_t */
        OPTION_SECONDS,  /* int64_t, at least 1 */
        OPTION_BOOL,     /* int */
        OPTION_FLAG,     /* bool */
        OPTION_SIZE,     /* uint64_t */
        OPTION_SHA256,   /* const uint8_t * */
        OPTION_INODE,    /* of a descriptor: struct file_identity */
        OPTION_RANGES,   /* struct job_file_spec */
};

struct option {
        const char *name;
        enum option_type type;
        size_t offset;
};

/* What may stand in a dictionary. */
struct vocabulary {
        const struct option *options;
        size_t n;
        size_t max_ranges;
};

/* ---- one value each: 0, an error code, or -errno (-ENXIO: another type) ---- */

static int read_inode(sd_bus_message *m, struct file_identity *ret) {
        int fd, r;

        r = sd_bus_message_read_basic(m, 'h', &fd);
        return r < 0 ? r : fd_inode(fd, &ret->dev, &ret->ino);
}

static int read_word(sd_bus_message *m, int (*from_name)(const char *name), int64_t *ret) {
        const char *word;
        int value, r;

        r = sd_bus_message_read_basic(m, 's', &word);
        if (r < 0)
                return r;
        value = from_name(word);
        if (value < 0)
                return ERROR_INVALID_ARGUMENT;
        *ret = value;
        return 0;
}

static int read_u32(sd_bus_message *m, uint32_t max, int64_t *ret) {
        uint32_t value;
        int r = sd_bus_message_read_basic(m, 'u', &value);

        if (r < 0)
                return r;
        if (value > max)
                return ERROR_INVALID_ARGUMENT;
        *ret = value;
        return 0;
}

static int read_seconds(sd_bus_message *m, int64_t *ret) {
        uint64_t value;
        int r = sd_bus_message_read_basic(m, 't', &value);

        if (r < 0)
                return r;
        if (value == 0 || value > LIMIT_LIFE_TIME)
                return ERROR_INVALID_ARGUMENT;
        *ret = (int64_t) value;
        return 0;
}

static int read_flag(sd_bus_message *m, bool *ret) {
        int value, r = sd_bus_message_read_basic(m, 'b', &value);

        if (r >= 0)
                *ret = value != 0;
        return MIN(r, 0);
}

static int read_size(sd_bus_message *m, uint64_t *ret) {
        int r = sd_bus_message_read_basic(m, 't', ret);

        if (r < 0)
                return r;
        return *ret != SIZE_UNKNOWN && *ret > LIMIT_FILE_SIZE ? ERROR_TOO_LARGE : 0;
}

static int read_sha256(sd_bus_message *m, const uint8_t **ret) {
        const void *bytes;
        size_t size;
        int r = sd_bus_message_read_array(m, 'y', &bytes, &size);

        if (r < 0)
                return r;
        if (size != 32)
                return ERROR_INVALID_ARGUMENT;
        *ret = bytes;
        return 0;
}

/* sd_bus_message_read("(tt)") takes half as long again. */
static int read_range(sd_bus_message *m, struct byte_range *ret) {
        int r = sd_bus_message_enter_container(m, 'r', "tt");

        if (r <= 0)
                return r;
        r = sd_bus_message_read_basic(m, 't', &ret->offset);
        if (r >= 0)
                r = sd_bus_message_read_basic(m, 't', &ret->length);
        return r < 0 ? r : sd_bus_message_exit_container(m);
}

int options_read_ranges(sd_bus_message *m, size_t max, struct job_file_spec *ret) {
        struct byte_range *ranges = NULL, range;
        size_t n = 0, n_allocated = 0;
        int r;

        r = sd_bus_message_enter_container(m, 'a', "(tt)");
        if (r < 0)
                return r;
        while ((r = read_range(m, &range)) > 0) {
                if (n >= max)
                        return ERROR_TOO_MANY_RANGES;
                if (n == n_allocated) {
                        n_allocated = MAX(n_allocated * 2, (size_t) 8);
                        ranges = reallocarray(ranges, n_allocated, sizeof(*ranges));
                        if (!ranges)
                                return -ENOMEM; /* ret still has the old one */
                }
                ranges[n++] = range;
                ret->ranges = ranges;
                ret->n_ranges = n;
        }
        return r < 0 ? r : MIN(sd_bus_message_exit_container(m), 0);
}

static int read_value(sd_bus_message *m, const struct option *option, size_t max_ranges, void *target) {
        void *field = (char *) target + option->offset;

        switch (option->type) {
        case OPTION_STRING:
                return MIN(sd_bus_message_read_basic(m, 's', field), 0);
        case OPTION_BOOL:
                return MIN(sd_bus_message_read_basic(m, 'b', field), 0);
        case OPTION_FLAG:
                return read_flag(m, field);
        case OPTION_INODE:
                return read_inode(m, field);
        case OPTION_FAMILY:
                return read_word(m, job_family_from_name, field);
        case OPTION_KIND:
                return read_word(m, job_kind_from_name, field);
        case OPTION_PRIORITY:
                return read_word(m, job_priority_from_name, field);
        case OPTION_U32:
                return read_u32(m, UINT32_MAX, field);
        case OPTION_UMASK:
                return read_u32(m, 0777, field);
        case OPTION_SECONDS:
                return read_seconds(m, field);
        case OPTION_SIZE:
                return read_size(m, field);
        case OPTION_SHA256:
                return read_sha256(m, field);
        default:
                return options_read_ranges(m, max_ranges, field);
        }
}

/* ---- dictionaries ---- */

static const char *option_signature(enum option_type type) {
        static const char *const signatures[] = {
                [OPTION_STRING] = "s",  [OPTION_FAMILY] = "s",  [OPTION_KIND] = "s",       [OPTION_PRIORITY] = "s",
                [OPTION_U32] = "u",     [OPTION_UMASK] = "u",   [OPTION_SECONDS] = "t",    [OPTION_BOOL] = "b",
                [OPTION_SIZE] = "t",    [OPTION_FLAG] = "b",
                [OPTION_SHA256] = "ay", [OPTION_INODE] = "h",      [OPTION_RANGES] = "a(tt)",
        };

        return signatures[type];
}

static const struct option *find_option(const struct vocabulary *vocabulary, const char *name, size_t *ret_index) {
        for (size_t i = 0; i < vocabulary->n; i++)
                if (streq(vocabulary->options[i].name, name)) {
                        *ret_index = i;
                        return &vocabulary->options[i];
                }
        return NULL;
}

static int read_entry(sd_bus_message *m, const struct vocabulary *vocabulary, uint64_t *seen, void *target,
                      struct options_text *text) {
        const struct option *option;
        const char *name, *contents;
        size_t index;
        char type;
        int r;

        r = sd_bus_message_read_basic(m, 's', &name);
        if (r < 0)
                return r;
        option = find_option(vocabulary, name, &index);
        if (!option) {
                (void) snprintf(text->text, sizeof(text->text), "There is no option \"%.100s\".", name);
                return ERROR_INVALID_ARGUMENT;
        }
        r = sd_bus_message_peek_type(m, &type, &contents);
        if (r < 0)
                return r;
        if (!streq(contents, option_signature(option->type))) {
                (void) snprintf(text->text, sizeof(text->text), "\"%s\" must have the type %s.", name,
                                option_signature(option->type));
                return ERROR_INVALID_ARGUMENT;
        }
        if (*seen & (UINT64_C(1) << index)) {
                (void) snprintf(text->text, sizeof(text->text), "\"%s\" stands there twice.", name);
                return ERROR_INVALID_ARGUMENT;
        }
        *seen |= UINT64_C(1) << index;
        r = sd_bus_message_enter_container(m, 'v', contents);
        if (r < 0)
                return r;
        r = read_value(m, option, vocabulary->max_ranges, target);
        if (r > 0)
                (void) snprintf(text->text, sizeof(text->text), "\"%s\" has a value that is not valid.", name);
        if (r != 0)
                return r;
        return MIN(sd_bus_message_exit_container(m), 0);
}

static int read_dictionary(sd_bus_message *m, const struct vocabulary *vocabulary, void *target, struct options_text *text) {
        uint64_t seen = 0;
        int r;

        assert(vocabulary->n <= 64);
        r = sd_bus_message_enter_container(m, 'a', "{sv}");
        if (r < 0)
                return r;
        while ((r = sd_bus_message_enter_container(m, 'e', "sv")) > 0) {
                r = read_entry(m, vocabulary, &seen, target, text);
                if (r > 0)
                        return r;
                if (r >= 0)
                        r = sd_bus_message_exit_container(m);
                if (r < 0)
                        return r;
        }
        return r < 0 ? r : MIN(sd_bus_message_exit_container(m), 0);
}

int options_read_create(sd_bus_message *m, struct create_options *ret, struct options_text *text) {
        static const struct option options[] = {
                { "Family", OPTION_FAMILY, offsetof(struct create_options, family) },
                { "Kind", OPTION_KIND, offsetof(struct create_options, kind) },
                { "Volatile", OPTION_BOOL, offsetof(struct create_options, is_volatile) },
                { "Priority", OPTION_PRIORITY, offsetof(struct create_options, priority) },
                { "Description", OPTION_STRING, offsetof(struct create_options, description) },
                { "ProxyEnvironment", OPTION_STRING, offsetof(struct create_options, proxy_environment) },
                { "CompleteWhenTransferred", OPTION_BOOL, offsetof(struct create_options, complete_when_transferred) },
                { "Replace", OPTION_BOOL, offsetof(struct create_options, replace) },
                { "RemoteTime", OPTION_BOOL, offsetof(struct create_options, remote_time) },
                { "NoProgressTimeout", OPTION_U32, offsetof(struct create_options, no_progress_timeout_s) },
                { "MinimumRetryDelay", OPTION_U32, offsetof(struct create_options, minimum_retry_delay_s) },
                { "NotifyFlags", OPTION_U32, offsetof(struct create_options, notify_flags) },
                { "LifeTime", OPTION_SECONDS, offsetof(struct create_options, life_time_s) },
                { "MaxRate", OPTION_SIZE, offsetof(struct create_options, max_rate) },
                { "Umask", OPTION_UMASK, offsetof(struct create_options, umask) },
                { "Resume", OPTION_BOOL, offsetof(struct create_options, resume) },
                { "Attach", OPTION_BOOL, offsetof(struct create_options, attach) },
        };

        text->text[0] = 0;
        *ret = (struct create_options) {
                .family = JOB_FAMILY_DO,
                .priority = -1,
                .no_progress_timeout_s = -1,
                .minimum_retry_delay_s = -1,
                .notify_flags = -1,
                .life_time_s = -1,
                .umask = UMASK_DEFAULT,
                .replace = -1,
                .remote_time = -1,
        };
        return read_dictionary(m, &(struct vocabulary) { options, ELEMENTSOF(options), 0 }, ret, text);
}

int options_read_properties(sd_bus_message *m, struct manager_properties *ret, struct options_text *text) {
        static const struct option options[] = {
                { "Name", OPTION_STRING, offsetof(struct manager_properties, name) },
                { "Description", OPTION_STRING, offsetof(struct manager_properties, description) },
                { "Priority", OPTION_PRIORITY, offsetof(struct manager_properties, priority) },
                { "NotifyFlags", OPTION_U32, offsetof(struct manager_properties, notify_flags) },
                { "NotifyCommand", OPTION_STRING, offsetof(struct manager_properties, notify_command) },
                { "NotifyParameters", OPTION_STRING, offsetof(struct manager_properties, notify_parameters) },
                { "MinimumRetryDelay", OPTION_U32, offsetof(struct manager_properties, minimum_retry_delay_s) },
                { "NoProgressTimeout", OPTION_U32, offsetof(struct manager_properties, no_progress_timeout_s) },
                { "MaximumDownloadTime", OPTION_U32, offsetof(struct manager_properties, max_download_time_s) },
                { "HighPerformance", OPTION_BOOL, offsetof(struct manager_properties, high_performance) },
                { "DynamicContent", OPTION_BOOL, offsetof(struct manager_properties, dynamic_content) },
                { "OnDemand", OPTION_BOOL, offsetof(struct manager_properties, on_demand) },
                { "LifeTime", OPTION_SECONDS, offsetof(struct manager_properties, life_time_s) },
                { "CompleteWhenTransferred", OPTION_BOOL,
                  offsetof(struct manager_properties, complete_when_transferred) },
                { "Replace", OPTION_BOOL, offsetof(struct manager_properties, replace) },
                { "RemoteTime", OPTION_BOOL, offsetof(struct manager_properties, remote_time) },
                { "CustomHeaders", OPTION_STRING, offsetof(struct manager_properties, custom_headers) },
                { "CustomHeadersWriteOnly", OPTION_BOOL,
                  offsetof(struct manager_properties, custom_headers_write_only) },
                { "CustomAuthHeaders", OPTION_STRING, offsetof(struct manager_properties, auth_headers) },
                { "ServerBasicCredentials", OPTION_STRING, offsetof(struct manager_properties, credentials[JOB_AUTH_SERVER][JOB_AUTH_BASIC]) },
                { "ServerDigestCredentials", OPTION_STRING, offsetof(struct manager_properties, credentials[JOB_AUTH_SERVER][JOB_AUTH_DIGEST]) },
                { "ProxyBasicCredentials", OPTION_STRING, offsetof(struct manager_properties, credentials[JOB_AUTH_PROXY][JOB_AUTH_BASIC]) },
                { "ProxyDigestCredentials", OPTION_STRING, offsetof(struct manager_properties, credentials[JOB_AUTH_PROXY][JOB_AUTH_DIGEST]) },
                { "JudgeCertificate", OPTION_BOOL, offsetof(struct manager_properties, judge_certificate) },
                { "ClientCertificate", OPTION_STRING, offsetof(struct manager_properties, client_certificate) },
                { "HttpMethod", OPTION_STRING, offsetof(struct manager_properties, http_method) },
                { "SecurityFlags", OPTION_U32, offsetof(struct manager_properties, security_flags) },
                { "ProxyUsage", OPTION_U32, offsetof(struct manager_properties, proxy_usage) },
                { "ProxyList", OPTION_STRING, offsetof(struct manager_properties, proxy_list) },
                { "ProxyBypass", OPTION_STRING, offsetof(struct manager_properties, proxy_bypass) },
                { "MaxDownloadSize", OPTION_SIZE, offsetof(struct manager_properties, max_download_size) },
                { "MaxRate", OPTION_SIZE, offsetof(struct manager_properties, max_rate) },
                { "CostFlags", OPTION_U32, offsetof(struct manager_properties, cost_flags) },
                { "DisallowOnCellular", OPTION_BOOL, offsetof(struct manager_properties, no_cellular) },
                { "NotificationInterval", OPTION_U32, offsetof(struct manager_properties, notification_interval_ms) },
                { "Volatile", OPTION_BOOL, offsetof(struct manager_properties, is_volatile) },
        };

        text->text[0] = 0;
        *ret = MANAGER_PROPERTIES_NONE;
        return read_dictionary(m, &(struct vocabulary) { options, ELEMENTSOF(options), 0 }, ret, text);
}

int options_read_file_properties(sd_bus_message *m, struct manager_file_properties *ret, struct options_text *text) {
        static const struct option options[] = {
                { "FileId", OPTION_STRING, offsetof(struct manager_file_properties, file_id) },
                { "StatedSize", OPTION_SIZE, offsetof(struct manager_file_properties, stated_size) },
                { "IntegrityCheckInfo", OPTION_STRING, offsetof(struct manager_file_properties, integrity_info) },
                { "IntegrityCheckMandatory", OPTION_BOOL, offsetof(struct manager_file_properties, integrity_mandatory) },
                { "DecryptionInfo", OPTION_STRING, offsetof(struct manager_file_properties, decryption_info) },
        };

        text->text[0] = 0;
        *ret = MANAGER_FILE_PROPERTIES_NONE;
        return read_dictionary(m, &(struct vocabulary) { options, ELEMENTSOF(options), 0 }, ret, text);
}

/* ---- files ---- */

void file_spec_done(struct manager_file_spec *spec) {
        free((char *) spec->file.path);
        free((struct byte_range *) spec->file.ranges);
        *spec = (struct manager_file_spec) {};
}

void file_list_done(struct file_list *list) {
        for (size_t i = 0; i < list->n_items; i++)
                file_spec_done(&list->items[i]);
        free(list->items);
        *list = (struct file_list) {};
}

static int read_path(sd_bus_message *m, const char **ret) {
        const void *bytes;
        size_t size;
        char *path;
        int r = sd_bus_message_read_array(m, 'y', &bytes, &size);

        if (r < 0)
                return r;
        if (size > 0 && memchr(bytes, 0, size))
                return ERROR_INVALID_NAME;
        if (size > LIMIT_PATH)
                return ERROR_NAME_TOO_LONG;
        path = size > 0 ? strndup(bytes, size) : strdup(""); /* "": comes later */
        if (!path)
                return -ENOMEM;
        *ret = path;
        return 0;
}

/* Inside the struct. */
static int read_file(sd_bus_message *m, size_t max_ranges, struct manager_file_spec *spec, struct options_text *text) {
        static const struct option options[] = {
                { "FileId", OPTION_STRING, offsetof(struct manager_file_spec, file.file_id) },
                { "Mirrors", OPTION_STRING, offsetof(struct manager_file_spec, file.mirrors) },
                { "Size", OPTION_SIZE, offsetof(struct manager_file_spec, file.stated_size) },
                { "Sha256", OPTION_SHA256, offsetof(struct manager_file_spec, file.sha256) },
                { "Ranges", OPTION_RANGES, offsetof(struct manager_file_spec, file) },
                { "Directory", OPTION_INODE, offsetof(struct manager_file_spec, client_directory) },
                { "IntegrityCheckInfo", OPTION_STRING, offsetof(struct manager_file_spec, file.integrity_info) },
                { "IntegrityCheckMandatory", OPTION_FLAG, offsetof(struct manager_file_spec, file.integrity_mandatory) },
                { "DecryptionInfo", OPTION_STRING, offsetof(struct manager_file_spec, file.decryption_info) },
        };
        int r;

        r = sd_bus_message_read_basic(m, 's', &spec->file.url);
        if (r < 0)
                return r;
        r = read_path(m, &spec->file.path);
        if (r != 0)
                return r;
        return read_dictionary(m, &(struct vocabulary) { options, ELEMENTSOF(options), max_ranges }, spec, text);
}

int options_read_destination(sd_bus_message *m, struct manager_file_spec *ret, struct options_text *text) {
        struct values {
                int64_t umask;
                struct file_identity client_directory;
        } values = { .umask = UMASK_DEFAULT };
        static const struct option options[] = {
                { "Umask", OPTION_UMASK, offsetof(struct values, umask) },
                { "Directory", OPTION_INODE, offsetof(struct values, client_directory) },
        };
        int r;

        text->text[0] = 0;
        *ret = (struct manager_file_spec) {};
        r = read_path(m, &ret->file.path);
        if (r == 0)
                r = read_dictionary(m, &(struct vocabulary) { options, ELEMENTSOF(options), 0 }, &values, text);
        ret->file.mode = 0666 & ~(mode_t) values.umask;
        ret->client_directory = values.client_directory;
        return r;
}

static int file_list_grow(struct file_list *list) {
        struct manager_file_spec *grown;
        size_t n = MAX(list->n_allocated * 2, (size_t) 8);

        if (list->n_items < list->n_allocated)
                return 0;
        grown = reallocarray(list->items, n, sizeof(*grown));
        if (!grown)
                return -ENOMEM;
        list->items = grown;
        list->n_allocated = n;
        return 0;
}

int options_read_files(sd_bus_message *m, uint32_t umask, const struct options_limits *limits, struct file_list *ret, struct options_text *text) {
        int r;

        text->text[0] = 0;
        if (umask > 0777) {
                (void) snprintf(text->text, sizeof(text->text), "The umask has more than permission bits.");
                return ERROR_INVALID_ARGUMENT;
        }
        r = sd_bus_message_enter_container(m, 'a', "(saya{sv})");
        if (r < 0)
                return r;
        while ((r = sd_bus_message_enter_container(m, 'r', "saya{sv}")) > 0) {
                struct manager_file_spec *spec;

                if (ret->n_items >= LIMIT_FILES_PER_CALL) {
                        (void) snprintf(text->text, sizeof(text->text), "One call takes at most %d files.",
                                        LIMIT_FILES_PER_CALL);
                        return ERROR_INVALID_ARGUMENT;
                }
                if (ret->n_items >= limits->files) {
                        (void) snprintf(text->text, sizeof(text->text), "The job has room for %zu.", limits->files);
                        return ERROR_TOO_MANY_FILES;
                }
                r = file_list_grow(ret);
                if (r < 0)
                        return r;
                spec = &ret->items[ret->n_items++];
                *spec = (struct manager_file_spec) {
                        .file = { .stated_size = SIZE_UNKNOWN, .mode = 0666 & ~umask },
                };
                r = read_file(m, limits->ranges, spec, text);
                if (r > 0 && !text->text[0])
                        (void) snprintf(text->text, sizeof(text->text), "It is file %zu of the call.",
                                        ret->n_items - 1);
                if (r != 0)
                        return r;
                r = sd_bus_message_exit_container(m);
                if (r < 0)
                        return r;
        }
        return r < 0 ? r : MIN(sd_bus_message_exit_container(m), 0);
}

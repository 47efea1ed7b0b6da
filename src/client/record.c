#include "client/record.h"

#include "base/strings.h"

enum field_type {
        FIELD_STRING,
        FIELD_U32,
        FIELD_U64,
        FIELD_BOOL,   /* into an int */
        FIELD_BYTES,  /* "ay" into a string */
        FIELD_SHA256, /* "ay" of 32 bytes; struct file_record only */
        FIELD_RANGES, /* "a(tt)" into a struct record_ranges */
        FIELD_ERROR,  /* "a{sv}" into a struct error_fields */
};

static const char *const signatures[] = {
        [FIELD_STRING] = "s", [FIELD_U32] = "u",     [FIELD_U64] = "t",        [FIELD_BOOL] = "b",
        [FIELD_BYTES] = "ay", [FIELD_SHA256] = "ay", [FIELD_RANGES] = "a(tt)", [FIELD_ERROR] = "a{sv}",
};

struct field {
        const char *name;
        enum field_type type;
        size_t offset;
};

struct error_fields {
        dosvc_failure failure;
        uint32_t hresult;
        uint32_t detail;
        uint32_t file;
        const char *code;
};

struct reader {
        const struct field *fields;
        size_t n_fields;
        void *base;
        struct record_strings *strings;
};

static int read_dictionary(sd_bus_message *m, const struct reader *reader);

/* ---- strings ---- */

static void strings_done(struct record_strings *strings) {
        for (size_t i = 0; i < strings->n; i++)
                free(strings->items[i]);
        free(strings->items);
        *strings = (struct record_strings){};
}

/* NULL: no memory. */
static const char *keep(struct record_strings *strings, const char *s, size_t size) {
        char **items = reallocarray(strings->items, strings->n + 1, sizeof(*items));
        char *copy;

        if (!items)
                return NULL;
        strings->items = items;
        copy = malloc(size + 1);
        if (!copy)
                return NULL;
        if (size > 0)
                memcpy(copy, s, size);
        copy[size] = 0;
        return strings->items[strings->n++] = copy;
}

/* ---- one value ---- */

static int read_string(sd_bus_message *m, struct record_strings *strings, const char **ret) {
        const char *s;
        int r;

        r = sd_bus_message_read(m, "s", &s);
        if (r < 0)
                return r;
        *ret = keep(strings, s, strlen(s));
        return *ret ? 0 : -ENOMEM;
}

static int read_bytes(sd_bus_message *m, struct record_strings *strings, const char **ret) {
        const void *bytes;
        size_t size;
        int r;

        r = sd_bus_message_read_array(m, 'y', &bytes, &size);
        if (r < 0)
                return r;
        *ret = keep(strings, bytes, size);
        return *ret ? 0 : -ENOMEM;
}

static int read_sha256(sd_bus_message *m, struct file_record *record) {
        const void *bytes;
        size_t size;
        int r;

        r = sd_bus_message_read_array(m, 'y', &bytes, &size);
        if (r < 0)
                return r;
        if (size == sizeof(record->sha256)) {
                memcpy(record->sha256, bytes, size);
                record->has_sha256 = true;
        }
        return 0;
}

int record_ranges_read(struct record_ranges *ret, sd_bus_message *m) {
        struct record_range range;
        int r;

        r = sd_bus_message_enter_container(m, 'a', "(tt)");
        if (r < 0)
                return r;
        while ((r = sd_bus_message_read(m, "(tt)", &range.offset, &range.length)) > 0) {
                struct record_range *items = reallocarray(ret->items, ret->n + 1, sizeof(*items));

                if (!items)
                        return -ENOMEM;
                ret->items = items;
                items[ret->n++] = range;
        }
        return r < 0 ? r : sd_bus_message_exit_container(m);
}

static int read_error(sd_bus_message *m, struct error_fields *error, struct record_strings *strings) {
        static const struct field fields[] = {
                { "Code", FIELD_STRING, offsetof(struct error_fields, code) },
                { "Name", FIELD_STRING, offsetof(struct error_fields, failure.name) },
                { "Context", FIELD_STRING, offsetof(struct error_fields, failure.context) },
                { "Detail", FIELD_U32, offsetof(struct error_fields, detail) },
                { "Hresult", FIELD_U32, offsetof(struct error_fields, hresult) },
                { "File", FIELD_U32, offsetof(struct error_fields, file) },
                { "Url", FIELD_STRING, offsetof(struct error_fields, failure.url) },
                { "Path", FIELD_BYTES, offsetof(struct error_fields, failure.file) },
                { "Text", FIELD_STRING, offsetof(struct error_fields, failure.text) },
        };

        return read_dictionary(m, &(struct reader){ fields, ELEMENTSOF(fields), error, strings });
}

static int read_value(sd_bus_message *m, const struct field *field, const struct reader *reader) {
        void *to = (char *) reader->base + field->offset;

        switch (field->type) {
        case FIELD_STRING:
                return read_string(m, reader->strings, to);
        case FIELD_U32:
                return sd_bus_message_read_basic(m, 'u', to);
        case FIELD_U64:
                return sd_bus_message_read_basic(m, 't', to);
        case FIELD_BOOL:
                return sd_bus_message_read_basic(m, 'b', to);
        case FIELD_BYTES:
                return read_bytes(m, reader->strings, to);
        case FIELD_SHA256:
                return read_sha256(m, reader->base);
        case FIELD_RANGES:
                return record_ranges_read(to, m);
        case FIELD_ERROR:
                return read_error(m, to, reader->strings);
        }
        return -EINVAL;
}

static const struct field *find_field(const struct reader *reader, const char *name) {
        for (size_t i = 0; i < reader->n_fields; i++)
                if (streq(reader->fields[i].name, name))
                        return &reader->fields[i];
        return NULL;
}

/* One "{sv}" that was entered. */
static int read_entry(sd_bus_message *m, const struct reader *reader) {
        const struct field *field;
        const char *name, *contents;
        char type;
        int r;

        r = sd_bus_message_read(m, "s", &name);
        if (r < 0)
                return r;
        field = find_field(reader, name);
        r = sd_bus_message_peek_type(m, &type, &contents);
        if (r < 0)
                return r;
        if (!field || type != 'v' || !streq(contents, signatures[field->type]))
                return sd_bus_message_skip(m, NULL);
        r = sd_bus_message_enter_container(m, 'v', contents);
        if (r >= 0)
                r = read_value(m, field, reader);
        return r < 0 ? r : sd_bus_message_exit_container(m);
}

static int read_dictionary(sd_bus_message *m, const struct reader *reader) {
        int r;

        r = sd_bus_message_enter_container(m, 'a', "{sv}");
        if (r < 0)
                return r;
        while ((r = sd_bus_message_enter_container(m, 'e', "sv")) > 0) {
                r = read_entry(m, reader);
                if (r >= 0)
                        r = sd_bus_message_exit_container(m);
                if (r < 0)
                        return r;
        }
        return r < 0 ? r : sd_bus_message_exit_container(m);
}

/* ---- errors ---- */

static const struct error_fields no_error = {
        .failure = { .name = "", .context = "none", .file = "", .url = "", .text = "" },
        .file = JOB_ERROR_NO_FILE,
        .code = "",
};

/* The published code: what the service computed, else ours. */
static dosvc_failure finish_error(const struct error_fields *error, enum job_family family) {
        dosvc_failure failure = error->failure;
        const char *suffix = startswith(failure.name, ERROR_DBUS_PREFIX);
        int code;

        if (suffix)
                failure.name = suffix;
        failure.hresult = (int32_t) error->hresult;
        if (failure.hresult == 0 && *error->code) {
                code = error_code_from_name(error->code);
                if (code > 0)
                        failure.hresult = (int32_t) error_code_hresult((enum error_code) code, family, error->detail);
        }
        return failure;
}

static enum error_context context_from_name(const char *name) {
        for (int i = 0; i < _ERROR_CONTEXT_MAX; i++)
                if (streq(error_context_name((enum error_context) i), name))
                        return (enum error_context) i;
        return ERROR_CONTEXT_UNKNOWN;
}

/* ---- jobs ---- */

struct job_fields {
        dosvc_job_info info;
        struct error_fields error;
        struct job_record_more more;
};

#define JOB_MORE(name, type, member) { name, type, offsetof(struct job_fields, more.member) }
#define JOB_FIELD(name, type, member) \
        { name, type, offsetof(struct job_fields, info.member) }

static const struct field job_fields[] = {
        JOB_FIELD("Id", FIELD_STRING, id),
        JOB_FIELD("Family", FIELD_STRING, family),
        JOB_FIELD("Kind", FIELD_STRING, kind),
        JOB_FIELD("Volatile", FIELD_BOOL, is_volatile),
        JOB_FIELD("Owner", FIELD_U32, owner),
        JOB_FIELD("Name", FIELD_STRING, name),
        JOB_FIELD("Description", FIELD_STRING, description),
        JOB_FIELD("State", FIELD_STRING, state),
        JOB_FIELD("StateSince", FIELD_U64, state_since),
        JOB_FIELD("Priority", FIELD_STRING, priority),
        JOB_FIELD("NotifyFlags", FIELD_U32, notify_flags),
        JOB_FIELD("MinimumRetryDelay", FIELD_U32, minimum_retry_delay),
        JOB_FIELD("NoProgressTimeout", FIELD_U32, no_progress_timeout),
        JOB_FIELD("LifeTime", FIELD_U64, life_time),
        JOB_FIELD("CompleteWhenTransferred", FIELD_BOOL, complete_when_transferred),
        JOB_FIELD("Replace", FIELD_BOOL, replace),
        JOB_FIELD("RemoteTime", FIELD_BOOL, remote_time),
        JOB_FIELD("MaxRate", FIELD_U64, max_rate),
        JOB_FIELD("WaitingReason", FIELD_STRING, waiting_reason),
        JOB_FIELD("WaitingSince", FIELD_U64, waiting_since),
        JOB_FIELD("WaitingText", FIELD_STRING, waiting_text),
        JOB_FIELD("RetryTime", FIELD_U64, retry_time),
        JOB_FIELD("CreatedTime", FIELD_U64, created),
        JOB_FIELD("ModifiedTime", FIELD_U64, modified),
        JOB_FIELD("TransferredTime", FIELD_U64, transferred),
        JOB_FIELD("ErrorCount", FIELD_U64, error_count),
        JOB_FIELD("BytesTotal", FIELD_U64, bytes_total),
        JOB_FIELD("BytesTransferred", FIELD_U64, bytes_transferred),
        JOB_FIELD("BytesDurable", FIELD_U64, bytes_durable),
        JOB_FIELD("BytesFetched", FIELD_U64, bytes_fetched),
        JOB_FIELD("BytesFromCache", FIELD_U64, bytes_from_cache),
        JOB_FIELD("BytesFromMirrors", FIELD_U64, bytes_from_mirrors),
        JOB_FIELD("FilesTotal", FIELD_U64, files_total),
        JOB_FIELD("FilesTransferred", FIELD_U64, files_transferred),
        JOB_MORE("Started", FIELD_BOOL, started),
        JOB_MORE("NotifyCommand", FIELD_STRING, notify_command),
        JOB_MORE("NotifyParameters", FIELD_STRING, notify_parameters),
        JOB_MORE("CustomHeaders", FIELD_STRING, custom_headers),
        JOB_MORE("CustomHeadersWriteOnly", FIELD_BOOL, custom_headers_write_only),
        JOB_MORE("Credentials", FIELD_U32, credentials),
        JOB_MORE("ClientCertificate", FIELD_STRING, client_certificate),
        JOB_MORE("HttpMethod", FIELD_STRING, http_method),
        JOB_MORE("SecurityFlags", FIELD_U32, security_flags),
        JOB_MORE("ProxyUsage", FIELD_U32, proxy_usage),
        JOB_MORE("ProxyList", FIELD_STRING, proxy_list),
        JOB_MORE("ProxyBypass", FIELD_STRING, proxy_bypass),
        JOB_MORE("MaxDownloadSize", FIELD_U64, max_download_size),
        JOB_MORE("TransferringTime", FIELD_U64, transferring_usec),
        JOB_MORE("MaximumDownloadTime", FIELD_U32, maximum_download_time),
        JOB_MORE("HighPerformance", FIELD_BOOL, high_performance),
        JOB_MORE("DynamicContent", FIELD_BOOL, dynamic_content),
        JOB_MORE("OnDemand", FIELD_BOOL, on_demand),
        JOB_MORE("CostFlags", FIELD_U32, cost_flags),
        JOB_MORE("DisallowOnCellular", FIELD_BOOL, no_cellular),
        JOB_MORE("NotificationInterval", FIELD_U32, notification_interval_ms),
        { "Error", FIELD_ERROR, offsetof(struct job_fields, error) },
};

static const dosvc_job_info no_job = {
        .size = sizeof(dosvc_job_info),
        .id = "",
        .family = "do",
        .kind = "job",
        .name = "",
        .description = "",
        .state = "suspended",
        .priority = "normal",
        .waiting_reason = "none",
        .waiting_text = "",
        .bytes_total = DOSVC_UNKNOWN,
};

static const struct job_record_more no_more = {
        .notify_command = "",
        .notify_parameters = "",
        .custom_headers = "",
        .client_certificate = "",
        .http_method = "GET",
        .proxy_list = "",
        .proxy_bypass = "",
        .max_download_size = DOSVC_UNKNOWN,
        .notification_interval_ms = 500,
};

static const char *instance_name(bool is_system) {
        return is_system ? "system" : "user";
}

/* A word that this library does not know: a sensible one of its vocabulary. */
static int known_or(int value, int otherwise) {
        return value < 0 ? otherwise : value;
}

static void job_record_finish(struct job_record *record, const struct error_fields *error) {
        record->family = (enum job_family) known_or(job_family_from_name(record->info.family), JOB_FAMILY_DO);
        record->state = (enum job_state) known_or(job_state_from_name(record->info.state), JOB_SUSPENDED);
        record->kind = (enum job_kind) known_or(job_kind_from_name(record->info.kind), JOB_KIND_JOB);
        record->priority =
                (enum job_priority) known_or(job_priority_from_name(record->info.priority), JOB_PRIORITY_NORMAL);
        record->info.error = finish_error(error, record->family);
        record->error_context = context_from_name(record->info.error.context);
        record->error_file = error->file;
}

int job_record_read(struct job_record *record, sd_bus_message *m, bool is_system) {
        struct job_fields fields = { .info = no_job, .error = no_error, .more = no_more };
        int r;

        *record = (struct job_record){};
        r = read_dictionary(m, &(struct reader){ job_fields, ELEMENTSOF(job_fields), &fields, &record->strings });
        if (r < 0) {
                job_record_done(record);
                return r;
        }
        record->info = fields.info;
        record->more = fields.more;
        record->info.instance = instance_name(is_system);
        job_record_finish(record, &fields.error);
        return 0;
}

void job_record_done(struct job_record *record) {
        strings_done(&record->strings);
        *record = (struct job_record){};
}

/* ---- files ---- */

#define FILE_FIELD(name, type, member) \
        { name, type, offsetof(struct file_record, info.member) }

static const struct field file_fields[] = {
        FILE_FIELD("Index", FIELD_U32, index),
        FILE_FIELD("Url", FIELD_STRING, url),
        FILE_FIELD("Path", FIELD_BYTES, path),
        FILE_FIELD("State", FIELD_STRING, state),
        FILE_FIELD("TemporaryName", FIELD_BYTES, temporary_name),
        FILE_FIELD("BytesTotal", FIELD_U64, bytes_total),
        FILE_FIELD("BytesTransferred", FIELD_U64, bytes_transferred),
        FILE_FIELD("BytesDurable", FIELD_U64, bytes_durable),
        FILE_FIELD("StatedSize", FIELD_U64, stated_size),
        FILE_FIELD("LengthUnverified", FIELD_BOOL, length_unverified),
        FILE_FIELD("IntegrityCheckMandatory", FIELD_BOOL, integrity_mandatory),
        FILE_FIELD("IntegrityCheck", FIELD_STRING, integrity),
        FILE_FIELD("Encrypted", FIELD_BOOL, encrypted),
        FILE_FIELD("Mirrors", FIELD_STRING, mirrors),
        FILE_FIELD("Source", FIELD_STRING, source),
        FILE_FIELD("Sources", FIELD_STRING, sources),
        FILE_FIELD("SourceTrouble", FIELD_STRING, source_trouble),
        FILE_FIELD("Connections", FIELD_U32, connections),
        { "FileId", FIELD_STRING, offsetof(struct file_record, file_id) },
        { "Validation", FIELD_STRING, offsetof(struct file_record, validation) },
        { "HttpStatus", FIELD_U32, offsetof(struct file_record, http_status) },
        { "RedirectedUrl", FIELD_STRING, offsetof(struct file_record, redirected_url) },
        { "ServerAddress", FIELD_STRING, offsetof(struct file_record, server_address) },
        { "ResponseHeaders", FIELD_STRING, offsetof(struct file_record, response_headers) },
        { "Sha256", FIELD_SHA256, 0 },
        { "Ranges", FIELD_RANGES, offsetof(struct file_record, ranges) },
        { "FilledRanges", FIELD_RANGES, offsetof(struct file_record, filled) },
};

int file_record_read(struct file_record *record, sd_bus_message *m) {
        int r;

        *record = (struct file_record){
                .info = { .size = sizeof(dosvc_file_info),
                          .url = "",
                          .path = "",
                          .state = "pending",
                          .temporary_name = "",
                          .integrity = "none",
                          .mirrors = "",
                          .source = "",
                          .sources = "",
                          .source_trouble = "",
                          .bytes_total = DOSVC_UNKNOWN,
                          .stated_size = DOSVC_UNKNOWN },
                .file_id = "",
                .validation = "",
                .redirected_url = "",
                .server_address = "",
                .response_headers = "",
        };
        r = read_dictionary(m, &(struct reader){ file_fields, ELEMENTSOF(file_fields), record, &record->strings });
        if (r < 0)
                file_record_done(record);
        return r;
}

const dosvc_file_info *file_record_info(struct file_record *record) {
        record->info.sha256 = record->has_sha256 ? record->sha256 : NULL;
        return &record->info;
}

void file_record_done(struct file_record *record) {
        strings_done(&record->strings);
        free(record->ranges.items);
        free(record->filled.items);
        *record = (struct file_record){};
}

/* ---- history ---- */

struct history_fields {
        dosvc_history_info info;
        struct error_fields error;
};

#define HISTORY_FIELD(name, type, member) \
        { name, type, offsetof(struct history_fields, info.member) }

static const struct field history_fields[] = {
        HISTORY_FIELD("Id", FIELD_STRING, id),
        HISTORY_FIELD("Family", FIELD_STRING, family),
        HISTORY_FIELD("State", FIELD_STRING, state),
        HISTORY_FIELD("Name", FIELD_STRING, name),
        HISTORY_FIELD("Url", FIELD_STRING, url),
        HISTORY_FIELD("Path", FIELD_BYTES, path),
        HISTORY_FIELD("FilesTotal", FIELD_U64, files_total),
        HISTORY_FIELD("FilesTransferred", FIELD_U64, files_transferred),
        HISTORY_FIELD("BytesTotal", FIELD_U64, bytes_total),
        HISTORY_FIELD("BytesTransferred", FIELD_U64, bytes_transferred),
        HISTORY_FIELD("BytesFromOrigin", FIELD_U64, bytes_from_origin),
        HISTORY_FIELD("CreatedTime", FIELD_U64, created),
        HISTORY_FIELD("TransferredTime", FIELD_U64, transferred),
        HISTORY_FIELD("FinishedTime", FIELD_U64, finished),
        { "Error", FIELD_ERROR, offsetof(struct history_fields, error) },
};

int history_record_read(struct history_record *record, sd_bus_message *m, bool is_system) {
        struct history_fields fields = {
                .info = { .size = sizeof(dosvc_history_info),
                          .id = "",
                          .family = "do",
                          .state = "acknowledged",
                          .name = "",
                          .url = "",
                          .path = "",
                          .bytes_total = DOSVC_UNKNOWN },
                .error = no_error,
        };
        int r;

        *record = (struct history_record){};
        r = read_dictionary(m,
                            &(struct reader){ history_fields, ELEMENTSOF(history_fields), &fields, &record->strings });
        if (r < 0) {
                history_record_done(record);
                return r;
        }
        record->info = fields.info;
        record->info.instance = instance_name(is_system);
        record->info.error =
                finish_error(&fields.error,
                             (enum job_family) known_or(job_family_from_name(fields.info.family), JOB_FAMILY_DO));
        return 0;
}

void history_record_done(struct history_record *record) {
        strings_done(&record->strings);
        *record = (struct history_record){};
}

void job_record_from_history(struct job_record *ret, struct history_record *record) {
        const dosvc_history_info *old = &record->info;
        struct error_fields error = no_error;

        *ret = (struct job_record){ .info = no_job, .more = no_more, .strings = record->strings };
        ret->info.id = old->id;
        ret->info.family = old->family;
        ret->info.state = old->state;
        ret->info.name = old->name;
        ret->info.files_total = old->files_total;
        ret->info.files_transferred = old->files_transferred;
        ret->info.bytes_total = old->bytes_total;
        ret->info.bytes_transferred = ret->info.bytes_durable = old->bytes_transferred;
        ret->info.bytes_fetched = old->bytes_from_origin;
        ret->info.created = old->created;
        ret->info.transferred = old->transferred;
        ret->info.modified = ret->info.state_since = old->finished;
        ret->info.instance = old->instance;
        error.failure = old->error;
        error.hresult = (uint32_t) old->error.hresult;
        job_record_finish(ret, &error);
        *record = (struct history_record){};
}

/* ---- service ---- */

#define SERVICE_FIELD(name, type, member) \
        { name, type, offsetof(struct service_record, info.member) }

static const struct field service_fields[] = {
        SERVICE_FIELD("Version", FIELD_STRING, version),
        SERVICE_FIELD("StateDirectory", FIELD_BYTES, state_directory),
        SERVICE_FIELD("Sandbox", FIELD_STRING, sandbox),
        SERVICE_FIELD("Pid", FIELD_U32, pid),
        SERVICE_FIELD("TransferPid", FIELD_U32, transfer_pid),
        SERVICE_FIELD("Jobs", FIELD_U64, jobs),
        SERVICE_FIELD("JobsActive", FIELD_U64, jobs_active),
        SERVICE_FIELD("Started", FIELD_U64, started),
        SERVICE_FIELD("MemoryBytes", FIELD_U64, memory_bytes),
        SERVICE_FIELD("BackupTime", FIELD_U64, backup_time),
        SERVICE_FIELD("RestoredFrom", FIELD_U64, restored_from),
        SERVICE_FIELD("Network", FIELD_STRING, network),
        SERVICE_FIELD("NetworkCost", FIELD_U32, network_cost),
        SERVICE_FIELD("Battery", FIELD_U32, battery),
};

int service_record_read(struct service_record *record, sd_bus_message *m) {
        int r;

        *record = (struct service_record){
                .info = { .size = sizeof(dosvc_service_info),
                          .version = "",
                          .state_directory = "",
                          .sandbox = "",
                          .address = "",
                          .network = "",
                          .battery = UINT32_MAX },
        };
        r = read_dictionary(m,
                            &(struct reader){ service_fields, ELEMENTSOF(service_fields), record, &record->strings });
        if (r < 0)
                service_record_done(record);
        return r;
}

void service_record_done(struct service_record *record) {
        strings_done(&record->strings);
        *record = (struct service_record){};
}

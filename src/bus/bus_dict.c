#include "base/strings.h"
#include "bus/private.h"

/* ---- values ---- */

/* The wire takes UTF-8 only and cuts a client off that sends anything else: what is not goes out escaped. */
static int append_string(sd_bus_message *m, const char *s) {
        _cleanup_free_ char *escaped = NULL;

        if (s && !utf8_is_valid(s, SIZE_MAX)) {
                escaped = string_escape(s, SIZE_MAX);
                if (!escaped)
                        return -ENOMEM;
                s = escaped;
        }
        return sd_bus_message_append_basic(m, 's', s ? s : "");
}

static int append_u32(sd_bus_message *m, uint32_t value) {
        return sd_bus_message_append_basic(m, 'u', &value);
}

static int append_u64(sd_bus_message *m, uint64_t value) {
        return sd_bus_message_append_basic(m, 't', &value);
}

static int append_seconds(sd_bus_message *m, uint64_t usec) {
        return append_u64(m, usec == USEC_INFINITY ? UINT64_MAX : usec / USEC_PER_SEC);
}

static int append_bool(sd_bus_message *m, bool value) {
        int b = value;

        return sd_bus_message_append_basic(m, 'b', &b);
}

static int append_bytes(sd_bus_message *m, const void *bytes, size_t size) {
        return sd_bus_message_append_array(m, 'y', bytes, size);
}

static int append_guid(sd_bus_message *m, const struct guid *id) {
        char s[GUID_STRING_MAX];

        guid_to_string(id, s);
        return sd_bus_message_append_basic(m, 's', s);
}

static int append_ranges(sd_bus_message *m, const struct job_file *file) {
        int r = sd_bus_message_open_container(m, 'a', "(tt)");

        for (size_t i = 0; r >= 0 && i < file->n_ranges; i++)
                r = sd_bus_message_append(m, "(tt)", file->ranges[i].offset, file->ranges[i].length);
        return r < 0 ? r : sd_bus_message_close_container(m);
}

int bus_append_intervals(sd_bus_message *m, const struct intervals *set) {
        int r = sd_bus_message_open_container(m, 'a', "(tt)");

        for (size_t i = 0; r >= 0 && i < set->n_items; i++)
                r = sd_bus_message_append(m, "(tt)", set->items[i].start, set->items[i].end - set->items[i].start);
        return r < 0 ? r : sd_bus_message_close_container(m);
}

static const char *file_state_name(enum file_state state) {
        static const char *const names[] = {
                [FILE_PENDING] = "pending",
                [FILE_TRANSFERRED] = "transferred",
                [FILE_PUBLISHED] = "published",
                [FILE_DISCARDED] = "discarded",
        };

        return names[state];
}

static const char *file_integrity_name(enum file_integrity integrity) {
        static const char *const names[_FILE_INTEGRITY_MAX] = {
                [FILE_INTEGRITY_NONE] = "none",
                [FILE_INTEGRITY_CHECKING] = "checking",
                [FILE_INTEGRITY_VERIFIED] = "verified",
                [FILE_INTEGRITY_PARTIAL] = "partial",
                [FILE_INTEGRITY_UNAVAILABLE] = "unavailable",
        };

        return names[integrity];
}

static const char *file_validation_name(enum file_validation validation) {
        static const char *const names[] = {
                [FILE_VALIDATION_NONE] = "",
                [FILE_VALIDATION_GOOD] = "good",
                [FILE_VALIDATION_BAD] = "bad",
        };

        return names[validation];
}

/* ---- dictionaries ---- */

static int open_entry(sd_bus_message *m, const char *name, const char *signature) {
        int r = sd_bus_message_open_container(m, 'e', "sv");

        if (r >= 0)
                r = sd_bus_message_append_basic(m, 's', name);
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'v', signature);
        return r;
}

static int close_entry(sd_bus_message *m) {
        int r = sd_bus_message_close_container(m);

        return r < 0 ? r : sd_bus_message_close_container(m);
}

static int entry_string(sd_bus_message *m, const char *name, const char *value) {
        int r = open_entry(m, name, "s");

        if (r >= 0)
                r = append_string(m, value);
        return r < 0 ? r : close_entry(m);
}

static int entry_u32(sd_bus_message *m, const char *name, uint32_t value) {
        int r = open_entry(m, name, "u");

        if (r >= 0)
                r = append_u32(m, value);
        return r < 0 ? r : close_entry(m);
}

static int entry_u64(sd_bus_message *m, const char *name, uint64_t value) {
        int r = open_entry(m, name, "t");

        if (r >= 0)
                r = append_u64(m, value);
        return r < 0 ? r : close_entry(m);
}

static int entry_bytes(sd_bus_message *m, const char *name, const char *value) {
        int r = open_entry(m, name, "ay");

        if (r >= 0)
                r = append_bytes(m, value, strlen(value));
        return r < 0 ? r : close_entry(m);
}

/* @url: redacted already, or NULL. */
static int append_error(sd_bus_message *m, enum job_family family, const struct job_error *error, const char *url,
                        const char *path) {
        char text[LIMIT_ERROR_TEXT];
        int r = sd_bus_message_open_container(m, 'a', "{sv}");

        if (r < 0 || error->code == ERROR_NONE)
                return r < 0 ? r : sd_bus_message_close_container(m);
        bus_error_text(error->code, error->text, text, sizeof(text));
        r = entry_string(m, "Code", error_code_name(error->code));
        if (r >= 0)
                r = entry_string(m, "Name", error_code_dbus_name(error->code));
        if (r >= 0)
                r = entry_string(m, "Context", error_context_name(error->context));
        if (r >= 0)
                r = entry_u32(m, "Detail", error->detail);
        if (r >= 0)
                r = entry_u32(m, "Hresult", error_code_hresult(error->code, family, error->detail));
        if (r >= 0)
                r = entry_u32(m, "File", error->file_index);
        if (r >= 0)
                r = entry_string(m, "Url", url);
        if (r >= 0)
                r = entry_bytes(m, "Path", path ? path : "");
        if (r >= 0)
                r = entry_string(m, "Text", text);
        return r < 0 ? r : sd_bus_message_close_container(m);
}

static int append_job_error(sd_bus_message *m, const struct job *job) {
        const struct job_file *file = job->error.file_index < job->n_files ? job->files[job->error.file_index] : NULL;
        _cleanup_free_ char *url = NULL;

        if (file) {
                url = job_url_redact(file->url);
                if (!url)
                        return -ENOMEM;
        }
        return append_error(m, job->family, &job->error, url, file ? file->path : NULL);
}

/* ---- what is the owner's alone (design decision 23) ---- */

/* 1: @name holds what others must not see, and its text went out without: addresses lose user info and query, the rest is empty. */
static int append_for_others(sd_bus_message *m, const char *name, const struct job_file *file) {
        static const char *const empty[] = { "CustomHeaders", "NotifyParameters", "ProxyList", "Mirrors", "ResponseHeaders", "SourceTrouble" };
        const char *url = !file                        ? NULL
                          : streq(name, "Url")           ? file->url
                          : streq(name, "RedirectedUrl") ? job_file_response(file)->url
                                                         : NULL;
        _cleanup_free_ char *redacted = NULL;
        int r;

        if (url) {
                redacted = job_url_redact(url);
                if (!redacted)
                        return -ENOMEM;
                r = append_string(m, redacted);
                return r < 0 ? r : 1;
        }
        for (size_t i = 0; i < ELEMENTSOF(empty); i++)
                if (streq(name, empty[i])) {
                        r = append_string(m, "");
                        return r < 0 ? r : 1;
                }
        return 0;
}

/* ---- pages ---- */

int bus_page_room(uint32_t limit, struct bus_page_room *ret, sd_bus_error *error) {
        if (limit < 1 || limit > LIMIT_PAGE)
                return bus_set_error(error, ERROR_INVALID_ARGUMENT, "A page has 1 to 100 entries.");
        *ret = (struct bus_page_room) { .n_rows = limit, .n_values = LIMIT_PAGE_VALUES };
        return 0;
}

bool bus_page_takes(struct bus_page_room *room, size_t n_values) {
        if (room->n_rows == 0 || (room->begun && n_values > room->n_values))
                return false;
        room->n_rows--;
        room->n_values -= MIN(n_values, room->n_values);
        room->begun = true;
        return true;
}

/* ---- a job ---- */

struct job_property {
        const char *name;
        const char *signature;
        unsigned kind;
        int (*append)(sd_bus_message *m, struct manager *manager, const struct job *job);
};

#define JOB_PROPERTY(name, signature, kind, expression)                                                            \
        static int append_job_##name(sd_bus_message *m, struct manager *manager _unused_, const struct job *job) { \
                return expression;                                                                                 \
        }
#include "bus/job_properties.def"
#undef JOB_PROPERTY

static const struct job_property job_properties[] = {
#define JOB_PROPERTY(name, signature, kind, expression) { #name, signature, PROPERTY_##kind, append_job_##name },
#include "bus/job_properties.def"
#undef JOB_PROPERTY
};

static const struct job_property *find_job_property(const char *name) {
        for (size_t i = 0; i < ELEMENTSOF(job_properties); i++)
                if (streq(job_properties[i].name, name))
                        return &job_properties[i];
        return NULL;
}

static int append_job_value(sd_bus_message *m, const struct peer *viewer, const struct job *job, const struct job_property *property) {
        int r = viewer->uid == job->owner ? 0 : append_for_others(m, property->name, NULL);

        return r != 0 ? MIN(r, 0) : property->append(m, viewer->server->manager, job);
}

int bus_append_job(sd_bus_message *m, const struct peer *viewer, const struct job *job, unsigned kinds) {
        int r = sd_bus_message_open_container(m, 'a', "{sv}");

        for (size_t i = 0; r >= 0 && i < ELEMENTSOF(job_properties); i++) {
                const struct job_property *property = &job_properties[i];

                if (!(property->kind & kinds))
                        continue;
                r = open_entry(m, property->name, property->signature);
                if (r >= 0)
                        r = append_job_value(m, viewer, job, property);
                if (r >= 0)
                        r = close_entry(m);
        }
        return r < 0 ? r : sd_bus_message_close_container(m);
}

size_t bus_values_of_job(void) {
        return ELEMENTSOF(job_properties);
}

int bus_append_job_property(sd_bus_message *m, const struct peer *viewer, const struct job *job, const char *name) {
        const struct job_property *property = find_job_property(name);

        return property ? append_job_value(m, viewer, job, property) : -ENOENT;
}

const char *bus_job_property_signature(const char *name) {
        const struct job_property *property = find_job_property(name);

        return property ? property->signature : NULL;
}

/* ---- a file ---- */

struct file_property {
        const char *name;
        const char *signature;
        bool large;
        int (*append)(sd_bus_message *m, const struct job_file *file);
};

#define FILE_PROPERTY(name, signature, expression)                                      \
        static int append_file_##name(sd_bus_message *m, const struct job_file *file) { \
                return expression;                                                      \
        }
#define FILE_PROPERTY_LARGE FILE_PROPERTY
#include "bus/file_properties.def"
#undef FILE_PROPERTY_LARGE
#undef FILE_PROPERTY

static const struct file_property file_properties[] = {
#define FILE_PROPERTY(name, signature, expression) { #name, signature, false, append_file_##name },
#define FILE_PROPERTY_LARGE(name, signature, expression) { #name, signature, true, append_file_##name },
#include "bus/file_properties.def"
#undef FILE_PROPERTY_LARGE
#undef FILE_PROPERTY
};

static const struct file_property *find_file_property(const char *name) {
        for (size_t i = 0; i < ELEMENTSOF(file_properties); i++)
                if (streq(file_properties[i].name, name))
                        return &file_properties[i];
        return NULL;
}

static int append_file_value(sd_bus_message *m, const struct peer *viewer, const struct job_file *file, const struct file_property *property) {
        int r = viewer->uid == file->job->owner ? 0 : append_for_others(m, property->name, file);

        return r != 0 ? MIN(r, 0) : property->append(m, file);
}

int bus_append_file(sd_bus_message *m, const struct peer *viewer, const struct job_file *file, bool with_large) {
        int r = sd_bus_message_open_container(m, 'a', "{sv}");

        for (size_t i = 0; r >= 0 && i < ELEMENTSOF(file_properties); i++) {
                if (file_properties[i].large && !with_large)
                        continue;
                r = open_entry(m, file_properties[i].name, file_properties[i].signature);
                if (r >= 0)
                        r = append_file_value(m, viewer, file, &file_properties[i]);
                if (r >= 0)
                        r = close_entry(m);
        }
        return r < 0 ? r : sd_bus_message_close_container(m);
}

size_t bus_values_of_file(const struct job_file *file) {
        return ELEMENTSOF(file_properties) + file->n_ranges + file->received.n_items;
}

int bus_append_file_property(sd_bus_message *m, const struct peer *viewer, const struct job_file *file, const char *name) {
        const struct file_property *property = find_file_property(name);

        return property ? append_file_value(m, viewer, file, property) : -ENOENT;
}

const char *bus_file_property_signature(const char *name) {
        const struct file_property *property = find_file_property(name);

        return property ? property->signature : NULL;
}

/* ---- a line of the history ---- */

#define HISTORY_VALUES 24 /* with those of an error */

static int append_history_numbers(sd_bus_message *m, const struct history_entry *entry) {
        const struct {
                const char *name;
                uint64_t value;
        } numbers[] = {
                { "FilesTotal", entry->n_files },
                { "FilesTransferred", entry->n_files_transferred },
                { "BytesTotal", entry->bytes_total },
                { "BytesTransferred", entry->bytes_transferred },
                { "BytesFromOrigin", entry->bytes_from_origin },
                { "CreatedTime", entry->created_usec },
                { "TransferredTime", entry->transferred_usec },
                { "FinishedTime", entry->finished_usec },
        };
        int r = 0;

        for (size_t i = 0; r >= 0 && i < ELEMENTSOF(numbers); i++)
                r = entry_u64(m, numbers[i].name, numbers[i].value);
        return r;
}

int bus_append_history(sd_bus_message *m, const struct history_entry *entry) {
        char id[GUID_STRING_MAX];
        int r = sd_bus_message_open_container(m, 'a', "{sv}");

        guid_to_string(&entry->id, id);
        if (r >= 0)
                r = entry_string(m, "Id", id);
        if (r >= 0)
                r = entry_string(m, "Family", job_family_name(entry->family));
        if (r >= 0)
                r = entry_string(m, "State", job_state_name(entry->state));
        if (r >= 0)
                r = entry_string(m, "Name", entry->name);
        if (r >= 0)
                r = entry_string(m, "Url", entry->url);
        if (r >= 0)
                r = entry_bytes(m, "Path", entry->path);
        if (r >= 0)
                r = append_history_numbers(m, entry);
        if (r >= 0)
                r = open_entry(m, "Error", "a{sv}");
        if (r >= 0)
                r = append_error(m, entry->family, &entry->error, entry->url, entry->path);
        if (r >= 0)
                r = close_entry(m);
        return r < 0 ? r : sd_bus_message_close_container(m);
}

size_t bus_values_of_history(void) {
        return HISTORY_VALUES;
}

#include "cli/cli.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

/* Fields are never removed or retyped in 1.x (dosvc(1)): what is not known is null. */

#define REPLACEMENT "\xef\xbf\xbd" /* U+FFFD */

json_t *json_of_text(const char *s) {
        _cleanup_(freep) char *clean = NULL;
        char *out;

        if (!s)
                return json_null();
        if (text_is_utf8(s, strlen(s)))
                return must(json_string(s));
        clean = out = must(malloc(strlen(s) * strlen(REPLACEMENT) + 1));
        while (*s) {
                size_t n = 4;

                /* The longest well-formed character that begins here, if any. */
                while (n > 0 && (strnlen(s, n) < n || !text_is_utf8(s, n)))
                        n--;
                if (n == 0)
                        out = stpcpy(out, REPLACEMENT);
                else
                        out = mempcpy(out, s, n);
                s += n ? n : 1;
        }
        *out = 0;
        return must(json_string(clean));
}

/* "" is null as well: the library's word for "none". */
static json_t *text_or_null(const char *s) {
        return json_of_text(s && *s ? s : NULL);
}

static json_t *number_or_null(uint64_t n) {
        return n > INT64_MAX ? json_null() : must(json_integer((json_int_t) n));
}

static json_t *time_or_null(uint64_t usec) {
        char buffer[FORMAT_SHORT];

        return usec == 0 || usec == DOSVC_UNKNOWN ? json_null() : must(json_string(format_rfc3339(usec, buffer)));
}

/* A path that is not UTF-8 also comes as the hexadecimal digits of its bytes. */
static void set_path(json_t *object, const char *path) {
        json_t *bytes = json_null();

        if (path && !text_is_utf8(path, strlen(path))) {
                size_t size = strlen(path);
                _cleanup_(freep) char *hex = must(malloc(2 * size + 1));

                for (size_t i = 0; i < size; i++)
                        sprintf(hex + 2 * i, "%02x", (unsigned char) path[i]);
                bytes = must(json_string(hex));
        }
        json_object_set_new(object, "path", text_or_null(path));
        json_object_set_new(object, "path_bytes", bytes);
}

json_t *json_of_failure(const dosvc_failure *failure) {
        char hresult[16];

        if (failure->hresult == 0)
                return json_null();
        snprintf(hresult, sizeof(hresult), "0x%08X", (unsigned) failure->hresult);
        return must(json_pack("{s:s, s:o, s:o, s:o, s:o, s:o}", "hresult", hresult, "name", text_or_null(failure->name), "context",
                              text_or_null(failure->context), "file", text_or_null(failure->file), "url",
                              text_or_null(failure->url), "text", text_or_null(failure->text)));
}

json_t *json_of_job(const dosvc_job_info *job) {
        bool waits = job->waiting_reason && *job->waiting_reason && strcmp(job->waiting_reason, "none") != 0;
        json_t *object = must(json_object());
        const struct {
                const char *key;
                json_t *value;
        } rows[] = {
                { "id", text_or_null(job->id) },
                { "name", json_of_text(job->name) },
                { "description", json_of_text(job->description) },
                { "family", text_or_null(job->family) },
                { "kind", text_or_null(job->kind) },
                { "volatile", json_boolean(job->is_volatile) },
                { "instance", text_or_null(job->instance) },
                { "owner", number_or_null(job->owner) },
                { "state", text_or_null(job->state) },
                { "state_since", time_or_null(job->state_since) },
                { "priority", text_or_null(job->priority) },
                { "bytes_total", number_or_null(job->bytes_total) },
                { "bytes_transferred", number_or_null(job->bytes_transferred) },
                { "bytes_durable", number_or_null(job->bytes_durable) },
                { "bytes_fetched", number_or_null(job->bytes_fetched) },
                { "files_total", number_or_null(job->files_total) },
                { "files_transferred", number_or_null(job->files_transferred) },
                { "waiting_reason", waits ? text_or_null(job->waiting_reason) : json_null() },
                { "waiting_text", waits ? text_or_null(job->waiting_text) : json_null() },
                { "waiting_since", waits ? time_or_null(job->waiting_since) : json_null() },
                { "retry_time", time_or_null(job->retry_time) },
                { "created", time_or_null(job->created) },
                { "modified", time_or_null(job->modified) },
                { "transferred", time_or_null(job->transferred) },
                { "error_count", number_or_null(job->error_count) },
                { "error", json_of_failure(&job->error) },
                { "notify_flags", number_or_null(job->notify_flags) },
                { "minimum_retry_delay", number_or_null(job->minimum_retry_delay) },
                { "max_rate", number_or_null(job->max_rate) },
                { "no_progress_timeout", number_or_null(job->no_progress_timeout) },
                { "life_time", number_or_null(job->life_time) },
                { "complete_when_transferred", json_boolean(job->complete_when_transferred) },
                { "replace", json_boolean(job->replace) },
                { "remote_time", json_boolean(job->remote_time) },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++)
                json_object_set_new(object, rows[i].key, rows[i].value);
        return object;
}

json_t *json_of_file(const dosvc_file_info *file) {
        json_t *object = must(json_object());
        char hex[65];

        for (size_t i = 0; file->sha256 && i < 32; i++)
                sprintf(hex + 2 * i, "%02x", file->sha256[i]);
        json_object_set_new(object, "index", number_or_null(file->index));
        json_object_set_new(object, "url", text_or_null(file->url));
        set_path(object, file->path);
        json_object_set_new(object, "state", text_or_null(file->state));
        json_object_set_new(object, "temporary_name", text_or_null(file->temporary_name));
        json_object_set_new(object, "bytes_total", number_or_null(file->bytes_total));
        json_object_set_new(object, "bytes_transferred", number_or_null(file->bytes_transferred));
        json_object_set_new(object, "bytes_durable", number_or_null(file->bytes_durable));
        json_object_set_new(object, "stated_size", number_or_null(file->stated_size));
        json_object_set_new(object, "sha256", file->sha256 ? must(json_string(hex)) : json_null());
        json_object_set_new(object, "integrity", text_or_null(file->integrity));
        json_object_set_new(object, "integrity_mandatory", json_boolean(file->integrity_mandatory));
        json_object_set_new(object, "encrypted", json_boolean(file->encrypted));
        json_object_set_new(object, "length_unverified", json_boolean(file->length_unverified));
        json_object_set_new(object, "mirrors", text_or_null(file->mirrors));
        json_object_set_new(object, "source", text_or_null(file->source));
        json_object_set_new(object, "sources", text_or_null(file->sources));
        json_object_set_new(object, "source_trouble", text_or_null(file->source_trouble));
        json_object_set_new(object, "connections", json_integer(file->connections));
        return object;
}

json_t *json_of_history(const dosvc_history_info *entry) {
        json_t *object = must(json_object());

        json_object_set_new(object, "id", text_or_null(entry->id));
        json_object_set_new(object, "name", json_of_text(entry->name));
        json_object_set_new(object, "family", text_or_null(entry->family));
        json_object_set_new(object, "instance", text_or_null(entry->instance));
        json_object_set_new(object, "state", text_or_null(entry->state));
        json_object_set_new(object, "url", text_or_null(entry->url));
        set_path(object, entry->path);
        json_object_set_new(object, "files_total", number_or_null(entry->files_total));
        json_object_set_new(object, "files_transferred", number_or_null(entry->files_transferred));
        json_object_set_new(object, "bytes_total", number_or_null(entry->bytes_total));
        json_object_set_new(object, "bytes_transferred", number_or_null(entry->bytes_transferred));
        json_object_set_new(object, "bytes_from_origin", number_or_null(entry->bytes_from_origin));
        json_object_set_new(object, "created", time_or_null(entry->created));
        json_object_set_new(object, "transferred", time_or_null(entry->transferred));
        json_object_set_new(object, "finished", time_or_null(entry->finished));
        json_object_set_new(object, "error", json_of_failure(&entry->error));
        return object;
}

json_t *json_of_service(const dosvc_service_info *info) {
        return must(json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "version", text_or_null(info->version),
                              "address", text_or_null(info->address), "state_directory", text_or_null(info->state_directory),
                              "sandbox", text_or_null(info->sandbox), "pid", number_or_null(info->pid), "transfer_pid",
                              info->transfer_pid ? number_or_null(info->transfer_pid) : json_null(), "jobs",
                              number_or_null(info->jobs), "jobs_active", number_or_null(info->jobs_active), "started",
                              time_or_null(info->started), "memory_bytes", number_or_null(info->memory_bytes),
                              "backup_time", time_or_null(info->backup_time), "restored_from", time_or_null(info->restored_from),
                              "network", *info->network ? text_or_null(info->network) : json_null(), "network_cost",
                              number_or_null(info->network_cost), "battery",
                              info->battery == UINT32_MAX ? json_null() : number_or_null(info->battery)));
}

json_t *json_of_config(const dosvc_config_info *entry) {
        bool is_number = strcmp(entry->type, "bool") != 0 && strcmp(entry->type, "path") != 0;

        return must(json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:b}", "key", text_or_null(entry->key), "value",
                              json_of_text(entry->value), "source", text_or_null(entry->source), "unit", text_or_null(entry->unit),
                              "text", text_or_null(entry->text), "type", text_or_null(entry->type), "min",
                              is_number ? number_or_null(entry->min) : json_null(), "max",
                              is_number ? number_or_null(entry->max) : json_null(), "default", json_of_text(entry->initial),
                              "needs_restart", entry->needs_restart));
}

static int append_job(const dosvc_job_info *job, void *userdata) {
        json_array_append_new(userdata, json_of_job(job));
        return 0;
}

void json_append_job(json_t *array, dosvc *connection, const char *id) {
        if (dosvc_get_job(connection, id, append_job, array) < 0)
                json_array_append_new(array, must(json_pack("{s:s}", "id", id)));
}

int json_print(json_t *value, bool compact) {
        size_t flags = compact ? JSON_COMPACT : JSON_INDENT(2);
        bool good = json_dumpf(value, stdout, flags | JSON_PRESERVE_ORDER | JSON_ENCODE_ANY) == 0 && putchar('\n') != EOF &&
                    fflush(stdout) == 0;

        json_decref(value);
        if (good)
                return EXIT_DONE;
        report("cannot write to stdout: %m");
        return EXIT_OTHER;
}

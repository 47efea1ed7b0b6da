#include "cli/cli.h"

#include <inttypes.h>
#include <jansson.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* The verbs that look. */

#define LIST_COLUMNS 8
#define HISTORY_LINES 100
#define WATCH_ENDED 1000
#define COST_METERED 0x2 /* BITS_COST_STATE */
#define COST_ROAMING 0x80

/* ---- list ---- */

struct list {
        const struct arguments *arguments;
        bool of_all;   /* users */
        json_t *array; /* --json */
        struct table table;
};

static char *user_name(uint32_t uid) {
        const struct passwd *user = getpwuid(uid);

        return user ? text(user->pw_name) : must_printf("%" PRIu32, uid);
}

/* Why it does not move and since when, or what is wrong with it. */
char *note_of(const dosvc_job_info *job) {
        bool waits = job->waiting_reason && *job->waiting_reason && strcmp(job->waiting_reason, "none") != 0;
        uint64_t now = now_realtime_usec();
        char since[FORMAT_SHORT];
        _cleanup_(freep) char *waiting = NULL, *failure = NULL;

        waiting = waits ? must_printf("%s since %s", job->waiting_text,
                                      format_duration(now > job->waiting_since ? (now - job->waiting_since) / 1000000 : 0, since))
                        : text("");
        failure = job->error.hresult ? failure_sentence(&job->error) : text("");
        return must_printf("%s%s%s%s", strcmp(job->kind, "job") == 0 ? "" : *waiting || *failure ? "download; " : "download", waiting,
                           *waiting && *failure ? "; " : "", failure);
}

static int list_add(const dosvc_job_info *job, void *userdata) {
        struct list *list = userdata;
        char percent[FORMAT_SHORT], size[FORMAT_SHORT], *cells[LIST_COLUMNS];
        size_t n = 0;

        if (list->array) {
                json_array_append_new(list->array, json_of_job(job));
                return 0;
        }
        cells[n++] = text(job->id);
        if (list->of_all)
                cells[n++] = user_name(job->owner);
        cells[n++] = text(job->state);
        cells[n++] = text(format_percent(job->bytes_transferred, job->bytes_total, percent));
        cells[n++] = text(format_size(job->bytes_total, size));
        cells[n++] = must_printf("%" PRIu64 "/%" PRIu64, job->files_transferred, job->files_total);
        cells[n++] = text(job->name);
        cells[n++] = note_of(job);
        table_add(&list->table, cells);
        return 0;
}

static int list_one_service(dosvc *connection, void *userdata) {
        struct list *list = userdata;

        return (list->of_all ? dosvc_list_all_jobs : dosvc_list_jobs)(connection, list->arguments->values[OPTION_FAMILY], list_add, list);
}

int command_list(const struct arguments *arguments) {
        const bool of_all = option_given(arguments, OPTION_ALL_USERS);
        struct list list = { .arguments = arguments, .of_all = of_all,
                             .table = { .n_columns = LIST_COLUMNS - !of_all, .right_aligned = UINT64_C(0x1c) << of_all, .name_column = 5 + of_all } };
        int code;

        if (option_given(arguments, OPTION_JSON))
                list.array = must(json_array());
        else
                table_add(&list.table, of_all ? (char *[]) { text("ID"), text("USER"), text("STATE"), text("DONE"), text("SIZE"), text("FILES"),
                                                             text("NAME"), text("") }
                                              : (char *[]) { text("ID"), text("STATE"), text("DONE"), text("SIZE"), text("FILES"), text("NAME"),
                                                             text("") });
        code = connect_each(arguments, list_one_service, &list);
        if (list.array) {
                if (code == EXIT_DONE)
                        return json_print(list.array, false);
                json_decref(list.array);
                return code;
        }
        if (code == EXIT_DONE) {
                table_shorten_ids(&list.table);
                table_print(&list.table);
                code = finish_output();
        }
        table_done(&list.table);
        return code;
}

/* ---- show ---- */

static void print_field(const char *name, const char *value) {
        _cleanup_(freep) char *shown = format_printable(value);

        printf("%14s: %s\n", name, shown);
}

static void print_time(const char *name, uint64_t usec) {
        char buffer[FORMAT_SHORT];

        if (usec)
                print_field(name, format_local_time(usec, buffer));
}

static void print_bytes(const dosvc_job_info *job) {
        char done[FORMAT_SHORT], durable[FORMAT_SHORT], total[FORMAT_SHORT], percent[FORMAT_SHORT];
        _cleanup_(freep) char *line = NULL;

        line = must_printf("%s of %s (%s), %s of it safe on disk", format_size(job->bytes_transferred, done), format_size(job->bytes_total, total),
                           format_percent(job->bytes_transferred, job->bytes_total, percent), format_size(job->bytes_durable, durable));
        print_field("bytes", line);
}

static int show_job(const dosvc_job_info *job, void *userdata) {
        _cleanup_(freep) char *failure = NULL, *files = NULL, *switches = NULL, *owner = NULL;
        bool waits = job->waiting_reason && *job->waiting_reason && strcmp(job->waiting_reason, "none") != 0;

        if (userdata) {
                json_array_append_new(userdata, json_of_job(job));
                return 0;
        }
        print_field("id", job->id);
        print_field("name", job->name);
        if (job->description && *job->description)
                print_field("description", job->description);
        if (job->owner != getuid()) {
                owner = user_name(job->owner);
                print_field("owner", owner);
        }
        print_field("state", job->state);
        print_time("since", job->state_since);
        if (waits) {
                print_field("waits", job->waiting_text);
                print_time("since", job->waiting_since);
        }
        print_time("next try", job->retry_time);
        if (job->error.hresult) {
                failure = failure_sentence(&job->error);
                print_field("error", failure);
        }
        print_bytes(job);
        files = must_printf("%" PRIu64 " of %" PRIu64, job->files_transferred, job->files_total);
        print_field("files", files);
        print_field("priority", job->priority);
        print_field("family", job->family);
        if (strcmp(job->kind, "job") != 0)
                print_field("kind", job->is_volatile ? "download, ends with its program" : job->kind);
        print_field("instance", job->instance);
        switches = must_printf("%s%s%s", job->complete_when_transferred ? "complete_when_transferred " : "", job->replace ? "replace " : "",
                               job->remote_time ? "remote_time " : "");
        if (*switches)
                print_field("switches", switches);
        print_time("created", job->created);
        print_time("transferred", job->transferred);
        return 0;
}

static void show_guards(const dosvc_file_info *file) {
        static const struct {
                const char *integrity, *text;
        } words[] = {
                { "checking", "each piece is checked as it arrives" },
                { "verified", "every piece has the right hash" },
                { "partial", "every whole piece inside the ranges has the right hash, their edges are NOT checked" },
                { "unavailable", "NOT checked: there is no piece hash file that could be used" },
        };

        for (size_t i = 0; i < ELEMENTSOF(words); i++)
                if (strcmp(words[i].integrity, file->integrity) == 0)
                        printf("%14s: %s%s\n", "integrity", words[i].text, file->integrity_mandatory ? " (mandatory)" : "");
        if (file->encrypted)
                printf("%14s: what is fetched is encrypted; what is published is not\n", "encryption");
}

/* Where there was a choice, or trouble. */
static void show_sources(const dosvc_file_info *file) {
        _cleanup_(freep) char *source = format_printable(file->source), *trouble = format_printable(file->source_trouble);

        if (*source)
                printf("%14s: %s\n", "source", source);
        for (const char *p = file->sources; *p;) {
                _cleanup_(freep) char *line = must_printf("%.*s", (int) strcspn(p, "\n"), p);
                _cleanup_(freep) char *shown = format_printable(line);

                printf("%14s  %s\n", "", shown);
                p += strlen(line);
                p += *p == '\n';
        }
        if (*trouble)
                printf("%14s: %s\n", "left", trouble);
}

static int show_file(const dosvc_file_info *file, void *userdata) {
        _cleanup_(freep) char *url = NULL, *path = NULL;
        char done[FORMAT_SHORT], total[FORMAT_SHORT];

        if (userdata) {
                json_array_append_new(userdata, json_of_file(file));
                return 0;
        }
        url = format_printable(file->url);
        path = format_printable(file->path);
        printf("\n%14" PRIu32 ": %s\n%14s: %s\n%14s: %s, %s of %s%s\n", file->index, path, "from", url, "state", file->state,
               format_size(file->bytes_transferred, done), format_size(file->bytes_total, total),
               file->length_unverified ? ", length unverified" : "");
        show_sources(file);
        if (file->connections > 1)
                printf("%14s: %" PRIu32 "\n", "connections", file->connections);
        show_guards(file);
        return 0;
}

static int show_one(const struct arguments *arguments, const char *given, json_t *results) {
        _cleanup_(dosvc_closep) dosvc *connection = NULL;
        _cleanup_(freep) char *what = must_printf("show %s", given);
        json_t *files = NULL;
        char id[DOSVC_ID_SIZE];
        int32_t r;
        int code;

        code = connect_job(arguments, given, what, &connection, id);
        if (code)
                return code;
        r = dosvc_get_job(connection, id, show_job, results);
        if (r < 0)
                return report_failure(connection, r, what);
        if (results) {
                files = must(json_array());
                json_object_set_new(json_array_get(results, json_array_size(results) - 1), "files", files);
        }
        r = dosvc_list_files(connection, id, show_file, files);
        if (r < 0)
                return report_failure(connection, r, what);
        return option_given(arguments, OPTION_ALL)
                       ? show_properties(connection, id, what, results ? json_array_get(results, json_array_size(results) - 1) : NULL)
                       : EXIT_DONE;
}

int command_show(const struct arguments *arguments) {
        json_t *results = option_given(arguments, OPTION_JSON) ? must(json_array()) : NULL;
        int code, first = EXIT_DONE;

        for (int i = 0; i < arguments->n_operands; i++) {
                if (i > 0 && !results)
                        putchar('\n');
                code = show_one(arguments, arguments->operands[i], results);
                if (first == EXIT_DONE)
                        first = code;
        }
        code = results ? json_print(results, false) : finish_output();
        return first ? first : code;
}

/* ---- watch ---- */

struct watch {
        bool json;
        bool all;
        int exit_code;
        struct meter *meter;
        char *failure;
};

static void watch_judge(struct watch *watch, const dosvc_job_info *job, bool *ret_ended) {
        *ret_ended = true;
        if (strcmp(job->state, "acknowledged") == 0)
                watch->exit_code = EXIT_DONE;
        else if (strcmp(job->state, "cancelled") == 0)
                watch->exit_code = EXIT_OTHER;
        else if (strcmp(job->state, "error") == 0 || (strcmp(job->state, "transferred") == 0 && job->error.hresult)) {
                watch->exit_code = exit_code_of(&job->error);
                watch->failure = failure_sentence(&job->error);
        } else if (strcmp(job->state, "transferred") == 0 && !job->complete_when_transferred)
                watch->exit_code = EXIT_DONE;
        else
                *ret_ended = false;
}

static int on_watch(const dosvc_job_info *job, void *userdata) {
        struct watch *watch = userdata;
        bool ended = false;

        if (!watch->all)
                watch_judge(watch, job, &ended);
        if (watch->json) {
                watch->exit_code = json_print(json_of_job(job), true) ? EXIT_OTHER : watch->exit_code;
                ended = ended || ferror(stdout);
        } else if (watch->all || ended) {
                _cleanup_(freep) char *label = must_printf("%.8s %s %s", job->id, job->state, job->name), *line = meter_line(label, job, 0, 0);

                meter_clear(watch->meter);
                printf("%s\n", line);
                ended = ended || fflush(stdout) != 0;
        } else
                meter_show(watch->meter, job, now_monotonic_usec());
        return ended ? WATCH_ENDED : 0;
}

int command_watch(const struct arguments *arguments) {
        _cleanup_(dosvc_closep) dosvc *connection = NULL;
        struct watch watch = { .json = option_given(arguments, OPTION_JSON), .all = arguments->n_operands == 0 };
        char id[DOSVC_ID_SIZE];
        int32_t r;
        int code;

        code = watch.all ? connect_service(arguments, &connection)
                         : connect_job(arguments, arguments->operands[0], "watch", &connection, id);
        if (code)
                return code;
        watch.meter = meter_new(watch.all ? "" : id);
        if (watch.all || watch.json)
                r = dosvc_watch(connection, watch.all ? NULL : id, -1, on_watch, &watch);
        else
                r = meter_watch(watch.meter, connection, id, on_watch, &watch);
        watch.meter = meter_free(watch.meter);
        if (r < 0)
                return report_failure(connection, r, "watch");
        if (watch.failure)
                report("watch: %s", watch.failure);
        free(watch.failure);
        code = watch.json ? EXIT_DONE : finish_output();
        return watch.exit_code ? watch.exit_code : code;
}

/* ---- history, config, service ---- */

struct history {
        const struct arguments *arguments;
        size_t max;
        json_t *array;
        struct table table;
};

static int history_add(const dosvc_history_info *entry, void *userdata) {
        struct history *history = userdata;
        char time[FORMAT_SHORT], size[FORMAT_SHORT];

        if (history->array) {
                json_array_append_new(history->array, json_of_history(entry));
                return 0;
        }
        table_add(&history->table, (char *[]) { must_printf("%.8s", entry->id), text(entry->state), text(format_local_time(entry->finished, time)),
                                                text(format_size(entry->bytes_transferred, size)), text(entry->name),
                                                entry->error.hresult ? failure_sentence(&entry->error) : text(entry->path) });
        return 0;
}

static int history_of_one_service(dosvc *connection, void *userdata) {
        struct history *history = userdata;

        return dosvc_list_history(connection, history->max, history_add, history);
}

int command_history(const struct arguments *arguments) {
        struct history history = { .arguments = arguments, .max = HISTORY_LINES, .table = { .n_columns = 6, .right_aligned = 1 << 3, .name_column = 4 } };
        uint64_t lines;
        int code;

        if (option_given(arguments, OPTION_LINES)) {
                if (option_number(arguments, OPTION_LINES, &lines) < 0)
                        return EXIT_USAGE;
                history.max = lines;
        }
        if (option_given(arguments, OPTION_JSON))
                history.array = must(json_array());
        else
                table_add(&history.table, (char *[]) { text("ID"), text("END"), text("FINISHED"), text("SIZE"), text("NAME"), text("") });
        code = connect_each(arguments, history_of_one_service, &history);
        if (history.array) {
                if (code == EXIT_DONE)
                        return json_print(history.array, false);
                json_decref(history.array);
                return code;
        }
        if (code == EXIT_DONE) {
                table_print(&history.table);
                code = finish_output();
        }
        table_done(&history.table);
        return code;
}

struct config {
        json_t *array;
        struct table table;
};

static char *range_of(const dosvc_config_info *entry) {
        static const struct {
                const char *type, *text;
        } forms[] = {
                { "bool", "yes or no" },
                { "path", "absolute path or empty" },
                { "hosts", "HOST[:PORT],... or empty" },
                { "users", "names or empty" },
                { "hours", "FROM-TO INSIDE% OUTSIDE% or empty" },
                { "words", "WORD,... or empty" },
        };

        for (size_t i = 0; i < sizeof(forms) / sizeof(*forms); i++)
                if (strcmp(entry->type, forms[i].type) == 0)
                        return text(forms[i].text);
        return must_printf("%" PRIu64 " to %" PRIu64, entry->min, entry->max);
}

static int config_add(const dosvc_config_info *entry, void *userdata) {
        struct config *config = userdata;

        if (config->array)
                json_array_append_new(config->array, json_of_config(entry));
        else
                table_add(&config->table, (char *[]) { must_printf("%s=%s", entry->key, entry->value), text(entry->unit), range_of(entry),
                                                       text(entry->source),
                                                       entry->needs_restart ? must_printf("%s (after a restart)", entry->text)
                                                                            : text(entry->text) });
        return 0;
}

static int reload_config(const struct arguments *arguments, dosvc *connection) {
        uint32_t changed;
        int32_t r = dosvc_reload_config(connection, &changed);

        if (r < 0)
                return report_failure(connection, r, "config");
        if (option_given(arguments, OPTION_JSON))
                return json_print(must(json_pack("{sI}", "changed", (json_int_t) changed)), false);
        printf("read again; settings that changed: %" PRIu32 "\n", changed);
        return finish_output();
}

int command_config(const struct arguments *arguments) {
        _cleanup_(dosvc_closep) dosvc *connection = NULL;
        struct config config = { .table = { .n_columns = 5 } };
        int32_t r;
        int code;

        code = connect_service(arguments, &connection);
        if (code)
                return code;
        if (option_given(arguments, OPTION_RELOAD))
                return reload_config(arguments, connection);
        config.array = option_given(arguments, OPTION_JSON) ? must(json_array()) : NULL;
        table_add(&config.table, (char *[]) { text("KEY=VALUE"), text("UNIT"), text("RANGE"), text("SOURCE"), text("") });
        r = dosvc_list_config(connection, config_add, &config);
        if (r < 0) {
                json_decref(config.array);
                code = report_failure(connection, r, "config");
        } else if (config.array)
                code = json_print(config.array, false);
        else {
                table_print(&config.table);
                code = finish_output();
        }
        table_done(&config.table);
        return code;
}

/* What jobs may have to wait for. */
static void print_conditions(const dosvc_service_info *info) {
        static const struct {
                const char *network, *text;
        } networks[] = {
                { "none", "reaches nobody" },
                { "portal", "wants somebody to log on to it first" },
                { "local", "reaches neighbours only" },
                { "full", "reaches everywhere" },
        };
        _cleanup_(freep) char *network = NULL, *battery = NULL;

        for (size_t i = 0; i < sizeof(networks) / sizeof(*networks); i++)
                if (strcmp(networks[i].network, info->network) == 0)
                        network = must_printf("%s%s%s", networks[i].text, info->network_cost & COST_METERED ? ", metered" : "",
                                              info->network_cost & COST_ROAMING ? ", roaming" : "");
        if (network)
                print_field("network", network);
        if (info->battery == UINT32_MAX)
                return;
        battery = must_printf("in use, %" PRIu32 " %%", info->battery);
        print_field("battery", battery);
}

static int show_service(const dosvc_service_info *info, void *userdata) {
        char size[FORMAT_SHORT];
        _cleanup_(freep) char *jobs = NULL, *pids = NULL;

        if (userdata) {
                *(json_t **) userdata = json_of_service(info);
                return 0;
        }
        jobs = must_printf("%" PRIu64 ", %" PRIu64 " of them active", info->jobs, info->jobs_active);
        pids = must_printf("%" PRIu32 ", transfer process %" PRIu32, info->pid, info->transfer_pid);
        print_field("version", info->version);
        print_field("address", info->address);
        print_field("state", info->state_directory);
        print_field("sandbox", info->sandbox);
        print_field("pid", pids);
        print_field("jobs", jobs);
        print_time("started", info->started);
        print_field("memory", format_size(info->memory_bytes, size));
        print_conditions(info);
        if (info->backup_time > 0)
                print_time("backup", info->backup_time);
        if (info->restored_from > 0)
                print_time("restored from", info->restored_from);
        return 0;
}

int command_service(const struct arguments *arguments) {
        _cleanup_(dosvc_closep) dosvc *connection = NULL;
        json_t *object = NULL;
        bool json = option_given(arguments, OPTION_JSON);
        int32_t r;
        int code;

        code = connect_service(arguments, &connection);
        if (code)
                return code;
        r = dosvc_get_service(connection, show_service, json ? &object : NULL);
        if (r < 0)
                return report_failure(connection, r, "service");
        return json ? json_print(object, false) : finish_output();
}

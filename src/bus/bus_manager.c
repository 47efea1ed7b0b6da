/* org.dosvc.Manager1 at /org/dosvc. */
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "base/strings.h"
#include "bus/options.h"
#include "bus/private.h"

/* ---- CreateJob ---- */

static int append_created(sd_bus_message *reply, const struct manager_reply *answer) {
        char id[GUID_STRING_MAX];

        guid_to_string(&answer->id, id);
        return sd_bus_message_append(reply, "sb", id, (int) answer->attached);
}

static struct manager_create_request make_request(const struct peer *peer, const char *name,
                                                  const struct create_options *options, const struct file_list *files) {
        uint64_t life = options->life_time_s < 0 ? 0 : (uint64_t) options->life_time_s;

        return (struct manager_create_request) {
                .owner = peer->uid,
                .family = (enum job_family) options->family,
                .kind = (enum job_kind) options->kind,
                .client = options->is_volatile ? peer : NULL,
                .name = name,
                .description = options->description,
                .proxy_environment = options->proxy_environment,
                .priority = (int) options->priority,
                .complete_when_transferred = options->complete_when_transferred,
                .replace = options->replace,
                .remote_time = options->remote_time,
                .resume = options->resume,
                .attach = options->attach,
                .no_progress_timeout_s = options->no_progress_timeout_s,
                .minimum_retry_delay_s = options->minimum_retry_delay_s,
                .notify_flags = options->notify_flags,
                .max_rate = options->max_rate,
                .life_time_usec = life * USEC_PER_SEC,
                .files = files->items,
                .n_files = files->n_items,
        };
}

static int method_create_job(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        struct peer *peer = peer_of_call(userdata);
        _cleanup_(file_list_done) struct file_list files = {};
        struct manager_create_request request;
        const struct manager_limits *limits = manager_get_limits(peer->server->manager);
        struct options_limits room = { .files = limits->max_files_per_job, .ranges = limits->max_ranges_per_file };
        struct create_options options;
        struct options_text text;
        struct bus_call *call;
        const char *name;
        int r;

        r = sd_bus_message_read_basic(m, 's', &name);
        if (r < 0)
                return r;
        r = options_read_create(m, &options, &text);
        if (r == 0)
                r = options_read_files(m, (uint32_t) options.umask, &room, &files, &text);
        if (r != 0)
                return bus_set_error(error, r, text.text);
        r = bus_call_new(peer, m, append_created, error, &call);
        if (r < 0)
                return r;
        request = make_request(peer, name, &options, &files);
        manager_create_job(peer->server->manager, &request, bus_call_answer, call);
        return 1;
}

/* ---- finding and listing ---- */

/* Which jobs are meant: a family's leave its downloads out, as IBackgroundCopyManager does. */
struct filter {
        int family; /* -1: any */
        int kind;   /* -1: any */
};

static int read_filter(sd_bus_message *m, struct filter *ret, sd_bus_error *error) {
        const char *word;
        int r;

        r = sd_bus_message_read_basic(m, 's', &word);
        if (r < 0)
                return r;
        *ret = (struct filter) { -1, -1 };
        if (!*word)
                return 0;
        ret->family = job_family_from_name(word);
        ret->kind = ret->family >= 0 ? JOB_KIND_JOB : job_kind_from_name(word);
        if (ret->family < 0 && ret->kind != JOB_KIND_DOWNLOAD)
                return bus_set_error(error, ERROR_INVALID_ARGUMENT, "The family is \"do\", \"bits\", \"download\" or empty.");
        return 0;
}

static bool filter_lets_pass(const struct filter *filter, const struct job *job) {
        return (filter->family < 0 || job->family == (enum job_family) filter->family) &&
               (filter->kind < 0 || job->kind == (enum job_kind) filter->kind);
}

/* Among all: only for an administrator. */
static int find_by_words(struct peer *peer, const char *id, bool among_all, struct job **ret) {
        struct manager *manager = peer->server->manager;
        struct guid guid;

        if (guid_from_string(id, &guid) < 0)
                return among_all ? manager_find_any_job_by_prefix(manager, id, ret) : manager_find_job_by_prefix(manager, peer->uid, id, ret);
        *ret = among_all ? manager_find_any_job(manager, &guid) : manager_find_job(manager, peer->uid, &guid);
        return *ret ? 0 : ERROR_NOT_FOUND;
}

/* The caller's own one, else, for an administrator, anybody's. 1: *ret_outcome is find_by_words()'s; 0 and < 0: as bus_authorize(). */
static int find_or_ask(struct peer *peer, sd_bus_message *m, const char *id, struct job **ret, int *ret_outcome, sd_bus_error *error) {
        int r;

        *ret_outcome = find_by_words(peer, id, false, ret);
        if (*ret_outcome != ERROR_NOT_FOUND)
                return 1;
        r = bus_authorize(peer, m, AUTHORITY_MANAGE_ALL, ERROR_NOT_FOUND, error);
        if (r > 0)
                *ret_outcome = find_by_words(peer, id, true, ret);
        return r;
}

static bool is_prefix(const char *s) {
        size_t n_digits = 0;

        for (; *s; s++) {
                if (*s == '-')
                        continue;
                if (!strchr("0123456789abcdefABCDEF", *s))
                        return false;
                n_digits++;
        }
        return n_digits >= 4 && n_digits <= 32;
}

static int method_get_job(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        struct peer *peer = peer_of_call(userdata);
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        char path[BUS_PATH_MAX];
        struct job *job = NULL;
        struct filter filter;
        const char *id;
        int outcome, r;

        r = sd_bus_message_read_basic(m, 's', &id);
        if (r >= 0)
                r = read_filter(m, &filter, error);
        if (r < 0)
                return r;
        if (!is_prefix(id))
                return bus_set_error(error, ERROR_NOT_FOUND,
                                     "An id has 32 hexadecimal digits; at least 4 of them are needed.");
        r = find_or_ask(peer, m, id, &job, &outcome, error);
        if (r <= 0)
                return r < 0 ? r : 1;
        if (outcome == ERROR_INVALID_ARGUMENT)
                return bus_set_error(error, ERROR_NOT_FOUND, "More than one job's id begins like that.");
        if (outcome != 0 || !filter_lets_pass(&filter, job))
                return bus_set_error(error, outcome < 0 ? outcome : ERROR_NOT_FOUND, "");
        bus_path_of_job(&job->id, path);
        r = sd_bus_message_new_method_return(m, &reply);
        if (r >= 0)
                r = sd_bus_message_append_basic(reply, 'o', path);
        if (r < 0)
                return r;
        return bus_reply(peer, m, TAKE_PTR(reply), manager_job_is_dirty(peer->server->manager, job), error);
}

struct page {
        uint64_t after;
        struct bus_page_room room;
};

static int read_page(sd_bus_message *m, uint64_t begin, struct page *ret, sd_bus_error *error) {
        const char *cursor;
        uint32_t limit;
        int r;

        r = sd_bus_message_read(m, "su", &cursor, &limit);
        if (r < 0)
                return r;
        ret->after = begin;
        if (*cursor && parse_u64(cursor, &ret->after) < 0)
                return bus_set_error(error, ERROR_INVALID_ARGUMENT, "The cursor is none of ours.");
        return bus_page_room(limit, &ret->room, error);
}

static int close_page(sd_bus_message *reply, uint64_t next, bool more) {
        char cursor[24];
        int r = sd_bus_message_close_container(reply);

        (void) snprintf(cursor, sizeof(cursor), "%" PRIu64, next);
        return r < 0 ? r : sd_bus_message_append_basic(reply, 's', more ? cursor : "");
}

static struct job *next_job(struct peer *peer, const struct filter *filter, bool of_all, uint64_t after, uint64_t *ret_sequence) {
        struct manager *manager = peer->server->manager;
        struct job *job;

        while ((job = of_all ? manager_next_any_job(manager, after, ret_sequence)
                             : manager_next_job(manager, peer->uid, after, ret_sequence))) {
                if (filter_lets_pass(filter, job))
                        return job;
                after = *ret_sequence;
        }
        return NULL;
}

static int list_jobs(struct peer *peer, sd_bus_message *m, bool of_all, sd_bus_error *error) {
        struct manager *manager = peer->server->manager;
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        bool dirty = false;
        uint64_t sequence;
        struct filter filter;
        struct page page;
        struct job *job;
        int r;

        r = read_filter(m, &filter, error);
        if (r >= 0)
                r = read_page(m, 0, &page, error);
        if (r >= 0)
                r = sd_bus_message_new_method_return(m, &reply);
        if (r >= 0)
                r = sd_bus_message_open_container(reply, 'a', "a{sv}");
        while (r >= 0 && bus_page_takes(&page.room, bus_values_of_job()) && (job = next_job(peer, &filter, of_all, page.after, &sequence))) {
                page.after = sequence;
                dirty |= manager_job_is_dirty(manager, job);
                r = bus_append_job(reply, peer, job, PROPERTY_ALL);
        }
        if (r >= 0)
                r = close_page(reply, page.after, next_job(peer, &filter, of_all, page.after, &sequence) != NULL);
        if (r < 0)
                return r;
        return bus_reply(peer, m, TAKE_PTR(reply), dirty, error);
}

static int method_list_jobs(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        return list_jobs(peer_of_call(userdata), m, false, error);
}

static int method_list_all_jobs(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        struct peer *peer = peer_of_call(userdata);
        int r;

        r = bus_authorize(peer, m, AUTHORITY_MANAGE_ALL, ERROR_ACCESS_DENIED, error);
        if (r <= 0)
                return r < 0 ? r : 1;
        return list_jobs(peer, m, true, error);
}

static int method_list_history(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        struct peer *peer = peer_of_call(userdata);
        struct manager *manager = peer->server->manager;
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        const struct history_entry *entry;
        uint64_t sequence;
        struct page page;
        int r;

        r = read_page(m, UINT64_MAX, &page, error);
        if (r >= 0)
                r = sd_bus_message_new_method_return(m, &reply);
        if (r >= 0)
                r = sd_bus_message_open_container(reply, 'a', "a{sv}");
        while (r >= 0 && bus_page_takes(&page.room, bus_values_of_history()) &&
               (entry = manager_next_history(manager, peer->uid, page.after, &sequence))) {
                page.after = sequence;
                r = bus_append_history(reply, entry);
        }
        if (r >= 0)
                r = close_page(reply, page.after,
                               manager_next_history(manager, peer->uid, page.after, &sequence) != NULL);
        if (r < 0)
                return r;
        return bus_reply(peer, m, TAKE_PTR(reply), manager_is_dirty(manager), error);
}

/* ---- signals ---- */

static int method_subscribe(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        struct peer *peer = peer_of_call(userdata);
        struct job *job = NULL;
        struct guid id;
        const char *s;
        int outcome, r;

        r = sd_bus_message_read_basic(m, 's', &s);
        if (r < 0)
                return r;
        if (*s && guid_from_string(s, &id) < 0)
                return bus_set_error(error, ERROR_NOT_FOUND, "");
        if (*s) {
                r = find_or_ask(peer, m, s, &job, &outcome, error);
                if (r <= 0)
                        return r < 0 ? r : 1;
                if (outcome != 0)
                        return bus_set_error(error, outcome, "");
        }
        r = peer_subscribe(peer, job);
        if (r != 0)
                return bus_set_error(error, r, "");
        return sd_bus_reply_method_return(m, NULL);
}

static int method_unsubscribe(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        struct peer *peer = peer_of_call(userdata);
        struct guid id;
        const char *s;
        int r;

        r = sd_bus_message_read_basic(m, 's', &s);
        if (r < 0)
                return r;
        if (*s && guid_from_string(s, &id) < 0)
                return bus_set_error(error, ERROR_INVALID_ARGUMENT, "That is no id.");
        peer_unsubscribe(peer, *s ? &id : NULL);
        return sd_bus_reply_method_return(m, NULL);
}

/* ---- about the service ---- */

/* What jobs may have to wait for. */
static int append_conditions(sd_bus_message *reply, const struct conditions *conditions) {
        return sd_bus_message_append(reply, "{sv}{sv}{sv}", "Network", "s", network_reach_name(conditions->network),
                                     "NetworkCost", "u", conditions->cost, "Battery", "u",
                                     conditions->battery_percent == BATTERY_NOT_USED ? UINT32_MAX : (uint32_t) conditions->battery_percent);
}

static int append_service_info(sd_bus_message *reply, const struct peer *peer) {
        const struct bus_server *server = peer->server;
        struct bus_service_info info = {
                .version = "", .state_directory = "", .sandbox = "", .pid = (uint32_t) getpid()
        };
        size_t n_active, n_jobs = manager_count_jobs(server->manager, &n_active);
        int r;

        if (server->config.host && server->config.host->info)
                server->config.host->info(server->config.host_userdata, &info);
        r = sd_bus_message_open_container(reply, 'a', "{sv}");
        if (r >= 0)
                r = sd_bus_message_append(reply, "{sv}{sv}{sv}{sv}", "Version", "s", info.version, "Pid", "u", info.pid,
                                          "Jobs", "t", (uint64_t) n_jobs, "JobsActive", "t", (uint64_t) n_active);
        if (r >= 0)
                r = sd_bus_message_append(reply, "{sv}{sv}{sv}{sv}{sv}", "TransferPid", "u", info.transfer_pid,
                                          "Sandbox", "s", info.sandbox, "Started", "t", info.started_usec, "Clients",
                                          "u", (uint32_t) server->n_peers, "MemoryBytes", "t", info.memory_bytes);
        if (r >= 0)
                r = sd_bus_message_append(reply, "{sv}{sv}", "BackupTime", "t", info.backup_usec, "RestoredFrom", "t", info.restored_usec);
        if (r >= 0)
                r = append_conditions(reply, manager_get_conditions(server->manager));
        if (r >= 0)
                r = sd_bus_message_append(reply, "{sv}", "MayOwnJobs", "b", (int) manager_may_own(server->manager, peer->uid));
        if (r >= 0)
                r = sd_bus_message_open_container(reply, 'e', "sv");
        if (r >= 0)
                r = sd_bus_message_append_basic(reply, 's', "StateDirectory");
        if (r >= 0)
                r = sd_bus_message_open_container(reply, 'v', "ay");
        if (r >= 0)
                r = sd_bus_message_append_array(reply, 'y', info.state_directory, strlen(info.state_directory));
        for (int i = 0; r >= 0 && i < 3; i++) /* variant, entry, array */
                r = sd_bus_message_close_container(reply);
        return r;
}

static int method_get_service_info(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        struct peer *peer = peer_of_call(userdata);
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        int r;

        r = sd_bus_message_new_method_return(m, &reply);
        if (r >= 0)
                r = append_service_info(reply, peer);
        if (r < 0)
                return r;
        return bus_reply(peer, m, TAKE_PTR(reply), false, error);
}

static int append_configuration(sd_bus_message *m, const struct bus_config_entry *entry) {
        return sd_bus_message_append(m, "(ssssssttsb)", entry->key, entry->value, entry->source, entry->unit, entry->text,
                                     entry->type, entry->min, entry->max, entry->initial, entry->needs_restart);
}

static int method_list_configuration(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        struct peer *peer = peer_of_call(userdata);
        const struct bus_server_config *config = &peer->server->config;
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        int r;

        r = sd_bus_message_new_method_return(m, &reply);
        if (r >= 0)
                r = sd_bus_message_open_container(reply, 'a', "(ssssssttsb)");
        for (size_t i = 0; r >= 0 && i < config->n_entries; i++)
                r = append_configuration(reply, &config->entries[i]);
        if (r >= 0)
                r = sd_bus_message_close_container(reply);
        if (r < 0)
                return r;
        return bus_reply(peer, m, TAKE_PTR(reply), false, error);
}

static int method_reload(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        struct peer *peer = peer_of_call(userdata);
        const struct bus_server_config *config = &peer->server->config;
        _cleanup_free_ char *why = NULL;
        int r;

        /* Where there is one user only, it is his own service. */
        if (config->everybody) {
                r = bus_authorize(peer, m, AUTHORITY_CHANGE_POLICY, ERROR_ACCESS_DENIED, error);
                if (r <= 0)
                        return r < 0 ? r : 1;
        }
        if (peer->server->stopping)
                return bus_set_error(error, ERROR_SHUTTING_DOWN, "");
        if (!config->host || !config->host->reload)
                return bus_set_error(error, ERROR_NOT_IMPLEMENTED, "");
        r = config->host->reload(config->host_userdata, &why);
        if (r < 0)
                return bus_set_error(error, ERROR_CONFIGURATION_BROKEN, why ? why : strerror(-r));
        return sd_bus_reply_method_return(m, "u", (uint32_t) r);
}

/* ---- the object ---- */

static const sd_bus_vtable manager_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_METHOD_WITH_ARGS("CreateJob", SD_BUS_ARGS("s", name, "a{sv}", options, "a(saya{sv})", files),
                                SD_BUS_RESULT("s", id, "b", attached), method_create_job, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("GetJob", SD_BUS_ARGS("s", id, "s", family), SD_BUS_RESULT("o", job), method_get_job,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("ListJobs", SD_BUS_ARGS("s", family, "s", cursor, "u", limit),
                                SD_BUS_RESULT("aa{sv}", jobs, "s", next), method_list_jobs, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("ListAllJobs", SD_BUS_ARGS("s", family, "s", cursor, "u", limit),
                                SD_BUS_RESULT("aa{sv}", jobs, "s", next), method_list_all_jobs, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("ListHistory", SD_BUS_ARGS("s", cursor, "u", limit),
                                SD_BUS_RESULT("aa{sv}", entries, "s", next), method_list_history,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Subscribe", SD_BUS_ARGS("s", id), SD_BUS_NO_RESULT, method_subscribe,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Unsubscribe", SD_BUS_ARGS("s", id), SD_BUS_NO_RESULT, method_unsubscribe,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("GetServiceInfo", SD_BUS_NO_ARGS, SD_BUS_RESULT("a{sv}", info), method_get_service_info,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("ListConfiguration", SD_BUS_NO_ARGS, SD_BUS_RESULT("a(ssssssttsb)", entries),
                                method_list_configuration, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Reload", SD_BUS_NO_ARGS, SD_BUS_RESULT("u", changed), method_reload, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_SIGNAL_WITH_ARGS("JobAdded", SD_BUS_ARGS("s", id, "o", job), 0),
        SD_BUS_SIGNAL_WITH_ARGS("JobRemoved", SD_BUS_ARGS("s", id, "o", job, "s", state), 0),
        SD_BUS_VTABLE_END,
};

int bus_manager_add(struct peer *peer) {
        return sd_bus_add_object_vtable(peer->bus, NULL, BUS_PATH, BUS_MANAGER_INTERFACE, manager_vtable, peer);
}

#include "daemon/service.h"

#include <linux/landlock.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "base/fds.h"
#include "base/guid.h"
#include "base/log.h"
#include "base/strings.h"
#include "bus/bus_server.h"
#include "conditions/watch.h"
#include "config.h"
#include "daemon/broker_link.h"
#include "daemon/buses.h"
#include "daemon/key_sealer.h"
#include "daemon/listeners.h"
#include "daemon/metrics.h"
#include "daemon/observer.h"
#include "daemon/polkit.h"
#include "daemon/programs.h"
#include "daemon/runner_owners.h"
#include "daemon/state_dir.h"
#include "daemon/state_lock.h"
#include "daemon/successor.h"
#include "daemon/tuning.h"
#include "daemon/uid_policy.h"
#include "daemon/watchdog.h"
#include "files/owners.h"
#include "manager/manager_loop.h"
#include "program/runner_process.h"
#include "transfer/engine_process.h"

#define STOP_TIMEOUT_USEC (10 * USEC_PER_SEC)
/* For closings and the like that were under way when all was done; a hung mount must not hold us back. */
#define FILES_PATIENCE_USEC (1 * USEC_PER_SEC)
#define FILE_THREADS 16
#define OWNER_IDLE_USEC (60 * USEC_PER_SEC)
#define CHILDREN_IDLE_EXIT_USEC (30 * USEC_PER_SEC)

struct service {
        struct service_config config;
        sd_event *event;
        struct sealer *sealer;
        struct store *store;
        struct uid_policy policy;   /* of the system instance, as is */
        struct broker_link *broker;
        struct polkit *polkit;      /* likewise */
        struct files *files;
        struct engine *engine;
        struct runner *runner;
        struct manager *manager;
        struct manager_loop *loop;
        struct conditions_watch *conditions;
        struct bus_server *bus;
        struct buses *buses; /* NULL: on none */
        struct observer observer;
        struct metrics *metrics;   /* NULL: not wanted */
        struct watchdog *watchdog; /* NULL: nobody wants one */
        uint64_t started_usec;
        uint64_t restored_usec;        /* the state is a backup of then; 0: it is not */
        uint64_t seed; /* of the schedule's jitter */
        bool stopping;
        bool upgraded;                 /* leaves for the program that was installed in the place of ours */
        bool misfit_told;              /* the log has that there is none that would fit */
        bool failed;                   /* the store cannot go on: what is in memory must not be believed */
        bool clean;                    /* ended with everything on disk */
        sd_event_source *judge_source; /* defer: is it idle now? */
        sd_event_source *idle_timer;
        sd_event_source *sleep_source; /* post, while the machine wants to sleep */
        sd_event_source *upgrade_source; /* defer: leave */
        sd_event_source *stop_timer;
        sd_event_source *quiet_source; /* post, while stopping */
        sd_event_source *kick_source;  /* defer: post sources run only behind something else */
};

/* ---- ending ---- */

static int on_quiet(sd_event_source *source _unused_, void *userdata) {
        struct service *service = ASSERT_PTR(userdata);

        if (!manager_is_quiet(service->manager))
                return 0;
        service->clean = true;
        return sd_event_exit(service->event, EXIT_SUCCESS);
}

static int on_kick(sd_event_source *source _unused_, void *userdata _unused_) {
        return 0;
}

static int on_stop_timeout(sd_event_source *source _unused_, uint64_t usec _unused_, void *userdata) {
        struct service *service = ASSERT_PTR(userdata);

        log_warning("stopping takes too long; what is under way is left to the next start");
        return sd_event_exit(service->event, EXIT_SUCCESS);
}

/* systemd 253 waits for this and READY (Type=notify-reload); older ones show "reloading" in between. */
static void notify_reloading(void) {
        (void) sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64, clock_now(&clock_system, CLOCK_ID_MONOTONIC));
}

static void service_stop(struct service *service) {
        int r;

        if (service->stopping) {
                (void) sd_event_exit(service->event, EXIT_SUCCESS); /* asked twice */
                return;
        }
        service->stopping = true;
        if (service->upgraded)
                notify_reloading(); /* until the other program says READY */
        else
                (void) sd_notify(0, "STOPPING=1");
        bus_server_set_stopping(service->bus);
        manager_stop(service->manager);
        r = sd_event_add_time_relative(service->event, &service->stop_timer, CLOCK_MONOTONIC, STOP_TIMEOUT_USEC, 0,
                                       on_stop_timeout, service);
        if (r >= 0)
                r = sd_event_add_post(service->event, &service->quiet_source, on_quiet, service);
        /* Behind the manager's turn, which hands the last changes to the store. */
        if (r >= 0)
                r = sd_event_source_set_priority(service->quiet_source, SD_EVENT_PRIORITY_IDLE);
        if (r >= 0)
                r = sd_event_add_defer(service->event, &service->kick_source, on_kick, NULL);
        if (r < 0)
                (void) sd_event_exit(service->event, EXIT_FAILURE);
}

static int on_signal(sd_event_source *source _unused_, const struct signalfd_siginfo *info, void *userdata) {
        struct service *service = ASSERT_PTR(userdata);

        log_info("stopping: signal %u", info->ssi_signo);
        service->upgraded = false; /* asked to go, and not to come again */
        service_stop(service);
        return 0;
}

/* ---- an upgrade ---- */

static int on_upgraded(sd_event_source *source _unused_, void *userdata) {
        struct service *service = ASSERT_PTR(userdata);

        if (service->stopping)
                return 0;
        service->upgraded = true;
        service_stop(service);
        return 0;
}

/* A process that works for us was installed after us. The program that came with it takes our place, once what is under way is finished.
 * Where none came, starting again would change nothing: jobs wait until one does. */
static bool on_other_version(void *userdata, const char *program) {
        struct service *service = ASSERT_PTR(userdata);

        if (service->stopping)
                return true;
        if (successor_is_installed(service->config.successor) &&
            sd_event_source_set_enabled(service->upgrade_source, SD_EVENT_ONESHOT) >= 0) {
                log_notice("%s is of another version: this service was upgraded; it finishes what is under way and starts again", program);
                return true;
        }
        if (!service->misfit_told)
                observer_other_version(program);
        service->misfit_told = true;
        return false;
}

static bool on_other_owner_version(void *userdata) {
        return on_other_version(userdata, "dosvc-owner");
}

static int watch_upgrades(struct service *service) {
        int r = sd_event_add_defer(service->event, &service->upgrade_source, on_upgraded, service);

        return r < 0 ? r : sd_event_source_set_enabled(service->upgrade_source, SD_EVENT_OFF);
}

/* ---- the machine's conditions ---- */

static int on_may_sleep(sd_event_source *source, void *userdata) {
        struct service *service = ASSERT_PTR(userdata);

        if (!manager_is_quiet(service->manager))
                return 0;
        conditions_watch_may_sleep(service->conditions);
        return sd_event_source_set_enabled(source, SD_EVENT_OFF);
}

static void on_conditions(void *userdata) {
        struct service *service = ASSERT_PTR(userdata);
        const struct conditions *now = conditions_watch_now(service->conditions);

        if (manager_set_conditions(service->manager, now) < 0)
                log_warning("no memory for who is logged on; what was known before still holds");
        (void) sd_event_source_set_enabled(service->sleep_source, now->goes_to_sleep ? SD_EVENT_ON : SD_EVENT_OFF);
}

static int watch_conditions(struct service *service) {
        struct conditions_wanted wanted = tuning_make_wanted(service->config.settings);
        int r;

        r = sd_event_add_post(service->event, &service->sleep_source, on_may_sleep, service);
        if (r >= 0) /* behind the manager's turn, which hands the last changes to the store */
                r = sd_event_source_set_priority(service->sleep_source, SD_EVENT_PRIORITY_IDLE);
        if (r >= 0)
                r = sd_event_source_set_enabled(service->sleep_source, SD_EVENT_OFF);
        if (r >= 0)
                r = conditions_watch_new(service->event, &wanted, on_conditions, service, &service->conditions);
        return r < 0 ? r : manager_set_conditions(service->manager, conditions_watch_now(service->conditions));
}

/* ---- the configuration again ---- */

static int read_again(struct service *service, char **reterr_why) {
        struct settings *settings = service->config.settings;
        struct conditions_wanted wanted;
        struct manager_limits limits;
        struct schedule_config schedule;
        int r = 0;

        if (service->config.config_path)
                r = settings_reload(settings, service->config.config_path, service->config.config_required, reterr_why);
        if (r < 0)
                return r;
        limits = tuning_make_limits(settings);
        schedule = tuning_make_schedule(settings, service->seed);
        manager_set_limits(service->manager, &limits, &schedule);
        wanted = tuning_make_wanted(settings);
        if (conditions_watch_want(service->conditions, &wanted) < 0)
                log_warning("no memory for what is to be watched (DOVpnKeywords, RequireLogon, DOCacheHostSource)");
        bus_server_set_limits(service->bus, settings_get(settings, SETTING_MaxClients),
                              settings_get(settings, SETTING_MaxCallsPerClient), settings_get(settings, SETTING_MaxCallsPerSecond));
        return r;
}

static int reload(void *userdata, char **reterr_why) {
        struct service *service = ASSERT_PTR(userdata);
        int r;

        notify_reloading();
        r = read_again(service, reterr_why);
        if (r < 0 && !*reterr_why && asprintf(reterr_why, "%s: %s", service->config.config_path, strerror(-r)) < 0)
                *reterr_why = NULL;
        if (r < 0)
                log_error("the configuration %s stays as it was: %s", service->config.config_path,
                          r == -EBADMSG ? "what was read has errors, see above" : *reterr_why ?: strerror(-r));
        else
                log_notice("the configuration was read again: %d settings changed", r);
        (void) sd_notify(0, "READY=1");
        return r;
}

static int on_hangup(sd_event_source *source _unused_, const struct signalfd_siginfo *info _unused_, void *userdata) {
        struct service *service = ASSERT_PTR(userdata);
        _cleanup_free_ char *why = NULL;

        if (!service->stopping)
                (void) reload(service, &why);
        return 0;
}

/* ---- idleness ---- */

static bool service_is_idle(const struct service *service) {
        size_t n_active;

        if (bus_server_count_clients(service->bus) > 0)
                return false;
        (void) manager_count_jobs(service->manager, &n_active);
        return n_active == 0;
}

static int arm_idle_timer(struct service *service) {
        int r;

        r = sd_event_source_set_time_relative(service->idle_timer, service->config.arguments->idle_exit_usec);
        return r < 0 ? r : sd_event_source_set_enabled(service->idle_timer, SD_EVENT_ONESHOT);
}

static int on_idle_timeout(sd_event_source *source _unused_, uint64_t usec _unused_, void *userdata) {
        struct service *service = ASSERT_PTR(userdata);

        if (!service_is_idle(service) || service->stopping)
                return 0;
        if (!manager_is_quiet(service->manager) || manager_owes_commands(service->manager))
                return arm_idle_timer(service);
        log_info("stopping: idle");
        service_stop(service);
        return 0;
}

static int on_judge(sd_event_source *source _unused_, void *userdata) {
        struct service *service = ASSERT_PTR(userdata);
        int enabled, r;

        if (service->stopping)
                return 0;
        if (!service_is_idle(service))
                return sd_event_source_set_enabled(service->idle_timer, SD_EVENT_OFF);
        r = sd_event_source_get_enabled(service->idle_timer, &enabled);
        return r < 0 || enabled != SD_EVENT_OFF ? r : arm_idle_timer(service);
}

static int watch_idleness(struct service *service) {
        int r;

        if (service->config.arguments->idle_exit_usec == USEC_INFINITY)
                return 0;
        r = sd_event_add_time_relative(service->event, &service->idle_timer, CLOCK_BOOTTIME,
                                       service->config.arguments->idle_exit_usec, 0, on_idle_timeout, service);
        if (r >= 0)
                r = sd_event_source_set_enabled(service->idle_timer, SD_EVENT_OFF);
        if (r >= 0)
                r = sd_event_add_defer(service->event, &service->judge_source, on_judge, service);
        return r;
}

static bool has_active_jobs(void *userdata) {
        struct service *service = ASSERT_PTR(userdata);
        size_t n_active;

        (void) manager_count_jobs(service->manager, &n_active);
        return n_active > 0;
}

/* ---- what the bus asks and tells ---- */

static uint64_t memory_bytes(void) {
        _cleanup_free_ char *content = NULL;
        unsigned long long resident;

        if (fd_read_file("/proc/self/statm", 256, &content, NULL) < 0 || sscanf(content, "%*u %llu", &resident) != 1)
                return 0;
        return resident * (uint64_t) sysconf(_SC_PAGESIZE);
}

static const char *sandbox_kind(void) {
        long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);

        return abi >= 1 ? "landlock+seccomp" : "seccomp";
}

static void on_info(void *userdata, struct bus_service_info *ret) {
        struct service *service = ASSERT_PTR(userdata);

        *ret = (struct bus_service_info) {
                .version = DOSVC_VERSION,
                .state_directory = service->config.state_dir,
                .sandbox = sandbox_kind(),
                .pid = (uint32_t) getpid(),
                .transfer_pid = (uint32_t) engine_process_pid(service->engine),
                .started_usec = service->started_usec,
                .memory_bytes = memory_bytes(),
                .backup_usec = store_backup_time(service->store),
                .restored_usec = service->restored_usec,
        };
}

static void on_activity(void *userdata) {
        struct service *service = ASSERT_PTR(userdata);

        if (service->judge_source)
                (void) sd_event_source_set_enabled(service->judge_source, SD_EVENT_ONESHOT);
        watchdog_touch(service->watchdog);
}

static void on_failed(void *userdata, int error) {
        struct service *service = ASSERT_PTR(userdata);

        log_error("the state cannot be written: %s; leaving to start anew", strerror(-error));
        service->failed = true;
        (void) sd_event_exit(service->event, SERVICE_EXIT_STORE_FAILED);
}

static const struct bus_host bus_host = { .info = on_info, .activity = on_activity, .failed = on_failed, .reload = reload };

/* ---- putting it together ---- */

static int open_sealer(struct service *service) {
        bool made;
        int r;

        r = key_sealer_new(service->config.state_dir, secure_getenv("CREDENTIALS_DIRECTORY"), &made, &service->sealer);
        if (r < 0)
                log_error("the key for secrets (%s) cannot be used: %s", KEY_FILE_NAME,
                          r == -EBADMSG ? "it must have 32 to 4096 bytes" : strerror(-r));
        else if (made)
                log_info("a new key for secrets was made in %s", service->config.state_dir);
        return r;
}

static int open_store_again(struct service *service, const struct store_options *options) {
        int r = store_restore_sqlite(options, &service->restored_usec);

        observer_state_moved_aside(options->state_dir, r, service->started_usec - MIN(service->started_usec, service->restored_usec));
        return r < 0 ? r : store_open_sqlite(options, &service->store);
}

static int open_database(struct service *service, struct store_options *options) {
        int r;

        r = state_dir_is_network(options->state_dir);
        if (r < 0)
                return r;
        options->network_fs = r > 0;
        r = state_dir_begin_run(options->state_dir, &options->unclean);
        if (r < 0)
                return r;
        if (options->unclean)
                log_notice("the last run did not end well: the state is checked");
        r = store_open_sqlite(options, &service->store);
        return r == -EUCLEAN ? open_store_again(service, options) : r;
}

static int open_store(struct service *service) {
        struct store_options options = { .state_dir = service->config.state_dir };
        int r;

        r = open_sealer(service);
        if (r < 0)
                return r;
        options.sealer = service->sealer;
        r = open_database(service, &options);
        if (r == -EPROTONOSUPPORT)
                log_error("the state in %s was written by a newer version; it was not touched", options.state_dir);
        else if (r < 0)
                log_error("the state in %s cannot be used: %s", options.state_dir, strerror(-r));
        return r;
}

static void on_transfer_died(void *userdata, int pid) {
        struct service *service = ASSERT_PTR(userdata);

        observer_transfer_died(&service->observer, pid);
}

static int make_engine(struct service *service) {
        _cleanup_free_ char *transfer = NULL, *resolve = NULL;
        struct engine_process_config config;
        const char *ca_file, *crl_file;
        int r;

        r = programs_find("dosvc-transfer", &transfer);
        if (r >= 0)
                r = programs_find("dosvc-resolve", &resolve);
        if (r < 0)
                return r;
        ca_file = settings_get_text(service->config.settings, SETTING_CAFile);
        if (!*ca_file)
                ca_file = secure_getenv("SSL_CERT_FILE"); /* what other programs of this user go by */
        crl_file = settings_get_text(service->config.settings, SETTING_CRLFile);
        config = (struct engine_process_config) {
                .sockets = service->config.arguments->transfer_sockets,
                .transfer_program = transfer,
                .resolve_program = resolve,
                .ca_file = ca_file,
                .crl_file = *crl_file ? crl_file : NULL,
                .idle_exit_usec = CHILDREN_IDLE_EXIT_USEC,
                .verbose = service->config.arguments->verbose,
                .died = on_transfer_died,
                .other_version = on_other_version,
                .userdata = service,
        };
        return engine_process_new(service->event, &config, &clock_system, &service->engine);
}

static int spawn_runner(void *userdata, uid_t owner, int fd) {
        struct service *service = ASSERT_PTR(userdata);

        return broker_link_spawn(service->broker, owner, IPC_PROGRAM_RUNNER, fd);
}

/* Programs of jobs: with our own rights where they are their owner's, else by a process of that owner. */
static int make_runner(struct service *service) {
        _cleanup_free_ char *helper = NULL;
        int r;

        if (service->config.arguments->system)
                return runner_owners_new(service->event,
                                         &(struct runner_owners_config) {
                                                 .spawn = spawn_runner,
                                                 .other_version = on_other_version,
                                                 .userdata = service,
                                                 .patience_usec = RUNNER_OWNERS_PATIENCE_USEC,
                                         },
                                         &service->runner);
        r = programs_find("dosvc-notify", &helper);
        if (r < 0)
                return r;
        r = runner_process_new(service->event, helper, &service->runner);
        if (r >= 0)
                r = runner_share(service->runner, "HOME", getenv("HOME"));
        if (r >= 0)
                r = runner_share(service->runner, "XDG_RUNTIME_DIR", getenv("XDG_RUNTIME_DIR"));
        return r;
}

static bool may_own(void *userdata, uid_t uid) {
        const struct service *service = ASSERT_PTR(userdata);

        return uid_policy_allows(&service->policy, uid);
}

static bool has_few_cores(void) {
        cpu_set_t cores;

        return sched_getaffinity(0, sizeof(cores), &cores) == 0 && CPU_COUNT(&cores) < 3;
}

static int make_manager(struct service *service) {
        const struct settings *settings = service->config.settings;
        struct manager_config config = { .store = service->store,
                                         .files = service->files,
                                         .engine = service->engine,
                                         .runner = service->runner,
                                         .clock = &clock_system,
                                         .limits = tuning_make_limits(settings),
                                         .few_cores = has_few_cores() };
        int r;

        r = random_bytes(&service->seed, sizeof(service->seed));
        if (r < 0)
                return r;
        config.schedule = tuning_make_schedule(settings, service->seed);
        if (service->config.arguments->system) {
                config.may_own = may_own;
                config.may_own_userdata = service;
        }
        return manager_new(&config, &service->manager);
}

static int make_bus(struct service *service) {
        const struct settings *settings = service->config.settings;
        int r = 0;

        if (service->config.arguments->system)
                r = polkit_new(service->event, &service->polkit);
        if (r < 0)
                return r;
        r = bus_server_new(service->event,
                           &(struct bus_server_config) {
                                   .manager = service->manager,
                                   .uid = geteuid(),
                                   .everybody = service->config.arguments->system,
                                   .authority = service->polkit ? &polkit_authority : NULL,
                                   .authority_userdata = service->polkit,
                                   .max_clients = settings_get(settings, SETTING_MaxClients),
                                   .max_clients_per_user = settings_get(settings, SETTING_MaxClientsPerUser),
                                   .max_calls_per_client = settings_get(settings, SETTING_MaxCallsPerClient),
                                   .max_calls_per_second = settings_get(settings, SETTING_MaxCallsPerSecond),
                                   .clock = &clock_system,
                                   .entries = settings_entries(settings),
                                   .n_entries = _SETTING_MAX,
                                   .host = &bus_host,
                                   .host_userdata = service,
                           },
                           &service->bus);
        if (r < 0)
                return r;
        service->observer.next = &bus_manager_events;
        service->observer.next_userdata = service->bus;
        manager_set_events(service->manager, &observer_events, &service->observer);
        return 0;
}

static int watch_signals(struct service *service) {
        int r;

        r = sd_event_add_signal(service->event, NULL, SIGTERM, on_signal, service);
        if (r >= 0)
                r = sd_event_add_signal(service->event, NULL, SIGINT, on_signal, service);
        if (r >= 0)
                r = sd_event_add_signal(service->event, NULL, SIGHUP, on_hangup, service);
        return r;
}

/* ---- whose hands touch files ---- */

static void on_owner_refused(void *userdata, uid_t owner, int error) {
        struct service *service = ASSERT_PTR(userdata);

        files_owners_refuse(service->files, owner, error);
}

static int spawn_owner(void *userdata, uid_t owner, int fd) {
        struct service *service = ASSERT_PTR(userdata);

        return broker_link_spawn(service->broker, owner, IPC_PROGRAM_OWNER, fd);
}

/* Threads of ours for the only owner there is, or a process for each. */
static int make_files(struct service *service) {
        static const struct broker_link_callbacks broker_callbacks = { .refused = on_owner_refused, .other_version = on_other_version };
        const uint64_t minimum_free_bytes = settings_get(service->config.settings, SETTING_MinimumFreeSpace);
        const struct arguments *arguments = service->config.arguments;
        _cleanup_free_ char *certificates = NULL;
        int r;

        if (!arguments->system) {
                (void) certificates_path_default(&certificates); /* without a home there are those of the machine only */
                return files_new(&(struct files_config) { .max_threads = FILE_THREADS, .minimum_free_bytes = minimum_free_bytes,
                                                          .certificates = certificates,
                                                          .machine_certificates = MACHINE_CERTIFICATES },
                                 &service->files);
        }
        uid_policy_parse(&service->policy, settings_get_text(service->config.settings, SETTING_SystemUsers));
        r = broker_link_new(service->event, arguments->broker, &broker_callbacks, service, &service->broker);
        if (r < 0)
                return r;
        return files_new_owners(&(struct files_owners_config) {
                                        .spawn = spawn_owner,
                                        .other_version = on_other_owner_version,
                                        .userdata = service,
                                        .minimum_free_bytes = minimum_free_bytes,
                                        .idle_usec = OWNER_IDLE_USEC,
                                },
                                &clock_system, &service->files);
}

static int make_parts(struct service *service) {
        int r;

        r = open_store(service);
        if (r >= 0)
                r = make_files(service);
        if (r >= 0)
                r = make_engine(service);
        if (r >= 0)
                r = make_runner(service);
        if (r >= 0)
                r = make_manager(service);
        if (r >= 0)
                r = watch_conditions(service);
        return r;
}

static size_t count_clients(void *userdata) {
        struct service *service = ASSERT_PTR(userdata);

        return bus_server_count_clients(service->bus);
}

/* One instance has the name: the one that clients find by themselves. */
static void join_bus(struct service *service) {
        const struct arguments *arguments = service->config.arguments;
        int r;

        if (arguments->state_dir || arguments->socket)
                return;
        r = buses_join(service->event, service->bus, arguments->system, &service->buses);
        if (r < 0)
                log_debug("on no bus: %s", strerror(-r));
}

/* That the numbers cannot be had stops no download. */
static void open_metrics(struct service *service) {
        const char *path = settings_get_text(service->config.settings, SETTING_MetricsSocket);
        struct metrics_sources sources = { service->manager, &service->observer.counts, count_clients, service };
        int r;

        if (!*path)
                return;
        r = metrics_new(service->event, path, service->config.arguments->system, &sources, &service->metrics);
        if (r < 0)
                log_error("no metrics at %s (MetricsSocket): %s", path, strerror(-r));
}

static const char *socket_of(const struct service *service) {
        const struct arguments *arguments = service->config.arguments;

        /* A socket unit hands its own over. */
        return arguments->socket || !arguments->system || sd_listen_fds(0) > 0 ? arguments->socket : SYSTEM_SOCKET;
}

/* Listening comes last: whoever gets through finds everything loaded. Those whom the system instance serves cannot enter its state folder:
 * a socket there would be no address for the programs of their jobs. */
static int open_doors(struct service *service) {
        const char *state_dir = service->config.arguments->system ? NULL : service->config.state_dir;
        _cleanup_free_ char *address = NULL;
        int r;

        r = make_bus(service);
        if (r >= 0)
                r = manager_start(service->manager);
        if (r >= 0)
                r = manager_loop_new(service->event, service->manager, service->store, service->files, &service->loop);
        if (r >= 0)
                r = listeners_open(service->bus, socket_of(service), state_dir, service->config.default_state_dir, &address);
        if (r >= 0)
                r = state_lock_publish(service->config.lock_fd, address);
        if (r >= 0)
                r = runner_share(service->runner, "DOSVC_ADDRESS", address); /* so that dosvc(1) finds this very service */
        if (r < 0)
                return r;
        open_metrics(service);
        join_bus(service);
        log_info("ready at %s", address);
        return 0;
}

int service_new(const struct service_config *config, struct service **ret) {
        _cleanup_(service_freep) struct service *service = malloc(sizeof(*service));
        int r;

        if (!service)
                return -ENOMEM;
        *service = (struct service) { .config = *config, .started_usec = clock_now(&clock_system, CLOCK_ID_REALTIME) };
        r = sd_event_default(&service->event);
        if (r >= 0)
                r = watch_signals(service);
        if (r >= 0)
                r = watch_upgrades(service);
        if (r >= 0)
                r = make_parts(service);
        if (r >= 0)
                r = open_doors(service);
        if (r >= 0)
                r = watch_idleness(service);
        if (r >= 0)
                r = watchdog_new(service->event, has_active_jobs, service, &service->watchdog);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(service);
        return 0;
}

int service_run(struct service *service) {
        int r;

        (void) sd_notify(0, "READY=1");
        r = sd_event_loop(service->event);
        return r < 0 ? r : service->failed ? SERVICE_EXIT_STORE_FAILED : service->upgraded ? SERVICE_UPGRADED : r;
}

struct service *service_free(struct service *service) {
        if (!service)
                return NULL;
        conditions_watch_free(service->conditions);
        buses_free(service->buses);
        if (service->bus)
                bus_server_close(service->bus);
        manager_loop_free(service->loop);
        manager_free(service->manager);
        bus_server_free(service->bus);
        polkit_free(service->polkit);
        engine_free(service->engine);
        runner_free(service->runner);
        files_free(service->files, FILES_PATIENCE_USEC);
        broker_link_free(service->broker);
        store_free(service->store);
        key_sealer_free(service->sealer);
        if (service->clean)
                state_dir_end_run(service->config.state_dir);
        watchdog_free(service->watchdog);
        metrics_free(service->metrics);
        sd_event_source_disable_unref(service->judge_source);
        sd_event_source_disable_unref(service->idle_timer);
        sd_event_source_disable_unref(service->sleep_source);
        sd_event_source_disable_unref(service->upgrade_source);
        sd_event_source_disable_unref(service->stop_timer);
        sd_event_source_disable_unref(service->quiet_source);
        sd_event_source_disable_unref(service->kick_source);
        sd_event_unref(service->event);
        free(service);
        return NULL;
}

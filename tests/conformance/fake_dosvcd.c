/* A service for the conformance programs that needs no network and no database: the real manager, bus face, schedule, owner role and runner of
 * programs, but the component tests' clock and a store in memory, and an engine that asks make-believe origins (fake_engine.h). It takes
 * dosvcd's arguments. What it proves: what the documents promise of jobs does not depend on who moves the bytes.
 *
 * Its state is gone when it ends, so it dies without ending: SIGUSR1 drops everything that was not durable, and all clients; SIGUSR2
 * starts again from what was. */
#include <signal.h>
#include <sys/signalfd.h>
#include <systemd/sd-daemon.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include "../component/harness.h"
#include "base/strings.h"
#include "bus/bus_server.h"
#include "daemon/settings.h"
#include "daemon/tuning.h"
#include "fake_engine.h"
#include "program/runner_process.h"

#define TICK_USEC (5 * USEC_PER_MSEC)

struct service {
        struct harness *h;
        struct engine *engine;
        struct runner *runner;
        struct bus_server *bus;
        struct settings *settings;
        sd_event *event;
        uint64_t last_usec;
        const char *socket;
        bool dead;
};

/* The time that passed outside passes inside, and what can be done is done. */
static void pump(struct service *service) {
        uint64_t now = clock_now(&clock_system, CLOCK_ID_MONOTONIC), elapsed_usec = now - service->last_usec;
        bool more;

        if (service->dead)
                return;
        service->last_usec = now;
        clock_fake_advance(&service->h->clock, elapsed_usec);
        do {
                harness_pump(service->h);
                harness_forget(service->h); /* nobody reads its log here */
                more = fake_engine_step(service->engine, elapsed_usec);
                elapsed_usec = 0;
        } while (more);
}

/* ---- the process ---- */

static int on_tick(sd_event_source *source, uint64_t usec _unused_, void *userdata) {
        pump(userdata);
        (void) sd_event_source_set_time_relative(source, TICK_USEC);
        return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

static int on_anything(sd_event_source *source _unused_, void *userdata) {
        pump(userdata);
        return 0;
}

static void on_info(void *userdata _unused_, struct bus_service_info *ret) {
        *ret = (struct bus_service_info) { .version = "fake", .state_directory = "/", .sandbox = "none", .pid = (uint32_t) getpid() };
}

static const struct bus_host host = { .info = on_info };

static const char *option(int argc, char **argv, const char *name) {
        for (int i = 1; i + 1 < argc; i++)
                if (streq(argv[i], name))
                        return argv[i + 1];
        return NULL;
}

/* The manager of the harness, as it is now, behind a face. */
static int show(struct service *service) {
        int r = bus_server_new(service->event,
                               &(struct bus_server_config) {
                                       .manager = service->h->manager,
                                       .uid = geteuid(),
                                       .max_clients = settings_get(service->settings, SETTING_MaxClients),
                                       .max_clients_per_user = settings_get(service->settings, SETTING_MaxClients),
                                       .max_calls_per_client = settings_get(service->settings, SETTING_MaxCallsPerClient),
                                       .entries = settings_entries(service->settings),
                                       .n_entries = _SETTING_MAX,
                                       .host = &host,
                               },
                               &service->bus);

        if (r < 0)
                return r;
        manager_set_events(service->h->manager, &bus_manager_events, service->bus);
        service->last_usec = clock_now(&clock_system, CLOCK_ID_MONOTONIC);
        return bus_server_listen(service->bus, service->socket);
}

static int on_killed(sd_event_source *source _unused_, const struct signalfd_siginfo *info _unused_, void *userdata) {
        struct service *service = userdata;

        service->dead = true;
        fake_engine_forget(service->engine);
        bus_server_close(service->bus);
        (void) sd_notify(0, "STATUS=killed");
        return 0;
}

static int on_started(sd_event_source *source _unused_, const struct signalfd_siginfo *info _unused_, void *userdata) {
        struct service *service = userdata;
        struct runner *before = service->runner;
        int r;

        r = runner_process_new(service->event, NOTIFY_PROGRAM, &service->runner);
        if (r < 0)
                return r;
        service->h->other_runner = service->runner;
        harness_crash(service->h);
        runner_free(before); /* and what it runs: the manager that looked at it is gone */
        service->bus = bus_server_free(service->bus);
        r = show(service);
        service->dead = false;
        (void) sd_notify(0, r < 0 ? "STATUS=failed" : "READY=1");
        return r;
}

static int start(struct service *service, const char *config, const char *directory) {
        int r;

        r = sd_event_default(&service->event);
        if (r >= 0)
                r = settings_new(&service->settings);
        if (r >= 0)
                r = settings_read(service->settings, config, true);
        if (r >= 0)
                r = fake_engine_new(directory, &service->engine);
        if (r >= 0)
                r = runner_process_new(service->event, NOTIFY_PROGRAM, &service->runner);
        if (r < 0)
                return r;
        service->h = harness_new();
        service->h->other_engine = service->engine;
        service->h->other_runner = service->runner;
        clock_fake_set_realtime(&service->h->clock, clock_now(&clock_system, CLOCK_ID_REALTIME)); /* tests compare it with theirs */
        service->h->limits = tuning_make_limits(service->settings);
        service->h->schedule = tuning_make_schedule(service->settings, 1);
        harness_restart(service->h); /* with those */
        r = show(service);
        if (r >= 0)
                r = sd_event_add_time_relative(service->event, NULL, CLOCK_MONOTONIC, TICK_USEC, 1, on_tick, service);
        if (r >= 0)
                r = sd_event_add_post(service->event, NULL, on_anything, service);
        if (r >= 0)
                r = sd_event_add_signal(service->event, NULL, SIGUSR1, on_killed, service);
        if (r >= 0)
                r = sd_event_add_signal(service->event, NULL, SIGUSR2, on_started, service);
        return r;
}

int main(int argc, char **argv) {
        const char *socket = option(argc, argv, "--socket"), *config = option(argc, argv, "--config");
        const char *directory = option(argc, argv, "--state-dir");
        struct service service = {};
        sigset_t mask;
        int r;

        if (!socket || !config || !directory)
                return 2;
        sigemptyset(&mask);
        sigaddset(&mask, SIGTERM);
        sigaddset(&mask, SIGUSR1);
        sigaddset(&mask, SIGUSR2);
        if (sigprocmask(SIG_BLOCK, &mask, NULL) < 0)
                return 1;
        service.socket = socket;
        r = start(&service, config, directory);
        if (r >= 0)
                r = sd_event_add_signal(service.event, NULL, SIGTERM, NULL, NULL); /* ends the loop */
        if (r >= 0)
                (void) sd_notify(0, "READY=1");
        if (r >= 0)
                r = sd_event_loop(service.event);
        if (service.bus)
                bus_server_close(service.bus);
        if (service.h)
                harness_free(service.h);
        runner_free(service.runner);
        engine_free(service.engine);
        bus_server_free(service.bus);
        settings_free(service.settings);
        sd_event_unref(service.event);
        return r < 0 ? 1 : 0;
}

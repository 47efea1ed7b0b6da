/* A service for the conformance programs that needs no network and no disk: the real manager, bus face, schedule and owner role, but the
 * component tests' engine and clock and a store in memory. It takes dosvcd's arguments, and does what the query of an origin's URL says
 * (see lying_server.py: status, size, rate); the content is harness_content(). What it proves: what the documents promise of jobs does
 * not depend on the transfer.
 *
 * Its state is gone when it ends, so it dies without ending: SIGUSR1 drops everything that was not durable, and all clients; SIGUSR2
 * starts again from what was. There are no headers, redirects and proxies: tests of those say so (conform.h) and are left out. */
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

#define TICK_USEC (5 * USEC_PER_MSEC)
#define STEP_BYTES (UINT64_C(1) << 20) /* written at once; more only after others had their turn */

struct service {
        struct harness *h;
        struct bus_server *bus;
        struct settings *settings;
        sd_event *event;
        uint64_t last_usec;
        const char *socket;
        bool dead;
};

/* ---- the origin ---- */

/* key=NUMBER in the query. */
static uint64_t query_number(const char *url, const char *key, uint64_t otherwise) {
        const char *p = strchr(url, '?');
        size_t n = strlen(key);

        while (p) {
                if (strncmp(p + 1, key, n) == 0 && p[n + 1] == '=')
                        return strtoull(p + n + 2, NULL, 10);
                p = strchr(p + 1, '&');
        }
        return otherwise;
}

/* A step of a request. True: there is more to do at once. */
static bool serve(struct harness *h, struct fake_request *r, uint64_t elapsed_usec) {
        uint64_t size = query_number(r->url, "size", 1000), rate = query_number(r->url, "rate", 0);
        uint64_t status = query_number(r->url, "status", 200);
        uint64_t budget = rate ? rate * elapsed_usec / USEC_PER_SEC : STEP_BYTES;

        if (status >= 400) { /* design decision 5 */
                harness_finish_status(h, r, (uint32_t) status, status >= 500 || status == 408 || status == 421 || status == 425 || status == 429);
                return true;
        }
        /* Every https server has the same certificate. */
        if (strncmp(r->url, "https:", 6) == 0 && !harness_certificate(h, r, 1))
                return true;
        if (!r->described)
                harness_metadata(h, r, size, "\"v1\"");
        while (budget > 0 && !r->stop_asked && !r->finished) {
                uint64_t n = harness_write_next(h, r, size, budget);

                if (n == 0) {
                        harness_finish(h, r, ENGINE_DONE, ERROR_NONE, false);
                        return true;
                }
                budget -= n;
        }
        return rate == 0;
}

/* The time that passed outside passes inside, and what can be done is done. */
static void pump(struct service *service) {
        uint64_t now = clock_now(&clock_system, CLOCK_ID_MONOTONIC), elapsed_usec = now - service->last_usec;
        bool more;

        if (service->dead)
                return;
        service->last_usec = now;
        clock_fake_advance(&service->h->clock, elapsed_usec);
        do {
                struct fake_request *next;

                harness_pump(service->h);
                harness_forget(service->h); /* nobody reads its log here */
                more = false;
                for (struct fake_request *r = service->h->requests; r; r = next) {
                        next = r->next;
                        if (!r->finished && !r->stop_asked)
                                more |= serve(service->h, r, elapsed_usec);
                }
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
        bus_server_close(service->bus);
        (void) sd_notify(0, "STATUS=killed");
        return 0;
}

static int on_started(sd_event_source *source _unused_, const struct signalfd_siginfo *info _unused_, void *userdata) {
        struct service *service = userdata;
        int r;

        harness_crash(service->h);
        service->bus = bus_server_free(service->bus);
        r = show(service);
        service->dead = false;
        (void) sd_notify(0, r < 0 ? "STATUS=failed" : "READY=1");
        return r;
}

static int start(struct service *service, const char *config) {
        int r;

        r = sd_event_default(&service->event);
        if (r >= 0)
                r = settings_new(&service->settings);
        if (r >= 0)
                r = settings_read(service->settings, config, true);
        if (r < 0)
                return r;
        service->h = harness_new();
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
        struct service service = {};
        sigset_t mask;
        int r;

        if (!socket || !config)
                return 2;
        sigemptyset(&mask);
        sigaddset(&mask, SIGTERM);
        sigaddset(&mask, SIGUSR1);
        sigaddset(&mask, SIGUSR2);
        if (sigprocmask(SIG_BLOCK, &mask, NULL) < 0)
                return 1;
        service.socket = socket;
        r = start(&service, config);
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
        bus_server_free(service.bus);
        settings_free(service.settings);
        sd_event_unref(service.event);
        return r < 0 ? 1 : 0;
}

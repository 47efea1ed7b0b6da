#include "conditions/system_bus.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"

#define SYSTEM_BUS "unix:path=/run/dbus/system_bus_socket"
#define CALL_TIMEOUT_USEC (25 * USEC_PER_SEC)
#define AGAIN_FIRST_USEC (1 * USEC_PER_SEC) /* one that is not there is waited for by inotify; this is for one that throws us out */
#define AGAIN_MAX_USEC (5 * USEC_PER_MINUTE)

struct system_bus {
        sd_event *event;
        const struct system_bus_users *users;
        void *userdata;
        sd_bus *bus;
        sd_event_source *timer;
        sd_event_source *lost_source; /* defer: a connection is not freed while it is being read from */
        uint64_t again_usec;
        bool begun;
};

static void disconnect(struct system_bus *bus) {
        if (bus->begun)
                bus->users->end(bus->userdata);
        bus->begun = false;
        if (bus->bus)
                (void) sd_bus_detach_event(bus->bus);
        if (bus->bus)
                sd_bus_close(bus->bus);
        bus->bus = sd_bus_unref(bus->bus);
}

static int on_connected(sd_bus_message *m _unused_, void *userdata, sd_bus_error *error _unused_) {
        struct system_bus *bus = ASSERT_PTR(userdata);

        bus->again_usec = AGAIN_FIRST_USEC;
        return 0;
}

static int on_disconnected(sd_bus_message *m _unused_, void *userdata, sd_bus_error *error _unused_) {
        struct system_bus *bus = ASSERT_PTR(userdata);

        return sd_event_source_set_enabled(bus->lost_source, SD_EVENT_ONESHOT);
}

static int connect_to(struct system_bus *bus) {
        const char *address = secure_getenv("DBUS_SYSTEM_BUS_ADDRESS");
        int r;

        r = sd_bus_new(&bus->bus);
        if (r >= 0)
                r = sd_bus_set_address(bus->bus, address && *address ? address : SYSTEM_BUS);
        if (r >= 0)
                r = sd_bus_set_bus_client(bus->bus, 1);
        if (r >= 0)
                r = sd_bus_set_watch_bind(bus->bus, 1);
        if (r >= 0)
                r = sd_bus_set_connected_signal(bus->bus, 1);
        if (r >= 0)
                r = sd_bus_set_close_on_exit(bus->bus, 0);
        if (r >= 0)
                r = sd_bus_set_method_call_timeout(bus->bus, CALL_TIMEOUT_USEC);
        if (r >= 0)
                r = sd_bus_start(bus->bus);
        if (r >= 0)
                r = sd_bus_match_signal_async(bus->bus, NULL, NULL, "/org/freedesktop/DBus/Local", "org.freedesktop.DBus.Local", "Connected",
                                              on_connected, NULL, bus);
        if (r >= 0)
                r = sd_bus_match_signal_async(bus->bus, NULL, NULL, "/org/freedesktop/DBus/Local", "org.freedesktop.DBus.Local", "Disconnected",
                                              on_disconnected, NULL, bus);
        if (r >= 0)
                r = sd_bus_attach_event(bus->bus, bus->event, SD_EVENT_PRIORITY_NORMAL);
        if (r < 0)
                return r;
        bus->begun = true;
        return bus->users->begin(bus->userdata, bus->bus);
}

static int try_later(struct system_bus *bus) {
        int r = sd_event_source_set_time_relative(bus->timer, bus->again_usec);

        bus->again_usec = MIN(2 * bus->again_usec, AGAIN_MAX_USEC);
        return r < 0 ? r : sd_event_source_set_enabled(bus->timer, SD_EVENT_ONESHOT);
}

static int on_timer(sd_event_source *source _unused_, uint64_t usec _unused_, void *userdata) {
        struct system_bus *bus = ASSERT_PTR(userdata);
        int r = connect_to(bus);

        if (r >= 0)
                return 0;
        log_debug("no system bus: %s", strerror(-r));
        disconnect(bus);
        return try_later(bus);
}

static int on_lost(sd_event_source *source _unused_, void *userdata) {
        struct system_bus *bus = ASSERT_PTR(userdata);

        log_info("the system bus is gone; what it told about this machine is forgotten");
        disconnect(bus);
        return try_later(bus);
}

int system_bus_new(sd_event *event, const struct system_bus_users *users, void *userdata, struct system_bus **ret) {
        _cleanup_(system_bus_freep) struct system_bus *bus = malloc(sizeof(*bus));
        int r;

        if (!bus)
                return -ENOMEM;
        *bus = (struct system_bus) { .event = sd_event_ref(event), .users = users, .userdata = userdata, .again_usec = AGAIN_FIRST_USEC };
        r = sd_event_add_time_relative(event, &bus->timer, CLOCK_BOOTTIME, 0, 0, on_timer, bus); /* connects */
        if (r >= 0)
                r = sd_event_add_defer(event, &bus->lost_source, on_lost, bus);
        if (r >= 0)
                r = sd_event_source_set_enabled(bus->lost_source, SD_EVENT_OFF);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(bus);
        return 0;
}

struct system_bus *system_bus_free(struct system_bus *bus) {
        if (!bus)
                return NULL;
        disconnect(bus);
        sd_event_source_disable_unref(bus->timer);
        sd_event_source_disable_unref(bus->lost_source);
        sd_event_unref(bus->event);
        free(bus);
        return NULL;
}

/* ---- for those who listen ---- */

int system_bus_watch_owner(sd_bus *bus, sd_bus_slot **ret, const char *service, sd_bus_message_handler_t handler, void *userdata) {
        char match[256];

        (void) snprintf(match, sizeof(match),
                        "type='signal',sender='org.freedesktop.DBus',path='/org/freedesktop/DBus',interface='org.freedesktop.DBus',"
                        "member='NameOwnerChanged',arg0='%s'", service);
        return sd_bus_add_match_async(bus, ret, match, handler, NULL, userdata);
}

bool system_bus_has_new_owner(sd_bus_message *m) {
        const char *owner;

        return sd_bus_message_skip(m, "ss") >= 0 && sd_bus_message_read_basic(m, 's', &owner) >= 0 && *owner;
}

int system_bus_new_call(sd_bus *bus, sd_bus_message **ret, const char *service, const char *path, const char *interface, const char *method) {
        int r = sd_bus_message_new_method_call(bus, ret, service, path, interface, method);

        return r < 0 ? r : sd_bus_message_set_auto_start(*ret, 0);
}

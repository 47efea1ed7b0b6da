/* The system's bus, if there is one: connected to when it is there, again when it comes back. Never waited for. And what everybody needs who
 * listens to another service there. */
#pragma once

#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>

#include "base/macros.h"

struct system_bus_users {
        int (*begin)(void *userdata, sd_bus *bus); /* -errno: leave it, and try again later */
        void (*end)(void *userdata);               /* it is lost; @bus must not be used any more */
};

struct system_bus;
int system_bus_new(sd_event *event, const struct system_bus_users *users, void *userdata, struct system_bus **ret);
struct system_bus *system_bus_free(struct system_bus *bus); /* calls users->end() if they have begun */
DEFINE_CLEANUP_FUNC(struct system_bus, system_bus_free)

/* @handler is called whenever @service appears, vanishes, or starts anew; bus_new_owner() says which. */
int system_bus_watch_owner(sd_bus *bus, sd_bus_slot **ret, const char *service, sd_bus_message_handler_t handler, void *userdata);
bool system_bus_has_new_owner(sd_bus_message *m);
/* A call that starts nothing. */
int system_bus_new_call(sd_bus *bus, sd_bus_message **ret, const char *service, const char *path, const char *interface, const char *method);

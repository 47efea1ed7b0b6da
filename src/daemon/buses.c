#include "daemon/buses.h"

#include <errno.h>
#include <stdlib.h>

#include "conditions/system_bus.h"

struct buses {
        struct bus_server *server;
        struct system_bus *system;
        sd_bus *session;
};

static int on_system_bus(void *userdata, sd_bus *bus) {
        struct buses *buses = ASSERT_PTR(userdata);

        return bus_server_join(buses->server, bus);
}

static void on_system_bus_lost(void *userdata) {
        struct buses *buses = ASSERT_PTR(userdata);

        bus_server_leave(buses->server);
}

static int join_session(struct buses *buses, sd_event *event) {
        int r = sd_bus_open_user(&buses->session);

        if (r >= 0)
                r = sd_bus_set_close_on_exit(buses->session, 0); /* it would flush first */
        if (r >= 0)
                r = bus_server_join(buses->server, buses->session);
        if (r >= 0)
                r = sd_bus_attach_event(buses->session, event, SD_EVENT_PRIORITY_NORMAL);
        return r;
}

int buses_join(sd_event *event, struct bus_server *server, bool system, struct buses **ret) {
        static const struct system_bus_users users = { .begin = on_system_bus, .end = on_system_bus_lost };
        _cleanup_(buses_freep) struct buses *buses = malloc(sizeof(*buses));
        int r;

        if (!buses)
                return -ENOMEM;
        *buses = (struct buses) { .server = server };
        r = system ? system_bus_new(event, &users, buses, &buses->system) : join_session(buses, event);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(buses);
        return 0;
}

struct buses *buses_free(struct buses *buses) {
        if (!buses)
                return NULL;
        system_bus_free(buses->system);
        bus_server_leave(buses->server);
        if (buses->session) {
                (void) sd_bus_detach_event(buses->session);
                sd_bus_close(buses->session);
                sd_bus_unref(buses->session);
        }
        free(buses);
        return NULL;
}

/* The bus that the service is on, beside its sockets, under the name org.dosvc: the session's for a user's instance, the system's for the
 * system instance, each where there is one. The session ends with its bus; the system's comes back, and is joined again. */
#pragma once

#include <systemd/sd-event.h>

#include "base/macros.h"
#include "bus/bus_server.h"

struct buses;
int buses_join(sd_event *event, struct bus_server *server, bool system, struct buses **ret);
/* Before @server is closed. */
struct buses *buses_free(struct buses *buses);
DEFINE_CLEANUP_FUNC(struct buses, buses_free)

/* Which sockets an instance has. */
#pragma once

#include "bus/bus_server.h"

/* @socket: that one and no other. Else "bus" in the state folder, unless @state_dir is NULL, and, for the default one (@use_runtime),
 * $XDG_RUNTIME_DIR/dosvc/bus. Sockets that systemd hands over are taken in any case. *ret_address: the D-Bus
 * address for the lock file and the programs of jobs. What is wrong was logged. */
int listeners_open(struct bus_server *bus, const char *socket, const char *state_dir, bool use_runtime,
                   char **ret_address);

/* Finds the service that a client gets and opens an authenticated D-Bus connection to it; starts it if that is
 * asked for and allowed. */
#pragma once

#include <stdatomic.h>
#include <systemd/sd-bus.h>

#include "base/macros.h"

enum {
        DISCOVER_ENVIRONMENT = 1, /* DOSVC_ADDRESS, which then is the only choice */
        DISCOVER_SYSTEM = 2,
        DISCOVER_USER = 4,
        DISCOVER_START = 8, /* a user instance, if none runs */
};

struct discovered {
        sd_bus *bus; /* ready */
        char *address;
        unsigned place; /* the DISCOVER_ flag of where it was found */
};

/* @cancel: when it becomes non-zero, waiting for a service that is being started ends with -ECANCELED. 0 or
 * -errno. */
int discover(unsigned places, const atomic_int *cancel, struct discovered *ret);

/* What the machine is like now, as far as it matters to downloads: the network and its cost, power, who is logged on. Plain facts, whoever
 * they came from (conditions/watch.h); what follows from them is decided elsewhere (schedule/blockers.h). It knows nothing of jobs. */
#pragma once

#include <sys/types.h>

#include "base/macros.h"

/* How far the network reaches; the better the larger. */
enum network_reach {
        NETWORK_NONE,   /* nothing but loopback */
        NETWORK_PORTAL, /* something between answers in place of the origins, until somebody logs on there */
        NETWORK_LOCAL,  /* links, but no route to everywhere */
        NETWORK_FULL,
        _NETWORK_REACH_MAX,
};

/* What it costs: bits as published (BITS_COST_STATE). */
enum {
        COST_UNRESTRICTED = 0x1,
        COST_CAPPED_USAGE_UNKNOWN = 0x2, /* metered; nobody says how much is left */
        COST_ROAMING = 0x80,
        COST_STATES = 0xff,
};

#define CONDITIONS_HOSTS_MAX 255 /* one option of DHCP */
#define BATTERY_NOT_USED (-1) /* mains power, or nobody knows */

struct conditions {
        enum network_reach network;
        uint32_t network_serial; /* another number: other routes, though they may reach as far */
        uint32_t cost;
        bool is_cellular;
        bool is_vpn;
        int battery_percent;     /* of the battery that it runs on, 0 to 100, or BATTERY_NOT_USED */
        bool saves_battery;
        bool goes_to_sleep;
        bool knows_presence;     /* else everybody counts as present */
        char cache_hosts[CONDITIONS_HOSTS_MAX + 1]; /* HOST[:PORT] with commas between, as the network says; "": it says none */
        const uid_t *present;    /* who has a session or lingers; sorted */
        size_t n_present;
};

/* What is assumed where nobody says anything. */
#define CONDITIONS_UNKNOWN \
        ((struct conditions){ .network = NETWORK_FULL, .cost = COST_UNRESTRICTED, .battery_percent = BATTERY_NOT_USED })

static inline const char *network_reach_name(enum network_reach reach) {
        static const char *const names[_NETWORK_REACH_MAX] = { "none", "portal", "local", "full" };

        return (size_t) reach < ELEMENTSOF(names) ? names[reach] : NULL;
}

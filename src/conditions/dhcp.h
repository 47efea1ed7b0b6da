/* What the DHCP server of the network says of cache servers (option 235 of Delivery Optimization: text, hosts with commas between), as
 * NetworkManager hands it on for one of its active connections. Its own client shows options that it knows nothing of as private_235, in
 * hexadecimal digits; dhclient as unknown_235, as text or the same. Must never know what the hosts are for. */
#pragma once

#include "conditions/conditions.h"
#include "conditions/watched.h"

#define DHCP_VALUE_MAX (3 * CONDITIONS_HOSTS_MAX + 3)

struct dhcp {
        char hosts[CONDITIONS_HOSTS_MAX + 1]; /* "": nothing that could be hosts */

        /* Private. */
        void (*changed)(void *userdata);
        void *userdata;
        char path[WATCHED_TEXT_MAX];   /* of the active connection; "": none is looked at */
        char config[WATCHED_TEXT_MAX]; /* that it names */
        char config_path[WATCHED_TEXT_MAX]; /* that is looked at */
        char value[DHCP_VALUE_MAX + 1];
        struct watched_type connection_type, config_type;
        struct watched connection, options;
};

void dhcp_init(struct dhcp *dhcp, void (*changed)(void *userdata), void *userdata);
/* Looks at this one from now on, or at none ("", "/"). @changed is called for what is found, and for what is not known any more. */
void dhcp_follow(struct dhcp *dhcp, sd_bus *bus, const char *active_connection);
void dhcp_end(struct dhcp *dhcp); /* @changed is not called */

/* False, and "": that is no list of hosts. */
bool dhcp_decode_hosts(const char *value, char ret[static CONDITIONS_HOSTS_MAX + 1]);

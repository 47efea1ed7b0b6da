/* How far the network reaches, as the kernel's routes say. Nothing is sent: the kernel is asked which way a packet to a public address would
 * go. So policy routing counts, and no interface has to have a certain name. Must never know of other services. */
#pragma once

#include <systemd/sd-event.h>

#include "conditions/conditions.h"

struct routes_facts {
        enum network_reach reach; /* never NETWORK_PORTAL */
        uint32_t serial;          /* another one: other ways than before */
        bool is_vpn;              /* the way goes through a tunnel, or an interface whose name or alias has a keyword */
};

struct routes;
/* @vpn_keywords: with commas between. @changed is called when routes_now() has something new. A network that is lost is told a moment
 * later, as many come back at once (a lease is renewed); one that is found, immediately. */
int routes_new(sd_event *event, const char *vpn_keywords, void (*changed)(void *userdata), void *userdata, struct routes **ret);
struct routes *routes_free(struct routes *routes);
DEFINE_CLEANUP_FUNC(struct routes, routes_free)
int routes_set_vpn_keywords(struct routes *routes, const char *vpn_keywords);
const struct routes_facts *routes_now(const struct routes *routes);

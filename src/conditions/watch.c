#include "conditions/watch.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/strings.h"
#include "conditions/system_bus.h"
#include "conditions/dhcp.h"
#include "conditions/logind.h"
#include "conditions/modem.h"
#include "conditions/routes.h"
#include "conditions/watched.h"

/* ---- the objects of others ---- */

/* NMConnectivityState, NMMetered */
enum {
        NM_CONNECTIVITY_PORTAL = 2,
        NM_METERED_YES = 1,
        NM_METERED_GUESS_YES = 3,
};

struct network_manager {
        uint32_t connectivity;
        uint32_t metered;
        char type[WATCHED_TEXT_MAX];
        char primary[WATCHED_TEXT_MAX]; /* an object */
};
static const struct watched_property network_manager_properties[] = {
        { "Connectivity", 'u', offsetof(struct network_manager, connectivity) },
        { "Metered", 'u', offsetof(struct network_manager, metered) },
        { "PrimaryConnectionType", 's', offsetof(struct network_manager, type) },
        { "PrimaryConnection", 'o', offsetof(struct network_manager, primary) },
};

struct upower {
        int on_battery;
};
static const struct watched_property upower_properties[] = { { "OnBattery", 'b', offsetof(struct upower, on_battery) } };

/* All batteries together, as the desktop shows them. */
struct battery {
        int is_present;
        double percentage;
};
static const struct watched_property battery_properties[] = {
        { "IsPresent", 'b', offsetof(struct battery, is_present) },
        { "Percentage", 'd', offsetof(struct battery, percentage) },
};

struct power_profile {
        char active[WATCHED_TEXT_MAX];
};
static const struct watched_property power_profile_properties[] = { { "ActiveProfile", 's', offsetof(struct power_profile, active) } };

#define OBJECT(name, service_, path_, interface_)                                                                   \
        static const struct watched_type name##_type = {                                                            \
                .service = service_, .path = path_, .interface = interface_,                                        \
                .properties = name##_properties, .n_properties = ELEMENTSOF(name##_properties),                     \
                .facts_size = sizeof(struct name), .unknown = &(const struct name){},                               \
        }
OBJECT(network_manager, "org.freedesktop.NetworkManager", "/org/freedesktop/NetworkManager", "org.freedesktop.NetworkManager");
OBJECT(upower, "org.freedesktop.UPower", "/org/freedesktop/UPower", "org.freedesktop.UPower");
OBJECT(battery, "org.freedesktop.UPower", "/org/freedesktop/UPower/devices/DisplayDevice", "org.freedesktop.UPower.Device");
OBJECT(power_profile, "net.hadess.PowerProfiles", "/net/hadess/PowerProfiles", "net.hadess.PowerProfiles");

struct conditions_watch {
        struct conditions now;
        void (*changed)(void *userdata);
        void *userdata;
        sd_bus *connection; /* NULL: there is none */
        struct system_bus *bus;
        struct routes *routes; /* NULL: the kernel does not tell */
        struct logind *logind;
        struct modem modem;
        struct dhcp dhcp;
        bool wants_cache_hosts;
        struct watched network_manager_watched, upower_watched, battery_watched, power_profile_watched;
        struct network_manager network_manager;
        struct upower upower;
        struct battery battery;
        struct power_profile power_profile;
};

/* ---- put together ---- */

static bool is_cellular(const struct conditions_watch *watch) {
        return streq(watch->network_manager.type, "gsm") || streq(watch->network_manager.type, "cdma");
}

static struct conditions assemble(const struct conditions_watch *watch) {
        const struct logind_facts *logind = logind_now(watch->logind);
        const struct network_manager *nm = &watch->network_manager;
        struct conditions c = CONDITIONS_UNKNOWN;

        if (watch->routes) {
                const struct routes_facts *routes = routes_now(watch->routes);

                c.network = routes->reach;
                c.network_serial = routes->serial;
                c.is_vpn = routes->is_vpn;
        }
        if (c.network == NETWORK_FULL && nm->connectivity == NM_CONNECTIVITY_PORTAL)
                c.network = NETWORK_PORTAL;
        /* NetworkManager's word is about the connection below, if the way goes through a VPN: that is the one that is paid for. */
        if (nm->metered == NM_METERED_YES || nm->metered == NM_METERED_GUESS_YES)
                c.cost = COST_CAPPED_USAGE_UNKNOWN;
        c.is_cellular = is_cellular(watch);
        if (c.is_cellular && watch->modem.is_roaming)
                c.cost |= COST_ROAMING;
        if (watch->upower.on_battery)
                c.battery_percent = watch->battery.is_present ? (int) CLAMP(watch->battery.percentage, 0.0, 100.0) : 100;
        c.saves_battery = streq(watch->power_profile.active, "power-saver");
        strcpy(c.cache_hosts, watch->dhcp.hosts);
        c.goes_to_sleep = logind->goes_to_sleep;
        c.knows_presence = logind->knows_presence;
        c.present = logind->present;
        c.n_present = logind->n_present;
        return c;
}

static bool same_but_presence(const struct conditions *a, const struct conditions *b) {
        return a->network == b->network && a->network_serial == b->network_serial && a->cost == b->cost && a->is_cellular == b->is_cellular &&
               a->is_vpn == b->is_vpn && a->battery_percent == b->battery_percent && a->saves_battery == b->saves_battery &&
               a->goes_to_sleep == b->goes_to_sleep && streq(a->cache_hosts, b->cache_hosts);
}

static void tell(struct conditions_watch *watch, bool presence) {
        struct conditions c = assemble(watch);
        bool same = same_but_presence(&c, &watch->now) && !presence;

        watch->now = c;
        if (!same)
                watch->changed(watch->userdata);
}

static void on_changed(void *userdata) {
        tell(userdata, false);
}

static void on_logind_changed(void *userdata) {
        tell(userdata, true);
}

static void follow_dhcp(struct conditions_watch *watch) {
        if (watch->connection)
                dhcp_follow(&watch->dhcp, watch->connection, watch->wants_cache_hosts ? watch->network_manager.primary : "");
}

/* What matters in one place only is listened to there only: batteries and modems have news all the time. */
static void on_network_manager_changed(void *userdata) {
        struct conditions_watch *watch = ASSERT_PTR(userdata);

        if (is_cellular(watch) && !watch->modem.bus)
                (void) modem_begin(&watch->modem, watch->connection);
        else if (!is_cellular(watch) && watch->modem.bus)
                modem_end(&watch->modem);
        follow_dhcp(watch);
        tell(watch, false);
}

static void on_upower_changed(void *userdata) {
        struct conditions_watch *watch = ASSERT_PTR(userdata);

        if (watch->upower.on_battery && !watch->battery_watched.bus)
                (void) watched_begin(&watch->battery_watched, watch->connection);
        else if (!watch->upower.on_battery && watch->battery_watched.bus)
                watched_end(&watch->battery_watched);
        tell(watch, false);
}

/* ---- the bus ---- */

static int on_begin(void *userdata, sd_bus *connection) {
        struct conditions_watch *watch = ASSERT_PTR(userdata);
        int r;

        watch->connection = connection;
        r = watched_begin(&watch->network_manager_watched, connection);
        if (r >= 0)
                r = watched_begin(&watch->upower_watched, connection);
        if (r >= 0)
                r = watched_begin(&watch->power_profile_watched, connection);
        return r < 0 ? r : logind_begin(watch->logind, connection);
}

static void on_end(void *userdata) {
        struct conditions_watch *watch = ASSERT_PTR(userdata);

        watch->connection = NULL;
        watched_end(&watch->network_manager_watched);
        watched_end(&watch->upower_watched);
        watched_end(&watch->battery_watched);
        watched_end(&watch->power_profile_watched);
        modem_end(&watch->modem);
        dhcp_end(&watch->dhcp);
        logind_end(watch->logind);
        tell(watch, true);
}

static const struct system_bus_users bus_users = { .begin = on_begin, .end = on_end };

/* ---- life ---- */

static void nothing_to_tell(void *userdata _unused_) {
}

int conditions_watch_new(sd_event *event, const struct conditions_wanted *wanted, void (*changed)(void *userdata), void *userdata,
                         struct conditions_watch **ret) {
        _cleanup_(conditions_watch_freep) struct conditions_watch *watch = malloc(sizeof(*watch));
        int r;

        if (!watch)
                return -ENOMEM;
        *watch = (struct conditions_watch) { .changed = changed, .userdata = userdata, .wants_cache_hosts = wanted->cache_hosts };
        watched_init(&watch->network_manager_watched, &network_manager_type, &watch->network_manager, on_network_manager_changed, watch);
        watched_init(&watch->upower_watched, &upower_type, &watch->upower, on_upower_changed, watch);
        watched_init(&watch->battery_watched, &battery_type, &watch->battery, on_changed, watch);
        watched_init(&watch->power_profile_watched, &power_profile_type, &watch->power_profile, on_changed, watch);
        modem_init(&watch->modem, on_changed, watch);
        dhcp_init(&watch->dhcp, on_changed, watch);
        r = logind_new(on_logind_changed, watch, &watch->logind);
        if (r >= 0)
                r = logind_want_presence(watch->logind, wanted->presence);
        if (r < 0)
                return r;
        r = routes_new(event, wanted->vpn_keywords, on_changed, watch, &watch->routes);
        if (r < 0)
                log_notice("the kernel does not tell how far the network reaches: %s", strerror(-r));
        r = system_bus_new(event, &bus_users, watch, &watch->bus);
        if (r < 0)
                return r;
        watch->now = assemble(watch);
        *ret = TAKE_PTR(watch);
        return 0;
}

struct conditions_watch *conditions_watch_free(struct conditions_watch *watch) {
        if (!watch)
                return NULL;
        watch->changed = nothing_to_tell;
        system_bus_free(watch->bus);
        logind_free(watch->logind);
        routes_free(watch->routes);
        free(watch);
        return NULL;
}

int conditions_watch_want(struct conditions_watch *watch, const struct conditions_wanted *wanted) {
        int r = watch->routes ? routes_set_vpn_keywords(watch->routes, wanted->vpn_keywords) : 0;

        watch->wants_cache_hosts = wanted->cache_hosts;
        follow_dhcp(watch);
        return r < 0 ? r : logind_want_presence(watch->logind, wanted->presence);
}

const struct conditions *conditions_watch_now(const struct conditions_watch *watch) {
        return &watch->now;
}

void conditions_watch_may_sleep(struct conditions_watch *watch) {
        logind_may_sleep(watch->logind);
}

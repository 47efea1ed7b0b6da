#include "conditions/dhcp.h"

#include <stdio.h>
#include <string.h>

#include "base/strings.h"

#define SERVICE "org.freedesktop.NetworkManager"

/* ---- the value ---- */

static int digit(char c) {
        static const char digits[] = "0123456789abcdef";
        const char *at = c ? strchr(digits, c >= 'A' && c <= 'F' ? c - 'A' + 'a' : c) : NULL;

        return at ? (int) (at - digits) : -1;
}

/* "63:61" is "ca". Return: how many bytes; 0: it is something else. */
static size_t decode_digits(const char *value, char *ret, size_t size) {
        size_t n = 0;

        for (; digit(value[0]) >= 0 && digit(value[1]) >= 0 && n < size; value += 3) {
                ret[n++] = (char) (digit(value[0]) << 4 | digit(value[1]));
                if (value[2] == 0)
                        return n;
                if (value[2] != ':')
                        return 0;
        }
        return 0;
}

bool dhcp_decode_hosts(const char *value, char ret[static CONDITIONS_HOSTS_MAX + 1]) {
        size_t n = decode_digits(value, ret, CONDITIONS_HOSTS_MAX);

        if (n == 0) {
                value += *value == '"';
                n = strcspn(value, "\"");
                if (n > CONDITIONS_HOSTS_MAX)
                        n = 0;
                memcpy(ret, value, n);
        }
        while (n > 0 && ret[n - 1] == 0) /* some servers count the end in */
                n--;
        ret[n] = 0;
        if (n > 0 && strlen(ret) == n && string_is_host_list(ret))
                return true;
        ret[0] = 0;
        return false;
}

/* ---- NetworkManager ---- */

/* a{sv} in a variant, and in it the option. */
static int read_options(sd_bus_message *m, void *to) {
        int r = sd_bus_message_enter_container(m, 'v', "a{sv}");

        ((char *) to)[0] = 0;
        if (r >= 0)
                r = sd_bus_message_enter_container(m, 'a', "{sv}");
        while (r >= 0 && (r = sd_bus_message_enter_container(m, 'e', "sv")) > 0) {
                const char *name, *value;

                r = sd_bus_message_read_basic(m, 's', &name);
                if (r >= 0 && (streq(name, "private_235") || streq(name, "unknown_235"))) {
                        r = sd_bus_message_read(m, "v", "s", &value);
                        if (r >= 0 && strlen(value) <= DHCP_VALUE_MAX)
                                strcpy(to, value);
                } else if (r >= 0)
                        r = sd_bus_message_skip(m, "v");
                if (r >= 0)
                        r = sd_bus_message_exit_container(m);
        }
        if (r >= 0)
                r = sd_bus_message_exit_container(m);
        return r < 0 ? r : sd_bus_message_exit_container(m);
}

static const struct watched_property connection_properties[] = { { "Dhcp4Config", 'o', 0, NULL } };
static const struct watched_property config_properties[] = { { "Options", 'v', 0, read_options } };

static const char nothing[DHCP_VALUE_MAX + 1];

static void on_options(void *userdata) {
        struct dhcp *dhcp = ASSERT_PTR(userdata);

        (void) dhcp_decode_hosts(dhcp->value, dhcp->hosts);
        dhcp->changed(dhcp->userdata);
}

static bool is_path(const char *path) {
        return *path && !streq(path, "/");
}

static void follow_config(struct dhcp *dhcp, sd_bus *bus) {
        if (streq(dhcp->config, dhcp->config_path))
                return;
        if (dhcp->options.bus)
                watched_end(&dhcp->options);
        strcpy(dhcp->config_path, dhcp->config);
        if (is_path(dhcp->config_path))
                (void) watched_begin(&dhcp->options, bus);
        on_options(dhcp);
}

static void on_connection(void *userdata) {
        struct dhcp *dhcp = ASSERT_PTR(userdata);

        follow_config(dhcp, dhcp->connection.bus);
}

void dhcp_init(struct dhcp *dhcp, void (*changed)(void *userdata), void *userdata) {
        *dhcp = (struct dhcp) { .changed = changed, .userdata = userdata };
        dhcp->connection_type = (struct watched_type) {
                .service = SERVICE, .path = dhcp->path, .interface = SERVICE ".Connection.Active",
                .properties = connection_properties, .n_properties = ELEMENTSOF(connection_properties),
                .facts_size = sizeof(dhcp->config), .unknown = nothing,
        };
        dhcp->config_type = (struct watched_type) {
                .service = SERVICE, .path = dhcp->config_path, .interface = SERVICE ".DHCP4Config",
                .properties = config_properties, .n_properties = ELEMENTSOF(config_properties),
                .facts_size = sizeof(dhcp->value), .unknown = nothing,
        };
        watched_init(&dhcp->connection, &dhcp->connection_type, dhcp->config, on_connection, dhcp);
        watched_init(&dhcp->options, &dhcp->config_type, dhcp->value, on_options, dhcp);
}

void dhcp_follow(struct dhcp *dhcp, sd_bus *bus, const char *active_connection) {
        if (streq(dhcp->path, active_connection))
                return;
        if (dhcp->connection.bus)
                watched_end(&dhcp->connection);
        (void) snprintf(dhcp->path, sizeof(dhcp->path), "%s", active_connection);
        if (is_path(dhcp->path))
                (void) watched_begin(&dhcp->connection, bus);
        follow_config(dhcp, bus);
}

void dhcp_end(struct dhcp *dhcp) {
        watched_end(&dhcp->connection);
        watched_end(&dhcp->options);
        dhcp->path[0] = dhcp->config_path[0] = dhcp->hosts[0] = 0;
}

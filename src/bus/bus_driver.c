/* A stand-in for org.freedesktop.DBus. There is no bus here, but busctl, gdbus and libdbus talk to one first: they
 * say Hello, ask who owns a name and add match rules before they call anything. */
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "base/strings.h"
#include "bus/private.h"

#define DBUS_ERROR_NO_OWNER "org.freedesktop.DBus.Error.NameHasNoOwner"
#define DBUS_START_REPLY_ALREADY_RUNNING 2

static bool is_our_name(const char *name) {
        return streq(name, BUS_NAME) || streq(name, BUS_OWN_UNIQUE_NAME);
}

static void unique_name(const struct peer *peer, char ret[static 32]) {
        (void) snprintf(ret, 32, ":1.%" PRIu64, peer->serial);
}

/* *ret_self: it is the caller itself. */
static int read_name(sd_bus_message *m, struct peer *peer, bool *ret_self, const char **ret_owner,
                     sd_bus_error *error) {
        char own[32];
        const char *name;
        int r = sd_bus_message_read_basic(m, 's', &name);

        if (r < 0)
                return r;
        unique_name(peer, own);
        *ret_self = streq(name, own);
        *ret_owner = is_our_name(name) ? BUS_OWN_UNIQUE_NAME : name;
        if (!*ret_self && !is_our_name(name) && !streq(name, BUS_DRIVER_NAME))
                return sd_bus_error_setf(error, DBUS_ERROR_NO_OWNER, "There is only " BUS_NAME " here, not \"%.200s\".",
                                         name);
        return 0;
}

static int method_hello(sd_bus_message *m, void *userdata, sd_bus_error *error _unused_) {
        char name[32];

        unique_name(userdata, name);
        return sd_bus_reply_method_return(m, "s", name);
}

/* The rule itself is for the client's own sorting; it gets the signals of all its jobs. */
static int method_add_match(sd_bus_message *m, void *userdata, sd_bus_error *error _unused_) {
        (void) peer_subscribe(userdata, NULL);
        return sd_bus_reply_method_return(m, NULL);
}

static int method_remove_match(sd_bus_message *m, void *userdata _unused_, sd_bus_error *error _unused_) {
        return sd_bus_reply_method_return(m, NULL);
}

static int method_get_name_owner(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        const char *owner;
        bool self;
        int r = read_name(m, userdata, &self, &owner, error);

        return r < 0 ? r : sd_bus_reply_method_return(m, "s", owner);
}

static int method_name_has_owner(sd_bus_message *m, void *userdata, sd_bus_error *error _unused_) {
        _cleanup_(sd_bus_error_free) sd_bus_error ignored = SD_BUS_ERROR_NULL;
        const char *owner;
        bool self;
        int r = read_name(m, userdata, &self, &owner, &ignored);

        return sd_bus_reply_method_return(m, "b", r >= 0);
}

static int method_list_names(sd_bus_message *m, void *userdata, sd_bus_error *error _unused_) {
        char own[32];

        unique_name(userdata, own);
        return sd_bus_reply_method_return(m, "as", 4, BUS_DRIVER_NAME, BUS_NAME, BUS_OWN_UNIQUE_NAME, own);
}

static int method_list_activatable_names(sd_bus_message *m, void *userdata _unused_, sd_bus_error *error _unused_) {
        return sd_bus_reply_method_return(m, "as", 1, BUS_DRIVER_NAME);
}

static int method_start_service(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        const char *owner;
        bool self;
        int r = read_name(m, userdata, &self, &owner, error);

        return r < 0 ? r : sd_bus_reply_method_return(m, "u", (uint32_t) DBUS_START_REPLY_ALREADY_RUNNING);
}

static int method_get_id(sd_bus_message *m, void *userdata, sd_bus_error *error _unused_) {
        struct peer *peer = ASSERT_PTR(userdata);
        char id[SD_ID128_STRING_MAX];

        return sd_bus_reply_method_return(m, "s", sd_id128_to_string(peer->server->id, id));
}

static int method_get_unix_user(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        struct peer *peer = ASSERT_PTR(userdata);
        const char *owner;
        bool self;
        int r = read_name(m, peer, &self, &owner, error);

        return r < 0 ? r : sd_bus_reply_method_return(m, "u", (uint32_t) (self ? peer->uid : getuid()));
}

static int method_get_unix_process_id(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        struct peer *peer = ASSERT_PTR(userdata);
        const char *owner;
        bool self;
        int r = read_name(m, peer, &self, &owner, error);

        return r < 0 ? r : sd_bus_reply_method_return(m, "u", (uint32_t) (self ? peer->pid : getpid()));
}

static const sd_bus_vtable driver_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_METHOD("Hello", "", "s", method_hello, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("AddMatch", "s", "", method_add_match, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("RemoveMatch", "s", "", method_remove_match, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("GetNameOwner", "s", "s", method_get_name_owner, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("NameHasOwner", "s", "b", method_name_has_owner, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("ListNames", "", "as", method_list_names, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("ListActivatableNames", "", "as", method_list_activatable_names, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("StartServiceByName", "su", "u", method_start_service, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("GetId", "", "s", method_get_id, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("GetConnectionUnixUser", "s", "u", method_get_unix_user, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("GetConnectionUnixProcessID", "s", "u", method_get_unix_process_id, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_VTABLE_END,
};

int bus_driver_add(struct peer *peer) {
        return sd_bus_add_object_vtable(peer->bus, NULL, BUS_DRIVER_PATH, BUS_DRIVER_NAME, driver_vtable, peer);
}

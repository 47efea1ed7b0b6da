/* The same objects on a bus, under the name org.dosvc. One connection carries many clients there: each sender is a peer of its own, whose
 * messages go to it alone. sd-bus (252) looks for no sender when it finds an object, so the filter that sees every call first notes who
 * is calling, and handlers ask peer_of_call().
 *
 * A sender counts as a client (MaxClientsPerUser) from its first call until it leaves the bus: what it asked for may be signals, volatile
 * jobs, callbacks, so it is not forgotten earlier.
 *
 * How large a message may be is the bus's word too (dbus-daemon: 32 MiB): sd-bus tells no size, and has it all when the filter sees it. One
 * is here at a time: calls that wait keep none (bus_call.c).
 *
 * Who a sender is, only the bus knows: it is asked once for each, and waited for, at most NAME_TIMEOUT_USEC. */
#include <inttypes.h>
#include <stdio.h>

#include "base/log.h"
#include "base/strings.h"
#include "bus/private.h"

#define NAME_TIMEOUT_USEC (2 * USEC_PER_SEC)

struct peer *peer_of_call(struct peer *peer) {
        return peer->is_gate ? peer->calling : peer;
}

static struct peer *find_member(struct bus_server *server, const char *name) {
        struct peer *peer;

        DL_FOREACH(server->peers, peer)
                if (peer->name && streq(peer->name, name))
                        return peer;
        return NULL;
}

/* A failed look-up is a denial. */
static int ask_who(sd_bus_message *m, uid_t *ret_uid, pid_t *ret_pid) {
        _cleanup_(sd_bus_creds_unrefp) sd_bus_creds *credentials = NULL;
        int r;

        r = sd_bus_query_sender_creds(m, SD_BUS_CREDS_EUID | SD_BUS_CREDS_PID, &credentials);
        if (r >= 0)
                r = sd_bus_creds_get_euid(credentials, ret_uid);
        if (r >= 0 && sd_bus_creds_get_pid(credentials, ret_pid) < 0)
                *ret_pid = 0; /* only for the log */
        return r;
}

static int on_left(sd_bus_message *m, void *userdata, sd_bus_error *error _unused_) {
        struct peer *peer = ASSERT_PTR(userdata);
        const char *new_owner;

        if (sd_bus_message_skip(m, "ss") >= 0 && sd_bus_message_read_basic(m, 's', &new_owner) >= 0 && !*new_owner)
                peer_drop(peer);
        return 0;
}

/* Who it is, is asked behind the request to be told when it leaves, so it cannot leave unseen. */
static int peer_meet(struct peer *peer, sd_bus_message *m) {
        const struct bus_server_config *config = &peer->server->config;
        char match[256];
        int r;

        (void) snprintf(match, sizeof(match),
                        "type='signal',sender='" BUS_DRIVER_NAME "',path='" BUS_DRIVER_PATH "',interface='" BUS_DRIVER_NAME
                        "',member='NameOwnerChanged',arg0='%s'", peer->name);
        r = sd_bus_add_match_async(peer->bus, &peer->leaving, match, on_left, NULL, peer);
        if (r < 0)
                return r;
        r = ask_who(m, &peer->uid, &peer->pid);
        if (r < 0 || (peer->uid != config->uid && !config->everybody))
                return -EACCES;
        return server_judge_room(peer->server, peer->uid);
}

static size_t count_members(const struct bus_server *server) {
        const struct peer *peer;
        size_t n = 0;

        DL_FOREACH(server->peers, peer)
                n += peer->name != NULL;
        return n;
}

static int admit(struct peer *gate, sd_bus_message *m, const char *sender, struct peer **ret) {
        struct bus_server *server = gate->server;
        _cleanup_free_ char *name = NULL;
        struct peer *peer;
        int r;

        if (count_members(server) >= LIMIT_CLIENTS_ON_A_BUS)
                return -EUSERS;
        name = strdup(sender);
        peer = name ? malloc(sizeof(*peer)) : NULL;
        if (!peer)
                return -ENOMEM;
        *peer = (struct peer) {
                .server = server, .bus = sd_bus_ref(gate->bus), .name = TAKE_PTR(name),
                .serial = ++server->next_serial, .fd = -EBADF, .pidfd = -EBADF,
        };
        r = peer_meet(peer, m);
        if (r < 0) {
                peer_free(peer);
                return r;
        }
        DL_APPEND(server->peers, peer);
        server->n_peers++;
        log_debug("client %" PRIu64 " (pid %d) is here, on the bus as %s", peer->serial, (int) peer->pid, sender);
        server_tell_activity(server);
        *ret = peer;
        return 0;
}

/* Sees every message first. */
static int on_bus_message(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        struct peer *gate = ASSERT_PTR(userdata);
        const char *sender = sd_bus_message_get_sender(m);
        uint8_t type;
        int r = 0;

        gate->calling = NULL;
        if (sd_bus_message_get_type(m, &type) < 0 || type != SD_BUS_MESSAGE_METHOD_CALL)
                return 0;
        if (!sender)
                return -EBADMSG;
        gate->calling = find_member(gate->server, sender);
        if (!gate->calling)
                r = admit(gate, m, sender, &gate->calling);
        if (r == -EACCES)
                return sd_bus_error_set(error, SD_BUS_ERROR_ACCESS_DENIED, "This service serves the user who runs it.");
        if (r == -EUSERS)
                return sd_bus_error_set(error, SD_BUS_ERROR_LIMITS_EXCEEDED, "There are too many clients (MaxClientsPerUser, MaxClients).");
        if (r < 0)
                return r;
        bus_authority_saw(gate->calling, m);
        return gate->calling->granted == m ? 0 : bus_rate_judge(gate->calling, m, error);
}

static void drop_members(struct bus_server *server) {
        struct peer *peer, *tmp;

        DL_FOREACH_SAFE(server->peers, peer, tmp)
                if (peer->name)
                        peer_drop(peer);
}

static int on_bus_lost(sd_bus_message *m _unused_, void *userdata, sd_bus_error *error _unused_) {
        struct peer *gate = ASSERT_PTR(userdata);

        log_notice("the bus is gone; the service goes on at its sockets");
        drop_members(gate->server);
        return 0;
}

static int on_name(sd_bus_message *m, void *userdata _unused_, sd_bus_error *error _unused_) {
        const sd_bus_error *refused = sd_bus_message_get_error(m);
        uint32_t answer = 0;

        if (refused)
                log_notice("no name " BUS_NAME " on the bus: %s", refused->message);
        else if (sd_bus_message_read(m, "u", &answer) < 0 || answer != 1 /* the owner */)
                log_notice("the name " BUS_NAME " on the bus is somebody else's");
        return 0;
}

static int gate_open(struct peer *gate) {
        sd_bus *bus = gate->bus;
        int r;

        r = sd_bus_set_method_call_timeout(bus, NAME_TIMEOUT_USEC);
        if (r >= 0)
                r = sd_bus_add_filter(bus, NULL, on_bus_message, gate);
        if (r >= 0)
                r = sd_bus_match_signal_async(bus, NULL, NULL, "/org/freedesktop/DBus/Local", "org.freedesktop.DBus.Local", "Disconnected",
                                              on_bus_lost, NULL, gate);
        if (r >= 0)
                r = bus_manager_add(gate);
        if (r >= 0)
                r = bus_job_add(gate);
        if (r >= 0)
                r = bus_file_add(gate);
        if (r >= 0)
                r = sd_bus_request_name_async(bus, NULL, BUS_NAME, 0, on_name, gate);
        return r;
}

int bus_server_join(struct bus_server *server, sd_bus *bus) {
        struct peer *gate = malloc(sizeof(*gate));
        int r;

        if (!gate)
                return -ENOMEM;
        *gate = (struct peer) { .server = server, .bus = sd_bus_ref(bus), .is_gate = true, .fd = -EBADF, .pidfd = -EBADF };
        server->gate = gate; /* also of what is half-done: it ends with the connection, which has it as userdata */
        r = gate_open(gate);
        return r < 0 ? r : 0;
}

void bus_server_leave(struct bus_server *server) {
        struct peer *gate = server->gate;

        if (!gate)
                return;
        drop_members(server);
        sd_bus_unref(gate->bus);
        free(gate);
        server->gate = NULL;
}

void bus_name_release(struct bus_server *server) {
        if (server->gate)
                (void) sd_bus_release_name_async(server->gate->bus, NULL, BUS_NAME, NULL, NULL);
}

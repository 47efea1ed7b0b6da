/* The same objects on a bus, under the name org.dosvc. One connection carries many clients there: each sender is a peer of its own, whose
 * messages go to it alone. sd-bus (252) looks for no sender when it finds an object, so the filter that sees every call first notes who
 * is calling, and handlers ask peer_of_call().
 *
 * A sender counts as a client (MaxClientsPerUser) from its first call until it leaves the bus: what it asked for may be signals, volatile
 * jobs, callbacks, so it is not forgotten earlier.
 *
 * Who a sender is, only the bus knows: it is asked once for each, and waited for, at most NAME_TIMEOUT_USEC. */
#include <inttypes.h>

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

static int admit(struct peer *gate, sd_bus_message *m, const char *sender, struct peer **ret) {
        struct bus_server *server = gate->server;
        struct peer *peer;
        uid_t uid;
        pid_t pid;
        int r;

        r = ask_who(m, &uid, &pid);
        if (r < 0 || uid != server->config.uid)
                return -EACCES;
        r = server_judge_room(server, uid);
        if (r < 0)
                return r;
        peer = malloc(sizeof(*peer));
        if (!peer)
                return -ENOMEM;
        *peer = (struct peer) {
                .server = server, .bus = sd_bus_ref(gate->bus), .name = strdup(sender), .uid = uid, .pid = pid,
                .serial = ++server->next_serial, .greeted = true, .pidfd = -EBADF,
        };
        if (!peer->name) {
                peer_free(peer);
                return -ENOMEM;
        }
        DL_APPEND(server->peers, peer);
        server->n_peers++;
        log_debug("client %" PRIu64 " (pid %d) is here, on the bus as %s", peer->serial, (int) pid, sender);
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
        if (r >= 0 && gate->calling)
                r = bus_rate_judge(gate->calling, m, error);
        return r;
}

static int on_owner_changed(sd_bus_message *m, void *userdata, sd_bus_error *error _unused_) {
        struct peer *gate = ASSERT_PTR(userdata), *peer;
        const char *name, *old_owner, *new_owner;

        if (sd_bus_message_read(m, "sss", &name, &old_owner, &new_owner) < 0 || *new_owner)
                return 0;
        peer = find_member(gate->server, name);
        if (peer)
                peer_drop(peer);
        return 0;
}

static int on_bus_lost(sd_bus_message *m _unused_, void *userdata, sd_bus_error *error _unused_) {
        struct peer *gate = ASSERT_PTR(userdata), *peer, *tmp;

        log_notice("the bus is gone; the service goes on at its sockets");
        DL_FOREACH_SAFE(gate->server->peers, peer, tmp)
                if (peer->name)
                        peer_drop(peer);
        return 0;
}

static int on_name(sd_bus_message *m, void *userdata _unused_, sd_bus_error *error _unused_) {
        uint32_t answer = 0;

        if (sd_bus_message_is_method_error(m, NULL) || sd_bus_message_read(m, "u", &answer) < 0 || answer != 1 /* the owner */)
                log_notice("the name " BUS_NAME " on the bus is somebody else's");
        return 0;
}

static int gate_open(struct peer *gate) {
        sd_bus *bus = gate->bus;
        int r;

        r = sd_bus_set_close_on_exit(bus, 0); /* it would flush first */
        if (r >= 0)
                r = sd_bus_set_method_call_timeout(bus, NAME_TIMEOUT_USEC);
        if (r >= 0)
                r = sd_bus_add_filter(bus, NULL, on_bus_message, gate);
        if (r >= 0)
                r = sd_bus_match_signal_async(bus, NULL, NULL, "/org/freedesktop/DBus/Local", "org.freedesktop.DBus.Local", "Disconnected",
                                              on_bus_lost, NULL, gate);
        if (r >= 0)
                r = sd_bus_match_signal_async(bus, NULL, BUS_DRIVER_NAME, BUS_DRIVER_PATH, BUS_DRIVER_NAME, "NameOwnerChanged",
                                              on_owner_changed, NULL, gate);
        if (r >= 0)
                r = bus_manager_add(gate);
        if (r >= 0)
                r = bus_job_add(gate);
        if (r >= 0)
                r = bus_file_add(gate);
        if (r >= 0)
                r = sd_bus_attach_event(bus, gate->server->event, SD_EVENT_PRIORITY_NORMAL);
        if (r >= 0)
                r = sd_bus_request_name_async(bus, NULL, BUS_NAME, 0, on_name, gate);
        return r;
}

struct peer *gate_free(struct peer *gate) {
        if (!gate)
                return NULL;
        (void) sd_bus_detach_event(gate->bus);
        sd_bus_close(gate->bus);
        sd_bus_unref(gate->bus);
        free(gate);
        return NULL;
}

int bus_server_join_session(struct bus_server *server) {
        struct peer *gate = malloc(sizeof(*gate));
        int r;

        if (!gate)
                return -ENOMEM;
        *gate = (struct peer) { .server = server, .is_gate = true, .greeted = true, .pidfd = -EBADF };
        r = sd_bus_open_user(&gate->bus);
        if (r < 0) {
                free(gate);
                return r;
        }
        r = gate_open(gate);
        if (r < 0) {
                gate_free(gate);
                return r;
        }
        server->gate = gate;
        return 0;
}

#include "bus/bus_server.h"

#include <inttypes.h>
#include <limits.h>
#include <sys/socket.h>

#include "base/fds.h"
#include "base/log.h"
#include "bus/private.h"

/* ---- a client's life ---- */

struct peer *peer_free(struct peer *peer) {
        if (!peer)
                return NULL;
        if (peer->bus && !peer->name) {
                peer_poll_stop(peer);
                sd_bus_close(peer->bus); /* no flush: it would wait for a client that does not read */
        }
        outbox_done(peer);
        sd_bus_slot_unref(peer->leaving);
        sd_bus_unref(peer->bus);
        bus_intake_free(peer->intake);
        fd_close(peer->pidfd);
        free(peer->name);
        free(peer);
        return NULL;
}

void server_tell_activity(struct bus_server *server) {
        const struct bus_host *host = server->config.host;

        if (host && host->activity)
                host->activity(server->config.host_userdata);
}

void peer_drop(struct peer *peer) {
        struct bus_server *server = peer->server;

        if (peer->dead)
                return;
        peer->dead = true;
        peer_poll_stop(peer);
        bus_notify_done(peer);
        bus_authority_forget(peer);
        bus_call_orphan_all(peer);
        peer_unsubscribe(peer, NULL);
        if (server->manager && !server->stopping)
                manager_client_gone(server->manager, peer);
        DL_DELETE(server->peers, peer);
        server->n_peers--;
        /* We may be deep inside sd_bus_process() of this very connection: the loop takes it away. */
        DL_APPEND(server->dead, peer);
        (void) sd_event_source_set_enabled(server->reap_source, SD_EVENT_ONESHOT);
        log_debug("client %" PRIu64 " (pid %d) is gone", peer->serial, (int) peer->pid);
        server_tell_activity(server);
}

static void reap(struct bus_server *server) {
        struct peer *peer, *tmp;

        DL_FOREACH_SAFE(server->dead, peer, tmp) {
                DL_DELETE(server->dead, peer);
                peer_free(peer);
        }
}

static int on_reap(sd_event_source *source _unused_, void *userdata) {
        struct bus_server *server = ASSERT_PTR(userdata);

        reap(server);
        server->told_full = server->told_full_uid = false;
        listener_set_enabled_all(server, true); /* a descriptor is free again */
        return 0;
}

int peer_call(struct peer *peer, sd_bus_message *message, sd_bus_message_handler_t answered, void *userdata, sd_bus_slot **ret_slot) {
        peer_touch(peer);
        return sd_bus_call_async(peer->bus, ret_slot, message, answered, userdata, CALLBACK_TIMEOUT_USEC);
}

static int on_disconnected(sd_bus_message *m _unused_, void *userdata, sd_bus_error *error _unused_) {
        peer_drop(userdata);
        return 0;
}

/* Sees every message first. */
static int on_message(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        struct peer *peer = ASSERT_PTR(userdata);
        int r;

        peer->handled = true;
        bus_authority_saw(peer, m);
        if (!peer->dead && peer_reads_too_slowly(peer))
                peer_drop(peer); /* answers that sd-bus writes itself do not come by peer_send() */
        if (peer->dead)
                return 1;
        if (peer->granted == m)
                return 0; /* it was counted when it came first */
        r = bus_rate_judge(peer, m, error);
        return r < 0 ? r : 0;
}

/* ---- a new client ---- */

static int peer_who(int fd, struct peer *peer) {
        struct ucred credentials;
        socklen_t size = sizeof(credentials);

        if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size) < 0)
                return -errno;
        if (size != sizeof(credentials))
                return -EIO;
        peer->uid = credentials.uid;
        peer->pid = credentials.pid;
        return 0;
}

static int peer_add_objects(struct peer *peer) {
        int r;

        r = sd_bus_add_filter(peer->bus, NULL, on_message, peer);
        if (r >= 0)
                r = sd_bus_match_signal_async(peer->bus, NULL, NULL, "/org/freedesktop/DBus/Local",
                                              "org.freedesktop.DBus.Local", "Disconnected", on_disconnected, NULL,
                                              peer);
        if (r >= 0)
                r = bus_driver_add(peer);
        if (r >= 0)
                r = bus_manager_add(peer);
        if (r >= 0)
                r = bus_job_add(peer);
        if (r >= 0)
                r = bus_file_add(peer);
        return r;
}

/* @fd is CONSUMED in any case. */
static int peer_start(struct peer *peer, int fd) {
        _cleanup_close_ int owned = fd, input = -EBADF;
        int r;

        r = sd_bus_new(&peer->bus);
        if (r >= 0)
                r = bus_intake_new(&peer->intake, &input);
        if (r >= 0)
                r = sd_bus_set_fd(peer->bus, input, owned);
        if (r < 0)
                return r;
        input = -EBADF; /* the bus closes both */
        peer->fd = TAKE_FD(owned);
        r = sd_bus_set_server(peer->bus, 1, peer->server->id);
        if (r >= 0)
                r = sd_bus_set_anonymous(peer->bus, 1); /* the kernel has said who it is; the intake sees to it that nobody says otherwise */
        if (r >= 0)
                r = sd_bus_negotiate_fds(peer->bus, 1);
        if (r >= 0)
                r = sd_bus_set_sender(peer->bus, BUS_OWN_UNIQUE_NAME); /* bus-minded clients match signals by it */
        if (r >= 0)
                r = sd_bus_set_close_on_exit(peer->bus,
                                             0); /* it would flush first: wait for a client that does not read */
        if (r >= 0)
                r = peer_add_objects(peer);
        if (r >= 0)
                r = sd_bus_start(peer->bus);
        if (r >= 0)
                r = peer_poll_start(peer);
        return r;
}

static size_t count_peers_of(const struct bus_server *server, uid_t uid) {
        const struct peer *peer;
        size_t n = 0;

        DL_FOREACH(server->peers, peer)
                n += peer->uid == uid;
        return n;
}

bool server_may_tell(struct bus_server *server) {
        const struct clock *clock = server->config.clock ?: &clock_system;
        unsigned n_left_out;

        if (!log_limit_take(&server->told, clock_now(clock, CLOCK_ID_MONOTONIC), &n_left_out))
                return false;
        if (n_left_out > 0)
                log_notice("%u more lines about clients were left out", n_left_out);
        return true;
}

int server_judge_room(struct bus_server *server, uid_t uid) {
        const struct bus_server_config *config = &server->config;
        const char *why = bus_passed_why_no_more(server, uid);

        if (why) {
                if (!server->told_full_uid && server_may_tell(server))
                        log_notice("a client of uid %u was refused: %s", uid, why);
                server->told_full_uid = true;
                return -EUSERS;
        }
        if (count_peers_of(server, uid) >= config->max_clients_per_user) {
                if (!server->told_full_uid && server_may_tell(server))
                        log_notice("uid %u has %zu clients: one more was refused (MaxClientsPerUser)", uid, config->max_clients_per_user);
                server->told_full_uid = true;
                return -EUSERS;
        }
        if (server->n_peers >= config->max_clients) {
                if (!server->told_full && server_may_tell(server))
                        log_warning("more than %zu clients: new ones are refused (MaxClients)", config->max_clients);
                server->told_full = true;
                return -EUSERS;
        }
        return 0;
}

int bus_server_add_client(struct bus_server *server, int fd) {
        _cleanup_close_ int owned = fd;
        struct peer *peer;
        int r;

        peer = malloc(sizeof(*peer));
        if (!peer)
                return -ENOMEM;
        *peer = (struct peer) { .server = server, .serial = ++server->next_serial, .fd = -EBADF, .pidfd = -EBADF };
        r = peer_who(owned, peer);
        if (r >= 0 && peer->uid != server->config.uid && !server->config.everybody) {
                if (server_may_tell(server))
                        log_notice("a connection of uid %u (pid %d) was refused", peer->uid, (int) peer->pid);
                r = -EACCES;
        }
        if (r >= 0)
                r = server_judge_room(server, peer->uid);
        if (r >= 0 && server->config.authority)
                peer_note_process(peer, owned);
        if (r >= 0)
                r = peer_start(peer, TAKE_FD(owned));
        if (r < 0) {
                peer_free(peer);
                return r;
        }
        DL_APPEND(server->peers, peer);
        server->n_peers++;
        log_debug("client %" PRIu64 " (pid %d) is here", peer->serial, (int) peer->pid);
        server_tell_activity(server);
        return 0;
}

/* ---- the server ---- */

static int server_add_sources(struct bus_server *server) {
        int r;

        r = sd_event_add_defer(server->event, &server->reap_source, on_reap, server);
        if (r >= 0)
                r = sd_event_source_set_enabled(server->reap_source, SD_EVENT_OFF);
        if (r >= 0)
                r = sd_event_source_set_priority(server->reap_source, SD_EVENT_PRIORITY_IMPORTANT);
        if (r < 0)
                return r;
        (void) sd_event_source_set_description(server->reap_source, "bus-reap");
        return 0;
}

int bus_server_new(sd_event *event, const struct bus_server_config *config, struct bus_server **ret) {
        _cleanup_(bus_server_freep) struct bus_server *server = NULL;
        int r;

        server = malloc(sizeof(*server));
        if (!server)
                return -ENOMEM;
        *server = (struct bus_server) { .event = sd_event_ref(event), .manager = config->manager, .config = *config, .poll_fd = -EBADF };
        r = sd_id128_randomize(&server->id);
        if (r >= 0)
                r = server_add_sources(server);
        if (r >= 0)
                r = bus_poll_start(server);
        if (r >= 0)
                r = bus_passed_start(server);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(server);
        return 0;
}

void bus_server_set_limits(struct bus_server *server, size_t max_clients, size_t max_calls_per_client, uint64_t max_calls_per_second) {
        server->config.max_clients = max_clients;
        server->config.max_calls_per_client = max_calls_per_client;
        server->config.max_calls_per_second = max_calls_per_second;
        server->told_full = server->told_full_uid = false;
}

size_t bus_server_count_clients(const struct bus_server *server) {
        return server->n_peers;
}

void bus_server_set_stopping(struct bus_server *server) {
        server->stopping = true;
        bus_name_release(server); /* whoever calls from now on gets the next one */
}

void bus_server_close(struct bus_server *server) {
        struct peer *peer, *tmp;

        server->config.host = NULL;
        listener_free_all(server);
        DL_FOREACH_SAFE(server->peers, peer, tmp) {
                if (!peer->name)
                        (void) peer_tell(peer, UINT_MAX); /* as far as it is taken at once */
                peer_drop(peer);
        }
        reap(server);
        bus_server_leave(server);
        server->manager = NULL;
}

struct bus_server *bus_server_free(struct bus_server *server) {
        struct bus_call *call, *tmp;

        if (!server)
                return NULL;
        bus_server_close(server);
        DL_FOREACH_SAFE(server->orphans, call, tmp)
                bus_call_free(call);
        bus_rate_free_all(server);
        sd_event_source_disable_unref(server->reap_source);
        sd_event_source_disable_unref(server->accept_source);
        bus_poll_stop(server);
        bus_passed_stop(server);
        sd_event_unref(server->event);
        free(server);
        return NULL;
}

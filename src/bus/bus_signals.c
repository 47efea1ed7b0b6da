/* What goes out by itself: the manager's events, to whoever asked for them. Nothing is sent from anywhere else, so
 * nothing is told before it is on disk. */
#include "base/log.h"
#include "bus/private.h"

/* ---- who wants what ---- */

int peer_subscribe(struct peer *peer, const struct job *job) {
        struct subscription *subscription;

        if (!job) {
                peer->wants_all = true;
                return 0;
        }
        HASH_FIND(hh, peer->subscriptions, &job->id, sizeof(job->id), subscription);
        if (subscription) {
                subscription->as_administrator |= job->owner != peer->uid;
                return 0;
        }
        if (HASH_COUNT(peer->subscriptions) >= LIMIT_SUBSCRIPTIONS)
                return ERROR_TOO_MANY_REQUESTS;
        subscription = malloc(sizeof(*subscription));
        if (!subscription)
                return -ENOMEM;
        *subscription = (struct subscription) { .id = job->id, .as_administrator = job->owner != peer->uid };
        HASH_ADD(hh, peer->subscriptions, id, sizeof(subscription->id), subscription);
        if (!subscription->hh.tbl) {
                free(subscription);
                return -ENOMEM;
        }
        return 0;
}

void peer_unsubscribe(struct peer *peer, const struct guid *id) {
        struct subscription *subscription, *tmp;

        if (!id)
                peer->wants_all = false;
        HASH_ITER(hh, peer->subscriptions, subscription, tmp) {
                if (id && !guid_equal(&subscription->id, id))
                        continue;
                HASH_DEL(peer->subscriptions, subscription);
                free(subscription);
        }
}

bool peer_wants(const struct peer *peer, const struct job *job) {
        struct subscription *subscription;

        if (peer->dead)
                return false;
        if (peer->wants_all && peer->uid == job->owner)
                return true;
        HASH_FIND(hh, peer->subscriptions, &job->id, sizeof(job->id), subscription);
        return subscription && (subscription->as_administrator || peer->uid == job->owner);
}

static bool peer_wanted(const struct peer *peer, const struct guid *id) {
        struct subscription *subscription;

        HASH_FIND(hh, peer->subscriptions, id, sizeof(*id), subscription);
        return !peer->dead && (peer->wants_all || subscription);
}

/* ---- building ---- */

static int new_manager_signal(struct peer *peer, const struct job *job, const char *member, sd_bus_message **ret) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        char id[GUID_STRING_MAX], path[BUS_PATH_MAX];
        int r;

        guid_to_string(&job->id, id);
        bus_path_of_job(&job->id, path);
        r = sd_bus_message_new_signal(peer->bus, &m, BUS_PATH, BUS_MANAGER_INTERFACE, member);
        if (r >= 0)
                r = sd_bus_message_append(m, "so", id, path);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(m);
        return 0;
}

static int send_added(struct peer *peer, const struct job *job) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        int r = new_manager_signal(peer, job, "JobAdded", &m);

        return r < 0 ? r : peer_send(peer, m);
}

static int send_removed(struct peer *peer, const struct job *job, const char *how) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        int r = new_manager_signal(peer, job, "JobRemoved", &m);

        if (r >= 0)
                r = sd_bus_message_append_basic(m, 's', how);
        return r < 0 ? r : peer_send(peer, m);
}

static int send_changed(struct peer *peer, const struct job *job, unsigned kinds) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        char path[BUS_PATH_MAX];
        int r;

        bus_path_of_job(&job->id, path);
        r = sd_bus_message_new_signal(peer->bus, &m, path, BUS_PROPERTIES_INTERFACE, "PropertiesChanged");
        if (r >= 0)
                r = sd_bus_message_append_basic(m, 's', BUS_JOB_INTERFACE);
        if (r >= 0)
                r = bus_append_job(m, peer, job, kinds);
        if (r >= 0)
                r = sd_bus_message_append(m, "as", 0);
        return r < 0 ? r : peer_send(peer, m);
}

/* A client that misses one would show a lie for ever: it is cut off and can look anew. */
static void sent(struct peer *peer, int r) {
        if (r >= 0)
                return;
        log_warning("a signal could not be made: %s", strerror(-r));
        peer_drop(peer);
}

/* ---- the manager's events ---- */

static void on_job_added(void *userdata, const struct job *job) {
        struct bus_server *server = ASSERT_PTR(userdata);
        struct peer *peer, *tmp;

        DL_FOREACH_SAFE(server->peers, peer, tmp)
                if (peer->wants_all && peer_wants(peer, job))
                        sent(peer, send_added(peer, job));
        server_tell_activity(server);
}

static void on_job_changed(void *userdata, const struct job *job, bool state) {
        struct bus_server *server = ASSERT_PTR(userdata);
        unsigned kinds = state ? PROPERTY_VOLATILE | PROPERTY_SETTABLE : PROPERTY_VOLATILE;
        struct peer *peer, *tmp;

        DL_FOREACH_SAFE(server->peers, peer, tmp)
                if (peer_wants(peer, job))
                        sent(peer, send_changed(peer, job, kinds));
        if (state)
                server_tell_activity(server);
}

static void on_job_removed(void *userdata, const struct job *job) {
        struct bus_server *server = ASSERT_PTR(userdata);
        struct peer *peer, *tmp;

        DL_FOREACH_SAFE(server->peers, peer, tmp) {
                if (peer_wants(peer, job))
                        sent(peer, send_removed(peer, job, job_state_name(job->state)));
                bus_notify_forget_job(peer, &job->id);
                peer_unsubscribe(peer, &job->id);
        }
        server_tell_activity(server);
}

/* For the old owner it is gone, for the new one it is there. An administrator who watches it goes on. */
static void on_job_taken(void *userdata, const struct job *job, uid_t old_owner) {
        struct bus_server *server = ASSERT_PTR(userdata);
        struct peer *peer, *tmp;

        DL_FOREACH_SAFE(server->peers, peer, tmp) {
                if (peer->uid == old_owner) {
                        if (peer_wanted(peer, &job->id))
                                sent(peer, send_removed(peer, job, "taken"));
                        bus_notify_forget_job(peer, &job->id);
                        peer_unsubscribe(peer, &job->id);
                } else if (peer->uid == job->owner && peer->wants_all)
                        sent(peer, send_added(peer, job));
        }
        server_tell_activity(server);
}

static void on_failed(void *userdata, int error) {
        struct bus_server *server = ASSERT_PTR(userdata);
        const struct bus_host *host = server->config.host;

        if (host && host->failed)
                host->failed(server->config.host_userdata, error);
}

const struct manager_events bus_manager_events = {
        .job_added = on_job_added,
        .job_changed = on_job_changed,
        .job_removed = on_job_removed,
        .job_taken = on_job_taken,
        .failed = on_failed,
};

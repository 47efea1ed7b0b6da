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

static void forget(struct peer *peer, struct subscription *subscription) {
        HASH_DEL(peer->subscriptions, subscription);
        free(subscription);
}

void peer_unsubscribe(struct peer *peer, const struct guid *id) {
        struct subscription *subscription, *tmp;

        if (id) {
                HASH_FIND(hh, peer->subscriptions, id, sizeof(*id), subscription);
                if (subscription)
                        forget(peer, subscription);
                return;
        }
        peer->wants_all = false;
        HASH_ITER(hh, peer->subscriptions, subscription, tmp)
                forget(peer, subscription);
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

/* Who has its callback, or judges its servers, is told of its end: nothing else would say that this is over. */
static bool peer_listens(struct peer *peer, const struct guid *id) {
        return !peer->dead && bus_notifier_find(peer, id);
}

/* ---- telling ---- */

/* The same message goes to all who see the same of the job: its owner, and others, who see no secrets. On a bus each needs one of its own,
 * which has its name. */
struct news {
        const struct job *job;
        const char *member;      /* of the manager's interface; NULL: the job's properties changed, */
        unsigned kinds;          /* these */
        const char *how;         /* JobRemoved: its last word */
        sd_bus_message *made[2]; /* for others, for the owner */
};

static void news_done(struct news *news) {
        for (size_t i = 0; i < ELEMENTSOF(news->made); i++)
                sd_bus_message_unref(news->made[i]);
}

static int append_changed(sd_bus_message *m, const struct peer *viewer, const struct news *news) {
        int r = sd_bus_message_append_basic(m, 's', BUS_JOB_INTERFACE);

        if (r >= 0)
                r = bus_append_job(m, viewer, news->job, news->kinds);
        return r < 0 ? r : sd_bus_message_append(m, "as", 0);
}

static int append_member(sd_bus_message *m, const struct news *news, const char *path) {
        char id[GUID_STRING_MAX];
        int r;

        guid_to_string(&news->job->id, id);
        r = sd_bus_message_append(m, "so", id, path);
        return r < 0 || !news->how ? r : sd_bus_message_append_basic(m, 's', news->how);
}

static int make(const struct news *news, const struct peer *viewer, sd_bus_message **ret) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        char path[BUS_PATH_MAX];
        int r;

        bus_path_of_job(&news->job->id, path);
        r = news->member ? sd_bus_message_new_signal(viewer->bus, &m, BUS_PATH, BUS_MANAGER_INTERFACE, news->member)
                         : sd_bus_message_new_signal(viewer->bus, &m, path, BUS_PROPERTIES_INTERFACE, "PropertiesChanged");
        if (r >= 0)
                r = news->member ? append_member(m, news, path) : append_changed(m, viewer, news);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(m);
        return 0;
}

static int tell_one(struct news *news, struct peer *peer) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *its_own = NULL;
        sd_bus_message **m = peer->name ? &its_own : &news->made[peer->uid == news->job->owner];
        int r = *m ? 0 : make(news, peer, m);

        return r < 0 ? r : peer_send(peer, *m);
}

/* A client that misses one would show a lie for ever: it is cut off and can look anew. */
static void tell(struct news *news, struct peer *peer) {
        int r = tell_one(news, peer);

        if (r >= 0)
                return;
        log_warning("a signal could not be made: %s", strerror(-r));
        peer_drop(peer);
}

/* ---- the manager's events ---- */

static void on_job_added(void *userdata, const struct job *job) {
        struct bus_server *server = ASSERT_PTR(userdata);
        _cleanup_(news_done) struct news added = { .job = job, .member = "JobAdded" };
        struct peer *peer, *tmp;

        DL_FOREACH_SAFE(server->peers, peer, tmp)
                if (peer->wants_all && peer_wants(peer, job))
                        tell(&added, peer);
        server_tell_activity(server);
}

static void on_job_changed(void *userdata, const struct job *job, bool state) {
        struct bus_server *server = ASSERT_PTR(userdata);
        _cleanup_(news_done) struct news changed = { .job = job, .kinds = PROPERTY_VOLATILE | (state ? PROPERTY_SETTABLE : 0U) };
        struct peer *peer, *tmp;

        DL_FOREACH_SAFE(server->peers, peer, tmp)
                if (peer_wants(peer, job))
                        tell(&changed, peer);
        if (state)
                server_tell_activity(server);
}

static void on_job_removed(void *userdata, const struct job *job) {
        struct bus_server *server = ASSERT_PTR(userdata);
        _cleanup_(news_done) struct news removed = { .job = job, .member = "JobRemoved", .how = job_state_name(job->state) };
        struct peer *peer, *tmp;

        DL_FOREACH_SAFE(server->peers, peer, tmp) {
                if (peer_wants(peer, job) || peer_listens(peer, &job->id))
                        tell(&removed, peer);
                bus_notify_forget_job(peer, &job->id);
                peer_unsubscribe(peer, &job->id);
        }
        server_tell_activity(server);
}

/* For the old owner it is gone, for the new one it is there. An administrator who watches it goes on. */
static void on_job_taken(void *userdata, const struct job *job, uid_t old_owner) {
        struct bus_server *server = ASSERT_PTR(userdata);
        _cleanup_(news_done) struct news removed = { .job = job, .member = "JobRemoved", .how = "taken" };
        _cleanup_(news_done) struct news added = { .job = job, .member = "JobAdded" };
        struct peer *peer, *tmp;

        DL_FOREACH_SAFE(server->peers, peer, tmp) {
                if (peer->uid == old_owner) {
                        if (peer_wanted(peer, &job->id) || peer_listens(peer, &job->id))
                                tell(&removed, peer);
                        bus_notify_forget_job(peer, &job->id);
                        peer_unsubscribe(peer, &job->id);
                } else if (peer->uid == job->owner && peer->wants_all)
                        tell(&added, peer);
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

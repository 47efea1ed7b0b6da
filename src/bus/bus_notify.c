/* Callbacks to programs: org.dosvc.Callback1 of the client that asked for them (BITS: SetNotifyInterface). An empty
 * answer takes the event; an error, silence for 30 seconds or the client's end gives it back to the manager, which
 * delivers again. */
#include "base/log.h"
#include "bus/private.h"

static struct bus_notifier *notifier_free(struct bus_notifier *notifier) {
        if (!notifier)
                return NULL;
        HASH_DEL(notifier->peer->notifiers, notifier);
        sd_bus_slot_unref(notifier->pending); /* the answer, if it comes, is nobody's */
        sd_bus_slot_unref(notifier->question);
        free(notifier);
        return NULL;
}

static struct job *notifier_job(const struct bus_notifier *notifier) {
        struct manager *manager = notifier->peer->server->manager;
        struct job *job = manager ? manager_find_job(manager, notifier->peer->uid, &notifier->id) : NULL;

        /* The last caller wins: it may be another's by now. */
        return job && manager_get_notifier(manager, job) == notifier ? job : NULL;
}

static int on_answer(sd_bus_message *m, void *userdata, sd_bus_error *error _unused_) {
        struct bus_notifier *notifier = ASSERT_PTR(userdata);
        bool ok = !sd_bus_message_is_method_error(m, NULL);

        notifier->pending = sd_bus_slot_unref(notifier->pending);
        if (!ok)
                log_debug("a callback was refused: %s", sd_bus_message_get_error(m)->name);
        if (notifier_job(notifier))
                manager_notified(notifier->peer->server->manager, &notifier->id, notifier->event, ok);
        return 0;
}

static const char *callback_method(uint32_t event) {
        static const struct {
                uint32_t event;
                const char *method;
        } methods[] = {
                { JOB_NOTIFY_ERROR, "JobError" },
                { JOB_NOTIFY_MODIFICATION, "JobModification" },
                { JOB_NOTIFY_FILE_TRANSFERRED, "FileTransferred" },
                { JOB_NOTIFY_FILE_RANGES_TRANSFERRED, "FileRangesTransferred" },
        };

        for (size_t i = 0; i < ELEMENTSOF(methods); i++)
                if (methods[i].event == event)
                        return methods[i].method;
        return "JobTransferred";
}

static int call_back(struct bus_notifier *notifier, const struct manager_notice *notice) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        struct peer *peer = notifier->peer;
        char id[GUID_STRING_MAX];
        int r;

        guid_to_string(&notifier->id, id);
        r = sd_bus_message_new_method_call(peer->bus, &m, peer->name, BUS_CALLBACK_PATH, BUS_CALLBACK_INTERFACE,
                                           callback_method(notice->event));
        if (r >= 0)
                r = sd_bus_message_append_basic(m, 's', id);
        if (r >= 0 && notice->file)
                r = sd_bus_message_append_basic(m, 'u', &notice->file->index);
        if (r >= 0 && notice->ranges)
                r = bus_append_intervals(m, notice->ranges);
        if (r < 0)
                return r;
        if (notice->event == JOB_NOTIFY_MODIFICATION) {
                r = sd_bus_message_set_expect_reply(m, 0);
                return r < 0 ? r : peer_send(peer, m);
        }
        notifier->event = notice->event;
        notifier->pending = sd_bus_slot_unref(notifier->pending);
        return peer_call(peer, m, on_answer, notifier, &notifier->pending);
}

static void deliver(void *userdata, const struct job *job, const struct manager_notice *notice) {
        struct bus_notifier *notifier = ASSERT_PTR(userdata);
        int r = notifier->peer->dead ? -ENOTCONN : call_back(notifier, notice);

        if (r < 0 && notice->event != JOB_NOTIFY_MODIFICATION)
                manager_notified(notifier->peer->server->manager, &job->id, notice->event, false);
}

static const struct manager_notifier bus_manager_notifier = { .deliver = deliver };

struct bus_notifier *bus_notifier_find(struct peer *peer, const struct guid *id) {
        struct bus_notifier *notifier;

        HASH_FIND(hh, peer->notifiers, id, sizeof(*id), notifier);
        return notifier;
}

int bus_notifier_get(struct peer *peer, const struct guid *id, struct bus_notifier **ret) {
        struct bus_notifier *notifier = bus_notifier_find(peer, id);

        if (!notifier) {
                if (HASH_COUNT(peer->notifiers) >= LIMIT_SUBSCRIPTIONS)
                        return ERROR_TOO_MANY_REQUESTS;
                notifier = malloc(sizeof(*notifier));
                if (!notifier)
                        return -ENOMEM;
                *notifier = (struct bus_notifier) { .id = *id, .peer = peer };
                HASH_ADD(hh, peer->notifiers, id, sizeof(notifier->id), notifier);
                if (!notifier->hh.tbl) {
                        free(notifier);
                        return -ENOMEM;
                }
        }
        *ret = notifier;
        return 0;
}

void bus_notifier_free_idle(struct bus_notifier *notifier) {
        if (!notifier_job(notifier) && !bus_judge_job(notifier))
                notifier_free(notifier);
}

int bus_notify_register(struct peer *peer, struct job *job) {
        struct bus_notifier *notifier;
        int r = bus_notifier_get(peer, &job->id, &notifier);

        if (r != 0)
                return r;
        if (notifier_job(notifier))
                return 0; /* it is this one's already: an event that is out stays out */
        notifier->pending = sd_bus_slot_unref(notifier->pending);
        r = manager_set_notifier(peer->server->manager, job, &bus_manager_notifier, notifier);
        if (r < 0)
                bus_notifier_free_idle(notifier);
        return r;
}

void bus_notify_unregister(struct peer *peer, struct job *job) {
        struct bus_notifier *notifier = bus_notifier_find(peer, &job->id);

        if (!notifier)
                return;
        if (notifier_job(notifier))
                (void) manager_set_notifier(peer->server->manager, job, NULL, NULL);
        notifier->pending = sd_bus_slot_unref(notifier->pending);
        bus_notifier_free_idle(notifier);
}

void bus_notify_forget_job(struct peer *peer, const struct guid *id) {
        struct bus_notifier *notifier = bus_notifier_find(peer, id);

        if (notifier)
                notifier_free(notifier);
}

void bus_notify_done(struct peer *peer) {
        struct bus_notifier *notifier, *tmp;

        HASH_ITER(hh, peer->notifiers, notifier, tmp) {
                struct job *job = notifier_job(notifier), *judged = bus_judge_job(notifier);

                if (job)
                        (void) manager_set_notifier(peer->server->manager, job, NULL, NULL);
                if (judged)
                        (void) manager_set_judge(peer->server->manager, judged, NULL, NULL);
                notifier_free(notifier);
        }
}

/* Questions to programs: org.dosvc.Callback1.JudgeCertificate of the client that asked for them (BITS:
 * SetServerCertificateValidationInterface). 0 accepts, another number is the program's reason not to; an error, silence for 30 seconds or
 * the client's end is no answer. */
#include "base/log.h"
#include "bus/private.h"

struct job *bus_judge_job(const struct bus_notifier *notifier) {
        struct manager *manager = notifier->peer->server->manager;
        struct job *job = manager ? manager_find_job(manager, notifier->peer->uid, &notifier->id) : NULL;

        return job && manager_get_judge(manager, job) == notifier ? job : NULL;
}

static int on_answer(sd_bus_message *m, void *userdata, sd_bus_error *error _unused_) {
        struct bus_notifier *notifier = ASSERT_PTR(userdata);
        enum manager_judgement judgement = CERTIFICATE_UNJUDGED;
        uint32_t code = 0;

        notifier->question = sd_bus_slot_unref(notifier->question);
        if (sd_bus_message_is_method_error(m, NULL))
                log_debug("a certificate was not judged: %s", sd_bus_message_get_error(m)->name);
        else if (sd_bus_message_read_basic(m, 'u', &code) > 0)
                judgement = code == 0 ? CERTIFICATE_ACCEPTED : CERTIFICATE_DECLINED;
        if (bus_judge_job(notifier))
                manager_certificate_judged(notifier->peer->server->manager, &notifier->id, judgement, code);
        return 0;
}

static int ask(void *userdata, const struct job_file *file, const struct manager_certificate *certificate) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        struct bus_notifier *notifier = ASSERT_PTR(userdata);
        struct peer *peer = notifier->peer;
        char id[GUID_STRING_MAX];
        int r;

        if (peer->dead)
                return -ENOTCONN;
        guid_to_string(&notifier->id, id);
        r = sd_bus_message_new_method_call(peer->bus, &m, peer->name, BUS_CALLBACK_PATH, BUS_CALLBACK_INTERFACE, "JudgeCertificate");
        if (r >= 0)
                r = sd_bus_message_append(m, "su", id, file->index);
        if (r >= 0)
                r = sd_bus_message_append_array(m, 'y', certificate->bytes, certificate->n_bytes);
        if (r >= 0)
                r = sd_bus_message_append_array(m, 'y', certificate->all, certificate->n_all);
        if (r < 0)
                return r;
        notifier->question = sd_bus_slot_unref(notifier->question);
        return peer_call(peer, m, on_answer, notifier, &notifier->question);
}

static const struct manager_judge bus_manager_judge = { .ask = ask };

int bus_judge_register(struct peer *peer, struct job *job) {
        struct bus_notifier *notifier;
        int r = bus_notifier_get(peer, &job->id, &notifier);

        if (r != 0 || bus_judge_job(notifier))
                return r; /* it is this one's already: what it accepted stays so */
        notifier->question = sd_bus_slot_unref(notifier->question);
        r = manager_set_judge(peer->server->manager, job, &bus_manager_judge, notifier);
        if (r < 0)
                bus_notifier_free_idle(notifier);
        return r;
}

void bus_judge_unregister(struct peer *peer, struct job *job) {
        struct bus_notifier *notifier = bus_notifier_find(peer, &job->id);

        if (!notifier)
                return;
        if (bus_judge_job(notifier))
                (void) manager_set_judge(peer->server->manager, job, NULL, NULL);
        notifier->question = sd_bus_slot_unref(notifier->question);
        bus_notifier_free_idle(notifier);
}

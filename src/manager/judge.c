/* Servers' certificates that a program judges before anything is sent to the server (BITS: SetServerCertificateValidationInterface).
 *
 * That a job wants it is stored; who its judge is, and what that one accepted, is not: it goes with the program. The engine ends a
 * request at a certificate that nobody accepted yet, so no connection waits for a program to make up its mind. The file's run ends
 * with it, nothing else of the job is started, and after the answer the pump asks again. */
#include "manager/private.h"

static bool is_accepted(const struct judging *judging, const uint8_t sha256[static 32]) {
        for (size_t i = 0; i < judging->n_accepted; i++)
                if (memcmp(judging->accepted[i], sha256, sizeof(judging->accepted[i])) == 0)
                        return true;
        return false;
}

static void accept_certificate(struct judging *judging) {
        uint8_t *place = judging->n_accepted < LIMIT_ACCEPTED_CERTIFICATES ? judging->accepted[judging->n_accepted++]
                                                                           : judging->accepted[judging->oldest++];

        judging->oldest %= LIMIT_ACCEPTED_CERTIFICATES;
        memcpy(place, judging->question, sizeof(judging->question));
}

bool manager_awaits_judge(const struct job *job) {
        const struct judging *judging = job_run(job)->judging;

        return judging && judging->asked;
}

bool manager_ask_judge(struct manager *m _unused_, struct job_file *file, const struct engine_certificate *certificate) {
        struct judging *judging = job_run(file->job)->judging;
        const struct manager_certificate question = {
                .bytes = certificate->bytes, .n_bytes = certificate->n_bytes, .all = certificate->all, .n_all = certificate->n_all,
        };

        if (!judging || !judging->judge)
                return false;
        if (judging->asked || is_accepted(judging, certificate->sha256))
                return true; /* this one comes again, and then has its turn */
        if (judging->judge->ask(judging->userdata, file, &question) < 0)
                return false;
        judging->asked = true;
        judging->file = file->index;
        memcpy(judging->question, certificate->sha256, sizeof(judging->question));
        return true;
}

size_t manager_files_beside(const struct job_file *file) {
        const struct judging *judging = job_run(file->job)->judging;
        bool waits = file->job->judge_certificate && (!judging || judging->n_accepted == 0) && strncasecmp(file->url, "https:", 6) == 0;

        return waits ? 0 : FILES_IN_FLIGHT_PER_JOB - 1;
}

void manager_request_judged(const struct job *job, struct engine_request *request) {
        const struct judging *judging = job_run(job)->judging;

        request->judge_certificate = job->judge_certificate;
        if (!job->judge_certificate || !judging)
                return;
        request->accepted = judging->accepted;
        request->n_accepted = judging->n_accepted;
}

static void fail(struct manager *m, struct job *job, enum error_code code, uint32_t detail, uint32_t file) {
        if (job->state == JOB_TRANSFERRING && job->intent == JOB_INTENT_NONE)
                manager_fail_job(m, job, code, ERROR_CONTEXT_SERVER_CERTIFICATE_CALLBACK, detail, file, true, 0, "");
}

void manager_certificate_judged(struct manager *m, const struct guid *id, enum manager_judgement judgement, uint32_t code) {
        struct job_run *run;
        struct judging *judging;

        HASH_FIND(hh, m->by_id, id, sizeof(*id), run);
        judging = run && !job_state_is_final(run->job->state) ? run->judging : NULL;
        if (!judging || !judging->asked)
                return;
        judging->asked = false;
        if (judgement == CERTIFICATE_ACCEPTED) {
                accept_certificate(judging);
                manager_pump_job(m, run->job);
        } else if (judgement == CERTIFICATE_DECLINED)
                fail(m, run->job, ERROR_CERTIFICATE_DECLINED, code, judging->file);
        else
                fail(m, run->job, ERROR_CERTIFICATE_NOT_JUDGED, 0, judging->file);
}

int manager_set_judge(struct manager *m, struct job *job, const struct manager_judge *judge, void *userdata) {
        struct job_run *run = job_run(job);
        struct judging *judging;
        uint32_t file;
        bool was_asked;

        if (!run->judging && !judge)
                return 0;
        if (!run->judging)
                run->judging = calloc(1, sizeof(*run->judging));
        judging = run->judging;
        if (!judging)
                return -ENOMEM;
        was_asked = judging->asked;
        file = judging->file;
        *judging = (struct judging) { .judge = judge, .userdata = userdata };
        if (!judge && was_asked)
                fail(m, job, ERROR_CERTIFICATE_NOT_JUDGED, 0, file);
        else if (job->state == JOB_TRANSIENT_ERROR && job->error.code == ERROR_CERTIFICATE_NOT_JUDGED && judge)
                (void) manager_transition(m, job, JOB_EVENT_RETRY); /* what it waited for is there */
        else
                manager_pump_job(m, job);
        return 0;
}

void *manager_get_judge(const struct manager *m _unused_, const struct job *job) {
        const struct judging *judging = job_run(job)->judging;

        return judging && judging->judge ? judging->userdata : NULL;
}

void manager_judging_changed(struct manager *m, struct job *job) {
        struct judging *judging = job_run(job)->judging;

        if (!job->judge_certificate) {
                if (judging)
                        judging->asked = false;
                manager_pump_job(m, job);
                return;
        }
        if (!manager_may_stop_job(job))
                return;
        /* What is under way was asked for without a judge: it is asked for again. */
        for (size_t i = 0; i < job->n_files; i++) {
                struct file_run *run = job->files[i]->attachment;

                if (run && run->requests)
                        file_run_recall(run);
        }
}

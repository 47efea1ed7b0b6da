#include "daemon/observer.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "config.h"
#include "base/strings.h"
#include "protocol/log_messages.h"

#define DECIMAL_MAX 16 /* of a uid, with its end */

static void format_owner(const struct job *job, char ret[static DECIMAL_MAX]) {
        (void) snprintf(ret, DECIMAL_MAX, "%u", job->owner);
}

/* The cause by its name and the table's sentence: details may hold addresses with secrets in them. */
static void tell_error(const struct job *job, const char *id) {
        const char *name = error_code_dbus_name(job->error.code), *dot = strrchr(name, '.');
        char owner[DECIMAL_MAX];
        struct log_field fields[] = {
                { LOG_FIELD_JOB, id },
                { LOG_FIELD_JOB_NAME, job->name },
                { LOG_FIELD_OWNER, owner },
                { LOG_FIELD_STATE, job_state_name(job->state) },
                { LOG_FIELD_ERROR, dot ? dot + 1 : name },
        };

        format_owner(job, owner);
        log_structured(&(struct log_line) {
                               .level = job->state == JOB_ERROR ? LOG_LEVEL_WARNING : LOG_LEVEL_INFO,
                               .message_id = LOG_MESSAGE_JOB_ERROR,
                               .fields = fields,
                               .n_fields = ELEMENTSOF(fields),
                       },
                       "job %.8s of uid %u is in %s: %s", id, job->owner, job_state_name(job->state), error_code_text(job->error.code));
}

static void tell_transferred(const struct job *job, const char *id) {
        char owner[DECIMAL_MAX];
        struct log_field fields[] = { { LOG_FIELD_JOB, id }, { LOG_FIELD_JOB_NAME, job->name }, { LOG_FIELD_OWNER, owner } };

        format_owner(job, owner);
        log_structured(&(struct log_line) {
                               .level = LOG_LEVEL_INFO,
                               .message_id = LOG_MESSAGE_JOB_TRANSFERRED,
                               .fields = fields,
                               .n_fields = ELEMENTSOF(fields),
                       },
                       "job %.8s of uid %u is transferred: %zu files", id, job->owner, job->n_files);
}

static bool is_told(struct observer *observer, const struct job *job) {
        if (guid_equal(&observer->told_id, &job->id) && observer->told_state == job->state &&
            observer->told_since_usec == job->state_since_usec)
                return true;
        observer->told_id = job->id;
        observer->told_state = job->state;
        observer->told_since_usec = job->state_since_usec;
        return false;
}

static void see_state(struct observer *observer, const struct job *job) {
        char id[GUID_STRING_MAX];

        if (!job_state_has_error(job->state) && job->state != JOB_TRANSFERRED)
                return;
        if (is_told(observer, job))
                return;
        guid_to_string(&job->id, id);
        if (job->state == JOB_TRANSFERRED) {
                tell_transferred(job, id);
                return;
        }
        observer->counts.errors[job->error.code]++;
        tell_error(job, id);
}

static void on_job_added(void *userdata, const struct job *job) {
        struct observer *observer = ASSERT_PTR(userdata);

        observer->counts.jobs_added++;
        observer->next->job_added(observer->next_userdata, job);
}

static void on_job_changed(void *userdata, const struct job *job, bool state) {
        struct observer *observer = ASSERT_PTR(userdata);

        if (state)
                see_state(observer, job);
        observer->next->job_changed(observer->next_userdata, job, state);
}

static void on_job_removed(void *userdata, const struct job *job) {
        struct observer *observer = ASSERT_PTR(userdata);

        observer->counts.jobs_ended[job->state]++;
        observer->next->job_removed(observer->next_userdata, job);
}

static void on_job_taken(void *userdata, const struct job *job, uid_t old_owner) {
        struct observer *observer = ASSERT_PTR(userdata);
        char id[GUID_STRING_MAX];

        guid_to_string(&job->id, id);
        log_notice("job %.8s of uid %u was taken over by uid %u", id, old_owner, job->owner);
        observer->next->job_taken(observer->next_userdata, job, old_owner);
}

static void on_failed(void *userdata, int error) {
        struct observer *observer = ASSERT_PTR(userdata);

        observer->next->failed(observer->next_userdata, error);
}

const struct manager_events observer_events = {
        .job_added = on_job_added,
        .job_changed = on_job_changed,
        .job_removed = on_job_removed,
        .job_taken = on_job_taken,
        .failed = on_failed,
};

void observer_transfer_died(struct observer *observer, int pid) {
        observer->counts.transfer_deaths++;
        if (pid > 0)
                log_structured(&(struct log_line) { .level = LOG_LEVEL_WARNING, .message_id = LOG_MESSAGE_TRANSFER_DIED },
                               "dosvc-transfer %d died; it is started again, and jobs go on from their last checkpoint", pid);
        else
                log_structured(&(struct log_line) { .level = LOG_LEVEL_WARNING, .message_id = LOG_MESSAGE_TRANSFER_DIED },
                               "a dosvc-transfer was wanted and did not come; it is asked for again");
}

void observer_other_version(const char *program) {
        log_structured(&(struct log_line) { .level = LOG_LEVEL_ERROR, .message_id = LOG_MESSAGE_OTHER_VERSION },
                       "%s is of another version than dosvcd (%s), and no other dosvcd is installed: nothing is downloaded until both "
                       "are of one version", program, DOSVC_VERSION);
}

/* Loudly: what was acknowledged after the backup is forgotten. */
void observer_state_moved_aside(const char *state_dir, int restored, uint64_t age_usec) {
        struct log_field field = { LOG_FIELD_DIRECTORY, state_dir };
        char text[256];

        if (restored < 0)
                snprintf(text, sizeof(text), "its backup cannot be taken: %s", strerror(-restored));
        else if (restored == 0)
                snprintf(text, sizeof(text), "there is no good backup; the service starts without the jobs that were in it.");
        else
                snprintf(text, sizeof(text),
                         "the service starts with its backup, which is %" PRIu64 " minutes old: jobs that were made since are gone, and those "
                         "that have no temporary file now stop with an error.", age_usec / USEC_PER_MINUTE);

        log_structured(&(struct log_line) { .level = LOG_LEVEL_ERROR, .message_id = LOG_MESSAGE_STATE_MOVED_ASIDE, .fields = &field, .n_fields = 1 },
                       "THE STATE WAS DAMAGED BEYOND REPAIR. It was moved aside in %s; %s", state_dir, text);
}

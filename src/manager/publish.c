/* Complete and Cancel as intent records (reliability.md 5.6): wind down → dry run → commit the intent → rename or unlink → commit the end
 * → answer. What was committed as an intent is finished by the next start if this one dies. The state changes once, at the end. */
#include "base/log.h"
#include "base/strings.h"
#include "manager/private.h"

#define REMOVALS_MAX 3 /* of one job, when its owner's process dies under each: half a minute, with the pauses between its starts */

static void op_finish(struct job_op *op);
static void op_publish(struct job_op *op);
static void op_remove(struct job_op *op);

struct job_op *manager_op_free(struct job_op *op) {
        if (!op)
                return NULL;
        free(op->indices);
        free(op->items);
        free(op);
        return NULL;
}

bool manager_op_returned(struct job_op *op) {
        op->waits = false;
        if (op->job)
                return true;
        manager_op_free(op);
        return false;
}

void manager_orphan_op(struct job_run *run) {
        struct job_op *op = TAKE_PTR(run->op);

        if (!op)
                return;
        manager_refuse(op->reply, &run->job->id, ERROR_STORE_FAILED, "");
        op->reply = (struct reply) {};
        op->job = NULL;
        if (!op->waits)
                manager_op_free(op);
}

/* Its request was under way, and may have done its work: whether to send it again is not ours to decide. */
static void give_up_request(struct manager *m, struct job *job) {
        if (job->error.code == ERROR_NONE) /* else it says what went wrong */
                job_set_error(job, ERROR_CONNECTION_CLOSED, ERROR_CONTEXT_GENERAL_TRANSPORT, 0, JOB_ERROR_NO_FILE,
                              "the request was broken off for something that failed");
        (void) job_transition(job, JOB_EVENT_FATAL_ERROR, manager_realtime(m));
}

void manager_op_dismiss(struct job_op *op) {
        struct manager *m = op->manager;
        struct job *job = op->job;
        struct job_run *run = job_run(job);
        int r;

        job->intent = JOB_INTENT_NONE;
        run->op = NULL;
        if (job->state == JOB_TRANSFERRING && op->broke_off)
                give_up_request(m, job);
        else {
                if (job->state == JOB_TRANSFERRING)
                        (void) job_transition(job, JOB_EVENT_YIELD, manager_realtime(m));
                job_set_waiting(job, job->state == JOB_TRANSFERRED ? WAITING_COMPLETE : op->waited_for, manager_realtime(m));
        }
        r = schedule_add(m->schedule, job);
        if (r < 0)
                log_error("cannot schedule a job: %s", strerror(-r));
        run->scheduled = r == 0;
        if (run->scheduled)
                manager_judge_presence(m, job); /* its owner may have left meanwhile, or be another one */
        m->schedule_dirty = true;
        manager_save_job(m, job);
        manager_job_changed(m, job, true);
}

/* Ends an op whose intent never became, or no longer is, a promise: the job goes on as it was. */
static void op_abandon(struct job_op *op, enum error_code code, uint32_t file_index, const char *text) {
        struct manager *m = op->manager;
        struct job *job = op->job;
        struct manager_reply answer = { .outcome = (int) code, .text = error_code_text(code) };

        job_run(job)->complete_failed = true;
        job_set_error(job, code, ERROR_CONTEXT_LOCAL_FILE, 0, file_index, text);
        manager_op_dismiss(op);
        manager_reply_durably(m, &job->id, op->reply, &answer);
        manager_op_free(op);
}

/* ---- items of the job's files ---- */

static void op_add_item(struct job_op *op, struct files_item *items, const struct job_file *file, const char *temp_name,
                        const struct file_identity *temp) {
        struct files_item *item = &items[op->n_indices];

        *item = (struct files_item) {
                .owner = op->job->owner,
                .path = file->path,
                .temp_name = temp_name,
                .replace = op->job->replace,
        };
        item->temp = manager_files_identity(temp);
        item->directory = manager_files_identity(&file->directory);
        op->indices[op->n_indices++] = file->index;
}

/* @spares: second temp files too, whatever became of the first. */
static struct files_item *op_items(struct job_op *op, bool wanted(const struct job_file *file), bool spares) {
        static const struct file_identity by_name_alone = {};
        struct job *job = op->job;
        struct files_item *items = calloc(MAX(2 * job->n_files, (size_t) 1), sizeof(*items));

        op->indices = reallocarray(op->indices, MAX(2 * job->n_files, (size_t) 1), sizeof(*op->indices));
        op->n_indices = 0;
        if (!items || !op->indices) {
                free(items);
                return NULL;
        }
        for (size_t i = 0; i < job->n_files; i++) {
                const struct job_file *file = job->files[i];

                if (wanted(file))
                        op_add_item(op, items, file, file->temp_name, &file->temp);
                if (spares && file->spare_name[0])
                        op_add_item(op, items, file, file->spare_name, &by_name_alone);
        }
        return items;
}

static bool file_is_ready(const struct job_file *file) {
        return file->state == FILE_TRANSFERRED && !file_has_stream(file);
}

static bool file_is_unfinished(const struct job_file *file) {
        return file->state == FILE_PENDING && file->temp_name[0] != 0;
}

static bool file_has_temp(const struct job_file *file) {
        return (file->state == FILE_PENDING || file->state == FILE_TRANSFERRED) && file->temp_name[0] != 0;
}

/* First failed item of a list, or the failure of the whole. 0: none. */
static int list_error(const struct job_op *op, int error, const int *errors, size_t n, uint32_t *ret_file) {
        *ret_file = JOB_ERROR_NO_FILE;
        for (size_t i = 0; i < n && errors; i++)
                if (errors[i] < 0) {
                        *ret_file = op->indices[i];
                        return errors[i];
                }
        return error;
}

static void op_local_failure(struct job_op *op, int error, uint32_t file_index) {
        const struct job_file *file = file_index == JOB_ERROR_NO_FILE ? NULL : op->job->files[file_index];
        enum error_code code = error_code_from_errno(error);
        char text[256];

        snprintf(text, sizeof(text), "%s: %s", file ? file->path : "cannot publish", error_code_text(code));
        op_abandon(op, code, file_index, text);
}

/* ---- the end ---- */

static void op_told(int error, void *userdata) {
        struct job_op *op = userdata;
        struct manager *m = op->manager;
        struct job *job;

        if (!manager_op_returned(op) || error < 0)
                return;
        job = op->job;
        job_run(job)->op = NULL;
        manager_retire_job(m, job);
        if (op->reply.fn)
                op->reply.fn(&(struct manager_reply) { .text = "", .id = job->id, .partial = op->partial }, op->reply.userdata);
        if (m->events && m->events->job_removed)
                m->events->job_removed(m->events_userdata, job);
        manager_op_free(op);
}

static void op_finish(struct job_op *op) {
        struct manager *m = op->manager;
        struct job *job = op->job;
        struct history_entry *entry = NULL;
        enum job_event event = op->intent == JOB_INTENT_COMPLETE ? JOB_EVENT_COMPLETED : JOB_EVENT_CANCELLED;
        int r;

        op->phase = OP_RESULT;
        if (op->expired)
                job_set_error(job, ERROR_JOB_TOO_OLD, ERROR_CONTEXT_GENERAL_QUEUE_MANAGER, 0, JOB_ERROR_NO_FILE, "");
        else if (op->intent == JOB_INTENT_COMPLETE)
                job_clear_error(job);
        job->intent = JOB_INTENT_NONE;
        r = job_transition(job, event, manager_realtime(m));
        assert(r == 0);
        r = history_entry_new(job, manager_realtime(m), &entry);
        if (r == 0) {
                manager_forget_job(m, job, entry);
                r = manager_after_commit(m, op_told, op);
        }
        if (r < 0) {
                log_error("cannot end a job: %s", strerror(-r));
                abort(); /* the intent is on disk: the next start ends it */
        }
        op->waits = true;
        manager_add_history(m, entry);
}

static void op_removed(int error, const int *errors, size_t n, void *userdata) {
        struct job_op *op = userdata;
        uint32_t file_index;
        int r;

        if (!manager_op_returned(op))
                return;
        r = list_error(op, error, errors, n, &file_index);
        /* Nobody would remember them after this; the intent is kept, so there is time. */
        if (r == -EOWNERDEAD && ++op->n_removals < REMOVALS_MAX) {
                op_remove(op);
                return;
        }
        if (r < 0) {
                log_warning("a temporary file could not be removed: %s", strerror(-r));
                op->partial = true; /* BG_S_UNABLE_TO_DELETE_FILES */
        }
        for (size_t i = 0; i < op->n_indices; i++) {
                struct job_file *file = op->job->files[op->indices[i]];

                if (op->intent == JOB_INTENT_COMPLETE && file->state == FILE_PENDING)
                        job_file_set_state(file, FILE_DISCARDED);
        }
        op_finish(op);
}

static void op_remove(struct job_op *op) {
        struct manager *m = op->manager;
        _cleanup_free_ struct files_item *items =
                op_items(op, op->intent == JOB_INTENT_COMPLETE ? file_is_unfinished : file_has_temp, true);
        int r = 0;

        op->phase = OP_REMOVE;
        if (items && op->n_indices == 0) {
                op_finish(op);
                return;
        }
        r = items ? files_remove(m->files, items, op->n_indices, op_removed, op) : -ENOMEM;
        op->waits = r == 0;
        if (r < 0)
                op_removed(r, NULL, 0, op); /* the sweep finds them in a week */
}

static void op_published(int error, const int *errors, size_t n, void *userdata) {
        struct job_op *op = userdata;
        struct manager *m = op->manager;
        struct job *job;
        uint32_t failed;
        int r;

        if (!manager_op_returned(op))
                return;
        job = op->job;
        r = list_error(op, error, errors, n, &failed);
        for (size_t i = 0; i < n && errors; i++) {
                struct job_file *file = job->files[op->indices[i]];

                /* A name that is there but not synced is published all the same after a crash: recovery tries again. */
                if (errors[i] < 0 || error < 0)
                        continue;
                job_file_set_state(file, FILE_PUBLISHED);
                /* When all are, the end takes the job's rows away; until then the intent says where they are. */
                if (r < 0)
                        manager_save_file(m, file);
        }
        if (r < 0) {
                /* BITS: Complete: the renamed ones stay, the job stays, the caller may try again. */
                op_local_failure(op, r, failed);
                return;
        }
        op_remove(op);
}

static void op_publish(struct job_op *op) {
        struct manager *m = op->manager;
        _cleanup_free_ struct files_item *items = op_items(op, file_is_ready, false);
        int r;

        op->phase = OP_PUBLISH;
        for (size_t i = 0; i < op->job->n_files; i++) {
                struct job_file *file = op->job->files[i];

                if (file->state == FILE_TRANSFERRED && file_has_stream(file))
                        job_file_set_state(file, FILE_PUBLISHED); /* who took it has it */
        }
        if (items && op->n_indices == 0) {
                op_remove(op);
                return;
        }
        r = items ? files_publish(m->files, items, op->n_indices, op_published, op) : -ENOMEM;
        op->waits = r == 0;
        if (r < 0)
                op_local_failure(op, r, JOB_ERROR_NO_FILE);
}

static void op_carry_out(struct job_op *op) {
        if (op->intent == JOB_INTENT_COMPLETE)
                op_publish(op);
        else
                op_remove(op);
}

static void op_promised(int error, void *userdata) {
        struct job_op *op = userdata;

        if (!manager_op_returned(op) || error < 0)
                return;
        op_carry_out(op);
}

static void op_promise(struct job_op *op) {
        struct manager *m = op->manager;

        op->phase = OP_INTENT;
        op->job->intent = op->intent;
        manager_save_job(m, op->job);
        if (manager_after_commit(m, op_promised, op) < 0)
                abort(); /* as commit.c: no memory for a few bytes; nothing was promised yet */
        op->waits = true;
}

static void op_checked(int error, const int *errors, size_t n, void *userdata) {
        struct job_op *op = userdata;
        uint32_t failed;
        int r;

        if (!manager_op_returned(op))
                return;
        r = list_error(op, error, errors, n, &failed);
        if (r < 0)
                op_local_failure(op, r, failed);
        else
                op_promise(op);
}

static void op_check(struct job_op *op) {
        struct manager *m = op->manager;
        _cleanup_free_ struct files_item *items = NULL;
        int r;

        op->phase = OP_CHECK;
        for (size_t i = 0; i < op->job->n_files; i++)
                op->partial |= op->job->files[i]->state == FILE_PENDING;
        items = op_items(op, file_is_ready, false);
        if (items && op->n_indices == 0) {
                op_promise(op);
                return;
        }
        r = items ? files_publish_check(m->files, items, op->n_indices, op_checked, op) : -ENOMEM;
        op->waits = r == 0;
        if (r < 0)
                op_local_failure(op, r, JOB_ERROR_NO_FILE);
}

/* A transfer of the job ended while an op waits for all of them. */
void manager_op_continue(struct manager *m, struct job *job) {
        struct job_op *op = job_run(job)->op;

        if (!op || op->phase != OP_WAIT_RUNS || job_run(job)->n_file_runs > 0 || m->stopping)
                return;
        if (op->intent == JOB_INTENT_COMPLETE)
                op_check(op);
        else if (op->intent == JOB_INTENT_TAKE)
                manager_take_continue(op);
        else
                op_promise(op);
}

bool manager_completes_by_itself(const struct job *job) {
        return job->state == JOB_TRANSFERRED && job->complete_when_transferred && job->error.code == ERROR_NONE && job_is_complete(job);
}

struct job_op *manager_op_new(struct manager *m, struct job *job, enum job_intent intent) {
        struct job_op *op = calloc(1, sizeof(*op));

        if (!op)
                return NULL;
        *op = (struct job_op) { .manager = m, .job = job, .intent = intent, .waited_for = job->waiting };
        job_run(job)->op = op;
        return op;
}

void manager_op_begin(struct job_op *op) {
        struct manager *m = op->manager;
        struct job *job = op->job;
        struct job_run *run = job_run(job);

        job->intent = op->intent; /* from now on every other changing call is refused; on disk it comes with op_promise() */
        if (run->scheduled)
                schedule_remove(m->schedule, job);
        run->scheduled = false;
        job_set_waiting(job, WAITING_PUBLISH, manager_realtime(m));
        manager_job_changed(m, job, false);
        op->broke_off = !manager_may_stop_job(job);
        manager_stop_runs(m, job);
        manager_op_continue(m, job);
}

void manager_start_op(struct manager *m, struct job *job, enum job_intent intent, bool expired, struct reply reply) {
        struct job_op *op = manager_op_new(m, job, intent);

        if (!op) {
                manager_refuse(reply, &job->id, -ENOMEM, "");
                return;
        }
        op->reply = reply;
        op->expired = expired;
        manager_op_begin(op);
}

void manager_resume_op(struct manager *m, struct job *job) {
        struct job_op *op = manager_op_new(m, job, job->intent);

        if (!op)
                return; /* the next start tries again */
        op->recovered = true;
        for (size_t i = 0; i < job->n_files; i++)
                op->partial |= job->files[i]->state == FILE_PENDING;
        op_carry_out(op);
}

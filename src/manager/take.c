/* TakeOwnership by an administrator: wind down → may the new owner write there? → forget what was fetched, committed → remove the old owner's
 * temporary files with his own hands → another owner, committed → answer.
 *
 * Whose process made a file, his it is (and counts against his quota): another owner's process neither may nor should go on with it. So
 * the job begins anew, suspended. What it knew of the old owner's secrets and programs is dropped (BITS: TakeOwnership). Nothing is promised
 * before the end: after a crash in between the job is still the old owner's, at worst suspended and empty. */
#include "base/log.h"
#include "manager/private.h"

static bool is_to_be_fetched(const struct job_file *file) {
        return *file->path && (file->state == FILE_PENDING || file->state == FILE_TRANSFERRED);
}

static void take_abandon(struct job_op *op, int outcome, const char *text) {
        struct manager *m = op->manager;
        struct job *job = op->job;

        manager_op_dismiss(op);
        manager_refuse(op->reply, &job->id, outcome, text);
        manager_op_free(op);
        /* It may have become complete while it wound down. */
        if (manager_completes_by_itself(job))
                manager_start_op(m, job, JOB_INTENT_COMPLETE, false, (struct reply) {});
}

/* ---- the end ---- */

static void take_told(int error, void *userdata) {
        struct job_op *op = userdata;
        struct manager *m = op->manager;
        uid_t old_owner = op->old_owner;
        struct reply reply = op->reply;
        struct job *job;

        if (!manager_op_returned(op) || error < 0)
                return;
        job = op->job;
        manager_op_dismiss(op);
        manager_op_free(op);
        if (reply.fn)
                reply.fn(&(struct manager_reply) { .text = "", .id = job->id }, reply.userdata);
        if (m->events && m->events->job_taken)
                m->events->job_taken(m->events_userdata, job, old_owner);
}

static int give_fresh_names(struct job *job) {
        for (size_t i = 0; i < job->n_files; i++) {
                struct job_file *file = job->files[i];
                char name[FILES_TEMP_NAME_MAX];
                int r;

                if (!is_to_be_fetched(file))
                        continue;
                r = files_temp_name_new(name);
                if (r < 0)
                        return r;
                job_file_reset(file);
                file->spare_name[0] = 0;
                memcpy(file->temp_name, name, sizeof(file->temp_name));
        }
        return 0;
}

static void take_give(struct job_op *op) {
        struct manager *m = op->manager;
        struct job *job = op->job;
        int r;

        r = give_fresh_names(job);
        if (r >= 0)
                r = manager_owner_got_job(m, op->new_owner);
        if (r < 0) {
                take_abandon(op, r, "");
                return;
        }
        op->phase = OP_RESULT;
        op->old_owner = job->owner;
        manager_owner_lost_job(m, op->old_owner);
        job_change_owner(job, op->new_owner, manager_realtime(m));
        op->waited_for = job->waiting; /* for Resume */
        job_run_forget_sources(job_run(job));
        (void) manager_set_notifier(m, job, NULL, NULL);
        (void) manager_set_judge(m, job, NULL, NULL);
        free(job_run(job)->command);
        job_run(job)->command = NULL;
        manager_save_job(m, job);
        for (size_t i = 0; i < job->n_files; i++)
                manager_save_file(m, job->files[i]);
        if (manager_after_commit(m, take_told, op) < 0)
                abort(); /* as publish.c: no memory for a few bytes, and nothing is on disk yet */
        op->waits = true;
}

/* ---- what the old owner has of it ---- */

static void take_removed(int error, const int *errors, size_t n, void *userdata) {
        struct job_op *op = userdata;

        if (!manager_op_returned(op))
                return;
        for (size_t i = 0; i < n && errors && error == 0; i++)
                error = errors[i];
        if (error < 0)
                log_warning("a temporary file of a job that was taken over stays: %s", strerror(-error)); /* it is its owner's */
        take_give(op);
}

static void take_forgot(int error, void *userdata) {
        struct job_op *op = userdata;
        int r;

        if (!manager_op_returned(op) || error < 0)
                return;
        op->phase = OP_REMOVE;
        if (op->n_items == 0) {
                take_give(op);
                return;
        }
        r = files_remove(op->manager->files, op->items, op->n_items, take_removed, op);
        op->waits = r == 0;
        if (r < 0)
                take_removed(r, NULL, 0, op);
}

static void add_item(struct job_op *op, const struct job_file *file, const char *temp_name, const struct file_identity *temp) {
        struct files_item *item = &op->items[op->n_items++];

        *item = (struct files_item) { .owner = op->job->owner, .path = file->path };
        item->temp_name = temp_name;
        item->temp = manager_files_identity(temp);
        item->directory = manager_files_identity(&file->directory);
}

static void take_forget(struct job_op *op) {
        static const struct file_identity by_name_alone = {};
        struct manager *m = op->manager;
        struct job *job = op->job;

        op->phase = OP_INTENT;
        op->items = calloc(MAX(2 * job->n_files, (size_t) 1), sizeof(*op->items));
        if (!op->items) {
                take_abandon(op, -ENOMEM, "");
                return;
        }
        (void) job_transition(job, JOB_EVENT_SUSPEND, manager_realtime(m));
        job_clear_error(job);
        for (size_t i = 0; i < job->n_files; i++) {
                struct job_file *file = job->files[i];

                if (!is_to_be_fetched(file))
                        continue;
                if (file->temp_name[0])
                        add_item(op, file, file->temp_name, &file->temp);
                if (file->spare_name[0])
                        add_item(op, file, file->spare_name, &by_name_alone);
                job_file_forget_content(file);
                manager_save_file(m, file);
        }
        manager_save_job(m, job);
        manager_job_changed(m, job, true);
        if (manager_after_commit(m, take_forgot, op) < 0)
                abort();
        op->waits = true;
}

/* ---- may the new owner write there? ---- */

static void take_judge(struct job_op *op) {
        if (op->first_error < 0)
                take_abandon(op, ERROR_NEW_OWNER_NO_FILE_ACCESS, error_code_text(error_code_from_errno(op->first_error)));
        else
                take_forget(op);
}

static void take_checked(const struct files_check_result *result, void *userdata) {
        struct job_op *op = userdata;

        if (result->error < 0 && op->first_error == 0)
                op->first_error = result->error;
        if (--op->n_checks == 0 && manager_op_returned(op))
                take_judge(op);
}

void manager_take_continue(struct job_op *op) {
        struct job *job = op->job;

        op->phase = OP_CHECK;
        for (size_t i = 0; i < job->n_files && op->first_error == 0; i++) {
                struct job_file *file = job->files[i];
                int r;

                if (!is_to_be_fetched(file))
                        continue;
                r = files_check(op->manager->files, &(struct files_check_request) {
                                .owner = op->new_owner,
                                .path = file->path,
                                .replace = job->replace,
                                .background = job->priority != JOB_PRIORITY_FOREGROUND,
                                .size = file->stated_size,
                        }, take_checked, op);
                if (r < 0)
                        op->first_error = r;
                else
                        op->n_checks++;
        }
        op->waits = op->n_checks > 0;
        if (!op->waits)
                take_judge(op);
}

/* What lives with its client's connection ends with it, and cannot be another's. */
static int judge_taking(struct manager *m, const struct job *job, uid_t owner, const char **ret_why) {
        int r = manager_judge_owner(m, owner);

        *ret_why = "";
        if (r != 0)
                return r;
        for (size_t i = 0; i < job->n_files; i++)
                if (job->is_volatile || file_has_stream(job->files[i])) {
                        *ret_why = "The job ends with its program.";
                        return ERROR_INVALID_STATE;
                }
        return 0;
}

void manager_take_ownership(struct manager *m, struct job *job, uid_t owner, manager_reply_fn fn, void *userdata) {
        struct reply reply = { fn, userdata };
        const char *why;
        struct job_op *op;
        int r;

        if (!manager_command_allowed(m, job, JOB_COMMAND_TAKE_OWNERSHIP, reply))
                return;
        if (job->owner == owner) {
                manager_reply_durably(m, &job->id, reply, &(struct manager_reply) {});
                return;
        }
        r = judge_taking(m, job, owner, &why);
        op = r == 0 ? manager_op_new(m, job, JOB_INTENT_TAKE) : NULL;
        if (!op) {
                manager_refuse(reply, &job->id, r == 0 ? -ENOMEM : r, why);
                return;
        }
        op->reply = reply;
        op->new_owner = owner;
        manager_op_begin(op);
}

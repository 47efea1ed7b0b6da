/* Motion: files of jobs that have their turn, from the temp file to "complete, verified, synced".
 *
 * One file_run walks: record the temp name → open (→ adopt) → transfer (with checkpoints) → last checkpoint or finish → (decrypt →) gone. It may be asked to
 * stop at any step; it then goes straight to its end, keeping what it received. What the end means for the job is decided in one
 * place, file_run_end(). */
#include "base/log.h"
#include "base/strings.h"
#include "manager/private.h"

static void file_run_open(struct file_run *run);

static void file_run_note_fetched(struct file_run *run) {
        if (!run->fetched)
                job_run(run->file->job)->n_fetched_runs++;
        run->fetched = true;
}

static void file_run_leave_job(struct file_run *run) {
        struct job_run *job = job_run(run->file->job);

        job->n_file_runs--;
        job->n_fetched_runs -= run->fetched;
        run->file->attachment = NULL;
        run->file = NULL;
}

static void file_run_free(struct file_run *run) {
        assert(run->n_pending == 0);
        assert(!run->requests);
        intervals_done(&run->snapshot);
        free(run->chunks);
        file_run_adoption_done(run);
        file_run_guard_done(run);
        secret_done(&run->certificate);
        secret_done(&run->certificate_key);
        file_sources_free(run->sources);
        free(run);
}

bool file_run_returned(struct file_run *run) {
        assert(run->n_pending > 0);
        run->n_pending--;
        if (run->file)
                return true;
        if (run->n_pending == 0)
                file_run_free(run);
        return false;
}

void manager_orphan_runs(struct manager *m) {
        struct file_run *run, *tmp;

        DL_FOREACH_SAFE(m->file_runs, run, tmp) {
                DL_DELETE(m->file_runs, run);
                m->n_file_runs--;
                run->recalled = true;
                while (run->requests) {
                        engine_abandon(m->engine, run->requests->id); /* it has the descriptor */
                        file_request_free(run->requests);
                }
                file_run_close(run);
                file_run_leave_job(run);
                run->plain = files_close(m->files, run->plain);
                if (run->n_pending == 0)
                        file_run_free(run);
        }
}

/* ---- how a run ends ---- */

void file_run_set_text(struct file_run *run, const char *text) {
        string_copy(run->result_text, sizeof(run->result_text), text);
        run->result.text = run->result_text;
}

void file_run_result(struct file_run *run, enum engine_outcome outcome, enum error_code code, enum error_context context,
                     uint32_t detail, bool transient, const char *text) {
        run->result = (struct engine_result) {
                .outcome = outcome,
                .code = code,
                .context = context,
                .detail = detail,
                .transient = transient,
        };
        file_run_set_text(run, text);
}

void file_run_local_error(struct file_run *run, int error, const char *what) {
        enum error_code code = error_code_from_errno(error);
        bool ours = code == ERROR_OWNER_PROCESS_FAILED; /* nothing is wrong with the file: it is tried again by itself */
        char text[256];

        /* "Owner died" would be said of the wrong one. */
        snprintf(text, sizeof(text), "%s: %s", what, ours ? error_code_text(code) : strerror(-error));
        /* As with the other process that works for us: its death is nobody's fault, and what it had open is opened anew. */
        file_run_result(run, error == -EOWNERDEAD ? ENGINE_LOST : ENGINE_FAILED, code,
                        ours ? ERROR_CONTEXT_GENERAL_QUEUE_MANAGER : ERROR_CONTEXT_LOCAL_FILE, (uint32_t) -error, true, text);
}

static void file_restart(struct manager *m, struct job_file *file, const struct engine_result *result) {
        struct job *job = file->job;
        uint64_t bytes = intervals_total(&file->received);

        if (file_stream_was_read(file)) {
                manager_fail_job(m, job, result->code ?: ERROR_REMOTE_FILE_CHANGED, result->context ?: ERROR_CONTEXT_REMOTE_FILE,
                                 result->detail, file->index, false, 0, result->text);
                return;
        }
        /* An attempt that got further than any before was no waste. And a server that cannot continue (it has no ranges or no
         * validators) makes every interruption a fresh start: that is how it is, not a fault (design decision 7). */
        if (bytes > file->furthest_bytes) {
                file->furthest_bytes = bytes;
                file->n_restarts = 0;
        }
        if (result->code != ERROR_NO_RANGE_SUPPORT)
                file->n_restarts++;
        if (file->n_restarts > RESTARTS_MAX) {
                manager_fail_job(m, job, result->code ?: ERROR_REMOTE_FILE_CHANGED, result->context ?: ERROR_CONTEXT_REMOTE_FILE,
                                 result->detail, file->index, false, 0, result->text);
                return;
        }
        log_debug("file %u begins anew: %s", file->index, result->text);
        /* Its ranges are forgotten on disk before it is truncated (files_open() with durable_end 0 does that), so no crash can leave a
         * claim over bytes that are gone. */
        job_file_forget_content(file);
        manager_save_file(m, file);
        manager_job_changed(m, job, false);
}

static void file_lost(struct manager *m, struct job_file *file) {
        char temp_name[FILES_TEMP_NAME_MAX];

        /* Somebody removed or replaced the temp file. What is there now is not ours to touch: go on under a fresh name. */
        job_file_reset(file);
        if (files_temp_name_new(temp_name) < 0)
                return;
        memcpy(file->temp_name, temp_name, sizeof(file->temp_name));
        file->n_restarts++;
        manager_save_file(m, file);
}

/* @once: it asked with a method that may have had its effect. Whatever is wrong with what came, it is not sent again by itself. */
static void job_file_ended(struct manager *m, struct job *job, struct job_file *file, const struct engine_result *result, bool once) {
        bool running = job->state == JOB_TRANSFERRING && job->intent == JOB_INTENT_NONE;

        switch (result->outcome) {
        case ENGINE_DONE:
                if (job_is_complete(job))
                        manager_job_all_transferred(m, job);
                break;
        case ENGINE_RESTART:
                if (!once) {
                        file_restart(m, file, result);
                        break;
                }
                __attribute__((fallthrough));
        case ENGINE_FAILED:
                if (result->code == ERROR_DESTINATION_CHANGED && file->n_restarts < RESTARTS_MAX && !once)
                        file_lost(m, file);
                else if (running)
                        manager_fail_job(m, job, result->code, result->context, result->detail, file->index, result->transient,
                                         result->retry_after_usec, result->text);
                break;
        case ENGINE_LOST:
                if (running && job->http_method)
                        manager_fail_job(m, job, result->code ?: ERROR_ENGINE_FAILED, result->context ?: ERROR_CONTEXT_GENERAL_TRANSPORT, 0,
                                         file->index, false, 0,
                                         result->code == ERROR_OWNER_PROCESS_FAILED
                                                 ? "the owner's process ended while the request was under way"
                                                 : "the transfer process ended while the request was under way");
                break;
        case ENGINE_STOPPED:
                break;
        }
        manager_feed_starved(m); /* before the job takes the place again: one with many files would keep all others out */
        if (job->intent != JOB_INTENT_NONE)
                manager_op_continue(m, job);
        else
                manager_pump_job(m, job);
}

void file_run_end(struct file_run *run) {
        struct manager *m = run->manager;
        struct job_file *file = run->file;
        struct engine_result result = run->result;
        bool once = run->asked && file->job->http_method;
        char text[sizeof(run->result_text)];

        assert(!run->requests);
        memcpy(text, run->result_text, sizeof(text));
        result.text = text;
        if (file->state == FILE_PENDING && !file_run_keeps_received(run))
                (void) job_file_forget_received(file); /* what no checkpoint covered will be fetched again */
        /* The next answer is another content: nothing of this one may stand beside it. */
        if (file->job->dynamic_content && file->state == FILE_PENDING && !job_file_is_filled(file) && result.outcome != ENGINE_RESTART) {
                job_file_forget_content(file);
                manager_save_file(m, file);
                manager_job_changed(m, file->job, false);
        }
        run->plain = files_close(m->files, run->plain);
        file_run_close(run);
        DL_DELETE(m->file_runs, run);
        if (!m->file_runs)
                m->checkpoint_at_monotonic = USEC_INFINITY;
        m->n_file_runs--;
        file_run_leave_job(run);
        if (run->n_pending == 0)
                file_run_free(run);
        job_file_ended(m, file->job, file, &result, once);
}

/* ---- finish ---- */

bool file_is_encrypted(const struct job_file *file) {
        return !secret_is_none(&file->decryption_info);
}

void file_run_mark_transferred(struct file_run *run) {
        struct job_file *file = run->file;

        job_file_set_state(file, FILE_TRANSFERRED);
        job_file_forget_givers(file);
        if (run->judging)
                file->integrity = run->pieces_leave_edges ? FILE_INTEGRITY_PARTIAL : FILE_INTEGRITY_VERIFIED;
        manager_save_file(run->manager, file);
        manager_job_changed(run->manager, file->job, false);
        file_run_result(run, ENGINE_DONE, ERROR_NONE, ERROR_CONTEXT_NONE, 0, false, "");
}

/* All that was received is durable. 0, or -ENOMEM. */
static int file_run_mark_durable(struct file_run *run) {
        struct job_file *file = run->file;
        struct intervals all = {};
        int r;

        r = intervals_add(&all, 0, file->size);
        if (r == 0) {
                if (!file_has_stream(file))
                        files_ledger_assert_durable(run->handle, &all);
                r = job_file_durable(file, &all);
        }
        intervals_done(&all);
        return r;
}

int file_run_transferred(struct file_run *run) {
        int r = file_run_mark_durable(run);

        if (r == 0)
                file_run_mark_transferred(run);
        return r;
}

/* Only a whole-file digest: nobody knows which bytes are bad. Once anew, then give up (reliability.md 5.5); but first whoever else had a
 * part in it is left out. What it is says whether somebody mistook a line of a list, or a version. */
static void file_run_refuse_digest(struct file_run *run, const uint8_t sha256[static 32]) {
        enum engine_outcome outcome = file_run_blame_sources(run) || run->file->n_restarts == 0 ? ENGINE_RESTART : ENGINE_FAILED;
        char hex[2 * 32 + 1], text[160];

        hex_encode(sha256, 32, hex);
        (void) snprintf(text, sizeof(text), "The file's digest is not the one that was given, but %s. Nothing was published.", hex);
        file_run_result(run, outcome, ERROR_DIGEST_MISMATCH, ERROR_CONTEXT_REMOTE_FILE, 0, false, text);
}

static void file_run_finished(const struct files_finish_result *result, void *userdata) {
        struct file_run *run = userdata;
        struct job_file *file = run->file;
        int r = result->error;

        if (!file_run_returned(run))
                return;
        if (r == -EBADMSG)
                file_run_refuse_digest(run, result->sha256);
        else if (r == -EILSEQ)
                file_run_drop_bad(run, result->bad);
        else if (r == -EMSGSIZE)
                file_run_result(run, ENGINE_RESTART, ERROR_DESTINATION_CHANGED, ERROR_CONTEXT_LOCAL_FILE, 0, false,
                                "the temporary file has not the size that was written");
        else if (r == 0) {
                r = file_run_mark_durable(run);
                if (r == 0 && file_is_encrypted(file)) {
                        manager_save_file(run->manager, file);
                        file_run_decrypt(run);
                        return;
                }
                if (r == 0)
                        file_run_mark_transferred(run);
        }
        if (r < 0 && r != -EBADMSG && r != -EMSGSIZE && r != -EILSEQ)
                file_run_local_error(run, r, "cannot finish the temporary file");
        file_run_end(run);
}

struct files_finish_request file_run_finish_request(const struct file_run *run) {
        const struct job_file *file = run->file;

        return (struct files_finish_request) {
                .sha256 = file->has_sha256 ? file->sha256 : NULL,
                .mode = file->mode,
                .mtime_usec = file->job->remote_time ? MIN(file->remote_time_usec, manager_realtime(run->manager)) : 0, /* never in the future */
        };
}

void file_run_finish(struct file_run *run) {
        struct manager *m = run->manager;
        struct job_file *file = run->file;
        struct files_finish_request request = {};
        int r;

        if (file_has_stream(file)) {
                file_run_drain(run);
                return;
        }
        /* Of an encrypted one the digest, the mode and the time are its content's. */
        if (file_is_encrypted(file))
                request.mode = 0600;
        else
                request = file_run_finish_request(run);
        request.sha256 = file_run_digest(run);
        request.size = file->size;
        request.pieces = run->judging ? run->pieces : NULL;
        request.n_pieces = run->judging ? run->n_pieces : 0;
        run->step = STEP_FINISH;
        r = files_finish(m->files, run->handle, &request, file_run_finished, run);
        if (r == 0) {
                run->n_pending++;
                file_run_note_fetched(run);
                manager_pump_job(m, file->job); /* another one takes its place at the engine */
                return;
        }
        file_run_local_error(run, r, "cannot finish the temporary file");
        file_run_end(run);
}

void file_run_stop(struct file_run *run) {
        run->stop = true;
        run->plain = files_close(run->files, run->plain); /* a decryption ends within a buffer */
        if (run->requests)
                file_run_recall(run);
        else if (run->step == STEP_DRAIN)
                file_run_end(run); /* nothing else would come */
}

/* ---- the way to the first byte ---- */

void file_run_opened_as(struct file_run *run, const struct files_identity *temp, const struct files_identity *directory) {
        memcpy(&run->file->temp, temp, sizeof(*temp));
        memcpy(&run->file->directory, directory, sizeof(*directory));
}

void file_run_lost(struct file_run *run) {
        file_run_result(run, ENGINE_FAILED, ERROR_DESTINATION_CHANGED, ERROR_CONTEXT_LOCAL_FILE, ESTALE, false,
                        error_code_text(ERROR_DESTINATION_CHANGED));
        file_run_end(run);
}

static void file_run_opened(const struct files_open_result *result, void *userdata) {
        struct file_run *run = userdata;
        struct job_file *file = run->file;

        if (!file) {
                if (result->error == 0)
                        (void) files_close(run->files, result->handle);
                (void) file_run_returned(run);
                return;
        }
        (void) file_run_returned(run);
        if (result->error == -EEXIST && !run->cleared && file->temp.ino == 0) {
                /* A crash came between making it and recording who it is: nothing in it counts. */
                run->cleared = true;
                run->step = STEP_CLEAR;
                file_run_open(run);
                return;
        }
        if (result->error == -ESTALE && file_run_may_adopt(run)) {
                file_run_open(run);
                return;
        }
        if (result->error == -ESTALE && file->job->restored) {
                manager_refuse_restored(run->manager, file);
                file_run_end(run);
                return;
        }
        if (result->error == -ESTALE) {
                file_run_lost(run);
                return;
        }
        if (result->error < 0) {
                file_run_local_error(run, result->error, "cannot open the temporary file");
                file_run_end(run);
                return;
        }
        run->handle = result->handle;
        run->fd = result->fd;
        if (run->adoption) {
                file_run_adopt(run, result);
                return;
        }
        file_run_opened_as(run, &result->temp, &result->directory);
        files_ledger_seed(run->handle, &file->durable);
        if (run->stop)
                file_run_end(run);
        else
                file_run_certify(run);
}

static void file_run_cleared(int error, const int *errors _unused_, size_t n _unused_, void *userdata) {
        struct file_run *run = userdata;

        if (!file_run_returned(run))
                return;
        if (error < 0)
                log_debug("cannot clear a temporary file: %s", strerror(-error));
        run->step = STEP_OPEN;
        file_run_open(run);
}

static void file_run_open(struct file_run *run) {
        struct manager *m = run->manager;
        struct job_file *file = run->file;
        int r;

        if (run->stop) {
                file_run_end(run);
                return;
        }
        if (run->step == STEP_CLEAR)
                r = files_remove(m->files, &(struct files_item) { .owner = file->job->owner, .path = file->path, .temp_name = file->temp_name }, 1,
                                 file_run_cleared, run);
        else {
                bool create = file->temp.ino == 0;

                run->step = STEP_OPEN;
                r = files_open(m->files, &(struct files_open_request) {
                                .owner = file->job->owner,
                                .path = file->path,
                                .temp_name = file->temp_name,
                                .create = create,
                                .temp = manager_files_identity(&file->temp),
                                .directory = create || run->adoption ? (struct files_identity) {} : manager_files_identity(&file->directory),
                                .adopt = run->adoption,
                                .durable_end = file->durable.n_items > 0 ? file->durable.items[file->durable.n_items - 1].end : 0,
                                .reserve_bytes = file->size != SIZE_UNKNOWN && file->size >= RESERVE_FROM_BYTES
                                                         ? file->size : FILES_SIZE_UNKNOWN,
                                .background = file->job->priority != JOB_PRIORITY_FOREGROUND,
                        }, file_run_opened, run);
        }
        if (r == 0) {
                run->n_pending++;
                return;
        }
        file_run_local_error(run, r, "cannot open the temporary file");
        file_run_end(run);
}

static void file_run_recorded(int error, void *userdata) {
        struct file_run *run = userdata;

        if (!file_run_returned(run) || error < 0)
                return; /* a failed commit drops everything */
        file_run_open(run);
}

int file_run_new(struct manager *m, struct job_file *file, enum file_step step, struct file_run **ret) {
        struct file_run *run = calloc(1, sizeof(*run));

        if (!run)
                return -ENOMEM;
        *run = (struct file_run) { .manager = m, .files = m->files, .file = file, .fd = -EBADF, .hashes_fd = -EBADF, .step = step,
                                   .result = { .outcome = ENGINE_STOPPED, .text = "" } };
        file->attachment = run;
        DL_APPEND(m->file_runs, run);
        m->n_file_runs++;
        job_run(file->job)->n_file_runs++;
        *ret = run;
        return 0;
}

int file_run_start(struct manager *m, struct job_file *file) {
        struct file_run *run;
        int r = file_run_new(m, file, STEP_COMMIT, &run);

        if (r < 0)
                return r;
        if (file_has_stream(file)) {
                file_run_use_window(run);
                file_run_guard(run);
                return 0;
        }
        /* The name must be on disk before the file is: else a crash leaves one that nobody knows. What else is being recorded of its job, the
         * ends of other files most of all, does not concern it. */
        if (manager_file_is_dirty(m, file)) {
                if (manager_after_commit(m, file_run_recorded, run) == 0) {
                        run->n_pending++;
                        return 0;
                }
        }
        file_run_open(run);
        return 0;
}

/* Motion: files of jobs that have their turn, from the temp file to "complete, verified, synced".
 *
 * One file_run walks: record the temp name → open → transfer (with checkpoints) → last checkpoint or finish → gone. It may be asked to
 * stop at any step; it then goes straight to its end, keeping what it received. What the end means for the job is decided in one
 * place, file_run_end(). */
#include "base/log.h"
#include "base/strings.h"
#include "manager/private.h"

static void file_run_open(struct file_run *run);
static void file_run_end(struct file_run *run);
static void file_run_wind_down(struct file_run *run);

static void file_run_free(struct file_run *run) {
        assert(run->n_pending == 0);
        assert(run->request_id == 0);
        intervals_done(&run->snapshot);
        free(run);
}

void manager_leave_starved(struct job_run *run) {
        if (!run->starved)
                return;
        run->starved = false;
        DL_DELETE2(run->manager->starved, run, starved_prev, starved_next);
}

/* A place became free: the job that waits longest gets it. */
static void feed_starved(struct manager *m) {
        struct job_run *run = m->starved;

        if (!run || m->n_file_runs >= m->max_file_runs)
                return;
        manager_leave_starved(run);
        manager_pump_job(m, run->job);
}

/* Every completion begins here: false if the run was orphaned meanwhile (and is gone now, if this was its last request). */
static bool file_run_returned(struct file_run *run) {
        assert(run->n_pending > 0);
        run->n_pending--;
        if (run->file)
                return true;
        if (run->n_pending == 0)
                file_run_free(run);
        return false;
}

static void file_run_forget_request(struct file_run *run) {
        if (run->request_id == 0)
                return;
        HASH_DEL(run->manager->by_request, run);
        run->request_id = 0;
}

void manager_orphan_runs(struct manager *m) {
        struct file_run *run, *tmp;

        DL_FOREACH_SAFE(m->file_runs, run, tmp) {
                uint64_t request = run->request_id;

                DL_DELETE(m->file_runs, run);
                m->n_file_runs--;
                job_run(run->file->job)->n_file_runs--;
                run->file->attachment = NULL;
                run->file = NULL;
                file_run_forget_request(run);
                if (request != 0)
                        engine_stop(m->engine, request);
                run->handle = files_close(m->files, run->handle);
                if (run->n_pending == 0)
                        file_run_free(run);
        }
}

/* ---- how a run ends ---- */

static void file_run_result(struct file_run *run, enum engine_outcome outcome, enum error_code code, enum error_context context,
                            uint32_t detail, bool transient, const char *text) {
        run->result = (struct engine_result) {
                .outcome = outcome,
                .code = code,
                .context = context,
                .detail = detail,
                .transient = transient,
        };
        snprintf(run->result_text, sizeof(run->result_text), "%s", text);
        run->result.text = run->result_text;
}

/* A local file call failed: which of these may end by themselves is decided with the code (job_error_is_blocked_cause()). */
static void file_run_local_error(struct file_run *run, int error, const char *what) {
        char text[256];

        snprintf(text, sizeof(text), "%s: %s", what, strerror(-error));
        file_run_result(run, ENGINE_FAILED, error_code_from_errno(error), ERROR_CONTEXT_LOCAL_FILE, (uint32_t) -error, true, text);
}

/* The content is thrown away but the temp file stays ours: its ranges are forgotten on disk before it is truncated (files_open() with
 * durable_end 0 does that), so no crash can leave a claim over bytes that are gone. */
static void file_forget_content(struct job_file *file) {
        char temp_name[TEMP_NAME_MAX];
        struct file_identity temp = file->temp, directory = file->directory;

        memcpy(temp_name, file->temp_name, sizeof(temp_name));
        job_file_reset(file);
        memcpy(file->temp_name, temp_name, sizeof(temp_name));
        file->temp = temp;
        file->directory = directory;
}

static void file_restart(struct manager *m, struct job_file *file, const struct engine_result *result) {
        struct job *job = file->job;
        uint64_t bytes = intervals_total(&file->received);

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
        file_forget_content(file);
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

static void job_file_ended(struct manager *m, struct job *job, struct job_file *file, const struct engine_result *result) {
        bool running = job->state == JOB_TRANSFERRING && job->intent == JOB_INTENT_NONE;

        switch (result->outcome) {
        case ENGINE_DONE:
                if (job_is_complete(job))
                        manager_job_all_transferred(m, job);
                break;
        case ENGINE_RESTART:
                file_restart(m, file, result);
                break;
        case ENGINE_FAILED:
                if (result->code == ERROR_DESTINATION_CHANGED && file->n_restarts < RESTARTS_MAX)
                        file_lost(m, file);
                else if (running)
                        manager_fail_job(m, job, result->code, result->context, result->detail, file->index, result->transient,
                                         result->retry_after_usec, result->text);
                break;
        case ENGINE_STOPPED:
        case ENGINE_LOST:
                break;
        }
        if (job->intent != JOB_INTENT_NONE)
                manager_op_continue(m, job);
        else
                manager_pump_job(m, job);
}

static void file_run_end(struct file_run *run) {
        struct manager *m = run->manager;
        struct job_file *file = run->file;
        struct engine_result result = run->result;
        char text[sizeof(run->result_text)];

        assert(run->request_id == 0);
        memcpy(text, run->result_text, sizeof(text));
        result.text = text;
        if (file->state == FILE_PENDING)
                (void) job_file_forget_received(file); /* what no checkpoint covered will be fetched again */
        run->handle = files_close(m->files, run->handle);
        DL_DELETE(m->file_runs, run);
        m->n_file_runs--;
        job_run(file->job)->n_file_runs--;
        file->attachment = NULL;
        run->file = NULL;
        if (run->n_pending == 0)
                file_run_free(run);
        job_file_ended(m, file->job, file, &result);
        feed_starved(m);
}

/* ---- checkpoints ---- */

static void file_run_checkpointed(int error, void *userdata) {
        struct file_run *run = userdata;
        struct manager *m = run->manager;

        run->checkpoint_running = false;
        if (!file_run_returned(run))
                return;
        if (error == 0) {
                files_ledger_assert_durable(run->handle, &run->snapshot);
                error = job_file_durable(run->file, &run->snapshot);
                if (error == 0) {
                        manager_save_file(m, run->file);
                        manager_job_changed(m, run->file->job, false);
                }
        }
        if (error < 0) {
                /* The kernel may have marked the lost pages clean: nothing since the last good checkpoint counts. */
                (void) job_file_forget_received(run->file);
                run->disk_errors++;
                file_run_local_error(run, error, "cannot sync the temporary file");
                run->stop = true;
        }
        if (run->request_id != 0) {
                if (run->stop)
                        engine_stop(m->engine, run->request_id);
                return;
        }
        /* The request ended while the checkpoint ran. */
        file_run_wind_down(run);
}

static int file_run_checkpoint(struct file_run *run) {
        struct manager *m = run->manager;
        int r;

        if (run->checkpoint_running)
                return 0;
        r = intervals_copy(&run->snapshot, &run->file->received);
        if (r == 0)
                r = files_checkpoint(m->files, run->handle, file_run_checkpointed, run);
        if (r < 0)
                return r;
        run->n_pending++;
        run->checkpoint_running = true;
        run->since_checkpoint_bytes = 0;
        run->last_checkpoint_monotonic = clock_now(m->clock, CLOCK_ID_MONOTONIC);
        return 0;
}

/* When the next checkpoint of this run is due, on CLOCK_MONOTONIC. */
static uint64_t file_run_checkpoint_due(const struct file_run *run) {
        const struct manager_limits *limits = &run->manager->limits;

        if (run->step != STEP_TRANSFER || run->since_checkpoint_bytes == 0 || run->checkpoint_running)
                return USEC_INFINITY;
        return u64_add_saturated(run->last_checkpoint_monotonic, run->since_checkpoint_bytes >= limits->checkpoint_bytes
                                                                         ? CHECKPOINT_MIN_GAP_USEC
                                                                         : limits->checkpoint_interval_usec);
}

void manager_checkpoints(struct manager *m) {
        uint64_t now = clock_now(m->clock, CLOCK_ID_MONOTONIC);
        struct file_run *run, *tmp;

        DL_FOREACH_SAFE(m->file_runs, run, tmp) {
                if (file_run_checkpoint_due(run) > now)
                        continue;
                if (file_run_checkpoint(run) < 0)
                        run->last_checkpoint_monotonic = now; /* no memory: later */
        }
}

uint64_t manager_next_checkpoint(const struct manager *m) {
        uint64_t monotonic = clock_now(m->clock, CLOCK_ID_MONOTONIC), next = USEC_INFINITY;
        struct file_run *run;

        DL_FOREACH(m->file_runs, run)
                next = MIN(next, file_run_checkpoint_due(run));
        if (next == USEC_INFINITY)
                return next;
        return u64_add_saturated(manager_boottime(m), next > monotonic ? next - monotonic : 0);
}

/* ---- finish ---- */

static void file_run_finished(const struct files_finish_result *result, void *userdata) {
        struct file_run *run = userdata;
        struct manager *m = run->manager;
        struct job_file *file = run->file;
        struct intervals all = {};
        int r = result->error;

        if (!file_run_returned(run))
                return;
        if (r == -EBADMSG) {
                /* Only a whole-file digest: nobody knows which bytes are bad. Once anew, then give up (reliability.md 5.5). */
                file_run_result(run, file->n_restarts == 0 ? ENGINE_RESTART : ENGINE_FAILED, ERROR_DIGEST_MISMATCH,
                                ERROR_CONTEXT_REMOTE_FILE, 0, false, error_code_text(ERROR_DIGEST_MISMATCH));
        } else if (r == -EMSGSIZE)
                file_run_result(run, ENGINE_RESTART, ERROR_DESTINATION_CHANGED, ERROR_CONTEXT_LOCAL_FILE, 0, false,
                                "the temporary file has not the size that was written");
        else if (r == 0) {
                r = intervals_add(&all, 0, file->size);
                if (r == 0) {
                        files_ledger_assert_durable(run->handle, &all);
                        r = job_file_durable(file, &all);
                }
                intervals_done(&all);
                if (r == 0) {
                        job_file_set_state(file, FILE_TRANSFERRED);
                        manager_save_file(m, file);
                        manager_job_changed(m, file->job, false);
                        file_run_result(run, ENGINE_DONE, ERROR_NONE, ERROR_CONTEXT_NONE, 0, false, "");
                }
        }
        if (r < 0 && r != -EBADMSG && r != -EMSGSIZE)
                file_run_local_error(run, r, "cannot finish the temporary file");
        file_run_end(run);
}

static void file_run_finish(struct file_run *run) {
        struct manager *m = run->manager;
        struct job_file *file = run->file;
        struct files_finish_request request = {
                .size = file->size,
                .sha256 = file->has_sha256 ? file->sha256 : NULL,
                .mode = file->mode,
        };
        int r;

        if (file->job->remote_time)
                request.mtime_usec = MIN(file->remote_time_usec, manager_realtime(m)); /* never in the future */
        run->step = STEP_FINISH;
        r = files_finish(m->files, run->handle, &request, file_run_finished, run);
        if (r == 0) {
                run->n_pending++;
                return;
        }
        file_run_local_error(run, r, "cannot finish the temporary file");
        file_run_end(run);
}

/* ---- transfer ---- */

static void file_run_transfer(struct file_run *run);

/* The engine has let go of the descriptor (or never had it): what was received is kept, then the run ends or goes on. */
static void file_run_wind_down(struct file_run *run) {
        struct job_file *file = run->file;
        bool cancelled = file->job->intent == JOB_INTENT_CANCEL || file->job->intent == JOB_INTENT_COMPLETE;

        if (run->checkpoint_running) {
                run->step = STEP_SYNC; /* file_run_checkpointed() comes back here */
                return;
        }
        if (run->result.outcome == ENGINE_DONE && !run->stop) {
                if (job_file_is_filled(file)) {
                        file_run_finish(run);
                        return;
                }
                if (intervals_total(&file->received) > run->received_at_start) {
                        file_run_transfer(run); /* more pieces than one request carries, or a short answer */
                        return;
                }
                file_run_result(run, ENGINE_FAILED, ERROR_INVALID_RESPONSE, ERROR_CONTEXT_REMOTE_FILE, 0, true,
                                "the server ended the answer without a byte of what was asked");
        }
        run->step = STEP_SYNC;
        if (run->result.outcome != ENGINE_RESTART && !cancelled && run->disk_errors == 0 &&
            !intervals_equal(&file->received, &file->durable) && file_run_checkpoint(run) == 0)
                return;
        file_run_end(run);
}

static void engine_metadata(void *userdata, uint64_t id, const struct engine_metadata *metadata);
static void engine_progress(void *userdata, uint64_t id, uint64_t start, uint64_t end, uint64_t fetched);
static void engine_finished(void *userdata, uint64_t id, const struct engine_result *result);

const struct engine_events manager_engine_events = {
        .metadata = engine_metadata,
        .progress = engine_progress,
        .finished = engine_finished,
};

static struct file_run *find_request(struct manager *m, uint64_t id) {
        struct file_run *run;

        HASH_FIND(hh, m->by_request, &id, sizeof(id), run);
        return run;
}

static void file_run_reserved(int error, void *userdata) {
        struct file_run *run = userdata;

        if (!file_run_returned(run) || error == 0 || run->request_id == 0 || run->stop)
                return;
        file_run_local_error(run, error, "cannot reserve space");
        run->stop = true;
        engine_stop(run->manager->engine, run->request_id);
}

static void file_run_give_up(struct file_run *run, int code, const char *text) {
        if (code < 0)
                file_run_local_error(run, code, text);
        else
                file_run_result(run, ENGINE_FAILED, code, ERROR_CONTEXT_REMOTE_FILE, 0, false, error_code_text(code));
        run->stop = true;
        engine_stop(run->manager->engine, run->request_id);
}

static uint32_t redirect_policy(const struct job *job) {
        return job->security_flags & JOB_SECURITY_REDIRECT_MASK;
}

/* The name that answered becomes the file's own, as the job asked. */
static int note_redirect(struct job_file *file, const char *url) {
        int r;

        if (!url || redirect_policy(file->job) != JOB_SECURITY_REDIRECT_REPORT)
                return 0;
        r = job_file_set_url(file, url, manager_realtime(job_run(file->job)->manager));
        if (r == 0)
                manager_save_file(job_run(file->job)->manager, file);
        return r;
}

static void engine_metadata(void *userdata, uint64_t id, const struct engine_metadata *metadata) {
        struct manager *m = userdata;
        struct file_run *run = find_request(m, id);
        struct job_file *file;
        int r;

        if (!run || run->stop)
                return;
        file = run->file;
        r = validators_copy(&file->validators, &(struct validators) {
                        .origin = (char *) metadata->origin,
                        .etag = (char *) metadata->etag,
                        .last_modified = (char *) metadata->last_modified,
                        .encoding = (char *) metadata->encoding,
                });
        if (r == 0)
                r = note_redirect(file, metadata->redirected_url);
        if (r == 0 && metadata->remote_size != ENGINE_SIZE_UNKNOWN && file->remote_size != metadata->remote_size) {
                r = job_file_set_remote_size(file, metadata->remote_size);
                if (r == 0 && job_is_over_its_size(file->job))
                        r = ERROR_TOO_LARGE;
                if (r == 0 && file->size != SIZE_UNKNOWN && file->size >= RESERVE_FROM_BYTES) {
                        r = files_reserve(m->files, run->handle, file->size,
                                          file->job->priority != JOB_PRIORITY_FOREGROUND, file_run_reserved, run);
                        if (r == 0)
                                run->n_pending++;
                }
        }
        if (r != 0) {
                file_run_give_up(run, r, "cannot keep what the server said");
                return;
        }
        file->remote_time_usec = metadata->remote_time_usec;
        manager_job_changed(m, file->job, false);
}

static void engine_progress(void *userdata, uint64_t id, uint64_t start, uint64_t end, uint64_t fetched) {
        struct manager *m = userdata;
        struct file_run *run = find_request(m, id);
        struct job *job;
        int r;

        if (!run)
                return;
        job = run->file->job;
        job->bytes_fetched = u64_add_saturated(job->bytes_fetched, fetched - run->fetched);
        run->fetched = fetched;
        r = files_note_written(run->handle, start, end);
        if (r == 0)
                r = job_file_received(run->file, start, end);
        if (r == 0 && job->bytes_received > job->max_download_size)
                r = ERROR_TOO_LARGE;
        if (r != 0) {
                file_run_give_up(run, r, "cannot keep count of what was written");
                return;
        }
        if (run->since_checkpoint_bytes == 0)
                run->last_checkpoint_monotonic = MAX(run->last_checkpoint_monotonic, clock_now(m->clock, CLOCK_ID_MONOTONIC));
        run->since_checkpoint_bytes += end - start;
        if (job_run(job)->scheduled)
                schedule_progressed(m->schedule, job);
        manager_job_changed(m, job, false);
}

static void engine_finished(void *userdata, uint64_t id, const struct engine_result *result) {
        struct manager *m = userdata;
        struct file_run *run = find_request(m, id);
        struct job_file *file;

        if (!run)
                return;
        file = run->file;
        file_run_forget_request(run);
        file->job->bytes_fetched = u64_add_saturated(file->job->bytes_fetched, result->bytes_fetched - MIN(result->bytes_fetched, run->fetched));
        /* A reason of our own (disk, size) came first: keep it. */
        if (!(run->stop && run->result.outcome == ENGINE_FAILED)) {
                run->result = *result;
                snprintf(run->result_text, sizeof(run->result_text), "%s", result->text ?: "");
                run->result.text = run->result_text;
        }
        if (result->outcome == ENGINE_DONE && file->remote_size == SIZE_UNKNOWN) {
                int r = job_file_set_remote_size(file, result->local_end);

                file->length_unverified = result->length_unverified;
                if (r != 0)
                        file_run_result(run, ENGINE_FAILED, r > 0 ? r : ERROR_OUT_OF_MEMORY, ERROR_CONTEXT_REMOTE_FILE, 0, false,
                                        "the file's size does not fit what was asked");
        }
        file_run_wind_down(run);
}

static bool file_is_whole(const struct job_file *file) {
        return file->n_ranges == 0;
}

static void file_run_transfer(struct file_run *run) {
        struct manager *m = run->manager;
        struct job_file *file = run->file;
        struct file_piece pieces[ENGINE_PIECES_MAX];
        struct engine_piece wanted[ENGINE_PIECES_MAX];
        size_t n = MIN(job_file_missing(file, pieces, ENGINE_PIECES_MAX), (size_t) ENGINE_PIECES_MAX);
        bool begun = file->received.n_items > 0;
        char **proxies = NULL;
        int r;

        if (n == 0) {
                file_run_finish(run); /* every byte was there before */
                return;
        }
        for (size_t i = 0; i < n; i++)
                wanted[i] = (struct engine_piece) {
                        .remote_offset = pieces[i].remote_offset,
                        .length = pieces[i].length,
                        .local_offset = pieces[i].local_offset,
                };
        run->step = STEP_TRANSFER;
        run->request_id = m->next_request++;
        run->fetched = 0;
        run->received_at_start = intervals_total(&file->received);
        run->result = (struct engine_result) { .outcome = ENGINE_STOPPED, .text = "" };
        run->last_checkpoint_monotonic = clock_now(m->clock, CLOCK_ID_MONOTONIC);
        HASH_ADD(hh, m->by_request, request_id, sizeof(run->request_id), run);
        r = job_proxy_variables(file->job, &proxies);
        if (r == 0)
                r = engine_start(m->engine, &(struct engine_request) {
                        .id = run->request_id,
                        .owner = file->job->owner,
                        .foreground = file->job->priority == JOB_PRIORITY_FOREGROUND,
                        .fd = run->fd,
                        .url = file->url,
                        .pieces = wanted,
                        .n_pieces = n,
                        .whole_file = file_is_whole(file),
                        .digest_decides = file->has_sha256,
                        .remote_size = begun ? file->remote_size : ENGINE_SIZE_UNKNOWN,
                        .stated_size = file_is_whole(file) ? file->stated_size : ENGINE_SIZE_UNKNOWN,
                        .max_bytes = file_is_whole(file) ? MIN(LIMIT_FILE_SIZE, file->job->max_download_size) : LIMIT_FILE_SIZE,
                        .etag = begun ? file->validators.etag : NULL,
                        .last_modified = begun ? file->validators.last_modified : NULL,
                        .encoding = begun ? file->validators.encoding : NULL,
                        .origin = begun ? file->validators.origin : NULL,
                        .headers = file->job->custom_headers,
                        .proxy_environment = (const char *const *) proxies,
                        .allow_insecure_redirect = file->job->security_flags & JOB_SECURITY_REDIRECT_INSECURE,
                        .disallow_redirects = redirect_policy(file->job) == JOB_SECURITY_REDIRECT_DISALLOW,
                        .connect_timeout_usec = m->limits.connect_timeout_usec,
                        .stall_timeout_usec = m->limits.stall_timeout_usec,
                });
        job_proxy_variables_free(proxies);
        if (r == 0)
                return;
        file_run_forget_request(run);
        file_run_local_error(run, r, "cannot hand the file to the transfer process");
        file_run_end(run);
}

/* ---- the way to the first byte ---- */

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
        if (result->error == -ESTALE)
                file_run_result(run, ENGINE_FAILED, ERROR_DESTINATION_CHANGED, ERROR_CONTEXT_LOCAL_FILE, ESTALE, false,
                                error_code_text(ERROR_DESTINATION_CHANGED));
        else if (result->error < 0)
                file_run_local_error(run, result->error, "cannot open the temporary file");
        if (result->error < 0) {
                file_run_end(run);
                return;
        }
        run->handle = result->handle;
        run->fd = result->fd;
        memcpy(&file->temp, &result->temp, sizeof(file->temp));
        memcpy(&file->directory, &result->directory, sizeof(file->directory));
        files_ledger_seed(run->handle, &file->durable);
        if (run->stop)
                file_run_end(run);
        else
                file_run_transfer(run);
}

_Static_assert(sizeof(struct file_identity) == sizeof(struct files_identity), "one shape in two rooms");

static struct files_identity to_files_identity(const struct file_identity *identity) {
        struct files_identity ret;

        memcpy(&ret, identity, sizeof(ret));
        return ret;
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
                r = files_remove(m->files, &(struct files_item) { .path = file->path, .temp_name = file->temp_name }, 1,
                                 file_run_cleared, run);
        else {
                bool create = file->temp.ino == 0;

                run->step = STEP_OPEN;
                r = files_open(m->files, &(struct files_open_request) {
                                .path = file->path,
                                .temp_name = file->temp_name,
                                .create = create,
                                .temp = to_files_identity(&file->temp),
                                .directory = create ? (struct files_identity) {} : to_files_identity(&file->directory),
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

static int file_run_start(struct manager *m, struct job_file *file) {
        struct file_run *run = calloc(1, sizeof(*run));

        if (!run)
                return -ENOMEM;
        *run = (struct file_run) { .manager = m, .files = m->files, .file = file, .fd = -EBADF, .step = STEP_COMMIT,
                                   .result = { .outcome = ENGINE_STOPPED, .text = "" } };
        file->attachment = run;
        DL_APPEND(m->file_runs, run);
        m->n_file_runs++;
        job_run(file->job)->n_file_runs++;
        /* The name must be on disk before the file is: else a crash leaves one that nobody knows. */
        if (manager_job_is_dirty(m, file->job)) {
                if (manager_after_commit(m, file_run_recorded, run) == 0) {
                        run->n_pending++;
                        return 0;
                }
        }
        file_run_open(run);
        return 0;
}

/* ---- jobs ---- */

static void enter_starved(struct manager *m, struct job_run *run) {
        if (run->starved)
                return;
        run->starved = true;
        DL_APPEND2(m->starved, run, starved_prev, starved_next);
}

void manager_pump_job(struct manager *m, struct job *job) {
        struct job_run *run = job_run(job);

        if (job->state != JOB_TRANSFERRING || job->intent != JOB_INTENT_NONE || m->stopping)
                return;
        if (run->pumping) {
                run->pump_again = true;
                return;
        }
        run->pumping = true;
        do {
                run->pump_again = false;
                for (size_t seen = 0; seen < job->n_files && run->n_file_runs < FILES_IN_FLIGHT_PER_JOB; seen++) {
                        struct job_file *file = job->files[run->next_file % job->n_files];

                        run->next_file = (uint32_t)((run->next_file + 1) % job->n_files);
                        if (file->state != FILE_PENDING || file->attachment)
                                continue;
                        if (m->n_file_runs >= m->max_file_runs) {
                                run->next_file = file->index;
                                enter_starved(m, run);
                                break;
                        }
                        if (file_run_start(m, file) < 0)
                                break;
                        if (job->state != JOB_TRANSFERRING || job->intent != JOB_INTENT_NONE)
                                break;
                }
        } while (run->pump_again && job->state == JOB_TRANSFERRING && job->intent == JOB_INTENT_NONE);
        run->pumping = false;
        if (job->state == JOB_TRANSFERRING && run->n_file_runs == 0 && job_is_complete(job))
                manager_job_all_transferred(m, job);
}

void manager_stop_runs(struct manager *m, struct job *job) {
        if (job_run(job)->n_file_runs == 0)
                return;
        for (size_t i = 0; i < job->n_files; i++) {
                struct file_run *run = job->files[i]->attachment;

                if (!run || run->stop)
                        continue;
                run->stop = true;
                if (run->request_id != 0)
                        engine_stop(m->engine, run->request_id);
        }
}

void manager_job_all_transferred(struct manager *m, struct job *job) {
        if (manager_transition(m, job, JOB_EVENT_ALL_TRANSFERRED) != 0)
                return;
        if (job->complete_when_transferred)
                manager_start_op(m, job, JOB_INTENT_COMPLETE, false, (struct reply) {});
}

void manager_fail_job(struct manager *m, struct job *job, enum error_code code, enum error_context context, uint32_t detail,
                      uint32_t file_index, bool transient, uint64_t retry_after_usec, const char *text) {
        bool blocked = job_error_is_blocked_cause(code);
        enum job_event event = JOB_EVENT_FATAL_ERROR;

        /* Fewer at once fit; without this the same number would be tried again, and fail again. */
        if (code == ERROR_TOO_MANY_OPEN_FILES)
                m->max_file_runs = MAX(m->n_file_runs / 2, (size_t) FILES_IN_FLIGHT_MIN);
        job_set_error(job, code, context, detail, file_index, text);
        /* A local file error is fatal unless its cause ends by itself; a remote one as the engine judged it. */
        if (blocked || (transient && context != ERROR_CONTEXT_LOCAL_FILE)) {
                enum schedule_verdict verdict = schedule_failed(m->schedule, job, blocked ? SCHEDULE_BLOCKED : SCHEDULE_TRANSIENT,
                                                                blocked ? BLOCKED_POLL_USEC : retry_after_usec);

                if (verdict == SCHEDULE_RETRY_LATER)
                        event = JOB_EVENT_TRANSIENT_ERROR;
        }
        if (manager_transition(m, job, event) != 0)
                return;
        manager_save_job(m, job);
        manager_stop_runs(m, job);
}

/* ---- the scheduler's decisions ---- */

static void carry_out(struct manager *m, const struct schedule_decision *decision) {
        struct job *job = decision->job;

        switch (decision->action) {
        case SCHEDULE_START:
                if (job_is_complete(job))
                        manager_job_all_transferred(m, job);
                else if (manager_transition(m, job, JOB_EVENT_START) == 0)
                        manager_pump_job(m, job);
                break;
        case SCHEDULE_YIELD:
                if (manager_transition(m, job, JOB_EVENT_YIELD) == 0) {
                        job_set_waiting(job, decision->reason, manager_realtime(m));
                        manager_save_job(m, job);
                        manager_stop_runs(m, job);
                }
                break;
        case SCHEDULE_RETRY:
                (void) manager_transition(m, job, JOB_EVENT_RETRY);
                break;
        case SCHEDULE_NO_PROGRESS:
                job_set_error(job, ERROR_NO_PROGRESS, ERROR_CONTEXT_GENERAL_TRANSPORT, 0, JOB_ERROR_NO_FILE,
                              job->error.code != ERROR_NONE ? job->error.text : "");
                if (manager_transition(m, job, JOB_EVENT_FATAL_ERROR) == 0)
                        manager_stop_runs(m, job);
                break;
        case SCHEDULE_EXPIRE:
                manager_start_op(m, job, JOB_INTENT_CANCEL, true, (struct reply) {});
                break;
        case SCHEDULE_WAIT:
                job_set_waiting(job, decision->reason, manager_realtime(m));
                manager_job_changed(m, job, false);
                break;
        }
}

void manager_run_schedule(struct manager *m) {
        struct schedule_decision decisions[64];
        size_t n;

        m->schedule_dirty = false;
        if (m->stopping)
                return;
        if (manager_boottime(m) < m->held_until_boottime) {
                m->schedule_dirty = true;
                return;
        }
        if (m->ops_held)
                manager_resume_ops(m);
        while ((n = schedule_decide(m->schedule, decisions, ELEMENTSOF(decisions))) > 0)
                for (size_t i = 0; i < n; i++)
                        if (job_run(decisions[i].job)->scheduled)
                                carry_out(m, &decisions[i]);
}

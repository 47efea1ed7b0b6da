/* From an encrypted temp file that is complete, verified and synced to one with its content: does the key fit? → record the name of a second
 * temp file → make it → decrypt slice by slice → finish it as any other → one commit: its name becomes the file's, and the file TRANSFERRED →
 * remove the encrypted one. Whatever comes between, the row names both files or none has been made: the next run begins the decryption
 * anew, or only removes what is left. A run that is stopped or fails takes the second file with it. */
#include "base/log.h"
#include "base/strings.h"
#include "content/encryption.h"
#include "manager/private.h"

static void run_slice(struct file_run *run, struct files_handle *target, uint64_t first);

/* ---- the second file goes ---- */

static void file_run_discarded(int error, const int *errors, size_t n, void *userdata) {
        struct file_run *run = userdata;
        struct job_file *file = run->file;

        if (!file_run_returned(run))
                return;
        if (error == 0 && n > 0)
                error = errors[0];
        if (error < 0 && error != -ESTALE)
                log_warning("a temporary file could not be removed: %s", strerror(-error)); /* the end of the job tries again */
        else {
                file->spare_name[0] = 0;
                manager_save_file(run->manager, file);
        }
        file_run_end(run);
}

static void run_discard(struct file_run *run) {
        struct job_file *file = run->file;
        struct files_item item = { .owner = file->job->owner, .path = file->path, .temp_name = file->spare_name, .temp = run->spare };
        int r;

        item.directory = manager_files_identity(&file->directory);
        run->step = STEP_DISCARD;
        r = files_remove(run->manager->files, &item, 1, file_run_discarded, run);
        if (r == 0)
                run->n_pending++;
        else
                file_run_end(run);
}

/* With run->result, whatever it is. */
static void run_leave(struct file_run *run) {
        run->plain = files_close(run->manager->files, run->plain);
        if (run->file->spare_name[0])
                run_discard(run);
        else
                file_run_end(run);
}

int file_run_start_discard(struct manager *m, struct job_file *file) {
        struct file_run *run;
        int r = file_run_new(m, file, STEP_DISCARD, &run);

        if (r == 0)
                run_discard(run);
        return r;
}

/* ---- what may go wrong ---- */

static void run_local_error(struct file_run *run, int error) {
        file_run_local_error(run, error, "cannot decrypt into a second temporary file");
        run_leave(run);
}

static void run_content_error(struct file_run *run, enum error_code code, const char *why) {
        enum engine_outcome outcome = ENGINE_FAILED;
        char text[sizeof(run->result_text)];

        /* Where piece hashes were right it is as it was served. Else nobody knows where it went bad: once anew, then give up. */
        if (code == ERROR_DIGEST_MISMATCH || (code == ERROR_DECRYPTION_DAMAGED && !run->judging))
                outcome = file_run_blame_sources(run) || run->file->n_restarts == 0 ? ENGINE_RESTART : ENGINE_FAILED;
        snprintf(text, sizeof(text), "%s%s%s", error_code_text(code), *why ? " " : "", why);
        file_run_result(run, outcome, code, ERROR_CONTEXT_REMOTE_FILE, 0, false, text);
        run_leave(run);
}

/* True: the run is on its way to its end. */
static bool run_is_over(struct file_run *run, int error, const char *why) {
        if (!run->stop && error == 0)
                return false;
        if (run->stop)
                run_leave(run);
        else if (error > 0)
                run_content_error(run, (enum error_code) error, why);
        else
                run_local_error(run, error);
        return true;
}

/* ---- the end ---- */

static void file_run_swapped(int error, void *userdata) {
        struct file_run *run = userdata;

        if (!file_run_returned(run) || error < 0)
                return; /* a failed commit drops everything */
        run_discard(run);
}

/* Both names change places in the row that makes the file TRANSFERRED: no crash sees one without the other. */
static void run_swap(struct file_run *run) {
        struct manager *m = run->manager;
        struct job_file *file = run->file;
        struct files_identity plain = run->spare;
        char name[TEMP_NAME_MAX];

        memcpy(name, file->temp_name, sizeof(name));
        memcpy(file->temp_name, file->spare_name, sizeof(name));
        memcpy(file->spare_name, name, sizeof(name));
        memcpy(&run->spare, &file->temp, sizeof(run->spare));
        memcpy(&file->temp, &plain, sizeof(file->temp));
        file_run_mark_transferred(run);
        if (manager_after_commit(m, file_run_swapped, run) == 0)
                run->n_pending++;
        else
                file_run_end(run); /* no memory: it goes when the job does */
}

static void file_run_plain_finished(const struct files_finish_result *result, void *userdata) {
        struct file_run *run = userdata;
        int r = result->error;

        if (!file_run_returned(run))
                return;
        if (r == 0) {
                run->plain = files_close(run->manager->files, run->plain);
                run_swap(run); /* also when it was stopped meanwhile: it is done */
                return;
        }
        if (r == -ESTALE || r == -EMSGSIZE) {
                /* Somebody took or changed the second file: it is made again from the first. */
                if (++run->file->n_restarts > RESTARTS_MAX)
                        file_run_local_error(run, -ESTALE, "cannot decrypt into a second temporary file");
                run_leave(run);
        } else
                (void) run_is_over(run, r == -EBADMSG ? (int) ERROR_DIGEST_MISMATCH : r, "");
}

static void run_finish_plain(struct file_run *run, uint64_t size) {
        struct files_finish_request request = file_run_finish_request(run);
        int r;

        request.size = size;
        r = files_finish(run->manager->files, run->plain, &request, file_run_plain_finished, run);
        if (r == 0)
                run->n_pending++;
        else
                run_local_error(run, r);
}

/* ---- slice by slice ---- */

/* The text was judged when it was set. */
static int read_info(const struct job_file *file, struct decryption_info *ret) {
        const char *why;
        int r = decryption_info_parse(secret_text(&file->decryption_info), ret, &why);

        return r > 0 ? -EINVAL : r;
}

static void file_run_sliced(const struct files_decrypt_result *result, void *userdata) {
        struct file_run *run = userdata;
        struct job *job;

        if (!file_run_returned(run) || run_is_over(run, result->error, result->why))
                return;
        job = run->file->job;
        if (job_run(job)->scheduled)
                schedule_progressed(run->manager->schedule, job);
        if (result->is_complete)
                run_finish_plain(run, result->content_bytes);
        else
                run_slice(run, run->plain, result->next);
}

static void file_run_plain_opened(const struct files_open_result *result, void *userdata) {
        struct file_run *run = userdata;

        if (!run->file && result->error == 0)
                (void) files_close(run->files, result->handle); /* it is not handed to a run that is orphaned */
        if (!file_run_returned(run))
                return;
        if (result->error == 0) {
                run->plain = result->handle;
                run->spare = result->temp;
        }
        if (!run_is_over(run, result->error, ""))
                run_slice(run, run->plain, 0);
}

static void file_run_spare_cleared(int error, const int *errors, size_t n, void *userdata) {
        struct file_run *run = userdata;
        const struct job_file *file = run->file;
        struct files_open_request request;
        int r;

        if (!file_run_returned(run) || run_is_over(run, error == 0 && n > 0 ? errors[0] : error, ""))
                return;
        request = (struct files_open_request) {
                .owner = file->job->owner,
                .path = file->path,
                .temp_name = file->spare_name,
                .create = true,
                .reserve_bytes = run->content_max >= RESERVE_FROM_BYTES ? run->content_max : FILES_SIZE_UNKNOWN,
                .background = file->job->priority != JOB_PRIORITY_FOREGROUND,
        };
        request.directory = manager_files_identity(&file->directory);
        r = files_open(run->manager->files, &request, file_run_plain_opened, run);
        if (r == 0)
                run->n_pending++;
        else
                run_local_error(run, r);
}

/* The name is on disk: what a crash left under it goes first. */
static void file_run_spare_recorded(int error, void *userdata) {
        struct file_run *run = userdata;
        const struct job_file *file = run->file;
        int r;

        if (!file_run_returned(run) || error < 0)
                return; /* a failed commit drops everything */
        if (run_is_over(run, 0, ""))
                return;
        r = files_remove(run->manager->files, &(struct files_item) { .owner = file->job->owner, .path = file->path, .temp_name = file->spare_name }, 1,
                         file_run_spare_cleared, run);
        if (r == 0)
                run->n_pending++;
        else
                run_local_error(run, r);
}

static void file_run_info_judged(const struct files_decrypt_result *result, void *userdata) {
        struct file_run *run = userdata;
        struct job_file *file = run->file;
        int r = 0;

        if (!file_run_returned(run) || run_is_over(run, result->error, result->why))
                return;
        run->content_max = result->content_max;
        if (!file->spare_name[0])
                r = files_temp_name_new(file->spare_name);
        if (r == 0) {
                manager_save_file(run->manager, file);
                r = manager_after_commit(run->manager, file_run_spare_recorded, run);
        }
        if (r == 0)
                run->n_pending++;
        else
                run_local_error(run, r);
}

/* @target NULL: only looks whether the key fits, before room is taken for what it would make. */
static void run_slice(struct file_run *run, struct files_handle *target, uint64_t first) {
        _cleanup_(decryption_info_donep) struct decryption_info info = {};
        struct files_decrypt_request request = { .info = &info, .size = run->file->size, .first = first };
        int r = read_info(run->file, &info);

        if (r == 0)
                r = files_decrypt(run->manager->files, run->handle, target, &request, target ? file_run_sliced : file_run_info_judged, run);
        if (r == 0)
                run->n_pending++;
        else
                run_local_error(run, r);
}

void file_run_decrypt(struct file_run *run) {
        run->step = STEP_DECRYPT;
        file_run_result(run, ENGINE_STOPPED, ERROR_NONE, ERROR_CONTEXT_NONE, 0, false, "");
        if (!run_is_over(run, 0, ""))
                run_slice(run, NULL, 0);
}

/* What guards a file's content beyond a digest of the whole: piece hashes and encryption. */
#include <inttypes.h>

#include "base/fds.h"
#include "base/log.h"
#include "base/strings.h"
#include "content/encryption.h"
#include "content/integrity.h"
#include "manager/private.h"

/* ---- what clients give ---- */

static int check_integrity_info(const char *json, const char **reterr_why) {
        struct integrity_info info;
        int r = integrity_info_parse(json, &info, reterr_why);

        if (r != 0)
                return r;
        r = job_url_check(info.url);
        if (r != 0)
                *reterr_why = "PiecesHashFileUrl is no URL that can be used.";
        integrity_info_done(&info);
        return r;
}

static const char whole_only[] = "An encrypted file is decrypted as a whole: it cannot have ranges of its own or be fetched on demand.";

static bool file_is_whole(const struct job_file *file) {
        return file->n_ranges == 0 && !file->job->on_demand;
}

int manager_check_guards(const char *integrity_info, const char *decryption_info, bool is_whole, const char **reterr_why) {
        struct decryption_info decryption;
        int r = 0;

        if (integrity_info && *integrity_info)
                r = check_integrity_info(integrity_info, reterr_why);
        if (r == 0 && decryption_info && *decryption_info) {
                r = decryption_info_parse(decryption_info, &decryption, reterr_why);
                decryption_info_done(&decryption);
                if (r == 0 && !is_whole) {
                        *reterr_why = whole_only;
                        r = ERROR_INVALID_ARGUMENT;
                }
        }
        return r;
}

static int set_properties(struct job_file *file, const struct manager_file_properties *p, uint64_t now) {
        int r = 0;

        if (p->file_id)
                r = job_file_set_id(file, p->file_id, now);
        if (r == 0 && p->stated_size != MANAGER_SIZE_UNCHANGED)
                r = job_file_set_stated_size(file, p->stated_size, now);
        if (r == 0 && p->integrity_info)
                r = job_file_set_integrity_info(file, p->integrity_info, now);
        if (r == 0 && p->decryption_info)
                r = file_has_stream(file) && *p->decryption_info ? ERROR_NOT_IMPLEMENTED
                                                                 : job_file_set_decryption_info(file, p->decryption_info, now);
        if (r == 0 && p->integrity_mandatory >= 0)
                r = job_file_set_integrity_mandatory(file, p->integrity_mandatory != 0, now);
        return r;
}

void manager_set_file_properties(struct manager *m, struct job_file *file, const struct manager_file_properties *properties,
                                 manager_reply_fn fn, void *userdata) {
        struct reply reply = { fn, userdata };
        struct file_run *run = file->attachment;
        struct job *job = file->job;
        const char *why = "";
        int r;

        if (!manager_command_allowed(m, job, JOB_COMMAND_SET, reply))
                return;
        r = manager_check_guards(properties->integrity_info, properties->decryption_info, file_is_whole(file), &why);
        if (r == 0 && (properties->file_id || properties->stated_size != MANAGER_SIZE_UNCHANGED) &&
            job_command_verdict(job, JOB_COMMAND_SET_SINK) != JOB_VERDICT_OK)
                r = ERROR_INVALID_STATE;
        /* The last look is being taken by the old rules. */
        if (r == 0 && run && run->step >= STEP_FINISH)
                r = ERROR_INVALID_STATE;
        /* After these checks only the file's state can be in the way, and it is the same for all of them. */
        if (r == 0)
                r = set_properties(file, properties, manager_realtime(m));
        if (r != 0) {
                manager_refuse(reply, &job->id, r, why);
                return;
        }
        if (run)
                run->stop = true; /* the next one goes by the new rules from its beginning */
        manager_file_changed(m, file);
        manager_job_changed(m, job, false);
        manager_reply_durably(m, &job->id, reply, &(struct manager_reply) {});
}

/* ---- the piece hash file ---- */

void file_run_guard_done(struct file_run *run) {
        free(run->pieces);
        free(run->bad_tries);
        intervals_done(&run->vouched);
        intervals_done(&run->inherited);
}

/* There are no hashes that could be used. Mandatory: the file cannot be had. Else it goes on without, and says so. */
static void run_without_hashes(struct file_run *run, enum error_code code, uint32_t detail, const char *why) {
        struct manager *m = run->manager;
        struct job_file *file = run->file;
        static const char prefix[] = "piece hash file: ";
        char text[sizeof(run->result_text)];

        if (file->integrity_mandatory) {
                snprintf(text, sizeof(text), "%s%.*s", prefix, (int) (sizeof(text) - sizeof(prefix)), why);
                file_run_result(run, ENGINE_FAILED, code, ERROR_CONTEXT_REMOTE_FILE, detail, false, text);
                file_run_end(run);
                return;
        }
        log_debug("file %u goes on without piece hashes: %s", file->index, why);
        file->integrity = FILE_INTEGRITY_UNAVAILABLE;
        manager_save_file(m, file);
        file_run_transfer(run);
}

/* The pieces that lie wholly in one stretch of the remote file, which begins at @local in the local one. */
static size_t place_pieces(const struct piece_hashes *hashes, uint64_t remote, uint64_t length, uint64_t local, struct files_piece *ret) {
        size_t n = 0;

        for (size_t i = (size_t) piece_hashes_count(remote, hashes->piece_bytes);
             i < hashes->n_pieces && piece_hashes_end(hashes, i) <= remote + length; i++) {
                uint64_t start = i * hashes->piece_bytes;

                ret[n] = (struct files_piece) {
                        .start = local + (start - remote),
                        .bytes = (uint32_t)(piece_hashes_end(hashes, i) - start),
                };
                memcpy(ret[n++].hash, hashes->hashes[i], PIECE_HASH_BYTES);
        }
        return n;
}

/* *ret_size: of the local file. 0, or ERROR_METAINFO_FILE_SIZE when the file for which the hashes are has no such ranges. */
static int place_all(const struct job_file *file, const struct piece_hashes *hashes, struct files_piece *pieces, size_t *ret_n,
                     uint64_t *ret_size) {
        uint64_t local = 0;
        size_t n = 0;

        if (file->n_ranges == 0) {
                n = place_pieces(hashes, 0, hashes->content_length, 0, pieces);
                local = hashes->content_length;
        }
        for (size_t i = 0; i < file->n_ranges; i++) {
                const struct byte_range *range = &file->ranges[i];
                uint64_t rest;

                if (range->offset > hashes->content_length)
                        return ERROR_METAINFO_FILE_SIZE;
                rest = hashes->content_length - range->offset;
                if (range->length != TO_EOF && range->length > rest)
                        return ERROR_METAINFO_FILE_SIZE;
                rest = MIN(range->length, rest);
                n += place_pieces(hashes, range->offset, rest, local, pieces + n); /* ranges do not overlap: each piece comes once */
                local += rest;
        }
        *ret_n = n;
        *ret_size = local;
        return 0;
}

/* Durable bytes were judged before they became so, or will be at the end; what lies between the pieces nobody can judge. */
static int vouch_at_start(struct file_run *run, uint64_t size) {
        uint64_t end = 0;
        int r = 0;

        for (size_t i = 0; i < run->n_pieces && r == 0; i++) {
                const struct files_piece *piece = &run->pieces[i];

                run->pieces_leave_edges |= piece->start > end;
                r = intervals_add(&run->vouched, end, piece->start);
                end = piece->start + piece->bytes;
                if (r == 0 && intervals_contain(&run->file->durable, piece->start, end))
                        r = intervals_add(&run->vouched, piece->start, end);
        }
        run->pieces_leave_edges |= size > end;
        return r < 0 ? r : intervals_add(&run->vouched, end, size);
}

static int take_hashes(struct file_run *run, const struct piece_hashes *hashes) {
        uint64_t size;
        int r;

        run->pieces = calloc(hashes->n_pieces + 1, sizeof(*run->pieces));
        run->bad_tries = calloc(hashes->n_pieces + 1, sizeof(*run->bad_tries));
        if (!run->pieces || !run->bad_tries)
                return -ENOMEM;
        run->content_length = hashes->content_length;
        r = place_all(run->file, hashes, run->pieces, &run->n_pieces, &size);
        if (r == 0)
                r = vouch_at_start(run, size);
        if (r != 0)
                return r;
        /* A promise that nobody can keep is refused rather than broken. */
        if (run->file->integrity_mandatory && run->pieces_leave_edges)
                return ERROR_INTEGRITY_UNAVAILABLE;
        run->judging = true;
        file_run_inherit_pieces(run); /* of an earlier run, which may have had no hashes */
        /* The size of a file of which nothing was kept is what a server said once: the next answer tells it anew. */
        return run->file->received.n_items > 0 ? file_run_judge_size(run) : 0;
}

static void file_run_hashes_read(int error, struct piece_hashes *given, void *userdata) {
        _cleanup_(piece_hashes_freep) struct piece_hashes *hashes = given;
        struct file_run *run = userdata;
        int r = error;

        if (!file_run_returned(run))
                return;
        if (run->stop) {
                file_run_end(run);
                return;
        }
        if (r == 0)
                r = take_hashes(run, hashes);
        if (r < 0) {
                file_run_local_error(run, r, "cannot read the piece hash file");
                file_run_end(run);
        } else if (r > 0)
                run_without_hashes(run, (enum error_code) r, 0, r == ERROR_INTEGRITY_UNAVAILABLE
                                           ? "the ranges do not begin and end where pieces do" : error_code_text((enum error_code) r));
        else {
                if (run->judging)
                        run->file->integrity = FILE_INTEGRITY_CHECKING;
                manager_job_changed(run->manager, run->file->job, false);
                file_run_transfer(run);
        }
}

void file_run_hashes_progress(struct file_run *run) {
        struct job *job = run->file->job;

        if (job_run(job)->scheduled)
                schedule_progressed(run->manager->schedule, job);
}

/* Read again from the text that the file keeps: it was judged when it was set. */
static int read_info(const struct job_file *file, struct integrity_info *ret) {
        const char *why;
        int r = integrity_info_parse(file->integrity_info, ret, &why);

        return r > 0 ? -EINVAL : r;
}

void file_run_hashes_finished(struct file_run *run, uint64_t size) {
        struct integrity_info info = {};
        int r;

        if (run->stop || run->result.outcome == ENGINE_STOPPED || run->result.outcome == ENGINE_LOST) {
                file_run_end(run);
                return;
        }
        if (run->result.outcome != ENGINE_DONE) {
                /* What may pass is waited for, if the hashes must be had. */
                if (run->result.outcome == ENGINE_FAILED && run->result.transient && run->file->integrity_mandatory)
                        file_run_end(run);
                else
                        run_without_hashes(run, ERROR_INTEGRITY_UNAVAILABLE, run->result.detail, run->result_text);
                return;
        }
        r = read_info(run->file, &info);
        if (r == 0)
                r = files_read_hashes(run->files, run->handle, run->hashes_fd, size, &info, file_run_hashes_read, run);
        integrity_info_done(&info);
        if (r == 0) {
                run->n_pending++;
                return;
        }
        file_run_local_error(run, r, "cannot read the piece hash file");
        file_run_end(run);
}

static int ask_for_hashes(struct file_run *run) {
        const struct job_file *file = run->file;
        struct integrity_info info;
        int r = read_info(file, &info);
        bool own;

        if (r != 0)
                return r;
        own = job_url_is_same_origin(info.url, file->url);
        r = file_run_ask(run, &(struct engine_request) {
                        .fd = run->hashes_fd,
                        .url = info.url,
                        .pieces = &(struct engine_piece) { .length = ENGINE_TO_EOF },
                        .n_pieces = 1,
                        .whole_file = true,
                        .remote_size = ENGINE_SIZE_UNKNOWN,
                        .stated_size = ENGINE_SIZE_UNKNOWN,
                        .max_bytes = LIMIT_PIECE_HASH_FILE,
                        /* They may hold secrets that are meant for the file's own server. */
                        .headers = own ? secret_text(&file->job->custom_headers) : NULL,
                        .client_certificate = own ? secret_text(&run->certificate) : NULL,
                        .client_key = own ? secret_text(&run->certificate_key) : NULL,
                });
        integrity_info_done(&info);
        return r;
}

static void file_run_scratched(int error, int fd, void *userdata) {
        struct file_run *run = userdata;

        if (!file_run_returned(run))
                return;
        run->hashes_fd = fd;
        if (error == 0 && run->stop)
                file_run_end(run);
        else if (error == 0)
                error = ask_for_hashes(run);
        if (error != 0)
                file_run_not_asked(run, error);
}

void file_run_guard(struct file_run *run) {
        struct job_file *file = run->file;
        int r;

        if (secret_is_lost(&file->decryption_info)) {
                file_run_not_asked(run, ERROR_SECRETS_LOST);
                return;
        }
        if (!secret_is_none(&file->decryption_info) && !file_is_whole(file)) {
                file_run_result(run, ENGINE_FAILED, ERROR_INVALID_ARGUMENT, ERROR_CONTEXT_GENERAL_QUEUE_MANAGER, 0, false, whole_only);
                file_run_end(run);
                return;
        }
        if (!file->integrity_info && file->integrity_mandatory) {
                file_run_result(run, ENGINE_FAILED, ERROR_INTEGRITY_UNSPECIFIED, ERROR_CONTEXT_GENERAL_QUEUE_MANAGER, 0, false,
                                error_code_text(ERROR_INTEGRITY_UNSPECIFIED));
                file_run_end(run);
                return;
        }
        if (!file->integrity_info) {
                file_run_transfer(run);
                return;
        }
        run->step = STEP_HASHES;
        r = files_scratch(run->files, run->handle, file_run_scratched, run);
        if (r == 0) {
                run->n_pending++;
                return;
        }
        file_run_local_error(run, r, "cannot fetch the piece hash file");
        file_run_end(run);
}

int file_run_judge_size(struct file_run *run) {
        struct job_file *file = run->file;

        if (!run->judging || file->remote_size == SIZE_UNKNOWN || file->remote_size == run->content_length)
                return 0;
        run->judging = false;
        if (file->integrity_mandatory)
                return ERROR_METAINFO_FILE_SIZE;
        log_debug("file %u goes on without piece hashes: they are for a file of another size", file->index);
        file->integrity = FILE_INTEGRITY_UNAVAILABLE;
        manager_save_file(run->manager, file);
        return 0;
}

/* ---- judging pieces as they arrive ---- */

int file_run_countable(const struct file_run *run, struct intervals *ret) {
        const struct intervals *received = &run->file->received;
        struct interval gap;
        int r = intervals_copy(ret, received);

        if (!run->judging)
                return r;
        for (size_t i = 0; i < received->n_items && r == 0; i++)
                for (uint64_t from = received->items[i].start;
                     r == 0 && intervals_next_gap(&run->vouched, from, received->items[i].end, &gap); from = gap.end)
                        r = intervals_remove(ret, gap.start, gap.end);
        return r;
}

/* First piece that begins at or behind @position. */
static size_t find_piece(const struct file_run *run, uint64_t position) {
        size_t low = 0, high = run->n_pieces;

        while (low < high) {
                size_t middle = low + (high - low) / 2;

                if (run->pieces[middle].start < position)
                        low = middle + 1;
                else
                        high = middle;
        }
        return low;
}

static uint64_t piece_end(const struct file_run *run, size_t index) {
        return run->pieces[index].start + run->pieces[index].bytes;
}

/* Pieces that are complete and not judged yet, one behind the other. Return: how many. */
static size_t find_complete(const struct file_run *run, size_t *ret_first) {
        const struct intervals *received = &run->file->received;
        struct interval gap;

        for (size_t i = 0; i < received->n_items; i++)
                for (uint64_t from = received->items[i].start; intervals_next_gap(&run->vouched, from, received->items[i].end, &gap);
                     from = gap.end) {
                        size_t first = find_piece(run, gap.start), n = 0;

                        while (n < VERIFY_PIECES_MAX && first + n < run->n_pieces && piece_end(run, first + n) <= gap.end)
                                n++;
                        *ret_first = first;
                        if (n > 0)
                                return n;
                }
        return 0;
}

/* Forgets the bytes of a bad piece. 0, or -ENOMEM. */
static int drop_piece(struct file_run *run, size_t index) {
        const struct files_piece *piece = &run->pieces[index];

        run->refetch = true;
        files_note_lost(run->handle, piece->start, piece_end(run, index));
        return job_file_forget_range(run->file, piece->start, piece_end(run, index));
}

static void say_bad_piece(struct file_run *run, size_t index) {
        char text[128];

        snprintf(text, sizeof(text), "bytes %" PRIu64 " to %" PRIu64 " have the wrong hash", run->pieces[index].start,
                 piece_end(run, index) - 1);
        file_run_result(run, ENGINE_FAILED, ERROR_BAD_PIECE_HASH, ERROR_CONTEXT_REMOTE_FILE, (uint32_t) index, false, text);
}

void file_run_inherit_pieces(struct file_run *run) {
        const struct intervals *received = &run->file->received;
        struct interval gap;
        int r = 0;

        for (size_t i = 0; run->judging && i < received->n_items; i++)
                for (uint64_t from = received->items[i].start;
                     r == 0 && intervals_next_gap(&run->vouched, from, received->items[i].end, &gap); from = gap.end)
                        r = intervals_add(&run->inherited, gap.start, gap.end);
        if (r < 0)
                log_debug("no memory for whose bytes are whose: a source may be blamed for those of another");
}

/* Was some of a bad piece there before its source was asked? Then it comes once more as a whole, from one. */
static int disinherit(struct file_run *run, size_t index, bool *ret_was) {
        uint64_t before = intervals_total(&run->inherited);
        int r = intervals_remove(&run->inherited, run->pieces[index].start, piece_end(run, index));

        *ret_was = intervals_total(&run->inherited) < before;
        return r;
}

static int take_verdict(struct file_run *run, size_t index, bool bad) {
        bool inherited = false;
        int r;

        if (!bad) {
                run->since_checkpoint_bytes += run->pieces[index].bytes;
                file_run_note_unsynced(run);
                return intervals_add(&run->vouched, run->pieces[index].start, piece_end(run, index));
        }
        r = drop_piece(run, index);
        if (r == 0)
                r = disinherit(run, index, &inherited);
        if (r < 0 || run->stop || inherited)
                return r;
        if (file_run_source_kind(run) != SOURCE_OWN) {
                say_bad_piece(run, index); /* who lies is left at once */
                run->leave_source = true;
        } else if (++run->bad_tries[index] >= BAD_TRIES_MAX) {
                say_bad_piece(run, index);
                run->stop = true;
        }
        return 0;
}

static void file_run_verified(int error, const bool *bad, size_t n, void *userdata) {
        struct file_run *run = userdata;

        run->verify_running = false;
        if (!file_run_returned(run))
                return;
        for (size_t i = 0; i < n && error == 0 && run->judging; i++)
                error = take_verdict(run, run->first_verified + i, bad[i]);
        if (error < 0) {
                file_run_local_error(run, error, "cannot check pieces of the temporary file");
                run->disk_errors++;
                run->stop = true;
        }
        manager_job_changed(run->manager, run->file->job, false);
        file_stream_news(run->file);
        if (!run->requests)
                file_run_wind_down(run); /* the request ended meanwhile */
        else if (run->stop || run->leave_source)
                file_run_recall(run);
        else
                (void) file_run_judge(run); /* no memory: the next progress tries again */
}

int file_run_judge(struct file_run *run) {
        size_t n;
        int r;

        if (!run->judging || run->verify_running)
                return run->judging;
        n = find_complete(run, &run->first_verified);
        if (n == 0)
                return 0;
        r = files_verify(run->files, run->handle, run->pieces + run->first_verified, n, file_run_verified, run);
        if (r < 0)
                return r;
        run->n_pending++;
        run->verify_running = true;
        return 1;
}

/* What was right when it arrived is wrong now, or was durable before there were hashes. The descriptor is for reading only by now: the next
 * run fetches what is missing. */
void file_run_drop_bad(struct file_run *run, const bool *bad) {
        struct job_file *file = run->file;
        size_t first_bad = run->n_pieces;

        for (size_t i = run->n_pieces; i-- > 0;)
                if (bad[i]) {
                        first_bad = i;
                        if (drop_piece(run, i) < 0)
                                break;
                }
        manager_save_file(run->manager, file);
        file_run_result(run, ENGINE_STOPPED, ERROR_NONE, ERROR_CONTEXT_NONE, 0, false, "");
        if (file->job->http_method || ++file->n_restarts > RESTARTS_MAX) /* what is sent once is repeated by its owner only */
                say_bad_piece(run, first_bad);
}

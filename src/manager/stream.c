/* Files whose bytes a program takes as they come. They are written to a window in memory (files.h), at their positions in the whole file;
 * the program reads them there, says how far it got, and only then the window moves on: the engine stops reading from the server when
 * the window is full (engine_pace.hold_at). So no more than a window is ever held, however large the file and however slow the program.
 *
 * The stream lives as long as its job, which is volatile: what was shown cannot be taken back, and nothing of it outlives the service. */
#include "base/log.h"
#include "manager/private.h"

struct file_stream {
        struct manager *manager;
        struct job_file *file; /* NULL: orphaned; it only waits for its request to come back */
        struct files_handle *handle;
        int fd;                /* belongs to the handle */
        uint64_t window;
        uint64_t shown;        /* the program may have read so far */
        uint64_t taken;        /* it has no need of what is before */
        uint64_t dropped;      /* nor have we: it is in the digest, and its memory is given back */
        bool dropping;         /* a request to files is out */
        struct reply waiting;
};

static void drop_taken(struct file_stream *stream);

static void answer_waiting(struct file_stream *stream, int outcome, uint64_t available) {
        struct reply reply = stream->waiting;
        struct guid id = stream->file->job->id;

        stream->waiting = (struct reply) {};
        if (reply.fn)
                reply.fn(&(struct manager_reply) { .outcome = outcome, .text = "", .id = id, .available = available }, reply.userdata);
}

/* ---- life ---- */

static struct file_stream *stream_destroy(struct file_stream *stream) {
        assert(!stream->dropping);
        free(stream);
        return NULL;
}

struct file_stream *file_stream_free(struct file_stream *stream) {
        if (!stream)
                return NULL;
        answer_waiting(stream, ERROR_INVALID_STATE, 0);
        stream->handle = files_close(stream->manager->files, stream->handle);
        stream->file = NULL;
        return stream->dropping ? NULL : stream_destroy(stream);
}

void job_drop_streams(struct job *job) {
        for (size_t i = 0; i < job->n_files; i++)
                job->files[i]->stream = file_stream_free(job->files[i]->stream);
}

static int file_stream_new(struct manager *m, struct job_file *file) {
        struct file_stream *stream = calloc(1, sizeof(*stream));
        int r;

        if (!stream)
                return -ENOMEM;
        *stream = (struct file_stream) { .manager = m, .file = file, .fd = -EBADF, .window = LIMIT_STREAM_WINDOW };
        r = files_open_window(m->files, file->job->owner, file->has_sha256, &stream->handle, &stream->fd);
        if (r < 0) {
                free(stream);
                return r;
        }
        file->stream = stream;
        file->temp_name[0] = 0;
        return 0;
}

bool file_has_stream(const struct job_file *file) {
        return file->stream;
}

bool file_stream_was_read(const struct job_file *file) {
        const struct file_stream *stream = file->stream;

        return stream && stream->shown > 0;
}

/* ---- what the program may read ---- */

static bool is_moving(const struct job *job) {
        return job->intent == JOB_INTENT_NONE &&
               (job->state == JOB_QUEUED || job->state == JOB_TRANSFERRING || job->state == JOB_TRANSIENT_ERROR);
}

/* Up to the first byte that is missing, or that its hash did not vouch for yet. */
static uint64_t available(const struct file_stream *stream) {
        const struct file_run *run = stream->file->attachment;
        struct interval gap;
        uint64_t end = 0;

        if (intervals_next_gap(&stream->file->received, stream->dropped, UINT64_MAX, &gap))
                end = gap.start;
        if (run && run->judging && intervals_next_gap(&run->vouched, stream->dropped, UINT64_MAX, &gap))
                end = MIN(end, gap.start);
        return MAX(end, stream->shown); /* what was shown stays */
}

void file_stream_news(struct job_file *file) {
        struct file_stream *stream = file->stream;
        uint64_t end;

        if (!stream || !stream->waiting.fn || !is_moving(file->job))
                return;
        end = available(stream);
        if (end <= stream->taken)
                return;
        stream->shown = end;
        answer_waiting(stream, 0, end);
}

/* ---- the window ---- */

void file_run_use_window(struct file_run *run) {
        struct file_stream *stream = run->file->stream;

        run->handle = stream->handle;
        run->fd = stream->fd;
}

void file_run_close(struct file_run *run) {
        run->handle = run->file && run->file->stream ? NULL : files_close(run->files, run->handle);
}

void file_run_widen_window(struct file_run *run) {
        struct file_stream *stream = run->file->stream;

        for (size_t i = 0; stream && run->judging && i < run->n_pieces; i++)
                stream->window = MAX(stream->window, 2 * (uint64_t) run->pieces[i].bytes);
}

uint64_t file_run_hold_at(const struct file_run *run) {
        const struct file_stream *stream = run->file->stream;

        return stream && run->step != STEP_HASHES ? stream->dropped + stream->window : 0;
}

bool file_run_keeps_received(struct file_run *run) {
        struct job_file *file = run->file;
        struct intervals kept = {};
        int r;

        if (!file->stream)
                return false;
        r = file_run_countable(run, &kept);
        if (r == 0)
                r = job_file_durable(file, &kept); /* as durable as the job is */
        if (r == 0)
                r = job_file_forget_received(file);
        if (r != 0)
                log_debug("cannot keep what a stream holds"); /* no memory: it is fetched again */
        intervals_done(&kept);
        return true;
}

static void window_moved(struct file_stream *stream) {
        struct file_run *run = stream->file->attachment;

        if (!run)
                return;
        if (run->requests && run->step == STEP_TRANSFER) {
                run->requests->told_pace.hold_at = file_run_hold_at(run);
                engine_set_pace(stream->manager->engine, run->requests->id, &run->requests->told_pace);
        } else if (run->step == STEP_DRAIN)
                file_run_transfer(run); /* which also finds that all is there */
}

static void dropped(int error, void *userdata) {
        struct file_stream *stream = userdata;
        struct job_file *file = stream->file;

        stream->dropping = false;
        if (!file) {
                stream_destroy(stream);
                return;
        }
        if (error < 0) {
                /* The digest may have seen a part of it: nothing that comes later could be trusted. */
                manager_fail_job(stream->manager, file->job, error_code_from_errno(error), ERROR_CONTEXT_LOCAL_FILE, (uint32_t) -error,
                                 file->index, false, 0, "cannot give back what the stream took");
                return;
        }
        window_moved(stream);
        if (file->stream == stream)
                drop_taken(stream);
}

static void drop_taken(struct file_stream *stream) {
        if (stream->dropping || stream->dropped >= stream->taken)
                return;
        if (files_window_drop(stream->manager->files, stream->handle, stream->dropped, stream->taken, dropped, stream) < 0)
                return; /* no memory: with what is taken next */
        stream->dropping = true;
        stream->dropped = stream->taken; /* the request goes so far; the window moves when it is back */
}

static void file_run_parked(struct file_run *run) {
        run->step = STEP_DRAIN;
        if (run->stop)
                file_run_end(run);
}

void file_run_drain(struct file_run *run) {
        struct job_file *file = run->file;
        struct file_stream *stream = file->stream;
        int r;

        if (stream->dropping || !job_file_is_filled(file) || stream->dropped < file->size) {
                file_run_parked(run);
                return;
        }
        r = file->has_sha256 ? files_window_check(run->files, stream->handle, file->sha256) : 0;
        if (r == -EBADMSG)
                file_run_result(run, ENGINE_FAILED, ERROR_DIGEST_MISMATCH, ERROR_CONTEXT_REMOTE_FILE, 0, false,
                                error_code_text(ERROR_DIGEST_MISMATCH));
        else {
                if (r == 0)
                        r = file_run_transferred(run);
                if (r < 0)
                        file_run_local_error(run, r, "cannot finish the stream");
        }
        file_run_end(run);
}

/* ---- what clients say ---- */

static struct file_stream *stream_of(const struct job_file *file, const void *client) {
        return job_run(file->job)->client == client ? file->stream : NULL;
}

/* Of an owner, in all jobs: those that have one are bound to a client. */
static size_t count_streams(const struct manager *m, uid_t owner) {
        const struct job_run *run;
        size_t n = 0;

        DL_FOREACH2(m->bound, run, client_next)
                for (size_t i = 0; run->job->owner == owner && i < run->job->n_files; i++)
                        n += file_has_stream(run->job->files[i]);
        return n;
}

static int judge_new(const struct job_file *file, const void *client) {
        const struct job *job = file->job;

        if (file->stream)
                return stream_of(file, client) ? 0 : ERROR_SINK_ALREADY_SET;
        if (*file->path)
                return ERROR_SINK_ALREADY_SET;
        if (job_command_verdict(job, JOB_COMMAND_SET_SINK) != JOB_VERDICT_OK || file->state != FILE_PENDING)
                return ERROR_INVALID_STATE;
        if (job->on_demand)
                return ERROR_RANDOM_ACCESS_NOT_SUPPORTED;
        if (job->dynamic_content)
                return ERROR_NOT_IMPLEMENTED; /* it begins anew after a break, a stream cannot */
        if (!secret_is_none(&file->decryption_info))
                return ERROR_NOT_IMPLEMENTED; /* it is decrypted when all of it is there, a stream goes on as it comes */
        /* One job cannot go with two connections. */
        return job_run(job)->client && job_run(job)->client != client ? ERROR_ACCESS_DENIED : 0;
}

void manager_set_file_stream(struct manager *m, struct job_file *file, const void *client, manager_reply_fn fn, void *userdata) {
        struct reply reply = { fn, userdata };
        struct job *job = file->job;
        int r;

        if (!manager_command_allowed(m, job, JOB_COMMAND_SET, reply))
                return;
        r = judge_new(file, client);
        if (r == 0 && !file->stream && count_streams(m, job->owner) >= LIMIT_STREAMS) {
                manager_refuse(reply, &job->id, ERROR_TOO_MANY_REQUESTS, "Their owner has as many streams as one may have.");
                return;
        }
        if (r == 0 && !file->stream)
                r = file_stream_new(m, file);
        if (r != 0) {
                manager_refuse(reply, &job->id, r, "");
                return;
        }
        job->is_volatile = true;
        manager_bind_job(m, job, client);
        manager_save_file(m, file);
        manager_job_changed(m, job, false);
        manager_reply_durably(m, &job->id, reply, &(struct manager_reply) {});
}

int manager_open_stream(struct manager *m _unused_, struct job_file *file, const void *client) {
        struct file_stream *stream = stream_of(file, client);

        return stream ? files_window_reader(stream->handle) : -EBADF;
}

void manager_take_stream(struct manager *m _unused_, struct job_file *file, const void *client, uint64_t taken, bool wait,
                         manager_reply_fn fn, void *userdata) {
        struct file_stream *stream = stream_of(file, client);
        struct reply reply = { fn, userdata };

        if (!stream || job_state_is_final(file->job->state)) {
                manager_refuse(reply, &file->job->id, ERROR_INVALID_STATE, "");
                return;
        }
        if (taken == MANAGER_SIZE_UNCHANGED)
                taken = stream->taken;
        if (taken < stream->taken || taken > stream->shown) {
                manager_refuse(reply, &file->job->id, ERROR_INVALID_ARGUMENT, "Only what could be read can be taken, and not taken back.");
                return;
        }
        answer_waiting(stream, 0, stream->taken);
        stream->taken = taken;
        stream->waiting = reply;
        drop_taken(stream);
        file_stream_news(file);
        if (!wait)
                answer_waiting(stream, 0, stream->taken);
}

void manager_fail_stream(struct manager *m, struct job_file *file, const void *client, uint32_t hresult, manager_reply_fn fn,
                         void *userdata) {
        struct reply reply = { fn, userdata };
        struct job *job = file->job;

        if (!manager_command_allowed(m, job, JOB_COMMAND_SET, reply))
                return;
        if (!stream_of(file, client)) {
                manager_refuse(reply, &job->id, ERROR_INVALID_STATE, "");
                return;
        }
        manager_fail_job(m, job, ERROR_SINK_FAILED, ERROR_CONTEXT_LOCAL_FILE, hresult, file->index, false, 0,
                         error_code_text(ERROR_SINK_FAILED));
        manager_reply_durably(m, &job->id, reply, &(struct manager_reply) {});
}

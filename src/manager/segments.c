/* Several requests for one file, where that is faster (schedule/segments.h decides): which files may have them, how many a file gets beside
 * the others of its owner and its server, and what the end of one means for the rest.
 *
 * A part is a request's own once it was answered. Until then whoever fetched those bytes before goes on doing so, and if the answer is
 * no, nothing is lost: that a file has several connections can fail, the file cannot for it. All ask with the validators of the first
 * answer, so that no two of them ever bring bytes of two contents. */
#include "base/log.h"
#include "base/strings.h"
#include "manager/private.h"

static size_t count_requests(const struct file_run *run) {
        struct file_request *request;
        size_t n = 0;

        DL_COUNT(run->requests, request, n);
        return n;
}

unsigned manager_file_connections(const struct job_file *file) {
        const struct file_run *run = file->attachment;
        const struct file_request *request;
        unsigned n = 0;

        if (run && run->step == STEP_TRANSFER)
                DL_FOREACH(run->requests, request)
                        n += request->answered;
        return n;
}

/* Streams come in order, other methods are sent once, what is wanted on demand is asked for in the order of its need, and a program that
 * judges certificates is asked for one connection at a time. Parts must be
 * provable to be of one content, and one of which nobody knows the end has no halves. */
static bool may_be_divided(const struct file_run *run) {
        const struct job_file *file = run->file;
        const struct job *job = file->job;

        return !job->on_demand && !job->http_method && !job->dynamic_content && !job->judge_certificate &&
               !file_has_stream(file) && file->size != SIZE_UNKNOWN && file->remote_size != SIZE_UNKNOWN &&
               file->size >= 2 * run->manager->limits.segments.min_bytes && !(file->validators.encoding && *file->validators.encoding) &&
               (file->validators.etag || file->validators.last_modified || file_run_is_guarded(run));
}

static bool goes_on(const struct file_run *run) {
        return run->step == STEP_TRANSFER && run->requests && !run->stop && !run->leave_source && !run->recalled;
}

/* ---- parts ---- */

/* Return: how many. */
static size_t list_parts(const struct file_run *run, struct interval parts[static SEGMENTS_MAX]) {
        const struct file_request *request;
        size_t n = 0;

        DL_FOREACH(run->requests, request)
                if (!request->dismissed && n < SEGMENTS_MAX)
                        parts[n++] = (struct interval) { request->part.start, MIN(request->part.end, run->file->size) };
        return n;
}

/* More requests, while there are fewer than wanted and something is worth one. */
static void fill_up(struct file_run *run) {
        unsigned wanted = MIN(segments_wanted(&run->segments), (unsigned) SEGMENTS_MAX);
        struct interval parts[SEGMENTS_MAX], next;
        size_t n;

        while ((n = list_parts(run, parts)) < wanted) {
                if (!segments_next(&run->file->received, run->file->size, parts, n, run->manager->limits.segments.min_bytes, &next))
                        return;
                if (file_run_ask_part(run, next) != 0) {
                        segments_refused(&run->segments, (unsigned) n); /* no memory, no descriptor */
                        return;
                }
                run->requests->prev->joined = true;
        }
}

/* The newest are the first to go: they have brought least. */
static void dismiss(struct file_run *run, size_t n) {
        for (struct file_request *request = run->requests->prev; n > 0; request = request->prev) {
                if (!request->dismissed) {
                        request->dismissed = true;
                        engine_stop(run->manager->engine, request->id);
                        n--;
                }
                if (request == run->requests)
                        return;
        }
}

static void think_soon(struct file_run *run) {
        run->segments_at = manager_boottime(run->manager);
        run->manager->segments_at = MIN(run->manager->segments_at, run->segments_at);
}

static uint64_t allowed_rate(const struct file_run *run) {
        const struct file_request *request;
        uint64_t rate = 0;

        DL_FOREACH(run->requests, request)
                rate = u64_add_saturated(rate, request->told_pace.max_rate);
        return rate;
}

static void begin(struct file_run *run) {
        struct manager *m = run->manager;
        uint64_t now = manager_boottime(m);
        struct segments_lesson lesson;

        segments_begin(&run->segments, now, run->bytes_fetched);
        if (lessons_recall(&m->lessons, run->file->job->owner, file_run_current_url(run), now, &lesson))
                segments_recall(&run->segments, &m->limits.segments, &lesson, run->file->size - intervals_total(&run->file->received),
                                allowed_rate(run));
}

/* A file that was too short for as many, or had to leave room for others, knows nothing better. One that began with a lesson that was not
 * to be doubted has measured nothing, and the lesson gets no younger by it. */
static bool is_news(const struct manager *m, uid_t owner, const char *url, const struct segments_lesson *lesson) {
        struct segments_lesson known;

        return lesson->settled || !lessons_recall(&m->lessons, owner, url, manager_boottime(m), &known) || lesson->n >= known.n;
}

void file_run_keep_lesson(const struct file_run *run) {
        const struct engine_result *result = &run->result;
        struct manager *m = run->manager;
        uid_t owner = run->file->job->owner;
        const char *url = file_run_current_url(run);
        struct segments_lesson lesson;

        if (result->outcome == ENGINE_FAILED && result->transient && result->context != ERROR_CONTEXT_LOCAL_FILE)
                lessons_forget(&m->lessons, owner, url);
        else if (result->outcome == ENGINE_DONE && segments_learned(&run->segments, &lesson) && is_news(m, owner, url, &lesson))
                lessons_learn(&m->lessons, owner, url, &lesson, manager_boottime(m));
}

/* Until its answer came, whoever fetched those bytes before went on so far that the rest is better divided anew. */
static bool was_overtaken(const struct file_run *run, const struct file_request *request) {
        uint64_t end = u64_add_saturated(request->part.start, MAX(run->manager->limits.segments.min_bytes, UINT64_C(1)));

        return request->joined && intervals_contain(&run->file->received, request->part.start, MIN(end, request->part.end));
}

bool file_run_part_answered(struct file_run *run, struct file_request *request, uint64_t remote_size) {
        struct file_request *other;

        if (!goes_on(run) || (request->joined && remote_size != ENGINE_SIZE_UNKNOWN && remote_size != run->file->remote_size))
                return false;
        if (was_overtaken(run, request)) {
                request->dismissed = true;
                think_soon(run);
                return false;
        }
        request->answered = true;
        if (!request->joined) {
                run->segments_at = USEC_INFINITY;
                if (!may_be_divided(run)) {
                        run->segments = (struct segments) {};
                        return true;
                }
                if (!run->segments.settled)
                        begin(run);
                think_soon(run);
                return true;
        }
        DL_FOREACH(run->requests, other) {
                if (other->part.start >= request->part.start || other->part.end <= request->part.start)
                        continue;
                other->part.end = request->part.start;
                other->told_pace.end_at = request->part.start;
                engine_set_pace(run->manager->engine, other->id, &other->told_pace);
        }
        think_soon(run);
        manager_job_changed(run->manager, run->file->job, false);
        return true;
}

/* ---- the end of one of several ---- */

static bool is_unclaimed(const struct file_run *run) {
        struct interval parts[SEGMENTS_MAX], part;

        return segments_next_unclaimed(&run->file->received, run->file->size, parts, list_parts(run, parts), &part);
}

/* What the others bring would be in vain, or they would fail, too. */
static bool is_everybodys(const struct file_run *run, const struct engine_result *result) {
        if (result->outcome == ENGINE_RESTART)
                return is_unclaimed(run);
        return result->outcome == ENGINE_FAILED && result->context == ERROR_CONTEXT_LOCAL_FILE;
}

void file_run_part_ended(struct file_run *run, const struct file_request *request, const struct engine_result *result) {
        bool brought = request->fetched >= run->manager->limits.segments.min_bytes;

        if (!goes_on(run) || request->dismissed || result->outcome == ENGINE_STOPPED || result->outcome == ENGINE_LOST)
                return;
        if (result->outcome == ENGINE_DONE && job_file_is_filled(run->file)) {
                file_run_result(run, ENGINE_DONE, ERROR_NONE, ERROR_CONTEXT_NONE, 0, false, "");
                file_run_recall(run); /* others wait for an answer that nobody needs any more */
                return;
        }
        if (is_everybodys(run, result)) {
                file_run_result(run, result->outcome, result->code, result->context, result->detail, result->transient, result->text ?: "");
                run->result.retry_after_usec = result->retry_after_usec;
                file_run_recall(run);
                return;
        }
        if (result->outcome != ENGINE_DONE) {
                log_debug("file %u: one of its connections ended: %s", run->file->index, result->text ?: "");
                if (!brought || !result->transient)
                        segments_refused(&run->segments, (unsigned) count_requests(run));
        }
        /* An engine that calls nothing done gets nothing more to do. */
        if (result->outcome == ENGINE_DONE ? request->fetched > 0 : brought)
                fill_up(run);
        manager_job_changed(run->manager, run->file->job, false);
}

/* ---- how many ---- */

static bool is_same_server(const char *a, const char *b) {
        const char *host = strstr(a, "://");
        size_t n;

        if (!host)
                return false;
        n = (size_t) (host - a) + 3;
        n += strcspn(a + n, "/?#");
        return strncmp(a, b, n) == 0 && strchr("/?#", b[n]);
}

/* So many requests @run may have: what the others of its owner leave of the limits. */
static unsigned room_for(const struct file_run *run) {
        const struct engine_limits *limits = &run->manager->limits.engine;
        const char *url = file_run_current_url(run);
        size_t n_owner = 0, n_host = 0;
        const struct file_run *other;

        if (run->file->job->priority != JOB_PRIORITY_FOREGROUND || !may_be_divided(run) || run->manager->n_file_runs > SEGMENT_RUNS_MAX)
                return 1;
        DL_FOREACH(run->manager->file_runs, other) {
                size_t n;

                if (other == run || !other->requests || other->file->job->owner != run->file->job->owner)
                        continue;
                n = count_requests(other);
                n_owner += n;
                n_host += is_same_server(url, file_run_current_url(other)) ? n : 0;
        }
        n_owner = MIN(n_owner, limits->max_connections_per_owner);
        n_host = MIN(n_host, limits->max_connections_per_host);
        n_owner = limits->max_connections_per_owner - n_owner;
        n_host = limits->max_connections_per_host - n_host;
        n_owner = MIN(n_owner, n_host);
        n_owner = MIN(n_owner, run->manager->limits.segments.max);
        return MAX((unsigned) n_owner, 1u);
}

static void file_run_think(struct file_run *run, uint64_t now) {
        struct segments_facts facts = {
                .now = now,
                .bytes = run->bytes_fetched,
                .n_open = manager_file_connections(run->file),
                .max = room_for(run),
                .remaining = run->file->size - intervals_total(&run->file->received),
                .allowed_rate = allowed_rate(run),
        };
        struct interval parts[SEGMENTS_MAX];
        size_t n = list_parts(run, parts);
        unsigned wanted = segments_decide(&run->segments, &run->manager->limits.segments, &facts, &run->segments_at);

        if (wanted < n)
                dismiss(run, n - wanted);
        else
                fill_up(run);
}

void manager_segments_turn(struct manager *m) {
        uint64_t now = manager_boottime(m);
        struct file_run *run;

        if (now < m->segments_at)
                return;
        m->segments_at = USEC_INFINITY;
        DL_FOREACH(m->file_runs, run) {
                if (!goes_on(run) || run->segments_at == USEC_INFINITY)
                        continue;
                if (run->segments_at <= now)
                        file_run_think(run, now);
                m->segments_at = MIN(m->segments_at, run->segments_at);
        }
}

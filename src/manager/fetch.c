/* The bytes of one file: what the engine is asked for, what it says on the way, and what its end means for the run. */
#include "base/log.h"
#include "manager/private.h"

/* The engine has let go of the descriptor (or never had it): what was received is kept, then the run ends or goes on. */
void file_run_wind_down(struct file_run *run) {
        struct job_file *file = run->file;
        bool cancelled = file->job->intent == JOB_INTENT_CANCEL || file->job->intent == JOB_INTENT_COMPLETE;

        if (run->checkpoint_running || run->verify_running) {
                run->step = STEP_SYNC; /* file_run_checkpointed() and file_run_verified() come back here */
                return;
        }
        if (run->result.outcome != ENGINE_RESTART && !cancelled && run->disk_errors == 0 && file_run_judge(run) > 0) {
                run->step = STEP_SYNC;
                return;
        }
        file_run_keep_lesson(run);
        if (run->result.outcome == ENGINE_DONE && !run->stop) {
                if (job_file_is_filled(file)) {
                        file_run_source_delivered(run);
                        file_run_finish(run);
                        return;
                }
                if (run->refetch || (job_file_has_work(file) && intervals_total(&file->received) > run->received_at_start)) {
                        file_run_transfer(run); /* more pieces than one request carries, a short answer, or bad bytes */
                        return;
                }
                if (job_file_has_work(file))
                        file_run_result(run, ENGINE_FAILED, ERROR_INVALID_RESPONSE, ERROR_CONTEXT_REMOTE_FILE, 0, true,
                                        "the server ended the answer without a byte of what was asked");
        }
        if (file_run_next_source(run)) {
                run->segments = (struct segments) {}; /* another server, another speed */
                file_run_transfer(run);
                return;
        }
        run->step = STEP_SYNC;
        if (run->result.outcome != ENGINE_RESTART && !cancelled && !file->job->dynamic_content && run->disk_errors == 0 &&
            file_run_checkpoint(run) > 0)
                return;
        file_run_end(run);
}

static void engine_metadata(void *userdata, uint64_t id, const struct engine_metadata *metadata);
static void engine_certificate(void *userdata, uint64_t id, const struct engine_certificate *certificate);
static void engine_progress(void *userdata, uint64_t id, uint64_t start, uint64_t end, uint64_t fetched);
static void engine_offers(void *userdata, uint64_t id, const struct engine_offers *offers);
static void engine_replaced(void *userdata, uint64_t id, const char *text);
static void engine_finished(void *userdata, uint64_t id, const struct engine_result *result);

const struct engine_events manager_engine_events = {
        .metadata = engine_metadata,
        .certificate = engine_certificate,
        .offers = engine_offers,
        .progress = engine_progress,
        .replaced = engine_replaced,
        .finished = engine_finished,
};

static struct file_request *find_request(struct manager *m, uint64_t id) {
        struct file_request *request;

        HASH_FIND(hh, m->by_request, &id, sizeof(id), request);
        return request;
}

struct file_request *file_request_free(struct file_request *request) {
        struct file_run *run = request->run;

        HASH_DEL(run->manager->by_request, request);
        DL_DELETE(run->requests, request);
        free(request);
        return NULL;
}

void file_run_recall(struct file_run *run) {
        struct file_request *request;

        run->recalled = true;
        DL_FOREACH(run->requests, request)
                engine_stop(run->manager->engine, request->id);
}

static void file_run_reserved(int error, void *userdata) {
        struct file_run *run = userdata;

        if (!file_run_returned(run) || error == 0 || !run->requests || run->stop)
                return;
        file_run_local_error(run, error, "cannot reserve space");
        run->stop = true;
        file_run_recall(run);
}

void file_run_give_up(struct file_run *run, int code, const char *text) {
        if (code < 0)
                file_run_local_error(run, code, text);
        else
                file_run_result(run, ENGINE_FAILED, code, ERROR_CONTEXT_REMOTE_FILE, 0, false, error_code_text(code));
        run->stop = true;
        file_run_recall(run);
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

/* Nothing depends on it: without memory the older one stays. */
static void note_response(struct job_file *file, const struct engine_metadata *metadata) {
        (void) job_file_set_response(file, &(struct file_response) {
                .http_status = metadata->http_status,
                .headers = (char *) metadata->headers,
                .url = (char *) metadata->redirected_url,
                .address = (char *) metadata->address,
        });
}

static void engine_metadata(void *userdata, uint64_t id, const struct engine_metadata *metadata) {
        struct manager *m = userdata;
        struct file_request *request = find_request(m, id);
        struct file_run *run = request ? request->run : NULL;
        struct job_file *file;
        bool own;
        int r = 0;

        if (!run || run->stop || run->step == STEP_HASHES)
                return;
        file = run->file;
        if (request->joined) {
                if (!metadata->refused && !file_run_part_answered(run, request, metadata->remote_size))
                        engine_stop(m->engine, id);
                return;
        }
        note_response(file, metadata);
        if (metadata->refused)
                return;
        own = file_run_source_kind(run) == SOURCE_OWN;
        if (own && file->received.n_items == 0)
                file_run_drop_old_digest(run);
        /* Where a digest joins bytes of several, the validators are those of its own server: they mean nothing at another. */
        if (own || !file_run_is_guarded(run))
                r = validators_copy(&file->validators, &(struct validators) {
                                .origin = (char *) metadata->origin,
                                .etag = (char *) metadata->etag,
                                .last_modified = (char *) metadata->last_modified,
                                .encoding = (char *) metadata->encoding,
                        });
        if (r == 0)
                r = own ? note_redirect(file, metadata->redirected_url) : 0;
        if (r == 0 && metadata->remote_size != ENGINE_SIZE_UNKNOWN && file->remote_size != metadata->remote_size) {
                r = job_file_set_remote_size(file, metadata->remote_size);
                if (r == 0 && job_is_over_its_size(file->job))
                        r = ERROR_TOO_LARGE;
                if (r == 0 && !file_has_stream(file) && file->size != SIZE_UNKNOWN && file->size >= RESERVE_FROM_BYTES) {
                        r = files_reserve(m->files, run->handle, file->size,
                                          file->job->priority != JOB_PRIORITY_FOREGROUND, file_run_reserved, run);
                        if (r == 0)
                                run->n_pending++;
                }
        }
        if (r == 0)
                r = file_run_judge_size(run);
        if (r != 0) {
                file_run_give_up(run, r, "cannot keep what the server said");
                return;
        }
        /* A part need not say it again. */
        if (metadata->remote_time_usec > 0 || file->received.n_items == 0)
                file->remote_time_usec = metadata->remote_time_usec;
        (void) file_run_part_answered(run, request, metadata->remote_size);
        manager_job_changed(m, file->job, false);
}

static void engine_certificate(void *userdata, uint64_t id, const struct engine_certificate *certificate) {
        struct manager *m = userdata;
        struct file_request *request = find_request(m, id);
        struct file_run *run = request ? request->run : NULL;

        if (run && !run->stop)
                run->awaits_judge = manager_ask_judge(m, run->file, certificate);
}

/* A row holds no more; the process that counts may lie. */
static uint64_t counted(uint64_t sum, uint64_t bytes) {
        return MIN(u64_add_saturated(sum, bytes), (uint64_t) INT64_MAX);
}

static void count_fetched(struct file_run *run, uint64_t bytes) {
        struct job *job = run->file->job;
        uint64_t *by_kind = file_run_source_kind(run) == SOURCE_CACHE ? &job->bytes_from_cache :
                            file_run_source_kind(run) == SOURCE_MIRROR ? &job->bytes_from_mirrors : NULL;

        job->bytes_fetched = counted(job->bytes_fetched, bytes);
        job_run(job)->manager->bytes_fetched += bytes;
        manager_pace_fetched(job_run(job)->manager, job, bytes);
        run->bytes_fetched += bytes;
        if (by_kind)
                *by_kind = counted(*by_kind, bytes);
}

/* A server that lets a byte drip out now and then does not keep a job alive for ever; but where a limit of ours holds it back, each
 * byte counts. */
static void note_progress(const struct file_request *request, uint64_t bytes) {
        struct file_run *run = request->run;
        struct job_run *job = job_run(run->file->job);

        job->bytes_since_progress += bytes;
        if (!job->scheduled || (job->bytes_since_progress < PROGRESS_FLOOR_BYTES && request->told_pace.max_rate == ENGINE_RATE_UNLIMITED))
                return;
        job->bytes_since_progress = 0;
        schedule_progressed(run->manager->schedule, run->file->job);
}

static void engine_progress(void *userdata, uint64_t id, uint64_t start, uint64_t end, uint64_t fetched) {
        struct manager *m = userdata;
        struct file_request *request = find_request(m, id);
        struct file_run *run;
        struct job *job;
        int r;

        if (!request)
                return;
        run = request->run;
        job = run->file->job;
        count_fetched(run, fetched - MIN(fetched, request->fetched));
        request->fetched = fetched;
        if (run->step == STEP_HASHES) {
                file_run_hashes_progress(run);
                return;
        }
        if (request->joined && !request->answered)
                return;
        file_run_source_gave(run);
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
        if (!run->judging)
                run->since_checkpoint_bytes += end - start;
        else if (file_run_judge(run) < 0)
                log_debug("cannot judge pieces now"); /* no memory: the next progress tries again */
        file_run_note_unsynced(run);
        file_run_digest_ahead(run);
        file_stream_news(run->file);
        note_progress(request, end - start);
        manager_job_changed(m, job, false);
}

static void engine_replaced(void *userdata, uint64_t id, const char *text) {
        const struct file_request *request = find_request(userdata, id);

        struct file_run *run = request ? request->run : NULL;

        if (!run || run->stop || run->leave_source)
                return;
        file_run_source_replaced(run, text);
        if (run->step == STEP_HASHES || file_run_floor_rate(run) == 0)
                return;
        /* Other sources became known while it was asked. */
        file_run_result(run, ENGINE_FAILED, ERROR_TIMED_OUT, ERROR_CONTEXT_GENERAL_TRANSPORT, 0, true, text);
        run->result.slow = true;
        run->leave_source = true;
        file_run_recall(run);
}

static void engine_offers(void *userdata, uint64_t id, const struct engine_offers *offers) {
        const struct file_request *request = find_request(userdata, id);

        if (request && !request->joined && !request->run->stop && !request->run->leave_source && request->run->step != STEP_HASHES)
                file_run_take_offers(request->run, offers);
}

/* A whole file whose length nobody knew: it ends where the answer did. */
static void take_end_as_size(struct file_run *run, const struct engine_result *result) {
        struct job_file *file = run->file;
        int r;

        if (result->outcome != ENGINE_DONE || file->remote_size != SIZE_UNKNOWN || file->job->on_demand)
                return;
        file->length_unverified = result->length_unverified;
        r = job_file_set_remote_size(file, result->local_end);
        if (r == 0)
                r = file_run_judge_size(run);
        if (r != 0)
                file_run_result(run, ENGINE_FAILED, r > 0 ? r : ERROR_OUT_OF_MEMORY, ERROR_CONTEXT_REMOTE_FILE, 0, false,
                                "the file's size does not fit what was asked");
}

/* The result of the last request is the run's, unless a reason of our own or of another request came first. */
static bool has_result(const struct file_run *run) {
        return (run->stop || run->leave_source || run->recalled) && run->result.outcome != ENGINE_STOPPED && run->result.outcome != ENGINE_LOST;
}

static void engine_finished(void *userdata, uint64_t id, const struct engine_result *result) {
        struct manager *m = userdata;
        struct file_request *request = find_request(m, id), ended;
        struct file_run *run;

        if (!request)
                return;
        run = request->run;
        count_fetched(run, result->bytes_fetched - MIN(result->bytes_fetched, request->fetched));
        if (result->outcome == ENGINE_DONE && run->step != STEP_HASHES)
                note_progress(request, PROGRESS_FLOOR_BYTES); /* however little it was */
        ended = *request;
        file_request_free(request);
        if (run->requests) {
                file_run_part_ended(run, &ended, result);
                return;
        }
        if (!has_result(run)) {
                run->result = *result;
                file_run_set_text(run, result->text);
        }
        if (run->awaits_judge && result->code == ERROR_CERTIFICATE_NOT_JUDGED) {
                run->stop = true; /* the pump starts it anew after the answer */
                file_run_recall(run);
                file_run_result(run, ENGINE_STOPPED, ERROR_NONE, ERROR_CONTEXT_NONE, 0, false, "");
        }
        if (run->step == STEP_HASHES) {
                file_run_hashes_finished(run, result->local_end);
                return;
        }
        take_end_as_size(run, result);
        file_run_wind_down(run);
}

/* A server without ranges will do. */
static bool file_is_whole(const struct job_file *file) {
        return file->n_ranges == 0 && !file->job->on_demand;
}

void file_run_not_asked(struct file_run *run, int r) {
        if (r > 0)
                file_run_result(run, ENGINE_FAILED, (enum error_code) r, ERROR_CONTEXT_GENERAL_QUEUE_MANAGER, 0, false,
                                error_code_text((enum error_code) r));
        else
                file_run_local_error(run, r, "cannot hand the file to the transfer process");
        file_run_end(run);
}

int file_run_ask(struct file_run *run, struct engine_request *request) {
        struct manager *m = run->manager;
        const struct job *job = run->file->job;
        struct file_request *ours;
        char **proxies = NULL;
        int r;

        /* Without its headers or its proxy the request would be another one than the job's. */
        if (job_has_lost_secret(job))
                return ERROR_SECRETS_LOST;

        r = job_proxy_variables(job, &proxies);
        if (r < 0)
                return r;
        ours = calloc(1, sizeof(*ours));
        if (!ours) {
                job_proxy_variables_free(proxies);
                return -ENOMEM;
        }
        request->id = m->next_request++;
        request->owner = job->owner;
        request->pace = manager_first_pace(run->manager, job);
        request->pace.hold_at = file_run_hold_at(run);
        request->proxy_environment = (const char *const *) proxies;
        request->proxy_credentials = job_credentials_for(job, JOB_AUTH_PROXY, &request->proxy_schemes);
        manager_request_judged(job, request);
        request->check_revocation = job->security_flags & JOB_SECURITY_CHECK_REVOCATION;
        request->ignore_certificate = job->security_flags & JOB_SECURITY_IGNORE_MASK;
        request->allow_insecure_redirect = job->security_flags & JOB_SECURITY_REDIRECT_INSECURE;
        request->disallow_redirects = redirect_policy(job) == JOB_SECURITY_REDIRECT_DISALLOW;
        request->connect_timeout_usec = m->limits.connect_timeout_usec;
        request->stall_timeout_usec = m->limits.stall_timeout_usec;
        if (file_run_has_other_source(run))
                request->stall_timeout_usec = MIN(request->stall_timeout_usec, SOURCE_STALL_USEC);
        request->floor_rate = file_run_floor_rate(run);
        request->firm_floor = request->floor_rate > SOURCE_FLOOR_RATE;
        request->replace_stalled = request->floor_rate == 0;
        if (!run->requests) {
                run->recalled = false;
                run->result = (struct engine_result) { .outcome = ENGINE_STOPPED, .text = "" };
        }
        *ours = (struct file_request) { .id = request->id, .run = run, .told_pace = request->pace };
        HASH_ADD(hh, m->by_request, id, sizeof(ours->id), ours);
        DL_APPEND(run->requests, ours);
        r = engine_start(m->engine, request);
        job_proxy_variables_free(proxies);
        if (r < 0)
                file_request_free(ours);
        return r;
}

/* Only GET has ranges (RFC 9110 section 14.2), and dynamic content has no parts: what is there is thrown away, and the next run fetches
 * everything; but not by sending a request of another method a second time. */
static void file_run_cannot_continue(struct file_run *run) {
        file_run_result(run, ENGINE_RESTART, run->refetch ? ERROR_BAD_PIECE_HASH : ERROR_NO_RANGE_SUPPORT,
                        ERROR_CONTEXT_REMOTE_FILE, 0, false, "the job does not ask for parts of a file");
        file_run_end(run);
}

/* Of pieces in order, those that begin before @hold_at (0: all). */
static size_t count_before(const struct file_piece *pieces, size_t n, uint64_t hold_at) {
        size_t count = 0;

        while (count < n && (hold_at == 0 || pieces[count].local_offset < hold_at))
                count++;
        return count;
}

/* What the total of the remote file must be at @own, its own server, or at another source: there the piece hash file counts, too, for a
 * source with another size has another file. With its own server it is the hashes that are of no use (file_run_judge_size()). */
static uint64_t expected_size(const struct file_run *run, bool own) {
        uint64_t stated = file_is_whole(run->file) ? run->file->stated_size : ENGINE_SIZE_UNKNOWN;

        return stated == ENGINE_SIZE_UNKNOWN && !own && run->judging ? run->content_length : stated;
}

int file_run_ask_part(struct file_run *run, struct interval part) {
        struct job_file *file = run->file;
        struct file_piece pieces[ENGINE_PIECES_MAX];
        struct engine_piece wanted[ENGINE_PIECES_MAX];
        size_t n = MIN(job_file_missing_within(file, &part, pieces, ENGINE_PIECES_MAX), (size_t) ENGINE_PIECES_MAX);
        bool begun = file->received.n_items > 0 || run->requests, bound, own, offered, preferred;
        const char *url, *credentials;
        uint32_t schemes;
        int r;

        n = count_before(pieces, n, file_run_hold_at(run));
        if (n == 0)
                return -ENODATA;
        for (size_t i = 0; i < n; i++)
                wanted[i] = (struct engine_piece) {
                        .remote_offset = pieces[i].remote_offset,
                        .length = pieces[i].length,
                        .local_offset = pieces[i].local_offset,
                };
        url = file_run_source(run, &own);
        credentials = job_credentials_for(file->job, JOB_AUTH_SERVER, &schemes);
        offered = file_run_source_is_offered(run, &preferred);
        bound = begun && (own || !(run->sources && file_run_is_guarded(run))); /* elsewhere its own validators mean nothing: the digest decides */
        r = file_run_ask(run, &(struct engine_request) {
                        .fd = run->fd,
                        .url = url,
                        .pieces = wanted,
                        .n_pieces = n,
                        .whole_file = file_is_whole(file),
                        .digest_decides = file_run_is_guarded(run),
                        .own_connection = run->requests,
                        .remote_size = begun || offered ? file->remote_size : ENGINE_SIZE_UNKNOWN,
                        .stated_size = expected_size(run, own),
                        .max_bytes = file_is_whole(file) ? MIN(LIMIT_FILE_SIZE, file->job->max_download_size) : LIMIT_FILE_SIZE,
                        .etag = bound || preferred ? file->validators.etag : NULL,
                        .last_modified = bound ? file->validators.last_modified : NULL,
                        .encoding = bound || preferred ? file->validators.encoding : NULL,
                        .origin = bound ? file->validators.origin : NULL,
                        .from_public = offered && file->offers.from_public,
                        .method = file->job->http_method,
                        .client_certificate = own ? secret_text(&run->certificate) : NULL,
                        .client_key = own ? secret_text(&run->certificate_key) : NULL,
                        .headers = own ? secret_text(&file->job->custom_headers) : NULL,
                        .auth_headers = own ? secret_text(&file->job->auth_headers) : NULL,
                        .credentials = own ? credentials : NULL,
                        .credentials_schemes = schemes,
                });
        if (r != 0)
                return r;
        part.start = pieces[0].local_offset;
        if (n == ENGINE_PIECES_MAX)
                part.end = u64_add_saturated(pieces[n - 1].local_offset, pieces[n - 1].length);
        run->requests->prev->part = part; /* the newest is the last of the list */
        return 0;
}

void file_run_transfer(struct file_run *run) {
        struct job_file *file = run->file;
        struct file_piece piece;
        int r;

        if (job_file_missing(file, &piece, 1) == 0) { /* every byte was there before, or every one that is wanted so far */
                if (job_file_is_filled(file))
                        file_run_finish(run);
                else
                        file_run_end(run);
                return;
        }
        if ((file->job->http_method && (file->received.n_items > 0 || run->asked)) || (file->job->dynamic_content && file->received.n_items > 0))
                return file_run_cannot_continue(run);
        run->step = STEP_TRANSFER;
        file_run_widen_window(run);
        run->refetch = run->leave_source = run->digest_offered = false;
        run->received_at_start = intervals_total(&file->received);
        run->last_checkpoint_monotonic = clock_now(run->manager->clock, CLOCK_ID_MONOTONIC);
        file_run_note_unsynced(run);
        r = file_run_ask_part(run, (struct interval) { 0, UINT64_MAX });
        if (r == 0)
                run->asked = true;
        else if (r == -ENODATA)
                file_run_drain(run); /* a stream: no room for any of it */
        else
                file_run_not_asked(run, r);
}

/* Calls on a job that change a word of it: judged by the command × state matrix, then one transition or setter, one record, one answer. */
#include "base/strings.h"
#include "manager/private.h"

/* True: go on. Else the call is answered. */
bool manager_command_allowed(struct manager *m, struct job *job, enum job_command command, struct reply reply) {
        switch (job_command_verdict(job, command)) {
        case JOB_VERDICT_OK:
                return true;
        case JOB_VERDICT_NOTHING_TO_DO:
                manager_reply_durably(m, &job->id, reply, &(struct manager_reply) {});
                return false;
        default:
                manager_refuse(reply, &job->id, ERROR_INVALID_STATE, job->intent != JOB_INTENT_NONE
                                       ? "The job is being completed or cancelled."
                                       : "");
                return false;
        }
}

void manager_suspend_job(struct manager *m, struct job *job, manager_reply_fn fn, void *userdata) {
        struct reply reply = { fn, userdata };

        if (!manager_command_allowed(m, job, JOB_COMMAND_SUSPEND, reply))
                return;
        (void) manager_transition(m, job, JOB_EVENT_SUSPEND);
        manager_stop_runs(m, job);
        manager_reply_durably(m, &job->id, reply, &(struct manager_reply) {});
}

static void resume(struct manager *m, struct job *job, struct reply reply) {
        for (size_t i = 0; i < job->n_files; i++) {
                job->files[i]->n_restarts = 0;
                job->files[i]->furthest_bytes = 0;
        }
        job->pace.attempts = 0;
        job->resumed = true;
        manager_note_alive(m, job);
        if (job_is_complete(job))
                manager_job_all_transferred(m, job);
        else
                (void) manager_transition(m, job, JOB_EVENT_RESUME);
        for (size_t i = 0; i < job->n_files; i++)
                file_stream_news(job->files[i]); /* held back while the job stood */
        manager_reply_durably(m, &job->id, reply, &(struct manager_reply) {});
}

void manager_resume_job(struct manager *m, struct job *job, manager_reply_fn fn, void *userdata) {
        struct reply reply = { fn, userdata };
        struct job_run *run = job_run(job);

        int r = job_is_unready(job);

        if (r != 0 && !job_state_is_final(job->state) && job->intent == JOB_INTENT_NONE) {
                manager_refuse(reply, &job->id, r, "");
                return;
        }
        /* A Complete that the job carries in itself failed: Resume is how a person says "the cause is mended". */
        if (job->state == JOB_TRANSFERRED && job->intent == JOB_INTENT_NONE && job_is_complete(job) &&
            job->complete_when_transferred && job->error.code != ERROR_NONE && !run->op) {
                job_clear_error(job);
                manager_save_job(m, job);
                manager_start_op(m, job, JOB_INTENT_COMPLETE, false, (struct reply) {});
                manager_reply_durably(m, &job->id, reply, &(struct manager_reply) {});
                return;
        }
        if (manager_command_allowed(m, job, JOB_COMMAND_RESUME, reply))
                resume(m, job, reply);
}

/* A stream goes only forward, and its program has to say what it wants. From 0 to the end is the whole file: no server needs ranges
 * for that. */
static int judge_stream_ranges(const struct job *job, const struct byte_range *ranges, size_t *n_ranges) {
        bool again = job->state == JOB_TRANSFERRED;

        if (*n_ranges == 0)
                return job->resumed && !again ? 0 : ERROR_RANGES_EXPECTED;
        if (*n_ranges > 1 || ranges[0].offset != 0 || ranges[0].length != TO_EOF)
                return 0;
        *n_ranges = 0;
        return again && job->files[0]->n_ranges > 0 ? ERROR_RANGES_UNEXPECTED : 0;
}

void manager_start_download(struct manager *m, struct job *job, const struct byte_range *ranges, size_t n_ranges,
                            manager_reply_fn fn, void *userdata) {
        struct reply reply = { fn, userdata };
        int r;

        if (!manager_command_allowed(m, job, JOB_COMMAND_START, reply))
                return;
        r = job_is_unready(job);
        if (r == 0 && file_has_stream(job->files[0]))
                r = judge_stream_ranges(job, ranges, &n_ranges);
        if (r == 0)
                r = job_file_want(job->files[0], ranges, n_ranges, m->limits.max_ranges_per_file);
        if (r != 0) {
                manager_refuse(reply, &job->id, r, "");
                return;
        }
        manager_save_file(m, job->files[0]);
        resume(m, job, reply);
}

void manager_cancel_job(struct manager *m, struct job *job, manager_reply_fn fn, void *userdata) {
        struct reply reply = { fn, userdata };

        if (manager_command_allowed(m, job, JOB_COMMAND_CANCEL, reply))
                manager_start_op(m, job, JOB_INTENT_CANCEL, false, reply);
}

void manager_complete_job(struct manager *m, struct job *job, manager_reply_fn fn, void *userdata) {
        struct reply reply = { fn, userdata };

        if (manager_command_allowed(m, job, JOB_COMMAND_COMPLETE, reply))
                manager_start_op(m, job, JOB_INTENT_COMPLETE, false, reply);
}

/* All or none is had by trying it on a scratch job first. */
static int apply_properties(struct job *job, const struct manager_properties *p, uint64_t now) {
        int r = 0;

        if (p->name)
                r = job_set_name(job, p->name, now);
        if (r == 0 && p->description)
                r = job_set_description(job, p->description, now);
        if (r == 0 && p->http_method) /* first: it says which priorities there are, and the two may change together */
                r = job_set_http_method(job, p->http_method, now);
        if (r == 0 && p->dynamic_content >= 0) /* likewise */
                r = job_set_dynamic_content(job, p->dynamic_content != 0, now);
        if (r == 0 && p->priority >= 0)
                r = job_set_priority(job, (uint32_t) p->priority, now);
        if (r == 0 && p->notify_flags >= 0)
                r = job_set_notify_flags(job, (uint32_t) p->notify_flags, now);
        if (r == 0 && (p->notify_command || p->notify_parameters))
                r = job_set_notify_command(job, p->notify_command, p->notify_parameters, now);
        if (r == 0 && p->minimum_retry_delay_s >= 0)
                r = job_set_minimum_retry_delay(job, (uint32_t) p->minimum_retry_delay_s, now);
        if (r == 0 && p->no_progress_timeout_s >= 0)
                r = job_set_no_progress_timeout(job, (uint32_t) p->no_progress_timeout_s, now);
        if (r == 0 && p->max_download_time_s >= 0)
                r = job_set_max_download_time(job, (uint32_t) p->max_download_time_s, now);
        if (r == 0 && p->high_performance >= 0)
                r = job_set_high_performance(job, p->high_performance != 0, now);
        if (r == 0 && p->on_demand >= 0)
                r = job_set_on_demand(job, p->on_demand != 0, now);
        if (r == 0 && p->custom_headers)
                r = job_set_custom_headers(job, p->custom_headers, now);
        if (r == 0 && p->auth_headers)
                r = job_set_auth_headers(job, p->auth_headers, now);
        for (int i = 0; r == 0 && i < _JOB_AUTH_TARGET_MAX * _JOB_AUTH_SCHEME_MAX; i++) {
                enum job_auth_target target = (enum job_auth_target) (i / _JOB_AUTH_SCHEME_MAX);
                enum job_auth_scheme scheme = (enum job_auth_scheme) (i % _JOB_AUTH_SCHEME_MAX);

                if (p->credentials[target][scheme])
                        r = job_set_credentials(job, target, scheme, p->credentials[target][scheme], now);
        }
        if (r == 0 && p->client_certificate)
                r = job_set_client_certificate(job, p->client_certificate, now);
        if (r == 0 && p->security_flags >= 0)
                r = job_set_security_flags(job, (uint32_t) p->security_flags, now);
        if (r == 0 && p->max_download_size != MANAGER_SIZE_UNCHANGED)
                r = job_set_max_download_size(job, p->max_download_size, now);
        if (r == 0 && p->proxy_usage >= 0)
                r = job_set_proxy(job, (uint32_t) p->proxy_usage, p->proxy_list ?: "", p->proxy_bypass ?: "", now);
        else if (r == 0 && (p->proxy_list || p->proxy_bypass))
                r = ERROR_INVALID_ARGUMENT;
        if (r != 0)
                return r;
        if (p->life_time_s >= 0)
                job->life_time_usec = (uint64_t) p->life_time_s * USEC_PER_SEC; /* LIMIT_LIFE_TIME */
        if (p->complete_when_transferred >= 0)
                job->complete_when_transferred = p->complete_when_transferred != 0;
        if (p->replace >= 0)
                job->replace = p->replace != 0;
        if (p->remote_time >= 0)
                job->remote_time = p->remote_time != 0;
        if (p->max_rate != MANAGER_SIZE_UNCHANGED)
                job->max_rate = MIN(p->max_rate, (uint64_t) INT64_MAX);
        if (p->cost_flags >= 0)
                job->cost_flags = (uint32_t) p->cost_flags;
        if (p->no_cellular >= 0)
                job->no_cellular = p->no_cellular != 0;
        if (p->notification_interval_ms >= 0)
                job->notification_interval_ms = (uint32_t) p->notification_interval_ms;
        if (p->is_volatile >= 0)
                job->is_volatile = p->is_volatile != 0;
        if (p->judge_certificate >= 0)
                job->judge_certificate = p->judge_certificate != 0;
        job->custom_headers_write_only = job->custom_headers_write_only || p->custom_headers_write_only > 0;
        job->modified_usec = now;
        return 0;
}

/* What depends on the job's files, which the scratch job has none of. */
static int judge_files(const struct job *job, const struct manager_properties *p) {
        if (p->high_performance >= 0 && job->n_files > 0)
                return ERROR_READ_ONLY_AFTER_ADDFILE;
        for (size_t i = 0; i < job->n_files; i++) {
                if (!file_has_stream(job->files[i]))
                        continue;
                if (p->is_volatile == 0)
                        return ERROR_INVALID_STATE; /* it goes with the program that takes the bytes */
                if (p->dynamic_content > 0)
                        return ERROR_NOT_IMPLEMENTED; /* it begins anew after a break, a stream cannot */
                if (p->on_demand > 0)
                        return ERROR_RANDOM_ACCESS_NOT_SUPPORTED;
        }
        for (size_t i = 0; (p->on_demand > 0 || p->dynamic_content > 0) && !job->resumed && i < job->n_files; i++)
                if (job->files[i]->n_ranges > 0 && !job->on_demand)
                        return ERROR_RANDOM_ACCESS_NOT_SUPPORTED;
        for (size_t i = 0; p->http_method && !streq(p->http_method, "GET") && !job->resumed && i < job->n_files; i++)
                if (job->files[i]->n_ranges > 0)
                        return ERROR_NOT_SUPPORTED_WITH_METHOD;
        return 0;
}

void manager_set_properties(struct manager *m, struct job *job, const struct manager_properties *properties, manager_reply_fn fn,
                            void *userdata) {
        struct reply reply = { fn, userdata };
        _cleanup_(job_freep) struct job *scratch = NULL;
        uint64_t now = manager_realtime(m);
        int r;

        if (!manager_command_allowed(m, job, JOB_COMMAND_SET, reply))
                return;
        if (!manager_allows_commands(m) && properties->notify_command && *properties->notify_command) {
                manager_refuse(reply, &job->id, ERROR_ACCESS_DENIED, "The configuration (NotifyCommands) does not allow it.");
                return;
        }
        r = judge_files(job, properties);
        if (r == 0)
                r = job_new(&job->id, job->owner, job->family, "", now, &scratch);
        if (r == 0) {
                scratch->resumed = job->resumed;
                scratch->on_demand = job->on_demand;
                scratch->dynamic_content = job->dynamic_content;
                r = strdup_to(&scratch->http_method, job->http_method);
        }
        if (r == 0)
                r = strdup_to(&scratch->notify_command, job->notify_command);
        if (r == 0)
                r = apply_properties(scratch, properties, now);
        if (r == 0)
                r = apply_properties(job, properties, now);
        if (r != 0) {
                /* The error's own sentence is about destinations. */
                manager_refuse(reply, &job->id, r, r == ERROR_INVALID_NAME ? "A notify command is an absolute path in UTF-8." : "");
                return;
        }
        if (properties->notify_command)
                manager_forget_command_tries(job);
        if (properties->judge_certificate >= 0)
                manager_judging_changed(m, job);
        if (properties->is_volatile >= 0)
                manager_bind_job(m, job, job->is_volatile ? properties->client : NULL);
        manager_save_job(m, job);
        manager_job_changed(m, job, true);
        manager_reschedule(m, job);
        manager_pace_changed(m);
        manager_judge_job(m, job); /* what it may cost, and its priority, count at once */
        if (job->state == JOB_TRANSFERRED && properties->complete_when_transferred > 0 && job_is_complete(job))
                manager_start_op(m, job, JOB_INTENT_COMPLETE, false, (struct reply) {});
        manager_reply_durably(m, &job->id, reply, &(struct manager_reply) {});
}

/* The running request goes by the old name or rules: end it, the pump asks by the new ones (validators are bound to the origin). */
void manager_file_changed(struct manager *m, struct job_file *file) {
        struct file_run *run = file->attachment;

        manager_save_file(m, file);
        if (run && run->requests)
                file_run_recall(run);
        else if (run && run->step == STEP_DRAIN)
                file_run_stop(run);
}

void manager_set_file_url(struct manager *m, struct job_file *file, const char *url, manager_reply_fn fn, void *userdata) {
        struct reply reply = { fn, userdata };
        struct job *job = file->job;
        int r;

        if (!manager_command_allowed(m, job, JOB_COMMAND_SET_URL, reply))
                return;
        r = job_file_set_url(file, url, manager_realtime(m));
        if (r != 0) {
                manager_refuse(reply, &job->id, r, "");
                return;
        }
        manager_file_changed(m, file);
        manager_job_changed(m, job, false);
        manager_reply_durably(m, &job->id, reply, &(struct manager_reply) {});
}

void manager_set_file_validation(struct manager *m, struct job_file *file, bool good, manager_reply_fn fn, void *userdata) {
        struct reply reply = { fn, userdata };
        struct job *job = file->job;
        int r;

        if (!manager_command_allowed(m, job, JOB_COMMAND_SET, reply))
                return;
        r = job_file_set_validation(file, good, manager_realtime(m));
        if (r != 0) {
                manager_refuse(reply, &job->id, r, "");
                return;
        }
        if (!good) {
                job_file_forget_content(file);
                manager_fail_job(m, job, ERROR_VALIDATION_FAILED, ERROR_CONTEXT_REMOTE_FILE, 0, file->index, false, 0, "");
        }
        manager_save_file(m, file);
        manager_job_changed(m, job, false);
        manager_reply_durably(m, &job->id, reply, &(struct manager_reply) {});
}

void manager_request_ranges(struct manager *m, struct job_file *file, const struct byte_range *ranges, size_t n_ranges,
                            manager_reply_fn fn, void *userdata) {
        struct reply reply = { fn, userdata };
        struct job *job = file->job;
        int r;

        if (!manager_command_allowed(m, job, JOB_COMMAND_SET, reply))
                return;
        r = job_file_demand(file, ranges, n_ranges, m->limits.max_ranges_per_file, manager_realtime(m));
        if (r != 0) {
                manager_refuse(reply, &job->id, r, "");
                return;
        }
        manager_save_file(m, file);
        manager_job_changed(m, job, false);
        manager_pump_job(m, job);
        manager_reply_durably(m, &job->id, reply, &(struct manager_reply) {});
}

void manager_set_file_position(struct manager *m, struct job_file *file, uint64_t position, manager_reply_fn fn, void *userdata) {
        struct reply reply = { fn, userdata };
        struct job *job = file->job;
        int r;

        if (!manager_command_allowed(m, job, JOB_COMMAND_SET, reply))
                return;
        r = job_file_set_position(file, position);
        if (r != 0) {
                manager_refuse(reply, &job->id, r, "");
                return;
        }
        manager_file_changed(m, file); /* the pieces are asked for again, in the new order */
        manager_reply_durably(m, &job->id, reply, &(struct manager_reply) {});
}

void manager_replace_url_prefix(struct manager *m, struct job *job, const char *old_prefix, const char *new_prefix,
                                manager_reply_fn fn, void *userdata) {
        struct reply reply = { fn, userdata };
        _cleanup_free_ struct job_file **changed = NULL;
        size_t n = 0;
        int r;

        if (!manager_command_allowed(m, job, JOB_COMMAND_SET_URL, reply))
                return;
        r = job_replace_url_prefix(job, old_prefix, new_prefix, manager_realtime(m), &changed, &n);
        if (r != 0) {
                manager_refuse(reply, &job->id, r, "");
                return;
        }
        for (size_t i = 0; i < n; i++)
                manager_file_changed(m, changed[i]);
        if (n > 0) {
                manager_save_job(m, job);
                manager_job_changed(m, job, false);
        }
        manager_reply_durably(m, &job->id, reply, &(struct manager_reply){ .n_changed = (uint32_t) n });
}

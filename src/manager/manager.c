#include "manager/private.h"

#include <ctype.h>

#include "base/log.h"
#include "base/strings.h"

const struct manager_limits manager_limits_default = {
        .max_jobs_per_user = 100000,
        .max_jobs = 1000000,
        .max_files_per_job = 100000,
        .max_ranges_per_file = LIMIT_RANGES_PER_FILE,
        .history_max_entries = 1000,
        .history_max_age_usec = 90 * USEC_PER_DAY,
        .max_download_time_s = 90 * 24 * 3600,
        .job_inactivity_usec = 90 * USEC_PER_DAY,
        .files_in_flight = 2048,
        .checkpoint_bytes = UINT64_C(16) << 20,
        .checkpoint_interval_usec = 5 * USEC_PER_SEC,
        .chunk_hash_rate = UINT64_C(32) << 20,
        .connect_timeout_usec = 30 * USEC_PER_SEC,
        .stall_timeout_usec = 60 * USEC_PER_SEC,
        .notify_commands = true,
        .notify_command_timeout_usec = 15 * USEC_PER_MINUTE,
        .blockers = { .foreground_cost_flags = COST_STATES, .background_cost_flags = COST_STATES },
        .engine = { .max_connections_per_owner = 64, .max_connections_per_host = 6 },
        .segments = { .window_usec = SEGMENTS_WINDOW_USEC, .worth_usec = SEGMENTS_WORTH_USEC, .min_bytes = UINT64_C(1) << 20, .max = SEGMENTS_MAX },
};

int manager_new(const struct manager_config *config, struct manager **ret) {
        _cleanup_(manager_freep) struct manager *m = NULL;
        int r;

        m = calloc(1, sizeof(*m));
        if (!m)
                return -ENOMEM;
        *m = (struct manager) {
                .store = config->store,
                .files = config->files,
                .engine = config->engine,
                .runner = config->runner,
                .clock = config->clock,
                .limits = config->limits,
                .few_cores = config->few_cores,
                .conditions = CONDITIONS_UNKNOWN,
                .may_own = config->may_own,
                .may_own_userdata = config->may_own_userdata,
                .next_request = 1,
                .next_command = 1,
                .max_file_runs = config->limits.files_in_flight,
                .pace_due = USEC_INFINITY,
                .hours_due = USEC_INFINITY,
                .segments_at = USEC_INFINITY,
                .changed_at = USEC_INFINITY,
                .notify_at = USEC_INFINITY,
                .checkpoint_at_monotonic = USEC_INFINITY,
        };
        r = schedule_new(&config->schedule, config->clock, &m->schedule);
        if (r < 0)
                return r;
        engine_set_events(m->engine, &manager_engine_events, m);
        if (m->runner)
                runner_set_events(m->runner, &manager_runner_events, m);
        r = engine_set_limits(m->engine, &m->limits.engine);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(m);
        return 0;
}

const struct manager_limits *manager_get_limits(const struct manager *m) {
        return &m->limits;
}

void manager_set_limits(struct manager *m, const struct manager_limits *limits, const struct schedule_config *schedule) {
        size_t files_in_flight = m->limits.files_in_flight;

        m->limits = *limits;
        m->limits.files_in_flight = files_in_flight;
        (void) manager_trim_history(m, m->limits.history_max_entries); /* on disk when the next job ends */
        schedule_set_config(m->schedule, schedule);
        m->schedule_dirty = true;
        if (engine_set_limits(m->engine, &m->limits.engine) < 0)
                log_debug("the transfer process learns of its limits when it is started the next time");
        manager_pace_changed(m);
        manager_notify_wake(m, 0); /* commands may be allowed now */
        manager_judge_jobs(m);
        manager_hours_concern(m);
}

void manager_set_events(struct manager *m, const struct manager_events *events, void *userdata) {
        m->events = events;
        m->events_userdata = userdata;
}

/* ---- the table of jobs ---- */

static void job_run_free(struct job_run *run) {
        struct manager *m = run->manager;

        if (run->changed)
                DL_DELETE2(m->changed, run, changed_prev, changed_next);
        manager_leave_starved(run);
        manager_bind_job(m, run->job, NULL);
        if (m->page_hint == run)
                m->page_hint = NULL;
        HASH_DEL(m->by_id, run);
        job_run_forget_sources(run);
        job_drop_streams(run->job);
        manager_forget_notifier(run);
        free(run->command);
        free(run->pace);
        free(run->judging);
        job_free(run->job);
        free(run);
}

int manager_adopt_job(struct manager *m, struct job *job) {
        struct job_run *run;
        int r;

        run = calloc(1, sizeof(*run));
        if (!run)
                return -ENOMEM;
        *run = (struct job_run) {
                .manager = m,
                .job = job,
                .sequence = ++m->next_sequence,
        };
        job->attachment = run;
        r = manager_owner_got_job(m, job->owner);
        if (r >= 0 && job->intent == JOB_INTENT_NONE) {
                r = schedule_add(m->schedule, job);
                if (r < 0)
                        manager_owner_lost_job(m, job->owner);
        }
        if (r < 0) {
                job->attachment = NULL;
                free(run);
                return r;
        }
        if (job->intent == JOB_INTENT_NONE) {
                run->scheduled = true;
                manager_judge_presence(m, job);
        }
        HASH_ADD_KEYPTR(hh, m->by_id, &job->id, sizeof(job->id), run);
        DL_APPEND(m->jobs, run);
        m->n_jobs++;
        m->schedule_dirty = true;
        return 0;
}

/* Getters on a pointer that a program still holds go on working (api.md 2.1, GetX in A / X), for the newest few. */
static void forget_oldest_finished(struct manager *m) {
        while (m->n_finished > FINISHED_JOBS_KEPT || (m->n_finished > 1 && m->n_finished_files > FINISHED_FILES_KEPT)) {
                struct job_run *oldest = m->finished;

                DL_DELETE(m->finished, oldest);
                m->n_finished--;
                m->n_finished_files -= oldest->job->n_files;
                job_run_free(oldest);
        }
}

void manager_retire_job(struct manager *m, struct job *job) {
        struct job_run *run = job_run(job);

        assert(job_state_is_final(job->state));
        assert(run->n_file_runs == 0);
        if (run->scheduled)
                schedule_remove(m->schedule, job);
        run->scheduled = false;
        run->finished = true;
        manager_forget_notifier(run);
        manager_leave_starved(run);
        manager_bind_job(m, job, NULL);
        job_drop_streams(job);
        if (m->page_hint == run)
                m->page_hint = NULL; /* its links lead into another list from now on */
        DL_DELETE(m->jobs, run);
        m->n_jobs--;
        manager_owner_lost_job(m, job->owner);
        DL_APPEND(m->finished, run);
        m->n_finished++;
        m->n_finished_files += job->n_files;
        forget_oldest_finished(m);
}

void manager_drop_all(struct manager *m) {
        struct job_run *run, *tmp;

        manager_orphan_checks(m);
        manager_orphan_runs(m);
        DL_FOREACH_SAFE(m->jobs, run, tmp) {
                manager_orphan_op(run);
                if (run->scheduled)
                        schedule_remove(m->schedule, run->job);
                DL_DELETE(m->jobs, run);
                job_run_free(run);
        }
        DL_FOREACH_SAFE(m->finished, run, tmp) {
                DL_DELETE(m->finished, run);
                job_run_free(run);
        }
        manager_forget_owners(m);
        m->unsaved = NULL;
        m->n_jobs = m->n_finished = m->n_finished_files = 0;
        for (size_t i = 0; i < m->n_history; i++)
                history_entry_free(m->history[i]);
        m->n_history = 0;
}

struct manager *manager_free(struct manager *m) {
        if (!m)
                return NULL;
        if (m->engine)
                engine_set_events(m->engine, NULL, NULL);
        if (m->runner)
                runner_set_events(m->runner, NULL, NULL);
        manager_drop_all(m);
        manager_drop_group(m);
        schedule_free(m->schedule);
        manager_forget_conditions(m);
        lessons_done(&m->lessons);
        free(m->history);
        free(m);
        return NULL;
}

/* ---- finding ---- */

struct job *manager_find_any_job(struct manager *m, const struct guid *id) {
        struct job_run *run;

        HASH_FIND(hh, m->by_id, id, sizeof(*id), run);
        return run ? run->job : NULL;
}

struct job *manager_find_job(struct manager *m, uid_t caller, const struct guid *id) {
        struct job *job = manager_find_any_job(m, id);

        return job && job->owner == caller ? job : NULL;
}

/* @owner NULL: anybody's */
static bool is_owned_by(const struct job_run *run, const uid_t *owner) {
        return !owner || run->job->owner == *owner;
}

static int find_by_prefix(struct manager *m, const uid_t *owner, const char *prefix, struct job **ret) {
        struct job_run *run, *found = NULL;
        char digits[33];
        size_t n = 0;

        for (const char *p = prefix; *p; p++) {
                if (*p == '-')
                        continue;
                if (!isxdigit((unsigned char) *p) || n == 32)
                        return ERROR_INVALID_ARGUMENT;
                digits[n++] = (char) tolower((unsigned char) *p);
        }
        if (n < 4)
                return ERROR_INVALID_ARGUMENT;
        DL_FOREACH(m->jobs, run) {
                char compact[33];

                guid_to_compact(&run->job->id, compact);
                if (!is_owned_by(run, owner) || memcmp(compact, digits, n) != 0)
                        continue;
                if (found)
                        return ERROR_INVALID_ARGUMENT;
                found = run;
        }
        if (!found)
                return ERROR_NOT_FOUND;
        *ret = found->job;
        return 0;
}

int manager_find_job_by_prefix(struct manager *m, uid_t caller, const char *prefix, struct job **ret) {
        return find_by_prefix(m, &caller, prefix, ret);
}

int manager_find_any_job_by_prefix(struct manager *m, const char *prefix, struct job **ret) {
        return find_by_prefix(m, NULL, prefix, ret);
}

static struct job *next_job(struct manager *m, const uid_t *owner, uint64_t after, uint64_t *ret_sequence) {
        struct job_run *run, *hint;

        /* Pages are read in order: go on at the job that was given last, if it is still there. It may stand behind the
         * cursor: whoever looks whether another page follows, and takes that page later, asks twice for the same job. */
        hint = m->page_hint && after > 0 ? m->page_hint : m->jobs;
        while (hint && hint != m->jobs && hint->sequence > after)
                hint = hint->prev;
        for (run = hint; run; run = run->next)
                if (run->sequence > after && is_owned_by(run, owner)) {
                        m->page_hint = run;
                        *ret_sequence = run->sequence;
                        return run->job;
                }
        return NULL;
}

struct job *manager_next_job(struct manager *m, uid_t caller, uint64_t after, uint64_t *ret_sequence) {
        return next_job(m, &caller, after, ret_sequence);
}

struct job *manager_next_any_job(struct manager *m, uint64_t after, uint64_t *ret_sequence) {
        return next_job(m, NULL, after, ret_sequence);
}

size_t manager_count_jobs(const struct manager *m, size_t *ret_active) {
        struct job_run *run;

        *ret_active = 0;
        DL_FOREACH(m->jobs, run)
                if (job_state_is_active(run->job->state))
                        (*ret_active)++;
        return m->n_jobs;
}

static uint64_t rate_limit(const struct manager *m, bool foreground) {
        uint64_t rate = manager_class_rate(m, foreground);

        return rate == SHARE_UNLIMITED ? 0 : MAX(rate, UINT64_C(1));
}

void manager_get_statistics(const struct manager *m, struct manager_statistics *ret) {
        struct job_run *run;

        *ret = (struct manager_statistics) {
                .n_transfers = m->n_file_runs,
                .bytes_fetched = m->bytes_fetched,
                .n_commits = m->n_durable_commits,
                .foreground_rate_limit = rate_limit(m, true),
                .background_rate_limit = rate_limit(m, false),
                .line_capacity = line_capacity(&m->line),
        };
        DL_FOREACH(m->jobs, run) {
                ret->jobs[run->job->state]++;
                ret->jobs_waiting[run->job->waiting]++;
        }
}

/* ---- history ---- */

static bool history_is_old(const struct manager *m, const struct history_entry *entry) {
        uint64_t now = manager_realtime(m);

        return entry->finished_usec < now && now - entry->finished_usec > m->limits.history_max_age_usec;
}

size_t manager_trim_history(struct manager *m, size_t keep) {
        size_t drop = m->n_history > keep ? m->n_history - keep : 0;

        while (drop < m->n_history && history_is_old(m, m->history[drop]))
                drop++;
        for (size_t i = 0; i < drop; i++)
                history_entry_free(m->history[i]);
        if (drop > 0)
                memmove(m->history, m->history + drop, (m->n_history - drop) * sizeof(*m->history));
        m->n_history -= drop;
        m->history_first += drop;
        return m->n_history;
}

void manager_add_history(struct manager *m, struct history_entry *entry) {
        struct history_entry **grown;

        if (m->limits.history_max_entries == 0 || history_is_old(m, entry)) {
                history_entry_free(entry);
                return;
        }
        (void) manager_trim_history(m, m->limits.history_max_entries - 1);
        grown = reallocarray(m->history, m->n_history + 1, sizeof(*grown));
        if (!grown) {
                history_entry_free(entry); /* it is in the store; only this run does not list it */
                return;
        }
        m->history = grown;
        m->history[m->n_history++] = entry;
}

const struct history_entry *manager_next_history(struct manager *m, uid_t caller, uint64_t after, uint64_t *ret_sequence) {
        uint64_t end = m->history_first + m->n_history;

        /* What is too old is not told; it goes for good when the next job ends. */
        for (uint64_t i = MIN(after, end); i > m->history_first; i--) {
                const struct history_entry *entry = m->history[i - 1 - m->history_first];

                if (entry->owner != caller || history_is_old(m, entry))
                        continue;
                *ret_sequence = i - 1;
                return entry;
        }
        return NULL;
}

/* ---- events ---- */

void manager_job_changed(struct manager *m, struct job *job, bool state) {
        struct job_run *run = job_run(job);

        run->state_changed |= state;
        if (!run->changed) {
                run->changed = true;
                DL_APPEND2(m->changed, run, changed_prev, changed_next);
        }
        if (m->changed_at == USEC_INFINITY)
                m->changed_at = u64_add_saturated(manager_boottime(m), CHANGE_COALESCE_USEC);
        manager_notify_modified(m, job);
}

struct changed_event {
        struct manager *manager;
        struct guid id;
        bool state;
};

static void tell_changed(int error, void *userdata) {
        _cleanup_free_ struct changed_event *event = userdata;
        struct manager *m = event->manager;
        struct job_run *run;

        if (error < 0)
                return;
        HASH_FIND(hh, m->by_id, &event->id, sizeof(event->id), run);
        if (!run || run->finished)
                return; /* the last word was its removal */
        if (event->state)
                run->told_transferring = run->job->state == JOB_TRANSFERRING;
        if (m->events && m->events->job_changed)
                m->events->job_changed(m->events_userdata, run->job, event->state);
        if (!job_state_is_final(run->job->state))
                manager_notify(m, run->job);
}

/* State changes go out with their own transaction; the rest ten times a second. */
static void emit_changes(struct manager *m) {
        bool all = manager_boottime(m) >= m->changed_at;
        struct job_run *run, *tmp;

        DL_FOREACH_SAFE2(m->changed, run, tmp, changed_next) {
                struct changed_event *event;

                if (!all && !run->state_changed)
                        continue;
                event = malloc(sizeof(*event));
                if (!event)
                        continue; /* stays on the list */
                *event = (struct changed_event) { .manager = m, .id = run->job->id, .state = run->state_changed };
                run->changed = run->state_changed = false;
                DL_DELETE2(m->changed, run, changed_prev, changed_next);
                if (!manager_job_is_dirty(m, run->job))
                        tell_changed(0, event);
                else if (manager_after_commit(m, tell_changed, event) < 0)
                        free(event);
        }
        m->changed_at = m->changed ? (all ? u64_add_saturated(manager_boottime(m), CHANGE_COALESCE_USEC) : m->changed_at)
                                   : USEC_INFINITY;
}

/* ---- turning ---- */

void manager_reschedule(struct manager *m, struct job *job) {
        if (job_run(job)->scheduled)
                schedule_update(m->schedule, job);
        m->schedule_dirty = true;
}

int manager_transition(struct manager *m, struct job *job, enum job_event event) {
        int r = job_transition(job, event, manager_realtime(m));

        if (r != 0)
                return r;
        manager_save_job(m, job);
        manager_job_changed(m, job, true);
        manager_reschedule(m, job);
        return 0;
}

void manager_turn(struct manager *m) {
        /* Each round may make work for another; rounds are few because every step goes outwards (files, engine, store). */
        do {
                manager_run_schedule(m);
                manager_checkpoints(m);
                manager_hours_turn(m);
                manager_segments_turn(m);
                manager_pace_turn(m);
                emit_changes(m);
                manager_notify_turn(m);
                manager_flush(m);
        } while (m->schedule_dirty && manager_boottime(m) >= m->held_until_boottime);
}

bool manager_has_work(const struct manager *m) {
        return m->schedule_dirty || m->group || m->batch;
}

uint64_t manager_next_deadline(const struct manager *m) {
        uint64_t next = MIN(m->changed_at, m->notify_at);

        next = MIN(next, m->pace_due);
        next = MIN(next, m->hours_due);
        next = MIN(next, m->segments_at);
        next = MIN(next, manager_next_checkpoint(m));
        if (!m->stopping)
                next = MIN(next, MAX(schedule_next_deadline(m->schedule), m->held_until_boottime));
        if (m->held_until_boottime > manager_boottime(m))
                next = MIN(next, m->held_until_boottime);
        return next;
}

uint64_t manager_retry_time(const struct manager *m, const struct job *job) {
        uint64_t now = manager_boottime(m);

        if (job->state != JOB_TRANSIENT_ERROR || job->pace.retry_at_boottime == USEC_INFINITY)
                return 0;
        return u64_add_saturated(manager_realtime(m), job->pace.retry_at_boottime > now ? job->pace.retry_at_boottime - now : 0);
}

/* ---- start and stop ---- */

static int load_job(struct job *job, void *userdata) {
        struct manager *m = userdata;
        int r;

        if (job->intent == JOB_INTENT_TAKE)
                job->intent = JOB_INTENT_NONE; /* nothing was promised: whoever wanted it asks again */
        r = manager_adopt_job(m, job);
        if (r < 0)
                job_free(job);
        return r;
}

static int load_history(struct history_entry *entry, void *userdata) {
        manager_add_history(userdata, entry);
        return 0;
}

static void resume_ops(struct manager *m) {
        struct job_run *run, *tmp;

        DL_FOREACH_SAFE(m->jobs, run, tmp) {
                struct job *job = run->job;

                if (run->op)
                        continue; /* somebody asked for it in the meantime */
                if (job->intent != JOB_INTENT_NONE)
                        manager_resume_op(m, job);
                else if (manager_job_is_abandoned(job))
                        manager_start_op(m, job, JOB_INTENT_CANCEL, false, (struct reply) {});
                else if (manager_completes_by_itself(job))
                        manager_start_op(m, job, JOB_INTENT_COMPLETE, false, (struct reply) {});
        }
}

/* A crash came between the commit that made a decrypted file TRANSFERRED and the removal of what it was made from. */
static void discard_leftovers(struct manager *m) {
        struct job_run *run;

        DL_FOREACH(m->jobs, run)
                for (size_t i = 0; i < run->job->n_files && !run->op && run->job->intent == JOB_INTENT_NONE; i++) {
                        struct job_file *file = run->job->files[i];
                        int r = file->state == FILE_TRANSFERRED && file->spare_name[0] ? file_run_start_discard(m, file) : 0;

                        if (r < 0)
                                log_warning("a temporary file is not removed yet: %s", strerror(-r)); /* the end of the job does it */
                }
}

void manager_go_on(struct manager *m) {
        m->held = false;
        manager_judge_restored(m);
        resume_ops(m);
        discard_leftovers(m);
}

int manager_load(struct manager *m) {
        static const struct store_visitor visitor = { .job = load_job, .history = load_history };
        struct job_run *run;
        int r;

        r = store_load(m->store, &visitor, m);
        if (r < 0)
                return r;
        /* Was running, or was about to be told complete, when the last run ended. */
        DL_FOREACH(m->jobs, run)
                (void) job_transition(run->job, JOB_EVENT_RESTARTED, manager_realtime(m));
        /* After a store failure that waits, too: it would want to record something at once, fail, and load everything again. */
        if (manager_boottime(m) < m->held_until_boottime)
                m->held = true;
        else
                manager_go_on(m);
        m->schedule_dirty = true;
        return 0;
}

static void swept(size_t n_removed, void *userdata _unused_) {
        if (n_removed > 0)
                log_notice("removed %zu abandoned temporary files", n_removed);
}

/* Temp names are recorded before the files are made, so only a lost database can leave unknown ones: give them a week. */
static void sweep_directories_of(struct manager *m, uid_t owner) {
        const char **directories = NULL, **known = NULL;
        size_t n_directories = 0, n_known = 0, n_files = 0;
        struct job_run *run;
        char *last = NULL;

        DL_FOREACH(m->jobs, run)
                n_files += run->job->owner == owner ? run->job->n_files : 0;
        if (n_files == 0)
                return;
        directories = calloc(n_files, sizeof(*directories));
        known = calloc(2 * n_files, sizeof(*known));
        if (!directories || !known)
                goto finish;
        DL_FOREACH(m->jobs, run)
                for (size_t i = 0; run->job->owner == owner && i < run->job->n_files; i++) {
                        const struct job_file *file = run->job->files[i];
                        const char *slash = strrchr(file->path, '/');
                        size_t length = slash == file->path ? 1 : (size_t)(slash - file->path);

                        if (!slash)
                                continue; /* no destination yet */
                        if (file->temp_name[0])
                                known[n_known++] = file->temp_name;
                        if (file->spare_name[0])
                                known[n_known++] = file->spare_name;
                        /* Neighbours mostly share their directory; the sweep itself drops what is left of duplicates. */
                        if (last && strncmp(last, file->path, length) == 0 && last[length] == 0)
                                continue;
                        last = strndup(file->path, length);
                        if (!last)
                                goto finish;
                        directories[n_directories++] = last;
                }
        (void) files_sweep(m->files, &(struct files_sweep_request) {
                        .owner = owner,
                        .directories = directories,
                        .n_directories = n_directories,
                        .known_names = known,
                        .n_known_names = n_known,
                        .min_age_usec = 7 * USEC_PER_DAY,
                        .now_usec = manager_realtime(m),
                }, swept, NULL);
finish:
        for (size_t i = 0; i < n_directories; i++)
                free((char *) directories[i]);
        free(directories);
        free(known);
}

static int compare_uids(const void *a, const void *b) {
        uid_t x = *(const uid_t *) a, y = *(const uid_t *) b;

        return x < y ? -1 : x > y;
}

static void sweep_directories(struct manager *m) {
        _cleanup_free_ uid_t *owners = calloc(MAX(m->n_jobs, (size_t) 1), sizeof(*owners));
        struct job_run *run;
        size_t n = 0;

        if (!owners)
                return;
        DL_FOREACH(m->jobs, run)
                owners[n++] = run->job->owner;
        qsort(owners, n, sizeof(*owners), compare_uids);
        for (size_t i = 0; i < n; i++)
                if (i == 0 || owners[i] != owners[i - 1])
                        sweep_directories_of(m, owners[i]);
}

int manager_start(struct manager *m) {
        int r = manager_load(m);

        if (r < 0)
                return r;
        manager_backups_begin(m);
        sweep_directories(m);
        if (m->jobs) {
                m->commands_at = u64_add_saturated(manager_boottime(m), NOTIFY_COMMAND_GRACE_USEC);
                manager_notify_wake(m, m->commands_at);
        }
        return 0;
}

void manager_stop(struct manager *m) {
        struct job_run *run;

        m->stopping = true;
        DL_FOREACH(m->jobs, run)
                manager_stop_runs(m, run->job);
}

bool manager_is_quiet(const struct manager *m) {
        return !m->file_runs && !manager_is_dirty(m) && !m->group;
}

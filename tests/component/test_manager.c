/* The life of a job, with the exact order of what leaves the service. */
#include "harness.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define MIB (UINT64_C(1) << 20)

static void a_job_goes_from_create_to_complete(void **state) {
        struct harness *h = *state;

        assert_int_equal(harness_create(h, "file", false, false), 0);
        harness_expect(h, "added file\nreply NONE\n");
        assert_int_equal(harness_job(h)->state, JOB_SUSPENDED);
        assert_int_equal(harness_count_temp(h), 0);

        assert_int_equal(harness_call(h, manager_resume_job), 0);
        harness_expect(h, "reply NONE\nstate file transferring\nengine: start http://origin/file from 0\n");
        assert_false(harness_exists(h, "file"));
        assert_int_equal(harness_count_temp(h), 1);

        harness_serve(h, harness_request(h, 0), 3 * MIB);
        harness_expect(h, "state file transferred\n");
        assert_int_equal(harness_job(h)->bytes_durable, 3 * MIB);
        assert_false(harness_exists(h, "file"));

        assert_int_equal(harness_call(h, manager_complete_job), 0);
        harness_expect(h, "reply NONE\nremoved file acknowledged\n");
        harness_assert_content(h, "file", 3 * MIB);
        assert_int_equal(harness_count_temp(h), 0);
        /* A pointer that somebody still holds answers; nobody can change it. */
        assert_int_equal(harness_job(h)->state, JOB_ACKNOWLEDGED);
        assert_int_equal(harness_call(h, manager_cancel_job), ERROR_INVALID_STATE);
}

static void complete_when_transferred_needs_nobody(void **state) {
        struct harness *h = *state;

        assert_int_equal(harness_create(h, "file", true, true), 0);
        harness_forget(h);
        harness_serve(h, harness_request(h, 0), 100000);
        harness_expect(h, "state file transferred\nremoved file acknowledged\n");
        harness_assert_content(h, "file", 100000);
}

static void progress_becomes_durable_by_checkpoints_only(void **state) {
        struct harness *h = *state;
        struct fake_request *r;

        assert_int_equal(harness_create(h, "file", true, false), 0);
        r = harness_request(h, 0);
        harness_metadata(h, r, 100 * MIB, "\"v1\"");
        harness_write(h, r, 0, MIB);
        harness_pump(h);
        assert_int_equal(harness_job(h)->bytes_received, MIB);
        assert_int_equal(harness_job(h)->bytes_durable, 0);
        harness_advance(h, 4 * USEC_PER_SEC);
        assert_int_equal(harness_job(h)->bytes_durable, 0);
        harness_advance(h, 1 * USEC_PER_SEC);
        assert_int_equal(harness_job(h)->bytes_durable, MIB);
        /* 16 MiB make one due, but never sooner than 200 ms after the last. */
        harness_write(h, r, MIB, 18 * MIB);
        harness_pump(h);
        assert_int_equal(harness_job(h)->bytes_durable, MIB);
        harness_advance(h, 200 * USEC_PER_MSEC);
        assert_int_equal(harness_job(h)->bytes_durable, 18 * MIB);
}

/* SENTENCES: job.suspend */
static void suspend_keeps_what_came_and_resume_goes_on_there(void **state) {
        struct harness *h = *state;
        struct fake_request *r;

        assert_int_equal(harness_create(h, "file", true, false), 0);
        r = harness_request(h, 0);
        harness_metadata(h, r, 4 * MIB, "\"v1\"");
        harness_write(h, r, 0, MIB);
        harness_pump(h);
        harness_forget(h);
        assert_int_equal(harness_call(h, manager_suspend_job), 0);
        harness_expect(h, "engine: stop\nreply NONE\nstate file suspended\n");
        assert_int_equal(harness_job(h)->bytes_durable, MIB);
        assert_int_equal(harness_running(h), 0);

        assert_int_equal(harness_call(h, manager_resume_job), 0);
        harness_expect(h, "reply NONE\nstate file transferring\nengine: start http://origin/file from 1048576 if \"v1\"\n");
        r = harness_request(h, 0);
        harness_write(h, r, MIB, 4 * MIB);
        harness_finish(h, r, ENGINE_DONE, ERROR_NONE, false);
        harness_pump(h);
        assert_int_equal(harness_job(h)->state, JOB_TRANSFERRED);
        assert_int_equal(harness_call(h, manager_complete_job), 0);
        harness_assert_content(h, "file", 4 * MIB);
}

/* SENTENCES: state.restart */
static void a_restart_goes_on_from_the_last_checkpoint(void **state) {
        struct harness *h = *state;
        struct fake_request *r;

        assert_int_equal(harness_create(h, "file", true, true), 0);
        r = harness_request(h, 0);
        harness_metadata(h, r, 4 * MIB, "\"v1\"");
        harness_write(h, r, 0, MIB);
        harness_advance(h, 5 * USEC_PER_SEC);
        harness_write(h, r, MIB, 2 * MIB);
        harness_pump(h);
        harness_forget(h);
        harness_crash(h);
        harness_pump(h);
        assert_int_equal(harness_job(h)->bytes_durable, MIB);
        r = harness_request(h, 0);
        assert_int_equal(r->pieces[0].remote_offset, MIB);
        assert_string_equal(r->etag, "\"v1\"");
        harness_write(h, r, MIB, 4 * MIB);
        harness_finish(h, r, ENGINE_DONE, ERROR_NONE, false);
        harness_pump(h);
        harness_assert_content(h, "file", 4 * MIB);
        assert_int_equal(harness_count_temp(h), 0);
}

static void a_crash_right_after_the_temp_file_was_made_leaves_none_behind(void **state) {
        struct harness *h = *state;

        assert_int_equal(harness_create(h, "file", true, true), 0);
        assert_int_equal(harness_count_temp(h), 1); /* made, not yet recorded who it is */
        harness_crash(h);
        harness_pump(h);
        assert_int_equal(harness_count_temp(h), 1);
        harness_serve(h, harness_request(h, 0), 1000);
        harness_assert_content(h, "file", 1000);
        assert_int_equal(harness_count_temp(h), 0);
}

/* SENTENCES: job.cancel */
static void cancel_removes_the_temp_file(void **state) {
        struct harness *h = *state;
        struct fake_request *r;

        assert_int_equal(harness_create(h, "file", true, false), 0);
        r = harness_request(h, 0);
        harness_metadata(h, r, 4 * MIB, NULL);
        harness_write(h, r, 0, MIB);
        harness_pump(h);
        harness_forget(h);
        assert_int_equal(harness_call(h, manager_cancel_job), 0);
        harness_expect(h, "engine: stop\nreply NONE\nremoved file cancelled\n");
        assert_int_equal(harness_count_temp(h), 0);
        assert_false(harness_exists(h, "file"));
}

/* SENTENCES: job.complete */
static void complete_of_a_partial_job_keeps_finished_files_and_drops_the_rest(void **state) {
        struct harness *h = *state;
        char a[256], b[256];
        struct manager_file_spec files[] = {
                { .file = { .url = "http://origin/a", .path = a, .stated_size = SIZE_UNKNOWN, .mode = 0644 } },
                { .file = { .url = "http://origin/b", .path = b, .stated_size = SIZE_UNKNOWN, .mode = 0600 } },
        };
        struct manager_create_request request = harness_plain_request("two", files, 2);
        struct fake_request *r;
        struct stat st;

        strcpy(a, harness_path(h, "a"));
        strcpy(b, harness_path(h, "b"));
        assert_int_equal(harness_create_with(h, &request), 0);
        assert_int_equal(harness_running(h), 2);
        r = harness_request(h, 0);
        assert_string_equal(r->url, "http://origin/b");
        harness_serve(h, r, 5000);
        r = harness_request(h, 0);
        harness_metadata(h, r, 9000, NULL);
        harness_write(h, r, 0, 100);
        harness_pump(h);
        harness_forget(h);
        assert_int_equal(harness_call(h, manager_complete_job), 0);
        assert_true(h->last.partial);
        assert_false(harness_exists(h, "a"));
        harness_assert_content(h, "b", 5000);
        assert_int_equal(harness_count_temp(h), 0);
        assert_return_code(stat(b, &st), errno);
        assert_int_equal(st.st_mode & 07777, 0600);
}

/* SENTENCES: job.complete.fails */
static void a_conflict_at_publish_leaves_the_job_transferred(void **state) {
        struct harness *h = *state;
        int fd;

        assert_int_equal(harness_create(h, "file", true, true), 0);
        fd = open(harness_path(h, "file"), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0644);
        assert_return_code(fd, errno);
        assert_int_equal(write(fd, "mine", 4), 4);
        close(fd);
        harness_serve(h, harness_request(h, 0), 1000);
        assert_int_equal(harness_job(h)->state, JOB_TRANSFERRED);
        assert_int_equal(harness_job(h)->error.code, ERROR_FILE_EXISTS);
        assert_int_equal(harness_job(h)->error.context, ERROR_CONTEXT_LOCAL_FILE);
        assert_int_equal(harness_call(h, manager_complete_job), ERROR_FILE_EXISTS);
        assert_return_code(unlink(harness_path(h, "file")), errno);
        /* Resume says that the cause is mended. */
        assert_int_equal(harness_call(h, manager_resume_job), 0);
        harness_assert_content(h, "file", 1000);
        assert_int_equal(harness_job(h)->state, JOB_ACKNOWLEDGED);
}

static void a_destination_that_exists_is_refused_when_it_is_said(void **state) {
        struct harness *h = *state;
        int fd = open(harness_path(h, "file"), O_CREAT | O_WRONLY | O_CLOEXEC, 0644);

        assert_return_code(fd, errno);
        close(fd);
        assert_int_equal(harness_create(h, "file", true, true), ERROR_FILE_EXISTS);
        assert_int_equal(harness_create(h, "no/such/directory", true, true), ERROR_DIRECTORY_NOT_FOUND);
        harness_expect(h, "reply FILE_EXISTS\nreply DIRECTORY_NOT_FOUND\n");
        assert_int_equal(harness_count_temp(h), 0);
}

/* SENTENCES: state.intent */
static void an_intent_in_progress_refuses_every_other_change(void **state) {
        struct harness *h = *state;
        unsigned before;

        assert_int_equal(harness_create(h, "file", true, false), 0);
        harness_serve(h, harness_request(h, 0), 1000);
        before = h->n_replies;
        harness_forget(h);
        manager_complete_job(h->manager, harness_job(h), NULL, NULL);
        assert_int_equal(job_command_verdict(harness_job(h), JOB_COMMAND_CANCEL), JOB_VERDICT_INVALID_STATE);
        assert_int_equal(harness_call(h, manager_cancel_job), ERROR_INVALID_STATE);
        harness_expect(h, "reply INVALID_STATE\nremoved file acknowledged\n");
        assert_int_equal(h->n_replies, before + 1);
        harness_assert_content(h, "file", 1000);
}

/* ---- callbacks ---- */

struct program {
        struct harness *h;
        uint32_t events[16];
        uint32_t files[16];
        size_t n_events;
};

static void on_deliver(void *userdata, const struct job *job, const struct manager_notice *notice) {
        struct program *program = userdata;

        assert_true(guid_equal(&job->id, &program->h->id));
        program->files[program->n_events] = notice->file ? notice->file->index : UINT32_MAX;
        program->events[program->n_events++] = notice->event;
}

static const struct manager_notifier notifier = { .deliver = on_deliver };

/* SENTENCES: callback.again */
static void a_callback_comes_again_until_it_is_taken(void **state) {
        struct harness *h = *state;
        struct program first = { .h = h }, second = { .h = h };

        assert_int_equal(harness_create(h, "file", true, false), 0);
        manager_set_notifier(h->manager, harness_job(h), &notifier, &first);
        harness_serve(h, harness_request(h, 0), 1000);
        assert_int_equal(first.n_events, 1);
        assert_int_equal(first.events[0], JOB_NOTIFY_TRANSFERRED);
        manager_notified(h->manager, &h->id, JOB_NOTIFY_TRANSFERRED, false);
        harness_pump(h);
        assert_int_equal(first.n_events, 1);
        harness_advance(h, 1 * USEC_PER_SEC);
        assert_int_equal(first.n_events, 2);
        /* It dies without an answer; the service too; the next program gets what is due. */
        harness_restart(h);
        harness_pump(h);
        manager_set_notifier(h->manager, harness_job(h), &notifier, &second);
        assert_int_equal(second.n_events, 1);
        assert_int_equal(second.events[0], JOB_NOTIFY_TRANSFERRED);
        manager_notified(h->manager, &h->id, JOB_NOTIFY_TRANSFERRED, true);
        harness_pump(h);
        harness_restart(h);
        harness_pump(h);
        manager_set_notifier(h->manager, harness_job(h), &notifier, &second);
        harness_advance(h, USEC_PER_HOUR);
        assert_int_equal(second.n_events, 1);
}

static void create_two_files(struct harness *h) {
        char one[256], two[256];
        struct manager_file_spec files[2];

        snprintf(one, sizeof(one), "%s", harness_path(h, "one"));
        snprintf(two, sizeof(two), "%s", harness_path(h, "two"));
        for (size_t i = 0; i < 2; i++)
                files[i] = (struct manager_file_spec) {
                        .file = { .url = i ? "http://origin/two" : "http://origin/one", .path = i ? two : one,
                                  .stated_size = SIZE_UNKNOWN, .mode = 0644 },
                };
        assert_int_equal(harness_create_with(h, &(struct manager_create_request) {
                        .owner = getuid(), .family = JOB_FAMILY_BITS, .name = "pair", .priority = JOB_PRIORITY_FOREGROUND,
                        .replace = -1, .remote_time = -1, .resume = true, .no_progress_timeout_s = -1,
                        .minimum_retry_delay_s = -1,
                        .notify_flags = JOB_NOTIFY_TRANSFERRED | JOB_NOTIFY_ERROR | JOB_NOTIFY_FILE_TRANSFERRED,
                        .files = files, .n_files = 2 }), 0);
}

/* SENTENCES: callback.file */
static void each_file_is_told_until_it_is_taken_and_then_the_job(void **state) {
        struct harness *h = *state;
        struct program first = { .h = h }, second = { .h = h };

        create_two_files(h);
        manager_set_notifier(h->manager, harness_job(h), &notifier, &first);
        harness_serve(h, harness_request(h, 1), 1000); /* the older one */
        harness_advance(h, USEC_PER_SEC);
        assert_int_equal(first.n_events, 1);
        assert_int_equal(first.events[0], JOB_NOTIFY_FILE_TRANSFERRED);
        assert_int_equal(first.files[0], 0);
        manager_notified(h->manager, &h->id, JOB_NOTIFY_FILE_TRANSFERRED, true);
        harness_serve(h, harness_request(h, 0), 2000);
        harness_advance(h, USEC_PER_SEC);
        assert_int_equal(first.n_events, 2);
        assert_int_equal(first.files[1], 1);
        /* Who refuses a file hears of the job all the same, and of the file later. */
        manager_notified(h->manager, &h->id, JOB_NOTIFY_FILE_TRANSFERRED, false);
        assert_int_equal(first.n_events, 3);
        assert_int_equal(first.events[2], JOB_NOTIFY_TRANSFERRED);
        manager_notified(h->manager, &h->id, JOB_NOTIFY_TRANSFERRED, true);
        harness_pump(h);
        harness_advance(h, USEC_PER_SEC);
        assert_int_equal(first.n_events, 4);
        assert_int_equal(first.events[3], JOB_NOTIFY_FILE_TRANSFERRED);
        assert_int_equal(first.files[3], 1);
        /* Only what nobody took comes again after a restart. */
        harness_restart(h);
        harness_pump(h);
        manager_set_notifier(h->manager, harness_job(h), &notifier, &second);
        harness_pump(h);
        assert_int_equal(second.n_events, 1);
        assert_int_equal(second.files[0], 1);
        manager_notified(h->manager, &h->id, JOB_NOTIFY_FILE_TRANSFERRED, true);
        harness_advance(h, USEC_PER_HOUR);
        assert_int_equal(second.n_events, 1);
}

/* With the form that harness_call() takes. */
static bool verdict;
static void validate_first(struct manager *m, struct job *job, manager_reply_fn fn, void *userdata) {
        manager_set_file_validation(m, job->files[0], verdict, fn, userdata);
}

static void answer(struct program *program) {
        assert_true(program->n_events > 0);
        manager_notified(program->h->manager, &program->h->id, program->events[program->n_events - 1], true);
        harness_pump(program->h);
}

static void fetch_first_anew(struct harness *h) {
        verdict = false;
        assert_int_equal(harness_call(h, validate_first), 0);
        assert_int_equal(harness_job(h)->state, JOB_ERROR);
        assert_int_equal(harness_call(h, manager_resume_job), 0);
        harness_serve(h, harness_request(h, 0), 1000);
        assert_int_equal(harness_job(h)->state, JOB_TRANSFERRED);
}

/* SENTENCES: callback.again callback.file */
static void an_answer_is_about_what_was_told_and_nothing_later(void **state) {
        static const uint32_t events[] = { JOB_NOTIFY_FILE_TRANSFERRED, JOB_NOTIFY_FILE_TRANSFERRED, JOB_NOTIFY_FILE_TRANSFERRED, JOB_NOTIFY_TRANSFERRED,
                                           JOB_NOTIFY_FILE_TRANSFERRED, JOB_NOTIFY_TRANSFERRED };
        static const uint32_t files[] = { 0, 1, 0, UINT32_MAX, 0, UINT32_MAX };
        struct harness *h = *state;
        struct program program = { .h = h };

        create_two_files(h);
        manager_set_notifier(h->manager, harness_job(h), &notifier, &program);
        harness_serve(h, harness_request(h, 1), 1000);
        harness_serve(h, harness_request(h, 0), 2000);
        for (size_t i = 0; i < ELEMENTSOF(events); i++) {
                harness_advance(h, USEC_PER_SEC);
                assert_int_equal(program.n_events, i + 1);
                assert_int_equal(program.events[i], events[i]);
                assert_int_equal(program.files[i], files[i]);
                if (i == 0 || i == 3) /* it happens again before the program has answered */
                        fetch_first_anew(h);
                answer(&program);
        }
        harness_advance(h, USEC_PER_HOUR);
        assert_int_equal(program.n_events, ELEMENTSOF(events));
}

/* SENTENCES: state.validation */
static void a_bad_verdict_throws_the_content_away_and_resume_fetches_it_anew(void **state) {
        struct harness *h = *state;
        struct job *job;

        create_two_files(h);
        verdict = false;
        assert_int_equal(harness_call(h, validate_first), ERROR_PENDING);
        harness_serve(h, harness_request(h, 1), 1000);
        harness_serve(h, harness_request(h, 0), 2000);
        assert_int_equal(harness_job(h)->state, JOB_TRANSFERRED);
        verdict = true;
        assert_int_equal(harness_call(h, validate_first), 0);
        assert_int_equal(harness_job(h)->files[0]->validation, FILE_VALIDATION_GOOD);
        verdict = false;
        assert_int_equal(harness_call(h, validate_first), 0);
        harness_crash(h);
        harness_pump(h);
        job = harness_job(h);
        assert_int_equal(job->state, JOB_ERROR);
        assert_int_equal(job->error.code, ERROR_VALIDATION_FAILED);
        assert_int_equal(job->error.file_index, 0);
        assert_int_equal(job->files[0]->validation, FILE_VALIDATION_BAD);
        assert_int_equal(job->bytes_durable, 2000);
        assert_int_equal(harness_call(h, validate_first), ERROR_PENDING);
        assert_int_equal(harness_call(h, manager_resume_job), 0);
        assert_int_equal(harness_running(h), 1);
        assert_int_equal(harness_request(h, 0)->pieces[0].local_offset, 0);
        harness_serve(h, harness_request(h, 0), 1000);
        assert_int_equal(harness_job(h)->state, JOB_TRANSFERRED);
        assert_int_equal(harness_job(h)->files[0]->validation, FILE_VALIDATION_NONE);
        assert_int_equal(harness_call(h, manager_complete_job), 0);
        harness_assert_content(h, "one", 1000);
        harness_assert_content(h, "two", 2000);
        assert_int_equal(harness_count_temp(h), 0);
}

/* With the form that harness_call() takes. */
static struct manager_properties wanted_properties;
static struct byte_range wanted_range;
static void set_wanted_properties(struct manager *m, struct job *job, manager_reply_fn fn, void *userdata) {
        manager_set_properties(m, job, &wanted_properties, fn, userdata);
}
static void request_wanted_range(struct manager *m, struct job *job, manager_reply_fn fn, void *userdata) {
        manager_request_ranges(m, job->files[0], &wanted_range, 1, fn, userdata);
}

static void time_of_transferring_is_counted_across_restarts_and_ends(void **state) {
        struct harness *h = *state;
        struct fake_request *r;

        assert_int_equal(harness_create(h, "file", false, false), 0);
        wanted_properties = MANAGER_PROPERTIES_NONE;
        wanted_properties.max_download_time_s = 100;
        assert_int_equal(harness_call(h, set_wanted_properties), 0);
        harness_advance(h, USEC_PER_HOUR); /* suspended: does not count */
        assert_int_equal(harness_call(h, manager_resume_job), 0);
        r = harness_request(h, 0);
        harness_metadata(h, r, 4 * MIB, "\"v1\"");
        harness_write(h, r, 0, MIB);
        harness_advance(h, 60 * USEC_PER_SEC);
        harness_restart(h);
        harness_pump(h);
        assert_int_equal(harness_job(h)->state, JOB_TRANSFERRING);
        assert_true(harness_job(h)->pace.moved_usec >= 60 * USEC_PER_SEC);
        harness_advance(h, 30 * USEC_PER_SEC);
        assert_int_equal(harness_job(h)->state, JOB_TRANSFERRING);
        harness_advance(h, 10 * USEC_PER_SEC);
        assert_int_equal(harness_job(h)->state, JOB_ERROR);
        assert_int_equal(harness_job(h)->error.code, ERROR_MAX_DOWNLOAD_TIME);
        assert_int_equal(harness_job(h)->bytes_durable, MIB);
        /* Whoever allows more goes on. */
        wanted_properties.max_download_time_s = 1000;
        assert_int_equal(harness_call(h, set_wanted_properties), 0);
        assert_int_equal(harness_call(h, manager_resume_job), 0);
        assert_int_equal(harness_job(h)->state, JOB_TRANSFERRING);
        assert_int_equal(harness_request(h, 0)->pieces[0].remote_offset, MIB);
}

/* SENTENCES: performance */
static void a_high_performance_job_makes_no_checkpoints_but_keeps_what_came_when_it_stops(void **state) {
        struct harness *h = *state;
        struct fake_request *r;

        assert_int_equal(harness_create(h, "file", false, false), 0);
        wanted_properties = MANAGER_PROPERTIES_NONE;
        wanted_properties.high_performance = 1;
        assert_int_equal(harness_call(h, set_wanted_properties), ERROR_READ_ONLY_AFTER_ADDFILE);
        harness_job(h)->high_performance = true; /* as if it had been set before the file */
        assert_int_equal(harness_call(h, manager_resume_job), 0);
        r = harness_request(h, 0);
        harness_metadata(h, r, 100 * MIB, "\"v1\"");
        harness_write(h, r, 0, 20 * MIB);
        harness_advance(h, USEC_PER_MINUTE);
        assert_int_equal(harness_job(h)->bytes_durable, 0);
        assert_int_equal(harness_call(h, manager_suspend_job), 0);
        assert_int_equal(harness_job(h)->bytes_durable, 20 * MIB);
}

static void a_job_on_demand_asks_for_what_is_wanted_and_then_waits(void **state) {
        struct harness *h = *state;
        struct fake_request *r;

        assert_int_equal(harness_create(h, "file", false, false), 0);
        wanted_properties = MANAGER_PROPERTIES_NONE;
        wanted_properties.on_demand = 1;
        assert_int_equal(harness_call(h, set_wanted_properties), 0);
        assert_int_equal(harness_call(h, manager_resume_job), 0);
        assert_int_equal(harness_job(h)->state, JOB_SUSPENDED); /* nothing is wanted */
        wanted_range = (struct byte_range) { .offset = 1000, .length = 500 };
        assert_int_equal(harness_call(h, request_wanted_range), 0);
        assert_int_equal(harness_call(h, manager_resume_job), 0);
        r = harness_request(h, 0);
        assert_false(r->whole_file);
        assert_int_equal(r->n_pieces, 1);
        assert_int_equal(r->pieces[0].remote_offset, 1000);
        assert_int_equal(r->pieces[0].local_offset, 1000);
        assert_int_equal(r->pieces[0].length, 500);
        harness_metadata(h, r, 3000, "\"v1\"");
        /* More while it runs: asked for when the first request is done. */
        wanted_range = (struct byte_range) { .offset = 2000, .length = TO_EOF };
        assert_int_equal(harness_call(h, request_wanted_range), 0);
        harness_write(h, r, 1000, 1500);
        harness_finish(h, r, ENGINE_DONE, ERROR_NONE, false);
        harness_pump(h);
        r = harness_request(h, 0);
        assert_int_equal(r->pieces[0].remote_offset, 2000);
        assert_int_equal(r->pieces[0].length, 1000);
        harness_write(h, r, 2000, 3000);
        harness_finish(h, r, ENGINE_DONE, ERROR_NONE, false);
        harness_pump(h);
        assert_int_equal(harness_job(h)->state, JOB_SUSPENDED);
        assert_int_equal(harness_job(h)->bytes_durable, 1500);
        harness_crash(h);
        harness_pump(h);
        wanted_range = (struct byte_range) { .offset = 5000, .length = 1 };
        assert_int_equal(harness_call(h, request_wanted_range), ERROR_INVALID_RANGE);
        wanted_range = (struct byte_range) { .offset = 0, .length = TO_EOF };
        assert_int_equal(harness_call(h, request_wanted_range), 0);
        assert_int_equal(harness_job(h)->files[0]->n_ranges, 1);
        assert_int_equal(harness_call(h, manager_resume_job), 0);
        r = harness_request(h, 0);
        assert_int_equal(r->n_pieces, 2);
        harness_write(h, r, 0, 1000);
        harness_write(h, r, 1500, 2000);
        harness_finish(h, r, ENGINE_DONE, ERROR_NONE, false);
        harness_pump(h);
        assert_int_equal(harness_job(h)->state, JOB_TRANSFERRED);
        assert_int_equal(harness_call(h, manager_complete_job), 0);
        harness_assert_content(h, "file", 3000);
}

static size_t count_history(struct harness *h) {
        uint64_t at = UINT64_MAX;
        size_t n = 0;

        while (manager_next_history(h->manager, getuid(), at, &at))
                n++;
        return n;
}

static void fetch_and_end(struct harness *h, unsigned number) {
        char name[16];

        snprintf(name, sizeof(name), "f%u", number);
        assert_int_equal(harness_create(h, name, true, true), 0);
        harness_serve(h, harness_request(h, 0), 10);
}

static void the_history_forgets_what_is_old(void **state) {
        struct harness *h = *state;

        for (unsigned i = 0; i < 3; i++) {
                fetch_and_end(h, i);
                harness_advance(h, 40 * USEC_PER_DAY);
        }
        assert_int_equal(count_history(h), 2); /* 120, 80 and 40 days ago; the limit is 90 */
        assert_int_equal(harness_create(h, "last", true, true), 0);
        harness_serve(h, harness_request(h, 0), 10);
        assert_int_equal(count_history(h), 3);
        harness_restart(h);
        assert_int_equal(count_history(h), 3);
}

static void a_history_that_may_keep_less_keeps_less_at_once(void **state) {
        static const size_t numbers[] = { 2, 0, 7 };
        struct harness *h = *state;

        for (unsigned i = 0; i < 3; i++)
                fetch_and_end(h, i);
        assert_int_equal(count_history(h), 3);
        for (size_t i = 0; i < ELEMENTSOF(numbers); i++) {
                h->limits.history_max_entries = numbers[i];
                manager_set_limits(h->manager, &h->limits, &h->schedule);
                assert_int_equal(count_history(h), i == 0 ? 2 : 0);
        }
}

static void an_idle_service_has_no_deadline(void **state) {
        struct harness *h = *state;

        assert_true(manager_next_deadline(h->manager) == USEC_INFINITY);
        assert_int_equal(harness_create(h, "file", true, true), 0);
        harness_serve(h, harness_request(h, 0), 1000);
        harness_advance(h, USEC_PER_SEC);
        assert_true(manager_next_deadline(h->manager) == USEC_INFINITY);
        assert_false(manager_has_work(h->manager));
}

static void stopping_makes_what_was_received_durable(void **state) {
        struct harness *h = *state;
        struct fake_request *r;

        assert_int_equal(harness_create(h, "file", true, false), 0);
        r = harness_request(h, 0);
        harness_metadata(h, r, 4 * MIB, "\"v1\"");
        harness_write(h, r, 0, MIB);
        harness_pump(h);
        assert_false(manager_is_quiet(h->manager));
        manager_stop(h->manager);
        harness_pump(h);
        assert_true(manager_is_quiet(h->manager));
        harness_restart(h);
        harness_pump(h);
        assert_int_equal(harness_job(h)->bytes_durable, MIB);
        assert_int_equal(harness_request(h, 0)->pieces[0].remote_offset, MIB);
}

static void the_same_files_again_attach_to_the_job_that_is_there(void **state) {
        struct harness *h = *state;
        char path[256];
        struct manager_file_spec file = {
                .file = { .url = "http://origin/x", .path = path, .stated_size = SIZE_UNKNOWN, .mode = 0644 },
        };
        struct manager_create_request request = harness_plain_request("one", &file, 1);
        struct guid first;

        strcpy(path, harness_path(h, "x"));
        request.attach = true;
        assert_int_equal(harness_create_with(h, &request), 0);
        assert_false(h->last.attached);
        first = h->id;
        assert_int_equal(harness_call(h, manager_suspend_job), 0);
        assert_int_equal(harness_create_with(h, &request), 0);
        assert_true(h->last.attached);
        assert_true(guid_equal(&first, &h->id));
        assert_int_equal(harness_job(h)->state, JOB_TRANSFERRING);
        file.file.url = "http://origin/y";
        assert_int_equal(harness_create_with(h, &request), 0);
        assert_false(h->last.attached);
}

static void a_wrong_batch_of_files_leaves_nothing_behind(void **state) {
        struct harness *h = *state;
        char a[256], b[256];
        struct manager_file_spec files[] = {
                { .file = { .url = "http://origin/a", .path = a, .stated_size = SIZE_UNKNOWN, .mode = 0644 } },
                { .file = { .url = "gopher://origin/b", .path = b, .stated_size = SIZE_UNKNOWN, .mode = 0644 } },
        };
        struct manager_create_request request = harness_plain_request("two", files, 2);

        strcpy(a, harness_path(h, "a"));
        strcpy(b, harness_path(h, "b"));
        assert_int_equal(harness_create_with(h, &request), ERROR_PROTOCOL_NOT_AVAILABLE);
        files[1].file.url = "http://origin/b";
        strcpy(b, "relative");
        assert_int_equal(harness_create_with(h, &request), ERROR_INVALID_ARGUMENT);
        strcpy(b, a);
        assert_int_equal(harness_create_with(h, &request), ERROR_DUPLICATE_DESTINATION);
        assert_int_equal(manager_count_jobs(h->manager, &(size_t) { 0 }), 0);
        assert_int_equal(harness_count_temp(h), 0);
        harness_forget(h);
}

/* Cursors may come in any order, and jobs may go between two pages. */
static void pages_go_on_at_any_cursor(void **state) {
        struct harness *h = *state;
        uint64_t sequences[6], sequence;
        char name[8];

        for (size_t i = 0; i < ELEMENTSOF(sequences); i++) {
                snprintf(name, sizeof(name), "f%zu", i);
                assert_int_equal(harness_create(h, name, false, false), 0);
                assert_non_null(manager_next_job(h->manager, getuid(), i ? sequences[i - 1] : 0, &sequences[i]));
        }
        for (size_t i = 0; i < 36; i++) {
                size_t from = i * 5 % 6, peek = i * 7 / 6 % 6;

                (void) manager_next_job(h->manager, getuid(), sequences[peek], &sequence);
                if (from == 5) {
                        assert_null(manager_next_job(h->manager, getuid(), sequences[from], &sequence));
                        continue;
                }
                assert_non_null(manager_next_job(h->manager, getuid(), sequences[from], &sequence));
                assert_true(sequence == sequences[from + 1]);
        }
        /* The last answer was asked for ahead, then its job ended. */
        assert_non_null(manager_next_job(h->manager, getuid(), sequences[4], &sequence));
        assert_int_equal(harness_call(h, manager_cancel_job), 0);
        assert_null(manager_next_job(h->manager, getuid(), sequences[4], &sequence));
        assert_non_null(manager_next_job(h->manager, getuid(), sequences[3], &sequence));
        assert_true(sequence == sequences[4]);
        harness_forget(h);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, harness_setup, harness_teardown)
        const struct CMUnitTest tests[] = {
                TEST(a_job_goes_from_create_to_complete),
                TEST(complete_when_transferred_needs_nobody),
                TEST(progress_becomes_durable_by_checkpoints_only),
                TEST(suspend_keeps_what_came_and_resume_goes_on_there),
                TEST(a_restart_goes_on_from_the_last_checkpoint),
                TEST(a_crash_right_after_the_temp_file_was_made_leaves_none_behind),
                TEST(cancel_removes_the_temp_file),
                TEST(complete_of_a_partial_job_keeps_finished_files_and_drops_the_rest),
                TEST(a_conflict_at_publish_leaves_the_job_transferred),
                TEST(a_destination_that_exists_is_refused_when_it_is_said),
                TEST(an_intent_in_progress_refuses_every_other_change),
                TEST(a_callback_comes_again_until_it_is_taken),
                TEST(an_answer_is_about_what_was_told_and_nothing_later),
                TEST(each_file_is_told_until_it_is_taken_and_then_the_job),
                TEST(time_of_transferring_is_counted_across_restarts_and_ends),
                TEST(a_high_performance_job_makes_no_checkpoints_but_keeps_what_came_when_it_stops),
                TEST(a_job_on_demand_asks_for_what_is_wanted_and_then_waits),
                TEST(a_bad_verdict_throws_the_content_away_and_resume_fetches_it_anew),
                TEST(the_history_forgets_what_is_old),
                TEST(a_history_that_may_keep_less_keeps_less_at_once),
                TEST(an_idle_service_has_no_deadline),
                TEST(stopping_makes_what_was_received_durable),
                TEST(the_same_files_again_attach_to_the_job_that_is_there),
                TEST(a_wrong_batch_of_files_leaves_nothing_behind),
                TEST(pages_go_on_at_any_cursor),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

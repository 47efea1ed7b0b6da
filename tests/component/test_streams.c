/* Files whose bytes a program takes as they come (manager/stream.c): what it may read, where the engine is held, and whose all of it is. */
#include "harness.h"

#include <openssl/evp.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fds.h"
#include "base/strings.h"
#include "content/integrity.h"
#include "files/ops.h"
#include "protocol/limits.h"

#define WINDOW ((uint64_t) LIMIT_STREAM_WINDOW)
#define PIECE 1024
#define SIZE (4 * PIECE + 100)

static const char one_client, other_client;

/* ---- what a client says ---- */

struct answer {
        unsigned n;
        int outcome;
        uint64_t available;
};

static void on_answer(const struct manager_reply *reply, void *userdata) {
        struct answer *answer = userdata;

        answer->n++;
        answer->outcome = reply->outcome;
        answer->available = reply->available;
}

static struct job_file *file_of(struct harness *h, const struct guid *id) {
        struct job *job = manager_find_job(h->manager, h->owner, id);

        assert_non_null(job);
        return job->files[0];
}

static struct job_file *the_file(struct harness *h) {
        return file_of(h, &h->id);
}

static int set_stream(struct harness *h, const void *client) {
        struct answer answer = {};

        manager_set_file_stream(h->manager, the_file(h), client, on_answer, &answer);
        harness_pump(h);
        assert_int_equal(answer.n, 1);
        return answer.outcome;
}

/* The answer to one call that does not wait. */
static struct answer take_as(struct harness *h, const void *client, uint64_t taken) {
        struct answer answer = {};

        manager_take_stream(h->manager, the_file(h), client, taken, false, on_answer, &answer);
        harness_pump(h);
        assert_int_equal(answer.n, 1);
        return answer;
}

static uint64_t take(struct harness *h, uint64_t taken) {
        struct answer answer = take_as(h, &one_client, taken);

        assert_int_equal(answer.outcome, 0);
        return answer.available;
}

static void fail_stream(struct harness *h, uint32_t hresult) {
        struct answer answer = {};

        manager_fail_stream(h->manager, the_file(h), &one_client, hresult, on_answer, &answer);
        harness_pump(h);
        assert_int_equal(answer.n, 1);
        assert_int_equal(answer.outcome, 0);
}

/* A job with one file that has no place to go to. */
static void create(struct harness *h, const struct job_file_spec *more) {
        struct manager_file_spec file = { .file = *more };

        file.file.url = "http://origin/f";
        file.file.path = "";
        file.file.stated_size = SIZE_UNKNOWN;
        file.file.mode = 0644;
        assert_int_equal(harness_create_with(h, &(struct manager_create_request) {
                        .family = JOB_FAMILY_DO,
                        .name = "s",
                        .priority = JOB_PRIORITY_FOREGROUND,
                        .replace = -1,
                        .remote_time = -1,
                        .no_progress_timeout_s = -1,
                        .minimum_retry_delay_s = -1,
                        .notify_flags = -1,
                        .files = &file,
                        .n_files = 1,
                }), 0);
        harness_forget(h);
}

/* It runs, and one client reads from the descriptor that is returned (to be closed). */
static int begin(struct harness *h, const struct job_file_spec *more) {
        int fd;

        create(h, more);
        assert_int_equal(set_stream(h, &one_client), 0);
        fd = manager_open_stream(h->manager, the_file(h), &one_client);
        assert_true(fd >= 0);
        assert_int_equal(harness_call(h, manager_resume_job), 0);
        return fd;
}

static void show_ten(struct harness *h, struct fake_request *r) {
        harness_metadata(h, r, SIZE, "\"v1\"");
        harness_write(h, r, 0, 10);
        harness_pump(h);
        assert_int_equal(take(h, 0), 10);
}

static void assert_readable(int fd, uint64_t start, uint64_t end) {
        _cleanup_free_ uint8_t *bytes = malloc(end - start + 1);

        assert_int_equal(fd_pread_all(fd, bytes, end - start, start), end - start);
        for (uint64_t i = start; i < end; i++)
                assert_int_equal(bytes[i - start], harness_content(i));
}

static uint64_t bytes_in_memory(int fd) {
        struct stat st;

        assert_return_code(fstat(fd, &st), errno);
        return (uint64_t) st.st_blocks * 512;
}

/* ---- the window ---- */

static void the_engine_is_held_a_window_behind_what_was_taken(void **state) {
        struct harness *h = *state;
        _cleanup_close_ int fd = begin(h, &(struct job_file_spec) {});
        struct fake_request *r = harness_request(h, 0);

        assert_int_equal(r->pace.hold_at, WINDOW);
        harness_metadata(h, r, 3 * WINDOW, "\"v1\"");
        harness_write(h, r, 0, WINDOW);
        harness_pump(h);
        assert_int_equal(take(h, 0), WINDOW);
        assert_int_equal(r->pace.hold_at, WINDOW); /* shown is not taken */
        assert_readable(fd, 0, WINDOW);
        assert_int_equal(take(h, WINDOW / 2), WINDOW);
        assert_int_equal(r->pace.hold_at, WINDOW + WINDOW / 2);
        assert_int_equal(bytes_in_memory(fd), WINDOW / 2); /* the rest was given back */
        harness_advance(h, 10 * USEC_PER_SEC); /* paces are told anew */
        assert_int_equal(r->pace.hold_at, WINDOW + WINDOW / 2);
        harness_write(h, r, WINDOW, WINDOW + WINDOW / 2);
        harness_pump(h);
        assert_int_equal(take(h, WINDOW), WINDOW + WINDOW / 2);
        assert_readable(fd, WINDOW, WINDOW + WINDOW / 2);
        assert_int_equal(r->pace.hold_at, 2 * WINDOW);
}

static void an_engine_that_ends_at_the_hold_is_asked_for_the_rest_when_there_is_room(void **state) {
        struct harness *h = *state;
        _cleanup_close_ int fd = begin(h, &(struct job_file_spec) {});
        struct fake_request *r = harness_request(h, 0);

        harness_metadata(h, r, WINDOW + 10, "\"v1\"");
        harness_write(h, r, 0, WINDOW);
        harness_finish(h, r, ENGINE_FAILED, ERROR_CONNECTION_CLOSED, true); /* the server had no patience */
        harness_pump(h);
        assert_int_equal(harness_job(h)->state, JOB_TRANSIENT_ERROR);
        assert_int_equal(take(h, 0), WINDOW); /* what came can be read meanwhile */
        harness_advance(h, 10 * USEC_PER_MINUTE);
        assert_int_equal(harness_running(h), 0); /* there is no room for any of it */
        assert_int_equal(harness_job(h)->state, JOB_TRANSFERRING);
        assert_int_equal(take(h, 1), WINDOW);
        r = harness_request(h, 0);
        assert_int_equal(r->pieces[0].remote_offset, WINDOW);
        assert_int_equal(r->pace.hold_at, WINDOW + 1);
        harness_write(h, r, WINDOW, WINDOW + 10); /* give or take one buffer */
        harness_finish(h, r, ENGINE_DONE, ERROR_NONE, false);
        harness_pump(h);
        assert_int_equal(take(h, WINDOW), WINDOW + 10);
        assert_int_equal(harness_job(h)->state, JOB_TRANSFERRING);
        assert_readable(fd, WINDOW, WINDOW + 10);
        (void) take(h, WINDOW + 10);
        assert_int_equal(harness_job(h)->state, JOB_TRANSFERRED);
}

/* Seconds of a program that does not come back: nothing is lost, nothing fails, and other jobs go on. */
static void a_program_that_takes_long_holds_up_nobody_else(void **state) {
        struct harness *h = *state;
        _cleanup_close_ int fd = begin(h, &(struct job_file_spec) {});
        struct guid stream = h->id;
        struct fake_request *r = harness_request(h, 0);

        harness_metadata(h, r, 2 * WINDOW, "\"v1\"");
        harness_write(h, r, 0, WINDOW);
        harness_pump(h);
        assert_int_equal(take(h, 0), WINDOW);
        assert_int_equal(harness_create(h, "other", true, true), 0);
        harness_serve(h, harness_request(h, 0), 1000);
        assert_true(harness_exists(h, "other"));
        for (unsigned i = 0; i < 60; i++)
                harness_advance(h, USEC_PER_MINUTE);
        h->id = stream;
        assert_int_equal(harness_job(h)->state, JOB_TRANSFERRING);
        assert_int_equal(harness_job(h)->error.code, ERROR_NONE);
        assert_int_equal(take(h, WINDOW), WINDOW);
        harness_write(h, r, WINDOW, 2 * WINDOW);
        harness_finish(h, r, ENGINE_DONE, ERROR_NONE, false);
        harness_pump(h);
        assert_int_equal(take(h, WINDOW), 2 * WINDOW);
        (void) take(h, 2 * WINDOW);
        assert_int_equal(harness_job(h)->state, JOB_TRANSFERRED);
        assert_int_equal(bytes_in_memory(fd), 0);
}

static void ranges_behind_the_window_are_asked_for_later(void **state) {
        const struct byte_range ranges[] = { { 100, 2 * WINDOW }, { 5 * WINDOW, 50 } };
        struct harness *h = *state;
        _cleanup_close_ int fd _unused_ = begin(h, &(struct job_file_spec) { .ranges = ranges, .n_ranges = ELEMENTSOF(ranges) });
        struct fake_request *r = harness_request(h, 0);

        assert_int_equal(r->n_pieces, 1);
        assert_int_equal(r->pieces[0].remote_offset, 100);
        harness_metadata(h, r, 6 * WINDOW, "\"v1\"");
        assert_int_equal(harness_write_next(h, r, 6 * WINDOW, WINDOW), WINDOW);
        harness_pump(h);
        assert_int_equal(take(h, 0), WINDOW);
        assert_int_equal(take(h, WINDOW), WINDOW);
        assert_int_equal(harness_write_next(h, r, 6 * WINDOW, WINDOW), WINDOW);
        harness_finish(h, r, ENGINE_DONE, ERROR_NONE, false);
        harness_pump(h);
        assert_int_equal(take(h, WINDOW), 2 * WINDOW);
        assert_int_equal(take(h, 2 * WINDOW), 2 * WINDOW);
        r = harness_request(h, 0);
        assert_int_equal(r->n_pieces, 1);
        assert_int_equal(r->pieces[0].remote_offset, 5 * WINDOW);
        assert_int_equal(r->pieces[0].local_offset, 2 * WINDOW);
        assert_int_equal(harness_write_next(h, r, 6 * WINDOW, WINDOW), 50);
        harness_finish(h, r, ENGINE_DONE, ERROR_NONE, false);
        harness_pump(h);
        assert_int_equal(take(h, 2 * WINDOW), 2 * WINDOW + 50);
        (void) take(h, 2 * WINDOW + 50);
        assert_int_equal(harness_job(h)->state, JOB_TRANSFERRED);
}

/* ---- what may be said ---- */

static void only_what_was_shown_is_taken_and_nothing_is_taken_back(void **state) {
        struct harness *h = *state;
        _cleanup_close_ int fd _unused_ = begin(h, &(struct job_file_spec) {});
        struct fake_request *r = harness_request(h, 0);

        harness_metadata(h, r, SIZE, "\"v1\"");
        harness_write(h, r, 0, 1000);
        harness_pump(h);
        assert_int_equal(take_as(h, &one_client, 1).outcome, ERROR_INVALID_ARGUMENT); /* it came, and nobody was told */
        assert_int_equal(take(h, 0), 1000);
        assert_int_equal(take_as(h, &one_client, 1001).outcome, ERROR_INVALID_ARGUMENT);
        assert_int_equal(take_as(h, &one_client, UINT64_MAX).outcome, ERROR_INVALID_ARGUMENT);
        assert_int_equal(take(h, 600), 1000);
        assert_int_equal(take_as(h, &one_client, 599).outcome, ERROR_INVALID_ARGUMENT);
        assert_int_equal(take(h, MANAGER_SIZE_UNCHANGED), 1000);
        assert_int_equal(take(h, 1000), 1000);
}

static void one_that_waits_is_answered_once_when_more_comes(void **state) {
        struct harness *h = *state;
        _cleanup_close_ int fd _unused_ = begin(h, &(struct job_file_spec) {});
        struct fake_request *r = harness_request(h, 0);
        struct answer first = {}, second = {};

        harness_metadata(h, r, SIZE, "\"v1\"");
        manager_take_stream(h->manager, the_file(h), &one_client, 0, true, on_answer, &first);
        harness_pump(h);
        assert_int_equal(first.n, 0);
        manager_take_stream(h->manager, the_file(h), &one_client, 0, true, on_answer, &second);
        harness_pump(h);
        assert_int_equal(first.n, 1); /* whoever waited before is sent home */
        assert_int_equal(first.available, 0);
        assert_int_equal(second.n, 0);
        harness_write(h, r, 0, 10);
        harness_pump(h);
        harness_write(h, r, 10, 20);
        harness_pump(h);
        assert_int_equal(first.n, 1);
        assert_int_equal(second.n, 1);
        assert_int_equal(second.available, 10);
        assert_int_equal(take(h, 10), 20);
}

static void a_job_that_stands_shows_nothing_more_until_it_goes_on(void **state) {
        struct harness *h = *state;
        _cleanup_close_ int fd _unused_ = begin(h, &(struct job_file_spec) {});
        struct fake_request *r = harness_request(h, 0);
        struct answer waits = {};

        show_ten(h, r);
        harness_write(h, r, 10, 20);
        assert_int_equal(harness_call(h, manager_suspend_job), 0);
        manager_take_stream(h->manager, the_file(h), &one_client, 10, true, on_answer, &waits);
        harness_pump(h);
        assert_int_equal(waits.n, 0);
        assert_int_equal(harness_call(h, manager_resume_job), 0);
        assert_int_equal(waits.n, 1);
        assert_int_equal(waits.available, 20);
        r = harness_request(h, 0);
        assert_int_equal(r->pieces[0].remote_offset, 20); /* what it holds counts */
        assert_string_equal(r->etag, "\"v1\"");
        assert_int_equal(r->pace.hold_at, WINDOW + 10);
}

static void what_a_program_fails_with_is_what_the_job_ends_with(void **state) {
        struct harness *h = *state;
        _cleanup_close_ int fd = begin(h, &(struct job_file_spec) {});
        struct fake_request *r = harness_request(h, 0);

        show_ten(h, r);
        (void) take(h, 4);
        fail_stream(h, 0x80040123);
        assert_int_equal(harness_job(h)->state, JOB_ERROR);
        assert_int_equal(harness_job(h)->error.code, ERROR_SINK_FAILED);
        assert_int_equal(harness_job(h)->error.detail, 0x80040123);
        assert_int_equal(harness_running(h), 0);
        assert_int_equal(harness_call(h, manager_resume_job), 0);
        r = harness_request(h, 0);
        harness_write(h, r, r->pieces[0].local_offset, SIZE);
        harness_finish(h, r, ENGINE_DONE, ERROR_NONE, false);
        harness_pump(h);
        assert_int_equal(take(h, 4), SIZE);
        assert_readable(fd, 4, SIZE);
        (void) take(h, SIZE);
        assert_int_equal(harness_job(h)->state, JOB_TRANSFERRED);
}

static void what_was_shown_cannot_change_any_more(void **state) {
        for (unsigned shown = 0; shown < 2; shown++) {
                struct harness *h = *state;
                _cleanup_close_ int fd _unused_ = begin(h, &(struct job_file_spec) {});
                struct fake_request *r = harness_request(h, 0);

                harness_metadata(h, r, SIZE, "\"v1\"");
                harness_write(h, r, 0, 10);
                harness_pump(h);
                if (shown)
                        assert_int_equal(take(h, 0), 10);
                harness_finish(h, r, ENGINE_RESTART, ERROR_REMOTE_FILE_CHANGED, false);
                harness_pump(h);
                if (shown) {
                        assert_int_equal(harness_job(h)->state, JOB_ERROR);
                        assert_int_equal(harness_job(h)->error.code, ERROR_REMOTE_FILE_CHANGED);
                } else
                        assert_int_equal(harness_request(h, 0)->pieces[0].remote_offset, 0);
                assert_int_equal(harness_call(h, manager_cancel_job), 0);
        }
}

static struct manager_properties wanted;

static void set_wanted(struct manager *m, struct job *job, manager_reply_fn reply, void *userdata) {
        manager_set_properties(m, job, &wanted, reply, userdata);
}

static void what_a_stream_cannot_keep_is_refused_whichever_comes_first(void **state) {
        static const struct {
                bool dynamic_content, on_demand;
                int error;
        } rows[] = {
                { .dynamic_content = true, .error = ERROR_NOT_IMPLEMENTED },
                { .on_demand = true, .error = ERROR_RANDOM_ACCESS_NOT_SUPPORTED },
        };
        struct harness *h = *state;

        for (size_t i = 0; i < 2 * ELEMENTSOF(rows); i++) {
                bool stream_first = i % 2;
                int error = rows[i / 2].error;

                wanted = MANAGER_PROPERTIES_NONE;
                wanted.dynamic_content = rows[i / 2].dynamic_content ? 1 : -1;
                wanted.on_demand = rows[i / 2].on_demand ? 1 : -1;
                create(h, &(struct job_file_spec) {});
                assert_int_equal(stream_first ? set_stream(h, &one_client) : harness_call(h, set_wanted), 0);
                assert_int_equal(stream_first ? harness_call(h, set_wanted) : set_stream(h, &one_client), error);
                assert_int_equal(harness_call(h, manager_cancel_job), 0);
        }
        /* What it is already: it goes with its client. */
        create(h, &(struct job_file_spec) {});
        assert_int_equal(set_stream(h, &one_client), 0);
        wanted = MANAGER_PROPERTIES_NONE;
        wanted.is_volatile = 0;
        assert_int_equal(harness_call(h, set_wanted), ERROR_INVALID_STATE);
        assert_true(harness_job(h)->is_volatile);
        assert_int_equal(set_stream(h, &one_client), 0); /* again, by the same: nothing happens */
}

/* ---- whose it is ---- */

static void nobody_else_reads_takes_or_sets_it(void **state) {
        struct harness *h = *state;
        _cleanup_close_ int fd _unused_ = begin(h, &(struct job_file_spec) {});

        assert_int_equal(manager_open_stream(h->manager, the_file(h), &other_client), -EBADF);
        assert_int_equal(take_as(h, &other_client, 0).outcome, ERROR_INVALID_STATE);
        assert_int_equal(set_stream(h, &other_client), ERROR_SINK_ALREADY_SET);
        assert_int_equal(harness_job(h)->state, JOB_TRANSFERRING);
}

/* Design decision 18. */
static void the_client_goes_in_mid_stream_and_all_of_it_goes_and_nothing_else(void **state) {
        struct harness *h = *state;
        _cleanup_close_ int fd _unused_ = begin(h, &(struct job_file_spec) {});
        struct guid stream = h->id, other;
        struct fake_request *r = harness_request(h, 0);
        struct answer waits = {};

        harness_metadata(h, r, 2 * WINDOW, "\"v1\"");
        harness_write(h, r, 0, WINDOW);
        harness_pump(h);
        assert_int_equal(take(h, 0), WINDOW);
        manager_take_stream(h->manager, the_file(h), &one_client, 1000, false, on_answer, &waits); /* its memory is on its way back */
        manager_take_stream(h->manager, the_file(h), &one_client, WINDOW, true, on_answer, &waits);
        assert_int_equal(waits.n, 1);

        create(h, &(struct job_file_spec) {});
        other = h->id;
        assert_int_equal(set_stream(h, &other_client), 0);
        assert_int_equal(harness_call(h, manager_resume_job), 0);
        assert_int_equal(harness_create(h, "plain", true, false), 0);
        assert_int_equal(harness_running(h), 3);

        manager_client_gone(h->manager, &one_client);
        harness_pump(h);
        assert_int_equal(waits.n, 2);
        assert_int_equal(file_of(h, &stream)->job->state, JOB_CANCELLED);
        assert_int_equal(manager_open_stream(h->manager, file_of(h, &stream), &one_client), -EBADF);
        assert_int_equal(harness_running(h), 2);
        assert_int_equal(harness_count_temp(h), 1); /* the plain one's */
        harness_serve(h, harness_request(h, 0), 100);
        assert_int_equal(harness_job(h)->state, JOB_TRANSFERRED);
        h->id = other;
        assert_int_equal(harness_job(h)->state, JOB_TRANSFERRING);
        r = harness_request(h, 0);
        harness_serve(h, r, SIZE);
        assert_int_equal(take_as(h, &other_client, 0).available, SIZE);
        assert_int_equal(take_as(h, &other_client, SIZE).outcome, 0);
        assert_int_equal(harness_job(h)->state, JOB_TRANSFERRED);
        assert_int_equal(h->failed, 0);
}

/* ---- a window whose beginning cannot be given back ---- */

static const struct files_ops *real_ops;
static files_done_fn dropped;
static void *dropped_userdata;

static int drop_some_day(struct files *files _unused_, struct files_handle *handle _unused_, uint64_t start _unused_, uint64_t end _unused_,
                         files_done_fn done, void *userdata) {
        dropped = done;
        dropped_userdata = userdata;
        return 0;
}

/* The job is being cancelled, or (@final) that is being recorded. */
static void assert_ends_in_spite_of_its_window(struct harness *h, bool final) {
        struct files_ops ops = *h->files->ops;
        struct fake_request *r;
        int fd = begin(h, &(struct job_file_spec) {});

        real_ops = h->files->ops;
        ops.window_drop = drop_some_day;
        h->files->ops = &ops;
        r = harness_request(h, 0);
        show_ten(h, r);
        (void) take(h, 5);
        h->files->ops = real_ops;
        harness_forget(h);
        manager_cancel_job(h->manager, the_file(h)->job, NULL, NULL);
        assert_true(r->stop_asked);
        harness_finish(h, r, ENGINE_STOPPED, ERROR_NONE, false);
        if (final) {
                manager_turn(h->manager);
                (void) store_dispatch(h->store);
                assert_int_equal(the_file(h)->job->state, JOB_CANCELLED);
        }
        dropped(-ENOMEM, dropped_userdata);
        harness_pump(h);
        assert_non_null(strstr(h->log, "removed s cancelled\n"));
        if (final)
                assert_int_equal(harness_job(h)->error.code, ERROR_NONE);
        close(fd);
}

static void what_goes_wrong_with_the_window_of_a_job_that_ends_is_no_matter(void **state) {
        assert_ends_in_spite_of_its_window(*state, false);
        assert_ends_in_spite_of_its_window(*state, true);
}

static void nothing_of_a_stream_outlives_the_service(void **state) {
        struct harness *h = *state;
        _cleanup_close_ int fd _unused_ = begin(h, &(struct job_file_spec) {});

        harness_metadata(h, harness_request(h, 0), SIZE, "\"v1\"");
        harness_write(h, harness_request(h, 0), 0, 1000);
        harness_pump(h);
        assert_int_equal(take(h, 0), 1000);
        harness_crash(h);
        harness_pump(h);
        assert_int_equal(harness_job(h)->state, JOB_CANCELLED);
        assert_int_equal(take_as(h, &one_client, 1000).outcome, ERROR_INVALID_STATE);
        assert_int_equal(harness_running(h), 0);
        assert_int_equal(harness_count_temp(h), 0);
}

/* ---- what guards it ---- */

static void a_digest_is_compared_when_all_was_taken(void **state) {
        for (unsigned wrong = 0; wrong < 2; wrong++) {
                struct harness *h = *state;
                _cleanup_close_ int fd = -EBADF;
                struct fake_request *r;
                uint8_t sha256[32];

                harness_digest(SIZE, sha256);
                sha256[31] ^= (uint8_t) wrong;
                fd = begin(h, &(struct job_file_spec) { .sha256 = sha256 });
                r = harness_request(h, 0);
                harness_serve(h, r, SIZE);
                assert_int_equal(harness_job(h)->state, JOB_TRANSFERRING); /* nobody knows yet */
                assert_int_equal(take(h, 0), SIZE);
                assert_int_equal(take(h, 1000), SIZE);
                assert_int_equal(take(h, SIZE - 1), SIZE);
                assert_int_equal(harness_job(h)->state, JOB_TRANSFERRING);
                (void) take(h, SIZE);
                assert_int_equal(harness_job(h)->state, wrong ? JOB_ERROR : JOB_TRANSFERRED);
                if (!wrong)
                        continue;
                assert_int_equal(harness_job(h)->error.code, ERROR_DIGEST_MISMATCH);
                assert_int_equal(harness_call(h, manager_resume_job), 0);
                assert_int_equal(harness_job(h)->state, JOB_ERROR); /* trying again does not make it true */
                assert_int_equal(harness_job(h)->error.code, ERROR_DIGEST_MISMATCH);
                assert_int_equal(harness_running(h), 0);
                assert_int_equal(harness_call(h, manager_complete_job), 0); /* nothing is published */
        }
}

/* The piece hash file for the harness's content, and the text that says where it is; with pieces of @piece bytes. */
struct metainfo {
        char *text;
        size_t size;
        char *info;
};

static struct metainfo make_metainfo(uint64_t size, uint32_t piece) {
        struct piece_hashes pieces = { .content_length = size, .piece_bytes = piece, .n_pieces = (size_t) piece_hashes_count(size, piece) };
        uint8_t (*hashes)[PIECE_HASH_BYTES] = calloc(pieces.n_pieces, sizeof(*hashes));
        struct integrity_info info = { .url = (char *) "http://origin/f.hashes", .has_digest = true };
        uint8_t *bytes = malloc(size);
        struct metainfo ret;

        pieces.hashes = hashes;
        for (uint64_t i = 0; i < size; i++)
                bytes[i] = harness_content(i);
        for (size_t i = 0; i < pieces.n_pieces; i++)
                assert_int_equal(EVP_Digest(bytes + i * piece, piece_hashes_end(&pieces, i) - i * piece, hashes[i], NULL, EVP_sha256(), NULL), 1);
        assert_int_equal(piece_hashes_write(&pieces, &ret.text, &ret.size), 0);
        assert_int_equal(EVP_Digest(ret.text, ret.size, info.digest, NULL, EVP_sha256(), NULL), 1);
        assert_int_equal(integrity_info_write(&info, &ret.info), 0);
        free(hashes);
        free(bytes);
        return ret;
}

static void metainfo_done(struct metainfo *metainfo) {
        free(metainfo->text);
        free(metainfo->info);
}

static int begin_judged(struct harness *h, uint64_t size, uint32_t piece) {
        struct metainfo metainfo = make_metainfo(size, piece);
        int fd = begin(h, &(struct job_file_spec) { .integrity_info = metainfo.info, .integrity_mandatory = true });

        assert_string_equal(harness_request(h, 0)->url, "http://origin/f.hashes");
        assert_int_equal(harness_request(h, 0)->pace.hold_at, 0); /* those are not for the program */
        harness_serve_bytes(h, harness_request(h, 0), metainfo.text, metainfo.size);
        assert_string_equal(harness_request(h, 0)->url, "http://origin/f");
        metainfo_done(&metainfo);
        return fd;
}

static void a_piece_is_shown_when_its_hash_vouched_for_it(void **state) {
        struct harness *h = *state;
        _cleanup_close_ int fd = begin_judged(h, SIZE, PIECE);
        struct fake_request *r = harness_request(h, 0);

        harness_metadata(h, r, SIZE, "\"v1\"");
        harness_write(h, r, 0, 2 * PIECE + PIECE / 2);
        harness_pump(h);
        assert_int_equal(take(h, 0), 2 * PIECE);
        harness_write(h, r, 2 * PIECE + PIECE / 2, SIZE);
        harness_finish(h, r, ENGINE_DONE, ERROR_NONE, false);
        harness_pump(h);
        assert_int_equal(take(h, 2 * PIECE), SIZE);
        assert_readable(fd, 2 * PIECE, SIZE);
        (void) take(h, SIZE);
        assert_int_equal(harness_job(h)->state, JOB_TRANSFERRED);
        assert_int_equal(the_file(h)->integrity, FILE_INTEGRITY_VERIFIED);
}

static void nothing_of_a_bad_piece_is_shown_and_it_is_fetched_again(void **state) {
        struct harness *h = *state;
        _cleanup_close_ int fd = begin_judged(h, SIZE, PIECE);
        struct fake_request *r = harness_request(h, 0);

        h->spoiled = 2 * PIECE + 7;
        harness_metadata(h, r, SIZE, "\"v1\"");
        harness_write(h, r, 0, SIZE);
        harness_pump(h);
        assert_int_equal(take(h, 0), 2 * PIECE);
        harness_finish(h, r, ENGINE_DONE, ERROR_NONE, false);
        harness_pump(h);
        assert_int_equal(take(h, 2 * PIECE), 2 * PIECE);
        h->spoiled = UINT64_MAX;
        r = harness_request(h, 0);
        assert_int_equal(r->n_pieces, 1);
        assert_int_equal(r->pieces[0].remote_offset, 2 * PIECE);
        assert_int_equal(r->pieces[0].length, PIECE);
        harness_write(h, r, 2 * PIECE, 2 * PIECE + PIECE / 2);
        harness_pump(h);
        assert_int_equal(take(h, 2 * PIECE), 2 * PIECE);
        harness_write(h, r, 2 * PIECE + PIECE / 2, 3 * PIECE);
        harness_finish(h, r, ENGINE_DONE, ERROR_NONE, false);
        harness_pump(h);
        assert_int_equal(take(h, 2 * PIECE), SIZE);
        assert_readable(fd, 2 * PIECE, SIZE);
        (void) take(h, SIZE);
        assert_int_equal(harness_job(h)->state, JOB_TRANSFERRED);
}

static void a_piece_that_stays_bad_ends_the_stream_before_it(void **state) {
        struct harness *h = *state;
        _cleanup_close_ int fd _unused_ = begin_judged(h, SIZE, PIECE);
        struct fake_request *r = harness_request(h, 0);
        struct answer waits = {};

        h->spoiled = 2 * PIECE;
        harness_metadata(h, r, SIZE, "\"v1\"");
        harness_write(h, r, 0, SIZE);
        harness_finish(h, r, ENGINE_DONE, ERROR_NONE, false);
        harness_pump(h);
        assert_int_equal(take(h, 0), 2 * PIECE);
        manager_take_stream(h->manager, the_file(h), &one_client, 2 * PIECE, true, on_answer, &waits);
        while (harness_running(h) > 0) {
                r = harness_request(h, 0);
                assert_int_equal(r->pieces[0].remote_offset, 2 * PIECE);
                harness_write(h, r, 2 * PIECE, 3 * PIECE);
                harness_finish(h, r, ENGINE_DONE, ERROR_NONE, false);
                harness_pump(h);
        }
        assert_int_equal(harness_job(h)->state, JOB_ERROR);
        assert_int_equal(harness_job(h)->error.code, ERROR_BAD_PIECE_HASH);
        assert_int_equal(waits.n, 0); /* somebody may resume it */
        assert_int_equal(take(h, 2 * PIECE), 2 * PIECE);
        assert_int_equal(harness_call(h, manager_cancel_job), 0);
        assert_int_equal(waits.n, 1);
}

/* A window that is smaller than a piece would never show any of it. */
static void a_window_has_room_for_two_pieces_however_large_they_are(void **state) {
        const uint64_t piece = WINDOW + 4096, size = 2 * piece + 1;
        struct harness *h = *state;
        _cleanup_close_ int fd _unused_ = begin_judged(h, size, (uint32_t) piece);
        struct fake_request *r = harness_request(h, 0);

        harness_metadata(h, r, size, "\"v1\"");
        assert_int_equal(r->pace.hold_at, 2 * piece);
        harness_write(h, r, 0, 2 * piece - 1);
        harness_pump(h);
        assert_int_equal(take(h, 0), piece);
        assert_int_equal(take(h, piece), piece);
        assert_int_equal(r->pace.hold_at, 3 * piece);
        harness_write(h, r, 2 * piece - 1, size);
        harness_finish(h, r, ENGINE_DONE, ERROR_NONE, false);
        harness_pump(h);
        assert_int_equal(take(h, piece), size);
        (void) take(h, size);
        assert_int_equal(harness_job(h)->state, JOB_TRANSFERRED);
}

/* After a break the hashes are asked for anew; what was shown before stays shown, and what was judged is not fetched again. */
static void a_judged_stream_goes_on_after_a_break(void **state) {
        struct harness *h = *state;
        _cleanup_close_ int fd = begin_judged(h, SIZE, PIECE);
        struct metainfo metainfo = make_metainfo(SIZE, PIECE);
        struct fake_request *r = harness_request(h, 0);

        harness_metadata(h, r, SIZE, "\"v1\"");
        harness_write(h, r, 0, 2 * PIECE + 10);
        harness_pump(h);
        assert_int_equal(take(h, 0), 2 * PIECE);
        (void) take(h, 100);
        harness_finish(h, r, ENGINE_FAILED, ERROR_CONNECTION_CLOSED, true);
        harness_pump(h);
        harness_advance(h, 10 * USEC_PER_MINUTE);
        assert_int_equal(take(h, 200), 2 * PIECE);
        r = harness_request(h, 0);
        assert_string_equal(r->url, "http://origin/f.hashes");
        harness_serve_bytes(h, r, metainfo.text, metainfo.size);
        r = harness_request(h, 0);
        assert_int_equal(r->pieces[0].remote_offset, 2 * PIECE); /* ten bytes of a piece vouch for nothing */
        assert_int_equal(take(h, 200), 2 * PIECE);
        harness_write(h, r, 2 * PIECE, SIZE);
        harness_finish(h, r, ENGINE_DONE, ERROR_NONE, false);
        harness_pump(h);
        assert_int_equal(take(h, 200), SIZE);
        assert_readable(fd, 200, SIZE);
        (void) take(h, SIZE);
        assert_int_equal(harness_job(h)->state, JOB_TRANSFERRED);
        metainfo_done(&metainfo);
}

static void an_owner_has_only_so_many_windows(void **state) {
        static struct manager_file_spec files[LIMIT_STREAMS + 1];
        struct harness *h = *state;
        struct job *job;

        for (size_t i = 0; i < ELEMENTSOF(files); i++)
                files[i].file = (struct job_file_spec) { .url = "http://origin/f", .path = "", .stated_size = SIZE_UNKNOWN, .mode = 0644 };
        assert_int_equal(harness_create_with(h, &(struct manager_create_request) {
                        .family = JOB_FAMILY_DO, .name = "s", .priority = JOB_PRIORITY_FOREGROUND, .replace = -1, .remote_time = -1,
                        .no_progress_timeout_s = -1, .minimum_retry_delay_s = -1, .notify_flags = -1,
                        .files = files, .n_files = ELEMENTSOF(files),
                }), 0);
        job = harness_job(h);
        for (size_t i = 0; i <= LIMIT_STREAMS; i++) {
                struct answer answer = {};

                manager_set_file_stream(h->manager, job->files[i], &one_client, on_answer, &answer);
                harness_pump(h);
                assert_int_equal(answer.outcome, i < LIMIT_STREAMS ? 0 : ERROR_TOO_MANY_REQUESTS);
        }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, harness_setup, harness_teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(an_owner_has_only_so_many_windows),
                TEST(the_engine_is_held_a_window_behind_what_was_taken),
                TEST(an_engine_that_ends_at_the_hold_is_asked_for_the_rest_when_there_is_room),
                TEST(a_program_that_takes_long_holds_up_nobody_else),
                TEST(ranges_behind_the_window_are_asked_for_later),
                TEST(only_what_was_shown_is_taken_and_nothing_is_taken_back),
                TEST(one_that_waits_is_answered_once_when_more_comes),
                TEST(a_job_that_stands_shows_nothing_more_until_it_goes_on),
                TEST(what_a_program_fails_with_is_what_the_job_ends_with),
                TEST(what_was_shown_cannot_change_any_more),
                TEST(what_a_stream_cannot_keep_is_refused_whichever_comes_first),
                TEST(nobody_else_reads_takes_or_sets_it),
                TEST(the_client_goes_in_mid_stream_and_all_of_it_goes_and_nothing_else),
                TEST(what_goes_wrong_with_the_window_of_a_job_that_ends_is_no_matter),
                TEST(nothing_of_a_stream_outlives_the_service),
                TEST(a_digest_is_compared_when_all_was_taken),
                TEST(a_piece_is_shown_when_its_hash_vouched_for_it),
                TEST(nothing_of_a_bad_piece_is_shown_and_it_is_fetched_again),
                TEST(a_piece_that_stays_bad_ends_the_stream_before_it),
                TEST(a_window_has_room_for_two_pieces_however_large_they_are),
                TEST(a_judged_stream_goes_on_after_a_break),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

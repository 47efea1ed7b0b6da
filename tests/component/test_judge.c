/* Servers' certificates that a program judges: who is asked, how often, and what becomes of the job after each answer. */
#include "harness.h"

#define SIZE 1000

static struct {
        unsigned n;
        uint32_t file;
        int refuses; /* ask() answers this */
        char bytes[16], all[16];
} asked;

static int ask(void *userdata _unused_, const struct job_file *file, const struct manager_certificate *certificate) {
        if (asked.refuses < 0)
                return asked.refuses;
        asked.n++;
        asked.file = file->index;
        snprintf(asked.bytes, sizeof(asked.bytes), "%.*s", (int) certificate->n_bytes, (const char *) certificate->bytes);
        snprintf(asked.all, sizeof(asked.all), "%.*s", (int) certificate->n_all, (const char *) certificate->all);
        return 0;
}

static const struct manager_judge judge = { .ask = ask };

static int setup(void **state) {
        memset(&asked, 0, sizeof(asked));
        *state = harness_new();
        return 0;
}

static bool wanted;

static void want(struct manager *m, struct job *job, manager_reply_fn fn, void *userdata) {
        struct manager_properties properties = MANAGER_PROPERTIES_NONE;

        properties.judge_certificate = wanted;
        manager_set_properties(m, job, &properties, fn, userdata);
}

static void set_wanted(struct harness *h, bool on) {
        wanted = on;
        assert_int_equal(harness_call(h, want), 0);
}

static int be_judge(struct harness *h) {
        int r = manager_set_judge(h->manager, harness_job(h), &judge, h);

        harness_pump(h);
        return r;
}

static void leave(struct harness *h) {
        assert_int_equal(manager_set_judge(h->manager, harness_job(h), NULL, NULL), 0);
        harness_pump(h);
}

static void answer(struct harness *h, enum manager_judgement judgement, uint32_t code) {
        manager_certificate_judged(h->manager, &h->id, judgement, code);
        harness_pump(h);
}

static void show(struct harness *h, uint8_t kind) {
        assert_false(harness_certificate(h, harness_request(h, 0), kind));
        harness_pump(h);
}

/* A job with @n files over https that wants its certificates judged, running. */
static void create(struct harness *h, size_t n) {
        char paths[8][256], urls[8][64];
        struct manager_file_spec files[8];

        assert_true(n <= ELEMENTSOF(files));
        for (size_t i = 0; i < n; i++) {
                snprintf(urls[i], sizeof(urls[i]), "https://origin/%zu", i);
                strcpy(paths[i], harness_path(h, urls[i] + strlen("https://origin/")));
                files[i] = (struct manager_file_spec) {
                        .file = { .url = urls[i], .path = paths[i], .stated_size = SIZE_UNKNOWN, .mode = 0644 },
                };
        }
        assert_int_equal(harness_create_with(h, &(struct manager_create_request) {
                        .family = JOB_FAMILY_BITS, .name = "judged", .priority = JOB_PRIORITY_FOREGROUND, .replace = -1,
                        .remote_time = -1, .no_progress_timeout_s = -1, .minimum_retry_delay_s = -1, .notify_flags = -1,
                        .files = files, .n_files = n }), 0);
        set_wanted(h, true);
        assert_int_equal(harness_call(h, manager_resume_job), 0);
}

static void assert_error(struct harness *h, enum job_state state, enum error_code code, uint32_t detail) {
        const struct job *job = harness_job(h);

        assert_int_equal(job->state, state);
        assert_int_equal(job->error.code, code);
        assert_int_equal(job->error.context, ERROR_CONTEXT_SERVER_CERTIFICATE_CALLBACK);
        assert_int_equal(job->error.detail, detail);
}

static void what_the_program_accepts_is_used_and_not_asked_about_again(void **state) {
        struct harness *h = *state;

        create(h, 1);
        assert_int_equal(be_judge(h), 0);
        assert_true(harness_request(h, 0)->judge_certificate);
        assert_int_equal(harness_request(h, 0)->n_accepted, 0);
        show(h, 1);
        assert_int_equal(asked.n, 1);
        assert_string_equal(asked.bytes, "certificate");
        assert_string_equal(asked.all, "all of them");
        assert_int_equal(harness_running(h), 0); /* nothing is asked of the server meanwhile */
        assert_int_equal(harness_job(h)->state, JOB_TRANSFERRING);

        answer(h, CERTIFICATE_ACCEPTED, 0);
        assert_int_equal(harness_running(h), 1);
        assert_true(harness_certificate(h, harness_request(h, 0), 1));
        harness_serve(h, harness_request(h, 0), SIZE);
        assert_int_equal(harness_job(h)->state, JOB_TRANSFERRED);
        assert_int_equal(asked.n, 1);
}

static void one_file_finds_out_for_all(void **state) {
        struct harness *h = *state;

        create(h, 5);
        assert_int_equal(be_judge(h), 0);
        assert_int_equal(harness_running(h), 1);
        show(h, 1);
        answer(h, CERTIFICATE_ACCEPTED, 0);
        assert_int_equal(harness_running(h), 5);
        assert_int_equal(asked.n, 1);
        /* The third is redirected to another server. */
        assert_false(harness_certificate(h, harness_request(h, 2), 2));
        harness_pump(h);
        assert_int_equal(asked.n, 2);
        assert_int_equal(harness_running(h), 4); /* what was accepted goes on */
        answer(h, CERTIFICATE_ACCEPTED, 0);
        assert_int_equal(harness_running(h), 5);
        assert_int_equal(harness_request(h, 0)->n_accepted, 2);
}

static void what_the_program_declines_waits_with_the_program_s_own_code(void **state) {
        struct harness *h = *state;

        create(h, 2);
        assert_int_equal(be_judge(h), 0);
        show(h, 1);
        answer(h, CERTIFICATE_DECLINED, 0x800B0109);
        assert_error(h, JOB_TRANSIENT_ERROR, ERROR_CERTIFICATE_DECLINED, 0x800B0109);
        assert_int_equal(harness_job(h)->error.file_index, asked.file);
        assert_int_equal(error_code_hresult(harness_job(h)->error.code, JOB_FAMILY_BITS, harness_job(h)->error.detail), 0x800B0109);
        assert_int_equal(harness_running(h), 0);
        /* And is asked about again at the next try: it is no verdict for ever. */
        assert_int_equal(harness_call(h, manager_resume_job), 0);
        show(h, 1);
        assert_int_equal(asked.n, 2);
        answer(h, CERTIFICATE_ACCEPTED, 0);
        assert_int_equal(harness_running(h), 2);
}

static void without_a_program_the_job_waits_and_goes_on_when_one_comes(void **state) {
        struct harness *h = *state;

        create(h, 1);
        show(h, 1);
        assert_error(h, JOB_TRANSIENT_ERROR, ERROR_CERTIFICATE_NOT_JUDGED, 0);
        harness_restart(h); /* that it wants to be judged is stored */
        assert_error(h, JOB_TRANSIENT_ERROR, ERROR_CERTIFICATE_NOT_JUDGED, 0);
        assert_true(harness_job(h)->judge_certificate);
        assert_int_equal(be_judge(h), 0);
        assert_int_equal(harness_job(h)->state, JOB_TRANSFERRING);
        show(h, 1);
        answer(h, CERTIFICATE_ACCEPTED, 0);
        harness_serve(h, harness_request(h, 0), SIZE);
        assert_int_equal(harness_job(h)->state, JOB_TRANSFERRED);
}

static void a_program_that_goes_or_says_nothing_is_no_program(void **state) {
        struct harness *h = *state;

        create(h, 1);
        assert_int_equal(be_judge(h), 0);
        show(h, 1);
        leave(h); /* with the question */
        assert_error(h, JOB_TRANSIENT_ERROR, ERROR_CERTIFICATE_NOT_JUDGED, 0);
        answer(h, CERTIFICATE_ACCEPTED, 0); /* is nobody's */
        assert_int_equal(harness_job(h)->state, JOB_TRANSIENT_ERROR);

        assert_int_equal(be_judge(h), 0);
        show(h, 1);
        answer(h, CERTIFICATE_UNJUDGED, 0);
        assert_error(h, JOB_TRANSIENT_ERROR, ERROR_CERTIFICATE_NOT_JUDGED, 0);

        asked.refuses = -ENOTCONN;
        assert_int_equal(harness_call(h, manager_resume_job), 0);
        show(h, 1);
        assert_error(h, JOB_TRANSIENT_ERROR, ERROR_CERTIFICATE_NOT_JUDGED, 0);
}

static void what_one_program_accepted_the_next_is_asked_about(void **state) {
        struct harness *h = *state;

        create(h, 2);
        assert_int_equal(be_judge(h), 0);
        show(h, 1);
        answer(h, CERTIFICATE_ACCEPTED, 0);
        assert_int_equal(harness_request(h, 0)->n_accepted, 1);
        assert_int_equal(be_judge(h), 0);
        harness_finish(h, harness_request(h, 0), ENGINE_LOST, ERROR_NONE, false);
        harness_pump(h);
        assert_int_equal(harness_running(h), 1); /* the other one */
        harness_serve(h, harness_request(h, 0), SIZE);
        assert_int_equal(harness_request(h, 0)->n_accepted, 0);
        show(h, 1);
        assert_int_equal(asked.n, 2);
}

static void a_question_outlives_suspend_and_its_answer_counts(void **state) {
        struct harness *h = *state;

        create(h, 1);
        assert_int_equal(be_judge(h), 0);
        show(h, 1);
        assert_int_equal(harness_call(h, manager_suspend_job), 0);
        assert_int_equal(harness_call(h, manager_resume_job), 0);
        assert_int_equal(harness_running(h), 0);
        answer(h, CERTIFICATE_ACCEPTED, 0);
        assert_int_equal(harness_request(h, 0)->n_accepted, 1);

        show(h, 2);
        assert_int_equal(harness_call(h, manager_suspend_job), 0);
        answer(h, CERTIFICATE_DECLINED, 5); /* a job that stands does not fail */
        assert_int_equal(harness_job(h)->state, JOB_SUSPENDED);
        assert_int_equal(harness_job(h)->error.code, ERROR_NONE);
}

static void a_job_that_no_longer_wants_it_goes_on_without_an_answer(void **state) {
        struct harness *h = *state;

        create(h, 1);
        assert_int_equal(be_judge(h), 0);
        show(h, 1);
        set_wanted(h, false);
        assert_int_equal(harness_running(h), 1);
        assert_false(harness_request(h, 0)->judge_certificate);
        answer(h, CERTIFICATE_DECLINED, 5);
        assert_int_equal(harness_running(h), 1);
}

static void a_job_that_wants_it_while_it_runs_is_asked_for_again(void **state) {
        struct harness *h = *state;

        create(h, 1);
        set_wanted(h, false);
        leave(h);
        harness_finish(h, harness_request(h, 0), ENGINE_STOPPED, ERROR_NONE, false);
        harness_pump(h);
        assert_false(harness_request(h, 0)->judge_certificate);
        harness_forget(h);
        set_wanted(h, true);
        assert_non_null(strstr(h->log, "engine: stop\n"));
        assert_true(harness_request(h, 0)->judge_certificate);
}

/* What it had been shown when all was loaded again is shown again. */
static void a_judge_and_what_it_accepted_outlive_a_store_failure(void **state) {
        struct harness *h = *state;

        create(h, 1);
        assert_int_equal(be_judge(h), 0);
        show(h, 1);
        answer(h, CERTIFICATE_ACCEPTED, 0);
        show(h, 2);
        assert_int_equal(asked.n, 2);
        store_faulty_plan(h->store, 0, -EIO, false);
        assert_int_equal(harness_call(h, manager_suspend_job), ERROR_STORE_FAILED);
        answer(h, CERTIFICATE_ACCEPTED, 0); /* too late */
        harness_advance(h, 6 * USEC_PER_SEC);
        assert_int_equal(harness_request(h, 0)->n_accepted, 1);
        assert_true(harness_certificate(h, harness_request(h, 0), 1));
        show(h, 2);
        assert_int_equal(asked.n, 3);
        answer(h, CERTIFICATE_ACCEPTED, 0);
        assert_true(harness_certificate(h, harness_request(h, 0), 2));
        harness_serve(h, harness_request(h, 0), SIZE);
        assert_int_equal(harness_job(h)->state, JOB_TRANSFERRED);
}

static void no_more_are_remembered_than_there_is_room_for(void **state) {
        struct harness *h = *state;

        create(h, 1);
        assert_int_equal(be_judge(h), 0);
        for (unsigned kind = 1; kind <= LIMIT_ACCEPTED_CERTIFICATES + 1; kind++) {
                show(h, (uint8_t) kind);
                answer(h, CERTIFICATE_ACCEPTED, 0);
        }
        assert_int_equal(harness_request(h, 0)->n_accepted, LIMIT_ACCEPTED_CERTIFICATES);
        assert_true(harness_certificate(h, harness_request(h, 0), LIMIT_ACCEPTED_CERTIFICATES + 1));
        assert_true(harness_certificate(h, harness_request(h, 0), 2));
        show(h, 1); /* the oldest made room */
        assert_int_equal(asked.n, LIMIT_ACCEPTED_CERTIFICATES + 2);
}

/* IBackgroundCopyJobHttpOptions2: its other errors are final, because a request may have had its effect. This one was never sent. */
static void a_method_that_is_never_sent_twice_waits_like_any(void **state) {
        struct harness *h = *state;

        create(h, 1);
        harness_finish(h, harness_request(h, 0), ENGINE_STOPPED, ERROR_NONE, false);
        assert_int_equal(harness_call(h, manager_suspend_job), 0);
        free(harness_job(h)->http_method);
        harness_job(h)->http_method = strdup("POST");
        assert_int_equal(harness_call(h, manager_resume_job), 0);
        assert_int_equal(be_judge(h), 0);
        show(h, 1);
        answer(h, CERTIFICATE_DECLINED, 5);
        assert_error(h, JOB_TRANSIENT_ERROR, ERROR_CERTIFICATE_DECLINED, 5);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, harness_teardown)

int main(void) {
        static const struct CMUnitTest tests[] = {
                TEST(what_the_program_accepts_is_used_and_not_asked_about_again),
                TEST(one_file_finds_out_for_all),
                TEST(what_the_program_declines_waits_with_the_program_s_own_code),
                TEST(without_a_program_the_job_waits_and_goes_on_when_one_comes),
                TEST(a_program_that_goes_or_says_nothing_is_no_program),
                TEST(what_one_program_accepted_the_next_is_asked_about),
                TEST(a_question_outlives_suspend_and_its_answer_counts),
                TEST(a_job_that_no_longer_wants_it_goes_on_without_an_answer),
                TEST(a_job_that_wants_it_while_it_runs_is_asked_for_again),
                TEST(a_judge_and_what_it_accepted_outlive_a_store_failure),
                TEST(no_more_are_remembered_than_there_is_room_for),
                TEST(a_method_that_is_never_sent_twice_waits_like_any),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

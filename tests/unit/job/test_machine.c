#include "jobs.h"

#define NONE _JOB_STATE_MAX
#define Q JOB_QUEUED
#define T JOB_TRANSFERRING
#define S JOB_SUSPENDED
#define E JOB_ERROR
#define TE JOB_TRANSIENT_ERROR
#define D JOB_TRANSFERRED
#define A JOB_ACKNOWLEDGED
#define X JOB_CANCELLED

/* Written by hand from api.md 2.1 and design section 5, not from the table under test. */
static const enum job_state expected[_JOB_STATE_MAX][_JOB_EVENT_MAX] = {
        /*                    RESUME SUSPEND START YIELD TRANSIENT RETRY FATAL ALL_TR COMPL CANC RESTARTED */
        [JOB_QUEUED] =          { Q,    S,    T,    NONE, TE,   NONE, E,    D,    A,    X,    Q },
        [JOB_CONNECTING] =      { NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE },
        [JOB_TRANSFERRING] =    { T,    S,    NONE, Q,    TE,   NONE, E,    D,    A,    X,    Q },
        [JOB_SUSPENDED] =       { Q,    S,    NONE, NONE, NONE, NONE, E,    D,    A,    X,    S },
        [JOB_ERROR] =           { Q,    S,    NONE, NONE, NONE, NONE, E,    D,    A,    X,    E },
        [JOB_TRANSIENT_ERROR] = { Q,    S,    NONE, NONE, TE,   Q,    E,    D,    A,    X,    TE },
        [JOB_TRANSFERRED] =     { Q,    S,    NONE, NONE, NONE, NONE, E,    D,    A,    X,    D },
        [JOB_ACKNOWLEDGED] =    { NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE },
        [JOB_CANCELLED] =       { NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE },
};

static void every_event_in_every_state_goes_where_the_documents_say(void **state _unused_) {
        FOREACH_STATE(from)
                for (enum job_event event = 0; event < _JOB_EVENT_MAX; event++) {
                        _cleanup_(job_freep) struct job *job = make_job(JOB_FAMILY_DO);
                        enum job_state to = expected[from][event];

                        bring_to(job, from, T0 + 1);
                        if (to == NONE) {
                                struct job before = *job;

                                assert_int_equal(job_transition(job, event, T0 + 2), ERROR_INVALID_STATE);
                                assert_memory_equal(&before, job, sizeof(before));
                        } else {
                                assert_int_equal(job_transition(job, event, T0 + 2), 0);
                                assert_int_equal(job->state, to);
                                /* the time goes on only when the state does */
                                assert_int_equal(job->state_since_usec, to != from ? T0 + 2 : from == S ? T0 : T0 + 1);
                        }
                }
}

static void connecting_and_what_is_final_have_no_way_out(void **state _unused_) {
        static const enum job_state dead_ends[] = { JOB_CONNECTING, JOB_ACKNOWLEDGED, JOB_CANCELLED };

        for (size_t i = 0; i < ELEMENTSOF(dead_ends); i++)
                for (enum job_event event = 0; event < _JOB_EVENT_MAX; event++) {
                        _cleanup_(job_freep) struct job *job = make_job(JOB_FAMILY_BITS);

                        job->state = dead_ends[i]; /* as a foreign database might say */
                        assert_int_equal(job_transition(job, event, T0), ERROR_INVALID_STATE);
                        assert_int_equal(job->state, dead_ends[i]);
                }
}

static void states_are_classed_as_documented(void **state _unused_) {
        static const struct {
                bool is_final, is_active, has_error;
        } classes[_JOB_STATE_MAX] = {
                [Q] = { .is_active = true },
                [JOB_CONNECTING] = { .is_active = true },
                [T] = { .is_active = true },
                [TE] = { .is_active = true, .has_error = true },
                [E] = { .has_error = true },
                [A] = { .is_final = true },
                [X] = { .is_final = true },
        };

        for (enum job_state s = 0; s < _JOB_STATE_MAX; s++) {
                assert_int_equal(job_state_is_final(s), classes[s].is_final);
                assert_int_equal(job_state_is_active(s), classes[s].is_active);
                assert_int_equal(job_state_has_error(s), classes[s].has_error);
        }
        assert_false(job_state_is_final(_JOB_STATE_MAX));
        assert_false(job_state_is_active(_JOB_STATE_MAX));
        assert_false(job_state_has_error(_JOB_STATE_MAX));
}

static void every_state_says_what_it_waits_for(void **state _unused_) {
        static const enum waiting_reason reasons[_JOB_STATE_MAX] = {
                [Q] = WAITING_SLOT, [T] = WAITING_NONE, [S] = WAITING_RESUME, [E] = WAITING_ATTENTION,
                [TE] = WAITING_RETRY, [D] = WAITING_COMPLETE, [A] = WAITING_NONE, [X] = WAITING_NONE,
        };

        FOREACH_STATE(s) {
                _cleanup_(job_freep) struct job *job = make_job(JOB_FAMILY_DO);

                bring_to(job, s, T0 + 5);
                assert_int_equal(job->waiting, reasons[s]);
                assert_int_equal(job->waiting_since_usec, s == S ? T0 : T0 + 5);
        }
}

static const struct {
        enum error_code code;
        enum waiting_reason waiting;
} blocked[] = {
        { ERROR_NO_NETWORK, WAITING_NETWORK },         { ERROR_NO_SPACE, WAITING_SPACE },
        { ERROR_QUOTA, WAITING_SPACE },                { ERROR_DESTINATION_LOCKED, WAITING_DESTINATION },
        { ERROR_READ_ONLY_FILE_SYSTEM, WAITING_DESTINATION }, { ERROR_BLOCKED_BY_POLICY, WAITING_POLICY },
        { ERROR_BLOCKED_BY_COST, WAITING_COST },       { ERROR_BLOCKED_BY_CELLULAR, WAITING_COST },
        { ERROR_BLOCKED_BY_BATTERY, WAITING_POWER },   { ERROR_BLOCKED_BY_BATTERY_SAVER, WAITING_POWER },
        { ERROR_STANDBY, WAITING_SLEEP },
        { ERROR_TOO_MANY_OPEN_FILES, WAITING_RESOURCES }, { ERROR_OUT_OF_MEMORY, WAITING_RESOURCES },
};

/* SENTENCES: job.errors */
static void causes_that_end_by_themselves_are_named_and_not_counted(void **state _unused_) {
        for (int code = 0; code < _ERROR_CODE_MAX; code++) {
                _cleanup_(job_freep) struct job *job = make_job(JOB_FAMILY_DO);
                enum waiting_reason waiting = WAITING_RETRY;

                for (size_t i = 0; i < ELEMENTSOF(blocked); i++)
                        if ((int) blocked[i].code == code)
                                waiting = blocked[i].waiting;
                assert_int_equal(job_error_is_blocked_cause(code), waiting != WAITING_RETRY);

                bring_to(job, T, T0);
                job_set_error(job, code, ERROR_CONTEXT_LOCAL_FILE, 0, JOB_ERROR_NO_FILE, NULL);
                assert_int_equal(job_transition(job, JOB_EVENT_TRANSIENT_ERROR, T0), 0);
                assert_int_equal(job->error_count, waiting == WAITING_RETRY);
                assert_int_equal(job->waiting, waiting);
        }
}

/* SENTENCES: job.errors */
static void the_error_count_counts_moves_into_errors_and_failed_retries(void **state _unused_) {
        _cleanup_(job_freep) struct job *job = make_job(JOB_FAMILY_BITS);

        bring_to(job, TE, T0);
        assert_int_equal(job->error_count, 1);
        assert_int_equal(job_transition(job, JOB_EVENT_TRANSIENT_ERROR, T0), 0); /* again, while waiting */
        assert_int_equal(job->error_count, 2);
        assert_int_equal(job_transition(job, JOB_EVENT_RETRY, T0), 0);
        assert_int_equal(job_transition(job, JOB_EVENT_START, T0), 0);
        assert_int_equal(job->error_count, 2);
        job_set_error(job, ERROR_HTTP_STATUS, ERROR_CONTEXT_REMOTE_FILE, 403, 0, NULL);
        assert_int_equal(job_transition(job, JOB_EVENT_FATAL_ERROR, T0), 0);
        assert_int_equal(job->error_count, 3);
        /* Giving up while waiting is no new failure, and nothing ever resets the count. */
        assert_int_equal(job_transition(job, JOB_EVENT_RESUME, T0), 0);
        assert_int_equal(job_transition(job, JOB_EVENT_START, T0), 0);
        job_set_error(job, ERROR_TIMED_OUT, ERROR_CONTEXT_REMOTE_FILE, 0, 0, NULL);
        assert_int_equal(job_transition(job, JOB_EVENT_TRANSIENT_ERROR, T0), 0);
        assert_int_equal(job->error_count, 4);
        job_set_error(job, ERROR_NO_PROGRESS, ERROR_CONTEXT_REMOTE_FILE, 0, 0, NULL);
        assert_int_equal(job_transition(job, JOB_EVENT_FATAL_ERROR, T0), 0);
        assert_int_equal(job->error_count, 4);
}

static void the_reason_follows_a_second_error_while_waiting(void **state _unused_) {
        _cleanup_(job_freep) struct job *job = make_job(JOB_FAMILY_DO);

        bring_to(job, TE, T0);
        assert_int_equal(job->waiting, WAITING_RETRY);
        job_set_error(job, ERROR_NO_NETWORK, ERROR_CONTEXT_GENERAL_TRANSPORT, 0, JOB_ERROR_NO_FILE, NULL);
        assert_int_equal(job_transition(job, JOB_EVENT_TRANSIENT_ERROR, T0 + 9), 0);
        assert_int_equal(job->waiting, WAITING_NETWORK);
        assert_int_equal(job->waiting_since_usec, T0 + 9);
        assert_int_equal(job->error_count, 1);
}

/* SENTENCES: job.error */
static void the_error_object_lives_until_the_job_is_transferring(void **state _unused_) {
        _cleanup_(job_freep) struct job *job = make_job(JOB_FAMILY_DO);

        bring_to(job, TE, T0);
        assert_int_equal(job_transition(job, JOB_EVENT_RETRY, T0), 0);
        assert_int_equal(job->error.code, ERROR_CONNECT_FAILURE);
        assert_string_equal(job->error.text, "refused");
        assert_int_equal(job_transition(job, JOB_EVENT_START, T0), 0);
        assert_int_equal(job->error.code, ERROR_NONE);
        assert_int_equal(job->error.file_index, JOB_ERROR_NO_FILE);
        assert_null(job->error.text);

        job_set_error(job, ERROR_CERTIFICATE, ERROR_CONTEXT_REMOTE_FILE, 0, 0, NULL);
        assert_int_equal(job_transition(job, JOB_EVENT_FATAL_ERROR, T0), 0);
        assert_int_equal(job_transition(job, JOB_EVENT_RESUME, T0), 0);
        assert_int_equal(job->error.code, ERROR_CERTIFICATE);
        assert_int_equal(job_transition(job, JOB_EVENT_ALL_TRANSFERRED, T0), 0);
        assert_int_equal(job->error.code, ERROR_NONE);
}

static void a_notification_is_due_from_entering_until_leaving(void **state _unused_) {
        _cleanup_(job_freep) struct job *job = make_job(JOB_FAMILY_DO);

        bring_to(job, D, T0);
        assert_int_equal(job->notify_due, JOB_NOTIFY_TRANSFERRED);
        job->notify_due = 0; /* a callback took it */
        assert_int_equal(job_transition(job, JOB_EVENT_ALL_TRANSFERRED, T0), 0); /* Resume with nothing to do */
        assert_int_equal(job_transition(job, JOB_EVENT_RESTARTED, T0), 0);
        assert_int_equal(job->notify_due, 0);

        job->notify_due = JOB_NOTIFY_TRANSFERRED;
        assert_int_equal(job_transition(job, JOB_EVENT_FATAL_ERROR, T0), 0);
        assert_int_equal(job->notify_due, JOB_NOTIFY_ERROR);
        assert_int_equal(job_transition(job, JOB_EVENT_SUSPEND, T0), 0);
        assert_int_equal(job->notify_due, 0);
        assert_int_equal(job_transition(job, JOB_EVENT_ALL_TRANSFERRED, T0), 0);
        assert_int_equal(job_transition(job, JOB_EVENT_COMPLETED, T0), 0);
        assert_int_equal(job->notify_due, 0);
}

static void a_transient_error_owes_no_notification(void **state _unused_) {
        _cleanup_(job_freep) struct job *job = make_job(JOB_FAMILY_DO);

        bring_to(job, TE, T0);
        assert_int_equal(job->notify_due, 0);
}

/* SENTENCES: job.times */
static void times_say_when_it_was_transferred_and_modified(void **state _unused_) {
        _cleanup_(job_freep) struct job *job = make_job(JOB_FAMILY_BITS);

        assert_int_equal(job->transferred_usec, 0);
        assert_int_equal(job_transition(job, JOB_EVENT_RESUME, T0 + 1), 0);
        assert_int_equal(job->modified_usec, T0 + 1);
        /* What the machine does by itself would keep a dead job alive for ever if it counted. */
        assert_int_equal(job_transition(job, JOB_EVENT_START, T0 + 2), 0);
        job_set_error(job, ERROR_TIMED_OUT, ERROR_CONTEXT_REMOTE_FILE, 0, 0, NULL);
        assert_int_equal(job_transition(job, JOB_EVENT_TRANSIENT_ERROR, T0 + 3), 0);
        assert_int_equal(job_transition(job, JOB_EVENT_RETRY, T0 + 4), 0);
        assert_int_equal(job_transition(job, JOB_EVENT_START, T0 + 5), 0);
        assert_int_equal(job_transition(job, JOB_EVENT_YIELD, T0 + 6), 0);
        assert_int_equal(job->modified_usec, T0 + 1);
        assert_int_equal(job_transition(job, JOB_EVENT_ALL_TRANSFERRED, T0 + 7), 0);
        assert_int_equal(job->transferred_usec, T0 + 7);
        assert_int_equal(job->modified_usec, T0 + 7);
        assert_int_equal(job_transition(job, JOB_EVENT_ALL_TRANSFERRED, T0 + 8), 0);
        assert_int_equal(job->transferred_usec, T0 + 7);
        assert_int_equal(job_transition(job, JOB_EVENT_SUSPEND, T0 + 9), 0);
        assert_int_equal(job_transition(job, JOB_EVENT_ALL_TRANSFERRED, T0 + 10), 0); /* Resume: straight back */
        assert_int_equal(job->transferred_usec, T0 + 10);
}

static void events_have_names(void **state _unused_) {
        for (enum job_event event = 0; event < _JOB_EVENT_MAX; event++) {
                assert_non_null(job_event_name(event));
                for (enum job_event other = 0; other < event; other++)
                        assert_string_not_equal(job_event_name(event), job_event_name(other));
        }
        assert_null(job_event_name(_JOB_EVENT_MAX));
}

/* ---- commands ---- */

#define OK JOB_VERDICT_OK
#define NO JOB_VERDICT_NOTHING_TO_DO
#define IS JOB_VERDICT_INVALID_STATE
#define UN JOB_VERDICT_NO_INFORMATION

#define ALL(verdict) { verdict, verdict, verdict, verdict, verdict, verdict, verdict, verdict, verdict }
#define LIVE(verdict) { verdict, verdict, verdict, verdict, verdict, verdict, verdict, IS, IS }

static const struct {
        enum job_verdict in_state[_JOB_KIND_MAX][_JOB_STATE_MAX]; /* Q C T S E TE D A X, of a job and of a download */
        bool changes;
} expected_verdicts[_JOB_COMMAND_MAX] = {
        [JOB_COMMAND_ADD_FILE] = { { LIVE(OK), ALL(IS) }, true },
        [JOB_COMMAND_ENUM_FILES] = { { ALL(OK), ALL(OK) }, false },
        [JOB_COMMAND_SUSPEND] = { { { OK, OK, OK, NO, OK, OK, OK, IS, IS }, { OK, OK, OK, NO, NO, OK, NO, IS, IS } }, true },
        [JOB_COMMAND_RESUME] = { { { NO, NO, NO, OK, OK, OK, OK, IS, IS }, { NO, NO, NO, OK, OK, OK, OK, IS, IS } }, true },
        [JOB_COMMAND_CANCEL] = { { LIVE(OK), LIVE(OK) }, true },
        [JOB_COMMAND_COMPLETE] = { { LIVE(OK), { IS, IS, IS, IS, IS, IS, OK, IS, IS } }, true },
        [JOB_COMMAND_GET] = { { ALL(OK), ALL(OK) }, false },
        [JOB_COMMAND_GET_ERROR] = { { { UN, UN, UN, UN, OK, OK, UN, UN, UN }, { UN, UN, UN, UN, OK, OK, UN, UN, UN } }, false },
        [JOB_COMMAND_START] = { { ALL(IS), { NO, NO, NO, OK, OK, OK, OK, IS, IS } }, true },
        [JOB_COMMAND_SET_URL] = { { LIVE(OK), { IS, IS, IS, OK, OK, OK, IS, IS, IS } }, true },
        [JOB_COMMAND_SET_SINK] = { { { IS, IS, IS, OK, OK, IS, OK, IS, IS }, { IS, IS, IS, OK, IS, IS, IS, IS, IS } }, true },
        [JOB_COMMAND_SET] = { { LIVE(OK), LIVE(OK) }, true },
        [JOB_COMMAND_SET_NOTIFY] = { { LIVE(OK), LIVE(OK) }, true },
        [JOB_COMMAND_TAKE_OWNERSHIP] = { { LIVE(OK), LIVE(OK) }, true },
};

static void every_command_in_every_state_is_judged_as_documented(void **state _unused_) {
        for (enum job_kind kind = 0; kind < _JOB_KIND_MAX; kind++)
                for (enum job_command command = 0; command < _JOB_COMMAND_MAX; command++)
                        for (enum job_state s = 0; s < _JOB_STATE_MAX; s++)
                                assert_int_equal(job_command_verdict_in_state(kind, command, s),
                                                 expected_verdicts[command].in_state[kind][s]);
        for (enum job_kind kind = 0; kind < _JOB_KIND_MAX; kind++) {
                FOREACH_STATE(s) {
                        _cleanup_(job_freep) struct job *job = make_job(JOB_FAMILY_DO);

                        bring_to(job, s, T0);
                        job->kind = kind;
                        for (enum job_command command = 0; command < _JOB_COMMAND_MAX; command++)
                                assert_int_equal(job_command_verdict(job, command),
                                                 expected_verdicts[command].in_state[kind][s]);
                }
        }
}

/* SENTENCES: download.sink */
static void a_download_that_was_started_keeps_its_sink(void **state _unused_) {
        _cleanup_(job_freep) struct job *job = make_job(JOB_FAMILY_DO);

        job->resumed = true;
        assert_int_equal(job_command_verdict(job, JOB_COMMAND_SET_SINK), JOB_VERDICT_OK);
        job->kind = JOB_KIND_DOWNLOAD;
        assert_int_equal(job_command_verdict(job, JOB_COMMAND_SET_SINK), JOB_VERDICT_INVALID_STATE);
}

/* SENTENCES: state.intent */
static void nothing_changes_while_complete_or_cancel_is_carried_out(void **state _unused_) {
        FOREACH_STATE(s) {
                for (enum job_intent intent = JOB_INTENT_COMPLETE; intent <= JOB_INTENT_CANCEL; intent++) {
                        _cleanup_(job_freep) struct job *job = make_job(JOB_FAMILY_DO);

                        bring_to(job, s, T0);
                        job->intent = intent;
                        for (enum job_command command = 0; command < _JOB_COMMAND_MAX; command++)
                                assert_int_equal(job_command_verdict(job, command),
                                                 expected_verdicts[command].changes ?
                                                         IS : expected_verdicts[command].in_state[JOB_KIND_JOB][s]);
                }
        }
}

static void an_allowed_command_has_its_way_through_the_machine(void **state _unused_) {
        static const struct {
                enum job_command command;
                enum job_event event;
        } pairs[] = {
                { JOB_COMMAND_SUSPEND, JOB_EVENT_SUSPEND },
                { JOB_COMMAND_RESUME, JOB_EVENT_RESUME },
                { JOB_COMMAND_CANCEL, JOB_EVENT_CANCELLED },
                { JOB_COMMAND_COMPLETE, JOB_EVENT_COMPLETED },
        };

        FOREACH_STATE(s)
                for (size_t i = 0; i < ELEMENTSOF(pairs); i++) {
                        _cleanup_(job_freep) struct job *job = make_job(JOB_FAMILY_DO);
                        bool refused;

                        bring_to(job, s, T0);
                        refused = job_command_verdict(job, pairs[i].command) == JOB_VERDICT_INVALID_STATE;
                        assert_int_equal(job_transition(job, pairs[i].event, T0), refused ? ERROR_INVALID_STATE : 0);
                }
}

static void the_error_can_be_read_in_the_queue_and_after_a_failed_complete(void **state _unused_) {
        _cleanup_(job_freep) struct job *job = make_job(JOB_FAMILY_BITS);

        bring_to(job, TE, T0);
        assert_int_equal(job_transition(job, JOB_EVENT_RETRY, T0), 0);
        assert_int_equal(job_command_verdict(job, JOB_COMMAND_GET_ERROR), OK);
        assert_int_equal(job_transition(job, JOB_EVENT_START, T0), 0);
        assert_int_equal(job_command_verdict(job, JOB_COMMAND_GET_ERROR), UN);
        assert_int_equal(job_transition(job, JOB_EVENT_ALL_TRANSFERRED, T0), 0);
        assert_int_equal(job_command_verdict(job, JOB_COMMAND_GET_ERROR), UN);
        job_set_error(job, ERROR_FILE_EXISTS, ERROR_CONTEXT_LOCAL_FILE, EEXIST, 0, NULL);
        assert_int_equal(job_command_verdict(job, JOB_COMMAND_GET_ERROR), OK);
        assert_int_equal(job_transition(job, JOB_EVENT_SUSPEND, T0), 0);
        assert_int_equal(job_command_verdict(job, JOB_COMMAND_GET_ERROR), UN);
}

static void commands_have_names(void **state _unused_) {
        for (enum job_command command = 0; command < _JOB_COMMAND_MAX; command++) {
                assert_non_null(job_command_name(command));
                for (enum job_command other = 0; other < command; other++)
                        assert_string_not_equal(job_command_name(command), job_command_name(other));
        }
        assert_null(job_command_name(_JOB_COMMAND_MAX));
}

/* ---- anything in any order ---- */

static void check_invariants(const struct job *job) {
        assert_int_not_equal(job->state, JOB_CONNECTING);
        assert_true(job->state < _JOB_STATE_MAX);
        if (job->state != D)
                assert_false(job->notify_due & JOB_NOTIFY_TRANSFERRED);
        if (job->state != E)
                assert_false(job->notify_due & JOB_NOTIFY_ERROR);
        if (job->state == T) {
                assert_int_equal(job->error.code, ERROR_NONE);
                assert_int_equal(job->waiting, WAITING_NONE);
        }
        if (job_state_has_error(job->state))
                assert_int_not_equal(job->error.code, ERROR_NONE);
        if (job->state == D)
                assert_int_not_equal(job->transferred_usec, 0);
        if (!job_state_is_final(job->state) && job->state != T)
                assert_int_not_equal(job->waiting, WAITING_NONE);
        assert_true(job->waiting_since_usec <= job->state_since_usec || job->state == TE);
}

static void random_events_never_break_the_rules(void **state _unused_) {
        static const enum error_code codes[] = { ERROR_TIMED_OUT, ERROR_NO_SPACE, ERROR_CERTIFICATE, ERROR_NO_NETWORK };
        unsigned seed = 42, n_final = 0;

        for (unsigned round = 0; round < 300; round++) {
                _cleanup_(job_freep) struct job *job = make_job(round % 2);
                uint64_t now = T0, errors = 0;

                for (unsigned step = 0; step < 200; step++) {
                        enum job_event event = (unsigned) rand_r(&seed) % _JOB_EVENT_MAX;
                        struct job before = *job;

                        /* The ends come seldom, or every walk were short. */
                        if ((event == JOB_EVENT_COMPLETED || event == JOB_EVENT_CANCELLED) && rand_r(&seed) % 20)
                                continue;
                        if ((event == JOB_EVENT_TRANSIENT_ERROR || event == JOB_EVENT_FATAL_ERROR) &&
                            expected[job->state][event] != NONE)
                                job_set_error(job, codes[rand_r(&seed) % 4], ERROR_CONTEXT_UNKNOWN, 0, 0, "");
                        now += (uint64_t)(rand_r(&seed) % 1000);
                        if (job_transition(job, event, now) != 0) {
                                assert_int_equal(expected[before.state][event], NONE);
                                assert_memory_equal(&before, job, sizeof(before));
                                continue;
                        }
                        assert_int_equal(job->state, expected[before.state][event]);
                        assert_true(job->error_count - errors <= 1);
                        assert_true(job->modified_usec >= before.modified_usec);
                        errors = job->error_count;
                        check_invariants(job);
                }
                n_final += job_state_is_final(job->state);
        }
        assert_true(n_final > 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(every_event_in_every_state_goes_where_the_documents_say),
                cmocka_unit_test(connecting_and_what_is_final_have_no_way_out),
                cmocka_unit_test(states_are_classed_as_documented),
                cmocka_unit_test(every_state_says_what_it_waits_for),
                cmocka_unit_test(causes_that_end_by_themselves_are_named_and_not_counted),
                cmocka_unit_test(the_error_count_counts_moves_into_errors_and_failed_retries),
                cmocka_unit_test(the_reason_follows_a_second_error_while_waiting),
                cmocka_unit_test(the_error_object_lives_until_the_job_is_transferring),
                cmocka_unit_test(a_notification_is_due_from_entering_until_leaving),
                cmocka_unit_test(a_transient_error_owes_no_notification),
                cmocka_unit_test(times_say_when_it_was_transferred_and_modified),
                cmocka_unit_test(events_have_names),
                cmocka_unit_test(every_command_in_every_state_is_judged_as_documented),
                cmocka_unit_test(a_download_that_was_started_keeps_its_sink),
                cmocka_unit_test(nothing_changes_while_complete_or_cancel_is_carried_out),
                cmocka_unit_test(an_allowed_command_has_its_way_through_the_machine),
                cmocka_unit_test(the_error_can_be_read_in_the_queue_and_after_a_failed_complete),
                cmocka_unit_test(commands_have_names),
                cmocka_unit_test(random_events_never_break_the_rules),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

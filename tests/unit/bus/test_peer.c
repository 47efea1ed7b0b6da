/* The face on a whole service: what is answered when, and what happens when a client goes. Nothing is durable
 * before the test says so (harness_pump()), so that an answer that comes too early is seen. */
#include <sys/socket.h>
#include <unistd.h>

#include "base/fds.h"
#include "base/strings.h"
#include "face.h"

#define SOCKET_BUFFER (8 * 1024 * 1024 / 500) /* messages of this size at least */

static void get_state(struct client *c) {
        assert_true(sd_bus_call_method_async(c->bus, NULL, NULL, job_path(c->f), "org.freedesktop.DBus.Properties",
                                             "Get", on_answer, c, "ss", "org.dosvc.Job1", "State") >= 0);
}

static void create_job(struct client *c) {
        assert_true(sd_bus_call_method_async(c->bus, NULL, NULL, "/org/dosvc", "org.dosvc.Manager1", "CreateJob",
                                             on_answer, c, "sa{sv}a(saya{sv})", "made", 0, 0) >= 0);
}

static void subscribe(struct client *c) {
        assert_true(sd_bus_call_method_async(c->bus, NULL, NULL, "/org/dosvc", "org.dosvc.Manager1", "Subscribe",
                                             on_answer, c, "s", "") >= 0);
        talk(c->f);
        expect(c, "ok ");
}

/* ---- order: commit, then answer ---- */

static void a_changing_call_is_answered_after_its_commit_only(void **state) {
        struct fixture *f = *state;
        struct client *c = client_new(f);

        assert_int_equal(harness_create(f->h, "a", true, false), 0);
        call(c, "Suspend", "");
        talk(f);
        manager_turn(f->h->manager); /* handed to the store, not on disk */
        talk(f);
        expect(c, "");
        harness_pump(f->h);
        talk(f);
        expect(c, "ok ");
        client_free(c);
}

static void what_is_read_about_a_job_waits_for_its_change(void **state) {
        struct fixture *f = *state;
        struct client *writer = client_new(f), *reader = client_new(f);

        assert_int_equal(harness_create(f->h, "a", true, false), 0);
        call(writer, "Suspend", "");
        talk(f);
        get_state(reader);
        call(reader, "ListFiles", "uu", 0U, 10U);
        talk(f);
        expect(reader, "");
        settle(f);
        expect(writer, "ok ");
        expect(reader, "oksuspended ok ");
        get_state(reader);
        talk(f); /* nothing to wait for now */
        expect(reader, "oksuspended ");
        client_free(reader);
        client_free(writer);
}

static void a_signal_leaves_after_the_commit_and_before_nothing(void **state) {
        struct fixture *f = *state;
        struct client *c = client_new(f);

        subscribe(c);
        create_job(c);
        talk(f);
        manager_turn(f->h->manager);
        talk(f);
        expect(c, "");
        settle(f);
        assert_true(streq(c->log, "<JobAdded> ok ") || streq(c->log, "ok <JobAdded> "));
        client_free(c);
}

static void a_commit_that_fails_is_said_and_nothing_was_changed(void **state) {
        struct fixture *f = *state;
        struct client *c = client_new(f);

        assert_int_equal(harness_create(f->h, "a", false, false), 0);
        subscribe(c);
        store_faulty_plan(f->h->store, 0, -EIO, false);
        call(c, "SetProperties", "a{sv}", 1, "Name", "s", "new");
        settle(f);
        expect(c, "StoreFailed ");
        assert_string_equal(harness_job(f->h)->name, "a");
        client_free(c);
}

/* ---- limits and ends ---- */

static void more_calls_than_may_wait_are_refused_at_once(void **state) {
        struct fixture *f = *state;
        struct client *c = client_new(f), *other = client_new(f);

        for (int i = 0; i <= CALLS_MAX; i++)
                create_job(c);
        create_job(other); /* has a count of its own */
        talk(f);
        expect(c, "TooManyRequests ");
        settle(f);
        expect(c, "ok ok ok ok ");
        expect(other, "ok ");
        create_job(c);
        settle(f);
        expect(c, "ok ");
        client_free(other);
        client_free(c);
}

static void who_asks_a_hundred_times_at_once_is_answered_and_holds_up_nobody(void **state) {
        struct fixture *f = *state;
        struct client *c = client_new(f), *other = client_new(f);
        size_t n = 0;

        assert_int_equal(harness_create(f->h, "a", true, false), 0);
        settle(f);
        for (int i = 0; i < 100; i++)
                get_state(c);
        get_state(other);
        while (!other->log[0])
                assert_true(sd_event_run(f->event, 0) > 0);
        assert_true(strlen(c->log) < 100 * strlen(other->log));
        talk(f);
        for (const char *at = c->log; (at = strstr(at, other->log)); at++)
                n++;
        assert_int_equal(n, 100);
        c->log[0] = 0;
        client_free(other);
        client_free(c);
}

static void a_client_that_goes_before_its_answer_hurts_nobody(void **state) {
        struct fixture *f = *state;
        struct client *c = client_new(f), *other = client_new(f);

        assert_int_equal(harness_create(f->h, "a", true, false), 0);
        call(c, "Suspend", "");
        get_state(c);
        talk(f);
        client_free(c);
        talk(f);
        assert_int_equal(bus_server_count_clients(f->server), 1);
        settle(f);
        get_state(other);
        settle(f);
        expect(other, "oksuspended ");
        client_free(other);
}

static void a_stopping_service_changes_nothing_more(void **state) {
        struct fixture *f = *state;
        struct client *c = client_new(f);

        assert_int_equal(harness_create(f->h, "a", false, false), 0);
        bus_server_set_stopping(f->server);
        call(c, "Resume", "");
        get_state(c);
        talk(f);
        expect(c, "ShuttingDown oksuspended ");
        client_free(c);
}

static void calls_that_wait_at_the_end_are_dropped_in_order(void **state) {
        struct fixture *f = *state;
        struct client *c = client_new(f);

        create_job(c);
        call(c, "Suspend", "");
        talk(f);
        client_free(c); /* free_service() does the rest; the sanitizers watch */
}

static void a_client_that_does_not_read_is_cut_off(void **state) {
        struct fixture *f = *state;
        int fds[2];
        char greeting[256];
        sd_bus *lazy = NULL;

        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
        assert_int_equal(bus_server_add_client(f->server, fds[0]), 0);
        assert_true(sd_bus_new(&lazy) >= 0);
        assert_true(sd_bus_set_fd(lazy, fds[1], fds[1]) >= 0);
        assert_true(sd_bus_start(lazy) >= 0);
        for (int i = 0; i < 10; i++) { /* shake hands, ask for everything, then never look again */
                talk(f);
                (void) sd_bus_process(lazy, NULL);
        }
        assert_true(sd_bus_call_method_async(lazy, NULL, NULL, "/org/dosvc", "org.dosvc.Manager1", "Subscribe", NULL,
                                             NULL, "s", "") >= 0);
        assert_true(sd_bus_flush(lazy) >= 0);
        talk(f);
        assert_int_equal(harness_create(f->h, "a", false, false), 0);
        /* sd-bus gives a socket 8 MiB of buffer: they must be full first. */
        for (unsigned i = 0; i < LIMIT_OUTGOING_MESSAGES + SOCKET_BUFFER && bus_server_count_clients(f->server) > 0;
             i++)
                bus_manager_events.job_changed(f->server, harness_job(f->h), true);
        assert_int_equal(bus_server_count_clients(f->server), 0);
        talk(f);
        while (recv(fds[1], greeting, sizeof(greeting), MSG_DONTWAIT) > 0)
                ;
        assert_int_equal(recv(fds[1], greeting, sizeof(greeting), MSG_DONTWAIT), 0); /* closed */
        sd_bus_close(lazy);
        sd_bus_unref(lazy);
}

/* ---- callbacks ---- */

static void transfer(struct fixture *f) {
        assert_int_equal(harness_create(f->h, "a", true, false), 0);
        harness_serve(f->h, harness_request(f->h, 0), 100);
        settle(f);
        assert_int_equal(harness_job(f->h)->state, JOB_TRANSFERRED);
}

static void what_happened_before_is_told_to_who_comes_behind_the_answer(void **state) {
        struct fixture *f = *state;
        struct client *c = client_new(f);

        transfer(f);
        call(c, "SetNotify", "b", 1);
        settle(f);
        expect(c, "ok JobTransferred ");
        assert_int_equal(harness_job(f->h)->notify_due & JOB_NOTIFY_TRANSFERRED, 0);
        client_free(c);
}

static void a_refused_callback_comes_again_later_and_later(void **state) {
        struct fixture *f = *state;
        struct client *c = client_new(f);

        transfer(f);
        c->takes_callbacks = false;
        call(c, "SetNotify", "b", 1);
        settle(f);
        expect(c, "ok JobTransferred ");
        harness_advance(f->h, 999 * USEC_PER_MSEC);
        settle(f);
        expect(c, "");
        harness_advance(f->h, 1 * USEC_PER_MSEC);
        settle(f);
        expect(c, "JobTransferred ");
        harness_advance(f->h, 1 * USEC_PER_SEC);
        settle(f);
        expect(c, "");
        c->takes_callbacks = true;
        harness_advance(f->h, 1 * USEC_PER_SEC);
        settle(f);
        expect(c, "JobTransferred ");
        harness_advance(f->h, USEC_PER_DAY);
        settle(f);
        expect(c, "");
        client_free(c);
}

static void the_last_caller_gets_the_callbacks(void **state) {
        struct fixture *f = *state;
        struct client *first = client_new(f), *last = client_new(f);

        assert_int_equal(harness_create(f->h, "a", true, false), 0);
        call(first, "SetNotify", "b", 1);
        talk(f);
        call(last, "SetNotify", "b", 1);
        talk(f);
        expect(first, "ok ");
        expect(last, "ok ");
        client_free(first); /* takes away nothing of the other's */
        harness_serve(f->h, harness_request(f->h, 0), 100);
        settle(f);
        expect(last, "JobTransferred ");
        client_free(last);
}

static void a_client_that_dies_with_an_event_leaves_it_to_the_next(void **state) {
        struct fixture *f = *state;
        struct client *first = client_new(f), *next;

        transfer(f);
        first->takes_callbacks = false;
        call(first, "SetNotify", "b", 1);
        talk(f);
        client_free(first);
        settle(f);
        assert_null(manager_get_notifier(f->h->manager, harness_job(f->h)));
        next = client_new(f);
        call(next, "SetNotify", "b", 1);
        settle(f);
        expect(next, "ok JobTransferred ");
        client_free(next);
}

static void who_no_longer_wants_callbacks_gets_none(void **state) {
        struct fixture *f = *state;
        struct client *c = client_new(f);

        assert_int_equal(harness_create(f->h, "a", true, false), 0);
        call(c, "SetNotify", "b", 1);
        call(c, "SetNotify", "b", 0);
        call(c, "SetNotify", "b", 0);
        talk(f);
        harness_serve(f->h, harness_request(f->h, 0), 100);
        settle(f);
        expect(c, "ok ok ok ");
        client_free(c);
}

static void a_job_that_ends_takes_its_callbacks_and_watches_along(void **state) {
        struct fixture *f = *state;
        struct client *c = client_new(f);
        char id[GUID_STRING_MAX];

        transfer(f);
        guid_to_string(&f->h->id, id);
        assert_true(sd_bus_call_method_async(c->bus, NULL, NULL, "/org/dosvc", "org.dosvc.Manager1", "Subscribe",
                                             on_answer, c, "s", id) >= 0);
        call(c, "SetNotify", "b", 1);
        settle(f);
        expect(c, "ok ok JobTransferred ");
        call(c, "Complete", "");
        settle(f);
        assert_non_null(strstr(c->log, "<JobRemoved> "));
        assert_non_null(strstr(c->log, "ok "));
        c->log[0] = 0;
        call(c, "SetNotify", "b", 1);
        get_state(c); /* getters go on for a while */
        settle(f);
        expect(c, "InvalidState okacknowledged ");
        client_free(c);
}

/* ---- questions about certificates ---- */

/* A job that wants its servers judged; the first has shown its certificate. */
static void show_certificate(struct fixture *f) {
        assert_false(harness_certificate(f->h, harness_request(f->h, 0), 7));
        settle(f);
}

static void create_judged(struct fixture *f, struct client *c) {
        assert_int_equal(harness_create(f->h, "a", true, false), 0);
        call(c, "SetProperties", "a{sv}", 1, "JudgeCertificate", "b", 1);
        call(c, "SetJudge", "b", 1);
        settle(f);
        expect(c, "ok ok ");
        assert_non_null(manager_get_judge(f->h->manager, harness_job(f->h)));
}

static void the_judge_is_asked_and_its_verdict_counts(void **state) {
        struct fixture *f = *state;
        struct client *c = client_new(f);

        create_judged(f, c);
        show_certificate(f);
        expect(c, "JudgeCertificate(0, certificate, all of them) ");
        assert_true(harness_certificate(f->h, harness_request(f->h, 0), 7));
        call(c, "SetJudge", "b", 1); /* again: what it accepted stays so */
        harness_finish(f->h, harness_request(f->h, 0), ENGINE_LOST, ERROR_NONE, false);
        settle(f);
        expect(c, "ok ");
        assert_true(harness_certificate(f->h, harness_request(f->h, 0), 7));
        client_free(c);
}

static void a_verdict_that_is_not_0_is_the_job_s_error(void **state) {
        struct fixture *f = *state;
        struct client *c = client_new(f);

        create_judged(f, c);
        c->verdict = 0x80004004;
        show_certificate(f);
        assert_int_equal(harness_job(f->h)->error.code, ERROR_CERTIFICATE_DECLINED);
        assert_int_equal(harness_job(f->h)->error.detail, 0x80004004);
        client_free(c);
}

static void a_judge_that_answers_with_an_error_or_dies_is_none(void **state) {
        struct fixture *f = *state;
        struct client *c = client_new(f), *next = client_new(f);

        create_judged(f, c);
        c->takes_callbacks = false;
        show_certificate(f);
        assert_int_equal(harness_job(f->h)->state, JOB_TRANSIENT_ERROR);
        assert_int_equal(harness_job(f->h)->error.code, ERROR_CERTIFICATE_NOT_JUDGED);
        client_free(c);
        settle(f);
        assert_null(manager_get_judge(f->h->manager, harness_job(f->h)));
        call(next, "SetJudge", "b", 1);
        settle(f);
        show_certificate(f);
        expect(next, "ok JudgeCertificate(0, certificate, all of them) ");
        assert_int_equal(harness_job(f->h)->state, JOB_TRANSFERRING);
        client_free(next);
}

static void a_client_may_judge_and_be_told_and_give_up_either(void **state) {
        struct fixture *f = *state;
        struct client *c = client_new(f);

        create_judged(f, c);
        call(c, "SetNotify", "b", 1);
        call(c, "SetJudge", "b", 0);
        settle(f);
        expect(c, "ok ok ");
        assert_null(manager_get_judge(f->h->manager, harness_job(f->h)));
        assert_non_null(manager_get_notifier(f->h->manager, harness_job(f->h)));
        call(c, "SetJudge", "b", 1);
        call(c, "SetNotify", "b", 0);
        settle(f);
        assert_non_null(manager_get_judge(f->h->manager, harness_job(f->h)));
        assert_null(manager_get_notifier(f->h->manager, harness_job(f->h)));
        client_free(c);
        settle(f);
        assert_null(manager_get_judge(f->h->manager, harness_job(f->h)));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_service, free_service)

/* ---- the configuration ---- */

static void reload_config(struct client *c) {
        assert_true(sd_bus_call_method_async(c->bus, NULL, NULL, "/org/dosvc", "org.dosvc.Manager1", "Reload", on_answer, c, "") >= 0);
        talk(c->f);
}

static void whose_service_it_is_may_have_it_read_its_configuration_again(void **state) {
        struct fixture *f = *state;
        struct client *c = client_new(f);

        reload_config(c);
        expect(c, "ok ");
        f->broken = "/etc/x:3: no";
        reload_config(c);
        expect(c, "ConfigurationBroken ");
        assert_int_equal(f->n_reloads, 2);
        bus_server_set_stopping(f->server);
        reload_config(c);
        expect(c, "ShuttingDown ");
        assert_int_equal(f->n_reloads, 2);
        client_free(c);
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                TEST(a_changing_call_is_answered_after_its_commit_only),
                TEST(what_is_read_about_a_job_waits_for_its_change),
                TEST(a_signal_leaves_after_the_commit_and_before_nothing),
                TEST(a_commit_that_fails_is_said_and_nothing_was_changed),
                TEST(more_calls_than_may_wait_are_refused_at_once),
                TEST(who_asks_a_hundred_times_at_once_is_answered_and_holds_up_nobody),
                TEST(a_client_that_goes_before_its_answer_hurts_nobody),
                TEST(a_stopping_service_changes_nothing_more),
                TEST(calls_that_wait_at_the_end_are_dropped_in_order),
                TEST(a_client_that_does_not_read_is_cut_off),
                TEST(what_happened_before_is_told_to_who_comes_behind_the_answer),
                TEST(a_refused_callback_comes_again_later_and_later),
                TEST(the_last_caller_gets_the_callbacks),
                TEST(a_client_that_dies_with_an_event_leaves_it_to_the_next),
                TEST(who_no_longer_wants_callbacks_gets_none),
                TEST(a_job_that_ends_takes_its_callbacks_and_watches_along),
                TEST(the_judge_is_asked_and_its_verdict_counts),
                TEST(a_verdict_that_is_not_0_is_the_job_s_error),
                TEST(a_judge_that_answers_with_an_error_or_dies_is_none),
                TEST(a_client_may_judge_and_be_told_and_give_up_either),
                TEST(whose_service_it_is_may_have_it_read_its_configuration_again),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Each quota: as much as it says is fine, one more is refused with its own code, nothing that was there is lost, and whoever else there is
 * notices nothing of it. */
#include <stdio.h>
#include <unistd.h>

#include "base/strings.h"
#include "face.h"

#define ALICE 4001
#define BOB 4002

static int make(void **state) {
        struct fixture *f;
        int r = make_service_for_all(state, NULL, CLIENTS_MAX);

        f = *state;
        f->h->limits.max_jobs_per_user = 3;
        f->h->limits.max_jobs = 5;
        f->h->limits.max_files_per_job = 4;
        f->h->limits.max_ranges_per_file = 2;
        manager_set_limits(f->h->manager, &f->h->limits, &f->h->schedule);
        return r;
}

static void on_reply(const struct manager_reply *reply, void *userdata) {
        *(struct manager_reply *) userdata = *reply;
}

/* ---- jobs, files, ranges: the manager's ---- */

static enum error_code create(struct fixture *f, uid_t owner, size_t n_files, size_t n_ranges, struct guid *ret_id) {
        static const struct byte_range ranges[] = { { 0, 10 }, { 20, 10 }, { 40, 10 } };
        struct manager_file_spec files[8] = {};
        struct manager_reply reply = { .outcome = -1 };
        char paths[8][128];

        for (size_t i = 0; i < n_files; i++) {
                snprintf(paths[i], sizeof(paths[i]), "%s", harness_path(f->h, "file"));
                snprintf(paths[i] + strlen(paths[i]), 8, "-%zu", i);
                files[i].file = (struct job_file_spec) { .url = "http://origin/file", .path = paths[i], .stated_size = SIZE_UNKNOWN, .mode = 0644,
                                                         .ranges = n_ranges > 0 ? ranges : NULL, .n_ranges = n_ranges };
        }
        manager_create_job(f->h->manager,
                           &(struct manager_create_request) { .owner = owner, .name = "job", .priority = -1, .replace = -1, .remote_time = -1,
                                                              .no_progress_timeout_s = -1, .minimum_retry_delay_s = -1, .notify_flags = -1,
                                                              .files = files, .n_files = n_files },
                           on_reply, &reply);
        settle(f);
        if (ret_id)
                *ret_id = reply.id;
        return (enum error_code) reply.outcome;
}

static size_t count_jobs(struct fixture *f, uid_t owner) {
        uint64_t sequence = 0;
        size_t n = 0;

        while (manager_next_job(f->h->manager, owner, sequence, &sequence))
                n++;
        return n;
}

static void cancel(struct fixture *f, const struct guid *id) {
        struct manager_reply reply = { .outcome = -1 };

        manager_cancel_job(f->h->manager, manager_find_any_job(f->h->manager, id), on_reply, &reply);
        settle(f);
        assert_int_equal(reply.outcome, 0);
}

static void a_user_has_as_many_jobs_as_one_may_and_others_theirs(void **state) {
        struct fixture *f = *state;
        struct guid id;

        for (int i = 0; i < 3; i++)
                assert_int_equal(create(f, ALICE, 1, 0, &id), 0);
        assert_int_equal(create(f, ALICE, 1, 0, NULL), ERROR_TOO_MANY_JOBS);
        assert_int_equal(count_jobs(f, ALICE), 3);
        assert_int_equal(create(f, BOB, 1, 0, NULL), 0);
        cancel(f, &id);
        assert_int_equal(create(f, ALICE, 1, 0, NULL), 0);
}

static void all_users_together_have_as_many_jobs_as_the_machine_may(void **state) {
        struct fixture *f = *state;
        struct guid id;

        for (int i = 0; i < 3; i++)
                assert_int_equal(create(f, ALICE, 0, 0, &id), 0);
        for (int i = 0; i < 2; i++)
                assert_int_equal(create(f, BOB, 0, 0, NULL), 0);
        assert_int_equal(create(f, BOB, 0, 0, NULL), ERROR_TOO_MANY_JOBS_PER_MACHINE);
        assert_int_equal(create(f, ALICE, 0, 0, NULL), ERROR_TOO_MANY_JOBS); /* she is told what she can do something about */
        assert_int_equal(count_jobs(f, ALICE) + count_jobs(f, BOB), 5);
        cancel(f, &id);
        assert_int_equal(create(f, BOB, 0, 0, NULL), 0); /* the place is for whoever comes first */
}

static void who_takes_a_job_over_has_to_have_room_for_it(void **state) {
        struct fixture *f = *state;
        struct manager_reply reply = { .outcome = -1 };
        struct guid id;

        assert_int_equal(create(f, ALICE, 0, 0, &id), 0);
        for (int i = 0; i < 3; i++)
                assert_int_equal(create(f, BOB, 0, 0, NULL), 0);
        manager_take_ownership(f->h->manager, manager_find_any_job(f->h->manager, &id), BOB, on_reply, &reply);
        settle(f);
        assert_int_equal(reply.outcome, ERROR_TOO_MANY_JOBS);
        assert_int_equal(manager_find_any_job(f->h->manager, &id)->owner, ALICE);
}

static void a_job_counts_for_whoever_owns_it_now_and_what_failed_for_nobody(void **state) {
        struct fixture *f = *state;
        struct manager_reply reply = { .outcome = -1 };
        struct guid id;

        for (int i = 0; i < 3; i++)
                assert_int_equal(create(f, ALICE, 0, 0, &id), 0);
        manager_take_ownership(f->h->manager, manager_find_any_job(f->h->manager, &id), BOB, on_reply, &reply);
        settle(f);
        assert_int_equal(reply.outcome, 0);
        store_faulty_plan(f->h->store, 0, -EIO, false);
        assert_int_equal(create(f, ALICE, 0, 0, NULL), ERROR_STORE_FAILED);
        harness_advance(f->h, 60 * USEC_PER_SEC);
        assert_int_equal(create(f, ALICE, 0, 0, NULL), 0);
        assert_int_equal(create(f, ALICE, 0, 0, NULL), ERROR_TOO_MANY_JOBS);
        assert_int_equal(create(f, BOB, 0, 0, NULL), 0);
        assert_int_equal(count_jobs(f, ALICE), 3);
        assert_int_equal(count_jobs(f, BOB), 2);
}

static void a_job_has_as_many_files_as_one_may(void **state) {
        struct fixture *f = *state;
        struct manager_reply reply = { .outcome = -1 };
        struct manager_file_spec one = { .file = { .url = "http://origin/more", .path = harness_path(f->h, "more"), .stated_size = SIZE_UNKNOWN, .mode = 0644 } };
        struct guid id;

        assert_int_equal(create(f, ALICE, 5, 0, NULL), ERROR_TOO_MANY_FILES);
        assert_int_equal(count_jobs(f, ALICE), 0);
        assert_int_equal(create(f, ALICE, 4, 0, &id), 0);
        manager_add_files(f->h->manager, manager_find_any_job(f->h->manager, &id), &one, 1, on_reply, &reply);
        settle(f);
        assert_int_equal(reply.outcome, ERROR_TOO_MANY_FILES);
        assert_int_equal(manager_find_any_job(f->h->manager, &id)->n_files, 4);
        assert_int_equal(create(f, BOB, 4, 0, NULL), 0);
}

static void a_file_has_as_many_ranges_as_one_may(void **state) {
        struct fixture *f = *state;
        struct guid id;

        assert_int_equal(create(f, ALICE, 1, 3, NULL), ERROR_TOO_MANY_RANGES);
        assert_int_equal(count_jobs(f, ALICE), 0);
        assert_int_equal(create(f, ALICE, 1, 2, &id), 0);
        assert_int_equal(manager_find_any_job(f->h->manager, &id)->files[0]->n_ranges, 2);
}

/* ---- connections and calls: the face's ---- */

static void ask(struct client *c, unsigned n) {
        while (n-- > 0)
                assert_true(sd_bus_call_method_async(c->bus, NULL, NULL, "/org/dosvc", "org.dosvc.Manager1", "Unsubscribe", on_answer, c, "s", "") >= 0);
        settle(c->f);
}

static void a_user_makes_as_many_calls_in_a_second_as_one_may(void **state) {
        struct fixture *f = *state;
        struct client *c = client_new_as(f, ALICE), *second = client_new_as(f, ALICE), *other = client_new_as(f, BOB);

        bus_server_set_limits(f->server, CLIENTS_MAX, CALLS_MAX, 5);
        ask(c, 5);
        expect(c, "ok ok ok ok ok ");
        ask(c, 1);
        expect(c, "TooManyRequests ");
        ask(second, 1); /* another connection is no other user */
        expect(second, "TooManyRequests ");
        ask(other, 5);
        expect(other, "ok ok ok ok ok ");
        harness_advance(f->h, USEC_PER_SEC / 5);
        ask(second, 2);
        expect(second, "ok TooManyRequests ");
        client_free(c);
        client_free(second);
        settle(f);
        c = client_new_as(f, ALICE);
        ask(c, 1); /* nor is a new one */
        expect(c, "TooManyRequests ");
        harness_advance(f->h, 100 * USEC_PER_SEC);
        ask(c, 6); /* what was not used is not saved up */
        expect(c, "ok ok ok ok ok TooManyRequests ");
        client_free(c);
        client_free(other);
}

static void a_user_has_as_many_connections_as_one_may_and_others_theirs(void **state) {
        struct fixture *f = *state;
        struct client *clients[CLIENTS_MAX], *other;
        size_t max_clients = CLIENTS_MAX + 2;
        int r;

        bus_server_set_limits(f->server, max_clients, CALLS_MAX, 0);
        for (size_t i = 0; i < CLIENTS_MAX; i++)
                clients[i] = client_new_as(f, ALICE);
        r = client_try_as(f, ALICE);
        assert_int_equal(r, -EUSERS);
        other = client_new_as(f, BOB);
        ask(other, 1);
        expect(other, "ok ");
        for (size_t i = 0; i < CLIENTS_MAX; i++) {
                ask(clients[i], 1);
                expect(clients[i], "ok ");
        }
        assert_int_equal(bus_server_count_clients(f->server), CLIENTS_MAX + 1);
        client_free(clients[0]);
        settle(f);
        clients[0] = client_new_as(f, ALICE);
        for (size_t i = 0; i < CLIENTS_MAX; i++)
                client_free(clients[i]);
        client_free(other);
}

static void all_users_together_have_as_many_connections_as_the_machine_may(void **state) {
        struct fixture *f = *state;
        struct client *c = client_new_as(f, ALICE), *other = client_new_as(f, BOB);

        bus_server_set_limits(f->server, 2, CALLS_MAX, 0);
        assert_int_equal(client_try_as(f, BOB), -EUSERS);
        ask(c, 1);
        expect(c, "ok ");
        client_free(c);
        settle(f);
        c = client_new_as(f, BOB);
        client_free(c);
        client_free(other);
}

#define MANY 100 /* more than have their turn at once */

static int make_for_many(void **state) {
        return make_service_for_all(state, NULL, MANY + 1);
}

static void who_asks_once_does_not_wait_for_all_connections_of_another(void **state) {
        struct fixture *f = *state;
        struct client *many[MANY], *other;

        for (size_t i = 0; i < MANY; i++)
                many[i] = client_new_as(f, ALICE);
        other = client_new_as(f, BOB);
        for (size_t i = 0; i < MANY; i++)
                for (int k = 0; k < 20; k++)
                        assert_true(sd_bus_call_method_async(many[i]->bus, NULL, NULL, "/org/dosvc", "org.dosvc.Manager1", "Unsubscribe",
                                                             on_answer, many[i], "s", "") >= 0);
        assert_true(sd_bus_call_method_async(other->bus, NULL, NULL, "/org/dosvc", "org.dosvc.Manager1", "Unsubscribe", on_answer, other, "s", "") >= 0);
        for (int turn = 0; turn < 2; turn++) { /* Alice's turn, if the first of her calls takes long; then his in any case */
                assert_true(sd_event_run(f->event, 0) > 0);
                assert_true(sd_bus_process(other->bus, NULL) >= 0);
        }
        expect(other, "ok ");
        settle(f);
        for (size_t i = 0; i < MANY; i++) {
                assert_int_equal(strlen(many[i]->log), 20 * strlen("ok "));
                client_free(many[i]);
        }
        client_free(other);
}

#define AT_ONCE 64 /* messages that leave in one turn of the loop */

static void subscribe(struct client *c) {
        assert_true(sd_bus_call_method_async(c->bus, NULL, NULL, "/org/dosvc", "org.dosvc.Manager1", "Subscribe", on_answer, c, "s", "") >= 0);
        settle(c->f);
        expect(c, "ok ");
}

static void hear(struct client *c) {
        while (sd_bus_process(c->bus, NULL) > 0)
                ;
}

static void what_all_connections_of_one_hear_of_is_told_in_pieces_and_in_order(void **state) {
        struct fixture *f = *state;
        struct client *many[MANY], *other;
        struct manager_reply reply = { .outcome = -1 };
        size_t n_told = 0;
        struct guid id;

        for (size_t i = 0; i < MANY; i++) {
                many[i] = client_new_as(f, ALICE);
                subscribe(many[i]);
        }
        other = client_new_as(f, BOB);
        assert_int_equal(create(f, ALICE, 1, 0, &id), 0);
        for (size_t i = 0; i < MANY; i++)
                expect(many[i], "<JobAdded> ");
        manager_resume_job(f->h->manager, manager_find_any_job(f->h->manager, &id), NULL, NULL);
        manager_cancel_job(f->h->manager, manager_find_any_job(f->h->manager, &id), on_reply, &reply);
        harness_pump(f->h);
        assert_int_equal(reply.outcome, 0);
        for (size_t i = 0; i < MANY; i++) {
                hear(many[i]);
                n_told += streq(many[i]->log, "<PropertiesChanged> "); /* the first of two for each */
        }
        assert_int_equal(n_told, AT_ONCE);
        /* Whoever asks meanwhile is answered before the rest is told; one of those who hear, behind what she hears. */
        assert_true(sd_bus_call_method_async(many[MANY - 1]->bus, NULL, NULL, "/org/dosvc", "org.dosvc.Manager1", "Unsubscribe", on_answer,
                                             many[MANY - 1], "s", "") >= 0);
        assert_true(sd_bus_call_method_async(other->bus, NULL, NULL, "/org/dosvc", "org.dosvc.Manager1", "Unsubscribe", on_answer, other, "s", "") >= 0);
        for (int turn = 0; turn < 2; turn++) {
                assert_true(sd_event_run(f->event, 0) > 0);
                hear(other);
        }
        expect(other, "ok ");
        assert_string_equal(many[MANY - 1]->log, "");
        settle(f);
        for (size_t i = 0; i < MANY; i++) {
                expect(many[i], i < MANY - 1 ? "<PropertiesChanged> <JobRemoved> " : "<PropertiesChanged> <JobRemoved> ok ");
                client_free(many[i]);
        }
        client_free(other);
}

static void what_was_not_told_yet_is_told_at_the_end(void **state) {
        struct fixture *f = *state;
        struct client *many[MANY];

        for (size_t i = 0; i < MANY; i++) {
                many[i] = client_new_as(f, ALICE);
                subscribe(many[i]);
        }
        manager_create_job(f->h->manager,
                           &(struct manager_create_request) { .owner = ALICE, .name = "job", .priority = -1, .replace = -1, .remote_time = -1,
                                                              .no_progress_timeout_s = -1, .minimum_retry_delay_s = -1, .notify_flags = -1 },
                           NULL, NULL);
        harness_pump(f->h);
        bus_server_close(f->server);
        for (size_t i = 0; i < MANY; i++) {
                hear(many[i]);
                expect(many[i], "<JobAdded> ");
                client_free(many[i]);
        }
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, make, free_service)
        static const struct CMUnitTest tests[] = {
                TEST(a_user_has_as_many_jobs_as_one_may_and_others_theirs),
                TEST(all_users_together_have_as_many_jobs_as_the_machine_may),
                TEST(who_takes_a_job_over_has_to_have_room_for_it),
                TEST(a_job_counts_for_whoever_owns_it_now_and_what_failed_for_nobody),
                TEST(a_job_has_as_many_files_as_one_may),
                TEST(a_file_has_as_many_ranges_as_one_may),
                TEST(a_user_makes_as_many_calls_in_a_second_as_one_may),
                TEST(a_user_has_as_many_connections_as_one_may_and_others_theirs),
                TEST(all_users_together_have_as_many_connections_as_the_machine_may),
                cmocka_unit_test_setup_teardown(who_asks_once_does_not_wait_for_all_connections_of_another, make_for_many, free_service),
                cmocka_unit_test_setup_teardown(what_all_connections_of_one_hear_of_is_told_in_pieces_and_in_order, make_for_many, free_service),
                cmocka_unit_test_setup_teardown(what_was_not_told_yet_is_told_at_the_end, make_for_many, free_service),
        };

        if (geteuid() != 0) {
                printf("needs root: others' connections are made with their uid\n");
                return 77;
        }
        return cmocka_run_group_tests(tests, NULL, NULL);
}

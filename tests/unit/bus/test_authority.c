/* Calls on what is another's: what the authority is asked, when, and what its yes is good for. The races of CVE-2026-41651 (PackageKit: a
 * second call changes what the first was allowed) and CVE-2021-3560 (polkit: the caller vanishes while it is judged) are played in random
 * orders against a model: 2,000 steps, with DOSVC_SOAK 100,000; DOSVC_RACE_STEPS and DOSVC_RACE_SEED say otherwise. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/strings.h"
#include "face.h"

#define OWNER 4001
#define STRANGER 4002 /* asks */
#define CLIENTS 3
#define JOBS 4
#define QUESTIONS_MAX (2 * CLIENTS)

/* ---- a polkit that answers when the test says so ---- */

struct question {
        bool used;
        char action[64];
        uid_t uid;
        pid_t pid;
        size_t asker; /* of the race */
        authority_answer_fn answer;
        void *userdata;
};

static struct question questions[QUESTIONS_MAX];
static unsigned n_asked, n_cancelled;
static size_t asker; /* who talks now */

static int fake_ask(void *userdata, const struct authority_question *question, authority_answer_fn answer, void *answer_userdata, void **ret) {
        for (size_t i = 0; i < QUESTIONS_MAX; i++) {
                if (questions[i].used)
                        continue;
                questions[i] = (struct question) { .used = true, .uid = question->uid, .pid = question->pid, .asker = asker, .answer = answer, .userdata = answer_userdata };
                snprintf(questions[i].action, sizeof(questions[i].action), "%s", question->action);
                assert_null(question->bus_name);
                n_asked++;
                *ret = &questions[i];
                return 0;
        }
        fail();
        return -ENOSPC;
}

static void fake_cancel(void *userdata, void *asked) {
        struct question *question = asked;

        assert_true(question->used);
        question->used = false;
        n_cancelled++;
}

static const struct authority fake = { .ask = fake_ask, .cancel = fake_cancel };

static void decide(struct question *question, bool yes) {
        assert_true(question->used);
        question->used = false;
        question->answer(yes, question->userdata);
}

static struct question *only_question(void) {
        struct question *found = NULL;

        for (size_t i = 0; i < QUESTIONS_MAX; i++) {
                assert_false(found && questions[i].used);
                if (questions[i].used)
                        found = &questions[i];
        }
        assert_non_null(found);
        return found;
}

static unsigned count_questions(void) {
        unsigned n = 0;

        for (size_t i = 0; i < QUESTIONS_MAX; i++)
                n += questions[i].used;
        return n;
}

/* ---- the service, with jobs of another user ---- */

static int make(void **state) {
        memset(questions, 0, sizeof(questions));
        n_asked = n_cancelled = 0;
        return make_service_for_all(state, &fake, 4 * CLIENTS);
}

static void on_created(const struct manager_reply *reply, void *userdata) {
        assert_int_equal(reply->outcome, 0);
        *(struct guid *) userdata = reply->id;
}

static struct guid job_of(struct fixture *f, uid_t owner) {
        struct guid id = {};

        manager_create_job(f->h->manager,
                           &(struct manager_create_request) { .owner = owner, .name = "job", .priority = -1, .replace = -1, .remote_time = -1,
                                                              .no_progress_timeout_s = -1, .minimum_retry_delay_s = -1, .notify_flags = -1 },
                           on_created, &id);
        settle(f);
        return id;
}

static void call_on(struct client *c, const struct guid *id, const char *method, const char *types, ...) {
        char path[64], compact[33];
        va_list ap;

        guid_to_compact(id, compact);
        snprintf(path, sizeof(path), "/org/dosvc/job/%s", compact);
        va_start(ap, types);
        assert_true(sd_bus_call_method_asyncv(c->bus, NULL, NULL, path, "org.dosvc.Job1", method, on_answer, c, types, ap) >= 0);
        va_end(ap);
}

static struct job *job_at(struct fixture *f, const struct guid *id) {
        return manager_find_any_job(f->h->manager, id);
}

/* ---- one by one ---- */

static void nothing_happens_before_the_answer_and_a_yes_is_for_that_call_alone(void **state) {
        struct fixture *f = *state;
        struct guid id = job_of(f, OWNER);
        struct client *c = client_new_as(f, STRANGER);

        call_on(c, &id, "SetProperties", "a{sv}", 1, "Priority", "s", "low");
        settle(f);
        expect(c, "");
        assert_string_equal(only_question()->action, AUTHORITY_MANAGE_ALL);
        assert_int_equal(only_question()->uid, STRANGER);
        assert_int_equal(only_question()->pid, getpid());
        assert_int_equal(job_at(f, &id)->priority, JOB_PRIORITY_NORMAL);
        decide(only_question(), true);
        settle(f);
        expect(c, "ok ");
        assert_int_equal(job_at(f, &id)->priority, JOB_PRIORITY_LOW);
        call_on(c, &id, "Cancel", "");
        settle(f);
        decide(only_question(), false);
        settle(f);
        expect(c, "NotFound ");
        assert_int_equal(job_at(f, &id)->state, JOB_SUSPENDED);
        client_free(c);
}

static void a_call_that_is_handled_again_after_a_yes_counts_once(void **state) {
        struct fixture *f = *state;
        struct guid id = job_of(f, OWNER);
        struct client *c = client_new_as(f, STRANGER);

        bus_server_set_limits(f->server, 4 * CLIENTS, CALLS_MAX, 2);
        for (int i = 0; i < 2; i++) {
                call_on(c, &id, "SetProperties", "a{sv}", 1, "Priority", "s", "low");
                settle(f);
                decide(only_question(), true);
                settle(f);
                expect(c, "ok ");
        }
        call_on(c, &id, "Cancel", "");
        settle(f);
        expect(c, "TooManyRequests ");
        assert_int_equal(count_questions(), 0);
        client_free(c);
}

static void the_configuration_is_read_again_for_whom_the_authority_lets(void **state) {
        struct fixture *f = *state;
        struct client *c = client_new_as(f, STRANGER);

        for (int yes = 0; yes < 2; yes++) {
                assert_true(sd_bus_call_method_async(c->bus, NULL, NULL, "/org/dosvc", "org.dosvc.Manager1", "Reload", on_answer, c, "") >= 0);
                settle(f);
                assert_string_equal(only_question()->action, AUTHORITY_CHANGE_POLICY);
                assert_int_equal(f->n_reloads, 0);
                decide(only_question(), yes);
                settle(f);
                expect(c, yes ? "ok " : "AccessDenied ");
        }
        assert_int_equal(f->n_reloads, 1);
        client_free(c);
}

static void a_second_call_while_the_first_is_judged_is_refused(void **state) {
        struct fixture *f = *state;
        struct guid id = job_of(f, OWNER);
        struct client *c = client_new_as(f, STRANGER), *other = client_new_as(f, STRANGER);

        call_on(c, &id, "SetProperties", "a{sv}", 1, "Priority", "s", "low");
        call_on(c, &id, "SetProperties", "a{sv}", 1, "Priority", "s", "high");
        call_on(c, &id, "Cancel", "");
        call_on(other, &id, "Suspend", "");
        settle(f);
        expect(c, "TooManyRequests TooManyRequests ");
        assert_int_equal(count_questions(), 2);
        decide(&questions[0], true);
        settle(f);
        expect(c, "ok ");
        assert_int_equal(job_at(f, &id)->priority, JOB_PRIORITY_LOW);
        expect(other, "");
        decide(only_question(), false);
        settle(f);
        expect(other, "NotFound ");
        client_free(other);
        client_free(c);
}

static void a_client_that_goes_is_a_no(void **state) {
        struct fixture *f = *state;
        struct guid id = job_of(f, OWNER);
        struct client *c = client_new_as(f, STRANGER);

        call_on(c, &id, "Cancel", "");
        settle(f);
        assert_int_equal(count_questions(), 1);
        client_free(c);
        settle(f);
        assert_int_equal(count_questions(), 0);
        assert_int_equal(n_cancelled, 1);
        assert_int_equal(job_at(f, &id)->state, JOB_SUSPENDED);
}

static void what_is_absent_is_asked_about_and_answered_alike(void **state) {
        static const char *const methods[] = { "Cancel", "ListFiles" };
        struct fixture *f = *state;
        struct guid ids[] = { job_of(f, OWNER), { { 1 } } };
        struct client *c = client_new_as(f, STRANGER);

        for (size_t m = 0; m < ELEMENTSOF(methods); m++)
                for (size_t i = 0; i < ELEMENTSOF(ids); i++) {
                        call_on(c, &ids[i], methods[m], m == 1 ? "uu" : "", 0U, 10U);
                        settle(f);
                        decide(only_question(), false);
                        settle(f);
                        expect(c, "NotFound ");
                }
        assert_int_equal(n_asked, 4);
        client_free(c);
}

static void a_job_that_ended_meanwhile_is_not_found(void **state) {
        struct fixture *f = *state;
        struct guid id = job_of(f, OWNER);
        struct client *c = client_new_as(f, STRANGER), *owner = client_new_as(f, OWNER);

        call_on(c, &id, "Suspend", "");
        settle(f);
        call_on(owner, &id, "Cancel", "");
        settle(f);
        decide(only_question(), true);
        settle(f);
        expect(c, "InvalidState ");
        client_free(owner);
        client_free(c);
}

static void the_old_owner_of_a_taken_job_hears_and_gets_nothing_more_of_it(void **state) {
        struct fixture *f = *state;
        struct client *owner = client_new_as(f, OWNER), *c = client_new_as(f, STRANGER);
        struct guid id = job_of(f, OWNER);

        assert_true(sd_bus_call_method_async(owner->bus, NULL, NULL, "/org/dosvc", "org.dosvc.Manager1", "Subscribe", on_answer, owner, "s", "") >= 0);
        call_on(owner, &id, "SetNotify", "b", 1);
        settle(f);
        expect(owner, "ok ok ");
        call_on(c, &id, "TakeOwnership", "");
        settle(f);
        assert_string_equal(only_question()->action, AUTHORITY_TAKE_OWNERSHIP);
        decide(only_question(), true);
        settle(f);
        expect(c, "ok ");
        assert_int_equal(job_at(f, &id)->owner, STRANGER);
        assert_non_null(strstr(owner->log, "<JobRemoved> "));
        owner->log[0] = 0;
        assert_null(manager_get_notifier(f->h->manager, job_at(f, &id)));
        call_on(c, &id, "SetProperties", "a{sv}", 1, "Name", "s", "mine");
        settle(f);
        expect(c, "ok ");
        expect(owner, "");
        call_on(owner, &id, "Suspend", "");
        settle(f);
        decide(only_question(), false);
        settle(f);
        expect(owner, "NotFound ");
        client_free(c);
        client_free(owner);
}

/* ---- in random orders, against a model ---- */

enum effect { EFFECT_NONE, EFFECT_LOW, EFFECT_HIGH, EFFECT_CANCEL, EFFECT_TAKE, _EFFECT_MAX };

struct attacker {
        struct client *client;
        pid_t process; /* whose connection it is; 0: our own */
        bool ended;    /* that process, since it asked; its connection is still there */
        bool asks;          /* a call of it is judged: what it was, on which job */
        enum effect effect;
        size_t job;
        struct guid id; /* of that job: it may be another by the time of the answer */
};

struct model_job {
        struct guid id;
        enum job_priority priority;
        uid_t owner;
        bool ended;
};

struct race {
        struct fixture *f;
        struct client *owner;
        uint64_t seed;
        struct attacker attackers[CLIENTS];
        struct model_job jobs[JOBS];
        unsigned n_effects, n_denied, n_vanished, n_ended, n_owners;
};

static unsigned draw(struct race *race, unsigned n) {
        race->seed = race->seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        return (unsigned) (race->seed >> 33) % n;
}

static void fresh_job(struct race *race, size_t i) {
        race->jobs[i] = (struct model_job) { .id = job_of(race->f, OWNER), .priority = JOB_PRIORITY_NORMAL, .owner = OWNER };
}

static void apply(struct model_job *job, enum effect effect) {
        if (job->ended)
                return;
        if (effect == EFFECT_LOW || effect == EFFECT_HIGH)
                job->priority = effect == EFFECT_LOW ? JOB_PRIORITY_LOW : JOB_PRIORITY_HIGH;
        job->ended |= effect == EFFECT_CANCEL;
        if (effect == EFFECT_TAKE)
                job->owner = STRANGER;
}

/* The first one of a burst on what is not its own is judged; whatever follows must be refused. */
static void send_burst(struct race *race, struct attacker *attacker) {
        static const char *const priorities[] = { [EFFECT_LOW] = "low", [EFFECT_HIGH] = "high" };
        unsigned n = 1 + draw(race, 3);

        asker = (size_t) (attacker - race->attackers);
        while (n-- > 0) {
                size_t i = draw(race, JOBS);
                enum effect effect = (enum effect) draw(race, _EFFECT_MAX);
                const struct guid *id = &race->jobs[i].id;

                if (effect == EFFECT_NONE)
                        call_on(attacker->client, id, "SetProperties", "a{sv}", 1, "Name", "s", "stolen"); /* nobody may, once it is asked for */
                else if (effect == EFFECT_LOW || effect == EFFECT_HIGH)
                        call_on(attacker->client, id, "SetProperties", "a{sv}", 1, "Priority", "s", priorities[effect]);
                else
                        call_on(attacker->client, id, effect == EFFECT_CANCEL ? "Cancel" : "TakeOwnership", "");
                if (attacker->asks)
                        continue;
                attacker->asks = true;
                attacker->effect = effect;
                attacker->job = i;
                attacker->id = *id;
        }
}

static struct question *question_of(struct race *race, const struct attacker *attacker) {
        for (size_t i = 0; i < QUESTIONS_MAX; i++)
                if (questions[i].used && questions[i].asker == (size_t) (attacker - race->attackers))
                        return &questions[i];
        return NULL;
}

/* Every third one is another process than we are. */
static void appear(struct race *race, struct attacker *attacker) {
        int pair[1][2];

        *attacker = (struct attacker) { .process = draw(race, 3) == 0 ? process_with_connections(STRANGER, 1, pair) : 0 };
        attacker->client = attacker->process > 0 ? client_new_of(race->f, pair[0]) : client_new_as(race->f, STRANGER);
}

static void disappear(struct attacker *attacker) {
        client_free(attacker->client);
        if (attacker->process > 0 && !attacker->ended)
                process_end(attacker->process);
}

static void vanish(struct race *race, struct attacker *attacker) {
        race->n_vanished += attacker->asks;
        disappear(attacker);
        appear(race, attacker);
}

/* Its connection stays, as if it had been handed on. */
static void end_process(struct race *race, struct attacker *attacker) {
        if (attacker->process == 0 || attacker->ended || !attacker->asks)
                return;
        process_end(attacker->process);
        attacker->ended = true;
        race->n_ended++;
}

/* Whose the job is needs nobody's leave, whatever is being judged about it. */
static void owner_acts(struct race *race) {
        struct model_job *job = &race->jobs[draw(race, JOBS)];
        enum effect effect = draw(race, 3) == 0 ? EFFECT_CANCEL : EFFECT_HIGH;

        asker = CLIENTS;
        if (effect == EFFECT_CANCEL)
                call_on(race->owner, &job->id, "Cancel", "");
        else
                call_on(race->owner, &job->id, "SetProperties", "a{sv}", 1, "Priority", "s", "high");
        settle(race->f);
        expect(race->owner, "ok ");
        apply(job, effect);
        race->n_owners++;
}

static void compare(struct race *race) {
        for (size_t i = 0; i < JOBS; i++) {
                const struct model_job *model = &race->jobs[i];
                const struct job *job = job_at(race->f, &model->id);

                assert_non_null(job);
                assert_string_equal(job->name, "job");
                assert_int_equal(job->priority, model->priority);
                assert_int_equal(job->owner, model->owner);
                assert_int_equal(job->state, model->ended ? JOB_CANCELLED : JOB_SUSPENDED);
        }
        for (size_t i = 0; i < JOBS; i++)
                if (race->jobs[i].ended || race->jobs[i].owner != OWNER)
                        fresh_job(race, i);
}

static void answer(struct race *race, struct attacker *attacker, bool yes) {
        unsigned more = draw(race, 4);

        assert_non_null(question_of(race, attacker));
        if (yes && !attacker->ended && guid_equal(&race->jobs[attacker->job].id, &attacker->id))
                apply(&race->jobs[attacker->job], attacker->effect);
        asker = (size_t) (attacker - race->attackers);
        race->n_effects += yes && !attacker->ended;
        race->n_denied += !yes;
        decide(question_of(race, attacker), yes);
        /* A hurried second call, and one that comes behind the answer but before anything was done about it. */
        attacker->asks = false;
        if (more == 0)
                call_on(attacker->client, &race->jobs[attacker->job].id, "SetProperties", "a{sv}", 1, "Name", "s", "stolen");
        settle(race->f);
        if (question_of(race, attacker)) {
                decide(question_of(race, attacker), false);
                settle(race->f);
        }
        attacker->client->log[0] = 0;
        compare(race);
        if (attacker->ended)
                vanish(race, attacker);
}

static void step(struct race *race) {
        struct attacker *attacker = &race->attackers[draw(race, CLIENTS)];

        switch (draw(race, 6)) {
        case 0:
        case 1:
                if (attacker->asks) {
                        send_burst(race, attacker); /* against its own question: all refused */
                        settle(race->f);
                        break;
                }
                send_burst(race, attacker);
                talk(race->f);
                break;
        case 2:
                if (attacker->asks)
                        answer(race, attacker, draw(race, 2) == 0);
                break;
        case 3:
                if (draw(race, 3) == 0)
                        owner_acts(race);
                break;
        case 4:
                end_process(race, attacker);
                break;
        default:
                if (draw(race, 3) == 0)
                        vanish(race, attacker);
                else if (draw(race, 2) == 0)
                        send_burst(race, attacker), vanish(race, attacker); /* nothing of it may have been judged in between */
        }
        attacker->client->log[0] = 0;
        settle(race->f);
        compare(race);
}

/* A check finds the same tomorrow; each soak tries other orders. What failed comes again with its seed in DOSVC_RACE_SEED: it is printed
 * before the first step, for a run that does not come to its end. */
static uint64_t choose_seed(bool is_soak) {
        const char *wanted = getenv("DOSVC_RACE_SEED");
        uint64_t seed = wanted ? strtoull(wanted, NULL, 0) : is_soak ? clock_now(&clock_system, CLOCK_ID_REALTIME) : 20260422;

        print_message("DOSVC_RACE_SEED=%" PRIu64 "\n", seed);
        return seed;
}

static void no_order_of_calls_answers_and_ends_grants_what_was_not_granted(void **state) {
        const char *wanted = getenv("DOSVC_RACE_STEPS");
        bool is_soak = getenv("DOSVC_SOAK");
        unsigned n_steps = wanted ? (unsigned) atoi(wanted) : is_soak ? 100000 : 2000;
        struct race race = { .f = *state, .seed = choose_seed(is_soak) };

        for (size_t i = 0; i < JOBS; i++)
                fresh_job(&race, i);
        for (size_t i = 0; i < CLIENTS; i++)
                appear(&race, &race.attackers[i]);
        race.owner = client_new_as(race.f, OWNER);
        for (unsigned i = 0; i < n_steps; i++)
                step(&race);
        for (size_t i = 0; i < CLIENTS; i++)
                disappear(&race.attackers[i]);
        client_free(race.owner);
        print_message("%u steps: %u granted, %u denied, %u clients vanished, %u processes ended, %u times the owner was faster\n", n_steps,
                      race.n_effects, race.n_denied, race.n_vanished, race.n_ended, race.n_owners);
        assert_true(race.n_effects > n_steps / 50 && race.n_denied > n_steps / 50 && race.n_vanished > n_steps / 50 &&
                    race.n_ended > n_steps / 100 && race.n_owners > n_steps / 50);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, make, free_service)
        static const struct CMUnitTest tests[] = {
                TEST(nothing_happens_before_the_answer_and_a_yes_is_for_that_call_alone),
                TEST(a_call_that_is_handled_again_after_a_yes_counts_once),
                TEST(the_configuration_is_read_again_for_whom_the_authority_lets),
                TEST(a_second_call_while_the_first_is_judged_is_refused),
                TEST(a_client_that_goes_is_a_no),
                TEST(what_is_absent_is_asked_about_and_answered_alike),
                TEST(a_job_that_ended_meanwhile_is_not_found),
                TEST(the_old_owner_of_a_taken_job_hears_and_gets_nothing_more_of_it),
                TEST(no_order_of_calls_answers_and_ends_grants_what_was_not_granted),
        };

        if (geteuid() != 0) {
                printf("needs root: others' connections are made with their uid\n");
                return 77;
        }
        return cmocka_run_group_tests(tests, NULL, NULL);
}

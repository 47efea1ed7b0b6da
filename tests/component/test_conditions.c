/* What jobs do when the network, its cost, the battery or their owner goes and comes back, in the exact order that leaves the service. */
#include "harness.h"

#include <sys/stat.h>

#define MIB (UINT64_C(1) << 20)

static void create(struct harness *h, const char *name, const char *url, enum job_priority priority) {
        char path[256];
        struct manager_file_spec file = {
                .file = { .url = url, .path = path, .stated_size = SIZE_UNKNOWN, .mode = 0644 },
        };

        strcpy(path, harness_path(h, name));
        assert_int_equal(harness_create_with(h, &(struct manager_create_request) {
                        .family = JOB_FAMILY_DO, .name = name, .priority = (int) priority, .replace = -1, .remote_time = -1, .resume = true,
                        .no_progress_timeout_s = -1, .minimum_retry_delay_s = -1, .notify_flags = -1, .files = &file, .n_files = 1,
                }), 0);
}

static void set_conditions(struct harness *h, struct conditions conditions) {
        assert_int_equal(manager_set_conditions(h->manager, &conditions), 0);
        harness_pump(h);
}

static struct conditions network(enum network_reach reach) {
        struct conditions conditions = CONDITIONS_UNKNOWN;

        conditions.network = reach;
        return conditions;
}

static void on_done(const struct manager_reply *reply, void *userdata) {
        *(int *) userdata = reply->outcome;
}

static void set(struct harness *h, const struct manager_properties *properties) {
        int outcome = -1;

        manager_set_properties(h->manager, harness_job(h), properties, on_done, &outcome);
        harness_pump(h);
        assert_int_equal(outcome, 0);
}

static void assert_waits(struct harness *h, enum job_state state, enum waiting_reason waiting, enum error_code code) {
        struct job *job = harness_job(h);

        harness_advance(h, 5 * USEC_PER_SEC); /* what is told late, and the grace after a start */
        assert_int_equal(job->state, state);
        assert_string_equal(waiting_reason_name(job->waiting), waiting_reason_name(waiting));
        assert_string_equal(error_code_name(job->error.code), error_code_name(code));
        assert_int_equal(job->error_count, 0);
        assert_true(manager_next_deadline(h->manager) > h->clock.now[CLOCK_ID_BOOTTIME] + USEC_PER_DAY); /* nothing wakes us */
}

/* SENTENCES: state.network */
static void a_network_that_goes_stops_a_job_and_one_that_comes_lets_it_go_on_at_once(void **state) {
        struct harness *h = *state;
        struct fake_request *r;

        h->server_address = "93.184.216.34";
        create(h, "file", "http://93.184.216.34/file", JOB_PRIORITY_FOREGROUND);
        r = harness_request(h, 0);
        harness_metadata(h, r, 4 * MIB, "\"v1\"");
        harness_write(h, r, 0, MIB);
        harness_pump(h);
        harness_forget(h);
        set_conditions(h, network(NETWORK_NONE));
        harness_expect(h, "engine: stop\nstate file transient_error\n");
        assert_waits(h, JOB_TRANSIENT_ERROR, WAITING_NETWORK, ERROR_NO_NETWORK);
        assert_int_equal(harness_job(h)->bytes_durable, MIB); /* a checkpoint was made */

        harness_advance(h, 7 * USEC_PER_DAY);
        harness_expect(h, "");
        set_conditions(h, network(NETWORK_FULL));
        harness_expect(h, "state file transferring\nengine: start http://93.184.216.34/file from 1048576 if \"v1\"\n");
        assert_int_equal(harness_job(h)->error.code, ERROR_NONE);
}

static void loopback_and_neighbours_do_not_wait_for_the_internet(void **state) {
        struct harness *h = *state;

        create(h, "self", "http://127.0.0.1/self", JOB_PRIORITY_FOREGROUND);
        create(h, "near", "http://10.1.2.3/near", JOB_PRIORITY_FOREGROUND);
        create(h, "name", "http://example.org/name", JOB_PRIORITY_FOREGROUND);
        harness_forget(h);
        set_conditions(h, network(NETWORK_LOCAL));
        harness_expect(h, "");
        set_conditions(h, network(NETWORK_PORTAL));
        harness_expect(h, "engine: stop\nstate name transient_error\n");
        set_conditions(h, network(NETWORK_NONE)); /* a name may be this machine's own: no worse than before is no reason to try it */
        harness_expect(h, "engine: stop\nstate near transient_error\n");
        assert_int_equal(harness_running(h), 1);
        set_conditions(h, network(NETWORK_FULL));
        assert_int_equal(harness_running(h), 3);
}

static void a_name_that_nobody_can_resolve_waits_for_the_network_not_for_a_time(void **state) {
        struct harness *h = *state;

        set_conditions(h, network(NETWORK_NONE));
        create(h, "file", "http://example.org/file", JOB_PRIORITY_FOREGROUND);
        harness_forget(h);
        harness_finish(h, harness_request(h, 0), ENGINE_FAILED, ERROR_NAME_NOT_RESOLVED, true);
        harness_pump(h);
        harness_expect(h, "state file transient_error\n");
        assert_waits(h, JOB_TRANSIENT_ERROR, WAITING_NETWORK, ERROR_NO_NETWORK);
        set_conditions(h, (struct conditions){ .network = NETWORK_NONE, .cost = COST_UNRESTRICTED, .battery_percent = 50 });
        harness_expect(h, ""); /* other news are no reason */
        set_conditions(h, network(NETWORK_FULL));
        assert_int_equal(harness_job(h)->state, JOB_TRANSFERRING);
}

/* api.md 2.1, "Network back" */
static void when_the_network_is_back_a_retry_does_not_wait_out_its_delay(void **state) {
        struct harness *h = *state;
        struct conditions other = network(NETWORK_FULL);

        create(h, "file", "http://example.org/file", JOB_PRIORITY_FOREGROUND);
        harness_finish_status(h, harness_request(h, 0), 503, true);
        harness_pump(h);
        assert_int_equal(harness_job(h)->state, JOB_TRANSIENT_ERROR);
        assert_int_equal(harness_job(h)->waiting, WAITING_RETRY);
        harness_forget(h);
        other.battery_percent = 50;
        set_conditions(h, other);
        harness_expect(h, "");
        other.network_serial++;
        set_conditions(h, other);
        harness_expect(h, "state file transferring\nengine: start http://example.org/file from 0\n");
        assert_int_equal(harness_job(h)->pace.attempts, 0);
}

/* SENTENCES: state.cost state.blocked */
static void cost_flags_decide_at_once(void **state) {
        struct harness *h = *state;
        struct manager_properties properties = MANAGER_PROPERTIES_NONE;
        struct conditions conditions = network(NETWORK_FULL);

        create(h, "file", "http://example.org/file", JOB_PRIORITY_FOREGROUND);
        conditions.cost = COST_CAPPED_USAGE_UNKNOWN;
        set_conditions(h, conditions);
        harness_forget(h);
        properties.cost_flags = 0x80000021; /* BITS_JOB_TRANSFER_POLICY_UNRESTRICTED */
        set(h, &properties);
        harness_expect(h, "engine: stop\nstate file transient_error\n");
        assert_waits(h, JOB_TRANSIENT_ERROR, WAITING_COST, ERROR_BLOCKED_BY_COST);
        properties.cost_flags = 0x80000067; /* _STANDARD */
        set(h, &properties);
        harness_expect(h, "state file transferring\nengine: start http://example.org/file from 0\n");

        properties = MANAGER_PROPERTIES_NONE;
        properties.no_cellular = true;
        set(h, &properties);
        harness_forget(h);
        conditions.is_cellular = true;
        set_conditions(h, conditions);
        assert_waits(h, JOB_TRANSIENT_ERROR, WAITING_COST, ERROR_BLOCKED_BY_CELLULAR);
        harness_crash(h);
        set_conditions(h, conditions);
        assert_waits(h, JOB_TRANSIENT_ERROR, WAITING_COST, ERROR_BLOCKED_BY_CELLULAR); /* that was kept */
        conditions.is_cellular = false;
        set_conditions(h, conditions);
        assert_int_equal(harness_job(h)->state, JOB_TRANSFERRING);
}

/* SENTENCES: state.blocked */
static void who_waits_in_the_queue_is_told_when_its_turn_comes(void **state) {
        struct harness *h = *state;

        h->limits.blockers.background_battery_percent = 20;
        manager_set_limits(h->manager, &h->limits, &h->schedule);
        set_conditions(h, (struct conditions){ .network = NETWORK_FULL, .cost = COST_UNRESTRICTED, .battery_percent = 19 });
        harness_forget(h);
        create(h, "file", "http://example.org/file", JOB_PRIORITY_LOW);
        harness_expect(h, "added file\nreply NONE\nstate file transient_error\n");
        assert_waits(h, JOB_TRANSIENT_ERROR, WAITING_POWER, ERROR_BLOCKED_BY_BATTERY);
        assert_string_equal(harness_job(h)->error.text, "The battery has less than 20 %, which background jobs leave alone.");
        h->limits.blockers.background_battery_percent = 10; /* SIGHUP */
        manager_set_limits(h->manager, &h->limits, &h->schedule);
        harness_pump(h);
        assert_int_equal(harness_job(h)->state, JOB_TRANSFERRING);
}

static void before_the_machine_sleeps_all_is_safe_and_afterwards_it_goes_on(void **state) {
        struct harness *h = *state;
        struct conditions conditions = network(NETWORK_FULL);
        struct fake_request *r;

        create(h, "file", "http://127.0.0.1/file", JOB_PRIORITY_FOREGROUND);
        r = harness_request(h, 0);
        harness_metadata(h, r, 4 * MIB, "\"v1\"");
        harness_write(h, r, 0, MIB);
        harness_pump(h);
        harness_forget(h);
        conditions.goes_to_sleep = true;
        set_conditions(h, conditions);
        harness_expect(h, "engine: stop\nstate file transient_error\n");
        assert_true(manager_is_quiet(h->manager)); /* the machine may sleep */
        assert_waits(h, JOB_TRANSIENT_ERROR, WAITING_SLEEP, ERROR_STANDBY);
        assert_int_equal(harness_job(h)->bytes_durable, MIB);
        h->clock.now[CLOCK_ID_BOOTTIME] += 8 * USEC_PER_HOUR;
        h->clock.now[CLOCK_ID_REALTIME] += 8 * USEC_PER_HOUR;
        harness_pump(h);
        harness_expect(h, "");
        set_conditions(h, network(NETWORK_FULL));
        harness_expect(h, "state file transferring\nengine: start http://127.0.0.1/file from 1048576 if \"v1\"\n");
}

static uid_t person[] = { 1000 };

static struct conditions presence(bool is_there) {
        struct conditions conditions = network(NETWORK_FULL);

        conditions.knows_presence = true;
        conditions.present = person;
        conditions.n_present = is_there;
        return conditions;
}

/* From now on the job's owner is a person who must be logged on, and is. */
static void require_logon(struct harness *h) {
        h->owner = person[0];
        h->limits.blockers.require_logon = true;
        manager_set_limits(h->manager, &h->limits, &h->schedule);
        set_conditions(h, presence(true));
}

/* SENTENCES: state.logon */
static void a_job_whose_owner_logs_off_is_queued_until_log_on(void **state) {
        struct harness *h = *state;

        require_logon(h);
        create(h, "file", "http://127.0.0.1/file", JOB_PRIORITY_FOREGROUND);
        assert_int_equal(harness_job(h)->state, JOB_TRANSFERRING);
        harness_forget(h);

        set_conditions(h, presence(false));
        harness_expect(h, "engine: stop\nstate file queued\n");
        assert_waits(h, JOB_QUEUED, WAITING_LOGON, ERROR_NONE);
        harness_restart(h);
        set_conditions(h, presence(false));
        assert_waits(h, JOB_QUEUED, WAITING_LOGON, ERROR_NONE);
        harness_forget(h);
        set_conditions(h, presence(true));
        harness_expect(h, "state file transferring\nengine: start http://127.0.0.1/file from 0\n");
}

/* The connection is being made, the first answer is on its way, the last byte came: whenever that happens, what was got is kept and nothing
 * more is fetched. */
static void log_off_counts_at_each_step_of_a_transfer(void **state) {
        struct harness *h = *state;
        const struct conditions there = presence(true), away = presence(false);
        struct fake_request *r;

        require_logon(h);
        create(h, "file", "http://127.0.0.1/file", JOB_PRIORITY_FOREGROUND);
        r = harness_request(h, 0);
        assert_int_equal(manager_set_conditions(h->manager, &away), 0);
        harness_metadata(h, r, 4 * MIB, "\"v1\""); /* it comes before the engine hears of it */
        harness_pump(h);
        assert_waits(h, JOB_QUEUED, WAITING_LOGON, ERROR_NONE);
        assert_int_equal(harness_running(h), 0);
        set_conditions(h, presence(true));
        r = harness_request(h, 0);
        harness_metadata(h, r, 4 * MIB, "\"v1\"");
        harness_write(h, r, 0, MIB);
        harness_pump(h);
        set_conditions(h, presence(false));
        assert_waits(h, JOB_QUEUED, WAITING_LOGON, ERROR_NONE);
        assert_int_equal(harness_job(h)->bytes_durable, MIB);
        harness_forget(h);
        /* There and gone again in one turn of the loop. */
        assert_int_equal(manager_set_conditions(h->manager, &there), 0);
        set_conditions(h, presence(false));
        assert_waits(h, JOB_QUEUED, WAITING_LOGON, ERROR_NONE);
        assert_int_equal(harness_running(h), 0);
        set_conditions(h, presence(true));
        r = harness_request(h, 0);
        harness_write(h, r, MIB, 4 * MIB);
        harness_finish(h, r, ENGINE_DONE, ERROR_NONE, false);
        assert_int_equal(manager_set_conditions(h->manager, &away), 0);
        harness_pump(h);
        harness_advance(h, 5 * USEC_PER_SEC);
        assert_int_equal(harness_job(h)->state, JOB_TRANSFERRED); /* nothing of it needed anybody any more */
}

static void log_off_at_the_moment_of_complete_takes_nothing_back(void **state) {
        struct harness *h = *state;
        struct fake_request *r;
        int outcome = -1;

        require_logon(h);
        create(h, "file", "http://127.0.0.1/file", JOB_PRIORITY_FOREGROUND);
        harness_serve(h, harness_request(h, 0), MIB);
        assert_int_equal(harness_job(h)->state, JOB_TRANSFERRED);
        manager_complete_job(h->manager, harness_job(h), on_done, &outcome);
        set_conditions(h, presence(false));
        assert_int_equal(outcome, 0);
        harness_assert_content(h, "file", MIB);
        assert_int_equal(harness_count_temp(h), 0);

        /* Who is away may have asked before: the service completes by itself. */
        set_conditions(h, presence(true));
        assert_int_equal(harness_create(h, "by-itself", true, true), 0);
        r = harness_request(h, 0);
        harness_metadata(h, r, MIB, "\"v1\"");
        harness_write(h, r, 0, MIB);
        harness_finish(h, r, ENGINE_DONE, ERROR_NONE, false);
        set_conditions(h, presence(false));
        harness_assert_content(h, "by-itself", MIB);
}

static void post(struct harness *h, const char *name, const char *url) {
        create(h, name, url, JOB_PRIORITY_FOREGROUND);
        assert_int_equal(harness_call(h, manager_suspend_job), 0);
        harness_job(h)->resumed = false; /* its method can be set only before the first start */
        assert_int_equal(job_set_http_method(harness_job(h), "POST", 0), 0);
        assert_int_equal(harness_call(h, manager_resume_job), 0);
        harness_forget(h);
}

static void a_request_that_is_not_sent_twice_is_left_to_its_end(void **state) {
        struct harness *h = *state;

        post(h, "file", "http://93.184.216.34/file");
        set_conditions(h, network(NETWORK_NONE));
        harness_expect(h, "");
        assert_int_equal(harness_job(h)->state, JOB_TRANSFERRING);
}

static void a_request_that_is_not_sent_twice_is_not_broken_off_when_its_owner_logs_off(void **state) {
        struct harness *h = *state;

        require_logon(h);
        post(h, "file", "http://127.0.0.1/file");
        for (int i = 0; i < 2; i++) { /* off, on, off */
                set_conditions(h, presence(false));
                set_conditions(h, presence(true));
        }
        set_conditions(h, presence(false));
        harness_expect(h, "");
        assert_int_equal(harness_job(h)->state, JOB_TRANSFERRING);
        harness_serve(h, harness_request(h, 0), MIB);
        assert_int_equal(harness_job(h)->state, JOB_TRANSFERRED);

        /* Whoever resumes it after an error waits as others do. */
        set_conditions(h, presence(true));
        post(h, "other", "http://127.0.0.1/other");
        set_conditions(h, presence(false));
        harness_finish(h, harness_request(h, 0), ENGINE_FAILED, ERROR_CONNECTION_CLOSED, true);
        harness_pump(h);
        assert_int_equal(harness_job(h)->state, JOB_ERROR);
        assert_int_equal(harness_call(h, manager_resume_job), 0);
        assert_int_equal(harness_job(h)->state, JOB_QUEUED);
        assert_int_equal(harness_job(h)->waiting, WAITING_LOGON);
        set_conditions(h, presence(true));
        assert_int_equal(harness_job(h)->state, JOB_TRANSFERRING);
        assert_int_equal(harness_running(h), 1);
}

/* Its content is wrong, or it cannot be used: whether it is worth a second request is for whoever resumes. */
static void a_request_that_is_not_sent_twice_is_not_repeated_for_another_content(void **state) {
        struct harness *h = *state;

        for (int how = 0; how < 2; how++) {
                post(h, how == 0 ? "digest" : "changed", "http://127.0.0.1/file");
                harness_job(h)->files[0]->has_sha256 = how == 0; /* of nothing that comes */
                if (how == 0)
                        harness_serve(h, harness_request(h, 0), MIB);
                else
                        harness_finish(h, harness_request(h, 0), ENGINE_RESTART, ERROR_REMOTE_FILE_CHANGED, false);
                harness_pump(h);
                assert_int_equal(harness_running(h), 0);
                assert_int_equal(harness_job(h)->state, JOB_ERROR);
                assert_int_equal(harness_job(h)->error.code, how == 0 ? ERROR_DIGEST_MISMATCH : ERROR_REMOTE_FILE_CHANGED);
                assert_int_equal(harness_call(h, manager_resume_job), 0);
                assert_int_equal(harness_running(h), 1);
                harness_job(h)->files[0]->has_sha256 = false;
                harness_serve(h, harness_request(h, 0), MIB);
                assert_int_equal(harness_job(h)->state, JOB_TRANSFERRED);
        }
}

/* Complete keeps what has come and breaks off the rest; when it fails, only the owner can know what to do about that. */
static void a_request_that_is_not_sent_twice_is_not_repeated_when_complete_fails(void **state) {
        struct harness *h = *state;
        struct manager_file_spec files[2] = {};
        struct manager_create_request request;
        char paths[2][256];

        for (int i = 0; i < 2; i++) {
                strcpy(paths[i], harness_path(h, i == 0 ? "a" : "b"));
                files[i].file = (struct job_file_spec) { .url = i == 0 ? "http://127.0.0.1/a" : "http://127.0.0.1/b", .path = paths[i],
                                                         .stated_size = SIZE_UNKNOWN, .mode = 0644 };
        }
        request = harness_plain_request("two", files, 2);
        request.family = JOB_FAMILY_DO;
        request.resume = false;
        assert_int_equal(harness_create_with(h, &request), 0);
        assert_int_equal(job_set_http_method(harness_job(h), "POST", 0), 0);
        assert_int_equal(harness_call(h, manager_resume_job), 0);
        assert_int_equal(harness_running(h), 2);
        harness_serve(h, harness_request(h, 1), MIB);
        assert_int_equal(mkdir(paths[0], 0700), 0); /* it is in the way */
        assert_int_not_equal(harness_call(h, manager_complete_job), 0);
        assert_int_equal(harness_running(h), 0);
        assert_int_equal(harness_job(h)->state, JOB_ERROR);
        assert_int_not_equal(harness_job(h)->error.code, ERROR_NONE);
        assert_int_equal(harness_call(h, manager_resume_job), 0);
        assert_string_equal(harness_request(h, 0)->url, "http://127.0.0.1/b");
}

/* What was sent cannot be judged any more; what is asked for next is. */
static void a_request_that_is_not_sent_twice_outlives_that_certificates_are_to_be_judged(void **state) {
        struct manager_properties properties = MANAGER_PROPERTIES_NONE;
        struct harness *h = *state;
        struct fake_request *r;

        post(h, "file", "http://127.0.0.1/file");
        r = harness_request(h, 0);
        properties.judge_certificate = 1;
        set(h, &properties);
        assert_false(r->finished);
        harness_serve(h, r, MIB);
        assert_int_equal(harness_job(h)->state, JOB_TRANSFERRED);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, harness_setup, harness_teardown)
        const struct CMUnitTest tests[] = {
                TEST(a_network_that_goes_stops_a_job_and_one_that_comes_lets_it_go_on_at_once),
                TEST(loopback_and_neighbours_do_not_wait_for_the_internet),
                TEST(a_name_that_nobody_can_resolve_waits_for_the_network_not_for_a_time),
                TEST(when_the_network_is_back_a_retry_does_not_wait_out_its_delay),
                TEST(cost_flags_decide_at_once),
                TEST(who_waits_in_the_queue_is_told_when_its_turn_comes),
                TEST(before_the_machine_sleeps_all_is_safe_and_afterwards_it_goes_on),
                TEST(a_job_whose_owner_logs_off_is_queued_until_log_on),
                TEST(log_off_counts_at_each_step_of_a_transfer),
                TEST(log_off_at_the_moment_of_complete_takes_nothing_back),
                TEST(a_request_that_is_not_sent_twice_is_left_to_its_end),
                TEST(a_request_that_is_not_sent_twice_is_not_broken_off_when_its_owner_logs_off),
                TEST(a_request_that_is_not_sent_twice_is_not_repeated_for_another_content),
                TEST(a_request_that_is_not_sent_twice_is_not_repeated_when_complete_fails),
                TEST(a_request_that_is_not_sent_twice_outlives_that_certificates_are_to_be_judged),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

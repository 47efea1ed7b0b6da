#include "../unit.h"

#include <errno.h>

#include "schedule/blockers.h"

#define T0 UINT64_C(1700000000000000)
#define FAR "http://93.184.216.34/f"
#define NAME "http://deb.debian.org/f"
#define NEAR "http://192.168.1.10/f"
#define NEAR_NAME "http://nas/f"
#define SELF "http://127.0.0.1/f"
/* api.md: BITS_JOB_TRANSFER_POLICY */
#define ALWAYS 0x800000FF
#define NOT_ROAMING 0x8000007F
#define NO_SURCHARGE 0x8000006F
#define STANDARD 0x80000067
#define UNRESTRICTED 0x80000021
#define METERED .cost = COST_CAPPED_USAGE_UNKNOWN
#define ROAMING .cost = COST_CAPPED_USAGE_UNKNOWN | COST_ROAMING
#define FULL .network = NETWORK_FULL
#define FREE .cost = COST_UNRESTRICTED
#define MAINS .battery_percent = BATTERY_NOT_USED
#define BATTERY(percent) FULL, FREE, .battery_percent = (percent)

static struct job *make(const char *url, enum job_priority priority) {
        struct job_file_spec spec = { .url = url, .path = "/d/f", .stated_size = SIZE_UNKNOWN, .mode = 0644 };
        struct guid id = {};
        struct job_file *file;
        struct job *job;

        assert_int_equal(job_new(&id, 1000, JOB_FAMILY_DO, "job", T0, &job), 0);
        assert_int_equal(job_set_priority(job, priority, T0), 0);
        assert_int_equal(job_add_file(job, &spec, 1, &file), 0);
        return job;
}

/* What the shipped configuration says. */
static const struct blocker_policy shipped = {
        .foreground_cost_flags = ALWAYS,
        .background_cost_flags = STANDARD,
        .background_battery_percent = 20,
        .background_saves_battery = true,
};

#define FG JOB_PRIORITY_FOREGROUND
#define BG JOB_PRIORITY_NORMAL

static const struct {
        const char *what;
        struct conditions conditions;
        const char *url;
        enum job_priority priority;
        uint32_t cost_flags;
        bool no_cellular;
        enum error_code code;
} rows[] = {
        { "all is well", { FULL, FREE, MAINS }, FAR, BG, 0, true, ERROR_NONE },
        /* the network */
        { "no network", { .network = NETWORK_NONE, FREE, MAINS }, FAR, FG, 0, false, ERROR_NO_NETWORK },
        { "no network, next door", { .network = NETWORK_NONE, FREE, MAINS }, NEAR, FG, 0, false, ERROR_NO_NETWORK },
        { "no network, a name", { .network = NETWORK_NONE, FREE, MAINS }, NAME, FG, 0, false, ERROR_NONE },
        { "no network, loopback", { .network = NETWORK_NONE, FREE, MAINS }, SELF, BG, 0, false, ERROR_NONE },
        { "links only", { .network = NETWORK_LOCAL, FREE, MAINS }, FAR, BG, 0, false, ERROR_NONE },
        { "links only, next door", { .network = NETWORK_LOCAL, FREE, MAINS }, NEAR, BG, 0, false, ERROR_NONE },
        { "a portal", { .network = NETWORK_PORTAL, FREE, MAINS }, FAR, FG, 0, false, ERROR_NO_NETWORK },
        { "a portal, a name", { .network = NETWORK_PORTAL, FREE, MAINS }, NAME, FG, 0, false, ERROR_NO_NETWORK },
        { "a portal, next door", { .network = NETWORK_PORTAL, FREE, MAINS }, NEAR, FG, 0, false, ERROR_NONE },
        { "a portal, a name next door", { .network = NETWORK_PORTAL, FREE, MAINS }, NEAR_NAME, FG, 0, false, ERROR_NONE },
        { "a portal, loopback", { .network = NETWORK_PORTAL, FREE, MAINS }, SELF, FG, 0, false, ERROR_NONE },
        /* its cost: what the job says */
        { "metered, always", { FULL, METERED, MAINS }, NAME, BG, ALWAYS, false, ERROR_NONE },
        { "metered, standard", { FULL, METERED, MAINS }, NAME, BG, STANDARD, false, ERROR_NONE },
        { "metered, unrestricted", { FULL, METERED, MAINS }, NAME, FG, UNRESTRICTED, false, ERROR_BLOCKED_BY_COST },
        { "free, unrestricted", { FULL, FREE, MAINS }, NAME, FG, UNRESTRICTED, false, ERROR_NONE },
        { "roaming, always", { FULL, ROAMING, MAINS }, NAME, BG, ALWAYS, false, ERROR_NONE },
        { "roaming, not roaming", { FULL, ROAMING, MAINS }, NAME, FG, NOT_ROAMING, false, ERROR_BLOCKED_BY_COST },
        { "roaming, no surcharge", { FULL, ROAMING, MAINS }, NAME, FG, NO_SURCHARGE, false, ERROR_BLOCKED_BY_COST },
        { "roaming, standard", { FULL, ROAMING, MAINS }, NAME, FG, STANDARD, false, ERROR_BLOCKED_BY_COST },
        { "metered, next door", { FULL, METERED, MAINS }, NEAR, BG, UNRESTRICTED, false, ERROR_NONE },
        { "roaming, loopback", { FULL, ROAMING, MAINS }, SELF, BG, UNRESTRICTED, true, ERROR_NONE },
        /* its cost: what the configuration says */
        { "metered", { FULL, METERED, MAINS }, NAME, BG, 0, false, ERROR_NONE },
        { "roaming, background", { FULL, ROAMING, MAINS }, NAME, BG, 0, false, ERROR_BLOCKED_BY_COST },
        { "roaming, foreground", { FULL, ROAMING, MAINS }, NAME, FG, 0, false, ERROR_NONE },
        /* mobile networks, whatever they cost */
        { "mobile", { FULL, METERED, MAINS, .is_cellular = true }, NAME, FG, ALWAYS, false, ERROR_NONE },
        { "mobile, not allowed", { FULL, METERED, MAINS, .is_cellular = true }, NAME, FG, ALWAYS, true, ERROR_BLOCKED_BY_CELLULAR },
        { "mobile and free, not allowed", { FULL, FREE, MAINS, .is_cellular = true }, NAME, BG, 0, true, ERROR_BLOCKED_BY_CELLULAR },
        { "mobile, next door", { FULL, FREE, MAINS, .is_cellular = true }, NEAR, BG, 0, true, ERROR_NONE },
        /* power */
        { "20 %", { BATTERY(20) }, NAME, BG, 0, false, ERROR_NONE },
        { "19 %", { BATTERY(19) }, NAME, BG, 0, false, ERROR_BLOCKED_BY_BATTERY },
        { "19 %, loopback", { BATTERY(19) }, SELF, BG, 0, false, ERROR_BLOCKED_BY_BATTERY },
        { "0 %, foreground", { BATTERY(0) }, NAME, FG, 0, false, ERROR_NONE },
        { "saves its battery", { BATTERY(80), .saves_battery = true }, NAME, BG, 0, false, ERROR_BLOCKED_BY_BATTERY_SAVER },
        { "saves its battery, foreground", { BATTERY(80), .saves_battery = true }, NAME, FG, 0, false, ERROR_NONE },
        { "saves power at the mains", { FULL, FREE, MAINS, .saves_battery = true }, NAME, BG, 0, false, ERROR_NONE },
        { "goes to sleep", { FULL, FREE, MAINS, .goes_to_sleep = true }, SELF, FG, 0, false, ERROR_STANDBY },
        /* the first cause is told */
        { "no network and no power", { .network = NETWORK_NONE, FREE, .battery_percent = 1 }, FAR, BG, 0, false, ERROR_NO_NETWORK },
        { "no money and no power", { FULL, ROAMING, .battery_percent = 1 }, NAME, BG, 0, false, ERROR_BLOCKED_BY_COST },
};

/* SENTENCES: state.blocked */
static void each_condition_blocks_whom_it_must(void **state _unused_) {
        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                _cleanup_(job_freep) struct job *job = make(rows[i].url, rows[i].priority);
                char text[BLOCKER_TEXT_MAX];
                enum error_code code;

                job->cost_flags = rows[i].cost_flags;
                job->no_cellular = rows[i].no_cellular;
                code = blockers_find(&rows[i].conditions, &shipped, job, text);
                if (code != rows[i].code)
                        fail_msg("%s: %s", rows[i].what, error_code_name(code));
                assert_true(code == ERROR_NONE || job_error_is_blocked_cause(code));
                assert_true((code == ERROR_NONE || code == ERROR_STANDBY) == (text[0] == 0));
                assert_true(strlen(text) < BLOCKER_TEXT_MAX - 1);
                assert_int_equal(blockers_decide(code), code != ERROR_NONE && code != ERROR_NO_NETWORK);
        }
}

static void nothing_blocks_where_nobody_says_anything(void **state _unused_) {
        _cleanup_(job_freep) struct job *job = make(FAR, BG);
        char text[BLOCKER_TEXT_MAX];

        job->no_cellular = true;
        job->cost_flags = UNRESTRICTED;
        assert_int_equal(blockers_find(&CONDITIONS_UNKNOWN, &shipped, job, text), ERROR_NONE);
        assert_int_equal(blockers_find(&CONDITIONS_UNKNOWN, &BLOCKER_POLICY_NONE, job, text), ERROR_NONE);
        assert_false(blockers_owner_is_away(&CONDITIONS_UNKNOWN, &(struct blocker_policy){ .require_logon = true }, 1000));
}

static void a_sentence_says_what_it_is_about(void **state _unused_) {
        _cleanup_(job_freep) struct job *job = make(NAME, BG);
        char text[BLOCKER_TEXT_MAX];

        (void) blockers_find(&(struct conditions){ BATTERY(7) }, &shipped, job, text);
        assert_string_equal(text, "The battery has less than 20 %, which background jobs leave alone.");
        (void) blockers_find(&(struct conditions){ FULL, ROAMING, MAINS }, &shipped, job, text);
        assert_string_equal(text, "The network is roaming, which the configuration does not allow for background jobs.");
        job->cost_flags = UNRESTRICTED;
        (void) blockers_find(&(struct conditions){ FULL, METERED, MAINS }, &shipped, job, text);
        assert_string_equal(text, "The network is metered, which the job's cost flags do not allow.");
}

static void a_failure_without_a_network_is_the_networks(void **state _unused_) {
        static const struct {
                enum network_reach network;
                const char *url;
                enum error_code code;
                uint32_t detail;
                enum error_code judged;
        } failures[] = {
                { NETWORK_FULL, NAME, ERROR_NAME_NOT_RESOLVED, 0, ERROR_NAME_NOT_RESOLVED },
                { NETWORK_FULL, FAR, ERROR_CONNECT_FAILURE, ENETUNREACH, ERROR_CONNECT_FAILURE },
                { NETWORK_LOCAL, NAME, ERROR_NAME_NOT_RESOLVED, 0, ERROR_NO_NETWORK },
                { NETWORK_LOCAL, FAR, ERROR_CONNECT_FAILURE, ENETUNREACH, ERROR_NO_NETWORK },
                { NETWORK_LOCAL, NEAR, ERROR_CONNECT_FAILURE, ECONNREFUSED, ERROR_CONNECT_FAILURE },
                { NETWORK_LOCAL, NEAR, ERROR_TIMED_OUT, 0, ERROR_TIMED_OUT },
                { NETWORK_NONE, NAME, ERROR_NAME_NOT_RESOLVED, 0, ERROR_NO_NETWORK },
                { NETWORK_NONE, NAME, ERROR_CONNECT_FAILURE, ENETUNREACH, ERROR_NO_NETWORK },
                { NETWORK_NONE, FAR, ERROR_CONNECTION_CLOSED, 0, ERROR_NO_NETWORK },
                { NETWORK_NONE, NEAR, ERROR_TIMED_OUT, 0, ERROR_NO_NETWORK },
                { NETWORK_NONE, NAME, ERROR_CONNECTION_CLOSED, 0, ERROR_CONNECTION_CLOSED },
                { NETWORK_NONE, SELF, ERROR_CONNECT_FAILURE, ECONNREFUSED, ERROR_CONNECT_FAILURE },
                { NETWORK_NONE, SELF, ERROR_TIMED_OUT, 0, ERROR_TIMED_OUT },
                { NETWORK_NONE, FAR, ERROR_HTTP_STATUS, 503, ERROR_HTTP_STATUS },
                { NETWORK_PORTAL, NAME, ERROR_NAME_NOT_RESOLVED, 0, ERROR_NO_NETWORK },
        };

        for (size_t i = 0; i < ELEMENTSOF(failures); i++) {
                _cleanup_(job_freep) struct job *job = make(failures[i].url, FG);
                struct conditions conditions = CONDITIONS_UNKNOWN;

                conditions.network = failures[i].network;
                if (blockers_judge_failure(&conditions, job->files[0], failures[i].code, failures[i].detail) != failures[i].judged)
                        fail_msg("row %zu", i);
        }
}

static void who_must_be_there_and_is_not_is_away(void **state _unused_) {
        static const uid_t present[] = { 1000, 1002, 2000 };
        struct conditions conditions = CONDITIONS_UNKNOWN;
        struct blocker_policy policy = { .require_logon = true };

        conditions.present = present;
        conditions.n_present = ELEMENTSOF(present);
        assert_false(blockers_owner_is_away(&conditions, &policy, 1001)); /* no logind: everybody is present */
        conditions.knows_presence = true;
        assert_true(blockers_owner_is_away(&conditions, &policy, 1001));
        for (size_t i = 0; i < ELEMENTSOF(present); i++)
                assert_false(blockers_owner_is_away(&conditions, &policy, present[i]));
        assert_false(blockers_owner_is_away(&conditions, &policy, 0)); /* users of the system */
        assert_false(blockers_owner_is_away(&conditions, &policy, 999));
        assert_false(blockers_owner_is_away(&conditions, &policy, 61184));
        policy.require_logon = false;
        assert_false(blockers_owner_is_away(&conditions, &policy, 1001));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(each_condition_blocks_whom_it_must),
                cmocka_unit_test(nothing_blocks_where_nobody_says_anything),
                cmocka_unit_test(a_sentence_says_what_it_is_about),
                cmocka_unit_test(a_failure_without_a_network_is_the_networks),
                cmocka_unit_test(who_must_be_there_and_is_not_is_away),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

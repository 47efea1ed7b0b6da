/* Each key of dosvc.conf that is somebody else's number arrives there, in that one's unit, and nowhere else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fds.h"
#include "base/log.h"
#include "base/strings.h"
#include "daemon/tuning.h"

#define SEED 4711
#define ANY 0xff /* states of cost */

struct made {
        struct manager_limits limits;
        struct conditions_wanted wanted;
        struct schedule_config schedule;
};

static void make(const struct settings *settings, struct made *ret) {
        *ret = (struct made) {
                .limits = tuning_make_limits(settings),
                .wanted = tuning_make_wanted(settings),
                .schedule = tuning_make_schedule(settings, SEED),
        };
}

static struct settings *read_text(const char *text) {
        _cleanup_close_ int fd = memfd_create("dosvc.conf", MFD_CLOEXEC);
        struct settings *settings;
        char path[64];

        assert_true(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t) strlen(text));
        snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
        assert_int_equal(settings_new(&settings), 0);
        assert_int_equal(settings_read(settings, path, true), 0);
        return settings;
}

static struct settings *read_key(const char *key, const char *value) {
        char text[256];

        snprintf(text, sizeof(text), "[Service]\n%s=%s\n", key, value);
        return read_text(text);
}

/* ---- one key, one value, where it acts ---- */

#define LIMIT(key, value, initial, wanted, field) \
        { #key, SETTING_##key, value, initial, wanted, offsetof(struct made, field), sizeof(((struct made *) NULL)->field) }
#define LIMITED(key, value, initial, wanted, field) LIMIT(key, value, initial, wanted, limits.field)

static const struct row {
        const char *key;
        enum setting setting;
        const char *value;
        uint64_t initial, wanted; /* without the key, and with it */
        size_t offset, size;
} rows[] = {
        LIMITED(MaxJobsPerUser, "7", 100000, 7, max_jobs_per_user),
        LIMITED(MaxJobsPerMachine, "8", 1000000, 8, max_jobs),
        LIMITED(MaxFilesPerJob, "9", 100000, 9, max_files_per_job),
        LIMITED(MaxRangesPerFile, "10", 500, 10, max_ranges_per_file),
        LIMITED(HistoryMaxEntries, "0", 1000, 0, history_max_entries),
        LIMITED(HistoryMaxAge, "11", 7776000 * USEC_PER_SEC, 11 * USEC_PER_SEC, history_max_age_usec),
        LIMITED(MaxDownloadTime, "4294967295", 7776000, UINT32_MAX, max_download_time_s),
        LIMITED(JobInactivityTimeout, "3153600000", 7776000 * USEC_PER_SEC, 3153600000 * USEC_PER_SEC, job_inactivity_usec),
        LIMITED(CheckpointBytes, "65536", 16777216, 65536, checkpoint_bytes),
        LIMITED(CheckpointInterval, "6", 5 * USEC_PER_SEC, 6 * USEC_PER_SEC, checkpoint_interval_usec),
        LIMITED(ChunkHashRate, "0", 33554432, 0, chunk_hash_rate),
        LIMITED(ConnectTimeout, "31", 30 * USEC_PER_SEC, 31 * USEC_PER_SEC, connect_timeout_usec),
        LIMITED(StallTimeout, "61", 60 * USEC_PER_SEC, 61 * USEC_PER_SEC, stall_timeout_usec),
        LIMITED(NotifyCommands, "no", true, false, notify_commands),
        LIMITED(NotifyCommandTimeout, "12", 900 * USEC_PER_SEC, 12 * USEC_PER_SEC, notify_command_timeout_usec),
        LIMITED(MaxConnectionsPerOwner, "13", 64, 13, engine.max_connections_per_owner),
        LIMITED(MaxConnectionsPerHost, "14", 6, 14, engine.max_connections_per_host),
        LIMITED(MaxConnectionsPerFile, "15", 64, 15, segments.max),
        LIMITED(MinimumSegmentSize, "16", 1048576, 16, segments.min_bytes),
        LIMITED(SegmentTrial, "0", 950 * USEC_PER_MSEC, 0, segments.window_usec),
        LIMITED(DOCacheHost, "", false, true, cache_hosts_are_set),
        LIMITED(DOCacheHostSource, "1", false, true, cache_hosts_of_network),
        LIMITED(DOCacheHostSource, "2", false, true, cache_hosts_of_network_first),
        LIMIT(DOCacheHostSource, "1", false, true, wanted.cache_hosts),
        LIMITED(DODelayCacheServerFallbackForeground, "17", 0, 17 * USEC_PER_SEC, cache_fallback_foreground_usec),
        LIMITED(DODelayCacheServerFallbackBackground, "2592000", 0, 2592000 * USEC_PER_SEC, cache_fallback_background_usec),
        LIMITED(DOMinBackgroundQos, "4294967295", 0, UINT64_C(4294967295) * 1024, min_background_rate),
        LIMITED(DODisallowCacheServerDownloadsOnVPN, "1", false, true, no_cache_on_vpn),
        LIMITED(DOMaxForegroundDownloadBandwidth, "1", 0, 1024, foreground_bandwidth.max_rate),
        LIMITED(DOMaxBackgroundDownloadBandwidth, "4294967295", 0, UINT64_C(4294967295) * 1024, background_bandwidth.max_rate),
        LIMITED(DOPercentageMaxForegroundBandwidth, "18", 0, 18, foreground_bandwidth.percent),
        LIMITED(DOPercentageMaxBackgroundBandwidth, "19", 0, 19, background_bandwidth.percent),
        LIMITED(DOSetHoursToLimitForegroundDownloadBandwidth, "20-6 21% 22%", 0, 20, foreground_bandwidth.hours.from),
        LIMITED(DOSetHoursToLimitForegroundDownloadBandwidth, "20-6 21% 22%", 0, 6, foreground_bandwidth.hours.to),
        LIMITED(DOSetHoursToLimitForegroundDownloadBandwidth, "20-6 21% 22%", 0, 21, foreground_bandwidth.hours.percent_inside),
        LIMITED(DOSetHoursToLimitForegroundDownloadBandwidth, "20-6 21% 22%", 0, 22, foreground_bandwidth.hours.percent_outside),
        LIMITED(DOSetHoursToLimitForegroundDownloadBandwidth, "20-6 21% 22%", false, true, foreground_bandwidth.hours.is_set),
        LIMITED(DOSetHoursToLimitBackgroundDownloadBandwidth, "8-18 25% 100%", 0, 8, background_bandwidth.hours.from),
        LIMITED(DOSetHoursToLimitBackgroundDownloadBandwidth, "8-18 25% 100%", 0, 18, background_bandwidth.hours.to),
        LIMITED(DOSetHoursToLimitBackgroundDownloadBandwidth, "8-18 25% 100%", 0, 25, background_bandwidth.hours.percent_inside),
        LIMITED(DOSetHoursToLimitBackgroundDownloadBandwidth, "8-18 25% 100%", 0, 100, background_bandwidth.hours.percent_outside),
        LIMITED(DOSetHoursToLimitBackgroundDownloadBandwidth, "8-18 25% 100%", false, true, background_bandwidth.hours.is_set),
        LIMITED(MinimumBatteryForeground, "23", 0, 23, blockers.foreground_battery_percent),
        LIMITED(MinimumBatteryBackground, "24", 20, 24, blockers.background_battery_percent),
        LIMITED(BackgroundOnBatterySaver, "yes", true, false, blockers.background_saves_battery),
        LIMITED(RequireLogon, "yes", false, true, blockers.require_logon),
        LIMIT(RequireLogon, "yes", false, true, wanted.presence),
        LIMITED(ForegroundCostPolicy, "1", ANY, 0x21, blockers.foreground_cost_flags),
        LIMITED(BackgroundCostPolicy, "0", 0x67, ANY, blockers.background_cost_flags),
        LIMIT(BackgroundSlots, "26", 4, 26, schedule.background_slots),
        LIMIT(TimeSlice, "27", 300 * USEC_PER_SEC, 27 * USEC_PER_SEC, schedule.time_slice_usec),
        LIMIT(MinimumRetryDelayDO, "28", 5 * USEC_PER_SEC, 28 * USEC_PER_SEC, schedule.retry_first_do_usec),
};

/* Those whose only reader is the composition root: sockets, files, bounds of the bus; quotas are other keys' defaults. Texts have tests
 * of their own below. */
static const enum setting not_here[] = {
        SETTING_BITSQuotas, SETTING_MaxCallsPerSecond, SETTING_MaxCallsPerClient, SETTING_MaxClientsPerUser, SETTING_MaxClients,
        SETTING_MinimumFreeSpace, SETTING_CAFile, SETTING_CRLFile, SETTING_MetricsSocket, SETTING_SystemUsers, SETTING_DOVpnKeywords,
};

static uint64_t field_of(const struct made *made, const struct row *row) {
        const void *field = (const char *) made + row->offset;

        switch (row->size) {
        case sizeof(bool):
                return *(const bool *) field;
        case sizeof(uint32_t):
                return *(const uint32_t *) field;
        default:
                assert_int_equal(row->size, sizeof(uint64_t));
                return *(const uint64_t *) field;
        }
}

static void each_key_arrives_where_it_acts_and_nowhere_else(void **state) {
        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                _cleanup_(settings_freep) struct settings *settings = read_key(rows[i].key, rows[i].value);
                struct made made;

                make(settings, &made);
                if (field_of(&made, &rows[i]) != rows[i].wanted)
                        fail_msg("%s=%s became %" PRIu64, rows[i].key, rows[i].value, field_of(&made, &rows[i]));
                for (size_t j = 0; j < ELEMENTSOF(rows); j++)
                        if (rows[j].setting != rows[i].setting && field_of(&made, &rows[j]) != rows[j].initial)
                                fail_msg("%s=%s changed %s: %" PRIu64, rows[i].key, rows[i].value, rows[j].key, field_of(&made, &rows[j]));
        }
}

static void without_a_key_each_number_is_its_default(void **state) {
        _cleanup_(settings_freep) struct settings *settings = read_text("");
        struct made made;

        make(settings, &made);
        for (size_t i = 0; i < ELEMENTSOF(rows); i++)
                if (field_of(&made, &rows[i]) != rows[i].initial)
                        fail_msg("%s is %" PRIu64 " without being set", rows[i].key, field_of(&made, &rows[i]));
        assert_int_equal(made.schedule.seed, SEED);
        assert_int_equal(made.schedule.retry_max_usec, 30 * USEC_PER_MINUTE);
        assert_null(made.limits.cache_hosts);
        assert_string_equal(made.wanted.vpn_keywords, "VPN,Secure,Virtual Private Network");
}

static void no_key_is_left_out(void **state) {
        bool is_known[_SETTING_MAX] = {};

        for (size_t i = 0; i < ELEMENTSOF(rows); i++)
                is_known[rows[i].setting] = true;
        for (size_t i = 0; i < ELEMENTSOF(not_here); i++) {
                assert_false(is_known[not_here[i]]);
                is_known[not_here[i]] = true;
        }
        for (size_t i = 0; i < _SETTING_MAX; i++)
                if (!is_known[i])
                        fail_msg("setting %zu has neither a row nor a reason", i);
}

static void texts_arrive_as_they_are_written(void **state) {
        _cleanup_(settings_freep) struct settings *settings =
                read_text("[Service]\nDOCacheHost=cache.example:8080, [::1]:80\nDOVpnKeywords=corp, Home Office\n");
        struct made made;

        make(settings, &made);
        assert_string_equal(made.limits.cache_hosts, "cache.example:8080, [::1]:80");
        assert_true(made.limits.cache_hosts_are_set);
        assert_string_equal(made.wanted.vpn_keywords, "corp, Home Office");
}

static void no_keywords_are_possible(void **state) {
        _cleanup_(settings_freep) struct settings *settings = read_key("DOVpnKeywords", "");
        struct made made;

        make(settings, &made);
        assert_string_equal(made.wanted.vpn_keywords, "");
}

/* DODownloadCostPolicy's four, and "at any"; the states are those of BITS_JOB_TRANSFER_POLICY: unrestricted 0x1, capped, not known 0x2,
 * below the cap 0x4, near it 0x8, over it and charged 0x10, over it and throttled 0x20, paid by use 0x40, roaming 0x80. */
static void both_cost_policies_are_the_same_five(void **state) {
        static const uint32_t flags[] = { 0xff, 0x21, 0x67, 0x7f, 0x6f };

        for (size_t i = 0; i < ELEMENTSOF(flags); i++) {
                _cleanup_(settings_freep) struct settings *settings = NULL;
                char text[128];
                struct made made;

                snprintf(text, sizeof(text), "[Service]\nForegroundCostPolicy=%zu\nBackgroundCostPolicy=%zu\n", i, 4 - i);
                settings = read_text(text);
                make(settings, &made);
                assert_int_equal(made.limits.blockers.foreground_cost_flags, flags[i]);
                assert_int_equal(made.limits.blockers.background_cost_flags, flags[4 - i]);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(each_key_arrives_where_it_acts_and_nowhere_else),
                cmocka_unit_test(without_a_key_each_number_is_its_default),
                cmocka_unit_test(no_key_is_left_out),
                cmocka_unit_test(texts_arrive_as_they_are_written),
                cmocka_unit_test(no_keywords_are_possible),
                cmocka_unit_test(both_cost_policies_are_the_same_five),
        };

        log_setup("test", LOG_LEVEL_ERROR);
        return cmocka_run_group_tests(tests, NULL, NULL);
}

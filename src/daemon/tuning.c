#include "daemon/tuning.h"

#include <sys/resource.h>

#define BYTES_PER_KB 1024 /* of the bandwidth policies */
#define RETRY_MAX_USEC (30 * USEC_PER_MINUTE)

/* Three descriptors for each file on its way (one here, one being handed over, one while it is finished), and some for clients, the store
 * and ourselves. */
static size_t files_that_fit(void) {
        struct rlimit rlimit;

        if (getrlimit(RLIMIT_NOFILE, &rlimit) < 0 || rlimit.rlim_cur == RLIM_INFINITY)
                return SIZE_MAX;
        return MAX((size_t)(rlimit.rlim_cur - MIN(rlimit.rlim_cur, (rlim_t) 40)) / 3, (size_t) 4);
}

static struct bandwidth_policy make_bandwidth(const struct settings *settings, enum setting max, enum setting percent, enum setting hours) {
        struct bandwidth_policy policy = {
                .max_rate = settings_get(settings, max) * BYTES_PER_KB,
                .percent = (unsigned) settings_get(settings, percent),
        };

        (void) hours_parse(settings_get_text(settings, hours), &policy.hours); /* it was good when it became a setting */
        return policy;
}

/* DODownloadCostPolicy, as the states of cost (BITS_JOB_TRANSFER_POLICY) with which it transfers. */
static uint32_t cost_flags_of(uint64_t policy) {
        static const uint32_t flags[] = { 0xff, 0x21, 0x67, 0x7f, 0x6f };

        return flags[policy];
}

static struct blocker_policy make_blockers(const struct settings *settings) {
        return (struct blocker_policy) {
                .foreground_cost_flags = cost_flags_of(settings_get(settings, SETTING_ForegroundCostPolicy)),
                .background_cost_flags = cost_flags_of(settings_get(settings, SETTING_BackgroundCostPolicy)),
                .foreground_battery_percent = (unsigned) settings_get(settings, SETTING_MinimumBatteryForeground),
                .background_battery_percent = (unsigned) settings_get(settings, SETTING_MinimumBatteryBackground),
                .background_saves_battery = settings_get(settings, SETTING_BackgroundOnBatterySaver) == 0,
                .require_logon = settings_get(settings, SETTING_RequireLogon) != 0,
        };
}

struct conditions_wanted tuning_make_wanted(const struct settings *settings) {
        return (struct conditions_wanted) {
                .vpn_keywords = settings_get_text(settings, SETTING_DOVpnKeywords),
                .presence = settings_get(settings, SETTING_RequireLogon) != 0,
                .cache_hosts = settings_get(settings, SETTING_DOCacheHostSource) != 0,
        };
}

struct manager_limits tuning_make_limits(const struct settings *settings) {
        struct manager_limits limits = manager_limits_default;

        limits.max_jobs_per_user = settings_get(settings, SETTING_MaxJobsPerUser);
        limits.max_jobs = settings_get(settings, SETTING_MaxJobsPerMachine);
        limits.max_files_per_job = settings_get(settings, SETTING_MaxFilesPerJob);
        limits.max_ranges_per_file = settings_get(settings, SETTING_MaxRangesPerFile);
        limits.history_max_entries = settings_get(settings, SETTING_HistoryMaxEntries);
        limits.max_download_time_s = (uint32_t) settings_get(settings, SETTING_MaxDownloadTime);
        limits.job_inactivity_usec = settings_get(settings, SETTING_JobInactivityTimeout) * USEC_PER_SEC;
        limits.history_max_age_usec = settings_get(settings, SETTING_HistoryMaxAge) * USEC_PER_SEC;
        limits.checkpoint_bytes = settings_get(settings, SETTING_CheckpointBytes);
        limits.checkpoint_interval_usec = settings_get(settings, SETTING_CheckpointInterval) * USEC_PER_SEC;
        limits.chunk_hash_rate = settings_get(settings, SETTING_ChunkHashRate);
        limits.connect_timeout_usec = settings_get(settings, SETTING_ConnectTimeout) * USEC_PER_SEC;
        limits.stall_timeout_usec = settings_get(settings, SETTING_StallTimeout) * USEC_PER_SEC;
        if (settings_get(settings, SETTING_DOCacheHost) > 0)
                limits.cache_hosts = settings_get_text(settings, SETTING_DOCacheHost);
        limits.cache_hosts_are_set = settings_is_set(settings, SETTING_DOCacheHost);
        limits.cache_hosts_of_network = settings_get(settings, SETTING_DOCacheHostSource) != 0;
        limits.cache_hosts_of_network_first = settings_get(settings, SETTING_DOCacheHostSource) == 2;
        limits.cache_fallback_foreground_usec = settings_get(settings, SETTING_DODelayCacheServerFallbackForeground) * USEC_PER_SEC;
        limits.cache_fallback_background_usec = settings_get(settings, SETTING_DODelayCacheServerFallbackBackground) * USEC_PER_SEC;
        limits.min_background_rate = settings_get(settings, SETTING_DOMinBackgroundQos) * BYTES_PER_KB;
        limits.no_cache_on_vpn = settings_get(settings, SETTING_DODisallowCacheServerDownloadsOnVPN) != 0;
        limits.blockers = make_blockers(settings);
        limits.notify_commands = settings_get(settings, SETTING_NotifyCommands) != 0;
        limits.notify_command_timeout_usec = settings_get(settings, SETTING_NotifyCommandTimeout) * USEC_PER_SEC;
        limits.engine.max_connections_per_owner = (unsigned) settings_get(settings, SETTING_MaxConnectionsPerOwner);
        limits.foreground_bandwidth =
                make_bandwidth(settings, SETTING_DOMaxForegroundDownloadBandwidth, SETTING_DOPercentageMaxForegroundBandwidth,
                               SETTING_DOSetHoursToLimitForegroundDownloadBandwidth);
        limits.background_bandwidth =
                make_bandwidth(settings, SETTING_DOMaxBackgroundDownloadBandwidth, SETTING_DOPercentageMaxBackgroundBandwidth,
                               SETTING_DOSetHoursToLimitBackgroundDownloadBandwidth);
        limits.engine.max_connections_per_host = (unsigned) settings_get(settings, SETTING_MaxConnectionsPerHost);
        limits.segments.max = (unsigned) settings_get(settings, SETTING_MaxConnectionsPerFile);
        limits.segments.min_bytes = settings_get(settings, SETTING_MinimumSegmentSize);
        limits.segments.window_usec = settings_get(settings, SETTING_SegmentTrial) * USEC_PER_MSEC;
        limits.files_in_flight = MIN(limits.files_in_flight, files_that_fit());
        return limits;
}

struct schedule_config tuning_make_schedule(const struct settings *settings, uint64_t seed) {
        return (struct schedule_config) {
                .background_slots = (unsigned) settings_get(settings, SETTING_BackgroundSlots),
                .time_slice_usec = settings_get(settings, SETTING_TimeSlice) * USEC_PER_SEC,
                .retry_max_usec = RETRY_MAX_USEC,
                .retry_first_do_usec = settings_get(settings, SETTING_MinimumRetryDelayDO) * USEC_PER_SEC,
                .seed = seed,
        };
}

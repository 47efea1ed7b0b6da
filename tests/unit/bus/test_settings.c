#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fds.h"
#include "base/log.h"
#include "base/strings.h"
#include "daemon/settings.h"
#include "daemon/state_dir.h"
#include "daemon/state_lock.h"

static char folder[64];

static int make_folder(void **state) {
        snprintf(folder, sizeof(folder), "/tmp/dosvc-settings-XXXXXX");
        assert_non_null(mkdtemp(folder));
        log_setup("test", LOG_LEVEL_ERROR);
        return 0;
}

static int remove_folder(void **state) {
        static const char *const names[] = { "conf.d/b.conf", "conf.d/a.conf", "conf.d/a.txt", "conf.d", "conf",
                                             "lock",          "running",       "a/b",          "a" };
        char path[128];

        for (size_t i = 0; i < ELEMENTSOF(names); i++) {
                snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
                (void) remove(path);
        }
        return rmdir(folder);
}

static const char *in_folder(const char *name) {
        static char path[128];

        snprintf(path, sizeof(path), "%s/%s", folder, name);
        return path;
}

static void write_file(const char *name, const char *text) {
        FILE *f = fopen(in_folder(name), "we");

        assert_non_null(f);
        assert_true(fputs(text, f) >= 0);
        assert_int_equal(fclose(f), 0);
}

static char *why; /* of the last failure */

static int read_again(struct settings *settings, bool required) {
        free(why);
        why = NULL;
        return settings_reload(settings, in_folder("conf"), required, &why);
}

static struct settings *read_conf(void) {
        struct settings *settings;

        assert_int_equal(settings_new(&settings), 0);
        assert_int_equal(settings_read(settings, in_folder("conf"), true), 0);
        return settings;
}

static void without_a_file_everything_is_default(void **state) {
        _cleanup_(settings_freep) struct settings *settings = NULL;

        assert_int_equal(settings_new(&settings), 0);
        assert_int_equal(settings_read(settings, in_folder("conf"), false), 0);
        assert_int_equal(settings_get(settings, SETTING_BackgroundSlots), 4);
        for (size_t i = 0; i < _SETTING_MAX; i++) {
                assert_string_equal(settings_entries(settings)[i].source, "default");
                assert_true(settings_entries(settings)[i].type && *settings_entries(settings)[i].type);
        }
        assert_string_equal(settings_entries(settings)[SETTING_DOCacheHost].type, "hosts");
        assert_int_equal(settings_read(settings, in_folder("conf"), true), -ENOENT);
}

static void hosts_are_names_and_ports_with_commas(void **state) {
        _cleanup_(settings_freep) struct settings *settings = NULL;

        write_file("conf", "[Service]\nDOCacheHost=cache.example:8080, [::1]:80\n");
        settings = read_conf();
        assert_string_equal(settings_get_text(settings, SETTING_DOCacheHost), "cache.example:8080, [::1]:80");
        settings = settings_free(settings);
        write_file("conf", "[Service]\nDOCacheHost=http://cache/x?y\n");
        settings = read_conf();
        assert_string_equal(settings_get_text(settings, SETTING_DOCacheHost), "");
}

static void a_list_goes_on_in_lines_that_begin_with_a_blank(void **state) {
        _cleanup_(settings_freep) struct settings *settings = NULL;
        char text[2048], comment[600];

        memset(comment, 'c', sizeof(comment) - 1);
        comment[sizeof(comment) - 1] = 0;
        snprintf(text, sizeof(text), "# %s\n[Service]\n DOCacheHost=a.example\n\tb.example:8080\n# c.example %s\n  d.example\nTimeSlice=7\n", comment,
                 comment);
        write_file("conf", text);
        settings = read_conf();
        assert_string_equal(settings_get_text(settings, SETTING_DOCacheHost), "a.example,b.example:8080,d.example");
        assert_string_equal(settings_entries(settings)[SETTING_DOCacheHost].source, in_folder("conf:6"));
        assert_int_equal(settings_get(settings, SETTING_TimeSlice), 7);

        write_file("conf", "[Service]\nTimeSlice=8\n 9\n");
        assert_int_equal(read_again(settings, true), -EBADMSG);
        assert_non_null(strstr(why, "conf:3: TimeSlice is no list"));
        assert_int_equal(settings_get(settings, SETTING_TimeSlice), 7);
}

/* An administrator notes the reason where the number stands. */
static void a_comment_behind_a_value_and_a_blank_is_no_part_of_it(void **state) {
        _cleanup_(settings_freep) struct settings *settings = NULL;
        char text[1024];

        snprintf(text, sizeof(text), "[Service] # all of them\nMaxClients=7 # %0300d\nTimeSlice=8\t; %0300d\n  # on its own\n"
                                     "CAFile=/etc/ca#1.pem #2\nDOVpnKeywords=a#1, b # first\n c;1 ; last\n", 0, 0);
        write_file("conf", text);
        settings = read_conf();
        assert_int_equal(settings_get(settings, SETTING_MaxClients), 7);
        assert_int_equal(settings_get(settings, SETTING_TimeSlice), 8);
        assert_string_equal(settings_get_text(settings, SETTING_CAFile), "/etc/ca#1.pem");
        assert_string_equal(settings_get_text(settings, SETTING_DOVpnKeywords), "a#1, b,c;1");
}

/* Its other lines belong to nothing, and not to the key before it. */
static void a_line_that_is_too_long_is_told_and_ignored(void **state) {
        _cleanup_(settings_freep) struct settings *settings = NULL;
        char text[512], hosts[199 - sizeof("DOCacheHost=")];

        memset(hosts, 'h', sizeof(hosts));
        snprintf(text, sizeof(text), "[Service]\nDOVpnKeywords=VPN\nDOCacheHost=%.*s\n i.example\n", (int) sizeof(hosts), hosts);
        write_file("conf", text);
        settings = read_conf();
        assert_int_equal(strlen(settings_get_text(settings, SETTING_DOCacheHost)), sizeof(hosts) + strlen(",i.example"));

        snprintf(text, sizeof(text), "[Service]\nDOVpnKeywords=VPN\nDOCacheHost=%.*sx\n i.example\n", (int) sizeof(hosts), hosts);
        write_file("conf", text);
        assert_int_equal(read_again(settings, true), -EBADMSG);
        assert_non_null(strstr(why, "conf:3: the line is too long (199 bytes at most)"));
        settings = settings_free(settings);
        settings = read_conf();
        assert_string_equal(settings_get_text(settings, SETTING_DOCacheHost), "");
        assert_string_equal(settings_get_text(settings, SETTING_DOVpnKeywords), "VPN");
}

static void hours_are_taken_as_they_are_written(void **state) {
        static const char *const wrong[] = { "8-18", "8-8 1% 2%", "8-25 1% 2%", "8-18 1% 101%", "8-18 25 100",
                                             "8-18                             25% 100%" };
        _cleanup_(settings_freep) struct settings *settings = NULL;

        write_file("conf", "[Service]\nDOSetHoursToLimitBackgroundDownloadBandwidth = 22-6  100% 0% ; at night\n"
                           "DOPercentageMaxForegroundBandwidth=100\n");
        settings = read_conf();
        assert_string_equal(settings_get_text(settings, SETTING_DOSetHoursToLimitBackgroundDownloadBandwidth), "22-6  100% 0%");
        assert_string_equal(settings_entries(settings)[SETTING_DOSetHoursToLimitBackgroundDownloadBandwidth].type, "hours");
        assert_int_equal(settings_get(settings, SETTING_DOPercentageMaxForegroundBandwidth), 100);
        for (size_t i = 0; i < ELEMENTSOF(wrong); i++) {
                char text[128];

                snprintf(text, sizeof(text), "[Service]\nDOSetHoursToLimitBackgroundDownloadBandwidth=%s\n", wrong[i]);
                write_file("conf", text);
                if (read_again(settings, true) != -EBADMSG)
                        fail_msg("was taken: %s", wrong[i]);
        }
        write_file("conf", "[Service]\nDOPercentageMaxForegroundBandwidth=101\n");
        assert_int_equal(read_again(settings, true), -EBADMSG);
        assert_int_equal(settings_get(settings, SETTING_DOPercentageMaxForegroundBandwidth), 100);
}

static void what_the_file_says_counts(void **state) {
        _cleanup_(settings_freep) struct settings *settings = NULL;

        write_file("conf", "# comment\n[Service]\nBackgroundSlots = 7\nCheckpointBytes=2m\nMinimumFreeSpace=1G\n");
        settings = read_conf();
        assert_int_equal(settings_get(settings, SETTING_BackgroundSlots), 7);
        assert_int_equal(settings_get(settings, SETTING_CheckpointBytes), 2 << 20);
        assert_int_equal(settings_get(settings, SETTING_MinimumFreeSpace), 1 << 30);
        assert_string_equal(settings_entries(settings)[SETTING_BackgroundSlots].source, in_folder("conf:3"));
        assert_string_equal(settings_entries(settings)[SETTING_BackgroundSlots].value, "7");
}

static void a_path_is_absolute_or_empty(void **state) {
        _cleanup_(settings_freep) struct settings *settings = NULL;

        write_file("conf", "[Service]\nCAFile=/etc/ssl/own.pem\n");
        settings = read_conf();
        assert_string_equal(settings_get_text(settings, SETTING_CAFile), "/etc/ssl/own.pem");
        settings = settings_free(settings);
        write_file("conf", "[Service]\nCAFile=own.pem\n");
        settings = read_conf();
        assert_string_equal(settings_get_text(settings, SETTING_CAFile), "");
}

static void what_is_wrong_changes_nothing(void **state) {
        static const char *const texts[] = {
                "[Service]\nBackgroundSlots=0\n",  "[Service]\nBackgroundSlots=65\n",
                "[Service]\nBackgroundSlots=-1\n", "[Service]\nBackgroundSlots=\n",
                "[Service]\nBackgroundSlots=4x\n", "[Service]\nBackgroundSlots=18446744073709551616\n",
                "[service]\nBackgroundSlots=5\n",  "BackgroundSlots=5\n",
                "[Service]\nbackgroundslots=5\n",  "[Service]\nBackgroundSlots=5K\n",
                "[Service\nBackgroundSlots=5\n",   "\xff\xfe\n",
        };

        for (size_t i = 0; i < ELEMENTSOF(texts); i++) {
                _cleanup_(settings_freep) struct settings *settings = NULL;

                write_file("conf", texts[i]);
                settings = read_conf();
                if (settings_get(settings, SETTING_BackgroundSlots) != 4)
                        fail_msg("was taken: %s", texts[i]);
        }
}

static void bytes_that_overflow_are_refused(void **state) {
        _cleanup_(settings_freep) struct settings *settings = NULL;

        write_file("conf", "[Service]\nMinimumFreeSpace=99999999999T\nCheckpointBytes=K\n");
        settings = read_conf();
        assert_int_equal(settings_get(settings, SETTING_MinimumFreeSpace), 67108864);
        assert_int_equal(settings_get(settings, SETTING_CheckpointBytes), 16777216);
}

static void the_last_drop_in_wins(void **state) {
        _cleanup_(settings_freep) struct settings *settings = NULL;

        assert_int_equal(mkdir(in_folder("conf.d"), 0700), 0);
        write_file("conf", "[Service]\nBackgroundSlots=5\nMaxClients=5\n");
        write_file("conf.d/b.conf", "[Service]\nBackgroundSlots=7\n");
        write_file("conf.d/a.conf", "[Service]\nBackgroundSlots=6\nMaxClients=6\n");
        write_file("conf.d/a.txt", "[Service]\nBackgroundSlots=8\n");
        settings = read_conf();
        assert_int_equal(settings_get(settings, SETTING_BackgroundSlots), 7);
        assert_int_equal(settings_get(settings, SETTING_MaxClients), 6);
        assert_string_equal(settings_entries(settings)[SETTING_MaxClients].source, in_folder("conf.d/a.conf:3"));
}

/* One among many, and the first file is innocent. */
static void a_drop_in_that_cannot_be_read_is_named(void **state) {
        _cleanup_(settings_freep) struct settings *settings = NULL, *fresh = NULL;

        assert_int_equal(mkdir(in_folder("conf.d"), 0700), 0);
        write_file("conf", "[Service]\nMaxClients=5\n");
        settings = read_conf();
        assert_null(settings_wrong(settings));
        write_file("conf", "[Service]\nMaxClients=6\nTimeSlice=0\n");
        write_file("conf.d/b.conf", "[Service]\nMaxClients=7\n");
        assert_int_equal(symlink("/nowhere", in_folder("conf.d/a.conf")), 0);
        assert_int_equal(read_again(settings, false), -ENOENT);
        assert_string_equal(startswith(why, folder), "/conf.d/a.conf: No such file or directory");
        assert_int_equal(settings_get(settings, SETTING_MaxClients), 5);
        assert_int_equal(settings_new(&fresh), 0);
        assert_int_equal(settings_read(fresh, in_folder("conf"), false), -ENOENT);
        assert_string_equal(settings_wrong(fresh), why);
        assert_int_equal(remove(in_folder("conf.d/a.conf")), 0);
        assert_int_equal(mkdir(in_folder("conf.d/a.conf"), 0700), 0);
        assert_int_equal(read_again(settings, false), -EISDIR);
        assert_string_equal(startswith(why, folder), "/conf.d/a.conf: Is a directory");
}

static void the_quotas_of_bits_hold_where_nobody_set_others(void **state) {
        static const enum setting quotas[] = { SETTING_MaxJobsPerUser, SETTING_MaxJobsPerMachine, SETTING_MaxFilesPerJob, SETTING_MaxRangesPerFile };
        static const uint64_t documented[] = { 60, 300, 200, 500 };
        _cleanup_(settings_freep) struct settings *settings = NULL;

        write_file("conf", "[Service]\nBITSQuotas=yes\n");
        settings = read_conf();
        for (size_t i = 0; i < ELEMENTSOF(quotas); i++) {
                assert_int_equal(settings_get(settings, quotas[i]), documented[i]);
                assert_string_equal(settings_entries(settings)[quotas[i]].source, in_folder("conf:2"));
        }
        write_file("conf", "[Service]\nMaxFilesPerJob=7\nBITSQuotas=yes\n");
        assert_true(read_again(settings, true) > 0);
        assert_int_equal(settings_get(settings, SETTING_MaxFilesPerJob), 7);
        assert_int_equal(settings_get(settings, SETTING_MaxJobsPerUser), 60);
        write_file("conf", "[Service]\nBITSQuotas=no\n");
        assert_true(read_again(settings, true) > 0);
        assert_int_equal(settings_get(settings, SETTING_MaxJobsPerUser), 100000);
        assert_string_equal(settings_entries(settings)[SETTING_MaxJobsPerUser].source, "default");
}

static void read_again_they_are_what_the_files_say_now(void **state) {
        _cleanup_(settings_freep) struct settings *settings = NULL;
        const struct bus_config_entry *entries;

        write_file("conf", "[Service]\nBackgroundSlots=5\nMaxClients=5\nCAFile=/a\n");
        settings = read_conf();
        entries = settings_entries(settings);
        write_file("conf", "[Service]\n\nMaxClients=6\nTimeSlice=9\nCAFile=/b\nUnknown=1\n");
        assert_int_equal(read_again(settings, true), 3);
        assert_ptr_equal(settings_entries(settings), entries);
        assert_int_equal(settings_get(settings, SETTING_BackgroundSlots), 4);
        assert_string_equal(entries[SETTING_BackgroundSlots].source, "default");
        assert_int_equal(settings_get(settings, SETTING_MaxClients), 6);
        assert_string_equal(entries[SETTING_MaxClients].value, "6");
        assert_string_equal(entries[SETTING_MaxClients].source, in_folder("conf:3"));
        assert_int_equal(settings_get(settings, SETTING_TimeSlice), 9);
        /* It needs a restart: what is in force is shown, and where it came from. */
        assert_string_equal(settings_get_text(settings, SETTING_CAFile), "/a");
        assert_string_equal(entries[SETTING_CAFile].source, in_folder("conf:4"));
        assert_true(entries[SETTING_CAFile].needs_restart);
        assert_int_equal(read_again(settings, true), 0);
}

static void a_broken_file_read_again_changes_nothing(void **state) {
        static const char *const texts[] = { "[Service]\nMaxClients=6\nTimeSlice=0\n", "[Service]\nMaxClients=6\nTimeSlice=x\n",
                                             "[Service]\nMaxClients=6\nrubbish\nTimeSlice=0\n", "[Service]\nMaxClients=6\n[Service\n" };
        static const char *const complaints[] = { "/conf:3: TimeSlice must be from 1 to 86400, not \"0\"",
                                                  "/conf:3: \"x\" is no value for TimeSlice (a number of seconds)",
                                                  "/conf:4: TimeSlice must be from 1 to 86400, not \"0\"", /* the lines that are none come behind */
                                                  "/conf:3: neither [section] nor Key=value" };
        _cleanup_(settings_freep) struct settings *settings = NULL;

        write_file("conf", "[Service]\nMaxClients=5\n");
        settings = read_conf();
        for (size_t i = 0; i < ELEMENTSOF(texts); i++) {
                write_file("conf", texts[i]);
                assert_int_equal(read_again(settings, true), -EBADMSG);
                assert_string_equal(startswith(why, folder), complaints[i]);
                assert_int_equal(settings_get(settings, SETTING_MaxClients), 5);
                assert_string_equal(settings_entries(settings)[SETTING_MaxClients].source, in_folder("conf:2"));
        }
        assert_int_equal(remove(in_folder("conf")), 0);
        assert_int_equal(read_again(settings, true), -ENOENT);
        assert_string_equal(startswith(why, folder), "/conf: No such file or directory");
        assert_int_equal(settings_get(settings, SETTING_MaxClients), 5);
        assert_int_equal(read_again(settings, false), 1);
        assert_int_equal(settings_get(settings, SETTING_MaxClients), 1024);
}

/* ---- the state folder ---- */

static void a_lock_is_held_by_one_and_says_by_whom(void **state) {
        _cleanup_close_ int fd = -EBADF, other = -EBADF;
        struct state_lock_holder holder;

        assert_int_equal(state_lock_take(folder, &fd, &holder), 0);
        assert_int_equal(state_lock_take(folder, &other, &holder), STATE_LOCK_HELD);
        assert_int_equal(holder.pid, 0);
        assert_int_equal(state_lock_publish(fd, "unix:path=/x%20y"), 0);
        assert_int_equal(state_lock_take(folder, &other, &holder), STATE_LOCK_HELD);
        assert_int_equal(holder.pid, getpid());
        assert_string_equal(holder.address, "unix:path=/x%20y");
        assert_false(holder.other_machine);
        fd = fd_close(fd);
        assert_int_equal(state_lock_take(folder, &other, &holder), 0);
        assert_int_equal(lseek(other, 0, SEEK_END), 0);
}

static void a_lock_file_full_of_rubbish_names_nobody(void **state) {
        static const char *const texts[] = { "", "1\n", "1\n2\n", "x\ny\nz\n", "99999999999\nb\nc\n", "\n\n\n" };
        struct state_lock_holder holder;

        for (size_t i = 0; i < ELEMENTSOF(texts); i++) {
                _cleanup_close_ int fd = -EBADF;
                int other;

                assert_int_equal(state_lock_take(folder, &fd, &holder), 0);
                assert_int_equal(fd_pwrite_all(fd, texts[i], strlen(texts[i]), 0), 0);
                assert_int_equal(state_lock_take(folder, &other, &holder), STATE_LOCK_HELD);
                assert_int_equal(holder.pid, 0);
                assert_string_equal(holder.address, "");
        }
}

static void a_run_that_did_not_end_is_noticed(void **state) {
        bool unclean = true;

        assert_int_equal(state_dir_begin_run(folder, &unclean), 0);
        assert_false(unclean);
        assert_int_equal(state_dir_begin_run(folder, &unclean), 0);
        assert_true(unclean);
        state_dir_end_run(folder);
        assert_int_equal(state_dir_begin_run(folder, &unclean), 0);
        assert_false(unclean);
}

static void a_state_folder_is_made_private_with_what_is_above_it(void **state) {
        _cleanup_free_ char *path = NULL;
        struct stat st;

        assert_int_equal(state_dir_make(in_folder("a/b"), &path), 0);
        assert_string_equal(path, in_folder("a/b"));
        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(st.st_mode & 07777, 0700);
        assert_int_equal(state_dir_is_network(path), 0);
}

static void addresses_are_escaped(void **state) {
        _cleanup_free_ char *plain = unix_address_new("/a-Z_0.9/\\*"), *odd = unix_address_new("/, %;=\xc3\xa9\n");

        assert_string_equal(plain, "unix:path=/a-Z_0.9/\\*");
        assert_string_equal(odd, "unix:path=/%2c%20%25%3b%3d%c3%a9%0a");
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(without_a_file_everything_is_default, make_folder, remove_folder),
                cmocka_unit_test_setup_teardown(hosts_are_names_and_ports_with_commas, make_folder, remove_folder),
                cmocka_unit_test_setup_teardown(a_list_goes_on_in_lines_that_begin_with_a_blank, make_folder, remove_folder),
                cmocka_unit_test_setup_teardown(a_line_that_is_too_long_is_told_and_ignored, make_folder, remove_folder),
                cmocka_unit_test_setup_teardown(a_comment_behind_a_value_and_a_blank_is_no_part_of_it, make_folder, remove_folder),
                cmocka_unit_test_setup_teardown(hours_are_taken_as_they_are_written, make_folder, remove_folder),
                cmocka_unit_test_setup_teardown(what_the_file_says_counts, make_folder, remove_folder),
                cmocka_unit_test_setup_teardown(a_path_is_absolute_or_empty, make_folder, remove_folder),
                cmocka_unit_test_setup_teardown(what_is_wrong_changes_nothing, make_folder, remove_folder),
                cmocka_unit_test_setup_teardown(bytes_that_overflow_are_refused, make_folder, remove_folder),
                cmocka_unit_test_setup_teardown(the_last_drop_in_wins, make_folder, remove_folder),
                cmocka_unit_test_setup_teardown(a_drop_in_that_cannot_be_read_is_named, make_folder, remove_folder),
                cmocka_unit_test_setup_teardown(the_quotas_of_bits_hold_where_nobody_set_others, make_folder, remove_folder),
                cmocka_unit_test_setup_teardown(read_again_they_are_what_the_files_say_now, make_folder, remove_folder),
                cmocka_unit_test_setup_teardown(a_broken_file_read_again_changes_nothing, make_folder, remove_folder),
                cmocka_unit_test_setup_teardown(a_lock_is_held_by_one_and_says_by_whom, make_folder, remove_folder),
                cmocka_unit_test_setup_teardown(a_lock_file_full_of_rubbish_names_nobody, make_folder, remove_folder),
                cmocka_unit_test_setup_teardown(a_run_that_did_not_end_is_noticed, make_folder, remove_folder),
                cmocka_unit_test_setup_teardown(a_state_folder_is_made_private_with_what_is_above_it, make_folder,
                                                remove_folder),
                cmocka_unit_test(addresses_are_escaped),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

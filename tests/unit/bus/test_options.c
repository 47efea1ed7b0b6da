#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "base/fds.h"
#include "base/strings.h"
#include "bus/options.h"
#include "bus/private.h"

static const struct options_limits limits = { .files = LIMIT_FILES_PER_CALL + 1, .ranges = 20 };
static sd_bus *bus;
static int other_end = -EBADF;

/* Messages belong to a connection; this one never talks. */
static int make_bus(void **state) {
        int fds[2];

        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
        other_end = fds[1];
        assert_true(sd_bus_new(&bus) >= 0);
        assert_true(sd_bus_set_fd(bus, fds[0], fds[0]) >= 0);
        assert_true(sd_bus_negotiate_fds(bus, 1) >= 0);
        assert_true(sd_bus_start(bus) >= 0);
        return 0;
}

static int free_bus(void **state) {
        sd_bus_close(bus);
        bus = sd_bus_unref(bus);
        other_end = fd_close(other_end);
        return 0;
}

static sd_bus_message *new_message(void) {
        sd_bus_message *m;

        assert_true(sd_bus_message_new_signal(bus, &m, "/x", "x.y", "Z") >= 0);
        return m;
}

static sd_bus_message *sealed(sd_bus_message *m) {
        assert_true(sd_bus_message_seal(m, 1, 0) >= 0);
        assert_true(sd_bus_message_rewind(m, true) >= 0);
        return m;
}

#define APPEND(m, ...) assert_true(sd_bus_message_append(m, __VA_ARGS__) >= 0)

/* ---- create ---- */

static void no_options_are_the_defaults(void **state) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = new_message();
        struct create_options options;
        struct options_text text;

        APPEND(m, "a{sv}", 0);
        assert_int_equal(options_read_create(sealed(m), &options, &text), 0);
        assert_null(options.description);
        assert_int_equal(options.family, JOB_FAMILY_DO);
        assert_int_equal(options.priority, -1);
        assert_int_equal(options.umask, 022);
        assert_int_equal(options.notify_flags, -1);
        assert_int_equal(options.minimum_retry_delay_s, -1);
        assert_int_equal(options.no_progress_timeout_s, -1);
        assert_int_equal(options.life_time_s, -1);
        assert_int_equal(options.replace, -1);
        assert_int_equal(options.remote_time, -1);
        assert_false(options.resume);
        assert_false(options.attach);
        assert_false(options.complete_when_transferred);
        assert_string_equal(text.text, "");
}

static void every_option_of_a_new_job_is_read(void **state) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = new_message();
        struct create_options options;
        struct options_text text;

        APPEND(m, "a{sv}", 13, "Family", "s", "bits", "Priority", "s", "foreground", "Description", "s", "text",
               "CompleteWhenTransferred", "b", 1, "Replace", "b", 1, "RemoteTime", "b", 0, "NoProgressTimeout", "u", 1U,
               "MinimumRetryDelay", "u", UINT32_MAX, "NotifyFlags", "u", 0U, "LifeTime", "t", LIMIT_LIFE_TIME, "Umask", "u",
               0777U, "Resume", "b", 1, "Attach", "b", 1);
        assert_int_equal(options_read_create(sealed(m), &options, &text), 0);
        assert_int_equal(options.family, JOB_FAMILY_BITS);
        assert_int_equal(options.priority, JOB_PRIORITY_FOREGROUND);
        assert_string_equal(options.description, "text");
        assert_true(options.complete_when_transferred);
        assert_int_equal(options.replace, 1);
        assert_int_equal(options.remote_time, 0);
        assert_int_equal(options.no_progress_timeout_s, 1);
        assert_int_equal(options.minimum_retry_delay_s, UINT32_MAX);
        assert_int_equal(options.notify_flags, 0);
        assert_true(options.life_time_s == (int64_t) LIMIT_LIFE_TIME);
        assert_int_equal(options.umask, 0777);
        assert_true(options.resume);
        assert_true(options.attach);
}

static void check_refused(sd_bus_message *m, const char *word) {
        struct create_options options;
        struct options_text text;

        assert_int_equal(options_read_create(sealed(m), &options, &text), ERROR_INVALID_ARGUMENT);
        if (!strstr(text.text, word))
                fail_msg("\"%s\" does not name %s", text.text, word);
        sd_bus_message_unref(m);
}

static void a_word_that_is_none_is_refused(void **state) {
        sd_bus_message *m = new_message();

        APPEND(m, "a{sv}", 2, "Resume", "b", 1, "Priority", "s", "HIGH");
        check_refused(m, "Priority");
        m = new_message();
        APPEND(m, "a{sv}", 1, "Family", "s", "");
        check_refused(m, "Family");
}

static void another_type_is_refused_with_the_right_one(void **state) {
        sd_bus_message *m = new_message();

        APPEND(m, "a{sv}", 1, "Resume", "u", 1U);
        check_refused(m, "type b");
        m = new_message();
        APPEND(m, "a{sv}", 1, "LifeTime", "a(tt)", 1, UINT64_C(1), UINT64_C(1));
        check_refused(m, "type t");
}

static void an_option_twice_is_refused(void **state) {
        sd_bus_message *m = new_message();

        APPEND(m, "a{sv}", 2, "Resume", "b", 1, "Resume", "b", 0);
        check_refused(m, "twice");
}

static void an_unknown_option_is_refused_even_with_a_long_name(void **state) {
        char name[5001];
        sd_bus_message *m = new_message();

        memset(name, 'x', sizeof(name) - 1);
        name[sizeof(name) - 1] = 0;
        APPEND(m, "a{sv}", 1, name, "b", 1);
        check_refused(m, "xxx");
}

/* ---- properties ---- */

static void properties_that_are_not_named_stay(void **state) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = new_message();
        struct manager_properties properties;
        struct options_text text;

        APPEND(m, "a{sv}", 2, "Name", "s", "new", "Replace", "b", 0);
        assert_int_equal(options_read_properties(sealed(m), &properties, &text), 0);
        assert_string_equal(properties.name, "new");
        assert_int_equal(properties.replace, 0);
        assert_null(properties.description);
        assert_int_equal(properties.priority, -1);
        assert_int_equal(properties.remote_time, -1);
        assert_true(properties.life_time_s == -1);
}

static void what_only_a_new_job_takes_is_no_property(void **state) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = new_message();
        struct manager_properties properties;
        struct options_text text;

        APPEND(m, "a{sv}", 1, "Family", "s", "do");
        assert_int_equal(options_read_properties(sealed(m), &properties, &text), ERROR_INVALID_ARGUMENT);
}

/* ---- files ---- */

static void a_file_with_everything_is_read(void **state) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = new_message();
        _cleanup_(file_list_done) struct file_list list = {};
        const struct manager_file_spec *spec;
        struct options_text text;
        struct stat st;

        assert_int_equal(fstat(other_end, &st), 0);
        APPEND(m, "a(saya{sv})", 2, "http://a/", 2, '/', 0xff, 5, "FileId", "s", "id", "Size", "t", UINT64_C(9),
               "Sha256", "ay", 32, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23,
               24, 25, 26, 27, 28, 29, 30, 31, "Ranges", "a(tt)", 3, UINT64_C(5), UINT64_C(1), UINT64_C(0), UINT64_C(2),
               UINT64_C(9), UINT64_MAX, "Directory", "h", other_end, "http://b/", 1, '/', 0);
        assert_int_equal(options_read_files(sealed(m), 027, &limits, &list, &text), 0);
        assert_int_equal(list.n_items, 2);
        spec = &list.items[0];
        assert_string_equal(spec->file.url, "http://a/");
        assert_string_equal(spec->file.path, "/\xff");
        assert_string_equal(spec->file.file_id, "id");
        assert_int_equal(spec->file.stated_size, 9);
        assert_int_equal(spec->file.sha256[31], 31);
        assert_int_equal(spec->file.n_ranges, 3);
        assert_int_equal(spec->file.ranges[0].offset, 5);
        assert_true(spec->file.ranges[2].length == TO_EOF);
        assert_int_equal(spec->file.mode, 0640);
        assert_true(spec->client_directory.ino == st.st_ino);
        assert_true(spec->client_directory.dev == st.st_dev);
        spec = &list.items[1];
        assert_string_equal(spec->file.path, "/");
        assert_true(spec->file.stated_size == SIZE_UNKNOWN);
        assert_null(spec->file.sha256);
        assert_null(spec->file.ranges);
        assert_true(spec->client_directory.ino == 0);
}

static void check_refused_within(sd_bus_message *m, const struct options_limits *within, int code) {
        _cleanup_(file_list_done) struct file_list list = {};
        struct options_text text;

        assert_int_equal(options_read_files(sealed(m), 022, within, &list, &text), code);
        assert_true(text.text[0]);
        sd_bus_message_unref(m);
}

static void check_file_refused(sd_bus_message *m, int code) {
        check_refused_within(m, &limits, code);
}

static void a_path_that_cannot_be_one_is_refused(void **state) {
        char path[LIMIT_PATH + 2];
        sd_bus_message *m = new_message();

        APPEND(m, "a(saya{sv})", 1, "http://a/", 3, '/', 0, 'x', 0);
        check_file_refused(m, ERROR_INVALID_NAME);
        m = new_message();
        memset(path, '/', sizeof(path));
        assert_true(sd_bus_message_open_container(m, 'a', "(saya{sv})") >= 0);
        assert_true(sd_bus_message_open_container(m, 'r', "saya{sv}") >= 0);
        APPEND(m, "s", "http://a/");
        assert_true(sd_bus_message_append_array(m, 'y', path, LIMIT_PATH + 1) >= 0);
        APPEND(m, "a{sv}", 0);
        assert_true(sd_bus_message_close_container(m) >= 0);
        assert_true(sd_bus_message_close_container(m) >= 0);
        check_file_refused(m, ERROR_NAME_TOO_LONG);
}

static void a_digest_has_32_bytes(void **state) {
        sd_bus_message *m = new_message();

        APPEND(m, "a(saya{sv})", 1, "http://a/", 1, '/', 1, "Sha256", "ay", 3, 1, 2, 3);
        check_file_refused(m, ERROR_INVALID_ARGUMENT);
        m = new_message();
        APPEND(m, "a(saya{sv})", 1, "http://a/", 1, '/', 1, "Sha256", "ay", 0);
        check_file_refused(m, ERROR_INVALID_ARGUMENT);
}

static void a_size_is_at_most_what_files_may_have(void **state) {
        sd_bus_message *m = new_message();

        APPEND(m, "a(saya{sv})", 1, "http://a/", 1, '/', 1, "Size", "t", LIMIT_FILE_SIZE + 1);
        check_file_refused(m, ERROR_TOO_LARGE);
}

static void append_many(sd_bus_message *m, size_t n_files) {
        assert_true(sd_bus_message_open_container(m, 'a', "(saya{sv})") >= 0);
        for (size_t i = 0; i < n_files; i++)
                APPEND(m, "(saya{sv})", "http://a/", 1, '/', 0);
        assert_true(sd_bus_message_close_container(m) >= 0);
}

static void a_call_takes_a_thousand_files_and_no_more(void **state) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = new_message();
        _cleanup_(file_list_done) struct file_list list = {};
        sd_bus_message *more = new_message();
        struct options_text text;

        append_many(m, LIMIT_FILES_PER_CALL);
        assert_int_equal(options_read_files(sealed(m), 022, &limits, &list, &text), 0);
        assert_int_equal(list.n_items, LIMIT_FILES_PER_CALL);
        append_many(more, LIMIT_FILES_PER_CALL + 1);
        check_file_refused(more, ERROR_INVALID_ARGUMENT);
}

static void files_that_a_job_has_no_room_for_are_not_even_read(void **state) {
        const struct options_limits room = { .files = 3 };
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = new_message();
        _cleanup_(file_list_done) struct file_list list = {};
        sd_bus_message *more = new_message();
        struct options_text text;

        append_many(m, 3);
        assert_int_equal(options_read_files(sealed(m), 022, &room, &list, &text), 0);
        assert_int_equal(list.n_items, 3);
        append_many(more, 4);
        check_refused_within(more, &room, ERROR_TOO_MANY_FILES);
}

static sd_bus_message *new_message_with_ranges(size_t n) {
        sd_bus_message *m = new_message();

        assert_true(sd_bus_message_open_container(m, 'a', "(saya{sv})") >= 0);
        assert_true(sd_bus_message_open_container(m, 'r', "saya{sv}") >= 0);
        APPEND(m, "say", "http://a/", 1, '/');
        assert_true(sd_bus_message_open_container(m, 'a', "{sv}") >= 0);
        assert_true(sd_bus_message_open_container(m, 'e', "sv") >= 0);
        APPEND(m, "s", "Ranges");
        assert_true(sd_bus_message_open_container(m, 'v', "a(tt)") >= 0);
        assert_true(sd_bus_message_open_container(m, 'a', "(tt)") >= 0);
        for (size_t i = 0; i < n; i++)
                APPEND(m, "(tt)", (uint64_t) i, UINT64_C(1));
        for (size_t i = 0; i < 6; i++)
                assert_true(sd_bus_message_close_container(m) >= 0);
        return m;
}

static void ranges_without_end_are_cut_short(void **state) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = new_message_with_ranges(limits.ranges);
        _cleanup_(file_list_done) struct file_list list = {};
        struct options_text text;

        assert_int_equal(options_read_files(sealed(m), 022, &limits, &list, &text), 0);
        assert_int_equal(list.items[0].file.n_ranges, limits.ranges);
        assert_int_equal(list.items[0].file.ranges[limits.ranges - 1].offset, limits.ranges - 1);
        check_file_refused(new_message_with_ranges(limits.ranges + 1), ERROR_TOO_MANY_RANGES);
}

static void a_umask_has_permission_bits_only(void **state) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = new_message();
        _cleanup_(file_list_done) struct file_list list = {};
        struct options_text text;

        append_many(m, 1);
        assert_int_equal(options_read_files(sealed(m), 01000, &limits, &list, &text), ERROR_INVALID_ARGUMENT);
}

/* ---- pages ---- */

static void a_page_takes_rows_until_they_are_too_much_for_others(void **state _unused_) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        struct bus_page_room room;

        assert_true(bus_page_room(0, &room, &error) < 0);
        assert_true(sd_bus_error_has_name(&error, "org.dosvc.Error.InvalidArgument"));
        assert_true(bus_page_room(LIMIT_PAGE + 1, &room, NULL) < 0);
        assert_int_equal(bus_page_room(2, &room, NULL), 0);
        assert_true(bus_page_takes(&room, 1) && bus_page_takes(&room, 1)); /* as many as are wanted */
        assert_false(bus_page_takes(&room, 1));
        assert_int_equal(bus_page_room(LIMIT_PAGE, &room, NULL), 0);
        assert_true(bus_page_takes(&room, LIMIT_PAGE_VALUES - 10) && bus_page_takes(&room, 10)); /* as much as may be */
        assert_false(bus_page_takes(&room, 1));
        assert_int_equal(bus_page_room(LIMIT_PAGE, &room, NULL), 0);
        assert_true(bus_page_takes(&room, 20 * LIMIT_PAGE_VALUES)); /* one at least */
        assert_false(bus_page_takes(&room, 1));
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(no_options_are_the_defaults),
                cmocka_unit_test(every_option_of_a_new_job_is_read),
                cmocka_unit_test(a_word_that_is_none_is_refused),
                cmocka_unit_test(another_type_is_refused_with_the_right_one),
                cmocka_unit_test(an_option_twice_is_refused),
                cmocka_unit_test(an_unknown_option_is_refused_even_with_a_long_name),
                cmocka_unit_test(properties_that_are_not_named_stay),
                cmocka_unit_test(what_only_a_new_job_takes_is_no_property),
                cmocka_unit_test(a_file_with_everything_is_read),
                cmocka_unit_test(a_path_that_cannot_be_one_is_refused),
                cmocka_unit_test(a_digest_has_32_bytes),
                cmocka_unit_test(a_size_is_at_most_what_files_may_have),
                cmocka_unit_test(a_call_takes_a_thousand_files_and_no_more),
                cmocka_unit_test(files_that_a_job_has_no_room_for_are_not_even_read),
                cmocka_unit_test(ranges_without_end_are_cut_short),
                cmocka_unit_test(a_umask_has_permission_bits_only),
                cmocka_unit_test(a_page_takes_rows_until_they_are_too_much_for_others),
        };

        return cmocka_run_group_tests(tests, make_bus, free_bus);
}

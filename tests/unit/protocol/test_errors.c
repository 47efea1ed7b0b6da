#include "../unit.h"

#include "base/strings.h"
#include "protocol/errors.h"

static void every_code_has_its_own_names_and_a_sentence(void **state _unused_) {
        for (int code = 1; code < _ERROR_CODE_MAX; code++) {
                const char *text = error_code_text(code);

                assert_non_null(error_code_name(code));
                assert_non_null(startswith(error_code_dbus_name(code), ERROR_DBUS_PREFIX));
                assert_true(strlen(text) > 10);
                assert_int_equal(text[strlen(text) - 1], '.');
                for (int other = 1; other < code; other++) {
                        assert_string_not_equal(error_code_name(code), error_code_name(other));
                        assert_string_not_equal(error_code_dbus_name(code), error_code_dbus_name(other));
                }
        }
}

static void names_go_there_and_back(void **state _unused_) {
        for (int code = 1; code < _ERROR_CODE_MAX; code++) {
                const char *dbus = error_code_dbus_name(code);

                assert_int_equal(error_code_from_name(error_code_name(code)), code);
                assert_int_equal(error_code_from_dbus_name(dbus), code);
                assert_int_equal(error_code_from_dbus_name(dbus + strlen(ERROR_DBUS_PREFIX)), code);
        }
        assert_int_equal(error_code_from_name("NONE"), ERROR_NONE);
        assert_int_equal(error_code_from_name("NO_SUCH_ERROR"), -EINVAL);
        assert_int_equal(error_code_from_name(""), -EINVAL);
        assert_int_equal(error_code_from_dbus_name("org.dosvc.Error.NoSuchError"), -EINVAL);
        assert_int_equal(error_code_from_dbus_name("org.freedesktop.DBus.Error.Failed"), -EINVAL);
        assert_int_equal(error_code_from_dbus_name(""), -EINVAL);
}

static void numbers_out_of_range_have_no_name(void **state _unused_) {
        assert_string_equal(error_code_name(ERROR_NONE), "NONE");
        assert_null(error_code_name(_ERROR_CODE_MAX));
        assert_null(error_code_name((enum error_code) -1));
        assert_null(error_code_text((enum error_code) 100000));
        assert_null(error_code_dbus_name(ERROR_NONE));
}

static void a_d_bus_name_is_one_that_the_bus_accepts(void **state _unused_) {
        for (int code = 1; code < _ERROR_CODE_MAX; code++) {
                const char *p = error_code_dbus_name(code) + strlen(ERROR_DBUS_PREFIX);

                assert_true(*p >= 'A' && *p <= 'Z');
                for (; *p; p++)
                        assert_true((*p >= 'A' && *p <= 'Z') || (*p >= 'a' && *p <= 'z') || (*p >= '0' && *p <= '9'));
        }
}

static void hresults_are_the_published_ones(void **state _unused_) {
        static const struct {
                enum error_code code;
                uint32_t in_do, in_bits;
        } rows[] = {
                { ERROR_NONE, 0, 0 },
                { ERROR_INVALID_ARGUMENT, 0x80070057, 0x80070057 },
                { ERROR_ACCESS_DENIED, 0x80070005, 0x80070005 },
                { ERROR_NOT_IMPLEMENTED, 0x80004001, 0x80004001 },
                { ERROR_NOT_FOUND, 0x80D02003, 0x80200001 },
                { ERROR_INVALID_STATE, 0x80D02013, 0x80200002 },
                { ERROR_JOB_EMPTY, 0x80D02004, 0x80200003 },
                { ERROR_NO_ERROR_INFORMATION, 0x80D02014, 0x8020000F },
                { ERROR_INVALID_RANGE, 0x80D05010, 0x8020002B },
                { ERROR_OVERLAPPING_RANGES, 0x80D05012, 0x8020002C },
                { ERROR_NO_RANGE_SUPPORT, 0x80D05011, 0x80200013 },
                { ERROR_NO_PROGRESS, 0x80D02002, 0x80200024 },
                { ERROR_NO_NETWORK, 0x80D03805, 0x80200010 },
                { ERROR_BLOCKED_BY_POLICY, 0x80D03801, 0x8020003E },
                { ERROR_BLOCKED_BY_COST, 0x80D03801, 0x80200059 },
                { ERROR_BLOCKED_BY_CELLULAR, 0x80D03803, 0x80200059 },
                { ERROR_BLOCKED_BY_BATTERY, 0x80D03804, 0x80200067 },
                { ERROR_BLOCKED_BY_BATTERY_SAVER, 0x80D03804, 0x80200068 },
                { ERROR_STANDBY, 0x80D03804, 0x80200065 },
                { ERROR_NO_SPACE, 0x80070070, 0x80070070 },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                assert_int_equal(error_code_hresult(rows[i].code, JOB_FAMILY_DO, 0), rows[i].in_do);
                assert_int_equal(error_code_hresult(rows[i].code, JOB_FAMILY_BITS, 0), rows[i].in_bits);
        }
        /* BG_E_HTTP_ERROR_404 and friends carry the status; others do not let a detail leak in. */
        assert_int_equal(error_code_hresult(ERROR_HTTP_STATUS, JOB_FAMILY_DO, 503), 0x801901F7);
        assert_int_equal(error_code_hresult(ERROR_HTTP_STATUS, JOB_FAMILY_BITS, 403), 0x80190193);
        assert_int_equal(error_code_hresult(ERROR_NO_SPACE, JOB_FAMILY_BITS, 28), 0x80070070);
}

static void every_hresult_is_a_failure(void **state _unused_) {
        for (int code = 1; code < _ERROR_CODE_MAX; code++)
                for (int family = 0; family < _JOB_FAMILY_MAX; family++)
                        assert_true(error_code_hresult(code, family, 0) & 0x80000000);
}

static void an_errno_of_either_sign_becomes_a_local_error(void **state _unused_) {
        assert_int_equal(error_code_from_errno(0), ERROR_NONE);
        assert_int_equal(error_code_from_errno(ENOSPC), ERROR_NO_SPACE);
        assert_int_equal(error_code_from_errno(-ENOSPC), ERROR_NO_SPACE);
        assert_int_equal(error_code_from_errno(-EDQUOT), ERROR_QUOTA);
        assert_int_equal(error_code_from_errno(-EACCES), ERROR_ACCESS_DENIED);
        assert_int_equal(error_code_from_errno(-ENOENT), ERROR_DIRECTORY_NOT_FOUND);
        assert_int_equal(error_code_from_errno(-EMFILE), ERROR_TOO_MANY_OPEN_FILES);
        assert_int_equal(error_code_from_errno(-EOWNERDEAD), ERROR_OWNER_PROCESS_FAILED);
        assert_int_equal(error_code_from_errno(-EPROTONOSUPPORT), ERROR_OWNER_PROCESS_FAILED);
        assert_int_equal(error_code_from_errno(-ENOTTY), ERROR_LOCAL_FILE_ERROR);
        assert_int_equal(error_code_from_errno(99999), ERROR_LOCAL_FILE_ERROR);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(every_code_has_its_own_names_and_a_sentence),
                cmocka_unit_test(names_go_there_and_back),
                cmocka_unit_test(numbers_out_of_range_have_no_name),
                cmocka_unit_test(a_d_bus_name_is_one_that_the_bus_accepts),
                cmocka_unit_test(hresults_are_the_published_ones),
                cmocka_unit_test(every_hresult_is_a_failure),
                cmocka_unit_test(an_errno_of_either_sign_becomes_a_local_error),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

/* What needs no service: text conversion, GUIDs, memory, BSTR, VARIANT, addresses, failures. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#include "client/com.h"

#include "base/strings.h"
#include "client/address.h"
#include "client/failure.h"
#include "client/public.h"
#include "client/wide.h"
#include "protocol/limits.h"

/* ---- wide strings ---- */

static void every_boundary_of_utf8_survives_the_way_there_and_back(void **state) {
        static const wchar_t text[] = { 0x1, 0x7f, 0x80, 0x7ff, 0x800, 0xd7ff, 0xe000, 0xfffd, 0x10000, 0x10fffd, 0 };
        char *utf8;
        wchar_t *back;

        assert_int_equal(wide_to_utf8(text, 100, &utf8), 0);
        assert_true(utf8_is_valid(utf8, SIZE_MAX));
        assert_int_equal(strlen(utf8), 1 + 1 + 2 + 2 + 3 + 3 + 3 + 3 + 4 + 4);
        assert_int_equal(wide_from_utf8(utf8, &back), 0);
        assert_memory_equal(back, text, sizeof(text));
        free(utf8);
        free(back);
}

static void what_is_no_code_point_is_refused(void **state) {
        static const uint32_t bad[] = { 0xd800, 0xdbff, 0xdc00, 0xdfff, 0xfdd0, 0xfffe, 0x1ffff, 0x10ffff, 0x110000, 0x80000000, 0xffffffff };
        char *utf8;

        for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
                const wchar_t text[] = { L'a', (wchar_t) bad[i], 0 };

                assert_int_equal(wide_to_utf8(text, 100, &utf8), -EINVAL);
        }
}

static void what_is_not_utf8_is_refused(void **state) {
        static const char *const bad[] = { "\x80", "\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe2\x82", "\xff" };
        wchar_t *wide;

        for (size_t i = 0; i < ELEMENTSOF(bad); i++)
                assert_int_equal(wide_from_utf8(bad[i], &wide), -EINVAL);
}

static void a_length_is_counted_in_code_points_up_to_its_limit(void **state) {
        const wchar_t endless[] = { L'x', L'x', L'x', L'x' }; /* no NUL: reading on would be an error */
        char *utf8;

        assert_int_equal(wide_length(L"\x1f600\x1f600", 10), 2);
        assert_int_equal(wide_length(endless, 3), 4);
        assert_int_equal(wide_to_utf8(endless, 3, &utf8), -E2BIG);
        assert_int_equal(wide_to_utf8(L"\x1f600\x1f600\x1f600", 3, &utf8), 0);
        assert_int_equal(strlen(utf8), 12);
        free(utf8);
}

/* ---- GUIDs ---- */

static void a_guid_has_one_text_form_with_braces_and_capitals(void **state) {
        wchar_t text[39], small[38];

        assert_int_equal(StringFromGUID2(&CLSID_DeliveryOptimization, text, 39), 39);
        assert_int_equal(wcscmp(text, L"{5B99FA76-721C-423C-ADAC-56D03C8A8007}"), 0);
        assert_int_equal(StringFromGUID2(&CLSID_DeliveryOptimization, small, 38), 0);
        assert_int_equal(StringFromGUID2(NULL, text, 39), 0);
        assert_int_equal(StringFromGUID2(&GUID_NULL, NULL, 39), 0);
}

static void only_the_braced_form_is_read(void **state) {
        static const wchar_t *const bad[] = {
                L"",
                L"{",
                L"5b99fa76-721c-423c-adac-56d03c8a8007",
                L"{5b99fa76-721c-423c-adac-56d03c8a800}",
                L"{5b99fa76-721c-423c-adac-56d03c8a80077}",
                L"{5b99fa76x721c-423c-adac-56d03c8a8007}",
                L"{5b99fa76-721c-423c-adac-56d03c8a800g}",
                L"{5b99fa76-721c-423c-adac-56d03c8a8007}x",
        };
        GUID guid;

        assert_int_equal(CLSIDFromString(L"{5b99FA76-721c-423c-adac-56d03c8a8007}", &guid), S_OK);
        assert_true(IsEqualGUID(&guid, &CLSID_DeliveryOptimization));
        for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
                assert_int_equal(CLSIDFromString(bad[i], &guid), CO_E_CLASSSTRING);
                assert_true(IsEqualGUID(&guid, &GUID_NULL));
                assert_int_equal(IIDFromString(bad[i], &guid), CO_E_IIDSTRING);
        }
        assert_int_equal(CLSIDFromString(L"{}", NULL), E_INVALIDARG);
        assert_int_equal(CLSIDFromString(NULL, &guid), S_OK);
}

static void new_guids_differ(void **state) {
        GUID a, b;

        assert_int_equal(CoCreateGuid(&a), S_OK);
        assert_int_equal(CoCreateGuid(&b), S_OK);
        assert_false(IsEqualGUID(&a, &b));
        assert_int_equal(CoCreateGuid(NULL), E_INVALIDARG);
}

/* ---- memory ---- */

static void memory_of_size_zero_is_an_object_and_null_is_freed_in_peace(void **state) {
        void *p = CoTaskMemAlloc(0);

        assert_non_null(p);
        p = CoTaskMemRealloc(p, 100);
        assert_non_null(p);
        memset(p, 1, 100);
        assert_null(CoTaskMemRealloc(p, 0));
        p = CoTaskMemRealloc(NULL, 10);
        assert_non_null(p);
        CoTaskMemFree(p);
        CoTaskMemFree(NULL);
}

static void a_bstr_counts_its_characters_also_behind_a_nul(void **state) {
        BSTR s = SysAllocStringLen(L"ab\0cd", 5);

        assert_int_equal(SysStringLen(s), 5);
        assert_int_equal(s[3], L'c');
        assert_int_equal(s[5], 0);
        SysFreeString(s);
        s = SysAllocString(L"");
        assert_non_null(s);
        assert_int_equal(SysStringLen(s), 0);
        SysFreeString(s);
        s = SysAllocStringLen(NULL, 3);
        assert_int_equal(SysStringLen(s), 3);
        SysFreeString(s);
        assert_null(SysAllocString(NULL));
        assert_null(SysAllocStringLen(NULL, UINT32_MAX));
        assert_int_equal(SysStringLen(NULL), 0);
        SysFreeString(NULL);
}

static ULONG released;
static ULONG count_release(IUnknown *This) {
        return ++released;
}

static void clearing_a_variant_frees_what_it_owns(void **state) {
        static const IUnknownVtbl vtbl = { .Release = count_release };
        IUnknown unknown = { &vtbl };
        SAFEARRAY *array = calloc(1, sizeof(*array));
        VARIANT v;

        VariantInit(&v);
        assert_int_equal(v.vt, VT_EMPTY);
        v.vt = VT_BSTR;
        v.bstrVal = SysAllocString(L"x");
        assert_int_equal(VariantClear(&v), S_OK);
        assert_int_equal(v.vt, VT_EMPTY);

        v.vt = VT_UNKNOWN;
        v.punkVal = &unknown;
        assert_int_equal(VariantClear(&v), S_OK);
        assert_int_equal(released, 1);

        array->pvData = malloc(10);
        array->cLocks = 1;
        v.vt = VT_ARRAY | VT_UI1;
        v.parray = array;
        assert_int_equal(VariantClear(&v), DISP_E_ARRAYISLOCKED);
        array->cLocks = 0;
        assert_int_equal(VariantClear(&v), S_OK);

        v.vt = VT_BSTR | VT_BYREF;
        v.pbstrVal = (void *) 1;
        assert_int_equal(VariantClear(&v), S_OK);
        v.vt = 999;
        assert_int_equal(VariantClear(&v), DISP_E_BADVARTYPE);
        assert_int_equal(VariantClear(NULL), E_INVALIDARG);
        VariantInit(NULL);
}

/* ---- small conversions ---- */

static void times_are_those_of_filetime(void **state) {
        FILETIME t = com_filetime(1000000); /* one second after 1970 */

        assert_int_equal((uint64_t) t.dwHighDateTime << 32 | t.dwLowDateTime, UINT64_C(116444736010000000));
        t = com_filetime(0);
        assert_int_equal(t.dwHighDateTime | t.dwLowDateTime, 0);
        t = com_filetime(UINT64_MAX);
        assert_int_equal(t.dwHighDateTime | t.dwLowDateTime, 0);
        assert_int_equal(com_ulong(UINT64_C(0x100000000)), UINT32_MAX);
}

static void every_code_has_a_sentence(void **state) {
        static const HRESULT codes[] = {
                S_OK,   E_INVALIDARG,         BG_E_EMPTY,           DO_E_JOB_EMPTY,       BG_S_PARTIAL_COMPLETE,
                E_FAIL, (HRESULT) 0x80190194, (HRESULT) 0x801901ff, (HRESULT) 0x87654321, INT32_MIN
        };

        for (size_t i = 0; i < ELEMENTSOF(codes); i++)
                for (int family = 0; family < _JOB_FAMILY_MAX; family++) {
                        char *text = com_describe(codes[i], (enum job_family) family);

                        assert_non_null(text);
                        assert_true(strlen(text) > 10);
                        free(text);
                }
}

/* In files with com.h our names must win over the Win32 macros of the same name. */
static void our_error_codes_are_not_hidden_by_win32_macros(void **state) {
        assert_int_equal(ERROR_NOT_FOUND, error_code_from_name("NOT_FOUND"));
        assert_int_equal(ERROR_ACCESS_DENIED, error_code_from_name("ACCESS_DENIED"));
        assert_int_equal(ERROR_FILE_EXISTS, error_code_from_name("FILE_EXISTS"));
        assert_int_equal(ERROR_INVALID_NAME, error_code_from_name("INVALID_NAME"));
        assert_int_equal(ERROR_TOO_MANY_OPEN_FILES, error_code_from_name("TOO_MANY_OPEN_FILES"));
        assert_int_equal(ERROR_FILE_TOO_LARGE, error_code_from_name("FILE_TOO_LARGE"));
        assert_int_equal(ERROR_FILE_NOT_FOUND, error_code_from_name("FILE_NOT_FOUND"));
}

static void bus_errors_become_codes(void **state) {
        static const struct {
                const char *name;
                enum error_code code;
        } rows[] = {
                { "org.dosvc.Error.NotFound", ERROR_NOT_FOUND },
                { "org.dosvc.Error.FileExists", ERROR_FILE_EXISTS },
                { "org.dosvc.Error.OfTheFuture", ERROR_UNEXPECTED },
                { "org.freedesktop.DBus.Error.UnknownObject", ERROR_NOT_FOUND },
                { "org.freedesktop.DBus.Error.NoReply", ERROR_NO_SERVICE },
                { "org.freedesktop.DBus.Error.AccessDenied", ERROR_ACCESS_DENIED },
                { "com.example.Whatever", ERROR_UNEXPECTED },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++)
                assert_int_equal(failure_code_from_bus(&(sd_bus_error){ .name = rows[i].name }), rows[i].code);
}

static void each_code_of_the_table_reaches_the_program_in_its_familys_words(void **state) {
        for (int code = 1; code < _ERROR_CODE_MAX; code++) {
                const sd_bus_error error = { .name = error_code_dbus_name((enum error_code) code) };
                enum error_code back = failure_code_from_bus(&error);

                assert_int_equal(back, code);
                for (int family = 0; family < _JOB_FAMILY_MAX; family++)
                        assert_true(rim_hresult(code, (enum job_family) family) < 0);
        }
        assert_int_equal(rim_hresult(ERROR_JOB_EMPTY, JOB_FAMILY_DO), DO_E_JOB_EMPTY);
        assert_int_equal(rim_hresult(ERROR_JOB_EMPTY, JOB_FAMILY_BITS), BG_E_EMPTY);
        assert_int_equal(rim_hresult(0, JOB_FAMILY_DO), S_OK);
}

/* ---- failures ---- */

static void a_failure_is_kept_until_it_is_cleared_and_moves_between_connections(void **state) {
        const dosvc_error *e;

        failure_clear(NULL);
        e = dosvc_last_error(NULL);
        assert_int_equal(e->hresult, 0);
        assert_string_equal(e->text, "");
        assert_int_equal(failure_set(NULL, ERROR_FILE_EXISTS, NULL), ERROR_FILE_EXISTS);
        failure_about(NULL, "/tmp/x", "http://h/");
        e = dosvc_last_error(NULL);
        assert_int_equal((uint32_t) e->hresult, 0x80070050);
        assert_string_equal(e->name, "FileExists");
        assert_string_equal(e->context, "local_file");
        assert_string_equal(e->file, "/tmp/x");
        assert_string_equal(e->url, "http://h/");
        assert_string_equal(e->text, error_code_text(ERROR_FILE_EXISTS));
        failure_clear(NULL);
        assert_string_equal(dosvc_last_error(NULL)->name, "");
}

/* ---- addresses ---- */

#define BOOT "0a1b2c3d-0000-1111-2222-333344445555"
#define BOOT_COMPACT "0a1b2c3d000011112222333344445555"

static void a_lock_file_names_its_service(void **state) {
        char *address;

        assert_int_equal(address_parse_lock("12\n" BOOT "\nunix:path=/x/bus\n", BOOT, &address), 0);
        assert_string_equal(address, "unix:path=/x/bus");
        free(address);
        assert_int_equal(address_parse_lock("12\n" BOOT_COMPACT "\nunix:path=/x/bus", BOOT, &address), 0);
        free(address);
}

static void a_lock_file_of_another_boot_or_kind_names_nothing(void **state) {
        static const char *const bad[] = { "",
                                           "\n",
                                           "12\n",
                                           "12\n" BOOT,
                                           "x\n" BOOT "\nunix:path=/x\n",
                                           "12\n" BOOT "\nunixexec:path=/bin/sh\n",
                                           "12\n" BOOT "\ntcp:host=evil\n" };
        char *address;

        assert_int_equal(address_parse_lock("12\n11111111000011112222333344445555\nunix:path=/x\n", BOOT, &address),
                         -ESTALE);
        for (size_t i = 0; i < ELEMENTSOF(bad); i++)
                assert_int_equal(address_parse_lock(bad[i], BOOT, &address), -EINVAL);
}

static void a_path_is_escaped_in_an_address(void **state) {
        char *address;

        assert_int_equal(address_from_path("/home/a b,c;d=\xc3\xa4%/bus", &address), 0);
        assert_string_equal(address, "unix:path=/home/a%20b%2cc%3bd%3d%c3%a4%25/bus");
        free(address);
}

static void the_user_instance_is_looked_for_where_it_may_be(void **state) {
        char directory[] = "/tmp/dosvc-test-XXXXXX", path[64], *list[3], *got;
        FILE *file;
        int n;

        assert_non_null(mkdtemp(directory));
        setenv("XDG_STATE_HOME", directory, 1);
        assert_int_equal(address_state_directory(&got), 0);
        assert_true(startswith(got, directory) != NULL && strstr(got, "/dosvc") != NULL);
        free(got);
        setenv("XDG_STATE_HOME", "relative", 1);
        setenv("HOME", "/home/u", 1);
        assert_int_equal(address_state_directory(&got), 0);
        assert_string_equal(got, "/home/u/.local/state/dosvc");
        free(got);

        setenv("XDG_RUNTIME_DIR", "/run/user/7", 1);
        n = address_list_user(directory, list, 3);
        assert_int_equal(n, 2);
        assert_true(strstr(list[0], directory) != NULL);
        assert_string_equal(list[1], "unix:path=/run/user/7/dosvc/bus");
        free(list[0]);
        free(list[1]);

        snprintf(path, sizeof(path), "%s/lock", directory);
        file = fopen(path, "w");
        assert_non_null(file);
        fputs("1\nnot this boot\nunix:path=/elsewhere\n", file);
        fclose(file);
        n = address_list_user(directory, list, 3);
        assert_int_equal(n, 2);
        free(list[0]);
        free(list[1]);
        unlink(path);
        rmdir(directory);
}

static void a_socket_path_that_is_too_long_is_left_out(void **state) {
        char directory[200], *list[3];

        memset(directory, 'd', sizeof(directory));
        directory[0] = '/';
        directory[sizeof(directory) - 1] = 0;
        unsetenv("XDG_RUNTIME_DIR");
        assert_int_equal(address_list_user(directory, list, 3), 0);
}

/* ---- digest ---- */

static void a_file_is_compared_with_a_digest(void **state) {
        static const unsigned char of_abc[32] = {
                0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea, 0x41, 0x41, 0x40, 0xde, 0x5d, 0xae, 0x22, 0x23,
                0xb0, 0x03, 0x61, 0xa3, 0x96, 0x17, 0x7a, 0x9c, 0xb4, 0x10, 0xff, 0x61, 0xf2, 0x00, 0x15, 0xad,
        };
        char path[] = "/tmp/dosvc-test-XXXXXX";
        int fd = mkstemp(path);

        assert_true(fd >= 0 && write(fd, "abc", 3) == 3);
        assert_int_equal(dosvc_file_has_sha256(path, of_abc), 1);
        assert_int_equal(write(fd, "d", 1), 1);
        assert_int_equal(dosvc_file_has_sha256(path, of_abc), 0);
        close(fd);
        unlink(path);
        assert_int_equal(dosvc_file_has_sha256(path, of_abc), 0);
        assert_true(dosvc_file_has_sha256("/tmp", of_abc) < 0);
        assert_string_equal(dosvc_last_error(NULL)->name, "NotARegularFile");
        assert_string_equal(dosvc_last_error(NULL)->file, "/tmp");
        assert_true(dosvc_file_has_sha256(NULL, of_abc) < 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(every_boundary_of_utf8_survives_the_way_there_and_back),
                cmocka_unit_test(what_is_no_code_point_is_refused),
                cmocka_unit_test(what_is_not_utf8_is_refused),
                cmocka_unit_test(a_length_is_counted_in_code_points_up_to_its_limit),
                cmocka_unit_test(a_guid_has_one_text_form_with_braces_and_capitals),
                cmocka_unit_test(only_the_braced_form_is_read),
                cmocka_unit_test(new_guids_differ),
                cmocka_unit_test(memory_of_size_zero_is_an_object_and_null_is_freed_in_peace),
                cmocka_unit_test(a_bstr_counts_its_characters_also_behind_a_nul),
                cmocka_unit_test(clearing_a_variant_frees_what_it_owns),
                cmocka_unit_test(times_are_those_of_filetime),
                cmocka_unit_test(every_code_has_a_sentence),
                cmocka_unit_test(our_error_codes_are_not_hidden_by_win32_macros),
                cmocka_unit_test(bus_errors_become_codes),
                cmocka_unit_test(each_code_of_the_table_reaches_the_program_in_its_familys_words),
                cmocka_unit_test(a_failure_is_kept_until_it_is_cleared_and_moves_between_connections),
                cmocka_unit_test(a_lock_file_names_its_service),
                cmocka_unit_test(a_lock_file_of_another_boot_or_kind_names_nothing),
                cmocka_unit_test(a_path_is_escaped_in_an_address),
                cmocka_unit_test(the_user_instance_is_looked_for_where_it_may_be),
                cmocka_unit_test(a_socket_path_that_is_too_long_is_left_out),
                cmocka_unit_test(a_file_is_compared_with_a_digest),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "protocol/certificates.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/strings.h"

#define HASH "000102030405060708090a0b0c0d0e0f10111213"

static void what_is_parsed_prints_as_it_was(void **state) {
        static const struct {
                const char *text;
                enum certificate_place place;
                const char *store, *subject;
        } rows[] = {
                { "current_user/MY/sha1:" HASH, CERTIFICATE_CURRENT_USER, "MY", "" },
                { "local_machine/ROOT/name:Agent 7", CERTIFICATE_LOCAL_MACHINE, "ROOT", "Agent 7" },
                { "current_user/a-b_c.d/name:CN=x/O=y", CERTIFICATE_CURRENT_USER, "a-b_c.d", "CN=x/O=y" },
                { "local_machine_enterprise/MY/name:\xc3\xa4", (enum certificate_place) 7, "MY", "\xc3\xa4" },
        };
        char text[CERTIFICATE_TEXT_MAX + 1];
        struct certificate_name name;

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                assert_int_equal(certificate_name_parse(rows[i].text, &name), 0);
                assert_int_equal(name.place, rows[i].place);
                assert_string_equal(name.store, rows[i].store);
                assert_string_equal(name.subject, rows[i].subject);
                assert_int_equal(name.by_hash, !*rows[i].subject);
                assert_int_equal(certificate_name_print(&name, text), 0);
                assert_string_equal(text, rows[i].text);
        }
        assert_int_equal(certificate_name_parse("current_user/MY/sha1:" HASH, &name), 0);
        assert_int_equal(name.sha1[19], 0x13);
}

static void what_is_no_name_is_refused(void **state) {
        static const char *const wrong[] = {
                "", "MY/name:a", "current_user", "current_user/MY", "current_user/MY/", "current_user/MY/name:", "current_user/MY/other:a",
                "somewhere/MY/name:a", "current_user//name:a", "current_user/./name:a", "current_user/../name:a", "current_user/.hidden/name:a",
                "current_user/a b/name:a", "current_user/\xc3\xa4/name:a", "current_user/MY/sha1:", "current_user/MY/sha1:0001",
                "current_user/MY/sha1:" HASH "00", "current_user/MY/sha1:x00102030405060708090a0b0c0d0e0f10111213",
                "current_user/MY/name:a\nb", "current_user/MY/name:\xff",
        };
        struct certificate_name name;

        for (size_t i = 0; i < ELEMENTSOF(wrong); i++)
                assert_int_equal(certificate_name_parse(wrong[i], &name), -EINVAL);
}

static void stores_and_subjects_have_their_limits(void **state) {
        char text[CERTIFICATE_TEXT_MAX + 3] = "current_user/", printed[CERTIFICATE_TEXT_MAX + 1];
        struct certificate_name name;
        size_t n = strlen(text);

        memset(text + n, 's', LIMIT_CERTIFICATE_STORE);
        n += LIMIT_CERTIFICATE_STORE;
        memcpy(text + n, "/name:", 6);
        memset(text + n + 6, 'n', LIMIT_CERTIFICATE_SUBJECT);
        assert_int_equal(certificate_name_parse(text, &name), 0);
        assert_int_equal(certificate_name_print(&name, printed), 0);
        assert_string_equal(printed, text);
        text[n + 6 + LIMIT_CERTIFICATE_SUBJECT] = 'n';
        assert_int_equal(certificate_name_parse(text, &name), -EINVAL);
        memcpy(text + n, "s/name:n\0", 9);
        assert_int_equal(certificate_name_parse(text, &name), -EINVAL);
        assert_int_equal(certificate_name_print(&(struct certificate_name) { .store = "..", .subject = "a" }, printed), -EINVAL);
        assert_int_equal(certificate_name_print(&(struct certificate_name) { .store = "MY" }, printed), -EINVAL);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(what_is_parsed_prints_as_it_was),
                cmocka_unit_test(what_is_no_name_is_refused),
                cmocka_unit_test(stores_and_subjects_have_their_limits),
        };

        return cmocka_run_group_tests_name("names of certificates", tests, NULL, NULL);
}

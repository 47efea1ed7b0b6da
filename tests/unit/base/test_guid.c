#include "../unit.h"

#include "base/guid.h"

static void a_new_identity_is_a_random_version_4(void **state _unused_) {
        struct guid a, b;

        assert_int_equal(guid_new(&a), 0);
        assert_int_equal(guid_new(&b), 0);
        assert_false(guid_equal(&a, &b));
        assert_int_equal(a.bytes[6] >> 4, 4);
        assert_int_equal(a.bytes[8] >> 6, 2);
}

static void both_forms_go_there_and_back(void **state _unused_) {
        char text[GUID_STRING_MAX], compact[33];
        struct guid id, back;

        for (unsigned i = 0; i < 100; i++) {
                assert_int_equal(guid_new(&id), 0);
                guid_to_string(&id, text);
                assert_int_equal(strlen(text), 36);
                assert_int_equal(guid_from_string(text, &back), 0);
                assert_true(guid_equal(&id, &back));
                guid_to_compact(&id, compact);
                assert_int_equal(strlen(compact), 32);
                assert_int_equal(guid_from_string(compact, &back), 0);
                assert_true(guid_equal(&id, &back));
        }
}

static void bytes_stand_in_printing_order(void **state _unused_) {
        char text[GUID_STRING_MAX];
        struct guid id;

        assert_int_equal(guid_from_string("5B99FA76-721c-423c-adac-56d03c8a8007", &id), 0);
        assert_int_equal(id.bytes[0], 0x5b);
        assert_int_equal(id.bytes[15], 0x07);
        guid_to_string(&id, text);
        assert_string_equal(text, "5b99fa76-721c-423c-adac-56d03c8a8007");
}

static void what_is_no_identity_is_refused(void **state _unused_) {
        static const char *const bad[] = {
                "",
                "5b99fa76",
                "5b99fa76-721c-423c-adac-56d03c8a800",
                "5b99fa76-721c-423c-adac-56d03c8a80077",
                "5b99fa76721c-423c-adac-56d03c8a80070",
                "5b99fa76-721c-423c-adac-56d03c8a800g",
                "{5b99fa76-721c-423c-adac-56d03c8a8007}",
                "5b99fa76721c423cadac56d03c8a800 ",
                "5b99fa76-721c-423c-adac+56d03c8a8007",
        };
        struct guid id;

        for (size_t i = 0; i < ELEMENTSOF(bad); i++)
                assert_int_equal(guid_from_string(bad[i], &id), -EINVAL);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_new_identity_is_a_random_version_4),
                cmocka_unit_test(both_forms_go_there_and_back),
                cmocka_unit_test(bytes_stand_in_printing_order),
                cmocka_unit_test(what_is_no_identity_is_refused),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

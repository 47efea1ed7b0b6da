#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/strings.h"
#include "bus/path.h"

static void a_jobs_path_leads_back_to_its_id(void **state) {
        char path[BUS_PATH_MAX];
        struct guid id, back;
        uint32_t file = 7;

        for (int i = 0; i < 100; i++) {
                assert_int_equal(guid_new(&id), 0);
                bus_path_of_job(&id, path);
                assert_int_equal(bus_path_parse(path, &back, &file), 0);
                assert_true(guid_equal(&id, &back));
                assert_int_equal(file, BUS_PATH_NO_FILE);
        }
}

static void a_files_path_has_its_number(void **state) {
        static const struct {
                const char *tail;
                uint32_t index;
        } rows[] = { { "/file/0", 0 }, { "/file/7", 7 }, { "/file/4294967294", 4294967294 } };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                char path[BUS_PATH_MAX];
                struct guid id;
                uint32_t file;

                snprintf(path, sizeof(path), "/org/dosvc/job/00112233445566778899aabbccddeeff%s", rows[i].tail);
                assert_int_equal(bus_path_parse(path, &id, &file), 0);
                assert_int_equal(file, rows[i].index);
                assert_int_equal(id.bytes[15], 0xff);
        }
}

static void any_other_path_is_nobodys(void **state) {
        static const char *const paths[] = {
                "",
                "/",
                "/org/dosvc",
                "/org/dosvc/job",
                "/org/dosvc/job/",
                "/org/dosvc/job/0011",
                "/org/dosvc/job/00112233445566778899AABBCCDDEEFF",
                "/org/dosvc/job/00112233445566778899aabbccddeef",
                "/org/dosvc/job/00112233445566778899aabbccddeefff",
                "/org/dosvc/job/00112233445566778899aabbccddeefg",
                "/org/dosvc/job/00112233-4455-6677-8899-aabbccddeeff",
                "/org/dosvc/job/00112233445566778899aabbccddeeff/",
                "/org/dosvc/job/00112233445566778899aabbccddeeff/file",
                "/org/dosvc/job/00112233445566778899aabbccddeeff/file/",
                "/org/dosvc/job/00112233445566778899aabbccddeeff/file/00",
                "/org/dosvc/job/00112233445566778899aabbccddeeff/file/01",
                "/org/dosvc/job/00112233445566778899aabbccddeeff/file/-1",
                "/org/dosvc/job/00112233445566778899aabbccddeeff/file/+1",
                "/org/dosvc/job/00112233445566778899aabbccddeeff/file/1x",
                "/org/dosvc/job/00112233445566778899aabbccddeeff/file/4294967295",
                "/org/dosvc/job/00112233445566778899aabbccddeeff/file/99999999999999999999",
                "/org/dosvc/job/00112233445566778899aabbccddeeff/file/1/2",
        };
        struct guid id;
        uint32_t file;

        for (size_t i = 0; i < ELEMENTSOF(paths); i++)
                if (bus_path_parse(paths[i], &id, &file) != -EINVAL)
                        fail_msg("%s was taken", paths[i]);
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_jobs_path_leads_back_to_its_id),
                cmocka_unit_test(a_files_path_has_its_number),
                cmocka_unit_test(any_other_path_is_nobodys),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

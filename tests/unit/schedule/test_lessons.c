/* What was learned of servers, by whom, and for how long. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "schedule/lessons.h"

#define OWNER 1000
#define NOW (5 * USEC_PER_MINUTE)

static const struct segments_lesson sixteen = { .n = 16, .settled = true, .rate = 1000 };

static unsigned recall(const struct lessons *lessons, uid_t owner, const char *url, uint64_t now) {
        struct segments_lesson lesson;

        return lessons_recall(lessons, owner, url, now, &lesson) ? lesson.n : 0;
}

static void a_lesson_is_of_scheme_host_and_port_and_of_one_owner(void **state) {
        static const struct {
                const char *url;
                uid_t owner;
                unsigned n;
        } rows[] = {
                { "https://h:8443/other?x#y", OWNER, 16 },
                { "https://h:8443", OWNER, 16 },
                { "HTTPS://H:8443/f", OWNER, 16 },
                { "https://me:secret@h:8443/f", OWNER, 16 },
                { "https://me@x@h:8443/f", OWNER, 16 },
                { "https://h:8443/f", OWNER + 1, 0 },
                { "http://h:8443/f", OWNER, 0 },
                { "https://h/f", OWNER, 0 },
                { "https://h:84430/f", OWNER, 0 },
                { "https://h:8443.example/f", OWNER, 0 },
                { "https://x/@h:8443/f", OWNER, 0 },
                { "h:8443/f", OWNER, 0 },
                { "", OWNER, 0 },
        };
        struct lessons lessons = {};

        assert_int_equal(recall(&lessons, OWNER, "https://h:8443/f", NOW), 0);
        lessons_learn(&lessons, OWNER, "https://h:8443/f", &sixteen, NOW);
        for (size_t i = 0; i < ELEMENTSOF(rows); i++)
                if (recall(&lessons, rows[i].owner, rows[i].url, NOW) != rows[i].n)
                        fail_msg("%s of %u", rows[i].url, (unsigned) rows[i].owner);
        lessons_done(&lessons);
        assert_int_equal(recall(&lessons, OWNER, "https://h:8443/f", NOW), 0);
}

static void the_last_lesson_counts_and_ends_after_its_time(void **state) {
        struct segments_lesson lesson = sixteen;
        struct lessons lessons = {};

        lessons_learn(&lessons, OWNER, "http://h/f", &lesson, NOW);
        lesson.n = 3;
        lessons_learn(&lessons, OWNER, "http://h/g", &lesson, NOW + 1);
        assert_int_equal(lessons.n, 1);
        assert_int_equal(recall(&lessons, OWNER, "http://h/f", NOW + LESSON_LIFE_USEC), 3);
        assert_int_equal(recall(&lessons, OWNER, "http://h/f", NOW + LESSON_LIFE_USEC + 1), 0);
        lessons_done(&lessons);
}

static void what_is_forgotten_takes_no_other_with_it(void **state) {
        struct lessons lessons = {};

        lessons_forget(&lessons, OWNER, "http://a/");
        lessons_learn(&lessons, OWNER, "http://a/", &sixteen, NOW);
        lessons_learn(&lessons, OWNER, "http://b/", &sixteen, NOW);
        lessons_forget(&lessons, OWNER, "http://a/x");
        assert_int_equal(recall(&lessons, OWNER, "http://a/", NOW), 0);
        assert_int_equal(recall(&lessons, OWNER, "http://b/", NOW), 16);
        lessons_done(&lessons);
}

static void of_a_full_table_the_oldest_goes(void **state) {
        struct lessons lessons = {};
        char url[32];

        for (unsigned i = 0; i <= LESSONS_MAX; i++) {
                snprintf(url, sizeof(url), "http://h%u/", i);
                lessons_learn(&lessons, OWNER, url, &sixteen, i == 7 ? NOW - 1 : NOW + i);
        }
        assert_int_equal(lessons.n, LESSONS_MAX);
        assert_int_equal(recall(&lessons, OWNER, "http://h7/", NOW + LESSONS_MAX), 0);
        assert_int_equal(recall(&lessons, OWNER, "http://h0/", NOW + LESSONS_MAX), 16);
        assert_int_equal(recall(&lessons, OWNER, url, NOW + LESSONS_MAX), 16);
        lessons_done(&lessons);
}

static void a_name_that_no_server_has_is_not_kept(void **state) {
        struct lessons lessons = {};
        char url[1000] = "http://";

        memset(url + strlen(url), 'h', 400);
        lessons_learn(&lessons, OWNER, url, &sixteen, NOW);
        assert_int_equal(lessons.n, 0);
        assert_int_equal(recall(&lessons, OWNER, url, NOW), 0);
        memset(url + 300, 0, sizeof(url) - 300);
        lessons_learn(&lessons, OWNER, url, &sixteen, NOW);
        assert_int_equal(recall(&lessons, OWNER, url, NOW), 16);
        lessons_done(&lessons);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_lesson_is_of_scheme_host_and_port_and_of_one_owner),
                cmocka_unit_test(the_last_lesson_counts_and_ends_after_its_time),
                cmocka_unit_test(what_is_forgotten_takes_no_other_with_it),
                cmocka_unit_test(of_a_full_table_the_oldest_goes),
                cmocka_unit_test(a_name_that_no_server_has_is_not_kept),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "../unit.h"

#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "schedule/hours.h"

static void what_can_be_said_of_hours(void **state _unused_) {
        static const struct {
                const char *text;
                int r;
                struct hours hours;
        } rows[] = {
                { "", 0, {} },
                { "8-18 25% 100%", 0, { true, 8, 18, 25, 100 } },
                { "08-18\t 0%  100%", 0, { true, 8, 18, 0, 100 } },
                { "22-6 100% 10%", 0, { true, 22, 6, 100, 10 } },
                { "18-24 50% 100%", 0, { true, 18, 0, 50, 100 } },
                { "0-23 1% 2%", 0, { true, 0, 23, 1, 2 } },
                { "24-8 1% 2%", -ERANGE, {} },
                { "8-25 1% 2%", -ERANGE, {} },
                { "8-8 1% 2%", -ERANGE, {} },
                { "0-24 1% 2%", -ERANGE, {} },
                { "8-18 101% 2%", -ERANGE, {} },
                { "8-18 1% 101%", -ERANGE, {} },
                { "8-18 25 100", -EINVAL, {} },
                { "8-18 25%", -EINVAL, {} },
                { "8-18 25% 100% ", -EINVAL, {} },
                { " 8-18 25% 100%", -EINVAL, {} },
                { "8:00-18:00 25% 100%", -EINVAL, {} },
                { "8-18 -1% 100%", -EINVAL, {} },
                { "8-18 25%100%", -EINVAL, {} },
                { "8-18 0000025% 100%", -EINVAL, {} },
                { "8-99999999999999999999 25% 100%", -EINVAL, {} },
                { "x", -EINVAL, {} },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                struct hours hours = { .from = 77 };

                if (hours_parse(rows[i].text, &hours) != rows[i].r)
                        fail_msg("\"%s\"", rows[i].text);
                if (hours.is_set != rows[i].hours.is_set || hours.from != rows[i].hours.from || hours.to != rows[i].hours.to ||
                    hours.percent_inside != rows[i].hours.percent_inside || hours.percent_outside != rows[i].hours.percent_outside)
                        fail_msg("\"%s\": other values", rows[i].text);
        }
}

/* One letter for each hour of the day: i(nside), o(utside). */
static void which_hours_are_inside(void **state _unused_) {
        static const struct {
                unsigned from, to;
                const char *day;
        } rows[] = {
                { 8, 18, "ooooooooiiiiiiiiiioooooo" },
                { 22, 6, "iiiiiiooooooooooooooooii" },
                { 0, 1, "iooooooooooooooooooooooo" },
                { 23, 0, "oooooooooooooooooooooooi" },
                { 1, 0, "oiiiiiiiiiiiiiiiiiiiiiii" },
                { 12, 11, "iiiiiiiiiiioiiiiiiiiiiii" },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                struct hours hours = { true, rows[i].from, rows[i].to, 20, 70 };

                for (unsigned hour = 0; hour < HOURS_PER_DAY; hour++)
                        if (hours_percent(&hours, hour) != (rows[i].day[hour] == 'i' ? 20 : 70))
                                fail_msg("%u-%u at %u", hours.from, hours.to, hour);
        }
        assert_int_equal(hours_percent(&(struct hours) {}, 5), 100);
}

/* ---- which hour it is ---- */

static void set_zone(const char *zone) {
        assert_int_equal(setenv("TZ", zone, 1), 0);
        tzset();
}

/* @utc: hours since 2026-01-01, UTC. */
static unsigned hour_at(double utc) {
        return clock_local_hour((uint64_t) ((1767225600.0 + utc * 3600) * (double) USEC_PER_SEC));
}

static void the_hour_is_that_of_the_place(void **state _unused_) {
        set_zone("UTC0");
        assert_int_equal(hour_at(5.99), 5);
        set_zone("CET-1CEST,M3.5.0,M10.5.0/3");
        assert_int_equal(hour_at(5.99), 6);
        assert_int_equal(hour_at(23.5), 0);
        set_zone("<+0545>-5:45"); /* Kathmandu */
        assert_int_equal(hour_at(0.2), 5);
        assert_int_equal(hour_at(0.26), 6);
}

static void daylight_saving_skips_an_hour_and_repeats_one(void **state _unused_) {
        static const double march_29 = (31 + 28 + 28) * 24, october_25 = (31 + 28 + 31 + 30 + 31 + 30 + 31 + 31 + 30 + 24) * 24;

        set_zone("CET-1CEST,M3.5.0,M10.5.0/3");
        assert_int_equal(hour_at(march_29 + 0.99), 1);
        assert_int_equal(hour_at(march_29 + 1), 3);
        assert_int_equal(hour_at(october_25 + 0.5), 2);
        assert_int_equal(hour_at(october_25 + 1.5), 2);
        assert_int_equal(hour_at(october_25 + 2), 3);
}

static void another_time_zone_counts_at_once(void **state _unused_) {
        set_zone("UTC0");
        assert_int_equal(hour_at(12), 12);
        assert_int_equal(setenv("TZ", "JST-9", 1), 0);
        assert_int_equal(hour_at(12), 21);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(what_can_be_said_of_hours),
                cmocka_unit_test(which_hours_are_inside),
                cmocka_unit_test(the_hour_is_that_of_the_place),
                cmocka_unit_test(daylight_saving_skips_an_hour_and_repeats_one),
                cmocka_unit_test(another_time_zone_counts_at_once),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "world.h"

static void a_held_job_gives_up_its_turn_and_gets_none(void **state _unused_) {
        struct world world;
        struct job *a, *b;

        world_init(&world, 1);
        a = queue_job(&world, "a", JOB_FAMILY_DO, JOB_PRIORITY_NORMAL);
        b = queue_job(&world, "b", JOB_FAMILY_DO, JOB_PRIORITY_NORMAL);
        assert_string_equal(run(&world), "start a");
        schedule_hold(world.schedule, a, WAITING_LOGON);
        schedule_hold(world.schedule, b, WAITING_LOGON);
        assert_string_equal(run(&world), "yield a logon, wait b logon");
        assert_int_equal(a->state, JOB_QUEUED);
        assert_int_equal(a->waiting, WAITING_LOGON);
        assert_string_equal(pass(&world, USEC_PER_DAY), "");

        schedule_hold(world.schedule, b, WAITING_NONE);
        assert_string_equal(run(&world), "start b");
        schedule_hold(world.schedule, a, WAITING_NONE);
        assert_string_equal(run(&world), "wait a slot");
        world_done(&world);
}

static void foreground_jobs_are_held_too(void **state _unused_) {
        struct world world;
        struct job *a;

        world_init(&world, 1);
        a = new_job(&world, "a", JOB_FAMILY_DO, JOB_PRIORITY_FOREGROUND);
        assert_int_equal(schedule_add(world.schedule, a), 0);
        schedule_hold(world.schedule, a, WAITING_LOGON); /* before it is resumed */
        assert_string_equal(run(&world), "");
        event(&world, a, JOB_EVENT_RESUME);
        assert_string_equal(run(&world), "wait a logon");
        schedule_hold(world.schedule, a, WAITING_NONE);
        assert_string_equal(run(&world), "start a");
        world_done(&world);
}

static void a_job_that_is_released_before_it_was_told_runs_on(void **state _unused_) {
        struct world world;
        struct job *a;

        world_init(&world, 1);
        a = queue_job(&world, "a", JOB_FAMILY_DO, JOB_PRIORITY_NORMAL);
        run(&world);
        schedule_hold(world.schedule, a, WAITING_LOGON);
        schedule_hold(world.schedule, a, WAITING_NONE);
        assert_string_equal(run(&world), "");
        queue_job(&world, "b", JOB_FAMILY_DO, JOB_PRIORITY_NORMAL);
        assert_string_equal(run(&world), ""); /* the slot is still taken */
        assert_string_equal(pass(&world, SLICE), "yield a time_slice, start b");
        world_done(&world);
}

static void a_retry_of_a_held_job_ends_in_the_queue(void **state _unused_) {
        struct world world;
        struct job *a;

        world_init(&world, 1);
        a = queue_job(&world, "a", JOB_FAMILY_DO, JOB_PRIORITY_FOREGROUND);
        run(&world);
        fail_try(&world, a, ERROR_TIMED_OUT, 0);
        schedule_hold(world.schedule, a, WAITING_LOGON);
        assert_string_equal(run(&world), "");
        assert_string_equal(pass(&world, 10 * MINUTE), "retry a, wait a logon");
        schedule_hold(world.schedule, a, WAITING_NONE);
        assert_string_equal(run(&world), "start a");
        world_done(&world);
}

static void a_held_job_may_be_suspended_expired_and_removed(void **state _unused_) {
        struct world world;
        struct job *a, *b, *c;

        world_init(&world, 4);
        a = queue_job(&world, "a", JOB_FAMILY_DO, JOB_PRIORITY_NORMAL);
        b = queue_job(&world, "b", JOB_FAMILY_DO, JOB_PRIORITY_NORMAL);
        c = queue_job(&world, "c", JOB_FAMILY_DO, JOB_PRIORITY_NORMAL);
        run(&world);
        schedule_hold(world.schedule, a, WAITING_LOGON);
        schedule_hold(world.schedule, b, WAITING_LOGON);
        schedule_hold(world.schedule, c, WAITING_LOGON);
        world_remove(&world, c); /* before it was told */
        event(&world, a, JOB_EVENT_SUSPEND);
        assert_string_equal(run(&world), "yield b logon");
        event(&world, a, JOB_EVENT_RESUME);
        assert_string_equal(run(&world), "wait a logon");
        assert_string_equal(pass(&world, 30 * USEC_PER_DAY), "expire a, expire b");
        world_done(&world);
}

static void holding_and_releasing_at_random_loses_no_slot(void **state _unused_) {
        for (unsigned seed = 1; seed <= 200; seed++) {
                unsigned random = seed;
                struct world world;

                world_init(&world, 2);
                for (size_t i = 0; i < 6; i++)
                        queue_job(&world, (const char[]){ (char) ('a' + i), 0 }, JOB_FAMILY_DO, JOB_PRIORITY_NORMAL);
                for (size_t step = 0; step < 100; step++) {
                        schedule_hold(world.schedule, world.jobs[(size_t) rand_r(&random) % 6],
                                      rand_r(&random) % 2 ? WAITING_LOGON : WAITING_NONE);
                        if (rand_r(&random) % 3 == 0)
                                clock_fake_advance(&world.clock, SLICE);
                        run_in_batches(&world, 1 + (size_t) rand_r(&random) % 3);
                }
                for (size_t i = 0; i < 6; i++)
                        schedule_hold(world.schedule, world.jobs[i], WAITING_NONE);
                run(&world);
                size_t n_running = 0;
                for (size_t i = 0; i < 6; i++) {
                        n_running += world.jobs[i]->state == JOB_TRANSFERRING;
                        assert_true(world.jobs[i]->waiting != WAITING_LOGON);
                }
                assert_int_equal(n_running, 2);
                world_done(&world);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_held_job_gives_up_its_turn_and_gets_none),
                cmocka_unit_test(foreground_jobs_are_held_too),
                cmocka_unit_test(a_job_that_is_released_before_it_was_told_runs_on),
                cmocka_unit_test(a_retry_of_a_held_job_ends_in_the_queue),
                cmocka_unit_test(a_held_job_may_be_suspended_expired_and_removed),
                cmocka_unit_test(holding_and_releasing_at_random_loses_no_slot),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

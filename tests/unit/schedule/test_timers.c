#include "world.h"

static struct job *running_job(struct world *world, const char *name, enum job_family family) {
        struct job *job = queue_job(world, name, family, JOB_PRIORITY_FOREGROUND);

        run(world);
        assert_int_equal(job->state, JOB_TRANSFERRING);
        return job;
}

static void assert_between(uint64_t value, uint64_t low, uint64_t high) {
        assert_true(value >= low);
        assert_true(value <= high);
}

/* ---- retries ---- */

static void a_failed_try_comes_again_after_its_delay(void **state _unused_) {
        struct world world;
        struct job *job;
        uint64_t at;

        world_init(&world, 1);
        job = running_job(&world, "a", JOB_FAMILY_DO);
        assert_int_equal(fail_try(&world, job, ERROR_CONNECT_FAILURE, 0), SCHEDULE_RETRY_LATER);
        at = job->pace.retry_at_boottime;
        assert_between(at - boottime(&world), 48 * SEC, 72 * SEC);
        assert_int_equal(schedule_next_deadline(world.schedule), at);
        assert_string_equal(run(&world), "");
        assert_string_equal(pass(&world, at - boottime(&world) - 1), "");
        assert_string_equal(pass(&world, 1), "retry a, start a");
        assert_true(job->pace.retry_at_boottime == USEC_INFINITY);
        assert_int_equal(job->pace.attempts, 1);
        world_done(&world);
}

static void delays_grow_until_bytes_come(void **state _unused_) {
        static const uint64_t seconds[] = { 60, 120, 240, 480, 900, 900 }; /* a quarter of the hour without progress */
        struct world world;
        struct job *job;

        world_init(&world, 1);
        job = running_job(&world, "a", JOB_FAMILY_DO);
        assert_int_equal(job->no_progress_timeout_s, 3600);
        for (size_t i = 0; i < ELEMENTSOF(seconds); i++) {
                uint64_t delay;

                assert_int_equal(fail_try(&world, job, ERROR_TIMED_OUT, 0), SCHEDULE_RETRY_LATER);
                delay = job->pace.retry_at_boottime - boottime(&world);
                assert_between(delay, seconds[i] * SEC / 10 * 8, MIN(seconds[i] * SEC / 10 * 12, 900 * SEC));
                assert_int_equal(job->pace.attempts, i + 1);
                assert_string_equal(pass(&world, delay), "retry a, start a");
        }
        schedule_progressed(world.schedule, job);
        assert_int_equal(job->pace.attempts, 0);
        fail_try(&world, job, ERROR_TIMED_OUT, 0);
        assert_between(job->pace.retry_at_boottime - boottime(&world), 48 * SEC, 72 * SEC);
        world_done(&world);
}

static void the_own_minimum_delay_of_a_job_holds(void **state _unused_) {
        struct world world;
        struct job *bits, *slow, *own;

        world_init(&world, 1);
        bits = running_job(&world, "bits", JOB_FAMILY_BITS);
        fail_try(&world, bits, ERROR_TIMED_OUT, 0);
        assert_between(bits->pace.retry_at_boottime - boottime(&world), 600 * SEC, 720 * SEC);

        slow = running_job(&world, "slow", JOB_FAMILY_BITS);
        assert_int_equal(job_set_minimum_retry_delay(slow, 7200, T0), 0); /* above the ceiling */
        for (unsigned i = 0; i < 5; i++) {
                fail_try(&world, slow, ERROR_TIMED_OUT, 0);
                assert_int_equal(slow->pace.retry_at_boottime - boottime(&world), 7200 * SEC);
                event(&world, slow, JOB_EVENT_RESUME);
                run(&world);
        }

        own = running_job(&world, "own", JOB_FAMILY_DO);
        assert_int_equal(job_set_minimum_retry_delay(own, 10, T0), 0); /* set although the family has none */
        fail_try(&world, own, ERROR_TIMED_OUT, 0);
        assert_between(own->pace.retry_at_boottime - boottime(&world), 10 * SEC, 12 * SEC);
        world_done(&world);
}

static void retry_after_is_honoured_within_its_bounds(void **state _unused_) {
        struct world world;
        struct job *job;

        world_init(&world, 1);
        world.config.retry_first_do_usec = 1;
        schedule_set_config(world.schedule, &world.config);
        job = running_job(&world, "a", JOB_FAMILY_DO);
        schedule_failed(world.schedule, job, SCHEDULE_TRANSIENT, 120 * SEC);
        assert_int_equal(job->pace.retry_at_boottime - boottime(&world), 120 * SEC);
        schedule_failed(world.schedule, job, SCHEDULE_TRANSIENT, 1);
        assert_int_equal(job->pace.retry_at_boottime - boottime(&world), SEC);
        schedule_failed(world.schedule, job, SCHEDULE_TRANSIENT, 1000 * USEC_PER_DAY);
        assert_int_equal(job->pace.retry_at_boottime - boottime(&world), USEC_PER_DAY);
        world_done(&world);
}

static void jobs_that_failed_together_do_not_come_back_together(void **state _unused_) {
        struct world world;
        uint64_t first = 0;
        bool differ = false;

        world_init(&world, 1);
        for (unsigned i = 0; i < 10; i++) {
                char name[4];
                struct job *job;

                snprintf(name, sizeof(name), "j%u", i);
                job = running_job(&world, name, JOB_FAMILY_DO);
                fail_try(&world, job, ERROR_TIMED_OUT, 0);
                differ = differ || (i > 0 && job->pace.retry_at_boottime != first);
                first = job->pace.retry_at_boottime;
        }
        assert_true(differ);
        world_done(&world);
}

/* SENTENCES: state.resume.transient */
static void resume_does_not_wait_for_the_delay(void **state _unused_) {
        struct world world;
        struct job *job;

        world_init(&world, 1);
        job = running_job(&world, "a", JOB_FAMILY_BITS);
        fail_try(&world, job, ERROR_TIMED_OUT, 0);
        event(&world, job, JOB_EVENT_RESUME);
        assert_string_equal(run(&world), "start a");
        assert_string_equal(pass(&world, 3600 * SEC), ""); /* the old retry is forgotten */
        world_done(&world);
}

/* SENTENCES: state.network */
static void when_the_network_is_back_all_try_again(void **state _unused_) {
        struct world world;
        struct job *a, *b, *c;

        world_init(&world, 1);
        a = running_job(&world, "a", JOB_FAMILY_DO);
        b = running_job(&world, "b", JOB_FAMILY_BITS);
        c = running_job(&world, "c", JOB_FAMILY_BITS);
        fail_try(&world, a, ERROR_NO_NETWORK, USEC_INFINITY);
        fail_try(&world, b, ERROR_TIMED_OUT, 0);
        event(&world, c, JOB_EVENT_SUSPEND);
        assert_true(a->pace.retry_at_boottime == USEC_INFINITY);
        assert_int_equal(b->pace.attempts, 1);
        schedule_retry_now(world.schedule, a, true);
        schedule_retry_now(world.schedule, b, true);
        schedule_retry_now(world.schedule, c, true); /* does not wait for it */
        assert_string_equal(run(&world), "retry a, retry b, start a, start b");
        assert_int_equal(b->pace.attempts, 0);
        world_done(&world);
}

static void a_blocked_job_is_looked_at_again_without_growing_delays(void **state _unused_) {
        struct world world;
        struct job *job;

        world_init(&world, 1);
        job = running_job(&world, "a", JOB_FAMILY_DO);
        for (unsigned i = 0; i < 20; i++) {
                assert_int_equal(fail_try(&world, job, ERROR_NO_SPACE, 0), SCHEDULE_RETRY_LATER);
                assert_int_equal(job->waiting, WAITING_SPACE);
                assert_string_equal(pass(&world, MINUTE - 1), "");
                assert_string_equal(pass(&world, 1), "retry a, start a");
        }
        assert_int_equal(job->pace.attempts, 0);
        assert_int_equal(job->error_count, 0);
        assert_int_equal(fail_try(&world, job, ERROR_NO_SPACE, 7 * SEC), SCHEDULE_RETRY_LATER);
        assert_string_equal(pass(&world, 7 * SEC), "retry a, start a");
        world_done(&world);
}

static void a_job_that_waited_when_the_service_stopped_tries_at_once(void **state _unused_) {
        struct world world;
        struct job *job;

        world_init(&world, 1);
        job = new_job(&world, "a", JOB_FAMILY_BITS, JOB_PRIORITY_NORMAL);
        job_set_error(job, ERROR_NO_NETWORK, ERROR_CONTEXT_GENERAL_TRANSPORT, 0, 0, NULL);
        assert_int_equal(job_transition(job, JOB_EVENT_RESUME, T0), 0);
        assert_int_equal(job_transition(job, JOB_EVENT_TRANSIENT_ERROR, T0), 0);
        job->pace.attempts = 3; /* as the store kept it */
        assert_int_equal(schedule_add(world.schedule, job), 0);
        assert_string_equal(run(&world), "retry a, start a");
        fail_try(&world, job, ERROR_TIMED_OUT, 0);
        assert_int_equal(job->pace.attempts, 4); /* its delays go on growing from there */
        world_done(&world);
}

/* ---- no progress ---- */

/* SENTENCES: progress.timer state.noprogress */
static void a_job_gives_up_when_nothing_came_for_too_long(void **state _unused_) {
        struct world world;
        struct job *job;
        uint64_t began;

        world_init(&world, 1);
        job = running_job(&world, "a", JOB_FAMILY_DO);
        assert_int_equal(job_set_no_progress_timeout(job, 600, T0), 0);
        schedule_update(world.schedule, job);
        assert_string_equal(pass(&world, 3600 * SEC), ""); /* no error yet: the clock stands */
        began = boottime(&world);
        fail_try(&world, job, ERROR_TIMED_OUT, 0);
        while (boottime(&world) < began + 600 * SEC - 1) {
                uint64_t step = MIN(schedule_next_deadline(world.schedule), began + 600 * SEC - 1) - boottime(&world);

                pass(&world, step);
                assert_true(job_state_is_active(job->state));
                if (job->state == JOB_TRANSFERRING)
                        assert_int_equal(fail_try(&world, job, ERROR_TIMED_OUT, 0), SCHEDULE_RETRY_LATER);
        }
        assert_true(job->pace.attempts >= 4); /* several tries fell into the time */
        assert_string_equal(pass(&world, 1), "no_progress a");
        assert_int_equal(job->state, JOB_ERROR);
        assert_int_equal(job->error.code, ERROR_NO_PROGRESS);
        assert_string_equal(pass(&world, 3600 * SEC), "");
        world_done(&world);
}

static void a_stalled_try_runs_into_the_time_out_too(void **state _unused_) {
        struct world world;
        struct job *job;

        world_init(&world, 1);
        job = running_job(&world, "a", JOB_FAMILY_DO);
        fail_try(&world, job, ERROR_TIMED_OUT, 0);
        event(&world, job, JOB_EVENT_RESUME);
        assert_string_equal(run(&world), "start a");
        assert_string_equal(pass(&world, 3600 * SEC - 1), "");
        assert_int_equal(schedule_next_deadline(world.schedule), boottime(&world) + 1);
        assert_string_equal(pass(&world, 1), "no_progress a");
        world_done(&world);
}

/* SENTENCES: progress.timer */
static void bytes_stop_the_clock(void **state _unused_) {
        struct world world;
        struct job *job;

        world_init(&world, 1);
        job = running_job(&world, "a", JOB_FAMILY_DO);
        fail_try(&world, job, ERROR_TIMED_OUT, 0);
        event(&world, job, JOB_EVENT_RESUME);
        run(&world);
        pass(&world, 3000 * SEC);
        schedule_progressed(world.schedule, job);
        assert_string_equal(pass(&world, 100000 * SEC), "");
        fail_try(&world, job, ERROR_TIMED_OUT, 0); /* starts from nothing */
        event(&world, job, JOB_EVENT_RESUME);
        assert_string_equal(run(&world), "start a");
        assert_string_equal(pass(&world, 3599 * SEC), "");
        assert_string_equal(pass(&world, SEC), "no_progress a");
        world_done(&world);
}

static void the_clock_stands_while_the_job_could_not_try(void **state _unused_) {
        struct world world;
        struct job *job, *rival;

        world_init(&world, 1);
        job = running_job(&world, "a", JOB_FAMILY_DO);
        fail_try(&world, job, ERROR_TIMED_OUT, 0); /* 3600 s from now on */
        event(&world, job, JOB_EVENT_RESUME);
        run(&world);
        pass(&world, 1000 * SEC);
        assert_int_equal(job->state, JOB_TRANSFERRING);

        fail_try(&world, job, ERROR_NO_NETWORK, USEC_INFINITY);
        assert_string_equal(pass(&world, 100000 * SEC), "");
        schedule_retry_now(world.schedule, job, false);
        assert_string_equal(run(&world), "retry a, start a");
        assert_string_equal(pass(&world, 1000 * SEC), "");

        fail_try(&world, job, ERROR_NO_SPACE, USEC_INFINITY); /* blocked */
        assert_string_equal(pass(&world, 100000 * SEC), "");
        schedule_retry_now(world.schedule, job, false);
        assert_string_equal(run(&world), "retry a, start a");

        assert_int_equal(job_set_priority(job, JOB_PRIORITY_LOW, T0), 0); /* queued */
        assert_int_equal(job_set_no_progress_timeout(job, 3600, T0), 0);
        schedule_update(world.schedule, job);
        rival = queue_job(&world, "b", JOB_FAMILY_BITS, JOB_PRIORITY_HIGH);
        assert_string_equal(run(&world), "yield a priority, start b");
        assert_string_equal(pass(&world, 100000 * SEC), "");
        event(&world, rival, JOB_EVENT_SUSPEND);
        assert_string_equal(run(&world), "start a");

        assert_string_equal(pass(&world, 1600 * SEC - 1), ""); /* 1000 + 1000 + 1600 */
        assert_string_equal(pass(&world, 1), "no_progress a");
        world_done(&world);
}

static void a_sleeping_machine_is_not_blamed(void **state _unused_) {
        struct world world;
        struct job *job;

        world_init(&world, 1);
        job = running_job(&world, "a", JOB_FAMILY_DO);
        fail_try(&world, job, ERROR_TIMED_OUT, 0);
        event(&world, job, JOB_EVENT_RESUME);
        run(&world);
        /* Ten hours of sleep: all but CLOCK_MONOTONIC go on. */
        world.clock.now[CLOCK_ID_BOOTTIME] += 10 * USEC_PER_HOUR;
        world.clock.now[CLOCK_ID_REALTIME] += 10 * USEC_PER_HOUR;
        assert_string_equal(run(&world), "");
        assert_string_equal(pass(&world, 3600 * SEC), "no_progress a");
        world_done(&world);
}

/* SENTENCES: progress.clock */
static void turning_the_wall_clock_changes_no_time_out(void **state _unused_) {
        struct world world;
        struct job *job;

        world_init(&world, 1);
        job = running_job(&world, "a", JOB_FAMILY_BITS);
        fail_try(&world, job, ERROR_TIMED_OUT, 0);
        clock_fake_set_realtime(&world.clock, T0 + 10 * USEC_PER_HOUR);
        assert_string_equal(run(&world), "");
        clock_fake_set_realtime(&world.clock, T0 - 3650 * USEC_PER_DAY);
        assert_string_equal(run(&world), "");
        assert_string_equal(pass(&world, 720 * SEC), "retry a, start a");
        world_done(&world);
}

/* SENTENCES: progress.zero */
static void some_jobs_give_up_at_the_first_error(void **state _unused_) {
        struct world world;
        struct job *zero, *longer, *equal;

        world_init(&world, 1);
        zero = running_job(&world, "zero", JOB_FAMILY_DO);
        assert_int_equal(job_set_no_progress_timeout(zero, 0, T0), 0);
        assert_int_equal(fail_try(&world, zero, ERROR_TIMED_OUT, 0), SCHEDULE_GIVE_UP);
        assert_int_equal(zero->state, JOB_ERROR);

        longer = running_job(&world, "longer", JOB_FAMILY_BITS);
        assert_int_equal(job_set_no_progress_timeout(longer, 599, T0), 0);
        assert_int_equal(fail_try(&world, longer, ERROR_TIMED_OUT, 0), SCHEDULE_GIVE_UP);

        equal = running_job(&world, "equal", JOB_FAMILY_BITS);
        assert_int_equal(job_set_no_progress_timeout(equal, 600, T0), 0);
        assert_int_equal(fail_try(&world, equal, ERROR_TIMED_OUT, 0), SCHEDULE_RETRY_LATER);

        /* What blocks is no error. */
        event(&world, zero, JOB_EVENT_RESUME);
        run(&world);
        assert_int_equal(fail_try(&world, zero, ERROR_NO_NETWORK, 0), SCHEDULE_RETRY_LATER);
        assert_int_equal(zero->state, JOB_TRANSIENT_ERROR);
        world_done(&world);
}

/* SENTENCES: retry.past */
static void a_failure_past_the_time_out_is_the_last(void **state _unused_) {
        struct world world;
        struct job *job;

        world_init(&world, 1);
        job = running_job(&world, "a", JOB_FAMILY_DO);
        fail_try(&world, job, ERROR_TIMED_OUT, 0);
        event(&world, job, JOB_EVENT_RESUME);
        run(&world);
        clock_fake_advance(&world.clock, 3600 * SEC); /* the try fails before the scheduler was asked */
        assert_int_equal(fail_try(&world, job, ERROR_TIMED_OUT, 0), SCHEDULE_GIVE_UP);
        assert_string_equal(run(&world), "");
        world_done(&world);
}

/* SENTENCES: state.setters */
static void a_shorter_time_out_counts_at_once(void **state _unused_) {
        struct world world;
        struct job *job;

        world_init(&world, 1);
        job = running_job(&world, "a", JOB_FAMILY_DO);
        fail_try(&world, job, ERROR_TIMED_OUT, 0);
        event(&world, job, JOB_EVENT_RESUME);
        run(&world);
        pass(&world, 1000 * SEC);
        assert_int_equal(job_set_no_progress_timeout(job, 900, T0), 0);
        schedule_update(world.schedule, job);
        assert_string_equal(run(&world), "no_progress a");
        world_done(&world);
}

/* ---- ends of life ---- */

/* SENTENCES: life.do */
static void a_do_job_lives_thirty_days_whatever_happens(void **state _unused_) {
        struct world world;
        struct job *job;

        world_init(&world, 1);
        job = new_job(&world, "a", JOB_FAMILY_DO, JOB_PRIORITY_NORMAL);
        assert_int_equal(schedule_add(world.schedule, job), 0);
        pass(&world, 20 * USEC_PER_DAY);
        assert_int_equal(job_set_name(job, "b", world_now(&world)), 0);
        schedule_progressed(world.schedule, job);
        schedule_update(world.schedule, job);
        assert_string_equal(pass(&world, 10 * USEC_PER_DAY - 1), "");
        assert_int_equal(schedule_next_deadline(world.schedule), boottime(&world) + 1);
        assert_string_equal(pass(&world, 1), "expire b");
        assert_int_equal(job->state, JOB_CANCELLED);
        assert_string_equal(pass(&world, USEC_PER_DAY), "");
        world_done(&world);
}

/* SENTENCES: life.bits */
static void a_bits_job_lives_ninety_days_without_activity(void **state _unused_) {
        struct world world;
        struct job *job;

        world_init(&world, 1);
        job = queue_job(&world, "a", JOB_FAMILY_BITS, JOB_PRIORITY_NORMAL);
        assert_int_equal(job_set_max_download_time(job, UINT32_MAX, world_now(&world)), 0);
        run(&world);
        pass(&world, 80 * USEC_PER_DAY);
        schedule_progressed(world.schedule, job);
        assert_string_equal(pass(&world, 80 * USEC_PER_DAY), "");
        assert_int_equal(job_set_priority(job, JOB_PRIORITY_LOW, world_now(&world)), 0);
        schedule_update(world.schedule, job);
        assert_string_equal(pass(&world, 90 * USEC_PER_DAY - 1), "");
        assert_string_equal(pass(&world, 1), "expire a");
        world_done(&world);
}

/* SENTENCES: state.expiry */
static void a_finished_job_that_nobody_takes_expires_too(void **state _unused_) {
        struct world world;
        struct job *job;

        world_init(&world, 1);
        job = queue_job(&world, "a", JOB_FAMILY_DO, JOB_PRIORITY_NORMAL);
        run(&world);
        event(&world, job, JOB_EVENT_ALL_TRANSFERRED);
        assert_string_equal(pass(&world, 30 * USEC_PER_DAY), "expire a");
        world_done(&world);
}

static void a_job_that_is_being_completed_does_not_expire(void **state _unused_) {
        struct world world;
        struct job *job;

        world_init(&world, 1);
        job = queue_job(&world, "a", JOB_FAMILY_DO, JOB_PRIORITY_NORMAL);
        run(&world);
        job->intent = JOB_INTENT_COMPLETE;
        schedule_update(world.schedule, job);
        assert_string_equal(pass(&world, 40 * USEC_PER_DAY), "");
        job->intent = JOB_INTENT_NONE; /* could not be carried out */
        schedule_update(world.schedule, job);
        assert_string_equal(run(&world), "expire a");
        world_done(&world);
}

static void a_jump_forward_expires_nothing_before_a_day_confirms_it(void **state _unused_) {
        struct world world;
        struct job *job;

        world_init(&world, 1);
        job = new_job(&world, "a", JOB_FAMILY_DO, JOB_PRIORITY_NORMAL);
        assert_int_equal(schedule_add(world.schedule, job), 0);
        pass(&world, USEC_PER_DAY);
        clock_fake_set_realtime(&world.clock, T0 + 365 * USEC_PER_DAY);
        assert_string_equal(run(&world), "");
        assert_int_equal(schedule_next_deadline(world.schedule), boottime(&world) + USEC_PER_DAY);
        assert_string_equal(pass(&world, USEC_PER_DAY - 1), "");
        assert_string_equal(pass(&world, 1), "expire a");
        world_done(&world);
}

static void a_jump_that_is_mended_does_no_harm(void **state _unused_) {
        struct world world;
        struct job *job;

        world_init(&world, 1);
        job = new_job(&world, "a", JOB_FAMILY_DO, JOB_PRIORITY_NORMAL);
        assert_int_equal(schedule_add(world.schedule, job), 0);
        clock_fake_set_realtime(&world.clock, T0 + 365 * USEC_PER_DAY);
        assert_string_equal(pass(&world, USEC_PER_HOUR), "");
        clock_fake_set_realtime(&world.clock, T0 + USEC_PER_HOUR); /* NTP answered */
        assert_string_equal(pass(&world, 29 * USEC_PER_DAY), "");
        assert_string_equal(pass(&world, USEC_PER_DAY), "expire a");
        world_done(&world);
}

static void a_jump_back_expires_nothing(void **state _unused_) {
        struct world world;
        struct job *job;

        world_init(&world, 1);
        job = new_job(&world, "a", JOB_FAMILY_DO, JOB_PRIORITY_NORMAL);
        assert_int_equal(schedule_add(world.schedule, job), 0);
        pass(&world, 29 * USEC_PER_DAY);
        clock_fake_set_realtime(&world.clock, 1000); /* 1970: an empty battery */
        assert_string_equal(pass(&world, 10 * USEC_PER_DAY), "");
        clock_fake_set_realtime(&world.clock, T0 + 39 * USEC_PER_DAY); /* right again: a jump, too */
        assert_string_equal(run(&world), "");
        assert_string_equal(pass(&world, USEC_PER_DAY), "expire a");
        world_done(&world);
}

static void only_running_time_confirms_a_jump(void **state _unused_) {
        struct world world;
        struct job *job;

        world_init(&world, 1);
        job = new_job(&world, "a", JOB_FAMILY_DO, JOB_PRIORITY_NORMAL);
        assert_int_equal(schedule_add(world.schedule, job), 0);
        clock_fake_set_realtime(&world.clock, T0 + 365 * USEC_PER_DAY);
        run(&world);
        world.clock.now[CLOCK_ID_BOOTTIME] += 30 * USEC_PER_DAY; /* asleep */
        world.clock.now[CLOCK_ID_REALTIME] += 30 * USEC_PER_DAY;
        assert_string_equal(run(&world), "");
        assert_string_equal(pass(&world, USEC_PER_DAY), "expire a");
        world_done(&world);
}

static void sleep(struct world *world, uint64_t usec) {
        world->clock.now[CLOCK_ID_BOOTTIME] += usec;
        world->clock.now[CLOCK_ID_REALTIME] += usec;
}

static void a_life_that_ends_while_the_machine_sleeps_gets_a_day_awake(void **state _unused_) {
        struct world world;
        struct job *job;

        world_init(&world, 1);
        job = new_job(&world, "a", JOB_FAMILY_DO, JOB_PRIORITY_NORMAL);
        assert_int_equal(schedule_add(world.schedule, job), 0);
        assert_string_equal(pass(&world, 29 * USEC_PER_DAY), "");
        sleep(&world, 2 * USEC_PER_DAY);
        assert_string_equal(run(&world), "");
        assert_string_equal(pass(&world, 16 * USEC_PER_HOUR), "");
        sleep(&world, 8 * USEC_PER_HOUR); /* and every other night */
        assert_string_equal(run(&world), "");
        assert_string_equal(pass(&world, 8 * USEC_PER_HOUR - 1), "");
        assert_string_equal(pass(&world, 1), "expire a");
        world_done(&world);
}

static void sleep_and_slewing_are_no_jumps(void **state _unused_) {
        struct world world;
        struct job *job;

        world_init(&world, 1);
        job = new_job(&world, "a", JOB_FAMILY_DO, JOB_PRIORITY_NORMAL);
        assert_int_equal(schedule_add(world.schedule, job), 0);
        for (unsigned day = 0; day < 29; day++) {
                world.clock.now[CLOCK_ID_REALTIME] += 43 * SEC; /* 500 ppm */
                assert_string_equal(pass(&world, USEC_PER_DAY), "");
        }
        sleep(&world, 12 * USEC_PER_HOUR); /* ends before its end */
        assert_string_equal(run(&world), "");
        assert_string_equal(pass(&world, 12 * USEC_PER_HOUR), "expire a");
        world_done(&world);
}

static void a_job_that_is_over_age_when_it_is_loaded_waits_a_day(void **state _unused_) {
        struct world world;
        struct job *job;

        world_init(&world, 1);
        job = new_job(&world, "a", JOB_FAMILY_DO, JOB_PRIORITY_NORMAL);
        job->created_usec = T0 - 40 * USEC_PER_DAY; /* was the machine off, or is its clock wrong? */
        assert_int_equal(schedule_add(world.schedule, job), 0);
        assert_string_equal(run(&world), "");
        assert_string_equal(pass(&world, USEC_PER_DAY - 1), "");
        assert_string_equal(pass(&world, 1), "expire a");
        world_done(&world);
}

static void an_end_of_life_that_cannot_be_carried_out_is_told_once(void **state _unused_) {
        struct schedule_decision decision;
        struct world world;
        struct job *job;

        world_init(&world, 1);
        job = new_job(&world, "a", JOB_FAMILY_DO, JOB_PRIORITY_NORMAL);
        assert_int_equal(schedule_add(world.schedule, job), 0);
        clock_fake_advance(&world.clock, 30 * USEC_PER_DAY);
        assert_int_equal(schedule_decide(world.schedule, &decision, 1), 1);
        assert_int_equal(decision.action, SCHEDULE_EXPIRE);
        schedule_update(world.schedule, job);
        assert_int_equal(schedule_decide(world.schedule, &decision, 1), 0);
        assert_true(schedule_next_deadline(world.schedule) == USEC_INFINITY);
        world_done(&world);
}

static void a_job_without_life_time_lives_for_ever(void **state _unused_) {
        struct world world;
        struct job *job;

        world_init(&world, 1);
        job = new_job(&world, "a", JOB_FAMILY_DO, JOB_PRIORITY_NORMAL);
        job->life_time_usec = USEC_INFINITY;
        assert_int_equal(schedule_add(world.schedule, job), 0);
        assert_true(schedule_next_deadline(world.schedule) == USEC_INFINITY);
        assert_string_equal(pass(&world, 10000 * USEC_PER_DAY), "");
        world_done(&world);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_failed_try_comes_again_after_its_delay),
                cmocka_unit_test(delays_grow_until_bytes_come),
                cmocka_unit_test(the_own_minimum_delay_of_a_job_holds),
                cmocka_unit_test(retry_after_is_honoured_within_its_bounds),
                cmocka_unit_test(jobs_that_failed_together_do_not_come_back_together),
                cmocka_unit_test(resume_does_not_wait_for_the_delay),
                cmocka_unit_test(when_the_network_is_back_all_try_again),
                cmocka_unit_test(a_blocked_job_is_looked_at_again_without_growing_delays),
                cmocka_unit_test(a_job_that_waited_when_the_service_stopped_tries_at_once),
                cmocka_unit_test(a_job_gives_up_when_nothing_came_for_too_long),
                cmocka_unit_test(a_stalled_try_runs_into_the_time_out_too),
                cmocka_unit_test(bytes_stop_the_clock),
                cmocka_unit_test(the_clock_stands_while_the_job_could_not_try),
                cmocka_unit_test(a_sleeping_machine_is_not_blamed),
                cmocka_unit_test(turning_the_wall_clock_changes_no_time_out),
                cmocka_unit_test(some_jobs_give_up_at_the_first_error),
                cmocka_unit_test(a_failure_past_the_time_out_is_the_last),
                cmocka_unit_test(a_shorter_time_out_counts_at_once),
                cmocka_unit_test(a_do_job_lives_thirty_days_whatever_happens),
                cmocka_unit_test(a_bits_job_lives_ninety_days_without_activity),
                cmocka_unit_test(a_finished_job_that_nobody_takes_expires_too),
                cmocka_unit_test(a_job_that_is_being_completed_does_not_expire),
                cmocka_unit_test(a_jump_forward_expires_nothing_before_a_day_confirms_it),
                cmocka_unit_test(a_jump_that_is_mended_does_no_harm),
                cmocka_unit_test(a_jump_back_expires_nothing),
                cmocka_unit_test(only_running_time_confirms_a_jump),
                cmocka_unit_test(a_life_that_ends_while_the_machine_sleeps_gets_a_day_awake),
                cmocka_unit_test(sleep_and_slewing_are_no_jumps),
                cmocka_unit_test(a_job_that_is_over_age_when_it_is_loaded_waits_a_day),
                cmocka_unit_test(an_end_of_life_that_cannot_be_carried_out_is_told_once),
                cmocka_unit_test(a_job_without_life_time_lives_for_ever),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

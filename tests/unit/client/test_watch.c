/* dosvc_watch(): what it shows, when it ends, and that it outlives the service. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/strings.h"
#include "client/public.h"
#include "fake_service.h"

#define SHOWN_MAX 64

struct fixture {
        struct fake_service *fake;
        dosvc *c;
        const char *id; /* what is watched; NULL: all */
        int timeout_msec;
        int32_t result;
        pthread_t thread;
        pthread_mutex_t lock;
        pthread_cond_t more;
        unsigned n;                /* calls of the function */
        char shown[SHOWN_MAX][64]; /* "name state" */
        uint64_t bytes;
        unsigned end_after; /* that many calls: 0 never */
};

static int set_up(void **state) {
        struct fixture *f = calloc(1, sizeof(*f));

        pthread_mutex_init(&f->lock, NULL);
        pthread_cond_init(&f->more, NULL);
        f->fake = fake_service_new();
        f->timeout_msec = -1;
        assert_int_equal(dosvc_open(0, &f->c), 0);
        *state = f;
        return 0;
}

static int tear_down(void **state) {
        struct fixture *f = *state;

        dosvc_close(f->c);
        fake_service_free(f->fake);
        free(f);
        return 0;
}

static int show(const dosvc_job_info *job, void *userdata) {
        struct fixture *f = userdata;
        unsigned n;

        pthread_mutex_lock(&f->lock);
        if (f->n < SHOWN_MAX)
                snprintf(f->shown[f->n], sizeof(f->shown[0]), "%.30s %s", job->name, job->state);
        f->bytes = job->bytes_transferred;
        n = ++f->n;
        pthread_cond_broadcast(&f->more);
        pthread_mutex_unlock(&f->lock);
        return n == f->end_after ? 77 : 0;
}

static void *watch(void *arg) {
        struct fixture *f = arg;

        f->result = dosvc_watch(f->c, f->id, f->timeout_msec, show, f);
        return NULL;
}

static void start(struct fixture *f) {
        assert_int_equal(pthread_create(&f->thread, NULL, watch, f), 0);
}

static void wait_shown(struct fixture *f, unsigned n) {
        struct timespec until;

        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_sec += 10;
        pthread_mutex_lock(&f->lock);
        while (f->n < n)
                assert_int_equal(pthread_cond_timedwait(&f->more, &f->lock, &until), 0);
        pthread_mutex_unlock(&f->lock);
}

static void it_shows_the_job_at_once_and_at_every_change_until_its_end(void **state) {
        struct fixture *f = *state;

        f->id = fake_service_add_job(f->fake, "do", "queued", 1);
        start(f);
        wait_shown(f, 1);
        fake_service_set_state(f->fake, f->id, "transferring");
        wait_shown(f, 2);
        fake_service_set_state(f->fake, f->id, "acknowledged");
        pthread_join(f->thread, NULL);
        assert_int_equal(f->result, 0);
        assert_int_equal(f->n, 3);
        assert_string_equal(f->shown[0], "job 1 queued");
        assert_string_equal(f->shown[1], "job 1 transferring");
        assert_string_equal(f->shown[2], "job 1 acknowledged");
        fake_service_wait_for(f->fake, "Unsubscribe", 1);
}

static void a_job_that_ended_before_is_shown_once(void **state) {
        struct fixture *f = *state;

        f->id = fake_service_add_job(f->fake, "do", "cancelled", 1);
        assert_int_equal(dosvc_watch(f->c, f->id, -1, show, f), 0);
        assert_int_equal(f->n, 1);
}

static void the_functions_value_ends_it(void **state) {
        struct fixture *f = *state;

        f->id = fake_service_add_job(f->fake, "do", "queued", 1);
        f->end_after = 1;
        assert_int_equal(dosvc_watch(f->c, f->id, -1, show, f), 77);
}

static void it_ends_when_nothing_changes_for_too_long(void **state) {
        struct fixture *f = *state;

        f->id = fake_service_add_job(f->fake, "do", "queued", 1);
        assert_int_equal(dosvc_watch(f->c, f->id, 30, show, f), 1);
        assert_int_equal(dosvc_watch(f->c, f->id, 0, show, f), 1);
        assert_int_equal(f->n, 2);
}

static void an_unknown_job_is_an_error(void **state) {
        struct fixture *f = *state;

        assert_int_equal((uint32_t) dosvc_watch(f->c, "0fffffff-aaaa-bbbb-cccc-dddddddddddd", -1, show, f), 0x80D02003);
        assert_string_equal(dosvc_last_error(f->c)->name, "NotFound");
        assert_int_equal(f->n, 0);
}

static void an_interrupt_ends_the_one_that_runs_or_the_next_one(void **state) {
        struct fixture *f = *state;

        f->id = fake_service_add_job(f->fake, "do", "queued", 1);
        start(f);
        wait_shown(f, 1);
        dosvc_interrupt(f->c);
        pthread_join(f->thread, NULL);
        assert_int_equal((uint32_t) f->result, 0x80004004);
        dosvc_interrupt(f->c);
        assert_int_equal((uint32_t) dosvc_watch(f->c, f->id, -1, show, f), 0x80004004);
        assert_int_equal(dosvc_watch(f->c, f->id, 0, show, f), 1);
}

static uint64_t now_msec(void) {
        return clock_now(&clock_system, CLOCK_ID_MONOTONIC) / USEC_PER_MSEC;
}

static void progress_is_held_back_but_a_state_is_not(void **state) {
        struct fixture *f = *state;
        uint64_t begin;

        f->id = fake_service_add_job(f->fake, "do", "transferring", 1);
        start(f);
        wait_shown(f, 1);
        begin = now_msec();
        for (unsigned i = 1; i <= 300; i++)
                fake_service_set_progress(f->fake, f->id, i);
        fake_service_set_state(f->fake, f->id, "transferred");
        for (;;) {
                pthread_mutex_lock(&f->lock);
                if (strstr(f->shown[f->n - 1], "transferred")) {
                        pthread_mutex_unlock(&f->lock);
                        break;
                }
                pthread_cond_wait(&f->more, &f->lock);
                pthread_mutex_unlock(&f->lock);
        }
        /* At most ten a second, the first one, the state, and one that was on its way. */
        assert_in_range(f->n, 2, 3 + (now_msec() - begin) / 100 + 1);
        assert_int_equal(f->bytes, 300);
        /* A last bit of progress is shown too, though late. */
        fake_service_set_progress(f->fake, f->id, 301);
        wait_shown(f, f->n + 1);
        assert_int_equal(f->bytes, 301);
        dosvc_interrupt(f->c);
        pthread_join(f->thread, NULL);
}

static void it_goes_on_when_the_service_comes_back(void **state) {
        struct fixture *f = *state;

        f->id = fake_service_add_job(f->fake, "do", "transferring", 1);
        start(f);
        wait_shown(f, 1);
        fake_service_stop(f->fake);
        fake_service_start(f->fake);
        wait_shown(f, 2); /* looks again by itself */
        fake_service_wait_for(f->fake, "Subscribe", 2);
        fake_service_set_state(f->fake, f->id, "acknowledged");
        pthread_join(f->thread, NULL);
        assert_int_equal(f->result, 0);
        assert_string_equal(f->shown[f->n - 1], "job 1 acknowledged");
}

static void an_end_that_fell_into_the_restart_is_found_in_the_history(void **state) {
        struct fixture *f = *state;

        f->id = fake_service_add_job(f->fake, "do", "transferring", 1);
        start(f);
        wait_shown(f, 1);
        fake_service_stop(f->fake);
        fake_service_set_state(f->fake, f->id, "acknowledged");
        fake_service_hide_job(f->fake, f->id);
        fake_service_start(f->fake);
        pthread_join(f->thread, NULL);
        assert_int_equal(f->result, 0);
        assert_string_equal(f->shown[f->n - 1], "job 1 acknowledged");
}

static void an_interrupt_ends_waiting_for_a_service_that_is_away(void **state) {
        struct fixture *f = *state;

        f->id = fake_service_add_job(f->fake, "do", "transferring", 1);
        start(f);
        wait_shown(f, 1);
        fake_service_stop(f->fake);
        dosvc_interrupt(f->c);
        pthread_join(f->thread, NULL);
        assert_int_equal((uint32_t) f->result, 0x80004004);
}

static void all_jobs_are_watched_at_once(void **state) {
        struct fixture *f = *state;
        const char *first = fake_service_add_job(f->fake, "do", "queued", 1);
        const char *second = fake_service_add_job(f->fake, "bits", "queued", 1), *third;

        start(f);
        wait_shown(f, 2);
        assert_string_equal(f->shown[0], "job 1 queued");
        assert_string_equal(f->shown[1], "job 2 queued");
        fake_service_set_state(f->fake, second, "cancelled");
        wait_shown(f, 3);
        assert_string_equal(f->shown[2], "job 2 cancelled");
        third = fake_service_add_job(f->fake, "do", "queued", 1);
        fake_service_set_state(f->fake, third, "transferring");
        wait_shown(f, 4);
        assert_string_equal(f->shown[3], "job 3 transferring");
        /* The end of one that falls into a restart is shown after it. */
        fake_service_stop(f->fake);
        fake_service_set_state(f->fake, first, "acknowledged");
        fake_service_start(f->fake);
        wait_shown(f, 6);
        assert_string_equal(f->shown[4], "job 3 transferring");
        assert_string_equal(f->shown[5], "job 1 acknowledged");
        dosvc_interrupt(f->c);
        pthread_join(f->thread, NULL);
        assert_int_equal((uint32_t) f->result, 0x80004004);
}

static int look_again(const dosvc_job_info *job, void *userdata) {
        struct fixture *f = userdata;

        /* Calls of all kinds, from inside. */
        assert_int_equal(dosvc_get_job(f->c, job->id, show, f), 0);
        assert_int_equal(dosvc_suspend(f->c, job->id), 0);
        return 3;
}

static void the_function_may_call_anything(void **state) {
        struct fixture *f = *state;

        f->id = fake_service_add_job(f->fake, "do", "queued", 1);
        assert_int_equal(dosvc_watch(f->c, f->id, -1, look_again, f), 3);
        assert_int_equal(f->n, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(it_shows_the_job_at_once_and_at_every_change_until_its_end),
                TEST(a_job_that_ended_before_is_shown_once),
                TEST(the_functions_value_ends_it),
                TEST(it_ends_when_nothing_changes_for_too_long),
                TEST(an_unknown_job_is_an_error),
                TEST(an_interrupt_ends_the_one_that_runs_or_the_next_one),
                TEST(progress_is_held_back_but_a_state_is_not),
                TEST(it_goes_on_when_the_service_comes_back),
                TEST(an_end_that_fell_into_the_restart_is_found_in_the_history),
                TEST(an_interrupt_ends_waiting_for_a_service_that_is_away),
                TEST(all_jobs_are_watched_at_once),
                TEST(the_function_may_call_anything),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

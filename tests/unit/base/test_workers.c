#include "../unit.h"

#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>

#include "base/workers.h"

struct item {
        struct work work;
        int number;
        sem_t *started; /* posted when it runs */
        sem_t *gate;    /* it hangs until this is posted */
        pthread_t ran_on;
        bool done;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int ran[256], finished[256];
static size_t n_ran, n_finished;
static atomic_int running, most_running;

static void item_run(struct work *work) {
        struct item *item = CONTAINER_OF(work, struct item, work);
        int now = atomic_fetch_add(&running, 1) + 1, most = atomic_load(&most_running);

        while (now > most && !atomic_compare_exchange_weak(&most_running, &most, now))
                ;
        pthread_mutex_lock(&lock);
        ran[n_ran++] = item->number;
        pthread_mutex_unlock(&lock);
        item->ran_on = pthread_self();
        if (item->started)
                sem_post(item->started);
        if (item->gate)
                sem_wait(item->gate);
        atomic_fetch_sub(&running, 1);
}

static void item_done(struct work *work) {
        struct item *item = CONTAINER_OF(work, struct item, work);

        item->done = true;
        finished[n_finished++] = item->number;
}

static int reset(void **state _unused_) {
        n_ran = n_finished = 0;
        atomic_store(&running, 0);
        atomic_store(&most_running, 0);
        return 0;
}

static struct item make(int number, const void *lane) {
        return (struct item) { .work = { .run = item_run, .done = item_done, .lane = lane }, .number = number };
}

static void wait_for(struct workers *workers, const bool *done) {
        while (!*done)
                assert_true(workers_wait(workers) > 0);
}

/* A work that hangs until it is released. */
struct hanging {
        struct item item;
        sem_t started, gate;
};

static void hanging_begin(struct hanging *hanging, struct workers *workers, struct item item) {
        hanging->item = item;
        sem_init(&hanging->started, 0, 0);
        sem_init(&hanging->gate, 0, 0);
        hanging->item.started = &hanging->started;
        hanging->item.gate = &hanging->gate;
        workers_submit(workers, &hanging->item.work);
        sem_wait(&hanging->started);
}

static void hanging_done(struct hanging *hanging) {
        sem_destroy(&hanging->started);
        sem_destroy(&hanging->gate);
}

static void work_runs_on_a_thread_and_is_done_on_the_loop(void **state _unused_) {
        struct item item = make(1, NULL);
        struct workers *workers;
        struct pollfd pollfd;

        assert_int_equal(workers_new(2, &workers), 0);
        assert_int_equal(workers_dispatch(workers), 0);
        workers_submit(workers, &item.work);
        assert_int_equal(workers_outstanding(workers), 1);
        pollfd = (struct pollfd) { .fd = workers_fd(workers), .events = POLLIN };
        assert_int_equal(poll(&pollfd, 1, 10000), 1);
        assert_false(item.done); /* not before somebody dispatches */
        assert_int_equal(workers_dispatch(workers), 1);
        assert_true(item.done);
        assert_false(pthread_equal(item.ran_on, pthread_self()));
        assert_int_equal(workers_outstanding(workers), 0);
        assert_int_equal(poll(&pollfd, 1, 0), 0); /* the event was taken */
        assert_int_equal(workers_wait(workers), 0);
        assert_null(workers_free(workers, USEC_INFINITY));
}

static void one_lane_keeps_its_order_and_runs_one_at_a_time(void **state _unused_) {
        struct workers *workers;
        struct item items[100];

        assert_int_equal(workers_new(8, &workers), 0);
        for (int i = 0; i < 100; i++) {
                items[i] = make(i, "lane");
                workers_submit(workers, &items[i].work);
        }
        wait_for(workers, &items[99].done);
        assert_int_equal(n_finished, 100);
        for (int i = 0; i < 100; i++) {
                assert_int_equal(ran[i], i);
                assert_int_equal(finished[i], i);
        }
        assert_int_equal(atomic_load(&most_running), 1);
        workers_free(workers, USEC_INFINITY);
}

static void a_stuck_lane_does_not_hold_up_others(void **state _unused_) {
        struct hanging stuck;
        struct item behind[50], others[50];
        struct workers *workers;

        assert_int_equal(workers_new(2, &workers), 0); /* one may hang, one is left */
        hanging_begin(&stuck, workers, make(-1, "stuck"));
        for (int i = 0; i < 50; i++) {
                behind[i] = make(100 + i, "stuck");
                others[i] = make(i, i % 2 ? "other" : NULL);
                workers_submit(workers, &behind[i].work);
                workers_submit(workers, &others[i].work);
        }
        for (int i = 0; i < 50; i++)
                wait_for(workers, &others[i].done);
        assert_false(stuck.item.done);
        for (int i = 0; i < 50; i++)
                assert_false(behind[i].done);
        assert_int_equal(workers_outstanding(workers), 51);

        sem_post(&stuck.gate); /* the file system is back */
        wait_for(workers, &behind[49].done);
        assert_true(stuck.item.done);
        assert_int_equal(workers_outstanding(workers), 0);
        workers_free(workers, USEC_INFINITY);
        hanging_done(&stuck);
}

static void as_many_run_at_once_as_there_are_threads(void **state _unused_) {
        sem_t started, gate;
        struct workers *workers;
        struct item items[6];

        sem_init(&started, 0, 0);
        sem_init(&gate, 0, 0);
        assert_int_equal(workers_new(3, &workers), 0);
        for (int i = 0; i < 6; i++) {
                items[i] = make(i, &items[i]); /* each its own lane */
                items[i].started = &started;
                items[i].gate = &gate;
                workers_submit(workers, &items[i].work);
        }
        for (int i = 0; i < 3; i++)
                sem_wait(&started);
        assert_int_equal(sem_trywait(&started), -1); /* the fourth waits for a thread */
        for (int i = 0; i < 6; i++)
                sem_post(&gate);
        for (int i = 0; i < 6; i++)
                wait_for(workers, &items[i].done);
        assert_int_equal(atomic_load(&most_running), 3);
        workers_free(workers, USEC_INFINITY);
        sem_destroy(&started);
        sem_destroy(&gate);
}

static struct workers *again_workers;
static int again_left;

static void submit_again(struct work *work) {
        item_done(work);
        if (again_left-- > 0)
                workers_submit(again_workers, work);
}

static void done_may_submit_the_same_work_again(void **state _unused_) {
        struct item item = make(5, "lane");

        item.work.done = submit_again;
        again_left = 3;
        assert_int_equal(workers_new(2, &again_workers), 0);
        workers_submit(again_workers, &item.work);
        while (workers_wait(again_workers) > 0)
                ;
        assert_int_equal(n_finished, 4);
        workers_free(again_workers, USEC_INFINITY);
}

static void freeing_calls_done_for_nothing(void **state _unused_) {
        sem_t started, gate;
        struct item running_one = make(1, "lane"), waiting_one = make(2, "lane");
        struct workers *workers;

        sem_init(&started, 0, 0);
        sem_init(&gate, 0, 0);
        running_one.started = &started;
        running_one.gate = &gate;
        assert_int_equal(workers_new(1, &workers), 0);
        workers_submit(workers, &running_one.work);
        workers_submit(workers, &waiting_one.work);
        sem_wait(&started);
        sem_post(&gate);
        workers_free(workers, USEC_INFINITY);
        assert_int_equal(n_finished, 0);
        assert_true(n_ran >= 1);
        sem_destroy(&started);
        sem_destroy(&gate);
        assert_null(workers_free(NULL, USEC_INFINITY));
}

static void freeing_leaves_what_does_not_come_back(void **state _unused_) {
        sem_t started, gate;
        struct item stuck = make(-1, "stuck"), behind = make(1, "stuck");
        struct workers *workers;

        sem_init(&started, 0, 0);
        sem_init(&gate, 0, 0);
        stuck.started = &started;
        stuck.gate = &gate;
        assert_int_equal(workers_new(2, &workers), 0);
        workers_submit(workers, &stuck.work);
        workers_submit(workers, &behind.work);
        sem_wait(&started);
        assert_ptr_equal(workers_free(workers, 0), workers);
        assert_ptr_equal(workers_free(workers, USEC_PER_MSEC), workers);
        sem_post(&gate);
        assert_null(workers_free(workers, USEC_PER_MINUTE));
        assert_int_equal(n_ran, 1); /* what had not begun does not begin any more */
        assert_false(stuck.done);
        assert_false(behind.done);
        sem_destroy(&started);
        sem_destroy(&gate);
}

/* ---- idle works ---- */

static struct item make_idle(int number, const void *lane) {
        struct item item = make(number, lane);

        item.work.idle = true;
        return item;
}

static int policy_of_idle, policy_of_others;

static void note_policy(struct work *work) {
        *(work->idle ? &policy_of_idle : &policy_of_others) = sched_getscheduler(0);
        item_run(work);
}

static void idle_works_have_a_thread_that_others_do_not_use(void **state _unused_) {
        struct item idle = make_idle(1, "lane"), other = make(2, "other lane");
        struct workers *workers;

        idle.work.run = other.work.run = note_policy;
        assert_int_equal(workers_new(1, &workers), 0);
        workers_submit(workers, &idle.work);
        wait_for(workers, &idle.done); /* its thread has nothing to do now */
        workers_submit(workers, &other.work);
        wait_for(workers, &other.done);
        assert_int_equal(policy_of_idle, SCHED_IDLE);
        assert_int_equal(policy_of_others, sched_getscheduler(0));
        assert_false(pthread_equal(idle.ran_on, other.ran_on));
        assert_null(workers_free(workers, USEC_INFINITY));
}

static void idle_works_run_one_at_a_time(void **state _unused_) {
        static const char *const lanes[] = { "a", "b", NULL };
        struct workers *workers;
        struct item items[30];

        assert_int_equal(workers_new(4, &workers), 0);
        for (int i = 0; i < 30; i++) {
                items[i] = make_idle(i, lanes[i % 3]);
                workers_submit(workers, &items[i].work);
        }
        for (int i = 0; i < 30; i++)
                wait_for(workers, &items[i].done);
        assert_int_equal(atomic_load(&most_running), 1);
        assert_null(workers_free(workers, USEC_INFINITY));
}

static void an_idle_work_holds_nobody_up(void **state _unused_) {
        struct hanging stuck;
        struct item others[20];
        struct workers *workers;

        assert_int_equal(workers_new(1, &workers), 0);
        hanging_begin(&stuck, workers, make_idle(-1, "stuck"));
        for (int i = 0; i < 20; i++) {
                others[i] = make(i, i % 2 ? "other" : NULL);
                workers_submit(workers, &others[i].work);
        }
        for (int i = 0; i < 20; i++)
                wait_for(workers, &others[i].done);
        assert_false(stuck.item.done);
        assert_ptr_equal(workers_free(workers, 0), workers); /* it is waited for like any other */
        sem_post(&stuck.gate);
        assert_null(workers_free(workers, USEC_INFINITY));
        hanging_done(&stuck);
}

static unsigned n_threads_left = UINT_MAX;

int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *), void *arg);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *), void *arg);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *), void *arg) {
        if (n_threads_left == 0)
                return EAGAIN;
        n_threads_left--;
        return __real_pthread_create(thread, attributes, run, arg);
}

static void without_a_thread_of_their_own_idle_works_run_as_others(void **state _unused_) {
        struct item other = make(1, NULL), idle = make_idle(2, "lane"), later = make_idle(3, "another lane");
        struct workers *workers;

        assert_int_equal(workers_new(2, &workers), 0);
        n_threads_left = 1;
        workers_submit(workers, &other.work);
        wait_for(workers, &other.done);
        workers_submit(workers, &idle.work);
        wait_for(workers, &idle.done);
        assert_true(pthread_equal(idle.ran_on, other.ran_on));
        n_threads_left = UINT_MAX;
        workers_submit(workers, &later.work);
        wait_for(workers, &later.done);
        assert_false(pthread_equal(later.ran_on, other.ran_on));
        assert_null(workers_free(workers, USEC_INFINITY));
}

static void a_lane_stays_where_it_began_when_the_thread_comes_later(void **state _unused_) {
        struct hanging first;
        struct item other = make(1, NULL), second = make_idle(3, "lane"), elsewhere = make_idle(4, "elsewhere");
        struct workers *workers;

        assert_int_equal(workers_new(2, &workers), 0);
        n_threads_left = 1;
        workers_submit(workers, &other.work);
        wait_for(workers, &other.done);
        hanging_begin(&first, workers, make_idle(2, "lane"));
        n_threads_left = UINT_MAX;
        workers_submit(workers, &elsewhere.work);
        wait_for(workers, &elsewhere.done);
        workers_submit(workers, &second.work);
        assert_int_equal(workers_dispatch(workers), 0);
        sem_post(&first.gate);
        wait_for(workers, &second.done);
        assert_true(first.item.done);
        assert_true(pthread_equal(second.ran_on, first.item.ran_on));
        assert_null(workers_free(workers, USEC_INFINITY));
        hanging_done(&first);
}

/* ---- withdrawing ---- */

static void what_waits_can_be_withdrawn_from_any_place_of_its_queue(void **state _unused_) {
        for (int idle = 0; idle < 2; idle++)
                for (int withdrawn = 0; withdrawn < 4; withdrawn++) {
                        struct hanging busy;
                        struct item waiting[4];
                        struct workers *workers;

                        reset(NULL);
                        assert_int_equal(workers_new(1, &workers), 0);
                        hanging_begin(&busy, workers, idle ? make_idle(9, "lane") : make(9, "lane"));
                        for (int i = 0; i < 4; i++) {
                                waiting[i] = make(i, i < 3 ? "lane" : NULL);
                                waiting[i].work.idle = idle;
                                workers_submit(workers, &waiting[i].work);
                        }
                        assert_false(workers_withdraw(workers, &busy.item.work));
                        assert_true(workers_withdraw(workers, &waiting[withdrawn].work));
                        assert_false(workers_withdraw(workers, &waiting[withdrawn].work));
                        assert_int_equal(workers_outstanding(workers), 5);
                        assert_int_equal(workers_dispatch(workers), 1);
                        assert_true(waiting[withdrawn].done);
                        sem_post(&busy.gate);
                        for (int i = 0; i < 4; i++)
                                wait_for(workers, &waiting[i].done);
                        wait_for(workers, &busy.item.done);
                        assert_int_equal(n_ran, 4); /* the running one and the other three */
                        for (size_t i = 0; i < n_ran; i++)
                                assert_int_not_equal(ran[i], withdrawn);
                        for (size_t i = 0, last = 0; i < n_ran; i++)
                                if (ran[i] < 3) {
                                        assert_true((size_t) ran[i] + 1 > last);
                                        last = (size_t) ran[i] + 1;
                                }
                        assert_false(workers_withdraw(workers, &busy.item.work));
                        assert_int_equal(workers_outstanding(workers), 0);
                        assert_null(workers_free(workers, USEC_INFINITY));
                        hanging_done(&busy);
                }
}

static void a_withdrawn_work_wakes_the_loop(void **state _unused_) {
        struct hanging busy;
        struct item waiting = make(2, "lane");
        struct workers *workers;
        struct pollfd pollfd;

        assert_int_equal(workers_new(1, &workers), 0);
        hanging_begin(&busy, workers, make(1, "lane"));
        workers_submit(workers, &waiting.work);
        pollfd = (struct pollfd) { .fd = workers_fd(workers), .events = POLLIN };
        assert_int_equal(poll(&pollfd, 1, 0), 0);
        assert_true(workers_withdraw(workers, &waiting.work));
        assert_false(waiting.done); /* not before somebody dispatches */
        assert_int_equal(poll(&pollfd, 1, 0), 1);
        assert_int_equal(workers_dispatch(workers), 1);
        assert_true(waiting.done);
        sem_post(&busy.gate);
        wait_for(workers, &busy.item.done);
        assert_null(workers_free(workers, USEC_INFINITY));
        hanging_done(&busy);
}

static sigset_t thread_mask;

static void note_mask(struct work *work) {
        pthread_sigmask(SIG_SETMASK, NULL, &thread_mask);
        item_run(work);
}

static void threads_take_no_signals(void **state _unused_) {
        struct item item = make(1, NULL);
        struct workers *workers;
        sigset_t own;

        item.work.run = note_mask;
        assert_int_equal(workers_new(1, &workers), 0);
        workers_submit(workers, &item.work);
        wait_for(workers, &item.done);
        assert_true(sigismember(&thread_mask, SIGTERM));
        assert_true(sigismember(&thread_mask, SIGCHLD));
        pthread_sigmask(SIG_SETMASK, NULL, &own);
        assert_false(sigismember(&own, SIGTERM));
        workers_free(workers, USEC_INFINITY);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup(work_runs_on_a_thread_and_is_done_on_the_loop, reset),
                cmocka_unit_test_setup(one_lane_keeps_its_order_and_runs_one_at_a_time, reset),
                cmocka_unit_test_setup(a_stuck_lane_does_not_hold_up_others, reset),
                cmocka_unit_test_setup(as_many_run_at_once_as_there_are_threads, reset),
                cmocka_unit_test_setup(done_may_submit_the_same_work_again, reset),
                cmocka_unit_test_setup(freeing_calls_done_for_nothing, reset),
                cmocka_unit_test_setup(freeing_leaves_what_does_not_come_back, reset),
                cmocka_unit_test_setup(idle_works_have_a_thread_that_others_do_not_use, reset),
                cmocka_unit_test_setup(idle_works_run_one_at_a_time, reset),
                cmocka_unit_test_setup(an_idle_work_holds_nobody_up, reset),
                cmocka_unit_test_setup(without_a_thread_of_their_own_idle_works_run_as_others, reset),
                cmocka_unit_test_setup(a_lane_stays_where_it_began_when_the_thread_comes_later, reset),
                cmocka_unit_test_setup(what_waits_can_be_withdrawn_from_any_place_of_its_queue, reset),
                cmocka_unit_test_setup(a_withdrawn_work_wakes_the_loop, reset),
                cmocka_unit_test_setup(threads_take_no_signals, reset),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

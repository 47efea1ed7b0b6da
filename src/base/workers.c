#include "base/workers.h"

#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <utlist.h>

#include "base/fds.h"

/* A thread stays in its lane for so many works while others wait for a thread. */
#define LANE_RUN_MAX 64

struct worker {
        struct workers *pool;
        const void *lane; /* of the work that it is running, or ran last */
        unsigned n_in_lane;
        bool busy;
        pthread_t thread;
};

/* What waits stands in two lists: works without a lane, and the first work of each lane, with the rest of its lane chained behind it. So
 * finding the next work looks at lanes (a few), never at works (thousands), and nobody is woken for a lane that is taken. */
struct workers {
        pthread_mutex_t lock;
        pthread_cond_t wake;     /* something can be run, or stop */
        pthread_cond_t finished; /* something was put on the done list, or a thread has come back after stop */
        struct work *heads;      /* first come, first served */
        struct work *unlaned;
        size_t n_unlaned;
        struct work *done;
        size_t n_outstanding;
        size_t n_idle;
        size_t n_waking; /* of the idle: were signalled, and have not come yet */
        size_t n_threads;
        size_t n_max;
        bool somebody_waits; /* in workers_wait() */
        bool stop;
        int event_fd;
        struct worker threads[];
};

static bool lane_is_busy(const struct workers *pool, const void *lane) {
        for (size_t i = 0; i < pool->n_threads; i++)
                if (pool->threads[i].busy && pool->threads[i].lane == lane)
                        return true;
        return false;
}

/* How many works could be run right now. Lock held. */
static size_t count_runnable(const struct workers *pool) {
        size_t n = pool->n_unlaned;
        struct work *head;

        DL_FOREACH(pool->heads, head)
                n += !lane_is_busy(pool, head->lane);
        return n;
}

/* Takes the first of a lane away; the next one of the lane goes to the tail, so that lanes take turns. */
static struct work *take_head(struct workers *pool, struct work *head) {
        struct work *behind = head->behind;

        DL_DELETE(pool->heads, head);
        if (behind) {
                behind->last = head->last;
                DL_APPEND(pool->heads, behind);
        }
        return head;
}

/* Lock held. NULL: nothing can be run. Its own lane comes first: to change places with another thread after each work would cost
 * more than most works do. */
static struct work *next_work(struct workers *pool, struct worker *self) {
        struct work *work;

        if (self->lane && self->n_in_lane < LANE_RUN_MAX)
                DL_FOREACH(pool->heads, work)
                        if (work->lane == self->lane && !lane_is_busy(pool, work->lane))
                                return take_head(pool, work);
        DL_FOREACH(pool->heads, work)
                if (!lane_is_busy(pool, work->lane))
                        return take_head(pool, work);
        work = pool->unlaned;
        if (work) {
                DL_DELETE(pool->unlaned, work);
                pool->n_unlaned--;
        }
        return work;
}

static void enqueue(struct workers *pool, struct work *work) {
        struct work *head;

        work->behind = NULL;
        work->last = work;
        if (!work->lane) {
                DL_APPEND(pool->unlaned, work);
                pool->n_unlaned++;
                return;
        }
        DL_FOREACH(pool->heads, head)
                if (head->lane == work->lane) {
                        head->last->behind = work;
                        head->last = work;
                        return;
                }
        DL_APPEND(pool->heads, work);
}

/* Lock held. Wakes a thread if more can be run than threads are on their way. */
static void wake_one(struct workers *pool, size_t n_runnable) {
        if (n_runnable <= pool->n_waking || pool->n_idle <= pool->n_waking)
                return;
        pool->n_waking++;
        pthread_cond_signal(&pool->wake);
}

/* Lock held. */
static struct work *wait_for_work(struct workers *pool, struct worker *self) {
        struct work *work;

        while (!pool->stop) {
                work = next_work(pool, self);
                if (work)
                        return work;
                pool->n_idle++;
                pthread_cond_wait(&pool->wake, &pool->lock);
                pool->n_idle--;
                if (pool->n_waking > 0)
                        pool->n_waking--;
        }
        return NULL;
}

static void *worker_main(void *arg) {
        struct worker *self = arg;
        struct workers *pool = self->pool;

        pthread_mutex_lock(&pool->lock);
        for (;;) {
                struct work *work = wait_for_work(pool, self);
                bool is_first;

                if (!work)
                        break;
                self->busy = true;
                self->n_in_lane = work->lane == self->lane ? self->n_in_lane + 1 : 1;
                self->lane = work->lane;
                /* Whoever takes a work sees to it that the next one is taken too. */
                if (pool->n_idle > pool->n_waking)
                        wake_one(pool, count_runnable(pool));
                pthread_mutex_unlock(&pool->lock);

                work->run(work);

                pthread_mutex_lock(&pool->lock);
                is_first = !pool->done;
                DL_APPEND(pool->done, work);
                if (pool->somebody_waits)
                        pthread_cond_signal(&pool->finished);
                /* The descriptor is readable already (or about to be) while something waits on the list. Not under the lock,
                 * which is the first thing that the loop would ask for. */
                if (is_first) {
                        pthread_mutex_unlock(&pool->lock);
                        (void) eventfd_write(pool->event_fd, 1);
                        pthread_mutex_lock(&pool->lock);
                }
                self->busy = false;
                if (pool->stop)
                        pthread_cond_signal(&pool->finished);
        }
        pthread_mutex_unlock(&pool->lock);
        return NULL;
}

int workers_new(unsigned max_threads, struct workers **ret) {
        struct workers *pool;

        assert(max_threads > 0);
        pool = calloc(1, sizeof(*pool) + max_threads * sizeof(pool->threads[0]));
        if (!pool)
                return -ENOMEM;
        pool->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (pool->event_fd < 0) {
                free(pool);
                return -errno;
        }
        pool->n_max = max_threads;
        pthread_mutex_init(&pool->lock, NULL);
        pthread_cond_init(&pool->wake, NULL);
        pthread_cond_init(&pool->finished, NULL);
        *ret = pool;
        return 0;
}

static bool somebody_runs(const struct workers *pool) {
        for (size_t i = 0; i < pool->n_threads; i++)
                if (pool->threads[i].busy)
                        return true;
        return false;
}

/* Lock held. Return: all threads have come back. */
static bool wait_for_all(struct workers *pool, uint64_t patience_usec) {
        uint64_t until = u64_add_saturated(clock_now(&clock_system, CLOCK_ID_MONOTONIC), patience_usec);
        const struct timespec end = { .tv_sec = (time_t) (until / USEC_PER_SEC), .tv_nsec = (long) (until % USEC_PER_SEC) * 1000 };
        int r = 0;

        while (somebody_runs(pool) && r != ETIMEDOUT)
                r = pthread_cond_clockwait(&pool->finished, &pool->lock, CLOCK_MONOTONIC, &end);
        return !somebody_runs(pool);
}

struct workers *workers_free(struct workers *pool, uint64_t patience_usec) {
        bool left_alone;

        if (!pool)
                return NULL;
        pthread_mutex_lock(&pool->lock);
        pool->stop = true;
        pthread_cond_broadcast(&pool->wake);
        left_alone = patience_usec != USEC_INFINITY && !wait_for_all(pool, patience_usec);
        pthread_mutex_unlock(&pool->lock);
        if (left_alone)
                return pool;
        for (size_t i = 0; i < pool->n_threads; i++)
                pthread_join(pool->threads[i].thread, NULL);
        pthread_cond_destroy(&pool->finished);
        pthread_cond_destroy(&pool->wake);
        pthread_mutex_destroy(&pool->lock);
        fd_close(pool->event_fd);
        free(pool);
        return NULL;
}

/* Starts one more thread if what can be run could use it. Lock held. An idle thread that was signalled already still counts as idle
 * until it runs: so compare with all that can be run, or the second of two quick works would sit behind a first one that hangs. */
static void grow(struct workers *pool, size_t n_runnable) {
        struct worker *worker = &pool->threads[pool->n_threads];
        sigset_t all, old;

        if (pool->n_idle >= n_runnable || pool->n_threads == pool->n_max)
                return;
        *worker = (struct worker) { .pool = pool };
        /* Signals belong to the loop's thread. */
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &old);
        if (pthread_create(&worker->thread, NULL, worker_main, worker) == 0)
                pool->n_threads++;
        else if (pool->n_threads == 0)
                abort(); /* not one thread: nothing could ever be done */
        pthread_sigmask(SIG_SETMASK, &old, NULL);
}

void workers_submit(struct workers *pool, struct work *work) {
        size_t n_runnable;

        pthread_mutex_lock(&pool->lock);
        enqueue(pool, work);
        pool->n_outstanding++;
        n_runnable = count_runnable(pool);
        if (n_runnable > 0) {
                grow(pool, n_runnable);
                wake_one(pool, n_runnable);
        }
        pthread_mutex_unlock(&pool->lock);
}

int workers_fd(const struct workers *pool) {
        return pool->event_fd;
}

size_t workers_outstanding(const struct workers *pool) {
        return pool->n_outstanding;
}

size_t workers_dispatch(struct workers *pool) {
        struct work *done, *work, *tmp;
        eventfd_t ignored;
        size_t n = 0;

        (void) eventfd_read(pool->event_fd, &ignored);
        pthread_mutex_lock(&pool->lock);
        done = TAKE_PTR(pool->done);
        DL_FOREACH(done, work)
                n++;
        pool->n_outstanding -= n;
        pthread_mutex_unlock(&pool->lock);

        DL_FOREACH_SAFE(done, work, tmp) {
                DL_DELETE(done, work);
                work->done(work);
        }
        return n;
}

size_t workers_wait(struct workers *pool) {
        pthread_mutex_lock(&pool->lock);
        pool->somebody_waits = true;
        while (!pool->done && pool->n_outstanding > 0)
                pthread_cond_wait(&pool->finished, &pool->lock);
        pool->somebody_waits = false;
        pthread_mutex_unlock(&pool->lock);
        return workers_dispatch(pool);
}

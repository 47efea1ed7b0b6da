#include "base/workers.h"

#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <utlist.h>

#include "base/fds.h"

struct worker {
        struct workers *pool;
        const void *lane; /* of the work that it is running */
        bool busy;
        pthread_t thread;
};

struct workers {
        pthread_mutex_t lock;
        pthread_cond_t wake;     /* work came in, or a lane became free, or stop */
        pthread_cond_t finished; /* something was put on the done list */
        struct work *waiting;    /* in order of submission */
        size_t n_waiting;
        struct work *done;
        size_t n_outstanding;
        size_t n_idle;
        size_t n_threads;
        size_t n_max;
        bool stop;
        int event_fd;
        struct worker threads[];
};

static bool lane_is_busy(const struct workers *pool, const void *lane) {
        if (!lane)
                return false;
        for (size_t i = 0; i < pool->n_threads; i++)
                if (pool->threads[i].busy && pool->threads[i].lane == lane)
                        return true;
        return false;
}

/* The first work whose lane is free. Lock held. */
static struct work *next_work(struct workers *pool) {
        struct work *work;

        DL_FOREACH(pool->waiting, work)
                if (!lane_is_busy(pool, work->lane)) {
                        DL_DELETE(pool->waiting, work);
                        pool->n_waiting--;
                        return work;
                }
        return NULL;
}

static void *worker_main(void *arg) {
        struct worker *self = arg;
        struct workers *pool = self->pool;

        pthread_mutex_lock(&pool->lock);
        for (;;) {
                struct work *work = NULL;

                while (!pool->stop && !(work = next_work(pool))) {
                        pool->n_idle++;
                        pthread_cond_wait(&pool->wake, &pool->lock);
                        pool->n_idle--;
                }
                if (pool->stop)
                        break;
                self->busy = true;
                self->lane = work->lane;
                pthread_mutex_unlock(&pool->lock);

                work->run(work);

                pthread_mutex_lock(&pool->lock);
                self->busy = false;
                DL_APPEND(pool->done, work);
                (void) eventfd_write(pool->event_fd, 1);
                pthread_cond_signal(&pool->finished);
                if (self->lane && pool->waiting)
                        pthread_cond_signal(&pool->wake); /* somebody may wait for this lane */
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

struct workers *workers_free(struct workers *pool, bool abandon) {
        if (!pool)
                return NULL;
        pthread_mutex_lock(&pool->lock);
        pool->stop = true;
        pthread_cond_broadcast(&pool->wake);
        pthread_mutex_unlock(&pool->lock);
        if (abandon)
                return NULL; /* the threads still point at it */
        for (size_t i = 0; i < pool->n_threads; i++)
                pthread_join(pool->threads[i].thread, NULL);
        pthread_cond_destroy(&pool->finished);
        pthread_cond_destroy(&pool->wake);
        pthread_mutex_destroy(&pool->lock);
        fd_close(pool->event_fd);
        free(pool);
        return NULL;
}

/* Starts one more thread if the waiting work could use it. Lock held. */
static void grow(struct workers *pool) {
        struct worker *worker = &pool->threads[pool->n_threads];
        sigset_t all, old;

        /* An idle thread that was signalled already still counts as idle until it runs: compare with all that waits, or the
         * second of two quick works would sit behind a first one that hangs. */
        if (pool->n_idle >= pool->n_waiting || pool->n_threads == pool->n_max)
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
        pthread_mutex_lock(&pool->lock);
        DL_APPEND(pool->waiting, work);
        pool->n_waiting++;
        pool->n_outstanding++;
        grow(pool);
        pthread_cond_signal(&pool->wake);
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
        while (!pool->done && pool->n_outstanding > 0)
                pthread_cond_wait(&pool->finished, &pool->lock);
        pthread_mutex_unlock(&pool->lock);
        return workers_dispatch(pool);
}

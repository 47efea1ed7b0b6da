#include "base/workers.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <utlist.h>

#include "base/fds.h"

/* A thread stays in its lane for so many works while others wait for a thread. */
#define LANE_RUN_MAX 64

struct worker {
        struct workers *pool;
        struct crew *crew;
        const void *lane; /* of the work that it is running, or ran last */
        unsigned n_in_lane;
        bool busy;
        pthread_t thread;
};

/* The threads that run works of one kind, and what waits for them.
 *
 * What waits stands in two lists: works without a lane, and the first work of each lane, with the rest of its lane chained behind it. So
 * finding the next work looks at lanes (a few), never at works (thousands), and nobody is woken for a lane that is taken. */
struct crew {
        pthread_cond_t wake; /* something can be run, or stop */
        struct work *heads;  /* first come, first served */
        struct work *unlaned;
        size_t n_unlaned;
        size_t n_resting;
        size_t n_waking; /* of the resting: were signalled, and have not come yet */
        size_t n_threads;
        size_t n_max;
        struct worker *threads; /* n_max */
};

enum crew_kind {
        CREW_NORMAL,
        CREW_IDLE, /* SCHED_IDLE */
        _CREW_MAX,
};

struct workers {
        pthread_mutex_t lock;
        struct crew crews[_CREW_MAX];
        pthread_cond_t finished; /* something was put on the done list, or a thread has come back after stop */
        struct work *done;
        size_t n_outstanding;
        bool somebody_waits; /* in workers_wait() */
        bool stop;
        int event_fd;
        struct worker threads[]; /* the crews', one after the other */
};

static bool lane_is_busy(const struct crew *crew, const void *lane) {
        for (size_t i = 0; i < crew->n_threads; i++)
                if (crew->threads[i].busy && crew->threads[i].lane == lane)
                        return true;
        return false;
}

static struct work *find_head(const struct crew *crew, const void *lane) {
        struct work *head;

        DL_FOREACH(crew->heads, head)
                if (head->lane == lane)
                        return head;
        return NULL;
}

/* How many works could be run right now. Lock held. */
static size_t count_runnable(const struct crew *crew) {
        size_t n = crew->n_unlaned;
        struct work *head;

        DL_FOREACH(crew->heads, head)
                n += !lane_is_busy(crew, head->lane);
        return n;
}

/* Takes the first of a lane away; the next one of the lane goes to the tail, so that lanes take turns. */
static struct work *take_head(struct crew *crew, struct work *head) {
        struct work *behind = head->behind;

        DL_DELETE(crew->heads, head);
        if (behind) {
                behind->last = head->last;
                DL_APPEND(crew->heads, behind);
        }
        return head;
}

/* Lock held. NULL: nothing can be run. Its own lane comes first: to change places with another thread after each work would cost
 * more than most works do. */
static struct work *next_work(struct crew *crew, const struct worker *self) {
        struct work *work;

        work = self->lane && self->n_in_lane < LANE_RUN_MAX ? find_head(crew, self->lane) : NULL;
        if (work && !lane_is_busy(crew, work->lane))
                return take_head(crew, work);
        DL_FOREACH(crew->heads, work)
                if (!lane_is_busy(crew, work->lane))
                        return take_head(crew, work);
        work = crew->unlaned;
        if (work) {
                DL_DELETE(crew->unlaned, work);
                crew->n_unlaned--;
        }
        return work;
}

static void enqueue(struct crew *crew, struct work *work) {
        struct work *head;

        work->behind = NULL;
        work->last = work;
        if (!work->lane) {
                DL_APPEND(crew->unlaned, work);
                crew->n_unlaned++;
                return;
        }
        head = find_head(crew, work->lane);
        if (head) {
                head->last->behind = work;
                head->last = work;
        } else
                DL_APPEND(crew->heads, work);
}

/* Lock held. Wakes a thread if more can be run than threads are on their way. */
static void wake_one(struct crew *crew, size_t n_runnable) {
        if (n_runnable <= crew->n_waking || crew->n_resting <= crew->n_waking)
                return;
        crew->n_waking++;
        pthread_cond_signal(&crew->wake);
}

/* Lock held. */
static struct work *wait_for_work(struct workers *pool, struct worker *self) {
        struct crew *crew = self->crew;
        struct work *work;

        while (!pool->stop) {
                work = next_work(crew, self);
                if (work)
                        return work;
                crew->n_resting++;
                pthread_cond_wait(&crew->wake, &pool->lock);
                crew->n_resting--;
                if (crew->n_waking > 0)
                        crew->n_waking--;
        }
        return NULL;
}

static void *worker_main(void *arg) {
        struct worker *self = arg;
        struct workers *pool = self->pool;
        struct crew *crew = self->crew;

        /* Where it is refused they are in others' way, and no more. */
        if (crew == &pool->crews[CREW_IDLE])
                (void) sched_setscheduler(0, SCHED_IDLE, &(struct sched_param) {});
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
                if (crew->n_resting > crew->n_waking)
                        wake_one(crew, count_runnable(crew));
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
        const size_t n_max[_CREW_MAX] = { [CREW_NORMAL] = max_threads, [CREW_IDLE] = 1 };
        struct worker *threads;
        struct workers *pool;

        assert(max_threads > 0);
        pool = calloc(1, sizeof(*pool) + (n_max[CREW_NORMAL] + n_max[CREW_IDLE]) * sizeof(pool->threads[0]));
        if (!pool)
                return -ENOMEM;
        pool->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (pool->event_fd < 0) {
                free(pool);
                return -errno;
        }
        pthread_mutex_init(&pool->lock, NULL);
        pthread_cond_init(&pool->finished, NULL);
        threads = pool->threads;
        for (size_t i = 0; i < ELEMENTSOF(pool->crews); i++) {
                pool->crews[i] = (struct crew) { .n_max = n_max[i], .threads = threads };
                pthread_cond_init(&pool->crews[i].wake, NULL);
                threads += n_max[i];
        }
        *ret = pool;
        return 0;
}

static bool somebody_runs(const struct workers *pool) {
        for (size_t i = 0; i < ELEMENTSOF(pool->crews); i++)
                for (size_t j = 0; j < pool->crews[i].n_threads; j++)
                        if (pool->crews[i].threads[j].busy)
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
        for (size_t i = 0; i < ELEMENTSOF(pool->crews); i++)
                pthread_cond_broadcast(&pool->crews[i].wake);
        left_alone = patience_usec != USEC_INFINITY && !wait_for_all(pool, patience_usec);
        pthread_mutex_unlock(&pool->lock);
        if (left_alone)
                return pool;
        for (size_t i = 0; i < ELEMENTSOF(pool->crews); i++) {
                for (size_t j = 0; j < pool->crews[i].n_threads; j++)
                        pthread_join(pool->crews[i].threads[j].thread, NULL);
                pthread_cond_destroy(&pool->crews[i].wake);
        }
        pthread_cond_destroy(&pool->finished);
        pthread_mutex_destroy(&pool->lock);
        fd_close(pool->event_fd);
        free(pool);
        return NULL;
}

/* Lock held. */
static bool start_thread(struct workers *pool, struct crew *crew) {
        struct worker *worker = &crew->threads[crew->n_threads];
        sigset_t all, old;
        bool started;

        *worker = (struct worker) { .pool = pool, .crew = crew };
        /* Signals belong to the loop's thread. */
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &old);
        started = pthread_create(&worker->thread, NULL, worker_main, worker) == 0;
        pthread_sigmask(SIG_SETMASK, &old, NULL);
        crew->n_threads += started;
        return started;
}

/* Starts one more thread if what can be run could use it. Lock held. A resting thread that was signalled already still counts as resting
 * until it runs: so compare with all that can be run, or the second of two quick works would sit behind a first one that hangs. */
static void grow(struct workers *pool, struct crew *crew, size_t n_runnable) {
        if (crew->n_resting >= n_runnable || crew->n_threads == crew->n_max)
                return;
        if (!start_thread(pool, crew) && crew->n_threads == 0)
                abort(); /* not one thread: nothing could ever be done */
}

/* Lock held. */
static struct crew *crew_for(struct workers *pool, const struct work *work) {
        struct crew *normal = &pool->crews[CREW_NORMAL], *idle = &pool->crews[CREW_IDLE];

        if (!work->idle || (idle->n_threads == 0 && !start_thread(pool, idle)))
                return normal;
        /* Its lane may still be where there was no such thread. */
        return work->lane && (find_head(normal, work->lane) || lane_is_busy(normal, work->lane)) ? normal : idle;
}

void workers_submit(struct workers *pool, struct work *work) {
        struct crew *crew;
        size_t n_runnable;

        pthread_mutex_lock(&pool->lock);
        crew = crew_for(pool, work);
        enqueue(crew, work);
        pool->n_outstanding++;
        n_runnable = count_runnable(crew);
        if (n_runnable > 0) {
                grow(pool, crew, n_runnable);
                wake_one(crew, n_runnable);
        }
        pthread_mutex_unlock(&pool->lock);
}

/* Lock held. False: it does not wait in @crew. */
static bool take_waiting(struct crew *crew, struct work *work) {
        struct work *head, *other, *before;

        if (!work->lane) {
                DL_FOREACH(crew->unlaned, other)
                        if (other == work)
                                break;
                if (!other)
                        return false;
                DL_DELETE(crew->unlaned, work);
                crew->n_unlaned--;
                return true;
        }
        head = find_head(crew, work->lane);
        if (head == work)
                return take_head(crew, head);
        for (before = head; before && before->behind != work; before = before->behind)
                ;
        if (!before)
                return false;
        before->behind = work->behind;
        if (head->last == work)
                head->last = before;
        return true;
}

bool workers_withdraw(struct workers *pool, struct work *work) {
        bool taken = false, is_first;

        pthread_mutex_lock(&pool->lock);
        for (size_t i = 0; i < ELEMENTSOF(pool->crews) && !taken; i++)
                taken = take_waiting(&pool->crews[i], work);
        is_first = taken && !pool->done;
        if (taken)
                DL_APPEND(pool->done, work);
        pthread_mutex_unlock(&pool->lock);
        if (is_first)
                (void) eventfd_write(pool->event_fd, 1);
        return taken;
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

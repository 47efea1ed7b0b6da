#include "base/closer.h"

#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>
#include <utlist.h>

#include "base/fds.h"
#include "base/workers.h"

struct closer {
        struct workers *workers;
        struct closing *all;
};

struct closing {
        struct work work; /* first member */
        struct closing *prev, *next;
        struct closer *closer;
        int fd;
        closer_fn done;
        void *userdata;
};

int closer_new(unsigned max_threads, struct closer **ret) {
        struct closer *closer = calloc(1, sizeof(*closer));
        int r;

        if (!closer)
                return -ENOMEM;
        r = workers_new(max_threads, &closer->workers);
        if (r < 0) {
                free(closer);
                return r;
        }
        *ret = closer;
        return 0;
}

struct closer *closer_free(struct closer *closer) {
        struct closing *closing, *next;

        if (!closer)
                return NULL;
        /* Where nothing is outstanding nothing hangs, and a thread that is just done is waited for. */
        if (workers_free(closer->workers, closer_outstanding(closer) > 0 ? 0 : USEC_INFINITY))
                return NULL; /* the threads that hang still hold on to all of it */
        DL_FOREACH_SAFE(closer->all, closing, next)
                free(closing);
        free(closer);
        return NULL;
}

static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;

void closers_hold(void) {
        pthread_mutex_lock(&gate);
}

void closers_go_on(void) {
        pthread_mutex_unlock(&gate);
}

static void closing_run(struct work *work) {
        struct closing *closing = (struct closing *) work;

        /* This closes it, and may hang; the number stays taken, by what nobody waits for. */
        (void) dup3(closer_fd(closing->closer), closing->fd, O_CLOEXEC);
        closers_hold();
        closing->fd = fd_close(closing->fd);
        closers_go_on();
}

static void closing_done(struct work *work) {
        struct closing *closing = (struct closing *) work;
        closer_fn done = closing->done;
        void *userdata = closing->userdata;

        DL_DELETE(closing->closer->all, closing);
        free(closing);
        if (done)
                done(userdata);
}

/* Which one it is, is known without a word to it. */
static const void *lane_of_file_system(int fd) {
        uint64_t dev, ino;

        return fd_inode(fd, &dev, &ino) < 0 ? NULL : (const void *) (uintptr_t)(dev + 1);
}

int closer_close(struct closer *closer, int fd, const void *lane, closer_fn done, void *userdata) {
        struct closing *closing;

        if (fd < 0)
                return 1;
        if (!fd_close_may_wait(fd)) {
                (void) fd_close(fd);
                return 1;
        }
        closing = malloc(sizeof(*closing));
        if (!closing)
                return -ENOMEM;
        *closing = (struct closing) {
                .work = { .run = closing_run, .done = closing_done, .lane = lane ?: lane_of_file_system(fd) },
                .closer = closer,
                .fd = fd,
                .done = done,
                .userdata = userdata,
        };
        DL_APPEND(closer->all, closing);
        workers_submit(closer->workers, &closing->work);
        return 0;
}

int closer_drop(struct closer *closer, int fd) {
        if (!closer)
                (void) fd_close(fd);
        else
                (void) closer_close(closer, fd, NULL, NULL, NULL); /* no memory: rather one that stays open than a loop that waits */
        return -EBADF;
}

int closer_fd(const struct closer *closer) {
        return workers_fd(closer->workers);
}

size_t closer_dispatch(struct closer *closer) {
        return workers_dispatch(closer->workers);
}

size_t closer_outstanding(const struct closer *closer) {
        return workers_outstanding(closer->workers);
}

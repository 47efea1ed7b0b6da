#include "transfer/poller.h"

#include <sys/epoll.h>
#include <systemd/sd-event.h>
#include <uthash.h>

#include "base/fds.h"

/* Of one turn of the loop: each may mean megabytes, and requests, timers and the service wait meanwhile. */
#define BATCH_MAX 8

struct watch {
        UT_hash_handle hh;
        int fd;
        uint32_t wanted;  /* what somebody waits for */
        uint32_t watched; /* what the kernel watches for */
        poller_fn ready;
        void *userdata;
};

struct poller {
        int fd;
        sd_event_source *io;
        struct watch *watches; /* hash */
        struct epoll_event batch[BATCH_MAX];
        int batch_at, n_batch;
};

static int watch_set(struct poller *poller, struct watch *watch, uint32_t events) {
        struct epoll_event event = { .events = events, .data.ptr = watch };
        int operation = watch->watched == 0 ? EPOLL_CTL_ADD : events == 0 ? EPOLL_CTL_DEL : EPOLL_CTL_MOD;

        if (watch->watched == events)
                return 0;
        if (epoll_ctl(poller->fd, operation, watch->fd, &event) < 0)
                return -errno;
        watch->watched = events;
        return 0;
}

int poller_wait(struct poller *poller, int fd, uint32_t events, poller_fn ready, void *userdata) {
        struct watch *watch;

        HASH_FIND_INT(poller->watches, &fd, watch);
        if (!watch) {
                if (events == 0)
                        return 0;
                watch = calloc(1, sizeof(*watch));
                if (!watch)
                        return -ENOMEM;
                watch->fd = fd;
                HASH_ADD_INT(poller->watches, fd, watch);
        }
        watch->wanted = events;
        watch->ready = ready;
        watch->userdata = userdata;
        return events == 0 ? 0 : watch_set(poller, watch, events);
}

static void watch_free(struct poller *poller, struct watch *watch) {
        HASH_DEL(poller->watches, watch);
        free(watch);
}

/* What its socket had to say, when that is another one now. */
static void watch_drop_events(struct poller *poller, const struct watch *watch) {
        for (int i = poller->batch_at; i < poller->n_batch; i++)
                if (poller->batch[i].data.ptr == watch)
                        poller->batch[i].data.ptr = NULL;
}

void poller_opened(struct poller *poller, int fd) {
        struct watch *watch;

        HASH_FIND_INT(poller->watches, &fd, watch);
        if (!watch)
                return;
        watch_drop_events(poller, watch);
        watch->watched = 0;
        (void) watch_set(poller, watch, watch->wanted);
}

/* The kernel forgets it by itself. */
void poller_closing(struct poller *poller, int fd) {
        struct watch *watch;

        HASH_FIND_INT(poller->watches, &fd, watch);
        if (!watch)
                return;
        watch_drop_events(poller, watch);
        watch_free(poller, watch);
}

static int on_io(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        struct poller *poller = ASSERT_PTR(userdata);

        poller->n_batch = epoll_wait(poller->fd, poller->batch, BATCH_MAX, 0);
        for (poller->batch_at = 0; poller->batch_at < poller->n_batch;) {
                struct epoll_event *event = &poller->batch[poller->batch_at++];
                struct watch *watch = event->data.ptr;

                if (!watch)
                        continue;
                if (watch->wanted != 0)
                        watch->ready(watch->userdata, watch->fd, event->events); /* the watch may be gone after this */
                else
                        (void) watch_set(poller, watch, 0);
        }
        return 0;
}

int poller_new(struct sd_event *event, struct poller **ret) {
        _cleanup_(poller_freep) struct poller *poller = NULL;
        int r;

        poller = calloc(1, sizeof(*poller));
        if (!poller)
                return -ENOMEM;
        poller->fd = epoll_create1(EPOLL_CLOEXEC);
        if (poller->fd < 0)
                return -errno;
        r = sd_event_add_io(event, &poller->io, poller->fd, EPOLLIN, on_io, poller);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(poller);
        return 0;
}

struct poller *poller_free(struct poller *poller) {
        struct watch *watch, *next;

        if (!poller)
                return NULL;
        HASH_ITER(hh, poller->watches, watch, next)
                watch_free(poller, watch);
        poller->io = sd_event_source_disable_unref(poller->io);
        poller->fd = fd_close(poller->fd);
        free(poller);
        return NULL;
}

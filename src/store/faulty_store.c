/* The twin that fails by plan. What it lets through goes to the inner store; what it fails never gets there. Callbacks keep the
 * order of submission, whoever finished first. A planned -EUCLEAN is for good: store_recover() says so, as the real one would. */
#include "store/store.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <utlist.h>

#include "base/fds.h"
#include "store/commit.h"

struct faulty_store {
        struct store store;
        struct store *inner;
        struct commit *queue; /* everything that was not delivered, in order */
        bool planned;
        bool persistent;
        unsigned n_before_failure;
        int planned_error;
        int failed; /* the error that everything waits for store_recover() for, or 0 */
        int event_fd;
        int poll_fd; /* readable when the inner store's or our own descriptor is */
};

static const struct store_ops faulty_ops;

static struct faulty_store *faulty_store_of(const struct store *store) {
        assert(store->ops == &faulty_ops);
        return CONTAINER_OF(store, struct faulty_store, store);
}

static void faulty_free(struct store *store) {
        struct faulty_store *self = faulty_store_of(store);

        /* First the inner one: it may still finish what stands in our queue. */
        store_free(self->inner);
        commit_drop_all(&self->queue);
        fd_close(self->event_fd);
        fd_close(self->poll_fd);
        free(self);
}

static int faulty_load(struct store *store, const struct store_visitor *visitor, void *userdata) {
        return store_load(faulty_store_of(store)->inner, visitor, userdata);
}

static void inner_done(int error, void *userdata) {
        struct commit *commit = userdata;

        commit->error = error;
        commit->finished = true;
}

/* 0: let it through. */
static int faulty_verdict(struct faulty_store *self) {
        if (self->failed < 0)
                return -ECANCELED;
        if (!self->planned)
                return 0;
        if (self->n_before_failure > 0) {
                self->n_before_failure--;
                return 0;
        }
        self->planned = self->persistent;
        self->failed = self->planned_error;
        return self->planned_error;
}

static int faulty_commit(struct store *store, struct store_batch *batch, store_done_fn done, void *userdata) {
        struct faulty_store *self = faulty_store_of(store);
        struct commit *commit;
        int error, r;

        r = commit_new(NULL, done, userdata, &commit);
        if (r < 0) {
                store_batch_free(batch);
                return r;
        }
        error = faulty_verdict(self);
        if (error < 0) {
                store_batch_free(batch);
                inner_done(error, commit);
                (void) eventfd_write(self->event_fd, 1);
        } else {
                r = store_commit(self->inner, batch, inner_done, commit);
                if (r < 0) {
                        commit_free(commit);
                        return r;
                }
        }
        DL_APPEND(self->queue, commit);
        return 0;
}

void store_faulty_crash(struct store *store) {
        struct faulty_store *self = faulty_store_of(store);
        eventfd_t count;

        store_memory_crash(self->inner);
        commit_drop_all(&self->queue);
        self->failed = 0;
        (void) eventfd_read(self->event_fd, &count);
}

static int faulty_recover(struct store *store) {
        struct faulty_store *self = faulty_store_of(store);

        if (self->failed == -EUCLEAN)
                return -EUCLEAN;
        self->failed = 0;
        return store_recover(self->inner);
}

/* No plan is about it: a backup that fails is no news for anybody's job. */
static int faulty_backup(struct store *store, uint64_t now_usec, store_done_fn done, void *userdata) {
        return store_backup(faulty_store_of(store)->inner, now_usec, done, userdata);
}

static uint64_t faulty_backup_time(const struct store *store) {
        return store_backup_time(faulty_store_of(store)->inner);
}

static int faulty_fd(const struct store *store) {
        return faulty_store_of(store)->poll_fd;
}

static size_t faulty_deliver(struct faulty_store *self) {
        size_t n_due = 0, n = 0;
        struct commit *commit;
        eventfd_t count;

        (void) eventfd_read(self->event_fd, &count);
        DL_COUNT(self->queue, commit, n_due);
        for (; n < n_due && self->queue && self->queue->finished; n++)
                commit_deliver_first(&self->queue);
        if (self->queue && self->queue->finished)
                (void) eventfd_write(self->event_fd, 1);
        return n;
}

static size_t faulty_dispatch(struct store *store) {
        struct faulty_store *self = faulty_store_of(store);

        store_dispatch(self->inner);
        return faulty_deliver(self);
}

static size_t faulty_wait(struct store *store) {
        struct faulty_store *self = faulty_store_of(store);

        while (self->queue && !self->queue->finished)
                if (store_wait(self->inner) == 0)
                        break;
        if (!self->queue)
                (void) store_wait(self->inner); /* a backup */
        return faulty_deliver(self);
}

static int poll_add(int poll_fd, int fd) {
        struct epoll_event event = { .events = EPOLLIN };

        return epoll_ctl(poll_fd, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

int store_open_faulty(struct store *inner, struct store **ret) {
        struct faulty_store *self = calloc(1, sizeof(*self));
        int r;

        if (!self)
                return -ENOMEM;
        self->store.ops = &faulty_ops;
        self->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        r = self->event_fd < 0 ? -errno : 0;
        self->poll_fd = epoll_create1(EPOLL_CLOEXEC);
        if (r == 0)
                r = self->poll_fd < 0 ? -errno : 0;
        if (r == 0)
                r = poll_add(self->poll_fd, self->event_fd);
        if (r == 0)
                r = poll_add(self->poll_fd, store_fd(inner));
        if (r < 0) {
                faulty_free(&self->store); /* without the inner one: the caller still has it */
                return r;
        }
        self->inner = inner;
        *ret = &self->store;
        return 0;
}

void store_faulty_plan(struct store *store, unsigned nth, int error, bool persistent) {
        struct faulty_store *self = faulty_store_of(store);

        assert(error < 0);
        self->planned = true;
        self->n_before_failure = nth;
        self->planned_error = error;
        self->persistent = persistent;
}

static const struct store_ops faulty_ops = {
        .name = "faulty",
        .free = faulty_free,
        .load = faulty_load,
        .commit = faulty_commit,
        .recover = faulty_recover,
        .backup = faulty_backup,
        .backup_time = faulty_backup_time,
        .fd = faulty_fd,
        .dispatch = faulty_dispatch,
        .wait = faulty_wait,
};

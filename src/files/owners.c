#include "files/owners.h"

#include <poll.h>
#include <sys/epoll.h>
#include <uthash.h>

#include "base/fds.h"
#include "files/ops.h"
#include "files/remote.h"

struct owner {
        UT_hash_handle hh;
        struct owners *owners;
        uid_t uid;
        struct files *files;
};

struct owners {
        struct files base; /* first member */
        struct files_owners_config config;
        const struct clock *clock;
        int epoll_fd; /* theirs, in one */
        struct owner *by_uid;
};

static struct owners *to_owners(const struct files *files) {
        return CONTAINER_OF(files, struct owners, base);
}

static struct owner *owner_free(struct owner *owner) {
        if (!owner)
                return NULL;
        owner->files = files_free(owner->files, USEC_INFINITY);
        free(owner);
        return NULL;
}
DEFINE_CLEANUP_FUNC(struct owner, owner_free)

static int spawn(void *userdata, int fd) {
        struct owner *owner = ASSERT_PTR(userdata);

        return owner->owners->config.spawn(owner->owners->config.userdata, owner->uid, fd);
}

static bool met_other_version(void *userdata) {
        struct owner *owner = ASSERT_PTR(userdata);
        const struct files_owners_config *config = &owner->owners->config;

        return config->other_version && config->other_version(config->userdata);
}

static int owner_new(struct owners *self, uid_t uid, struct owner **ret) {
        _cleanup_(owner_freep) struct owner *owner = calloc(1, sizeof(*owner));
        const struct files_remote_config config = {
                .spawn = spawn,
                .other_version = met_other_version,
                .userdata = owner,
                .minimum_free_bytes = self->config.minimum_free_bytes,
                .idle_usec = self->config.idle_usec,
        };
        struct epoll_event event = { .events = EPOLLIN, .data.ptr = owner };
        int r;

        if (!owner)
                return -ENOMEM;
        owner->owners = self;
        owner->uid = uid;
        r = files_new_remote(&config, self->clock, &owner->files);
        if (r < 0)
                return r;
        if (epoll_ctl(self->epoll_fd, EPOLL_CTL_ADD, files_fd(owner->files), &event) < 0)
                return -errno;
        HASH_ADD(hh, self->by_uid, uid, sizeof(owner->uid), owner);
        *ret = TAKE_PTR(owner);
        return 0;
}

/* The owner role of @uid, made when it is first needed. */
static int owner_files(struct files *files, uid_t uid, struct files **ret) {
        struct owners *self = to_owners(files);
        struct owner *owner;
        int r;

        HASH_FIND(hh, self->by_uid, &uid, sizeof(uid), owner);
        if (!owner) {
                r = owner_new(self, uid, &owner);
                if (r < 0)
                        return r;
        }
        *ret = owner->files;
        return 0;
}

void files_owners_refuse(struct files *files, uid_t uid, int error) {
        struct owners *self = to_owners(files);
        struct owner *owner;

        HASH_FIND(hh, self->by_uid, &uid, sizeof(uid), owner);
        if (owner)
                files_remote_refuse(owner->files, error);
}

/* ---- the interface ---- */

static struct files *owners_free(struct files *files, uint64_t patience_usec _unused_) {
        struct owners *self = to_owners(files);
        struct owner *owner, *next;

        HASH_ITER(hh, self->by_uid, owner, next) {
                HASH_DELETE(hh, self->by_uid, owner);
                owner_free(owner);
        }
        (void) fd_close(self->epoll_fd);
        free(self);
        return NULL;
}

static int owners_fd(const struct files *files) {
        return to_owners(files)->epoll_fd;
}

static size_t owners_dispatch(struct files *files) {
        struct owners *self = to_owners(files);
        struct epoll_event events[16];
        size_t n_told = 0;
        int n;

        n = epoll_wait(self->epoll_fd, events, ELEMENTSOF(events), 0);
        for (int i = 0; i < n; i++) {
                struct owner *owner = events[i].data.ptr;

                n_told += files_dispatch(owner->files);
        }
        /* Only now: a completion of one may have asked something of another. */
        for (int i = 0; i < n; i++) {
                struct owner *owner = events[i].data.ptr;

                if (files_remote_is_dormant(owner->files)) {
                        HASH_DELETE(hh, self->by_uid, owner);
                        owner_free(owner);
                }
        }
        return n_told;
}

static size_t owners_outstanding(const struct files *files) {
        const struct owner *owner;
        size_t n = 0;

        for (owner = to_owners(files)->by_uid; owner; owner = owner->hh.next)
                n += files_outstanding(owner->files);
        return n;
}

static size_t owners_wait(struct files *files) {
        size_t n = 0;

        while (n == 0 && owners_outstanding(files) > 0) {
                struct pollfd poll_fd = { .fd = owners_fd(files), .events = POLLIN };

                (void) poll(&poll_fd, 1, -1);
                n = owners_dispatch(files);
        }
        return n;
}

static int owners_check(struct files *files, const struct files_check_request *request, files_check_fn done, void *userdata) {
        struct files *theirs;
        int r = owner_files(files, request->owner, &theirs);

        return r < 0 ? r : files_check(theirs, request, done, userdata);
}

static int owners_open(struct files *files, const struct files_open_request *request, files_open_fn done, void *userdata) {
        struct files *theirs;
        int r = owner_files(files, request->owner, &theirs);

        return r < 0 ? r : files_open(theirs, request, done, userdata);
}

static struct files_handle *owners_close(struct files *files _unused_, struct files_handle *handle) {
        return files_close(handle->files, handle);
}

static int owners_reserve(struct files *files _unused_, struct files_handle *handle, uint64_t size, bool background,
                          files_done_fn done, void *userdata) {
        return files_reserve(handle->files, handle, size, background, done, userdata);
}

static int owners_checkpoint(struct files *files _unused_, struct files_handle *handle, struct files_piece *chunks, size_t n_chunks,
                             files_done_fn done, void *userdata) {
        return files_checkpoint(handle->files, handle, chunks, n_chunks, done, userdata);
}

static int owners_scratch(struct files *files _unused_, struct files_handle *handle, files_scratch_fn done, void *userdata) {
        return files_scratch(handle->files, handle, done, userdata);
}

static int owners_read_hashes(struct files *files _unused_, struct files_handle *handle, int fd, uint64_t size,
                              const struct integrity_info *expected, files_hashes_fn done, void *userdata) {
        return files_read_hashes(handle->files, handle, fd, size, expected, done, userdata);
}

static int owners_verify(struct files *files _unused_, struct files_handle *handle, const struct files_piece *pieces, size_t n,
                         files_verify_fn done, void *userdata) {
        return files_verify(handle->files, handle, pieces, n, done, userdata);
}

static int owners_open_window(struct files *files, uid_t owner, int fd, bool digest, struct files_handle **ret) {
        struct files *theirs;
        int r = owner_files(files, owner, &theirs);

        return r < 0 ? r : theirs->ops->open_window(theirs, owner, fd, digest, ret);
}

static int owners_window_drop(struct files *files _unused_, struct files_handle *handle, uint64_t start, uint64_t end,
                              files_done_fn done, void *userdata) {
        return files_window_drop(handle->files, handle, start, end, done, userdata);
}

static int owners_window_digest(const struct files_handle *handle, uint8_t *ret) {
        return handle->files->ops->window_digest(handle, ret);
}

static int owners_digest_ahead(struct files *files _unused_, struct files_handle *handle, uint64_t start, uint64_t end,
                               files_done_fn done, void *userdata) {
        return files_digest_ahead(handle->files, handle, start, end, done, userdata);
}

static int owners_finish(struct files *files _unused_, struct files_handle *handle, const struct files_finish_request *request,
                         files_finish_fn done, void *userdata) {
        return files_finish(handle->files, handle, request, done, userdata);
}

static int owners_decrypt(struct files *files _unused_, struct files_handle *source, struct files_handle *target,
                          const struct files_decrypt_request *request, files_decrypt_fn done, void *userdata) {
        return files_decrypt(source->files, source, target, request, done, userdata);
}

static int owners_list(struct files *files, enum files_list_kind kind, const struct files_item *items, size_t n, files_list_fn done,
                       void *userdata) {
        struct files *theirs;
        int r;

        assert(n > 0);
        for (size_t i = 1; i < n; i++)
                assert(items[i].owner == items[0].owner);
        r = owner_files(files, items[0].owner, &theirs);
        return r < 0 ? r : theirs->ops->list(theirs, kind, items, n, done, userdata);
}

static int owners_certificate(struct files *files _unused_, struct files_handle *handle, const struct certificate_name *name,
                              files_certificate_fn done, void *userdata) {
        return files_certificate(handle->files, handle, name, done, userdata);
}

static int owners_sweep(struct files *files, const struct files_sweep_request *request, files_sweep_fn done, void *userdata) {
        struct files *theirs;
        int r = owner_files(files, request->owner, &theirs);

        return r < 0 ? r : files_sweep(theirs, request, done, userdata);
}

static const struct files_ops owners_ops = {
        .free = owners_free,
        .fd = owners_fd,
        .dispatch = owners_dispatch,
        .wait = owners_wait,
        .outstanding = owners_outstanding,
        .check = owners_check,
        .open = owners_open,
        .close = owners_close,
        .reserve = owners_reserve,
        .checkpoint = owners_checkpoint,
        .scratch = owners_scratch,
        .certificate = owners_certificate,
        .read_hashes = owners_read_hashes,
        .verify = owners_verify,
        .open_window = owners_open_window,
        .window_drop = owners_window_drop,
        .window_digest = owners_window_digest,
        .digest_ahead = owners_digest_ahead,
        .finish = owners_finish,
        .decrypt = owners_decrypt,
        .list = owners_list,
        .sweep = owners_sweep,
};

int files_new_owners(const struct files_owners_config *config, const struct clock *clock, struct files **ret) {
        struct owners *self = calloc(1, sizeof(*self));

        if (!self)
                return -ENOMEM;
        self->base.ops = &owners_ops;
        self->config = *config;
        self->clock = clock;
        self->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
        if (self->epoll_fd < 0) {
                free(self);
                return -errno;
        }
        *ret = &self->base;
        return 0;
}

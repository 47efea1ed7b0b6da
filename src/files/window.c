/* Windows on files that are handed on as they come: a file in memory, of which what was taken is given back. */
#include <fcntl.h>

#include "files/digest.h"
#include "files/handle.h"

int local_open_window(struct local_files *files, int fd, bool digest, struct local_handle **ret) {
        _cleanup_(handle_destroyp) struct local_handle *handle = handle_new();
        int r;

        if (!handle)
                return -ENOMEM;
        if (digest) {
                r = digest_new(&handle->digest);
                if (r < 0)
                        return r;
        }
        r = mounts_find(files->mounts, "/", &handle->mount); /* only for its lanes */
        if (r < 0)
                return r;
        handle->fd = handle->base.window_fd = fd;
        *ret = TAKE_PTR(handle);
        return 0;
}

struct drop_request {
        struct request request; /* first member */
        struct local_handle *handle;
        files_done_fn done;
        void *userdata;
        uint64_t start, end;
        int error;
};

static void drop_run(struct request *request) {
        struct drop_request *self = CONTAINER_OF(request, struct drop_request, request);
        struct local_handle *handle = self->handle;
        off_t start = (off_t) self->start, n = (off_t) (self->end - self->start);

        if (handle->digest)
                self->error = digest_add_descriptor(handle->digest, handle->fd, self->start, self->end - self->start,
                                                    &request->files->stop, &handle->closed);
        if (self->error == 0 && fallocate(handle->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, start, n) < 0)
                self->error = -errno;
}

static void drop_complete(struct request *request) {
        struct drop_request *self = CONTAINER_OF(request, struct drop_request, request);

        self->done(self->error, self->userdata);
}

static void drop_destroy(struct request *request) {
        struct drop_request *self = CONTAINER_OF(request, struct drop_request, request);

        handle_unref(request->files, self->handle);
        free(self);
}

int local_window_drop(struct local_files *files, struct local_handle *handle, uint64_t start, uint64_t end, files_done_fn done,
                      void *userdata) {
        struct drop_request *self = calloc(1, sizeof(*self));

        if (!self)
                return -ENOMEM;
        *self = (struct drop_request) {
                .request = { .run = drop_run, .complete = drop_complete, .destroy = drop_destroy },
                .handle = handle_ref(handle),
                .done = done,
                .userdata = userdata,
                .start = start,
                .end = end,
        };
        request_submit(files, &self->request, mount_lane(handle->mount, LANE_DIGEST));
        return 0;
}

int local_window_digest(const struct local_handle *handle, uint8_t ret[static DIGEST_SIZE]) {
        return handle->digest ? digest_get(handle->digest, ret) : -EINVAL;
}

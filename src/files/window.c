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

static int drop(struct local_handle *handle, uint64_t start, uint64_t end, const atomic_bool *stop) {
        int r = 0;

        if (handle->digest)
                r = digest_add_descriptor(handle->digest, handle->fd, start, end - start, stop, &handle->closed);
        if (r == 0 && fallocate(handle->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t) start, (off_t) (end - start)) < 0)
                r = -errno;
        return r;
}

int local_window_drop(struct local_files *files, struct local_handle *handle, uint64_t start, uint64_t end, files_done_fn done,
                      void *userdata) {
        return handle_read(files, handle, LANE_DIGEST, start, end, drop, done, userdata);
}

int local_window_digest(const struct local_handle *handle, uint8_t ret[static DIGEST_SIZE]) {
        return handle->digest ? digest_get(handle->digest, ret) : -EINVAL;
}

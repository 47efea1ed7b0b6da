#include "files/local.h"

#include <utlist.h>

#include "base/strings.h"
#include "files/handle.h"

static struct local_files *to_local(const struct files *files) {
        return CONTAINER_OF(files, struct local_files, base);
}

static struct local_handle *to_handle(struct files_handle *handle) {
        return CONTAINER_OF(handle, struct local_handle, base);
}

/* ---- requests ---- */

static void request_run(struct work *work) {
        struct request *request = CONTAINER_OF(work, struct request, work);

        request->run(request);
}

static void request_done(struct work *work) {
        struct request *request = CONTAINER_OF(work, struct request, work);

        DL_DELETE(request->files->requests, request);
        if (request->complete)
                request->complete(request);
        request->destroy(request);
}

void request_submit(struct local_files *files, struct request *request, const void *lane) {
        request->files = files;
        request->work = (struct work) { .run = request_run, .done = request_done, .lane = lane, .idle = request->idle };
        DL_APPEND(files->requests, request);
        workers_submit(files->workers, &request->work);
}

void request_submit_looking(struct local_files *files, struct request *request, struct mount *mount) {
        request->turn = mounts_turn(files->mounts);
        atomic_fetch_add(&mount->n_lookers, 1);
        request_submit(files, request, mount_lane(mount, LANE_NAMES));
}

void request_looked(struct mount *mount) {
        if (atomic_fetch_sub(&mount->n_lookers, 1) == 1)
                look_done(&mount->look);
}

/* ---- the interface ---- */

static struct files *ops_free(struct files *files, uint64_t patience_usec) {
        struct local_files *self = to_local(files);
        struct request *request, *tmp;

        atomic_store(&self->stop, true);
        self->workers = workers_free(self->workers, patience_usec);
        if (self->workers)
                return NULL; /* the threads that hang still hold on to all of it */
        DL_FOREACH_SAFE(self->requests, request, tmp) {
                DL_DELETE(self->requests, request);
                request->destroy(request);
        }
        self->mounts = mounts_free(self->mounts); /* and what they looked at last */
        self->directories = directories_free(self->directories);
        free(self->certificates);
        free(self->machine_certificates);
        free(self);
        return NULL;
}

static int ops_fd(const struct files *files) {
        return workers_fd(to_local(files)->workers);
}

static size_t ops_dispatch(struct files *files) {
        struct local_files *self = to_local(files);

        mounts_next_turn(self->mounts);
        return workers_dispatch(self->workers);
}

static size_t ops_wait(struct files *files) {
        struct local_files *self = to_local(files);

        mounts_next_turn(self->mounts);
        return workers_wait(self->workers);
}

static size_t ops_outstanding(const struct files *files) {
        return workers_outstanding(to_local(files)->workers);
}

static int ops_check(struct files *files, const struct files_check_request *request, files_check_fn done, void *userdata) {
        return local_check(to_local(files), request, done, userdata);
}

static int ops_open(struct files *files, const struct files_open_request *request, files_open_fn done, void *userdata) {
        return local_open(to_local(files), request, done, userdata);
}

static struct files_handle *ops_close(struct files *files, struct files_handle *handle) {
        local_close(to_local(files), to_handle(handle));
        return NULL;
}

static int ops_reserve(struct files *files, struct files_handle *handle, uint64_t size, bool background, files_done_fn done,
                       void *userdata) {
        return local_reserve(to_local(files), to_handle(handle), size, background, done, userdata);
}

static int ops_checkpoint(struct files *files, struct files_handle *handle, struct files_piece *chunks, size_t n_chunks,
                          files_done_fn done, void *userdata) {
        return local_checkpoint(to_local(files), to_handle(handle), chunks, n_chunks, done, userdata);
}

static int ops_scratch(struct files *files, struct files_handle *handle, files_scratch_fn done, void *userdata) {
        return local_scratch(to_local(files), to_handle(handle), done, userdata);
}

static int ops_read_hashes(struct files *files, struct files_handle *handle, int fd, uint64_t size,
                           const struct integrity_info *expected, files_hashes_fn done, void *userdata) {
        return local_read_hashes(to_local(files), to_handle(handle), fd, size, expected, done, userdata);
}

static int ops_verify(struct files *files, struct files_handle *handle, const struct files_piece *pieces, size_t n,
                      files_verify_fn done, void *userdata) {
        return local_verify(to_local(files), to_handle(handle), pieces, n, done, userdata);
}

static int ops_open_window(struct files *files, uid_t owner _unused_, int fd, bool digest, struct files_handle **ret) {
        struct local_handle *handle;
        int r = local_open_window(to_local(files), fd, digest, &handle);

        if (r == 0)
                *ret = &handle->base;
        return r;
}

static int ops_window_drop(struct files *files, struct files_handle *handle, uint64_t start, uint64_t end, files_done_fn done,
                           void *userdata) {
        return local_window_drop(to_local(files), to_handle(handle), start, end, done, userdata);
}

static int ops_window_digest(const struct files_handle *handle, uint8_t *ret) {
        return local_window_digest(CONTAINER_OF(handle, const struct local_handle, base), ret);
}

static int ops_digest_ahead(struct files *files, struct files_handle *handle, uint64_t start, uint64_t end, files_done_fn done,
                            void *userdata) {
        return local_digest_ahead(to_local(files), to_handle(handle), start, end, done, userdata);
}

static int ops_finish(struct files *files, struct files_handle *handle, const struct files_finish_request *request,
                      files_finish_fn done, void *userdata) {
        return local_finish(to_local(files), to_handle(handle), request, done, userdata);
}

static int ops_decrypt(struct files *files, struct files_handle *source, struct files_handle *target,
                       const struct files_decrypt_request *request, files_decrypt_fn done, void *userdata) {
        return local_decrypt(to_local(files), to_handle(source), target ? to_handle(target) : NULL, request, done, userdata);
}

static int ops_list(struct files *files, enum files_list_kind kind, const struct files_item *items, size_t n, files_list_fn done,
                    void *userdata) {
        return local_list(to_local(files), kind, items, n, done, userdata);
}

static int ops_sweep(struct files *files, const struct files_sweep_request *request, files_sweep_fn done, void *userdata) {
        return local_sweep(to_local(files), request, done, userdata);
}

static int ops_certificate(struct files *files, struct files_handle *handle, const struct certificate_name *name,
                  files_certificate_fn done, void *userdata) {
        return local_certificate(to_local(files), name, done, userdata);
}

static const struct files_ops local_ops = {
        .free = ops_free,
        .fd = ops_fd,
        .dispatch = ops_dispatch,
        .wait = ops_wait,
        .outstanding = ops_outstanding,
        .check = ops_check,
        .open = ops_open,
        .close = ops_close,
        .reserve = ops_reserve,
        .checkpoint = ops_checkpoint,
        .scratch = ops_scratch,
        .read_hashes = ops_read_hashes,
        .verify = ops_verify,
        .open_window = ops_open_window,
        .window_drop = ops_window_drop,
        .window_digest = ops_window_digest,
        .digest_ahead = ops_digest_ahead,
        .finish = ops_finish,
        .decrypt = ops_decrypt,
        .list = ops_list,
        .certificate = ops_certificate,
        .sweep = ops_sweep,
};

int files_new(const struct files_config *config, struct files **ret) {
        struct local_files *self = calloc(1, sizeof(*self));
        int r;

        if (!self)
                return -ENOMEM;
        self->base.ops = &local_ops;
        atomic_init(&self->stop, false);
        self->minimum_free_bytes = config->minimum_free_bytes;
        r = config->certificates ? strdup_to(&self->certificates, config->certificates) : 0;
        if (r == 0 && config->machine_certificates)
                r = strdup_to(&self->machine_certificates, config->machine_certificates);
        if (r == 0)
                r = mounts_new(&self->mounts);
        if (r == 0)
                r = directories_new(&self->directories);
        if (r == 0)
                r = workers_new(MAX(config->max_threads, 1u), &self->workers);
        if (r < 0) {
                ops_free(&self->base, USEC_INFINITY);
                return r;
        }
        *ret = &self->base;
        return 0;
}

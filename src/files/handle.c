#include "files/handle.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/strings.h"
#include "files/space.h"

/* ---- life ---- */

struct local_handle *handle_ref(struct local_handle *handle) {
        assert(handle->n_refs > 0);
        handle->n_refs++;
        return handle;
}

struct local_handle *handle_destroy(struct local_handle *handle) {
        if (!handle)
                return NULL;
        fd_close(handle->fd);
        fd_close(handle->scratch_fd);
        directory_unref(handle->directory);
        ahead_free(handle->ahead);
        digest_free(handle->digest);
        ledger_done(&handle->base.ledger);
        pthread_mutex_destroy(&handle->sync_lock);
        pthread_mutex_destroy(&handle->ahead_lock);
        free(handle);
        return NULL;
}

struct local_handle *handle_new(void) {
        struct local_handle *handle = calloc(1, sizeof(*handle));

        if (!handle)
                return NULL;
        handle->n_refs = 1;
        handle->fd = handle->scratch_fd = handle->base.window_fd = -EBADF;
        atomic_init(&handle->reserved, false);
        atomic_init(&handle->closed, false);
        atomic_init(&handle->ahead_over, false);
        pthread_mutex_init(&handle->sync_lock, NULL);
        pthread_mutex_init(&handle->ahead_lock, NULL);
        return handle;
}

static void close_run(struct request *request) {
        struct local_handle *handle = CONTAINER_OF(request, struct local_handle, close_request);

        ahead_stop(handle);
        /* close(2) may write back on network file systems; what it could tell, the last sync told. */
        handle->fd = fd_close(handle->fd);
        handle->scratch_fd = fd_close(handle->scratch_fd);
        handle->directory = directory_unref(handle->directory);
}

/* Nobody has it any more; but what is under way may. */
static void release(struct local_handle *handle) {
        if (handle->n_refs == 0 && !handle->closing && !handle->reading_ahead)
                handle_destroy(handle);
}

static void close_destroy(struct request *request) {
        struct local_handle *handle = CONTAINER_OF(request, struct local_handle, close_request);

        handle->closing = false;
        release(handle);
}

struct local_handle *handle_unref(struct local_files *files, struct local_handle *handle) {
        if (!handle)
                return NULL;
        assert(handle->n_refs > 0);
        if (--handle->n_refs > 0)
                return NULL;
        if (handle->is_counted)
                atomic_fetch_sub(&handle->mount->n_open, 1);
        if (files->workers) {
                handle->closing = true;
                handle->close_request = (struct request) { .run = close_run, .destroy = close_destroy };
                request_submit(files, &handle->close_request, mount_lane(handle->mount, LANE_NAMES));
        } else /* local_free() */
                release(handle);
        return NULL;
}

struct local_handle *local_close(struct local_files *files, struct local_handle *handle) {
        if (!handle)
                return NULL;
        atomic_store(&handle->closed, true);
        atomic_store(&handle->ahead_over, true);
        if (handle->reading_ahead)
                (void) workers_withdraw(files->workers, &handle->reading_ahead->work);
        return handle_unref(files, handle);
}

/* ---- open ---- */

struct open_request {
        struct request request;
        files_open_fn done;
        void *userdata;
        char *directory_path;
        char temp_name[FILES_TEMP_NAME_MAX];
        bool create;
        struct files_identity temp;
        struct files_identity directory;
        bool adopt;
        uint64_t durable_end;
        uint64_t reserve_bytes;
        uint64_t keep_free;
        struct mount *mount; /* by its letters */

        int error;
        struct local_handle *handle;
};

/* Is what stands under the temp name the file that we knew? Asked twice: before the opening, as opening a device
 * does things, and of the descriptor. */
static int temp_is_known(const struct open_request *self, const struct file_facts *facts) {
        if (!facts_are_ours(facts, geteuid()) || facts->n_links != 1)
                return -ESTALE;
        if (self->adopt)
                return 0; /* its name is as good as a key: 128 random bits */
        return files_identity_equal(&facts->identity, &self->temp) && facts->size >= self->durable_end ? 0 : -ESTALE;
}

static int temp_open_existing(struct open_request *self, struct local_handle *handle) {
        int r, dirfd = directory_fd(handle->directory);

        r = path_facts(dirfd, self->temp_name, &handle->facts);
        if (r < 0)
                return r == -ENOENT ? -ESTALE : r;
        r = temp_is_known(self, &handle->facts);
        if (r < 0)
                return r;
        handle->fd = path_open_beneath(dirfd, self->temp_name, O_RDWR | O_NONBLOCK, 0);
        if (handle->fd < 0)
                return handle->fd == -ENOENT || handle->fd == -ELOOP ? -ESTALE : handle->fd;
        r = path_facts(handle->fd, "", &handle->facts);
        if (r < 0)
                return r;
        r = temp_is_known(self, &handle->facts);
        if (r < 0)
                return r;
        /* Nothing in it counts (the caller has forgotten it on disk): of a longer old content no byte may stay
         * behind a new end. */
        if (self->durable_end == 0 && !self->adopt && ftruncate(handle->fd, 0) < 0)
                return -errno;
        return space_reserve(handle->fd, self->reserve_bytes, self->keep_free);
}

static int temp_create(struct open_request *self, struct local_handle *handle) {
        int r, dirfd = directory_fd(handle->directory);

        handle->fd = path_open_beneath(dirfd, self->temp_name, O_RDWR | O_CREAT | O_EXCL, 0600);
        if (handle->fd < 0)
                return handle->fd;
        r = path_facts(handle->fd, "", &handle->facts);
        if (r == 0)
                r = space_reserve(handle->fd, self->reserve_bytes, self->keep_free);
        if (r < 0)
                (void) unlinkat(dirfd, self->temp_name, 0);
        return r;
}

static int open_now(struct open_request *self) {
        _cleanup_(handle_destroyp) struct local_handle *handle = handle_new();
        struct directory *directory;
        int r;

        if (!handle)
                return -ENOMEM;
        r = look_open(&self->mount->look, self->request.files->directories, self->request.turn, self->directory_path, &directory);
        if (r < 0)
                return r;
        handle->directory = directory_ref(directory);
        if (self->directory.ino != 0 &&
            !files_identity_equal(&self->directory, &directory_facts(handle->directory)->identity))
                return -ESTALE;
        r = self->create ? temp_create(self, handle) : temp_open_existing(self, handle);
        if (r < 0)
                return r;
        memcpy(handle->temp_name, self->temp_name, sizeof(handle->temp_name));
        /* Also for a file that was there: who opened it before may have reserved. */
        atomic_store(&handle->reserved, !self->create || self->reserve_bytes != FILES_SIZE_UNKNOWN);
        /* Also for a file that was there: its name may never have reached the disk. */
        handle->name_number = directory_name_made(handle->directory);
        handle->mount = self->mount;
        self->handle = TAKE_PTR(handle);
        return 0;
}

static void open_run(struct request *request) {
        struct open_request *self = CONTAINER_OF(request, struct open_request, request);

        self->error = open_now(self);
        request_looked(self->mount);
}

static void open_complete(struct request *request) {
        struct open_request *self = CONTAINER_OF(request, struct open_request, request);
        struct files_open_result result = { .error = self->error, .fd = -EBADF };
        struct local_handle *handle = TAKE_PTR(self->handle);

        if (handle) {
                uint64_t mount_id = directory_facts(handle->directory)->mount_id;

                /* From here on the real mount is known, whatever links the path leads through. */
                if (mount_id != 0 && mounts_find_id(request->files->mounts, mount_id, &handle->mount) == 0)
                        mounts_learn(request->files->mounts, self->directory_path, mount_id);
                atomic_fetch_add(&handle->mount->n_open, 1);
                handle->is_counted = true;
                result.handle = &handle->base;
                result.fd = handle->fd;
                result.temp = handle->facts.identity;
                result.directory = directory_facts(handle->directory)->identity;
        }
        self->done(&result, self->userdata);
}

static void open_destroy(struct request *request) {
        struct open_request *self = CONTAINER_OF(request, struct open_request, request);

        handle_destroy(self->handle);
        free(self->directory_path);
        free(self);
}

int local_open(struct local_files *files, const struct files_open_request *request, files_open_fn done, void *userdata) {
        struct open_request *self;
        int r;

        r = files_path_check(request->path);
        if (r < 0)
                return r;
        if (!temp_name_is_valid(request->temp_name))
                return -EINVAL;
        self = calloc(1, sizeof(*self));
        if (!self)
                return -ENOMEM;
        *self = (struct open_request) {
                .request = { .run = open_run, .complete = open_complete, .destroy = open_destroy },
                .done = done,
                .userdata = userdata,
                .directory_path = path_directory(request->path),
                .create = request->create,
                .temp = request->temp,
                .directory = request->directory,
                .adopt = request->adopt,
                .durable_end = request->durable_end,
                .reserve_bytes = request->reserve_bytes,
                .keep_free = files_keep_free(files, request->background),
        };
        memcpy(self->temp_name, request->temp_name, sizeof(self->temp_name));
        r = self->directory_path ? mounts_find(files->mounts, request->path, &self->mount) : -ENOMEM;
        if (r < 0) {
                open_destroy(&self->request);
                return r;
        }
        request_submit_looking(files, &self->request, self->mount);
        return 0;
}

/* ---- reserve ---- */

struct reserve_request {
        struct request request;
        files_done_fn done;
        void *userdata;
        struct local_handle *handle;
        uint64_t size;
        uint64_t keep_free;
        int error;
};

static void reserve_run(struct request *request) {
        struct reserve_request *self = CONTAINER_OF(request, struct reserve_request, request);

        self->error = space_reserve(self->handle->fd, self->size, self->keep_free);
}

static void reserve_complete(struct request *request) {
        struct reserve_request *self = CONTAINER_OF(request, struct reserve_request, request);

        self->done(self->error, self->userdata);
}

static void reserve_destroy(struct request *request) {
        struct reserve_request *self = CONTAINER_OF(request, struct reserve_request, request);

        handle_unref(request->files, self->handle);
        free(self);
}

int local_reserve(struct local_files *files, struct local_handle *handle, uint64_t size, bool background, files_done_fn done,
                  void *userdata) {
        struct reserve_request *self = calloc(1, sizeof(*self));

        if (!self)
                return -ENOMEM;
        *self = (struct reserve_request) {
                .request = { .run = reserve_run, .complete = reserve_complete, .destroy = reserve_destroy },
                .done = done,
                .userdata = userdata,
                .handle = handle_ref(handle),
                .size = size,
                .keep_free = files_keep_free(files, background),
        };
        atomic_store(&handle->reserved, true);
        request_submit(files, &self->request, mount_lane(handle->mount, LANE_NAMES));
        return 0;
}

/* ---- to read a part of it ---- */

struct read_request {
        struct request request; /* first member */
        struct local_handle *handle;
        handle_read_fn read;
        files_done_fn done;
        void *userdata;
        uint64_t start, end;
        int error;
};

static void read_run(struct request *request) {
        struct read_request *self = CONTAINER_OF(request, struct read_request, request);

        self->error = self->read(self->handle, self->start, self->end, &request->files->stop);
}

static void read_complete(struct request *request) {
        struct read_request *self = CONTAINER_OF(request, struct read_request, request);

        if (request->idle)
                self->handle->reading_ahead = NULL; /* the next may be asked for from within */
        self->done(self->error, self->userdata);
}

static void read_destroy(struct request *request) {
        struct read_request *self = CONTAINER_OF(request, struct read_request, request);

        if (request->idle) {
                if (self->handle->reading_ahead == request)
                        self->handle->reading_ahead = NULL;
                release(self->handle);
        } else
                handle_unref(request->files, self->handle);
        free(self);
}

int handle_read(struct local_files *files, struct local_handle *handle, enum lane lane, uint64_t start, uint64_t end, handle_read_fn read,
                files_done_fn done, void *userdata) {
        bool idle = lane == LANE_AHEAD;
        struct read_request *self;

        if (idle && handle->reading_ahead)
                return -EBUSY;
        self = calloc(1, sizeof(*self));
        if (!self)
                return -ENOMEM;
        *self = (struct read_request) {
                .request = { .run = read_run, .complete = read_complete, .destroy = read_destroy, .idle = idle },
                .handle = idle ? handle : handle_ref(handle),
                .read = read,
                .done = done,
                .userdata = userdata,
                .start = start,
                .end = end,
                .error = -ECANCELED, /* if it does not run */
        };
        if (idle)
                handle->reading_ahead = &self->request;
        request_submit(files, &self->request, mount_lane(handle->mount, lane));
        return 0;
}

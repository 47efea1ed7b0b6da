#include "files/sync.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/statfs.h>
#include <unistd.h>
#include <utlist.h>

#include "files/access.h"
#include "files/digest.h"

/* So that the first of many does not wait for the last of them. 10,000 files of 4 KiB on ext4: 5.5 s one by one,
 * 1.2 s in batches of 256, 0.4 s with syncfs(2) for each batch. */
#define BATCH_MAX 256
/* From here on one syncfs(2), which also waits for what others wrote, is cheaper than a flush of the disk's cache
 * per file. */
#define SYNCFS_MIN 32
/* While so many more files are open, their end is near: they are waited for this long, once, so that a flush of the disk serves tens of
 * files and not three (PostgreSQL: commit_delay, commit_siblings). */
#define SIBLINGS_MIN SYNCFS_MIN
#define SIBLINGS_DELAY_USEC 4000

/* A failed sync is final for the handle: the kernel has marked the pages clean, and the next call would say 0 (ATC
 * 2020, "Can Applications Recover from fsync Failures?"). */
static int handle_sync(struct local_handle *handle, bool whole_inode) {
        int r;

        pthread_mutex_lock(&handle->sync_lock);
        if (handle->sync_error == 0) {
                do
                        r = (whole_inode ? fsync(handle->fd) : fdatasync(handle->fd)) < 0 ? -errno : 0;
                while (r == -EINTR);
                handle->sync_error = r;
        }
        r = handle->sync_error;
        pthread_mutex_unlock(&handle->sync_lock);
        return r;
}

static bool is_file_system_of_a_disk(const struct statfs *sfs) {
        return sfs->f_type == EXT4_SUPER_MAGIC || sfs->f_type == XFS_SUPER_MAGIC || sfs->f_type == BTRFS_SUPER_MAGIC;
}

/* Only where syncfs(2) is known to give all that fsync(2) gives each file: FUSE writes back, but never tells its
 * server to sync. */
static bool file_system_syncs_as_a_whole(int fd) {
        struct statfs sfs;

        return fstatfs(fd, &sfs) == 0 && is_file_system_of_a_disk(&sfs);
}

void sync_batch_enter(struct sync_batch *batch, const struct local_handle *handle) {
        struct statfs sfs;

        if (batch->directory == handle->directory)
                return;
        *batch = (struct sync_batch) {
                .directory = handle->directory,
                .has_default_acl = access_has_default(directory_fd(handle->directory)),
                .tells_everybody = fstatfs(handle->fd, &sfs) == 0 && (is_file_system_of_a_disk(&sfs) || sfs.f_type == TMPFS_MAGIC),
        };
}

int sync_before_reopening(const struct sync_batch *batch, struct local_handle *handle) {
        return batch->tells_everybody ? 0 : handle_sync(handle, false);
}

/* After a syncfs(2) that succeeded: whether write-back of this very file failed, which is told to each descriptor
 * once. */
static int handle_sync_outcome(struct local_handle *handle) {
        const unsigned wait = SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER;
        int r;

        pthread_mutex_lock(&handle->sync_lock);
        if (handle->sync_error == 0 && sync_file_range(handle->fd, 0, 0, wait) < 0)
                handle->sync_error = -errno;
        r = handle->sync_error;
        pthread_mutex_unlock(&handle->sync_lock);
        return r;
}

/* Return: false if each file is to be synced by itself. */
static bool sync_whole_file_system(const struct sync_request *list, unsigned n) {
        if (n < SYNCFS_MIN || !file_system_syncs_as_a_whole(list->handle->fd))
                return false;
        /* It may fail for somebody else's file: then each of ours is asked by itself. */
        return syncfs(list->handle->fd) == 0;
}

/* Only a push, not a promise. Alone it would be a waste. */
static void begin_write_back(const struct sync_request *list) {
        const struct sync_request *sync;

        if (!list || !list->next)
                return;
        DL_FOREACH(list, sync)
                if (sync->error == 0)
                        (void) sync_file_range(sync->handle->fd, 0, 0, SYNC_FILE_RANGE_WRITE);
}

static void sync_list(struct sync_request *list) {
        struct sync_batch batch = {};
        struct sync_request *sync;
        unsigned n = 0;
        bool synced;

        DL_FOREACH(list, sync) {
                if (sync->prepare)
                        sync->error = sync->prepare(sync, &batch);
                n += sync->error == 0;
        }
        synced = sync_whole_file_system(list, n);
        if (!synced)
                begin_write_back(list);
        DL_FOREACH(list, sync)
                if (sync->error == 0)
                        sync->error = synced ? handle_sync_outcome(sync->handle) :
                                handle_sync(sync->handle, sync->whole_inode);
        DL_FOREACH(list, sync)
                if (sync->error == 0)
                        sync->error = directory_make_durable(sync->handle->directory, sync->handle->name_number,
                                                             sync->handle->fd);
}

/* Lock held on entry and exit. */
static void wait_for_siblings(struct mount *mount) {
        unsigned n_open = atomic_load(&mount->n_open), n_waiting = mount->n_waiting;

        if (n_waiting >= SYNCFS_MIN || n_open < n_waiting + SIBLINGS_MIN)
                return;
        pthread_mutex_unlock(&mount->lock);
        (void) usleep(SIBLINGS_DELAY_USEC);
        pthread_mutex_lock(&mount->lock);
}

static void sync_run_batch(struct request *request) {
        struct sync_request *self = CONTAINER_OF(request, struct sync_request, request), *batch = NULL, *sync, *tmp;
        struct mount *mount = self->handle->mount;
        unsigned n = 0;

        pthread_mutex_lock(&mount->lock);
        if (!self->taken)
                wait_for_siblings(mount);
        if (!self->taken)
                DL_FOREACH_SAFE(mount->waiting, sync, tmp) {
                        if (n++ == BATCH_MAX)
                                break;
                        DL_DELETE(mount->waiting, sync);
                        mount->n_waiting--;
                        sync->taken = true;
                        DL_APPEND(batch, sync);
                }
        pthread_mutex_unlock(&mount->lock);
        /* Those that are taken along are finished when their own turn comes: one lane, one after the other. */
        sync_list(batch);
}

static void sync_run_alone(struct request *request) {
        struct sync_request *self = CONTAINER_OF(request, struct sync_request, request), *list = NULL;

        DL_APPEND(list, self);
        sync_list(list);
}

int sync_request_init(struct sync_request *sync, struct local_handle *handle) {
        int r = intervals_copy(&sync->written, &handle->base.ledger.written);

        if (r < 0)
                return r;
        sync->handle = handle_ref(handle);
        return 0;
}

void sync_request_done(struct sync_request *sync) {
        intervals_done(&sync->written);
        handle_unref(sync->request.files, sync->handle);
}

void sync_request_submit(struct local_files *files, struct sync_request *sync, enum lane lane) {
        struct mount *mount = sync->handle->mount;

        sync->request.run = lane == LANE_SYNC ? sync_run_batch : sync_run_alone;
        sync->request.files = files; /* another one's batch may take it before it is submitted itself */
        if (lane == LANE_SYNC) {
                pthread_mutex_lock(&mount->lock);
                DL_APPEND(mount->waiting, sync);
                mount->n_waiting++;
                pthread_mutex_unlock(&mount->lock);
        }
        request_submit(files, &sync->request, mount_lane(mount, lane));
}

int sync_request_settle(struct sync_request *sync) {
        if (sync->error == 0)
                sync->error = intervals_add_all(&sync->handle->base.ledger.durable, &sync->written);
        return sync->error;
}

/* ---- checkpoint ---- */

struct checkpoint_request {
        struct sync_request sync; /* first member */
        files_done_fn done;
        void *userdata;
        struct files_piece *chunks; /* the caller's */
        size_t n_chunks;
};

static struct checkpoint_request *to_checkpoint(struct request *request) {
        return CONTAINER_OF(request, struct checkpoint_request, sync.request);
}

/* What was just written is still in the page cache. The disk may begin meanwhile. */
static int checkpoint_hash(struct sync_request *sync, struct sync_batch *batch _unused_) {
        struct checkpoint_request *self = CONTAINER_OF(sync, struct checkpoint_request, sync);
        struct local_handle *handle = sync->handle;

        (void) sync_file_range(handle->fd, 0, 0, SYNC_FILE_RANGE_WRITE);
        for (size_t i = 0; i < self->n_chunks; i++) {
                struct files_piece *chunk = &self->chunks[i];

                /* Without its hash it is as durable as the others. */
                if (digest_descriptor(handle->fd, chunk->start, chunk->bytes, &sync->request.files->stop, &handle->closed, chunk->hash) < 0)
                        chunk->bytes = 0;
        }
        return 0;
}

static void checkpoint_complete(struct request *request) {
        struct checkpoint_request *self = to_checkpoint(request);

        self->done(sync_request_settle(&self->sync), self->userdata);
}

static void checkpoint_destroy(struct request *request) {
        struct checkpoint_request *self = to_checkpoint(request);

        sync_request_done(&self->sync);
        free(self);
}

int local_checkpoint(struct local_files *files, struct local_handle *handle, struct files_piece *chunks, size_t n_chunks,
                     files_done_fn done, void *userdata) {
        struct checkpoint_request *self = calloc(1, sizeof(*self));
        int r;

        if (!self)
                return -ENOMEM;
        r = sync_request_init(&self->sync, handle);
        if (r < 0) {
                free(self);
                return r;
        }
        self->sync.request.complete = checkpoint_complete;
        self->sync.request.destroy = checkpoint_destroy;
        self->done = done;
        self->userdata = userdata;
        self->chunks = chunks;
        self->n_chunks = n_chunks;
        if (n_chunks > 0)
                self->sync.prepare = checkpoint_hash;
        sync_request_submit(files, &self->sync, LANE_SYNC);
        return 0;
}

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fds.h"
#include "files/access.h"
#include "files/ahead.h"
#include "files/pieces.h"
#include "files/sync.h"

/* Larger ones are read in a lane of their own, so that nobody's checkpoint waits for a DVD. */
#define DIGEST_IN_BATCH_BYTES (1024 * 1024)

struct finish_request {
        struct sync_request sync; /* first member */
        files_finish_fn done;
        void *userdata;
        uint64_t size;
        mode_t mode;
        uint64_t mtime_usec;
        bool is_long; /* in LANE_DIGEST */
        bool has_sha256;
        uint8_t expected[DIGEST_SIZE];
        const struct files_piece *pieces; /* the caller's */
        size_t n_pieces;
        bool *bad; /* for each of them */
        struct files_finish_result result;
};

static struct finish_request *to_finish(struct request *request) {
        return CONTAINER_OF(request, struct finish_request, sync.request);
}

/* Blocks that were reserved behind the end: truncating to the same length frees them (ext4, xfs, btrfs, tmpfs). */
static int give_back_reserve(const struct local_handle *handle, uint64_t size) {
        struct file_facts facts;
        int r;

        if (!handle->reserved)
                return 0;
        r = path_facts(handle->fd, "", &facts);
        if (r < 0)
                return r;
        if (facts.size != size)
                return -EMSGSIZE;
        if (facts.allocated_bytes > size + MAX(facts.block_size, UINT64_C(4096)) && ftruncate(handle->fd, (off_t) size) < 0)
                return -errno;
        return 0;
}

/* From here on nobody may be able to write: what is verified now is what is published. Our own descriptor becomes one for reading (under
 * its number, so whoever holds the handle sees no change); then a read lease is had only if nobody else has the file open for
 * writing - a transfer process that was taken over and kept its descriptor, say. */
static int shut_out_writers(const struct local_handle *handle) {
        _cleanup_close_ int reader = -EBADF;

        reader = path_open_beneath(directory_fd(handle->directory), handle->temp_name, O_RDONLY | O_NONBLOCK, 0);
        if (reader < 0)
                return reader == -ENOENT || reader == -ELOOP ? -ESTALE : reader;
        if (dup3(reader, handle->fd, O_CLOEXEC) < 0)
                return -errno;
        reader = fd_close(reader);
        if (fcntl(handle->fd, F_SETLEASE, F_RDLCK) == 0)
                (void) fcntl(handle->fd, F_SETLEASE, F_UNLCK);
        else if (errno == EAGAIN)
                return -ETXTBSY;
        /* else: a file system without leases */
        return 0;
}

/* After the door was shut: is it the file that we made, and of the right size? */
static int judge_file(const struct local_handle *handle, uint64_t size, struct file_facts *ret) {
        int r = path_facts(handle->fd, "", ret);

        if (r < 0)
                return r;
        /* Removed, replaced, or known to somebody under another name. */
        if (ret->n_links != 1 || !files_identity_equal(&ret->identity, &handle->facts.identity))
                return -ESTALE;
        return ret->size == size ? 0 : -EMSGSIZE;
}

static int judge_digest(struct finish_request *self) {
        struct local_handle *handle = self->sync.handle;
        const atomic_bool *stop;
        int r = -ESTALE;

        if (!self->has_sha256)
                return 0;
        stop = &self->sync.request.files->stop;
        if (self->is_long && handle->ahead) {
                r = ahead_finish(handle->ahead, handle->fd, self->size, stop, &handle->closed, self->result.sha256);
                handle->ahead = ahead_free(handle->ahead);
        }
        if (r == -ESTALE)
                r = digest_descriptor(handle->fd, 0, self->size, stop, &handle->closed, self->result.sha256);
        if (r < 0)
                return r;
        return memcmp(self->result.sha256, self->expected, DIGEST_SIZE) == 0 ? 0 : -EBADMSG;
}

static int judge_pieces(struct finish_request *self) {
        struct local_handle *handle = self->sync.handle;
        int r;

        if (self->n_pieces == 0)
                return 0;
        r = pieces_judge(handle->fd, self->pieces, self->n_pieces, &self->sync.request.files->stop, &handle->closed, self->bad);
        return r > 0 ? -EILSEQ : r;
}

/* The last byte of most files was written just now. */
static bool time_is_now(const struct file_facts *facts) {
        uint64_t now = clock_now(&clock_system, CLOCK_ID_REALTIME);

        return facts->mtime_usec <= now && now - facts->mtime_usec < USEC_PER_SEC;
}

static int set_time(const struct finish_request *self, const struct file_facts *facts) {
        struct timespec times[2] = { { .tv_nsec = UTIME_OMIT }, { .tv_nsec = UTIME_NOW } };

        if (self->mtime_usec == 0 && time_is_now(facts))
                return 0;
        if (self->mtime_usec > 0) {
                times[1].tv_sec = (time_t) (self->mtime_usec / USEC_PER_SEC);
                times[1].tv_nsec = (long) (self->mtime_usec % USEC_PER_SEC) * 1000;
        }
        return futimens(self->sync.handle->fd, times) < 0 ? -errno : 0;
}

/* What the inode is to look like at its final name. The sync that follows makes it durable with the content. */
static int set_metadata(const struct finish_request *self, const struct file_facts *facts, const struct sync_batch *batch) {
        const struct local_handle *handle = self->sync.handle;
        mode_t mode = self->mode & 0777; /* never set-id */

        if (batch->has_default_acl)
                mode = access_mode_by_default(directory_fd(handle->directory), handle->fd, mode);
        if (fchmod(handle->fd, mode) < 0)
                return -errno;
        return set_time(self, facts);
}

static int finish_prepare(struct sync_request *sync, struct sync_batch *batch) {
        struct finish_request *self = CONTAINER_OF(sync, struct finish_request, sync);
        struct file_facts facts;
        int r;

        ahead_stop(sync->handle); /* what it reads by could be taken for a writer's descriptor */
        sync_batch_enter(batch, sync->handle);
        r = give_back_reserve(sync->handle, self->size);
        if (r == 0)
                r = sync_before_reopening(batch, sync->handle);
        if (r == 0)
                r = shut_out_writers(sync->handle);
        if (r == 0)
                r = judge_file(sync->handle, self->size, &facts);
        if (r < 0)
                return r;
        r = judge_pieces(self);
        if (r == 0)
                r = judge_digest(self);
        if (r < 0)
                return r;
        return set_metadata(self, &facts, batch);
}

static void finish_complete(struct request *request) {
        struct finish_request *self = to_finish(request);

        self->result.error = sync_request_settle(&self->sync);
        self->result.bad = self->bad;
        self->done(&self->result, self->userdata);
}

static void finish_destroy(struct request *request) {
        struct finish_request *self = to_finish(request);

        sync_request_done(&self->sync);
        free(self->bad);
        free(self);
}

int local_finish(struct local_files *files, struct local_handle *handle, const struct files_finish_request *request,
                 files_finish_fn done, void *userdata) {
        struct finish_request *self = calloc(1, sizeof(*self));
        bool *bad = request->n_pieces > 0 ? calloc(request->n_pieces, sizeof(*bad)) : NULL;
        int r = self && (bad || request->n_pieces == 0) ? 0 : -ENOMEM;

        if (r == 0)
                r = sync_request_init(&self->sync, handle);
        if (r < 0) {
                free(self);
                free(bad);
                return r;
        }
        self->is_long = (request->sha256 || request->n_pieces > 0) && request->size > DIGEST_IN_BATCH_BYTES;
        self->pieces = request->pieces;
        self->n_pieces = request->n_pieces;
        self->bad = bad;
        self->sync.request.complete = finish_complete;
        self->sync.request.destroy = finish_destroy;
        self->sync.prepare = finish_prepare;
        self->sync.whole_inode = true;
        self->done = done;
        self->userdata = userdata;
        self->size = request->size;
        self->mode = request->mode;
        self->mtime_usec = request->mtime_usec;
        if (request->sha256) {
                self->has_sha256 = true;
                memcpy(self->expected, request->sha256, DIGEST_SIZE);
        }
        sync_request_submit(files, &self->sync, self->is_long ? LANE_DIGEST : LANE_SYNC);
        return 0;
}

#include "files/pieces.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/fds.h"
#include "files/digest.h"
#include "files/handle.h"

_Static_assert(PIECE_HASH_BYTES == DIGEST_SIZE, "pieces are hashed as files are");

int pieces_judge(int fd, const struct files_piece *pieces, size_t n, const atomic_bool *stop, const atomic_bool *closed, bool *bad) {
        int n_bad = 0;

        for (size_t i = 0; i < n; i++) {
                uint8_t digest[DIGEST_SIZE];
                int r = digest_descriptor(fd, pieces[i].start, pieces[i].bytes, stop, closed, digest);

                if (r < 0 && r != -EMSGSIZE)
                        return r;
                bad[i] = r < 0 || memcmp(digest, pieces[i].hash, sizeof(digest)) != 0;
                n_bad += bad[i];
        }
        return n_bad;
}

/* ---- a file without a name ---- */

struct scratch_request {
        struct request request; /* first member */
        struct local_handle *handle;
        files_scratch_fn done;
        void *userdata;
        int fd; /* or -errno */
};

static int scratch_in_memory(void) {
        int fd = memfd_create("dosvc", MFD_CLOEXEC);

        return fd < 0 ? -errno : fd;
}

/* In the temp file's directory, as the transfer process that writes there is the one to write this; in memory where a file system has no
 * nameless files. */
static int scratch_open(int dirfd) {
        int fd = openat(dirfd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

        if (fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL || errno == ENOENT))
                return scratch_in_memory();
        return fd < 0 ? -errno : fd;
}

static void scratch_run(struct request *request) {
        struct scratch_request *self = CONTAINER_OF(request, struct scratch_request, request);

        struct local_handle *handle = self->handle;

        (void) fd_close(handle->scratch_fd);
        handle->scratch_fd = self->fd = handle->directory ? scratch_open(directory_fd(handle->directory)) : scratch_in_memory();
}

static void scratch_complete(struct request *request) {
        struct scratch_request *self = CONTAINER_OF(request, struct scratch_request, request);

        self->done(MIN(self->fd, 0), self->fd, self->userdata);
}

static void scratch_destroy(struct request *request) {
        struct scratch_request *self = CONTAINER_OF(request, struct scratch_request, request);

        handle_unref(request->files, self->handle);
        free(self);
}

int local_scratch(struct local_files *files, struct local_handle *handle, files_scratch_fn done, void *userdata) {
        struct scratch_request *self = calloc(1, sizeof(*self));

        if (!self)
                return -ENOMEM;
        *self = (struct scratch_request) {
                .request = { .run = scratch_run, .complete = scratch_complete, .destroy = scratch_destroy },
                .handle = handle_ref(handle),
                .done = done,
                .userdata = userdata,
                .fd = -EBADF,
        };
        request_submit(files, &self->request, mount_lane(handle->mount, LANE_NAMES));
        return 0;
}

/* ---- the piece hash file ---- */

struct hashes_request {
        struct request request; /* first member */
        struct local_handle *handle;
        files_hashes_fn done;
        void *userdata;
        int fd;
        size_t size;
        struct integrity_info expected; /* without its URL */
        int error;
        struct piece_hashes *hashes;
};

static int hashes_read(struct hashes_request *self) {
        _cleanup_free_ char *text = malloc(MAX(self->size, (size_t) 1));
        ssize_t n;

        if (!text)
                return -ENOMEM;
        n = fd_pread_all(self->fd, text, self->size, 0);
        if (n < 0)
                return (int) n;
        return piece_hashes_parse(text, (size_t) n, &self->expected, &self->hashes);
}

static void hashes_run(struct request *request) {
        struct hashes_request *self = CONTAINER_OF(request, struct hashes_request, request);

        self->error = hashes_read(self);
        self->fd = fd_close(self->fd); /* it may wait: not on the loop */
        self->handle->scratch_fd = fd_close(self->handle->scratch_fd);
}

static void hashes_complete(struct request *request) {
        struct hashes_request *self = CONTAINER_OF(request, struct hashes_request, request);

        self->done(self->error, TAKE_PTR(self->hashes), self->userdata);
}

static void hashes_destroy(struct request *request) {
        struct hashes_request *self = CONTAINER_OF(request, struct hashes_request, request);

        fd_close(self->fd);
        piece_hashes_free(self->hashes);
        handle_unref(request->files, self->handle);
        free(self);
}

int local_read_hashes(struct local_files *files, struct local_handle *handle, int fd, uint64_t size, const struct integrity_info *expected,
                      files_hashes_fn done, void *userdata) {
        struct hashes_request *self;
        int own_fd;

        if (size > LIMIT_PIECE_HASH_FILE)
                return -EFBIG;
        own_fd = fd_dup(fd);
        if (own_fd < 0)
                return own_fd;
        self = calloc(1, sizeof(*self));
        if (!self) {
                fd_close(own_fd);
                return -ENOMEM;
        }
        *self = (struct hashes_request) {
                .request = { .run = hashes_run, .complete = hashes_complete, .destroy = hashes_destroy },
                .handle = handle_ref(handle),
                .done = done,
                .userdata = userdata,
                .fd = own_fd,
                .size = (size_t) size,
                .expected = *expected,
        };
        self->expected.url = NULL;
        request_submit(files, &self->request, mount_lane(handle->mount, LANE_DIGEST));
        return 0;
}

/* ---- while it is being written ---- */

struct verify_request {
        struct request request; /* first member */
        struct local_handle *handle;
        files_verify_fn done;
        void *userdata;
        const struct files_piece *pieces;
        size_t n_pieces;
        int error;
        bool bad[]; /* n_pieces */
};

static void verify_run(struct request *request) {
        struct verify_request *self = CONTAINER_OF(request, struct verify_request, request);

        self->error = MIN(pieces_judge(self->handle->fd, self->pieces, self->n_pieces, &request->files->stop, &self->handle->closed,
                                       self->bad), 0);
}

static void verify_complete(struct request *request) {
        struct verify_request *self = CONTAINER_OF(request, struct verify_request, request);

        self->done(self->error, self->bad, self->n_pieces, self->userdata);
}

static void verify_destroy(struct request *request) {
        struct verify_request *self = CONTAINER_OF(request, struct verify_request, request);

        handle_unref(request->files, self->handle);
        free(self);
}

int local_verify(struct local_files *files, struct local_handle *handle, const struct files_piece *pieces, size_t n, files_verify_fn done,
                 void *userdata) {
        struct verify_request *self = calloc(1, sizeof(*self) + n * sizeof(self->bad[0]));

        if (!self)
                return -ENOMEM;
        self->request = (struct request) { .run = verify_run, .complete = verify_complete, .destroy = verify_destroy };
        self->handle = handle_ref(handle);
        self->done = done;
        self->userdata = userdata;
        self->pieces = pieces;
        self->n_pieces = n;
        request_submit(files, &self->request, mount_lane(handle->mount, LANE_DIGEST));
        return 0;
}

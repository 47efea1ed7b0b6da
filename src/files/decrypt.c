/* Decrypts one temp file into another, slice by slice: between two slices others of the lane have their turn, the caller hears how far it
 * got, and what was closed meanwhile ends. Each slice derives the file's keys anew from its header, so nothing secret waits in between. */
#include <fcntl.h>
#include <openssl/crypto.h>

#include "base/fds.h"
#include "files/handle.h"

#define SLICE_BYTES (UINT64_C(32) * 1024 * 1024)

struct decrypt_request {
        struct request request; /* first member */
        struct local_handle *source;
        struct local_handle *target; /* or NULL */
        files_decrypt_fn done;
        void *userdata;
        struct decryption_info info;
        uint64_t size;
        uint64_t first;
        struct files_decrypt_result result;
};

static bool is_unwanted(const struct decrypt_request *self) {
        return atomic_load_explicit(&self->request.files->stop, memory_order_relaxed) ||
               atomic_load_explicit(&self->source->closed, memory_order_relaxed) ||
               atomic_load_explicit(&self->target->closed, memory_order_relaxed);
}

static int read_exactly(int fd, void *ret, size_t size, uint64_t offset) {
        ssize_t n = fd_pread_all(fd, ret, size, offset);

        if (n < 0)
                return (int) n;
        return (size_t) n == size ? 0 : ERROR_DECRYPTION_DAMAGED;
}

static int read_header(struct decrypt_request *self, struct encryption **ret) {
        uint8_t header[ENCRYPTION_HEADER_BYTES];
        ssize_t n = fd_pread_all(self->source->fd, header, sizeof(header), 0);

        if (n < 0)
                return (int) n;
        return encryption_read_header(&self->info, header, (size_t) n, ret, &self->result.why);
}

/* What a crash leaves of it is made anew, so nothing is synced here; but write-back begins, or the end would have all of it to wait for. */
static int write_content(struct decrypt_request *self, const uint8_t *content, size_t size, uint64_t offset) {
        int r = fd_pwrite_all(self->target->fd, content, size, offset);

        if (r == 0 && size > 0)
                (void) sync_file_range(self->target->fd, (off_t) offset, (off_t) size, SYNC_FILE_RANGE_WRITE);
        return r;
}

static int decrypt_slice(struct decrypt_request *self, struct encryption *encryption, const struct encryption_layout *layout,
                         uint8_t *sealed, uint8_t *content) {
        uint64_t n = MAX(SLICE_BYTES / self->info.buffer_bytes, UINT64_C(1)), last = MIN(layout->n_buffers, self->first + n);

        for (uint64_t i = self->first; i < last; i++) {
                bool is_last = i + 1 == layout->n_buffers;
                size_t size = is_last ? layout->last_bytes : layout->sealed_bytes;
                uint64_t offset = i * self->info.buffer_bytes;
                int r;

                if (is_unwanted(self))
                        return -ECANCELED;
                r = read_exactly(self->source->fd, sealed, size, ENCRYPTION_HEADER_BYTES + i * layout->sealed_bytes);
                if (r == 0)
                        r = encryption_open(encryption, i, is_last, sealed, size, content, &size);
                if (r == 0)
                        r = write_content(self, content, size, offset);
                if (r != 0)
                        return r;
                self->result.content_bytes = offset + size;
        }
        self->result.next = last;
        self->result.is_complete = last == layout->n_buffers;
        return 0;
}

static int decrypt_now(struct decrypt_request *self) {
        _cleanup_(encryption_freep) struct encryption *encryption = NULL;
        _cleanup_free_ uint8_t *sealed = NULL;
        struct encryption_layout layout;
        uint8_t *content;
        int r;

        r = read_header(self, &encryption);
        if (r == 0)
                r = encryption_layout_make(&self->info, self->size, &layout);
        if (r != 0)
                return r;
        self->result.content_max = layout.content_max;
        if (!self->target)
                return 0;
        sealed = malloc(2 * layout.sealed_bytes);
        if (!sealed)
                return -ENOMEM;
        content = sealed + layout.sealed_bytes;
        r = decrypt_slice(self, encryption, &layout, sealed, content);
        OPENSSL_cleanse(content, layout.sealed_bytes);
        return r;
}

static void decrypt_run(struct request *request) {
        struct decrypt_request *self = CONTAINER_OF(request, struct decrypt_request, request);

        self->result.error = decrypt_now(self);
        decryption_info_done(&self->info);
}

static void decrypt_complete(struct request *request) {
        struct decrypt_request *self = CONTAINER_OF(request, struct decrypt_request, request);

        if (self->result.error == 0 && self->target && files_note_written(&self->target->base, 0, self->result.content_bytes) < 0)
                self->result.error = -ENOMEM;
        self->done(&self->result, self->userdata);
}

static void decrypt_destroy(struct request *request) {
        struct decrypt_request *self = CONTAINER_OF(request, struct decrypt_request, request);

        decryption_info_done(&self->info);
        handle_unref(request->files, self->source);
        handle_unref(request->files, self->target);
        free(self);
}

int local_decrypt(struct local_files *files, struct local_handle *source, struct local_handle *target,
                  const struct files_decrypt_request *request, files_decrypt_fn done, void *userdata) {
        struct decrypt_request *self = calloc(1, sizeof(*self));

        if (!self)
                return -ENOMEM;
        *self = (struct decrypt_request) {
                .request = { .run = decrypt_run, .complete = decrypt_complete, .destroy = decrypt_destroy },
                .source = handle_ref(source),
                .target = target ? handle_ref(target) : NULL,
                .done = done,
                .userdata = userdata,
                .size = request->size,
                .first = request->first,
                .result.why = "",
        };
        self->info = *request->info; /* no copy on the stack */
        request_submit(files, &self->request, mount_lane(source->mount, LANE_DECRYPT));
        return 0;
}

#include "files/files.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>

#include "base/strings.h"
#include "files/ops.h"
#include "files/paths.h"

/* ---- whoever does it ---- */

struct files *files_free(struct files *files, uint64_t patience_usec) {
        return files ? files->ops->free(files, patience_usec) : NULL;
}

int files_fd(const struct files *files) {
        return files->ops->fd(files);
}

size_t files_dispatch(struct files *files) {
        return files->ops->dispatch(files);
}

size_t files_wait(struct files *files) {
        return files->ops->wait(files);
}

size_t files_outstanding(const struct files *files) {
        return files->ops->outstanding(files);
}

int files_check(struct files *files, const struct files_check_request *request, files_check_fn done, void *userdata) {
        return files->ops->check(files, request, done, userdata);
}

int files_open(struct files *files, const struct files_open_request *request, files_open_fn done, void *userdata) {
        return files->ops->open(files, request, done, userdata);
}

struct files_handle *files_close(struct files *files, struct files_handle *handle) {
        return handle ? files->ops->close(files, handle) : NULL;
}

int files_reserve(struct files *files, struct files_handle *handle, uint64_t size, bool background, files_done_fn done,
                  void *userdata) {
        return files->ops->reserve(files, handle, size, background, done, userdata);
}

int files_checkpoint(struct files *files, struct files_handle *handle, struct files_piece *chunks, size_t n_chunks, files_done_fn done,
                     void *userdata) {
        return files->ops->checkpoint(files, handle, chunks, n_chunks, done, userdata);
}

int files_scratch(struct files *files, struct files_handle *handle, files_scratch_fn done, void *userdata) {
        return files->ops->scratch(files, handle, done, userdata);
}

int files_read_hashes(struct files *files, struct files_handle *handle, int fd, uint64_t size, const struct integrity_info *expected,
                      files_hashes_fn done, void *userdata) {
        return files->ops->read_hashes(files, handle, fd, size, expected, done, userdata);
}

int files_verify(struct files *files, struct files_handle *handle, const struct files_piece *pieces, size_t n, files_verify_fn done,
                 void *userdata) {
        return files->ops->verify(files, handle, pieces, n, done, userdata);
}

int files_open_window(struct files *files, uid_t owner, bool digest, struct files_handle **ret, int *ret_fd) {
        _cleanup_close_ int fd = memfd_create("dosvc-window", MFD_CLOEXEC);
        int r;

        /* Or whoever gets a descriptor for reading could open it for writing. */
        if (fd < 0 || fchmod(fd, 0600) < 0)
                return -errno;
        r = files->ops->open_window(files, owner, fd, digest, ret);
        if (r < 0)
                return r;
        *ret_fd = TAKE_FD(fd);
        return 0;
}

/* Opened anew: a copy of the descriptor would share its right to write. */
int files_window_reader(const struct files_handle *handle) {
        return fd_reopen(handle->window_fd, O_RDONLY);
}

int files_window_drop(struct files *files, struct files_handle *handle, uint64_t start, uint64_t end, files_done_fn done, void *userdata) {
        return files->ops->window_drop(files, handle, start, end, done, userdata);
}

int files_window_check(struct files *files, struct files_handle *handle, const uint8_t sha256[static 32]) {
        uint8_t digest[32];
        int r = files->ops->window_digest(handle, digest);

        if (r < 0)
                return r;
        return memcmp(digest, sha256, sizeof(digest)) == 0 ? 0 : -EBADMSG;
}

int files_digest_ahead(struct files *files, struct files_handle *handle, uint64_t start, uint64_t end, files_done_fn done, void *userdata) {
        return files->ops->digest_ahead(files, handle, start, end, done, userdata);
}

int files_finish(struct files *files, struct files_handle *handle, const struct files_finish_request *request,
                 files_finish_fn done, void *userdata) {
        return files->ops->finish(files, handle, request, done, userdata);
}

int files_decrypt(struct files *files, struct files_handle *source, struct files_handle *target,
                  const struct files_decrypt_request *request, files_decrypt_fn done, void *userdata) {
        return files->ops->decrypt(files, source, target, request, done, userdata);
}

int files_publish(struct files *files, const struct files_item *items, size_t n, files_list_fn done, void *userdata) {
        return files->ops->list(files, FILES_LIST_PUBLISH, items, n, done, userdata);
}

int files_publish_check(struct files *files, const struct files_item *items, size_t n, files_list_fn done, void *userdata) {
        return files->ops->list(files, FILES_LIST_PUBLISH_CHECK, items, n, done, userdata);
}

int files_remove(struct files *files, const struct files_item *items, size_t n, files_list_fn done, void *userdata) {
        return files->ops->list(files, FILES_LIST_REMOVE, items, n, done, userdata);
}

int files_certificate(struct files *files, struct files_handle *handle, const struct certificate_name *name,
                  files_certificate_fn done, void *userdata) {
        return files->ops->certificate(files, handle, name, done, userdata);
}

int files_sweep(struct files *files, const struct files_sweep_request *request, files_sweep_fn done, void *userdata) {
        return files->ops->sweep(files, request, done, userdata);
}

/* ---- the ledger ---- */

void ledger_done(struct ledger *ledger) {
        intervals_done(&ledger->written);
        intervals_done(&ledger->durable);
}

int files_note_written(struct files_handle *handle, uint64_t start, uint64_t end) {
        return intervals_add(&handle->ledger.written, start, end);
}

void files_note_lost(struct files_handle *handle, uint64_t start, uint64_t end) {
        struct ledger *ledger = &handle->ledger;

        if (intervals_remove(&ledger->written, start, end) < 0 || intervals_remove(&ledger->durable, start, end) < 0)
                ledger->is_blind = true;
}

void files_ledger_seed(struct files_handle *handle, const struct intervals *durable) {
        if (intervals_copy(&handle->ledger.durable, durable) < 0)
                handle->ledger.is_blind = true; /* or it would call an honest claim a lie */
}

void files_ledger_assert_durable(const struct files_handle *handle, const struct intervals *claimed) {
        if (!DOSVC_DEBUG || handle->ledger.is_blind)
                return;
        for (size_t i = 0; i < claimed->n_items; i++)
                if (!intervals_contain(&handle->ledger.durable, claimed->items[i].start, claimed->items[i].end))
                        abort(); /* a progress row covers bytes that no sync has covered */
}

/* ---- pure ---- */

bool files_identity_equal(const struct files_identity *a, const struct files_identity *b) {
        static const uint8_t unknown[sizeof(a->boot_id)] = {};

        if (a->ino == 0 || a->ino == FILES_INO_UNKNOWN || a->ino != b->ino)
                return false;
        if (memcmp(a->boot_id, b->boot_id, sizeof(a->boot_id)) == 0 &&
            memcmp(a->boot_id, unknown, sizeof(unknown)) != 0 && a->dev != b->dev)
                return false;
        return a->btime_usec == 0 || b->btime_usec == 0 || a->btime_usec == b->btime_usec;
}

int files_path_check(const char *path) {
        const char *name;

        if (*path != '/')
                return -EINVAL;
        if (strlen(path) > LIMIT_PATH)
                return -ENAMETOOLONG;
        for (const char *p = path; *p; p += strcspn(p, "/"), p += *p == '/')
                if (strcspn(p, "/") > LIMIT_NAME)
                        return -ENAMETOOLONG;
        name = path_name(path);
        if (*name == 0 || streq(name, ".") || streq(name, ".."))
                return -EINVAL;
        /* The janitor would take it for a temp file of ours one day. */
        if (temp_name_is_valid(name))
                return -EINVAL;
        return 0;
}

#define TEMP_RANDOM_BYTES 16 /* 22 characters */

/* Names of one thread's next files, all from one getrandom(2). */
static int random_take(uint8_t ret[static TEMP_RANDOM_BYTES]) {
        static _Thread_local uint8_t pool[16 * TEMP_RANDOM_BYTES]; /* up to 256 bytes are never cut short: getrandom(2) */
        static _Thread_local size_t left;

        if (left == 0) {
                ssize_t r;

                do
                        r = getrandom(pool, sizeof(pool), 0);
                while (r < 0 && errno == EINTR);
                if (r < 0)
                        return -errno;
                left = (size_t) r / TEMP_RANDOM_BYTES;
        }
        left--;
        memcpy(ret, pool + left * TEMP_RANDOM_BYTES, TEMP_RANDOM_BYTES);
        return 0;
}

int files_temp_name_new(char ret[static FILES_TEMP_NAME_MAX]) {
        uint8_t bytes[TEMP_RANDOM_BYTES];
        char text[23];
        int r = random_take(bytes);

        if (r < 0)
                return r;
        base64url_encode(bytes, sizeof(bytes), text);
        (void) stpcpy(stpcpy(stpcpy(ret, ".dosvc-"), text), ".part");
        return 0;
}

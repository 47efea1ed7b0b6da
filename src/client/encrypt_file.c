/* <dosvc.h>: makes the encrypted file that a server has, and the plain one of it. What is written appears whole or not at all. */
#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fds.h"
#include "base/strings.h"
#include "client/failure.h"
#include "client/public.h"
#include "client/rim.h"
#include "content/encryption.h"

_Static_assert(DOSVC_DECRYPTION_INFO_SIZE == DECRYPTION_INFO_TEXT_MAX, "one size");

struct work {
        struct decryption_info info;
        int in, out;
        uint64_t size;     /* of what is read */
        uint8_t *from;     /* room for a buffer with its tag and padding */
        uint8_t *to;
        const char *why;   /* more than the code says, or NULL */
        bool of_output;    /* what fails has to do with the file that is written */
};

static int32_t fail(const char *path, int r, const char *text) {
        enum error_code code = r < 0 ? error_code_from_errno(r) : (enum error_code) r;

        (void) failure_set(NULL, code, text);
        failure_about(NULL, path, NULL);
        return rim_hresult((int) code, JOB_FAMILY_DO);
}

/* -EAGAIN: it has become shorter. */
static int read_exactly(int fd, void *ret, size_t size) {
        ssize_t n = fd_read_all(fd, ret, size);

        if (n < 0)
                return (int) n;
        return (size_t) n == size ? 0 : -EAGAIN;
}

static int encrypt(struct work *work) {
        _cleanup_(encryption_freep) struct encryption *encryption = NULL;
        uint8_t salt[ENCRYPTION_SALT_BYTES], header[ENCRYPTION_HEADER_BYTES];
        struct encryption_layout layout;
        uint64_t left = work->size;
        int r;

        if (getrandom(salt, sizeof(salt), 0) != sizeof(salt)) /* never short below 256 bytes */
                return -EIO;
        if (encryption_layout_make(&work->info, encryption_size(&work->info, work->size), &layout) != 0)
                return -EFBIG;
        r = encryption_new(&work->info, salt, &encryption);
        if (r < 0)
                return r;
        encryption_write_header(encryption, header);
        r = fd_write_all(work->out, header, sizeof(header));
        for (uint64_t i = 0; r == 0 && i < layout.n_buffers; i++) {
                size_t size = (size_t) MIN(left, (uint64_t) work->info.buffer_bytes);

                r = read_exactly(work->in, work->from, size);
                left -= size;
                if (r == 0)
                        r = encryption_seal(encryption, i, i + 1 == layout.n_buffers, work->from, size, work->to, &size);
                if (r == 0)
                        r = fd_write_all(work->out, work->to, size);
        }
        return r;
}

static int decrypt(struct work *work) {
        _cleanup_(encryption_freep) struct encryption *encryption = NULL;
        uint8_t header[ENCRYPTION_HEADER_BYTES];
        struct encryption_layout layout;
        ssize_t n = fd_read_all(work->in, header, sizeof(header));
        int r;

        if (n < 0)
                return (int) n;
        r = encryption_read_header(&work->info, header, (size_t) n, &encryption, &work->why);
        if (r == 0)
                r = encryption_layout_make(&work->info, work->size, &layout);
        for (uint64_t i = 0; r == 0 && i < layout.n_buffers; i++) {
                bool is_last = i + 1 == layout.n_buffers;
                size_t size = is_last ? layout.last_bytes : layout.sealed_bytes;

                r = read_exactly(work->in, work->from, size);
                if (r == 0)
                        r = encryption_open(encryption, i, is_last, work->from, size, work->to, &size);
                if (r == 0)
                        r = fd_write_all(work->out, work->to, size);
        }
        return r;
}

static int open_input(struct work *work, const char *path, mode_t *ret_mode) {
        struct stat st;
        int r;

        work->in = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
        r = work->in < 0 || fstat(work->in, &st) < 0 ? -errno : S_ISREG(st.st_mode) ? 0 : (int) ERROR_NOT_A_REGULAR_FILE;
        if (r != 0) {
                work->why = failure_text_of_input(r);
                return r;
        }
        work->size = (uint64_t) st.st_size;
        *ret_mode = st.st_mode & 0666;
        return 0;
}

/* A file beside @output that nobody else may read before it is whole. */
static int open_output(struct work *work, const char *output, char **ret_name) {
        const char *slash = strrchr(output, '/');

        if (asprintf(ret_name, "%.*s.dosvc-crypt.XXXXXX", slash ? (int) (slash + 1 - output) : 0, output) < 0) {
                *ret_name = NULL;
                return -ENOMEM;
        }
        work->out = mkostemp(*ret_name, O_CLOEXEC);
        if (work->out >= 0)
                return 0;
        free(*ret_name);
        *ret_name = NULL;
        return -errno;
}

static int put_in_place(struct work *work, const char *name, const char *output, mode_t mode, bool replace) {
        if (fchmod(work->out, mode) < 0 || fsync(work->out) < 0)
                return -errno;
        if (renameat2(AT_FDCWD, name, AT_FDCWD, output, replace ? 0 : RENAME_NOREPLACE) == 0)
                return 0;
        /* Not every file system renames without replacing. */
        if (errno != EINVAL || link(name, output) < 0)
                return -errno;
        (void) unlink(name);
        return 0;
}

static int carry_out(struct work *work, const char *path, const char *output, bool replace, int (*what)(struct work *work)) {
        _cleanup_free_ char *name = NULL;
        size_t room = work->info.buffer_bytes + 2 * ENCRYPTION_TAG_BYTES;
        mode_t mode = 0;
        int r;

        r = open_input(work, path, &mode);
        if (r != 0)
                return r;
        work->of_output = true;
        if (!replace && access(output, F_OK) == 0)
                r = -EEXIST; /* before the work, not only behind it */
        if (r == 0)
                r = open_output(work, output, &name);
        if (r != 0)
                return r;
        work->of_output = false;
        work->from = malloc(room);
        work->to = malloc(room);
        r = work->from && work->to ? what(work) : -ENOMEM;
        if (r == 0) {
                work->of_output = true;
                r = put_in_place(work, name, output, mode, replace);
        }
        if (r != 0)
                (void) unlink(name);
        return r;
}

static void work_done(struct work *work) {
        size_t room = work->info.buffer_bytes + 2 * ENCRYPTION_TAG_BYTES;

        OPENSSL_clear_free(work->from, room);
        OPENSSL_clear_free(work->to, room);
        fd_close(work->in);
        fd_close(work->out);
        decryption_info_done(&work->info);
}

static int32_t call(const char *path, const char *output, const char *decryption_info, int replace, int (*what)(struct work *work)) {
        _cleanup_(work_done) struct work work = { .in = -EBADF, .out = -EBADF };
        const char *why = NULL;
        int r;

        failure_clear(NULL);
        if (!path || !output || !*output || !decryption_info)
                return fail(path, ERROR_INVALID_ARGUMENT, NULL);
        r = decryption_info_parse(decryption_info, &work.info, &why);
        if (r != 0)
                return fail(path, r, why);
        r = carry_out(&work, path, output, replace, what);
        if (r == -EAGAIN)
                return fail(path, ERROR_LOCAL_FILE_ERROR, "The file changes while it is read.");
        return r == 0 ? RIM_S_OK : fail(work.of_output ? output : path, r, work.why);
}

int32_t dosvc_encrypt_file(const char *path, const char *output, const char *decryption_info, int replace) {
        return call(path, output, decryption_info, replace, encrypt);
}

int32_t dosvc_decrypt_file(const char *path, const char *output, const char *decryption_info, int replace) {
        return call(path, output, decryption_info, replace, decrypt);
}

int32_t dosvc_make_decryption_info(const char *mode, uint64_t buffer_size, char ret[DOSVC_DECRYPTION_INFO_SIZE]) {
        _cleanup_(decryption_info_donep) struct decryption_info info = { .key_bytes = sizeof(info.key), .mode = CHAINING_GCM };

        failure_clear(NULL);
        if (!ret)
                return fail(NULL, ERROR_INVALID_ARGUMENT, NULL);
        if (mode && streq(mode, "cbc"))
                info.mode = CHAINING_CBC;
        else if (mode && !streq(mode, "gcm"))
                return fail(NULL, ERROR_INVALID_ARGUMENT, "The mode is gcm or cbc.");
        if (buffer_size < LIMIT_ENCRYPTION_BUFFER_MIN || buffer_size > LIMIT_ENCRYPTION_BUFFER || buffer_size % 16 != 0)
                return fail(NULL, ERROR_INVALID_ARGUMENT, "The buffer size must be a multiple of 16 from 1024 to 16777216.");
        info.buffer_bytes = (size_t) buffer_size;
        if (getrandom(info.key, sizeof(info.key), 0) != sizeof(info.key))
                return fail(NULL, -EIO, NULL);
        decryption_info_write(&info, ret);
        return RIM_S_OK;
}

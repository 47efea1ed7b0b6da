#include "daemon/key_sealer.h"

#include <fcntl.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fds.h"
#include "base/guid.h"

#define BLOB_VERSION 1
#define NONCE_BYTES 12
#define TAG_BYTES 16
#define HEAD_BYTES (1 + NONCE_BYTES)

struct key_sealer {
        struct sealer sealer; /* first member */
        uint8_t key[32];
};

static void cipher_freep(EVP_CIPHER_CTX **context) {
        EVP_CIPHER_CTX_free(*context);
}

/* Both directions in one: @tag is written when sealing, checked when opening. 0, -EBADMSG or -ENOMEM. */
static int run_cipher(const struct key_sealer *self, bool sealing, const uint8_t *nonce, const void *place, size_t n_place,
                      const uint8_t *in, size_t n, uint8_t *out, uint8_t *tag) {
        _cleanup_(cipher_freep) EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
        int len = 0, ok;

        if (!context)
                return -ENOMEM;
        if (n > INT_MAX || n_place > INT_MAX)
                return -EINVAL;
        ok = EVP_CipherInit_ex(context, EVP_aes_256_gcm(), NULL, self->key, nonce, sealing) == 1 &&
             EVP_CipherUpdate(context, NULL, &len, place, (int) n_place) == 1 &&
             EVP_CipherUpdate(context, out, &len, in, (int) n) == 1;
        if (ok && !sealing)
                ok = EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, TAG_BYTES, tag) == 1;
        ok = ok && EVP_CipherFinal_ex(context, out + n, &len) == 1;
        if (ok && sealing)
                ok = EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, TAG_BYTES, tag) == 1;
        ERR_clear_error();
        return ok ? 0 : -EBADMSG;
}

static int key_seal(const struct sealer *sealer, const void *place, size_t n_place, const void *text, size_t n_text,
                    uint8_t **ret, size_t *ret_size) {
        const struct key_sealer *self = CONTAINER_OF(sealer, const struct key_sealer, sealer);
        size_t size = HEAD_BYTES + n_text + TAG_BYTES;
        _cleanup_free_ uint8_t *blob = malloc(size);
        int r;

        if (!blob)
                return -ENOMEM;
        blob[0] = BLOB_VERSION;
        r = random_bytes(blob + 1, NONCE_BYTES);
        if (r < 0)
                return r;
        r = run_cipher(self, true, blob + 1, place, n_place, text, n_text, blob + HEAD_BYTES, blob + HEAD_BYTES + n_text);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(blob);
        *ret_size = size;
        return 0;
}

static int key_open(const struct sealer *sealer, const void *place, size_t n_place, const void *blob, size_t n_blob, char **ret,
                    size_t *ret_size) {
        const struct key_sealer *self = CONTAINER_OF(sealer, const struct key_sealer, sealer);
        _cleanup_free_ char *text = NULL;
        const uint8_t *bytes = blob;
        uint8_t tag[TAG_BYTES];
        size_t n;
        int r;

        if (n_blob < HEAD_BYTES + TAG_BYTES || bytes[0] != BLOB_VERSION)
                return -EBADMSG;
        n = n_blob - HEAD_BYTES - TAG_BYTES;
        text = calloc(1, n + 1);
        if (!text)
                return -ENOMEM;
        memcpy(tag, bytes + HEAD_BYTES + n, sizeof(tag));
        r = run_cipher(self, false, bytes + 1, place, n_place, bytes + HEAD_BYTES, n, (uint8_t *) text, tag);
        if (r < 0) {
                explicit_bzero(text, n); /* GCM gives plain text before it knows */
                return r;
        }
        *ret = TAKE_PTR(text);
        *ret_size = n;
        return 0;
}

/* ---- the key ---- */

/* -ENOENT: there is none. */
static int read_key(int directory, bool is_ours, uint8_t ret_key[static 32]) {
        uint8_t content[KEY_BYTES_MAX + 1];
        _cleanup_close_ int fd = -EBADF;
        struct stat st;
        unsigned n_digest = 32;
        ssize_t n;
        int ok;

        fd = openat(directory, KEY_FILE_NAME, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
        if (fd < 0)
                return -errno;
        if (fstat(fd, &st) < 0)
                return -errno;
        if (!S_ISREG(st.st_mode) || (is_ours && st.st_uid != geteuid()))
                return -EPERM;
        if (is_ours && (st.st_mode & 077) && fchmod(fd, 0600) < 0)
                return -errno;
        n = fd_read_all(fd, content, sizeof(content));
        if (n < 0)
                return (int) n;
        if (n < KEY_BYTES_MIN || n > KEY_BYTES_MAX)
                return -EBADMSG;
        ok = EVP_Digest(content, (size_t) n, ret_key, &n_digest, EVP_sha256(), NULL);
        explicit_bzero(content, sizeof(content));
        return ok == 1 ? 0 : -ENOMEM;
}

/* On disk under its name, whole, before anything is sealed with it: what is sealed must not outlive its key. */
static int make_key(int directory) {
        static const char temporary[] = KEY_FILE_NAME ".new";
        _cleanup_close_ int fd = -EBADF;
        uint8_t bytes[KEY_BYTES_MIN];
        int r;

        r = random_bytes(bytes, sizeof(bytes));
        if (r < 0)
                return r;
        (void) unlinkat(directory, temporary, 0);
        fd = openat(directory, temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd < 0)
                return -errno;
        r = fd_write_all(fd, bytes, sizeof(bytes));
        explicit_bzero(bytes, sizeof(bytes));
        if (r == 0 && (fsync(fd) < 0 || renameat(directory, temporary, directory, KEY_FILE_NAME) < 0 || fsync(directory) < 0))
                r = -errno;
        return r;
}

static int open_directory(const char *path) {
        int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        return fd < 0 ? -errno : fd;
}

static int find_key(const char *state_dir, const char *credentials_dir, bool *ret_made, uint8_t ret_key[static 32]) {
        _cleanup_close_ int directory = -EBADF, credentials = -EBADF;
        int r = -ENOENT;

        *ret_made = false;
        if (credentials_dir) {
                credentials = open_directory(credentials_dir);
                r = credentials < 0 ? credentials : read_key(credentials, false, ret_key);
        }
        if (r != -ENOENT)
                return r;
        directory = open_directory(state_dir);
        if (directory < 0)
                return directory;
        r = read_key(directory, true, ret_key);
        if (r != -ENOENT)
                return r;
        r = make_key(directory);
        *ret_made = r == 0;
        return r < 0 ? r : read_key(directory, true, ret_key);
}

int key_sealer_new(const char *state_dir, const char *credentials_dir, bool *ret_made, struct sealer **ret) {
        struct key_sealer *self = calloc(1, sizeof(*self));
        int r;

        if (!self)
                return -ENOMEM;
        self->sealer = (struct sealer) { .seal = key_seal, .open = key_open };
        r = find_key(state_dir, credentials_dir, ret_made, self->key);
        if (r < 0) {
                key_sealer_free(&self->sealer);
                return r;
        }
        *ret = &self->sealer;
        return 0;
}

struct sealer *key_sealer_free(struct sealer *sealer) {
        struct key_sealer *self = sealer ? CONTAINER_OF(sealer, struct key_sealer, sealer) : NULL;

        if (self)
                explicit_bzero(self->key, sizeof(self->key));
        free(self);
        return NULL;
}

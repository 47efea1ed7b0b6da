#include "files/digest.h"

#include <fcntl.h>
#include <openssl/evp.h>

#include "base/fds.h"

#define DIGEST_BUFFER_BYTES (256 * 1024) /* stays in a core's own cache */

struct digest {
        EVP_MD_CTX *context;
};

struct digest *digest_free(struct digest *digest) {
        if (!digest)
                return NULL;
        EVP_MD_CTX_free(digest->context);
        free(digest);
        return NULL;
}
DEFINE_CLEANUP_FUNC(struct digest, digest_free)

int digest_new(struct digest **ret) {
        _cleanup_(digest_freep) struct digest *digest = calloc(1, sizeof(*digest));

        if (!digest)
                return -ENOMEM;
        digest->context = EVP_MD_CTX_new();
        if (!digest->context || EVP_DigestInit_ex(digest->context, EVP_sha256(), NULL) != 1)
                return -ENOMEM;
        *ret = TAKE_PTR(digest);
        return 0;
}

static bool is_set(const atomic_bool *flag) {
        return flag && atomic_load_explicit(flag, memory_order_relaxed);
}

int digest_read(int fd, uint64_t offset, uint64_t size, const atomic_bool *stop, const atomic_bool *closed, digest_sink_fn sink,
                void *userdata) {
        size_t buffer_bytes = size > 0 ? (size_t) MIN(size, (uint64_t) DIGEST_BUFFER_BYTES) : 1;
        _cleanup_free_ uint8_t *buffer = malloc(buffer_bytes);

        if (!buffer)
                return -ENOMEM;
        /* The pages stay cached (no POSIX_FADV_DONTNEED): whoever fetched the file is about to read it, and a
         * medium that lies would be asked by the next reader only. What failed to reach it was told by the sync. */
        if (size > buffer_bytes)
                (void) posix_fadvise(fd, (off_t) offset, (off_t) size, POSIX_FADV_SEQUENTIAL);
        for (uint64_t done = 0; done < size;) {
                ssize_t n = fd_pread_all(fd, buffer, (size_t) MIN(size - done, (uint64_t) buffer_bytes), offset + done);
                int r;

                if (n < 0)
                        return (int) n;
                if (n == 0)
                        return -EMSGSIZE;
                r = sink(userdata, buffer, (size_t) n);
                if (r < 0)
                        return r;
                if (is_set(stop) || is_set(closed))
                        return -ECANCELED;
                done += (uint64_t) n;
        }
        return 0;
}

int digest_add(struct digest *digest, const uint8_t *bytes, size_t n) {
        return EVP_DigestUpdate(digest->context, bytes, n) == 1 ? 0 : -EIO;
}

static int add_to_digest(void *digest, const uint8_t *bytes, size_t n) {
        return digest_add(digest, bytes, n);
}

int digest_add_descriptor(struct digest *digest, int fd, uint64_t offset, uint64_t size, const atomic_bool *stop,
                          const atomic_bool *closed) {
        return digest_read(fd, offset, size, stop, closed, add_to_digest, digest);
}

/* Of a copy: more may come. */
int digest_get(const struct digest *digest, uint8_t ret[static DIGEST_SIZE]) {
        EVP_MD_CTX *copy = EVP_MD_CTX_new();
        int r = 0;

        if (!copy || EVP_MD_CTX_copy_ex(copy, digest->context) != 1)
                r = -ENOMEM;
        else if (EVP_DigestFinal_ex(copy, ret, NULL) != 1)
                r = -EIO;
        EVP_MD_CTX_free(copy);
        return r;
}

int digest_of_nothing(uint8_t ret[static DIGEST_SIZE]) {
        return EVP_Digest(NULL, 0, ret, NULL, EVP_sha256(), NULL) == 1 ? 0 : -ENOMEM;
}

int digest_descriptor(int fd, uint64_t offset, uint64_t size, const atomic_bool *stop, const atomic_bool *closed,
                      uint8_t ret[static DIGEST_SIZE]) {
        _cleanup_(digest_freep) struct digest *digest = NULL;
        int r = digest_new(&digest);

        if (r == 0)
                r = digest_add_descriptor(digest, fd, offset, size, stop, closed);
        return r < 0 ? r : digest_get(digest, ret);
}

#include "files/digest.h"

#include <fcntl.h>
#include <openssl/evp.h>

#include "base/fds.h"

#define DIGEST_BUFFER_BYTES (1024 * 1024)

static EVP_MD_CTX *evp_md_ctx_free(EVP_MD_CTX *context) {
        EVP_MD_CTX_free(context);
        return NULL;
}
DEFINE_CLEANUP_FUNC(EVP_MD_CTX, evp_md_ctx_free)

static bool is_set(const atomic_bool *flag) {
        return flag && atomic_load_explicit(flag, memory_order_relaxed);
}

int digest_descriptor(int fd, uint64_t offset, uint64_t size, const atomic_bool *stop, const atomic_bool *closed,
                      uint8_t ret[static DIGEST_SIZE]) {
        _cleanup_(evp_md_ctx_freep) EVP_MD_CTX *context = EVP_MD_CTX_new();
        size_t buffer_bytes = size > 0 ? (size_t) MIN(size, (uint64_t) DIGEST_BUFFER_BYTES) : 1;
        _cleanup_free_ uint8_t *buffer = malloc(buffer_bytes);

        if (!context || !buffer || EVP_DigestInit_ex(context, EVP_sha256(), NULL) != 1)
                return -ENOMEM;
        /* The pages stay cached (no POSIX_FADV_DONTNEED): whoever fetched the file is about to read it, and a
         * medium that lies would be asked by the next reader only. What failed to reach it was told by the sync. */
        if (size > buffer_bytes)
                (void) posix_fadvise(fd, (off_t) offset, (off_t) size, POSIX_FADV_SEQUENTIAL);
        for (uint64_t done = 0; done < size;) {
                ssize_t n = fd_pread_all(fd, buffer, (size_t) MIN(size - done, (uint64_t) buffer_bytes), offset + done);

                if (n < 0)
                        return (int) n;
                if (n == 0)
                        return -EMSGSIZE;
                if (EVP_DigestUpdate(context, buffer, (size_t) n) != 1)
                        return -EIO;
                if (is_set(stop) || is_set(closed))
                        return -ECANCELED;
                done += (uint64_t) n;
        }
        return EVP_DigestFinal_ex(context, ret, NULL) == 1 ? 0 : -EIO;
}

#include "files/ahead.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include "files/handle.h"

#define SEAL_NAME "POLY1305"
#define SEAL_KEY_SIZE 32
#define SEAL_SIZE 16

struct ahead {
        struct digest *digest;
        EVP_MAC_CTX *seal;
        uint8_t key[SEAL_KEY_SIZE]; /* used twice, for what should be the same: no seal ever leaves the process */
        uint64_t end;
};

static EVP_MAC_CTX *seal_new(const uint8_t key[static SEAL_KEY_SIZE]) {
        EVP_MAC *mac = EVP_MAC_fetch(NULL, SEAL_NAME, NULL);
        EVP_MAC_CTX *seal = mac ? EVP_MAC_CTX_new(mac) : NULL;

        EVP_MAC_free(mac);
        if (seal && EVP_MAC_init(seal, key, SEAL_KEY_SIZE, NULL) == 1)
                return seal;
        EVP_MAC_CTX_free(seal);
        return NULL;
}

struct ahead *ahead_free(struct ahead *ahead) {
        if (!ahead)
                return NULL;
        digest_free(ahead->digest);
        EVP_MAC_CTX_free(ahead->seal);
        OPENSSL_cleanse(ahead->key, sizeof(ahead->key));
        free(ahead);
        return NULL;
}

int ahead_new(struct ahead **ret) {
        _cleanup_(ahead_freep) struct ahead *ahead = calloc(1, sizeof(*ahead));
        int r;

        if (!ahead)
                return -ENOMEM;
        r = digest_new(&ahead->digest);
        if (r < 0)
                return r;
        if (RAND_bytes(ahead->key, sizeof(ahead->key)) != 1)
                return -EIO;
        ahead->seal = seal_new(ahead->key);
        if (!ahead->seal)
                return -ENOMEM;
        *ret = TAKE_PTR(ahead);
        return 0;
}

uint64_t ahead_end(const struct ahead *ahead) {
        return ahead->end;
}

static int add_to_seal(void *seal, const uint8_t *bytes, size_t n) {
        return EVP_MAC_update(seal, bytes, n) == 1 ? 0 : -EIO;
}

static int add_to_both(void *userdata, const uint8_t *bytes, size_t n) {
        struct ahead *ahead = userdata;
        int r = digest_add(ahead->digest, bytes, n);

        if (r == 0)
                r = add_to_seal(ahead->seal, bytes, n);
        if (r == 0)
                ahead->end += n;
        return r;
}

int ahead_extend(struct ahead *ahead, int fd, uint64_t end, const atomic_bool *stop, const atomic_bool *closed) {
        return digest_read(fd, ahead->end, end - MIN(end, ahead->end), stop, closed, add_to_both, ahead);
}

/* 0, -ESTALE. */
static int check_seal(struct ahead *ahead, int fd, const atomic_bool *stop, const atomic_bool *closed) {
        uint8_t then[SEAL_SIZE], now[SEAL_SIZE];
        EVP_MAC_CTX *again = seal_new(ahead->key);
        int r = again ? digest_read(fd, 0, ahead->end, stop, closed, add_to_seal, again) : -ENOMEM;

        if (r == 0 && (EVP_MAC_final(ahead->seal, then, NULL, sizeof(then)) != 1 || EVP_MAC_final(again, now, NULL, sizeof(now)) != 1))
                r = -EIO;
        if (r == 0 && CRYPTO_memcmp(then, now, sizeof(now)) != 0)
                r = -ESTALE;
        EVP_MAC_CTX_free(again);
        return r;
}

int ahead_finish(struct ahead *ahead, int fd, uint64_t size, const atomic_bool *stop, const atomic_bool *closed,
                 uint8_t ret[static DIGEST_SIZE]) {
        int r = ahead->end <= size ? check_seal(ahead, fd, stop, closed) : -ESTALE;

        if (r == 0)
                r = digest_add_descriptor(ahead->digest, fd, ahead->end, size - ahead->end, stop, closed);
        return r < 0 ? r : digest_get(ahead->digest, ret);
}

/* ---- the request ---- */

static int extend_locked(struct local_handle *handle, uint64_t start, uint64_t end, const atomic_bool *stop) {
        int r = 0;

        if (atomic_load(&handle->ahead_over))
                return -ECANCELED; /* the descriptor is another one by now */
        if (handle->ahead && ahead_end(handle->ahead) != start)
                handle->ahead = ahead_free(handle->ahead); /* what it read was lost */
        if (!handle->ahead)
                r = start == 0 ? ahead_new(&handle->ahead) : -ESTALE;
        if (r == 0)
                r = ahead_extend(handle->ahead, handle->fd, end, stop, &handle->ahead_over);
        if (r < 0 && r != -ECANCELED)
                handle->ahead = ahead_free(handle->ahead);
        return r;
}

static int extend(struct local_handle *handle, uint64_t start, uint64_t end, const atomic_bool *stop) {
        int r;

        pthread_mutex_lock(&handle->ahead_lock);
        r = extend_locked(handle, start, end, stop);
        pthread_mutex_unlock(&handle->ahead_lock);
        return r;
}

void ahead_stop(struct local_handle *handle) {
        atomic_store(&handle->ahead_over, true);
        pthread_mutex_lock(&handle->ahead_lock);
        pthread_mutex_unlock(&handle->ahead_lock);
}

int local_digest_ahead(struct local_files *files, struct local_handle *handle, uint64_t start, uint64_t end, files_done_fn done,
                       void *userdata) {
        return handle_read(files, handle, LANE_AHEAD, start, end, extend, done, userdata);
}

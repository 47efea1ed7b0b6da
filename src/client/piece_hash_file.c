/* <dosvc.h>: the hashes of a file's pieces, for whoever serves it. */
#include <fcntl.h>
#include <openssl/evp.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fds.h"
#include "base/strings.h"
#include "client/failure.h"
#include "client/public.h"
#include "client/rim.h"
#include "content/integrity.h"

static void digest_freep(EVP_MD_CTX **context) {
        EVP_MD_CTX_free(*context);
}

static int32_t fail(const char *path, enum error_code code, const char *text) {
        (void) failure_set(NULL, code, text);
        failure_about(NULL, path, NULL);
        return rim_hresult((int) code, JOB_FAMILY_DO);
}

/* Hashes what the descriptor reads, which must be as long as @hashes says. 0 or -errno (-EAGAIN: it changed meanwhile). */
static int hash_content(int fd, struct piece_hashes *hashes, uint8_t ret_sha256[static PIECE_HASH_BYTES]) {
        _cleanup_(digest_freep) EVP_MD_CTX *whole = EVP_MD_CTX_new();
        _cleanup_free_ uint8_t *piece = malloc((size_t) hashes->piece_bytes);
        uint64_t done = 0;

        if (!whole || !piece || EVP_DigestInit_ex(whole, EVP_sha256(), NULL) != 1)
                return -ENOMEM;
        for (size_t i = 0; i < hashes->n_pieces; i++) {
                size_t size = (size_t)(piece_hashes_end(hashes, i) - done);
                ssize_t n = fd_read_all(fd, piece, size);

                if (n < 0)
                        return (int) n;
                if ((size_t) n != size)
                        return -EAGAIN;
                if (EVP_DigestUpdate(whole, piece, size) != 1 ||
                    EVP_Digest(piece, size, hashes->hashes[i], NULL, EVP_sha256(), NULL) != 1)
                        return -ENOMEM;
                done += size;
        }
        return EVP_DigestFinal_ex(whole, ret_sha256, NULL) == 1 ? 0 : -ENOMEM;
}

/* Gives out what was made, with what vouches for it. 0 or -ENOMEM; *ret: what @fn answered. */
static int hand_out(const struct piece_hashes *hashes, const uint8_t sha256[static PIECE_HASH_BYTES], const char *url,
                    dosvc_piece_hash_file_fn fn, void *userdata, int *ret) {
        struct integrity_info info = { .url = (char *) url, .has_digest = true, .has_hash_of_hashes = true };
        _cleanup_free_ char *text = NULL, *json = NULL;
        dosvc_piece_hash_file_info out = {
                .size = sizeof(out),
                .content_length = hashes->content_length,
                .piece_size = hashes->piece_bytes,
                .pieces = hashes->n_pieces,
        };
        int r;

        r = piece_hashes_write(hashes, &text, &out.text_size);
        if (r == 0)
                r = piece_hashes_hash_of_hashes(hashes, info.hash_of_hashes);
        if (r == 0 && EVP_Digest(text, out.text_size, info.digest, NULL, EVP_sha256(), NULL) != 1)
                r = -ENOMEM;
        if (r == 0)
                r = integrity_info_write(&info, &json);
        if (r < 0)
                return r;
        out.text = text;
        out.integrity_info = json;
        memcpy(out.sha256, sha256, sizeof(out.sha256));
        *ret = fn(&out, userdata);
        return 0;
}

int32_t dosvc_make_piece_hash_file(const char *path, uint64_t piece_size, const char *url, dosvc_piece_hash_file_fn fn, void *userdata) {
        _cleanup_(piece_hashes_freep) struct piece_hashes *hashes = NULL;
        uint8_t sha256[PIECE_HASH_BYTES];
        _cleanup_close_ int fd = -EBADF;
        struct stat st;
        int r, answer = 0;

        failure_clear(NULL);
        if (!path || !url || !fn)
                return fail(path, ERROR_INVALID_ARGUMENT, NULL);
        if (piece_size < LIMIT_PIECE_BYTES_MIN || piece_size > LIMIT_PIECE_BYTES)
                return fail(path, ERROR_INVALID_ARGUMENT, "The piece size must be from 1024 to 67108864 bytes.");
        fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
        if (fd < 0 || fstat(fd, &st) < 0)
                return fail(path, error_code_from_errno(errno), failure_text_of_input(-errno));
        if (!S_ISREG(st.st_mode))
                return fail(path, ERROR_NOT_A_REGULAR_FILE, failure_text_of_input(ERROR_NOT_A_REGULAR_FILE));
        if (piece_hashes_count((uint64_t) st.st_size, piece_size) > LIMIT_PIECES)
                return fail(path, ERROR_INVALID_ARGUMENT, "That makes more than 350000 pieces: take larger ones.");
        hashes = calloc(1, sizeof(*hashes));
        if (!hashes)
                return fail(path, ERROR_OUT_OF_MEMORY, NULL);
        hashes->content_length = (uint64_t) st.st_size;
        hashes->piece_bytes = piece_size;
        hashes->n_pieces = (size_t) piece_hashes_count(hashes->content_length, piece_size);
        hashes->hashes = calloc(hashes->n_pieces + 1, sizeof(*hashes->hashes));
        r = hashes->hashes ? hash_content(fd, hashes, sha256) : -ENOMEM;
        if (r == 0)
                r = hand_out(hashes, sha256, url, fn, userdata, &answer);
        if (r == -EAGAIN)
                return fail(path, ERROR_LOCAL_FILE_ERROR, "The file changes while it is read.");
        return r < 0 ? fail(path, error_code_from_errno(r), NULL) : answer;
}

/* <dosvc.h>: is the file that is there already the one that is wanted? */
#include <fcntl.h>
#include <openssl/evp.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fds.h"
#include "base/strings.h"
#include "client/failure.h"
#include "client/public.h"
#include "client/rim.h"

#define DIGEST_CHUNK (256 * 1024) /* bytes read at once */

static void digest_freep(EVP_MD_CTX **context) {
        EVP_MD_CTX_free(*context);
}

/* 1 equal, 0 not, or -errno. */
static int compare(int fd, const unsigned char *sha256) {
        _cleanup_(digest_freep)
        EVP_MD_CTX *context = EVP_MD_CTX_new();
        _cleanup_free_ unsigned char *buffer = malloc(DIGEST_CHUNK);
        unsigned char digest[EVP_MAX_MD_SIZE];
        unsigned size;
        ssize_t n;

        if (!context || !buffer || EVP_DigestInit_ex(context, EVP_sha256(), NULL) != 1)
                return -ENOMEM;
        while ((n = fd_read_all(fd, buffer, DIGEST_CHUNK)) > 0)
                if (EVP_DigestUpdate(context, buffer, (size_t) n) != 1)
                        return -ENOMEM;
        if (n < 0)
                return (int) n;
        if (EVP_DigestFinal_ex(context, digest, &size) != 1)
                return -ENOMEM;
        return size == 32 && memcmp(digest, sha256, 32) == 0;
}

static int32_t fail(const char *path, enum error_code code) {
        (void) failure_set(NULL, code, NULL);
        failure_about(NULL, path, NULL);
        return rim_hresult((int) code, JOB_FAMILY_DO);
}

int32_t dosvc_file_has_sha256(const char *path, const unsigned char sha256[32]) {
        _cleanup_close_ int fd = -EBADF;
        struct stat st;
        int r;

        failure_clear(NULL);
        if (!path || !sha256)
                return fail(NULL, ERROR_INVALID_ARGUMENT);
        /* Not blocking: whoever put a fifo there must not hold us up. */
        fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
        if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
                return 0;
        if (fd < 0 || fstat(fd, &st) < 0)
                return fail(path, error_code_from_errno(errno));
        if (!S_ISREG(st.st_mode))
                return fail(path, ERROR_NOT_A_REGULAR_FILE);
        r = compare(fd, sha256);
        return r < 0 ? fail(path, error_code_from_errno(r)) : r;
}

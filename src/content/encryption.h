/* Encrypted content (docs/formats/encrypted-file.md): the JSON text with the key (DecryptionInfo), and the encrypted file's header and
 * buffers. Pure functions of bytes; keys are wiped when they are given back. It must never know of descriptors or jobs, and never log.
 *
 * 1. decryption_info_parse() judges what a client gave; keep the text as a secret, parse it again when it is needed.
 * 2. To read: encryption_read_header(), then encryption_layout_make() for the size of the whole, then each buffer by encryption_open().
 *    To write: encryption_new(), encryption_write_header(), then each buffer by encryption_seal(); at least one, the last marked as such.
 * 3. What encryption_open() gave is authentic, and in its place; that it is the whole shows when the last buffer was opened.
 *
 * Outcomes: 0, an error code (enum error_code), negative errno. */
#pragma once

#include "base/macros.h"
#include "protocol/errors.h"
#include "protocol/limits.h"

#define DECRYPTION_KEY_BYTES_MAX 32
#define DECRYPTION_INFO_TEXT_MAX 256 /* bytes that decryption_info_write() makes, with NUL */

#define ENCRYPTION_HEADER_BYTES 80
#define ENCRYPTION_SALT_BYTES 32
#define ENCRYPTION_TAG_BYTES 16

enum chaining_mode {
        CHAINING_CBC,
        CHAINING_GCM,
};

struct decryption_info {
        uint8_t key[DECRYPTION_KEY_BYTES_MAX];
        size_t key_bytes; /* 16, 24 or 32 */
        size_t buffer_bytes;
        enum chaining_mode mode;
};
void decryption_info_done(struct decryption_info *info);
static inline void decryption_info_donep(struct decryption_info *info) {
        decryption_info_done(info);
}
/* {"KeyData", "EncryptionBufferSize", "AlgorithmName", "ChainingMode"}. *reterr_why: a sentence, static, without the key. */
int decryption_info_parse(const char *json, struct decryption_info *ret, const char **reterr_why);
/* The text for it; holds the key: the caller wipes it. */
void decryption_info_write(const struct decryption_info *info, char ret[static DECRYPTION_INFO_TEXT_MAX]);

/* The keys of one file, in one direction. One thread at a time. */
struct encryption;
struct encryption *encryption_free(struct encryption *encryption);
DEFINE_CLEANUP_FUNC(struct encryption, encryption_free)

/* To write. @salt: fresh random bytes for each file, or two files share a key stream. */
int encryption_new(const struct decryption_info *info, const uint8_t salt[static ENCRYPTION_SALT_BYTES], struct encryption **ret);
void encryption_write_header(const struct encryption *encryption, uint8_t ret[static ENCRYPTION_HEADER_BYTES]);
/* To read. ERROR_ENCRYPTION_EXPECTED: it is no header, or one of a version that is not known; ERROR_DECRYPTION_DAMAGED: it was changed;
 * ERROR_DECRYPTION_MISMATCH: another key, mode or buffer size. *reterr_why: a sentence, static. */
int encryption_read_header(const struct decryption_info *info, const void *header, size_t size, struct encryption **ret,
                           const char **reterr_why);

struct encryption_layout {
        uint64_t n_buffers;    /* never 0 */
        size_t sealed_bytes;   /* of each buffer but the last, with its tag */
        size_t last_bytes;     /* of the last, likewise */
        uint64_t content_max;  /* bytes of content: exactly (GCM), or at most 15 more than there are (CBC) */
};
/* How an encrypted file of @size bytes is divided. ERROR_DECRYPTION_DAMAGED: none has this size. */
int encryption_layout_make(const struct decryption_info *info, uint64_t size, struct encryption_layout *ret);
/* What an encrypted file takes. UINT64_MAX: more than any file may have. */
uint64_t encryption_size(const struct decryption_info *info, uint64_t content_bytes);

/* One buffer; @ret has room for @size + 2 * ENCRYPTION_TAG_BYTES. All but the last have exactly buffer_bytes; the last may have fewer. */
int encryption_seal(struct encryption *encryption, uint64_t index, bool is_last, const void *content, size_t size, void *ret,
                    size_t *ret_size);
/* @ret has room for @size bytes; what it holds after a failure is nobody's. ERROR_DECRYPTION_DAMAGED. */
int encryption_open(struct encryption *encryption, uint64_t index, bool is_last, const void *sealed, size_t size, void *ret,
                    size_t *ret_size);

/* Encrypted content (docs/formats/encrypted-content.md): the JSON text with the key (DecryptionInfo), and the cipher, buffer by
 * buffer. Pure functions of bytes; keys are wiped when they are given back. It must never know of descriptors or jobs, and never log.
 *
 * Outcomes: 0, an error code (enum error_code), negative errno. */
#pragma once

#include "base/macros.h"
#include "protocol/errors.h"
#include "protocol/limits.h"

#define DECRYPTION_KEY_BYTES_MAX 32

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
/* {"KeyData", "EncryptionBufferSize", "AlgorithmName", "ChainingMode"}. *reterr_why: a sentence, static, without the key. */
int decryption_info_parse(const char *json, struct decryption_info *ret, const char **reterr_why);

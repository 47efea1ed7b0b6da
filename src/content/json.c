#include "content/json.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <string.h>

#define ALPHABET "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
#define DECODED_MAX 64 /* keys and digests */

/* Stricter than EVP_DecodeBlock(), which takes white space and does not say what was padding. */
int base64_decode(const char *text, size_t length, uint8_t *ret, size_t max, size_t *ret_size) {
        uint8_t decoded[DECODED_MAX + 3];
        size_t n_padding = 0, size;

        if (length == 0 || length % 4 != 0 || length / 4 * 3 > sizeof(decoded))
                return -EINVAL;
        while (n_padding < 2 && text[length - 1 - n_padding] == '=')
                n_padding++;
        if (strspn(text, ALPHABET) < length - n_padding)
                return -EINVAL;
        size = length / 4 * 3 - n_padding;
        if (size > max || EVP_DecodeBlock(decoded, (const unsigned char *) text, (int) length) < 0) {
                OPENSSL_cleanse(decoded, sizeof(decoded));
                return -EINVAL;
        }
        memcpy(ret, decoded, size);
        *ret_size = size;
        OPENSSL_cleanse(decoded, sizeof(decoded));
        return 0;
}

int base64_decode_exactly(const char *text, size_t length, uint8_t *ret, size_t size) {
        uint8_t decoded[DECODED_MAX];
        size_t n;
        int r;

        assert(size <= sizeof(decoded));
        r = base64_decode(text, length, decoded, sizeof(decoded), &n);
        if (r < 0 || n != size)
                return -EINVAL;
        memcpy(ret, decoded, size);
        return 0;
}

void base64_encode(const uint8_t *bytes, size_t size, char *ret) {
        EVP_EncodeBlock((unsigned char *) ret, bytes, (int) size);
}

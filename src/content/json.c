#include "content/json.h"

#include <openssl/evp.h>

void base64_encode(const uint8_t *bytes, size_t size, char *ret) {
        EVP_EncodeBlock((unsigned char *) ret, bytes, (int) size);
}

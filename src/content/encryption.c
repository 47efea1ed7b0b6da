/* AES by buffers. Each buffer is authenticated together with its place and whether it is the last (the STREAM construction), so a buffer
 * that was changed, moved, repeated or cut off is found where it stands, and nothing has to be held back that was found right. Keys are
 * the file's own: its salt and the rest of its header go into them, so a header that was changed fits no buffer. */
#include "content/encryption.h"

#include <endian.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <string.h>

#define MAGIC "DOSVCENC"
#define MAGIC_BYTES 8
#define VERSION 1
#define ALGORITHM_AES 1
#define LABEL "dosvc encrypted file" /* before the header's own bytes in HKDF's info */
#define LABEL_BYTES (sizeof(LABEL) - 1)
#define BLOCK_BYTES 16
#define GCM_NONCE_BYTES 12
#define KEY_CHECK_BYTES 16
#define MAC_KEY_BYTES 32
#define CHECKSUM_BYTES 12

/* As it stands in the file; numbers are big-endian. */
struct header {
        uint8_t magic[MAGIC_BYTES];
        uint16_t version;
        uint8_t algorithm;
        uint8_t mode;
        uint8_t key_bytes;
        uint8_t reserved[3]; /* 0 */
        uint32_t buffer_bytes;
        uint8_t salt[ENCRYPTION_SALT_BYTES];
        uint8_t key_check[KEY_CHECK_BYTES];
        uint8_t checksum[CHECKSUM_BYTES]; /* of all before it: tells damage from another key */
};
_Static_assert(sizeof(struct header) == ENCRYPTION_HEADER_BYTES, "no holes");
#define HEADER_PARAMETER_BYTES offsetof(struct header, salt)

static const uint8_t mode_numbers[] = { [CHAINING_CBC] = 1, [CHAINING_GCM] = 2 };

struct encryption {
        struct header header;
        enum chaining_mode mode;
        bool writing;
        EVP_CIPHER_CTX *cipher;
        EVP_CIPHER_CTX *iv_cipher; /* CBC: makes each buffer's IV of its number */
        EVP_MAC_CTX *mac;          /* CBC */
};

/* What HKDF makes of the key and the header, in this order. */
struct file_keys {
        uint8_t check[KEY_CHECK_BYTES];
        uint8_t cipher[DECRYPTION_KEY_BYTES_MAX];
        uint8_t iv[DECRYPTION_KEY_BYTES_MAX];
        uint8_t mac[MAC_KEY_BYTES];
};

static void file_keys_done(struct file_keys *keys) {
        OPENSSL_cleanse(keys, sizeof(*keys));
}

struct encryption *encryption_free(struct encryption *encryption) {
        if (!encryption)
                return NULL;
        EVP_CIPHER_CTX_free(encryption->cipher); /* libcrypto wipes its contexts */
        EVP_CIPHER_CTX_free(encryption->iv_cipher);
        EVP_MAC_CTX_free(encryption->mac);
        free(encryption);
        return NULL;
}

/* ---- keys ---- */

static int derive(const struct decryption_info *info, const struct header *header, struct file_keys *ret) {
        uint8_t label[LABEL_BYTES + HEADER_PARAMETER_BYTES];
        EVP_KDF *kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
        EVP_KDF_CTX *context = kdf ? EVP_KDF_CTX_new(kdf) : NULL;
        OSSL_PARAM parameters[] = {
                OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, (char *) "SHA256", 0),
                OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, (void *) info->key, info->key_bytes),
                OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT, (void *) header->salt, sizeof(header->salt)),
                OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, label, sizeof(label)),
                OSSL_PARAM_construct_end(),
        };
        bool done;

        memcpy(label, LABEL, LABEL_BYTES);
        memcpy(label + LABEL_BYTES, header, HEADER_PARAMETER_BYTES);
        done = context && EVP_KDF_derive(context, (unsigned char *) ret, sizeof(*ret), parameters) == 1;
        EVP_KDF_CTX_free(context);
        EVP_KDF_free(kdf);
        return done ? 0 : -ENOMEM;
}

static const EVP_CIPHER *find_cipher(enum chaining_mode mode, size_t key_bytes) {
        if (mode == CHAINING_GCM)
                return key_bytes == 16 ? EVP_aes_128_gcm() : key_bytes == 24 ? EVP_aes_192_gcm() : EVP_aes_256_gcm();
        return key_bytes == 16 ? EVP_aes_128_cbc() : key_bytes == 24 ? EVP_aes_192_cbc() : EVP_aes_256_cbc();
}

static const EVP_CIPHER *find_block_cipher(size_t key_bytes) {
        return key_bytes == 16 ? EVP_aes_128_ecb() : key_bytes == 24 ? EVP_aes_192_ecb() : EVP_aes_256_ecb();
}

static int take_cbc_keys(struct encryption *encryption, const struct file_keys *keys, size_t key_bytes) {
        EVP_MAC *hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
        const OSSL_PARAM parameters[] = {
                OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char *) "SHA256", 0),
                OSSL_PARAM_construct_end(),
        };

        encryption->mac = hmac ? EVP_MAC_CTX_new(hmac) : NULL;
        EVP_MAC_free(hmac);
        encryption->iv_cipher = EVP_CIPHER_CTX_new();
        if (!encryption->mac || !encryption->iv_cipher || EVP_MAC_init(encryption->mac, keys->mac, sizeof(keys->mac), parameters) != 1 ||
            EVP_EncryptInit_ex(encryption->iv_cipher, find_block_cipher(key_bytes), NULL, keys->iv, NULL) != 1)
                return -ENOMEM;
        return 0;
}

static int take_keys(struct encryption *encryption, const struct file_keys *keys, size_t key_bytes) {
        encryption->cipher = EVP_CIPHER_CTX_new();
        if (!encryption->cipher || EVP_CipherInit_ex(encryption->cipher, find_cipher(encryption->mode, key_bytes), NULL, keys->cipher,
                                                     NULL, encryption->writing) != 1)
                return -ENOMEM;
        return encryption->mode == CHAINING_CBC ? take_cbc_keys(encryption, keys, key_bytes) : 0;
}

/* ---- header ---- */

static struct header make_header(const struct decryption_info *info, const uint8_t salt[static ENCRYPTION_SALT_BYTES]) {
        struct header header = {
                .version = htobe16(VERSION),
                .algorithm = ALGORITHM_AES,
                .mode = mode_numbers[info->mode],
                .key_bytes = (uint8_t) info->key_bytes,
                .buffer_bytes = htobe32((uint32_t) info->buffer_bytes),
        };

        memcpy(header.magic, MAGIC, MAGIC_BYTES);
        memcpy(header.salt, salt, sizeof(header.salt));
        return header;
}

static int checksum(const struct header *header, uint8_t ret[static CHECKSUM_BYTES]) {
        uint8_t digest[EVP_MAX_MD_SIZE];

        if (EVP_Digest(header, offsetof(struct header, checksum), digest, NULL, EVP_sha256(), NULL) != 1)
                return -ENOMEM;
        memcpy(ret, digest, CHECKSUM_BYTES);
        return 0;
}

static int encryption_make(const struct decryption_info *info, const struct header *header, const struct file_keys *keys, bool writing,
                           struct encryption **ret) {
        _cleanup_(encryption_freep) struct encryption *encryption = calloc(1, sizeof(*encryption));
        int r;

        if (!encryption)
                return -ENOMEM;
        encryption->header = *header;
        encryption->mode = info->mode;
        encryption->writing = writing;
        r = take_keys(encryption, keys, info->key_bytes);
        if (r == 0)
                *ret = TAKE_PTR(encryption);
        return r;
}

int encryption_new(const struct decryption_info *info, const uint8_t salt[static ENCRYPTION_SALT_BYTES], struct encryption **ret) {
        _cleanup_(file_keys_done) struct file_keys keys = {};
        struct header header = make_header(info, salt);
        int r = derive(info, &header, &keys);

        if (r < 0)
                return r;
        memcpy(header.key_check, keys.check, sizeof(header.key_check));
        r = checksum(&header, header.checksum);
        return r < 0 ? r : encryption_make(info, &header, &keys, true, ret);
}

void encryption_write_header(const struct encryption *encryption, uint8_t ret[static ENCRYPTION_HEADER_BYTES]) {
        memcpy(ret, &encryption->header, ENCRYPTION_HEADER_BYTES);
}

static int refuse(const char **reterr_why, enum error_code code, const char *why) {
        *reterr_why = why;
        return (int) code;
}

static int judge_parameters(const struct decryption_info *info, const struct header *header, const char **reterr_why) {
        struct header expected = make_header(info, header->salt);

        if (header->mode != expected.mode)
                return refuse(reterr_why, ERROR_DECRYPTION_MISMATCH, "It was encrypted with another ChainingMode.");
        if (header->key_bytes != expected.key_bytes)
                return refuse(reterr_why, ERROR_DECRYPTION_MISMATCH, "It was encrypted with a key of another length.");
        if (header->buffer_bytes != expected.buffer_bytes)
                return refuse(reterr_why, ERROR_DECRYPTION_MISMATCH, "It was encrypted with another EncryptionBufferSize.");
        return 0;
}

int encryption_read_header(const struct decryption_info *info, const void *bytes, size_t size, struct encryption **ret,
                           const char **reterr_why) {
        _cleanup_(file_keys_done) struct file_keys keys = {};
        uint8_t sum[CHECKSUM_BYTES];
        struct header header;
        int r;

        if (size < sizeof(header) || memcmp(bytes, MAGIC, MAGIC_BYTES) != 0)
                return refuse(reterr_why, ERROR_ENCRYPTION_EXPECTED, "It does not begin as an encrypted file does.");
        memcpy(&header, bytes, sizeof(header));
        r = checksum(&header, sum);
        if (r < 0)
                return r;
        if (memcmp(sum, header.checksum, sizeof(sum)) != 0)
                return refuse(reterr_why, ERROR_DECRYPTION_DAMAGED, "Its header was changed.");
        if (be16toh(header.version) != VERSION || header.algorithm != ALGORITHM_AES)
                return refuse(reterr_why, ERROR_ENCRYPTION_EXPECTED, "It is of a version or an algorithm that is not known here.");
        r = judge_parameters(info, &header, reterr_why);
        if (r == 0)
                r = derive(info, &header, &keys);
        if (r != 0)
                return r;
        if (CRYPTO_memcmp(keys.check, header.key_check, sizeof(keys.check)) != 0)
                return refuse(reterr_why, ERROR_DECRYPTION_MISMATCH, "It was encrypted with another key.");
        return encryption_make(info, &header, &keys, false, ret);
}

/* ---- sizes ---- */

/* The last buffer has all that is left, at least one byte unless the content is empty; CBC adds 1 to 16 bytes of padding to it. */
uint64_t encryption_size(const struct decryption_info *info, uint64_t content_bytes) {
        bool pads = info->mode == CHAINING_CBC;
        uint64_t n = pads ? content_bytes / info->buffer_bytes + 1
                          : MAX(content_bytes / info->buffer_bytes + (content_bytes % info->buffer_bytes != 0), UINT64_C(1));
        uint64_t body = pads ? content_bytes / BLOCK_BYTES * BLOCK_BYTES + BLOCK_BYTES : content_bytes;

        if (content_bytes > LIMIT_FILE_SIZE)
                return UINT64_MAX;
        return ENCRYPTION_HEADER_BYTES + body + n * ENCRYPTION_TAG_BYTES; /* below 2^63, as a buffer is no less than 1024 */
}

int encryption_layout_make(const struct decryption_info *info, uint64_t size, struct encryption_layout *ret) {
        size_t sealed = info->buffer_bytes + ENCRYPTION_TAG_BYTES, last, content;
        uint64_t body, n;

        if (size < ENCRYPTION_HEADER_BYTES + ENCRYPTION_TAG_BYTES || size > LIMIT_FILE_SIZE)
                return ERROR_DECRYPTION_DAMAGED;
        body = size - ENCRYPTION_HEADER_BYTES;
        n = body / sealed + (body % sealed != 0);
        last = (size_t)(body - (n - 1) * sealed);
        if (last < ENCRYPTION_TAG_BYTES)
                return ERROR_DECRYPTION_DAMAGED;
        content = last - ENCRYPTION_TAG_BYTES;
        if (info->mode == CHAINING_CBC ? content < BLOCK_BYTES || content % BLOCK_BYTES != 0 : content == 0 && n > 1)
                return ERROR_DECRYPTION_DAMAGED;
        *ret = (struct encryption_layout) {
                .n_buffers = n,
                .sealed_bytes = sealed,
                .last_bytes = last,
                .content_max = (n - 1) * info->buffer_bytes + content - (info->mode == CHAINING_CBC ? 1 : 0),
        };
        return 0;
}

/* ---- buffers ---- */

static int gcm_begin(struct encryption *encryption, uint64_t index, bool is_last) {
        uint64_t counter = htobe64(index);
        uint8_t nonce[GCM_NONCE_BYTES] = {};

        memcpy(nonce, &counter, sizeof(counter));
        nonce[GCM_NONCE_BYTES - 1] = is_last;
        return EVP_CipherInit_ex(encryption->cipher, NULL, NULL, NULL, nonce, -1) == 1 ? 0 : -EIO;
}

static int gcm_seal(struct encryption *encryption, uint64_t index, bool is_last, const uint8_t *content, int size, uint8_t *ret) {
        int r = gcm_begin(encryption, index, is_last), n = 0;

        if (r < 0)
                return r;
        if ((size > 0 && EVP_EncryptUpdate(encryption->cipher, ret, &n, content, size) != 1) || n != size ||
            EVP_EncryptFinal_ex(encryption->cipher, ret + n, &n) != 1 ||
            EVP_CIPHER_CTX_ctrl(encryption->cipher, EVP_CTRL_AEAD_GET_TAG, ENCRYPTION_TAG_BYTES, ret + size) != 1)
                return -EIO;
        return 0;
}

static int gcm_open(struct encryption *encryption, uint64_t index, bool is_last, const uint8_t *sealed, int size, uint8_t *ret) {
        int r = gcm_begin(encryption, index, is_last), n = 0;

        if (r < 0)
                return r;
        if ((size > 0 && EVP_DecryptUpdate(encryption->cipher, ret, &n, sealed, size) != 1) || n != size ||
            EVP_CIPHER_CTX_ctrl(encryption->cipher, EVP_CTRL_AEAD_SET_TAG, ENCRYPTION_TAG_BYTES, (void *) (sealed + size)) != 1)
                return -EIO;
        return EVP_DecryptFinal_ex(encryption->cipher, ret + n, &n) == 1 ? 0 : ERROR_DECRYPTION_DAMAGED;
}

static int cbc_begin(struct encryption *encryption, uint64_t index, bool pads) {
        uint64_t counter = htobe64(index);
        uint8_t block[BLOCK_BYTES] = {}, iv[BLOCK_BYTES];
        int n;

        memcpy(block + BLOCK_BYTES - sizeof(counter), &counter, sizeof(counter));
        if (EVP_EncryptUpdate(encryption->iv_cipher, iv, &n, block, sizeof(block)) != 1 ||
            EVP_CipherInit_ex(encryption->cipher, NULL, NULL, NULL, iv, -1) != 1 ||
            EVP_CIPHER_CTX_set_padding(encryption->cipher, pads) != 1)
                return -EIO;
        return 0;
}

/* HMAC-SHA256 of place, mark and ciphertext, of which the first half counts (as RFC 7518 has it). */
static int cbc_tag(struct encryption *encryption, uint64_t index, bool is_last, const uint8_t *sealed, size_t size,
                   uint8_t ret[static ENCRYPTION_TAG_BYTES]) {
        uint64_t counter = htobe64(index);
        uint8_t digest[EVP_MAX_MD_SIZE], mark = is_last;
        size_t n;

        if (EVP_MAC_init(encryption->mac, NULL, 0, NULL) != 1 ||
            EVP_MAC_update(encryption->mac, (const uint8_t *) &counter, sizeof(counter)) != 1 ||
            EVP_MAC_update(encryption->mac, &mark, sizeof(mark)) != 1 || EVP_MAC_update(encryption->mac, sealed, size) != 1 ||
            EVP_MAC_final(encryption->mac, digest, &n, sizeof(digest)) != 1)
                return -EIO;
        memcpy(ret, digest, ENCRYPTION_TAG_BYTES);
        return 0;
}

static int cbc_seal(struct encryption *encryption, uint64_t index, bool is_last, const uint8_t *content, int size, uint8_t *ret,
                    int *ret_size) {
        int r = cbc_begin(encryption, index, is_last), n = 0, rest = 0;

        if (r < 0)
                return r;
        if ((size > 0 && EVP_EncryptUpdate(encryption->cipher, ret, &n, content, size) != 1) ||
            EVP_EncryptFinal_ex(encryption->cipher, ret + n, &rest) != 1)
                return -EIO;
        *ret_size = n + rest;
        return cbc_tag(encryption, index, is_last, ret, (size_t) *ret_size, ret + *ret_size);
}

static int cbc_open(struct encryption *encryption, uint64_t index, bool is_last, const uint8_t *sealed, int size, uint8_t *ret,
                    int *ret_size) {
        uint8_t tag[ENCRYPTION_TAG_BYTES];
        int r = cbc_tag(encryption, index, is_last, sealed, (size_t) size, tag), n = 0, rest = 0;

        if (r < 0)
                return r;
        /* Before a byte is decrypted: no padding of a stranger's is ever looked at. */
        if (CRYPTO_memcmp(tag, sealed + size, sizeof(tag)) != 0)
                return ERROR_DECRYPTION_DAMAGED;
        r = cbc_begin(encryption, index, is_last);
        if (r < 0)
                return r;
        if (EVP_DecryptUpdate(encryption->cipher, ret, &n, sealed, size) != 1)
                return -EIO;
        if (EVP_DecryptFinal_ex(encryption->cipher, ret + n, &rest) != 1)
                return ERROR_DECRYPTION_DAMAGED; /* whoever had the key wrote no padding */
        *ret_size = n + rest;
        return 0;
}

int encryption_seal(struct encryption *encryption, uint64_t index, bool is_last, const void *content, size_t size, void *ret,
                    size_t *ret_size) {
        int n = (int) size, r;

        assert(encryption->writing && size <= LIMIT_ENCRYPTION_BUFFER);
        if (encryption->mode == CHAINING_GCM)
                r = gcm_seal(encryption, index, is_last, content, n, ret);
        else
                r = cbc_seal(encryption, index, is_last, content, n, ret, &n);
        *ret_size = (size_t) n + ENCRYPTION_TAG_BYTES;
        return r;
}

int encryption_open(struct encryption *encryption, uint64_t index, bool is_last, const void *sealed, size_t size, void *ret,
                    size_t *ret_size) {
        int n = (int) size - ENCRYPTION_TAG_BYTES, r;

        assert(!encryption->writing && size <= LIMIT_ENCRYPTION_BUFFER + ENCRYPTION_TAG_BYTES);
        if (n < 0 || (encryption->mode == CHAINING_CBC && (n == 0 || n % BLOCK_BYTES != 0)))
                return ERROR_DECRYPTION_DAMAGED;
        if (encryption->mode == CHAINING_GCM)
                r = gcm_open(encryption, index, is_last, sealed, n, ret);
        else
                r = cbc_open(encryption, index, is_last, sealed, n, ret, &n);
        *ret_size = (size_t) n;
        return r;
}

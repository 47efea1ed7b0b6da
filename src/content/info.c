/* The two JSON texts that clients give. Keys that are not known are passed over: they are Windows' to add. */
#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/strings.h"
#include "content/encryption.h"
#include "content/integrity.h"
#include "content/json.h"

#define KEY_TEXT_MAX 44 /* base64 of 32 bytes */

static int refuse(const char **reterr_why, const char *why) {
        *reterr_why = why;
        return ERROR_INVALID_ARGUMENT;
}

static int load_object(const char *json, size_t max, const char *too_long, json_t **ret, const char **reterr_why) {
        json_auto_t *root = NULL;

        if (strlen(json) > max)
                return refuse(reterr_why, too_long);
        root = json_loads(json, JSON_REJECT_DUPLICATES, NULL);
        if (!json_is_object(root))
                return refuse(reterr_why, "It is no JSON object.");
        *ret = TAKE_PTR(root);
        return 0;
}

/* 1: there is one, 0: there is none. */
static int read_hash(const json_t *root, const char *key, uint8_t ret[static PIECE_HASH_BYTES]) {
        const json_t *value = json_object_get(root, key);

        if (!value)
                return 0;
        if (!json_is_string(value) || base64_decode_exactly(json_string_value(value), json_string_length(value), ret, PIECE_HASH_BYTES) < 0)
                return -EINVAL;
        return 1;
}

static bool algorithm_is_sha256(const json_t *value) {
        const char *name = json_string_value(value);

        return !value || (name && (strcasecmp(name, "SHA256") == 0 || strcasecmp(name, "SHA-256") == 0));
}

void integrity_info_done(struct integrity_info *info) {
        free(info->url);
        *info = (struct integrity_info) {};
}

int integrity_info_parse(const char *json, struct integrity_info *ret, const char **reterr_why) {
        json_auto_t *root = NULL;
        struct integrity_info info = {};
        const char *url;
        int r;

        *ret = info;
        r = load_object(json, LIMIT_INTEGRITY_INFO, "It is too long.", &root, reterr_why);
        if (r != 0)
                return r;
        url = json_string_value(json_object_get(root, "PiecesHashFileUrl"));
        if (!url || strlen(url) != json_string_length(json_object_get(root, "PiecesHashFileUrl")))
                return refuse(reterr_why, "PiecesHashFileUrl is missing.");
        if (!algorithm_is_sha256(json_object_get(root, "PiecesHashFileDigestAlgorithm")))
                return refuse(reterr_why, "PiecesHashFileDigestAlgorithm must be SHA256.");
        r = read_hash(root, "PiecesHashFileDigest", info.digest);
        if (r < 0)
                return refuse(reterr_why, "PiecesHashFileDigest is not the base64 of 32 bytes.");
        info.has_digest = r > 0;
        r = read_hash(root, "HashOfHashes", info.hash_of_hashes);
        if (r < 0)
                return refuse(reterr_why, "HashOfHashes is not the base64 of 32 bytes.");
        info.has_hash_of_hashes = r > 0;
        if (!info.has_digest && !info.has_hash_of_hashes)
                return refuse(reterr_why, "It needs PiecesHashFileDigest or HashOfHashes: else nothing vouches for the piece hashes.");
        info.url = strdup(url);
        if (!info.url)
                return -ENOMEM;
        *ret = info;
        return 0;
}

static int add_hash(json_t *root, const char *key, const uint8_t hash[static PIECE_HASH_BYTES]) {
        char text[BASE64_LENGTH(PIECE_HASH_BYTES) + 1];

        base64_encode(hash, PIECE_HASH_BYTES, text);
        return json_object_set_new(root, key, json_string(text));
}

int integrity_info_write(const struct integrity_info *info, char **ret_json) {
        json_auto_t *root = json_object();
        int r;

        r = json_object_set_new(root, "PiecesHashFileUrl", json_string(info->url));
        if (r == 0 && info->has_digest)
                r = add_hash(root, "PiecesHashFileDigest", info->digest);
        if (r == 0 && info->has_digest)
                r = json_object_set_new(root, "PiecesHashFileDigestAlgorithm", json_string("SHA256"));
        if (r == 0 && info->has_hash_of_hashes)
                r = add_hash(root, "HashOfHashes", info->hash_of_hashes);
        *ret_json = r == 0 ? json_dumps(root, 0) : NULL;
        return *ret_json ? 0 : -ENOMEM;
}

/* ---- decryption ---- */

void decryption_info_done(struct decryption_info *info) {
        OPENSSL_cleanse(info, sizeof(*info));
}

static int read_mode(const char *name, enum chaining_mode *ret) {
        static const struct {
                const char *name;
                enum chaining_mode mode;
        } modes[] = { { "ChainingModeCBC", CHAINING_CBC }, { "CBC", CHAINING_CBC }, { "ChainingModeGCM", CHAINING_GCM }, { "GCM", CHAINING_GCM } };

        for (size_t i = 0; name && i < ELEMENTSOF(modes); i++)
                if (streq(modes[i].name, name)) {
                        *ret = modes[i].mode;
                        return 0;
                }
        return -EINVAL;
}

/* Numbers may be written as strings: both are seen. */
static int read_size(const json_t *value, uint64_t *ret) {
        if (json_is_string(value))
                return parse_u64(json_string_value(value), ret);
        if (!json_is_integer(value) || json_integer_value(value) < 0)
                return -EINVAL;
        *ret = (uint64_t) json_integer_value(value);
        return 0;
}

static int read_decryption(const json_t *root, struct decryption_info *ret, const char **reterr_why) {
        const json_t *key = json_object_get(root, "KeyData");
        const char *algorithm = json_string_value(json_object_get(root, "AlgorithmName"));
        uint64_t buffer_bytes;

        if (!algorithm || !streq(algorithm, "AES"))
                return refuse(reterr_why, "AlgorithmName must be AES.");
        if (read_mode(json_string_value(json_object_get(root, "ChainingMode")), &ret->mode) < 0)
                return refuse(reterr_why, "ChainingMode must be ChainingModeCBC or ChainingModeGCM.");
        if (!json_is_string(key) || json_string_length(key) > KEY_TEXT_MAX ||
            base64_decode(json_string_value(key), json_string_length(key), ret->key, sizeof(ret->key), &ret->key_bytes) < 0 ||
            (ret->key_bytes != 16 && ret->key_bytes != 24 && ret->key_bytes != 32))
                return refuse(reterr_why, "KeyData is not the base64 of 16, 24 or 32 bytes.");
        if (read_size(json_object_get(root, "EncryptionBufferSize"), &buffer_bytes) < 0 ||
            buffer_bytes < LIMIT_ENCRYPTION_BUFFER_MIN || buffer_bytes > LIMIT_ENCRYPTION_BUFFER || buffer_bytes % 16 != 0)
                return refuse(reterr_why, "EncryptionBufferSize must be a multiple of 16 from 1024 to 16777216.");
        ret->buffer_bytes = (size_t) buffer_bytes;
        return 0;
}

int decryption_info_parse(const char *json, struct decryption_info *ret, const char **reterr_why) {
        json_auto_t *root = NULL;
        int r;

        *ret = (struct decryption_info) {};
        r = load_object(json, LIMIT_DECRYPTION_INFO, "It is too long.", &root, reterr_why);
        if (r == 0)
                r = read_decryption(root, ret, reterr_why);
        if (r != 0)
                decryption_info_done(ret);
        return r;
}

void decryption_info_write(const struct decryption_info *info, char ret[static DECRYPTION_INFO_TEXT_MAX]) {
        char key[BASE64_LENGTH(DECRYPTION_KEY_BYTES_MAX) + 1];

        base64_encode(info->key, info->key_bytes, key);
        snprintf(ret, DECRYPTION_INFO_TEXT_MAX, "{\"KeyData\":\"%s\",\"EncryptionBufferSize\":%zu,\"AlgorithmName\":\"AES\",\"ChainingMode\":\"%s\"}",
                 key, info->buffer_bytes, info->mode == CHAINING_GCM ? "ChainingModeGCM" : "ChainingModeCBC");
        OPENSSL_cleanse(key, sizeof(key));
}

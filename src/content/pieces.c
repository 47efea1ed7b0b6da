/* The piece hash file: JSON as Delivery Optimization writes it. It comes from the network: nothing in it is believed before it was
 * measured, and what vouches for it is asked first. */
#include <openssl/evp.h>
#include <string.h>

#include "base/strings.h"
#include "content/integrity.h"
#include "content/json.h"

#define MAJOR_VERSION 1

_Static_assert(PIECE_HASH_BYTES == 32, "SHA-256");

struct piece_hashes *piece_hashes_free(struct piece_hashes *hashes) {
        if (!hashes)
                return NULL;
        free(hashes->hashes);
        free(hashes);
        return NULL;
}

static int hash_bytes(const void *bytes, size_t size, uint8_t ret[static PIECE_HASH_BYTES]) {
        return EVP_Digest(bytes, size, ret, NULL, EVP_sha256(), NULL) == 1 ? 0 : -ENOMEM;
}

int piece_hashes_hash_of_hashes(const struct piece_hashes *hashes, uint8_t ret[static PIECE_HASH_BYTES]) {
        return hash_bytes(hashes->hashes, hashes->n_pieces * PIECE_HASH_BYTES, ret);
}

/* ---- reading ---- */

static int read_size(const json_t *root, const char *key, uint64_t *ret) {
        const json_t *value = json_object_get(root, key);

        if (!json_is_integer(value) || json_integer_value(value) < 0)
                return -EINVAL;
        *ret = (uint64_t) json_integer_value(value);
        return 0;
}

static int read_sizes(const json_t *root, struct piece_hashes *hashes) {
        if (read_size(root, "ContentLength", &hashes->content_length) < 0 || hashes->content_length > LIMIT_FILE_SIZE)
                return ERROR_METAINFO_CONTENT_LENGTH;
        if (read_size(root, "PieceSize", &hashes->piece_bytes) < 0 || hashes->piece_bytes < LIMIT_PIECE_BYTES_MIN ||
            hashes->piece_bytes > LIMIT_PIECE_BYTES)
                return ERROR_METAINFO_PIECE_SIZE;
        return 0;
}

static int read_pieces(const json_t *root, struct piece_hashes *hashes) {
        const json_t *pieces = json_object_get(root, "Pieces");
        size_t n = json_array_size(pieces);

        if (!json_is_array(pieces) || n > LIMIT_PIECES || n != piece_hashes_count(hashes->content_length, hashes->piece_bytes))
                return ERROR_METAINFO_PIECES;
        hashes->hashes = reallocarray(NULL, MAX(n, (size_t) 1), sizeof(*hashes->hashes));
        if (!hashes->hashes)
                return -ENOMEM;
        hashes->n_pieces = n;
        for (size_t i = 0; i < n; i++) {
                const json_t *piece = json_array_get(pieces, i);

                if (!json_is_string(piece) ||
                    base64_decode_exactly(json_string_value(piece), json_string_length(piece), hashes->hashes[i], PIECE_HASH_BYTES) < 0)
                        return ERROR_METAINFO_PIECE;
        }
        return 0;
}

/* What it says of its own hash of hashes, what its hashes make, and what was expected must be one. */
static int judge_hash_of_hashes(const json_t *root, const struct piece_hashes *hashes, const struct integrity_info *expected) {
        const json_t *stated = json_object_get(root, "HashOfHashes");
        uint8_t is[PIECE_HASH_BYTES], said[PIECE_HASH_BYTES];

        if (piece_hashes_hash_of_hashes(hashes, is) < 0)
                return -ENOMEM;
        if (expected->has_hash_of_hashes && memcmp(is, expected->hash_of_hashes, sizeof(is)) != 0)
                return ERROR_METAINFO_HASH_OF_HASHES;
        if (!stated)
                return 0;
        if (!json_is_string(stated) ||
            base64_decode_exactly(json_string_value(stated), json_string_length(stated), said, sizeof(said)) < 0)
                return ERROR_METAINFO_PARSE_HASH_OF_HASHES;
        return memcmp(is, said, sizeof(is)) == 0 ? 0 : ERROR_METAINFO_HASH_OF_HASHES_FINAL;
}

static int judge_digest(const void *text, size_t size, const struct integrity_info *expected) {
        uint8_t digest[PIECE_HASH_BYTES];

        if (!expected->has_digest)
                return 0;
        if (hash_bytes(text, size, digest) < 0)
                return -ENOMEM;
        return memcmp(digest, expected->digest, sizeof(digest)) == 0 ? 0 : ERROR_METAINFO_DIGEST;
}

int piece_hashes_parse(const void *text, size_t size, const struct integrity_info *expected, struct piece_hashes **ret) {
        _cleanup_(piece_hashes_freep) struct piece_hashes *hashes = NULL;
        json_auto_t *root = NULL;
        uint64_t version;
        int r;

        if (size > LIMIT_PIECE_HASH_FILE)
                return ERROR_METAINFO_PARSE;
        r = judge_digest(text, size, expected);
        if (r != 0)
                return r;
        hashes = calloc(1, sizeof(*hashes));
        if (!hashes)
                return -ENOMEM;
        root = json_loadb(text, size, JSON_REJECT_DUPLICATES, NULL);
        if (!json_is_object(root) || read_size(root, "MajorVersion", &version) < 0 || version != MAJOR_VERSION)
                return ERROR_METAINFO_PARSE;
        r = read_sizes(root, hashes);
        if (r == 0)
                r = read_pieces(root, hashes);
        if (r == 0)
                r = judge_hash_of_hashes(root, hashes, expected);
        if (r == 0)
                *ret = TAKE_PTR(hashes);
        return r;
}

/* ---- writing ---- */

static json_t *hash_to_json(const uint8_t hash[static PIECE_HASH_BYTES]) {
        char text[BASE64_LENGTH(PIECE_HASH_BYTES) + 1];

        base64_encode(hash, PIECE_HASH_BYTES, text);
        return json_string(text);
}

int piece_hashes_write(const struct piece_hashes *hashes, char **ret_text, size_t *ret_size) {
        json_auto_t *root = json_object();
        json_t *pieces = json_array();
        uint8_t hash_of_hashes[PIECE_HASH_BYTES];
        int r = piece_hashes_hash_of_hashes(hashes, hash_of_hashes);

        for (size_t i = 0; r == 0 && i < hashes->n_pieces; i++)
                r = json_array_append_new(pieces, hash_to_json(hashes->hashes[i]));
        if (r == 0)
                r = json_object_set_new(root, "MajorVersion", json_integer(MAJOR_VERSION));
        if (r == 0)
                r = json_object_set_new(root, "MinorVersion", json_integer(0));
        if (r == 0)
                r = json_object_set_new(root, "HashOfHashes", hash_to_json(hash_of_hashes));
        if (r == 0)
                r = json_object_set_new(root, "ContentLength", json_integer((json_int_t) hashes->content_length));
        if (r == 0)
                r = json_object_set_new(root, "PieceSize", json_integer((json_int_t) hashes->piece_bytes));
        r = json_object_set_new(root, "Pieces", pieces) == 0 ? r : -ENOMEM; /* the array's owner from here on */
        *ret_text = r == 0 ? json_dumps(root, JSON_COMPACT) : NULL;
        if (!*ret_text)
                return -ENOMEM;
        *ret_size = strlen(*ret_text);
        return 0;
}

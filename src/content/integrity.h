/* Hashes of a file's pieces: the JSON text that says where they are and what vouches for them (IntegrityCheckInfo), and the piece
 * hash file itself (docs/formats/piece-hash-file.md): reading, writing, judging.
 *
 * Pure functions of bytes. It must never know of descriptors, requests or jobs: who calls has the bytes already.
 *
 * 1. integrity_info_parse() judges what a client gave; keep the text, parse it again when it is needed.
 * 2. piece_hashes_parse() judges a piece hash file against it, before anything in it is believed.
 * 3. piece_hashes_match() says whether the bytes of one piece are the right ones.
 *
 * Outcomes: 0, an error code (enum error_code), -ENOMEM. */
#pragma once

#include "base/macros.h"
#include "protocol/errors.h"
#include "protocol/limits.h"

#define PIECE_HASH_BYTES 32 /* SHA-256 */

struct integrity_info {
        char *url;
        bool has_digest; /* of the piece hash file as it travels */
        uint8_t digest[PIECE_HASH_BYTES];
        bool has_hash_of_hashes; /* of the piece hashes, one after the other as bytes */
        uint8_t hash_of_hashes[PIECE_HASH_BYTES];
};
void integrity_info_done(struct integrity_info *info);
/* {"PiecesHashFileUrl", "PiecesHashFileDigest", "PiecesHashFileDigestAlgorithm", "HashOfHashes"}; at least one of digest and hash of
 * hashes. The form of the URL is the caller's to judge. *reterr_why: a sentence, static. */
int integrity_info_parse(const char *json, struct integrity_info *ret, const char **reterr_why);
/* The text for it. 0 or -ENOMEM. */
int integrity_info_write(const struct integrity_info *info, char **ret_json);

struct piece_hashes {
        uint64_t content_length;
        uint64_t piece_bytes; /* the last piece may be shorter */
        size_t n_pieces;
        uint8_t (*hashes)[PIECE_HASH_BYTES];
};
struct piece_hashes *piece_hashes_free(struct piece_hashes *hashes);
DEFINE_CLEANUP_FUNC(struct piece_hashes, piece_hashes_free)

/* @expected: what must be so before anything counts. ERROR_METAINFO_* say what is wrong. */
int piece_hashes_parse(const void *text, size_t size, const struct integrity_info *expected, struct piece_hashes **ret);
/* The piece hash file; not NUL-terminated. */
int piece_hashes_write(const struct piece_hashes *hashes, char **ret_text, size_t *ret_size);
int piece_hashes_hash_of_hashes(const struct piece_hashes *hashes, uint8_t ret[static PIECE_HASH_BYTES]);

/* Where a piece ends; it begins at @index * piece_bytes. */
static inline uint64_t piece_hashes_end(const struct piece_hashes *hashes, size_t index) {
        return MIN((index + 1) * hashes->piece_bytes, hashes->content_length);
}
/* How many pieces make this length. 0 bytes: none. */
static inline uint64_t piece_hashes_count(uint64_t content_length, uint64_t piece_bytes) {
        return content_length / piece_bytes + (content_length % piece_bytes != 0);
}

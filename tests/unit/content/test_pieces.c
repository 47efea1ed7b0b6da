#include "../unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "content/integrity.h"

#define HASH_TEXT "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="

static const struct integrity_info nothing_expected = {};

static int parse(const char *text, const struct integrity_info *expected) {
        struct piece_hashes *hashes = NULL;
        int r = piece_hashes_parse(text, strlen(text), expected, &hashes);

        assert_true((r == 0) == (hashes != NULL));
        piece_hashes_free(hashes);
        return r;
}

static void what_is_written_can_be_read(void **state _unused_) {
        uint8_t bytes[3][PIECE_HASH_BYTES] = { { 1 }, { 2 }, { 3 } };
        struct piece_hashes hashes = { .content_length = 2049, .piece_bytes = 1024, .n_pieces = 3, .hashes = bytes }, *again;
        struct integrity_info expected = { .has_hash_of_hashes = true };
        size_t size;
        char *text;

        assert_int_equal(piece_hashes_write(&hashes, &text, &size), 0);
        assert_int_equal(piece_hashes_hash_of_hashes(&hashes, expected.hash_of_hashes), 0);
        assert_int_equal(piece_hashes_parse(text, size, &expected, &again), 0);
        assert_int_equal(again->content_length, 2049);
        assert_int_equal(again->piece_bytes, 1024);
        assert_int_equal(again->n_pieces, 3);
        assert_memory_equal(again->hashes, bytes, sizeof(bytes));
        assert_int_equal(piece_hashes_end(again, 0), 1024);
        assert_int_equal(piece_hashes_end(again, 2), 2049);
        piece_hashes_free(again);
        free(text);
}

static void what_vouches_is_asked_first(void **state _unused_) {
        static const char text[] = "{\"MajorVersion\":1,\"ContentLength\":5,\"PieceSize\":1024,\"Pieces\":[\"" HASH_TEXT "\"]}";
        struct integrity_info expected = { .has_digest = true };

        assert_int_equal(parse(text, &nothing_expected), 0);
        assert_int_equal(parse(text, &expected), ERROR_METAINFO_DIGEST);
        assert_int_equal(parse("nonsense", &expected), ERROR_METAINFO_DIGEST); /* not even looked at */
        expected = (struct integrity_info) { .has_hash_of_hashes = true };
        assert_int_equal(parse(text, &expected), ERROR_METAINFO_HASH_OF_HASHES);
}

static void a_bad_file_says_what_is_bad(void **state _unused_) {
        static const struct {
                const char *text;
                int result;
        } rows[] = {
                { "", ERROR_METAINFO_PARSE },
                { "[]", ERROR_METAINFO_PARSE },
                { "{}", ERROR_METAINFO_PARSE },
                { "{\"MajorVersion\":2,\"ContentLength\":0,\"PieceSize\":1024,\"Pieces\":[]}", ERROR_METAINFO_PARSE },
                { "{\"MajorVersion\":1,\"ContentLength\":0,\"PieceSize\":1024,\"Pieces\":[]}", 0 },
                { "{\"MajorVersion\":1,\"ContentLength\":0,\"PieceSize\":1024,\"Pieces\":[]} x", ERROR_METAINFO_PARSE },
                { "{\"MajorVersion\":1,\"ContentLength\":-1,\"PieceSize\":1024,\"Pieces\":[]}", ERROR_METAINFO_CONTENT_LENGTH },
                { "{\"MajorVersion\":1,\"ContentLength\":4611686018427387905,\"PieceSize\":1024,\"Pieces\":[]}", ERROR_METAINFO_CONTENT_LENGTH },
                { "{\"MajorVersion\":1,\"ContentLength\":\"0\",\"PieceSize\":1024,\"Pieces\":[]}", ERROR_METAINFO_CONTENT_LENGTH },
                { "{\"MajorVersion\":1,\"ContentLength\":0,\"PieceSize\":1023,\"Pieces\":[]}", ERROR_METAINFO_PIECE_SIZE },
                { "{\"MajorVersion\":1,\"ContentLength\":0,\"PieceSize\":67108864,\"Pieces\":[]}", 0 },
                { "{\"MajorVersion\":1,\"ContentLength\":0,\"PieceSize\":67108865,\"Pieces\":[]}", ERROR_METAINFO_PIECE_SIZE },
                { "{\"MajorVersion\":1,\"ContentLength\":1,\"PieceSize\":1024,\"Pieces\":[]}", ERROR_METAINFO_PIECES },
                { "{\"MajorVersion\":1,\"ContentLength\":1,\"PieceSize\":1024,\"Pieces\":{}}", ERROR_METAINFO_PIECES },
                { "{\"MajorVersion\":1,\"ContentLength\":1,\"PieceSize\":1024,\"Pieces\":[7]}", ERROR_METAINFO_PIECE },
                { "{\"MajorVersion\":1,\"ContentLength\":1,\"PieceSize\":1024,\"Pieces\":[\"AAEC\"]}", ERROR_METAINFO_PIECE },
                { "{\"MajorVersion\":1,\"HashOfHashes\":\"x\",\"ContentLength\":0,\"PieceSize\":1024,\"Pieces\":[]}",
                  ERROR_METAINFO_PARSE_HASH_OF_HASHES },
                { "{\"MajorVersion\":1,\"HashOfHashes\":\"" HASH_TEXT "\",\"ContentLength\":0,\"PieceSize\":1024,\"Pieces\":[]}",
                  ERROR_METAINFO_HASH_OF_HASHES_FINAL },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++)
                assert_int_equal(parse(rows[i].text, &nothing_expected), rows[i].result);
}

/* As many pieces as the limit allows, in as many bytes. */
static void the_largest_file_is_read_and_a_larger_one_is_not(void **state _unused_) {
        _cleanup_free_ char *padded = NULL;
        struct piece_hashes hashes = { .piece_bytes = 1024, .n_pieces = LIMIT_PIECES }, *again;
        size_t size;
        char *text;

        hashes.content_length = hashes.n_pieces * hashes.piece_bytes;
        hashes.hashes = calloc(hashes.n_pieces + 1, PIECE_HASH_BYTES);
        assert_int_equal(piece_hashes_write(&hashes, &text, &size), 0);
        assert_in_range(size, 1, LIMIT_PIECE_HASH_FILE);
        assert_int_equal(piece_hashes_parse(text, size, &nothing_expected, &again), 0);
        piece_hashes_free(again);
        padded = malloc(LIMIT_PIECE_HASH_FILE + 1);
        memset(padded, ' ', LIMIT_PIECE_HASH_FILE + 1);
        memcpy(padded, text, size);
        free(text);
        assert_int_equal(piece_hashes_parse(padded, LIMIT_PIECE_HASH_FILE, &nothing_expected, &again), 0);
        piece_hashes_free(again);
        assert_int_equal(piece_hashes_parse(padded, LIMIT_PIECE_HASH_FILE + 1, &nothing_expected, &again), ERROR_METAINFO_PARSE);
        hashes.n_pieces++;
        hashes.content_length++;
        assert_int_equal(piece_hashes_write(&hashes, &text, &size), 0);
        assert_int_equal(piece_hashes_parse(text, size, &nothing_expected, &again), ERROR_METAINFO_PIECES);
        free(text);
        free(hashes.hashes);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(what_is_written_can_be_read),
                cmocka_unit_test(what_vouches_is_asked_first),
                cmocka_unit_test(a_bad_file_says_what_is_bad),
                cmocka_unit_test(the_largest_file_is_read_and_a_larger_one_is_not),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

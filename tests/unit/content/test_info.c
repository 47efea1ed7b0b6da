#include "../unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "content/encryption.h"
#include "content/integrity.h"

#define HASH_TEXT "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=" /* 0, 1, … 31 */
#define KEY16 "AAECAwQFBgcICQoLDA0ODw=="

static void an_integrity_info_says_where_and_what_vouches(void **state _unused_) {
        struct integrity_info info;
        const char *why = NULL;

        assert_int_equal(integrity_info_parse("{\"PiecesHashFileUrl\":\"http://h/p\",\"PiecesHashFileDigest\":\"" HASH_TEXT "\","
                                              "\"PiecesHashFileDigestAlgorithm\":\"sha256\",\"HashOfHashes\":\"" HASH_TEXT "\","
                                              "\"Unknown\":[1]}", &info, &why), 0);
        assert_string_equal(info.url, "http://h/p");
        assert_true(info.has_digest && info.has_hash_of_hashes);
        for (uint8_t i = 0; i < PIECE_HASH_BYTES; i++)
                assert_int_equal(info.hash_of_hashes[i], i);
        integrity_info_done(&info);
}

static void what_is_written_can_be_read(void **state _unused_) {
        struct integrity_info info = { .url = (char *) "http://h/\"q\"", .has_hash_of_hashes = true, .hash_of_hashes = { 7 } }, again;
        const char *why;
        char *json;

        assert_int_equal(integrity_info_write(&info, &json), 0);
        assert_int_equal(integrity_info_parse(json, &again, &why), 0);
        assert_string_equal(again.url, info.url);
        assert_false(again.has_digest);
        assert_memory_equal(again.hash_of_hashes, info.hash_of_hashes, PIECE_HASH_BYTES);
        integrity_info_done(&again);
        free(json);
}

static void a_bad_integrity_info_is_refused_with_a_sentence(void **state _unused_) {
        static const char *const rows[] = {
                "", "[]", "{", "null",
                "{\"PiecesHashFileUrl\":\"http://h/p\"}", /* nothing vouches */
                "{\"HashOfHashes\":\"" HASH_TEXT "\"}",
                "{\"PiecesHashFileUrl\":7,\"HashOfHashes\":\"" HASH_TEXT "\"}",
                "{\"PiecesHashFileUrl\":\"http://h/p\",\"HashOfHashes\":\"" KEY16 "\"}", /* 16 bytes */
                "{\"PiecesHashFileUrl\":\"http://h/p\",\"HashOfHashes\":\"AAEC\nwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\"}",
                "{\"PiecesHashFileUrl\":\"http://h/p\",\"PiecesHashFileDigest\":\"" HASH_TEXT "\",\"PiecesHashFileDigestAlgorithm\":\"MD5\"}",
                "{\"PiecesHashFileUrl\":\"a\",\"PiecesHashFileUrl\":\"b\",\"HashOfHashes\":\"" HASH_TEXT "\"}",
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                struct integrity_info info;
                const char *why = NULL;

                assert_int_equal(integrity_info_parse(rows[i], &info, &why), ERROR_INVALID_ARGUMENT);
                assert_non_null(why);
                assert_null(info.url);
        }
}

static void an_integrity_info_ends_where_the_limit_says(void **state _unused_) {
        static const char form[] = "{\"PiecesHashFileUrl\":\"http://h/p\",\"HashOfHashes\":\"" HASH_TEXT "\"}";
        _cleanup_free_ char *json = malloc(LIMIT_INTEGRITY_INFO + 2);
        struct integrity_info info;
        const char *why;

        memset(json, ' ', LIMIT_INTEGRITY_INFO + 1);
        json[LIMIT_INTEGRITY_INFO] = 0;
        memcpy(json, form, strlen(form));
        assert_int_equal(integrity_info_parse(json, &info, &why), 0);
        integrity_info_done(&info);
        json[LIMIT_INTEGRITY_INFO] = ' ';
        json[LIMIT_INTEGRITY_INFO + 1] = 0;
        assert_int_equal(integrity_info_parse(json, &info, &why), ERROR_INVALID_ARGUMENT);
}

static int parse_decryption(const char *key, const char *buffer, const char *algorithm, const char *mode, struct decryption_info *ret) {
        const char *why = NULL;
        char json[512];
        int r;

        snprintf(json, sizeof(json), "{\"KeyData\":\"%s\",\"EncryptionBufferSize\":%s,\"AlgorithmName\":\"%s\",\"ChainingMode\":\"%s\"}",
                 key, buffer, algorithm, mode);
        r = decryption_info_parse(json, ret, &why);
        assert_true(r == 0 || why);
        return r;
}

static void a_decryption_info_is_a_key_and_how_to_use_it(void **state _unused_) {
        struct decryption_info info;

        assert_int_equal(parse_decryption(KEY16, "65536", "AES", "ChainingModeGCM", &info), 0);
        assert_int_equal(info.key_bytes, 16);
        assert_int_equal(info.key[15], 15);
        assert_int_equal(info.buffer_bytes, 65536);
        assert_int_equal(info.mode, CHAINING_GCM);
        assert_int_equal(parse_decryption(HASH_TEXT, "\"1024\"", "AES", "CBC", &info), 0);
        assert_int_equal(info.key_bytes, 32);
        assert_int_equal(info.buffer_bytes, LIMIT_ENCRYPTION_BUFFER_MIN);
        decryption_info_done(&info);
        assert_int_equal(info.key_bytes, 0);
}

static void a_bad_decryption_info_is_refused_with_a_sentence(void **state _unused_) {
        struct decryption_info info;

        assert_int_equal(parse_decryption("AAEC", "65536", "AES", "CBC", &info), ERROR_INVALID_ARGUMENT);
        assert_int_equal(parse_decryption("", "65536", "AES", "CBC", &info), ERROR_INVALID_ARGUMENT);
        assert_int_equal(parse_decryption(KEY16, "0", "AES", "CBC", &info), ERROR_INVALID_ARGUMENT);
        assert_int_equal(parse_decryption(KEY16, "1008", "AES", "CBC", &info), ERROR_INVALID_ARGUMENT);
        assert_int_equal(parse_decryption(KEY16, "1025", "AES", "CBC", &info), ERROR_INVALID_ARGUMENT);
        assert_int_equal(parse_decryption(KEY16, "16777216", "AES", "CBC", &info), 0);
        assert_int_equal(parse_decryption(KEY16, "16777232", "AES", "CBC", &info), ERROR_INVALID_ARGUMENT);
        assert_int_equal(parse_decryption(KEY16, "-16", "AES", "CBC", &info), ERROR_INVALID_ARGUMENT);
        assert_int_equal(parse_decryption(KEY16, "65536", "DES", "CBC", &info), ERROR_INVALID_ARGUMENT);
        assert_int_equal(parse_decryption(KEY16, "65536", "AES", "ChainingModeECB", &info), ERROR_INVALID_ARGUMENT);
        for (size_t i = 0; i < sizeof(info.key); i++)
                assert_int_equal(info.key[i], 0); /* nothing of a refused one stays */
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(an_integrity_info_says_where_and_what_vouches),
                cmocka_unit_test(what_is_written_can_be_read),
                cmocka_unit_test(a_bad_integrity_info_is_refused_with_a_sentence),
                cmocka_unit_test(an_integrity_info_ends_where_the_limit_says),
                cmocka_unit_test(a_decryption_info_is_a_key_and_how_to_use_it),
                cmocka_unit_test(a_bad_decryption_info_is_refused_with_a_sentence),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "../unit.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "content/encryption.h"

#define BUFFER 1024
#define SEALED (BUFFER + ENCRYPTION_TAG_BYTES)
#define CONTENT_MAX (4 * BUFFER)
#define FILE_MAX (CONTENT_MAX + 8 * ENCRYPTION_TAG_BYTES + ENCRYPTION_HEADER_BYTES)

static const uint8_t salt[ENCRYPTION_SALT_BYTES] = { 5, 5, 5, 5 };

static struct decryption_info make_info(enum chaining_mode mode) {
        return (struct decryption_info) { .key = { 1, 2, 3 }, .key_bytes = 32, .buffer_bytes = BUFFER, .mode = mode };
}

static uint8_t content_byte(size_t i) {
        return (uint8_t)(i * 7 + i / 256);
}

/* The whole encrypted file. */
static size_t encrypt_with(const struct decryption_info *info, size_t size, uint8_t *ret) {
        _cleanup_(encryption_freep) struct encryption *encryption = NULL;
        uint8_t content[CONTENT_MAX];
        size_t length = ENCRYPTION_HEADER_BYTES, n, done = 0;
        struct encryption_layout layout;

        for (size_t i = 0; i < size; i++)
                content[i] = content_byte(i);
        assert_int_equal(encryption_new(info, salt, &encryption), 0);
        encryption_write_header(encryption, ret);
        assert_int_equal(encryption_layout_make(info, encryption_size(info, size), &layout), 0);
        for (uint64_t i = 0; i < layout.n_buffers; i++) {
                size_t part = MIN(size - done, info->buffer_bytes);

                assert_int_equal(encryption_seal(encryption, i, i + 1 == layout.n_buffers, content + done, part, ret + length, &n), 0);
                length += n;
                done += part;
        }
        assert_int_equal(done, size);
        assert_int_equal(length, encryption_size(info, size));
        return length;
}

/* Reads it as the service does. Outcome; the content must be right as far as it was given. */
static int decrypt_with(const struct decryption_info *info, const uint8_t *file, size_t size, size_t *ret_size) {
        _cleanup_(encryption_freep) struct encryption *encryption = NULL;
        uint8_t part[SEALED];
        struct encryption_layout layout;
        const char *why = NULL;
        size_t done = 0, n;
        int r;

        *ret_size = 0;
        r = encryption_read_header(info, file, size, &encryption, &why);
        assert_true((r > 0) == (why != NULL));
        if (r == 0)
                r = encryption_layout_make(info, size, &layout);
        for (uint64_t i = 0; r == 0 && i < layout.n_buffers; i++) {
                bool last = i + 1 == layout.n_buffers;

                r = encryption_open(encryption, i, last, file + ENCRYPTION_HEADER_BYTES + i * SEALED,
                                    last ? layout.last_bytes : layout.sealed_bytes, part, &n);
                for (size_t j = 0; r == 0 && j < n; j++)
                        assert_int_equal(part[j], content_byte(done + j));
                if (r == 0)
                        done += n;
        }
        *ret_size = done;
        return r;
}

static const enum chaining_mode modes[] = { CHAINING_CBC, CHAINING_GCM };
#define FOR_EACH_MODE(info)                                                                          \
        for (size_t mode_ = 0; mode_ < ELEMENTSOF(modes); mode_++)                                   \
                for (struct decryption_info info = make_info(modes[mode_]), *once_ = &info; once_; once_ = NULL)

static void what_is_sealed_can_be_opened(void **state _unused_) {
        static const size_t sizes[] = { 0, 1, 15, 16, 17, BUFFER - 1, BUFFER, BUFFER + 1, 2 * BUFFER - 16, 2 * BUFFER, 2 * BUFFER + 15, CONTENT_MAX };
        static const size_t key_sizes[] = { 16, 24, 32 };
        uint8_t file[FILE_MAX];
        size_t length, size;

        FOR_EACH_MODE(info)
                for (size_t k = 0; k < ELEMENTSOF(key_sizes); k++)
                        for (size_t i = 0; i < ELEMENTSOF(sizes); i++) {
                                struct encryption_layout layout;

                                info.key_bytes = key_sizes[k];
                                length = encrypt_with(&info, sizes[i], file);
                                assert_int_equal(decrypt_with(&info, file, length, &size), 0);
                                assert_int_equal(size, sizes[i]);
                                assert_int_equal(encryption_layout_make(&info, length, &layout), 0);
                                assert_in_range(layout.content_max, size, info.mode == CHAINING_GCM ? size : size + 15);
                        }
}

/* Made from docs/formats/encrypted-file.md by another program (Python, with its hmac, hashlib and cryptography). */
static void the_bytes_are_those_of_the_description(void **state _unused_) {
        static const struct {
                enum chaining_mode mode;
                size_t key_bytes;
                size_t length;
                uint8_t sha256[8]; /* of the encrypted file, its beginning */
        } rows[] = {
                { CHAINING_CBC, 16, 1616, { 0x5a, 0x16, 0xe0, 0xc9, 0x96, 0x62, 0x31, 0x3f } },
                { CHAINING_CBC, 32, 1616, { 0x73, 0xb2, 0x5f, 0x7d, 0xc2, 0x8f, 0x21, 0x63 } },
                { CHAINING_GCM, 16, 1612, { 0xe2, 0x75, 0xba, 0x6f, 0x16, 0x17, 0x33, 0x6e } },
                { CHAINING_GCM, 32, 1612, { 0x6b, 0xcf, 0x92, 0x9d, 0x0e, 0x08, 0x33, 0x9d } },
        };
        uint8_t file[FILE_MAX], digest[EVP_MAX_MD_SIZE];

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                struct decryption_info info = make_info(rows[i].mode);

                info.key_bytes = rows[i].key_bytes;
                assert_int_equal(encrypt_with(&info, 1500, file), rows[i].length);
                assert_int_equal(EVP_Digest(file, rows[i].length, digest, NULL, EVP_sha256(), NULL), 1);
                assert_memory_equal(digest, rows[i].sha256, sizeof(rows[i].sha256));
        }
}

static void every_length_that_is_cut_off_is_found(void **state _unused_) {
        uint8_t file[FILE_MAX];
        size_t length, size;

        FOR_EACH_MODE(info) {
                length = encrypt_with(&info, 3 * BUFFER, file);
                for (size_t cut = 0; cut < length; cut++) {
                        int r = decrypt_with(&info, file, cut, &size);

                        assert_int_equal(r, cut < ENCRYPTION_HEADER_BYTES ? ERROR_ENCRYPTION_EXPECTED : ERROR_DECRYPTION_DAMAGED);
                }
        }
}

static void every_byte_that_is_changed_is_found(void **state _unused_) {
        uint8_t file[FILE_MAX];
        size_t length, size;

        FOR_EACH_MODE(info) {
                length = encrypt_with(&info, BUFFER + 5, file);
                for (size_t i = 0; i < length; i++) {
                        int r;

                        file[i] ^= 0x40;
                        r = decrypt_with(&info, file, length, &size);
                        assert_int_equal(r, i < 8 ? ERROR_ENCRYPTION_EXPECTED : ERROR_DECRYPTION_DAMAGED);
                        file[i] ^= 0x40;
                }
                assert_int_equal(decrypt_with(&info, file, length, &size), 0);
        }
}

static void buffers_that_change_places_or_files_are_found(void **state _unused_) {
        uint8_t file[FILE_MAX], other[FILE_MAX], swapped[SEALED];
        uint8_t *first = file + ENCRYPTION_HEADER_BYTES, *second = first + SEALED;
        static const uint8_t other_salt[ENCRYPTION_SALT_BYTES] = { 6 };
        size_t length, size, n;

        FOR_EACH_MODE(info) {
                _cleanup_(encryption_freep) struct encryption *encryption = NULL;

                length = encrypt_with(&info, 2 * BUFFER + 1, file);
                memcpy(swapped, first, SEALED);
                memcpy(first, second, SEALED);
                memcpy(second, swapped, SEALED);
                assert_int_equal(decrypt_with(&info, file, length, &size), ERROR_DECRYPTION_DAMAGED);
                assert_int_equal(size, 0);

                length = encrypt_with(&info, 2 * BUFFER + 1, file);
                memcpy(second, first, SEALED); /* repeated */
                assert_int_equal(decrypt_with(&info, file, length, &size), ERROR_DECRYPTION_DAMAGED);
                assert_int_equal(size, BUFFER);

                /* The same buffer under the same key, but of another file. */
                length = encrypt_with(&info, 2 * BUFFER + 1, file);
                assert_int_equal(encryption_new(&info, other_salt, &encryption), 0);
                for (size_t i = 0; i < BUFFER; i++)
                        other[i] = content_byte(i);
                assert_int_equal(encryption_seal(encryption, 0, false, other, BUFFER, first, &n), 0);
                assert_int_equal(n, SEALED);
                assert_int_equal(decrypt_with(&info, file, length, &size), ERROR_DECRYPTION_DAMAGED);

                /* And another file's header before these buffers. */
                length = encrypt_with(&info, 2 * BUFFER + 1, file);
                encryption_write_header(encryption, file);
                assert_int_equal(decrypt_with(&info, file, length, &size), ERROR_DECRYPTION_DAMAGED);
        }
}

static void a_file_that_goes_on_behind_its_end_is_found(void **state _unused_) {
        uint8_t file[FILE_MAX + SEALED] = {};
        size_t length, size;

        FOR_EACH_MODE(info) {
                length = encrypt_with(&info, BUFFER, file);
                for (size_t more = 1; more <= SEALED; more++)
                        assert_int_equal(decrypt_with(&info, file, length + more, &size), ERROR_DECRYPTION_DAMAGED);
        }
}

static void another_key_mode_or_buffer_size_is_told_apart_from_damage(void **state _unused_) {
        uint8_t file[FILE_MAX];
        size_t length, size;

        FOR_EACH_MODE(info) {
                struct decryption_info other = info;

                length = encrypt_with(&info, 100, file);
                other.key[31] ^= 1;
                assert_int_equal(decrypt_with(&other, file, length, &size), ERROR_DECRYPTION_MISMATCH);
                other = info;
                other.key_bytes = 16;
                assert_int_equal(decrypt_with(&other, file, length, &size), ERROR_DECRYPTION_MISMATCH);
                other = info;
                other.buffer_bytes = 2 * BUFFER;
                assert_int_equal(decrypt_with(&other, file, length, &size), ERROR_DECRYPTION_MISMATCH);
                other = info;
                other.mode = info.mode == CHAINING_GCM ? CHAINING_CBC : CHAINING_GCM;
                assert_int_equal(decrypt_with(&other, file, length, &size), ERROR_DECRYPTION_MISMATCH);
        }
}

static void sizes_are_judged_at_their_limits(void **state _unused_) {
        struct encryption_layout layout;

        FOR_EACH_MODE(info) {
                assert_int_equal(encryption_layout_make(&info, 0, &layout), ERROR_DECRYPTION_DAMAGED);
                assert_int_equal(encryption_layout_make(&info, ENCRYPTION_HEADER_BYTES + 15, &layout), ERROR_DECRYPTION_DAMAGED);
                assert_int_equal(encryption_layout_make(&info, LIMIT_FILE_SIZE + 1, &layout), ERROR_DECRYPTION_DAMAGED);
                assert_int_equal(encryption_size(&info, LIMIT_FILE_SIZE + 1), UINT64_MAX);
                assert_true(encryption_size(&info, LIMIT_FILE_SIZE) > LIMIT_FILE_SIZE);
                info.buffer_bytes = LIMIT_ENCRYPTION_BUFFER;
                assert_int_equal(encryption_layout_make(&info, encryption_size(&info, LIMIT_FILE_SIZE / 2), &layout), 0);
                assert_int_equal(layout.n_buffers, LIMIT_FILE_SIZE / 2 / LIMIT_ENCRYPTION_BUFFER + (info.mode == CHAINING_CBC));
        }
}

static void what_is_written_as_info_can_be_read(void **state _unused_) {
        FOR_EACH_MODE(info) {
                struct decryption_info again;
                char text[DECRYPTION_INFO_TEXT_MAX];
                const char *why;

                info.buffer_bytes = LIMIT_ENCRYPTION_BUFFER;
                memset(info.key, 0xfb, sizeof(info.key)); /* slashes and pluses */
                decryption_info_write(&info, text);
                assert_int_equal(decryption_info_parse(text, &again, &why), 0);
                assert_memory_equal(again.key, info.key, sizeof(info.key));
                assert_int_equal(again.key_bytes, 32);
                assert_int_equal(again.buffer_bytes, info.buffer_bytes);
                assert_int_equal(again.mode, info.mode);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(what_is_sealed_can_be_opened),
                cmocka_unit_test(the_bytes_are_those_of_the_description),
                cmocka_unit_test(every_length_that_is_cut_off_is_found),
                cmocka_unit_test(every_byte_that_is_changed_is_found),
                cmocka_unit_test(buffers_that_change_places_or_files_are_found),
                cmocka_unit_test(a_file_that_goes_on_behind_its_end_is_found),
                cmocka_unit_test(another_key_mode_or_buffer_size_is_told_apart_from_damage),
                cmocka_unit_test(sizes_are_judged_at_their_limits),
                cmocka_unit_test(what_is_written_as_info_can_be_read),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

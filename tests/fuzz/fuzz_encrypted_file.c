/* An encrypted file of a stranger, and a DecryptionInfo of a client. The first byte says which. Properties: no bytes are taken that were not
 * sealed with the key; what was sealed is opened again, and not when a single bit of it differs. */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "content/encryption.h"

#define CHECK(x) \
        do {                     \
                if (!(x))        \
                        abort(); \
        } while (0)
#define BUFFER 1024
#define CONTENT_MAX (3 * BUFFER)
#define FILE_MAX (CONTENT_MAX + 1024)

static struct decryption_info make_info(enum chaining_mode mode) {
        return (struct decryption_info) { .key = { 1, 2, 3 }, .key_bytes = 16, .buffer_bytes = BUFFER, .mode = mode };
}

/* Outcome; the content goes to @content. */
static int decrypt(const struct decryption_info *info, const uint8_t *file, size_t size, uint8_t *content, size_t *ret_size) {
        _cleanup_(encryption_freep) struct encryption *encryption = NULL;
        uint8_t buffer[BUFFER + ENCRYPTION_TAG_BYTES];
        struct encryption_layout layout;
        const char *why = NULL;
        size_t n;
        int r = encryption_read_header(info, file, size, &encryption, &why);

        CHECK(r >= 0 && (r > 0) == (why != NULL));
        *ret_size = 0;
        if (r == 0)
                r = encryption_layout_make(info, size, &layout);
        for (uint64_t i = 0; r == 0 && i < layout.n_buffers; i++) {
                bool is_last = i + 1 == layout.n_buffers;

                r = encryption_open(encryption, i, is_last, file + ENCRYPTION_HEADER_BYTES + i * layout.sealed_bytes,
                                    is_last ? layout.last_bytes : layout.sealed_bytes, buffer, &n);
                CHECK(r >= 0 && n <= BUFFER + ENCRYPTION_TAG_BYTES);
                if (r != 0 || *ret_size + n > CONTENT_MAX)
                        continue;
                memcpy(content + *ret_size, buffer, n);
                *ret_size += n;
        }
        return r;
}

static void try_info(const uint8_t *data, size_t size) {
        _cleanup_free_ char *text = strndup((const char *) data, size);
        struct decryption_info info, again;
        char written[DECRYPTION_INFO_TEXT_MAX];
        const char *why;

        if (!text || decryption_info_parse(text, &info, &why) != 0)
                return;
        decryption_info_write(&info, written);
        CHECK(decryption_info_parse(written, &again, &why) == 0);
        CHECK(memcmp(info.key, again.key, sizeof(info.key)) == 0 && info.key_bytes == again.key_bytes && info.mode == again.mode &&
              info.buffer_bytes == again.buffer_bytes);
}

/* Two bytes of place, the rest is content. */
static void try_round(enum chaining_mode mode, const uint8_t *data, size_t size) {
        static const uint8_t salt[ENCRYPTION_SALT_BYTES] = { 4 };
        const struct decryption_info info = make_info(mode);
        _cleanup_(encryption_freep) struct encryption *encryption = NULL;
        uint8_t file[FILE_MAX], content[CONTENT_MAX];
        struct encryption_layout layout;
        size_t bit, length = ENCRYPTION_HEADER_BYTES, n;

        if (size < 2)
                return;
        bit = (size_t) (data[0] << 8 | data[1]);
        data += 2;
        size = MIN(size - 2, (size_t) CONTENT_MAX);
        CHECK(encryption_new(&info, salt, &encryption) == 0);
        encryption_write_header(encryption, file);
        CHECK(encryption_layout_make(&info, encryption_size(&info, size), &layout) == 0);
        for (uint64_t i = 0; i < layout.n_buffers; i++) {
                CHECK(encryption_seal(encryption, i, i + 1 == layout.n_buffers, data + i * BUFFER, MIN(size - i * BUFFER, (size_t) BUFFER),
                                      file + length, &n) == 0);
                length += n;
        }
        CHECK(length == encryption_size(&info, size));
        CHECK(decrypt(&info, file, length, content, &n) == 0 && n == size && memcmp(content, data, size) == 0);
        bit %= length * 8;
        file[bit / 8] ^= (uint8_t)(1 << bit % 8);
        CHECK(decrypt(&info, file, length, content, &n) > 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        uint8_t content[CONTENT_MAX];
        struct decryption_info info;
        size_t n;

        if (size == 0)
                return 0;
        info = make_info(*data & 1 ? CHAINING_GCM : CHAINING_CBC);
        if (*data < 2)
                (void) decrypt(&info, data + 1, size - 1, content, &n);
        else if (*data < 4)
                try_round(info.mode, data + 1, size - 1);
        else
                try_info(data, size); /* with it: a text begins so */
        return 0;
}

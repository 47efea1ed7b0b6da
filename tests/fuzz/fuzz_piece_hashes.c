/* A piece hash file of a stranger. Properties: what is taken fits together and is written again as the same hashes. */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "content/integrity.h"

#define CHECK(x) \
        do {                     \
                if (!(x))        \
                        abort(); \
        } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        static const struct integrity_info nothing_expected = {};
        _cleanup_(piece_hashes_freep) struct piece_hashes *hashes = NULL, *again = NULL;
        _cleanup_free_ char *text = NULL;
        size_t text_size;
        int r = piece_hashes_parse(data, size, &nothing_expected, &hashes);

        CHECK((r == 0) == (hashes != NULL));
        if (r != 0)
                return 0;
        CHECK(hashes->piece_bytes >= LIMIT_PIECE_BYTES_MIN && hashes->piece_bytes <= LIMIT_PIECE_BYTES);
        CHECK(hashes->n_pieces == piece_hashes_count(hashes->content_length, hashes->piece_bytes));
        CHECK(hashes->n_pieces == 0 || piece_hashes_end(hashes, hashes->n_pieces - 1) == hashes->content_length);
        CHECK(piece_hashes_write(hashes, &text, &text_size) == 0);
        CHECK(piece_hashes_parse(text, text_size, &nothing_expected, &again) == 0);
        CHECK(again->n_pieces == hashes->n_pieces);
        CHECK(memcmp(again->hashes, hashes->hashes, hashes->n_pieces * PIECE_HASH_BYTES) == 0);
        return 0;
}

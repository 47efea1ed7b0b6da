/* Calls and answers between the core and an owner's process: the first byte says which. Property: what decodes encodes to the very same
 * bytes. */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "files/wire.h"

static void must_be_same(int r, uint8_t *again, size_t n, const uint8_t *bytes, size_t size) {
        if (r < 0 || n != size || memcmp(again, bytes, n) != 0)
                abort();
        free(again);
}

static void try_call(const uint8_t *bytes, size_t size) {
        struct wire_call call;
        uint8_t *again;
        size_t n;
        int r;

        if (wire_call_decode(bytes, size, &call) < 0)
                return;
        r = wire_call_encode(&call, &again, &n);
        must_be_same(r, again, n, bytes, size);
        wire_call_done(&call);
}

static void try_answer(const uint8_t *bytes, size_t size) {
        struct wire_answer answer;
        uint8_t *again;
        size_t n;
        int r;

        if (wire_answer_decode(bytes, size, &answer) < 0)
                return;
        r = wire_answer_encode(&answer, &again, &n);
        must_be_same(r, again, n, bytes, size);
        wire_answer_done(&answer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        uint8_t *copy; /* of the exact size: a sanitizer sees what reads behind it */

        if (size < 2 || size > 1024 * 1024)
                return 0;
        copy = malloc(size - 1);
        if (!copy)
                return 0;
        memcpy(copy, data + 1, size - 1);
        if (data[0] % 2 == 0)
                try_call(copy, size - 1);
        else
                try_answer(copy, size - 1);
        free(copy);
        return 0;
}

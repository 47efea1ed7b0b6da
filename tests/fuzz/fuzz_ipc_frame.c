/* Packets between our processes, in each direction. Property: what decodes encodes to the very same bytes. */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "ipc/message.h"

/* The visitor checks; this reads every byte that it handed out, so that a sanitizer sees a wrong pointer. */
static size_t touch_start(const struct ipc_start *start) {
        const char *strings[] = { start->url, start->etag, start->last_modified, start->encoding, start->origin, start->headers };
        size_t n = 0;

        for (size_t i = 0; i < ELEMENTSOF(strings); i++)
                n += strings[i] ? strlen(strings[i]) : 0;
        for (uint32_t i = 0; i < start->n_proxies; i++)
                n += strlen(start->proxies[i]);
        for (uint32_t i = 0; i < start->n_pieces; i++)
                n += start->pieces[i].length > 0;
        return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        static _Alignas(8) uint8_t again[IPC_FRAME_MAX];
        struct ipc_message message;
        uint8_t *copy;
        ssize_t n, k;

        if (size == 0 || size > 2 * IPC_FRAME_MAX)
                return 0;
        copy = aligned_alloc(8, (size + 7) / 8 * 8);
        if (!copy)
                return 0;
        memcpy(copy, data, size);
        for (size_t at = 0; at < size; at += (size_t) n) {
                n = ipc_decode(copy + at, size - at, &message);
                if (n < 0)
                        break;
                if (message.type == IPC_START && touch_start(&message.start) == 0)
                        abort();
                k = ipc_encode(&message, again);
                if (k != n || memcmp(copy + at, again, (size_t) n) != 0)
                        abort();
        }
        free(copy);
        return 0;
}

/* Walks over bytes in both directions: one visitor for each struct reads it and writes it, so the two cannot disagree.
 *
 * 1. Encoding: `struct codec c = { .out = buffer, .size = its size }`, or out NULL and size SIZE_MAX to learn how many bytes it takes (c.at).
 *    Nothing that is visited is changed.
 * 2. Decoding: `struct codec c = { .decoding = true, .in = bytes, .size = n }`. Strings then point into the bytes.
 * 3. The first failure sticks (c.failed); look at it before a count or a length is believed, and once at the end.
 * Byte order is the machine's: both ends come from one build. Must never know what a message means. */
#pragma once

#include <string.h>

#include "base/macros.h"

struct codec {
        bool decoding;
        bool failed;
        uint8_t *out;
        const uint8_t *in;
        size_t at;
        size_t size;
};

enum string_rule {
        STRING_REQUIRED = 1 << 0,
        STRING_NO_CONTROL = 1 << 1, /* what comes from the network must not carry a line end any further (CVE-2019-3462) */
        STRING_NOT_EMPTY = 1 << 2,
        STRING_UTF8 = 1 << 3,
};

static inline void codec_check(struct codec *c, bool ok) {
        if (!ok)
                c->failed = true;
}
/* Here, so that a number's is a load and a store: a START has forty of them, and there is one for each small file. */
static inline void codec_bytes(struct codec *c, void *p, size_t n) {
        if (c->failed || n > c->size - c->at) {
                c->failed = true;
                return;
        }
        if (c->decoding)
                memcpy(p, c->in + c->at, n);
        else if (c->out)
                memcpy(c->out + c->at, p, n);
        c->at += n;
}
static inline void codec_u64(struct codec *c, uint64_t *v) {
        codec_bytes(c, v, sizeof(*v));
}
static inline void codec_u32(struct codec *c, uint32_t *v) {
        codec_bytes(c, v, sizeof(*v));
}
static inline void codec_bool(struct codec *c, bool *v) {
        uint8_t byte = c->decoding ? 0 : *v;

        codec_bytes(c, &byte, 1);
        codec_check(c, byte <= 1);
        if (c->decoding && !c->failed)
                *v = byte == 1;
}
/* Zeros up to a multiple of 8. */
void codec_align(struct codec *c);
/* Length, bytes, NUL; NULL is a string of its own. */
void codec_string(struct codec *c, const char **s, size_t max, unsigned rules);
void codec_count(struct codec *c, uint32_t *n, uint32_t min, uint32_t max);
/* @n bytes that stay where they are: when decoding *p points to them. */
void codec_span(struct codec *c, const void **p, size_t n);

/* @v: an enum below @max; read and written through its number. */
#define codec_enum(c, v, max)                            \
        do {                                             \
                uint32_t _n_ = (uint32_t) *(v);          \
                codec_u32(c, &_n_);                      \
                codec_check(c, _n_ < (uint32_t) (max));  \
                if ((c)->decoding && !(c)->failed)       \
                        *(v) = (__typeof__(*(v))) _n_;   \
        } while (false)

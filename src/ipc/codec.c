#include "ipc/codec.h"

#include <string.h>

#include "base/strings.h"

#define STRING_NULL UINT32_MAX

void codec_align(struct codec *c) {
        static const uint8_t zeros[8];
        uint8_t pad[8] = {};
        size_t n = (8 - c->at % 8) % 8;

        codec_bytes(c, pad, n);
        codec_check(c, memcmp(pad, zeros, n) == 0);
}

void codec_span(struct codec *c, const void **p, size_t n) {
        if (c->failed || n > c->size - c->at) {
                c->failed = true;
                return;
        }
        if (c->decoding)
                *p = c->in + c->at;
        else if (c->out && n > 0)
                memcpy(c->out + c->at, *p, n);
        c->at += n;
}

void codec_string(struct codec *c, const char **s, size_t max, unsigned rules) {
        uint32_t n = STRING_NULL;
        const char *p;

        if (!c->decoding && *s)
                n = (uint32_t) strnlen(*s, max + 1);
        codec_u32(c, &n);
        if (c->failed)
                return;
        if (n == STRING_NULL) {
                codec_check(c, !(rules & STRING_REQUIRED));
                if (c->decoding)
                        *s = NULL;
                return;
        }
        if (n > max || n + 1 > c->size - c->at || (n == 0 && (rules & STRING_NOT_EMPTY))) {
                c->failed = true;
                return;
        }
        if (!c->decoding && c->out)
                memcpy(c->out + c->at, *s, n + 1);
        p = c->decoding ? (const char *) c->in + c->at : *s;
        codec_check(c, strnlen(p, n + 1) == n);
        if (!c->failed && (rules & STRING_NO_CONTROL))
                codec_check(c, !string_has_control(p));
        if (!c->failed && (rules & STRING_UTF8))
                codec_check(c, utf8_is_valid(p, n));
        if (c->decoding && !c->failed)
                *s = p;
        c->at += n + 1;
}

void codec_count(struct codec *c, uint32_t *n, uint32_t min, uint32_t max) {
        codec_u32(c, n);
        codec_check(c, *n >= min && *n <= max);
}

#include "client/wide.h"

#include <stdlib.h>

#include "base/strings.h"

/* The public headers say so too; here it is for the arithmetic below. */
static_assert(sizeof(wchar_t) == 4, "wide characters are code points");

size_t wide_length(const wchar_t *s, size_t max) {
        size_t n = 0;

        while (n <= max && s[n])
                n++;
        return n;
}

static size_t encode(uint32_t c, char *ret) {
        if (c < 0x80) {
                ret[0] = (char) c;
                return 1;
        }
        if (c < 0x800) {
                ret[0] = (char) (0xc0 | c >> 6);
                ret[1] = (char) (0x80 | (c & 0x3f));
                return 2;
        }
        if (c < 0x10000) {
                ret[0] = (char) (0xe0 | c >> 12);
                ret[1] = (char) (0x80 | (c >> 6 & 0x3f));
                ret[2] = (char) (0x80 | (c & 0x3f));
                return 3;
        }
        ret[0] = (char) (0xf0 | c >> 18);
        ret[1] = (char) (0x80 | (c >> 12 & 0x3f));
        ret[2] = (char) (0x80 | (c >> 6 & 0x3f));
        ret[3] = (char) (0x80 | (c & 0x3f));
        return 4;
}

int wide_to_utf8(const wchar_t *s, size_t max, char **ret) {
        size_t n = wide_length(s, max);
        char *out, *p;

        if (n > max)
                return -E2BIG;
        out = p = malloc(n * 4 + 1);
        if (!out)
                return -ENOMEM;
        for (size_t i = 0; i < n; i++) {
                uint32_t c = (uint32_t) s[i];

                if (c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff) || (c >= 0xfdd0 && c <= 0xfdef) || (c & 0xfffe) == 0xfffe) {
                        free(out);
                        return -EINVAL;
                }
                p += encode(c, p);
        }
        *p = 0;
        *ret = out;
        return 0;
}

int wide_from_utf8(const char *s, wchar_t **ret) {
        const uint8_t *p = (const uint8_t *) s;
        wchar_t *out;
        size_t n = 0;

        if (!utf8_is_valid(s, SIZE_MAX))
                return -EINVAL;
        /* CoTaskMemAlloc() is malloc(): see com_memory.c. */
        out = malloc((utf8_length(s) + 1) * sizeof(*out));
        if (!out)
                return -ENOMEM;
        while (*p) {
                size_t more = *p < 0x80 ? 0 : *p < 0xe0 ? 1 : *p < 0xf0 ? 2 : 3;
                uint32_t c = more == 0 ? *p : *p & (0x3fu >> more);

                p++;
                for (; more > 0; more--)
                        c = c << 6 | (*p++ & 0x3f);
                out[n++] = (wchar_t) c;
        }
        out[n] = 0;
        *ret = out;
        return 0;
}

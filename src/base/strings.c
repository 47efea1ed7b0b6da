#include "base/strings.h"

#include <ctype.h>
#include <stdio.h>

int strdup_to(char **p, const char *s) {
        char *copy = NULL;

        if (s) {
                copy = strdup(s);
                if (!copy)
                        return -ENOMEM;
        }
        free(*p);
        *p = copy;
        return 0;
}

/* U+FDD0 to U+FDEF, and the last two of each plane: sd-bus takes them for no text, and cuts off who sends them. */
static bool is_noncharacter(const uint8_t *s, size_t n) {
        if (n == 3 && s[0] == 0xef && s[1] == 0xb7)
                return s[2] >= 0x90 && s[2] <= 0xaf;
        if (n == 3)
                return s[0] == 0xef && s[1] == 0xbf && s[2] >= 0xbe;
        return n == 4 && (s[1] & 0xf) == 0xf && s[2] == 0xbf && s[3] >= 0xbe;
}

/* Length of the well-formed sequence at @s, 0 if it is none. RFC 3629 section 4. */
static size_t utf8_sequence(const uint8_t *s, size_t left) {
        uint8_t low = 0x80, high = 0xbf;
        size_t n;

        if (s[0] < 0x80)
                return 1;
        if (s[0] >= 0xc2 && s[0] <= 0xdf)
                n = 2;
        else if (s[0] >= 0xe0 && s[0] <= 0xef) {
                n = 3;
                if (s[0] == 0xe0)
                        low = 0xa0;
                else if (s[0] == 0xed)
                        high = 0x9f;
        } else if (s[0] >= 0xf0 && s[0] <= 0xf4) {
                n = 4;
                if (s[0] == 0xf0)
                        low = 0x90;
                else if (s[0] == 0xf4)
                        high = 0x8f;
        } else
                return 0;

        if (left < n || s[1] < low || s[1] > high)
                return 0;
        for (size_t i = 2; i < n; i++)
                if ((s[i] & 0xc0) != 0x80)
                        return 0;
        return is_noncharacter(s, n) ? 0 : n;
}

#define EACH_BYTE(c) (UINT64_C(0x0101010101010101) * (c))

static uint64_t eight_bytes(const char *s) {
        uint64_t eight;

        memcpy(&eight, s, sizeof(eight));
        return eight;
}

bool utf8_is_valid(const char *s, size_t size) {
        if (size == SIZE_MAX)
                size = strlen(s);
        /* Most of what is asked about is ASCII. */
        for (; size >= 8 && !(eight_bytes(s) & EACH_BYTE(0x80)); size -= 8)
                s += 8;
        while (size > 0) {
                size_t n = utf8_sequence((const uint8_t *) s, size);

                if (n == 0)
                        return false;
                s += n;
                size -= n;
        }
        return true;
}

size_t utf8_length(const char *s) {
        size_t n = 0;

        for (; *s; s++)
                if (((uint8_t) *s & 0xc0) != 0x80)
                        n++;
        return n;
}

bool string_is_host_list(const char *s) {
        static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-_:[], ";

        return s[strspn(s, allowed)] == 0;
}

/* Is any byte less than @limit, which is at most 0x80? */
static bool any_byte_below(uint64_t eight, uint8_t limit) {
        return (eight - EACH_BYTE(limit)) & ~eight & EACH_BYTE(0x80);
}

bool string_has_control(const char *s) {
        for (size_t left = strlen(s); left >= 8; left -= 8, s += 8)
                if (any_byte_below(eight_bytes(s), 0x20) || any_byte_below(eight_bytes(s) ^ EACH_BYTE(0x7f), 1))
                        return true;
        for (; *s; s++)
                if ((uint8_t) *s < 0x20 || *s == 0x7f)
                        return true;
        return false;
}

char *string_escape(const char *s, size_t max_bytes) {
        size_t room = MIN(strlen(s) * 4, max_bytes), n = 0;
        char *out = malloc(room + sizeof("..."));

        if (!out)
                return NULL;
        for (; *s; s++) {
                bool printable = (uint8_t) *s >= 0x20 && (uint8_t) *s < 0x7f;
                size_t size = printable ? 1 : strlen("\\x00");

                if (size > room - n)
                        break;
                if (printable)
                        out[n] = *s;
                else
                        sprintf(out + n, "\\x%02x", (uint8_t) *s);
                n += size;
        }
        strcpy(out + n, *s ? "..." : "");
        return out;
}

int parse_u64(const char *s, uint64_t *ret) {
        uint64_t value = 0;

        if (!*s)
                return -EINVAL;
        for (; *s; s++) {
                if (*s < '0' || *s > '9')
                        return -EINVAL;
                if (__builtin_mul_overflow(value, UINT64_C(10), &value) ||
                    __builtin_add_overflow(value, (uint64_t)(*s - '0'), &value))
                        return -ERANGE;
        }
        *ret = value;
        return 0;
}

static int hex_digit(char c) {
        if (c >= '0' && c <= '9')
                return c - '0';
        if (c >= 'a' && c <= 'f')
                return c - 'a' + 10;
        if (c >= 'A' && c <= 'F')
                return c - 'A' + 10;
        return -1;
}

int hex_decode(const char *hex, uint8_t *ret, size_t size) {
        if (strlen(hex) != size * 2)
                return -EINVAL;
        for (size_t i = 0; i < size; i++) {
                int high = hex_digit(hex[2 * i]), low = hex_digit(hex[2 * i + 1]);

                if (high < 0 || low < 0)
                        return -EINVAL;
                ret[i] = (uint8_t)(high << 4 | low);
        }
        return 0;
}

void hex_encode(const uint8_t *bytes, size_t size, char *ret) {
        for (size_t i = 0; i < size; i++)
                sprintf(ret + 2 * i, "%02x", bytes[i]);
        ret[2 * size] = 0;
}

static int base64_digit(char c) {
        if (c >= 'A' && c <= 'Z')
                return c - 'A';
        if (c >= 'a' && c <= 'z')
                return c - 'a' + 26;
        if (c >= '0' && c <= '9')
                return c - '0' + 52;
        return c == '+' ? 62 : c == '/' ? 63 : -1;
}

int base64_decode(const char *text, size_t length, uint8_t *ret, size_t max, size_t *ret_size) {
        size_t n_padding = 0, size;
        uint32_t bits = 0;
        unsigned n = 0;

        if (length == 0 || length % 4 != 0)
                return -EINVAL;
        while (n_padding < 2 && text[length - 1 - n_padding] == '=')
                n_padding++;
        size = length / 4 * 3 - n_padding;
        if (size > max)
                return -EINVAL;
        for (size_t i = 0; i < length - n_padding; i++)
                if (base64_digit(text[i]) < 0)
                        return -EINVAL;
        for (size_t i = 0; i < length - n_padding; i++) {
                bits = bits << 6 | (uint32_t) base64_digit(text[i]);
                n += 6;
                if (n >= 8) {
                        n -= 8;
                        *ret++ = (uint8_t) (bits >> n);
                }
        }
        *ret_size = size;
        return 0;
}

int base64_decode_exactly(const char *text, size_t length, uint8_t *ret, size_t size) {
        size_t n;

        if ((size + 2) / 3 * 4 != length || (size % 3 == 0 && length > 0 && text[length - 1] == '='))
                return -EINVAL;
        return base64_decode(text, length, ret, size, &n) == 0 && n == size ? 0 : -EINVAL;
}

void base64url_encode(const uint8_t *bytes, size_t size, char *ret) {
        static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        uint32_t bits = 0;
        unsigned n = 0;

        for (size_t i = 0; i < size; i++) {
                bits = bits << 8 | bytes[i];
                for (n += 8; n >= 6; n -= 6)
                        *ret++ = alphabet[bits >> (n - 6) & 63];
        }
        if (n > 0)
                *ret++ = alphabet[bits << (6 - n) & 63];
        *ret = 0;
}

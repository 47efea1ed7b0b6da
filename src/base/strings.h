/* Strings of unknown origin: comparing, copying, judging, printing. UTF-8 throughout; setlocale is never needed. */
#pragma once

#include <string.h>

#include "base/macros.h"

static inline bool streq(const char *a, const char *b) {
        return strcmp(a, b) == 0;
}
/* NULL equals NULL only. */
static inline bool streq_ptr(const char *a, const char *b) {
        return a && b ? streq(a, b) : a == b;
}
/* What follows the prefix, or NULL. */
static inline const char *startswith(const char *s, const char *prefix) {
        size_t n = strlen(prefix);
        return strncmp(s, prefix, n) == 0 ? s + n : NULL;
}

/* As much of @s (NULL: nothing) as fits into @size bytes with its NUL. */
static inline void string_copy(char *to, size_t size, const char *s) {
        size_t n = s ? strnlen(s, size - 1) : 0;

        memcpy(to, s ? s : "", n);
        to[n] = 0;
}

/* Replaces *p by a copy of @s (which may be NULL). -ENOMEM leaves *p as it was. */
int strdup_to(char **p, const char *s);

/* Valid UTF-8 without surrogates, overlong forms and noncharacters: what may travel. @size may be SIZE_MAX for NUL-terminated. */
bool utf8_is_valid(const char *s, size_t size);
/* Code points in a valid string. */
size_t utf8_length(const char *s);
/* Has a byte below 0x20 or 0x7f. */
bool string_has_control(const char *s);
/* Nothing in it that names, addresses and ports with commas between would not have. */
bool string_is_host_list(const char *s);

/* Printable copy for logs and errors: control and non-ASCII bytes as \xNN, cut at @max_bytes of it with "..." behind them. NULL: no memory. */
char *string_escape(const char *s, size_t max_bytes);

/* Whole-string unsigned decimal. 0, -EINVAL or -ERANGE. */
int parse_u64(const char *s, uint64_t *ret);

int hex_decode(const char *hex, uint8_t *ret, size_t size); /* exactly 2*size digits, or -EINVAL */
void hex_encode(const uint8_t *bytes, size_t size, char *ret); /* ret holds 2*size+1 */
/* Standard base64 with its padding, nothing else (no white space). 0, or -EINVAL when it is something else or more than @max bytes;
 * nothing is written then. */
int base64_decode(const char *text, size_t length, uint8_t *ret, size_t max, size_t *ret_size);
/* As above; also -EINVAL when it is not exactly @size bytes. */
int base64_decode_exactly(const char *text, size_t length, uint8_t *ret, size_t size);
/* URL-safe base64 without padding; ret holds (size*4+2)/3+1. */
void base64url_encode(const uint8_t *bytes, size_t size, char *ret);

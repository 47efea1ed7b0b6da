/* Between the wide strings of the COM face and the UTF-8 of everything else: strict both ways, never by
 * setlocale(). A wide character is one code point (design decision 12). */
#pragma once

#include <wchar.h>

#include "base/macros.h"

/* Code points of @s, at most @max + 1: a string without end costs no more than its limit. */
size_t wide_length(const wchar_t *s, size_t max);

/* The caller frees *ret. 0; -EINVAL: a surrogate or beyond U+10FFFF; -E2BIG: more than @max code points; -ENOMEM. */
int wide_to_utf8(const wchar_t *s, size_t max, char **ret);
/* The caller frees *ret with CoTaskMemFree(). 0; -EINVAL: not UTF-8; -ENOMEM. */
int wide_from_utf8(const char *s, wchar_t **ret);

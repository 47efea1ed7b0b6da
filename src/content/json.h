/* What the readers of this folder share about JSON and base64. Nobody else includes it. */
#pragma once

#include <jansson.h>

#include "base/macros.h"

/* Standard base64 with its padding, nothing else; @text has a NUL behind its @length bytes. 0, or -EINVAL when it is not exactly @size bytes. */
int base64_decode_exactly(const char *text, size_t length, uint8_t *ret, size_t size);
/* Whatever it decodes to. @ret has room for @max bytes. */
int base64_decode(const char *text, size_t length, uint8_t *ret, size_t max, size_t *ret_size);
/* @ret has room for BASE64_LENGTH(@size) + 1. */
#define BASE64_LENGTH(size) (((size) + 2) / 3 * 4)
void base64_encode(const uint8_t *bytes, size_t size, char *ret);

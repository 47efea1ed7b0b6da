/* What the readers of this folder share about JSON and base64. Nobody else includes it. */
#pragma once

#include <jansson.h>

#include "base/macros.h"

/* Standard base64. @ret has room for BASE64_LENGTH(@size) + 1. */
#define BASE64_LENGTH(size) (((size) + 2) / 3 * 4)
void base64_encode(const uint8_t *bytes, size_t size, char *ret);

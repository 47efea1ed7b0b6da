/* The SHA-256 in the fields that carry digests: Digest (RFC 3230) and the dictionaries Repr-Digest and Content-Digest (RFC 9530). Pure
 * functions of bytes that a stranger sent. */
#pragma once

#include "base/macros.h"

/* @len bytes of a field's value, without surrounding blanks. 1: *ret is set; 0: it names no SHA-256; -EINVAL: it is malformed, or names two
 * that differ. */
int digest_field_parse(const char *value, size_t len, uint8_t ret[static 32]);
int digest_field_parse_dictionary(const char *value, size_t len, uint8_t ret[static 32]);

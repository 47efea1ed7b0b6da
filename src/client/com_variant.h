/* VARIANTs that properties travel in: out of a value, and into one. What a property means is its owner's. */
#pragma once

#include "client/com.h"

/* @ret is empty before, and after a failure. "" is E_NOT_SET. */
HRESULT com_variant_put_string(const char *s, VARIANT *ret);
HRESULT com_variant_put_u32(uint32_t value, VARIANT *ret);
HRESULT com_variant_put_u64(uint64_t value, VARIANT *ret);
HRESULT com_variant_put_bool(bool value, VARIANT *ret);
HRESULT com_variant_put_unknown(IUnknown *value, VARIANT *ret); /* takes over the reference; NULL is E_NOT_SET */
/* Of a BSTR, of which NULL is "". The caller frees *ret. */
HRESULT com_variant_take_string(const VARIANT *value, size_t max, char **ret);
/* The same for an absolute path. */
HRESULT com_variant_take_path(const VARIANT *value, char **ret);
bool com_variant_take_bool(const VARIANT *value);

#include "client/com_variant.h"

#include <wchar.h>

HRESULT com_variant_put_string(const char *s, VARIANT *ret) {
        LPWSTR wide;
        HRESULT hr;

        if (!*s)
                return E_NOT_SET;
        hr = com_string_out(s, &wide);
        if (FAILED(hr))
                return hr;
        V_BSTR(ret) = SysAllocString(wide);
        CoTaskMemFree(wide);
        if (!V_BSTR(ret))
                return E_OUTOFMEMORY;
        V_VT(ret) = VT_BSTR;
        return S_OK;
}

HRESULT com_variant_put_u32(uint32_t value, VARIANT *ret) {
        V_VT(ret) = VT_UI4;
        V_UI4(ret) = value;
        return S_OK;
}

HRESULT com_variant_put_u64(uint64_t value, VARIANT *ret) {
        V_VT(ret) = VT_UI8;
        V_UI8(ret) = value;
        return S_OK;
}

HRESULT com_variant_put_bool(bool value, VARIANT *ret) {
        V_VT(ret) = VT_BOOL;
        V_BOOL(ret) = value ? VARIANT_TRUE : VARIANT_FALSE;
        return S_OK;
}

HRESULT com_variant_put_unknown(IUnknown *value, VARIANT *ret) {
        if (!value)
                return E_NOT_SET;
        V_VT(ret) = VT_UNKNOWN;
        V_UNKNOWN(ret) = value;
        return S_OK;
}

static bool has_nul(BSTR s) {
        return s && wcslen(s) != SysStringLen(s);
}

HRESULT com_variant_take_string(const VARIANT *value, size_t max, char **ret) {
        BSTR s = V_BSTR(value);

        *ret = NULL;
        return has_nul(s) ? E_INVALIDARG : com_string_in(s ? s : L"", max, E_INVALIDARG, ret);
}

HRESULT com_variant_take_path(const VARIANT *value, char **ret) {
        BSTR s = V_BSTR(value);

        *ret = NULL;
        return has_nul(s) ? E_INVALIDARG : com_path_in(s, ret);
}

bool com_variant_take_bool(const VARIANT *value) {
        return V_BOOL(value) != VARIANT_FALSE;
}

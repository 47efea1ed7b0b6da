/* The allocator that both sides of the COM face share, and the two types with their own rules of ownership: BSTR
 * and VARIANT. */
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include "base/macros.h"
#include "bits.h"
#include "deliveryoptimization.h"

LPVOID CoTaskMemAlloc(SIZE_T cb) {
        return malloc(cb);
}

LPVOID CoTaskMemRealloc(LPVOID pv, SIZE_T cb) {
        /* As published: size 0 frees. C leaves that open. */
        if (pv && cb == 0) {
                free(pv);
                return NULL;
        }
        return realloc(pv, cb);
}

void CoTaskMemFree(LPVOID pv) {
        free(pv);
}

/* ---- BSTR: 4 bytes of length in bytes, the characters, a NUL ---- */

#define BSTR_PREFIX \
        8 /* what is allocated before the characters: the length and, to keep malloc()'s alignment, padding */

BSTR SysAllocStringLen(const OLECHAR *strIn, UINT ui) {
        size_t bytes = (size_t) ui * sizeof(OLECHAR);
        uint32_t length = (uint32_t) bytes;
        char *block;
        BSTR s;

        if (bytes > UINT32_MAX)
                return NULL;
        block = malloc(BSTR_PREFIX + bytes + sizeof(OLECHAR));
        if (!block)
                return NULL;
        memcpy(block + BSTR_PREFIX - sizeof(length), &length, sizeof(length));
        s = (BSTR) (void *) (block + BSTR_PREFIX);
        if (strIn)
                memcpy(s, strIn, bytes);
        s[ui] = 0;
        return s;
}

BSTR SysAllocString(const OLECHAR *psz) {
        size_t length;

        if (!psz)
                return NULL;
        length = wcslen(psz);
        return length > UINT32_MAX ? NULL : SysAllocStringLen(psz, (UINT) length);
}

UINT SysStringLen(BSTR pbstr) {
        uint32_t length;

        if (!pbstr)
                return 0;
        memcpy(&length, (const char *) pbstr - sizeof(length), sizeof(length));
        return (UINT) (length / sizeof(OLECHAR));
}

void SysFreeString(BSTR bstrString) {
        if (bstrString)
                free((char *) bstrString - BSTR_PREFIX);
}

/* ---- VARIANT ---- */

void VariantInit(VARIANTARG *pvarg) {
        if (pvarg)
                memset(pvarg, 0, sizeof(*pvarg));
}

static HRESULT free_array(SAFEARRAY *array) {
        if (!array)
                return S_OK;
        if (array->cLocks > 0)
                return DISP_E_ARRAYISLOCKED;
        if (!(array->fFeatures & (FADF_AUTO | FADF_STATIC | FADF_EMBEDDED))) {
                free(array->pvData);
                free(array);
        }
        return S_OK;
}

static bool is_plain(VARTYPE type) {
        return type <= VT_DATE || type == VT_ERROR || type == VT_BOOL || type == VT_DECIMAL ||
               (type >= VT_I1 && type <= VT_UINT);
}

HRESULT VariantClear(VARIANTARG *pvarg) {
        HRESULT hr = S_OK;

        if (!pvarg)
                return E_INVALIDARG;
        if (pvarg->vt & VT_BYREF) {
                /* It belongs to somebody else, whatever it is. */
        } else if (pvarg->vt == VT_BSTR)
                SysFreeString(pvarg->bstrVal);
        else if (pvarg->vt == VT_UNKNOWN) {
                if (pvarg->punkVal)
                        (void) pvarg->punkVal->lpVtbl->Release(pvarg->punkVal);
        } else if (pvarg->vt == (VT_ARRAY | VT_UI1))
                hr = free_array(pvarg->parray);
        else if (!is_plain(pvarg->vt))
                return DISP_E_BADVARTYPE;
        if (SUCCEEDED(hr))
                VariantInit(pvarg);
        return hr;
}

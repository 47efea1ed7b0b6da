/* GUIDs and their braced text form. */
#include <stdio.h>
#include <string.h>

#include "client/com.h"
#include "client/wide.h"

#define BRACED_LENGTH 38 /* "{8-4-4-4-12}" */

HRESULT CoCreateGuid(GUID *pguid) {
        struct guid guid;
        int r;

        if (!pguid)
                return E_INVALIDARG;
        r = guid_new(&guid);
        if (r < 0)
                return com_hresult_from_errno(r);
        com_guid_from(&guid, pguid);
        return S_OK;
}

int StringFromGUID2(REFGUID rguid, LPOLESTR lpsz, int cchMax) {
        char text[GUID_STRING_MAX];
        struct guid guid;
        int n = 0;

        if (!rguid || !lpsz || cchMax < BRACED_LENGTH + 1)
                return 0;
        com_guid_to(rguid, &guid);
        guid_to_string(&guid, text);
        lpsz[n++] = L'{';
        for (const char *p = text; *p; p++)
                lpsz[n++] = *p >= 'a' ? *p - 'a' + L'A' : (wchar_t) *p;
        lpsz[n++] = L'}';
        lpsz[n++] = 0;
        return n;
}

static HRESULT from_string(LPCOLESTR s, HRESULT malformed, GUID *ret) {
        char text[GUID_STRING_MAX];
        struct guid guid;

        if (!ret)
                return E_INVALIDARG;
        *ret = GUID_NULL;
        if (!s)
                return S_OK;
        if (wide_length(s, BRACED_LENGTH) != BRACED_LENGTH || s[0] != L'{' || s[BRACED_LENGTH - 1] != L'}')
                return malformed;
        for (int i = 0; i < BRACED_LENGTH - 2; i++) {
                if (s[i + 1] <= 0 || s[i + 1] > 0x7e)
                        return malformed;
                text[i] = (char) s[i + 1];
        }
        text[BRACED_LENGTH - 2] = 0;
        if (guid_from_string(text, &guid) < 0)
                return malformed;
        com_guid_from(&guid, ret);
        return S_OK;
}

HRESULT CLSIDFromString(LPCOLESTR lpsz, LPCLSID pclsid) {
        return from_string(lpsz, CO_E_CLASSSTRING, pclsid);
}

HRESULT IIDFromString(LPCOLESTR lpsz, LPIID lpiid) {
        return from_string(lpsz, CO_E_IIDSTRING, lpiid);
}

#include <stdio.h>

#include "base/strings.h"
#include "client/com.h"
#include "client/wide.h"
#include "protocol/limits.h"

#define FILETIME_OF_1970 UINT64_C(116444736000000000) /* 100 ns from 1601-01-01 to 1970-01-01 */

HRESULT com_query(void *object, const struct com_interface *table, size_t n, REFIID riid, void **ppv,
                  ULONG (*add_ref)(void *object)) {
        size_t found = n;

        if (!ppv)
                return E_POINTER;
        *ppv = NULL;
        if (!riid)
                return E_INVALIDARG;
        /* Identity: IUnknown is always the same pointer. */
        if (IsEqualIID(riid, &IID_IUnknown))
                found = 0;
        for (size_t i = 0; i < n && found == n; i++)
                if (IsEqualIID(riid, table[i].iid))
                        found = i;
        if (found == n)
                return E_NOINTERFACE;
        add_ref(object);
        *ppv = (char *) object + table[found].offset;
        return S_OK;
}

HRESULT com_optional_string_out(const char *s, LPWSTR *ret) {
        if (*s)
                return com_string_out(s, ret);
        *ret = NULL;
        return S_OK;
}

HRESULT com_hresult_from_errno(int r) {
        switch (-r) {
        case 0:
                return S_OK;
        case ENOMEM:
                return E_OUTOFMEMORY;
        case EACCES:
        case EPERM:
                return E_ACCESSDENIED;
        case EINVAL:
                return E_INVALIDARG;
        default:
                return E_FAIL;
        }
}

HRESULT com_result(struct dosvc *c, enum job_family family, const char *hex, int code) {
        struct job_record record;

        if (code == ERROR_NOT_FOUND && !wire_get_job_or_history(c, hex, 0, &record)) {
                if (record.state == JOB_ACKNOWLEDGED || record.state == JOB_CANCELLED)
                        code = ERROR_INVALID_STATE;
                job_record_done(&record);
        }
        return rim_hresult(code, family);
}

HRESULT com_string_in(LPCWSTR s, size_t max, HRESULT too_long, char **ret) {
        int r;

        *ret = NULL;
        if (!s)
                return E_INVALIDARG;
        r = wide_to_utf8(s, max, ret);
        return r == -E2BIG ? too_long : com_hresult_from_errno(r);
}

HRESULT com_url_in(LPCWSTR s, char **ret) {
        HRESULT hr = com_string_in(s, LIMIT_URL_COM, E_INVALIDARG, ret);

        return SUCCEEDED(hr) && !**ret ? E_INVALIDARG : hr;
}

HRESULT com_path_in(LPCWSTR s, char **ret) {
        HRESULT hr = com_string_in(s, LIMIT_PATH, HRESULT_FROM_WIN32(ERROR_FILENAME_EXCED_RANGE), ret);

        return SUCCEEDED(hr) && **ret != '/' ? E_INVALIDARG : hr;
}

HRESULT com_string_out(const char *s, LPWSTR *ret) {
        int r;

        if (!ret)
                return E_INVALIDARG;
        *ret = NULL;
        r = wide_from_utf8(s, ret);
        /* A path that was given over D-Bus need not be text. */
        return r == -EINVAL ? HRESULT_FROM_WIN32(COM_ERROR_NO_UNICODE_TRANSLATION) : com_hresult_from_errno(r);
}

void com_guid_from(const struct guid *from, GUID *to) {
        const uint8_t *b = from->bytes;

        to->Data1 = (ULONG) b[0] << 24 | (ULONG) b[1] << 16 | (ULONG) b[2] << 8 | b[3];
        to->Data2 = (USHORT) (b[4] << 8 | b[5]);
        to->Data3 = (USHORT) (b[6] << 8 | b[7]);
        memcpy(to->Data4, b + 8, 8);
}

void com_guid_to(const GUID *from, struct guid *to) {
        uint8_t *b = to->bytes;

        b[0] = (uint8_t) (from->Data1 >> 24);
        b[1] = (uint8_t) (from->Data1 >> 16);
        b[2] = (uint8_t) (from->Data1 >> 8);
        b[3] = (uint8_t) from->Data1;
        b[4] = (uint8_t) (from->Data2 >> 8);
        b[5] = (uint8_t) from->Data2;
        b[6] = (uint8_t) (from->Data3 >> 8);
        b[7] = (uint8_t) from->Data3;
        memcpy(b + 8, from->Data4, 8);
}

FILETIME com_filetime(uint64_t usec) {
        uint64_t ticks;

        if (usec == 0 || usec > (UINT64_MAX - FILETIME_OF_1970) / 10)
                return (FILETIME){};
        ticks = usec * 10 + FILETIME_OF_1970;
        return (FILETIME){ .dwLowDateTime = (DWORD) ticks, .dwHighDateTime = (DWORD) (ticks >> 32) };
}

ULONG com_ulong(uint64_t value) {
        return value > UINT32_MAX ? UINT32_MAX : (ULONG) value;
}

/* Codes that are no failures, or not of the service. */
static const char *describe_special(HRESULT hr) {
        static const struct {
                HRESULT hr;
                const char *text;
        } special[] = {
                { S_OK, "The operation was successful." },
                { S_FALSE, "The operation was successful, though not in full." },
                { BG_S_PARTIAL_COMPLETE, "The finished files were kept; the others were removed." },
                { BG_S_UNABLE_TO_DELETE_FILES, "The job was cancelled, but a temporary file could not be removed." },
                { BG_S_ERROR_CONTEXT_NONE, "There is no error." },
                { E_NOINTERFACE, "The object does not have this interface." },
                { E_POINTER, "A pointer is NULL that must not be." },
                { E_ABORT, "The operation was interrupted." },
                { E_FAIL, "The operation failed for an unknown reason." },
                { CO_E_NOTINITIALIZED, "CoInitializeEx() was not called." },
                { CO_E_SERVER_EXEC_FAILURE, "The service could not be started." },
                { REGDB_E_CLASSNOTREG, "There is no such class here." },
        };

        for (size_t i = 0; i < ELEMENTSOF(special); i++)
                if (special[i].hr == hr)
                        return special[i].text;
        return NULL;
}

static const char *describe_by_table(HRESULT hr, enum job_family family) {
        for (int code = ERROR_NONE + 1; code < _ERROR_CODE_MAX; code++)
                if ((HRESULT) error_code_hresult((enum error_code) code, family, 0) == hr)
                        return error_code_text((enum error_code) code);
        return NULL;
}

char *com_describe(HRESULT hr, enum job_family family) {
        const char *text = describe_special(hr);
        char *out;

        if (!text)
                text = describe_by_table(hr, family);
        if (!text)
                text = describe_by_table(hr, family == JOB_FAMILY_DO ? JOB_FAMILY_BITS : JOB_FAMILY_DO);
        if (text)
                return strdup(text);
        if (FAILED(hr) && HRESULT_FACILITY(hr) == FACILITY_HTTP)
                return asprintf(&out, "The server answered with HTTP status %d.", HRESULT_CODE(hr)) < 0 ? NULL : out;
        return asprintf(&out, "Result code 0x%08X.", (unsigned) hr) < 0 ? NULL : out;
}

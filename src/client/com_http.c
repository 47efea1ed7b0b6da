/* IBackgroundCopyJobHttpOptions to IBackgroundCopyJobHttpOptions3 of a job object. */
#include <string.h>

#include "base/strings.h"
#include "client/certificate.h"
#include "client/com_job.h"
#include "protocol/limits.h"

static struct com_job *http_of(IBackgroundCopyJobHttpOptions3 *This) {
        return CONTAINER_OF(This, struct com_job, http);
}

static HRESULT http_com_QueryInterface(IBackgroundCopyJobHttpOptions3 *This, REFIID riid, void **ppvObject) {
        return com_job_query(http_of(This), riid, ppvObject);
}

static ULONG http_com_AddRef(IBackgroundCopyJobHttpOptions3 *This) {
        return com_job_add_ref(http_of(This));
}

static ULONG http_com_Release(IBackgroundCopyJobHttpOptions3 *This) {
        return com_job_release(http_of(This));
}

static HRESULT set_property(IBackgroundCopyJobHttpOptions3 *This, struct wire_property property) {
        struct com_job *self = http_of(This);

        return com_job_result(self, wire_set_property(self->c, self->hex, &property));
}

/* ---- client certificates ---- */

static HRESULT set_certificate(IBackgroundCopyJobHttpOptions3 *This, const char *name) {
        return set_property(This, (struct wire_property){ .name = "ClientCertificate", .type = 's', .s = name });
}

static HRESULT http_com_SetClientCertificateByID(IBackgroundCopyJobHttpOptions3 *This,
                                                 BG_CERT_STORE_LOCATION StoreLocation, LPCWSTR StoreName,
                                                 BYTE *pCertHashBlob) {
        char name[CERTIFICATE_TEXT_MAX + 1];
        HRESULT hr = pCertHashBlob ? certificate_from_com(StoreLocation, StoreName, pCertHashBlob, NULL, name) : E_INVALIDARG;

        return FAILED(hr) ? hr : set_certificate(This, name);
}

static HRESULT http_com_SetClientCertificateByName(IBackgroundCopyJobHttpOptions3 *This,
                                                   BG_CERT_STORE_LOCATION StoreLocation, LPCWSTR StoreName,
                                                   LPCWSTR SubjectName) {
        char name[CERTIFICATE_TEXT_MAX + 1];
        HRESULT hr = certificate_from_com(StoreLocation, StoreName, NULL, SubjectName, name);

        return FAILED(hr) ? hr : set_certificate(This, name);
}

/* S_FALSE and an empty name: there is none. */
static HRESULT read_certificate(struct com_job *self, struct certificate_name *ret) {
        struct job_record record;
        HRESULT hr;

        *ret = (struct certificate_name){};
        hr = com_job_read(self, &record);
        if (FAILED(hr))
                return hr;
        if (certificate_name_parse(record.more.client_certificate, ret) < 0)
                hr = *record.more.client_certificate ? E_UNEXPECTED : S_FALSE;
        job_record_done(&record);
        return hr;
}

static HRESULT http_com_RemoveClientCertificate(IBackgroundCopyJobHttpOptions3 *This) {
        struct certificate_name name;
        HRESULT hr = read_certificate(http_of(This), &name);

        return hr == S_OK ? set_certificate(This, "") : hr;
}

static HRESULT hash_out(const struct certificate_name *name, BYTE **ret) {
        *ret = CoTaskMemAlloc(sizeof(name->sha1));
        if (!*ret)
                return E_OUTOFMEMORY;
        memcpy(*ret, name->sha1, sizeof(name->sha1));
        return S_OK;
}

static HRESULT http_com_GetClientCertificate(IBackgroundCopyJobHttpOptions3 *This,
                                             BG_CERT_STORE_LOCATION *pStoreLocation, LPWSTR *pStoreName,
                                             BYTE **ppCertHashBlob, LPWSTR *pSubjectName) {
        struct certificate_name name;
        HRESULT hr;

        if (!pStoreLocation || !pStoreName || !ppCertHashBlob || !pSubjectName)
                return E_INVALIDARG;
        *pStoreLocation = BG_CERT_STORE_LOCATION_CURRENT_USER;
        *pStoreName = *pSubjectName = NULL;
        *ppCertHashBlob = NULL;
        hr = read_certificate(http_of(This), &name);
        if (hr != S_OK)
                return hr == S_FALSE ? E_NOT_SET : hr;
        *pStoreLocation = (BG_CERT_STORE_LOCATION) name.place;
        hr = com_string_out(name.store, pStoreName);
        if (SUCCEEDED(hr))
                hr = name.by_hash ? hash_out(&name, ppCertHashBlob) : com_string_out(name.subject, pSubjectName);
        if (FAILED(hr)) {
                CoTaskMemFree(*pStoreName);
                *pStoreName = NULL;
        }
        return hr;
}

/* ---- headers ---- */

static HRESULT http_com_SetCustomHeaders(IBackgroundCopyJobHttpOptions3 *This, LPCWSTR RequestHeaders) {
        HRESULT too_long = rim_hresult(ERROR_STRING_TOO_LONG, http_of(This)->family), hr = S_OK;
        _cleanup_free_ char *headers = NULL;

        if (RequestHeaders)
                hr = com_string_in(RequestHeaders, LIMIT_CUSTOM_HEADERS - 1, too_long, &headers);
        if (FAILED(hr))
                return hr;
        return set_property(This, (struct wire_property){
                                          .name = "CustomHeaders", .type = 's', .s = headers ? headers : "" });
}

static HRESULT http_com_GetCustomHeaders(IBackgroundCopyJobHttpOptions3 *This, LPWSTR *pRequestHeaders) {
        struct com_job *self = http_of(This);
        struct job_record record;
        HRESULT hr;

        if (!pRequestHeaders)
                return E_INVALIDARG;
        *pRequestHeaders = NULL;
        hr = com_job_read(self, &record);
        if (FAILED(hr))
                return hr;
        if (record.more.custom_headers_write_only)
                hr = rim_hresult(ERROR_WRITE_ONLY_PROPERTY, self->family);
        else if (!*record.more.custom_headers)
                hr = S_FALSE;
        else
                hr = com_string_out(record.more.custom_headers, pRequestHeaders);
        job_record_done(&record);
        return hr;
}

static HRESULT http_com_MakeCustomHeadersWriteOnly(IBackgroundCopyJobHttpOptions3 *This) {
        return set_property(This, (struct wire_property){ .name = "CustomHeadersWriteOnly", .type = 'b', .b = true });
}

/* ---- flags ---- */

static HRESULT http_com_SetSecurityFlags(IBackgroundCopyJobHttpOptions3 *This, ULONG Flags) {
        return set_property(This, (struct wire_property){ .name = "SecurityFlags", .type = 'u', .u = Flags });
}

static HRESULT http_com_GetSecurityFlags(IBackgroundCopyJobHttpOptions3 *This, ULONG *pFlags) {
        struct job_record record;
        HRESULT hr;

        if (!pFlags)
                return E_INVALIDARG;
        *pFlags = 0;
        hr = com_job_read(http_of(This), &record);
        if (FAILED(hr))
                return hr;
        *pFlags = record.more.security_flags;
        job_record_done(&record);
        return S_OK;
}

/* ---- IBackgroundCopyJobHttpOptions2 and 3 ---- */

static HRESULT http_com_SetHttpMethod(IBackgroundCopyJobHttpOptions3 *This, LPCWSTR method) {
        _cleanup_free_ char *text = NULL;
        HRESULT hr = method ? com_string_in(method, LIMIT_HTTP_METHOD, E_INVALIDARG, &text) : E_INVALIDARG;

        return FAILED(hr) ? hr : set_property(This, (struct wire_property){ .name = "HttpMethod", .type = 's', .s = text });
}

static HRESULT http_com_GetHttpMethod(IBackgroundCopyJobHttpOptions3 *This, LPWSTR *method) {
        struct job_record record;
        HRESULT hr;

        if (!method)
                return E_INVALIDARG;
        *method = NULL;
        hr = com_job_read(http_of(This), &record);
        if (FAILED(hr))
                return hr;
        hr = com_string_out(record.more.http_method, method);
        job_record_done(&record);
        return hr;
}

static HRESULT http_com_SetServerCertificateValidationInterface(IBackgroundCopyJobHttpOptions3 *This,
                                                                IUnknown *certValidationCallback) {
        struct com_job *self = http_of(This);

        return com_judge_set(self->c, self->family, self->hex, certValidationCallback);
}

const IBackgroundCopyJobHttpOptions3Vtbl com_http_vtbl = {
        .QueryInterface = http_com_QueryInterface,
        .AddRef = http_com_AddRef,
        .Release = http_com_Release,
        .SetClientCertificateByID = http_com_SetClientCertificateByID,
        .SetClientCertificateByName = http_com_SetClientCertificateByName,
        .RemoveClientCertificate = http_com_RemoveClientCertificate,
        .GetClientCertificate = http_com_GetClientCertificate,
        .SetCustomHeaders = http_com_SetCustomHeaders,
        .GetCustomHeaders = http_com_GetCustomHeaders,
        .SetSecurityFlags = http_com_SetSecurityFlags,
        .GetSecurityFlags = http_com_GetSecurityFlags,
        .SetHttpMethod = http_com_SetHttpMethod,
        .GetHttpMethod = http_com_GetHttpMethod,
        .SetServerCertificateValidationInterface = http_com_SetServerCertificateValidationInterface,
        .MakeCustomHeadersWriteOnly = http_com_MakeCustomHeadersWriteOnly,
};

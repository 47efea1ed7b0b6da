/*
 * names.c: a program that says every word which a source written for the published headers may
 * say. It is C and C++ at once; test_headers.py compiles it as every standard that the headers
 * promise. Values, layouts and identifiers are compared in published_*.h; here it counts that the
 * name is there and has the right kind.
 */
#include "bits.h"
#include "deliveryoptimization.h"
#include "deliveryoptimizationerrors.h"

#ifdef __cplusplus
#define ADDRESS(guid) (guid)
#else
#define ADDRESS(guid) (&(guid))
#endif
#define WORD_IS_TYPE(type) extern type *names_##type;

/* ---- base types ---- */
WORD_IS_TYPE(HRESULT)
WORD_IS_TYPE(BYTE)
WORD_IS_TYPE(CHAR)
WORD_IS_TYPE(WCHAR)
WORD_IS_TYPE(SHORT)
WORD_IS_TYPE(USHORT)
WORD_IS_TYPE(INT)
WORD_IS_TYPE(UINT)
WORD_IS_TYPE(LONG)
WORD_IS_TYPE(ULONG)
WORD_IS_TYPE(WORD)
WORD_IS_TYPE(DWORD)
WORD_IS_TYPE(INT64)
WORD_IS_TYPE(UINT64)
WORD_IS_TYPE(LONGLONG)
WORD_IS_TYPE(ULONGLONG)
WORD_IS_TYPE(SIZE_T)
WORD_IS_TYPE(BOOL)
WORD_IS_TYPE(GUID)
WORD_IS_TYPE(IID)
WORD_IS_TYPE(CLSID)
WORD_IS_TYPE(FILETIME)
WORD_IS_TYPE(LARGE_INTEGER)
WORD_IS_TYPE(ULARGE_INTEGER)
WORD_IS_TYPE(LPWSTR)
WORD_IS_TYPE(LPCWSTR)
WORD_IS_TYPE(PWSTR)
WORD_IS_TYPE(PCWSTR)
WORD_IS_TYPE(LPOLESTR)
WORD_IS_TYPE(LPCOLESTR)
WORD_IS_TYPE(OLECHAR)
WORD_IS_TYPE(LPVOID)
WORD_IS_TYPE(VARIANT)
WORD_IS_TYPE(VARIANTARG)
WORD_IS_TYPE(VARIANT_BOOL)
WORD_IS_TYPE(VARTYPE)
WORD_IS_TYPE(BSTR)
WORD_IS_TYPE(SAFEARRAY)
WORD_IS_TYPE(SAFEARRAYBOUND)
WORD_IS_TYPE(STATSTG)
WORD_IS_TYPE(IUnknown)
WORD_IS_TYPE(IDispatch)
WORD_IS_TYPE(ISequentialStream)
WORD_IS_TYPE(IStream)
WORD_IS_TYPE(IEnumUnknown)
WORD_IS_TYPE(BG_TOKEN)

HRESULT STDMETHODCALLTYPE names_results(DWORD error);
BOOL names_times(const FILETIME *time, ULONGLONG *ret);
HRESULT names_variants(VARIANT *value, const WCHAR *text, IUnknown *object, SAFEARRAY *array);
HRESULT names_runtime(REFCLSID clsid, REFIID iid, REFGUID guid, void **ret);
HRESULT names_properties(const void *job);

HRESULT STDMETHODCALLTYPE names_results(DWORD error) {
        HRESULT hr = HRESULT_FROM_WIN32(error);

        if (SUCCEEDED(hr) || HRESULT_FACILITY(hr) == FACILITY_BACKGROUNDCOPY)
                return S_OK;
        if (FAILED(hr) && (hr == E_POINTER || hr == E_NOINTERFACE || hr == E_NOTIMPL || hr == E_FAIL || hr == E_UNEXPECTED ||
                           hr == E_PENDING || hr == E_ACCESSDENIED || hr == E_OUTOFMEMORY || hr == E_INVALIDARG || hr == E_NOT_SET ||
                           hr == E_ABORT || hr == E_HANDLE || hr == RPC_E_DISCONNECTED || hr == REGDB_E_CLASSNOTREG ||
                           hr == CLASS_E_NOAGGREGATION || hr == INET_E_INVALID_URL))
                return hr;
        return MAKE_HRESULT(SEVERITY_ERROR, FACILITY_DELIVERY_OPTIMIZATION, HRESULT_CODE(hr)) == hr ? S_FALSE : NOERROR;
}

BOOL names_times(const FILETIME *time, ULONGLONG *ret) {
        ULARGE_INTEGER whole;

        whole.LowPart = time->dwLowDateTime;
        whole.HighPart = time->dwHighDateTime;
        *ret = whole.QuadPart;
        return whole.QuadPart != 0 ? TRUE : FALSE;
}

HRESULT names_variants(VARIANT *value, const WCHAR *text, IUnknown *object, SAFEARRAY *array) {
        BSTR string = SysAllocString(text);

        VariantInit(value);
        V_VT(value) = VT_BSTR;
        V_BSTR(value) = SysAllocStringLen(string, SysStringLen(string));
        SysFreeString(string);
        (void) VariantClear(value);
        V_VT(value) = VT_BOOL;
        V_BOOL(value) = V_BOOL(value) == VARIANT_TRUE ? VARIANT_FALSE : VARIANT_TRUE;
        V_VT(value) = VT_UI4;
        V_UI4(value) = 4;
        V_VT(value) = VT_UI8;
        V_UI8(value) = 8;
        V_VT(value) = VT_I4;
        V_I4(value) = -4;
        V_VT(value) = VT_UNKNOWN;
        V_UNKNOWN(value) = object;
        V_VT(value) = VT_ARRAY | VT_UI1;
        V_ARRAY(value) = array;
        V_VT(value) = VT_NULL;
        V_VT(value) = VT_EMPTY;
        return VariantClear(value);
}

HRESULT names_runtime(REFCLSID clsid, REFIID iid, REFGUID guid, void **ret) {
        WCHAR text[39];
        CLSID parsed;
        GUID fresh;
        void *memory;

        (void) CoInitialize(NULL);
        (void) CoInitializeEx(NULL, COINIT_APARTMENTTHREADED);
        (void) CoInitializeEx(NULL, COINIT_MULTITHREADED);
        (void) CoInitializeSecurity(NULL, -1, NULL, NULL, RPC_C_AUTHN_LEVEL_CONNECT, RPC_C_IMP_LEVEL_IMPERSONATE, NULL, EOAC_NONE, NULL);
        (void) CoSetProxyBlanket(NULL, RPC_C_AUTHN_DEFAULT, RPC_C_AUTHZ_NONE, COLE_DEFAULT_PRINCIPAL, RPC_C_AUTHN_LEVEL_DEFAULT,
                                 RPC_C_IMP_LEVEL_IMPERSONATE, NULL, EOAC_STATIC_CLOAKING);
        memory = CoTaskMemRealloc(CoTaskMemAlloc(1), 2);
        CoTaskMemFree(memory);
        (void) CoCreateGuid(&fresh);
        (void) StringFromGUID2(guid, text, 39);
        (void) CLSIDFromString(text, &parsed);
        (void) IIDFromString(text, &parsed);
        CoUninitialize();
        if (IsEqualGUID(guid, ADDRESS(GUID_NULL)) || IsEqualIID(iid, ADDRESS(IID_IUnknown)) || IsEqualCLSID(clsid, ADDRESS(CLSID_DeliveryOptimization)))
                return E_INVALIDARG;
        return CoCreateInstance(clsid, NULL, CLSCTX_LOCAL_SERVER, iid, ret);
}

/* The irregular enumerators stand side by side. */
HRESULT names_properties(const void *job) {
        static const BITS_JOB_PROPERTY_ID properties[] = {
                BITS_JOB_PROPERTY_ID_COST_FLAGS,         BITS_JOB_PROPERTY_NOTIFICATION_CLSID,
                BITS_JOB_PROPERTY_DYNAMIC_CONTENT,       BITS_JOB_PROPERTY_HIGH_PERFORMANCE,
                BITS_JOB_PROPERTY_MAX_DOWNLOAD_SIZE,     BITS_JOB_PROPERTY_USE_STORED_CREDENTIALS,
                BITS_JOB_PROPERTY_ON_DEMAND_MODE,        BITS_JOB_PROPERTY_MINIMUM_NOTIFICATION_INTERVAL_MS,
        };
        static const BITS_FILE_PROPERTY_ID file_properties[] = { BITS_FILE_PROPERTY_ID_HTTP_RESPONSE_HEADERS };
        BITS_JOB_PROPERTY_VALUE value;
        BITS_FILE_PROPERTY_VALUE file_value;
        BG_AUTH_CREDENTIALS credentials;

        value.Dword = BITS_JOB_TRANSFER_POLICY_STANDARD;
        value.Enable = TRUE;
        value.Uint64 = BG_SIZE_UNKNOWN;
        value.ClsID = CLSID_BackgroundCopyManager;
        value.Target = BG_AUTH_TARGET_SERVER;
        file_value.String = NULL;
        credentials.Target = value.Target;
        credentials.Scheme = BG_AUTH_SCHEME_BASIC;
        credentials.Credentials.Basic.UserName = file_value.String;
        credentials.Credentials.Basic.Password = NULL;
        return job == NULL && credentials.Credentials.Basic.Password == NULL && properties[0] != properties[1] && file_properties[0] != 0 ?
                       BG_E_INVALID_STATE :
                       DO_E_INVALID_STATE;
}

#ifdef __cplusplus

/* The two ways in which C++ asks for an interface. */
template <typename T> HRESULT names_query(IUnknown *from, T **to) {
        HRESULT hr = from->QueryInterface(IID_PPV_ARGS(to));

        return FAILED(hr) ? from->QueryInterface(__uuidof(T), reinterpret_cast<void **>(to)) : hr;
}

template HRESULT names_query<IBackgroundCopyManager>(IUnknown *, IBackgroundCopyManager **);
template HRESULT names_query<IBackgroundCopyJob5>(IUnknown *, IBackgroundCopyJob5 **);
template HRESULT names_query<IBackgroundCopyFile6>(IUnknown *, IBackgroundCopyFile6 **);
template HRESULT names_query<IDOManager>(IUnknown *, IDOManager **);
template HRESULT names_query<IDeliveryOptimizationJob2>(IUnknown *, IDeliveryOptimizationJob2 **);

/* Clients derive from the callbacks. */
class NamesCallback final : public IBackgroundCopyCallback3 {
public:
        STDMETHODIMP QueryInterface(REFIID, void **) override;
        STDMETHODIMP_(ULONG) AddRef() override;
        STDMETHODIMP_(ULONG) Release() override;
        STDMETHODIMP JobTransferred(IBackgroundCopyJob *) override;
        STDMETHODIMP JobError(IBackgroundCopyJob *, IBackgroundCopyError *) override;
        STDMETHODIMP JobModification(IBackgroundCopyJob *, DWORD) override;
        STDMETHODIMP FileTransferred(IBackgroundCopyJob *, IBackgroundCopyFile *) override;
        STDMETHODIMP FileRangesTransferred(IBackgroundCopyJob *, IBackgroundCopyFile *, DWORD, const BG_FILE_RANGE[]) override;
};
static_assert(sizeof(NamesCallback) == sizeof(void *), "no data");

#elif defined(COBJMACROS)

/* Inherited methods have their macro on every derived interface. */
HRESULT names_macros(IBackgroundCopyJob5 *job, IBackgroundCopyFile6 *file, IDOManager *manager, IStream *stream, LPWSTR *name);
HRESULT names_macros(IBackgroundCopyJob5 *job, IBackgroundCopyFile6 *file, IDOManager *manager, IStream *stream, LPWSTR *name) {
        void *unknown;

        (void) IBackgroundCopyJob5_QueryInterface(job, &IID_IBackgroundCopyJob, &unknown);
        (void) IBackgroundCopyJob5_AddRef(job);
        (void) IBackgroundCopyJob5_Resume(job);
        (void) IBackgroundCopyJob5_SetNotifyCmdLine(job, NULL, NULL);
        (void) IBackgroundCopyJob5_ReplaceRemotePrefix(job, NULL, NULL);
        (void) IBackgroundCopyJob5_SetMaximumDownloadTime(job, 1);
        (void) IBackgroundCopyJob5_Release(job);
        (void) IBackgroundCopyFile2_GetRemoteName((IBackgroundCopyFile2 *) file, name);
        (void) IBackgroundCopyFile6_GetRemoteName(file, name);
        (void) IBackgroundCopyFile6_SetRemoteName(file, NULL);
        (void) IBackgroundCopyFile6_GetTemporaryName(file, name);
        (void) IStream_Read(stream, NULL, 0, NULL);
        (void) IDOManager_Release(manager);
        return job->lpVtbl->Resume((IBackgroundCopyJob5 *) job);
}

/* Clients fill in tables. */
extern const IBackgroundCopyCallbackVtbl names_callback;
extern const IDODownloadStatusCallbackVtbl names_status;

#endif

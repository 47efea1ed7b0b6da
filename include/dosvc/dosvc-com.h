/*
 * dosvc-com.h: how a program reaches the service's objects: initialise, create
 * an instance, and the allocator that both sides share.
 *
 * Everything declared here is implemented by libdosvc and may be called from
 * any thread. There are no apartments: objects are free-threaded whatever
 * CoInitializeEx() was given.
 */
#ifndef DOSVC_COM_H
#define DOSVC_COM_H

#include "dosvc-guid.h"
#include "dosvc-unknown.h"
#include "dosvc-winerror.h"

typedef enum tagCOINIT {
        COINIT_MULTITHREADED = 0x0,
        COINIT_APARTMENTTHREADED = 0x2,
        COINIT_DISABLE_OLE1DDE = 0x4,
        COINIT_SPEED_OVER_MEMORY = 0x8
} COINIT;

typedef enum tagCLSCTX {
        CLSCTX_INPROC_SERVER = 0x1,
        CLSCTX_INPROC_HANDLER = 0x2,
        CLSCTX_LOCAL_SERVER = 0x4,
        CLSCTX_REMOTE_SERVER = 0x10
} CLSCTX;

#define CLSCTX_INPROC (CLSCTX_INPROC_SERVER | CLSCTX_INPROC_HANDLER)
#define CLSCTX_SERVER (CLSCTX_INPROC_SERVER | CLSCTX_LOCAL_SERVER | CLSCTX_REMOTE_SERVER)
#define CLSCTX_ALL (CLSCTX_INPROC_HANDLER | CLSCTX_SERVER)

/*
 * Arguments of CoInitializeSecurity() and CoSetProxyBlanket(). The kernel tells
 * the service who its caller is, so that these calls check and accept them and
 * change nothing.
 */
#define RPC_C_AUTHN_LEVEL_DEFAULT 0
#define RPC_C_AUTHN_LEVEL_NONE 1
#define RPC_C_AUTHN_LEVEL_CONNECT 2
#define RPC_C_AUTHN_LEVEL_CALL 3
#define RPC_C_AUTHN_LEVEL_PKT 4
#define RPC_C_AUTHN_LEVEL_PKT_INTEGRITY 5
#define RPC_C_AUTHN_LEVEL_PKT_PRIVACY 6

#define RPC_C_IMP_LEVEL_DEFAULT 0
#define RPC_C_IMP_LEVEL_ANONYMOUS 1
#define RPC_C_IMP_LEVEL_IDENTIFY 2
#define RPC_C_IMP_LEVEL_IMPERSONATE 3
#define RPC_C_IMP_LEVEL_DELEGATE 4

#define RPC_C_AUTHN_NONE 0
#define RPC_C_AUTHN_GSS_NEGOTIATE 9
#define RPC_C_AUTHN_WINNT 10
#define RPC_C_AUTHN_DEFAULT 0xFFFFFFFFu

#define RPC_C_AUTHZ_NONE 0
#define RPC_C_AUTHZ_NAME 1
#define RPC_C_AUTHZ_DCE 2
#define RPC_C_AUTHZ_DEFAULT 0xFFFFFFFFu

typedef enum tagEOLE_AUTHENTICATION_CAPABILITIES {
        EOAC_NONE = 0x0,
        EOAC_MUTUAL_AUTH = 0x1,
        EOAC_SECURE_REFS = 0x2,
        EOAC_ACCESS_CONTROL = 0x4,
        EOAC_APPID = 0x8,
        EOAC_DYNAMIC = 0x10,
        EOAC_STATIC_CLOAKING = 0x20,
        EOAC_DYNAMIC_CLOAKING = 0x40,
        EOAC_ANY_AUTHORITY = 0x80,
        EOAC_MAKE_FULLSIC = 0x100,
        EOAC_REQUIRE_FULLSIC = 0x200,
        EOAC_AUTO_IMPERSONATE = 0x400,
        EOAC_DEFAULT = 0x800,
        EOAC_DISABLE_AAA = 0x1000,
        EOAC_NO_CUSTOM_MARSHAL = 0x2000
} EOLE_AUTHENTICATION_CAPABILITIES;

typedef void *PSECURITY_DESCRIPTOR;
typedef void *RPC_AUTH_IDENTITY_HANDLE;

typedef struct tagSOLE_AUTHENTICATION_SERVICE {
        DWORD dwAuthnSvc;
        DWORD dwAuthzSvc;
        OLECHAR *pPrincipalName;
        HRESULT hr;
} SOLE_AUTHENTICATION_SERVICE;

#define COLE_DEFAULT_PRINCIPAL ((OLECHAR *) (intptr_t) -1)
#define COLE_DEFAULT_AUTHINFO ((void *) (intptr_t) -1)

#ifdef __cplusplus
extern "C" {
#endif

/* Each successful call (S_OK, or S_FALSE if it was not the first) wants one CoUninitialize(). */
DOSVC_API HRESULT CoInitialize(LPVOID pvReserved);
DOSVC_API HRESULT CoInitializeEx(LPVOID pvReserved, DWORD dwCoInit);
DOSVC_API void CoUninitialize(void);

/*
 * Creates a manager: CLSID_DeliveryOptimization or a CLSID_BackgroundCopyManager*,
 * in CLSCTX_LOCAL_SERVER. *ppv is a new reference, or NULL on failure.
 * REGDB_E_CLASSNOTREG for other classes, CLASS_E_NOAGGREGATION for an outer object.
 */
DOSVC_API HRESULT CoCreateInstance(REFCLSID rclsid, IUnknown *pUnkOuter, DWORD dwClsContext,
                                   REFIID riid, LPVOID *ppv);

DOSVC_API HRESULT CoInitializeSecurity(PSECURITY_DESCRIPTOR pSecDesc, LONG cAuthSvc,
                                       SOLE_AUTHENTICATION_SERVICE *asAuthSvc, void *pReserved1,
                                       DWORD dwAuthnLevel, DWORD dwImpLevel, void *pAuthList,
                                       DWORD dwCapabilities, void *pReserved3);
DOSVC_API HRESULT CoSetProxyBlanket(IUnknown *pProxy, DWORD dwAuthnSvc, DWORD dwAuthzSvc,
                                    OLECHAR *pServerPrincName, DWORD dwAuthnLevel,
                                    DWORD dwImpLevel, RPC_AUTH_IDENTITY_HANDLE pAuthInfo,
                                    DWORD dwCapabilities);

/*
 * The allocator of everything that a method hands out: the caller frees strings
 * and arrays with CoTaskMemFree(), which takes NULL. Memory is not zeroed.
 */
DOSVC_API LPVOID CoTaskMemAlloc(SIZE_T cb);
DOSVC_API LPVOID CoTaskMemRealloc(LPVOID pv, SIZE_T cb);
DOSVC_API void CoTaskMemFree(LPVOID pv);

DOSVC_API HRESULT CoCreateGuid(GUID *pguid);

/*
 * Writes "{XXXXXXXX-XXXX-XXXX-XXXX-XXXXXXXXXXXX}" and its NUL. Returns the
 * characters written with the NUL, 39, or 0 if cchMax is too small.
 */
DOSVC_API int StringFromGUID2(REFGUID rguid, LPOLESTR lpsz, int cchMax);

/* Read the braced form; CO_E_CLASSSTRING or CO_E_IIDSTRING for anything else. */
DOSVC_API HRESULT CLSIDFromString(LPCOLESTR lpsz, LPCLSID pclsid);
DOSVC_API HRESULT IIDFromString(LPCOLESTR lpsz, LPIID lpiid);

#ifdef __cplusplus
}
#endif

#if defined(__cplusplus) && !defined(CINTERFACE)

/* Only pointers to interface pointers get through; the value is not looked at. */
template <typename T> inline void **IID_PPV_ARGS_Helper(T **pp) {
        static_assert(sizeof(static_cast<IUnknown *>(static_cast<T *>(nullptr))) > 0,
                      "IID_PPV_ARGS wants the address of an interface pointer");
        return reinterpret_cast<void **>(pp);
}

#define IID_PPV_ARGS(pp) __uuidof(**(pp)), IID_PPV_ARGS_Helper(pp)

#endif

#endif

/*
 * bits.h: jobs that fetch files in the background, through restarts and network changes.
 *
 * Create a manager with CoCreateInstance(CLSID_BackgroundCopyManager, NULL,
 * CLSCTX_LOCAL_SERVER, IID_IBackgroundCopyManager, ...), create a job, add files, Resume it
 * and, when it is TRANSFERRED, Complete it: only then do the files have their names.
 *
 * In all methods: strings and arrays handed out are freed by the caller with CoTaskMemFree(),
 * interface pointers handed out are new references, callers keep what they pass in. A method
 * that changes a job answers BG_E_INVALID_STATE (DO family: DO_E_INVALID_STATE) once the job is
 * ACKNOWLEDGED or CANCELLED; getters go on to work. String lengths are code points without the
 * NUL.
 *
 * Made by tools/generate_headers.py from idl/bits.idl: change it there.
 */
#ifndef DOSVC_BITS_H
#define DOSVC_BITS_H

#include "dosvc-base.h"
#include "dosvc-guid.h"
#include "dosvc-hresult.h"
#include "dosvc-interface.h"
#include "dosvc-unknown.h"
#include "dosvc-winerror.h"
#include "dosvc-com.h"
#include "bitsmsg.h"

typedef struct IBackgroundCopyFile IBackgroundCopyFile;
typedef struct IBackgroundCopyFile2 IBackgroundCopyFile2;
typedef struct IBackgroundCopyFile3 IBackgroundCopyFile3;
typedef struct IBackgroundCopyFile4 IBackgroundCopyFile4;
typedef struct IBackgroundCopyFile5 IBackgroundCopyFile5;
typedef struct IBackgroundCopyFile6 IBackgroundCopyFile6;
typedef struct IEnumBackgroundCopyFiles IEnumBackgroundCopyFiles;
typedef struct IBackgroundCopyError IBackgroundCopyError;
typedef struct IBackgroundCopyJob IBackgroundCopyJob;
typedef struct IBackgroundCopyJob2 IBackgroundCopyJob2;
typedef struct IBackgroundCopyJob3 IBackgroundCopyJob3;
typedef struct IBackgroundCopyJob4 IBackgroundCopyJob4;
typedef struct IBackgroundCopyJob5 IBackgroundCopyJob5;
typedef struct IEnumBackgroundCopyJobs IEnumBackgroundCopyJobs;
typedef struct IBackgroundCopyManager IBackgroundCopyManager;
typedef struct IBackgroundCopyCallback IBackgroundCopyCallback;
typedef struct IBackgroundCopyCallback2 IBackgroundCopyCallback2;
typedef struct IBackgroundCopyCallback3 IBackgroundCopyCallback3;
typedef struct IBackgroundCopyJobHttpOptions IBackgroundCopyJobHttpOptions;
typedef struct IBackgroundCopyJobHttpOptions2 IBackgroundCopyJobHttpOptions2;
typedef struct IBackgroundCopyJobHttpOptions3 IBackgroundCopyJobHttpOptions3;
typedef struct IBackgroundCopyServerCertificateValidationCallback IBackgroundCopyServerCertificateValidationCallback;
typedef struct IBitsTokenOptions IBitsTokenOptions;

/* Classes: every version of the manager reaches the same service and the same jobs */
EXTERN_C DOSVC_API const GUID CLSID_BackgroundCopyManager;
EXTERN_C DOSVC_API const GUID CLSID_BackgroundCopyManager1_5;
EXTERN_C DOSVC_API const GUID CLSID_BackgroundCopyManager2_0;
EXTERN_C DOSVC_API const GUID CLSID_BackgroundCopyManager2_5;
EXTERN_C DOSVC_API const GUID CLSID_BackgroundCopyManager3_0;
EXTERN_C DOSVC_API const GUID CLSID_BackgroundCopyManager4_0;
EXTERN_C DOSVC_API const GUID CLSID_BackgroundCopyManager5_0;
EXTERN_C DOSVC_API const GUID CLSID_BackgroundCopyManager10_1;
EXTERN_C DOSVC_API const GUID CLSID_BackgroundCopyManager10_2;
EXTERN_C DOSVC_API const GUID CLSID_BackgroundCopyManager10_3;
/* the service before jobs; cannot be created */
EXTERN_C DOSVC_API const GUID CLSID_BackgroundCopyQMgr;

#ifdef __cplusplus
class BackgroundCopyManager;
class BackgroundCopyManager1_5;
class BackgroundCopyManager2_0;
class BackgroundCopyManager2_5;
class BackgroundCopyManager3_0;
class BackgroundCopyManager4_0;
class BackgroundCopyManager5_0;
class BackgroundCopyManager10_1;
class BackgroundCopyManager10_2;
class BackgroundCopyManager10_3;
class BackgroundCopyQMgr;
DOSVC_DECLARE_UUIDOF(BackgroundCopyManager, CLSID_BackgroundCopyManager)
DOSVC_DECLARE_UUIDOF(BackgroundCopyManager1_5, CLSID_BackgroundCopyManager1_5)
DOSVC_DECLARE_UUIDOF(BackgroundCopyManager2_0, CLSID_BackgroundCopyManager2_0)
DOSVC_DECLARE_UUIDOF(BackgroundCopyManager2_5, CLSID_BackgroundCopyManager2_5)
DOSVC_DECLARE_UUIDOF(BackgroundCopyManager3_0, CLSID_BackgroundCopyManager3_0)
DOSVC_DECLARE_UUIDOF(BackgroundCopyManager4_0, CLSID_BackgroundCopyManager4_0)
DOSVC_DECLARE_UUIDOF(BackgroundCopyManager5_0, CLSID_BackgroundCopyManager5_0)
DOSVC_DECLARE_UUIDOF(BackgroundCopyManager10_1, CLSID_BackgroundCopyManager10_1)
DOSVC_DECLARE_UUIDOF(BackgroundCopyManager10_2, CLSID_BackgroundCopyManager10_2)
DOSVC_DECLARE_UUIDOF(BackgroundCopyManager10_3, CLSID_BackgroundCopyManager10_3)
DOSVC_DECLARE_UUIDOF(BackgroundCopyQMgr, CLSID_BackgroundCopyQMgr)
#endif

/* Type libraries */
EXTERN_C DOSVC_API const GUID LIBID_BackgroundCopyManager;
EXTERN_C DOSVC_API const GUID LIBID_BackgroundCopyManager1_5;
EXTERN_C DOSVC_API const GUID LIBID_BackgroundCopyManager2_0;
EXTERN_C DOSVC_API const GUID LIBID_BackgroundCopyManager3_0;
EXTERN_C DOSVC_API const GUID LIBID_BackgroundCopyManager4_0;
EXTERN_C DOSVC_API const GUID LIBID_BackgroundCopyManager5_0;
EXTERN_C DOSVC_API const GUID LIBID_BackgroundCopyManager10_1;
EXTERN_C DOSVC_API const GUID LIBID_BackgroundCopyManager10_2;
EXTERN_C DOSVC_API const GUID LIBID_BackgroundCopyManager10_3;
EXTERN_C DOSVC_API const GUID LIBID_BackgroundCopyQMgr;

/* Asynchronous form of the callback; identified, never used here */
EXTERN_C DOSVC_API const GUID IID_AsyncIBackgroundCopyCallback;

/* Sizes that mean something else */
#define BG_SIZE_UNKNOWN ((UINT64) -1) /* BytesTotal before the server told it */
#define BG_LENGTH_TO_EOF ((UINT64) -1) /* BG_FILE_RANGE.Length: up to the end */

/* IBackgroundCopyJob::SetNotifyFlags; 0x3 unless set */
#define BG_NOTIFY_JOB_TRANSFERRED 0x0001
#define BG_NOTIFY_JOB_ERROR 0x0002
#define BG_NOTIFY_DISABLE 0x0004 /* wins over the others; not in the DO family */
#define BG_NOTIFY_JOB_MODIFICATION 0x0008
#define BG_NOTIFY_FILE_TRANSFERRED 0x0010 /* wants IBackgroundCopyCallback2 */
/* on-demand mode; wants IBackgroundCopyCallback3; not in DO */
#define BG_NOTIFY_FILE_RANGES_TRANSFERRED 0x0020

/* IBackgroundCopyManager::EnumJobs */
#define BG_JOB_ENUM_ALL_USERS 0x0001 /* administrators only */

/* IBackgroundCopyJob3::SetFileACLFlags; for network shares, which are not served here */
#define BG_COPY_FILE_OWNER 1
#define BG_COPY_FILE_GROUP 2
#define BG_COPY_FILE_DACL 4
#define BG_COPY_FILE_SACL 8
#define BG_COPY_FILE_ALL 15

/*
 * IBackgroundCopyJobHttpOptions::SetSecurityFlags; 0 unless set. BG_SSL_ is of servers'
 * certificates, not of proxies'
 */
#define BG_SSL_ENABLE_CRL_CHECK 0x0001 /* against the lists of CRLFile */
#define BG_SSL_IGNORE_CERT_CN_INVALID 0x0002
#define BG_SSL_IGNORE_CERT_DATE_INVALID 0x0004
#define BG_SSL_IGNORE_UNKNOWN_CA 0x0008
#define BG_SSL_IGNORE_CERT_WRONG_USAGE 0x0010
#define BG_HTTP_REDIRECT_POLICY_MASK 0x0700
#define BG_HTTP_REDIRECT_POLICY_ALLOW_SILENT 0x0000 /* follow; the remote name stays */
/* follow; the remote name becomes the last URL */
#define BG_HTTP_REDIRECT_POLICY_ALLOW_REPORT 0x0100
#define BG_HTTP_REDIRECT_POLICY_DISALLOW 0x0200 /* a redirect is an error */
#define BG_HTTP_REDIRECT_POLICY_ALLOW_HTTPS_TO_HTTP 0x0800

/* IBackgroundCopyJob4::SetPeerCachingFlags */
#define BG_JOB_ENABLE_PEERCACHING_CLIENT 0x0001
#define BG_JOB_ENABLE_PEERCACHING_SERVER 0x0002
#define BG_JOB_DISABLE_BRANCH_CACHE 0x0004

/* The same for a machine */
#define BG_ENABLE_PEERCACHING_CLIENT 0x0001
#define BG_ENABLE_PEERCACHING_SERVER 0x0002
#define BG_DISABLE_BRANCH_CACHE 0x0004

typedef DWORD BG_TOKEN;

/* IBitsTokenOptions::SetHelperTokenFlags */
#define BG_TOKEN_LOCAL_FILE 0x0001
#define BG_TOKEN_NETWORK 0x0002

/* BITS_COST_STATE: what a network costs, for BITS_JOB_PROPERTY_ID_COST_FLAGS */
#define BITS_COST_STATE_UNRESTRICTED 0x1u
#define BITS_COST_STATE_CAPPED_USAGE_UNKNOWN 0x2u
#define BITS_COST_STATE_BELOW_CAP 0x4u
#define BITS_COST_STATE_NEAR_CAP 0x8u
#define BITS_COST_STATE_OVERCAP_CHARGED 0x10u
#define BITS_COST_STATE_OVERCAP_THROTTLED 0x20u
#define BITS_COST_STATE_USAGE_BASED 0x40u
#define BITS_COST_STATE_ROAMING 0x80u
#define BITS_COST_STATE_RESERVED 0x40000000u
#define BITS_COST_OPTION_IGNORE_CONGESTION 0x80000000u

/* Usual sums of cost states. Values have 32 bits and no sign. */
__extension__ typedef enum BITS_JOB_TRANSFER_POLICY {
        BITS_JOB_TRANSFER_POLICY_ALWAYS = 0x800000FFu,
        BITS_JOB_TRANSFER_POLICY_NOT_ROAMING = 0x8000007Fu,
        BITS_JOB_TRANSFER_POLICY_NO_SURCHARGE = 0x8000006Fu,
        BITS_JOB_TRANSFER_POLICY_STANDARD = 0x80000067u,
        BITS_JOB_TRANSFER_POLICY_UNRESTRICTED = 0x80000021u
} BITS_JOB_TRANSFER_POLICY;

/* Where a job stands. The last two are final. */
typedef enum BG_JOB_STATE {
        BG_JOB_STATE_QUEUED = 0, /* will run when its turn comes */
        BG_JOB_STATE_CONNECTING = 1, /* published, never entered by this service */
        BG_JOB_STATE_TRANSFERRING = 2,
        BG_JOB_STATE_SUSPENDED = 3, /* until Resume; every job starts here */
        BG_JOB_STATE_ERROR = 4, /* needs its client: GetError, then Resume or Cancel */
        BG_JOB_STATE_TRANSIENT_ERROR = 5, /* goes on by itself */
        BG_JOB_STATE_TRANSFERRED = 6, /* all bytes are there; waits for Complete */
        BG_JOB_STATE_ACKNOWLEDGED = 7, /* completed */
        BG_JOB_STATE_CANCELLED = 8
} BG_JOB_STATE;

typedef enum BG_JOB_PRIORITY {
        BG_JOB_PRIORITY_FOREGROUND = 0, /* never waits for background jobs */
        BG_JOB_PRIORITY_HIGH = 1,
        BG_JOB_PRIORITY_NORMAL = 2, /* unless set */
        BG_JOB_PRIORITY_LOW = 3
} BG_JOB_PRIORITY;

typedef enum BG_JOB_TYPE {
        BG_JOB_TYPE_DOWNLOAD = 0,
        BG_JOB_TYPE_UPLOAD = 1, /* not served here */
        BG_JOB_TYPE_UPLOAD_REPLY = 2 /* not served here */
} BG_JOB_TYPE;

/* Which part of the work an error comes from. */
typedef enum BG_ERROR_CONTEXT {
        BG_ERROR_CONTEXT_NONE = 0,
        BG_ERROR_CONTEXT_UNKNOWN = 1,
        BG_ERROR_CONTEXT_GENERAL_QUEUE_MANAGER = 2,
        BG_ERROR_CONTEXT_QUEUE_MANAGER_NOTIFICATION = 3,
        BG_ERROR_CONTEXT_LOCAL_FILE = 4,
        BG_ERROR_CONTEXT_REMOTE_FILE = 5,
        BG_ERROR_CONTEXT_GENERAL_TRANSPORT = 6,
        BG_ERROR_CONTEXT_REMOTE_APPLICATION = 7,
        BG_ERROR_CONTEXT_SERVER_CERTIFICATE_CALLBACK = 8
} BG_ERROR_CONTEXT;

typedef enum BG_JOB_PROXY_USAGE {
        BG_JOB_PROXY_USAGE_PRECONFIG = 0, /* http_proxy and friends, as they were at CreateJob */
        BG_JOB_PROXY_USAGE_NO_PROXY = 1,
        BG_JOB_PROXY_USAGE_OVERRIDE = 2, /* the job's own list */
        BG_JOB_PROXY_USAGE_AUTODETECT = 3 /* E_NOTIMPL here */
} BG_JOB_PROXY_USAGE;

typedef enum BG_AUTH_TARGET {
        BG_AUTH_TARGET_SERVER = 1,
        BG_AUTH_TARGET_PROXY = 2
} BG_AUTH_TARGET;

typedef enum BG_AUTH_SCHEME {
        BG_AUTH_SCHEME_BASIC = 1,
        BG_AUTH_SCHEME_DIGEST = 2,
        BG_AUTH_SCHEME_NTLM = 3,
        BG_AUTH_SCHEME_NEGOTIATE = 4,
        BG_AUTH_SCHEME_PASSPORT = 5
} BG_AUTH_SCHEME;

typedef enum BG_CERT_STORE_LOCATION {
        BG_CERT_STORE_LOCATION_CURRENT_USER = 0,
        BG_CERT_STORE_LOCATION_LOCAL_MACHINE = 1,
        BG_CERT_STORE_LOCATION_CURRENT_SERVICE = 2,
        BG_CERT_STORE_LOCATION_SERVICES = 3,
        BG_CERT_STORE_LOCATION_USERS = 4,
        BG_CERT_STORE_LOCATION_CURRENT_USER_GROUP_POLICY = 5,
        BG_CERT_STORE_LOCATION_LOCAL_MACHINE_GROUP_POLICY = 6,
        BG_CERT_STORE_LOCATION_LOCAL_MACHINE_ENTERPRISE = 7
} BG_CERT_STORE_LOCATION;

/*
 * Properties of a job (IBackgroundCopyJob5), with the member of BITS_JOB_PROPERTY_VALUE that
 * holds each. The DO family knows the first two.
 */
typedef enum BITS_JOB_PROPERTY_ID {
        BITS_JOB_PROPERTY_ID_COST_FLAGS = 1, /* Dword: cost states in which the job may run */
        BITS_JOB_PROPERTY_NOTIFICATION_CLSID = 2, /* ClsID: outlives the client */
        BITS_JOB_PROPERTY_DYNAMIC_CONTENT = 3, /* Enable: no size, no ranges; foreground only */
        BITS_JOB_PROPERTY_HIGH_PERFORMANCE = 4, /* Enable: no checkpoints; before the first file */
        BITS_JOB_PROPERTY_MAX_DOWNLOAD_SIZE = 5, /* Uint64: bytes; before the first Resume */
        BITS_JOB_PROPERTY_USE_STORED_CREDENTIALS = 7, /* Target */
        BITS_JOB_PROPERTY_MINIMUM_NOTIFICATION_INTERVAL_MS = 9, /* Dword: 500 unless set */
        /* Enable: only requested ranges; before the first Resume */
        BITS_JOB_PROPERTY_ON_DEMAND_MODE = 10
} BITS_JOB_PROPERTY_ID;

typedef enum BITS_FILE_PROPERTY_ID {
        BITS_FILE_PROPERTY_ID_HTTP_RESPONSE_HEADERS = 1 /* String: of the last answer, complete */
} BITS_FILE_PROPERTY_ID;

typedef struct BG_FILE_PROGRESS {
        UINT64 BytesTotal; /* BG_SIZE_UNKNOWN before the server told it */
        UINT64 BytesTransferred;
        BOOL Completed; /* TRUE only after Complete gave the file its name */
} BG_FILE_PROGRESS;

typedef struct BG_FILE_INFO {
        LPWSTR RemoteName;
        LPWSTR LocalName;
} BG_FILE_INFO;

typedef struct BG_JOB_PROGRESS {
        UINT64 BytesTotal; /* BG_SIZE_UNKNOWN while one file's size is */
        UINT64 BytesTransferred;
        ULONG FilesTotal;
        ULONG FilesTransferred;
} BG_JOB_PROGRESS;

typedef struct BG_JOB_TIMES {
        FILETIME CreationTime;
        FILETIME ModificationTime; /* last change of a property or byte */
        FILETIME TransferCompletionTime; /* entry to TRANSFERRED; zero before */
} BG_JOB_TIMES;

typedef struct BG_JOB_REPLY_PROGRESS {
        UINT64 BytesTotal;
        UINT64 BytesTransferred;
} BG_JOB_REPLY_PROGRESS;

typedef struct BG_FILE_RANGE {
        UINT64 InitialOffset;
        UINT64 Length; /* or BG_LENGTH_TO_EOF */
} BG_FILE_RANGE;

typedef struct BG_BASIC_CREDENTIALS {
        LPWSTR UserName; /* 300 code points at most */
        LPWSTR Password; /* 65536 code points at most */
} BG_BASIC_CREDENTIALS;

typedef union BG_AUTH_CREDENTIALS_UNION {
        BG_BASIC_CREDENTIALS Basic;
} BG_AUTH_CREDENTIALS_UNION;

typedef struct BG_AUTH_CREDENTIALS {
        BG_AUTH_TARGET Target;
        BG_AUTH_SCHEME Scheme;
        BG_AUTH_CREDENTIALS_UNION Credentials;
} BG_AUTH_CREDENTIALS;

typedef union BITS_JOB_PROPERTY_VALUE {
        DWORD Dword;
        GUID ClsID;
        BOOL Enable;
        UINT64 Uint64;
        BG_AUTH_TARGET Target;
} BITS_JOB_PROPERTY_VALUE;

typedef union BITS_FILE_PROPERTY_VALUE {
        LPWSTR String;
} BITS_FILE_PROPERTY_VALUE;

#ifdef __cplusplus
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wnon-virtual-dtor"
#endif

/* IBackgroundCopyFile. One file of a job. (BITS: IBackgroundCopyFile) */
EXTERN_C DOSVC_API const IID IID_IBackgroundCopyFile;

#if defined(__cplusplus) && !defined(CINTERFACE)

struct IBackgroundCopyFile : public IUnknown {
        /* The URL as it was added, or what SetRemoteName or a reported redirect made of it. */
        virtual HRESULT STDMETHODCALLTYPE GetRemoteName(LPWSTR *pVal) = 0;

        /* The absolute path that the file will have after Complete. */
        virtual HRESULT STDMETHODCALLTYPE GetLocalName(LPWSTR *pVal) = 0;

        /*
         * Bytes so far and in all (BG_SIZE_UNKNOWN before the server told it). Completed is
         * TRUE only after Complete made the file available.
         */
        virtual HRESULT STDMETHODCALLTYPE GetProgress(BG_FILE_PROGRESS *pVal) = 0;
};

DOSVC_DECLARE_UUIDOF(IBackgroundCopyFile, IID_IBackgroundCopyFile)

#else

typedef struct IBackgroundCopyFileVtbl {
        HRESULT (STDMETHODCALLTYPE *QueryInterface)(IBackgroundCopyFile *This, REFIID riid,
                                                    void **ppvObject);
        ULONG (STDMETHODCALLTYPE *AddRef)(IBackgroundCopyFile *This);
        ULONG (STDMETHODCALLTYPE *Release)(IBackgroundCopyFile *This);
        HRESULT (STDMETHODCALLTYPE *GetRemoteName)(IBackgroundCopyFile *This, LPWSTR *pVal);
        HRESULT (STDMETHODCALLTYPE *GetLocalName)(IBackgroundCopyFile *This, LPWSTR *pVal);
        HRESULT (STDMETHODCALLTYPE *GetProgress)(IBackgroundCopyFile *This, BG_FILE_PROGRESS *pVal);
} IBackgroundCopyFileVtbl;

struct IBackgroundCopyFile {
        CONST_VTBL IBackgroundCopyFileVtbl *lpVtbl;
};

#ifdef COBJMACROS
#define IBackgroundCopyFile_QueryInterface(This, riid, ppvObject) \
        (This)->lpVtbl->QueryInterface(This, riid, ppvObject)
#define IBackgroundCopyFile_AddRef(This) (This)->lpVtbl->AddRef(This)
#define IBackgroundCopyFile_Release(This) (This)->lpVtbl->Release(This)
#define IBackgroundCopyFile_GetRemoteName(This, pVal) (This)->lpVtbl->GetRemoteName(This, pVal)
#define IBackgroundCopyFile_GetLocalName(This, pVal) (This)->lpVtbl->GetLocalName(This, pVal)
#define IBackgroundCopyFile_GetProgress(This, pVal) (This)->lpVtbl->GetProgress(This, pVal)
#endif

#endif

/* IBackgroundCopyFile2. Ranges and another URL. (BITS: IBackgroundCopyFile2) */
EXTERN_C DOSVC_API const IID IID_IBackgroundCopyFile2;

#if defined(__cplusplus) && !defined(CINTERFACE)

struct IBackgroundCopyFile2 : public IBackgroundCopyFile {
        /*
         * The ranges that the file was added with, in that order. S_FALSE, 0 and NULL for a
         * whole file.
         */
        virtual HRESULT STDMETHODCALLTYPE GetFileRanges(DWORD *RangeCount,
                                                        BG_FILE_RANGE **Ranges) = 0;

        /*
         * Another URL for the same content, 2200 code points at most. A file that is not
         * finished starts again unless validators agree; a finished one is left alone.
         */
        virtual HRESULT STDMETHODCALLTYPE SetRemoteName(LPCWSTR Val) = 0;
};

DOSVC_DECLARE_UUIDOF(IBackgroundCopyFile2, IID_IBackgroundCopyFile2)

#else

typedef struct IBackgroundCopyFile2Vtbl {
        HRESULT (STDMETHODCALLTYPE *QueryInterface)(IBackgroundCopyFile2 *This, REFIID riid,
                                                    void **ppvObject);
        ULONG (STDMETHODCALLTYPE *AddRef)(IBackgroundCopyFile2 *This);
        ULONG (STDMETHODCALLTYPE *Release)(IBackgroundCopyFile2 *This);
        HRESULT (STDMETHODCALLTYPE *GetRemoteName)(IBackgroundCopyFile2 *This, LPWSTR *pVal);
        HRESULT (STDMETHODCALLTYPE *GetLocalName)(IBackgroundCopyFile2 *This, LPWSTR *pVal);
        HRESULT (STDMETHODCALLTYPE *GetProgress)(IBackgroundCopyFile2 *This,
                                                 BG_FILE_PROGRESS *pVal);
        HRESULT (STDMETHODCALLTYPE *GetFileRanges)(IBackgroundCopyFile2 *This, DWORD *RangeCount,
                                                   BG_FILE_RANGE **Ranges);
        HRESULT (STDMETHODCALLTYPE *SetRemoteName)(IBackgroundCopyFile2 *This, LPCWSTR Val);
} IBackgroundCopyFile2Vtbl;

struct IBackgroundCopyFile2 {
        CONST_VTBL IBackgroundCopyFile2Vtbl *lpVtbl;
};

#ifdef COBJMACROS
#define IBackgroundCopyFile2_QueryInterface(This, riid, ppvObject) \
        (This)->lpVtbl->QueryInterface(This, riid, ppvObject)
#define IBackgroundCopyFile2_AddRef(This) (This)->lpVtbl->AddRef(This)
#define IBackgroundCopyFile2_Release(This) (This)->lpVtbl->Release(This)
#define IBackgroundCopyFile2_GetRemoteName(This, pVal) (This)->lpVtbl->GetRemoteName(This, pVal)
#define IBackgroundCopyFile2_GetLocalName(This, pVal) (This)->lpVtbl->GetLocalName(This, pVal)
#define IBackgroundCopyFile2_GetProgress(This, pVal) (This)->lpVtbl->GetProgress(This, pVal)
#define IBackgroundCopyFile2_GetFileRanges(This, RangeCount, Ranges) \
        (This)->lpVtbl->GetFileRanges(This, RangeCount, Ranges)
#define IBackgroundCopyFile2_SetRemoteName(This, Val) (This)->lpVtbl->SetRemoteName(This, Val)
#endif

#endif

/*
 * IBackgroundCopyFile3. The temporary file, and what the client found in it. (BITS:
 * IBackgroundCopyFile3)
 */
EXTERN_C DOSVC_API const IID IID_IBackgroundCopyFile3;

#if defined(__cplusplus) && !defined(CINTERFACE)

struct IBackgroundCopyFile3 : public IBackgroundCopyFile2 {
        /*
         * Where the bytes are until Complete. BG_E_FILE_NOT_AVAILABLE (DO:
         * DO_E_FILE_NOT_AVAILABLE) before the first byte, and after Complete or Cancel.
         */
        virtual HRESULT STDMETHODCALLTYPE GetTemporaryName(LPWSTR *pFilename) = 0;

        /*
         * The client's verdict on a transferred file. FALSE puts the job into ERROR with
         * BG_E_VALIDATION_FAILED and starts the file again on Resume.
         */
        virtual HRESULT STDMETHODCALLTYPE SetValidationState(BOOL state) = 0;

        /* What SetValidationState last said; E_PENDING before. */
        virtual HRESULT STDMETHODCALLTYPE GetValidationState(BOOL *pState) = 0;

        /* Whether any byte came from a peer. */
        virtual HRESULT STDMETHODCALLTYPE IsDownloadedFromPeer(BOOL *pVal) = 0;
};

DOSVC_DECLARE_UUIDOF(IBackgroundCopyFile3, IID_IBackgroundCopyFile3)

#else

typedef struct IBackgroundCopyFile3Vtbl {
        HRESULT (STDMETHODCALLTYPE *QueryInterface)(IBackgroundCopyFile3 *This, REFIID riid,
                                                    void **ppvObject);
        ULONG (STDMETHODCALLTYPE *AddRef)(IBackgroundCopyFile3 *This);
        ULONG (STDMETHODCALLTYPE *Release)(IBackgroundCopyFile3 *This);
        HRESULT (STDMETHODCALLTYPE *GetRemoteName)(IBackgroundCopyFile3 *This, LPWSTR *pVal);
        HRESULT (STDMETHODCALLTYPE *GetLocalName)(IBackgroundCopyFile3 *This, LPWSTR *pVal);
        HRESULT (STDMETHODCALLTYPE *GetProgress)(IBackgroundCopyFile3 *This,
                                                 BG_FILE_PROGRESS *pVal);
        HRESULT (STDMETHODCALLTYPE *GetFileRanges)(IBackgroundCopyFile3 *This, DWORD *RangeCount,
                                                   BG_FILE_RANGE **Ranges);
        HRESULT (STDMETHODCALLTYPE *SetRemoteName)(IBackgroundCopyFile3 *This, LPCWSTR Val);
        HRESULT (STDMETHODCALLTYPE *GetTemporaryName)(IBackgroundCopyFile3 *This,
                                                      LPWSTR *pFilename);
        HRESULT (STDMETHODCALLTYPE *SetValidationState)(IBackgroundCopyFile3 *This, BOOL state);
        HRESULT (STDMETHODCALLTYPE *GetValidationState)(IBackgroundCopyFile3 *This, BOOL *pState);
        HRESULT (STDMETHODCALLTYPE *IsDownloadedFromPeer)(IBackgroundCopyFile3 *This, BOOL *pVal);
} IBackgroundCopyFile3Vtbl;

struct IBackgroundCopyFile3 {
        CONST_VTBL IBackgroundCopyFile3Vtbl *lpVtbl;
};

#ifdef COBJMACROS
#define IBackgroundCopyFile3_QueryInterface(This, riid, ppvObject) \
        (This)->lpVtbl->QueryInterface(This, riid, ppvObject)
#define IBackgroundCopyFile3_AddRef(This) (This)->lpVtbl->AddRef(This)
#define IBackgroundCopyFile3_Release(This) (This)->lpVtbl->Release(This)
#define IBackgroundCopyFile3_GetRemoteName(This, pVal) (This)->lpVtbl->GetRemoteName(This, pVal)
#define IBackgroundCopyFile3_GetLocalName(This, pVal) (This)->lpVtbl->GetLocalName(This, pVal)
#define IBackgroundCopyFile3_GetProgress(This, pVal) (This)->lpVtbl->GetProgress(This, pVal)
#define IBackgroundCopyFile3_GetFileRanges(This, RangeCount, Ranges) \
        (This)->lpVtbl->GetFileRanges(This, RangeCount, Ranges)
#define IBackgroundCopyFile3_SetRemoteName(This, Val) (This)->lpVtbl->SetRemoteName(This, Val)
#define IBackgroundCopyFile3_GetTemporaryName(This, pFilename) \
        (This)->lpVtbl->GetTemporaryName(This, pFilename)
#define IBackgroundCopyFile3_SetValidationState(This, state) \
        (This)->lpVtbl->SetValidationState(This, state)
#define IBackgroundCopyFile3_GetValidationState(This, pState) \
        (This)->lpVtbl->GetValidationState(This, pState)
#define IBackgroundCopyFile3_IsDownloadedFromPeer(This, pVal) \
        (This)->lpVtbl->IsDownloadedFromPeer(This, pVal)
#endif

#endif

/* IBackgroundCopyFile4. Where the bytes came from. (BITS: IBackgroundCopyFile4) */
EXTERN_C DOSVC_API const IID IID_IBackgroundCopyFile4;

#if defined(__cplusplus) && !defined(CINTERFACE)

struct IBackgroundCopyFile4 : public IBackgroundCopyFile3 {
        /* Bytes by source. */
        virtual HRESULT STDMETHODCALLTYPE GetPeerDownloadStats(UINT64 *pFromOrigin,
                                                               UINT64 *pFromPeers) = 0;
};

DOSVC_DECLARE_UUIDOF(IBackgroundCopyFile4, IID_IBackgroundCopyFile4)

#else

typedef struct IBackgroundCopyFile4Vtbl {
        HRESULT (STDMETHODCALLTYPE *QueryInterface)(IBackgroundCopyFile4 *This, REFIID riid,
                                                    void **ppvObject);
        ULONG (STDMETHODCALLTYPE *AddRef)(IBackgroundCopyFile4 *This);
        ULONG (STDMETHODCALLTYPE *Release)(IBackgroundCopyFile4 *This);
        HRESULT (STDMETHODCALLTYPE *GetRemoteName)(IBackgroundCopyFile4 *This, LPWSTR *pVal);
        HRESULT (STDMETHODCALLTYPE *GetLocalName)(IBackgroundCopyFile4 *This, LPWSTR *pVal);
        HRESULT (STDMETHODCALLTYPE *GetProgress)(IBackgroundCopyFile4 *This,
                                                 BG_FILE_PROGRESS *pVal);
        HRESULT (STDMETHODCALLTYPE *GetFileRanges)(IBackgroundCopyFile4 *This, DWORD *RangeCount,
                                                   BG_FILE_RANGE **Ranges);
        HRESULT (STDMETHODCALLTYPE *SetRemoteName)(IBackgroundCopyFile4 *This, LPCWSTR Val);
        HRESULT (STDMETHODCALLTYPE *GetTemporaryName)(IBackgroundCopyFile4 *This,
                                                      LPWSTR *pFilename);
        HRESULT (STDMETHODCALLTYPE *SetValidationState)(IBackgroundCopyFile4 *This, BOOL state);
        HRESULT (STDMETHODCALLTYPE *GetValidationState)(IBackgroundCopyFile4 *This, BOOL *pState);
        HRESULT (STDMETHODCALLTYPE *IsDownloadedFromPeer)(IBackgroundCopyFile4 *This, BOOL *pVal);
        HRESULT (STDMETHODCALLTYPE *GetPeerDownloadStats)(IBackgroundCopyFile4 *This,
                                                          UINT64 *pFromOrigin, UINT64 *pFromPeers);
} IBackgroundCopyFile4Vtbl;

struct IBackgroundCopyFile4 {
        CONST_VTBL IBackgroundCopyFile4Vtbl *lpVtbl;
};

#ifdef COBJMACROS
#define IBackgroundCopyFile4_QueryInterface(This, riid, ppvObject) \
        (This)->lpVtbl->QueryInterface(This, riid, ppvObject)
#define IBackgroundCopyFile4_AddRef(This) (This)->lpVtbl->AddRef(This)
#define IBackgroundCopyFile4_Release(This) (This)->lpVtbl->Release(This)
#define IBackgroundCopyFile4_GetRemoteName(This, pVal) (This)->lpVtbl->GetRemoteName(This, pVal)
#define IBackgroundCopyFile4_GetLocalName(This, pVal) (This)->lpVtbl->GetLocalName(This, pVal)
#define IBackgroundCopyFile4_GetProgress(This, pVal) (This)->lpVtbl->GetProgress(This, pVal)
#define IBackgroundCopyFile4_GetFileRanges(This, RangeCount, Ranges) \
        (This)->lpVtbl->GetFileRanges(This, RangeCount, Ranges)
#define IBackgroundCopyFile4_SetRemoteName(This, Val) (This)->lpVtbl->SetRemoteName(This, Val)
#define IBackgroundCopyFile4_GetTemporaryName(This, pFilename) \
        (This)->lpVtbl->GetTemporaryName(This, pFilename)
#define IBackgroundCopyFile4_SetValidationState(This, state) \
        (This)->lpVtbl->SetValidationState(This, state)
#define IBackgroundCopyFile4_GetValidationState(This, pState) \
        (This)->lpVtbl->GetValidationState(This, pState)
#define IBackgroundCopyFile4_IsDownloadedFromPeer(This, pVal) \
        (This)->lpVtbl->IsDownloadedFromPeer(This, pVal)
#define IBackgroundCopyFile4_GetPeerDownloadStats(This, pFromOrigin, pFromPeers) \
        (This)->lpVtbl->GetPeerDownloadStats(This, pFromOrigin, pFromPeers)
#endif

#endif

/* IBackgroundCopyFile5. Properties of a file. (BITS: IBackgroundCopyFile5) */
EXTERN_C DOSVC_API const IID IID_IBackgroundCopyFile5;

#if defined(__cplusplus) && !defined(CINTERFACE)

struct IBackgroundCopyFile5 : public IBackgroundCopyFile4 {
        /* No property can be set: BG_E_READ_ONLY_PROPERTY or BG_E_UNKNOWN_PROPERTY_ID. */
        virtual HRESULT STDMETHODCALLTYPE SetProperty(BITS_FILE_PROPERTY_ID PropertyId,
                                                      BITS_FILE_PROPERTY_VALUE PropertyValue) = 0;

        /* The caller frees String. */
        virtual HRESULT STDMETHODCALLTYPE GetProperty(BITS_FILE_PROPERTY_ID PropertyId,
                                                      BITS_FILE_PROPERTY_VALUE *PropertyValue) = 0;
};

DOSVC_DECLARE_UUIDOF(IBackgroundCopyFile5, IID_IBackgroundCopyFile5)

#else

typedef struct IBackgroundCopyFile5Vtbl {
        HRESULT (STDMETHODCALLTYPE *QueryInterface)(IBackgroundCopyFile5 *This, REFIID riid,
                                                    void **ppvObject);
        ULONG (STDMETHODCALLTYPE *AddRef)(IBackgroundCopyFile5 *This);
        ULONG (STDMETHODCALLTYPE *Release)(IBackgroundCopyFile5 *This);
        HRESULT (STDMETHODCALLTYPE *GetRemoteName)(IBackgroundCopyFile5 *This, LPWSTR *pVal);
        HRESULT (STDMETHODCALLTYPE *GetLocalName)(IBackgroundCopyFile5 *This, LPWSTR *pVal);
        HRESULT (STDMETHODCALLTYPE *GetProgress)(IBackgroundCopyFile5 *This,
                                                 BG_FILE_PROGRESS *pVal);
        HRESULT (STDMETHODCALLTYPE *GetFileRanges)(IBackgroundCopyFile5 *This, DWORD *RangeCount,
                                                   BG_FILE_RANGE **Ranges);
        HRESULT (STDMETHODCALLTYPE *SetRemoteName)(IBackgroundCopyFile5 *This, LPCWSTR Val);
        HRESULT (STDMETHODCALLTYPE *GetTemporaryName)(IBackgroundCopyFile5 *This,
                                                      LPWSTR *pFilename);
        HRESULT (STDMETHODCALLTYPE *SetValidationState)(IBackgroundCopyFile5 *This, BOOL state);
        HRESULT (STDMETHODCALLTYPE *GetValidationState)(IBackgroundCopyFile5 *This, BOOL *pState);
        HRESULT (STDMETHODCALLTYPE *IsDownloadedFromPeer)(IBackgroundCopyFile5 *This, BOOL *pVal);
        HRESULT (STDMETHODCALLTYPE *GetPeerDownloadStats)(IBackgroundCopyFile5 *This,
                                                          UINT64 *pFromOrigin, UINT64 *pFromPeers);
        HRESULT (STDMETHODCALLTYPE *SetProperty)(IBackgroundCopyFile5 *This,
                                                 BITS_FILE_PROPERTY_ID PropertyId,
                                                 BITS_FILE_PROPERTY_VALUE PropertyValue);
        HRESULT (STDMETHODCALLTYPE *GetProperty)(IBackgroundCopyFile5 *This,
                                                 BITS_FILE_PROPERTY_ID PropertyId,
                                                 BITS_FILE_PROPERTY_VALUE *PropertyValue);
} IBackgroundCopyFile5Vtbl;

struct IBackgroundCopyFile5 {
        CONST_VTBL IBackgroundCopyFile5Vtbl *lpVtbl;
};

#ifdef COBJMACROS
#define IBackgroundCopyFile5_QueryInterface(This, riid, ppvObject) \
        (This)->lpVtbl->QueryInterface(This, riid, ppvObject)
#define IBackgroundCopyFile5_AddRef(This) (This)->lpVtbl->AddRef(This)
#define IBackgroundCopyFile5_Release(This) (This)->lpVtbl->Release(This)
#define IBackgroundCopyFile5_GetRemoteName(This, pVal) (This)->lpVtbl->GetRemoteName(This, pVal)
#define IBackgroundCopyFile5_GetLocalName(This, pVal) (This)->lpVtbl->GetLocalName(This, pVal)
#define IBackgroundCopyFile5_GetProgress(This, pVal) (This)->lpVtbl->GetProgress(This, pVal)
#define IBackgroundCopyFile5_GetFileRanges(This, RangeCount, Ranges) \
        (This)->lpVtbl->GetFileRanges(This, RangeCount, Ranges)
#define IBackgroundCopyFile5_SetRemoteName(This, Val) (This)->lpVtbl->SetRemoteName(This, Val)
#define IBackgroundCopyFile5_GetTemporaryName(This, pFilename) \
        (This)->lpVtbl->GetTemporaryName(This, pFilename)
#define IBackgroundCopyFile5_SetValidationState(This, state) \
        (This)->lpVtbl->SetValidationState(This, state)
#define IBackgroundCopyFile5_GetValidationState(This, pState) \
        (This)->lpVtbl->GetValidationState(This, pState)
#define IBackgroundCopyFile5_IsDownloadedFromPeer(This, pVal) \
        (This)->lpVtbl->IsDownloadedFromPeer(This, pVal)
#define IBackgroundCopyFile5_GetPeerDownloadStats(This, pFromOrigin, pFromPeers) \
        (This)->lpVtbl->GetPeerDownloadStats(This, pFromOrigin, pFromPeers)
#define IBackgroundCopyFile5_SetProperty(This, PropertyId, PropertyValue) \
        (This)->lpVtbl->SetProperty(This, PropertyId, PropertyValue)
#define IBackgroundCopyFile5_GetProperty(This, PropertyId, PropertyValue) \
        (This)->lpVtbl->GetProperty(This, PropertyId, PropertyValue)
#endif

#endif

/* IBackgroundCopyFile6. For jobs with BITS_JOB_PROPERTY_ON_DEMAND_MODE. */
EXTERN_C DOSVC_API const IID IID_IBackgroundCopyFile6;

#if defined(__cplusplus) && !defined(CINTERFACE)

struct IBackgroundCopyFile6 : public IBackgroundCopyFile5 {
        /* What is wanted first: the download goes on from this offset. */
        virtual HRESULT STDMETHODCALLTYPE UpdateDownloadPosition(UINT64 offset) = 0;

        /* Adds to the ranges that are wanted; overlaps are fine. */
        virtual HRESULT STDMETHODCALLTYPE RequestFileRanges(DWORD rangeCount,
                                                            const BG_FILE_RANGE ranges[]) = 0;

        /* The ranges that are there, sorted and merged. */
        virtual HRESULT STDMETHODCALLTYPE GetFilledFileRanges(DWORD *rangeCount,
                                                              BG_FILE_RANGE **ranges) = 0;
};

DOSVC_DECLARE_UUIDOF(IBackgroundCopyFile6, IID_IBackgroundCopyFile6)

#else

typedef struct IBackgroundCopyFile6Vtbl {
        HRESULT (STDMETHODCALLTYPE *QueryInterface)(IBackgroundCopyFile6 *This, REFIID riid,
                                                    void **ppvObject);
        ULONG (STDMETHODCALLTYPE *AddRef)(IBackgroundCopyFile6 *This);
        ULONG (STDMETHODCALLTYPE *Release)(IBackgroundCopyFile6 *This);
        HRESULT (STDMETHODCALLTYPE *GetRemoteName)(IBackgroundCopyFile6 *This, LPWSTR *pVal);
        HRESULT (STDMETHODCALLTYPE *GetLocalName)(IBackgroundCopyFile6 *This, LPWSTR *pVal);
        HRESULT (STDMETHODCALLTYPE *GetProgress)(IBackgroundCopyFile6 *This,
                                                 BG_FILE_PROGRESS *pVal);
        HRESULT (STDMETHODCALLTYPE *GetFileRanges)(IBackgroundCopyFile6 *This, DWORD *RangeCount,
                                                   BG_FILE_RANGE **Ranges);
        HRESULT (STDMETHODCALLTYPE *SetRemoteName)(IBackgroundCopyFile6 *This, LPCWSTR Val);
        HRESULT (STDMETHODCALLTYPE *GetTemporaryName)(IBackgroundCopyFile6 *This,
                                                      LPWSTR *pFilename);
        HRESULT (STDMETHODCALLTYPE *SetValidationState)(IBackgroundCopyFile6 *This, BOOL state);
        HRESULT (STDMETHODCALLTYPE *GetValidationState)(IBackgroundCopyFile6 *This, BOOL *pState);
        HRESULT (STDMETHODCALLTYPE *IsDownloadedFromPeer)(IBackgroundCopyFile6 *This, BOOL *pVal);
        HRESULT (STDMETHODCALLTYPE *GetPeerDownloadStats)(IBackgroundCopyFile6 *This,
                                                          UINT64 *pFromOrigin, UINT64 *pFromPeers);
        HRESULT (STDMETHODCALLTYPE *SetProperty)(IBackgroundCopyFile6 *This,
                                                 BITS_FILE_PROPERTY_ID PropertyId,
                                                 BITS_FILE_PROPERTY_VALUE PropertyValue);
        HRESULT (STDMETHODCALLTYPE *GetProperty)(IBackgroundCopyFile6 *This,
                                                 BITS_FILE_PROPERTY_ID PropertyId,
                                                 BITS_FILE_PROPERTY_VALUE *PropertyValue);
        HRESULT (STDMETHODCALLTYPE *UpdateDownloadPosition)(IBackgroundCopyFile6 *This,
                                                            UINT64 offset);
        HRESULT (STDMETHODCALLTYPE *RequestFileRanges)(IBackgroundCopyFile6 *This, DWORD rangeCount,
                                                       const BG_FILE_RANGE ranges[]);
        HRESULT (STDMETHODCALLTYPE *GetFilledFileRanges)(IBackgroundCopyFile6 *This,
                                                         DWORD *rangeCount, BG_FILE_RANGE **ranges);
} IBackgroundCopyFile6Vtbl;

struct IBackgroundCopyFile6 {
        CONST_VTBL IBackgroundCopyFile6Vtbl *lpVtbl;
};

#ifdef COBJMACROS
#define IBackgroundCopyFile6_QueryInterface(This, riid, ppvObject) \
        (This)->lpVtbl->QueryInterface(This, riid, ppvObject)
#define IBackgroundCopyFile6_AddRef(This) (This)->lpVtbl->AddRef(This)
#define IBackgroundCopyFile6_Release(This) (This)->lpVtbl->Release(This)
#define IBackgroundCopyFile6_GetRemoteName(This, pVal) (This)->lpVtbl->GetRemoteName(This, pVal)
#define IBackgroundCopyFile6_GetLocalName(This, pVal) (This)->lpVtbl->GetLocalName(This, pVal)
#define IBackgroundCopyFile6_GetProgress(This, pVal) (This)->lpVtbl->GetProgress(This, pVal)
#define IBackgroundCopyFile6_GetFileRanges(This, RangeCount, Ranges) \
        (This)->lpVtbl->GetFileRanges(This, RangeCount, Ranges)
#define IBackgroundCopyFile6_SetRemoteName(This, Val) (This)->lpVtbl->SetRemoteName(This, Val)
#define IBackgroundCopyFile6_GetTemporaryName(This, pFilename) \
        (This)->lpVtbl->GetTemporaryName(This, pFilename)
#define IBackgroundCopyFile6_SetValidationState(This, state) \
        (This)->lpVtbl->SetValidationState(This, state)
#define IBackgroundCopyFile6_GetValidationState(This, pState) \
        (This)->lpVtbl->GetValidationState(This, pState)
#define IBackgroundCopyFile6_IsDownloadedFromPeer(This, pVal) \
        (This)->lpVtbl->IsDownloadedFromPeer(This, pVal)
#define IBackgroundCopyFile6_GetPeerDownloadStats(This, pFromOrigin, pFromPeers) \
        (This)->lpVtbl->GetPeerDownloadStats(This, pFromOrigin, pFromPeers)
#define IBackgroundCopyFile6_SetProperty(This, PropertyId, PropertyValue) \
        (This)->lpVtbl->SetProperty(This, PropertyId, PropertyValue)
#define IBackgroundCopyFile6_GetProperty(This, PropertyId, PropertyValue) \
        (This)->lpVtbl->GetProperty(This, PropertyId, PropertyValue)
#define IBackgroundCopyFile6_UpdateDownloadPosition(This, offset) \
        (This)->lpVtbl->UpdateDownloadPosition(This, offset)
#define IBackgroundCopyFile6_RequestFileRanges(This, rangeCount, ranges) \
        (This)->lpVtbl->RequestFileRanges(This, rangeCount, ranges)
#define IBackgroundCopyFile6_GetFilledFileRanges(This, rangeCount, ranges) \
        (This)->lpVtbl->GetFilledFileRanges(This, rangeCount, ranges)
#endif

#endif

/*
 * IEnumBackgroundCopyFiles. Snapshot of a job's files, in the order of adding. (BITS:
 * IEnumBackgroundCopyFiles)
 */
EXTERN_C DOSVC_API const IID IID_IEnumBackgroundCopyFiles;

#if defined(__cplusplus) && !defined(CINTERFACE)

struct IEnumBackgroundCopyFiles : public IUnknown {
        /*
         * Up to celt files, each a new reference. S_FALSE if fewer were left. pceltFetched may
         * be NULL only if celt is 1.
         */
        virtual HRESULT STDMETHODCALLTYPE Next(ULONG celt, IBackgroundCopyFile **rgelt,
                                               ULONG *pceltFetched) = 0;

        /* S_FALSE if fewer were left. */
        virtual HRESULT STDMETHODCALLTYPE Skip(ULONG celt) = 0;

        /* Back to the first of the same snapshot. */
        virtual HRESULT STDMETHODCALLTYPE Reset() = 0;

        /* A second enumerator at the same place of the same snapshot. */
        virtual HRESULT STDMETHODCALLTYPE Clone(IEnumBackgroundCopyFiles **ppenum) = 0;

        /* All files of the snapshot, wherever it stands. */
        virtual HRESULT STDMETHODCALLTYPE GetCount(ULONG *puCount) = 0;
};

DOSVC_DECLARE_UUIDOF(IEnumBackgroundCopyFiles, IID_IEnumBackgroundCopyFiles)

#else

typedef struct IEnumBackgroundCopyFilesVtbl {
        HRESULT (STDMETHODCALLTYPE *QueryInterface)(IEnumBackgroundCopyFiles *This, REFIID riid,
                                                    void **ppvObject);
        ULONG (STDMETHODCALLTYPE *AddRef)(IEnumBackgroundCopyFiles *This);
        ULONG (STDMETHODCALLTYPE *Release)(IEnumBackgroundCopyFiles *This);
        HRESULT (STDMETHODCALLTYPE *Next)(IEnumBackgroundCopyFiles *This, ULONG celt,
                                          IBackgroundCopyFile **rgelt, ULONG *pceltFetched);
        HRESULT (STDMETHODCALLTYPE *Skip)(IEnumBackgroundCopyFiles *This, ULONG celt);
        HRESULT (STDMETHODCALLTYPE *Reset)(IEnumBackgroundCopyFiles *This);
        HRESULT (STDMETHODCALLTYPE *Clone)(IEnumBackgroundCopyFiles *This,
                                           IEnumBackgroundCopyFiles **ppenum);
        HRESULT (STDMETHODCALLTYPE *GetCount)(IEnumBackgroundCopyFiles *This, ULONG *puCount);
} IEnumBackgroundCopyFilesVtbl;

struct IEnumBackgroundCopyFiles {
        CONST_VTBL IEnumBackgroundCopyFilesVtbl *lpVtbl;
};

#ifdef COBJMACROS
#define IEnumBackgroundCopyFiles_QueryInterface(This, riid, ppvObject) \
        (This)->lpVtbl->QueryInterface(This, riid, ppvObject)
#define IEnumBackgroundCopyFiles_AddRef(This) (This)->lpVtbl->AddRef(This)
#define IEnumBackgroundCopyFiles_Release(This) (This)->lpVtbl->Release(This)
#define IEnumBackgroundCopyFiles_Next(This, celt, rgelt, pceltFetched) \
        (This)->lpVtbl->Next(This, celt, rgelt, pceltFetched)
#define IEnumBackgroundCopyFiles_Skip(This, celt) (This)->lpVtbl->Skip(This, celt)
#define IEnumBackgroundCopyFiles_Reset(This) (This)->lpVtbl->Reset(This)
#define IEnumBackgroundCopyFiles_Clone(This, ppenum) (This)->lpVtbl->Clone(This, ppenum)
#define IEnumBackgroundCopyFiles_GetCount(This, puCount) (This)->lpVtbl->GetCount(This, puCount)
#endif

#endif

/* IBackgroundCopyError. Why a job is in ERROR or TRANSIENT_ERROR. (BITS: IBackgroundCopyError) */
EXTERN_C DOSVC_API const IID IID_IBackgroundCopyError;

#if defined(__cplusplus) && !defined(CINTERFACE)

struct IBackgroundCopyError : public IUnknown {
        /*
         * The code, in the words of the family that the job was made through, and on which side
         * it happened.
         */
        virtual HRESULT STDMETHODCALLTYPE GetError(BG_ERROR_CONTEXT *pContext, HRESULT *pCode) = 0;

        /*
         * The file that it happened to, with the names that it had then;
         * BG_E_FILE_NOT_AVAILABLE if it is none's.
         */
        virtual HRESULT STDMETHODCALLTYPE GetFile(IBackgroundCopyFile **pVal) = 0;

        /* A sentence for people. There is English; other languages get it too. */
        virtual HRESULT STDMETHODCALLTYPE GetErrorDescription(DWORD LanguageId,
                                                              LPWSTR *pErrorDescription) = 0;

        /*
         * The side on which it happened, as a sentence. There is English; other languages get
         * it too.
         */
        virtual HRESULT STDMETHODCALLTYPE GetErrorContextDescription(DWORD LanguageId,
                                                                     LPWSTR *pContextDescription) = 0;

        /* "http" or "https"; BG_E_PROTOCOL_NOT_AVAILABLE if none was spoken. */
        virtual HRESULT STDMETHODCALLTYPE GetProtocol(LPWSTR *pProtocol) = 0;
};

DOSVC_DECLARE_UUIDOF(IBackgroundCopyError, IID_IBackgroundCopyError)

#else

typedef struct IBackgroundCopyErrorVtbl {
        HRESULT (STDMETHODCALLTYPE *QueryInterface)(IBackgroundCopyError *This, REFIID riid,
                                                    void **ppvObject);
        ULONG (STDMETHODCALLTYPE *AddRef)(IBackgroundCopyError *This);
        ULONG (STDMETHODCALLTYPE *Release)(IBackgroundCopyError *This);
        HRESULT (STDMETHODCALLTYPE *GetError)(IBackgroundCopyError *This,
                                              BG_ERROR_CONTEXT *pContext, HRESULT *pCode);
        HRESULT (STDMETHODCALLTYPE *GetFile)(IBackgroundCopyError *This,
                                             IBackgroundCopyFile **pVal);
        HRESULT (STDMETHODCALLTYPE *GetErrorDescription)(IBackgroundCopyError *This,
                                                         DWORD LanguageId,
                                                         LPWSTR *pErrorDescription);
        HRESULT (STDMETHODCALLTYPE *GetErrorContextDescription)(IBackgroundCopyError *This,
                                                                DWORD LanguageId,
                                                                LPWSTR *pContextDescription);
        HRESULT (STDMETHODCALLTYPE *GetProtocol)(IBackgroundCopyError *This, LPWSTR *pProtocol);
} IBackgroundCopyErrorVtbl;

struct IBackgroundCopyError {
        CONST_VTBL IBackgroundCopyErrorVtbl *lpVtbl;
};

#ifdef COBJMACROS
#define IBackgroundCopyError_QueryInterface(This, riid, ppvObject) \
        (This)->lpVtbl->QueryInterface(This, riid, ppvObject)
#define IBackgroundCopyError_AddRef(This) (This)->lpVtbl->AddRef(This)
#define IBackgroundCopyError_Release(This) (This)->lpVtbl->Release(This)
#define IBackgroundCopyError_GetError(This, pContext, pCode) \
        (This)->lpVtbl->GetError(This, pContext, pCode)
#define IBackgroundCopyError_GetFile(This, pVal) (This)->lpVtbl->GetFile(This, pVal)
#define IBackgroundCopyError_GetErrorDescription(This, LanguageId, pErrorDescription) \
        (This)->lpVtbl->GetErrorDescription(This, LanguageId, pErrorDescription)
#define IBackgroundCopyError_GetErrorContextDescription(This, LanguageId, pContextDescription) \
        (This)->lpVtbl->GetErrorContextDescription(This, LanguageId, pContextDescription)
#define IBackgroundCopyError_GetProtocol(This, pProtocol) \
        (This)->lpVtbl->GetProtocol(This, pProtocol)
#endif

#endif

/*
 * IBackgroundCopyJob. A set of files that are fetched and published together. Created by
 * IBackgroundCopyManager::CreateJob in SUSPENDED. (BITS: IBackgroundCopyJob)
 */
EXTERN_C DOSVC_API const IID IID_IBackgroundCopyJob;

#if defined(__cplusplus) && !defined(CINTERFACE)

struct IBackgroundCopyJob : public IUnknown {
        /* All files or none; cheaper than many AddFile. */
        virtual HRESULT STDMETHODCALLTYPE AddFileSet(ULONG cFileCount, BG_FILE_INFO *pFileSet) = 0;

        /*
         * A URL (2200 code points at most) and an absolute path in a directory that exists.
         * E_INVALIDARG, E_ACCESSDENIED, BG_E_TOO_MANY_FILES_IN_JOB. In TRANSFERRED, Resume
         * again.
         */
        virtual HRESULT STDMETHODCALLTYPE AddFile(LPCWSTR RemoteUrl, LPCWSTR LocalName) = 0;

        /* A snapshot of the files of now. */
        virtual HRESULT STDMETHODCALLTYPE EnumFiles(IEnumBackgroundCopyFiles **pEnum) = 0;

        /* Stops all transfers and keeps what is there. S_OK if it is suspended already. */
        virtual HRESULT STDMETHODCALLTYPE Suspend() = 0;

        /*
         * Starts, goes on, or tries again at once. BG_E_EMPTY (DO: DO_E_JOB_EMPTY) without
         * files.
         */
        virtual HRESULT STDMETHODCALLTYPE Resume() = 0;

        /*
         * Ends the job and removes its temporary files; BG_S_UNABLE_TO_DELETE_FILES if one
         * could not be removed.
         */
        virtual HRESULT STDMETHODCALLTYPE Cancel() = 0;

        /*
         * Gives transferred files their names and ends the job. BG_S_PARTIAL_COMPLETE if
         * unfinished ones were dropped. If a rename fails, the job stays TRANSFERRED, finished
         * files stay finished, and it may be called again.
         */
        virtual HRESULT STDMETHODCALLTYPE Complete() = 0;

        /* The name by which GetJob finds it again. */
        virtual HRESULT STDMETHODCALLTYPE GetId(GUID *pVal) = 0;

        /* BG_JOB_TYPE_DOWNLOAD. */
        virtual HRESULT STDMETHODCALLTYPE GetType(BG_JOB_TYPE *pVal) = 0;

        /*
         * Bytes and files of the whole job; BytesTotal is BG_SIZE_UNKNOWN while one size is not
         * known.
         */
        virtual HRESULT STDMETHODCALLTYPE GetProgress(BG_JOB_PROGRESS *pVal) = 0;

        /* When it was made, last changed, and wholly transferred (0: not yet), UTC. */
        virtual HRESULT STDMETHODCALLTYPE GetTimes(BG_JOB_TIMES *pVal) = 0;

        /* Where it stands now; it goes on to change. */
        virtual HRESULT STDMETHODCALLTYPE GetState(BG_JOB_STATE *pVal) = 0;

        /* BG_E_ERROR_INFORMATION_UNAVAILABLE (DO: DO_E_) outside of ERROR and TRANSIENT_ERROR. */
        virtual HRESULT STDMETHODCALLTYPE GetError(IBackgroundCopyError **ppError) = 0;

        /* The owner in text form. */
        virtual HRESULT STDMETHODCALLTYPE GetOwner(LPWSTR *pVal) = 0;

        /* 256 code points at most; E_INVALIDARG for NULL. */
        virtual HRESULT STDMETHODCALLTYPE SetDisplayName(LPCWSTR Val) = 0;

        /* A copy of the name. */
        virtual HRESULT STDMETHODCALLTYPE GetDisplayName(LPWSTR *pVal) = 0;

        /* 1024 code points at most, else BG_E_STRING_TOO_LONG; E_INVALIDARG for NULL. */
        virtual HRESULT STDMETHODCALLTYPE SetDescription(LPCWSTR Val) = 0;

        /* A copy of the description, "" unless set. */
        virtual HRESULT STDMETHODCALLTYPE GetDescription(LPWSTR *pVal) = 0;

        /* E_NOTIMPL for a value outside of the enum. */
        virtual HRESULT STDMETHODCALLTYPE SetPriority(BG_JOB_PRIORITY Val) = 0;

        /* BG_JOB_PRIORITY_NORMAL unless set. */
        virtual HRESULT STDMETHODCALLTYPE GetPriority(BG_JOB_PRIORITY *pVal) = 0;

        /* BG_NOTIFY_ flags; E_NOTIMPL for unknown bits. */
        virtual HRESULT STDMETHODCALLTYPE SetNotifyFlags(ULONG Val) = 0;

        /* BG_NOTIFY_JOB_TRANSFERRED and BG_NOTIFY_JOB_ERROR unless set. */
        virtual HRESULT STDMETHODCALLTYPE GetNotifyFlags(ULONG *pVal) = 0;

        /*
         * The callback that is told, one per job, the last one set; NULL removes it. It is held
         * by reference and not persistent: set it again after a restart of the client.
         */
        virtual HRESULT STDMETHODCALLTYPE SetNotifyInterface(IUnknown *Val) = 0;

        /* S_OK and NULL if none is set. */
        virtual HRESULT STDMETHODCALLTYPE GetNotifyInterface(IUnknown **pVal) = 0;

        /* Seconds between two tries after a transient error; less than 5 becomes 5. */
        virtual HRESULT STDMETHODCALLTYPE SetMinimumRetryDelay(ULONG Seconds) = 0;

        /* Seconds; 600 in the BITS family unless set. */
        virtual HRESULT STDMETHODCALLTYPE GetMinimumRetryDelay(ULONG *Seconds) = 0;

        /* Seconds without a byte until a transient error becomes ERROR; 0: at once. */
        virtual HRESULT STDMETHODCALLTYPE SetNoProgressTimeout(ULONG Seconds) = 0;

        /*
         * Seconds; 14 days in the BITS family, in the DO family an hour (normal and low
         * priority: a day), unless set.
         */
        virtual HRESULT STDMETHODCALLTYPE GetNoProgressTimeout(ULONG *Seconds) = 0;

        /* Moves into an error state and failed retries so far. Waiting for a network is none. */
        virtual HRESULT STDMETHODCALLTYPE GetErrorCount(ULONG *Errors) = 0;

        /*
         * Lists only with BG_JOB_PROXY_USAGE_OVERRIDE, 4000 bytes (as UTF-8) at most, separated
         * by spaces.
         */
        virtual HRESULT STDMETHODCALLTYPE SetProxySettings(BG_JOB_PROXY_USAGE ProxyUsage,
                                                           const WCHAR *ProxyList,
                                                           const WCHAR *ProxyBypassList) = 0;

        /* What SetProxySettings set; lists that are not used are NULL. */
        virtual HRESULT STDMETHODCALLTYPE GetProxySettings(BG_JOB_PROXY_USAGE *pProxyUsage,
                                                           LPWSTR *pProxyList,
                                                           LPWSTR *pProxyBypassList) = 0;

        /*
         * Makes the job the caller's; administrators only. Credentials, certificates, headers
         * and command line are dropped.
         */
        virtual HRESULT STDMETHODCALLTYPE TakeOwnership() = 0;
};

DOSVC_DECLARE_UUIDOF(IBackgroundCopyJob, IID_IBackgroundCopyJob)

#else

typedef struct IBackgroundCopyJobVtbl {
        HRESULT (STDMETHODCALLTYPE *QueryInterface)(IBackgroundCopyJob *This, REFIID riid,
                                                    void **ppvObject);
        ULONG (STDMETHODCALLTYPE *AddRef)(IBackgroundCopyJob *This);
        ULONG (STDMETHODCALLTYPE *Release)(IBackgroundCopyJob *This);
        HRESULT (STDMETHODCALLTYPE *AddFileSet)(IBackgroundCopyJob *This, ULONG cFileCount,
                                                BG_FILE_INFO *pFileSet);
        HRESULT (STDMETHODCALLTYPE *AddFile)(IBackgroundCopyJob *This, LPCWSTR RemoteUrl,
                                             LPCWSTR LocalName);
        HRESULT (STDMETHODCALLTYPE *EnumFiles)(IBackgroundCopyJob *This,
                                               IEnumBackgroundCopyFiles **pEnum);
        HRESULT (STDMETHODCALLTYPE *Suspend)(IBackgroundCopyJob *This);
        HRESULT (STDMETHODCALLTYPE *Resume)(IBackgroundCopyJob *This);
        HRESULT (STDMETHODCALLTYPE *Cancel)(IBackgroundCopyJob *This);
        HRESULT (STDMETHODCALLTYPE *Complete)(IBackgroundCopyJob *This);
        HRESULT (STDMETHODCALLTYPE *GetId)(IBackgroundCopyJob *This, GUID *pVal);
        HRESULT (STDMETHODCALLTYPE *GetType)(IBackgroundCopyJob *This, BG_JOB_TYPE *pVal);
        HRESULT (STDMETHODCALLTYPE *GetProgress)(IBackgroundCopyJob *This, BG_JOB_PROGRESS *pVal);
        HRESULT (STDMETHODCALLTYPE *GetTimes)(IBackgroundCopyJob *This, BG_JOB_TIMES *pVal);
        HRESULT (STDMETHODCALLTYPE *GetState)(IBackgroundCopyJob *This, BG_JOB_STATE *pVal);
        HRESULT (STDMETHODCALLTYPE *GetError)(IBackgroundCopyJob *This,
                                              IBackgroundCopyError **ppError);
        HRESULT (STDMETHODCALLTYPE *GetOwner)(IBackgroundCopyJob *This, LPWSTR *pVal);
        HRESULT (STDMETHODCALLTYPE *SetDisplayName)(IBackgroundCopyJob *This, LPCWSTR Val);
        HRESULT (STDMETHODCALLTYPE *GetDisplayName)(IBackgroundCopyJob *This, LPWSTR *pVal);
        HRESULT (STDMETHODCALLTYPE *SetDescription)(IBackgroundCopyJob *This, LPCWSTR Val);
        HRESULT (STDMETHODCALLTYPE *GetDescription)(IBackgroundCopyJob *This, LPWSTR *pVal);
        HRESULT (STDMETHODCALLTYPE *SetPriority)(IBackgroundCopyJob *This, BG_JOB_PRIORITY Val);
        HRESULT (STDMETHODCALLTYPE *GetPriority)(IBackgroundCopyJob *This, BG_JOB_PRIORITY *pVal);
        HRESULT (STDMETHODCALLTYPE *SetNotifyFlags)(IBackgroundCopyJob *This, ULONG Val);
        HRESULT (STDMETHODCALLTYPE *GetNotifyFlags)(IBackgroundCopyJob *This, ULONG *pVal);
        HRESULT (STDMETHODCALLTYPE *SetNotifyInterface)(IBackgroundCopyJob *This, IUnknown *Val);
        HRESULT (STDMETHODCALLTYPE *GetNotifyInterface)(IBackgroundCopyJob *This, IUnknown **pVal);
        HRESULT (STDMETHODCALLTYPE *SetMinimumRetryDelay)(IBackgroundCopyJob *This, ULONG Seconds);
        HRESULT (STDMETHODCALLTYPE *GetMinimumRetryDelay)(IBackgroundCopyJob *This, ULONG *Seconds);
        HRESULT (STDMETHODCALLTYPE *SetNoProgressTimeout)(IBackgroundCopyJob *This, ULONG Seconds);
        HRESULT (STDMETHODCALLTYPE *GetNoProgressTimeout)(IBackgroundCopyJob *This, ULONG *Seconds);
        HRESULT (STDMETHODCALLTYPE *GetErrorCount)(IBackgroundCopyJob *This, ULONG *Errors);
        HRESULT (STDMETHODCALLTYPE *SetProxySettings)(IBackgroundCopyJob *This,
                                                      BG_JOB_PROXY_USAGE ProxyUsage,
                                                      const WCHAR *ProxyList,
                                                      const WCHAR *ProxyBypassList);
        HRESULT (STDMETHODCALLTYPE *GetProxySettings)(IBackgroundCopyJob *This,
                                                      BG_JOB_PROXY_USAGE *pProxyUsage,
                                                      LPWSTR *pProxyList, LPWSTR *pProxyBypassList);
        HRESULT (STDMETHODCALLTYPE *TakeOwnership)(IBackgroundCopyJob *This);
} IBackgroundCopyJobVtbl;

struct IBackgroundCopyJob {
        CONST_VTBL IBackgroundCopyJobVtbl *lpVtbl;
};

#ifdef COBJMACROS
#define IBackgroundCopyJob_QueryInterface(This, riid, ppvObject) \
        (This)->lpVtbl->QueryInterface(This, riid, ppvObject)
#define IBackgroundCopyJob_AddRef(This) (This)->lpVtbl->AddRef(This)
#define IBackgroundCopyJob_Release(This) (This)->lpVtbl->Release(This)
#define IBackgroundCopyJob_AddFileSet(This, cFileCount, pFileSet) \
        (This)->lpVtbl->AddFileSet(This, cFileCount, pFileSet)
#define IBackgroundCopyJob_AddFile(This, RemoteUrl, LocalName) \
        (This)->lpVtbl->AddFile(This, RemoteUrl, LocalName)
#define IBackgroundCopyJob_EnumFiles(This, pEnum) (This)->lpVtbl->EnumFiles(This, pEnum)
#define IBackgroundCopyJob_Suspend(This) (This)->lpVtbl->Suspend(This)
#define IBackgroundCopyJob_Resume(This) (This)->lpVtbl->Resume(This)
#define IBackgroundCopyJob_Cancel(This) (This)->lpVtbl->Cancel(This)
#define IBackgroundCopyJob_Complete(This) (This)->lpVtbl->Complete(This)
#define IBackgroundCopyJob_GetId(This, pVal) (This)->lpVtbl->GetId(This, pVal)
#define IBackgroundCopyJob_GetType(This, pVal) (This)->lpVtbl->GetType(This, pVal)
#define IBackgroundCopyJob_GetProgress(This, pVal) (This)->lpVtbl->GetProgress(This, pVal)
#define IBackgroundCopyJob_GetTimes(This, pVal) (This)->lpVtbl->GetTimes(This, pVal)
#define IBackgroundCopyJob_GetState(This, pVal) (This)->lpVtbl->GetState(This, pVal)
#define IBackgroundCopyJob_GetError(This, ppError) (This)->lpVtbl->GetError(This, ppError)
#define IBackgroundCopyJob_GetOwner(This, pVal) (This)->lpVtbl->GetOwner(This, pVal)
#define IBackgroundCopyJob_SetDisplayName(This, Val) (This)->lpVtbl->SetDisplayName(This, Val)
#define IBackgroundCopyJob_GetDisplayName(This, pVal) (This)->lpVtbl->GetDisplayName(This, pVal)
#define IBackgroundCopyJob_SetDescription(This, Val) (This)->lpVtbl->SetDescription(This, Val)
#define IBackgroundCopyJob_GetDescription(This, pVal) (This)->lpVtbl->GetDescription(This, pVal)
#define IBackgroundCopyJob_SetPriority(This, Val) (This)->lpVtbl->SetPriority(This, Val)
#define IBackgroundCopyJob_GetPriority(This, pVal) (This)->lpVtbl->GetPriority(This, pVal)
#define IBackgroundCopyJob_SetNotifyFlags(This, Val) (This)->lpVtbl->SetNotifyFlags(This, Val)
#define IBackgroundCopyJob_GetNotifyFlags(This, pVal) (This)->lpVtbl->GetNotifyFlags(This, pVal)
#define IBackgroundCopyJob_SetNotifyInterface(This, Val) \
        (This)->lpVtbl->SetNotifyInterface(This, Val)
#define IBackgroundCopyJob_GetNotifyInterface(This, pVal) \
        (This)->lpVtbl->GetNotifyInterface(This, pVal)
#define IBackgroundCopyJob_SetMinimumRetryDelay(This, Seconds) \
        (This)->lpVtbl->SetMinimumRetryDelay(This, Seconds)
#define IBackgroundCopyJob_GetMinimumRetryDelay(This, Seconds) \
        (This)->lpVtbl->GetMinimumRetryDelay(This, Seconds)
#define IBackgroundCopyJob_SetNoProgressTimeout(This, Seconds) \
        (This)->lpVtbl->SetNoProgressTimeout(This, Seconds)
#define IBackgroundCopyJob_GetNoProgressTimeout(This, Seconds) \
        (This)->lpVtbl->GetNoProgressTimeout(This, Seconds)
#define IBackgroundCopyJob_GetErrorCount(This, Errors) (This)->lpVtbl->GetErrorCount(This, Errors)
#define IBackgroundCopyJob_SetProxySettings(This, ProxyUsage, ProxyList, ProxyBypassList) \
        (This)->lpVtbl->SetProxySettings(This, ProxyUsage, ProxyList, ProxyBypassList)
#define IBackgroundCopyJob_GetProxySettings(This, pProxyUsage, pProxyList, pProxyBypassList) \
        (This)->lpVtbl->GetProxySettings(This, pProxyUsage, pProxyList, pProxyBypassList)
#define IBackgroundCopyJob_TakeOwnership(This) (This)->lpVtbl->TakeOwnership(This)
#endif

#endif

/*
 * IBackgroundCopyJob2. Notification by a command line, and credentials. (BITS:
 * IBackgroundCopyJob2)
 */
EXTERN_C DOSVC_API const IID IID_IBackgroundCopyJob2;

#if defined(__cplusplus) && !defined(CINTERFACE)

struct IBackgroundCopyJob2 : public IBackgroundCopyJob {
        /*
         * A program, by its absolute path, to run as the owner on TRANSFERRED or ERROR when no
         * callback took the event, again and again until it exits with 0. Parameters: 4000 code
         * points at most, its own name first, quoted as on Windows; no shell. NULL, NULL: none.
         * E_ACCESSDENIED where the configuration (NotifyCommands) forbids it.
         */
        virtual HRESULT STDMETHODCALLTYPE SetNotifyCmdLine(LPCWSTR Program, LPCWSTR Parameters) = 0;

        /* What SetNotifyCmdLine set; both NULL if nothing. */
        virtual HRESULT STDMETHODCALLTYPE GetNotifyCmdLine(LPWSTR *pProgram,
                                                           LPWSTR *pParameters) = 0;

        /* Upload replies only: E_NOTIMPL for downloads, as the next three. */
        virtual HRESULT STDMETHODCALLTYPE GetReplyProgress(BG_JOB_REPLY_PROGRESS *pProgress) = 0;

        /* Only uploads have replies: E_NOTIMPL. */
        virtual HRESULT STDMETHODCALLTYPE GetReplyData(BYTE **ppBuffer, UINT64 *pLength) = 0;

        /* Only uploads have replies: E_NOTIMPL. */
        virtual HRESULT STDMETHODCALLTYPE SetReplyFileName(LPCWSTR ReplyFileName) = 0;

        /* Only uploads have replies: E_NOTIMPL. */
        virtual HRESULT STDMETHODCALLTYPE GetReplyFileName(LPWSTR *pReplyFileName) = 0;

        /* One set per target and scheme. Cannot be read back. */
        virtual HRESULT STDMETHODCALLTYPE SetCredentials(BG_AUTH_CREDENTIALS *credentials) = 0;

        /* S_FALSE if there were none. */
        virtual HRESULT STDMETHODCALLTYPE RemoveCredentials(BG_AUTH_TARGET Target,
                                                            BG_AUTH_SCHEME Scheme) = 0;
};

DOSVC_DECLARE_UUIDOF(IBackgroundCopyJob2, IID_IBackgroundCopyJob2)

#else

typedef struct IBackgroundCopyJob2Vtbl {
        HRESULT (STDMETHODCALLTYPE *QueryInterface)(IBackgroundCopyJob2 *This, REFIID riid,
                                                    void **ppvObject);
        ULONG (STDMETHODCALLTYPE *AddRef)(IBackgroundCopyJob2 *This);
        ULONG (STDMETHODCALLTYPE *Release)(IBackgroundCopyJob2 *This);
        HRESULT (STDMETHODCALLTYPE *AddFileSet)(IBackgroundCopyJob2 *This, ULONG cFileCount,
                                                BG_FILE_INFO *pFileSet);
        HRESULT (STDMETHODCALLTYPE *AddFile)(IBackgroundCopyJob2 *This, LPCWSTR RemoteUrl,
                                             LPCWSTR LocalName);
        HRESULT (STDMETHODCALLTYPE *EnumFiles)(IBackgroundCopyJob2 *This,
                                               IEnumBackgroundCopyFiles **pEnum);
        HRESULT (STDMETHODCALLTYPE *Suspend)(IBackgroundCopyJob2 *This);
        HRESULT (STDMETHODCALLTYPE *Resume)(IBackgroundCopyJob2 *This);
        HRESULT (STDMETHODCALLTYPE *Cancel)(IBackgroundCopyJob2 *This);
        HRESULT (STDMETHODCALLTYPE *Complete)(IBackgroundCopyJob2 *This);
        HRESULT (STDMETHODCALLTYPE *GetId)(IBackgroundCopyJob2 *This, GUID *pVal);
        HRESULT (STDMETHODCALLTYPE *GetType)(IBackgroundCopyJob2 *This, BG_JOB_TYPE *pVal);
        HRESULT (STDMETHODCALLTYPE *GetProgress)(IBackgroundCopyJob2 *This, BG_JOB_PROGRESS *pVal);
        HRESULT (STDMETHODCALLTYPE *GetTimes)(IBackgroundCopyJob2 *This, BG_JOB_TIMES *pVal);
        HRESULT (STDMETHODCALLTYPE *GetState)(IBackgroundCopyJob2 *This, BG_JOB_STATE *pVal);
        HRESULT (STDMETHODCALLTYPE *GetError)(IBackgroundCopyJob2 *This,
                                              IBackgroundCopyError **ppError);
        HRESULT (STDMETHODCALLTYPE *GetOwner)(IBackgroundCopyJob2 *This, LPWSTR *pVal);
        HRESULT (STDMETHODCALLTYPE *SetDisplayName)(IBackgroundCopyJob2 *This, LPCWSTR Val);
        HRESULT (STDMETHODCALLTYPE *GetDisplayName)(IBackgroundCopyJob2 *This, LPWSTR *pVal);
        HRESULT (STDMETHODCALLTYPE *SetDescription)(IBackgroundCopyJob2 *This, LPCWSTR Val);
        HRESULT (STDMETHODCALLTYPE *GetDescription)(IBackgroundCopyJob2 *This, LPWSTR *pVal);
        HRESULT (STDMETHODCALLTYPE *SetPriority)(IBackgroundCopyJob2 *This, BG_JOB_PRIORITY Val);
        HRESULT (STDMETHODCALLTYPE *GetPriority)(IBackgroundCopyJob2 *This, BG_JOB_PRIORITY *pVal);
        HRESULT (STDMETHODCALLTYPE *SetNotifyFlags)(IBackgroundCopyJob2 *This, ULONG Val);
        HRESULT (STDMETHODCALLTYPE *GetNotifyFlags)(IBackgroundCopyJob2 *This, ULONG *pVal);
        HRESULT (STDMETHODCALLTYPE *SetNotifyInterface)(IBackgroundCopyJob2 *This, IUnknown *Val);
        HRESULT (STDMETHODCALLTYPE *GetNotifyInterface)(IBackgroundCopyJob2 *This, IUnknown **pVal);
        HRESULT (STDMETHODCALLTYPE *SetMinimumRetryDelay)(IBackgroundCopyJob2 *This, ULONG Seconds);
        HRESULT (STDMETHODCALLTYPE *GetMinimumRetryDelay)(IBackgroundCopyJob2 *This,
                                                          ULONG *Seconds);
        HRESULT (STDMETHODCALLTYPE *SetNoProgressTimeout)(IBackgroundCopyJob2 *This, ULONG Seconds);
        HRESULT (STDMETHODCALLTYPE *GetNoProgressTimeout)(IBackgroundCopyJob2 *This,
                                                          ULONG *Seconds);
        HRESULT (STDMETHODCALLTYPE *GetErrorCount)(IBackgroundCopyJob2 *This, ULONG *Errors);
        HRESULT (STDMETHODCALLTYPE *SetProxySettings)(IBackgroundCopyJob2 *This,
                                                      BG_JOB_PROXY_USAGE ProxyUsage,
                                                      const WCHAR *ProxyList,
                                                      const WCHAR *ProxyBypassList);
        HRESULT (STDMETHODCALLTYPE *GetProxySettings)(IBackgroundCopyJob2 *This,
                                                      BG_JOB_PROXY_USAGE *pProxyUsage,
                                                      LPWSTR *pProxyList, LPWSTR *pProxyBypassList);
        HRESULT (STDMETHODCALLTYPE *TakeOwnership)(IBackgroundCopyJob2 *This);
        HRESULT (STDMETHODCALLTYPE *SetNotifyCmdLine)(IBackgroundCopyJob2 *This, LPCWSTR Program,
                                                      LPCWSTR Parameters);
        HRESULT (STDMETHODCALLTYPE *GetNotifyCmdLine)(IBackgroundCopyJob2 *This, LPWSTR *pProgram,
                                                      LPWSTR *pParameters);
        HRESULT (STDMETHODCALLTYPE *GetReplyProgress)(IBackgroundCopyJob2 *This,
                                                      BG_JOB_REPLY_PROGRESS *pProgress);
        HRESULT (STDMETHODCALLTYPE *GetReplyData)(IBackgroundCopyJob2 *This, BYTE **ppBuffer,
                                                  UINT64 *pLength);
        HRESULT (STDMETHODCALLTYPE *SetReplyFileName)(IBackgroundCopyJob2 *This,
                                                      LPCWSTR ReplyFileName);
        HRESULT (STDMETHODCALLTYPE *GetReplyFileName)(IBackgroundCopyJob2 *This,
                                                      LPWSTR *pReplyFileName);
        HRESULT (STDMETHODCALLTYPE *SetCredentials)(IBackgroundCopyJob2 *This,
                                                    BG_AUTH_CREDENTIALS *credentials);
        HRESULT (STDMETHODCALLTYPE *RemoveCredentials)(IBackgroundCopyJob2 *This,
                                                       BG_AUTH_TARGET Target,
                                                       BG_AUTH_SCHEME Scheme);
} IBackgroundCopyJob2Vtbl;

struct IBackgroundCopyJob2 {
        CONST_VTBL IBackgroundCopyJob2Vtbl *lpVtbl;
};

#ifdef COBJMACROS
#define IBackgroundCopyJob2_QueryInterface(This, riid, ppvObject) \
        (This)->lpVtbl->QueryInterface(This, riid, ppvObject)
#define IBackgroundCopyJob2_AddRef(This) (This)->lpVtbl->AddRef(This)
#define IBackgroundCopyJob2_Release(This) (This)->lpVtbl->Release(This)
#define IBackgroundCopyJob2_AddFileSet(This, cFileCount, pFileSet) \
        (This)->lpVtbl->AddFileSet(This, cFileCount, pFileSet)
#define IBackgroundCopyJob2_AddFile(This, RemoteUrl, LocalName) \
        (This)->lpVtbl->AddFile(This, RemoteUrl, LocalName)
#define IBackgroundCopyJob2_EnumFiles(This, pEnum) (This)->lpVtbl->EnumFiles(This, pEnum)
#define IBackgroundCopyJob2_Suspend(This) (This)->lpVtbl->Suspend(This)
#define IBackgroundCopyJob2_Resume(This) (This)->lpVtbl->Resume(This)
#define IBackgroundCopyJob2_Cancel(This) (This)->lpVtbl->Cancel(This)
#define IBackgroundCopyJob2_Complete(This) (This)->lpVtbl->Complete(This)
#define IBackgroundCopyJob2_GetId(This, pVal) (This)->lpVtbl->GetId(This, pVal)
#define IBackgroundCopyJob2_GetType(This, pVal) (This)->lpVtbl->GetType(This, pVal)
#define IBackgroundCopyJob2_GetProgress(This, pVal) (This)->lpVtbl->GetProgress(This, pVal)
#define IBackgroundCopyJob2_GetTimes(This, pVal) (This)->lpVtbl->GetTimes(This, pVal)
#define IBackgroundCopyJob2_GetState(This, pVal) (This)->lpVtbl->GetState(This, pVal)
#define IBackgroundCopyJob2_GetError(This, ppError) (This)->lpVtbl->GetError(This, ppError)
#define IBackgroundCopyJob2_GetOwner(This, pVal) (This)->lpVtbl->GetOwner(This, pVal)
#define IBackgroundCopyJob2_SetDisplayName(This, Val) (This)->lpVtbl->SetDisplayName(This, Val)
#define IBackgroundCopyJob2_GetDisplayName(This, pVal) (This)->lpVtbl->GetDisplayName(This, pVal)
#define IBackgroundCopyJob2_SetDescription(This, Val) (This)->lpVtbl->SetDescription(This, Val)
#define IBackgroundCopyJob2_GetDescription(This, pVal) (This)->lpVtbl->GetDescription(This, pVal)
#define IBackgroundCopyJob2_SetPriority(This, Val) (This)->lpVtbl->SetPriority(This, Val)
#define IBackgroundCopyJob2_GetPriority(This, pVal) (This)->lpVtbl->GetPriority(This, pVal)
#define IBackgroundCopyJob2_SetNotifyFlags(This, Val) (This)->lpVtbl->SetNotifyFlags(This, Val)
#define IBackgroundCopyJob2_GetNotifyFlags(This, pVal) (This)->lpVtbl->GetNotifyFlags(This, pVal)
#define IBackgroundCopyJob2_SetNotifyInterface(This, Val) \
        (This)->lpVtbl->SetNotifyInterface(This, Val)
#define IBackgroundCopyJob2_GetNotifyInterface(This, pVal) \
        (This)->lpVtbl->GetNotifyInterface(This, pVal)
#define IBackgroundCopyJob2_SetMinimumRetryDelay(This, Seconds) \
        (This)->lpVtbl->SetMinimumRetryDelay(This, Seconds)
#define IBackgroundCopyJob2_GetMinimumRetryDelay(This, Seconds) \
        (This)->lpVtbl->GetMinimumRetryDelay(This, Seconds)
#define IBackgroundCopyJob2_SetNoProgressTimeout(This, Seconds) \
        (This)->lpVtbl->SetNoProgressTimeout(This, Seconds)
#define IBackgroundCopyJob2_GetNoProgressTimeout(This, Seconds) \
        (This)->lpVtbl->GetNoProgressTimeout(This, Seconds)
#define IBackgroundCopyJob2_GetErrorCount(This, Errors) (This)->lpVtbl->GetErrorCount(This, Errors)
#define IBackgroundCopyJob2_SetProxySettings(This, ProxyUsage, ProxyList, ProxyBypassList) \
        (This)->lpVtbl->SetProxySettings(This, ProxyUsage, ProxyList, ProxyBypassList)
#define IBackgroundCopyJob2_GetProxySettings(This, pProxyUsage, pProxyList, pProxyBypassList) \
        (This)->lpVtbl->GetProxySettings(This, pProxyUsage, pProxyList, pProxyBypassList)
#define IBackgroundCopyJob2_TakeOwnership(This) (This)->lpVtbl->TakeOwnership(This)
#define IBackgroundCopyJob2_SetNotifyCmdLine(This, Program, Parameters) \
        (This)->lpVtbl->SetNotifyCmdLine(This, Program, Parameters)
#define IBackgroundCopyJob2_GetNotifyCmdLine(This, pProgram, pParameters) \
        (This)->lpVtbl->GetNotifyCmdLine(This, pProgram, pParameters)
#define IBackgroundCopyJob2_GetReplyProgress(This, pProgress) \
        (This)->lpVtbl->GetReplyProgress(This, pProgress)
#define IBackgroundCopyJob2_GetReplyData(This, ppBuffer, pLength) \
        (This)->lpVtbl->GetReplyData(This, ppBuffer, pLength)
#define IBackgroundCopyJob2_SetReplyFileName(This, ReplyFileName) \
        (This)->lpVtbl->SetReplyFileName(This, ReplyFileName)
#define IBackgroundCopyJob2_GetReplyFileName(This, pReplyFileName) \
        (This)->lpVtbl->GetReplyFileName(This, pReplyFileName)
#define IBackgroundCopyJob2_SetCredentials(This, credentials) \
        (This)->lpVtbl->SetCredentials(This, credentials)
#define IBackgroundCopyJob2_RemoveCredentials(This, Target, Scheme) \
        (This)->lpVtbl->RemoveCredentials(This, Target, Scheme)
#endif

#endif

/*
 * IBackgroundCopyJob3. URLs with another beginning, and parts of files. (BITS:
 * IBackgroundCopyJob3)
 */
EXTERN_C DOSVC_API const IID IID_IBackgroundCopyJob3;

#if defined(__cplusplus) && !defined(CINTERFACE)

struct IBackgroundCopyJob3 : public IBackgroundCopyJob2 {
        /*
         * Another beginning for all URLs that have the old one, case-sensitive; finished files
         * are left alone. S_FALSE if none had it.
         */
        virtual HRESULT STDMETHODCALLTYPE ReplaceRemotePrefix(LPCWSTR OldPrefix,
                                                              LPCWSTR NewPrefix) = 0;

        /*
         * Only these bytes, put one after another in the order given. E_INVALIDARG for none,
         * BG_E_OVERLAPPING_RANGES, BG_E_TOO_MANY_RANGES_IN_FILE.
         */
        virtual HRESULT STDMETHODCALLTYPE AddFileWithRanges(LPCWSTR RemoteUrl, LPCWSTR LocalName,
                                                            DWORD RangeCount,
                                                            BG_FILE_RANGE Ranges[]) = 0;

        /* BG_COPY_FILE_ flags are for network shares, which are not served: E_NOTIMPL. */
        virtual HRESULT STDMETHODCALLTYPE SetFileACLFlags(DWORD Flags) = 0;

        /* For network shares, which are not served: E_NOTIMPL. */
        virtual HRESULT STDMETHODCALLTYPE GetFileACLFlags(DWORD *Flags) = 0;
};

DOSVC_DECLARE_UUIDOF(IBackgroundCopyJob3, IID_IBackgroundCopyJob3)

#else

typedef struct IBackgroundCopyJob3Vtbl {
        HRESULT (STDMETHODCALLTYPE *QueryInterface)(IBackgroundCopyJob3 *This, REFIID riid,
                                                    void **ppvObject);
        ULONG (STDMETHODCALLTYPE *AddRef)(IBackgroundCopyJob3 *This);
        ULONG (STDMETHODCALLTYPE *Release)(IBackgroundCopyJob3 *This);
        HRESULT (STDMETHODCALLTYPE *AddFileSet)(IBackgroundCopyJob3 *This, ULONG cFileCount,
                                                BG_FILE_INFO *pFileSet);
        HRESULT (STDMETHODCALLTYPE *AddFile)(IBackgroundCopyJob3 *This, LPCWSTR RemoteUrl,
                                             LPCWSTR LocalName);
        HRESULT (STDMETHODCALLTYPE *EnumFiles)(IBackgroundCopyJob3 *This,
                                               IEnumBackgroundCopyFiles **pEnum);
        HRESULT (STDMETHODCALLTYPE *Suspend)(IBackgroundCopyJob3 *This);
        HRESULT (STDMETHODCALLTYPE *Resume)(IBackgroundCopyJob3 *This);
        HRESULT (STDMETHODCALLTYPE *Cancel)(IBackgroundCopyJob3 *This);
        HRESULT (STDMETHODCALLTYPE *Complete)(IBackgroundCopyJob3 *This);
        HRESULT (STDMETHODCALLTYPE *GetId)(IBackgroundCopyJob3 *This, GUID *pVal);
        HRESULT (STDMETHODCALLTYPE *GetType)(IBackgroundCopyJob3 *This, BG_JOB_TYPE *pVal);
        HRESULT (STDMETHODCALLTYPE *GetProgress)(IBackgroundCopyJob3 *This, BG_JOB_PROGRESS *pVal);
        HRESULT (STDMETHODCALLTYPE *GetTimes)(IBackgroundCopyJob3 *This, BG_JOB_TIMES *pVal);
        HRESULT (STDMETHODCALLTYPE *GetState)(IBackgroundCopyJob3 *This, BG_JOB_STATE *pVal);
        HRESULT (STDMETHODCALLTYPE *GetError)(IBackgroundCopyJob3 *This,
                                              IBackgroundCopyError **ppError);
        HRESULT (STDMETHODCALLTYPE *GetOwner)(IBackgroundCopyJob3 *This, LPWSTR *pVal);
        HRESULT (STDMETHODCALLTYPE *SetDisplayName)(IBackgroundCopyJob3 *This, LPCWSTR Val);
        HRESULT (STDMETHODCALLTYPE *GetDisplayName)(IBackgroundCopyJob3 *This, LPWSTR *pVal);
        HRESULT (STDMETHODCALLTYPE *SetDescription)(IBackgroundCopyJob3 *This, LPCWSTR Val);
        HRESULT (STDMETHODCALLTYPE *GetDescription)(IBackgroundCopyJob3 *This, LPWSTR *pVal);
        HRESULT (STDMETHODCALLTYPE *SetPriority)(IBackgroundCopyJob3 *This, BG_JOB_PRIORITY Val);
        HRESULT (STDMETHODCALLTYPE *GetPriority)(IBackgroundCopyJob3 *This, BG_JOB_PRIORITY *pVal);
        HRESULT (STDMETHODCALLTYPE *SetNotifyFlags)(IBackgroundCopyJob3 *This, ULONG Val);
        HRESULT (STDMETHODCALLTYPE *GetNotifyFlags)(IBackgroundCopyJob3 *This, ULONG *pVal);
        HRESULT (STDMETHODCALLTYPE *SetNotifyInterface)(IBackgroundCopyJob3 *This, IUnknown *Val);
        HRESULT (STDMETHODCALLTYPE *GetNotifyInterface)(IBackgroundCopyJob3 *This, IUnknown **pVal);
        HRESULT (STDMETHODCALLTYPE *SetMinimumRetryDelay)(IBackgroundCopyJob3 *This, ULONG Seconds);
        HRESULT (STDMETHODCALLTYPE *GetMinimumRetryDelay)(IBackgroundCopyJob3 *This,
                                                          ULONG *Seconds);
        HRESULT (STDMETHODCALLTYPE *SetNoProgressTimeout)(IBackgroundCopyJob3 *This, ULONG Seconds);
        HRESULT (STDMETHODCALLTYPE *GetNoProgressTimeout)(IBackgroundCopyJob3 *This,
                                                          ULONG *Seconds);
        HRESULT (STDMETHODCALLTYPE *GetErrorCount)(IBackgroundCopyJob3 *This, ULONG *Errors);
        HRESULT (STDMETHODCALLTYPE *SetProxySettings)(IBackgroundCopyJob3 *This,
                                                      BG_JOB_PROXY_USAGE ProxyUsage,
                                                      const WCHAR *ProxyList,
                                                      const WCHAR *ProxyBypassList);
        HRESULT (STDMETHODCALLTYPE *GetProxySettings)(IBackgroundCopyJob3 *This,
                                                      BG_JOB_PROXY_USAGE *pProxyUsage,
                                                      LPWSTR *pProxyList, LPWSTR *pProxyBypassList);
        HRESULT (STDMETHODCALLTYPE *TakeOwnership)(IBackgroundCopyJob3 *This);
        HRESULT (STDMETHODCALLTYPE *SetNotifyCmdLine)(IBackgroundCopyJob3 *This, LPCWSTR Program,
                                                      LPCWSTR Parameters);
        HRESULT (STDMETHODCALLTYPE *GetNotifyCmdLine)(IBackgroundCopyJob3 *This, LPWSTR *pProgram,
                                                      LPWSTR *pParameters);
        HRESULT (STDMETHODCALLTYPE *GetReplyProgress)(IBackgroundCopyJob3 *This,
                                                      BG_JOB_REPLY_PROGRESS *pProgress);
        HRESULT (STDMETHODCALLTYPE *GetReplyData)(IBackgroundCopyJob3 *This, BYTE **ppBuffer,
                                                  UINT64 *pLength);
        HRESULT (STDMETHODCALLTYPE *SetReplyFileName)(IBackgroundCopyJob3 *This,
                                                      LPCWSTR ReplyFileName);
        HRESULT (STDMETHODCALLTYPE *GetReplyFileName)(IBackgroundCopyJob3 *This,
                                                      LPWSTR *pReplyFileName);
        HRESULT (STDMETHODCALLTYPE *SetCredentials)(IBackgroundCopyJob3 *This,
                                                    BG_AUTH_CREDENTIALS *credentials);
        HRESULT (STDMETHODCALLTYPE *RemoveCredentials)(IBackgroundCopyJob3 *This,
                                                       BG_AUTH_TARGET Target,
                                                       BG_AUTH_SCHEME Scheme);
        HRESULT (STDMETHODCALLTYPE *ReplaceRemotePrefix)(IBackgroundCopyJob3 *This,
                                                         LPCWSTR OldPrefix, LPCWSTR NewPrefix);
        HRESULT (STDMETHODCALLTYPE *AddFileWithRanges)(IBackgroundCopyJob3 *This, LPCWSTR RemoteUrl,
                                                       LPCWSTR LocalName, DWORD RangeCount,
                                                       BG_FILE_RANGE Ranges[]);
        HRESULT (STDMETHODCALLTYPE *SetFileACLFlags)(IBackgroundCopyJob3 *This, DWORD Flags);
        HRESULT (STDMETHODCALLTYPE *GetFileACLFlags)(IBackgroundCopyJob3 *This, DWORD *Flags);
} IBackgroundCopyJob3Vtbl;

struct IBackgroundCopyJob3 {
        CONST_VTBL IBackgroundCopyJob3Vtbl *lpVtbl;
};

#ifdef COBJMACROS
#define IBackgroundCopyJob3_QueryInterface(This, riid, ppvObject) \
        (This)->lpVtbl->QueryInterface(This, riid, ppvObject)
#define IBackgroundCopyJob3_AddRef(This) (This)->lpVtbl->AddRef(This)
#define IBackgroundCopyJob3_Release(This) (This)->lpVtbl->Release(This)
#define IBackgroundCopyJob3_AddFileSet(This, cFileCount, pFileSet) \
        (This)->lpVtbl->AddFileSet(This, cFileCount, pFileSet)
#define IBackgroundCopyJob3_AddFile(This, RemoteUrl, LocalName) \
        (This)->lpVtbl->AddFile(This, RemoteUrl, LocalName)
#define IBackgroundCopyJob3_EnumFiles(This, pEnum) (This)->lpVtbl->EnumFiles(This, pEnum)
#define IBackgroundCopyJob3_Suspend(This) (This)->lpVtbl->Suspend(This)
#define IBackgroundCopyJob3_Resume(This) (This)->lpVtbl->Resume(This)
#define IBackgroundCopyJob3_Cancel(This) (This)->lpVtbl->Cancel(This)
#define IBackgroundCopyJob3_Complete(This) (This)->lpVtbl->Complete(This)
#define IBackgroundCopyJob3_GetId(This, pVal) (This)->lpVtbl->GetId(This, pVal)
#define IBackgroundCopyJob3_GetType(This, pVal) (This)->lpVtbl->GetType(This, pVal)
#define IBackgroundCopyJob3_GetProgress(This, pVal) (This)->lpVtbl->GetProgress(This, pVal)
#define IBackgroundCopyJob3_GetTimes(This, pVal) (This)->lpVtbl->GetTimes(This, pVal)
#define IBackgroundCopyJob3_GetState(This, pVal) (This)->lpVtbl->GetState(This, pVal)
#define IBackgroundCopyJob3_GetError(This, ppError) (This)->lpVtbl->GetError(This, ppError)
#define IBackgroundCopyJob3_GetOwner(This, pVal) (This)->lpVtbl->GetOwner(This, pVal)
#define IBackgroundCopyJob3_SetDisplayName(This, Val) (This)->lpVtbl->SetDisplayName(This, Val)
#define IBackgroundCopyJob3_GetDisplayName(This, pVal) (This)->lpVtbl->GetDisplayName(This, pVal)
#define IBackgroundCopyJob3_SetDescription(This, Val) (This)->lpVtbl->SetDescription(This, Val)
#define IBackgroundCopyJob3_GetDescription(This, pVal) (This)->lpVtbl->GetDescription(This, pVal)
#define IBackgroundCopyJob3_SetPriority(This, Val) (This)->lpVtbl->SetPriority(This, Val)
#define IBackgroundCopyJob3_GetPriority(This, pVal) (This)->lpVtbl->GetPriority(This, pVal)
#define IBackgroundCopyJob3_SetNotifyFlags(This, Val) (This)->lpVtbl->SetNotifyFlags(This, Val)
#define IBackgroundCopyJob3_GetNotifyFlags(This, pVal) (This)->lpVtbl->GetNotifyFlags(This, pVal)
#define IBackgroundCopyJob3_SetNotifyInterface(This, Val) \
        (This)->lpVtbl->SetNotifyInterface(This, Val)
#define IBackgroundCopyJob3_GetNotifyInterface(This, pVal) \
        (This)->lpVtbl->GetNotifyInterface(This, pVal)
#define IBackgroundCopyJob3_SetMinimumRetryDelay(This, Seconds) \
        (This)->lpVtbl->SetMinimumRetryDelay(This, Seconds)
#define IBackgroundCopyJob3_GetMinimumRetryDelay(This, Seconds) \
        (This)->lpVtbl->GetMinimumRetryDelay(This, Seconds)
#define IBackgroundCopyJob3_SetNoProgressTimeout(This, Seconds) \
        (This)->lpVtbl->SetNoProgressTimeout(This, Seconds)
#define IBackgroundCopyJob3_GetNoProgressTimeout(This, Seconds) \
        (This)->lpVtbl->GetNoProgressTimeout(This, Seconds)
#define IBackgroundCopyJob3_GetErrorCount(This, Errors) (This)->lpVtbl->GetErrorCount(This, Errors)
#define IBackgroundCopyJob3_SetProxySettings(This, ProxyUsage, ProxyList, ProxyBypassList) \
        (This)->lpVtbl->SetProxySettings(This, ProxyUsage, ProxyList, ProxyBypassList)
#define IBackgroundCopyJob3_GetProxySettings(This, pProxyUsage, pProxyList, pProxyBypassList) \
        (This)->lpVtbl->GetProxySettings(This, pProxyUsage, pProxyList, pProxyBypassList)
#define IBackgroundCopyJob3_TakeOwnership(This) (This)->lpVtbl->TakeOwnership(This)
#define IBackgroundCopyJob3_SetNotifyCmdLine(This, Program, Parameters) \
        (This)->lpVtbl->SetNotifyCmdLine(This, Program, Parameters)
#define IBackgroundCopyJob3_GetNotifyCmdLine(This, pProgram, pParameters) \
        (This)->lpVtbl->GetNotifyCmdLine(This, pProgram, pParameters)
#define IBackgroundCopyJob3_GetReplyProgress(This, pProgress) \
        (This)->lpVtbl->GetReplyProgress(This, pProgress)
#define IBackgroundCopyJob3_GetReplyData(This, ppBuffer, pLength) \
        (This)->lpVtbl->GetReplyData(This, ppBuffer, pLength)
#define IBackgroundCopyJob3_SetReplyFileName(This, ReplyFileName) \
        (This)->lpVtbl->SetReplyFileName(This, ReplyFileName)
#define IBackgroundCopyJob3_GetReplyFileName(This, pReplyFileName) \
        (This)->lpVtbl->GetReplyFileName(This, pReplyFileName)
#define IBackgroundCopyJob3_SetCredentials(This, credentials) \
        (This)->lpVtbl->SetCredentials(This, credentials)
#define IBackgroundCopyJob3_RemoveCredentials(This, Target, Scheme) \
        (This)->lpVtbl->RemoveCredentials(This, Target, Scheme)
#define IBackgroundCopyJob3_ReplaceRemotePrefix(This, OldPrefix, NewPrefix) \
        (This)->lpVtbl->ReplaceRemotePrefix(This, OldPrefix, NewPrefix)
#define IBackgroundCopyJob3_AddFileWithRanges(This, RemoteUrl, LocalName, RangeCount, Ranges) \
        (This)->lpVtbl->AddFileWithRanges(This, RemoteUrl, LocalName, RangeCount, Ranges)
#define IBackgroundCopyJob3_SetFileACLFlags(This, Flags) \
        (This)->lpVtbl->SetFileACLFlags(This, Flags)
#define IBackgroundCopyJob3_GetFileACLFlags(This, Flags) \
        (This)->lpVtbl->GetFileACLFlags(This, Flags)
#endif

#endif

/* IBackgroundCopyJob4. Limits, and what the owner was allowed. (BITS: IBackgroundCopyJob4) */
EXTERN_C DOSVC_API const IID IID_IBackgroundCopyJob4;

#if defined(__cplusplus) && !defined(CINTERFACE)

struct IBackgroundCopyJob4 : public IBackgroundCopyJob3 {
        /* There is no peer cache of BITS 3.0: E_NOTIMPL. */
        virtual HRESULT STDMETHODCALLTYPE SetPeerCachingFlags(DWORD Flags) = 0;

        /* There is no peer cache of BITS 3.0: E_NOTIMPL. */
        virtual HRESULT STDMETHODCALLTYPE GetPeerCachingFlags(DWORD *pFlags) = 0;

        /* How much the owner is trusted: medium, or high for root. */
        virtual HRESULT STDMETHODCALLTYPE GetOwnerIntegrityLevel(ULONG *pLevel) = 0;

        /* Whether the owner is root. */
        virtual HRESULT STDMETHODCALLTYPE GetOwnerElevationState(BOOL *pElevated) = 0;

        /*
         * Seconds of transferring until BG_E_MAXDOWNLOAD_TIMEOUT; E_INVALIDARG for 0. Unless
         * set, what MaxDownloadTime= of dosvc.conf(5) says: 90 days.
         */
        virtual HRESULT STDMETHODCALLTYPE SetMaximumDownloadTime(ULONG Timeout) = 0;

        /* Seconds, never 0. */
        virtual HRESULT STDMETHODCALLTYPE GetMaximumDownloadTime(ULONG *pTimeout) = 0;
};

DOSVC_DECLARE_UUIDOF(IBackgroundCopyJob4, IID_IBackgroundCopyJob4)

#else

typedef struct IBackgroundCopyJob4Vtbl {
        HRESULT (STDMETHODCALLTYPE *QueryInterface)(IBackgroundCopyJob4 *This, REFIID riid,
                                                    void **ppvObject);
        ULONG (STDMETHODCALLTYPE *AddRef)(IBackgroundCopyJob4 *This);
        ULONG (STDMETHODCALLTYPE *Release)(IBackgroundCopyJob4 *This);
        HRESULT (STDMETHODCALLTYPE *AddFileSet)(IBackgroundCopyJob4 *This, ULONG cFileCount,
                                                BG_FILE_INFO *pFileSet);
        HRESULT (STDMETHODCALLTYPE *AddFile)(IBackgroundCopyJob4 *This, LPCWSTR RemoteUrl,
                                             LPCWSTR LocalName);
        HRESULT (STDMETHODCALLTYPE *EnumFiles)(IBackgroundCopyJob4 *This,
                                               IEnumBackgroundCopyFiles **pEnum);
        HRESULT (STDMETHODCALLTYPE *Suspend)(IBackgroundCopyJob4 *This);
        HRESULT (STDMETHODCALLTYPE *Resume)(IBackgroundCopyJob4 *This);
        HRESULT (STDMETHODCALLTYPE *Cancel)(IBackgroundCopyJob4 *This);
        HRESULT (STDMETHODCALLTYPE *Complete)(IBackgroundCopyJob4 *This);
        HRESULT (STDMETHODCALLTYPE *GetId)(IBackgroundCopyJob4 *This, GUID *pVal);
        HRESULT (STDMETHODCALLTYPE *GetType)(IBackgroundCopyJob4 *This, BG_JOB_TYPE *pVal);
        HRESULT (STDMETHODCALLTYPE *GetProgress)(IBackgroundCopyJob4 *This, BG_JOB_PROGRESS *pVal);
        HRESULT (STDMETHODCALLTYPE *GetTimes)(IBackgroundCopyJob4 *This, BG_JOB_TIMES *pVal);
        HRESULT (STDMETHODCALLTYPE *GetState)(IBackgroundCopyJob4 *This, BG_JOB_STATE *pVal);
        HRESULT (STDMETHODCALLTYPE *GetError)(IBackgroundCopyJob4 *This,
                                              IBackgroundCopyError **ppError);
        HRESULT (STDMETHODCALLTYPE *GetOwner)(IBackgroundCopyJob4 *This, LPWSTR *pVal);
        HRESULT (STDMETHODCALLTYPE *SetDisplayName)(IBackgroundCopyJob4 *This, LPCWSTR Val);
        HRESULT (STDMETHODCALLTYPE *GetDisplayName)(IBackgroundCopyJob4 *This, LPWSTR *pVal);
        HRESULT (STDMETHODCALLTYPE *SetDescription)(IBackgroundCopyJob4 *This, LPCWSTR Val);
        HRESULT (STDMETHODCALLTYPE *GetDescription)(IBackgroundCopyJob4 *This, LPWSTR *pVal);
        HRESULT (STDMETHODCALLTYPE *SetPriority)(IBackgroundCopyJob4 *This, BG_JOB_PRIORITY Val);
        HRESULT (STDMETHODCALLTYPE *GetPriority)(IBackgroundCopyJob4 *This, BG_JOB_PRIORITY *pVal);
        HRESULT (STDMETHODCALLTYPE *SetNotifyFlags)(IBackgroundCopyJob4 *This, ULONG Val);
        HRESULT (STDMETHODCALLTYPE *GetNotifyFlags)(IBackgroundCopyJob4 *This, ULONG *pVal);
        HRESULT (STDMETHODCALLTYPE *SetNotifyInterface)(IBackgroundCopyJob4 *This, IUnknown *Val);
        HRESULT (STDMETHODCALLTYPE *GetNotifyInterface)(IBackgroundCopyJob4 *This, IUnknown **pVal);
        HRESULT (STDMETHODCALLTYPE *SetMinimumRetryDelay)(IBackgroundCopyJob4 *This, ULONG Seconds);
        HRESULT (STDMETHODCALLTYPE *GetMinimumRetryDelay)(IBackgroundCopyJob4 *This,
                                                          ULONG *Seconds);
        HRESULT (STDMETHODCALLTYPE *SetNoProgressTimeout)(IBackgroundCopyJob4 *This, ULONG Seconds);
        HRESULT (STDMETHODCALLTYPE *GetNoProgressTimeout)(IBackgroundCopyJob4 *This,
                                                          ULONG *Seconds);
        HRESULT (STDMETHODCALLTYPE *GetErrorCount)(IBackgroundCopyJob4 *This, ULONG *Errors);
        HRESULT (STDMETHODCALLTYPE *SetProxySettings)(IBackgroundCopyJob4 *This,
                                                      BG_JOB_PROXY_USAGE ProxyUsage,
                                                      const WCHAR *ProxyList,
                                                      const WCHAR *ProxyBypassList);
        HRESULT (STDMETHODCALLTYPE *GetProxySettings)(IBackgroundCopyJob4 *This,
                                                      BG_JOB_PROXY_USAGE *pProxyUsage,
                                                      LPWSTR *pProxyList, LPWSTR *pProxyBypassList);
        HRESULT (STDMETHODCALLTYPE *TakeOwnership)(IBackgroundCopyJob4 *This);
        HRESULT (STDMETHODCALLTYPE *SetNotifyCmdLine)(IBackgroundCopyJob4 *This, LPCWSTR Program,
                                                      LPCWSTR Parameters);
        HRESULT (STDMETHODCALLTYPE *GetNotifyCmdLine)(IBackgroundCopyJob4 *This, LPWSTR *pProgram,
                                                      LPWSTR *pParameters);
        HRESULT (STDMETHODCALLTYPE *GetReplyProgress)(IBackgroundCopyJob4 *This,
                                                      BG_JOB_REPLY_PROGRESS *pProgress);
        HRESULT (STDMETHODCALLTYPE *GetReplyData)(IBackgroundCopyJob4 *This, BYTE **ppBuffer,
                                                  UINT64 *pLength);
        HRESULT (STDMETHODCALLTYPE *SetReplyFileName)(IBackgroundCopyJob4 *This,
                                                      LPCWSTR ReplyFileName);
        HRESULT (STDMETHODCALLTYPE *GetReplyFileName)(IBackgroundCopyJob4 *This,
                                                      LPWSTR *pReplyFileName);
        HRESULT (STDMETHODCALLTYPE *SetCredentials)(IBackgroundCopyJob4 *This,
                                                    BG_AUTH_CREDENTIALS *credentials);
        HRESULT (STDMETHODCALLTYPE *RemoveCredentials)(IBackgroundCopyJob4 *This,
                                                       BG_AUTH_TARGET Target,
                                                       BG_AUTH_SCHEME Scheme);
        HRESULT (STDMETHODCALLTYPE *ReplaceRemotePrefix)(IBackgroundCopyJob4 *This,
                                                         LPCWSTR OldPrefix, LPCWSTR NewPrefix);
        HRESULT (STDMETHODCALLTYPE *AddFileWithRanges)(IBackgroundCopyJob4 *This, LPCWSTR RemoteUrl,
                                                       LPCWSTR LocalName, DWORD RangeCount,
                                                       BG_FILE_RANGE Ranges[]);
        HRESULT (STDMETHODCALLTYPE *SetFileACLFlags)(IBackgroundCopyJob4 *This, DWORD Flags);
        HRESULT (STDMETHODCALLTYPE *GetFileACLFlags)(IBackgroundCopyJob4 *This, DWORD *Flags);
        HRESULT (STDMETHODCALLTYPE *SetPeerCachingFlags)(IBackgroundCopyJob4 *This, DWORD Flags);
        HRESULT (STDMETHODCALLTYPE *GetPeerCachingFlags)(IBackgroundCopyJob4 *This, DWORD *pFlags);
        HRESULT (STDMETHODCALLTYPE *GetOwnerIntegrityLevel)(IBackgroundCopyJob4 *This,
                                                            ULONG *pLevel);
        HRESULT (STDMETHODCALLTYPE *GetOwnerElevationState)(IBackgroundCopyJob4 *This,
                                                            BOOL *pElevated);
        HRESULT (STDMETHODCALLTYPE *SetMaximumDownloadTime)(IBackgroundCopyJob4 *This,
                                                            ULONG Timeout);
        HRESULT (STDMETHODCALLTYPE *GetMaximumDownloadTime)(IBackgroundCopyJob4 *This,
                                                            ULONG *pTimeout);
} IBackgroundCopyJob4Vtbl;

struct IBackgroundCopyJob4 {
        CONST_VTBL IBackgroundCopyJob4Vtbl *lpVtbl;
};

#ifdef COBJMACROS
#define IBackgroundCopyJob4_QueryInterface(This, riid, ppvObject) \
        (This)->lpVtbl->QueryInterface(This, riid, ppvObject)
#define IBackgroundCopyJob4_AddRef(This) (This)->lpVtbl->AddRef(This)
#define IBackgroundCopyJob4_Release(This) (This)->lpVtbl->Release(This)
#define IBackgroundCopyJob4_AddFileSet(This, cFileCount, pFileSet) \
        (This)->lpVtbl->AddFileSet(This, cFileCount, pFileSet)
#define IBackgroundCopyJob4_AddFile(This, RemoteUrl, LocalName) \
        (This)->lpVtbl->AddFile(This, RemoteUrl, LocalName)
#define IBackgroundCopyJob4_EnumFiles(This, pEnum) (This)->lpVtbl->EnumFiles(This, pEnum)
#define IBackgroundCopyJob4_Suspend(This) (This)->lpVtbl->Suspend(This)
#define IBackgroundCopyJob4_Resume(This) (This)->lpVtbl->Resume(This)
#define IBackgroundCopyJob4_Cancel(This) (This)->lpVtbl->Cancel(This)
#define IBackgroundCopyJob4_Complete(This) (This)->lpVtbl->Complete(This)
#define IBackgroundCopyJob4_GetId(This, pVal) (This)->lpVtbl->GetId(This, pVal)
#define IBackgroundCopyJob4_GetType(This, pVal) (This)->lpVtbl->GetType(This, pVal)
#define IBackgroundCopyJob4_GetProgress(This, pVal) (This)->lpVtbl->GetProgress(This, pVal)
#define IBackgroundCopyJob4_GetTimes(This, pVal) (This)->lpVtbl->GetTimes(This, pVal)
#define IBackgroundCopyJob4_GetState(This, pVal) (This)->lpVtbl->GetState(This, pVal)
#define IBackgroundCopyJob4_GetError(This, ppError) (This)->lpVtbl->GetError(This, ppError)
#define IBackgroundCopyJob4_GetOwner(This, pVal) (This)->lpVtbl->GetOwner(This, pVal)
#define IBackgroundCopyJob4_SetDisplayName(This, Val) (This)->lpVtbl->SetDisplayName(This, Val)
#define IBackgroundCopyJob4_GetDisplayName(This, pVal) (This)->lpVtbl->GetDisplayName(This, pVal)
#define IBackgroundCopyJob4_SetDescription(This, Val) (This)->lpVtbl->SetDescription(This, Val)
#define IBackgroundCopyJob4_GetDescription(This, pVal) (This)->lpVtbl->GetDescription(This, pVal)
#define IBackgroundCopyJob4_SetPriority(This, Val) (This)->lpVtbl->SetPriority(This, Val)
#define IBackgroundCopyJob4_GetPriority(This, pVal) (This)->lpVtbl->GetPriority(This, pVal)
#define IBackgroundCopyJob4_SetNotifyFlags(This, Val) (This)->lpVtbl->SetNotifyFlags(This, Val)
#define IBackgroundCopyJob4_GetNotifyFlags(This, pVal) (This)->lpVtbl->GetNotifyFlags(This, pVal)
#define IBackgroundCopyJob4_SetNotifyInterface(This, Val) \
        (This)->lpVtbl->SetNotifyInterface(This, Val)
#define IBackgroundCopyJob4_GetNotifyInterface(This, pVal) \
        (This)->lpVtbl->GetNotifyInterface(This, pVal)
#define IBackgroundCopyJob4_SetMinimumRetryDelay(This, Seconds) \
        (This)->lpVtbl->SetMinimumRetryDelay(This, Seconds)
#define IBackgroundCopyJob4_GetMinimumRetryDelay(This, Seconds) \
        (This)->lpVtbl->GetMinimumRetryDelay(This, Seconds)
#define IBackgroundCopyJob4_SetNoProgressTimeout(This, Seconds) \
        (This)->lpVtbl->SetNoProgressTimeout(This, Seconds)
#define IBackgroundCopyJob4_GetNoProgressTimeout(This, Seconds) \
        (This)->lpVtbl->GetNoProgressTimeout(This, Seconds)
#define IBackgroundCopyJob4_GetErrorCount(This, Errors) (This)->lpVtbl->GetErrorCount(This, Errors)
#define IBackgroundCopyJob4_SetProxySettings(This, ProxyUsage, ProxyList, ProxyBypassList) \
        (This)->lpVtbl->SetProxySettings(This, ProxyUsage, ProxyList, ProxyBypassList)
#define IBackgroundCopyJob4_GetProxySettings(This, pProxyUsage, pProxyList, pProxyBypassList) \
        (This)->lpVtbl->GetProxySettings(This, pProxyUsage, pProxyList, pProxyBypassList)
#define IBackgroundCopyJob4_TakeOwnership(This) (This)->lpVtbl->TakeOwnership(This)
#define IBackgroundCopyJob4_SetNotifyCmdLine(This, Program, Parameters) \
        (This)->lpVtbl->SetNotifyCmdLine(This, Program, Parameters)
#define IBackgroundCopyJob4_GetNotifyCmdLine(This, pProgram, pParameters) \
        (This)->lpVtbl->GetNotifyCmdLine(This, pProgram, pParameters)
#define IBackgroundCopyJob4_GetReplyProgress(This, pProgress) \
        (This)->lpVtbl->GetReplyProgress(This, pProgress)
#define IBackgroundCopyJob4_GetReplyData(This, ppBuffer, pLength) \
        (This)->lpVtbl->GetReplyData(This, ppBuffer, pLength)
#define IBackgroundCopyJob4_SetReplyFileName(This, ReplyFileName) \
        (This)->lpVtbl->SetReplyFileName(This, ReplyFileName)
#define IBackgroundCopyJob4_GetReplyFileName(This, pReplyFileName) \
        (This)->lpVtbl->GetReplyFileName(This, pReplyFileName)
#define IBackgroundCopyJob4_SetCredentials(This, credentials) \
        (This)->lpVtbl->SetCredentials(This, credentials)
#define IBackgroundCopyJob4_RemoveCredentials(This, Target, Scheme) \
        (This)->lpVtbl->RemoveCredentials(This, Target, Scheme)
#define IBackgroundCopyJob4_ReplaceRemotePrefix(This, OldPrefix, NewPrefix) \
        (This)->lpVtbl->ReplaceRemotePrefix(This, OldPrefix, NewPrefix)
#define IBackgroundCopyJob4_AddFileWithRanges(This, RemoteUrl, LocalName, RangeCount, Ranges) \
        (This)->lpVtbl->AddFileWithRanges(This, RemoteUrl, LocalName, RangeCount, Ranges)
#define IBackgroundCopyJob4_SetFileACLFlags(This, Flags) \
        (This)->lpVtbl->SetFileACLFlags(This, Flags)
#define IBackgroundCopyJob4_GetFileACLFlags(This, Flags) \
        (This)->lpVtbl->GetFileACLFlags(This, Flags)
#define IBackgroundCopyJob4_SetPeerCachingFlags(This, Flags) \
        (This)->lpVtbl->SetPeerCachingFlags(This, Flags)
#define IBackgroundCopyJob4_GetPeerCachingFlags(This, pFlags) \
        (This)->lpVtbl->GetPeerCachingFlags(This, pFlags)
#define IBackgroundCopyJob4_GetOwnerIntegrityLevel(This, pLevel) \
        (This)->lpVtbl->GetOwnerIntegrityLevel(This, pLevel)
#define IBackgroundCopyJob4_GetOwnerElevationState(This, pElevated) \
        (This)->lpVtbl->GetOwnerElevationState(This, pElevated)
#define IBackgroundCopyJob4_SetMaximumDownloadTime(This, Timeout) \
        (This)->lpVtbl->SetMaximumDownloadTime(This, Timeout)
#define IBackgroundCopyJob4_GetMaximumDownloadTime(This, pTimeout) \
        (This)->lpVtbl->GetMaximumDownloadTime(This, pTimeout)
#endif

#endif

/* IBackgroundCopyJob5. Properties of a job by number. (BITS: IBackgroundCopyJob5) */
EXTERN_C DOSVC_API const IID IID_IBackgroundCopyJob5;

#if defined(__cplusplus) && !defined(CINTERFACE)

struct IBackgroundCopyJob5 : public IBackgroundCopyJob4 {
        /*
         * BG_E_UNKNOWN_PROPERTY_ID, BG_E_READ_ONLY_PROPERTY and its _AFTER_ kinds (DO family:
         * DO_E_UNKNOWN_PROPERTY_ID, DO_E_READ_ONLY_PROPERTY).
         */
        virtual HRESULT STDMETHODCALLTYPE SetProperty(BITS_JOB_PROPERTY_ID PropertyId,
                                                      BITS_JOB_PROPERTY_VALUE PropertyValue) = 0;

        /*
         * The value that is set, or the default. BG_E_UNKNOWN_PROPERTY_ID (DO:
         * DO_E_UNKNOWN_PROPERTY_ID).
         */
        virtual HRESULT STDMETHODCALLTYPE GetProperty(BITS_JOB_PROPERTY_ID PropertyId,
                                                      BITS_JOB_PROPERTY_VALUE *PropertyValue) = 0;
};

DOSVC_DECLARE_UUIDOF(IBackgroundCopyJob5, IID_IBackgroundCopyJob5)

#else

typedef struct IBackgroundCopyJob5Vtbl {
        HRESULT (STDMETHODCALLTYPE *QueryInterface)(IBackgroundCopyJob5 *This, REFIID riid,
                                                    void **ppvObject);
        ULONG (STDMETHODCALLTYPE *AddRef)(IBackgroundCopyJob5 *This);
        ULONG (STDMETHODCALLTYPE *Release)(IBackgroundCopyJob5 *This);
        HRESULT (STDMETHODCALLTYPE *AddFileSet)(IBackgroundCopyJob5 *This, ULONG cFileCount,
                                                BG_FILE_INFO *pFileSet);
        HRESULT (STDMETHODCALLTYPE *AddFile)(IBackgroundCopyJob5 *This, LPCWSTR RemoteUrl,
                                             LPCWSTR LocalName);
        HRESULT (STDMETHODCALLTYPE *EnumFiles)(IBackgroundCopyJob5 *This,
                                               IEnumBackgroundCopyFiles **pEnum);
        HRESULT (STDMETHODCALLTYPE *Suspend)(IBackgroundCopyJob5 *This);
        HRESULT (STDMETHODCALLTYPE *Resume)(IBackgroundCopyJob5 *This);
        HRESULT (STDMETHODCALLTYPE *Cancel)(IBackgroundCopyJob5 *This);
        HRESULT (STDMETHODCALLTYPE *Complete)(IBackgroundCopyJob5 *This);
        HRESULT (STDMETHODCALLTYPE *GetId)(IBackgroundCopyJob5 *This, GUID *pVal);
        HRESULT (STDMETHODCALLTYPE *GetType)(IBackgroundCopyJob5 *This, BG_JOB_TYPE *pVal);
        HRESULT (STDMETHODCALLTYPE *GetProgress)(IBackgroundCopyJob5 *This, BG_JOB_PROGRESS *pVal);
        HRESULT (STDMETHODCALLTYPE *GetTimes)(IBackgroundCopyJob5 *This, BG_JOB_TIMES *pVal);
        HRESULT (STDMETHODCALLTYPE *GetState)(IBackgroundCopyJob5 *This, BG_JOB_STATE *pVal);
        HRESULT (STDMETHODCALLTYPE *GetError)(IBackgroundCopyJob5 *This,
                                              IBackgroundCopyError **ppError);
        HRESULT (STDMETHODCALLTYPE *GetOwner)(IBackgroundCopyJob5 *This, LPWSTR *pVal);
        HRESULT (STDMETHODCALLTYPE *SetDisplayName)(IBackgroundCopyJob5 *This, LPCWSTR Val);
        HRESULT (STDMETHODCALLTYPE *GetDisplayName)(IBackgroundCopyJob5 *This, LPWSTR *pVal);
        HRESULT (STDMETHODCALLTYPE *SetDescription)(IBackgroundCopyJob5 *This, LPCWSTR Val);
        HRESULT (STDMETHODCALLTYPE *GetDescription)(IBackgroundCopyJob5 *This, LPWSTR *pVal);
        HRESULT (STDMETHODCALLTYPE *SetPriority)(IBackgroundCopyJob5 *This, BG_JOB_PRIORITY Val);
        HRESULT (STDMETHODCALLTYPE *GetPriority)(IBackgroundCopyJob5 *This, BG_JOB_PRIORITY *pVal);
        HRESULT (STDMETHODCALLTYPE *SetNotifyFlags)(IBackgroundCopyJob5 *This, ULONG Val);
        HRESULT (STDMETHODCALLTYPE *GetNotifyFlags)(IBackgroundCopyJob5 *This, ULONG *pVal);
        HRESULT (STDMETHODCALLTYPE *SetNotifyInterface)(IBackgroundCopyJob5 *This, IUnknown *Val);
        HRESULT (STDMETHODCALLTYPE *GetNotifyInterface)(IBackgroundCopyJob5 *This, IUnknown **pVal);
        HRESULT (STDMETHODCALLTYPE *SetMinimumRetryDelay)(IBackgroundCopyJob5 *This, ULONG Seconds);
        HRESULT (STDMETHODCALLTYPE *GetMinimumRetryDelay)(IBackgroundCopyJob5 *This,
                                                          ULONG *Seconds);
        HRESULT (STDMETHODCALLTYPE *SetNoProgressTimeout)(IBackgroundCopyJob5 *This, ULONG Seconds);
        HRESULT (STDMETHODCALLTYPE *GetNoProgressTimeout)(IBackgroundCopyJob5 *This,
                                                          ULONG *Seconds);
        HRESULT (STDMETHODCALLTYPE *GetErrorCount)(IBackgroundCopyJob5 *This, ULONG *Errors);
        HRESULT (STDMETHODCALLTYPE *SetProxySettings)(IBackgroundCopyJob5 *This,
                                                      BG_JOB_PROXY_USAGE ProxyUsage,
                                                      const WCHAR *ProxyList,
                                                      const WCHAR *ProxyBypassList);
        HRESULT (STDMETHODCALLTYPE *GetProxySettings)(IBackgroundCopyJob5 *This,
                                                      BG_JOB_PROXY_USAGE *pProxyUsage,
                                                      LPWSTR *pProxyList, LPWSTR *pProxyBypassList);
        HRESULT (STDMETHODCALLTYPE *TakeOwnership)(IBackgroundCopyJob5 *This);
        HRESULT (STDMETHODCALLTYPE *SetNotifyCmdLine)(IBackgroundCopyJob5 *This, LPCWSTR Program,
                                                      LPCWSTR Parameters);
        HRESULT (STDMETHODCALLTYPE *GetNotifyCmdLine)(IBackgroundCopyJob5 *This, LPWSTR *pProgram,
                                                      LPWSTR *pParameters);
        HRESULT (STDMETHODCALLTYPE *GetReplyProgress)(IBackgroundCopyJob5 *This,
                                                      BG_JOB_REPLY_PROGRESS *pProgress);
        HRESULT (STDMETHODCALLTYPE *GetReplyData)(IBackgroundCopyJob5 *This, BYTE **ppBuffer,
                                                  UINT64 *pLength);
        HRESULT (STDMETHODCALLTYPE *SetReplyFileName)(IBackgroundCopyJob5 *This,
                                                      LPCWSTR ReplyFileName);
        HRESULT (STDMETHODCALLTYPE *GetReplyFileName)(IBackgroundCopyJob5 *This,
                                                      LPWSTR *pReplyFileName);
        HRESULT (STDMETHODCALLTYPE *SetCredentials)(IBackgroundCopyJob5 *This,
                                                    BG_AUTH_CREDENTIALS *credentials);
        HRESULT (STDMETHODCALLTYPE *RemoveCredentials)(IBackgroundCopyJob5 *This,
                                                       BG_AUTH_TARGET Target,
                                                       BG_AUTH_SCHEME Scheme);
        HRESULT (STDMETHODCALLTYPE *ReplaceRemotePrefix)(IBackgroundCopyJob5 *This,
                                                         LPCWSTR OldPrefix, LPCWSTR NewPrefix);
        HRESULT (STDMETHODCALLTYPE *AddFileWithRanges)(IBackgroundCopyJob5 *This, LPCWSTR RemoteUrl,
                                                       LPCWSTR LocalName, DWORD RangeCount,
                                                       BG_FILE_RANGE Ranges[]);
        HRESULT (STDMETHODCALLTYPE *SetFileACLFlags)(IBackgroundCopyJob5 *This, DWORD Flags);
        HRESULT (STDMETHODCALLTYPE *GetFileACLFlags)(IBackgroundCopyJob5 *This, DWORD *Flags);
        HRESULT (STDMETHODCALLTYPE *SetPeerCachingFlags)(IBackgroundCopyJob5 *This, DWORD Flags);
        HRESULT (STDMETHODCALLTYPE *GetPeerCachingFlags)(IBackgroundCopyJob5 *This, DWORD *pFlags);
        HRESULT (STDMETHODCALLTYPE *GetOwnerIntegrityLevel)(IBackgroundCopyJob5 *This,
                                                            ULONG *pLevel);
        HRESULT (STDMETHODCALLTYPE *GetOwnerElevationState)(IBackgroundCopyJob5 *This,
                                                            BOOL *pElevated);
        HRESULT (STDMETHODCALLTYPE *SetMaximumDownloadTime)(IBackgroundCopyJob5 *This,
                                                            ULONG Timeout);
        HRESULT (STDMETHODCALLTYPE *GetMaximumDownloadTime)(IBackgroundCopyJob5 *This,
                                                            ULONG *pTimeout);
        HRESULT (STDMETHODCALLTYPE *SetProperty)(IBackgroundCopyJob5 *This,
                                                 BITS_JOB_PROPERTY_ID PropertyId,
                                                 BITS_JOB_PROPERTY_VALUE PropertyValue);
        HRESULT (STDMETHODCALLTYPE *GetProperty)(IBackgroundCopyJob5 *This,
                                                 BITS_JOB_PROPERTY_ID PropertyId,
                                                 BITS_JOB_PROPERTY_VALUE *PropertyValue);
} IBackgroundCopyJob5Vtbl;

struct IBackgroundCopyJob5 {
        CONST_VTBL IBackgroundCopyJob5Vtbl *lpVtbl;
};

#ifdef COBJMACROS
#define IBackgroundCopyJob5_QueryInterface(This, riid, ppvObject) \
        (This)->lpVtbl->QueryInterface(This, riid, ppvObject)
#define IBackgroundCopyJob5_AddRef(This) (This)->lpVtbl->AddRef(This)
#define IBackgroundCopyJob5_Release(This) (This)->lpVtbl->Release(This)
#define IBackgroundCopyJob5_AddFileSet(This, cFileCount, pFileSet) \
        (This)->lpVtbl->AddFileSet(This, cFileCount, pFileSet)
#define IBackgroundCopyJob5_AddFile(This, RemoteUrl, LocalName) \
        (This)->lpVtbl->AddFile(This, RemoteUrl, LocalName)
#define IBackgroundCopyJob5_EnumFiles(This, pEnum) (This)->lpVtbl->EnumFiles(This, pEnum)
#define IBackgroundCopyJob5_Suspend(This) (This)->lpVtbl->Suspend(This)
#define IBackgroundCopyJob5_Resume(This) (This)->lpVtbl->Resume(This)
#define IBackgroundCopyJob5_Cancel(This) (This)->lpVtbl->Cancel(This)
#define IBackgroundCopyJob5_Complete(This) (This)->lpVtbl->Complete(This)
#define IBackgroundCopyJob5_GetId(This, pVal) (This)->lpVtbl->GetId(This, pVal)
#define IBackgroundCopyJob5_GetType(This, pVal) (This)->lpVtbl->GetType(This, pVal)
#define IBackgroundCopyJob5_GetProgress(This, pVal) (This)->lpVtbl->GetProgress(This, pVal)
#define IBackgroundCopyJob5_GetTimes(This, pVal) (This)->lpVtbl->GetTimes(This, pVal)
#define IBackgroundCopyJob5_GetState(This, pVal) (This)->lpVtbl->GetState(This, pVal)
#define IBackgroundCopyJob5_GetError(This, ppError) (This)->lpVtbl->GetError(This, ppError)
#define IBackgroundCopyJob5_GetOwner(This, pVal) (This)->lpVtbl->GetOwner(This, pVal)
#define IBackgroundCopyJob5_SetDisplayName(This, Val) (This)->lpVtbl->SetDisplayName(This, Val)
#define IBackgroundCopyJob5_GetDisplayName(This, pVal) (This)->lpVtbl->GetDisplayName(This, pVal)
#define IBackgroundCopyJob5_SetDescription(This, Val) (This)->lpVtbl->SetDescription(This, Val)
#define IBackgroundCopyJob5_GetDescription(This, pVal) (This)->lpVtbl->GetDescription(This, pVal)
#define IBackgroundCopyJob5_SetPriority(This, Val) (This)->lpVtbl->SetPriority(This, Val)
#define IBackgroundCopyJob5_GetPriority(This, pVal) (This)->lpVtbl->GetPriority(This, pVal)
#define IBackgroundCopyJob5_SetNotifyFlags(This, Val) (This)->lpVtbl->SetNotifyFlags(This, Val)
#define IBackgroundCopyJob5_GetNotifyFlags(This, pVal) (This)->lpVtbl->GetNotifyFlags(This, pVal)
#define IBackgroundCopyJob5_SetNotifyInterface(This, Val) \
        (This)->lpVtbl->SetNotifyInterface(This, Val)
#define IBackgroundCopyJob5_GetNotifyInterface(This, pVal) \
        (This)->lpVtbl->GetNotifyInterface(This, pVal)
#define IBackgroundCopyJob5_SetMinimumRetryDelay(This, Seconds) \
        (This)->lpVtbl->SetMinimumRetryDelay(This, Seconds)
#define IBackgroundCopyJob5_GetMinimumRetryDelay(This, Seconds) \
        (This)->lpVtbl->GetMinimumRetryDelay(This, Seconds)
#define IBackgroundCopyJob5_SetNoProgressTimeout(This, Seconds) \
        (This)->lpVtbl->SetNoProgressTimeout(This, Seconds)
#define IBackgroundCopyJob5_GetNoProgressTimeout(This, Seconds) \
        (This)->lpVtbl->GetNoProgressTimeout(This, Seconds)
#define IBackgroundCopyJob5_GetErrorCount(This, Errors) (This)->lpVtbl->GetErrorCount(This, Errors)
#define IBackgroundCopyJob5_SetProxySettings(This, ProxyUsage, ProxyList, ProxyBypassList) \
        (This)->lpVtbl->SetProxySettings(This, ProxyUsage, ProxyList, ProxyBypassList)
#define IBackgroundCopyJob5_GetProxySettings(This, pProxyUsage, pProxyList, pProxyBypassList) \
        (This)->lpVtbl->GetProxySettings(This, pProxyUsage, pProxyList, pProxyBypassList)
#define IBackgroundCopyJob5_TakeOwnership(This) (This)->lpVtbl->TakeOwnership(This)
#define IBackgroundCopyJob5_SetNotifyCmdLine(This, Program, Parameters) \
        (This)->lpVtbl->SetNotifyCmdLine(This, Program, Parameters)
#define IBackgroundCopyJob5_GetNotifyCmdLine(This, pProgram, pParameters) \
        (This)->lpVtbl->GetNotifyCmdLine(This, pProgram, pParameters)
#define IBackgroundCopyJob5_GetReplyProgress(This, pProgress) \
        (This)->lpVtbl->GetReplyProgress(This, pProgress)
#define IBackgroundCopyJob5_GetReplyData(This, ppBuffer, pLength) \
        (This)->lpVtbl->GetReplyData(This, ppBuffer, pLength)
#define IBackgroundCopyJob5_SetReplyFileName(This, ReplyFileName) \
        (This)->lpVtbl->SetReplyFileName(This, ReplyFileName)
#define IBackgroundCopyJob5_GetReplyFileName(This, pReplyFileName) \
        (This)->lpVtbl->GetReplyFileName(This, pReplyFileName)
#define IBackgroundCopyJob5_SetCredentials(This, credentials) \
        (This)->lpVtbl->SetCredentials(This, credentials)
#define IBackgroundCopyJob5_RemoveCredentials(This, Target, Scheme) \
        (This)->lpVtbl->RemoveCredentials(This, Target, Scheme)
#define IBackgroundCopyJob5_ReplaceRemotePrefix(This, OldPrefix, NewPrefix) \
        (This)->lpVtbl->ReplaceRemotePrefix(This, OldPrefix, NewPrefix)
#define IBackgroundCopyJob5_AddFileWithRanges(This, RemoteUrl, LocalName, RangeCount, Ranges) \
        (This)->lpVtbl->AddFileWithRanges(This, RemoteUrl, LocalName, RangeCount, Ranges)
#define IBackgroundCopyJob5_SetFileACLFlags(This, Flags) \
        (This)->lpVtbl->SetFileACLFlags(This, Flags)
#define IBackgroundCopyJob5_GetFileACLFlags(This, Flags) \
        (This)->lpVtbl->GetFileACLFlags(This, Flags)
#define IBackgroundCopyJob5_SetPeerCachingFlags(This, Flags) \
        (This)->lpVtbl->SetPeerCachingFlags(This, Flags)
#define IBackgroundCopyJob5_GetPeerCachingFlags(This, pFlags) \
        (This)->lpVtbl->GetPeerCachingFlags(This, pFlags)
#define IBackgroundCopyJob5_GetOwnerIntegrityLevel(This, pLevel) \
        (This)->lpVtbl->GetOwnerIntegrityLevel(This, pLevel)
#define IBackgroundCopyJob5_GetOwnerElevationState(This, pElevated) \
        (This)->lpVtbl->GetOwnerElevationState(This, pElevated)
#define IBackgroundCopyJob5_SetMaximumDownloadTime(This, Timeout) \
        (This)->lpVtbl->SetMaximumDownloadTime(This, Timeout)
#define IBackgroundCopyJob5_GetMaximumDownloadTime(This, pTimeout) \
        (This)->lpVtbl->GetMaximumDownloadTime(This, pTimeout)
#define IBackgroundCopyJob5_SetProperty(This, PropertyId, PropertyValue) \
        (This)->lpVtbl->SetProperty(This, PropertyId, PropertyValue)
#define IBackgroundCopyJob5_GetProperty(This, PropertyId, PropertyValue) \
        (This)->lpVtbl->GetProperty(This, PropertyId, PropertyValue)
#endif

#endif

/*
 * IEnumBackgroundCopyJobs. Snapshot of jobs in no promised order, without ended ones. (BITS:
 * IEnumBackgroundCopyJobs)
 */
EXTERN_C DOSVC_API const IID IID_IEnumBackgroundCopyJobs;

#if defined(__cplusplus) && !defined(CINTERFACE)

struct IEnumBackgroundCopyJobs : public IUnknown {
        /*
         * Up to celt jobs, each a new reference. S_FALSE if fewer were left. pceltFetched may
         * be NULL only if celt is 1.
         */
        virtual HRESULT STDMETHODCALLTYPE Next(ULONG celt, IBackgroundCopyJob **rgelt,
                                               ULONG *pceltFetched) = 0;

        /* S_FALSE if fewer were left. */
        virtual HRESULT STDMETHODCALLTYPE Skip(ULONG celt) = 0;

        /* Back to the first of the same snapshot. */
        virtual HRESULT STDMETHODCALLTYPE Reset() = 0;

        /* A second enumerator at the same place of the same snapshot. */
        virtual HRESULT STDMETHODCALLTYPE Clone(IEnumBackgroundCopyJobs **ppenum) = 0;

        /* All jobs of the snapshot, wherever it stands. */
        virtual HRESULT STDMETHODCALLTYPE GetCount(ULONG *puCount) = 0;
};

DOSVC_DECLARE_UUIDOF(IEnumBackgroundCopyJobs, IID_IEnumBackgroundCopyJobs)

#else

typedef struct IEnumBackgroundCopyJobsVtbl {
        HRESULT (STDMETHODCALLTYPE *QueryInterface)(IEnumBackgroundCopyJobs *This, REFIID riid,
                                                    void **ppvObject);
        ULONG (STDMETHODCALLTYPE *AddRef)(IEnumBackgroundCopyJobs *This);
        ULONG (STDMETHODCALLTYPE *Release)(IEnumBackgroundCopyJobs *This);
        HRESULT (STDMETHODCALLTYPE *Next)(IEnumBackgroundCopyJobs *This, ULONG celt,
                                          IBackgroundCopyJob **rgelt, ULONG *pceltFetched);
        HRESULT (STDMETHODCALLTYPE *Skip)(IEnumBackgroundCopyJobs *This, ULONG celt);
        HRESULT (STDMETHODCALLTYPE *Reset)(IEnumBackgroundCopyJobs *This);
        HRESULT (STDMETHODCALLTYPE *Clone)(IEnumBackgroundCopyJobs *This,
                                           IEnumBackgroundCopyJobs **ppenum);
        HRESULT (STDMETHODCALLTYPE *GetCount)(IEnumBackgroundCopyJobs *This, ULONG *puCount);
} IEnumBackgroundCopyJobsVtbl;

struct IEnumBackgroundCopyJobs {
        CONST_VTBL IEnumBackgroundCopyJobsVtbl *lpVtbl;
};

#ifdef COBJMACROS
#define IEnumBackgroundCopyJobs_QueryInterface(This, riid, ppvObject) \
        (This)->lpVtbl->QueryInterface(This, riid, ppvObject)
#define IEnumBackgroundCopyJobs_AddRef(This) (This)->lpVtbl->AddRef(This)
#define IEnumBackgroundCopyJobs_Release(This) (This)->lpVtbl->Release(This)
#define IEnumBackgroundCopyJobs_Next(This, celt, rgelt, pceltFetched) \
        (This)->lpVtbl->Next(This, celt, rgelt, pceltFetched)
#define IEnumBackgroundCopyJobs_Skip(This, celt) (This)->lpVtbl->Skip(This, celt)
#define IEnumBackgroundCopyJobs_Reset(This) (This)->lpVtbl->Reset(This)
#define IEnumBackgroundCopyJobs_Clone(This, ppenum) (This)->lpVtbl->Clone(This, ppenum)
#define IEnumBackgroundCopyJobs_GetCount(This, puCount) (This)->lpVtbl->GetCount(This, puCount)
#endif

#endif

/*
 * IBackgroundCopyManager. The way in. Each family of classes sees its own jobs. (BITS:
 * IBackgroundCopyManager)
 */
EXTERN_C DOSVC_API const IID IID_IBackgroundCopyManager;

#if defined(__cplusplus) && !defined(CINTERFACE)

struct IBackgroundCopyManager : public IUnknown {
        /*
         * A new job, SUSPENDED and stored. The name: 256 code points at most, not unique, not
         * NULL. BG_E_TOO_MANY_JOBS_PER_USER, BG_E_TOO_MANY_JOBS_PER_MACHINE.
         */
        virtual HRESULT STDMETHODCALLTYPE CreateJob(LPCWSTR DisplayName, BG_JOB_TYPE Type,
                                                    GUID *pJobId, IBackgroundCopyJob **ppJob) = 0;

        /*
         * BG_E_NOT_FOUND (DO: DO_E_JOB_NOT_FOUND), also for somebody else's, unless the caller
         * is an administrator.
         */
        virtual HRESULT STDMETHODCALLTYPE GetJob(REFGUID jobID, IBackgroundCopyJob **ppJob) = 0;

        /* The caller's jobs, or with BG_JOB_ENUM_ALL_USERS everybody's. */
        virtual HRESULT STDMETHODCALLTYPE EnumJobs(DWORD dwFlags,
                                                   IEnumBackgroundCopyJobs **ppEnum) = 0;

        /* A sentence for people about any result code. */
        virtual HRESULT STDMETHODCALLTYPE GetErrorDescription(HRESULT hResult, DWORD LanguageId,
                                                              LPWSTR *pErrorDescription) = 0;
};

DOSVC_DECLARE_UUIDOF(IBackgroundCopyManager, IID_IBackgroundCopyManager)

#else

typedef struct IBackgroundCopyManagerVtbl {
        HRESULT (STDMETHODCALLTYPE *QueryInterface)(IBackgroundCopyManager *This, REFIID riid,
                                                    void **ppvObject);
        ULONG (STDMETHODCALLTYPE *AddRef)(IBackgroundCopyManager *This);
        ULONG (STDMETHODCALLTYPE *Release)(IBackgroundCopyManager *This);
        HRESULT (STDMETHODCALLTYPE *CreateJob)(IBackgroundCopyManager *This, LPCWSTR DisplayName,
                                               BG_JOB_TYPE Type, GUID *pJobId,
                                               IBackgroundCopyJob **ppJob);
        HRESULT (STDMETHODCALLTYPE *GetJob)(IBackgroundCopyManager *This, REFGUID jobID,
                                            IBackgroundCopyJob **ppJob);
        HRESULT (STDMETHODCALLTYPE *EnumJobs)(IBackgroundCopyManager *This, DWORD dwFlags,
                                              IEnumBackgroundCopyJobs **ppEnum);
        HRESULT (STDMETHODCALLTYPE *GetErrorDescription)(IBackgroundCopyManager *This,
                                                         HRESULT hResult, DWORD LanguageId,
                                                         LPWSTR *pErrorDescription);
} IBackgroundCopyManagerVtbl;

struct IBackgroundCopyManager {
        CONST_VTBL IBackgroundCopyManagerVtbl *lpVtbl;
};

#ifdef COBJMACROS
#define IBackgroundCopyManager_QueryInterface(This, riid, ppvObject) \
        (This)->lpVtbl->QueryInterface(This, riid, ppvObject)
#define IBackgroundCopyManager_AddRef(This) (This)->lpVtbl->AddRef(This)
#define IBackgroundCopyManager_Release(This) (This)->lpVtbl->Release(This)
#define IBackgroundCopyManager_CreateJob(This, DisplayName, Type, pJobId, ppJob) \
        (This)->lpVtbl->CreateJob(This, DisplayName, Type, pJobId, ppJob)
#define IBackgroundCopyManager_GetJob(This, jobID, ppJob) (This)->lpVtbl->GetJob(This, jobID, ppJob)
#define IBackgroundCopyManager_EnumJobs(This, dwFlags, ppEnum) \
        (This)->lpVtbl->EnumJobs(This, dwFlags, ppEnum)
#define IBackgroundCopyManager_GetErrorDescription(This, hResult, LanguageId, pErrorDescription) \
        (This)->lpVtbl->GetErrorDescription(This, hResult, LanguageId, pErrorDescription)
#endif

#endif

/*
 * IBackgroundCopyCallback. Implemented by the client, see
 * IBackgroundCopyJob::SetNotifyInterface. Calls come on a thread of the library, one at a time,
 * and may call any method. Arguments live as long as the call; AddRef what is kept. (BITS:
 * IBackgroundCopyCallback)
 */
EXTERN_C DOSVC_API const IID IID_IBackgroundCopyCallback;

#if defined(__cplusplus) && !defined(CINTERFACE)

struct IBackgroundCopyCallback : public IUnknown {
        /* The job is TRANSFERRED: Complete it. Called again later until it returns S_OK. */
        virtual HRESULT STDMETHODCALLTYPE JobTransferred(IBackgroundCopyJob *pJob) = 0;

        /* The job is in ERROR. Called again later until it returns S_OK. */
        virtual HRESULT STDMETHODCALLTYPE JobError(IBackgroundCopyJob *pJob,
                                                   IBackgroundCopyError *pError) = 0;

        /* Bytes, properties or state changed; several changes may come as one, and late. */
        virtual HRESULT STDMETHODCALLTYPE JobModification(IBackgroundCopyJob *pJob,
                                                          DWORD dwReserved) = 0;
};

DOSVC_DECLARE_UUIDOF(IBackgroundCopyCallback, IID_IBackgroundCopyCallback)

#else

typedef struct IBackgroundCopyCallbackVtbl {
        HRESULT (STDMETHODCALLTYPE *QueryInterface)(IBackgroundCopyCallback *This, REFIID riid,
                                                    void **ppvObject);
        ULONG (STDMETHODCALLTYPE *AddRef)(IBackgroundCopyCallback *This);
        ULONG (STDMETHODCALLTYPE *Release)(IBackgroundCopyCallback *This);
        HRESULT (STDMETHODCALLTYPE *JobTransferred)(IBackgroundCopyCallback *This,
                                                    IBackgroundCopyJob *pJob);
        HRESULT (STDMETHODCALLTYPE *JobError)(IBackgroundCopyCallback *This,
                                              IBackgroundCopyJob *pJob,
                                              IBackgroundCopyError *pError);
        HRESULT (STDMETHODCALLTYPE *JobModification)(IBackgroundCopyCallback *This,
                                                     IBackgroundCopyJob *pJob, DWORD dwReserved);
} IBackgroundCopyCallbackVtbl;

struct IBackgroundCopyCallback {
        CONST_VTBL IBackgroundCopyCallbackVtbl *lpVtbl;
};

#ifdef COBJMACROS
#define IBackgroundCopyCallback_QueryInterface(This, riid, ppvObject) \
        (This)->lpVtbl->QueryInterface(This, riid, ppvObject)
#define IBackgroundCopyCallback_AddRef(This) (This)->lpVtbl->AddRef(This)
#define IBackgroundCopyCallback_Release(This) (This)->lpVtbl->Release(This)
#define IBackgroundCopyCallback_JobTransferred(This, pJob) \
        (This)->lpVtbl->JobTransferred(This, pJob)
#define IBackgroundCopyCallback_JobError(This, pJob, pError) \
        (This)->lpVtbl->JobError(This, pJob, pError)
#define IBackgroundCopyCallback_JobModification(This, pJob, dwReserved) \
        (This)->lpVtbl->JobModification(This, pJob, dwReserved)
#endif

#endif

/* IBackgroundCopyCallback2. A callback that hears of each file. (BITS: IBackgroundCopyCallback2) */
EXTERN_C DOSVC_API const IID IID_IBackgroundCopyCallback2;

#if defined(__cplusplus) && !defined(CINTERFACE)

struct IBackgroundCopyCallback2 : public IBackgroundCopyCallback {
        /* One file is there, though without its name (BG_NOTIFY_FILE_TRANSFERRED). */
        virtual HRESULT STDMETHODCALLTYPE FileTransferred(IBackgroundCopyJob *pJob,
                                                          IBackgroundCopyFile *pFile) = 0;
};

DOSVC_DECLARE_UUIDOF(IBackgroundCopyCallback2, IID_IBackgroundCopyCallback2)

#else

typedef struct IBackgroundCopyCallback2Vtbl {
        HRESULT (STDMETHODCALLTYPE *QueryInterface)(IBackgroundCopyCallback2 *This, REFIID riid,
                                                    void **ppvObject);
        ULONG (STDMETHODCALLTYPE *AddRef)(IBackgroundCopyCallback2 *This);
        ULONG (STDMETHODCALLTYPE *Release)(IBackgroundCopyCallback2 *This);
        HRESULT (STDMETHODCALLTYPE *JobTransferred)(IBackgroundCopyCallback2 *This,
                                                    IBackgroundCopyJob *pJob);
        HRESULT (STDMETHODCALLTYPE *JobError)(IBackgroundCopyCallback2 *This,
                                              IBackgroundCopyJob *pJob,
                                              IBackgroundCopyError *pError);
        HRESULT (STDMETHODCALLTYPE *JobModification)(IBackgroundCopyCallback2 *This,
                                                     IBackgroundCopyJob *pJob, DWORD dwReserved);
        HRESULT (STDMETHODCALLTYPE *FileTransferred)(IBackgroundCopyCallback2 *This,
                                                     IBackgroundCopyJob *pJob,
                                                     IBackgroundCopyFile *pFile);
} IBackgroundCopyCallback2Vtbl;

struct IBackgroundCopyCallback2 {
        CONST_VTBL IBackgroundCopyCallback2Vtbl *lpVtbl;
};

#ifdef COBJMACROS
#define IBackgroundCopyCallback2_QueryInterface(This, riid, ppvObject) \
        (This)->lpVtbl->QueryInterface(This, riid, ppvObject)
#define IBackgroundCopyCallback2_AddRef(This) (This)->lpVtbl->AddRef(This)
#define IBackgroundCopyCallback2_Release(This) (This)->lpVtbl->Release(This)
#define IBackgroundCopyCallback2_JobTransferred(This, pJob) \
        (This)->lpVtbl->JobTransferred(This, pJob)
#define IBackgroundCopyCallback2_JobError(This, pJob, pError) \
        (This)->lpVtbl->JobError(This, pJob, pError)
#define IBackgroundCopyCallback2_JobModification(This, pJob, dwReserved) \
        (This)->lpVtbl->JobModification(This, pJob, dwReserved)
#define IBackgroundCopyCallback2_FileTransferred(This, pJob, pFile) \
        (This)->lpVtbl->FileTransferred(This, pJob, pFile)
#endif

#endif

/*
 * IBackgroundCopyCallback3. A callback that hears of each range. (BITS:
 * IBackgroundCopyCallback3)
 */
EXTERN_C DOSVC_API const IID IID_IBackgroundCopyCallback3;

#if defined(__cplusplus) && !defined(CINTERFACE)

struct IBackgroundCopyCallback3 : public IBackgroundCopyCallback2 {
        /* Of a job in on-demand mode: new ranges are there (BG_NOTIFY_FILE_RANGES_TRANSFERRED). */
        virtual HRESULT STDMETHODCALLTYPE FileRangesTransferred(IBackgroundCopyJob *job,
                                                                IBackgroundCopyFile *file,
                                                                DWORD rangeCount,
                                                                const BG_FILE_RANGE ranges[]) = 0;
};

DOSVC_DECLARE_UUIDOF(IBackgroundCopyCallback3, IID_IBackgroundCopyCallback3)

#else

typedef struct IBackgroundCopyCallback3Vtbl {
        HRESULT (STDMETHODCALLTYPE *QueryInterface)(IBackgroundCopyCallback3 *This, REFIID riid,
                                                    void **ppvObject);
        ULONG (STDMETHODCALLTYPE *AddRef)(IBackgroundCopyCallback3 *This);
        ULONG (STDMETHODCALLTYPE *Release)(IBackgroundCopyCallback3 *This);
        HRESULT (STDMETHODCALLTYPE *JobTransferred)(IBackgroundCopyCallback3 *This,
                                                    IBackgroundCopyJob *pJob);
        HRESULT (STDMETHODCALLTYPE *JobError)(IBackgroundCopyCallback3 *This,
                                              IBackgroundCopyJob *pJob,
                                              IBackgroundCopyError *pError);
        HRESULT (STDMETHODCALLTYPE *JobModification)(IBackgroundCopyCallback3 *This,
                                                     IBackgroundCopyJob *pJob, DWORD dwReserved);
        HRESULT (STDMETHODCALLTYPE *FileTransferred)(IBackgroundCopyCallback3 *This,
                                                     IBackgroundCopyJob *pJob,
                                                     IBackgroundCopyFile *pFile);
        HRESULT (STDMETHODCALLTYPE *FileRangesTransferred)(IBackgroundCopyCallback3 *This,
                                                           IBackgroundCopyJob *job,
                                                           IBackgroundCopyFile *file,
                                                           DWORD rangeCount,
                                                           const BG_FILE_RANGE ranges[]);
} IBackgroundCopyCallback3Vtbl;

struct IBackgroundCopyCallback3 {
        CONST_VTBL IBackgroundCopyCallback3Vtbl *lpVtbl;
};

#ifdef COBJMACROS
#define IBackgroundCopyCallback3_QueryInterface(This, riid, ppvObject) \
        (This)->lpVtbl->QueryInterface(This, riid, ppvObject)
#define IBackgroundCopyCallback3_AddRef(This) (This)->lpVtbl->AddRef(This)
#define IBackgroundCopyCallback3_Release(This) (This)->lpVtbl->Release(This)
#define IBackgroundCopyCallback3_JobTransferred(This, pJob) \
        (This)->lpVtbl->JobTransferred(This, pJob)
#define IBackgroundCopyCallback3_JobError(This, pJob, pError) \
        (This)->lpVtbl->JobError(This, pJob, pError)
#define IBackgroundCopyCallback3_JobModification(This, pJob, dwReserved) \
        (This)->lpVtbl->JobModification(This, pJob, dwReserved)
#define IBackgroundCopyCallback3_FileTransferred(This, pJob, pFile) \
        (This)->lpVtbl->FileTransferred(This, pJob, pFile)
#define IBackgroundCopyCallback3_FileRangesTransferred(This, job, file, rangeCount, ranges) \
        (This)->lpVtbl->FileRangesTransferred(This, job, file, rangeCount, ranges)
#endif

#endif

/*
 * IBackgroundCopyJobHttpOptions. HTTP settings of a job; QueryInterface a job for it. (BITS:
 * IBackgroundCopyJobHttpOptions)
 */
EXTERN_C DOSVC_API const IID IID_IBackgroundCopyJobHttpOptions;

#if defined(__cplusplus) && !defined(CINTERFACE)

struct IBackgroundCopyJobHttpOptions : public IUnknown {
        /*
         * pCertHashBlob points to the 20 bytes of the certificate's SHA-1. Stores are folders:
         * see dosvc.conf(5). Whether it is there is seen when it is needed. E_NOTIMPL for a
         * place other than CURRENT_USER and LOCAL_MACHINE.
         */
        virtual HRESULT STDMETHODCALLTYPE SetClientCertificateByID(BG_CERT_STORE_LOCATION StoreLocation,
                                                                   LPCWSTR StoreName,
                                                                   BYTE *pCertHashBlob) = 0;

        /*
         * A certificate by its subject or common name, in either case; see
         * SetClientCertificateByID.
         */
        virtual HRESULT STDMETHODCALLTYPE SetClientCertificateByName(BG_CERT_STORE_LOCATION StoreLocation,
                                                                     LPCWSTR StoreName,
                                                                     LPCWSTR SubjectName) = 0;

        /* S_FALSE if there was none. */
        virtual HRESULT STDMETHODCALLTYPE RemoveClientCertificate() = 0;

        /* What was set, four values that the caller frees; E_NOT_SET if nothing. */
        virtual HRESULT STDMETHODCALLTYPE GetClientCertificate(BG_CERT_STORE_LOCATION *pStoreLocation,
                                                               LPWSTR *pStoreName,
                                                               BYTE **ppCertHashBlob,
                                                               LPWSTR *pSubjectName) = 0;

        /* Lines separated by CR LF, 16384 bytes (as UTF-8) with the NUL; NULL clears them. */
        virtual HRESULT STDMETHODCALLTYPE SetCustomHeaders(LPCWSTR RequestHeaders) = 0;

        /* S_FALSE and NULL if there are none. */
        virtual HRESULT STDMETHODCALLTYPE GetCustomHeaders(LPWSTR *pRequestHeaders) = 0;

        /* BG_SSL_ and BG_HTTP_REDIRECT_POLICY_ flags; E_NOTIMPL for unknown bits. */
        virtual HRESULT STDMETHODCALLTYPE SetSecurityFlags(ULONG Flags) = 0;

        /* BG_SSL_ and BG_HTTP_REDIRECT_ flags; 0 unless set. */
        virtual HRESULT STDMETHODCALLTYPE GetSecurityFlags(ULONG *pFlags) = 0;
};

DOSVC_DECLARE_UUIDOF(IBackgroundCopyJobHttpOptions, IID_IBackgroundCopyJobHttpOptions)

#else

typedef struct IBackgroundCopyJobHttpOptionsVtbl {
        HRESULT (STDMETHODCALLTYPE *QueryInterface)(IBackgroundCopyJobHttpOptions *This,
                                                    REFIID riid, void **ppvObject);
        ULONG (STDMETHODCALLTYPE *AddRef)(IBackgroundCopyJobHttpOptions *This);
        ULONG (STDMETHODCALLTYPE *Release)(IBackgroundCopyJobHttpOptions *This);
        HRESULT (STDMETHODCALLTYPE *SetClientCertificateByID)(IBackgroundCopyJobHttpOptions *This,
                                                              BG_CERT_STORE_LOCATION StoreLocation,
                                                              LPCWSTR StoreName,
                                                              BYTE *pCertHashBlob);
        HRESULT (STDMETHODCALLTYPE *SetClientCertificateByName)(IBackgroundCopyJobHttpOptions *This,
                                                                BG_CERT_STORE_LOCATION StoreLocation,
                                                                LPCWSTR StoreName,
                                                                LPCWSTR SubjectName);
        HRESULT (STDMETHODCALLTYPE *RemoveClientCertificate)(IBackgroundCopyJobHttpOptions *This);
        HRESULT (STDMETHODCALLTYPE *GetClientCertificate)(IBackgroundCopyJobHttpOptions *This,
                                                          BG_CERT_STORE_LOCATION *pStoreLocation,
                                                          LPWSTR *pStoreName, BYTE **ppCertHashBlob,
                                                          LPWSTR *pSubjectName);
        HRESULT (STDMETHODCALLTYPE *SetCustomHeaders)(IBackgroundCopyJobHttpOptions *This,
                                                      LPCWSTR RequestHeaders);
        HRESULT (STDMETHODCALLTYPE *GetCustomHeaders)(IBackgroundCopyJobHttpOptions *This,
                                                      LPWSTR *pRequestHeaders);
        HRESULT (STDMETHODCALLTYPE *SetSecurityFlags)(IBackgroundCopyJobHttpOptions *This,
                                                      ULONG Flags);
        HRESULT (STDMETHODCALLTYPE *GetSecurityFlags)(IBackgroundCopyJobHttpOptions *This,
                                                      ULONG *pFlags);
} IBackgroundCopyJobHttpOptionsVtbl;

struct IBackgroundCopyJobHttpOptions {
        CONST_VTBL IBackgroundCopyJobHttpOptionsVtbl *lpVtbl;
};

#ifdef COBJMACROS
#define IBackgroundCopyJobHttpOptions_QueryInterface(This, riid, ppvObject) \
        (This)->lpVtbl->QueryInterface(This, riid, ppvObject)
#define IBackgroundCopyJobHttpOptions_AddRef(This) (This)->lpVtbl->AddRef(This)
#define IBackgroundCopyJobHttpOptions_Release(This) (This)->lpVtbl->Release(This)
#define IBackgroundCopyJobHttpOptions_SetClientCertificateByID(This, StoreLocation, StoreName, pCertHashBlob) \
        (This)->lpVtbl->SetClientCertificateByID(This, StoreLocation, StoreName, pCertHashBlob)
#define IBackgroundCopyJobHttpOptions_SetClientCertificateByName(This, StoreLocation, StoreName, SubjectName) \
        (This)->lpVtbl->SetClientCertificateByName(This, StoreLocation, StoreName, SubjectName)
#define IBackgroundCopyJobHttpOptions_RemoveClientCertificate(This) \
        (This)->lpVtbl->RemoveClientCertificate(This)
#define IBackgroundCopyJobHttpOptions_GetClientCertificate(This, pStoreLocation, pStoreName, ppCertHashBlob, pSubjectName) \
        (This)->lpVtbl->GetClientCertificate(This, pStoreLocation, pStoreName, ppCertHashBlob, pSubjectName)
#define IBackgroundCopyJobHttpOptions_SetCustomHeaders(This, RequestHeaders) \
        (This)->lpVtbl->SetCustomHeaders(This, RequestHeaders)
#define IBackgroundCopyJobHttpOptions_GetCustomHeaders(This, pRequestHeaders) \
        (This)->lpVtbl->GetCustomHeaders(This, pRequestHeaders)
#define IBackgroundCopyJobHttpOptions_SetSecurityFlags(This, Flags) \
        (This)->lpVtbl->SetSecurityFlags(This, Flags)
#define IBackgroundCopyJobHttpOptions_GetSecurityFlags(This, pFlags) \
        (This)->lpVtbl->GetSecurityFlags(This, pFlags)
#endif

#endif

/*
 * IBackgroundCopyJobHttpOptions2. The method of the requests. (BITS:
 * IBackgroundCopyJobHttpOptions2)
 */
EXTERN_C DOSVC_API const IID IID_IBackgroundCopyJobHttpOptions2;

#if defined(__cplusplus) && !defined(CINTERFACE)

struct IBackgroundCopyJobHttpOptions2 : public IBackgroundCopyJobHttpOptions {
        /* Before the first Resume. Makes the job foreground and its network errors final. */
        virtual HRESULT STDMETHODCALLTYPE SetHttpMethod(LPCWSTR method) = 0;

        /* "GET" unless set. */
        virtual HRESULT STDMETHODCALLTYPE GetHttpMethod(LPWSTR *method) = 0;
};

DOSVC_DECLARE_UUIDOF(IBackgroundCopyJobHttpOptions2, IID_IBackgroundCopyJobHttpOptions2)

#else

typedef struct IBackgroundCopyJobHttpOptions2Vtbl {
        HRESULT (STDMETHODCALLTYPE *QueryInterface)(IBackgroundCopyJobHttpOptions2 *This,
                                                    REFIID riid, void **ppvObject);
        ULONG (STDMETHODCALLTYPE *AddRef)(IBackgroundCopyJobHttpOptions2 *This);
        ULONG (STDMETHODCALLTYPE *Release)(IBackgroundCopyJobHttpOptions2 *This);
        HRESULT (STDMETHODCALLTYPE *SetClientCertificateByID)(IBackgroundCopyJobHttpOptions2 *This,
                                                              BG_CERT_STORE_LOCATION StoreLocation,
                                                              LPCWSTR StoreName,
                                                              BYTE *pCertHashBlob);
        HRESULT (STDMETHODCALLTYPE *SetClientCertificateByName)(IBackgroundCopyJobHttpOptions2 *This,
                                                                BG_CERT_STORE_LOCATION StoreLocation,
                                                                LPCWSTR StoreName,
                                                                LPCWSTR SubjectName);
        HRESULT (STDMETHODCALLTYPE *RemoveClientCertificate)(IBackgroundCopyJobHttpOptions2 *This);
        HRESULT (STDMETHODCALLTYPE *GetClientCertificate)(IBackgroundCopyJobHttpOptions2 *This,
                                                          BG_CERT_STORE_LOCATION *pStoreLocation,
                                                          LPWSTR *pStoreName, BYTE **ppCertHashBlob,
                                                          LPWSTR *pSubjectName);
        HRESULT (STDMETHODCALLTYPE *SetCustomHeaders)(IBackgroundCopyJobHttpOptions2 *This,
                                                      LPCWSTR RequestHeaders);
        HRESULT (STDMETHODCALLTYPE *GetCustomHeaders)(IBackgroundCopyJobHttpOptions2 *This,
                                                      LPWSTR *pRequestHeaders);
        HRESULT (STDMETHODCALLTYPE *SetSecurityFlags)(IBackgroundCopyJobHttpOptions2 *This,
                                                      ULONG Flags);
        HRESULT (STDMETHODCALLTYPE *GetSecurityFlags)(IBackgroundCopyJobHttpOptions2 *This,
                                                      ULONG *pFlags);
        HRESULT (STDMETHODCALLTYPE *SetHttpMethod)(IBackgroundCopyJobHttpOptions2 *This,
                                                   LPCWSTR method);
        HRESULT (STDMETHODCALLTYPE *GetHttpMethod)(IBackgroundCopyJobHttpOptions2 *This,
                                                   LPWSTR *method);
} IBackgroundCopyJobHttpOptions2Vtbl;

struct IBackgroundCopyJobHttpOptions2 {
        CONST_VTBL IBackgroundCopyJobHttpOptions2Vtbl *lpVtbl;
};

#ifdef COBJMACROS
#define IBackgroundCopyJobHttpOptions2_QueryInterface(This, riid, ppvObject) \
        (This)->lpVtbl->QueryInterface(This, riid, ppvObject)
#define IBackgroundCopyJobHttpOptions2_AddRef(This) (This)->lpVtbl->AddRef(This)
#define IBackgroundCopyJobHttpOptions2_Release(This) (This)->lpVtbl->Release(This)
#define IBackgroundCopyJobHttpOptions2_SetClientCertificateByID(This, StoreLocation, StoreName, pCertHashBlob) \
        (This)->lpVtbl->SetClientCertificateByID(This, StoreLocation, StoreName, pCertHashBlob)
#define IBackgroundCopyJobHttpOptions2_SetClientCertificateByName(This, StoreLocation, StoreName, SubjectName) \
        (This)->lpVtbl->SetClientCertificateByName(This, StoreLocation, StoreName, SubjectName)
#define IBackgroundCopyJobHttpOptions2_RemoveClientCertificate(This) \
        (This)->lpVtbl->RemoveClientCertificate(This)
#define IBackgroundCopyJobHttpOptions2_GetClientCertificate(This, pStoreLocation, pStoreName, ppCertHashBlob, pSubjectName) \
        (This)->lpVtbl->GetClientCertificate(This, pStoreLocation, pStoreName, ppCertHashBlob, pSubjectName)
#define IBackgroundCopyJobHttpOptions2_SetCustomHeaders(This, RequestHeaders) \
        (This)->lpVtbl->SetCustomHeaders(This, RequestHeaders)
#define IBackgroundCopyJobHttpOptions2_GetCustomHeaders(This, pRequestHeaders) \
        (This)->lpVtbl->GetCustomHeaders(This, pRequestHeaders)
#define IBackgroundCopyJobHttpOptions2_SetSecurityFlags(This, Flags) \
        (This)->lpVtbl->SetSecurityFlags(This, Flags)
#define IBackgroundCopyJobHttpOptions2_GetSecurityFlags(This, pFlags) \
        (This)->lpVtbl->GetSecurityFlags(This, pFlags)
#define IBackgroundCopyJobHttpOptions2_SetHttpMethod(This, method) \
        (This)->lpVtbl->SetHttpMethod(This, method)
#define IBackgroundCopyJobHttpOptions2_GetHttpMethod(This, method) \
        (This)->lpVtbl->GetHttpMethod(This, method)
#endif

#endif

/*
 * IBackgroundCopyJobHttpOptions3. Certificates that the client judges, and headers that nobody
 * reads. (BITS: IBackgroundCopyJobHttpOptions3)
 */
EXTERN_C DOSVC_API const IID IID_IBackgroundCopyJobHttpOptions3;

#if defined(__cplusplus) && !defined(CINTERFACE)

struct IBackgroundCopyJobHttpOptions3 : public IBackgroundCopyJobHttpOptions2 {
        /*
         * The object's IBackgroundCopyServerCertificateValidationCallback is asked before
         * anything is sent to an https server; the last caller's. NULL removes it. That the job
         * wants it outlives the program: without an object the job waits in TRANSIENT_ERROR
         * with BG_E_SERVER_CERT_VALIDATION_INTERFACE_REQUIRED until one is set again.
         */
        virtual HRESULT STDMETHODCALLTYPE SetServerCertificateValidationInterface(IUnknown *certValidationCallback) = 0;

        /* From now on no method hands the headers out. Cannot be undone; always S_OK. */
        virtual HRESULT STDMETHODCALLTYPE MakeCustomHeadersWriteOnly() = 0;
};

DOSVC_DECLARE_UUIDOF(IBackgroundCopyJobHttpOptions3, IID_IBackgroundCopyJobHttpOptions3)

#else

typedef struct IBackgroundCopyJobHttpOptions3Vtbl {
        HRESULT (STDMETHODCALLTYPE *QueryInterface)(IBackgroundCopyJobHttpOptions3 *This,
                                                    REFIID riid, void **ppvObject);
        ULONG (STDMETHODCALLTYPE *AddRef)(IBackgroundCopyJobHttpOptions3 *This);
        ULONG (STDMETHODCALLTYPE *Release)(IBackgroundCopyJobHttpOptions3 *This);
        HRESULT (STDMETHODCALLTYPE *SetClientCertificateByID)(IBackgroundCopyJobHttpOptions3 *This,
                                                              BG_CERT_STORE_LOCATION StoreLocation,
                                                              LPCWSTR StoreName,
                                                              BYTE *pCertHashBlob);
        HRESULT (STDMETHODCALLTYPE *SetClientCertificateByName)(IBackgroundCopyJobHttpOptions3 *This,
                                                                BG_CERT_STORE_LOCATION StoreLocation,
                                                                LPCWSTR StoreName,
                                                                LPCWSTR SubjectName);
        HRESULT (STDMETHODCALLTYPE *RemoveClientCertificate)(IBackgroundCopyJobHttpOptions3 *This);
        HRESULT (STDMETHODCALLTYPE *GetClientCertificate)(IBackgroundCopyJobHttpOptions3 *This,
                                                          BG_CERT_STORE_LOCATION *pStoreLocation,
                                                          LPWSTR *pStoreName, BYTE **ppCertHashBlob,
                                                          LPWSTR *pSubjectName);
        HRESULT (STDMETHODCALLTYPE *SetCustomHeaders)(IBackgroundCopyJobHttpOptions3 *This,
                                                      LPCWSTR RequestHeaders);
        HRESULT (STDMETHODCALLTYPE *GetCustomHeaders)(IBackgroundCopyJobHttpOptions3 *This,
                                                      LPWSTR *pRequestHeaders);
        HRESULT (STDMETHODCALLTYPE *SetSecurityFlags)(IBackgroundCopyJobHttpOptions3 *This,
                                                      ULONG Flags);
        HRESULT (STDMETHODCALLTYPE *GetSecurityFlags)(IBackgroundCopyJobHttpOptions3 *This,
                                                      ULONG *pFlags);
        HRESULT (STDMETHODCALLTYPE *SetHttpMethod)(IBackgroundCopyJobHttpOptions3 *This,
                                                   LPCWSTR method);
        HRESULT (STDMETHODCALLTYPE *GetHttpMethod)(IBackgroundCopyJobHttpOptions3 *This,
                                                   LPWSTR *method);
        HRESULT (STDMETHODCALLTYPE *SetServerCertificateValidationInterface)(IBackgroundCopyJobHttpOptions3 *This,
                                                                             IUnknown *certValidationCallback);
        HRESULT (STDMETHODCALLTYPE *MakeCustomHeadersWriteOnly)(IBackgroundCopyJobHttpOptions3 *This);
} IBackgroundCopyJobHttpOptions3Vtbl;

struct IBackgroundCopyJobHttpOptions3 {
        CONST_VTBL IBackgroundCopyJobHttpOptions3Vtbl *lpVtbl;
};

#ifdef COBJMACROS
#define IBackgroundCopyJobHttpOptions3_QueryInterface(This, riid, ppvObject) \
        (This)->lpVtbl->QueryInterface(This, riid, ppvObject)
#define IBackgroundCopyJobHttpOptions3_AddRef(This) (This)->lpVtbl->AddRef(This)
#define IBackgroundCopyJobHttpOptions3_Release(This) (This)->lpVtbl->Release(This)
#define IBackgroundCopyJobHttpOptions3_SetClientCertificateByID(This, StoreLocation, StoreName, pCertHashBlob) \
        (This)->lpVtbl->SetClientCertificateByID(This, StoreLocation, StoreName, pCertHashBlob)
#define IBackgroundCopyJobHttpOptions3_SetClientCertificateByName(This, StoreLocation, StoreName, SubjectName) \
        (This)->lpVtbl->SetClientCertificateByName(This, StoreLocation, StoreName, SubjectName)
#define IBackgroundCopyJobHttpOptions3_RemoveClientCertificate(This) \
        (This)->lpVtbl->RemoveClientCertificate(This)
#define IBackgroundCopyJobHttpOptions3_GetClientCertificate(This, pStoreLocation, pStoreName, ppCertHashBlob, pSubjectName) \
        (This)->lpVtbl->GetClientCertificate(This, pStoreLocation, pStoreName, ppCertHashBlob, pSubjectName)
#define IBackgroundCopyJobHttpOptions3_SetCustomHeaders(This, RequestHeaders) \
        (This)->lpVtbl->SetCustomHeaders(This, RequestHeaders)
#define IBackgroundCopyJobHttpOptions3_GetCustomHeaders(This, pRequestHeaders) \
        (This)->lpVtbl->GetCustomHeaders(This, pRequestHeaders)
#define IBackgroundCopyJobHttpOptions3_SetSecurityFlags(This, Flags) \
        (This)->lpVtbl->SetSecurityFlags(This, Flags)
#define IBackgroundCopyJobHttpOptions3_GetSecurityFlags(This, pFlags) \
        (This)->lpVtbl->GetSecurityFlags(This, pFlags)
#define IBackgroundCopyJobHttpOptions3_SetHttpMethod(This, method) \
        (This)->lpVtbl->SetHttpMethod(This, method)
#define IBackgroundCopyJobHttpOptions3_GetHttpMethod(This, method) \
        (This)->lpVtbl->GetHttpMethod(This, method)
#define IBackgroundCopyJobHttpOptions3_SetServerCertificateValidationInterface(This, certValidationCallback) \
        (This)->lpVtbl->SetServerCertificateValidationInterface(This, certValidationCallback)
#define IBackgroundCopyJobHttpOptions3_MakeCustomHeadersWriteOnly(This) \
        (This)->lpVtbl->MakeCustomHeadersWriteOnly(This)
#endif

#endif

/*
 * IBackgroundCopyServerCertificateValidationCallback. Implemented by the client; see
 * IBackgroundCopyJobHttpOptions3.
 */
EXTERN_C DOSVC_API const IID IID_IBackgroundCopyServerCertificateValidationCallback;

#if defined(__cplusplus) && !defined(CINTERFACE)

struct IBackgroundCopyServerCertificateValidationCallback : public IUnknown {
        /*
         * S_OK accepts the server's certificate, which has passed verification before, for all
         * files of the job. Any other result puts the job into TRANSIENT_ERROR with it and
         * BG_ERROR_CONTEXT_SERVER_CERTIFICATE_CALLBACK; so does no answer in 30 seconds, as if
         * there were no object. certData: the server's own certificate, DER. certEncodingType:
         * 0x10001 (X.509, PKCS #7). certStoreData: PKCS #7 with all that the server sent.
         */
        virtual HRESULT STDMETHODCALLTYPE ValidateServerCertificate(IBackgroundCopyJob *job,
                                                                    IBackgroundCopyFile *file,
                                                                    DWORD certLength,
                                                                    const BYTE certData[],
                                                                    DWORD certEncodingType,
                                                                    DWORD certStoreLength,
                                                                    const BYTE certStoreData[]) = 0;
};

DOSVC_DECLARE_UUIDOF(IBackgroundCopyServerCertificateValidationCallback, IID_IBackgroundCopyServerCertificateValidationCallback)

#else

typedef struct IBackgroundCopyServerCertificateValidationCallbackVtbl {
        HRESULT (STDMETHODCALLTYPE *QueryInterface)(IBackgroundCopyServerCertificateValidationCallback *This,
                                                    REFIID riid, void **ppvObject);
        ULONG (STDMETHODCALLTYPE *AddRef)(IBackgroundCopyServerCertificateValidationCallback *This);
        ULONG (STDMETHODCALLTYPE *Release)(IBackgroundCopyServerCertificateValidationCallback *This);
        HRESULT (STDMETHODCALLTYPE *ValidateServerCertificate)(IBackgroundCopyServerCertificateValidationCallback *This,
                                                               IBackgroundCopyJob *job,
                                                               IBackgroundCopyFile *file,
                                                               DWORD certLength,
                                                               const BYTE certData[],
                                                               DWORD certEncodingType,
                                                               DWORD certStoreLength,
                                                               const BYTE certStoreData[]);
} IBackgroundCopyServerCertificateValidationCallbackVtbl;

struct IBackgroundCopyServerCertificateValidationCallback {
        CONST_VTBL IBackgroundCopyServerCertificateValidationCallbackVtbl *lpVtbl;
};

#ifdef COBJMACROS
#define IBackgroundCopyServerCertificateValidationCallback_QueryInterface(This, riid, ppvObject) \
        (This)->lpVtbl->QueryInterface(This, riid, ppvObject)
#define IBackgroundCopyServerCertificateValidationCallback_AddRef(This) (This)->lpVtbl->AddRef(This)
#define IBackgroundCopyServerCertificateValidationCallback_Release(This) \
        (This)->lpVtbl->Release(This)
#define IBackgroundCopyServerCertificateValidationCallback_ValidateServerCertificate(This, job, file, certLength, certData, certEncodingType, certStoreLength, certStoreData) \
        (This)->lpVtbl->ValidateServerCertificate(This, job, file, certLength, certData, certEncodingType, certStoreLength, certStoreData)
#endif

#endif

/*
 * IBitsTokenOptions. Helper tokens have no meaning here: these methods answer E_NOTIMPL. (BITS:
 * IBitsTokenOptions)
 */
EXTERN_C DOSVC_API const IID IID_IBitsTokenOptions;

#if defined(__cplusplus) && !defined(CINTERFACE)

struct IBitsTokenOptions : public IUnknown {
        /* Tokens have no meaning here: E_NOTIMPL. */
        virtual HRESULT STDMETHODCALLTYPE SetHelperTokenFlags(BG_TOKEN UsageFlags) = 0;

        /* Tokens have no meaning here: E_NOTIMPL. */
        virtual HRESULT STDMETHODCALLTYPE GetHelperTokenFlags(BG_TOKEN *pFlags) = 0;

        /* Tokens have no meaning here: E_NOTIMPL. */
        virtual HRESULT STDMETHODCALLTYPE SetHelperToken() = 0;

        /* Tokens have no meaning here: E_NOTIMPL. */
        virtual HRESULT STDMETHODCALLTYPE ClearHelperToken() = 0;

        /* Tokens have no meaning here: E_NOTIMPL. */
        virtual HRESULT STDMETHODCALLTYPE GetHelperTokenSid(BG_TOKEN TokenType, LPWSTR *pSid) = 0;
};

DOSVC_DECLARE_UUIDOF(IBitsTokenOptions, IID_IBitsTokenOptions)

#else

typedef struct IBitsTokenOptionsVtbl {
        HRESULT (STDMETHODCALLTYPE *QueryInterface)(IBitsTokenOptions *This, REFIID riid,
                                                    void **ppvObject);
        ULONG (STDMETHODCALLTYPE *AddRef)(IBitsTokenOptions *This);
        ULONG (STDMETHODCALLTYPE *Release)(IBitsTokenOptions *This);
        HRESULT (STDMETHODCALLTYPE *SetHelperTokenFlags)(IBitsTokenOptions *This,
                                                         BG_TOKEN UsageFlags);
        HRESULT (STDMETHODCALLTYPE *GetHelperTokenFlags)(IBitsTokenOptions *This, BG_TOKEN *pFlags);
        HRESULT (STDMETHODCALLTYPE *SetHelperToken)(IBitsTokenOptions *This);
        HRESULT (STDMETHODCALLTYPE *ClearHelperToken)(IBitsTokenOptions *This);
        HRESULT (STDMETHODCALLTYPE *GetHelperTokenSid)(IBitsTokenOptions *This, BG_TOKEN TokenType,
                                                       LPWSTR *pSid);
} IBitsTokenOptionsVtbl;

struct IBitsTokenOptions {
        CONST_VTBL IBitsTokenOptionsVtbl *lpVtbl;
};

#ifdef COBJMACROS
#define IBitsTokenOptions_QueryInterface(This, riid, ppvObject) \
        (This)->lpVtbl->QueryInterface(This, riid, ppvObject)
#define IBitsTokenOptions_AddRef(This) (This)->lpVtbl->AddRef(This)
#define IBitsTokenOptions_Release(This) (This)->lpVtbl->Release(This)
#define IBitsTokenOptions_SetHelperTokenFlags(This, UsageFlags) \
        (This)->lpVtbl->SetHelperTokenFlags(This, UsageFlags)
#define IBitsTokenOptions_GetHelperTokenFlags(This, pFlags) \
        (This)->lpVtbl->GetHelperTokenFlags(This, pFlags)
#define IBitsTokenOptions_SetHelperToken(This) (This)->lpVtbl->SetHelperToken(This)
#define IBitsTokenOptions_ClearHelperToken(This) (This)->lpVtbl->ClearHelperToken(This)
#define IBitsTokenOptions_GetHelperTokenSid(This, TokenType, pSid) \
        (This)->lpVtbl->GetHelperTokenSid(This, TokenType, pSid)
#endif

#endif

#ifdef __cplusplus
#pragma GCC diagnostic pop
#endif

#endif

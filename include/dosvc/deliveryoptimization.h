/*
 * deliveryoptimization.h: Delivery Optimization.
 *
 * Two ways in, both by CoCreateInstance(CLSID_DeliveryOptimization, NULL, CLSCTX_LOCAL_SERVER,
 * ...): IID_IBackgroundCopyManager for jobs of several files, to which files are added through
 * IDeliveryOptimizationJob; IID_IDOManager for single downloads with properties. The job
 * interfaces are those of bits.h, their errors are DO_E_ codes. What bits.h says about
 * ownership holds here.
 *
 * Made by tools/generate_headers.py from idl/deliveryoptimization.idl: change it there.
 */
#ifndef DOSVC_DELIVERYOPTIMIZATION_H
#define DOSVC_DELIVERYOPTIMIZATION_H

#include "dosvc-stream.h"
#include "dosvc-variant.h"
#include "bits.h"
#include "deliveryoptimizationerrors.h"

typedef struct IDODownload IDODownload;
typedef struct IDOManager IDOManager;
typedef struct IDODownloadStatusCallback IDODownloadStatusCallback;
typedef struct IDeliveryOptimizationJob IDeliveryOptimizationJob;
typedef struct IDeliveryOptimizationJob2 IDeliveryOptimizationJob2;
typedef struct IDeliveryOptimizationFile IDeliveryOptimizationFile;
typedef struct IDeliveryOptimizationFile2 IDeliveryOptimizationFile2;

/* Class and type library */
EXTERN_C DOSVC_API const GUID CLSID_DeliveryOptimization;
EXTERN_C DOSVC_API const GUID LIBID_DeliveryOptimization;

#ifdef __cplusplus
class DeliveryOptimization;
DOSVC_DECLARE_UUIDOF(DeliveryOptimization, CLSID_DeliveryOptimization)
#endif

/* Sizes that mean something else */
#define DO_LENGTH_TO_EOF ((UINT64) -1) /* DO_DOWNLOAD_RANGE.Length: up to the end */
#define DO_UNKNOWN_FILE_SIZE ((UINT64) -1)

/* How peers are used. */
typedef enum DownloadMode {
        DownloadMode_CdnOnly = 0,
        DownloadMode_Lan = 1,
        DownloadMode_Group = 2,
        DownloadMode_Internet = 3,
        DownloadMode_Simple = 99,
        DownloadMode_Bypass = 100
} DownloadMode;

typedef enum SwarmStatus {
        SwarmStatus_Downloading = 0,
        SwarmStatus_Complete = 1,
        SwarmStatus_Caching = 2,
        SwarmStatus_Paused = 3
} SwarmStatus;

/* Where a download stands. Finalized and Aborted are final. */
typedef enum DODownloadState {
        DODownloadState_Created = 0,
        DODownloadState_Transferring = 1,
        DODownloadState_Transferred = 2, /* all bytes are there; waits for Finalize */
        DODownloadState_Finalized = 3,
        DODownloadState_Aborted = 4,
        DODownloadState_Paused = 5 /* by Pause, or by an error: see DO_DOWNLOAD_STATUS */
} DODownloadState;

typedef enum DODownloadCostPolicy {
        DODownloadCostPolicy_Always = 0,
        DODownloadCostPolicy_Unrestricted = 1,
        DODownloadCostPolicy_Standard = 2,
        DODownloadCostPolicy_NoRoaming = 3,
        DODownloadCostPolicy_NoSurcharge = 4,
        DODownloadCostPolicy_NoCellular = 5 /* deprecated: DisallowOnCellular */
} DODownloadCostPolicy;

/* Properties of a download with the VARIANT type of each. RO is read-only, WO write-only. */
typedef enum DODownloadProperty {
        DODownloadProperty_Id = 0, /* VT_BSTR, RO */
        DODownloadProperty_Uri = 1, /* VT_BSTR; this or ContentId */
        DODownloadProperty_ContentId = 2, /* VT_BSTR */
        DODownloadProperty_DisplayName = 3, /* VT_BSTR */
        DODownloadProperty_LocalPath = 4, /* VT_BSTR; absolute, appears with Finalize */
        DODownloadProperty_HttpCustomHeaders = 5, /* VT_BSTR; lines separated by CR LF */
        DODownloadProperty_CostPolicy = 6, /* VT_UI4, DODownloadCostPolicy */
        DODownloadProperty_SecurityFlags = 7, /* VT_UI4, WinHTTP flags */
        DODownloadProperty_CallbackFreqPercent = 8, /* VT_UI4 */
        DODownloadProperty_CallbackFreqSeconds = 9, /* VT_UI4; 1 unless set */
        /* VT_UI4; at least 60, 0 for the default */
        DODownloadProperty_NoProgressTimeoutSeconds = 10,
        DODownloadProperty_ForegroundPriority = 11, /* VT_BOOL; background unless set */
        DODownloadProperty_BlockingMode = 12, /* VT_BOOL; Start returns at the end or on error */
        DODownloadProperty_CallbackInterface = 13, /* VT_UNKNOWN, IDODownloadStatusCallback */
        DODownloadProperty_StreamInterface = 14, /* VT_UNKNOWN, IStream; instead of LocalPath */
        /*
         * VT_ARRAY | VT_UI1, write-only: a certificate (DER, PEM, serialized CERT_CONTEXT); its
         * key is in the owner's store MY
         */
        DODownloadProperty_SecurityContext = 15,
        DODownloadProperty_NetworkToken = 16, /* VT_BOOL */
        DODownloadProperty_CorrelationVector = 17, /* VT_BSTR */
        DODownloadProperty_DecryptionInfo = 18, /* VT_BSTR, JSON, WO */
        DODownloadProperty_IntegrityCheckInfo = 19, /* VT_BSTR, JSON, WO */
        DODownloadProperty_IntegrityCheckMandatory = 20, /* VT_BOOL */
        DODownloadProperty_TotalSizeBytes = 21, /* VT_UI8 */
        DODownloadProperty_DisallowOnCellular = 22, /* VT_BOOL; whatever CostPolicy says */
        /* VT_BSTR, write-only; sent only when challenged */
        DODownloadProperty_HttpCustomAuthHeaders = 23,
        DODownloadProperty_HttpAllowSecureToNonSecureRedirect = 24, /* VT_BOOL; FALSE unless set */
        DODownloadProperty_NonVolatile = 25, /* VT_BOOL; FALSE: lives as long as its client */
        DODownloadProperty_HttpRedirectionTarget = 26, /* VT_BSTR, RO */
        DODownloadProperty_HttpResponseHeaders = 27, /* VT_BSTR, RO */
        DODownloadProperty_HttpServerIPAddress = 28, /* VT_BSTR, RO */
        DODownloadProperty_HttpStatusCode = 29 /* VT_UI4, RO */
} DODownloadProperty;

/* Deprecated numbering of some of them. */
typedef enum DODownloadPropertyEx {
        DODownloadPropertyEx_UpdateId = 0,
        DODownloadPropertyEx_CorrelationVector = 1,
        DODownloadPropertyEx_DecryptionInfo = 2,
        DODownloadPropertyEx_IntegrityCheckInfo = 3,
        DODownloadPropertyEx_IntegrityCheckMandatory = 4,
        DODownloadPropertyEx_TotalSizeBytes = 5,
        DODownloadPropertyEx_TempLocalFileUsage = 6
} DODownloadPropertyEx;

/* Properties of a job (IDeliveryOptimizationJob2). */
typedef enum DOJobPropertyId {
        DOJobPropertyId_ExtendedErrorInfo = 0 /* VT_BSTR, RO */
} DOJobPropertyId;

/* Properties of a file (IDeliveryOptimizationFile2). */
typedef enum DOFilePropertyId {
        DOFilePropertyId_DecryptionInfo = 0, /* VT_BSTR, JSON, WO */
        DOFilePropertyId_IntegrityCheckInfo = 1, /* VT_BSTR, JSON, WO */
        DOFilePropertyId_IntegrityCheckMandatory = 2, /* VT_BOOL */
        DOFilePropertyId_DownloadSinkInterface = 3, /* VT_UNKNOWN, IStream; instead of a path */
        DOFilePropertyId_DownloadSinkFilePath = 4, /* VT_BSTR */
        DOFilePropertyId_DownloadSinkMemoryStream = 5, /* deprecated */
        DOFilePropertyId_TotalSizeBytes = 6 /* VT_UI8 */
} DOFilePropertyId;

typedef struct DO_DOWNLOAD_RANGE {
        UINT64 Offset;
        UINT64 Length; /* or DO_LENGTH_TO_EOF */
} DO_DOWNLOAD_RANGE;

/* Allocate room for RangeCount of them. */
typedef struct DO_DOWNLOAD_RANGES_INFO {
        UINT RangeCount; /* 0: the whole file */
        DO_DOWNLOAD_RANGE Ranges[1];
} DO_DOWNLOAD_RANGES_INFO;

typedef struct DO_DOWNLOAD_STATUS {
        UINT64 BytesTotal;
        UINT64 BytesTransferred;
        DODownloadState State;
        HRESULT Error; /* why it is paused; S_OK if it goes on by itself */
        HRESULT ExtendedError; /* the detail, also of a transient obstacle */
} DO_DOWNLOAD_STATUS;

/* A filter: downloads whose property has this value. */
typedef struct DO_DOWNLOAD_ENUM_CATEGORY {
        DODownloadProperty Property; /* Id, Uri, ContentId, DisplayName or LocalPath */
        LPCWSTR Value;
} DO_DOWNLOAD_ENUM_CATEGORY;

/* Sources of one file's bytes. The caller frees both strings. */
typedef struct DOSwarmStats {
        LPWSTR fileId;
        LPWSTR sourceURL;
        UINT64 fileSize;
        UINT64 totalBytesDownloaded;
        UINT64 bytesFromLanPeers;
        UINT64 bytesFromGroupPeers;
        UINT64 bytesFromInternetPeers;
        UINT64 bytesFromHttp; /* of cache servers and mirrors, too */
        UINT64 bytesFromDoinc; /* always 0: see bytesFromHttp */
        UINT64 bytesToLanPeers;
        UINT64 bytesToGroupPeers;
        UINT64 bytesToInternetPeers;
        UINT httpConnectionCount;
        UINT doincConnectionCount;
        UINT lanConnectionCount;
        UINT groupConnectionCount;
        UINT internetConnectionCount;
        UINT downloadDuration; /* milliseconds */
        DownloadMode downloadMode;
        SwarmStatus status;
        BOOL isBackground;
} DOSwarmStats;

#ifdef __cplusplus
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wnon-virtual-dtor"
#endif

/* IDODownload. One download: one URI, to a file or a stream. (DO: IDODownload) */
EXTERN_C DOSVC_API const IID IID_IDODownload;

#if defined(__cplusplus) && !defined(CINTERFACE)

struct IDODownload : public IUnknown {
        /*
         * Starts or goes on; NULL means the whole file. A stream's first Start needs ranges: 0
         * to DO_LENGTH_TO_EOF is the whole file. DO_E_DOWNLOAD_NO_URI, DO_E_LOCALPATH_NOT_SET,
         * DO_E_DOWNLOAD_RANGES_EXPECTED, DO_E_DOWNLOAD_RANGES_UNEXPECTED. May be called again
         * in Transferred with other ranges.
         */
        virtual HRESULT STDMETHODCALLTYPE Start(const DO_DOWNLOAD_RANGES_INFO *ranges) = 0;

        /* Stops and keeps what is there. */
        virtual HRESULT STDMETHODCALLTYPE Pause() = 0;

        /* Ends the download and removes its files. */
        virtual HRESULT STDMETHODCALLTYPE Abort() = 0;

        /* Gives the file its name and ends the download. Only in Transferred. */
        virtual HRESULT STDMETHODCALLTYPE Finalize() = 0;

        /* Bytes, state, and why it is paused; of a transient obstacle the detail only. */
        virtual HRESULT STDMETHODCALLTYPE GetStatus(DO_DOWNLOAD_STATUS *status) = 0;

        /*
         * A value that the caller clears. DO_E_UNKNOWN_PROPERTY_ID, DO_E_WRITE_ONLY_PROPERTY,
         * E_NOT_SET.
         */
        virtual HRESULT STDMETHODCALLTYPE GetProperty(DODownloadProperty propId,
                                                      VARIANT *propVal) = 0;

        /*
         * Takes a copy. DO_E_UNKNOWN_PROPERTY_ID, DO_E_READ_ONLY_PROPERTY, DO_E_INVALID_STATE,
         * E_INVALIDARG for another VARIANT type.
         */
        virtual HRESULT STDMETHODCALLTYPE SetProperty(DODownloadProperty propId,
                                                      const VARIANT *propVal) = 0;
};

DOSVC_DECLARE_UUIDOF(IDODownload, IID_IDODownload)

#else

typedef struct IDODownloadVtbl {
        HRESULT (STDMETHODCALLTYPE *QueryInterface)(IDODownload *This, REFIID riid,
                                                    void **ppvObject);
        ULONG (STDMETHODCALLTYPE *AddRef)(IDODownload *This);
        ULONG (STDMETHODCALLTYPE *Release)(IDODownload *This);
        HRESULT (STDMETHODCALLTYPE *Start)(IDODownload *This,
                                           const DO_DOWNLOAD_RANGES_INFO *ranges);
        HRESULT (STDMETHODCALLTYPE *Pause)(IDODownload *This);
        HRESULT (STDMETHODCALLTYPE *Abort)(IDODownload *This);
        HRESULT (STDMETHODCALLTYPE *Finalize)(IDODownload *This);
        HRESULT (STDMETHODCALLTYPE *GetStatus)(IDODownload *This, DO_DOWNLOAD_STATUS *status);
        HRESULT (STDMETHODCALLTYPE *GetProperty)(IDODownload *This, DODownloadProperty propId,
                                                 VARIANT *propVal);
        HRESULT (STDMETHODCALLTYPE *SetProperty)(IDODownload *This, DODownloadProperty propId,
                                                 const VARIANT *propVal);
} IDODownloadVtbl;

struct IDODownload {
        CONST_VTBL IDODownloadVtbl *lpVtbl;
};

#ifdef COBJMACROS
#define IDODownload_QueryInterface(This, riid, ppvObject) \
        (This)->lpVtbl->QueryInterface(This, riid, ppvObject)
#define IDODownload_AddRef(This) (This)->lpVtbl->AddRef(This)
#define IDODownload_Release(This) (This)->lpVtbl->Release(This)
#define IDODownload_Start(This, ranges) (This)->lpVtbl->Start(This, ranges)
#define IDODownload_Pause(This) (This)->lpVtbl->Pause(This)
#define IDODownload_Abort(This) (This)->lpVtbl->Abort(This)
#define IDODownload_Finalize(This) (This)->lpVtbl->Finalize(This)
#define IDODownload_GetStatus(This, status) (This)->lpVtbl->GetStatus(This, status)
#define IDODownload_GetProperty(This, propId, propVal) \
        (This)->lpVtbl->GetProperty(This, propId, propVal)
#define IDODownload_SetProperty(This, propId, propVal) \
        (This)->lpVtbl->SetProperty(This, propId, propVal)
#endif

#endif

/* IDOManager. The way in to downloads. (DO: IDOManager) */
EXTERN_C DOSVC_API const IID IID_IDOManager;

#if defined(__cplusplus) && !defined(CINTERFACE)

struct IDOManager : public IUnknown {
        /* A new download in Created. */
        virtual HRESULT STDMETHODCALLTYPE CreateDownload(IDODownload **download) = 0;

        /* The caller's own, all of them if category is NULL; DO_E_NO_DOWNLOADS for none. */
        virtual HRESULT STDMETHODCALLTYPE EnumDownloads(const DO_DOWNLOAD_ENUM_CATEGORY *category,
                                                        IEnumUnknown **ppEnum) = 0;
};

DOSVC_DECLARE_UUIDOF(IDOManager, IID_IDOManager)

#else

typedef struct IDOManagerVtbl {
        HRESULT (STDMETHODCALLTYPE *QueryInterface)(IDOManager *This, REFIID riid,
                                                    void **ppvObject);
        ULONG (STDMETHODCALLTYPE *AddRef)(IDOManager *This);
        ULONG (STDMETHODCALLTYPE *Release)(IDOManager *This);
        HRESULT (STDMETHODCALLTYPE *CreateDownload)(IDOManager *This, IDODownload **download);
        HRESULT (STDMETHODCALLTYPE *EnumDownloads)(IDOManager *This,
                                                   const DO_DOWNLOAD_ENUM_CATEGORY *category,
                                                   IEnumUnknown **ppEnum);
} IDOManagerVtbl;

struct IDOManager {
        CONST_VTBL IDOManagerVtbl *lpVtbl;
};

#ifdef COBJMACROS
#define IDOManager_QueryInterface(This, riid, ppvObject) \
        (This)->lpVtbl->QueryInterface(This, riid, ppvObject)
#define IDOManager_AddRef(This) (This)->lpVtbl->AddRef(This)
#define IDOManager_Release(This) (This)->lpVtbl->Release(This)
#define IDOManager_CreateDownload(This, download) (This)->lpVtbl->CreateDownload(This, download)
#define IDOManager_EnumDownloads(This, category, ppEnum) \
        (This)->lpVtbl->EnumDownloads(This, category, ppEnum)
#endif

#endif

/*
 * IDODownloadStatusCallback. Implemented by the client; see
 * DODownloadProperty_CallbackInterface. Calls come on a thread of the library. (DO:
 * IDODownloadStatusCallback)
 */
EXTERN_C DOSVC_API const IID IID_IDODownloadStatusCallback;

#if defined(__cplusplus) && !defined(CINTERFACE)

struct IDODownloadStatusCallback : public IUnknown {
        /* On a change of state, and as often as CallbackFreqSeconds and -Percent say. */
        virtual HRESULT STDMETHODCALLTYPE OnStatusChange(IDODownload *download,
                                                         const DO_DOWNLOAD_STATUS *status) = 0;
};

DOSVC_DECLARE_UUIDOF(IDODownloadStatusCallback, IID_IDODownloadStatusCallback)

#else

typedef struct IDODownloadStatusCallbackVtbl {
        HRESULT (STDMETHODCALLTYPE *QueryInterface)(IDODownloadStatusCallback *This, REFIID riid,
                                                    void **ppvObject);
        ULONG (STDMETHODCALLTYPE *AddRef)(IDODownloadStatusCallback *This);
        ULONG (STDMETHODCALLTYPE *Release)(IDODownloadStatusCallback *This);
        HRESULT (STDMETHODCALLTYPE *OnStatusChange)(IDODownloadStatusCallback *This,
                                                    IDODownload *download,
                                                    const DO_DOWNLOAD_STATUS *status);
} IDODownloadStatusCallbackVtbl;

struct IDODownloadStatusCallback {
        CONST_VTBL IDODownloadStatusCallbackVtbl *lpVtbl;
};

#ifdef COBJMACROS
#define IDODownloadStatusCallback_QueryInterface(This, riid, ppvObject) \
        (This)->lpVtbl->QueryInterface(This, riid, ppvObject)
#define IDODownloadStatusCallback_AddRef(This) (This)->lpVtbl->AddRef(This)
#define IDODownloadStatusCallback_Release(This) (This)->lpVtbl->Release(This)
#define IDODownloadStatusCallback_OnStatusChange(This, download, status) \
        (This)->lpVtbl->OnStatusChange(This, download, status)
#endif

#endif

/*
 * IDeliveryOptimizationJob. How files get into a job of this family; QueryInterface a job for
 * it. (DO: IDeliveryOptimizationJob)
 */
EXTERN_C DOSVC_API const IID IID_IDeliveryOptimizationJob;

#if defined(__cplusplus) && !defined(CINTERFACE)

struct IDeliveryOptimizationJob : public IUnknown {
        /*
         * fileId names the content and is unique; no ranges (0, NULL) is the whole file;
         * fileSize in bytes or DO_UNKNOWN_FILE_SIZE. E_INVALIDARG, E_ACCESSDENIED,
         * DO_E_INVALID_RANGE, DO_E_OVERLAPPING_RANGES.
         */
        virtual HRESULT STDMETHODCALLTYPE AddFileWithRanges(LPCWSTR fileId, LPCWSTR remoteUrl,
                                                            LPCWSTR localName, DWORD rangeCount,
                                                            BG_FILE_RANGE ranges[],
                                                            UINT64 fileSize) = 0;
};

DOSVC_DECLARE_UUIDOF(IDeliveryOptimizationJob, IID_IDeliveryOptimizationJob)

#else

typedef struct IDeliveryOptimizationJobVtbl {
        HRESULT (STDMETHODCALLTYPE *QueryInterface)(IDeliveryOptimizationJob *This, REFIID riid,
                                                    void **ppvObject);
        ULONG (STDMETHODCALLTYPE *AddRef)(IDeliveryOptimizationJob *This);
        ULONG (STDMETHODCALLTYPE *Release)(IDeliveryOptimizationJob *This);
        HRESULT (STDMETHODCALLTYPE *AddFileWithRanges)(IDeliveryOptimizationJob *This,
                                                       LPCWSTR fileId, LPCWSTR remoteUrl,
                                                       LPCWSTR localName, DWORD rangeCount,
                                                       BG_FILE_RANGE ranges[], UINT64 fileSize);
} IDeliveryOptimizationJobVtbl;

struct IDeliveryOptimizationJob {
        CONST_VTBL IDeliveryOptimizationJobVtbl *lpVtbl;
};

#ifdef COBJMACROS
#define IDeliveryOptimizationJob_QueryInterface(This, riid, ppvObject) \
        (This)->lpVtbl->QueryInterface(This, riid, ppvObject)
#define IDeliveryOptimizationJob_AddRef(This) (This)->lpVtbl->AddRef(This)
#define IDeliveryOptimizationJob_Release(This) (This)->lpVtbl->Release(This)
#define IDeliveryOptimizationJob_AddFileWithRanges(This, fileId, remoteUrl, localName, rangeCount, ranges, fileSize) \
        (This)->lpVtbl->AddFileWithRanges(This, fileId, remoteUrl, localName, rangeCount, ranges, fileSize)
#endif

#endif

/*
 * IDeliveryOptimizationJob2. Files whose destination comes later, and the detail of an error.
 * (DO: IDeliveryOptimizationJob2)
 */
EXTERN_C DOSVC_API const IID IID_IDeliveryOptimizationJob2;

#if defined(__cplusplus) && !defined(CINTERFACE)

struct IDeliveryOptimizationJob2 : public IUnknown {
        /*
         * A file whose destination comes later, by IDeliveryOptimizationFile2::SetProperty
         * (DownloadSinkFilePath or DownloadSinkInterface). riid is
         * IID_IDeliveryOptimizationFile.
         */
        virtual HRESULT STDMETHODCALLTYPE AddFile(LPCWSTR fileId, LPCWSTR remoteUrl,
                                                  DWORD rangeCount, BG_FILE_RANGE ranges[],
                                                  REFIID riid, void **file) = 0;

        /* A value that the caller clears; E_NOT_SET for none. */
        virtual HRESULT STDMETHODCALLTYPE GetProperty(DOJobPropertyId propId, VARIANT *propVal) = 0;

        /* Always fails: DO_E_READ_ONLY_PROPERTY or DO_E_UNKNOWN_PROPERTY_ID. */
        virtual HRESULT STDMETHODCALLTYPE SetProperty(DOJobPropertyId propId,
                                                      const VARIANT *propVal) = 0;
};

DOSVC_DECLARE_UUIDOF(IDeliveryOptimizationJob2, IID_IDeliveryOptimizationJob2)

#else

typedef struct IDeliveryOptimizationJob2Vtbl {
        HRESULT (STDMETHODCALLTYPE *QueryInterface)(IDeliveryOptimizationJob2 *This, REFIID riid,
                                                    void **ppvObject);
        ULONG (STDMETHODCALLTYPE *AddRef)(IDeliveryOptimizationJob2 *This);
        ULONG (STDMETHODCALLTYPE *Release)(IDeliveryOptimizationJob2 *This);
        HRESULT (STDMETHODCALLTYPE *AddFile)(IDeliveryOptimizationJob2 *This, LPCWSTR fileId,
                                             LPCWSTR remoteUrl, DWORD rangeCount,
                                             BG_FILE_RANGE ranges[], REFIID riid, void **file);
        HRESULT (STDMETHODCALLTYPE *GetProperty)(IDeliveryOptimizationJob2 *This,
                                                 DOJobPropertyId propId, VARIANT *propVal);
        HRESULT (STDMETHODCALLTYPE *SetProperty)(IDeliveryOptimizationJob2 *This,
                                                 DOJobPropertyId propId, const VARIANT *propVal);
} IDeliveryOptimizationJob2Vtbl;

struct IDeliveryOptimizationJob2 {
        CONST_VTBL IDeliveryOptimizationJob2Vtbl *lpVtbl;
};

#ifdef COBJMACROS
#define IDeliveryOptimizationJob2_QueryInterface(This, riid, ppvObject) \
        (This)->lpVtbl->QueryInterface(This, riid, ppvObject)
#define IDeliveryOptimizationJob2_AddRef(This) (This)->lpVtbl->AddRef(This)
#define IDeliveryOptimizationJob2_Release(This) (This)->lpVtbl->Release(This)
#define IDeliveryOptimizationJob2_AddFile(This, fileId, remoteUrl, rangeCount, ranges, riid, file) \
        (This)->lpVtbl->AddFile(This, fileId, remoteUrl, rangeCount, ranges, riid, file)
#define IDeliveryOptimizationJob2_GetProperty(This, propId, propVal) \
        (This)->lpVtbl->GetProperty(This, propId, propVal)
#define IDeliveryOptimizationJob2_SetProperty(This, propId, propVal) \
        (This)->lpVtbl->SetProperty(This, propId, propVal)
#endif

#endif

/* IDeliveryOptimizationFile. QueryInterface a file for it. (DO: IDeliveryOptimizationFile) */
EXTERN_C DOSVC_API const IID IID_IDeliveryOptimizationFile;

#if defined(__cplusplus) && !defined(CINTERFACE)

struct IDeliveryOptimizationFile : public IUnknown {
        /* Bytes by source. The caller frees both strings with CoTaskMemFree(). */
        virtual HRESULT STDMETHODCALLTYPE GetStats(DOSwarmStats *stats) = 0;
};

DOSVC_DECLARE_UUIDOF(IDeliveryOptimizationFile, IID_IDeliveryOptimizationFile)

#else

typedef struct IDeliveryOptimizationFileVtbl {
        HRESULT (STDMETHODCALLTYPE *QueryInterface)(IDeliveryOptimizationFile *This, REFIID riid,
                                                    void **ppvObject);
        ULONG (STDMETHODCALLTYPE *AddRef)(IDeliveryOptimizationFile *This);
        ULONG (STDMETHODCALLTYPE *Release)(IDeliveryOptimizationFile *This);
        HRESULT (STDMETHODCALLTYPE *GetStats)(IDeliveryOptimizationFile *This, DOSwarmStats *stats);
} IDeliveryOptimizationFileVtbl;

struct IDeliveryOptimizationFile {
        CONST_VTBL IDeliveryOptimizationFileVtbl *lpVtbl;
};

#ifdef COBJMACROS
#define IDeliveryOptimizationFile_QueryInterface(This, riid, ppvObject) \
        (This)->lpVtbl->QueryInterface(This, riid, ppvObject)
#define IDeliveryOptimizationFile_AddRef(This) (This)->lpVtbl->AddRef(This)
#define IDeliveryOptimizationFile_Release(This) (This)->lpVtbl->Release(This)
#define IDeliveryOptimizationFile_GetStats(This, stats) (This)->lpVtbl->GetStats(This, stats)
#endif

#endif

/* IDeliveryOptimizationFile2. Properties of a file by number. (DO: IDeliveryOptimizationFile2) */
EXTERN_C DOSVC_API const IID IID_IDeliveryOptimizationFile2;

#if defined(__cplusplus) && !defined(CINTERFACE)

struct IDeliveryOptimizationFile2 : public IUnknown {
        /*
         * A value that the caller clears. DO_E_UNKNOWN_PROPERTY_ID, DO_E_WRITE_ONLY_PROPERTY,
         * E_NOT_SET.
         */
        virtual HRESULT STDMETHODCALLTYPE GetProperty(DOFilePropertyId propId,
                                                      VARIANT *propVal) = 0;

        /* Takes a copy. DO_E_FILE_DOWNLOADSINK_ALREADY_SET for a second sink of another kind. */
        virtual HRESULT STDMETHODCALLTYPE SetProperty(DOFilePropertyId propId,
                                                      const VARIANT *propVal) = 0;
};

DOSVC_DECLARE_UUIDOF(IDeliveryOptimizationFile2, IID_IDeliveryOptimizationFile2)

#else

typedef struct IDeliveryOptimizationFile2Vtbl {
        HRESULT (STDMETHODCALLTYPE *QueryInterface)(IDeliveryOptimizationFile2 *This, REFIID riid,
                                                    void **ppvObject);
        ULONG (STDMETHODCALLTYPE *AddRef)(IDeliveryOptimizationFile2 *This);
        ULONG (STDMETHODCALLTYPE *Release)(IDeliveryOptimizationFile2 *This);
        HRESULT (STDMETHODCALLTYPE *GetProperty)(IDeliveryOptimizationFile2 *This,
                                                 DOFilePropertyId propId, VARIANT *propVal);
        HRESULT (STDMETHODCALLTYPE *SetProperty)(IDeliveryOptimizationFile2 *This,
                                                 DOFilePropertyId propId, const VARIANT *propVal);
} IDeliveryOptimizationFile2Vtbl;

struct IDeliveryOptimizationFile2 {
        CONST_VTBL IDeliveryOptimizationFile2Vtbl *lpVtbl;
};

#ifdef COBJMACROS
#define IDeliveryOptimizationFile2_QueryInterface(This, riid, ppvObject) \
        (This)->lpVtbl->QueryInterface(This, riid, ppvObject)
#define IDeliveryOptimizationFile2_AddRef(This) (This)->lpVtbl->AddRef(This)
#define IDeliveryOptimizationFile2_Release(This) (This)->lpVtbl->Release(This)
#define IDeliveryOptimizationFile2_GetProperty(This, propId, propVal) \
        (This)->lpVtbl->GetProperty(This, propId, propVal)
#define IDeliveryOptimizationFile2_SetProperty(This, propId, propVal) \
        (This)->lpVtbl->SetProperty(This, propId, propVal)
#endif

#endif

#ifdef __cplusplus
#pragma GCC diagnostic pop
#endif

#endif

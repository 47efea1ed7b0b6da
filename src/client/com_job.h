/* The inside of a job object, for com_job*.c, com_http.c, com_token.c and com_delivery.c only: com_job.c is the object, com_job_files.c adds and lists files,
 * com_job_properties.c gets and sets what IBackgroundCopyJob has, com_job2.c what its later versions added. */
#pragma once

#include "client/com.h"

struct com_job {
        IBackgroundCopyJob5 job;
        IDeliveryOptimizationJob delivery; /* by QueryInterface; the same object */
        IDeliveryOptimizationJob2 delivery2;
        IBackgroundCopyJobHttpOptions3 http;
        IBitsTokenOptions token;
        atomic_uint n_references;
        struct dosvc *c;
        enum job_family family;
        char hex[WIRE_ID_HEX + 1];
};

static inline struct com_job *com_job_of(IBackgroundCopyJob5 *This) {
        return CONTAINER_OF(This, struct com_job, job);
}

extern const IDeliveryOptimizationJobVtbl com_delivery_vtbl;
extern const IDeliveryOptimizationJob2Vtbl com_delivery2_vtbl;
extern const IBackgroundCopyJobHttpOptions3Vtbl com_http_vtbl;
extern const IBitsTokenOptionsVtbl com_token_vtbl;

HRESULT com_job_query(struct com_job *self, REFIID riid, void **ppv);
ULONG com_job_add_ref(void *object);
ULONG com_job_release(struct com_job *self);

/* The job as it is, or as it was when it ended. */
HRESULT com_job_read(struct com_job *self, struct job_record *ret);
/* The result of a call that changes the job. */
HRESULT com_job_result(struct com_job *self, int code);

HRESULT job_com_AddFileSet(IBackgroundCopyJob5 *This, ULONG cFileCount, BG_FILE_INFO *pFileSet);
HRESULT job_com_AddFile(IBackgroundCopyJob5 *This, LPCWSTR RemoteUrl, LPCWSTR LocalName);
HRESULT job_com_EnumFiles(IBackgroundCopyJob5 *This, IEnumBackgroundCopyFiles **pEnum);
/* @fileId NULL: none. */
HRESULT com_job_add_with_ranges(struct com_job *self, LPCWSTR fileId, LPCWSTR remoteUrl, LPCWSTR localName,
                                DWORD rangeCount, const BG_FILE_RANGE *ranges, UINT64 fileSize);
/* For a job of the DO family: where it goes is said later. */
HRESULT com_job_add_without_sink(struct com_job *self, LPCWSTR fileId, LPCWSTR remoteUrl, DWORD rangeCount,
                                 const BG_FILE_RANGE *ranges, IBackgroundCopyFile **ret);

HRESULT job_com_GetId(IBackgroundCopyJob5 *This, GUID *pVal);
HRESULT job_com_GetType(IBackgroundCopyJob5 *This, BG_JOB_TYPE *pVal);
HRESULT job_com_GetProgress(IBackgroundCopyJob5 *This, BG_JOB_PROGRESS *pVal);
HRESULT job_com_GetTimes(IBackgroundCopyJob5 *This, BG_JOB_TIMES *pVal);
HRESULT job_com_GetState(IBackgroundCopyJob5 *This, BG_JOB_STATE *pVal);
HRESULT job_com_GetError(IBackgroundCopyJob5 *This, IBackgroundCopyError **ppError);
HRESULT job_com_GetOwner(IBackgroundCopyJob5 *This, LPWSTR *pVal);
HRESULT job_com_SetDisplayName(IBackgroundCopyJob5 *This, LPCWSTR Val);
HRESULT job_com_GetDisplayName(IBackgroundCopyJob5 *This, LPWSTR *pVal);
HRESULT job_com_SetDescription(IBackgroundCopyJob5 *This, LPCWSTR Val);
HRESULT job_com_GetDescription(IBackgroundCopyJob5 *This, LPWSTR *pVal);
HRESULT job_com_SetPriority(IBackgroundCopyJob5 *This, BG_JOB_PRIORITY Val);
HRESULT job_com_GetPriority(IBackgroundCopyJob5 *This, BG_JOB_PRIORITY *pVal);
HRESULT job_com_SetNotifyFlags(IBackgroundCopyJob5 *This, ULONG Val);
HRESULT job_com_GetNotifyFlags(IBackgroundCopyJob5 *This, ULONG *pVal);
HRESULT job_com_SetMinimumRetryDelay(IBackgroundCopyJob5 *This, ULONG Seconds);
HRESULT job_com_GetMinimumRetryDelay(IBackgroundCopyJob5 *This, ULONG *Seconds);
HRESULT job_com_SetNoProgressTimeout(IBackgroundCopyJob5 *This, ULONG Seconds);
HRESULT job_com_GetNoProgressTimeout(IBackgroundCopyJob5 *This, ULONG *Seconds);
HRESULT job_com_GetErrorCount(IBackgroundCopyJob5 *This, ULONG *Errors);
HRESULT job_com_SetProxySettings(IBackgroundCopyJob5 *This, BG_JOB_PROXY_USAGE ProxyUsage, const WCHAR *ProxyList,
                                 const WCHAR *ProxyBypassList);
HRESULT job_com_GetProxySettings(IBackgroundCopyJob5 *This, BG_JOB_PROXY_USAGE *pProxyUsage, LPWSTR *pProxyList,
                                 LPWSTR *pProxyBypassList);

HRESULT job_com_SetNotifyCmdLine(IBackgroundCopyJob5 *This, LPCWSTR Program, LPCWSTR Parameters);
HRESULT job_com_GetNotifyCmdLine(IBackgroundCopyJob5 *This, LPWSTR *pProgram, LPWSTR *pParameters);
HRESULT job_com_GetReplyProgress(IBackgroundCopyJob5 *This, BG_JOB_REPLY_PROGRESS *pProgress);
HRESULT job_com_GetReplyData(IBackgroundCopyJob5 *This, BYTE **ppBuffer, UINT64 *pLength);
HRESULT job_com_SetReplyFileName(IBackgroundCopyJob5 *This, LPCWSTR ReplyFileName);
HRESULT job_com_GetReplyFileName(IBackgroundCopyJob5 *This, LPWSTR *pReplyFileName);
HRESULT job_com_SetCredentials(IBackgroundCopyJob5 *This, BG_AUTH_CREDENTIALS *credentials);
HRESULT job_com_RemoveCredentials(IBackgroundCopyJob5 *This, BG_AUTH_TARGET Target, BG_AUTH_SCHEME Scheme);
HRESULT job_com_ReplaceRemotePrefix(IBackgroundCopyJob5 *This, LPCWSTR OldPrefix, LPCWSTR NewPrefix);
HRESULT job_com_AddFileWithRanges(IBackgroundCopyJob5 *This, LPCWSTR RemoteUrl, LPCWSTR LocalName, DWORD RangeCount,
                                  BG_FILE_RANGE Ranges[]);
HRESULT job_com_SetFileACLFlags(IBackgroundCopyJob5 *This, DWORD Flags);
HRESULT job_com_GetFileACLFlags(IBackgroundCopyJob5 *This, DWORD *Flags);
HRESULT job_com_SetPeerCachingFlags(IBackgroundCopyJob5 *This, DWORD Flags);
HRESULT job_com_GetPeerCachingFlags(IBackgroundCopyJob5 *This, DWORD *pFlags);
HRESULT job_com_GetOwnerIntegrityLevel(IBackgroundCopyJob5 *This, ULONG *pLevel);
HRESULT job_com_GetOwnerElevationState(IBackgroundCopyJob5 *This, BOOL *pElevated);
HRESULT job_com_SetMaximumDownloadTime(IBackgroundCopyJob5 *This, ULONG Timeout);
HRESULT job_com_GetMaximumDownloadTime(IBackgroundCopyJob5 *This, ULONG *pTimeout);
HRESULT job_com_SetProperty(IBackgroundCopyJob5 *This, BITS_JOB_PROPERTY_ID PropertyId,
                            BITS_JOB_PROPERTY_VALUE PropertyValue);
HRESULT job_com_GetProperty(IBackgroundCopyJob5 *This, BITS_JOB_PROPERTY_ID PropertyId,
                            BITS_JOB_PROPERTY_VALUE *PropertyValue);

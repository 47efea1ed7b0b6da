/* The inside of a job object, for com_job*.c only: com_job.c is the object, com_job_files.c adds and lists files,
 * com_job_properties.c gets and sets. */
#pragma once

#include "client/com.h"

struct com_job {
        IBackgroundCopyJob job;
        IDeliveryOptimizationJob delivery; /* by QueryInterface; the same object */
        atomic_uint n_references;
        struct dosvc *c;
        enum job_family family;
        char hex[WIRE_ID_HEX + 1];
};

static inline struct com_job *com_job_of(IBackgroundCopyJob *This) {
        return CONTAINER_OF(This, struct com_job, job);
}

/* The job as it is, or as it was when it ended. */
HRESULT com_job_read(struct com_job *self, struct job_record *ret);
/* The result of a call that changes the job. One that the service knows only from its history is in a final state. */
HRESULT com_job_result(struct com_job *self, int code);

HRESULT job_com_AddFileSet(IBackgroundCopyJob *This, ULONG cFileCount, BG_FILE_INFO *pFileSet);
HRESULT job_com_AddFile(IBackgroundCopyJob *This, LPCWSTR RemoteUrl, LPCWSTR LocalName);
HRESULT job_com_EnumFiles(IBackgroundCopyJob *This, IEnumBackgroundCopyFiles **pEnum);
HRESULT com_job_add_with_ranges(struct com_job *self, LPCWSTR fileId, LPCWSTR remoteUrl, LPCWSTR localName,
                                DWORD rangeCount, const BG_FILE_RANGE *ranges, UINT64 fileSize);

HRESULT job_com_GetId(IBackgroundCopyJob *This, GUID *pVal);
HRESULT job_com_GetType(IBackgroundCopyJob *This, BG_JOB_TYPE *pVal);
HRESULT job_com_GetProgress(IBackgroundCopyJob *This, BG_JOB_PROGRESS *pVal);
HRESULT job_com_GetTimes(IBackgroundCopyJob *This, BG_JOB_TIMES *pVal);
HRESULT job_com_GetState(IBackgroundCopyJob *This, BG_JOB_STATE *pVal);
HRESULT job_com_GetError(IBackgroundCopyJob *This, IBackgroundCopyError **ppError);
HRESULT job_com_GetOwner(IBackgroundCopyJob *This, LPWSTR *pVal);
HRESULT job_com_SetDisplayName(IBackgroundCopyJob *This, LPCWSTR Val);
HRESULT job_com_GetDisplayName(IBackgroundCopyJob *This, LPWSTR *pVal);
HRESULT job_com_SetDescription(IBackgroundCopyJob *This, LPCWSTR Val);
HRESULT job_com_GetDescription(IBackgroundCopyJob *This, LPWSTR *pVal);
HRESULT job_com_SetPriority(IBackgroundCopyJob *This, BG_JOB_PRIORITY Val);
HRESULT job_com_GetPriority(IBackgroundCopyJob *This, BG_JOB_PRIORITY *pVal);
HRESULT job_com_SetNotifyFlags(IBackgroundCopyJob *This, ULONG Val);
HRESULT job_com_GetNotifyFlags(IBackgroundCopyJob *This, ULONG *pVal);
HRESULT job_com_SetMinimumRetryDelay(IBackgroundCopyJob *This, ULONG Seconds);
HRESULT job_com_GetMinimumRetryDelay(IBackgroundCopyJob *This, ULONG *Seconds);
HRESULT job_com_SetNoProgressTimeout(IBackgroundCopyJob *This, ULONG Seconds);
HRESULT job_com_GetNoProgressTimeout(IBackgroundCopyJob *This, ULONG *Seconds);
HRESULT job_com_GetErrorCount(IBackgroundCopyJob *This, ULONG *Errors);
HRESULT job_com_SetProxySettings(IBackgroundCopyJob *This, BG_JOB_PROXY_USAGE ProxyUsage, const WCHAR *ProxyList,
                                 const WCHAR *ProxyBypassList);
HRESULT job_com_GetProxySettings(IBackgroundCopyJob *This, BG_JOB_PROXY_USAGE *pProxyUsage, LPWSTR *pProxyList,
                                 LPWSTR *pProxyBypassList);

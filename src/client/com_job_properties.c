/* A job's properties. */
#include <stdio.h>

#include "base/strings.h"
#include "client/com_job.h"
#include "client/wide.h"
#include "protocol/limits.h"

#define MINIMUM_RETRY_DELAY_LEAST 5 /* seconds; BITS: SetMinimumRetryDelay */

/* ---- numbers ---- */

HRESULT job_com_GetId(IBackgroundCopyJob5 *This, GUID *pVal) {
        struct guid guid;

        if (!pVal)
                return E_INVALIDARG;
        if (guid_from_string(com_job_of(This)->hex, &guid) < 0)
                return E_UNEXPECTED;
        com_guid_from(&guid, pVal);
        return S_OK;
}

HRESULT job_com_GetType(IBackgroundCopyJob5 *This, BG_JOB_TYPE *pVal) {
        if (!pVal)
                return E_INVALIDARG;
        *pVal = BG_JOB_TYPE_DOWNLOAD;
        return S_OK;
}

HRESULT job_com_GetProgress(IBackgroundCopyJob5 *This, BG_JOB_PROGRESS *pVal) {
        struct job_record record;
        HRESULT hr;

        if (!pVal)
                return E_INVALIDARG;
        hr = com_job_read(com_job_of(This), &record);
        if (FAILED(hr))
                return hr;
        *pVal = (BG_JOB_PROGRESS){ .BytesTotal = record.info.bytes_total,
                                   .BytesTransferred = record.info.bytes_transferred,
                                   .FilesTotal = com_ulong(record.info.files_total),
                                   .FilesTransferred = com_ulong(record.info.files_transferred) };
        job_record_done(&record);
        return S_OK;
}

HRESULT job_com_GetTimes(IBackgroundCopyJob5 *This, BG_JOB_TIMES *pVal) {
        struct job_record record;
        HRESULT hr;

        if (!pVal)
                return E_INVALIDARG;
        hr = com_job_read(com_job_of(This), &record);
        if (FAILED(hr))
                return hr;
        *pVal = (BG_JOB_TIMES){ .CreationTime = com_filetime(record.info.created),
                                .ModificationTime = com_filetime(record.info.modified),
                                .TransferCompletionTime = com_filetime(record.info.transferred) };
        job_record_done(&record);
        return S_OK;
}

HRESULT job_com_GetState(IBackgroundCopyJob5 *This, BG_JOB_STATE *pVal) {
        struct job_record record;
        HRESULT hr;

        if (!pVal)
                return E_INVALIDARG;
        hr = com_job_read(com_job_of(This), &record);
        if (FAILED(hr))
                return hr;
        *pVal = (BG_JOB_STATE) record.state;
        job_record_done(&record);
        return S_OK;
}

/* For those that are one number of the record. */
enum number {
        NUMBER_NOTIFY_FLAGS,
        NUMBER_RETRY_DELAY,
        NUMBER_NO_PROGRESS,
        NUMBER_ERRORS,
};

static HRESULT get_number(IBackgroundCopyJob5 *This, enum number which, ULONG *ret) {
        struct job_record record;
        HRESULT hr;

        if (!ret)
                return E_INVALIDARG;
        hr = com_job_read(com_job_of(This), &record);
        if (FAILED(hr))
                return hr;
        *ret = which == NUMBER_NOTIFY_FLAGS  ? record.info.notify_flags
               : which == NUMBER_RETRY_DELAY ? record.info.minimum_retry_delay
               : which == NUMBER_NO_PROGRESS ? record.info.no_progress_timeout
                                             : com_ulong(record.info.error_count);
        job_record_done(&record);
        return S_OK;
}

static HRESULT set_property(IBackgroundCopyJob5 *This, struct wire_property property) {
        struct com_job *self = com_job_of(This);

        return com_job_result(self, wire_set_property(self->c, self->hex, &property));
}

static HRESULT set_number(IBackgroundCopyJob5 *This, const char *name, ULONG value) {
        return set_property(This, (struct wire_property){ .name = name, .type = 'u', .u = value });
}

HRESULT job_com_SetNotifyFlags(IBackgroundCopyJob5 *This, ULONG Val) {
        ULONG known = JOB_NOTIFY_ALL;

        if (com_job_of(This)->family == JOB_FAMILY_DO)
                known &= ~(ULONG) (JOB_NOTIFY_DISABLE | JOB_NOTIFY_FILE_RANGES_TRANSFERRED);
        return Val & ~known ? E_NOTIMPL : set_number(This, "NotifyFlags", Val);
}

HRESULT job_com_GetNotifyFlags(IBackgroundCopyJob5 *This, ULONG *pVal) {
        return get_number(This, NUMBER_NOTIFY_FLAGS, pVal);
}

HRESULT job_com_SetMinimumRetryDelay(IBackgroundCopyJob5 *This, ULONG Seconds) {
        return set_number(This, "MinimumRetryDelay", MAX(Seconds, (ULONG) MINIMUM_RETRY_DELAY_LEAST));
}

HRESULT job_com_GetMinimumRetryDelay(IBackgroundCopyJob5 *This, ULONG *Seconds) {
        return get_number(This, NUMBER_RETRY_DELAY, Seconds);
}

HRESULT job_com_SetNoProgressTimeout(IBackgroundCopyJob5 *This, ULONG Seconds) {
        return set_number(This, "NoProgressTimeout", Seconds);
}

HRESULT job_com_GetNoProgressTimeout(IBackgroundCopyJob5 *This, ULONG *Seconds) {
        return get_number(This, NUMBER_NO_PROGRESS, Seconds);
}

HRESULT job_com_GetErrorCount(IBackgroundCopyJob5 *This, ULONG *Errors) {
        return get_number(This, NUMBER_ERRORS, Errors);
}

HRESULT job_com_SetPriority(IBackgroundCopyJob5 *This, BG_JOB_PRIORITY Val) {
        const char *name = job_priority_name((enum job_priority) Val);

        return name ? set_property(This, (struct wire_property){ .name = "Priority", .type = 's', .s = name })
                    : E_NOTIMPL;
}

HRESULT job_com_GetPriority(IBackgroundCopyJob5 *This, BG_JOB_PRIORITY *pVal) {
        struct job_record record;
        HRESULT hr;

        if (!pVal)
                return E_INVALIDARG;
        hr = com_job_read(com_job_of(This), &record);
        if (FAILED(hr))
                return hr;
        *pVal = (BG_JOB_PRIORITY) record.priority;
        job_record_done(&record);
        return S_OK;
}

/* ---- strings ---- */

static HRESULT set_string(IBackgroundCopyJob5 *This, const char *name, LPCWSTR value, size_t max) {
        _cleanup_free_ char *s = NULL;
        HRESULT hr;

        hr = com_string_in(value, max, rim_hresult(ERROR_STRING_TOO_LONG, com_job_of(This)->family), &s);
        return FAILED(hr) ? hr : set_property(This, (struct wire_property){ .name = name, .type = 's', .s = s });
}

HRESULT job_com_SetDisplayName(IBackgroundCopyJob5 *This, LPCWSTR Val) {
        return set_string(This, "Name", Val, LIMIT_DISPLAY_NAME);
}

HRESULT job_com_SetDescription(IBackgroundCopyJob5 *This, LPCWSTR Val) {
        return set_string(This, "Description", Val, LIMIT_DESCRIPTION);
}

HRESULT job_com_GetDisplayName(IBackgroundCopyJob5 *This, LPWSTR *pVal) {
        struct job_record record;
        HRESULT hr;

        if (!pVal)
                return E_INVALIDARG;
        *pVal = NULL;
        hr = com_job_read(com_job_of(This), &record);
        if (FAILED(hr))
                return hr;
        hr = com_string_out(record.info.name, pVal);
        job_record_done(&record);
        return hr;
}

HRESULT job_com_GetDescription(IBackgroundCopyJob5 *This, LPWSTR *pVal) {
        struct job_record record;
        HRESULT hr;

        if (!pVal)
                return E_INVALIDARG;
        *pVal = NULL;
        hr = com_job_read(com_job_of(This), &record);
        if (FAILED(hr))
                return hr;
        hr = com_string_out(record.info.description, pVal);
        job_record_done(&record);
        return hr;
}

/* A user's text form: the identifier authority that stands for Unix users, with the uid. */
HRESULT job_com_GetOwner(IBackgroundCopyJob5 *This, LPWSTR *pVal) {
        struct job_record record;
        char owner[32];
        HRESULT hr;

        if (!pVal)
                return E_INVALIDARG;
        *pVal = NULL;
        hr = com_job_read(com_job_of(This), &record);
        if (FAILED(hr))
                return hr;
        (void) snprintf(owner, sizeof(owner), "S-1-22-1-%u", record.info.owner);
        job_record_done(&record);
        return com_string_out(owner, pVal);
}

/* ---- error ---- */

HRESULT job_com_GetError(IBackgroundCopyJob5 *This, IBackgroundCopyError **ppError) {
        struct com_job *self = com_job_of(This);
        struct job_record record;
        HRESULT hr;

        if (!ppError)
                return E_INVALIDARG;
        *ppError = NULL;
        hr = com_job_read(self, &record);
        if (FAILED(hr))
                return hr;
        if (record.info.error.hresult == 0 || record.state == JOB_ACKNOWLEDGED || record.state == JOB_CANCELLED)
                hr = rim_hresult(ERROR_NO_ERROR_INFORMATION, self->family);
        else
                hr = com_error_new(self->c, self->hex, &record, ppError);
        job_record_done(&record);
        return hr;
}

/* ---- proxy ---- */

HRESULT job_com_SetProxySettings(IBackgroundCopyJob5 *This, BG_JOB_PROXY_USAGE ProxyUsage, const WCHAR *ProxyList,
                                 const WCHAR *ProxyBypassList) {
        struct com_job *self = com_job_of(This);
        _cleanup_free_ char *list = NULL, *bypass = NULL;
        HRESULT hr = S_OK;

        /* AUTODETECT has no meaning here (design decision 21). */
        if (ProxyUsage < BG_JOB_PROXY_USAGE_PRECONFIG || ProxyUsage > BG_JOB_PROXY_USAGE_AUTODETECT)
                return E_NOTIMPL;
        if (ProxyUsage == BG_JOB_PROXY_USAGE_OVERRIDE ? !ProxyList || !*ProxyList : ProxyList || ProxyBypassList)
                return E_INVALIDARG;
        if (ProxyUsage == BG_JOB_PROXY_USAGE_AUTODETECT)
                return E_NOTIMPL;
        if (ProxyList)
                hr = com_string_in(ProxyList, LIMIT_PROXY_LIST, BG_E_PROXY_LIST_TOO_LARGE, &list);
        if (SUCCEEDED(hr) && ProxyBypassList)
                hr = com_string_in(ProxyBypassList, LIMIT_PROXY_LIST, BG_E_PROXY_BYPASS_LIST_TOO_LARGE, &bypass);
        if (FAILED(hr))
                return hr;
        return com_job_result(self,
                              wire_set_properties(self->c, self->hex,
                                                  (const struct wire_property[]){
                                                          { .name = "ProxyUsage", .type = 'u', .u = ProxyUsage },
                                                          { .name = "ProxyList", .type = 's', .s = list ?: "" },
                                                          { .name = "ProxyBypass", .type = 's', .s = bypass ?: "" },
                                                  },
                                                  3));
}

HRESULT job_com_GetProxySettings(IBackgroundCopyJob5 *This, BG_JOB_PROXY_USAGE *pProxyUsage, LPWSTR *pProxyList,
                                 LPWSTR *pProxyBypassList) {
        struct job_record record;
        HRESULT hr;

        if (!pProxyUsage || !pProxyList || !pProxyBypassList)
                return E_INVALIDARG;
        *pProxyList = *pProxyBypassList = NULL;
        *pProxyUsage = BG_JOB_PROXY_USAGE_PRECONFIG;
        hr = com_job_read(com_job_of(This), &record);
        if (FAILED(hr))
                return hr;
        *pProxyUsage = (BG_JOB_PROXY_USAGE) record.more.proxy_usage;
        hr = com_optional_string_out(record.more.proxy_list, pProxyList);
        if (SUCCEEDED(hr))
                hr = com_optional_string_out(record.more.proxy_bypass, pProxyBypassList);
        if (FAILED(hr)) {
                CoTaskMemFree(*pProxyList);
                *pProxyList = NULL;
        }
        job_record_done(&record);
        return hr;
}

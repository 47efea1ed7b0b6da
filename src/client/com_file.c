/* IBackgroundCopyFile to IBackgroundCopyFile6. The ranges that it was added with stay; the rest is asked for, names too: others change
 * them (another object of the same file, ReplaceRemotePrefix, a redirect that is reported, a sink that is set later). The file of an error
 * keeps those with which it failed. */
#include <stdio.h>

#include "base/strings.h"
#include "client/com_file.h"

static struct com_file *file_of(IBackgroundCopyFile6 *This) {
        return CONTAINER_OF(This, struct com_file, file);
}

ULONG com_file_add_ref(void *object) {
        struct com_file *self = object;

        return atomic_fetch_add(&self->n_references, 1) + 1;
}

HRESULT com_file_query(struct com_file *self, REFIID riid, void **ppv) {
        static const struct com_interface table[] = {
                { &IID_IBackgroundCopyFile, offsetof(struct com_file, file) },
                { &IID_IBackgroundCopyFile2, offsetof(struct com_file, file) },
                { &IID_IBackgroundCopyFile3, offsetof(struct com_file, file) },
                { &IID_IBackgroundCopyFile4, offsetof(struct com_file, file) },
                { &IID_IBackgroundCopyFile5, offsetof(struct com_file, file) },
                { &IID_IBackgroundCopyFile6, offsetof(struct com_file, file) },
                { &IID_IDeliveryOptimizationFile, offsetof(struct com_file, delivery) },
                { &IID_IDeliveryOptimizationFile2, offsetof(struct com_file, delivery2) },
        };

        return com_query(self, table, ELEMENTSOF(table), riid, ppv, com_file_add_ref);
}

static HRESULT file_com_QueryInterface(IBackgroundCopyFile6 *This, REFIID riid, void **ppvObject) {
        return com_file_query(file_of(This), riid, ppvObject);
}

static ULONG file_com_AddRef(IBackgroundCopyFile6 *This) {
        return com_file_add_ref(file_of(This));
}

static void file_free(struct com_file *self) {
        file_record_done(&self->record);
        com_connection_put(self->c);
        free(self);
}

ULONG com_file_release(struct com_file *self) {
        ULONG left = atomic_fetch_sub(&self->n_references, 1) - 1;

        if (left == 0)
                file_free(self);
        return left;
}

static ULONG file_com_Release(IBackgroundCopyFile6 *This) {
        return com_file_release(file_of(This));
}

static BG_FILE_PROGRESS progress_of(const dosvc_file_info *info) {
        return (BG_FILE_PROGRESS){ .BytesTotal = info->bytes_total,
                                   .BytesTransferred = info->bytes_transferred,
                                   .Completed = streq(info->state, "published") };
}

/* Of a job that the service has forgotten. It borrows the strings, and owns none. The history does not know files one by one. */
static void recall(const struct com_file *self, struct file_record *ret) {
        struct job_record job;

        *ret = (struct file_record){ .info = self->record.info,
                                     .file_id = self->record.file_id,
                                     .validation = self->record.validation };
        ret->info.temporary_name = ""; /* gone with the job */
        if (wire_get_job_or_history(self->c, self->hex, 0, &job))
                return;
        if (job.state == JOB_ACKNOWLEDGED && job.info.files_transferred == job.info.files_total) {
                ret->info.state = "published";
                if (job.info.files_total == 1)
                        ret->info.bytes_total = job.info.bytes_total;
                if (ret->info.bytes_total != DOSVC_UNKNOWN)
                        ret->info.bytes_transferred = ret->info.bytes_total;
        }
        job_record_done(&job);
}

HRESULT com_file_read(struct com_file *self, struct file_record *ret) {
        int code = wire_get_file(self->c, self->hex, self->record.info.index, ret);

        if (code != ERROR_NOT_FOUND)
                return rim_hresult(code, self->family);
        recall(self, ret);
        return S_OK;
}

HRESULT com_file_result(struct com_file *self, int code) {
        return com_result(self->c, self->family, self->hex, code);
}

static HRESULT get_name(IBackgroundCopyFile6 *This, bool is_remote, LPWSTR *ret) {
        struct com_file *self = file_of(This);
        struct file_record record;
        HRESULT hr;

        if (!ret)
                return E_INVALIDARG;
        if (self->keeps_names)
                return com_string_out(is_remote ? self->record.info.url : self->record.info.path, ret);
        *ret = NULL;
        hr = com_file_read(self, &record);
        if (FAILED(hr))
                return hr;
        hr = com_string_out(is_remote ? record.info.url : record.info.path, ret);
        file_record_done(&record);
        return hr;
}

static HRESULT file_com_GetRemoteName(IBackgroundCopyFile6 *This, LPWSTR *pVal) {
        return get_name(This, true, pVal);
}

static HRESULT file_com_GetLocalName(IBackgroundCopyFile6 *This, LPWSTR *pVal) {
        return get_name(This, false, pVal);
}

static HRESULT file_com_GetProgress(IBackgroundCopyFile6 *This, BG_FILE_PROGRESS *pVal) {
        struct file_record record;
        HRESULT hr;

        if (!pVal)
                return E_INVALIDARG;
        hr = com_file_read(file_of(This), &record);
        if (FAILED(hr))
                return hr;
        *pVal = progress_of(&record.info);
        file_record_done(&record);
        return S_OK;
}

/* S_FALSE: there are none. */
static HRESULT ranges_out(const struct record_ranges *ranges, DWORD *ret_n, BG_FILE_RANGE **ret) {
        if (ranges->n == 0)
                return S_FALSE;
        *ret = CoTaskMemAlloc(ranges->n * sizeof(**ret));
        if (!*ret)
                return E_OUTOFMEMORY;
        for (size_t i = 0; i < ranges->n; i++)
                (*ret)[i] = (BG_FILE_RANGE){ ranges->items[i].offset, ranges->items[i].length };
        *ret_n = (DWORD) ranges->n;
        return S_OK;
}

static HRESULT file_com_GetFileRanges(IBackgroundCopyFile6 *This, DWORD *RangeCount, BG_FILE_RANGE **Ranges) {
        if (!RangeCount || !Ranges)
                return E_INVALIDARG;
        *RangeCount = 0;
        *Ranges = NULL;
        return ranges_out(&file_of(This)->record.ranges, RangeCount, Ranges);
}

static HRESULT file_com_SetRemoteName(IBackgroundCopyFile6 *This, LPCWSTR Val) {
        struct com_file *self = file_of(This);
        _cleanup_free_ char *url = NULL;
        HRESULT hr = com_url_in(Val, &url);

        if (FAILED(hr))
                return hr;
        return com_file_result(self, wire_set_url(self->c, self->hex, self->record.info.index, url));
}

/* ---- IBackgroundCopyFile3 ---- */

static bool job_is_final(const struct com_file *self) {
        struct job_record job;
        bool is_final;

        if (wire_get_job_or_history(self->c, self->hex, 0, &job))
                return false;
        is_final = job.state == JOB_ACKNOWLEDGED || job.state == JOB_CANCELLED;
        job_record_done(&job);
        return is_final;
}

/* There is none before the first byte and after the end; the service chooses the name earlier, and remembers it longer. */
static bool has_temporary(const struct com_file *self, const dosvc_file_info *info) {
        if (!*info->temporary_name || (streq(info->state, "pending") && info->bytes_transferred == 0))
                return false;
        return !streq(info->state, "published") && !streq(info->state, "discarded") && !job_is_final(self);
}

/* Temporary files lie beside their destination. */
static HRESULT file_com_GetTemporaryName(IBackgroundCopyFile6 *This, LPWSTR *pFilename) {
        struct com_file *self = file_of(This);
        _cleanup_free_ char *path = NULL;
        struct file_record record;
        const char *slash;
        HRESULT hr;

        if (!pFilename)
                return E_INVALIDARG;
        *pFilename = NULL;
        hr = com_file_read(self, &record);
        if (FAILED(hr))
                return hr;
        slash = strrchr(record.info.path, '/');
        if (!slash || !has_temporary(self, &record.info))
                hr = self->family == JOB_FAMILY_DO ? DO_E_FILE_NOT_AVAILABLE : BG_E_FILE_NOT_AVAILABLE;
        else if (asprintf(&path, "%.*s/%s", (int) (slash - record.info.path), record.info.path,
                          record.info.temporary_name) < 0) {
                path = NULL;
                hr = E_OUTOFMEMORY;
        } else
                hr = com_string_out(path, pFilename);
        file_record_done(&record);
        return hr;
}

static HRESULT file_com_SetValidationState(IBackgroundCopyFile6 *This, BOOL state) {
        struct com_file *self = file_of(This);

        return com_file_result(self, wire_set_validation(self->c, self->hex, self->record.info.index, state));
}

/* E_PENDING: nobody gave a verdict yet. */
static HRESULT file_com_GetValidationState(IBackgroundCopyFile6 *This, BOOL *pState) {
        struct file_record record;
        HRESULT hr;

        if (!pState)
                return E_INVALIDARG;
        *pState = FALSE;
        hr = com_file_read(file_of(This), &record);
        if (FAILED(hr))
                return hr;
        *pState = streq(record.validation, "good");
        hr = *record.validation ? S_OK : E_PENDING;
        file_record_done(&record);
        return hr;
}

/* There are no peers yet. */
static HRESULT file_com_IsDownloadedFromPeer(IBackgroundCopyFile6 *This, BOOL *pVal) {
        if (!pVal)
                return E_INVALIDARG;
        *pVal = FALSE;
        return S_OK;
}

/* ---- IBackgroundCopyFile4 ---- */

static HRESULT file_com_GetPeerDownloadStats(IBackgroundCopyFile6 *This, UINT64 *pFromOrigin, UINT64 *pFromPeers) {
        struct file_record record;
        HRESULT hr;

        if (!pFromOrigin || !pFromPeers)
                return E_INVALIDARG;
        *pFromOrigin = *pFromPeers = 0;
        hr = com_file_read(file_of(This), &record);
        if (FAILED(hr))
                return hr;
        *pFromOrigin = record.info.bytes_transferred;
        file_record_done(&record);
        return S_OK;
}

/* ---- IBackgroundCopyFile5 ---- */

static HRESULT file_com_SetProperty(IBackgroundCopyFile6 *This, BITS_FILE_PROPERTY_ID PropertyId,
                                    BITS_FILE_PROPERTY_VALUE PropertyValue) {
        return rim_hresult(PropertyId == BITS_FILE_PROPERTY_ID_HTTP_RESPONSE_HEADERS ? ERROR_READ_ONLY_PROPERTY
                                                                                     : ERROR_UNKNOWN_PROPERTY,
                           file_of(This)->family);
}

/* "" before the first answer. */
static HRESULT file_com_GetProperty(IBackgroundCopyFile6 *This, BITS_FILE_PROPERTY_ID PropertyId,
                                    BITS_FILE_PROPERTY_VALUE *PropertyValue) {
        struct file_record record;
        HRESULT hr;

        if (!PropertyValue)
                return E_INVALIDARG;
        *PropertyValue = (BITS_FILE_PROPERTY_VALUE){};
        if (PropertyId != BITS_FILE_PROPERTY_ID_HTTP_RESPONSE_HEADERS)
                return rim_hresult(ERROR_UNKNOWN_PROPERTY, file_of(This)->family);
        hr = com_file_read(file_of(This), &record);
        if (FAILED(hr))
                return hr;
        hr = com_string_out(record.response_headers ?: "", &PropertyValue->String);
        file_record_done(&record);
        return hr;
}

/* ---- IBackgroundCopyFile6 ---- */

static HRESULT file_com_UpdateDownloadPosition(IBackgroundCopyFile6 *This, UINT64 offset) {
        struct com_file *self = file_of(This);

        return com_file_result(self, wire_set_position(self->c, self->hex, self->record.info.index, offset));
}

static HRESULT file_com_RequestFileRanges(IBackgroundCopyFile6 *This, DWORD rangeCount, const BG_FILE_RANGE ranges[]) {
        struct com_file *self = file_of(This);
        _cleanup_free_ struct record_range *wanted = NULL;

        if (rangeCount == 0 || !ranges)
                return E_INVALIDARG;
        if (rangeCount > COM_RANGES_MAX)
                return rim_hresult(ERROR_TOO_MANY_RANGES, self->family);
        wanted = calloc(rangeCount, sizeof(*wanted));
        if (!wanted)
                return E_OUTOFMEMORY;
        for (DWORD i = 0; i < rangeCount; i++)
                wanted[i] = (struct record_range){ .offset = ranges[i].InitialOffset, .length = ranges[i].Length };
        return com_file_result(self, wire_request_ranges(self->c, self->hex, self->record.info.index, wanted, rangeCount));
}

static HRESULT file_com_GetFilledFileRanges(IBackgroundCopyFile6 *This, DWORD *rangeCount, BG_FILE_RANGE **ranges) {
        struct file_record record;
        HRESULT hr;

        if (!rangeCount || !ranges)
                return E_INVALIDARG;
        *rangeCount = 0;
        *ranges = NULL;
        hr = com_file_read(file_of(This), &record);
        if (FAILED(hr))
                return hr;
        hr = ranges_out(&record.filled, rangeCount, ranges);
        file_record_done(&record);
        return hr;
}

static const IBackgroundCopyFile6Vtbl file_vtbl = {
        file_com_QueryInterface,
        file_com_AddRef,
        file_com_Release,
        file_com_GetRemoteName,
        file_com_GetLocalName,
        file_com_GetProgress,
        file_com_GetFileRanges,
        file_com_SetRemoteName,
        file_com_GetTemporaryName,
        file_com_SetValidationState,
        file_com_GetValidationState,
        file_com_IsDownloadedFromPeer,
        file_com_GetPeerDownloadStats,
        file_com_SetProperty,
        file_com_GetProperty,
        file_com_UpdateDownloadPosition,
        file_com_RequestFileRanges,
        file_com_GetFilledFileRanges,
};

/* ---- the object ---- */

HRESULT com_file_new(struct dosvc *c, enum job_family family, const char *hex, struct file_record *record,
                     IBackgroundCopyFile **ret) {
        struct com_file *self = malloc(sizeof(*self));

        *ret = NULL;
        if (!self) {
                file_record_done(record);
                return E_OUTOFMEMORY;
        }
        *self = (struct com_file){ .file = { &file_vtbl },
                                   .delivery = { &com_file_delivery_vtbl },
                                   .delivery2 = { &com_file_delivery2_vtbl },
                                   .n_references = 1,
                                   .c = com_connection_ref(c),
                                   .family = family,
                                   .record = *record };
        *record = (struct file_record){};
        strcpy(self->hex, hex);
        *ret = (IBackgroundCopyFile *) (void *) &self->file;
        return S_OK;
}

void com_file_keep_names(IBackgroundCopyFile *file) {
        file_of((IBackgroundCopyFile6 *) (void *) file)->keeps_names = true;
}

/* IDODownload: its life, its commands and its state. */
#include "client/com_download.h"

#include "base/strings.h"

static struct com_download *download_of(IDODownload *This) {
        return CONTAINER_OF(This, struct com_download, download);
}

static ULONG download_add_ref(void *object) {
        struct com_download *self = object;

        return atomic_fetch_add(&self->n_references, 1) + 1;
}

static HRESULT download_com_QueryInterface(IDODownload *This, REFIID riid, void **ppvObject) {
        static const struct com_interface table[] = {
                { &IID_IDODownload, offsetof(struct com_download, download) },
        };

        return com_query(download_of(This), table, ELEMENTSOF(table), riid, ppvObject, download_add_ref);
}

static ULONG download_com_AddRef(IDODownload *This) {
        return download_add_ref(download_of(This));
}

static ULONG download_com_Release(IDODownload *This) {
        struct com_download *self = download_of(This);
        ULONG left = atomic_fetch_sub(&self->n_references, 1) - 1;

        if (left == 0) {
                com_connection_put(self->c);
                free(self);
        }
        return left;
}

HRESULT com_download_read(struct com_download *self, struct job_record *ret) {
        return rim_hresult(wire_get_job_or_history(self->c, self->hex, 0, ret), JOB_FAMILY_DO);
}

HRESULT com_download_result(struct com_download *self, int code) {
        return com_result(self->c, JOB_FAMILY_DO, self->hex, code);
}

/* ---- state ---- */

static DODownloadState state_of(const struct job_record *record) {
        switch (record->state) {
        case JOB_QUEUED:
        case JOB_CONNECTING:
        case JOB_TRANSFERRING:
                return DODownloadState_Transferring;
        case JOB_TRANSFERRED:
                return DODownloadState_Transferred;
        case JOB_ACKNOWLEDGED:
                return DODownloadState_Finalized;
        case JOB_CANCELLED:
                return DODownloadState_Aborted;
        case JOB_SUSPENDED:
                return record->more.started ? DODownloadState_Paused : DODownloadState_Created;
        default:
                return DODownloadState_Paused;
        }
}

DO_DOWNLOAD_STATUS com_download_status(const struct job_record *record) {
        DO_DOWNLOAD_STATUS status = {
                .BytesTotal = record->info.bytes_total,
                .BytesTransferred = record->info.bytes_transferred,
                .State = state_of(record),
        };

        /* An obstacle that may pass is no reason for a program to act: only the detail tells of it. */
        if (record->state == JOB_ERROR)
                status.Error = status.ExtendedError = record->info.error.hresult;
        else if (record->state == JOB_TRANSIENT_ERROR)
                status.ExtendedError = record->info.error.hresult;
        return status;
}

static HRESULT download_com_GetStatus(IDODownload *This, DO_DOWNLOAD_STATUS *status) {
        struct job_record record;
        HRESULT hr;

        if (!status)
                return E_INVALIDARG;
        *status = (DO_DOWNLOAD_STATUS){};
        hr = com_download_read(download_of(This), &record);
        if (FAILED(hr))
                return hr;
        *status = com_download_status(&record);
        job_record_done(&record);
        return S_OK;
}

/* ---- BlockingMode ---- */

/* S_FALSE: it goes on. */
static HRESULT judge_end(const struct job_record *record) {
        switch (state_of(record)) {
        case DODownloadState_Transferred:
        case DODownloadState_Finalized:
                return S_OK;
        case DODownloadState_Aborted:
                return E_ABORT;
        case DODownloadState_Paused:
                if (record->state == JOB_ERROR)
                        return record->info.error.hresult;
                return record->state == JOB_SUSPENDED ? E_ABORT : S_FALSE;
        default:
                return S_FALSE;
        }
}

static void free_changes(struct com_download *self, struct watcher *watcher) {
        struct changed_job *changes, *job, *next;
        bool overflow;

        changes = connection_take_changes(self->c, watcher, &overflow);
        HASH_ITER(hh, changes, job, next) {
                HASH_DEL(changes, job);
                free(job);
        }
}

/* Until somebody must act: all bytes are there, an error stopped it, or another thread paused or ended it. */
static HRESULT wait_for_end(struct com_download *self) {
        struct watcher watcher = {};
        uint64_t generation = 0;
        HRESULT hr = S_FALSE;
        bool lost = true;

        strcpy(watcher.hex, self->hex);
        connection_add_watcher(self->c, &watcher);
        while (hr == S_FALSE) {
                struct job_record record;

                if (lost)
                        hr = com_download_result(self, wire_subscribe(self->c, self->hex, 0, &generation));
                if (SUCCEEDED(hr))
                        hr = com_download_read(self, &record);
                if (FAILED(hr))
                        break;
                hr = judge_end(&record);
                connection_note_seen(self->c, &watcher, self->hex, record.info.state);
                job_record_done(&record);
                if (hr != S_FALSE)
                        break;
                switch (connection_wait(self->c, &watcher, generation, UINT64_MAX, UINT64_MAX)) {
                case WAIT_INTERRUPTED:
                        hr = E_ABORT;
                        break;
                case WAIT_LOST:
                        lost = true;
                        break;
                default:
                        lost = false;
                        break;
                }
                free_changes(self, &watcher);
        }
        (void) connection_remove_watcher(self->c, &watcher);
        return hr;
}

/* ---- commands ---- */

static HRESULT convert_ranges(const DO_DOWNLOAD_RANGES_INFO *from, struct record_range **ret) {
        if (from->RangeCount > COM_RANGES_MAX)
                return rim_hresult(ERROR_TOO_MANY_RANGES, JOB_FAMILY_DO);
        *ret = calloc(from->RangeCount, sizeof(**ret));
        if (!*ret)
                return E_OUTOFMEMORY;
        for (UINT i = 0; i < from->RangeCount; i++)
                (*ret)[i] = (struct record_range){ .offset = from->Ranges[i].Offset, .length = from->Ranges[i].Length };
        return S_OK;
}

static HRESULT download_com_Start(IDODownload *This, const DO_DOWNLOAD_RANGES_INFO *ranges) {
        struct com_download *self = download_of(This);
        _cleanup_free_ struct record_range *wanted = NULL;
        size_t n = ranges ? ranges->RangeCount : 0;
        HRESULT hr = S_OK;

        if (n > 0)
                hr = convert_ranges(ranges, &wanted);
        if (SUCCEEDED(hr))
                hr = com_download_result(self, wire_start(self->c, self->hex, wanted, n));
        /* A callback that waited here would hold up all others, and its own download's news. */
        if (FAILED(hr) || !com_download_settings(self->hex).blocking || com_callback_is_current())
                return hr;
        return wait_for_end(self);
}

static HRESULT download_com_Pause(IDODownload *This) {
        struct com_download *self = download_of(This);

        return com_download_result(self, wire_suspend(self->c, self->hex));
}

static HRESULT end(struct com_download *self, int code) {
        if (!code)
                com_download_forget_settings(self->hex);
        return com_download_result(self, code);
}

static HRESULT download_com_Abort(IDODownload *This) {
        struct com_download *self = download_of(This);
        bool left;

        return end(self, wire_cancel(self->c, self->hex, &left));
}

static HRESULT download_com_Finalize(IDODownload *This) {
        struct com_download *self = download_of(This);
        bool partial;

        return end(self, wire_complete(self->c, self->hex, &partial));
}

static const IDODownloadVtbl download_vtbl = {
        download_com_QueryInterface, download_com_AddRef,    download_com_Release,  download_com_Start,
        download_com_Pause,          download_com_Abort,     download_com_Finalize, download_com_GetStatus,
        download_com_GetProperty,    download_com_SetProperty,
};

HRESULT com_download_new(struct dosvc *c, const char *hex, IDODownload **ret) {
        struct com_download *self = malloc(sizeof(*self));

        *ret = NULL;
        if (!self)
                return E_OUTOFMEMORY;
        *self = (struct com_download){ .download = { &download_vtbl }, .n_references = 1, .c = com_connection_ref(c) };
        strcpy(self->hex, hex);
        *ret = &self->download;
        return S_OK;
}

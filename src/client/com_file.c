/* IBackgroundCopyFile and IBackgroundCopyFile2. Names are those of the moment when the object was made; progress
 * is asked for. */
#include "base/strings.h"
#include "client/com.h"
#include "client/wide.h"
#include "protocol/limits.h"

struct com_file {
        IBackgroundCopyFile2 file;
        atomic_uint n_references;
        struct dosvc *c;
        enum job_family family;
        char hex[WIRE_ID_HEX + 1];
        struct file_record record;
        pthread_mutex_t lock; /* guards the URL, which SetRemoteName changes */
        char *url;
};

static struct com_file *file_of(IBackgroundCopyFile2 *This) {
        return CONTAINER_OF(This, struct com_file, file);
}

static ULONG file_add_ref(void *object) {
        struct com_file *self = object;

        return atomic_fetch_add(&self->n_references, 1) + 1;
}

static HRESULT file_com_QueryInterface(IBackgroundCopyFile2 *This, REFIID riid, void **ppvObject) {
        static const struct com_interface table[] = {
                { &IID_IBackgroundCopyFile2, offsetof(struct com_file, file) },
                { &IID_IBackgroundCopyFile, offsetof(struct com_file, file) },
        };

        return com_query(file_of(This), table, ELEMENTSOF(table), riid, ppvObject, file_add_ref);
}

static ULONG file_com_AddRef(IBackgroundCopyFile2 *This) {
        return file_add_ref(file_of(This));
}

static void file_free(struct com_file *self) {
        file_record_done(&self->record);
        free(self->url);
        (void) pthread_mutex_destroy(&self->lock);
        com_connection_put(self->c);
        free(self);
}

static ULONG file_com_Release(IBackgroundCopyFile2 *This) {
        struct com_file *self = file_of(This);
        ULONG left = atomic_fetch_sub(&self->n_references, 1) - 1;

        if (left == 0)
                file_free(self);
        return left;
}

static HRESULT file_com_GetRemoteName(IBackgroundCopyFile2 *This, LPWSTR *pVal) {
        struct com_file *self = file_of(This);
        HRESULT hr;

        pthread_mutex_lock(&self->lock);
        hr = com_string_out(self->url, pVal);
        pthread_mutex_unlock(&self->lock);
        return hr;
}

static HRESULT file_com_GetLocalName(IBackgroundCopyFile2 *This, LPWSTR *pVal) {
        return com_string_out(file_of(This)->record.info.path, pVal);
}

static BG_FILE_PROGRESS progress_of(const dosvc_file_info *info) {
        return (BG_FILE_PROGRESS){ .BytesTotal = info->bytes_total,
                                   .BytesTransferred = info->bytes_transferred,
                                   .Completed = streq(info->state, "published") };
}

static HRESULT file_com_GetProgress(IBackgroundCopyFile2 *This, BG_FILE_PROGRESS *pVal) {
        struct com_file *self = file_of(This);
        struct file_record record;
        int code;

        if (!pVal)
                return E_INVALIDARG;
        code = wire_get_file(self->c, self->hex, self->record.info.index, &record);
        /* A job that ended long ago: what is known is what was true when the object was made. */
        if (code == ERROR_NOT_FOUND)
                *pVal = progress_of(&self->record.info);
        if (code)
                return code == ERROR_NOT_FOUND ? S_OK : rim_hresult(code, self->family);
        *pVal = progress_of(&record.info);
        file_record_done(&record);
        return S_OK;
}

static HRESULT file_com_GetFileRanges(IBackgroundCopyFile2 *This, DWORD *RangeCount, BG_FILE_RANGE **Ranges) {
        const struct file_record *record = &file_of(This)->record;

        if (!RangeCount || !Ranges)
                return E_INVALIDARG;
        *RangeCount = 0;
        *Ranges = NULL;
        if (record->n_ranges == 0)
                return S_FALSE;
        *Ranges = CoTaskMemAlloc(record->n_ranges * sizeof(**Ranges));
        if (!*Ranges)
                return E_OUTOFMEMORY;
        for (size_t i = 0; i < record->n_ranges; i++)
                (*Ranges)[i] = (BG_FILE_RANGE){ record->ranges[i].offset, record->ranges[i].length };
        *RangeCount = (DWORD) record->n_ranges;
        return S_OK;
}

static HRESULT file_com_SetRemoteName(IBackgroundCopyFile2 *This, LPCWSTR Val) {
        struct com_file *self = file_of(This);
        char *url;
        HRESULT hr;
        int code;

        hr = com_string_in(Val, LIMIT_URL_COM, E_INVALIDARG, &url);
        if (SUCCEEDED(hr) && !*url)
                hr = E_INVALIDARG;
        if (SUCCEEDED(hr)) {
                code = wire_set_url(self->c, self->hex, self->record.info.index, url);
                hr = rim_hresult(code, self->family);
        }
        if (FAILED(hr)) {
                free(url);
                return hr;
        }
        pthread_mutex_lock(&self->lock);
        free(self->url);
        self->url = url;
        pthread_mutex_unlock(&self->lock);
        return S_OK;
}

static const IBackgroundCopyFile2Vtbl file_vtbl = {
        file_com_QueryInterface, file_com_AddRef,      file_com_Release,       file_com_GetRemoteName,
        file_com_GetLocalName,   file_com_GetProgress, file_com_GetFileRanges, file_com_SetRemoteName,
};

HRESULT com_file_new(struct dosvc *c, enum job_family family, const char *hex, struct file_record *record,
                     IBackgroundCopyFile **ret) {
        struct com_file *self = malloc(sizeof(*self));
        char *url = strdup(record->info.url);

        *ret = NULL;
        if (!self || !url) {
                file_record_done(record);
                free(self);
                free(url);
                return E_OUTOFMEMORY;
        }
        *self = (struct com_file){ .file = { &file_vtbl },
                                   .n_references = 1,
                                   .c = com_connection_ref(c),
                                   .family = family,
                                   .record = *record,
                                   .lock = PTHREAD_MUTEX_INITIALIZER,
                                   .url = url };
        *record = (struct file_record){};
        strcpy(self->hex, hex);
        *ret = (IBackgroundCopyFile *) (void *) &self->file;
        return S_OK;
}

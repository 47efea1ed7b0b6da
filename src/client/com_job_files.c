/* A job's files: adding and listing. What only the COM face limits is judged here, the rest by the service. */
#include "base/strings.h"
#include "client/com_job.h"
#include "protocol/limits.h"

/* Both strings of one file as UTF-8; the caller frees them, also after a failure. */
static HRESULT convert_names(LPCWSTR url, LPCWSTR path, char **ret_url, char **ret_path) {
        HRESULT hr = com_url_in(url, ret_url);

        *ret_path = NULL;
        return SUCCEEDED(hr) ? com_path_in(path, ret_path) : hr;
}

HRESULT job_com_AddFile(IBackgroundCopyJob5 *This, LPCWSTR RemoteUrl, LPCWSTR LocalName) {
        struct com_job *self = com_job_of(This);
        _cleanup_free_ char *url = NULL, *path = NULL;
        HRESULT hr;

        hr = convert_names(RemoteUrl, LocalName, &url, &path);
        if (FAILED(hr))
                return hr;
        return com_job_result(self,
                              wire_add_files(self->c, self->hex,
                                             &(struct wire_file){ .url = url, .path = path, .size = UINT64_MAX }, 1, NULL));
}

/* Fills @files, whose strings the caller frees. */
static HRESULT convert_set(const BG_FILE_INFO *from, ULONG n, struct wire_file *files) {
        for (ULONG i = 0; i < n; i++) {
                char *url, *path;
                HRESULT hr;

                hr = convert_names(from[i].RemoteName, from[i].LocalName, &url, &path);
                files[i] = (struct wire_file){ .url = url, .path = path, .size = UINT64_MAX };
                if (FAILED(hr))
                        return hr;
        }
        return S_OK;
}

HRESULT job_com_AddFileSet(IBackgroundCopyJob5 *This, ULONG cFileCount, BG_FILE_INFO *pFileSet) {
        struct com_job *self = com_job_of(This);
        struct wire_file *files;
        HRESULT hr;

        if (cFileCount == 0 || !pFileSet)
                return E_INVALIDARG;
        if (cFileCount > COM_FILES_MAX)
                return BG_E_TOO_MANY_FILES_IN_JOB;
        files = calloc(cFileCount, sizeof(*files));
        if (!files)
                return E_OUTOFMEMORY;
        hr = convert_set(pFileSet, cFileCount, files);
        if (SUCCEEDED(hr))
                hr = com_job_result(self, wire_add_files(self->c, self->hex, files, cFileCount, NULL));
        for (ULONG i = 0; i < cFileCount; i++) {
                free((char *) files[i].url);
                free((char *) files[i].path);
        }
        free(files);
        return hr;
}

/* What no file can have. Overlaps are judged by the service. None are NULL; the caller frees them. */
static HRESULT convert_ranges(const struct com_job *self, const BG_FILE_RANGE *from, DWORD n, struct record_range **ret) {
        HRESULT invalid = rim_hresult(ERROR_INVALID_RANGE, self->family);
        struct record_range *out;

        *ret = NULL;
        if (n == 0)
                return S_OK;
        if (n == UINT32_MAX || !from)
                return E_INVALIDARG;
        if (n > COM_RANGES_MAX)
                return rim_hresult(ERROR_TOO_MANY_RANGES, self->family);
        *ret = out = calloc(n, sizeof(*out));
        if (!out)
                return E_OUTOFMEMORY;
        for (DWORD i = 0; i < n; i++) {
                uint64_t end, offset = from[i].InitialOffset, length = from[i].Length;

                if (offset == BG_LENGTH_TO_EOF || length == 0 ||
                    (length != BG_LENGTH_TO_EOF && u64_add_overflows(offset, length, &end)))
                        return invalid;
                out[i] = (struct record_range){ .offset = offset, .length = length };
        }
        return S_OK;
}

/* @fileId NULL: none. */
static HRESULT convert_id(LPCWSTR fileId, char **ret) {
        HRESULT hr;

        *ret = NULL;
        if (!fileId)
                return S_OK;
        hr = com_string_in(fileId, LIMIT_URL_COM, E_INVALIDARG, ret);
        return SUCCEEDED(hr) && !**ret ? E_INVALIDARG : hr;
}

HRESULT com_job_add_with_ranges(struct com_job *self, LPCWSTR fileId, LPCWSTR remoteUrl, LPCWSTR localName,
                                DWORD rangeCount, const BG_FILE_RANGE *ranges, UINT64 fileSize) {
        _cleanup_free_ char *id = NULL, *url = NULL, *path = NULL;
        _cleanup_free_ struct record_range *converted = NULL;
        struct wire_file file;
        HRESULT hr;

        hr = convert_id(fileId, &id);
        if (SUCCEEDED(hr))
                hr = convert_names(remoteUrl, localName, &url, &path);
        if (SUCCEEDED(hr))
                hr = convert_ranges(self, ranges, rangeCount, &converted);
        if (FAILED(hr))
                return hr;
        file = (struct wire_file){
                .url = url, .path = path, .file_id = id, .size = fileSize, .ranges = converted, .n_ranges = rangeCount
        };
        return com_job_result(self, wire_add_files(self->c, self->hex, &file, 1, NULL));
}

HRESULT com_job_add_without_sink(struct com_job *self, LPCWSTR fileId, LPCWSTR remoteUrl, DWORD rangeCount,
                                 const BG_FILE_RANGE *ranges, IBackgroundCopyFile **ret) {
        _cleanup_free_ char *id = NULL, *url = NULL;
        _cleanup_free_ struct record_range *converted = NULL;
        struct wire_file file;
        struct file_record record;
        uint32_t index;
        HRESULT hr;

        *ret = NULL;
        hr = convert_id(fileId, &id);
        if (SUCCEEDED(hr))
                hr = com_url_in(remoteUrl, &url);
        if (SUCCEEDED(hr))
                hr = convert_ranges(self, ranges, rangeCount, &converted);
        if (FAILED(hr))
                return hr;
        file = (struct wire_file){ .url = url,
                                   .path = "",
                                   .path_comes_later = true,
                                   .file_id = id,
                                   .size = UINT64_MAX,
                                   .ranges = converted,
                                   .n_ranges = rangeCount };
        hr = com_job_result(self, wire_add_files(self->c, self->hex, &file, 1, &index));
        if (SUCCEEDED(hr))
                hr = com_job_result(self, wire_get_file(self->c, self->hex, index, &record));
        return SUCCEEDED(hr) ? com_file_new(self->c, self->family, self->hex, &record, ret) : hr;
}

/* In the caller's order, one after another: BITS makes no holes either. */
HRESULT job_com_AddFileWithRanges(IBackgroundCopyJob5 *This, LPCWSTR RemoteUrl, LPCWSTR LocalName, DWORD RangeCount,
                                  BG_FILE_RANGE Ranges[]) {
        if (RangeCount == 0)
                return E_INVALIDARG;
        return com_job_add_with_ranges(com_job_of(This), NULL, RemoteUrl, LocalName, RangeCount, Ranges, UINT64_MAX);
}

/* ---- listing ---- */

struct file_list {
        IUnknown **items;
        size_t n;
};

static HRESULT add_page(struct com_job *self, struct file_page *page, struct file_list *list) {
        IUnknown **items = reallocarray(list->items, list->n + page->n + 1, sizeof(*items));

        if (!items)
                return E_OUTOFMEMORY;
        list->items = items;
        for (size_t i = 0; i < page->n; i++) {
                IBackgroundCopyFile *file;
                HRESULT hr;

                hr = com_file_new(self->c, self->family, self->hex, &page->records[i], &file);
                if (FAILED(hr))
                        return hr;
                list->items[list->n++] = (IUnknown *) (void *) file;
        }
        return S_OK;
}

static HRESULT list_files(struct com_job *self, struct file_list *list) {
        for (;;) {
                struct file_page page;
                bool last;
                HRESULT hr;
                int code;

                code = wire_list_files(self->c, self->hex, (uint32_t) list->n, LIMIT_PAGE, &page);
                if (code)
                        return rim_hresult(code, self->family);
                last = page.n == 0 || page.next == 0;
                hr = add_page(self, &page, list);
                file_page_done(&page);
                if (FAILED(hr) || last)
                        return hr;
        }
}

HRESULT job_com_EnumFiles(IBackgroundCopyJob5 *This, IEnumBackgroundCopyFiles **pEnum) {
        struct file_list list = {};
        HRESULT hr;

        if (!pEnum)
                return E_INVALIDARG;
        *pEnum = NULL;
        hr = list_files(com_job_of(This), &list);
        if (FAILED(hr)) {
                com_release_all(list.items, list.n);
                return hr;
        }
        return com_enum_files_new(list.items, list.n, pEnum);
}

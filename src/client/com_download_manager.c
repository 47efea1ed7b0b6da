/* IDOManager of a manager object: makes and lists downloads. */
#include "base/strings.h"
#include "client/com_download.h"
#include "client/com_manager.h"
#include "protocol/limits.h"

#define DOWNLOAD "download" /* the kind, and the word for listing this kind */

static struct com_manager *manager_of(IDOManager *This) {
        return CONTAINER_OF(This, struct com_manager, downloads);
}

static HRESULT downloads_com_QueryInterface(IDOManager *This, REFIID riid, void **ppvObject) {
        return com_manager_query(manager_of(This), riid, ppvObject);
}

static ULONG downloads_com_AddRef(IDOManager *This) {
        return com_manager_add_ref(manager_of(This));
}

static ULONG downloads_com_Release(IDOManager *This) {
        return com_manager_release(manager_of(This));
}

/* Everything comes later; NonVolatile is FALSE until somebody sets it. */
static HRESULT downloads_com_CreateDownload(IDOManager *This, IDODownload **download) {
        struct com_manager *self = manager_of(This);
        const struct wire_property options[] = {
                { .name = "Kind", .type = 's', .s = DOWNLOAD },
                { .name = "Volatile", .type = 'b', .b = true },
        };
        const struct wire_job job = { .name = "", .options = options, .n_options = ELEMENTSOF(options) };
        const struct wire_file file = { .url = "", .path = "", .path_comes_later = true, .size = UINT64_MAX };
        char hex[WIRE_ID_HEX + 1];
        int code;

        if (!download)
                return E_INVALIDARG;
        *download = NULL;
        code = wire_create_job(self->c, &job, &file, 1, hex, NULL);
        return code ? rim_hresult(code, JOB_FAMILY_DO) : com_download_new(self->c, hex, download);
}

/* ---- listing ---- */

struct wanted {
        DODownloadProperty property;
        const char *value; /* NULL: all of them */
};

struct download_list {
        IUnknown **items;
        size_t n;
};

/* S_OK, S_FALSE or a failure. */
static HRESULT matches(struct com_manager *self, const char *hex, const struct job_record *record,
                       const struct wanted *wanted) {
        struct file_record file;
        const char *value = "";
        HRESULT hr;
        int code;

        if (!wanted->value)
                return S_OK;
        if (wanted->property == DODownloadProperty_Id)
                return strcasecmp(record->info.id, wanted->value) == 0 ? S_OK : S_FALSE;
        if (wanted->property == DODownloadProperty_DisplayName)
                return streq(record->info.name, wanted->value) ? S_OK : S_FALSE;
        code = wire_get_file(self->c, hex, 0, &file);
        if (code)
                return code == ERROR_NOT_FOUND ? S_FALSE : rim_hresult(code, JOB_FAMILY_DO);
        if (wanted->property == DODownloadProperty_Uri)
                value = file.info.url;
        else if (wanted->property == DODownloadProperty_ContentId)
                value = file.file_id;
        else
                value = file.info.path;
        hr = streq(value, wanted->value) ? S_OK : S_FALSE;
        file_record_done(&file);
        return hr;
}

static HRESULT add_page(struct com_manager *self, const struct job_page *page, const struct wanted *wanted,
                        struct download_list *list) {
        IUnknown **items = reallocarray(list->items, list->n + page->n + 1, sizeof(*items));

        if (!items)
                return E_OUTOFMEMORY;
        list->items = items;
        for (size_t i = 0; i < page->n; i++) {
                char hex[WIRE_ID_HEX + 1];
                IDODownload *download;
                struct guid guid;
                HRESULT hr;

                if (guid_from_string(page->records[i].info.id, &guid) < 0)
                        continue;
                guid_to_compact(&guid, hex);
                hr = matches(self, hex, &page->records[i], wanted);
                if (hr == S_FALSE)
                        continue;
                if (SUCCEEDED(hr))
                        hr = com_download_new(self->c, hex, &download);
                if (FAILED(hr))
                        return hr;
                list->items[list->n++] = (IUnknown *) (void *) download;
        }
        return S_OK;
}

static HRESULT list_downloads(struct com_manager *self, const struct wanted *wanted, struct download_list *list) {
        _cleanup_free_ char *cursor = NULL;

        for (;;) {
                struct job_page page;
                HRESULT hr;
                int code;

                code = wire_list_jobs(self->c, DOWNLOAD, cursor, LIMIT_PAGE, 0, &page);
                if (code)
                        return rim_hresult(code, JOB_FAMILY_DO);
                hr = add_page(self, &page, wanted, list);
                free(cursor);
                cursor = TAKE_PTR(page.next);
                job_page_done(&page);
                if (FAILED(hr) || !*cursor)
                        return hr;
        }
}

static bool can_be_asked_for(DODownloadProperty property) {
        return property == DODownloadProperty_Id || property == DODownloadProperty_Uri ||
               property == DODownloadProperty_ContentId || property == DODownloadProperty_DisplayName ||
               property == DODownloadProperty_LocalPath;
}

static HRESULT downloads_com_EnumDownloads(IDOManager *This, const DO_DOWNLOAD_ENUM_CATEGORY *category,
                                           IEnumUnknown **ppEnum) {
        _cleanup_free_ char *value = NULL;
        struct wanted wanted = {};
        struct download_list list = {};
        HRESULT hr = S_OK;

        if (!ppEnum)
                return E_INVALIDARG;
        *ppEnum = NULL;
        if (category) {
                if (!can_be_asked_for(category->Property))
                        return E_INVALIDARG;
                hr = com_string_in(category->Value, LIMIT_URL, E_INVALIDARG, &value);
                if (FAILED(hr))
                        return hr;
                wanted = (struct wanted){ .property = category->Property, .value = value };
        }
        hr = list_downloads(manager_of(This), &wanted, &list);
        if (SUCCEEDED(hr) && list.n == 0)
                hr = DO_E_NO_DOWNLOADS;
        if (FAILED(hr)) {
                com_release_all(list.items, list.n);
                return hr;
        }
        return com_enum_unknown_new(list.items, list.n, ppEnum);
}

const IDOManagerVtbl com_download_manager_vtbl = {
        downloads_com_QueryInterface, downloads_com_AddRef,        downloads_com_Release,
        downloads_com_CreateDownload, downloads_com_EnumDownloads,
};

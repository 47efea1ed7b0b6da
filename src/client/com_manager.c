/* IBackgroundCopyManager: the way in. Each family of classes has its own, and sees its own jobs. */

#include "base/strings.h"
#include "client/com_manager.h"
#include "client/wide.h"
#include "protocol/limits.h"

static struct com_manager *manager_of(IBackgroundCopyManager *This) {
        return CONTAINER_OF(This, struct com_manager, manager);
}

ULONG com_manager_add_ref(void *object) {
        struct com_manager *self = object;

        return atomic_fetch_add(&self->n_references, 1) + 1;
}

ULONG com_manager_release(struct com_manager *self) {
        ULONG left = atomic_fetch_sub(&self->n_references, 1) - 1;

        if (left == 0) {
                com_connection_put(self->c);
                free(self);
        }
        return left;
}

HRESULT com_manager_query(struct com_manager *self, REFIID riid, void **ppv) {
        static const struct com_interface table[] = {
                { &IID_IBackgroundCopyManager, offsetof(struct com_manager, manager) },
                { &IID_IDOManager, offsetof(struct com_manager, downloads) },
        };

        /* BITS has no downloads. */
        return com_query(self, table, self->family == JOB_FAMILY_DO ? ELEMENTSOF(table) : 1, riid, ppv, com_manager_add_ref);
}

static HRESULT manager_com_QueryInterface(IBackgroundCopyManager *This, REFIID riid, void **ppvObject) {
        return com_manager_query(manager_of(This), riid, ppvObject);
}

static ULONG manager_com_AddRef(IBackgroundCopyManager *This) {
        return com_manager_add_ref(manager_of(This));
}

static ULONG manager_com_Release(IBackgroundCopyManager *This) {
        return com_manager_release(manager_of(This));
}

static HRESULT create_job(struct com_manager *self, const char *name, GUID *pJobId, IBackgroundCopyJob **ppJob) {
        const struct wire_property family = { .name = "Family", .type = 's', .s = job_family_name(self->family) };
        const struct wire_job job = { .name = name, .options = &family, .n_options = 1 };
        char hex[WIRE_ID_HEX + 1];
        struct guid guid;
        HRESULT hr;
        int code;

        code = wire_create_job(self->c, &job, NULL, 0, hex, NULL);
        if (code)
                return rim_hresult(code, self->family);
        hr = com_job_new(self->c, self->family, hex, ppJob);
        if (SUCCEEDED(hr) && guid_from_string(hex, &guid) >= 0)
                com_guid_from(&guid, pJobId);
        return hr;
}

static HRESULT manager_com_CreateJob(IBackgroundCopyManager *This, LPCWSTR DisplayName, BG_JOB_TYPE Type, GUID *pJobId,
                                     IBackgroundCopyJob **ppJob) {
        _cleanup_free_ char *name = NULL;
        HRESULT hr;

        if (ppJob)
                *ppJob = NULL;
        if (!ppJob || !pJobId)
                return E_INVALIDARG;
        hr = com_string_in(DisplayName, LIMIT_DISPLAY_NAME, E_INVALIDARG, &name);
        if (FAILED(hr))
                return hr;
        /* Uploads have no meaning here (design decision 2). */
        if (Type != BG_JOB_TYPE_DOWNLOAD)
                return Type == BG_JOB_TYPE_UPLOAD || Type == BG_JOB_TYPE_UPLOAD_REPLY ? E_NOTIMPL : E_INVALIDARG;
        return create_job(manager_of(This), name, pJobId, ppJob);
}

static HRESULT manager_com_GetJob(IBackgroundCopyManager *This, REFGUID jobID, IBackgroundCopyJob **ppJob) {
        struct com_manager *self = manager_of(This);
        char id[GUID_STRING_MAX], hex[WIRE_ID_HEX + 1];
        struct job_record record;
        struct guid guid;
        int code;

        if (ppJob)
                *ppJob = NULL;
        if (!ppJob || !jobID)
                return E_INVALIDARG;
        com_guid_to(jobID, &guid);
        guid_to_string(&guid, id);
        code = wire_find_job(self->c, id, job_family_name(self->family), hex);
        if (!code)
                code = wire_get_job(self->c, hex, 0, &record);
        if (code)
                return rim_hresult(code, self->family);
        /* The service goes on to know a job that ended; a manager does not find it any more. */
        if (record.state == JOB_ACKNOWLEDGED || record.state == JOB_CANCELLED)
                code = ERROR_NOT_FOUND;
        job_record_done(&record);
        return code ? rim_hresult(code, self->family) : com_job_new(self->c, self->family, hex, ppJob);
}

struct job_list {
        IUnknown **items;
        size_t n;
};

static HRESULT add_page(struct com_manager *self, const struct job_page *page, struct job_list *list) {
        IUnknown **items = reallocarray(list->items, list->n + page->n + 1, sizeof(*items));

        if (!items)
                return E_OUTOFMEMORY;
        list->items = items;
        for (size_t i = 0; i < page->n; i++) {
                char hex[WIRE_ID_HEX + 1];
                IBackgroundCopyJob *job;
                struct guid guid;
                HRESULT hr;

                if (guid_from_string(page->records[i].info.id, &guid) < 0)
                        continue;
                guid_to_compact(&guid, hex);
                hr = com_job_new(self->c, self->family, hex, &job);
                if (FAILED(hr))
                        return hr;
                list->items[list->n++] = (IUnknown *) (void *) job;
        }
        return S_OK;
}

static HRESULT list_jobs(struct com_manager *self, bool everybodys, struct job_list *list) {
        _cleanup_free_ char *cursor = NULL;

        for (;;) {
                struct job_page page;
                HRESULT hr;
                int code;

                code = everybodys ? wire_list_all_jobs(self->c, job_family_name(self->family), cursor, LIMIT_PAGE, &page)
                                  : wire_list_jobs(self->c, job_family_name(self->family), cursor, LIMIT_PAGE, 0, &page);
                if (code)
                        return rim_hresult(code, self->family);
                hr = add_page(self, &page, list);
                free(cursor);
                cursor = TAKE_PTR(page.next);
                job_page_done(&page);
                if (FAILED(hr) || !*cursor)
                        return hr;
        }
}

static HRESULT manager_com_EnumJobs(IBackgroundCopyManager *This, DWORD dwFlags, IEnumBackgroundCopyJobs **ppEnum) {
        struct com_manager *self = manager_of(This);
        struct job_list list = {};
        HRESULT hr;

        if (ppEnum)
                *ppEnum = NULL;
        if (!ppEnum || dwFlags & ~(DWORD) BG_JOB_ENUM_ALL_USERS)
                return E_INVALIDARG;
        hr = list_jobs(self, dwFlags & BG_JOB_ENUM_ALL_USERS, &list);
        if (FAILED(hr)) {
                com_release_all(list.items, list.n);
                return hr;
        }
        return com_enum_jobs_new(list.items, list.n, ppEnum);
}

static HRESULT manager_com_GetErrorDescription(IBackgroundCopyManager *This, HRESULT hResult, DWORD LanguageId,
                                               LPWSTR *pErrorDescription) {
        _cleanup_free_ char *text = NULL;

        if (!pErrorDescription)
                return E_INVALIDARG;
        *pErrorDescription = NULL;
        text = com_describe(hResult, manager_of(This)->family);
        return text ? com_string_out(text, pErrorDescription) : E_OUTOFMEMORY;
}

static const IBackgroundCopyManagerVtbl manager_vtbl = {
        manager_com_QueryInterface,      manager_com_AddRef, manager_com_Release,
        manager_com_CreateJob,           manager_com_GetJob, manager_com_EnumJobs,
        manager_com_GetErrorDescription,
};

HRESULT com_manager_new(struct dosvc *c, enum job_family family, IBackgroundCopyManager **ret) {
        struct com_manager *self = malloc(sizeof(*self));

        *ret = NULL;
        if (!self)
                return E_OUTOFMEMORY;
        *self = (struct com_manager){
                .manager = { &manager_vtbl }, .downloads = { &com_download_manager_vtbl }, .n_references = 1, .c = com_connection_ref(c), .family = family
        };
        *ret = &self->manager;
        return S_OK;
}

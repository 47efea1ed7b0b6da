/* IBackgroundCopyError: what was wrong at the moment when it was made. */
#include "base/strings.h"
#include "client/com.h"

struct com_error {
        IBackgroundCopyError error;
        atomic_uint n_references;
        enum job_family family;
        BG_ERROR_CONTEXT context;
        HRESULT hr;
        IBackgroundCopyFile *file; /* or NULL */
        char *text;
        char *scheme; /* or NULL */
};

static struct com_error *error_of(IBackgroundCopyError *This) {
        return CONTAINER_OF(This, struct com_error, error);
}

static ULONG error_add_ref(void *object) {
        struct com_error *self = object;

        return atomic_fetch_add(&self->n_references, 1) + 1;
}

static HRESULT error_com_QueryInterface(IBackgroundCopyError *This, REFIID riid, void **ppvObject) {
        static const struct com_interface table[] = { { &IID_IBackgroundCopyError,
                                                        offsetof(struct com_error, error) } };

        return com_query(error_of(This), table, ELEMENTSOF(table), riid, ppvObject, error_add_ref);
}

static ULONG error_com_AddRef(IBackgroundCopyError *This) {
        return error_add_ref(error_of(This));
}

static void error_free(struct com_error *self) {
        if (self->file)
                (void) self->file->lpVtbl->Release(self->file);
        free(self->text);
        free(self->scheme);
        free(self);
}

static ULONG error_com_Release(IBackgroundCopyError *This) {
        struct com_error *self = error_of(This);
        ULONG left = atomic_fetch_sub(&self->n_references, 1) - 1;

        if (left == 0)
                error_free(self);
        return left;
}

static HRESULT error_com_GetError(IBackgroundCopyError *This, BG_ERROR_CONTEXT *pContext, HRESULT *pCode) {
        if (!pContext || !pCode)
                return E_INVALIDARG;
        *pContext = error_of(This)->context;
        *pCode = error_of(This)->hr;
        return S_OK;
}

static HRESULT error_com_GetFile(IBackgroundCopyError *This, IBackgroundCopyFile **pVal) {
        struct com_error *self = error_of(This);

        if (!pVal)
                return E_INVALIDARG;
        *pVal = self->file;
        if (!self->file)
                return self->family == JOB_FAMILY_DO ? DO_E_FILE_NOT_AVAILABLE : BG_E_FILE_NOT_AVAILABLE;
        (void) self->file->lpVtbl->AddRef(self->file);
        return S_OK;
}

/* There is one language, which every other one gets too. */
static HRESULT error_com_GetErrorDescription(IBackgroundCopyError *This, DWORD LanguageId, LPWSTR *pErrorDescription) {
        return com_string_out(error_of(This)->text, pErrorDescription);
}

static HRESULT error_com_GetErrorContextDescription(IBackgroundCopyError *This, DWORD LanguageId,
                                                    LPWSTR *pContextDescription) {
        static const char *const texts[] = {
                [BG_ERROR_CONTEXT_NONE] = "There is no error.",
                [BG_ERROR_CONTEXT_UNKNOWN] = "The error happened in an unknown place.",
                [BG_ERROR_CONTEXT_GENERAL_QUEUE_MANAGER] = "The error happened while the service managed its queue.",
                [BG_ERROR_CONTEXT_QUEUE_MANAGER_NOTIFICATION] = "The error happened while the program was notified.",
                [BG_ERROR_CONTEXT_LOCAL_FILE] = "The error happened with the local file.",
                [BG_ERROR_CONTEXT_REMOTE_FILE] = "The error happened with the file on the server.",
                [BG_ERROR_CONTEXT_GENERAL_TRANSPORT] = "The error happened on the way to the server.",
                [BG_ERROR_CONTEXT_REMOTE_APPLICATION] = "The application on the server answered with an error.",
                [BG_ERROR_CONTEXT_SERVER_CERTIFICATE_CALLBACK] = "The error happened when the program judged the server's certificate.",
        };
        size_t context = (size_t) error_of(This)->context;

        return com_string_out(texts[context < ELEMENTSOF(texts) ? context : BG_ERROR_CONTEXT_UNKNOWN],
                              pContextDescription);
}

static HRESULT error_com_GetProtocol(IBackgroundCopyError *This, LPWSTR *pProtocol) {
        struct com_error *self = error_of(This);

        if (!pProtocol)
                return E_INVALIDARG;
        *pProtocol = NULL;
        return self->scheme ? com_string_out(self->scheme, pProtocol) : BG_E_PROTOCOL_NOT_AVAILABLE;
}

static const IBackgroundCopyErrorVtbl error_vtbl = {
        error_com_QueryInterface,
        error_com_AddRef,
        error_com_Release,
        error_com_GetError,
        error_com_GetFile,
        error_com_GetErrorDescription,
        error_com_GetErrorContextDescription,
        error_com_GetProtocol,
};

/* A protocol was spoken only if the error is on the far side. */
static bool has_protocol(enum error_context context) {
        return context == ERROR_CONTEXT_REMOTE_FILE || context == ERROR_CONTEXT_GENERAL_TRANSPORT ||
               context == ERROR_CONTEXT_REMOTE_APPLICATION || context == ERROR_CONTEXT_SERVER_CERTIFICATE_CALLBACK;
}

static char *scheme_of(const struct job_record *record) {
        const char *url = record->info.error.url, *end = strstr(url, "://");

        return end && has_protocol(record->error_context) ? strndup(url, (size_t) (end - url)) : NULL;
}

static HRESULT find_file(struct com_error *self, struct dosvc *c, const char *hex, uint32_t index) {
        struct file_record record;
        HRESULT hr;

        if (index == JOB_ERROR_NO_FILE || wire_get_file(c, hex, index, &record))
                return S_OK;
        hr = com_file_new(c, self->family, hex, &record, &self->file);
        if (SUCCEEDED(hr))
                com_file_keep_names(self->file);
        return hr;
}

HRESULT com_error_new(struct dosvc *c, const char *hex, const struct job_record *record, IBackgroundCopyError **ret) {
        const dosvc_failure *failure = &record->info.error;
        struct com_error *self = malloc(sizeof(*self));
        HRESULT hr;

        *ret = NULL;
        if (!self)
                return E_OUTOFMEMORY;
        *self = (struct com_error){ .error = { &error_vtbl },
                                    .n_references = 1,
                                    .family = record->family,
                                    .context = (BG_ERROR_CONTEXT) record->error_context,
                                    .hr = failure->hresult };
        self->text = *failure->text ? strdup(failure->text) : com_describe(self->hr, self->family);
        self->scheme = scheme_of(record);
        hr = self->text ? find_file(self, c, hex, record->error_file) : E_OUTOFMEMORY;
        if (FAILED(hr)) {
                error_free(self);
                return hr;
        }
        *ret = &self->error;
        return S_OK;
}

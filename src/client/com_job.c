/* The job object: IBackgroundCopyJob to IBackgroundCopyJob5 are one table of methods, each version a longer beginning of it; the others
 * are beside it. Here are its life, its commands and its callback. */
#include "client/com_job.h"

#include "base/strings.h"

ULONG com_job_add_ref(void *object) {
        struct com_job *self = object;

        return atomic_fetch_add(&self->n_references, 1) + 1;
}

ULONG com_job_release(struct com_job *self) {
        ULONG left = atomic_fetch_sub(&self->n_references, 1) - 1;

        if (left == 0) {
                com_connection_put(self->c);
                free(self);
        }
        return left;
}

HRESULT com_job_query(struct com_job *self, REFIID riid, void **ppv) {
        static const struct com_interface table[] = {
                { &IID_IBackgroundCopyJob, offsetof(struct com_job, job) },
                { &IID_IBackgroundCopyJob2, offsetof(struct com_job, job) },
                { &IID_IBackgroundCopyJob3, offsetof(struct com_job, job) },
                { &IID_IBackgroundCopyJob4, offsetof(struct com_job, job) },
                { &IID_IBackgroundCopyJob5, offsetof(struct com_job, job) },
                { &IID_IDeliveryOptimizationJob, offsetof(struct com_job, delivery) },
                { &IID_IDeliveryOptimizationJob2, offsetof(struct com_job, delivery2) },
                { &IID_IBackgroundCopyJobHttpOptions, offsetof(struct com_job, http) },
                { &IID_IBackgroundCopyJobHttpOptions2, offsetof(struct com_job, http) },
                { &IID_IBackgroundCopyJobHttpOptions3, offsetof(struct com_job, http) },
                { &IID_IBitsTokenOptions, offsetof(struct com_job, token) },
        };

        return com_query(self, table, ELEMENTSOF(table), riid, ppv, com_job_add_ref);
}

static HRESULT job_com_QueryInterface(IBackgroundCopyJob5 *This, REFIID riid, void **ppvObject) {
        return com_job_query(com_job_of(This), riid, ppvObject);
}

static ULONG job_com_AddRef(IBackgroundCopyJob5 *This) {
        return com_job_add_ref(com_job_of(This));
}

static ULONG job_com_Release(IBackgroundCopyJob5 *This) {
        return com_job_release(com_job_of(This));
}

HRESULT com_job_read(struct com_job *self, struct job_record *ret) {
        return rim_hresult(wire_get_job_or_history(self->c, self->hex, 0, ret), self->family);
}

HRESULT com_job_result(struct com_job *self, int code) {
        return com_result(self->c, self->family, self->hex, code);
}

/* ---- commands ---- */

static HRESULT job_com_Suspend(IBackgroundCopyJob5 *This) {
        struct com_job *self = com_job_of(This);

        return com_job_result(self, wire_suspend(self->c, self->hex));
}

static HRESULT job_com_Resume(IBackgroundCopyJob5 *This) {
        struct com_job *self = com_job_of(This);

        return com_job_result(self, wire_resume(self->c, self->hex));
}

static HRESULT job_com_Cancel(IBackgroundCopyJob5 *This) {
        struct com_job *self = com_job_of(This);
        bool left = false;
        int code;

        code = wire_cancel(self->c, self->hex, &left);
        if (code)
                return com_job_result(self, code);
        com_callback_forget(self->hex);
        com_judge_forget(self->hex);
        return left ? BG_S_UNABLE_TO_DELETE_FILES : S_OK;
}

static HRESULT job_com_Complete(IBackgroundCopyJob5 *This) {
        struct com_job *self = com_job_of(This);
        bool partial = false;
        int code;

        code = wire_complete(self->c, self->hex, &partial);
        if (code)
                return com_job_result(self, code);
        com_callback_forget(self->hex);
        com_judge_forget(self->hex);
        return partial ? BG_S_PARTIAL_COMPLETE : S_OK;
}

/* Whoever has it keeps it; an administrator gets it. */
static HRESULT job_com_TakeOwnership(IBackgroundCopyJob5 *This) {
        struct com_job *self = com_job_of(This);

        return com_job_result(self, wire_take_ownership(self->c, self->hex));
}

/* ---- callback ---- */

static HRESULT job_com_SetNotifyInterface(IBackgroundCopyJob5 *This, IUnknown *Val) {
        struct com_job *self = com_job_of(This);

        return com_callback_set(self->c, self->family, self->hex, Val);
}

static HRESULT job_com_GetNotifyInterface(IBackgroundCopyJob5 *This, IUnknown **pVal) {
        if (!pVal)
                return E_INVALIDARG;
        *pVal = com_callback_get(com_job_of(This)->hex);
        return S_OK;
}

static const IBackgroundCopyJob5Vtbl job_vtbl = {
        job_com_QueryInterface,
        job_com_AddRef,
        job_com_Release,
        job_com_AddFileSet,
        job_com_AddFile,
        job_com_EnumFiles,
        job_com_Suspend,
        job_com_Resume,
        job_com_Cancel,
        job_com_Complete,
        job_com_GetId,
        job_com_GetType,
        job_com_GetProgress,
        job_com_GetTimes,
        job_com_GetState,
        job_com_GetError,
        job_com_GetOwner,
        job_com_SetDisplayName,
        job_com_GetDisplayName,
        job_com_SetDescription,
        job_com_GetDescription,
        job_com_SetPriority,
        job_com_GetPriority,
        job_com_SetNotifyFlags,
        job_com_GetNotifyFlags,
        job_com_SetNotifyInterface,
        job_com_GetNotifyInterface,
        job_com_SetMinimumRetryDelay,
        job_com_GetMinimumRetryDelay,
        job_com_SetNoProgressTimeout,
        job_com_GetNoProgressTimeout,
        job_com_GetErrorCount,
        job_com_SetProxySettings,
        job_com_GetProxySettings,
        job_com_TakeOwnership,

        job_com_SetNotifyCmdLine,
        job_com_GetNotifyCmdLine,
        job_com_GetReplyProgress,
        job_com_GetReplyData,
        job_com_SetReplyFileName,
        job_com_GetReplyFileName,
        job_com_SetCredentials,
        job_com_RemoveCredentials,

        job_com_ReplaceRemotePrefix,
        job_com_AddFileWithRanges,
        job_com_SetFileACLFlags,
        job_com_GetFileACLFlags,

        job_com_SetPeerCachingFlags,
        job_com_GetPeerCachingFlags,
        job_com_GetOwnerIntegrityLevel,
        job_com_GetOwnerElevationState,
        job_com_SetMaximumDownloadTime,
        job_com_GetMaximumDownloadTime,

        job_com_SetProperty,
        job_com_GetProperty,
};

HRESULT com_job_new(struct dosvc *c, enum job_family family, const char *hex, IBackgroundCopyJob **ret) {
        struct com_job *self = malloc(sizeof(*self));

        *ret = NULL;
        if (!self)
                return E_OUTOFMEMORY;
        *self = (struct com_job){ .job = { &job_vtbl },
                                  .delivery = { &com_delivery_vtbl },
                                  .delivery2 = { &com_delivery2_vtbl },
                                  .http = { &com_http_vtbl },
                                  .token = { &com_token_vtbl },
                                  .n_references = 1,
                                  .c = com_connection_ref(c),
                                  .family = family };
        strcpy(self->hex, hex);
        *ret = (IBackgroundCopyJob *) (void *) &self->job;
        return S_OK;
}

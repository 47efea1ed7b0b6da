/* IBitsTokenOptions of a job object. Helper tokens are Windows': a program that asks for them is told so by each method, and goes on without
 * (design decision 2). */
#include "client/com_job.h"

static struct com_job *token_of(IBitsTokenOptions *This) {
        return CONTAINER_OF(This, struct com_job, token);
}

static HRESULT token_com_QueryInterface(IBitsTokenOptions *This, REFIID riid, void **ppvObject) {
        return com_job_query(token_of(This), riid, ppvObject);
}

static ULONG token_com_AddRef(IBitsTokenOptions *This) {
        return com_job_add_ref(token_of(This));
}

static ULONG token_com_Release(IBitsTokenOptions *This) {
        return com_job_release(token_of(This));
}

static HRESULT token_com_SetHelperTokenFlags(IBitsTokenOptions *This, BG_TOKEN UsageFlags) {
        return E_NOTIMPL;
}

static HRESULT token_com_GetHelperTokenFlags(IBitsTokenOptions *This, BG_TOKEN *pFlags) {
        if (!pFlags)
                return E_INVALIDARG;
        *pFlags = 0;
        return E_NOTIMPL;
}

static HRESULT token_com_SetHelperToken(IBitsTokenOptions *This) {
        return E_NOTIMPL;
}

static HRESULT token_com_ClearHelperToken(IBitsTokenOptions *This) {
        return E_NOTIMPL;
}

static HRESULT token_com_GetHelperTokenSid(IBitsTokenOptions *This, BG_TOKEN TokenType, LPWSTR *pSid) {
        if (!pSid)
                return E_INVALIDARG;
        *pSid = NULL;
        return E_NOTIMPL;
}

const IBitsTokenOptionsVtbl com_token_vtbl = {
        .QueryInterface = token_com_QueryInterface,
        .AddRef = token_com_AddRef,
        .Release = token_com_Release,
        .SetHelperTokenFlags = token_com_SetHelperTokenFlags,
        .GetHelperTokenFlags = token_com_GetHelperTokenFlags,
        .SetHelperToken = token_com_SetHelperToken,
        .ClearHelperToken = token_com_ClearHelperToken,
        .GetHelperTokenSid = token_com_GetHelperTokenSid,
};

/* IDeliveryOptimizationJob and IDeliveryOptimizationJob2 of a job object. */
#include <stdio.h>

#include "base/strings.h"
#include "client/com_job.h"

#define EXTENDED_ERROR_MAX 512 /* bytes of text of a job's error */

/* ---- IDeliveryOptimizationJob ---- */

static struct com_job *delivery_of(IDeliveryOptimizationJob *This) {
        return CONTAINER_OF(This, struct com_job, delivery);
}

static HRESULT delivery_com_QueryInterface(IDeliveryOptimizationJob *This, REFIID riid, void **ppvObject) {
        return com_job_query(delivery_of(This), riid, ppvObject);
}

static ULONG delivery_com_AddRef(IDeliveryOptimizationJob *This) {
        return com_job_add_ref(delivery_of(This));
}

static ULONG delivery_com_Release(IDeliveryOptimizationJob *This) {
        return com_job_release(delivery_of(This));
}

static HRESULT delivery_com_AddFileWithRanges(IDeliveryOptimizationJob *This, LPCWSTR fileId, LPCWSTR remoteUrl,
                                              LPCWSTR localName, DWORD rangeCount, BG_FILE_RANGE ranges[],
                                              UINT64 fileSize) {
        if (!fileId)
                return E_INVALIDARG;
        return com_job_add_with_ranges(delivery_of(This), fileId, remoteUrl, localName, rangeCount, ranges, fileSize);
}

const IDeliveryOptimizationJobVtbl com_delivery_vtbl = {
        delivery_com_QueryInterface,
        delivery_com_AddRef,
        delivery_com_Release,
        delivery_com_AddFileWithRanges,
};

/* ---- IDeliveryOptimizationJob2 ---- */

static struct com_job *delivery2_of(IDeliveryOptimizationJob2 *This) {
        return CONTAINER_OF(This, struct com_job, delivery2);
}

static HRESULT delivery2_com_QueryInterface(IDeliveryOptimizationJob2 *This, REFIID riid, void **ppvObject) {
        return com_job_query(delivery2_of(This), riid, ppvObject);
}

static ULONG delivery2_com_AddRef(IDeliveryOptimizationJob2 *This) {
        return com_job_add_ref(delivery2_of(This));
}

static ULONG delivery2_com_Release(IDeliveryOptimizationJob2 *This) {
        return com_job_release(delivery2_of(This));
}

static HRESULT delivery2_com_AddFile(IDeliveryOptimizationJob2 *This, LPCWSTR fileId, LPCWSTR remoteUrl,
                                     DWORD rangeCount, BG_FILE_RANGE ranges[], REFIID riid, void **file) {
        IBackgroundCopyFile *added;
        HRESULT hr;

        if (file)
                *file = NULL;
        if (!file || !fileId || !riid)
                return E_INVALIDARG;
        if (!IsEqualIID(riid, &IID_IDeliveryOptimizationFile))
                return E_NOINTERFACE; /* before anything is added */
        hr = com_job_add_without_sink(delivery2_of(This), fileId, remoteUrl, rangeCount, ranges, &added);
        if (FAILED(hr))
                return hr;
        hr = added->lpVtbl->QueryInterface(added, riid, file);
        (void) added->lpVtbl->Release(added);
        return hr;
}

/* "0x80190194 remote_file: The server answered with HTTP status 404." */
static HRESULT extended_error(const struct job_record *record, VARIANT *ret) {
        const dosvc_failure *failure = &record->info.error;
        _cleanup_free_ char *text = NULL;
        LPWSTR wide;
        HRESULT hr;

        if (failure->hresult == 0)
                return E_NOT_SET;
        if (asprintf(&text, "0x%08X %s: %.*s", (unsigned) failure->hresult, failure->context, EXTENDED_ERROR_MAX,
                     failure->text) < 0) {
                text = NULL;
                return E_OUTOFMEMORY;
        }
        hr = com_string_out(text, &wide);
        if (FAILED(hr))
                return hr;
        V_VT(ret) = VT_BSTR;
        V_BSTR(ret) = SysAllocString(wide);
        CoTaskMemFree(wide);
        if (V_BSTR(ret))
                return S_OK;
        V_VT(ret) = VT_EMPTY;
        return E_OUTOFMEMORY;
}

static HRESULT delivery2_com_GetProperty(IDeliveryOptimizationJob2 *This, DOJobPropertyId propId, VARIANT *propVal) {
        struct com_job *self = delivery2_of(This);
        struct job_record record;
        HRESULT hr;

        if (!propVal)
                return E_INVALIDARG;
        VariantInit(propVal);
        if (propId != DOJobPropertyId_ExtendedErrorInfo)
                return DO_E_UNKNOWN_PROPERTY_ID;
        hr = com_job_read(self, &record);
        if (FAILED(hr))
                return hr;
        hr = extended_error(&record, propVal);
        job_record_done(&record);
        return hr;
}

static HRESULT delivery2_com_SetProperty(IDeliveryOptimizationJob2 *This, DOJobPropertyId propId,
                                         const VARIANT *propVal) {
        return propId == DOJobPropertyId_ExtendedErrorInfo ? DO_E_READ_ONLY_PROPERTY : DO_E_UNKNOWN_PROPERTY_ID;
}

const IDeliveryOptimizationJob2Vtbl com_delivery2_vtbl = {
        delivery2_com_QueryInterface, delivery2_com_AddRef,      delivery2_com_Release,
        delivery2_com_AddFile,        delivery2_com_GetProperty, delivery2_com_SetProperty,
};

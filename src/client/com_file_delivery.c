/* IDeliveryOptimizationFile and IDeliveryOptimizationFile2 of a file object. */
#include "base/clock.h"
#include "base/strings.h"
#include "client/com_file.h"
#include "client/com_variant.h"
#include "protocol/limits.h"

/* ---- IDeliveryOptimizationFile ---- */

static struct com_file *delivery_of(IDeliveryOptimizationFile *This) {
        return CONTAINER_OF(This, struct com_file, delivery);
}

static HRESULT delivery_com_QueryInterface(IDeliveryOptimizationFile *This, REFIID riid, void **ppvObject) {
        return com_file_query(delivery_of(This), riid, ppvObject);
}

static ULONG delivery_com_AddRef(IDeliveryOptimizationFile *This) {
        return com_file_add_ref(delivery_of(This));
}

static ULONG delivery_com_Release(IDeliveryOptimizationFile *This) {
        return com_file_release(delivery_of(This));
}

static SwarmStatus swarm_status(const struct file_record *file, const struct job_record *job) {
        if (!streq(file->info.state, "pending"))
                return SwarmStatus_Complete;
        return job->state == JOB_TRANSFERRING || job->state == JOB_QUEUED ? SwarmStatus_Downloading
                                                                          : SwarmStatus_Paused;
}

/* There are no peers, and a file does not tell what cache servers sent of it. The time is that of the whole job. */
static HRESULT fill_stats(struct com_file *self, const struct file_record *file, const struct job_record *job,
                          DOSwarmStats *ret) {
        LPWSTR id = NULL, url = NULL;
        HRESULT hr;

        hr = com_string_out(file->file_id, &id);
        if (SUCCEEDED(hr))
                hr = com_string_out(file->info.url, &url);
        if (FAILED(hr)) {
                CoTaskMemFree(id);
                return hr;
        }
        *ret = (DOSwarmStats){ .fileId = id,
                               .sourceURL = url,
                               .fileSize = file->info.bytes_total,
                               .totalBytesDownloaded = file->info.bytes_transferred,
                               .bytesFromHttp = file->info.bytes_transferred,
                               .httpConnectionCount = file->info.connections,
                               .downloadDuration = (UINT) MIN(job->more.transferring_usec / USEC_PER_MSEC, (uint64_t) UINT32_MAX),
                               .downloadMode = DownloadMode_CdnOnly,
                               .status = swarm_status(file, job),
                               .isBackground = job->priority != JOB_PRIORITY_FOREGROUND };
        return S_OK;
}

static HRESULT delivery_com_GetStats(IDeliveryOptimizationFile *This, DOSwarmStats *stats) {
        struct com_file *self = delivery_of(This);
        struct file_record file;
        struct job_record job;
        HRESULT hr;

        if (!stats)
                return E_INVALIDARG;
        *stats = (DOSwarmStats){};
        hr = rim_hresult(wire_get_job_or_history(self->c, self->hex, 0, &job), self->family);
        if (FAILED(hr))
                return hr;
        hr = com_file_read(self, &file);
        if (SUCCEEDED(hr)) {
                hr = fill_stats(self, &file, &job, stats);
                file_record_done(&file);
        }
        job_record_done(&job);
        return hr;
}

const IDeliveryOptimizationFileVtbl com_file_delivery_vtbl = {
        delivery_com_QueryInterface,
        delivery_com_AddRef,
        delivery_com_Release,
        delivery_com_GetStats,
};

/* ---- IDeliveryOptimizationFile2: a row for each property ---- */

struct property {
        VARTYPE type;
        HRESULT (*get)(const struct com_file *self, const struct file_record *file, VARIANT *ret); /* NULL: write-only */
        HRESULT (*set)(struct com_file *self, const VARIANT *value);
};

static HRESULT set_property(struct com_file *self, struct wire_property property) {
        return com_file_result(self, wire_set_file_property(self->c, self->hex, self->record.info.index, &property));
}

static HRESULT set_text(struct com_file *self, const VARIANT *value, size_t max, const char *name) {
        _cleanup_free_ char *s = NULL;
        HRESULT hr = com_variant_take_string(value, max, &s);

        return FAILED(hr) ? hr : set_property(self, (struct wire_property){ .name = name, .type = 's', .s = s });
}

static HRESULT set_decryption(struct com_file *self, const VARIANT *value) {
        return set_text(self, value, LIMIT_DECRYPTION_INFO, "DecryptionInfo");
}

static HRESULT set_integrity(struct com_file *self, const VARIANT *value) {
        return set_text(self, value, LIMIT_INTEGRITY_INFO, "IntegrityCheckInfo");
}

static HRESULT get_mandatory(const struct com_file *self, const struct file_record *file, VARIANT *ret) {
        return com_variant_put_bool(file->info.integrity_mandatory, ret);
}

static HRESULT set_mandatory(struct com_file *self, const VARIANT *value) {
        return set_property(self, (struct wire_property){ .name = "IntegrityCheckMandatory",
                                                          .type = 'b',
                                                          .b = com_variant_take_bool(value) });
}

static HRESULT get_path(const struct com_file *self, const struct file_record *file, VARIANT *ret) {
        return com_variant_put_string(file->info.path, ret);
}

static HRESULT set_path(struct com_file *self, const VARIANT *value) {
        _cleanup_free_ char *s = NULL;
        HRESULT hr = com_variant_take_path(value, &s);

        return FAILED(hr) ? hr : com_file_result(self, wire_set_path(self->c, self->hex, self->record.info.index, s));
}

static HRESULT get_size(const struct com_file *self, const struct file_record *file, VARIANT *ret) {
        uint64_t size = file->info.stated_size != DOSVC_UNKNOWN ? file->info.stated_size : file->info.bytes_total;

        return size == DOSVC_UNKNOWN ? E_NOT_SET : com_variant_put_u64(size, ret);
}

static HRESULT set_size(struct com_file *self, const VARIANT *value) {
        return set_property(self, (struct wire_property){ .name = "StatedSize", .type = 't', .t = V_UI8(value) });
}

static HRESULT get_stream(const struct com_file *self, const struct file_record *file, VARIANT *ret) {
        return com_variant_put_unknown(com_stream_get(self->hex, self->record.info.index), ret);
}

static HRESULT set_stream(struct com_file *self, const VARIANT *value) {
        return com_stream_set(self->c, self->family, self->hex, self->record.info.index, V_UNKNOWN(value));
}

/* ---- what has nothing behind it: docs/not-implemented.md ---- */

static HRESULT get_nothing(const struct com_file *self, const struct file_record *file, VARIANT *ret) {
        return E_NOT_SET;
}

static HRESULT set_memory_stream(struct com_file *self, const VARIANT *value) {
        return DO_E_MEMORYSTREAM_DOWNLOAD_NOT_SUPPORTED;
}

#define P(name) [DOFilePropertyId_##name]
static const struct property properties[] = {
        P(DecryptionInfo) = { VT_BSTR, .set = set_decryption },
        P(IntegrityCheckInfo) = { VT_BSTR, .set = set_integrity },
        P(IntegrityCheckMandatory) = { VT_BOOL, get_mandatory, set_mandatory },
        P(DownloadSinkInterface) = { VT_UNKNOWN, get_stream, set_stream },
        P(DownloadSinkFilePath) = { VT_BSTR, get_path, set_path },
        P(DownloadSinkMemoryStream) = { VT_UNKNOWN, get_nothing, set_memory_stream },
        P(TotalSizeBytes) = { VT_UI8, get_size, set_size },
};
#undef P

static const struct property *find_property(DOFilePropertyId id) {
        return (size_t) id < ELEMENTSOF(properties) ? &properties[id] : NULL;
}

static struct com_file *delivery2_of(IDeliveryOptimizationFile2 *This) {
        return CONTAINER_OF(This, struct com_file, delivery2);
}

static HRESULT delivery2_com_QueryInterface(IDeliveryOptimizationFile2 *This, REFIID riid, void **ppvObject) {
        return com_file_query(delivery2_of(This), riid, ppvObject);
}

static ULONG delivery2_com_AddRef(IDeliveryOptimizationFile2 *This) {
        return com_file_add_ref(delivery2_of(This));
}

static ULONG delivery2_com_Release(IDeliveryOptimizationFile2 *This) {
        return com_file_release(delivery2_of(This));
}

static HRESULT delivery2_com_GetProperty(IDeliveryOptimizationFile2 *This, DOFilePropertyId propId, VARIANT *propVal) {
        const struct property *property = find_property(propId);
        struct file_record record;
        HRESULT hr;

        if (!propVal)
                return E_INVALIDARG;
        VariantInit(propVal);
        if (!property)
                return DO_E_UNKNOWN_PROPERTY_ID;
        if (!property->get)
                return DO_E_WRITE_ONLY_PROPERTY;
        hr = com_file_read(delivery2_of(This), &record);
        if (FAILED(hr))
                return hr;
        hr = property->get(delivery2_of(This), &record, propVal);
        file_record_done(&record);
        return hr;
}

static HRESULT delivery2_com_SetProperty(IDeliveryOptimizationFile2 *This, DOFilePropertyId propId, const VARIANT *propVal) {
        const struct property *property = find_property(propId);

        if (!property)
                return DO_E_UNKNOWN_PROPERTY_ID;
        if (!propVal || V_VT(propVal) != property->type)
                return E_INVALIDARG;
        return property->set(delivery2_of(This), propVal);
}

const IDeliveryOptimizationFile2Vtbl com_file_delivery2_vtbl = {
        delivery2_com_QueryInterface, delivery2_com_AddRef,      delivery2_com_Release,
        delivery2_com_GetProperty,    delivery2_com_SetProperty,
};

/* Properties of a download: one row for each, with its VARIANT type, where it lives and how it is judged. Most are properties of the job or
 * of its file in the service; a few are this process's (struct download_settings). */
#include <wchar.h>

#include "base/strings.h"
#include "client/certificate.h"
#include "client/com_download.h"
#include "client/com_variant.h"
#include "protocol/limits.h"

#define NO_PROGRESS_MINIMUM_S 60
#define NO_PROGRESS_FOREGROUND_S 3600 /* DO's defaults, api.md 1.7 */
#define NO_PROGRESS_BACKGROUND_S 86400
#define FREQ_PERCENT_MAX 100
#define INSECURE_REDIRECT 0x800 /* SecurityFlags of the service: redirects may leave https */

static struct com_download *download_of(IDODownload *This) {
        return CONTAINER_OF(This, struct com_download, download);
}

/* What a getter looks at. */
struct view {
        struct com_download *self;
        struct job_record job;
        struct file_record file;
};

struct property {
        VARTYPE type; /* VT_EMPTY: there is no such property */
        bool read_only, write_only;
        HRESULT (*get)(const struct view *view, VARIANT *ret);
        HRESULT (*set)(struct com_download *self, const VARIANT *value);
};

/* ---- setting ---- */

static HRESULT set_job(struct com_download *self, struct wire_property property) {
        return com_download_result(self, wire_set_property(self->c, self->hex, &property));
}

static HRESULT set_file(struct com_download *self, struct wire_property property) {
        return com_download_result(self, wire_set_file_property(self->c, self->hex, 0, &property));
}

static HRESULT set_job_string(struct com_download *self, const VARIANT *value, size_t max, const char *name) {
        _cleanup_free_ char *s = NULL;
        HRESULT hr = com_variant_take_string(value, max, &s);

        return FAILED(hr) ? hr : set_job(self, (struct wire_property){ .name = name, .type = 's', .s = s });
}

static HRESULT set_file_string(struct com_download *self, const VARIANT *value, size_t max, const char *name) {
        _cleanup_free_ char *s = NULL;
        HRESULT hr = com_variant_take_string(value, max, &s);

        return FAILED(hr) ? hr : set_file(self, (struct wire_property){ .name = name, .type = 's', .s = s });
}

/* ---- what it is and where it goes ---- */

static HRESULT get_id(const struct view *view, VARIANT *ret) {
        return com_variant_put_string(view->job.info.id, ret);
}

static HRESULT get_uri(const struct view *view, VARIANT *ret) {
        return com_variant_put_string(view->file.info.url, ret);
}

static HRESULT set_uri(struct com_download *self, const VARIANT *value) {
        _cleanup_free_ char *s = NULL;
        HRESULT hr = com_variant_take_string(value, LIMIT_URL_COM, &s);

        if (FAILED(hr) || !*s)
                return FAILED(hr) ? hr : E_INVALIDARG;
        return com_download_result(self, wire_set_url(self->c, self->hex, 0, s));
}

static HRESULT get_content_id(const struct view *view, VARIANT *ret) {
        return com_variant_put_string(view->file.file_id, ret);
}

static HRESULT set_content_id(struct com_download *self, const VARIANT *value) {
        return set_file_string(self, value, LIMIT_URL_COM, "FileId");
}

static HRESULT get_display_name(const struct view *view, VARIANT *ret) {
        return com_variant_put_string(view->job.info.name, ret);
}

static HRESULT set_display_name(struct com_download *self, const VARIANT *value) {
        return set_job_string(self, value, LIMIT_DISPLAY_NAME, "Name");
}

static HRESULT get_local_path(const struct view *view, VARIANT *ret) {
        return com_variant_put_string(view->file.info.path, ret);
}

static HRESULT set_local_path(struct com_download *self, const VARIANT *value) {
        _cleanup_free_ char *s = NULL;
        HRESULT hr = com_variant_take_path(value, &s);

        return FAILED(hr) ? hr : com_download_result(self, wire_set_path(self->c, self->hex, 0, s));
}

static HRESULT get_total_size(const struct view *view, VARIANT *ret) {
        uint64_t size = view->file.info.stated_size != DOSVC_UNKNOWN ? view->file.info.stated_size
                                                                     : view->file.info.bytes_total;

        return size == DOSVC_UNKNOWN ? E_NOT_SET : com_variant_put_u64(size, ret);
}

static HRESULT set_total_size(struct com_download *self, const VARIANT *value) {
        return set_file(self, (struct wire_property){ .name = "StatedSize", .type = 't', .t = V_UI8(value) });
}

static HRESULT get_non_volatile(const struct view *view, VARIANT *ret) {
        return com_variant_put_bool(!view->job.info.is_volatile, ret);
}

static HRESULT set_non_volatile(struct com_download *self, const VARIANT *value) {
        return set_job(self, (struct wire_property){ .name = "Volatile", .type = 'b', .b = !com_variant_take_bool(value) });
}

/* ---- how it is fetched ---- */

static HRESULT get_headers(const struct view *view, VARIANT *ret) {
        return com_variant_put_string(view->job.more.custom_headers, ret);
}

static HRESULT set_headers(struct com_download *self, const VARIANT *value) {
        return set_job_string(self, value, LIMIT_CUSTOM_HEADERS - 1, "CustomHeaders");
}

static HRESULT set_auth_headers(struct com_download *self, const VARIANT *value) {
        return set_job_string(self, value, LIMIT_CUSTOM_HEADERS - 1, "CustomAuthHeaders");
}

/* Its bytes say which one of the owner's store is meant; the key is there, too. */
static HRESULT set_security_context(struct com_download *self, const VARIANT *value) {
        const SAFEARRAY *array = V_ARRAY(value);
        char name[CERTIFICATE_TEXT_MAX + 1] = "";
        HRESULT hr = S_OK;

        if (array && (array->cDims != 1 || array->cbElements != 1 || (!array->pvData && array->rgsabound[0].cElements > 0)))
                return E_INVALIDARG;
        if (array && array->rgsabound[0].cElements > 0)
                hr = certificate_from_bytes(array->pvData, array->rgsabound[0].cElements, name);
        return FAILED(hr) ? hr : set_job(self, (struct wire_property){ .name = "ClientCertificate", .type = 's', .s = name });
}

/* DODownloadCostPolicy and what IBackgroundCopyJob5 calls the same. */
static const struct {
        DODownloadCostPolicy policy;
        uint32_t flags;
} cost_policies[] = {
        { DODownloadCostPolicy_Always, BITS_JOB_TRANSFER_POLICY_ALWAYS },
        { DODownloadCostPolicy_Unrestricted, BITS_JOB_TRANSFER_POLICY_UNRESTRICTED },
        { DODownloadCostPolicy_Standard, BITS_JOB_TRANSFER_POLICY_STANDARD },
        { DODownloadCostPolicy_NoRoaming, BITS_JOB_TRANSFER_POLICY_NOT_ROAMING },
        { DODownloadCostPolicy_NoSurcharge, BITS_JOB_TRANSFER_POLICY_NO_SURCHARGE },
};

static HRESULT get_cost_policy(const struct view *view, VARIANT *ret) {
        for (size_t i = 0; i < ELEMENTSOF(cost_policies); i++)
                if (cost_policies[i].flags == view->job.more.cost_flags)
                        return com_variant_put_u32(cost_policies[i].policy, ret);
        return E_NOT_SET;
}

static HRESULT set_cost_policy(struct com_download *self, const VARIANT *value) {
        for (size_t i = 0; i < ELEMENTSOF(cost_policies); i++)
                if (cost_policies[i].policy == V_UI4(value))
                        return set_job(self, (struct wire_property){ .name = "CostFlags", .type = 'u', .u = cost_policies[i].flags });
        /* Deprecated: DisallowOnCellular says it. */
        return V_UI4(value) == DODownloadCostPolicy_NoCellular ? E_NOTIMPL : E_INVALIDARG;
}

/* WinHTTP's SECURITY_FLAG_IGNORE_* and what IBackgroundCopyJobHttpOptions calls the same. */
static const struct {
        uint32_t winhttp, bits;
} security_flags[] = {
        { 0x100, BG_SSL_IGNORE_UNKNOWN_CA },
        { 0x200, BG_SSL_IGNORE_CERT_WRONG_USAGE },
        { 0x1000, BG_SSL_IGNORE_CERT_CN_INVALID },
        { 0x2000, BG_SSL_IGNORE_CERT_DATE_INVALID },
};

static HRESULT get_security_flags(const struct view *view, VARIANT *ret) {
        uint32_t flags = 0;

        for (size_t i = 0; i < ELEMENTSOF(security_flags); i++)
                if (view->job.more.security_flags & security_flags[i].bits)
                        flags |= security_flags[i].winhttp;
        return com_variant_put_u32(flags, ret);
}

/* Both of a download's properties that are in the job's flags change only their own bits. */
static HRESULT change_flags(struct com_download *self, uint32_t mask, uint32_t flags) {
        struct job_record record;
        HRESULT hr = com_download_read(self, &record);
        uint32_t all;

        if (FAILED(hr))
                return hr;
        all = (record.more.security_flags & ~mask) | flags;
        job_record_done(&record);
        return set_job(self, (struct wire_property){ .name = "SecurityFlags", .type = 'u', .u = all });
}

static HRESULT set_security_flags(struct com_download *self, const VARIANT *value) {
        uint32_t left = V_UI4(value), mask = 0, flags = 0;

        for (size_t i = 0; i < ELEMENTSOF(security_flags); i++) {
                mask |= security_flags[i].bits;
                if (left & security_flags[i].winhttp)
                        flags |= security_flags[i].bits;
                left &= ~security_flags[i].winhttp;
        }
        return left ? E_INVALIDARG : change_flags(self, mask, flags);
}

static HRESULT get_insecure_redirect(const struct view *view, VARIANT *ret) {
        return com_variant_put_bool(view->job.more.security_flags & INSECURE_REDIRECT, ret);
}

static HRESULT set_insecure_redirect(struct com_download *self, const VARIANT *value) {
        return change_flags(self, INSECURE_REDIRECT, com_variant_take_bool(value) ? INSECURE_REDIRECT : 0);
}

static HRESULT get_no_progress_timeout(const struct view *view, VARIANT *ret) {
        return com_variant_put_u32(view->job.info.no_progress_timeout, ret);
}

static HRESULT set_no_progress_timeout(struct com_download *self, const VARIANT *value) {
        uint32_t seconds = V_UI4(value);
        struct job_record record;
        HRESULT hr;

        if (seconds > 0 && seconds < NO_PROGRESS_MINIMUM_S)
                return E_INVALIDARG;
        if (seconds == 0) {
                hr = com_download_read(self, &record);
                if (FAILED(hr))
                        return hr;
                seconds = record.priority == JOB_PRIORITY_FOREGROUND ? NO_PROGRESS_FOREGROUND_S : NO_PROGRESS_BACKGROUND_S;
                job_record_done(&record);
        }
        return set_job(self, (struct wire_property){ .name = "NoProgressTimeout", .type = 'u', .u = seconds });
}

static HRESULT get_foreground(const struct view *view, VARIANT *ret) {
        return com_variant_put_bool(view->job.priority == JOB_PRIORITY_FOREGROUND, ret);
}

static HRESULT set_foreground(struct com_download *self, const VARIANT *value) {
        return set_job(self, (struct wire_property){ .name = "Priority",
                                                     .type = 's',
                                                     .s = com_variant_take_bool(value) ? "foreground" : "normal" });
}

/* ---- what guards the content ---- */

static HRESULT set_decryption(struct com_download *self, const VARIANT *value) {
        return set_file_string(self, value, LIMIT_DECRYPTION_INFO, "DecryptionInfo");
}

static HRESULT set_integrity(struct com_download *self, const VARIANT *value) {
        return set_file_string(self, value, LIMIT_INTEGRITY_INFO, "IntegrityCheckInfo");
}

static HRESULT get_integrity_mandatory(const struct view *view, VARIANT *ret) {
        return com_variant_put_bool(view->file.info.integrity_mandatory, ret);
}

static HRESULT set_integrity_mandatory(struct com_download *self, const VARIANT *value) {
        return set_file(self, (struct wire_property){ .name = "IntegrityCheckMandatory", .type = 'b', .b = com_variant_take_bool(value) });
}

/* ---- what is this process's ---- */

/* Of one that ended nothing is kept, nor changed. */
static HRESULT set_settings(struct com_download *self, const struct download_settings *settings) {
        struct job_record record;
        HRESULT hr = com_download_read(self, &record);

        if (FAILED(hr))
                return hr;
        if (record.state == JOB_ACKNOWLEDGED || record.state == JOB_CANCELLED)
                hr = DO_E_INVALID_STATE;
        job_record_done(&record);
        return FAILED(hr) ? hr : com_download_set_settings(self->hex, settings);
}

static HRESULT get_percent(const struct view *view, VARIANT *ret) {
        return com_variant_put_u32(com_download_settings(view->self->hex).percent, ret);
}

static HRESULT set_percent(struct com_download *self, const VARIANT *value) {
        struct download_settings settings = com_download_settings(self->hex);

        settings.percent = V_UI4(value);
        return settings.percent > FREQ_PERCENT_MAX ? E_INVALIDARG : set_settings(self, &settings);
}

static HRESULT get_seconds(const struct view *view, VARIANT *ret) {
        return com_variant_put_u32(com_download_settings(view->self->hex).seconds, ret);
}

static HRESULT set_seconds(struct com_download *self, const VARIANT *value) {
        struct download_settings settings = com_download_settings(self->hex);

        settings.seconds = V_UI4(value);
        return set_settings(self, &settings);
}

static HRESULT get_blocking(const struct view *view, VARIANT *ret) {
        return com_variant_put_bool(com_download_settings(view->self->hex).blocking, ret);
}

static HRESULT set_blocking(struct com_download *self, const VARIANT *value) {
        struct download_settings settings = com_download_settings(self->hex);

        settings.blocking = com_variant_take_bool(value);
        return set_settings(self, &settings);
}

static HRESULT get_no_cellular(const struct view *view, VARIANT *ret) {
        return com_variant_put_bool(view->job.more.no_cellular != 0, ret);
}

static HRESULT set_no_cellular(struct com_download *self, const VARIANT *value) {
        return set_job(self, (struct wire_property){ .name = "DisallowOnCellular", .type = 'b', .b = com_variant_take_bool(value) });
}

static HRESULT get_vector(const struct view *view, VARIANT *ret) {
        struct download_settings settings = com_download_settings(view->self->hex);

        if (!*settings.vector)
                return E_NOT_SET;
        V_BSTR(ret) = SysAllocString(settings.vector);
        if (!V_BSTR(ret))
                return E_OUTOFMEMORY;
        V_VT(ret) = VT_BSTR;
        return S_OK;
}

static HRESULT set_vector(struct com_download *self, const VARIANT *value) {
        struct download_settings settings = com_download_settings(self->hex);
        _cleanup_free_ char *checked = NULL;
        HRESULT hr = com_variant_take_string(value, ELEMENTSOF(settings.vector) - 1, &checked);

        if (FAILED(hr))
                return hr;
        wcscpy(settings.vector, V_BSTR(value) ? V_BSTR(value) : L"");
        return set_settings(self, &settings);
}

static HRESULT get_callback(const struct view *view, VARIANT *ret) {
        return com_variant_put_unknown(com_download_get_callback(view->self->hex), ret);
}

static HRESULT set_callback(struct com_download *self, const VARIANT *value) {
        return com_download_set_callback(self->c, self->hex, V_UNKNOWN(value));
}

static HRESULT get_stream(const struct view *view, VARIANT *ret) {
        return com_variant_put_unknown(com_stream_get(view->self->hex, 0), ret);
}

static HRESULT set_stream(struct com_download *self, const VARIANT *value) {
        return com_stream_set(self->c, JOB_FAMILY_DO, self->hex, 0, V_UNKNOWN(value));
}

/* ---- what the server answered last ---- */

static HRESULT get_redirection_target(const struct view *view, VARIANT *ret) {
        return com_variant_put_string(view->file.redirected_url, ret);
}

static HRESULT get_response_headers(const struct view *view, VARIANT *ret) {
        return com_variant_put_string(view->file.response_headers, ret);
}

static HRESULT get_server_address(const struct view *view, VARIANT *ret) {
        return com_variant_put_string(view->file.server_address, ret);
}

static HRESULT get_http_status(const struct view *view, VARIANT *ret) {
        return view->file.http_status ? com_variant_put_u32(view->file.http_status, ret) : E_NOT_SET;
}

/* ---- what has no meaning here, or nothing behind it yet: docs/not-implemented.md ---- */

static HRESULT get_nothing(const struct view *view, VARIANT *ret) {
        return E_NOT_SET;
}

static HRESULT set_token(struct com_download *self, const VARIANT *value) {
        return com_variant_take_bool(value) ? E_NOTIMPL : S_OK; /* there is none to clear */
}

/* ---- the table ---- */

#define P(name) [DODownloadProperty_##name]
static const struct property properties[] = {
        P(Id) = { VT_BSTR, .read_only = true, .get = get_id },
        P(Uri) = { VT_BSTR, .get = get_uri, .set = set_uri },
        P(ContentId) = { VT_BSTR, .get = get_content_id, .set = set_content_id },
        P(DisplayName) = { VT_BSTR, .get = get_display_name, .set = set_display_name },
        P(LocalPath) = { VT_BSTR, .get = get_local_path, .set = set_local_path },
        P(HttpCustomHeaders) = { VT_BSTR, .get = get_headers, .set = set_headers },
        P(CostPolicy) = { VT_UI4, .get = get_cost_policy, .set = set_cost_policy },
        P(SecurityFlags) = { VT_UI4, .get = get_security_flags, .set = set_security_flags },
        P(CallbackFreqPercent) = { VT_UI4, .get = get_percent, .set = set_percent },
        P(CallbackFreqSeconds) = { VT_UI4, .get = get_seconds, .set = set_seconds },
        P(NoProgressTimeoutSeconds) = { VT_UI4, .get = get_no_progress_timeout, .set = set_no_progress_timeout },
        P(ForegroundPriority) = { VT_BOOL, .get = get_foreground, .set = set_foreground },
        P(BlockingMode) = { VT_BOOL, .get = get_blocking, .set = set_blocking },
        P(CallbackInterface) = { VT_UNKNOWN, .get = get_callback, .set = set_callback },
        P(StreamInterface) = { VT_UNKNOWN, .get = get_stream, .set = set_stream },
        P(SecurityContext) = { VT_ARRAY | VT_UI1, .write_only = true, .set = set_security_context },
        P(NetworkToken) = { VT_BOOL, .get = get_nothing, .set = set_token },
        P(CorrelationVector) = { VT_BSTR, .get = get_vector, .set = set_vector },
        P(DecryptionInfo) = { VT_BSTR, .write_only = true, .set = set_decryption },
        P(IntegrityCheckInfo) = { VT_BSTR, .write_only = true, .set = set_integrity },
        P(IntegrityCheckMandatory) = { VT_BOOL, .get = get_integrity_mandatory, .set = set_integrity_mandatory },
        P(TotalSizeBytes) = { VT_UI8, .get = get_total_size, .set = set_total_size },
        P(DisallowOnCellular) = { VT_BOOL, .get = get_no_cellular, .set = set_no_cellular },
        P(HttpCustomAuthHeaders) = { VT_BSTR, .write_only = true, .set = set_auth_headers },
        P(HttpAllowSecureToNonSecureRedirect) = { VT_BOOL, .get = get_insecure_redirect, .set = set_insecure_redirect },
        P(NonVolatile) = { VT_BOOL, .get = get_non_volatile, .set = set_non_volatile },
        P(HttpRedirectionTarget) = { VT_BSTR, .read_only = true, .get = get_redirection_target },
        P(HttpResponseHeaders) = { VT_BSTR, .read_only = true, .get = get_response_headers },
        P(HttpServerIPAddress) = { VT_BSTR, .read_only = true, .get = get_server_address },
        P(HttpStatusCode) = { VT_UI4, .read_only = true, .get = get_http_status },
};
#undef P

static const struct property *find_property(DODownloadProperty id) {
        return (size_t) id < ELEMENTSOF(properties) ? &properties[id] : NULL;
}

/* A download that ended has no files any more: what its history tells is its first file's name. */
static HRESULT view_fill(struct view *view) {
        HRESULT hr = com_download_read(view->self, &view->job);
        int code;

        if (FAILED(hr))
                return hr;
        code = wire_get_file(view->self->c, view->self->hex, 0, &view->file);
        if (code && code != ERROR_NOT_FOUND) {
                job_record_done(&view->job);
                return rim_hresult(code, JOB_FAMILY_DO);
        }
        if (code)
                view->file = (struct file_record){ .info = { .url = "", .path = "", .bytes_total = DOSVC_UNKNOWN,
                                                             .stated_size = DOSVC_UNKNOWN },
                                                   .file_id = "",
                                                   .redirected_url = "",
                                                   .server_address = "",
                                                   .response_headers = "" };
        return S_OK;
}

HRESULT download_com_GetProperty(IDODownload *This, DODownloadProperty propId, VARIANT *propVal) {
        const struct property *property = find_property(propId);
        struct view view = { .self = download_of(This) };
        HRESULT hr;

        if (!propVal)
                return E_INVALIDARG;
        VariantInit(propVal);
        if (!property)
                return DO_E_UNKNOWN_PROPERTY_ID;
        if (property->write_only)
                return DO_E_WRITE_ONLY_PROPERTY;
        hr = view_fill(&view);
        if (FAILED(hr))
                return hr;
        hr = property->get(&view, propVal);
        job_record_done(&view.job);
        file_record_done(&view.file);
        return hr;
}

HRESULT download_com_SetProperty(IDODownload *This, DODownloadProperty propId, const VARIANT *propVal) {
        const struct property *property = find_property(propId);
        VARTYPE given;

        if (!property)
                return DO_E_UNKNOWN_PROPERTY_ID;
        if (property->read_only)
                return DO_E_READ_ONLY_PROPERTY;
        if (!propVal)
                return E_INVALIDARG;
        given = V_VT(propVal);
        /* Nothing in place of an object takes it away. */
        if (property->type == VT_UNKNOWN && (given == VT_EMPTY || given == VT_NULL))
                return property->set(download_of(This), &(VARIANT){ .vt = VT_UNKNOWN });
        return given == property->type ? property->set(download_of(This), propVal) : E_INVALIDARG;
}

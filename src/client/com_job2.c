/* What IBackgroundCopyJob2 to IBackgroundCopyJob5 added. What answers E_NOTIMPL here stands with its reason in
 * docs/not-implemented.md; arguments that no service could take are refused before. */
#include <stdio.h>

#include "base/secret.h"
#include "base/strings.h"
#include "client/com_job.h"
#include "protocol/limits.h"

/* What GetOwnerIntegrityLevel tells: the published levels of ordinary and of elevated users. */
#define INTEGRITY_MEDIUM 0x2000
#define INTEGRITY_HIGH 0x3000

/* ---- IBackgroundCopyJob2 ---- */

/* Both are set, always: what is NULL there is none of afterwards. */
HRESULT job_com_SetNotifyCmdLine(IBackgroundCopyJob5 *This, LPCWSTR Program, LPCWSTR Parameters) {
        struct com_job *self = com_job_of(This);
        _cleanup_free_ char *program = NULL, *parameters = NULL;
        HRESULT hr = S_OK;

        if (!Program && Parameters)
                return E_INVALIDARG;
        if (Program)
                hr = com_string_in(Program, LIMIT_PATH, BG_E_STRING_TOO_LONG, &program);
        if (SUCCEEDED(hr) && Parameters)
                hr = com_string_in(Parameters, LIMIT_NOTIFY_PARAMETERS, BG_E_STRING_TOO_LONG, &parameters);
        if (FAILED(hr))
                return hr;
        if (program && *program != '/')
                return E_INVALIDARG; /* nothing is searched for */
        return com_job_result(self,
                              wire_set_properties(self->c, self->hex,
                                                  (const struct wire_property[]){
                                                          { .name = "NotifyCommand", .type = 's', .s = program ?: "" },
                                                          { .name = "NotifyParameters", .type = 's', .s = parameters ?: "" },
                                                  },
                                                  2));
}

HRESULT job_com_GetNotifyCmdLine(IBackgroundCopyJob5 *This, LPWSTR *pProgram, LPWSTR *pParameters) {
        struct job_record record;
        HRESULT hr;

        if (!pProgram || !pParameters)
                return E_INVALIDARG;
        *pProgram = *pParameters = NULL;
        hr = com_job_read(com_job_of(This), &record);
        if (FAILED(hr))
                return hr;
        hr = com_optional_string_out(record.more.notify_command, pProgram);
        if (SUCCEEDED(hr))
                hr = com_optional_string_out(record.more.notify_parameters, pParameters);
        if (FAILED(hr)) {
                CoTaskMemFree(*pProgram);
                *pProgram = NULL;
        }
        job_record_done(&record);
        return hr;
}

/* Only uploads have replies. */
HRESULT job_com_GetReplyProgress(IBackgroundCopyJob5 *This, BG_JOB_REPLY_PROGRESS *pProgress) {
        if (!pProgress)
                return E_INVALIDARG;
        *pProgress = (BG_JOB_REPLY_PROGRESS){};
        return E_NOTIMPL;
}

HRESULT job_com_GetReplyData(IBackgroundCopyJob5 *This, BYTE **ppBuffer, UINT64 *pLength) {
        if (!ppBuffer || !pLength)
                return E_INVALIDARG;
        *ppBuffer = NULL;
        *pLength = 0;
        return E_NOTIMPL;
}

HRESULT job_com_SetReplyFileName(IBackgroundCopyJob5 *This, LPCWSTR ReplyFileName) {
        return E_NOTIMPL;
}

HRESULT job_com_GetReplyFileName(IBackgroundCopyJob5 *This, LPWSTR *pReplyFileName) {
        if (!pReplyFileName)
                return E_INVALIDARG;
        *pReplyFileName = NULL;
        return E_NOTIMPL;
}

static HRESULT check_auth(BG_AUTH_TARGET target, BG_AUTH_SCHEME scheme) {
        if (target != BG_AUTH_TARGET_SERVER && target != BG_AUTH_TARGET_PROXY)
                return BG_E_INVALID_AUTH_TARGET;
        if (scheme < BG_AUTH_SCHEME_BASIC || scheme > BG_AUTH_SCHEME_PASSPORT)
                return BG_E_INVALID_AUTH_SCHEME;
        return S_OK;
}

/* NTLM and Negotiate would need the log-on secrets of the user, whom the transfer process knows nothing of. */
static bool scheme_is_spoken(BG_AUTH_SCHEME scheme) {
        return scheme == BG_AUTH_SCHEME_BASIC || scheme == BG_AUTH_SCHEME_DIGEST;
}

static int set_credentials(struct com_job *self, BG_AUTH_TARGET target, BG_AUTH_SCHEME scheme, const char *text) {
        static const char *const names[2][2] = {
                { "ServerBasicCredentials", "ServerDigestCredentials" },
                { "ProxyBasicCredentials", "ProxyDigestCredentials" },
        };

        return wire_set_property(self->c, self->hex, &(struct wire_property){
                .name = names[target - BG_AUTH_TARGET_SERVER][scheme - BG_AUTH_SCHEME_BASIC], .type = 's', .s = text });
}

/* "user:password". Both NULL would mean those of the log-on, which exist for other schemes only. */
static HRESULT credentials_text(const BG_BASIC_CREDENTIALS *from, char **ret) {
        char *name = NULL, *password = NULL;
        HRESULT hr;

        if (!from->UserName)
                return E_INVALIDARG;
        hr = com_string_in(from->UserName, LIMIT_USER_NAME, BG_E_USERNAME_TOO_LARGE, &name);
        if (SUCCEEDED(hr) && from->Password)
                hr = com_string_in(from->Password, LIMIT_PASSWORD, BG_E_PASSWORD_TOO_LARGE, &password);
        if (SUCCEEDED(hr) && (!*name || strchr(name, ':')))
                hr = E_INVALIDARG;
        if (SUCCEEDED(hr) && asprintf(ret, "%s:%s", name, password ? password : "") < 0) {
                *ret = NULL;
                hr = E_OUTOFMEMORY;
        }
        free(name);
        secret_free_text(password);
        return hr;
}

HRESULT job_com_SetCredentials(IBackgroundCopyJob5 *This, BG_AUTH_CREDENTIALS *credentials) {
        struct com_job *self = com_job_of(This);
        char *text = NULL;
        HRESULT hr;

        if (!credentials)
                return E_INVALIDARG;
        hr = check_auth(credentials->Target, credentials->Scheme);
        if (SUCCEEDED(hr) && !scheme_is_spoken(credentials->Scheme))
                hr = E_NOTIMPL;
        if (SUCCEEDED(hr))
                hr = credentials_text(&credentials->Credentials.Basic, &text);
        if (SUCCEEDED(hr))
                hr = com_job_result(self, set_credentials(self, credentials->Target, credentials->Scheme, text));
        secret_free_text(text);
        return hr;
}

HRESULT job_com_RemoveCredentials(IBackgroundCopyJob5 *This, BG_AUTH_TARGET Target, BG_AUTH_SCHEME Scheme) {
        struct com_job *self = com_job_of(This);
        struct job_record record;
        HRESULT hr = check_auth(Target, Scheme);
        uint32_t there;

        if (FAILED(hr))
                return hr;
        hr = com_job_read(self, &record);
        if (FAILED(hr))
                return hr;
        there = record.more.credentials;
        job_record_done(&record);
        if (!scheme_is_spoken(Scheme) || !(there & (1u << (2 * (Target - BG_AUTH_TARGET_SERVER) + Scheme - BG_AUTH_SCHEME_BASIC))))
                return S_FALSE;
        return com_job_result(self, set_credentials(self, Target, Scheme, ""));
}

/* ---- IBackgroundCopyJob3 ---- */

HRESULT job_com_ReplaceRemotePrefix(IBackgroundCopyJob5 *This, LPCWSTR OldPrefix, LPCWSTR NewPrefix) {
        struct com_job *self = com_job_of(This);
        _cleanup_free_ char *old_prefix = NULL, *new_prefix = NULL;
        uint32_t n_changed = 0;
        HRESULT hr;

        hr = com_string_in(OldPrefix, LIMIT_URL_COM, E_INVALIDARG, &old_prefix);
        if (SUCCEEDED(hr))
                hr = com_string_in(NewPrefix, LIMIT_URL_COM, E_INVALIDARG, &new_prefix);
        if (SUCCEEDED(hr) && (!*old_prefix || !*new_prefix))
                hr = E_INVALIDARG;
        if (SUCCEEDED(hr))
                hr = com_job_result(self,
                                    wire_replace_url_prefix(self->c, self->hex, old_prefix, new_prefix, &n_changed));
        return SUCCEEDED(hr) && n_changed == 0 ? S_FALSE : hr;
}

/* Owners and access lists of an SMB server. */
HRESULT job_com_SetFileACLFlags(IBackgroundCopyJob5 *This, DWORD Flags) {
        return Flags & ~(DWORD) BG_COPY_FILE_ALL ? E_INVALIDARG : E_NOTIMPL;
}

HRESULT job_com_GetFileACLFlags(IBackgroundCopyJob5 *This, DWORD *Flags) {
        if (!Flags)
                return E_INVALIDARG;
        *Flags = 0;
        return E_NOTIMPL;
}

/* ---- IBackgroundCopyJob4 ---- */

HRESULT job_com_SetPeerCachingFlags(IBackgroundCopyJob5 *This, DWORD Flags) {
        return E_NOTIMPL;
}

HRESULT job_com_GetPeerCachingFlags(IBackgroundCopyJob5 *This, DWORD *pFlags) {
        if (!pFlags)
                return E_INVALIDARG;
        *pFlags = 0;
        return E_NOTIMPL;
}

static HRESULT read_owner(IBackgroundCopyJob5 *This, bool *ret_is_root) {
        struct job_record record;
        HRESULT hr;

        hr = com_job_read(com_job_of(This), &record);
        if (FAILED(hr))
                return hr;
        *ret_is_root = record.info.owner == 0;
        job_record_done(&record);
        return S_OK;
}

HRESULT job_com_GetOwnerIntegrityLevel(IBackgroundCopyJob5 *This, ULONG *pLevel) {
        bool is_root = false;
        HRESULT hr;

        if (!pLevel)
                return E_INVALIDARG;
        hr = read_owner(This, &is_root);
        *pLevel = FAILED(hr) ? 0 : is_root ? INTEGRITY_HIGH : INTEGRITY_MEDIUM;
        return hr;
}

HRESULT job_com_GetOwnerElevationState(IBackgroundCopyJob5 *This, BOOL *pElevated) {
        bool is_root = false;
        HRESULT hr;

        if (!pElevated)
                return E_INVALIDARG;
        hr = read_owner(This, &is_root);
        *pElevated = is_root ? TRUE : FALSE;
        return hr;
}

static HRESULT set_number(struct com_job *self, const char *name, DWORD value) {
        const struct wire_property property = { .name = name, .type = 'u', .u = value };

        return com_job_result(self, wire_set_property(self->c, self->hex, &property));
}

HRESULT job_com_SetMaximumDownloadTime(IBackgroundCopyJob5 *This, ULONG Timeout) {
        return set_number(com_job_of(This), "MaximumDownloadTime", Timeout);
}

HRESULT job_com_GetMaximumDownloadTime(IBackgroundCopyJob5 *This, ULONG *pTimeout) {
        struct job_record record;
        HRESULT hr;

        if (!pTimeout)
                return E_INVALIDARG;
        *pTimeout = 0;
        hr = com_job_read(com_job_of(This), &record);
        if (FAILED(hr))
                return hr;
        *pTimeout = record.more.maximum_download_time;
        job_record_done(&record);
        return S_OK;
}

/* ---- IBackgroundCopyJob5 ---- */

/* Delivery Optimization documents two of them, BITS all. */
static bool property_is_known(enum job_family family, BITS_JOB_PROPERTY_ID id) {
        switch (id) {
        case BITS_JOB_PROPERTY_ID_COST_FLAGS:
        case BITS_JOB_PROPERTY_NOTIFICATION_CLSID:
                return true;
        case BITS_JOB_PROPERTY_DYNAMIC_CONTENT:
        case BITS_JOB_PROPERTY_HIGH_PERFORMANCE:
        case BITS_JOB_PROPERTY_MAX_DOWNLOAD_SIZE:
        case BITS_JOB_PROPERTY_USE_STORED_CREDENTIALS:
        case BITS_JOB_PROPERTY_MINIMUM_NOTIFICATION_INTERVAL_MS:
        case BITS_JOB_PROPERTY_ON_DEMAND_MODE:
                return family == JOB_FAMILY_BITS;
        default:
                return false;
        }
}

/* Above the largest file that there can be, a limit is none. */
static HRESULT set_max_size(struct com_job *self, UINT64 value) {
        const struct wire_property property = { .name = "MaxDownloadSize",
                                                .type = 't',
                                                .t = value > LIMIT_FILE_SIZE ? UINT64_MAX : value };

        return com_job_result(self, wire_set_property(self->c, self->hex, &property));
}

static HRESULT set_switch(struct com_job *self, const char *name, BOOL on) {
        const struct wire_property property = { .name = name, .type = 'b', .b = on };

        return com_job_result(self, wire_set_property(self->c, self->hex, &property));
}

HRESULT job_com_SetProperty(IBackgroundCopyJob5 *This, BITS_JOB_PROPERTY_ID PropertyId,
                            BITS_JOB_PROPERTY_VALUE PropertyValue) {
        struct com_job *self = com_job_of(This);

        if (!property_is_known(self->family, PropertyId))
                return rim_hresult(ERROR_UNKNOWN_PROPERTY, self->family);
        switch (PropertyId) {
        case BITS_JOB_PROPERTY_ID_COST_FLAGS:
                return set_number(self, "CostFlags", PropertyValue.Dword);
        case BITS_JOB_PROPERTY_MINIMUM_NOTIFICATION_INTERVAL_MS:
                return set_number(self, "NotificationInterval", PropertyValue.Dword);
        case BITS_JOB_PROPERTY_MAX_DOWNLOAD_SIZE:
                return set_max_size(self, PropertyValue.Uint64);
        case BITS_JOB_PROPERTY_HIGH_PERFORMANCE:
                return set_switch(self, "HighPerformance", PropertyValue.Enable);
        case BITS_JOB_PROPERTY_DYNAMIC_CONTENT:
                return set_switch(self, "DynamicContent", PropertyValue.Enable);
        case BITS_JOB_PROPERTY_ON_DEMAND_MODE:
                return set_switch(self, "OnDemand", PropertyValue.Enable);
        default:
                return E_NOTIMPL;
        }
}

/* What the service goes by where a job never said it and its configuration says nothing else. */
static DWORD default_cost_flags(const struct job_record *record) {
        return record->priority == JOB_PRIORITY_FOREGROUND ? (DWORD) BITS_JOB_TRANSFER_POLICY_ALWAYS
                                                           : (DWORD) BITS_JOB_TRANSFER_POLICY_STANDARD;
}

static void read_property(const struct job_record *record, BITS_JOB_PROPERTY_ID id, BITS_JOB_PROPERTY_VALUE *ret) {
        if (id == BITS_JOB_PROPERTY_ID_COST_FLAGS)
                ret->Dword = record->more.cost_flags ? record->more.cost_flags : default_cost_flags(record);
        else if (id == BITS_JOB_PROPERTY_MAX_DOWNLOAD_SIZE)
                ret->Uint64 = record->more.max_download_size;
        else if (id == BITS_JOB_PROPERTY_HIGH_PERFORMANCE)
                ret->Enable = record->more.high_performance != 0;
        else if (id == BITS_JOB_PROPERTY_DYNAMIC_CONTENT)
                ret->Enable = record->more.dynamic_content != 0;
        else if (id == BITS_JOB_PROPERTY_ON_DEMAND_MODE)
                ret->Enable = record->more.on_demand != 0;
        else
                ret->Dword = record->more.notification_interval_ms;
}

HRESULT job_com_GetProperty(IBackgroundCopyJob5 *This, BITS_JOB_PROPERTY_ID PropertyId,
                            BITS_JOB_PROPERTY_VALUE *PropertyValue) {
        struct com_job *self = com_job_of(This);
        struct job_record record;
        HRESULT hr;

        if (!PropertyValue)
                return E_INVALIDARG;
        *PropertyValue = (BITS_JOB_PROPERTY_VALUE){};
        if (!property_is_known(self->family, PropertyId))
                return rim_hresult(ERROR_UNKNOWN_PROPERTY, self->family);
        if (PropertyId == BITS_JOB_PROPERTY_NOTIFICATION_CLSID ||
            PropertyId == BITS_JOB_PROPERTY_USE_STORED_CREDENTIALS)
                return E_NOTIMPL;
        hr = com_job_read(self, &record);
        if (FAILED(hr))
                return hr;
        read_property(&record, PropertyId, PropertyValue);
        job_record_done(&record);
        return S_OK;
}

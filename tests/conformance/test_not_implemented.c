/* docs/not-implemented.md, row by row: what is said to have no meaning here answers as it says, in both families where they have it, and
 * changes nothing. tests/surface compares the rows. */
#include <string.h>

#include "taker.h"

static void *query(void *object, REFIID iid) {
        void *out = NULL;

        assert_hr(IUnknown_QueryInterface((IUnknown *) object, iid, &out), S_OK);
        return out;
}

static void drop(void *object) {
        (void) IUnknown_Release((IUnknown *) object);
}

/* ---- jobs of either family ---- */

static void uploads(const struct job *job) {
        IBackgroundCopyManager *manager = manager_of(job->family);
        IBackgroundCopyJob *made = job->com;
        GUID id;

        assert_hr(IBackgroundCopyManager_CreateJob(manager, L"x", BG_JOB_TYPE_UPLOAD, &id, &made), E_NOTIMPL);
        assert_null(made);
        assert_hr(IBackgroundCopyManager_CreateJob(manager, L"x", BG_JOB_TYPE_UPLOAD_REPLY, &id, &made), E_NOTIMPL);
        assert_null(made);
}

static void replies(const struct job *job) {
        IBackgroundCopyJob2 *job2 = query(job->com, &IID_IBackgroundCopyJob2);
        BG_JOB_REPLY_PROGRESS progress;
        UINT64 length;
        LPWSTR name;
        BYTE *data;

        assert_hr(IBackgroundCopyJob2_GetReplyProgress(job2, &progress), E_NOTIMPL);
        assert_hr(IBackgroundCopyJob2_GetReplyData(job2, &data, &length), E_NOTIMPL);
        assert_hr(IBackgroundCopyJob2_SetReplyFileName(job2, L"/tmp/reply"), E_NOTIMPL);
        assert_hr(IBackgroundCopyJob2_GetReplyFileName(job2, &name), E_NOTIMPL);
        drop(job2);
}

static void acls(const struct job *job) {
        IBackgroundCopyJob3 *job3 = query(job->com, &IID_IBackgroundCopyJob3);
        DWORD flags;

        assert_hr(IBackgroundCopyJob3_SetFileACLFlags(job3, BG_COPY_FILE_ALL), E_NOTIMPL);
        assert_hr(IBackgroundCopyJob3_GetFileACLFlags(job3, &flags), E_NOTIMPL);
        drop(job3);
}

static void peer_caching(const struct job *job) {
        IBackgroundCopyJob4 *job4 = query(job->com, &IID_IBackgroundCopyJob4);
        DWORD flags;

        assert_hr(IBackgroundCopyJob4_SetPeerCachingFlags(job4, BG_JOB_ENABLE_PEERCACHING_CLIENT), E_NOTIMPL);
        assert_hr(IBackgroundCopyJob4_GetPeerCachingFlags(job4, &flags), E_NOTIMPL);
        drop(job4);
}

static void tokens(const struct job *job) {
        IBitsTokenOptions *token = query(job->com, &IID_IBitsTokenOptions);
        BG_TOKEN flags = BG_TOKEN_NETWORK;
        LPWSTR sid = (LPWSTR) L"x";

        assert_hr(IBitsTokenOptions_SetHelperTokenFlags(token, BG_TOKEN_LOCAL_FILE | BG_TOKEN_NETWORK), E_NOTIMPL);
        assert_hr(IBitsTokenOptions_GetHelperTokenFlags(token, &flags), E_NOTIMPL);
        assert_int_equal(flags, 0);
        assert_hr(IBitsTokenOptions_SetHelperToken(token), E_NOTIMPL);
        assert_hr(IBitsTokenOptions_ClearHelperToken(token), E_NOTIMPL);
        assert_hr(IBitsTokenOptions_GetHelperTokenSid(token, BG_TOKEN_NETWORK, &sid), E_NOTIMPL);
        assert_null(sid);
        assert_hr(IBitsTokenOptions_GetHelperTokenFlags(token, NULL), E_INVALIDARG);
        assert_hr(IBitsTokenOptions_GetHelperTokenSid(token, BG_TOKEN_NETWORK, NULL), E_INVALIDARG);
        drop(token);
}

static void autodetect(const struct job *job) {
        assert_hr(IBackgroundCopyJob_SetProxySettings(job->com, BG_JOB_PROXY_USAGE_AUTODETECT, NULL, NULL), E_NOTIMPL);
}

/* In the DO family, too, though it has only two properties: this is one of them, the other is not. */
static void job_property(const struct job *job, BITS_JOB_PROPERTY_ID id) {
        IBackgroundCopyJob5 *job5 = query(job->com, &IID_IBackgroundCopyJob5);
        bool unknown = job->family->is_do && id == BITS_JOB_PROPERTY_USE_STORED_CREDENTIALS;
        HRESULT expected = unknown ? DO_E_UNKNOWN_PROPERTY_ID : E_NOTIMPL;
        BITS_JOB_PROPERTY_VALUE value = { .ClsID = CLSID_DeliveryOptimization };

        assert_hr(IBackgroundCopyJob5_SetProperty(job5, id, value), expected);
        assert_hr(IBackgroundCopyJob5_GetProperty(job5, id, &value), expected);
        drop(job5);
}

static void notification_class(const struct job *job) {
        job_property(job, BITS_JOB_PROPERTY_NOTIFICATION_CLSID);
}

static void stored_credentials(const struct job *job) {
        job_property(job, BITS_JOB_PROPERTY_USE_STORED_CREDENTIALS);
}

static void places_of_certificates(const struct job *job) {
        IBackgroundCopyJobHttpOptions *http = query(job->com, &IID_IBackgroundCopyJobHttpOptions);
        BYTE hash[20] = {};

        for (int place = BG_CERT_STORE_LOCATION_CURRENT_SERVICE; place <= BG_CERT_STORE_LOCATION_LOCAL_MACHINE_ENTERPRISE; place++) {
                assert_hr(IBackgroundCopyJobHttpOptions_SetClientCertificateByID(http, (BG_CERT_STORE_LOCATION) place, L"MY", hash), E_NOTIMPL);
                assert_hr(IBackgroundCopyJobHttpOptions_SetClientCertificateByName(http, (BG_CERT_STORE_LOCATION) place, L"MY", L"x"), E_NOTIMPL);
        }
        assert_hr(IBackgroundCopyJobHttpOptions_RemoveClientCertificate(http), S_FALSE);
        drop(http);
}

static void outside_of_enums(const struct job *job) {
        assert_hr(IBackgroundCopyJob_SetPriority(job->com, (BG_JOB_PRIORITY) 4), E_NOTIMPL);
        assert_hr(IBackgroundCopyJob_SetPriority(job->com, (BG_JOB_PRIORITY) -1), E_NOTIMPL);
        assert_hr(IBackgroundCopyJob_SetProxySettings(job->com, (BG_JOB_PROXY_USAGE) 4, NULL, NULL), E_NOTIMPL);
}

static void notify_flags(const struct job *job) {
        ULONG flags = 0;

        assert_hr(IBackgroundCopyJob_SetNotifyFlags(job->com, 0x40), E_NOTIMPL);
        assert_hr(IBackgroundCopyJob_SetNotifyFlags(job->com, UINT32_MAX), E_NOTIMPL);
        assert_hr(IBackgroundCopyJob_GetNotifyFlags(job->com, &flags), S_OK);
        assert_int_equal(flags, 3);
        assert_hr(IBackgroundCopyJob_SetNotifyFlags(job->com, BG_NOTIFY_DISABLE), job->family->is_do ? E_NOTIMPL : S_OK);
        assert_hr(IBackgroundCopyJob_SetNotifyFlags(job->com, BG_NOTIFY_FILE_RANGES_TRANSFERRED), job->family->is_do ? E_NOTIMPL : S_OK);
}

static void security_flags(const struct job *job) {
        IBackgroundCopyJobHttpOptions *http = query(job->com, &IID_IBackgroundCopyJobHttpOptions);
        ULONG flags = 1;

        assert_hr(IBackgroundCopyJobHttpOptions_SetSecurityFlags(http, 0x1000), E_NOTIMPL);
        assert_hr(IBackgroundCopyJobHttpOptions_GetSecurityFlags(http, &flags), S_OK);
        assert_int_equal(flags, 0);
        drop(http);
}

static void schemes(const struct job *job) {
        static const BG_AUTH_SCHEME unspoken[] = { BG_AUTH_SCHEME_NTLM, BG_AUTH_SCHEME_NEGOTIATE, BG_AUTH_SCHEME_PASSPORT };
        IBackgroundCopyJob2 *job2 = query(job->com, &IID_IBackgroundCopyJob2);

        for (size_t i = 0; i < ELEMENTSOF(unspoken); i++) {
                BG_AUTH_CREDENTIALS credentials = { .Target = BG_AUTH_TARGET_SERVER, .Scheme = unspoken[i] };

                assert_hr(IBackgroundCopyJob2_SetCredentials(job2, &credentials), E_NOTIMPL);
                assert_hr(IBackgroundCopyJob2_RemoveCredentials(job2, BG_AUTH_TARGET_SERVER, unspoken[i]), S_FALSE);
        }
        drop(job2);
}

/* ---- what only the DO family has ---- */

static HRESULT set_of_download(DODownloadProperty id, VARIANT v) {
        IDOManager *manager = query(manager_of(&families[0]), &IID_IDOManager);
        IDODownload *d;
        HRESULT hr;

        assert_hr(IDOManager_CreateDownload(manager, &d), S_OK);
        hr = IDODownload_SetProperty(d, id, &v);
        (void) IDODownload_Abort(d);
        assert_int_equal(IDODownload_Release(d), 0);
        drop(manager);
        return hr;
}

static void memory_stream(const struct job *job) {
        IDeliveryOptimizationJob2 *job2 = query(job->com, &IID_IDeliveryOptimizationJob2);
        IDeliveryOptimizationFile2 *file2;
        IDeliveryOptimizationFile *file;
        VARIANT v = { .vt = VT_UNKNOWN };

        if (job->family->is_do) {
                assert_hr(IDeliveryOptimizationJob2_AddFile(job2, L"id", origin_url("/f"), 0, NULL, &IID_IDeliveryOptimizationFile, (void **) &file),
                          S_OK);
                file2 = query(file, &IID_IDeliveryOptimizationFile2);
                assert_hr(IDeliveryOptimizationFile2_SetProperty(file2, DOFilePropertyId_DownloadSinkMemoryStream, &v),
                          DO_E_MEMORYSTREAM_DOWNLOAD_NOT_SUPPORTED);
                drop(file2);
                drop(file);
        }
        drop(job2);
}

static void no_cellular(const struct job *job) {
        assert_hr(set_of_download(DODownloadProperty_CostPolicy, (VARIANT){ .vt = VT_UI4, .ulVal = DODownloadCostPolicy_NoCellular }), E_NOTIMPL);
}

static void network_token(const struct job *job) {
        assert_hr(set_of_download(DODownloadProperty_NetworkToken, (VARIANT){ .vt = VT_BOOL, .boolVal = VARIANT_TRUE }), E_NOTIMPL);
        assert_hr(set_of_download(DODownloadProperty_NetworkToken, (VARIANT){ .vt = VT_BOOL, .boolVal = VARIANT_FALSE }), S_OK);
}

static HRESULT set_key(IDODownload *d) {
        VARIANT v = { .vt = VT_BSTR,
                      .bstrVal = SysAllocString(L"{\"KeyData\": \"AAECAwQFBgcICQoLDA0ODw==\", \"EncryptionBufferSize\": 65536, "
                                                L"\"AlgorithmName\": \"AES\", \"ChainingMode\": \"ChainingModeGCM\"}") };
        HRESULT hr = IDODownload_SetProperty(d, DODownloadProperty_DecryptionInfo, &v);

        (void) VariantClear(&v);
        return hr;
}

static void key_of_a_stream(const struct job *job) {
        IDOManager *manager = query(manager_of(&families[0]), &IID_IDOManager);
        struct taker *t = taker_new();
        VARIANT v = { .vt = VT_UNKNOWN, .punkVal = (IUnknown *) t };
        IDODownload *d = taker_new_download("/f?size=10", t);

        assert_hr(set_key(d), E_NOTIMPL);
        (void) IDODownload_Abort(d);
        assert_int_equal(IDODownload_Release(d), 0);
        assert_hr(IDOManager_CreateDownload(manager, &d), S_OK);
        assert_hr(set_key(d), S_OK);
        assert_hr(IDODownload_SetProperty(d, DODownloadProperty_StreamInterface, &v), E_NOTIMPL);
        (void) IDODownload_Abort(d);
        assert_int_equal(IDODownload_Release(d), 0);
        taker_done(t);
        drop(manager);
}

static const struct {
        const char *row;
        void (*check)(const struct job *job);
} rows[] = {
        { "IBackgroundCopyManager::CreateJob with BG_JOB_TYPE_UPLOAD or BG_JOB_TYPE_UPLOAD_REPLY", uploads },
        { "IBackgroundCopyJob2::GetReplyProgress, GetReplyData, SetReplyFileName, GetReplyFileName", replies },
        { "IBackgroundCopyJob3::SetFileACLFlags, GetFileACLFlags", acls },
        { "IBackgroundCopyJob4::SetPeerCachingFlags, GetPeerCachingFlags", peer_caching },
        { "IBitsTokenOptions: SetHelperTokenFlags, GetHelperTokenFlags, SetHelperToken, ClearHelperToken, GetHelperTokenSid", tokens },
        { "IBackgroundCopyJob::SetProxySettings with BG_JOB_PROXY_USAGE_AUTODETECT", autodetect },
        { "IBackgroundCopyJob5, BITS_JOB_PROPERTY_NOTIFICATION_CLSID", notification_class },
        { "IBackgroundCopyJob5, BITS_JOB_PROPERTY_USE_STORED_CREDENTIALS", stored_credentials },
        { "IDeliveryOptimizationFile2, DOFilePropertyId_DownloadSinkMemoryStream", memory_stream },
        { "IBackgroundCopyJobHttpOptions::SetClientCertificateByID, SetClientCertificateByName with a place other than CURRENT_USER and LOCAL_MACHINE", places_of_certificates },
        { "IDODownload, DODownloadProperty_CostPolicy with NoCellular", no_cellular },
        { "IDODownload, DODownloadProperty_NetworkToken TRUE", network_token },
        { "DecryptionInfo of a file that goes to a stream, in either order", key_of_a_stream },
        { "IBackgroundCopyJob::SetPriority outside of BG_JOB_PRIORITY; SetProxySettings outside of BG_JOB_PROXY_USAGE", outside_of_enums },
        { "IBackgroundCopyJob::SetNotifyFlags with unknown bits; in the DO family with BG_NOTIFY_DISABLE or BG_NOTIFY_FILE_RANGES_TRANSFERRED", notify_flags },
        { "IBackgroundCopyJobHttpOptions::SetSecurityFlags with unknown bits", security_flags },
        { "IBackgroundCopyJob2::SetCredentials with BG_AUTH_SCHEME_NTLM, NEGOTIATE, PASSPORT", schemes },
};

static void every_row_answers_as_it_says(void **state) {
        for (size_t i = 0; i < ELEMENTSOF(rows); i++)
                FOR_EACH_FAMILY(family) {
                        struct job job = job_new(family);

                        print_message("%s: %s\n", family->name, rows[i].row);
                        rows[i].check(&job);
                        job_done(&job);
                }
}

int main(int argc, char **argv) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(every_row_answers_as_it_says),
        };

        return world_run(argc, argv, "not_implemented", NULL, tests, ELEMENTSOF(tests));
}

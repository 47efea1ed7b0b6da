/* What guards a download: encryption on the way (DecryptionInfo), and a certificate of the client's own (SecurityContext). */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <wchar.h>

#include "download.h"

#define BUFFER 65536
#define SIZE (3 * BUFFER + 5)
#define LIMIT_CERTIFICATE 32768 /* protocol/limits.h */
#define CRYPT_E_NOT_FOUND ((HRESULT) 0x80092004)
#define WINHTTP_CERTIFICATE_NEEDED ((HRESULT) 0x80072F0C)
#define WIN32_DECRYPTION_FAILED ((HRESULT) 0x80071771)

static void assert_error(IDODownload *d, HRESULT expected) {
        DO_DOWNLOAD_STATUS status;

        assert_hr(IDODownload_GetStatus(d, &status), S_OK);
        assert_int_equal(status.State, DODownloadState_Paused);
        assert_hr(status.Error, expected);
}

/* ---- encryption ---- */

struct encrypted {
        char content[SIZE];
        char key[DOSVC_DECRYPTION_INFO_SIZE];
        const wchar_t *file;
};

/* The origin has it, encrypted in @mode, at /c/ID/f. */
static struct encrypted *encrypted_new(const char *id, const char *mode) {
        struct encrypted *e = calloc(1, sizeof(*e));
        const wchar_t *plain = destination("plain");
        char json[512];

        assert_non_null(e);
        for (size_t i = 0; i < SIZE; i++)
                e->content[i] = (char) (i * 7 + (i >> 9));
        file_write(plain, e->content, SIZE);
        assert_hr(dosvc_make_decryption_info(mode, BUFFER, e->key), S_OK);
        e->file = destination("encrypted");
        assert_hr(dosvc_encrypt_file(narrow(plain), narrow(e->file), e->key, 0), S_OK);
        (void) snprintf(json, sizeof(json), "{\"file\": \"%s\"}", narrow(e->file));
        origin_case(id, json);
        return e;
}

static void assert_content(const struct encrypted *e, const wchar_t *path) {
        size_t n;
        char *got = file_read(path, &n);

        assert_non_null(got);
        assert_int_equal(n, SIZE);
        assert_memory_equal(got, e->content, SIZE);
        free(got);
}

static const char *const modes[] = { "gcm", "cbc" };

/* CONFORMS: api.md 1.4 DecryptionInfo 18 (BSTR JSON, write-only) */
static void what_is_finalized_is_the_content(void **state) {
        for (size_t i = 0; i < ELEMENTSOF(modes); i++) {
                struct encrypted *e = encrypted_new("encrypted", modes[i]);
                const wchar_t *path = destination("content");
                IDODownload *d = download_new(origin_url("/c/encrypted/f"), path);
                VARIANT v;

                assert_hr(download_set_text(d, DODownloadProperty_DecryptionInfo, widen(e->key)), S_OK);
                assert_hr(IDODownload_GetProperty(d, DODownloadProperty_DecryptionInfo, &v), DO_E_WRITE_ONLY_PROPERTY);
                assert_hr(download_run(d, NULL), S_OK);
                assert_false(file_exists(path));
                assert_hr(IDODownload_Finalize(d), S_OK);
                assert_content(e, path);
                assert_int_equal(count_parts(), 0);
                assert_int_equal(IDODownload_Release(d), 0);
                free(e);
        }
}

static void the_wrong_key_is_named_and_the_right_one_fetches_nothing_again(void **state) {
        for (size_t i = 0; i < ELEMENTSOF(modes); i++) {
                struct encrypted *e = encrypted_new("wrong", modes[i]);
                const wchar_t *path = destination("content");
                IDODownload *d = download_new(origin_url("/c/wrong/f"), path);
                char other[DOSVC_DECRYPTION_INFO_SIZE];
                uint64_t sent;

                assert_hr(dosvc_make_decryption_info(modes[i], BUFFER, other), S_OK);
                assert_hr(download_set_text(d, DODownloadProperty_DecryptionInfo, widen(other)), S_OK);
                assert_hr(download_run(d, NULL), WIN32_DECRYPTION_FAILED);
                assert_error(d, WIN32_DECRYPTION_FAILED);
                assert_hr(IDODownload_Finalize(d), DO_E_INVALID_STATE);
                assert_false(file_exists(path));
                assert_int_equal(count_parts(), 1); /* what travelled */
                sent = origin_bytes_sent();
                assert_hr(download_set_text(d, DODownloadProperty_DecryptionInfo, widen(e->key)), S_OK);
                assert_hr(download_run(d, NULL), S_OK);
                assert_int_equal(origin_bytes_sent(), sent);
                assert_hr(IDODownload_Finalize(d), S_OK);
                assert_content(e, path);
                assert_int_equal(IDODownload_Release(d), 0);
                free(e);
        }
}

/* Between two buffers, within one, within the header, and of it nothing at all; and one byte that is another. */
static void what_is_cut_off_or_changed_never_appears(void **state) {
        static const struct {
                size_t drop; /* from the end; SIZE_MAX: all of it */
                const char *answers;
                HRESULT error;
        } rows[] = {
                { BUFFER, "[{}]", DO_E_BAD_INCOMING_DATA },
                { 1, "[{}]", DO_E_BAD_INCOMING_DATA },
                { 0, "[{\"spoil\": 100000}]", DO_E_BAD_INCOMING_DATA },
                { SIZE, "[{}]", DO_E_FILE_ENCRYPTION_EXPECTED },
                { SIZE_MAX, "[{}]", DO_E_FILE_ENCRYPTION_EXPECTED },
        };

        for (size_t i = 0; i < ELEMENTSOF(modes) * ELEMENTSOF(rows); i++) {
                struct encrypted *e = encrypted_new("cut", modes[i / ELEMENTSOF(rows)]);
                size_t row = i % ELEMENTSOF(rows), n;
                const wchar_t *path = destination("content"), *cut = destination("cut");
                IDODownload *d = download_new(origin_url("/c/cut/f"), path);
                char *bytes = file_read(e->file, &n), json[512];

                /* A short tail, a buffer and its tag, or all but a part of the header. */
                if (rows[row].drop == SIZE)
                        n = 40;
                else if (rows[row].drop == SIZE_MAX)
                        n = 0;
                else
                        n -= rows[row].drop;
                file_write(cut, bytes, n);
                free(bytes);
                (void) snprintf(json, sizeof(json), "{\"file\": \"%s\", \"answers\": %s}", narrow(cut), rows[row].answers);
                origin_case("cut", json);
                assert_hr(download_set_text(d, DODownloadProperty_DecryptionInfo, widen(e->key)), S_OK);
                assert_hr(download_run(d, NULL), rows[row].error);
                assert_error(d, rows[row].error);
                assert_false(file_exists(path));
                download_drop(d);
                assert_false(file_exists(path));
                assert_int_equal(count_parts(), 0);
                free(e);
        }
}

/* CONFORMS: api.md 1.4: the keys of DecryptionInfo */
static void what_is_no_decryption_info_is_refused(void **state) {
        static const wchar_t *const texts[] = {
                L"{}", L"no JSON", L"[]", L"{\"KeyData\": \"AAECAwQFBgcICQoLDA0ODw==\"}",
                L"{\"KeyData\": \"AAECAw==\", \"EncryptionBufferSize\": 65536, \"AlgorithmName\": \"AES\", \"ChainingMode\": \"ChainingModeGCM\"}",
                L"{\"KeyData\": \"AAECAwQFBgcICQoLDA0ODw==\", \"EncryptionBufferSize\": 65537, \"AlgorithmName\": \"AES\", \"ChainingMode\": \"ChainingModeGCM\"}",
                L"{\"KeyData\": \"AAECAwQFBgcICQoLDA0ODw==\", \"EncryptionBufferSize\": 65536, \"AlgorithmName\": \"DES\", \"ChainingMode\": \"ChainingModeGCM\"}",
                L"{\"KeyData\": \"AAECAwQFBgcICQoLDA0ODw==\", \"EncryptionBufferSize\": 65536, \"AlgorithmName\": \"AES\", \"ChainingMode\": \"ChainingModeECB\"}",
        };
        IDODownload *d = download_new(origin_url("/f?size=10"), destination("refused"));

        for (size_t i = 0; i < ELEMENTSOF(texts); i++)
                assert_hr(download_set_text(d, DODownloadProperty_DecryptionInfo, texts[i]), E_INVALIDARG);
        assert_hr(download_set_text(d, DODownloadProperty_DecryptionInfo,
                           L"{\"KeyData\": \"AAECAwQFBgcICQoLDA0ODw==\", \"EncryptionBufferSize\": 65536, \"AlgorithmName\": \"AES\", "
                           L"\"ChainingMode\": \"ChainingModeGCM\"}"),
                  S_OK);
        assert_hr(download_set_text(d, DODownloadProperty_DecryptionInfo, L""), S_OK); /* taken away: it comes as it is */
        assert_hr(download_run(d, NULL), S_OK);
        download_drop(d);
}

/* ---- client certificates ---- */

static HRESULT set_array(IDODownload *d, VARTYPE type, SAFEARRAY *array) {
        VARIANT v = { .vt = type, .parray = array };

        return IDODownload_SetProperty(d, DODownloadProperty_SecurityContext, &v);
}

static HRESULT set_context(IDODownload *d, const void *bytes, size_t n) {
        SAFEARRAY array = { .cDims = 1, .cbElements = 1, .pvData = (void *) bytes, .rgsabound = { { .cElements = (ULONG) n } } };

        return set_array(d, VT_ARRAY | VT_UI1, &array);
}

static char *argument(const char *s) {
        return (char *) (uintptr_t) s;
}

/* Makes a certificate that the origin trusts, and its key; PEM. Its files in the owner's store, or nowhere that is looked at. */
static char *make_certificate(const char *name, bool in_store, size_t *ret_n) {
        const char *store = in_store ? "config/dosvc/certificates/MY" : ".";
        char key[256], pem[256], subject[64];

        (void) mkdir(world_path("config"), 0700);
        (void) mkdir(world_path("config/dosvc"), 0700);
        (void) mkdir(world_path("config/dosvc/certificates"), 0700);
        (void) mkdir(world_path("config/dosvc/certificates/MY"), 0700);
        (void) snprintf(key, sizeof(key), "%s/%s.key", store, name);
        (void) snprintf(pem, sizeof(pem), "%s/%s.pem", store, name);
        (void) snprintf(subject, sizeof(subject), "/CN=%s", name);
        assert_int_equal(world_run_program((char *[]){ argument("/usr/bin/openssl"), argument("req"), argument("-newkey"), argument("ec"), argument("-pkeyopt"),
                                 argument("ec_paramgen_curve:P-256"), argument("-nodes"), argument("-keyout"), argument(world_path(key)),
                                 argument("-out"), argument(world_path("csr.pem")), argument("-subj"), subject, NULL }), 0);
        assert_int_equal(world_run_program((char *[]){ argument("/usr/bin/openssl"), argument("x509"), argument("-req"), argument("-in"),
                                 argument(world_path("csr.pem")), argument("-CA"), argument(world_path("tls.pem")), argument("-CAkey"),
                                 argument(world_path("tls.key")), argument("-CAcreateserial"), argument("-days"), argument("2"), argument("-out"),
                                 argument(world_path(pem)), NULL }), 0);
        assert_return_code(chmod(world_path(key), 0600), errno);
        return file_read(widen(world_path(pem)), ret_n);
}

static char *make_der(const char *pem, size_t *ret_n) {
        const wchar_t *from = destination("pem"), *to = destination("der");

        file_write(from, pem, strlen(pem));
        assert_int_equal(world_run_program((char *[]){ argument("/usr/bin/openssl"), argument("x509"), argument("-in"), narrow(from), argument("-outform"),
                                 argument("DER"), argument("-out"), narrow(to), NULL }), 0);
        return file_read(to, ret_n);
}

static size_t put_element(char *to, uint32_t id, const void *bytes, uint32_t n) {
        const uint32_t words[] = { id, 1, n };

        for (size_t i = 0; i < sizeof(words); i++)
                to[i] = (char) (words[i / 4] >> 8 * (i % 4));
        memcpy(to + sizeof(words), bytes, n);
        return sizeof(words) + n;
}

/* A CERT_CONTEXT as CertSerializeCertificateStoreElement() writes it: its properties, then the certificate. */
static char *serialize(const char *der, size_t n_der, size_t *ret_n) {
        char *bytes = malloc(n_der + 256);

        assert_non_null(bytes);
        *ret_n = put_element(bytes, 3, "twenty bytes of SHA-1", 20);
        *ret_n += put_element(bytes + *ret_n, 11, "a friendly name", 15);
        *ret_n += put_element(bytes + *ret_n, 32, der, (uint32_t) n_der);
        return bytes;
}

/* CONFORMS: api.md 1.4 SecurityContext 15 (ARRAY|UI1 serialized CERT_CONTEXT). Not with the fake: whether a certificate opens a server is
 * between that server and the transfer process. */
static void a_certificate_in_any_of_its_forms_opens_the_server(void **state) {
        size_t n_pem, n_der, n_serialized;
        char *pem = make_certificate("agent", true, &n_pem), *der, *serialized;
        struct {
                const void *bytes;
                size_t n;
        } forms[3];

        pem[n_pem] = 0;
        der = make_der(pem, &n_der);
        serialized = serialize(der, n_der, &n_serialized);
        forms[0].bytes = serialized;
        forms[0].n = n_serialized;
        forms[1].bytes = der;
        forms[1].n = n_der;
        forms[2].bytes = pem;
        forms[2].n = n_pem;
        for (size_t i = 0; i < ELEMENTSOF(forms); i++) {
                const wchar_t *path = destination("shown");
                IDODownload *d = download_new(secure_url("/f?size=1000"), path);
                VARIANT v;

                assert_hr(download_run(d, NULL), WINHTTP_CERTIFICATE_NEEDED);
                assert_error(d, WINHTTP_CERTIFICATE_NEEDED);
                assert_hr(set_context(d, forms[i].bytes, forms[i].n), S_OK);
                assert_hr(IDODownload_GetProperty(d, DODownloadProperty_SecurityContext, &v), DO_E_WRITE_ONLY_PROPERTY);
                assert_hr(download_run(d, NULL), S_OK);
                assert_hr(IDODownload_Finalize(d), S_OK);
                assert_file_is(path, "/f?size=1000", 1000);
                assert_int_equal(IDODownload_Release(d), 0);
        }
        free(pem);
        free(der);
        free(serialized);
}

/* Not with the fake: keys lie in the configuration of the real service, and its server must miss them. */
static void one_whose_key_is_nowhere_is_named_and_no_bytes_show_none(void **state) {
        size_t n_mine, n_lost;
        char *mine = make_certificate("mine", true, &n_mine), *lost = make_certificate("lost", false, &n_lost);
        IDODownload *d = download_new(secure_url("/f?size=1000"), destination("lost"));

        assert_hr(set_context(d, lost, n_lost), S_OK);
        assert_hr(download_run(d, NULL), CRYPT_E_NOT_FOUND);
        assert_error(d, CRYPT_E_NOT_FOUND);
        assert_hr(set_context(d, NULL, 0), S_OK);
        assert_hr(download_run(d, NULL), WINHTTP_CERTIFICATE_NEEDED);
        assert_hr(set_context(d, mine, n_mine), S_OK);
        assert_hr(download_run(d, NULL), S_OK);
        download_drop(d);
        free(mine);
        free(lost);
}

static void what_is_no_certificate_is_refused(void **state) {
        IDODownload *d = download_new(origin_url("/f?size=10"), destination("refused"));
        size_t n_pem, n_der, n_serialized;
        char *pem = make_certificate("refused", false, &n_pem), *der, *serialized, *padded = malloc(LIMIT_CERTIFICATE + 1);
        SAFEARRAY two = { .cDims = 2, .cbElements = 1 }, wide = { .cDims = 1, .cbElements = 2 };

        pem[n_pem] = 0;
        der = make_der(pem, &n_der);
        serialized = serialize(der, n_der, &n_serialized);
        assert_hr(set_context(d, "x", 1), E_INVALIDARG);
        assert_hr(set_context(d, "-----BEGIN CERTIFICATE-----\n", 28), E_INVALIDARG);
        assert_hr(set_context(d, NULL, 10), E_INVALIDARG);
        assert_hr(set_context(d, der, n_der - 1), E_INVALIDARG);
        for (size_t n = 1; n < n_serialized; n += 7)
                assert_hr(set_context(d, serialized, n), E_INVALIDARG);
        memset(serialized + 8, 0xff, 4); /* a length that is longer than everything */
        assert_hr(set_context(d, serialized, n_serialized), E_INVALIDARG);
        assert_non_null(padded);
        memset(padded, '\n', LIMIT_CERTIFICATE + 1);
        memcpy(padded, pem, n_pem);
        assert_hr(set_context(d, padded, LIMIT_CERTIFICATE), S_OK);
        assert_hr(set_context(d, padded, LIMIT_CERTIFICATE + 1), E_INVALIDARG);
        assert_hr(set_array(d, VT_ARRAY | VT_UI1, &two), E_INVALIDARG);
        assert_hr(set_array(d, VT_ARRAY | VT_UI1, &wide), E_INVALIDARG);
        assert_hr(set_array(d, VT_ARRAY | VT_UI4, &wide), E_INVALIDARG);
        assert_hr(set_array(d, VT_UI1, NULL), E_INVALIDARG);
        assert_hr(set_array(d, VT_ARRAY | VT_UI1, NULL), S_OK); /* none */
        download_drop(d);
        free(pem);
        free(der);
        free(serialized);
        free(padded);
}

int main(int argc, char **argv) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(what_is_finalized_is_the_content),
                cmocka_unit_test(the_wrong_key_is_named_and_the_right_one_fetches_nothing_again),
                cmocka_unit_test(what_is_cut_off_or_changed_never_appears),
                cmocka_unit_test(what_is_no_decryption_info_is_refused),
                needs_the_real_one(a_certificate_in_any_of_its_forms_opens_the_server, "TLS"),
                needs_the_real_one(one_whose_key_is_nowhere_is_named_and_no_bytes_show_none, "TLS"),
                cmocka_unit_test(what_is_no_certificate_is_refused),
        };

        world_with_client_certificates();
        return world_run(argc, argv, "guards", NULL, tests, ELEMENTSOF(tests));
}

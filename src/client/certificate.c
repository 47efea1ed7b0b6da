#include "client/certificate.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <string.h>

#include "base/strings.h"

#define SERIALIZED_CERTIFICATE 32 /* CERT_CERT_PROP_ID: the element of a serialized context that holds the certificate itself */
#define PERSONAL_STORE "MY"

static int copy_in(LPCWSTR from, char *to, size_t size) {
        _cleanup_free_ char *text = NULL;

        if (FAILED(com_string_in(from, size - 1, E_INVALIDARG, &text)) || strlen(text) >= size)
                return -EINVAL;
        strcpy(to, text);
        return 0;
}

HRESULT certificate_from_com(BG_CERT_STORE_LOCATION location, LPCWSTR store, const BYTE *hash, LPCWSTR subject,
                             char ret[static CERTIFICATE_TEXT_MAX + 1]) {
        struct certificate_name name = { .place = (enum certificate_place) location, .by_hash = hash };

        if ((unsigned) location >= _CERTIFICATE_PLACE_MAX || !store || (!hash && !subject))
                return E_INVALIDARG;
        if (copy_in(store, name.store, sizeof(name.store)) < 0)
                return E_INVALIDARG;
        if (hash)
                memcpy(name.sha1, hash, sizeof(name.sha1));
        else if (copy_in(subject, name.subject, sizeof(name.subject)) < 0)
                return E_INVALIDARG;
        return certificate_name_print(&name, ret) < 0 ? E_INVALIDARG : S_OK;
}

static uint32_t little_endian(const uint8_t *p) {
        return (uint32_t) p[0] | (uint32_t) p[1] << 8 | (uint32_t) p[2] << 16 | (uint32_t) p[3] << 24;
}

/* Elements of (id, encoding type, length) and as many bytes; the certificate is the last one. */
static X509 *read_serialized(const uint8_t *bytes, size_t size) {
        while (size >= 12) {
                uint32_t id = little_endian(bytes), length = little_endian(bytes + 8);
                const unsigned char *der = bytes + 12;

                if (length > size - 12)
                        return NULL;
                if (id == SERIALIZED_CERTIFICATE)
                        return d2i_X509(NULL, &der, length);
                bytes += 12 + length;
                size -= 12 + length;
        }
        return NULL;
}

static X509 *read_any(const void *bytes, size_t size) {
        const unsigned char *der = bytes;
        X509 *certificate = d2i_X509(NULL, &der, (long) size);
        BIO *bio;

        if (certificate)
                return certificate;
        certificate = read_serialized(bytes, size);
        if (certificate)
                return certificate;
        bio = BIO_new_mem_buf(bytes, (int) size);
        if (bio)
                certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL);
        BIO_free(bio);
        return certificate;
}

HRESULT certificate_from_bytes(const void *bytes, size_t size, char ret[static CERTIFICATE_TEXT_MAX + 1]) {
        struct certificate_name name = { .place = CERTIFICATE_CURRENT_USER, .store = PERSONAL_STORE, .by_hash = true };
        unsigned char sha1[EVP_MAX_MD_SIZE];
        X509 *certificate;
        unsigned n = 0;
        int ok;

        certificate = size > 0 && size <= LIMIT_CERTIFICATE ? read_any(bytes, size) : NULL;
        ok = certificate && X509_digest(certificate, EVP_sha1(), sha1, &n) == 1 && n == sizeof(name.sha1);
        X509_free(certificate);
        ERR_clear_error();
        if (!ok)
                return E_INVALIDARG;
        memcpy(name.sha1, sha1, sizeof(name.sha1));
        return certificate_name_print(&name, ret) < 0 ? E_INVALIDARG : S_OK;
}

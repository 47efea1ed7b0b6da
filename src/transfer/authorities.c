#include "transfer/authorities.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <unistd.h>

struct authorities {
        X509_STORE *store;
        size_t n;
};

const char *authorities_system_file(void) {
        static const char *const files[] = {
                "/etc/ssl/certs/ca-certificates.crt", /* Debian, Arch, Gentoo */
                "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", /* Fedora */
                "/etc/pki/tls/certs/ca-bundle.crt",
                "/etc/ssl/ca-bundle.pem", /* SUSE */
                "/etc/ssl/cert.pem", /* Alpine */
        };

        for (size_t i = 0; i < ELEMENTSOF(files); i++)
                if (access(files[i], R_OK) == 0)
                        return files[i];
        return NULL;
}

static int count_certificates(X509_STORE *store) {
        return sk_X509_OBJECT_num(X509_STORE_get0_objects(store));
}

int authorities_new(const char *file, struct authorities **ret) {
        struct authorities *authorities;
        int n;

        if (access(file, R_OK) < 0)
                return -errno;
        authorities = calloc(1, sizeof(*authorities));
        if (!authorities)
                return -ENOMEM;
        authorities->store = X509_STORE_new();
        if (!authorities->store) {
                free(authorities);
                return -ENOMEM;
        }
        n = X509_STORE_load_file(authorities->store, file) == 1 ? count_certificates(authorities->store) : 0;
        ERR_clear_error();
        if (n <= 0) {
                authorities_free(authorities);
                return -EBADMSG;
        }
        authorities->n = (size_t) n;
        *ret = authorities;
        return 0;
}

struct authorities *authorities_free(struct authorities *authorities) {
        if (!authorities)
                return NULL;
        X509_STORE_free(authorities->store);
        free(authorities);
        return NULL;
}

size_t authorities_count(const struct authorities *authorities) {
        return authorities ? authorities->n : 0;
}

static CURLcode on_ssl_context(CURL *easy, void *ssl_context, void *userdata) {
        struct authorities *authorities = userdata;
        SSL_CTX *context = ssl_context;

        if (authorities)
                SSL_CTX_set1_cert_store(context, authorities->store);
        /* A body whose end is the end of the connection is complete only with close_notify (design decision 8). */
        SSL_CTX_clear_options(context, SSL_OP_IGNORE_UNEXPECTED_EOF);
        return CURLE_OK;
}

int authorities_apply(struct authorities *authorities, CURL *easy) {
        static const CURLoption no_files[] = {
                CURLOPT_CAINFO, CURLOPT_CAPATH, CURLOPT_PROXY_CAINFO, CURLOPT_PROXY_CAPATH,
        };
        CURLcode c = CURLE_OK;

        for (size_t i = 0; i < ELEMENTSOF(no_files); i++)
                c |= curl_easy_setopt(easy, no_files[i], NULL);
        c |= curl_easy_setopt(easy, CURLOPT_CA_CACHE_TIMEOUT, 0L);
        c |= curl_easy_setopt(easy, CURLOPT_SSL_CTX_FUNCTION, on_ssl_context);
        c |= curl_easy_setopt(easy, CURLOPT_SSL_CTX_DATA, authorities);
        c |= curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long) CURL_SSLVERSION_TLSv1_2);
        c |= curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
        c |= curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L);
        c |= curl_easy_setopt(easy, CURLOPT_PROXY_SSLVERSION, (long) CURL_SSLVERSION_TLSv1_2);
        c |= curl_easy_setopt(easy, CURLOPT_PROXY_SSL_VERIFYPEER, 1L);
        c |= curl_easy_setopt(easy, CURLOPT_PROXY_SSL_VERIFYHOST, 2L);
        return c == CURLE_OK ? 0 : -EINVAL;
}

#include "transfer/authorities.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <unistd.h>
#include <utlist.h>

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

static struct tls_watch *watches; /* one thread, one list */

void tls_watch_start(struct tls_watch *watch, CURL *easy) {
        struct curl_tlssessioninfo *info = NULL;

        tls_watch_stop(watch);
        if (curl_easy_getinfo(easy, CURLINFO_TLS_SSL_PTR, &info) != CURLE_OK || !info || info->backend != CURLSSLBACKEND_OPENSSL ||
            !info->internals)
                return;
        *watch = (struct tls_watch) { .ssl = info->internals };
        DL_APPEND(watches, watch);
}

void tls_watch_stop(struct tls_watch *watch) {
        if (!watch->ssl)
                return;
        DL_DELETE(watches, watch);
        watch->ssl = NULL;
}

static void on_ssl_info(const SSL *ssl, int where, int value) {
        struct tls_watch *watch;

        if (where != SSL_CB_READ_ALERT || (value & 0xff) != SSL3_AD_CLOSE_NOTIFY)
                return;
        DL_FOREACH(watches, watch)
                if (watch->ssl == ssl)
                        watch->close_notify = true;
}

static CURLcode on_ssl_context(CURL *easy, void *ssl_context, void *userdata) {
        struct authorities *authorities = userdata;
        SSL_CTX *context = ssl_context;

        if (authorities)
                SSL_CTX_set1_cert_store(context, authorities->store);
        SSL_CTX_set_info_callback(context, on_ssl_info);
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

#include "transfer/authorities.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <unistd.h>
#include <utlist.h>

#include "base/fds.h"
#include "transfer/certificate_gate.h"
#include "transfer/engine.h"

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

/* The revocation lists of a PEM file, and its certificates if they are to be @trusted. Return: how many of the wanted kind there are. */
static int store_load(X509_STORE *store, int fd, bool trusted) {
        _cleanup_close_ int copy = fd_dup(fd);
        STACK_OF(X509_INFO) *items;
        FILE *file;
        int n = 0;

        if (copy < 0)
                return copy;
        file = fdopen(copy, "r");
        if (!file)
                return -errno;
        (void) TAKE_FD(copy);
        items = PEM_X509_INFO_read(file, NULL, NULL, (void *) "");
        (void) fclose(file);
        for (int i = 0; items && i < sk_X509_INFO_num(items); i++) {
                const X509_INFO *item = sk_X509_INFO_value(items, i);

                if (item->crl && X509_STORE_add_crl(store, item->crl) == 1)
                        n += !trusted;
                if (trusted && item->x509 && X509_STORE_add_cert(store, item->x509) == 1)
                        n++;
        }
        sk_X509_INFO_pop_free(items, X509_INFO_free);
        ERR_clear_error();
        return n > 0 ? n : -EBADMSG;
}

int authorities_new(int fd, struct authorities **ret) {
        struct authorities *authorities;
        int r;

        authorities = calloc(1, sizeof(*authorities));
        if (!authorities)
                return -ENOMEM;
        authorities->store = X509_STORE_new();
        r = authorities->store ? store_load(authorities->store, fd, true) : -ENOMEM;
        if (r < 0) {
                authorities_free(authorities);
                return r;
        }
        authorities->n = (size_t) r;
        *ret = authorities;
        return 0;
}

int authorities_add_revocations(struct authorities *authorities, int fd) {
        return store_load(authorities->store, fd, false);
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

static bool is_watched(const struct tls_watch *watch, const SSL *ssl) {
        return watch->ssl ? watch->ssl == ssl : watch->context == SSL_get_SSL_CTX(ssl);
}

static void watch_identity(struct tls_watch *watch, const void *context, const void *ssl) {
        tls_watch_stop(watch);
        *watch = (struct tls_watch) { .context = context, .ssl = ssl };
        DL_APPEND(watches, watch);
}

void tls_watch_start(struct tls_watch *watch, CURL *easy) {
        struct curl_tlssessioninfo *info = NULL;
        bool wanted;

        if (curl_easy_getinfo(easy, CURLINFO_TLS_SSL_PTR, &info) != CURLE_OK || !info || info->backend != CURLSSLBACKEND_OPENSSL ||
            !info->internals) {
                tls_watch_stop(watch);
                return;
        }
        wanted = watch->certificate_wanted && is_watched(watch, info->internals);
        watch_identity(watch, NULL, info->internals);
        watch->certificate_wanted = wanted;
}

void tls_watch_stop(struct tls_watch *watch) {
        if (!watch->ssl && !watch->context)
                return;
        DL_DELETE(watches, watch);
        watch->ssl = watch->context = NULL;
}

static void on_ssl_info(const SSL *ssl, int where, int value) {
        uint8_t alert = (uint8_t) (value & 0xff);
        struct tls_watch *watch;

        if (where != SSL_CB_READ_ALERT)
                return;
        DL_FOREACH(watches, watch) {
                if (!is_watched(watch, ssl))
                        continue;
                if (alert == SSL3_AD_CLOSE_NOTIFY)
                        watch->close_notify = true;
                else
                        watch->alert = alert;
        }
}

/* OpenSSL asks for one that nobody gave it. There is none, and that is all right: most servers go on without. */
static int on_certificate_missing(SSL *ssl, X509 **ret_certificate, EVP_PKEY **ret_key) {
        struct tls_watch *watch;

        DL_FOREACH(watches, watch)
                if (is_watched(watch, ssl))
                        watch->certificate_wanted = true;
        return 0;
}

static int ignore_index(void) {
        static int index = -1;

        if (index < 0)
                index = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, NULL);
        return index;
}

/* Which flag forgives what OpenSSL found; 0: none does. The name is libcurl's to check. */
static uint32_t flag_for(int error) {
        switch (error) {
        case X509_V_ERR_CERT_HAS_EXPIRED:
        case X509_V_ERR_CERT_NOT_YET_VALID:
                return ENGINE_IGNORE_DATE;
        case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
        case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
        case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
        case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
        case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
        case X509_V_ERR_CERT_UNTRUSTED:
                return ENGINE_IGNORE_AUTHORITY;
        case X509_V_ERR_INVALID_PURPOSE:
                return ENGINE_IGNORE_USAGE;
        default:
                return 0;
        }
}

/* Called for each finding of its own: one that is forgiven hides no other. */
static int on_verify(int ok, X509_STORE_CTX *context) {
        const SSL *ssl = X509_STORE_CTX_get_ex_data(context, SSL_get_ex_data_X509_STORE_CTX_idx());
        uint32_t ignore = (uint32_t) (uintptr_t) SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), ignore_index());
        int error = X509_STORE_CTX_get_error(context);
        struct tls_watch *watch;

        if (ok)
                return 1;
        if (flag_for(error) & ignore) {
                X509_STORE_CTX_set_error(context, X509_V_OK);
                return 1;
        }
        DL_FOREACH(watches, watch)
                if (is_watched(watch, ssl))
                        watch->refused_for = error;
        return 0;
}

/* libcurl calls on_ssl_context() for an https proxy, too, and does not say for whom: nor does the order of the calls, since a proxy may have
 * it connect anew. So a server's context alone states the highest version, which changes nothing else; what does not state it is checked in
 * full. It also keeps libcurl from going on with a TLS session of the one at the other. */
#define PROXY_VERSIONS CURL_SSLVERSION_TLSv1_2
#define SERVER_VERSIONS (CURL_SSLVERSION_TLSv1_2 | CURL_SSLVERSION_MAX_TLSv1_3)

static bool is_of_server(SSL_CTX *context) {
        return SSL_CTX_get_max_proto_version(context) == TLS1_3_VERSION;
}

static CURLcode apply_to_server(const struct tls_policy *policy, SSL_CTX *context) {
        if (policy->check_revocation &&
            X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(context), X509_V_FLAG_CRL_CHECK) != 1)
                return CURLE_OUT_OF_MEMORY;
        /* A number, no pointer: the context outlives the policy. */
        if (policy->ignore && SSL_CTX_set_ex_data(context, ignore_index(), (void *) (uintptr_t) policy->ignore) != 1)
                return CURLE_OUT_OF_MEMORY;
        if (policy->gate && certificate_gate_guard(policy->gate, context) < 0)
                return CURLE_OUT_OF_MEMORY;
        return CURLE_OK;
}

static CURLcode on_ssl_context(CURL *easy, void *ssl_context, void *userdata) {
        const struct tls_policy *policy = userdata;
        SSL_CTX *context = ssl_context;
        CURLcode c;

        if (policy->authorities)
                SSL_CTX_set1_cert_store(context, policy->authorities->store);
        c = is_of_server(context) ? apply_to_server(policy, context) : CURLE_OK;
        if (c != CURLE_OK)
                return c;
        SSL_CTX_set_verify(context, SSL_VERIFY_PEER, on_verify);
        SSL_CTX_set_info_callback(context, on_ssl_info);
        /* libcurl looks at the name of the first handshake's certificate, and so does a job's own judge. */
        SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION);
        if (!policy->has_certificate)
                SSL_CTX_set_client_cert_cb(context, on_certificate_missing);
        watch_identity(policy->watch, context, NULL);
        return CURLE_OK;
}

int authorities_apply(const struct tls_policy *policy, CURL *easy) {
        static const CURLoption no_files[] = {
                CURLOPT_CAINFO, CURLOPT_CAPATH, CURLOPT_PROXY_CAINFO, CURLOPT_PROXY_CAPATH,
        };
        CURLcode c = CURLE_OK;

        for (size_t i = 0; i < ELEMENTSOF(no_files); i++)
                c |= curl_easy_setopt(easy, no_files[i], NULL);
        c |= curl_easy_setopt(easy, CURLOPT_CA_CACHE_TIMEOUT, 0L);
        c |= curl_easy_setopt(easy, CURLOPT_SSL_CTX_FUNCTION, on_ssl_context);
        c |= curl_easy_setopt(easy, CURLOPT_SSL_CTX_DATA, policy);
        c |= curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long) SERVER_VERSIONS);
        c |= curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
        c |= curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, policy->ignore & ENGINE_IGNORE_NAME ? 0L : 2L);
        c |= curl_easy_setopt(easy, CURLOPT_PROXY_SSLVERSION, (long) PROXY_VERSIONS);
        c |= curl_easy_setopt(easy, CURLOPT_PROXY_SSL_VERIFYPEER, 1L);
        c |= curl_easy_setopt(easy, CURLOPT_PROXY_SSL_VERIFYHOST, 2L);
        return c == CURLE_OK ? 0 : -EINVAL;
}

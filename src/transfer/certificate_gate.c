#include "transfer/certificate_gate.h"

#include <openssl/err.h>
#include <openssl/pkcs7.h>
#include <openssl/x509v3.h>
#include <string.h>

#include "protocol/limits.h"

struct certificate_gate {
        unsigned n_references; /* one thread */
        uint8_t accepted[LIMIT_ACCEPTED_CERTIFICATES][32];
        size_t n_accepted;
        char *host;
        bool has_refused;
        struct server_certificate refused;
};

int certificate_gate_new(const uint8_t (*accepted)[32], size_t n_accepted, const char *host, struct certificate_gate **ret) {
        struct certificate_gate *gate = calloc(1, sizeof(*gate));

        if (!gate)
                return -ENOMEM;
        gate->n_references = 1;
        if (host) {
                gate->host = strdup(host);
                if (!gate->host) {
                        free(gate);
                        return -ENOMEM;
                }
        }
        assert(n_accepted <= LIMIT_ACCEPTED_CERTIFICATES);
        gate->n_accepted = n_accepted;
        if (n_accepted > 0)
                memcpy(gate->accepted, accepted, n_accepted * sizeof(*accepted));
        *ret = gate;
        return 0;
}

struct certificate_gate *certificate_gate_unref(struct certificate_gate *gate) {
        if (!gate || --gate->n_references > 0)
                return NULL;
        OPENSSL_free(gate->refused.bytes);
        OPENSSL_free(gate->refused.all);
        free(gate->host);
        free(gate);
        return NULL;
}

static bool is_accepted(const struct certificate_gate *gate, const uint8_t sha256[static 32]) {
        for (size_t i = 0; i < gate->n_accepted; i++)
                if (memcmp(gate->accepted[i], sha256, sizeof(gate->accepted[i])) == 0)
                        return true;
        return false;
}

static size_t encode_chain(const SSL *ssl, X509 *own, unsigned char **ret) {
        STACK_OF(X509) *chain = SSL_get_peer_cert_chain(ssl), *alone = NULL; /* a resumed session may have none */
        PKCS7 *bundle = NULL;
        int n = -1;

        if (!chain)
                chain = alone = sk_X509_new_null();
        if (!alone || sk_X509_push(alone, own) > 0)
                bundle = chain ? PKCS7_sign(NULL, NULL, chain, NULL, PKCS7_DETACHED | PKCS7_PARTIAL) : NULL;
        if (bundle)
                n = i2d_PKCS7(bundle, ret);
        PKCS7_free(bundle);
        sk_X509_free(alone);
        return n > 0 ? (size_t) n : 0;
}

static void refuse(struct certificate_gate *gate, const SSL *ssl, X509 *own, const uint8_t sha256[static 32]) {
        struct server_certificate *refused = &gate->refused;
        int n;

        if (gate->has_refused)
                return;
        gate->has_refused = true;
        memcpy(refused->sha256, sha256, sizeof(refused->sha256));
        n = i2d_X509(own, &refused->bytes);
        refused->n_bytes = n > 0 ? (size_t) n : 0;
        refused->n_all = encode_chain(ssl, own, &refused->all);
        if (refused->n_bytes == 0 || refused->n_all == 0 || refused->n_bytes > LIMIT_SERVER_CERTIFICATE ||
            refused->n_all > LIMIT_SERVER_CERTIFICATES) {
                OPENSSL_free(TAKE_PTR(refused->bytes));
                OPENSSL_free(TAKE_PTR(refused->all));
        }
        ERR_clear_error();
}

static bool judge(struct certificate_gate *gate, const SSL *ssl) {
        X509 *own = SSL_get1_peer_certificate(ssl);
        uint8_t sha256[EVP_MAX_MD_SIZE];
        bool passes = false;

        if (own && X509_digest(own, EVP_sha256(), sha256, NULL) == 1) {
                passes = is_accepted(gate, sha256);
                if (!passes)
                        refuse(gate, ssl, own, sha256);
        }
        X509_free(own);
        return passes;
}

static bool has_name(const struct certificate_gate *gate, const SSL *ssl) {
        X509 *own = SSL_get1_peer_certificate(ssl);
        bool has = own && (X509_check_host(own, gate->host, 0, 0, NULL) == 1 || X509_check_ip_asc(own, gate->host, 0) == 1);

        X509_free(own);
        return has;
}

/* The server wants a certificate of ours. Its name is compared by libcurl only when the handshake is over: with a wrong one it goes on
 * to there without ours, and nobody is asked. */
static int on_certificate_wanted(SSL *ssl, void *userdata) {
        struct certificate_gate *gate = ASSERT_PTR(userdata);

        if (gate->host && !has_name(gate, ssl)) {
                SSL_certs_clear(ssl);
                return 1;
        }
        return judge(gate, ssl);
}

static void on_context_free(void *parent, void *gate, CRYPTO_EX_DATA *data, int index, long argl, void *argp) {
        (void) certificate_gate_unref(gate);
}

static int gate_index(void) {
        static int index = -1;

        if (index < 0)
                index = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, on_context_free);
        return index;
}

int certificate_gate_guard(struct certificate_gate *gate, SSL_CTX *context) {
        if (SSL_CTX_set_ex_data(context, gate_index(), gate) != 1)
                return -ENOMEM;
        gate->n_references++;
        SSL_CTX_set_cert_cb(context, on_certificate_wanted, gate);
        return 0;
}

bool certificate_gate_passes(struct certificate_gate *gate, CURL *easy) {
        struct curl_tlssessioninfo *info = NULL;

        if (curl_easy_getinfo(easy, CURLINFO_TLS_SSL_PTR, &info) != CURLE_OK || !info || info->backend != CURLSSLBACKEND_OPENSSL ||
            !info->internals)
                return false;
        return judge(gate, info->internals);
}

const struct server_certificate *certificate_gate_refused(const struct certificate_gate *gate) {
        return gate && gate->has_refused ? &gate->refused : NULL;
}

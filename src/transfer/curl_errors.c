#include "transfer/curl_errors.h"

#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>

#include "transfer/verdict.h"

enum { FATAL = 0, TRANSIENT = 1 };

static const struct row {
        CURLcode curl;
        enum error_code code;
        enum error_context context;
        bool transient;
} rows[] = {
        { CURLE_COULDNT_RESOLVE_PROXY, ERROR_NAME_NOT_RESOLVED, ERROR_CONTEXT_GENERAL_TRANSPORT, TRANSIENT },
        { CURLE_COULDNT_RESOLVE_HOST, ERROR_NAME_NOT_RESOLVED, ERROR_CONTEXT_GENERAL_TRANSPORT, TRANSIENT },
        { CURLE_COULDNT_CONNECT, ERROR_CONNECT_FAILURE, ERROR_CONTEXT_GENERAL_TRANSPORT, TRANSIENT },
        { CURLE_PROXY, ERROR_CONNECT_FAILURE, ERROR_CONTEXT_GENERAL_TRANSPORT, TRANSIENT },
        { CURLE_INTERFACE_FAILED, ERROR_CONNECT_FAILURE, ERROR_CONTEXT_GENERAL_TRANSPORT, TRANSIENT },
        { CURLE_NO_CONNECTION_AVAILABLE, ERROR_CONNECT_FAILURE, ERROR_CONTEXT_GENERAL_TRANSPORT, TRANSIENT },
        { CURLE_QUIC_CONNECT_ERROR, ERROR_CONNECT_FAILURE, ERROR_CONTEXT_GENERAL_TRANSPORT, TRANSIENT },
        { CURLE_OPERATION_TIMEDOUT, ERROR_TIMED_OUT, ERROR_CONTEXT_GENERAL_TRANSPORT, TRANSIENT },

        { CURLE_PARTIAL_FILE, ERROR_CONNECTION_CLOSED, ERROR_CONTEXT_GENERAL_TRANSPORT, TRANSIENT },
        { CURLE_GOT_NOTHING, ERROR_CONNECTION_CLOSED, ERROR_CONTEXT_GENERAL_TRANSPORT, TRANSIENT },
        { CURLE_SEND_ERROR, ERROR_CONNECTION_CLOSED, ERROR_CONTEXT_GENERAL_TRANSPORT, TRANSIENT },
        { CURLE_SEND_FAIL_REWIND, ERROR_CONNECTION_CLOSED, ERROR_CONTEXT_GENERAL_TRANSPORT, TRANSIENT },
        { CURLE_RECV_ERROR, ERROR_CONNECTION_CLOSED, ERROR_CONTEXT_GENERAL_TRANSPORT, TRANSIENT },
        { CURLE_HTTP2, ERROR_CONNECTION_CLOSED, ERROR_CONTEXT_GENERAL_TRANSPORT, TRANSIENT },
        { CURLE_HTTP2_STREAM, ERROR_CONNECTION_CLOSED, ERROR_CONTEXT_GENERAL_TRANSPORT, TRANSIENT },
        { CURLE_HTTP3, ERROR_CONNECTION_CLOSED, ERROR_CONTEXT_GENERAL_TRANSPORT, TRANSIENT },
        { CURLE_UNRECOVERABLE_POLL, ERROR_CONNECTION_CLOSED, ERROR_CONTEXT_GENERAL_TRANSPORT, TRANSIENT },

        /* The handshake may be cut by whatever stands between; a certificate that is wrong stays wrong (design decision 5). */
        { CURLE_SSL_CONNECT_ERROR, ERROR_TLS_HANDSHAKE, ERROR_CONTEXT_GENERAL_TRANSPORT, TRANSIENT },
        { CURLE_SSL_SHUTDOWN_FAILED, ERROR_CONNECTION_CLOSED, ERROR_CONTEXT_GENERAL_TRANSPORT, TRANSIENT },
        { CURLE_PEER_FAILED_VERIFICATION, ERROR_CERTIFICATE, ERROR_CONTEXT_GENERAL_TRANSPORT, FATAL },
        { CURLE_SSL_PINNEDPUBKEYNOTMATCH, ERROR_CERTIFICATE, ERROR_CONTEXT_GENERAL_TRANSPORT, FATAL },
        { CURLE_SSL_INVALIDCERTSTATUS, ERROR_CERTIFICATE, ERROR_CONTEXT_GENERAL_TRANSPORT, FATAL },
        { CURLE_SSL_ISSUER_ERROR, ERROR_CERTIFICATE, ERROR_CONTEXT_GENERAL_TRANSPORT, FATAL },
        { CURLE_SSL_CACERT_BADFILE, ERROR_TLS_HANDSHAKE, ERROR_CONTEXT_GENERAL_QUEUE_MANAGER, FATAL },
        { CURLE_SSL_CRL_BADFILE, ERROR_TLS_HANDSHAKE, ERROR_CONTEXT_GENERAL_QUEUE_MANAGER, FATAL },
        { CURLE_SSL_CERTPROBLEM, ERROR_TLS_HANDSHAKE, ERROR_CONTEXT_GENERAL_TRANSPORT, FATAL },
        { CURLE_SSL_CLIENTCERT, ERROR_TLS_HANDSHAKE, ERROR_CONTEXT_GENERAL_TRANSPORT, FATAL },
        { CURLE_SSL_CIPHER, ERROR_TLS_HANDSHAKE, ERROR_CONTEXT_GENERAL_TRANSPORT, FATAL },
        { CURLE_SSL_ENGINE_NOTFOUND, ERROR_TLS_HANDSHAKE, ERROR_CONTEXT_GENERAL_QUEUE_MANAGER, FATAL },
        { CURLE_SSL_ENGINE_SETFAILED, ERROR_TLS_HANDSHAKE, ERROR_CONTEXT_GENERAL_QUEUE_MANAGER, FATAL },
        { CURLE_SSL_ENGINE_INITFAILED, ERROR_TLS_HANDSHAKE, ERROR_CONTEXT_GENERAL_QUEUE_MANAGER, FATAL },
        { CURLE_USE_SSL_FAILED, ERROR_TLS_HANDSHAKE, ERROR_CONTEXT_GENERAL_TRANSPORT, FATAL },

        { CURLE_WEIRD_SERVER_REPLY, ERROR_INVALID_RESPONSE, ERROR_CONTEXT_REMOTE_FILE, FATAL },
        /* URLs were judged before: this is "received HTTP/0.9 when not allowed". */
        { CURLE_UNSUPPORTED_PROTOCOL, ERROR_INVALID_RESPONSE, ERROR_CONTEXT_REMOTE_FILE, FATAL },
        /* Our own arguments were judged when they were set: this is a trailer that is no field. */
        { CURLE_BAD_FUNCTION_ARGUMENT, ERROR_INVALID_RESPONSE, ERROR_CONTEXT_REMOTE_FILE, FATAL },
        /* When it is a callback of ours that refuses, whoever asks knows why: this is a Transfer-Encoding with more behind its end. */
        { CURLE_WRITE_ERROR, ERROR_INVALID_RESPONSE, ERROR_CONTEXT_REMOTE_FILE, FATAL },
        { CURLE_BAD_CONTENT_ENCODING, ERROR_INVALID_RESPONSE, ERROR_CONTEXT_REMOTE_FILE, FATAL },
        { CURLE_HTTP_RETURNED_ERROR, ERROR_INVALID_RESPONSE, ERROR_CONTEXT_REMOTE_FILE, FATAL },
        { CURLE_FILESIZE_EXCEEDED, ERROR_TOO_LARGE, ERROR_CONTEXT_REMOTE_FILE, FATAL },
        { CURLE_RANGE_ERROR, ERROR_NO_RANGE_SUPPORT, ERROR_CONTEXT_REMOTE_FILE, FATAL },
        { CURLE_BAD_DOWNLOAD_RESUME, ERROR_NO_RANGE_SUPPORT, ERROR_CONTEXT_REMOTE_FILE, FATAL },
        { CURLE_TOO_MANY_REDIRECTS, ERROR_TOO_MANY_REDIRECTS, ERROR_CONTEXT_REMOTE_FILE, FATAL },
        { CURLE_URL_MALFORMAT, ERROR_INVALID_URL, ERROR_CONTEXT_REMOTE_FILE, FATAL },
        { CURLE_LOGIN_DENIED, ERROR_ACCESS_DENIED, ERROR_CONTEXT_REMOTE_FILE, FATAL },
        { CURLE_REMOTE_ACCESS_DENIED, ERROR_ACCESS_DENIED, ERROR_CONTEXT_REMOTE_FILE, FATAL },
        { CURLE_AUTH_ERROR, ERROR_ACCESS_DENIED, ERROR_CONTEXT_REMOTE_FILE, FATAL },

        { CURLE_OUT_OF_MEMORY, ERROR_OUT_OF_MEMORY, ERROR_CONTEXT_GENERAL_QUEUE_MANAGER, TRANSIENT },
        { CURLE_FAILED_INIT, ERROR_OUT_OF_MEMORY, ERROR_CONTEXT_GENERAL_QUEUE_MANAGER, TRANSIENT },
};

/* What OpenSSL found in a certificate that was to be asked about in a revocation list (X509_V_ERR_). */
static enum error_code judge_certificate(long verify_result) {
        switch (verify_result) {
        case X509_V_ERR_CERT_REVOKED:
                return ERROR_CERTIFICATE_REVOKED;
        case X509_V_ERR_UNABLE_TO_GET_CRL:
        case X509_V_ERR_UNABLE_TO_GET_CRL_ISSUER:
        case X509_V_ERR_UNABLE_TO_DECRYPT_CRL_SIGNATURE:
        case X509_V_ERR_CRL_SIGNATURE_FAILURE:
        case X509_V_ERR_CRL_NOT_YET_VALID:
        case X509_V_ERR_CRL_HAS_EXPIRED:
        case X509_V_ERR_ERROR_IN_CRL_LAST_UPDATE_FIELD:
        case X509_V_ERR_ERROR_IN_CRL_NEXT_UPDATE_FIELD:
        case X509_V_ERR_KEYUSAGE_NO_CRL_SIGN:
        case X509_V_ERR_UNHANDLED_CRITICAL_CRL_EXTENSION:
        case X509_V_ERR_DIFFERENT_CRL_SCOPE:
        case X509_V_ERR_CRL_PATH_VALIDATION_ERROR:
                return ERROR_REVOCATION_UNKNOWN;
        default:
                return ERROR_CERTIFICATE;
        }
}

/* Trouble of our own machine, not of the network: it ends by itself or is mended here. */
static bool judge_errno(int error, struct transport_error *ret) {
        switch (error) {
        case EMFILE:
        case ENFILE:
                ret->code = ERROR_TOO_MANY_OPEN_FILES;
                break;
        case ENOMEM:
        case ENOBUFS:
                ret->code = ERROR_OUT_OF_MEMORY;
                break;
        default:
                return false;
        }
        ret->context = ERROR_CONTEXT_GENERAL_QUEUE_MANAGER;
        ret->transient = true;
        ret->detail = (uint32_t) error;
        return true;
}

static struct transport_error judge_proxy(unsigned status) {
        struct verdict v = verdict_status(status, 0);

        return (struct transport_error) {
                .code = v.code,
                .context = ERROR_CONTEXT_GENERAL_TRANSPORT,
                .transient = v.transient,
                .detail = v.detail,
        };
}

/* TLS 1.3 has an alert for it. Before, RFC 5246 section 7.4.6 has servers say handshake_failure; some (Go, Java) take an empty list for a bad one. */
static bool certificate_is_missed(const struct transport_facts *facts) {
        return facts->alert == TLS13_AD_CERTIFICATE_REQUIRED ||
               (facts->certificate_wanted &&
                (facts->alert == SSL3_AD_HANDSHAKE_FAILURE || facts->alert == SSL3_AD_BAD_CERTIFICATE));
}

struct transport_error transport_error_judge(const struct transport_facts *facts) {
        struct transport_error ret = {
                .code = ERROR_UNEXPECTED,
                .context = ERROR_CONTEXT_GENERAL_QUEUE_MANAGER,
                .detail = (uint32_t) facts->code,
        };

        if (facts->code == CURLE_OK)
                return (struct transport_error) { .context = ERROR_CONTEXT_NONE };
        if (certificate_is_missed(facts)) {
                ret.code = ERROR_CLIENT_CERTIFICATE_REQUIRED;
                ret.context = ERROR_CONTEXT_GENERAL_TRANSPORT;
                return ret;
        }
        if (facts->connect_status >= 300 && facts->connect_status <= 999 &&
            (facts->code == CURLE_RECV_ERROR || facts->code == CURLE_COULDNT_CONNECT || facts->code == CURLE_PROXY))
                return judge_proxy((unsigned) facts->connect_status);
        if (facts->code == CURLE_COULDNT_CONNECT && judge_errno((int) facts->os_errno, &ret))
                return ret;

        /* What libcurl 7.88 says of a header line over its own 100 KiB, before anybody else sees a byte of it. */
        if (facts->code == CURLE_OUT_OF_MEMORY && facts->in_head && facts->memory_left) {
                ret.code = ERROR_INVALID_RESPONSE;
                ret.context = ERROR_CONTEXT_REMOTE_FILE;
                return ret;
        }

        for (size_t i = 0; i < ELEMENTSOF(rows); i++)
                if (rows[i].curl == facts->code) {
                        ret.code = rows[i].code;
                        ret.context = rows[i].context;
                        ret.transient = rows[i].transient;
                }
        /* libcurl starts with 1 (unspecified) in the verify result: only more than that was said by OpenSSL. */
        if (facts->code == CURLE_SSL_CONNECT_ERROR && facts->ssl_verify_result > 1) {
                ret.code = ERROR_CERTIFICATE;
                ret.transient = false;
        }
        if (ret.code == ERROR_CERTIFICATE && facts->ssl_verify_result > 0) {
                ret.code = judge_certificate(facts->ssl_verify_result);
                ret.detail = (uint32_t) facts->ssl_verify_result;
        }
        if (facts->code == CURLE_COULDNT_CONNECT && facts->os_errno > 0)
                ret.detail = (uint32_t) facts->os_errno;
        return ret;
}

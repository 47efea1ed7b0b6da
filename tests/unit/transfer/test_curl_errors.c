#include "transfer/curl_errors.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void each_cause_gets_its_code_and_its_chance(void **state) {
        static const struct {
                struct transport_facts facts;
                struct transport_error error;
        } rows[] = {
                { { .code = CURLE_COULDNT_RESOLVE_HOST },
                  { ERROR_NAME_NOT_RESOLVED, ERROR_CONTEXT_GENERAL_TRANSPORT, true, CURLE_COULDNT_RESOLVE_HOST } },
                { { .code = CURLE_COULDNT_CONNECT, .os_errno = ECONNREFUSED },
                  { ERROR_CONNECT_FAILURE, ERROR_CONTEXT_GENERAL_TRANSPORT, true, ECONNREFUSED } },
                { { .code = CURLE_COULDNT_CONNECT },
                  { ERROR_CONNECT_FAILURE, ERROR_CONTEXT_GENERAL_TRANSPORT, true, CURLE_COULDNT_CONNECT } },
                { { .code = CURLE_COULDNT_CONNECT, .os_errno = EMFILE },
                  { ERROR_TOO_MANY_OPEN_FILES, ERROR_CONTEXT_GENERAL_QUEUE_MANAGER, true, EMFILE } },
                { { .code = CURLE_COULDNT_CONNECT, .os_errno = ENOBUFS },
                  { ERROR_OUT_OF_MEMORY, ERROR_CONTEXT_GENERAL_QUEUE_MANAGER, true, ENOBUFS } },
                { { .code = CURLE_OPERATION_TIMEDOUT },
                  { ERROR_TIMED_OUT, ERROR_CONTEXT_GENERAL_TRANSPORT, true, CURLE_OPERATION_TIMEDOUT } },
                { { .code = CURLE_PARTIAL_FILE },
                  { ERROR_CONNECTION_CLOSED, ERROR_CONTEXT_GENERAL_TRANSPORT, true, CURLE_PARTIAL_FILE } },
                { { .code = CURLE_RECV_ERROR, .connect_status = 200 },
                  { ERROR_CONNECTION_CLOSED, ERROR_CONTEXT_GENERAL_TRANSPORT, true, CURLE_RECV_ERROR } },
                { { .code = CURLE_RECV_ERROR, .connect_status = 407 },
                  { ERROR_HTTP_STATUS, ERROR_CONTEXT_GENERAL_TRANSPORT, false, 407 } },
                { { .code = CURLE_RECV_ERROR, .connect_status = 503 },
                  { ERROR_HTTP_STATUS, ERROR_CONTEXT_GENERAL_TRANSPORT, true, 503 } },
                { { .code = CURLE_GOT_NOTHING },
                  { ERROR_CONNECTION_CLOSED, ERROR_CONTEXT_GENERAL_TRANSPORT, true, CURLE_GOT_NOTHING } },
                /* a server that misses our certificate: 116 certificate_required, 40 handshake_failure, 42 bad_certificate */
                { { .code = CURLE_RECV_ERROR, .alert = 116 },
                  { ERROR_CLIENT_CERTIFICATE_REQUIRED, ERROR_CONTEXT_GENERAL_TRANSPORT, false, CURLE_RECV_ERROR } },
                { { .code = CURLE_SSL_CONNECT_ERROR, .certificate_wanted = true, .alert = 40 },
                  { ERROR_CLIENT_CERTIFICATE_REQUIRED, ERROR_CONTEXT_GENERAL_TRANSPORT, false, CURLE_SSL_CONNECT_ERROR } },
                { { .code = CURLE_SSL_CONNECT_ERROR, .certificate_wanted = true, .alert = 42 },
                  { ERROR_CLIENT_CERTIFICATE_REQUIRED, ERROR_CONTEXT_GENERAL_TRANSPORT, false, CURLE_SSL_CONNECT_ERROR } },
                /* no cipher in common; one that asked, and then broke off for another reason, or without a word */
                { { .code = CURLE_SSL_CONNECT_ERROR, .alert = 40 },
                  { ERROR_TLS_HANDSHAKE, ERROR_CONTEXT_GENERAL_TRANSPORT, true, CURLE_SSL_CONNECT_ERROR } },
                { { .code = CURLE_SSL_CONNECT_ERROR, .certificate_wanted = true, .alert = 80 },
                  { ERROR_TLS_HANDSHAKE, ERROR_CONTEXT_GENERAL_TRANSPORT, true, CURLE_SSL_CONNECT_ERROR } },
                { { .code = CURLE_SSL_CONNECT_ERROR, .certificate_wanted = true },
                  { ERROR_TLS_HANDSHAKE, ERROR_CONTEXT_GENERAL_TRANSPORT, true, CURLE_SSL_CONNECT_ERROR } },
                { { .code = CURLE_HTTP2_STREAM },
                  { ERROR_CONNECTION_CLOSED, ERROR_CONTEXT_GENERAL_TRANSPORT, true, CURLE_HTTP2_STREAM } },
                /* libcurl leaves 1 in the verify result when the handshake was cut before any certificate came */
                { { .code = CURLE_SSL_CONNECT_ERROR, .ssl_verify_result = 1 },
                  { ERROR_TLS_HANDSHAKE, ERROR_CONTEXT_GENERAL_TRANSPORT, true, CURLE_SSL_CONNECT_ERROR } },
                { { .code = CURLE_SSL_CONNECT_ERROR, .ssl_verify_result = 10 },
                  { ERROR_CERTIFICATE, ERROR_CONTEXT_GENERAL_TRANSPORT, false, 10 } },
                { { .code = CURLE_PEER_FAILED_VERIFICATION, .ssl_verify_result = 18 },
                  { ERROR_CERTIFICATE, ERROR_CONTEXT_GENERAL_TRANSPORT, false, 18 } },
                { { .code = CURLE_PEER_FAILED_VERIFICATION, .ssl_verify_result = 23 },
                  { ERROR_CERTIFICATE_REVOKED, ERROR_CONTEXT_GENERAL_TRANSPORT, false, 23 } },
                { { .code = CURLE_PEER_FAILED_VERIFICATION, .ssl_verify_result = 3 },
                  { ERROR_REVOCATION_UNKNOWN, ERROR_CONTEXT_GENERAL_TRANSPORT, false, 3 } },
                { { .code = CURLE_PEER_FAILED_VERIFICATION, .ssl_verify_result = 12 },
                  { ERROR_REVOCATION_UNKNOWN, ERROR_CONTEXT_GENERAL_TRANSPORT, false, 12 } },
                { { .code = CURLE_PEER_FAILED_VERIFICATION },
                  { ERROR_CERTIFICATE, ERROR_CONTEXT_GENERAL_TRANSPORT, false, CURLE_PEER_FAILED_VERIFICATION } },
                { { .code = CURLE_WEIRD_SERVER_REPLY },
                  { ERROR_INVALID_RESPONSE, ERROR_CONTEXT_REMOTE_FILE, false, CURLE_WEIRD_SERVER_REPLY } },
                { { .code = CURLE_UNSUPPORTED_PROTOCOL },
                  { ERROR_INVALID_RESPONSE, ERROR_CONTEXT_REMOTE_FILE, false, CURLE_UNSUPPORTED_PROTOCOL } },
                /* a body that cannot be decoded; the errno is of one of the server's other addresses */
                { { .code = CURLE_WRITE_ERROR, .os_errno = ECONNREFUSED },
                  { ERROR_INVALID_RESPONSE, ERROR_CONTEXT_REMOTE_FILE, false, CURLE_WRITE_ERROR } },
                { { .code = CURLE_BAD_FUNCTION_ARGUMENT },
                  { ERROR_INVALID_RESPONSE, ERROR_CONTEXT_REMOTE_FILE, false, CURLE_BAD_FUNCTION_ARGUMENT } },
                /* a header line that is longer than libcurl takes, or truly no memory */
                { { .code = CURLE_OUT_OF_MEMORY, .in_head = true, .memory_left = true },
                  { ERROR_INVALID_RESPONSE, ERROR_CONTEXT_REMOTE_FILE, false, CURLE_OUT_OF_MEMORY } },
                { { .code = CURLE_OUT_OF_MEMORY, .in_head = true },
                  { ERROR_OUT_OF_MEMORY, ERROR_CONTEXT_GENERAL_QUEUE_MANAGER, true, CURLE_OUT_OF_MEMORY } },
                { { .code = CURLE_OUT_OF_MEMORY, .memory_left = true },
                  { ERROR_OUT_OF_MEMORY, ERROR_CONTEXT_GENERAL_QUEUE_MANAGER, true, CURLE_OUT_OF_MEMORY } },
                { { .code = CURLE_OUT_OF_MEMORY },
                  { ERROR_OUT_OF_MEMORY, ERROR_CONTEXT_GENERAL_QUEUE_MANAGER, true, CURLE_OUT_OF_MEMORY } },
                { { .code = CURLE_UNKNOWN_OPTION },
                  { ERROR_UNEXPECTED, ERROR_CONTEXT_GENERAL_QUEUE_MANAGER, false, CURLE_UNKNOWN_OPTION } },
                { { .code = CURLE_OK }, { ERROR_NONE, ERROR_CONTEXT_NONE, false, 0 } },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                struct transport_error error = transport_error_judge(&rows[i].facts);

                if (error.code != rows[i].error.code)
                        fail_msg("row %zu: %s", i, error_code_name(error.code));
                assert_int_equal(error.context, rows[i].error.context);
                assert_int_equal(error.transient, rows[i].error.transient);
                assert_int_equal(error.detail, rows[i].error.detail);
        }
}

static void every_code_of_libcurl_becomes_an_error_with_a_context(void **state) {
        for (int code = 1; code < CURL_LAST; code++) {
                struct transport_facts facts = { .code = (CURLcode) code };
                struct transport_error error = transport_error_judge(&facts);

                assert_in_range(error.code, 1, _ERROR_CODE_MAX - 1);
                assert_int_not_equal(error.context, ERROR_CONTEXT_NONE);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(each_cause_gets_its_code_and_its_chance),
                cmocka_unit_test(every_code_of_libcurl_becomes_an_error_with_a_context),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

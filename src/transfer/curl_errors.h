/* CURLcode → our error, context, and whether another try may help (design decision 5). The only table of CURLE_* in the tree.
 * Own aborts (stop, a verdict's end, address policy, a local file that cannot be written) are known to the caller and are not to be sent
 * through it; a time-out of ours is CURLE_OPERATION_TIMEDOUT. */
#pragma once

#include <curl/curl.h>

#include "base/macros.h"
#include "protocol/errors.h"

struct transport_facts {
        CURLcode code;
        long ssl_verify_result; /* what we saw OpenSSL find, in the server's certificate or a proxy's, else CURLINFO_SSL_VERIFYRESULT */
        long os_errno;          /* CURLINFO_OS_ERRNO, of a connection that failed */
        long connect_status;    /* CURLINFO_HTTP_CONNECTCODE: a proxy's answer to CONNECT, 0 if there was none */
        bool in_head;           /* it happened before the headers were complete */
        bool memory_left;       /* as much as headers may take could be had */
        bool certificate_wanted; /* the server asked for one of ours, and there was none */
        uint8_t alert;           /* of TLS, the last one that came; 0: none */
};

struct transport_error {
        enum error_code code;
        enum error_context context;
        bool transient;
        uint32_t detail; /* X509 verify result, HTTP status of a proxy, errno, else the CURLcode */
};

struct transport_error transport_error_judge(const struct transport_facts *facts);

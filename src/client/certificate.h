/* The client certificate of a job as the published interfaces name it, and as the service does (protocol/certificates.h). */
#pragma once

#include "client/com.h"
#include "protocol/certificates.h"

/* By @hash (20 bytes), or if that is NULL by @subject. E_INVALIDARG: what no certificate is called. */
HRESULT certificate_from_com(BG_CERT_STORE_LOCATION location, LPCWSTR store, const BYTE *hash, LPCWSTR subject,
                             char ret[static CERTIFICATE_TEXT_MAX + 1]);
/* What a program has of a certificate (DER, PEM, or a serialized CERT_CONTEXT) as the name of that certificate in the owner's store MY.
 * E_INVALIDARG: none of these. */
HRESULT certificate_from_bytes(const void *bytes, size_t size, char ret[static CERTIFICATE_TEXT_MAX + 1]);

/* Holds a request back until somebody accepted the certificate of the server that it is for (engine.h, judge_certificate).
 *
 * 1. certificate_gate_new() for each exchange, with what was accepted so far.
 * 2. certificate_gate_guard() in the TLS context of a new connection to it, not to a proxy: no client certificate is shown to a server that is not accepted.
 * 3. certificate_gate_passes() when a connection is there, new or from the pool, TLS and the name's check are done, and nothing was
 *    sent. false: give up; certificate_gate_refused() has what was shown.
 * Decides nothing itself. */
#pragma once

#include <curl/curl.h>
#include <openssl/ssl.h>

#include "base/macros.h"

struct certificate_gate;

struct server_certificate {
        uint8_t sha256[32]; /* of the server's own */
        unsigned char *bytes; /* DER */
        size_t n_bytes;
        unsigned char *all; /* PKCS #7 with all that it sent; NULL, as is @bytes: there is no memory, or they are too large */
        size_t n_all;
};

/* @accepted: SHA-256 of each. @host: whose certificate it has to be before anybody is asked about it, NULL: anybody's. 0 or -ENOMEM. */
int certificate_gate_new(const uint8_t (*accepted)[32], size_t n_accepted, const char *host, struct certificate_gate **ret);
struct certificate_gate *certificate_gate_unref(struct certificate_gate *gate);
/* The context keeps the gate. 0 or -ENOMEM. */
int certificate_gate_guard(struct certificate_gate *gate, SSL_CTX *context);
bool certificate_gate_passes(struct certificate_gate *gate, CURL *easy);
/* NULL: none was. */
const struct server_certificate *certificate_gate_refused(const struct certificate_gate *gate);

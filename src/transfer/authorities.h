/* The certificates that TLS trusts, parsed once and shared by every connection: 1 ms instead of 23 ms for each new one
 * (docs/benchmarks.md), and no file is needed once the sandbox is up. */
#pragma once

#include <curl/curl.h>

#include "base/macros.h"

struct authorities;

/* The system's bundle, or NULL if there is none where distributions put it. */
const char *authorities_system_file(void);
/* @file: PEM. 0, or -errno, -EBADMSG if no certificate is in it. */
int authorities_new(const char *file, struct authorities **ret);
/* @file: revocation lists, PEM; who is not asked to check_revocation does not look at them. How many there are, or -errno, -EBADMSG if none
 * is in it. */
int authorities_add_revocations(struct authorities *authorities, const char *file);
struct authorities *authorities_free(struct authorities *authorities);
size_t authorities_count(const struct authorities *authorities);
/* Which alerts came on the connection whose SSL object this was (CURLINFO_TLS_SSL_PTR, taken while it lived)?
 *
 * libcurl 7.88 with OpenSSL 3 takes a TLS connection that simply breaks off for an orderly end: its BIO never reports the end of
 * the stream to OpenSSL. And a server of TLS 1.3 says that it wants a certificate only after the handshake, when libcurl hears nothing
 * but a read that failed. So alerts are listened to here. tls_watch_start() before anything is read. */
struct tls_watch {
        struct tls_watch *prev, *next; /* private */
        const void *ssl;               /* identity only */
        bool close_notify;
        bool certificate_required; /* of ours, and there was none */
};
void tls_watch_start(struct tls_watch *watch, CURL *easy);
void tls_watch_stop(struct tls_watch *watch);

/* Whom a connection trusts, and which checks of the certificate it leaves out (ENGINE_IGNORE_ of engine.h). */
struct certificate_gate;
struct tls_policy {
        struct authorities *authorities; /* NULL: nobody is trusted */
        uint32_t ignore;
        bool check_revocation; /* of the server's own certificate; without a valid list of its authority it fails */
        struct certificate_gate *gate; /* NULL: nobody else judges */
};
/* @policy must outlive the exchange. Verification of peer and host with these authorities and no others, TLS 1.2 at least. */
int authorities_apply(const struct tls_policy *policy, CURL *easy);

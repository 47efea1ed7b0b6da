/* The certificates that TLS trusts, parsed once and shared by every connection: 1 ms instead of 23 ms for each new one
 * (docs/benchmarks.md), and no file is needed once the sandbox is up. */
#pragma once

#include <curl/curl.h>

#include "base/macros.h"

struct authorities;

/* The system's bundle, or NULL if there is none where distributions put it. */
const char *authorities_system_file(void);
/* @fd: a file, PEM; stays the caller's. 0, or -EBADMSG if no certificate is in it. */
int authorities_new(int fd, struct authorities **ret);
/* @fd: a file with revocation lists, PEM; who is not asked to check_revocation does not look at them. How many there are, or -EBADMSG if
 * none is in it. */
int authorities_add_revocations(struct authorities *authorities, int fd);
struct authorities *authorities_free(struct authorities *authorities);
size_t authorities_count(const struct authorities *authorities);
/* Which alerts came on an exchange's connection, and why was a certificate refused on it?
 *
 * libcurl 7.88 with OpenSSL 3 takes a TLS connection that simply breaks off for an orderly end: its BIO never reports the end of
 * the stream to OpenSSL. And a server that misses our certificate is heard by libcurl as a read that failed (TLS 1.3, after the
 * handshake) or as a handshake that did (TLS 1.2). So alerts are listened to here: of a new connection from its first byte on, by
 * tls_policy.watch; of whatever connection was taken in the end, old or new, after tls_watch_start(), which comes before anything is read.
 *
 * And what is wrong with a certificate, libcurl forgets behind an https proxy: the alert that says so goes out through the proxy's TLS, which
 * clears OpenSSL's errors. What is wrong with a proxy's own it keeps elsewhere. */
struct tls_watch {
        struct tls_watch *prev, *next; /* private */
        const void *context, *ssl;     /* identities only: of the connection that is made, of the one that is used */
        bool close_notify;
        bool certificate_wanted; /* the server asked for one of ours, and there was none */
        uint8_t alert;           /* RFC 8446 section 6.2, the last one that was no close_notify; 0: none */
        int refused_for;         /* X509_V_ERR_: why the certificate, of the server or of a proxy, was refused; 0: it was not */
};
void tls_watch_start(struct tls_watch *watch, CURL *easy);
void tls_watch_stop(struct tls_watch *watch);

/* Whom a connection trusts, and which checks of the server's certificate it leaves out (ENGINE_IGNORE_ of engine.h). An https proxy on the way
 * has to pass all of them, nobody else judges its certificate, and its revocation is not asked about. */
struct certificate_gate;
struct tls_policy {
        struct authorities *authorities; /* NULL: nobody is trusted */
        uint32_t ignore;
        bool check_revocation; /* of the server's own certificate; without a valid list of its authority it fails */
        struct certificate_gate *gate; /* NULL: nobody else judges */
        struct tls_watch *watch;
        bool has_certificate;          /* of ours; the gate may keep it back */
};
/* @policy must outlive the exchange. Verification of peer and host with these authorities and no others, TLS 1.2 at least. */
int authorities_apply(const struct tls_policy *policy, CURL *easy);

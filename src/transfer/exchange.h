/* One HTTP exchange: a GET, or another method without a body, by libcurl, without its redirects, its resolver, its proxy environment or its idea of what a response
 * means. It collects the headers, has them judged before the first byte of the body, and hands over body bytes up to the limit of
 * the verdict. Decides nothing itself.
 *
 * 1. exchange_prepare() a handle, owner_add() it. callbacks.judge() comes when the headers are complete.
 * 2. When libcurl is done with it: look at the struct. exchange_done() frees what was allocated for it. */
#pragma once

#include <curl/curl.h>

#include "base/address.h"
#include "ipc/message.h"
#include "transfer/authorities.h"
#include "transfer/bucket.h"
#include "transfer/certificate_gate.h"
#include "transfer/proxy.h"
#include "transfer/sockets.h"
#include "transfer/verdict.h"

struct exchange_callbacks {
        void (*connected)(void *userdata);
        /* @address is known, the facts are complete. */
        struct verdict (*judge)(void *userdata);
        /* 0 or -errno, which ends the exchange. */
        int (*body)(void *userdata, const char *bytes, size_t size);
        /* For a time nothing was read, so that others have the line: that nothing came says nothing. */
        void (*rested)(void *userdata);
        /* A pause for its pace is over. False: the exchange was ended meanwhile. */
        bool (*goes_on)(void *userdata);
        /* After a pause: it ended, while its handle is in its multi handle. From the loop. */
        void (*broken)(void *userdata, CURLcode code);
};

struct exchange_spec {
        const char *url;
        CURLU *parsed;              /* the same; must outlive the exchange */
        bool https;
        const struct proxy_choice *proxy;
        const char *method;         /* NULL: GET */
        const char *custom_headers; /* CRLF between; NULL for none or when the origin is another one */
        const char *auth_headers;   /* as engine.h; said to whom these two name, NULL for none */
        bool answers_server, answers_proxy;
        const char *client_certificate; /* PEM, with client_key; NULL as above. Both must outlive the exchange */
        const char *client_key;
        const char *credentials; /* "user:password"; NULL as above */
        uint32_t credentials_schemes;
        const char *proxy_credentials;
        uint32_t proxy_schemes;
        uint32_t ignore_certificate;
        bool check_revocation;
        bool judge_certificate;     /* as engine.h */
        const uint8_t (*accepted)[32];
        size_t n_accepted;
        const char *host;           /* of the URL */
        const struct verdict_ask *ask;
        struct curl_slist *resolve; /* "host:port:addresses" for every name that libcurl will look for; consumed */
        bool only_public;           /* the connection must end at a public address */
        bool fresh;                 /* not on a connection that is there already */
        bool alone;                 /* on one of its own, now and later */
        bool is_large;
        struct ipc_pace pace;       /* background exchanges take what nobody else wants of the line (sockets.h) */
        struct sd_event *event;     /* for the pauses that a rate needs */
        struct sockets *sockets;
        struct socket_group *group; /* its connection counts there */
        struct authorities *authorities;
        uint64_t connect_timeout_usec;
};

struct exchange {
        CURL *easy;
        const struct exchange_callbacks *callbacks;
        void *userdata;

        struct verdict verdict;
        bool judged;
        uint64_t n_body;      /* bytes handed over */
        uint64_t n_fetched;   /* body bytes that came, kept or not */
        bool too_long;        /* the body went on after verdict.body_limit */
        bool began_anew;      /* libcurl asked again by itself, after the answer was judged: what comes is not of that answer */
        bool address_refused;
        int header_error;     /* of response_facts_add_header() */
        int body_error;       /* of callbacks.body() */
        CURLcode broken;      /* what it ended with when it was to go on after a pause */
        char address[ADDRESS_TEXT_MAX];

        /* private */
        struct sockets *sockets;
        struct socket_use use;
        struct ipc_pace pace;
        struct bucket bucket;
        struct sd_event *event;
        struct sd_event_source *pause; /* while it is on, nothing is read */
        bool held;               /* nor now, until somebody says so */
        bool only_public;
        bool alone;
        bool https;
        bool server_may_ask;     /* with a challenge (401), and the proxy (407): libcurl answers the first of each by itself */
        bool proxy_may_ask;
        bool challenged;         /* the facts are of that answer, and nobody judged them */
        struct tls_policy tls; /* the gate is the exchange's own */
        struct tls_watch tls_watch;
        uint64_t drain_left;
        struct curl_slist *headers, *proxy_headers, *resolve;
        char error[CURL_ERROR_SIZE];

        /* Public, and so large that it is not cleared with the others. */
        struct response_facts facts;
};

/* @exchange->easy is set by the caller: a handle from owner_take_easy(). Every option that is ever set is set each time. 0, -ENOMEM, -EINVAL. */
int exchange_prepare(struct exchange *exchange, const struct exchange_spec *spec, const struct exchange_callbacks *callbacks,
                     void *userdata);
/* libcurl found no way to answer the challenge: it is the final answer. Calls callbacks.judge(). */
void exchange_judge_challenge(struct exchange *exchange);
/* Is there something among these lines to say to a server that asks who is there, or to a proxy? */
bool exchange_can_answer(const char *auth_headers, bool proxy);
/* From within callbacks.body(): what came is taken, and no more until exchange_go_on(). */
void exchange_hold(struct exchange *exchange);
void exchange_go_on(struct exchange *exchange);
static inline bool exchange_is_held(const struct exchange *exchange) {
        return exchange->held;
}
/* For that or for its pace nothing is read now. */
bool exchange_is_resting(const struct exchange *exchange);
/* It was given up since nothing came: nor may its connection be of use to anybody (sockets.h). */
void exchange_cut_if_silent(const struct exchange *exchange, uint64_t usec);
/* Bytes per second that we let it have; 0: nobody knows. @since_usec: as in sockets.h. */
uint64_t exchange_allowed_rate(const struct exchange *exchange, uint64_t since_usec);
/* At any time. */
void exchange_set_pace(struct exchange *exchange, const struct ipc_pace *pace);
/* After the handle left its multi handle: neither its connection nor its pace is its concern any more. */
void exchange_ended(struct exchange *exchange);
/* After that, or before it was in one. The facts stay. */
void exchange_done(struct exchange *exchange);
/* As new memory would be, for the next request; the facts are begun anew with it. */
void exchange_clear(struct exchange *exchange);
/* The body of a WRITE came to its end in order: @code says so, and for a body that only the end of a TLS connection ends, the
 * peer's close_notify, too (design decision 8). */
bool exchange_ended_in_order(const struct exchange *exchange, CURLcode code);
/* The server's certificate, if the exchange ended because nobody accepted it yet; else NULL. */
static inline const struct server_certificate *exchange_refused_certificate(const struct exchange *exchange) {
        return certificate_gate_refused(exchange->tls.gate);
}
/* What libcurl says went wrong. */
const char *exchange_error_text(const struct exchange *exchange, CURLcode code);

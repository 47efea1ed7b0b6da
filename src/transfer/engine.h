/* Moves bytes for a request; has never heard of a job. The contract between the manager and whatever fetches: today the
 * dosvc-transfer process (engine_process.c), in tests a fake, later a peer engine.
 *
 * 1. engine_start() takes a request: a URL, pieces of the remote file, where each goes in the descriptor, what is known of the
 *    representation. Everything is copied but the descriptor, which is borrowed: it stays open until finished(), engine_abandon(),
 *    or the engine is freed.
 *    A copy of it would have to be closed, and on some file systems each close(2) waits for whoever serves them.
 * 2. Events come on the loop, for each request in this order: offers() at any time; at most one metadata() before the first progress(); any
 *    number of progress() and replaced(); at most one metadata() of an answer that was refused; at most one certificate(); exactly one
 *    finished(). After finished() nothing of the engine's touches the descriptor, or has one of its own.
 * 3. engine_stop() asks for an early end: finished() still comes (outcome STOPPED unless it ended by itself meanwhile), after all
 *    progress() for bytes that were written.
 * 4. No byte is written before the response was judged (src/transfer/verdict.h): a response that does not fit what is known ends
 *    the request with outcome RESTART and an untouched descriptor.
 *
 * The receiver believes nothing of it without checking: sizes and digests are judged on the descriptor by the owner role. */
#pragma once

#include "base/clock.h"
#include "protocol/errors.h"
#include "protocol/limits.h"

#define ENGINE_SIZE_UNKNOWN UINT64_MAX
#define ENGINE_TO_EOF UINT64_MAX
#define ENGINE_PIECES_MAX 500 /* pieces of one request */

#define ENGINE_RATE_UNLIMITED UINT64_MAX

/* May change while the request runs. */
struct engine_pace {
        bool foreground;   /* somebody waits for it; else it takes only what nobody else wants of the line */
        uint64_t max_rate; /* bytes per second, at least 1, or ENGINE_RATE_UNLIMITED */
        uint64_t hold_at;  /* local position: once it is reached no more is read until it moves on, give or take one buffer; 0: nowhere */
        uint64_t end_at;   /* local position: nothing behind it is wanted any more, and the request is DONE there; only ever comes nearer, 0: nowhere */
};

struct engine_piece {
        uint64_t remote_offset;
        uint64_t length; /* or ENGINE_TO_EOF (last piece only) */
        uint64_t local_offset;
};

#define ENGINE_AUTH_BASIC 1u
#define ENGINE_AUTH_DIGEST 2u

/* Values as published (BITS: BG_SSL_IGNORE_…). */
#define ENGINE_IGNORE_NAME 0x2u
#define ENGINE_IGNORE_DATE 0x4u
#define ENGINE_IGNORE_AUTHORITY 0x8u
#define ENGINE_IGNORE_USAGE 0x10u
#define ENGINE_IGNORE_ALL 0x1eu

struct engine_request {
        uint64_t id;      /* chosen by the caller, never reused while it lives */
        uint64_t owner;   /* connections, cookies and credentials are never shared between owners */
        struct engine_pace pace;
        int fd;           /* written with pwrite at absolute offsets */
        const char *url;
        const struct engine_piece *pieces;
        size_t n_pieces;  /* at least 1 */
        bool whole_file;  /* the pieces, with what is there already, make the whole remote file: a server without ranges is fine
                             when the only piece starts at 0; else RESTART. false: ranges were asked for and are needed */
        bool digest_decides;    /* a digest or piece hash will be checked: resume without validators is allowed */
        uint64_t remote_size;   /* known total of the remote file, or ENGINE_SIZE_UNKNOWN */
        uint64_t stated_size;   /* said by the client or a piece hash file: another total is an error (SIZE_MISMATCH) */
        uint64_t max_bytes;     /* cap for the remote file, ENGINE_SIZE_UNKNOWN for none */
        /* of the representation whose bytes are there already; NULL: unknown. Needed whenever a piece does not start a file anew */
        const char *etag;
        const char *last_modified;
        const char *encoding;
        const char *origin;
        bool from_public;       /* the URL was named by a server with a public address: it must be at one, too (design decision 21) */
        bool allow_insecure_redirect;
        bool disallow_redirects; /* one is an error with its HTTP status */
        /* NULL: GET. Another one is for a whole file of which nothing is there; after a redirect it is GET where RFC 9110 section 15.4 and
         * browsers say so */
        const char *method;
        const char *headers;    /* custom request headers, CRLF between, NULL for none; dropped across origins */
        /* The same, but sent only once who is to hear them has asked who is there: Proxy-Authorization to a proxy that answered 407, all
         * others to the server that answered 401. They stand in for the headers of the same name. */
        const char *auth_headers;
        /* PEM, for TLS with the URL's own origin only; the certificate, those between it and its authority behind it. NULL: none */
        const char *client_certificate;
        const char *client_key;
        /* "user:password", or NULL; for the URL's own origin only, or for the proxy. schemes: ENGINE_AUTH_ */
        const char *credentials;
        uint32_t credentials_schemes;
        const char *proxy_credentials;
        uint32_t proxy_schemes;
        bool check_revocation;       /* ask the revocation lists for the server's own certificate, not a proxy's; to have none is an error */
        uint32_t ignore_certificate; /* ENGINE_IGNORE_: each leaves out one check of the server's certificate, no other, and none of a proxy's */
        /* Nothing is sent over https before somebody accepted the server's own certificate. With one that is none of these the request ends:
         * certificate(), then finished() with CERTIFICATE_NOT_JUDGED. Ask again when it was accepted */
        bool judge_certificate;
        const uint8_t (*accepted)[32]; /* SHA-256 of each */
        size_t n_accepted;             /* at most LIMIT_ACCEPTED_CERTIFICATES */
        const char *const *proxy_environment; /* "http_proxy=…", NULL-terminated, or NULL: none (design decision 21) */
        uint64_t connect_timeout_usec;
        uint64_t stall_timeout_usec;
        /* Over https, not as a stream of a connection that others have, too: what is to be faster beside others must not share theirs. */
        bool own_connection;
        /* What brings less than this many bytes per second for as long as that, of what the pace allows, has stalled, too; 0: none. So
         * has what fell far below its own rate. */
        uint64_t floor_rate;
        /* Also where others take the line, and a background transfer could not have more: only its max_rate excuses what is slow. */
        bool firm_floor;
        /* A stalled connection is replaced by a new one, which goes on where it stopped, if the server can do that; else it ends the
         * request, as it does after a few of them. */
        bool replace_stalled;
};

struct engine_metadata {
        uint32_t http_status;
        uint64_t remote_size;        /* ENGINE_SIZE_UNKNOWN: no length was stated */
        const char *etag;            /* strong only, or NULL */
        const char *last_modified;   /* only if usable for If-Range (RFC 9110 8.8.2.2), or NULL */
        const char *encoding;
        const char *origin;          /* scheme://host:port/path that answered */
        const char *redirected_url;  /* that answered, NULL: the one that was asked */
        uint64_t remote_time_usec;   /* Last-Modified whether strong or not, 0: none */
        const char *address;         /* of the server, printable */
        const char *headers;         /* of the answer, to be shown: lines with CR LF, UTF-8 */
        bool refused;                /* the answer ended the request: only status, headers, redirected_url and address count */
};

struct engine_certificate {
        uint8_t sha256[32]; /* of the server's own */
        const void *bytes;  /* DER */
        size_t n_bytes;
        const void *all;    /* PKCS #7 with all that the server sent */
        size_t n_all;
};

/* What an answer on the way to the file, a redirect included, says beside its bytes: where else it is, and its SHA-256. Nobody has to
 * believe it. */
struct engine_offers {
        const char *mirrors;  /* URLs, one a line, the best first; "": none */
        uint32_t n_preferred; /* of them: those that use the same entity tags */
        bool from_public;     /* as in engine_request, for all of them */
        bool has_sha256;
        bool secure;          /* it came over https, all the way */
        uint8_t sha256[32];
};

enum engine_outcome {
        ENGINE_DONE,    /* every piece was written to its end, or to engine_pace.end_at */
        ENGINE_STOPPED, /* engine_stop() */
        ENGINE_RESTART, /* the remote file is another one, or cannot be resumed: fetch it anew from 0 into a new temp file */
        ENGINE_FAILED,  /* see error */
        ENGINE_LOST,    /* the process died: what was reported was written; try again soon */
};

struct engine_result {
        enum engine_outcome outcome;
        enum error_code code;       /* FAILED and RESTART: why */
        enum error_context context;
        bool transient;             /* FAILED: may work later (design decision 5) */
        bool slow;                  /* FAILED: bytes came, but next to none */
        uint32_t detail;            /* HTTP status, errno, … */
        uint64_t retry_after_usec;  /* asked for by the server, 0: not */
        bool length_unverified;     /* DONE: the body ended in order but no length had been stated */
        uint64_t local_end;         /* DONE with a piece TO_EOF: where the local file ends */
        uint64_t bytes_fetched;     /* body bytes that came over the network for this request, kept or not */
        const char *text;           /* printable detail, never NULL */
};

struct engine_events {
        void (*metadata)(void *userdata, uint64_t id, const struct engine_metadata *metadata);
        void (*certificate)(void *userdata, uint64_t id, const struct engine_certificate *certificate);
        /* Before metadata() of the same answer; each is all that was offered so far. */
        void (*offers)(void *userdata, uint64_t id, const struct engine_offers *offers);
        /* Bytes [local_start, local_end) were written to the descriptor. Coalesced: at most about ten times a second and once per
         * MiB for each request. @bytes_fetched: counter as in the result, so far. */
        void (*progress)(void *userdata, uint64_t id, uint64_t local_start, uint64_t local_end, uint64_t bytes_fetched);
        /* A connection stalled, and a new one goes on. @text: printable, what was wrong with it. */
        void (*replaced)(void *userdata, uint64_t id, const char *text);
        void (*finished)(void *userdata, uint64_t id, const struct engine_result *result);
};

struct engine_limits {
        unsigned max_connections_per_owner;
        unsigned max_connections_per_host;
};

struct engine;
struct engine_ops {
        const char *name;
        struct engine *(*free)(struct engine *engine);
        void (*set_events)(struct engine *engine, const struct engine_events *events, void *userdata);
        int (*set_limits)(struct engine *engine, const struct engine_limits *limits);
        int (*start)(struct engine *engine, const struct engine_request *request);
        void (*stop)(struct engine *engine, uint64_t id);
        void (*abandon)(struct engine *engine, uint64_t id); /* NULL: it has copies of descriptors, stop() does */
        void (*set_pace)(struct engine *engine, uint64_t id, const struct engine_pace *pace);
};
struct engine {
        const struct engine_ops *ops; /* first member of every engine */
};

static inline struct engine *engine_free(struct engine *engine) {
        return engine ? engine->ops->free(engine) : NULL;
}
static inline void engine_set_events(struct engine *engine, const struct engine_events *events, void *userdata) {
        engine->ops->set_events(engine, events, userdata);
}
static inline int engine_set_limits(struct engine *engine, const struct engine_limits *limits) {
        return engine->ops->set_limits(engine, limits);
}
/* 0: finished() will come. -errno: nothing was taken. */
static inline int engine_start(struct engine *engine, const struct engine_request *request) {
        return engine->ops->start(engine, request);
}
/* Unknown or finished ids are ignored. */
static inline void engine_stop(struct engine *engine, uint64_t id) {
        engine->ops->stop(engine, id);
}
/* The same, but nothing more is told of it, and its descriptor may be closed at once. */
static inline void engine_abandon(struct engine *engine, uint64_t id) {
        if (engine->ops->abandon)
                engine->ops->abandon(engine, id);
        else
                engine->ops->stop(engine, id);
}
/* Unknown or finished ids are ignored. */
static inline void engine_set_pace(struct engine *engine, uint64_t id, const struct engine_pace *pace) {
        engine->ops->set_pace(engine, id, pace);
}

/* What the files of a request share: request.c (its beginning, hops, tries and pieces), request_activity.c (what it needs while it is under
 * way, and its time), request_fetch.c (names and one exchange), request_end.c (its result). Included by nobody else. */
#pragma once

#include <systemd/sd-event.h>

#include "base/address.h"
#include "base/clock.h"
#include "transfer/exchange.h"
#include "transfer/flow.h"
#include "transfer/offers.h"
#include "transfer/redirect.h"
#include "transfer/request.h"
#include "transfer/sink.h"

#define NAMES_MAX 2 /* the proxy's and the server's */
#define TEXT_MAX 400

enum stage {
        STAGE_WAITING,
        STAGE_RESOLVING,
        STAGE_FETCHING,
        STAGE_FINISHED,
};

/* A name that is looked up: for libcurl, which must find it because it cannot ask anybody, or only to refuse where it leads (optional). */
struct name {
        char host[IPC_HOST_MAX + 1];
        uint16_t port;
        bool only_public;
        bool optional; /* a proxy may know it even if we do not */
};

/* What only a request needs that is under way: too large for thousands that wait. */
struct activity {
        struct verdict_task task;
        struct verdict_ask ask;
        struct proxy_choice proxy;
        struct url_parts parts;
        size_t n_names, name_at;
        struct curl_slist *resolve;
        struct lookup *lookup;
        sd_event_source *timer; /* kept from request to request; fires too early rather than being set for each */
        uint64_t deadline_usec; /* what it is for; USEC_INFINITY: nothing */
        struct flow flow;  /* of the body that is being received */
        char *url; /* of this hop */
        char *origin;
        CURLU *parsed; /* NULL: it is the request's own */
        const char *method; /* of this hop; NULL: GET */
        unsigned n_followed;
        bool resolved_public; /* some address of the name that was looked up last, the server's, is public */
        bool from_public;  /* some server of this try had a public address and redirected */
        bool went_plain;   /* some answer of this try came over http */
        bool crossed;      /* another origin than the request's own */
        bool receiving;    /* the timer judges the flow */
        bool timed_out;
        bool slow;         /* and not silent */
        bool draining;
        bool moves;        /* it was ended to go on alone */
        bool enough;       /* all that is still wanted of what was asked for is there: the rest of the answer is left */

        /* What is large stands behind everything else: each is begun anew by who needs it, and not cleared for each request. */
        struct exchange exchange;
        struct verdict_known known;
        struct name names[NAMES_MAX];
        struct offers offers; /* of this try */
};

struct request {
        const struct request_environment *environment;
        struct owner *owner;
        struct ticket ticket;
        struct request_links links;
        enum stage stage;

        uint8_t *frame; /* keeps the strings of start */
        size_t frame_size;
        struct ipc_message start;
        struct url_parts parts; /* of its own URL, at which each try begins */
        char *origin;
        CURLU *parsed;
        struct engine_piece *pieces; /* neighbours merged */
        size_t n_pieces;

        struct sink sink;
        size_t piece;
        uint64_t piece_done;
        bool any_bytes;
        bool probe;
        bool answers_server, answers_proxy; /* it was challenged, and says the auth_headers from then on */
        bool metadata_sent;
        bool length_unverified;
        unsigned n_short;
        unsigned n_replaced;  /* stalled connections in a row that brought little */
        bool fresh;           /* the next try takes a new connection */
        bool alone;           /* tries have connections of their own, that nobody shares */
        uint64_t bytes_fetched;
        uint64_t local_end;
        struct activity *activity;
};

static inline const struct ipc_start *request_spec(const struct request *request) {
        return &request->start.start;
}

static inline bool request_is_at_hold(const struct request *request) {
        uint64_t hold_at = request_spec(request)->pace.hold_at;

        return hold_at > 0 && request->piece < request->n_pieces &&
               request->pieces[request->piece].local_offset + request->piece_done >= hold_at;
}

/* ---- request_activity.c ---- */

/* For a request that leaves the waiting room; NULL: no memory. */
struct activity *request_activity_new(struct request_pool *pool, struct request *request);
struct activity *request_activity_free(struct request *request);
uint64_t request_now(const struct request *request);
uint64_t request_connect_timeout(const struct request *request);
uint64_t request_stall_timeout(const struct request *request);
/* A body begins; or: it is our own doing that nothing came. */
void request_flow_begins(struct request *request);
void request_flow_renew(struct request *request);
/* The connection stalled, and the body is not whole: true if a new one may go on, and that was told. */
bool request_replace_connection(struct request *request);
/* What is there can be joined by what another connection brings, as far as anybody can tell beforehand. */
bool request_can_go_on(const struct request *request);
void request_describe_stall(const struct request *request, char ret[static TEXT_MAX]);
/* USEC_INFINITY: not any more. */
void request_arm_timer(struct request *request, uint64_t delay_usec);

/* ---- request.c ---- */

/* The server of this hop is at a public address: by its address, as far as it was ours to find. Where only the proxy knows that, by what its
 * name shows. */
bool request_hop_is_public(const struct activity *activity);

/* ---- request_fetch.c ---- */

/* The hop's host has room for it: finds addresses for the names, then fetches. */
void request_seek_names(struct request *request);
/* The look-up takes too long: true if it can do without, and went on. */
bool request_gives_up_name(struct request *request);
/* It takes long at its rate, as far as its length is known. */
bool request_wants_to_be_alone(const struct request *request, bool https);

/* ---- request_end.c: after any of these the request is gone ---- */

void request_finish(struct request *request, struct ipc_finished finished);
void request_fail(struct request *request, enum error_code code, enum error_context context, bool transient, uint32_t detail,
                  const char *text);
void request_fail_errno(struct request *request, int error);
/* Writing to the file. */
void request_fail_local(struct request *request, int error);
/* RESTART and FAIL. */
void request_fail_verdict(struct request *request, const struct verdict *verdict);
void request_fail_redirect(struct request *request, enum error_code code);
void request_fail_transport(struct request *request, CURLcode code);
/* The headers, or the trailers behind the body, were refused. */
void request_fail_headers(struct request *request);
/* What our own callbacks found. Return: true if that was the end of the request. */
bool request_fail_own_abort(struct request *request);
/* What the exchange brought so far. */
void request_count_fetched(struct request *request);

/* One request in dosvc-transfer, from START to FINISHED: its pieces one after the other, each by as many tries as verdict.h says,
 * each try by as many hops as redirect.h allows.
 *
 *   waiting (ticket) → resolving → fetching ┬→ next hop, next try, next piece: waiting or resolving again
 *                                           └→ finished
 *
 * Frames go out through the environment; after finished() the request is gone. Never calls back from within request_new(). */
#pragma once

#include "ipc/message.h"
#include "transfer/authorities.h"
#include "transfer/owner.h"
#include "transfer/places.h"
#include "transfer/resolver.h"
#include "transfer/sockets.h"

struct sd_event;
struct request;

/* What requests use while they are under way, and leave to the next one. Outlives them all. */
struct request_pool;
int request_pool_new(struct sd_event *event, struct request_pool **ret);
struct request_pool *request_pool_free(struct request_pool *pool);

struct request_environment {
        struct sd_event *event;
        struct request_pool *pool;
        struct resolver *resolver;
        struct places *places;
        struct sockets *sockets;
        struct sink_buffer *sink_buffer;
        struct authorities *authorities; /* or NULL */
        void (*send)(void *userdata, const struct ipc_message *message);
        /* Has written something that is not reported yet: request_report() it within a tenth of a second. */
        void (*dirty)(void *userdata, struct request *request);
        /* FINISHED was sent; the request is freed after this. */
        void (*finished)(void *userdata, struct request *request);
        void *userdata;
};

/* @message: START, as it was decoded; its frame is copied. @fd is consumed on success. @environment must outlive the request. */
int request_new(const struct request_environment *environment, struct owner *owner, const struct ipc_message *message, int fd,
                struct request **ret);
/* Without a word to anybody. */
struct request *request_free(struct request *request);
uint64_t request_id(const struct request *request);
struct owner *request_owner(const struct request *request);
void request_report(struct request *request);
/* @request may be gone afterwards: nothing is left that is wanted. */
void request_set_pace(struct request *request, const struct ipc_pace *pace);
/* Ends it now, with STOPPED. */
void request_stop(struct request *request);
/* owner.h's exchange_done(). */
void request_exchange_done(void *private, CURLcode code);

/* Room for the server's lists, so that it needs no tables of its own beside the hash. */
struct request_links {
        struct request *dirty_prev, *dirty_next;
        bool is_dirty;
};
struct request_links *request_get_links(struct request *request);

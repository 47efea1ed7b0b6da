/* Who of this process's requests may have a connection now. A request waits with a `struct ticket` until there is a place at its
 * host:
 *
 * 1. ticket_wait() for a host; granted() comes from the loop.
 * 2. ticket_release() when the place is not needed any longer (or not wanted any more).
 *
 * A place is one connection to a host that the core lets us have (quota.h, which shares out the limits among all processes of an
 * owner): we say how many we want, it gives them, and may recall them. A place stays ours as long as a connection is there, whether it is
 * used or idle: so what comes next at this host asks nobody. One that nothing is left of is returned, and what is idle is closed as soon
 * as its place is wanted elsewhere: by the core, or by another identity of the same owner, who does not share connections (server.c) and
 * was told that there is no other place now.
 *
 * libcurl would queue by itself, but each waiting handle costs it memory, and it counts only the connections of one pool.
 * Foreground tickets go before background ones of their host. Over HTTP/2 requests share a connection: more of them may go at once then,
 * but not where others want places, too, as servers limit their number on a connection and libcurl opens another one then.
 *
 * While libcurl tries the second address of a host before it gave up the first, there may be one connection more for that time. */
#pragma once

#include "transfer/sockets.h"

struct sd_event;
struct places;
struct place_host;

struct ticket {
        struct ticket *prev, *next; /* private, all of them */
        struct places *places;
        struct place_host *host;
        const void *pool; /* whose connections it shares */
        bool foreground;
        bool alone;
        bool has_place;
        void (*granted)(struct ticket *ticket);
};

struct places_callbacks {
        /* To the core: so many were returned now, and so many we want in all. */
        void (*want)(void *userdata, const char *host_key, unsigned returned, unsigned wanted);
};

int places_new(struct sd_event *event, const struct places_callbacks *callbacks, void *userdata, struct places **ret);
/* No ticket and no connection may be left. */
struct places *places_free(struct places *places);
void places_set_limit(struct places *places, unsigned max_per_host);
/* By the core. */
void places_add(struct places *places, const char *host_key, unsigned given, unsigned recalled);
/* Grants what can be granted. It happens by itself; at once is better, while a loop of libcurl's is at it. */
void places_turn(struct places *places);

/* @host_key: "scheme://host:port". @alone: it will have a connection to itself, whatever the host speaks. granted() is never called from
 * within. */
int ticket_wait(struct ticket *ticket, struct places *places, const void *pool, const char *host_key, bool foreground, bool alone,
                void (*granted)(struct ticket *ticket));
void ticket_release(struct ticket *ticket);
/* Whether it waits among the foreground ones. */
void ticket_set_foreground(struct ticket *ticket, bool foreground);
/* The ticket has a place of this kind at this host. */
bool ticket_is_for(const struct ticket *ticket, const char *host_key, bool alone);
/* The host speaks HTTP/2: requests that are not alone share a connection. */
void ticket_set_multiplexed(struct ticket *ticket);
/* What its connections are counted with; while it has a place. */
struct socket_group *ticket_group(const struct ticket *ticket);

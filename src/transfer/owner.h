/* What one owner's requests share, and share with nobody else's: connections, TLS sessions, easy handles; and who of them may go
 * now. A request waits with a `struct ticket` until its host and its owner have a free place:
 *
 * 1. ticket_wait() for a host; granted() comes from the loop.
 * 2. ticket_release() when the place is not needed any longer (or not wanted any more).
 *
 * libcurl would queue by itself, but each waiting handle costs it memory, and one slow host would take all places of the others.
 * Foreground tickets go before background ones of their host; hosts take turns. */
#pragma once

#include <curl/curl.h>

#include "base/macros.h"

struct sd_event;
struct owner;
struct owner_host;

struct ticket {
        struct ticket *prev, *next; /* private, all of them */
        struct owner *owner;
        struct owner_host *host;
        bool foreground;
        bool alone;
        bool has_place;
        void (*granted)(struct ticket *ticket);
};

struct owner_callbacks {
        /* The exchange of this handle (CURLINFO_PRIVATE) is over. */
        void (*exchange_done)(void *private, CURLcode code);
};

int owner_new(struct sd_event *event, const struct owner_callbacks *callbacks, struct owner **ret);
/* No ticket may be outstanding. */
struct owner *owner_free(struct owner *owner);
int owner_set_limits(struct owner *owner, unsigned max_connections, unsigned max_per_host);

/* @host_key: "scheme://host:port". @alone: it will have a connection to itself, whatever the host speaks. granted() is never called from
 * within. */
int ticket_wait(struct ticket *ticket, struct owner *owner, const char *host_key, bool foreground, bool alone,
                void (*granted)(struct ticket *ticket));
void ticket_release(struct ticket *ticket);
/* Whether it waits among the foreground ones. */
void ticket_set_foreground(struct ticket *ticket, bool foreground);
/* The ticket has a place of this kind at this host. */
bool ticket_is_for(const struct ticket *ticket, const char *host_key, bool alone);
/* The host speaks HTTP/2: requests that are not alone share a connection, so more of them may go at once. */
void ticket_set_multiplexed(struct ticket *ticket);

/* A handle with default options and an empty cookie jar in memory: cookies live as long as their request. NULL: no memory. */
CURL *owner_take_easy(struct owner *owner);
void owner_return_easy(struct owner *owner, CURL *easy);
int owner_add(struct owner *owner, CURL *easy);
void owner_remove(struct owner *owner, CURL *easy);

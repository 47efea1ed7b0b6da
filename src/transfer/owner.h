/* What one owner's requests of one identity share, and share with nobody else's: connections, TLS sessions, easy handles. Who of them
 * may go now is places.h's to say, whose turn comes whenever libcurl is done with some. */
#pragma once

#include <curl/curl.h>

#include "base/macros.h"

struct sd_event;
struct poller;
struct owner;
struct places;

struct owner_callbacks {
        /* The exchange of this handle (CURLINFO_PRIVATE) is over. */
        void (*exchange_done)(void *private, CURLcode code);
};

int owner_new(struct sd_event *event, struct poller *poller, const struct owner_callbacks *callbacks, struct places *places,
              struct owner **ret);
/* No easy handle may be outstanding. */
struct owner *owner_free(struct owner *owner);
int owner_set_limits(struct owner *owner, unsigned max_connections, unsigned max_per_host);

/* A handle with default options and an empty cookie jar in memory: cookies live as long as their request. NULL: no memory. */
CURL *owner_take_easy(struct owner *owner);
void owner_return_easy(struct owner *owner, CURL *easy);
int owner_add(struct owner *owner, CURL *easy);
void owner_remove(struct owner *owner, CURL *easy);

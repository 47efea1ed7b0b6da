/* dosvc-transfer's side of the conversation with dosvc-resolve: names go out, addresses come back. */
#pragma once

#include "ipc/message.h"

struct sd_event;
struct resolver;
struct lookup;

/* @result: valid during the call. The lookup is gone when it returns. */
typedef void (*lookup_fn)(void *userdata, const struct ipc_resolved *result);

/* @fd is consumed on success. @closed: dosvc-resolve is gone (@error says how); this process is of no use without it. */
int resolver_new(struct sd_event *event, int fd, void (*closed)(void *userdata, int error), void *userdata, struct resolver **ret);
struct resolver *resolver_free(struct resolver *resolver);
/* A fresh answer to the same question, or NULL. Valid until the loop turns. */
const struct ipc_resolved *resolver_cached(struct resolver *resolver, const char *host, bool only_public);
/* Its addresses did not work: ask anew the next time. */
void resolver_forget(struct resolver *resolver, const char *host);
/* @only_public: see struct ipc_resolve. */
int resolver_start(struct resolver *resolver, const char *host, bool only_public, lookup_fn done, void *userdata,
                   struct lookup **ret);
/* done() will not come. NULL is fine. Returns NULL. */
struct lookup *lookup_cancel(struct lookup *lookup);

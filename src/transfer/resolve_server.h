/* dosvc-resolve: names to addresses by getaddrinfo() on a few threads, and the address policy (design decision 21): a name that a
 * public server redirected to is answered only if every address of it is public. All or nothing, because connections are pooled:
 * one private address among public ones could be the one that is used. Has never seen a URL. */
#pragma once

#include "base/macros.h"

struct sd_event;
struct resolve_server;

/* @fd: connection to dosvc-transfer, consumed on success. The loop ends when it closes. */
int resolve_server_new(struct sd_event *event, int fd, struct resolve_server **ret);
/* Does not wait for look-ups that hang: only right before exit. */
struct resolve_server *resolve_server_free(struct resolve_server *server);

/* What dosvc-transfer does all day: takes START and STOP, keeps the requests and their owners, sends what they say. */
#pragma once

#include "base/macros.h"
#include "transfer/authorities.h"

struct sd_event;
struct ipc_channel;
struct poller;
struct transfer_server;

struct transfer_server_config {
        struct ipc_channel *core;        /* both are consumed on success */
        int resolve_fd;
        struct poller *poller;           /* these must outlive the server */
        struct authorities *authorities; /* or NULL */
};

/* The loop ends when either connection closes. */
int transfer_server_new(struct sd_event *event, const struct transfer_server_config *config, struct transfer_server **ret);
struct transfer_server *transfer_server_free(struct transfer_server *server);

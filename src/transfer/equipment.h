/* What a dosvc-transfer works with, handed over as descriptors before it locks itself in: it needs no file and no path, whoever started
 * it, and whatever file system it sees.
 *
 * 1. The core fills a struct equipment and queues it behind its HELLO with equipment_send().
 * 2. dosvc-transfer waits for all of it with equipment_receive(). It says HELLO only when it is locked in.
 *
 * The connection to dosvc-resolve begins with what the core has for that one, its lifeline: equipment_send_first(). Everything after it is
 * between dosvc-transfer and dosvc-resolve, which waits with equipment_receive_first(). */
#pragma once

#include "ipc/message.h"

struct ipc_channel;
struct link;

struct equipment {
        int lifeline_fd;    /* see transfer/lifeline.h */
        int authorities_fd; /* a PEM file, or -EBADF: https will not work */
        int revocations_fd; /* a PEM file, or -EBADF */
        int resolver_fd;    /* the connection to dosvc-resolve */
};
#define EQUIPMENT_NONE ((struct equipment) { -EBADF, -EBADF, -EBADF, -EBADF })

void equipment_done(struct equipment *equipment);
/* The files, as far as they can be read: what cannot is logged and left out. Both may be NULL. */
void equipment_open_files(struct equipment *equipment, const char *ca_file, const char *crl_file);
/* Descriptors are duplicated. */
int equipment_send(struct link *link, const struct equipment *equipment);
/* Waits. 0, or what ipc_channel_receive() says; -EPROTO if something else comes. */
int equipment_receive(struct ipc_channel *channel, struct equipment *ret);

/* A lifeline alone, on a connection that is somebody else's then: nothing is left to be written, nothing more was read. */
int equipment_send_first(int connection_fd, enum ipc_role to, int lifeline_fd);
/* As equipment_receive(). */
int equipment_receive_first(int connection_fd, enum ipc_role self, int *ret_lifeline_fd);

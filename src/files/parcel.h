/* Calls and answers on a channel: small ones within their frame, large ones in a sealed memory file that travels with it. */
#pragma once

#include "ipc/channel.h"

enum parcel_kind {
        PARCEL_CALL,
        PARCEL_ANSWER,
};

/* @fd: a descriptor that belongs to it, or -EBADF; a large one cannot have one (-EMSGSIZE). It is duplicated, or, with @lend, only
 * borrowed, as by ipc_channel_lend(). */
int parcel_send(struct ipc_channel *channel, enum parcel_kind kind, uint64_t id, const void *bytes, size_t size, int fd, bool lend);

struct parcel {
        uint64_t id;
        const void *bytes; /* of the frame, or of @owned */
        size_t size;
        int fd; /* OWNED; -EBADF: none, -EMFILE: there was one but we have too many open files */
        uint8_t *owned;
};
/* What was received, of @message and *fd (consumed): a large one is copied out of its memory file. 0, -EPROTO, -ENOMEM, -EMFILE. */
int parcel_open(const struct ipc_message *message, int *fd, struct parcel *ret);
void parcel_done(struct parcel *parcel);

/* An ipc_channel that lives on an sd-event loop: reads, calls up, writes what was queued as soon as the loop has nothing
 * else to do, and after a millisecond at the latest.
 *
 * 1. link_new() on a connected socket. message() comes for each frame after the peer's HELLO (which comes first, too).
 * 2. link_send() from anywhere on the loop, also from within message().
 * 3. closed() comes once, when the peer is gone (-ECONNRESET) or broke the rules (-EPROTO …); nothing comes after it. Only there
 *    and outside of callbacks may the link be freed. */
#pragma once

#include "ipc/channel.h"

struct sd_event;
struct link;

struct link_callbacks {
        /* @fd: consumed; see ipc_channel_receive(). Strings are valid during the call. */
        void (*message)(void *userdata, const struct ipc_message *message, int fd);
        void (*closed)(void *userdata, int error);
        void (*drained)(void *userdata); /* optional: all that was queued is written */
};

/* @fd is consumed on success. */
int link_new(struct sd_event *event, int fd, enum ipc_role self, enum ipc_role peer, const struct link_callbacks *callbacks,
             void *userdata, struct link **ret);
/* Goes on with a channel on which something was received already. It is consumed on success. */
int link_new_from_channel(struct sd_event *event, struct ipc_channel *channel, const struct link_callbacks *callbacks, void *userdata,
                          struct link **ret);
struct link *link_free(struct link *link);
DEFINE_CLEANUP_FUNC(struct link, link_free)

int link_send(struct link *link, const struct ipc_message *message, int fd);
/* As ipc_channel_send_frame(): @fd is borrowed until the frame *ret_number is written. */
int link_send_frame(struct link *link, const uint8_t *frame, size_t size, int fd, uint64_t *ret_number);
bool link_is_written(const struct link *link, uint64_t number);
/* Writes frame @number, if it still waits. False: the peer takes nothing now; it will get nothing more, and is not heard any more. */
bool link_write_now(struct link *link, uint64_t number);
size_t link_queued(const struct link *link);
/* Hears everything that a dead peer said before. */
void link_drain(struct link *link);
/* NULL before the peer's HELLO. */
const struct ipc_hello *link_peer(const struct link *link);
int link_fd(const struct link *link);
pid_t link_peer_pid(const struct link *link); /* see ipc_channel_peer_pid() */

/* One end of a SOCK_SEQPACKET connection between two of our processes: frames in, frames out, descriptors with them.
 *
 * 1. ipc_channel_new() on a connected socket; it queues our HELLO. Watch ipc_channel_fd() for reading.
 * 2. ipc_channel_send() queues (frames share packets: 10,000 small files do not cost 40,000 system calls);
 *    ipc_channel_flush() writes. If it returns 1, watch for writing and flush again.
 * 3. ipc_channel_receive() until it returns 0. The message is valid until the next call; its descriptor is the caller's.
 *
 * The first frame of the peer must be a HELLO of our version and build. One of another is -EPROTONOSUPPORT: somebody upgraded us, or
 * it; our own HELLO was written then, so that both ends know. Every later frame must be one that this peer may send: anything
 * else is -EPROTO. After either the connection is to be closed. Non-blocking throughout; knows no event loop. */
#pragma once

#include "ipc/message.h"

struct closer;
struct ipc_channel;

/* @fd is consumed on success. */
int ipc_channel_new(int fd, enum ipc_role self, enum ipc_role peer, struct ipc_channel **ret);
struct ipc_channel *ipc_channel_free(struct ipc_channel *channel);
DEFINE_CLEANUP_FUNC(struct ipc_channel, ipc_channel_free)

/* What comes or goes here may be of file systems whose close(2) waits: @closer closes it. It is borrowed. */
void ipc_channel_use_closer(struct ipc_channel *channel, struct closer *closer);

int ipc_channel_fd(const struct ipc_channel *channel);
/* @fd: duplicated; -1 for messages without one. 0, -ENOBUFS: the queue is full, -EMFILE …, or what ipc_encode() says. */
int ipc_channel_send(struct ipc_channel *channel, const struct ipc_message *message, int fd);
/* The same, but @fd is borrowed, as with ipc_channel_send_frame(). */
int ipc_channel_lend(struct ipc_channel *channel, const struct ipc_message *message, int fd);
/* The same for a frame that ipc_encode() made. @fd is borrowed and never closed here: on some file systems each close(2) waits for whoever
 * serves them. It must stay what it is until the frame *ret_number is written, or the channel is freed. */
int ipc_channel_send_frame(struct ipc_channel *channel, const uint8_t *frame, size_t size, int fd, uint64_t *ret_number);
bool ipc_channel_is_written(const struct ipc_channel *channel, uint64_t number);
/* 0: all is written. 1: the peer must read first. -errno: the connection is dead. */
int ipc_channel_flush(struct ipc_channel *channel);
/* Bytes that wait to be written. */
size_t ipc_channel_queued(const struct ipc_channel *channel);
/* 1: a message; *ret_fd is -EBADF, the caller's new descriptor, or -EMFILE: there was one but we have too many open files.
 * 0: nothing more now. -ECONNRESET: the peer is gone (everything that it sent was returned before). -EPROTONOSUPPORT, -EPROTO: see above. */
int ipc_channel_receive(struct ipc_channel *channel, struct ipc_message *ret, int *ret_fd);
/* What the peer said of itself; NULL before its first frame. */
const struct ipc_hello *ipc_channel_peer(const struct ipc_channel *channel);

/* Who wrote the peer's first frame, by the kernel's word; 0 where nobody asked for it (ipc_channel_ask_pid()). */
pid_t ipc_channel_peer_pid(const struct ipc_channel *channel);

/* A connected pair, close-on-exec. */
int ipc_channel_pair(int ret_fds[static 2]);
/* Connects to who listens at @path, without waiting: -EAGAIN if too many do already. */
int ipc_channel_connect(const char *path, int *ret_fd);
/* Before the peer says anything: the kernel is to tell who it is. Where a process was started by who holds the listening socket,
 * SO_PEERCRED names that one. */
int ipc_channel_ask_pid(int fd);

#include "ipc/channel.h"

#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <utlist.h>

#include "base/closer.h"
#include "base/fds.h"
#include "base/strings.h"

#include "config.h"

#ifndef IPC_BUILD /* the tests have programs of another one */
#define IPC_BUILD DOSVC_VERSION
#endif
#define PACKET_FDS_MAX 16u
#define PACKET_START_SIZE 1024u
#define QUEUE_BYTES_MAX (16u * 1024 * 1024) /* a peer that does not read must not fill our memory */
#define SOCKET_BUFFER_BYTES (1024 * 1024)   /* a wish: the kernel caps it by wmem_max */

struct packet {
        struct packet *prev, *next;
        size_t size;
        size_t allocated;
        uint64_t number; /* of its last frame */
        unsigned n_fds;
        int fds[PACKET_FDS_MAX];
        bool is_borrowed[PACKET_FDS_MAX]; /* each of them */
        uint8_t bytes[];
};

struct ipc_channel {
        int fd;
        enum ipc_role self, peer;
        bool takes_fds; /* the peer may send some */
        struct closer *closer; /* borrowed; NULL: at once */
        struct packet *queue;
        size_t queued_bytes;
        uint64_t n_frames;  /* that were queued, ever, */
        uint64_t n_written; /* and so many of them are written */

        bool peer_known;
        struct ipc_hello peer_hello;
        pid_t peer_pid; /* 0: not known */
        bool reset_seen;
        size_t in_size, in_at;
        unsigned n_in_fds, in_fds_at;
        int in_fds[PACKET_FDS_MAX];
        bool in_fds_lost;
        _Alignas(8) uint8_t in[IPC_FRAME_MAX];
};

static struct packet *packet_free(struct ipc_channel *channel, struct packet *packet) {
        for (unsigned i = 0; i < packet->n_fds; i++)
                if (!packet->is_borrowed[i])
                        (void) closer_drop(channel->closer, packet->fds[i]);
        explicit_bzero(packet->bytes, packet->size); /* credentials and keys travel, too */
        free(packet);
        return NULL;
}

int ipc_channel_pair(int ret_fds[static 2]) {
        return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ret_fds) < 0 ? -errno : 0;
}

int ipc_channel_connect(const char *path, int *ret_fd) {
        struct sockaddr_un name = { .sun_family = AF_UNIX };
        _cleanup_close_ int fd = -EBADF;

        if (strlen(path) >= sizeof(name.sun_path))
                return -ENAMETOOLONG;
        (void) stpcpy(name.sun_path, path);
        fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0 || connect(fd, (const struct sockaddr *) &name, sizeof(name)) < 0)
                return -errno;
        *ret_fd = TAKE_FD(fd);
        return 0;
}

int ipc_channel_ask_pid(int fd) {
        int on = 1;

        return setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) < 0 ? -errno : 0;
}

static bool sends_fds(enum ipc_role from, enum ipc_role to) {
        for (enum ipc_type type = 0; type < _IPC_TYPE_MAX; type++)
                if (ipc_type_is_allowed(type, from, to) && ipc_type_fds(type) > 0)
                        return true;
        return false;
}

int ipc_channel_new(int fd, enum ipc_role self, enum ipc_role peer, struct ipc_channel **ret) {
        const struct ipc_message message = {
                .type = IPC_HELLO,
                .hello = { .version = IPC_VERSION, .role = self, .program_version = IPC_BUILD },
        };
        int size = SOCKET_BUFFER_BYTES;
        _cleanup_(ipc_channel_freep) struct ipc_channel *channel = NULL;
        int r;

        channel = calloc(1, sizeof(*channel));
        if (!channel)
                return -ENOMEM;
        channel->fd = -EBADF;
        channel->self = self;
        channel->peer = peer;
        channel->takes_fds = sends_fds(peer, self);
        r = ipc_channel_send(channel, &message, -EBADF);
        if (r < 0)
                return r;
        r = fd_set_nonblocking(fd, true);
        if (r < 0)
                return r;
        (void) setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
        channel->fd = fd;
        *ret = TAKE_PTR(channel);
        return 0;
}

struct ipc_channel *ipc_channel_free(struct ipc_channel *channel) {
        struct packet *packet, *next;

        if (!channel)
                return NULL;
        DL_FOREACH_SAFE(channel->queue, packet, next)
                packet_free(channel, packet);
        for (unsigned i = channel->in_fds_at; i < channel->n_in_fds; i++)
                (void) closer_drop(channel->closer, channel->in_fds[i]);
        (void) fd_close(channel->fd);
        free(channel);
        return NULL;
}

void ipc_channel_use_closer(struct ipc_channel *channel, struct closer *closer) {
        channel->closer = closer;
}

int ipc_channel_fd(const struct ipc_channel *channel) {
        return channel->fd;
}

size_t ipc_channel_queued(const struct ipc_channel *channel) {
        return channel->queued_bytes;
}

const struct ipc_hello *ipc_channel_peer(const struct ipc_channel *channel) {
        return channel->peer_known ? &channel->peer_hello : NULL;
}

pid_t ipc_channel_peer_pid(const struct ipc_channel *channel) {
        return channel->peer_pid;
}

/* The last packet of the queue if @size bytes and @n_fds more fit into it, made larger as needed; else a new one. */
static int packet_to_append(struct ipc_channel *channel, size_t size, unsigned n_fds, struct packet **ret) {
        struct packet *tail = channel->queue ? channel->queue->prev : NULL;
        size_t want;

        if (!tail || tail->size + size > IPC_FRAME_MAX || tail->n_fds + n_fds > PACKET_FDS_MAX) {
                want = MAX(size, (size_t) PACKET_START_SIZE);
                tail = calloc(1, sizeof(*tail) + want);
                if (!tail)
                        return -ENOMEM;
                tail->allocated = want;
                DL_APPEND(channel->queue, tail);
        } else if (tail->size + size > tail->allocated) {
                struct packet *larger;

                want = MAX(tail->allocated * 2, tail->size + size);
                want = MIN(want, (size_t) IPC_FRAME_MAX);
                larger = malloc(sizeof(*tail) + want);
                if (!larger)
                        return -ENOMEM;
                memcpy(larger, tail, sizeof(*tail) + tail->size);
                larger->allocated = want;
                explicit_bzero(tail->bytes, tail->size);
                DL_DELETE(channel->queue, tail);
                free(tail);
                tail = larger;
                DL_APPEND(channel->queue, tail);
        }
        *ret = tail;
        return 0;
}

static int queue_frame(struct ipc_channel *channel, const uint8_t *frame, size_t size, int fd, bool is_borrowed) {
        struct packet *packet;
        int r;

        if (channel->queued_bytes + size > QUEUE_BYTES_MAX)
                return -ENOBUFS;
        r = packet_to_append(channel, size, fd >= 0, &packet);
        if (r < 0)
                return r;
        memcpy(packet->bytes + packet->size, frame, size);
        packet->size += size;
        packet->number = ++channel->n_frames;
        channel->queued_bytes += size;
        if (fd >= 0) {
                packet->is_borrowed[packet->n_fds] = is_borrowed;
                packet->fds[packet->n_fds++] = fd;
        }
        return 0;
}

int ipc_channel_send_frame(struct ipc_channel *channel, const uint8_t *frame, size_t size, int fd, uint64_t *ret_number) {
        int r = queue_frame(channel, frame, size, fd, true);

        if (r < 0)
                return r;
        *ret_number = channel->n_frames;
        return 0;
}

bool ipc_channel_is_written(const struct ipc_channel *channel, uint64_t number) {
        return number <= channel->n_written;
}

static int send_message(struct ipc_channel *channel, const struct ipc_message *message, int fd, bool lend) {
        uint8_t frame[IPC_FRAME_MAX];
        _cleanup_close_ int copy = -EBADF;
        ssize_t size;
        int r;

        size = ipc_encode(message, frame);
        if (size < 0)
                return (int) size;
        if ((fd >= 0) != (ipc_type_fds(message->type) == 1))
                return -EINVAL;
        if (fd >= 0 && !lend) {
                copy = fd_dup(fd);
                if (copy < 0)
                        return copy;
        }
        r = queue_frame(channel, frame, (size_t) size, lend ? fd : copy, lend);
        explicit_bzero(frame, (size_t) size);
        if (r < 0)
                return r;
        (void) TAKE_FD(copy);
        return 0;
}

int ipc_channel_send(struct ipc_channel *channel, const struct ipc_message *message, int fd) {
        return send_message(channel, message, fd, false);
}

int ipc_channel_lend(struct ipc_channel *channel, const struct ipc_message *message, int fd) {
        return send_message(channel, message, fd, true);
}

static int packet_write(int fd, const struct packet *packet) {
        union {
                struct cmsghdr header;
                char bytes[CMSG_SPACE(sizeof(int) * PACKET_FDS_MAX)];
        } control = {};
        struct iovec iov = { .iov_base = (void *) packet->bytes, .iov_len = packet->size };
        struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
        ssize_t n;

        if (packet->n_fds > 0) {
                msg.msg_control = &control;
                msg.msg_controllen = CMSG_SPACE(sizeof(int) * packet->n_fds);
                control.header.cmsg_level = SOL_SOCKET;
                control.header.cmsg_type = SCM_RIGHTS;
                control.header.cmsg_len = CMSG_LEN(sizeof(int) * packet->n_fds);
                memcpy(CMSG_DATA(&control.header), packet->fds, sizeof(int) * packet->n_fds);
        }
        do
                n = sendmsg(fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
        while (n < 0 && errno == EINTR);
        return n < 0 ? -errno : 0;
}

int ipc_channel_flush(struct ipc_channel *channel) {
        struct packet *packet, *next;
        int r;

        DL_FOREACH_SAFE(channel->queue, packet, next) {
                r = packet_write(channel->fd, packet);
                /* ETOOMANYREFS: too many of our descriptors are on the way; the peer's reading ends it, as with EAGAIN. */
                if (r == -EAGAIN || r == -ENOBUFS || r == -ETOOMANYREFS)
                        return 1;
                if (r < 0)
                        return r;
                DL_DELETE(channel->queue, packet);
                channel->queued_bytes -= packet->size;
                channel->n_written = packet->number;
                packet_free(channel, packet);
        }
        return 0;
}

/* Keeps the descriptors of a control message; those beyond our room are closed. */
static void take_fds(struct ipc_channel *channel, struct msghdr *msg, bool *ret_excess) {
        struct cmsghdr *cmsg;

        for (cmsg = CMSG_FIRSTHDR(msg); cmsg; cmsg = CMSG_NXTHDR(msg, cmsg)) {
                size_t n;

                if (cmsg->cmsg_level != SOL_SOCKET || cmsg->cmsg_type != SCM_RIGHTS)
                        continue;
                n = (cmsg->cmsg_len - CMSG_LEN(0)) / sizeof(int);
                for (size_t i = 0; i < n; i++) {
                        int fd;

                        memcpy(&fd, CMSG_DATA(cmsg) + i * sizeof(int), sizeof(fd));
                        if (channel->n_in_fds < PACKET_FDS_MAX)
                                channel->in_fds[channel->n_in_fds++] = fd;
                        else {
                                *ret_excess = true;
                                (void) closer_drop(channel->closer, fd);
                        }
                }
        }
}

/* Of the first packet only. The kernel writes them, or checks those that a sender writes. */
static void take_credentials(struct ipc_channel *channel, struct msghdr *msg) {
        struct ucred credentials;
        struct cmsghdr *cmsg;

        for (cmsg = CMSG_FIRSTHDR(msg); cmsg && !channel->peer_known; cmsg = CMSG_NXTHDR(msg, cmsg))
                if (cmsg->cmsg_level == SOL_SOCKET && cmsg->cmsg_type == SCM_CREDENTIALS && cmsg->cmsg_len == CMSG_LEN(sizeof(credentials))) {
                        memcpy(&credentials, CMSG_DATA(cmsg), sizeof(credentials));
                        channel->peer_pid = credentials.pid;
                }
}

/* 1: a packet is in the buffer. 0: none now. */
static int packet_read(struct ipc_channel *channel) {
        union {
                struct cmsghdr header;
                char bytes[CMSG_SPACE(sizeof(int) * PACKET_FDS_MAX) + CMSG_SPACE(sizeof(int)) + CMSG_SPACE(sizeof(struct ucred))];
        } control;
        struct iovec iov = { .iov_base = channel->in, .iov_len = sizeof(channel->in) };
        struct msghdr msg;
        bool excess = false;
        ssize_t n;

        for (;;) {
                msg = (struct msghdr) { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control,
                                        .msg_controllen = sizeof(control) };
                /* What it has no business to send is not even taken: it would have to be closed, which may wait. */
                if (channel->peer_known && !channel->takes_fds) {
                        msg.msg_control = NULL;
                        msg.msg_controllen = 0;
                }
                n = recvmsg(channel->fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
                if (n >= 0)
                        break;
                if (errno == EINTR)
                        continue;
                /* The peer died with unread frames of ours. The kernel says so before it hands out the peer's own last
                 * words; they are still there. */
                if (errno == ECONNRESET && !channel->reset_seen) {
                        channel->reset_seen = true;
                        continue;
                }
                return errno == EAGAIN ? 0 : -errno;
        }
        if (n == 0)
                return -ECONNRESET;
        channel->n_in_fds = channel->in_fds_at = 0;
        take_fds(channel, &msg, &excess);
        take_credentials(channel, &msg);
        excess |= msg.msg_flags & MSG_CTRUNC && !channel->takes_fds;
        if (excess || (msg.msg_flags & MSG_TRUNC))
                return -EPROTO;
        channel->in_fds_lost = msg.msg_flags & MSG_CTRUNC;
        channel->in_size = (size_t) n;
        channel->in_at = 0;
        return 1;
}

static int refuse_version(struct ipc_channel *channel) {
        (void) ipc_channel_flush(channel);
        return -EPROTONOSUPPORT;
}

static int take_hello(struct ipc_channel *channel, const struct ipc_message *message) {
        int off = 0;

        if (message->type != IPC_HELLO || message->hello.role != channel->peer)
                return -EPROTO;
        if (!streq(message->hello.program_version, IPC_BUILD))
                return refuse_version(channel);
        channel->peer_hello = message->hello;
        channel->peer_hello.program_version = IPC_BUILD;
        channel->peer_known = true;
        /* Its pid is wanted of the first packet only. With it the kernel would say of all others, too, that something did not fit. */
        (void) setsockopt(channel->fd, SOL_SOCKET, SO_PASSCRED, &off, sizeof(off));
        return 0;
}

static int next_fd(struct ipc_channel *channel, int *ret) {
        if (channel->in_fds_at < channel->n_in_fds) {
                *ret = channel->in_fds[channel->in_fds_at++];
                return 0;
        }
        *ret = -EMFILE;
        return channel->in_fds_lost ? 0 : -EPROTO;
}

int ipc_channel_receive(struct ipc_channel *channel, struct ipc_message *ret, int *ret_fd) {
        uint32_t version;
        ssize_t n;
        int r;

        *ret_fd = -EBADF;
        if (channel->in_at == channel->in_size) {
                if (channel->in_fds_at < channel->n_in_fds)
                        return -EPROTO; /* descriptors that no frame announced */
                r = packet_read(channel);
                if (r <= 0)
                        return r;
        }
        if (!channel->peer_known && ipc_read_version(channel->in + channel->in_at, channel->in_size - channel->in_at, &version) &&
            version != IPC_VERSION)
                return refuse_version(channel); /* nobody knows what else is in it */
        n = ipc_decode(channel->in + channel->in_at, channel->in_size - channel->in_at, ret);
        if (n < 0)
                return (int) n;
        channel->in_at += (size_t) n;
        if (!channel->peer_known) {
                r = take_hello(channel, ret);
                if (r < 0)
                        return r;
                return 1;
        }
        if (ret->type == IPC_HELLO || !ipc_type_is_allowed(ret->type, channel->peer, channel->self))
                return -EPROTO;
        if (ipc_type_fds(ret->type) > 0) {
                r = next_fd(channel, ret_fd);
                if (r < 0)
                        return r;
        }
        return 1;
}

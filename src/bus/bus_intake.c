/* What a client sends, on its way to sd-bus.
 *
 * sd-bus (252) takes messages of up to 128 MiB. It makes room for one when it has seen its first bytes, reads on for as long as the sender
 * keeps up, takes any number of descriptors with it, and loses those of a message that is not valid; there is no hook for any of
 * this. So it never reads the client's socket. It reads a socket pair, into which goes what is let through:
 *
 * 1. The handshake, line by line. (libdbus sends BEGIN and its first message in one go, and what sd-bus reads behind BEGIN it does not look
 *    at before more arrives: both sides would wait for ever. Measured: 0 of 10 libdbus clients work if it reads by itself.)
 * 2. Then one message at a time, the next when the last was handled. Its fixed header says how long it is. What is longer than
 *    LIMIT_MESSAGE_BYTES is thrown away as it comes, and answered with an error. What is no message, or brings too many descriptors, ends
 *    the connection, and so does a message of which sd-bus made nothing.
 *
 * Answers go from sd-bus to the client's socket directly. Nothing is read ahead: what was not let through yet stays in the kernel, where it
 * counts as its sender's. */
#include <endian.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/sockios.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/closer.h"
#include "base/fds.h"
#include "base/log.h"
#include "base/strings.h"
#include "bus/private.h"

#define PART_BYTES (32 * 1024)                /* a socket pair that is empty takes this much at once */
#define DBUS_MESSAGE_BYTES (128 * 1024 * 1024) /* D-Bus specification: "Message Format" */
#define DBUS_HEADER_BYTES 16                   /* its fixed part */
#define DBUS_MESSAGE_BYTES_MIN (DBUS_HEADER_BYTES + 8)
#define DBUS_VERSION 1
#define DBUS_TYPE_AT 1 /* offsets in it */
#define DBUS_FLAGS_AT 2
#define DBUS_VERSION_AT 3
#define DBUS_BODY_AT 4
#define DBUS_SERIAL_AT 8
#define DBUS_FIELDS_AT 12
#define DBUS_NO_REPLY_EXPECTED 1

enum phase {
        PHASE_HANDSHAKE,
        PHASE_HEADER,
        PHASE_MESSAGE,
        PHASE_REFUSED, /* as above, but nobody gets it */
};

/* The descriptors of one message: first ours, then, with other numbers, sd-bus's. */
struct descriptors {
        size_t n;
        size_t n_handed_on;
        size_t n_read; /* by sd-bus */
        struct {
                int number;
                uint64_t dev, ino;
        } of[LIMIT_MESSAGE_DESCRIPTORS];
};

struct intake {
        int fd; /* our end of the pair */
        enum phase phase;
        uint8_t head[LIMIT_HANDSHAKE_LINE]; /* a line or a fixed header, as much of it as is here */
        size_t n_head;
        uint64_t size; /* of the message; */
        uint64_t left; /* so much of it is still to come */
        bool unread;   /* sd-bus did something else before it read what it was handed */
        struct descriptors *descriptors; /* NULL: it has none so far */
};

/* ---- descriptors ---- */

static struct descriptors *descriptors_free(struct descriptors *all) {
        if (!all)
                return NULL;
        for (size_t i = all->n_handed_on; i < all->n; i++)
                (void) close(all->of[i].number);
        free(all);
        return NULL;
}

/* @numbers are CONSUMED. */
static int descriptors_take(struct peer *peer, const int *numbers, size_t n) {
        struct intake *intake = peer->intake;
        struct descriptors *all = intake->descriptors ?: calloc(1, sizeof(*all));
        int r = all ? 0 : -ENOMEM;

        intake->descriptors = all;
        for (size_t i = 0; i < n; i++) {
                int fd = numbers[i], taken = bus_passed_take(peer, &fd);

                if (r == 0)
                        r = taken;
                if (r == 0 && all->n >= LIMIT_MESSAGE_DESCRIPTORS)
                        r = -EMFILE;
                if (r == 0)
                        r = fd_inode(fd, &all->of[all->n].dev, &all->of[all->n].ino);
                if (r == 0)
                        all->of[all->n++].number = fd;
                else
                        (void) fd_close(fd);
        }
        return r;
}

/* The numbers that sd-bus will get for them, just before it reads them: the lowest that are free. Closers must be held. */
static void descriptors_foresee(struct descriptors *all) {
        for (size_t i = all->n_read; i < all->n_handed_on; i++)
                all->of[i].number = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0);
        for (size_t i = all->n_read; i < all->n_handed_on; i++)
                fd_close(all->of[i].number);
}

/* sd-bus has lost them. What another thread opened in that moment has such a number, but is another file. */
static void descriptors_recover(const struct descriptors *all) {
        uint64_t dev, ino;

        for (size_t i = 0; i < all->n_read; i++)
                if (all->of[i].number >= 0 && fd_inode(all->of[i].number, &dev, &ino) == 0 && dev == all->of[i].dev && ino == all->of[i].ino)
                        (void) close(all->of[i].number);
}

/* ---- from the client ---- */

static int take_control(struct peer *peer, struct msghdr *message) {
        struct cmsghdr *c;
        int r = 0;

        for (c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
                int numbers[LIMIT_MESSAGE_DESCRIPTORS];
                size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(numbers[0]);

                if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
                        continue;
                memcpy(numbers, CMSG_DATA(c), n * sizeof(numbers[0]));
                r = descriptors_take(peer, numbers, n);
        }
        return message->msg_flags & MSG_CTRUNC ? -EMFILE : r;
}

/* > 0: so many bytes; 0: there are none now. The end is -ECONNRESET. */
static ssize_t receive(struct peer *peer, void *buffer, size_t size) {
        _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int) * LIMIT_MESSAGE_DESCRIPTORS)];
        struct iovec whole = { buffer, size };
        struct msghdr message = { .msg_iov = &whole, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control) };
        ssize_t n = recvmsg(peer->fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
        int r;

        if (n < 0)
                return errno == EAGAIN || errno == EINTR ? 0 : -errno;
        r = take_control(peer, &message);
        return r < 0 ? r : n == 0 ? -ECONNRESET : n;
}

/* 1: the first @size bytes of the head are here. */
static int fill_head(struct peer *peer, size_t size) {
        struct intake *intake = peer->intake;
        ssize_t n = receive(peer, intake->head + intake->n_head, size - intake->n_head);

        if (n <= 0)
                return (int) n;
        intake->n_head += (size_t) n;
        return intake->n_head == size;
}

/* ---- to sd-bus ---- */

/* @size bytes behind the head, which goes with them. */
static int hand_on(struct intake *intake, void *bytes, size_t size) {
        _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int) * LIMIT_MESSAGE_DESCRIPTORS)] = {};
        struct iovec parts[] = { { intake->head, intake->n_head }, { bytes, size } };
        struct msghdr message = { .msg_iov = parts, .msg_iovlen = ELEMENTSOF(parts) };
        struct descriptors *all = intake->descriptors;
        size_t n_new = all ? all->n - all->n_handed_on : 0;
        ssize_t n;

        if (n_new > 0) {
                struct cmsghdr *c = (struct cmsghdr *) control;

                *c = (struct cmsghdr) { .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(n_new * sizeof(int)) };
                for (size_t i = 0; i < n_new; i++)
                        memcpy(CMSG_DATA(c) + i * sizeof(int), &all->of[all->n_handed_on + i].number, sizeof(int));
                message.msg_control = control;
                message.msg_controllen = CMSG_SPACE(n_new * sizeof(int));
        }
        n = sendmsg(intake->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n < 0)
                return -errno;
        if ((size_t) n != intake->n_head + size)
                return -ENOBUFS;
        intake->n_head = 0;
        for (; n_new > 0; n_new--)
                (void) close(all->of[all->n_handed_on++].number);
        return 1;
}

static bool is_read(const struct intake *intake) {
        int n;

        return ioctl(intake->fd, SIOCOUTQ, &n) == 0 && n == 0;
}

/* ---- the handshake ---- */

/* Whom the kernel named is who it is. Whoever claims to be somebody else, or nobody, is told to go: sd-bus, at a socket pair, could not know. */
static int judge_claim(const struct peer *peer, const char *line) {
        const char *claim = startswith(line, "AUTH EXTERNAL ") ?: startswith(line, "DATA ");
        uint8_t digits[24] = {};
        uint64_t uid;
        size_t n;

        if (startswith(line, "AUTH ANONYMOUS"))
                return -EACCES;
        if (!claim || !*claim)
                return 0;
        n = strlen(claim) / 2;
        if (n >= sizeof(digits) || hex_decode(claim, digits, n) < 0 || parse_u64((const char *) digits, &uid) < 0 || uid != peer->uid)
                return -EACCES;
        return 0;
}

static int take_line(struct peer *peer) {
        struct intake *intake = peer->intake;
        char line[LIMIT_HANDSHAKE_LINE + 1], *end;
        ssize_t n = recv(peer->fd, intake->head + intake->n_head, LIMIT_HANDSHAKE_LINE - intake->n_head, MSG_DONTWAIT | MSG_PEEK);
        size_t len;
        int r;

        if (n <= 0)
                return n == 0 ? -ECONNRESET : errno == EAGAIN || errno == EINTR ? 0 : -errno;
        end = memchr(intake->head + intake->n_head, '\n', (size_t) n);
        if (end)
                n = end + 1 - (char *) intake->head - (ssize_t) intake->n_head;
        r = fill_head(peer, intake->n_head + (size_t) n);
        if (r <= 0)
                return r;
        if (!end)
                return intake->n_head == LIMIT_HANDSHAKE_LINE ? -EMSGSIZE : 1;
        len = MIN(intake->n_head, sizeof(intake->head));
        while (len > 0 && (intake->head[len - 1] == '\n' || intake->head[len - 1] == '\r'))
                len--;
        memcpy(line, intake->head, len);
        line[len] = 0;
        r = judge_claim(peer, line + (len > 0 && !line[0])); /* the very first byte is a NUL */
        return r < 0 ? r : hand_on(intake, NULL, 0);
}

/* ---- messages ---- */

static uint32_t number_at(const uint8_t *header, size_t offset) {
        uint32_t n;

        memcpy(&n, header + offset, sizeof(n));
        return header[0] == 'l' ? le32toh(n) : be32toh(n);
}

static int take_header(struct peer *peer) {
        struct intake *intake = peer->intake;
        const uint8_t *header = intake->head;
        int r = fill_head(peer, DBUS_HEADER_BYTES);

        if (r <= 0)
                return r;
        if ((header[0] != 'l' && header[0] != 'B') || header[DBUS_VERSION_AT] != DBUS_VERSION)
                return -EBADMSG;
        intake->size = DBUS_HEADER_BYTES + ((uint64_t) number_at(header, DBUS_FIELDS_AT) + 7) / 8 * 8 + number_at(header, DBUS_BODY_AT);
        if (intake->size < DBUS_MESSAGE_BYTES_MIN || intake->size > DBUS_MESSAGE_BYTES)
                return -EBADMSG;
        intake->left = intake->size - DBUS_HEADER_BYTES;
        intake->phase = intake->size > LIMIT_MESSAGE_BYTES ? PHASE_REFUSED : PHASE_MESSAGE;
        return 1;
}

static int answer_refused(struct peer *peer) {
        const struct intake *intake = peer->intake;
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *call = NULL, *reply = NULL;
        char text[96];
        int r;

        if (intake->head[DBUS_TYPE_AT] != SD_BUS_MESSAGE_METHOD_CALL)
                return 0;
        if (bus_rate_take(peer, 1 + intake->size / LIMIT_MESSAGE_BYTES, &error) >= 0) {
                (void) snprintf(text, sizeof(text), "It has %" PRIu64 " bytes; %d are the most.", intake->size, LIMIT_MESSAGE_BYTES);
                (void) bus_set_error(&error, ERROR_MESSAGE_TOO_LARGE, text);
        }
        if (intake->head[DBUS_FLAGS_AT] & DBUS_NO_REPLY_EXPECTED)
                return 0;
        r = bus_new_stand_in(peer->bus, number_at(intake->head, DBUS_SERIAL_AT), NULL, true, &call);
        if (r >= 0)
                r = sd_bus_message_new_method_error(call, &reply, &error);
        return r < 0 ? r : peer_send(peer, reply);
}

static int take_message(struct peer *peer) {
        struct intake *intake = peer->intake;
        bool refused = intake->phase == PHASE_REFUSED;
        uint8_t part[PART_BYTES];
        ssize_t n = receive(peer, part, MIN(intake->left, sizeof(part)));
        int r = 1;

        if (n <= 0)
                return (int) n;
        intake->left -= (uint64_t) n;
        if (refused)
                intake->descriptors = descriptors_free(intake->descriptors);
        else
                r = hand_on(intake, part, (size_t) n);
        if (r < 0 || intake->left > 0)
                return r;
        intake->phase = PHASE_HEADER;
        if (!refused)
                return 1;
        r = answer_refused(peer);
        intake->n_head = 0;
        intake->size = 0;
        return r < 0 ? r : 1;
}

/* ---- the way through ---- */

static int take(struct peer *peer) {
        struct intake *intake = peer->intake;
        int r;

        if (intake->phase == PHASE_HANDSHAKE)
                return take_line(peer);
        if (intake->phase == PHASE_HEADER) {
                r = take_header(peer);
                if (r <= 0 || intake->phase == PHASE_HEADER)
                        return r;
        }
        return take_message(peer);
}

/* Answers are not seen by the filter if somebody waits for them. */
static bool was_handled(const struct peer *peer) {
        uint8_t type = peer->intake->head[DBUS_TYPE_AT];

        return peer->handled || type == SD_BUS_MESSAGE_METHOD_RETURN || type == SD_BUS_MESSAGE_METHOD_ERROR;
}

/* What sd-bus made of what it was handed. */
static int judge(struct peer *peer) {
        struct intake *intake = peer->intake;

        intake->unread = !is_read(intake);
        if (intake->unread)
                return 0;
        if (intake->descriptors)
                intake->descriptors->n_read = intake->descriptors->n_handed_on;
        if (intake->phase == PHASE_HANDSHAKE) {
                if (sd_bus_is_ready(peer->bus) > 0)
                        intake->phase = PHASE_HEADER;
                return 0;
        }
        if (intake->left > 0 || intake->size == 0)
                return 0;
        if (intake->descriptors && !was_handled(peer)) {
                descriptors_recover(intake->descriptors);
                bus_passed_lost(peer, intake->descriptors->n_read);
        }
        intake->descriptors = descriptors_free(intake->descriptors);
        intake->size = 0;
        return was_handled(peer) ? 0 : -EBADMSG;
}

static void tell_end(const struct peer *peer, int error) {
        const char *why = error == -EBADMSG  ? "it sent what is no D-Bus message"
                        : error == -EMFILE   ? "it sent more descriptors than one message may have"
                        : error == -EDQUOT   ? bus_passed_why_no_more(peer->server, peer->uid)
                        : error == -EMSGSIZE ? "a line of its handshake is too long"
                        : error == -EACCES   ? "it said that it were somebody else"
                                             : NULL;

        if (why && server_may_tell(peer->server))
                log_notice("client %" PRIu64 " (uid %u, pid %d) is cut off: %s", peer->serial, peer->uid, (int) peer->pid, why);
}

bool bus_intake_is_unread(const struct peer *peer) {
        return peer->intake->unread;
}

bool bus_intake_is_greeting(const struct peer *peer) {
        return peer->intake->phase == PHASE_HANDSHAKE;
}

int bus_intake_process(struct peer *peer) {
        struct intake *intake = peer->intake;
        int taken = 0, r, judged;
        bool has_descriptors;

        if (!intake->unread && peer_takes_its_answers(peer)) {
                taken = bus_passed_why_no_more(peer->server, peer->uid) ? -EDQUOT : take(peer);
                if (taken < 0) {
                        tell_end(peer, taken);
                        return taken;
                }
        }
        /* Nor may a client, by what it lets us close meanwhile, see to it that the numbers are others. */
        has_descriptors = intake->descriptors;
        if (has_descriptors) {
                closers_hold();
                descriptors_foresee(intake->descriptors);
        }
        peer->handled = false;
        r = sd_bus_process(peer->bus, NULL);
        if (has_descriptors)
                closers_go_on();
        if (r < 0)
                return r;
        judged = judge(peer);
        if (judged < 0)
                tell_end(peer, judged);
        return judged < 0 ? judged : MAX(r, taken);
}

/* ---- its life ---- */

int bus_intake_new(struct intake **ret, int *ret_fd) {
        struct intake *intake;
        int pair[2];

        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
                return -errno;
        intake = malloc(sizeof(*intake));
        if (!intake) {
                (void) close(pair[0]);
                (void) close(pair[1]);
                return -ENOMEM;
        }
        *intake = (struct intake) { .fd = pair[0] };
        *ret = intake;
        *ret_fd = pair[1];
        return 0;
}

struct intake *bus_intake_free(struct intake *intake) {
        if (!intake)
                return NULL;
        fd_close(intake->fd);
        descriptors_free(intake->descriptors);
        free(intake);
        return NULL;
}

/* The sockets that we listen at, and that they stay there: folders below $XDG_RUNTIME_DIR are swept by some. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fds.h"
#include "base/log.h"
#include "base/strings.h"
#include "base/unix_socket.h"
#include "bus/private.h"

#define CLIENT_DESCRIPTORS 4 /* its socket, the pair of its intake, its process */
#define WATCHES_MAX 16 /* directories above a socket that are watched */
#define CHANGED_BELOW (IN_CREATE | IN_MOVED_TO | IN_DELETE | IN_MOVED_FROM)
#define CHANGED_ITSELF (IN_DELETE_SELF | IN_MOVE_SELF)

struct listener {
        struct bus_server *server;
        char *path; /* NULL: was handed to us */
        dev_t dev;  /* of the socket's inode, as long as it is ours */
        ino_t ino;
        int fd;
        sd_event_source *source;
        int watch_fd; /* inotify */
        sd_event_source *watch_source;
        struct listener *prev, *next;
};

/* ---- accept ---- */

void listener_set_enabled_all(struct bus_server *server, bool enabled) {
        struct listener *listener;

        DL_FOREACH(server->listeners, listener)
                if (listener->source)
                        (void) sd_event_source_set_enabled(listener->source, enabled ? SD_EVENT_ON : SD_EVENT_OFF);
}

static int on_accept_again(sd_event_source *source _unused_, uint64_t usec _unused_, void *userdata) {
        listener_set_enabled_all(userdata, true);
        return 0;
}

/* No descriptor is left: the backlog would wake us without end. */
static void pause_accepting(struct bus_server *server) {
        uint64_t now;

        log_warning("no descriptors left: new clients wait");
        listener_set_enabled_all(server, false);
        if (sd_event_now(server->event, CLOCK_MONOTONIC, &now) < 0)
                return;
        if (!server->accept_source) {
                (void) sd_event_add_time(server->event, &server->accept_source, CLOCK_MONOTONIC,
                                         now + ACCEPT_RETRY_USEC, 0, on_accept_again, server);
                return;
        }
        (void) sd_event_source_set_time(server->accept_source, now + ACCEPT_RETRY_USEC);
        (void) sd_event_source_set_enabled(server->accept_source, SD_EVENT_ONESHOT);
}

/* A client needs more of them than its own: who is taken without would be sent away, who is not taken yet waits. */
static bool descriptors_are_left(int fd) {
        int spare[CLIENT_DESCRIPTORS];
        bool left = true;

        for (size_t i = 0; i < ELEMENTSOF(spare); i++) {
                spare[i] = left ? fcntl(fd, F_DUPFD_CLOEXEC, 0) : -EBADF;
                left = spare[i] >= 0;
        }
        for (size_t i = 0; i < ELEMENTSOF(spare); i++)
                if (spare[i] >= 0)
                        fd_close(spare[i]);
        return left;
}

static int on_connect(sd_event_source *source _unused_, int fd, uint32_t events _unused_, void *userdata) {
        struct listener *listener = ASSERT_PTR(userdata);
        int client, r;

        if (!descriptors_are_left(fd)) {
                pause_accepting(listener->server);
                return 0;
        }
        client = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (client < 0) {
                if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS)
                        pause_accepting(listener->server);
                return 0;
        }
        r = bus_server_add_client(listener->server, client);
        if (r < 0)
                log_debug("a client was not taken: %s", strerror(-r));
        return 0;
}

static int listener_watch_socket(struct listener *listener) {
        int r;

        r = sd_event_add_io(listener->server->event, &listener->source, listener->fd, EPOLLIN, on_connect, listener);
        if (r < 0)
                return r;
        (void) sd_event_source_set_description(listener->source, "bus-listen");
        return 0;
}

/* ---- bind ---- */

static int listener_bind(struct listener *listener) {
        _cleanup_close_ int fd = -EBADF;
        struct stat st;
        int r;

        r = unix_socket_listen(listener->path, listener->server->config.everybody ? 0666 : 0600, LISTEN_BACKLOG, &fd, &st);
        if (r < 0)
                return r;
        listener->source = sd_event_source_disable_unref(listener->source);
        fd_close(listener->fd);
        listener->fd = TAKE_FD(fd);
        listener->dev = st.st_dev;
        listener->ino = st.st_ino;
        return listener_watch_socket(listener);
}

static bool listener_path_is_ours(const struct listener *listener) {
        struct stat st;

        return listener->fd >= 0 && lstat(listener->path, &st) == 0 && st.st_dev == listener->dev &&
               st.st_ino == listener->ino;
}

/* ---- being there again when it vanishes ---- */

/* An inotify descriptor of our own: sd_event_add_inotify() of systemd 252 spins for ever inside the loop when a callback
 * removes a source for which an event is pending (seen in one of some hundred renames of a runtime directory). */

static int on_path_events(sd_event_source *source, int fd, uint32_t events, void *userdata);

/* In the nearest directory above the socket that exists, something is made or goes. Those above it may be moved or
 * removed with all that is in them; where one is a mount point (/run/user/UID), unmounting it is seen only from the
 * directory that it is in. */
static int add_watches(const struct listener *listener, int fd) {
        _cleanup_free_ char *directory = strdup(listener->path);
        dev_t below = 0;
        size_t n = 0;
        char *slash;

        if (!directory)
                return -ENOMEM;
        while (n < WATCHES_MAX && directory[1] && (slash = strrchr(directory, '/'))) {
                struct stat st;
                uint32_t mask;

                slash[slash == directory ? 1 : 0] = 0;
                if (stat(directory, &st) < 0)
                        continue;
                mask = n == 0 || st.st_dev != below ? CHANGED_BELOW | CHANGED_ITSELF : CHANGED_ITSELF;
                if (inotify_add_watch(fd, directory, mask | IN_ONLYDIR) < 0) {
                        if (errno == ENOENT)
                                continue; /* gone since: its parent shows it */
                        return -errno;
                }
                below = st.st_dev;
                n++;
        }
        return 0;
}

/* Anew, for what is there now. */
static int listener_watch_path(struct listener *listener) {
        _cleanup_close_ int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
        int r;

        listener->watch_source = sd_event_source_disable_unref(listener->watch_source);
        listener->watch_fd = fd_close(listener->watch_fd);
        if (fd < 0)
                return -errno;
        r = add_watches(listener, fd);
        if (r < 0)
                return r;
        r = sd_event_add_io(listener->server->event, &listener->watch_source, fd, EPOLLIN, on_path_events, listener);
        if (r < 0)
                return r;
        (void) sd_event_source_set_description(listener->watch_source, "bus-path");
        listener->watch_fd = TAKE_FD(fd);
        return 0;
}

static bool is_missing(const char *path) {
        struct stat st;

        return lstat(path, &st) < 0 && errno == ENOENT;
}

/* Takes what is there; true if a directory itself went, so that other ones must be watched. */
static bool read_events(int fd) {
        _Alignas(struct inotify_event) char buffer[4096];
        bool moved = false;
        ssize_t n;

        while ((n = read(fd, buffer, sizeof(buffer))) > 0)
                for (const char *p = buffer; p < buffer + n;) {
                        const struct inotify_event *event = (const struct inotify_event *) p;

                        moved |= event->mask & (CHANGED_ITSELF | IN_IGNORED | IN_UNMOUNT | IN_Q_OVERFLOW);
                        p += sizeof(*event) + event->len;
                }
        return moved;
}

static int on_path_events(sd_event_source *source _unused_, int fd, uint32_t events _unused_, void *userdata) {
        struct listener *listener = ASSERT_PTR(userdata);
        int r;

        if (!read_events(fd) && listener_path_is_ours(listener))
                return 0;
        /* Watch before looking, so that nothing happens unseen in between. Only what is not there is made: a socket
         * of somebody else's stays his. */
        r = listener_watch_path(listener);
        if (is_missing(listener->path)) {
                int bound = listener_bind(listener);

                if (bound < 0)
                        log_debug("%s cannot be made now: %s", listener->path, strerror(-bound));
                else
                        log_notice("%s had vanished and is there again", listener->path);
                r = listener_watch_path(listener); /* its directory may be new */
        }
        if (r < 0)
                log_warning("%s is watched no longer: %s", listener->path, strerror(-r));
        return 0;
}

/* ---- lists of them ---- */

static struct listener *listener_free(struct listener *listener) {
        if (!listener)
                return NULL;
        sd_event_source_disable_unref(listener->watch_source);
        fd_close(listener->watch_fd);
        sd_event_source_disable_unref(listener->source);
        if (listener->path && listener_path_is_ours(listener))
                (void) unlink(listener->path);
        fd_close(listener->fd);
        free(listener->path);
        free(listener);
        return NULL;
}
DEFINE_CLEANUP_FUNC(struct listener, listener_free)

void listener_free_all(struct bus_server *server) {
        struct listener *listener, *tmp;

        DL_FOREACH_SAFE(server->listeners, listener, tmp) {
                DL_DELETE(server->listeners, listener);
                listener_free(listener);
        }
}

int bus_server_listen(struct bus_server *server, const char *path) {
        _cleanup_(listener_freep) struct listener *listener = malloc(sizeof(*listener));
        int r;

        if (!listener)
                return -ENOMEM;
        *listener = (struct listener) { .server = server, .path = strdup(path), .fd = -EBADF, .watch_fd = -EBADF };
        if (!listener->path)
                return -ENOMEM;
        r = listener_bind(listener);
        if (r < 0)
                return r;
        r = listener_watch_path(listener);
        if (r < 0)
                return r;
        DL_APPEND(server->listeners, listener);
        (void) TAKE_PTR(listener);
        return 0;
}

int bus_server_adopt_listener(struct bus_server *server, int fd) {
        _cleanup_(listener_freep) struct listener *listener = malloc(sizeof(*listener));
        int r;

        if (!listener)
                return -ENOMEM;
        *listener = (struct listener) { .server = server, .fd = -EBADF, .watch_fd = -EBADF };
        r = fd_set_nonblocking(fd, true);
        if (r < 0)
                return r;
        listener->fd = fd;
        r = listener_watch_socket(listener);
        if (r < 0) {
                listener->fd = -EBADF; /* stays the caller's */
                return r;
        }
        DL_APPEND(server->listeners, listener);
        (void) TAKE_PTR(listener);
        return 0;
}

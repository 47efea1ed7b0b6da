/* Descriptors that clients pass, before sd-bus has them.
 *
 * They may be anything: a file of a FUSE mount, whose close(2) waits for a server that its user wrote; a socket that lingers. sd-bus closes what
 * came with a message when it frees that, on the loop. So it gets a stand-in: an O_PATH descriptor of the same file, which is as good for those
 * who want to know which file that is (nobody here wants more), and closing which waits for nobody. What was passed is closed beside the loop,
 * for each user one after the other. libdosvc passes O_PATH descriptors anyway: those go through as they are. */
#include <fcntl.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/closer.h"
#include "base/fds.h"
#include "base/log.h"
#include "bus/private.h"

#define USERS_AT_ONCE 32 /* for whom closing may hang before others wait, too; nobody waits for that but their descriptors */

struct bus_passed {
        uid_t uid; /* the hash key */
        UT_hash_handle hh;
        struct bus_server *server;
        size_t n_open; /* of what is being closed */
        size_t n_lost; /* that came with what is no message, since the service started */
};

static struct bus_passed *passed_find(const struct bus_server *server, uid_t uid) {
        struct bus_passed *passed;

        HASH_FIND(hh, server->passed, &uid, sizeof(uid), passed);
        return passed;
}

static int passed_get(struct bus_server *server, uid_t uid, struct bus_passed **ret) {
        struct bus_passed *passed = passed_find(server, uid);

        if (!passed) {
                passed = malloc(sizeof(*passed));
                if (!passed)
                        return -ENOMEM;
                *passed = (struct bus_passed) { .uid = uid, .server = server };
                HASH_ADD(hh, server->passed, uid, sizeof(passed->uid), passed);
                if (!passed->hh.tbl) {
                        free(passed);
                        return -ENOMEM;
                }
        }
        *ret = passed;
        return 0;
}

static void forget_idle(struct bus_passed *passed) {
        if (passed->n_open > 0 || passed->n_lost > 0)
                return;
        HASH_DEL(passed->server->passed, passed);
        free(passed);
}

static void on_closed(void *userdata) {
        struct bus_passed *passed = ASSERT_PTR(userdata);

        passed->n_open--;
        forget_idle(passed);
}

static int close_beside(struct bus_server *server, uid_t uid, int fd) {
        struct bus_passed *passed;
        int r;

        r = passed_get(server, uid, &passed);
        if (r < 0)
                return r;
        r = closer_close(server->closer, fd, passed, on_closed, passed);
        if (r == 0)
                passed->n_open++;
        forget_idle(passed);
        return r;
}

int bus_passed_take(struct peer *peer, int *fd) {
        int given = *fd, r;

        if (!fd_close_may_wait(given))
                return 0;
        *fd = fd_reopen(given, O_PATH); /* the stand-in */
        r = close_beside(peer->server, peer->uid, given);
        if (*fd < 0)
                return *fd;
        if (r < 0) /* no memory: it stays open */
                *fd = fd_close(*fd);
        return MIN(r, 0);
}

void bus_passed_lost(struct peer *peer, size_t n) {
        struct bus_passed *passed;

        if (passed_get(peer->server, peer->uid, &passed) == 0)
                passed->n_lost += n;
}

const char *bus_passed_why_no_more(const struct bus_server *server, uid_t uid) {
        const struct bus_passed *passed = passed_find(server, uid);

        if (passed && passed->n_open >= LIMIT_UNCLOSED_DESCRIPTORS)
                return "what its user passed does not let itself be closed (does a file system hang?)";
        if (passed && passed->n_lost >= LIMIT_LOST_DESCRIPTORS)
                return "its user sent too many descriptors with what is no D-Bus message";
        return NULL;
}

static int on_closer(sd_event_source *source _unused_, int fd _unused_, uint32_t revents _unused_, void *userdata) {
        (void) closer_dispatch(((struct bus_server *) userdata)->closer);
        return 0;
}

int bus_passed_start(struct bus_server *server) {
        int r = closer_new(USERS_AT_ONCE, &server->closer);

        if (r == 0)
                r = sd_event_add_io(server->event, &server->closer_source, closer_fd(server->closer), EPOLLIN, on_closer, server);
        return r < 0 ? r : 0;
}

void bus_passed_stop(struct bus_server *server) {
        struct bus_passed *passed, *tmp;

        server->closer_source = sd_event_source_disable_unref(server->closer_source);
        server->closer = closer_free(server->closer);
        HASH_ITER(hh, server->passed, passed, tmp) {
                HASH_DEL(server->passed, passed);
                free(passed);
        }
}

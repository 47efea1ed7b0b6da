#include "transfer/resolve_server.h"

#include <netdb.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/epoll.h>
#include <systemd/sd-event.h>

#include "base/address.h"
#include "base/fds.h"
#include "base/workers.h"
#include "transfer/link.h"

#define THREADS 16          /* names that hang (their servers do not answer) hold a thread each for some seconds */
#define LOOKUPS_MAX 4096    /* more than dosvc-transfer ever asks at once */

struct resolve_server {
        sd_event *event;
        sd_event_source *source;
        struct workers *workers;
        struct link *link;
        size_t n_lookups;
};

struct resolve_work {
        struct work work; /* first member */
        struct resolve_server *server;
        bool only_public;
        struct ipc_resolved answer;
        char host[IPC_HOST_MAX + 1];
};

static enum ipc_resolve_status status_from_eai(int error) {
        switch (error) {
        case 0:
                return IPC_RESOLVE_OK;
        case EAI_NONAME:
        case EAI_NODATA:
                return IPC_RESOLVE_NOT_FOUND;
        case EAI_AGAIN:
        case EAI_MEMORY:
        case EAI_SYSTEM:
                return IPC_RESOLVE_AGAIN;
        default:
                return IPC_RESOLVE_FAILED;
        }
}

static bool address_from_sockaddr(const struct sockaddr *from, struct ipc_address *ret) {
        *ret = (struct ipc_address) {};
        if (from->sa_family == AF_INET) {
                ret->family = 4;
                memcpy(ret->bytes, &((const struct sockaddr_in *) (const void *) from)->sin_addr, 4);
                return true;
        }
        if (from->sa_family != AF_INET6)
                return false;
        /* With a zone it could not be handed to libcurl; names with such addresses live in hosts files at most. */
        if (((const struct sockaddr_in6 *) (const void *) from)->sin6_scope_id != 0)
                return false;
        ret->family = 6;
        memcpy(ret->bytes, &((const struct sockaddr_in6 *) (const void *) from)->sin6_addr, 16);
        return true;
}

static void take_addresses(struct ipc_resolved *answer, const struct addrinfo *list, bool only_public) {
        for (const struct addrinfo *info = list; info; info = info->ai_next) {
                if (only_public && !address_redirect_is_allowed(true, info->ai_addr)) {
                        answer->n_addresses = 0;
                        answer->status = IPC_RESOLVE_REFUSED;
                        return;
                }
                if (answer->n_addresses < IPC_ADDRESSES_MAX &&
                    address_from_sockaddr(info->ai_addr, &answer->addresses[answer->n_addresses]))
                        answer->n_addresses++;
        }
        if (answer->n_addresses == 0)
                answer->status = IPC_RESOLVE_NOT_FOUND;
}

/* RFC 6761 6.3: always this machine, by both kinds of address, whatever a hosts file or a name server says. */
static bool is_localhost(const char *host) {
        size_t n = strlen(host);

        if (n > 0 && host[n - 1] == '.')
                n--;
        if (n == 9)
                return strncasecmp(host, "localhost", 9) == 0;
        return n > 10 && strncasecmp(host + n - 10, ".localhost", 10) == 0;
}

static void take_localhost(struct ipc_resolved *answer, bool only_public) {
        if (only_public) {
                answer->status = IPC_RESOLVE_REFUSED;
                return;
        }
        answer->n_addresses = 2;
        answer->addresses[0] = (struct ipc_address) { .family = 6, .bytes = { [15] = 1 } };
        answer->addresses[1] = (struct ipc_address) { .family = 4, .bytes = { 127, 0, 0, 1 } };
}

static void run_lookup(struct work *work) {
        struct resolve_work *self = (struct resolve_work *) work;
        /* No AI_ADDRCONFIG: it would hide loopback addresses on a machine that has nothing else; unusable ones fail fast. */
        const struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM };
        struct addrinfo *list = NULL;
        int error;

        self->answer.text = "";
        if (is_localhost(self->host))
                return take_localhost(&self->answer, self->only_public);
        error = getaddrinfo(self->host, NULL, &hints, &list);
        self->answer.status = status_from_eai(error);
        self->answer.text = error ? gai_strerror(error) : "";
        if (error == 0)
                take_addresses(&self->answer, list, self->only_public);
        if (list)
                freeaddrinfo(list);
}

static void lookup_done(struct work *work) {
        struct resolve_work *self = (struct resolve_work *) work;

        self->server->n_lookups--;
        (void) link_send(self->server->link, &(struct ipc_message) { .type = IPC_RESOLVED, .resolved = self->answer }, -EBADF);
        free(self);
}

static void refuse(struct resolve_server *server, uint64_t id, const char *text) {
        (void) link_send(server->link, &(struct ipc_message) {
                .type = IPC_RESOLVED,
                .resolved = { .id = id, .status = IPC_RESOLVE_AGAIN, .text = text },
        }, -EBADF);
}

static void on_message(void *userdata, const struct ipc_message *message, int fd) {
        struct resolve_server *server = ASSERT_PTR(userdata);
        struct resolve_work *self;

        (void) fd_close(fd);
        if (message->type != IPC_RESOLVE)
                return;
        if (server->n_lookups >= LOOKUPS_MAX)
                return refuse(server, message->resolve.id, "too many names at once");
        self = calloc(1, sizeof(*self));
        if (!self)
                return refuse(server, message->resolve.id, "out of memory");
        self->work = (struct work) { .run = run_lookup, .done = lookup_done };
        self->server = server;
        self->answer.id = message->resolve.id;
        self->only_public = message->resolve.only_public;
        memcpy(self->host, message->resolve.host, strlen(message->resolve.host) + 1); /* the codec checked its length */
        server->n_lookups++;
        workers_submit(server->workers, &self->work);
}

static void on_closed(void *userdata, int error) {
        struct resolve_server *server = ASSERT_PTR(userdata);

        (void) sd_event_exit(server->event, error == -ECONNRESET ? 0 : error == -EPROTONOSUPPORT ? IPC_EXIT_OTHER_VERSION : 1);
}

static int on_workers(sd_event_source *source, int fd, uint32_t events, void *userdata) {
        struct resolve_server *server = ASSERT_PTR(userdata);

        (void) workers_dispatch(server->workers);
        return 0;
}

static const struct link_callbacks link_callbacks = { .message = on_message, .closed = on_closed };

int resolve_server_new(struct sd_event *event, int fd, struct resolve_server **ret) {
        struct resolve_server *server;
        int r;

        server = calloc(1, sizeof(*server));
        if (!server)
                return -ENOMEM;
        server->event = sd_event_ref(event);
        r = workers_new(THREADS, &server->workers);
        if (r >= 0)
                r = sd_event_add_io(event, &server->source, workers_fd(server->workers), EPOLLIN, on_workers, server);
        if (r >= 0)
                r = link_new(event, fd, IPC_ROLE_RESOLVE, IPC_ROLE_TRANSFER, &link_callbacks, server, &server->link);
        if (r < 0) {
                resolve_server_free(server);
                return r;
        }
        *ret = server;
        return 0;
}

struct resolve_server *resolve_server_free(struct resolve_server *server) {
        if (!server)
                return NULL;
        server->source = sd_event_source_disable_unref(server->source);
        if (server->workers)
                server->workers = workers_free(server->workers, 0);
        server->link = link_free(server->link);
        server->event = sd_event_unref(server->event);
        free(server);
        return NULL;
}

#include "daemon/broker_link.h"

#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <systemd/sd-event.h>
#include <utlist.h>

#include "base/fds.h"
#include "base/log.h"
#include "base/strings.h"
#include "transfer/link.h"

struct asked {
        struct asked *prev, *next;
        uint64_t id;
        uid_t owner;
        enum ipc_program program;
};

struct broker_link {
        sd_event *event;
        char *path;
        const struct broker_link_callbacks *callbacks;
        void *userdata;
        struct link *link;
        struct asked *asked; /* not answered yet */
        uint64_t last_id;
};

static void forget_asked(struct broker_link *self) {
        struct asked *asked, *next;

        DL_FOREACH_SAFE(self->asked, asked, next)
                free(asked);
        self->asked = NULL;
}

static void on_message(void *userdata, const struct ipc_message *message, int fd) {
        struct broker_link *self = ASSERT_PTR(userdata);
        struct asked *asked;

        (void) fd_close(fd);
        if (message->type != IPC_SPAWNED)
                return;
        DL_SEARCH_SCALAR(self->asked, asked, id, message->spawned.id);
        if (!asked)
                return;
        DL_DELETE(self->asked, asked);
        if (message->spawned.error != 0) {
                log_warning("no process for the %s of uid %u: %s", asked->program == IPC_PROGRAM_OWNER ? "files" : "programs", asked->owner,
                            message->spawned.text);
                if (asked->program == IPC_PROGRAM_OWNER)
                        self->callbacks->refused(self->userdata, asked->owner, -(int) message->spawned.error);
        }
        free(asked);
}

static void refuse_all(struct broker_link *self, int error) {
        struct asked *asked;

        DL_FOREACH(self->asked, asked)
                if (asked->program == IPC_PROGRAM_OWNER)
                        self->callbacks->refused(self->userdata, asked->owner, error);
}

/* Those who wait for a process find its socket closed. */
static void on_closed(void *userdata, int error) {
        struct broker_link *self = ASSERT_PTR(userdata);

        self->link = link_free(self->link);
        if (error == -EPROTONOSUPPORT)
                refuse_all(self, self->callbacks->other_version(self->userdata, "dosvc-broker") ? -EOWNERDEAD : error);
        else
                log_warning("dosvc-broker is gone: %s", strerror(-error));
        forget_asked(self);
}

static int broker_connect(struct broker_link *self) {
        static const struct link_callbacks callbacks = { .message = on_message, .closed = on_closed };
        _cleanup_close_ int fd = -EBADF;
        int r;

        r = ipc_channel_connect(self->path, &fd);
        if (r < 0)
                return r;
        r = link_new(self->event, fd, IPC_ROLE_CORE, IPC_ROLE_BROKER, &callbacks, self, &self->link);
        if (r == 0)
                (void) TAKE_FD(fd);
        return r;
}

int broker_link_spawn(struct broker_link *self, uid_t owner, enum ipc_program program, int fd) {
        _cleanup_free_ struct asked *asked = malloc(sizeof(*asked));
        int r = 0;

        if (!asked)
                return -ENOMEM;
        if (!self->link)
                r = broker_connect(self);
        if (r < 0) {
                log_warning("dosvc-broker cannot be reached at %s: %s", self->path, strerror(-r));
                return r;
        }
        *asked = (struct asked) { .id = ++self->last_id, .owner = owner, .program = program };
        r = link_send(self->link, &(struct ipc_message) { .type = IPC_SPAWN, .spawn = { asked->id, owner, program } }, fd);
        if (r < 0)
                return r;
        (void) fd_close(fd);
        DL_APPEND(self->asked, asked);
        (void) TAKE_PTR(asked);
        return 0;
}

int broker_link_new(struct sd_event *event, const char *path, const struct broker_link_callbacks *callbacks, void *userdata,
                    struct broker_link **ret) {
        _cleanup_(broker_link_freep) struct broker_link *self = calloc(1, sizeof(*self));
        int r;

        if (!self)
                return -ENOMEM;
        self->event = sd_event_ref(event);
        self->callbacks = callbacks;
        self->userdata = userdata;
        r = strdup_to(&self->path, path);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(self);
        return 0;
}

struct broker_link *broker_link_free(struct broker_link *self) {
        if (!self)
                return NULL;
        self->link = link_free(self->link);
        forget_asked(self);
        sd_event_unref(self->event);
        free(self->path);
        free(self);
        return NULL;
}

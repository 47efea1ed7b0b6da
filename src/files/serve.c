#include "files/serve.h"

#include <poll.h>
#include <string.h>
#include <uthash.h>

#include "base/closer.h"
#include "base/fds.h"
#include "base/log.h"
#include "files/parcel.h"
#include "files/wire.h"

#define THREADS 16
#define FILE_SYSTEMS_MAX 4 /* on which closing what is no handle's may hang before it waits on others, too */
#define QUEUED_BYTES_MAX (8u * 1024 * 1024) /* of answers: more is not taken from a core that does not read them */

struct opened {
        UT_hash_handle hh;
        uint64_t id; /* the core's */
        struct files_handle *handle;
};

struct server {
        struct ipc_channel *channel;
        struct closer *closer;
        struct files_config config;
        struct files *files; /* NULL until SETUP */
        struct opened *opened;
        int error; /* an answer could not be sent: the core would wait for ever */
};

/* A call under way: what it points to stays. */
struct served {
        struct server *server;
        struct parcel parcel;
        struct wire_call call;
};

static struct served *served_free(struct served *served) {
        if (!served)
                return NULL;
        if (served->call.kind == WIRE_DECRYPT && served->parcel.owned)
                explicit_bzero(served->parcel.owned, served->parcel.size); /* a key */
        wire_call_done(&served->call);
        served->parcel.fd = closer_drop(served->server->closer, served->parcel.fd);
        parcel_done(&served->parcel);
        free(served);
        return NULL;
}
DEFINE_CLEANUP_FUNC(struct served, served_free)

/* The end of a call: @served is freed. */
static void answer(struct served *served, struct wire_answer *answer, int fd) {
        struct server *server = served->server;
        _cleanup_free_ uint8_t *bytes = NULL;
        size_t size;
        int r;

        answer->kind = served->call.kind;
        r = wire_answer_encode(answer, &bytes, &size);
        /* OPEN's is lent: the handle stays for longer, and a copy, which is closed a little later, could be taken for a writer's when the file
         * is finished. */
        if (r == 0)
                r = parcel_send(server->channel, PARCEL_ANSWER, served->parcel.id, bytes, size, fd, answer->kind == WIRE_OPEN);
        if (r < 0)
                server->error = r;
        if (bytes)
                explicit_bzero(bytes, size); /* there may be a key among them */
        served_free(served);
}

static void answer_error(struct served *served, int error) {
        size_t n = served->call.kind == WIRE_LIST ? served->call.n_items :
                                                       served->call.n_pieces;
        _cleanup_free_ int *errors = calloc(MAX(n, (size_t) 1), sizeof(*errors));
        _cleanup_free_ bool *bad = calloc(MAX(n, (size_t) 1), sizeof(*bad));
        struct wire_answer message = { .error = error, .decrypt.why = "" };

        if (served->call.kind == WIRE_CHECKPOINT) {
                message.pieces = served->call.pieces;
                message.n_pieces = n;
        } else if (served->call.kind == WIRE_LIST) {
                message.errors = errors;
                message.n_errors = n;
        } else {
                message.bad = bad;
                message.n_bad = n;
        }
        if (!errors || !bad)
                served->server->error = -ENOMEM;
        for (size_t i = 0; errors && i < n; i++)
                errors[i] = error;
        answer(served, &message, -EBADF);
}

/* What the core calls @handle from now on. */
static int remember(struct server *server, uint64_t id, struct files_handle *handle) {
        struct opened *opened = malloc(sizeof(*opened));

        if (!opened) {
                (void) files_close(server->files, handle);
                return -ENOMEM;
        }
        *opened = (struct opened) { .id = id, .handle = handle };
        HASH_ADD(hh, server->opened, id, sizeof(opened->id), opened);
        return 0;
}

/* ---- what comes back ---- */

static void on_check(const struct files_check_result *result, void *userdata) {
        answer(userdata, &(struct wire_answer) { .error = result->error, .directory = result->directory,
                                                 .already_there = result->already_there }, -EBADF);
}

static void on_open(const struct files_open_result *result, void *userdata) {
        struct served *served = userdata;
        int r = result->error;

        if (r == 0)
                r = remember(served->server, served->call.handle, result->handle);
        if (r < 0)
                return answer_error(served, r);
        answer(served, &(struct wire_answer) { .temp = result->temp, .directory = result->directory }, result->fd);
}

static void on_done(int error, void *userdata) {
        answer_error(userdata, error);
}

static void on_checkpoint(int error, void *userdata) {
        struct served *served = userdata;

        answer(served, &(struct wire_answer) { .error = error, .pieces = served->call.pieces, .n_pieces = served->call.n_pieces }, -EBADF);
}

static void on_scratch(int error, int fd, void *userdata) {
        answer(userdata, &(struct wire_answer) { .error = error }, fd);
}

static int serve_window(struct served *served) {
        struct server *server = served->server;
        struct files_handle *handle;
        int r;

        if (served->parcel.fd < 0)
                return served->parcel.fd == -EBADF ? -EPROTO : served->parcel.fd;
        r = server->files->ops->open_window(server->files, 0, served->parcel.fd, served->call.digest, &handle);
        if (r < 0)
                return r;
        served->parcel.fd = -EBADF; /* the handle's */
        r = remember(server, served->call.handle, handle);
        if (r == 0)
                answer_error(served, 0);
        return r;
}

/* With the digest as it is now: the core looks at it when nothing more will come. */
static void on_drop(int error, void *userdata) {
        struct served *served = userdata;
        struct wire_answer message = { .error = error };
        struct opened *opened;

        HASH_FIND(hh, served->server->opened, &served->call.handle, sizeof(served->call.handle), opened);
        if (opened && served->server->files->ops->window_digest(opened->handle, message.sha256) < 0)
                memset(message.sha256, 0, sizeof(message.sha256));
        answer(served, &message, -EBADF);
}

static void on_certificate(const struct files_certificate_result *result, void *userdata) {
        answer(userdata, &(struct wire_answer) { .error = result->error, .text = result->text, .certificate = result->certificate,
                                                 .key = result->key }, -EBADF);
}

static int serve_certificate(struct served *served, struct files_handle *handle) {
        struct certificate_name name;

        if (certificate_name_parse(served->call.certificate, &name) < 0)
                return -EPROTO;
        return files_certificate(served->server->files, handle, &name, on_certificate, served);
}

static void on_hashes(int error, struct piece_hashes *hashes, void *userdata) {
        answer(userdata, &(struct wire_answer) { .error = error, .hashes = hashes }, -EBADF);
        piece_hashes_free(hashes);
}

static void on_verify(int error, const bool *bad, size_t n, void *userdata) {
        answer(userdata, &(struct wire_answer) { .error = error, .bad = (bool *) bad, .n_bad = n }, -EBADF);
}

static void on_finish(const struct files_finish_result *result, void *userdata) {
        struct served *served = userdata;
        struct wire_answer message = { .error = result->error, .bad = (bool *) result->bad, .n_bad = served->call.n_pieces };

        memcpy(message.sha256, result->sha256, sizeof(message.sha256));
        answer(served, &message, -EBADF);
}

static void on_decrypt(const struct files_decrypt_result *result, void *userdata) {
        answer(userdata, &(struct wire_answer) { .error = result->error, .decrypt = *result }, -EBADF);
}

static void on_list(int error, const int *errors, size_t n, void *userdata) {
        answer(userdata, &(struct wire_answer) { .error = error, .errors = (int *) errors, .n_errors = n }, -EBADF);
}

static void on_sweep(size_t n_removed, void *userdata) {
        answer(userdata, &(struct wire_answer) { .n_removed = n_removed }, -EBADF);
}

/* ---- what is asked ---- */

static int serve_without_handle(struct served *served) {
        struct files *files = served->server->files;
        struct wire_call *call = &served->call;

        switch (call->kind) {
        case WIRE_CHECK:
                return files_check(files, &call->check, on_check, served);
        case WIRE_OPEN:
                return files_open(files, &call->open, on_open, served);
        case WIRE_LIST:
                return call->list == FILES_LIST_PUBLISH ? files_publish(files, call->items, call->n_items, on_list, served) :
                       call->list == FILES_LIST_PUBLISH_CHECK ? files_publish_check(files, call->items, call->n_items, on_list, served) :
                                                                files_remove(files, call->items, call->n_items, on_list, served);
        case WIRE_SWEEP:
                return files_sweep(files, &call->sweep, on_sweep, served);
        case WIRE_WINDOW:
                return serve_window(served);
        case WIRE_DROP:
                return -EOWNERDEAD; /* it could not be opened */
        default:
                return -EPROTO;
        }
}

static int serve_decrypt(struct served *served, struct files_handle *source) {
        struct wire_call *call = &served->call;
        struct opened *target = NULL;

        if (call->target != 0) {
                HASH_FIND(hh, served->server->opened, &call->target, sizeof(call->target), target);
                if (!target)
                        return -EOWNERDEAD; /* it was another process's */
        }
        return files_decrypt(served->server->files, source, target ? target->handle : NULL, &call->decrypt, on_decrypt, served);
}

static int serve_on_handle(struct served *served, struct files_handle *handle) {
        struct files *files = served->server->files;
        struct wire_call *call = &served->call;

        switch (call->kind) {
        case WIRE_RESERVE:
                return files_reserve(files, handle, call->size, call->background, on_done, served);
        case WIRE_CHECKPOINT:
                return files_checkpoint(files, handle, call->pieces, call->n_pieces, on_checkpoint, served);
        case WIRE_SCRATCH:
                return files_scratch(files, handle, on_scratch, served);
        case WIRE_CERTIFICATE:
                return serve_certificate(served, handle);
        case WIRE_READ_HASHES:
                return files_read_hashes(files, handle, served->parcel.fd, call->size, &call->expected, on_hashes, served);
        case WIRE_VERIFY:
                return files_verify(files, handle, call->pieces, call->n_pieces, on_verify, served);
        case WIRE_FINISH:
                call->finish.pieces = call->n_pieces > 0 ? call->pieces : NULL;
                call->finish.n_pieces = call->n_pieces;
                return files_finish(files, handle, &call->finish, on_finish, served);
        case WIRE_DECRYPT:
                return serve_decrypt(served, handle);
        case WIRE_DROP:
                return files_window_drop(files, handle, call->start, call->end, on_drop, served);
        case WIRE_DIGEST_AHEAD:
                return files_digest_ahead(files, handle, call->start, call->end, on_done, served);
        default:
                return -EPROTO;
        }
}

static void close_opened(struct server *server, struct opened *opened) {
        HASH_DELETE(hh, server->opened, opened);
        (void) files_close(server->files, opened->handle);
        free(opened);
}

/* @served is freed or on its way. */
static int serve_call(struct served *served) {
        struct opened *opened = NULL;
        int r;

        HASH_FIND(hh, served->server->opened, &served->call.handle, sizeof(served->call.handle), opened);
        if (served->call.kind == WIRE_CLOSE) {
                if (opened)
                        close_opened(served->server, opened);
                served_free(served);
                return 0;
        }
        r = opened ? serve_on_handle(served, opened->handle) : serve_without_handle(served);
        if (r == -EPROTO)
                served_free(served);
        else if (r < 0)
                answer_error(served, r);
        return r == -EPROTO ? r : 0;
}

static int on_call(struct server *server, const struct ipc_message *message, int *fd) {
        _cleanup_(served_freep) struct served *served = calloc(1, sizeof(*served));
        int r;

        if (!served)
                return -ENOMEM;
        served->parcel.fd = -EBADF;
        served->server = server;
        r = parcel_open(message, fd, &served->parcel);
        if (r < 0)
                return r;
        /* What is to stay must not lie in the channel's buffer. */
        if (!served->parcel.owned) {
                served->parcel.owned = malloc(MAX(served->parcel.size, (size_t) 1));
                if (!served->parcel.owned)
                        return -ENOMEM;
                memcpy(served->parcel.owned, served->parcel.bytes, served->parcel.size);
                served->parcel.bytes = served->parcel.owned;
        }
        r = wire_call_decode(served->parcel.bytes, served->parcel.size, &served->call);
        return r < 0 ? r : serve_call(TAKE_PTR(served));
}

static int on_setup(struct server *server, const struct ipc_setup *setup) {
        if (server->files)
                return -EPROTO;
        server->config.max_threads = THREADS;
        server->config.minimum_free_bytes = setup->minimum_free_bytes;
        return files_new(&server->config, &server->files);
}

static int on_message(struct server *server, const struct ipc_message *message, int *fd) {
        if (message->type == IPC_HELLO)
                return 0;
        if (message->type == IPC_SETUP)
                return on_setup(server, &message->setup);
        return server->files ? on_call(server, message, fd) : -EPROTO;
}

static int receive(struct server *server) {
        struct ipc_message message;
        int fd, r;

        while (ipc_channel_queued(server->channel) < QUEUED_BYTES_MAX) {
                r = ipc_channel_receive(server->channel, &message, &fd);
                if (r <= 0)
                        return r;
                r = on_message(server, &message, &fd);
                (void) closer_drop(server->closer, fd);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int turn(struct server *server) {
        struct pollfd fds[3] = {
                { .fd = ipc_channel_fd(server->channel), .events = POLLIN },
                { .fd = server->files ? files_fd(server->files) : -1, .events = POLLIN },
                { .fd = closer_fd(server->closer), .events = POLLIN },
        };
        int r;

        r = ipc_channel_flush(server->channel);
        if (r < 0)
                return r;
        if (r > 0)
                fds[0].events |= POLLOUT;
        if (ipc_channel_queued(server->channel) >= QUEUED_BYTES_MAX)
                fds[0].events &= (short) ~POLLIN;
        if (poll(fds, ELEMENTSOF(fds), -1) < 0)
                return errno == EINTR ? 0 : -errno;
        if (server->files)
                (void) files_dispatch(server->files);
        if (fds[2].revents)
                (void) closer_dispatch(server->closer);
        if (fds[0].revents & (POLLIN | POLLHUP | POLLERR))
                r = receive(server);
        return r < 0 ? r : server->error;
}

int files_serve(int fd, const struct files_config *config) {
        struct server server = { .config = *config };
        struct opened *opened, *next;
        int r;

        r = closer_new(FILE_SYSTEMS_MAX, &server.closer);
        if (r == 0)
                r = ipc_channel_new(fd, IPC_ROLE_OWNER, IPC_ROLE_CORE, &server.channel);
        if (r < 0) {
                (void) closer_free(server.closer);
                (void) fd_close(fd);
                return r;
        }
        ipc_channel_use_closer(server.channel, server.closer);
        while (r >= 0)
                r = turn(&server);
        HASH_ITER(hh, server.opened, opened, next)
                close_opened(&server, opened);
        /* What is under way is left as a crash would leave it: who comes after us must not find us at work. */
        if (server.files)
                (void) files_free(server.files, 0);
        server.channel = ipc_channel_free(server.channel);
        (void) closer_free(server.closer);
        return r == -ECONNRESET || r == -EPIPE ? 0 : r;
}

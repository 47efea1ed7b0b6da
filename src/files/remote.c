#include "files/remote.h"

#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/fds.h"
#include "base/log.h"
#include "files/parcel.h"
#include "files/paths.h"
#include "files/remote_call.h"

#define QUEUED_BYTES_WANTED (1024u * 1024) /* more is not given to the channel at once */
#define RESTART_DELAY_MIN (100 * USEC_PER_MSEC)
#define RESTART_DELAY_MAX (30 * USEC_PER_SEC)
#define HEALTHY_AFTER (10 * USEC_PER_SEC) /* a process that lived so long did not die of its start */
#define DEATHS_PER_CALL 3
#define FILE_SYSTEMS_MAX 8 /* of one owner, on which closing may hang before it waits on others, too */

/* ---- the process ---- */

static void watch_channel(struct remote_files *self, int op, bool out) {
        struct epoll_event event = { .events = EPOLLIN | (out ? (uint32_t) EPOLLOUT : 0), .data.fd = ipc_channel_fd(self->channel) };

        (void) epoll_ctl(self->epoll_fd, op, ipc_channel_fd(self->channel), &event);
        self->wants_out = out;
}

static void arm_timer(struct remote_files *self, uint64_t at_usec) {
        struct itimerspec spec = {};

        if (at_usec != USEC_INFINITY) {
                spec.it_value.tv_sec = (time_t) (at_usec / USEC_PER_SEC);
                spec.it_value.tv_nsec = (long) (at_usec % USEC_PER_SEC) * 1000 + 1;
        }
        (void) timerfd_settime(self->timer_fd, TFD_TIMER_ABSTIME, &spec, NULL);
}

static void note_failure(struct remote_files *self, uint64_t now) {
        uint64_t delay = RESTART_DELAY_MIN;

        self->n_failures++;
        for (unsigned i = 2; i < self->n_failures && delay < RESTART_DELAY_MAX; i++)
                delay *= 2;
        self->not_before_usec = self->n_failures <= 1 ? 0 : now + MIN(delay, RESTART_DELAY_MAX);
}

/* The process is gone, or is to go: it leaves when its connection ends. */
static void process_lost(struct remote_files *self, bool wanted) {
        struct remote_call *call, *sent = self->sent;
        uint64_t now = clock_now(self->clock, CLOCK_ID_MONOTONIC);
        struct remote_handle *handle;

        if (!wanted) {
                log_debug("an owner's process ended");
                if (ipc_channel_peer(self->channel) && now - self->started_usec >= HEALTHY_AFTER)
                        self->n_failures = 0;
                note_failure(self, now);
        }
        self->channel = ipc_channel_free(self->channel); /* takes it out of the epoll set */
        self->wants_out = false;
        DL_FOREACH(self->handles, handle)
                handle->lost = handle->asked_for;
        HASH_CLEAR(hh, self->by_id);
        self->sent = NULL;
        /* In front of what waits, in their order; each that is told may ask for more. */
        DL_CONCAT(sent, self->waiting);
        self->waiting = sent;
        DL_FOREACH(self->waiting, call)
                call->n_deaths += !wanted;
}

static int process_start(struct remote_files *self) {
        struct ipc_message setup = { .type = IPC_SETUP, .setup = { self->config.minimum_free_bytes } };
        int fds[2], r;

        r = ipc_channel_pair(fds);
        if (r < 0)
                return r;
        r = ipc_channel_new(fds[0], IPC_ROLE_CORE, IPC_ROLE_OWNER, &self->channel);
        if (r < 0) {
                (void) fd_close(fds[0]);
                (void) fd_close(fds[1]);
                return r;
        }
        ipc_channel_use_closer(self->channel, self->closer);
        self->started_usec = clock_now(self->clock, CLOCK_ID_MONOTONIC);
        r = ipc_channel_send(self->channel, &setup, -EBADF);
        if (r == 0)
                r = self->config.spawn(self->config.userdata, fds[1]);
        if (r < 0) {
                (void) fd_close(fds[1]);
                self->channel = ipc_channel_free(self->channel);
                return r;
        }
        watch_channel(self, EPOLL_CTL_ADD, false);
        return 0;
}

/* One answer. -errno: the process is not to be believed any further. */
static int take_answer(struct remote_files *self, const struct ipc_message *message, int *fd) {
        struct wire_answer answer;
        struct remote_call *call;
        struct parcel parcel;
        int r;

        r = parcel_open(message, fd, &parcel);
        if (r < 0)
                return r;
        HASH_FIND(hh, self->by_id, &parcel.id, sizeof(parcel.id), call);
        r = call ? wire_answer_decode(parcel.bytes, parcel.size, &answer) : -EPROTO;
        if (r == 0 && !remote_call_fits(call, &answer)) {
                wire_answer_done(&answer);
                r = -EPROTO;
        }
        if (r == 0) {
                HASH_DELETE(hh, self->by_id, call);
                DL_DELETE(self->sent, call);
                remote_call_conclude(self, call, &answer, &parcel.fd);
                wire_answer_done(&answer);
        }
        parcel.fd = closer_drop(self->closer, parcel.fd);
        parcel_done(&parcel);
        return r;
}

static void process_failed(struct remote_files *self, int error) {
        process_lost(self, false);
        if (error == -EPROTONOSUPPORT)
                self->refused = self->config.other_version && self->config.other_version(self->config.userdata) ? -EOWNERDEAD : error;
        else if (error != -ECONNRESET)
                log_warning("an owner's process broke the rules: %s", strerror(-error));
}

static void receive(struct remote_files *self) {
        struct ipc_message message;
        int fd, r;

        while (self->channel) {
                r = ipc_channel_receive(self->channel, &message, &fd);
                if (r == 0)
                        return;
                if (r > 0 && message.type != IPC_HELLO)
                        r = take_answer(self, &message, &fd);
                fd = closer_drop(self->closer, fd);
                if (r < 0)
                        process_failed(self, r);
        }
}

/* What can never be done any more. */
static void conclude_lost(struct remote_files *self) {
        struct remote_call *call, *next, *failed = NULL;

        DL_FOREACH_SAFE(self->waiting, call, next) {
                bool lost = call->handle && call->handle->lost;

                if (!lost && self->refused == 0 && call->n_deaths < DEATHS_PER_CALL && (!call->was_sent || remote_call_is_repeatable(call)))
                        continue;
                DL_DELETE(self->waiting, call);
                DL_APPEND(failed, call);
        }
        DL_FOREACH_SAFE(failed, call, next) {
                DL_DELETE(failed, call);
                remote_call_fail(self, call, self->refused < 0 ? self->refused : -EOWNERDEAD);
        }
        self->refused = 0;
}

static void start_if_needed(struct remote_files *self) {
        uint64_t now = clock_now(self->clock, CLOCK_ID_MONOTONIC);
        int r;

        if (self->channel || !self->waiting || now < self->not_before_usec)
                return;
        r = process_start(self);
        if (r >= 0)
                return;
        log_warning("an owner's process cannot be started: %s", strerror(-r));
        note_failure(self, now);
        for (struct remote_call *call = self->waiting; call; call = call->next)
                call->n_deaths++;
}

static bool send_one(struct remote_files *self, struct remote_call *call) {
        int r;

        if (ipc_channel_queued(self->channel) > QUEUED_BYTES_WANTED)
                return false;
        r = parcel_send(self->channel, PARCEL_CALL, call->id, call->bytes, call->size, call->fd, false);
        DL_DELETE(self->waiting, call);
        if (r < 0 || call->kind == WIRE_CLOSE) {
                remote_call_fail(self, call, r);
                return true;
        }
        call->was_sent = true;
        if (call->handle)
                call->handle->asked_for = true;
        DL_APPEND(self->sent, call);
        HASH_ADD(hh, self->by_id, id, sizeof(call->id), call);
        if (!remote_call_is_repeatable(call)) { /* never needed again */
                free(TAKE_PTR(call->bytes));
                call->fd = closer_drop(self->closer, call->fd);
        }
        return true;
}

static void transmit(struct remote_files *self) {
        struct remote_call *call, *next;
        int r;

        if (!self->channel)
                return;
        /* Nothing is given to a process that has not said hello: one that cannot start must not lose requests. What is sent may end at once,
         * and whoever is told may ask for more: that comes to the end of the list. */
        DL_FOREACH_SAFE(self->waiting, call, next)
                if (!(call->handle && call->handle->closing) && (!self->channel || !ipc_channel_peer(self->channel) || !send_one(self, call)))
                        break;
        r = self->channel ? ipc_channel_flush(self->channel) : 0;
        if (r < 0)
                return; /* what it said last is heard first: reading will find the end */
        if (self->channel && (r > 0) != self->wants_out)
                watch_channel(self, EPOLL_CTL_MOD, r > 0);
}

static bool is_idle(const struct remote_files *self) {
        return !self->handles && !self->waiting && !self->sent;
}

static void arm(struct remote_files *self) {
        uint64_t now = clock_now(self->clock, CLOCK_ID_MONOTONIC);

        if (self->channel && is_idle(self) && self->config.idle_usec != USEC_INFINITY)
                arm_timer(self, now + self->config.idle_usec);
        else
                arm_timer(self, !self->channel && self->waiting ? MAX(self->not_before_usec, now) : USEC_INFINITY);
}

/* ---- the interface ---- */

static size_t remote_dispatch(struct files *files) {
        struct remote_files *self = to_remote(files);
        struct epoll_event events[4];
        uint64_t ignored;
        int n;

        self->n_told = 0;
        n = epoll_wait(self->epoll_fd, events, ELEMENTSOF(events), 0);
        if (self->kicked && read(self->kick_fd, &ignored, sizeof(ignored)) < 0)
                log_debug("a kick went by: %s", strerror(errno));
        self->kicked = false;
        /* Also where nothing is outstanding: a thread wakes us after what it did may have been taken, and we would be woken for ever. */
        for (int i = 0; i < n; i++)
                if (events[i].data.fd == closer_fd(self->closer))
                        (void) closer_dispatch(self->closer);
        if (read(self->timer_fd, &ignored, sizeof(ignored)) > 0 && self->channel && is_idle(self))
                process_lost(self, true);
        receive(self);
        conclude_lost(self);
        start_if_needed(self);
        transmit(self);
        arm(self);
        return self->n_told;
}

static size_t remote_wait(struct files *files) {
        struct remote_files *self = to_remote(files);
        size_t n = 0;

        while (n == 0 && self->n_outstanding > 0) {
                struct pollfd poll_fd = { .fd = self->epoll_fd, .events = POLLIN };

                (void) poll(&poll_fd, 1, -1);
                n = remote_dispatch(files);
        }
        return n;
}

static size_t remote_outstanding(const struct files *files) {
        return to_remote(files)->n_outstanding;
}

static int remote_fd(const struct files *files) {
        return to_remote(files)->epoll_fd;
}

static struct files *remote_free(struct files *files, uint64_t patience_usec _unused_) {
        struct remote_files *self = to_remote(files);
        struct remote_handle *handle, *next_handle;
        struct remote_call *call, *next;

        HASH_CLEAR(hh, self->by_id);
        DL_CONCAT(self->waiting, self->sent);
        self->sent = NULL;
        DL_FOREACH_SAFE(self->waiting, call, next)
                remote_call_free(self, call);
        DL_FOREACH_SAFE(self->handles, handle, next_handle)
                if (handle->closing)
                        remote_handle_unref(self, handle);
        self->channel = ipc_channel_free(self->channel);
        self->closer = closer_free(self->closer);
        (void) fd_close(self->epoll_fd);
        (void) fd_close(self->kick_fd);
        (void) fd_close(self->timer_fd);
        free(self);
        return NULL;
}

static int remote_check(struct files *files, const struct files_check_request *request, files_check_fn done, void *userdata) {
        struct remote_call call = { .kind = WIRE_CHECK, .fd = -EBADF, .tell.check = done, .userdata = userdata };
        struct wire_call content = { .check = *request };
        int r;

        r = files_path_check(request->path);
        if (r < 0)
                return r;
        return remote_call_submit(to_remote(files), &call, &content);
}

static int remote_open(struct files *files, const struct files_open_request *request, files_open_fn done, void *userdata) {
        struct remote_files *self = to_remote(files);
        struct remote_call call = { .kind = WIRE_OPEN, .fd = -EBADF, .tell.open = done, .userdata = userdata };
        struct wire_call content = { .open = *request };
        int r;

        r = files_path_check(request->path);
        if (r < 0)
                return r;
        if (!temp_name_is_valid(request->temp_name))
                return -EINVAL;
        call.handle = remote_handle_new(self);
        if (!call.handle)
                return -ENOMEM;
        r = remote_call_submit(self, &call, &content);
        remote_handle_unref(self, call.handle); /* the call has it, if there is one */
        return r;
}

static struct files_handle *remote_close(struct files *files, struct files_handle *handle) {
        struct remote_call call = { .kind = WIRE_CLOSE, .fd = -EBADF, .handle = to_handle(handle) };
        struct remote_files *self = to_remote(files);
        struct wire_call content = {};

        call.handle->fd = closer_drop(self->closer, call.handle->fd);
        call.handle->scratch_fd = closer_drop(self->closer, call.handle->scratch_fd);
        if (!call.handle->lost && remote_call_submit(self, &call, &content) < 0 && self->channel)
                       process_lost(self, false); /* no memory: it would stay open there for ever */
               remote_handle_unref(self, call.handle);
        return NULL;
}

static int submit_on_handle(struct files *files, struct files_handle *handle, struct remote_call *call, struct wire_call *content) {
        int r;

        call->handle = to_handle(handle);
        call->fd = -EBADF;
        if (call->kind == WIRE_CHECKPOINT || call->kind == WIRE_FINISH) {
                r = intervals_copy(&call->written, &handle->ledger.written);
                if (r < 0)
                        return r;
        }
        r = remote_call_submit(to_remote(files), call, content);
        if (r < 0)
                intervals_done(&call->written);
        return r;
}

static int remote_reserve(struct files *files, struct files_handle *handle, uint64_t size, bool background, files_done_fn done,
                          void *userdata) {
        return submit_on_handle(files, handle, &(struct remote_call) { .kind = WIRE_RESERVE, .tell.done = done, .userdata = userdata },
                                &(struct wire_call) { .size = size, .background = background });
}

static int remote_checkpoint(struct files *files, struct files_handle *handle, struct files_piece *chunks, size_t n_chunks,
                             files_done_fn done, void *userdata) {
        return submit_on_handle(files, handle,
                                &(struct remote_call) { .kind = WIRE_CHECKPOINT, .n_expected = n_chunks, .chunks = chunks,
                                                        .tell.done = done, .userdata = userdata },
                                &(struct wire_call) { .pieces = chunks, .n_pieces = n_chunks });
}

static int remote_scratch(struct files *files, struct files_handle *handle, files_scratch_fn done, void *userdata) {
        return submit_on_handle(files, handle,
                                &(struct remote_call) { .kind = WIRE_SCRATCH, .tell.scratch = done, .userdata = userdata },
                                &(struct wire_call) {});
}

static int remote_certificate(struct files *files, struct files_handle *handle, const struct certificate_name *name,
                              files_certificate_fn done, void *userdata) {
        char text[CERTIFICATE_TEXT_MAX + 1];
        int r = certificate_name_print(name, text);

        if (r < 0)
                return r;
        return submit_on_handle(files, handle,
                                &(struct remote_call) { .kind = WIRE_CERTIFICATE, .tell.certificate = done, .userdata = userdata },
                                &(struct wire_call) { .certificate = text });
}

static int remote_read_hashes(struct files *files, struct files_handle *handle, int fd, uint64_t size,
                              const struct integrity_info *expected, files_hashes_fn done, void *userdata) {
        struct remote_call call = { .kind = WIRE_READ_HASHES, .handle = to_handle(handle), .tell.hashes = done, .userdata = userdata };
        struct wire_call content = { .size = size, .expected = *expected };

        if (size > LIMIT_PIECE_HASH_FILE)
                return -EFBIG;
        call.fd = fd_dup(fd);
        if (call.fd < 0)
                return call.fd;
        call.handle->scratch_fd = closer_drop(to_remote(files)->closer, call.handle->scratch_fd);
        return remote_call_submit(to_remote(files), &call, &content);
}

static int remote_verify(struct files *files, struct files_handle *handle, const struct files_piece *pieces, size_t n,
                         files_verify_fn done, void *userdata) {
        return submit_on_handle(files, handle,
                                &(struct remote_call) { .kind = WIRE_VERIFY, .n_expected = n, .tell.verify = done, .userdata = userdata },
                                &(struct wire_call) { .pieces = (struct files_piece *) pieces, .n_pieces = n });
}

/* The memory is ours, its guard is the process: who looks into what came from the network is never the core. */
static int remote_open_window(struct files *files, uid_t owner _unused_, int fd, bool digest, struct files_handle **ret) {
        struct remote_files *self = to_remote(files);
        struct remote_call call = { .kind = WIRE_WINDOW, .handle = remote_handle_new(self) };
        struct remote_handle *handle = call.handle;
        int r;

        if (!handle)
                return -ENOMEM;
        handle->digest = digest;
        r = digest_of_nothing(handle->sha256);
        call.fd = r < 0 ? r : fd_dup(fd);
        r = call.fd < 0 ? call.fd : remote_call_submit(self, &call, &(struct wire_call) { .digest = digest });
        if (r < 0) {
                remote_handle_unref(self, handle);
                return r;
        }
        handle->fd = handle->base.window_fd = fd;
        *ret = &handle->base;
        return 0;
}

static int remote_window_drop(struct files *files, struct files_handle *handle, uint64_t start, uint64_t end, files_done_fn done,
                              void *userdata) {
        return submit_on_handle(files, handle, &(struct remote_call) { .kind = WIRE_DROP, .tell.done = done, .userdata = userdata },
                                &(struct wire_call) { .start = start, .end = end });
}

static int remote_window_digest(const struct files_handle *handle, uint8_t *ret) {
        const struct remote_handle *mine = CONTAINER_OF(handle, const struct remote_handle, base);

        if (!mine->digest)
                return -EINVAL;
        memcpy(ret, mine->sha256, sizeof(mine->sha256));
        return 0;
}

static int remote_digest_ahead(struct files *files, struct files_handle *handle, uint64_t start, uint64_t end, files_done_fn done,
                               void *userdata) {
        return submit_on_handle(files, handle, &(struct remote_call) { .kind = WIRE_DIGEST_AHEAD, .tell.done = done, .userdata = userdata },
                                &(struct wire_call) { .start = start, .end = end });
}

static void handle_closed(void *userdata) {
        struct remote_handle *handle = userdata;
        struct remote_files *self = to_remote(handle->base.files);

        handle->closing = false;
        remote_handle_unref(self, handle);
}

static int handle_close_descriptor(struct remote_handle *handle) {
        int r = closer_close(to_remote(handle->base.files)->closer, handle->fd, NULL, handle_closed, handle);

        if (r < 0)
                return r;
        handle->fd = -EBADF;
        if (r == 0) {
                handle->closing = true;
                handle->n_refs++;
        }
        return 0;
}

static int remote_finish(struct files *files, struct files_handle *handle, const struct files_finish_request *request,
                         files_finish_fn done, void *userdata) {
        int r;

        /* Nobody may be able to write any more: not we either. FINISH waits for that. */
        r = handle_close_descriptor(to_handle(handle));
        if (r < 0)
                return r;
        return submit_on_handle(files, handle,
                                &(struct remote_call) { .kind = WIRE_FINISH, .n_expected = request->n_pieces, .tell.finish = done,
                                                        .userdata = userdata },
                                &(struct wire_call) { .finish = *request, .pieces = (struct files_piece *) request->pieces,
                                                      .n_pieces = request->n_pieces });
}

static int remote_decrypt(struct files *files, struct files_handle *source, struct files_handle *target,
                          const struct files_decrypt_request *request, files_decrypt_fn done, void *userdata) {
        return submit_on_handle(files, source,
                                &(struct remote_call) { .kind = WIRE_DECRYPT, .tell.decrypt = done, .userdata = userdata },
                                &(struct wire_call) { .decrypt = *request, .target = target ? to_handle(target)->id : 0 });
}

static int remote_list(struct files *files, enum files_list_kind kind, const struct files_item *items, size_t n, files_list_fn done,
                       void *userdata) {
        for (size_t i = 0; i < n; i++) {
                int r = files_path_check(items[i].path);

                if (r < 0)
                        return r;
                if (*items[i].temp_name && !temp_name_is_valid(items[i].temp_name))
                        return -EINVAL;
        }
        return remote_call_submit(to_remote(files),
                                  &(struct remote_call) { .kind = WIRE_LIST, .fd = -EBADF, .n_expected = n, .tell.list = done,
                                                          .userdata = userdata },
                                  &(struct wire_call) { .list = kind, .items = (struct files_item *) items, .n_items = n });
}

static int remote_sweep(struct files *files, const struct files_sweep_request *request, files_sweep_fn done, void *userdata) {
        return remote_call_submit(to_remote(files),
                                  &(struct remote_call) { .kind = WIRE_SWEEP, .fd = -EBADF, .tell.sweep = done, .userdata = userdata },
                                  &(struct wire_call) { .sweep = *request });
}

static const struct files_ops remote_ops = {
        .free = remote_free,
        .fd = remote_fd,
        .dispatch = remote_dispatch,
        .wait = remote_wait,
        .outstanding = remote_outstanding,
        .check = remote_check,
        .open = remote_open,
        .close = remote_close,
        .reserve = remote_reserve,
        .checkpoint = remote_checkpoint,
        .scratch = remote_scratch,
        .certificate = remote_certificate,
        .read_hashes = remote_read_hashes,
        .verify = remote_verify,
        .open_window = remote_open_window,
        .window_drop = remote_window_drop,
        .window_digest = remote_window_digest,
        .digest_ahead = remote_digest_ahead,
        .finish = remote_finish,
        .decrypt = remote_decrypt,
        .list = remote_list,
        .sweep = remote_sweep,
};

void files_remote_refuse(struct files *files, int error) {
        struct remote_files *self = to_remote(files);

        self->refused = error;
        remote_kick(self);
}

bool files_remote_is_dormant(const struct files *files) {
        const struct remote_files *self = to_remote(files);

        return !self->channel && is_idle(self) && closer_outstanding(self->closer) == 0;
}

static int watch(int epoll_fd, int fd) {
        struct epoll_event event = { .events = EPOLLIN, .data.fd = fd };

        return fd < 0 || epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

int files_new_remote(const struct files_remote_config *config, const struct clock *clock, struct files **ret) {
        struct remote_files *self = calloc(1, sizeof(*self));
        int r;

        if (!self)
                return -ENOMEM;
        self->base.ops = &remote_ops;
        self->config = *config;
        self->clock = clock;
        self->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
        self->kick_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        self->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
        r = self->epoll_fd < 0 ? -errno : watch(self->epoll_fd, self->kick_fd);
        if (r == 0)
                r = watch(self->epoll_fd, self->timer_fd);
        if (r == 0)
                r = closer_new(FILE_SYSTEMS_MAX, &self->closer);
        if (r == 0)
                r = watch(self->epoll_fd, closer_fd(self->closer));
        if (r < 0) {
                remote_free(&self->base, false);
                return r;
        }
        *ret = &self->base;
        return 0;
}

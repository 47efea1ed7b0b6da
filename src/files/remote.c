#include "files/remote.h"

#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>
#include <uthash.h>
#include <utlist.h>

#include "base/fds.h"
#include "base/log.h"
#include "files/digest.h"
#include "files/parcel.h"
#include "files/paths.h"
#include "files/wire.h"

#define QUEUED_BYTES_WANTED (1024u * 1024) /* more is not given to the channel at once */
#define RESTART_DELAY_MIN (100 * USEC_PER_MSEC)
#define RESTART_DELAY_MAX (30 * USEC_PER_SEC)
#define HEALTHY_AFTER (10 * USEC_PER_SEC) /* a process that lived so long did not die of its start */
#define DEATHS_PER_CALL 3

struct remote_handle {
        struct files_handle base; /* first member */
        struct remote_handle *prev, *next;
        uint64_t id;
        int fd;
        unsigned n_refs; /* the receiver's, and one for each call */
        bool asked_for;  /* its OPEN was sent */
        bool lost;       /* its process died */
        bool digest;     /* a window that has one */
        uint8_t sha256[DIGEST_SIZE]; /* of what was dropped of it so far */
};

struct remote_call {
        UT_hash_handle hh;               /* by id, once it is sent */
        struct remote_call *prev, *next; /* waiting, or sent */
        uint64_t id;
        enum wire_kind kind;
        uint8_t *bytes;
        size_t size;
        int fd;
        bool was_sent;
        unsigned n_deaths;
        struct remote_handle *handle;
        struct intervals written; /* CHECKPOINT, FINISH: of the ledger, when it was asked for */
        size_t n_expected;        /* CHECKPOINT: chunks; VERIFY, FINISH: pieces; LIST: items */
        struct files_piece *chunks; /* CHECKPOINT: the caller's, to be filled in */
        union {
                files_check_fn check;
                files_open_fn open;
                files_done_fn done;
                files_scratch_fn scratch;
                files_certificate_fn certificate;
                files_hashes_fn hashes;
                files_verify_fn verify;
                files_finish_fn finish;
                files_decrypt_fn decrypt;
                files_list_fn list;
                files_sweep_fn sweep;
        } tell;
        void *userdata;
};

struct remote_files {
        struct files base; /* first member */
        struct files_remote_config config;
        const struct clock *clock;
        int epoll_fd, kick_fd, timer_fd;
        bool kicked;
        bool wants_out;
        struct ipc_channel *channel;
        uint64_t started_usec;
        uint64_t not_before_usec; /* the next start */
        unsigned n_failures;
        uint64_t last_id;
        struct remote_call *waiting, *sent, *by_id;
        struct remote_handle *handles;
        int refused; /* < 0: there will be no process */
        size_t n_outstanding; /* calls that will be answered */
        size_t n_told;
};

static struct remote_files *to_remote(const struct files *files) {
        return CONTAINER_OF(files, struct remote_files, base);
}

static struct remote_handle *to_handle(struct files_handle *handle) {
        return CONTAINER_OF(handle, struct remote_handle, base);
}

/* ---- life of handles and calls ---- */

static struct remote_handle *handle_unref(struct remote_files *self, struct remote_handle *handle) {
        if (!handle || --handle->n_refs > 0)
                return NULL;
        DL_DELETE(self->handles, handle);
        (void) fd_close(handle->fd);
        ledger_done(&handle->base.ledger);
        free(handle);
        return NULL;
}

static struct remote_handle *handle_new(struct remote_files *self) {
        struct remote_handle *handle = calloc(1, sizeof(*handle));

        if (!handle)
                return NULL;
        handle->id = ++self->last_id;
        handle->fd = handle->base.window_fd = -EBADF;
        handle->n_refs = 1;
        handle->base.files = &self->base;
        DL_APPEND(self->handles, handle);
        return handle;
}

static struct remote_call *call_free(struct remote_files *self, struct remote_call *call) {
        if (!call)
                return NULL;
        (void) fd_close(call->fd);
        intervals_done(&call->written);
        handle_unref(self, call->handle);
        if (call->kind == WIRE_DECRYPT && call->bytes)
                explicit_bzero(call->bytes, call->size); /* a key */
        free(call->bytes);
        free(call);
        return NULL;
}

static bool is_repeatable(const struct remote_call *call) {
        return call->kind == WIRE_CHECK || call->kind == WIRE_LIST || call->kind == WIRE_SWEEP;
}

/* The loop looks at us again, as nothing may be told from within a call. */
static void kick(struct remote_files *self) {
        const uint64_t one = 1;

        if (!self->kicked)
                self->kicked = write(self->kick_fd, &one, sizeof(one)) == sizeof(one);
}

/* @content->kind and ->handle are filled in here. The template's descriptor is CONSUMED in any case. */
static int call_submit(struct remote_files *self, const struct remote_call *template, struct wire_call *content) {
        struct remote_call *call = malloc(sizeof(*call));
        int r;

        if (!call) {
                (void) fd_close(template->fd);
                return -ENOMEM;
        }
        *call = *template;
        call->id = ++self->last_id;
        call->bytes = NULL;
        content->kind = call->kind;
        content->handle = call->handle ? call->handle->id : 0;
        r = wire_call_encode(content, &call->bytes, &call->size);
        if (r < 0) {
                (void) fd_close(call->fd);
                free(call);
                return r;
        }
        if (call->handle)
                call->handle->n_refs++;
        DL_APPEND(self->waiting, call);
        if (call->kind != WIRE_CLOSE)
                self->n_outstanding++;
        kick(self);
        return 0;
}

/* ---- telling ---- */

static void tell_open(struct remote_files *self, struct remote_call *call, const struct wire_answer *answer, int *fd) {
        struct files_open_result result = { .error = answer->error, .fd = -EBADF };

        if (result.error == 0 && *fd < 0) {
                /* We have too many open files. What it made there is found again by its name, which was recorded before. */
                result.error = -EMFILE;
                (void) call_submit(self, &(struct remote_call) { .kind = WIRE_CLOSE, .fd = -EBADF, .handle = call->handle },
                                   &(struct wire_call) {});
        }
        if (result.error == 0) {
                call->handle->fd = result.fd = TAKE_FD(*fd);
                call->handle->n_refs++; /* the receiver's */
                result.handle = &call->handle->base;
                result.temp = answer->temp;
                result.directory = answer->directory;
        }
        call->tell.open(&result, call->userdata);
}

/* A success is entered in the ledger first. */
static int settle(struct remote_call *call, int error) {
        return error < 0 ? error : intervals_add_all(&call->handle->base.ledger.durable, &call->written);
}

static void tell_finish(struct remote_call *call, const struct wire_answer *answer) {
        struct files_finish_result result = { .error = settle(call, answer->error), .bad = answer->bad };

        memcpy(result.sha256, answer->sha256, sizeof(result.sha256));
        call->tell.finish(&result, call->userdata);
}

static void tell(struct remote_files *self, struct remote_call *call, struct wire_answer *answer, int *fd) {
        switch (call->kind) {
        case WIRE_CHECK:
                return call->tell.check(&(struct files_check_result) { answer->error, answer->directory, answer->already_there },
                                        call->userdata);
        case WIRE_OPEN:
                return tell_open(self, call, answer, fd);
        case WIRE_RESERVE:
                return call->tell.done(answer->error, call->userdata);
        case WIRE_CHECKPOINT:
                if (answer->n_pieces > 0)
                        memcpy(call->chunks, answer->pieces, answer->n_pieces * sizeof(*call->chunks));
                return call->tell.done(settle(call, answer->error), call->userdata);
        case WIRE_SCRATCH:
                if (answer->error == 0 && *fd < 0)
                        answer->error = -EMFILE;
                return call->tell.scratch(answer->error, answer->error == 0 ? TAKE_FD(*fd) : answer->error, call->userdata);
        case WIRE_CERTIFICATE:
                return call->tell.certificate(&(struct files_certificate_result) { answer->error, answer->text ?: "", answer->certificate,
                                                                                   answer->key }, call->userdata);
        case WIRE_READ_HASHES:
                return call->tell.hashes(answer->error, TAKE_PTR(answer->hashes), call->userdata);
        case WIRE_VERIFY:
                return call->tell.verify(answer->error, answer->bad, answer->n_bad, call->userdata);
        case WIRE_FINISH:
                return tell_finish(call, answer);
        case WIRE_DECRYPT:
                answer->decrypt.error = answer->error;
                answer->decrypt.why = answer->decrypt.why ?: "";
                return call->tell.decrypt(&answer->decrypt, call->userdata);
        case WIRE_LIST:
                return call->tell.list(answer->error, answer->errors, answer->n_errors, call->userdata);
        case WIRE_SWEEP:
                return call->tell.sweep(answer->n_removed, call->userdata);
        case WIRE_WINDOW:
                call->handle->lost |= answer->error < 0;
                return;
        case WIRE_DROP:
                memcpy(call->handle->sha256, answer->sha256, sizeof(answer->sha256));
                return call->tell.done(answer->error, call->userdata);
        case WIRE_CLOSE:
        case _WIRE_KIND_MAX:
                break;
        }
}

/* It is in no list any more. */
static void call_conclude(struct remote_files *self, struct remote_call *call, struct wire_answer *answer, int *fd) {
        self->n_outstanding--;
        self->n_told++;
        tell(self, call, answer, fd);
        call_free(self, call);
}

static void call_fail(struct remote_files *self, struct remote_call *call, int error) {
        struct wire_answer answer = { .kind = call->kind, .error = error };
        int fd = -EBADF;

        if (call->kind == WIRE_CLOSE) {
                call_free(self, call);
                return;
        }
        /* Each piece has its verdict, each item its error. */
        answer.bad = calloc(MAX(call->n_expected, (size_t) 1), sizeof(*answer.bad));
        answer.errors = calloc(MAX(call->n_expected, (size_t) 1), sizeof(*answer.errors));
        answer.n_bad = answer.bad ? call->n_expected : 0;
        answer.n_errors = answer.errors ? call->n_expected : 0;
        for (size_t i = 0; i < answer.n_errors; i++)
                answer.errors[i] = error;
        call_conclude(self, call, &answer, &fd);
        wire_answer_done(&answer);
}

static bool chunks_fit(const struct remote_call *call, const struct wire_answer *answer) {
        if (answer->n_pieces != call->n_expected)
                return false;
        for (size_t i = 0; i < answer->n_pieces; i++)
                if (answer->pieces[i].start != call->chunks[i].start ||
                    (answer->pieces[i].bytes != call->chunks[i].bytes && answer->pieces[i].bytes != 0))
                        return false;
        return true;
}

/* Does it fit what was asked? The process could be anybody's by now. */
static bool answer_fits(const struct remote_call *call, const struct wire_answer *answer) {
        if (answer->kind != call->kind)
                return false;
        switch (call->kind) {
        case WIRE_VERIFY:
        case WIRE_FINISH:
                return answer->n_bad == call->n_expected;
        case WIRE_CHECKPOINT:
                return chunks_fit(call, answer);
        case WIRE_LIST:
                return answer->n_errors == call->n_expected;
        case WIRE_CERTIFICATE:
                return (answer->error == 0) == (answer->certificate && answer->key);
        case WIRE_READ_HASHES:
                return (answer->error == 0) == (answer->hashes != NULL);
        default:
                return true;
        }
}

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
        r = ipc_channel_new(fds[0], IPC_ROLE_CORE, IPC_ROLE_OWNER, NULL, &self->channel);
        if (r < 0) {
                (void) fd_close(fds[0]);
                (void) fd_close(fds[1]);
                return r;
        }
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
        if (r == 0 && !answer_fits(call, &answer)) {
                wire_answer_done(&answer);
                r = -EPROTO;
        }
        if (r == 0) {
                HASH_DELETE(hh, self->by_id, call);
                DL_DELETE(self->sent, call);
                call_conclude(self, call, &answer, &parcel.fd);
                wire_answer_done(&answer);
        }
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
                fd = fd_close(fd);
                if (r < 0)
                        process_failed(self, r);
        }
}

/* What can never be done any more. */
static void conclude_lost(struct remote_files *self) {
        struct remote_call *call, *next, *failed = NULL;

        DL_FOREACH_SAFE(self->waiting, call, next) {
                bool lost = call->handle && call->handle->lost;

                if (!lost && self->refused == 0 && call->n_deaths < DEATHS_PER_CALL && (!call->was_sent || is_repeatable(call)))
                        continue;
                DL_DELETE(self->waiting, call);
                DL_APPEND(failed, call);
        }
        DL_FOREACH_SAFE(failed, call, next) {
                DL_DELETE(failed, call);
                call_fail(self, call, self->refused < 0 ? self->refused : -EOWNERDEAD);
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
        r = parcel_send(self->channel, PARCEL_CALL, call->id, call->bytes, call->size, call->fd);
        DL_DELETE(self->waiting, call);
        if (r < 0 || call->kind == WIRE_CLOSE) {
                call_fail(self, call, r);
                return true;
        }
        call->was_sent = true;
        if (call->handle)
                call->handle->asked_for = true;
        DL_APPEND(self->sent, call);
        HASH_ADD(hh, self->by_id, id, sizeof(call->id), call);
        if (!is_repeatable(call)) { /* never needed again */
                free(TAKE_PTR(call->bytes));
                call->fd = fd_close(call->fd);
        }
        return true;
}

static void transmit(struct remote_files *self) {
        int r;

        if (!self->channel)
                return;
        /* Nothing is given to a process that has not said hello: one that cannot start must not lose requests. */
        while (ipc_channel_peer(self->channel) && self->waiting && send_one(self, self->waiting))
                ;
        r = ipc_channel_flush(self->channel);
        if (r < 0)
                return; /* what it said last is heard first: reading will find the end */
        if ((r > 0) != self->wants_out)
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
        struct epoll_event events[3];
        uint64_t ignored;

        self->n_told = 0;
        (void) epoll_wait(self->epoll_fd, events, ELEMENTSOF(events), 0);
        if (self->kicked && read(self->kick_fd, &ignored, sizeof(ignored)) < 0)
                log_debug("a kick went by: %s", strerror(errno));
        self->kicked = false;
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

static struct files *remote_free(struct files *files, bool abandon _unused_) {
        struct remote_files *self = to_remote(files);
        struct remote_call *call, *next;

        HASH_CLEAR(hh, self->by_id);
        DL_CONCAT(self->waiting, self->sent);
        self->sent = NULL;
        DL_FOREACH_SAFE(self->waiting, call, next)
                call_free(self, call);
        self->channel = ipc_channel_free(self->channel);
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
        return call_submit(to_remote(files), &call, &content);
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
        call.handle = handle_new(self);
        if (!call.handle)
                return -ENOMEM;
        r = call_submit(self, &call, &content);
        handle_unref(self, call.handle); /* the call has it, if there is one */
        return r;
}

static struct files_handle *remote_close(struct files *files, struct files_handle *handle) {
        struct remote_call call = { .kind = WIRE_CLOSE, .fd = -EBADF, .handle = to_handle(handle) };
        struct remote_files *self = to_remote(files);
        struct wire_call content = {};

        call.handle->fd = fd_close(call.handle->fd);
        if (!call.handle->lost && call_submit(self, &call, &content) < 0 && self->channel)
                process_lost(self, false); /* no memory: it would stay open there for ever */
        handle_unref(self, call.handle);
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
        r = call_submit(to_remote(files), call, content);
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
        return call_submit(to_remote(files), &call, &content);
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
        struct remote_call call = { .kind = WIRE_WINDOW, .handle = handle_new(self) };
        struct remote_handle *handle = call.handle;
        int r;

        if (!handle)
                return -ENOMEM;
        handle->digest = digest;
        r = digest_of_nothing(handle->sha256);
        call.fd = r < 0 ? r : fd_dup(fd);
        r = call.fd < 0 ? call.fd : call_submit(self, &call, &(struct wire_call) { .digest = digest });
        if (r < 0) {
                handle_unref(self, handle);
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

static int remote_finish(struct files *files, struct files_handle *handle, const struct files_finish_request *request,
                         files_finish_fn done, void *userdata) {
        struct remote_handle *mine = to_handle(handle);

        /* Nobody may be able to write any more: not we either. */
        mine->fd = fd_close(mine->fd);
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
        return call_submit(to_remote(files),
                           &(struct remote_call) { .kind = WIRE_LIST, .fd = -EBADF, .n_expected = n, .tell.list = done,
                                                   .userdata = userdata },
                           &(struct wire_call) { .list = kind, .items = (struct files_item *) items, .n_items = n });
}

static int remote_sweep(struct files *files, const struct files_sweep_request *request, files_sweep_fn done, void *userdata) {
        return call_submit(to_remote(files),
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
        .finish = remote_finish,
        .decrypt = remote_decrypt,
        .list = remote_list,
        .sweep = remote_sweep,
};

void files_remote_refuse(struct files *files, int error) {
        struct remote_files *self = to_remote(files);

        self->refused = error;
        kick(self);
}

bool files_remote_is_dormant(const struct files *files) {
        const struct remote_files *self = to_remote(files);

        return !self->channel && is_idle(self);
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
        if (r < 0) {
                remote_free(&self->base, false);
                return r;
        }
        *ret = &self->base;
        return 0;
}

#include "files/remote_call.h"

#include <string.h>
#include <unistd.h>

#include "base/fds.h"

/* ---- life of handles and calls ---- */

struct remote_handle *remote_handle_unref(struct remote_files *self, struct remote_handle *handle) {
        if (!handle || --handle->n_refs > 0)
                return NULL;
        DL_DELETE(self->handles, handle);
        (void) closer_drop(self->closer, handle->fd);
        (void) closer_drop(self->closer, handle->scratch_fd);
        ledger_done(&handle->base.ledger);
        free(handle);
        return NULL;
}

struct remote_handle *remote_handle_new(struct remote_files *self) {
        struct remote_handle *handle = calloc(1, sizeof(*handle));

        if (!handle)
                return NULL;
        handle->id = ++self->last_id;
        handle->fd = handle->scratch_fd = handle->base.window_fd = -EBADF;
        handle->n_refs = 1;
        handle->base.files = &self->base;
        DL_APPEND(self->handles, handle);
        return handle;
}

struct remote_call *remote_call_free(struct remote_files *self, struct remote_call *call) {
        if (!call)
                return NULL;
        (void) closer_drop(self->closer, call->fd);
        intervals_done(&call->written);
        remote_handle_unref(self, call->handle);
        if (call->kind == WIRE_DECRYPT && call->bytes)
                explicit_bzero(call->bytes, call->size); /* a key */
        free(call->bytes);
        free(call);
        return NULL;
}

bool remote_call_is_repeatable(const struct remote_call *call) {
        return call->kind == WIRE_CHECK || call->kind == WIRE_LIST || call->kind == WIRE_SWEEP;
}

void remote_kick(struct remote_files *self) {
        const uint64_t one = 1;

        if (!self->kicked)
                self->kicked = write(self->kick_fd, &one, sizeof(one)) == sizeof(one);
}

int remote_call_submit(struct remote_files *self, const struct remote_call *template, struct wire_call *content) {
        struct remote_call *call = malloc(sizeof(*call));
        int r;

        if (!call) {
                (void) closer_drop(self->closer, template->fd);
                return -ENOMEM;
        }
        *call = *template;
        call->id = ++self->last_id;
        call->bytes = NULL;
        content->kind = call->kind;
        content->handle = call->handle ? call->handle->id : 0;
        r = wire_call_encode(content, &call->bytes, &call->size);
        if (r < 0) {
                (void) closer_drop(self->closer, call->fd);
                free(call);
                return r;
        }
        if (call->handle)
                call->handle->n_refs++;
        DL_APPEND(self->waiting, call);
        if (call->kind != WIRE_CLOSE)
                self->n_outstanding++;
        remote_kick(self);
        return 0;
}

/* ---- telling ---- */

static void tell_open(struct remote_files *self, struct remote_call *call, const struct wire_answer *answer, int *fd) {
        struct files_open_result result = { .error = answer->error, .fd = -EBADF };

        if (result.error == 0 && *fd < 0) {
                /* We have too many open files. What it made there is found again by its name, which was recorded before. */
                result.error = -EMFILE;
                (void) remote_call_submit(self, &(struct remote_call) { .kind = WIRE_CLOSE, .fd = -EBADF, .handle = call->handle },
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
        case WIRE_DIGEST_AHEAD:
                return call->tell.done(answer->error, call->userdata);
        case WIRE_CHECKPOINT:
                if (answer->n_pieces > 0)
                        memcpy(call->chunks, answer->pieces, answer->n_pieces * sizeof(*call->chunks));
                return call->tell.done(settle(call, answer->error), call->userdata);
        case WIRE_SCRATCH:
                if (answer->error == 0 && *fd < 0)
                        answer->error = -EMFILE;
                (void) closer_drop(self->closer, call->handle->scratch_fd);
                call->handle->scratch_fd = answer->error == 0 ? TAKE_FD(*fd) : -EBADF;
                return call->tell.scratch(answer->error, answer->error == 0 ? call->handle->scratch_fd : answer->error, call->userdata);
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

void remote_call_conclude(struct remote_files *self, struct remote_call *call, struct wire_answer *answer, int *fd) {
        self->n_outstanding--;
        self->n_told++;
        tell(self, call, answer, fd);
        remote_call_free(self, call);
}

void remote_call_fail(struct remote_files *self, struct remote_call *call, int error) {
        struct wire_answer answer = { .kind = call->kind, .error = error };
        int fd = -EBADF;

        if (call->kind == WIRE_CLOSE) {
                remote_call_free(self, call);
                return;
        }
        /* Each piece has its verdict, each item its error. */
        answer.bad = calloc(MAX(call->n_expected, (size_t) 1), sizeof(*answer.bad));
        answer.errors = calloc(MAX(call->n_expected, (size_t) 1), sizeof(*answer.errors));
        answer.n_bad = answer.bad ? call->n_expected : 0;
        answer.n_errors = answer.errors ? call->n_expected : 0;
        for (size_t i = 0; i < answer.n_errors; i++)
                answer.errors[i] = error;
        remote_call_conclude(self, call, &answer, &fd);
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

bool remote_call_fits(const struct remote_call *call, const struct wire_answer *answer) {
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

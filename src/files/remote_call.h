/* What the core has asked an owner's process for, and how the answers are told. remote.c has the process itself, and the interface. */
#pragma once

#include <uthash.h>
#include <utlist.h>

#include "base/closer.h"
#include "files/digest.h"
#include "files/remote.h"
#include "files/wire.h"

struct remote_handle {
        struct files_handle base; /* first member */
        struct remote_handle *prev, *next;
        uint64_t id;
        int fd;
        int scratch_fd;
        unsigned n_refs; /* the receiver's, and one for each call */
        bool asked_for;  /* its OPEN was sent */
        bool lost;       /* its process died */
        bool closing;    /* our descriptor; nothing more is asked about it before that is done */
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
        struct closer *closer; /* of this owner's files */
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

static inline struct remote_files *to_remote(const struct files *files) {
        return CONTAINER_OF(files, struct remote_files, base);
}

static inline struct remote_handle *to_handle(struct files_handle *handle) {
        return CONTAINER_OF(handle, struct remote_handle, base);
}

struct remote_handle *remote_handle_new(struct remote_files *self);
struct remote_handle *remote_handle_unref(struct remote_files *self, struct remote_handle *handle);

/* @content->kind and ->handle are filled in here. The template's descriptor is CONSUMED in any case. */
int remote_call_submit(struct remote_files *self, const struct remote_call *template, struct wire_call *content);
struct remote_call *remote_call_free(struct remote_files *self, struct remote_call *call);
/* Asked twice it does no harm: the next process gets it when one died. */
bool remote_call_is_repeatable(const struct remote_call *call);
/* Does it fit what was asked? The process could be anybody's by now. */
bool remote_call_fits(const struct remote_call *call, const struct wire_answer *answer);
/* Tells and frees it. It is in no list any more. */
void remote_call_conclude(struct remote_files *self, struct remote_call *call, struct wire_answer *answer, int *fd);
void remote_call_fail(struct remote_files *self, struct remote_call *call, int error);

/* The loop looks at us again, as nothing may be told from within a call. */
void remote_kick(struct remote_files *self);

/* The requests of files.h and their results as bytes, for an owner role in another process: what a frame of src/ipc carries.
 *
 * 1. Fill in a struct wire_call or wire_answer, *_encode() it; the caller frees the bytes.
 * 2. *_decode() gives it back: strings point into the bytes, arrays are its own (*_done()).
 * 3. Bytes are taken only whole: every count, length, flag and enum is checked, and nothing may be left over.
 * A descriptor travels beside them. What is not about a kind stays zero. Pure functions of bytes. */
#pragma once

#include "files/ops.h"

enum wire_kind {
        WIRE_CHECK,
        WIRE_OPEN,  /* the answer has a descriptor if error is 0 */
        WIRE_CLOSE, /* no answer */
        WIRE_RESERVE,
        WIRE_CHECKPOINT,
        WIRE_SCRATCH, /* as OPEN */
        WIRE_CERTIFICATE,
        WIRE_READ_HASHES, /* with a descriptor */
        WIRE_VERIFY,
        WIRE_FINISH,
        WIRE_LIST,
        WIRE_SWEEP,
        WIRE_DECRYPT,
        WIRE_WINDOW, /* with the descriptor of its memory */
        WIRE_DROP,
        WIRE_DIGEST_AHEAD,
        _WIRE_KIND_MAX,
};

struct wire_call {
        enum wire_kind kind;
        uint64_t handle; /* chosen by the caller with OPEN and WINDOW; 0: none */
        struct files_check_request check;
        struct files_open_request open;
        uint64_t size;   /* RESERVE, READ_HASHES */
        bool background; /* RESERVE */
        const char *certificate; /* CERTIFICATE: its name */
        struct integrity_info expected; /* without its URL */
        struct files_finish_request finish;
        struct files_piece *pieces; /* VERIFY, FINISH; CHECKPOINT: chunks */
        size_t n_pieces;
        enum files_list_kind list;
        struct files_item *items;
        size_t n_items;
        struct files_sweep_request sweep;
        struct files_decrypt_request decrypt; /* with a key: who has the bytes wipes them */
        uint64_t target; /* DECRYPT: another handle, or 0 */
        bool digest;         /* WINDOW */
        uint64_t start, end; /* DROP, DIGEST_AHEAD */
        /* of what was decoded */
        uint8_t sha256[32];
        struct decryption_info info;
        const char **names;
};

struct wire_answer {
        enum wire_kind kind;
        int error; /* READ_HASHES, DECRYPT: also > 0 */
        struct files_identity temp, directory; /* OPEN; CHECK: directory */
        bool already_there;                    /* CHECK */
        bool *bad;                             /* VERIFY, FINISH */
        size_t n_bad;
        uint8_t sha256[32]; /* FINISH; DROP: of all that was dropped so far, if its window has a digest */
        struct files_piece *pieces; /* CHECKPOINT: chunks with their hashes */
        size_t n_pieces;
        int *errors;        /* LIST */
        size_t n_errors;
        struct piece_hashes *hashes; /* READ_HASHES, OWNED once decoded */
        uint64_t n_removed;          /* SWEEP */
        const char *text, *certificate, *key; /* CERTIFICATE */
        struct files_decrypt_result decrypt; /* without its error; its why points into the bytes once decoded */
};

int wire_call_encode(const struct wire_call *call, uint8_t **ret, size_t *ret_size);
int wire_call_decode(const void *bytes, size_t size, struct wire_call *ret); /* -EPROTO, -ENOMEM */
void wire_call_done(struct wire_call *call);

int wire_answer_encode(const struct wire_answer *answer, uint8_t **ret, size_t *ret_size);
int wire_answer_decode(const void *bytes, size_t size, struct wire_answer *ret);
void wire_answer_done(struct wire_answer *answer);

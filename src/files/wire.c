#include "files/wire.h"

#include <string.h>

#include "ipc/codec.h"
#include "ipc/message.h"

/* The least that an element takes on the wire: a count that its bytes cannot hold must not size an allocation. */
#define IDENTITY_BYTES (3 * 8 + 16)
#define PIECE_BYTES (8 + 4 + PIECE_HASH_BYTES)
#define ITEM_BYTES (2 * 5 + 2 * IDENTITY_BYTES + 1 + 8)
#define NAME_BYTES 5
#define HASH_PIECES_BYTES PIECE_HASH_BYTES

static void visit_identity(struct codec *c, struct files_identity *v) {
        codec_u64(c, &v->ino);
        codec_u64(c, &v->dev);
        codec_u64(c, &v->btime_usec);
        codec_check(c, v->btime_usec <= FILES_BTIME_MAX);
        codec_bytes(c, v->boot_id, sizeof(v->boot_id));
}

static void visit_path(struct codec *c, const char **s) {
        codec_string(c, s, LIMIT_PATH, STRING_REQUIRED | STRING_NOT_EMPTY);
}

static void visit_name(struct codec *c, const char **s) {
        codec_string(c, s, FILES_TEMP_NAME_MAX - 1, STRING_REQUIRED);
}

/* Makes room for what is about to be decoded. Return: false if there is nothing to walk over. */
static bool visit_count(struct codec *c, size_t *n, size_t least, size_t size, void **items) {
        uint32_t count = (uint32_t) *n;

        codec_check(c, *n <= UINT32_MAX);
        codec_u32(c, &count);
        if (c->failed)
                return false;
        if (!c->decoding)
                return true;
        if (count > (c->size - c->at) / least) {
                codec_check(c, false);
                return false;
        }
        *items = calloc(MAX(count, 1u), size);
        if (!*items) {
                codec_check(c, false);
                return false;
        }
        *n = count;
        return true;
}

static void visit_pieces(struct codec *c, struct files_piece **pieces, size_t *n) {
        if (!visit_count(c, n, PIECE_BYTES, sizeof(**pieces), (void **) pieces))
                return;
        for (size_t i = 0; i < *n; i++) {
                codec_u64(c, &(*pieces)[i].start);
                codec_u32(c, &(*pieces)[i].bytes);
                codec_bytes(c, (*pieces)[i].hash, PIECE_HASH_BYTES);
        }
}

static void visit_items(struct codec *c, struct files_item **items, size_t *n) {
        if (!visit_count(c, n, ITEM_BYTES, sizeof(**items), (void **) items))
                return;
        for (size_t i = 0; i < *n; i++) {
                struct files_item *item = &(*items)[i];

                visit_path(c, &item->path);
                visit_name(c, &item->temp_name);
                visit_identity(c, &item->temp);
                visit_identity(c, &item->directory);
                codec_bool(c, &item->replace);
                codec_u64(c, &item->mtime_usec);
        }
}

/* A digest or none. When decoding it lies in @storage. */
static void visit_digest(struct codec *c, const uint8_t **digest, uint8_t storage[static 32]) {
        bool there = *digest != NULL;

        codec_bool(c, &there);
        if (c->failed || !there)
                return;
        codec_bytes(c, c->decoding ? storage : (uint8_t *) *digest, 32);
        if (c->decoding)
                *digest = storage;
}

static void visit_check(struct codec *c, struct wire_call *v) {
        visit_path(c, &v->check.path);
        codec_u64(c, &v->check.client_directory.dev);
        codec_u64(c, &v->check.client_directory.ino);
        codec_bool(c, &v->check.replace);
        codec_bool(c, &v->check.background);
        codec_u64(c, &v->check.size);
        visit_digest(c, &v->check.sha256, v->sha256);
}

static void visit_open(struct codec *c, struct wire_call *v) {
        visit_path(c, &v->open.path);
        visit_name(c, &v->open.temp_name);
        codec_bool(c, &v->open.create);
        visit_identity(c, &v->open.temp);
        visit_identity(c, &v->open.directory);
        codec_bool(c, &v->open.adopt);
        codec_u64(c, &v->open.durable_end);
        codec_u64(c, &v->open.reserve_bytes);
        codec_bool(c, &v->open.background);
}

static void visit_expected(struct codec *c, struct integrity_info *v) {
        codec_bool(c, &v->has_digest);
        codec_bytes(c, v->digest, sizeof(v->digest));
        codec_bool(c, &v->has_hash_of_hashes);
        codec_bytes(c, v->hash_of_hashes, sizeof(v->hash_of_hashes));
}

static void visit_finish(struct codec *c, struct wire_call *v) {
        uint32_t mode = v->finish.mode;

        codec_u64(c, &v->finish.size);
        visit_digest(c, &v->finish.sha256, v->sha256);
        codec_u32(c, &mode);
        codec_check(c, mode <= 07777);
        if (c->decoding)
                v->finish.mode = mode;
        codec_u64(c, &v->finish.mtime_usec);
        visit_pieces(c, &v->pieces, &v->n_pieces);
}

static void visit_names(struct codec *c, struct wire_call *v) {
        size_t n = v->sweep.n_directories + v->sweep.n_known_names;
        uint32_t n_directories = (uint32_t) v->sweep.n_directories;

        codec_u32(c, &n_directories);
        if (!visit_count(c, &n, NAME_BYTES, sizeof(*v->names), (void **) &v->names))
                return;
        codec_check(c, n_directories <= n);
        for (size_t i = 0; !c->failed && i < n; i++) {
                const char *name = c->decoding ? NULL :
                        i < n_directories ? v->sweep.directories[i] : v->sweep.known_names[i - n_directories];

                if (i < n_directories)
                        visit_path(c, &name);
                else
                        visit_name(c, &name);
                if (c->decoding)
                        v->names[i] = name;
        }
        if (!c->decoding || c->failed)
                return;
        v->sweep.directories = v->names;
        v->sweep.n_directories = n_directories;
        v->sweep.known_names = v->names + n_directories;
        v->sweep.n_known_names = n - n_directories;
}

static void visit_decrypt(struct codec *c, struct wire_call *v) {
        struct decryption_info *info = c->decoding ? &v->info : (struct decryption_info *) v->decrypt.info;
        uint32_t key_bytes = (uint32_t) info->key_bytes, buffer_bytes = (uint32_t) info->buffer_bytes;

        codec_u64(c, &v->target);
        codec_u64(c, &v->decrypt.size);
        codec_u64(c, &v->decrypt.first);
        codec_bytes(c, info->key, sizeof(info->key));
        codec_u32(c, &key_bytes);
        codec_u32(c, &buffer_bytes);
        codec_enum(c, &info->mode, CHAINING_GCM + 1);
        codec_check(c, key_bytes == 16 || key_bytes == 24 || key_bytes == 32);
        codec_check(c, buffer_bytes >= LIMIT_ENCRYPTION_BUFFER_MIN && buffer_bytes <= LIMIT_ENCRYPTION_BUFFER && buffer_bytes % 16 == 0);
        if (!c->decoding)
                return;
        info->key_bytes = key_bytes;
        info->buffer_bytes = buffer_bytes;
        v->decrypt.info = info;
}

static void visit_call_content(struct codec *c, struct wire_call *v) {
        switch (v->kind) {
        case WIRE_CHECK:
                return visit_check(c, v);
        case WIRE_OPEN:
                return visit_open(c, v);
        case WIRE_CLOSE:
        case WIRE_SCRATCH:
                return;
        case WIRE_RESERVE:
                codec_u64(c, &v->size);
                return codec_bool(c, &v->background);
        case WIRE_CERTIFICATE:
                return codec_string(c, &v->certificate, CERTIFICATE_TEXT_MAX, STRING_REQUIRED | STRING_NOT_EMPTY | STRING_NO_CONTROL);
        case WIRE_READ_HASHES:
                codec_u64(c, &v->size);
                return visit_expected(c, &v->expected);
        case WIRE_CHECKPOINT:
        case WIRE_VERIFY:
                return visit_pieces(c, &v->pieces, &v->n_pieces);
        case WIRE_FINISH:
                return visit_finish(c, v);
        case WIRE_LIST:
                codec_enum(c, &v->list, _FILES_LIST_MAX);
                return visit_items(c, &v->items, &v->n_items);
        case WIRE_SWEEP:
                codec_u64(c, &v->sweep.min_age_usec);
                codec_u64(c, &v->sweep.now_usec);
                return visit_names(c, v);
        case WIRE_DECRYPT:
                return visit_decrypt(c, v);
        case WIRE_WINDOW:
                return codec_bool(c, &v->digest);
        case WIRE_DROP:
        case WIRE_DIGEST_AHEAD:
                codec_u64(c, &v->start);
                codec_u64(c, &v->end);
                return codec_check(c, v->start < v->end && v->end <= LIMIT_FILE_SIZE);
        case _WIRE_KIND_MAX:
                break;
        }
        codec_check(c, false);
}

static bool kind_has_handle(enum wire_kind kind) {
        return kind != WIRE_CHECK && kind != WIRE_LIST && kind != WIRE_SWEEP;
}

static void visit_call(struct codec *c, void *value) {
        struct wire_call *v = value;

        codec_enum(c, &v->kind, _WIRE_KIND_MAX);
        codec_u64(c, &v->handle);
        codec_check(c, c->failed || (v->handle != 0) == kind_has_handle(v->kind));
        if (!c->failed)
                visit_call_content(c, v);
        codec_align(c);
}

/* ---- answers ---- */

static void visit_error(struct codec *c, int *error, int max) {
        uint32_t bits = (uint32_t) *error;

        codec_u32(c, &bits);
        codec_check(c, (int32_t) bits >= -IPC_ERRNO_MAX && (int32_t) bits <= max);
        if (c->decoding && !c->failed)
                *error = (int32_t) bits;
}

static void visit_bad(struct codec *c, struct wire_answer *v) {
        if (!visit_count(c, &v->n_bad, 1, sizeof(*v->bad), (void **) &v->bad))
                return;
        for (size_t i = 0; i < v->n_bad; i++)
                codec_bool(c, &v->bad[i]);
}

static void visit_errors(struct codec *c, struct wire_answer *v) {
        if (!visit_count(c, &v->n_errors, sizeof(uint32_t), sizeof(*v->errors), (void **) &v->errors))
                return;
        for (size_t i = 0; i < v->n_errors; i++)
                visit_error(c, &v->errors[i], 0);
}

static void visit_hashes(struct codec *c, struct wire_answer *v) {
        bool there = v->hashes != NULL;

        codec_bool(c, &there);
        if (c->failed || !there)
                return;
        if (c->decoding) {
                v->hashes = calloc(1, sizeof(*v->hashes));
                codec_check(c, v->hashes != NULL);
                if (!v->hashes)
                        return;
        }
        codec_u64(c, &v->hashes->content_length);
        codec_u64(c, &v->hashes->piece_bytes);
        codec_check(c, v->hashes->content_length <= LIMIT_FILE_SIZE && v->hashes->piece_bytes > 0);
        if (!visit_count(c, &v->hashes->n_pieces, HASH_PIECES_BYTES, PIECE_HASH_BYTES, (void **) &v->hashes->hashes))
                return;
        codec_check(c, v->hashes->n_pieces == piece_hashes_count(v->hashes->content_length, v->hashes->piece_bytes));
        for (size_t i = 0; !c->failed && i < v->hashes->n_pieces; i++)
                codec_bytes(c, v->hashes->hashes[i], PIECE_HASH_BYTES);
}

static void visit_certificate(struct codec *c, struct wire_answer *v) {
        codec_string(c, &v->text, LIMIT_ERROR_TEXT, STRING_NO_CONTROL);
        codec_string(c, &v->certificate, LIMIT_CERTIFICATE, STRING_NOT_EMPTY);
        codec_string(c, &v->key, LIMIT_CERTIFICATE_KEY, STRING_NOT_EMPTY);
}

static void visit_decrypted(struct codec *c, struct files_decrypt_result *v) {
        codec_string(c, &v->why, LIMIT_ERROR_TEXT, STRING_REQUIRED);
        codec_u64(c, &v->content_max);
        codec_u64(c, &v->content_bytes);
        codec_u64(c, &v->next);
        codec_bool(c, &v->is_complete);
}

static void visit_answer(struct codec *c, void *value) {
        struct wire_answer *v = value;

        codec_enum(c, &v->kind, _WIRE_KIND_MAX);
        visit_error(c, &v->error, v->kind == WIRE_READ_HASHES || v->kind == WIRE_DECRYPT ? _ERROR_CODE_MAX - 1 : 0);
        visit_identity(c, &v->temp);
        visit_identity(c, &v->directory);
        codec_bool(c, &v->already_there);
        codec_bytes(c, v->sha256, sizeof(v->sha256));
        codec_u64(c, &v->n_removed);
        if (!c->failed)
                visit_bad(c, v);
        if (!c->failed)
                visit_errors(c, v);
        if (!c->failed)
                visit_pieces(c, &v->pieces, &v->n_pieces);
        if (!c->failed)
                visit_hashes(c, v);
        if (!c->failed && v->kind == WIRE_CERTIFICATE)
                visit_certificate(c, v);
        if (!c->failed && v->kind == WIRE_DECRYPT)
                visit_decrypted(c, &v->decrypt);
        codec_align(c);
}

/* ---- both ---- */

/* Twice: to learn how much it takes, and to write. The value is not changed. */
static int encode(void (*visit)(struct codec *c, void *value), const void *value, uint8_t **ret, size_t *ret_size) {
        struct codec measure = { .size = IPC_LARGE_BYTES_MAX }, c;
        _cleanup_free_ uint8_t *bytes = NULL;

        visit(&measure, (void *) value);
        if (measure.failed)
                return -EINVAL;
        bytes = malloc(measure.at);
        if (!bytes)
                return -ENOMEM;
        c = (struct codec) { .out = bytes, .size = measure.at };
        visit(&c, (void *) value);
        assert(!c.failed && c.at == c.size);
        *ret = TAKE_PTR(bytes);
        *ret_size = c.at;
        return 0;
}

int wire_call_encode(const struct wire_call *call, uint8_t **ret, size_t *ret_size) {
        return encode(visit_call, call, ret, ret_size);
}

int wire_answer_encode(const struct wire_answer *answer, uint8_t **ret, size_t *ret_size) {
        return encode(visit_answer, answer, ret, ret_size);
}

int wire_call_decode(const void *bytes, size_t size, struct wire_call *ret) {
        struct codec c = { .decoding = true, .in = bytes, .size = size };

        *ret = (struct wire_call) {};
        visit_call(&c, ret);
        if (!c.failed && c.at == c.size)
                return 0;
        wire_call_done(ret);
        return -EPROTO;
}

int wire_answer_decode(const void *bytes, size_t size, struct wire_answer *ret) {
        struct codec c = { .decoding = true, .in = bytes, .size = size };

        *ret = (struct wire_answer) {};
        visit_answer(&c, ret);
        if (!c.failed && c.at == c.size)
                return 0;
        wire_answer_done(ret);
        return -EPROTO;
}

void wire_call_done(struct wire_call *call) {
        decryption_info_done(&call->info);
        free(call->pieces);
        free(call->items);
        free(call->names);
        *call = (struct wire_call) {};
}

void wire_answer_done(struct wire_answer *answer) {
        free(answer->bad);
        free(answer->errors);
        free(answer->pieces);
        answer->hashes = piece_hashes_free(answer->hashes);
        *answer = (struct wire_answer) {};
}

#include "ipc/message.h"

#include <string.h>

#include "base/strings.h"

#define IPC_MAGIC UINT32_C(0x43765344) /* "DSvC" */

struct ipc_header {
        uint32_t magic;
        uint16_t type;
        uint16_t n_fds;
        uint32_t size; /* with the header; a multiple of 8 */
        uint32_t reserved;
};

static_assert(sizeof(struct ipc_header) == IPC_HEADER_SIZE, "the header has no padding");
static_assert(sizeof(struct ipc_piece) == 24, "a piece has no padding");
static_assert(IPC_HEADER_SIZE + 256 + IPC_PIECES_MAX * sizeof(struct ipc_piece) + LIMIT_URL + IPC_ORIGIN_MAX +
              3 * LIMIT_VALIDATOR + LIMIT_HTTP_METHOD + 8 + 2 * (LIMIT_CUSTOM_HEADERS + 8) + 2 * (LIMIT_CREDENTIALS + 8) + IPC_PROXIES_MAX * (IPC_PROXY_BYTES + 8) <= IPC_FRAME_MAX,
              "the largest START fits one frame");

#define STRING_NULL UINT32_MAX

enum string_rule {
        STRING_REQUIRED = 1 << 0,
        STRING_NO_CONTROL = 1 << 1, /* what comes from the network must not carry a line end any further (CVE-2019-3462) */
        STRING_NOT_EMPTY = 1 << 2,
        STRING_UTF8 = 1 << 3,
};

/* Walks over a frame; the first error sticks. When encoding, nothing that is visited is changed. */
struct codec {
        bool decoding;
        bool failed;
        uint8_t *out;
        const uint8_t *in;
        size_t at;
        size_t size;
};

static void codec_fail(struct codec *c) {
        c->failed = true;
}

static void codec_check(struct codec *c, bool ok) {
        if (!ok)
                codec_fail(c);
}

static void codec_bytes(struct codec *c, void *p, size_t n) {
        if (c->failed || n > c->size - c->at)
                return codec_fail(c);
        if (c->decoding)
                memcpy(p, c->in + c->at, n);
        else
                memcpy(c->out + c->at, p, n);
        c->at += n;
}

static void codec_u64(struct codec *c, uint64_t *v) {
        codec_bytes(c, v, sizeof(*v));
}

static void codec_u32(struct codec *c, uint32_t *v) {
        codec_bytes(c, v, sizeof(*v));
}

static void codec_bool(struct codec *c, bool *v) {
        uint8_t byte = c->decoding ? 0 : *v;

        codec_bytes(c, &byte, 1);
        codec_check(c, byte <= 1);
        if (c->decoding && !c->failed)
                *v = byte == 1;
}

/* @v: an enum below @max; read and written through its number. */
#define codec_enum(c, v, max)                            \
        do {                                             \
                uint32_t _n_ = (uint32_t) *(v);          \
                codec_u32(c, &_n_);                      \
                codec_check(c, _n_ < (uint32_t) (max));  \
                if ((c)->decoding && !(c)->failed)       \
                        *(v) = (__typeof__(*(v))) _n_;   \
        } while (false)

static void codec_align(struct codec *c) {
        static const uint8_t zeros[8];
        uint8_t pad[8] = {};
        size_t n = (8 - c->at % 8) % 8;

        codec_bytes(c, pad, n);
        codec_check(c, memcmp(pad, zeros, n) == 0);
}

/* Length, bytes, NUL. A decoded string points into the frame. */
static void codec_string(struct codec *c, const char **s, size_t max, unsigned rules) {
        uint32_t n = STRING_NULL;
        const char *p;

        if (!c->decoding && *s)
                n = (uint32_t) strnlen(*s, max + 1);
        codec_u32(c, &n);
        if (c->failed)
                return;
        if (n == STRING_NULL) {
                codec_check(c, !(rules & STRING_REQUIRED));
                if (c->decoding)
                        *s = NULL;
                return;
        }
        if (n > max || n + 1 > c->size - c->at || (n == 0 && (rules & STRING_NOT_EMPTY)))
                return codec_fail(c);
        if (!c->decoding)
                memcpy(c->out + c->at, *s, n + 1);
        p = (const char *) (c->decoding ? c->in : c->out) + c->at;
        codec_check(c, strnlen(p, n + 1) == n);
        if (!c->failed && (rules & STRING_NO_CONTROL))
                codec_check(c, !string_has_control(p));
        if (!c->failed && (rules & STRING_UTF8))
                codec_check(c, utf8_is_valid(p, n));
        if (c->decoding && !c->failed)
                *s = p;
        c->at += n + 1;
}

static void codec_count(struct codec *c, uint32_t *n, uint32_t min, uint32_t max) {
        codec_u32(c, n);
        codec_check(c, *n >= min && *n <= max);
}

static void visit_hello(struct codec *c, struct ipc_hello *m) {
        codec_u32(c, &m->version);
        codec_enum(c, &m->role, _IPC_ROLE_MAX);
        codec_u32(c, &m->landlock_abi);
        codec_bool(c, &m->seccomp);
        codec_string(c, &m->program_version, IPC_PROGRAM_VERSION_MAX,
                     STRING_REQUIRED | STRING_NOT_EMPTY | STRING_NO_CONTROL);
}

static void visit_limits(struct codec *c, struct ipc_limits *m) {
        codec_u32(c, &m->max_connections_per_owner);
        codec_u32(c, &m->max_connections_per_host);
        codec_check(c, m->max_connections_per_owner > 0 && m->max_connections_per_host > 0);
}

static bool piece_is_valid(const struct ipc_piece *piece, bool last) {
        if (piece->remote_offset > LIMIT_FILE_SIZE || piece->local_offset > LIMIT_FILE_SIZE)
                return false;
        if (piece->length == UINT64_MAX)
                return last;
        return piece->length > 0 && piece->length <= LIMIT_FILE_SIZE;
}

static void visit_pieces(struct codec *c, uint32_t *n_pieces, const struct ipc_piece **pieces) {
        size_t n;

        codec_count(c, n_pieces, 1, IPC_PIECES_MAX);
        codec_align(c);
        n = *n_pieces * sizeof(**pieces);
        if (c->failed || n > c->size - c->at)
                return codec_fail(c);
        if (c->decoding)
                *pieces = (const struct ipc_piece *) (const void *) (c->in + c->at); /* the frame and this are aligned to 8 */
        else
                memcpy(c->out + c->at, *pieces, n);
        c->at += n;
        for (uint32_t i = 0; i < *n_pieces; i++)
                codec_check(c, piece_is_valid(&(*pieces)[i], i + 1 == *n_pieces));
}

static void visit_pace(struct codec *c, struct ipc_pace *m) {
        codec_bool(c, &m->foreground);
        codec_u64(c, &m->max_rate);
        codec_check(c, m->max_rate > 0);
}

static void visit_set_pace(struct codec *c, struct ipc_set_pace *m) {
        codec_u64(c, &m->id);
        visit_pace(c, &m->pace);
}

static void visit_start(struct codec *c, struct ipc_start *m) {
        codec_u64(c, &m->id);
        codec_u64(c, &m->owner);
        visit_pace(c, &m->pace);
        codec_bool(c, &m->whole_file);
        codec_bool(c, &m->digest_decides);
        codec_bool(c, &m->allow_insecure_redirect);
        codec_bool(c, &m->disallow_redirects);
        codec_u64(c, &m->remote_size);
        codec_u64(c, &m->stated_size);
        codec_u64(c, &m->max_bytes);
        codec_u64(c, &m->connect_timeout_usec);
        codec_u64(c, &m->stall_timeout_usec);
        codec_string(c, &m->url, LIMIT_URL, STRING_REQUIRED | STRING_NOT_EMPTY | STRING_NO_CONTROL);
        codec_string(c, &m->etag, LIMIT_VALIDATOR, STRING_NO_CONTROL);
        codec_string(c, &m->last_modified, LIMIT_VALIDATOR, STRING_NO_CONTROL);
        codec_string(c, &m->encoding, LIMIT_VALIDATOR, STRING_NO_CONTROL);
        codec_string(c, &m->origin, IPC_ORIGIN_MAX, STRING_NO_CONTROL);
        codec_string(c, &m->method, LIMIT_HTTP_METHOD, STRING_NOT_EMPTY | STRING_NO_CONTROL);
        codec_string(c, &m->headers, LIMIT_CUSTOM_HEADERS, 0);
        codec_string(c, &m->auth_headers, LIMIT_CUSTOM_HEADERS, 0);
        codec_string(c, &m->credentials, LIMIT_CREDENTIALS, STRING_NO_CONTROL);
        codec_u32(c, &m->credentials_schemes);
        codec_string(c, &m->proxy_credentials, LIMIT_CREDENTIALS, STRING_NO_CONTROL);
        codec_u32(c, &m->proxy_schemes);
        codec_u32(c, &m->ignore_certificate);
        codec_bool(c, &m->check_revocation);
        codec_count(c, &m->n_proxies, 0, IPC_PROXIES_MAX);
        for (uint32_t i = 0; !c->failed && i < m->n_proxies; i++)
                codec_string(c, &m->proxies[i], IPC_PROXY_BYTES, STRING_REQUIRED | STRING_NO_CONTROL);
        visit_pieces(c, &m->n_pieces, &m->pieces);
}

static void visit_stop(struct codec *c, struct ipc_stop *m) {
        codec_u64(c, &m->id);
}

static void visit_metadata(struct codec *c, struct ipc_metadata *m) {
        codec_u64(c, &m->id);
        codec_u32(c, &m->http_status);
        codec_u64(c, &m->remote_size);
        codec_u64(c, &m->remote_time_usec);
        codec_string(c, &m->etag, LIMIT_VALIDATOR, STRING_NO_CONTROL);
        codec_string(c, &m->last_modified, LIMIT_VALIDATOR, STRING_NO_CONTROL);
        codec_string(c, &m->encoding, LIMIT_VALIDATOR, STRING_NO_CONTROL);
        codec_string(c, &m->origin, IPC_ORIGIN_MAX, STRING_NO_CONTROL);
        codec_string(c, &m->redirected_url, LIMIT_URL, STRING_NO_CONTROL);
        codec_string(c, &m->address, IPC_ADDRESS_TEXT_MAX, STRING_NO_CONTROL | STRING_UTF8);
        codec_string(c, &m->headers, LIMIT_KEPT_HEADERS, STRING_UTF8);
        codec_bool(c, &m->refused);
}

static void visit_progress(struct codec *c, struct ipc_progress *m) {
        codec_u64(c, &m->id);
        codec_u64(c, &m->local_start);
        codec_u64(c, &m->local_end);
        codec_u64(c, &m->bytes_fetched);
        codec_check(c, m->local_start < m->local_end);
}

static void visit_finished(struct codec *c, struct ipc_finished *m) {
        codec_u64(c, &m->id);
        codec_enum(c, &m->outcome, IPC_OUTCOMES);
        codec_enum(c, &m->code, _ERROR_CODE_MAX);
        codec_enum(c, &m->context, _ERROR_CONTEXT_MAX);
        codec_bool(c, &m->transient);
        codec_bool(c, &m->length_unverified);
        codec_u32(c, &m->detail);
        codec_u64(c, &m->retry_after_usec);
        codec_u64(c, &m->local_end);
        codec_u64(c, &m->bytes_fetched);
        codec_string(c, &m->text, LIMIT_ERROR_TEXT, STRING_REQUIRED | STRING_NO_CONTROL);
}

static void visit_resolve(struct codec *c, struct ipc_resolve *m) {
        codec_u64(c, &m->id);
        codec_bool(c, &m->only_public);
        codec_string(c, &m->host, IPC_HOST_MAX, STRING_REQUIRED | STRING_NOT_EMPTY | STRING_NO_CONTROL);
}

static void visit_address(struct codec *c, struct ipc_address *m) {
        static const uint8_t zeros[12];

        codec_u32(c, &m->family);
        codec_bytes(c, m->bytes, sizeof(m->bytes));
        codec_check(c, m->family == 6 || (m->family == 4 && memcmp(m->bytes + 4, zeros, sizeof(zeros)) == 0));
}

static void visit_resolved(struct codec *c, struct ipc_resolved *m) {
        codec_u64(c, &m->id);
        codec_enum(c, &m->status, _IPC_RESOLVE_STATUS_MAX);
        codec_string(c, &m->text, LIMIT_ERROR_TEXT, STRING_REQUIRED | STRING_NO_CONTROL);
        codec_count(c, &m->n_addresses, 0, IPC_ADDRESSES_MAX);
        codec_check(c, (m->n_addresses > 0) == (m->status == IPC_RESOLVE_OK));
        for (uint32_t i = 0; !c->failed && i < m->n_addresses; i++)
                visit_address(c, &m->addresses[i]);
}

static void visit_message(struct codec *c, struct ipc_message *m) {
        switch (m->type) {
        case IPC_HELLO:
                return visit_hello(c, &m->hello);
        case IPC_LIMITS:
                return visit_limits(c, &m->limits);
        case IPC_START:
                return visit_start(c, &m->start);
        case IPC_STOP:
                return visit_stop(c, &m->stop);
        case IPC_PACE:
                return visit_set_pace(c, &m->set_pace);
        case IPC_METADATA:
                return visit_metadata(c, &m->metadata);
        case IPC_PROGRESS:
                return visit_progress(c, &m->progress);
        case IPC_FINISHED:
                return visit_finished(c, &m->finished);
        case IPC_RESOLVE:
                return visit_resolve(c, &m->resolve);
        case IPC_RESOLVED:
                return visit_resolved(c, &m->resolved);
        case _IPC_TYPE_MAX:
                break;
        }
        codec_fail(c);
}

static const struct ipc_type_row {
        const char *name;
        enum ipc_role from, to; /* HELLO: any */
        unsigned n_fds;
} type_rows[_IPC_TYPE_MAX] = {
        [IPC_HELLO] = { "HELLO", _IPC_ROLE_MAX, _IPC_ROLE_MAX, 0 },
        [IPC_LIMITS] = { "LIMITS", IPC_ROLE_CORE, IPC_ROLE_TRANSFER, 0 },
        [IPC_START] = { "START", IPC_ROLE_CORE, IPC_ROLE_TRANSFER, 1 },
        [IPC_STOP] = { "STOP", IPC_ROLE_CORE, IPC_ROLE_TRANSFER, 0 },
        [IPC_PACE] = { "PACE", IPC_ROLE_CORE, IPC_ROLE_TRANSFER, 0 },
        [IPC_METADATA] = { "METADATA", IPC_ROLE_TRANSFER, IPC_ROLE_CORE, 0 },
        [IPC_PROGRESS] = { "PROGRESS", IPC_ROLE_TRANSFER, IPC_ROLE_CORE, 0 },
        [IPC_FINISHED] = { "FINISHED", IPC_ROLE_TRANSFER, IPC_ROLE_CORE, 0 },
        [IPC_RESOLVE] = { "RESOLVE", IPC_ROLE_TRANSFER, IPC_ROLE_RESOLVE, 0 },
        [IPC_RESOLVED] = { "RESOLVED", IPC_ROLE_RESOLVE, IPC_ROLE_TRANSFER, 0 },
};

unsigned ipc_type_fds(enum ipc_type type) {
        return type_rows[type].n_fds;
}

bool ipc_type_is_allowed(enum ipc_type type, enum ipc_role from, enum ipc_role to) {
        return type == IPC_HELLO || (type_rows[type].from == from && type_rows[type].to == to);
}

const char *ipc_type_name(enum ipc_type type) {
        return type < _IPC_TYPE_MAX ? type_rows[type].name : NULL;
}

ssize_t ipc_encode(const struct ipc_message *message, uint8_t frame[static IPC_FRAME_MAX]) {
        struct codec c = { .out = frame, .at = IPC_HEADER_SIZE, .size = IPC_FRAME_MAX };
        struct ipc_header header = { .magic = IPC_MAGIC };

        if ((unsigned) message->type >= _IPC_TYPE_MAX)
                return -EINVAL;
        visit_message(&c, (struct ipc_message *) message);
        codec_align(&c);
        if (c.failed)
                return c.at + LIMIT_CUSTOM_HEADERS > IPC_FRAME_MAX ? -EMSGSIZE : -EINVAL;
        header.type = (uint16_t) message->type;
        header.n_fds = (uint16_t) ipc_type_fds(message->type);
        header.size = (uint32_t) c.at;
        memcpy(frame, &header, sizeof(header));
        return (ssize_t) c.at;
}

ssize_t ipc_decode(const uint8_t *bytes, size_t size, struct ipc_message *ret) {
        struct codec c = { .decoding = true, .in = bytes, .at = IPC_HEADER_SIZE };
        struct ipc_header header;

        assert((uintptr_t) bytes % 8 == 0);
        if (size < IPC_HEADER_SIZE)
                return -EPROTO;
        memcpy(&header, bytes, sizeof(header));
        if (header.magic != IPC_MAGIC || header.type >= _IPC_TYPE_MAX || header.reserved != 0 ||
            header.n_fds != ipc_type_fds(header.type) || header.size < IPC_HEADER_SIZE || header.size > size ||
            header.size > IPC_FRAME_MAX || header.size % 8 != 0)
                return -EPROTO;
        memset(ret, 0, sizeof(*ret));
        ret->type = header.type;
        c.size = header.size;
        visit_message(&c, ret);
        codec_align(&c);
        if (c.failed || c.at != c.size)
                return -EPROTO;
        return (ssize_t) header.size;
}

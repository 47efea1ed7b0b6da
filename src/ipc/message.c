#include "ipc/message.h"

#include <string.h>

#include "ipc/codec.h"

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
static_assert(IPC_HEADER_SIZE + 256 + IPC_PIECES_MAX * sizeof(struct ipc_piece) + LIMIT_URL + LIMIT_ORIGIN +
              3 * LIMIT_VALIDATOR + LIMIT_HTTP_METHOD + 8 + LIMIT_CERTIFICATE + LIMIT_CERTIFICATE_KEY + 16 + 2 * (LIMIT_CUSTOM_HEADERS + 8) + 2 * (LIMIT_CREDENTIALS + 8) + LIMIT_ACCEPTED_CERTIFICATES * 32 + IPC_PROXIES_MAX * (IPC_PROXY_BYTES + 8) <= IPC_FRAME_MAX,
              "the largest START fits one frame");

static_assert(IPC_HEADER_SIZE + 64 + LIMIT_SERVER_CERTIFICATE + LIMIT_SERVER_CERTIFICATES <= IPC_FRAME_MAX, "so does the largest CERTIFICATE");

static void visit_hello(struct codec *c, struct ipc_hello *m) {
        codec_u32(c, &m->version);
        codec_enum(c, &m->role, _IPC_ROLE_MAX);
        codec_string(c, &m->program_version, IPC_PROGRAM_VERSION_MAX,
                     STRING_REQUIRED | STRING_NOT_EMPTY | STRING_NO_CONTROL);
}

static void visit_equip(struct codec *c, struct ipc_equip *m) {
        codec_enum(c, &m->what, _IPC_EQUIPMENT_MAX);
}

static void visit_limits(struct codec *c, struct ipc_limits *m) {
        codec_u32(c, &m->max_connections_per_owner);
        codec_u32(c, &m->max_connections_per_host);
        codec_check(c, m->max_connections_per_owner > 0 && m->max_connections_per_host > 0);
}

static void visit_host_key(struct codec *c, const char **host) {
        codec_string(c, host, IPC_HOST_KEY_MAX, STRING_REQUIRED | STRING_NOT_EMPTY | STRING_NO_CONTROL);
}

static void visit_places(struct codec *c, struct ipc_places *m) {
        visit_host_key(c, &m->host);
        codec_u32(c, &m->given);
        codec_u32(c, &m->recalled);
        codec_check(c, m->given <= IPC_PLACES_MAX && m->recalled <= IPC_PLACES_MAX);
}

static void visit_want_places(struct codec *c, struct ipc_want_places *m) {
        visit_host_key(c, &m->host);
        codec_u32(c, &m->returned);
        codec_u32(c, &m->wanted);
        codec_check(c, m->returned <= IPC_PLACES_MAX && m->wanted <= IPC_PLACES_MAX);
}

static void visit_line_use(struct codec *c, struct ipc_line_use *m) {
        codec_u64(c, &m->low);
        codec_u64(c, &m->high);
        codec_u32(c, &m->n);
        codec_bool(c, &m->slowdown);
        codec_check(c, m->low <= m->high && m->high <= IPC_LINE_RATE_MAX && m->n <= IPC_LINE_PLACES_MAX);
}

static bool piece_is_valid(const struct ipc_piece *piece, bool last) {
        if (piece->remote_offset > LIMIT_FILE_SIZE || piece->local_offset > LIMIT_FILE_SIZE)
                return false;
        if (piece->length == UINT64_MAX)
                return last;
        return piece->length > 0 && piece->length <= LIMIT_FILE_SIZE;
}

static void visit_pieces(struct codec *c, uint32_t *n_pieces, const struct ipc_piece **pieces) {
        const void *bytes = *pieces;

        codec_count(c, n_pieces, 1, IPC_PIECES_MAX);
        codec_align(c);
        if (c->failed)
                return;
        codec_span(c, &bytes, *n_pieces * sizeof(**pieces));
        if (c->failed)
                return;
        if (c->decoding)
                *pieces = bytes; /* the frame and this are aligned to 8 */
        for (uint32_t i = 0; i < *n_pieces; i++)
                codec_check(c, piece_is_valid(&(*pieces)[i], i + 1 == *n_pieces));
}

static void visit_pace(struct codec *c, struct ipc_pace *m) {
        codec_bool(c, &m->foreground);
        codec_u64(c, &m->max_rate);
        codec_check(c, m->max_rate > 0);
        codec_u64(c, &m->hold_at);
        codec_u64(c, &m->end_at);
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
        codec_u64(c, &m->floor_rate);
        codec_bool(c, &m->firm_floor);
        codec_bool(c, &m->own_connection);
        codec_bool(c, &m->replace_stalled);
        codec_bool(c, &m->from_public);
        codec_string(c, &m->url, LIMIT_URL, STRING_REQUIRED | STRING_NOT_EMPTY | STRING_NO_CONTROL);
        codec_string(c, &m->etag, LIMIT_VALIDATOR, STRING_NO_CONTROL);
        codec_string(c, &m->last_modified, LIMIT_VALIDATOR, STRING_NO_CONTROL);
        codec_string(c, &m->encoding, LIMIT_VALIDATOR, STRING_NO_CONTROL);
        codec_string(c, &m->origin, LIMIT_ORIGIN, STRING_NO_CONTROL);
        codec_string(c, &m->method, LIMIT_HTTP_METHOD, STRING_NOT_EMPTY | STRING_NO_CONTROL);
        codec_string(c, &m->headers, LIMIT_CUSTOM_HEADERS, 0);
        codec_string(c, &m->auth_headers, LIMIT_CUSTOM_HEADERS, 0);
        codec_string(c, &m->client_certificate, LIMIT_CERTIFICATE, STRING_NOT_EMPTY);
        codec_string(c, &m->client_key, LIMIT_CERTIFICATE_KEY, STRING_NOT_EMPTY);
        codec_check(c, !m->client_certificate == !m->client_key);
        codec_string(c, &m->credentials, LIMIT_CREDENTIALS, STRING_NO_CONTROL);
        codec_u32(c, &m->credentials_schemes);
        codec_string(c, &m->proxy_credentials, LIMIT_CREDENTIALS, STRING_NO_CONTROL);
        codec_u32(c, &m->proxy_schemes);
        codec_u32(c, &m->ignore_certificate);
        codec_bool(c, &m->check_revocation);
        codec_bool(c, &m->judge_certificate);
        codec_count(c, &m->n_accepted, 0, m->judge_certificate ? LIMIT_ACCEPTED_CERTIFICATES : 0);
        if (!c->failed)
                codec_span(c, &m->accepted, (size_t) m->n_accepted * 32);
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
        codec_check(c, m->remote_time_usec <= IPC_TIME_MAX);
        codec_string(c, &m->etag, LIMIT_VALIDATOR, STRING_NO_CONTROL);
        codec_string(c, &m->last_modified, LIMIT_VALIDATOR, STRING_NO_CONTROL);
        codec_string(c, &m->encoding, LIMIT_VALIDATOR, STRING_NO_CONTROL);
        codec_string(c, &m->origin, LIMIT_ORIGIN, STRING_NO_CONTROL);
        codec_string(c, &m->redirected_url, LIMIT_URL, STRING_NO_CONTROL);
        codec_string(c, &m->address, IPC_ADDRESS_TEXT_MAX, STRING_NO_CONTROL | STRING_UTF8);
        codec_string(c, &m->headers, LIMIT_KEPT_HEADERS, STRING_UTF8);
        codec_bool(c, &m->refused);
}

static void visit_certificate(struct codec *c, struct ipc_certificate *m) {
        codec_u64(c, &m->id);
        codec_bytes(c, m->sha256, sizeof(m->sha256));
        codec_count(c, &m->n_bytes, 1, LIMIT_SERVER_CERTIFICATE);
        if (!c->failed)
                codec_span(c, &m->bytes, m->n_bytes);
        codec_count(c, &m->n_all, 1, LIMIT_SERVER_CERTIFICATES);
        if (!c->failed)
                codec_span(c, &m->all, m->n_all);
}

static void visit_progress(struct codec *c, struct ipc_progress *m) {
        codec_u64(c, &m->id);
        codec_u64(c, &m->local_start);
        codec_u64(c, &m->local_end);
        codec_u64(c, &m->bytes_fetched);
        codec_check(c, m->local_start < m->local_end && m->bytes_fetched <= LIMIT_FILE_SIZE);
}

static void visit_offers(struct codec *c, struct ipc_offers *m) {
        static const uint8_t none[sizeof(m->sha256)];

        codec_u64(c, &m->id);
        codec_string(c, &m->mirrors, LIMIT_OFFERED_MIRRORS_TEXT, STRING_REQUIRED);
        codec_u32(c, &m->n_preferred);
        codec_check(c, m->n_preferred <= LIMIT_MIRRORS);
        codec_bool(c, &m->from_public);
        codec_bool(c, &m->has_sha256);
        codec_bool(c, &m->secure);
        codec_bytes(c, m->sha256, sizeof(m->sha256));
        codec_check(c, m->has_sha256 || (!m->secure && memcmp(m->sha256, none, sizeof(none)) == 0));
}

static void visit_replaced(struct codec *c, struct ipc_replaced *m) {
        codec_u64(c, &m->id);
        codec_string(c, &m->text, LIMIT_ERROR_TEXT, STRING_REQUIRED | STRING_NO_CONTROL);
}

static void visit_finished(struct codec *c, struct ipc_finished *m) {
        codec_u64(c, &m->id);
        codec_enum(c, &m->outcome, IPC_OUTCOMES);
        codec_enum(c, &m->code, _ERROR_CODE_MAX);
        codec_enum(c, &m->context, _ERROR_CONTEXT_MAX);
        codec_bool(c, &m->transient);
        codec_bool(c, &m->slow);
        codec_bool(c, &m->length_unverified);
        codec_u32(c, &m->detail);
        codec_u64(c, &m->retry_after_usec);
        codec_u64(c, &m->local_end);
        codec_u64(c, &m->bytes_fetched);
        codec_check(c, m->bytes_fetched <= LIMIT_FILE_SIZE);
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

static void visit_setup(struct codec *c, struct ipc_setup *m) {
        codec_u64(c, &m->minimum_free_bytes);
}

static void visit_call(struct codec *c, struct ipc_call *m) {
        codec_u64(c, &m->id);
        codec_u64(c, &m->n_bytes);
        codec_check(c, m->n_bytes <= IPC_CALL_BYTES_MAX);
        codec_align(c);
        if (!c->failed)
                codec_span(c, &m->bytes, m->n_bytes);
}

static void visit_large(struct codec *c, struct ipc_call *m) {
        codec_u64(c, &m->id);
        codec_u64(c, &m->n_bytes);
        codec_check(c, m->n_bytes > IPC_CALL_BYTES_MAX && m->n_bytes <= IPC_LARGE_BYTES_MAX);
}

static void visit_spawn(struct codec *c, struct ipc_spawn *m) {
        codec_u64(c, &m->id);
        codec_u32(c, &m->uid);
        codec_check(c, m->uid != UINT32_MAX);
        codec_enum(c, &m->program, _IPC_PROGRAM_MAX);
}

static void visit_spawned(struct codec *c, struct ipc_spawned *m) {
        codec_u64(c, &m->id);
        codec_u32(c, &m->error);
        codec_check(c, m->error <= IPC_ERRNO_MAX);
        codec_string(c, &m->text, LIMIT_ERROR_TEXT, STRING_REQUIRED | STRING_NO_CONTROL);
}

/* Strings one behind the other: whole ones only. */
static void visit_strings(struct codec *c, uint32_t *n_bytes, const void **bytes) {
        codec_count(c, n_bytes, 0, IPC_RUN_STRINGS_MAX);
        if (!c->failed)
                codec_span(c, bytes, *n_bytes);
        codec_check(c, c->failed || *n_bytes == 0 || ((const char *) *bytes)[*n_bytes - 1] == 0);
}

static void visit_run(struct codec *c, struct ipc_run *m) {
        codec_u64(c, &m->timeout_usec);
        codec_string(c, &m->program, LIMIT_PATH, STRING_REQUIRED | STRING_NOT_EMPTY);
        codec_check(c, c->failed || m->program[0] == '/');
        visit_strings(c, &m->n_arguments, &m->arguments);
        visit_strings(c, &m->n_environment, &m->environment);
}

static void visit_ended(struct codec *c, struct ipc_ended *m) {
        codec_enum(c, &m->outcome, IPC_RUN_OUTCOMES);
        codec_u32(c, &m->value);
        codec_check(c, m->value <= UINT8_MAX); /* an exit status or a signal */
}

static void visit_message(struct codec *c, struct ipc_message *m) {
        switch (m->type) {
        case IPC_HELLO:
                return visit_hello(c, &m->hello);
        case IPC_EQUIP:
                return visit_equip(c, &m->equip);
        case IPC_LIMITS:
                return visit_limits(c, &m->limits);
        case IPC_PLACES:
                return visit_places(c, &m->places);
        case IPC_WANT_PLACES:
                return visit_want_places(c, &m->want_places);
        case IPC_LINE_USE:
        case IPC_LINE_USE_ELSEWHERE:
                return visit_line_use(c, &m->line_use);
        case IPC_START:
                return visit_start(c, &m->start);
        case IPC_STOP:
                return visit_stop(c, &m->stop);
        case IPC_PACE:
                return visit_set_pace(c, &m->set_pace);
        case IPC_METADATA:
                return visit_metadata(c, &m->metadata);
        case IPC_CERTIFICATE:
                return visit_certificate(c, &m->certificate);
        case IPC_PROGRESS:
                return visit_progress(c, &m->progress);
        case IPC_OFFERS:
                return visit_offers(c, &m->offers);
        case IPC_REPLACED:
                return visit_replaced(c, &m->replaced);
        case IPC_FINISHED:
                return visit_finished(c, &m->finished);
        case IPC_RESOLVER_UNFIT:
                return;
        case IPC_RESOLVE:
                return visit_resolve(c, &m->resolve);
        case IPC_RESOLVED:
                return visit_resolved(c, &m->resolved);
        case IPC_SETUP:
                return visit_setup(c, &m->setup);
        case IPC_CALL:
        case IPC_CALL_WITH:
        case IPC_ANSWER:
        case IPC_ANSWER_WITH:
                return visit_call(c, &m->call);
        case IPC_CALL_LARGE:
        case IPC_ANSWER_LARGE:
                return visit_large(c, &m->call);
        case IPC_SPAWN:
                return visit_spawn(c, &m->spawn);
        case IPC_SPAWNED:
                return visit_spawned(c, &m->spawned);
        case IPC_RUN:
                return visit_run(c, &m->run);
        case IPC_ENDED:
                return visit_ended(c, &m->ended);
        case _IPC_TYPE_MAX:
                break;
        }
        codec_check(c, false);
}

static const struct ipc_type_row {
        const char *name;
        enum ipc_role from, to; /* HELLO: any */
        unsigned n_fds;
} type_rows[_IPC_TYPE_MAX] = {
        [IPC_HELLO] = { "HELLO", _IPC_ROLE_MAX, _IPC_ROLE_MAX, 0 },
        [IPC_EQUIP] = { "EQUIP", IPC_ROLE_CORE, IPC_ROLE_TRANSFER, 1 },
        [IPC_LIMITS] = { "LIMITS", IPC_ROLE_CORE, IPC_ROLE_TRANSFER, 0 },
        [IPC_PLACES] = { "PLACES", IPC_ROLE_CORE, IPC_ROLE_TRANSFER, 0 },
        [IPC_WANT_PLACES] = { "WANT_PLACES", IPC_ROLE_TRANSFER, IPC_ROLE_CORE, 0 },
        [IPC_LINE_USE] = { "LINE_USE", IPC_ROLE_TRANSFER, IPC_ROLE_CORE, 0 },
        [IPC_LINE_USE_ELSEWHERE] = { "LINE_USE_ELSEWHERE", IPC_ROLE_CORE, IPC_ROLE_TRANSFER, 0 },
        [IPC_START] = { "START", IPC_ROLE_CORE, IPC_ROLE_TRANSFER, 1 },
        [IPC_STOP] = { "STOP", IPC_ROLE_CORE, IPC_ROLE_TRANSFER, 0 },
        [IPC_PACE] = { "PACE", IPC_ROLE_CORE, IPC_ROLE_TRANSFER, 0 },
        [IPC_METADATA] = { "METADATA", IPC_ROLE_TRANSFER, IPC_ROLE_CORE, 0 },
        [IPC_CERTIFICATE] = { "CERTIFICATE", IPC_ROLE_TRANSFER, IPC_ROLE_CORE, 0 },
        [IPC_PROGRESS] = { "PROGRESS", IPC_ROLE_TRANSFER, IPC_ROLE_CORE, 0 },
        [IPC_OFFERS] = { "OFFERS", IPC_ROLE_TRANSFER, IPC_ROLE_CORE, 0 },
        [IPC_REPLACED] = { "REPLACED", IPC_ROLE_TRANSFER, IPC_ROLE_CORE, 0 },
        [IPC_FINISHED] = { "FINISHED", IPC_ROLE_TRANSFER, IPC_ROLE_CORE, 0 },
        [IPC_RESOLVER_UNFIT] = { "RESOLVER_UNFIT", IPC_ROLE_TRANSFER, IPC_ROLE_CORE, 0 },
        [IPC_RESOLVE] = { "RESOLVE", IPC_ROLE_TRANSFER, IPC_ROLE_RESOLVE, 0 },
        [IPC_RESOLVED] = { "RESOLVED", IPC_ROLE_RESOLVE, IPC_ROLE_TRANSFER, 0 },
        [IPC_SETUP] = { "SETUP", IPC_ROLE_CORE, IPC_ROLE_OWNER, 0 },
        [IPC_CALL] = { "CALL", IPC_ROLE_CORE, IPC_ROLE_OWNER, 0 },
        [IPC_CALL_WITH] = { "CALL_WITH", IPC_ROLE_CORE, IPC_ROLE_OWNER, 1 },
        [IPC_CALL_LARGE] = { "CALL_LARGE", IPC_ROLE_CORE, IPC_ROLE_OWNER, 1 },
        [IPC_ANSWER] = { "ANSWER", IPC_ROLE_OWNER, IPC_ROLE_CORE, 0 },
        [IPC_ANSWER_WITH] = { "ANSWER_WITH", IPC_ROLE_OWNER, IPC_ROLE_CORE, 1 },
        [IPC_ANSWER_LARGE] = { "ANSWER_LARGE", IPC_ROLE_OWNER, IPC_ROLE_CORE, 1 },
        [IPC_SPAWN] = { "SPAWN", IPC_ROLE_CORE, IPC_ROLE_BROKER, 1 },
        [IPC_SPAWNED] = { "SPAWNED", IPC_ROLE_BROKER, IPC_ROLE_CORE, 0 },
        [IPC_RUN] = { "RUN", IPC_ROLE_CORE, IPC_ROLE_RUNNER, 0 },
        [IPC_ENDED] = { "ENDED", IPC_ROLE_RUNNER, IPC_ROLE_CORE, 0 },
};

unsigned ipc_type_fds(enum ipc_type type) {
        return type_rows[type].n_fds;
}

bool ipc_type_is_allowed(enum ipc_type type, enum ipc_role from, enum ipc_role to) {
        const struct ipc_type_row *row = &type_rows[type];

        if (type == IPC_HELLO)
                return true;
        return row->from == from && (row->to == to || (type == IPC_EQUIP && to == IPC_ROLE_RESOLVE));
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
        ret->frame = bytes;
        ret->frame_size = header.size;
        c.size = header.size;
        visit_message(&c, ret);
        codec_align(&c);
        if (c.failed || c.at != c.size)
                return -EPROTO;
        return (ssize_t) header.size;
}

bool ipc_read_version(const uint8_t *bytes, size_t size, uint32_t *ret) {
        struct ipc_header header;

        if (size < IPC_HEADER_SIZE + sizeof(*ret))
                return false;
        memcpy(&header, bytes, sizeof(header));
        memcpy(ret, bytes + IPC_HEADER_SIZE, sizeof(*ret));
        return header.magic == IPC_MAGIC && header.type == IPC_HELLO && header.size >= IPC_HEADER_SIZE + sizeof(*ret);
}

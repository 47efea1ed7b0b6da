/* What our own processes say to each other, as plain structs, and their form as frames.
 *
 * 1. Fill a `struct ipc_message`, ipc_encode() it into a buffer of IPC_FRAME_MAX bytes.
 * 2. ipc_decode() gives the struct back. Strings and pieces then point into the frame: the frame must outlive them.
 * 3. A frame is taken only whole: every length, count, flag and string is checked, and nothing may be left over. A frame that
 *    decodes encodes to the very same bytes again (tests/fuzz/fuzz_ipc_frame.c).
 *
 * One visitor per message walks its fields for both directions, so the two cannot disagree. Byte order is the machine's: both
 * ends come from one build (HELLO proves it). Must never know what a job is. */
#pragma once

#include <sys/types.h>

#include "base/macros.h"
#include "protocol/errors.h"
#include "protocol/limits.h"

#define IPC_VERSION 1u /* of all frames; the build (program_version) must be the same as well */
#define IPC_EXIT_OTHER_VERSION 76 /* EX_PROTOCOL: how a process of ours leaves that cannot understand whom it was started for */
#define IPC_FRAME_MAX (272u * 1024)  /* one packet; the largest START fits (asserted in message.c) */
#define IPC_HEADER_SIZE 16u
#define IPC_PIECES_MAX 500
#define IPC_PROXIES_MAX 4           /* http_proxy https_proxy all_proxy, and no_proxy or proxy_bypass */
#define IPC_PROXY_BYTES (LIMIT_PROXY_LIST + 16) /* one of them */
#define IPC_HOST_MAX 255            /* RFC 1035 */
#define IPC_HOST_KEY_MAX (IPC_HOST_MAX + 32) /* scheme://host:port */
#define IPC_PLACES_MAX 4096         /* connections that one frame speaks of: MaxConnectionsPerOwner is no more */
#define IPC_LINE_RATE_MAX (UINT64_C(1) << 40) /* bytes per second */
#define IPC_LINE_PLACES_MAX 65536
#define IPC_ADDRESSES_MAX 16        /* of one name: more than anybody tries */
#define IPC_ADDRESS_TEXT_MAX 64     /* printable address */
#define IPC_TIME_MAX ((uint64_t) INT64_MAX) /* microseconds; what a row of the store holds */
#define IPC_PROGRAM_VERSION_MAX 64
#define IPC_CALL_BYTES_MAX (64u * 1024)          /* content of a call or answer within its frame */
#define IPC_LARGE_BYTES_MAX (128u * 1024 * 1024) /* in a memory file: 10,000 files with the longest paths */
#define IPC_ERRNO_MAX 4095                       /* as the kernel's */
#define IPC_RUN_STRINGS_MAX (32u * 1024)         /* a program's arguments, or its environment: LIMIT_NOTIFY_PARAMETERS of four bytes each fit */

enum ipc_role {
        IPC_ROLE_CORE,
        IPC_ROLE_TRANSFER,
        IPC_ROLE_RESOLVE,
        IPC_ROLE_OWNER,
        IPC_ROLE_BROKER,
        IPC_ROLE_RUNNER,
        _IPC_ROLE_MAX,
};

enum ipc_type {
        IPC_HELLO,    /* both ways, the first frame of each side */
        IPC_EQUIP,    /* core → transfer and core → resolve, with a descriptor: what it gets before it locks itself in (transfer/equipment.h) */
        IPC_LIMITS,   /* core → transfer */
        IPC_PLACES,   /* core → transfer: connections that it may have (transfer/quota.h) */
        IPC_WANT_PLACES, /* transfer → core */
        IPC_LINE_USE,    /* transfer → core: what its background connections have of the line (transfer/line_use.h) */
        IPC_LINE_USE_ELSEWHERE, /* core → transfer: the same of all others */
        IPC_START,    /* core → transfer, with the descriptor to write to */
        IPC_STOP,     /* core → transfer */
        IPC_PACE,     /* core → transfer, about a request that was started */
        IPC_METADATA, /* transfer → core */
        IPC_CERTIFICATE, /* transfer → core: what the server showed, nobody accepted it yet; then comes FINISHED */
        IPC_PROGRESS, /* transfer → core */
        IPC_OFFERS,   /* transfer → core */
        IPC_REPLACED, /* transfer → core */
        IPC_FINISHED, /* transfer → core */
        IPC_RESOLVER_UNFIT, /* transfer → core: dosvc-resolve is of another version; the last that is heard of this process */
        IPC_RESOLVE,  /* transfer → resolve */
        IPC_RESOLVED, /* resolve → transfer */
        IPC_SETUP,        /* core → owner, before all calls */
        IPC_CALL,         /* core → owner: a request of src/files, its content encoded there (files/wire.h) */
        IPC_CALL_WITH,    /* the same, with a descriptor that belongs to it */
        IPC_CALL_LARGE,   /* the same, its content in a sealed memory file */
        IPC_ANSWER,       /* owner → core: exactly one for each call, in the same three forms */
        IPC_ANSWER_WITH,
        IPC_ANSWER_LARGE,
        IPC_SPAWN,        /* core → broker, with the socket that the new process is to have */
        IPC_SPAWNED,      /* broker → core */
        IPC_RUN,          /* core → runner, once */
        IPC_ENDED,        /* runner → core, once: it has nothing more to do */
        _IPC_TYPE_MAX,
};

struct ipc_hello {
        uint32_t version;
        enum ipc_role role;
        const char *program_version; /* must be the same on both sides */
};

/* In the order in which they come; the resolver ends the list. dosvc-resolve gets a lifeline and nothing else. */
enum ipc_equipment {
        IPC_EQUIPMENT_LIFELINE,    /* whose end is the process's own (transfer/lifeline.h); always there */
        IPC_EQUIPMENT_AUTHORITIES, /* the file with their certificates */
        IPC_EQUIPMENT_REVOCATIONS, /* the file with their lists */
        IPC_EQUIPMENT_RESOLVER,    /* the connection to dosvc-resolve; always there */
        _IPC_EQUIPMENT_MAX,
};

struct ipc_equip {
        enum ipc_equipment what;
};

struct ipc_limits {
        uint32_t max_connections_per_owner;
        uint32_t max_connections_per_host;
};

struct ipc_places {
        const char *host;  /* scheme://host:port */
        uint32_t given;    /* beside those that it has */
        uint32_t recalled; /* of those that it has: to be returned as soon as possible */
};

struct ipc_want_places {
        const char *host;
        uint32_t returned;
        uint32_t wanted; /* in all */
};

struct ipc_line_use {
        uint64_t low, high; /* bytes per second, at most IPC_LINE_RATE_MAX */
        uint32_t n;         /* places, at most IPC_LINE_PLACES_MAX */
        bool slowdown;
};

struct ipc_piece {
        uint64_t remote_offset;
        uint64_t length; /* UINT64_MAX: to the end, last piece only */
        uint64_t local_offset;
};

/* As struct engine_request, which says what each field means. */
struct ipc_pace {
        bool foreground;
        uint64_t max_rate; /* bytes per second, UINT64_MAX: no limit */
        uint64_t hold_at;
        uint64_t end_at;
};

struct ipc_set_pace {
        uint64_t id;
        struct ipc_pace pace;
};

struct ipc_start {
        uint64_t id;
        uint64_t owner;
        struct ipc_pace pace;
        bool whole_file;
        bool digest_decides;
        bool allow_insecure_redirect;
        bool disallow_redirects;
        uint64_t remote_size;
        uint64_t stated_size;
        uint64_t max_bytes;
        uint64_t connect_timeout_usec;
        uint64_t stall_timeout_usec;
        uint64_t floor_rate;
        bool firm_floor;
        bool own_connection;
        bool replace_stalled;
        bool from_public;
        const char *url;
        const char *etag;
        const char *last_modified;
        const char *encoding;
        const char *origin;
        const char *method;
        const char *headers;
        const char *auth_headers;
        const char *client_certificate;
        const char *client_key;
        const char *credentials;
        uint32_t credentials_schemes;
        const char *proxy_credentials;
        uint32_t proxy_schemes;
        uint32_t ignore_certificate;
        bool check_revocation;
        bool judge_certificate;
        uint32_t n_accepted;
        const void *accepted; /* n_accepted times SHA-256 */
        uint32_t n_proxies;
        const char *proxies[IPC_PROXIES_MAX];
        uint32_t n_pieces;
        const struct ipc_piece *pieces;
};

struct ipc_stop {
        uint64_t id;
};

struct ipc_metadata {
        uint64_t id;
        uint32_t http_status;
        uint64_t remote_size;
        uint64_t remote_time_usec;
        const char *etag;
        const char *last_modified;
        const char *encoding;
        const char *origin;
        const char *redirected_url;
        const char *address;
        const char *headers;
        bool refused;
};

struct ipc_certificate {
        uint64_t id;
        uint8_t sha256[32]; /* of the server's own */
        uint32_t n_bytes;
        const void *bytes;  /* DER */
        uint32_t n_all;
        const void *all;    /* PKCS #7 with all that the server sent */
};

struct ipc_progress {
        uint64_t id;
        uint64_t local_start;
        uint64_t local_end;
        uint64_t bytes_fetched;
};

struct ipc_offers {
        uint64_t id;
        const char *mirrors; /* one a line */
        uint32_t n_preferred;
        bool from_public;
        bool has_sha256;
        bool secure;
        uint8_t sha256[32];  /* zero without has_sha256 */
};

struct ipc_replaced {
        uint64_t id;
        const char *text;
};

#define IPC_OUTCOMES 4 /* of enum engine_outcome that travel: DONE STOPPED RESTART FAILED */

struct ipc_finished {
        uint64_t id;
        uint32_t outcome;
        enum error_code code;
        enum error_context context;
        bool transient;
        bool slow;
        bool length_unverified;
        uint32_t detail;
        uint64_t retry_after_usec;
        uint64_t local_end;
        uint64_t bytes_fetched;
        const char *text;
};

struct ipc_resolve {
        uint64_t id;
        bool only_public; /* asked for by a redirect from a public address (design decision 21) */
        const char *host;
};

enum ipc_resolve_status {
        IPC_RESOLVE_OK,
        IPC_RESOLVE_NOT_FOUND, /* the name does not exist or has no address */
        IPC_RESOLVE_AGAIN,     /* no server answered */
        IPC_RESOLVE_REFUSED,   /* has an address that is not public */
        IPC_RESOLVE_FAILED,
        _IPC_RESOLVE_STATUS_MAX,
};

struct ipc_address {
        uint32_t family;   /* 4 or 6 */
        uint8_t bytes[16]; /* network order; the last 12 are zero for 4 */
};

struct ipc_resolved {
        uint64_t id;
        enum ipc_resolve_status status;
        const char *text;
        uint32_t n_addresses; /* > 0 exactly if OK */
        struct ipc_address addresses[IPC_ADDRESSES_MAX];
};

struct ipc_setup {
        uint64_t minimum_free_bytes;
};

struct ipc_call {
        uint64_t id;
        uint64_t n_bytes;
        const void *bytes; /* _LARGE: NULL, they are in the descriptor */
};

enum ipc_program {
        IPC_PROGRAM_OWNER,  /* dosvc-owner: at most one for each owner, it displaces an older one */
        IPC_PROGRAM_RUNNER, /* dosvc-runner */
        _IPC_PROGRAM_MAX,
};

struct ipc_spawn {
        uint64_t id;
        uint32_t uid;
        enum ipc_program program;
};

struct ipc_spawned {
        uint64_t id;
        uint32_t error; /* errno, 0: it was started */
        const char *text;
};

/* As struct runner_request, which says what each field means. */
struct ipc_run {
        uint64_t timeout_usec;
        const char *program;
        uint32_t n_arguments; /* bytes: strings, each with its NUL */
        const void *arguments;
        uint32_t n_environment;
        const void *environment;
};

#define IPC_RUN_OUTCOMES 4 /* of enum runner_outcome */

struct ipc_ended {
        uint32_t outcome;
        uint32_t value;
};

struct ipc_message {
        enum ipc_type type;
        const uint8_t *frame; /* of one that was decoded: all of it, for who keeps a copy */
        size_t frame_size;
        union {
                struct ipc_hello hello;
                struct ipc_equip equip;
                struct ipc_limits limits;
                struct ipc_places places;
                struct ipc_want_places want_places;
                struct ipc_line_use line_use; /* and elsewhere */
                struct ipc_start start;
                struct ipc_stop stop;
                struct ipc_set_pace set_pace;
                struct ipc_metadata metadata;
                struct ipc_certificate certificate;
                struct ipc_progress progress;
                struct ipc_offers offers;
                struct ipc_replaced replaced;
                struct ipc_finished finished;
                struct ipc_resolve resolve;
                struct ipc_resolved resolved;
                struct ipc_setup setup;
                struct ipc_call call; /* and answer */
                struct ipc_spawn spawn;
                struct ipc_spawned spawned;
                struct ipc_run run;
                struct ipc_ended ended;
        };
};

/* Descriptors that travel with a frame of @type: 0 or 1. */
unsigned ipc_type_fds(enum ipc_type type);
/* May @from send @type to @to? */
bool ipc_type_is_allowed(enum ipc_type type, enum ipc_role from, enum ipc_role to);
const char *ipc_type_name(enum ipc_type type);

/* Return: bytes written to @frame (a multiple of 8), -EINVAL: a field breaks its rule, -EMSGSIZE: too large. */
ssize_t ipc_encode(const struct ipc_message *message, uint8_t frame[static IPC_FRAME_MAX]);
/* Takes the first frame at @bytes (aligned to 8) out of @size. Return: its size, or -EPROTO. */
ssize_t ipc_decode(const uint8_t *bytes, size_t size, struct ipc_message *ret);
/* Of a HELLO of any version, past or future: the header and the number behind it stay what they are. False: it is no HELLO. */
bool ipc_read_version(const uint8_t *bytes, size_t size, uint32_t *ret);

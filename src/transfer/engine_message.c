#include "transfer/engine_message.h"

#include <string.h>

static_assert(ENGINE_PIECES_MAX == IPC_PIECES_MAX, "a request fits its frame");

struct ipc_pace engine_message_pace(const struct engine_pace *pace) {
        return (struct ipc_pace) {
                .foreground = pace->foreground,
                .max_rate = pace->max_rate,
                .hold_at = pace->hold_at,
                .end_at = pace->end_at,
        };
}

static int message_from_request(const struct engine_request *request, struct ipc_piece *pieces, struct ipc_message *ret) {
        if (request->n_pieces == 0 || request->n_pieces > ENGINE_PIECES_MAX || !request->url ||
            request->n_accepted > LIMIT_ACCEPTED_CERTIFICATES)
                return -EINVAL;
        for (size_t i = 0; i < request->n_pieces; i++)
                pieces[i] = (struct ipc_piece) {
                        request->pieces[i].remote_offset, request->pieces[i].length, request->pieces[i].local_offset,
                };
        *ret = (struct ipc_message) {
                .type = IPC_START,
                .start = {
                        .id = request->id,
                        .owner = request->owner,
                        .pace = engine_message_pace(&request->pace),
                        .whole_file = request->whole_file,
                        .digest_decides = request->digest_decides,
                        .allow_insecure_redirect = request->allow_insecure_redirect,
                        .disallow_redirects = request->disallow_redirects,
                        .remote_size = request->remote_size,
                        .stated_size = request->stated_size,
                        .max_bytes = request->max_bytes,
                        .connect_timeout_usec = request->connect_timeout_usec,
                        .stall_timeout_usec = request->stall_timeout_usec,
                        .floor_rate = request->floor_rate,
                        .firm_floor = request->firm_floor,
                        .own_connection = request->own_connection,
                        .replace_stalled = request->replace_stalled,
                        .from_public = request->from_public,
                        .url = request->url,
                        .etag = request->etag,
                        .last_modified = request->last_modified,
                        .encoding = request->encoding,
                        .origin = request->origin,
                        .method = request->method,
                        .headers = request->headers,
                        .auth_headers = request->auth_headers,
                        .client_certificate = request->client_certificate,
                        .client_key = request->client_key,
                        .credentials = request->credentials,
                        .credentials_schemes = request->credentials_schemes,
                        .proxy_credentials = request->proxy_credentials,
                        .proxy_schemes = request->proxy_schemes,
                        .ignore_certificate = request->ignore_certificate,
                        .check_revocation = request->check_revocation,
                        .judge_certificate = request->judge_certificate,
                        .n_accepted = (uint32_t) request->n_accepted,
                        .accepted = request->accepted,
                        .n_pieces = (uint32_t) request->n_pieces,
                        .pieces = pieces,
                },
        };
        for (size_t i = 0; request->proxy_environment && request->proxy_environment[i]; i++) {
                if (i == IPC_PROXIES_MAX)
                        return -E2BIG;
                ret->start.proxies[ret->start.n_proxies++] = request->proxy_environment[i];
        }
        return 0;
}

int engine_message_new(const struct engine_request *request, uint8_t **ret_frame, size_t *ret_size) {
        _Alignas(8) uint8_t frame[IPC_FRAME_MAX];
        struct ipc_piece pieces[ENGINE_PIECES_MAX];
        struct ipc_message message;
        ssize_t size;
        int r;

        r = message_from_request(request, pieces, &message);
        if (r < 0)
                return r;
        size = ipc_encode(&message, frame);
        if (size < 0)
                return (int) size;
        *ret_frame = malloc((size_t) size);
        if (*ret_frame) {
                memcpy(*ret_frame, frame, (size_t) size);
                *ret_size = (size_t) size;
        }
        explicit_bzero(frame, (size_t) size);
        return *ret_frame ? 0 : -ENOMEM;
}

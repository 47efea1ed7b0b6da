/* Writes one seed for each message of src/ipc (and a packet of several) into a folder: make_ipc_seeds FOLDER */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fds.h"
#include "ipc/message.h"

static const struct ipc_piece pieces[] = { { 0, 10, 0 }, { 10, 5, 10 }, { 100, UINT64_MAX, 15 } };
static const struct ipc_message seeds[] = {
        { .type = IPC_HELLO, .hello = { .version = 1, .role = IPC_ROLE_TRANSFER, .program_version = "0.1.0" } },
        { .type = IPC_EQUIP, .equip = { IPC_EQUIPMENT_LIFELINE } },
        { .type = IPC_RESOLVER_UNFIT },
        { .type = IPC_LIMITS, .limits = { 64, 6 } },
        { .type = IPC_START, .start = { .id = 1, .owner = 1000, .pace = { true, UINT64_MAX, 0, 0 }, .remote_size = UINT64_MAX,
                                        .stated_size = 15, .max_bytes = UINT64_MAX, .connect_timeout_usec = 30000000,
                                        .stall_timeout_usec = 60000000, .floor_rate = 4096, .firm_floor = true, .own_connection = true, .url = "https://example.org/a?b=c",
                                        .etag = "\"e1\"", .last_modified = "Wed, 21 Oct 2015 07:28:00 GMT", .encoding = "gzip",
                                        .origin = "https://example.org:443/a", .headers = "X-A: b\r\nX-C: d", .method = "POST", .auth_headers = "X-E: f", .client_certificate = "c", .client_key = "k", .credentials = "me:secret",
                                        .credentials_schemes = 3, .proxy_credentials = "me:", .proxy_schemes = 1,
                                        .ignore_certificate = 8, .check_revocation = true, .judge_certificate = true, .n_accepted = 1,
                                        .accepted = "0123456789abcdef0123456789abcdef", .n_proxies = 2,
                                        .proxies = { "http_proxy=http://p:3128", "no_proxy=localhost" }, .n_pieces = 3,
                                        .pieces = pieces } },
        { .type = IPC_START, .start = { .id = 2, .pace = { false, 1048576, 8388608, 0 }, .whole_file = true, .replace_stalled = true, .from_public = true, .url = "http://[::1]/", .n_pieces = 1, .pieces = pieces } },
        { .type = IPC_STOP, .stop = { 1 } },
        { .type = IPC_PACE, .set_pace = { 1, { false, 65536, 8388608, 16777216 } } },
        { .type = IPC_METADATA, .metadata = { .id = 1, .http_status = 206, .remote_size = 115, .remote_time_usec = 1445412480000000,
                                              .etag = "\"e1\"", .origin = "https://example.org:443/a", .address = "192.0.2.1",
                                              .headers = "HTTP/1.1 206 Partial Content\r\nETag: \"e1\"\r\n", .refused = true } },
        { .type = IPC_CERTIFICATE, .certificate = { .id = 1, .sha256 = { 1, 2, 3 }, .n_bytes = 2, .bytes = "\x30\x00", .n_all = 4, .all = "\x30\x02\x30\x00" } },
        { .type = IPC_PROGRESS, .progress = { 1, 0, 1048576, 1048576 } },
        { .type = IPC_OFFERS, .offers = { .id = 1, .mirrors = "https://m1.example/f\nhttp://m2.example/f", .n_preferred = 1, .from_public = true,
                                          .has_sha256 = true, .secure = true, .sha256 = { 1, 2, 3 } } },
        { .type = IPC_REPLACED, .replaced = { 1, "nothing came for too long" } },
        { .type = IPC_FINISHED, .finished = { .id = 1, .outcome = 3, .code = ERROR_HTTP_STATUS,
                                              .context = ERROR_CONTEXT_REMOTE_FILE, .transient = true, .slow = true, .detail = 503,
                                              .retry_after_usec = 5000000, .text = "503 Service Unavailable" } },
        { .type = IPC_FINISHED, .finished = { .id = 2, .length_unverified = true, .local_end = 77, .bytes_fetched = 77, .text = "" } },
        { .type = IPC_RESOLVE, .resolve = { .id = 9, .only_public = true, .host = "example.org" } },
        { .type = IPC_RESOLVED, .resolved = { .id = 9, .status = IPC_RESOLVE_OK, .text = "", .n_addresses = 2,
                                              .addresses = { { 4, { 192, 0, 2, 1 } }, { 6, { 0x20, 1, 0xd, 0xb8 } } } } },
        { .type = IPC_RESOLVED, .resolved = { .id = 9, .status = IPC_RESOLVE_NOT_FOUND, .text = "Name or service not known" } },
        { .type = IPC_SETUP, .setup = { 67108864 } },
        { .type = IPC_CALL, .call = { 11, 5, "bytes" } },
        { .type = IPC_CALL_WITH, .call = { 12, 0, "" } },
        { .type = IPC_CALL_LARGE, .call = { 13, 70000, NULL } },
        { .type = IPC_ANSWER, .call = { 11, 3, "yes" } },
        { .type = IPC_SPAWN, .spawn = { 1, 1000, IPC_PROGRAM_RUNNER } },
        { .type = IPC_SPAWNED, .spawned = { 1, 1, "this user is not served" } },
        { .type = IPC_RUN, .run = { 900000000, "/usr/bin/unpack", 16, "unpack\0/srv/a b\0", 16, "DOSVC_JOB=4f2a\0" } },
        { .type = IPC_ENDED, .ended = { 0, 3 } },
        { .type = IPC_PLACES, .places = { "https://example.org:443", 2, 1 } },
        { .type = IPC_WANT_PLACES, .want_places = { "https://example.org:443", 1, 6 } },
        { .type = IPC_LINE_USE, .line_use = { 1000000, 1200000, 3, true } },
        { .type = IPC_LINE_USE_ELSEWHERE, .line_use = { 2000000, 2100000, 2, false } },
};

static int write_seed(const char *folder, const char *name, unsigned number, const uint8_t *bytes, size_t size) {
        char path[4096];
        _cleanup_close_ int fd = -EBADF;

        snprintf(path, sizeof(path), "%s/%s-%02u", folder, name, number);
        fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
        return fd < 0 ? -errno : fd_write_all(fd, bytes, size);
}

int main(int argc, char **argv) {
        static _Alignas(8) uint8_t packet[ELEMENTSOF(seeds) * IPC_FRAME_MAX];
        size_t at = 0;
        ssize_t n;

        if (argc != 2)
                return EXIT_FAILURE;
        for (unsigned i = 0; i < ELEMENTSOF(seeds); i++) {
                n = ipc_encode(&seeds[i], packet + at);
                if (n < 0 || write_seed(argv[1], ipc_type_name(seeds[i].type), i, packet + at, (size_t) n) < 0)
                        return EXIT_FAILURE;
                at += (size_t) n;
        }
        return write_seed(argv[1], "packet", 0, packet, at) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

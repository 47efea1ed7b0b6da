/* Writes one seed for each kind of call and answer of src/files/wire.h into a folder: make_wire_seeds FOLDER */
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/fds.h"
#include "files/wire.h"

static const uint8_t sha256[32] = { 1, 2, 3 };
static const char *const directories[] = { "/home/a", "/srv" };
static const char *const names[] = { ".dosvc-AAAAAAAAAAAAAAAAAAAAAA.part" };
static uint8_t hashes[2][PIECE_HASH_BYTES] = { { 4 }, { 5 } };
static struct files_piece pieces[] = { { 0, 65536, { 6 } }, { 65536, 17, { 7 } } };
static struct files_item items[] = {
        { .path = "/srv/file", .temp_name = ".dosvc-AAAAAAAAAAAAAAAAAAAAAA.part", .temp = { 12, 34, 56, { 7 } }, .replace = true },
        { .path = "/srv/other", .temp_name = "", .mtime_usec = 1445412480000000 },
};
static struct piece_hashes read_hashes = { .content_length = 65553, .piece_bytes = 65536, .n_pieces = 2, .hashes = hashes };
static bool bad[] = { true, false };
static int errors[] = { 0, -17 };

static const struct wire_call calls[] = {
        { .kind = WIRE_CHECK, .check = { .path = "/srv/file", .replace = true, .size = FILES_SIZE_UNKNOWN, .sha256 = sha256 } },
        { .kind = WIRE_OPEN, .handle = 1, .open = { .path = "/srv/file", .temp_name = ".dosvc-AAAAAAAAAAAAAAAAAAAAAA.part", .create = true,
                                                    .reserve_bytes = 65553 } },
        { .kind = WIRE_CLOSE, .handle = 1 },
        { .kind = WIRE_RESERVE, .handle = 1, .size = 65553, .background = true },
        { .kind = WIRE_CHECKPOINT, .handle = 1, .pieces = pieces, .n_pieces = 2 },
        { .kind = WIRE_SCRATCH, .handle = 1 },
        { .kind = WIRE_CERTIFICATE, .handle = 1, .certificate = "current_user/MY/name:agent" },
        { .kind = WIRE_READ_HASHES, .handle = 1, .size = 400, .expected = { .has_digest = true, .digest = { 8 } } },
        { .kind = WIRE_VERIFY, .handle = 1, .pieces = pieces, .n_pieces = 2 },
        { .kind = WIRE_FINISH, .handle = 1, .finish = { .size = 65553, .mode = 0640, .sha256 = sha256 }, .pieces = pieces, .n_pieces = 2 },
        { .kind = WIRE_LIST, .list = FILES_LIST_PUBLISH, .items = items, .n_items = 2 },
        { .kind = WIRE_SWEEP, .sweep = { .directories = directories, .n_directories = 2, .known_names = names, .n_known_names = 1,
                                         .min_age_usec = 604800000000, .now_usec = 1445412480000000 } },
        { .kind = WIRE_WINDOW, .handle = 2, .digest = true },
        { .kind = WIRE_DROP, .handle = 2, .start = 4096, .end = 65536 },
        { .kind = WIRE_DIGEST_AHEAD, .handle = 1, .start = 8388608, .end = 16777216 },
};
static const struct wire_answer answers[] = {
        { .kind = WIRE_DROP, .sha256 = { 9 } },
        { .kind = WIRE_CHECK, .already_there = true, .directory = { 1, 2, 3, { 4 } } },
        { .kind = WIRE_OPEN, .error = -28 },
        { .kind = WIRE_CHECKPOINT, .pieces = pieces, .n_pieces = 2 },
        { .kind = WIRE_CERTIFICATE, .text = "", .certificate = "c", .key = "k" },
        { .kind = WIRE_CERTIFICATE, .error = -126, .text = "there is none" },
        { .kind = WIRE_READ_HASHES, .hashes = &read_hashes },
        { .kind = WIRE_FINISH, .error = -84, .bad = bad, .n_bad = 2, .sha256 = { 9 } },
        { .kind = WIRE_LIST, .errors = errors, .n_errors = 2 },
        { .kind = WIRE_SWEEP, .n_removed = 3 },
        { .kind = WIRE_DIGEST_AHEAD, .error = -116 },
};

static int write_seed(const char *folder, const char *name, size_t number, uint8_t first, const uint8_t *bytes, size_t size) {
        _cleanup_close_ int fd = -EBADF;
        char path[4096];
        int r;

        (void) snprintf(path, sizeof(path), "%s/%s-%02zu", folder, name, number);
        fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
        if (fd < 0)
                return -errno;
        r = fd_write_all(fd, &first, 1);
        return r < 0 ? r : fd_write_all(fd, bytes, size);
}

int main(int argc, char **argv) {
        uint8_t *bytes;
        size_t size;

        if (argc != 2)
                return EXIT_FAILURE;
        for (size_t i = 0; i < ELEMENTSOF(calls); i++) {
                if (wire_call_encode(&calls[i], &bytes, &size) < 0 || write_seed(argv[1], "call", i, 0, bytes, size) < 0)
                        return EXIT_FAILURE;
                free(bytes);
        }
        for (size_t i = 0; i < ELEMENTSOF(answers); i++) {
                if (wire_answer_encode(&answers[i], &bytes, &size) < 0 || write_seed(argv[1], "answer", i, 1, bytes, size) < 0)
                        return EXIT_FAILURE;
                free(bytes);
        }
        return EXIT_SUCCESS;
}

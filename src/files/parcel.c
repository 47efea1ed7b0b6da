#include "files/parcel.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>

#include "base/fds.h"

#define SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

static const struct {
        enum ipc_type bare, with, large;
} types[] = {
        [PARCEL_CALL] = { IPC_CALL, IPC_CALL_WITH, IPC_CALL_LARGE },
        [PARCEL_ANSWER] = { IPC_ANSWER, IPC_ANSWER_WITH, IPC_ANSWER_LARGE },
};

static int memory_file(const void *bytes, size_t size) {
        _cleanup_close_ int fd = memfd_create("dosvc-call", MFD_CLOEXEC | MFD_ALLOW_SEALING);
        int r;

        if (fd < 0)
                return -errno;
        r = fd_write_all(fd, bytes, size);
        if (r < 0)
                return r;
        return fcntl(fd, F_ADD_SEALS, SEALS) < 0 ? -errno : TAKE_FD(fd);
}

int parcel_send(struct ipc_channel *channel, enum parcel_kind kind, uint64_t id, const void *bytes, size_t size, int fd, bool lend) {
        struct ipc_message message = { .call = { .id = id, .n_bytes = size } };
        _cleanup_close_ int memory = -EBADF;

        if (size <= IPC_CALL_BYTES_MAX) {
                message.type = fd >= 0 ? types[kind].with : types[kind].bare;
                message.call.bytes = bytes;
                return lend ? ipc_channel_lend(channel, &message, fd) : ipc_channel_send(channel, &message, fd);
        }
        if (fd >= 0 || size > IPC_LARGE_BYTES_MAX)
                return -EMSGSIZE;
        memory = memory_file(bytes, size);
        if (memory < 0)
                return memory;
        message.type = types[kind].large;
        return ipc_channel_send(channel, &message, memory);
}

int parcel_open(const struct ipc_message *message, int *fd, struct parcel *ret) {
        bool large = message->type == IPC_CALL_LARGE || message->type == IPC_ANSWER_LARGE;
        _cleanup_close_ int memory = -EBADF;
        _cleanup_free_ uint8_t *bytes = NULL;
        ssize_t n;
        int seals;

        *ret = (struct parcel) { .id = message->call.id, .bytes = message->call.bytes, .size = message->call.n_bytes, .fd = -EBADF };
        if (!large) {
                ret->fd = TAKE_FD(*fd);
                return 0;
        }
        memory = TAKE_FD(*fd);
        if (memory < 0)
                return memory;
        /* Only a memory file has seals: reading anything else might hang. Sealed, it cannot change under us either. */
        seals = fcntl(memory, F_GET_SEALS);
        if (seals < 0 || (seals & SEALS) != SEALS) {
                *fd = TAKE_FD(memory); /* and so might closing it */
                return -EPROTO;
        }
        bytes = malloc(ret->size);
        if (!bytes)
                return -ENOMEM;
        n = fd_pread_all(memory, bytes, ret->size, 0);
        if (n < 0 || (size_t) n != ret->size)
                return n < 0 ? (int) n : -EPROTO;
        ret->bytes = ret->owned = TAKE_PTR(bytes);
        return 0;
}

void parcel_done(struct parcel *parcel) {
        parcel->fd = fd_close(parcel->fd);
        if (parcel->owned)
                explicit_bzero(parcel->owned, parcel->size); /* there may be a key in it */
        free(parcel->owned);
        parcel->owned = NULL;
}

#include "transfer/window.h"

#include <linux/sock_diag.h>
#include <sys/socket.h>

#define ROOM_MIN (16 * 1024) /* memory, of which about half are bytes of a segment */
#define ROOM_MAX (128 * 1024)

struct memory {
        uint32_t vars[SK_MEMINFO_VARS];
};

static bool get_memory(int fd, struct memory *ret) {
        socklen_t size = sizeof(ret->vars);

        return getsockopt(fd, SOL_SOCKET, SO_MEMINFO, ret->vars, &size) == 0 && size > SK_MEMINFO_RCVBUF * sizeof(ret->vars[0]);
}

/* The kernel doubles what it is told. */
static bool set_buffer(int fd, uint64_t memory) {
        int value = (int) MIN(memory / 2, (uint64_t) INT32_MAX);

        return setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &value, sizeof(value)) == 0;
}

bool window_close(int fd, uint64_t offered, int *ret_buffer) {
        socklen_t size = sizeof(int);
        struct memory memory;
        int lock;

        if (getsockopt(fd, SOL_SOCKET, SO_BUF_LOCK, &lock, &size) < 0 || !get_memory(fd, &memory))
                return false;
        *ret_buffer = (int) memory.vars[SK_MEMINFO_RCVBUF];
        offered = CLAMP(offered, (uint64_t) ROOM_MIN / 2, (uint64_t) ROOM_MAX / 2);
        return set_buffer(fd, memory.vars[SK_MEMINFO_RMEM_ALLOC] + 2 * offered);
}

/* Room for the memory of a segment is less than a segment's bytes: nothing is offered for it. */
void window_keep_closed(int fd, uint32_t segment_bytes) {
        struct memory memory;

        if (!get_memory(fd, &memory))
                return;
        if ((uint64_t) memory.vars[SK_MEMINFO_RMEM_ALLOC] + segment_bytes > memory.vars[SK_MEMINFO_RCVBUF])
                (void) set_buffer(fd, (uint64_t) memory.vars[SK_MEMINFO_RMEM_ALLOC] + segment_bytes);
}

void window_open(int fd, int buffer) {
        int lock = 0;

        (void) set_buffer(fd, (uint64_t) buffer);
        (void) setsockopt(fd, SOL_SOCKET, SO_BUF_LOCK, &lock, sizeof(lock));
}

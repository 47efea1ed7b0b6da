/* A dosvc-transfer that was taken over: it says what cannot be true, or nothing more, and stays. What, the request's URL says
 * (http://lie/KIND). */
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fds.h"
#include "ipc/channel.h"

static uint64_t limits_id, limits_told, limit; /* of "limits", who reports as many bytes as there may be connections to one host */

static void tell_limits(struct ipc_channel *channel) {
        if (limits_id == 0 || limit <= limits_told)
                return;
        (void) ipc_channel_send(channel, &(struct ipc_message) {
                .type = IPC_PROGRESS,
                .progress = { .id = limits_id, .local_start = limits_told, .local_end = limit },
        }, -EBADF);
        limits_told = limit;
}

static void lie(struct ipc_channel *channel, const struct ipc_start *start) {
        struct ipc_message message = { .type = IPC_PROGRESS, .progress = { .id = start->id, .local_start = 0, .local_end = 10 } };
        static const uint8_t garbage[64] = "not a frame";

        if (strstr(start->url, "outside"))
                message.progress.local_end = UINT64_C(1) << 40;
        else if (strstr(start->url, "other-request"))
                message.progress.id = start->id + 1;
        else if (strstr(start->url, "done-without-bytes"))
                message = (struct ipc_message) { .type = IPC_FINISHED, .finished = { .id = start->id, .text = "" } };
        else if (strstr(start->url, "foresees")) {
                /* More than the core hears in one turn: the next request is made at the first. */
                for (int i = 0; i < 300; i++)
                        (void) ipc_channel_send(channel, &message, -EBADF);
                message = (struct ipc_message) { .type = IPC_FINISHED, .finished = { .id = start->id + 1, .outcome = 1 /* stopped */, .text = "" } };
        } else if (strstr(start->url, "dies"))
                _exit(1);
        else if (strstr(start->url, "waits"))
                return;
        else if (strstr(start->url, "limits")) {
                limits_id = start->id;
                return tell_limits(channel);
        }
        else if (strstr(start->url, "garbage"))
                (void) send(ipc_channel_fd(channel), garbage, sizeof(garbage), 0);
        else if (strstr(start->url, "stays")) {
                (void) close(ipc_channel_fd(channel));
                for (;;)
                        (void) pause();
        }
        (void) ipc_channel_send(channel, &message, -EBADF);
}

int main(void) {
        struct ipc_channel *channel = NULL;
        struct ipc_message message;
        int fd, r;

        if (ipc_channel_new(3, IPC_ROLE_TRANSFER, IPC_ROLE_CORE, &channel) < 0)
                return 1;
        for (;;) {
                struct pollfd pollfd = { .fd = ipc_channel_fd(channel), .events = POLLIN };

                if (ipc_channel_flush(channel) < 0 || poll(&pollfd, 1, -1) < 0)
                        return 1;
                while ((r = ipc_channel_receive(channel, &message, &fd)) == 1) {
                        (void) fd_close(fd);
                        if (message.type == IPC_START)
                                lie(channel, &message.start);
                        if (message.type != IPC_LIMITS)
                                continue;
                        limit = message.limits.max_connections_per_host;
                        tell_limits(channel);
                }
                if (r < 0)
                        return 0;
        }
}

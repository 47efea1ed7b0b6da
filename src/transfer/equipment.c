#include "transfer/equipment.h"

#include <fcntl.h>
#include <poll.h>
#include <string.h>

#include "base/fds.h"
#include "base/log.h"
#include "transfer/link.h"

void equipment_done(struct equipment *equipment) {
        equipment->lifeline_fd = fd_close(equipment->lifeline_fd);
        equipment->authorities_fd = fd_close(equipment->authorities_fd);
        equipment->revocations_fd = fd_close(equipment->revocations_fd);
        equipment->resolver_fd = fd_close(equipment->resolver_fd);
}

static int open_file(const char *file, const char *consequence) {
        int fd = open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

        if (fd < 0)
                log_warning("%s: %s: %s", file, strerror(errno), consequence);
        return fd < 0 ? -EBADF : fd;
}

void equipment_open_files(struct equipment *equipment, const char *ca_file, const char *crl_file) {
        if (ca_file)
                equipment->authorities_fd = open_file(ca_file, "https will not work");
        else
                log_warning("no file with certificate authorities: https will not work");
        if (crl_file)
                equipment->revocations_fd = open_file(crl_file, "certificates cannot be checked for revocation");
}

static int *place_of(struct equipment *equipment, enum ipc_equipment what) {
        switch (what) {
        case IPC_EQUIPMENT_LIFELINE:
                return &equipment->lifeline_fd;
        case IPC_EQUIPMENT_AUTHORITIES:
                return &equipment->authorities_fd;
        case IPC_EQUIPMENT_REVOCATIONS:
                return &equipment->revocations_fd;
        case IPC_EQUIPMENT_RESOLVER:
                return &equipment->resolver_fd;
        case _IPC_EQUIPMENT_MAX:
                break;
        }
        abort(); /* the codec lets nothing else through */
}

int equipment_send(struct link *link, const struct equipment *equipment) {
        struct equipment copy = *equipment;
        int r = 0;

        for (enum ipc_equipment what = 0; r == 0 && what < _IPC_EQUIPMENT_MAX; what++) {
                int fd = *place_of(&copy, what);

                if (fd >= 0)
                        r = link_send(link, &(struct ipc_message) { .type = IPC_EQUIP, .equip = { what } }, fd);
        }
        return r;
}

static int take(struct equipment *equipment, const struct ipc_message *message, int *fd) {
        int *place;

        if (message->type != IPC_EQUIP)
                return -EPROTO;
        if (*fd < 0)
                return *fd;
        place = place_of(equipment, message->equip.what);
        if (*place >= 0)
                return -EPROTO;
        *place = TAKE_FD(*fd);
        return 0;
}

static int receive_until(struct ipc_channel *channel, enum ipc_equipment last, struct equipment *ret) {
        struct pollfd pollfd = { .fd = ipc_channel_fd(channel), .events = POLLIN };
        const int *last_fd = place_of(ret, last);
        struct ipc_message message;
        int r = 0;

        *ret = EQUIPMENT_NONE;
        while (*last_fd < 0) {
                _cleanup_close_ int fd = -EBADF;

                r = ipc_channel_receive(channel, &message, &fd);
                if (r == 0)
                        r = poll(&pollfd, 1, -1) < 0 && errno != EINTR ? -errno : 0;
                else if (r > 0 && message.type != IPC_HELLO)
                        r = take(ret, &message, &fd);
                if (r < 0)
                        break;
        }
        if (*last_fd >= 0 && ret->lifeline_fd >= 0)
                return 0;
        equipment_done(ret);
        return r < 0 ? r : -EPROTO;
}

int equipment_receive(struct ipc_channel *channel, struct equipment *ret) {
        return receive_until(channel, IPC_EQUIPMENT_RESOLVER, ret);
}

static int channel_new_on_copy(int fd, enum ipc_role self, enum ipc_role peer, struct ipc_channel **ret) {
        _cleanup_close_ int copy = fd_dup(fd);
        int r;

        if (copy < 0)
                return copy;
        r = ipc_channel_new(copy, self, peer, ret);
        if (r == 0)
                (void) TAKE_FD(copy);
        return r;
}

int equipment_send_first(int connection_fd, enum ipc_role to, int lifeline_fd) {
        _cleanup_(ipc_channel_freep) struct ipc_channel *channel = NULL;
        int r;

        r = channel_new_on_copy(connection_fd, IPC_ROLE_CORE, to, &channel);
        if (r == 0)
                r = ipc_channel_send(channel, &(struct ipc_message) { .type = IPC_EQUIP, .equip = { IPC_EQUIPMENT_LIFELINE } }, lifeline_fd);
        if (r == 0)
                r = ipc_channel_flush(channel);
        return r > 0 ? -EAGAIN : r;
}

int equipment_receive_first(int connection_fd, enum ipc_role self, int *ret_lifeline_fd) {
        _cleanup_(ipc_channel_freep) struct ipc_channel *channel = NULL;
        struct equipment equipment;
        int r;

        r = channel_new_on_copy(connection_fd, self, IPC_ROLE_CORE, &channel);
        if (r == 0)
                r = receive_until(channel, IPC_EQUIPMENT_LIFELINE, &equipment);
        if (r == 0)
                *ret_lifeline_fd = equipment.lifeline_fd;
        return r;
}

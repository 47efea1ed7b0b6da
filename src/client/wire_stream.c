/* The bytes of a file, taken as they come. */
#include <fcntl.h>

#include "client/wire.h"

static int call_file(struct dosvc *c, const char *hex, uint32_t index, const struct call *call) {
        struct call with_path = *call;
        char path[WIRE_PATH_MAX];

        wire_file_path(hex, index, path);
        with_path.path = path;
        with_path.interface = WIRE_FILE;
        with_path.flags |= CALL_NO_START;
        return connection_call(c, &with_path);
}

int wire_set_stream(struct dosvc *c, const char *hex, uint32_t index) {
        return call_file(c, hex, index, &(struct call){ .member = "SetStream" });
}

static int decode_reader(sd_bus_message *reply, void *ret) {
        int fd, r = sd_bus_message_read_basic(reply, 'h', &fd);

        if (r < 0)
                return r;
        fd = fcntl(fd, F_DUPFD_CLOEXEC, 3); /* the message's goes with it */
        if (fd < 0)
                return -errno;
        *(int *) ret = fd;
        return 0;
}

int wire_open_stream(struct dosvc *c, const char *hex, uint32_t index, int *ret_fd) {
        return call_file(c, hex, index, &(struct call){ .member = "OpenStream", .decode = decode_reader, .ret = ret_fd });
}

struct take_args {
        uint64_t taken;
        bool wait;
};

static int build_take(sd_bus_message *m, const void *args) {
        const struct take_args *take = args;

        return sd_bus_message_append(m, "tb", take->taken, (int) take->wait);
}

static int decode_available(sd_bus_message *reply, void *ret) {
        return sd_bus_message_read_basic(reply, 't', ret);
}

int wire_take_stream(struct dosvc *c, const char *hex, uint32_t index, uint64_t taken, bool wait, uint64_t *ret_available) {
        return call_file(c, hex, index, &(struct call){ .member = "TakeStream",
                                                        .flags = wait ? CALL_UNLIMITED : 0,
                                                        .build = build_take,
                                                        .args = &(struct take_args){ taken, wait },
                                                        .decode = decode_available,
                                                        .ret = ret_available });
}

static int build_fail(sd_bus_message *m, const void *args) {
        return sd_bus_message_append_basic(m, 'u', args);
}

int wire_fail_stream(struct dosvc *c, const char *hex, uint32_t index, uint32_t hresult) {
        return call_file(c, hex, index, &(struct call){ .member = "FailStream", .build = build_fail, .args = &hresult });
}

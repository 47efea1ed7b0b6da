/* org.dosvc.File1 at /org/dosvc/job/<id>/file/<n>. */
#include "base/fds.h"
#include "bus/options.h"
#include "bus/private.h"

static int method_set_url(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        struct peer *peer = ASSERT_PTR(userdata);
        struct bus_call *call;
        struct job_file *file;
        const char *url;
        int r;

        if (!bus_find_job(peer, sd_bus_message_get_path(m), &file) || !file)
                return bus_set_error(error, ERROR_NOT_FOUND, "");
        r = sd_bus_message_read_basic(m, 's', &url);
        if (r < 0)
                return r;
        r = bus_call_new(peer, m, NULL, error, &call);
        if (r < 0)
                return r;
        manager_set_file_url(peer->server->manager, file, url, bus_call_answer, call);
        return 1;
}

static int method_set_path(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        struct peer *peer = ASSERT_PTR(userdata);
        _cleanup_(file_spec_done)
        struct manager_file_spec to = {};
        struct options_text text;
        struct bus_call *call;
        struct job_file *file;
        int r;

        if (!bus_find_job(peer, sd_bus_message_get_path(m), &file) || !file)
                return bus_set_error(error, ERROR_NOT_FOUND, "");
        r = options_read_destination(m, &to, &text);
        if (r != 0)
                return bus_set_error(error, r, text.text);
        r = bus_call_new(peer, m, NULL, error, &call);
        if (r < 0)
                return r;
        manager_set_file_path(peer->server->manager, file, to.file.path, to.file.mode, &to.client_directory, bus_call_answer, call);
        return 1;
}

static int method_set_properties(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        struct peer *peer = ASSERT_PTR(userdata);
        struct manager_file_properties properties;
        struct options_text text;
        struct bus_call *call;
        struct job_file *file;
        int r;

        if (!bus_find_job(peer, sd_bus_message_get_path(m), &file) || !file)
                return bus_set_error(error, ERROR_NOT_FOUND, "");
        r = options_read_file_properties(m, &properties, &text);
        if (r != 0)
                return bus_set_error(error, r, text.text);
        r = bus_call_new(peer, m, NULL, error, &call);
        if (r < 0)
                return r;
        manager_set_file_properties(peer->server->manager, file, &properties, bus_call_answer, call);
        return 1;
}

static int method_set_validation(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        struct peer *peer = ASSERT_PTR(userdata);
        struct bus_call *call;
        struct job_file *file;
        int good, r;

        if (!bus_find_job(peer, sd_bus_message_get_path(m), &file) || !file)
                return bus_set_error(error, ERROR_NOT_FOUND, "");
        r = sd_bus_message_read_basic(m, 'b', &good);
        if (r < 0)
                return r;
        r = bus_call_new(peer, m, NULL, error, &call);
        if (r < 0)
                return r;
        manager_set_file_validation(peer->server->manager, file, good != 0, bus_call_answer, call);
        return 1;
}

static int method_request_ranges(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        struct peer *peer = ASSERT_PTR(userdata);
        struct job_file_spec wanted = {};
        struct bus_call *call;
        struct job_file *file;
        int r;

        if (!bus_find_job(peer, sd_bus_message_get_path(m), &file) || !file)
                return bus_set_error(error, ERROR_NOT_FOUND, "");
        r = options_read_ranges(m, manager_get_limits(peer->server->manager)->max_ranges_per_file, &wanted);
        if (r != 0)
                r = bus_set_error(error, r, "");
        else
                r = bus_call_new(peer, m, NULL, error, &call);
        if (r >= 0)
                manager_request_ranges(peer->server->manager, file, wanted.ranges, wanted.n_ranges, bus_call_answer, call);
        free((struct byte_range *) wanted.ranges);
        return r < 0 ? r : 1;
}

static int method_set_position(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        struct peer *peer = ASSERT_PTR(userdata);
        struct bus_call *call;
        struct job_file *file;
        uint64_t position;
        int r;

        if (!bus_find_job(peer, sd_bus_message_get_path(m), &file) || !file)
                return bus_set_error(error, ERROR_NOT_FOUND, "");
        r = sd_bus_message_read_basic(m, 't', &position);
        if (r < 0)
                return r;
        r = bus_call_new(peer, m, NULL, error, &call);
        if (r < 0)
                return r;
        manager_set_file_position(peer->server->manager, file, position, bus_call_answer, call);
        return 1;
}

/* ---- the bytes of a file, to a program that takes them as they come ---- */

static int method_set_stream(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        struct peer *peer = ASSERT_PTR(userdata);
        struct bus_call *call;
        struct job_file *file;
        int r;

        if (!bus_find_job(peer, sd_bus_message_get_path(m), &file) || !file)
                return bus_set_error(error, ERROR_NOT_FOUND, "");
        r = bus_call_new(peer, m, NULL, error, &call);
        if (r < 0)
                return r;
        manager_set_file_stream(peer->server->manager, file, peer, bus_call_answer, call);
        return 1;
}

static int method_open_stream(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        struct peer *peer = ASSERT_PTR(userdata);
        _cleanup_close_ int fd = -EBADF;
        struct job_file *file;
        int r;

        if (!bus_find_job(peer, sd_bus_message_get_path(m), &file) || !file)
                return bus_set_error(error, ERROR_NOT_FOUND, "");
        fd = manager_open_stream(peer->server->manager, file, peer);
        if (fd < 0)
                return bus_set_error(error, fd == -EBADF ? (int) ERROR_INVALID_STATE : fd, "");
        r = sd_bus_message_new_method_return(m, &reply);
        if (r >= 0)
                r = sd_bus_message_append(reply, "h", fd);
        return r < 0 ? r : bus_reply(peer, m, TAKE_PTR(reply), false, error);
}

static int append_available(sd_bus_message *reply, const struct manager_reply *answer) {
        return sd_bus_message_append(reply, "t", answer->available);
}

static int method_take_stream(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        struct peer *peer = ASSERT_PTR(userdata);
        struct bus_call *call;
        struct job_file *file;
        uint64_t taken;
        int wait, r;

        if (!bus_find_job(peer, sd_bus_message_get_path(m), &file) || !file)
                return bus_set_error(error, ERROR_NOT_FOUND, "");
        r = sd_bus_message_read(m, "tb", &taken, &wait);
        if (r < 0)
                return r;
        if (taken == UINT64_MAX)
                taken = MANAGER_SIZE_UNCHANGED;
        r = bus_call_new(peer, m, append_available, error, &call);
        if (r < 0)
                return r;
        manager_take_stream(peer->server->manager, file, peer, taken, wait != 0, bus_call_answer, call);
        return 1;
}

static int method_fail_stream(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        struct peer *peer = ASSERT_PTR(userdata);
        struct bus_call *call;
        struct job_file *file;
        uint32_t hresult;
        int r;

        if (!bus_find_job(peer, sd_bus_message_get_path(m), &file) || !file)
                return bus_set_error(error, ERROR_NOT_FOUND, "");
        r = sd_bus_message_read_basic(m, 'u', &hresult);
        if (r < 0)
                return r;
        r = bus_call_new(peer, m, NULL, error, &call);
        if (r < 0)
                return r;
        manager_fail_stream(peer->server->manager, file, peer, hresult, bus_call_answer, call);
        return 1;
}

/* Files send no signals: ask again when the job's counters move. */
static const sd_bus_vtable file_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_METHOD_WITH_ARGS("SetUrl", SD_BUS_ARGS("s", url), SD_BUS_NO_RESULT, method_set_url,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("SetPath", SD_BUS_ARGS("ay", path, "a{sv}", options), SD_BUS_NO_RESULT, method_set_path,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("SetValidation", SD_BUS_ARGS("b", good), SD_BUS_NO_RESULT, method_set_validation,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("SetProperties", SD_BUS_ARGS("a{sv}", properties), SD_BUS_NO_RESULT,
                                method_set_properties, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("RequestRanges", SD_BUS_ARGS("a(tt)", ranges), SD_BUS_NO_RESULT, method_request_ranges,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("SetPosition", SD_BUS_ARGS("t", offset), SD_BUS_NO_RESULT, method_set_position,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("SetStream", SD_BUS_NO_ARGS, SD_BUS_NO_RESULT, method_set_stream, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("OpenStream", SD_BUS_NO_ARGS, SD_BUS_RESULT("h", reader), method_open_stream,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("TakeStream", SD_BUS_ARGS("t", taken, "b", wait), SD_BUS_RESULT("t", available),
                                method_take_stream, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("FailStream", SD_BUS_ARGS("u", hresult), SD_BUS_NO_RESULT, method_fail_stream,
                                SD_BUS_VTABLE_UNPRIVILEGED),
#define FILE_PROPERTY(name, signature, expression) SD_BUS_PROPERTY(#name, signature, bus_no_getter, 0, 0),
#define FILE_PROPERTY_LARGE FILE_PROPERTY
#include "bus/file_properties.def"
#undef FILE_PROPERTY_LARGE
#undef FILE_PROPERTY
        SD_BUS_VTABLE_END,
};

static int find_object(sd_bus *bus _unused_, const char *path, const char *interface _unused_, void *userdata,
                       void **ret_found, sd_bus_error *error _unused_) {
        struct peer *peer = peer_of_call(userdata);
        struct job_file *file;

        if (!peer || !bus_find_job(peer, path, &file) || !file)
                return 0;
        *ret_found = peer;
        return 1;
}

int bus_file_add(struct peer *peer) {
        return sd_bus_add_fallback_vtable(peer->bus, NULL, BUS_JOBS_PATH, BUS_FILE_INTERFACE, file_vtable, find_object,
                                          peer);
}

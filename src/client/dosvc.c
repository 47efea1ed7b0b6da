/* <dosvc.h>: connection, making and changing jobs. What only looks is in dosvc_list.c and watch.c. */
#include <stdio.h>

#include "base/strings.h"
#include "client/failure.h"
#include "client/public.h"
#include "client/rim.h"
#include "client/wire.h"
#include "protocol/limits.h"

#define CONNECT_FLAGS (DOSVC_CONNECT_SYSTEM | DOSVC_CONNECT_USER | DOSVC_CONNECT_NO_START)
/* The first version of each structure ended with these members; smaller is not ours. */
#define FILE_SPEC_SIZE_MIN (offsetof(dosvc_file_spec, stated_size) + sizeof(uint64_t))
#define JOB_OPTIONS_SIZE_MIN (offsetof(dosvc_job_options, minimum_retry_delay) + sizeof(int64_t))
#define JOB_OPTIONS_MAX 10 /* dictionary entries of one CreateJob */

/* Nearly every failure here is in the words of the DO family: see <dosvc.h>. */
static int32_t result(int code) {
        return rim_hresult(code, JOB_FAMILY_DO);
}

/* ---- connection ---- */

int32_t dosvc_open(unsigned flags, dosvc **ret) {
        _cleanup_(connection_unrefp)
        dosvc *c = NULL;
        int r, code;

        failure_clear(NULL);
        if (!ret)
                return result(failure_set(NULL, ERROR_INVALID_ARGUMENT, NULL));
        *ret = NULL;
        if (flags & ~(unsigned) CONNECT_FLAGS || (flags & DOSVC_CONNECT_SYSTEM && flags & DOSVC_CONNECT_USER))
                return result(failure_set(NULL, ERROR_INVALID_ARGUMENT, "These flags do not go together."));
        r = connection_new(flags, NULL, &c);
        if (r < 0)
                return result(failure_set_errno(NULL, r));
        code = connection_ensure(c, 0);
        if (code) {
                failure_move(c, NULL);
                return result(code);
        }
        *ret = TAKE_PTR(c);
        return RIM_S_OK;
}

void dosvc_close(dosvc *connection) {
        connection_unref(connection);
}

const dosvc_error *dosvc_last_error(const dosvc *connection) {
        return failure_get(connection);
}

/* ---- making jobs ---- */

/* The caller's array, whose members may be larger than ours. */
static int convert_files(dosvc *c, const dosvc_file_spec *files, size_t n_files, struct wire_file **ret) {
        _cleanup_free_ struct wire_file *out = NULL;
        size_t stride;

        *ret = NULL;
        if (n_files == 0)
                return 0;
        if (!files || n_files > UINT32_MAX)
                return failure_set(c, ERROR_INVALID_ARGUMENT, NULL);
        stride = files->size;
        out = calloc(n_files, sizeof(*out));
        if (!out)
                return failure_set_errno(c, -ENOMEM);
        for (size_t i = 0; i < n_files; i++) {
                const dosvc_file_spec *given = (const void *) ((const char *) files + i * stride);
                dosvc_file_spec spec = {}; /* what an older caller's does not have is empty */

                if (stride < FILE_SPEC_SIZE_MIN || given->size != stride)
                        return failure_set(c, ERROR_INVALID_ARGUMENT, "The size of a dosvc_file_spec is not set.");
                memcpy(&spec, given, MIN(stride, sizeof(spec)));
                out[i] = (struct wire_file){ .url = spec.url,
                                             .path = spec.path,
                                             .sha256 = spec.sha256,
                                             .size = spec.stated_size,
                                             .integrity_info = spec.integrity_info,
                                             .integrity_mandatory = spec.integrity_mandatory != 0,
                                             .decryption_info = spec.decryption_info,
                                             .mirrors = spec.mirrors };
        }
        *ret = TAKE_PTR(out);
        return 0;
}

struct options {
        struct wire_property items[JOB_OPTIONS_MAX];
        size_t n;
};

static void add_option(struct options *options, struct wire_property property) {
        assert(options->n < JOB_OPTIONS_MAX);
        options->items[options->n++] = property;
}

static int add_string(dosvc *c, struct options *options, const char *name, const char *value) {
        if (!value)
                return 0;
        if (!utf8_is_valid(value, SIZE_MAX))
                return failure_setf(c, ERROR_INVALID_ARGUMENT, "%s is not valid UTF-8.", name);
        add_option(options, (struct wire_property){ .name = name, .type = 's', .s = value });
        return 0;
}

static int add_seconds(dosvc *c, struct options *options, const char *name, int64_t value) {
        if (value == -1)
                return 0;
        if (value < 0 || value > UINT32_MAX)
                return failure_setf(c, ERROR_INVALID_ARGUMENT, "%s is out of range.", name);
        add_option(options, (struct wire_property){ .name = name, .type = 'u', .u = (uint32_t) value });
        return 0;
}

static void add_flag(struct options *options, const char *name, int value) {
        if (value)
                add_option(options, (struct wire_property){ .name = name, .type = 'b', .b = true });
}

static int convert_options(dosvc *c, const dosvc_job_options *from, struct options *ret) {
        int code;

        *ret = (struct options){};
        code = add_string(c, ret, "Family", from->family);
        if (!code)
                code = add_string(c, ret, "Priority", from->priority);
        if (!code)
                code = add_string(c, ret, "Description", from->description);
        if (!code)
                code = add_seconds(c, ret, "NoProgressTimeout", from->no_progress_timeout);
        if (!code)
                code = add_seconds(c, ret, "MinimumRetryDelay", from->minimum_retry_delay);
        if (from->size > offsetof(dosvc_job_options, max_rate) && from->max_rate > 0)
                add_option(ret, (struct wire_property){ .name = "MaxRate", .type = 't', .t = from->max_rate });
        add_flag(ret, "CompleteWhenTransferred", from->complete_when_transferred);
        add_flag(ret, "Replace", from->replace);
        add_flag(ret, "RemoteTime", from->remote_time);
        return code;
}

static void format_id(const char *hex, char ret[static DOSVC_ID_SIZE]) {
        struct guid guid;

        /* The wire layer hands out nothing else than hex digits. */
        if (guid_from_string(hex, &guid) >= 0)
                guid_to_string(&guid, ret);
}

int32_t dosvc_create_job(dosvc *c, const dosvc_job_options *options, const dosvc_file_spec *files, size_t n_files,
                         char ret_id[DOSVC_ID_SIZE], int *ret_attached) {
        _cleanup_free_ struct wire_file *wire_files = NULL;
        struct options wire_options;
        char hex[WIRE_ID_HEX + 1];
        struct wire_job job;
        bool attached;
        int code;

        failure_clear(c);
        if (!c || !options || !ret_id || options->size < JOB_OPTIONS_SIZE_MIN)
                return result(failure_set(c, ERROR_INVALID_ARGUMENT, NULL));
        if (!options->name || !utf8_is_valid(options->name, SIZE_MAX))
                return result(failure_set(c, ERROR_INVALID_ARGUMENT, "A job needs a name in valid UTF-8."));
        code = convert_files(c, files, n_files, &wire_files);
        if (!code)
                code = convert_options(c, options, &wire_options);
        if (code)
                return result(code);
        job = (struct wire_job){ .name = options->name,
                                 .options = wire_options.items,
                                 .n_options = wire_options.n,
                                 .attach = options->attach,
                                 .resume = options->resume };
        code = wire_create_job(c, &job, wire_files, n_files, hex, &attached);
        if (code)
                return result(code);
        format_id(hex, ret_id);
        if (ret_attached)
                *ret_attached = attached;
        return RIM_S_OK;
}

/* What nearly every call begins with. */
static int begin(dosvc *c, const char *id, char *ret_hex) {
        failure_clear(c);
        if (!c || !id)
                return failure_set(c, ERROR_INVALID_ARGUMENT, NULL);
        return wire_find_job(c, id, "", ret_hex);
}

int32_t dosvc_add_files(dosvc *c, const char *id, const dosvc_file_spec *files, size_t n_files) {
        _cleanup_free_ struct wire_file *wire_files = NULL;
        char hex[WIRE_ID_HEX + 1];
        int code;

        code = begin(c, id, hex);
        if (!code && n_files == 0)
                code = failure_set(c, ERROR_INVALID_ARGUMENT, "There is no file to add.");
        if (!code)
                code = convert_files(c, files, n_files, &wire_files);
        if (!code)
                code = wire_add_files(c, hex, wire_files, n_files, NULL);
        return result(code);
}

/* ---- commands ---- */

int32_t dosvc_suspend(dosvc *c, const char *id) {
        char hex[WIRE_ID_HEX + 1];
        int code = begin(c, id, hex);

        return result(code ? code : wire_suspend(c, hex));
}

int32_t dosvc_take_ownership(dosvc *c, const char *id) {
        char hex[WIRE_ID_HEX + 1];
        int code = begin(c, id, hex);

        return result(code ? code : wire_take_ownership(c, hex));
}

int32_t dosvc_resume(dosvc *c, const char *id) {
        char hex[WIRE_ID_HEX + 1];
        int code = begin(c, id, hex);

        return result(code ? code : wire_resume(c, hex));
}

int32_t dosvc_cancel(dosvc *c, const char *id) {
        char hex[WIRE_ID_HEX + 1];
        bool left = false;
        int code = begin(c, id, hex);

        if (!code)
                code = wire_cancel(c, hex, &left);
        return !code && left ? RIM_S_UNABLE_TO_DELETE_FILES : result(code);
}

int32_t dosvc_complete(dosvc *c, const char *id) {
        char hex[WIRE_ID_HEX + 1];
        bool partial = false;
        int code = begin(c, id, hex);

        if (!code)
                code = wire_complete(c, hex, &partial);
        return !code && partial ? RIM_S_PARTIAL_COMPLETE : result(code);
}

#include "protocol/errors.h"

#include "base/strings.h"

static const struct {
        const char *name;
        uint32_t hresult[_JOB_FAMILY_MAX];
        const char *dbus_name;
        const char *text;
} table[_ERROR_CODE_MAX] = {
        [ERROR_NONE] = { "NONE", { 0, 0 }, NULL, "No error." },
#define ERROR_ROW(code, hresult_do, hresult_bits, dbus, text) \
        [ERROR_##code] = { #code, { [JOB_FAMILY_DO] = hresult_do, [JOB_FAMILY_BITS] = hresult_bits }, \
                           ERROR_DBUS_PREFIX dbus, text },
#include "protocol/error-table.inc"
#undef ERROR_ROW
};

const char *error_code_name(enum error_code code) {
        return (size_t) code < ELEMENTSOF(table) ? table[code].name : NULL;
}

const char *error_code_dbus_name(enum error_code code) {
        return (size_t) code < ELEMENTSOF(table) ? table[code].dbus_name : NULL;
}

const char *error_code_text(enum error_code code) {
        return (size_t) code < ELEMENTSOF(table) ? table[code].text : NULL;
}

uint32_t error_code_hresult(enum error_code code, enum job_family family, uint32_t detail) {
        assert((size_t) code < ELEMENTSOF(table));
        assert(family < _JOB_FAMILY_MAX);
        if (code == ERROR_HTTP_STATUS)
                return table[code].hresult[family] | (detail & 0xffff);
        if ((code == ERROR_SINK_FAILED || code == ERROR_CERTIFICATE_DECLINED) && detail != 0)
                return detail;
        return table[code].hresult[family];
}

int error_code_from_name(const char *name) {
        for (size_t i = 0; i < ELEMENTSOF(table); i++)
                if (streq(table[i].name, name))
                        return (int) i;
        return -EINVAL;
}

int error_code_from_dbus_name(const char *name) {
        const char *suffix = startswith(name, ERROR_DBUS_PREFIX);

        if (!suffix)
                suffix = name;
        for (size_t i = 1; i < ELEMENTSOF(table); i++)
                if (streq(table[i].dbus_name + strlen(ERROR_DBUS_PREFIX), suffix))
                        return (int) i;
        return -EINVAL;
}

enum error_code error_code_from_errno(int error) {
        static const struct {
                int error;
                enum error_code code;
        } map[] = {
                { ENOSPC, ERROR_NO_SPACE },
                { EDQUOT, ERROR_QUOTA },
                { EFBIG, ERROR_FILE_TOO_LARGE },
                { EROFS, ERROR_READ_ONLY_FILE_SYSTEM },
                { EACCES, ERROR_ACCESS_DENIED },
                { EPERM, ERROR_ACCESS_DENIED },
                { ENOENT, ERROR_DIRECTORY_NOT_FOUND },
                { ENOTDIR, ERROR_DIRECTORY_NOT_FOUND },
                { ENAMETOOLONG, ERROR_NAME_TOO_LONG },
                { EEXIST, ERROR_FILE_EXISTS },
                { EISDIR, ERROR_NOT_A_REGULAR_FILE },
                { ELOOP, ERROR_NOT_A_REGULAR_FILE },
                { EXDEV, ERROR_DIRECTORY_DIFFERS },
                { ESTALE, ERROR_DESTINATION_CHANGED },
                { ENODEV, ERROR_DESTINATION_LOCKED },
                { ENOTCONN, ERROR_DESTINATION_LOCKED },
                { ETIMEDOUT, ERROR_DESTINATION_LOCKED },
                { EIO, ERROR_DISK_ERROR },
                { EMFILE, ERROR_TOO_MANY_OPEN_FILES },
                { ENFILE, ERROR_TOO_MANY_OPEN_FILES },
                { ENOMEM, ERROR_OUT_OF_MEMORY },
                { EINVAL, ERROR_INVALID_NAME },
                { EBADMSG, ERROR_DIGEST_MISMATCH },
                { ETXTBSY, ERROR_ENGINE_FAILED },
                { EOWNERDEAD, ERROR_OWNER_PROCESS_FAILED },
                { EPROTONOSUPPORT, ERROR_OWNER_PROCESS_FAILED }, /* it is of another version */
        };

        error = abs(error);
        if (error == 0)
                return ERROR_NONE;
        for (size_t i = 0; i < ELEMENTSOF(map); i++)
                if (map[i].error == error)
                        return map[i].code;
        return ERROR_LOCAL_FILE_ERROR;
}

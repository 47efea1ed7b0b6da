#include "client/failure.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/strings.h"
#include "client/connection.h"
#include "client/public.h"
#include "protocol/limits.h"

/* A thread that uses more connections than this at once loses the oldest text, nothing else. */
#define REMEMBERED 8

struct remembered {
        uint64_t serial; /* of the connection; never 0: see serial_of() */
        dosvc_error error;
        char *file;
        char *url;
        char text[LIMIT_ERROR_TEXT];
};

struct thread_failures {
        struct remembered items[REMEMBERED];
        unsigned next;
};

static pthread_once_t key_once = PTHREAD_ONCE_INIT;
static pthread_key_t key;
static _Thread_local struct thread_failures *failures;

static const dosvc_error no_failure = { .name = "", .context = "none", .file = "", .url = "", .text = "" };

static void thread_failures_free(void *p) {
        struct thread_failures *f = p;

        for (unsigned i = 0; i < REMEMBERED; i++) {
                free(f->items[i].file);
                free(f->items[i].url);
        }
        free(f);
        failures = NULL;
}

static void make_key(void) {
        (void) pthread_key_create(&key, thread_failures_free);
}

static uint64_t serial_of(const struct dosvc *connection) {
        return connection ? connection_serial(connection) : 1;
}

static struct remembered *find(uint64_t serial) {
        if (failures)
                for (unsigned i = 0; i < REMEMBERED; i++)
                        if (failures->items[i].serial == serial)
                                return &failures->items[i];
        return NULL;
}

static void forget(struct remembered *item) {
        free(item->file);
        free(item->url);
        *item = (struct remembered){};
}

static struct remembered *make(uint64_t serial) {
        struct remembered *item = find(serial);

        if (!failures) {
                pthread_once(&key_once, make_key);
                failures = calloc(1, sizeof(*failures));
                if (!failures)
                        return NULL;
                (void) pthread_setspecific(key, failures);
        }
        if (!item) {
                item = &failures->items[failures->next];
                failures->next = (failures->next + 1) % REMEMBERED;
        }
        forget(item);
        item->serial = serial;
        return item;
}

void failure_clear(const struct dosvc *connection) {
        struct remembered *item = find(serial_of(connection));

        if (item)
                forget(item);
}

const char *failure_context(enum error_code code) {
        /* The order of idl/errors.txt: calls, local files, transfer, schedule, service. */
        if (code >= ERROR_INVALID_NAME && code <= ERROR_LOCAL_FILE_ERROR)
                return error_context_name(ERROR_CONTEXT_LOCAL_FILE);
        if (code >= ERROR_HTTP_STATUS && code <= ERROR_TOO_LARGE)
                return error_context_name(ERROR_CONTEXT_REMOTE_FILE);
        if (code == ERROR_NO_NETWORK)
                return error_context_name(ERROR_CONTEXT_GENERAL_TRANSPORT);
        return error_context_name(ERROR_CONTEXT_NONE);
}

int failure_set(const struct dosvc *connection, enum error_code code, const char *text) {
        struct remembered *item = make(serial_of(connection));
        const char *name = error_code_dbus_name(code);

        if (!item)
                return (int) code;
        if (!text || !*text)
                text = error_code_text(code);
        (void) snprintf(item->text, sizeof(item->text), "%s", text);
        item->error = (dosvc_error){
                .hresult = (int32_t) error_code_hresult(code, JOB_FAMILY_DO, 0),
                .name = name ? name + strlen(ERROR_DBUS_PREFIX) : "",
                .context = failure_context(code),
                .file = "",
                .url = "",
                .text = item->text,
        };
        return (int) code;
}

int failure_setf(const struct dosvc *connection, enum error_code code, const char *format, ...) {
        char text[LIMIT_ERROR_TEXT];
        va_list ap;

        va_start(ap, format);
        (void) vsnprintf(text, sizeof(text), format, ap);
        va_end(ap);
        return failure_set(connection, code, text);
}

int failure_set_errno(const struct dosvc *connection, int r) {
        char buffer[128];

        switch (-r) {
        case ENOMEM:
                return failure_set(connection, ERROR_OUT_OF_MEMORY, NULL);
        case EACCES:
        case EPERM:
                return failure_set(connection, ERROR_ACCESS_DENIED, NULL);
        case EMFILE:
        case ENFILE:
                return failure_set(connection, ERROR_TOO_MANY_OPEN_FILES,
                                   "This program has as many open files as it may have.");
        default:
                return failure_setf(connection, ERROR_UNEXPECTED, "The call failed in this program: %s.",
                                    strerror_r(-r, buffer, sizeof(buffer)));
        }
}

const char *failure_text_of_input(int r) {
        switch (r) {
        case -ENOENT:
        case -ENOTDIR:
                return "There is no such file.";
        case -EACCES:
        case -EPERM:
                return "This program may not read the file.";
        case ERROR_NOT_A_REGULAR_FILE:
                return "It is no regular file.";
        default:
                return NULL;
        }
}

void failure_about(const struct dosvc *connection, const char *file, const char *url) {
        struct remembered *item = find(serial_of(connection));

        if (!item)
                return;
        if (file && strdup_to(&item->file, file) == 0)
                item->error.file = item->file;
        if (url && strdup_to(&item->url, url) == 0)
                item->error.url = item->url;
}

const dosvc_error *failure_get(const struct dosvc *connection) {
        struct remembered *item = find(serial_of(connection));

        return item ? &item->error : &no_failure;
}

void failure_move(const struct dosvc *from, const struct dosvc *to) {
        struct remembered *item = find(serial_of(from)), *old;

        if (!item)
                return;
        old = find(serial_of(to));
        if (old && old != item)
                forget(old);
        item->serial = serial_of(to);
}

enum error_code failure_code_from_bus(const sd_bus_error *error) {
        static const struct {
                const char *name;
                enum error_code code;
        } generic[] = {
                { SD_BUS_ERROR_ACCESS_DENIED, ERROR_ACCESS_DENIED },
                { SD_BUS_ERROR_AUTH_FAILED, ERROR_ACCESS_DENIED },
                { SD_BUS_ERROR_INVALID_ARGS, ERROR_INVALID_ARGUMENT },
                { SD_BUS_ERROR_INVALID_SIGNATURE, ERROR_INVALID_ARGUMENT },
                { SD_BUS_ERROR_NO_MEMORY, ERROR_OUT_OF_MEMORY },
                { SD_BUS_ERROR_LIMITS_EXCEEDED, ERROR_TOO_MANY_REQUESTS },
                { SD_BUS_ERROR_UNKNOWN_OBJECT, ERROR_NOT_FOUND },
                { SD_BUS_ERROR_UNKNOWN_METHOD, ERROR_NOT_IMPLEMENTED },
                { SD_BUS_ERROR_UNKNOWN_INTERFACE, ERROR_NOT_IMPLEMENTED },
                { SD_BUS_ERROR_UNKNOWN_PROPERTY, ERROR_UNKNOWN_PROPERTY },
                { SD_BUS_ERROR_PROPERTY_READ_ONLY, ERROR_READ_ONLY_PROPERTY },
                { SD_BUS_ERROR_NO_REPLY, ERROR_NO_SERVICE },
                { SD_BUS_ERROR_TIMEOUT, ERROR_NO_SERVICE },
                { SD_BUS_ERROR_DISCONNECTED, ERROR_NO_SERVICE },
                { SD_BUS_ERROR_NO_SERVER, ERROR_NO_SERVICE },
                { SD_BUS_ERROR_SERVICE_UNKNOWN, ERROR_NO_SERVICE },
        };
        int code;

        if (!error->name)
                return ERROR_UNEXPECTED;
        if (startswith(error->name, ERROR_DBUS_PREFIX)) {
                code = error_code_from_dbus_name(error->name);
                return code < 0 ? ERROR_UNEXPECTED : (enum error_code) code;
        }
        for (size_t i = 0; i < ELEMENTSOF(generic); i++)
                if (streq(generic[i].name, error->name))
                        return generic[i].code;
        return ERROR_UNEXPECTED;
}

/* The line of a job's own program, split as Windows does it, and the strings as they travel to whoever runs it. Properties: an argument is
 * never longer than the line, what is packed comes out again the same, and arguments that are quoted come back as they were. */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "base/strings.h"
#include "program/arguments.h"

#define CHECK(x) \
        do {                     \
                if (!(x))        \
                        abort(); \
        } while (0)

/* Each argument in quotes: quotes inside have a backslash more, and so do backslashes in front of a quote. */
static char *quote(char *const *arguments, size_t max) {
        char *line = malloc(max), *to = line;

        CHECK(line);
        for (size_t i = 0; arguments[i]; i++) {
                size_t n_backslashes = 0;

                to = stpcpy(to, i ? "\t \"" : "\"");
                for (const char *from = arguments[i];; from++) {
                        if (*from == '"' || !*from)
                                for (; n_backslashes > 0; n_backslashes--)
                                        *to++ = '\\';
                        if (!*from)
                                break;
                        if (*from == '"')
                                *to++ = '\\';
                        n_backslashes = *from == '\\' ? n_backslashes + 1 : 0;
                        *to++ = *from;
                }
                *to++ = '"';
        }
        *to = 0;
        return line;
}

static void check_same(char *const *a, char *const *b) {
        size_t i = 0;

        for (; a[i] && b[i]; i++)
                CHECK(streq(a[i], b[i]));
        CHECK(!a[i] && !b[i]);
}

static void check_line(const char *line) {
        _cleanup_(arguments_freep) char **arguments = NULL, **unpacked = NULL, **again = NULL;
        _cleanup_free_ char *packed = NULL, *quoted = NULL;
        size_t total = 0, size;
        int n = arguments_split(line, &arguments);

        CHECK(n >= 0 && !arguments[n]);
        for (int i = 0; i < n; i++)
                total += strlen(arguments[i]);
        CHECK(total <= strlen(line));
        CHECK(arguments_pack(arguments, &packed, &size) == 0 && size == total + (size_t) n);
        CHECK(arguments_unpack(packed, size, &unpacked) == 0);
        check_same(arguments, unpacked);
        quoted = quote(arguments, 2 * total + 5 * (size_t) n + 1);
        CHECK(arguments_split(quoted, &again) == n);
        check_same(arguments, again);
}

/* Bytes of another process of ours, as the frame's reader hands them on: they end in a NUL. */
static void check_bytes(const uint8_t *data, size_t size) {
        _cleanup_(arguments_freep) char **arguments = NULL;
        _cleanup_free_ char *bytes = malloc(size + 1), *packed = NULL;
        size_t packed_size;

        CHECK(bytes);
        if (size > 0)
                memcpy(bytes, data, size);
        bytes[size] = 0;
        CHECK(arguments_unpack(bytes, size + 1, &arguments) == 0);
        CHECK(arguments_pack(arguments, &packed, &packed_size) == 0);
        CHECK(packed_size == size + 1 && memcmp(packed, bytes, packed_size) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_free_ char *line = strndup((const char *) data, size);

        if (!line)
                return 0;
        check_line(line);
        check_bytes(data, size);
        return 0;
}

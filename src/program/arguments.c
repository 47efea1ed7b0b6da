#include "program/arguments.h"

#include <string.h>

struct reader {
        const char *from;
        char *to;
        bool quoted;
};

static bool is_blank(char c) {
        return c == ' ' || c == '\t';
}

/* At a backslash: all that follow each other, and the quote that they may stand in front of. */
static void take_backslashes(struct reader *reader) {
        size_t n = strspn(reader->from, "\\"), kept = n;

        reader->from += n;
        if (*reader->from == '"')
                kept = n / 2;
        memset(reader->to, '\\', kept);
        reader->to += kept;
        if (*reader->from == '"' && n % 2 == 1) {
                *reader->to++ = '"';
                reader->from++;
        }
}

static void take_quote(struct reader *reader) {
        reader->from++;
        if (reader->quoted && *reader->from == '"') {
                *reader->to++ = '"';
                reader->from++;
        } else
                reader->quoted = !reader->quoted;
}

static void take_argument(struct reader *reader) {
        reader->quoted = false;
        while (*reader->from && (reader->quoted || !is_blank(*reader->from))) {
                if (*reader->from == '\\')
                        take_backslashes(reader);
                else if (*reader->from == '"')
                        take_quote(reader);
                else
                        *reader->to++ = *reader->from++;
        }
        *reader->to++ = 0;
}

int arguments_split(const char *line, char ***ret) {
        size_t size = strlen(line), max = size / 2 + 1; /* an argument and what is between it and the next have two bytes at least */
        char **arguments, *text;
        struct reader reader;
        int n = 0;

        /* In one piece: the pointers, then the texts, which only become shorter. */
        arguments = malloc((max + 1) * sizeof(*arguments) + size + 1);
        if (!arguments)
                return -ENOMEM;
        text = (char *) (arguments + max + 1);
        reader = (struct reader) { .from = line, .to = text };
        for (;;) {
                reader.from += strspn(reader.from, " \t");
                if (!*reader.from)
                        break;
                arguments[n++] = reader.to;
                take_argument(&reader);
        }
        arguments[n] = NULL;
        *ret = arguments;
        return n;
}

int arguments_pack(char *const *arguments, char **ret, size_t *ret_size) {
        size_t n = 0;
        char *end;

        for (size_t i = 0; arguments[i]; i++)
                n += strlen(arguments[i]) + 1;
        *ret = end = malloc(MAX(n, (size_t) 1));
        if (!end)
                return -ENOMEM;
        for (size_t i = 0; arguments[i]; i++)
                end = stpcpy(end, arguments[i]) + 1;
        *ret_size = n;
        return 0;
}

int arguments_unpack(const char *bytes, size_t n, char ***ret) {
        size_t n_strings = 0;
        char **arguments, *text;

        assert(n == 0 || bytes[n - 1] == 0);
        for (size_t i = 0; i < n; i++)
                n_strings += bytes[i] == 0;
        arguments = malloc((n_strings + 1) * sizeof(*arguments) + n);
        if (!arguments)
                return -ENOMEM;
        text = (char *) (arguments + n_strings + 1);
        if (n > 0)
                memcpy(text, bytes, n);
        for (size_t i = 0; i < n_strings; i++, text += strlen(text) + 1)
                arguments[i] = text;
        arguments[n_strings] = NULL;
        *ret = arguments;
        return 0;
}

void arguments_free(char **arguments) {
        free(arguments);
}

#include "cli/cli.h"

#include <ctype.h>
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define NAME_BYTES_MAX 255 /* NAME_MAX of every file system that matters */

bool text_is_utf8(const char *s, size_t size) {
        json_t *value = json_stringn(s, size); /* takes valid UTF-8 only */
        bool valid = value;

        json_decref(value);
        return valid;
}

static int hex_value(char c) {
        return isdigit((unsigned char) c) ? c - '0' : tolower((unsigned char) c) - 'a' + 10;
}

/* "%41" becomes "A"; a percent sign without two digits stands for itself, as browsers and curl have it. Length of the result. */
static size_t percent_decode(const char *s, size_t size, char *ret) {
        size_t n = 0;

        for (size_t i = 0; i < size; i++) {
                if (s[i] == '%' && i + 2 < size && isxdigit((unsigned char) s[i + 1]) && isxdigit((unsigned char) s[i + 2])) {
                        ret[n++] = (char)(hex_value(s[i + 1]) << 4 | hex_value(s[i + 2]));
                        i += 2;
                } else
                        ret[n++] = s[i];
        }
        ret[n] = 0;
        return n;
}

/* Why these bytes are no name of a file, or NULL. */
static const char *name_problem(const char *name, size_t size) {
        if (size == 0)
                return "its path ends without a name";
        if (size > NAME_BYTES_MAX)
                return "the name in it is longer than 255 bytes";
        for (size_t i = 0; i < size; i++) {
                if (name[i] == '/')
                        return "the name in it has a slash";
                if ((unsigned char) name[i] < 0x20 || name[i] == 0x7f)
                        return "the name in it has control characters";
        }
        if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
                return "the name in it is a directory's";
        if (!text_is_utf8(name, size))
                return "the name in it is not UTF-8";
        return NULL;
}

int name_from_url(const char *url, char **ret, const char **reterr_why) {
        _cleanup_(freep) char *name = NULL;
        const char *host = strstr(url, "://"), *path, *segment;
        size_t size;

        if (!host) {
                *reterr_why = "it is no URL: it must begin with http:// or https://";
                return -EINVAL;
        }
        host += 3;
        path = host + strcspn(host, "/?#");
        size = *path == '/' ? strcspn(path, "?#") : 0;
        for (segment = path + size; segment > path && segment[-1] != '/';)
                segment--;
        size = (size_t)(path + size - segment);
        name = must(malloc(size + 1));
        size = percent_decode(segment, size, name);
        *reterr_why = name_problem(name, size);
        if (*reterr_why)
                return -EINVAL;
        *ret = TAKE_PTR(name);
        return 0;
}

bool url_has_password(const char *url) {
        const char *authority = strstr(url, "://"), *end, *at = NULL;

        if (!authority)
                return false;
        authority += 3;
        end = authority + strcspn(authority, "/?#");
        for (const char *p = authority; p < end; p++)
                if (*p == '@')
                        at = p;
        return at && memchr(authority, ':', (size_t)(at - authority));
}

/* Drops "." components and empty ones. A last "." stays out too, so "x/." is "x"; a trailing slash goes. In place. */
static void path_simplify(char *path) {
        char *out = path;
        const char *in = path;

        while (*in) {
                size_t n;

                in += strspn(in, "/");
                n = strcspn(in, "/");
                if (n == 0)
                        break;
                if (!(n == 1 && *in == '.')) {
                        *out++ = '/';
                        memmove(out, in, n);
                        out += n;
                }
                in += n;
        }
        if (out == path)
                *out++ = '/';
        *out = 0;
}

char *path_make_absolute(const char *directory, const char *path) {
        _cleanup_(freep) char *cwd = NULL, *joined = NULL;
        const char *base = directory ? directory : "";

        if (path[0] == '/')
                joined = must_printf("%s", path);
        else if (base[0] == '/')
                joined = must_printf("%s/%s", base, path);
        else {
                cwd = getcwd(NULL, 0);
                if (!cwd)
                        return NULL;
                joined = must_printf("%s/%s/%s", cwd, base, path);
        }
        path_simplify(joined);
        return TAKE_PTR(joined);
}

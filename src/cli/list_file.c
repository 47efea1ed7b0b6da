#include "cli/cli.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>

#define LIST_LINE_MAX (160 * 1024)      /* a URL of 8192 bytes, 16 mirrors, a path of 4095 and the digest fit */
#define LIST_ENTRIES_MAX (1000 * 1000)  /* more files than one job may ever have */

void list_entry_done(struct list_entry *entry) {
        free(entry->url);
        free(entry->out);
        free(entry->mirrors);
        free(entry->integrity_info);
        *entry = (struct list_entry) { 0 };
}

static char *copy_of(const char *s, size_t size) {
        char *copy = must(malloc(size + 1));

        memcpy(copy, s, size);
        copy[size] = 0;
        return copy;
}

static int parse_attribute(const char *word, size_t n, const char *end, struct list_entry *entry, const char **next,
                           const char **reterr_why) {
        char hex[65];

        *next = word + n;
        if (n == 7 + 64 && memcmp(word, "sha256=", 7) == 0 && !entry->has_sha256) {
                memcpy(hex, word + 7, 64);
                hex[64] = 0;
                if (parse_sha256(hex, entry->sha256) == 0) {
                        entry->has_sha256 = true;
                        return 0;
                }
        }
        if (n >= 7 && memcmp(word, "sha256=", 7) == 0) {
                *reterr_why = entry->has_sha256 ? "sha256= is there twice" : "sha256= wants 64 hexadecimal digits";
                return -EINVAL;
        }
        if (n >= 4 && memcmp(word, "out=", 4) == 0) {
                /* The rest of the line, so that names may have spaces. */
                if (word + 4 == end) {
                        *reterr_why = "out= wants a name";
                        return -EINVAL;
                }
                entry->out = copy_of(word + 4, (size_t)(end - word - 4));
                *next = end;
                return 0;
        }
        if (n > 7 && memcmp(word, "mirror=", 7) == 0) {
                char *mirrors = must_printf("%s%s%.*s", entry->mirrors ? entry->mirrors : "", entry->mirrors ? "\n" : "",
                                            (int) (n - 7), word + 7);

                free(entry->mirrors);
                entry->mirrors = mirrors;
                return 0;
        }
        *reterr_why = "after the URL only sha256=HEX, mirror=URL and out=NAME may follow";
        return -EINVAL;
}

int list_parse_line(const char *line, size_t size, struct list_entry *ret, const char **reterr_why) {
        const char *p = line, *end = line + size;
        int r;

        *ret = (struct list_entry) { 0 };
        while (end > p && strchr(" \t\r\n", end[-1]) && end[-1])
                end--;
        while (p < end && (*p == ' ' || *p == '\t'))
                p++;
        if (p == end || *p == '#')
                return 0;
        if (memchr(p, 0, (size_t)(end - p))) {
                *reterr_why = "there is a zero byte in it";
                return -EINVAL;
        }
        while (p < end) {
                size_t n = 0;

                while (p + n < end && p[n] != ' ' && p[n] != '\t')
                        n++;
                if (!ret->url) {
                        ret->url = copy_of(p, n);
                        p += n;
                } else {
                        r = parse_attribute(p, n, end, ret, &p, reterr_why);
                        if (r < 0) {
                                list_entry_done(ret);
                                return r;
                        }
                }
                while (p < end && (*p == ' ' || *p == '\t'))
                        p++;
        }
        return 1;
}

static int read_lines(FILE *f, const char *path, struct list_entry **entries, size_t *n, char **reterr_problem) {
        _cleanup_(freep) char *line = NULL;
        size_t allocated = 0, number = 0, room = 0;
        ssize_t size;

        while ((size = getline(&line, &allocated, f)) > 0) {
                /* Some editors put a mark before the first line of UTF-8. */
                size_t mark = number == 0 && strncmp(line, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
                const char *why = "the line is too long";
                struct list_entry entry = { 0 };
                int r = -EINVAL;

                number++;
                if (size <= LIST_LINE_MAX)
                        r = list_parse_line(line + mark, (size_t) size - mark, &entry, &why);
                if (r > 0 && *n >= LIST_ENTRIES_MAX) {
                        list_entry_done(&entry);
                        why = "there are too many lines";
                        r = -EINVAL;
                }
                if (r < 0) {
                        *reterr_problem = must_printf("%s:%zu: %s", path, number, why);
                        return r;
                }
                if (r == 0)
                        continue;
                if (*n == room) {
                        room = room ? room * 2 : 64;
                        *entries = must(reallocarray(*entries, room, sizeof(**entries)));
                }
                (*entries)[(*n)++] = entry;
        }
        if (ferror(f)) {
                *reterr_problem = must_printf("cannot read %s: %m", path);
                return -EIO;
        }
        return 0;
}

int list_read(const char *path, struct list_entry **ret, size_t *ret_n, char **reterr_problem) {
        FILE *f = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
        int r;

        if (!f) {
                r = -errno;
                *reterr_problem = must_printf("cannot read the list %s: %m", path);
                return r;
        }
        r = read_lines(f, path, ret, ret_n, reterr_problem);
        if (f != stdin)
                fclose(f);
        return r;
}

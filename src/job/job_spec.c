#include "job/internal.h"

#include <stdio.h>

#include "base/strings.h"

/* ---- URL ---- */

static bool is_alpha(char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_digit(char c) {
        return c >= '0' && c <= '9';
}

static bool is_hex_digit(char c) {
        return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* Length of the scheme before ':', 0 if there is none. RFC 3986 section 3.1. */
static size_t scheme_length(const char *url) {
        size_t n = 0;

        if (!is_alpha(*url))
                return 0;
        while (is_alpha(url[n]) || is_digit(url[n]) || url[n] == '+' || url[n] == '-' || url[n] == '.')
                n++;
        return url[n] == ':' ? n : 0;
}

static bool scheme_is(const char *url, size_t n_scheme, const char *scheme) {
        return n_scheme == strlen(scheme) && strncasecmp(url, scheme, n_scheme) == 0;
}

/* "", ":" or ":1" … ":65535". */
static bool port_is_valid(const char *s, size_t n) {
        unsigned port = 0;

        if (n == 0)
                return true;
        if (s[0] != ':' || n > 6)
                return false;
        for (size_t i = 1; i < n; i++) {
                if (!is_digit(s[i]))
                        return false;
                port = port * 10 + (unsigned) (s[i] - '0');
        }
        return n == 1 || (port > 0 && port <= 65535);
}

static bool name_char_is_valid(char c) {
        /* What is above ASCII is an internationalised name: whoever connects to it converts it, and judges it then. */
        return is_alpha(c) || is_digit(c) || strchr("-._~%", c) || (uint8_t) c >= 0x80;
}

static bool host_is_valid(const char *s, size_t n) {
        size_t host = 0;

        if (n > 0 && s[0] == '[') {
                host = 1;
                while (host < n && (is_hex_digit(s[host]) || s[host] == ':' || s[host] == '.'))
                        host++;
                return host > 1 && host < n && s[host] == ']' && port_is_valid(s + host + 1, n - host - 1);
        }
        while (host < n && name_char_is_valid(s[host]))
                host++;
        return host > 0 && port_is_valid(s + host, n - host);
}

int job_url_check(const char *url) {
        size_t n_scheme, n_authority;
        const char *authority, *at;

        if (!url)
                return ERROR_INVALID_ARGUMENT;
        if (strlen(url) > LIMIT_URL || !utf8_is_valid(url, SIZE_MAX) || string_has_control(url) || strchr(url, ' '))
                return ERROR_INVALID_URL;
        n_scheme = scheme_length(url);
        if (n_scheme == 0)
                return ERROR_INVALID_URL;
        if (!scheme_is(url, n_scheme, "http") && !scheme_is(url, n_scheme, "https"))
                return ERROR_PROTOCOL_NOT_AVAILABLE;
        authority = startswith(url + n_scheme, "://");
        if (!authority)
                return ERROR_INVALID_URL;
        /* A backslash is a slash to some parsers and part of the name to others: the host would be in doubt. */
        n_authority = strcspn(authority, "/?#\\");
        if (authority[n_authority] == '\\')
                return ERROR_INVALID_URL;
        at = memrchr(authority, '@', n_authority);
        if (at) {
                n_authority -= (size_t) (at + 1 - authority);
                authority = at + 1;
        }
        return host_is_valid(authority, n_authority) ? 0 : ERROR_INVALID_URL;
}

/* Scheme, host and port, without user info. */
static const char *url_host(const char *url, size_t *ret_n_scheme, size_t *ret_n_host) {
        const char *authority = url + scheme_length(url) + strlen("://"), *at;
        size_t n = strcspn(authority, "/?#");

        at = memrchr(authority, '@', n);
        *ret_n_scheme = scheme_length(url);
        *ret_n_host = at ? n - (size_t)(at + 1 - authority) : n;
        return at ? at + 1 : authority;
}

bool job_url_is_same_origin(const char *a, const char *b) {
        size_t n_scheme_a, n_scheme_b, n_host_a, n_host_b;
        const char *host_a = url_host(a, &n_scheme_a, &n_host_a), *host_b = url_host(b, &n_scheme_b, &n_host_b);

        return n_scheme_a == n_scheme_b && strncasecmp(a, b, n_scheme_a) == 0 && n_host_a == n_host_b &&
               strncasecmp(host_a, host_b, n_host_a) == 0;
}

struct renamed_file {
        struct job_file *file;
        char *url;
};

static void renamed_files_free(struct renamed_file *items, size_t n) {
        for (size_t i = 0; i < n; i++)
                free(items[i].url);
        free(items);
}

/* *ret_n counts also when this fails. */
static int rename_files(struct job *job, const char *old_prefix, const char *new_prefix, struct renamed_file *items,
                        size_t *ret_n) {
        int r;

        for (size_t i = 0; i < job->n_files; i++) {
                struct job_file *file = job->files[i];
                const char *rest = startswith(file->url, old_prefix);
                char *url;

                if (!rest || file->state != FILE_PENDING)
                        continue;
                if (asprintf(&url, "%s%s", new_prefix, rest) < 0)
                        return -ENOMEM;
                items[(*ret_n)++] = (struct renamed_file){ .file = file, .url = url };
                r = job_url_check(url);
                if (r)
                        return r;
        }
        return 0;
}

int job_replace_url_prefix(struct job *job, const char *old_prefix, const char *new_prefix, uint64_t now_usec,
                           struct job_file ***ret_changed, size_t *ret_n_changed) {
        struct renamed_file *items;
        struct job_file **changed;
        size_t n = 0;
        int r;

        if (!*old_prefix || !*new_prefix)
                return ERROR_INVALID_ARGUMENT;
        items = calloc(MAX(job->n_files, (size_t) 1), sizeof(*items));
        changed = calloc(MAX(job->n_files, (size_t) 1), sizeof(*changed));
        r = items && changed ? rename_files(job, old_prefix, new_prefix, items, &n) : -ENOMEM;
        if (r) {
                renamed_files_free(items, n);
                free(changed);
                return r;
        }
        for (size_t i = 0; i < n; i++) {
                free(items[i].file->url);
                items[i].file->url = TAKE_PTR(items[i].url);
                changed[i] = items[i].file;
        }
        if (n > 0)
                job->modified_usec = now_usec;
        renamed_files_free(items, n);
        *ret_changed = changed;
        *ret_n_changed = n;
        return 0;
}

/* ---- path ---- */

/* ".dosvc-" + 22 characters + ".part": the janitor takes such files away. */
static bool name_is_temporary(const char *name, size_t n) {
        return n == TEMP_NAME_MAX - 1 && startswith(name, ".dosvc-") && streq(name + n - strlen(".part"), ".part");
}

int job_path_check(const char *path) {
        const char *p = path;

        if (!path || *path != '/')
                return ERROR_INVALID_ARGUMENT;
        if (strlen(path) > LIMIT_PATH)
                return ERROR_NAME_TOO_LONG;
        while (*p) {
                size_t n;

                p += strspn(p, "/");
                n = strcspn(p, "/");
                if (n == 0) /* ends in a slash: names a directory */
                        return ERROR_INVALID_NAME;
                if (n > LIMIT_NAME)
                        return ERROR_NAME_TOO_LONG;
                if ((n == 1 && p[0] == '.') || (n == 2 && p[0] == '.' && p[1] == '.'))
                        return ERROR_INVALID_NAME;
                if (!p[n] && name_is_temporary(p, n))
                        return ERROR_INVALID_NAME;
                p += n;
        }
        return 0;
}

/* ---- ranges ---- */

static int compare_offsets(const void *a, const void *b) {
        uint64_t x = ((const struct byte_range *) a)->offset, y = ((const struct byte_range *) b)->offset;

        return x < y ? -1 : x > y;
}

bool job_range_is_valid(const struct byte_range *range) {
        if (range->length == 0 || range->offset >= LIMIT_FILE_SIZE) /* TO_EOF as offset is among these */
                return false;
        return range->length == TO_EOF || range->length <= LIMIT_FILE_SIZE - range->offset;
}

int job_ranges_check(const struct byte_range *ranges, size_t n_ranges, size_t max_ranges) {
        _cleanup_free_ struct byte_range *sorted = NULL;

        if (n_ranges == 0)
                return 0;
        if (!ranges)
                return ERROR_INVALID_ARGUMENT;
        if (n_ranges > max_ranges)
                return ERROR_TOO_MANY_RANGES;
        for (size_t i = 0; i < n_ranges; i++)
                if (!job_range_is_valid(&ranges[i]))
                        return ERROR_INVALID_RANGE;
        /* Judged in the order of offsets, kept in the caller's order (design decision 6). Equal offsets always
         * overlap, as no length is 0; so does a range to the end with anything behind it. */
        sorted = reallocarray(NULL, n_ranges, sizeof(*sorted));
        if (!sorted)
                return -ENOMEM;
        memcpy(sorted, ranges, n_ranges * sizeof(*sorted));
        qsort(sorted, n_ranges, sizeof(*sorted), compare_offsets);
        for (size_t i = 1; i < n_ranges; i++)
                if (sorted[i - 1].length > sorted[i].offset - sorted[i - 1].offset)
                        return ERROR_OVERLAPPING_RANGES;
        return 0;
}

/* ---- what guards the content ---- */

int job_guard_check(const char *json, size_t max) {
        if (strlen(json) > max)
                return ERROR_STRING_TOO_LONG;
        return utf8_is_valid(json, SIZE_MAX) ? 0 : ERROR_INVALID_ARGUMENT;
}

static bool comes_later(const char *name) {
        return name && !*name;
}

static int job_mirrors_check(const char *mirrors) {
        char url[LIMIT_URL + 1];

        for (unsigned n = 0; mirrors && *mirrors; n++) {
                size_t length = strcspn(mirrors, "\n");
                int r;

                if (n == LIMIT_MIRRORS)
                        return ERROR_INVALID_ARGUMENT;
                if (length >= sizeof(url))
                        return ERROR_INVALID_URL;
                memcpy(url, mirrors, length);
                url[length] = 0;
                r = job_url_check(url);
                if (r)
                        return r;
                mirrors += length;
                mirrors += *mirrors == '\n';
        }
        return 0;
}

int job_file_id_check(const char *file_id) {
        if (!utf8_is_valid(file_id, SIZE_MAX))
                return ERROR_INVALID_ARGUMENT;
        return strlen(file_id) > LIMIT_FILE_ID ? ERROR_STRING_TOO_LONG : 0;
}

int job_file_spec_check(const struct job_file_spec *spec, enum job_family family, enum job_kind kind, size_t max_ranges) {
        int r;

        r = kind == JOB_KIND_DOWNLOAD && comes_later(spec->url) ? 0 : job_url_check(spec->url);
        if (r)
                return r;
        r = family == JOB_FAMILY_DO && comes_later(spec->path) ? 0 : job_path_check(spec->path);
        if (r)
                return r;
        r = spec->file_id ? job_file_id_check(spec->file_id) : 0;
        if (r)
                return r;
        if (spec->integrity_info)
                r = job_guard_check(spec->integrity_info, LIMIT_INTEGRITY_INFO);
        if (!r && spec->decryption_info)
                r = job_guard_check(spec->decryption_info, LIMIT_DECRYPTION_INFO);
        if (r)
                return r;
        if (spec->stated_size != SIZE_UNKNOWN && spec->stated_size > LIMIT_FILE_SIZE)
                return ERROR_TOO_LARGE;
        r = job_mirrors_check(spec->mirrors);
        if (r)
                return r;
        if (spec->mirrors && *spec->mirrors && spec->n_ranges > 0)
                return ERROR_INVALID_ARGUMENT;
        /* Both families document the same rules; only the codes differ, and those are in idl/errors.txt. */
        return job_ranges_check(spec->ranges, spec->n_ranges, max_ranges);
}

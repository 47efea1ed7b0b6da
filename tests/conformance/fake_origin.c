#include "fake_origin.h"

#include <curl/curl.h>
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/fds.h"
#include "base/strings.h"

#define MODIFIED 1700000000 /* of version 1; each version is an hour younger: as lying_server.py */
#define VERSION_SECONDS 3600
#define ID_MAX 64
#define CASE_FILE_MAX ((size_t) 64 << 20)

struct fake_origin {
        char *directory;
        json_t *counts; /* of the questions for each case as it was written */
};

int fake_origin_new(const char *directory, struct fake_origin **ret) {
        struct fake_origin *origin = calloc(1, sizeof(*origin));

        if (!origin)
                return -ENOMEM;
        origin->directory = strdup(directory);
        origin->counts = json_object();
        if (!origin->directory || !origin->counts) {
                fake_origin_free(origin);
                return -ENOMEM;
        }
        *ret = origin;
        return 0;
}

struct fake_origin *fake_origin_free(struct fake_origin *origin) {
        if (!origin)
                return NULL;
        json_decref(origin->counts);
        free(origin->directory);
        free(origin);
        return NULL;
}

void fake_answer_done(struct fake_answer *answer) {
        free(answer->bytes);
        answer->bytes = NULL;
}

uint8_t fake_answer_byte(const struct fake_answer *answer, uint64_t position) {
        uint8_t byte = answer->bytes ? (uint8_t) answer->bytes[position] :
                                       (uint8_t) (position * 31 + (position >> 8) + (answer->version - 1) * 7);

        return position == answer->spoiled ? (uint8_t) ~byte : byte;
}

/* ---- what an answer is to be ---- */

static const char *text_of(const json_t *lies, const char *key, const char *otherwise) {
        const char *text = json_string_value(json_object_get(lies, key));

        return text ?: otherwise;
}

/* In a query all are texts. */
static uint64_t number_of(const json_t *lies, const char *key, uint64_t otherwise) {
        const json_t *value = json_object_get(lies, key);

        if (json_is_integer(value))
                return (uint64_t) json_integer_value(value);
        return json_is_string(value) ? strtoull(json_string_value(value), NULL, 10) : otherwise;
}

static void set_decoded(json_t *lies, const char *key, const char *value, size_t n) {
        int n_decoded = 0;
        char *decoded = curl_easy_unescape(NULL, value, (int) n, &n_decoded);

        if (decoded)
                (void) json_object_set_new(lies, key, json_stringn(decoded, (size_t) n_decoded));
        curl_free(decoded);
}

static json_t *lies_of_query(const char *query) {
        json_t *lies = json_object();

        while (lies && query && *query) {
                size_t n = strcspn(query, "&"), n_key = MIN(strcspn(query, "="), n);
                char key[ID_MAX];

                if (n_key < n && n_key < sizeof(key)) {
                        memcpy(key, query, n_key);
                        key[n_key] = 0;
                        set_decoded(lies, key, query + n_key + 1, n - n_key - 1);
                }
                query += n + (query[n] == '&');
        }
        return lies;
}

/* The next answer of a case, with what is said for all of them. */
static json_t *lies_of_case(struct fake_origin *origin, const char *id) {
        _cleanup_free_ char *path = NULL;
        char key[ID_MAX + 64];
        json_t *all, *answers, *lies;
        struct stat st;
        size_t nth;

        if (asprintf(&path, "%s/cases/%s", origin->directory, id) < 0)
                return NULL;
        all = json_load_file(path, 0, NULL);
        if (!all || stat(path, &st) < 0)
                return json_pack("{s:i}", "status", 404);
        (void) snprintf(key, sizeof(key), "%s %lld.%09ld", id, (long long) st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
        nth = (size_t) json_integer_value(json_object_get(origin->counts, key));
        (void) json_object_set_new(origin->counts, key, json_integer((json_int_t) nth + 1));
        answers = json_object_get(all, "answers");
        lies = answers ? json_copy(json_array_get(answers, MIN(nth, json_array_size(answers) - 1))) : json_object();
        if (lies)
                (void) json_object_update_missing(lies, all);
        json_decref(all);
        return lies;
}

static json_t *lies_of(struct fake_origin *origin, const char *url) {
        const char *host = strstr(url, "://"), *path = host ? strchr(host + 3, '/') : NULL, *query = strchr(url, '?');
        char id[ID_MAX], location[ID_MAX];
        unsigned port;

        if (path && sscanf(path, "/c/%63[^/?]", id) == 1)
                return lies_of_case(origin, id);
        if (path && sscanf(path, "/to/%u", &port) == 1) {
                (void) snprintf(location, sizeof(location), "http://127.0.0.1:%u/there", port);
                return json_pack("{s:i, s:s}", "status", 302, "location", location);
        }
        return lies_of_query(query ? query + 1 : NULL);
}

/* ---- its lines ---- */

struct lines {
        char *at, *end;
};

static void add_line(struct lines *lines, const char *format, ...) _printf_(2, 3);
static void add_line(struct lines *lines, const char *format, ...) {
        va_list ap;
        int n;

        va_start(ap, format);
        n = vsnprintf(lines->at, (size_t) (lines->end - lines->at), format, ap);
        va_end(ap);
        if (n >= 0 && n < lines->end - lines->at - 2) {
                lines->at = mempcpy(lines->at + n, "\r\n", 2);
                *lines->at = 0;
        }
}

static void format_date(time_t when, char ret[static 64]) {
        struct tm tm;

        (void) strftime(ret, 64, "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&when, &tm));
}

struct shape {
        const json_t *lies;
        unsigned status;
        uint64_t size, first, last; /* of the part, inclusive */
        bool has_body;
        char etag[32], modified[64];
};

/* What is honest, and then the status that the case wants. */
static void decide(struct shape *shape, const struct verdict_ask *ask, uint64_t version) {
        const char *validator = ask->has_if_range ? ask->if_range + strlen("If-Range: ") : NULL;

        (void) snprintf(shape->etag, sizeof(shape->etag), "\"v%" PRIu64 "\"", version);
        format_date((time_t) (MODIFIED + VERSION_SECONDS * version), shape->modified);
        shape->status = 200;
        shape->last = shape->size - 1;
        if (ask->ranged && !streq(text_of(shape->lies, "ranges", ""), "ignore") &&
            (!validator || streq(validator, shape->etag) || streq(validator, shape->modified))) {
                shape->first = ask->first;
                shape->last = MIN(ask->last, shape->size - 1);
                shape->status = shape->first < shape->size ? 206 : 416;
        }
        shape->status = (unsigned) number_of(shape->lies, "status", shape->status);
        shape->has_body = shape->status == 200 || shape->status == 206;
}

static void write_head(const struct shape *shape, struct fake_answer *ret) {
        struct lines lines = { ret->head, ret->head + sizeof(ret->head) };
        const char *location = text_of(shape->lies, "location", NULL);
        char now[64];

        format_date(time(NULL), now);
        add_line(&lines, "HTTP/1.1 %u Whatever", shape->status);
        add_line(&lines, "Last-Modified: %s", shape->modified);
        add_line(&lines, "Date: %s", now);
        if (shape->has_body)
                add_line(&lines, "ETag: %s", shape->etag);
        if (shape->status == 206)
                add_line(&lines, "Content-Range: bytes %" PRIu64 "-%" PRIu64 "/%" PRIu64, shape->first, shape->last, shape->size);
        else if (shape->status == 416)
                add_line(&lines, "Content-Range: bytes */%" PRIu64, shape->size);
        if (streq(text_of(shape->lies, "transfer", ""), "chunked"))
                add_line(&lines, "Transfer-Encoding: chunked");
        else if (!streq(text_of(shape->lies, "length", ""), "missing"))
                add_line(&lines, "Content-Length: %" PRIu64, ret->end - ret->first);
        if (location)
                add_line(&lines, "Location: %s", location);
        add_line(&lines, "%s", "");
}

/* The text that a case has instead of everything. */
static int split_raw(const char *raw, struct fake_answer *ret) {
        const char *body = strstr(raw, "\r\n\r\n");
        size_t n_head = body ? (size_t) (body + 4 - raw) : 0;

        if (n_head == 0 || n_head >= sizeof(ret->head))
                return -EINVAL;
        memcpy(ret->head, raw, n_head);
        ret->bytes = strdup(raw + n_head);
        if (!ret->bytes)
                return -ENOMEM;
        ret->end = strlen(ret->bytes);
        return 0;
}

/* How much there is, and what. */
static int find_content(const json_t *lies, struct fake_answer *ret, uint64_t *ret_size) {
        const char *file = text_of(lies, "file", NULL);
        size_t size;
        int r;

        *ret_size = number_of(lies, "size", 1000);
        if (!file)
                return 0;
        r = fd_read_file(file, CASE_FILE_MAX, &ret->bytes, &size);
        if (r == 0)
                *ret_size = size;
        return r;
}

static int answer_with(const json_t *lies, const struct verdict_ask *ask, struct fake_answer *ret) {
        const char *raw = text_of(lies, "raw", NULL);
        struct shape shape = { .lies = lies };
        uint64_t cut = number_of(lies, "cut", UINT64_MAX);
        int r;

        ret->spoiled = number_of(lies, "spoil", UINT64_MAX);
        ret->version = number_of(lies, "version", 1);
        ret->rate = number_of(lies, "rate", 0);
        ret->delay_usec = number_of(lies, "delay", 0) * USEC_PER_SEC;
        if (raw)
                return split_raw(raw, ret);
        r = find_content(lies, ret, &shape.size);
        if (r < 0)
                return r;
        decide(&shape, ask, ret->version);
        if (shape.has_body) {
                ret->first = shape.first;
                ret->end = shape.last + 1;
        }
        write_head(&shape, ret); /* says what it does not keep */
        if (ret->end - ret->first > cut) {
                ret->end = ret->first + cut;
                ret->stalls = streq(text_of(lies, "end", ""), "stall");
                ret->breaks = !ret->stalls;
        }
        return 0;
}

int fake_origin_answer(struct fake_origin *origin, const char *url, const struct verdict_ask *ask, struct fake_answer *ret) {
        json_t *lies = lies_of(origin, url);
        int r;

        *ret = (struct fake_answer) {};
        if (!lies)
                return -ENOMEM;
        r = answer_with(lies, ask, ret);
        json_decref(lies);
        return r;
}

#include "transfer/redirect.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <string.h>
#include <strings.h>

#include "base/strings.h"
#include "transfer/idn.h"

struct url {
        CURLU *handle;
        char *scheme, *host, *port, *path, *user, *password, *zone;
};

static void url_done(struct url *url) {
        curl_url_cleanup(url->handle);
        curl_free(url->scheme);
        curl_free(url->host);
        curl_free(url->port);
        curl_free(url->path);
        curl_free(url->user);
        curl_free(url->password);
        curl_free(url->zone);
        *url = (struct url) {};
}

static int url_error(CURLUcode code) {
        switch (code) {
        case CURLUE_OUT_OF_MEMORY:
                return -ENOMEM;
        case CURLUE_UNSUPPORTED_SCHEME:
                return -EPROTONOSUPPORT;
        default:
                return -EINVAL;
        }
}

/* 1: found, 0: not there. */
static int get_part(CURLU *handle, CURLUPart part, unsigned flags, char **ret) {
        CURLUcode code = curl_url_get(handle, part, ret, flags);

        if (code == CURLUE_OK)
                return 1;
        return code == CURLUE_OUT_OF_MEMORY ? -ENOMEM : 0;
}

/* libcurl takes one slash or three after the scheme; "http:///etc" would then name a host. */
static bool has_two_slashes(const char *s) {
        return startswith(s, "//") && s[2] != '/';
}

/* What a host may consist of once percent signs are decoded and names beyond ASCII converted. */
static bool host_is_sane(const char *host) {
        if (!*host || strlen(host) > (size_t) URL_HOST_MAX + (*host == '[' ? 2 : 0))
                return false;
        for (const char *p = host; *p; p++)
                if ((unsigned char) *p <= 0x20 || (unsigned char) *p >= 0x7f || strchr("%\\/?#@<>^`{|}\"'", *p))
                        return false;
        return true;
}

/* Takes apart what stands in url->handle. */
static int url_split(struct url *url) {
        const struct {
                CURLUPart part;
                unsigned flags;
                char **to;
        } parts[] = {
                { CURLUPART_SCHEME, 0, &url->scheme },
                { CURLUPART_HOST, 0, &url->host },
                { CURLUPART_PORT, CURLU_DEFAULT_PORT, &url->port },
                { CURLUPART_PATH, 0, &url->path },
                { CURLUPART_USER, 0, &url->user },
                { CURLUPART_PASSWORD, 0, &url->password },
                { CURLUPART_ZONEID, 0, &url->zone },
        };

        for (size_t i = 0; i < ELEMENTSOF(parts); i++) {
                int r = get_part(url->handle, parts[i].part, parts[i].flags, parts[i].to);

                if (r < 0)
                        return r;
        }
        if (!url->scheme || (!streq(url->scheme, "http") && !streq(url->scheme, "https")))
                return -EPROTONOSUPPORT;
        if (!url->host || !host_is_sane(url->host) || !url->port || streq(url->port, "0") || !url->path)
                return -EINVAL;
        for (char *p = url->host; *p; p++)
                if (*p >= 'A' && *p <= 'Z')
                        *p |= 0x20;
        return 0;
}

/* "http://letters-digits.and.dots:80/…": nothing to decode, no user info, and none that only looks so. */
static bool has_plain_authority(const char *text) {
        const char *authority = strstr(text, "://");

        if (!authority || authority > text + strlen("https"))
                return false;
        authority += strlen("://");
        authority += strspn(authority, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-:[]");
        return *authority == 0 || *authority == '/';
}

/* Parses @text (relative to what is there), and what comes out of that once more: libcurl looks for numeric IPv4 addresses before it
 * decodes percent signs in the host, so that "http://2130706%3433/" is loopback only at the second sight. So are digits beyond ASCII. */
static int url_set(CURLU *handle, const char *text, unsigned flags) {
        char *once, *query = NULL;
        CURLUcode code;
        int r;

        code = curl_url_set(handle, CURLUPART_URL, text, flags);
        if (code == CURLUE_OK && flags == 0 && has_plain_authority(text))
                return 0; /* the second sight shows the same */
        if (code != CURLUE_OK)
                return url_error(code);
        r = idn_convert_host(handle);
        if (r < 0)
                return r;
        code = curl_url_get(handle, CURLUPART_URL, &once, 0);
        if (code != CURLUE_OK)
                return url_error(code);
        (void) curl_url_get(handle, CURLUPART_QUERY, &query, 0);
        code = curl_url_set(handle, CURLUPART_URL, once, 0);
        if (code == CURLUE_OK && query && !*query) /* is printed as none, but asked for */
                code = curl_url_set(handle, CURLUPART_QUERY, query, 0);
        curl_free(query);
        curl_free(once);
        return code == CURLUE_OK ? 0 : url_error(code);
}

static int url_open(const char *text, struct url *ret) {
        const char *colon;
        int r;

        *ret = (struct url) {};
        if (strnlen(text, LIMIT_URL + 1) > LIMIT_URL || string_has_control(text) || strchr(text, ' '))
                return -EINVAL;
        colon = strchr(text, ':');
        if (colon && (strncasecmp(text, "http:", 5) == 0 || strncasecmp(text, "https:", 6) == 0) &&
            !has_two_slashes(colon + 1))
                return -EINVAL;
        ret->handle = curl_url();
        if (!ret->handle)
                return -ENOMEM;
        r = url_set(ret->handle, text, 0);
        if (r == 0)
                r = url_split(ret);
        if (r < 0)
                url_done(ret);
        return r;
}

/* The normal form: lower-case host, no fragment. */
static int url_print(struct url *url, char **ret) {
        char *text = NULL;
        CURLUcode code;
        int r;

        code = curl_url_set(url->handle, CURLUPART_FRAGMENT, NULL, 0);
        if (code == CURLUE_OK)
                code = curl_url_set(url->handle, CURLUPART_HOST, url->host, 0);
        if (code == CURLUE_OK)
                code = curl_url_get(url->handle, CURLUPART_URL, &text, 0);
        if (code != CURLUE_OK)
                return url_error(code);
        r = strlen(text) > LIMIT_URL ? -EINVAL : strdup_to(ret, text);
        curl_free(text);
        return r;
}

static bool same_origin(const struct url *a, const struct url *b) {
        return streq(a->scheme, b->scheme) && streq(a->host, b->host) && streq(a->port, b->port) &&
               streq_ptr(a->zone, b->zone);
}

bool redirect_is_status(unsigned status) {
        return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

/* What no Location may hold, before anything parses it. */
static bool location_is_sane(const char *location) {
        const char *query, *backslash, *colon;

        /* An empty reference and a bare fragment name the same document: a loop. */
        if (!*location || *location == '#' || strnlen(location, LIMIT_URL + 1) > LIMIT_URL || string_has_control(location))
                return false;
        /* Browsers read a backslash as a slash, libcurl does not: nobody shall profit from the difference. */
        query = strpbrk(location, "?#");
        backslash = strchr(location, '\\');
        if (backslash && (!query || backslash < query))
                return false;
        if (startswith(location, "//"))
                return has_two_slashes(location);
        colon = strchr(location, ':');
        if (colon && (strncasecmp(location, "http:", 5) == 0 || strncasecmp(location, "https:", 6) == 0))
                return has_two_slashes(colon + 1);
        return true;
}

/* A host that a server names has no zone of one of our links. */
static bool target_is_sane(const struct url *url) {
        return !url->zone && !url->user && !url->password;
}

static int forget_credentials(CURLU *handle) {
        if (curl_url_set(handle, CURLUPART_USER, NULL, 0) || curl_url_set(handle, CURLUPART_PASSWORD, NULL, 0) ||
            curl_url_set(handle, CURLUPART_OPTIONS, NULL, 0))
                return -ENOMEM;
        return 0;
}

static int keep_credentials(struct url *target, const struct url *base) {
        if (base->user && curl_url_set(target->handle, CURLUPART_USER, base->user, 0))
                return -ENOMEM;
        if (base->password && curl_url_set(target->handle, CURLUPART_PASSWORD, base->password, 0))
                return -ENOMEM;
        return 0;
}

const char *redirect_method(unsigned status, const char *method) {
        if (!method || status == 303 || ((status == 301 || status == 302) && streq(method, "POST")))
                return NULL;
        return method;
}

int redirect_resolve(const char *base, const char *location, unsigned n_followed, bool allow_insecure, char **ret) {
        _cleanup_(url_done) struct url from = {}, to = {};
        _cleanup_free_ char *text = NULL;
        int r;

        if (n_followed >= LIMIT_REDIRECTS)
                return ERROR_TOO_MANY_REDIRECTS;
        if (!location_is_sane(location))
                return ERROR_INVALID_REDIRECT;
        r = url_open(base, &from);
        if (r < 0)
                return r == -ENOMEM ? r : ERROR_INVALID_REDIRECT;

        /* Without the base's user info, so that whatever user info there is afterwards came with the Location. */
        to.handle = curl_url_dup(from.handle);
        if (!to.handle)
                return -ENOMEM;
        r = forget_credentials(to.handle);
        if (r < 0)
                return r;
        r = url_set(to.handle, location, CURLU_URLENCODE);
        if (r == 0)
                r = url_split(&to);
        if (r < 0)
                return r == -ENOMEM ? r : ERROR_INVALID_REDIRECT;
        if (from.zone && to.zone && same_origin(&from, &to)) {
                curl_free(to.zone); /* our own link-local first URL, led to another path of itself */
                to.zone = NULL;
        }
        if (!target_is_sane(&to))
                return ERROR_INVALID_REDIRECT;
        if (!allow_insecure && streq(from.scheme, "https") && streq(to.scheme, "http"))
                return ERROR_INSECURE_REDIRECT;
        if (same_origin(&from, &to)) {
                r = keep_credentials(&to, &from);
                if (r < 0)
                        return r;
        }
        r = url_print(&to, &text);
        if (r < 0)
                return r == -ENOMEM ? r : ERROR_INVALID_REDIRECT;
        *ret = TAKE_PTR(text);
        return 0;
}

bool url_is_same_origin(const char *a, const char *b) {
        _cleanup_(url_done) struct url left = {}, right = {};

        return url_open(a, &left) == 0 && url_open(b, &right) == 0 && same_origin(&left, &right);
}

int url_normalize(const char *url, char **ret) {
        _cleanup_(url_done) struct url parts = {};
        int r;

        r = url_open(url, &parts);
        if (r < 0)
                return r;
        return url_print(&parts, ret);
}

static int take_parts(const struct url *url, struct url_parts *ret) {
        const char *host = url->host;
        size_t len = strlen(host);
        uint64_t port;
        int r;

        if (len >= 2 && host[0] == '[' && host[len - 1] == ']') {
                host++;
                len -= 2;
        }
        r = parse_u64(url->port, &port);
        if (r < 0 || port == 0 || port > UINT16_MAX || len > URL_HOST_MAX)
                return -EINVAL;
        *ret = (struct url_parts) {
                .https = streq(url->scheme, "https"),
                .port = (uint16_t) port,
                .has_credentials = url->user || url->password,
        };
        memcpy(ret->host, host, len);
        return 0;
}

static int print_origin(const struct url *url, char **ret) {
        size_t size = strlen(url->scheme) + strlen("://:") + strlen(url->host) + strlen(url->port) + strlen(url->path) + 1;
        char *text;

        if (size > LIMIT_ORIGIN + 1) /* a host beyond ASCII becomes longer */
                return -EINVAL;
        text = malloc(size);
        if (!text)
                return -ENOMEM;
        (void) stpcpy(stpcpy(stpcpy(stpcpy(stpcpy(stpcpy(text, url->scheme), "://"), url->host), ":"), url->port), url->path);
        free(*ret);
        *ret = text;
        return 0;
}

int url_locate(const char *url, struct url_parts *ret_parts, char **ret_origin, CURLU **ret_parsed) {
        _cleanup_(url_done) struct url parts = {};
        int r;

        r = url_open(url, &parts);
        if (r == 0 && ret_parts)
                r = take_parts(&parts, ret_parts);
        if (r == 0 && ret_origin)
                r = print_origin(&parts, ret_origin);
        if (r < 0 || !ret_parsed)
                return r;
        curl_url_cleanup(*ret_parsed);
        *ret_parsed = TAKE_PTR(parts.handle);
        return 0;
}

const char *url_error_text(int error) {
        switch (error) {
        case -EILSEQ:
                return "the host cannot be written as an internationalized domain name";
        case -EPROTONOSUPPORT:
                return "neither http nor https";
        default:
                return "";
        }
}

int url_parse(const char *url, struct url_parts *ret) {
        return url_locate(url, ret, NULL, NULL);
}

int url_origin(const char *url, char **ret) {
        return url_locate(url, NULL, ret, NULL);
}

char *url_redact(const char *url) {
        _cleanup_free_ char *text = NULL;
        const char *slashes = strstr(url, "://"), *authority = url, *end, *at = NULL;
        size_t n_scheme = 0;

        if (slashes && slashes < url + strcspn(url, "/?#")) {
                authority = slashes + 3;
                n_scheme = (size_t) (authority - url);
        }
        /* A backslash ends the host for some readers: no user info may hide behind it either. */
        for (end = authority; *end && !strchr("/?#", *end); end++)
                if (*end == '@')
                        at = end;
        end = authority + strcspn(authority, "?#");
        if (at)
                authority = at + 1;
        if (end < authority)
                end = authority;
        if (asprintf(&text, "%.*s%.*s%s", (int) MIN(n_scheme, (size_t) 64), url,
                     (int) MIN((size_t) (end - authority), (size_t) LIMIT_URL), authority, *end ? "?..." : "") < 0) {
                text = NULL;
                return NULL;
        }
        return string_escape(text, LIMIT_URL);
}

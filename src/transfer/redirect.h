/* URLs: where a Location leads and whether we go there, what an origin is, what a log may show. Parsing is libcurl's (curl_url),
 * so that what is judged is what is requested. Must never know addresses (address.h) or jobs. */
#pragma once

#include <curl/curl.h>

#include "base/macros.h"
#include "protocol/errors.h"
#include "protocol/limits.h"

#define URL_HOST_MAX 255

struct url_parts {
        bool https;
        char host[URL_HOST_MAX + 1]; /* ASCII, lower case, no brackets; numeric forms of IPv4 are dotted decimal; percent signs decoded */
        uint16_t port;               /* always set */
        bool has_credentials;
};

/* 301, 302, 303, 307, 308. */
bool redirect_is_status(unsigned status);
/* What the next request has for a method (NULL: GET): GET after a 303, and for a POST after a 301 or 302 (RFC 9110 section 15.4, and what
 * browsers do). */
const char *redirect_method(unsigned status, const char *method);

/* Where @location leads from @base (the URL that answered; http or https).
 * @n_followed: redirects followed so far in this try.
 * Return: 0 and *ret (freed by the caller: absolute, normal form, no fragment, at most LIMIT_URL bytes; user info only when @base had
 * it and the origin is the same); > 0 an enum error_code (TOO_MANY_REDIRECTS, INSECURE_REDIRECT, INVALID_REDIRECT); -ENOMEM. */
int redirect_resolve(const char *base, const char *location, unsigned n_followed, bool allow_insecure, char **ret);

/* Same scheme, host and port: custom headers and credentials may go there. False if either is no URL. */
bool url_is_same_origin(const char *a, const char *b);
/* Only http:// and https:// with a host, no control characters or blanks, at most LIMIT_URL bytes; the fragment is dropped, a host beyond
 * ASCII converted. 0, -EINVAL, -EPROTONOSUPPORT (another scheme), -EILSEQ (a host beyond ASCII that is no name), -ENOMEM. */
int url_normalize(const char *url, char **ret);
/* As url_normalize(). */
int url_parse(const char *url, struct url_parts *ret);
/* "https://host:443/path": no user info, query or fragment. What validators are bound to. The caller frees. */
int url_origin(const char *url, char **ret);
/* What is wrong with a URL, beyond its form; "" for nothing that had a name. */
const char *url_error_text(int error);
/* Both of these at once, and the parsed URL for CURLOPT_CURLU (the caller cleans it up): parsing costs more than everything else that is
 * done with a URL. Each may be NULL. What *ret_origin and *ret_parsed were is freed. */
int url_locate(const char *url, struct url_parts *ret_parts, char **ret_origin, CURLU **ret_parsed);
/* For logs and other people: user info removed, query and fragment as "?...", other than printable ASCII escaped. Takes any bytes.
 * NULL: no memory. The caller frees. */
char *url_redact(const char *url);

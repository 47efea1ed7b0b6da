#include "transfer/proxy.h"

#include <curl/curl.h>
#include <string.h>

#include "base/strings.h"
#include "transfer/idn.h"
#include "transfer/no_proxy.h"

#define PROXY_DEFAULT_PORT "1080" /* libcurl's */

/* The last one counts, as in a shell. */
static const char *variable(const char *const *variables, size_t n, const char *name) {
        const char *value = NULL;
        size_t len = strlen(name);

        for (size_t i = 0; i < n; i++)
                if (strncasecmp(variables[i], name, len) == 0 && variables[i][len] == '=' &&
                    !startswith(variables[i], "HTTP_PROXY"))
                        value = variables[i] + len + 1;
        return value && *value ? value : NULL;
}

static int take_part(CURLU *url, CURLUPart part, unsigned flags, char **ret) {
        switch (curl_url_get(url, part, ret, flags)) {
        case CURLUE_OK:
                return 0;
        case CURLUE_OUT_OF_MEMORY:
                return -ENOMEM;
        default:
                return -EINVAL;
        }
}

static int set_host(struct proxy_choice *choice, const char *host, const char *port) {
        size_t n = strlen(host);
        uint64_t number;

        if (host[0] == '[' && n > 2) {
                host++;
                n -= 2;
        }
        if (n == 0 || n > IPC_HOST_MAX || parse_u64(port, &number) < 0 || number == 0 || number > UINT16_MAX)
                return -EINVAL;
        memcpy(choice->host, host, n);
        choice->host[n] = 0;
        choice->port = (uint16_t) number;
        return 0;
}

static int set_kind(struct proxy_choice *choice, const char *scheme) {
        static const struct {
                const char *scheme;
                bool wants_address;
        } kinds[] = {
                { "http", false },  { "https", false },  { "socks", true },    { "socks4", true },
                { "socks4a", false }, { "socks5", true }, { "socks5h", false },
        };

        for (size_t i = 0; i < ELEMENTSOF(kinds); i++)
                if (strcasecmp(scheme, kinds[i].scheme) == 0) {
                        choice->wants_address = kinds[i].wants_address;
                        return 0;
                }
        return -EINVAL; /* libcurl would say that it could not connect */
}

static int set_default_port(CURLU *url, const char *scheme) {
        return curl_url_set(url, CURLUPART_PORT, streq(scheme, "https") ? "443" : PROXY_DEFAULT_PORT, 0) == CURLUE_OK ? 0 : -EINVAL;
}

static int normalize(CURLU *url, const char *value, struct proxy_choice *choice) {
        char *host = NULL, *port = NULL, *scheme = NULL;
        int r;

        if (curl_url_set(url, CURLUPART_URL, value,
                         CURLU_NON_SUPPORT_SCHEME | (strstr(value, "://") ? 0 : CURLU_GUESS_SCHEME)) != CURLUE_OK)
                return -EINVAL;
        /* curl_url() guesses by the first label ("ftp.example"): a proxy without scheme is an http one. */
        if (!strstr(value, "://") && curl_url_set(url, CURLUPART_SCHEME, "http", 0) != CURLUE_OK)
                return -EINVAL;
        r = idn_convert_host(url);
        if (r < 0)
                return r == -ENOMEM ? r : -EINVAL;
        r = take_part(url, CURLUPART_SCHEME, 0, &scheme);
        if (r == 0)
                r = set_kind(choice, scheme);
        if (r == 0 && take_part(url, CURLUPART_PORT, 0, &port) < 0) {
                r = set_default_port(url, scheme);
                if (r == 0)
                        r = take_part(url, CURLUPART_PORT, 0, &port);
        }
        if (r == 0)
                r = take_part(url, CURLUPART_HOST, 0, &host);
        if (r == 0)
                r = set_host(choice, host, port);
        curl_free(scheme);
        curl_free(host);
        curl_free(port);
        if (r < 0)
                return r;
        r = take_part(url, CURLUPART_URL, 0, &choice->allocated);
        choice->url = choice->allocated;
        return r;
}

/* As no_proxy_names(). */
static int is_exempt(const char *const *variables, size_t n, const char *host) {
        const char *no_proxy = variable(variables, n, "no_proxy"), *bypass = variable(variables, n, "proxy_bypass");
        int r = no_proxy ? no_proxy_names(no_proxy, host) : 0;

        return r == 0 && bypass ? proxy_bypass_names(bypass, host) : r;
}

int proxy_choose(const char *const *variables, size_t n_variables, bool https, const char *host, struct proxy_choice *ret) {
        const char *value;
        CURLU *url;
        int r;

        *ret = (struct proxy_choice) { .url = "" };
        value = variable(variables, n_variables, https ? "https_proxy" : "http_proxy");
        if (!value)
                value = variable(variables, n_variables, "all_proxy");
        if (!value)
                return 0;
        r = is_exempt(variables, n_variables, host);
        if (r != 0)
                return r < 0 ? r : 0;
        url = curl_url();
        if (!url)
                return -ENOMEM;
        r = normalize(url, value, ret);
        curl_url_cleanup(url);
        if (r < 0)
                proxy_choice_done(ret);
        return r;
}

void proxy_choice_done(struct proxy_choice *choice) {
        curl_free(choice->allocated);
        *choice = (struct proxy_choice) { .url = "" };
}

#include "transfer/no_proxy.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/strings.h"
#include "transfer/idn.h"

#define NETWORK_MAX (INET6_ADDRSTRLEN + sizeof("/128"))
#define SEPARATORS ", \t"
#define BYPASS_SEPARATORS " \t;,"
#define BYPASS_LOCAL "<local>"

/* @token: "192.0.2.0/24" or "192.0.2.1"; other ways to write an address are names, as they are to libcurl. */
static bool address_is_in(const char *token, size_t n, int family, const uint8_t *address) {
        unsigned size = family == AF_INET ? 4 : 16, bits = 0;
        char text[NETWORK_MAX + 1], *slash;
        uint8_t network[16];

        if (n > NETWORK_MAX)
                return false;
        memcpy(text, token, n);
        text[n] = 0;
        slash = strchr(text, '/');
        if (slash) {
                *slash = 0;
                bits = (unsigned) strtoul(slash + 1, NULL, 10);
        }
        if (bits == 0)
                bits = size * 8;
        if (bits > size * 8 || inet_pton(family, text, network) != 1 || memcmp(network, address, bits / 8) != 0)
                return false;
        return bits % 8 == 0 || (network[bits / 8] ^ address[bits / 8]) >> (8 - bits % 8) == 0;
}

/* AF_UNSPEC: it is a name. */
static int parse_address(const char *host, uint8_t address[static 16]) {
        if (inet_pton(AF_INET, host, address) == 1)
                return AF_INET;
        return inet_pton(AF_INET6, host, address) == 1 ? AF_INET6 : AF_UNSPEC;
}

static bool name_is_in(const char *host, size_t n_host, const char *domain, size_t n) {
        return n > 0 && n <= n_host && strncasecmp(host + n_host - n, domain, n) == 0 &&
               (n == n_host || host[n_host - n - 1] == '.');
}

static int name_matches(const char *token, size_t n, const char *host) {
        _cleanup_free_ char *domain = NULL, *ascii = NULL;
        size_t n_host = strlen(host);
        int r;

        if (n > 0 && token[n - 1] == '.')
                n--;
        if (n > 0 && token[0] == '.') {
                token++;
                n--;
        }
        if (n_host > 0 && host[n_host - 1] == '.')
                n_host--;
        domain = strndup(token, n);
        if (!domain)
                return -ENOMEM;
        r = idn_to_ascii(domain, &ascii);
        if (r < 0)
                return r == -ENOMEM ? r : 0;
        return name_is_in(host, n_host, ascii, strlen(ascii));
}

int no_proxy_names(const char *list, const char *host) {
        uint8_t address[16];
        int family = parse_address(host, address), r = 0;

        if (streq(list, "*"))
                return 1;
        for (size_t n; r == 0 && *(list += strspn(list, SEPARATORS)); list += n) {
                n = strcspn(list, SEPARATORS);
                r = family == AF_UNSPEC ? name_matches(list, n, host) : address_is_in(list, n, family, address);
        }
        return r;
}

/* "*" stands for any letters, or none. Going back to the last one is enough. */
static bool pattern_matches(const char *pattern, const char *host) {
        const char *star = NULL, *retry = NULL;

        while (*host)
                if (*pattern == '*') {
                        star = ++pattern;
                        retry = host;
                } else if (tolower((unsigned char) *pattern) == tolower((unsigned char) *host)) {
                        pattern++;
                        host++;
                } else if (star) {
                        pattern = star;
                        host = ++retry;
                } else
                        return false;
        return pattern[strspn(pattern, "*")] == 0;
}

/* "*.bücher.example": what is behind the last "*" is a name. */
static int pattern_to_ascii(const char *pattern, char **ret) {
        const char *star = strrchr(pattern, '*'), *name = star ? star + 1 : pattern;
        _cleanup_free_ char *ascii = NULL;
        int r;

        name += *name == '.';
        r = idn_to_ascii(name, &ascii);
        if (r < 0)
                return r;
        if (asprintf(ret, "%.*s%s", (int) (name - pattern), pattern, ascii) >= 0)
                return 0;
        *ret = NULL;
        return -ENOMEM;
}

static int bypass_entry_matches(const char *entry, const char *host, int family, const uint8_t *address) {
        _cleanup_free_ char *ascii = NULL;
        int r;

        if (strcasecmp(entry, BYPASS_LOCAL) == 0)
                return family == AF_UNSPEC && !strchr(host, '.');
        if (family != AF_UNSPEC && !strchr(entry, '*'))
                return address_is_in(entry, strlen(entry), family, address);
        r = pattern_to_ascii(entry, &ascii);
        if (r < 0)
                return r == -ENOMEM ? r : 0;
        return pattern_matches(ascii, host);
}

/* Without the root's dot. */
static char *dup_name(const char *name, size_t n) {
        return strndup(name, n > 0 && name[n - 1] == '.' ? n - 1 : n);
}

int proxy_bypass_names(const char *list, const char *host) {
        _cleanup_free_ char *name = dup_name(host, strlen(host));
        uint8_t address[16];
        int family, r = 0;

        if (!name)
                return -ENOMEM;
        family = parse_address(name, address);
        for (size_t n; r == 0 && *(list += strspn(list, BYPASS_SEPARATORS)); list += n) {
                _cleanup_free_ char *entry = NULL;

                n = strcspn(list, BYPASS_SEPARATORS);
                entry = dup_name(list, n);
                r = entry ? bypass_entry_matches(entry, name, family, address) : -ENOMEM;
        }
        return r;
}

#include "transfer/no_proxy.h"

#include <arpa/inet.h>
#include <string.h>
#include <strings.h>

#include "base/strings.h"
#include "transfer/idn.h"

#define NETWORK_MAX (INET6_ADDRSTRLEN + sizeof("/128"))
#define SEPARATORS ", \t"

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
        int family = AF_UNSPEC, r = 0;

        if (streq(list, "*"))
                return 1;
        if (inet_pton(AF_INET, host, address) == 1)
                family = AF_INET;
        else if (inet_pton(AF_INET6, host, address) == 1)
                family = AF_INET6;
        for (size_t n; r == 0 && *(list += strspn(list, SEPARATORS)); list += n) {
                n = strcspn(list, SEPARATORS);
                r = family == AF_UNSPEC ? name_matches(list, n, host) : address_is_in(list, n, family, address);
        }
        return r;
}

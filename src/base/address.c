#include "base/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

struct network4 {
        uint32_t address;
        unsigned bits;
        enum address_class class;
};

struct network6 {
        uint8_t address[16];
        unsigned bits;
        enum address_class class;
        int embedded; /* where an IPv4 address stands in it, -1: nowhere */
        bool inverted;
};

#define IP4(a, b, c, d) ((uint32_t) (a) << 24 | (uint32_t) (b) << 16 | (uint32_t) (c) << 8 | (uint32_t) (d))

/* IANA's registry of special-purpose addresses. The first row that fits holds. */
static const struct network4 networks4[] = {
        { IP4(0, 0, 0, 0), 8, ADDRESS_UNSPECIFIED },
        { IP4(10, 0, 0, 0), 8, ADDRESS_PRIVATE },
        { IP4(100, 64, 0, 0), 10, ADDRESS_PRIVATE },
        { IP4(127, 0, 0, 0), 8, ADDRESS_LOOPBACK },
        { IP4(169, 254, 0, 0), 16, ADDRESS_LINK_LOCAL },
        { IP4(172, 16, 0, 0), 12, ADDRESS_PRIVATE },
        { IP4(192, 0, 0, 0), 24, ADDRESS_RESERVED },
        { IP4(192, 0, 2, 0), 24, ADDRESS_DOCUMENTATION },
        { IP4(192, 88, 99, 0), 24, ADDRESS_RESERVED },
        { IP4(192, 168, 0, 0), 16, ADDRESS_PRIVATE },
        { IP4(198, 18, 0, 0), 15, ADDRESS_BENCHMARK },
        { IP4(198, 51, 100, 0), 24, ADDRESS_DOCUMENTATION },
        { IP4(203, 0, 113, 0), 24, ADDRESS_DOCUMENTATION },
        { IP4(224, 0, 0, 0), 4, ADDRESS_MULTICAST },
        { IP4(240, 0, 0, 0), 4, ADDRESS_RESERVED },
};

static const struct network6 networks6[] = {
        { { 0 }, 128, ADDRESS_UNSPECIFIED, -1, false },
        { { [15] = 1 }, 128, ADDRESS_LOOPBACK, -1, false },
        { { [10] = 0xff, [11] = 0xff }, 96, ADDRESS_UNKNOWN, 12, false },             /* mapped */
        { { [8] = 0xff, [9] = 0xff }, 96, ADDRESS_UNKNOWN, 12, false },               /* translated, RFC 2765 */
        { { 0 }, 96, ADDRESS_UNKNOWN, 12, false },                                    /* compatible, RFC 4291 2.5.5.1 */
        { { 0x00, 0x64, 0xff, 0x9b }, 96, ADDRESS_UNKNOWN, 12, false },               /* NAT64, RFC 6052 */
        { { 0x00, 0x64, 0xff, 0x9b, 0x00, 0x01 }, 48, ADDRESS_UNKNOWN, 12, false },   /* local NAT64, RFC 8215 */
        { { 0x01, 0x00 }, 64, ADDRESS_RESERVED, -1, false },                          /* discard */
        { { 0x20, 0x01, 0x00, 0x00 }, 32, ADDRESS_UNKNOWN, 12, true },                /* Teredo, RFC 4380 */
        { { 0x20, 0x01, 0x00, 0x02 }, 48, ADDRESS_BENCHMARK, -1, false },
        { { 0x20, 0x01, 0x0d, 0xb8 }, 32, ADDRESS_DOCUMENTATION, -1, false },
        { { 0x20, 0x02 }, 16, ADDRESS_UNKNOWN, 2, false },                            /* 6to4, RFC 3056 */
        { { 0x3f, 0xff }, 20, ADDRESS_DOCUMENTATION, -1, false },
        { { 0x5f, 0x00 }, 16, ADDRESS_RESERVED, -1, false },                          /* SRv6 */
        { { 0xfc }, 7, ADDRESS_PRIVATE, -1, false },
        { { 0xfe, 0x80 }, 10, ADDRESS_LINK_LOCAL, -1, false },
        { { 0xfe, 0xc0 }, 10, ADDRESS_PRIVATE, -1, false },                           /* site-local */
        { { 0xff }, 8, ADDRESS_MULTICAST, -1, false },
        { { 0x20 }, 3, ADDRESS_PUBLIC, -1, false },
};

static enum address_class classify4(uint32_t address) {
        for (size_t i = 0; i < ELEMENTSOF(networks4); i++)
                if ((address ^ networks4[i].address) >> (32 - networks4[i].bits) == 0)
                        return networks4[i].class;
        return ADDRESS_PUBLIC;
}

static bool prefix_matches(const uint8_t *a, const uint8_t *b, unsigned bits) {
        if (memcmp(a, b, bits / 8) != 0)
                return false;
        return bits % 8 == 0 || (a[bits / 8] ^ b[bits / 8]) >> (8 - bits % 8) == 0;
}

static enum address_class classify6(const uint8_t address[static 16]) {
        for (size_t i = 0; i < ELEMENTSOF(networks6); i++) {
                const struct network6 *n = networks6 + i;
                uint32_t v4;

                if (!prefix_matches(address, n->address, n->bits))
                        continue;
                if (n->embedded < 0)
                        return n->class;
                memcpy(&v4, address + n->embedded, sizeof(v4));
                return classify4(ntohl(n->inverted ? ~v4 : v4));
        }
        return ADDRESS_RESERVED; /* outside 2000::/3 nothing is assigned */
}

enum address_class address_classify(const struct sockaddr *address) {
        struct sockaddr_in in;
        struct sockaddr_in6 in6;

        /* Copied: the caller's buffer need not be aligned for either. */
        if (address->sa_family == AF_INET) {
                memcpy(&in, address, sizeof(in));
                return classify4(ntohl(in.sin_addr.s_addr));
        }
        if (address->sa_family == AF_INET6) {
                memcpy(&in6, address, sizeof(in6));
                return classify6(in6.sin6_addr.s6_addr);
        }
        return ADDRESS_UNKNOWN;
}

bool address_is_public(const struct sockaddr *address) {
        enum address_class class = address_classify(address);

        return class == ADDRESS_PUBLIC || class == ADDRESS_DOCUMENTATION;
}

bool address_redirect_is_allowed(bool from_public, const struct sockaddr *to) {
        return !from_public || address_is_public(to);
}

const char *address_class_name(enum address_class class) {
        static const char *const names[_ADDRESS_CLASS_MAX] = {
                [ADDRESS_PUBLIC] = "public",
                [ADDRESS_DOCUMENTATION] = "documentation",
                [ADDRESS_LOOPBACK] = "loopback",
                [ADDRESS_LINK_LOCAL] = "link-local",
                [ADDRESS_PRIVATE] = "private",
                [ADDRESS_UNSPECIFIED] = "unspecified",
                [ADDRESS_MULTICAST] = "multicast",
                [ADDRESS_BENCHMARK] = "benchmark",
                [ADDRESS_RESERVED] = "reserved",
                [ADDRESS_UNKNOWN] = "unknown",
        };

        return (unsigned) class < _ADDRESS_CLASS_MAX ? names[class] : NULL;
}

int address_parse_host(const char *host, uint16_t port, struct sockaddr_storage *ret, socklen_t *ret_len) {
        struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(port) };
        struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
        char bare[INET6_ADDRSTRLEN + 1];
        size_t len = strlen(host);

        if (len >= 2 && host[0] == '[' && host[len - 1] == ']') {
                host++;
                len -= 2;
        }
        if (len == 0 || len > INET6_ADDRSTRLEN)
                return 0;
        memcpy(bare, host, len);
        bare[len] = 0;

        memset(ret, 0, sizeof(*ret));
        if (inet_pton(AF_INET6, bare, &in6.sin6_addr) == 1) {
                memcpy(ret, &in6, sizeof(in6));
                *ret_len = sizeof(in6);
                return 1;
        }
        /* inet_aton() takes a trailing blank and whatever follows it; getaddrinfo() does not. */
        if (strspn(bare, "0123456789abcdefABCDEFxX.") == len && inet_aton(bare, &in.sin_addr)) {
                memcpy(ret, &in, sizeof(in));
                *ret_len = sizeof(in);
                return 1;
        }
        return 0;
}

const char *address_to_text(const struct sockaddr *address, char ret[static ADDRESS_TEXT_MAX]) {
        struct sockaddr_in in;
        struct sockaddr_in6 in6;

        ret[0] = 0;
        if (address->sa_family == AF_INET) {
                memcpy(&in, address, sizeof(in));
                (void) inet_ntop(AF_INET, &in.sin_addr, ret, ADDRESS_TEXT_MAX);
        } else if (address->sa_family == AF_INET6) {
                memcpy(&in6, address, sizeof(in6));
                (void) inet_ntop(AF_INET6, &in6.sin6_addr, ret, ADDRESS_TEXT_MAX);
        }
        return ret;
}

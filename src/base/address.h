/* What kind of network an address belongs to, and whether a redirect may lead there (design decision 21). An IPv4 address inside an
 * IPv6 one (mapped, NAT64, 6to4, Teredo) is judged as the IPv4 address that it reaches. Must never know names or URLs. */
#pragma once

#include <sys/socket.h>

#include "base/macros.h"

enum address_class {
        ADDRESS_PUBLIC = 0,
        ADDRESS_DOCUMENTATION, /* nobody is there; counts as public */
        ADDRESS_LOOPBACK,
        ADDRESS_LINK_LOCAL,    /* 169.254/16 (cloud metadata), fe80::/10 */
        ADDRESS_PRIVATE,       /* RFC 1918, 100.64/10, fc00::/7, fec0::/10 */
        ADDRESS_UNSPECIFIED,   /* 0/8, :: (the kernel takes them for this host) */
        ADDRESS_MULTICAST,
        ADDRESS_BENCHMARK,     /* 198.18/15, 2001:2::/48 */
        ADDRESS_RESERVED,
        ADDRESS_UNKNOWN,       /* not IPv4 or IPv6 */
        _ADDRESS_CLASS_MAX,
};

enum address_class address_classify(const struct sockaddr *address);
bool address_is_public(const struct sockaddr *address);
/* @from_public: the server that sent the redirect has a public address. Anything is allowed from one that has not. */
bool address_redirect_is_allowed(bool from_public, const struct sockaddr *to);
const char *address_class_name(enum address_class class);

/* A host that is an address: IPv6 with or without brackets (no zone), IPv4 in every form that getaddrinfo takes (127.1, 0x7f000001,
 * 2130706433, 0177.0.0.1). 1: it is one, *ret set with @port; 0: it is a name. */
int address_parse_host(const char *host, uint16_t port, struct sockaddr_storage *ret, socklen_t *ret_len);
/* "192.0.2.1" or "2001:db8::1", without port. Return: @ret. */
#define ADDRESS_TEXT_MAX 64
const char *address_to_text(const struct sockaddr *address, char ret[static ADDRESS_TEXT_MAX]);

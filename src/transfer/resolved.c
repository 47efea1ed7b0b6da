#include "transfer/resolved.h"

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "base/address.h"

#define ENTRY_MAX (IPC_HOST_MAX + 17 + IPC_ADDRESSES_MAX * (ADDRESS_TEXT_MAX + 3))

static struct sockaddr_storage to_sockaddr(const struct ipc_address *address) {
        union {
                struct sockaddr_storage storage;
                struct sockaddr_in in;
                struct sockaddr_in6 in6;
        } to = {};

        if (address->family == 4) {
                to.in.sin_family = AF_INET;
                memcpy(&to.in.sin_addr, address->bytes, 4);
        } else {
                to.in6.sin6_family = AF_INET6;
                memcpy(&to.in6.sin6_addr, address->bytes, 16);
        }
        return to.storage;
}

static const char *address_print(const struct ipc_address *address, char ret[static ADDRESS_TEXT_MAX]) {
        struct sockaddr_storage from = to_sockaddr(address);

        return address_to_text((const struct sockaddr *) &from, ret);
}

bool resolved_has_public(const struct ipc_resolved *result) {
        for (uint32_t i = 0; i < result->n_addresses; i++) {
                struct sockaddr_storage address = to_sockaddr(&result->addresses[i]);

                if (address_is_public((const struct sockaddr *) &address))
                        return true;
        }
        return false;
}

int resolved_append(struct curl_slist **list, const char *host, uint16_t port, const struct ipc_resolved *result) {
        char entry[ENTRY_MAX], text[ADDRESS_TEXT_MAX];
        struct curl_slist *longer;
        size_t at;

        at = (size_t) snprintf(entry, sizeof(entry), "+%s:%u:", host, port);
        for (uint32_t i = 0; i < result->n_addresses; i++) {
                bool six = result->addresses[i].family == 6;

                at += (size_t) snprintf(entry + at, sizeof(entry) - at, "%s%s%s%s", i > 0 ? "," : "", six ? "[" : "",
                                        address_print(&result->addresses[i], text), six ? "]" : "");
        }
        longer = curl_slist_append(*list, entry);
        if (!longer)
                return -ENOMEM;
        *list = longer;
        return 0;
}

#include "transfer/resolved.h"

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "base/address.h"

#define ENTRY_MAX (IPC_HOST_MAX + 16 + IPC_ADDRESSES_MAX * (ADDRESS_TEXT_MAX + 3))

static const char *address_print(const struct ipc_address *address, char ret[static ADDRESS_TEXT_MAX]) {
        struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };
        struct sockaddr_in in = { .sin_family = AF_INET };

        memcpy(&in.sin_addr, address->bytes, 4);
        memcpy(&in6.sin6_addr, address->bytes, 16);
        return address_to_text(address->family == 4 ? (const struct sockaddr *) &in : (const struct sockaddr *) &in6, ret);
}

int resolved_append(struct curl_slist **list, const char *host, uint16_t port, const struct ipc_resolved *result) {
        char entry[ENTRY_MAX], text[ADDRESS_TEXT_MAX];
        struct curl_slist *longer;
        size_t at;

        at = (size_t) snprintf(entry, sizeof(entry), "%s:%u:", host, port);
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

/* Addresses that dosvc-resolve found: in the words of CURLOPT_RESOLVE, and where they are. */
#pragma once

#include <curl/curl.h>

#include "ipc/message.h"

/* Adds "+host:port:[2001:db8::1],192.0.2.1" to @list, in the order of preference that we were given. Each exchange brings its own, so
 * libcurl may forget them again (the "+"): it would keep every name that was ever asked for. 0 or -ENOMEM. */
int resolved_append(struct curl_slist **list, const char *host, uint16_t port, const struct ipc_resolved *result);
/* Some of them are. */
bool resolved_has_public(const struct ipc_resolved *result);

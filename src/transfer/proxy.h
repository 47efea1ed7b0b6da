/* Which proxy an URL goes through, by the variables that came with the request (design decision 21). Must never read an
 * environment. */
#pragma once

#include "base/macros.h"
#include "ipc/message.h"

struct proxy_choice {
        const char *url; /* "" for none; normal form with scheme, host and port */
        char host[IPC_HOST_MAX + 1]; /* of the proxy */
        uint16_t port;
        bool wants_address; /* socks4 and socks5: it is told the server's address, which is looked up here, and never a name */
        char *allocated; /* private */
};

/* @variables: "http_proxy=…" and so on, in either case, but HTTP_PROXY never counts (a request header could set it in CGI).
 * @host: of the URL, as in struct url_parts; none if no_proxy or proxy_bypass names it. 0, -EINVAL: the proxy's URL cannot be used, -ENOMEM. */
int proxy_choose(const char *const *variables, size_t n_variables, bool https, const char *host, struct proxy_choice *ret);
void proxy_choice_done(struct proxy_choice *choice);

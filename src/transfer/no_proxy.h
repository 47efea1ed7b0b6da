/* Which hosts no_proxy exempts from the proxy, as libcurl documents it. libcurl itself is left no list to judge by: what is looked up, and
 * where a server is, depends on the answer. */
#pragma once

#include "base/macros.h"

/* @list: names, which mean all hosts below them, too, with or without a leading dot; addresses and networks ("10.0.0.0/8", "fd00::/8");
 * separated by commas or blanks. Or "*": all. @host: ASCII, no brackets. 1: it is named there, 0: it is not, -ENOMEM. */
int no_proxy_names(const char *list, const char *host);

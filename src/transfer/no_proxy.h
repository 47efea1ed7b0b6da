/* Which hosts are reached without the proxy. libcurl itself is left no list to judge by: what is looked up, and where a server is, depends
 * on the answer. */
#pragma once

#include "base/macros.h"

/* no_proxy, as libcurl documents it.
 * @list: names, which mean all hosts below them, too, with or without a leading dot; addresses and networks ("10.0.0.0/8", "fd00::/8");
 * separated by commas or blanks. Or "*": all. @host: ASCII, no brackets. 1: it is named there, 0: it is not, -ENOMEM. */
int no_proxy_names(const char *list, const char *host);
/* The bypass list of a job that names its proxies, as Windows has it.
 * @list: names, each of which means that host alone; "*" in them stands for any letters ("*.example.com", "10.*"); "<local>": names without
 * a dot; addresses and networks as above; separated by blanks, semicolons or commas. */
int proxy_bypass_names(const char *list, const char *host);

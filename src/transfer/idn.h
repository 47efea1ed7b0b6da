/* Hosts beyond ASCII (internationalized domain names), in the form that name servers, proxies and certificates know them by. Converted
 * once, where a URL is taken apart: everything behind that compares, looks up and asks for ASCII. libcurl would convert by the locale's
 * character set, and this process has no locale. */
#pragma once

#include <curl/curl.h>

#include "base/macros.h"

/* UTS #46 without its transitional deviations, as browsers do: "Bücher.example" becomes "xn--bcher-kva.example". ASCII stays as it is.
 * 0 and *ret, freed by the caller; -EILSEQ: not UTF-8, or nothing that could be a name; -ENOMEM. */
int idn_to_ascii(const char *host, char **ret);
/* The same with the host that stands in @url, if there is one. */
int idn_convert_host(CURLU *url);

/* The certificates that TLS trusts, parsed once and shared by every connection: 1 ms instead of 23 ms for each new one
 * (docs/benchmarks.md), and no file is needed once the sandbox is up. */
#pragma once

#include <curl/curl.h>

#include "base/macros.h"

struct authorities;

/* The system's bundle, or NULL if there is none where distributions put it. */
const char *authorities_system_file(void);
/* @file: PEM. 0, or -errno, -EBADMSG if no certificate is in it. */
int authorities_new(const char *file, struct authorities **ret);
struct authorities *authorities_free(struct authorities *authorities);
size_t authorities_count(const struct authorities *authorities);
/* Verification of peer and host with these authorities and no others, TLS 1.2 at least. @authorities NULL: nobody is trusted. */
int authorities_apply(struct authorities *authorities, CURL *easy);

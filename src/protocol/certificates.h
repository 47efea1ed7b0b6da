/* How a client certificate is named, on the wire and in the store: "current_user/MY/sha1:<40 digits>" or
 * "current_user/MY/name:<subject>". Where places and stores lie on disk is files/certificates.c. */
#pragma once

#include "base/macros.h"
#include "protocol/limits.h"

#define CERTIFICATE_HASH_BYTES 20 /* SHA-1 of the certificate's DER form */
#define CERTIFICATE_TEXT_MAX (48 + LIMIT_CERTIFICATE_STORE + LIMIT_CERTIFICATE_SUBJECT) /* bytes without NUL */

/* Values as published (BITS: BG_CERT_STORE_LOCATION). Only the first two have folders here. */
enum certificate_place {
        CERTIFICATE_CURRENT_USER = 0,
        CERTIFICATE_LOCAL_MACHINE = 1,
        _CERTIFICATE_PLACE_MAX = 8,
};

struct certificate_name {
        enum certificate_place place;
        char store[LIMIT_CERTIFICATE_STORE + 1];
        bool by_hash;
        uint8_t sha1[CERTIFICATE_HASH_BYTES];
        char subject[LIMIT_CERTIFICATE_SUBJECT + 1]; /* or its common name */
};

/* 0, -EINVAL: not of this form, too long, a store's name that is no plain word, or control characters. */
int certificate_name_parse(const char *text, struct certificate_name *ret);
/* The same judgement the other way round. */
int certificate_name_print(const struct certificate_name *name, char ret[static CERTIFICATE_TEXT_MAX + 1]);

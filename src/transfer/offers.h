/* What an answer offers beside its bytes (Metalink/HTTP, RFC 6249): where else the same file is (Link with rel=duplicate, RFC 8288), and
 * its SHA-256 (Digest of RFC 3230, Repr-Digest and Content-Digest of RFC 9530). Strict parsers over bytes that a stranger sent; whom to
 * believe is not decided here. rel=describedby (a Metalink file) is not followed: the file itself and its digest say all that is used.
 *
 * 1. offers_begin() before each try.
 * 2. offers_add() for each answer on the way, redirects included: where two say another digest, the first one stands.
 * 3. offers_write() gives the mirrors, the best first. */
#pragma once

#include "base/macros.h"
#include "protocol/limits.h"
#include "transfer/headers.h"

#define OFFER_PRIORITY_DEFAULT 999999u /* RFC 6249 section 3.1 */

struct offered_mirror {
        uint32_t priority; /* the lower, the better */
        bool preferred;    /* it has the same entity tags as the server that says so */
        uint32_t at;       /* in the text */
};

struct offers {
        bool has_sha256;
        bool secure;       /* the digest came over https, and every answer before it */
        bool from_public;  /* some server that offered a mirror has a public address */
        uint8_t sha256[32];
        size_t n_mirrors;
        struct offered_mirror mirrors[LIMIT_MIRRORS];
        size_t n_text;
        char text[LIMIT_OFFERED_MIRRORS_TEXT]; /* URLs, a NUL behind each; not cleared */
};

struct offers_place {
        const char *url;   /* that answered */
        bool secure;
        bool is_public;
        bool whole_body;   /* the body of the answer is all of the file */
};

void offers_begin(struct offers *offers);
/* True: it brought something new. */
bool offers_add(struct offers *offers, const struct response_facts *facts, const struct offers_place *place);
/* One URL a line; preferred ones first, then by priority, then as they came. Return: how many of them are preferred. */
uint32_t offers_write(const struct offers *offers, char ret[static LIMIT_OFFERED_MIRRORS_TEXT + 1]);

/* The next link of a Link field at *@at, which moves behind it. 1; 0: no more; -EINVAL: what follows is no link. */
struct link_value {
        const char *target;
        size_t n_target;
        bool is_duplicate;
        uint32_t priority;
        bool preferred;
};
int offers_next_link(const char **at, const char *end, struct link_value *ret);

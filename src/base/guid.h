/* 128-bit random identities, printed as 8-4-4-4-12 lower-case hex digits. */
#pragma once

#include <string.h>

#include "base/macros.h"

#define GUID_STRING_MAX 37

struct guid {
        uint8_t bytes[16]; /* in printing order */
};

/* A new random identity (version 4). 0 or -errno of getrandom(2). */
int guid_new(struct guid *ret);
void guid_to_string(const struct guid *guid, char ret[static GUID_STRING_MAX]);
/* 32 hex digits without dashes: for object paths. ret holds 33. */
void guid_to_compact(const struct guid *guid, char ret[static 33]);
/* Takes either form, in either case. 0 or -EINVAL. */
int guid_from_string(const char *s, struct guid *ret);

static inline bool guid_equal(const struct guid *a, const struct guid *b) {
        return memcmp(a, b, sizeof(*a)) == 0;
}
/* @size random bytes from the kernel. 0 or -errno. */
int random_bytes(void *ret, size_t size);

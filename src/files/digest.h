/* SHA-256 of what a descriptor reads. May take minutes: threads only. */
#pragma once

#include <stdatomic.h>

#include "files/files.h"

#define DIGEST_SIZE 32

/* Of @size bytes from @offset on. -EMSGSIZE: there are fewer; -ECANCELED: one of the flags became true (either may be
 * NULL). */
int digest_descriptor(int fd, uint64_t offset, uint64_t size, const atomic_bool *stop, const atomic_bool *closed,
                      uint8_t ret[static DIGEST_SIZE]);

/* Reads as digest_descriptor() does, for whoever wants the bytes. */
typedef int (*digest_sink_fn)(void *sink, const uint8_t *bytes, size_t n); /* 0 or -errno, which ends it */
int digest_read(int fd, uint64_t offset, uint64_t size, const atomic_bool *stop, const atomic_bool *closed, digest_sink_fn sink,
                void *userdata);

/* The same in parts: what was given so far. */
struct digest;
int digest_new(struct digest **ret);
struct digest *digest_free(struct digest *digest);
int digest_add_descriptor(struct digest *digest, int fd, uint64_t offset, uint64_t size, const atomic_bool *stop, const atomic_bool *closed);
int digest_add(struct digest *digest, const uint8_t *bytes, size_t n);
int digest_of_nothing(uint8_t ret[static DIGEST_SIZE]);
int digest_get(const struct digest *digest, uint8_t ret[static DIGEST_SIZE]);

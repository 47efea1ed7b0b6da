/* The digest of a file that is still being written, as far as it has come: computed beside the transfer, while what it reads is cached.
 *
 * It costs a third more than at the end (see below), so it is an idle work (base/workers.h): where the transfer itself needs all cores, both
 * are done sooner if the digest comes after it. How far it came is as good a beginning as any other.
 *
 * Whoever writes could still change what was read. So each byte goes into a seal, too: a MAC under a key that this process alone has.
 * At the end, when nobody can write any more, the same bytes are read and sealed again, which takes a quarter of the time; only if both
 * seals are equal does the digest count. Threads only, one at a time (ahead_lock of the handle). */
#pragma once

#include "files/digest.h"

struct ahead;
int ahead_new(struct ahead **ret);
struct ahead *ahead_free(struct ahead *ahead);
DEFINE_CLEANUP_FUNC(struct ahead, ahead_free)

uint64_t ahead_end(const struct ahead *ahead); /* it has come this far */
/* Goes on until @end, or until a flag becomes true: -ECANCELED. After any other error it is of no more use. As digest_add_descriptor(). */
int ahead_extend(struct ahead *ahead, int fd, uint64_t end, const atomic_bool *stop, const atomic_bool *closed);
/* Of all @size bytes, by whoever shut out all writers; once. -ESTALE: something of what was read has changed since. */
int ahead_finish(struct ahead *ahead, int fd, uint64_t size, const atomic_bool *stop, const atomic_bool *closed,
                 uint8_t ret[static DIGEST_SIZE]);

struct local_handle;
/* For whoever is about to finish or to close the file, on a thread: nobody reads ahead any more, for good. Waits until a buffer is read where
 * one is being read: in no time, unless others have all cores (half a second beside busy loops on each). */
void ahead_stop(struct local_handle *handle);

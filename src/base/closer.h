/* Closes descriptors beside the event loop, where closing may wait.
 *
 * FUSE asks its server at each close(2) of a file (FUSE_FLUSH), by whichever process, and who waits there cannot even be killed; NFS and CIFS
 * write back what is dirty. A loop that serves many must wait for nobody's file system.
 *
 * 1. closer_new(). Whoever shares one shares its threads: what hangs of one user must not keep the descriptors of others open, so each has one
 *    of its own, or a lane of its own.
 * 2. closer_close(). Of one lane one is closed after the other. NULL: the lane of its file system, so that what hangs on one holds up no
 *    other, as long as fewer than @max_threads hang. What is beyond stays open, and is closed later.
 * 3. Watch closer_fd() for reading in the loop; when it is ready call closer_dispatch().
 * 4. closer_free() waits for nothing that hangs, and tells nothing: that stays open, and its thread stays, until the process ends - which the
 *    kernel does not end before whoever is asked has answered. */
#pragma once

#include "base/macros.h"

struct closer;
typedef void (*closer_fn)(void *userdata);

int closer_new(unsigned max_threads, struct closer **ret);
struct closer *closer_free(struct closer *closer);
DEFINE_CLEANUP_FUNC(struct closer, closer_free)

/* Closes @fd, if it is one. 1: it is closed, @done does not come. 0: it will be; @done (may be NULL) comes on the loop when it is. -ENOMEM: it
 * is open, and still the caller's: whoever closes it on the loop may wait. */
int closer_close(struct closer *closer, int fd, const void *lane, closer_fn done, void *userdata);
/* The same, for who need not know. @closer NULL: at once, even if it waits. Returns -EBADF. */
int closer_drop(struct closer *closer, int fd);
int closer_fd(const struct closer *closer);
size_t closer_dispatch(struct closer *closer);
/* Between these two no number becomes free by a closer of this process. Not for long: its threads stand still. */
void closers_hold(void);
void closers_go_on(void);
/* So many are not closed yet, as far as was dispatched. */
size_t closer_outstanding(const struct closer *closer);

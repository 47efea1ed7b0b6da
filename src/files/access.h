/* Modes and access lists, as open(2) and a careful editor would leave them. May block: threads only. */
#pragma once

#include "files/paths.h"

/* Has the directory a default ACL? */
bool access_has_default(int dirfd);
/* The mode that open(2) with @wanted (0666 & ~umask) gives a new file in @dirfd, which has a default ACL: the umask does not count and
 * the ACL decides. */
mode_t access_mode_by_default(int dirfd, int fd, mode_t wanted);
/* Gives @fd the mode and ACL of @name, which it is about to replace. -ESTALE: that is another file by now. */
int access_copy(int fd, int dirfd, const char *name, const struct file_facts *replaced);

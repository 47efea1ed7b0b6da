/* Modes and access lists, as open(2) and a careful editor would leave them. May block: threads only. */
#pragma once

#include "files/paths.h"

/* The mode that open(2) with @wanted (0666 & ~umask) gives a new file in @dirfd: where the directory has a default
 * ACL the umask does not count and the ACL decides. */
mode_t access_mode_for_new(int dirfd, int fd, mode_t wanted);
/* Gives @fd the mode and ACL of @name, which it is about to replace. */
int access_copy(int fd, int dirfd, const char *name, const struct file_facts *replaced);

/* A unix socket with a name, for our own uid alone. */
#pragma once

#include <sys/stat.h>

#include "base/macros.h"

/* Listens at @path (mode 0600; a stream, close-on-exec, non-blocking). It is made beside its place and renamed there: who sees the socket
 * can connect. The last directory of the path is made (0700) if it is missing; a socket that nobody serves is replaced. *ret_stat:
 * of the socket's inode. -EADDRINUSE: somebody serves it. -EEXIST: there is something else. -ENAMETOOLONG: longer than a
 * socket's path may be. */
int unix_socket_listen(const char *path, int backlog, int *ret_fd, struct stat *ret_stat);

/* A unix socket with a name. */
#pragma once

#include <sys/stat.h>

#include "base/macros.h"

/* Listens at @path (a stream, close-on-exec, non-blocking) with @mode: 0600 for our own uid, 0666 for everybody. It is made beside its place and renamed there: who sees the socket
 * can connect. The last directory of the path is made (0700, or 0755) if it is missing; a socket that nobody serves is replaced. *ret_stat:
 * of the socket's inode. -EADDRINUSE: somebody serves it. -EEXIST: there is something else. -ENAMETOOLONG: longer than a
 * socket's path may be. */
int unix_socket_listen(const char *path, mode_t mode, int backlog, int *ret_fd, struct stat *ret_stat);

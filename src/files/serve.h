/* The other end of remote.h: an owner role on threads of this process, for the core at the other end of a socket. */
#pragma once

#include "files/files.h"

/* Serves until the core closes the connection. @fd is consumed. @config: its folders of certificates; the rest is the core's to say. 0 or
 * -errno. */
int files_serve(int fd, const struct files_config *config);

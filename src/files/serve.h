/* The other end of remote.h: an owner role on threads of this process, for the core at the other end of a socket. */
#pragma once

/* Serves until the core closes the connection. @fd is consumed. 0 or -errno. */
int files_serve(int fd);

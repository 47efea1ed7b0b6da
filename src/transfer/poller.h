/* Which of many sockets are ready: an epoll of our own within the loop's. sd-event turns once for each source that is ready, and makes and
 * ends one for each request on a connection that stays; for a small file that cost more than our own code. Here one turn of the loop
 * tells of several sockets, and the kernel goes on watching one that nobody waits for until something happens there, or it is closed.
 *
 * poller_new() before the sandbox closes. Must outlive the sockets. */
#pragma once

#include "base/macros.h"

struct sd_event;
struct poller;

/* @events: EPOLLIN, EPOLLOUT, EPOLLERR, EPOLLHUP. It may change anything here, and close the socket. */
typedef void (*poller_fn)(void *userdata, int fd, uint32_t events);

int poller_new(struct sd_event *event, struct poller **ret);
struct poller *poller_free(struct poller *poller);
DEFINE_CLEANUP_FUNC(struct poller, poller_free)
/* From now on @ready is told when @fd is ready for @events; 0: not any more. 0, -ENOMEM, -errno. */
int poller_wait(struct poller *poller, int fd, uint32_t events, poller_fn ready, void *userdata);
/* @fd is a new socket. The one that had the number before may have been closed without a word (libcurl's failed attempts are), while somebody
 * waits for what he takes for the same. */
void poller_opened(struct poller *poller, int fd);
/* @fd is about to be closed. */
void poller_closing(struct poller *poller, int fd);

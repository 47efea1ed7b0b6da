/* A process that ends, by the kernel's hand, when somebody else wants it or is gone.
 *
 * 1. Who may end it makes a lifeline_new(), keeps one end and sends the other.
 * 2. The process calls lifeline_hold() on what it got. From then on it gets SIGKILL when the kept end is closed, and a process closes
 *    everything by dying. No right over the process is needed for that, and it need not be anybody's child.
 *
 * The sandboxes of dosvc-transfer and dosvc-resolve see to it that they cannot let go (daemon/sandbox.h). Each needs one of its own: of two
 * who hold the same one only the last gets the signal. */
#pragma once

#include "base/macros.h"

int lifeline_new(int *ret_kept_fd, int *ret_fd);
/* @fd stays open. -ECONNRESET: the other end is closed already. */
int lifeline_hold(int fd);

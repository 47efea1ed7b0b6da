/* What dosvc-transfer and dosvc-resolve take from themselves before the first byte from the network arrives. Denied calls get
 * EPERM, never a kill: a library that tries something exotic goes on without it.
 *
 * 1. Open, load and create everything that needs a file (authorities, the event loop with its timer).
 * 2. sandbox_enter_transfer() or sandbox_enter_resolve(). There is no way back.
 *
 * transfer: Landlock denies every file system right, signals and abstract sockets to others; seccomp is an allowlist: the only
 * sockets are TCP's, and there is no open, exec, fork, thread, ptrace, mount or io_uring at all, and memory
 * ends at LIMIT_TRANSFER_MEMORY.
 * resolve: name services are plugins that read files and talk to local daemons, so it keeps reading, sockets and threads. Landlock
 * denies writing, execution and abstract sockets; seccomp denies new processes, signals to others, listening, sockets to itself, and what
 * tampers with others or the kernel.
 * owner: the owner's own rights are what it is for; seccomp denies sockets, programs, new processes, signals to others, links and nodes that
 * it never makes, and what tampers with others or the kernel. */
#pragma once

#include "base/macros.h"

struct sandbox_facts {
        int landlock_abi; /* 0: the kernel has none; seccomp alone holds */
        bool seccomp;
};

/* 0, or -errno: the process must not go on.
 * @lifeline_fd: can neither be closed nor changed nor copied any more (transfer/lifeline.h). */
int sandbox_enter_transfer(int lifeline_fd, struct sandbox_facts *ret);
int sandbox_enter_resolve(int lifeline_fd, struct sandbox_facts *ret);
int sandbox_enter_owner(struct sandbox_facts *ret);

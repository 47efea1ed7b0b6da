/* Threads that do what may block, beside one event loop.
 *
 * 1. workers_new() makes a pool; threads start when there is work, at most @max_threads and one for idle works.
 * 2. Embed a `struct work` in your request; workers_submit() it. run() is called on some thread: it may block and must
 *    touch nothing but its own request. done() is called on the loop's thread, from workers_dispatch().
 * 3. Watch workers_fd() for reading in the loop; when it is ready call workers_dispatch().
 * 4. Works of one @lane run one after the other in the order of submission and at most one thread is ever stuck in one
 *    lane: a hanging file system holds up only its own. NULL lane: no order.
 * 5. An idle work has a core when nobody else of the service wants one (SCHED_IDLE; other services may have their own shares), so it may
 *    take long: nobody should wait for its end. There is one thread for them all, and where that hangs, all of them wait, of whatever lane;
 *    as long as it cannot be started, they run as others do. A lane has works of one kind only.
 * 6. workers_free() waits for running work (unless it hangs: see @patience_usec) and calls done() for nothing. */
#pragma once

#include "base/clock.h"
#include "base/macros.h"

struct workers;
struct work;
typedef void (*work_fn)(struct work *work);

struct work {
        work_fn run;  /* on a thread */
        work_fn done; /* on the loop; the work may be freed or submitted again here */
        const void *lane; /* identity only, never followed */
        bool idle;        /* see 5 */
        struct work *prev, *next;   /* private */
        struct work *behind, *last; /* private: those of the same lane that wait behind this one */
};

int workers_new(unsigned max_threads, struct workers **ret);
/* @patience_usec: how long running threads are waited for; less than USEC_INFINITY (a mount may hang for ever) only right before exit.
 * Return: NULL, or @workers when some of them have not come back: it and what they run must stay. */
struct workers *workers_free(struct workers *workers, uint64_t patience_usec);

void workers_submit(struct workers *workers, struct work *work);
/* One that was submitted is not wanted any more. True: it will not run, and is done() with the next workers_dispatch(). False: a thread has
 * begun it, or it is done. */
bool workers_withdraw(struct workers *workers, struct work *work);
int workers_fd(const struct workers *workers);
/* Calls done() of what is finished. Return: how many. Never blocks. */
size_t workers_dispatch(struct workers *workers);
/* Blocks until at least one work is finished or none is outstanding; then dispatches. For tests and for start-up. */
size_t workers_wait(struct workers *workers);
/* Submitted and not yet done(). */
size_t workers_outstanding(const struct workers *workers);

/* How many connections each transfer process may have, so that the limits hold for one owner over all of his processes: never more
 * places than max_connections_per_host at one host and max_connections_per_owner at all are given out. A process may have one
 * connection for each place that it holds, idle ones included (places.h). Pure bookkeeping: knows neither processes nor frames.
 *
 * 1. quota_join() for each process that may hold places.
 * 2. quota_want() when it says how many it wants, and returns some. tell() says what it gets, and that it gets none now, if it wants more
 *    than it has; from within these calls.
 * 3. quota_leave() when it is provably gone: what it held is free.
 *
 * What is free goes to whoever has least at one host. Where nothing is free, idle connections are recalled first; then those of who has
 * more than one more than who wants one, or any for who has none: so nobody is left out, but who has a place keeps it until its
 * exchange ends. If there are more who want one than there are places, they take turns. */
#pragma once

#include "base/macros.h"
#include "transfer/engine.h"

#define QUOTA_HOSTS_MAX 65536 /* of one process: more than it has requests and places */

struct quota;
struct quota_holder;

typedef void (*quota_tell)(void *userdata, const char *host, unsigned given, unsigned recalled);

int quota_new(const struct engine_limits *limits, quota_tell tell, struct quota **ret);
/* All holders must have left. */
struct quota *quota_free(struct quota *quota);
void quota_set_limits(struct quota *quota, const struct engine_limits *limits);

int quota_join(struct quota *quota, uint64_t owner, void *userdata, struct quota_holder **ret);
struct quota_holder *quota_leave(struct quota_holder *holder);
/* -EPROTO: it returned what it did not hold, or names too many hosts; -ENOMEM. */
int quota_want(struct quota_holder *holder, const char *host, unsigned returned, unsigned wanted);

/* The program that an upgrade put in the place of the one that runs, and how to become it: same process, same arguments, same sockets.
 *
 * 1. successor_new() before the sockets that were handed over are taken: whoever takes them closes them at the end.
 * 2. successor_is_installed(): is it another program at all? The same one would only meet the same again.
 * 3. successor_exec() when nothing is left to be done. */
#pragma once

#include "base/macros.h"

struct successor;

/* @argv: borrowed; main()'s own. */
int successor_new(char **argv, struct successor **ret);
struct successor *successor_free(struct successor *successor);
DEFINE_CLEANUP_FUNC(struct successor, successor_free)

bool successor_is_installed(const struct successor *successor);
/* Does not return but with an error. */
int successor_exec(const struct successor *successor);

/* Where the programs of our other processes are. */
#pragma once

#include "base/macros.h"

/* Beside our own executable (a build tree); else $DOSVC_LIBEXECDIR (not for a program with privileges); else where
 * they were installed. *ret is freed by the caller. -ENOENT: nowhere. */
int programs_find(const char *name, char **ret);

/* Space that is set aside beside the database for the day when its disk is full: what makes room, the end of a job, can be recorded
 * then. A plain file that nobody reads. Internal to src/store. */
#pragma once

#include "base/macros.h"

#define RESERVE_NAME "jobs.reserve"
#define RESERVE_BYTES (4 * 1024 * 1024) /* a write-ahead log of DATABASE_CHECKPOINT_PAGES */

/* Sets it aside if it is not there, and as much would still be free. 0; -ENOSPC: it would not; other: the file system cannot. */
int reserve_make(const char *directory);
/* Gives it up. False: there was none. */
bool reserve_spend(const char *directory);

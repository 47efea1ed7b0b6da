/* One service per state folder: its lock file, held by flock(2) as long as the process lives, says who has it and
 * where he is reached. Three lines: pid, boot id, D-Bus address. Empty while the service starts. */
#pragma once

#include <sys/types.h>

#include "base/macros.h"

#define STATE_LOCK_HELD 1 /* somebody else has it */
#define BOOT_ID_MAX 33

struct state_lock_holder {
        pid_t pid; /* 0: it has not said yet */
        char boot_id[BOOT_ID_MAX];
        char address[512]; /* "" : not yet */
        bool other_machine;
};

/* 0 and *ret_fd: ours until closed. STATE_LOCK_HELD and *ret_holder. Or -errno. */
int state_lock_take(const char *state_dir, int *ret_fd, struct state_lock_holder *ret_holder);
/* @address may have several parts; clients take the first that works. */
int state_lock_publish(int fd, const char *address);

/* "unix:path=…" with everything but letters, digits and -_/.\* as %XX. NULL: no memory. */
char *unix_address_new(const char *path);

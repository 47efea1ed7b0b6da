/* One look at a directory for all that a turn of the loop asks about it.
 *
 * Requests of one turn were submitted before any of them was answered, so nobody can tell in which order they ran: what the path of
 * their directory leads to, and what may be done there, is asked once. Ten thousand files of one call are one look.
 *
 * Belongs to the thread that runs LANE_NAMES of a mount, one at a time; nothing stays open when no request is left that could use it. */
#pragma once

#include "files/directories.h"

struct look {
        uint64_t turn;
        char *path; /* NULL: at nothing */
        struct directory *directory;
        bool writable_asked;
        int writable_error;
        unsigned long name_max; /* 0: the file system does not say */
};

void look_done(struct look *look);
/* Opens what @path names, or takes what it named earlier in @turn. Borrowed until the next call. 0 or -errno. */
int look_open(struct look *look, struct directories *directories, uint64_t turn, const char *path, struct directory **ret);
/* May a file @name be made in the directory that was looked at last? 0 or -errno. */
int look_writable(struct look *look, const char *name);

/* The owner role in a process of the owner's own: files.h in front, the frames of src/ipc behind, src/files/serve.h at the other end.
 *
 * 1. files_new_remote(); everything else is files.h. The process is asked for when there is something to do, and let go when there was
 *    nothing for a while.
 * 2. When it dies every open file is lost: requests about one end with -EOWNERDEAD, and so does each later one on that handle. Requests
 *    that may be repeated (check, publish, remove, sweep) go to the next process; the third death in a row under the same request ends it.
 * 3. What it says is not believed where it could do harm: an answer that does not fit its call ends the process. */
#pragma once

#include "files/files.h"

struct files_remote_config {
        /* Gives @fd (consumed on success) to a new process of this owner. It may come later or never: then the other end is closed.
         * 0 or -errno. */
        int (*spawn)(void *userdata, int fd);
        void *userdata;
        /* The process is of another version than we are: what waits for one ends. True: with -EOWNERDEAD, as we are about to leave, and
         * who comes after us does it. False, or NULL: with -EPROTONOSUPPORT. */
        bool (*other_version)(void *userdata);
        uint64_t minimum_free_bytes;
        uint64_t idle_usec; /* without open files and requests */
};
int files_new_remote(const struct files_remote_config *config, const struct clock *clock, struct files **ret);
/* There will be no process: what waits for one ends with @error. */
void files_remote_refuse(struct files *files, int error);
/* No process, nothing open, nothing asked for. */
bool files_remote_is_dormant(const struct files *files);

/* The owner roles of many owners behind one files.h: each request goes to its owner's process (remote.h), and nobody's to another's. */
#pragma once

#include "files/files.h"

struct files_owners_config {
        /* As files_remote_config.spawn, for this owner. */
        int (*spawn)(void *userdata, uid_t owner, int fd);
        bool (*other_version)(void *userdata); /* likewise */
        void *userdata;
        uint64_t minimum_free_bytes;
        uint64_t idle_usec;
};
int files_new_owners(const struct files_owners_config *config, const struct clock *clock, struct files **ret);
/* There will be no process for this owner: what waits for one ends with @error. */
void files_owners_refuse(struct files *files, uid_t owner, int error);

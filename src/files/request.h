/* What all requests of this folder have in common: a work for a thread, a place in the list of what is under way,
 * and three steps.
 *
 * 1. Embed a struct request as first member, fill in run, complete and destroy, request_submit() it.
 * 2. run() is called on a thread and may block; it touches its own request, and what has a lock.
 * 3. complete() is called on the loop and tells the caller; then destroy() frees. At files_free() requests that
 *    never ran, or whose end nobody waited for, see destroy() only. */
#pragma once

#include <stdatomic.h>

#include "base/workers.h"
#include "files/directories.h"
#include "files/local.h"
#include "files/mounts.h"

struct request {
        struct work work;
        struct local_files *files;
        void (*run)(struct request *request);
        void (*complete)(struct request *request);
        void (*destroy)(struct request *request);
        bool idle;     /* of the work */
        uint64_t turn; /* of the loop, when it was submitted: request_submit_looking() */
        struct request *prev, *next;
};

struct local_files {
        struct files base; /* first member */
        struct workers *workers;
        struct mounts *mounts;
        struct directories *directories;
        uint64_t minimum_free_bytes;
        char *certificates, *machine_certificates; /* folders, or NULL */
        struct request *requests; /* submitted, not completed */
        atomic_bool stop;         /* long work should give up */
};

/* The request belongs to the list from here on. */
void request_submit(struct local_files *files, struct request *request, const void *lane);
/* To LANE_NAMES of @mount, with a run() that may use its look and says request_looked() at its end. */
void request_submit_looking(struct local_files *files, struct request *request, struct mount *mount);
void request_looked(struct mount *mount);
/* What background jobs must leave free. */
static inline uint64_t files_keep_free(const struct local_files *files, bool background) {
        return background ? files->minimum_free_bytes : 0;
}

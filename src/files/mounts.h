/* Which lane a path belongs to, found without touching its file system.
 *
 * 1. mounts_find() takes an absolute path and answers by the longest mount point before it in /proc/self/mountinfo.
 * 2. A link may lead elsewhere; when that came out (statx tells the real mount), mounts_learn() it: later requests
 *    for that directory wait in the right lane.
 * Loop thread only; a struct mount lives as long as the table. */
#pragma once

#include <pthread.h>
#include <stdatomic.h>

#include "files/look.h"

/* Lanes of one mount. A long digest must not hold up checkpoints, nor these the opening of other files; so one
 * hanging mount can hold at most this many threads. */
enum lane {
        LANE_NAMES,  /* check, open, reserve, publish, remove, close */
        LANE_SYNC,   /* checkpoints and the end of small files, in batches */
        LANE_DIGEST, /* reads whole files */
        LANE_AHEAD,  /* reads them before they are whole, when nobody else wants a core */
        LANE_DECRYPT, /* and writes others, in slices */
        _LANE_MAX,
};

struct mount {
        uint64_t id;
        char lanes[_LANE_MAX]; /* only their addresses count */
        /* src/files/sync.c: what waits for LANE_SYNC; also taken by its thread. */
        pthread_mutex_t lock;
        struct sync_request *waiting;
        unsigned n_waiting;
        atomic_uint n_open; /* handles; counted by the loop's thread */
        struct look look;       /* the thread's in LANE_NAMES */
        atomic_uint n_lookers;  /* requests that may use it, submitted and not run */
        struct mount *next; /* private */
};

static inline const void *mount_lane(const struct mount *mount, enum lane lane) {
        return &mount->lanes[lane];
}

struct mounts;
int mounts_new(struct mounts **ret);
struct mounts *mounts_free(struct mounts *mounts);
/* From here on the kernel is asked for changes of its mounts again: once for all that is looked for in a turn. */
void mounts_next_turn(struct mounts *mounts);
/* Its number; see look.h. */
uint64_t mounts_turn(const struct mounts *mounts);
/* -ENOMEM is the only failure: without /proc all paths share one mount. */
int mounts_find(struct mounts *mounts, const char *path, struct mount **ret);
int mounts_find_id(struct mounts *mounts, uint64_t id, struct mount **ret);
/* @directory is really on mount @id. Best effort. */
void mounts_learn(struct mounts *mounts, const char *directory, uint64_t id);

/* For the tests: id of the mount that holds @path by the text of a mountinfo file; 0: none. */
uint64_t mounts_parse_and_find(const char *mountinfo, const char *path);

/* Making bytes durable, in batches.
 *
 * Checkpoints and ends of files wait in a list of their mount; the thread that comes first takes all of them:
 * write-back is begun for every file, then each is synced (the first sync commits the journal for all, the others
 * find their work done) or, if they are many, their file system, then each directory once. A directory's sync never
 * stands for its files. */
#pragma once

#include "files/handle.h"

/* What is asked once for the files of one batch in one directory. */
struct sync_batch {
        const struct directory *directory; /* NULL: none yet */
        bool has_default_acl;
        bool tells_everybody; /* of a failed write, see sync_before_reopening() */
};

struct sync_request {
        struct request request;
        struct local_handle *handle;
        struct intervals written;  /* of the ledger, when it was submitted */
        /* What is to be done before the sync, on a thread; NULL: nothing. */
        int (*prepare)(struct sync_request *sync, struct sync_batch *batch);
        bool whole_inode;          /* fsync(2), else fdatasync(2) */
        bool taken;                /* guarded by the mount's lock */
        int error;
        struct sync_request *prev, *next;
};

/* The batch goes on in the directory of @handle. */
void sync_batch_enter(struct sync_batch *batch, const struct local_handle *handle);
/* Before the descriptor that wrote is closed: FUSE and network file systems tell it alone that a write failed. Those of disks and memory
 * tell each descriptor, also one that is opened later, unless somebody else asked in between. -errno, final as that of any sync. */
int sync_before_reopening(const struct sync_batch *batch, struct local_handle *handle);

/* Fills in what is common; 0 or -ENOMEM. */
int sync_request_init(struct sync_request *sync, struct local_handle *handle);
void sync_request_done(struct sync_request *sync); /* @sync->request.files is set */
void sync_request_submit(struct local_files *files, struct sync_request *sync, enum lane lane);
/* On the loop, when it was run: enters a success in the ledger. Return: the outcome of all. */
int sync_request_settle(struct sync_request *sync);

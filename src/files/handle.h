/* One open temp file of the threads. The loop's thread counts references and keeps the ledger; threads use the descriptors. */
#pragma once

#include <pthread.h>
#include <stdatomic.h>

#include "files/ahead.h"
#include "files/request.h"

struct local_handle {
        struct files_handle base; /* first member: the ledger, on the loop's thread only */
        struct request close_request; /* embedded, so that closing cannot fail */
        bool closing;                 /* it is under way */
        unsigned n_refs; /* the receiver's, and one per request under way that is not idle */
        struct request *reading_ahead; /* the one that is: the descriptor does not wait for it, only the memory does. Or NULL */
        struct mount *mount;
        bool is_counted; /* in mount->n_open */
        struct directory *directory; /* NULL: a window */
        int fd;
        int scratch_fd; /* set and closed by threads */
        struct digest *digest;       /* of a window: what was dropped so far, or NULL */
        char temp_name[FILES_TEMP_NAME_MAX];
        struct file_facts facts;  /* when it was opened */
        uint64_t name_number;     /* directory_name_made() */
        atomic_bool reserved;     /* room behind its end was asked for */
        atomic_bool closed;       /* the receiver has no more interest: a digest may stop */

        pthread_mutex_t sync_lock; /* one sync at a time: the kernel tells an error to one caller only */
        int sync_error;            /* guarded by it; the first failure, for ever */
        pthread_mutex_t ahead_lock;
        struct ahead *ahead;    /* guarded by it until ahead_stop(); or NULL */
        atomic_bool ahead_over; /* nobody wants more of it */
};

struct local_handle *handle_new(void);
struct local_handle *handle_ref(struct local_handle *handle);
struct local_handle *handle_unref(struct local_files *files, struct local_handle *handle);
/* Closes and frees at once. Threads and local_free() only. */
struct local_handle *handle_destroy(struct local_handle *handle);
DEFINE_CLEANUP_FUNC(struct local_handle, handle_destroy)

/* @read is called in @lane for bytes [start, end); its 0 or -errno is for @done. @stop: nobody waits any more. In LANE_AHEAD only one at a time,
 * or -EBUSY; it looks at @ahead_over under @ahead_lock before it uses the descriptor, and is not even begun after local_close(). */
typedef int (*handle_read_fn)(struct local_handle *handle, uint64_t start, uint64_t end, const atomic_bool *stop);
int handle_read(struct local_files *files, struct local_handle *handle, enum lane lane, uint64_t start, uint64_t end, handle_read_fn read,
                files_done_fn done, void *userdata);

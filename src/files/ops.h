/* What stands behind files.h: the owner role on threads of this process (local.h), or in a process of the owner's own (remote.h).
 * files.c leads each call there; what must not block (the ledger, the form of names) it does itself. */
#pragma once

#include "files/files.h"

enum files_list_kind {
        FILES_LIST_PUBLISH,
        FILES_LIST_PUBLISH_CHECK,
        FILES_LIST_REMOVE,
        _FILES_LIST_MAX,
};

/* What was written and what of it is on disk, as far as the loop knows. Loop thread only. */
struct ledger {
        struct intervals written;
        struct intervals durable; /* seeded, or written before a checkpoint that succeeded */
        bool is_blind;            /* no memory for it: the checker cannot judge */
};
void ledger_done(struct ledger *ledger);

/* First member of every handle. */
struct files_handle {
        struct ledger ledger;
        struct files *files; /* whose it is, where there are several behind one (owners.h) */
        int window_fd; /* of a window; else -EBADF */
};

/* As the functions of files.h. */
struct files_ops {
        struct files *(*free)(struct files *files, uint64_t patience_usec);
        int (*fd)(const struct files *files);
        size_t (*dispatch)(struct files *files);
        size_t (*wait)(struct files *files);
        size_t (*outstanding)(const struct files *files);
        int (*check)(struct files *files, const struct files_check_request *request, files_check_fn done, void *userdata);
        int (*open)(struct files *files, const struct files_open_request *request, files_open_fn done, void *userdata);
        struct files_handle *(*close)(struct files *files, struct files_handle *handle);
        int (*reserve)(struct files *files, struct files_handle *handle, uint64_t size, bool background, files_done_fn done,
                       void *userdata);
        int (*checkpoint)(struct files *files, struct files_handle *handle, struct files_piece *chunks, size_t n_chunks,
                          files_done_fn done, void *userdata);
        int (*scratch)(struct files *files, struct files_handle *handle, files_scratch_fn done, void *userdata);
        int (*read_hashes)(struct files *files, struct files_handle *handle, int fd, uint64_t size,
                           const struct integrity_info *expected, files_hashes_fn done, void *userdata);
        int (*verify)(struct files *files, struct files_handle *handle, const struct files_piece *pieces, size_t n,
                      files_verify_fn done, void *userdata);
        /* @fd: the memory, consumed on success. */
        int (*open_window)(struct files *files, uid_t owner, int fd, bool digest, struct files_handle **ret);
        int (*window_drop)(struct files *files, struct files_handle *handle, uint64_t start, uint64_t end, files_done_fn done,
                           void *userdata);
        int (*window_digest)(const struct files_handle *handle, uint8_t *ret); /* of all that was dropped */
        int (*digest_ahead)(struct files *files, struct files_handle *handle, uint64_t start, uint64_t end, files_done_fn done,
                            void *userdata);
        int (*finish)(struct files *files, struct files_handle *handle, const struct files_finish_request *request,
                      files_finish_fn done, void *userdata);
        int (*decrypt)(struct files *files, struct files_handle *source, struct files_handle *target,
                       const struct files_decrypt_request *request, files_decrypt_fn done, void *userdata);
        int (*list)(struct files *files, enum files_list_kind kind, const struct files_item *items, size_t n, files_list_fn done,
                    void *userdata);
        int (*certificate)(struct files *files, struct files_handle *handle, const struct certificate_name *name,
                                   files_certificate_fn done, void *userdata);
        int (*sweep)(struct files *files, const struct files_sweep_request *request, files_sweep_fn done, void *userdata);
};

/* First member of whatever it is. */
struct files {
        const struct files_ops *ops;
};

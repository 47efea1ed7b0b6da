/* The owner role: everything that touches the owner's file system, behind one asynchronous interface: a request goes in, its
 * completion comes back on the loop. Threads now, a process of the owner's later: so a request is plain data and nothing here
 * may call back into jobs, know of URLs, or block the caller. Who does it stands in ops.h.
 *
 * 1. files_new() makes it; watch files_fd() in the loop, call files_dispatch() when it is readable.
 * 2. Before a file is accepted: files_check(). To write: files_open() gives a handle and a descriptor for the transfer process.
 * 3. files_note_written() as bytes are reported; files_checkpoint() makes them durable (fdatasync; the first one also fsyncs
 *    the directory). Only its success allows the store to record them: sync, then record.
 * 4. files_finish() checks size and digest on the descriptor, sets mode, syncs. files_publish() renames a whole job's files,
 *    then syncs each directory once. files_remove() unlinks only what is provably ours.
 *    files_decrypt() makes the content of an encrypted one in a second temp file, which is finished like the first.
 * 5. Requests on one mount run in a lane of their own (found in /proc/self/mountinfo by path, without touching the file system),
 *    so that a hanging mount stops only its own jobs.
 *
 * Each request says whose it is; where one process serves one owner (threads: the owner is who we are) nobody looks.
 *
 * Results are 0 or a negative errno; the errno of the owner's own system call wherever there is one. Further meanings:
 * -ESTALE: the path no longer names the directory or temp file that we knew. -EXDEV: the client's directory descriptor and the
 * path differ. -EBADMSG: digest differs. -EMSGSIZE: size differs. -EEXIST: destination exists. -ELOOP/-EISDIR: it is no regular file.
 * -EILSEQ: a piece has another hash. -EOWNERDEAD: the owner's process died, and what it had open is lost; try again.
 * -ETIMEDOUT is never made up: a request on a hung mount simply does not come back. */
#pragma once

#include <sys/types.h>

#include "base/clock.h"
#include "base/intervals.h"
#include "content/encryption.h"
#include "content/integrity.h"
#include "protocol/certificates.h"
#include "protocol/limits.h"

#define FILES_TEMP_NAME_MAX 35 /* ".dosvc-" + 22 + ".part" + NUL */
#define FILES_SIZE_UNKNOWN UINT64_MAX
#define FILES_INO_UNKNOWN UINT64_MAX /* there may be a file under the name; it equals no inode */

/* Who an inode is; same shape and meaning as job.h's file_identity (this room may not include job). ino 0: not known. */
#define FILES_BTIME_MAX ((uint64_t) INT64_MAX) /* a row of the store holds no more, and a file system can say anything */

struct files_identity {
        uint64_t ino;
        uint64_t dev;
        uint64_t btime_usec; /* 0: not known */
        uint8_t boot_id[16];
};
/* The same inode? dev is compared only within one boot; btime only where both have one. */
bool files_identity_equal(const struct files_identity *a, const struct files_identity *b);

struct files;
struct files_handle; /* one open temp file: directory descriptor, file descriptor, ledger */

struct files_config {
        unsigned max_threads;        /* 16 */
        uint64_t minimum_free_bytes; /* kept free by background jobs */
        const char *certificates;         /* folder with the owner's stores of client certificates, or NULL; copied */
        const char *machine_certificates; /* the same for those of the machine */
};
int files_new(const struct files_config *config, struct files **ret);
/* Requests that still run after @patience_usec are abandoned, with all that they use (exit with a hung mount). Completions are not called. */
struct files *files_free(struct files *files, uint64_t patience_usec);
int files_fd(const struct files *files);
size_t files_dispatch(struct files *files);
size_t files_wait(struct files *files); /* blocks until something finished; tests and start-up */
size_t files_outstanding(const struct files *files);

/* Judges the last component and the whole path by form: 0, -EINVAL (relative, empty, ".", ".."), -ENAMETOOLONG. Does not block. */
int files_path_check(const char *path);
/* A fresh ".dosvc-<22>.part" name. 0 or -errno. */
int files_temp_name_new(char ret[static FILES_TEMP_NAME_MAX]);

/* ---- check: may this destination be used? Nothing is left behind. ---- */
struct files_check_request {
        uid_t owner;
        const char *path;     /* absolute, copied */
        struct files_identity client_directory; /* dev and ino of the directory as the client sees it; ino 0: not said */
        bool replace;         /* a regular file there is fine */
        bool background;      /* must leave minimum_free_bytes */
        uint64_t size;        /* stated size or FILES_SIZE_UNKNOWN: checked against free space */
        const uint8_t *sha256; /* if the destination exists and has this digest: result.already_there; or NULL */
};
struct files_check_result {
        int error;
        struct files_identity directory;
        bool already_there;
};
typedef void (*files_check_fn)(const struct files_check_result *result, void *userdata);
/* The directory must exist and be writable for the owner (access by really trying is not possible without leaving something: uses
 * faccessat with AT_EACCESS, read-only mounts by statvfs). All functions below: 0 (the callback will come once) or -errno. */
int files_check(struct files *files, const struct files_check_request *request, files_check_fn done, void *userdata);

/* ---- open ---- */
struct files_open_request {
        uid_t owner;
        const char *path;            /* final path; its directory is where the temp file lives */
        const char *temp_name;       /* existing one to go on with, or a fresh one to create */
        bool create;                 /* O_CREAT|O_EXCL, else it must be there */
        struct files_identity temp;      /* when !create: what it must be; regular, ours, one link */
        struct files_identity directory; /* ino 0: whatever the path names now */
        bool adopt;                  /* when !create: another inode and size will do; hashes are to decide what of it counts */
        uint64_t durable_end;        /* when !create: it must be at least this long; 0: nothing counts, it is truncated to 0 */
        uint64_t reserve_bytes;      /* expected size or FILES_SIZE_UNKNOWN */
        bool background;
};
struct files_open_result {
        int error;
        struct files_handle *handle; /* OWNED by the receiver: files_close() */
        int fd;                      /* O_RDWR of the temp file, belongs to the handle; duplicate it to pass it on */
        struct files_identity temp;
        struct files_identity directory;
};
typedef void (*files_open_fn)(const struct files_open_result *result, void *userdata);
/* A failed create leaves nothing behind. -ESTALE: lost or replaced; the caller starts afresh under a new name. */
int files_open(struct files *files, const struct files_open_request *request, files_open_fn done, void *userdata);
/* Closes in the background; requests on the handle that still run keep it alive. NULL is fine. */
struct files_handle *files_close(struct files *files, struct files_handle *handle);

typedef void (*files_done_fn)(int error, void *userdata);

/* Size became known: fallocate(KEEP_SIZE). -ENOSPC, -EDQUOT, -EFBIG; a file system that cannot reserve is checked by statvfs. */
int files_reserve(struct files *files, struct files_handle *handle, uint64_t size, bool background, files_done_fn done,
                  void *userdata);

struct files_piece {
        uint64_t start; /* of the local file */
        uint32_t bytes;
        uint8_t hash[PIECE_HASH_BYTES];
};

/* ---- write and checkpoint ---- */
/* Bytes [start, end) were written to the handle's descriptor. Only for the ledger; does not block. */
int files_note_written(struct files_handle *handle, uint64_t start, uint64_t end);
/* Everything noted before this call is durable when @done says 0. On failure NOTHING since the last good checkpoint counts: the
 * kernel marks pages clean after a failed sync; close the handle, fetch again. */
/* @chunks: stretches of it whose hashes are wanted, too; they are filled in (bytes 0: it cannot be had) and must stay until @done. */
int files_checkpoint(struct files *files, struct files_handle *handle, struct files_piece *chunks, size_t n_chunks, files_done_fn done,
                     void *userdata);
/* The order checker (debug builds): aborts unless every byte of @claimed was covered by a successful checkpoint of this handle or
 * was durable when it was opened (files_ledger_seed()). Call it right before a progress row is handed to the store. */
void files_ledger_seed(struct files_handle *handle, const struct intervals *durable);
void files_ledger_assert_durable(const struct files_handle *handle, const struct intervals *claimed);

/* ---- pieces ---- */
/* A nameless file beside the temp file, for what is read once and then forgotten: it goes with its descriptor, whatever happens. That is the
 * handle's, as closing it may wait for the file system: it stays until files_read_hashes(), the next files_scratch() or files_close(). */
typedef void (*files_scratch_fn)(int error, int fd, void *userdata);
int files_scratch(struct files *files, struct files_handle *handle, files_scratch_fn done, void *userdata);

/* Parses the piece hash file of @size bytes that a descriptor (duplicated) reads; nothing of it is believed before @expected (copied)
 * vouched for it. */
typedef void (*files_hashes_fn)(int error, struct piece_hashes *hashes, void *userdata); /* > 0: ERROR_METAINFO_*; @hashes is OWNED by the receiver */
int files_read_hashes(struct files *files, struct files_handle *handle, int fd, uint64_t size, const struct integrity_info *expected,
                      files_hashes_fn done, void *userdata);

/* @bad: one for each piece, valid during the callback; one that lies behind the end is. */
typedef void (*files_verify_fn)(int error, const bool *bad, size_t n, void *userdata);
/* Judges pieces on the descriptor while others are still being written. @pieces must stay until @done. */
int files_verify(struct files *files, struct files_handle *handle, const struct files_piece *pieces, size_t n, files_verify_fn done,
                 void *userdata);
/* Bytes [start, end) turned out wrong: the ledger forgets them. */
void files_note_lost(struct files_handle *handle, uint64_t start, uint64_t end);

/* ---- windows: content that is handed on as it comes, and kept nowhere ---- */
/* In memory, with the positions of the whole file; nobody else can open it. Its handle is for files_scratch(), files_verify() and these.
 * @owner's hands judge what comes; if these are lost the window is, too. The memory is of the process that asks. */
int files_open_window(struct files *files, uid_t owner, bool digest, struct files_handle **ret, int *ret_fd);
/* For reading only, whoever gets it. -errno. */
int files_window_reader(const struct files_handle *handle);
/* The next bytes, [start, end), were taken: they go into the digest, if there is one, and their memory is given back. One at a time. */
int files_window_drop(struct files *files, struct files_handle *handle, uint64_t start, uint64_t end, files_done_fn done, void *userdata);
/* Is that the digest of all that was dropped? 0, -EBADMSG. */
int files_window_check(struct files *files, struct files_handle *handle, const uint8_t sha256[static 32]);

/* ---- finish ---- */
/* Bytes [start, end) are there, and their digest will be wanted: it is computed while others still come. From 0 on, each call where the
 * last one ended; one that starts at 0 begins anew. Only for speed: files_finish() believes none of it that has changed since, and can do
 * without. One at a time. @done: an error only says that it was in vain so far, and that the next should start at 0. */
int files_digest_ahead(struct files *files, struct files_handle *handle, uint64_t start, uint64_t end, files_done_fn done, void *userdata);
struct files_finish_request {
        uint64_t size;         /* the file must have exactly this; space behind it is given back */
        const uint8_t *sha256; /* expected, or NULL: no digest is computed */
        const struct files_piece *pieces; /* must stay until the end; or NULL */
        size_t n_pieces;
        mode_t mode;           /* 0666 & ~umask; a directory's default ACL applies as open(2) would have it */
        uint64_t mtime_usec;   /* 0: now */
};
struct files_finish_result {
        int error;             /* -EMSGSIZE, -EBADMSG, -EILSEQ, … */
        const bool *bad;       /* -EILSEQ: for each piece; valid during the callback */
        uint8_t sha256[32];    /* what it is, if one was asked for */
};
typedef void (*files_finish_fn)(const struct files_finish_result *result, void *userdata);
/* After success: complete, verified, synced with its metadata; still under the temp name. The handle's descriptor is for reading only from
 * then on. -ETXTBSY: somebody else has the file open for writing, so nothing that is verified would stay so. */
int files_finish(struct files *files, struct files_handle *handle, const struct files_finish_request *request,
                 files_finish_fn done, void *userdata);

/* ---- decrypt ---- */
struct files_decrypt_request {
        const struct decryption_info *info; /* copied, and wiped when it was used */
        uint64_t size;      /* of the source */
        uint64_t first;     /* buffer to go on with; 0: the beginning */
};
struct files_decrypt_result {
        int error;          /* > 0: ERROR_ENCRYPTION_EXPECTED, ERROR_DECRYPTION_*; -ECANCELED: one of the handles was closed */
        const char *why;    /* with a positive error: a sentence, static, or "" */
        uint64_t content_max;   /* bytes that the target will have at most */
        uint64_t content_bytes; /* that it has now */
        uint64_t next;      /* first buffer of the next slice */
        bool is_complete;
};
typedef void (*files_decrypt_fn)(const struct files_decrypt_result *result, void *userdata);
/* One slice of a finished temp file into another, fresh one, which files_finish() then judges and makes durable; the caller asks for slice
 * after slice. Closing either handle ends it within a buffer. @target NULL: only looks whether the info fits. */
int files_decrypt(struct files *files, struct files_handle *source, struct files_handle *target,
                  const struct files_decrypt_request *request, files_decrypt_fn done, void *userdata);

/* ---- publish and remove: whole lists, idempotent, by identity ---- */
struct files_item {
        uid_t owner;           /* the same for all of a list */
        const char *path;      /* copied */
        const char *temp_name; /* "" : there is none */
        struct files_identity temp;
        struct files_identity directory;
        bool replace;          /* publish: replace a regular file, keeping its mode and ACL if it is the same owner's */
        uint64_t mtime_usec;   /* publish: 0 leaves it as finish set it */
};
/* @errors has one entry per item: 0 done (also if it was done before: crash recovery), -EEXIST, -ESTALE (neither the temp nor the
 * final name is our inode), … Valid during the callback. @error: the whole request failed (no memory, directory sync failed). */
typedef void (*files_list_fn)(int error, const int *errors, size_t n, void *userdata);
/* renameat2(RENAME_NOREPLACE) per item, link+unlink where that is not supported; then fsync of every distinct directory once. */
int files_publish(struct files *files, const struct files_item *items, size_t n, files_list_fn done, void *userdata);
/* The dry run before the intent is recorded: would publish work? */
int files_publish_check(struct files *files, const struct files_item *items, size_t n, files_list_fn done, void *userdata);
/* Unlinks temp files whose inode is the one that we know. A missing one is success. temp.ino 0 (a crash came between creating it and
 * recording it) or unknown: the random name decides, if it is a regular file of ours with one link. */
int files_remove(struct files *files, const struct files_item *items, size_t n, files_list_fn done, void *userdata);

/* ---- client certificates ---- */
struct files_certificate_result {
        int error;               /* -ENOKEY: there is none; -EKEYREJECTED: it has expired, or its key cannot be used */
        const char *text;        /* what is wrong, and in which file; "" if all is well */
        const char *certificate; /* PEM, those between it and its authority behind it; both are wiped after the callback */
        const char *key;         /* PEM, not encrypted */
};
typedef void (*files_certificate_fn)(const struct files_certificate_result *result, void *userdata);
/* Reads STORE/NAME.pem and STORE/NAME.key of the place with the rights of the handle's owner. Where a subject fits several, the one that is good for
 * longest. A key that others may read, or that is encrypted, is refused. */
int files_certificate(struct files *files, struct files_handle *handle, const struct certificate_name *name,
                  files_certificate_fn done, void *userdata);

/* ---- janitor ---- */
/* Looks through directories for names of our form (".dosvc-*.part") that are not in @known and removes those of ours (uid, regular,
 * one link) that are older than @min_age_usec by mtime. */
struct files_sweep_request {
        uid_t owner;
        const char *const *directories;
        size_t n_directories;
        const char *const *known_names;
        size_t n_known_names;
        uint64_t min_age_usec;
        uint64_t now_usec;
};
typedef void (*files_sweep_fn)(size_t n_removed, void *userdata);
int files_sweep(struct files *files, const struct files_sweep_request *request, files_sweep_fn done, void *userdata);

/* A files object, a directory of its own on a real file system, and each request as a call that returns its result. */
#pragma once

#include <sys/stat.h>

#include "../unit.h"
#include "base/fds.h"
#include "files/files.h"

#define TEST_PATH_MAX 512

struct fixture {
        struct files *files;
        char root[TEST_PATH_MAX / 4];
        char path[TEST_PATH_MAX];  /* of fixture_path() */
};

/* On threads; with DOSVC_TEST_REMOTE in the environment in a process of its own. */
int fixture_new_files(const struct files_config *config, struct files **ret);
bool fixture_is_remote(void);
int fixture_setup(void **state);
int fixture_teardown(void **state); /* unmounts and removes all below root */

/* root/name; valid until the next call. */
const char *fixture_path(struct fixture *f, const char *name);
/* Copies that outlive the next call; static ring of 8. */
const char *fixture_path2(struct fixture *f, const char *name);

void fixture_mkdir(struct fixture *f, const char *name);
void fixture_write(struct fixture *f, const char *name, const char *content);
void assert_content(struct fixture *f, const char *name, const char *content);
bool fixture_exists(struct fixture *f, const char *name);
/* Directory entries but "." and "..". */
/* Its folder is on a tmpfs, where nothing is reserved. */
bool fixture_is_in_memory(struct fixture *f);
size_t fixture_count(struct fixture *f, const char *name);
size_t count_open_fds(void);

/* Runs @what in a forked child and returns its value; CHILD_ABORTED if it called abort(). The child ends without
 * exit(), so that leak checkers do not count what was the parent's. */
#define CHILD_ABORTED INT32_MIN
int in_child(int (*what)(void *userdata), void *userdata);

/* The same as another user, who may search the fixture's root, with files of the child's own. Skips the test without root. */
int as_nobody(struct fixture *f, int (*what)(struct fixture *f));

/* Mounts on root/name (made); skips the test where that is not allowed. */
void fixture_mount(struct fixture *f, const char *name, const char *source, const char *type, unsigned long flags,
                   const char *options);
/* A fresh image of 320 MiB (sparse), mounted on root/name; @type: "ext4", "xfs", … Skips where that is not possible. */
void fixture_mount_image(struct fixture *f, const char *name, const char *type);
/* Cuts its power, then mounts it again. Nothing may be open on it. */
void fixture_cut_power(struct fixture *f, const char *name);

struct files_check_result check_now(struct fixture *f, const struct files_check_request *request);
struct files_open_result open_now(struct fixture *f, const struct files_open_request *request);
/* A fresh temp file for root/name. Its name goes to @ret_temp_name. */
struct files_open_result create_now(struct fixture *f, const char *name,
                                    char ret_temp_name[static FILES_TEMP_NAME_MAX]);
int checkpoint_now(struct fixture *f, struct files_handle *handle);
int reserve_now(struct fixture *f, struct files_handle *handle, uint64_t size, bool background);
struct files_finish_result finish_now(struct fixture *f, struct files_handle *handle,
                                      const struct files_finish_request *request);
typedef int (*list_call)(struct files *files, const struct files_item *items, size_t n, files_list_fn done,
                         void *userdata);
/* @errors: one per item, or NULL. */
int list_now(struct fixture *f, list_call call, const struct files_item *items, size_t n, int *errors);
/* One item; its error, or that of the request. */
int item_now(struct fixture *f, list_call call, const struct files_item *item);
size_t sweep_now(struct fixture *f, const struct files_sweep_request *request);
void wait_for(struct fixture *f, const bool *flag);
void wait_for_all(struct fixture *f);

/* Creates, writes and finishes root/name with @content; the handle is closed. */
struct files_item finished_item(struct fixture *f, const char *name, const char *content, mode_t mode,
                                char ret_temp_name[static FILES_TEMP_NAME_MAX]);

/* Directories in which temp files are open: one descriptor for all of them, and one fsync(2) for many new names.
 *
 * Who makes a name takes a number from directory_name_made() afterwards; directory_make_durable() with that number
 * returns when an fsync(2) that began later than it has succeeded, and does none if there was one already. Safe
 * from all threads. */
#pragma once

#include "files/files.h"
#include "files/paths.h"

struct directories;
struct directory;

int directories_new(struct directories **ret);
struct directories *directories_free(struct directories *directories);

/* Opens what @path names now, or shares what is open: one object per inode. May block. 0 or -errno. */
int directory_open(struct directories *directories, const char *path, struct directory **ret);
struct directory *directory_ref(struct directory *directory);
struct directory *directory_unref(struct directory *directory);
DEFINE_CLEANUP_FUNC(struct directory, directory_unref)

int directory_fd(const struct directory *directory); /* O_PATH */
const struct file_facts *directory_facts(const struct directory *directory);

uint64_t directory_name_made(struct directory *directory);
/* @any_fd: see path_sync_directory(). A failure sticks to all names that were not durable before. */
int directory_make_durable(struct directory *directory, uint64_t number, int any_fd);

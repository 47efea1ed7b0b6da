/* A SQLite VFS below the real store that counts and fails file operations: what a disk does, not what a store says.
 * It offers no shared memory (version 1), so the write-ahead log works only while locking is really exclusive. */
#pragma once

#include "base/macros.h"

enum vfs_operation { VFS_WRITE, VFS_SYNC, _VFS_OPERATION_MAX };
enum vfs_file { VFS_DATABASE, VFS_WAL, VFS_JOURNAL, _VFS_FILE_MAX };

void faulty_vfs_install(void); /* as the default one */
/* From now on @operation on @file gives @result (a SQLITE_* code); SQLITE_OK ends that. Counters start again. */
void faulty_vfs_fail(enum vfs_operation operation, enum vfs_file file, int result);
/* From now on the first write to the log stays inside until it is let go. */
void faulty_vfs_hold(void);
void faulty_vfs_wait_until_held(void);
void faulty_vfs_let_go(void);
unsigned faulty_vfs_count(enum vfs_operation operation, enum vfs_file file);

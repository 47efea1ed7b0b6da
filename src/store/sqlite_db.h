/* The database file: opening it safely, its settings, its errors as errno, copies of it. Knows nothing of jobs.
 * Internal to src/store. */
#pragma once

#include <sqlite3.h>

#include "base/macros.h"

#define DATABASE_NAME "jobs.sqlite"
#define DATABASE_APPLICATION_ID 0x646f7376 /* "dosv" */
#define DATABASE_JOURNAL_SIZE_LIMIT (16 * 1024 * 1024)
#define DATABASE_CHECKPOINT_PAGES 1000

/* What the last failing call on @db means. @rc: its result, extended codes allowed. */
int database_errno(sqlite3 *db, int rc);
/* After these the memory image of the file and the file may differ: only a new process that reads it again knows. */
bool database_error_is_final(int rc);

/* @path: of an existing file. Sets everything that must stand before the first read, and takes the lock. */
int database_open(const char *path, sqlite3 **ret);
/* What must not stand in a file of a newer version: journal mode and the like. Reads back what durability rests on. */
int database_configure(sqlite3 *db, bool network_fs);
/* -EINVAL when journal mode or synchronous are weaker than durability needs. */
int database_check_settings(sqlite3 *db, bool network_fs);
int database_quick_check(sqlite3 *db); /* 0 or -EUCLEAN */
/* @keep_journal: leave the write-ahead log as it is, for who comes after us. */
sqlite3 *database_close(sqlite3 *db, bool keep_journal);

int database_run(sqlite3 *db, const char *sql);
int database_get_int(sqlite3 *db, const char *sql, int64_t *ret); /* -ENODATA: no row */

/* An empty file of our own, 0600, durable in @directory. 0 also when there is one; -ENOTSUP when it is no plain file. */
int database_create_file(const char *directory, const char *path);
int directory_sync(const char *directory);
/* A whole copy that survives a crash at any point: under a side name first. */
int database_backup(sqlite3 *db, const char *directory, const char *to_path);
/* Database and journals get new names beside the old ones: "<path>.damaged-<time>". The database must be closed. */
int database_move_aside(const char *directory, const char *path);

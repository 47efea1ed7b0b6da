/* Copies of the database for the day on which it is damaged, two generations: "<path>.backup-1" is the newest. Internal to src/store.
 *
 * 1. backup_begin(), then backup_step() until it gives 0: on the thread that has the connection, between its transactions. What is written
 *    meanwhile is in the copy too.
 * 2. backup_finish(): from any thread. The copy is checked before it takes anybody's place.
 * 3. backup_restore(): the newest good one in the place of a database that is gone. */
#pragma once

#include <sqlite3.h>

#include "base/macros.h"
#include "store/sealer.h"

struct backup;

int backup_begin(sqlite3 *db, const char *directory, const char *path, struct backup **ret);
int backup_step(struct backup *backup); /* 1: there is more, 0: everything is copied, -errno */
int backup_finish(struct backup *backup, uint64_t now_usec); /* the time that it gets; -EUCLEAN: the copy is damaged, and so is what it was made of */
/* Whatever was not finished goes, the file too. */
struct backup *backup_free(struct backup *backup);

/* The time that the newest got; 0: there is none. */
uint64_t backup_time(const char *path);
/* 1: there is a database again, as of *ret_usec, whose rows say that they are from a backup; 0: no backup is good, those that there were
 * are moved aside; -errno: nothing was changed. */
int backup_restore(const char *directory, const char *path, const struct sealer *sealer, uint64_t *ret_usec);

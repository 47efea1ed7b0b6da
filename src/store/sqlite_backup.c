#include "store/sqlite_backup.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fds.h"
#include "base/log.h"
#include "store/sqlite_db.h"
#include "store/sqlite_rows.h"
#include "store/sqlite_schema.h"

#define GENERATIONS 2
#define PAGES_PER_STEP 128 /* half a MiB: a commit waits for no more */

struct backup {
        char *directory;
        char *path;      /* of the database */
        char *side_path; /* where the copy grows */
        sqlite3 *to;
        sqlite3_backup *copy; /* NULL: everything is copied */
};

static char *generation_path(const char *path, unsigned generation) {
        char *ret;

        return asprintf(&ret, "%s.backup-%u", path, generation) < 0 ? NULL : ret;
}

static int side_file_new(const char *directory, const char *path) {
        if (unlink(path) < 0 && errno != ENOENT)
                return -errno;
        return database_create_file(directory, path);
}

struct backup *backup_free(struct backup *backup) {
        if (!backup)
                return NULL;
        (void) sqlite3_backup_finish(backup->copy);
        (void) sqlite3_close_v2(backup->to);
        if (backup->side_path)
                (void) unlink(backup->side_path);
        free(backup->directory);
        free(backup->path);
        free(backup->side_path);
        free(backup);
        return NULL;
}
DEFINE_CLEANUP_FUNC(struct backup, backup_free)

int backup_begin(sqlite3 *db, const char *directory, const char *path, struct backup **ret) {
        _cleanup_(backup_freep) struct backup *backup = calloc(1, sizeof(*backup));
        int r;

        if (!backup)
                return -ENOMEM;
        backup->directory = strdup(directory);
        backup->path = strdup(path);
        if (!backup->directory || !backup->path || asprintf(&backup->side_path, "%s.backup-new", path) < 0) {
                backup->side_path = NULL;
                return -ENOMEM;
        }
        r = side_file_new(directory, backup->side_path);
        if (r == 0)
                r = database_open(backup->side_path, &backup->to);
        /* It is synced once, at the end, and not by the thread on whose commits others wait. */
        if (r == 0)
                r = database_run(backup->to, "PRAGMA synchronous=OFF");
        if (r < 0)
                return r;
        backup->copy = sqlite3_backup_init(backup->to, "main", db, "main");
        if (!backup->copy)
                return database_errno(backup->to, sqlite3_extended_errcode(backup->to));
        *ret = TAKE_PTR(backup);
        return 0;
}

int backup_step(struct backup *backup) {
        int rc = sqlite3_backup_step(backup->copy, PAGES_PER_STEP);

        if (rc == SQLITE_OK || rc == SQLITE_BUSY || rc == SQLITE_LOCKED)
                return 1;
        rc = sqlite3_backup_finish(TAKE_PTR(backup->copy));
        return database_errno(backup->to, rc);
}

/* With a time that says of when it is; 0: as it is. */
static int file_sync(const char *path, uint64_t now_usec) {
        struct timespec times[2] = { { .tv_nsec = UTIME_OMIT }, { .tv_nsec = UTIME_OMIT } };
        _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

        if (now_usec > 0)
                times[1] = (struct timespec) { .tv_sec = (time_t) (now_usec / USEC_PER_SEC),
                                               .tv_nsec = (long) (now_usec % USEC_PER_SEC) * 1000 };
        return fd < 0 || futimens(fd, times) < 0 || fsync(fd) < 0 ? -errno : 0;
}

static int rotate(const struct backup *backup) {
        _cleanup_free_ char *newest = generation_path(backup->path, 1), *older = generation_path(backup->path, 2);

        if (!newest || !older)
                return -ENOMEM;
        if (rename(newest, older) < 0 && errno != ENOENT)
                return -errno;
        return rename(backup->side_path, newest) < 0 ? -errno : 0;
}

int backup_finish(struct backup *backup, uint64_t now_usec) {
        int r;

        assert(!backup->copy);
        /* One file that needs no journal beside it. */
        r = database_run(backup->to, "PRAGMA journal_mode=DELETE");
        if (r == 0)
                r = database_quick_check(backup->to);
        (void) sqlite3_close_v2(TAKE_PTR(backup->to));
        if (r == 0)
                r = file_sync(backup->side_path, now_usec);
        if (r == 0)
                r = rotate(backup);
        return r < 0 ? error_trace(r) : directory_sync(backup->directory);
}

static uint64_t file_time(const char *path) {
        struct stat st;

        if (lstat(path, &st) < 0 || !S_ISREG(st.st_mode))
                return 0;
        return MAX((uint64_t) st.st_mtim.tv_sec * USEC_PER_SEC + (uint64_t) st.st_mtim.tv_nsec / 1000, UINT64_C(1));
}

uint64_t backup_time(const char *path) {
        uint64_t newest = 0;

        for (unsigned i = 1; i <= GENERATIONS && newest == 0; i++) {
                _cleanup_free_ char *from = generation_path(path, i);

                if (from)
                        newest = file_time(from);
        }
        return newest;
}

/* ---- the day ---- */

static int copy_file(const char *from, const char *to) {
        _cleanup_close_ int in = open(from, O_RDONLY | O_CLOEXEC | O_NOFOLLOW), out = open(to, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
        char buffer[65536];
        uint64_t at = 0;
        ssize_t n;
        int r;

        if (in < 0 || out < 0)
                return -errno;
        while ((n = fd_pread_all(in, buffer, sizeof(buffer), at)) > 0) {
                r = fd_pwrite_all(out, buffer, (size_t) n, at);
                if (r < 0)
                        return r;
                at += (uint64_t) n;
        }
        return (int) n;
}

static int look_at_job(struct job *job, void *userdata _unused_) {
        job_free(job);
        return 0;
}

static int look_at_history(struct history_entry *entry, void *userdata _unused_) {
        record_history_free(entry);
        return 0;
}

/* Whether every row makes sense. */
static int try_to_load(sqlite3 *db, const struct sealer *sealer) {
        static const struct store_visitor visitor = { .job = look_at_job, .history = look_at_history };
        struct rows rows;
        int r = rows_init(&rows, db, sealer);

        if (r < 0)
                return r;
        r = rows_load(&rows, &visitor, NULL);
        rows_done(&rows);
        return r;
}

/* What may have happened since is not known: see record_mark_restored(), which says the same. */
static int mark_restored(sqlite3 *db) {
        char sql[256];

        (void) snprintf(sql, sizeof(sql),
                        "BEGIN; UPDATE job SET restored=1; UPDATE file SET temp_ino=%" PRId64 " WHERE temp_ino<>0 AND state=%d; COMMIT",
                        (int64_t) INO_UNKNOWN, FILE_PENDING);
        return database_run(db, sql);
}

static int prepare_restored(const char *directory, const char *path, const struct sealer *sealer) {
        sqlite3 *db;
        int version, r;

        r = database_open(path, &db);
        if (r < 0)
                return r;
        version = schema_identify(db, n_schema_versions);
        r = version == 0 ? -EUCLEAN : MIN(version, 0);
        if (r == 0)
                r = database_quick_check(db);
        if (r == 0)
                r = schema_upgrade(db, directory, NULL, (unsigned) version, schema_versions, n_schema_versions);
        if (r == 0)
                r = try_to_load(db, sealer);
        if (r == 0)
                r = mark_restored(db);
        database_close(db, false);
        return r;
}

static int restore_from(const char *directory, const char *path, const char *from, const struct sealer *sealer) {
        _cleanup_free_ char *side_path = NULL;
        int r;

        if (asprintf(&side_path, "%s.restored-new", path) < 0)
                return -ENOMEM;
        r = side_file_new(directory, side_path);
        if (r == 0)
                r = copy_file(from, side_path);
        if (r == 0)
                r = prepare_restored(directory, side_path, sealer);
        if (r == 0)
                r = file_sync(side_path, 0);
        if (r == 0)
                r = rename(side_path, path) < 0 ? -errno : directory_sync(directory);
        if (r < 0)
                (void) unlink(side_path);
        return r;
}

int backup_restore(const char *directory, const char *path, const struct sealer *sealer, uint64_t *ret_usec) {
        for (unsigned i = 1; i <= GENERATIONS; i++) {
                _cleanup_free_ char *from = generation_path(path, i);
                uint64_t made;
                int r;

                if (!from)
                        return -ENOMEM;
                made = file_time(from);
                if (made == 0)
                        continue;
                r = restore_from(directory, path, from, sealer);
                if (r == 0) {
                        *ret_usec = made;
                        return 1;
                }
                log_debug("store: %s cannot be used: %s", from, strerror(-r));
                if (r != -EUCLEAN)
                        return r;
                r = database_move_aside(directory, from);
                if (r < 0)
                        return r;
        }
        return 0;
}

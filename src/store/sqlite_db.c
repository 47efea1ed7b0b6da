#include "store/sqlite_db.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fds.h"
#include "base/log.h"
#include "base/strings.h"

/* sqlite.org/security.html, but for VARIABLE_NUMBER (10 there): saving a job binds each of its columns. */
static const struct {
        int id;
        int value;
} limits[] = {
        { SQLITE_LIMIT_LENGTH, 1000000 },
        { SQLITE_LIMIT_SQL_LENGTH, 100000 },
        { SQLITE_LIMIT_COLUMN, 100 },
        { SQLITE_LIMIT_EXPR_DEPTH, 10 },
        { SQLITE_LIMIT_COMPOUND_SELECT, 3 },
        { SQLITE_LIMIT_VDBE_OP, 25000 },
        { SQLITE_LIMIT_FUNCTION_ARG, 8 },
        { SQLITE_LIMIT_ATTACHED, 0 },
        { SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 50 },
        { SQLITE_LIMIT_VARIABLE_NUMBER, 100 },
        { SQLITE_LIMIT_TRIGGER_DEPTH, 10 },
};

static const struct {
        int id;
        int on;
} switches[] = {
        { SQLITE_DBCONFIG_DEFENSIVE, 1 },
        { SQLITE_DBCONFIG_ENABLE_FKEY, 1 },
        { SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0 },
        { SQLITE_DBCONFIG_ENABLE_TRIGGER, 0 },
        { SQLITE_DBCONFIG_ENABLE_VIEW, 0 },
        { SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0 },
        { SQLITE_DBCONFIG_DQS_DML, 0 },
        { SQLITE_DBCONFIG_DQS_DDL, 0 },
        { SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1 }, /* until we know that the file is ours to change */
};

/* SQLite keeps the errno of IOERR and CANTOPEN only, and it may be stale: just those that fit are believed. */
static int errno_of_write(sqlite3 *db) {
        int error = db ? sqlite3_system_errno(db) : 0;

        return error == EDQUOT || error == ENOSPC || error == EROFS ? -error : -EIO;
}

static int errno_of_open(sqlite3 *db) {
        static const int known[] = { ENOENT, EACCES, ELOOP, EMFILE, ENFILE, ENOSPC, EDQUOT, EROFS };
        int error = db ? sqlite3_system_errno(db) : 0;

        for (size_t i = 0; i < ELEMENTSOF(known); i++)
                if (known[i] == error)
                        return -error;
        return -EIO;
}

int database_errno(sqlite3 *db, int rc) {
        switch (rc & 0xff) {
        case SQLITE_OK:
        case SQLITE_ROW:
        case SQLITE_DONE:
                return 0;
        case SQLITE_FULL:
                return -ENOSPC;
        case SQLITE_NOMEM:
                return -ENOMEM;
        case SQLITE_CORRUPT:
        case SQLITE_NOTADB:
                return -EUCLEAN;
        case SQLITE_BUSY:
        case SQLITE_LOCKED:
        case SQLITE_PROTOCOL:
                return -EBUSY;
        case SQLITE_READONLY:
                return -EROFS;
        case SQLITE_PERM:
        case SQLITE_AUTH:
                return -EACCES;
        case SQLITE_TOOBIG:
                return -E2BIG;
        case SQLITE_CONSTRAINT:
        case SQLITE_MISMATCH:
        case SQLITE_MISUSE:
        case SQLITE_RANGE:
                return -EINVAL;
        case SQLITE_IOERR:
                if (rc == SQLITE_IOERR_NOMEM)
                        return -ENOMEM;
                if (rc == SQLITE_IOERR_CORRUPTFS || rc == SQLITE_IOERR_DATA)
                        return -EUCLEAN;
                return errno_of_write(db);
        case SQLITE_CANTOPEN:
                return errno_of_open(db);
        default:
                return -EIO;
        }
}

bool database_error_is_final(int rc) {
        switch (rc & 0xff) {
        case SQLITE_CORRUPT:
        case SQLITE_NOTADB:
                return true;
        case SQLITE_IOERR:
                /* A failed fsync may have dropped the pages: asking again would get a false "yes". */
                return rc == SQLITE_IOERR_FSYNC || rc == SQLITE_IOERR_DIR_FSYNC || rc == SQLITE_IOERR_CORRUPTFS ||
                       rc == SQLITE_IOERR_DATA;
        default:
                return false;
        }
}

static int database_error(sqlite3 *db, int rc) {
        log_debug("store: %s (%d)", sqlite3_errmsg(db), rc);
        return database_errno(db, rc);
}

int database_run(sqlite3 *db, const char *sql) {
        int rc = sqlite3_exec(db, sql, NULL, NULL, NULL);

        return rc == SQLITE_OK ? 0 : database_error(db, rc);
}

int database_get_int(sqlite3 *db, const char *sql, int64_t *ret) {
        sqlite3_stmt *statement;
        int rc;

        rc = sqlite3_prepare_v2(db, sql, -1, &statement, NULL);
        if (rc != SQLITE_OK)
                return database_error(db, rc);
        rc = sqlite3_step(statement);
        if (rc == SQLITE_ROW)
                *ret = sqlite3_column_int64(statement, 0);
        (void) sqlite3_finalize(statement);
        if (rc == SQLITE_ROW)
                return 0;
        return rc == SQLITE_DONE ? -ENODATA : database_error(db, rc);
}

/* First column of the first row equals @expected; 1: it does not. */
static int database_text_differs(sqlite3 *db, const char *sql, const char *expected) {
        sqlite3_stmt *statement;
        const char *text = NULL;
        int rc, r = 1;

        rc = sqlite3_prepare_v2(db, sql, -1, &statement, NULL);
        if (rc != SQLITE_OK)
                return database_error(db, rc);
        rc = sqlite3_step(statement);
        if (rc == SQLITE_ROW) {
                text = (const char *) sqlite3_column_text(statement, 0);
                r = text && streq(text, expected) ? 0 : 1;
                if (r)
                        log_debug("store: %s: %s, not %s", sql, text ? text : "NULL", expected);
        }
        (void) sqlite3_finalize(statement);
        return rc == SQLITE_ROW || rc == SQLITE_DONE ? r : database_error(db, rc);
}

int database_check_settings(sqlite3 *db, bool network_fs) {
        int64_t synchronous = 0;
        int r;

        r = database_text_differs(db, "PRAGMA main.journal_mode", network_fs ? "delete" : "wal");
        if (r != 0)
                return r < 0 ? r : -EINVAL;
        r = database_get_int(db, "PRAGMA main.synchronous", &synchronous);
        if (r < 0)
                return r;
        return synchronous >= (network_fs ? 3 : 2) ? 0 : -EINVAL;
}

static int database_harden(sqlite3 *db) {
        (void) sqlite3_extended_result_codes(db, 1);
        for (size_t i = 0; i < ELEMENTSOF(limits); i++)
                (void) sqlite3_limit(db, limits[i].id, limits[i].value);
        for (size_t i = 0; i < ELEMENTSOF(switches); i++) {
                int is_on;

                if (sqlite3_db_config(db, switches[i].id, switches[i].on, &is_on) != SQLITE_OK ||
                    is_on != switches[i].on)
                        return -EINVAL;
        }
        /* EXCLUSIVE before the first read: no shared memory file, and one process only. No mmap: a truncated file is an error
         * then, not a SIGBUS. */
        return database_run(db, "PRAGMA locking_mode=EXCLUSIVE;"
                                "PRAGMA cell_size_check=ON;"
                                "PRAGMA mmap_size=0;"
                                "PRAGMA temp_store=MEMORY;"
                                "PRAGMA secure_delete=ON");
}

/* Nobody asks how much memory SQLite has, and to count it takes a lock for each allocation. Only before its first use; else it goes on
 * counting. */
static void do_not_count_memory(void) {
        (void) sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}

int database_open(const char *path, sqlite3 **ret) {
        static pthread_once_t once = PTHREAD_ONCE_INIT;
        sqlite3 *db = NULL;
        int rc, r;

        (void) pthread_once(&once, do_not_count_memory);

        /* One thread at a time uses it: the store's lock sees to that, SQLite's own would cost and add nothing. */
        rc = sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOFOLLOW | SQLITE_OPEN_NOMUTEX, NULL);
        r = rc == SQLITE_OK ? 0 : database_errno(db, rc);
        if (r == 0)
                r = database_harden(db);
        /* Nothing is written by an empty transaction, but the lock stays: a second process (or, over a network file system, a
         * second machine) is refused here. */
        if (r == 0)
                r = database_run(db, "BEGIN EXCLUSIVE; COMMIT");
        if (r < 0) {
                database_close(db, true);
                return error_trace(r);
        }
        *ret = db;
        return 0;
}

int database_configure(sqlite3 *db, bool network_fs) {
        char sql[128];
        int r;

        if (sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, NULL) != SQLITE_OK)
                return -EINVAL;
        r = database_run(db, network_fs ? "PRAGMA journal_mode=DELETE; PRAGMA synchronous=EXTRA"
                                        : "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL");
        if (r < 0)
                return r;
        (void) snprintf(sql, sizeof(sql), "PRAGMA journal_size_limit=%d; PRAGMA wal_autocheckpoint=%d",
                        DATABASE_JOURNAL_SIZE_LIMIT, DATABASE_CHECKPOINT_PAGES);
        r = database_run(db, sql);
        if (r < 0)
                return r;
        return database_check_settings(db, network_fs);
}

int database_quick_check(sqlite3 *db) {
        int r = database_text_differs(db, "PRAGMA quick_check(1)", "ok");

        return r > 0 ? -EUCLEAN : r;
}

sqlite3 *database_close(sqlite3 *db, bool keep_journal) {
        if (db && keep_journal)
                (void) sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
        (void) sqlite3_close_v2(db);
        return NULL;
}

int directory_sync(const char *directory) {
        _cleanup_close_ int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        return fd < 0 || fsync(fd) < 0 ? -errno : 0;
}

int database_create_file(const char *directory, const char *path) {
        struct stat st;
        int fd;

        /* SQLite would make it 0644, and its journals take over the mode. The descriptor is closed before the database is
         * opened: closing one later would drop SQLite's locks. */
        fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (fd >= 0) {
                int r = fchmod(fd, 0600) < 0 || fsync(fd) < 0 ? -errno : 0;

                fd_close(fd);
                return r < 0 ? r : directory_sync(directory);
        }
        if (errno != EEXIST)
                return -errno;
        if (lstat(path, &st) < 0)
                return -errno;
        if (!S_ISREG(st.st_mode))
                return error_trace(-ENOTSUP);
        return (st.st_mode & 0777) == 0600 || chmod(path, 0600) == 0 ? 0 : -errno;
}

static int backup_pages(sqlite3 *db, sqlite3 *to) {
        sqlite3_backup *backup = sqlite3_backup_init(to, "main", db, "main");
        int rc;

        if (!backup)
                return database_error(to, sqlite3_extended_errcode(to));
        (void) sqlite3_backup_step(backup, -1);
        rc = sqlite3_backup_finish(backup);
        return rc == SQLITE_OK ? 0 : database_error(to, rc);
}

int database_backup(sqlite3 *db, const char *directory, const char *to_path) {
        _cleanup_free_ char *side_path = NULL;
        sqlite3 *to = NULL;
        int rc, r;

        if (asprintf(&side_path, "%s.new", to_path) < 0)
                return -ENOMEM;
        if (unlink(side_path) < 0 && errno != ENOENT)
                return -errno;
        r = database_create_file(directory, side_path);
        if (r < 0)
                return r;
        rc = sqlite3_open_v2(side_path, &to, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOFOLLOW | SQLITE_OPEN_NOMUTEX, NULL);
        r = rc == SQLITE_OK ? backup_pages(db, to) : database_errno(to, rc);
        (void) sqlite3_close_v2(to);
        if (r == 0)
                r = rename(side_path, to_path) < 0 ? -errno : 0;
        if (r < 0) {
                (void) unlink(side_path);
                return error_trace(r);
        }
        return directory_sync(directory);
}

static int rename_aside(const char *path, const char *suffix, const char *stamp) {
        _cleanup_free_ char *from = NULL, *to = NULL;

        /* The suffix last: "sqlite3 jobs.sqlite.damaged-…" finds its journal then. */
        if (asprintf(&from, "%s%s", path, suffix) < 0)
                return -ENOMEM;
        if (asprintf(&to, "%s.damaged-%s%s", path, stamp, suffix) < 0)
                return -ENOMEM;
        if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) < 0)
                return -errno;
        log_debug("store: %s moved aside", from);
        return 0;
}

int database_move_aside(const char *directory, const char *path) {
        static const char *const journals[] = { "-wal", "-journal" };
        time_t now = (time_t)(clock_now(&clock_system, CLOCK_ID_REALTIME) / USEC_PER_SEC);
        char stamp[32];
        struct tm tm;
        size_t n;
        int r;

        if (!gmtime_r(&now, &tm))
                return -EOVERFLOW;
        n = strftime(stamp, sizeof(stamp) - 4, "%Y%m%dT%H%M%SZ", &tm);
        r = rename_aside(path, "", stamp);
        for (int i = 1; r == -EEXIST && i < 100; i++) {
                (void) snprintf(stamp + n, sizeof(stamp) - n, "-%d", i);
                r = rename_aside(path, "", stamp);
        }
        if (r < 0)
                return error_trace(r);
        for (size_t i = 0; i < ELEMENTSOF(journals); i++) {
                r = rename_aside(path, journals[i], stamp);
                if (r < 0 && r != -ENOENT)
                        return error_trace(r);
        }
        return directory_sync(directory);
}
